//! The handle to an endpoint.

use super::{SipError, connection::BoxedStream};
use crate::{
    guard::{Ban, Caller, GuardConfig},
    locate::Hop,
    ua::{
        CallId, DialSpec, Flow, Reason, ReferTo, RegistrationId, RegistrationSpec, RequestId, SubscriptionId,
        Transport,
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
};
use tokio::sync::{mpsc, oneshot};

/// Commands to an endpoint. Cheap to clone; none of the methods waits for the network.
#[derive(Debug, Clone)]
pub struct SipHandle {
    // Not bounded: every command answers an event, so there are no more of them than calls.
    pub(super) commands: mpsc::UnboundedSender<Command>,
    pub(super) next_call: Arc<AtomicU64>,
    pub(super) local: SocketAddr,
    pub(super) local_tls: Option<SocketAddr>,
}

/// How a source did.
pub(super) enum Outcome {
    Succeeded,
    Failed { is_reached: bool },
}

pub(super) enum Command {
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
    /// The first listening address, with the port that was really taken.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The first address that is listened on for TLS.
    #[must_use]
    pub fn local_tls_addr(&self) -> Option<SocketAddr> {
        self.local_tls
    }

    /// Takes over a WebSocket whose opening handshake is done (RFC 7118, section 4). `secure`: it came under TLS.
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
        self.command(Command::Accepted { stream, flow: Flow { transport, local, remote, is_foreign } });
    }

    fn command(&self, command: Command) {
        // Fails only once the endpoint has stopped, and then there is nothing left to command.
        let _ = self.commands.send(command);
    }

    /// Sends 180, or 183 with early media.
    pub fn ring(&self, call: CallId, sdp: Option<String>) {
        self.command(Command::Ring { call, sdp });
    }

    /// Sends 200; it is sent again until the ACK comes.
    pub fn answer(&self, call: CallId, sdp: String) {
        self.command(Command::Answer { call, sdp, is_focus: false });
    }

    /// The same for a conference, which says so (RFC 4579).
    pub fn answer_as_focus(&self, call: CallId, sdp: String) {
        self.command(Command::Answer { call, sdp, is_focus: true });
    }

    /// Agrees to a subscription and tells the first document. It is known as `SubscriptionId` of the same number from then
    /// on, until `Unsubscribed`.
    pub fn accept_subscription(&self, request: RequestId, call: Option<CallId>, body: String) {
        self.command(Command::AcceptSubscription { request, call, body });
    }

    /// Tells another document.
    pub fn notify(&self, subscription: SubscriptionId, body: String) {
        self.command(Command::Notify { subscription, body });
    }

    /// What was followed is no more.
    pub fn end_subscription(&self, subscription: SubscriptionId) {
        self.command(Command::EndSubscription { subscription });
    }

    /// Refuses a call that came in. No event of it follows.
    pub fn reject(&self, call: CallId, status: u16, phrase: Option<&str>, extra: Vec<(String, String)>) {
        self.command(Command::Reject { call, status, phrase: phrase.map(str::to_owned), extra });
    }

    /// Agrees to a registration: which contacts there are, each with its seconds.
    pub fn answer_registration(&self, request: RequestId, contacts: Vec<(String, u32)>) {
        self.command(Command::AnswerRegistration { request, contacts });
    }

    /// Refuses a registration or a subscription.
    pub fn refuse_request(&self, request: RequestId, status: u16, extra: Vec<(String, String)>) {
        self.command(Command::RefuseRequest { request, status, extra });
    }

    /// Says that a caller has shown who it is, by a password or a token.
    pub fn report_success(&self, flow: Flow, caller: Caller) {
        self.command(Command::Report { flow, caller, outcome: Outcome::Succeeded });
    }

    /// Says that a caller asked for what it may not have. `is_reached`: what we send reaches it (it has a connection, or
    /// answered a challenge of ours); else its address may be somebody else's, and it is not blocked for long.
    pub fn report_failure(&self, flow: Flow, caller: Caller, is_reached: bool) {
        self.command(Command::Report { flow, caller, outcome: Outcome::Failed { is_reached } });
    }

    /// Other networks and limits from now on.
    pub fn set_limits(&self, allow_from: Vec<IpNet>, websockets_from: Vec<IpNet>, guard: GuardConfig) {
        self.command(Command::SetLimits { allow_from, websockets_from, guard });
    }

    /// Sources that are not answered at the moment, the longest first. None once the endpoint has stopped.
    pub async fn bans(&self) -> Vec<Ban> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Bans { reply });
        answer.await.unwrap_or_default()
    }

    /// Answers a source again, of IPv6 its whole network. False: it is answered.
    pub async fn lift_ban(&self, source: IpAddr) -> bool {
        let (reply, answer) = oneshot::channel();
        self.command(Command::LiftBan { source, reply });
        answer.await.unwrap_or(false)
    }

    /// Agrees to a re-INVITE or UPDATE.
    pub fn accept_offer(&self, call: CallId, sdp: String) {
        self.command(Command::AcceptOffer { call, sdp });
    }

    /// Declines a re-INVITE or UPDATE.
    pub fn reject_offer(&self, call: CallId, status: u16) {
        self.command(Command::RejectOffer { call, status });
    }

    /// Ends a call in whatever state: BYE, CANCEL, or a refusal.
    pub fn hang_up(&self, call: CallId, reasons: Vec<Reason>) {
        self.command(Command::HangUp { call, reasons });
    }

    /// Asks whether the other side still knows the call that is up; it ends where that is not so.
    pub fn probe(&self, call: CallId) {
        self.command(Command::Probe { call });
    }

    /// Ends a call of a run that was cut off, by its dialog as `Confirmed` gave it.
    pub fn hang_up_saved(&self, dialog: String, reasons: Vec<Reason>) {
        let call = CallId(self.next_call.fetch_add(1, Ordering::Relaxed));
        self.command(Command::HangUpSaved { call, dialog, reasons });
    }

    /// New calls are refused from now on, and those who ask (OPTIONS) are told to go elsewhere.
    pub fn set_draining(&self, draining: bool) {
        self.command(Command::SetDraining { draining });
    }

    /// Has the endpoint fail over this, as a mistake of ours in the handling of a message would.
    #[cfg(test)]
    pub(crate) fn fail(&self) {
        self.command(Command::Fail);
    }

    /// The program has more to do than it can: until it says otherwise, new calls, registrations and subscriptions get 503
    /// with Retry-After. Beside it the endpoint watches its own queue.
    pub fn set_busy(&self, busy: bool) {
        self.command(Command::SetBusy { busy });
    }

    /// Places a call; `Progress`, `Answered` or `Rejected` follow. Its servers are looked for in DNS (RFC 3263) and asked one
    /// after the other; where none is found, it is `Rejected` with 503.
    ///
    /// # Errors
    /// Its URI, or that of its first route, is not one that can be called.
    pub fn dial(&self, spec: DialSpec) -> Result<CallId, SipError> {
        let call = self.new_call();
        self.dial_as(call, spec)?;
        Ok(call)
    }

    /// The id of a call that is to be placed.
    #[must_use]
    pub fn new_call(&self) -> CallId {
        CallId(self.next_call.fetch_add(1, Ordering::Relaxed))
    }

    /// [`Self::dial`] under an id of [`Self::new_call`]. Once a call was `Rejected`, the same id may be used for another try.
    ///
    /// # Errors
    /// Its URI, or that of its first route, is not one that can be called.
    pub fn dial_as(&self, call: CallId, spec: DialSpec) -> Result<(), SipError> {
        check_dial(&spec)?;
        let spec = Box::new(spec);
        self.commands.send(Command::Dial { call, spec }).map_err(|_| SipError::Stopped)
    }

    /// Registers with another server and keeps the registration up: `Registered` and `RegistrationFailed` tell how that
    /// goes.
    ///
    /// # Errors
    /// The URI of the registrar, of the user or of the first route is not one.
    pub fn register(&self, spec: RegistrationSpec) -> Result<RegistrationId, SipError> {
        let registration = RegistrationId(self.next_call.fetch_add(1, Ordering::Relaxed));
        self.register_as(registration, spec)?;
        Ok(registration)
    }

    /// [`Self::register`] under an id of the caller's; the two are not to be mixed.
    ///
    /// # Errors
    /// Those of [`Self::register`].
    pub fn register_as(&self, registration: RegistrationId, spec: RegistrationSpec) -> Result<(), SipError> {
        check_registration(&spec)?;
        let spec = Box::new(spec);
        self.commands.send(Command::Register { registration, spec }).map_err(|_| SipError::Stopped)
    }

    /// Takes a registration back; `Unregistered` follows. [`Self::shutdown`] does so for all.
    pub fn unregister(&self, registration: RegistrationId) {
        self.command(Command::Unregister { registration });
    }

    /// Agrees to call whom somebody asks for (`Referred`), and says that this is being tried.
    pub fn accept_referral(&self, request: RequestId) {
        self.command(Command::AcceptReferral { request });
    }

    /// Tells who asked for a call which status it has; from 200 on that is the last.
    pub fn report_referral(&self, request: RequestId, status: u16, phrase: &str) {
        self.command(Command::ReportReferral { request, status, phrase: phrase.to_owned() });
    }

    /// Asks the other side of a call to call somebody (transfer out of here); `ReferralProgress` tells how that goes. The
    /// call stays until it is hung up.
    pub fn refer(&self, call: CallId, to: ReferTo) {
        self.command(Command::Refer { call, to });
    }

    /// Stops the endpoint once what was commanded before is sent and registrations are taken back, which takes two seconds
    /// at the most.
    pub async fn shutdown(&self) {
        let (done, stopped) = oneshot::channel();
        self.command(Command::Shutdown { done });
        let _ = stopped.await;
    }
}

