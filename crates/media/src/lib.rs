//! The media plane: worker threads that move, mix and play the audio of calls.
//!
//! ```text
//!   control side (async)                 media plane (plain threads)
//!   ┌─────────────┐  commands  ┌───────────────────────────────────────────┐
//!   │ MediaHandle ├───────────▶│ worker 1: rooms A, C …   20 ms tick:      │   RTP
//!   │             │            │ worker 2: rooms B, D …   drain · mix · send│◀────────▶
//!   │  MediaEvent │◀───────────┤ …                                         │
//!   └─────────────┘   events   │ loader, reader: what is to be played      │
//!                              └───────────────────────────────────────────┘
//! ```
//!
//! A room belongs to one worker for life, so a packet's path takes no lock; a call moves from room to room with all its
//! state. Every 20 ms a room drains its calls'
//! sockets, decodes the voices of participants who may speak, sums those of active speakers, encodes the sum once per
//! codec for all listeners, and sends. `room` decides what a tick does and knows no thread, clock or socket; `worker`
//! gives it the time and carries its packets.
//!
//! The crate decides nothing about conferences: [`MediaHandle`] sets who speaks, who listens and what is played. It runs
//! on Linux only.

#![forbid(unsafe_code)]

mod command;
mod config;
mod departure;
mod directory;
mod dtls;
mod error;
mod event;
mod event_queue;
mod files;
mod handle;
mod load;
mod loader;
mod params;
mod ports;
mod room;
mod route;
mod rtcp_tap;
mod worker;

pub use config::MediaConfig;
pub use error::MediaError;
pub use event::MediaEvent;
pub use files::{NoSounds, SoundSource, StoredSound};
pub use handle::{MediaHandle, MediaPlane};
pub use load::{Distribution, JITTER_BOUNDS_US, LATENESS_BOUNDS_US, PlaneCounts, PlaneLoad, WorkerLoad};
pub use params::{
    AudioProcessing, Clip, DtlsIdentity, Ducking, FeedId, Ice, MasterKey, MediaCallId, OnMove, PlayId,
    PlayOptions, PlayTo, Protection, RecordingId, RoomId, StreamParams, Suite, Volume,
};
pub use plenary_audio::{codec::Codec, opus::Settings as OpusSettings};
pub use plenary_model::{CallStats, InbandDtmf, OneWay};
#[doc(hidden)]
pub use room::{listener::Listener, play_log::Piece};
pub use rtcp_tap::{RTCP_BYTES_KEPT, RtcpReport, RtcpTap};
