//! Rooms: conferences that people reach by keypad, by a number and a PIN.

use crate::{
    AccountId, ConferenceName, FieldError, LanguageCode, ParticipantOptions, PlayList, TimeZone, Timestamp,
    fields::{collect, or_default, whole},
    id::{CONFERENCE_NAME_LENGTH_MAX, is_conference_name},
    language::optional_tag,
    menu::{LeaderMenu, Menu},
    read_value,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, SeqAccess, Visitor},
};
use serde_json::Value;
use std::{fmt, ops::RangeInclusive};
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// How many digits a room's number has.
pub const ROOM_NUMBER_DIGITS: RangeInclusive<usize> = 1..=12;
/// How many digits a PIN has.
pub const PIN_DIGITS: RangeInclusive<usize> = 4..=12;

const WARNINGS_MAX: usize = 10;
const WARNING_MIN: RangeInclusive<u32> = 1..=120;
const PIN_RULE: &str = "must be a text of 4 to 12 digits";

/// A room as calls see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Whose it is.
    pub account: AccountId,
    /// What callers key in: 1 to 12 digits, unique within the account.
    pub number: String,
    /// What it is like.
    pub settings: RoomSettings,
    /// Participants are asked for a PIN.
    pub has_pin: bool,
    /// A leader's PIN makes a leader.
    pub has_leader_pin: bool,
}

/// A room as its owner sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRoom {
    /// Its number.
    pub number: String,
    /// Its body without the PINs: [`RoomSettings`], unless another version stored it.
    pub body: Value,
    /// A PIN is stored.
    pub has_pin: bool,
    /// A leader's PIN is stored.
    pub has_leader_pin: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; later with each change.
    pub updated_at: Timestamp,
}

/// What a room is like: the conference that callers reach by its number, and what happens to them there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoomSettings {
    /// The name of the conference: 1 to 47 letters and digits.
    #[serde(deserialize_with = "conference")]
    #[schema(value_type = String, pattern = "^[A-Za-z0-9]{1,47}$", example = "Board")]
    pub conference: ConferenceName,
    /// What participants key in: 4 to 12 digits. Left out: participants need none. Never shown.
    // Both PINs are taken out of a body before the rest is read, so here they only have their place in the schema and among the
    // known members.
    #[serde(default)]
    #[schema(write_only, pattern = "^[0-9]{4,12}$", example = "482913")]
    pub pin: Option<String>,
    /// What leaders key in: 4 to 12 digits, another one than `pin`. Never shown.
    #[serde(default)]
    #[schema(write_only, pattern = "^[0-9]{4,12}$", example = "70215548")]
    pub leader_pin: Option<String>,
    /// Callers without a leader's PIN wait until a leader admits them.
    #[serde(default, deserialize_with = "or_default")]
    pub lobby: bool,
    /// Participants wait with music until a leader is there.
    #[serde(default, deserialize_with = "or_default")]
    pub wait_for_leader: bool,
    /// How the others hear that a participant enters or leaves.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(inline)]
    pub announce: Announce,
    /// Names are announced up to so many participants; from then on tones take their place.
    #[serde(default = "announce_names_max", deserialize_with = "whole::<0, 10_000, _>")]
    #[schema(minimum = 0, maximum = 10_000, default = 20)]
    pub announce_names_max: u32,
    /// Participants other than leaders are muted when they enter.
    #[serde(default, deserialize_with = "or_default")]
    pub muted_on_entry: bool,
    /// Whether the conference is recorded from its start.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(inline)]
    pub record: AutoRecord,
    /// Keys that participants press in the conference are told by `key.pressed` events; those of a PIN never are.
    #[serde(default, deserialize_with = "or_default")]
    pub key_events: bool,
    /// The conference ends so many seconds after the last leader has left. Left out: it goes on.
    #[serde(default, deserialize_with = "optional_whole::<0, 86_400, _>")]
    #[schema(maximum = 86_400, example = 300)]
    pub end_after_leader_s: Option<u32>,
    /// Minutes before the end of a reserved conference at which its participants hear a warning, each once; `[]`: never.
    #[serde(default = "time_warnings", deserialize_with = "warnings")]
    #[schema(max_items = 10, default = json!([10, 5, 1]))]
    pub time_warnings_min: Vec<u32>,
    /// The language of what is spoken, as in `en` or `en-GB`. Left out: that of the inbound service.
    #[serde(default, deserialize_with = "optional_tag")]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", example = "en")]
    pub language: Option<LanguageCode>,
    /// The time zone in which times of day are said, by its IANA name. Left out: that of the inbound service, then the configured
    /// one.
    #[serde(default)]
    #[schema(inline)]
    pub time_zone: Option<TimeZone>,
    /// What happens to callers who come before the start of a reserved conference.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(inline)]
    pub early: Early,
    /// With `early` at `hold`: callers are held if it starts in at most so many minutes; others hear when it starts.
    #[serde(default = "early_hold", deserialize_with = "whole::<1, 1440, _>")]
    #[schema(minimum = 1, maximum = 1440, default = 30)]
    pub early_hold_min: u32,
    /// The conference ends, after a warning, when a participant has been alone in it for so many minutes; 0: never.
    #[serde(default = "alone", deserialize_with = "whole::<0, 1440, _>")]
    #[schema(maximum = 1440, default = 30)]
    pub alone_min: u32,
    /// Played in a loop to waiting callers, and to participants on hold. Left out: the built-in music; `silence:1000`: nothing.
    #[serde(default, deserialize_with = "crate::participant::optional_play_list")]
    #[schema(inline)]
    pub music: Option<PlayList>,
    /// The keys of participants. Left out: those of the entry.
    #[serde(default)]
    #[schema(inline)]
    pub menu: Option<Menu>,
    /// The keys of leaders. Left out: those of the entry.
    #[serde(default)]
    #[schema(inline)]
    pub leader_menu: Option<LeaderMenu>,
    /// What participants may do in the conference.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(inline)]
    pub participant: ParticipantOptions,
}

