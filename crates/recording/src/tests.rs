//! Files as they are written, cut at any octet, and played by another decoder.

use crate::{
    Keys, StoredFile,
    ogg::Page,
    peaks,
    repair::{Repaired, each_page, repair},
    track::{Track, encoder},
};
use plenary_audio::{
    codec::Rate,
    goertzel::power_dbov,
    opus::{Decoder, FRAME_SAMPLES},
    tone::ToneGenerator,
};
use plenary_model::RecordingFormat as Format;
use std::{fs, path::Path};

const BITRATE: u32 = 24_000;
/// Samples of a millisecond.
const MS: usize = 48;

fn create(path: &Path) -> StoredFile {
    StoredFile::create(path, &Keys::none()).expect("a new file")
}

fn open(path: &Path) -> StoredFile {
    StoredFile::open(path, &Keys::none()).expect("it is there")
}

fn repaired(path: &Path, format: Format) -> Repaired {
    repair(path, format, &Keys::none()).expect("it can be repaired")
}

/// So many frames of a tone, not ended.
fn write(path: &Path, format: Format, frames: u64, is_ended: bool) {
    let fresh = encoder(BITRATE);
    let mut track = Track::begin(create(path), format, 7, &fresh).expect("it begins");
    let mut tone = ToneGenerator::new(48_000, 440.0, -12.0);
    for _ in 0..frames {
        let mut frame = [0; FRAME_SAMPLES];
        tone.fill(&mut frame);
        track.push(Rate::Full, &frame, &fresh).expect("it is written");
    }
    if is_ended {
        track.finish().expect("it ends");
    }
}

/// Decodes by another reader than ours.
fn play(path: &Path) -> Vec<i16> {
    let recording =
        plenary_sounds::read_file(path, &plenary_sounds::Limits::UPLOAD).expect("it can be played");
    assert_eq!(recording.rate, Rate::Full);
    recording.samples
}

/// Decodes by our own reader, the pre-skip left out.
fn play_ogg(path: &Path) -> Vec<i16> {
    let (mut decoder, mut samples, mut packets) = (Decoder::new(), Vec::new(), 0);
    each_page(&open(path), |page| {
        for packet in page.packets() {
            packets += 1;
            if packets > 2 {
                let mut frame = [0; FRAME_SAMPLES];
                assert_eq!(decoder.decode(packet, &mut frame), FRAME_SAMPLES);
                samples.extend(frame);
            }
        }
        true
    })
    .expect("it can be read");
    samples.split_off(312)
}

#[test]
fn a_file_plays_as_long_as_what_was_recorded_and_as_loud() {
    let folder = tempfile::tempdir().expect("a folder");
    for (format, frames) in [(Format::Opus, 57), (Format::Wav, 57), (Format::Opus, 50), (Format::Wav, 0)] {
        let path = folder.path().join(format!("{frames}.{}", format.extension()));
        write(&path, format, frames, true);
        assert_eq!(repaired(&path, format).duration_ms, frames * 20);
        if frames == 0 {
            continue;
        }
        let samples = play(&path);
        assert_eq!(samples.len(), frames as usize * FRAME_SAMPLES, "{format:?}");
        let level = power_dbov(&samples[FRAME_SAMPLES * 10..FRAME_SAMPLES * 50], 48_000, 440.0);
        assert!((level + 12.0).abs() < 0.5, "{format:?}: {level} dBov");
    }
}

