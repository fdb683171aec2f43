//! Subscriptions to conferences (RFC 4575): who is in, who is muted, who talks, whose hand is up, whether it is recorded. The first
//! document, and the one that answers a refresh, has everything; those that follow have what has changed, gathered for a moment.

use crate::{
    Calls,
    conference_info::{Picture, Reader, document},
    lookup::{CallerLookup, Lookup, Pending, StoreFailed},
    number::CallNumber,
};
use plenary_conference::{
    ConferenceKey, Mono, ParticipantId, State, ToHome, conferences::ParticipantSummary,
    recording::RecordingOverview,
};
use plenary_model::Action;
use plenary_sip::{Subscribing, SubscriptionId, text::uri_user};
use std::collections::{BTreeMap, BTreeSet};
use tracing::debug;

/// The least time between two documents, in milliseconds.
const GATHER_MS: u64 = 500;

/// Who follows what.
#[derive(Debug, Default)]
pub(crate) struct Subscribers {
    of: BTreeMap<SubscriptionId, Subscriber>,
    /// What was last said of each conference that has subscribers.
    pictures: BTreeMap<ConferenceKey, Picture>,
    changed: BTreeSet<ConferenceKey>,
    tell_at: Option<Mono>,
    /// First documents that wait for the home to say who is in.
    awaiting: BTreeMap<ConferenceKey, Vec<Subscribing>>,
}

#[derive(Debug)]
struct Subscriber {
    key: ConferenceKey,
    /// What the document says it is about.
    entity: String,
    /// The call that it is part of.
    call: Option<CallNumber>,
    version: u32,
    /// As whom it was last told; `None`: it needs a document with everything.
    told_as: Option<Reader>,
}

impl Subscribers {
    /// Something changed that a document shows.
    pub(crate) fn note(&mut self, key: &ConferenceKey, now: Mono) {
        if self.pictures.contains_key(key) {
            self.changed.insert(key.clone());
            self.tell_at.get_or_insert(now.plus_ms(GATHER_MS));
        }
    }

    /// When documents are due.
    pub(crate) fn due(&self) -> Option<Mono> {
        self.tell_at
    }
}

impl Calls {
    /// A subscription to a conference: its participants may, and callers who may call it.
    pub(crate) fn handle_subscribing(&mut self, subscribing: Subscribing) {
        let call = subscribing.call.and_then(|call| self.calls.get(&CallNumber(call.0)));
        if subscribing.call.is_some() {
            let key = call.and_then(|call| call.conference()).cloned();
            return self.follow(subscribing, key);
        }
        let query = self.access.query(
            Some(subscribing.target.clone()),
            None,
            &subscribing.authorizations,
            subscribing.flow,
            subscribing.caller.clone(),
        );
        self.look_up(Pending::Subscribing(Box::new(subscribing)), Lookup::Caller(Box::new(query)));
    }

    pub(crate) fn handle_following(
        &mut self,
        subscribing: Subscribing,
        looked: Result<CallerLookup, StoreFailed>,
    ) {
        let Ok(looked) = looked else {
            let later = vec![("Retry-After".to_owned(), "30".to_owned())];
            return self.out.refuse_request(subscribing.request, 503, later);
        };
        let service = looked.service.clone();
        if let Err((status, headers)) = self.may_reach(looked, &subscribing.target.user, subscribing.flow) {
            return self.out.refuse_request(subscribing.request, status, headers);
        }
        let key = service.and_then(|(service, rest)| match service.action {
            Action::Conference(conference) => {
                let name = conference.conference_name(&rest)?;
                Some(ConferenceKey { account: service.account, name })
            }
            Action::Announcement(_) | Action::Entry(_) => None,
        });
        self.follow(subscribing, key);
    }

    fn follow(&mut self, subscribing: Subscribing, key: Option<ConferenceKey>) {
        let Some(conference) = key else {
            return self.out.refuse_request(subscribing.request, 404, Vec::new());
        };
        if self.subscribers.pictures.contains_key(&conference) {
            // What has changed since is told to all at once, when it is time.
            return self.accept_subscriber(&subscribing, conference);
        }
        let awaiting = self.subscribers.awaiting.entry(conference.clone()).or_default();
        awaiting.push(subscribing);
        self.out.home(ToHome::Roster { conference });
    }

    /// Accepts a subscription, with what was last said of the conference.
    fn accept_subscriber(&mut self, subscribing: &Subscribing, key: ConferenceKey) {
        let Subscribing { request, target, call, flow, .. } = subscribing;
        debug!(conference = %key.name, %flow, "subscribed");
        let mut subscriber = Subscriber {
            key,
            entity: format!("sip:{}@{}", uri_user(&target.user), target.host),
            call: call.map(|call| CallNumber(call.0)),
            version: 0,
            told_as: None,
        };
        let Some(body) = self.whole_document(&mut subscriber) else {
            return self.out.refuse_request(*request, 404, Vec::new());
        };
        self.out.accept_subscription(*request, *call, body);
        self.subscribers.of.insert(SubscriptionId(request.0), subscriber);
    }

