//! What can go wrong where the control side must know.

use crate::{MediaCallId, RoomId};
use std::{io, net::IpAddr};

/// Why the media plane, or the media of a call, could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// Every pair of ports of the range is taken.
    #[error(
        "no free pair of ports on {bind} from {first} to {last}: widen the range of RTP ports or end calls first"
    )]
    NoPorts {
        /// Where it was looked for.
        bind: IpAddr,
        /// The first port of the range.
        first: u16,
        /// The last port of the range.
        last: u16,
    },
    /// The range holds no even port that is followed by another port of the range.
    #[error("the RTP ports {first} to {last} hold no even port with another port after it")]
    BadPorts {
        /// The first port of the range.
        first: u16,
        /// The last port of the range.
        last: u16,
    },
    /// The jitter buffer's limits are not in order.
    #[error(
        "the jitter buffer's limits are {min} to {max} ms: 20 to 1000 ms are allowed, the lower one first"
    )]
    BadJitter {
        /// The lower limit, in milliseconds.
        min: u32,
        /// The upper limit, in milliseconds.
        max: u32,
    },
    /// A socket could not be made or bound for a reason other than its port being taken.
    #[error("a socket on {bind} could not be opened")]
    Socket {
        /// The local address.
        bind: IpAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A call of this number is open already.
    #[error("the call {0} has media already")]
    CallExists(MediaCallId),
    /// A thread could not be started.
    #[error("a media thread could not be started")]
    Thread(#[source] io::Error),
    /// The media plane was shut down, or the worker that owns the room is gone.
    #[error("the media plane is shut down: the room {0} has nobody to own it")]
    ShutDown(RoomId),
}

impl MediaError {
    /// Whether the same may succeed when calls have ended: it is something that runs out.
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
