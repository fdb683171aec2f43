//! Announcements and tones played to the participants of a room.

use super::ramp::Ramp;
use crate::{Ducking, PlayId, PlayOptions};
use plenary_audio::{codec::Rate, resample::FrameConverter, tone::ToneGenerator};
use std::sync::Arc;

/// Level of a played tone, in dBov: as loud as speech.
const TONE_DBOV: f32 = -15.0;
/// What is lowered, for instance an announcement while a participant talks, is lowered by 12 dB.
pub(super) const LOWERED: f32 = 0.25;
/// Bounds of a playback's gain, in dB.
const GAIN_DB_MIN: f32 = -40.0;
const GAIN_DB_MAX: f32 = 20.0;
/// Speech that is interrupted before so much of it was heard, in ms, is heard again from its beginning: a sentence.
const WHOLE_AGAIN_MS: usize = 5000;
/// Longer speech goes back by so much, in ms.
const BACK_MS: usize = 2000;

/// An item of a play list, ready to be played.
#[derive(Debug, Clone)]
pub(crate) enum LoadedClip {
    /// Mono, at this rate.
    Samples(Rate, Arc<[i16]>),
    /// The same, a signal and no speech.
    Beep(Rate, Arc<[i16]>),
    /// A sine.
    Tone { hz: u32, ms: u32 },
    /// Nothing.
    Silence { ms: u32 },
}

impl LoadedClip {
    fn rate(&self) -> Rate {
        match self {
            Self::Samples(rate, _) | Self::Beep(rate, _) => *rate,
            Self::Tone { .. } | Self::Silence { .. } => Rate::Narrow,
        }
    }

    /// Samples at the rate of its list.
    fn samples(&self, rate: Rate) -> usize {
        match self {
            Self::Samples(_, samples) | Self::Beep(_, samples) => samples.len(),
            Self::Tone { ms, .. } | Self::Silence { ms } => *ms as usize * rate.hz() as usize / 1000,
        }
    }
}

/// How a playback shares its listeners with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlayKind {
    /// Tones and beeps: heard at once, over whatever else is.
    Signal,
    /// Repeated, as music is: heard at once, and lowered under speech.
    Background,
    /// Speech, which waits until other speech to its listener is over.
    Speech,
}

/// A play list being played: at one rate, and converted to the others in use.
#[derive(Debug, Clone)]
pub(crate) struct Playback {
    pub(crate) id: PlayId,
    pub(super) kind: PlayKind,
    pub(super) ducking: Option<Ducking>,
    /// Linear.
    gain: f32,
    applied: Ramp,
    /// It fades out, and its end is not reported.
    is_stopping: bool,
    /// It repeats for one listener what others hear in the meantime: its end is not reported.
    is_copy: bool,
    /// It waits for no other speech.
    is_urgent: bool,
    fades_in: bool,
    /// There is a frame for this tick.
    is_on: bool,
    has_begun: bool,
    rate: Rate,
    clips: Vec<LoadedClip>,
    repeat: bool,
    clip: usize,
    position: usize,
    tone: Option<ToneGenerator>,
    frames: [Box<[i16]>; 3],
    converters: [Option<Box<FrameConverter>>; 3],
}

impl Playback {
    /// With the usual options.
    #[cfg(test)]
    pub(crate) fn new(id: PlayId, clips: Vec<LoadedClip>, repeat: bool) -> Self {
        Self::with(id, clips, PlayOptions { repeat, ..PlayOptions::default() })
    }

    /// The list is played at the highest rate of its clips; those of a lower one are converted. Takes memory and
    /// time: not for media workers.
    pub(crate) fn with(id: PlayId, mut clips: Vec<LoadedClip>, options: PlayOptions) -> Self {
        let PlayOptions { repeat, gain_db, urgent, ducking } = options;
        let is_speech = |clip: &LoadedClip| matches!(clip, LoadedClip::Samples(..));
        let kind = match clips.iter().any(is_speech) {
            false => PlayKind::Signal,
            true if repeat => PlayKind::Background,
            true => PlayKind::Speech,
        };
        let rate = clips.iter().map(LoadedClip::rate).max().unwrap_or(Rate::Narrow);
        for clip in &mut clips {
            if let LoadedClip::Samples(of_clip, samples) | LoadedClip::Beep(of_clip, samples) = clip
                && *of_clip != rate
            {
                let converted = plenary_audio::resample::Resampler::convert(samples, of_clip.hz(), rate.hz());
                *clip = LoadedClip::Samples(rate, converted.into());
            }
        }
        clips.retain(|clip| clip.samples(rate) > 0);
        let gain = plenary_audio::linear(gain_db.clamp(GAIN_DB_MIN, GAIN_DB_MAX));
        Self {
            id,
            kind,
            ducking,
            gain,
            applied: Ramp::at(gain),
            is_stopping: false,
            is_copy: false,
            is_urgent: urgent && kind == PlayKind::Speech,
            fades_in: false,
            is_on: false,
            has_begun: false,
            rate,
            clips,
            repeat,
            clip: 0,
            position: 0,
            tone: None,
            frames: Rate::ALL.map(|rate| vec![0; rate.frame()].into()),
            converters: Rate::ALL.map(|to| (to != rate).then(|| Box::new(FrameConverter::new(rate, to)))),
        }
    }

