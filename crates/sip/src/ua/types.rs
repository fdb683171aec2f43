//! The vocabulary between the user agent and the program.

use crate::{digest::Authorizations, guard::Caller};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// A call of this process: one INVITE dialog. Unrelated to the Call-ID header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// Transports.
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
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss];

    /// The name in Via (RFC 3261, section 20.42; RFC 7118, section 5.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
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

    /// The default port.
    pub(crate) const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    /// No hop between the two ends can read or change the messages.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// The peer is a browser.
    pub(crate) const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// The network may lose or reorder messages.
    pub(crate) const fn is_datagram(self) -> bool {
        matches!(self, Self::Udp)
    }

    /// This side may open such a connection; that of a browser can only be opened by the browser.
    pub(crate) const fn can_be_opened(self) -> bool {
        matches!(self, Self::Udp | Self::Tcp | Self::Tls)
    }
}

/// The transport and the addresses of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The transport.
    pub transport: Transport,
    /// The local address, as the other side can reach it.
    pub local: SocketAddr,
    /// The remote address.
    pub remote: SocketAddr,
    /// A browser opened it for a page of another site: `remote` is where the reader of that page is, who may not know
    /// of it. No network is trusted for it.
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

/// User and host of a URI (`addr-spec`, RFC 3261, section 25.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddrSpec {
    /// The user part, percent-decoded; the number of a `tel:` URI, with its parameters.
    pub user: String,
    /// The host, without a port.
    pub host: String,
}

/// A URI with a display name, as in From and To (`name-addr`, RFC 3261, section 25.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name, unquoted.
    pub display_name: Option<String>,
    /// The user part, percent-decoded.
    pub user: String,
    /// The host.
    pub host: String,
}

/// An incoming call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingCall {
    /// Its id from now on.
    pub call: CallId,
    /// The request URI.
    pub target: AddrSpec,
    /// The caller, by its own claim.
    pub from: NameAddr,
    /// Its transport and addresses.
    pub flow: Flow,
    /// The call that it replaces.
    pub replaces: Option<ReplacedCall>,
    /// The session description; `None` if the offer is left to this side.
    pub offer: Option<String>,
    /// The Call-ID header, for logs.
    pub sip_call_id: String,
    /// The caller's credentials.
    pub authorizations: Authorizations,
    /// The caller as asserted by the sender (P-Asserted-Identity, RFC 3325): it counts if the sender is trusted.
    pub asserted: Option<NameAddr>,
    /// The caller requests privacy (RFC 3323), or its From names nobody.
    pub is_private: bool,
    /// The caller as counted by limits.
    pub caller: Caller,
}

/// The call that another one replaces (RFC 3891).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplacedCall {
    /// Its id.
    pub call: CallId,
    /// The request comes from the address of its other side.
    pub is_same_peer: bool,
    /// It is over, as that of a page that is loaded again: there is no place to take.
    pub is_over: bool,
}

/// A request outside of any call that the program answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A subscriber to a conference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u64);

/// A request to subscribe to a conference (RFC 4575, 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribing {
    /// The number for the answer.
    pub request: RequestId,
    /// The request URI.
    pub target: AddrSpec,
    /// Within this call; `None`: outside of any.
    pub call: Option<CallId>,
    /// The credentials.
    pub authorizations: Authorizations,
    /// Its transport and addresses.
    pub flow: Flow,
    /// The caller as counted by limits.
    pub caller: Caller,
}

/// A request to register (RFC 3261, section 10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The number for the answer.
    pub request: RequestId,
    /// The user of To.
    pub user: String,
    /// The host of To.
    pub host: String,
    /// The Call-ID header: the same for all registrations of one client run (section 10.2.4).
    pub sip_call_id: String,
    /// The URIs of Contact, as received, each with the expiry that is asked for it, in seconds, 0: it is removed (section 10.3,
    /// step 7). Empty: the registrations are queried; `*`: all are removed.
    pub contacts: Vec<(String, u32)>,
    /// The proxies that a call to these contacts has to pass (Path, RFC 3327), as URIs, the nearest first.
    pub path: Vec<String>,
    /// The credentials.
    pub authorizations: Authorizations,
    /// Its transport and addresses.
    pub flow: Flow,
    /// The caller as counted by limits.
    pub caller: Caller,
}

/// A dialog that a call replaces (RFC 3891), as the recipient knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    /// Its Call-ID.
    pub call_id: String,
    /// The tag of the recipient.
    pub to_tag: String,
    /// The tag of the other side.
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

/// Whether a call follows a 3xx (RFC 3261, section 8.1.3.4).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Redirection {
    /// To any host.
    #[default]
    Follow,
    /// Only to these hosts, compared without regard to case.
    Within(Vec<String>),
    /// Not at all: the 3xx is a refusal.
    Refuse,
}

