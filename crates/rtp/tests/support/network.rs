//! A network between one sender and one jitter buffer, in virtual time, made from a seed.
//!
//! ```text
//!   speech ──▶ sender ──▶ path ──▶ queues ──▶ loss ──▶ order, copies ──▶ packets by arrival
//!              lengths    steps    jitter
//!              pauses     routes   bursts
//!              stamps     drift
//! ```
//!
//! [`Network::of_seed`] gives a sender's packets and when each arrives; the same seed gives the same network on every
//! machine (a generator of its own, integers only, no clock). Seeds 0 to [`SEEDS`] − 1 go through every scenario alone
//! and then through mixtures. [`Network::frames`] says of every frame of the source when it was made, how long the path
//! alone took, and whether it was sent or lost, so a test can say what a buffer could have played.
//!
//! Sequence numbers and timestamps start near their wrap in some seeds. Times are nanoseconds and start at
//! [`START_NS`], so that earlier moments need no negative numbers.

#![allow(dead_code, unreachable_pub)] // Each test uses a part of it.

use plenary_rtp::packet::Header;
use std::fmt::Write as _;

/// The seeds that tests and the benchmark go through.
pub const SEEDS: u64 = 200;
/// When the first frame of the source is made.
pub const START_NS: u64 = 10_000_000_000;
/// The RTP clock, in Hz.
pub const CLOCK_RATE: u32 = 8000;
const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;
/// Packets that queued up leave the queue this far apart.
const QUEUE_SPACING_NS: u64 = 200_000;
/// Within this time after the last packet everything that is held is heard.
const LINGER_NS: u64 = 3 * SECOND;

/// A packet as it arrives. A duplicate is a second packet with the same `place`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    pub sequence: u16,
    pub timestamp: u32,
    /// The first after a pause, where the sender leaves pauses out (RFC 3551, 4.1).
    pub marker: bool,
    /// Which frame of the source it carries: the index in [`Network::frames`].
    pub place: usize,
    pub arrives_ns: u64,
}

impl Packet {
    /// Its RTP header.
    pub fn header(&self) -> Header {
        Header {
            marker: self.marker,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: 7,
            ..Header::default()
        }
    }
}

/// What becomes of a frame of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The sender sends nothing at this time: a pause, or it stands still.
    NotSent,
    /// Sent, and lost on the way.
    Lost,
    /// Sent, and (first) there at this time.
    Arrives(u64),
}

/// A frame of the source, as long as a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// When its last sample was recorded and its packet could leave.
    pub made_ns: u64,
    /// What the path takes at that time, without queues: no packet made then is quicker.
    pub path_ns: u64,
    /// There is a voice in it, rather than a pause of the talker.
    pub speaks: bool,
    pub fate: Fate,
}

/// Where a frame is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// It is still to be made.
    NotYetMade,
    NotSent,
    InTheNetwork,
    Lost,
    Arrived,
}

/// How the delays of packets spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Anything up to the most, equally often.
    Uniform,
    /// Short ones often, long ones seldom; four times the mean at the most.
    Exponential,
    /// Nothing, but one packet in fifty takes up to the most, and those behind it queue up.
    Spikes,
}

