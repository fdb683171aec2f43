//! Carrying out what the homes of conferences decide.

use crate::{
    Calls,
    call::{Call, Purpose, Session, Stage},
    media::{Clip, PlayNumber, PlayTo},
    number::CallNumber,
    play,
    reasons::reasons,
};
use plenary_conference::{
    ConferenceKey, Effect, ParticipantId,
    effect::{Audience, EndReason, Notice},
};
use plenary_model::EndedBy;
use tracing::{debug, info, warn};

impl Calls {
    pub(crate) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::SetVoice { participant, speaks, listens, .. } => {
                if let Some((number, _)) = self.session_of(&participant) {
                    self.out.set_voice(number, speaks, listens);
                }
            }
            Effect::Beep { to } => self.play_to(&to, vec![Clip::Beep]),
            Effect::Play { to, what } => {
                self.play_to(&to, play::clips(to.conference().account, &what.0));
            }
            Effect::StartLoop { conference, participant, what } => {
                self.start_loop(&participant, play::clips(conference.account, &what.0));
            }
            Effect::StopLoop { participant, .. } => self.stop_loop(&participant),
            Effect::HangUp { participant, reason, .. } => {
                if let Some(number) = self.participants.get(&participant).copied() {
                    let (cause, text) = end_reason(reason);
                    of_call!(info, self, number, text, "hanging up");
                    self.history.change(&participant, |call| call.reason = Some(text.to_owned()));
                    let is_own_key = reason == EndReason::ExitKey;
                    let by = if is_own_key { EndedBy::Remote } else { EndedBy::Service };
                    self.note_end(number, by, text);
                    self.say_farewell(number, reason, reasons(cause, text));
                }
            }
            Effect::Announce { to, what } => self.announce(&to, what),
            Effect::Tell { participant, news, .. } => self.tell(&participant, news),
            Effect::Role { conference, participant, is_leader } => {
                self.set_role(&participant, is_leader);
                self.subscribers.note(&conference, self.now.mono);
            }
            Effect::Hold { participant, is_held, .. } => self.set_held(&participant, is_held),
            Effect::HeardBy { participant, by, .. } => self.set_heard_by(&participant, by.as_deref()),
            Effect::MoveIn { conference, participant, from } => {
                self.move_in(&participant, &from, &conference)
            }
            Effect::Recording { conference, what } => self.command_recording(conference, what),
            Effect::TellRecorded { conference, participant } => self.tell_recorded(conference, participant),
            Effect::ForgetName { name, .. } => self.forget_name(&name),
            Effect::Notify(notice) => self.notice(&notice),
        }
    }

    fn session_of(&mut self, participant: &ParticipantId) -> Option<(CallNumber, &mut Session)> {
        let number = *self.participants.get(participant)?;
        let session = self.calls.get_mut(&number).and_then(Call::session_mut)?;
        Some((number, session))
    }

    pub(crate) fn play_to(&mut self, to: &Audience, clips: Vec<Clip>) {
        let room = |key: &ConferenceKey| self.rooms.get(key).map(|room| room.number);
        let target = match to {
            Audience::All(key) => room(key).map(PlayTo::Room),
            Audience::AllBut(key, participant) => match (room(key), self.participants.get(participant)) {
                (Some(room), Some(number)) => Some(PlayTo::RoomBut(room, *number)),
                (room, None) => room.map(PlayTo::Room),
                (None, Some(_)) => None,
            },
        };
        if let Some(target) = target {
            let id = PlayNumber(self.play_numbers.draw());
            self.out.play(target, id, clips, false);
        }
    }

    fn start_loop(&mut self, participant: &ParticipantId, clips: Vec<Clip>) {
        let id = PlayNumber(self.play_numbers.draw());
        if let Some((number, session)) = self.session_of(participant) {
            session.playing = Some(id);
            self.out.play(PlayTo::Call(number), id, clips, true);
        }
    }

    fn stop_loop(&mut self, participant: &ParticipantId) {
        if let Some((_, session)) = self.session_of(participant)
            && let Some(id) = session.playing.take()
        {
            self.out.stop_play(id);
        }
    }

    /// An announcement that has been heard ends its call.
    pub(crate) fn handle_play_finished(&mut self, id: PlayNumber) {
        if self.end_playback(id) || self.handle_told_recorded(id) || self.handle_speech_finished(id) {
            return;
        }
        let Some(number) = self.announcements.remove(&id) else { return };
        if let Some(Call { stage: Stage::Up(session), .. }) = self.calls.get(&number)
            && matches!(session.purpose, Purpose::Announcement { .. })
        {
            self.end_call(number, reasons(200, "The announcement is over"));
        }
    }

    fn notice(&mut self, notice: &Notice) {
        if let Notice::ConferenceStarted { conference }
        | Notice::ConferenceStopped { conference }
        | Notice::ConferenceGone { conference }
        | Notice::ParticipantEntered { conference, .. }
        | Notice::ParticipantLeft { conference, .. }
        | Notice::OptionsChanged { conference, .. }
        | Notice::ControlsChanged { conference, .. }
        | Notice::HandChanged { conference, .. }
        | Notice::RecordingStarted { conference, .. }
        | Notice::RecordingPaused { conference, .. }
        | Notice::RecordingResumed { conference, .. }
        | Notice::RecordingStopped { conference, .. }
        | Notice::RecordingFailed { conference, .. } = notice
        {
            self.subscribers.note(conference, self.now.mono);
        }
        match notice {
            Notice::ReservationOpened { conference, token } => {
                self.sounds.reservation_opened(conference, token);
                info!(conference = %conference.name, account = conference.account.0, "reserved conference open")
            }
            Notice::ReservationCompleted { conference, token } => {
                self.sounds.reservation_over(conference, token);
                info!(conference = %conference.name, account = conference.account.0, "reserved conference over")
            }
            Notice::ReservationForgotten { conference, token } => {
                self.sounds.reservation_gone(conference, token);
                debug!(conference = %conference.name, account = conference.account.0, "reserved conference forgotten")
            }
            Notice::ConferenceCreated { conference } => {
                info!(conference = %conference.name, account = conference.account.0, "conference created")
            }
            Notice::ConferenceStarted { conference } => {
                self.tell_started(conference);
                info!(conference = %conference.name, account = conference.account.0, "conference started")
            }
            Notice::ConferenceStopped { conference } => {
                info!(conference = %conference.name, account = conference.account.0, "conference stopped")
            }
            Notice::ConferenceGone { conference } => {
                self.sounds.conference_gone(conference);
                self.voices.remove(conference);
                info!(conference = %conference.name, account = conference.account.0, "conference gone")
            }
            Notice::ParticipantEntered { conference, participant } => {
                self.note_recorded(conference, participant);
                info!(conference = %conference.name, account = conference.account.0, %participant, "participant entered")
            }
            Notice::ParticipantLeft { conference, participant } => {
                info!(conference = %conference.name, account = conference.account.0, %participant, "participant left")
            }
            Notice::OptionsChanged { conference, participant, muted, muted_by, dtmf_enabled } => {
                if let Some(number) = self.participants.get(participant).copied()
                    && let Some(keypad) =
                        self.calls.get_mut(&number).and_then(|call| call.keypad.as_deref_mut())
                {
                    keypad.has_keys = *dtmf_enabled;
                }
                info!(conference = %conference.name, account = conference.account.0, %participant, muted, ?muted_by, dtmf_enabled, "participant options changed");
            }
            Notice::HandChanged { conference, participant, is_raised } => {
                info!(conference = %conference.name, account = conference.account.0, %participant, is_raised, "hand raised or lowered");
            }
            Notice::WaitingBegan { conference, participant } => {
                info!(conference = %conference.name, account = conference.account.0, %participant, "waits in the lobby");
            }
            Notice::WaitingEnded { conference, participant, end } => {
                info!(conference = %conference.name, account = conference.account.0, %participant, ?end, "waits no more");
            }
            Notice::RecordingStarted { conference, recording, settings, by } => {
                info!(conference = %conference.name, account = conference.account.0, %recording, tracks = ?settings.tracks, announced = settings.announce, ?by, "recording started");
            }
            Notice::RecordingPaused { conference, recording, by } => {
                info!(conference = %conference.name, account = conference.account.0, %recording, ?by, "recording paused");
            }
            Notice::RecordingResumed { conference, recording, by } => {
                info!(conference = %conference.name, account = conference.account.0, %recording, ?by, "recording goes on");
            }
            Notice::RecordingStopped { conference, recording, by } => {
                info!(conference = %conference.name, account = conference.account.0, %recording, ?by, "recording stopped");
            }
            Notice::RecordingFailed { conference, recording, failure } => {
                warn!(conference = %conference.name, account = conference.account.0, ?recording, reason = failure.name(), "a conference is not recorded any more");
            }
            Notice::ControlsChanged { conference, controls } => {
                info!(conference = %conference.name, account = conference.account.0, ?controls, "conference controls changed");
            }
        }
    }
}

/// The cause is one that clients take for the plain end of a call: the text distinguishes them.
fn end_reason(reason: EndReason) -> (u16, &'static str) {
    match reason {
        EndReason::TimeIsUp => (200, "The conference's time is up"),
        EndReason::LeaderLeft => (200, "The leader has ended the conference"),
        EndReason::Ejected => (200, "Ejected from the conference"),
        EndReason::ExitKey => (200, "Exit key pressed"),
        EndReason::Ended => (200, "The conference was ended"),
        EndReason::EndedByLeader => (200, "A leader has ended the conference"),
        EndReason::RemovedByLeader => (200, "A leader has removed the participant"),
        EndReason::Alone => (200, "Nobody else came"),
    }
}
