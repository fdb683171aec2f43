//! A room: what its parties say at a tick, made into what each of them is told.
//!
//! Decides, and does nothing else: time comes in with each call, datagrams come in as bytes and go out
//! through the [`Outbox`]. After the parties are in, no call takes memory.
//!
//! ```text
//!   jitter ─▶ decode ─▶ voice ─┐                    ┌─▶ shared  ─▶ encode once per law ─▶ all who are silent
//!   jitter ─▶ decode ─▶ voice ─┼─▶ sum of the voices┤
//!   (silent: not decoded)      ┘                    └─▶ minus own ─▶ encode ─▶ each who is heard
//!                                   what is played is laid over either
//! ```

mod latch;
mod outbox;
mod party;
mod playback;

pub(crate) use outbox::Outbox;
pub(crate) use playback::{Clip, Playback};

use crate::{CallStats, MediaCallId, MediaConfig, MediaEvent, PlayId, RoomId, StreamParams, ports::PortKey};
use party::Party;
use plenary_audio::{
    g711::{self, Law},
    mix::{Limiter, Mixer},
};
use std::net::SocketAddr;

/// Samples of a tick: 20 ms at 8000 Hz.
pub(crate) const FRAME: usize = 160;
/// Time between two ticks.
pub(crate) const FRAME_NS: u64 = 20_000_000;
/// Sample rate of the mix.
const RATE: u32 = 8000;
/// Voices that a new room can sum without taking memory.
const VOICES: usize = 8;

/// The moment of a tick on both clocks: the monotonic one counts, the calendar's goes into reports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tick {
    pub(crate) now_ns: u64,
    pub(crate) wall_ns: u64,
}

impl Tick {
    /// What the calendar's clock showed when the monotonic one showed `at_ns`.
    fn wall_ns_at(self, at_ns: u64) -> u64 {
        (self.wall_ns + at_ns).saturating_sub(self.now_ns)
    }
}

/// What of the configuration matters in here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) rtp_timeout_ns: u64,
    pub(crate) rtcp_interval_ns: u64,
    pub(crate) jitter_ms_min: u32,
    pub(crate) jitter_ms_max: u32,
}

impl Settings {
    pub(crate) fn of(config: &MediaConfig) -> Self {
        Self {
            rtp_timeout_ns: config.rtp_timeout_ms.saturating_mul(1_000_000),
            rtcp_interval_ns: config.rtcp_interval_ms.saturating_mul(1_000_000),
            jitter_ms_min: config.jitter_ms_min,
            jitter_ms_max: config.jitter_ms_max,
        }
    }
}

/// Names a party within its room. Used again after the party has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartyKey(usize);

/// A room.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) id: RoomId,
    settings: Settings,
    parties: Vec<Option<Party>>,
    /// What is played to all, or to all but one.
    plays: Vec<(Playback, Option<PartyKey>)>,
    mixer: Mixer,
    /// What those who are silent are told, by whether they hear the voices.
    shared: [Shared; 2],
    #[cfg(test)]
    pub(crate) fails: bool,
}

/// A frame for many: mixed when the first one needs it, and encoded when the first one needs it in his law.
#[derive(Debug)]
struct Shared {
    mixed: bool,
    frame: [i16; FRAME],
    limiter: Limiter,
    encoded: [bool; 2],
    bytes: [[u8; FRAME]; 2],
}

impl Shared {
    fn new() -> Self {
        Self {
            mixed: false,
            frame: [0; FRAME],
            limiter: Limiter::new(),
            encoded: [false; 2],
            bytes: [[0; FRAME]; 2],
        }
    }
}

impl Room {
    pub(crate) fn new(id: RoomId, settings: Settings) -> Self {
        Self {
            id,
            settings,
            parties: Vec::new(),
            plays: Vec::new(),
            mixer: Mixer::new(RATE, VOICES),
            shared: [Shared::new(), Shared::new()],
            #[cfg(test)]
            fails: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parties.iter().all(Option::is_none)
    }

    /// The parties' keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = PartyKey> + use<> {
        (0..self.parties.len()).map(PartyKey)
    }

    /// The sockets of a party; `None`: there is nobody under this key.
    pub(crate) fn port(&self, key: PartyKey) -> Option<PortKey> {
        self.party(key).map(|party| party.port)
    }

