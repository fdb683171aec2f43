//! What a listener heard, compared with what the network delivered.
//!
//! A frame counts as not heard if it was never played, or only after a later one. A frame that time stretching merged
//! into its neighbour counts as played. [`Figures::unheard`] covers the frames that arrived in time
//! ([`Network::lateness_ns`]); the others count as lost by the network.

#![allow(dead_code, unreachable_pub)] // The test and the benchmark each use a part of it.

use crate::network::{Fate, Network, START_NS};

const MS: f64 = 1e6;
/// Delay and concealment count from here on: the behaviour of a listener that knows nothing of the network yet is
/// another question.
const START_UP_NS: u64 = 4_000_000_000;
/// Anything later was not in time: the delay that a room accepts, `jitter_ms_max` by default.
pub const IN_TIME_NS: u64 = 200_000_000;

/// Follows one listener through one network.
#[derive(Debug)]
pub struct Score<'a> {
    network: &'a Network,
    /// The frame of each sequence number.
    places: Vec<Option<usize>>,
    /// Frames before this one can no longer be heard in their place.
    next: usize,
    /// When the first sample of each frame was heard.
    heard: Vec<Option<u64>>,
    concealed_ns: u64,
}

/// The figures of one listener in one network.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// Frames that arrived in time and were not heard in their place, as a share of those that arrived in time.
    pub unheard: f64,
    /// Frames that arrived and were not heard in their place, as a share of those that arrived.
    pub unheard_of_all: f64,
    /// Frames that arrived.
    pub arrived: u32,
    /// Frames that arrived, but not in time.
    pub too_late: u32,
    /// Time in which something else was heard although a frame was due, as a share of what was sent.
    pub concealed: f64,
    /// Mean and 95th percentile, in milliseconds, of the time from when the path alone would have delivered a frame
    /// until its first sample is heard: the queues of the network plus what the listener holds.
    pub delay_mean_ms: f64,
    pub delay_p95_ms: f64,
}

impl<'a> Score<'a> {
    pub fn new(network: &'a Network) -> Self {
        let mut places = vec![None; 1 << 16];
        for packet in &network.packets {
            places[usize::from(packet.sequence)] = Some(packet.place);
        }
        Self { network, places, next: 0, heard: vec![None; network.frames.len()], concealed_ns: 0 }
    }

    /// The first sample of this packet is heard at `at_ns`. After a later one it is out of place.
    pub fn play(&mut self, sequence: u16, at_ns: u64) {
        if let Some(place) = self.places[usize::from(sequence)]
            && place >= self.next
        {
            self.heard[place] = Some(at_ns);
            self.next = place + 1;
        }
    }

    /// Something else is heard for `for_ns` from `at_ns` on. It counts if a frame is due that the path would have
    /// delivered by now, be it lost, late or held, and not in pauses of the sender.
    pub fn conceal(&mut self, at_ns: u64, for_ns: u64) {
        let frames = self.network.frames[self.next..].iter().take_while(|frame| frame.made_ns <= at_ns);
        let is_owed = frames
            .into_iter()
            .any(|frame| frame.fate != Fate::NotSent && frame.made_ns + frame.path_ns <= at_ns);
        if at_ns >= START_NS + START_UP_NS && is_owed {
            self.concealed_ns += for_ns;
        }
    }

    pub fn figures(&self) -> Figures {
        let (mut arrived, mut too_late, mut sent) = (0_u32, 0, 0);
        let (mut unheard, mut unheard_of_all) = (0, 0);
        let mut delays = Vec::new();
        for (place, (frame, heard)) in self.network.frames.iter().zip(&self.heard).enumerate() {
            let is_started = frame.made_ns >= START_NS + START_UP_NS;
            sent += u32::from(is_started && frame.fate != Fate::NotSent);
            if let Some(lateness_ns) = self.network.lateness_ns(place) {
                let is_in_time = lateness_ns <= IN_TIME_NS;
                arrived += 1;
                too_late += u32::from(!is_in_time);
                match heard {
                    Some(_) if !is_started => {}
                    Some(at_ns) => {
                        delays.push(at_ns.saturating_sub(frame.made_ns + frame.path_ns) as f64 / MS);
                    }
                    None => {
                        unheard_of_all += 1;
                        unheard += u32::from(is_in_time);
                    }
                }
            }
        }
        let sent_ns = f64::from(sent.max(1)) * self.network.packet_ns() as f64;
        Figures {
            unheard: f64::from(unheard) / f64::from((arrived - too_late).max(1)),
            unheard_of_all: f64::from(unheard_of_all) / f64::from(arrived.max(1)),
            arrived,
            too_late,
            concealed: self.concealed_ns as f64 / sent_ns,
            delay_mean_ms: delays.iter().sum::<f64>() / delays.len().max(1) as f64,
            delay_p95_ms: percentile(&mut delays, 95),
        }
    }
}

/// The value that this percentage of values does not exceed.
pub fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(rank).copied().unwrap_or(0.0)
}
