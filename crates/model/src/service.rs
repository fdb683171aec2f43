//! Inbound services: what happens to a call to a name, and who may call.

use crate::{
    AccountId, ConferenceName, EntryAction, FieldError, LanguageCode, ParticipantOptions, PlayList,
    ServiceName, Timestamp,
    fields::{Selection, given, networks},
    id::{CONFERENCE_NAME_LENGTH_MAX, is_conference_name},
    language::optional_tag,
    menu::{LeaderMenu, Menu},
    read_value,
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{PartialSchema, ToSchema};

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

/// A service as its owner sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredService {
    /// Its name.
    pub name: ServiceName,
    /// Its body, as it was put: a [`ServiceBody`], unless another version stored it.
    pub body: Value,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; later with each change.
    pub updated_at: Timestamp,
}

/// The body of an inbound service: what becomes of a call to its name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceBody {
    /// Connects the caller to a conference.
    #[serde(default, deserialize_with = "given")]
    #[schema(inline, nullable = false)]
    conference: Option<ConferenceAction>,
    /// Plays something and hangs up.
    #[serde(default, deserialize_with = "given")]
    #[schema(inline, nullable = false)]
    announcement: Option<Announcement>,
    /// Greets the caller, asks for a room and its PIN, and connects them.
    #[serde(default, deserialize_with = "given")]
    #[schema(inline, nullable = false)]
    entry: Option<EntryAction>,
    /// Who may call: every caller that one of these admits. Left out: the networks that the configuration trusts.
    #[serde(default)]
    #[schema(inline)]
    access: Access,
    /// Whether audio has to be protected. Left out: as configured.
    #[serde(default)]
    #[schema(inline)]
    srtp: Option<Srtp>,
}

/// Who may call a service: every caller that one of these admits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Access {
    /// Callers from these networks or addresses. Left out: the networks that the configuration trusts; `[]`: none.
    #[serde(deserialize_with = "given_networks")]
    #[schema(value_type = Vec<String>, max_items = 256)]
    pub networks: Option<Vec<IpNet>>,
    /// Callers from the networks of these trunks of the account; true: of every one. Left out: of every one, unless `networks`
    /// is given.
    #[schema(inline)]
    pub trunks: Option<Selection>,
    /// These SIP users of the account, by digest authentication; true: every one.
    #[schema(inline)]
    pub users: Selection,
    /// Callers with a token for the name that they dial, or with the code of a guest's link for the conference that it leads to.
    pub tokens: bool,
    /// Browsers over WebSockets whose From names an access key of the account, within the limits that are configured for them.
    pub webrtc: bool,
}

fn given_networks<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Vec<IpNet>>, D::Error> {
    networks(from).map(Some)
}

impl Access {
    /// A caller needs nothing but the name of the service, by where the call comes from. All others bring what names the
    /// account, so the name need not be unique over the installation.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        let has_networks = self.networks.as_ref().is_none_or(|networks| !networks.is_empty());
        let has_trunks = match &self.trunks {
            None => self.networks.is_none(),
            Some(trunks) => !trunks.is_empty(),
        };
        has_networks || has_trunks
    }

    /// A call from the networks of this trunk of the account may come in.
    #[must_use]
    pub fn includes_trunk(&self, name: &str) -> bool {
        match &self.trunks {
            None => self.networks.is_none(),
            Some(Selection::All) => true,
            Some(Selection::Named(names)) => names.iter().any(|known| known == name),
        }
    }

    /// The user of the account may call.
    #[must_use]
    pub fn includes_user(&self, name: &str) -> bool {
        match &self.users {
            Selection::All => true,
            Selection::Named(names) => names.iter().any(|known| crate::is_same_name(known, name)),
        }
    }
}

/// Whether audio has to be protected by SRTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Srtp {
    /// Calls without are refused.
    Required,
    /// Where the caller offers it.
    Preferred,
    /// Never.
    Off,
}

/// What an inbound service does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Connects the caller to a conference.
    Conference(Box<ConferenceAction>),
    /// Plays something and hangs up.
    Announcement(Announcement),
    /// Greets the caller, asks for a room and its PIN, and connects them.
    Entry(Box<EntryAction>),
}

/// Which conference callers get to, and what they may do there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConferenceAction {
    /// The conference's name: 1 to 47 letters and digits. `{rest}` stands for what the `*` of the service's name stood for.
    #[schema(pattern = r"^([A-Za-z0-9]|\{rest\})+$")]
    pub name: String,
    /// What the caller may do there.
    #[serde(default)]
    #[schema(inline)]
    pub participant: ParticipantOptions,
    /// Whom the caller may have called into the conference by REFER.
    #[serde(default, deserialize_with = "crate::fields::or_default")]
    #[schema(inline)]
    pub refer: Refer,
    /// The keys of participants who are not leaders. With `leader_menu` left out too, only the single keys of `participant` do
    /// something; these come before menus in any case. Where only `leader_menu` is given, it is the usual menu.
    #[serde(default)]
    #[schema(inline)]
    pub menu: Option<Menu>,
    /// The keys of leaders. Where only `menu` is given, it is the usual menu of leaders.
    #[serde(default)]
    #[schema(inline)]
    pub leader_menu: Option<LeaderMenu>,
    /// The language in which callers are spoken to, as in `en` or `en-GB`. Left out: that of the room by which others came, or
    /// English.
    #[serde(default, deserialize_with = "optional_tag")]
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", example = "en")]
    pub language: Option<LanguageCode>,
}

