//! The web services over a real store, with conferences whose clock stands where a test puts it.
#![allow(dead_code, missing_docs, unreachable_pub)]

pub mod browser;
mod installation;

pub use installation::Installation;

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request},
};
use data_encoding::BASE64;
use http_body_util::BodyExt;
use plenary_api::{
    ApiState, AskHome, ConferenceChange, ConferenceControl, ControlError, DialRefused, Direction, HomeClient,
    Invitation, Participant, ParticipantChange, ParticipantReport, ParticipantState, Playback, SoundChange,
    SoundOf, SoundSettings, TrunkState, router,
};
use plenary_calls::question::{Answer, HomeQuestion, ParticipantAction};
use plenary_conference::{
    AccountId, ConferenceKey, ConferenceLimits, ConferenceName, Conferences, Effect, Event, Home, Mono, Now,
    ParticipantId, ParticipantOptions, QuestionId, RecordingCommand, RecordingReport, Refused, Reservation,
    ReservationLimits, ReservationToken, State, Timestamp,
    calendar::Availability,
    conferences::{
        ConferenceOverview, ConferenceRef, ConferenceSummary, ParticipantSummary, ReservationsQuery,
    },
    message::{ToEdge, ToHome},
    reservation::{ReservationChange, ReservationRequest},
};
use plenary_model::{Actor, AudioOwner, CallStats, ConferenceRecordingId, RecordingSettings, StoredAudio};
use plenary_store::{Doing, Store};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tower::ServiceExt;

/// 2019-06-20 15:00:00, a quarter of an hour before the specification's example begins.
pub const NOW: Timestamp = Timestamp::from_seconds(1_561_042_800);
pub const LOGIN: &str = "1-2-0/bob@example.com";

/// Every recording that begins.
pub const RECORDING: &str = "019a7c3e5b1f00112233445566778899";

/// Who talks, as far as tests say.
#[derive(Default)]
pub struct Talkers(pub Mutex<Vec<(ConferenceName, ParticipantId)>>);

#[async_trait]
impl plenary_api::Voices for Talkers {
    async fn talkers(&self, _: AccountId) -> Vec<(ConferenceName, ParticipantId)> {
        self.0.lock().unwrap().clone()
    }

    async fn level_dbov(&self, _: &ParticipantId) -> Option<f32> {
        Some(-21.0)
    }
}

pub struct World {
    pub router: Router,
    pub installation: Arc<Installation>,
    pub talkers: Arc<Talkers>,
    pub store: Store,
    pub followers: plenary_api::Followers,
    pub webhooks: plenary_api::Webhooks,
    pub control: Arc<Control>,
    pub account: AccountId,
    pub key: String,
    pub folder: tempfile::TempDir,
}

/// The sound of accounts, and of their conferences, as it was set.
type Sounds = Arc<Mutex<BTreeMap<(AccountId, Option<String>), SoundSettings>>>;

/// Conferences as the engine runs them, without calls.
pub struct Control {
    home: HomeClient<TestHome>,
    state: TestHome,
    /// Where the sound of accounts is kept.
    store: Store,
    sounds: Sounds,
    /// Who holds it for writing keeps trunks that were stored from taking effect.
    pub trunks_gate: Arc<tokio::sync::RwLock<()>>,
    /// How often trunks have taken effect.
    pub trunks_taken: Arc<AtomicUsize>,
}

/// The answer to a question whose effects have been carried out.
type Done = (QuestionId, Result<(), Refused>);

/// The home of the conferences, and an edge that has done at once what it is asked for.
#[derive(Clone)]
struct TestHome(Arc<Mutex<(Home, Timestamp)>>);

impl TestHome {
    fn with<T>(&self, act: impl FnOnce(&mut Home, Now) -> T) -> T {
        self.step(act).0
    }

