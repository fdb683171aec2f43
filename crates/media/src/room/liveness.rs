//! Whether a call is still alive, and whether its audio flows both ways.
//!
//! - A call that sends and receives is alive while RTP arrives.
//! - A stream that ceases, or never begins, may be muted, or in a pause of its talker (RFC 3389, RFC 7587's DTX).
//!   It is reported each time the timeout passes, so that the other side can be asked. If RTCP or ICE checks arrive, it is
//!   reported after ten times as long.
//! - A call from which nothing has ever arrived, neither RTP nor RTCP nor an ICE check, is over after a much longer time where
//!   one is configured, whatever it answers: an automaton without media answers for ever.
//! - If ICE or the DTLS handshake has to complete first and does not, nothing can ever be sent: the call is over after the
//!   timeout.
//! - If the signalling connection is closed, as that of a crashed browser, five seconds without RTP are enough.
//! - RTCP BYE ends the waiting: a stream that does not continue within five seconds is over.
//! - On hold nothing is expected. If nothing arrives for the timeout, not even RTCP, that is reported too.
//!
//! Audio flows one way if this side sends and nothing arrives, or if the other side reports that it receives nothing. A
//! pause announced by comfort noise does not count.

use crate::OneWay;

/// If RTCP arrives, silence is reported after this many times as long.
const SILENT_TIMEOUTS: u64 = 10;
/// After an RTCP BYE a stream may continue for this long, because some send it when they only change something.
const GOODBYE_NS: u64 = 5_000_000_000;
/// Missing audio is reported after this long.
const ONE_WAY_NS: u64 = 5_000_000_000;
/// Non-delivery is reported after this long, and this many sent packets, without a report of any arrival.
const UNDELIVERED_NS: u64 = 10_000_000_000;
const UNDELIVERED_PACKETS: u64 = 200;
/// Reports that have to agree on it.
const UNDELIVERED_REPORTS: u32 = 2;

/// What is known about whether a call is alive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Liveness {
    /// Time of the last session description.
    agreed_ns: u64,
    rtp_ns: Option<u64>,
    /// RTCP, or an ICE check.
    control_ns: Option<u64>,
    goodbye_ns: Option<u64>,
    /// Its signalling is gone: only its packets show that it is alive.
    is_cut_off: bool,
    /// Since when audio is expected of which nothing has arrived yet. Session descriptions do not start it over: some
    /// telephones refresh a session that way.
    awaited_ns: Option<u64>,
    /// Time at which silence was last reported.
    reported_ns: Option<u64>,
    /// The last packet announced a pause.
    paused: bool,
    timeout_reported: bool,
    delivery: Delivery,
    one_way: Option<OneWay>,
    /// Since when, and how long audio has flowed one way before that.
    one_way_since_ns: u64,
    one_way_ns: u64,
    looked_ns: u64,
}

/// The other side's reports on what is sent.
#[derive(Debug, Clone, Copy)]
struct Delivery {
    /// Time of its last report of something new, and packets sent until then.
    since_ns: u64,
    sent: u64,
    highest: Option<u32>,
    /// Reports since then with nothing new.
    barren: u32,
}

/// What is expected of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// Negotiated: this side sends.
    pub(super) sends: bool,
    /// Negotiated: the other side sends.
    pub(super) receives: bool,
    /// ICE and DTLS, if used, have completed: packets can arrive.
    pub(super) is_connected: bool,
}

/// How long a call may be silent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Until the other side is asked.
    pub(super) timeout_ns: u64,
    /// Until a call from which nothing has ever arrived is over; 0: for ever.
    pub(super) never_ns: u64,
}

/// A finding to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// The other side is gone; once.
    Gone,
    /// Audio was expected for long and nothing has ever arrived; once.
    Never,
    /// It is on hold, and nothing arrives: it may be there or not; repeatedly.
    Held,
    /// It sends no RTP, or none any more: it may be muted or gone; repeatedly.
    Silent,
    /// This changed.
    OneWay(Option<OneWay>),
}

impl Liveness {
    pub(super) fn new(now_ns: u64) -> Self {
        Self {
            agreed_ns: now_ns,
            rtp_ns: None,
            control_ns: None,
            goodbye_ns: None,
            is_cut_off: false,
            awaited_ns: None,
            reported_ns: None,
            paused: false,
            timeout_reported: false,
            delivery: Delivery { since_ns: now_ns, sent: 0, highest: None, barren: 0 },
            one_way: None,
            one_way_since_ns: 0,
            one_way_ns: 0,
            looked_ns: now_ns,
        }
    }

