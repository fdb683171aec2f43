//! What comes of a handshake, whichever crate does it.

use crate::Suite;

/// An output of a handshake.
pub(super) enum Outcome {
    /// A datagram for the other side.
    Send(Vec<u8>),
    /// The handshake is complete, with the announced peer: keying material, and the SRTP suite.
    Keys(Vec<u8>, Suite),
    /// The other side has closed the session.
    Closed,
}
