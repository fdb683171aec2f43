//! The threads that write recordings.
//!
//! ```text
//!   feeds ──▶ recording-N: encode, append pages ──▶ recording-sync: fdatasync every 5 s, manifests
//!                                                        └──▶ recording-finish: hashes, last manifest, report
//! ```
//!
//! A slow disk delays these threads and never a media thread: see [`mod@crate::feed`].

use crate::{
    Archive, Keys, StoredFile, archive,
    feed::{Feed, FeedKind, feed},
    manifest,
    session::{Ended, Note, Pumped, Session, UnwrittenManifest, failure_of},
    track, wall_ms,
};
use plenary_audio::opus;
use plenary_model::{
    RecordedTracks, RecordingEnd as EndReason, RecordingFailure, RecordingManifest, RecordingPause,
    RecordingSettings,
};
use std::{
    fs, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use thiserror::Error;
use tracing::{error, warn};

/// How often the writing threads look for audio.
const LOOK_EVERY: Duration = Duration::from_millis(60);
/// How often what was written is forced onto the disk, free space is looked at, and manifests follow.
pub const SYNC_EVERY: Duration = Duration::from_secs(5);
/// Boxes of a feed: five seconds of the mix; of separate tracks as many as twenty talkers need in two.
const FRAMES_MIXED: usize = 250;
const FRAMES_SEPARATE: usize = 2000;
/// Jobs that wait for the disk; those beyond come with the next look.
const JOBS_WAITING_MAX: usize = 64;

/// Settings of the recorder.
#[derive(Debug, Clone)]
pub struct RecorderConfig {
    /// The folder of all recordings. Created if missing.
    pub folder: PathBuf,
    /// So many octets of the disk are kept free: below that no recording begins, and those that run end.
    pub keep_free_bytes: u64,
    /// Bits per second of Opus.
    pub opus_bitrate: u32,
    /// How often what was written is forced onto the disk, free space is looked at, and manifests follow: [`SYNC_EVERY`], and less in
    /// tests.
    pub sync_every: Duration,
    /// Writing threads; 0: half as many as there are cores.
    pub threads: usize,
    /// The first encrypts what is recorded.
    pub keys: Keys,
    /// Transcripts are made of recordings that have ended.
    pub transcribes: bool,
}

/// What is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRequest {
    /// The number of the account whose conference it is.
    pub account: i64,
    /// The name of the conference.
    pub conference: String,
    /// Tracks, format and notice to the participants.
    pub settings: RecordingSettings,
    /// The recording that this one follows on, and which part that was.
    pub continues: Option<(String, u32)>,
    /// Nothing is recorded before it is resumed.
    pub is_paused: bool,
}

/// Why a recording does not begin.
#[derive(Debug, Error)]
pub enum OpenError {
    /// There is not enough space on the disk.
    #[error("the disk of recordings has {free} bytes free, and {keep} are kept free")]
    StorageFull {
        /// Octets that are free.
        free: u64,
        /// Octets that are kept free.
        keep: u64,
    },
    /// The folder cannot be used.
    #[error("a recording cannot be written")]
    Io(#[from] io::Error),
    /// The recorder has ended.
    #[error("the recorder has ended")]
    Ended,
}

impl OpenError {
    /// Why, in one word.
    #[must_use]
    pub fn failure(&self) -> RecordingFailure {
        match self {
            Self::StorageFull { .. } => RecordingFailure::StorageFull,
            Self::Io(error) => failure_of(error),
            Self::Ended => RecordingFailure::StorageFailed,
        }
    }
}

/// What the recorder says by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecorderEvent {
    /// A recording has ended; its files are complete.
    Ended(Box<RecordingManifest>),
    /// A recording ends now, because it cannot go on. [`RecorderEvent::Ended`] follows.
    Failing {
        /// Its id.
        id: String,
        /// What made it fail.
        failure: RecordingFailure,
    },
    /// Audio was lost, because the disk or the processor is too slow; silence is in its place.
    Lost {
        /// The id of the recording.
        id: String,
        /// How much, in milliseconds over all tracks.
        ms: u64,
    },
}

