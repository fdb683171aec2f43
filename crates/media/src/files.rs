//! WAV files to play: read once, outside the media workers.

use crate::{Clip, room::LoadedClip};
use plenary_audio::{codec::Rate, resample::Resampler, tone};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufReader},
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

/// The highest frequency of a tone, in Hz.
const TONE_HZ_MAX: u32 = 3999;
/// Sample rates that files may have.
const RATES: std::ops::RangeInclusive<u32> = 4000..=384_000;
/// Samples of a file converted at a time.
const PIECE_SAMPLES: usize = 8192;
/// Capacity of the cache before it starts over: eight minutes of wideband audio, twice that of narrowband.
const CACHE_SAMPLES_MAX: usize = 8_000_000;

/// Why a file cannot be played.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("is not a plain name inside the media folder")]
    Name,
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("is not a WAV file that can be played: {0}")]
    Wav(#[from] hound::Error),
    #[error("has a sample rate of {rate} Hz: 4000 to 384 000 Hz are allowed")]
    Rate { rate: u32 },
}

/// Reads files of one folder and caches them.
#[derive(Debug)]
pub(crate) struct Library {
    folder: PathBuf,
    seconds_max: usize,
    files: HashMap<String, Kept>,
    beep: Arc<[i16]>,
}

/// A file at the time it was read.
#[derive(Debug)]
struct Kept {
    modified: Option<SystemTime>,
    bytes: u64,
    rate: Rate,
    samples: Arc<[i16]>,
}

impl Library {
    pub(crate) fn new(folder: PathBuf, seconds_max: u32) -> Self {
        let beep = tone::beep(Rate::Narrow.hz()).into();
        Self { folder, seconds_max: seconds_max as usize, files: HashMap::new(), beep }
    }

    /// Prepares an item for playback.
    pub(crate) fn clip(&mut self, item: Clip) -> Result<LoadedClip, String> {
        match item {
            Clip::File(name) => match self.file(&name) {
                Ok((rate, samples)) => Ok(LoadedClip::Samples(rate, samples)),
                Err(error) => Err(format!("the file `{name}` {error}")),
            },
            Clip::Tone { hz, ms } if (1..=TONE_HZ_MAX).contains(&hz) => Ok(LoadedClip::Tone { hz, ms }),
            Clip::Tone { hz, .. } => Err(format!("a tone of {hz} Hz: 1 to {TONE_HZ_MAX} Hz are allowed")),
            Clip::Silence { ms } => Ok(LoadedClip::Silence { ms }),
            Clip::Beep => Ok(LoadedClip::Samples(Rate::Narrow, Arc::clone(&self.beep))),
        }
    }

    fn file(&mut self, name: &str) -> Result<(Rate, Arc<[i16]>), FileError> {
        let path = Path::new(name);
        let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        if name.is_empty() || !is_plain {
            return Err(FileError::Name);
        }
        let path = self.folder.join(path);
        let about = std::fs::metadata(&path)?;
        let (modified, bytes) = (about.modified().ok(), about.len());
        if let Some(kept) =
            self.files.get(name).filter(|kept| kept.modified == modified && kept.bytes == bytes)
        {
            return Ok((kept.rate, Arc::clone(&kept.samples)));
        }
        let (rate, samples) = read(&path, self.seconds_max)?;
        let samples: Arc<[i16]> = samples.into();
        let held: usize = self.files.values().map(|kept| kept.samples.len()).sum();
        if held + samples.len() > CACHE_SAMPLES_MAX {
            self.files.clear();
        }
        self.files.insert(name.to_owned(), Kept { modified, bytes, rate, samples: Arc::clone(&samples) });
        Ok((rate, samples))
    }
}

/// Reads a WAV file as mono, cut at `seconds_max`: at 8000 Hz if its rate is no higher, otherwise at 16 000 Hz.
fn read(path: &Path, seconds_max: usize) -> Result<(Rate, Vec<i16>), FileError> {
    let mut wav = hound::WavReader::new(BufReader::new(File::open(path)?))?;
    let spec = wav.spec();
    if !RATES.contains(&spec.sample_rate) {
        return Err(FileError::Rate { rate: spec.sample_rate });
    }
    let rate = if spec.sample_rate <= Rate::Narrow.hz() { Rate::Narrow } else { Rate::Wide };
    let channels = usize::from(spec.channels.max(1));
    let mut out = Track::new(spec.sample_rate, rate, channels, seconds_max * rate.hz() as usize);
    match spec.sample_format {
        hound::SampleFormat::Float => out.take(wav.samples::<f32>())?,
        hound::SampleFormat::Int => {
            let full_scale = (1_i64 << (u32::from(spec.bits_per_sample).clamp(1, 32) - 1)) as f32;
            out.take(wav.samples::<i32>().map(|sample| sample.map(|sample| sample as f32 / full_scale)))?;
        }
    }
    Ok((rate, out.finish()))
}

/// A file being converted to mono at 8000 or 16 000 Hz, a piece at a time: at its own rate a long one would take ten
/// times the memory.
struct Track {
    channels: usize,
    samples_max: usize,
    resampler: Option<Resampler>,
    /// Delay of the resampler, in samples of the file.
    lag: usize,
    piece: Vec<i16>,
    out: Vec<i16>,
}

