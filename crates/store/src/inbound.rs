//! The public format of an inbound service: what happens to a call to its name.

use ipnet::IpNet;
use plenary_conference::{
    AccountId, ConferenceName, Digit, ParticipantOptions, ServiceName,
    participant::PlayList,
    reservation::{CONFERENCE_NAME_LENGTH_MAX, is_conference_name},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{net::IpAddr, ops::RangeInclusive};
use thiserror::Error;

/// An inbound service as calls see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundService {
    /// Whose it is.
    pub account: AccountId,
    /// Its name; may end in `*`.
    pub name: ServiceName,
    /// What happens to a call.
    pub action: Action,
    /// Who may call.
    pub access: Access,
    /// Whether the audio of a call has to be protected; `None`: as configured.
    pub srtp: Option<Srtp>,
}

/// Who may call a service: every caller that one of these admits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// Those of these networks: trunks. `None`: the networks that the configuration trusts.
    pub networks: Option<Vec<IpNet>>,
    /// Those of the networks of these trunks of the account. `None`: of all its trunks, unless `networks` is given.
    pub trunks: Option<Trunks>,
    /// These users of the account, by digest authentication.
    pub users: Users,
    /// Those who have a token for the dialled name.
    pub tokens: bool,
    /// Browsers that name an access key of the account, over WebSockets.
    pub webrtc: bool,
}

/// Which users of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Users {
    /// Nobody.
    #[default]
    None,
    /// Every one.
    All,
    /// These.
    Named(Vec<String>),
}

impl Users {
    /// The user is one of them.
    #[must_use]
    pub fn includes(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Named(names) => names.iter().any(|known| plenary_model::is_same_name(known, name)),
        }
    }
}

/// Which trunks of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trunks {
    /// Every one.
    All,
    /// These; none where there are no names.
    Named(Vec<String>),
}

impl Access {
    /// A caller needs nothing but the name of the service, by where the call comes from. All others bring what names the
    /// account, so the name need not be unique over the installation.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        let has_networks = self.networks.as_ref().is_none_or(|networks| !networks.is_empty());
        let has_trunks = match &self.trunks {
            None => self.networks.is_none(),
            Some(Trunks::All) => true,
            Some(Trunks::Named(names)) => !names.is_empty(),
        };
        has_networks || has_trunks
    }

    /// A call from the networks of this trunk of the account may come in.
    #[must_use]
    pub fn includes_trunk(&self, name: &str) -> bool {
        match &self.trunks {
            None => self.networks.is_none(),
            Some(Trunks::All) => true,
            Some(Trunks::Named(names)) => names.iter().any(|known| known == name),
        }
    }
}

/// Whether audio has to be protected by SRTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Srtp {
    /// Calls without are refused.
    Required,
    /// Where the caller offers it.
    Preferred,
    /// Never.
    Off,
}

/// What an inbound service does: the JSON body is an object with exactly one of these properties, and beside it
/// `access` and `srtp`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Connects the caller to a conference.
    Conference(ConferenceAction),
    /// Plays something and hangs up.
    Announcement(Announcement),
}

/// `{"conference": …}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConferenceAction {
    /// The conference's name: letters and digits, and `{rest}` for what the `*` of the service's name stood for.
    pub name: String,
    /// What the caller may do there.
    #[serde(default)]
    pub participant: ParticipantOptions,
    /// What the caller may have called, by REFER.
    #[serde(default)]
    pub refer: Refer,
}

/// Whom those who came in by a service may have called into their conference by REFER (RFC 3515), in their own place or
/// beside them. Whatever is called follows the rules of the account's trunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refer {
    /// Nobody.
    #[default]
    None,
    /// Users of the account that are registered here.
    Members,
    /// These, and whatever a trunk of the account serves.
    All,
}

/// `{"announcement": …}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// What is played, in order: names of WAV files, `tone:HZ/MS`, `silence:MS`.
    pub play: PlayList,
}

/// A body or a name that is not allowed. Its text begins with the field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {text}")]
pub struct InboundError {
    /// The field, as a path: `conference.participant.exit_digit`.
    pub field: String,
    /// What is wrong and what is allowed.
    pub text: String,
}

