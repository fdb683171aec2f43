//! A room: from what its participants send to what each of them hears, tick by tick.
//!
//! It only decides: time comes in with each call, datagrams come in as bytes and go out through the [`Outbox`]. Once the
//! participants have joined, no call allocates.
//!
//! ```text
//!   jitter ─▶ decode ─▶ voice ─┐                  ┌─▶ total ────▶ encode once per codec ─▶ all listeners
//!   jitter ─▶ decode ─▶ voice ─┼─▶ bus per rate ──┤
//!   (silence: not decoded)     ┘                  └─▶ minus own ─▶ encode ─▶ each talker
//!                                 announcements are added to either
//! ```
//!
//! **Changing streams.** G.722 and Opus encoders and decoders carry state. A participant who begins to talk gets an encoder
//! that is a copy of the one they were hearing; one who falls silent returns to the shared stream at an independent frame,
//! once the limiters of both streams have the same gain. Either way they hear the change of content, and not the change of
//! streams.

mod desk;
mod doze;
mod ear;
mod latch;
mod life;
pub(crate) mod listener;
mod lull;
mod mouth;
mod outbox;
mod pace;
mod party;
mod playback;
mod shield;
mod stream;

pub(crate) use outbox::{Outbox, Outgoing, Way};
pub(crate) use playback::{Clip, Playback};

use crate::{
    CallStats, MediaCallId, MediaConfig, MediaEvent, PlayId, RoomId, Sound, StreamParams,
    ports::{Channel, PortKey},
};
use desk::Desk;
use mouth::PAYLOAD_BYTES_MAX;
use pace::{Pace, Talker};
use party::{Follows, Party};
use plenary_audio::{
    bus::Link,
    codec::{Codec, Encoder, Rate},
    level, opus,
};
use std::net::SocketAddr;

/// In a room of up to this many participants, silent lines are checked this often for when their packets arrive.
const PARTIES_LOOKED_AT: usize = 32;
const TICKS_PER_LOOK_AT_SILENT: u32 = 250;
/// For the first time after this many ticks, when jitter buffers have started.
const TICKS_BEFORE_LOOK_AT_SILENT: u32 = 25;
/// If more lines than this carry sound, lines with nothing but their own noise are left out.
const LINES_BEFORE_CROWDED: usize = 3;
/// Below this level a change of streams is not heard.
const INAUDIBLE_DBOV: f32 = -60.0;
/// A participant with an Opus stream of their own waits this long for a pause in which to return to the shared one.
const TICKS_FOR_PAUSE: u8 = 150;
/// Time between two ticks.
pub(crate) const FRAME_NS: u64 = 20_000_000;

/// The time of a tick on both clocks: the monotonic one counts, that of the calendar goes into reports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tick {
    pub(crate) now_ns: u64,
    pub(crate) wall_ns: u64,
}

impl Tick {
    /// The calendar time when the monotonic clock showed `at_ns`.
    fn wall_ns_at(self, at_ns: u64) -> u64 {
        (self.wall_ns + at_ns).saturating_sub(self.now_ns)
    }
}

/// The settings that matter in a room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) rtp_timeout_ns: u64,
    pub(crate) rtcp_interval_ns: u64,
    pub(crate) jitter_ms_min: u32,
    pub(crate) jitter_ms_max: u32,
    pub(crate) opus: opus::Settings,
}

impl Settings {
    pub(crate) fn of(config: &MediaConfig) -> Self {
        Self {
            rtp_timeout_ns: config.rtp_timeout_ms.saturating_mul(1_000_000),
            rtcp_interval_ns: config.rtcp_interval_ms.saturating_mul(1_000_000),
            jitter_ms_min: config.jitter_ms_min,
            jitter_ms_max: config.jitter_ms_max,
            opus: config.opus,
        }
    }
}

/// Identifies a participant within its room. Reused after the participant has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartyKey(usize);

/// A room.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) id: RoomId,
    settings: Settings,
    parties: Vec<Option<Party>>,
    /// Playbacks for single participants, now or in the last tick.
    plays_to_one: usize,
    /// Playbacks for all, or for all but one.
    plays: Vec<(Playback, Option<PartyKey>)>,
    /// The mix at each rate in use.
    desks: [Option<Box<Desk>>; 3],
    /// From each rate (second) to each other (first).
    links: [[Option<Box<Link>>; 3]; 3],
    /// Encoders of talkers who are silent again, by codec.
    spare: [Vec<Encoder>; 4],
    scratch: Box<Scratch>,
    /// The participants, with their sockets.
    members: Vec<(PartyKey, PortKey)>,
    /// Those who were heard in the last tick.
    heard: Vec<usize>,
    /// Lines with sound in the last tick, even if only noise.
    live_lines: usize,
    /// Chooses when the room ticks.
    pace: Pace,
    talkers: Vec<Talker>,
    ticks_paced: u32,
    /// It ticks no earlier than this.
    not_before_ns: u64,
    #[cfg(test)]
    pub(crate) fails: bool,
}

