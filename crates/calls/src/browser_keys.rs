//! What browsers say about themselves: the access key and the cloud id in the host of From, the cloud id in the host that
//! is dialled. A key is in the source of a web page, so it proves nothing: it says whose service is called, and a caller who comes
//! in by it has limits of its own. Nothing in here reads a clock.

use crate::number::CallNumber;
use plenary_conference::Mono;
use plenary_model::is_webrtc_key;
use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// Longest client id.
const CLIENT_ID_CHARS_MAX: usize = 128;
/// Sources whose attempts are counted at a time. When there are more, those that were idle for a minute are forgotten, and
/// all of them where that is not enough.
const SOURCES_MAX: usize = 100_000;
const MINUTE_MS: u64 = 60_000;

/// What the From of a browser claims: `sip:{clientId}@{key}.webrtc-{cloudId}.DOMAIN`. DOMAIN is whatever leads to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowserClaim {
    /// The access key.
    pub key: String,
    /// The cloud id of the account.
    pub cloud_id: String,
}

impl BrowserClaim {
    /// `None`: the address is not of this form.
    pub(crate) fn of(user: &str, host: &str) -> Option<Self> {
        let is_client_id = (1..=CLIENT_ID_CHARS_MAX).contains(&user.len())
            && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-_.".contains(&byte));
        let host = host.to_ascii_lowercase();
        let (key, rest) = host.split_once('.')?;
        let cloud_id = cloud_id_after("webrtc-", rest)?;
        (is_client_id && is_webrtc_key(key))
            .then(|| Self { key: key.to_owned(), cloud_id: cloud_id.to_owned() })
    }
}

/// The cloud id that a dialled host names: `sip-{cloudId}.DOMAIN`, `webrtc-{cloudId}.DOMAIN`, or the latter behind an access
/// key.
pub(crate) fn cloud_id_of(host: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    let behind_key = || host.split_once('.').and_then(|(_, rest)| cloud_id_after("webrtc-", rest));
    cloud_id_after("sip-", &host)
        .or_else(|| cloud_id_after("webrtc-", &host))
        .or_else(behind_key)
        .map(str::to_owned)
}

/// The cloud id (three decimal numbers, `1-2-0`) in the first label of a host that has others behind it.
fn cloud_id_after<'a>(prefix: &str, host: &'a str) -> Option<&'a str> {
    let (cloud_id, domain) = host.strip_prefix(prefix)?.split_once('.')?;
    let is_number =
        |text: &str| (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_cloud_id = cloud_id.split('-').count() == 3 && cloud_id.split('-').all(is_number);
    (is_cloud_id && !domain.is_empty()).then_some(cloud_id)
}

/// Limits of browsers that come in by an access key; 0: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyLimits {
    /// Calls at a time with one key.
    pub calls_per_key: u32,
    /// Calls at a time from one address.
    pub calls_per_source: u32,
    /// Attempts in a minute with one key.
    pub attempts_per_key: u32,
    /// Attempts in a minute from one address.
    pub attempts_per_source: u32,
}

/// Which limit a call would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMany {
    AttemptsOfKey,
    AttemptsOfSource,
    CallsOfKey,
    CallsOfSource,
}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AttemptsOfKey => "too many call attempts with this access key (webrtc.attempts_per_key)",
            Self::AttemptsOfSource => "too many call attempts from this address (webrtc.attempts_per_source)",
            Self::CallsOfKey => "too many calls with this access key (webrtc.calls_per_key)",
            Self::CallsOfSource => "too many calls from this address (webrtc.calls_per_source)",
        })
    }
}

/// Counts the calls that came in by an access key, and the attempts.
#[derive(Debug, Default)]
pub(crate) struct KeyCalls {
    up: BTreeMap<CallNumber, (String, Option<IpAddr>)>,
    of_key: BTreeMap<String, u32>,
    of_source: BTreeMap<IpAddr, u32>,
    attempts_of_key: Attempts<String>,
    attempts_of_source: Attempts<IpAddr>,
}

