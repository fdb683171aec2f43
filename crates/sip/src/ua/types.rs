//! What the user agent says to the program and hears from it.

use crate::{digest::Authorizations, guard::Caller};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// A call of this process: one INVITE dialog. Ours; it has nothing to do with the Call-ID header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// How messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection.
    Tcp,
    /// A connection under TLS.
    Tls,
    /// A WebSocket (RFC 7118).
    Ws,
    /// A WebSocket under TLS.
    Wss,
}

impl Transport {
    /// The name in Via (RFC 3261, section 20.42; RFC 7118, section 5.1).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss].into_iter().find(|known| known.name() == name)
    }

    /// The `transport` parameter of a URI that leads here. Both WebSockets are `ws` (RFC 7118, section 5.2.3).
    pub(crate) const fn uri_parameter(self) -> &'static str {
        match self {
            Self::Udp => "",
            Self::Tcp => ";transport=tcp",
            Self::Tls => ";transport=tls",
            Self::Ws | Self::Wss => ";transport=ws",
        }
    }

    /// The port where none is named.
    pub(crate) const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    /// Nobody between the two ends can read or change what travels.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// At the other end is a browser.
    pub(crate) const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// The network may lose or reorder messages.
    pub(crate) const fn is_datagram(self) -> bool {
        matches!(self, Self::Udp)
    }

    /// We may open such a connection ourselves; a browser's can only be opened by the browser.
    pub(crate) const fn can_be_opened(self) -> bool {
        matches!(self, Self::Udp | Self::Tcp | Self::Tls)
    }
}

/// Between which addresses, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// How.
    pub transport: Transport,
    /// Our address, as the other side can reach it.
    pub local: SocketAddr,
    /// Theirs.
    pub remote: SocketAddr,
    /// A browser opened it for a page of another site: `remote` is where the reader of that page sits, who need not know
    /// of it. Nobody is trusted for coming from there.
    pub is_foreign: bool,
}

/// A reason for the end of a call (RFC 3326).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `SIP` or `Q.850`.
    pub protocol: String,
    /// A status or cause in that protocol.
    pub cause: Option<u16>,
    /// For people.
    pub text: Option<String>,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protocol)?;
        if let Some(cause) = self.cause {
            write!(f, ";cause={cause}")?;
        }
        if let Some(text) = &self.text {
            write!(f, ";text={}", crate::text::quoted(text))?;
        }
        Ok(())
    }
}

/// Whom a request is for: its request URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The user part, percent-decoded; the number of a `tel:` URI, with its parameters.
    pub user: String,
    /// The host, without a port.
    pub host: String,
}

/// Somebody named in From or To.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The display name, unquoted.
    pub display_name: Option<String>,
    /// The user part, percent-decoded.
    pub user: String,
    /// The host.
    pub host: String,
}

/// A call that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingCall {
    /// Its id from now on.
    pub call: CallId,
    /// Whom it is for.
    pub target: Target,
    /// Who calls, by their own word.
    pub from: Party,
    /// Where it came from and where to.
    pub flow: Flow,
    /// The call that it is to take the place of (RFC 3891).
    pub replaces: Option<CallId>,
    /// The session description, unless the caller leaves the offer to us.
    pub offer: Option<String>,
    /// The Call-ID header, for logs.
    pub sip_call_id: String,
    /// What the caller brings to show who it is.
    pub authorizations: Authorizations,
    /// Who calls by the word of the one who sent it on (P-Asserted-Identity, RFC 3325): worth something where that one
    /// is trusted.
    pub asserted: Option<Party>,
    /// Who calls is not to be shown to others (Privacy, RFC 3323).
    pub is_private: bool,
    /// Who asks and for what, as limits count it.
    pub caller: Caller,
}

/// A request outside of any call that the program answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Somebody who follows a conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u64);

/// Somebody wants to follow a conference (RFC 4575, 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribing {
    /// To be answered under this number.
    pub request: RequestId,
    /// Whom it is for.
    pub target: Target,
    /// Within this call; `None`: outside of any.
    pub call: Option<CallId>,
    /// What it brings to show who it is.
    pub authorizations: Authorizations,
    /// Where it came from and where to.
    pub flow: Flow,
    /// Who asks and for what, as limits count it.
    pub caller: Caller,
}

/// Somebody wants to be reachable (RFC 3261, section 10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// To be answered under this number.
    pub request: RequestId,
    /// Whose address it is: the user of To.
    pub user: String,
    /// The host of To.
    pub host: String,
    /// The Call-ID header: the same for all registrations of one client run (section 10.2.4).
    pub sip_call_id: String,
    /// The URIs of Contact, as they came; empty: the registrations are asked for; `*`: all are removed.
    pub contacts: Vec<String>,
    /// For how long, in seconds.
    pub expires: u32,
    /// The proxies that a call to these contacts has to go by (Path, RFC 3327), as URIs, the nearest to us first.
    pub path: Vec<String>,
    /// What it brings to show who it is.
    pub authorizations: Authorizations,
    /// Where it came from and where to.
    pub flow: Flow,
    /// Who asks and for what, as limits count it.
    pub caller: Caller,
}

