use std::{io, path::PathBuf};
use thiserror::Error;

/// Why a call cannot be placed, or a file cannot be used.
#[derive(Debug, Error)]
pub enum CallerError {
    /// The signalling cannot start, or the URI cannot be called.
    #[error(transparent)]
    Sip(#[from] plenary_sip::SipError),
    /// No socket for the audio.
    #[error("no UDP port for the audio")]
    Socket(#[source] io::Error),
    /// The media thread cannot be started.
    #[error("the media thread cannot be started")]
    Thread(#[source] io::Error),
    /// A file is not a WAV file, or cannot be read or written.
    #[error("{} cannot be used: {text}", path.display())]
    Wav {
        /// Its path as given.
        path: PathBuf,
        /// The reason, for the user.
        text: String,
    },
    /// Not a telephone key.
    #[error("`{0}` is not a telephone key: allowed are 0-9, *, #, A-D, and a comma for a pause")]
    Key(char),
}
