//! Participants that move from one room to another.
//!
//! A participant leaves right after a tick of its old room, and is in the next tick of the new one that is at least half a
//! frame later. So its packets leave 10 to 30 ms apart at the change, its media clock stays within 10 ms of where it was,
//! and no frame of either direction is lost or repeated.

use super::{
    Coaching, FRAME_NS, MixRoom, Playback, Tick,
    key::MemberKey,
    member::{Follows, RoomMember},
};
use crate::{CallStats, OnMove, ports::PortKey};
use plenary_audio::codec::Encoder;

/// A participant between two rooms, with everything that is its own.
#[derive(Debug)]
pub(crate) struct MovingMember {
    member: RoomMember,
    /// Its listeners, if not all hear it.
    coaching: Option<Box<Coaching>>,
    /// The last tick that it was in.
    last_tick_ns: u64,
}

impl MovingMember {
    pub(crate) fn stats(&self) -> CallStats {
        self.member.stats()
    }
}

/// A participant that came since the last tick.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) key: MemberKey,
    last_tick_ns: u64,
    /// The participant during a tick that comes too soon for it.
    kept_out: Option<RoomMember>,
}

impl MixRoom {
    /// Takes a participant out after the tick at `time`, for another room.
    pub(crate) fn take_out(&mut self, key: MemberKey, playing: OnMove, time: Tick) -> Option<MovingMember> {
        let mut member = self.members.get_mut(key.0)?.take()?;
        member.leave_fast_path();
        self.part(&mut member);
        if playing == OnMove::StopPlaying {
            // What has begun fades out in the first tick there.
            member.plays.retain_mut(Playback::stop);
        }
        let place = self.coaching.iter().position(|coaching| coaching.coach == Some(key));
        let coaching = place.map(|place| Box::new(self.coaching.swap_remove(place)));
        self.forget(key, member.rate());
        Some(MovingMember { member, coaching, last_tick_ns: time.now_ns })
    }

    /// Gives a participant the encoder and the limiter of the stream that it heard, because its telephone's decoder
    /// continues from there.
    fn part(&mut self, member: &mut RoomMember) {
        let Some(codec) = member.codec() else { return };
        let Some(mixer) = &mut self.mixers[codec.rate().index()] else { return };
        if !member.is_apart {
            member.limiter.clone_from(mixer.limiter_after(member.listens));
        }
        if let Follows::Shared(listens) = member.follows
            && let Some(stream) = mixer.stream(codec, listens)
        {
            let spare = self.spare[codec.index()].pop();
            let mut encoder = spare.unwrap_or_else(|| Encoder::new(codec, &self.settings.opus));
            encoder.copy_from(&stream.encoder);
            encoder.set_independent(false);
            (member.encoder, member.follows) = (Some(encoder), Follows::Own);
        }
        (member.is_apart, member.may_return, member.ticks_waited) = (true, false, 0);
    }

    /// Takes in a participant from another room. Its sockets may be known by another key here.
    pub(crate) fn take_in(&mut self, moving: MovingMember, port: PortKey) -> MemberKey {
        let MovingMember { mut member, coaching, last_tick_ns } = moving;
        member.port = port;
        self.has_special = true;
        let codec = member.codec();
        let key = self.place(member);
        if let Some(mut coaching) = coaching {
            coaching.coach = Some(key);
            self.coaching.push(*coaching);
        }
        self.hear_later(key);
        if let Some(codec) = codec {
            self.join_mixer(codec);
        }
        self.arrivals.push(Arrival { key, last_tick_ns, kept_out: None });
        key
    }

    /// Before a tick: keeps out those for whom it comes too soon. False: there are none.
    pub(super) fn begin_arrivals(&mut self, time: Tick) -> bool {
        for arrival in &mut self.arrivals {
            let Some(slot) = self.members.get_mut(arrival.key.0) else { continue };
            let since_ns = time.now_ns.saturating_sub(arrival.last_tick_ns);
            if since_ns < FRAME_NS / 2 {
                arrival.kept_out = slot.take();
            } else if let Some(member) = slot {
                // The thread was late, or came from a late one: what was missed counts as time.
                let frames = (since_ns + FRAME_NS / 2) / FRAME_NS;
                if frames > 1 {
                    member.stay_silent(frames as u32 - 1);
                }
            }
        }
        self.arrivals.retain(|arrival| arrival.kept_out.is_some());
        !self.arrivals.is_empty()
    }

    /// After it.
    pub(super) fn end_arrivals(&mut self) {
        for arrival in &mut self.arrivals {
            self.has_special = true;
            self.members[arrival.key.0] = arrival.kept_out.take();
        }
    }
}
