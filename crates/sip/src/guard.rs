//! Rate limits by source, and silence for a while towards sources and callers that exceed them or guess.
//!
//! Anyone can write another's address on a datagram. So only failures of a source that was seen to receive what is
//! sent to it (it has a connection, or answered a challenge) lead to a ban. Others lead to a short silence towards
//! datagrams without credentials: a source whose address was forged still gets in with a password, over a connection,
//! and in the calls that it has.
//!
//! An address may be a whole office. So failures count for a *caller*: an address, and the user name in the
//! credentials, or who the request says it is from and what it asks for. A caller who fails often is blocked, and its
//! neighbours are not. Requests that are unreadable, or of an attack tool, count as those of one caller. Only an address
//! where many different names fail is banned as a whole, because it is guessing names; and not even then if a known caller
//! there was permitted recently: there each further name is blocked for a moment after one failure. A caller is known by a
//! password, a token, or an address that the account names; what everyone may call without one proves nothing. A ban does
//! not apply to requests whose only credentials are tokens, which cannot be guessed, nor to a caller who was permitted there
//! within a day, with whichever credentials: it is not one of those that guess.

mod caller;
mod callers;
mod permitted;

pub use caller::Caller;
use callers::PermittedCallers;
use ipnet::IpNet;
pub use permitted::PERMITTED_FOR;
use permitted::Permitted;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
    time::Duration,
};

/// Sources tracked at a time. Beyond that, those idle for longest are forgotten.
const SOURCES_MAX: usize = 100_000;
/// Failing callers tracked at a time, over all sources.
const CALLERS_MAX: usize = 200_000;
/// Failing callers tracked per source, lower and upper bound; in between, as many as lead to a ban.
const CALLERS_OF_SOURCE: std::ops::RangeInclusive<usize> = 64..=1024;
/// Upper bound of the silence towards a source whose address may be forged.
const DOUBTFUL_BAN_MAX: Duration = Duration::from_secs(30);
/// User agents of SIP attack tools, in lower case.
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

/// Limits for each source. An IPv6 source is a 64-bit network, which one customer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardConfig {
    /// Networks without limits: trunks and proxies.
    pub exempt: Vec<IpNet>,
    /// Requests outside of calls (INVITE, REGISTER, OPTIONS, …) per second, on average over ten seconds.
    pub requests_per_second: u32,
    /// Refused or unreadable requests of a caller, or different names that are refused at a source…
    pub failures_max: u32,
    /// … within this time lead to a ban.
    pub failures_within: Duration,
    /// How long a banned source gets no answer.
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

/// The decision on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Admitted,
    /// Too many; the source is asked to retry later.
    TooMany,
    /// Banned; no answer.
    Ignored,
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whence {
    pub(crate) source: IpAddr,
    /// From a page of another site: exemptions of networks do not apply to it.
    pub(crate) is_foreign: bool,
}

impl From<IpAddr> for Whence {
    fn from(source: IpAddr) -> Self {
        Self { source, is_foreign: false }
    }
}

/// Why a source or a caller gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BanReason {
    /// It sent what no legitimate client sends: it could not be read.
    Unreadable,
    /// It calls itself by the name of an attack tool.
    AttackTool,
    /// One caller was refused again and again.
    Refused,
    /// Many different names were tried in vain.
    Guessing,
}

/// The consequence of failures, with its duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// The whole source gets no answer.
    Banned(Duration),
    /// This caller gets no answer.
    Blocked(Duration),
}

/// A failing caller.
#[derive(Debug, Clone)]
struct Failing {
    caller: Caller,
    proven: Failures,
    doubtful: Failures,
}

impl Failing {
    fn of(&self, proof: Proof) -> &Failures {
        match proof {
            Proof::Reached => &self.proven,
            Proof::Doubtful => &self.doubtful,
        }
    }

    fn of_mut(&mut self, proof: Proof) -> &mut Failures {
        match proof {
            Proof::Reached => &mut self.proven,
            Proof::Doubtful => &mut self.doubtful,
        }
    }

    fn is_blocked(&self, now: Duration) -> bool {
        self.proven.is_banned(now) || self.doubtful.is_banned(now)
    }

