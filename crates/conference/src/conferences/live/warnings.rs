//! Warnings before the end of a reserved conference: dates, by the calendar, which may be corrected, and the end may move.

use crate::time::Timestamp;

/// A warning that comes later than this says how much time is left, and not what was planned.
const LATE_MS: i64 = 5000;
const MINUTE_MS: i64 = 60_000;

/// Which warnings are to come.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    /// Those before this end; `None`: there is no end, or no rules.
    ends_at: Option<Timestamp>,
    /// So many minutes before it.
    minutes: Vec<u32>,
    /// Those are to come that are nearer to the end than this, in milliseconds: the others were said, or were past already.
    below_ms: i64,
}

impl Warnings {
    /// By how things stand now.
    pub(super) fn settle(&mut self, ends_at: Option<Timestamp>, minutes: Option<&[u32]>, now: Timestamp) {
        let (Some(end), Some(minutes)) = (ends_at, minutes) else { return *self = Self::default() };
        let left_ms = end.0.saturating_sub(now.0);
        match self.ends_at {
            // What is past as the rules come to be known, or as the end moves away, is not announced later.
            None => self.below_ms = left_ms,
            Some(before) if before < end => self.below_ms = left_ms,
            // Where the end has come nearer, what that has skipped is said once, with the time that is left.
            Some(_) => {}
        }
        if self.minutes != minutes {
            self.minutes = minutes.to_vec();
            self.below_ms = self.below_ms.min(left_ms);
        }
        self.ends_at = Some(end);
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        let end = self.ends_at?;
        let before_ms = self.minutes.iter().map(|minutes| i64::from(*minutes) * MINUTE_MS);
        let next_ms = before_ms.filter(|before_ms| *before_ms < self.below_ms).max()?;
        Some(Timestamp(end.0.saturating_sub(next_ms)))
    }

    /// The warning that is due: how many seconds are left. Of several the last one, for the others are overtaken.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<u32> {
        let end = self.ends_at?;
        let mut seconds = None;
        while let Some(at) = self.next().filter(|at| *at <= now) {
            self.below_ms = end.0 - at.0;
            let is_late = now.0 - at.0 > LATE_MS;
            let left_ms = if is_late { end.0 - now.0 } else { self.below_ms };
            seconds = Some(u32::try_from((left_ms + 999) / 1000).unwrap_or(0));
        }
        seconds
    }
}
