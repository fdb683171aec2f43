//! What accounts have used: minutes of calls, minutes of seats, and how many seats at a time.
//!
//! What is added comes in the order of its beginnings, as the store gives it, so nothing has to be remembered but who is in at that
//! moment. Calls and stays count for the part of them that is within the time asked for; what goes on at midnight (UTC) is
//! divided among its days, or months.

use crate::{AccountId, Timestamp};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What a line of the answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageBy {
    /// A day, UTC.
    Day,
    /// A month, UTC.
    Month,
    /// An account.
    Account,
    /// A conference, by its name.
    Conference,
    /// A trunk.
    Trunk,
}

impl UsageBy {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Day, Self::Month, Self::Account, Self::Conference, Self::Trunk];

    /// As it is asked for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Account => "account",
            Self::Conference => "conference",
            Self::Trunk => "trunk",
        }
    }
}

/// What lines are told apart by, in their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsageKey {
    /// Its beginning.
    Day(Timestamp),
    /// Its beginning.
    Month(Timestamp),
    /// Its number.
    Account(AccountId),
    /// A conference of an account; `None`: calls that were in none.
    Conference(AccountId, Option<String>),
    /// A trunk of an account; `None`: calls by none.
    Trunk(AccountId, Option<String>),
}

/// A call that was answered, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedCall {
    /// The account whose service or conference it was in.
    pub account: AccountId,
    /// The conference it was in.
    pub conference: Option<String>,
    /// The trunk it went or came through.
    pub trunk: Option<String>,
    /// We placed it.
    pub is_outgoing: bool,
    /// When it was answered.
    pub from: Timestamp,
    /// When it ended.
    pub to: Timestamp,
}

/// A participant's stay in a conference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedSeat {
    /// The account whose conference it was.
    pub account: AccountId,
    /// The conference.
    pub conference: String,
    /// When it entered.
    pub from: Timestamp,
    /// When it left.
    pub to: Timestamp,
}

/// A conference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedConference {
    /// The account whose conference it was.
    pub account: AccountId,
    /// Its name.
    pub conference: String,
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub to: Timestamp,
    /// The seats that were reserved.
    pub reserved_seats: Option<u32>,
}

/// What was used, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Answered calls that began within the time.
    pub calls: u64,
    /// Of calls that came in.
    pub incoming_ms: i64,
    /// Of calls that we placed.
    pub outgoing_ms: i64,
    /// Conferences that began within the time.
    pub conferences: u64,
    /// Of participants in conferences.
    pub seat_ms: i64,
    /// Of seats that were reserved, whether or not anybody sat there.
    pub reserved_seat_ms: i64,
    /// The most participants in conferences at a time.
    pub peak_seats: u32,
}

/// Adds up usage.
#[derive(Debug)]
pub struct UsageTable {
    by: UsageBy,
    from: Timestamp,
    to: Timestamp,
    lines: BTreeMap<UsageKey, Usage>,
    /// When those will leave who are in, by what their peak is counted for.
    seated: BTreeMap<UsageKey, BinaryHeap<Reverse<i64>>>,
    /// The day or month of the latest beginning.
    period: Option<Timestamp>,
}

impl UsageTable {
    /// Of what was used from `from` on and before `to`.
    #[must_use]
    pub fn new(by: UsageBy, from: Timestamp, to: Timestamp) -> Self {
        Self { by, from, to, lines: BTreeMap::new(), seated: BTreeMap::new(), period: None }
    }

    /// Adds a call.
    pub fn add_call(&mut self, call: &UsedCall) {
        let (account, conference, trunk) = (call.account, call.conference.clone(), call.trunk.clone());
        let key = match self.by {
            UsageBy::Day | UsageBy::Month => None,
            UsageBy::Account => Some(UsageKey::Account(account)),
            UsageBy::Conference => Some(UsageKey::Conference(account, conference)),
            UsageBy::Trunk => Some(UsageKey::Trunk(account, trunk)),
        };
        self.divide(key.as_ref(), call.from, call.to, |line, ms, begins| {
            line.calls += u64::from(begins);
            *(if call.is_outgoing { &mut line.outgoing_ms } else { &mut line.incoming_ms }) += ms;
        });
    }

