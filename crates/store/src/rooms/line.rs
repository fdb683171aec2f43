//! PINs that are kept until they may be looked at: places are given in the order in which callers began to wait.
//!
//! Without that, a guesser who asks at the right moment could take each place from a member who has waited for it. The line is one
//! of a process; each process on the same database has its own.

use plenary_model::Timestamp;
use std::collections::VecDeque;

/// Who does not come back so long after their time does not wait any more, in milliseconds.
const GRACE_MS: i64 = 2_000;
/// Behind one whose time has come, the next one asks again after so long.
const AGAIN_MS: i64 = 500;
/// So many wait in an account; more are served as they come.
const WAITING_MAX: usize = 2_000;

/// Who waits, and what their place depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The call that keeps the PIN.
    pub(super) call: u64,
    pub(super) room: String,
    pub(super) caller: [u8; 32],
    pub(super) source: [u8; 32],
    /// Right before: held up by nobody but itself.
    pub(super) is_known: bool,
}

impl Place {
    /// A wrong PIN of the one would hold up the other.
    fn competes(&self, other: &Self) -> bool {
        let is_same_caller = self.caller == other.caller && self.room == other.room;
        let is_same_bucket = self.source == other.source || self.room == other.room;
        is_same_caller || (is_same_bucket && !self.is_known && !other.is_known)
    }
}

/// The line of an account.
#[derive(Debug, Default)]
pub(super) struct Line(VecDeque<(Place, Timestamp)>);

impl Line {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When this one asks again because another one is before it; `None`: it is its turn.
    pub(super) fn behind(&mut self, place: &Place, now: Timestamp) -> Option<Timestamp> {
        self.0.retain(|(other, until)| other.call == place.call || until.0 + GRACE_MS >= now.0);
        let before = self.0.iter().take_while(|(other, _)| other.call != place.call);
        let first = before.filter(|(other, _)| other.competes(place)).map(|(_, until)| *until).next()?;
        Some(Timestamp(first.0.max(now.0) + AGAIN_MS))
    }

    /// It waits, at the place that it has or as the last one.
    pub(super) fn keep(&mut self, place: &Place, until: Timestamp) {
        let has_room = self.0.len() < WAITING_MAX;
        match self.0.iter_mut().find(|(other, _)| other.call == place.call) {
            Some(waiting) => *waiting = (place.clone(), until),
            None if has_room => self.0.push_back((place.clone(), until)),
            None => {}
        }
    }

    /// It waits no more.
    pub(super) fn leave(&mut self, call: u64) {
        self.0.retain(|(other, _)| other.call != call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(call: u64, caller: u8, source: u8, room: &str) -> Place {
        Place { call, room: room.to_owned(), caller: [caller; 32], source: [source; 32], is_known: false }
    }

    #[test]
    fn places_are_given_in_the_order_in_which_callers_began_to_wait() {
        let mut line = Line::default();
        let (member, guesser) = (place(1, 1, 9, "1001"), place(2, 2, 9, "1001"));
        line.keep(&member, Timestamp(30_000));
        line.keep(&guesser, Timestamp(30_000));
        assert_eq!(
            line.behind(&guesser, Timestamp(30_000)),
            Some(Timestamp(30_500)),
            "however early it asks"
        );
        assert_eq!(line.behind(&member, Timestamp(30_000)), None);
        line.leave(1);
        assert_eq!(line.behind(&guesser, Timestamp(30_500)), None);
        // Who has tried goes to the end.
        line.leave(2);
        line.keep(&member, Timestamp(60_000));
        line.keep(&guesser, Timestamp(60_000));
        line.keep(&member, Timestamp(70_000));
        assert_eq!(
            line.behind(&guesser, Timestamp(60_000)),
            Some(Timestamp(70_500)),
            "who waits on keeps its place"
        );
    }

    #[test]
    fn only_those_wait_for_each_other_whose_mistakes_hold_each_other_up() {
        let mut line = Line::default();
        line.keep(&place(1, 1, 8, "1001"), Timestamp(30_000));
        for (other, waits) in [
            (place(2, 2, 8, "1002"), true),
            (place(2, 2, 7, "1001"), true),
            (place(2, 2, 7, "1002"), false),
            (Place { is_known: true, ..place(2, 2, 8, "1001") }, false),
            (Place { is_known: true, ..place(2, 1, 8, "1001") }, true),
        ] {
            assert_eq!(line.behind(&other, Timestamp(0)).is_some(), waits, "{other:?}");
        }
    }

    #[test]
    fn who_does_not_come_back_holds_up_nobody() {
        let mut line = Line::default();
        line.keep(&place(1, 1, 8, "1001"), Timestamp(30_000));
        let other = place(2, 2, 8, "1001");
        assert_eq!(line.behind(&other, Timestamp(32_000)), Some(Timestamp(32_500)));
        assert_eq!(line.behind(&other, Timestamp(32_001)), None);
        assert!(line.is_empty());
    }
}
