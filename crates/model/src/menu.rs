//! Menus: which keys a participant of a conference presses for what.

use crate::{Digit, de::nearest};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor},
};
use std::{collections::BTreeMap, fmt};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

/// Keys of one sequence at the most.
pub const SEQUENCE_KEYS_MAX: usize = 4;
/// Sequences of one menu at the most.
pub const MENU_SEQUENCES_MAX: usize = 64;

const SEQUENCE_RULE: &str = "must be 1 to 4 telephone keys: 0-9, *, #, A-D";

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $who:ident;)*) => {
        /// What a key sequence of a menu does. It is configured by its name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum MenuAction {
            $($(#[$doc])* $variant,)*
        }

        impl MenuAction {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            const NAMES: &'static [&'static str] = &[$($name),*];

            /// Its name in configurations.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Who may do it.
            fn whose(self) -> Whose {
                match self {
                    $(Self::$variant => Whose::$who,)*
                }
            }

            fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Everyone,
    Leaders,
}

actions! {
    /// Mutes or unmutes the participant who presses it.
    Mute = "mute", Everyone;
    /// Raises or lowers the hand.
    Hand = "hand", Everyone;
    /// Says how many are in; pressed again at once: who.
    Count = "count", Everyone;
    /// Says who is in.
    RollCall = "roll_call", Everyone;
    /// Opens the menu of the volume: 4 quieter, 5 normal, 6 louder, # ends it.
    Volume = "volume", Everyone;
    /// What is heard becomes louder.
    HearLouder = "hear_louder", Everyone;
    /// What is heard becomes quieter.
    HearQuieter = "hear_quieter", Everyone;
    /// The own voice becomes louder for the others.
    TalkLouder = "talk_louder", Everyone;
    /// The own voice becomes quieter for the others.
    TalkQuieter = "talk_quieter", Everyone;
    /// From an open conference to all muted, to a lecture, and back.
    Floor = "floor", Leaders;
    /// Mutes or unmutes all but the leaders.
    MuteAll = "mute_all", Leaders;
    /// Lecture mode on or off.
    Lecture = "lecture", Leaders;
    /// Locks or unlocks the conference.
    Lock = "lock", Leaders;
    /// Opens the menu of the lobby: says who waits, 1 admits, 2 turns away, 3 admits all, 4 turns all away.
    Lobby = "lobby", Leaders;
    /// Admits the caller who has waited longest.
    AdmitNext = "admit_next", Leaders;
    /// Admits all callers in the lobby.
    AdmitAll = "admit_all", Leaders;
    /// Turns away the caller who has waited longest.
    RefuseNext = "refuse_next", Leaders;
    /// Turns away all callers in the lobby.
    RefuseAll = "refuse_all", Leaders;
    /// Removes the participant who came last.
    EjectLast = "eject_last", Leaders;
    /// Calls a number, which is keyed in and ended by #.
    Call = "call", Leaders;
    /// Starts the recording, once 1 confirms it; pauses or resumes one that runs.
    Record = "record", Leaders;
    /// Ends the recording.
    RecordStop = "record_stop", Leaders;
    /// Says how much time is left; 1 then extends by 15 minutes.
    TimeLeft = "time_left", Everyone;
    /// Extends the conference by 15 minutes.
    Extend = "extend", Leaders;
    /// Entry and exit sounds on or off.
    Announcements = "announcements", Leaders;
    /// Leaves the conference.
    Leave = "leave", Everyone;
    /// Ends the conference for all, once 1 confirms it.
    End = "end", Leaders;
    /// Says which keys there are.
    Help = "help", Everyone;
}

impl MenuAction {
    /// Only leaders may do it.
    #[must_use]
    pub fn is_for_leaders(self) -> bool {
        self.whose() == Whose::Leaders
    }
}

impl fmt::Display for MenuAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for MenuAction {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for MenuAction {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        Self::from_name(&name).ok_or_else(|| {
            let meant = nearest(&name, Self::NAMES).map(|near| format!("did you mean `{near}`? "));
            let (meant, known) = (meant.unwrap_or_default(), Self::NAMES.join(", "));
            D::Error::custom(format!("is no action of a menu; {meant}known are {known}"))
        })
    }
}

/// Keys that are pressed one after the other, such as `*6`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct KeySequence(String);

impl KeySequence {
    /// Of 1 to 4 keys; letters are taken in either case.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let keys: Option<String> = text.chars().map(|key| Digit::new(key).map(Digit::as_char)).collect();
        keys.filter(|keys| (1..=SEQUENCE_KEYS_MAX).contains(&keys.len())).map(Self)
    }

    /// The keys as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeySequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

type Sequences = BTreeMap<KeySequence, MenuAction>;

/// The menu of participants who are not leaders: key sequences and what they do. No sequence begins with another one, so that
/// each does its work with its last key. Left out of a configuration it is [`Menu::default`]; one that is given replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Menu(Sequences);

/// The menu of leaders. It replaces [`Menu`] for them and may have actions that only leaders may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct LeaderMenu(Sequences);

// Star first: one false key, by a cheek or by a voice that sounds like a tone, does nothing.
const EVERYONES: [(&str, MenuAction); 5] = [
    ("*6", MenuAction::Mute),
    ("*9", MenuAction::Hand),
    ("*3", MenuAction::Count),
    ("*4", MenuAction::Volume),
    ("*0", MenuAction::Help),
];
const LEADERS: [(&str, MenuAction); 7] = [
    ("*5", MenuAction::Floor),
    ("*7", MenuAction::Lock),
    ("*8", MenuAction::Lobby),
    ("*1", MenuAction::Call),
    ("*2", MenuAction::Record),
    ("*#", MenuAction::TimeLeft),
    ("**", MenuAction::End),
];

fn sequences(of: impl IntoIterator<Item = (&'static str, MenuAction)>) -> Sequences {
    of.into_iter().map(|(keys, action)| (KeySequence(keys.to_owned()), action)).collect()
}

impl Default for Menu {
    fn default() -> Self {
        Self(sequences(EVERYONES))
    }
}

impl Default for LeaderMenu {
    fn default() -> Self {
        Self(sequences(EVERYONES.into_iter().chain(LEADERS)))
    }
}

macro_rules! menu {
    ($name:ident, $is_leaders:literal) => {
        impl $name {
            /// What these keys do.
            #[must_use]
            pub fn action(&self, keys: &str) -> Option<MenuAction> {
                // The map is short, and a lookup by text would need a `Borrow` that promises more than is needed.
                self.0.iter().find(|(known, _)| known.as_str() == keys).map(|(_, action)| *action)
            }

            /// Its sequences, in the order of the keys.
            pub fn iter(&self) -> impl Iterator<Item = (&KeySequence, MenuAction)> {
                self.0.iter().map(|(keys, action)| (keys, *action))
            }

            /// The keys of an action, the first where it has several.
            #[must_use]
            pub fn keys(&self, action: MenuAction) -> Option<&KeySequence> {
                self.iter().find(|(_, known)| *known == action).map(|(keys, _)| keys)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_map(Reading { is_leaders: $is_leaders }).map(Self)
            }
        }

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                menu_schema(Self::default().0, $is_leaders)
            }
        }

        impl ToSchema for $name {}
    };
}