impl KeyCalls {
    /// A call wants in by this key, in place of another one where `replaced` says so. `source`: where it comes from; `None`: from
    /// a network without limits. `Ok`: it counts until [`Self::end`].
    pub(crate) fn begin(
        &mut self,
        call: CallNumber,
        replaced: Option<CallNumber>,
        (key, source): (&str, Option<IpAddr>),
        limits: &KeyLimits,
        now: Mono,
    ) -> Result<(), TooMany> {
        let source = source.map(network);
        // Those of a source first: one that is held off does not use up what the others with this key have.
        if let Some(source) = source
            && !self.attempts_of_source.admit(source, limits.attempts_per_source, now)
        {
            return Err(TooMany::AttemptsOfSource);
        }
        if !self.attempts_of_key.admit(key.to_owned(), limits.attempts_per_key, now) {
            return Err(TooMany::AttemptsOfKey);
        }
        // The call that it replaces is about to end.
        let (is_of_key, is_of_source) = match replaced.and_then(|replaced| self.up.get(&replaced)) {
            Some((of, from)) => (of == key, *from == source),
            None => (false, false),
        };
        let is_full = |count: Option<&u32>, most: u32, is_one_of_them: bool| {
            most != 0 && count.is_some_and(|count| *count - u32::from(is_one_of_them) >= most)
        };
        if source
            .is_some_and(|source| is_full(self.of_source.get(&source), limits.calls_per_source, is_of_source))
        {
            return Err(TooMany::CallsOfSource);
        }
        if is_full(self.of_key.get(key), limits.calls_per_key, is_of_key) {
            return Err(TooMany::CallsOfKey);
        }
        *self.of_key.entry(key.to_owned()).or_default() += 1;
        if let Some(source) = source {
            *self.of_source.entry(source).or_default() += 1;
        }
        self.up.insert(call, (key.to_owned(), source));
        Ok(())
    }

    /// A call is over, however it came in.
    pub(crate) fn end(&mut self, call: CallNumber) {
        let Some((key, source)) = self.up.remove(&call) else { return };
        less(&mut self.of_key, &key);
        if let Some(source) = source {
            less(&mut self.of_source, &source);
        }
    }
}

fn less<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// A source of IPv6 is the network of its first 64 bits, which one customer has.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) & !u128::from(u64::MAX))),
    }
}

/// Attempts within a minute: as many at once as a minute has, and then at that rate.
#[derive(Debug)]
struct Attempts<K> {
    of: BTreeMap<K, Credit>,
}

/// What is left of a minute's attempts, in parts of which an attempt costs [`MINUTE_MS`], and as of when.
#[derive(Debug, Clone, Copy)]
struct Credit {
    left: u64,
    at: Mono,
}

impl<K> Default for Attempts<K> {
    fn default() -> Self {
        Self { of: BTreeMap::new() }
    }
}

