use std::{io, path::PathBuf};
use thiserror::Error;

/// Why a call can't be placed or a file not be used.
#[derive(Debug, Error)]
pub enum CallerError {
    /// The signalling cannot start, or the URI cannot be called.
    #[error(transparent)]
    Sip(#[from] plenary_sip::SipError),
    /// No socket for the audio.
    #[error("no UDP port for the audio")]
    Socket(#[source] io::Error),
    /// The media thread can't be started.
    #[error("the media thread cannot be started")]
    Thread(#[source] io::Error),
    /// A file that is not a WAV file, or can't be read or written.
    #[error("{} cannot be used: {text}", path.display())]
    Wav {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        text: String,
    },
    /// Not a telephone key.
    #[error("`{0}` is not a telephone key: allowed are 0-9, *, #, A-D, and a comma for a pause")]
    Key(char),
}
