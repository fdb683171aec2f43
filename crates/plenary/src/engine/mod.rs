//! The engine: one task that feeds what happens to the deciding crates ([`Node`]) and carries out what they decide, in order.
//! It decides nothing itself.
//!
//! ```text
//!   SIP events ──┐                                   ┌── SipCommand ────▶ signalling
//!   media events ┼─▶ Node: calls ⇄ home of ──────────┼── MediaCommand ──▶ media plane
//!   web services ┤         conferences               ├── Lookup ────────▶ store, whose answer comes back
//!   the store    ┘            ▲                      ├── Record ────────▶ writer of call records
//!                             │                      ├── Event ─────────▶ writer of the event log
//!                             │                      ├── Permitted ─────▶ writer of addresses with known callers
//!                             └── time               └── Reply ─────────▶ the asker
//! ```

mod events;
mod handle;
mod lookup;
mod media_plane;
mod meter;
mod permitted;
mod recorder;
mod records;
mod rescue;
mod samples;
mod signalling;

pub(crate) use handle::EngineHandle;

use crate::{clock::Clock, forecast::Admissions, metrics::meters::Meters, trace::Trace};
use events::{EventWriter, LastRun};
use meter::CallMeter;
use permitted::PermittedWriter;
use plenary_api::Followers;
use plenary_calls::{
    CallNumber, Input, Node, Output, RecorderEvent, Settings, Start,
    lookup::{Found, LookupId, StoreFailed},
    media::{self as calls, MediaCommand},
    question::{Answer, EdgeQuestion, Question},
};
use plenary_conference::{
    ConferenceKey, ConferenceLimits, ConferenceName, Conferences, Event, Mono, QuestionId, RecordingRules,
    Reservation, ReservationLimits,
};
use plenary_media::{MediaEvent, MediaHandle};
use plenary_model::{AccountId, ConferenceRecordingId, RecordEntry, RecordingFailure, RecordingManifest};
use plenary_recording::Recorder;
use plenary_sip::{Reason, SipEvent, SipHandle};
use plenary_speech::Languages;
use plenary_store::Store;
use recorder::Recordings;
use records::RecordWriter;
use rescue::Rescues;
pub(crate) use samples::Sampler;
use samples::Sampling;
use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

/// How many commands may wait. The web services wait beyond that; nothing is lost.
const COMMANDS_WAITING_MAX: usize = 1024;
/// The calendar clock may be corrected at any time, so it is looked at again at least this often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What others bring to the engine.
pub(crate) enum EngineCommand {
    /// A question, and where its answer goes.
    Ask(Box<Question>, oneshot::Sender<Answer>),
    /// The store says this to a lookup.
    Found(LookupId, Box<Found>),
    /// The files of a recording are there, or cannot be made.
    RecordingOpened(Box<recorder::Opened>),
    /// A recording ends by itself.
    RecordingFailed { recording: ConferenceRecordingId, failure: RecordingFailure },
    /// Audio of a recording was lost.
    RecordingLost { recording: ConferenceRecordingId, ms: u64 },
    /// Other settings from now on.
    Reconfigure(Box<Settings>),
    /// Every call is to end, and then the engine; answered when it has.
    Stop(oneshot::Sender<()>),
    /// A mistake of ours, in the handling of this call or of none.
    #[cfg(test)]
    Fail { call: Option<CallNumber> },
}

/// What the engine needs to start.
pub(crate) struct Parts {
    /// What calls will cost.
    pub(crate) admissions: Admissions,
    pub(crate) store: Store,
    pub(crate) sip: SipHandle,
    pub(crate) sip_events: mpsc::Receiver<SipEvent>,
    pub(crate) media: MediaHandle,
    pub(crate) media_events: mpsc::Receiver<MediaEvent>,
    pub(crate) reservations: ReservationLimits,
    pub(crate) conferences: ConferenceLimits,
    /// The addresses that SIP listens on: RTP does too.
    pub(crate) listening: Vec<IpAddr>,
    /// SHA-256 of the certificate for DTLS.
    pub(crate) fingerprint: Option<[u8; 32]>,
    pub(crate) settings: Settings,
    /// What is said to callers.
    pub(crate) languages: Arc<Languages>,
    /// Writes recordings.
    pub(crate) recorder: Recorder,
    pub(crate) recording_rules: RecordingRules,
    /// Who follows events.
    pub(crate) followers: Followers,
    /// Recordings that the last run has left unfinished.
    pub(crate) cut_off: Vec<RecordingManifest>,
    /// Where what happens is counted.
    pub(crate) meters: Arc<Meters>,
    /// The tracer of calls.
    pub(crate) trace: Trace,
    /// Where it is known how calls sound.
    pub(crate) sampler: Sampler,
    /// As whom it uses the database, where others may as well.
    pub(crate) owner: Option<String>,
    /// The file that says which events could not be written at the last end.
    pub(crate) lost_events: PathBuf,
}