    /// A session description, new or the same again: the waiting starts over. `sent`: packets sent so far.
    pub(super) fn agree(&mut self, sent: u64, now_ns: u64) {
        self.agreed_ns = now_ns;
        (self.goodbye_ns, self.timeout_reported, self.is_cut_off) = (None, false, false);
        self.delivery = Delivery { since_ns: now_ns, sent, highest: None, barren: 0 };
    }

    /// A valid packet from the other side. `is_noise`: it describes the noise of a pause that begins.
    pub(super) fn rtp(&mut self, is_noise: bool, at_ns: u64) {
        self.rtp_ns = Some(at_ns);
        (self.paused, self.timeout_reported) = (is_noise, false);
        if self.goodbye_ns.is_some_and(|goodbye_ns| at_ns > goodbye_ns) {
            self.goodbye_ns = None;
        }
    }

    /// RTCP from the other side, or an ICE check.
    pub(super) fn control(&mut self, at_ns: u64) {
        self.control_ns = Some(at_ns);
    }

    pub(super) fn goodbye(&mut self, at_ns: u64) {
        self.goodbye_ns.get_or_insert(at_ns);
    }

    /// The signalling connection is closed: from now on RTP may be missing for five seconds only.
    pub(super) fn cut_off(&mut self) {
        self.is_cut_off = true;
    }

    /// A report from the other side. `highest`: the extended sequence number of our stream; `None` if it does not
    /// name the stream, because nothing arrived since the last report (RFC 3550, 6.4). `sent`: packets sent so far.
    pub(super) fn report(&mut self, highest: Option<u32>, sent: u64, at_ns: u64) {
        let delivery = &mut self.delivery;
        // Another number than before: the stream began, or continues.
        if highest.is_some() && highest != delivery.highest {
            *delivery = Delivery { since_ns: at_ns, sent, highest, barren: 0 };
        } else {
            delivery.barren += 1;
        }
    }

    /// Audio flows one way.
    pub(super) fn one_way(&self) -> Option<OneWay> {
        self.one_way
    }

    /// How long audio has flowed one way up to the last look, in milliseconds.
    pub(super) fn one_way_ms(&self) -> u64 {
        (self.one_way_ns + self.one_way_lasts_ns(self.looked_ns)) / 1_000_000
    }

    fn one_way_lasts_ns(&self, now_ns: u64) -> u64 {
        if self.one_way.is_some() { now_ns.saturating_sub(self.one_way_since_ns) } else { 0 }
    }