    /// With the answer to a question of this step, where it comes once the edge has done what follows.
    fn step<T>(&self, act: impl FnOnce(&mut Home, Now) -> T) -> (T, Option<Done>) {
        let mut state = self.0.lock().unwrap();
        let now = Now { mono: Mono((state.1.0 - NOW.0).unsigned_abs() + 1), wall: state.1 };
        let home = &mut state.0;
        home.handle_timeout(now);
        let outcome = act(home, now);
        while let Some(message) = home.poll_message() {
            if let ToEdge::Do { conference, seq, effects } = message {
                let opens = effects.iter().any(|effect| {
                    matches!(effect, Effect::Recording { what: RecordingCommand::Open { .. }, .. })
                });
                home.handle_message(ToHome::Done { conference: conference.clone(), seq }, now);
                if opens {
                    let recording = ConferenceRecordingId(RECORDING.to_owned());
                    let report = RecordingReport::Opened { recording };
                    home.handle_message(ToHome::Recording { conference, report }, now);
                }
            }
        }
        (outcome, home.poll_answer())
    }

    fn participants(&self, key: &ConferenceKey) -> Result<(State, Vec<ParticipantSummary>), Refused> {
        self.with(|home, _| home.conferences().participants(key))
    }
}

impl AskHome for TestHome {
    async fn ask(&self, question: HomeQuestion) -> Result<Answer, ControlError> {
        let (answer, done) = self.step(|home, now| question.ask(home, QuestionId(1), now));
        Ok(answer.unwrap_or_else(|| Answer::Done(done.expect("the edge has done it").1)))
    }

    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().1
    }

    fn acting(&self, _: Actor) -> Self {
        self.clone()
    }
}

impl Control {
    pub fn pass_minutes(&self, minutes: u32) {
        let mut state = self.state.0.lock().unwrap();
        state.1 = state.1.plus_minutes(minutes);
    }

    /// A participant is in the conference from now on.
    pub fn enter(&self, account: AccountId, conference: &str, participant: &str) {
        let participant = ParticipantId::new(participant);
        let conference = ConferenceKey { account, name: ConferenceName::new(conference) };
        self.state.with(|home, now| {
            let admit = Event::Admit {
                participant: participant.clone(),
                conference,
                options: ParticipantOptions::default(),
                is_called: false,
                via: None,
            };
            home.handle_event(admit, now).unwrap();
            home.handle_event(Event::Connected { participant }, now).unwrap();
        });
    }
}

#[async_trait]
impl ConferenceControl for Control {
    fn acting(&self, doing: Doing) -> Arc<dyn ConferenceControl> {
        Arc::new(Self {
            sounds: self.sounds.clone(),
            store: self.store.acting(doing.clone()),
            home: self.home.acting(doing),
            state: self.state.clone(),
            trunks_gate: self.trunks_gate.clone(),
            trunks_taken: self.trunks_taken.clone(),
        })
    }

    fn limits(&self) -> &ReservationLimits {
        self.home.limits()
    }

    fn now(&self) -> Timestamp {
        self.home.now()
    }

    async fn reserve(
        &self,
        account: AccountId,
        request: ReservationRequest,
    ) -> Result<ReservationToken, ControlError> {
        self.home.reserve(account, request).await
    }

    async fn extend(
        &self,
        account: AccountId,
        token: ReservationToken,
        minutes: u32,
    ) -> Result<(), ControlError> {
        self.home.extend(account, token, minutes).await
    }

    async fn book(
        &self,
        account: AccountId,
        request: ReservationRequest,
    ) -> Result<(Reservation, State), ControlError> {
        self.home.book(account, request).await
    }

    async fn reservations(
        &self,
        account: AccountId,
        query: ReservationsQuery,
    ) -> Result<Vec<(Reservation, State)>, ControlError> {
        self.home.reservations(account, query).await
    }

    async fn reservation(
        &self,
        account: AccountId,
        token: ReservationToken,
    ) -> Result<(Reservation, State), ControlError> {
        self.home.reservation(account, token).await
    }

    async fn change_reservation(
        &self,
        account: AccountId,
        token: ReservationToken,
        change: ReservationChange,
        expected: Option<Reservation>,
    ) -> Result<(Reservation, State), ControlError> {
        self.home.change_reservation(account, token, change, expected).await
    }

