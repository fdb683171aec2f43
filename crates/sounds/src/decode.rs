//! From bytes to samples, by symphonia, none of whose types are public here.

use crate::{FULL_RATE_SECONDS_MAX, Kind, Limits, Longer, RATES_HZ, Recording, SoundError, track::Track};
use plenary_audio::codec::Rate;
use std::{
    io::{self, Read, Seek, SeekFrom},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::LazyLock,
};
use symphonia::core::{
    codecs::{
        audio::{
            AudioCodecId, AudioDecoder, AudioDecoderOptions,
            well_known::{CODEC_ID_FLAC, CODEC_ID_MP3, CODEC_ID_OPUS, CODEC_ID_VORBIS},
        },
        registry::CodecRegistry,
    },
    errors::Error,
    formats::{FormatOptions, FormatReader, TrackType, probe::Hint, well_known::FORMAT_ID_WAVE},
    io::{MediaSource, MediaSourceStream},
    meta::MetadataOptions,
};

/// A file with more broken packets than this, and than this share of all, is broken. The first ones of an MP3 that was
/// cut out of another refer to what is not there.
const BROKEN_PACKETS: u64 = 3;
const BROKEN_SHARE: u64 = 50;
/// What encoders of MP3 put before the first sample and behind the last one, at the most.
const MP3_SAMPLES_AT_THE_ENDS: u64 = 5_000;
/// A file that has a smaller share of what it says has no length: 0xFFFFFFFF in WAV.
const UNKNOWN_LENGTH_SHARE: u64 = 100;

/// The codecs: those of symphonia, and libopus.
static CODECS: LazyLock<CodecRegistry> = LazyLock::new(|| {
    let mut codecs = CodecRegistry::new();
    symphonia::default::register_enabled_codecs(&mut codecs);
    codecs.register_audio_decoder::<symphonia_adapter_libopus::OpusDecoder>();
    codecs
});

/// What a file is read from.
pub(crate) trait Bytes: Read + Seek + Send + Sync {}

/// With its length, which some formats need to find their end.
struct Source<'a> {
    bytes: Box<dyn Bytes + 'a>,
    length: u64,
}

impl Read for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(into)
    }
}

impl Seek for Source<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl MediaSource for Source<'_> {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}

/// Decodes a file to `best` or to the lowest rate that carries all of it. Where longer ones are refused, so is one that was cut
/// off, if its beginning says how long it is. `None`: it is too long for the highest rate.
pub(crate) fn run(
    mut bytes: Box<dyn Bytes + '_>,
    limits: &Limits,
    best: Rate,
) -> Result<Option<Recording>, SoundError> {
    let length = bytes.seek(SeekFrom::End(0))?;
    bytes.seek(SeekFrom::Start(0))?;
    let source = Source { bytes, length };
    // A fault of a decoder must not end the thread that plays to all conferences.
    catch_unwind(AssertUnwindSafe(|| decode(source, limits, best))).unwrap_or_else(|_| {
        Err(SoundError::Broken { what: "what it says of itself makes no sense".to_owned() })
    })
}

fn decode(source: Source<'_>, limits: &Limits, best: Rate) -> Result<Option<Recording>, SoundError> {
    let stream = MediaSourceStream::new(Box::new(source), Default::default());
    let (format, metadata) = (FormatOptions::default(), MetadataOptions::default());
    let mut format = match symphonia::default::get_probe().probe(&Hint::new(), stream, format, metadata) {
        Ok(format) => format,
        Err(Error::Unsupported(_)) => return Err(SoundError::Unknown),
        Err(error) if is_end(&error) => return Err(SoundError::Unknown),
        Err(error) => return Err(broken(&error)),
    };
    let is_wav = format.format_info().format == FORMAT_ID_WAVE;
    let Some(track) = format.default_track(TrackType::Audio) else {
        return Err(SoundError::Unsupported { what: "no audio track".to_owned() });
    };
    let (id, name) = (track.id, format.format_info().long_name);
    let whole = track.num_frames;
    let Some(params) = track.codec_params.as_ref().and_then(|params| params.audio()) else {
        return Err(SoundError::Unsupported { what: name.to_owned() });
    };
    let kind = kind(is_wav, params.codec)
        .ok_or_else(|| SoundError::Unsupported { what: format!("{name} with another codec") })?;
    let mut decoder = match CODECS.make_audio_decoder(params, &AudioDecoderOptions::default()) {
        Ok(decoder) => decoder,
        Err(Error::Unsupported(what)) => {
            return Err(SoundError::Unsupported { what: format!("{}, {what}", kind.name()) });
        }
        Err(error) => return Err(broken(&error)),
    };
    let (recording, frames) = read_packets(&mut *format, &mut *decoder, id, kind, limits, best)?;
    match (whole, limits.longer) {
        (Some(whole), Longer::Refuse) if recording.is_some() && is_cut_off(kind, frames, whole) => {
            Err(SoundError::Broken { what: format!("it ends after {frames} of {whole} samples") })
        }
        _ => Ok(recording),
    }
}