    /// Adds a conference.
    pub fn add_conference(&mut self, conference: &UsedConference) {
        let UsedConference { account, from, to, reserved_seats, .. } = *conference;
        let Some(key) = self.key_of(account, &conference.conference) else { return };
        self.divide(key.as_ref(), from, to, |line, ms, begins| {
            line.conferences += u64::from(begins);
            line.reserved_seat_ms += ms.saturating_mul(i64::from(reserved_seats.unwrap_or_default()));
        });
    }

    /// Adds a stay that begins no earlier than the ones before it.
    pub fn add_seat(&mut self, seat: &UsedSeat) {
        let Some(key) = self.key_of(seat.account, &seat.conference) else { return };
        self.divide(key.as_ref(), seat.from, seat.to, |line, ms, _| line.seat_ms += ms);
        let from = seat.from.max(self.from);
        if from >= self.to || seat.to <= from {
            return;
        }
        match key {
            Some(key) => self.seat(key.clone(), key, from, seat.to),
            None => {
                let period = self.period_of(from);
                self.pass_periods(period.start);
                self.seat(ALL_PERIODS, period.key, from, seat.to);
            }
        }
    }

    /// The lines, in the order of their keys.
    #[must_use]
    pub fn finish(mut self) -> Vec<(UsageKey, Usage)> {
        let last = self.lines.keys().next_back().cloned();
        if let Some(UsageKey::Day(last) | UsageKey::Month(last)) = last {
            self.pass_periods(last);
        }
        self.lines.into_iter().collect()
    }

    /// The line of a conference; `Some(None)`: that of each of its days or months; `None`: it has none.
    fn key_of(&self, account: AccountId, conference: &str) -> Option<Option<UsageKey>> {
        match self.by {
            UsageBy::Day | UsageBy::Month => Some(None),
            UsageBy::Account => Some(Some(UsageKey::Account(account))),
            UsageBy::Conference => Some(Some(UsageKey::Conference(account, Some(conference.to_owned())))),
            // Seats are of no trunk.
            UsageBy::Trunk => None,
        }
    }

    /// Has the part within the time added, day by day or month by month where there is a line for each. `begins`: it has begun in this part.
    fn divide(
        &mut self,
        key: Option<&UsageKey>,
        began: Timestamp,
        ended: Timestamp,
        mut add: impl FnMut(&mut Usage, i64, bool),
    ) {
        let (mut from, to) = (began.max(self.from), ended.min(self.to));
        let begins_within = (self.from..self.to).contains(&began);
        if from > to || (from == to && !begins_within) {
            return;
        }
        let Some(key) = key else {
            loop {
                let Period { key, end, .. } = self.period_of(from);
                let end = end.min(to);
                let line = self.lines.entry(key).or_default();
                add(line, end.0 - from.0, begins_within && from == began);
                from = end;
                if from >= to {
                    return;
                }
            }
        };
        add(self.lines.entry(key.clone()).or_default(), to.0 - from.0, begins_within);
    }

    /// One more is in until `to`: of those in `group`, for the peak of `line`.
    fn seat(&mut self, group: UsageKey, line: UsageKey, from: Timestamp, to: Timestamp) {
        let seated = self.seated.entry(group).or_default();
        leave_until(seated, from);
        seated.push(Reverse(to.0));
        let present = u32::try_from(seated.len()).unwrap_or(u32::MAX);
        let line = self.lines.entry(line).or_default();
        line.peak_seats = line.peak_seats.max(present);
    }

    /// Those who are in at midnight count for the day or month that begins.
    fn pass_periods(&mut self, until: Timestamp) {
        let mut at = self.period.unwrap_or(until);
        while at < until {
            at = self.period_of(at).end;
            let key = self.period_of(at).key;
            let Some(seated) = self.seated.get_mut(&ALL_PERIODS) else { continue };
            leave_until(seated, at);
            if !seated.is_empty() {
                let present = u32::try_from(seated.len()).unwrap_or(u32::MAX);
                let line = self.lines.entry(key).or_default();
                line.peak_seats = line.peak_seats.max(present);
            }
        }
        self.period = Some(until);
    }

