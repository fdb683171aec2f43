//! The entry of conferences: a call is answered, asked for a room and a PIN, and connected.

use crate::{
    LanguageCode, PlayList, TimeZone,
    fields::{FromText, Parsed, collect, or_default, whole},
    language::tag,
    menu::{LeaderMenu, Menu},
    room::is_room_number,
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Unexpected, Visitor},
};
use std::fmt;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type},
    },
};

/// Rooms that an entry may list.
const ROOMS_MAX: usize = 256;

/// Greets a caller, asks for a room and its PIN, and connects them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EntryAction {
    /// The numbers of the rooms of the account that callers may enter; true: every one. With a single room no number is asked
    /// for.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(inline, default = true)]
    pub rooms: EntryRooms,
    /// Played first. Left out: "Welcome."
    #[serde(default, deserialize_with = "crate::participant::optional_play_list")]
    #[schema(inline)]
    pub greeting: Option<PlayList>,
    /// The language of what is said, until the room has another one.
    #[serde(default, deserialize_with = "tag")]
    #[schema(value_type = String, pattern = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", default = "en")]
    pub language: LanguageCode,
    /// The time zone in which times of day are said, by its IANA name, where the room has none of its own. Left out: the
    /// configured one.
    #[serde(default)]
    #[schema(inline)]
    pub time_zone: Option<TimeZone>,
    /// How often a caller may be wrong, or silent, about the room and about the PIN before the call ends.
    #[serde(default = "tries", deserialize_with = "whole::<1, 10, _>")]
    #[schema(minimum = 1, maximum = 10, default = 3)]
    pub tries: u32,
    /// Seconds that a caller has for the first key after a question.
    #[serde(default = "first_key_s", deserialize_with = "whole::<1, 60, _>")]
    #[schema(minimum = 1, maximum = 60, default = 10)]
    pub first_key_s: u32,
    /// Seconds for each key after that. What is keyed in by then is taken as it is.
    #[serde(default = "next_key_s", deserialize_with = "whole::<1, 30, _>")]
    #[schema(minimum = 1, maximum = 30, default = 5)]
    pub next_key_s: u32,
    /// The keys of participants where the room has no menu of its own. Left out: the usual ones.
    #[serde(default)]
    #[schema(inline)]
    pub menu: Option<Menu>,
    /// The keys of leaders where the room has no menu of its own. Left out: the usual ones.
    #[serde(default)]
    #[schema(inline)]
    pub leader_menu: Option<LeaderMenu>,
}

fn tries() -> u32 {
    3
}

fn first_key_s() -> u32 {
    10
}

fn next_key_s() -> u32 {
    5
}

impl Default for EntryAction {
    fn default() -> Self {
        Self {
            rooms: EntryRooms::All,
            greeting: None,
            language: LanguageCode::default(),
            time_zone: None,
            tries: tries(),
            first_key_s: first_key_s(),
            next_key_s: next_key_s(),
            menu: None,
            leader_menu: None,
        }
    }
}

/// The rooms that an entry leads to. In JSON a list of numbers, or true for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EntryRooms {
    /// Every room of the account.
    #[default]
    All,
    /// These; at least one.
    Listed(Vec<String>),
}

/// The number of a room.
struct Room(String);

impl FromText for Room {
    const PLURAL: &'static str = "room numbers";
    const RULE: &'static str = "must be a text of 1 to 12 digits: the number of a room";

    fn from_text(text: &str) -> Option<Self> {
        is_room_number(text).then(|| Self(text.to_owned()))
    }
}

impl Serialize for EntryRooms {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => to.serialize_bool(true),
            Self::Listed(numbers) => numbers.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for EntryRooms {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Rooms;

        impl<'de> Visitor<'de> for Rooms {
            type Value = EntryRooms;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "true for every room, or a list of 1 to {ROOMS_MAX} room numbers, each once")
            }

