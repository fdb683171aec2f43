//! G.711 µ-law and A-law (ITU-T G.711), by table.

/// Which of the two laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Law {
    /// µ-law: North America, Japan. RTP payload type 0, PCMU.
    Mu,
    /// A-law: elsewhere. RTP payload type 8, PCMA.
    A,
}

impl Law {
    /// Whether these octets are digital silence as muted telephones send it: the smallest value, of either sign.
    #[must_use]
    pub fn is_silence(self, payload: &[u8]) -> bool {
        let silence = self.silence() & 0x7f;
        let (chunks, rest) = payload.as_chunks::<16>();
        let differs = |octets: &[u8]| octets.iter().fold(0, |all, octet| all | (octet & 0x7f ^ silence)) != 0;
        !chunks.iter().any(|chunk| differs(chunk)) && !differs(rest)
    }

    /// The octet of silence.
    #[must_use]
    pub const fn silence(self) -> u8 {
        match self {
            Self::Mu => 0xff,
            Self::A => 0xd5,
        }
    }
}

static MU_TO_LINEAR: [i16; 256] = decode_table(Law::Mu);
static A_TO_LINEAR: [i16; 256] = decode_table(Law::A);
// Indexed by the upper bits of the sample: 14 of them for µ-law, 13 for A-law, which is all the laws look at.
static LINEAR_TO_MU: [u8; 1 << 14] = encode_table_mu();
static LINEAR_TO_A: [u8; 1 << 13] = encode_table_a();

/// Decodes as many octets as both slices hold.
pub fn decode(law: Law, payload: &[u8], samples: &mut [i16]) {
    let table = match law {
        Law::Mu => &MU_TO_LINEAR,
        Law::A => &A_TO_LINEAR,
    };
    for (sample, octet) in samples.iter_mut().zip(payload) {
        *sample = table[usize::from(*octet)];
    }
}

/// Encodes as many samples as both slices hold.
pub fn encode(law: Law, samples: &[i16], payload: &mut [u8]) {
    match law {
        Law::Mu => {
            for (octet, sample) in payload.iter_mut().zip(samples) {
                *octet = LINEAR_TO_MU[usize::from(*sample as u16 >> 2)];
            }
        }
        Law::A => {
            for (octet, sample) in payload.iter_mut().zip(samples) {
                *octet = LINEAR_TO_A[usize::from(*sample as u16 >> 3)];
            }
        }
    }
}

const fn decode_table(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = match law {
            Law::Mu => mu_to_linear(octet as u8),
            Law::A => a_to_linear(octet as u8),
        };
        octet += 1;
    }
    table
}

/// G.711 table 2: eight segments of sixteen steps, biased by 33 in the law's own 14 bits.
const fn mu_to_linear(octet: u8) -> i16 {
    let code = !octet;
    let segment = (code >> 4) & 7;
    let step = (code & 15) as i16;
    let magnitude = (((step << 1) + 33) << segment) - 33;
    // The law is defined on 14 bits; samples have 16.
    (if code & 0x80 == 0 { magnitude } else { -magnitude }) << 2
}

/// G.711 table 1: even bits are inverted on the line, segments double from the second on.
const fn a_to_linear(octet: u8) -> i16 {
    let code = octet ^ 0x55;
    let segment = (code >> 4) & 7;
    let step = (code & 15) as i16;
    let magnitude = match segment {
        0 => (step << 1) + 1,
        _ => ((step << 1) + 33) << (segment - 1),
    };
    // The law is defined on 13 bits. A set sign bit means positive here.
    (if code & 0x80 == 0 { -magnitude } else { magnitude }) << 3
}

const fn encode_table_mu() -> [u8; 1 << 14] {
    let mut table = [0; 1 << 14];
    let mut index = 0_usize;
    while index < 1 << 14 {
        // The fourteen bits as a signed number.
        let sample = ((index as u16) << 2) as i16 >> 2;
        let (sign, magnitude) = if sample < 0 { (0x80, -sample) } else { (0, sample) };
        let biased = if magnitude > 8158 { 8191 } else { magnitude + 33 };
        let segment = 10 - (biased as u16).leading_zeros() as i16;
        let step = (biased >> (segment + 1)) & 15;
        table[index] = !(sign | (segment << 4) as u8 | step as u8);
        index += 1;
    }
    table
}

