//! What the conference says to callers.
//!
//! Dialogues and conferences speak in [`Saying`]s: fixed prompts and sentences with values, as plain data. A language turns each into [`Piece`]s: clips
//! by name, recorded names of callers, and the silence between them. Decoding and playing them is the media plane's task.
//!
//! Nothing here opens a socket or reads a clock: times of day and dates come in as arguments.

#![forbid(unsafe_code)]

pub mod language;
pub mod languages;
mod pattern;
pub mod piece;
pub mod plural;
pub mod prompt;
mod rules;
pub mod saying;
pub mod time;

pub use language::Language;
pub use languages::{LanguageError, Languages, MUSIC_ON_HOLD};
pub use piece::{Piece, Spoken};
pub use plenary_model::{BadLanguageCode, LanguageCode, MenuAction, NameId};
pub use prompt::{Kind, Prompt};
pub use saying::Saying;
pub use time::{Date, Day, TimeOfDay, said_at};
