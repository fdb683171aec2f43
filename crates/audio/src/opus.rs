//! Opus (RFC 6716, RFC 7587), mono at 48 kHz, by libopus. The only unsafe code of the crate.
//!
//! States are in memory that this module owns: libopus guarantees that a state is one piece without pointers into
//! itself, so an encoder can be copied. That lets a listener move from the shared stream to one of their own without
//! a break for their decoder.

#![allow(unsafe_code)]

use crate::rate::Rate;
use opusic_sys as sys;
use std::{ffi::c_int, fmt};

/// Samples per second.
pub const SAMPLE_RATE: u32 = 48_000;
/// Samples of a frame of 20 ms.
pub const FRAME_SAMPLES: usize = 960;
/// Octets of the longest frame (RFC 6716, 3.4).
pub const FRAME_BYTES_MAX: usize = 1275;
/// Samples of the longest packet: 120 ms (RFC 6716, 3.4).
pub const PACKET_SAMPLES_MAX: usize = 5760;
/// Octets of the longest packet of silence, comfort noise included.
const SILENCE_BYTES_MAX: usize = 40;
/// Frames of the shortest kind, 2.5 ms, in the longest packet.
const FRAMES_MAX: usize = 48;

/// What a cheap stream has: CELT takes a fifth longer for 48,000.
const CHEAP_BITRATE: u32 = 32_000;

/// Settings of an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bits per second, 6000 to 128 000.
    pub bitrate: u32,
    /// 0 (fast) to 10 (best).
    pub complexity: u8,
    /// In-band FEC: each packet carries a low-rate copy of the previous one.
    pub fec: bool,
    /// DTX: silence is not sent.
    pub dtx: bool,
    /// The packet loss that FEC provides for, in percent.
    pub expected_loss_percent: u8,
    /// CELT where the bit rate allows it, also for speech: it takes less time than SILK, and sounds coarser.
    pub prefers_celt: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bitrate: 48_000,
            complexity: 5,
            fec: true,
            dtx: false,
            expected_loss_percent: 10,
            prefers_celt: false,
        }
    }
}

impl Settings {
    /// The same at the least that encoding can cost: half of what it costs otherwise, or less.
    #[must_use]
    pub const fn cheapest(self) -> Self {
        let bitrate = if self.bitrate < CHEAP_BITRATE { self.bitrate } else { CHEAP_BITRATE };
        // FEC is of SILK alone, and would have it chosen.
        Self { bitrate, complexity: 0, fec: false, prefers_celt: true, ..self }
    }
}

/// Memory for a state of libopus, aligned like `malloc`.
#[derive(Clone)]
struct State(Box<[u128]>);

impl State {
    fn new(bytes: c_int) -> Self {
        Self(vec![0; usize::try_from(bytes).unwrap_or(0).div_ceil(size_of::<u128>())].into())
    }
}

/// Encodes one stream.
#[derive(Clone)]
pub struct Encoder(State);

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("opus::Encoder")
    }
}

