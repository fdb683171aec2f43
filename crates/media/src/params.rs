//! The vocabulary of [`MediaHandle`](crate::MediaHandle).

use plenary_audio::codec::Codec;
pub use plenary_model::{AudioProcessing, Clip, RecordingId};
pub use plenary_rtp::srtp::{MasterKey, Suite};
use std::{fmt, net::SocketAddr};

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// The media of one call. The number is chosen by the control side and not reused.
    MediaCallId
);
number_id!(
    /// A recording of a room. The number is chosen by the control side and not reused.
    FeedId
);
number_id!(
    /// The calls that can hear each other. A room exists while a call is in it.
    RoomId
);
number_id!(
    /// A playback. The number is chosen by the control side and not reused.
    PlayId
);

/// The negotiated audio of a call: the outcome of offer and answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamParams {
    /// The other side's announced RTP address. Once RTP arrives, packets go to where it comes from.
    pub remote_rtp: SocketAddr,
    /// The other side's RTCP address; `None`: the port after that of RTP, or RTP's own with `rtcp_mux`.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTCP shares RTP's ports (RFC 5761).
    pub rtcp_mux: bool,
    /// The codec, in both directions.
    pub codec: Codec,
    /// The upper bound of Opus in bits per second that the other side wants; `None` if it did not say.
    pub opus_bitrate_max: Option<u32>,
    /// Payload type of sent audio, 0 to 127.
    pub send_payload_type: u8,
    /// Payload type of received audio, 0 to 127.
    pub receive_payload_type: u8,
    /// Payload type of received telephone events (RFC 4733); `None` if none were negotiated.
    pub dtmf_payload_type: Option<u8>,
    /// The id of the audio level in received packets (RFC 6464), 1 to 255; `None` if none was negotiated.
    pub level_id: Option<u8>,
    /// Audio in each sent packet: 10, 20, 30, 40 or 60 ms; anything else counts as 20.
    pub ptime_ms: u32,
    /// The other side receives. False: it holds the call, and nothing is sent.
    pub send: bool,
    /// The other side may send. False: received packets are dropped.
    pub receive: bool,
    /// Protection of the stream.
    pub protection: Protection,
    /// ICE credentials, if ICE was negotiated.
    pub ice: Option<Ice>,
}

impl StreamParams {
    /// An unprotected stream in both directions, in packets of 20 ms under one payload type; nothing beyond that was
    /// negotiated.
    #[must_use]
    pub fn new(remote_rtp: SocketAddr, codec: Codec, payload_type: u8) -> Self {
        Self {
            remote_rtp,
            remote_rtcp: None,
            rtcp_mux: false,
            codec,
            opus_bitrate_max: None,
            send_payload_type: payload_type,
            receive_payload_type: payload_type,
            dtmf_payload_type: None,
            level_id: None,
            ptime_ms: 20,
            send: true,
            receive: true,
            protection: Protection::None,
            ice: None,
        }
    }
}

/// Protection of a stream against eavesdropping and forgery.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Protection {
    /// None.
    #[default]
    None,
    /// SRTP with these keys.
    Srtp {
        /// Of sent packets.
        send: MasterKey,
        /// Of received packets: any of these.
        receive: Vec<MasterKey>,
    },
    /// SRTP with the keys of a DTLS handshake (RFC 5764).
    Dtls {
        /// This side begins the handshake.
        active: bool,
        /// SHA-256 of the other side's certificate.
        fingerprint: [u8; 32],
    },
}

/// The local certificate for DTLS handshakes: ECDSA on P-256 or P-384.
#[derive(Clone, PartialEq, Eq)]
pub struct DtlsIdentity {
    /// The certificate in DER.
    pub certificate: Vec<u8>,
    /// Its private key in DER (PKCS #8).
    pub key: Vec<u8>,
}

impl fmt::Debug for DtlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtlsIdentity").finish_non_exhaustive()
    }
}

/// Local ICE credentials of a stream's connectivity checks (RFC 8445, 5.3).
#[derive(Clone, PartialEq, Eq)]
pub struct Ice {
    /// The user name fragment.
    pub local_ufrag: String,
    /// The password that authenticates the other side's checks.
    pub local_pwd: String,
}

impl fmt::Debug for Ice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ice").field("local_ufrag", &self.local_ufrag).finish_non_exhaustive()
    }
}

/// Who hears a playback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayTo {
    /// One call.
    Call(MediaCallId),
    /// All calls of a room, including those that join during it.
    Room(RoomId),
    /// All calls of a room but one.
    RoomBut(RoomId, MediaCallId),
}

/// How a list is played.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PlayOptions {
    /// The list starts over until it is stopped.
    pub repeat: bool,
    /// Gain, -40 to 20 dB.
    pub gain_db: f32,
    /// Speech to one call alone that does not wait: what the call hears of other speech, to it or to all, fades out and is heard
    /// again after it. Of several the last comes first.
    pub urgent: bool,
    /// What is lowered while a participant talks; `None`: a playback to one lowers the others for its listener, and one to all is
    /// itself lowered.
    pub ducking: Option<Ducking>,
}

/// What is lowered, by 12 dB, while a playback of speech and talkers coincide. Tones and beeps are never lowered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ducking {
    /// The playback, while a participant talks.
    Playback,
    /// The talkers, during the playback.
    Talkers,
    /// Neither.
    Off,
}

/// How loud a participant is and hears.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Volume {
    /// Gain of what they say, after all other processing, -20 to 20 dB.
    pub talk_db: f32,
    /// Gain of all they hear, -20 to 20 dB.
    pub hear_db: f32,
}

/// What becomes of the playbacks for a call alone when it moves to another room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMove {
    /// They continue.
    KeepPlaying,
    /// They are stopped.
    StopPlaying,
}
