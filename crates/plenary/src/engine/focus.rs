//! Those who follow a conference from their telephones: who is in, who is muted, who talks (RFC 4575). What is told is
//! always the whole picture; changes are gathered for a moment, for a conference that fills would tell one document for
//! each who enters.

use super::{
    Command, Engine, access,
    call::{Call, Stage},
};
use crate::text::xml;
use plenary_conference::{ConferenceKey, Mono, conferences::State};
use plenary_sip::{Subscribing, SubscriptionId, text::uri_user};
use plenary_store::{Action, StoreError};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    net::IpAddr,
};
use tracing::debug;

/// The least time between two documents, in milliseconds.
const GATHER_MS: u64 = 500;
/// Of those who are being called, so many are shown.
const CALLING_MAX: usize = 100;

/// Who follows what.
#[derive(Debug, Default)]
pub(super) struct Followers {
    of: BTreeMap<SubscriptionId, Follower>,
    changed: BTreeSet<ConferenceKey>,
    tell_at: Option<Mono>,
}

#[derive(Debug)]
struct Follower {
    key: ConferenceKey,
    /// What the document says it is about.
    entity: String,
    version: u32,
}

impl Followers {
    /// Something changed that a document shows.
    pub(super) fn note(&mut self, key: &ConferenceKey, now: Mono) {
        if !self.of.is_empty() && self.of.values().any(|follower| follower.key == *key) {
            self.changed.insert(key.clone());
            self.tell_at.get_or_insert(now.plus_ms(GATHER_MS));
        }
    }

    /// When documents are due.
    pub(super) fn due(&self) -> Option<Mono> {
        self.tell_at
    }
}

impl Engine {
    /// Somebody wants to follow a conference: whoever is in it may, and whoever may call it.
    pub(super) fn handle_subscribing(&mut self, subscribing: Subscribing) {
        let call = subscribing.call.and_then(|call| self.calls.get(&super::CallNumber(call.0)));
        if subscribing.call.is_some() {
            let key = call.and_then(|call| call.conference()).cloned();
            return self.follow(&subscribing, key);
        }
        let (store, commands) = (self.store.clone(), self.commands.clone());
        let brought = self.brought(&subscribing.authorizations, subscribing.flow.remote.ip());
        tokio::spawn(async move {
            let asked = access::Asked {
                target: Some(&subscribing.target),
                claim: None,
                brought,
                caller: subscribing.caller.clone(),
            };
            let looked = access::look_up(&store, asked).await;
            let _ = commands.send(Command::Following { subscribing: Box::new(subscribing), looked }).await;
        });
    }

    pub(super) fn handle_following(
        &mut self,
        subscribing: &Subscribing,
        looked: Result<access::Looked, StoreError>,
    ) {
        let Ok(looked) = looked else {
            let later = vec![("Retry-After".to_owned(), "30".to_owned())];
            return self.sip.refuse_request(subscribing.request, 503, later);
        };
        let service = looked.service.clone();
        if let Err((status, headers)) = self.may_reach(looked, &subscribing.target.user, subscribing.flow) {
            return self.sip.refuse_request(subscribing.request, status, headers);
        }
        let key = service.and_then(|(service, rest)| match service.action {
            Action::Conference(conference) => {
                let name = conference.conference_name(&rest)?;
                Some(ConferenceKey { account: service.account, name })
            }
            Action::Announcement(_) => None,
        });
        self.follow(subscribing, key);
    }

    fn follow(&mut self, subscribing: &Subscribing, key: Option<ConferenceKey>) {
        let Some(key) = key else {
            return self.sip.refuse_request(subscribing.request, 404, Vec::new());
        };
        let entity = format!("sip:{}@{}", uri_user(&subscribing.target.user), subscribing.target.host);
        let mut follower = Follower { key, entity, version: 0 };
        let body = self.document(&mut follower);
        debug!(conference = %follower.key.name, flow = %subscribing.flow, "followed");
        self.sip.accept_subscription(subscribing.request, subscribing.call, body);
        self.followers.of.insert(SubscriptionId(subscribing.request.0), follower);
    }

    pub(super) fn handle_unsubscribed(&mut self, subscription: SubscriptionId) {
        self.followers.of.remove(&subscription);
    }

    /// Tells what has changed, when it is time to.
    pub(super) fn tell_followers(&mut self) {
        let now = self.clock.now().mono;
        if self.followers.tell_at.is_none_or(|at| at > now) {
            return;
        }
        let mut followers = std::mem::take(&mut self.followers);
        for (id, follower) in &mut followers.of {
            if followers.changed.contains(&follower.key) {
                let body = self.document(follower);
                self.sip.notify(*id, body);
            }
        }
        (followers.changed, followers.tell_at) = (BTreeSet::new(), None);
        self.followers = followers;
    }

    /// The whole picture of a conference.
    fn document(&self, follower: &mut Follower) -> String {
        follower.version += 1;
        let (state, parties) =
            self.conferences.participants(&follower.key).unwrap_or((State::Reserved, Vec::new()));
        let mut document = String::with_capacity(512 + parties.len() * 400);
        let (entity, name) = (xml(&follower.entity), xml(&follower.key.name.to_string()));
        let _ = write!(
            document,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"{entity}\" state=\"full\" version=\"{}\">\
             <conference-description><display-text>{name}</display-text></conference-description>\
             <conference-state><user-count>{}</user-count><active>{}</active></conference-state><users state=\"full\">",
            follower.version,
            parties.len(),
            state == State::Active,
        );
        for party in parties {
            let Some(call) = self.participants.get(&party.id).and_then(|number| self.calls.get(number))
            else {
                continue;
            };
            let (entity, user) = identity(call);
            let method = if call.outgoing.is_some() { "dialed-out" } else { "dialed-in" };
            let (speaks, talking) = (!party.muted, call.talking && !party.muted);
            // Whether somebody talks at the moment is not in RFC 4575; a name space of its own holds it.
            let _ = write!(
                document,
                "<user entity=\"{entity}\" state=\"full\"><display-text>{user}</display-text>\
                 <endpoint entity=\"{id}\"><status>connected</status><joining-method>{method}</joining-method>\
                 <media id=\"1\"><type>audio</type><status>{}</status>\
                 <talking xmlns=\"urn:plenary:conference-info\">{talking}</talking></media></endpoint></user>",
                if speaks { "sendrecv" } else { "recvonly" },
                id = xml(&party.id.to_string()),
            );
        }
        // Those who are being called are not in yet.
        let calling = self.calls.values().filter(|call| {
            matches!(call.stage, Stage::Calling(_)) && call.conference() == Some(&follower.key)
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
    let name = call.party_name();
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
