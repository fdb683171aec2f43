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

mod coaching;
mod decode_skip;
mod inband;
mod key;
mod latch;
pub(crate) mod listener;
mod liveness;
mod member;
mod moving;
mod outbox;
mod own_mix;
mod own_streams;
mod pace;
pub(crate) mod play_log;
mod playback;
mod plays;
mod ramp;
mod rate_mixer;
mod receive_path;
mod recorder;
mod send_path;
mod settings;
mod silence_fast_path;
mod srtp_context;
mod stream;
mod tap;
pub(crate) mod tick;

pub(crate) use coaching::Coaching;
pub(crate) use key::MemberKey;
pub(crate) use moving::MovingMember;
pub(crate) use outbox::{Outbox, PacketRoute, RoomDatagram};
pub(crate) use playback::{LoadedClip, Playback};
pub(crate) use recorder::NameRecorder;
pub(crate) use settings::Settings;
pub(crate) use tap::RecordingTap;
pub(crate) use tick::{FRAME_NS, Tick};

use crate::{
    AudioProcessing, CallStats, InbandDtmf, MediaCallId, RoomId, StreamParams,
    ports::{Channel, PortKey},
};
use member::{Follows, RoomMember};
use moving::Arrival;
use own_streams::OwnStreams;
use pace::{Pace, Talker};
use plays::RoomPlay;
use plenary_audio::{
    bus::Link,
    codec::{Codec, Encoder, Rate},
    level, opus,
};
use plenary_rtp::jitter::JitterBuffer;
use ramp::Ramp;
use rate_mixer::RateMixer;
use send_path::PAYLOAD_BYTES_MAX;
use std::net::SocketAddr;

