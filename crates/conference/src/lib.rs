//! What a conference is and does, decided without a clock, a socket or a database.
//!
//! The crate has two halves. [`reservation`] and [`calendar`] hold the rules by which time and seats are
//! sold. [`conferences`] is the machine that knows every conference of the installation, who is in it and
//! what they may do; it takes [`event::Event`]s with the time beside them and returns [`effect::Effect`]s
//! for the wiring to carry out.
//!
//! Nothing here opens a socket, spawns a task or asks what time it is: [`time::Now`] comes in as an argument.

#![forbid(unsafe_code)]

pub mod calendar;
pub mod command;
pub mod conferences;
pub mod controls;
pub mod effect;
pub mod event;
pub mod home;
pub mod limits;
pub mod message;
mod muting;
pub mod recording;
pub mod refused;
pub mod reservation;
pub mod room;
mod state;
pub mod time;

pub use plenary_model::{id, participant};

pub use command::{Command, News, Outcome};
pub use conferences::Conferences;
pub use controls::{Controls, ControlsChange};
pub use effect::Effect;
pub use event::{EdgeReport, Event, ParticipantChange};
pub use home::{Home, QuestionId};
pub use id::{AccountId, ConferenceKey, ConferenceName, ParticipantId, ReservationToken, ServiceName};
pub use limits::{ConferenceLimits, ReservationLimits};
pub use message::{ToEdge, ToHome};
pub use muting::MutedBy;
pub use participant::{Digit, ParticipantOptions};
pub use recording::{RecordingCommand, RecordingReport, RecordingRules};
pub use refused::Refused;
pub use reservation::Reservation;
pub use room::{AdmitAnswer, Arrival, RoomRules, ViaRoom};
pub use state::State;
pub use time::{Mono, Now, Timestamp};
