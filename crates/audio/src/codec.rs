//! The codecs of a call behind one interface: RTP payloads on one side, samples on the other.

pub use crate::rate::Rate;

use crate::{
    g711::{self, Law},
    g722, opus,
};

/// A codec that can be negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus, mono.
    Opus,
}

impl Codec {
    /// Every codec.
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// Index for tables: 0 to 3.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 1,
            Self::G722 => 2,
            Self::Opus => 3,
        }
    }

    /// Samples per second.
    #[must_use]
    pub const fn rate(self) -> Rate {
        match self {
            Self::Pcmu | Self::Pcma => Rate::Narrow,
            Self::G722 => Rate::Wide,
            Self::Opus => Rate::Full,
        }
    }

    /// RTP clock rate in Hz. That of G.722 is 8000 by a historical error (RFC 3551, 4.5.2).
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8000,
            Self::Opus => opus::SAMPLE_RATE,
        }
    }

    /// Duration of a payload in RTP clock units; `None` if it is not a payload of this codec.
    #[must_use]
    pub fn payload_units(self, payload: &[u8]) -> Option<u32> {
        match self {
            // One octet is one clock unit, also for G.722, which codes two samples in it.
            Self::Pcmu | Self::Pcma | Self::G722 => {
                u32::try_from(payload.len()).ok().filter(|units| *units > 0)
            }
            Self::Opus => opus::packet_samples(payload),
        }
    }

    /// The law, for G.711.
    #[must_use]
    pub const fn law(self) -> Option<Law> {
        match self {
            Self::Pcmu => Some(Law::Mu),
            Self::Pcma => Some(Law::A),
            Self::G722 | Self::Opus => None,
        }
    }

    /// Encoder and decoder carry state from frame to frame.
    #[must_use]
    pub const fn has_memory(self) -> bool {
        self.law().is_none()
    }
}

/// Encodes one stream.
#[derive(Debug, Clone)]
pub enum Encoder {
    /// G.711.
    G711(Law),
    /// G.722.
    G722(Box<g722::Encoder>),
    /// Opus.
    Opus(opus::Encoder),
}

impl Encoder {
    /// Before the first frame.
    #[must_use]
    pub fn new(codec: Codec, opus: &opus::Settings) -> Self {
        match codec {
            Codec::Pcmu => Self::G711(Law::Mu),
            Codec::Pcma => Self::G711(Law::A),
            Codec::G722 => Self::G722(Box::default()),
            Codec::Opus => Self::Opus(opus::Encoder::new(opus)),
        }
    }

    /// Encodes a frame at the codec's rate. Returns the octets written.
    pub fn encode(&mut self, frame: &[i16], payload: &mut [u8]) -> usize {
        match self {
            Self::G711(law) => {
                g711::encode(*law, frame, payload);
                frame.len().min(payload.len())
            }
            Self::G722(encoder) => encoder.encode(frame, payload),
            Self::Opus(encoder) => encoder.encode(frame, payload),
        }
    }

    /// Continues in the state of another encoder of the same codec, so that a decoder of its stream can decode this
    /// one.
    pub fn copy_from(&mut self, other: &Self) {
        match (self, other) {
            (Self::G722(ours), Self::G722(theirs)) => ours.clone_from(theirs),
            (Self::Opus(ours), Self::Opus(theirs)) => ours.copy_from(theirs),
            // G.711 has no state, and different codecs have none to share.
            (Self::G711(_) | Self::G722(_) | Self::Opus(_), _) => {}
        }
    }

    /// Changes the settings of Opus.
    pub fn configure(&mut self, opus: &opus::Settings) {
        if let Self::Opus(encoder) = self {
            encoder.configure(opus);
        }
    }

    /// Whether the following frames are coded without reference to earlier ones, as far as the codec supports that.
    pub fn set_independent(&mut self, independent: bool) {
        if let Self::Opus(encoder) = self {
            encoder.set_independent(independent);
        }
    }
}

/// Decodes one stream.
#[derive(Debug, Clone)]
pub enum Decoder {
    /// G.711.
    G711(Law),
    /// G.722.
    G722(Box<g722::Decoder>),
    /// Opus.
    Opus(opus::Decoder),
}

impl Decoder {
    /// Before the first packet.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu => Self::G711(Law::Mu),
            Codec::Pcma => Self::G711(Law::A),
            Codec::G722 => Self::G722(Box::default()),
            Codec::Opus => Self::Opus(opus::Decoder::new()),
        }
    }

    /// Decodes a payload, as much as `out` holds (Opus: a whole packet or nothing). Returns the samples written.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        match self {
            Self::G711(law) => {
                g711::decode(*law, payload, out);
                payload.len().min(out.len())
            }
            Self::G722(decoder) => decoder.decode(payload, out),
            Self::Opus(decoder) => decoder.decode(payload, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_each_codec_is_20_ms_of_its_clock() {
        for codec in Codec::ALL {
            let frame = vec![100; codec.rate().frame()];
            let mut payload = [0; 1500];
            let length = Encoder::new(codec, &opus::Settings::default()).encode(&frame, &mut payload);
            let units = codec.payload_units(&payload[..length]);
            assert_eq!(units, Some(codec.clock_rate() / 50), "{codec:?}");
            assert_eq!(Codec::ALL[codec.index()], codec);
        }
    }
}