/// Longest name of a service.
pub const NAME_CHARS_MAX: usize = 128;
/// Networks or users of a service at the most.
const ACCESS_ITEMS_MAX: usize = 256;
/// Items of a play list at the most.
const PLAY_ITEMS_MAX: usize = 64;
const TONE_HZ: RangeInclusive<u32> = 20..=3900;
const PLAY_MS: RangeInclusive<u32> = 10..=60_000;

impl InboundService {
    /// Checks a name and a body, and makes the service of them.
    ///
    /// # Errors
    /// The first thing that is wrong, with its field.
    pub fn new(account: AccountId, name: &str, body: &Value) -> Result<Self, InboundError> {
        check_name(name)?;
        let action = action(body, name.ends_with('*'))?;
        let access = body.get("access").map_or_else(|| Ok(Access::default()), access)?;
        let srtp = srtp(body.get("srtp"))?;
        Ok(Self { account, name: ServiceName::new(name), action, access, srtp })
    }
}

pub(crate) fn srtp(value: Option<&Value>) -> Result<Option<Srtp>, InboundError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_str() {
            Some("required") => Ok(Some(Srtp::Required)),
            Some("preferred") => Ok(Some(Srtp::Preferred)),
            Some("off") => Ok(Some(Srtp::Off)),
            _ => Err(wrong("srtp", "must be `required`, `preferred` or `off`")),
        },
    }
}

pub(crate) fn wrong(field: impl Into<String>, text: impl Into<String>) -> InboundError {
    InboundError { field: field.into(), text: text.into() }
}

fn check_name(name: &str) -> Result<(), InboundError> {
    let stem = name.strip_suffix('*').unwrap_or(name);
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.!~'()&=+$,;?#@".contains(c);
    // What a telephone's keys can dial; in other names a `*` before the end would look like one that stands for something.
    let is_code = stem.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '#'));
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !(stem.chars().all(is_allowed) || is_code) {
        return Err(wrong(
            "name",
            format!(
                "a service name has 1 to {NAME_CHARS_MAX} letters, digits and -_.!~'()&=+$,;?#@, or digits, * and # alone; a * at its end stands for anything"
            ),
        ));
    }
    Ok(())
}

fn action(body: &Value, has_rest: bool) -> Result<Action, InboundError> {
    let kinds = "exactly one of `conference` and `announcement`, and may have `access` and `srtp`";
    let body =
        body.as_object().ok_or_else(|| wrong("body", format!("must be a JSON object with {kinds}")))?;
    let is_known = |key: &str| matches!(key, "conference" | "announcement" | "access" | "srtp");
    if let Some(unknown) = body.keys().find(|key| !is_known(key)) {
        return Err(wrong(unknown, format!("is not known here; a service has {kinds}")));
    }
    match (body.get("conference"), body.get("announcement")) {
        (Some(conference), None) => Ok(Action::Conference(conference_action(conference, has_rest)?)),
        (None, Some(announcement)) => {
            let fields = object("announcement", announcement, &["play"])?;
            let play = fields.get("play").ok_or_else(|| wrong("announcement.play", "is missing"))?;
            Ok(Action::Announcement(Announcement { play: play_list("announcement.play", play)? }))
        }
        (Some(_), Some(_)) | (None, None) => Err(wrong("body", format!("must have {kinds}"))),
    }
}

fn access(value: &Value) -> Result<Access, InboundError> {
    let fields = object("access", value, &["networks", "trunks", "users", "tokens", "webrtc"])?;
    let networks = match fields.get("networks") {
        None => None,
        Some(value) => Some(networks("access.networks", value)?),
    };
    let trunks = match fields.get("trunks") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(true)) => Some(Trunks::All),
        Some(Value::Bool(false)) => Some(Trunks::Named(Vec::new())),
        Some(value) => {
            Some(Trunks::Named(texts("access.trunks", value, "trunk names, or true for every trunk")?))
        }
    };
    let users = match fields.get("users") {
        None | Some(Value::Bool(false)) => Users::None,
        Some(Value::Bool(true)) => Users::All,
        Some(value) => Users::Named(texts("access.users", value, "user names, or true for every user")?),
    };
    let tokens = fields.get("tokens").map_or(Ok(false), |value| truth("access.tokens", value))?;
    let webrtc = fields.get("webrtc").map_or(Ok(false), |value| truth("access.webrtc", value))?;
    Ok(Access { networks, trunks, users, tokens, webrtc })
}

