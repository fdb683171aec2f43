//! What a worker is told, by the control side and by the thread of DTLS handshakes.

use crate::{
    CallStats, MasterKey, MediaCallId, PlayId, RoomId, Sound, StreamParams,
    ports::{Channel, PortPair},
    room::Playback,
};
use tokio::sync::oneshot;

/// What a worker is told to do. The queue has no bound: a command follows an event or a request, a few for each call, and a
/// worker takes all of them at each tick.
#[derive(Debug)]
pub(crate) enum Command {
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
    SetSound {
        call: MediaCallId,
        sound: Sound,
    },
    Play {
        to: Target,
        playback: Box<Playback>,
    },
    StopPlay {
        id: PlayId,
    },
    /// A key came by another way than RTP.
    CountKey {
        call: MediaCallId,
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
    /// The keys that came out of it: of what we send, of what we receive.
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

/// To whom something is played.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    Call(MediaCallId),
    Room { room: RoomId, except: Option<MediaCallId> },
}
