//! Who follows the events of an account, live.
//!
//! ```text
//!   committed ─▶ one reader per account, every 200 ms ─▶ frames ─▶ follower, follower …
//!   live only ────────────────┘                             (a follower that falls behind is told to begin anew)
//! ```
//!
//! However many follow, an event is read once. A follower has a place in a queue of fixed length that all of its account share, and
//! no memory of its own; one that does not keep up loses its place, and nobody waits for it.

use crate::time;
use async_trait::async_trait;
use axum::body::Bytes;
use plenary_model::{AccountEvent, AccountId, Actor, ConferenceName, EventKind, EventRecord, ParticipantId};
use plenary_store::{EventBounds, Store, StoreError, StoredEvent};
use serde_json::json;
use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    sync::{
        Notify,
        broadcast::{self, error::RecvError},
        mpsc, watch,
    },
    time::{Interval, MissedTickBehavior, interval, sleep, timeout},
};
use tracing::warn;

/// What happens within so long is sent together.
const GATHERED: Duration = Duration::from_millis(200);
/// A database that other processes write to is looked at again at least this often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A comment is sent so often, so that whatever is between does not take the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long it may take to find out who talks.
const READY_WITHIN: Duration = Duration::from_secs(1);
/// Frames that a follower may be behind.
const BEHIND_MAX: usize = 4096;
/// Events that are only sent live, between two readings; further ones are left out.
const LIVE_MAX: usize = 1024;
/// Participants of an account whose levels are sent.
const TALKING_MAX: usize = 100;
/// Events that are read at once.
const PAGE: usize = 500;
/// Bytes that are sent at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Follows events for the web services. Clones share the readers.
#[derive(Clone)]
pub struct Followers(Arc<Shared>);

struct Shared {
    store: Store,
    voices: Option<Arc<dyn Voices>>,
    per_account: usize,
    accounts: Mutex<HashMap<AccountId, Arc<Channel>>>,
    phase: watch::Sender<Phase>,
}

/// How far the service is with going away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Phase {
    /// Followers since another number are sent away.
    number: u32,
    /// Nobody comes any more.
    is_over: bool,
}

/// The followers of an account.
struct Channel {
    frames: broadcast::Sender<Arc<Frame>>,
    live: mpsc::Sender<EventRecord>,
    followers: AtomicUsize,
    /// Those of them who want levels.
    with_levels: AtomicUsize,
    /// Who talks, by all frames that were sent. Frames are sent, and followers come, behind this lock: so each knows who talked when it
    /// came.
    talking: Mutex<Talking>,
    /// `talking` is known.
    is_ready: watch::Sender<bool>,
    /// A follower has come that wants levels.
    levels_wanted: Notify,
}

impl Channel {
    fn talking(&self) -> MutexGuard<'_, Talking> {
        self.talking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends frames from now on, and says who talks now, as events.
    fn subscribe(&self) -> (broadcast::Receiver<Arc<Frame>>, Vec<Frame>) {
        let talking = self.talking();
        (self.frames.subscribe(), talking.frames())
    }

    fn send(&self, frame: Frame) {
        let mut talking = self.talking();
        talking.note(frame.record.as_ref());
        // Nobody may follow at this moment.
        let _ = self.frames.send(Arc::new(frame));
    }
}

/// An event as it is sent.
struct Frame {
    /// Its number; `None`: it is only sent live.
    seq: Option<i64>,
    /// What it is about; `None`: it cannot be read by this version, and goes to those who want everything.
    record: Option<EventRecord>,
    /// It says how loud participants of this conference are.
    levels_of: Option<String>,
    text: String,
}

/// Which events a follower wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Topics {
    /// Of these conferences; empty: of all.
    pub(crate) conferences: Vec<String>,
    /// How loud those are who talk, as well.
    pub(crate) levels: bool,
}

/// Says who talks, and how loud.
#[async_trait]
pub trait Voices: Send + Sync {
    /// Who is heard talking in conferences of the account.
    async fn talkers(&self, account: AccountId) -> Vec<(ConferenceName, ParticipantId)>;

