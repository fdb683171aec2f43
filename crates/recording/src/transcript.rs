//! Transcripts beside recordings, and what is needed to make one.

use crate::{Archive, StoredFile, archive::entries, manifest};
use plenary_model::{RecordingManifest, TranscriptState};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The transcript of a recording, WebVTT.
const TRANSCRIPT: &str = "transcript.vtt";
/// The same while it is being written.
const TRANSCRIPT_NEW: &str = "transcript.vtt.new";
/// Where tracks are decrypted to while a transcript is made of them.
pub(crate) const WORK: &str = "work";

/// Files that a program can read to make a transcript. What was decrypted for it is deleted when this is dropped.
#[derive(Debug)]
pub struct TranscriptWork {
    /// The manifest, JSON.
    pub manifest: PathBuf,
    /// The tracks, in the order of the manifest.
    pub tracks: Vec<PathBuf>,
    decrypted: Option<PathBuf>,
}

impl Drop for TranscriptWork {
    fn drop(&mut self) {
        if let Some(folder) = &self.decrypted {
            let _ = fs::remove_dir_all(folder);
            // Unless another one is there.
            let _ = folder.parent().map(fs::remove_dir);
        }
    }
}

impl Archive {
    /// Recordings here of which a transcript is still to be made, or could not be made before; the oldest first.
    #[must_use]
    pub fn without_transcript(&self) -> Vec<RecordingManifest> {
        let folders = entries(self.folder()).into_iter().flat_map(|account| entries(&account));
        let is_without = |manifest: &RecordingManifest| {
            matches!(manifest.transcript, Some(TranscriptState::Waiting | TranscriptState::Failed))
        };
        let mut found: Vec<_> = folders
            .filter_map(|folder| manifest::read(&folder).ok().flatten())
            .filter(|manifest| is_without(manifest))
            .collect();
        found.sort_by(|one, other| one.id.cmp(&other.id));
        found
    }

    /// Files for a program that makes a transcript. Waits for the disk.
    ///
    /// # Errors
    /// The recording is gone, or cannot be read.
    pub fn transcript_work(&self, recording: &RecordingManifest) -> io::Result<TranscriptWork> {
        let folder = self.folder_of(recording.account, &recording.id).ok_or(io::ErrorKind::NotFound)?;
        let mut work =
            TranscriptWork { manifest: folder.join(manifest::MANIFEST), tracks: Vec::new(), decrypted: None };
        for track in &recording.tracks {
            let path = folder.join(&track.file);
            let file = StoredFile::open(&path, self.keys())?;
            if !file.is_encrypted() {
                work.tracks.push(path);
                continue;
            }
            let into = self.work_of(&recording.id);
            DirBuilder::new().recursive(true).mode(0o700).create(&into)?;
            work.decrypted = Some(into.clone());
            let path = into.join(&track.file);
            let mut plain =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            io::copy(&mut file.reader(), &mut plain)?;
            work.tracks.push(path);
        }
        Ok(work)
    }

    /// Where the tracks of a recording are decrypted to.
    pub(crate) fn work_of(&self, id: &str) -> PathBuf {
        self.folder().join(WORK).join(id)
    }

    /// What was left of decrypted tracks when the service was killed.
    pub(crate) fn clear_work(&self) {
        let _ = fs::remove_dir_all(self.folder().join(WORK));
    }

    /// Stores the transcript of a recording, or that there is none, and returns its manifest with that.
    ///
    /// # Errors
    /// The recording is gone, or cannot be written to.
    pub fn write_transcript(
        &self,
        recording: &RecordingManifest,
        transcript: Option<&[u8]>,
    ) -> io::Result<RecordingManifest> {
        let folder = self.folder_of(recording.account, &recording.id).ok_or(io::ErrorKind::NotFound)?;
        let _alone = self.changing();
        let mut manifest = manifest::read(&folder)?.ok_or(io::ErrorKind::NotFound)?;
        manifest.transcript = Some(TranscriptState::Failed);
        if let Some(transcript) = transcript {
            self.replace_transcript(&folder, transcript)?;
            manifest.transcript = Some(TranscriptState::Ready);
        }
        manifest::write(&folder, &manifest::to_bytes(&manifest)?)?;
        Ok(manifest)
    }

    /// Stores a transcript in one step.
    pub(crate) fn replace_transcript(&self, folder: &Path, transcript: &[u8]) -> io::Result<()> {
        let new = folder.join(TRANSCRIPT_NEW);
        let _ = fs::remove_file(&new);
        let file = StoredFile::create(&new, self.keys())?;
        file.write_all_at(transcript, 0)?;
        file.on_disk().sync_all()?;
        fs::rename(new, folder.join(TRANSCRIPT))?;
        File::open(folder)?.sync_all()
    }

    /// The transcript of a recording, WebVTT; `None`: there is none here.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn transcript(&self, account: i64, id: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(folder) = self.folder_of(account, id) else { return Ok(None) };
        match StoredFile::open(&folder.join(TRANSCRIPT), self.keys()) {
            Ok(file) => {
                let mut text = Vec::new();
                file.reader().read_to_end(&mut text)?;
                Ok(Some(text))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
