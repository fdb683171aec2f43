//! Recordings that are there: their folders, their repair after a crash, their deletion.
//!
//! ```text
//!   recordings/ACCOUNT/ID/manifest.json, mixed.opus or track-1.opus, track-2.opus …, transcript.vtt
//! ```

use crate::{Keys, StoredFile, manifest, repair, wall_ms};
use plenary_model::{
    RecordedTrack, RecordingEnd as EndReason, RecordingFormat, RecordingManifest, RecordingState,
    TranscriptState,
};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::UNIX_EPOCH,
};
use tracing::{info, warn};

/// The folder of all recordings.
#[derive(Debug, Clone)]
pub struct Archive {
    folder: PathBuf,
    keys: Keys,
    transcribes: bool,
    /// One at a time changes the manifests of recordings that are over.
    changes: Arc<Mutex<()>>,
}

impl Archive {
    /// In this folder, with the keys of what is encrypted; transcripts are made of what has ended, or not.
    #[must_use]
    pub fn new(folder: PathBuf, keys: Keys, transcribes: bool) -> Self {
        Self { folder, keys, transcribes, changes: Arc::default() }
    }

    /// Whether a transcript is to be made of a recording that has ended.
    pub(crate) fn transcribes(&self, manifest: &RecordingManifest) -> bool {
        self.transcribes && manifest.duration_ms > 0 && !manifest.tracks.is_empty()
    }

    /// To be held from reading to writing the manifest of a recording that is over.
    pub(crate) fn changing(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The folder of a recording; `None`: it cannot be the id of one.
    pub(crate) fn folder_of(&self, account: i64, id: &str) -> Option<PathBuf> {
        is_id(id).then(|| self.folder.join(account.to_string()).join(id))
    }

    /// Makes the folder of a recording. Its name is on the disk, and so is that of the account's folder.
    pub(crate) fn make_folder(&self, account: i64, id: &str) -> io::Result<PathBuf> {
        let of_account = self.folder.join(account.to_string());
        let folder = of_account.join(id);
        fs::create_dir_all(&folder)?;
        sync_parent(&of_account)?;
        sync_parent(&folder)?;
        Ok(folder)
    }

    /// What the folder of a recording says; `None`: it is not here.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn manifest(&self, account: i64, id: &str) -> io::Result<Option<RecordingManifest>> {
        self.folder_of(account, id).map_or(Ok(None), |folder| manifest::read(&folder))
    }

