//! What a participant may do, as set by the inbound service that connected them.

use crate::check_media_name;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, SeqAccess, Visitor},
};
use std::{fmt, ops::RangeInclusive};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type},
    },
};

/// A key of a telephone: `0`–`9`, `*`, `#`, `A`–`D`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "String")]
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

impl<'de> Deserialize<'de> for Digit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Key;

        impl Visitor<'_> for Key {
            type Value = Digit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one telephone key as a text: 0-9, *, #, A-D")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Digit, E> {
                let mut chars = text.chars();
                match (chars.next().and_then(Digit::new), chars.next()) {
                    (Some(digit), None) => Ok(digit),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }

        from.deserialize_str(Key)
    }
}

impl From<Digit> for String {
    fn from(digit: Digit) -> Self {
        digit.0.to_string()
    }
}

impl PartialSchema for Digit {
    fn schema() -> RefOr<Schema> {
        let key = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9*#A-Da-d]$"));
        key.description(Some("A key of a telephone.")).into()
    }
}

impl ToSchema for Digit {}

/// Something to play, in order: names of audio files, `sound:NAME`, `tone:HZ/MS`, `silence:MS`. What is configured is checked as it is read
/// (`play_list`); messages carry lists that are put together of several.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlayList(pub Vec<String>);

impl PlayList {
    /// The item that is the built-in music for waiting callers.
    pub const MUSIC: &str = "music:hold";

    /// The built-in music for waiting callers.
    #[must_use]
    pub fn music() -> Self {
        Self(vec![Self::MUSIC.to_owned()])
    }
}

/// Items of a play list at the most.
const PLAY_ITEMS_MAX: usize = 64;
const TONE_HZ: RangeInclusive<u32> = 20..=3900;
const PLAY_MS: RangeInclusive<u32> = 10..=60_000;
/// Ends of the names of audio files, in lower case. What a file is, its first bytes say.
const FILE_EXTENSIONS: [&str; 7] = ["wav", "wave", "flac", "mp3", "ogg", "oga", "opus"];
/// The same for programs that check names.
const FILE_PATTERN: &str =
    r"[^./\\][^/\\]*\.([Ww][Aa][Vv][Ee]?|[Ff][Ll][Aa][Cc]|[Mm][Pp]3|[Oo][Gg][GgAa]|[Oo][Pp][Uu][Ss])";

/// What is wrong with an item of a play list.
fn check_item(item: &str) -> Result<(), String> {
    let is_in =
        |text: &str, range: &RangeInclusive<u32>| text.parse().is_ok_and(|number| range.contains(&number));
    if item == PlayList::MUSIC {
        return Ok(());
    }
    let ms = format!("{} to {}", PLAY_MS.start(), PLAY_MS.end());
    if let Some(tone) = item.strip_prefix("tone:") {
        return match tone.split_once('/') {
            Some((hz, ms)) if is_in(hz, &TONE_HZ) && is_in(ms, &PLAY_MS) => Ok(()),
            _ => Err(format!(
                "a tone is tone:HZ/MS with {} to {} Hz and {ms} ms",
                TONE_HZ.start(),
                TONE_HZ.end()
            )),
        };
    }
    if let Some(length) = item.strip_prefix("silence:") {
        return match is_in(length, &PLAY_MS) {
            true => Ok(()),
            false => Err(format!("a silence is silence:MS with {ms} ms")),
        };
    }
    if let Some(name) = item.strip_prefix("sound:") {
        return match check_media_name(name).first() {
            None => Ok(()),
            Some(error) => Err(format!("a sound of the account is sound:NAME; {}", error.detail)),
        };
    }
    let has_extension = item.rsplit_once('.').is_some_and(|(name, extension)| {
        !name.is_empty() && FILE_EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str())
    });
    let is_file =
        !item.starts_with('.') && item.len() <= 255 && !item.contains(['/', '\\', '\0']) && has_extension;
    match is_file {
        true => Ok(()),
        false => Err(
            "must be sound:NAME, tone:HZ/MS, silence:MS, music:hold, or the name of a .wav, .flac, .mp3, .ogg or .opus file in the media folder, without a path"
                .to_owned(),
        ),
    }
}

/// An item that is allowed.
struct PlayItem(String);

impl<'de> Deserialize<'de> for PlayItem {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let item = String::deserialize(from)?;
        check_item(&item).map_err(D::Error::custom)?;
        Ok(Self(item))
    }
}

