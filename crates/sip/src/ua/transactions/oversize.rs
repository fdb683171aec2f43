//! Requests larger than a datagram should be (RFC 3261, section 18.1.1): they use a connection to the same address,
//! and a datagram after all if that connection is refused, or nothing responds in time. Such peers are recorded.
//!
//! Only requests with a transaction, which notices that: an ACK to a 2xx, which is small, has none.

use super::{Due, Flow, Steps, Ticket, TransactionId, Transactions};
use crate::ua::{message, types::Transport};
use bytes::Bytes;
use sipx_sip::{HeaderName, Reliability, Request, transaction::ClientState};
use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

/// The maximum if the path MTU is unknown (RFC 3261, section 18.1.1).
const DATAGRAM_BYTES_MAX: usize = 1300;
/// Time for a response over a connection: T1 to open it and T1 for the first response. After that a datagram follows,
/// which a peer that did get the request treats as a retransmission, because it has the same branch.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long, and of how many peers, it is recorded that they cannot be reached by a connection.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);
const REMEMBERED_MAX: usize = 10_000;

/// A request that uses a connection only because of its size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Oversized {
    /// Its flow if it were smaller.
    pub(super) datagram: Flow,
    /// When it is sent as a datagram after all. `None` once it was answered.
    ticket: Option<Ticket>,
}

impl Oversized {
    pub(super) fn ticket(&self) -> Option<Ticket> {
        self.ticket
    }
}

/// Peers that could not be reached by a connection, and until when that is recorded.
#[derive(Debug, Default)]
pub(super) struct Unconnected(BTreeMap<SocketAddr, Duration>);

impl Unconnected {
    /// The flow of a request that is meant for this flow, and its bytes if they had to be written to find out. If it
    /// uses another one, its Via says so.
    pub(super) fn route(&self, request: &mut Request, flow: Flow, now: Duration) -> (Flow, Option<Bytes>) {
        if !flow.transport.is_datagram() || !may_be_connected_to(request, flow.remote) {
            return (flow, None);
        }
        let mut bytes = Vec::with_capacity(DATAGRAM_BYTES_MAX);
        request.write_to(&mut bytes);
        let is_known = |until: &Duration| *until > now;
        if bytes.len() <= DATAGRAM_BYTES_MAX || self.0.get(&flow.remote).is_some_and(is_known) {
            return (flow, Some(bytes.into()));
        }
        set_transport(request, flow.transport, Transport::Tcp);
        (Flow { transport: Transport::Tcp, ..flow }, None)
    }

    /// A message arrived over a connection from there, so one can be opened.
    pub(super) fn handle_message(&mut self, flow: Flow) {
        if flow.transport == Transport::Tcp && !self.0.is_empty() {
            self.0.remove(&flow.remote);
        }
    }

    fn remember(&mut self, remote: SocketAddr, now: Duration) {
        if self.0.len() >= REMEMBERED_MAX {
            self.0.retain(|_, until| *until > now);
        }
        if self.0.len() < REMEMBERED_MAX {
            self.0.insert(remote, now + REMEMBERED_FOR);
        }
    }
}

impl Transactions {
    /// A request was sent on another flow than it was meant for.
    pub(super) fn note_oversized(&mut self, key: &TransactionId, datagram: Flow, now: Duration) {
        let ticket = Some(self.timers.set(now + RESPONSE_TIMEOUT, Due::Oversized(key.clone())));
        if let Some(transaction) = self.open.get_mut(key) {
            transaction.oversized = Some(Oversized { datagram, ticket });
        }
    }

    /// A response arrived over the connection.
    pub(super) fn connection_serves(&mut self, key: &TransactionId) {
        let oversized = self.open.get_mut(key).and_then(|transaction| transaction.oversized.as_mut());
        if let Some(ticket) = oversized.and_then(|oversized| oversized.ticket.take()) {
            self.timers.clear(ticket);
        }
    }

    /// Sends a request as a datagram that got no response over its connection. `None` if it is not one of those, or
    /// was finally answered.
    pub(super) fn send_as_datagram(&mut self, key: &TransactionId, now: Duration) -> Option<Steps> {
        let state = self.sent.client_state(key.bare()).filter(|_| key.is_client());
        let is_open =
            matches!(state, Some(ClientState::Calling | ClientState::Trying | ClientState::Proceeding));
        let transaction = self.open.get_mut(key).filter(|_| is_open)?;
        let Oversized { datagram, ticket } = transaction.oversized.take()?;
        let mut request = self.sent.client_request(key.bare()).cloned()?;
        let over_connection = transaction.flow;
        transaction.flow = datagram;
        let old = std::mem::take(&mut transaction.timers);
        old.into_iter().map(|(_, ticket)| ticket).chain(ticket).for_each(|ticket| self.timers.clear(ticket));
        if ticket.is_some() {
            self.unconnected.remember(datagram.remote, now);
        }
        // The transaction starts again under the same branch. The end of the old one is not reported.
        drop(self.sent.on_transport_error(key.bare()));
        set_transport(&mut request, over_connection.transport, datagram.transport);
        let begun = self.sent.send_request(request, Reliability::Unreliable);
        Some((key.clone(), begun.map_or_else(Vec::new, |(_, steps)| steps)))
    }
}

/// Whether it makes sense to open a connection to the destination of a request. A request that goes elsewhere than
/// its URI says goes back through a NAT (`Dialog::next_hop`, `DialSpec::flow`), where only a port for datagrams was
/// opened.
fn may_be_connected_to(request: &Request, remote: SocketAddr) -> bool {
    let route = message::text(&request.headers, &HeaderName::Route);
    let named = match route {
        Some(route) => message::route_uri(&route).and_then(|uri| message::uri_address(&uri, Transport::Udp)),
        None => message::uri_address(&request.uri, Transport::Udp),
    };
    named.is_none_or(|named| named == remote)
}

/// Rewrites our own Via.
fn set_transport(request: &mut Request, from: Transport, to: Transport) {
    if let Some(via) = message::text(&request.headers, &HeaderName::Via) {
        let via = via.replacen(&format!("/{} ", from.name()), &format!("/{} ", to.name()), 1);
        message::set_first(&mut request.headers, HeaderName::Via, via);
    }
}