/// The loop around the deciding crates.
pub(crate) struct Engine {
    clock: Clock,
    node: Node,
    store: Store,
    records: RecordWriter,
    sampling: Sampling,
    permitted: PermittedWriter,
    meter: CallMeter,
    trace: Trace,
    events: EventWriter,
    /// See [`Parts`].
    lost_events: PathBuf,
    recordings: Recordings,
    sip: SipHandle,
    media: MediaHandle,
    listening: Vec<IpAddr>,
    admissions: Admissions,
    commands: mpsc::Sender<EngineCommand>,
    handle: EngineHandle,
    /// The number of the last question.
    question: u64,
    /// Who waits for an answer.
    waiting: BTreeMap<QuestionId, oneshot::Sender<Answer>>,
    stopping: Option<oneshot::Sender<()>>,
    rescues: Rescues,
}

impl Engine {
    /// Reads the reservations back, then runs until [`EngineHandle::stop`].
    pub(crate) async fn start(parts: Parts) -> anyhow::Result<EngineHandle> {
        let clock = Clock::new();
        let (commands, inbox) = mpsc::channel(COMMANDS_WAITING_MAX);
        let handle = EngineHandle::new(
            commands.clone(),
            parts.store.clone(),
            parts.media.clone(),
            parts.reservations.clone(),
            clock,
        );
        let mut conferences = Conferences::new(parts.reservations.clone(), parts.conferences)
            .with_recording_rules(parts.recording_rules);
        let completed_minutes = parts.reservations.completed_minutes;
        let open = parts.store.open_reservations(clock.now().wall, completed_minutes).await?;
        let account_sounds = parts.store.account_sounds().await?;
        let reservation_sounds = parts.store.reservation_sounds(clock.now().wall, completed_minutes).await?;
        end_calls_of_last_run(&parts.store, &parts.sip, clock).await?;
        if !open.is_empty() {
            info!(count = open.len(), "reservations read back");
        }
        let now = clock.now().wall;
        events::tell_lost_events(&parts.store, &parts.lost_events, now).await?;
        if let Some(last_alive) = parts.store.last_alive().await? {
            events::complete_missed(&parts.store, last_alive, now).await?;
        }
        let last_run = events::close_last_run(&parts.store, &open, now).await?;
        open_reservations(&mut conferences, open, clock);
        resume_recordings(&mut conferences, parts.cut_off, &last_run, clock);
        let start = Start {
            node: u64::from_be_bytes(random()?),
            seed: random()?,
            fingerprint: parts.fingerprint,
            settings: parts.settings,
            account_sounds,
            reservation_sounds,
            languages: parts.languages,
        };
        parts.trace.set_node(start.node);
        info!(node = format!("{:016x}", start.node), "participants of this run have the ids NODE.CALL");
        let events = EventWriter::start(parts.store.clone(), parts.followers, parts.meters.clone());
        for event in events::events_of_start(&mut conferences, &last_run.begun) {
            events.write(event);
        }
        let permitted = PermittedWriter::start(parts.store.clone(), &parts.sip).await;
        let trunks = parts.store.all_trunks().await.map_err(failed);
        let mut engine = Self {
            clock,
            node: Node::new(start, conferences, clock.now()),
            records: RecordWriter::start(parts.store.clone(), parts.owner, &parts.meters),
            sampling: Sampling::start(parts.sampler, parts.media.clone(), parts.store.clone()),
            permitted,
            meter: CallMeter::new(parts.meters),
            trace: parts.trace,
            events,
            lost_events: parts.lost_events,
            recordings: Recordings::new(
                parts.recorder,
                parts.media.clone(),
                parts.store.clone(),
                commands.clone(),
            ),
            store: parts.store,
            sip: parts.sip,
            media: parts.media,
            listening: parts.listening,
            admissions: parts.admissions,
            commands,
            handle: handle.clone(),
            question: 0,
            waiting: BTreeMap::new(),
            stopping: None,
            rescues: Rescues::default(),
        };
        // No asker waits for this one.
        engine.take(Input::Question(QuestionId(0), Question::Edge(EdgeQuestion::Trunks(trunks))));
        tokio::spawn(engine.run(inbox, parts.sip_events, parts.media_events));
        Ok(handle)
    }

    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<EngineCommand>,
        mut sip_events: mpsc::Receiver<SipEvent>,
        mut media_events: mpsc::Receiver<MediaEvent>,
    ) {
        loop {
            let wake = self.wake_at();
            tokio::select! {
                event = sip_events.recv() => match event {
                    Some(event) => self.take(Input::Sip(event)),
                    None => break,
                },
                event = media_events.recv() => match event {
                    Some(event) => {
                        if let Some(event) = media_plane::event(event) {
                            self.take(Input::Media(event));
                        }
                    }
                    None => break,
                },
                // The engine holds a sender itself, so this never ends.
                Some(command) = inbox.recv() => self.handle_command(command),
                () = tokio::time::sleep_until(wake) => self.take(Input::Timeout),
            }
            if self.rescues.are_too_many() {
                error!("the engine fails again and again: the service ends, to be started anew");
                return;
            }
            let calls = self.node.calls();
            if self.stopping.is_some() && calls.is_empty() && calls.is_settled() {
                break;
            }
        }
        self.node.finish_records(self.clock.now());
        self.carry_out();
        self.records.finish().await;
        self.sampling.finish().await;
        self.permitted.finish().await;
        self.events.finish(&self.lost_events).await;
        if let Some(reply) = self.stopping.take() {
            let _ = reply.send(());
        }
    }

    fn wake_at(&self) -> tokio::time::Instant {
        let now = self.clock.now();
        let look_again = now.mono.plus_ms(LOOK_AGAIN.as_millis() as u64);
        let due: Mono = self.node.poll_timeout(now).map_or(look_again, |at| at.min(look_again));
        self.clock.instant(due)
    }

    fn handle_command(&mut self, command: EngineCommand) {
        match command {
            EngineCommand::Ask(question, reply) => {
                self.question += 1;
                let id = QuestionId(self.question);
                self.waiting.insert(id, reply);
                self.take(Input::Question(id, *question));
            }
            EngineCommand::Found(id, found) => self.take(Input::Found(id, *found)),
            EngineCommand::RecordingOpened(opened) => {
                let event = self.recordings.opened(*opened);
                self.take(Input::Recorder(event));
            }
            EngineCommand::RecordingFailed { recording, failure } => {
                self.recordings.failed(&recording);
                self.take(Input::Recorder(RecorderEvent::Failed { recording, failure }));
            }
            EngineCommand::RecordingLost { recording, ms } => {
                self.take(Input::Recorder(RecorderEvent::Lost { recording, ms }));
            }
            EngineCommand::Reconfigure(settings) => self.take(Input::Settings(settings)),
            EngineCommand::Stop(reply) => {
                self.stopping = Some(reply);
                self.take(Input::Stop);
            }
            #[cfg(test)]
            EngineCommand::Fail { call } => {
                self.guarded(call, |_| panic!("a test has this fail while handling {call:?}"));
            }
        }
    }

    /// Hands an input to the deciding crates, and carries out their outputs.
    fn take(&mut self, input: Input) {
        let call = self.node.call_of(&input);
        self.guarded(call, |engine| engine.handle(input));
    }

    fn handle(&mut self, input: Input) {
        if self.node.calls().wants_number() && input.may_place_a_call() {
            self.node.give_number(CallNumber(self.sip.new_call().0));
        }
        self.meter.look_at_input(&input);
        self.node.handle(input, self.clock.now());
        self.carry_out();
    }

    /// Carries out what was decided, in order, also what follows from that at once.
    fn carry_out(&mut self) {
        while let Some(output) = self.node.poll_output() {
            self.meter.look_at_output(&output);
            match output {
                Output::Sip(command) => signalling::command(&self.sip, command),
                Output::Media(command) => {
                    if let MediaCommand::Close { call } = &command {
                        self.trace.media_closed(call.0);
                    }
                    if let Some(event) =
                        media_plane::command(&self.media, &self.listening, &self.admissions, command)
                    {
                        if let calls::MediaEvent::Opened { call, at: Ok(at) } = &event {
                            self.trace.media_opened(call.0, at.reached_at());
                        }
                        self.node.handle(Input::Media(event), self.clock.now());
                    }
                }
                Output::Lookup { id, lookup } => {
                    let (store, commands, handle) =
                        (self.store.clone(), self.commands.clone(), self.handle.clone());
                    tokio::spawn(async move {
                        let found = Box::new(lookup::look_up(&store, &handle, lookup).await);
                        let _ = commands.send(EngineCommand::Found(id, found)).await;
                    });
                }
                Output::Recorder(command) => self.recordings.command(command),
                Output::Record(entry) => {
                    self.sampling.note(&entry);
                    self.records.write(RecordEntry::Call(entry));
                }
                Output::History(entry) => self.records.write(RecordEntry::Conference(entry)),
                Output::Event(event) => self.events.write(event),
                Output::Permitted(source) => self.permitted.write(source),
                Output::Reply { question, answer } => {
                    if let Some(reply) = self.waiting.remove(&question) {
                        let _ = reply.send(answer);
                    }
                }
                Output::Home(message) => {
                    warn!(?message, "a message to a home that is not here");
                }
            }
        }
    }
}