/// In a room of up to this many participants, silent lines are checked this often for when their packets arrive.
const MEMBERS_SCANNED_MAX: usize = 32;
const TICKS_PER_SILENT_SCAN: u32 = 250;
/// For the first time after this many ticks, when jitter buffers have started.
const TICKS_BEFORE_SILENT_SCAN: u32 = 25;
/// If more lines than this carry sound, lines with nothing but their own noise are left out.
const LINES_BEFORE_CROWDED: usize = 3;
/// Below this level a change of streams is not heard.
const INAUDIBLE_DBOV: f32 = -60.0;
/// A participant with an Opus stream of their own waits this long for a pause in which to return to the shared one.
const TICKS_FOR_PAUSE: u8 = 150;
/// From so many Opus streams of their own on they are coded at the least cost: at the usual one 350 prompts of 350 participants take
/// more than a core. It ends when there are fewer than [`FEW_OWN_OPUS`].
const MANY_OWN_OPUS: usize = 60;
const FEW_OWN_OPUS: usize = 40;
/// A room.
#[derive(Debug)]
pub(crate) struct MixRoom {
    pub(crate) id: RoomId,
    settings: Settings,
    members: Vec<Option<RoomMember>>,
    /// A participant may hear something otherwise than all.
    has_special: bool,
    /// Playbacks for all, or for all but some.
    plays: Vec<RoomPlay>,
    /// Gain of all voices: lowered during some playbacks.
    voices: Ramp,
    /// A participant talked in the last tick.
    is_talk: bool,
    /// Those whom some hear only.
    coaching: Vec<Coaching>,
    /// The mix at each rate in use.
    mixers: [Option<Box<RateMixer>>; 3],
    /// From each rate (second) to each other (first).
    links: [[Option<Box<Link>>; 3]; 3],
    /// There are many Opus streams of their own.
    saves: bool,
    /// What is encoded last in a tick then.
    own_streams: OwnStreams,
    /// Encoders of talkers who are silent again, by codec.
    spare: [Vec<Encoder>; 4],
    scratch: Box<Scratch>,
    /// The participants, with their sockets.
    ports: Vec<(MemberKey, PortKey)>,
    /// Indices of the active speakers of the last tick.
    heard: Vec<usize>,
    /// Lines with sound in the last tick, even if only noise.
    live_lines: usize,
    /// Chooses when the room ticks.
    pace: Pace,
    talkers: Vec<Talker>,
    ticks_paced: u32,
    /// It ticks no earlier than this.
    not_before_ns: u64,
    /// Participants that came from another room since the last tick.
    arrivals: Vec<Arrival>,
    /// Recordings of the room.
    taps: Vec<RecordingTap>,
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

impl MixRoom {
    pub(crate) fn new(id: RoomId, settings: Settings) -> Self {
        Self {
            id,
            settings,
            members: Vec::new(),
            has_special: false,
            plays: Vec::new(),
            voices: Ramp::at(1.0),
            is_talk: false,
            coaching: Vec::new(),
            mixers: [const { None }; 3],
            links: [const { [const { None }; 3] }; 3],
            saves: false,
            own_streams: OwnStreams::default(),
            spare: [const { Vec::new() }; 4],
            scratch: Box::new(Scratch {
                sum: [0; opus::FRAME_SAMPLES],
                frame: [0; opus::FRAME_SAMPLES],
                payload: [0; PAYLOAD_BYTES_MAX],
            }),
            ports: Vec::new(),
            heard: Vec::new(),
            live_lines: 0,
            pace: Pace::default(),
            talkers: Vec::new(),
            ticks_paced: 0,
            not_before_ns: 0,
            arrivals: Vec::new(),
            taps: Vec::new(),
            #[cfg(test)]
            fails: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// The participants, with their sockets.
    pub(crate) fn ports(&self) -> &[(MemberKey, PortKey)] {
        &self.ports
    }

    /// The sockets of a participant; `None` if the key is unused.
    pub(crate) fn port(&self, key: MemberKey) -> Option<PortKey> {
        self.member(key).map(|member| member.port)
    }

    /// Every call of the room, with its sockets.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (MediaCallId, PortKey, CallStats)> + '_ {
        self.members.iter().flatten().map(|member| (member.call, member.port, member.stats()))
    }

    /// Adds a participant that neither speaks nor listens yet.
    pub(crate) fn add(&mut self, call: MediaCallId, port: PortKey, seed: u64) -> MemberKey {
        self.place(RoomMember::new(call, port, seed))
    }

    fn place(&mut self, member: RoomMember) -> MemberKey {
        let port = member.port;
        let member = Some(member);
        let key = match self.members.iter().position(Option::is_none) {
            Some(free) => {
                self.members[free] = member;
                MemberKey(free)
            }
            None => {
                self.members.push(member);
                self.heard.reserve(self.members.len() - self.heard.len());
                self.talkers.reserve(self.members.len() - self.talkers.len());
                self.pace.reserve(self.members.len());
                MemberKey(self.members.len() - 1)
            }
        };
        self.ports.push((key, port));
        key
    }

    /// Removes a participant, with an RTCP BYE. Playbacks for it alone end without an event.
    pub(crate) fn remove(&mut self, key: MemberKey, time: Tick, out: &mut Outbox) -> Option<CallStats> {
        let member = self.members.get_mut(key.0)?;
        let gone = member.as_mut()?;
        gone.leave(key, time, out);
        let (stats, rate) = (gone.stats(), gone.rate());
        *member = None;
        self.forget(key, rate);
        Some(stats)
    }

    /// A participant is gone who had a stream of this rate.
    fn forget(&mut self, key: MemberKey, rate: Option<Rate>) {
        self.pace.forget(key.0);
        self.ports.retain(|(other, _)| *other != key);
        self.arrivals.retain(|arrival| arrival.key != key);
        self.leave_mixer(rate);
        for play in &mut self.plays {
            // The next participant under this key is not the one to be left out.
            play.forget(key);
        }
        self.coaching.retain(|coaching| coaching.coach != Some(key));
    }

    pub(crate) fn set_stream(&mut self, key: MemberKey, params: StreamParams, time: Tick) {
        let settings = self.settings;
        let codec = params.codec;
        let Some(member) = self.member_mut(key) else { return };
        let before = member.codec();
        member.set_stream(params, &settings, time.now_ns);
        if before != Some(codec) {
            self.join_mixer(codec);
            self.leave_mixer(before.map(Codec::rate));
        }
    }

    /// Prepares for a stream of this codec.
    fn join_mixer(&mut self, codec: Codec) {
        let rate = codec.rate();
        let mixer = self.mixers[rate.index()].get_or_insert_with(|| Box::new(RateMixer::new(rate)));
        mixer.members += 1;
        mixer.prepare(codec, &self.settings);
        for to in Rate::ALL {
            for from in Rate::ALL {
                if to != from && self.mixers[to.index()].is_some() && self.mixers[from.index()].is_some() {
                    self.links[to.index()][from.index()].get_or_insert_with(|| Box::new(Link::new(from, to)));
                }
            }
        }
    }

    fn leave_mixer(&mut self, rate: Option<Rate>) {
        let Some(rate) = rate else { return };
        let Some(mixer) = &mut self.mixers[rate.index()] else { return };
        mixer.members -= 1;
        if mixer.members == 0 {
            self.mixers[rate.index()] = None;
            for to in 0..3 {
                self.links[to][rate.index()] = None;
                self.links[rate.index()][to] = None;
            }
        }
    }

    pub(crate) fn set_voice(&mut self, key: MemberKey, speaks: bool, listens: bool, out: &mut Outbox) {
        if let Some(member) = self.member_mut(key) {
            member.set_voice(speaks, listens, out);
        }
    }

    pub(crate) fn set_processing(&mut self, key: MemberKey, processing: AudioProcessing) {
        if let Some(member) = self.member_mut(key) {
            member.set_processing(processing);
        }
    }

    /// Sets where keys are looked for as tones on a participant's line; `None`: as the settings say.
    pub(crate) fn set_inband_dtmf(&mut self, key: MemberKey, inband: Option<InbandDtmf>) {
        let settings = self.settings;
        if let Some(member) = self.member_mut(key) {
            member.set_inband_dtmf(inband, &settings);
        }
    }

    /// Records what a participant says. A recording that runs ends.
    pub(crate) fn record(&mut self, key: MemberKey, recorder: Box<NameRecorder>, out: &mut Outbox) {
        if let Some(member) = self.member_mut(key) {
            member.end_recording(out);
            member.record(recorder);
        }
    }

    /// Ends the recording of a participant.
    pub(crate) fn end_recording(&mut self, key: MemberKey, out: &mut Outbox) {
        if let Some(member) = self.member_mut(key) {
            member.end_recording(out);
        }
    }

    /// A telephone key arrived by signalling.
    pub(crate) fn press_key(&mut self, key: MemberKey, pressed: char, time: Tick, out: &mut Outbox) {
        if let Some(member) = self.member_mut(key) {
            member.press_key(pressed, time, out);
        }
    }

    pub(crate) fn stats(&mut self, key: MemberKey) -> Option<CallStats> {
        self.member_mut(key).map(RoomMember::stats_now)
    }

    /// The next packet of this line needs no arrival time.
    pub(crate) fn may_be_unmeasured(&self, key: MemberKey) -> bool {
        self.member(key).is_some_and(RoomMember::may_be_unmeasured)
    }

    /// Takes a datagram from an RTP port that arrived at `arrival_ns`; `None`: at an unknown time since the last
    /// tick. False: another one can hardly have arrived yet.
    pub(crate) fn handle_rtp(
        &mut self,
        key: MemberKey,
        from: SocketAddr,
        bytes: &[u8],
        arrival_ns: Option<u64>,
        time: Tick,
        out: &mut Outbox,
    ) -> bool {
        let Some(member) = self.member_mut(key) else { return false };
        member.handle_rtp(key, from, bytes, arrival_ns, time, out)
    }

    pub(crate) fn handle_rtcp(
        &mut self,
        key: MemberKey,
        from: SocketAddr,
        bytes: &[u8],
        arrival_ns: u64,
        time: Tick,
        out: &mut Outbox,
    ) {
        if let Some(member) = self.member_mut(key) {
            member.handle_rtcp(key, from, bytes, arrival_ns, time, out);
        }
    }

    /// The signalling connection of a participant is closed.
    pub(crate) fn cut_off(&mut self, key: MemberKey) {
        if let Some(member) = self.member_mut(key) {
            member.cut_off();
        }
    }

    /// The keys of a handshake.
    pub(crate) fn set_keys(
        &mut self,
        key: MemberKey,
        channel: Channel,
        send: &crate::MasterKey,
        receive: &crate::MasterKey,
        time: Tick,
    ) {
        if let Some(member) = self.member_mut(key) {
            member.set_keys(channel, send, receive, time.now_ns);
        }
    }

    /// The peer address of a participant's handshake.
    pub(crate) fn dtls_destination(&self, key: MemberKey, channel: Channel) -> Option<SocketAddr> {
        self.member(key)?.dtls_destination(channel)
    }

    pub(crate) fn handle_send_error(&mut self, key: MemberKey) {
        if let Some(member) = self.member_mut(key) {
            member.handle_send_error();
        }
    }

    /// Time passed in which no tick could be made.
    pub(crate) fn skip(&mut self, frames: u32) {
        for member in self.members.iter_mut().flatten() {
            member.stay_silent(frames);
        }
        self.skip_taps(frames);
    }

    /// By how many phases of `phase_ns` the room should tick earlier from now on, for its talkers; negative: later.
    /// Called once after each tick.
    pub(crate) fn phases_sooner(&mut self, time: Tick, phase_ns: u64) -> i32 {
        self.ticks_paced = self.ticks_paced.wrapping_add(1);
        let is_turn = self.ticks_paced % TICKS_PER_SILENT_SCAN == TICKS_BEFORE_SILENT_SCAN;
        if is_turn && self.ports.len() <= MEMBERS_SCANNED_MAX {
            self.scan_silent(time, phase_ns);
        }
        let Self { heard, members, pace, talkers, .. } = self;
        let those_heard = heard.iter().filter_map(|place| Some((*place, members.get(*place)?.as_ref()?)));
        talkers.clear();
        talkers.extend(those_heard.filter_map(|(place, member)| member.waits(place, time.now_ns + FRAME_NS)));
        pace.advise(talkers, phase_ns)
    }

    /// Reports to [`Pace`] when the packets of silent lines arrive, because they may be the next to talk.
    fn scan_silent(&mut self, time: Tick, phase_ns: u64) {
        let Self { members, pace, .. } = self;
        for (place, member) in members.iter_mut().enumerate() {
            if let Some(spare_ns) =
                member.as_mut().and_then(|member| member.waits_silent(time.now_ns + FRAME_NS))
            {
                pace.note_silent(place, spare_ns, phase_ns);
            }
        }
    }

    /// From now on it ticks this many phases of `phase_ns` earlier, for the first time at `next_ns`.
    pub(crate) fn note_moved(&mut self, phases: i32, phase_ns: u64, next_ns: u64) {
        let is_for_talkers = self.pace.note_moved(phases, phase_ns);
        self.not_before_ns = next_ns;
        if phases > 0 {
            let members = self.members.iter_mut().flatten();
            members.filter_map(RoomMember::jitter_mut).for_each(JitterBuffer::pulls_sooner);
        } else if is_for_talkers {
            for talker in &self.heard {
                let member = self.members.get_mut(*talker).and_then(Option::as_mut);
                if let Some(jitter) = member.and_then(RoomMember::jitter_mut) {
                    jitter.pulls_later();
                }
            }
        }
    }

    /// Its phase ticks and so does the room: it has not moved from an earlier phase since its last tick.
    pub(crate) fn is_due(&self, time: Tick) -> bool {
        time.now_ns >= self.not_before_ns
    }

    /// Number of participants.
    pub(crate) fn len(&self) -> usize {
        self.ports.len()
    }

    /// One tick of 20 ms: receives from and sends to every participant.
    pub(crate) fn tick(&mut self, time: Tick, out: &mut Outbox) {
        #[cfg(test)]
        assert!(!self.fails, "a test makes it fail");
        let has_arrivals = !self.arrivals.is_empty() && self.begin_arrivals(time);
        self.advance_plays(out);
        self.begin_coaching();
        self.hear(time, out);
        self.end_coaching();
        if !self.taps.is_empty() {
            self.tap_voices();
        }
        self.mix();
        let mut members = std::mem::take(&mut self.members);
        // Streams with state are chosen for all before the first frame of any is encoded.
        if self.has_memory() {
            for (index, member) in members.iter_mut().enumerate() {
                if let Some(member) = member
                    && self.shared_on_fast_path(MemberKey(index), member, time).is_none()
                {
                    self.choose_stream(MemberKey(index), member);
                }
            }
            let own = members.iter().flatten().filter(|member| member.encodes_opus()).count();
            self.saves = own >= if self.saves { FEW_OWN_OPUS } else { MANY_OWN_OPUS };
        }
        for (index, member) in members.iter_mut().enumerate() {
            let Some(member) = member else { continue };
            let key = MemberKey(index);
            if let Some(codec) = self.shared_on_fast_path(key, member, time) {
                self.send_on_fast_path(key, member, codec, out);
                continue;
            }
            match member.send_codec() {
                Some(codec) => self.send_frame(key, member, codec, out),
                None => member.stay_silent(1),
            }
            member.look_after(key, &self.settings, time, out);
        }
        if self.saves {
            self.own_streams.encode(|key, encoder, payload| {
                let Some(member) = members.get_mut(key.0).and_then(Option::as_mut) else { return };
                member.encoder = Some(encoder);
                member.send_frame(key, payload, Codec::Opus.clock_rate() / 50, out);
            });
        }
        self.members = members;
        if !self.taps.is_empty() {
            self.tap_mix();
        }
        if has_arrivals {
            self.end_arrivals();
        }
    }

    /// There is a listener in a codec with state.
    fn has_memory(&self) -> bool {
        self.mixers.iter().flatten().any(|mixer| mixer.has_memory())
    }

    /// Sums the voices, and records who is heard.
    fn hear(&mut self, time: Tick, out: &mut Outbox) {
        self.mixers.iter_mut().flatten().for_each(|mixer| mixer.begin());
        self.heard.clear();
        let mut is_talk = false;
        let is_crowded = std::mem::take(&mut self.live_lines) > LINES_BEFORE_CROWDED;
        for (index, member) in self.members.iter_mut().enumerate() {
            let Some(member) = member else { continue };
            if !member.hear(MemberKey(index), time, is_crowded, out) {
                continue;
            }
            self.live_lines += usize::from(member.is_live());
            is_talk |= member.is_talking();
            if !self.coaching.is_empty() {
                coaching::part(&mut self.coaching, MemberKey(index), member);
            }
            if let (Some(rate), Some(voice)) = (member.rate(), member.voice())
                && let Some(mixer) = &mut self.mixers[rate.index()]
            {
                mixer.bus.add(voice);
                self.heard.push(index);
            }
        }
        self.is_talk = is_talk;
    }

    /// Converts the sum of each rate to all others.
    fn mix(&mut self) {
        self.mixers.iter_mut().flatten().for_each(|mixer| mixer.bus.close());
        for to in 0..3 {
            let Some(mut mixer) = self.mixers[to].take() else { continue };
            for from in 0..3 {
                if let (Some(other), Some(link)) = (&self.mixers[from], &mut self.links[to][from]) {
                    mixer.bus.take_in(&other.bus, link);
                }
            }
            self.mixers[to] = Some(mixer);
        }
        if let [last] = self.heard[..]
            && self.plays.is_empty()
            && self.voices.is(1.0)
            && let Some(member) = &self.members[last]
            && let (Some((codec, payload)), Some(voice)) = (member.voice_payload(), member.voice())
            && let Some(mixer) = &mut self.mixers[codec.rate().index()]
        {
            mixer.pass_through(codec, payload, voice);
        }
    }

    /// Chooses the stream that a participant hears in this tick, and prepares a change before anything is encoded.
    fn choose_stream(&mut self, key: MemberKey, member: &mut RoomMember) {
        let Some(codec) = member.send_codec().filter(|codec| codec.has_memory()) else {
            member.follows = Follows::Nothing;
            return self.give_back(member);
        };
        if member.has_own_encoder() {
            return;
        }
        let is_personal = self.is_personal(key, member);
        if is_personal {
            member.ticks_waited = 0;
        }
        let waits = member.follows == Follows::Own && !is_personal && self.must_wait(member, codec);
        let follows = match is_personal || waits {
            true => Follows::Own,
            false => Follows::Shared(member.listens),
        };
        let before = std::mem::replace(&mut member.follows, follows);
        if before == follows {
            return;
        }
        let Some(mixer) = &mut self.mixers[codec.rate().index()] else { return };
        match follows {
            Follows::Own => {
                let settings = &self.settings;
                let mut encoder =
                    self.spare[codec.index()].pop().unwrap_or_else(|| Encoder::new(codec, &settings.opus));
                let heard = match before {
                    Follows::Shared(listens) => mixer.stream(codec, listens),
                    Follows::Own | Follows::Nothing => None,
                };
                if let Some(stream) = heard {
                    encoder.copy_from(&stream.encoder);
                }
                encoder.set_independent(before == Follows::Nothing);
                member.encoder = Some(encoder);
                member.limiter.clone_from(mixer.limiter(member.listens));
            }
            Follows::Shared(listens) => {
                if let Some(stream) = mixer.stream(codec, listens) {
                    match &member.encoder {
                        // No other listener is on it: it continues where their own ends.
                        Some(encoder) if !stream.is_current() => {
                            stream.encoder.copy_from(encoder);
                            stream.encoder.configure(&self.settings.opus);
                            stream.set_current();
                        }
                        _ => stream.has_newcomer = true,
                    }
                }
                self.give_back(member);
            }
            Follows::Nothing => {}
        }
    }

    /// Whether a participant who has fallen silent stays on their own stream for now, because the change would be
    /// heard.
    fn must_wait(&mut self, member: &mut RoomMember, codec: Codec) -> bool {
        if self.is_turned_down(member, codec) {
            return true;
        }
        match codec {
            Codec::Pcmu | Codec::Pcma => false,
            Codec::G722 => !member.may_return,
            // An independent frame sounds coarser, to all its listeners: better in a pause.
            Codec::Opus => {
                let mixer = &self.mixers[codec.rate().index()];
                member.ticks_waited += 1;
                member.ticks_waited <= TICKS_FOR_PAUSE
                    && mixer.as_ref().is_some_and(|mixer| mixer.is_loud(codec, member.listens))
            }
        }
    }

    fn give_back(&mut self, member: &mut RoomMember) {
        if let (Some(encoder), Some(codec)) = (member.encoder.take(), member.codec()) {
            self.spare[codec.index()].push(encoder);
        }
    }

    /// Sends a participant its 20 ms.
    fn send_frame(&mut self, key: MemberKey, member: &mut RoomMember, codec: Codec, out: &mut Outbox) {
        let units = codec.clock_rate() / 50;
        let is_personal = self.is_personal(key, member);
        let was_apart = member.is_apart;
        member.is_apart = is_personal
            || member.has_own_encoder()
            || member.follows == Follows::Own
            || was_apart && !codec.has_memory() && self.is_turned_down(member, codec);
        if !member.is_apart {
            let Some(mixer) = &mut self.mixers[codec.rate().index()] else { return };
            let (payload, frame, level_dbov) =
                mixer.shared_payload(codec, member.listens, self.voices, &self.plays, &mut self.scratch.sum);
            member.note_sent(frame, level_dbov);
            return member.send_frame(key, payload, units, out);
        }
        if !was_apart
            && !codec.has_memory()
            && let Some(mixer) = &self.mixers[codec.rate().index()]
        {
            member.limiter.clone_from(mixer.limiter(member.listens));
        }
        self.mix_personal(key, member, codec.rate());
        let Scratch { frame, payload, sum } = &mut *self.scratch;
        let frame = &frame[..codec.rate().frame()];
        member.note_sent(frame, level::dbov(frame));
        if let Some(own) = member.own_encoder() {
            let pieces = frame.len() / own.frame;
            for piece in frame.chunks(own.frame) {
                let Some(own) = member.own_encoder() else { return };
                let length = own.encoder.encode(piece, payload);
                member.send_frame(key, &payload[..length], units / pieces as u32, out);
            }
            return;
        }
        if self.saves
            && codec == Codec::Opus
            && let Some(mut encoder) = member.encoder.take()
        {
            encoder.configure(&self.settings.opus.cheapest());
            return self.own_streams.take(key, encoder, frame);
        }
        let length = match (&mut member.encoder, codec.law()) {
            (Some(encoder), _) => {
                encoder.configure(&self.settings.opus);
                let length = encoder.encode(frame, payload);
                encoder.set_independent(false);
                length
            }
            (None, Some(law)) => Encoder::G711(law).encode(frame, payload),
            (None, None) => return member.stay_silent(1),
        };
        member.send_frame(key, &payload[..length], units, out);
        // A G.722 encoder cannot code an independent frame. A participant with a stream of their own returns to the
        // shared one when both produce the same output, or when neither is audible.
        if codec == Codec::G722
            && !is_personal
            && let Some(mixer) = &mut self.mixers[codec.rate().index()]
        {
            let (shared, _, level_dbov) =
                mixer.shared_payload(codec, member.listens, self.voices, &self.plays, sum);
            member.may_return = *shared == payload[..length] || level_dbov < INAUDIBLE_DBOV;
        } else {
            member.may_return = false;
        }
    }

    /// The codec of a participant on the fast path for silence who hears the shared stream: nothing is played to it
    /// alone, and it has returned from a stream of its own.
    fn shared_on_fast_path(&self, key: MemberKey, member: &RoomMember, time: Tick) -> Option<Codec> {
        let codec = member.codec_on_fast_path(time)?;
        let is_shared = !codec.has_memory() || member.follows == Follows::Shared(member.listens);
        let is_alone = member.is_apart || self.is_special(key, member);
        (is_shared && !is_alone).then_some(codec)
    }

    /// Sends such a participant its 20 ms.
    fn send_on_fast_path(&mut self, key: MemberKey, member: &mut RoomMember, codec: Codec, out: &mut Outbox) {
        let Some(mixer) = &mut self.mixers[codec.rate().index()] else { return };
        let (payload, _, level_dbov) =
            mixer.shared_payload(codec, member.listens, self.voices, &self.plays, &mut self.scratch.sum);
        member.send_on_fast_path(key, payload, level_dbov, out);
    }

    /// The limiters of its own stream and of the shared one have different gains, so a jump would be heard.
    fn is_turned_down(&mut self, member: &mut RoomMember, codec: Codec) -> bool {
        let mixer = &mut self.mixers[codec.rate().index()];
        mixer.as_mut().is_some_and(|mixer| !mixer.may_join(member.listens, &mut member.limiter))
    }

    /// Mixes what one participant hears into the scratch frame.
    fn mix_personal(&mut self, key: MemberKey, member: &mut RoomMember, rate: Rate) {
        let Some(mixer) = &self.mixers[rate.index()] else { return };
        let Scratch { sum, frame, .. } = &mut *self.scratch;
        let (sum, frame) = (&mut sum[..rate.frame()], &mut frame[..rate.frame()]);
        match member.voice() {
            _ if !member.listens => sum.fill(0),
            Some(own) => mixer.bus.without(own, sum),
            None => sum.copy_from_slice(mixer.bus.total()),
        }
        self.voices.apply(sum);
        if member.listens {
            self.coaching.iter().for_each(|coaching| coaching.lay_over(key, member.call, rate, sum));
        }
        let of_room = self.plays.iter().filter(|play| play.reaches(key));
        of_room.for_each(|play| play.playback.lay_over(rate, sum));
        member.own_mix.apply_room(sum);
        member.plays.iter().for_each(|playback| playback.lay_over(rate, sum));
        member.own_mix.apply_all(rate, sum);
        member.limiter.run(sum, frame);
    }

    fn member(&self, key: MemberKey) -> Option<&RoomMember> {
        self.members.get(key.0).and_then(Option::as_ref)
    }

    fn member_mut(&mut self, key: MemberKey) -> Option<&mut RoomMember> {
        self.members.get_mut(key.0).and_then(Option::as_mut)
    }

    /// Whether it hears a mix of its own.
    fn is_personal(&self, key: MemberKey, member: &RoomMember) -> bool {
        member.listens && member.voice().is_some() || self.is_special(key, member)
    }
}

#[cfg(test)]
mod tests;
