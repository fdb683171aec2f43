//! Commands to a media worker, from the control side and from the thread of DTLS handshakes.

use crate::{
    AudioProcessing, CallStats, MasterKey, MediaCallId, PlayId, RoomId, StreamParams,
    ports::{Channel, PortPair},
    room::Playback,
};
use tokio::sync::oneshot;

/// A command to a worker. The queue has no bound: a command follows an event or a request, so there are a few for each
/// call, and a worker takes all of them at each tick.
#[derive(Debug)]
pub(crate) enum WorkerCommand {
    Open {
        call: MediaCallId,
        room: RoomId,
        pair: PortPair,
        seed: u64,
    },
    SetStream {
        call: MediaCallId,
        params: Box<StreamParams>,
    },
    SetVoice {
        call: MediaCallId,
        speaks: bool,
        listens: bool,
    },
    SetProcessing {
        call: MediaCallId,
        processing: AudioProcessing,
    },
    Play {
        to: PlayTarget,
        playback: Box<Playback>,
    },
    StopPlay {
        id: PlayId,
    },
    /// A telephone key arrived by signalling.
    PressKey {
        call: MediaCallId,
        key: char,
    },
    Close {
        call: MediaCallId,
    },
    Stats {
        call: MediaCallId,
        answer: oneshot::Sender<CallStats>,
    },
    /// The connection of its signalling is closed.
    CutOff {
        call: MediaCallId,
    },
    /// The other side has closed its DTLS session.
    DtlsClosed {
        call: MediaCallId,
    },
    /// A datagram of the handshake of a call.
    SendDtls {
        call: MediaCallId,
        channel: Channel,
        bytes: Vec<u8>,
    },
    /// The keys of a completed handshake: for sending, for receiving.
    SetKeys {
        call: MediaCallId,
        channel: Channel,
        keys: Box<(MasterKey, MasterKey)>,
    },
    Shutdown,
    #[cfg(test)]
    Fail {
        room: RoomId,
    },
}

/// Why a playback fails if its call or room does not exist.
pub(crate) const NO_LISTENER: &str = "the call or room to play it to does not exist";

/// The listeners of a playback.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PlayTarget {
    Call(MediaCallId),
    Room { room: RoomId, except: Option<MediaCallId> },
}
