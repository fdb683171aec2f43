//! The writer of the event log.
//!
//! What finds no room in its queue is counted, and the log says where and how many are missing (`events.lost`).

use crate::{clock::wall_now, metrics::meters::Meters};
use anyhow::Context;
use plenary_api::Followers;
use plenary_conference::{Conferences, Reservation, ReservationToken, Timestamp, recording::CutOffRecording};
use plenary_model::{
    AccountEvent, AccountId, Actor, ConferenceRecordingId, EventKind, EventRecord, INTERRUPTED, OngoingKind,
    RecordingEnd, RecordingManifest, RecordingSettings,
};
use plenary_store::{Journal, Store, StoreError, Writer, WriterBounds};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tracing::{info, warn};

/// 100,000 events that wait are some 50 MB, ten seconds of ten thousand events each. An event may wait for the write of those before it,
/// for others to come, and for its own write: at ten thousand events a second that has to be less than 50 ms.
const BOUNDS: WriterBounds =
    WriterBounds { waiting: 100_000, batch: 2000, gathered: Duration::from_millis(10) };

/// How many events of which accounts could not be kept.
type Lost = Arc<Mutex<BTreeMap<AccountId, u64>>>;

/// The writer of the event log.
#[derive(Debug)]
pub(super) struct EventWriter {
    writer: Writer<EventLog>,
    lost: Lost,
    followers: Followers,
}

/// Where events are written.
#[derive(Debug)]
struct EventLog {
    store: Store,
    lost: Lost,
    meters: Arc<Meters>,
}

impl Journal for EventLog {
    type Entry = AccountEvent;
    const ENTRIES: &'static str = "events";

    async fn write(&self, entries: &[AccountEvent], again: bool) -> Result<(), StoreError> {
        self.store.write_events(entries, again).await?;
        self.meters.events_written(wall_now(), entries.iter().map(|entry| entry.event.at));
        Ok(())
    }

    /// What the database refuses for good, and what is left when the service ends without it, is a gap like any other one.
    fn lost(&self, entries: &[AccountEvent]) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        for AccountEvent { account, event } in entries {
            // Of a gap that could not be told of, so many are missing.
            let count = if let EventKind::EventsLost { count } = event.kind { count } else { 1 };
            *lost.entry(*account).or_default() += count;
        }
    }

    /// Where nothing more comes, a gap is told of all the same.
    fn left_over(&self) -> Vec<AccountEvent> {
        let at = wall_now();
        let lost = std::mem::take(&mut *self.lost.lock().unwrap_or_else(PoisonError::into_inner));
        lost.into_iter().map(|(account, count)| lost_events(account, count, at)).collect()
    }
}

impl EventWriter {
    pub(super) fn start(store: Store, followers: Followers, meters: Arc<Meters>) -> Self {
        Self::start_with(store, followers, meters, BOUNDS)
    }

    fn start_with(store: Store, followers: Followers, meters: Arc<Meters>, bounds: WriterBounds) -> Self {
        let (lost, counts) = (Lost::default(), meters.events.clone());
        let log = EventLog { store, lost: lost.clone(), meters };
        Self { writer: Writer::start(log, bounds, counts), lost, followers }
    }

    /// Takes an event; never waits.
    pub(super) fn write(&self, event: AccountEvent) {
        if event.event.kind.is_live_only() {
            return self.followers.send_live(event);
        }
        let account = event.account;
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        // The gap is told of before what comes after it.
        if let Some(count) = lost.get(&account).copied()
            && self.writer.try_write(lost_events(account, count, event.event.at)).is_ok()
        {
            lost.remove(&account);
        }
        if lost.contains_key(&account) || self.writer.try_write(event).is_err() {
            self.writer.lose();
            *lost.entry(account).or_default() += 1;
        }
    }

    /// Waits until everything is written. Gaps that could not be told of are left in this file for the next start.
    pub(super) async fn finish(self, file: &Path) {
        self.writer.finish().await;
        let lost = std::mem::take(&mut *self.lost.lock().unwrap_or_else(PoisonError::into_inner));
        if lost.is_empty() {
            return;
        }
        let lines: String = lost.iter().map(|(account, count)| format!("{} {count}\n", account.0)).collect();
        if let Err(error) = std::fs::write(file, lines) {
            let count: u64 = lost.values().sum();
            warn!(%error, count, "that events are missing in the log cannot be left for the next start");
        }
    }
}