/// What a network or a sender does. Times in milliseconds of virtual time since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The path becomes longer once, for good or for a while.
    Step {
        at_ms: u64,
        by_ms: u64,
        for_ms: Option<u64>,
    },
    /// The sender stops and its timestamp stands still meanwhile.
    Stop {
        at_ms: u64,
        for_ms: u64,
    },
    /// Each n-th packet arrives just behind the next one.
    Overtaken {
        every: u64,
    },
    /// So many in a thousand arrive behind one to three that were sent after it.
    Reordered {
        per_mille: u64,
    },
    Duplicated {
        per_mille: u64,
    },
    /// About every so often all packets queue up, for at most so long, and come at once (Wi-Fi).
    Bursts {
        every_ms: u64,
        max_ms: u64,
    },
    /// Each packet takes longer by something else; with `ordered` none overtakes another.
    Jitter {
        spread: Spread,
        max_us: u64,
        ordered: bool,
    },
    /// The sender's clock is quicker by so many millionths (slower when negative).
    Drift {
        ppm: i64,
    },
    /// Every so often the path changes, to one that takes up to so much longer than the shortest.
    Routes {
        every_ms: u64,
        max_ms: u64,
    },
    Lost {
        per_mille: u64,
    },
    /// Gilbert–Elliott: chances in a thousand of becoming bad and good again; a bad network loses 80 %.
    LostInBursts {
        bad_per_mille: u64,
        good_per_mille: u64,
    },
    /// Nothing is sent in pauses of the talker; the timestamps go on, and the marker begins a talk spurt.
    Dtx,
    /// Nothing is sent in pauses of the talker, and the timestamps stand still.
    StampsStandStill,
    /// As [`Effect::StampsStandStill`], and the timestamps go ahead by so much after each pause.
    StampsAheadPerPause {
        by_ms: u64,
    },
    /// Once the timestamps leap, back or ahead, from one packet to the next; the numbers go on.
    StampsLeap {
        at_ms: u64,
        by_ms: i64,
    },
    /// Packets of another length than 20 ms.
    Length {
        ms: u64,
    },
}

/// A sender's packets and their way. See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    pub seed: u64,
    /// What it does, in a few words.
    pub name: String,
    pub effects: Vec<Effect>,
    /// Length of a packet and of a frame of the source, in units of the RTP clock.
    pub samples: u32,
    pub frames: Vec<Frame>,
    /// By arrival.
    pub packets: Vec<Packet>,
}

impl Network {
    /// The network of a seed, for a source of so many seconds.
    pub fn of_seed(seed: u64, seconds: u64) -> Self {
        let mut dice = Dice::new(seed);
        let effects = effects_of(seed, seconds, &mut dice);
        let name = effects.iter().map(Effect::name).collect::<Vec<_>>().join(" + ");
        Self::new(seed, name, effects, seconds)
    }

    /// A network of one's own choice; `seed` decides what is left to chance.
    pub fn new(seed: u64, name: String, effects: Vec<Effect>, seconds: u64) -> Self {
        let mut dice = Dice::new(!seed);
        let length_ms = effects.iter().find_map(|effect| match effect {
            Effect::Length { ms } => Some(*ms),
            _ => None,
        });
        let samples = (length_ms.unwrap_or(20) * u64::from(CLOCK_RATE) / 1000) as u32;
        let mut network = Self { seed, name, effects, samples, frames: Vec::new(), packets: Vec::new() };
        network.make_frames(seconds, &mut dice);
        network.send(&mut dice);
        network.delay(&mut dice);
        network.lose(&mut dice);
        network.shuffle(&mut dice);
        network.arrive();
        network
    }

    /// The length of a packet.
    pub fn packet_ns(&self) -> u64 {
        u64::from(self.samples) * SECOND / u64::from(CLOCK_RATE)
    }

    /// Where the frame `place` of the source is at `at_ns`.
    pub fn whereabouts(&self, place: usize, at_ns: u64) -> Whereabouts {
        let frame = &self.frames[place];
        match frame.fate {
            _ if at_ns < frame.made_ns => Whereabouts::NotYetMade,
            Fate::NotSent => Whereabouts::NotSent,
            Fate::Arrives(there_ns) if there_ns <= at_ns => Whereabouts::Arrived,
            Fate::Lost => Whereabouts::Lost,
            Fate::Arrives(_) => Whereabouts::InTheNetwork,
        }
    }

    /// How much later the frame `place` arrived than by the quickest path of its moment: than by the path alone, or, if
    /// frames made after it had a shorter path and arrived before it, than by the shortest of those. `None`: it did not
    /// arrive.
    pub fn lateness_ns(&self, place: usize) -> Option<u64> {
        let frame = &self.frames[place];
        let Fate::Arrives(there_ns) = frame.fate else { return None };
        let later = self.frames[place..].iter().take_while(|later| later.made_ns <= there_ns);
        let overtakes = |later: &&Frame| later.made_ns + later.path_ns <= there_ns;
        let path_ns = later.filter(overtakes).map(|later| later.path_ns).min().unwrap_or(frame.path_ns);
        Some(there_ns - frame.made_ns - path_ns.min(frame.path_ns))
    }

