//! What is said to all of a conference, and where a participant's voice goes: hold, coaching, moves.

use crate::{
    Calls,
    call::{Call, Purpose, Stage},
    control::Playback,
    media::{Clip, PlayNumber, PlayTo},
    number::CallNumber,
    play,
};
use plenary_conference::{
    ConferenceKey, EdgeReport, ParticipantId, Refused, ToHome,
    effect::{Announcement, Audience},
};
use plenary_model::LanguageCode;
use plenary_speech::{Prompt, Saying};

impl Calls {
    /// Says something to a conference, in its language.
    pub(crate) fn announce(&mut self, to: &Audience, what: Announcement) {
        let language = self.language_of_conference(to.conference());
        let clips = self.announced(&language, what);
        self.play_to(to, clips);
    }

    fn announced(&mut self, language: &LanguageCode, what: Announcement) -> Vec<Clip> {
        let tone = |name: &str| vec![Clip::Prompt { language: language.to_string(), name: name.to_owned() }];
        let saying = match what {
            Announcement::Joined { name: None } => return tone("tone.joined"),
            Announcement::Left { name: None } => return tone("tone.left"),
            Announcement::Joined { name } => Saying::Joined { name },
            Announcement::Left { name } => Saying::Left { name },
            Announcement::EndsIn { seconds } => Saying::EndsIn { seconds },
            Announcement::LeaderLeft { ends_in_s: Some(seconds) } => Saying::LeaderGoneEndsIn { seconds },
            Announcement::LeaderLeft { ends_in_s: None } => Saying::Prompt(Prompt::WaitLeaderLeft),
            Announcement::AloneEndsIn { seconds } => Saying::AloneEndsIn { seconds },
            Announcement::ExtendedBy { seconds } => Saying::ExtendedBy { seconds },
            Announcement::RecordingOn => Saying::Prompt(Prompt::RecordOn),
            Announcement::RecordingPaused => Saying::Prompt(Prompt::RecordPaused),
            Announcement::RecordingResumed => Saying::Prompt(Prompt::RecordResumed),
            Announcement::RecordingOff => Saying::Prompt(Prompt::RecordOff),
            Announcement::RecordingFull => Saying::Prompt(Prompt::RecordFailed),
            // FCC 64.501 and FS-1037C: 1400 Hz.
            Announcement::RecordingTone => return vec![Clip::Tone { hz: 1400, ms: 500 }],
        };
        self.spoken(language, &[saying])
    }

    /// Plays what a program wants heard. It goes on until its end, or until it is stopped.
    pub(crate) fn play_announcement(
        &mut self,
        conference: &ConferenceKey,
        playback: Playback,
    ) -> Result<String, Refused> {
        let Playback { to, play, gain_db, repeat } = playback;
        let target = match to {
            Some(participant) => PlayTo::Call(self.call_that_is_up(conference, &participant)?.0),
            None => {
                let room = self.rooms.get(conference).ok_or(Refused::UnknownConference)?;
                PlayTo::Room(room.number)
            }
        };
        let id = PlayNumber(self.play_numbers.draw());
        let listener = match target {
            PlayTo::Call(number) => Some(number),
            PlayTo::Room(_) | PlayTo::RoomBut(..) => None,
        };
        self.playbacks.insert(id, (conference.clone(), listener));
        self.report_playback(conference, listener, EdgeReport::PlaybackStarted { id: self.id_of(id.0) });
        self.out.announce(target, id, play::clips(conference.account, &play.0), repeat, gain_db);
        Ok(self.id_of(id.0))
    }

    /// Ends what a program has played.
    pub(crate) fn stop_announcement(&mut self, conference: &ConferenceKey, id: &str) -> Result<(), Refused> {
        let number = self.number_of(id).map(PlayNumber);
        let is_here = |id: &PlayNumber| self.playbacks.get(id).is_some_and(|(key, _)| key == conference);
        let id = number.filter(is_here).ok_or(Refused::UnknownPlayback)?;
        self.end_playback(id);
        self.out.stop_play(id);
        Ok(())
    }

    /// What a program has played is over; `false`: it was something else.
    pub(crate) fn end_playback(&mut self, id: PlayNumber) -> bool {
        let Some((conference, listener)) = self.playbacks.remove(&id) else { return false };
        self.report_playback(&conference, listener, EdgeReport::PlaybackEnded { id: self.id_of(id.0) });
        true
    }