            fn visit_bool<E: Error>(self, is_all: bool) -> Result<EntryRooms, E> {
                match is_all {
                    true => Ok(EntryRooms::All),
                    false => Err(E::invalid_value(Unexpected::Bool(false), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<EntryRooms, A::Error> {
                let numbers: Vec<Parsed<Room>> = collect(items, ROOMS_MAX, &self)?;
                let mut numbers: Vec<String> =
                    numbers.into_iter().map(|Parsed(Room(number))| number).collect();
                let given = numbers.len();
                numbers.sort_unstable();
                numbers.dedup();
                match !numbers.is_empty() && numbers.len() == given {
                    true => Ok(EntryRooms::Listed(numbers)),
                    false => Err(A::Error::invalid_value(Unexpected::Seq, &self)),
                }
            }
        }

        from.deserialize_any(Rooms)
    }
}

impl PartialSchema for EntryRooms {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9]{1,12}$"));
        let numbers = ArrayBuilder::new()
            .items(number)
            .min_items(Some(1))
            .max_items(Some(ROOMS_MAX))
            .unique_items(true);
        let all =
            ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([serde_json::json!(true)]));
        OneOfBuilder::new().item(all).item(numbers).into()
    }
}

impl ToSchema for EntryRooms {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FieldError, MenuAction, read_value};
    use serde_json::{Value, json};

    fn read(body: Value) -> Result<EntryAction, Vec<FieldError>> {
        read_value(body)
    }

    #[test]
    fn what_is_left_out_has_the_usual_value() {
        assert_eq!(read(json!({})).unwrap(), EntryAction::default());
        let body = json!({
            "rooms": ["1001", "1002"], "greeting": "hello.wav", "language": "en-GB", "tries": 5, "first_key_s": 20,
            "next_key_s": 2, "menu": {"*1": "mute"}, "leader_menu": {"*1": "mute", "*2": "lock"},
        });
        let entry = read(body).unwrap();
        assert_eq!(entry.rooms, EntryRooms::Listed(vec!["1001".into(), "1002".into()]));
        assert_eq!(entry.greeting, Some(PlayList(vec!["hello.wav".into()])));
        assert_eq!(entry.language.as_str(), "en-GB");
        assert_eq!((entry.tries, entry.first_key_s, entry.next_key_s), (5, 20, 2));
        assert_eq!(entry.menu.unwrap().action("*1"), Some(MenuAction::Mute));
        assert_eq!(entry.leader_menu.unwrap().action("*2"), Some(MenuAction::Lock));
        assert_eq!(read(json!({ "rooms": true })).unwrap().rooms, EntryRooms::All);
    }

    #[test]
    fn each_error_says_where_and_what_is_allowed() {
        let rooms = "must be true for every room, or a list of 1 to 256 room numbers, each once";
        let number = "must be a text of 1 to 12 digits: the number of a room";
        for (body, pointer, detail) in [
            (json!({ "rooms": false }), "/rooms", rooms),
            (json!({ "rooms": [] }), "/rooms", rooms),
            (json!({ "rooms": ["1", "1"] }), "/rooms", rooms),
            (json!({ "rooms": "1001" }), "/rooms", rooms),
            (json!({ "rooms": ["1001", "12a"] }), "/rooms/1", number),
            (json!({ "rooms": ["1234567890123"] }), "/rooms/0", number),
            (json!({ "rooms": [""] }), "/rooms/0", number),
            (json!({ "rooms": [1001] }), "/rooms/0", "must be a text"),
            (json!({ "language": "english" }), "/language", "must be a language tag as in `en` or `en-GB`"),
            (json!({ "language": "../en" }), "/language", "must be a language tag as in `en` or `en-GB`"),
            (json!({ "tries": 0 }), "/tries", "must be a whole number from 1 to 10"),
            (json!({ "first_key_s": 61 }), "/first_key_s", "must be a whole number from 1 to 60"),
            (json!({ "next_key_s": 0.5 }), "/next_key_s", "must be a whole number from 1 to 30"),
            (json!({ "greeting": [] }), "/greeting", "must have 1 to 64 items"),
            (
                json!({ "menu": { "*7": "lock" } }),
                "/menu/*7",
                "`lock` is for leaders: it belongs into `leader_menu`",
            ),
            (
                json!({ "room": true }),
                "/room",
                "is not known here; did you mean `rooms`? known are rooms, greeting, language, time_zone, tries, first_key_s, next_key_s, menu, leader_menu",
            ),
        ] {
            assert_eq!(read(body.clone()).unwrap_err(), [FieldError::new(pointer, detail)], "{body}");
        }
    }
}