#[test]
fn a_file_that_is_cut_anywhere_is_repaired_to_the_last_whole_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
    write(&whole, Format::Opus, 100, false);
    let bytes = fs::read(&whole).expect("it was written");
    // Where pages end, and what has been played by then.
    let mut ends = vec![(0, 0)];
    each_page(&open(&whole), |page| {
        let (end, _) = ends[ends.len() - 1];
        ends.push((end + page.len(), page.granule().expect("each page ends a packet")));
        true
    })
    .unwrap();
    assert_eq!(ends.last(), Some(&(bytes.len(), 96_000)));
    for length in 0..=bytes.len() {
        // What comes behind, as file systems leave it.
        for rest in [&[][..], &[0; 700]] {
            if !rest.is_empty() && length % 97 != 0 {
                continue;
            }
            fs::write(&cut, [&bytes[..length], rest].concat()).unwrap();
            let left = repaired(&cut, Format::Opus);
            let (end, granule) = *ends.iter().rev().find(|(end, _)| *end <= length).unwrap();
            assert_eq!((left.bytes, open(&cut).length().unwrap()), (end as u64, end as u64));
            assert_eq!(left.duration_ms, granule.saturating_sub(312) * 1000 / 48_000, "cut at {length}");
            if granule > 0 {
                let fixed = fs::read(&cut).unwrap();
                assert_eq!(fixed.len(), end);
                let last =
                    ends[ends.len() - 1 - ends.iter().rev().position(|(at, _)| *at == end).unwrap() - 1].0;
                assert!(Page::read(&fixed[last..]).is_some_and(Page::is_last), "cut at {length}");
                // Once more changes nothing.
                assert_eq!(repaired(&cut, Format::Opus), left);
            }
        }
    }
    fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    repaired(&cut, Format::Opus);
    assert_eq!(play(&cut).len(), 86_400 - 312);
}

#[test]
fn a_wav_that_is_cut_anywhere_has_the_sizes_of_what_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
    write(&whole, Format::Wav, 20, false);
    let bytes = fs::read(&whole).expect("it was written");
    assert_eq!(bytes.len(), 44 + 20 * 960 * 2);
    assert_eq!(
        u32::from_le_bytes(bytes[40..44].try_into().unwrap()) as usize,
        bytes.len() - 44,
        "up to date"
    );
    for length in (0..60).chain((60..=bytes.len()).step_by(101)) {
        fs::write(&cut, &bytes[..length]).unwrap();
        let left = repaired(&cut, Format::Wav);
        let data = length.saturating_sub(44) & !1;
        assert_eq!(left.bytes as usize, 44 + data, "cut at {length}");
        let fixed = fs::read(&cut).unwrap();
        assert_eq!(fixed.len(), 44 + data);
        assert_eq!(u32::from_le_bytes(fixed[40..44].try_into().unwrap()) as usize, data);
        assert_eq!(u32::from_le_bytes(fixed[4..8].try_into().unwrap()) as usize, data + 36);
        if data > 0 {
            assert_eq!(play(&cut).len(), data / 2);
        }
    }
}

#[test]
fn octets_of_chance_are_repaired_to_nothing_and_never_panic() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chance");
    let whole = folder.path().join("whole");
    write(&whole, Format::Opus, 40, false);
    let good = fs::read(&whole).unwrap();
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize
    };
    for _ in 0..500 {
        let mut bytes = good.clone();
        for _ in 0..random() % 4 + 1 {
            let place = random() % bytes.len();
            bytes[place] = random() as u8;
        }
        fs::write(&path, &bytes).unwrap();
        for format in [Format::Opus, Format::Wav] {
            assert_eq!(repaired(&path, format).bytes, open(&path).length().unwrap());
        }
        let _ = peaks(&open(&path), Format::Opus, 100).expect("it can be read");
    }
}

