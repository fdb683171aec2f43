//! A participant whom only some hear, as a coach is.
//!
//! The voice is not in the sum that all hear. Its listeners have a mix of their own, to which it is added; for all
//! others nothing changes.

use super::{MixRoom, key::MemberKey, member::RoomMember, ramp::Ramp};
use crate::MediaCallId;
use plenary_audio::{codec::Rate, resample::FrameConverter};

/// Frames for which a converter still rings after the last voice.
const FRAMES_AFTER: u8 = 2;

/// Who hears a participant, and its voice in this tick.
#[derive(Debug)]
pub(crate) struct Coaching {
    /// Set when it begins.
    pub(super) coach: Option<MemberKey>,
    listeners: Vec<Listener>,
    /// The part of the voice that all hear: it falls to nothing at the beginning and rises at the end.
    public: Ramp,
    is_ending: bool,
    /// The part that only the listeners hear, at each rate.
    frames: [Box<[i16]>; 3],
    /// From each rate (second) to each other (first).
    converters: [[Option<Box<FrameConverter>>; 3]; 3],
    /// The rate of the voice, and frames until it has rung out.
    voice: Option<(Rate, u8)>,
    has_spoken: bool,
}

#[derive(Debug)]
struct Listener {
    call: MediaCallId,
    /// Fades in one who is added, and out one who is removed.
    gain: Ramp,
    is_leaving: bool,
}

impl Coaching {
    /// Takes memory and time: not for media workers.
    pub(crate) fn new(listeners: Vec<MediaCallId>) -> Self {
        let listener = |call| Listener { call, gain: Ramp::at(1.0), is_leaving: false };
        let converter = |to: Rate, from: Rate| (from != to).then(|| Box::new(FrameConverter::new(from, to)));
        Self {
            coach: None,
            listeners: listeners.into_iter().map(listener).collect(),
            public: Ramp::at(1.0),
            is_ending: false,
            frames: Rate::ALL.map(|rate| vec![0; rate.frame()].into()),
            converters: Rate::ALL.map(|to| Rate::ALL.map(|from| converter(to, from))),
            voice: None,
            has_spoken: false,
        }
    }

    /// Other listeners; one that stays hears no change.
    fn replace(&mut self, by: Self) {
        self.is_ending = false;
        for listener in &mut self.listeners {
            listener.is_leaving = !by.listeners.iter().any(|new| new.call == listener.call);
        }
        for new in by.listeners {
            if !self.listeners.iter().any(|listener| listener.call == new.call) {
                self.listeners.push(Listener { gain: Ramp::at(0.0), ..new });
            }
        }
    }

    /// This participant hears it in a mix of its own.
    pub(super) fn is_for(&self, key: MemberKey, call: MediaCallId) -> bool {
        self.coach != Some(key) && self.listeners.iter().any(|listener| listener.call == call)
    }

    /// Adds what this participant hears of it.
    pub(super) fn lay_over(&self, key: MemberKey, call: MediaCallId, rate: Rate, sum: &mut [i32]) {
        let listener = self.listeners.iter().find(|listener| listener.call == call);
        if let Some(listener) = listener
            && self.voice.is_some()
            && self.coach != Some(key)
        {
            listener.gain.lay_over(&self.frames[rate.index()], sum);
        }
    }
}

/// Parts the voice of a participant whom only some hear.
pub(super) fn part(coaching: &mut [Coaching], key: MemberKey, member: &mut RoomMember) {
    let Some(coaching) = coaching.iter_mut().find(|coaching| coaching.coach == Some(key)) else { return };
    let (Some(rate), Some(voice)) = (member.rate(), member.voice_mut()) else { return };
    coaching.public.split(voice, &mut coaching.frames[rate.index()]);
    (coaching.voice, coaching.has_spoken) = (Some((rate, FRAMES_AFTER)), true);
    if coaching.public.is(0.0) {
        member.be_private();
    }
}

impl MixRoom {
    /// Sets who hears a participant; `None`: all do.
    pub(crate) fn set_heard_by(&mut self, key: MemberKey, by: Option<Box<Coaching>>) {
        let Some(member) = self.member_mut(key) else { return };
        member.leave_fast_path();
        let known = self.coaching.iter_mut().find(|coaching| coaching.coach == Some(key));
        match (known, by) {
            (Some(known), Some(by)) => known.replace(*by),
            (Some(known), None) => known.is_ending = true,
            (None, Some(mut by)) => {
                by.coach = Some(key);
                self.coaching.push(*by);
            }
            (None, None) => {}
        }
    }

    /// Before the voices of a tick are heard.
    pub(super) fn begin_coaching(&mut self) {
        self.coaching.retain_mut(|coaching| {
            coaching.has_spoken = false;
            coaching.listeners.retain_mut(|listener| {
                listener.gain.jump(if listener.is_leaving { 0.0 } else { 1.0 });
                !(listener.is_leaving && listener.gain.is(0.0))
            });
            coaching.public.jump(if coaching.is_ending { 1.0 } else { 0.0 });
            // What only some heard has rung out.
            !(coaching.is_ending && coaching.public.is(1.0) && coaching.voice.is_none())
        });
    }

    /// After they were: converts what only some hear to the other rates.
    pub(super) fn end_coaching(&mut self) {
        for coaching in &mut self.coaching {
            let Some((rate, left)) = coaching.voice else { continue };
            if !coaching.has_spoken {
                coaching.frames[rate.index()].fill(0);
                coaching.voice = left.checked_sub(1).map(|left| (rate, left));
            }
            let voice = std::mem::take(&mut coaching.frames[rate.index()]);
            for to in Rate::ALL {
                if let Some(converter) = &mut coaching.converters[to.index()][rate.index()]
                    && self.mixers[to.index()].is_some()
                {
                    converter.convert(&voice, &mut coaching.frames[to.index()]);
                }
            }
            coaching.frames[rate.index()] = voice;
        }
    }
}
