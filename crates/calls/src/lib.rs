//! What becomes of every call at this node, decided without a socket, a clock or a database.
//!
//! ```text
//!   inputs                             state                                   outputs
//!   ──────                             ─────                                   ───────
//!   handle_sip       user agent  ─┐    calls: stage, session, seat        ┌─▶ Sip(SipCommand)
//!   handle_media     media plane ─┤    trunks, bindings, key counters     ├─▶ Media(MediaCommand)
//!   handle_found     store       ─┼─▶  audio settings                     ┼─▶ Lookup { id, .. }
//!   handle_home      home        ─┤    subscribers, history               ├─▶ Home(ToHome)
//!   handle_question  web service ─┤    what is asked and not answered     ├─▶ Record(CallEntry)
//!   handle_timeout   time        ─┘                                       └─▶ Reply { question, .. }
//! ```
//!
//! Order of calls: one `handle_*`, then every [`Calls::poll_output`] in order, then [`Calls::poll_timeout`]. Whatever takes time
//! (the store, the ports of a call, a seat in a conference) goes out as a value, and its outcome comes back as another input; the
//! call may be over by then. [`Node`] joins this machine to the home of the conferences for a service on one machine.
//!
//! | a call comes in | `incoming`, `access` (who may), `browser_keys`, `registrations` (tokens), `session` |
//! |---|---|
//! | we place one | `target` (whom, by which ways), `trunks`, `bindings`, `outgoing`, `direct` (client to client) |
//! | one is sent elsewhere | `referral` (asked by a telephone), `transfer` (asked by a web service) |
//! | a participant is shown | `participants`, `history` (once its call is over) |
//! | a caller uses keys | `keypad` (the dialogues of `plenary_dialogue`) |
//! | a conference decides | `effects`, `play`, `audio_settings`, `subscribers`, `conference_info` (documents of RFC 4575) |
//! | it is over | `ending`, `records` |
//!
//! Log lines are written with `tracing`, which does nothing unless the program installs something. The nouns that the store keeps
//! (services, trunks, tokens) are the model's; nothing here may name the store, and `clippy.toml` sees to that.

#![forbid(unsafe_code)]

#[macro_use]
mod log;

mod access;
mod announcing;
mod audio_choice;
mod audio_settings;
mod bindings;
mod browser_keys;
mod call;
mod calls;
mod conference_info;
mod control;
mod departed;
mod direct;
mod effects;
mod ending;
mod history;
mod incoming;
mod keypad;
pub mod lookup;
pub mod media;
mod node;
mod number;
mod outgoing;
mod output;
pub mod participants;
mod play;
pub mod question;
mod random;
mod reasons;
mod recording;
mod records;
mod referral;
mod registrations;
mod replacing;
mod route;
mod security;
mod session;
mod subscribers;
mod target;
mod text;
mod totals;
mod transfer;
mod trunks;

pub use browser_keys::{BrowserClaim, KeyLimits};
pub use calls::{Calls, Settings, Start};
pub use control::{
    ControlError, DialRefused, Invitation, Playback, SoundChange, SoundOf, SoundSettings, TransferState,
    TrunkState,
};
pub use node::{Input, Node};
pub use number::CallNumber;
pub use output::{Headers, Output, SipCommand};
pub use recording::{RecorderCommand, RecorderEvent};
pub use text::DISPLAY_NAME_LENGTH_MAX;
pub use totals::{ParticipantKind, Totals, TrunkTotals};
