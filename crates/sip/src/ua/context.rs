//! What all parts of the user agent share, and the values by which they request actions.
//!
//! A part gets a [`Context`] with every input: the time, randomness, the local name and address. What has to happen
//! outside of the part goes into it as an [`Action`]; the user agent carries these out in order.

use super::{
    config::UaConfig,
    dialog::Dialog,
    message::{self, Side},
    timers::T1,
    transaction_id::TransactionId,
    types::{CallId, DialSpec, Flow, PingId, PingOutcome, RegistrationId, SipEvent, SubscriptionId},
};
use crate::locate::Hop;
use bytes::Bytes;
use sipx_sip::{HeaderName, Message, Request, Response, Uri};
use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Retry-After for a source with too many requests, in seconds.
pub(super) const RETRY_AFTER_S: &str = "5";
/// Retry-After for a refused caller, in seconds.
pub(super) const RETRY_AFTER_OVERLOAD_S: &str = "10";
/// Maximum duration of a transaction (RFC 3261, section 17).
pub(super) const TRANSACTION_MAX: Duration = T1.saturating_mul(64);

/// Source of randomness: fills the slice.
pub type Random = Box<dyn FnMut(&mut [u8]) + Send>;

/// The part that owns a transaction, and its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// It needs no response, or has none.
    Nobody,
    Call(CallId),
    /// A NOTIFY.
    Subscription(SubscriptionId),
    /// A REGISTER of this side.
    Registration(RegistrationId),
    /// An OPTIONS outside of dialogs.
    Ping(PingId),
}

/// The purpose of a server lookup.
#[derive(Debug)]
pub(super) enum Lookup {
    /// A call that has not been sent anywhere.
    Dial {
        call: CallId,
        uri: Uri,
        spec: Box<DialSpec>,
        begun: Duration,
    },
    /// A call that was redirected.
    Redirect {
        call: CallId,
        uri: Uri,
    },
    Register(RegistrationId),
    Ping(PingId),
}

/// A received request with a transaction.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) key: TransactionId,
    pub(super) request: Box<Request>,
    /// Where its responses go.
    pub(super) flow: Flow,
    /// The local tag in the dialog that an INVITE begins, for all of its responses and those to its CANCEL. Otherwise
    /// each response to a request without a To tag has one of its own.
    pub(super) tag: Option<String>,
}

/// The content of a NOTIFY.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) event: String,
    pub(super) state: String,
    /// Content type and text.
    pub(super) body: Option<(&'static str, String)>,
    pub(super) is_focus: bool,
}

/// An action outside of a part.
#[derive(Debug)]
pub(super) enum Action {
    /// Bytes without a transaction.
    Send {
        flow: Flow,
        bytes: Bytes,
    },
    /// A placed call has this Call-ID.
    Dialog {
        call: CallId,
        sip_call_id: String,
    },
    /// Responds to a request through its transaction.
    Respond {
        key: TransactionId,
        response: Box<Response>,
    },
    /// Retransmits a 2xx: through its transaction, or without it if that has ended.
    RespondAgain {
        key: TransactionId,
        response: Box<Response>,
        flow: Flow,
    },
    /// Sends a request in a transaction of its own.
    Request {
        request: Box<Request>,
        flow: Flow,
        owner: Owner,
    },
    /// Sends the CANCEL of an INVITE. `invite` and `flow` are used if its transaction has ended.
    Cancel {
        call: CallId,
        key: Option<TransactionId>,
        invite: Box<Request>,
        flow: Flow,
        extra: Vec<(HeaderName, String)>,
    },
    /// Stops retransmitting an INVITE, which can still be answered.
    StopRepeating(TransactionId),
    /// The outcome of a transaction is no longer awaited.
    Abandon(TransactionId),
    Locate {
        lookup: Lookup,
        hop: Hop,
    },
    /// Servers for the redirection of a call are no longer needed.
    ForgetRedirect(CallId),
    /// Nor those for a registration.
    ForgetRegistrar(RegistrationId),
    /// A server has failed (RFC 3263, 4.3). `wait`: its Retry-After.
    Avoid {
        flow: Flow,
        wait: Option<Duration>,
    },
    /// A NOTIFY within the dialog of a call.
    NotifyInCall {
        call: CallId,
        subscription: SubscriptionId,
        notice: Box<Notice>,
    },
    /// A call has ended, and with it what used its dialog.
    CallOver {
        call: CallId,
        dialog: Box<Dialog>,
        contact_user: String,
    },
    /// What came of an OPTIONS.
    Pinged {
        ping: PingId,
        outcome: PingOutcome,
    },
    /// Reports to the program.
    Event(SipEvent),
}