/// How the others hear that a participant enters or leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(default = "tone")]
pub enum Announce {
    /// By the name that the caller recorded.
    Name,
    /// By a tone.
    #[default]
    Tone,
    /// Not at all.
    None,
}

/// Whether a conference is recorded without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(default = "off")]
pub enum AutoRecord {
    /// Only where a leader or a program starts it.
    #[default]
    Off,
    /// From the start.
    Auto,
}

/// What happens to callers who come before the start of a reserved conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(default = "refuse")]
pub enum Early {
    /// They hear when it starts, and the call ends.
    #[default]
    Refuse,
    /// They wait with music.
    Hold,
}

fn announce_names_max() -> u32 {
    20
}

fn time_warnings() -> Vec<u32> {
    vec![10, 5, 1]
}

fn early_hold() -> u32 {
    30
}

fn alone() -> u32 {
    30
}

fn conference<'de, D: Deserializer<'de>>(from: D) -> Result<ConferenceName, D::Error> {
    let name = String::deserialize(from)?;
    match is_conference_name(&name) {
        true => Ok(ConferenceName::new(name)),
        false => {
            let text = format!("must be 1 to {CONFERENCE_NAME_LENGTH_MAX} letters and digits");
            Err(D::Error::custom(text))
        }
    }
}

/// As [`whole`]; null: none.
fn optional_whole<'de, const LEAST: u32, const MOST: u32, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<u32>, D::Error> {
    struct Whole<const LEAST: u32, const MOST: u32>(u32);

    impl<'de, const LEAST: u32, const MOST: u32> Deserialize<'de> for Whole<LEAST, MOST> {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            whole::<LEAST, MOST, D>(from).map(Self)
        }
    }

    Ok(Option::<Whole<LEAST, MOST>>::deserialize(from)?.map(|Whole(number)| number))
}

fn warnings<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u32>, D::Error> {
    struct Minutes;

    impl<'de> Visitor<'de> for Minutes {
        type Value = Vec<u32>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let (least, most) = (WARNING_MIN.start(), WARNING_MIN.end());
            write!(f, "a list of at most {WARNINGS_MAX} different minutes from {least} to {most}")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Vec<u32>, A::Error> {
            let mut minutes: Vec<u32> = collect(items, WARNINGS_MAX, &self)?;
            minutes.sort_unstable_by(|one, other| other.cmp(one));
            let are_different = minutes.windows(2).all(|pair| pair[0] != pair[1]);
            if !are_different || !minutes.iter().all(|minute| WARNING_MIN.contains(minute)) {
                return Err(A::Error::invalid_value(serde::de::Unexpected::Seq, &self));
            }
            Ok(minutes)
        }
    }

    from.deserialize_seq(Minutes)
}

