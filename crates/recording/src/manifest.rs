//! What is said of a recording in its folder: enough to find, repair and play it without a database.

use plenary_model::{RecordedParticipant, RecordingManifest};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

/// The file of a folder that says what is in it.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The same while it is being written.
const MANIFEST_NEW: &str = "manifest.json.new";
/// Space for the last manifest, which has to be written also when the disk is full.
const RESERVE: &str = "reserve";
const RESERVE_BYTES: usize = 64 * 1024;

/// Reads the manifest of a folder; `None`: there is none.
///
/// # Errors
/// It cannot be read, or is not one.
pub(crate) fn read(folder: &Path) -> io::Result<Option<RecordingManifest>> {
    match fs::read(folder.join(MANIFEST)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn to_bytes(manifest: &RecordingManifest) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec_pretty(manifest)?)
}

pub(crate) fn participant<'a>(
    manifest: &'a mut RecordingManifest,
    id: &str,
) -> Option<&'a mut RecordedParticipant> {
    manifest.participants.iter_mut().find(|participant| participant.participant_id == id)
}

/// Writes a manifest to the disk in one step: a reader finds the old one or the new one.
pub(crate) fn write(folder: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = folder.join(MANIFEST_NEW);
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(new, folder.join(MANIFEST))?;
    File::open(folder)?.sync_all()
}

/// Takes space for the last manifest.
pub(crate) fn reserve(folder: &Path) -> io::Result<()> {
    fs::write(folder.join(RESERVE), vec![b' '; RESERVE_BYTES])
}

/// Gives it back. Without it there is none to give.
pub(crate) fn release(folder: &Path) {
    let _ = fs::remove_file(folder.join(RESERVE));
}
