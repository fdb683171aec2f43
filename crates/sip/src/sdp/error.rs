use crate::text::quoted;
use thiserror::Error;

/// Why a session description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SdpError {
    /// It is not a session description.
    #[error("the session description is malformed: {0}")]
    Malformed(&'static str),
    /// It contains nothing that is supported.
    #[error("the session description is not acceptable: {text}")]
    NotAcceptable {
        /// Warning code (RFC 3261, section 20.43).
        code: u16,
        /// What is available.
        text: &'static str,
    },
}

impl SdpError {
    /// The SIP status for it.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::NotAcceptable { .. } => 488,
        }
    }

    /// The value of a Warning header for it.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        match self {
            Self::Malformed(text) => {
                Some(format!("399 plenary {}", quoted(&format!("Session description: {text}"))))
            }
            Self::NotAcceptable { code, text } => Some(format!("{code} plenary {}", quoted(text))),
        }
    }
}
