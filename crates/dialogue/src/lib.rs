//! Dialogues by keypad: what a caller hears, and what their keys do.
//!
//! [`Entry`] takes a call from its answer into a conference: greeting, room number, PIN, recorded name, waiting. [`Menus`] turns
//! the keys of a participant into commands and says what became of them.
//!
//! Both decide only. Keys, the ends of playbacks and the answers to questions come in; playbacks, questions and commands go out
//! as plain values. Each `handle_*` takes the time as an argument. After one input the caller drains `poll_output`, then reads
//! `poll_timeout`. An answer that comes too late, or that is not awaited, changes nothing.

#![forbid(unsafe_code)]

pub mod entry;
mod keys;
pub mod menus;
mod rooms;
mod spoken;
mod timers;

#[cfg(test)]
mod testing;

pub use entry::Entry;
pub use keys::{KEYS_MAX, KeyPress};
pub use menus::Menus;
pub use plenary_conference::Mono;
pub use rooms::RoomNumbers;
pub use spoken::{Item, PlaybackId, Speech};

/// The number of a question or a command, which its answer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuestionId(pub u64);