impl ConferenceAction {
    /// The keys of participants and of leaders; `None`: there are no menus.
    #[must_use]
    pub fn menus(&self) -> Option<(Menu, LeaderMenu)> {
        let has_menus = self.menu.is_some() || self.leader_menu.is_some();
        has_menus
            .then(|| (self.menu.clone().unwrap_or_default(), self.leader_menu.clone().unwrap_or_default()))
    }

    /// The conference that a caller gets to, `rest` being what the `*` of the service's name stood for. `None`: no conference
    /// can have such a name.
    #[must_use]
    pub fn conference_name(&self, rest: &str) -> Option<ConferenceName> {
        let name = self.name.replace("{rest}", rest);
        is_conference_name(&name).then(|| ConferenceName::new(name))
    }

    /// What the `*` of the service's name has to stand for, so that callers get to this conference. `None`: they never do.
    #[must_use]
    pub fn rest_for(&self, conference: &ConferenceName) -> Option<String> {
        let Some((before, _)) = self.name.split_once("{rest}") else {
            return (self.name == conference.as_str()).then(String::new);
        };
        let places = self.name.matches("{rest}").count();
        let others = self.name.len() - places * "{rest}".len();
        let length = conference.as_str().len().checked_sub(others)? / places;
        let rest = conference.as_str().get(before.len()..before.len() + length)?;
        (self.conference_name(rest).as_ref() == Some(conference)).then(|| rest.to_owned())
    }

    /// What is wrong with its name, the service's name ending in `*` or not.
    fn check_name(&self, has_rest: bool) -> Result<(), &'static str> {
        let literal = self.name.replace("{rest}", "");
        let is_plain = literal.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if self.name.is_empty() || !is_plain || literal.len() > CONFERENCE_NAME_LENGTH_MAX {
            return Err(
                "must be 1 to 47 letters and digits; `{rest}` in it is what the * of the service's name stands for",
            );
        }
        if self.name.contains("{rest}") && !has_rest {
            return Err("holds `{rest}`, but the service's name does not end in *");
        }
        Ok(())
    }
}

/// Whom callers of a service may have called into their conference by REFER (RFC 3515), in their own place or beside
/// them: none, registered users of the account, or these and whatever a trunk of the account serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(default = "none")]
pub enum Refer {
    /// None.
    #[default]
    None,
    /// Users of the account that are registered here.
    Members,
    /// These, and whatever a trunk of the account serves.
    All,
}

/// What is played before the call ends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// What is played, in order.
    #[serde(deserialize_with = "crate::participant::play_list")]
    #[schema(inline)]
    pub play: PlayList,
}

/// Longest name of a service.
pub const SERVICE_NAME_CHARS_MAX: usize = 128;

impl InboundService {
    /// Checks a name and a body, and makes the service of them.
    ///
    /// # Errors
    /// All that is wrong, the first first.
    pub fn new(account: AccountId, name: &str, body: &Value) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        if !is_service_name(name) {
            errors.push(FieldError::new("/name", format!(
                "a service name has 1 to {SERVICE_NAME_CHARS_MAX} letters, digits and -_.!~'()&=+$,;?#@, or digits, * and # alone; a * at its end stands for anything"
            )));
        }
        match Self::of(account, name, body) {
            Ok(service) if errors.is_empty() => return Ok(service),
            Ok(_) => {}
            Err(others) => errors.extend(others),
        }
        Err(errors)
    }

    fn of(account: AccountId, name: &str, body: &Value) -> Result<Self, Vec<FieldError>> {
        let kinds =
            "exactly one of `conference`, `announcement` and `entry`, and may have `access` and `srtp`";
        if !body.is_object() {
            return Err(vec![FieldError::new("", format!("must be a JSON object with {kinds}"))]);
        }
        let ServiceBody { conference, announcement, entry, access, srtp } = read_value(body.clone())?;
        let action = match (conference, announcement, entry) {
            (Some(conference), None, None) => {
                conference
                    .check_name(name.ends_with('*'))
                    .map_err(|detail| vec![FieldError::new("/conference/name", detail)])?;
                Action::Conference(Box::new(conference))
            }
            (None, Some(announcement), None) => Action::Announcement(announcement),
            (None, None, Some(entry)) => Action::Entry(Box::new(entry)),
            (None, None, None) | (Some(_), Some(_), _) | (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
                return Err(vec![FieldError::new("", format!("must have {kinds}"))]);
            }
        };
        Ok(Self { account, name: ServiceName::new(name), action, access, srtp })
    }

    /// The JSON Schema of a body.
    #[must_use]
    pub fn json_schema() -> Value {
        let mut schema = crate::fields::json_schema("Inbound service", ServiceBody::schema());
        schema["oneOf"] = json!([
            { "required": ["conference"] },
            { "required": ["announcement"] },
            { "required": ["entry"] },
        ]);
        schema
    }
}

