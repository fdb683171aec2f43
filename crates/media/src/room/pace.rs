//! When a room had better tick: a packet waits for the tick after it, so the tick belongs just after the packets of those
//! who talk.
//!
//! A room only ever moves to sooner phases of its frame; those who listen get one packet early, which no jitter
//! buffer minds. A *free* move lets everybody be in time still. Where none is left, one talker may be in the way
//! of all others: past him he waits for nearly a frame more, and the others for so much less. Such a move makes up one
//! frame of his, so it has to be worth it, waits for a pause of his, and is rare.

use super::FRAME_NS;

/// A room ticks sooner only if this much more is to spare: a talker who then comes too late costs a frame.
const SPARE_NS: i64 = 300_000;
/// Ticks in a row for which a free move must have been possible, half a second.
const TICKS_BEFORE_FREE: u32 = 25;
/// For so many more ticks than not a move past a talker must have been the best, while people come in and fall silent: two
/// seconds where it can wait for his pause,
const TICKS_BEFORE_PASSING: u32 = 100;
/// five if he makes none.
const TICKS_BEFORE_PASSING_ALOUD: u32 = 250;
/// A move past a talker must save those who talk so much on the average.
const WORTH_NS: i64 = 2_500_000;
/// From one such move to the next: twenty seconds.
const TICKS_OF_REST: u32 = 1000;

/// What is known of a talker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Talker {
    /// How much sooner he could be heard.
    pub(super) spare_ns: i64,
    /// A frame of his could be made up unheard.
    pub(super) is_quiet: bool,
}

/// Counts how long a room could have ticked sooner.
#[derive(Debug, Default)]
pub(super) struct Pace {
    ticks_free: u32,
    /// The move past somebody that is best most of the time, in phases, and for how many more ticks than not it was.
    passing: u32,
    ticks_passing: u32,
    rest: u32,
}

impl Pace {
    /// By how many phases of `phase_ns` the room should tick sooner from now on.
    pub(super) fn advise(&mut self, talkers: &[Talker], phase_ns: u64) -> u32 {
        self.rest = self.rest.saturating_sub(1);
        let phase_ns = phase_ns as i64;
        let Some(least_ns) = talkers.iter().map(|talker| talker.spare_ns).min() else { return 0 };
        if least_ns > phase_ns + SPARE_NS {
            self.ticks_free += 1;
            if self.ticks_free < TICKS_BEFORE_FREE {
                return 0;
            }
            // Whoever is to be passed has come nearer.
            *self = Self { rest: self.rest, ..Self::default() };
            return 1;
        }
        self.ticks_free = 0;
        if self.rest > 0 {
            return 0;
        }
        let best = best_passing(talkers, phase_ns);
        if best != self.passing {
            self.ticks_passing = self.ticks_passing.saturating_sub(1);
            if self.ticks_passing == 0 {
                self.passing = best;
            }
            return 0;
        }
        self.ticks_passing += 1;
        if best == 0 {
            self.ticks_passing = self.ticks_passing.min(TICKS_BEFORE_PASSING);
            return 0;
        }
        let mut passed = talkers.iter().filter(|talker| is_passed(**talker, i64::from(best) * phase_ns));
        let ready = self.ticks_passing >= TICKS_BEFORE_PASSING && passed.all(|talker| talker.is_quiet)
            || self.ticks_passing >= TICKS_BEFORE_PASSING_ALOUD;
        if !ready {
            return 0;
        }
        *self = Self { rest: TICKS_OF_REST, ..Self::default() };
        best
    }
}

fn is_passed(talker: Talker, by_ns: i64) -> bool {
    talker.spare_ns <= by_ns + SPARE_NS
}

