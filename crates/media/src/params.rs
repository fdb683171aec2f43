//! The vocabulary of the media plane's door.

use plenary_audio::codec::Codec;
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
    /// One call's media. The number is chosen by whoever opens it and is not used again.
    MediaCallId
);
number_id!(
    /// Those who can hear each other. A room exists while a call is in it.
    RoomId
);
number_id!(
    /// Something that is being played. The number is chosen by whoever starts it and is not used again.
    PlayId
);

/// What was agreed on for a call's audio; the outcome of offer and answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamParams {
    /// Where the other side says that it receives RTP. Packets go where RTP comes from once it comes.
    pub remote_rtp: SocketAddr,
    /// Where the other side receives RTCP; `None`: the port after RTP's, or RTP's own with `rtcp_mux`.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTCP shares RTP's ports (RFC 5761).
    pub rtcp_mux: bool,
    /// The codec, in both directions.
    pub codec: Codec,
    /// The most bits per second of Opus that the other side wants; `None`: it did not say.
    pub opus_bitrate_max: Option<u32>,
    /// Payload type of the audio we send, 0 to 127.
    pub send_payload_type: u8,
    /// Payload type of the audio that we receive, 0 to 127.
    pub receive_payload_type: u8,
    /// Payload type of the telephone events that we receive (RFC 4733); `None`: none were agreed on.
    pub dtmf_payload_type: Option<u8>,
    /// The number of the element in which each packet that we receive bears its level (RFC 6464), 1 to 255; `None`: none
    /// was agreed on.
    pub level_id: Option<u8>,
    /// Audio in each packet we send: 10, 20, 30, 40 or 60 ms; anything else is taken as 20.
    pub ptime_ms: u32,
    /// The other side wants to hear us. False: it holds us, and nothing is sent.
    pub send: bool,
    /// The other side may send. False: what comes is dropped.
    pub receive: bool,
    /// How the stream is protected.
    pub protection: Protection,
    /// Our names in ICE, where it was agreed on.
    pub ice: Option<Ice>,
}

/// How a stream is protected from being read and forged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Protection {
    /// Not at all.
    #[default]
    None,
    /// By SRTP with these keys.
    Srtp {
        /// Of what we send.
        send: MasterKey,
        /// Of what we receive: any of these.
        receive: Vec<MasterKey>,
    },
    /// By SRTP with the keys of a DTLS handshake (RFC 5764).
    Dtls {
        /// We begin the handshake.
        active: bool,
        /// SHA-256 of the certificate that the other side must have.
        fingerprint: [u8; 32],
    },
}

/// The certificate of our side in DTLS handshakes: ECDSA on P-256 or P-384.
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

/// Our names, under which the connectivity checks of a stream are known (RFC 8445, 5.3).
#[derive(Clone, PartialEq, Eq)]
pub struct Ice {
    /// Ours.
    pub local_ufrag: String,
    /// With it we tell their checks from forged ones.
    pub local_pwd: String,
}

impl fmt::Debug for Ice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ice").field("local_ufrag", &self.local_ufrag).finish_non_exhaustive()
    }
}

/// Who hears what is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlayTo {
    /// One call.
    Call(MediaCallId),
    /// All calls of a room, also those that enter while it is going on.
    Room(RoomId),
    /// All calls of a room but one.
    RoomBut(RoomId, MediaCallId),
}

/// One thing of a play list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayItem {
    /// A WAV file, by its name inside the media folder. Any usual sample rate and width; channels are
    /// averaged.
    File(String),
    /// A sine.
    Tone {
        /// Frequency, 1 to 3999 Hz.
        hz: u32,
        /// Length, in milliseconds.
        ms: u32,
    },
    /// Nothing.
    Silence {
        /// Length, in milliseconds.
        ms: u32,
    },
    /// The short beep that marks an entry.
    Beep,
}

/// What is done to what a party says before others hear it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sound {
    /// Its level is brought to the common one, slowly, while it speaks.
    pub automatic_gain: bool,
    /// Steady noise is taken out. Adds 10 to 14 ms of delay to this voice.
    pub noise_suppression: bool,
    /// Gain beside the automatic one, in dB: -40 to 20; anything else is taken as the nearest of these.
    pub gain_db: f32,
}
