//! Holds off those who ask too much or guess: limits by source, and silence for a while towards those who overdo it.
//!
//! Anybody can write another's address on a datagram. So only failures of a source that was seen to receive what we send
//! (it has a connection, or it answered a challenge of ours) lead to a ban. Others lead to a short silence towards what
//! comes by datagram and without credentials: who is written about falsely still gets in with a password, over a connection,
//! and in the calls that it has.

use ipnet::IpNet;
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// Sources that are followed at a time. When there are more, those that did nothing for longest are forgotten.
const SOURCES_MAX: usize = 100_000;
/// How long the silence towards a source lasts that may not be the one it says, at the most.
const DOUBTFUL_BAN_MAX: Duration = Duration::from_secs(30);
/// Names that tools for attacking SIP give themselves, in small letters.
const SCANNERS: [&str; 8] = [
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sundayddr",
    "sip-scan",
    "sipcli",
    "vaxasip",
    "iwar",
];

/// Limits for each source. An IPv6 source is the network of its first 64 bits, which one customer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardConfig {
    /// Networks without limits: trunks and proxies.
    pub exempt: Vec<IpNet>,
    /// Requests outside of calls (INVITE, REGISTER, OPTIONS, …) per second, on average over ten seconds.
    pub requests_per_second: u32,
    /// Refused or unreadable requests…
    pub failures_max: u32,
    /// … within this time lead to a ban.
    pub failures_within: Duration,
    /// How long nothing of a banned source is answered.
    pub ban: Duration,
    /// Connections that a source may have open at a time.
    pub connections_max: usize,
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            exempt: Vec::new(),
            requests_per_second: 20,
            failures_max: 10,
            failures_within: Duration::from_secs(60),
            ban: Duration::from_secs(600),
            connections_max: 256,
        }
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Welcome,
    /// Too many; it is told to come later.
    TooMany,
    /// Banned; silence.
    Ignored,
}

#[derive(Debug, Clone, Copy, Default)]
struct Source {
    /// Requests that it has to its credit, in thousandths, and as of when.
    credit: u64,
    seen: Duration,
    /// Refusals for asking too much that it may still be sent: more of them would make us a tool against others.
    told: u64,
    proven: Failures,
    /// Of datagrams that may come from somebody else.
    doubtful: Failures,
}

/// Failures within a while, and what they led to.
#[derive(Debug, Clone, Copy, Default)]
struct Failures {
    count: u32,
    since: Duration,
    banned_until: Option<Duration>,
}

impl Failures {
    fn is_banned(&self, now: Duration) -> bool {
        self.left(now).is_some()
    }

    /// For how long it is banned still.
    fn left(&self, now: Duration) -> Option<Duration> {
        self.banned_until?.checked_sub(now).filter(|left| !left.is_zero())
    }

    fn add(&mut self, within: Duration, most: u32, ban: Duration, now: Duration) -> Option<Duration> {
        if now.saturating_sub(self.since) > within {
            (self.count, self.since) = (0, now);
        }
        self.count += 1;
        if self.count < most || self.is_banned(now) {
            return None;
        }
        (self.count, self.banned_until) = (0, Some(now + ban));
        Some(ban)
    }
}

/// A source that is not answered at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ban {
    /// Its address; of IPv6 that of its network, whose first 64 bits it has.
    pub source: IpAddr,
    /// For how long still.
    pub left: Duration,
    /// Somebody else may have written its address: only what comes by datagram and without credentials is not answered.
    pub doubtful: bool,
}

/// What a source is known by, beside its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// What we send reaches it.
    Reached,
    /// Somebody wrote this address on a datagram.
    Doubtful,
}

/// Follows sources.
#[derive(Debug)]
pub(crate) struct Guard {
    config: GuardConfig,
    sources: HashMap<IpAddr, Source>,
}

impl Guard {
    pub(crate) fn new(config: GuardConfig) -> Self {
        Self { config, sources: HashMap::new() }
    }

    /// Other limits from now on; what is known of the sources is forgotten, bans too.
    pub(crate) fn set_config(&mut self, config: GuardConfig) {
        self.config = config;
        self.sources.clear();
    }