    fn last(&self) -> Duration {
        self.proven.last.max(self.doubtful.last).unwrap_or_default()
    }
}

#[derive(Debug, Clone, Default)]
struct Source {
    /// Requests that it may still make, in thousandths, and as of when.
    credit: u64,
    seen: Duration,
    /// Refusals of excess requests that it may still be sent: more would let others be flooded with them.
    answers: u64,
    proven: Failures,
    /// Failures of datagrams whose address may be forged.
    doubtful: Failures,
    /// Failing callers there, in no order.
    failing: Vec<Failing>,
}

impl Source {
    fn is_banned(&self, now: Duration) -> bool {
        let blocked = || self.failing.iter().any(|failing| failing.is_blocked(now));
        self.proven.is_banned(now) || self.doubtful.is_banned(now) || blocked()
    }

    /// Different names recently tried there in vain.
    fn guesses(&self, proof: Proof, within: Duration, now: Duration) -> usize {
        let is_guess =
            |failing: &&Failing| !failing.caller.is_nobody && failing.of(proof).is_recent(within, now);
        let recent = self.failing.iter().filter(is_guess);
        recent.map(|failing| failing.caller.guess()).collect::<std::collections::BTreeSet<_>>().len()
    }
}

/// Failures within a while, and their consequence.
#[derive(Debug, Clone, Copy, Default)]
struct Failures {
    count: u32,
    since: Duration,
    last: Option<Duration>,
    banned: Option<Held>,
}

/// A ban that has an end.
#[derive(Debug, Clone, Copy)]
struct Held {
    until: Duration,
    reason: BanReason,
}

impl Failures {
    fn is_banned(&self, now: Duration) -> bool {
        self.left(now).is_some()
    }

    /// Time left of its ban, and why it is.
    fn left(&self, now: Duration) -> Option<(Duration, BanReason)> {
        let Held { until, reason } = self.banned?;
        until.checked_sub(now).filter(|left| !left.is_zero()).map(|left| (left, reason))
    }

    fn ban(&mut self, ban: Duration, reason: BanReason, now: Duration) {
        (self.count, self.banned) = (0, Some(Held { until: now + ban, reason }));
    }

    fn is_recent(&self, within: Duration, now: Duration) -> bool {
        self.last.is_some_and(|last| now.saturating_sub(last) <= within)
    }

    /// `Some`: it is banned from now on, for this long.
    fn add(
        &mut self,
        (within, most): (Duration, u32),
        (ban, reason): (Duration, BanReason),
        now: Duration,
    ) -> Option<Duration> {
        if now.saturating_sub(self.since) > within {
            (self.count, self.since) = (0, now);
        }
        self.count += 1;
        self.last = Some(now);
        if self.count < most || self.is_banned(now) {
            return None;
        }
        self.ban(ban, reason, now);
        Some(ban)
    }
}

/// A source that gets no answer at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Its address; for IPv6 that of its 64-bit network.
    pub source: IpAddr,
    /// Time left.
    pub left: Duration,
    /// Its address may be forged: only datagrams without credentials get no answer.
    pub doubtful: bool,
    /// Only this caller there; `None`: all.
    pub caller: Option<Caller>,
    /// What the source did to be banned.
    pub reason: BanReason,
}

/// The evidence for a source's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Messages to it arrive.
    Reached,
    /// A datagram carries this address.
    Doubtful,
}

/// Tracks sources.
#[derive(Debug)]
pub(crate) struct Guard {
    config: GuardConfig,
    sources: BTreeMap<IpAddr, Source>,
    /// Failing callers that may be tracked, over all sources.
    callers: usize,
    permitted: Permitted,
    permitted_callers: PermittedCallers,
}

impl Guard {
    pub(crate) fn new(config: GuardConfig) -> Self {
        let (permitted, permitted_callers) = Default::default();
        Self { config, sources: BTreeMap::new(), callers: 0, permitted, permitted_callers }
    }

    /// Changes the limits; failures and bans are forgotten.
    pub(crate) fn set_config(&mut self, config: GuardConfig) {
        self.config = config;
        self.sources.clear();
        self.callers = 0;
    }