pub(super) struct Context {
    pub(super) now: Duration,
    /// Server and User-Agent header.
    pub(super) product: String,
    advertise: Option<IpAddr>,
    random: Random,
    actions: VecDeque<Action>,
}

impl Context {
    pub(super) fn new(config: &UaConfig, random: Random) -> Self {
        Self {
            now: Duration::ZERO,
            product: config.product.clone(),
            advertise: config.advertise,
            random,
            actions: VecDeque::new(),
        }
    }

    pub(super) fn push(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    /// All actions, in order.
    pub(super) fn take_actions(&mut self) -> VecDeque<Action> {
        std::mem::take(&mut self.actions)
    }

    pub(super) fn event(&mut self, event: SipEvent) {
        self.push(Action::Event(event));
    }

    /// Sends a message without a transaction: an ACK to a 2xx, or a refusal of a request that has none.
    pub(super) fn send(&mut self, flow: Flow, message: &Message) {
        self.push(Action::Send { flow, bytes: message.to_bytes() });
    }

    pub(super) fn send_request(&mut self, request: Request, flow: Flow, owner: Owner) {
        self.push(Action::Request { request: Box::new(request), flow, owner });
    }

    pub(super) fn respond(&mut self, key: &TransactionId, response: Response) {
        self.push(Action::Respond { key: key.clone(), response: Box::new(response) });
    }

    /// Responds with a status only.
    pub(super) fn respond_plain(&mut self, to: &Received, status: u16) {
        self.respond_with(to, status, None, &[]);
    }

    pub(super) fn respond_with(
        &mut self,
        to: &Received,
        status: u16,
        reason: Option<&str>,
        extra: &[(HeaderName, String)],
    ) {
        let has_tag = message::tag_of(&to.request.headers, Side::To).is_some();
        let fresh = (!has_tag && to.tag.is_none()).then(|| self.token(8));
        let tag = fresh.as_deref().or(to.tag.as_deref());
        if let Some(mut response) = message::response(&to.request, status, reason, tag, &self.product) {
            for (name, value) in extra {
                message::push(&mut response.headers, name.clone(), value.clone());
            }
            self.respond(&to.key, response);
        }
    }

    /// Refuses a body, listing what is understood in this place, without encodings.
    pub(super) fn refuse_body(&mut self, to: &Received, known: &[&str]) {
        let extra = [
            (HeaderName::Accept, super::body::accept(known)),
            (HeaderName::AcceptEncoding, "identity".to_owned()),
        ];
        self.respond_with(to, 415, None, &extra);
    }

    /// The local address in Via and Contact.
    pub(super) fn sent_by(&self, flow: Flow) -> SocketAddr {
        let mut local = flow.local;
        if let Some(advertise) = self.advertise.filter(|ip| ip.is_ipv4() == local.is_ipv4()) {
            local.set_ip(advertise);
        }
        local
    }

    pub(super) fn contact(&self, flow: Flow, user: &str, is_focus: bool) -> String {
        let focus = if is_focus { ";isfocus" } else { "" };
        let (sent_by, transport) = (self.sent_by(flow), flow.transport.uri_parameter());
        format!("<sip:{}@{sent_by}{transport}>{focus}", crate::text::uri_user(user))
    }

    pub(super) fn via(&mut self, flow: Flow) -> String {
        let branch = self.token(12);
        format!("SIP/2.0/{} {};rport;branch=z9hG4bK{branch}", flow.transport.name(), self.sent_by(flow))
    }

    /// Hexadecimal text of `bytes` random octets.
    pub(super) fn token(&mut self, bytes: usize) -> String {
        let mut random = [0; 16];
        let random = &mut random[..bytes.min(16)];
        (self.random)(random);
        random.iter().fold(String::with_capacity(bytes * 2), |mut text, byte| {
            text.push(char::from_digit(u32::from(byte >> 4), 16).expect("four bits are a digit"));
            text.push(char::from_digit(u32::from(byte & 15), 16).expect("four bits are a digit"));
            text
        })
    }

    pub(super) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.random)(&mut bytes);
        bytes
    }
}