/// Is called on the threads of the recorder, and should not take long.
pub type OnRecorderEvent = Arc<dyn Fn(RecorderEvent) + Send + Sync>;

/// Begins recordings. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    archive: Archive,
    config: RecorderConfig,
    fresh: Arc<opus::Encoder>,
    writers: Vec<Sender<WriterCommand>>,
    next: AtomicUsize,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// To a writing thread. The queue has no bound: a few for each recording.
#[derive(Debug)]
enum WriterCommand {
    Begin(Box<Session>),
    Note(String, Note),
    /// The disk has not confirmed what was written.
    Failed(String, RecordingFailure),
    /// The files are ended as they are.
    Shutdown,
}

/// For the thread that waits for the disk.
enum Job {
    /// Files, each with the id of its recording. Of those that the disk refuses, the writing thread is told.
    Data(Vec<(String, Arc<StoredFile>)>, Sender<WriterCommand>),
    Manifest(UnwrittenManifest, Sender<WriterCommand>),
    /// After its manifests, which are older than the one that completes it.
    Ended(Box<Ended>),
}

/// The way to that thread. It has no bound for recordings that have ended, of which none may be lost.
#[derive(Clone)]
struct Jobs {
    jobs: Sender<Job>,
    waiting: Arc<AtomicUsize>,
}

impl Jobs {
    /// False: too many wait, and this one has to be brought again.
    fn offer(&self, job: Job) -> bool {
        if self.waiting.load(Relaxed) >= JOBS_WAITING_MAX {
            return false;
        }
        self.waiting.fetch_add(1, Relaxed);
        self.jobs.send(job).is_ok()
    }
}

