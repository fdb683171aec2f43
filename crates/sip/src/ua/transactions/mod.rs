//! Transactions (RFC 3261, section 17): the destination of each one's messages, its owner, its timers.
//!
//! The state machines are the library's. Their outputs come back as [`Step`]s; the user agent passes each to
//! [`Transactions::handle_step`], which returns what has to be sent, or reported to the owner.

mod oversize;

use super::{
    Flow,
    context::Owner,
    message,
    timers::{Ticket, Timers},
    transaction_id::TransactionId,
};
use bytes::Bytes;
use oversize::{Oversized, Unconnected};
use sipx_sip::{
    Message, Method, Output as Step, Reliability, Request, Response, Timer, TransactionLayer, TuEvent,
    transaction::Dispatch,
};
use std::time::Duration;

/// Steps of a transaction, which the user agent carries out one by one.
pub(super) type Steps = (TransactionId, Vec<Step>);

/// The effect of a step outside of the transaction.
#[derive(Debug)]
pub(super) enum Outcome {
    Send { flow: Flow, bytes: Bytes },
    Tell(TuEvent),
}

/// A received message.
#[derive(Debug)]
pub(super) enum Arrival {
    /// It belongs to a transaction.
    Steps(Steps),
    /// The ACK to a 2xx, which has no transaction.
    Ack(Box<Request>),
    /// A stray response, or one to a transaction that ended long ago.
    Nothing,
}

#[derive(Debug)]
enum Due {
    /// A timer of RFC 3261, section 17.
    Timer(TransactionId, Timer),
    /// A request that is too large for a datagram has got no response over its connection.
    Oversized(TransactionId),
}

/// Data beside each of the library's transactions.
#[derive(Debug)]
struct Transaction {
    /// Transactions in the order in which they began.
    number: u64,
    flow: Flow,
    owner: Owner,
    method: Method,
    /// An INVITE that is no longer awaited, for which CANCEL has been sent.
    is_cancelled: bool,
    /// It uses a connection because it is too large for a datagram.
    oversized: Option<Oversized>,
    timers: Vec<(Timer, Ticket)>,
}

pub(super) struct Transactions {
    /// The library's transactions of sent and of received requests. One layer would take a timer of the one for the other if
    /// both have one branch.
    sent: TransactionLayer,
    received: TransactionLayer,
    /// The library's keys have no order. Entries are only looked up; operations on several of them go by number.
    #[expect(clippy::disallowed_types, reason = "its order decides nothing")]
    open: std::collections::HashMap<TransactionId, Transaction>,
    begun: u64,
    timers: Timers<Due>,
    unconnected: Unconnected,
    /// The next message, if it had to be written to know its length.
    written: Option<Bytes>,
}