#[test]
fn after_a_long_silence_a_voice_is_there_at_its_time_and_at_its_level() {
    let folder = tempfile::tempdir().expect("a folder");
    let fresh = encoder(BITRATE);
    for (format, rate) in
        [(Format::Opus, Rate::Narrow), (Format::Wav, Rate::Narrow), (Format::Opus, Rate::Full)]
    {
        let path = folder.path().join(format!("{}-{}", rate.hz(), format.extension()));
        let mut track = Track::begin(create(&path), format, 1, &fresh).unwrap();
        let mut tone = ToneGenerator::new(rate.hz(), 440.0, -12.0);
        for second in 0..3_u64 {
            track.silence_until(second * 250 + 200, &fresh).unwrap();
            for _ in 0..50 {
                let mut frame = vec![0; rate.frame()];
                tone.fill(&mut frame);
                track.push(rate, &frame, &fresh).unwrap();
            }
        }
        track.finish().unwrap();
        let samples = play(&path);
        assert_eq!(samples.len(), 750 * FRAME_SAMPLES);
        for second in 0..3 {
            let begins = (second * 250 + 200) * FRAME_SAMPLES;
            let before = &samples[begins - 3000 * MS..begins - 10 * MS];
            assert!(before.iter().all(|sample| sample.unsigned_abs() < 40), "{format:?}: silence is silent");
            let first = samples[begins - 10 * MS..].iter().position(|sample| sample.unsigned_abs() > 1000);
            let late_ms = first.expect("it is heard") as f32 / MS as f32 - 10.0;
            assert!((-2.0..10.0).contains(&late_ms), "{format:?} at {} Hz: {late_ms} ms late", rate.hz());
            let level = power_dbov(&samples[begins + 200 * MS..begins + 900 * MS], 48_000, 440.0);
            assert!((level + 12.0).abs() < 0.5, "{format:?} at {} Hz: {level} dBov", rate.hz());
        }
    }
}

#[test]
fn hours_of_silence_take_little_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("silence");
    let fresh = encoder(BITRATE);
    let mut track = Track::begin(create(&path), Format::Opus, 1, &fresh).unwrap();
    track.silence_until(50 * 3600, &fresh).unwrap();
    let bytes = track.finish().unwrap();
    assert!(bytes < 2_000_000, "{bytes} octets");
    assert!(play_ogg(&path).iter().all(|sample| sample.unsigned_abs() < 4));
}

#[test]
fn who_comes_late_has_hours_of_silence_in_a_wav_that_takes_no_room() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("late.wav");
    let fresh = encoder(BITRATE);
    let mut track = Track::begin(create(&path), Format::Wav, 1, &fresh).unwrap();
    track.push(Rate::Full, &[1000; FRAME_SAMPLES], &fresh).unwrap();
    let frames = 50 * 3600 * 3;
    track.silence_until(frames, &fresh).unwrap();
    track.push(Rate::Full, &[2000; FRAME_SAMPLES], &fresh).unwrap();
    let bytes = track.finish().unwrap();
    assert_eq!(bytes, 44 + (frames + 1) * 1920);
    let data = fs::metadata(&path).unwrap();
    assert_eq!(data.len(), bytes);
    assert!(data.blocks() * 512 < 1_000_000, "{} blocks", data.blocks());
    assert_eq!(repaired(&path, Format::Wav).duration_ms, (frames + 1) * 20);
    let peaks = peaks(&open(&path), Format::Wav, 1000).unwrap();
    assert_eq!((peaks.data[1], peaks.data[peaks.data.len() - 1]), (3, 7));
}

#[test]
fn peaks_show_where_it_is_loud() {
    let folder = tempfile::tempdir().expect("a folder");
    let fresh = encoder(BITRATE);
    for format in [Format::Opus, Format::Wav] {
        let path = folder.path().join(format.extension());
        let mut track = Track::begin(create(&path), format, 1, &fresh).unwrap();
        let mut tone = ToneGenerator::new(8000, 440.0, -6.0);
        track.silence_until(100, &fresh).unwrap();
        for _ in 0..100 {
            let mut frame = [0; 160];
            tone.fill(&mut frame);
            track.push(Rate::Narrow, &frame, &fresh).unwrap();
        }
        track.finish().unwrap();
        let peaks = peaks(&open(&path), format, 40).unwrap();
        assert_eq!((peaks.length, peaks.samples_per_pixel, peaks.data.len()), (40, 4800, 80), "{format:?}");
        assert!(peaks.data[..36].iter().all(|value| (-2..=2).contains(value)), "{:?}", peaks.data);
        // A sine of -6 dBov reaches half of full scale; where it breaks off, Opus goes a little beyond.
        let is_half = |step: &[i8]| (-80..=-62).contains(&step[0]) && (62..=80).contains(&step[1]);
        assert!(peaks.data[44..].chunks(2).all(is_half), "{:?}", peaks.data);
    }
}