impl Encoder {
    /// Before the first frame. Settings outside their ranges are clamped.
    ///
    /// # Panics
    ///
    /// If libopus refuses what it documents as allowed, which would be a bug here.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        // SAFETY: takes a number and touches nothing.
        let mut encoder = Self(State::new(unsafe { sys::opus_encoder_get_size(1) }));
        // SAFETY: the memory has the size that libopus asks for, and its alignment.
        let result = unsafe {
            sys::opus_encoder_init(encoder.state(), SAMPLE_RATE as i32, 1, sys::OPUS_APPLICATION_VOIP)
        };
        assert_eq!(result, 0, "libopus does not take 48 kHz mono");
        encoder.configure(settings);
        encoder
    }

    /// Changes the settings.
    pub fn configure(&mut self, settings: &Settings) {
        self.set(sys::OPUS_SET_BITRATE_REQUEST, settings.bitrate.clamp(6000, 128_000) as c_int);
        self.set_complexity(settings.complexity);
        let signal = if settings.prefers_celt { sys::OPUS_SIGNAL_MUSIC } else { sys::OPUS_SIGNAL_VOICE };
        self.set(sys::OPUS_SET_SIGNAL_REQUEST, signal);
        self.set(sys::OPUS_SET_INBAND_FEC_REQUEST, c_int::from(settings.fec));
        self.set(sys::OPUS_SET_DTX_REQUEST, c_int::from(settings.dtx));
        let loss = if settings.fec { settings.expected_loss_percent.min(100) } else { 0 };
        self.set(sys::OPUS_SET_PACKET_LOSS_PERC_REQUEST, c_int::from(loss));
        // The input has sixteen bits; more would be noise.
        self.set(sys::OPUS_SET_LSB_DEPTH_REQUEST, 16);
    }

    /// Whether the following frames are coded without reference to earlier ones: for listeners whose decoders have
    /// heard another stream until now.
    pub fn set_independent(&mut self, independent: bool) {
        self.set(sys::OPUS_SET_PREDICTION_DISABLED_REQUEST, c_int::from(independent));
    }

    /// Changes how thoroughly the following frames are coded, from 0 to 10.
    pub fn set_complexity(&mut self, complexity: u8) {
        self.set(sys::OPUS_SET_COMPLEXITY_REQUEST, c_int::from(complexity.min(10)));
    }

    /// Codes no band that audio of this rate does not have: what came from 8 kHz takes half the time then (RFC 6716, 2.1.3).
    pub fn set_rate_max(&mut self, rate: Rate) {
        let bandwidth = match rate {
            Rate::Narrow => sys::OPUS_BANDWIDTH_NARROWBAND,
            Rate::Wide => sys::OPUS_BANDWIDTH_WIDEBAND,
            Rate::Full => sys::OPUS_BANDWIDTH_FULLBAND,
        };
        self.set(sys::OPUS_SET_MAX_BANDWIDTH_REQUEST, bandwidth);
    }

    /// Continues in the state of another encoder, its settings included.
    pub fn copy_from(&mut self, other: &Self) {
        self.0.0.copy_from_slice(&other.0.0);
    }

    /// Encodes a frame of 10 or 20 ms (480 or 960 samples). Returns the octets written; 0 if the frame has another
    /// length or `packet` is too short.
    pub fn encode(&mut self, frame: &[i16], packet: &mut [u8]) -> usize {
        let (samples, room) = (frame.len() as c_int, packet.len().min(FRAME_BYTES_MAX + 1) as i32);
        // SAFETY: `frame` holds `samples` samples and `packet` at least `room` octets; libopus checks that the
        // length is one it knows.
        let written =
            unsafe { sys::opus_encode(self.state(), frame.as_ptr(), samples, packet.as_mut_ptr(), room) };
        usize::try_from(written).unwrap_or(0)
    }

    /// Samples by which decoded audio is late relative to what was encoded: the pre-skip of a file (RFC 7845, 4.2).
    pub fn delay_samples(&mut self) -> u16 {
        let mut samples: c_int = 0;
        // SAFETY: this request writes one int.
        let result =
            unsafe { sys::opus_encoder_ctl(self.state(), sys::OPUS_GET_LOOKAHEAD_REQUEST, &raw mut samples) };
        debug_assert_eq!(result, 0, "libopus does not tell its delay");
        u16::try_from(samples).unwrap_or(0)
    }

    fn state(&mut self) -> *mut sys::OpusEncoder {
        self.0.0.as_mut_ptr().cast()
    }

    fn set(&mut self, request: c_int, value: c_int) {
        // SAFETY: every request made here takes one int.
        let result = unsafe { sys::opus_encoder_ctl(self.state(), request, value) };
        debug_assert_eq!(result, 0, "libopus refuses {value} for {request}");
    }
}