impl Recorder {
    /// Makes the folder, and starts the threads.
    ///
    /// # Errors
    /// The folder cannot be made, or a thread not be started.
    pub fn start(config: RecorderConfig, on_event: OnRecorderEvent) -> io::Result<Self> {
        fs::create_dir_all(&config.folder)?;
        archive::sync_parent(&config.folder)?;
        let fresh = Arc::new(track::encoder(config.opus_bitrate));
        let count = match config.threads {
            0 => thread::available_parallelism().map_or(1, usize::from).div_ceil(2),
            count => count,
        };
        let mut threads = Vec::new();
        let spawn =
            |name: String, run: Box<dyn FnOnce() + Send>| thread::Builder::new().name(name).spawn(run);
        let (ended, finishing) = channel();
        let of_finisher = Arc::clone(&on_event);
        threads.push(spawn("recording-finish".into(), Box::new(move || finish(&finishing, &of_finisher)))?);
        let (jobs, syncing) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let of_syncing = Arc::clone(&waiting);
        threads.push(spawn("recording-sync".into(), Box::new(move || force(&syncing, &of_syncing, &ended)))?);
        let jobs = Jobs { jobs, waiting };
        let mut writers = Vec::new();
        for number in 0..count {
            let (commands, received) = channel();
            writers.push(commands.clone());
            let writer = Writer {
                commands: received,
                of_disk: commands,
                sessions: Vec::new(),
                fresh: Arc::clone(&fresh),
                jobs: jobs.clone(),
                on_event: Arc::clone(&on_event),
                folder: config.folder.clone(),
                keep_free_bytes: config.keep_free_bytes,
                sync_every: config.sync_every,
            };
            threads.push(spawn(format!("recording-{number}"), Box::new(move || writer.run()))?);
        }
        let archive = Archive::new(config.folder.clone(), config.keys.clone(), config.transcribes);
        let shared = Shared {
            archive,
            config,
            fresh,
            writers,
            next: AtomicUsize::new(0),
            threads: Mutex::new(threads),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The recordings in the folder.
    #[must_use]
    pub fn archive(&self) -> &Archive {
        &self.shared.archive
    }

    /// Makes the files of a recording. The feed goes to the media thread; when that drops it, the recording ends. Waits for the
    /// disk.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, request: OpenRequest) -> Result<(RecordingManifest, Feed), OpenError> {
        let shared = &self.shared;
        let (free, keep) = (plenary_net::free_bytes(&shared.config.folder)?, shared.config.keep_free_bytes);
        if free < keep {
            return Err(OpenError::StorageFull { free, keep });
        }
        let started_at_ms = wall_ms();
        let id = new_id(started_at_ms)?;
        let OpenRequest { account, conference, settings, continues, is_paused } = request;
        let mut manifest = RecordingManifest::begun(id.clone(), account, conference, settings, started_at_ms);
        if let Some((earlier, part)) = continues {
            (manifest.continues, manifest.part) = (Some(earlier), part + 1);
        }
        let (kind, frames) = match settings.tracks {
            RecordedTracks::Mixed => (FeedKind::Mixed, FRAMES_MIXED),
            RecordedTracks::Separate => (FeedKind::Separate, FRAMES_SEPARATE),
        };
        let (mut feed, reader) = feed(kind, frames);
        if is_paused {
            feed.set_paused(true);
            manifest.pauses.push(RecordingPause { at_ms: 0, began_at_ms: started_at_ms, ended_at_ms: None });
        }
        let folder = shared.archive.make_folder(account, &id)?;
        let session = Session::begin(folder.clone(), manifest, reader, &shared.archive, &shared.fresh);
        let session = session.inspect_err(|_| {
            let _ = fs::remove_dir_all(&folder);
        })?;
        let manifest = session.manifest.clone();
        let writer = shared.next.fetch_add(1, Relaxed) % shared.writers.len();
        shared.writers[writer].send(WriterCommand::Begin(Box::new(session))).map_err(|_| OpenError::Ended)?;
        Ok((manifest, feed))
    }

    /// Notes something about a recording that runs.
    pub fn note(&self, id: &str, note: &Note) {
        // Which thread has it is known there.
        for writer in &self.shared.writers {
            let _ = writer.send(WriterCommand::Note(id.to_owned(), note.clone()));
        }
    }

    /// Ends what still runs, and returns when all files are complete.
    pub fn shutdown(&self) {
        for writer in &self.shared.writers {
            let _ = writer.send(WriterCommand::Shutdown);
        }
        let threads =
            std::mem::take(&mut *self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A thread that panicked has printed it, and has ended too.
            let _ = thread.join();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for writer in &self.writers {
            let _ = writer.send(WriterCommand::Shutdown);
        }
    }
}

/// Ids sort by time: twelve hexadecimal digits of milliseconds, and twenty of chance.
fn new_id(now_ms: i64) -> io::Result<String> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mut id = format!("{:012x}", now_ms.unsigned_abs() & 0xffff_ffff_ffff);
    data_encoding::HEXLOWER.encode_append(&random, &mut id);
    Ok(id)
}

/// A writing thread.
struct Writer {
    commands: Receiver<WriterCommand>,
    /// By which the thread that waits for the disk reaches this one.
    of_disk: Sender<WriterCommand>,
    sessions: Vec<Session>,
    fresh: Arc<opus::Encoder>,
    jobs: Jobs,
    on_event: OnRecorderEvent,
    folder: PathBuf,
    keep_free_bytes: u64,
    sync_every: Duration,
}

impl Writer {
    fn run(mut self) {
        let mut next_sync = Instant::now() + self.sync_every;
        loop {
            match self.commands.recv_timeout(self.waits()) {
                Ok(WriterCommand::Begin(session)) => self.sessions.push(*session),
                Ok(WriterCommand::Note(id, note)) => {
                    if let Some(session) = self.sessions.iter_mut().find(|one| one.manifest.id == id) {
                        session.note(note);
                    }
                    // More may wait.
                    continue;
                }
                Ok(WriterCommand::Failed(id, failure)) => {
                    // It may have ended meanwhile.
                    if let Some(place) = self.sessions.iter().position(|one| one.manifest.id == id) {
                        let mut session = self.sessions.swap_remove(place);
                        session.is_damaged = true;
                        self.end(session, failure.into());
                    }
                    continue;
                }
                Ok(WriterCommand::Shutdown) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.pump();
            if Instant::now() >= next_sync {
                next_sync = Instant::now() + self.sync_every;
                self.look_at_disk();
            }
        }
        self.pump();
        for session in std::mem::take(&mut self.sessions) {
            self.end(session, EndReason::Stopped);
        }
    }

    /// How long until there is something to do, unless a command comes.
    fn waits(&self) -> Duration {
        if self.sessions.is_empty() {
            self.sync_every
        } else if self.sessions.iter().any(Session::is_behind) {
            // Of many tracks more comes in a pause than is taken at once.
            Duration::ZERO
        } else {
            LOOK_EVERY
        }
    }

    fn pump(&mut self) {
        let mut place = 0;
        while place < self.sessions.len() {
            let session = &mut self.sessions[place];
            let pumped = session.pump(&self.fresh);
            let lost_ms = session.newly_lost_ms();
            if lost_ms > 0 {
                let id = session.manifest.id.clone();
                warn!(recording = %id, lost_ms, "audio of a recording was lost: the disk or the processor is too slow");
                (self.on_event)(RecorderEvent::Lost { id, ms: lost_ms });
            }
            match pumped {
                Pumped::GoesOn => {
                    if let Some(manifest) = session.poll_manifest()
                        && !self.jobs.offer(Job::Manifest(manifest, self.of_disk.clone()))
                    {
                        session.keep_manifest();
                    }
                    place += 1;
                }
                Pumped::Ended(reason) => {
                    let session = self.sessions.swap_remove(place);
                    self.end(session, reason);
                }
            }
        }
    }

    /// Forces what was written onto the disk, has manifests follow, and ends all where there is too little space.
    fn look_at_disk(&mut self) {
        self.sessions.iter_mut().for_each(Session::note_length);
        let files: Vec<_> = self.sessions.iter().flat_map(Session::files).collect();
        if files.is_empty() {
            return;
        }
        // Where the last time is not over yet, this one is left out.
        self.jobs.offer(Job::Data(files, self.of_disk.clone()));
        match plenary_net::free_bytes(&self.folder) {
            Ok(free) if free < self.keep_free_bytes => {
                error!(free, keep = self.keep_free_bytes, "too little space is left: recordings end");
                for session in std::mem::take(&mut self.sessions) {
                    self.end(session, EndReason::StorageFull);
                }
            }
            Ok(_) => {}
            Err(error) => warn!(%error, "the free space of the disk of recordings is not known"),
        }
    }

    fn end(&self, session: Session, reason: EndReason) {
        let failure = match reason {
            EndReason::StorageFull => Some(RecordingFailure::StorageFull),
            EndReason::StorageFailed => Some(RecordingFailure::StorageFailed),
            EndReason::TooLong => Some(RecordingFailure::TooLong),
            EndReason::Stopped | EndReason::Interrupted => None,
        };
        if let Some(failure) = failure {
            (self.on_event)(RecorderEvent::Failing { id: session.manifest.id.clone(), failure });
        }
        let _ = self.jobs.jobs.send(Job::Ended(Box::new(session.finish(reason, &self.fresh))));
    }
}

/// Completes recordings, one after the other.
fn finish(ended: &Receiver<Ended>, on_event: &OnRecorderEvent) {
    while let Ok(ended) = ended.recv() {
        on_event(RecorderEvent::Ended(Box::new(ended.settle())));
    }
}

/// Waits for the disk, so that no writing thread has to.
fn force(jobs: &Receiver<Job>, waiting: &AtomicUsize, ended: &Sender<Ended>) {
    // After such an error the kernel has dropped what it could not write, and says so once: what the file holds is not known any more
    // (fsync(2)). The recording ends.
    let failed = |id: String, error: &io::Error, writer: &Sender<WriterCommand>| {
        warn!(recording = %id, %error, "a recording could not be forced onto the disk: it ends");
        let _ = writer.send(WriterCommand::Failed(id, failure_of(error)));
    };
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Data(files, writer) => {
                for (id, file) in files {
                    if let Err(error) = file.on_disk().sync_data() {
                        failed(id, &error, &writer);
                    }
                }
            }
            Job::Manifest(UnwrittenManifest { id, folder, bytes }, writer) => {
                if let Err(error) = manifest::write(&folder, &bytes) {
                    failed(id, &error, &writer);
                }
            }
            Job::Ended(recording) => {
                // Before its files are read for their hashes, which takes a while: a crash meanwhile does not make it one that ran.
                recording.note_end();
                let _ = ended.send(*recording);
                continue;
            }
        }
        waiting.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{feed::TrackSource, session::FRAMES_AT_ONCE};
    use plenary_audio::codec::Rate;
    use plenary_model::{RecordingFormat, RecordingState};
    use std::path::Path;