/// So many samples were in a file that says it has `whole`. Recorders that do not know the length write one that cannot be.
fn is_cut_off(kind: Kind, frames: u64, whole: u64) -> bool {
    let has_length = whole / UNKNOWN_LENGTH_SHARE <= frames;
    let at_the_ends = if kind == Kind::Mp3 { MP3_SAMPLES_AT_THE_ENDS } else { 0 };
    has_length && frames + whole / 50 + at_the_ends < whole
}

fn read_packets(
    format: &mut dyn FormatReader,
    decoder: &mut dyn AudioDecoder,
    id: u32,
    kind: Kind,
    limits: &Limits,
    best: Rate,
) -> Result<(Option<Recording>, u64), SoundError> {
    let mut begun: Option<(Track, Recording)> = None;
    let mut frames = 0_u64;
    let mut interleaved: Vec<f32> = Vec::new();
    let (mut decoded, mut failed, mut what) = (0_u64, 0_u64, String::new());
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // Another stream follows in the same file.
            Err(Error::ResetRequired) => break,
            // It ends early.
            Err(error) if is_end(&error) => break,
            Err(Error::IoError(error)) => return Err(SoundError::Read(error)),
            Err(error) => {
                // What was read so far stands, unless there is nothing.
                (failed, what) = (failed + 1, error.to_string());
                break;
            }
        };
        if packet.track_id != id {
            continue;
        }
        let audio = match decoder.decode(&packet) {
            Ok(audio) => audio,
            Err(error) => {
                (failed, what) = (failed + 1, error.to_string());
                if failed > BROKEN_PACKETS + decoded / BROKEN_SHARE {
                    return Err(SoundError::Broken { what });
                }
                continue;
            }
        };
        decoded += 1;
        let (hz, channels) = (audio.spec().rate(), audio.spec().channels().count());
        frames += audio.frames() as u64;
        if audio.frames() == 0 || channels == 0 {
            continue;
        }
        if begun.is_none() {
            if !RATES_HZ.contains(&hz) {
                return Err(SoundError::Rate { hz });
            }
            let rate = lowest_for(hz).min(best);
            let seconds_max = match rate {
                Rate::Full => limits.seconds_max.min(FULL_RATE_SECONDS_MAX),
                Rate::Narrow | Rate::Wide => limits.seconds_max,
            };
            let samples_max = seconds_max.max(1) as usize * rate.hz() as usize;
            let recording =
                Recording { rate, samples: Vec::new(), kind, file_rate_hz: hz, file_channels: channels };
            begun = Some((Track::new(hz, channels, rate, samples_max), recording));
        }
        let Some((track, recording)) = &mut begun else { continue };
        if (hz, channels) != (recording.file_rate_hz, recording.file_channels) {
            return Err(SoundError::Broken {
                what: "its sample rate or its number of channels changes on the way".to_owned(),
            });
        }
        interleaved.resize(audio.samples_interleaved(), 0.0);
        audio.copy_to_slice_interleaved(&mut interleaved);
        track.take(&interleaved);
        if track.is_full() {
            if recording.rate == Rate::Full && limits.seconds_max > FULL_RATE_SECONDS_MAX {
                return Ok((None, frames));
            }
            match limits.longer {
                Longer::Refuse => return Err(SoundError::TooLong { seconds_max: limits.seconds_max }),
                Longer::Cut => break,
            }
        }
    }
    let Some((track, mut recording)) = begun else {
        return Err(match (failed, kind) {
            (0, Kind::Wav) => SoundError::Empty,
            (0, _) => SoundError::Broken { what: "no sound follows its header".to_owned() },
            (_, _) => SoundError::Broken { what },
        });
    };
    recording.samples = track.finish();
    if recording.samples.is_empty() { Err(SoundError::Empty) } else { Ok((Some(recording), frames)) }
}

/// The lowest rate of the bridge that carries all of a file of this one.
fn lowest_for(hz: u32) -> Rate {
    Rate::ALL.into_iter().find(|rate| rate.hz() >= hz).unwrap_or(Rate::Full)
}

fn kind(is_wav: bool, codec: AudioCodecId) -> Option<Kind> {
    match codec {
        CODEC_ID_FLAC => Some(Kind::Flac),
        CODEC_ID_MP3 => Some(Kind::Mp3),
        CODEC_ID_OPUS => Some(Kind::Opus),
        CODEC_ID_VORBIS => Some(Kind::Vorbis),
        _ => is_wav.then_some(Kind::Wav),
    }
}

fn is_end(error: &Error) -> bool {
    matches!(error, Error::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof)
}

fn broken(error: &Error) -> SoundError {
    SoundError::Broken { what: error.to_string() }
}