impl<K: Ord> Attempts<K> {
    /// 0 a minute: no limit.
    fn admit(&mut self, key: K, per_minute: u32, now: Mono) -> bool {
        if per_minute == 0 {
            return true;
        }
        let rate = u64::from(per_minute);
        let full = rate * MINUTE_MS;
        if self.of.len() >= SOURCES_MAX && !self.of.contains_key(&key) {
            self.of.retain(|_, credit| now.0.saturating_sub(credit.at.0) < MINUTE_MS);
            if self.of.len() >= SOURCES_MAX {
                self.of.clear();
            }
        }
        let credit = self.of.entry(key).or_insert(Credit { left: full, at: now });
        let earned = now.0.saturating_sub(credit.at.0).saturating_mul(rate);
        credit.left = credit.left.saturating_add(earned).min(full);
        credit.at = now;
        match credit.left.checked_sub(MINUTE_MS) {
            Some(left) => {
                credit.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_browser_says_its_key_and_its_cloud_id() {
        let claim =
            |user: &str, host: &str| BrowserClaim::of(user, host).map(|claim| (claim.key, claim.cloud_id));
        let said = |key: &str, cloud_id: &str| Some((key.to_owned(), cloud_id.to_owned()));
        assert_eq!(claim("anna", "f3kq.webrtc-1-2-0.example.org"), said("f3kq", "1-2-0"));
        assert_eq!(
            claim("a.n-n_a+1", "F3KQ.WebRTC-10-200-3000.x"),
            said("f3kq", "10-200-3000"),
            "a host name"
        );
        for (user, host) in [
            ("anna", "webrtc-1-2-0.example.org"),
            ("anna", "f3kq.webrtc-1-2.example.org"),
            ("anna", "f3kq.webrtc-1-2-0-4.example.org"),
            ("anna", "f3kq.webrtc-1-2-a.example.org"),
            ("anna", "f3kq.webrtc-1--0.example.org"),
            ("anna", "f3kq.webrtc-1-2-1234567890.example.org"),
            ("anna", "f3kq.webrtc-1-2-0"),
            ("anna", "f3kq.webrtc-1-2-0."),
            ("anna", "f3-kq.webrtc-1-2-0.example.org"),
            ("anna", ".webrtc-1-2-0.example.org"),
            ("anna", "f3kq.sip-1-2-0.example.org"),
            ("anna", "a.f3kq.webrtc-1-2-0.example.org"),
            ("anna", "192.0.2.1"),
            ("anna", "[2001:db8::1]"),
            ("anna", ""),
            ("anna", "ü.webrtc-1-2-0.example.org"),
            ("", "f3kq.webrtc-1-2-0.example.org"),
            ("an na", "f3kq.webrtc-1-2-0.example.org"),
            ("anna<script>", "f3kq.webrtc-1-2-0.example.org"),
        ] {
            assert_eq!(claim(user, host), None, "{user}@{host}");
        }
        assert_eq!(claim(&"a".repeat(129), "f3kq.webrtc-1-2-0.example.org"), None);
        assert_eq!(claim("anna", &format!("{}.webrtc-1-2-0.example.org", "k".repeat(64))), None);
    }

    #[test]
    fn a_dialled_host_may_name_a_cloud_id() {
        for (host, cloud_id) in [
            ("sip-1-2-0.example.org", Some("1-2-0")),
            ("SIP-1-2-0.Example.org", Some("1-2-0")),
            ("webrtc-1-2-0.example.org", Some("1-2-0")),
            ("f3kq.webrtc-1-2-0.example.org", Some("1-2-0")),
            ("sip-1-2-0", None),
            ("sip.example.org", None),
            ("sip-conference.example.org", None),
            ("f3kq.sip-1-2-0.example.org", None),
            ("conference.example.org", None),
            ("192.0.2.1", None),
        ] {
            assert_eq!(cloud_id_of(host).as_deref(), cloud_id, "{host}");
        }
    }

    const LIMITS: KeyLimits =
        KeyLimits { calls_per_key: 3, calls_per_source: 2, attempts_per_key: 10, attempts_per_source: 4 };

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn calls_at_once_are_bounded_by_key_and_by_source() {
        let mut calls = KeyCalls::default();
        let mut number = 0;
        let mut begin = |calls: &mut KeyCalls, key: &str, source: &str| {
            number += 1;
            calls.begin(CallNumber(number), None, (key, ip(source)), &LIMITS, Mono(number * MINUTE_MS))
        };
        assert_eq!(begin(&mut calls, "one", "192.0.2.1"), Ok(()));
        assert_eq!(begin(&mut calls, "one", "192.0.2.1"), Ok(()));
        assert_eq!(begin(&mut calls, "one", "192.0.2.1"), Err(TooMany::CallsOfSource));
        assert_eq!(
            begin(&mut calls, "two", "::ffff:192.0.2.1"),
            Err(TooMany::CallsOfSource),
            "the same address"
        );
        assert_eq!(begin(&mut calls, "one", "192.0.2.2"), Ok(()));
        assert_eq!(begin(&mut calls, "one", "192.0.2.3"), Err(TooMany::CallsOfKey));
        assert_eq!(begin(&mut calls, "two", "192.0.2.3"), Ok(()), "another key");
        // The first ends, once: its place is free again in both counts.
        calls.end(CallNumber(1));
        calls.end(CallNumber(1));
        calls.end(CallNumber(4));
        assert_eq!(begin(&mut calls, "one", "192.0.2.1"), Ok(()));
        assert_eq!(begin(&mut calls, "one", "192.0.2.3"), Err(TooMany::CallsOfKey));
        // Nothing is kept of calls that are over.
        (1..=20).for_each(|number| calls.end(CallNumber(number)));
        assert!(calls.up.is_empty() && calls.of_key.is_empty() && calls.of_source.is_empty());
    }

    #[test]
    fn a_call_in_place_of_another_needs_no_place_of_its_own() {
        let mut calls = KeyCalls::default();
        let mut begin = |number: u64, replaced: Option<u64>, key: &str, source: &str| {
            let at = Mono(number * MINUTE_MS);
            calls.begin(CallNumber(number), replaced.map(CallNumber), (key, ip(source)), &LIMITS, at)
        };
        assert_eq!(begin(1, None, "one", "192.0.2.1"), Ok(()));
        assert_eq!(begin(2, None, "one", "192.0.2.1"), Ok(()));
        assert_eq!(begin(3, Some(2), "one", "192.0.2.1"), Ok(()));
        assert_eq!(begin(4, None, "one", "192.0.2.1"), Err(TooMany::CallsOfSource), "three until one ends");
        assert_eq!(begin(4, Some(1), "two", "192.0.2.2"), Ok(()));
        assert_eq!(
            begin(5, Some(9), "one", "192.0.2.3"),
            Err(TooMany::CallsOfKey),
            "it replaces none of them"
        );
    }

    #[test]
    fn attempts_are_bounded_by_the_minute() {
        let mut calls = KeyCalls::default();
        let mut admitted = |key: &str, source: &str, tries: u64, second: u64| {
            let began = (0..tries).map(|number| {
                let begun =
                    calls.begin(CallNumber(number), None, (key, ip(source)), &LIMITS, Mono(second * 1000));
                calls.end(CallNumber(number));
                begun
            });
            let began: Vec<_> = began.collect();
            (began.iter().filter(|begun| begun.is_ok()).count(), began.last().copied().unwrap())
        };
        assert_eq!(admitted("one", "192.0.2.1", 9, 0), (4, Err(TooMany::AttemptsOfSource)));
        assert_eq!(
            admitted("one", "192.0.2.1", 9, 30),
            (2, Err(TooMany::AttemptsOfSource)),
            "two in half a minute"
        );
        assert_eq!(admitted("one", "2001:db8::1", 4, 30), (4, Ok(())));
        assert_eq!(
            admitted("one", "2001:db8::2", 1, 30),
            (0, Err(TooMany::AttemptsOfSource)),
            "the same network"
        );
        // Ten with this key at once, from all sources together. What the sources were refused does not count.
        assert_eq!(admitted("one", "192.0.2.3", 4, 30), (4, Ok(())));
        assert_eq!(admitted("one", "192.0.2.4", 4, 30), (0, Err(TooMany::AttemptsOfKey)));
        assert_eq!(
            admitted("one", "192.0.2.6", 4, 42),
            (2, Err(TooMany::AttemptsOfKey)),
            "two in twelve seconds"
        );
        assert_eq!(admitted("two", "192.0.2.5", 4, 30), (4, Ok(())), "another key");
        assert_eq!(
            admitted("one", "192.0.2.1", 9, 9000),
            (4, Err(TooMany::AttemptsOfSource)),
            "never more than a minute's"
        );
    }

    #[test]
    fn nothing_is_no_limit_and_networks_without_limits_count_by_key_only() {
        let mut calls = KeyCalls::default();
        let open =
            KeyLimits { calls_per_key: 0, calls_per_source: 0, attempts_per_key: 0, attempts_per_source: 0 };
        for number in 0..1000 {
            assert_eq!(
                calls.begin(CallNumber(number), None, ("one", ip("192.0.2.1")), &open, Mono(0)),
                Ok(())
            );
        }
        for number in 1000..1003 {
            assert_eq!(calls.begin(CallNumber(number), None, ("two", None), &LIMITS, Mono(0)), Ok(()));
        }
        assert_eq!(
            calls.begin(CallNumber(1003), None, ("two", None), &LIMITS, Mono(0)),
            Err(TooMany::CallsOfKey)
        );
    }

    #[test]
    fn memory_is_bounded_however_many_sources_come() {
        let mut attempts = Attempts::default();
        for number in 0..250_000_u32 {
            attempts.admit(number, 30, Mono(u64::from(number)));
        }
        assert!(attempts.of.len() <= SOURCES_MAX);
    }
}
