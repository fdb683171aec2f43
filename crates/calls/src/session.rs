//! What a call has while it lasts: changes of its session by re-INVITE and UPDATE, keys, and its place in a room of the media
//! plane.

use crate::{
    Calls,
    call::{Call, Purpose, Session, Stage},
    calls::MediaRoom,
    media::RoomNumber,
    number::CallNumber,
};
use plenary_conference::{ConferenceKey, Digit, EdgeReport, ToHome};
use plenary_sip::sdp::{self, Direction};

impl Calls {
    /// A re-INVITE or UPDATE: hold, resume, another address, another codec.
    pub(crate) fn handle_reoffer(&mut self, number: CallNumber, offer: Option<String>) {
        let Some(session) = self.calls.get_mut(&number).and_then(Call::session_mut) else {
            return self.out.reject_offer(number, 481);
        };
        session.local.version += 1;
        let Some(offer) = offer else {
            let ours = sdp::offer(&session.local);
            return self.out.accept_offer(number, ours);
        };
        match sdp::answer(&offer, &session.local) {
            Ok(answer) => {
                let (remote, direction) = (answer.stream.remote_rtp, answer.stream.direction);
                self.out.set_stream(number, &answer.stream, session.local.ice.as_ref());
                session.stream = Some(answer.stream);
                of_call!(debug, self, number, %remote, ?direction, "session changed");
                self.out.accept_offer(number, answer.sdp);
                self.report_hold(number);
            }
            Err(error) => {
                if let Some(answer) = sdp::without_audio(&offer, &session.local) {
                    self.audio_removed(number);
                    return self.out.accept_offer(number, answer);
                }
                // The session goes on as it was (RFC 3261, 14.2).
                of_call!(info, self, number, %error, "a new offer is not usable: the call goes on as it was");
                self.out.reject_offer(number, error.status());
            }
        }
    }

    /// The other side has taken its audio away: the call stays, as if it were on hold, until another offer brings it back.
    fn audio_removed(&mut self, number: CallNumber) {
        let Some(session) = self.calls.get_mut(&number).and_then(Call::session_mut) else { return };
        if let Some(stream) = &mut session.stream {
            stream.direction = Direction::Inactive;
            self.out.set_stream(number, stream, session.local.ice.as_ref());
        }
        of_call!(debug, self, number, "the audio stream was removed");
        self.report_hold(number);
    }

    /// The home hears whether a telephone has put the conference on hold (RFC 3264, 8.4).
    fn report_hold(&mut self, number: CallNumber) {
        let Some(call) = self.calls.get(&number) else { return };
        let (Stage::Up(session), Some(conference)) = (&call.stage, call.conference().cloned()) else {
            return;
        };
        let direction = session.stream.as_ref().map(|stream| stream.direction);
        let is_held = matches!(direction, Some(Direction::RecvOnly | Direction::Inactive));
        let (participant, report) = (Some(call.participant.clone()), EdgeReport::Held(is_held));
        self.out.home(ToHome::Report { conference, participant, report });
    }

    pub(crate) fn handle_reoffer_answer(&mut self, number: CallNumber, answer: Option<String>) {
        let Some(session) = self.calls.get_mut(&number).and_then(Call::session_mut) else { return };
        match answer.as_deref().map(|answer| sdp::accept(&session.local, answer)) {
            Some(Ok(stream)) => {
                self.out.set_stream(number, &stream, session.local.ice.as_ref());
                session.stream = Some(stream);
                self.report_hold(number);
            }
            Some(Err(_)) if answer.as_deref().is_some_and(sdp::has_no_audio) => self.audio_removed(number),
            Some(Err(error)) => of_call!(info, self, number, %error, "the answer to our offer is not usable"),
            None => of_call!(info, self, number, "the ACK brought no answer to our offer"),
        }
    }

    pub(crate) fn handle_key(&mut self, number: CallNumber, key: char) {
        if let Some(key) = Digit::new(key) {
            self.handle_digit(number, key);
        }
    }

    pub(crate) fn handle_digit(&mut self, number: CallNumber, key: Digit) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        if let Stage::Accepted(session) = &mut call.stage {
            return session.keep_early_key(key);
        }
        let has_keypad = call.keypad.is_some();
        if let Stage::Up(Session { purpose: Purpose::Conference { key: conference }, .. }) = &call.stage {
            let (conference, participant) = (conference.clone(), call.participant.clone());
            self.out.home(ToHome::Key { conference, participant, key });
        }
        if has_keypad {
            self.handle_keypad_key(number, key);
        }
    }

    /// Gives back what the call holds in the media plane; only its signalling may still be ending.
    pub(crate) fn release_media(&mut self, number: CallNumber) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        (call.talking, call.one_way) = (false, None);
        match std::mem::replace(&mut call.stage, Stage::Ending) {
            Stage::Weighing { session, .. } => {
                self.out.close(number);
                self.leave_room(&session.purpose);
            }
            Stage::Calling(session) | Stage::Accepted(session) | Stage::Up(session) => {
                if let Some(id) = session.playing {
                    self.announcements.remove(&id);
                    self.out.stop_play(id);
                }
                self.out.close(number);
                self.leave_room(&session.purpose);
            }
            Stage::Opening { purpose, .. } => {
                self.out.close(number);
                self.leave_room(&purpose);
            }
            Stage::Preparing { key, has_room } => {
                if has_room {
                    self.out.close(number);
                    self.leave_room(&Purpose::Conference { key });
                }
            }
            Stage::Routing { .. } | Stage::Admitting { .. } | Stage::Ending => {}
        }
    }

    pub(crate) fn conference_room(&mut self, key: &ConferenceKey) -> RoomNumber {
        if !self.rooms.contains_key(key) {
            let number = RoomNumber(self.room_numbers.draw());
            self.rooms.insert(key.clone(), MediaRoom { number, calls: 0 });
        }
        let room = self.rooms.get_mut(key).expect("inserted above when it was missing");
        room.calls += 1;
        room.number
    }

    pub(crate) fn leave_room(&mut self, purpose: &Purpose) {
        let Purpose::Conference { key } = purpose else { return };
        if let Some(room) = self.rooms.get_mut(key) {
            room.calls -= 1;
            if room.calls == 0 {
                self.rooms.remove(key);
                self.end_playbacks(|conference, _| conference == key);
            }
        }
    }
}
