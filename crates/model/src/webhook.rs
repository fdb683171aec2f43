//! Webhooks: where events of an account are sent.

use crate::{EVENT_TYPES, FieldError, Timestamp, is_host, nearest, read_value};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Value;
use std::fmt;
use utoipa::ToSchema;

/// Longest name of a webhook.
pub const WEBHOOK_NAME_CHARS_MAX: usize = 64;
const URL_CHARS_MAX: usize = 2048;
const PATTERNS_MAX: usize = 64;
/// They are not in the log.
const LIVE_ONLY: [&str; 2] = ["participant.talking", "participant.silent"];

/// What a webhook is like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Where events are sent: `https://…`. `http://` only where the configuration allows the address.
    #[schema(value_type = String, max_length = 2048, pattern = "^https?://[^\\s#@]+$", example = "https://hooks.example.com/plenary")]
    pub url: WebhookUrl,
    /// Which events: their names, `participant.*` for all whose names begin so, `*` for all.
    #[serde(default = "all", deserialize_with = "patterns")]
    #[schema(min_items = 1, max_items = 64, default = json!(["*"]), example = json!(["participant.*", "conference.ended"]))]
    pub events: Vec<String>,
    /// Events are sent. What happens while this is false is not sent later.
    #[serde(default = "enabled")]
    #[schema(default = true)]
    pub enabled: bool,
}

fn all() -> Vec<String> {
    vec!["*".to_owned()]
}

fn enabled() -> bool {
    true
}

fn patterns<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let patterns = Vec::<String>::deserialize(from)?;
    if !(1..=PATTERNS_MAX).contains(&patterns.len()) {
        return Err(D::Error::custom(format!("must be 1 to {PATTERNS_MAX} names of events")));
    }
    for pattern in &patterns {
        let is_known = EVENT_TYPES.iter().any(|name| is_match(pattern, name));
        if LIVE_ONLY.contains(&pattern.as_str()) {
            return Err(D::Error::custom(format!("`{pattern}` is only sent to those who follow live")));
        }
        if !is_known {
            let near = nearest(pattern, &EVENT_TYPES).map(|near| format!("; did you mean `{near}`?"));
            let near = near.unwrap_or_default();
            return Err(D::Error::custom(format!(
                "`{pattern}` is no event: names are as in `participant.entered`, `participant.*` or `*`{near}"
            )));
        }
    }
    Ok(patterns)
}

fn is_match(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        None => pattern == name,
        Some("") => true,
        // Whole words: `participant.*`, and not `part*`.
        Some(prefix) => prefix.ends_with('.') && name.starts_with(prefix),
    }
}

impl WebhookSettings {
    /// Reads the settings of a webhook of this name.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn new(name: &str, body: &Value) -> Result<Self, Vec<FieldError>> {
        let named = is_webhook_name(name);
        let read = read_value::<Self>(body.clone());
        if named {
            return read;
        }
        let mut errors = read.err().unwrap_or_default();
        let text = format!("must be 1 to {WEBHOOK_NAME_CHARS_MAX} letters, digits and `-_.`");
        errors.insert(0, FieldError::new("/name", text));
        Err(errors)
    }

    /// Events of this type are sent.
    #[must_use]
    pub fn wants(&self, event: &str) -> bool {
        self.events.iter().any(|pattern| is_match(pattern, event))
    }
}

