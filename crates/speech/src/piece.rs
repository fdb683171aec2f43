//! What a language makes of sayings: clips, names and silence, to be played one after the other.

use plenary_model::LanguageCode;
use plenary_model::NameId;
use serde::{Deserialize, Serialize};

/// The silence between two pieces that belong to one sentence, in milliseconds: joined this way, numbers are understood as well as in whole sentences.
pub const JOIN_MS: u16 = 30;

/// The silence between two sayings, and between the names of a roll-call, in milliseconds.
pub const PAUSE_MS: u16 = 250;

/// One piece of what is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// A clip of a language.
    Clip {
        /// The language that has the clip: not always the one that was asked for, since English stands in for what is missing.
        language: LanguageCode,
        /// The clip's name.
        name: String,
    },
    /// Silence.
    Silence {
        /// How long, in milliseconds.
        ms: u16,
    },
    /// A caller's name as the caller recorded it.
    Name(NameId),
}

/// What is to be played, and what was not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spoken {
    /// To be played in this order, without any pause but the silence in it.
    pub pieces: Vec<Piece>,
    /// Clips that the language lacks; sentences that need them are said in English. Each name comes once.
    pub missing: Vec<String>,
}