/// Whether an inbound service may have this name.
#[must_use]
pub fn is_service_name(name: &str) -> bool {
    let stem = name.strip_suffix('*').unwrap_or(name);
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.!~'()&=+$,;?#@".contains(c);
    // What a telephone's keys can dial; in other names a `*` before the end would look like one that stands for something.
    let is_code = stem.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '#'));
    !name.is_empty() && name.len() <= SERVICE_NAME_CHARS_MAX && (stem.chars().all(is_allowed) || is_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_says_what_is_meant_where_something_is_left_out() {
        let access = &InboundService::json_schema()["properties"]["access"];
        let defaults = |member: &str| access["properties"][member].get("default").cloned();
        for (member, default) in
            [("users", Some(json!([]))), ("tokens", Some(json!(false))), ("webrtc", Some(json!(false)))]
        {
            assert_eq!(defaults(member), default, "{member}");
        }
        // What they mean where they are left out, no value of theirs means.
        assert_eq!((defaults("networks"), defaults("trunks")), (None, None));
    }

    #[test]
    fn what_the_rest_of_a_name_has_to_be_for_a_conference_is_found() {
        let rest = |name: &str, conference: &str| {
            let body = json!({ "conference": { "name": name } });
            let service = InboundService::new(AccountId(1), "conf-*", &body).unwrap();
            let Action::Conference(action) = service.action else { panic!("{body}") };
            action.rest_for(&ConferenceName::new(conference))
        };
        for (name, conference, expected) in [
            ("{rest}", "Board", Some("Board")),
            ("Board", "Board", Some("")),
            ("Board", "Tea", None),
            ("Team{rest}", "TeamA", Some("A")),
            ("Team{rest}", "Team", Some("")),
            ("Team{rest}", "A", None),
            ("{rest}x{rest}", "abxab", Some("ab")),
            ("{rest}x{rest}", "abxac", None),
            ("{rest}{rest}", "aba", None),
        ] {
            assert_eq!(rest(name, conference).as_deref(), expected, "{name}: {conference}");
        }
    }

    #[test]
    fn a_service_does_exactly_one_thing() {
        let of = |body: Value| InboundService::new(AccountId(1), "tea", &body);
        let service = of(json!({ "entry": {}, "access": { "networks": [] } })).unwrap();
        assert_eq!(service.action, Action::Entry(Box::default()));
        let (conference, announcement, entry) =
            (json!({ "name": "Tea" }), json!({ "play": "a.wav" }), json!({ "rooms": ["1001"] }));
        let detail = "must have exactly one of `conference`, `announcement` and `entry`, and may have `access` and `srtp`";
        for body in [
            json!({}),
            json!({ "conference": conference, "entry": entry }),
            json!({ "announcement": announcement, "entry": entry }),
            json!({ "conference": conference, "announcement": announcement }),
            json!({ "conference": conference, "announcement": announcement, "entry": entry }),
        ] {
            assert_eq!(of(body.clone()).unwrap_err(), [FieldError::new("", detail)], "{body}");
        }
        let errors = of(json!({ "entry": { "tries": 0 } })).unwrap_err();
        assert_eq!(errors, [FieldError::new("/entry/tries", "must be a whole number from 1 to 10")]);
        let schema = InboundService::json_schema();
        assert_eq!(schema["oneOf"][2], json!({ "required": ["entry"] }));
        assert_eq!(schema["properties"]["entry"]["properties"]["tries"]["default"], json!(3));
    }

    #[test]
    fn whether_audio_is_protected_is_said_by_a_word() {
        let body = |srtp: Value| json!({ "conference": { "name": "Tea" }, "srtp": srtp });
        for wrong in
            [json!({}), json!({ "required": null }), json!({ "a": 1, "b": 2 }), json!(true), json!("yes")]
        {
            let errors = InboundService::new(AccountId(1), "tea", &body(wrong.clone())).unwrap_err();
            let expected = FieldError::new("/srtp", "must be `required`, `preferred` or `off`");
            assert_eq!(errors, [expected], "{wrong}");
        }
        let service = InboundService::new(AccountId(1), "tea", &body(json!("off"))).unwrap();
        assert_eq!(service.srtp, Some(Srtp::Off));
        let service = InboundService::new(AccountId(1), "tea", &body(Value::Null)).unwrap();
        assert_eq!(service.srtp, None);
    }
}
