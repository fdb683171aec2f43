//! Dialogs (RFC 3261, section 12).

use super::{
    message::{
        Heading, Side, call_id, contact, cseq, host_text, record_route, request, route_uri, tag_of, text,
        uri_address,
    },
    types::{Flow, Replaces, Transport},
};
use sipx_sip::{HeaderName, Headers, Method, Request, Response, Uri, Via};
use std::net::{IpAddr, SocketAddr};

/// Requests that a dialog may have sent since it was recorded.
const CSEQ_AHEAD: u32 = 1000;
/// Follows the transport in the text of a dialog.
const BEHIND_NAT: &str = " nat";

/// A dialog's state.
#[derive(Debug, Clone)]
pub(super) struct Dialog {
    pub(super) call_id: String,
    pub(super) local_tag: String,
    pub(super) remote_tag: String,
    /// From and To of sent requests, tags included.
    local: String,
    remote: String,
    target: Uri,
    routes: Vec<String>,
    local_cseq: u32,
    pub(super) remote_cseq: u32,
    /// That of the INVITE, which a PRACK names.
    pub(super) remote_cseq_of_invite: u32,
    /// Where the other side was last heard.
    pub(super) flow: Flow,
    /// The other side does not know the address under which it is seen, so its Contact is unreachable.
    is_behind_nat: bool,
    /// The connection of the flow is closed.
    is_flow_gone: bool,
}

impl Dialog {
    /// The dialog created by the response to an INVITE. `None` if the INVITE lacks what it takes.
    pub(super) fn of_server(invite: &Request, local_tag: &str, flow: Flow) -> Option<Self> {
        let headers = &invite.headers;
        let mut remote = text(headers, &HeaderName::From)?;
        // A caller of RFC 2543 may have no tag.
        let remote_tag = tag_of(headers, Side::From).unwrap_or_default();
        if remote.is_empty() {
            remote = "<sip:anonymous@anonymous.invalid>".to_owned();
        }
        Some(Self {
            call_id: call_id(headers),
            local_tag: local_tag.to_owned(),
            remote_tag,
            local: format!("{};tag={local_tag}", text(headers, &HeaderName::To)?),
            remote,
            target: contact(headers)?,
            routes: record_route(headers),
            local_cseq: 0,
            remote_cseq: cseq(headers)?,
            remote_cseq_of_invite: cseq(headers)?,
            flow,
            is_behind_nat: is_behind_nat(headers, flow),
            is_flow_gone: false,
        })
    }

    /// The dialog created by a 2xx to an INVITE of this side.
    pub(super) fn of_client(invite: &Request, answer: &Response, flow: Flow) -> Option<Self> {
        let mut routes = record_route(&answer.headers);
        routes.reverse();
        Some(Self {
            call_id: call_id(&invite.headers),
            local_tag: tag_of(&invite.headers, Side::From)?,
            remote_tag: tag_of(&answer.headers, Side::To).unwrap_or_default(),
            local: text(&invite.headers, &HeaderName::From)?,
            remote: text(&answer.headers, &HeaderName::To)?,
            target: contact(&answer.headers).unwrap_or_else(|| invite.uri.clone()),
            routes,
            local_cseq: cseq(&invite.headers)?,
            remote_cseq: 0,
            remote_cseq_of_invite: 0,
            flow,
            // By the flow of its registration, not to where its URI points.
            is_behind_nat: flow.transport.is_datagram()
                && invite.headers.get(&HeaderName::Route).is_none()
                && uri_address(&invite.uri, flow.transport).is_some_and(|named| named != flow.remote),
            is_flow_gone: false,
        })
    }

    /// A later response to the INVITE of this dialog: its routes and target apply from now on (sections 12.1.2 and
    /// 13.2.2.4), while what was sent meanwhile still counts.
    pub(super) fn answered(&mut self, answer: &Response) {
        if let Some(target) = contact(&answer.headers) {
            self.target = target;
        }
        let mut routes = record_route(&answer.headers);
        if !routes.is_empty() || answer.status.is_success() {
            routes.reverse();
            self.routes = routes;
        }
        if let Some(remote) = text(&answer.headers, &HeaderName::To) {
            self.remote = remote;
        }
    }

