//! OPTIONS outside of dialogs (RFC 3261, section 11), to see whether a server answers: asked once, of one server after the other.

use super::{
    Flow,
    context::{Action, Context, Lookup, Owner},
    message::{self, Heading},
    transaction_id::TransactionId,
    types::{PingId, PingOutcome, PingSpec},
};
use crate::locate::Hop;
use bytes::Bytes;
use sipx_sip::{Method, Response, Uri};
use std::collections::{BTreeMap, VecDeque};

/// A server that is being asked.
#[derive(Debug)]
struct Ping {
    spec: PingSpec,
    uri: Uri,
    /// Where else it can be sent.
    servers: VecDeque<Flow>,
    /// The OPTIONS in progress.
    key: Option<TransactionId>,
}

#[derive(Debug, Default)]
pub(super) struct Pings {
    waiting: BTreeMap<PingId, Ping>,
}

impl Pings {
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Asks. `Action::Pinged` follows.
    pub(super) fn ping(&mut self, cx: &mut Context, id: PingId, spec: PingSpec) {
        let parse = |uri: &str| Uri::parse(Bytes::from(crate::text::uri(uri)));
        let uri = match parse(&spec.uri) {
            Ok(uri) => uri,
            Err(error) => return pinged(cx, id, Err(format!("`{}` is no SIP URI ({error})", spec.uri))),
        };
        let hop = match spec.route.first() {
            None => Hop::of(&uri),
            Some(route) => match parse(route) {
                Ok(route) => Hop::of(&route),
                Err(error) => Err(format!("its route is not a URI ({error})")),
            },
        };
        match hop {
            Ok(hop) => {
                self.waiting.insert(id, Ping { spec, uri, servers: VecDeque::new(), key: None });
                cx.push(Action::Locate { lookup: Lookup::Ping(id), hop });
            }
            Err(why) => pinged(cx, id, Err(why)),
        }
    }

    /// The servers, or why there are none.
    pub(super) fn handle_located(&mut self, cx: &mut Context, id: PingId, found: Result<Vec<Flow>, String>) {
        let Some(ping) = self.waiting.get_mut(&id) else { return };
        match found {
            Ok(flows) => {
                ping.servers = flows.into();
                self.send(cx, id, "no server was found");
            }
            Err(why) => self.end(cx, id, Err(why)),
        }
    }

    /// Asks the next server; `why`: there was none that answered.
    fn send(&mut self, cx: &mut Context, id: PingId, why: &str) {
        let next = self.waiting.get_mut(&id).and_then(|ping| ping.servers.pop_front());
        let Some(flow) = next else { return self.end(cx, id, Err(why.to_owned())) };
        let (via, call_id, tag) = (cx.via(flow), cx.token(16), cx.token(8));
        let Some(ping) = self.waiting.get_mut(&id) else { return };
        let routes: Vec<String> =
            ping.spec.route.iter().map(|route| format!("<{}>", crate::text::uri(route))).collect();
        let request = message::request(Heading {
            method: Method::Options,
            uri: ping.uri.clone(),
            via,
            from: &format!("<{}>;tag={tag}", crate::text::uri(&ping.spec.from)),
            to: &format!("<{}>", crate::text::uri(&ping.spec.uri)),
            call_id: &call_id,
            cseq: 1,
            routes: &routes,
            contact: None,
            product: &cx.product,
        });
        // Recorded before it can have consequences.
        ping.key = TransactionId::of_sent(&request);
        cx.send_request(request, flow, Owner::Ping(id));
    }

    fn is_current(&self, id: PingId, key: &TransactionId) -> bool {
        self.waiting.get(&id).is_some_and(|ping| ping.key.as_ref() == Some(key))
    }

    /// Any final response shows that a server is there.
    pub(super) fn handle_response(
        &mut self,
        cx: &mut Context,
        id: PingId,
        key: &TransactionId,
        response: &Response,
    ) {
        let status = response.status.code();
        if status >= 200 && self.is_current(id, key) {
            let phrase = String::from_utf8_lossy(&response.reason).into_owned();
            self.end(cx, id, Ok((status, phrase)));
        }
    }

    /// A server did not answer, or could not be reached.
    pub(super) fn handle_failure(&mut self, cx: &mut Context, id: PingId, key: &TransactionId, status: u16) {
        if self.is_current(id, key) {
            self.send(cx, id, if status == 408 { "no answer" } else { "it cannot be reached" });
        }
    }

    fn end(&mut self, cx: &mut Context, id: PingId, outcome: PingOutcome) {
        if self.waiting.remove(&id).is_some() {
            pinged(cx, id, outcome);
        }
    }
}

fn pinged(cx: &mut Context, ping: PingId, outcome: PingOutcome) {
    cx.push(Action::Pinged { ping, outcome });
}
