//! Calls, from dialling to the end.

use crate::{
    CallStats, CallerError, Speech,
    hub::{Hub, HubLoad, Impairment, Line, LineId, Role, Turn},
    measure::DurationQuantiles,
    speech::Encoded,
};
use plenary_audio::{codec, goertzel};
use plenary_sip::{
    CallId, Credentials, DialSpec, EndCause, SipConfig, SipEndpoint, SipEvent, SipHandle, TlsSettings,
    sdp::{self, Codec, Direction, Levels, LocalMedia, LocalSecurity, Preference, Stream},
};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};
use tokio::sync::{Mutex, mpsc, watch};

/// Settings of a caller.
#[derive(Debug, Clone)]
pub struct CallerConfig {
    /// For calls over TLS.
    pub tls: TlsSettings,
    /// The address to call from.
    pub bind: IpAddr,
    /// User-Agent header.
    pub product: String,
}

impl Default for CallerConfig {
    fn default() -> Self {
        Self {
            tls: TlsSettings { server: None, client: None },
            bind: Ipv4Addr::LOCALHOST.into(),
            product: "Plenary caller".to_owned(),
        }
    }
}

/// A call to place.
#[derive(Debug, Clone)]
pub struct CallSpec {
    /// User part of From.
    pub from_user: String,
    /// What to say.
    pub speech: Speech,
    /// The codecs to offer.
    pub codecs: Vec<Codec>,
    /// Whether to listen at all; calls that only load a conference need not.
    pub listens: bool,
    /// How much of what is heard to record, in seconds.
    pub record_seconds: u32,
    /// What the network does to what it sends.
    pub impairment: Impairment,
    /// What to answer with when asked who calls.
    pub credentials: Option<Credentials>,
    /// Each packet says how loud it is (RFC 6464), where the other side reads that.
    pub tells_levels: bool,
    /// Its bursts ([`Speech::Marked`]) are looked for by the other calls with this number…
    pub probes: Option<u32>,
    /// … that have this.
    pub looks: bool,
    /// It says nothing but in its turn.
    pub turn: Option<Turn>,
}

impl Default for CallSpec {
    fn default() -> Self {
        Self {
            from_user: "caller".to_owned(),
            speech: Speech::Silence,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            listens: true,
            record_seconds: 0,
            impairment: Impairment::default(),
            credentials: None,
            tells_levels: false,
            probes: None,
            looks: false,
            turn: None,
        }
    }
}

/// Where a call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallState {
    /// The INVITE is out.
    Calling,
    /// 180 or 183 came.
    Ringing,
    /// Up.
    Up,
    /// The other side refused, or was not reached.
    Refused {
        /// SIP status.
        status: u16,
        /// Its phrase.
        phrase: String,
    },
    /// Over. The reason is what the BYE said, empty when it said nothing.
    Ended {
        /// The other side hung up.
        by_remote: bool,
        /// For people.
        reason: String,
    },
}

impl CallState {
    /// Nothing more will happen.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self {
            Self::Calling | Self::Ringing | Self::Up => false,
            Self::Refused { .. } | Self::Ended { .. } => true,
        }
    }
}

/// A telephone with many lines. Dropping it hangs nothing up; ask each call, or [`Caller::stop`].
#[derive(Debug)]
pub struct Caller {
    sip: SipHandle,
    hub: Arc<Hub>,
    book: Arc<Mutex<Book>>,
}

/// Every call that is not over.
#[derive(Debug, Default)]
struct Book {
    calls: HashMap<CallId, Entry>,
}

#[derive(Debug)]
struct Entry {
    state: watch::Sender<CallState>,
    line: watch::Sender<Option<LineId>>,
    local: LocalMedia,
    encoded: HashMap<Codec, Encoded>,
    role: Role,
    codec: watch::Sender<Codec>,
}

/// One call.
#[derive(Debug)]
pub struct Call {
    id: CallId,
    sip: SipHandle,
    hub: Arc<Hub>,
    state: watch::Receiver<CallState>,
    line: watch::Receiver<Option<LineId>>,
    codec: watch::Receiver<Codec>,
}

