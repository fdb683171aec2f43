//! Trunks: the providers through which calls of an account go out, and from which they come in.

use crate::{
    AccountId, FieldError, Number, Srtp, Timestamp,
    fields::{FromText, Parsed, is_line, is_user, line, networks, parsed, whole},
    read_value,
};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Value;
use std::{fmt, net::IpAddr};
use utoipa::ToSchema;

/// How we are registered with the provider of a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrunkRegistration {
    /// It wants none.
    Off,
    /// We ask for it.
    Registering,
    /// Calls can come in.
    Registered,
    /// It was refused, or the provider does not answer; it is tried again.
    Failed,
}

/// A trunk as calls see it.
#[derive(Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Whose it is.
    pub account: AccountId,
    /// Its name, unique within the account.
    pub name: String,
    /// What it is like.
    pub settings: TrunkSettings,
    /// Beside the user of its settings.
    pub password: Option<String>,
}

impl fmt::Debug for Trunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trunk")
            .field("account", &self.account)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A trunk as its owner sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTrunk {
    /// Its name.
    pub name: String,
    /// Its body, without the password: [`TrunkSettings`], unless another version stored it.
    pub body: Value,
    /// A password is kept.
    pub has_password: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; later with each change.
    pub updated_at: Timestamp,
}

/// What a trunk is like: a provider through which calls go out, and from whose networks they come in. It serves nothing but
/// what `prefixes` and `hosts` name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrunkSettings {
    /// The provider: `sip:provider.example;transport=tls`. Without a port its servers are found by NAPTR and SRV (RFC 3263).
    #[serde(deserialize_with = "uri")]
    #[schema(value_type = String, pattern = r"^sips?:[^@;?]+(;transport=(udp|tcp|tls))?$")]
    pub uri: SipUri,
    /// Where messages go instead of to the host of `uri`.
    #[serde(default, deserialize_with = "optional_uri")]
    #[schema(value_type = Option<String>, pattern = r"^sips?:[^@;?]+(;transport=(udp|tcp|tls))?$")]
    pub outbound_proxy: Option<SipUri>,
    /// The name to register and to answer challenges with.
    #[serde(default, deserialize_with = "line::<USER_CHARS_MAX, _>")]
    #[schema(min_length = 1, max_length = 128)]
    pub user: Option<String>,
    /// Beside `user`. Never shown.
    // It is taken out of a body before the rest is read, so here it only has its place in the schema and among the known members.
    #[serde(default)]
    #[schema(write_only, min_length = 1, max_length = 256)]
    pub password: Option<String>,
    /// Whether to register there.
    #[serde(default)]
    pub register: bool,
    /// For how long to register, in seconds; the provider may shorten it.
    // Shorter ones burden the registrar, longer ones leave us unreachable for long after it has lost its memory.
    #[serde(default = "register_seconds", deserialize_with = "whole::<60, 86_400, _>")]
    #[schema(minimum = 60, maximum = 86_400)]
    pub register_seconds: u32,
    /// The user part of From where a call names none. Left out: `user`.
    #[serde(default, deserialize_with = "optional_user")]
    #[schema(pattern = "^[A-Za-z0-9._+-]{1,64}$")]
    pub from_user: Option<String>,
    /// The caller's identity as the service asserts it (P-Asserted-Identity, RFC 3325): `sip:USER@HOST` or `tel:+NUMBER`.
    #[serde(default, deserialize_with = "optional_identity")]
    pub asserted_identity: Option<String>,
    /// The caller's identity is withheld from the called side (RFC 3323).
    #[serde(default)]
    pub privacy: bool,
    /// Networks or addresses from which calls of this trunk come in.
    #[serde(default, deserialize_with = "networks")]
    #[schema(value_type = Vec<String>, max_items = 256)]
    pub networks: Vec<IpNet>,
    /// Beginnings of the numbers that it serves; `*`: every number. Left out: none.
    #[serde(default, deserialize_with = "prefixes")]
    #[schema(max_items = 256)]
    pub prefixes: Vec<String>,
    /// Hosts of the `sip:` URIs that it serves; `*.example.com`: every name below. Left out: none.
    #[serde(default, deserialize_with = "hosts")]
    #[schema(max_items = 256)]
    pub hosts: Vec<String>,
    /// Whether numbers are sent with their `+`.
    #[serde(default = "plus")]
    pub plus: bool,
    /// The lowest is tried first.
    #[serde(default = "priority", deserialize_with = "whole::<0, 1000, _>")]
    #[schema(maximum = 1000)]
    pub priority: u32,
    /// Calls at a time, both ways.
    #[serde(default = "calls_max", deserialize_with = "whole::<1, 10_000, _>")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub calls_max: u32,
    /// Whether audio has to be protected. Left out: as configured.
    #[serde(default)]
    #[schema(inline)]
    pub srtp: Option<Srtp>,
}