    /// Its beginning fades in.
    pub(crate) fn fading_in(self) -> Self {
        Self { fades_in: true, applied: Ramp::at(0.0), ..self }
    }

    /// From the beginning, for one listener who could not hear it with the others.
    pub(super) fn copy(&self) -> Self {
        Self {
            is_copy: true,
            is_on: false,
            has_begun: false,
            fades_in: false,
            clip: 0,
            position: 0,
            tone: None,
            applied: Ramp::at(self.gain),
            ..self.clone()
        }
    }

    /// From where it is, for one listener who goes on hearing it alone.
    pub(super) fn copy_under_way(&self) -> Self {
        Self { is_copy: true, ..self.clone() }
    }

    /// Fades out. False: it has not begun, or is over, and can be removed at once.
    pub(super) fn stop(&mut self) -> bool {
        self.is_stopping = true;
        self.has_begun
    }

    /// It has begun and is not fading out.
    pub(super) fn is_under_way(&self) -> bool {
        self.has_begun && !self.is_stopping
    }

    /// It keeps other speech waiting.
    pub(super) fn is_speech(&self) -> bool {
        self.kind == PlayKind::Speech && !self.is_stopping
    }

    /// Its end is to be reported.
    pub(super) fn is_reported(&self) -> bool {
        !self.is_stopping && !self.is_copy
    }

    /// It repeats for one listener what others have heard.
    pub(super) fn is_copy(&self) -> bool {
        self.is_copy
    }

    /// It waits for no other speech, and others wait for it from the moment it is there.
    pub(super) fn is_urgent(&self) -> bool {
        self.is_urgent
    }

    /// In this tick it waits for others. What has begun fades out first, and is heard again when it goes on.
    pub(super) fn wait(&mut self, needed: [bool; 3]) {
        self.is_on = false;
        match (self.has_begun, self.applied.is(0.0)) {
            (false, _) => {}
            (true, true) => self.go_back(),
            (true, false) => {
                self.applied.jump(0.0);
                self.is_on = self.next_frame(needed);
            }
        }
    }

    /// Goes back to where its listener can follow: to the beginning where little of it was heard.
    fn go_back(&mut self) {
        if self.clip == self.clips.len() {
            // All of it was heard: it ends when it is its turn.
            return;
        }
        let samples = |ms: usize| ms * self.rate.hz() as usize / 1000;
        let before: usize = self.clips[..self.clip].iter().map(|clip| clip.samples(self.rate)).sum();
        let heard = before + self.position;
        let mut to = if heard <= samples(WHOLE_AGAIN_MS) { 0 } else { heard - samples(BACK_MS) };
        self.fades_in = to > 0;
        self.applied = Ramp::at(if self.fades_in { 0.0 } else { self.gain });
        (self.has_begun, self.tone) = (false, None);
        self.clip = 0;
        while let Some(length) = self.clips.get(self.clip).map(|clip| clip.samples(self.rate))
            && to >= length
        {
            to -= length;
            self.clip += 1;
        }
        self.position = to;
    }

    /// Adds what is heard in this tick.
    pub(crate) fn lay_over(&self, rate: Rate, sum: &mut [i32]) {
        if self.is_on {
            self.applied.lay_over(&self.frames[rate.index()], sum);
        }
    }

    /// Advances by a frame, at each of the rates needed, lowered or not. False: the list was already over, and there is no
    /// frame.
    pub(crate) fn advance(&mut self, needed: [bool; 3], is_lowered: bool) -> bool {
        self.is_on = false;
        if self.is_stopping && self.applied.is(0.0) {
            return false;
        }
        let wanted = self.gain * if is_lowered { LOWERED } else { 1.0 };
        if self.is_stopping {
            self.applied.jump(0.0);
        } else if self.has_begun || self.fades_in {
            self.applied.approach(wanted, self.gain);
        } else {
            self.applied = Ramp::at(wanted);
        }
        self.is_on = self.next_frame(needed);
        self.has_begun = true;
        self.is_on
    }