    async fn availability(
        &self,
        time: Range<Timestamp>,
        start: Timestamp,
        limit: usize,
    ) -> Result<Availability, ControlError> {
        self.home.availability(time, start, limit).await
    }

    async fn remove(
        &self,
        account: AccountId,
        token: ReservationToken,
        expected: Option<Reservation>,
    ) -> Result<(), ControlError> {
        self.home.remove(account, token, expected).await
    }

    async fn list(&self, account: AccountId) -> Result<Vec<ConferenceSummary>, ControlError> {
        self.home.list(account).await
    }

    async fn participants(
        &self,
        account: AccountId,
        which: ConferenceRef,
    ) -> Result<(State, Vec<ParticipantSummary>), ControlError> {
        self.home.participants(account, which).await
    }

    async fn set_options(
        &self,
        account: AccountId,
        which: ConferenceRef,
        participant: ParticipantId,
        muted: Option<bool>,
        dtmf_enabled: Option<bool>,
    ) -> Result<(), ControlError> {
        let change = ParticipantAction::SetOptions { muted, dtmf_enabled };
        self.home.act(account, which, participant, change).await
    }

    async fn eject(
        &self,
        account: AccountId,
        which: ConferenceRef,
        participant: ParticipantId,
    ) -> Result<(), ControlError> {
        self.home.act(account, which, participant, ParticipantAction::Eject).await
    }

    async fn conferences(
        &self,
        account: AccountId,
        after: Option<ConferenceName>,
        state: Option<State>,
        limit: usize,
    ) -> Result<Vec<ConferenceOverview>, ControlError> {
        self.home.conferences(account, after, state, limit).await
    }

    async fn conference(
        &self,
        account: AccountId,
        name: ConferenceName,
    ) -> Result<ConferenceOverview, ControlError> {
        self.home.conference(ConferenceKey { account, name }).await
    }

    async fn change_conference(
        &self,
        account: AccountId,
        name: ConferenceName,
        change: ConferenceChange,
    ) -> Result<(), ControlError> {
        self.home.control(change.event(ConferenceKey { account, name })).await
    }

    async fn end_conference(&self, account: AccountId, name: ConferenceName) -> Result<(), ControlError> {
        self.home.end_conference(ConferenceKey { account, name }).await
    }

    async fn roster(
        &self,
        account: AccountId,
        name: ConferenceName,
    ) -> Result<Vec<ParticipantReport>, ControlError> {
        let key = ConferenceKey { account, name };
        let (state, inside) = self.state.participants(&key)?;
        let report = |summary: ParticipantSummary| {
            let is_active = state == State::Active;
            let participant = Participant {
                id: summary.id,
                muted_by: summary.muted_by,
                dtmf_enabled: summary.dtmf_enabled,
                is_leader: summary.is_leader,
                entered_at: summary.entered_at,
                heard_by: summary.heard_by,
                state: if is_active { ParticipantState::In } else { ParticipantState::Waiting },
                ..participant("1001".to_owned(), Direction::In)
            };
            ParticipantReport {
                participant,
                statistics: Some(CallStats { mos: 4.4, ..CallStats::default() }),
            }
        };
        Ok(inside.into_iter().map(report).collect())
    }

    async fn participant(
        &self,
        account: AccountId,
        name: ConferenceName,
        id: ParticipantId,
    ) -> Result<ParticipantReport, ControlError> {
        // The engine knows whose participants they are; here the first account has one that is being called.
        if account.0 == 1 && id.as_str() == CALLED {
            let participant = participant("tel:+44".to_owned(), Direction::Out);
            return Ok(ParticipantReport { participant, statistics: None });
        }
        let inside = self.roster(account, name).await.unwrap_or_default();
        let found = inside.into_iter().find(|report| report.participant.id == id);
        found.ok_or(ControlError::Refused(Refused::UnknownParticipant))
    }

