//! What a party may do, as set by the inbound service that connected it.

use serde::{Deserialize, Serialize};

/// A key of a telephone: `0`–`9`, `*`, `#`, `A`–`D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digit(char);

impl Digit {
    /// The key named by `c`; letters are taken in either case.
    #[must_use]
    pub fn new(c: char) -> Option<Self> {
        let c = c.to_ascii_uppercase();
        matches!(c, '0'..='9' | '*' | '#' | 'A'..='D').then_some(Self(c))
    }

    /// The key as a character.
    #[must_use]
    pub fn as_char(self) -> char {
        self.0
    }
}

impl TryFrom<String> for Digit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut chars = text.chars();
        match (chars.next().and_then(Self::new), chars.next()) {
            (Some(digit), None) => Ok(digit),
            _ => Err(format!("`{text}` is not a telephone key: allowed is one of 0-9, *, #, A-D")),
        }
    }
}

impl From<Digit> for String {
    fn from(digit: Digit) -> Self {
        digit.0.to_string()
    }
}

/// Something to play, in order: names of WAV files, `tone:HZ/MS`, `silence:MS`. JSON takes one text or a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "OneOrMany", into = "Vec<String>")]
pub struct PlayList(pub Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for PlayList {
    fn from(value: OneOrMany) -> Self {
        match value {
            OneOrMany::One(item) => Self(vec![item]),
            OneOrMany::Many(items) => Self(items),
        }
    }
}

impl From<PlayList> for Vec<String> {
    fn from(list: PlayList) -> Self {
        list.0
    }
}

/// The options of a party. Names and defaults are part of the public inbound-service format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ParticipantOptions {
    /// May speak; `false` is listen-only.
    pub talker: bool,
    /// The conference starts when this party enters (and another is there).
    pub start_on_entry: bool,
    /// The conference ends for everyone when this party leaves.
    pub destroy_on_exit: bool,
    /// All hear a beep when it enters.
    pub beep_on_entry: bool,
    /// Key with which the party leaves.
    pub exit_digit: Option<Digit>,
    /// Key that mutes; without `unmute_digit` it toggles.
    pub mute_digit: Option<Digit>,
    /// Key that unmutes.
    pub unmute_digit: Option<Digit>,
    /// Played in a loop to this party while the conference is stopped.
    pub while_stopped_media: Option<PlayList>,
    /// Announces who it is, before `has_joined_message` and `has_left_message`.
    pub name: Option<PlayList>,
    /// Played to the others when it enters.
    pub has_joined_message: Option<PlayList>,
    /// Played to the others when it leaves.
    pub has_left_message: Option<PlayList>,
}

impl ParticipantOptions {
    /// A leader: starts the conference, and ends it for everyone by leaving.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.start_on_entry && self.destroy_on_exit
    }
}

impl Default for ParticipantOptions {
    fn default() -> Self {
        Self {
            talker: true,
            start_on_entry: true,
            destroy_on_exit: false,
            beep_on_entry: true,
            exit_digit: None,
            mute_digit: None,
            unmute_digit: None,
            while_stopped_media: None,
            name: None,
            has_joined_message: None,
            has_left_message: None,
        }
    }
}