    /// Every call of the room, with its sockets.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (MediaCallId, PortKey, CallStats)> + '_ {
        self.parties.iter().flatten().map(|party| (party.call, party.port, party.stats()))
    }

    /// Lets a party in; it neither speaks nor listens yet.
    pub(crate) fn add(&mut self, call: MediaCallId, port: PortKey, seed: u64) -> PartyKey {
        let party = Some(Party::new(call, port, seed));
        let key = match self.parties.iter().position(Option::is_none) {
            Some(free) => {
                self.parties[free] = party;
                PartyKey(free)
            }
            None => {
                self.parties.push(party);
                PartyKey(self.parties.len() - 1)
            }
        };
        self.mixer.reserve(self.parties.len());
        key
    }

    /// Lets a party out, with a goodbye to it. What was played to it alone is over without a word.
    pub(crate) fn remove(&mut self, key: PartyKey, time: Tick, out: &mut Outbox) -> Option<CallStats> {
        let party = self.parties.get_mut(key.0)?;
        let gone = party.as_mut()?;
        gone.leave(key, time, out);
        let stats = gone.stats();
        *party = None;
        for (_, except) in &mut self.plays {
            // Whoever comes next under this key is not the one that was to be left out.
            except.take_if(|except| *except == key);
        }
        Some(stats)
    }

    pub(crate) fn set_stream(&mut self, key: PartyKey, params: StreamParams, time: Tick) {
        let settings = self.settings;
        if let Some(party) = self.party_mut(key) {
            party.set_stream(params, &settings, time.now_ns);
        }
    }

    pub(crate) fn set_voice(&mut self, key: PartyKey, speaks: bool, listens: bool, out: &mut Outbox) {
        if let Some(party) = self.party_mut(key) {
            party.set_voice(speaks, listens, out);
        }
    }

    /// Plays something to one party.
    pub(crate) fn play_to(&mut self, key: PartyKey, playback: Playback) {
        if let Some(party) = self.party_mut(key) {
            party.plays.push(playback);
        }
    }

    /// Plays something to all, or to all but one.
    pub(crate) fn play(&mut self, playback: Playback, except: Option<PartyKey>) {
        self.plays.push((playback, except));
    }

    pub(crate) fn stop_play(&mut self, id: PlayId) {
        self.plays.retain(|(playback, _)| playback.id != id);
        for party in self.parties.iter_mut().flatten() {
            party.plays.retain(|playback| playback.id != id);
        }
    }

    pub(crate) fn stats(&self, key: PartyKey) -> Option<CallStats> {
        self.party(key).map(Party::stats)
    }

    pub(crate) fn handle_rtp(
        &mut self,
        key: PartyKey,
        from: SocketAddr,
        bytes: &[u8],
        arrival_ns: u64,
        time: Tick,
        out: &mut Outbox,
    ) {
        if let Some(party) = self.party_mut(key) {
            party.handle_rtp(from, bytes, arrival_ns, time, out);
        }
    }

    pub(crate) fn handle_rtcp(
        &mut self,
        key: PartyKey,
        from: SocketAddr,
        bytes: &[u8],
        arrival_ns: u64,
        time: Tick,
    ) {
        if let Some(party) = self.party_mut(key) {
            party.handle_rtcp(from, bytes, arrival_ns, time);
        }
    }

    pub(crate) fn handle_send_error(&mut self, key: PartyKey) {
        if let Some(party) = self.party_mut(key) {
            party.handle_send_error();
        }
    }

    /// Time went by in which no tick could be made.
    pub(crate) fn skip(&mut self, frames: u32) {
        for party in self.parties.iter_mut().flatten() {
            party.stay_silent(frames);
        }
    }

    /// 20 ms: takes what everybody says and tells everybody what is to be heard.
    pub(crate) fn tick(&mut self, time: Tick, out: &mut Outbox) {
        #[cfg(test)]
        assert!(!self.fails, "told to fail by a test");
        self.advance_plays(out);

        self.mixer.begin();
        let mut voices = 0;
        let mut only = 0;
        for (index, party) in self.parties.iter_mut().enumerate() {
            let Some(party) = party else { continue };
            party.hear(time, out);
            if let Some(voice) = party.voice() {
                self.mixer.add(index, voice);
                (voices, only) = (voices + 1, index);
            }
        }
        self.mixer.finish();

        for shared in &mut self.shared {
            (shared.mixed, shared.encoded) = (false, [false; 2]);
        }
        if voices == 1 {
            self.pass_through(only);
        }
        let mut parties = std::mem::take(&mut self.parties);
        for (index, party) in parties.iter_mut().enumerate() {
            let Some(party) = party else { continue };
            let key = PartyKey(index);
            match party.told_in() {
                Some(law) if self.is_personal(key, party) => {
                    let frame = self.personal(key, party);
                    let mut bytes = [0; FRAME];
                    g711::encode(law, &frame, &mut bytes);
                    party.tell(key, &bytes, out);
                }
                Some(law) => party.tell(key, self.shared(law, party.listens), out),
                None => party.stay_silent(1),
            }
            party.look_after(key, &self.settings, time, out);
        }
        self.parties = parties;
    }

    fn party(&self, key: PartyKey) -> Option<&Party> {
        self.parties.get(key.0).and_then(Option::as_ref)
    }

    fn party_mut(&mut self, key: PartyKey) -> Option<&mut Party> {
        self.parties.get_mut(key.0).and_then(Option::as_mut)
    }

    fn advance_plays(&mut self, out: &mut Outbox) {
        let mut goes_on = |playback: &mut Playback| {
            let goes_on = playback.advance();
            if !goes_on {
                out.tell(MediaEvent::PlayFinished { id: playback.id });
            }
            goes_on
        };
        self.plays.retain_mut(|(playback, _)| goes_on(playback));
        for party in self.parties.iter_mut().flatten() {
            party.plays.retain_mut(&mut goes_on);
        }
    }

    /// One voice alone reaches those who share its law as it came, where the mix would say the same:
    /// nothing is lost by decoding and encoding, not even between a positive and a negative zero.
    fn pass_through(&mut self, only: usize) {
        if !self.plays.is_empty() {
            return;
        }
        let Some(party) = self.parties[only].as_ref() else { return };
        let (Some((law, payload)), Some(voice)) = (party.voice_payload(), party.voice()) else { return };
        let mut mixed = [0; FRAME];
        self.mixer.shared(&mut mixed);
        if mixed == *voice {
            let shared = &mut self.shared[usize::from(true)];
            shared.bytes[law_index(law)] = *payload;
            shared.encoded[law_index(law)] = true;
        }
    }

    /// Whether it hears something that nobody else hears.
    fn is_personal(&self, key: PartyKey, party: &Party) -> bool {
        party.listens && party.voice().is_some()
            || !party.plays.is_empty()
            || self.plays.iter().any(|(_, except)| *except == Some(key))
    }

    fn personal(&mut self, key: PartyKey, party: &mut Party) -> [i16; FRAME] {
        let mut frame = [0; FRAME];
        if party.listens {
            match party.voice() {
                Some(_) => self.mixer.personal(key.0, &mut frame),
                None => self.mixer.shared(&mut frame),
            }
        }
        let of_room =
            self.plays.iter().filter(|(_, except)| *except != Some(key)).map(|(playback, _)| playback);
        overlay(&mut frame, of_room.chain(&party.plays), &mut party.limiter);
        frame
    }

    /// What those who say nothing are told, whether or not they hear the voices.
    fn shared(&mut self, law: Law, listens: bool) -> &[u8; FRAME] {
        let shared = &mut self.shared[usize::from(listens)];
        let index = law_index(law);
        if !shared.encoded[index] {
            if !shared.mixed {
                shared.mixed = true;
                shared.frame.fill(0);
                if listens {
                    self.mixer.shared(&mut shared.frame);
                }
                overlay(
                    &mut shared.frame,
                    self.plays.iter().map(|(playback, _)| playback),
                    &mut shared.limiter,
                );
            }
            g711::encode(law, &shared.frame, &mut shared.bytes[index]);
            shared.encoded[index] = true;
        }
        &shared.bytes[index]
    }
}

fn law_index(law: Law) -> usize {
    match law {
        Law::Mu => 0,
        Law::A => 1,
    }
}

/// Lays what is played over what is heard.
fn overlay<'a>(frame: &mut [i16; FRAME], plays: impl Iterator<Item = &'a Playback>, limiter: &mut Limiter) {
    let mut plays = plays.peekable();
    if plays.peek().is_none() {
        return;
    }
    let mut sum = frame.map(i32::from);
    for playback in plays {
        for (sum, sample) in sum.iter_mut().zip(playback.frame()) {
            *sum += i32::from(*sample);
        }
    }
    limiter.run(&sum, frame);
}

#[cfg(test)]
mod tests;