    async fn change_participant(
        &self,
        account: AccountId,
        name: ConferenceName,
        participant: ParticipantId,
        change: ParticipantChange,
    ) -> Result<(), ControlError> {
        let change = change.home;
        let conference = ConferenceKey { account, name };
        self.home.control(Event::ChangeParticipant { conference, participant, change }).await
    }

    async fn ask_to_unmute(
        &self,
        account: AccountId,
        name: ConferenceName,
        participant: ParticipantId,
    ) -> Result<(), ControlError> {
        let conference = ConferenceKey { account, name };
        self.home.control(Event::AskToUnmute { conference, participant }).await
    }

    async fn extend_running(
        &self,
        account: AccountId,
        name: ConferenceName,
        minutes: u32,
    ) -> Result<(), ControlError> {
        self.home.extend_running(ConferenceKey { account, name }, minutes).await
    }

    async fn remove_participant(
        &self,
        account: AccountId,
        name: ConferenceName,
        participant: ParticipantId,
    ) -> Result<(), ControlError> {
        if account.0 == 1 && participant.as_str() == CALLED {
            return Ok(());
        }
        let conference = ConferenceKey { account, name };
        self.home.control(Event::RemoveParticipant { conference, participant }).await
    }

    async fn announce(
        &self,
        account: AccountId,
        name: ConferenceName,
        playback: Playback,
    ) -> Result<String, ControlError> {
        let key = ConferenceKey { account, name };
        let (_, inside) = self.state.participants(&key)?;
        match playback.to.filter(|to| !inside.iter().any(|participant| participant.id == *to)) {
            Some(_) => Err(Refused::UnknownParticipant.into()),
            None => Ok("01234567a1b1c1c2.1".to_owned()),
        }
    }

    async fn stop_announcement(
        &self,
        _: AccountId,
        _: ConferenceName,
        id: String,
    ) -> Result<(), ControlError> {
        match id == "01234567a1b1c1c2.1" {
            true => Ok(()),
            false => Err(Refused::UnknownPlayback.into()),
        }
    }

    async fn change_sound(
        &self,
        account: AccountId,
        of: SoundOf,
        change: SoundChange,
        expected: Option<SoundSettings>,
    ) -> Result<SoundSettings, ControlError> {
        if matches!(of, SoundOf::Account) && change != SoundChange::default() {
            let sound = StoredAudio {
                automatic_gain: change.automatic_gain.flatten(),
                noise_suppression: change.noise_suppression.flatten(),
            };
            self.store.keep_sound(&AudioOwner::Account(account), sound).await.unwrap();
        }
        let (which, participant) = match of {
            SoundOf::Account => (None, None),
            SoundOf::Conference(which) => (Some(which), None),
            SoundOf::Participant(which, participant) => (Some(which), Some(participant)),
        };
        let conference = self.state.with(|home, _| {
            let conferences = home.conferences();
            let Some(which) = which else { return Ok(None) };
            let key = conferences.resolve(account, &which)?;
            let (_, participants) = conferences.participants(&key)?;
            match participant.as_ref().is_some_and(|id| !participants.iter().any(|one| one.id == *id)) {
                true => Err(plenary_conference::Refused::UnknownParticipant),
                false => Ok(Some(key.name.to_string())),
            }
        })?;
        if participant.is_some() {
            return Ok(SoundSettings {
                automatic_gain: change.automatic_gain.flatten().unwrap_or_default(),
                noise_suppression: change.noise_suppression.flatten().unwrap_or_default(),
                gain_db: Some(change.gain_db.flatten().unwrap_or_default()),
            });
        }
        let mut sounds = self.sounds.lock().unwrap();
        let sound = sounds.entry((account, conference)).or_default();
        if expected.is_some_and(|expected| expected != *sound) {
            return Err(ControlError::Changed);
        }
        if let Some(automatic_gain) = change.automatic_gain {
            sound.automatic_gain = automatic_gain.unwrap_or_default();
        }
        if let Some(noise_suppression) = change.noise_suppression {
            sound.noise_suppression = noise_suppression.unwrap_or_default();
        }
        Ok(*sound)
    }