impl Caller {
    /// Starts the endpoint and the media thread.
    ///
    /// # Errors
    /// No socket, no thread.
    pub async fn new(config: CallerConfig) -> Result<Self, CallerError> {
        let everywhere = ["0.0.0.0/0", "::/0"].map(|net| net.parse().expect("a literal network"));
        let (sip, events) = SipEndpoint::bind(SipConfig {
            tls: config.tls.clone(),
            listen: vec![SocketAddr::new(config.bind, 0)],
            product: config.product,
            allow_from: everywhere.to_vec(),
            ..SipConfig::default()
        })
        .await?;
        let hub = Arc::new(Hub::start(config.bind)?);
        let book = Arc::new(Mutex::new(Book::default()));
        tokio::spawn(follow(events, book.clone(), sip.clone(), hub.clone()));
        Ok(Self { sip, hub, book })
    }

    /// Places a call. It returns at once; [`Call::answered`] waits.
    ///
    /// # Errors
    /// The URI can't be called, or the WAV file not be read.
    pub async fn dial(&self, uri: &str, spec: CallSpec) -> Result<Call, CallerError> {
        let mut rtp = self.hub.local();
        if rtp.ip().is_unspecified() {
            rtp.set_ip(self.sip.local_addr().ip());
        }
        let local = LocalMedia {
            rtp,
            session_id: 1,
            version: 1,
            codecs: spec.codecs.clone(),
            preference: Preference::Theirs,
            dtmf: true,
            direction: Direction::SendRecv,
            security: LocalSecurity::off(),
            ice: None,
            levels: if spec.tells_levels { Levels::Send } else { Levels::Off },
        };
        let mut encoded = HashMap::new();
        for codec in &spec.codecs {
            encoded.insert(*codec, Encoded::new(&spec.speech, of_audio(*codec))?);
        }
        let dial = DialSpec {
            uri: uri.to_owned(),
            from_user: spec.from_user,
            sdp: sdp::offer(&local),
            credentials: spec.credentials,
            ..DialSpec::default()
        };
        // Held while dialling, so that no event of the call is looked up before the call is in the book.
        let mut book = self.book.lock().await;
        let id = self.sip.dial(dial)?;
        let (state, state_seen) = watch::channel(CallState::Calling);
        let (line, line_seen) = watch::channel(None);
        let first = spec.codecs.first().copied().unwrap_or(Codec::Pcmu);
        let (codec, codec_seen) = watch::channel(first);
        let role = Role {
            listens: spec.listens,
            record_seconds: spec.record_seconds as usize,
            impairment: spec.impairment,
            probes: spec.probes,
            looks: spec.looks,
            turn: spec.turn,
        };
        book.calls.insert(id, Entry { state, line, local, encoded, role, codec });
        Ok(Call {
            id,
            sip: self.sip.clone(),
            hub: self.hub.clone(),
            state: state_seen,
            line: line_seen,
            codec: codec_seen,
        })
    }

    pub(crate) fn reset_measures(&self) {
        self.hub.reset_measures();
    }

    /// How long bursts took, and how unevenly packets came.
    pub(crate) fn measures(&self) -> (DurationQuantiles, DurationQuantiles) {
        self.hub.measures()
    }

    /// How well the media thread keeps time.
    #[must_use]
    pub fn load(&self) -> HubLoad {
        self.hub.load()
    }

    /// Stops the signalling. Calls should be over before.
    pub async fn stop(&self) {
        self.sip.shutdown().await;
    }
}

impl Call {
    /// Where it is now.
    #[must_use]
    pub fn state(&self) -> CallState {
        self.state.borrow().clone()
    }

    /// Waits until it is up or over, and says which.
    pub async fn answered(&mut self) -> CallState {
        self.wait(|state| state.is_over() || *state == CallState::Up).await
    }

    /// Waits until it is over.
    pub async fn ended(&mut self) -> CallState {
        self.wait(CallState::is_over).await
    }

