//! G.722 wideband speech at 64 kbit/s (ITU-T G.722, mode 1): 16 000 samples a second, eight bits for each two. Its
//! RTP clock rate is 8000 although it samples at 16 000 (RFC 3551, 4.5.2).

/// Every other coefficient of the symmetric filter of 24 that splits and joins the two bands (table 11); those
/// between are the same ones backwards.
const QMF: [i16; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
/// Decision levels of the lower band's 60 level quantiser (table 14).
const Q6: [i32; 30] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121,
    1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// Output values of the 6 bit inverse quantiser (table 18).
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360,
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688,
    -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856,
    7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136,
    -432, -136,
];
/// Output values of the 4 bit inverse quantiser, which adapts the lower band (table 16).
const QM4: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
/// Output values of the 2 bit inverse quantiser of the upper band (table 19).
const QM2: [i32; 4] = [-7408, -1616, 7408, 1616];
/// Logarithmic multipliers of the lower band's scale (table 17), by the magnitude of the code.
const WL: [i32; 8] = [-60, -30, 58, 172, 334, 538, 1198, 3042];
/// The magnitude that a 4 bit code of the lower band stands for.
const RL42: [usize; 16] = [0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0];
/// Logarithmic multipliers of the upper band's scale (table 20).
const WH: [i32; 3] = [0, -214, 798];
/// The magnitude that a 2 bit code of the upper band stands for.
const RH2: [usize; 4] = [2, 1, 2, 1];
/// 2048 · 2^(n/32): from logarithmic to linear scale.
const ILB: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
/// The largest logarithmic scales of the two bands.
const LOWER_MOST: i32 = 18_432;
const UPPER_MOST: i32 = 22_528;
/// In digital silence the upper band's scale is zero, which not even noise of one bit in 16 leaves it at, and the
/// lower band's is below this. White noise with that scale is at -65 dBov.
const LOWER_OF_SILENCE: i32 = 4400;
/// In an octet: the upper band does not grow louder.
const UPPER_IS_QUIET: u8 = 0x40;
/// Delay in samples from an encoder's input to a decoder's output, through the filters of both.
pub const FILTERS: usize = 22;
/// Octets that are decoded at once: 20 ms.
const PIECE: usize = 160;
/// Decision level of the upper band's quantiser.
const Q2: i32 = 564;

fn saturate(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

/// The next logarithmic scale of a band.
fn follow(log_scale: i32, multiplier: i32, most: i32) -> i32 {
    (((log_scale * 127) >> 7) + multiplier).clamp(0, most)
}

/// The adaptive predictor and quantiser scale of one band (blocks 3 and 4), the same in both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Band {
    /// The predicted sample, and the zeros' share of it.
    predicted: i32,
    by_zeros: i32,
    /// The last two reconstructed samples and partly reconstructed ones.
    reconstructed: [i32; 2],
    partial: [i32; 2],
    poles: [i32; 2],
    /// Six of each are used; eight of 16 bits are what processors take at once.
    zeros: [i16; 8],
    /// The last six differences.
    differences: [i16; 8],
    log_scale: i32,
    scale: i32,
}

impl Band {
    fn new(scale: i32) -> Self {
        Self {
            predicted: 0,
            by_zeros: 0,
            reconstructed: [0; 2],
            partial: [0; 2],
            poles: [0; 2],
            zeros: [0; 8],
            differences: [0; 8],
            log_scale: 0,
            scale,
        }
    }

    /// Follows the loudness; `shift` is 8 for the lower band and 10 for the upper one.
    fn rescale(&mut self, multiplier: i32, most: i32, shift: i32) {
        self.log_scale = follow(self.log_scale, multiplier, most);
        let fraction = ILB[(self.log_scale >> 6 & 31) as usize];
        let exponent = shift - (self.log_scale >> 11);
        self.scale = if exponent < 0 { fraction << -exponent } else { fraction >> exponent } << 2;
    }