/// A dialog that a call is to take the place of (RFC 3891), as the one who is asked knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    /// Its Call-ID.
    pub call_id: String,
    /// The tag of the one who is asked.
    pub to_tag: String,
    /// The tag of the other.
    pub from_tag: String,
    /// Only if it has not been answered.
    pub early_only: bool,
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        f.write_str(if self.early_only { ";early-only" } else { "" })
    }
}

/// Whether a call goes where a 3xx sends it (RFC 3261, section 8.1.3.4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Redirection {
    /// Wherever that is.
    #[default]
    Follow,
    /// Only to these hosts, compared without regard to case.
    Within(Vec<String>),
    /// Nowhere: the 3xx is a refusal.
    Refuse,
}

/// A call to place.
#[derive(Debug, Clone, Default)]
pub struct DialSpec {
    /// `sip:user@host:port`, `;transport=tcp` where wanted; the host is a name or an address. Without a port the servers
    /// of a name are found by NAPTR and SRV (RFC 3263).
    pub uri: String,
    /// User part of From.
    pub from_user: String,
    /// Host of From, the domain of a trunk; `None`: our address.
    pub from_host: Option<String>,
    /// Display name of From.
    pub display_name: Option<String>,
    /// Who calls, for those who trust us (P-Asserted-Identity, RFC 3325). An empty host is that of From.
    pub asserted: Option<Party>,
    /// The called party may not learn who calls: From says nothing and `Privacy: id` is asked for (RFC 3323, RFC 3325).
    pub is_private: bool,
    /// A conference calls, and says so in Contact (`isfocus`, RFC 4579).
    pub is_focus: bool,
    /// The offer.
    pub sdp: String,
    /// What to answer with when asked who calls (401, 407).
    pub credentials: Option<Credentials>,
    /// URIs of proxies that the call goes by, the nearest first: `sip:host;lr`. Where there is one, it is the first of them
    /// whose servers are looked for.
    pub route: Vec<String>,
    /// Send it on this flow instead, on which the called party has registered (RFC 5626, 5.3). A route is still written.
    pub flow: Option<Flow>,
    /// The dialog that this call is to take the place of.
    pub replaces: Option<Replaces>,
    /// The URI of who asked for this call by REFER (RFC 3892).
    pub referred_by: Option<String>,
    /// Further headers. Those that a call needs itself (From, Via, Route, …) are not taken.
    pub extra: Vec<(String, String)>,
    /// How long it may ring before we give up, with CANCEL; `None`: three minutes.
    pub ring_for: Option<Duration>,
    /// Whether a 3xx is followed.
    pub redirection: Redirection,
    /// Somebody else can be called instead: a server that says nothing at all for a few seconds is not waited for, and the
    /// call is `Rejected` with 408.
    pub is_impatient: bool,
}

/// One of our registrations with another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrationId(pub u64);

/// A registration of ours to be kept up (RFC 3261, section 10.2).
#[derive(Debug, Clone, Default)]
pub struct RegistrationSpec {
    /// `sip:host`, found like the URI of a call.
    pub registrar: String,
    /// Whose address it is: `sip:user@domain`.
    pub address_of_record: String,
    /// User part of Contact: what calls to us will be addressed to. Empty: the user of the address of record.
    pub contact_user: String,
    /// What to answer with when asked who we are.
    pub credentials: Option<Credentials>,
    /// For how long is asked; `None`: an hour. The registrar may say otherwise.
    pub expires: Option<Duration>,
    /// URIs of proxies to go by, the nearest first.
    pub route: Vec<String>,
    /// How often a keep-alive (RFC 5626, 3.5.1) is sent on the way of the registration; `None`: 25 s over UDP, 100 s over
    /// connections; zero: never.
    pub keep_alive: Option<Duration>,
}

/// Whom a participant is asked to call by a REFER of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferTo {
    /// A URI, taking the place of a call there where one is named.
    Uri {
        /// `sip:user@host`.
        uri: String,
        /// The call there, as that one knows it.
        replaces: Option<Replaces>,
    },
    /// The other side of this call of ours, whose place it takes (attended transfer).
    Call(CallId),
}

/// Somebody asks us to call somebody (REFER, RFC 3515). `accept_referral` or `refuse_request` answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referred {
    /// To be answered under this number.
    pub request: RequestId,
    /// Within this call; `None`: outside of any.
    pub call: Option<CallId>,
    /// Whom the request is for: its request URI.
    pub target: Target,
    /// Who asks, by its own word.
    pub from: Party,
    /// The URI to be called, without the headers that it carried.
    pub refer_to: String,
    /// The same, taken apart.
    pub refer_target: Target,
    /// By which method; `INVITE` where none is named.
    pub method: String,
    /// The dialog there whose place the new call takes (attended transfer).
    pub replaces: Option<Replaces>,
    /// Where that dialog is a call of ours.
    pub replaces_call: Option<CallId>,
    /// The URI of who asks (RFC 3892), for the new call.
    pub referred_by: Option<String>,
    /// Who asks by the word of the one who sent it on (P-Asserted-Identity).
    pub asserted: Option<Party>,
    /// What it brings to show who it is.
    pub authorizations: Authorizations,
    /// Where it came from and where to.
    pub flow: Flow,
    /// Who asks and for what, as limits count it.
    pub caller: Caller,
}

