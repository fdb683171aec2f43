//! The last messages of each call, kept within bounds.
//!
//! A message belongs to the call whose Call-ID it has. That of a call becomes known a moment after its first message, so
//! messages of unknown calls wait for a little while; what strangers send is forgotten there.

use crate::redact::{header, redact};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A SIP message.
    Sip,
    /// An RTCP datagram, without encryption.
    Rtcp,
}

/// A message that was received or sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// What it is.
    pub kind: Kind,
    /// It was sent.
    pub is_sent: bool,
    /// The transport, in small letters.
    pub transport: &'static str,
    /// This side's address.
    pub local: SocketAddr,
    /// The other side's address.
    pub remote: SocketAddr,
    /// It.
    pub bytes: Box<[u8]>,
}

impl Message {
    /// Where it came from, and where it went.
    #[must_use]
    pub const fn from_to(&self) -> (SocketAddr, SocketAddr) {
        if self.is_sent { (self.local, self.remote) } else { (self.remote, self.local) }
    }

    /// It went by a connection.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.transport != "udp"
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.bytes.len()
    }
}

/// Bounds of what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Messages of a call, of each kind: its last ones.
    pub messages: usize,
    /// How long a call is kept after its end, in milliseconds.
    pub kept_ms: u64,
    /// How long one is kept that was refused or broke off.
    pub failed_kept_ms: u64,
    /// Such calls.
    pub failed: usize,
    /// Octets of all messages together.
    pub bytes: usize,
    /// Messages whose call is not known yet.
    pub loose: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages: 64,
            kept_ms: 10 * 60 * 1000,
            failed_kept_ms: 7 * 24 * 3600 * 1000,
            failed: 2000,
            bytes: 128 << 20,
            loose: 512,
        }
    }
}

/// What is known of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// Its Call-IDs; several where it was placed by one route after the other.
    pub sip_call_ids: Vec<String>,
    /// It is over.
    pub is_over: bool,
    /// It was refused, or broke off.
    pub has_failed: bool,
    /// Its messages by time.
    pub messages: Vec<Arc<Message>>,
    /// Earlier messages that are no longer kept.
    pub left_out: u64,
}

/// The ladders of all calls, by their numbers. Times are milliseconds of a clock that is never set back.
#[derive(Debug)]
pub struct Ladders {
    limits: Limits,
    calls: BTreeMap<u64, Entry>,
    by_call_id: BTreeMap<String, u64>,
    /// Messages whose call is not known yet, the oldest first.
    loose: VecDeque<(String, Arc<Message>)>,
    /// Calls that are over, by until when they are kept: those that failed, and the others.
    failed: BTreeSet<(u64, u64)>,
    ended: BTreeSet<(u64, u64)>,
    /// Calls that failed and are to be stored, by when: their last messages come a moment after their end.
    unstored: VecDeque<(u64, u64)>,
    bytes: usize,
}

/// How long the messages of a call that has failed are waited for before it is stored, in milliseconds.
const LAST_MESSAGES_MS: u64 = 2000;

#[derive(Debug, Default)]
struct Entry {
    call_ids: Vec<String>,
    sip: VecDeque<Arc<Message>>,
    rtcp: VecDeque<Arc<Message>>,
    left_out: u64,
    /// Where its RTP is received.
    media: Option<SocketAddr>,
    has_failed: bool,
    /// Until when it is kept; `None`: it is not over.
    until_ms: Option<u64>,
}

