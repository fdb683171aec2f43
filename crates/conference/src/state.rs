//! The state of a conference.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The state of a conference as the web services name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Booked; its time has not come.
    Reserved,
    /// Its time has come, or a participant is in it; participants do not hear each other.
    Holding,
    /// Its participants hear each other.
    Active,
    /// A reservation whose time is up.
    Completed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reserved => "RESERVED",
            Self::Holding => "HOLDING",
            Self::Active => "ACTIVE",
            Self::Completed => "COMPLETED",
        })
    }
}