    /// Of a device that is no disk: nothing can be forced onto it.
    fn refused() -> Arc<StoredFile> {
        Arc::new(StoredFile::open(Path::new("/dev/null"), &Keys::none()).expect("Linux has it"))
    }

    #[test]
    fn a_file_that_the_disk_refuses_keeps_no_other_from_it_and_its_recording_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let good = StoredFile::create(&folder.path().join("good"), &Keys::none()).expect("a file");
        let manifest = |id: &str, folder: PathBuf| UnwrittenManifest {
            id: id.to_owned(),
            folder,
            bytes: b"{}".to_vec(),
        };
        let (jobs, received) = channel();
        let (writer, told) = channel();
        let files = vec![
            ("bad".to_owned(), refused()),
            ("good".to_owned(), Arc::new(good)),
            ("worse".to_owned(), refused()),
        ];
        jobs.send(Job::Data(files, writer.clone())).expect("it is received");
        let gone = folder.path().join("gone");
        jobs.send(Job::Manifest(manifest("lost", gone), writer.clone())).expect("it is received");
        let here = folder.path().to_owned();
        jobs.send(Job::Manifest(manifest("kept", here), writer)).expect("it is received");
        drop(jobs);
        let waiting = AtomicUsize::new(3);
        force(&received, &waiting, &channel().0);
        let failed = told.try_iter().map(|command| match command {
            WriterCommand::Failed(id, failure) => (id, failure),
            other => panic!("{other:?}"),
        });
        let expected = ["bad", "worse", "lost"].map(|id| (id.to_owned(), RecordingFailure::StorageFailed));
        assert_eq!(failed.collect::<Vec<_>>(), expected);
        assert_eq!(waiting.load(Relaxed), 0);
        assert!(folder.path().join(manifest::MANIFEST).exists());
    }