    /// Those end that were played to a listener or a conference that is gone.
    pub(crate) fn end_playbacks(&mut self, is_over: impl Fn(&ConferenceKey, Option<CallNumber>) -> bool) {
        let over = self.playbacks.iter().filter(|(_, (conference, to))| is_over(conference, *to));
        for id in over.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.end_playback(id);
        }
    }

    fn report_playback(
        &mut self,
        conference: &ConferenceKey,
        listener: Option<CallNumber>,
        report: EdgeReport,
    ) {
        let participant = listener.and_then(|number| Some(self.calls.get(&number)?.participant.clone()));
        self.out.home(ToHome::Report { conference: conference.clone(), participant, report });
    }

    /// A participant is put on hold, with music, or comes back.
    pub(crate) fn set_held(&mut self, participant: &ParticipantId, is_held: bool) {
        let Some(number) = self.participants.get(participant).copied() else { return };
        self.say_to(number, if is_held { Prompt::HoldOn } else { Prompt::HoldOff });
        match is_held {
            true => {
                let music = self.music_on_hold(number);
                self.out.hold(number, music);
            }
            false => self.out.resume(number),
        }
    }

    /// A participant is heard by some only, or by all again; it hears which.
    pub(crate) fn set_heard_by(&mut self, participant: &ParticipantId, by: Option<&[ParticipantId]>) {
        let Some(number) = self.participants.get(participant).copied() else { return };
        let calls = by.map(|by| by.iter().filter_map(|id| self.participants.get(id).copied()).collect());
        let Some(session) = self.calls.get_mut(&number).and_then(Call::session_mut) else { return };
        let was_limited = std::mem::replace(&mut session.is_coach, by.is_some());
        self.out.set_heard_by(number, calls);
        if was_limited != by.is_some() {
            self.say_to(number, if by.is_some() { Prompt::CoachOn } else { Prompt::CoachOff });
        }
    }

    /// A participant comes from another conference. Its call stays as it is; its audio goes to the other room.
    pub(crate) fn move_in(&mut self, participant: &ParticipantId, from: &ConferenceKey, to: &ConferenceKey) {
        let Some(number) = self.participants.get(participant).copied() else { return };
        let is_there = self
            .calls
            .get(&number)
            .is_some_and(|call| matches!(call.stage, Stage::Up(_)) && call.seat.as_ref() == Some(from));
        if !is_there {
            return;
        }
        let room = self.conference_room(to);
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.seat = Some(to.clone());
        if let Some(session) = call.session_mut() {
            session.purpose = Purpose::Conference { key: to.clone() };
        }
        self.leave_room(&Purpose::Conference { key: from.clone() });
        self.out.move_call(number, room);
        self.apply_sound(to, number);
        self.move_subscriber(number, from, to);
        self.subscribers.note(from, self.now.mono);
        self.subscribers.note(to, self.now.mono);
        self.say_to(number, Prompt::MoveMoved);
    }

    /// The language in which a participant is spoken to.
    pub(crate) fn language_of(&self, number: CallNumber) -> LanguageCode {
        let call = self.calls.get(&number);
        let own = call.and_then(|call| call.keypad.as_ref()).map(|keypad| keypad.language());
        let of_conference = || call.and_then(Call::conference).map(|key| self.language_of_conference(key));
        own.or_else(of_conference).unwrap_or_default()
    }

    /// Says something to one participant.
    fn say_to(&mut self, number: CallNumber, prompt: Prompt) {
        let language = self.language_of(number);
        self.say_in(&language, number, prompt);
    }

    pub(crate) fn say_in(&mut self, language: &LanguageCode, number: CallNumber, prompt: Prompt) {
        let clips = self.spoken(language, &[Saying::Prompt(prompt)]);
        let play = PlayNumber(self.play_numbers.draw());
        self.out.play(PlayTo::Call(number), play, clips, false);
    }

    /// The same at once, before what else is said to it and to all.
    pub(crate) fn say_at_once(
        &mut self,
        language: &LanguageCode,
        number: CallNumber,
        prompt: Prompt,
    ) -> PlayNumber {
        let clips = self.spoken(language, &[Saying::Prompt(prompt)]);
        let play = PlayNumber(self.play_numbers.draw());
        self.out.play_at_once(number, play, clips);
        play
    }
}
