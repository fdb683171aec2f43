//! How fast PINs of rooms, and passwords of people, can be guessed. Pure: counts and times in, a decision out.
//!
//! Of a PIN the caller is a caller in one room and the room is the room; of a password the caller is an address that signs in
//! by one login, and the room is that login. Wrong PINs raise four levels, which drain with time:
//!
//! ```text
//! level   counts over                            drains    slows down
//! caller  one caller in one room                  1 / h    that caller: 30 s after the third, doubled with each further one
//! source  one address, user or trunk, all rooms   60 / h   callers of that source who were never right in the room
//!                                        (trunk: 120 / h)
//! room    all callers of one room               600 / h    callers who were never right in the room
//! alarm   the same                               20 / h    none: leaders are warned
//! ```
//!
//! A caller who was right in a room before, and comes from the same place, is held up only by their own mistakes, and by
//! those for a minute at the most: others cannot lock them out. Callers who show no number are not told apart, so none of them is
//! held up by the mistakes of one: the source and the room slow them. docs/entry-security.md has the arithmetic.

use plenary_model::Timestamp;

/// One wrong PIN.
const ONE: i64 = 1000;
const HOUR_MS: i64 = 3_600_000;
/// Wrong PINs of a caller that are followed by no wait.
const FREE: u32 = 3;
/// The wait after the last of these.
const FIRST_WAIT_MS: i64 = 30_000;
/// The longest wait of a caller.
const WAIT_MS_MAX: i64 = HOUR_MS;
/// The longest wait of a caller who was right before: others may forge its number, and a dialogue keeps a PIN for so long.
const SHORT_WAIT_MS_MAX: i64 = 60_000;
/// A caller who was right is known for so long.
const KNOWN_MS: i64 = 90 * 24 * HOUR_MS;
/// Callers who were right so long ago are not known any more: what is kept of them can go.
pub(crate) const UNKNOWN_MS: i64 = KNOWN_MS;
/// Levels that were raised so long ago are empty.
pub(crate) const EMPTY_MS: i64 = 7 * 24 * HOUR_MS;
/// That a caller was right is written down again after so long.
const REFRESHED_MS: i64 = 24 * HOUR_MS;
/// Wrong PINs in a room after which its leaders are first warned.
const ALARM: i64 = 20;

/// A count that drains with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Level {
    /// Thousandths, at that time.
    pub(crate) thousandths: i64,
    /// When it was last raised.
    pub(crate) at: Timestamp,
}

/// How a level drains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Drain {
    per_hour: i64,
}

/// How many may be wrong at once, and how many an hour for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bucket {
    burst: i64,
    drain: Drain,
}

pub(crate) const CALLER: Drain = Drain { per_hour: 1 };
pub(crate) const ALARMED: Drain = Drain { per_hour: 20 };
const ROOM: Bucket = Bucket { burst: 60, drain: Drain { per_hour: 600 } };
const SOURCE: Bucket = Bucket { burst: 20, drain: Drain { per_hour: 60 } };
const TRUNK: Bucket = Bucket { burst: 60, drain: Drain { per_hour: 120 } };

impl Level {
    fn left(self, now: Timestamp, drain: Drain) -> i64 {
        // A clock that was set back drains nothing, and fills nothing.
        let passed = now.0.saturating_sub(self.at.0).clamp(0, 1000 * 24 * HOUR_MS);
        (self.thousandths - passed * drain.per_hour * ONE / HOUR_MS).max(0)
    }

    /// With one more.
    pub(crate) fn raised(self, now: Timestamp, drain: Drain) -> Self {
        Self { thousandths: self.left(now, drain) + ONE, at: now }
    }

    /// Wrong PINs, a begun one counting whole.
    fn count(self, now: Timestamp, drain: Drain) -> i64 {
        (self.left(now, drain) + ONE - 1) / ONE
    }
}

impl Bucket {
    /// When there is place for one more.
    fn free_at(self, level: Level, now: Timestamp) -> Timestamp {
        let above = level.thousandths - (self.burst - 1) * ONE;
        let wait = above.max(0) * HOUR_MS;
        let per_hour = self.drain.per_hour * ONE;
        // From when it was raised: what has drained since is a rounded count.
        Timestamp(level.at.0.min(now.0) + (wait + per_hour - 1) / per_hour).max(now)
    }
}