    /// A writing thread with one recording, of which nobody does what waits for the disk.
    fn writer(folder: &Path, sync_every: Duration) -> (Writer, Feed, Receiver<Job>) {
        let archive = Archive::new(folder.to_owned(), Keys::none(), false);
        let fresh = Arc::new(track::encoder(24_000));
        let settings = RecordingSettings { format: RecordingFormat::Wav, ..RecordingSettings::default() };
        let manifest = RecordingManifest::begun("00".repeat(16), 1, "Board".to_owned(), settings, wall_ms());
        let of_recording = archive.make_folder(1, &manifest.id).expect("a folder");
        let (feed, reader) = feed(FeedKind::Mixed, 2 * FRAMES_AT_ONCE);
        let session = Session::begin(of_recording, manifest, reader, &archive, &fresh).expect("it begins");
        let (jobs, received) = channel();
        let (of_disk, commands) = channel();
        let writer = Writer {
            commands,
            of_disk,
            sessions: vec![session],
            fresh,
            jobs: Jobs { jobs, waiting: Arc::default() },
            on_event: Arc::new(|_| {}),
            folder: folder.to_owned(),
            keep_free_bytes: 0,
            sync_every,
        };
        (writer, feed, received)
    }

    fn talk(feed: &mut Feed, ticks: usize) {
        for _ in 0..ticks {
            feed.push(TrackSource::Mix, Rate::Narrow, &[1000; 160]);
            assert!(feed.end_tick());
        }
    }

