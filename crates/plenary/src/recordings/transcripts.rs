//! Transcripts of recordings, made by a program that is configured.
//!
//! It is run as `COMMAND… MANIFEST TRACK…`, one recording after the other, at the lowest priority, and writes WebVTT to its standard
//! output.

use crate::config::TranscriptConfig;
use anyhow::{Context, bail};
use plenary_model::RecordingManifest;
use plenary_recording::Archive;
use plenary_store::Store;
use std::{
    io::Read,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::runtime::Handle;
use tracing::{info, warn};

/// How often the program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The longest transcript: twelve hours of talk have about two megabytes.
const BYTES_MAX: u64 = 16 << 20;
/// Of what it says about an error so much is in the log.
const ERROR_BYTES_MAX: u64 = 4096;

/// The thread that has transcripts made.
pub(super) struct Transcripts {
    queue: Sender<RecordingManifest>,
    is_stopping: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Recordings that wait for a transcript. Without a bound: each has ended, and is on the disk.
pub(super) struct Queue(Sender<RecordingManifest>);

impl Queue {
    pub(super) fn add(&self, recording: RecordingManifest) {
        // The thread has ended: the next start finds it.
        let _ = self.0.send(recording);
    }
}

impl Transcripts {
    /// Begins with what an earlier run has left, also with what failed there.
    pub(super) fn start(config: TranscriptConfig, archive: Archive, store: Store) -> Self {
        let (queue, waiting) = channel();
        let is_stopping = Arc::new(AtomicBool::new(false));
        let worker =
            Worker { config, archive, store, runtime: Handle::current(), is_stopping: is_stopping.clone() };
        let spawned = thread::Builder::new().name("transcripts".into()).spawn(move || worker.run(&waiting));
        let thread = spawned
            .inspect_err(|error| warn!(%error, "no transcripts are made: their thread cannot be started"))
            .ok();
        Self { queue, is_stopping, thread }
    }

    pub(super) fn queue(&self) -> Queue {
        Queue(self.queue.clone())
    }

    /// Ends the program that runs, and waits for that. The next start makes its transcript.
    pub(super) fn stop(self) {
        let Self { queue, is_stopping, thread } = self;
        is_stopping.store(true, Relaxed);
        drop(queue);
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

struct Worker {
    config: TranscriptConfig,
    archive: Archive,
    store: Store,
    runtime: Handle,
    is_stopping: Arc<AtomicBool>,
}

impl Worker {
    fn run(&self, waiting: &Receiver<RecordingManifest>) {
        for recording in self.archive.without_transcript() {
            self.transcribe(&recording);
        }
        while let Ok(recording) = waiting.recv() {
            self.transcribe(&recording);
        }
    }

    fn transcribe(&self, recording: &RecordingManifest) {
        if self.is_stopping.load(Relaxed) {
            return;
        }
        let began = Instant::now();
        let made = self.make(recording);
        if self.is_stopping.load(Relaxed) {
            return;
        }
        let (account, id) = (recording.account, &recording.id);
        if !self.archive.has(account, id) {
            info!(recording = %id, account, "no transcript is made: the recording was deleted meanwhile");
            return;
        }
        match &made {
            Ok(_) => {
                info!(recording = %id, account, seconds = began.elapsed().as_secs(), "transcript complete")
            }
            Err(error) => warn!(recording = %id, account, "a transcript cannot be made: {error:#}"),
        }
        let written = self.archive.write_transcript(recording, made.ok().as_deref());
        let stored = written
            .context("its folder cannot be written to")
            .and_then(|manifest| Ok(self.runtime.block_on(self.store.update_recording(&manifest))?));
        if let Err(error) = stored {
            // It was deleted meanwhile, or the next start does it again.
            warn!(recording = %id, account, "the transcript of a recording is not stored: {error:#}");
        }
    }

    /// Runs the program.
    fn make(&self, recording: &RecordingManifest) -> anyhow::Result<Vec<u8>> {
        let work = self.archive.transcript_work(recording).context("its files cannot be read")?;
        let program = &self.config.command[0];
        // It ends with the service, however that ends, and not before: the thread that starts it is the one that waits for it.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "nice", "-n", "19"])
            .args(&self.config.command)
            .arg(&work.manifest)
            .args(&work.tracks)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that its children end with it.
            .process_group(0)
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        let output = child.stdout.take().map(|output| read_beside(output, BYTES_MAX + 1));
        let errors = child.stderr.take().map(|errors| read_beside(errors, ERROR_BYTES_MAX));
        let ended = self.wait(&mut child, recording);
        // Also what it has left running, which would hold the pipes open.
        kill_group(&child);
        let said = |reader: Option<thread::JoinHandle<Vec<u8>>>| {
            reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
        };
        let (text, errors) = (said(output), said(errors));
        let status = ended?;
        if !status.success() {
            let errors = String::from_utf8_lossy(&errors);
            bail!(
                "{program} ended with {status}: {}",
                errors.trim().lines().next_back().unwrap_or("it said nothing")
            );
        }
        if text.len() as u64 > BYTES_MAX {
            bail!("{program} wrote more than {BYTES_MAX} bytes");
        }
        check_webvtt(&text)?;
        Ok(text)
    }

    fn wait(&self, child: &mut Child, recording: &RecordingManifest) -> anyhow::Result<ExitStatus> {
        let until = Instant::now() + Duration::from_secs(self.config.timeout_seconds);
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            let why = if self.is_stopping.load(Relaxed) {
                "the service stops".to_owned()
            } else if !self.archive.has(recording.account, &recording.id) {
                "the recording was deleted meanwhile".to_owned()
            } else if Instant::now() >= until {
                format!("it took longer than transcripts.timeout_seconds, {} s", self.config.timeout_seconds)
            } else {
                thread::sleep(LOOK_EVERY);
                continue;
            };
            kill_group(child);
            let _ = child.wait();
            bail!(why);
        }
    }
}

/// Reads what a program writes; what is more than so much is thrown away.
fn read_beside(mut from: impl Read + Send + 'static, bytes_max: u64) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.by_ref().take(bytes_max).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut from, &mut std::io::sink());
        bytes
    })
}

fn kill_group(child: &Child) {
    let group = format!("-{}", child.id());
    let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
}

/// WebVTT is UTF-8 and begins with its name (W3C WebVTT, section 4.1).
fn check_webvtt(bytes: &[u8]) -> anyhow::Result<()> {
    let text = std::str::from_utf8(bytes).context("what was written is not UTF-8")?;
    let rest = text.strip_prefix('\u{feff}').unwrap_or(text).strip_prefix("WEBVTT");
    match rest.map(|rest| rest.chars().next()) {
        Some(None | Some(' ' | '\t' | '\n' | '\r')) => Ok(()),
        _ => bail!("what was written does not begin with WEBVTT"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webvtt_is_told_from_other_text() {
        for good in ["WEBVTT", "WEBVTT\n\n00:00.000 --> 00:01.000\nHi\n", "\u{feff}WEBVTT board\r\n"] {
            check_webvtt(good.as_bytes()).expect(good);
        }
        for bad in [&b""[..], b"WEBVTTS\n", b"hello", b" WEBVTT", b"WEBVTT \xff"] {
            assert!(check_webvtt(bad).is_err(), "{bad:?}");
        }
    }
}