    /// The level of a participant's voice, in dBov; `None`: it has none now.
    async fn level_dbov(&self, participant: &ParticipantId) -> Option<f32>;
}

impl Topics {
    fn want(&self, frame: &Frame) -> bool {
        match &frame.levels_of {
            Some(name) => self.levels && (self.conferences.is_empty() || self.conferences.contains(name)),
            None => self.include(frame.record.as_ref()),
        }
    }

    /// Whether they want this event.
    pub(crate) fn include(&self, record: Option<&EventRecord>) -> bool {
        self.conferences.is_empty()
            || record.is_some_and(|record| self.conferences.iter().any(|name| record.is_about(name)))
    }
}

/// Why a client cannot follow.
#[derive(Debug)]
pub(crate) enum NotFollowed {
    /// As many follow the account as may.
    TooMany {
        most: usize,
    },
    /// The service is going away.
    Stopping,
    Store(StoreError),
}

impl fmt::Debug for Followers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Followers").field("per_account", &self.0.per_account).finish_non_exhaustive()
    }
}

impl Followers {
    /// Of the events in this store; so many at a time of each account.
    #[must_use]
    pub fn new(store: Store, per_account: usize) -> Self {
        let (phase, _) = watch::channel(Phase::default());
        let accounts = Mutex::default();
        Self(Arc::new(Shared { store, voices: None, per_account, accounts, phase }))
    }

    /// The same, before anybody follows; who talks, and how loud, says this.
    #[must_use]
    pub fn with_voices(self, voices: Arc<dyn Voices>) -> Self {
        let Shared { store, per_account, .. } = &*self.0;
        let (phase, _) = watch::channel(Phase::default());
        let (store, per_account, accounts) = (store.clone(), *per_account, Mutex::default());
        Self(Arc::new(Shared { store, voices: Some(voices), per_account, accounts, phase }))
    }

    /// Sends what is not kept to the followers of now.
    pub fn send_live(&self, event: AccountEvent) {
        let accounts = self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = accounts.get(&event.account) {
            // What is too much to be sent is too much to be looked at.
            let _ = channel.live.try_send(event.event);
        }
    }

    /// Everybody is sent away, so that who can goes elsewhere; who comes back may follow on.
    pub fn drain(&self) {
        self.0.phase.send_modify(|phase| phase.number += 1);
    }

    /// Everybody is sent away, and nobody comes any more.
    pub fn stop(&self) {
        self.0.phase.send_modify(|phase| *phase = Phase { number: phase.number + 1, is_over: true });
    }

    /// How many follow, over all accounts.
    #[must_use]
    pub fn count(&self) -> usize {
        let accounts = self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.values().map(|channel| channel.followers.load(Relaxed)).sum()
    }

    /// Follows from behind an event on; `None`: from now on.
    pub(crate) async fn follow(
        &self,
        account: AccountId,
        topics: Topics,
        after: Option<i64>,
    ) -> Result<Follower, NotFollowed> {
        let phase = *self.0.phase.borrow();
        if phase.is_over {
            return Err(NotFollowed::Stopping);
        }
        let place = self.take_place(account, topics.levels).await?;
        let mut is_ready = place.channel.is_ready.subscribe();
        let _ = timeout(READY_WITHIN, is_ready.wait_for(|is_ready| *is_ready)).await;
        // Subscribed first: what is written from now on comes by the queue, what was before by the log.
        let (frames, talkers) = place.channel.subscribe();
        let bounds = self.0.store.event_bounds(account).await.map_err(NotFollowed::Store)?;
        let mut follower = Follower {
            frames,
            store: self.0.store.clone(),
            account,
            topics,
            last: bounds.last,
            is_behind: false,
            is_leaving: false,
            first: None,
            talkers,
            keep_alive: interval(KEEP_ALIVE),
            since: phase.number,
            phase: self.0.phase.subscribe(),
            place,
        };
        follower.keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        follower.keep_alive.reset();
        follower.first = Some(match after {
            Some(after) if bounds.continue_after(after) => {
                (follower.last, follower.is_behind) = (after, true);
                Bytes::from_static(b": following\n\n")
            }
            Some(_) => reset(bounds),
            None => Bytes::from(format!("id: {}\n\n", bounds.last)),
        });
        Ok(follower)
    }

