//! Gains that change without a click.

use plenary_audio::nearest;

/// Frames in which a gain falls to what is wanted, and in which it rises: 100 and 300 ms.
const FRAMES_DOWN: f32 = 5.0;
const FRAMES_UP: f32 = 15.0;

/// A linear gain over one frame: from its value at the first sample to that after the last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ramp {
    from: f32,
    to: f32,
}

impl Ramp {
    /// Constant.
    pub(super) fn at(gain: f32) -> Self {
        Self { from: gain, to: gain }
    }

    /// It ends at this gain, and did not change in this frame.
    pub(super) fn is(self, gain: f32) -> bool {
        self.from == gain && self.to == gain
    }

    /// Changes within the next frame.
    pub(super) fn jump(&mut self, gain: f32) {
        (self.from, self.to) = (self.to, gain);
    }

    /// Changes as people turn a knob; `whole`: the gain from which to nothing takes the whole time.
    pub(super) fn approach(&mut self, gain: f32, whole: f32) {
        let step = (gain - self.to).clamp(-whole / FRAMES_DOWN, whole / FRAMES_UP);
        // What is left after the last step is less than rounding.
        let near = (gain - self.to - step).abs() < 1e-4;
        self.jump(if near { gain } else { self.to + step });
    }

    fn each(self, length: usize) -> impl Iterator<Item = f32> {
        let step = (self.to - self.from) / length.max(1) as f32;
        (1..length as i32 + 1).map(move |place| self.from + step * place as f32)
    }

    /// Applies it to a sum.
    pub(super) fn apply(self, sum: &mut [i32]) {
        if self.is(1.0) {
            return;
        }
        if self.is(0.0) {
            return sum.fill(0);
        }
        let length = sum.len();
        for (sample, gain) in sum.iter_mut().zip(self.each(length)) {
            *sample = nearest(*sample as f32 * gain);
        }
    }

    /// Adds a frame to a sum.
    pub(super) fn lay_over(self, frame: &[i16], sum: &mut [i32]) {
        if self.is(1.0) {
            for (sum, sample) in sum.iter_mut().zip(frame) {
                *sum += i32::from(*sample);
            }
            return;
        }
        for ((sum, sample), gain) in sum.iter_mut().zip(frame).zip(self.each(frame.len())) {
            *sum += nearest(f32::from(*sample) * gain);
        }
    }

    /// Moves the part of a voice that this gain leaves out into `rest`, which is as long.
    pub(super) fn split(self, voice: &mut [i16], rest: &mut [i16]) {
        let length = voice.len();
        for ((sample, rest), gain) in voice.iter_mut().zip(rest).zip(self.each(length)) {
            let kept = (f32::from(*sample) * gain) as i16;
            (*sample, *rest) = (kept, *sample - kept);
        }
    }

    /// Applies it to a voice. It may not exceed 1.
    pub(super) fn fade(self, voice: &mut [i16]) {
        let length = voice.len();
        for (sample, gain) in voice.iter_mut().zip(self.each(length)) {
            *sample = (f32::from(*sample) * gain) as i16;
        }
    }
}
