//! The handle to an endpoint.

use super::{
    SipError,
    stream::BoxedStream,
    watch::{SipCounts, Watch},
};
use crate::{
    guard::{Ban, Caller, GuardConfig},
    locate::Hop,
    ua::{
        CallId, DialSpec, Flow, KeyBody, PingOutcome, PingSpec, Reason, ReferTo, RegistrationId,
        RegistrationSpec, RequestId, SubscriptionId, Transport,
    },
};
use bytes::Bytes;
use ipnet::IpNet;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// Commands to an endpoint. Cheap to clone; none of the methods waits for the network.
#[derive(Debug, Clone)]
pub struct SipHandle {
    // Not bounded: every command answers an event, so there are no more of them than calls.
    pub(super) commands: mpsc::UnboundedSender<EndpointCommand>,
    pub(super) next_call: Arc<AtomicU64>,
    pub(super) local: SocketAddr,
    pub(super) local_tls: Option<SocketAddr>,
    pub(super) watch: Watch,
}

/// The conduct of a source.
pub(super) enum Outcome {
    Succeeded { is_known: bool },
    Failed { is_reached: bool },
}

pub(super) enum EndpointCommand {
    Ring {
        call: CallId,
        sdp: Option<String>,
    },
    Answer {
        call: CallId,
        sdp: String,
        is_focus: bool,
    },
    AcceptSubscription {
        request: RequestId,
        call: Option<CallId>,
        body: String,
    },
    Notify {
        subscription: SubscriptionId,
        body: String,
    },
    EndSubscription {
        subscription: SubscriptionId,
    },
    Reject {
        call: CallId,
        status: u16,
        phrase: Option<String>,
        extra: Vec<(String, String)>,
    },
    AcceptOffer {
        call: CallId,
        sdp: String,
    },
    RejectOffer {
        call: CallId,
        status: u16,
    },
    HangUp {
        call: CallId,
        reasons: Vec<Reason>,
    },
    Probe {
        call: CallId,
    },
    Dial {
        call: CallId,
        spec: Box<DialSpec>,
    },
    Register {
        registration: RegistrationId,
        spec: Box<RegistrationSpec>,
    },
    Unregister {
        registration: RegistrationId,
    },
    Ping {
        spec: PingSpec,
        reply: oneshot::Sender<PingOutcome>,
    },
    AcceptReferral {
        request: RequestId,
    },
    ReportReferral {
        request: RequestId,
        status: u16,
        phrase: String,
    },
    Refer {
        call: CallId,
        to: ReferTo,
    },
    SendKey {
        call: CallId,
        key: char,
        body: KeyBody,
    },
    AnswerRegistration {
        request: RequestId,
        contacts: Vec<(String, u32)>,
    },
    RefuseRequest {
        request: RequestId,
        status: u16,
        extra: Vec<(String, String)>,
    },
    Report {
        flow: Flow,
        caller: Caller,
        outcome: Outcome,
    },
    RememberPermitted {
        permitted: Vec<(IpAddr, Duration)>,
    },
    SetLimits {
        allow_from: Vec<IpNet>,
        websockets_from: Vec<IpNet>,
        guard: GuardConfig,
    },
    Bans {
        reply: oneshot::Sender<Vec<Ban>>,
    },
    LiftBan {
        source: IpAddr,
        reply: oneshot::Sender<bool>,
    },
    HangUpSaved {
        call: CallId,
        dialog: String,
        reasons: Vec<Reason>,
    },
    SetDraining {
        draining: bool,
    },
    SetBusy {
        busy: bool,
    },
    #[cfg(test)]
    Fail,
    Accepted {
        stream: BoxedStream,
        flow: Flow,
    },
    Shutdown {
        done: oneshot::Sender<()>,
    },
}

impl SipHandle {
    /// The first listening address, with its actual port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The first TLS listening address.
    #[must_use]
    pub fn local_tls_addr(&self) -> Option<SocketAddr> {
        self.local_tls
    }

