//! Names of people in recordings that are there, and taking them out.

use crate::{Archive, manifest};
use plenary_model::{RecordedParticipant, RecordingManifest, RecordingState, Redaction};
use std::io;

impl Archive {
    /// Takes names out of what is stored beside the audio of a recording that is over, its transcript included: of those for whom
    /// `is_them` says so. `None`: it runs, or is not here.
    ///
    /// # Errors
    /// It cannot be read or written; what was taken out before is gone.
    pub fn redact(
        &self,
        account: i64,
        id: &str,
        how: Redaction,
        is_them: impl Fn(&RecordedParticipant) -> bool,
    ) -> io::Result<Option<RecordingManifest>> {
        let Some(folder) = self.folder_of(account, id) else { return Ok(None) };
        let _alone = self.changing();
        let Some(mut manifest) = manifest::read(&folder)? else { return Ok(None) };
        if manifest.state == RecordingState::Running {
            return Ok(None);
        }
        let taken = manifest.redact(how, is_them);
        if taken.is_empty() {
            return Ok(Some(manifest));
        }
        // The manifest last: as long as it has the names, they are found again.
        if let Some(text) = self.transcript(account, id)? {
            let text = String::from_utf8_lossy(&text);
            let without = taken.iter().fold(text.clone().into_owned(), |text, (name, left)| {
                let voice = left.as_deref().map(|left| format!("<v {}>", escaped(left)));
                text.replace(&format!("<v {}>", escaped(name)), &voice.unwrap_or_default())
            });
            if without != text {
                self.replace_transcript(&folder, without.as_bytes())?;
            }
        }
        manifest::write(&folder, &manifest::to_bytes(&manifest)?)?;
        Ok(Some(manifest))
    }
}

/// As the name of a voice is written (W3C WebVTT, section 4.2.2).
fn escaped(name: &str) -> String {
    name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