    /// The day or the month of a moment.
    fn period_of(&self, at: Timestamp) -> Period {
        let day = Timestamp(at.0.div_euclid(DAY_MS) * DAY_MS);
        if self.by != UsageBy::Month {
            return Period { key: UsageKey::Day(day), start: day, end: Timestamp(day.0 + DAY_MS) };
        }
        let (start, end) = month_of(day).unwrap_or((Timestamp(i64::MIN), Timestamp(i64::MAX)));
        Period { key: UsageKey::Month(start), start, end }
    }
}

/// A day or a month.
struct Period {
    key: UsageKey,
    start: Timestamp,
    /// The beginning of the next one.
    end: Timestamp,
}

/// Those who are in on whatever day.
const ALL_PERIODS: UsageKey = UsageKey::Day(Timestamp(i64::MIN));

fn leave_until(seated: &mut BinaryHeap<Reverse<i64>>, at: Timestamp) {
    while seated.peek().is_some_and(|Reverse(to)| *to <= at.0) {
        seated.pop();
    }
}

/// The beginnings of a month and of the next one, UTC; `None`: beyond the years that calendars count.
fn month_of(at: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let utc = jiff::tz::TimeZone::UTC;
    let first = jiff::Timestamp::from_millisecond(at.0).ok()?.to_zoned(utc).date().first_of_month();
    let next = first.checked_add(jiff::Span::new().months(1)).ok()?;
    let begins = |day: jiff::civil::Date| {
        let moment = jiff::tz::TimeZone::UTC.to_timestamp(day.to_datetime(jiff::civil::Time::midnight()));
        moment.ok().map(|moment| Timestamp(moment.as_millisecond()))
    };
    Some((begins(first)?, begins(next)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;
    const BOB: AccountId = AccountId(1);

    fn at(minute: i64) -> Timestamp {
        Timestamp(minute * MINUTE)
    }

    fn seat(from: i64, to: i64) -> UsedSeat {
        UsedSeat { account: BOB, conference: "Board".into(), from: at(from), to: at(to) }
    }

    fn day(number: i64) -> UsageKey {
        UsageKey::Day(Timestamp(number * DAY_MS))
    }

    #[test]
    fn what_goes_on_at_midnight_is_divided_and_begins_once() {
        let mut table = UsageTable::new(UsageBy::Day, at(0), at(3 * 1440));
        let call = UsedCall {
            account: BOB,
            conference: None,
            trunk: None,
            is_outgoing: false,
            from: at(1430),
            to: at(2 * 1440 + 5),
        };
        table.add_call(&call);
        let lines = table.finish();
        let told: Vec<_> =
            lines.into_iter().map(|(key, line)| (key, line.calls, line.incoming_ms / MINUTE)).collect();
        assert_eq!(told, [(day(0), 1, 10), (day(1), 0, 1440), (day(2), 0, 5)]);
    }

    #[test]
    fn months_begin_on_their_first_day_and_are_told_apart_by_year() {
        // From 20 December 2025 until 3 February 2026, one seat all of the time and another in January.
        let day = |number: i64| Timestamp(number * DAY_MS);
        let [december, january, february] = [20_423, 20_454, 20_485].map(day);
        let mut table = UsageTable::new(UsageBy::Month, day(20_423), day(20_600));
        let stay = |from: i64, to: i64| UsedSeat {
            account: BOB,
            conference: "Board".into(),
            from: day(from),
            to: day(to),
        };
        table.add_seat(&stay(20_442, 20_487));
        table.add_seat(&stay(20_460, 20_461));
        let lines: Vec<_> = table
            .finish()
            .into_iter()
            .map(|(key, line)| (key, line.seat_ms / DAY_MS, line.peak_seats))
            .collect();
        let expected = [
            (UsageKey::Month(december), 12, 1),
            (UsageKey::Month(january), 32, 2),
            (UsageKey::Month(february), 2, 1),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn only_the_part_within_the_time_counts() {
        let mut table = UsageTable::new(UsageBy::Trunk, at(10), at(20));
        let call = |from: i64, to: i64, trunk: &str| UsedCall {
            account: BOB,
            conference: None,
            trunk: Some(trunk.into()),
            is_outgoing: true,
            from: at(from),
            to: at(to),
        };
        for (from, to) in [(0, 10), (5, 12), (15, 15), (18, 30), (20, 25)] {
            table.add_call(&call(from, to, "p"));
        }
        table.add_seat(&seat(12, 14));
        let lines = table.finish();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0].0, UsageKey::Trunk(BOB, Some("p".into())));
        assert_eq!((lines[0].1.calls, lines[0].1.outgoing_ms / MINUTE, lines[0].1.seat_ms), (2, 4, 0));
    }

    #[test]
    fn the_peak_is_of_those_who_are_in_at_one_time() {
        for by in [UsageBy::Account, UsageBy::Conference] {
            let mut table = UsageTable::new(by, at(0), at(100));
            for (from, to) in [(0, 10), (5, 20), (10, 30), (12, 13), (50, 60)] {
                table.add_seat(&seat(from, to));
            }
            let lines = table.finish();
            assert_eq!((lines.len(), lines[0].1.peak_seats, lines[0].1.seat_ms / MINUTE), (1, 3, 56));
        }
    }

    #[test]
    fn who_stays_over_midnight_counts_for_the_peak_of_both_days() {
        let mut table = UsageTable::new(UsageBy::Day, at(0), at(5 * 1440));
        table.add_seat(&seat(1400, 1450));
        table.add_seat(&seat(1410, 3 * 1440 + 1));
        table.add_seat(&seat(1420, 1439));
        let peaks: Vec<_> = table.finish().into_iter().map(|(key, line)| (key, line.peak_seats)).collect();
        assert_eq!(peaks, [(day(0), 3), (day(1), 2), (day(2), 1), (day(3), 1)]);
    }

    #[test]
    fn reserved_seats_count_whether_or_not_they_are_taken() {
        let mut table = UsageTable::new(UsageBy::Conference, at(0), at(100));
        let conference = |from: i64, to: i64, reserved_seats| UsedConference {
            account: BOB,
            conference: "Board".into(),
            from: at(from),
            to: at(to),
            reserved_seats,
        };
        table.add_conference(&conference(10, 40, Some(5)));
        table.add_conference(&conference(50, 60, None));
        table.add_conference(&conference(90, 110, Some(2)));
        let lines = table.finish();
        assert_eq!((lines[0].1.conferences, lines[0].1.reserved_seat_ms / MINUTE), (3, 170));
    }

    proptest::proptest! {
        #[test]
        fn days_add_up_to_the_whole(
            stays in proptest::collection::vec((0_i64..10_000, 0_i64..5_000), 0..40),
            window in (0_i64..8_000, 1_i64..8_000),
        ) {
            let mut stays: Vec<_> = stays.into_iter().map(|(from, ms)| seat(from, from + ms)).collect();
            stays.sort_by_key(|stay| stay.from);
            let (from, to) = (at(window.0), at(window.0 + window.1));
            let [days, months, whole] = [UsageBy::Day, UsageBy::Month, UsageBy::Account].map(|by| {
                let mut table = UsageTable::new(by, from, to);
                stays.iter().for_each(|stay| table.add_seat(stay));
                table.finish()
            });
            let sum: i64 = days.iter().map(|(_, line)| line.seat_ms).sum();
            let peak = days.iter().map(|(_, line)| line.peak_seats).max().unwrap_or_default();
            let (whole_ms, whole_peak) = whole.first().map_or((0, 0), |(_, line)| (line.seat_ms, line.peak_seats));
            proptest::prop_assert_eq!((sum, peak), (whole_ms, whole_peak));
            let of_months: i64 = months.iter().map(|(_, line)| line.seat_ms).sum();
            let peak_of_months = months.iter().map(|(_, line)| line.peak_seats).max().unwrap_or_default();
            proptest::prop_assert_eq!((of_months, peak_of_months), (whole_ms, whole_peak));
            for (key, line) in &days {
                let UsageKey::Day(day) = key else { unreachable!() };
                let (start, end) = ((*day).max(from), Timestamp(day.0 + DAY_MS).min(to));
                // By brute force: at each beginning, who is in.
                let present = |at: Timestamp| stays.iter().filter(|stay| stay.from <= at && stay.to > at).count();
                let begins = stays.iter().map(|stay| stay.from).filter(|at| (start..end).contains(at));
                let most = begins.chain([start]).map(present).max().unwrap_or_default();
                proptest::prop_assert_eq!(line.peak_seats as usize, most);
            }
        }
    }
}