impl Track {
    fn new(rate: u32, to: Rate, channels: usize, samples_max: usize) -> Self {
        let resampler = (rate != to.hz()).then(|| Resampler::new(rate, to.hz()));
        // Twenty milliseconds flush it at any rate.
        let lag = (rate / 50) as usize;
        Self {
            channels,
            samples_max,
            resampler,
            lag,
            piece: Vec::with_capacity(PIECE_SAMPLES),
            out: Vec::new(),
        }
    }

    /// Takes samples with full scale 1, the channels interleaved.
    fn take(&mut self, samples: impl Iterator<Item = Result<f32, hound::Error>>) -> Result<(), hound::Error> {
        let (mut sum, mut of_moment) = (0.0, 0);
        for sample in samples {
            sum += sample?;
            of_moment += 1;
            if of_moment < self.channels {
                continue;
            }
            self.piece.push((sum / self.channels as f32 * 32_768.0) as i16);
            (sum, of_moment) = (0.0, 0);
            if self.piece.len() == PIECE_SAMPLES {
                self.convert();
                if self.out.len() >= self.samples_max {
                    break;
                }
            }
        }
        Ok(())
    }

    fn convert(&mut self) {
        match &mut self.resampler {
            Some(resampler) => resampler.run(&self.piece, &mut self.out),
            None => self.out.extend_from_slice(&self.piece),
        }
        self.piece.clear();
    }

    fn finish(mut self) -> Vec<i16> {
        self.convert();
        if self.resampler.is_some() {
            self.piece.resize(self.lag, 0);
            self.convert();
        }
        self.out.truncate(self.samples_max);
        self.out.shrink_to_fit();
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hound::{SampleFormat, WavSpec, WavWriter};
    use std::f32::consts::TAU;

    fn library(folder: &Path) -> Library {
        Library::new(folder.to_owned(), 10)
    }

    /// Two seconds of 400 Hz at half of full scale on every channel.
    fn write(folder: &Path, name: &str, rate: u32, channels: u16, format: SampleFormat, bits: u16) {
        let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format: format };
        let mut wav = WavWriter::create(folder.join(name), spec).expect("a new file");
        for place in 0..rate * 2 {
            let sample = (place as f32 / rate as f32 * 400.0 * TAU).sin() * 0.5;
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
    }

    fn samples(library: &mut Library, name: &str) -> (Rate, Arc<[i16]>) {
        match library.clip(Clip::File(name.to_owned())).expect("it can be played") {
            LoadedClip::Samples(rate, samples) => (rate, samples),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn files_of_usual_kinds_become_mono_at_the_same_pitch_and_level() {
        let folder = tempfile::tempdir().expect("a folder");
        let kinds = [
            (8000, 1, SampleFormat::Int, 16),
            (8000, 1, SampleFormat::Int, 8),
            (16_000, 2, SampleFormat::Int, 24),
            (44_100, 2, SampleFormat::Int, 16),
            (48_000, 1, SampleFormat::Float, 32),
        ];
        for (rate, channels, format, bits) in kinds {
            let name = format!("{rate}-{channels}-{bits}.wav");
            write(folder.path(), &name, rate, channels, format, bits);
            let (kept_at, samples) = samples(&mut library(folder.path()), &name);
            assert_eq!(kept_at, if rate == 8000 { Rate::Narrow } else { Rate::Wide });
            let second = kept_at.hz() as usize;
            assert!(samples.len().abs_diff(2 * second) < second / 40, "{name}: {}", samples.len());
            let middle = &samples[second / 2..second / 2 + second];
            let crossings = middle.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
            assert!(crossings.abs_diff(400) <= 1, "{name}: {crossings} Hz");
            let peak = middle.iter().map(|sample| sample.unsigned_abs()).max().expect("samples");
            assert!((15_500..17_300).contains(&peak), "{name}: {peak}");
        }
    }

    #[test]
    fn long_files_are_cut_and_read_once_until_they_change() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "a.wav", 8000, 1, SampleFormat::Int, 16);
        let mut library = Library::new(folder.path().to_owned(), 1);
        let (_, first) = samples(&mut library, "a.wav");
        assert_eq!(first.len(), 8000);
        assert!(Arc::ptr_eq(&first, &samples(&mut library, "a.wav").1));
        write(folder.path(), "a.wav", 8000, 2, SampleFormat::Int, 16);
        assert!(!Arc::ptr_eq(&first, &samples(&mut library, "a.wav").1));
    }

    #[test]
    fn an_item_that_cannot_be_played_gives_the_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("text.wav"), "not audio").expect("written");
        let mut library = library(folder.path());
        let mut why = |item| library.clip(item).expect_err("it cannot be played");
        assert!(why(Clip::File("missing.wav".to_owned())).contains("`missing.wav` cannot be read"));
        assert!(why(Clip::File("text.wav".to_owned())).contains("not a WAV file"));
        for outside in ["../a.wav", "/etc/passwd", "", "a/../../b.wav"] {
            assert!(why(Clip::File(outside.to_owned())).contains("not a plain name"), "{outside}");
        }
        assert!(why(Clip::Tone { hz: 4000, ms: 10 }).contains("1 to 3999 Hz"));
    }
}
