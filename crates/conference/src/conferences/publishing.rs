//! Events for the log: who brings them about, and what edges report for them.

use super::{Conference, Conferences, ParticipantSummary, Seat, live::Guest};
use crate::{
    event::{EdgeReport, Event},
    id::{ConferenceKey, ParticipantId},
    refused::Refused,
    time::Now,
};
use plenary_model::{AccountEvent, Actor, CallDirection, EventKind, Introduction, ParticipantUpdate};

/// A call that is about to ask for a seat.
#[derive(Debug)]
pub(super) struct Introduced {
    pub(super) who: Introduction,
    pub(super) by: Option<Actor>,
}

impl Conferences {
    /// The next event for the log, oldest first.
    pub fn poll_event(&mut self) -> Option<AccountEvent> {
        self.events.pop_front()
    }

    /// What is done from now on, a web service has asked for: by this actor. `None`: nobody's request is being carried out.
    pub fn set_requester(&mut self, requester: Option<Actor>) {
        self.requester = requester;
    }

    pub(super) fn introduction(&mut self, participant: &ParticipantId) -> Introduction {
        self.introduced.remove(participant).map(|introduced| introduced.who).unwrap_or_default()
    }

    pub(super) fn as_participant(&self, participant: &ParticipantId) -> Actor {
        Actor::participant(participant, self.is_leader(participant))
    }

    /// Who brings about what an event changes.
    pub(super) fn actor_of(&self, event: &Event) -> Actor {
        let requester = || self.requester.clone().unwrap_or_else(Actor::api);
        match event {
            Event::Admit { participant, is_called: true, .. } => {
                let by = self.introduced.get(participant).and_then(|introduced| introduced.by.clone());
                by.or_else(|| self.requester.clone()).unwrap_or_else(Actor::system)
            }
            Event::AdmitInPlace { participant, .. } if self.is_to_be_called(participant) => {
                self.requester.clone().unwrap_or_else(Actor::system)
            }
            Event::Gone { participant } => match self.leaving(participant) {
                Some((_, false)) => Actor::system(),
                Some((_, true)) | None => self.as_participant(participant),
            },
            Event::Admit { participant, is_called: false, .. }
            | Event::AdmitInPlace { participant, .. }
            | Event::Connected { participant }
            | Event::TakenOver { participant, .. }
            | Event::KeyPressed { participant, .. } => self.as_participant(participant),
            Event::Reported { participant, report, .. } => match (report, participant) {
                (EdgeReport::Talking(_) | EdgeReport::Held(_), Some(participant)) => {
                    self.as_participant(participant)
                }
                (EdgeReport::Renamed(_) | EdgeReport::Sound(_) | EdgeReport::PlaybackStarted { .. }, _) => {
                    requester()
                }
                (EdgeReport::Changed(_), Some(participant)) => {
                    self.requester.clone().unwrap_or_else(|| self.as_participant(participant))
                }
                (EdgeReport::PlaybackEnded { .. }, _) => self.requester.clone().unwrap_or_else(Actor::system),
                _ => Actor::system(),
            },
            Event::Introduce { .. } | Event::Recording { .. } => Actor::system(),
            Event::ReservationAdded(_)
            | Event::ReservationExtended { .. }
            | Event::ReservationChanged(_)
            | Event::ReservationRemoved { .. }
            | Event::SetOptions { .. }
            | Event::Eject { .. }
            | Event::ChangeParticipant { .. }
            | Event::RemoveParticipant { .. }
            | Event::AdmitWaiting { .. }
            | Event::RefuseAllWaiting { .. }
            | Event::Move { .. }
            | Event::MuteAll { .. }
            | Event::AskToUnmute { .. }
            | Event::WarnOfEnd { .. }
            | Event::ChangeControls { .. }
            | Event::StartRecording { .. }
            | Event::PauseRecording { .. }
            | Event::StopRecording { .. }
            | Event::End { .. } => requester(),
        }
    }

    fn is_to_be_called(&self, participant: &ParticipantId) -> bool {
        let introduced = self.introduced.get(participant);
        introduced.is_some_and(|introduced| introduced.who.direction == CallDirection::Out)
    }

    /// Why a participant who is in is about to leave, as its edge has said, and whether by itself.
    fn leaving(&self, participant: &ParticipantId) -> Option<(String, bool)> {
        let Some(Seat::Entered { conference, order }) = self.seats.get(participant) else { return None };
        self.member(conference, *order)?.leaving.clone()
    }

