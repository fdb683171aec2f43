//! The waveform of a track: its lowest and highest samples in equal steps, found by reading the file once.

use crate::{StoredFile, ogg::pre_skip, repair::each_page, wav};
use plenary_audio::opus::{Decoder, PACKET_SAMPLES_MAX};
use plenary_model::RecordingFormat as Format;
use serde::Serialize;
use std::io::{self, BufReader, Read};

/// Peaks of the finest step that is kept while a file is read.
const FINEST_MAX: usize = 1 << 16;

/// A waveform. Its JSON is that of audiowaveform, which players of web pages read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Peaks {
    /// Of this form.
    pub version: u8,
    /// One.
    pub channels: u8,
    /// Samples per second.
    pub sample_rate: u32,
    /// Samples of a step.
    pub samples_per_pixel: u64,
    /// Bits of a value.
    pub bits: u8,
    /// Steps.
    pub length: usize,
    /// The lowest and the highest value of each step, -128 to 127.
    pub data: Vec<i8>,
}

/// The waveform of a file, in no more than so many steps. A file that still grows has one up to now.
///
/// # Errors
/// It cannot be read.
pub fn peaks(file: &StoredFile, format: Format, steps_max: usize) -> io::Result<Peaks> {
    let mut found = Found { per_step: 960, ..Found::default() };
    match format {
        Format::Opus => read_ogg(file, &mut found)?,
        Format::Wav => read_wav(file, &mut found)?,
    }
    Ok(found.peaks(steps_max.max(1)))
}

fn read_wav(file: &StoredFile, found: &mut Found) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(64 * 1024, file.reader());
    let mut header = [0; wav::HEADER_BYTES as usize];
    if reader.read_exact(&mut header).is_err() {
        return Ok(());
    }
    let mut sample = [0; 2];
    while reader.read_exact(&mut sample).is_ok() {
        found.add(i16::from_le_bytes(sample));
    }
    Ok(())
}

fn read_ogg(file: &StoredFile, found: &mut Found) -> io::Result<()> {
    let mut decoder = Decoder::new();
    let mut samples = vec![0; PACKET_SAMPLES_MAX];
    let (mut skip, mut headers) = (0, 0);
    // Samples so far, pre-skip included.
    let mut decoded: u64 = 0;
    each_page(file, |page| {
        // The granule position of the last page cuts off what was encoded beyond the end (RFC 7845, section 4.4).
        let end = page.granule().unwrap_or(u64::MAX);
        for packet in page.packets() {
            if headers < 2 {
                skip = pre_skip(packet).map_or(skip, u64::from);
                headers += 1;
                continue;
            }
            let count = decoder.decode(packet, &mut samples) as u64;
            let from = skip.saturating_sub(decoded).min(count);
            let to = end.saturating_sub(decoded).min(count);
            decoded += count;
            if from < to {
                samples[from as usize..to as usize].iter().for_each(|sample| found.add(*sample));
            }
        }
        true
    })
}

/// Steps that become twice as long whenever there are too many.
#[derive(Debug, Default)]
struct Found {
    per_step: u64,
    steps: Vec<(i16, i16)>,
    /// Of the step that is not full yet.
    count: u64,
    low: i16,
    high: i16,
}

impl Found {
    fn add(&mut self, sample: i16) {
        (self.low, self.high) = match self.count {
            0 => (sample, sample),
            _ => (self.low.min(sample), self.high.max(sample)),
        };
        self.count += 1;
        if self.count == self.per_step {
            self.steps.push((self.low, self.high));
            self.count = 0;
            if self.steps.len() >= FINEST_MAX {
                self.coarsen();
            }
        }
    }

    fn coarsen(&mut self) {
        self.steps = join(&self.steps, 2);
        self.per_step *= 2;
    }

    fn peaks(mut self, steps_max: usize) -> Peaks {
        if self.count > 0 {
            self.steps.push((self.low, self.high));
        }
        let factor = self.steps.len().div_ceil(steps_max).max(1);
        let steps = join(&self.steps, factor);
        let value = |sample: i16| (sample >> 8) as i8;
        Peaks {
            version: 2,
            channels: 1,
            sample_rate: wav::RATE,
            samples_per_pixel: self.per_step * factor as u64,
            bits: 8,
            length: steps.len(),
            data: steps.iter().flat_map(|(low, high)| [value(*low), value(*high)]).collect(),
        }
    }
}

fn join(steps: &[(i16, i16)], factor: usize) -> Vec<(i16, i16)> {
    let joined = steps.chunks(factor).map(|steps| {
        let low = steps.iter().map(|(low, _)| *low).min().unwrap_or(0);
        (low, steps.iter().map(|(_, high)| *high).max().unwrap_or(0))
    });
    joined.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_has_coarser_steps_that_keep_its_peaks() {
        let mut found = Found { per_step: 1, ..Found::default() };
        for place in 0..200_000_i32 {
            found.add(match place {
                70_000 => 25_600,
                130_000 => -25_600,
                _ => 0,
            });
        }
        let peaks = found.peaks(100);
        assert!(peaks.length <= 100 && peaks.data.len() == 2 * peaks.length, "{}", peaks.length);
        let step = |place: u64| 2 * (place / peaks.samples_per_pixel) as usize;
        assert_eq!(peaks.data[step(70_000) + 1], 100);
        assert_eq!(peaks.data[step(130_000)], -100);
        assert_eq!(peaks.data.iter().filter(|value| **value != 0).count(), 2);
    }
}
