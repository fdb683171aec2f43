//! Calls, from dialling to their end.

use crate::{
    CallStats, CallerError, Speech,
    hub::{Hub, HubLoad, Impairment, Key, KeyTimes, Line, LineId, Role, Signal, Turn},
    measure::DurationQuantiles,
    speech::Encoded,
};
use plenary_audio::{codec, goertzel};
use plenary_sip::{
    CallId, Credentials, DialSpec, EndCause, KeyBody, SipConfig, SipEndpoint, SipEvent, SipHandle,
    TlsSettings,
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
    /// The local address of signalling and audio.
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

/// How a caller sends its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyRoute {
    /// RFC 4733 events.
    #[default]
    Events,
    /// Tones in the audio: events are not offered.
    Tones,
    /// SIP INFO with this body.
    Info(KeyBody),
}

/// A call to place.
#[derive(Debug, Clone)]
pub struct CallSpec {
    /// User part of From.
    pub from_user: String,
    /// The audio to send.
    pub speech: Speech,
    /// The codecs to offer.
    pub codecs: Vec<Codec>,
    /// It decodes what it receives; calls that only load a conference need not.
    pub listens: bool,
    /// How much of the received audio to record, in seconds.
    pub record_seconds: u32,
    /// Impairment of the packets it sends.
    pub impairment: Impairment,
    /// Credentials for a digest challenge (401, 407).
    pub credentials: Option<Credentials>,
    /// Its packets carry their audio level (RFC 6464), if the other side accepts that.
    pub sends_levels: bool,
    /// The group in which bursts ([`Speech::Marked`]) measure the delay; `None`: none.
    pub probes: Option<u32>,
    /// It looks for the bursts of its group.
    pub looks: bool,
    /// It speaks in its turn only; `None`: always.
    pub turn: Option<Turn>,
    /// How it sends keys.
    pub keys: KeyRoute,
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
            sends_levels: false,
            probes: None,
            looks: false,
            turn: None,
            keys: KeyRoute::default(),
        }
    }
}

/// The state of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallState {
    /// INVITE was sent.
    Calling,
    /// 180 or 183 arrived.
    Ringing,
    /// Answered.
    Up,
    /// The other side refused, or was not reached.
    Refused {
        /// Status of the final response, or the one that stands for its absence (408, 487, 503).
        status: u16,
        /// Its reason phrase.
        phrase: String,
    },
    /// Over.
    Ended {
        /// The other side hung up.
        by_remote: bool,
        /// The text of the Reason header in the BYE, or why the call broke; empty if there is none.
        reason: String,
    },
}

impl CallState {
    /// The call is over: its state is final.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self {
            Self::Calling | Self::Ringing | Self::Up => false,
            Self::Refused { .. } | Self::Ended { .. } => true,
        }
    }
}

/// A telephone with many lines. Dropping it ends no call: dropping or hanging up each [`Call`] does.
#[derive(Debug)]
pub struct Caller {
    sip: SipHandle,
    hub: Arc<Hub>,
    book: Arc<Mutex<Book>>,
}

/// All calls that are not over.
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
    keys: KeyRoute,
    codec: watch::Sender<Codec>,
}

/// One call.
#[derive(Debug)]
pub struct Call {
    id: CallId,
    sip: SipHandle,
    hub: Arc<Hub>,
    keys: KeyRoute,
    state: watch::Receiver<CallState>,
    line: watch::Receiver<Option<LineId>>,
    codec: watch::Receiver<Codec>,
}

impl Caller {
    /// Starts the endpoint and the media thread.
    ///
    /// # Errors
    /// A socket or a thread is not available.
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

    /// Places a call. Returns at once; [`Call::answered`] waits.
    ///
    /// # Errors
    /// The URI cannot be called, or the WAV file cannot be read.
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
            dtmf: spec.keys != KeyRoute::Tones,
            direction: Direction::SendRecv,
            security: LocalSecurity::off(),
            ice: None,
            levels: if spec.sends_levels { Levels::Send } else { Levels::Off },
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
        // Locked while dialling, so that no event of the call is looked up before the call is in the book.
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
        book.calls.insert(id, Entry { state, line, local, encoded, role, keys: spec.keys, codec });
        Ok(Call {
            id,
            sip: self.sip.clone(),
            hub: self.hub.clone(),
            keys: spec.keys,
            state: state_seen,
            line: line_seen,
            codec: codec_seen,
        })
    }

    pub(crate) fn reset_measures(&self) {
        self.hub.reset_measures();
    }

    /// Delays of bursts, and deviations of arrivals from the 20 ms grid.
    pub(crate) fn measures(&self) -> (DurationQuantiles, DurationQuantiles) {
        self.hub.measures()
    }

    /// The timeliness of the media thread.
    #[must_use]
    pub fn load(&self) -> HubLoad {
        self.hub.load()
    }

    /// Stops the signalling. All calls should be over.
    pub async fn stop(&self) {
        self.sip.shutdown().await;
    }
}