    /// The file of a track of a recording; `None`: there is no such one here.
    ///
    /// # Errors
    /// As [`StoredFile::open`].
    pub fn track(&self, manifest: &RecordingManifest, number: u32) -> io::Result<Option<StoredFile>> {
        let track = manifest.tracks.iter().find(|track| track.number == number);
        let folder = self.folder_of(manifest.account, &manifest.id);
        let Some(path) = track.zip(folder).map(|(track, folder)| folder.join(&track.file)) else {
            return Ok(None);
        };
        match StoredFile::open(&path, &self.keys) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes a recording. What is not here any more counts as deleted.
    ///
    /// # Errors
    /// Something of it is still there.
    pub fn delete(&self, account: i64, id: &str) -> io::Result<()> {
        let Some(folder) = self.folder_of(account, id) else { return Ok(()) };
        let _alone = self.changing();
        // Also what was decrypted of it: the program that makes its transcript ends when it finds that the recording is gone.
        for folder in [self.work_of(id), folder] {
            match fs::remove_dir_all(&folder).and_then(|()| sync_parent(&folder)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                // That it is gone is to last.
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Its files are here.
    #[must_use]
    pub fn has(&self, account: i64, id: &str) -> bool {
        self.folder_of(account, id).is_some_and(|folder| folder.join(manifest::MANIFEST).exists())
    }

    /// The ids of the recordings whose folders are here, by account.
    #[must_use]
    pub fn list(&self) -> Vec<(i64, Vec<String>)> {
        let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
        let of_account = |folder: PathBuf| {
            let account = name(&folder)?.parse().ok()?;
            let folders = entries(&folder);
            let ids = folders.iter().filter_map(|path| name(path)).filter(|id| is_id(id));
            Some((account, ids.collect()))
        };
        entries(&self.folder).into_iter().filter_map(of_account).collect()
    }

    /// Completes the recordings that ran when the service ended. To be called before new ones begin. What cannot be read is left
    /// as it is, and told in the log.
    #[must_use]
    pub fn repair(&self) -> Vec<RecordingManifest> {
        self.clear_work();
        let mut repaired = Vec::new();
        for account in entries(&self.folder) {
            for folder in entries(&account) {
                match repair_one(&folder, self) {
                    Ok(Some(manifest)) => {
                        info!(recording = %manifest.id, duration_ms = manifest.duration_ms, "a recording that was cut off is complete");
                        repaired.push(manifest);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        warn!(folder = %folder.display(), %error, "a recording that was cut off cannot be completed");
                    }
                }
            }
        }
        repaired
    }
}

/// Has the name of a file or folder on the disk.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Whether this can be the id of a recording, and the name of a folder.
#[must_use]
pub fn is_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut folders: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// `None`: it was complete, or there was nothing in it yet.
fn repair_one(folder: &Path, archive: &Archive) -> io::Result<Option<RecordingManifest>> {
    let Some(mut manifest) = manifest::read(folder)? else {
        // It was about to begin. A folder that holds something else stays.
        let _ = fs::remove_dir(folder);
        return Ok(None);
    };
    if manifest.state != RecordingState::Running {
        return Ok(None);
    }
    add_unnamed_tracks(folder, &mut manifest)?;
    // It had ended, and only its files were not complete.
    if manifest.end_reason.is_none() {
        manifest.end_reason = Some(EndReason::Interrupted);
        manifest.ended_at_ms = Some(last_change_ms(folder, &manifest));
    }
    settle(folder, &mut manifest, true, archive)?;
    Ok(Some(manifest))
}

/// Tracks that had just begun.
fn add_unnamed_tracks(folder: &Path, manifest: &mut RecordingManifest) -> io::Result<()> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        if let Some(number) = track_number(&file, manifest.format)
            && manifest.tracks.iter().all(|track| track.file != file)
        {
            found.push((number, file));
        }
    }
    found.sort();
    for (number, file) in found {
        let (participant_id, sha256) = (None, None);
        manifest.tracks.push(RecordedTrack { number, file, participant_id, offset_ms: 0, bytes: 0, sha256 });
    }
    Ok(())
}

fn track_number(file: &str, format: RecordingFormat) -> Option<u32> {
    let stem = file.strip_suffix(format.extension())?.strip_suffix('.')?;
    match stem {
        "mixed" => Some(1),
        stem => stem.strip_prefix("track-")?.parse().ok(),
    }
}

/// When its files were last written to.
fn last_change_ms(folder: &Path, manifest: &RecordingManifest) -> i64 {
    let modified = |track: &RecordedTrack| {
        let modified = fs::metadata(folder.join(&track.file)).and_then(|data| data.modified()).ok()?;
        i64::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
    };
    let last = manifest.tracks.iter().filter_map(modified).max().unwrap_or(manifest.started_at_ms);
    last.clamp(manifest.started_at_ms, wall_ms().max(manifest.started_at_ms))
}

/// How a recording does whose files are complete.
fn state_after(reason: EndReason) -> RecordingState {
    match reason {
        EndReason::Stopped => RecordingState::Finished,
        EndReason::Interrupted => RecordingState::Interrupted,
        EndReason::StorageFull | EndReason::StorageFailed | EndReason::TooLong => RecordingState::Failed,
    }
}

/// Completes the files of a recording that is over, and its manifest, which has the end already.
pub(crate) fn settle(
    folder: &Path,
    manifest: &mut RecordingManifest,
    needs_repair: bool,
    archive: &Archive,
) -> io::Result<()> {
    let mut duration_ms = 0;
    for track in &mut manifest.tracks {
        let path = folder.join(&track.file);
        if needs_repair {
            let repaired = match repair::repair(&path, manifest.format, archive.keys()) {
                Ok(repaired) => repaired,
                // It was about to be created.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            duration_ms = duration_ms.max(repaired.duration_ms);
        }
        let file = StoredFile::open(&path, archive.keys())?;
        if !needs_repair {
            file.on_disk().sync_all()?;
        }
        let (bytes, sha256) = sha256(&file)?;
        (track.bytes, track.sha256) = (bytes, Some(sha256));
    }
    manifest.tracks.retain(|track| track.sha256.is_some());
    if needs_repair {
        manifest.duration_ms = duration_ms;
    }
    manifest.state = state_after(manifest.end_reason.unwrap_or(EndReason::Interrupted));
    manifest.transcript = archive.transcribes(manifest).then_some(TranscriptState::Waiting);
    manifest::release(folder);
    manifest::write(folder, &manifest::to_bytes(manifest)?)
}

fn sha256(file: &StoredFile) -> io::Result<(u64, String)> {
    let mut file = file.reader();
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => {
                hash.update(&buffer[..count]);
                bytes += count as u64;
            }
        }
    }
    Ok((bytes, data_encoding::HEXLOWER.encode(&hash.finalize())))
}