    async fn take_place(&self, account: AccountId, levels: bool) -> Result<FollowerSlot, NotFollowed> {
        // Read before the lock is taken; a reader that begins a little too early sends what nobody misses.
        let bounds = self.0.store.event_bounds(account).await.map_err(NotFollowed::Store)?;
        let mut accounts = self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = accounts.entry(account).or_insert_with(|| {
            let (frames, _) = broadcast::channel(BEHIND_MAX);
            let (live, live_events) = mpsc::channel(LIVE_MAX);
            let channel = Arc::new(Channel {
                frames,
                live,
                followers: AtomicUsize::new(0),
                with_levels: AtomicUsize::new(0),
                talking: Mutex::default(),
                is_ready: watch::channel(false).0,
                levels_wanted: Notify::new(),
            });
            tokio::spawn(read(self.0.clone(), account, channel.clone(), live_events, bounds.last));
            channel
        });
        if channel.followers.load(Relaxed) >= self.0.per_account {
            return Err(NotFollowed::TooMany { most: self.0.per_account });
        }
        channel.followers.fetch_add(1, Relaxed);
        channel.with_levels.fetch_add(usize::from(levels), Relaxed);
        if levels {
            channel.levels_wanted.notify_one();
        }
        Ok(FollowerSlot { channel: channel.clone(), levels })
    }

    /// Ends the reader of an account that nobody follows any more.
    fn forget_if_empty(shared: &Shared, account: AccountId) -> bool {
        let mut accounts = shared.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_empty = accounts.get(&account).is_none_or(|channel| channel.followers.load(Relaxed) == 0);
        if is_empty {
            accounts.remove(&account);
        }
        is_empty
    }
}

/// Reads what is written and passes it on, until nobody follows.
async fn read(
    shared: Arc<Shared>,
    account: AccountId,
    channel: Arc<Channel>,
    mut live: mpsc::Receiver<EventRecord>,
    mut last: i64,
) {
    let mut news = shared.store.event_news(account);
    let mut phase = shared.phase.subscribe();
    let mut unread = Vec::new();
    // What happens from now on is live, whether or not it is in the answer as well.
    if let Some(voices) = &shared.voices {
        let talkers = voices.talkers(account).await;
        channel.talking().begin(talkers);
    }
    channel.is_ready.send_replace(true);
    while !phase.borrow().is_over {
        tokio::select! {
            _ = phase.changed() => {}
            _ = news.changed() => {}
            event = live.recv() => unread.extend(event),
            // Who talks is measured as often as anything is sent.
            () = sleep(GATHERED), if channel.with_levels.load(Relaxed) > 0 && !channel.talking().0.is_empty() => {}
            () = channel.levels_wanted.notified() => {}
            () = sleep(LOOK_AGAIN) => {}
        }
        // What comes now goes with it.
        sleep(GATHERED).await;
        news.borrow_and_update();
        loop {
            let page = match shared.store.events_after(account, last, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    warn!(%error, account = account.0, "events cannot be read for those who follow; trying again");
                    break;
                }
            };
            let is_last = page.len() < PAGE;
            for event in page {
                last = event.seq;
                channel.send(Frame::of(&event));
            }
            if is_last {
                break;
            }
            // Followers take what there is before there is more.
            sleep(Duration::from_millis(10)).await;
        }
        while let Ok(event) = live.try_recv() {
            unread.push(event);
        }
        for record in unread.drain(..) {
            channel.send(Frame::live(record));
        }
        if let Some(voices) = shared.voices.as_ref().filter(|_| channel.with_levels.load(Relaxed) > 0) {
            let talkers = channel.talking().clone();
            for frame in talkers.measured(&**voices).await {
                channel.send(frame);
            }
        }
        if Followers::forget_if_empty(&shared, account) {
            return;
        }
    }
}

