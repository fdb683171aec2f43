//! Files of every kind that is allowed, cut, broken and too long ones.

use hound::{SampleFormat, WavSpec, WavWriter};
use plenary_audio::{
    codec::Rate,
    goertzel::power_dbov,
    opus::{Encoder, FRAME_SAMPLES, Settings},
    tone::ToneGenerator,
};
use plenary_sounds::{Kind, Limits, Longer, Recording, SoundError, read, read_file};
use std::io::Cursor;

/// Each a second of 400 Hz at -6 dBov and a tenth of a second of silence, in the kinds that nothing here writes.
const FLAC: &[u8] = include_bytes!("files/tone-44100-stereo.flac");
const OGG_FLAC: &[u8] = include_bytes!("files/tone-16000.oga");
const MP3: &[u8] = include_bytes!("files/tone-44100-stereo.mp3");
const MP3_TAGGED: &[u8] = include_bytes!("files/tone-8000-tagged.mp3");
const VORBIS: &[u8] = include_bytes!("files/tone-48000-stereo.ogg");
const ALAW: &[u8] = include_bytes!("files/tone-8000-alaw.wav");

/// Two seconds of 400 Hz at half of full scale on every channel.
fn wav(rate: u32, channels: u16, format: SampleFormat, bits: u16, seconds: u32) -> Vec<u8> {
    let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format: format };
    let mut bytes = Cursor::new(Vec::new());
    let mut wav = WavWriter::new(&mut bytes, spec).expect("a new file");
    for place in 0..rate * seconds {
        let sample = (place as f32 / rate as f32 * 400.0 * std::f32::consts::TAU).sin() * 0.5;
        for _ in 0..channels {
            match format {
                SampleFormat::Float => wav.write_sample(sample).expect("written"),
                SampleFormat::Int => {
                    let full_scale = (1_i64 << (bits - 1)) as f32 - 1.0;
                    wav.write_sample((sample * full_scale) as i32).expect("written");
                }
            }
        }
    }
    wav.finalize().expect("written");
    bytes.into_inner()
}

/// A page of Ogg (RFC 3533, 6) that holds whole packets.
fn page(packets: &[&[u8]], flags: u8, granule: u64, number: u32) -> Vec<u8> {
    let lacing: Vec<u8> = packets
        .iter()
        .flat_map(|packet| std::iter::repeat_n(255, packet.len() / 255).chain([(packet.len() % 255) as u8]))
        .collect();
    let mut page = [
        &b"OggS"[..],
        &[0, flags],
        &granule.to_le_bytes(),
        &7_u32.to_le_bytes(),
        &number.to_le_bytes(),
        &[0; 4],
        &[lacing.len() as u8],
        &lacing,
        &packets.concat(),
    ]
    .concat();
    let crc = page.iter().fold(0_u32, |crc, octet| {
        (0..8).fold(crc ^ u32::from(*octet) << 24, |crc, _| {
            if crc & 0x8000_0000 == 0 { crc << 1 } else { crc << 1 ^ 0x04c1_1db7 }
        })
    });
    page[22..26].copy_from_slice(&crc.to_le_bytes());
    page
}

/// Two seconds of 400 Hz at -6 dBov as a recorder writes them (RFC 7845): ten packets to a page.
fn ogg_opus(has_end: bool) -> Vec<u8> {
    const PRE_SKIP: u16 = 312;
    let head =
        [&b"OpusHead"[..], &[1, 1], &PRE_SKIP.to_le_bytes(), &48_000_u32.to_le_bytes(), &[0, 0, 0]].concat();
    let tags = [&b"OpusTags"[..], &4_u32.to_le_bytes(), b"test", &0_u32.to_le_bytes()].concat();
    let mut file = [page(&[&head], 2, 0, 0), page(&[&tags], 0, 0, 1)].concat();
    let mut encoder = Encoder::new(&Settings { dtx: false, ..Settings::default() });
    let mut tone = ToneGenerator::new(48_000, 400.0, -6.0);
    for number in 0..10_u32 {
        let packets: Vec<Vec<u8>> = (0..10)
            .map(|_| {
                let (mut frame, mut payload) = (vec![0; FRAME_SAMPLES], [0; 1500]);
                tone.fill(&mut frame);
                let length = encoder.encode(&frame, &mut payload);
                payload[..length].to_vec()
            })
            .collect();
        let packets: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
        let flags = if has_end && number == 9 { 4 } else { 0 };
        file.extend(page(&packets, flags, u64::from(number + 1) * 9600, number + 2));
    }
    file
}

#[track_caller]
fn playable(bytes: &[u8]) -> Recording {
    read(bytes, &Limits::UPLOAD).expect("it can be played")
}

/// It has 400 Hz at -6 dBov in its middle, and nothing else to speak of.
#[track_caller]
fn assert_tone(recording: &Recording, milliseconds: std::ops::RangeInclusive<u64>) {
    let hz = recording.rate.hz();
    assert!(milliseconds.contains(&recording.milliseconds()), "{} ms", recording.milliseconds());
    let quarter = recording.samples.len() / 4;
    let level = power_dbov(&recording.samples[quarter..3 * quarter], hz, 400.0);
    assert!((level + 6.0).abs() < 0.7, "{level} dBov");
}