/// A room may have this number: 1 to 12 digits.
#[must_use]
pub fn is_room_number(text: &str) -> bool {
    ROOM_NUMBER_DIGITS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The PIN of a room, as its owner sets it. It is not shown by `Debug`, and is wiped from memory when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(Zeroizing<String>);

impl Pin {
    /// Of 4 to 12 digits.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let is_pin = PIN_DIGITS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_pin.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// Its digits.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Pin {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(from)?);
        // What was given is not repeated: errors are shown and logged.
        Self::new(&text).ok_or_else(|| D::Error::custom(PIN_RULE))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

/// What a body says of a PIN.
#[derive(Debug, Clone)]
pub enum GivenPin {
    /// Nothing: the one that is stored stays, if there is one.
    Kept,
    /// That the one that is stored stays; there has to be one.
    Stored,
    /// This one, or none.
    Set(Option<Pin>),
}

/// What a body says of both PINs of a room.
#[derive(Debug, Clone)]
pub struct GivenPins {
    /// That of participants.
    pub pin: GivenPin,
    /// That of leaders.
    pub leader_pin: GivenPin,
}

impl GivenPins {
    /// Those that are stored stay.
    pub const KEPT: Self = Self { pin: GivenPin::Kept, leader_pin: GivenPin::Kept };

    /// Takes what a whole body says of the PINs out of it. Where it names none there is none, unless it says by `has_pin` or
    /// `has_leader_pin`, as what is shown of a room does, that there is one: put back as it was shown, a room does not lose its
    /// PINs.
    ///
    /// # Errors
    /// Each that is wrong.
    pub fn of_whole(body: &mut Value) -> Result<Self, Vec<FieldError>> {
        let has = |member: &str| body.get(member) == Some(&Value::Bool(true));
        let (has_pin, has_leader_pin) = (has("has_pin"), has("has_leader_pin"));
        let whole = |given, has| match given {
            GivenPin::Kept if has => GivenPin::Stored,
            GivenPin::Kept => GivenPin::Set(None),
            given => given,
        };
        let Self { pin, leader_pin } = Self::of_patch(body)?;
        Ok(Self { pin: whole(pin, has_pin), leader_pin: whole(leader_pin, has_leader_pin) })
    }

    /// Takes what a patch says of the PINs out of it. One that it does not name stays; null removes it.
    ///
    /// # Errors
    /// Each that is wrong.
    pub fn of_patch(patch: &mut Value) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut take = |member: &str| {
            let given = patch.as_object_mut().and_then(|members| {
                members.remove(&format!("has_{member}"));
                members.remove(member)
            });
            match given {
                None => GivenPin::Kept,
                Some(Value::Null) => GivenPin::Set(None),
                Some(given) => {
                    let pin = given.as_str().and_then(Pin::new);
                    if pin.is_none() {
                        errors.push(FieldError::new(format!("/{member}"), PIN_RULE));
                    }
                    GivenPin::Set(pin)
                }
            }
        };
        let (pin, leader_pin) = (take("pin"), take("leader_pin"));
        if let (GivenPin::Set(Some(one)), GivenPin::Set(Some(other))) = (&pin, &leader_pin)
            && one.digits() == other.digits()
        {
            errors.push(same_pins());
        }
        if errors.is_empty() { Ok(Self { pin, leader_pin }) } else { Err(errors) }
    }
}

/// Both PINs of a room are the same: leaders and participants could not be distinguished.
#[must_use]
pub fn same_pins() -> FieldError {
    FieldError::new("/leader_pin", "must be another one than `pin`")
}

impl Room {
    /// Checks a number and a body, and makes the room of them. The PINs stand beside the body. A member that is null is left
    /// out.
    ///
    /// # Errors
    /// All that is wrong, the first first.
    pub fn new(
        account: AccountId,
        number: &str,
        body: &Value,
        (has_pin, has_leader_pin): (bool, bool),
    ) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        if !is_room_number(number) {
            let (least, most) = (ROOM_NUMBER_DIGITS.start(), ROOM_NUMBER_DIGITS.end());
            errors.push(FieldError::new("/number", format!("a room's number has {least} to {most} digits")));
        }
        let mut body = body.clone();
        match &mut body {
            Value::Object(members) => members.retain(|_, value| !value.is_null()),
            _ => errors.push(FieldError::new("", "must be a JSON object with at least `conference`")),
        }
        if errors.is_empty() {
            let settings: RoomSettings = read_value(body)?;
            return Ok(Self { account, number: number.to_owned(), settings, has_pin, has_leader_pin });
        }
        if body.is_object() {
            errors.extend(read_value::<RoomSettings>(body).err().unwrap_or_default());
        }
        Err(errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MenuAction;
    use serde_json::json;

    fn room(body: Value) -> Result<RoomSettings, Vec<FieldError>> {
        Room::new(AccountId(1), "1001", &body, (false, false)).map(|room| room.settings)
    }

    fn pointers(errors: Vec<FieldError>) -> Vec<String> {
        errors.into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn what_is_left_out_takes_its_default() {
        let settings = room(json!({ "conference": "Board" })).unwrap();
        let expected = RoomSettings {
            conference: ConferenceName::new("Board"),
            pin: None,
            leader_pin: None,
            lobby: false,
            wait_for_leader: false,
            announce: Announce::Tone,
            announce_names_max: 20,
            muted_on_entry: false,
            record: AutoRecord::Off,
            key_events: false,
            end_after_leader_s: None,
            time_warnings_min: vec![10, 5, 1],
            language: None,
            time_zone: None,
            early: Early::Refuse,
            early_hold_min: 30,
            alone_min: 30,
            music: None,
            menu: None,
            leader_menu: None,
            participant: ParticipantOptions::default(),
        };
        assert_eq!(settings, expected);
        let nulls = json!({
            "conference": "Board", "lobby": null, "announce": null, "announce_names_max": null, "time_warnings_min": null, "early_hold_min": null,
            "music": null, "participant": null
        });
        assert_eq!(room(nulls).unwrap(), expected);
    }

    #[test]
    fn all_that_may_be_set_is_read() {
        let settings = room(json!({
            "conference": "Board", "lobby": true, "wait_for_leader": true, "announce": "name", "announce_names_max": 0, "muted_on_entry": true,
            "record": "auto", "end_after_leader_s": 0, "time_warnings_min": [1, 15], "language": "en-GB", "early": "hold",
            "early_hold_min": 1440, "alone_min": 0, "music": ["hold.wav", "silence:500"], "participant": { "talker": false },
            "menu": { "1": "mute" }, "leader_menu": { "*7": "lock" }
        }))
        .unwrap();
        assert!(settings.lobby && settings.wait_for_leader && settings.muted_on_entry);
        assert_eq!(
            (settings.announce, settings.record, settings.early),
            (Announce::Name, AutoRecord::Auto, Early::Hold)
        );
        assert_eq!(
            (
                settings.end_after_leader_s,
                settings.early_hold_min,
                settings.alone_min,
                settings.announce_names_max
            ),
            (Some(0), 1440, 0, 0)
        );
        assert_eq!(settings.time_warnings_min, [15, 1], "sorted: the longest time before the end is first");
        assert_eq!(settings.language.unwrap().as_str(), "en-GB");
        assert_eq!(settings.music.unwrap().0, ["hold.wav", "silence:500"]);
        assert!(!settings.participant.talker);
        assert_eq!(settings.menu.unwrap().action("1"), Some(MenuAction::Mute));
        assert_eq!(settings.leader_menu.unwrap().action("*7"), Some(MenuAction::Lock));
        assert_eq!(
            room(json!({ "conference": "a", "time_warnings_min": [] })).unwrap().time_warnings_min,
            [0; 0]
        );
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place() {
        for (member, value, detail) in [
            ("conference", json!("a b"), "must be 1 to 47 letters and digits"),
            ("conference", json!(5), "must be a text"),
            ("lobby", json!("yes"), "must be true or false"),
            ("announce", json!("bell"), "must be `name`, `tone` or `none`"),
            ("record", json!(true), "must be `off` or `auto`"),
            ("early", json!({ "hold": 5 }), "must be `refuse` or `hold`"),
            ("early_hold_min", json!(0), "must be a whole number from 1 to 1440"),
            ("announce_names_max", json!(10_001), "must be a whole number from 0 to 10000"),
            ("alone_min", json!(1441), "must be a whole number from 0 to 1440"),
            ("end_after_leader_s", json!(-1), "must be a whole number from 0 to 86400"),
            ("language", json!("English"), "must be a language tag as in `en` or `en-GB`"),
            ("language", json!("en-"), "must be a language tag as in `en` or `en-GB`"),
            ("time_warnings_min", json!([0]), "must be a list of at most 10 different minutes from 1 to 120"),
            (
                "time_warnings_min",
                json!([5, 5]),
                "must be a list of at most 10 different minutes from 1 to 120",
            ),
            (
                "time_warnings_min",
                json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
                "must be a list of at most 10 different minutes from 1 to 120",
            ),
        ] {
            let mut body = json!({ "conference": "Board" });
            body[member] = value.clone();
            let errors = room(body).unwrap_err();
            assert_eq!(errors, [FieldError::new(format!("/{member}"), detail)], "{member}: {value}");
        }
        assert_eq!(
            pointers(room(json!({ "conference": "Board", "time_warnings_min": [5, "x"] })).unwrap_err()),
            ["/time_warnings_min/1"]
        );
        assert_eq!(
            pointers(
                room(json!({ "conference": "Board", "participant": { "mute_digit": "66" } })).unwrap_err()
            ),
            ["/participant/mute_digit"]
        );
        assert_eq!(
            pointers(room(json!({ "conference": "Board", "music": ["../x"] })).unwrap_err()),
            ["/music/0"]
        );
        let sounds = room(json!({ "conference": "Board", "music": ["sound:hold", "sound:.x"] })).unwrap_err();
        assert_eq!(sounds[0].pointer, "/music/1");
        assert!(sounds[0].detail.contains("sound:NAME"), "{sounds:?}");
        let unknown = room(json!({ "conference": "Board", "leader": "1" })).unwrap_err();
        assert!(unknown[0].detail.contains("known are conference, pin, leader_pin"), "{unknown:?}");
        assert_eq!(pointers(room(json!([])).unwrap_err()), [""]);
    }

    #[test]
    fn numbers_of_rooms_are_digits() {
        let errors = |number| Room::new(AccountId(1), number, &json!({}), (false, false)).unwrap_err();
        for number in ["", "1234567890123", "12a", "+49", "١"] {
            assert_eq!(pointers(errors(number)), ["/number", "/conference"], "{number}");
        }
        for number in ["0", "1001", "123456789012"] {
            assert_eq!(pointers(errors(number)), ["/conference"], "{number}");
        }
    }

    #[test]
    fn pins_are_taken_out_of_a_body_and_never_shown() {
        let digits = |given: &GivenPin| match given {
            GivenPin::Set(Some(pin)) => pin.digits().to_owned(),
            other => format!("{other:?}"),
        };
        let whole = |mut body: Value| {
            let pins = GivenPins::of_whole(&mut body).unwrap();
            assert!(!format!("{pins:?}").contains("4711"), "{pins:?}");
            (digits(&pins.pin), digits(&pins.leader_pin), body)
        };
        let (pin, leader_pin, rest) = whole(json!({ "conference": "a", "pin": "4711", "leader_pin": null }));
        assert_eq!((pin.as_str(), leader_pin.as_str()), ("4711", "Set(None)"));
        assert_eq!(rest, json!({ "conference": "a" }));
        // As it was shown, with its PINs, which are not shown.
        let (pin, leader_pin, rest) =
            whole(json!({ "conference": "a", "has_pin": true, "has_leader_pin": false }));
        assert_eq!((pin.as_str(), leader_pin.as_str()), ("Stored", "Set(None)"));
        assert_eq!(rest, json!({ "conference": "a" }));

        let patched = GivenPins::of_patch(&mut json!({ "leader_pin": null, "has_pin": true })).unwrap();
        assert_eq!(
            (digits(&patched.pin).as_str(), digits(&patched.leader_pin).as_str()),
            ("Kept", "Set(None)")
        );
    }

    #[test]
    fn what_is_no_pin_is_told_without_repeating_it() {
        for wrong in
            [json!("471"), json!("4711471147114"), json!("47 11"), json!("٤٧١١"), json!(4711), json!({})]
        {
            let error = GivenPins::of_patch(&mut json!({ "pin": wrong })).unwrap_err();
            assert_eq!(error, [FieldError::new("/pin", "must be a text of 4 to 12 digits")], "{wrong}");
        }
        let both = GivenPins::of_whole(&mut json!({ "pin": "1", "leader_pin": "x" })).unwrap_err();
        assert_eq!(pointers(both), ["/pin", "/leader_pin"]);
        let same = GivenPins::of_whole(&mut json!({ "pin": "4711", "leader_pin": "4711" })).unwrap_err();
        assert_eq!(same, [FieldError::new("/leader_pin", "must be another one than `pin`")]);
    }
}
