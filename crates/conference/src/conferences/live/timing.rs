//! What happens in a conference because time passes.

use super::{
    LiveConference, Member,
    timers::{Alone, after_s},
};
use crate::{
    conferences::turn::Turn,
    effect::{Announcement, Effect, EndReason},
    recording::RecordingRules,
    time::{Mono, Timestamp},
};
use plenary_model::{Actor, NameId};

/// The only participant is warned so long before the conference ends.
const ALONE_NOTICE_S: u32 = 60;
/// A recorded name is kept for so long after its owner has left: it is played as they leave, and other announcements may come first.
const NAME_KEPT_S: u32 = 30;

impl LiveConference {
    /// When [`Self::on_time`] is due.
    pub(in crate::conferences) fn next_time(&self) -> Option<Mono> {
        [self.timers.next(), self.recordings.next()].into_iter().flatten().min()
    }

    /// Sets and cancels timers by how things stand now. `ends_at`: when the reservation that the conference is of is over.
    pub(in crate::conferences) fn settle(
        &mut self,
        ends_at: Option<Timestamp>,
        recording: &RecordingRules,
        turn: &mut Turn<'_>,
    ) {
        self.settle_lobby(turn);
        self.settle_recording(recording, turn);
        if self.members.is_empty() || self.has_leader() {
            self.timers.leader_gone = None;
        }
        // With a call on the way in, which may be one that the only participant has made, no participant is alone.
        let is_alone = self.members.len() == 1 && self.admitted.is_empty();
        let minutes = self.rules.as_ref().filter(|_| is_alone).map(|rules| rules.alone_min);
        self.timers.alone = match (minutes, self.timers.alone.take()) {
            (None | Some(0), _) => None,
            (Some(minutes), Some(alone)) if alone.minutes == minutes => Some(alone),
            (Some(minutes), _) => {
                let at = after_s(turn.now.mono, minutes.saturating_mul(60).saturating_sub(ALONE_NOTICE_S));
                Some(Alone { minutes, at, is_told: false })
            }
        };
        let minutes = self.rules.as_ref().map(|rules| &rules.time_warnings_min[..]);
        self.warnings.settle(ends_at, minutes, turn.now.wall);
    }

    /// Does what is due. `Some`: the conference ends for all.
    pub(in crate::conferences) fn on_time(
        &mut self,
        recording: &RecordingRules,
        turn: &mut Turn<'_>,
    ) -> Option<EndReason> {
        let now = turn.now.mono;
        self.on_recording_time(recording, turn);
        while let Some((_, name)) = self.timers.names.pop_front_if(|(at, _)| *at <= now) {
            turn.effect(Effect::ForgetName { conference: turn.key.clone(), name });
        }
        if self.timers.leader_gone.take_if(|at| *at <= now).is_some() {
            return Some(EndReason::LeaderLeft);
        }
        match &mut self.timers.alone {
            Some(alone) if alone.at > now => {}
            Some(Alone { is_told: true, .. }) => return Some(EndReason::Alone),
            // What was said is kept, also where it was said late.
            Some(alone) => {
                (alone.is_told, alone.at) = (true, after_s(now, ALONE_NOTICE_S));
                turn.announce(Announcement::AloneEndsIn { seconds: ALONE_NOTICE_S });
            }
            None => {}
        }
        None
    }

    /// The owner of a name has left.
    pub(super) fn forget_name_later(&mut self, name: Option<NameId>, turn: &Turn<'_>) {
        let at = after_s(turn.now.mono, NAME_KEPT_S);
        self.timers.names.extend(name.map(|name| (at, name)));
    }

    /// The names of participants who have left are not played any more.
    pub(in crate::conferences) fn forget_names(&mut self, turn: &mut Turn<'_>) {
        for (_, name) in std::mem::take(&mut self.timers.names) {
            turn.effect(Effect::ForgetName { conference: turn.key.clone(), name });
        }
    }

    /// When [`Self::on_date`] is due.
    pub(in crate::conferences) fn next_date(&self) -> Option<Timestamp> {
        self.warnings.next()
    }

    /// Says what is due.
    pub(in crate::conferences) fn on_date(&mut self, turn: &mut Turn<'_>) {
        if let Some(seconds) = self.warnings.take_due(turn.now.wall)
            && self.has_members()
        {
            turn.announce(Announcement::EndsIn { seconds });
        }
    }

    /// The reservation grows by so many milliseconds. A leader who has asked for that by key hears it as the answer to the key.
    pub(in crate::conferences) fn announce_extension(&self, by_ms: i64, turn: &mut Turn<'_>) {
        let seconds = u32::try_from(by_ms / 1000).unwrap_or(0);
        if seconds == 0 || !self.has_members() {
            return;
        }
        let has_asked = |member: &&Member| *turn.actor == Actor::participant(&member.id, true);
        match self.members().find(has_asked).map(|member| member.id.clone()) {
            Some(by) => turn.announce_to_others(&by, Announcement::ExtendedBy { seconds }),
            None if self.has_rules() => turn.announce(Announcement::ExtendedBy { seconds }),
            None => {}
        }
    }
}