/// What is known of a caller in a room, before a PIN is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tries {
    /// Of the caller in the room.
    pub(crate) caller: Level,
    /// When the caller was last right there.
    pub(crate) right_at: Option<Timestamp>,
    /// Of where the caller comes from.
    pub(crate) source: Level,
    /// Of the room.
    pub(crate) room: Level,
}

/// What distinguishes a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The source is a trunk, which many people come by.
    pub(crate) is_trunk: bool,
    /// Others look the same: callers without a number or a name.
    pub(crate) is_shared: bool,
}

impl Place {
    pub(crate) fn source_drain(self) -> Drain {
        self.source().drain
    }

    fn source(self) -> Bucket {
        if self.is_trunk { TRUNK } else { SOURCE }
    }
}

pub(crate) fn room_drain() -> Drain {
    ROOM.drain
}

impl Tries {
    /// The caller was right here before.
    pub(crate) fn is_known(&self, place: Place, now: Timestamp) -> bool {
        !place.is_shared && self.right_at.is_some_and(|at| now.0.saturating_sub(at.0) < KNOWN_MS)
    }

    /// From when on the caller's next PIN is looked at; `None`: now.
    pub(crate) fn wait(&self, place: Place, now: Timestamp) -> Option<Timestamp> {
        let is_known = self.is_known(place, now);
        let longest = if is_known { SHORT_WAIT_MS_MAX } else { WAIT_MS_MAX };
        let mut free_at = match u32::try_from(self.caller.count(now, CALLER)).unwrap_or(u32::MAX) {
            _ if place.is_shared => now,
            count if count < FREE => now,
            // After the seventh doubling it is the longest in any case.
            count => {
                let wait = (FIRST_WAIT_MS << (count - FREE).min(7)).min(longest);
                Timestamp(self.caller.at.0.min(now.0) + wait)
            }
        };
        if !is_known {
            free_at = free_at.max(place.source().free_at(self.source, now)).max(ROOM.free_at(self.room, now));
        }
        (free_at > now).then_some(free_at)
    }

    /// That the caller was right has to be written down.
    pub(crate) fn is_news(&self, place: Place, now: Timestamp) -> bool {
        !place.is_shared && self.right_at.is_none_or(|at| now.0.saturating_sub(at.0) >= REFRESHED_MS)
    }
}

