//! Access keys of browsers: which account a page calls, and what it may call there.
//!
//! A key is in the source of a web page, so it is no secret and proves nothing: what it opens has limits of its own.

use crate::{AccountId, SERVICE_NAME_CHARS_MAX, Timestamp};
use std::ops::RangeInclusive;

/// Length of a key. It is one label of a host name (RFC 1035, section 2.3.4).
const KEY_CHARS: RangeInclusive<usize> = 1..=63;
/// Services that a key names at the most.
pub const WEBRTC_KEY_SERVICES_MAX: usize = 256;

/// An access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebRtcKey {
    /// Its text: 1 to 63 of `a`-`z` and `0`-`9`.
    pub key: String,
    /// The account that a browser with it calls.
    pub account: AccountId,
    /// The names of the inbound services that it may call, as they are stored: `conf-*`. `None`: every one of the account
    /// that admits browsers.
    pub services: Option<Vec<String>>,
    /// When it was made, or last made valid.
    pub created_at: Timestamp,
    /// When it was last changed; later with each change.
    pub updated_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl WebRtcKey {
    /// The key may call the inbound service of this name, if that one admits browsers.
    #[must_use]
    pub fn includes(&self, service: &str) -> bool {
        self.services.as_ref().is_none_or(|names| names.iter().any(|name| crate::is_same_name(name, service)))
    }
}

/// The text may be an access key.
#[must_use]
pub fn is_webrtc_key(text: &str) -> bool {
    KEY_CHARS.contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// A key may name these services.
#[must_use]
pub fn are_webrtc_key_services(names: &[String]) -> bool {
    (1..=WEBRTC_KEY_SERVICES_MAX).contains(&names.len())
        && names.iter().all(|name| (1..=SERVICE_NAME_CHARS_MAX).contains(&name.len()))
}