    /// A subscriber has asked again: it is told everything (RFC 6665, section 4.2.1.2).
    pub(crate) fn handle_resubscribed(&mut self, subscription: SubscriptionId) {
        let Some(mut subscriber) = self.subscribers.of.remove(&subscription) else { return };
        if let Some(body) = self.whole_document(&mut subscriber) {
            self.out.notify(subscription, body);
        }
        self.subscribers.of.insert(subscription, subscriber);
    }

    pub(crate) fn handle_unsubscribed(&mut self, subscription: SubscriptionId) {
        if let Some(subscriber) = self.subscribers.of.remove(&subscription) {
            self.forget_picture(&subscriber.key);
        }
    }

    /// A conference that has no subscribers any more is not looked at.
    fn forget_picture(&mut self, key: &ConferenceKey) {
        let Subscribers { of, pictures, changed, .. } = &mut self.subscribers;
        if !of.values().any(|subscriber| subscriber.key == *key) {
            pictures.remove(key);
            changed.remove(key);
        }
    }

    /// A participant is in another conference: its subscription within the call follows it.
    pub(crate) fn move_subscriber(&mut self, number: CallNumber, from: &ConferenceKey, to: &ConferenceKey) {
        let own = self.subscribers.of.values_mut().filter(|subscriber| subscriber.call == Some(number));
        let mut is_one = false;
        for subscriber in own {
            (subscriber.key, subscriber.told_as) = (to.clone(), None);
            is_one = true;
        }
        if is_one {
            self.forget_picture(from);
            self.subscribers.changed.insert(to.clone());
            self.subscribers.tell_at.get_or_insert(self.now.mono.plus_ms(GATHER_MS));
        }
    }

    /// Asks who is in where something has changed, when it is time to notify.
    pub(crate) fn tell_subscribers(&mut self) {
        if self.subscribers.tell_at.is_none_or(|at| at > self.now.mono) {
            return;
        }
        self.subscribers.tell_at = None;
        for conference in std::mem::take(&mut self.subscribers.changed) {
            self.out.home(ToHome::Roster { conference });
        }
    }

    /// The home says who is in.
    pub(crate) fn handle_roster(
        &mut self,
        key: ConferenceKey,
        state: State,
        participants: &[ParticipantSummary],
        recording: Option<&RecordingOverview>,
    ) {
        let first = self.subscribers.awaiting.remove(&key).unwrap_or_default();
        let is_followed = self.subscribers.of.values().any(|subscriber| subscriber.key == key);
        if first.is_empty() && !is_followed {
            return;
        }
        let picture = self.picture(&key, state, participants, recording);
        let before = self.subscribers.pictures.insert(key.clone(), picture);
        self.tell_changes(&key, before.as_ref());
        for subscribing in &first {
            self.accept_subscriber(subscribing, key.clone());
        }
    }

    /// Tells the subscribers of a conference what is not as it was before; those who do not know that, everything.
    fn tell_changes(&mut self, key: &ConferenceKey, before: Option<&Picture>) {
        let mut subscribers = std::mem::take(&mut self.subscribers.of);
        if let Some(picture) = self.subscribers.pictures.get(key) {
            let changes = Reader::ALL.map(|reader| before.and_then(|before| picture.changes(before, reader)));
            for (id, subscriber) in subscribers.iter_mut().filter(|(_, subscriber)| subscriber.key == *key) {
                let participant = self.participant_of(subscriber);
                let reader = reader_of(picture, participant);
                let body = if before.is_none() || subscriber.told_as != Some(reader) {
                    subscriber.next_document(true, &picture.whole(reader), participant)
                } else if let Some(content) = &changes[reader as usize] {
                    subscriber.next_document(false, content, participant)
                } else {
                    continue;
                };
                subscriber.told_as = Some(reader);
                self.out.notify(*id, body);
            }
        }
        self.subscribers.of = subscribers;
    }

    /// Everything that was last said of the conference of a subscriber.
    fn whole_document(&self, subscriber: &mut Subscriber) -> Option<String> {
        let picture = self.subscribers.pictures.get(&subscriber.key)?;
        let participant = self.participant_of(subscriber);
        let reader = reader_of(picture, participant);
        subscriber.told_as = Some(reader);
        Some(subscriber.next_document(true, &picture.whole(reader), participant))
    }

    fn participant_of(&self, subscriber: &Subscriber) -> Option<&ParticipantId> {
        subscriber.call.and_then(|number| self.calls.get(&number)).map(|call| &call.participant)
    }
}

impl Subscriber {
    fn next_document(
        &mut self,
        is_whole: bool,
        content: &str,
        participant: Option<&ParticipantId>,
    ) -> String {
        self.version += 1;
        document(&self.entity, self.version, is_whole, content, participant)
    }
}

fn reader_of(picture: &Picture, participant: Option<&ParticipantId>) -> Reader {
    match participant.is_some_and(|id| picture.is_leader(id)) {
        true => Reader::Leader,
        false => Reader::Other,
    }
}