/// A list of texts.
pub(crate) fn texts(field: &str, value: &Value, what: &str) -> Result<Vec<String>, InboundError> {
    let items = value.as_array().filter(|items| items.len() <= ACCESS_ITEMS_MAX);
    let items =
        items.ok_or_else(|| wrong(field, format!("must be a list of at most {ACCESS_ITEMS_MAX} {what}")))?;
    items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let text = item.as_str().map(str::to_owned);
            text.ok_or_else(|| wrong(format!("{field}[{index}]"), "must be a text"))
        })
        .collect()
}

/// A list of networks or addresses.
pub(crate) fn networks(field: &str, value: &Value) -> Result<Vec<IpNet>, InboundError> {
    texts(field, value, "networks")?
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
            text.parse().ok().or_else(address).ok_or_else(|| {
                let field = format!("{field}[{index}]");
                wrong(field, "must be a network as in 192.0.2.0/24 or 2001:db8::/32, or an address")
            })
        })
        .collect()
}

impl ConferenceAction {
    /// The conference that a caller gets to, `rest` being what the `*` of the service's name stood for. `None`: no conference
    /// can have such a name.
    #[must_use]
    pub fn conference_name(&self, rest: &str) -> Option<ConferenceName> {
        let name = self.name.replace("{rest}", rest);
        is_conference_name(&name).then(|| ConferenceName::new(name))
    }
}

fn conference_action(value: &Value, has_rest: bool) -> Result<ConferenceAction, InboundError> {
    let fields = object("conference", value, &["name", "participant", "refer"])?;
    let field = "conference.name";
    let name = match fields.get("name") {
        Some(Value::String(name)) => name.clone(),
        Some(_) => return Err(wrong(field, "must be a text")),
        None => return Err(wrong(field, "is missing")),
    };
    let literal = name.replace("{rest}", "");
    let is_plain = literal.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if name.is_empty() || !is_plain || literal.len() > CONFERENCE_NAME_LENGTH_MAX {
        return Err(wrong(
            field,
            "must be 1 to 47 letters and digits; `{rest}` in it is what the * of the service's name stands for",
        ));
    }
    if name.contains("{rest}") && !has_rest {
        return Err(wrong(field, "holds `{rest}`, but the service's name does not end in *"));
    }
    let participant = match fields.get("participant") {
        Some(options) => participant("conference.participant", options)?,
        None => ParticipantOptions::default(),
    };
    let refer = match fields.get("refer") {
        None | Some(Value::Null) => Refer::None,
        Some(value) => match value.as_str() {
            Some("none") => Refer::None,
            Some("members") => Refer::Members,
            Some("all") => Refer::All,
            _ => return Err(wrong("conference.refer", "must be `none`, `members` or `all`")),
        },
    };
    Ok(ConferenceAction { name, participant, refer })
}

/// The options of a participant, as the public format names them.
const OPTIONS: [&str; 11] = [
    "talker",
    "start_on_entry",
    "destroy_on_exit",
    "beep_on_entry",
    "exit_digit",
    "mute_digit",
    "unmute_digit",
    "while_stopped_media",
    "name",
    "has_joined_message",
    "has_left_message",
];

/// The options of a participant, in a body in which they are the property `path`.
///
/// # Errors
/// The first thing that is wrong, with its field.
pub fn participant(path: &str, value: &Value) -> Result<ParticipantOptions, InboundError> {
    let fields = object(path, value, &OPTIONS)?;
    let mut options = ParticipantOptions::default();
    for (key, value) in fields {
        let field = format!("{path}.{key}");
        match key.as_str() {
            "talker" => options.talker = truth(&field, value)?,
            "start_on_entry" => options.start_on_entry = truth(&field, value)?,
            "destroy_on_exit" => options.destroy_on_exit = truth(&field, value)?,
            "beep_on_entry" => options.beep_on_entry = truth(&field, value)?,
            "exit_digit" => options.exit_digit = digit(&field, value)?,
            "mute_digit" => options.mute_digit = digit(&field, value)?,
            "unmute_digit" => options.unmute_digit = digit(&field, value)?,
            "while_stopped_media" => options.while_stopped_media = optional_list(&field, value)?,
            "name" => options.name = optional_list(&field, value)?,
            "has_joined_message" => options.has_joined_message = optional_list(&field, value)?,
            "has_left_message" => options.has_left_message = optional_list(&field, value)?,
            _ => return Err(wrong(field, "is not known here")),
        }
    }
    Ok(options)
}

