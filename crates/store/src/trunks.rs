//! Trunks: the providers through which calls of an account go out, and from which they come in. Their public format, and
//! where they are kept. The password of a trunk is kept as it is, for answers to challenges are made of it; no method of
//! the web services shows it.

use crate::{
    InboundError, PutOutcome, ServiceError, Srtp, Store, StoreError,
    database::{Write, execute, is_storable, now, read, within},
    inbound::{networks, object, srtp, texts, truth, wrong},
    services::merge,
};
use ipnet::IpNet;
use plenary_conference::AccountId;
use plenary_model::Number;
use serde_json::Value;
use std::{fmt, net::IpAddr, ops::RangeInclusive};

/// A trunk as calls see it.
#[derive(Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Whose it is.
    pub account: AccountId,
    /// Its name, unique within the account.
    pub name: String,
    /// The provider: `sip:provider.example;transport=tls`.
    pub uri: SipUri,
    /// Where its messages go instead of to the host of `uri`.
    pub outbound_proxy: Option<SipUri>,
    /// What to answer challenges with.
    pub user: Option<String>,
    /// Beside `user`.
    pub password: Option<String>,
    /// Whether we register there.
    pub register: bool,
    /// For how long, in seconds.
    pub register_seconds: u32,
    /// The user part of From, where a call names none.
    pub from_user: Option<String>,
    /// Who calls, by our word (P-Asserted-Identity): `sip:user@host` or `tel:+number`.
    pub asserted_identity: Option<String>,
    /// The called party may not see who calls.
    pub privacy: bool,
    /// Where calls from this trunk come from.
    pub networks: Vec<IpNet>,
    /// Beginnings of the numbers that it serves; `*`: every number.
    pub prefixes: Vec<String>,
    /// Hosts of the `sip:` URIs that it serves; `*.example.com`: every name below.
    pub hosts: Vec<String>,
    /// Numbers are sent with their `+`.
    pub plus: bool,
    /// The lowest is tried first.
    pub priority: u32,
    /// Calls at a time, both ways.
    pub calls_max: u32,
    /// Whether audio has to be protected; `None`: as configured.
    pub srtp: Option<Srtp>,
}

impl fmt::Debug for Trunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trunk")
            .field("account", &self.account)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
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

/// A trunk as its owner sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTrunk {
    /// Its name.
    pub name: String,
    /// Its body, without the password.
    pub body: Value,
    /// A password is kept.
    pub has_password: bool,
}

/// Trunks of an account at the most.
const TRUNKS_MAX: i64 = 100;
const NAME_CHARS_MAX: usize = 64;
const USER_CHARS_MAX: usize = 128;
const PASSWORD_CHARS_MAX: usize = 256;
const PREFIX_CHARS_MAX: usize = 20;
/// Shorter ones burden the registrar, longer ones leave us unreachable for long after it has lost its memory.
const REGISTER_SECONDS: RangeInclusive<u32> = 60..=86_400;
const PRIORITY: RangeInclusive<u32> = 0..=1000;
const CALLS_MAX: RangeInclusive<u32> = 1..=10_000;
const FIELDS: [&str; 16] = [
    "uri",
    "outbound_proxy",
    "user",
    "password",
    "register",
    "register_seconds",
    "from_user",
    "asserted_identity",
    "privacy",
    "networks",
    "prefixes",
    "hosts",
    "plus",
    "priority",
    "calls_max",
    "srtp",
];

