//! Telephones that subscribe to a conference: who is in, who is muted, who talks (RFC 4575). What is sent is
//! always the whole picture; changes are gathered for a moment, for a conference that fills would send one document for
//! each who enters.

use crate::{
    Calls,
    call::{Call, Stage},
    lookup::{CallerLookup, Lookup, Pending, StoreFailed},
    number::CallNumber,
    text::xml,
};
use plenary_conference::{ConferenceKey, Mono, State, ToHome, conferences::ParticipantSummary};
use plenary_model::Action;
use plenary_sip::{Subscribing, SubscriptionId, text::uri_user};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    net::IpAddr,
};
use tracing::debug;

/// The least time between two documents, in milliseconds.
const GATHER_MS: u64 = 500;
/// So many of the participants who are being called are shown.
const CALLING_MAX: usize = 100;

/// Who follows what.
#[derive(Debug, Default)]
pub(crate) struct Subscribers {
    of: BTreeMap<SubscriptionId, Subscriber>,
    changed: BTreeSet<ConferenceKey>,
    tell_at: Option<Mono>,
    /// Documents that wait for the home to say who is in.
    awaiting: BTreeMap<ConferenceKey, Awaited>,
}

/// What is written once it is known who is in.
#[derive(Debug, Default)]
struct Awaited {
    /// The first document for these.
    first: Vec<Subscribing>,
    /// Another one for present subscribers.
    others: bool,
}

#[derive(Debug)]
struct Subscriber {
    key: ConferenceKey,
    /// What the document says it is about.
    entity: String,
    version: u32,
}

impl Subscribers {
    /// Something changed that a document shows.
    pub(crate) fn note(&mut self, key: &ConferenceKey, now: Mono) {
        if !self.of.is_empty() && self.of.values().any(|subscriber| subscriber.key == *key) {
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
        self.subscribers.awaiting.entry(conference.clone()).or_default().first.push(subscribing);
        self.out.home(ToHome::Roster { conference });
    }

    pub(crate) fn handle_unsubscribed(&mut self, subscription: SubscriptionId) {
        self.subscribers.of.remove(&subscription);
    }

    /// Asks who is in where something has changed, when it is time to notify.
    pub(crate) fn tell_subscribers(&mut self) {
        if self.subscribers.tell_at.is_none_or(|at| at > self.now.mono) {
            return;
        }
        self.subscribers.tell_at = None;
        for conference in std::mem::take(&mut self.subscribers.changed) {
            self.subscribers.awaiting.entry(conference.clone()).or_default().others = true;
            self.out.home(ToHome::Roster { conference });
        }
    }

    /// The home says who is in.
    pub(crate) fn handle_roster(
        &mut self,
        key: &ConferenceKey,
        state: State,
        participants: &[ParticipantSummary],
    ) {
        let Some(Awaited { first, others }) = self.subscribers.awaiting.remove(key) else { return };
        let mut subscribers = std::mem::take(&mut self.subscribers.of);
        if others {
            for (id, subscriber) in subscribers.iter_mut().filter(|(_, subscriber)| subscriber.key == *key) {
                let body = self.document(subscriber, state, participants);
                self.out.notify(*id, body);
            }
        }
        for subscribing in first {
            let entity = format!("sip:{}@{}", uri_user(&subscribing.target.user), subscribing.target.host);
            let mut subscriber = Subscriber { key: key.clone(), entity, version: 0 };
            let body = self.document(&mut subscriber, state, participants);
            debug!(conference = %key.name, flow = %subscribing.flow, "subscribed");
            self.out.accept_subscription(subscribing.request, subscribing.call, body);
            subscribers.insert(SubscriptionId(subscribing.request.0), subscriber);
        }
        self.subscribers.of = subscribers;
    }

    /// The whole picture of a conference.
    fn document(
        &self,
        subscriber: &mut Subscriber,
        state: State,
        participants: &[ParticipantSummary],
    ) -> String {
        subscriber.version += 1;
        let mut document = String::with_capacity(512 + participants.len() * 400);
        let (entity, name) = (xml(&subscriber.entity), xml(&subscriber.key.name.to_string()));
        let _ = write!(
            document,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"{entity}\" state=\"full\" version=\"{}\">\
             <conference-description><display-text>{name}</display-text></conference-description>\
             <conference-state><user-count>{}</user-count><active>{}</active></conference-state><users state=\"full\">",
            subscriber.version,
            participants.len(),
            state == State::Active,
        );
        for participant in participants {
            let Some(call) = self.participants.get(&participant.id).and_then(|number| self.calls.get(number))
            else {
                continue;
            };
            let (entity, user) = identity(call);
            let method = if call.outgoing.is_some() { "dialed-out" } else { "dialed-in" };
            let (speaks, talking) = (!participant.muted, call.talking && !participant.muted);
            // RFC 4575 has no element for talking; a name space of its own holds it.
            let _ = write!(
                document,
                "<user entity=\"{entity}\" state=\"full\"><display-text>{user}</display-text>\
                 <endpoint entity=\"{id}\"><status>connected</status><joining-method>{method}</joining-method>\
                 <media id=\"1\"><type>audio</type><status>{}</status>\
                 <talking xmlns=\"urn:plenary:conference-info\">{talking}</talking></media></endpoint></user>",
                if speaks { "sendrecv" } else { "recvonly" },
                id = xml(&participant.id.to_string()),
            );
        }
        // Participants who are being called are not in yet.
        let calling = self.calls.values().filter(|call| {
            matches!(call.stage, Stage::Calling(_)) && call.conference() == Some(&subscriber.key)
        });
        for call in calling.take(CALLING_MAX) {
            let (entity, user) = identity(call);
            let is_ringing = call.outgoing.as_ref().is_some_and(|outgoing| outgoing.is_ringing);
            let _ = write!(
                document,
                "<user entity=\"{entity}\" state=\"full\"><display-text>{user}</display-text>\
                 <endpoint entity=\"{id}\"><status>{}</status><joining-method>dialed-out</joining-method>\
                 </endpoint></user>",
                if is_ringing { "alerting" } else { "dialing-out" },
                id = xml(call.participant.as_str()),
            );
        }
        document.push_str("</users></conference-info>");
        document
    }
}

/// The URI of the other side, and its name: nothing of who does not want to be shown.
fn identity(call: &Call) -> (String, String) {
    let name = call.remote_name();
    let uri = match &call.outgoing {
        Some(outgoing) => outgoing.to.clone(),
        None if call.is_withheld => "sip:anonymous@anonymous.invalid".to_owned(),
        None => {
            let host = match call.flow.remote.ip().to_canonical() {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            };
            format!("sip:{}@{host}", uri_user(name))
        }
    };
    (xml(&uri), xml(name))
}