/// Who talks, and where.
#[derive(Debug, Clone, Default)]
struct Talking(BTreeMap<ParticipantId, ConferenceName>);

impl Talking {
    /// These do already.
    fn begin(&mut self, talkers: Vec<(ConferenceName, ParticipantId)>) {
        let talkers = talkers.into_iter().take(TALKING_MAX);
        self.0.extend(talkers.map(|(conference, id)| (id, conference)));
    }

    /// As events that are only sent live.
    fn frames(&self) -> Vec<Frame> {
        let frame = |(id, conference): (&ParticipantId, &ConferenceName)| {
            Frame::live(EventRecord {
                at: time::now(),
                conference: Some(conference.clone()),
                participant_id: Some(id.clone()),
                actor: Actor::system(),
                reason: None,
                kind: EventKind::ParticipantTalking {},
            })
        };
        self.0.iter().map(frame).collect()
    }

    fn note(&mut self, record: Option<&EventRecord>) {
        let Some(EventRecord { participant_id: Some(id), conference: Some(conference), kind, .. }) = record
        else {
            return;
        };
        match kind {
            EventKind::ParticipantTalking {} if self.0.len() < TALKING_MAX => {
                self.0.insert(id.clone(), conference.clone());
            }
            EventKind::ParticipantMoved { .. } => {
                self.0.entry(id.clone()).and_modify(|of| of.clone_from(conference));
            }
            EventKind::ParticipantSilent {} | EventKind::ParticipantLeft {} => {
                self.0.remove(id);
            }
            _ => {}
        }
    }

    /// How loud they are, conference by conference.
    async fn measured(&self, voices: &dyn Voices) -> Vec<Frame> {
        let mut by_conference: BTreeMap<&ConferenceName, BTreeMap<String, f32>> = BTreeMap::new();
        for (id, conference) in &self.0 {
            if let Some(level) = voices.level_dbov(id).await {
                by_conference.entry(conference).or_default().insert(id.to_string(), level.round());
            }
        }
        by_conference.into_iter().map(|(name, levels)| Frame::levels(name.to_string(), &levels)).collect()
    }
}

impl Frame {
    fn of(event: &StoredEvent) -> Self {
        Self { seq: Some(event.seq), record: event.record().ok(), levels_of: None, text: text_of(event) }
    }

    fn live(record: EventRecord) -> Self {
        let text = format!("data: {}\n\n", serde_json::to_string(&record).unwrap_or_default());
        Self { seq: None, record: Some(record), levels_of: None, text }
    }

    fn levels(conference: String, levels: &BTreeMap<String, f32>) -> Self {
        let data = json!({ "type": "levels", "conference": conference, "data": { "levels_dbov": levels } });
        Self { seq: None, record: None, levels_of: Some(conference), text: format!("data: {data}\n\n") }
    }
}

/// An event of the log as it is sent (HTML, section 9.2). JSON on one line holds no line break.
fn text_of(event: &StoredEvent) -> String {
    format!("id: {}\ndata: {}\n\n", event.seq, event.json())
}

/// Events are missing between what the follower knows and what comes next.
fn reset(EventBounds { first, last }: EventBounds) -> Bytes {
    Bytes::from(format!("event: reset\nid: {last}\ndata: {{\"first\":{first},\"last\":{last}}}\n\n"))
}

/// One of those that an account may have.
struct FollowerSlot {
    channel: Arc<Channel>,
    levels: bool,
}

impl Drop for FollowerSlot {
    fn drop(&mut self) {
        self.channel.followers.fetch_sub(1, Relaxed);
        self.channel.with_levels.fetch_sub(usize::from(self.levels), Relaxed);
    }
}