const USER_CHARS_MAX: usize = 128;
const PASSWORD_CHARS_MAX: usize = 256;
const PREFIX_CHARS_MAX: usize = 20;
const NAME_CHARS_MAX: usize = 64;

fn register_seconds() -> u32 {
    3600
}

fn plus() -> bool {
    true
}

fn priority() -> u32 {
    100
}

fn calls_max() -> u32 {
    100
}

impl FromText for SipUri {
    const PLURAL: &'static str = "servers";
    const RULE: &'static str =
        "must be sip:HOST or sips:HOST, with :PORT and ;transport=udp, tcp or tls where wanted";

    fn from_text(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

fn uri<'de, D: Deserializer<'de>>(from: D) -> Result<SipUri, D::Error> {
    Parsed::deserialize(from).map(|Parsed(uri)| uri)
}

fn optional_uri<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SipUri>, D::Error> {
    Ok(Option::<Parsed<SipUri>>::deserialize(from)?.map(|Parsed(uri)| uri))
}

/// What a user part of From may be.
struct User(String);

impl FromText for User {
    const PLURAL: &'static str = "users";
    const RULE: &'static str = "has 1 to 64 letters, digits and -_.+";

    fn from_text(text: &str) -> Option<Self> {
        is_user(text).then(|| Self(text.to_owned()))
    }
}

fn optional_user<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Parsed<User>>::deserialize(from)?.map(|Parsed(User(user))| user))
}

fn optional_identity<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(from)? {
        Some(identity) if asserted(&identity).is_none() => {
            Err(D::Error::custom("must be sip:USER@HOST or tel:+NUMBER"))
        }
        identity => Ok(identity),
    }
}

/// The beginning of a number, without separators.
struct Prefix(String);

impl FromText for Prefix {
    const PLURAL: &'static str = "beginnings of numbers";
    const RULE: &'static str =
        "must be the beginning of a number, digits with or without a + before them, or *";

    fn from_text(text: &str) -> Option<Self> {
        let prefix = without_separators(text);
        let digits = prefix.strip_prefix('+').unwrap_or(&prefix);
        let is_prefix = (1..=PREFIX_CHARS_MAX).contains(&prefix.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        (prefix == "*" || is_prefix).then_some(Self(prefix))
    }
}

fn prefixes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(parsed(from)?.into_iter().map(|Prefix(prefix)| prefix).collect())
}

/// A host, or all below a domain, in small letters.
struct Hosts(String);

impl FromText for Hosts {
    const PLURAL: &'static str = "host names";
    const RULE: &'static str = "must be a host name, an address, or *. and a domain";

    fn from_text(text: &str) -> Option<Self> {
        let host = text.to_ascii_lowercase();
        is_host(host.strip_prefix("*.").unwrap_or(&host)).then_some(Self(host))
    }
}

fn hosts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(parsed(from)?.into_iter().map(|Hosts(host)| host).collect())
}

/// A SIP URI without a user: a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipUri {
    /// `sip` or `sips`.
    pub scheme: String,
    /// A name or an address, IPv6 in brackets.
    pub host: String,
    /// `:5060`, where one is named; empty otherwise.
    pub port: String,
    /// `;transport=tls`, where one is named; empty otherwise.
    pub transport: String,
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}{}{}", self.scheme, self.host, self.port, self.transport)
    }
}

