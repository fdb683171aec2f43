//! Interleaved samples of any rate to mono at one of the bridge's, a piece at a time: at its own rate a long file would
//! take ten times the memory.

use plenary_audio::{codec::Rate, resample::Resampler};

/// Samples converted at a time.
const PIECE_SAMPLES: usize = 8192;

pub(crate) struct Track {
    channels: usize,
    samples_max: usize,
    resampler: Option<Resampler>,
    /// Samples of the file that bring the last of it out of the resampler: twenty milliseconds do at any rate.
    flush: usize,
    piece: Vec<i16>,
    out: Vec<i16>,
    /// Samples of the file, of one channel.
    taken: u64,
    ratio: f64,
}

impl Track {
    /// `samples_max` at the rate `to`.
    pub(crate) fn new(rate_hz: u32, channels: usize, to: Rate, samples_max: usize) -> Self {
        Self {
            channels: channels.max(1),
            samples_max,
            resampler: (rate_hz != to.hz()).then(|| Resampler::new(rate_hz, to.hz())),
            flush: (rate_hz / 50) as usize,
            piece: Vec::with_capacity(PIECE_SAMPLES),
            out: Vec::new(),
            taken: 0,
            ratio: f64::from(to.hz()) / f64::from(rate_hz),
        }
    }

    /// Takes samples with full scale 1, the channels interleaved.
    pub(crate) fn take(&mut self, samples: &[f32]) {
        for moment in samples.chunks_exact(self.channels) {
            let mean = moment.iter().sum::<f32>() / self.channels as f32;
            self.piece.push((mean * 32_768.0).round() as i16);
            self.taken += 1;
            if self.piece.len() == PIECE_SAMPLES {
                self.convert();
            }
        }
    }

    /// It is longer than allowed.
    pub(crate) fn is_full(&self) -> bool {
        self.taken as f64 * self.ratio > self.samples_max as f64
    }

    fn convert(&mut self) {
        match &mut self.resampler {
            Some(resampler) => resampler.run(&self.piece, &mut self.out),
            None => self.out.extend_from_slice(&self.piece),
        }
        self.piece.clear();
    }

    /// All of it, with its end.
    pub(crate) fn finish(mut self) -> Vec<i16> {
        self.convert();
        if self.resampler.is_some() {
            self.piece.resize(self.flush, 0);
            self.convert();
        }
        let length = (self.taken as f64 * self.ratio) as usize;
        self.out.truncate(length.min(self.samples_max));
        self.out.shrink_to_fit();
        self.out
    }
}