    fn next_frame(&mut self, needed: [bool; 3]) -> bool {
        let length = self.rate.frame();
        let mut frame = std::mem::take(&mut self.frames[self.rate.index()]);
        let mut filled = 0;
        while filled < length {
            if self.clip == self.clips.len() {
                if !self.repeat || self.clips.is_empty() {
                    break;
                }
                self.clip = 0;
            }
            let clip = &self.clips[self.clip];
            let samples = clip.samples(self.rate);
            let count = (samples - self.position).min(length - filled);
            let out = &mut frame[filled..filled + count];
            match clip {
                LoadedClip::Samples(_, samples) | LoadedClip::Beep(_, samples) => {
                    out.copy_from_slice(&samples[self.position..self.position + count]);
                }
                LoadedClip::Silence { .. } => out.fill(0),
                LoadedClip::Tone { hz, .. } => {
                    let rate_hz = self.rate.hz();
                    let tone =
                        self.tone.get_or_insert_with(|| ToneGenerator::new(rate_hz, *hz as f32, TONE_DBOV));
                    tone.fill(out);
                    fade_out(out, samples - self.position, rate_hz as usize / 200);
                }
            }
            filled += count;
            self.position += count;
            if self.position == samples {
                (self.position, self.tone) = (0, None);
                self.clip += 1;
            }
        }
        frame[filled..].fill(0);
        for (rate, converter) in Rate::ALL.into_iter().zip(&mut self.converters) {
            if let Some(converter) = converter
                && needed[rate.index()]
            {
                converter.convert(&frame, &mut self.frames[rate.index()]);
            }
        }
        self.frames[self.rate.index()] = frame;
        filled > 0
    }
}

/// Fades out the last 5 ms of a tone of which `left` samples are left, because a tone cut off clicks. Its start fades
/// in by itself.
fn fade_out(out: &mut [i16], left: usize, edge: usize) {
    for (offset, sample) in out.iter_mut().enumerate() {
        let to_end = left - offset;
        if to_end < edge {
            *sample = (i32::from(*sample) * to_end as i32 / edge as i32) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plenary_audio::goertzel::power_dbov;

    const FRAME: usize = 160;

    fn played_at(rate: Rate, clips: Vec<LoadedClip>, repeat: bool, frames: usize) -> Vec<i16> {
        let mut playback = Playback::new(PlayId(1), clips, repeat);
        let mut all = Vec::new();
        for _ in 0..frames {
            if !playback.advance([true; 3], false) {
                break;
            }
            let mut sum = vec![0; rate.frame()];
            playback.lay_over(rate, &mut sum);
            all.extend(sum.into_iter().map(|sample| sample as i16));
        }
        all
    }

    fn played(clips: Vec<LoadedClip>, repeat: bool, frames: usize) -> Vec<i16> {
        played_at(Rate::Narrow, clips, repeat, frames)
    }

    fn samples(samples: impl IntoIterator<Item = i16>) -> LoadedClip {
        LoadedClip::Samples(Rate::Narrow, samples.into_iter().collect())
    }

    #[test]
    fn clips_follow_each_other_without_a_gap_and_the_list_ends() {
        let all = played(vec![samples(1..=200), LoadedClip::Silence { ms: 12 }, samples([7; 30])], false, 10);
        assert_eq!(all.len(), 3 * FRAME);
        assert!(all[..200].iter().copied().eq(1..=200));
        assert!(all[200..296].iter().all(|sample| *sample == 0));
        assert_eq!(all[296..326], [7; 30]);
        assert!(all[326..].iter().all(|sample| *sample == 0));
    }

    #[test]
    fn a_list_that_repeats_starts_over_and_one_of_nothing_is_over_at_once() {
        let all = played(vec![samples([3, 4, 5])], true, 2);
        assert!(all.iter().enumerate().all(|(place, sample)| *sample == 3 + (place % 3) as i16));
        assert!(played(vec![], true, 2).is_empty());
        assert!(played(vec![LoadedClip::Silence { ms: 0 }], true, 2).is_empty());
    }

    #[test]
    fn a_tone_begins_and_ends_softly() {
        let all = played(vec![LoadedClip::Tone { hz: 1000, ms: 100 }], false, 5);
        let loudest = all.iter().map(|sample| sample.unsigned_abs()).max().expect("samples");
        assert!(loudest > 4000, "{loudest}");
        assert!(all[0].unsigned_abs() < 300 && all[799].unsigned_abs() < 300, "{} {}", all[0], all[799]);
        assert!(all.windows(2).all(|pair| (i32::from(pair[1]) - i32::from(pair[0])).unsigned_abs() < 6000));
    }

    #[test]
    fn a_list_of_two_rates_keeps_pitch_and_level_at_each() {
        let wide: Arc<[i16]> = plenary_audio::tone::tone(16_000, 5000.0, -12.0, 500).into();
        let list = vec![LoadedClip::Samples(Rate::Wide, wide), LoadedClip::Tone { hz: 1000, ms: 500 }];
        for rate in Rate::ALL {
            let all = played_at(rate, list.clone(), false, 60);
            let (first, second) = all.split_at(rate.hz() as usize / 2);
            let at = |part: &[i16], hz| power_dbov(&part[rate.frame() * 5..rate.frame() * 20], rate.hz(), hz);
            assert!((at(second, 1000.0) - TONE_DBOV).abs() < 0.3, "{rate:?}: {}", at(second, 1000.0));
            if rate == Rate::Narrow {
                assert!(at(first, 3000.0) < -70.0, "what it cannot carry is not folded back");
            } else {
                assert!((at(first, 5000.0) + 12.0).abs() < 0.3, "{rate:?}: {}", at(first, 5000.0));
            }
        }
    }
}
