//! What is measured of a call's audio.

use serde::Serialize;
use utoipa::ToSchema;

/// The direction in which expected audio is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OneWay {
    /// Nothing arrives: no RTP for five seconds, and no announced pause (RFC 3389).
    NoneReceived,
    /// Nothing sent arrives, according to the other side's RTCP: for ten seconds, and in two reports.
    NoneDelivered,
}

/// Statistics of a call's media since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
pub struct CallStats {
    /// Codec of the stream, by its name in SDP; null without a stream.
    pub codec: Option<&'static str>,
    /// SRTP cipher, by its name in SDP; null if the stream is not protected.
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
    /// Dropped: not RTP version 2, truncated, not what was negotiated, or with a number far off those before it.
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
    /// Delay of the echo, in milliseconds; null without a clear echo.
    pub echo_delay_ms: Option<u32>,
    /// Attenuation of the echo, in dB.
    pub echo_loss_db: Option<f32>,
    /// Gain with which others hear the participant, in dB.
    pub gain_db: f32,
    /// Mean opinion score of the participant's audio, on the scale of its codec, by the
    /// share concealed in the last ten seconds and the delay; 0: nothing has arrived yet.
    pub mos: f32,
    /// The lowest of it at any report of ours; null: nothing has arrived yet.
    pub mos_min: Option<f32>,
    /// The same of the audio sent to the participant, by its last report; null before the first.
    pub remote_mos: Option<f32>,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// Bytes of their payloads.
    pub bytes_sent: u64,
    /// Packets that the system did not accept.
    pub send_errors: u64,
    /// Round-trip time by RTCP, in milliseconds; null before the first report.
    pub round_trip_ms: Option<f32>,
    /// Share of sent packets that the other side last reported as lost, 0 to 1; null before the first report.
    pub remote_loss: Option<f32>,
    /// Jitter in the other side's last report, in milliseconds.
    pub remote_jitter_ms: Option<f32>,
    /// Expected audio is missing in this direction; null: in neither.
    pub one_way: Option<OneWay>,
    /// How long audio has flowed one way, from when that was noticed, in milliseconds.
    pub one_way_ms: u64,
    /// The other side has sent RTCP BYE.
    pub remote_bye: bool,
    /// Keys pressed, each counted once however often it came.
    pub keys: u64,
}
