//! Opus streams of their own, where they are many: encoding them takes most of a tick, and a room is on one worker. The rest of the
//! machine helps for that moment.

use super::{MemberKey, send_path::PAYLOAD_BYTES_MAX};
use plenary_audio::{codec::Encoder, opus::FRAME_SAMPLES};
use std::{
    sync::{LazyLock, Mutex, PoisonError},
    thread,
};

/// For each further so many a thread helps: to start one costs as much as two frames.
const STREAMS_OF_A_THREAD: usize = 100;
const THREADS_MAX: usize = 4;
/// A thread takes so many at a time, so that none waits long for another.
const STREAMS_AT_A_TIME: usize = 8;

static CORES: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from));

/// A frame of one participant's stream.
#[derive(Debug)]
struct Frame {
    member: MemberKey,
    encoder: Encoder,
    samples: [i16; FRAME_SAMPLES],
    payload: [u8; PAYLOAD_BYTES_MAX],
    length: usize,
}

/// The frames of one tick.
#[derive(Debug, Default)]
pub(super) struct OwnStreams(Vec<Frame>);

impl OwnStreams {
    /// Takes the encoder of a participant with the frame that it is to encode next.
    pub(super) fn take(&mut self, member: MemberKey, encoder: Encoder, samples: &[i16]) {
        let (empty, payload) = ([0; FRAME_SAMPLES], [0; PAYLOAD_BYTES_MAX]);
        let mut frame = Frame { member, encoder, samples: empty, payload, length: 0 };
        let length = samples.len().min(FRAME_SAMPLES);
        frame.samples[..length].copy_from_slice(&samples[..length]);
        self.0.push(frame);
    }

    /// Encodes all, and gives each encoder back with its payload.
    pub(super) fn encode(&mut self, mut give_back: impl FnMut(MemberKey, Encoder, &[u8])) {
        let threads = (self.0.len() / STREAMS_OF_A_THREAD).clamp(1, THREADS_MAX).min(*CORES);
        let parts = Mutex::new(self.0.chunks_mut(STREAMS_AT_A_TIME));
        let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || {
            while let Some(part) = next() {
                part.iter_mut().for_each(Frame::encode);
            }
        };
        thread::scope(|scope| {
            for _ in 1..threads {
                // Where there can be no further thread, those that there are do it.
                let _ = thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        for frame in self.0.drain(..) {
            give_back(frame.member, frame.encoder, &frame.payload[..frame.length]);
        }
    }
}

impl Frame {
    fn encode(&mut self) {
        self.length = self.encoder.encode(&self.samples, &mut self.payload);
        self.encoder.set_independent(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plenary_audio::{codec::Codec, opus::Settings, tone::tone};

    #[test]
    fn each_stream_is_encoded_as_it_would_be_alone_however_many_there_are() {
        let settings = Settings::default().cheapest();
        let sound = tone(48_000, 440.0, -20.0, 100);
        for streams in [1, 3, 350] {
            let mut alone: Vec<Encoder> =
                (0..streams).map(|_| Encoder::new(Codec::Opus, &settings)).collect();
            let mut encoders: Vec<Option<Encoder>> = alone.iter().cloned().map(Some).collect();
            let mut own = OwnStreams::default();
            for tick in 0..4 {
                // Each has something else to say.
                let frame = |member: usize| &sound[tick * FRAME_SAMPLES / 2 + member..][..FRAME_SAMPLES];
                for (member, encoder) in encoders.iter_mut().enumerate() {
                    own.take(MemberKey(member), encoder.take().expect("it was given back"), frame(member));
                }
                let mut payloads = Vec::new();
                own.encode(|member, encoder, payload| {
                    encoders[member.0] = Some(encoder);
                    payloads.push(payload.to_vec());
                });
                for (member, payload) in payloads.iter().enumerate() {
                    let mut expected = [0; PAYLOAD_BYTES_MAX];
                    let length = alone[member].encode(frame(member), &mut expected);
                    assert_eq!(payload, &expected[..length], "stream {member} of {streams}");
                }
                assert_eq!(payloads.len(), streams);
            }
        }
    }
}