/// What a follower waits for.
enum Happened {
    Frame(Result<Arc<Frame>, RecvError>),
    /// It is sent away.
    Leaving,
    /// Nothing for so long that this is said.
    Nothing,
}

/// A follower.
pub(crate) struct Follower {
    frames: broadcast::Receiver<Arc<Frame>>,
    store: Store,
    account: AccountId,
    topics: Topics,
    /// The number of the last event that was sent, or passed over.
    last: i64,
    /// What the log holds behind `last` is still to be sent.
    is_behind: bool,
    /// When that is sent, it is over.
    is_leaving: bool,
    first: Option<Bytes>,
    /// Who talked when it came; told when it has what came before.
    talkers: Vec<Frame>,
    keep_alive: Interval,
    since: u32,
    phase: watch::Receiver<Phase>,
    place: FollowerSlot,
}

impl Follower {
    /// What is sent next; `None`: it is over.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let mut text = String::new();
            if self.is_behind {
                let page = self.page().await?;
                self.is_behind = page.len() == PAGE;
                for event in page {
                    self.last = event.seq;
                    let record = event.record().ok();
                    if self.topics.include(record.as_ref()) {
                        text += &text_of(&event);
                    }
                }
            } else if !self.talkers.is_empty() {
                for frame in std::mem::take(&mut self.talkers) {
                    self.add(&frame, &mut text);
                }
            } else if self.is_leaving {
                return None;
            } else {
                match self.wait().await {
                    // What has been written by now is sent yet.
                    Happened::Leaving => (self.is_leaving, self.is_behind) = (true, true),
                    Happened::Nothing => text += ":\n\n",
                    Happened::Frame(Ok(frame)) => {
                        self.add(&frame, &mut text);
                        if self.add_waiting(&mut text) {
                            return self.begin_anew().await;
                        }
                    }
                    Happened::Frame(Err(RecvError::Lagged(_))) => return self.begin_anew().await,
                    Happened::Frame(Err(RecvError::Closed)) => return None,
                }
            }
            if !text.is_empty() {
                self.keep_alive.reset();
                return Some(Bytes::from(text));
            }
        }
    }

    async fn wait(&mut self) -> Happened {
        let Self { frames, keep_alive, phase, since, .. } = self;
        let leaving = async {
            let _ = phase.wait_for(|phase| phase.number != *since).await;
        };
        tokio::select! {
            () = leaving => Happened::Leaving,
            frame = frames.recv() => Happened::Frame(frame),
            _ = keep_alive.tick() => Happened::Nothing,
        }
    }

    async fn page(&self) -> Option<Vec<StoredEvent>> {
        match self.store.events_after(self.account, self.last, PAGE).await {
            Ok(page) => Some(page),
            Err(error) => {
                // The client comes back with the number of the last event that it has.
                warn!(%error, account = self.account.0, "a follower is sent away: events cannot be read");
                None
            }
        }
    }

    /// Adds what waits as well; `true`: something is missing.
    fn add_waiting(&mut self, text: &mut String) -> bool {
        while text.len() < CHUNK_BYTES {
            match self.frames.try_recv() {
                Ok(frame) => self.add(&frame, text),
                Err(broadcast::error::TryRecvError::Lagged(_)) => return true,
                Err(_) => return false,
            }
        }
        false
    }

    fn add(&mut self, frame: &Frame, text: &mut String) {
        if let Some(seq) = frame.seq {
            if seq <= self.last {
                return;
            }
            self.last = seq;
        }
        if self.topics.want(frame) {
            *text += &frame.text;
        }
    }

    /// It was too slow: it has to ask how things stand, and goes on from there.
    async fn begin_anew(&mut self) -> Option<Bytes> {
        (self.frames, self.talkers) = self.place.channel.subscribe();
        let bounds = self.store.event_bounds(self.account).await.ok()?;
        self.last = bounds.last;
        Some(reset(bounds))
    }
}