    /// Whether a source that has so many connections may open another one.
    pub(crate) fn may_connect(&self, source: IpAddr, open: usize, now: Duration) -> bool {
        match self.key(source) {
            None => true,
            Some(_) => open < self.config.connections_max && !self.is_banned(source, now),
        }
    }

    /// Two addresses are those of one source.
    pub(crate) fn is_same(&self, one: IpAddr, other: IpAddr) -> bool {
        self.key(one).is_some_and(|key| self.key(other) == Some(key))
    }

    fn key(&self, source: IpAddr) -> Option<IpAddr> {
        let source = source.to_canonical();
        if self.config.exempt.iter().any(|net| net.contains(&source)) {
            return None;
        }
        Some(match source {
            IpAddr::V4(_) => source,
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) & !u128::from(u64::MAX))),
        })
    }

    /// Nothing of it is answered at the moment.
    pub(crate) fn is_banned(&self, source: IpAddr, now: Duration) -> bool {
        if self.sources.is_empty() {
            return false;
        }
        let source = self.key(source).and_then(|key| self.sources.get(&key));
        source.is_some_and(|source| source.proven.is_banned(now))
    }

    fn of(&mut self, key: IpAddr, now: Duration) -> &mut Source {
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&key) {
            let idle = |source: &Source| !source.proven.is_banned(now) && !source.doubtful.is_banned(now);
            let mut seen: Vec<Duration> = self.sources.values().map(|source| source.seen).collect();
            let median = *seen.select_nth_unstable(SOURCES_MAX / 2).1;
            self.sources.retain(|_, source| !idle(source) || source.seen > median);
            // All of them banned: then a ban more or less does not matter, memory does.
            if self.sources.len() >= SOURCES_MAX {
                self.sources.clear();
            }
        }
        let full = u64::from(self.config.requests_per_second) * 10_000;
        self.sources.entry(key).or_insert(Source { credit: full, told: full, seen: now, ..Source::default() })
    }

    /// A request outside of any call came. `brings_something`: a connection, or credentials.
    pub(crate) fn admit(&mut self, source: IpAddr, brings_something: bool, now: Duration) -> Admission {
        let Some(key) = self.key(source) else { return Admission::Welcome };
        let rate = u64::from(self.config.requests_per_second);
        let source = self.of(key, now);
        if source.proven.is_banned(now) || (!brings_something && source.doubtful.is_banned(now)) {
            return Admission::Ignored;
        }
        let earned = now.saturating_sub(source.seen).as_millis() as u64 * rate;
        source.credit = source.credit.saturating_add(earned).min(rate * 10_000);
        source.told = source.told.saturating_add(earned).min(rate * 10_000);
        source.seen = now;
        if source.credit < 1000 {
            if source.told < 1000 {
                return Admission::Ignored;
            }
            source.told -= 1000;
            return Admission::TooMany;
        }
        source.credit -= 1000;
        Admission::Welcome
    }

    /// A request of it was refused, for it may not, or cannot be read. `Some`: it is banned from now on, for so long.
    pub(crate) fn failed(&mut self, source: IpAddr, proof: Proof, now: Duration) -> Option<Duration> {
        let key = self.key(source)?;
        let (within, most, ban) = (self.config.failures_within, self.config.failures_max, self.config.ban);
        let source = self.of(key, now);
        match proof {
            Proof::Reached => source.proven.add(within, most, ban, now),
            Proof::Doubtful => source.doubtful.add(within, most, ban.min(DOUBTFUL_BAN_MAX), now),
        }
    }

    /// Who is banned, the longest first.
    pub(crate) fn bans(&self, now: Duration) -> Vec<Ban> {
        let ban = |(source, known): (&IpAddr, &Source)| {
            let proven = known.proven.left(now).map(|left| (left, false));
            let (left, doubtful) = proven.or(known.doubtful.left(now).map(|left| (left, true)))?;
            Some(Ban { source: *source, left, doubtful })
        };
        let mut bans: Vec<Ban> = self.sources.iter().filter_map(ban).collect();
        bans.sort_by_key(|ban| (std::cmp::Reverse(ban.left), ban.source));
        bans
    }

    /// Forgets what a source did. False: it is not banned, and nothing changes.
    pub(crate) fn lift(&mut self, source: IpAddr, now: Duration) -> bool {
        let Some(key) = self.key(source) else { return false };
        let is_banned = |source: &Source| source.proven.is_banned(now) || source.doubtful.is_banned(now);
        let lifts = self.sources.get(&key).is_some_and(is_banned);
        if lifts {
            self.sources.remove(&key);
        }
        lifts
    }

    /// It has shown that it may: earlier failures were mistakes.
    pub(crate) fn succeeded(&mut self, source: IpAddr) {
        if let Some(source) = self.key(source).and_then(|key| self.sources.get_mut(&key)) {
            (source.proven.count, source.doubtful) = (0, Failures::default());
        }
    }
}