const fn encode_table_a() -> [u8; 1 << 13] {
    let mut table = [0; 1 << 13];
    let mut index = 0_usize;
    while index < 1 << 13 {
        let sample = ((index as u16) << 3) as i16 >> 3;
        // The decision values of the negative half mirror those of the positive: -1 codes like 0.
        let (sign, magnitude) = if sample < 0 { (0, -sample - 1) } else { (0x80, sample) };
        let (segment, step) = if magnitude < 32 {
            (0, magnitude >> 1)
        } else {
            let segment = 11 - (magnitude as u16).leading_zeros() as i16;
            (segment, (magnitude >> segment) & 15)
        };
        table[index] = (sign | (segment << 4) as u8 | step as u8) ^ 0x55;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(law: Law, octet: u8) -> i16 {
        let mut sample = [0];
        decode(law, &[octet], &mut sample);
        sample[0]
    }

    fn code(law: Law, sample: i16) -> u8 {
        let mut octet = [0];
        encode(law, &[sample], &mut octet);
        octet[0]
    }

    #[test]
    fn the_ends_and_the_middle_are_those_of_the_recommendation() {
        // Decoder output values of G.711 tables 2a and 1a (±8031 of 14 bits, ±4032 of 13), scaled to 16 bits.
        assert_eq!((one(Law::Mu, 0x80), one(Law::Mu, 0x00)), (8031 << 2, -8031 << 2));
        assert_eq!((one(Law::Mu, 0xff), one(Law::Mu, 0x7f)), (0, 0));
        assert_eq!((one(Law::A, 0xaa), one(Law::A, 0x2a)), (4032 << 3, -4032 << 3));
        assert_eq!((one(Law::A, 0xd5), one(Law::A, 0x55)), (1 << 3, -1 << 3));
        // The first value of the second segment: 33 in both laws' own units.
        assert_eq!(one(Law::Mu, 0xef), 33 << 2);
        assert_eq!(one(Law::A, 0xc5), 33 << 3);
    }

    #[test]
    fn what_was_decoded_encodes_to_the_same_octet() {
        for octet in 0..=255_u8 {
            assert_eq!(code(Law::A, one(Law::A, octet)), octet, "A-law {octet:#04x}");
            // µ-law has two zeros; both are silence, and the positive one is sent.
            let expected = if octet == 0x7f { 0xff } else { octet };
            assert_eq!(code(Law::Mu, one(Law::Mu, octet)), expected, "µ-law {octet:#04x}");
        }
    }

    #[test]
    fn every_sample_is_coded_within_half_a_step_of_its_segment() {
        for law in [Law::Mu, Law::A] {
            let mut last = i16::MIN;
            for sample in i16::MIN..=i16::MAX {
                let octet = code(law, sample);
                let got = one(law, octet);
                assert!(got >= last, "{law:?}: coding is not monotonic at {sample}");
                last = got;
                let segment = match law {
                    Law::Mu => (!octet >> 4) & 7,
                    Law::A => ((octet ^ 0x55) >> 4) & 7,
                };
                // Steps double from segment to segment; A-law's first two are alike. Both laws cut off low bits first.
                let (half_step, cut_off) = match law {
                    Law::Mu => (4 << segment, 3),
                    Law::A => (8 << u8::max(segment, 1) >> 1, 7),
                };
                let top =
                    i32::from(one(law, if sample < 0 { code(law, i16::MIN) } else { code(law, i16::MAX) }));
                let wanted = i32::from(sample).clamp(-top.abs(), top.abs());
                let error = (i32::from(got) - wanted).abs();
                assert!(error <= half_step + cut_off, "{law:?} {sample}: {got} is {error} off");
            }
        }
    }

    #[test]
    fn silence_is_known_by_its_octets() {
        for law in [Law::Mu, Law::A] {
            assert!(law.is_silence(&[]) && law.is_silence(&[law.silence(); 160]));
            assert!(law.is_silence(&[law.silence() ^ 0x80; 33]));
            for place in [0, 15, 16, 79, 159] {
                let mut payload = [law.silence(); 160];
                payload[place] ^= 1;
                assert!(!law.is_silence(&payload), "{law:?} {place}");
            }
        }
    }

    #[test]
    fn silence_decodes_to_silence() {
        for law in [Law::Mu, Law::A] {
            assert!(one(law, law.silence()).abs() <= 8);
        }
    }
}
