//! Events and statistics of the media plane.

use crate::{MediaCallId, PlayId, RecordingId, RoomId};
use plenary_model::{CallStats, OneWay};

/// An event of the media plane.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaEvent {
    /// A telephone key was pressed; once per press, when it begins, whether it came as an event (RFC 4733), as a tone, by
    /// [`MediaHandle::press_key`](crate::MediaHandle::press_key), or by several of these within 150 ms.
    KeyPressed {
        /// The call.
        call: MediaCallId,
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        key: char,
    },
    /// The participant has begun to talk. Reported for participants who may speak only.
    TalkStarted {
        /// The call.
        call: MediaCallId,
    },
    /// The participant has stopped talking, or may no longer speak.
    TalkStopped {
        /// The call.
        call: MediaCallId,
    },
    /// ICE or the DTLS handshake did not complete within the configured time although the call is not on hold, or no
    /// RTP arrived for five seconds after RTCP BYE. Sent once until RTP arrives again or the stream is changed.
    RtpTimeout {
        /// The call.
        call: MediaCallId,
    },
    /// Audio is expected, and nothing has ever arrived for the configured time: neither RTP nor RTCP nor an ICE check.
    /// Sent once until the stream is changed.
    NeverHeard {
        /// The call.
        call: MediaCallId,
    },
    /// The other side has closed its DTLS session (close_notify, RFC 8446, section 6.1), authentically: it will
    /// neither send nor receive anything more. Browsers do so when a page is closed or reloaded.
    PeerClosed {
        /// The call.
        call: MediaCallId,
    },
    /// Nothing arrived for the configured time, and the call is on hold: the other side may be there or not. Sent
    /// again each time that period passes.
    HoldTimeout {
        /// The call.
        call: MediaCallId,
    },
    /// No RTP arrived for the configured time, ten times as long if RTCP does, whether it has ceased or never began,
    /// and the call is not on hold: the other side may be muted, or gone. Sent again each time that period passes.
    SilenceTimeout {
        /// The call.
        call: MediaCallId,
    },
    /// Audio flows one way, or both ways again.
    OneWay {
        /// The call.
        call: MediaCallId,
        /// The direction without audio; `None`: it flows both ways again, or is not expected to.
        one_way: Option<OneWay>,
    },
    /// A playback has ended. Once per playback, unless it was stopped or its call or room ended, or was not there any more.
    PlayFinished {
        /// The playback.
        id: PlayId,
    },
    /// An item of a play list could not be played and is skipped; the rest continues and [`MediaEvent::PlayFinished`]
    /// still follows.
    PlayFailed {
        /// The playback.
        id: PlayId,
        /// What is wrong, for the operator.
        text: String,
    },
    /// A recording of [`MediaHandle::record`](crate::MediaHandle::record) has ended, and can be played unless nothing was
    /// said. Once for each, unless its call ended.
    Recorded {
        /// The call.
        call: MediaCallId,
        /// The recording.
        id: RecordingId,
        /// Length of what was said, trimmed, in milliseconds; `None`: nothing was said.
        length_ms: Option<u32>,
    },
    /// The media of a call are closed, and its ports are free again. Once for every call that was open.
    Closed {
        /// The call.
        call: MediaCallId,
        /// Its final statistics.
        stats: Box<CallStats>,
    },
    /// A room failed because of a bug. Its calls are closed, each with its own [`MediaEvent::Closed`]; other rooms
    /// continue.
    RoomFailed {
        /// The room.
        room: RoomId,
        /// Its calls.
        calls: Vec<MediaCallId>,
    },
}