/// Tells of gaps that the end of the last run could not tell of.
pub(super) async fn tell_lost_events(store: &Store, file: &Path, now: Timestamp) -> anyhow::Result<()> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", file.display())),
    };
    let line = |line: &str| {
        let (account, count) = line.split_once(' ')?;
        Some(lost_events(AccountId(account.parse().ok()?), count.parse().ok()?, now))
    };
    let events: Vec<AccountEvent> = text.lines().filter_map(line).collect();
    store.write_events(&events, false).await?;
    std::fs::remove_file(file).with_context(|| format!("{} cannot be removed", file.display()))
}

fn lost_events(account: AccountId, count: u64, at: Timestamp) -> AccountEvent {
    let event = EventRecord {
        at,
        conference: None,
        participant_id: None,
        actor: Actor::system(),
        reason: Some("not_written".to_owned()),
        kind: EventKind::EventsLost { count },
    };
    AccountEvent { account, event }
}

/// What the logs had open when the last run was cut off.
#[derive(Debug, Default)]
pub(super) struct LastRun {
    /// Reservations whose time goes on: that they have begun is in the log.
    pub(super) begun: BTreeSet<ReservationToken>,
    /// Recordings that ran.
    recordings: BTreeSet<ConferenceRecordingId>,
    /// And those of them that were paused.
    paused: BTreeSet<ConferenceRecordingId>,
}

impl LastRun {
    /// How a recording that was cut off goes on; `None`: it had ended, and only its files were not complete. It was paused where either
    /// its manifest or the log says so: the one or the other may be older by a moment.
    pub(super) fn resumes(&self, manifest: &RecordingManifest) -> Option<CutOffRecording> {
        let recording = ConferenceRecordingId(manifest.id.clone());
        if manifest.end_reason != Some(RecordingEnd::Interrupted) || !self.recordings.contains(&recording) {
            return None;
        }
        let is_paused = manifest.is_paused() || self.paused.contains(&recording);
        let RecordingManifest { part, tracks_kind: tracks, format, announced: announce, .. } = *manifest;
        let settings = RecordingSettings { tracks, format, announce };
        Some(CutOffRecording { recording, part, settings, is_paused })
    }
}

/// Closes in the logs what had been going on when the last run was cut off, and says what that was.
pub(super) async fn close_last_run(
    store: &Store,
    open: &[Reservation],
    now: Timestamp,
) -> anyhow::Result<LastRun> {
    let is_on = |one: &&Reservation| one.starts_at <= now && now < one.ends_at();
    let on: BTreeSet<&ReservationToken> = open.iter().filter(is_on).map(|one| &one.token).collect();
    let (mut last_run, mut closing) = (LastRun::default(), Vec::new());
    for (account, what, data) in store.ongoing().await? {
        let token = ReservationToken::new(&what.id);
        let recording = ConferenceRecordingId(what.id.clone());
        if what.kind == OngoingKind::Recording {
            last_run.recordings.insert(recording);
        } else if what.kind == OngoingKind::Pause {
            last_run.paused.insert(recording);
        }
        if what.kind == OngoingKind::Reservation && on.contains(&token) {
            last_run.begun.insert(token);
        } else if let Some(event) = what.closing(now, data) {
            closing.push(AccountEvent { account, event });
        }
    }
    if !closing.is_empty() {
        info!(events = closing.len(), "what a run that was cut off has left open is closed in the event log");
    }
    for batch in closing.chunks(BOUNDS.batch) {
        store.write_events(batch, false).await?;
    }
    Ok(last_run)
}

/// Completes in the logs the reservations whose whole time has passed since the service last ran: they never began.
pub(super) async fn complete_missed(
    store: &Store,
    last_alive: Timestamp,
    now: Timestamp,
) -> anyhow::Result<()> {
    let ongoing =
        store.ongoing().await?.into_iter().filter(|(_, what, _)| what.kind == OngoingKind::Reservation);
    let begun: BTreeSet<String> = ongoing.map(|(_, what, _)| what.id).collect();
    let (mut after, mut token) = (last_alive, String::new());
    loop {
        let missed = store.reservations_ended((after, &token), now, BOUNDS.batch).await?;
        let is_last = missed.len() < BOUNDS.batch;
        if let Some(last) = missed.last() {
            (after, token) = (last.ends_at(), last.token.to_string());
        }
        // One that had begun is closed as what was going on.
        let events: Vec<AccountEvent> = missed
            .into_iter()
            .filter(|one| one.starts_at > last_alive && !begun.contains(one.token.as_str()))
            .map(|one| AccountEvent {
                account: one.account,
                event: EventRecord {
                    at: now,
                    conference: Some(one.name.clone()),
                    participant_id: None,
                    actor: Actor::system(),
                    reason: Some(INTERRUPTED.to_owned()),
                    kind: EventKind::ReservationCompleted(one.data()),
                },
            })
            .collect();
        if !events.is_empty() {
            info!(
                reservations = events.len(),
                "reservations whose time passed while the service was away are completed in the event log"
            );
            store.write_events(&events, false).await?;
        }
        if is_last {
            return Ok(());
        }
    }
}