/// The move that lets those who talk wait least, in phases; 0: none is worth it.
fn best_passing(talkers: &[Talker], phase_ns: i64) -> u32 {
    let count = talkers.len() as i64;
    let change_ns = |phases: i64| -> i64 {
        let by_ns = phases * phase_ns;
        let passed = talkers.iter().filter(|talker| is_passed(**talker, by_ns)).count() as i64;
        passed * FRAME_NS as i64 - count * by_ns
    };
    let moves = 1..FRAME_NS as i64 / phase_ns.max(1);
    let best = moves.map(|phases| (change_ns(phases), phases)).min();
    best.filter(|(change_ns, _)| *change_ns <= -WORTH_NS * count).map_or(0, |(_, phases)| phases as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const PHASE_NS: u64 = 2_000_000;

    /// Talkers whose packets come so long before the tick, as time goes by: how long each waits at the end, and how
    /// often one of them had to wait for another tick.
    fn settle(spares_ms: &[i64], quiet: bool, ticks: u32) -> (Vec<i64>, u32) {
        let mut spares: Vec<i64> = spares_ms.iter().map(|ms| ms * MS).collect();
        let (mut pace, mut passed) = (Pace::default(), 0);
        for _ in 0..ticks {
            let talkers: Vec<Talker> =
                spares.iter().map(|spare_ns| Talker { spare_ns: *spare_ns, is_quiet: quiet }).collect();
            let by_ns = i64::from(pace.advise(&talkers, PHASE_NS)) * PHASE_NS as i64;
            for spare in &mut spares {
                *spare -= by_ns;
                if *spare < 0 {
                    *spare += FRAME_NS as i64;
                    passed += 1;
                }
            }
        }
        (spares.iter().map(|spare| spare / MS).collect(), passed)
    }

    #[test]
    fn a_room_moves_to_just_after_the_packets_of_one_who_talks() {
        for spare_ms in 0..20 {
            let (waits, passed) = settle(&[spare_ms], true, 1000);
            assert!(waits[0] <= 2, "{spare_ms}: {waits:?}");
            assert_eq!(passed, 0);
        }
        assert!(settle(&[], true, 1000).0.is_empty());
    }

    #[test]
    fn one_who_is_in_the_way_of_all_others_is_passed_once() {
        let (waits, passed) = settle(&[1, 12, 15], true, 3000);
        assert_eq!((waits, passed), (vec![11, 2, 5], 1));
        // He talks all the time: it takes longer.
        assert_eq!(settle(&[1, 12, 15], false, TICKS_BEFORE_PASSING_ALOUD).1, 0);
        assert_eq!(settle(&[1, 12, 15], false, TICKS_BEFORE_PASSING_ALOUD + 10).1, 1);
    }

    #[test]
    fn it_is_the_usual_talkers_that_count() {
        // Two talk all the time; a third comes in for a second of every three, and would have them where they are.
        let mut pace = Pace::default();
        let moves: Vec<u32> = (0..1000)
            .map(|tick| {
                let spares = if tick % 150 < 50 { vec![1, 15, 2] } else { vec![1, 15] };
                let talkers: Vec<Talker> =
                    spares.iter().map(|ms| Talker { spare_ns: ms * MS, is_quiet: true }).collect();
                pace.advise(&talkers, PHASE_NS)
            })
            .collect();
        assert_eq!(moves.iter().find(|phases| **phases > 0), Some(&7), "to just after the other");
        assert!(moves[..100].iter().all(|phases| *phases == 0));
    }

    #[test]
    fn nobody_is_passed_for_little() {
        // Spread evenly, there is nothing to gain.
        assert_eq!(settle(&[1, 8, 14], true, 3000), (vec![1, 8, 14], 0));
        let crowd: Vec<i64> = (0..40).map(|number| number % 20).collect();
        assert_eq!(settle(&crowd, true, 3000).1, 0);
    }

    #[test]
    fn wherever_three_talkers_begin_their_waits_are_short() {
        let mut all = Vec::new();
        for first in (0..20).step_by(3) {
            for second in (0..20).step_by(3) {
                for third in (0..20).step_by(3) {
                    let (waits, passed) = settle(&[first, second, third], true, 6000);
                    assert!(passed <= 3, "{first} {second} {third}: {passed}");
                    all.extend(waits);
                }
            }
        }
        all.sort_unstable();
        let median = all[all.len() / 2];
        assert!(median <= 4, "{median} ms");
    }
}
