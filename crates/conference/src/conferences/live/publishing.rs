//! What of a participant is published beside what it does to the conference.

use super::{EntryOrder, LiveConference, member::Member};
use crate::{conferences::turn::Turn, event::EdgeReport, id::ParticipantId, muting::Muting};
use plenary_model::{EventKind, ParticipantUpdate};

impl LiveConference {
    /// The edge of a participant who is in says something.
    pub(in crate::conferences) fn report(
        &mut self,
        order: EntryOrder,
        report: EdgeReport,
        turn: &mut Turn<'_>,
    ) {
        let Some(member) = self.members.get_mut(&order) else { return };
        match report {
            EdgeReport::Talking(is_talking) => {
                let was_heard = member.is_heard_talking();
                member.is_talking = is_talking;
                member.publish_talking(was_heard, turn);
            }
            EdgeReport::Held(is_held) => {
                self.hold(order, turn, |member| member.is_held_by_telephone = is_held);
                self.come_back(order, turn);
            }
            EdgeReport::Renamed(name) => {
                if member.who.display_name != name {
                    member.who.display_name.clone_from(&name);
                    let update =
                        ParticipantUpdate { display_name: Some(name), ..ParticipantUpdate::default() };
                    turn.publish_of(&member.id, EventKind::ParticipantChanged(update), None);
                }
            }
            EdgeReport::Changed(update) => {
                turn.publish_of(&member.id, EventKind::ParticipantChanged(*update), None);
            }
            EdgeReport::Leaving { reason, is_own } => member.leaving = Some((reason, is_own)),
            EdgeReport::PlaybackStarted { .. } | EdgeReport::PlaybackEnded { .. } => {
                let id = member.id.clone();
                self.report_playback(Some(&id), report, turn);
            }
            // Who is in is not being called.
            EdgeReport::Ringing | EdgeReport::Failed { .. } => {}
            // It is about no participant.
            EdgeReport::Sound(_) => {}
        }
    }

    /// The edge says something about the conference as a whole.
    pub(in crate::conferences) fn report_of_all(&mut self, report: EdgeReport, turn: &mut Turn<'_>) {
        match report {
            EdgeReport::Sound(sound) => turn.publish(EventKind::ConferenceSound(sound)),
            report => self.report_playback(None, report, turn),
        }
    }

    /// Something is being played, or is over.
    pub(in crate::conferences) fn report_playback(
        &mut self,
        participant: Option<&ParticipantId>,
        report: EdgeReport,
        turn: &mut Turn<'_>,
    ) {
        let kind = match report {
            EdgeReport::PlaybackStarted { id } if self.playbacks.insert(id.clone()) => {
                EventKind::PlaybackStarted { playback_id: id }
            }
            EdgeReport::PlaybackEnded { id } if self.playbacks.remove(&id) => {
                EventKind::PlaybackEnded { playback_id: id }
            }
            _ => return,
        };
        turn.publish_as(participant, kind, None, turn.actor.clone());
    }

    /// The conference is over, and with it what is played to it.
    pub(in crate::conferences) fn end_playbacks(&mut self, turn: &mut Turn<'_>) {
        for playback_id in std::mem::take(&mut self.playbacks) {
            turn.publish(EventKind::PlaybackEnded { playback_id });
        }
    }

    /// Whichever actor puts a participant on hold: that it is, is published once.
    pub(super) fn hold(&mut self, order: EntryOrder, turn: &mut Turn<'_>, change: impl FnOnce(&mut Member)) {
        let Some(member) = self.members.get_mut(&order) else { return };
        let before = member.is_on_hold();
        change(member);
        let kind = match (before, member.is_on_hold()) {
            (false, true) => EventKind::ParticipantHeld {},
            (true, false) => EventKind::ParticipantResumed {},
            (false, false) | (true, true) => return,
        };
        turn.publish_of(&member.id, kind, None);
    }
}

impl LiveConference {
    /// Who is heard talking.
    pub(in crate::conferences) fn talkers(&self) -> impl Iterator<Item = &ParticipantId> {
        self.members().filter(|member| member.is_heard_talking()).map(|member| &member.id)
    }
}

impl Member {
    /// It speaks, and is not muted.
    pub(super) fn is_heard_talking(&self) -> bool {
        self.is_talking && !self.is_muted()
    }

    pub(super) fn publish_talking(&self, was_heard: bool, turn: &mut Turn<'_>) {
        let kind = match (was_heard, self.is_heard_talking()) {
            (false, true) => EventKind::ParticipantTalking {},
            (true, false) => EventKind::ParticipantSilent {},
            (false, false) | (true, true) => return,
        };
        turn.publish_of(&self.id, kind, None);
    }

    pub(super) fn publish_muting(&self, before: Muting, turn: &mut Turn<'_>) {
        let kind = match (before.muted_by(), self.muting.muted_by()) {
            (before, now) if before == now => return,
            (_, Some(by)) => EventKind::ParticipantMuted { by },
            (_, None) => EventKind::ParticipantUnmuted {},
        };
        turn.publish_of(&self.id, kind, None);
    }
}

pub(super) fn publish_heard_by(
    participant: &ParticipantId,
    by: &Option<Vec<ParticipantId>>,
    turn: &mut Turn<'_>,
) {
    let update = ParticipantUpdate { heard_by: Some(by.clone()), ..ParticipantUpdate::default() };
    turn.publish_of(participant, EventKind::ParticipantChanged(update), None);
}