/// Whether a call can be placed like this, as [`SipHandle::dial`] would find out.
///
/// # Errors
/// Its URI, or that of its first route, is not one that can be called.
pub fn check_dial(spec: &DialSpec) -> Result<(), SipError> {
    match spec.flow {
        // It goes over a connection that is there, so its URI need not lead anywhere: that of a browser names a host
        // that nobody can resolve, and a transport that only the browser can open (RFC 7118, section 5).
        Some(_) => drop(parse(&spec.uri)?),
        None => {
            check(&spec.uri)?;
            spec.route.first().map_or(Ok(()), |route| check(route))?;
        }
    }
    Ok(())
}

/// Whether a registration can be kept up like this, as [`SipHandle::register`] would find out.
///
/// # Errors
/// The URI of the registrar, of the user or of the first route is not one.
pub fn check_registration(spec: &RegistrationSpec) -> Result<(), SipError> {
    check(&spec.registrar)?;
    check(&spec.address_of_record)?;
    spec.route.first().map_or(Ok(()), |route| check(route))
}

/// Whether a URI leads somewhere.
fn check(uri: &str) -> Result<(), SipError> {
    Hop::of(&parse(uri)?).map(drop).map_err(|text| SipError::Uri { uri: uri.to_owned(), text })
}

/// Whether it is a SIP URI at all.
fn parse(uri: &str) -> Result<sipx_sip::Uri, SipError> {
    let wrong = |text: String| SipError::Uri { uri: uri.to_owned(), text };
    let parsed =
        sipx_sip::Uri::parse(Bytes::from(uri.to_owned())).map_err(|error| wrong(error.to_string()))?;
    match parsed.scheme().is_sip() {
        true => Ok(parsed),
        false => Err(wrong("only sip: and sips: can be called".to_owned())),
    }
}