/// Their telephones still think that they are in a conference.
async fn end_calls_of_last_run(store: &Store, sip: &SipHandle, clock: Clock) -> anyhow::Result<()> {
    let cut_off = store.open_dialogs().await?;
    // They did not outlive the service, of which it is known to ten seconds when it last ran.
    let now = clock.now().wall;
    let ended_at = store.last_alive().await?.map_or(now, |at| at.min(now));
    let calls = store.interrupt_open_calls(ended_at).await?;
    let conferences = store.interrupt_open_conferences(ended_at).await?;
    if calls > 0 || conferences > 0 {
        info!(calls, conferences, "what was open when the last run was cut off is closed in the records");
    }
    for dialog in cut_off {
        let text = Some("The service was restarted".to_owned());
        let reasons = vec![
            Reason { protocol: "SIP".to_owned(), cause: Some(500), text },
            Reason {
                protocol: "Q.850".to_owned(),
                cause: Some(41),
                text: Some("Temporary failure".to_owned()),
            },
        ];
        sip.hang_up_saved(dialog, reasons);
    }
    Ok(())
}

fn open_reservations(conferences: &mut Conferences, open: Vec<Reservation>, clock: Clock) {
    for reservation in open {
        if let Err(refused) = conferences.handle_event(Event::ReservationAdded(reservation), clock.now()) {
            warn!(%refused, "a stored reservation cannot be opened");
        }
    }
}

/// Reserved conferences that go on are recorded on, in a new part each: those of which the event log says that they were being recorded.
/// One that had been stopped may look cut off by its files, for those take a while to complete.
fn resume_recordings(
    conferences: &mut Conferences,
    cut_off: Vec<RecordingManifest>,
    last_run: &LastRun,
    clock: Clock,
) {
    // By their ids, so by time: of several of one conference the last counts.
    for manifest in cut_off {
        let Some(cut_off) = last_run.resumes(&manifest) else { continue };
        let name = ConferenceName::new(&manifest.conference);
        let key = ConferenceKey { account: AccountId(manifest.account), name };
        if conferences.resume_recording(&key, cut_off, clock.now()) {
            info!(conference = %key.name, account = key.account.0, "a recording that was cut off goes on when the conference does");
        }
    }
}

fn failed(error: plenary_store::StoreError) -> StoreFailed {
    StoreFailed(error.to_string())
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("no random numbers from the system: {error}"))?;
    Ok(bytes)
}