/// Decodes one stream.
#[derive(Clone)]
pub struct Decoder(State);

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("opus::Decoder")
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Before the first packet.
    ///
    /// # Panics
    ///
    /// If libopus refuses what it documents as allowed, which would be a bug here.
    #[must_use]
    pub fn new() -> Self {
        // SAFETY: takes a number and touches nothing.
        let mut decoder = Self(State::new(unsafe { sys::opus_decoder_get_size(1) }));
        // SAFETY: the memory has the size that libopus asks for, and its alignment.
        let result = unsafe { sys::opus_decoder_init(decoder.state(), SAMPLE_RATE as i32, 1) };
        assert_eq!(result, 0, "libopus does not take 48 kHz mono");
        decoder
    }

    /// Clears the decoder's state.
    pub fn reset(&mut self) {
        // SAFETY: this request takes no argument.
        unsafe { sys::opus_decoder_ctl(self.state(), sys::OPUS_RESET_STATE) };
    }

    /// Decodes a packet; stereo is averaged. Returns the samples written, 0 if it is not an Opus packet or is longer
    /// than `out`.
    pub fn decode(&mut self, packet: &[u8], out: &mut [i16]) -> usize {
        if packet.is_empty() {
            return 0;
        }
        self.run(packet.as_ptr(), packet.len(), out, false)
    }

    /// Recovers a lost packet as long as `out` from the FEC data of `next`, the packet after it; without FEC data it
    /// is concealed. Whole frames of 2.5 ms only.
    pub fn recover(&mut self, next: &[u8], out: &mut [i16]) -> usize {
        if next.is_empty() {
            return self.conceal(out);
        }
        self.run(next.as_ptr(), next.len(), out, true)
    }

    /// Conceals a loss as long as `out`. Whole frames of 2.5 ms only.
    pub fn conceal(&mut self, out: &mut [i16]) -> usize {
        self.run(std::ptr::null(), 0, out, false)
    }

    fn run(&mut self, packet: *const u8, length: usize, out: &mut [i16], fec: bool) -> usize {
        let (length, room) = (length.min(1 << 20) as i32, out.len().min(PACKET_SAMPLES_MAX) as c_int);
        // SAFETY: `packet` is null or points to `length` octets, `out` holds at least `room` samples.
        let written = unsafe {
            sys::opus_decode(self.state(), packet, length, out.as_mut_ptr(), room, c_int::from(fec))
        };
        usize::try_from(written).unwrap_or(0)
    }

    fn state(&mut self) -> *mut sys::OpusDecoder {
        self.0.0.as_mut_ptr().cast()
    }
}

/// Duration of a packet in samples at 48 kHz, by its first octets (RFC 6716, 3.1, 3.2); `None` if it is not an Opus
/// packet.
#[must_use]
pub fn packet_samples(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    let samples = frames * frame_samples(toc);
    (1..=PACKET_SAMPLES_MAX as u32).contains(&samples).then_some(samples)
}

/// Samples per frame of a packet with this first octet (RFC 6716, table 2).
fn frame_samples(toc: u8) -> u32 {
    let size = toc >> 3 & 3;
    match toc >> 3 {
        // SILK: 10, 20, 40, 60 ms.
        0..=11 => [480, 960, 1920, 2880][usize::from(size)],
        // Hybrid: 10, 20 ms.
        12..=15 => [480, 960][usize::from(size & 1)],
        // CELT: 2.5, 5, 10, 20 ms.
        _ => [120, 240, 480, 960][usize::from(size)],
    }
}

/// Whether a packet itself says that it has no speech: it is nearly empty (DTX, or digital silence), or its
/// encoder's voice activity detector found nothing and it is small (the first bits of a SILK frame, RFC 6716, 4.2.3).
#[must_use]
pub fn says_silence(packet: &[u8]) -> bool {
    let Some(toc) = packet.first() else { return true };
    if packet.len() <= 3 {
        return true;
    }
    // A steady tone is not voice to that detector either, but takes its octets. Only with a single frame are these
    // bits at a known place; CELT frames have none.
    if packet.len() > SILENCE_BYTES_MAX || toc & 3 != 0 || toc >> 3 > 15 {
        return false;
    }
    let speech_frames = match frame_samples(*toc) {
        1920 => 2,
        2880 => 3,
        _ => 1,
    };
    packet[1] >> (8 - speech_frames) == 0
}

/// Combines frames of a stream into one packet (RFC 6716, 3.2).
#[derive(Debug, Clone)]
pub struct Packer {
    toc: u8,
    lengths: [u16; FRAMES_MAX],
    frames: usize,
    bytes: Vec<u8>,
}