    /// Plays the packets to a listener that takes a frame every `frame_ns`: `push` gets each packet before the first
    /// frame after its arrival, `pull` the time of each frame.
    pub fn play<L>(
        &self,
        frame_ns: u64,
        listener: &mut L,
        mut push: impl FnMut(&mut L, &Packet),
        mut pull: impl FnMut(&mut L, u64),
    ) {
        let mut packets = self.packets.iter().peekable();
        // The clock of the listener is not that of the sender.
        let mut now_ns = START_NS + self.seed * 7919 % 20_000 * 1000 % frame_ns;
        while now_ns < self.ends_ns() + LINGER_NS {
            while let Some(packet) = packets.next_if(|packet| packet.arrives_ns <= now_ns) {
                push(listener, packet);
            }
            pull(listener, now_ns);
            now_ns += frame_ns;
        }
    }

    /// When the last packet arrives, or the last frame is made.
    pub fn ends_ns(&self) -> u64 {
        let made = self.frames.last().map_or(START_NS, |frame| frame.made_ns);
        self.packets.last().map_or(made, |packet| packet.arrives_ns.max(made))
    }

    /// Name and parameters in one line.
    pub fn describe(&self) -> String {
        let mut text = format!("seed {}: {}", self.seed, self.name);
        for effect in &self.effects {
            // A string takes whatever is written.
            let _ = write!(text, "; {effect:?}");
        }
        text
    }

    fn make_frames(&mut self, seconds: u64, dice: &mut Dice) {
        let length = self.packet_ns();
        let ppm = self.effects.iter().find_map(|effect| match effect {
            Effect::Drift { ppm } => Some(*ppm),
            _ => None,
        });
        let path = 20 * MS + dice.below(60 * MS);
        let routes = self.routes(seconds, dice);
        let (mut speaks, mut turns_at) = (true, dice.between(800, 2500) * MS);
        for place in 0..seconds * SECOND / length {
            let by_sender = (place + 1) * length;
            while by_sender > turns_at {
                speaks = !speaks;
                turns_at += MS * if speaks { dice.between(300, 2500) } else { dice.between(200, 1200) };
            }
            let ahead = by_sender as i64 / 1_000_000 * ppm.unwrap_or(0);
            let since = by_sender.saturating_add_signed(-ahead);
            let mut path_ns = path;
            for effect in &self.effects {
                if let Effect::Step { at_ms, by_ms, for_ms } = effect {
                    let ends = for_ms.map_or(u64::MAX, |for_ms| (at_ms + for_ms) * MS);
                    if (at_ms * MS..ends).contains(&since) {
                        path_ns += by_ms * MS;
                    }
                }
            }
            path_ns += routes.iter().rev().find(|(from, _)| *from <= since).map_or(0, |(_, by)| *by);
            self.frames.push(Frame { made_ns: START_NS + since, path_ns, speaks, fate: Fate::NotSent });
        }
    }

    /// From when on the path takes how much longer.
    fn routes(&self, seconds: u64, dice: &mut Dice) -> Vec<(u64, u64)> {
        let mut routes = Vec::new();
        for effect in &self.effects {
            if let Effect::Routes { every_ms, max_ms } = effect {
                let mut at = 0;
                while at < seconds * SECOND {
                    routes.push((at, dice.below(max_ms * MS)));
                    at += dice.between(every_ms / 2, every_ms * 3 / 2) * MS;
                }
            }
        }
        routes
    }