impl Transactions {
    pub(super) fn new() -> Self {
        Self {
            sent: TransactionLayer::new(sipx_sip::Timers::default()),
            received: TransactionLayer::new(sipx_sip::Timers::default()),
            open: Default::default(),
            begun: 0,
            timers: Timers::default(),
            unconnected: Unconnected::default(),
            written: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    #[cfg(test)]
    pub(super) fn is_library_idle(&self) -> bool {
        self.sent.is_empty() && self.received.is_empty()
    }

    /// Where the other side of a transaction was last heard, or is to be reached.
    pub(super) fn flow(&self, key: &TransactionId) -> Option<Flow> {
        self.open.get(key).map(|transaction| transaction.flow)
    }

    /// The flow that a sent request was meant for, before its size was considered.
    pub(super) fn meant_for(&self, key: &TransactionId) -> Option<Flow> {
        let transaction = self.open.get(key)?;
        Some(transaction.oversized.map_or(transaction.flow, |oversized| oversized.datagram))
    }

    pub(super) fn owner(&self, key: &TransactionId) -> Option<Owner> {
        self.open.get(key).map(|transaction| transaction.owner)
    }

    pub(super) fn method(&self, key: &TransactionId) -> Option<&Method> {
        self.open.get(key).map(|transaction| &transaction.method)
    }

    pub(super) fn set_owner(&mut self, key: &TransactionId, owner: Owner) {
        if let Some(transaction) = self.open.get_mut(key) {
            transaction.owner = owner;
        }
    }

    /// The sent request that began a transaction.
    pub(super) fn request(&self, key: &TransactionId) -> Option<&Request> {
        self.sent.client_request(key.bare()).filter(|_| key.is_client())
    }

    /// The request belongs to a transaction that is open: it is sent again, acknowledges a refusal, or cancels an INVITE.
    pub(super) fn knows(&self, request: &Request) -> bool {
        let key = TransactionId::of_cancelled(request).or_else(|| TransactionId::of_received(request));
        key.is_some_and(|key| self.open.contains_key(&key))
    }

    pub(super) fn handle_request(&mut self, request: Request, flow: Flow) -> Arrival {
        let method = request.method.clone();
        let back = message::response_flow(&request, flow);
        match self.received.receive(Message::Request(request), reliability(flow)) {
            Dispatch::Created { key, outputs } => {
                let key = TransactionId::Server(key);
                self.begin(&key, back, Owner::Nobody, method);
                Arrival::Steps((key, outputs))
            }
            Dispatch::Matched { key, outputs } => Arrival::Steps((TransactionId::Server(key), outputs)),
            Dispatch::Unmatched(message) => match *message {
                Message::Request(request) if request.method == Method::Ack => Arrival::Ack(Box::new(request)),
                Message::Request(_) | Message::Response(_) => Arrival::Nothing,
            },
        }
    }

    pub(super) fn handle_response(&mut self, response: Response, flow: Flow) -> Arrival {
        self.unconnected.handle_message(flow);
        match self.sent.receive(Message::Response(response), reliability(flow)) {
            Dispatch::Matched { key, outputs } | Dispatch::Created { key, outputs } => {
                Arrival::Steps((TransactionId::Client(key), outputs))
            }
            Dispatch::Unmatched(_) => Arrival::Nothing,
        }
    }

    fn begin(&mut self, key: &TransactionId, flow: Flow, owner: Owner, method: Method) {
        self.begun += 1;
        let transaction = Transaction {
            number: self.begun,
            flow,
            owner,
            method,
            is_cancelled: false,
            oversized: None,
            timers: Vec::new(),
        };
        self.open.insert(key.clone(), transaction);
    }

    /// Sends a request in a transaction of its own.
    pub(super) fn send_request(
        &mut self,
        mut request: Request,
        meant_for: Flow,
        owner: Owner,
        now: Duration,
    ) -> Option<Steps> {
        let method = request.method.clone();
        let (flow, written) = self.unconnected.route(&mut request, meant_for, now);
        // The first transmission is among the steps, so the transaction's data is in place before.
        let (key, steps) = self.sent.send_request(request, reliability(flow))?;
        let key = TransactionId::Client(key);
        self.begin(&key, flow, owner, method);
        if flow != meant_for {
            self.note_oversized(&key, meant_for, now);
        }
        self.written = written.filter(|_| matches!(steps.first(), Some(Step::Send(_))));
        Some((key, steps))
    }

    /// Responds to a request.
    pub(super) fn send_response(&mut self, key: &TransactionId, response: Response) -> Vec<Step> {
        if key.is_client() { Vec::new() } else { self.received.send_response(key.bare(), response) }
    }

    /// An INVITE that is no longer awaited is in progress: its CANCEL is due, unless that has been sent. Returns its
    /// flow.
    pub(super) fn cancel_unwanted(&mut self, key: &TransactionId) -> Option<Flow> {
        let transaction = self.open.get_mut(key).filter(|transaction| !transaction.is_cancelled)?;
        transaction.is_cancelled = true;
        Some(transaction.flow)
    }

    /// Stops retransmitting an INVITE.
    pub(super) fn stop_repeating(&mut self, key: &TransactionId) {
        self.clear_timer(key, Timer::A);
    }

    /// Ends a transaction without telling its owner.
    pub(super) fn abandon(&mut self, key: &TransactionId) {
        drop(self.layer(key).on_transport_error(key.bare()));
        self.forget(key);
    }

    /// Carries out one step of a transaction.
    pub(super) fn handle_step(&mut self, key: &TransactionId, step: Step, now: Duration) -> Option<Outcome> {
        match step {
            Step::Send(message) => {
                let written = self.written.take();
                let flow = self.flow(key)?;
                debug_assert!(
                    written.as_ref().is_none_or(|written| *written == message.to_bytes()),
                    "what goes first is the request itself"
                );
                return Some(Outcome::Send { flow, bytes: written.unwrap_or_else(|| message.to_bytes()) });
            }
            Step::SetTimer { timer, after } => {
                if let Some(transaction) = self.open.get_mut(key) {
                    let ticket = self.timers.set(now + after, Due::Timer(key.clone(), timer));
                    transaction.timers.push((timer, ticket));
                }
            }
            Step::ClearTimer(timer) => self.clear_timer(key, timer),
            Step::ToTu(event) => {
                if matches!(*event, TuEvent::Response(_)) {
                    self.connection_serves(key);
                }
                return Some(Outcome::Tell(*event));
            }
            Step::Terminated(_) => self.forget(key),
            // The library may add steps; of those it has today none is ignored.
            _ => {}
        }
        None
    }

    fn clear_timer(&mut self, key: &TransactionId, timer: Timer) {
        let Some(transaction) = self.open.get_mut(key) else { return };
        transaction.timers.retain(|(other, ticket)| {
            let is_it = *other == timer;
            if is_it {
                self.timers.clear(*ticket);
            }
            !is_it
        });
    }

    fn forget(&mut self, key: &TransactionId) {
        if let Some(transaction) = self.open.remove(key) {
            let oversized = transaction.oversized.and_then(|oversized| oversized.ticket());
            for ticket in transaction.timers.into_iter().map(|(_, ticket)| ticket).chain(oversized) {
                self.timers.clear(ticket);
            }
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// The next item that is due.
    pub(super) fn handle_timeout(&mut self, now: Duration) -> Option<Steps> {
        let (ticket, due) = self.timers.pop_due(now)?;
        match due {
            Due::Timer(key, timer) => {
                if let Some(transaction) = self.open.get_mut(&key) {
                    transaction.timers.retain(|(_, other)| *other != ticket);
                }
                let steps = self.layer(&key).on_timer(key.bare(), timer);
                Some((key, steps))
            }
            Due::Oversized(key) => self.send_as_datagram(&key, now),
        }
    }

    /// The transactions whose messages use this flow, the oldest first.
    pub(super) fn on_flow(&self, flow: Flow) -> Vec<TransactionId> {
        let mut found: Vec<(u64, &TransactionId)> = self
            .open
            .iter()
            .filter(|(_, one)| (one.flow.transport, one.flow.remote) == (flow.transport, flow.remote))
            .map(|(key, one)| (one.number, key))
            .collect();
        found.sort_unstable_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, key)| key.clone()).collect()
    }

    /// A message of a transaction could not be sent, or its connection has gone.
    pub(super) fn handle_transport_error(&mut self, key: &TransactionId, now: Duration) -> Steps {
        self.send_as_datagram(key, now)
            .unwrap_or_else(|| (key.clone(), self.layer(key).on_transport_error(key.bare())))
    }

    fn layer(&mut self, key: &TransactionId) -> &mut TransactionLayer {
        if key.is_client() { &mut self.sent } else { &mut self.received }
    }
}

fn reliability(flow: Flow) -> Reliability {
    if flow.transport.is_datagram() { Reliability::Unreliable } else { Reliability::Reliable }
}
