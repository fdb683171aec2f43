//! What the media plane reports.

use crate::{MediaCallId, PlayId, RoomId};
use serde::Serialize;

/// Something that happened in the media plane.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaEvent {
    /// A telephone key was pressed (RFC 4733); once for each press, when it begins.
    KeyPressed {
        /// Whose phone.
        call: MediaCallId,
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        key: char,
    },
    /// The party has begun to talk. Reported for those who may speak only.
    TalkStarted {
        /// Who.
        call: MediaCallId,
    },
    /// The party has stopped talking, or may no longer speak.
    TalkStopped {
        /// Who.
        call: MediaCallId,
    },
    /// ICE or the DTLS handshake did not end within the configured time though the call is not on hold, or no RTP came for five
    /// seconds after RTCP's goodbye. Sent once until RTP comes again or the stream is changed.
    RtpTimeout {
        /// Which call.
        call: MediaCallId,
    },
    /// The other side has closed its DTLS session (close_notify, RFC 8446, section 6.1), and it was authentic: it will not send
    /// or take anything more. Browsers do so when a page is closed or loaded again.
    PeerClosed {
        /// Which call.
        call: MediaCallId,
    },
    /// Nothing came for the configured time, and the call is on hold: it may be there or not. Sent again each
    /// time that as much has passed.
    HoldTimeout {
        /// Which call.
        call: MediaCallId,
    },
    /// No RTP came for the configured time, ten times as long where RTCP does, be it that it has ceased or never began, and the
    /// call is not on hold: the other side may be muted, or gone. Sent again each time that as much has passed.
    SilenceTimeout {
        /// Which call.
        call: MediaCallId,
    },
    /// Audio goes one way, or both again.
    OneWay {
        /// Which call.
        call: MediaCallId,
        /// Which way it does not go; `None`: it goes both ways again, or is not expected to.
        one_way: Option<OneWay>,
    },
    /// What was played is over. Once for each play, unless it was stopped or the call or room it was for
    /// went away.
    PlayFinished {
        /// Which.
        id: PlayId,
    },
    /// Something of a play list could not be played and is left out; the rest of the list goes on and
    /// [`MediaEvent::PlayFinished`] still follows. Also sent, and then nothing follows, when the call or
    /// room is not there.
    PlayFailed {
        /// Which.
        id: PlayId,
        /// What is wrong, for the operator.
        text: String,
    },
    /// The call's media is gone, its ports are free again. Once for every call that was open.
    Closed {
        /// Which call.
        call: MediaCallId,
        /// What it came to.
        stats: Box<CallStats>,
    },
    /// A room was given up because of an error of ours. Its calls are closed, each with its own
    /// [`MediaEvent::Closed`]; other rooms go on.
    RoomFailed {
        /// Which.
        room: RoomId,
        /// The calls that were in it.
        calls: Vec<MediaCallId>,
    },
}

/// Which way audio does not go that should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OneWay {
    /// Nothing of theirs comes: no RTP for five seconds, and no pause that was announced (RFC 3389).
    NoneReceived,
    /// Nothing of ours arrives, as they report it by RTCP: for ten seconds, and in two reports.
    NoneDelivered,
}

/// Counters and measures of one call's media, from its opening on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct CallStats {
    /// Codec of the stream, by its name in SDP; `None`: no stream was agreed on.
    pub codec: Option<&'static str>,
    /// Cipher of SRTP, by its name in SDP; `None`: the stream is not protected.
    pub srtp: Option<&'static str>,
    /// Valid RTP packets received, telephone events among them.
    pub packets_received: u64,
    /// Bytes of their payloads.
    pub bytes_received: u64,
    /// Packets expected by sequence number, less those received (RFC 3550, A.3).
    pub packets_lost: u64,
    /// Received twice; with SRTP also those of a number so old that nobody can tell.
    pub packets_duplicate: u64,
    /// Received after their time to be played had passed.
    pub packets_late: u64,
    /// Dropped: not RTP of version 2, cut short, or not what was agreed on.
    pub packets_malformed: u64,
    /// Dropped: of a payload type that was not agreed on.
    pub packets_unknown_payload: u64,
    /// Dropped: from somebody else than the one the stream comes from.
    pub packets_stranger: u64,
    /// Dropped: protected by another key than the agreed ones, or changed on the way.
    pub packets_not_authentic: u64,
    /// Dropped: the call was on hold, or its stream not set yet.
    pub packets_unwanted: u64,
    /// Frames of 20 ms that were made up because a packet was missing.
    pub frames_concealed: u64,
    /// Frames of 20 ms left out to bring the delay down again.
    pub frames_skipped: u64,
    /// Frames of 20 ms added so that the delay could grow: they stretch what was said.
    pub frames_added: u64,
    /// Interarrival jitter (RFC 3550, A.8), in milliseconds.
    pub jitter_ms: f32,
    /// What the jitter buffer aims to hold, in milliseconds, the frame being played among it.
    pub buffer_ms: f32,
    /// What the jitter buffer holds now, in milliseconds.
    pub held_ms: f32,
    /// Level of what the party last said, in dBov (-127 to 0); -127: nothing yet.
    pub level_dbov: f32,
    /// Level of the line while nobody speaks, in dBov (-90 to -30). Above -45 the line is noisy.
    pub noise_floor_dbov: f32,
    /// How much what the party says is like what it was sent, 0 to 1: above 0.5 the line has an echo.
    pub echo_suspicion: f32,
    /// After how long the echo comes back, in milliseconds; `None`: there is none to speak of.
    pub echo_delay_ms: Option<u32>,
    /// How much weaker the echo is than what was sent, in dB.
    pub echo_loss_db: Option<f32>,
    /// Gain that others hear the party with, in dB.
    pub gain_db: f32,
    /// Mean opinion score of what the party says, 1 to 4.41 (E-model), by what had to be made up in the last ten
    /// seconds and the delay; 0: nothing was heard yet.
    pub mos: f32,
    /// The same of what the party is told, by what it last reported; `None` until it reported.
    pub remote_mos: Option<f32>,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// Bytes of their payloads.
    pub bytes_sent: u64,
    /// Packets the system would not take.
    pub send_errors: u64,
    /// Round trip by RTCP, in milliseconds; `None` until a report came back.
    pub round_trip_ms: Option<f32>,
    /// Part of our packets that the other side last reported as lost, 0 to 1; `None` until it reported.
    pub remote_loss: Option<f32>,
    /// Jitter that the other side last reported, in milliseconds.
    pub remote_jitter_ms: Option<f32>,
    /// Audio that should go both ways goes one way; `None`: it does not.
    pub one_way: Option<OneWay>,
    /// The other side has said goodbye by RTCP.
    pub remote_bye: bool,
    /// Keys pressed: telephone events, and those that [`MediaHandle::count_key`](crate::MediaHandle::count_key) was told of.
    pub keys: u64,
}