impl SipUri {
    /// Of the text `sip:host`, `sip:host:port;transport=tcp` or `sips:host`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "sip" | "sips") {
            return None;
        }
        let (address, transport) = match rest.split_once(';') {
            None => (rest, String::new()),
            Some((address, parameter)) => {
                let (name, value) = parameter.split_once('=')?;
                let value = value.to_ascii_lowercase();
                let is_known =
                    name.eq_ignore_ascii_case("transport") && matches!(value.as_str(), "udp" | "tcp" | "tls");
                if !is_known {
                    return None;
                }
                (address, format!(";transport={value}"))
            }
        };
        let end = match address.strip_prefix('[') {
            Some(_) => address.find(']')? + 1,
            None => address.find(':').unwrap_or(address.len()),
        };
        let (host, port) = address.split_at(end);
        let is_port = port.is_empty()
            || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        let host = host.to_ascii_lowercase();
        (is_host(&host) && is_port).then(|| Self { scheme, host, port: port.to_owned(), transport })
    }
}

/// A name of the DNS, an IPv4 address, or an IPv6 address in brackets.
#[must_use]
pub fn is_host(text: &str) -> bool {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    if text.parse::<IpAddr>().is_ok() {
        return !text.contains(':');
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (1..=253).contains(&text.len()) && text.trim_end_matches('.').split('.').all(is_label)
}

/// What a body says of the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GivenPassword {
    /// Nothing: the one that is kept stays.
    Kept,
    /// This one, or none.
    Set(Option<String>),
}

impl Trunk {
    /// Takes the password out of a body; it is kept beside it.
    ///
    /// # Errors
    /// It is no text.
    pub fn take_password(body: &mut Value) -> Result<GivenPassword, Vec<FieldError>> {
        match body.as_object_mut().and_then(|members| members.remove("password")) {
            None => Ok(GivenPassword::Kept),
            Some(Value::Null) => Ok(GivenPassword::Set(None)),
            Some(Value::String(password)) => Ok(GivenPassword::Set(Some(password))),
            Some(_) => Err(vec![FieldError::new("/password", "must be a text")]),
        }
    }

    /// Checks a name and a body, and makes the trunk of them. The password stands beside the body. A member that is null is
    /// left out.
    ///
    /// # Errors
    /// All that is wrong, the first first.
    pub fn new(
        account: AccountId,
        name: &str,
        body: &Value,
        password: Option<&str>,
    ) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(is_allowed) {
            let text = format!("a trunk's name has 1 to {NAME_CHARS_MAX} letters, digits and -_.");
            errors.push(FieldError::new("/name", text));
        }
        let mut body = body.clone();
        match &mut body {
            Value::Object(members) => members.retain(|_, value| !value.is_null()),
            _ => errors.push(FieldError::new("", "must be a JSON object with at least `uri`")),
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let settings: TrunkSettings = read_value(body)?;
        let mut wrong = |pointer: &str, text: &str| errors.push(FieldError::new(pointer, text));
        if password.is_some_and(|password| !is_line(password, 1, PASSWORD_CHARS_MAX)) {
            let text = format!("has 1 to {PASSWORD_CHARS_MAX} characters, none of them a control character");
            wrong("/password", &text);
        }
        if password.is_some() && settings.user.is_none() {
            wrong("/password", "needs a `user` beside it");
        }
        if settings.register && settings.user.is_none() {
            wrong("/register", "needs a `user`: it is whom we register as");
        }
        match errors.is_empty() {
            true => {
                Ok(Self { account, name: name.to_owned(), settings, password: password.map(str::to_owned) })
            }
            false => Err(errors),
        }
    }

    /// It serves this number, `+` and digits or digits alone.
    #[must_use]
    pub fn serves_number(&self, number: &str) -> bool {
        self.settings.prefixes.iter().any(|prefix| prefix == "*" || number.starts_with(prefix.as_str()))
    }

