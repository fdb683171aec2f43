//! The servers of requests (RFC 3263): lookups in progress, and servers that have failed.

use super::{CallId, Flow, LookupId, RegistrationId, Transport, context::Lookup};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

/// How long a failed server is tried last.
const AVOIDED_FOR: Duration = Duration::from_secs(30);
const AVOIDED_FOR_MAX: Duration = Duration::from_secs(600);
/// Failed servers that are recorded.
const AVOIDED_MAX: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Servers {
    lookups: BTreeMap<LookupId, Lookup>,
    next: u64,
    /// Servers that did not respond or were overloaded, and until when others are tried first.
    avoided: BTreeMap<(Transport, SocketAddr), Duration>,
}

impl Servers {
    pub(super) fn is_idle(&self) -> bool {
        self.lookups.is_empty()
    }

    /// The number for the answer.
    pub(super) fn look_up(&mut self, lookup: Lookup) -> LookupId {
        self.next += 1;
        let id = LookupId(self.next);
        self.lookups.insert(id, lookup);
        id
    }

    /// The purpose of a lookup.
    pub(super) fn take(&mut self, id: LookupId) -> Option<Lookup> {
        self.lookups.remove(&id)
    }

    /// Drops the lookup of a call that has not been sent anywhere. False if there is none.
    pub(super) fn forget_dial(&mut self, id: CallId) -> bool {
        self.forget(|lookup| matches!(lookup, Lookup::Dial { call, .. } if *call == id))
    }

    pub(super) fn forget_redirect(&mut self, id: CallId) {
        self.forget(|lookup| matches!(lookup, Lookup::Redirect { call, .. } if *call == id));
    }

    pub(super) fn forget_registrar(&mut self, id: RegistrationId) {
        self.forget(|lookup| matches!(lookup, Lookup::Register(one) if *one == id));
    }

    fn forget(&mut self, is_it: impl Fn(&Lookup) -> bool) -> bool {
        let before = self.lookups.len();
        self.lookups.retain(|_, lookup| !is_it(lookup));
        self.lookups.len() < before
    }

    /// Recently failed servers come last.
    pub(super) fn sorted(&mut self, flows: Vec<Flow>, now: Duration) -> Vec<Flow> {
        if self.avoided.is_empty() {
            return flows;
        }
        self.avoided.retain(|_, until| *until > now);
        let (mut good, bad): (Vec<Flow>, Vec<Flow>) =
            flows.into_iter().partition(|flow| !self.avoided.contains_key(&(flow.transport, flow.remote)));
        good.extend(bad);
        good
    }

    /// A server has failed (RFC 3263, 4.3). `wait`: its Retry-After.
    pub(super) fn avoid(&mut self, flow: Flow, wait: Option<Duration>, now: Duration) {
        if self.avoided.len() < AVOIDED_MAX {
            let until = now + wait.unwrap_or(AVOIDED_FOR).min(AVOIDED_FOR_MAX);
            self.avoided.insert((flow.transport, flow.remote), until);
        }
    }
}
