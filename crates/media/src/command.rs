//! Commands to a media worker, from the control side and from the thread of DTLS handshakes.

use crate::{
    AudioProcessing, CallStats, FeedId, InbandDtmf, MasterKey, MediaCallId, MediaEvent, OnMove, PlayId,
    RoomId, StreamParams, Volume,
    ports::{Channel, PortPair},
    room::{Coaching, MovingMember, NameRecorder, Playback, RecordingTap},
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
    /// Where keys are looked for as tones on its line; `None`: as configured.
    SetInbandDtmf {
        call: MediaCallId,
        inband: Option<InbandDtmf>,
    },
    Play {
        to: PlayTarget,
        playback: Box<Playback>,
    },
    SetVolume {
        call: MediaCallId,
        volume: Volume,
    },
    /// Holds the participant, with music; `None`: no longer.
    Hold {
        call: MediaCallId,
        music: Option<Box<Playback>>,
    },
    /// Only some hear the participant; `None`: all do.
    HeardBy {
        call: MediaCallId,
        coaching: Option<Box<Coaching>>,
    },
    /// Records what the participant says.
    Record {
        call: MediaCallId,
        recorder: Box<NameRecorder>,
    },
    /// Ends its recording.
    EndRecording {
        call: MediaCallId,
    },
    /// Records a room.
    RecordRoom {
        room: RoomId,
        tap: Box<RecordingTap>,
    },
    /// Pauses the recording of a room, or has it go on.
    PauseRoomRecording {
        room: RoomId,
        id: FeedId,
        is_paused: bool,
    },
    /// Ends the recording of a room.
    EndRoomRecording {
        room: RoomId,
        id: FeedId,
    },
    /// Something of a call that another thread found out.
    Report {
        call: MediaCallId,
        event: MediaEvent,
    },
    StopPlay {
        id: PlayId,
    },
    /// A telephone key arrived by signalling.
    PressKey {
        call: MediaCallId,
        key: char,
    },
    /// Moves a call to another room after the next tick of its own; with a worker: to that one, which expects it.
    Move {
        call: MediaCallId,
        room: RoomId,
        worker: Option<usize>,
        playing: OnMove,
    },
    /// A call is about to arrive from another worker. Until it does, commands to it wait.
    Expect {
        call: MediaCallId,
    },
    /// An expected call arrives in a room; `None`: it has ended instead.
    Arrive {
        call: MediaCallId,
        room: RoomId,
        arrival: Option<Box<Arrival>>,
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

/// A call on its way from one worker to another.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) member: MovingMember,
    pub(crate) pair: PortPair,
}

impl WorkerCommand {
    /// The call that the command is for, and for which it waits while that call is expected.
    pub(crate) fn call(&self) -> Option<MediaCallId> {
        match self {
            Self::Open { .. }
            | Self::Arrive { .. }
            | Self::StopPlay { .. }
            | Self::RecordRoom { .. }
            | Self::PauseRoomRecording { .. }
            | Self::EndRoomRecording { .. }
            | Self::Shutdown => None,
            Self::SetStream { call, .. }
            | Self::SetVoice { call, .. }
            | Self::SetProcessing { call, .. }
            | Self::SetInbandDtmf { call, .. }
            | Self::SetVolume { call, .. }
            | Self::Hold { call, .. }
            | Self::HeardBy { call, .. }
            | Self::Record { call, .. }
            | Self::EndRecording { call }
            | Self::Report { call, .. }
            | Self::PressKey { call, .. }
            | Self::Move { call, .. }
            | Self::Expect { call }
            | Self::Close { call }
            | Self::Stats { call, .. }
            | Self::CutOff { call }
            | Self::DtlsClosed { call }
            | Self::SendDtls { call, .. }
            | Self::SetKeys { call, .. } => Some(*call),
            Self::Play { to: PlayTarget::Call(call), .. } => Some(*call),
            Self::Play { to: PlayTarget::Room { except, .. }, .. } => *except,
            #[cfg(test)]
            Self::Fail { .. } => None,
        }
    }
}

/// The listeners of a playback.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PlayTarget {
    Call(MediaCallId),
    Room { room: RoomId, except: Option<MediaCallId> },
}