/// A list as it is configured: one text or a list of texts, each of them allowed, and not too many.
pub(crate) fn play_list<'de, D: Deserializer<'de>>(from: D) -> Result<PlayList, D::Error> {
    struct Items;

    impl<'de> Visitor<'de> for Items {
        type Value = PlayList;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a list of texts: names of audio files, sound:NAME, tone:HZ/MS, silence:MS")
        }

        fn visit_str<E: Error>(self, item: &str) -> Result<PlayList, E> {
            check_item(item).map_err(E::custom)?;
            Ok(PlayList(vec![item.to_owned()]))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<PlayList, A::Error> {
            let mut list = Vec::new();
            while let Some(PlayItem(item)) = items.next_element()? {
                list.push(item);
                if list.len() > PLAY_ITEMS_MAX {
                    break;
                }
            }
            match (1..=PLAY_ITEMS_MAX).contains(&list.len()) {
                true => Ok(PlayList(list)),
                false => Err(A::Error::custom(format!("must have 1 to {PLAY_ITEMS_MAX} items"))),
            }
        }
    }

    from.deserialize_any(Items)
}

/// As [`play_list`]; null is none.
pub(crate) fn optional_play_list<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PlayList>, D::Error> {
    struct Configured(PlayList);

    impl<'de> Deserialize<'de> for Configured {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            play_list(from).map(Self)
        }
    }

    Ok(Option::<Configured>::deserialize(from)?.map(|Configured(list)| list))
}

impl PartialSchema for PlayList {
    fn schema() -> RefOr<Schema> {
        let item = || {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .pattern(Some(format!("^(tone:[0-9]+/[0-9]+|silence:[0-9]+|sound:[A-Za-z0-9_-][A-Za-z0-9_.-]{{0,63}}|{}|{FILE_PATTERN})$", PlayList::MUSIC)))
                .description(Some(format!(
                    "An audio file of the media folder (WAV, FLAC, MP3, Ogg Opus or Ogg Vorbis), sound:NAME (a sound of the account, /v1/media), tone:HZ/MS ({} to {} Hz, {} to {} ms), silence:MS ({} to {} ms) or {}, the built-in music for waiting callers.",
                    TONE_HZ.start(), TONE_HZ.end(), PLAY_MS.start(), PLAY_MS.end(), PLAY_MS.start(), PLAY_MS.end(), PlayList::MUSIC
                )))
        };
        let items = ArrayBuilder::new().items(item()).min_items(Some(1)).max_items(Some(PLAY_ITEMS_MAX));
        OneOfBuilder::new().item(item()).item(items).into()
    }
}

impl ToSchema for PlayList {}

/// On which lines keys are also looked for as tones in the audio (in-band DTMF).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InbandDtmf {
    /// On those that have not negotiated telephone events (RFC 4733).
    #[default]
    Auto,
    /// On all: there are gateways that negotiate events and send tones. A key that comes both ways counts once.
    Always,
    /// On none.
    Off,
}

/// The options of a participant. Names and defaults are part of the public inbound-service format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ParticipantOptions {
    /// May speak; `false` is listen-only.
    pub talker: bool,
    /// The conference starts when the participant enters (and another is there).
    pub start_on_entry: bool,
    /// The conference ends for all when the participant leaves.
    pub destroy_on_exit: bool,
    /// All hear a beep when it enters.
    pub beep_on_entry: bool,
    /// Key with which the participant leaves.
    #[schema(inline)]
    pub exit_digit: Option<Digit>,
    /// Key that mutes; without `unmute_digit` it toggles.
    #[schema(inline)]
    pub mute_digit: Option<Digit>,
    /// Key that unmutes.
    #[schema(inline)]
    pub unmute_digit: Option<Digit>,
    /// Played in a loop to the participant while the conference is stopped.
    #[serde(deserialize_with = "optional_play_list")]
    #[schema(inline)]
    pub while_stopped_media: Option<PlayList>,
    /// Played in a loop to the participant while it is on hold. Left out: the music of the room, or the built-in music;
    /// `silence:1000`: nothing.
    #[serde(deserialize_with = "optional_play_list")]
    #[schema(inline)]
    pub while_held_media: Option<PlayList>,
    /// Whether keys are also looked for as tones in its audio. Left out: as configured.
    #[schema(inline)]
    pub inband_dtmf: Option<InbandDtmf>,
    /// Announces who it is, before `has_joined_message` and `has_left_message`.
    #[serde(deserialize_with = "optional_play_list")]
    #[schema(inline)]
    pub name: Option<PlayList>,
    /// Played to the others when it enters.
    #[serde(deserialize_with = "optional_play_list")]
    #[schema(inline)]
    pub has_joined_message: Option<PlayList>,
    /// Played to the others when it leaves.
    #[serde(deserialize_with = "optional_play_list")]
    #[schema(inline)]
    pub has_left_message: Option<PlayList>,
}

impl ParticipantOptions {
    /// A leader: starts the conference, and ends it for all by leaving.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.start_on_entry && self.destroy_on_exit
    }

    /// The same without the rights of a leader.
    #[must_use]
    pub fn of_guest(self) -> Self {
        match self.is_leader() {
            true => Self { start_on_entry: false, destroy_on_exit: false, ..self },
            false => self,
        }
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
            while_held_media: None,
            inband_dtmf: None,
            name: None,
            has_joined_message: None,
            has_left_message: None,
        }
    }
}