    async fn wait(&mut self, until: impl FnMut(&CallState) -> bool) -> CallState {
        let reached = self.state.wait_for(until).await.map(|state| state.clone());
        // An error means that the endpoint has stopped.
        reached.unwrap_or_else(|_| self.state.borrow().clone())
    }

    fn line(&self) -> Option<LineId> {
        *self.line.borrow()
    }

    /// Says something else from now on.
    ///
    /// # Errors
    /// The WAV file can't be read.
    pub fn say(&self, speech: &Speech) -> Result<(), CallerError> {
        let encoded = Encoded::new(speech, of_audio(self.codec()))?;
        if let Some(line) = self.line() {
            self.hub.say(line, encoded);
        }
        Ok(())
    }

    /// Presses keys, one after the other, as RFC 4733 events; a comma waits half a second.
    ///
    /// # Errors
    /// Something that is no key.
    pub fn press(&self, keys: &str) -> Result<(), CallerError> {
        check_keys(keys)?;
        if let Some(line) = self.line() {
            self.hub.press(line, keys);
        }
        Ok(())
    }

    /// Keys that are not sent yet.
    #[must_use]
    pub fn keys_left(&self) -> usize {
        self.line().map_or(0, |line| self.hub.keys_left(line))
    }

    /// The codec that was agreed on; before that the first of those offered.
    #[must_use]
    pub fn codec(&self) -> Codec {
        *self.codec.borrow()
    }

    /// Samples of a second of what is heard: those of the codec.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        of_audio(self.codec()).rate().hz()
    }

    /// The last milliseconds that were heard, at [`Call::rate_hz`]; at most four seconds.
    #[must_use]
    pub fn heard(&self, last_ms: u32) -> Vec<i16> {
        self.line().map(|line| self.hub.heard(line, last_ms)).unwrap_or_default()
    }

    /// Which of these tones are in the last milliseconds.
    #[must_use]
    pub fn hears_tones(&self, tones_hz: &[f32], last_ms: u32, threshold_dbov: f32) -> Vec<bool> {
        goertzel::tones_present(&self.heard(last_ms), self.rate_hz(), tones_hz, threshold_dbov)
    }

    /// All that was recorded.
    #[must_use]
    pub fn recorded(&self) -> Vec<i16> {
        self.line().map(|line| self.hub.recorded(line)).unwrap_or_default()
    }

    /// Counts so far.
    #[must_use]
    pub fn stats(&self) -> CallStats {
        self.line().map(|line| self.hub.stats(line)).unwrap_or_default()
    }

    pub(crate) fn reset_gap(&self) {
        if let Some(line) = self.line() {
            self.hub.reset_gap(line);
        }
    }

    /// Ends it; [`Call::ended`] waits until the other side knows.
    pub fn hang_up(&self) {
        self.sip.hang_up(self.id, Vec::new());
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.state.borrow().is_over() {
            self.sip.hang_up(self.id, Vec::new());
        }
        if let Some(line) = self.line() {
            self.hub.remove(line);
        }
    }
}

/// All of these are keys, or commas for pauses.
///
/// # Errors
/// [`CallerError::Key`].
pub fn check_keys(keys: &str) -> Result<(), CallerError> {
    match keys.chars().find(|key| !"0123456789*#ABCDabcd,".contains(*key)) {
        Some(key) => Err(CallerError::Key(key)),
        None => Ok(()),
    }
}

fn of_audio(codec: Codec) -> codec::Codec {
    match codec {
        Codec::Pcmu => codec::Codec::Pcmu,
        Codec::Pcma => codec::Codec::Pcma,
        Codec::G722 => codec::Codec::G722,
        Codec::Opus => codec::Codec::Opus,
    }
}

fn line_of(stream: &Stream) -> Line {
    Line {
        remote: stream.remote_rtp,
        codec: of_audio(stream.codec),
        payload_type: stream.payload_type,
        receive_payload_type: stream.receive_payload_type,
        dtmf_payload_type: stream.dtmf.map(|dtmf| dtmf.send),
        level_id: stream.levels.map(|levels| levels.id),
        sends: stream.direction.sends(),
    }
}

