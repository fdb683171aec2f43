//! One track: from frames of 20 ms at any rate to a file that can be played at any moment.

use crate::{
    StoredFile,
    ogg::{PACKET_SAMPLES, Pages},
    output::Output,
    wav,
};
use plenary_audio::{
    codec::Rate,
    opus::{self, FRAME_BYTES_MAX, FRAME_SAMPLES},
    resample::FrameConverter,
};
use plenary_model::RecordingFormat as Format;
use std::io;

/// Ten packets of 20 ms go to the disk at once.
const FRAMES_PER_WRITE: usize = 10;
/// A longer silence in a WAV file is not written: one who comes late has hours of it at once.
const FRAMES_WITHOUT_HOLE: u64 = 50;
/// After so much silence the encoder's state has died away: what follows is the packet of silence.
const FRAMES_UNTIL_SILENT: u32 = 25;
/// A packet of 20 ms of digital silence, CELT, full band (RFC 6716, section 3.1).
const SILENT_PACKET: [u8; 3] = [0xf8, 0xff, 0xfe];

/// How thoroughly a track is coded (0 to 10). At the bit rates of recordings speech of 8 kHz gains nothing by more than 1
/// (PESQ 4.51 instead of 4.53 at 32 kbit/s) and takes half the time; what is wider loses by it (4.36 instead of 4.45).
const fn complexity(rate: Rate) -> u8 {
    match rate {
        Rate::Narrow => 1,
        Rate::Wide | Rate::Full => 5,
    }
}

/// The encoder of a track, as it begins.
pub(crate) fn encoder(bitrate: u32) -> opus::Encoder {
    // Nothing is lost on the way to a disk, and silence is written.
    let complexity = complexity(Rate::Full);
    let settings =
        opus::Settings { bitrate, complexity, fec: false, dtx: false, ..opus::Settings::default() };
    opus::Encoder::new(&settings)
}

/// Why a track cannot go on.
#[derive(Debug)]
pub(crate) enum TrackError {
    /// The disk.
    Io(io::Error),
    /// The file is as long as its format allows.
    Full,
}

impl From<io::Error> for TrackError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Track {
    output: Output,
    writer: Writer,
    converters: [Option<Box<FrameConverter>>; 3],
    /// The rate of the last frame.
    rate: Option<Rate>,
    /// Frames of 20 ms so far.
    frames: u64,
    full: [i16; FRAME_SAMPLES],
}

#[derive(Debug)]
enum Writer {
    Opus(Box<OpusWriter>),
    Wav { chunk: Vec<u8>, data: u64 },
}

#[derive(Debug)]
struct OpusWriter {
    encoder: opus::Encoder,
    pages: Pages,
    pre_skip: u16,
    /// What the encoder is set to.
    rate: Rate,
    /// Silent frames in a row.
    silent: u32,
}

impl Track {
    /// Begins a file; `fresh` is the encoder before its first frame.
    pub(crate) fn begin(
        file: StoredFile,
        format: Format,
        serial: u32,
        fresh: &opus::Encoder,
    ) -> Result<Self, TrackError> {
        let mut output = Output::new(file);
        let writer = match format {
            Format::Opus => {
                let mut encoder = fresh.clone();
                let pre_skip = encoder.delay_samples();
                let mut pages = Pages::new(serial);
                output.append(&pages.headers(pre_skip))?;
                Writer::Opus(Box::new(OpusWriter { encoder, pages, pre_skip, rate: Rate::Full, silent: 0 }))
            }
            Format::Wav => {
                output.append(&wav::header(0))?;
                Writer::Wav { chunk: Vec::with_capacity(FRAMES_PER_WRITE * FRAME_SAMPLES * 2), data: 0 }
            }
        };
        let converters = [const { None }; 3];
        Ok(Self { output, writer, converters, rate: None, frames: 0, full: [0; FRAME_SAMPLES] })
    }

    pub(crate) fn output(&self) -> &Output {
        &self.output
    }

    /// Frames of 20 ms so far.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    /// Adds silence until there are so many frames.
    pub(crate) fn silence_until(&mut self, frames: u64, fresh: &opus::Encoder) -> Result<(), TrackError> {
        let missing = frames.saturating_sub(self.frames);
        if let (Writer::Wav { chunk, data }, true) = (&mut self.writer, missing > FRAMES_WITHOUT_HOLE) {
            let bytes = missing * 2 * FRAME_SAMPLES as u64;
            if *data + chunk.len() as u64 + bytes > wav::DATA_BYTES_MAX {
                return Err(TrackError::Full);
            }
            write_chunk(&mut self.output, chunk, data)?;
            self.output.append_zeros(bytes)?;
            *data += bytes;
            self.output.overwrite(&wav::header(*data), 0)?;
            self.frames = frames;
        }
        while self.frames < frames {
            self.full.fill(0);
            self.write(true, fresh)?;
        }
        Ok(())
    }