    /// Takes the quantised difference and predicts the next sample.
    fn adapt(&mut self, difference: i32) {
        let reconstructed = saturate(self.predicted + difference);
        let partial = saturate(self.by_zeros + difference);
        let is_like = |other: i32| (partial < 0) == (other < 0);

        // Poles: the second first, for it bounds the first (stability).
        let first = saturate(self.poles[0] << 2);
        let first = if is_like(self.partial[0]) { -first } else { first }.min(32_767);
        let second = if is_like(self.partial[1]) { 128 } else { -128 };
        let second = (second + (first >> 7) + ((self.poles[1] * 32_512) >> 15)).clamp(-12_288, 12_288);
        let step = if is_like(self.partial[0]) { 192 } else { -192 };
        let bound = saturate(15_360 - second);
        let first = saturate(step + ((self.poles[0] * 32_640) >> 15)).clamp(-bound, bound);

        // Zeros. Two of the eight stay unused.
        let step: i16 = if difference == 0 { 0 } else { 128 };
        let sign = if difference < 0 { -1_i16 } else { 0 };
        for (zero, old) in self.zeros.iter_mut().zip(&self.differences) {
            // Minus where the signs differ.
            let minus = (*old >> 15) ^ sign;
            // 255 / 256 of it, rounded down.
            *zero =
                zero.wrapping_add(zero.wrapping_neg() >> 8).wrapping_add((step ^ minus).wrapping_sub(minus));
        }
        (self.zeros[6], self.zeros[7]) = (0, 0);

        self.differences.copy_within(0..7, 1);
        self.differences[0] = saturate(difference) as i16;
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        self.partial = [partial, self.partial[0]];
        self.poles = [first, second];

        let by_poles: i32 = self
            .poles
            .iter()
            .zip(&self.reconstructed)
            .map(|(pole, old)| (*pole * saturate(2 * old)) >> 15)
            .sum();
        let mut by_zeros = 0;
        for (zero, old) in self.zeros.iter().zip(&self.differences) {
            by_zeros += (i32::from(*zero) * i32::from(old.saturating_mul(2))) >> 15;
        }
        self.by_zeros = saturate(by_zeros);
        self.predicted = saturate(saturate(by_poles) + self.by_zeros);
    }

    /// Restores what `old` knew of the voice, and keeps the samples.
    fn unlearn(&mut self, old: &Self) {
        (self.poles, self.zeros) = (old.poles, old.zeros);
        (self.log_scale, self.scale) = (old.log_scale, old.scale);
    }

    fn decode_lower(&mut self, code: usize) -> i32 {
        let sample = (self.predicted + ((self.scale * QM6[code]) >> 15)).clamp(-16_384, 16_383);
        let difference = self.adapt_lower(code >> 2);
        self.adapt(difference);
        sample
    }

    fn decode_upper(&mut self, code: usize) -> i32 {
        let difference = self.adapt_upper(code);
        let sample = (self.predicted + difference).clamp(-16_384, 16_383);
        self.adapt(difference);
        sample
    }

    fn adapt_lower(&mut self, code: usize) -> i32 {
        let difference = (self.scale * QM4[code]) >> 15;
        self.rescale(WL[RL42[code]], LOWER_MOST, 8);
        difference
    }

    fn adapt_upper(&mut self, code: usize) -> i32 {
        let difference = (self.scale * QM2[code]) >> 15;
        self.rescale(WH[RH2[code]], UPPER_MOST, 10);
        difference
    }
}