/// Follows the events of the endpoint until it stops.
async fn follow(mut events: mpsc::Receiver<SipEvent>, book: Arc<Mutex<Book>>, sip: SipHandle, hub: Arc<Hub>) {
    while let Some(event) = events.recv().await {
        let mut book = book.lock().await;
        match event {
            SipEvent::Incoming(incoming) => sip.reject(incoming.call, 480, None, Vec::new()),
            SipEvent::Progress { call, .. } => {
                if let Some(entry) = book.calls.get(&call) {
                    entry.state.send_replace(CallState::Ringing);
                }
            }
            SipEvent::Answered { call, sdp, .. } => book.answered(call, sdp.as_deref(), &sip, &hub),
            SipEvent::Rejected { call, status, phrase } => {
                book.over(call, CallState::Refused { status, phrase });
            }
            SipEvent::Ended { call, cause } => book.over(call, ended(&cause)),
            SipEvent::Reoffer { call, offer } => book.reoffered(call, offer.as_deref(), &sip, &hub),
            SipEvent::Cancelled { .. }
            | SipEvent::Confirmed { .. }
            | SipEvent::ReofferAnswer { .. }
            | SipEvent::KeyPressed { .. }
            | SipEvent::Unsubscribed(_)
            | SipEvent::ReferralProgress { .. }
            | SipEvent::Registered { .. }
            | SipEvent::RegistrationFailed { .. }
            | SipEvent::Unregistered(_)
            | SipEvent::ConnectionClosed(_)
            | SipEvent::Banned { .. }
            | SipEvent::Blocked { .. } => {}
            SipEvent::Subscribing(subscribing) => sip.refuse_request(subscribing.request, 403, Vec::new()),
            SipEvent::Referred(referred) => sip.refuse_request(referred.request, 603, Vec::new()),
            SipEvent::Registering(registration) => sip.refuse_request(registration.request, 403, Vec::new()),
        }
    }
}

fn ended(cause: &EndCause) -> CallState {
    match cause {
        EndCause::ByRemote { reasons } => {
            let reason = reasons.iter().find_map(|reason| reason.text.clone()).unwrap_or_default();
            CallState::Ended { by_remote: true, reason }
        }
        EndCause::ByUs | EndCause::AckTimeout => CallState::Ended { by_remote: false, reason: String::new() },
        EndCause::Transport => {
            CallState::Ended { by_remote: false, reason: "not reachable any more".to_owned() }
        }
    }
}

impl Book {
    fn answered(&mut self, call: CallId, sdp: Option<&str>, sip: &SipHandle, hub: &Hub) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        match sdp.map(|sdp| sdp::accept(&entry.local, sdp)) {
            Some(Ok(stream)) => {
                let line = line_of(&stream);
                let Some(encoded) = entry.encoded.remove(&stream.codec) else { return };
                entry.codec.send_replace(stream.codec);
                let id = hub.add(line, encoded, entry.role);
                entry.line.send_replace(Some(id));
                entry.state.send_replace(CallState::Up);
            }
            Some(Err(_)) | None => sip.hang_up(call, Vec::new()),
        }
    }

    fn reoffered(&mut self, call: CallId, offer: Option<&str>, sip: &SipHandle, hub: &Hub) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        entry.local.version += 1;
        match offer.map(|offer| sdp::answer(offer, &entry.local)) {
            Some(Ok(answer)) => {
                if let Some(id) = *entry.line.borrow() {
                    hub.change(id, line_of(&answer.stream));
                }
                sip.accept_offer(call, answer.sdp);
            }
            Some(Err(error)) => sip.reject_offer(call, error.status()),
            None => sip.accept_offer(call, sdp::offer(&entry.local)),
        }
    }

    fn over(&mut self, call: CallId, state: CallState) {
        if let Some(entry) = self.calls.remove(&call) {
            entry.state.send_replace(state);
        }
    }
}
