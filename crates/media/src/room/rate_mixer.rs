//! The mix of a room at one sample rate, and its encoding.
//!
//! ```text
//!   voices ─▶ bus ─┬─ total ─────▶ limiter ─▶ encode once per codec ─▶ all listeners
//!                  └─ minus own ─▶ limiter ─▶ encode ─▶ each talker
//!                      announcements are added to either
//! ```

use super::{plays::RoomPlay, ramp::Ramp, send_path::PAYLOAD_BYTES_MAX, settings::Settings};
use plenary_audio::{
    bus::Bus,
    codec::{Codec, Encoder, Rate},
    level,
    limit::Limiter,
};

/// Below this level the coarser sound of an independent frame is not noticed.
const QUIET_DBOV: f32 = -45.0;

/// The mix at one rate and its encodings.
#[derive(Debug)]
pub(super) struct RateMixer {
    pub(super) bus: Bus,
    /// What listeners hear, by whether they hear the voices.
    pub(super) shared: [Shared; 2],
    /// Streams of this rate in the room.
    pub(super) members: usize,
}

/// A frame for many listeners: mixed when the first one needs it, and encoded when the first one needs it in a codec.
#[derive(Debug)]
pub(super) struct Shared {
    mixed: bool,
    /// The previous frame was sent, so the limiter is up to date.
    is_current: bool,
    frame: Box<[i16]>,
    level_dbov: f32,
    limiter: Limiter,
    /// The limiter as it was at the start of the tick.
    limiter_before: Limiter,
    streams: [Option<Box<SharedStream>>; 4],
}

/// One encoded stream with many listeners.
#[derive(Debug)]
pub(super) struct SharedStream {
    pub(super) encoder: Encoder,
    payload: Box<[u8]>,
    length: usize,
    encoded: bool,
    /// The previous frame was sent, so the encoder is up to date.
    is_current: bool,
    /// A participant joins from another stream: this frame may have to be independent of earlier ones.
    pub(super) has_newcomer: bool,
}

impl RateMixer {
    pub(super) fn new(rate: Rate) -> Self {
        let shared = || Shared {
            mixed: false,
            is_current: false,
            frame: vec![0; rate.frame()].into(),
            level_dbov: -127.0,
            limiter: Limiter::new(),
            limiter_before: Limiter::new(),
            streams: [const { None }; 4],
        };
        Self { bus: Bus::new(rate), shared: [shared(), shared()], members: 0 }
    }

    /// Prepares for listeners of a codec.
    pub(super) fn prepare(&mut self, codec: Codec, settings: &Settings) {
        for shared in &mut self.shared {
            shared.streams[codec.index()].get_or_insert_with(|| {
                Box::new(SharedStream {
                    encoder: Encoder::new(codec, &settings.opus),
                    payload: vec![0; PAYLOAD_BYTES_MAX].into(),
                    length: 0,
                    encoded: false,
                    is_current: false,
                    has_newcomer: false,
                })
            });
        }
    }

    /// There may be listeners in a codec with state.
    pub(super) fn has_memory(&self) -> bool {
        Codec::ALL.iter().any(|codec| codec.has_memory() && self.shared[0].streams[codec.index()].is_some())
    }

    /// Begins a tick.
    pub(super) fn begin(&mut self) {
        self.bus.begin();
        for shared in &mut self.shared {
            let mut is_heard = std::mem::take(&mut shared.mixed);
            for stream in shared.streams.iter_mut().flatten() {
                stream.is_current = std::mem::take(&mut stream.encoded);
                stream.has_newcomer = false;
                is_heard |= stream.is_current;
            }
            if !is_heard {
                // The peak that reduced its gain is long gone.
                shared.limiter = Limiter::new();
            }
            shared.is_current = is_heard;
            shared.limiter_before.clone_from(&shared.limiter);
        }
    }

    /// The limiter with which a stream of its own continues for a participant who leaves the shared one.
    pub(super) fn limiter(&self, listens: bool) -> &Limiter {
        &self.shared[usize::from(listens)].limiter_before
    }

    /// The limiter with which the shared stream continues after the tick.
    pub(super) fn limiter_after(&self, listens: bool) -> &Limiter {
        &self.shared[usize::from(listens)].limiter
    }