    #[test]
    fn files_are_forced_onto_the_disk_again_and_again_while_they_are_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let (writer, mut feed, jobs) = writer(folder.path(), Duration::from_millis(20));
        let (commands, id) = (writer.of_disk.clone(), writer.sessions[0].manifest.id.clone());
        let thread = thread::spawn(move || writer.run());
        let mut forced = 0;
        while forced < 3 {
            talk(&mut feed, 5);
            match jobs.recv_timeout(Duration::from_secs(20)).expect("it is forced") {
                Job::Data(files, _) => {
                    assert_eq!(files.iter().map(|(of, _)| of).collect::<Vec<_>>(), [&id]);
                    forced += 1;
                }
                Job::Manifest(..) => {}
                Job::Ended(_) => panic!("it goes on"),
            }
        }
        commands.send(WriterCommand::Shutdown).expect("it runs");
        thread.join().expect("it ends");
    }

    #[test]
    fn where_more_waits_than_is_taken_at_once_nothing_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut writer, mut feed, _jobs) = writer(folder.path(), SYNC_EVERY);
        assert_eq!(writer.waits(), LOOK_EVERY);
        talk(&mut feed, FRAMES_AT_ONCE);
        writer.pump();
        assert_eq!(writer.waits(), Duration::ZERO);
        writer.pump();
        assert_eq!(writer.waits(), LOOK_EVERY);
        assert_eq!(writer.sessions[0].manifest.duration_ms, 20 * FRAMES_AT_ONCE as u64);
    }

    #[test]
    fn a_recording_that_the_disk_has_not_confirmed_ends_and_plays() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = RecorderConfig {
            folder: folder.path().to_owned(),
            keep_free_bytes: 0,
            opus_bitrate: 24_000,
            sync_every: SYNC_EVERY,
            threads: 1,
            keys: Keys::none(),
            transcribes: false,
        };
        let (events, told) = channel();
        let recorder =
            Recorder::start(config, Arc::new(move |event| drop(events.send(event)))).expect("it starts");
        let request = |conference: &str| OpenRequest {
            account: 1,
            conference: conference.to_owned(),
            settings: RecordingSettings::default(),
            continues: None,
            is_paused: false,
        };
        let (bad, mut feed) = recorder.open(request("Board")).expect("it begins");
        let (_, mut other) = recorder.open(request("Tea")).expect("it begins");
        for feed in [&mut feed, &mut other] {
            for _ in 0..100 {
                feed.push(TrackSource::Mix, Rate::Narrow, &[1000; 160]);
                assert!(feed.end_tick());
            }
        }
        let failed = WriterCommand::Failed(bad.id.clone(), RecordingFailure::StorageFailed);
        recorder.shared.writers[0].send(failed).expect("the thread runs");
        let next = || told.recv_timeout(Duration::from_secs(20)).expect("it is told");
        let failing = RecorderEvent::Failing { id: bad.id.clone(), failure: RecordingFailure::StorageFailed };
        assert_eq!(next(), failing);
        let RecorderEvent::Ended(ended) = next() else { panic!("it has ended") };
        assert_eq!(
            (ended.id, ended.state, ended.end_reason),
            (bad.id, RecordingState::Failed, Some(EndReason::StorageFailed))
        );
        assert!(ended.tracks[0].sha256.is_some() && (0..10).any(|_| !feed.end_tick()));
        assert!((0..10).all(|_| other.end_tick()), "the other goes on");
    }
}
