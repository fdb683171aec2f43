//! What is played to whom in a tick, and what one participant hears otherwise than all.
//!
//! ```text
//!   voices ─▶ lowered? ─┬─ playbacks to all ─▶ all
//!                       └─ playbacks to all ─▶ lowered, silent on hold ─┬─▶ volume ─▶ one
//!                             prompts to one, music on hold ────────────┘
//! ```
//!
//! Speech waits for speech: see [`MediaHandle::play_with`](crate::MediaHandle::play_with).

use super::{
    MixRoom,
    key::MemberKey,
    member::RoomMember,
    outbox::Outbox,
    own_mix::OwnMix,
    playback::{LOWERED, PlayKind, Playback},
};
use crate::{Ducking, MediaEvent, PlayId, Volume};
use plenary_audio::codec::Rate;

/// Bounds of a participant's volume, in dB.
const VOLUME_DB: f32 = 20.0;

/// So much that was said to all is kept for one who cannot hear it yet.
const COPIES_MAX: usize = 16;

/// A playback to all, or to all but some.
#[derive(Debug)]
pub(super) struct RoomPlay {
    pub(super) playback: Playback,
    except: Option<MemberKey>,
    /// The listeners who hear a copy of it later.
    later: Vec<MemberKey>,
}

impl RoomPlay {
    /// It is for this participant, now or soon.
    pub(super) fn reaches(&self, key: MemberKey) -> bool {
        self.except != Some(key) && !self.later.contains(&key)
    }

    /// This participant is gone.
    pub(super) fn forget(&mut self, key: MemberKey) {
        self.except.take_if(|except| *except == key);
        self.later.retain(|later| *later != key);
    }
}

impl MixRoom {
    /// Plays something to one participant.
    pub(crate) fn play_to(&mut self, key: MemberKey, playback: Playback) {
        let Some(member) = self.member_mut(key) else { return };
        let is_urgent = playback.is_urgent();
        match is_urgent {
            true => member.plays.insert(0, playback),
            false => member.plays.push(playback),
        }
        member.is_special = true;
        self.has_special = true;
        if is_urgent {
            self.interrupt(key);
        }
    }

    /// Something urgent is the first thing for this participant: what it hears of a list to all becomes its own, which fades out
    /// and goes on later, and so does what all are about to hear.
    fn interrupt(&mut self, key: MemberKey) {
        let Some(Some(member)) = self.members.get_mut(key.0) else { return };
        let is_heard = |play: &&mut RoomPlay| {
            play.playback.is_speech() && play.playback.is_under_way() && play.reaches(key)
        };
        if !member.is_held
            && !member.awaits_keys()
            && let Some(play) = self.plays.iter_mut().find(is_heard)
        {
            play.later.push(key);
            if member.plays.iter().filter(|playback| playback.is_copy()).count() < COPIES_MAX {
                member.plays.insert(1, play.playback.copy_under_way());
            }
        }
        self.hear_later(key);
    }

    /// Plays something to all, or to all but one.
    pub(crate) fn play(&mut self, playback: Playback, except: Option<MemberKey>) {
        self.plays.push(RoomPlay { playback, except, later: Vec::new() });
        for place in 0..self.members.len() {
            self.hear_later(MemberKey(place));
        }
    }

    /// A participant who is in the middle of a prompt, or is about to hear something urgent, hears what is said to all right after it,
    /// from the beginning; one whose keys are to come hears it when they are there.
    pub(super) fn hear_later(&mut self, key: MemberKey) {
        let Some(Some(member)) = self.members.get_mut(key.0) else { return };
        let is_amid =
            |playback: &Playback| playback.is_speech() && (playback.is_under_way() || playback.is_urgent());
        let amid = member.plays.iter().position(is_amid);
        let awaits_keys = member.awaits_keys();
        if member.is_held || (amid.is_none() && !awaits_keys) {
            return;
        }
        // Behind the copies of earlier ones, which follow the prompt at once.
        let first = amid.map_or(0, |place| place + 1);
        let mut copies = member.plays[first..].iter().take_while(|playback| playback.is_copy()).count();
        for play in &mut self.plays {
            // What had begun before one comes whose keys are awaited is heard from the middle on, as by all who come late.
            let is_late = amid.is_none() && play.playback.is_under_way();
            if !play.playback.is_speech() || !play.reaches(key) || is_late || copies == COPIES_MAX {
                continue;
            }
            member.plays.insert(first + copies, play.playback.copy());
            play.later.push(key);
            copies += 1;
            member.is_special = true;
            self.has_special = true;
        }
    }

    /// Ends a playback. What is heard fades out.
    pub(crate) fn stop_play(&mut self, id: PlayId) {
        self.plays.retain_mut(|play| play.playback.id != id || play.playback.stop());
        for member in self.members.iter_mut().flatten() {
            member.plays.retain_mut(|playback| playback.id != id || playback.stop());
        }
    }

    /// Sets how loud a participant is and hears.
    pub(crate) fn set_volume(&mut self, key: MemberKey, volume: Volume) {
        let Some(member) = self.member_mut(key) else { return };
        let gain_db = |db: f32| if db.is_finite() { db.clamp(-VOLUME_DB, VOLUME_DB) } else { 0.0 };
        member.talk_db = gain_db(volume.talk_db);
        member.own_mix.hear_wanted = match gain_db(volume.hear_db) {
            0.0 => 1.0,
            db => plenary_audio::linear(db),
        };
        member.is_special = true;
        self.has_special = true;
    }