/// Whether a webhook may have this name.
#[must_use]
pub fn is_webhook_name(name: &str) -> bool {
    (1..=WEBHOOK_NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// The URL of a webhook, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    text: String,
    /// TLS, whose certificate is checked.
    pub is_secure: bool,
    /// A name of the DNS or an address; IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub target: String,
}

impl WebhookUrl {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const RULE: &str =
            "must be a URL as in https://hooks.example.com/path, without a user, a fragment or spaces";
        if text.len() > URL_CHARS_MAX {
            return Err("must have at most 2048 characters");
        }
        let (scheme, rest) = text.split_once("://").ok_or(RULE)?;
        let (is_secure, usual) = match scheme.to_ascii_lowercase().as_str() {
            "https" => (true, 443),
            "http" => (false, 80),
            _ => return Err("must begin with https:// or http://"),
        };
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte);
        if !rest.bytes().all(is_plain) {
            return Err(RULE);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let (host, port) = match authority.rsplit_once(':') {
            // A colon within an address of IPv6 begins no port.
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().ok().filter(|port| *port > 0);
                (host, port.ok_or("must have a port of 1 to 65535, or none")?)
            }
            _ => (authority, usual),
        };
        if authority.contains('@') || !is_host(host) {
            return Err(RULE);
        }
        let target = match target.starts_with('/') {
            true => target.to_owned(),
            false => format!("/{target}"),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { text: text.to_owned(), is_secure, host, port, target })
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and port as a request names them: without the port that is usual.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.is_secure, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for WebhookUrl {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for WebhookUrl {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

/// A webhook as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWebhook {
    /// Its name.
    pub name: String,
    /// What it is like.
    pub settings: WebhookSettings,
    /// Until when messages are signed with the secret before as well.
    pub rotates_until: Option<Timestamp>,
    /// The number of the last event that was sent, or passed over.
    pub sent_up_to: i64,
    /// How often the event that is due was tried in vain.
    pub failures: u32,
    /// When it is tried next.
    pub next_at: Option<Timestamp>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; later with each change.
    pub updated_at: Timestamp,
}

/// How a message to a webhook does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is tried again.
    Pending,
    /// It was taken.
    Delivered,
    /// It was given up.
    Failed,
}

impl DeliveryState {
    /// Its name, as in JSON and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Failed].into_iter().find(|state| state.name() == name)
    }
}

/// A message to a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, the same in each try (`webhook-id`).
    pub id: String,
    /// The number of the event; `None`: it was a test.
    pub seq: Option<i64>,
    /// The type of the event.
    pub event_type: String,
    /// How it does.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u32,
    /// The status that was answered last; `None`: no answer came.
    pub status: Option<u16>,
    /// What went wrong last.
    pub error: Option<String>,
    /// How long the last try took.
    pub duration_ms: u64,
    /// When it was tried first.
    pub created_at: Timestamp,
    /// When it was tried last.
    pub tried_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn urls_are_taken_apart_or_refused() {
        for (text, is_secure, host, port, target, authority) in [
            ("https://a.example", true, "a.example", 443, "/", "a.example"),
            ("https://a.example/x/y?z=1", true, "a.example", 443, "/x/y?z=1", "a.example"),
            ("HTTP://a.example:8080?z", false, "a.example", 8080, "/?z", "a.example:8080"),
            ("http://10.0.0.1:80/", false, "10.0.0.1", 80, "/", "10.0.0.1"),
            ("https://[2001:db8::1]:8443/h", true, "2001:db8::1", 8443, "/h", "[2001:db8::1]:8443"),
            ("https://[::1]", true, "::1", 443, "/", "[::1]"),
        ] {
            let url = WebhookUrl::parse(text).unwrap();
            assert_eq!((url.is_secure, &*url.host, url.port, &*url.target), (is_secure, host, port, target));
            assert_eq!((&*url.authority(), url.as_str()), (authority, text));
        }
        for wrong in [
            "",
            "a.example",
            "ftp://a.example",
            "https://",
            "https://user@a.example/",
            "https://a.example:0/",
            "https://a.example:99999/",
            "https://a.example/x#y",
            "https://a.example/x y",
            "https://a.example/\r\nx",
            "https://a..example/",
            "https://[::1/",
        ] {
            assert!(WebhookUrl::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn events_are_named_whole_or_by_their_beginning() {
        let settings =
            |events: Value| WebhookSettings::new("a", &json!({"url": "https://a.example", "events": events}));
        let some = settings(json!(["participant.*", "conference.ended"])).unwrap();
        assert!(some.wants("participant.entered") && some.wants("conference.ended"));
        assert!(!some.wants("conference.started") && !some.wants("participants"));
        assert!(settings(json!(["*"])).unwrap().wants("anything"));
        for wrong in [
            json!([]),
            json!(["part*"]),
            json!(["participant.silent"]),
            json!(["participant.entred"]),
            json!("*"),
            json!([""]),
        ] {
            assert!(settings(wrong.clone()).is_err(), "{wrong}");
        }
        let error = settings(json!(["participant.entred"])).unwrap_err();
        assert!(error[0].detail.contains("participant.entered"), "{error:?}");
        let error = WebhookSettings::new("a b", &json!({})).unwrap_err();
        assert!(error.len() == 2, "{error:?}");
    }
}