#[test]
fn wav_of_usual_kinds_becomes_mono_at_the_same_pitch_and_level() {
    let kinds = [
        (8000, 1, SampleFormat::Int, 16, Rate::Narrow),
        (8000, 1, SampleFormat::Int, 8, Rate::Narrow),
        (6000, 1, SampleFormat::Int, 16, Rate::Narrow),
        (11_025, 1, SampleFormat::Int, 16, Rate::Wide),
        (16_000, 2, SampleFormat::Int, 24, Rate::Wide),
        (24_000, 1, SampleFormat::Int, 16, Rate::Full),
        (44_100, 2, SampleFormat::Int, 16, Rate::Full),
        (48_000, 1, SampleFormat::Float, 32, Rate::Full),
        (96_000, 6, SampleFormat::Int, 24, Rate::Full),
    ];
    for (hz, channels, format, bits, rate) in kinds {
        let recording = playable(&wav(hz, channels, format, bits, 2));
        assert_eq!((recording.kind, recording.rate), (Kind::Wav, rate), "{hz}, {bits} bits");
        assert_eq!((recording.file_rate_hz, recording.file_channels), (hz, usize::from(channels)));
        assert_tone(&recording, 1999..=2000);
    }
    assert_tone(&playable(ALAW), 1099..=1101);
}

#[test]
fn samples_of_16_bits_at_a_rate_of_ours_stay_as_they_are() {
    let spec =
        WavSpec { channels: 1, sample_rate: 8000, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let samples: Vec<i16> = (0..=u16::MAX).map(|sample| sample as i16).collect();
    let mut bytes = Cursor::new(Vec::new());
    let mut wav = WavWriter::new(&mut bytes, spec).expect("a new file");
    samples.iter().for_each(|sample| wav.write_sample(*sample).expect("written"));
    wav.finalize().expect("written");
    assert_eq!(playable(&bytes.into_inner()).samples, samples);
}

#[test]
fn compressed_kinds_become_mono_at_the_same_pitch_level_and_length() {
    let kinds = [
        (FLAC, Kind::Flac, 44_100, 2, 1099..=1101),
        (OGG_FLAC, Kind::Flac, 16_000, 1, 1099..=1101),
        // An MP3 says by itself what its encoder added, or not.
        (MP3, Kind::Mp3, 44_100, 2, 1099..=1180),
        (MP3_TAGGED, Kind::Mp3, 8000, 1, 1099..=1400),
        (VORBIS, Kind::Vorbis, 48_000, 2, 1095..=1105),
    ];
    for (bytes, kind, hz, channels, milliseconds) in kinds {
        let recording = playable(bytes);
        assert_eq!((recording.kind, recording.file_rate_hz), (kind, hz), "{kind:?}");
        assert_eq!(recording.file_channels, channels, "{kind:?}");
        assert_tone(&recording, milliseconds);
    }
    for has_end in [true, false] {
        let recording = playable(&ogg_opus(has_end));
        assert_eq!((recording.kind, recording.rate), (Kind::Opus, Rate::Full));
        assert_tone(&recording, 1980..=2000);
    }
}

#[test]
fn a_file_of_the_folder_that_was_cut_is_played_as_far_as_it_goes_and_an_upload_is_refused() {
    // Those of Vorbis and of FLAC in Ogg are a single page, which cannot be cut.
    let files: [(&[u8], u64); 4] =
        [(&wav(8000, 1, SampleFormat::Int, 16, 2), 2000), (FLAC, 1100), (MP3, 1100), (&ogg_opus(true), 2000)];
    for (file, whole_ms) in files {
        let cut = &file[..file.len() * 3 / 4];
        // Of Ogg and of some MP3 nothing at the beginning says how long it is.
        match read(cut, &Limits::UPLOAD) {
            Ok(recording) => assert!(matches!(recording.kind, Kind::Opus | Kind::Mp3)),
            Err(error) => assert!(error.to_string().contains("it ends after"), "{error}"),
        }
        let cut = read(cut, &Limits { longer: Longer::Cut, ..Limits::UPLOAD });
        let recording =
            cut.unwrap_or_else(|error| panic!("a file of {whole_ms} ms, {:?} {error}", &file[..40]));
        let played_ms = recording.milliseconds();
        assert!(
            (whole_ms / 4..whole_ms).contains(&played_ms),
            "{:?}: {played_ms} of {whole_ms} ms",
            recording.kind
        );
    }
    // As recorders leave it that write the length at the end: 0, or all ones.
    let mut file = wav(8000, 1, SampleFormat::Int, 16, 2);
    file[40..44].fill(0xff);
    file[4..8].fill(0xff);
    assert_eq!(playable(&file).milliseconds(), 2000);
}

#[test]
fn what_is_longer_than_allowed_is_refused_or_cut() {
    let file = wav(8000, 1, SampleFormat::Int, 16, 3);
    let limits = Limits { seconds_max: 2, ..Limits::UPLOAD };
    let error = read(&file, &limits).expect_err("too long");
    assert_eq!(error.to_string(), "lasts longer than 2 seconds, which is the most allowed");
    let cut = read(&file, &Limits { longer: Longer::Cut, ..limits }).expect("it is cut");
    assert_eq!(cut.milliseconds(), 2000);
    assert_eq!(read(&file, &Limits { seconds_max: 3, ..limits }).expect("just so").milliseconds(), 3000);
    let error = read(&file, &Limits { bytes_max: 40_000, ..limits }).expect_err("too large");
    assert_eq!(error.to_string(), "has more than 0.04 MB, which is the most allowed");
    // A minute is kept as it is, more at 16 kHz.
    for (seconds, rate) in [(60, Rate::Full), (61, Rate::Wide)] {
        let file = wav(24_000, 1, SampleFormat::Int, 16, seconds);
        let recording = playable(&file);
        assert_eq!((recording.rate, recording.milliseconds()), (rate, u64::from(seconds) * 1000));
    }
    let file = wav(24_000, 1, SampleFormat::Int, 16, 3);
    assert!(matches!(read(&file, &limits), Err(SoundError::TooLong { seconds_max: 2 })));
}

#[test]
fn what_cannot_be_played_says_why() {
    let why = |bytes: &[u8]| read(bytes, &Limits::UPLOAD).expect_err("it cannot be played").to_string();
    let allowed = "WAV, FLAC, MP3, Ogg Opus and Ogg Vorbis are allowed";
    for bytes in [&b""[..], b"not audio", &[0; 5000], b"\x89PNG\r\n\x1a\n0000"] {
        assert!(why(bytes).contains(allowed), "{bytes:?}: {}", why(bytes));
    }
    assert_eq!(why(&wav(8000, 1, SampleFormat::Int, 16, 0)), "has no sound in it");
    assert_eq!(
        why(&wav(3000, 1, SampleFormat::Int, 16, 1)),
        "has 3000 samples a second: 4000 to 384000 are allowed"
    );
    let mut broken = FLAC.to_vec();
    let length = broken.len();
    for (place, octet) in broken[200..length].iter_mut().enumerate() {
        *octet = (place * 151) as u8;
    }
    assert!(why(&broken).contains("is broken"), "{}", why(&broken));
}

#[test]
fn files_are_read_like_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("any name");
    std::fs::write(&path, MP3).expect("written");
    assert_eq!(read_file(&path, &Limits::UPLOAD).expect("it can be played"), playable(MP3));
    assert!(matches!(read_file(&folder.path().join("none"), &Limits::UPLOAD), Err(SoundError::Read(_))));
    let long = wav(24_000, 1, SampleFormat::Int, 16, 61);
    std::fs::write(&path, &long).expect("written");
    assert_eq!(read_file(&path, &Limits::UPLOAD).expect("it can be played"), playable(&long));
    let small = Limits { bytes_max: 10, ..Limits::UPLOAD };
    assert!(matches!(read_file(&path, &small), Err(SoundError::TooLarge { bytes_max: 10 })));
}

/// SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

#[test]
fn whatever_the_bytes_are_nothing_panics_and_limits_hold() {
    let limits = Limits { seconds_max: 3, ..Limits::UPLOAD };
    let files = [
        wav(8000, 1, SampleFormat::Int, 16, 1),
        wav(44_100, 2, SampleFormat::Float, 32, 1),
        FLAC.to_vec(),
        OGG_FLAC.to_vec(),
        MP3.to_vec(),
        MP3_TAGGED.to_vec(),
        VORBIS.to_vec(),
        ogg_opus(true),
    ];
    let mut state = 1;
    let (mut played, mut failed) = (0, 0);
    for round in 0..60 {
        for file in &files {
            let mut bytes = file.clone();
            match round % 4 {
                0 => bytes.truncate(random(&mut state) as usize % bytes.len()),
                1 => {
                    for _ in 0..1 + round / 4 {
                        let place = random(&mut state) as usize % bytes.len();
                        bytes[place] = random(&mut state) as u8;
                    }
                }
                // Headers decide most.
                2 => {
                    for _ in 0..1 + round / 8 {
                        let place = random(&mut state) as usize % bytes.len().min(150);
                        bytes[place] ^= 1 << (random(&mut state) % 8);
                    }
                }
                _ => {
                    let from = random(&mut state) as usize % bytes.len();
                    let to = from + random(&mut state) as usize % (bytes.len() - from);
                    bytes.drain(from..to);
                }
            }
            match read(&bytes, &limits) {
                Ok(recording) => {
                    assert!(recording.milliseconds() <= 3000);
                    played += 1;
                }
                Err(_) => failed += 1,
            }
        }
        let noise: Vec<u8> = (0..3000).map(|_| random(&mut state) as u8).collect();
        assert!(read(&noise, &limits).is_err() || round > 0, "noise may look like MP3, but rarely");
    }
    assert!(played > 50 && failed > 50, "{played} played, {failed} failed");
}
