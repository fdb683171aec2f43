//! Records what a participant says, for instance their name, to be played to others.

use crate::RecordingId;
use plenary_audio::{codec::Rate, resample::FrameConverter};

/// The longest recording: 4 s.
const SAMPLES_MAX: usize = 200 * FRAME;
/// Samples of a frame of the recording.
const FRAME: usize = Rate::Wide.frame();
/// What is kept of the time before speech is detected, which takes three frames and a soft beginning longer: 300 ms.
const SAMPLES_BEFORE: usize = 15 * FRAME;
/// If nothing is said it ends after 10 s.
const FRAMES_WITHOUT_SPEECH: u32 = 500;
/// After speech it ends in silence: 1 s after speech is known to have ended, which takes half a second.
const FRAMES_AFTER_SPEECH: u32 = 50;

/// A recording, at [`Rate::Wide`]. All its memory is taken at its beginning.
#[derive(Debug)]
pub(crate) struct NameRecorder {
    pub(crate) id: RecordingId,
    samples: Vec<i16>,
    /// From the other rates.
    converters: [Option<Box<FrameConverter>>; 3],
    frame: [i16; FRAME],
    has_begun: bool,
    /// Frames without speech.
    silent: u32,
}

impl NameRecorder {
    /// Takes memory and time: not for media workers.
    pub(crate) fn new(id: RecordingId) -> Self {
        let converter = |from| (from != Rate::Wide).then(|| Box::new(FrameConverter::new(from, Rate::Wide)));
        Self {
            id,
            samples: Vec::with_capacity(SAMPLES_MAX),
            converters: Rate::ALL.map(converter),
            frame: [0; FRAME],
            has_begun: false,
            silent: 0,
        }
    }

    pub(crate) fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// Takes 20 ms at this rate. True: the recording has ended.
    pub(super) fn take(&mut self, frame: &[i16], rate: Rate, talking: bool) -> bool {
        self.has_begun |= talking;
        self.silent = if talking { 0 } else { self.silent + 1 };
        if !self.has_begun && self.samples.len() >= SAMPLES_BEFORE {
            self.samples.copy_within(FRAME.., 0);
            self.samples.truncate(SAMPLES_BEFORE - FRAME);
        }
        match &mut self.converters[rate.index()] {
            Some(converter) => converter.convert(frame, &mut self.frame),
            None => self.frame.copy_from_slice(frame),
        }
        self.samples.extend_from_slice(&self.frame);
        match self.has_begun {
            false => self.silent >= FRAMES_WITHOUT_SPEECH,
            true => self.silent >= FRAMES_AFTER_SPEECH || self.samples.len() >= SAMPLES_MAX,
        }
    }
}