/// Encodes one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoder {
    lower: Band,
    upper: Band,
    /// The last 22 samples, oldest first, for the filter that splits the bands.
    history: [i32; 22],
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// Before the first sample.
    #[must_use]
    pub fn new() -> Self {
        Self { lower: Band::new(32), upper: Band::new(8), history: [0; 22] }
    }

    /// Encodes pairs of samples, as many as `payload` has octets for. Returns the octets written.
    pub fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> usize {
        let mut written = 0;
        for (pair, octet) in samples.chunks_exact(2).zip(payload) {
            *octet = self.encode_pair(i32::from(pair[0]), i32::from(pair[1]));
            written += 1;
        }
        written
    }

    fn encode_pair(&mut self, first: i32, second: i32) -> u8 {
        let (mut odd, mut even) = (0, 0);
        let (pairs, _) = self.history.as_chunks::<2>();
        for (index, [a, b]) in pairs.iter().chain([&[first, second]]).enumerate() {
            odd += a * i32::from(QMF[index]);
            even += b * i32::from(QMF[11 - index]);
        }
        self.history.copy_within(2.., 0);
        [self.history[20], self.history[21]] = [first, second];
        let (low, high) = ((even + odd) >> 14, (even - odd) >> 14);

        let error = saturate(low - self.lower.predicted);
        let magnitude = if error < 0 { -(error + 1) } else { error };
        // The first level that is not reached; they are found from the quiet end on.
        let level = (1..30).find(|level| magnitude < (Q6[*level] * self.lower.scale) >> 12).unwrap_or(30);
        // Codes count down from 63 and 61; the two loudest negative ones have codes of their own.
        let code = match (error < 0, level) {
            (true, 1) => 63,
            (true, 2) => 62,
            (true, level) => 34 - level,
            (false, level) => 62 - level,
        };
        let difference = self.lower.adapt_lower(code >> 2);
        self.lower.adapt(difference);

        let error = saturate(high - self.upper.predicted);
        let magnitude = if error < 0 { -(error + 1) } else { error };
        let is_loud = magnitude >= (Q2 * self.upper.scale) >> 12;
        let upper_code = match (error < 0, is_loud) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        };
        let difference = self.upper.adapt_upper(upper_code);
        self.upper.adapt(difference);
        (upper_code << 6 | code) as u8
    }
}

/// The loudness of a stream by the scales of its bands, which follow from the octets alone at a fraction of the cost
/// of decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scales {
    lower: i32,
    upper: i32,
}

impl Scales {
    /// Follows the octets of a packet. True: it is digital silence, as a muted telephone sends it.
    pub fn follow_silence(&mut self, payload: &[u8]) -> bool {
        if self.upper > 0 || payload.iter().any(|octet| octet & UPPER_IS_QUIET == 0) {
            return false;
        }
        let mut most = 0;
        for octet in payload {
            let magnitude = RL42[usize::from(octet & 63) >> 2];
            self.lower = follow(self.lower, WL[magnitude], LOWER_MOST);
            most = most.max(self.lower);
        }
        most < LOWER_OF_SILENCE
    }
}