/// A user name and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What happens to calls. Each call has exactly one last event: `Ended`, `Cancelled` or `Rejected`; a call
/// refused with `reject` has none, for there is nothing more to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SipEvent {
    /// A call came in. 100 has been sent.
    Incoming(Box<IncomingCall>),
    /// Somebody wants to follow a conference; `accept_subscription` or `refuse_request` answers it.
    Subscribing(Box<Subscribing>),
    /// Somebody follows a conference no longer.
    Unsubscribed(SubscriptionId),
    /// Somebody registers; `answer_registration` or `refuse_registration` answers it.
    Registering(Box<Registration>),
    /// Somebody asks us to call somebody.
    Referred(Box<Referred>),
    /// How the call goes that a participant makes on our REFER.
    ReferralProgress {
        /// The call whose other side was asked.
        call: CallId,
        /// The status of its call: 100 or more; or why it would not (with `is_final`). 202 is never told.
        status: u16,
        /// The reason phrase.
        phrase: String,
        /// There will be no more.
        is_final: bool,
    },
    /// A registration of ours is up, or was refreshed.
    Registered {
        /// Which one.
        registration: RegistrationId,
        /// For how long.
        expires: Duration,
        /// The proxies that calls of ours should go by (Service-Route, RFC 3608), as URIs.
        service_route: Vec<String>,
        /// The way to the registrar.
        flow: Flow,
    },
    /// A registration of ours is not up. It is tried again, unless it was taken back.
    RegistrationFailed {
        /// Which one.
        registration: RegistrationId,
        /// The status; 503 and 408 where nobody answered.
        status: u16,
        /// The reason phrase.
        phrase: String,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// A registration of ours was taken back. Last.
    Unregistered(RegistrationId),
    /// A connection that the other side had opened is closed: whoever registered over it cannot be reached over it any more
    /// (RFC 5626, section 4.2.2).
    ConnectionClosed(Flow),
    /// Nothing of this address is answered from now on, for so many seconds.
    Banned {
        /// Whose.
        source: IpAddr,
        /// For how long.
        seconds: u64,
    },
    /// Nothing of this caller is answered from now on, for so many seconds; of others at its address all is.
    Blocked {
        /// Where it is.
        source: IpAddr,
        /// Who it says it is, and what it asked for.
        caller: Caller,
        /// For how long.
        seconds: u64,
    },
    /// The caller gave up before it was answered. Last.
    Cancelled {
        /// Which call.
        call: CallId,
        /// The reasons it gave.
        reasons: Vec<Reason>,
    },
    /// The ACK to our 200 came.
    Confirmed {
        /// Which call.
        call: CallId,
        /// The answer, where the offer was ours.
        answer: Option<String>,
        /// The dialog as text: with it another run of ours can end the call (`hang_up_saved`).
        dialog: String,
    },
    /// A re-INVITE or UPDATE wants to change the session; `accept_offer` or `reject_offer` answers it.
    Reoffer {
        /// Which call.
        call: CallId,
        /// The new offer; `None` asks us for one.
        offer: Option<String>,
    },
    /// The ACK to our 200 to a re-INVITE without an offer came.
    ReofferAnswer {
        /// Which call.
        call: CallId,
        /// The answer to our offer.
        answer: Option<String>,
    },
    /// A key, told by INFO.
    KeyPressed {
        /// Which call.
        call: CallId,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        key: char,
    },
    /// The called side is ringing or plays early media.
    Progress {
        /// Which call.
        call: CallId,
        /// Which of its telephones: a proxy may have sent the call to several. They are counted from 0 as they show up.
        fork: u32,
        /// 180, 183, …
        status: u16,
        /// Early media, where it is offered.
        sdp: Option<String>,
    },
    /// The called side answered.
    Answered {
        /// Which call.
        call: CallId,
        /// Its answer; `None`: a reliable `Progress` of the same fork brought it already (RFC 3262, 5).
        sdp: Option<String>,
        /// Which of its telephones, as counted in `Progress`.
        fork: u32,
        /// The dialog as text: with it another run of ours can end the call (`hang_up_saved`).
        dialog: String,
    },
    /// The called side refused, could not be reached (408, 503) or did not answer in time (487). Last.
    Rejected {
        /// Which call.
        call: CallId,
        /// The status.
        status: u16,
        /// The reason phrase.
        phrase: String,
    },
    /// The call is over. Last.
    Ended {
        /// Which call.
        call: CallId,
        /// Why.
        cause: EndCause,
    },
}

/// Why a call is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndCause {
    /// They sent BYE.
    ByRemote {
        /// The reasons they gave.
        reasons: Vec<Reason>,
    },
    /// We hung up.
    ByUs,
    /// The ACK to our 200 never came.
    AckTimeout,
    /// They could not be reached any more.
    Transport,
}

/// Where an endpoint that is named by transport only is heard, in logs.
impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.name().to_ascii_lowercase(), self.remote)
    }
}