    /// The dialog that a request outside of any dialog would create, before any response.
    pub(super) fn of_request(request: &Request, flow: Flow) -> Option<Self> {
        Some(Self {
            call_id: call_id(&request.headers),
            local_tag: tag_of(&request.headers, Side::From)?,
            remote_tag: String::new(),
            local: text(&request.headers, &HeaderName::From)?,
            remote: text(&request.headers, &HeaderName::To)?,
            target: request.uri.clone(),
            routes: Vec::new(),
            local_cseq: cseq(&request.headers)?,
            remote_cseq: 0,
            remote_cseq_of_invite: 0,
            flow,
            is_behind_nat: false,
            is_flow_gone: false,
        })
    }

    /// This dialog as the other side would name it in Replaces.
    pub(super) fn replaces(&self) -> Replaces {
        Replaces {
            call_id: self.call_id.clone(),
            to_tag: self.remote_tag.clone(),
            from_tag: self.local_tag.clone(),
            early_only: false,
        }
    }

    /// The other side's remote target URI.
    pub(super) fn target(&self) -> &Uri {
        &self.target
    }

    /// The local address in From and To.
    pub(super) fn local(&self) -> &str {
        &self.local
    }

    /// A CSeq number for a request that is sent once more.
    pub(super) fn next_cseq(&mut self) -> u32 {
        self.local_cseq += 1;
        self.local_cseq
    }

    /// The dialog as text: one value per line, the routes last.
    pub(super) fn to_text(&self) -> String {
        let nat = if self.is_behind_nat { BEHIND_NAT } else { "" };
        let target = String::from_utf8_lossy(&self.target.to_bytes()).into_owned();
        let cseq = self.local_cseq.to_string();
        let flow = [
            format!("{}{nat}", self.flow.transport.name()),
            self.flow.local.to_string(),
            self.flow.remote.to_string(),
        ];
        let values =
            [&self.call_id, &self.local_tag, &self.remote_tag, &self.local, &self.remote, &target, &cseq];
        let lines = flow.iter().chain(values).chain(&self.routes);
        lines.map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// The dialog of an earlier process. Its connection is gone, and it may have sent more requests than were
    /// recorded.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let mut next = || lines.next().map(str::to_owned);
        let transport = next()?;
        let beyond_nat = transport.strip_suffix(BEHIND_NAT);
        let flow = Flow {
            transport: Transport::of_name(beyond_nat.unwrap_or(&transport))?,
            local: next()?.parse().ok()?,
            remote: next()?.parse().ok()?,
            is_foreign: false,
        };
        Some(Self {
            call_id: next()?,
            local_tag: next()?,
            remote_tag: next()?,
            local: next()?,
            remote: next()?,
            target: Uri::parse(bytes::Bytes::from(next()?)).ok()?,
            local_cseq: next()?.parse::<u32>().ok()?.saturating_add(CSEQ_AHEAD),
            routes: lines.map(str::to_owned).collect(),
            remote_cseq: 0,
            remote_cseq_of_invite: 0,
            flow,
            is_behind_nat: beyond_nat.is_some(),
            is_flow_gone: !flow.transport.is_datagram(),
        })
    }

    /// A re-INVITE or UPDATE may change the remote target (section 12.2.2), if it is accepted (RFC 6141, section 4).
    pub(super) fn refresh(&mut self, request: &Request, flow: Flow) {
        if let Some(target) = contact(&request.headers) {
            self.target = target;
        }
        (self.flow, self.is_behind_nat) = (flow, is_behind_nat(&request.headers, flow));
        self.is_flow_gone = false;
    }

    /// A request that changes no target still shows the present port of a NAT.
    pub(super) fn heard(&mut self, flow: Flow) {
        if self.is_behind_nat && flow.transport == self.flow.transport {
            self.flow = flow;
        }
    }