    /// Adds a frame.
    pub(crate) fn push(
        &mut self,
        rate: Rate,
        samples: &[i16],
        fresh: &opus::Encoder,
    ) -> Result<(), TrackError> {
        let converter = &mut self.converters[rate.index()];
        if rate == Rate::Full {
            self.full.copy_from_slice(samples);
        } else {
            let converter = converter.get_or_insert_with(|| Box::new(FrameConverter::new(rate, Rate::Full)));
            if self.rate != Some(rate) {
                converter.reset();
            }
            converter.convert(samples, &mut self.full);
        }
        self.rate = Some(rate);
        let is_silent = self.full.iter().all(|sample| *sample == 0);
        self.write(is_silent, fresh)
    }

    fn write(&mut self, is_silent: bool, fresh: &opus::Encoder) -> Result<(), TrackError> {
        let Self { output, writer, full, rate, .. } = self;
        match writer {
            Writer::Opus(writer) => {
                writer.write(full, rate.unwrap_or(Rate::Full), is_silent, fresh, output)?;
            }
            Writer::Wav { chunk, data } => {
                if *data + chunk.len() as u64 + 2 * FRAME_SAMPLES as u64 > wav::DATA_BYTES_MAX {
                    return Err(TrackError::Full);
                }
                chunk.extend(full.iter().flat_map(|sample| sample.to_le_bytes()));
                if chunk.len() >= FRAMES_PER_WRITE * FRAME_SAMPLES * 2 {
                    write_chunk(output, chunk, data)?;
                }
            }
        }
        self.frames += 1;
        Ok(())
    }

    /// Ends the file. Octets of it.
    pub(crate) fn finish(&mut self) -> Result<u64, TrackError> {
        let Self { output, writer, frames, .. } = self;
        match writer {
            Writer::Opus(writer) => {
                // What is still in the encoder comes out with one more frame; the granule position cuts off the rest.
                let mut packet = [0; FRAME_BYTES_MAX];
                let length = writer.encoder.encode(&[0; FRAME_SAMPLES], &mut packet);
                writer.pages.push(&packet[..length]);
                let samples = *frames * PACKET_SAMPLES + u64::from(writer.pre_skip);
                output.append(writer.pages.last_page(samples))?;
            }
            Writer::Wav { chunk, data } => write_chunk(output, chunk, data)?,
        }
        Ok(output.length())
    }
}

fn write_chunk(output: &mut Output, chunk: &mut Vec<u8>, data: &mut u64) -> io::Result<()> {
    let written = output.append(chunk);
    if written.is_ok() {
        *data += chunk.len() as u64;
    }
    chunk.clear();
    // Also after a failure: the sizes say what is there.
    output.overwrite(&wav::header(*data), 0)?;
    written
}

impl OpusWriter {
    fn write(
        &mut self,
        frame: &[i16],
        rate: Rate,
        is_silent: bool,
        fresh: &opus::Encoder,
        output: &mut Output,
    ) -> io::Result<()> {
        let mut packet = [0; FRAME_BYTES_MAX];
        let was_silent = self.silent >= FRAMES_UNTIL_SILENT;
        self.silent = if is_silent { self.silent.saturating_add(1) } else { 0 };
        let is_full = if was_silent && is_silent {
            self.pages.push(&SILENT_PACKET)
        } else {
            if was_silent {
                // A decoder that comes from silence begins anew, and so does the encoder.
                self.encoder.copy_from(fresh);
                self.rate = Rate::Full;
            }
            if self.rate != rate {
                self.encoder.set_rate_max(rate);
                self.encoder.set_complexity(complexity(rate));
                self.rate = rate;
            }
            let length = self.encoder.encode(frame, &mut packet);
            // The encoder takes every frame of 20 ms.
            let packet = if length == 0 { &SILENT_PACKET } else { &packet[..length] };
            self.pages.push(packet)
        };
        if is_full {
            output.append(self.pages.page())?;
        }
        Ok(())
    }
}