    /// It serves `sip:` URIs of this host.
    #[must_use]
    pub fn serves_host(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.settings.hosts.iter().any(|known| match known.strip_prefix("*.") {
            Some(domain) => {
                host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            None => known.trim_end_matches('.') == host,
        })
    }

    /// Who calls by our word: user and host, the host empty where it is that of the trunk.
    #[must_use]
    pub fn asserted(&self) -> Option<(String, String)> {
        asserted(self.settings.asserted_identity.as_deref()?)
    }
}

/// What people put into a number to read it by does not count (RFC 3966, section 5.1.1).
fn without_separators(text: &str) -> String {
    text.chars().filter(|c| !"-.()".contains(*c)).collect()
}

fn asserted(text: &str) -> Option<(String, String)> {
    if let Some(number) = text.strip_prefix("tel:") {
        let number =
            Number::parse(number).filter(|number| number.is_global() && number.digits().len() <= 32)?;
        return Some((number.subscriber(), String::new()));
    }
    let (user, host) = text.strip_prefix("sip:")?.split_once('@')?;
    (is_user(user) && is_host(host)).then(|| (user.to_owned(), host.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn trunk(body: Value) -> Result<Trunk, Vec<FieldError>> {
        Trunk::new(AccountId(1), "provider", &body, None)
    }

    #[test]
    fn servers_are_read_and_written_as_they_were() {
        for text in [
            "sip:provider.example",
            "sip:provider.example:5080;transport=tcp",
            "sips:192.0.2.1",
            "sip:[2001:db8::1]:5060",
        ] {
            assert_eq!(SipUri::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "provider.example",
            "tel:+44",
            "sip:",
            "sip:a b",
            "sip:user@host",
            "sip:host:0",
            "sip:host:99999",
            "sip:host;lr",
            "sip:host;transport=carrier-pigeon",
            "sip:[1.2.3.4]",
            "sip:host?x=y",
            "sip:-host",
        ] {
            assert_eq!(SipUri::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_trunk_serves_what_it_names_and_nothing_else() {
        let none = trunk(json!({ "uri": "sip:provider.example" })).unwrap();
        assert!(!none.serves_number("+441908273800") && !none.serves_host("provider.example"));
        let some = trunk(json!({
            "uri": "sip:provider.example", "prefixes": ["+44", "0"], "hosts": ["a.example", "*.b.example"]
        }))
        .unwrap();
        assert!(some.serves_number("+441908273800") && some.serves_number("01908"));
        assert!(!some.serves_number("+1908") && !some.serves_number("44"));
        assert!(some.serves_host("A.example") && some.serves_host("x.b.example"));
        for host in ["b.example", "xb.example", "a.example.evil", "evil"] {
            assert!(!some.serves_host(host), "{host}");
        }
        let spelt = trunk(json!({
            "uri": "sip:p", "prefixes": ["+49-30", "(0)"], "asserted_identity": "tel:+49-30-1"
        }))
        .unwrap();
        assert!(spelt.serves_number("+493012") && spelt.serves_number("07") && !spelt.serves_number("49301"));
        assert_eq!(spelt.asserted(), Some(("+49301".to_owned(), String::new())));
        assert!(trunk(json!({ "uri": "sip:p", "prefixes": ["-"] })).is_err());
        assert!(trunk(json!({ "uri": "sip:p", "prefixes": ["*"] })).unwrap().serves_number("1"));
    }

    #[test]
    fn the_first_thing_that_is_wrong_is_named() {
        for (body, field) in [
            (json!([]), "body"),
            (json!({}), "uri"),
            (json!({ "uri": "sip:p", "colour": 1 }), "colour"),
            (json!({ "uri": 5 }), "uri"),
            (json!({ "uri": "sip:p", "register": true }), "register"),
            (json!({ "uri": "sip:p", "register_seconds": 5 }), "register_seconds"),
            (json!({ "uri": "sip:p", "from_user": "a b" }), "from_user"),
            (json!({ "uri": "sip:p", "asserted_identity": "me" }), "asserted_identity"),
            (json!({ "uri": "sip:p", "networks": ["x"] }), "networks[0]"),
            (json!({ "uri": "sip:p", "prefixes": ["+44", "a"] }), "prefixes[1]"),
            (json!({ "uri": "sip:p", "hosts": ["*"] }), "hosts[0]"),
            (json!({ "uri": "sip:p", "calls_max": 0 }), "calls_max"),
            (json!({ "uri": "sip:p", "priority": 1.5 }), "priority"),
            (json!({ "uri": "sip:p", "srtp": "yes" }), "srtp"),
        ] {
            assert_eq!(trunk(body.clone()).unwrap_err()[0].path(), field, "{body}");
        }
        let error = Trunk::new(AccountId(1), "p", &json!({ "uri": "sip:p" }), Some("x")).unwrap_err();
        assert_eq!(error[0].path(), "password");
        assert!(!format!("{:?}", trunk(json!({ "uri": "sip:p", "user": "u" }))).contains("user"));
    }
}
