//! Packets that arrive in time are heard, over 200 uneven networks and senders.

#[path = "support/network.rs"]
mod network;
#[path = "support/score.rs"]
mod score;

use network::{Network, SEEDS};
use plenary_rtp::jitter::{Frame, JitterBuffer, JitterConfig, Tempo};
use score::{Figures, Score, percentile};

const TICK_NS: u64 = 20_000_000;
const SECONDS: u64 = 20;
/// Nanoseconds of a unit of the RTP clock.
const UNIT_NS: u64 = 125_000;
/// A frame in units of the RTP clock.
const FRAME: u32 = 160;

/// The consumer of a room, simplified: it follows every request to change the tempo that it can, however it would sound, and
/// is quiet if the packet played last is.
struct Consumer<'a> {
    buffer: JitterBuffer,
    score: Score<'a>,
    /// Whether each packet, by its number, has a voice in it.
    speaks: Vec<bool>,
    /// Taken from the buffer and not yet heard, in units of the RTP clock.
    waiting: u32,
    /// A frame was heard before this one, so one more can be made of it.
    is_previous_known: bool,
}

impl Consumer<'_> {
    fn hear_frame(&mut self, now_ns: u64) {
        let mut quiet = self.buffer.is_quiet();
        // Two frames are to be merged. Where packets begin is known at the end.
        let mut faster = None;
        let mut begins: Vec<(u16, u32)> = Vec::new();
        while self.waiting < if faster.is_some() { 2 * FRAME } else { FRAME } {
            let at_ns = now_ns + u64::from(self.waiting) * UNIT_NS;
            match self.buffer.pull(at_ns) {
                Frame::Packet { sequence, samples, tempo, .. } => {
                    quiet = !self.speaks[usize::from(sequence)];
                    let mut at = self.waiting;
                    match tempo {
                        Tempo::Even => {}
                        Tempo::Faster { .. } => faster = faster.or(Some(tempo)),
                        Tempo::Slower { .. } => {
                            if at == 0 && self.is_previous_known && samples >= FRAME {
                                self.buffer.changed_tempo(tempo);
                                at = FRAME;
                            }
                        }
                    }
                    begins.push((sequence, at));
                    self.waiting = self.waiting.max(at) + samples;
                }
                Frame::Missing { samples, .. } => {
                    self.score.conceal(at_ns, u64::from(samples) * UNIT_NS);
                    self.waiting += samples;
                }
                Frame::Nothing if self.waiting >= FRAME => break,
                Frame::Nothing => {
                    self.score.conceal(at_ns, u64::from(FRAME - self.waiting) * UNIT_NS);
                    quiet = true;
                    self.waiting = FRAME;
                }
            }
        }
        if let Some(tempo) = faster
            && self.waiting >= 2 * FRAME
        {
            self.waiting -= FRAME;
            self.buffer.changed_tempo(tempo);
            for (_, at) in begins.iter_mut().filter(|(_, at)| *at >= FRAME) {
                *at -= FRAME;
            }
        }
        for (sequence, at) in begins {
            self.score.play(sequence, now_ns + u64::from(at) * UNIT_NS);
        }
        self.buffer.set_quiet(quiet);
        self.waiting -= FRAME;
        self.is_previous_known = true;
    }
}

/// Plays a network as a room does.
fn play(network: &Network) -> Figures {
    let mut buffer = JitterBuffer::new(JitterConfig::G711);
    buffer.set_follows_tempo(true);
    let mut speaks = vec![true; 1 << 16];
    for packet in &network.packets {
        speaks[usize::from(packet.sequence)] = network.frames[packet.place].speaks;
    }
    let score = Score::new(network);
    let mut consumer = Consumer { buffer, score, speaks, waiting: 0, is_previous_known: false };
    let payload = vec![1; network.samples as usize];
    network.play(
        TICK_NS,
        &mut consumer,
        |consumer, packet| {
            consumer.buffer.push(&packet.header(), &payload, network.samples, packet.arrives_ns);
        },
        Consumer::hear_frame,
    );
    consumer.score.figures()
}

/// In 95 of 100 networks at most one frame in 200 that arrived in time is left out.
#[test]
fn packets_in_time_are_heard_over_200_uneven_networks() {
    let mut each: Vec<(f64, String)> = Vec::new();
    for seed in 0..SEEDS {
        let network = Network::of_seed(seed, SECONDS);
        each.push((play(&network).unheard, network.describe()));
    }
    each.sort_by(|one, other| other.0.total_cmp(&one.0));
    let mut unheard: Vec<f64> = each.iter().map(|(unheard, _)| *unheard).collect();
    let p95 = percentile(&mut unheard, 95);
    let worst: Vec<String> =
        each.iter().take(40).map(|(unheard, name)| format!("{:.2} % {name}", 100.0 * unheard)).collect();
    assert!(p95 <= 0.005, "{:.2} % at p95; worst:\n{}", 100.0 * p95, worst.join("\n"));
}