impl Packer {
    /// Empty. `bytes` is its capacity without allocation.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self { toc: 0, lengths: [0; FRAMES_MAX], frames: 0, bytes: Vec::with_capacity(bytes) }
    }

    /// Frames in it.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Adds a packet of one frame. False: it differs in configuration from those before it, or has several frames,
    /// and needs a packet of its own.
    pub fn push(&mut self, packet: &[u8]) -> bool {
        let Some((toc, frame)) = packet.split_first() else { return false };
        let fits = toc & 3 == 0
            && frame.len() <= FRAME_BYTES_MAX
            && (self.frames == 0 || *toc == self.toc)
            && (self.frames as u32 + 1) * frame_samples(*toc) <= PACKET_SAMPLES_MAX as u32;
        if fits {
            self.toc = *toc;
            self.lengths[self.frames] = frame.len() as u16;
            self.frames += 1;
            self.bytes.extend_from_slice(frame);
        }
        fits
    }

    /// Writes the packet and is empty again. Returns the octets written, 0 if it was empty or `out` is too short.
    pub fn finish(&mut self, out: &mut [u8]) -> usize {
        let frames = std::mem::take(&mut self.frames);
        let mut head = [0; 2 + 2 * FRAMES_MAX];
        let mut length = 1;
        head[0] = self.toc;
        if frames != 1 {
            // Code 3 with explicit lengths; that of the last frame is what remains.
            head[0] |= 3;
            head[1] = 0x80 | frames as u8;
            length = 2;
            for &bytes in &self.lengths[..frames.saturating_sub(1)] {
                if bytes < 252 {
                    head[length] = bytes as u8;
                    length += 1;
                } else {
                    let first = 252 + (bytes & 3);
                    (head[length], head[length + 1]) = (first as u8, ((bytes - first) >> 2) as u8);
                    length += 2;
                }
            }
        }
        let written = match out.get_mut(..length + self.bytes.len()) {
            Some(out) if frames > 0 => {
                out[..length].copy_from_slice(&head[..length]);
                out[length..].copy_from_slice(&self.bytes);
                out.len()
            }
            _ => 0,
        };
        self.bytes.clear();
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{goertzel::power_dbov, level::dbov, tone::ToneGenerator};

    /// A voice-like sound: a tone with overtones, louder and softer four times a second.
    fn sound(frames: usize) -> Vec<[i16; FRAME_SAMPLES]> {
        let mut tones: Vec<_> = (1..12)
            .map(|n| ToneGenerator::new(SAMPLE_RATE, 180.0 * n as f32, -18.0 - 2.0 * n as f32))
            .collect();
        (0..frames)
            .map(|frame| {
                let mut sum = [0_i32; FRAME_SAMPLES];
                for tone in &mut tones {
                    let mut part = [0; FRAME_SAMPLES];
                    tone.fill(&mut part);
                    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += i32::from(part));
                }
                let loud = 0.6 + 0.4 * (frame as f32 * 0.5).sin();
                sum.map(|sample| (sample as f32 * loud) as i16)
            })
            .collect()
    }

    fn encode_all(encoder: &mut Encoder, frames: &[[i16; FRAME_SAMPLES]]) -> Vec<Vec<u8>> {
        let mut packet = [0; FRAME_BYTES_MAX];
        frames
            .iter()
            .map(|frame| {
                let length = encoder.encode(frame, &mut packet);
                packet[..length].to_vec()
            })
            .collect()
    }

    #[test]
    fn sound_comes_through_at_its_level() {
        let mut encoder = Encoder::new(&Settings::default());
        let mut decoder = Decoder::new();
        let mut tone = ToneGenerator::new(SAMPLE_RATE, 1000.0, -12.0);
        let mut heard = Vec::new();
        for _ in 0..100 {
            let (mut frame, mut packet) = ([0; FRAME_SAMPLES], [0; FRAME_BYTES_MAX]);
            tone.fill(&mut frame);
            let length = encoder.encode(&frame, &mut packet);
            assert_eq!(packet_samples(&packet[..length]), Some(960));
            assert!(!says_silence(&packet[..length]));
            assert_eq!(decoder.decode(&packet[..length], &mut frame), FRAME_SAMPLES);
            heard.extend(frame);
        }
        let level = power_dbov(&heard[48_000..], SAMPLE_RATE, 1000.0);
        assert!((level + 12.0).abs() < 1.0, "{level} dBov");
    }

    #[test]
    fn bands_that_a_rate_does_not_have_are_not_coded_and_what_it_has_keeps_its_level() {
        // Of the first octet the upper five bits name the configuration, by mode and bandwidth (RFC 6716, 3.1).
        let widths =
            [(Rate::Narrow, 0..=3, 3000.0), (Rate::Wide, 8..=11, 6000.0), (Rate::Full, 12..=15, 6000.0)];
        for (rate, configurations, hz) in widths {
            let mut encoder = Encoder::new(&Settings { bitrate: 24_000, fec: false, ..Settings::default() });
            encoder.set_rate_max(rate);
            let mut decoder = Decoder::new();
            let mut tone = ToneGenerator::new(SAMPLE_RATE, hz, -20.0);
            let mut heard = Vec::new();
            for voice in sound(100) {
                let (mut frame, mut packet) = ([0; FRAME_SAMPLES], [0; FRAME_BYTES_MAX]);
                tone.fill(&mut frame);
                frame
                    .iter_mut()
                    .zip(voice)
                    .for_each(|(sample, voice)| *sample = sample.saturating_add(voice / 4));
                let length = encoder.encode(&frame, &mut packet);
                assert!(configurations.contains(&(packet[0] >> 3)), "{rate:?}: {}", packet[0] >> 3);
                assert_eq!(decoder.decode(&packet[..length], &mut frame), FRAME_SAMPLES);
                heard.extend(frame);
            }
            let level = power_dbov(&heard[48_000..], SAMPLE_RATE, hz);
            assert!((level + 20.0).abs() < 2.0, "{rate:?}: {level} dBov");
        }
    }

    #[test]
    fn the_cheapest_settings_code_speech_by_celt_and_the_usual_ones_do_not() {
        let usual = Settings::default();
        let mut encoder = Encoder::new(&usual);
        let frames = sound(90);
        for (settings, frames, is_celt) in [
            (usual, &frames[..30], false),
            (usual.cheapest(), &frames[30..60], true),
            (usual, &frames[60..], false),
        ] {
            encoder.configure(&settings);
            // From 16 on the configurations are CELT (RFC 6716, 3.1). The change itself takes a frame.
            let packets = encode_all(&mut encoder, frames);
            let configurations: Vec<u8> = packets[2..].iter().map(|packet| packet[0] >> 3).collect();
            assert!(configurations.iter().all(|one| (*one >= 16) == is_celt), "{configurations:?}");
        }
        assert_eq!(Settings { bitrate: 12_000, ..usual }.cheapest().bitrate, 12_000);
    }

    #[test]
    fn a_copied_encoder_goes_on_as_if_it_were_the_same() {
        let frames = sound(60);
        let mut first = Encoder::new(&Settings::default());
        let mut second = Encoder::new(&Settings::default());
        encode_all(&mut first, &frames[..30]);
        second.copy_from(&first);
        assert_eq!(encode_all(&mut second, &frames[30..]), encode_all(&mut first, &frames[30..]));
    }

    #[test]
    fn a_lost_packet_is_better_recovered_from_the_next_than_made_up() {
        let frames = sound(150);
        let packets = encode_all(&mut Encoder::new(&Settings::default()), &frames);
        let mut clean = Decoder::new();
        let (mut with_fec, mut without) = (Decoder::new(), Decoder::new());
        let (mut error_fec, mut error_concealed) = (0.0, 0.0);
        for (index, packet) in packets.iter().enumerate() {
            let (mut a, mut b, mut c) = ([0; FRAME_SAMPLES], [0; FRAME_SAMPLES], [0; FRAME_SAMPLES]);
            clean.decode(packet, &mut a);
            if index % 10 == 9 && index + 1 < packets.len() {
                assert_eq!(with_fec.recover(&packets[index + 1], &mut b), FRAME_SAMPLES);
                assert_eq!(without.conceal(&mut c), FRAME_SAMPLES);
                let error = |made_up: &[i16; FRAME_SAMPLES]| -> f64 {
                    a.iter().zip(made_up).map(|(a, b)| f64::from(i32::from(*a) - i32::from(*b)).powi(2)).sum()
                };
                (error_fec, error_concealed) = (error_fec + error(&b), error_concealed + error(&c));
            } else {
                with_fec.decode(packet, &mut b);
                without.decode(packet, &mut c);
            }
        }
        assert!(error_fec < error_concealed * 0.7, "{error_fec} against {error_concealed}");
    }

    #[test]
    fn silence_says_so_and_voice_does_not() {
        let mut encoder = Encoder::new(&Settings::default());
        let silence = encode_all(&mut encoder, &[[0; FRAME_SAMPLES]; 50]);
        assert!(silence[10..].iter().all(|packet| says_silence(packet)), "{:x?}", &silence[49]);
        let voice = encode_all(&mut encoder, &sound(50));
        let silent = voice[5..].iter().filter(|packet| says_silence(packet)).count();
        assert_eq!(silent, 0);
        assert!(says_silence(&[]) && says_silence(&[0xf8, 0xff, 0xfe]));
    }

    #[test]
    fn several_frames_in_a_packet_say_the_same_as_in_many() {
        let frames = sound(30);
        let packets = encode_all(&mut Encoder::new(&Settings::default()), &frames);
        let (mut one_by_one, mut packed) = (Vec::new(), Vec::new());
        let (mut first, mut second) = (Decoder::new(), Decoder::new());
        let mut packer = Packer::new(4000);
        let mut out = [0; 4000];
        let mut samples = [0; PACKET_SAMPLES_MAX];
        let flush = |packer: &mut Packer,
                     second: &mut Decoder,
                     packed: &mut Vec<i16>,
                     out: &mut [u8],
                     samples: &mut [i16]| {
            let frames = packer.frames() as u32;
            let length = packer.finish(out);
            assert_eq!(packet_samples(&out[..length]), Some(960 * frames));
            let count = second.decode(&out[..length], samples);
            packed.extend_from_slice(&samples[..count]);
        };
        for packet in &packets {
            let count = first.decode(packet, &mut samples);
            one_by_one.extend_from_slice(&samples[..count]);
            if !packer.push(packet) {
                flush(&mut packer, &mut second, &mut packed, &mut out, &mut samples);
                assert!(packer.push(packet));
            }
            if packer.frames() == 3 {
                flush(&mut packer, &mut second, &mut packed, &mut out, &mut samples);
            }
        }
        assert!(packed.len() > 20 * FRAME_SAMPLES);
        assert_eq!(packed, one_by_one[..packed.len()]);
    }

    #[test]
    fn a_listener_who_changes_streams_hears_no_click() {
        // Two encoders hear the same sound, one of them something else before; a decoder moves from one to the other
        // at an independent frame.
        let frames = sound(200);
        let settings = Settings::default();
        let (mut first, mut second) = (Encoder::new(&settings), Encoder::new(&settings));
        let mut other = sound(100);
        other.reverse();
        encode_all(&mut second, &other);
        let from_first = encode_all(&mut first, &frames);
        let mut from_second = encode_all(&mut second, &frames[..100]);
        second.set_independent(true);
        from_second.extend(encode_all(&mut second, &frames[100..101]));
        second.set_independent(false);
        from_second.extend(encode_all(&mut second, &frames[101..]));
        let (mut stays, mut moves, mut target) = (Decoder::new(), Decoder::new(), Decoder::new());
        let mut difference = Vec::new();
        for index in 0..200 {
            let (mut a, mut b, mut c) = ([0; FRAME_SAMPLES], [0; FRAME_SAMPLES], [0; FRAME_SAMPLES]);
            stays.decode(&from_first[index], &mut a);
            moves.decode(if index < 100 { &from_first[index] } else { &from_second[index] }, &mut b);
            target.decode(&from_second[index], &mut c);
            if (100..110).contains(&index) {
                difference.extend(b.iter().zip(&c).map(|(b, c)| b.wrapping_sub(*c)));
            }
        }
        let click = dbov(&difference);
        assert!(click < -45.0, "moving differs by {click} dBov from having been there all the time");
    }

    #[test]
    fn bytes_of_any_kind_are_taken() {
        let mut decoder = Decoder::new();
        let mut out = [0; PACKET_SAMPLES_MAX];
        let mut random = 7_u32;
        for length in 0..600 {
            let packet: Vec<u8> = (0..length % 90)
                .map(|_| {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (random >> 24) as u8
                })
                .collect();
            let stated = packet_samples(&packet);
            let _ = says_silence(&packet);
            let written = decoder.decode(&packet, &mut out);
            assert!(written == 0 || Some(written as u32) == stated, "{packet:x?}");
        }
    }
}
