//! Errors that are reported to the control side.

use crate::{MediaCallId, RoomId};
use std::{io, net::IpAddr};

/// Why the media plane, or the media of a call, are not available.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// Every pair of ports of the range is in use.
    #[error(
        "no free pair of ports on {bind} from {first} to {last}: widen the range of RTP ports or end calls first"
    )]
    NoPorts {
        /// The local address.
        bind: IpAddr,
        /// The first port of the range.
        first: u16,
        /// The last port of the range.
        last: u16,
    },
    /// The range contains no even port followed by another port of the range.
    #[error("the RTP ports {first} to {last} hold no even port with another port after it")]
    BadPorts {
        /// The first port of the range.
        first: u16,
        /// The last port of the range.
        last: u16,
    },
    /// The limits of the jitter buffer are out of order.
    #[error(
        "the jitter buffer's limits are {min} to {max} ms: 20 to 1000 ms are allowed, the lower one first"
    )]
    BadJitter {
        /// The lower limit, in milliseconds.
        min: u32,
        /// The upper limit, in milliseconds.
        max: u32,
    },
    /// A socket could not be created or bound for a reason other than a port in use.
    #[error("a socket on {bind} could not be opened")]
    Socket {
        /// The local address.
        bind: IpAddr,
        /// The system's error.
        source: io::Error,
    },
    /// A call with this number is already open.
    #[error("the call {0} already has media")]
    CallExists(MediaCallId),
    /// A thread could not be started.
    #[error("a media thread could not be started")]
    Thread(#[source] io::Error),
    /// The media plane was shut down, or the worker that owns the room is gone.
    #[error("the media plane is shut down: no worker owns the room {0}")]
    ShutDown(RoomId),
}

impl MediaError {
    /// Whether a retry may succeed once calls have ended, because a resource ran out.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        // EMFILE, ENFILE, ENOBUFS, ENOMEM: the standard library has no kinds for the first three.
        const USED_UP: [i32; 4] = [24, 23, 105, 12];
        match self {
            Self::NoPorts { .. } => true,
            Self::Socket { source, .. } | Self::Thread(source) => {
                source.raw_os_error().is_some_and(|code| USED_UP.contains(&code))
            }
            Self::BadPorts { .. } | Self::BadJitter { .. } | Self::CallExists(_) | Self::ShutDown(_) => false,
        }
    }
}
