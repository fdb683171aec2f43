//! One step of the machine: in which conference, when, and where what follows from it goes.

use crate::{
    command::News,
    effect::{Announcement, Audience, Effect, EndReason, Notice},
    id::{ConferenceKey, ParticipantId},
    participant::PlayList,
    room::AdmitAnswer,
    time::Now,
};
use plenary_model::{AccountEvent, Actor, EventKind, EventRecord};
use std::collections::VecDeque;

/// What becomes of a call that has asked for a seat.
pub(super) type Answered = (ConferenceKey, ParticipantId, AdmitAnswer);

#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) key: &'a ConferenceKey,
    pub(super) now: Now,
    pub(super) effects: &'a mut VecDeque<Effect>,
    pub(super) answers: &'a mut VecDeque<Answered>,
    pub(super) events: &'a mut VecDeque<AccountEvent>,
    /// Who brings about what happens in this step.
    pub(super) actor: &'a Actor,
}

impl Turn<'_> {
    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    /// A fact about the conference.
    pub(super) fn notify(&mut self, notice: impl FnOnce(ConferenceKey) -> Notice) {
        self.effect(Effect::Notify(notice(self.key.clone())));
    }

    /// An event of the conference as a whole.
    pub(super) fn publish(&mut self, kind: EventKind) {
        self.publish_as(None, kind, None, self.actor.clone());
    }

    /// An event of the conference as a whole, and why it happens.
    pub(super) fn publish_because(&mut self, kind: EventKind, reason: &str) {
        self.publish_as(None, kind, Some(reason), self.actor.clone());
    }

    /// An event of a participant.
    pub(super) fn publish_of(&mut self, participant: &ParticipantId, kind: EventKind, reason: Option<&str>) {
        self.publish_as(Some(participant), kind, reason, self.actor.clone());
    }

    pub(super) fn publish_as(
        &mut self,
        participant: Option<&ParticipantId>,
        kind: EventKind,
        reason: Option<&str>,
        actor: Actor,
    ) {
        let event = EventRecord {
            at: self.now.wall,
            conference: Some(self.key.name.clone()),
            participant_id: participant.cloned(),
            actor,
            reason: reason.map(str::to_owned),
            kind,
        };
        self.events.push_back(AccountEvent { account: self.key.account, event });
    }

    pub(super) fn hang_up(&mut self, participant: &ParticipantId, reason: EndReason) {
        let (conference, participant) = (self.key.clone(), participant.clone());
        self.effect(Effect::HangUp { conference, participant, reason });
    }

    pub(super) fn tell(&mut self, participant: &ParticipantId, news: News) {
        let (conference, participant) = (self.key.clone(), participant.clone());
        self.effect(Effect::Tell { conference, participant, news });
    }

    pub(super) fn announce(&mut self, what: Announcement) {
        self.effect(Effect::Announce { to: self.all(), what });
    }

    pub(super) fn announce_to_others(&mut self, than: &ParticipantId, what: Announcement) {
        self.effect(Effect::Announce { to: self.all_but(than), what });
    }

    pub(super) fn play(&mut self, to: Audience, what: PlayList) {
        self.effect(Effect::Play { to, what });
    }

    pub(super) fn answer(&mut self, participant: &ParticipantId, answer: AdmitAnswer) {
        self.answers.push_back((self.key.clone(), participant.clone(), answer));
    }

    pub(super) fn all(&self) -> Audience {
        Audience::All(self.key.clone())
    }

    pub(super) fn all_but(&self, participant: &ParticipantId) -> Audience {
        Audience::AllBut(self.key.clone(), participant.clone())
    }
}