pub(crate) fn object<'a>(
    field: &str,
    value: &'a Value,
    known: &[&str],
) -> Result<&'a Map<String, Value>, InboundError> {
    let fields = value.as_object().ok_or_else(|| wrong(field, "must be an object"))?;
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => Err(wrong(
            format!("{field}.{unknown}"),
            format!("is not known here; known are {}", known.join(", ")),
        )),
        None => Ok(fields),
    }
}

pub(crate) fn truth(field: &str, value: &Value) -> Result<bool, InboundError> {
    value.as_bool().ok_or_else(|| wrong(field, "must be true or false"))
}

fn digit(field: &str, value: &Value) -> Result<Option<Digit>, InboundError> {
    if value.is_null() {
        return Ok(None);
    }
    let mut chars = value.as_str().unwrap_or_default().chars();
    match (chars.next().and_then(Digit::new), chars.next()) {
        (Some(digit), None) => Ok(Some(digit)),
        _ => Err(wrong(field, "must be one telephone key as a text: 0-9, *, #, A-D")),
    }
}

fn optional_list(field: &str, value: &Value) -> Result<Option<PlayList>, InboundError> {
    if value.is_null() { Ok(None) } else { play_list(field, value).map(Some) }
}

fn play_list(field: &str, value: &Value) -> Result<PlayList, InboundError> {
    let items: Vec<&Value> = match value {
        Value::String(_) => vec![value],
        Value::Array(items) => items.iter().collect(),
        _ => {
            return Err(wrong(
                field,
                "must be a text or a list of texts: WAV file names, tone:HZ/MS, silence:MS",
            ));
        }
    };
    if items.is_empty() || items.len() > PLAY_ITEMS_MAX {
        return Err(wrong(field, format!("must have 1 to {PLAY_ITEMS_MAX} items")));
    }
    let mut list = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let field = format!("{field}[{index}]");
        let item = item.as_str().ok_or_else(|| wrong(&field, "must be a text"))?;
        check_item(&field, item)?;
        list.push(item.to_owned());
    }
    Ok(PlayList(list))
}

fn check_item(field: &str, item: &str) -> Result<(), InboundError> {
    let number =
        |text: &str, range: &RangeInclusive<u32>| text.parse().is_ok_and(|number| range.contains(&number));
    let (hz, ms) = (
        format!("{} to {}", TONE_HZ.start(), TONE_HZ.end()),
        format!("{} to {}", PLAY_MS.start(), PLAY_MS.end()),
    );
    if let Some(tone) = item.strip_prefix("tone:") {
        let is_good =
            tone.split_once('/').is_some_and(|(hz, ms)| number(hz, &TONE_HZ) && number(ms, &PLAY_MS));
        return if is_good {
            Ok(())
        } else {
            Err(wrong(field, format!("a tone is tone:HZ/MS with {hz} Hz and {ms} ms")))
        };
    }
    if let Some(length) = item.strip_prefix("silence:") {
        let text = format!("a silence is silence:MS with {ms} ms");
        return if number(length, &PLAY_MS) { Ok(()) } else { Err(wrong(field, text)) };
    }
    let is_file = !item.starts_with('.')
        && (5..=255).contains(&item.len())
        && !item.contains(['/', '\\', '\0'])
        && item.to_ascii_lowercase().ends_with(".wav");
    if is_file {
        return Ok(());
    }
    Err(wrong(
        field,
        "must be tone:HZ/MS, silence:MS, or the name of a .wav file in the media folder, without a path",
    ))
}