    /// Whether a source with this many connections may open another one. A ban is no reason against it: calls go on over
    /// new connections, and tokens are looked at.
    pub(crate) fn may_connect(&self, whence: impl Into<Whence>, open: usize) -> bool {
        self.key(whence).is_none() || open < self.config.connections_max
    }

    /// The two addresses belong to one source.
    pub(crate) fn is_same(&self, one: impl Into<Whence>, other: IpAddr) -> bool {
        let one = one.into();
        let other = Whence { source: other, is_foreign: one.is_foreign };
        self.key(one).is_some_and(|key| self.key(other) == Some(key))
    }

    fn key(&self, whence: impl Into<Whence>) -> Option<IpAddr> {
        let Whence { source, is_foreign } = whence.into();
        let source = source.to_canonical();
        if !is_foreign && self.config.exempt.iter().any(|net| net.contains(&source)) {
            return None;
        }
        Some(match source {
            IpAddr::V4(_) => source,
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip) & !u128::from(u64::MAX))),
        })
    }

    /// The source gets no answer at present.
    pub(crate) fn is_banned(&self, source: impl Into<Whence>, now: Duration) -> bool {
        if self.sources.is_empty() {
            return false;
        }
        let source = self.key(source).and_then(|key| self.sources.get(&key));
        source.is_some_and(|source| source.proven.is_banned(now))
    }

    fn of(&mut self, key: IpAddr, now: Duration) -> &mut Source {
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&key) {
            let idle = |source: &Source| !source.is_banned(now);
            let mut seen: Vec<Duration> = self.sources.values().map(|source| source.seen).collect();
            let median = *seen.select_nth_unstable(SOURCES_MAX / 2).1;
            self.sources.retain(|_, source| !idle(source) || source.seen > median);
            // All are banned: then memory matters more than a single ban.
            if self.sources.len() >= SOURCES_MAX {
                self.sources.clear();
            }
            self.callers = self.sources.values().map(|source| source.failing.len()).sum();
        }
        let full = u64::from(self.config.requests_per_second) * 10_000;
        self.sources.entry(key).or_insert(Source {
            credit: full,
            answers: full,
            seen: now,
            ..Source::default()
        })
    }

    /// A request outside of any call arrived that cannot be read. `brings_something`: it came over a connection.
    pub(crate) fn admit(
        &mut self,
        whence: impl Into<Whence>,
        brings_something: bool,
        now: Duration,
    ) -> Admission {
        self.admit_unless(whence, now, |source| {
            source.proven.is_banned(now) || (!brings_something && source.doubtful.is_banned(now))
        })
    }

    /// A request of this caller outside of any call arrived. `brings_something`: a connection, or credentials. Bans of the source do
    /// not apply to one who was permitted there of late; its own block is asked for by [`Self::is_blocked`].
    pub(crate) fn admit_caller(
        &mut self,
        whence: impl Into<Whence>,
        caller: &Caller,
        brings_something: bool,
        now: Duration,
    ) -> Admission {
        let whence = whence.into();
        let is_listed = |key| self.permitted_callers.includes(key, caller, now);
        match self.key(whence).is_some_and(is_listed) {
            true => self.admit_unless(whence, now, |_| false),
            false => self.admit(whence, brings_something, now),
        }
    }

    /// The same for a request whose only credentials are tokens.
    pub(crate) fn admit_with_tokens(&mut self, whence: impl Into<Whence>, now: Duration) -> Admission {
        self.admit_unless(whence, now, |_| false)
    }

    fn admit_unless(
        &mut self,
        whence: impl Into<Whence>,
        now: Duration,
        is_banned: impl FnOnce(&Source) -> bool,
    ) -> Admission {
        let Some(key) = self.key(whence) else { return Admission::Admitted };
        let rate = u64::from(self.config.requests_per_second);
        let source = self.of(key, now);
        if is_banned(source) {
            return Admission::Ignored;
        }
        let earned = now.saturating_sub(source.seen).as_millis() as u64 * rate;
        source.credit = source.credit.saturating_add(earned).min(rate * 10_000);
        source.answers = source.answers.saturating_add(earned).min(rate * 10_000);
        source.seen = now;
        if source.credit < 1000 {
            if source.answers < 1000 {
                return Admission::Ignored;
            }
            source.answers -= 1000;
            return Admission::TooMany;
        }
        source.credit -= 1000;
        Admission::Admitted
    }

    /// The caller gets no answer at present. `brings_something`: a connection, or credentials.
    pub(crate) fn is_blocked(
        &self,
        whence: impl Into<Whence>,
        caller: &Caller,
        brings_something: bool,
        now: Duration,
    ) -> bool {
        let source = self.key(whence).and_then(|key| self.sources.get(&key));
        source.is_some_and(|source| {
            source.failing.iter().any(|failing| {
                failing.caller == *caller
                    && (failing.proven.is_banned(now)
                        || (!brings_something && failing.doubtful.is_banned(now)))
            })
        })
    }

    /// A caller there was refused as not permitted.
    pub(crate) fn failed_as(
        &mut self,
        whence: impl Into<Whence>,
        caller: &Caller,
        proof: Proof,
        now: Duration,
    ) -> Option<Consequence> {
        self.failed_for(whence, (caller, BanReason::Refused), proof, now)
    }

    fn failed_for(
        &mut self,
        whence: impl Into<Whence>,
        (caller, reason): (&Caller, BanReason),
        proof: Proof,
        now: Duration,
    ) -> Option<Consequence> {
        let key = self.key(whence)?;
        let (within, most) = (self.config.failures_within, self.config.failures_max);
        let ban = match proof {
            Proof::Reached => self.config.ban,
            Proof::Doubtful => self.config.ban.min(DOUBTFUL_BAN_MAX),
        };
        let callers_max = (most as usize).clamp(*CALLERS_OF_SOURCE.start(), *CALLERS_OF_SOURCE.end());
        let names_max = (most as usize).min(callers_max);
        let has_others = self.permitted.includes(key, now);
        let is_known = self.of(key, now).failing.iter().any(|failing| failing.caller == *caller);
        if !is_known {
            self.make_room(now);
            self.callers += 1;
        }
        let mut dropped = 0;
        let source = self.of(key, now);
        if !is_known {
            if source.failing.len() >= callers_max {
                let oldest = (0..source.failing.len())
                    .min_by_key(|at| (source.failing[*at].is_blocked(now), source.failing[*at].last()));
                oldest.map(|at| source.failing.swap_remove(at));
                dropped = 1;
            }
            let (proven, doubtful) = Default::default();
            source.failing.push(Failing { caller: caller.clone(), proven, doubtful });
        }
        let tries_out = |source: &Source| {
            let is_full = source.failing.len() >= callers_max;
            let all_recent = || source.failing.iter().all(|failing| failing.of(proof).is_recent(within, now));
            source.guesses(proof, within, now) >= names_max || (is_full && all_recent())
        };
        let is_tried_out = tries_out(source);
        let failing = source.failing.iter_mut().find(|failing| failing.caller == *caller)?;
        // For one of many names a single failure is enough if the whole source cannot be banned; but only briefly,
        // because another caller there may just have mistyped a password.
        let (most, block) = match is_tried_out && has_others {
            true if caller.is_nobody => (1, (ban.min(DOUBTFUL_BAN_MAX), reason)),
            true => (1, (ban.min(DOUBTFUL_BAN_MAX), BanReason::Guessing)),
            false => (most, (ban, reason)),
        };
        let mut consequence = failing.of_mut(proof).add((within, most), block, now).map(Consequence::Blocked);
        let is_tried_out = is_tried_out || tries_out(source);
        let of_source = match proof {
            Proof::Reached => &mut source.proven,
            Proof::Doubtful => &mut source.doubtful,
        };
        if is_tried_out && !has_others && !of_source.is_banned(now) {
            of_source.ban(ban, BanReason::Guessing, now);
            consequence = Some(Consequence::Banned(ban));
        }
        self.callers -= dropped;
        consequence
    }

    /// Before another caller is tracked: if there are too many, callers without recent failures are forgotten, then
    /// those who are not blocked, then all.
    fn make_room(&mut self, now: Duration) {
        if self.callers < CALLERS_MAX {
            return;
        }
        let within = self.config.failures_within;
        let is_recent = |failing: &Failing| {
            failing.proven.is_recent(within, now) || failing.doubtful.is_recent(within, now)
        };
        let rules: [&dyn Fn(&Failing) -> bool; 3] = [
            &|failing| failing.is_blocked(now) || is_recent(failing),
            &|failing| failing.is_blocked(now),
            &|_| false,
        ];
        for keeps in rules {
            self.callers = 0;
            for source in self.sources.values_mut() {
                source.failing.retain(|failing| keeps(failing));
                source.failing.shrink_to_fit();
                self.callers += source.failing.len();
            }
            if self.callers < CALLERS_MAX / 2 {
                return;
            }
        }
    }

    /// A request of the source is unreadable, or comes from an attack tool.
    pub(crate) fn failed(
        &mut self,
        whence: impl Into<Whence>,
        proof: Proof,
        reason: BanReason,
        now: Duration,
    ) -> Option<Consequence> {
        self.failed_for(whence, (&Caller::unreadable(), reason), proof, now)
    }

    /// All bans, the longest first.
    pub(crate) fn bans(&self, now: Duration) -> Vec<Ban> {
        let left = |proven: &Failures, doubtful: &Failures| {
            let proven = proven.left(now).map(|held| (held, false));
            proven.or(doubtful.left(now).map(|held| (held, true)))
        };
        let mut bans = Vec::new();
        for (source, known) in &self.sources {
            let mut add = |held: Option<((Duration, BanReason), bool)>, caller: Option<&Caller>| {
                let ban = |((left, reason), doubtful)| {
                    let (source, caller) = (*source, caller.cloned());
                    Ban { source, left, doubtful, caller, reason }
                };
                bans.extend(held.map(ban));
            };
            add(left(&known.proven, &known.doubtful), None);
            for failing in &known.failing {
                add(left(&failing.proven, &failing.doubtful), Some(&failing.caller));
            }
        }
        bans.sort_by_key(|ban| {
            let caller = ban.caller.as_ref().map(ToString::to_string);
            (std::cmp::Reverse(ban.left), ban.source, caller)
        });
        bans
    }

    /// Forgets the failures of a source and its callers. False if none of it is banned, and nothing changes.
    pub(crate) fn lift(&mut self, source: IpAddr, now: Duration) -> bool {
        let Some(key) = self.key(source) else { return false };
        let Some(known) = self.sources.get_mut(&key).filter(|source| source.is_banned(now)) else {
            return false;
        };
        (known.proven, known.doubtful) = Default::default();
        self.callers = self.callers.saturating_sub(known.failing.len());
        known.failing = Vec::new();
        true
    }

    /// A caller there was permitted: its earlier failures were mistakes. `is_known`: by what not everyone has, so the address has
    /// other users than those who fail. `Some`: that is to be written down of this source, for [`Self::remember`].
    pub(crate) fn succeeded(
        &mut self,
        whence: impl Into<Whence>,
        caller: &Caller,
        is_known: bool,
        now: Duration,
    ) -> Option<IpAddr> {
        let key = self.key(whence)?;
        if let Some(source) = self.sources.get_mut(&key) {
            if is_known {
                (source.proven, source.doubtful) = Default::default();
            }
            let before = source.failing.len();
            source.failing.retain(|failing| failing.caller != *caller);
            self.callers = self.callers.saturating_sub(before - source.failing.len());
        }
        self.permitted_callers.add(key, caller, now);
        (is_known && self.permitted.add(key, now)).then_some(key)
    }

    /// A known caller was permitted there so long ago, before a restart.
    pub(crate) fn remember(&mut self, source: IpAddr, ago: Duration, now: Duration) {
        if let Some(key) = self.key(source) {
            self.permitted.remember(key, ago, now);
        }
    }
}

/// The user agent is that of a known attack tool.
pub(crate) fn is_scanner(user_agent: &str) -> bool {
    let name = user_agent.to_ascii_lowercase();
    SCANNERS.iter().any(|scanner| name.contains(scanner))
}

#[cfg(test)]
mod tests;
