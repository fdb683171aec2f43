//! Audio files as the bridge plays them: WAV, FLAC, MP3, Ogg Opus and Ogg Vorbis, of any usual sample rate and number of
//! channels, become mono at one of the bridge's rates.
//!
//! Files come from people and may be broken, cut, or made to harm. What cannot be read is an error that says why; nothing
//! panics. The limits are checked while a file is decoded, so that a small file that decodes to days takes no more time
//! and memory than one that is as long as allowed.
//!
//! A file that ends early, as a crash or a full disk leaves it, is played as far as it goes.

#![forbid(unsafe_code)]

mod decode;
mod track;

use plenary_audio::codec::Rate;
use std::{
    fs::File,
    io::{self, Read, Seek},
    path::Path,
};

/// Sample rates that files may have, in Hz.
pub const RATES_HZ: std::ops::RangeInclusive<u32> = 4000..=384_000;
/// Longer recordings are kept at 16 kHz at most. At 48 kHz a minute takes 5.8 MB.
const FULL_RATE_SECONDS_MAX: u32 = 60;

/// What a file may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Its octets.
    pub bytes_max: u64,
    /// Its length in seconds, at least 1.
    pub seconds_max: u32,
    /// What becomes of a longer one. A file of more octets is refused.
    pub longer: Longer,
}

/// What becomes of a file that is longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Longer {
    /// It is not read.
    Refuse,
    /// The rest is left out.
    Cut,
}

impl Limits {
    /// For files that accounts upload: 20 MB and 10 minutes.
    pub const UPLOAD: Self = Self { bytes_max: 20_000_000, seconds_max: 600, longer: Longer::Refuse };
}

/// A file that can be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// The rate of the samples.
    pub rate: Rate,
    /// Mono.
    pub samples: Vec<i16>,
    /// What the file is.
    pub kind: Kind,
    /// Its own sample rate.
    pub file_rate_hz: u32,
    /// Its channels, which were averaged.
    pub file_channels: usize,
}

impl Recording {
    /// Its length.
    #[must_use]
    pub fn milliseconds(&self) -> u64 {
        self.samples.len() as u64 * 1000 / u64::from(self.rate.hz())
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RIFF WAVE with PCM, floating point, A-law, µ-law or ADPCM.
    Wav,
    /// FLAC, as it is or in Ogg.
    Flac,
    /// MPEG audio, layer III.
    Mp3,
    /// Opus in Ogg (RFC 7845).
    Opus,
    /// Vorbis in Ogg.
    Vorbis,
}

impl Kind {
    /// As people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wav => "WAV",
            Self::Flac => "FLAC",
            Self::Mp3 => "MP3",
            Self::Opus => "Ogg Opus",
            Self::Vorbis => "Ogg Vorbis",
        }
    }
}

/// Why a file cannot be played. The texts continue a sentence that names the file.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// The file system says so.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It has too many octets.
    #[error("has more than {} MB, which is the most allowed", *bytes_max as f64 / 1e6)]
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// It lasts too long.
    #[error("lasts longer than {seconds_max} seconds, which is the most allowed")]
    TooLong {
        /// The limit.
        seconds_max: u32,
    },
    /// Its first bytes say nothing that is known.
    #[error("is no audio file that can be played: WAV, FLAC, MP3, Ogg Opus and Ogg Vorbis are allowed")]
    Unknown,
    /// It is a container with something else in it.
    #[error("has no audio that can be played ({what}): WAV, FLAC, MP3, Ogg Opus and Ogg Vorbis are allowed")]
    Unsupported {
        /// What it has.
        what: String,
    },
    /// Its sample rate is unusual.
    #[error("has {hz} samples a second: {} to {} are allowed", RATES_HZ.start(), RATES_HZ.end())]
    Rate {
        /// Its rate.
        hz: u32,
    },
    /// The decoder finds too many errors.
    #[error("is broken: {what}")]
    Broken {
        /// What the decoder says.
        what: String,
    },
    /// It has no samples.
    #[error("has no sound in it")]
    Empty,
}

/// Reads a file that is in memory.
///
/// # Errors
/// It is too large, too long, broken, or nothing that is known.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Recording, SoundError> {
    if bytes.len() as u64 > limits.bytes_max {
        return Err(SoundError::TooLarge { bytes_max: limits.bytes_max });
    }
    decode_at_best(limits, || Ok(Box::new(io::Cursor::new(bytes))))
}

/// Reads a file.
///
/// # Errors
/// The same, or the file system refuses.
pub fn read_file(path: &Path, limits: &Limits) -> Result<Recording, SoundError> {
    let file = File::open(path)?;
    if file.metadata()?.len() > limits.bytes_max {
        return Err(SoundError::TooLarge { bytes_max: limits.bytes_max });
    }
    decode_at_best(limits, || {
        let mut again = file.try_clone()?;
        again.rewind()?;
        Ok(Box::new(again))
    })
}

/// Bytes that can be read from the start as often as needed.
type Source<'a> = Box<dyn decode::Bytes + 'a>;

impl<T: Read + Seek + Send + Sync> decode::Bytes for T {}

/// At the highest rate that its length allows.
fn decode_at_best<'a>(
    limits: &Limits,
    open: impl Fn() -> io::Result<Source<'a>>,
) -> Result<Recording, SoundError> {
    match decode::run(open()?, limits, Rate::Full)? {
        Some(recording) => Ok(recording),
        None => decode::run(open()?, limits, Rate::Wide)?.ok_or(SoundError::Empty),
    }
}