/// Scratch space for one frame.
#[derive(Debug)]
struct Scratch {
    sum: [i32; opus::FRAME_SAMPLES],
    frame: [i16; opus::FRAME_SAMPLES],
    payload: [u8; PAYLOAD_BYTES_MAX],
}

impl Room {
    pub(crate) fn new(id: RoomId, settings: Settings) -> Self {
        Self {
            id,
            settings,
            parties: Vec::new(),
            plays_to_one: 0,
            plays: Vec::new(),
            desks: [const { None }; 3],
            links: [const { [const { None }; 3] }; 3],
            spare: [const { Vec::new() }; 4],
            scratch: Box::new(Scratch {
                sum: [0; opus::FRAME_SAMPLES],
                frame: [0; opus::FRAME_SAMPLES],
                payload: [0; PAYLOAD_BYTES_MAX],
            }),
            members: Vec::new(),
            heard: Vec::new(),
            live_lines: 0,
            pace: Pace::default(),
            talkers: Vec::new(),
            ticks_paced: 0,
            not_before_ns: 0,
            #[cfg(test)]
            fails: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The participants, with their sockets.
    pub(crate) fn members(&self) -> &[(PartyKey, PortKey)] {
        &self.members
    }

    /// The sockets of a participant; `None` if the key is unused.
    pub(crate) fn port(&self, key: PartyKey) -> Option<PortKey> {
        self.party(key).map(|party| party.port)
    }

    /// Every call of the room, with its sockets.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (MediaCallId, PortKey, CallStats)> + '_ {
        self.parties.iter().flatten().map(|party| (party.call, party.port, party.stats()))
    }

    /// Adds a participant that neither speaks nor listens yet.
    pub(crate) fn add(&mut self, call: MediaCallId, port: PortKey, seed: u64) -> PartyKey {
        let party = Some(Party::new(call, port, seed));
        let key = match self.parties.iter().position(Option::is_none) {
            Some(free) => {
                self.parties[free] = party;
                PartyKey(free)
            }
            None => {
                self.parties.push(party);
                self.heard.reserve(self.parties.len() - self.heard.len());
                self.talkers.reserve(self.parties.len() - self.talkers.len());
                self.pace.reserve(self.parties.len());
                PartyKey(self.parties.len() - 1)
            }
        };
        self.members.push((key, port));
        key
    }

    /// Removes a participant, with an RTCP BYE. Playbacks for it alone end without an event.
    pub(crate) fn remove(&mut self, key: PartyKey, time: Tick, out: &mut Outbox) -> Option<CallStats> {
        let party = self.parties.get_mut(key.0)?;
        let gone = party.as_mut()?;
        gone.leave(key, time, out);
        let (stats, rate) = (gone.stats(), gone.rate());
        *party = None;
        self.pace.forget(key.0);
        self.members.retain(|(member, _)| *member != key);
        self.leave_desk(rate);
        for (_, except) in &mut self.plays {
            // The next participant under this key is not the one to be left out.
            except.take_if(|except| *except == key);
        }
        Some(stats)
    }

    pub(crate) fn set_stream(&mut self, key: PartyKey, params: StreamParams, time: Tick) {
        let settings = self.settings;
        let codec = params.codec;
        let Some(party) = self.party_mut(key) else { return };
        let before = party.codec();
        party.set_stream(params, &settings, time.now_ns);
        if before != Some(codec) {
            self.enter_desk(codec);
            self.leave_desk(before.map(Codec::rate));
        }
    }

    /// Prepares for a stream of this codec.
    fn enter_desk(&mut self, codec: Codec) {
        let rate = codec.rate();
        let desk = self.desks[rate.index()].get_or_insert_with(|| Box::new(Desk::new(rate)));
        desk.parties += 1;
        desk.prepare(codec, &self.settings);
        for to in Rate::ALL {
            for from in Rate::ALL {
                if to != from && self.desks[to.index()].is_some() && self.desks[from.index()].is_some() {
                    self.links[to.index()][from.index()].get_or_insert_with(|| Box::new(Link::new(from, to)));
                }
            }
        }
    }

    fn leave_desk(&mut self, rate: Option<Rate>) {
        let Some(rate) = rate else { return };
        let Some(desk) = &mut self.desks[rate.index()] else { return };
        desk.parties -= 1;
        if desk.parties == 0 {
            self.desks[rate.index()] = None;
            for to in 0..3 {
                self.links[to][rate.index()] = None;
                self.links[rate.index()][to] = None;
            }
        }
    }

    pub(crate) fn set_voice(&mut self, key: PartyKey, speaks: bool, listens: bool, out: &mut Outbox) {
        if let Some(party) = self.party_mut(key) {
            party.set_voice(speaks, listens, out);
        }
    }

    pub(crate) fn set_sound(&mut self, key: PartyKey, sound: Sound) {
        if let Some(party) = self.party_mut(key) {
            party.set_sound(sound);
        }
    }

    /// A key arrived otherwise than by RTP.
    pub(crate) fn count_key(&mut self, key: PartyKey) {
        if let Some(party) = self.party_mut(key) {
            party.count_key();
        }
    }

    /// Plays something to one participant.
    pub(crate) fn play_to(&mut self, key: PartyKey, playback: Playback) {
        if let Some(party) = self.party_mut(key) {
            party.plays.push(playback);
            self.plays_to_one += 1;
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

    pub(crate) fn stats(&mut self, key: PartyKey) -> Option<CallStats> {
        self.party_mut(key).map(Party::stats_now)
    }

    /// The next packet of this line needs no arrival time.
    pub(crate) fn may_be_unmeasured(&self, key: PartyKey) -> bool {
        self.party(key).is_some_and(Party::may_be_unmeasured)
    }

    /// Takes a datagram from an RTP port that arrived at `arrival_ns`; `None`: at an unknown time since the last
    /// tick. False: another one can hardly have arrived yet.
    pub(crate) fn handle_rtp(
        &mut self,
        key: PartyKey,
        from: SocketAddr,
        bytes: &[u8],
        arrival_ns: Option<u64>,
        time: Tick,
        out: &mut Outbox,
    ) -> bool {
        let Some(party) = self.party_mut(key) else { return false };
        party.handle_rtp(key, from, bytes, arrival_ns, time, out)
    }

    pub(crate) fn handle_rtcp(
        &mut self,
        key: PartyKey,
        from: SocketAddr,
        bytes: &[u8],
        arrival_ns: u64,
        time: Tick,
        out: &mut Outbox,
    ) {
        if let Some(party) = self.party_mut(key) {
            party.handle_rtcp(key, from, bytes, arrival_ns, time, out);
        }
    }

    /// The signalling connection of a participant is closed.
    pub(crate) fn cut_off(&mut self, key: PartyKey) {
        if let Some(party) = self.party_mut(key) {
            party.cut_off();
        }
    }

    /// The keys of a handshake.
    pub(crate) fn set_keys(
        &mut self,
        key: PartyKey,
        channel: Channel,
        send: &crate::MasterKey,
        receive: &crate::MasterKey,
        time: Tick,
    ) {
        if let Some(party) = self.party_mut(key) {
            party.set_keys(channel, send, receive, time.now_ns);
        }
    }

    /// The peer address of a participant's handshake.
    pub(crate) fn dtls_destination(&self, key: PartyKey, channel: Channel) -> Option<SocketAddr> {
        self.party(key)?.dtls_destination(channel)
    }

    pub(crate) fn handle_send_error(&mut self, key: PartyKey) {
        if let Some(party) = self.party_mut(key) {
            party.handle_send_error();
        }
    }

    /// Time passed in which no tick could be made.
    pub(crate) fn skip(&mut self, frames: u32) {
        for party in self.parties.iter_mut().flatten() {
            party.stay_silent(frames);
        }
    }

    /// By how many phases of `phase_ns` the room should tick earlier from now on, for its talkers; negative: later.
    /// Called once after each tick.
    pub(crate) fn phases_sooner(&mut self, time: Tick, phase_ns: u64) -> i32 {
        self.ticks_paced = self.ticks_paced.wrapping_add(1);
        let is_turn = self.ticks_paced % TICKS_PER_LOOK_AT_SILENT == TICKS_BEFORE_LOOK_AT_SILENT;
        if is_turn && self.members.len() <= PARTIES_LOOKED_AT {
            self.look_at_silent(time, phase_ns);
        }
        let Self { heard, parties, pace, talkers, .. } = self;
        let those_heard = heard.iter().filter_map(|place| Some((*place, parties.get(*place)?.as_ref()?)));
        talkers.clear();
        talkers.extend(those_heard.filter_map(|(place, party)| party.waits(place, time.now_ns + FRAME_NS)));
        pace.advise(talkers, phase_ns)
    }

    /// Tells [`Pace`] when the packets of silent lines arrive, because they may be the next to talk.
    fn look_at_silent(&mut self, time: Tick, phase_ns: u64) {
        let Self { parties, pace, .. } = self;
        for (place, party) in parties.iter_mut().enumerate() {
            if let Some(spare_ns) =
                party.as_mut().and_then(|party| party.waits_silent(time.now_ns + FRAME_NS))
            {
                pace.note_silent(place, spare_ns, phase_ns);
            }
        }
    }

    /// From now on it ticks this many phases of `phase_ns` earlier, for the first time at `next_ns`.
    pub(crate) fn note_moved(&mut self, phases: i32, phase_ns: u64, next_ns: u64) {
        self.pace.note_moved(phases, phase_ns);
        self.not_before_ns = next_ns;
    }

    /// Its phase ticks and so does the room: it has not moved from an earlier phase since its last tick.
    pub(crate) fn is_due(&self, time: Tick) -> bool {
        time.now_ns >= self.not_before_ns
    }

    /// Number of participants.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// One tick of 20 ms: receives from and sends to every participant.
    pub(crate) fn tick(&mut self, time: Tick, out: &mut Outbox) {
        #[cfg(test)]
        assert!(!self.fails, "told to fail by a test");
        self.advance_plays(out);
        self.hear(time, out);
        self.mix();
        let mut parties = std::mem::take(&mut self.parties);
        // Streams with state are chosen for all before the first frame of any is encoded.
        if self.has_memory() {
            for (index, party) in parties.iter_mut().enumerate() {
                if let Some(party) = party
                    && self.shared_in_lull(PartyKey(index), party, time).is_none()
                {
                    self.choose_stream(PartyKey(index), party);
                }
            }
        }
        for (index, party) in parties.iter_mut().enumerate() {
            let Some(party) = party else { continue };
            let key = PartyKey(index);
            if let Some(codec) = self.shared_in_lull(key, party, time) {
                self.tell_in_lull(key, party, codec, out);
                continue;
            }
            match party.told_in() {
                Some(codec) => self.tell(key, party, codec, out),
                None => party.stay_silent(1),
            }
            party.look_after(key, &self.settings, time, out);
        }
        self.parties = parties;
    }

    /// There is a listener in a codec with state.
    fn has_memory(&self) -> bool {
        self.desks.iter().flatten().any(|desk| desk.has_memory())
    }

    /// Sums the voices, and records who is heard.
    fn hear(&mut self, time: Tick, out: &mut Outbox) {
        self.desks.iter_mut().flatten().for_each(|desk| desk.begin());
        self.heard.clear();
        let is_crowded = std::mem::take(&mut self.live_lines) > LINES_BEFORE_CROWDED;
        for (index, party) in self.parties.iter_mut().enumerate() {
            let Some(party) = party else { continue };
            if !party.hear(PartyKey(index), time, is_crowded, out) {
                continue;
            }
            self.live_lines += usize::from(party.is_live());
            if let (Some(rate), Some(voice)) = (party.rate(), party.voice())
                && let Some(desk) = &mut self.desks[rate.index()]
            {
                desk.bus.add(voice);
                self.heard.push(index);
            }
        }
    }

    /// Converts the sum of each rate to all others.
    fn mix(&mut self) {
        self.desks.iter_mut().flatten().for_each(|desk| desk.bus.close());
        for to in 0..3 {
            let Some(mut desk) = self.desks[to].take() else { continue };
            for from in 0..3 {
                if let (Some(other), Some(link)) = (&self.desks[from], &mut self.links[to][from]) {
                    desk.bus.take_in(&other.bus, link);
                }
            }
            self.desks[to] = Some(desk);
        }
        if let [last] = self.heard[..]
            && self.plays.is_empty()
            && let Some(party) = &self.parties[last]
            && let (Some((codec, payload)), Some(voice)) = (party.voice_payload(), party.voice())
            && let Some(desk) = &mut self.desks[codec.rate().index()]
        {
            desk.pass_through(codec, payload, voice);
        }
    }

    /// Chooses the stream that a participant hears in this tick, and prepares a change before anything is encoded.
    fn choose_stream(&mut self, key: PartyKey, party: &mut Party) {
        let Some(codec) = party.told_in().filter(|codec| codec.has_memory()) else {
            party.follows = Follows::Nothing;
            return self.give_back(party);
        };
        if party.has_own() {
            return;
        }
        let is_personal = self.is_personal(key, party);
        if is_personal {
            party.ticks_waited = 0;
        }
        let waits = party.follows == Follows::Own && !is_personal && self.must_wait(party, codec);
        let follows = match is_personal || waits {
            true => Follows::Own,
            false => Follows::Shared(party.listens),
        };
        let before = std::mem::replace(&mut party.follows, follows);
        if before == follows {
            return;
        }
        let Some(desk) = &mut self.desks[codec.rate().index()] else { return };
        match follows {
            Follows::Own => {
                let settings = &self.settings;
                let mut encoder =
                    self.spare[codec.index()].pop().unwrap_or_else(|| Encoder::new(codec, &settings.opus));
                let heard = match before {
                    Follows::Shared(listens) => desk.stream(codec, listens),
                    Follows::Own | Follows::Nothing => None,
                };
                if let Some(stream) = heard {
                    encoder.copy_from(&stream.encoder);
                }
                encoder.set_independent(before == Follows::Nothing);
                party.encoder = Some(encoder);
                party.limiter.clone_from(desk.limiter(party.listens));
            }
            Follows::Shared(listens) => {
                if let Some(stream) = desk.stream(codec, listens) {
                    match &party.encoder {
                        // Nobody else is on it: it continues where their own ends.
                        Some(encoder) if !stream.is_current() => {
                            stream.encoder.copy_from(encoder);
                            stream.set_current();
                        }
                        _ => stream.has_newcomer = true,
                    }
                }
                self.give_back(party);
            }
            Follows::Nothing => {}
        }
    }

    /// Whether a participant who has fallen silent stays on their own stream for now, because the change would be
    /// heard.
    fn must_wait(&mut self, party: &mut Party, codec: Codec) -> bool {
        if self.is_turned_down(party, codec) {
            return true;
        }
        match codec {
            Codec::Pcmu | Codec::Pcma => false,
            Codec::G722 => !party.may_return,
            // An independent frame sounds coarser, to all its listeners: better in a pause.
            Codec::Opus => {
                let desk = &self.desks[codec.rate().index()];
                party.ticks_waited += 1;
                party.ticks_waited <= TICKS_FOR_PAUSE
                    && desk.as_ref().is_some_and(|desk| desk.is_loud(codec, party.listens))
            }
        }
    }

    fn give_back(&mut self, party: &mut Party) {
        if let (Some(encoder), Some(codec)) = (party.encoder.take(), party.codec()) {
            self.spare[codec.index()].push(encoder);
        }
    }

    /// Sends a participant its 20 ms.
    fn tell(&mut self, key: PartyKey, party: &mut Party, codec: Codec, out: &mut Outbox) {
        let units = codec.clock_rate() / 50;
        let is_personal = self.is_personal(key, party);
        let was_apart = party.is_apart;
        party.is_apart = is_personal
            || party.has_own()
            || party.follows == Follows::Own
            || was_apart && !codec.has_memory() && self.is_turned_down(party, codec);
        if !party.is_apart {
            let Some(desk) = &mut self.desks[codec.rate().index()] else { return };
            let (payload, frame, level_dbov) =
                desk.shared_payload(codec, party.listens, &self.plays, &mut self.scratch.sum);
            party.note_told(frame, level_dbov);
            return party.tell(key, payload, units, out);
        }
        if !was_apart
            && !codec.has_memory()
            && let Some(desk) = &self.desks[codec.rate().index()]
        {
            party.limiter.clone_from(desk.limiter(party.listens));
        }
        self.mix_personal(key, party, codec.rate());
        let Scratch { frame, payload, sum } = &mut *self.scratch;
        let frame = &frame[..codec.rate().frame()];
        party.note_told(frame, level::dbov(frame));
        if let Some(own) = party.own() {
            let pieces = frame.len() / own.frame;
            for piece in frame.chunks(own.frame) {
                let Some(own) = party.own() else { return };
                let length = own.encoder.encode(piece, payload);
                party.tell(key, &payload[..length], units / pieces as u32, out);
            }
            return;
        }
        let length = match (&mut party.encoder, codec.law()) {
            (Some(encoder), _) => {
                let length = encoder.encode(frame, payload);
                encoder.set_independent(false);
                length
            }
            (None, Some(law)) => Encoder::G711(law).encode(frame, payload),
            (None, None) => return party.stay_silent(1),
        };
        party.tell(key, &payload[..length], units, out);
        // A G.722 encoder cannot code an independent frame. A participant with a stream of their own returns to the
        // shared one when both produce the same output, or when neither is audible.
        if codec == Codec::G722
            && !is_personal
            && let Some(desk) = &mut self.desks[codec.rate().index()]
        {
            let (shared, _, level_dbov) = desk.shared_payload(codec, party.listens, &self.plays, sum);
            party.may_return = *shared == payload[..length] || level_dbov < INAUDIBLE_DBOV;
        } else {
            party.may_return = false;
        }
    }

    /// The codec of a participant on the fast path for silence who hears the shared stream: nothing is played to it
    /// alone, and it has returned from a stream of its own.
    fn shared_in_lull(&self, key: PartyKey, party: &Party, time: Tick) -> Option<Codec> {
        let codec = party.codec_in_lull(time)?;
        let is_shared = !codec.has_memory() || party.follows == Follows::Shared(party.listens);
        let is_alone = party.is_apart
            || !party.plays.is_empty()
            || self.plays.iter().any(|(_, except)| *except == Some(key));
        (is_shared && !is_alone).then_some(codec)
    }

    /// Sends such a participant its 20 ms.
    fn tell_in_lull(&mut self, key: PartyKey, party: &mut Party, codec: Codec, out: &mut Outbox) {
        let Some(desk) = &mut self.desks[codec.rate().index()] else { return };
        let (payload, _, level_dbov) =
            desk.shared_payload(codec, party.listens, &self.plays, &mut self.scratch.sum);
        party.tell_in_lull(key, payload, level_dbov, out);
    }

    /// The limiters of its own stream and of the shared one have different gains, so a jump would be heard.
    fn is_turned_down(&mut self, party: &mut Party, codec: Codec) -> bool {
        let desk = &mut self.desks[codec.rate().index()];
        desk.as_mut().is_some_and(|desk| !desk.may_join(party.listens, &mut party.limiter))
    }

    /// Mixes what one participant hears into the scratch frame.
    fn mix_personal(&mut self, key: PartyKey, party: &mut Party, rate: Rate) {
        let Some(desk) = &self.desks[rate.index()] else { return };
        let Scratch { sum, frame, .. } = &mut *self.scratch;
        let (sum, frame) = (&mut sum[..rate.frame()], &mut frame[..rate.frame()]);
        match party.voice() {
            _ if !party.listens => sum.fill(0),
            Some(own) => desk.bus.without(own, sum),
            None => sum.copy_from_slice(desk.bus.total()),
        }
        let of_room =
            self.plays.iter().filter(|(_, except)| *except != Some(key)).map(|(playback, _)| playback);
        of_room.chain(&party.plays).for_each(|playback| playback.lay_over(rate, sum));
        party.limiter.run(sum, frame);
    }

    fn party(&self, key: PartyKey) -> Option<&Party> {
        self.parties.get(key.0).and_then(Option::as_ref)
    }

    fn party_mut(&mut self, key: PartyKey) -> Option<&mut Party> {
        self.parties.get_mut(key.0).and_then(Option::as_mut)
    }

    fn advance_plays(&mut self, out: &mut Outbox) {
        let needed = Rate::ALL.map(|rate| self.desks[rate.index()].is_some());
        let mut goes_on = |playback: &mut Playback| {
            let goes_on = playback.advance(needed);
            if !goes_on {
                out.tell(MediaEvent::PlayFinished { id: playback.id });
            }
            goes_on
        };
        self.plays.retain_mut(|(playback, _)| goes_on(playback));
        if self.plays_to_one == 0 {
            return;
        }
        self.plays_to_one = 0;
        for party in self.parties.iter_mut().flatten() {
            party.plays.retain_mut(&mut goes_on);
            self.plays_to_one += party.plays.len();
        }
    }

    /// Whether it hears something that nobody else hears.
    fn is_personal(&self, key: PartyKey, party: &Party) -> bool {
        party.listens && party.voice().is_some()
            || !party.plays.is_empty()
            || self.plays.iter().any(|(_, except)| *except == Some(key))
    }
}

#[cfg(test)]
mod tests;