impl Ladders {
    /// No calls yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            calls: BTreeMap::new(),
            by_call_id: BTreeMap::new(),
            loose: VecDeque::new(),
            failed: BTreeSet::new(),
            ended: BTreeSet::new(),
            unstored: VecDeque::new(),
            bytes: 0,
        }
    }

    /// A SIP message was received or sent. It is kept, and returned, without credentials and keys; `None`: it has no Call-ID.
    pub fn sip(&mut self, message: Message) -> Option<(String, Arc<Message>)> {
        let call_id = header(&message.bytes, b"call-id", Some(b"i"))?;
        let call_id = String::from_utf8_lossy(&call_id).into_owned();
        let is_fault = is_fault(&message.bytes);
        let message = Arc::new(Message { bytes: redact(&message.bytes).into(), ..message });
        match self.by_call_id.get(&call_id).copied() {
            Some(call) => {
                self.put(call, message.clone());
                if let Some(entry) = self.calls.get_mut(&call) {
                    entry.has_failed |= is_fault;
                }
            }
            None => {
                if self.loose.len() >= self.limits.loose {
                    self.loose.pop_front();
                }
                self.loose.push_back((call_id.clone(), message.clone()));
            }
        }
        Some((call_id, message))
    }

    /// A call has this Call-ID from now on. Where another one had it before, as where the caller had to say who it is, this one
    /// goes on with its messages.
    pub fn dialog(&mut self, call: u64, call_id: &str) {
        let before = self.by_call_id.insert(call_id.to_owned(), call).filter(|before| *before != call);
        let before = before.and_then(|before| self.remove(before));
        // Its Call-IDs went with it.
        self.by_call_id.insert(call_id.to_owned(), call);
        let entry = self.calls.entry(call).or_default();
        if let Some(until_ms) = entry.until_ms.take() {
            // It is placed again, by another route.
            self.failed.remove(&(until_ms, call));
            self.ended.remove(&(until_ms, call));
            entry.has_failed = false;
        }
        if let Some(before) = before {
            self.bytes += before.sip.iter().map(|message| message.size()).sum::<usize>();
            entry.sip.extend(before.sip);
            entry.left_out += before.left_out;
        }
        if !entry.call_ids.iter().any(|known| known == call_id) {
            entry.call_ids.push(call_id.to_owned());
        }
        let loose = std::mem::take(&mut self.loose);
        let (its, others): (VecDeque<_>, _) = loose.into_iter().partition(|(id, _)| id == call_id);
        self.loose = others;
        its.into_iter().for_each(|(_, message)| self.put(call, message));
        self.make_room();
    }

    /// The RTP of a call is received there.
    pub fn media_opened(&mut self, call: u64, at: SocketAddr) {
        self.calls.entry(call).or_default().media = Some(at);
    }

    /// The media of a call is closed. Where it has no signalling, nothing is left of it.
    pub fn media_closed(&mut self, call: u64) {
        if self.calls.get(&call).is_some_and(|entry| entry.call_ids.is_empty()) {
            self.remove(call);
        }
    }

    /// An RTCP datagram of a call. It is kept, and returned with the call's Call-ID; `None`: the call is not known.
    pub fn rtcp(
        &mut self,
        call: u64,
        at_us: i64,
        is_sent: bool,
        remote: SocketAddr,
        is_muxed: bool,
        bytes: &[u8],
    ) -> Option<(String, Arc<Message>)> {
        let entry = self.calls.get(&call)?;
        let call_id = entry.call_ids.last()?.clone();
        let mut local = entry.media?;
        if !is_muxed {
            local.set_port(local.port().saturating_add(1));
        }
        let (kind, bytes) = (Kind::Rtcp, bytes.into());
        let message = Arc::new(Message { at_us, kind, is_sent, transport: "udp", local, remote, bytes });
        self.put(call, message.clone());
        Some((call_id, message))
    }

    /// A call is over.
    pub fn over(&mut self, call: u64, has_failed: bool, now_ms: u64) {
        let Some(entry) = self.calls.get_mut(&call).filter(|entry| entry.until_ms.is_none()) else { return };
        entry.has_failed |= has_failed;
        let kept_ms = if entry.has_failed { self.limits.failed_kept_ms } else { self.limits.kept_ms };
        let until_ms = now_ms + kept_ms;
        entry.until_ms = Some(until_ms);
        let over = if entry.has_failed { &mut self.failed } else { &mut self.ended };
        over.insert((until_ms, call));
        if entry.has_failed {
            self.unstored.push_back((now_ms + LAST_MESSAGES_MS, call));
            if self.unstored.len() > self.limits.failed {
                self.unstored.pop_front();
            }
        }
        if self.failed.len() > self.limits.failed
            && let Some((_, oldest)) = self.failed.first().copied()
        {
            self.remove(oldest);
        }
    }

    /// Calls that have failed and have nothing more to say, each once. They are to be stored.
    pub fn take_unstored(&mut self, now_ms: u64) -> Vec<(u64, Ladder)> {
        let mut due = Vec::new();
        while let Some((_, call)) = self.unstored.pop_front_if(|(at, _)| *at <= now_ms) {
            // One that is placed again by another route has not failed.
            let has_failed =
                self.calls.get(&call).is_some_and(|entry| entry.has_failed && entry.until_ms.is_some());
            due.extend(self.get(call).filter(|_| has_failed).map(|ladder| (call, ladder)));
        }
        due
    }

    /// A call that has failed is stored: here it is kept as long as others.
    pub fn stored(&mut self, call: u64, now_ms: u64) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        if let Some(until_ms) = entry.until_ms.filter(|until_ms| self.failed.remove(&(*until_ms, call))) {
            let until_ms = until_ms.min(now_ms + self.limits.kept_ms);
            entry.until_ms = Some(until_ms);
            self.ended.insert((until_ms, call));
        }
    }

    /// Forgets what has been kept for long enough.
    pub fn expire(&mut self, now_ms: u64) {
        let is_due =
            |first: Option<&(u64, u64)>| first.filter(|(until, _)| *until <= now_ms).map(|(_, call)| *call);
        while let Some(call) = is_due(self.ended.first()).or_else(|| is_due(self.failed.first())) {
            self.remove(call);
        }
    }

    /// What is known of a call.
    #[must_use]
    pub fn get(&self, call: u64) -> Option<Ladder> {
        let entry = self.calls.get(&call).filter(|entry| !entry.call_ids.is_empty())?;
        let mut messages: Vec<_> = entry.sip.iter().chain(&entry.rtcp).cloned().collect();
        messages.sort_by_key(|message| message.at_us);
        Some(Ladder {
            sip_call_ids: entry.call_ids.clone(),
            is_over: entry.until_ms.is_some(),
            has_failed: entry.has_failed,
            messages,
            left_out: entry.left_out,
        })
    }

    /// The calls that are over, or go on, by number, with when each has said something last in microseconds since 1970.
    #[must_use]
    pub fn last_said(&self) -> Vec<(u64, i64)> {
        let said = self.calls.iter().filter_map(|(call, entry)| {
            let last = entry.sip.iter().chain(&entry.rtcp).map(|message| message.at_us).max()?;
            (!entry.call_ids.is_empty()).then_some((*call, last))
        });
        said.collect()
    }

    /// Forgets a call that is over.
    pub fn forget(&mut self, call: u64) {
        if self.calls.get(&call).is_some_and(|entry| entry.until_ms.is_some()) {
            self.remove(call);
        }
    }

    /// Calls that are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// None is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Octets of their messages.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    fn put(&mut self, call: u64, message: Arc<Message>) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        self.bytes += message.size();
        let messages = match message.kind {
            Kind::Sip => &mut entry.sip,
            Kind::Rtcp => &mut entry.rtcp,
        };
        messages.push_back(message);
        while messages.len() > self.limits.messages
            && let Some(oldest) = messages.pop_front()
        {
            self.bytes -= oldest.size();
            entry.left_out += 1;
        }
        self.make_room();
    }

    /// Forgets first what ended well and is to be forgotten soonest, then failed calls, then what calls in progress have said.
    fn make_room(&mut self) {
        while self.bytes > self.limits.bytes {
            let over = self.ended.first().or(self.failed.first()).map(|(_, call)| *call);
            if let Some(call) = over {
                self.remove(call);
            } else if let Some(entry) = self.calls.values_mut().find(|entry| entry.size() > 0) {
                self.bytes -= entry.size();
                entry.left_out += (entry.sip.len() + entry.rtcp.len()) as u64;
                entry.sip.clear();
                entry.rtcp.clear();
            } else {
                return;
            }
        }
    }

    fn remove(&mut self, call: u64) -> Option<Entry> {
        let entry = self.calls.remove(&call)?;
        self.bytes -= entry.size();
        for call_id in &entry.call_ids {
            if self.by_call_id.get(call_id) == Some(&call) {
                self.by_call_id.remove(call_id);
            }
        }
        if let Some(until_ms) = entry.until_ms {
            self.failed.remove(&(until_ms, call));
            self.ended.remove(&(until_ms, call));
        }
        Some(entry)
    }
}