    /// This stream has listeners, and was not silent in the last tick.
    pub(super) fn is_loud(&self, codec: Codec, listens: bool) -> bool {
        let shared = &self.shared[usize::from(listens)];
        let is_current = shared.streams[codec.index()].as_ref().is_some_and(|stream| stream.is_current);
        is_current && shared.level_dbov > QUIET_DBOV
    }

    /// Whether a participant whose own stream had this limiter would hear the same gain on the shared one.
    pub(super) fn may_join(&mut self, listens: bool, limiter: &mut Limiter) -> bool {
        let shared = &mut self.shared[usize::from(listens)];
        if !shared.is_current && !shared.mixed {
            // No other listener is on it: it continues where their own ends.
            shared.limiter.clone_from(limiter);
            shared.limiter_before.clone_from(limiter);
            shared.is_current = true;
        }
        let may = limiter.goes_on_like(&shared.limiter_before);
        if !may {
            limiter.approach(&shared.limiter_before);
        }
        may
    }

    /// The stream of listeners who do, or do not, hear the voices.
    pub(super) fn stream(&mut self, codec: Codec, listens: bool) -> Option<&mut SharedStream> {
        self.shared[usize::from(listens)].streams[codec.index()].as_deref_mut()
    }

    /// Passes a single voice through unchanged to listeners with the same law, if the mix would be identical: nothing
    /// is lost by decoding and encoding, not even the sign of zero.
    pub(super) fn pass_through(&mut self, codec: Codec, payload: &[u8], voice: &[i16]) {
        let is_same = self.bus.total().iter().zip(voice).all(|(sum, sample)| *sum == i32::from(*sample));
        let shared = &mut self.shared[usize::from(true)];
        if !is_same || !shared.limiter.is_open() {
            return;
        }
        if let Some(stream) = &mut shared.streams[codec.index()] {
            stream.payload[..payload.len()].copy_from_slice(payload);
            (stream.length, stream.encoded) = (payload.len(), true);
            shared.frame.copy_from_slice(voice);
            shared.level_dbov = level::dbov(voice);
        }
    }

    /// The payload of this tick, its samples, and its level in dBov.
    pub(super) fn shared_payload(
        &mut self,
        codec: Codec,
        listens: bool,
        voices: Ramp,
        plays: &[RoomPlay],
        sum: &mut [i32],
    ) -> (&[u8], &[i16], f32) {
        let shared = &mut self.shared[usize::from(listens)];
        let is_encoded = shared.streams[codec.index()].as_ref().is_some_and(|stream| stream.encoded);
        if !is_encoded {
            shared.mix(&self.bus, listens, voices, plays, sum);
        }
        let Some(stream) = &mut shared.streams[codec.index()] else { return (&[], &[], -127.0) };
        if !stream.encoded {
            stream.encoder.set_independent(stream.has_newcomer);
            stream.length = stream.encoder.encode(&shared.frame, &mut stream.payload);
            stream.encoded = true;
        }
        (&stream.payload[..stream.length], &shared.frame, shared.level_dbov)
    }

    /// The samples of this tick that listeners hear to whom nothing else is played, whether or not there is one.
    pub(super) fn heard_by_all(&mut self, voices: Ramp, plays: &[RoomPlay], sum: &mut [i32]) -> &[i16] {
        let shared = &mut self.shared[usize::from(true)];
        // A voice that was passed through is there as well.
        if !shared.streams.iter().flatten().any(|stream| stream.encoded) {
            shared.mix(&self.bus, true, voices, plays, sum);
        }
        &shared.frame
    }
}

impl Shared {
    /// Mixes the frame of this tick, unless that has been done.
    fn mix(&mut self, bus: &Bus, listens: bool, voices: Ramp, plays: &[RoomPlay], sum: &mut [i32]) {
        if std::mem::replace(&mut self.mixed, true) {
            return;
        }
        let rate = bus.rate();
        let sum = &mut sum[..rate.frame()];
        if listens {
            sum.copy_from_slice(bus.total());
            voices.apply(sum);
        } else {
            sum.fill(0);
        }
        plays.iter().for_each(|play| play.playback.lay_over(rate, sum));
        self.limiter.run(sum, &mut self.frame);
        self.level_dbov = level::dbov(&self.frame);
    }
}

impl SharedStream {
    /// Its encoder encoded what its listeners heard last.
    pub(super) fn is_current(&self) -> bool {
        self.is_current
    }

    /// Its encoder continues from here.
    pub(super) fn set_current(&mut self) {
        self.is_current = true;
    }
}