    /// Takes over a WebSocket after its opening handshake (RFC 7118, section 4). `secure`: it came under TLS.
    /// `is_foreign`: a page of another site opened it.
    pub fn accept_websocket(
        &self,
        stream: BoxedStream,
        local: SocketAddr,
        remote: SocketAddr,
        secure: bool,
        is_foreign: bool,
    ) {
        let transport = if secure { Transport::Wss } else { Transport::Ws };
        self.command(EndpointCommand::Accepted {
            stream,
            flow: Flow { transport, local, remote, is_foreign },
        });
    }

    fn command(&self, command: EndpointCommand) {
        // Fails only once the endpoint has stopped, and then there is nothing left to command.
        let _ = self.commands.send(command);
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counts(&self) -> SipCounts {
        self.watch.counts()
    }

    /// Sends 180, or 183 with early media.
    pub fn ring(&self, call: CallId, sdp: Option<String>) {
        self.command(EndpointCommand::Ring { call, sdp });
    }

    /// Sends 200, and retransmits it until the ACK arrives.
    pub fn answer(&self, call: CallId, sdp: String) {
        self.command(EndpointCommand::Answer { call, sdp, is_focus: false });
    }

    /// The same for a conference, which identifies itself as a focus (RFC 4579).
    pub fn answer_as_focus(&self, call: CallId, sdp: String) {
        self.command(EndpointCommand::Answer { call, sdp, is_focus: true });
    }

    /// Accepts a subscription and sends the first document. From then on it is the `SubscriptionId` of the same
    /// number, until `Unsubscribed`.
    pub fn accept_subscription(&self, request: RequestId, call: Option<CallId>, body: String) {
        self.command(EndpointCommand::AcceptSubscription { request, call, body });
    }

    /// Sends another document.
    pub fn notify(&self, subscription: SubscriptionId, body: String) {
        self.command(EndpointCommand::Notify { subscription, body });
    }

    /// The subscribed resource no longer exists.
    pub fn end_subscription(&self, subscription: SubscriptionId) {
        self.command(EndpointCommand::EndSubscription { subscription });
    }

    /// Refuses an incoming call. No event of it follows.
    pub fn reject(&self, call: CallId, status: u16, phrase: Option<&str>, extra: Vec<(String, String)>) {
        self.command(EndpointCommand::Reject { call, status, phrase: phrase.map(str::to_owned), extra });
    }

    /// Accepts a registration: its contacts, each with its remaining seconds.
    pub fn answer_registration(&self, request: RequestId, contacts: Vec<(String, u32)>) {
        self.command(EndpointCommand::AnswerRegistration { request, contacts });
    }

    /// Refuses a registration or a subscription.
    pub fn refuse_request(&self, request: RequestId, status: u16, extra: Vec<(String, String)>) {
        self.command(EndpointCommand::RefuseRequest { request, status, extra });
    }

    /// Reports that a caller was permitted. `is_known`: by a password, a token or an address that is named for it, and not merely
    /// because everyone is: then what its neighbours fail at has no consequences for it.
    pub fn report_success(&self, flow: Flow, caller: Caller, is_known: bool) {
        self.command(EndpointCommand::Report { flow, caller, outcome: Outcome::Succeeded { is_known } });
    }

    /// Brings back which addresses had known callers before a restart, each with how long ago that was.
    pub fn remember_permitted(&self, permitted: Vec<(IpAddr, Duration)>) {
        self.command(EndpointCommand::RememberPermitted { permitted });
    }

    /// Reports that a caller asked for something it is not permitted. `is_reached`: messages to it arrive (it has a
    /// connection, or answered a challenge); otherwise its address may be forged, and it is not blocked for long.
    pub fn report_failure(&self, flow: Flow, caller: Caller, is_reached: bool) {
        self.command(EndpointCommand::Report { flow, caller, outcome: Outcome::Failed { is_reached } });
    }

    /// Changes networks and limits.
    pub fn set_limits(&self, allow_from: Vec<IpNet>, websockets_from: Vec<IpNet>, guard: GuardConfig) {
        self.command(EndpointCommand::SetLimits { allow_from, websockets_from, guard });
    }

    /// Asks a server whether it answers (OPTIONS): one of its addresses after the other, over the half minute that a transaction
    /// of SIP takes for each.
    pub async fn ping(&self, spec: PingSpec) -> PingOutcome {
        let (reply, answer) = oneshot::channel();
        self.command(EndpointCommand::Ping { spec, reply });
        answer.await.unwrap_or_else(|_| Err("the service is stopping".to_owned()))
    }

    /// Sources that get no answer at present, the longest first. Empty once the endpoint has stopped.
    pub async fn bans(&self) -> Vec<Ban> {
        let (reply, answer) = oneshot::channel();
        self.command(EndpointCommand::Bans { reply });
        answer.await.unwrap_or_default()
    }

    /// Answers a source again, for IPv6 its whole network. False if it was not banned.
    pub async fn lift_ban(&self, source: IpAddr) -> bool {
        let (reply, answer) = oneshot::channel();
        self.command(EndpointCommand::LiftBan { source, reply });
        answer.await.unwrap_or(false)
    }

    /// Accepts a re-INVITE or UPDATE.
    pub fn accept_offer(&self, call: CallId, sdp: String) {
        self.command(EndpointCommand::AcceptOffer { call, sdp });
    }

    /// Declines a re-INVITE or UPDATE.
    pub fn reject_offer(&self, call: CallId, status: u16) {
        self.command(EndpointCommand::RejectOffer { call, status });
    }

    /// Ends a call in any state: BYE, CANCEL, or a refusal.
    pub fn hang_up(&self, call: CallId, reasons: Vec<Reason>) {
        self.command(EndpointCommand::HangUp { call, reasons });
    }

    /// Asks whether the other side still knows the established call, and ends it otherwise.
    pub fn probe(&self, call: CallId) {
        self.command(EndpointCommand::Probe { call });
    }

    /// Ends a call of an earlier process, by its dialog as in `Confirmed`.
    pub fn hang_up_saved(&self, dialog: String, reasons: Vec<Reason>) {
        let call = CallId(self.next_call.fetch_add(1, Ordering::Relaxed));
        self.command(EndpointCommand::HangUpSaved { call, dialog, reasons });
    }

    /// Refuses new calls from now on, and answers OPTIONS with 503.
    pub fn set_draining(&self, draining: bool) {
        self.command(EndpointCommand::SetDraining { draining });
    }

    /// Makes the endpoint fail on this, as a bug in the handling of a message would.
    #[cfg(test)]
    pub(crate) fn fail(&self) {
        self.command(EndpointCommand::Fail);
    }

    /// The program is overloaded: until it says otherwise, new calls, registrations and subscriptions get 503 with
    /// Retry-After. The endpoint also watches its own queue.
    pub fn set_busy(&self, busy: bool) {
        self.command(EndpointCommand::SetBusy { busy });
    }

    /// Places a call; `Progress`, `Answered` or `Rejected` follow. Its servers are located by DNS (RFC 3263) and
    /// tried in turn; if there is none, it is `Rejected` with 503.
    ///
    /// # Errors
    ///
    /// Its URI, or that of its first route, cannot be called.
    pub fn dial(&self, spec: DialSpec) -> Result<CallId, SipError> {
        let call = self.new_call();
        self.dial_as(call, spec)?;
        Ok(call)
    }

    /// The id of a call to be placed.
    #[must_use]
    pub fn new_call(&self) -> CallId {
        CallId(self.next_call.fetch_add(1, Ordering::Relaxed))
    }

    /// [`Self::dial`] under an id of [`Self::new_call`]. Once a call was `Rejected`, the same id may be used for
    /// another attempt.
    ///
    /// # Errors
    ///
    /// Its URI, or that of its first route, cannot be called.
    pub fn dial_as(&self, call: CallId, spec: DialSpec) -> Result<(), SipError> {
        check_dial(&spec)?;
        let spec = Box::new(spec);
        self.commands.send(EndpointCommand::Dial { call, spec }).map_err(|_| SipError::Stopped)
    }

    /// Registers with another server and maintains the registration: `Registered` and `RegistrationFailed` report its
    /// state.
    ///
    /// # Errors
    ///
    /// The URI of the registrar, of the user or of the first route is invalid.
    pub fn register(&self, spec: RegistrationSpec) -> Result<RegistrationId, SipError> {
        let registration = RegistrationId(self.next_call.fetch_add(1, Ordering::Relaxed));
        self.register_as(registration, spec)?;
        Ok(registration)
    }

    /// [`Self::register`] under an id of the caller's; the two must not be mixed.
    ///
    /// # Errors
    ///
    /// Those of [`Self::register`].
    pub fn register_as(&self, registration: RegistrationId, spec: RegistrationSpec) -> Result<(), SipError> {
        check_registration(&spec)?;
        let spec = Box::new(spec);
        self.commands.send(EndpointCommand::Register { registration, spec }).map_err(|_| SipError::Stopped)
    }

    /// Removes a registration; `Unregistered` follows. [`Self::shutdown`] does so for all.
    pub fn unregister(&self, registration: RegistrationId) {
        self.command(EndpointCommand::Unregister { registration });
    }

    /// Accepts a REFER (`Referred`), and reports that the call is being tried.
    pub fn accept_referral(&self, request: RequestId) {
        self.command(EndpointCommand::AcceptReferral { request });
    }

    /// Reports the status of the call to its referrer; from 200 on that is the last.
    pub fn report_referral(&self, request: RequestId, status: u16, phrase: &str) {
        self.command(EndpointCommand::ReportReferral { request, status, phrase: phrase.to_owned() });
    }

    /// Transfers the other side of a call (REFER); `ReferralProgress` reports its state. The call stays until it is
    /// hung up.
    pub fn refer(&self, call: CallId, to: ReferTo) {
        self.command(EndpointCommand::Refer { call, to });
    }

    /// Presses a key of a call that is up, by INFO: `0` to `9`, `*`, `#`, `A` to `D`.
    pub fn send_key(&self, call: CallId, key: char, body: KeyBody) {
        self.command(EndpointCommand::SendKey { call, key, body });
    }

    /// Stops the endpoint once earlier commands are sent and registrations are removed, which takes two seconds at
    /// most.
    pub async fn shutdown(&self) {
        let (done, stopped) = oneshot::channel();
        self.command(EndpointCommand::Shutdown { done });
        let _ = stopped.await;
    }
}

/// Whether a call can be placed like this, as [`SipHandle::dial`] would find out.
///
/// # Errors
///
/// Its URI, or that of its first route, cannot be called.
pub fn check_dial(spec: &DialSpec) -> Result<(), SipError> {
    match spec.flow {
        // It uses an existing connection, so its URI need not lead anywhere: that of a browser names a host that
        // that does not resolve, and a transport that only the browser can open (RFC 7118, section 5).
        Some(_) => drop(parse(&spec.uri)?),
        None => {
            check(&spec.uri)?;
            spec.route.first().map_or(Ok(()), |route| check(route))?;
        }
    }
    Ok(())
}

/// Whether a registration can be maintained like this, as [`SipHandle::register`] would find out.
///
/// # Errors
///
/// The URI of the registrar, of the user or of the first route is invalid.
pub fn check_registration(spec: &RegistrationSpec) -> Result<(), SipError> {
    check(&spec.registrar)?;
    check(&spec.address_of_record)?;
    spec.route.first().map_or(Ok(()), |route| check(route))
}

/// Whether a URI can be called.
fn check(uri: &str) -> Result<(), SipError> {
    Hop::of(&parse(uri)?).map(drop).map_err(|text| SipError::Uri { uri: uri.to_owned(), text })
}

/// Whether it is a SIP URI at all.
pub(super) fn parse(uri: &str) -> Result<sipx_sip::Uri, SipError> {
    let wrong = |text: String| SipError::Uri { uri: uri.to_owned(), text };
    let parsed =
        sipx_sip::Uri::parse(Bytes::from(uri.to_owned())).map_err(|error| wrong(error.to_string()))?;
    match parsed.scheme().is_sip() {
        true => Ok(parsed),
        false => Err(wrong("only sip: and sips: can be called".to_owned())),
    }
}