    async fn trunks_changed(&self) -> Result<(), ControlError> {
        let _open = self.trunks_gate.read().await;
        self.trunks_taken.fetch_add(1, SeqCst);
        Ok(())
    }

    async fn trunk_states(&self, _: AccountId) -> Result<BTreeMap<String, TrunkState>, ControlError> {
        Ok(BTreeMap::new())
    }

    async fn invite(
        &self,
        account: AccountId,
        _: ConferenceName,
        invitation: Invitation,
    ) -> Result<ParticipantId, ControlError> {
        match (account, invitation.to.as_str()) {
            (_, "full") => Err(Refused::Full.into()),
            (_, "odd") => Err(DialRefused::BadTarget("is odd".to_owned()).into()),
            (_, "outside") => Err(DialRefused::NotPermitted("no trunk".to_owned()).into()),
            _ => Ok(ParticipantId::new(CALLED)),
        }
    }

    async fn transfer(
        &self,
        account: AccountId,
        conference: ConferenceName,
        participant: ParticipantId,
        _: String,
    ) -> Result<(), ControlError> {
        self.participant(account, conference, participant).await.map(|_| ())
    }
}

/// The source that is banned.
pub const BANNED: &str = "198.51.100.7";
/// The participant who is being called.
const CALLED: &str = "01234567a1b1c1c2.7";