    /// A connection was closed. If it is this dialog's, the next request has to open another one.
    pub(super) fn flow_is_gone(&mut self, flow: Flow) {
        if (self.flow.transport, self.flow.remote) == (flow.transport, flow.remote) {
            self.is_flow_gone = true;
        }
    }

    /// A request within the dialog (section 12.2.1.1).
    pub(super) fn request(&mut self, method: Method, via: String, contact: String, product: &str) -> Request {
        let cseq = self.next_cseq();
        self.request_numbered(method, cseq, via, contact, product)
    }

    /// The ACK to a 2xx: it has the number of its INVITE, whatever was sent since (section 13.2.2.4).
    pub(super) fn ack(&self, cseq: u32, via: String, contact: String, product: &str) -> Request {
        self.request_numbered(Method::Ack, cseq, via, contact, product)
    }

    fn request_numbered(
        &self,
        method: Method,
        cseq: u32,
        via: String,
        contact: String,
        product: &str,
    ) -> Request {
        let (uri, routes) = self.route();
        request(Heading {
            method,
            uri,
            via,
            from: &self.local,
            to: &self.remote,
            call_id: &self.call_id,
            cseq,
            routes: &routes,
            contact: Some(contact),
            product,
        })
    }

    /// Request URI and Route headers: a strict router (no `lr`) gets its own URI as request URI.
    fn route(&self) -> (Uri, Vec<String>) {
        let strict = self
            .routes
            .first()
            .and_then(|first| route_uri(first))
            .filter(|uri| !uri.params().is_some_and(|params| params.contains("lr")));
        match strict {
            None => (self.target.clone(), self.routes.clone()),
            Some(uri) => {
                let mut routes = self.routes[1..].to_vec();
                routes.push(format!("<{}>", String::from_utf8_lossy(&self.target.to_bytes())));
                (uri, routes)
            }
        }
    }

    /// Where a request within the dialog goes: to the first route or the target if those are addresses (names are not
    /// resolved again), and for a target behind a NAT to where it was heard (RFC 6314, section 4.1.1: there is no
    /// other path to it). A connection is used while it is open; after that one is opened to where the other side
    /// listens (section 18.1.1).
    pub(super) fn next_hop(&self) -> Flow {
        let transport = self.flow.transport;
        let must_reopen = self.is_flow_gone && transport.can_be_opened();
        if !transport.is_datagram() && !must_reopen {
            return self.flow;
        }
        let named: Option<SocketAddr> = match self.routes.first() {
            Some(route) => route_uri(route).and_then(|uri| uri_address(&uri, transport)),
            None => uri_address(&self.target, transport)
                .filter(|address| self.is_flow_gone || !self.is_out_of_reach(address.ip())),
        };
        Flow { remote: named.unwrap_or(self.flow.remote), ..self.flow }
    }

    /// Whether an address of the target is private to another network.
    fn is_out_of_reach(&self, target: IpAddr) -> bool {
        self.is_behind_nat || (is_local(target) && !is_local(self.flow.remote.ip()))
    }
}

/// Whether a datagram came from another address than its sender states (RFC 3581, section 4); with `rport` the port
/// counts as well.
fn is_behind_nat(headers: &Headers, flow: Flow) -> bool {
    let Some(Ok(via)) = headers.typed::<Via>() else { return false };
    let host = host_text(&via.host).trim_matches(['[', ']']).parse::<IpAddr>();
    let port = via.port.unwrap_or(flow.transport.default_port());
    flow.transport.is_datagram()
        && (host.is_ok_and(|host| host.to_canonical() != flow.remote.ip().to_canonical())
            || (via.rport().is_some() && port != flow.remote.port()))
}

/// Addresses with a different meaning in every network: RFC 1918, RFC 6598, RFC 4193, link-local, loopback.
fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let is_carriers = ip.octets()[0] == 100 && ip.octets()[1] & 0xC0 == 64;
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_carriers
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