    /// Holds a participant, with music, or no longer.
    pub(crate) fn hold(&mut self, key: MemberKey, music: Option<Playback>) {
        let Some(member) = self.member_mut(key) else { return };
        member.leave_fast_path();
        member.is_held = music.is_some();
        match (music, &mut member.own_mix.music) {
            (Some(music), own) => *own = Some(Box::new(music)),
            (None, Some(own)) => drop(own.stop()),
            (None, None) => {}
        }
        member.is_special = true;
        self.has_special = true;
    }

    /// Whether a participant hears something otherwise than all, whatever it says.
    pub(super) fn is_special(&self, key: MemberKey, member: &RoomMember) -> bool {
        member.is_special
            || self.plays.iter().any(|play| !play.reaches(key))
            || self.coaching.iter().any(|coaching| coaching.is_for(key, member.call))
    }

    /// Advances all playbacks by a tick.
    pub(super) fn advance_plays(&mut self, out: &mut Outbox) {
        let needed = Rate::ALL.map(|rate| self.mixers[rate.index()].is_some());
        let is_talk = self.is_talk;
        // Of what is said to all, one at a time.
        let speaks = self.plays.iter().position(|play| play.playback.is_speech());
        let mut lowers_talkers = false;
        let mut place = 0;
        self.plays.retain_mut(|RoomPlay { playback, .. }| {
            let is_first = speaks == Some(place);
            place += 1;
            if playback.is_speech() && !is_first {
                playback.wait(needed);
                return true;
            }
            let is_lowered = match playback.kind {
                PlayKind::Signal => false,
                PlayKind::Background => {
                    playback.ducking != Some(Ducking::Off) && (is_talk || speaks.is_some())
                }
                PlayKind::Speech => {
                    is_talk && playback.ducking.is_none_or(|ducking| ducking == Ducking::Playback)
                }
            };
            let goes_on = advance(playback, needed, is_lowered, out);
            lowers_talkers |= goes_on && is_first && playback.ducking == Some(Ducking::Talkers);
            goes_on
        });
        if lowers_talkers || !self.voices.is(1.0) {
            self.voices.approach(if lowers_talkers { LOWERED } else { 1.0 }, 1.0);
        }
        if !self.has_special {
            return;
        }
        self.has_special = false;
        for (place, member) in self.members.iter_mut().enumerate() {
            if let Some(member) = member
                && member.is_special
            {
                let key = MemberKey(place);
                let is_speech = |play: &RoomPlay| play.playback.is_speech() && play.reaches(key);
                let hears_speech = !member.is_held && self.plays.iter().any(is_speech);
                advance_own(member, hears_speech, is_talk, out);
                self.has_special |= member.is_special;
            }
        }
    }
}

/// Advances a playback by a tick, and reports its end. False: it is over.
fn advance(playback: &mut Playback, needed: [bool; 3], is_lowered: bool, out: &mut Outbox) -> bool {
    let goes_on = playback.advance(needed, is_lowered);
    if !goes_on && playback.is_reported() {
        out.push_event(MediaEvent::PlayFinished { id: playback.id });
    }
    goes_on
}

/// Advances what one participant alone hears. `hears_speech`: something is being said to all.
fn advance_own(member: &mut RoomMember, hears_speech: bool, is_talk: bool, out: &mut Outbox) {
    let mut needed = [false; 3];
    if let Some(rate) = member.rate() {
        needed[rate.index()] = true;
    }
    // A browser is greeted when its handshake is complete, which on a long path is after the first word.
    if member.awaits_keys() {
        member.plays.iter_mut().for_each(|playback| playback.wait(needed));
        return;
    }
    let speaks = member.plays.iter().position(Playback::is_speech);
    // What has begun goes on unless something urgent comes; what has not, and is not urgent, waits for what is said to all.
    let speaks = speaks.filter(|first| {
        let first = &member.plays[*first];
        first.is_under_way() || first.is_urgent() || !hears_speech
    });
    let (mut lowers_room, mut place) = (false, 0);
    member.plays.retain_mut(|playback| {
        let is_first = speaks == Some(place);
        place += 1;
        if playback.is_speech() && !is_first {
            playback.wait(needed);
            return true;
        }
        // Said to all, it is lowered, or lowers, as for all.
        let is_for_all = playback.is_copy() && playback.ducking.is_none();
        let is_lowered = match playback.kind {
            PlayKind::Signal => false,
            PlayKind::Background => {
                playback.ducking != Some(Ducking::Off) && (speaks.is_some() || hears_speech)
            }
            PlayKind::Speech => is_talk && (playback.ducking == Some(Ducking::Playback) || is_for_all),
        };
        let goes_on = advance(playback, needed, is_lowered, out);
        let lowers = playback.ducking == Some(Ducking::Talkers) || playback.ducking.is_none() && !is_for_all;
        lowers_room |= goes_on && is_first && lowers;
        goes_on
    });
    let OwnMix { hear, hear_wanted, room, music } = &mut member.own_mix;
    let is_over = music.as_mut().is_some_and(|music| !music.advance(needed, lowers_room));
    if is_over {
        *music = None;
    }
    match (member.is_held, lowers_room) {
        (true, _) => room.jump(0.0),
        (false, true) => room.approach(LOWERED, 1.0),
        (false, false) => room.approach(1.0, 1.0),
    }
    hear.jump(*hear_wanted);
    member.is_special = !member.plays.is_empty() || member.own_mix.differs() || member.is_held;
}
