//! The nouns that people and programs configure, what of them is allowed, and when two of them mean the same. Pure: no clock,
//! no socket, no store.
//!
//! Each is a serde type; its JSON Schema is derived from it. [`read()`] reads one from a body and names all that is wrong with
//! it, member by member. Whatever compares names that may be numbers (services by what was dialled, users, targets, rules of
//! trunks, callers) does it here.

#![forbid(unsafe_code)]

mod de;
pub mod id;
mod number;
pub mod participant;
mod read;
mod time;

pub use de::nearest;
pub use id::{AccountId, ConferenceKey, ConferenceName, ParticipantId, ReservationToken, ServiceName};
pub use number::{Likeness, Number, is_same_name, likeness};
pub use participant::{Digit, ParticipantOptions, PlayList};
pub use read::{FieldError, json, read, read_value};
pub use time::Timestamp;