/// A call to place.
#[derive(Debug, Clone, Default)]
pub struct DialSpec {
    /// `sip:user@host:port`, with `;transport=tcp` if wanted; the host is a name or an address. Without a port the
    /// servers of a name are located by NAPTR and SRV (RFC 3263).
    pub uri: String,
    /// User part of From.
    pub from_user: String,
    /// Host of From, the domain of a trunk; `None`: the local address.
    pub from_host: Option<String>,
    /// Display name of From.
    pub display_name: Option<String>,
    /// The caller, for peers that trust this side (P-Asserted-Identity, RFC 3325). An empty host is that of From.
    pub asserted: Option<NameAddr>,
    /// Withholds the caller's identity from the called user: From is anonymous and `Privacy: id` is requested (RFC 3323, RFC 3325).
    pub is_private: bool,
    /// A conference calls, and says so in Contact (`isfocus`, RFC 4579).
    pub is_focus: bool,
    /// The offer.
    pub sdp: String,
    /// Credentials for challenges (401, 407).
    pub credentials: Option<Credentials>,
    /// URIs of proxies that the call passes, the nearest first: `sip:host;lr`. The servers located are those of the
    /// first one.
    pub route: Vec<String>,
    /// Send it on this flow instead, on which the called user registered (RFC 5626, 5.3). A route is still written.
    pub flow: Option<Flow>,
    /// The dialog that this call replaces.
    pub replaces: Option<Replaces>,
    /// The URI of the referrer (RFC 3892).
    pub referred_by: Option<String>,
    /// Further headers. Those that a call needs itself (From, Via, Route, …) are ignored.
    pub extra: Vec<(String, String)>,
    /// How long it may ring before CANCEL; `None`: three minutes.
    pub ring_for: Option<Duration>,
    /// Whether a 3xx is followed.
    pub redirection: Redirection,
    /// The program has another route to try: a server that is silent for a few seconds is given up, and the call is
    /// `Rejected` with 408.
    pub fails_over: bool,
}

/// A question whether a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PingId(pub u64);

/// Which server is asked whether it answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PingSpec {
    /// `sip:host`, located like the URI of a call.
    pub uri: String,
    /// URIs of proxies to pass, the nearest first.
    pub route: Vec<String>,
    /// Who asks: `sip:user@domain`.
    pub from: String,
}

/// The final status and its phrase, or why there was none.
pub type PingOutcome = Result<(u16, String), String>;

/// A registration with another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrationId(pub u64);

/// A registration to maintain (RFC 3261, section 10.2).
#[derive(Debug, Clone, Default)]
pub struct RegistrationSpec {
    /// `sip:host`, located like the URI of a call.
    pub registrar: String,
    /// The registered address: `sip:user@domain`.
    pub address_of_record: String,
    /// User part of Contact: incoming calls are addressed to it. Empty: the user of the address of record.
    pub contact_user: String,
    /// Credentials for challenges.
    pub credentials: Option<Credentials>,
    /// The expiry to ask for; `None`: an hour. The registrar may decide otherwise.
    pub expires: Option<Duration>,
    /// URIs of proxies to pass, the nearest first.
    pub route: Vec<String>,
    /// Interval of keep-alives (RFC 5626, 3.5.1) on the flow of the registration; `None`: 25 s over UDP, 100 s over
    /// connections; zero: never.
    pub keep_alive: Option<Duration>,
}

/// The body of an INFO with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyBody {
    /// `application/dtmf-relay`: the key and its duration.
    Relay,
    /// `application/dtmf`: the key.
    Plain,
}

/// The target of a REFER of this side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReferTo {
    /// A URI, replacing a call there if one is named.
    Uri {
        /// `sip:user@host`.
        uri: String,
        /// The call there, as that side knows it.
        replaces: Option<Replaces>,
    },
    /// The other side of this call, replacing it (attended transfer).
    Call(CallId),
}

/// A received REFER (RFC 3515). `accept_referral` or `refuse_request` answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referred {
    /// The number for the answer.
    pub request: RequestId,
    /// Within this call; `None`: outside of any.
    pub call: Option<CallId>,
    /// The request URI.
    pub target: AddrSpec,
    /// The referrer, by its own claim.
    pub from: NameAddr,
    /// The URI to call, without the headers in it.
    pub refer_to: String,
    /// The same, parsed.
    pub refer_target: AddrSpec,
    /// Its method; `INVITE` by default.
    pub method: String,
    /// The dialog there that the new call replaces (attended transfer).
    pub replaces: Option<Replaces>,
    /// The call of this side with that dialog, if there is one.
    pub replaces_call: Option<CallId>,
    /// The URI of the referrer (RFC 3892), for the new call.
    pub referred_by: Option<String>,
    /// The referrer as asserted by the sender (P-Asserted-Identity).
    pub asserted: Option<NameAddr>,
    /// The credentials.
    pub authorizations: Authorizations,
    /// Its transport and addresses.
    pub flow: Flow,
    /// The caller as counted by limits.
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