impl Entry {
    fn size(&self) -> usize {
        self.sip.iter().chain(&self.rtcp).map(|message| message.size()).sum()
    }
}

/// It ends a call for a fault (RFC 3326): a BYE or CANCEL whose reason is a status of 4xx or 5xx.
fn is_fault(message: &[u8]) -> bool {
    if !message.starts_with(b"BYE ") && !message.starts_with(b"CANCEL ") {
        return false;
    }
    let Some(reason) = header(message, b"reason", None) else { return false };
    let reason = String::from_utf8_lossy(&reason).to_ascii_lowercase().replace(' ', "");
    let causes = reason.split(',').filter(|one| one.starts_with("sip"));
    causes.filter_map(|one| one.split_once(";cause=")).any(|(_, cause)| cause.starts_with(['4', '5']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: u64 = 60_000;

    fn message(at_us: i64, text: &str) -> Message {
        Message {
            at_us,
            kind: Kind::Sip,
            is_sent: at_us % 2 == 1,
            transport: "udp",
            local: ([192, 0, 2, 1], 5060).into(),
            remote: ([192, 0, 2, 2], 5060).into(),
            bytes: text.as_bytes().into(),
        }
    }

    fn invite(at_us: i64, call_id: &str) -> Message {
        message(at_us, &format!("INVITE sip:a@b SIP/2.0\r\ni : {call_id}\r\nAuthorization: Digest x\r\n\r\n"))
    }

    fn times(ladders: &Ladders, call: u64) -> Vec<i64> {
        ladders.get(call).expect("it is kept").messages.iter().map(|message| message.at_us).collect()
    }

    #[test]
    fn a_message_finds_its_call_also_when_that_is_known_later() {
        let mut ladders = Ladders::new(Limits::default());
        let (call_id, kept) = ladders.sip(invite(1, "x@h")).expect("it has a Call-ID");
        assert_eq!(call_id, "x@h");
        assert!(!String::from_utf8_lossy(&kept.bytes).contains("Digest x"));
        ladders.sip(invite(2, "stranger@h"));
        ladders.dialog(7, "x@h");
        ladders.sip(invite(3, "x@h"));
        ladders.media_opened(7, ([192, 0, 2, 1], 10_000).into());
        let remote = ([192, 0, 2, 2], 4001).into();
        let (call_id, report) = ladders.rtcp(7, 4, false, remote, false, &[1, 2]).expect("the call is known");
        assert_eq!((call_id.as_str(), report.local.port()), ("x@h", 10_001));
        assert_eq!(ladders.rtcp(8, 4, false, remote, false, &[1, 2]), None);
        assert_eq!(times(&ladders, 7), [1, 3, 4]);
        assert_eq!(ladders.get(8), None);
        assert_eq!(ladders.sip(message(9, "OPTIONS sip:a SIP/2.0\r\n\r\n")), None);
    }

    #[test]
    fn only_the_last_messages_of_each_kind_are_kept() {
        let mut ladders = Ladders::new(Limits::default());
        ladders.dialog(1, "x");
        ladders.media_opened(1, ([192, 0, 2, 1], 10_000).into());
        (0..100).for_each(|at| drop(ladders.sip(invite(at, "x"))));
        (100..200).for_each(|at| drop(ladders.rtcp(1, at, true, ([192, 0, 2, 2], 1).into(), true, &[0; 60])));
        assert_eq!(times(&ladders, 1), (36..100).chain(136..200).collect::<Vec<_>>());
        assert_eq!(ladders.get(1).expect("kept").left_out, 72);
    }

    #[test]
    fn a_call_is_kept_for_ten_minutes_and_one_that_failed_for_a_week() {
        let mut ladders = Ladders::new(Limits::default());
        for (call, call_id) in [(1, "well"), (2, "refused"), (3, "broke off")] {
            ladders.dialog(call, call_id);
        }
        let bye = "BYE sip:a SIP/2.0\r\nReason: SIP;cause=200, Q.850;cause=41, SIP ;cause=408;text=\"x\"\r\nCall-ID: broke off\r\n\r\n";
        ladders.sip(message(1, bye));
        let normal =
            "BYE sip:a SIP/2.0\r\nReason: SIP;cause=200;text=\"x\", Q.850;cause=41\r\nCall-ID: well\r\n\r\n";
        ladders.sip(message(1, normal));
        ladders.over(1, false, 0);
        ladders.over(2, true, 0);
        ladders.over(3, false, 0);
        let kept =
            |ladders: &Ladders| (1..=3).filter(|call| ladders.get(*call).is_some()).collect::<Vec<_>>();
        ladders.expire(10 * MINUTE - 1);
        assert_eq!(kept(&ladders), [1, 2, 3]);
        ladders.expire(10 * MINUTE);
        assert_eq!(kept(&ladders), [2, 3]);
        assert!(ladders.get(3).expect("kept").has_failed);
        ladders.expire(7 * 24 * 60 * MINUTE);
        assert!(ladders.is_empty() && ladders.bytes() == 0 && ladders.by_call_id.is_empty());
    }

    #[test]
    fn a_call_that_had_to_say_who_it_is_goes_on_under_its_next_number() {
        let mut ladders = Ladders::new(Limits::default());
        ladders.dialog(1, "x");
        ladders.sip(invite(1, "x"));
        ladders.over(1, false, 0);
        ladders.sip(invite(2, "x"));
        ladders.dialog(2, "x");
        assert_eq!(times(&ladders, 2), [1, 2]);
        assert_eq!((ladders.get(1), ladders.len()), (None, 1));
        ladders.expire(11 * MINUTE);
        assert_eq!(times(&ladders, 2), [1, 2], "it is in progress");
    }

    #[test]
    fn a_call_that_is_placed_again_by_another_route_is_not_over() {
        let mut ladders = Ladders::new(Limits::default());
        ladders.dialog(1, "first");
        ladders.sip(invite(1, "first"));
        ladders.over(1, true, 0);
        ladders.dialog(1, "second");
        ladders.sip(invite(2, "second"));
        let ladder = ladders.get(1).expect("kept");
        assert_eq!((ladder.is_over, ladder.has_failed), (false, false));
        assert_eq!(ladder.sip_call_ids, ["first", "second"]);
        assert_eq!(times(&ladders, 1), [1, 2]);
    }

    #[test]
    fn a_call_that_failed_is_stored_once_and_then_kept_as_others() {
        let mut ladders = Ladders::new(Limits::default());
        for call in 1..=3 {
            ladders.dialog(call, &format!("{call}@h"));
            ladders.sip(invite(1, &format!("{call}@h")));
            ladders.over(call, call != 1, 1000);
        }
        ladders.sip(message(2, "ACK sip:a SIP/2.0\r\nCall-ID: 2@h\r\n\r\n"));
        // Placed again by another route.
        ladders.dialog(3, "4@h");
        assert_eq!(ladders.take_unstored(2999), []);
        let due = ladders.take_unstored(3000);
        assert_eq!(
            due.iter().map(|(call, ladder)| (*call, ladder.messages.len())).collect::<Vec<_>>(),
            [(2, 2)]
        );
        assert_eq!(ladders.take_unstored(u64::MAX), []);
        ladders.stored(2, 3000);
        ladders.expire(3000 + 10 * MINUTE - 1);
        assert!(ladders.get(2).is_some());
        ladders.expire(3000 + 10 * MINUTE);
        assert_eq!((ladders.get(2), ladders.get(1), ladders.len()), (None, None, 1));
    }

    #[test]
    fn a_call_that_is_over_can_be_forgotten_and_is_not_stored_any_more() {
        let mut ladders = Ladders::new(Limits::default());
        for call in 1..=2 {
            ladders.dialog(call, &format!("{call}@h"));
            ladders.sip(invite(call as i64, &format!("{call}@h")));
        }
        assert_eq!(ladders.last_said(), [(1, 1), (2, 2)]);
        ladders.over(1, true, 0);
        ladders.forget(1);
        ladders.forget(2);
        assert_eq!(ladders.last_said(), [(2, 2)], "one that goes on stays");
        assert_eq!(ladders.take_unstored(u64::MAX), []);
        assert!(ladders.failed.is_empty() && !ladders.by_call_id.contains_key("1@h"));
    }

    #[test]
    fn a_call_without_signalling_leaves_nothing() {
        let mut ladders = Ladders::new(Limits::default());
        ladders.media_opened(1, ([192, 0, 2, 1], 10_000).into());
        ladders.media_closed(1);
        assert!(ladders.is_empty());
    }

    proptest! {
        #[test]
        fn whatever_happens_memory_is_bounded_and_accounted(
            steps in proptest::collection::vec((0..10_u8, 0..6_u64, 0..5_usize), 0..300),
        ) {
            let limits = Limits { messages: 5, bytes: 3000, failed: 2, loose: 4, ..Limits::default() };
            let mut ladders = Ladders::new(limits);
            for (at, (what, call, id)) in steps.into_iter().enumerate() {
                let now_ms = at as u64 * MINUTE;
                let call_id = format!("{id}@h");
                match what {
                    0 | 1 => drop(ladders.sip(invite(at as i64, &call_id))),
                    2 => ladders.dialog(call, &call_id),
                    3 => ladders.over(call, id == 0, now_ms),
                    4 => ladders.media_opened(call, ([192, 0, 2, 1], 10_000).into()),
                    5 => drop(ladders.rtcp(call, at as i64, true, ([192, 0, 2, 2], 1).into(), true, &[0; 50])),
                    6 => ladders.stored(call, now_ms),
                    7 => drop(ladders.take_unstored(now_ms)),
                    8 => ladders.forget(call),
                    _ => ladders.media_closed(call),
                }
                ladders.expire(now_ms);
                prop_assert_eq!(ladders.bytes, ladders.calls.values().map(Entry::size).sum::<usize>());
                prop_assert!(ladders.bytes <= limits.bytes && ladders.loose.len() <= limits.loose);
                prop_assert!(ladders.failed.len() <= limits.failed && ladders.unstored.len() <= limits.failed);
                for (until, call) in ladders.failed.iter().chain(&ladders.ended) {
                    prop_assert_eq!(ladders.calls[call].until_ms, Some(*until));
                }
                for (call_id, call) in &ladders.by_call_id {
                    prop_assert!(ladders.calls[call].call_ids.contains(call_id));
                }
            }
        }
    }
}