    /// Numbers, stamps and markers; `arrives_ns` is when a packet leaves.
    fn send(&mut self, dice: &mut Dice) {
        let mut sequence = if dice.one_in(4) { 65_500 } else { dice.below(60_000) as u16 };
        let mut timestamp = if dice.one_in(4) { u32::MAX - 40_000 } else { dice.below(1 << 31) as u32 };
        let mut was_sent = false;
        for (place, frame) in self.frames.iter_mut().enumerate() {
            let since_ms = (frame.made_ns - START_NS) / MS;
            let mut is_sent = true;
            let mut goes_on = true;
            for effect in &self.effects {
                match *effect {
                    Effect::Stop { at_ms, for_ms } if (at_ms..at_ms + for_ms).contains(&since_ms) => {
                        (is_sent, goes_on) = (false, false);
                    }
                    Effect::Dtx if !frame.speaks => is_sent = false,
                    Effect::StampsStandStill | Effect::StampsAheadPerPause { .. } if !frame.speaks => {
                        (is_sent, goes_on) = (false, false);
                    }
                    _ => {}
                }
            }
            for effect in &self.effects {
                match *effect {
                    Effect::StampsAheadPerPause { by_ms } if is_sent && !was_sent && place > 0 => {
                        timestamp = timestamp.wrapping_add(by_ms as u32 * CLOCK_RATE / 1000);
                    }
                    Effect::StampsLeap { at_ms, by_ms } => {
                        let before =
                            place.checked_sub(1).map_or(0, |place| place as u64) * u64::from(self.samples);
                        let now = place as u64 * u64::from(self.samples);
                        let at = at_ms * u64::from(CLOCK_RATE) / 1000;
                        if before < at && at <= now {
                            let by = by_ms * i64::from(CLOCK_RATE) / 1000;
                            timestamp = timestamp.wrapping_add(by as u32);
                        }
                    }
                    _ => {}
                }
            }
            if is_sent {
                let marker = !was_sent;
                self.packets.push(Packet { sequence, timestamp, marker, place, arrives_ns: frame.made_ns });
                sequence = sequence.wrapping_add(1);
            }
            if goes_on {
                timestamp = timestamp.wrapping_add(self.samples);
            }
            was_sent = is_sent;
        }
    }

    /// What the path and its queues add.
    fn delay(&mut self, dice: &mut Dice) {
        for packet in &mut self.packets {
            packet.arrives_ns += self.frames[packet.place].path_ns;
        }
        for effect in self.effects.clone() {
            match effect {
                Effect::Jitter { spread, max_us, ordered } => {
                    for packet in &mut self.packets {
                        packet.arrives_ns += spread.draw(max_us * 1000, dice);
                    }
                    if ordered {
                        self.keep_order();
                    }
                }
                Effect::Bursts { every_ms, max_ms } => {
                    let last = self.packets.iter().map(|packet| packet.arrives_ns).max().unwrap_or(START_NS);
                    let mut from = START_NS;
                    while from < last {
                        from += dice.between(every_ms / 2, every_ms * 3 / 2) * MS;
                        let until = from + dice.between(max_ms.min(60), max_ms) * MS;
                        for packet in &mut self.packets {
                            if (from..until).contains(&packet.arrives_ns) {
                                packet.arrives_ns = until;
                            }
                        }
                        from = until;
                    }
                    self.keep_order();
                }
                _ => {}
            }
        }
    }

    /// Queues: none is there before those that were sent before it. A shorter path does overtake.
    fn keep_order(&mut self) {
        let mut free_ns = 0;
        let mut path_ns = 0;
        for packet in &mut self.packets {
            let path = self.frames[packet.place].path_ns;
            if path < path_ns {
                free_ns = 0;
            }
            path_ns = path;
            packet.arrives_ns = packet.arrives_ns.max(free_ns);
            free_ns = packet.arrives_ns + QUEUE_SPACING_NS;
        }
    }

    fn lose(&mut self, dice: &mut Dice) {
        for packet in &self.packets {
            self.frames[packet.place].fate = Fate::Lost;
        }
        let mut is_bad = false;
        let effects = &self.effects;
        self.packets.retain(|_| {
            let mut is_lost = false;
            for effect in effects {
                match *effect {
                    Effect::Lost { per_mille } => is_lost |= dice.below(1000) < per_mille,
                    Effect::LostInBursts { bad_per_mille, good_per_mille } => {
                        let turns = dice.below(1000) < if is_bad { good_per_mille } else { bad_per_mille };
                        is_bad ^= turns;
                        is_lost |= is_bad && dice.below(10) < 8;
                    }
                    _ => {}
                }
            }
            !is_lost
        });
    }