/// Decodes one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoder {
    lower: Band,
    upper: Band,
    /// The last eleven sums and differences of the bands, oldest first.
    sums: [i16; 11],
    differences: [i16; 11],
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Before the first octet.
    #[must_use]
    pub fn new() -> Self {
        Self { lower: Band::new(32), upper: Band::new(8), sums: [0; 11], differences: [0; 11] }
    }

    /// Its present loudness.
    #[must_use]
    pub fn scales(&self) -> Scales {
        Scales { lower: self.lower.log_scale, upper: self.upper.log_scale }
    }

    /// Decodes octets into two samples each, as many as both hold. Returns the samples written.
    pub fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> usize {
        let mut written = 0;
        for (octets, samples) in payload.chunks(PIECE).zip(samples.chunks_mut(2 * PIECE)) {
            written += self.decode_piece(octets, samples);
        }
        written
    }

    /// Decodes up to a piece: first each band, then the two together.
    fn decode_piece(&mut self, octets: &[u8], samples: &mut [i16]) -> usize {
        let count = octets.len().min(samples.len() / 2);
        let (mut sums, mut differences) = ([0_i16; 11 + PIECE], [0_i16; 11 + PIECE]);
        sums[..11].copy_from_slice(&self.sums);
        differences[..11].copy_from_slice(&self.differences);
        for (index, octet) in octets[..count].iter().enumerate() {
            let low = self.lower.decode_lower(usize::from(octet & 63));
            let high = self.upper.decode_upper(usize::from(octet >> 6));
            // Both have 15 bits.
            (sums[11 + index], differences[11 + index]) = ((low + high) as i16, (low - high) as i16);
        }
        for (index, pair) in samples.as_chunks_mut::<2>().0.iter_mut().take(count).enumerate() {
            let (mut first, mut second) = (0, 0);
            for tap in 0..12 {
                second += i32::from(sums[index + tap]) * i32::from(QMF[tap]);
                first += i32::from(differences[index + tap]) * i32::from(QMF[11 - tap]);
            }
            *pair = [saturate(first >> 11) as i16, saturate(second >> 11) as i16];
        }
        self.sums.copy_from_slice(&sums[count..count + 11]);
        self.differences.copy_from_slice(&differences[count..count + 11]);
        2 * count
    }

    /// Continues as if it had decoded `frame`, the concealment of lost octets, which `ahead` continues. Unless it
    /// `learns` from that, its model of the voice (predictors and scales) stays unchanged, because an uncertain sound
    /// would teach it nothing true.
    pub fn hear_instead(&mut self, frame: &[i16], ahead: &[i16; FILTERS], learns: bool) {
        // An encoder's input is the decoder's output this much later.
        let mut history = [0; FILTERS];
        for (old, sample) in history.iter_mut().zip(frame.iter().chain(ahead)) {
            *old = i32::from(*sample);
        }
        let mut encoder = Encoder { lower: self.lower.clone(), upper: self.upper.clone(), history };
        let (lower, upper) = (self.lower.clone(), self.upper.clone());
        let mut samples = frame.iter().chain(ahead).skip(FILTERS).map(|sample| i32::from(*sample));
        loop {
            let (mut octets, mut length) = ([0; PIECE], 0);
            while length < PIECE
                && let (Some(first), Some(second)) = (samples.next(), samples.next())
            {
                octets[length] = encoder.encode_pair(first, second);
                length += 1;
            }
            if length == 0 {
                break;
            }
            self.decode(&octets[..length], &mut [0; 2 * PIECE]);
        }
        if !learns {
            self.lower.unlearn(&lower);
            self.upper.unlearn(&upper);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{goertzel::power_dbov, level::dbov, tone::tone};

    fn through(samples: &[i16]) -> Vec<i16> {
        let mut payload = vec![0; samples.len() / 2];
        assert_eq!(Encoder::new().encode(samples, &mut payload), payload.len());
        let mut out = vec![0; samples.len()];
        assert_eq!(Decoder::new().decode(&payload, &mut out), samples.len());
        out
    }

    /// A signal that visits all levels and frequencies.
    fn sweep() -> Vec<i16> {
        let mut phase = 0.0_f64;
        (0..64_000)
            .map(|index| {
                let at = f64::from(index) / 64_000.0;
                phase += (100.0 + 7500.0 * at) / 16_000.0 * std::f64::consts::TAU;
                let level = 32_000.0 * (0.5 - 0.5 * (at * 60.0).cos());
                (phase.sin() * level) as i16
            })
            .collect()
    }

    #[test]
    fn octets_and_samples_are_those_of_another_implementation() {
        let mut signal = sweep();
        let mut noise = 1_u32;
        signal.extend((0..32_000).map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 16) as i16
        }));
        let mut payload = vec![0; signal.len() / 2];
        Encoder::new().encode(&signal, &mut payload);
        let theirs = sipx_audio::g722::Encoder::new().encode(&signal);
        assert_eq!(payload.iter().zip(&theirs).position(|(a, b)| a != b), None, "an octet differs");
        let mut samples = vec![0; signal.len()];
        Decoder::new().decode(&payload, &mut samples);
        let theirs = sipx_audio::g722::Decoder::new().decode(&payload);
        assert_eq!(samples.iter().zip(&theirs).position(|(a, b)| a != b), None, "a sample differs");
        // Octets that no encoder makes must be taken as well.
        let odd: Vec<u8> =
            (0..16_000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut samples = vec![0; 32_000];
        Decoder::new().decode(&odd, &mut samples);
        assert_eq!(samples, sipx_audio::g722::Decoder::new().decode(&odd));
    }

    #[test]
    fn silence_is_known_by_its_octets_and_nothing_else_is_taken_for_it() {
        let mut noise = 1_u32;
        let mut dither = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 31) as i16
        };
        let sounds: [(&str, Vec<i16>); 6] = [
            ("silence", vec![0; 32_000]),
            ("the last bit", (0..32_000).map(|_| dither()).collect()),
            ("a low tone", tone(16_000, 50.0, -60.0, 2000)),
            ("a tone", tone(16_000, 1000.0, -66.0, 2000)),
            ("a tone of the upper band", tone(16_000, 5000.0, -66.0, 2000)),
            ("hum at full scale", tone(16_000, 100.0, -3.0, 2000)),
        ];
        for (name, sound) in sounds {
            let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
            let mut scales = decoder.scales();
            // After a second of a voice, and 300 ms in which it fades.
            let before = [tone(16_000, 300.0, -12.0, 1000), vec![0; 4800]].concat();
            let mut silent = 0;
            for (number, frame) in before.chunks(320).chain(sound.chunks(320)).enumerate() {
                let mut payload = [0; 160];
                encoder.encode(frame, &mut payload);
                let is_silent = scales.follow_silence(&payload);
                decoder.decode(&payload, &mut [0; 320]);
                if !is_silent {
                    scales = decoder.scales();
                }
                assert_eq!(scales, decoder.scales(), "what is followed is what a decoder does");
                silent += u32::from(is_silent && number >= 65 + 25);
            }
            // 75 packets.
            match name {
                "silence" => assert!(silent >= 74, "{silent} of 75 are known to be silent"),
                _ => assert_eq!(silent, 0, "{name}"),
            }
        }
    }

    #[test]
    fn tones_of_both_bands_keep_their_level_and_little_else_is_heard() {
        for hz in [300.0, 1000.0, 3000.0, 5000.0, 6500.0] {
            let heard = through(&tone(16_000, hz, -10.0, 1000));
            let steady = &heard[4000..12_000];
            let level = power_dbov(steady, 16_000, hz);
            assert!((level + 10.0).abs() < 0.5, "{hz} Hz comes out at {level} dBov");
            let floor = dbov(&through(&tone(16_000, hz, -127.0, 1000))[4000..]);
            assert!(floor < -60.0, "silence comes out at {floor} dBov");
        }
    }

    #[test]
    fn a_decoder_that_missed_the_beginning_soon_says_the_same() {
        let signal = tone(16_000, 700.0, -12.0, 1000);
        let mut payload = vec![0; signal.len() / 2];
        Encoder::new().encode(&signal, &mut payload);
        let (mut whole, mut late) = (vec![0; 16_000], vec![0; 12_800]);
        Decoder::new().decode(&payload, &mut whole);
        Decoder::new().decode(&payload[1600..], &mut late);
        let differs = |from: usize| {
            let differences: Vec<i16> =
                whole[3200 + from..].iter().zip(&late[from..]).map(|(a, b)| a.wrapping_sub(*b)).collect();
            dbov(&differences)
        };
        assert!(differs(1600) < -50.0, "after 100 ms: {} dBov", differs(1600));
        assert!(differs(8000) < -70.0, "after 500 ms: {} dBov", differs(8000));
    }
}