impl Trunk {
    /// Checks a name and a body, and makes the trunk of them. The password stands beside the body.
    ///
    /// # Errors
    /// The first thing that is wrong, with its field.
    pub fn new(
        account: AccountId,
        name: &str,
        body: &Value,
        password: Option<&str>,
    ) -> Result<Self, InboundError> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(is_allowed) {
            let text = format!("a trunk's name has 1 to {NAME_CHARS_MAX} letters, digits and -_.");
            return Err(wrong("name", text));
        }
        if !body.is_object() {
            return Err(wrong("body", "must be a JSON object with at least `uri`"));
        }
        let fields = object("", body, &FIELDS).map_err(|mut error| {
            error.field = error.field.trim_start_matches('.').to_owned();
            error
        })?;
        let get = |field: &str| fields.get(field).filter(|value| !value.is_null());
        let text = |field: &str| match get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(field, "must be a text")),
        };
        let truth = |field: &str, default: bool| get(field).map_or(Ok(default), |value| truth(field, value));
        let number = |field: &str, range: &RangeInclusive<u32>, default: u32| match get(field) {
            None => Ok(default),
            Some(value) => value
                .as_u64()
                .and_then(|number| u32::try_from(number).ok())
                .filter(|number| range.contains(number))
                .ok_or_else(|| {
                    wrong(field, format!("must be a whole number from {} to {}", range.start(), range.end()))
                }),
        };
        let uri = |field: &str| match text(field)? {
            None => Ok(None),
            Some(text) => SipUri::parse(&text).map(Some).ok_or_else(|| {
                wrong(
                    field,
                    "must be sip:HOST or sips:HOST, with :PORT and ;transport=udp, tcp or tls where wanted",
                )
            }),
        };
        let list =
            |field: &str, what: &str| get(field).map_or(Ok(Vec::new()), |value| texts(field, value, what));

        let trunk = Self {
            account,
            name: name.to_owned(),
            uri: uri("uri")?.ok_or_else(|| wrong("uri", "is missing"))?,
            outbound_proxy: uri("outbound_proxy")?,
            user: text("user")?,
            password: password.map(str::to_owned),
            register: truth("register", false)?,
            register_seconds: number("register_seconds", &REGISTER_SECONDS, 3600)?,
            from_user: text("from_user")?,
            asserted_identity: text("asserted_identity")?,
            privacy: truth("privacy", false)?,
            networks: get("networks").map_or(Ok(Vec::new()), |value| networks("networks", value))?,
            prefixes: list("prefixes", "beginnings of numbers")?
                .iter()
                .map(|text| without_separators(text))
                .collect(),
            hosts: list("hosts", "host names")?.into_iter().map(|host| host.to_ascii_lowercase()).collect(),
            plus: truth("plus", true)?,
            priority: number("priority", &PRIORITY, 100)?,
            calls_max: number("calls_max", &CALLS_MAX, 100)?,
            srtp: srtp(fields.get("srtp"))?,
        };
        trunk.check()?;
        Ok(trunk)
    }

    fn check(&self) -> Result<(), InboundError> {
        let is_line = |text: &str, most: usize| {
            (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        if self.user.as_deref().is_some_and(|user| !is_line(user, USER_CHARS_MAX)) {
            let text = format!("has 1 to {USER_CHARS_MAX} characters, none of them a control character");
            return Err(wrong("user", text));
        }
        if self.password.as_deref().is_some_and(|password| !is_line(password, PASSWORD_CHARS_MAX)) {
            let text = format!("has 1 to {PASSWORD_CHARS_MAX} characters, none of them a control character");
            return Err(wrong("password", text));
        }
        if self.password.is_some() && self.user.is_none() {
            return Err(wrong("password", "needs a `user` beside it"));
        }
        if self.register && self.user.is_none() {
            return Err(wrong("register", "needs a `user`: it is whom we register as"));
        }
        if self.from_user.as_deref().is_some_and(|user| !is_user(user)) {
            return Err(wrong("from_user", "has 1 to 64 letters, digits and -_.+"));
        }
        if let Some(identity) = &self.asserted_identity
            && asserted(identity).is_none()
        {
            return Err(wrong("asserted_identity", "must be sip:USER@HOST or tel:+NUMBER"));
        }
        for (index, prefix) in self.prefixes.iter().enumerate() {
            let digits = prefix.strip_prefix('+').unwrap_or(prefix);
            let is_prefix = (1..=PREFIX_CHARS_MAX).contains(&prefix.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit());
            if prefix != "*" && !is_prefix {
                let text = "must be the beginning of a number, digits with or without a + before them, or *";
                return Err(wrong(format!("prefixes[{index}]"), text));
            }
        }
        for (index, host) in self.hosts.iter().enumerate() {
            if !is_host(host.strip_prefix("*.").unwrap_or(host)) {
                let text = "must be a host name, an address, or *. and a domain";
                return Err(wrong(format!("hosts[{index}]"), text));
            }
        }
        Ok(())
    }

    /// It serves this number, `+` and digits or digits alone.
    #[must_use]
    pub fn serves_number(&self, number: &str) -> bool {
        self.prefixes.iter().any(|prefix| prefix == "*" || number.starts_with(prefix.as_str()))
    }

    /// It serves `sip:` URIs of this host.
    #[must_use]
    pub fn serves_host(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.hosts.iter().any(|known| match known.strip_prefix("*.") {
            Some(domain) => {
                host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            None => known.trim_end_matches('.') == host,
        })
    }

    /// Who calls by our word: user and host, the host empty where it is that of the trunk.
    #[must_use]
    pub fn asserted(&self) -> Option<(String, String)> {
        asserted(self.asserted_identity.as_deref()?)
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

/// A user part that is the same in a URI, in a header and in a log.
#[must_use]
pub fn is_user(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
}

type Row = (String, String, Option<String>);

impl Store {
    /// An account's trunks, ordered by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trunks(&self, account: AccountId) -> Result<Vec<StoredTrunk>, StoreError> {
        let rows: Vec<Row> = read!(self.base, "listing trunks", |on| sqlx::query_as(
            "SELECT name, body, password FROM trunks WHERE account_id = $1 ORDER BY name"
        )
        .bind(account.0)
        .fetch_all(on))?;
        rows.into_iter().map(|row| stored(row).map(|(trunk, _)| trunk)).collect()
    }

    /// An account's trunk.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trunk(&self, account: AccountId, name: &str) -> Result<Option<StoredTrunk>, StoreError> {
        if !is_storable(name) {
            return Ok(None);
        }
        let row: Option<Row> = read!(self.base, "reading a trunk", |on| sqlx::query_as(
            "SELECT name, body, password FROM trunks WHERE account_id = $1 AND name = $2"
        )
        .bind(account.0)
        .bind(name)
        .fetch_optional(on))?;
        row.map(|row| stored(row).map(|(trunk, _)| trunk)).transpose()
    }

    /// The trunks of every account, as calls see them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all_trunks(&self) -> Result<Vec<Trunk>, StoreError> {
        let rows: Vec<(i64, String, String, Option<String>)> =
            read!(self.base, "reading the trunks", |on| sqlx::query_as(
                "SELECT account_id, name, body, password FROM trunks ORDER BY account_id, name"
            )
            .fetch_all(on))?;
        rows.into_iter()
            .map(|(account, name, body, password)| {
                let (trunk, password) = stored((name, body, password))?;
                Trunk::new(AccountId(account), &trunk.name, &trunk.body, password.as_deref())
                    .map_err(|error| StoreError::Damaged { what: format!("trunk {}: {error}", trunk.name) })
            })
            .collect()
    }

    /// Makes the account's trunk `name`, or replaces it. `body` may hold the password; it is taken out of it.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] naming the field, [`ServiceError::Store`] when the database fails.
    pub async fn put_trunk(
        &self,
        account: AccountId,
        name: &str,
        mut body: Value,
    ) -> Result<PutOutcome, ServiceError> {
        let password = take_password(&mut body)?.flatten();
        Trunk::new(account, name, &body, password.as_deref())?;
        let doing = "storing a trunk";
        let mut transaction = self.write(doing).await?;
        let (count, known): (i64, i64) = within!(transaction, doing, |on| sqlx::query_as(
            "SELECT count(*), count(*) FILTER (WHERE name = $2) FROM trunks WHERE account_id = $1"
        )
        .bind(account.0)
        .bind(name)
        .fetch_one(on))?;
        if known == 0 && count >= TRUNKS_MAX {
            return Err(wrong("name", format!("an account has at most {TRUNKS_MAX} trunks")).into());
        }
        write(&mut transaction, account, name, &body, password.as_deref()).await?;
        transaction.commit(doing).await?;
        Ok(if known == 0 { PutOutcome::Created } else { PutOutcome::Replaced })
    }

    /// Merges `patch` into the body of the account's trunk `name` (RFC 7396) and stores the outcome, if it is valid. A
    /// password that is not named stays.
    ///
    /// # Errors
    /// [`ServiceError::UnknownService`] where there is none, [`ServiceError::Invalid`] naming the field of the merged
    /// body, [`ServiceError::Store`] when the database fails.
    pub async fn patch_trunk(
        &self,
        account: AccountId,
        name: &str,
        mut patch: Value,
    ) -> Result<(), ServiceError> {
        let doing = "changing a trunk";
        let new_password = take_password(&mut patch)?;
        let mut transaction = self.write(doing).await?;
        let row: Option<Row> = within!(transaction, doing, |on| sqlx::query_as(
            "SELECT name, body, password FROM trunks WHERE account_id = $1 AND name = $2"
        )
        .bind(account.0)
        .bind(name)
        .fetch_optional(on))?;
        let Some(row) = row else { return Err(ServiceError::UnknownService) };
        let (mut trunk, old_password) = stored(row)?;
        merge(&mut trunk.body, &patch);
        let password = new_password.unwrap_or(old_password);
        Trunk::new(account, name, &trunk.body, password.as_deref())?;
        write(&mut transaction, account, name, &trunk.body, password.as_deref()).await?;
        transaction.commit(doing).await?;
        Ok(())
    }

    /// Deletes the account's trunk `name`. `false`: it has none of this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_trunk(&self, account: AccountId, name: &str) -> Result<bool, StoreError> {
        let statement = "DELETE FROM trunks WHERE account_id = $1 AND name = $2";
        self.delete_named("deleting a trunk", statement, account, name).await
    }
}