    /// Overtaking and copies.
    fn shuffle(&mut self, dice: &mut Dice) {
        let mut copies = Vec::new();
        for effect in self.effects.clone() {
            match effect {
                Effect::Overtaken { every } => {
                    let every = every as usize;
                    for index in (every - 1..self.packets.len().saturating_sub(1)).step_by(every) {
                        let next_ns = self.packets[index + 1].arrives_ns;
                        let packet = &mut self.packets[index];
                        packet.arrives_ns = packet.arrives_ns.max(next_ns + dice.between(MS / 5, 2 * MS));
                    }
                }
                Effect::Reordered { per_mille } => {
                    for index in 0..self.packets.len().saturating_sub(3) {
                        if dice.below(1000) < per_mille {
                            let behind = index + dice.between(1, 3) as usize;
                            let behind_ns = self.packets[behind].arrives_ns;
                            let packet = &mut self.packets[index];
                            packet.arrives_ns =
                                packet.arrives_ns.max(behind_ns + dice.between(MS / 5, 2 * MS));
                        }
                    }
                }
                Effect::Duplicated { per_mille } => {
                    for packet in &self.packets {
                        if dice.below(1000) < per_mille {
                            let arrives_ns = packet.arrives_ns + dice.below(40 * MS);
                            copies.push(Packet { arrives_ns, ..*packet });
                        }
                    }
                }
                _ => {}
            }
        }
        self.packets.append(&mut copies);
    }

    fn arrive(&mut self) {
        self.packets.sort_by_key(|packet| packet.arrives_ns);
        for packet in self.packets.iter().rev() {
            self.frames[packet.place].fate = Fate::Arrives(packet.arrives_ns);
        }
    }
}

impl Spread {
    fn draw(self, max_ns: u64, dice: &mut Dice) -> u64 {
        match self {
            Self::Uniform => dice.below(max_ns),
            // Halves for each coin that falls so, and evenly within: close to exponential, in integers.
            Self::Exponential => {
                let halves = u64::from(dice.next().trailing_zeros());
                let mean_ns = max_ns / 4;
                ((halves * 1024 + dice.below(1024)) * mean_ns * 7 / 10 / 1024).min(max_ns)
            }
            Self::Spikes if dice.one_in(50) => dice.between(max_ns / 2, max_ns),
            Self::Spikes => 0,
        }
    }
}

impl Effect {
    /// In a few words.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Step { for_ms: None, .. } => "step in delay",
            Self::Step { for_ms: Some(_), .. } => "step in delay and back",
            Self::Stop { .. } => "sender stops, timestamp stands still",
            Self::Overtaken { .. } => "each n-th overtaken",
            Self::Reordered { .. } => "random reordering",
            Self::Duplicated { .. } => "duplicates",
            Self::Bursts { .. } => "bursts",
            Self::Jitter { spread: Spread::Uniform, .. } => "uniform jitter",
            Self::Jitter { spread: Spread::Exponential, .. } => "exponential jitter",
            Self::Jitter { spread: Spread::Spikes, .. } => "spikes",
            Self::Drift { .. } => "drift",
            Self::Routes { .. } => "route changes",
            Self::Lost { .. } => "independent loss",
            Self::LostInBursts { .. } => "bursty loss",
            Self::Dtx => "DTX",
            Self::StampsStandStill => "timestamps stand still in pauses",
            Self::StampsAheadPerPause { .. } => "timestamps ahead per pause",
            Self::StampsLeap { by_ms, .. } if *by_ms < 0 => "timestamps step back",
            Self::StampsLeap { .. } => "timestamps leap ahead",
            Self::Length { .. } => "packet length",
        }
    }
}

/// How many scenarios of one effect there are.
pub const SINGLE: u64 = 21;