    /// Evaluates what is known. `sent`: packets sent so far.
    pub(super) fn look(
        &mut self,
        Expected { sends, receives, is_connected }: Expected,
        sent: u64,
        Limits { timeout_ns, never_ns }: Limits,
        now_ns: u64,
    ) -> Option<Finding> {
        self.looked_ns = now_ns;
        let since = |at_ns: Option<u64>| now_ns.saturating_sub(at_ns.unwrap_or(0).max(self.agreed_ns));
        let both = sends && receives;
        if both && !self.timeout_reported {
            let is_over = match (self.goodbye_ns, self.rtp_ns) {
                _ if self.is_cut_off => since(self.rtp_ns.max(self.goodbye_ns)) > GOODBYE_NS.min(timeout_ns),
                (Some(_), _) => since(self.rtp_ns.max(self.goodbye_ns)) > GOODBYE_NS,
                (None, None) => !is_connected && since(None) > timeout_ns,
                (None, Some(_)) => false,
            };
            if is_over {
                self.timeout_reported = true;
                return Some(Finding::Gone);
            }
        }
        let is_awaited_first = both && self.rtp_ns.is_none() && self.control_ns.is_none();
        let awaited_ns = is_awaited_first.then(|| self.awaited_ns.unwrap_or(now_ns));
        self.awaited_ns = awaited_ns;
        if let Some(awaited_ns) = awaited_ns
            && never_ns > 0
            && !self.timeout_reported
            && now_ns.saturating_sub(awaited_ns) > never_ns
        {
            self.timeout_reported = true;
            return Some(Finding::Never);
        }
        let may_be_there = !both || (is_connected || self.rtp_ns.is_some()) && self.goodbye_ns.is_none();
        let has_control = self.control_ns.is_some() && since(self.control_ns) <= timeout_ns;
        let (heard_ns, limit_ns, finding) = match (both, has_control) {
            (false, _) if self.is_cut_off => {
                (self.rtp_ns.max(self.control_ns), GOODBYE_NS.min(timeout_ns), Finding::Held)
            }
            (false, _) => (self.rtp_ns.max(self.control_ns), timeout_ns, Finding::Held),
            (true, false) => (self.rtp_ns, timeout_ns, Finding::Silent),
            (true, true) => (self.rtp_ns, timeout_ns.saturating_mul(SILENT_TIMEOUTS), Finding::Silent),
        };
        if may_be_there && since(heard_ns.max(self.reported_ns)) > limit_ns {
            self.reported_ns = Some(now_ns);
            return Some(finding);
        }
        let delivery = &self.delivery;
        let is_undelivered = sends
            && delivery.barren >= UNDELIVERED_REPORTS
            && sent.saturating_sub(delivery.sent) >= UNDELIVERED_PACKETS
            && now_ns.saturating_sub(delivery.since_ns) > UNDELIVERED_NS;
        let is_awaited = both && !self.paused && self.goodbye_ns.is_none();
        let one_way = if is_awaited && since(self.rtp_ns) > ONE_WAY_NS {
            Some(OneWay::NoneReceived)
        } else if is_undelivered {
            Some(OneWay::NoneDelivered)
        } else {
            None
        };
        if one_way == self.one_way {
            return None;
        }
        self.one_way_ns += self.one_way_lasts_ns(now_ns);
        (self.one_way, self.one_way_since_ns) = (one_way, now_ns);
        Some(Finding::OneWay(one_way))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const TIMEOUT: u64 = 30 * SECOND;
    const LIMITS: Limits = Limits { timeout_ns: TIMEOUT, never_ns: 0 };
    const BOTH: Expected = Expected { sends: true, receives: true, is_connected: true };

    /// A call of this many seconds, in steps of half a second, and the findings with their times.
    fn live(seconds: u64, each: impl FnMut(&mut Liveness, f64)) -> Vec<(u64, Finding)> {
        live_with(BOTH, LIMITS, seconds, each)
    }

    fn live_with(
        expected: Expected,
        limits: Limits,
        seconds: u64,
        mut each: impl FnMut(&mut Liveness, f64),
    ) -> Vec<(u64, Finding)> {
        let mut liveness = Liveness::new(0);
        let mut found = Vec::new();
        for half in 0..seconds * 2 {
            let now = half * SECOND / 2;
            each(&mut liveness, half as f64 / 2.0);
            found.extend(
                liveness.look(expected, half * 25, limits, now).map(|finding| (now / SECOND, finding)),
            );
        }
        found
    }

    fn at(seconds: f64) -> u64 {
        (seconds * SECOND as f64) as u64
    }

    const NONE_RECEIVED: Finding = Finding::OneWay(Some(OneWay::NoneReceived));

    #[test]
    fn what_is_cut_off_from_its_signalling_lives_as_long_as_its_rtp() {
        // ICE checks and RTCP continue, as from a browser whose page hangs: they do not count.
        let found = live(100, |liveness, now| {
            if now == 10.0 {
                liveness.cut_off();
            }
            if now <= 20.0 {
                liveness.rtp(false, at(now));
            }
            liveness.control(at(now));
        });
        assert_eq!(found, [(25, Finding::Gone), (26, NONE_RECEIVED)]);
        // A new session description, over another connection: as before.
        let found = live(100, |liveness, now| {
            if now <= 10.0 {
                liveness.rtp(false, at(now));
            }
            if now == 10.0 {
                liveness.cut_off();
            }
            if now == 12.0 {
                liveness.agree(0, at(now));
            }
        });
        assert_eq!(found[0], (17, NONE_RECEIVED));
        assert!(!found.iter().any(|(_, finding)| *finding == Finding::Gone), "{found:?}");
    }

    #[test]
    fn who_is_on_hold_and_cut_off_is_asked_after_five_seconds() {
        let mut liveness = Liveness::new(0);
        liveness.cut_off();
        let mut found = Vec::new();
        for second in 0..13 {
            let now = second * SECOND;
            let held = Expected { sends: false, receives: false, ..BOTH };
            found.extend(liveness.look(held, 0, LIMITS, now).map(|finding| (second, finding)));
        }
        assert_eq!(found, [(6, Finding::Held), (12, Finding::Held)]);
    }

    #[test]
    fn a_stream_that_goes_on_lives() {
        assert_eq!(live(400, |liveness, now| liveness.rtp(false, at(now))), []);
    }

    #[test]
    fn one_of_whom_nothing_ever_comes_is_asked_as_one_that_falls_silent() {
        let asked = [30, 61, 91, 122].map(|second| (second, Finding::Silent));
        assert_eq!(live(150, |_, _| {}), [&[(5, NONE_RECEIVED)][..], &asked].concat());
        // It is not over later either, when it begins to talk and falls silent again.
        let found = live(120, |liveness, now| {
            if (70.0..80.0).contains(&now) {
                liveness.rtp(false, at(now));
            }
        });
        let asked = [30, 61, 110].map(|second| (second, Finding::Silent));
        let one_way = [(5, NONE_RECEIVED), (70, Finding::OneWay(None)), (85, NONE_RECEIVED)];
        let mut expected = [&one_way[..], &asked].concat();
        expected.sort_by_key(|(second, _)| *second);
        assert_eq!(found, expected);
        // And an RTCP BYE is one, though nothing came before it.
        let found = live(60, |liveness, now| {
            if now == 10.0 {
                liveness.goodbye(at(now));
            }
        });
        assert_eq!(found, [(5, NONE_RECEIVED), (10, Finding::OneWay(None)), (15, Finding::Gone)]);
    }

    #[test]
    fn what_has_never_sent_anything_is_over_after_the_limit_whatever_it_agrees_on() {
        let limits = Limits { never_ns: 100 * SECOND, ..LIMITS };
        let is_over = |found: &[(u64, Finding)]| -> Vec<u64> {
            let over = found.iter().filter(|(_, finding)| *finding == Finding::Never);
            over.map(|(second, _)| *second).collect()
        };
        assert_eq!(is_over(&live_with(BOTH, limits, 300, |_, _| {})), [100]);
        assert!(is_over(&live(4000, |_, _| {})).is_empty(), "without a limit");
        // A session that is refreshed by session descriptions, as session timers do (RFC 4028).
        let refreshed = live_with(BOTH, limits, 101, |liveness, now| {
            if now % 30.0 == 0.0 {
                liveness.agree(0, at(now));
            }
        });
        assert_eq!(is_over(&refreshed), [100]);
        // One packet, also of comfort noise, one report or one ICE check shows that the other side is there.
        for signs in 0..3 {
            let found = live_with(BOTH, limits, 1000, |liveness, now| match signs {
                _ if now != 90.0 => {}
                0 => liveness.rtp(false, at(now)),
                1 => liveness.rtp(true, at(now)),
                _ => liveness.control(at(now)),
            });
            assert!(is_over(&found).is_empty(), "{signs}");
        }
        // Who only listens by agreement, or is on hold, sends nothing; the time counts from when audio is expected.
        let mut liveness = Liveness::new(0);
        let mut found = Vec::new();
        for second in 0..400 {
            let expected = Expected { receives: second >= 200, ..BOTH };
            found
                .extend(liveness.look(expected, 0, limits, second * SECOND).map(|finding| (second, finding)));
        }
        assert_eq!(is_over(&found), [301]);
    }

    #[test]
    fn where_reports_come_without_rtp_it_is_asked_after_ten_times_as_long() {
        let found = live(610, |liveness, now| liveness.control(at(now)));
        assert_eq!(found, [(5, NONE_RECEIVED), (300, Finding::Silent), (601, Finding::Silent)]);
    }

    #[test]
    fn what_never_gets_through_ice_or_dtls_is_over() {
        let waiting = Expected { is_connected: false, ..BOTH };
        assert_eq!(live_with(waiting, LIMITS, 400, |_, _| {}), [(5, NONE_RECEIVED), (30, Finding::Gone)]);
        // ICE checks without a completed handshake do not keep a call alive.
        let found = live_with(waiting, LIMITS, 400, |liveness, now| liveness.control(at(now)));
        assert_eq!(found, [(5, NONE_RECEIVED), (30, Finding::Gone)]);
    }

    #[test]
    fn one_that_falls_silent_is_asked_about_again_and_again_and_is_never_just_over() {
        // Also one that announced its pause by comfort noise, which is not one-way audio.
        for is_noise in [false, true] {
            let found = live(150, |liveness, now| {
                if now < 20.0 {
                    liveness.rtp(is_noise, at(now));
                }
            });
            let asked = [50, 80, 111, 141].map(|second| (second, Finding::Silent));
            let noticed = (!is_noise).then_some((25, NONE_RECEIVED));
            assert_eq!(found, noticed.into_iter().chain(asked).collect::<Vec<_>>());
        }
        // A stream that continues is not asked about.
        let found = live(150, |liveness, now| {
            if !(20.0..=60.0).contains(&now) {
                liveness.rtp(false, at(now));
            }
        });
        assert_eq!(found, [(25, NONE_RECEIVED), (50, Finding::Silent), (60, Finding::OneWay(None))]);
    }

    #[test]
    fn where_reports_come_a_silent_stream_is_asked_about_after_ten_times_as_long() {
        let found = live(600, |liveness, now| {
            if now < 20.0 {
                liveness.rtp(false, at(now));
            }
            liveness.control(at(now));
        });
        assert_eq!(found, [(25, NONE_RECEIVED), (320, Finding::Silent)]);
        // Until they cease as well.
        let found = live(200, |liveness, now| {
            if now < 20.0 {
                liveness.rtp(false, at(now));
            }
            if now < 100.0 {
                liveness.control(at(now));
            }
        });
        let asked = [130, 160, 191].map(|second| (second, Finding::Silent));
        assert_eq!(found, [&[(25, NONE_RECEIVED)][..], &asked].concat());
    }

    #[test]
    fn an_announced_pause_is_not_one_way() {
        let found = live(200, |liveness, now| {
            if now < 20.0 {
                liveness.rtp(now == 19.5, at(now));
            }
            liveness.control(at(now));
        });
        assert_eq!(found, []);
    }

    #[test]
    fn a_goodbye_ends_the_waiting_unless_the_stream_goes_on() {
        let found = live(60, |liveness, now| {
            if now < 20.0 {
                liveness.rtp(false, at(now));
            }
            if now == 20.0 {
                liveness.goodbye(at(now));
            }
        });
        assert_eq!(found, [(25, Finding::Gone)]);
        let found = live(60, |liveness, now| {
            if now == 20.0 {
                liveness.goodbye(at(now));
            }
            if now != 20.5 {
                liveness.rtp(false, at(now));
            }
        });
        assert_eq!(found, []);
    }

    #[test]
    fn one_who_reports_that_nothing_arrives_is_believed_after_a_while() {
        let found = live(60, |liveness, now| {
            liveness.rtp(false, at(now));
            if now % 5.0 == 4.0 {
                let sent = (now * 50.0) as u64;
                // From 20 to 40 seconds the number stays the same, or is absent.
                let highest = match now {
                    ..20.0 => Some(sent as u32),
                    ..30.0 => Some(950),
                    ..40.0 => None,
                    _ => Some(sent as u32),
                };
                liveness.report(highest, sent, at(now));
            }
        });
        let undelivered = Finding::OneWay(Some(OneWay::NoneDelivered));
        assert_eq!(found, [(29, undelivered), (44, Finding::OneWay(None))]);
    }

    #[test]
    fn on_hold_nothing_is_expected_but_silence_is_told() {
        for (sends, receives) in [(false, true), (true, false), (false, false)] {
            let agreed = Expected { sends, receives, ..BOTH };
            let mut liveness = Liveness::new(0);
            let mut held = Vec::new();
            for second in 0..200 {
                // Reports come until the hundredth second.
                if second < 100 {
                    liveness.control(second * SECOND);
                }
                match liveness.look(agreed, 0, LIMITS, second * SECOND) {
                    None => {}
                    Some(Finding::Held) => held.push(second),
                    Some(other) => panic!("{other:?}"),
                }
            }
            assert_eq!(held, [130, 161, 192]);
        }
        let mut liveness = Liveness::new(0);
        liveness.agree(0, 1000 * SECOND);
        assert_eq!(liveness.look(BOTH, 0, LIMITS, 1029 * SECOND), Some(NONE_RECEIVED));
        assert_eq!(liveness.look(BOTH, 0, LIMITS, 1031 * SECOND), Some(Finding::Silent));
    }
}