/// `None`: the body says nothing of a password; `Some(None)`: there is to be none.
fn take_password(body: &mut Value) -> Result<Option<Option<String>>, InboundError> {
    match body.as_object_mut().and_then(|fields| fields.remove("password")) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(password)) => Ok(Some(Some(password))),
        Some(_) => Err(wrong("password", "must be a text")),
    }
}

fn stored((name, body, password): Row) -> Result<(StoredTrunk, Option<String>), StoreError> {
    let body = serde_json::from_str(&body)
        .map_err(|error| StoreError::Damaged { what: format!("trunk {name}: {error}") })?;
    Ok((StoredTrunk { name, body, has_password: password.is_some() }, password))
}

async fn write(
    transaction: &mut Write,
    account: AccountId,
    name: &str,
    body: &Value,
    password: Option<&str>,
) -> Result<(), StoreError> {
    execute!(
        transaction,
        "storing a trunk",
        sqlx::query(
            "INSERT INTO trunks (account_id, name, body, password, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT (account_id, name) DO UPDATE SET body = excluded.body, password = excluded.password,
             updated_at = excluded.updated_at",
        )
        .bind(account.0)
        .bind(name)
        .bind(body.to_string())
        .bind(password)
        .bind(now().0)
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn trunk(body: Value) -> Result<Trunk, InboundError> {
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
            assert_eq!(trunk(body.clone()).unwrap_err().field, field, "{body}");
        }
        let error = Trunk::new(AccountId(1), "p", &json!({ "uri": "sip:p" }), Some("x")).unwrap_err();
        assert_eq!(error.field, "password");
        assert!(!format!("{:?}", trunk(json!({ "uri": "sip:p", "user": "u" }))).contains("user"));
    }
}