menu!(Menu, false);
menu!(LeaderMenu, true);

fn menu_schema(default: Sequences, is_leaders: bool) -> RefOr<Schema> {
    let keys = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9*#A-Da-d]{1,4}$"));
    let allowed = MenuAction::ALL.iter().filter(|action| is_leaders || !action.is_for_leaders());
    let action = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(allowed.map(|action| action.name()).collect::<Vec<_>>()));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(Schema::Object(keys.into())))
        .additional_properties(Some(action))
        .max_properties(Some(MENU_SEQUENCES_MAX))
        .default(serde_json::to_value(default).ok())
        .description(Some(
            "Key sequences, such as `*6`, and what they do. No sequence begins with another one.",
        ))
        .into()
}

struct Reading {
    is_leaders: bool,
}

impl<'de> Visitor<'de> for Reading {
    type Value = Sequences;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the actions of key sequences, as in {\"*6\": \"mute\"}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Sequences, A::Error> {
        let mut sequences = Sequences::new();
        while let Some(text) = members.next_key::<String>()? {
            let Some(keys) = KeySequence::new(&text) else {
                return members.next_value_seed(Refused(SEQUENCE_RULE.to_owned()));
            };
            if let Some(other) = sequences.keys().find(|other| collide(other.as_str(), keys.as_str())) {
                return members.next_value_seed(Refused(collision(other, &keys)));
            }
            if sequences.len() == MENU_SEQUENCES_MAX {
                return Err(A::Error::custom(format!("must have at most {MENU_SEQUENCES_MAX} sequences")));
            }
            let action = members.next_value_seed(Allowed { is_leaders: self.is_leaders })?;
            sequences.insert(keys, action);
        }
        Ok(sequences)
    }
}