/// How many wrong PINs leaders are warned of, when the level of the room's alarm rises to this: at the 20th, the 40th, the 80th …
pub(crate) fn alarm(before: Level, now: Timestamp) -> Option<u32> {
    let count = before.count(now, ALARMED);
    let raised = before.raised(now, ALARMED).count(now, ALARMED);
    let mut reported = ALARM;
    while reported < raised {
        reported *= 2;
    }
    (raised == reported && count < reported).then(|| u32::try_from(reported).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
    const ADDRESS: Place = Place { is_trunk: false, is_shared: false };
    const OF_TRUNK: Place = Place { is_trunk: true, is_shared: false };
    const HIDDEN: Place = Place { is_trunk: true, is_shared: true };

    fn later(ms: i64) -> Timestamp {
        Timestamp(NOW.0 + ms)
    }

    fn wrong(tries: &mut Tries, place: Place, now: Timestamp) {
        tries.caller = tries.caller.raised(now, CALLER);
        tries.source = tries.source.raised(now, place.source_drain());
        tries.room = tries.room.raised(now, room_drain());
    }

    /// The waits of a caller who tries again as soon as that is possible, in seconds.
    fn waits(mut tries: Tries, place: Place, count: usize) -> Vec<i64> {
        let mut now = NOW;
        let mut waits = Vec::new();
        for _ in 0..count {
            let free_at = tries.wait(place, now).unwrap_or(now);
            waits.push((free_at.0 - now.0) / 1000);
            now = free_at;
            wrong(&mut tries, place, now);
        }
        waits
    }

    #[test]
    fn a_caller_waits_longer_after_each_mistake_behind_the_third() {
        assert_eq!(
            waits(Tries::default(), ADDRESS, 11),
            [0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 1920],
            "by then one was forgotten"
        );
        // Callers who were right before wait a minute at the most.
        let known = Tries { right_at: Some(NOW), ..Tries::default() };
        assert_eq!(waits(known, OF_TRUNK, 7), [0, 0, 0, 30, 60, 60, 60]);
    }

    #[test]
    fn callers_who_cannot_be_told_apart_wait_for_a_place_of_their_source_and_not_for_each_other() {
        let of_trunk = waits(Tries::default(), HIDDEN, 63);
        assert!(of_trunk[..60].iter().all(|wait| *wait == 0) && of_trunk[60..] == [30; 3], "{of_trunk:?}");
        let of_address = waits(Tries::default(), Place { is_trunk: false, is_shared: true }, 23);
        assert!(
            of_address[..20].iter().all(|wait| *wait == 0) && of_address[20..] == [60; 3],
            "{of_address:?}"
        );
    }

    /// What docs/entry-security.md says of a day.
    #[test]
    fn so_many_can_be_guessed_in_a_day() {
        let day = |mut tries: Tries, place: Place, is_new_each_time: bool| {
            let (mut now, mut count) = (NOW, 0);
            loop {
                now = tries.wait(place, now).unwrap_or(now);
                if now >= later(24 * HOUR_MS) {
                    return count;
                }
                wrong(&mut tries, place, now);
                count += 1;
                if is_new_each_time {
                    tries.caller = Level::default();
                }
            }
        };
        assert_eq!(day(Tries::default(), ADDRESS, false), 33, "one caller");
        assert_eq!(
            day(Tries { right_at: Some(NOW), ..Tries::default() }, ADDRESS, false),
            1443,
            "a known one"
        );
        assert_eq!(
            day(Tries::default(), HIDDEN, false),
            60 + 24 * 120 - 1,
            "a trunk's callers without a number"
        );
        assert_eq!(
            day(Tries::default(), ADDRESS, true),
            20 + 24 * 60 - 1,
            "one address, a new name each time"
        );
        assert_eq!(
            day(Tries::default(), OF_TRUNK, true),
            60 + 24 * 120 - 1,
            "one trunk, a forged number each time"
        );
        // However many sources there are.
        let mut everywhere = Tries::default();
        let (mut now, mut count) = (NOW, 0);
        while now < later(24 * HOUR_MS) {
            wrong(&mut everywhere, ADDRESS, now);
            (everywhere.caller, everywhere.source) = (Level::default(), Level::default());
            count += 1;
            now = everywhere.wait(ADDRESS, now).unwrap_or(now);
        }
        assert_eq!(count, 60 + 24 * 600 - 1);
    }

    #[test]
    fn mistakes_of_others_hold_up_only_those_who_were_never_right() {
        let full = Level { thousandths: 1000 * ONE, at: NOW };
        let known = Tries { right_at: Some(NOW), source: full, room: full, ..Tries::default() };
        assert_eq!(known.wait(ADDRESS, NOW), None);
        assert_eq!(known.wait(OF_TRUNK, NOW), None);
        let unknown = Tries { right_at: None, ..known };
        assert!(unknown.wait(ADDRESS, NOW).is_some());
        // A caller of a full room from elsewhere waits for a place, which there is every six seconds.
        let busy = Tries { room: Level { thousandths: 60 * ONE, at: NOW }, ..Tries::default() };
        assert_eq!(busy.wait(ADDRESS, NOW), Some(later(6000)));
        assert_eq!(busy.wait(ADDRESS, later(6000)), None);
        // After three months callers are not known any more.
        assert!(known.is_known(ADDRESS, later(KNOWN_MS - 1)) && !known.is_known(ADDRESS, later(KNOWN_MS)));
        assert!(!known.is_known(HIDDEN, NOW), "every caller without a number looks like that");
    }

    #[test]
    fn mistakes_are_forgotten_in_time_and_a_clock_that_is_set_back_locks_nobody_out() {
        let mut tries = Tries::default();
        (0..3).for_each(|_| wrong(&mut tries, ADDRESS, NOW));
        assert_eq!(tries.wait(ADDRESS, NOW), Some(later(30_000)));
        assert_eq!(tries.wait(ADDRESS, later(30_000)), None);
        wrong(&mut tries, ADDRESS, later(HOUR_MS));
        assert_eq!(tries.wait(ADDRESS, later(HOUR_MS)), Some(later(HOUR_MS + 30_000)), "one was forgotten");
        assert_eq!(tries.wait(ADDRESS, later(4 * HOUR_MS)), None);
        let ago = later(-1000 * 24 * HOUR_MS);
        assert!(
            tries.wait(ADDRESS, ago).is_some_and(|at| at.0 - ago.0 <= 60_000),
            "{:?}",
            tries.wait(ADDRESS, ago)
        );
        assert_eq!(tries.caller.raised(Timestamp(i64::MAX), CALLER).thousandths, ONE);
    }

    #[test]
    fn leaders_are_told_at_twenty_and_at_each_doubling() {
        let (mut level, mut reported) = (Level::default(), Vec::new());
        for number in 1..=100 {
            reported.extend(alarm(level, NOW).map(|count| (number, count)));
            level = level.raised(NOW, ALARMED);
        }
        assert_eq!(reported, [(20, 20), (40, 40), (80, 80)]);
        // One wrong PIN every three minutes is what people do.
        let (mut level, mut now) = (Level::default(), NOW);
        for _ in 0..1000 {
            assert_eq!(alarm(level, now), None);
            level = level.raised(now, ALARMED);
            now = Timestamp(now.0 + 180_000);
        }
    }

    proptest! {
        /// However others guess, and by whichever way they come: who was right in the room before is held up by their own
        /// mistakes alone, and by those for a minute at the most. Who was never right, or shows no number, finds a place within a
        /// minute.
        #[test]
        fn others_never_lock_members_out(
            guesses in proptest::collection::vec((0..8_usize, 0..600_000_i64, any::<bool>()), 0..400),
            own_mistakes in 0..12_u32,
            is_trunk: bool,
            right_days_ago in 0..90_i64,
        ) {
            let place = Place { is_trunk, is_shared: false };
            let mut now = NOW;
            // Eight guessers, the first four of them from the member's own address or trunk.
            let mut callers = [Level::default(); 8];
            let (mut of_member, mut elsewhere, mut room) = (Level::default(), Level::default(), Level::default());
            for (who, later_ms, is_patient) in guesses {
                now = Timestamp(now.0 + later_ms);
                let source = if who < 4 { &mut of_member } else { &mut elsewhere };
                let tries = Tries { caller: callers[who], right_at: None, source: *source, room };
                if let Some(free_at) = tries.wait(place, now) {
                    if !is_patient {
                        continue;
                    }
                    now = free_at;
                }
                callers[who] = callers[who].raised(now, CALLER);
                *source = source.raised(now, place.source_drain());
                room = room.raised(now, room_drain());

                let right_at = Some(Timestamp(now.0 - right_days_ago * 24 * HOUR_MS));
                let member = Tries { caller: Level::default(), right_at, source: of_member, room };
                prop_assert_eq!(member.wait(place, now), None);
                let stranger = Tries { right_at: None, ..member };
                let waits_ms = stranger.wait(place, now).map_or(0, |until| until.0 - now.0);
                prop_assert!(waits_ms <= 60_000, "{} ms", waits_ms);
                // One without a number, whom all the guessers look like.
                let hidden = Tries { caller: callers[0], ..stranger };
                let place = Place { is_shared: true, ..place };
                let waits_ms = hidden.wait(place, now).map_or(0, |until| until.0 - now.0);
                prop_assert!(waits_ms <= 60_000, "{} ms", waits_ms);
            }
            let mut own = Level::default();
            (0..own_mistakes).for_each(|_| own = own.raised(now, CALLER));
            let member = Tries { caller: own, right_at: Some(now), source: of_member, room };
            let waits_ms = member.wait(place, now).map_or(0, |until| until.0 - now.0);
            prop_assert!(waits_ms <= SHORT_WAIT_MS_MAX, "{} ms", waits_ms);
            prop_assert!(own_mistakes >= FREE || waits_ms == 0, "{} ms", waits_ms);
        }
    }
}