fn participant(of: String, direction: Direction) -> Participant {
    let is_called = direction == Direction::Out;
    let (from, to) = if is_called { ("conference", of.as_str()) } else { (of.as_str(), "conf-Board") };
    Participant {
        id: ParticipantId::new(CALLED),
        call: None,
        display_name: None,
        from: from.to_owned(),
        to: to.to_owned(),
        name: of,
        direction,
        state: ParticipantState::Ringing,
        is_held_by_leader: false,
        is_leader: false,
        muted_by: None,
        dtmf_enabled: true,
        inband_dtmf: None,
        talking: false,
        entered_at: None,
        hand_raised_at: None,
        may_unmute: true,
        heard_by: None,
        sound: Some(SoundSettings::default()),
        admitted_by: (!is_called).then_some("network"),
        trunk: None,
        status: None,
        reason: None,
        transfer: None,
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with_limits(ReservationLimits::default()).await
    }

    pub async fn with_limits(limits: ReservationLimits) -> Self {
        Self::with(limits, None, None).await
    }

    /// People sign in at a provider.
    pub async fn with_oidc(oidc: plenary_api::OidcSettings) -> Self {
        let oidc = plenary_api::Oidc::new(oidc, trusts_nobody());
        Self::with(ReservationLimits::default(), Some(oidc), None).await
    }

    /// Guests are told this page to join by.
    pub async fn with_join(join: &str) -> Self {
        Self::with(ReservationLimits::default(), None, Some(join.to_owned())).await
    }

    async fn with(limits: ReservationLimits, oidc: Option<plenary_api::Oidc>, join: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let (account, key) = store.create_account_login(LOGIN).await.unwrap();
        let conferences = Conferences::new(limits.clone(), ConferenceLimits::default());
        let state = TestHome(Arc::new(Mutex::new((Home::new(conferences), NOW))));
        let control = Arc::new(Control {
            home: HomeClient::new(state.clone(), store.clone(), limits),
            state,
            store: store.clone(),
            sounds: Arc::default(),
            trunks_gate: Arc::default(),
            trunks_taken: Arc::default(),
        });
        let talkers = Arc::<Talkers>::default();
        let followers = plenary_api::Followers::new(store.clone(), 3).with_voices(talkers.clone());
        let webhooks = webhooks(&store);
        let installation = Arc::<Installation>::default();
        let router = router(ApiState {
            store: store.clone(),
            control: control.clone(),
            operator: installation.clone(),
            public_url: Some("https://conference.example.com".to_owned()),
            allowed_origins: plenary_api::AllowedOrigins::default(),
            trusted_proxies: plenary_api::TrustedProxies::default(),
            invitations: plenary_api::Invitations {
                mail_from: Some("conferences@example.com".to_owned()),
                join,
                ..plenary_api::Invitations::default()
            },
            max_body_bytes: 65_536,
            recordings: plenary_api::Recordings::new(
                plenary_recording::Archive::new(
                    folder.path().join("recordings"),
                    plenary_recording::Keys::none(),
                    false,
                ),
                RecordingSettings::default(),
            ),
            followers: followers.clone(),
            audit: plenary_api::AuditWriter::new(store.clone()),
            webhooks: webhooks.clone(),
            oidc,
            media: plenary_api::MediaLimits {
                bytes_max: 200_000,
                seconds_max: 5,
                account_bytes_max: 300_000,
                ..plenary_api::MediaLimits::default()
            },
            request_timeout: Duration::from_secs(10),
            limits: plenary_api::WebLimits::default(),
            counters: Arc::default(),
            realm: "plenary".to_owned(),
            on_websocket: None,
        });
        Self {
            router,
            installation,
            talkers,
            store,
            followers,
            webhooks,
            control,
            account: account.id,
            key: key.as_str().to_owned(),
            folder,
        }
    }

    /// After the answer nothing more is written of a change, as where the service is killed in that moment.
    pub async fn keep_entries_from_being_completed(&self) {
        use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
        let file = SqliteConnectOptions::new().filename(self.folder.path().join("plenary.db"));
        let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
        let trigger = "CREATE TRIGGER killed BEFORE UPDATE ON audit WHEN NEW.status <> 0
             BEGIN SELECT RAISE(ABORT, 'killed'); END";
        sqlx::raw_sql(trigger).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// A request with our credentials: status, headers, body as text.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: &str,
    ) -> (u16, HeaderMap, String) {
        self.send_as(&format!("{LOGIN}:{}", self.key), method, path, content_type, body).await
    }

    pub async fn send_as(
        &self,
        credentials: &str,
        method: &str,
        path: &str,
        content_type: &str,
        body: &str,
    ) -> (u16, HeaderMap, String) {
        let encoded = BASE64.encode(credentials.as_bytes());
        let authorization = if credentials.is_empty() { String::new() } else { format!("Basic {encoded}") };
        self.send_with(&authorization, method, path, content_type, body).await
    }

    /// With this header `Authorization`.
    pub async fn send_with(
        &self,
        authorization: &str,
        method: &str,
        path: &str,
        content_type: &str,
        body: &str,
    ) -> (u16, HeaderMap, String) {
        let mut request =
            Request::builder().method(method).uri(path).header("Host", "conference.example.com");
        if !authorization.is_empty() {
            request = request.header("Authorization", authorization);
        }
        if !content_type.is_empty() {
            request = request.header("Content-Type", content_type);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = match parts.headers.contains_key("content-encoding") {
            // Compressed: no text.
            true => String::from_utf8_lossy(&bytes).into_owned(),
            false => String::from_utf8(bytes.to_vec()).unwrap(),
        };
        (parts.status.as_u16(), parts.headers, text)
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let (status, _, body) = self.send("GET", path, "", "").await;
        (status, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// Status and code of an error.
    pub async fn code(&self, path: &str) -> (u16, String) {
        let (status, body) = self.get(path).await;
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Makes the reservation of the specification's example; its token.
    pub async fn example(&self) -> String {
        let (status, body) = self.get(EXAMPLE).await;
        assert_eq!(status, 200, "{body}");
        body["reservation_token"].as_str().unwrap().to_owned()
    }
}

pub const EXAMPLE: &str = "/conference_reservation_create?conference_name=MyConferenceRoom&max_participants=130&start_time=2019-06-20_15:15:00&duration=30&divert=MyEarlyAnnouncement";

/// Webhooks that may be of this machine, and of nothing that TLS would trust.
pub fn webhooks(store: &Store) -> plenary_api::Webhooks {
    plenary_api::Webhooks::new(store.clone(), trusts_nobody(), vec!["127.0.0.0/8".parse().unwrap()])
}

fn trusts_nobody() -> Arc<tokio_rustls::rustls::ClientConfig> {
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Arc::new(tls)
}