fn collide(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn collision(before: &KeySequence, keys: &KeySequence) -> String {
    if before == keys {
        return "is there twice".to_owned();
    }
    let (short, long) = if before.0.len() < keys.0.len() { (before, keys) } else { (keys, before) };
    format!("`{long}` begins with `{short}`, which is a sequence of its own: only one of them can be reached")
}

/// An action that these participants may do.
struct Allowed {
    is_leaders: bool,
}

impl<'de> DeserializeSeed<'de> for Allowed {
    type Value = MenuAction;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<MenuAction, D::Error> {
        let action = MenuAction::deserialize(from)?;
        if action.is_for_leaders() && !self.is_leaders {
            let detail = format!("`{action}` is for leaders: it belongs into `leader_menu`");
            return Err(D::Error::custom(detail));
        }
        Ok(action)
    }
}

/// Refuses a member, so that the error names it and not the whole menu.
struct Refused(String);

impl<'de> DeserializeSeed<'de> for Refused {
    type Value = Sequences;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Sequences, D::Error> {
        IgnoredAny::deserialize(from)?;
        Err(D::Error::custom(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FieldError, read_value};
    use serde_json::{Value, json};

    fn participants(body: Value) -> Result<Menu, Vec<FieldError>> {
        read_value(body)
    }

    #[test]
    fn the_defaults_are_the_card_and_the_leaders_has_all_of_the_participants() {
        let (menu, leaders) = (Menu::default(), LeaderMenu::default());
        assert_eq!(
            serde_json::to_value(&menu).unwrap(),
            json!({ "*0": "help", "*3": "count", "*4": "volume", "*6": "mute", "*9": "hand" })
        );
        assert_eq!(
            serde_json::to_value(&leaders).unwrap(),
            json!({
                "*0": "help", "*1": "call", "*2": "record", "*3": "count", "*4": "volume", "*5": "floor", "*6": "mute",
                "*7": "lock", "*8": "lobby", "*9": "hand", "*#": "time_left", "**": "end",
            })
        );
        // They are what a configuration may say, too.
        assert_eq!(participants(serde_json::to_value(&menu).unwrap()).unwrap(), menu);
        assert_eq!(read_value::<LeaderMenu>(serde_json::to_value(&leaders).unwrap()).unwrap(), leaders);
        assert!(menu.iter().all(|(keys, action)| leaders.action(keys.as_str()) == Some(action)));
    }

    #[test]
    fn each_action_is_named_and_read_by_its_name() {
        for action in MenuAction::ALL {
            let body = json!({ "*6": action.name() });
            let menu: LeaderMenu = read_value(body.clone()).unwrap();
            assert_eq!(menu.action("*6"), Some(*action));
            assert_eq!(menu.keys(*action).unwrap().as_str(), "*6");
            assert_eq!(participants(body).is_ok(), !action.is_for_leaders(), "{action}");
        }
    }

    #[test]
    fn a_sequence_has_1_to_4_keys_in_either_case() {
        let menu = participants(json!({ "1": "mute", "*a": "hand", "#99D": "leave" })).unwrap();
        let found = [menu.action("1"), menu.action("*A"), menu.action("#99D"), menu.action("*a")];
        assert_eq!(found, [Some(MenuAction::Mute), Some(MenuAction::Hand), Some(MenuAction::Leave), None]);
        assert_eq!(participants(json!({})).unwrap().iter().count(), 0);
        for wrong in ["", "12345", "*e", "* 6", "ä"] {
            let errors = participants(json!({ wrong: "mute" })).unwrap_err();
            assert_eq!(errors, [FieldError::new(format!("/{wrong}"), SEQUENCE_RULE)], "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place() {
        let errors = read_value::<LeaderMenu>(json!({ "*6": "mut", "*7": "dance", "*8": 5 })).unwrap_err();
        let of = |pointer: &str| {
            errors.iter().find(|error| error.pointer == pointer).map(|error| error.detail.clone()).unwrap()
        };
        assert!(of("/*6").starts_with("is no action of a menu; did you mean `mute`? known are mute, hand, "));
        assert!(of("/*7").starts_with("is no action of a menu; known are mute, "), "{}", of("/*7"));
        assert_eq!(of("/*8"), "must be a text");
        assert_eq!(
            participants(json!({ "*7": "lock" })).unwrap_err(),
            [FieldError::new("/*7", "`lock` is for leaders: it belongs into `leader_menu`")]
        );
        let detail = "must be an object with the actions of key sequences, as in {\"*6\": \"mute\"}";
        assert_eq!(participants(json!(["*6"])).unwrap_err(), [FieldError::new("", detail)]);
    }

    #[test]
    fn no_sequence_begins_with_another_one() {
        for (one, other) in [("*", "*6"), ("*6", "*"), ("1", "12"), ("123", "1")] {
            let errors = participants(json!({ one: "mute", other: "hand" })).unwrap_err();
            let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
            let detail = format!(
                "`{long}` begins with `{short}`, which is a sequence of its own: only one of them can be reached"
            );
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert_eq!(errors[0].detail, detail);
            assert!([format!("/{one}"), format!("/{other}")].contains(&errors[0].pointer));
        }
        let errors = participants(json!({ "*a": "mute", "*A": "hand" })).unwrap_err();
        assert_eq!(errors[0].detail, "is there twice");
        let many: serde_json::Map<String, Value> =
            (100..165).map(|number| (number.to_string(), json!("mute"))).collect();
        assert_eq!(
            participants(Value::Object(many)).unwrap_err(),
            [FieldError::new("", "must have at most 64 sequences")]
        );
    }

    #[test]
    fn the_schema_lists_what_each_may_do() {
        let schema = |schema: RefOr<Schema>| serde_json::to_value(schema).unwrap();
        let of_participants = schema(Menu::schema());
        assert_eq!(of_participants["propertyNames"]["pattern"], "^[0-9*#A-Da-d]{1,4}$");
        let listed = |schema: &Value| schema["additionalProperties"]["enum"].as_array().unwrap().clone();
        assert!(!listed(&of_participants).contains(&json!("lock")));
        assert_eq!(listed(&schema(LeaderMenu::schema())).len(), MenuAction::ALL.len());
    }
}