/// A tool for attacks, by its own word.
pub(crate) fn is_scanner(user_agent: &str) -> bool {
    let name = user_agent.to_ascii_lowercase();
    SCANNERS.iter().any(|scanner| name.contains(scanner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new(GuardConfig {
            exempt: vec!["10.0.0.0/8".parse().unwrap()],
            requests_per_second: 2,
            ..GuardConfig::default()
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_may_burst_and_then_keeps_to_its_rate() {
        let mut guard = guard();
        let mut admitted = |source: &str, tries: usize, at: u64| {
            let at = Duration::from_secs(at);
            (0..tries).filter(|_| guard.admit(ip(source), true, at) == Admission::Welcome).count()
        };
        assert_eq!(admitted("192.0.2.1", 100, 0), 20);
        assert_eq!(admitted("192.0.2.1", 100, 3), 6);
        assert_eq!(admitted("192.0.2.2", 100, 3), 20, "each source for itself");
        assert_eq!(admitted("192.0.2.1", 100, 3600), 20, "never more than the burst");
        assert_eq!(admitted("10.1.2.3", 1000, 0), 1000, "a trunk has no limit");
        assert_eq!(admitted("2001:db8::1", 20, 0), 20);
        assert_eq!(admitted("2001:db8::2", 20, 0), 0, "the same network of IPv6");
        assert_eq!(admitted("2001:db8:0:1::1", 20, 0), 20);
    }

    #[test]
    fn who_fails_too_often_gets_silence_for_a_while() {
        let mut guard = guard();
        let source = ip("192.0.2.1");
        for second in 0..9 {
            assert_eq!(guard.failed(source, Proof::Reached, Duration::from_secs(second)), None);
        }
        assert_eq!(
            guard.failed(source, Proof::Reached, Duration::from_secs(9)),
            Some(Duration::from_secs(600))
        );
        assert!(guard.is_banned(source, Duration::from_secs(10)));
        assert_eq!(guard.admit(source, true, Duration::from_secs(10)), Admission::Ignored);
        assert!(!guard.is_banned(ip("192.0.2.2"), Duration::from_secs(10)));
        assert!(!guard.is_banned(source, Duration::from_secs(610)));
        assert_eq!(guard.admit(source, true, Duration::from_secs(610)), Admission::Welcome);
    }

    #[test]
    fn mistakes_now_and_then_and_those_before_a_success_do_not_count() {
        let mut guard = guard();
        let source = ip("192.0.2.1");
        for minute in 0..100 {
            assert_eq!(guard.failed(source, Proof::Reached, Duration::from_secs(minute * 61)), None);
        }
        let at = Duration::from_secs(7000);
        for _ in 0..5 {
            for _ in 0..9 {
                assert_eq!(guard.failed(source, Proof::Reached, at), None);
            }
            guard.succeeded(source);
        }
        assert_eq!((0..1000).filter_map(|_| guard.failed(ip("10.0.0.1"), Proof::Reached, at)).count(), 0);
    }

    #[test]
    fn memory_is_bounded_however_many_sources_come() {
        let mut guard = guard();
        for n in 0..250_000_u32 {
            let source = IpAddr::V4(std::net::Ipv4Addr::from(0xc000_0000 + n));
            guard.admit(source, true, Duration::from_millis(u64::from(n)));
        }
        assert!(guard.sources.len() <= SOURCES_MAX);
    }

    #[test]
    fn whoever_is_written_about_falsely_is_not_shut_out() {
        let mut guard = guard();
        let (victim, at) = (ip("192.0.2.1"), Duration::from_secs(1));
        let bans: Vec<Duration> =
            (0..1000).filter_map(|_| guard.failed(victim, Proof::Doubtful, at)).collect();
        assert_eq!(bans, [DOUBTFUL_BAN_MAX], "a short one");
        assert!(!guard.is_banned(victim, at));
        assert!(guard.may_connect(victim, 3, at));
        assert_eq!(guard.admit(victim, false, at), Admission::Ignored);
        assert_eq!(
            guard.admit(victim, true, at),
            Admission::Welcome,
            "with a password, or over a connection"
        );
        assert_eq!(guard.admit(victim, false, at + DOUBTFUL_BAN_MAX), Admission::Welcome);
        // Who has shown that it may is no longer in doubt.
        for _ in 0..10 {
            guard.failed(victim, Proof::Doubtful, at + 2 * DOUBTFUL_BAN_MAX);
        }
        guard.succeeded(victim);
        assert_eq!(guard.admit(victim, false, at + 2 * DOUBTFUL_BAN_MAX), Admission::Welcome);
    }

    #[test]
    fn refusals_are_no_tool_against_others() {
        let mut guard = guard();
        let mut answers = |kind| {
            let at = Duration::from_secs(5);
            (0..1000).filter(|_| guard.admit(ip("192.0.2.1"), false, at) == kind).count()
        };
        assert_eq!(answers(Admission::TooMany), 20, "however many come");
        assert_eq!(answers(Admission::Ignored), 1000);
    }

    #[test]
    fn connections_of_a_source_are_counted_and_a_ban_ends_with_new_limits() {
        let mut guard = guard();
        let (source, at) = (ip("192.0.2.1"), Duration::from_secs(1));
        assert!(guard.may_connect(source, 255, at) && !guard.may_connect(source, 256, at));
        assert!(guard.may_connect(ip("10.0.0.1"), 4000, at), "a trunk has no limit");
        assert!(
            guard.is_same(ip("2001:db8::1"), ip("2001:db8::2")) && !guard.is_same(source, ip("192.0.2.2"))
        );
        for _ in 0..10 {
            guard.failed(source, Proof::Reached, at);
        }
        assert!(guard.is_banned(source, at) && !guard.may_connect(source, 0, at));
        guard.set_config(guard.config.clone());
        assert!(!guard.is_banned(source, at));
    }

    #[test]
    fn bans_are_listed_with_what_is_left_of_them_and_can_be_lifted() {
        let mut guard = guard();
        let (first, second, doubtful) = (ip("192.0.2.1"), ip("2001:db8::7"), ip("192.0.2.3"));
        let at = Duration::from_secs;
        for (source, proof, second) in
            [(first, Proof::Reached, 1), (second, Proof::Reached, 5), (doubtful, Proof::Doubtful, 5)]
        {
            for _ in 0..10 {
                guard.failed(source, proof, at(second));
            }
        }
        guard.failed(ip("192.0.2.4"), Proof::Reached, at(5));
        let ban = |source, left, doubtful| Ban { source, left: at(left), doubtful };
        assert_eq!(
            guard.bans(at(11)),
            [ban(ip("2001:db8::"), 594, false), ban(first, 590, false), ban(doubtful, 24, true)]
        );
        assert!(!guard.lift(ip("192.0.2.4"), at(11)), "it is not banned");
        assert!(!guard.lift(ip("10.0.0.1"), at(11)), "a trunk never is");
        // By another address of its network.
        assert!(guard.lift(ip("2001:db8::1"), at(11)) && !guard.lift(second, at(11)));
        assert!(!guard.is_banned(second, at(11)) && guard.is_banned(first, at(11)));
        assert_eq!(guard.failed(second, Proof::Reached, at(11)), None, "its failures are forgotten too");
        assert!(guard.lift(doubtful, at(11)));
        assert_eq!(guard.admit(doubtful, false, at(11)), Admission::Welcome);
        assert_eq!(guard.bans(at(601)), []);
    }
}