/// The effects of a seed: seven rounds of each effect alone, the rest mixtures of two to four.
fn effects_of(seed: u64, seconds: u64, dice: &mut Dice) -> Vec<Effect> {
    if seed < 7 * SINGLE {
        return vec![effect_of(seed % SINGLE, seed / SINGLE, seconds, dice)];
    }
    let mut kinds: Vec<u64> = Vec::new();
    let wanted = dice.between(2, 4) as usize;
    while kinds.len() < wanted {
        let kind = dice.below(SINGLE);
        // A sender has one way to deal with pauses.
        let is_pause = |kind: u64| (14..=16).contains(&kind);
        let is_taken = kinds.iter().any(|other| *other == kind || is_pause(*other) && is_pause(kind));
        if !is_taken {
            kinds.push(kind);
        }
    }
    kinds.sort_unstable();
    kinds.into_iter().map(|kind| effect_of(kind, dice.below(7), seconds, dice)).collect()
}

/// Effect `kind`, with parameters that differ from round to round.
fn effect_of(kind: u64, round: u64, seconds: u64, dice: &mut Dice) -> Effect {
    let round = round as usize % 7;
    let at_ms = dice.between(seconds * 1000 / 5, seconds * 1000 / 2);
    match kind {
        0 => {
            let by_ms = [100, 250, 400, 600, 900, 1400, 1900][round];
            Effect::Step { at_ms, by_ms, for_ms: None }
        }
        1 => {
            let by_ms = [100, 150, 300, 500, 800, 1300, 1900][round];
            Effect::Step { at_ms, by_ms, for_ms: Some(dice.between(1000, 5000)) }
        }
        2 => Effect::Stop { at_ms, for_ms: [300, 500, 700, 1000, 1300, 1600, 1900][round] },
        3 => Effect::Overtaken { every: [2, 3, 10, 2, 3, 10, 5][round] },
        4 => Effect::Reordered { per_mille: [10, 20, 50, 100, 150, 200, 300][round] },
        5 => Effect::Duplicated { per_mille: [10, 50, 100, 300, 500, 800, 1000][round] },
        6 => Effect::Bursts {
            every_ms: dice.between(400, 3000),
            max_ms: [60, 80, 120, 160, 200, 250, 300][round],
        },
        7 => jitter(Spread::Uniform, [5, 10, 20, 30, 40, 60, 80][round], dice),
        8 => jitter(Spread::Exponential, [20, 30, 40, 60, 80, 120, 160][round], dice),
        9 => jitter(Spread::Spikes, [40, 60, 80, 100, 120, 150, 200][round], dice),
        10 => Effect::Drift { ppm: [-300, -200, -100, 100, 200, 300, -50][round] },
        11 => Effect::Routes {
            every_ms: dice.between(1500, 5000),
            max_ms: [10, 20, 40, 60, 80, 120, 160][round],
        },
        12 => Effect::Lost { per_mille: [5, 10, 20, 30, 50, 80, 100][round] },
        13 => Effect::LostInBursts {
            bad_per_mille: [2, 5, 10, 10, 15, 20, 30][round],
            good_per_mille: [500, 400, 300, 200, 250, 300, 200][round],
        },
        14 => Effect::Dtx,
        15 => Effect::StampsStandStill,
        16 => Effect::StampsAheadPerPause { by_ms: 30 },
        17 => Effect::StampsLeap { at_ms, by_ms: [-250, -500, -750, -1000, -1300, -1600, -2000][round] },
        18 => Effect::StampsLeap { at_ms, by_ms: [2000, 3000, 5000, 8000, 12_000, 30_000, 60_000][round] },
        19 => Effect::Length { ms: [10, 30, 40, 50, 60, 10, 60][round] },
        _ => Effect::Jitter { spread: Spread::Exponential, max_us: 2000, ordered: true },
    }
}

fn jitter(spread: Spread, max_ms: u64, dice: &mut Dice) -> Effect {
    // A queue keeps the order; several paths at once do not.
    Effect::Jitter { spread, max_us: max_ms * 1000, ordered: spread == Spread::Spikes || dice.one_in(2) }
}

/// Splitmix64.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `limit`; 0 where that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// Both ends are in.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    pub fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}
