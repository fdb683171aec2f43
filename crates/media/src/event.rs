//! Events and statistics of the media plane.

use crate::{MediaCallId, PlayId, RecordingId, RoomId};
use serde::Serialize;

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

/// The direction in which expected audio is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OneWay {
    /// Nothing arrives: no RTP for five seconds, and no announced pause (RFC 3389).
    NoneReceived,
    /// Nothing sent arrives, according to the other side's RTCP: for ten seconds, and in two reports.
    NoneDelivered,
}

/// Statistics of a call's media since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct CallStats {
    /// Codec of the stream, by its name in SDP; `None` without a stream.
    pub codec: Option<&'static str>,
    /// SRTP cipher, by its name in SDP; `None` if the stream is not protected.
    pub srtp: Option<&'static str>,
    /// Valid RTP packets received, including telephone events.
    pub packets_received: u64,
    /// Bytes of their payloads.
    pub bytes_received: u64,
    /// Packets expected by sequence number, minus those received (RFC 3550, A.3).
    pub packets_lost: u64,
    /// Received twice; with SRTP also those older than the replay window.
    pub packets_duplicate: u64,
    /// Received after their playout time.
    pub packets_late: u64,
    /// Dropped: not RTP version 2, truncated, or not what was negotiated.
    pub packets_malformed: u64,
    /// Dropped: the payload type was not negotiated.
    pub packets_unknown_payload: u64,
    /// Dropped: not from the source of the stream.
    pub packets_stranger: u64,
    /// Dropped: protected with another key, or modified in transit.
    pub packets_not_authentic: u64,
    /// Dropped: the call was on hold, or its stream not set yet.
    pub packets_unwanted: u64,
    /// Frames of 20 ms that were concealed because a packet was missing.
    pub frames_concealed: u64,
    /// Frames of 20 ms that were skipped to reduce the delay.
    pub frames_skipped: u64,
    /// Frames of 20 ms that were inserted to let the delay grow.
    pub frames_added: u64,
    /// Interarrival jitter (RFC 3550, A.8), in milliseconds.
    pub jitter_ms: f32,
    /// The highest of it at any report of ours, in milliseconds.
    pub jitter_ms_max: f32,
    /// Target of the jitter buffer, in milliseconds, including the frame being played.
    pub buffer_ms: f32,
    /// Present content of the jitter buffer, in milliseconds.
    pub held_ms: f32,
    /// Level of the participant's last speech, in dBov (-127 to 0); -127: nothing yet.
    pub level_dbov: f32,
    /// Noise floor of the line, in dBov (-90 to -30). Above -45 the line is noisy.
    pub noise_floor_dbov: f32,
    /// Likelihood that the received audio is the sent one, 0 to 1: above 0.5 the line has an echo.
    pub echo_suspicion: f32,
    /// Delay of the echo, in milliseconds; `None` without a clear echo.
    pub echo_delay_ms: Option<u32>,
    /// Attenuation of the echo, in dB.
    pub echo_loss_db: Option<f32>,
    /// Gain with which others hear the participant, in dB.
    pub gain_db: f32,
    /// Mean opinion score of the participant's audio, on the scale of its codec (see `plenary_rtp::quality`), by the
    /// share concealed in the last ten seconds and the delay; 0: nothing has arrived yet.
    pub mos: f32,
    /// The lowest of it at any report of ours; `None`: nothing has arrived yet.
    pub mos_min: Option<f32>,
    /// The same of the audio sent to the participant, by its last report; `None` before the first.
    pub remote_mos: Option<f32>,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// Bytes of their payloads.
    pub bytes_sent: u64,
    /// Packets that the system did not accept.
    pub send_errors: u64,
    /// Round-trip time by RTCP, in milliseconds; `None` before the first report.
    pub round_trip_ms: Option<f32>,
    /// Share of sent packets that the other side last reported as lost, 0 to 1; `None` before the first report.
    pub remote_loss: Option<f32>,
    /// Jitter in the other side's last report, in milliseconds.
    pub remote_jitter_ms: Option<f32>,
    /// Expected audio is missing in this direction; `None`: in neither.
    pub one_way: Option<OneWay>,
    /// How long audio has flowed one way, from when that was noticed, in milliseconds.
    pub one_way_ms: u64,
    /// The other side has sent RTCP BYE.
    pub remote_bye: bool,
    /// Keys pressed, each counted once however often it came.
    pub keys: u64,
}
