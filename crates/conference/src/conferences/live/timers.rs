//! Durations that run in a conference, on the monotonic clock.

use crate::time::Mono;
use plenary_model::NameId;
use std::collections::VecDeque;

#[derive(Debug, Default)]
pub(super) struct Timers {
    pub(super) alone: Option<Alone>,
    /// The last leader has left: when the conference ends if none comes.
    pub(super) leader_gone: Option<Mono>,
    /// Names of participants who have left, and when they are not needed any more.
    pub(super) names: VecDeque<(Mono, NameId)>,
}

/// There is one participant only.
#[derive(Debug)]
pub(super) struct Alone {
    /// By the rules it may last so long.
    pub(super) minutes: u32,
    pub(super) at: Mono,
    /// It has been warned; `at` is the end.
    pub(super) is_told: bool,
}

impl Timers {
    /// `ends_in_s`: when the conference ends; `None`: it goes on.
    pub(super) fn leader_is_gone(&mut self, ends_in_s: Option<u32>, now: Mono) {
        self.leader_gone = ends_in_s.map(|seconds| after_s(now, seconds));
    }

    pub(super) fn next(&self) -> Option<Mono> {
        let alone = self.alone.as_ref().map(|alone| alone.at);
        let name = self.names.front().map(|(at, _)| *at);
        [alone, self.leader_gone, name].into_iter().flatten().min()
    }
}

pub(super) fn after_s(now: Mono, seconds: u32) -> Mono {
    now.plus_ms(u64::from(seconds) * 1000)
}