/// Events. Each call has exactly one last event: `Ended`, `Cancelled` or `Rejected`; a call refused with `reject` has
/// none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SipEvent {
    /// An incoming call. 100 has been sent.
    Incoming(Box<IncomingCall>),
    /// A request to subscribe to a conference; `accept_subscription` or `refuse_request` answers it.
    Subscribing(Box<Subscribing>),
    /// A subscription to a conference was refreshed: its subscriber expects a document with everything, by `notify`.
    Resubscribed(SubscriptionId),
    /// A subscription has ended.
    Unsubscribed(SubscriptionId),
    /// A request to register; `answer_registration` or `refuse_registration` answers it.
    Registering(Box<Registration>),
    /// A received REFER.
    Referred(Box<Referred>),
    /// The progress of a call that the other side makes on a REFER of this side.
    ReferralProgress {
        /// The call that the REFER was sent in.
        call: CallId,
        /// The status of its call: 100 or more; or why it was refused (with `is_final`). 202 is not reported.
        status: u16,
        /// The reason phrase.
        phrase: String,
        /// There will be no more.
        is_final: bool,
    },
    /// A registration succeeded, or was refreshed.
    Registered {
        /// The registration.
        registration: RegistrationId,
        /// Its expiry.
        expires: Duration,
        /// The proxies that outgoing calls should pass (Service-Route, RFC 3608), as URIs.
        service_route: Vec<String>,
        /// The flow to the registrar.
        flow: Flow,
    },
    /// A registration failed. It is retried, unless it was removed.
    RegistrationFailed {
        /// The registration.
        registration: RegistrationId,
        /// The status; 503 and 408 if nothing responded.
        status: u16,
        /// The reason phrase.
        phrase: String,
        /// The time until the next attempt.
        retry_in: Duration,
    },
    /// A registration was removed. Last.
    Unregistered(RegistrationId),
    /// A connection that the other side had opened is closed: registrations over it cannot be reached any more (RFC
    /// 5626, section 4.2.2).
    ConnectionClosed(Flow),
    /// Callers of this address are known: one was permitted. It is said again every few hours, and is worth keeping over a restart
    /// (`SipHandle::remember_permitted`).
    Permitted {
        /// The address; for IPv6 that of its 64-bit network.
        source: IpAddr,
    },
    /// This address gets no answer from now on, for this many seconds.
    Banned {
        /// The address.
        source: IpAddr,
        /// The duration.
        seconds: u64,
    },
    /// This caller gets no answer from now on, for this many seconds; others at its address do.
    Blocked {
        /// The address.
        source: IpAddr,
        /// Who it claims to be, and what it asked for.
        caller: Caller,
        /// The duration.
        seconds: u64,
    },
    /// The caller gave up before it was answered. Last.
    Cancelled {
        /// The call.
        call: CallId,
        /// The reasons it gave.
        reasons: Vec<Reason>,
    },
    /// The ACK to a 200 arrived.
    Confirmed {
        /// The call.
        call: CallId,
        /// The answer, if this side made the offer.
        answer: Option<String>,
        /// The dialog as text, with which a later process can end the call (`hang_up_saved`).
        dialog: String,
    },
    /// A re-INVITE or UPDATE requests a change of the session; `accept_offer` or `reject_offer` answers it.
    Reoffer {
        /// The call.
        call: CallId,
        /// The new offer; `None` if this side is to make one.
        offer: Option<String>,
    },
    /// The ACK to a 200 to a re-INVITE without an offer arrived.
    ReofferAnswer {
        /// The call.
        call: CallId,
        /// The answer to the offer.
        answer: Option<String>,
    },
    /// A key, received by INFO.
    KeyPressed {
        /// The call.
        call: CallId,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        key: char,
    },
    /// The called side is ringing or sends early media.
    Progress {
        /// The call.
        call: CallId,
        /// The fork: a proxy may have sent the call to several telephones. They are counted from 0 in the order in
        /// which they respond.
        fork: u32,
        /// 180, 183, …
        status: u16,
        /// Early media, if offered.
        sdp: Option<String>,
    },
    /// The called side answered.
    Answered {
        /// The call.
        call: CallId,
        /// Its answer; `None`: a reliable `Progress` of the same fork brought it already (RFC 3262, 5).
        sdp: Option<String>,
        /// The fork, as counted in `Progress`.
        fork: u32,
        /// The dialog as text, with which a later process can end the call (`hang_up_saved`).
        dialog: String,
    },
    /// The called side refused, could not be reached (408, 503) or did not answer in time (487). Last.
    Rejected {
        /// The call.
        call: CallId,
        /// The status.
        status: u16,
        /// The reason phrase.
        phrase: String,
    },
    /// The call has ended. Last.
    Ended {
        /// The call.
        call: CallId,
        /// The cause.
        cause: EndCause,
    },
}

/// Why a call has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndCause {
    /// The other side sent BYE.
    ByRemote {
        /// The reasons it gave.
        reasons: Vec<Reason>,
    },
    /// This side ended it.
    ByUs,
    /// The ACK to the 200 never arrived.
    AckTimeout,
    /// The other side could not be reached any more.
    Transport,
}

/// Where an endpoint that is named by transport only is heard, in logs.
impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.name().to_ascii_lowercase(), self.remote)
    }
}