impl Call {
    /// The present state.
    #[must_use]
    pub fn state(&self) -> CallState {
        self.state.borrow().clone()
    }

    /// Waits until it is up or over, and returns that state.
    pub async fn answered(&mut self) -> CallState {
        self.wait(|state| state.is_over() || *state == CallState::Up).await
    }

    /// Waits until it is over, and returns its final state.
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

    /// Sends other audio from now on.
    ///
    /// # Errors
    /// The WAV file cannot be read.
    pub fn say(&self, speech: &Speech) -> Result<(), CallerError> {
        let encoded = Encoded::new(speech, of_audio(self.codec()))?;
        if let Some(line) = self.line() {
            self.hub.say(line, encoded);
        }
        Ok(())
    }

    /// Presses keys, one after the other, for 120 ms each with 80 ms in between; a comma waits half a second.
    ///
    /// # Errors
    /// As [`check_keys`].
    pub fn press(&self, keys: &str) -> Result<(), CallerError> {
        check_keys(keys)?;
        let Some(line) = self.line() else { return Ok(()) };
        let audio = of_audio(self.codec());
        let keys = keys.chars().map(|key| {
            let tones = match self.keys {
                KeyRoute::Tones if key != ',' => Some(Encoded::new(&Speech::Key(key), audio)?),
                KeyRoute::Tones | KeyRoute::Events | KeyRoute::Info(_) => None,
            };
            Ok(Key { key, tones })
        });
        self.hub.press(line, keys.collect::<Result<_, CallerError>>()?);
        Ok(())
    }

    /// When the last key was sent, in samples of received audio. With RFC 4733 it is up with the first packet that says so.
    #[must_use]
    pub fn key_times(&self) -> KeyTimes {
        self.line().map(|line| self.hub.key_times(line)).unwrap_or_default()
    }

    /// How much audio has been received and played out of the jitter buffer, in samples.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.line().map(|line| self.hub.position(line)).unwrap_or_default()
    }

    /// The recording from a [`Call::position`] on.
    #[must_use]
    pub fn recorded_from(&self, position: u64) -> Vec<i16> {
        self.line().map(|line| self.hub.recorded_from(line, position)).unwrap_or_default()
    }

    /// The number of keys not sent yet, including the one being pressed.
    #[must_use]
    pub fn keys_left(&self) -> usize {
        self.line().map_or(0, |line| self.hub.keys_left(line))
    }

    /// The negotiated codec; before the answer, the first one offered.
    #[must_use]
    pub fn codec(&self) -> Codec {
        *self.codec.borrow()
    }

    /// The sample rate of the received audio, in Hz: that of the codec.
    #[must_use]
    pub fn rate_hz(&self) -> u32 {
        of_audio(self.codec()).rate().hz()
    }

    /// The last `last_ms` of received audio, at [`Call::rate_hz`]; at most four seconds.
    #[must_use]
    pub fn heard(&self, last_ms: u32) -> Vec<i16> {
        self.line().map(|line| self.hub.heard(line, last_ms)).unwrap_or_default()
    }

    /// By tone: whether the last `last_ms` of received audio contain it above the threshold.
    #[must_use]
    pub fn hears_tones(&self, tones_hz: &[f32], last_ms: u32, threshold_dbov: f32) -> Vec<bool> {
        goertzel::tones_present(&self.heard(last_ms), self.rate_hz(), tones_hz, threshold_dbov)
    }

    /// The recording, at [`Call::rate_hz`].
    #[must_use]
    pub fn recorded(&self) -> Vec<i16> {
        self.line().map(|line| self.hub.recorded(line)).unwrap_or_default()
    }

    /// Statistics so far.
    #[must_use]
    pub fn stats(&self) -> CallStats {
        self.line().map(|line| self.hub.stats(line)).unwrap_or_default()
    }

    pub(crate) fn reset_gap(&self) {
        if let Some(line) = self.line() {
            self.hub.reset_gap(line);
        }
    }

    /// Hangs up; [`Call::ended`] waits until the other side has confirmed.
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

/// Checks that these are telephone keys, or commas for pauses.
///
/// # Errors
/// [`CallerError::Key`] with the first character that is neither.
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
            | SipEvent::Resubscribed(_)
            | SipEvent::Unsubscribed(_)
            | SipEvent::ReferralProgress { .. }
            | SipEvent::Registered { .. }
            | SipEvent::RegistrationFailed { .. }
            | SipEvent::Unregistered(_)
            | SipEvent::ConnectionClosed(_)
            | SipEvent::Permitted { .. }
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
            CallState::Ended { by_remote: false, reason: "no longer reachable".to_owned() }
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
                let signal = match entry.keys {
                    KeyRoute::Events | KeyRoute::Tones => None,
                    KeyRoute::Info(body) => {
                        let sip = sip.clone();
                        Some(Box::new(move |key| sip.send_key(call, key, body)) as Signal)
                    }
                };
                let id = hub.add(line, encoded, entry.role, signal);
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
