//! What can be said: typed sentences.

use crate::prompt::Prompt;
use crate::time::{Day, TimeOfDay};
use plenary_model::{MenuAction, NameId};
use serde::{Deserialize, Serialize};

/// One sentence to be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Saying {
    /// A fixed prompt.
    Prompt(Prompt),
    /// How long it is until the conference starts.
    StartsIn {
        /// In seconds; said in words as a person would, such as "twelve minutes".
        seconds: u32,
    },
    /// When the conference starts.
    StartsAt {
        /// The time of day.
        time: TimeOfDay,
        /// The day.
        day: Day,
    },
    /// How long it is until the conference ends. Said to all.
    EndsIn {
        /// In seconds.
        seconds: u32,
    },
    /// The leader has left, and the conference will end. Said to all.
    LeaderGoneEndsIn {
        /// In seconds.
        seconds: u32,
    },
    /// Warns the only participant that the conference will end.
    AloneEndsIn {
        /// In seconds.
        seconds: u32,
    },
    /// The time that is left.
    TimeLeft {
        /// In seconds.
        seconds: u32,
    },
    /// The conference has been extended.
    ExtendedBy {
        /// In seconds.
        seconds: u32,
    },
    /// How many are in the conference.
    Participants {
        /// All participants, the listener included. One is the listener alone.
        count: u32,
    },
    /// How many wait to be admitted.
    Waiting {
        /// Callers in the lobby.
        count: u32,
    },
    /// A participant has joined.
    Joined {
        /// The recorded name, if there is one.
        name: Option<NameId>,
    },
    /// A participant has left.
    Left {
        /// The recorded name, if there is one.
        name: Option<NameId>,
    },
    /// A caller waits to be admitted. Said to leaders.
    AsksAdmission {
        /// The recorded name, if there is one.
        name: Option<NameId>,
    },
    /// Who is in the conference.
    RollCall {
        /// Recorded names, in the order in which they are said.
        names: Vec<NameId>,
        /// How many more there are who recorded none.
        unnamed: u32,
    },
    /// Keys or figures one by one: `0` to `9`, `*`, `#`. Other characters are left out.
    Digits(String),
    /// A number, as a word or several.
    Number(u32),
    /// A recorded name on its own.
    Name(NameId),
    /// Which keys do something: "To mute or unmute, press star six." For menus that differ from the default, whose help is a fixed prompt.
    KeyFor {
        /// What the keys do.
        task: MenuAction,
        /// The keys, such as `*6`.
        keys: String,
    },
    /// The key by which a called participant joins.
    KeyToJoin {
        /// The key.
        keys: String,
    },
    /// The keys by which a muted participant can ask to speak.
    KeyToAsk {
        /// The keys, such as `*9`.
        keys: String,
    },
    /// The keys by which a muted participant who talks can be heard.
    KeyToUnmute {
        /// The keys, such as `*6`.
        keys: String,
    },
}

impl From<Prompt> for Saying {
    fn from(prompt: Prompt) -> Self {
        Self::Prompt(prompt)
    }
}

/// The clip that names what keys do, as in "To mute or unmute, press".
pub(crate) fn clip_of(action: MenuAction) -> String {
    match action {
        // The lecture is a further stage of it.
        MenuAction::Floor => clip_of(MenuAction::MuteAll),
        action => format!("key.{}", action.name().replace('_', "-")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Date;

    #[test]
    fn sayings_are_plain_data() {
        let date = Date::new(2027, 3, 1).unwrap();
        for (saying, text) in [
            (Saying::from(Prompt::EntryPin), r#"{"prompt":"entry.pin"}"#),
            (Saying::StartsIn { seconds: 720 }, r#"{"starts_in":{"seconds":720}}"#),
            (
                Saying::StartsAt { time: TimeOfDay::new(9, 5).unwrap(), day: Day::On(date) },
                r#"{"starts_at":{"time":{"hour":9,"minute":5},"day":{"on":{"year":2027,"month":3,"day":1}}}}"#,
            ),
            (Saying::Joined { name: Some(NameId("7".into())) }, r#"{"joined":{"name":"7"}}"#),
            (
                Saying::KeyFor { task: MenuAction::Mute, keys: "*6".into() },
                r#"{"key_for":{"task":"mute","keys":"*6"}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&saying).unwrap(), text);
            assert_eq!(serde_json::from_str::<Saying>(text).unwrap(), saying);
        }
    }
}