/// The events of reading reservations back, without those that the log has.
pub(super) fn events_of_start(
    conferences: &mut Conferences,
    begun: &BTreeSet<ReservationToken>,
) -> Vec<AccountEvent> {
    let is_new = |event: &AccountEvent| match &event.event.kind {
        EventKind::ReservationStarted(data) => !begun.contains(&data.token),
        _ => true,
    };
    std::iter::from_fn(|| conferences.poll_event()).filter(is_new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plenary_model::{ConferenceName, RecordingPause};

    fn event(account: AccountId, name: &str) -> AccountEvent {
        let event = EventRecord {
            at: Timestamp(1000),
            conference: Some(ConferenceName::new(name)),
            participant_id: None,
            actor: Actor::system(),
            reason: None,
            kind: EventKind::ConferenceStarted {},
        };
        AccountEvent { account, event }
    }

    #[test]
    fn a_recording_goes_on_only_where_the_log_has_it_open_and_paused_where_either_says_so() {
        let settings = RecordingSettings::default();
        let mut manifest = RecordingManifest::begun("r1".to_owned(), 7, "Board".to_owned(), settings, 0);
        manifest.end_reason = Some(RecordingEnd::Interrupted);
        let id = ConferenceRecordingId("r1".to_owned());
        let mut last_run = LastRun::default();
        assert_eq!(last_run.resumes(&manifest), None, "it was stopped before the crash");
        last_run.recordings.insert(id.clone());
        let mut cut_off = CutOffRecording { recording: id.clone(), part: 1, settings, is_paused: false };
        assert_eq!(last_run.resumes(&manifest), Some(cut_off.clone()));
        cut_off.is_paused = true;
        last_run.paused.insert(id);
        assert_eq!(last_run.resumes(&manifest), Some(cut_off.clone()), "the manifest is older");
        last_run.paused.clear();
        manifest.pauses.push(RecordingPause { at_ms: 20, began_at_ms: 20, ended_at_ms: None });
        assert_eq!(last_run.resumes(&manifest), Some(cut_off), "the log is older");
        manifest.end_reason = Some(RecordingEnd::Stopped);
        assert_eq!(last_run.resumes(&manifest), None, "its manifest knows that it had ended");
    }

    /// What is stored of a recording and the events that tell of it are written in two transactions, and a crash may come in between.
    #[tokio::test]
    async fn a_recording_of_which_the_log_and_the_list_differ_is_closed_once_and_does_not_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let account = store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id;
        let manifest = |id: &str, end| {
            let settings = RecordingSettings::default();
            let begun =
                RecordingManifest::begun(id.to_owned(), account.0, "Board".to_owned(), settings, 1000);
            RecordingManifest { end_reason: Some(end), ..begun }
        };
        let of =
            |kind| AccountEvent { account, event: EventRecord { kind, ..event(account, "Board").event } };
        let id = |id: &str| ConferenceRecordingId(id.to_owned());
        let started = |recording: &str| {
            let RecordingSettings { tracks, format, announce: announced } = RecordingSettings::default();
            of(EventKind::RecordingStarted { recording_id: id(recording), tracks, format, announced })
        };
        let stopped = |recording: &str| of(EventKind::RecordingStopped { recording_id: id(recording) });
        // Of `unheard` the log has nothing yet; `stopped` it has as stopped before its files were complete; `complete` was complete before the
        // log had that it was stopped; `cut` was going on.
        let before = [started("stopped"), stopped("stopped"), started("complete"), started("cut")];
        store.write_events(&before, false).await.unwrap();
        let last_run = close_last_run(&store, &[], Timestamp(5000)).await.unwrap();
        for (recording, end, goes_on) in [
            ("unheard", RecordingEnd::Interrupted, false),
            ("stopped", RecordingEnd::Interrupted, false),
            ("complete", RecordingEnd::Stopped, false),
            ("cut", RecordingEnd::Interrupted, true),
        ] {
            assert_eq!(last_run.resumes(&manifest(recording, end)).is_some(), goes_on, "{recording}");
        }
        // A start that is killed here, too, finds nothing that is left to close.
        assert!(close_last_run(&store, &[], Timestamp(6000)).await.unwrap().recordings.is_empty());
        let log = store.events_after(account, i64::try_from(before.len()).unwrap(), 100).await.unwrap();
        let told: Vec<EventRecord> = log.iter().map(|event| event.record().unwrap()).collect();
        let expected = ["complete", "cut"].map(|recording| EventRecord {
            at: Timestamp(5000),
            reason: Some(INTERRUPTED.to_owned()),
            ..stopped(recording).event
        });
        assert_eq!(told, expected);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_counted_where_it_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let account = store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id;
        let followers = Followers::new(store.clone(), 10);
        let bounds = WriterBounds { waiting: 3, ..BOUNDS };
        let meters = Arc::<Meters>::default();
        let writer = EventWriter::start_with(store.clone(), followers, meters.clone(), bounds);
        // The task that writes has not run yet: three fit.
        (0..5).for_each(|n| writer.write(event(account, &format!("C{n}"))));
        while store.event_bounds(account).await.unwrap().last < 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        writer.write(event(account, "C5"));
        writer.finish(&folder.path().join("lost")).await;
        assert!(!folder.path().join("lost").exists(), "the log has told of all");
        let log = store.events_after(account, 0, 100).await.unwrap();
        let told = log.iter().map(|event| event.record().unwrap()).map(|record| match record.kind {
            EventKind::EventsLost { count } => format!("lost {count}"),
            _ => record.conference.unwrap().to_string(),
        });
        assert_eq!(told.collect::<Vec<_>>(), ["C0", "C1", "C2", "lost 2", "C5"]);
        assert_eq!(log.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert_eq!((meters.events.waiting(), meters.events.lost()), (0, 2));
    }

    #[tokio::test]
    async fn a_gap_at_the_end_is_told_of_by_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let account = store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id;
        let followers = Followers::new(store.clone(), 10);
        let writer = EventWriter::start(store.clone(), followers, Arc::default());
        // The database is away, as it stays until the end.
        store.close().await;
        (0..3).for_each(|n| writer.write(event(account, &format!("C{n}"))));
        let file = folder.path().join("lost");
        writer.finish(&file).await;
        let store = Store::open(folder.path()).await.unwrap();
        tell_lost_events(&store, &file, Timestamp(2000)).await.unwrap();
        tell_lost_events(&store, &file, Timestamp(3000)).await.unwrap();
        let log = store.events_after(account, 0, 100).await.unwrap();
        let kinds: Vec<EventKind> = log.iter().map(|event| event.record().unwrap().kind).collect();
        assert_eq!(kinds, [EventKind::EventsLost { count: 3 }], "once");
    }

    #[tokio::test]
    async fn reservations_that_the_service_has_missed_are_completed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let account = store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id;
        let minute = |minutes: u32| Timestamp(0).plus_minutes(minutes);
        for (name, start) in [("Before", 0), ("Missed", 100), ("Now", 170)] {
            let booked = Reservation {
                token: plenary_store::new_reservation_token(),
                account,
                name: ConferenceName::new(name),
                max_participants: 5,
                starts_at: minute(start),
                duration_minutes: 30,
                divert: None,
                title: None,
                guests: Vec::new(),
                sequence: 0,
                series: None,
            };
            store.reserve(&booked, 100, 0, minute(0)).await.unwrap();
        }
        let known = store.event_bounds(account).await.unwrap().last;
        complete_missed(&store, minute(60), minute(180)).await.unwrap();
        let told = store.events_after(account, known, 100).await.unwrap();
        let told: Vec<EventRecord> = told.iter().map(|event| event.record().unwrap()).collect();
        let [only] = &told[..] else { panic!("{told:?}") };
        assert_eq!(only.conference, Some(ConferenceName::new("Missed")));
        assert_eq!(
            (only.kind.name(), only.reason.as_deref()),
            ("reservation.completed", Some("interrupted"))
        );
    }
}