    pub(super) fn on_report(
        &mut self,
        key: &ConferenceKey,
        participant: Option<&ParticipantId>,
        report: EdgeReport,
        now: Now,
    ) -> Result<(), Refused> {
        let Some(participant) = participant else {
            let (live, mut turn) = self.open_live(key, now)?;
            live.report_of_all(report, &mut turn);
            return Ok(());
        };
        match self.seats.get_mut(participant).filter(|seat| seat.conference() == key) {
            Some(Seat::Entered { order, .. }) => {
                let order = *order;
                let (live, mut turn) = self.open_live(key, now)?;
                live.report(order, report, &mut turn);
            }
            Some(seat @ (Seat::Waiting { .. } | Seat::Admitted { .. })) => {
                let is_told = seat.is_told();
                let (Seat::Waiting { guest, .. } | Seat::Admitted { guest, .. }) = seat else {
                    return Ok(());
                };
                let kind = match report {
                    EdgeReport::Ringing if guest.is_called => EventKind::ParticipantRinging {},
                    EdgeReport::Failed { status } if guest.is_called && !guest.has_failed => {
                        guest.has_failed = true;
                        EventKind::CallFailed { status: Some(status) }
                    }
                    EdgeReport::Renamed(name) if guest.who.display_name != name => {
                        guest.who.display_name.clone_from(&name);
                        let update =
                            ParticipantUpdate { display_name: Some(name), ..ParticipantUpdate::default() };
                        EventKind::ParticipantChanged(update)
                    }
                    EdgeReport::Changed(update) => EventKind::ParticipantChanged(*update),
                    _ => return Ok(()),
                };
                if !is_told {
                    return Ok(());
                }
                let reason = match kind {
                    EventKind::CallFailed { status: Some(status) } => Some(reason_of(status)),
                    _ => None,
                };
                let (_, mut turn) = self.open_live(key, now)?;
                turn.publish_of(participant, kind, reason);
            }
            None => {
                // What was played to one who has left is over.
                let (live, mut turn) = self.open_live(key, now)?;
                live.report_playback(Some(participant), report, &mut turn);
            }
        }
        Ok(())
    }

    /// One who is being called, or waits, would enter with these; with whether it could unmute itself. `None`: no event has told of it.
    pub(super) fn shown_guest(
        &self,
        key: &ConferenceKey,
        participant: &ParticipantId,
    ) -> Option<(ParticipantSummary, Option<bool>)> {
        let live = self.conferences.get(key).and_then(Conference::live)?;
        let seat = self.seats.get(participant).filter(|seat| seat.is_told())?;
        let (Seat::Waiting { guest, .. } | Seat::Admitted { guest, .. }) = seat else { return None };
        Some((live.expected(participant, guest, false), guest.preset.self_unmute))
    }

    /// What has changed of one who is being called, or waits, since it was shown like this.
    pub(super) fn publish_guest(
        &mut self,
        key: &ConferenceKey,
        (before, could_unmute): (ParticipantSummary, Option<bool>),
        now: Now,
    ) {
        let Some((after, self_unmute)) = self.shown_guest(key, &before.id) else { return };
        let update = ParticipantUpdate {
            leader: changed(before.is_leader, after.is_leader),
            dtmf_enabled: changed(before.dtmf_enabled, after.dtmf_enabled),
            self_unmute: changed(could_unmute, self_unmute),
            heard_by: changed(before.heard_by, after.heard_by),
            muted_by: changed(before.muted_by, after.muted_by),
            held: changed(before.is_held, after.is_held),
            ..ParticipantUpdate::default()
        };
        if update != ParticipantUpdate::default()
            && let Some((_, mut turn)) = self.open(key, now)
        {
            turn.publish_of(&before.id, EventKind::ParticipantChanged(update), None);
        }
    }

    /// One who was called has no seat any more and has not entered.
    pub(super) fn publish_not_reached(
        &mut self,
        key: &ConferenceKey,
        participant: &ParticipantId,
        guest: &Guest,
        reason: &str,
        now: Now,
    ) {
        if guest.is_called
            && !guest.has_failed
            && let Some((_, mut turn)) = self.open(key, now)
        {
            turn.publish_of(participant, EventKind::CallFailed { status: None }, Some(reason));
        }
    }
}

fn changed<T: PartialEq>(before: T, after: T) -> Option<T> {
    (before != after).then_some(after)
}

/// Why a participant who was called has not come, by the SIP status.
const fn reason_of(status: u16) -> &'static str {
    match status {
        486 | 600 => "busy",
        408 | 480 => "no_answer",
        403 | 603 => "declined",
        487 => "given_up",
        404 | 604 => "unknown",
        _ => "failed",
    }
}
