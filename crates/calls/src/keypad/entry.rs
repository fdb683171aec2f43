//! The dialogue on the way in: from the answered call into the conference of a room.

use super::{
    Speaker,
    state::{Joining, Keypad, ServiceVoice, Voice},
};
use crate::{
    Calls,
    call::{AdmittedBy, Call, Purpose, Stage},
    lookup::{Lookup, Pending, PinAnswer, PinCaller, PinSource, StoreFailed},
    media::{PlayNumber, PlayTo},
    number::CallNumber,
    play,
    reasons::reasons,
    records,
};
use plenary_conference::{
    Arrival, ConferenceKey, ParticipantId, ParticipantOptions, Refused, RoomRules, Timestamp, ToHome, ViaRoom,
};
use plenary_dialogue::{
    Entry, Menus, QuestionId, RoomNumbers,
    entry::{HangUpReason, Input, JoinAnswer, Known, Output, PinResult},
};
use plenary_model::{
    Announce, Early, EntryAction, LanguageCode, LeaderMenu, Menu, NameId, PlayList, RecordingId, Room,
};
use plenary_speech::{Day, TimeOfDay, said_at};
use std::sync::Arc;
use tracing::info;

impl Calls {
    /// The call of an entry is up: the dialogue begins.
    pub(crate) fn begin_entry(&mut self, number: CallNumber, settings: EntryAction) {
        let now = self.now.mono;
        let before = self.shown_before(number);
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Some(account) = call.account else { return };
        let mut keypad = Keypad::new(account, settings.menu.clone(), settings.leader_menu.clone());
        keypad.time_zone.clone_from(&settings.time_zone);
        let mut entry = match before {
            Some((known, room)) => {
                keypad.room = Some(room);
                Entry::resumed(settings, known)
            }
            None => Entry::new(settings),
        };
        entry.handle_input(Input::Connected, now);
        keypad.entry = Some(entry);
        call.keypad = Some(Box::new(keypad));
        self.drive_keypad(number);
    }

    /// What the call that this one replaces has shown in its dialogue, where that is not over: it waits in the lobby, say.
    fn shown_before(&self, number: CallNumber) -> Option<(Known, Room)> {
        let Some(replaced) = self.calls.get(&number)?.replaces else { return self.shown_by_departed(number) };
        self.calls.get(&replaced)?.keypad.as_deref()?.shown()
    }

    pub(super) fn entry_input(&mut self, number: CallNumber, input: Input) {
        let now = self.now.mono;
        if let Some(Keypad { entry: Some(entry), .. }) = self.keypad(number) {
            entry.handle_input(input, now);
        }
        self.drive_keypad(number);
    }

    /// Carries out the next thing that the dialogue decided; `false`: there is none.
    pub(super) fn drive_entry(&mut self, number: CallNumber) -> bool {
        let Some(Keypad { entry: Some(entry), account, .. }) = self.keypad(number) else { return false };
        let Some(output) = entry.poll_output() else { return false };
        let account = *account;
        match output {
            Output::Play(speech) => self.speak(number, Speaker::Entry, speech),
            Output::StopPlay(id) => self.stop_speaking(number, Speaker::Entry, id),
            Output::Music { is_on } => self.entry_music(number, is_on),
            Output::ListRooms { question } => {
                self.look_up(Pending::Keypad(number, question), Lookup::RoomNumbers { account });
            }
            Output::FindRoom { question, number: room } => {
                let lookup = Lookup::Room { account, number: room };
                self.look_up(Pending::Keypad(number, question), lookup);
            }
            Output::CheckPin { question, room, pin } => self.check_pin(number, question, room, pin),
            Output::StartRecording { question, .. } => self.record_name(number, question),
            Output::StopRecording { question, is_kept } => self.stop_name(number, question, is_kept),
            Output::ForgetName(name) => self.forget_name(&name),
            Output::Join { question, leader, name, .. } => self.join(number, question, leader, name),
            Output::Withdraw { question } => self.withdraw(number, question),
            Output::Enter { .. } => self.enter(number),
            Output::Done => {
                if let Some(keypad) = self.keypad(number) {
                    keypad.entry = None;
                }
            }
            Output::HangUp(reason) => self.hang_up_entry(number, reason),
        }
        true
    }

    fn entry_music(&mut self, number: CallNumber, is_on: bool) {
        let Some(keypad) = self.keypad(number) else { return };
        match (is_on, keypad.music.take()) {
            // In the conference it is the conference that plays it.
            (true, None) if keypad.menus.is_some() => {}
            (true, None) => {
                let music = keypad.room.as_ref().and_then(|room| room.settings.music.as_ref());
                let list = play::clips(keypad.account, &music.cloned().unwrap_or_else(PlayList::music).0);
                let id = PlayNumber(self.play_numbers.draw());
                if let Some(keypad) = self.keypad(number) {
                    keypad.music = Some(id);
                }
                self.out.play(PlayTo::Call(number), id, list, true);
            }
            (true, Some(id)) => keypad.music = Some(id),
            (false, Some(id)) => self.out.stop_play(id),
            (false, None) => {}
        }
    }

    fn check_pin(&mut self, number: CallNumber, question: QuestionId, room: String, pin: plenary_model::Pin) {
        let Some(call) = self.calls.get(&number) else { return };
        let Some(account) = call.account else { return };
        let caller = call.pin_caller(number);
        let lookup = Lookup::Pin { account, room, pin, caller };
        self.look_up(Pending::Keypad(number, question), lookup);
    }

    fn record_name(&mut self, number: CallNumber, question: QuestionId) {
        let id = RecordingId(self.name_numbers.draw());
        if let Some(keypad) = self.keypad(number) {
            keypad.recording = Some((question, id));
            self.out.record_name(number, id);
        }
    }

    fn stop_name(&mut self, number: CallNumber, question: QuestionId, is_kept: bool) {
        let Some(keypad) = self.keypad(number) else { return };
        let Some((_, id)) = keypad.recording.filter(|(asked, _)| *asked == question) else { return };
        // One that is dropped is forgotten when the media plane reports it, at the latest.
        if !is_kept {
            keypad.recording = None;
        }
        self.out.stop_name(number);
        if !is_kept {
            self.out.forget_name(id);
        }
    }

    /// The media plane has recorded a name, or heard nothing.
    pub(crate) fn handle_recorded(&mut self, number: CallNumber, id: RecordingId, is_speech: bool) {
        let is_asked = |(_, recorded): &mut (QuestionId, RecordingId)| *recorded == id;
        let question = self.keypad(number).and_then(|keypad| keypad.recording.take_if(is_asked));
        let name = is_speech.then(|| self.name_of(id));
        match question {
            Some((question, _)) => {
                if is_speech {
                    self.names.insert(id);
                }
                self.entry_input(number, Input::Recorded { question, name });
            }
            // The call no longer waits for it.
            None if is_speech => self.out.forget_name(id),
            None => {}
        }
    }

    /// The store has answered a question of a dialogue.
    pub(crate) fn handle_keypad_rooms(
        &mut self,
        number: CallNumber,
        question: QuestionId,
        found: Result<Vec<String>, StoreFailed>,
    ) {
        match found {
            Ok(rooms) => {
                let rooms = Arc::new(RoomNumbers::new(rooms));
                self.entry_input(number, Input::RoomsListed { question, rooms });
            }
            Err(error) => self.entry_failed(number, question, &error),
        }
    }

    pub(crate) fn handle_keypad_room(
        &mut self,
        number: CallNumber,
        question: QuestionId,
        found: Result<Option<Room>, StoreFailed>,
    ) {
        match found {
            Ok(room) => {
                let known = room.as_ref().map(|room| plenary_dialogue::entry::Room {
                    number: room.number.clone(),
                    has_pin: room.has_pin,
                    has_leader_pin: room.has_leader_pin,
                    records_names: room.settings.announce == Announce::Name,
                    hold_early_min: (room.settings.early == Early::Hold)
                        .then_some(room.settings.early_hold_min),
                    language: room.settings.language.clone(),
                });
                if let Some(keypad) = self.keypad(number) {
                    keypad.room = room;
                }
                self.entry_input(number, Input::RoomFound { question, room: known });
            }
            Err(error) => self.entry_failed(number, question, &error),
        }
    }

    pub(crate) fn handle_keypad_pin(
        &mut self,
        number: CallNumber,
        question: QuestionId,
        found: Result<PinAnswer, StoreFailed>,
    ) {
        let result = match found {
            Ok(PinAnswer::Right { is_leader }) => PinResult::Right { leader: is_leader },
            Ok(PinAnswer::Wrong { guessing }) => {
                if guessing {
                    self.tell_of_guessing(number);
                }
                PinResult::Wrong
            }
            Ok(PinAnswer::TooMany { wait_ms }) => {
                PinResult::TooMany { until: self.now.mono.plus_ms(wait_ms) }
            }
            Err(error) => return self.entry_failed(number, question, &error),
        };
        self.entry_input(number, Input::PinChecked { question, result });
    }

    fn entry_failed(&mut self, number: CallNumber, question: QuestionId, error: &StoreFailed) {
        of_call!(warn, self, number, %error, "a question of the entry could not be answered");
        self.entry_input(number, Input::Failed { question });
    }

    /// PINs of the room are being guessed, as the store has told programs: its conference warns its leaders.
    fn tell_of_guessing(&mut self, number: CallNumber) {
        let Some(Keypad { room: Some(room), account, .. }) = self.keypad(number) else { return };
        let conference = ConferenceKey { account: *account, name: room.settings.conference.clone() };
        self.out.home(ToHome::Guessing { conference });
    }

    /// Asks the conference of the room for a place.
    fn join(&mut self, number: CallNumber, question: QuestionId, is_leader: bool, name: Option<NameId>) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let language = call.keypad.as_ref().map(|keypad| keypad.language()).unwrap_or_default();
        let Some(keypad) = call.keypad.as_deref_mut() else { return };
        let Some(room) = &keypad.room else { return };
        let conference = ConferenceKey { account: keypad.account, name: room.settings.conference.clone() };
        let (rules, options) = (rules_of(room, language), options_of(room, is_leader));
        keypad.is_leader = is_leader;
        keypad.joining = Some(Joining { question, conference: conference.clone() });
        (call.seat, call.options) = (Some(conference.clone()), options.clone());
        let participant = call.participant.clone();
        let who = Box::new(call.introduction());
        let introduce = ToHome::Introduce {
            conference: conference.clone(),
            participant: participant.clone(),
            who,
            by: None,
        };
        self.out.home(introduce);
        let via = Some(Box::new(ViaRoom { rules, is_leader, name }));
        self.out.home(ToHome::Admit {
            conference,
            participant,
            options,
            in_place_of: None,
            is_called: false,
            via,
        });
    }

    fn withdraw(&mut self, number: CallNumber, question: QuestionId) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Some(keypad) = call.keypad.as_deref_mut() else { return };
        if keypad.joining.take_if(|joining| joining.question == question).is_none() {
            return;
        }
        if let Some(conference) = call.seat.take() {
            let participant = call.participant.clone();
            self.out.home(ToHome::Gone { conference, participant });
        }
    }

    /// The home's answers to a caller who waits for a place. `false`: none does here.
    pub(crate) fn handle_place_granted(
        &mut self,
        conference: &ConferenceKey,
        participant: &ParticipantId,
        arrival: Arrival,
    ) -> bool {
        let Some(number) = self.call_that_joins(conference, participant) else { return false };
        self.adopt_room_voice(number, conference);
        self.answer_join(number, JoinAnswer::Admitted(arrival))
    }

    /// The caller waits in the lobby.
    pub(crate) fn handle_waiting(
        &mut self,
        conference: &ConferenceKey,
        participant: &ParticipantId,
        is_leader_told: bool,
    ) {
        if let Some(number) = self.call_that_joins(conference, participant) {
            self.adopt_room_voice(number, conference);
            self.answer_join(number, JoinAnswer::Lobby { leader_present: is_leader_told });
        }
    }

    /// A caller has got a place by its room: the conference speaks as that room says from now on.
    fn adopt_room_voice(&mut self, number: CallNumber, conference: &ConferenceKey) {
        let Some(keypad) = self.keypad(number) else { return };
        let Some(room) = &keypad.room else { return };
        let language = room.settings.language.clone().unwrap_or_else(|| keypad.language());
        let (menus, music) = (Some(keypad.room_menus()), room.settings.music.clone());
        self.voices.insert(conference.clone(), Voice { language, menus, music });
    }

    /// A caller has got a seat by a service: the conference speaks as that says, as far as it says anything.
    pub(crate) fn adopt_service_voice(&mut self, number: CallNumber, conference: &ConferenceKey) {
        let Some(of_service) = self.calls.get(&number).and_then(|call| call.voice.clone()) else { return };
        let ServiceVoice { language, menus } = *of_service;
        let voice = self.voices.entry(conference.clone()).or_default();
        voice.language = language.unwrap_or_else(|| voice.language.clone());
        voice.menus = menus.or_else(|| voice.menus.take());
    }

    pub(crate) fn handle_place_refused(
        &mut self,
        conference: &ConferenceKey,
        participant: &ParticipantId,
        refused: &Refused,
    ) -> bool {
        let Some(number) = self.call_that_joins(conference, participant) else { return false };
        let wall = self.now.wall;
        let answer = match refused {
            Refused::Early { starts_at, .. } => {
                let ms = starts_at.map_or(60_000, |at| at.0.saturating_sub(wall.0));
                let starts_in_s = u32::try_from(ms.max(0).unsigned_abs().div_ceil(1000)).unwrap_or(u32::MAX);
                let starts_at = starts_at.and_then(|at| self.time_of_day(number, at));
                JoinAnswer::NotYet { starts_in_s, starts_at }
            }
            Refused::Full => JoinAnswer::Full,
            Refused::Locked => JoinAnswer::Locked,
            Refused::LobbyFull => JoinAnswer::LobbyFull,
            Refused::Denied => JoinAnswer::Denied,
            _ => JoinAnswer::Over,
        };
        info!(call = number.0, conference = %conference.name, account = conference.account.0, %refused, "caller refused");
        if let Some(call) = self.calls.get_mut(&number) {
            call.seat = None;
        }
        self.answer_join(number, answer)
    }

    /// How a moment is said to a caller, by the clocks of the time zone of the room, of the entry, or of the configuration. `None`:
    /// there is none.
    fn time_of_day(&mut self, number: CallNumber, at: Timestamp) -> Option<(TimeOfDay, Day)> {
        let wall = self.now.wall;
        let configured = self.settings.time_zone.clone();
        let keypad = self.keypad(number)?;
        let of_room = keypad.room.as_ref().and_then(|room| room.settings.time_zone.as_ref());
        let zone = of_room.or(keypad.time_zone.as_ref()).or(configured.as_ref())?;
        said_at(zone.local(at)?, zone.local(wall)?)
    }

    /// The call that has asked for this place in its dialogue.
    fn call_that_joins(
        &mut self,
        conference: &ConferenceKey,
        participant: &ParticipantId,
    ) -> Option<CallNumber> {
        let (number, call) = self.call_with_seat(conference, participant)?;
        call.keypad.as_ref().is_some_and(|keypad| keypad.joins(conference)).then_some(number)
    }

    fn answer_join(&mut self, number: CallNumber, answer: JoinAnswer) -> bool {
        let joining = self.keypad(number).and_then(|keypad| keypad.joining.as_ref());
        let Some(question) = joining.map(|joining| joining.question) else { return false };
        self.entry_input(number, Input::Joining { question, answer });
        true
    }

    /// The caller goes from its own place in the media plane into the conference's.
    fn enter(&mut self, number: CallNumber) {
        let now_in = self.keypad(number).and_then(|keypad| keypad.joining.take());
        let Some(Joining { conference, .. }) = now_in else { return };
        let room = self.conference_room(&conference);
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Stage::Up(session) = &mut call.stage else {
            return self.leave_room(&Purpose::Conference { key: conference });
        };
        session.purpose = Purpose::Conference { key: conference.clone() };
        let participant = call.participant.clone();
        records::call_entered(call, &conference, &mut self.out);
        self.out.move_call(number, room);
        self.apply_sound(&conference, number);
        self.apply_inband_dtmf(number);
        self.begin_menus(number);
        self.out.home(ToHome::Connected { conference, participant });
    }

    fn begin_menus(&mut self, number: CallNumber) {
        let Some(keypad) = self.keypad(number) else { return };
        let language = keypad.language();
        let (menu, leader_menu) = keypad.room_menus();
        keypad.menus = Some(Menus::new(menu, leader_menu, keypad.is_leader, language));
    }

    /// A participant who comes by no room gets the keys of the conference: those of the room or the service by which others came.
    /// Where there are none, there are no menus.
    pub(super) fn begin_menus_of_conference(&mut self, number: CallNumber, conference: &ConferenceKey) {
        if let Some(Voice { language, menus: Some(menus), .. }) = self.voices.get(conference).cloned() {
            self.begin_menus_with(number, conference, menus, language);
        }
    }

    /// A participant who comes by a service gets the keys that this says; where it says none, there are no menus.
    pub(crate) fn begin_menus_of_service(&mut self, number: CallNumber, conference: &ConferenceKey) {
        let of_service = self.calls.get(&number).and_then(|call| call.voice.clone());
        if let Some(ServiceVoice { language, menus: Some(menus) }) = of_service.map(|voice| *voice) {
            let language = language.unwrap_or_else(|| self.language_of_conference(conference));
            self.begin_menus_with(number, conference, menus, language);
        }
    }

    fn begin_menus_with(
        &mut self,
        number: CallNumber,
        conference: &ConferenceKey,
        (menu, leader_menu): (Menu, LeaderMenu),
        language: LanguageCode,
    ) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let mut keypad = Keypad::new(conference.account, Some(menu.clone()), Some(leader_menu.clone()));
        keypad.is_leader = call.options.is_leader();
        keypad.menus = Some(Menus::new(menu, leader_menu, keypad.is_leader, language));
        call.keypad = Some(Box::new(keypad));
    }

    /// The conference has started: who waited for that with music goes on.
    pub(crate) fn tell_started(&mut self, conference: &ConferenceKey) {
        let waits = |call: &Call| {
            call.seat.as_ref() == Some(conference)
                && call.keypad.as_ref().is_some_and(|keypad| keypad.entry.is_some())
        };
        let waiting: Vec<CallNumber> =
            self.calls.iter().filter(|(_, call)| waits(call)).map(|(number, _)| *number).collect();
        for number in waiting {
            self.entry_input(number, Input::Started);
        }
    }

    fn hang_up_entry(&mut self, number: CallNumber, reason: HangUpReason) {
        let (cause, text) = match reason {
            HangUpReason::NoRoom => (404, "There is no room"),
            HangUpReason::Failures => (403, "No valid room or PIN was keyed in"),
            HangUpReason::TooManyPins => (403, "Too many wrong PINs"),
            HangUpReason::TooLong => (408, "The dialogue took too long"),
            HangUpReason::Full => (486, "The conference is full"),
            HangUpReason::LobbyFull => (486, "Too many callers wait"),
            HangUpReason::Locked => (486, "The conference is locked"),
            HangUpReason::Denied => (403, "A leader turned the caller away"),
            HangUpReason::NotYet => (486, "The conference has not started"),
            HangUpReason::Over => (486, "The conference is over"),
            HangUpReason::Trouble => (500, "The service failed"),
        };
        of_call!(info, self, number, text, "the entry ends the call");
        self.end_call(number, reasons(cause, text));
    }
}

impl Keypad {
    /// The keys of the room, or those of the entry where it has none of its own.
    pub(super) fn room_menus(&self) -> (Menu, LeaderMenu) {
        let settings = self.room.as_ref().map(|room| &room.settings);
        let menu = settings.and_then(|room| room.menu.clone());
        let leader_menu = settings.and_then(|room| room.leader_menu.clone());
        (menu.unwrap_or_else(|| self.menu.clone()), leader_menu.unwrap_or_else(|| self.leader_menu.clone()))
    }
}

impl Keypad {
    /// How it came by its room, with the PIN of leaders. `None`: by none, or with another PIN.
    pub(crate) fn as_leader(&self) -> Option<ViaRoom> {
        let room = self.room.as_ref().filter(|_| self.is_leader)?;
        Some(ViaRoom { rules: rules_of(room, self.language()), is_leader: true, name: None })
    }
}

/// What the room makes of its conference.
fn rules_of(room: &Room, language: LanguageCode) -> RoomRules {
    let settings = &room.settings;
    RoomRules {
        lobby: settings.lobby,
        wait_for_leader: settings.wait_for_leader,
        announce: settings.announce,
        announce_names_max: settings.announce_names_max,
        muted_on_entry: settings.muted_on_entry,
        end_after_leader_s: settings.end_after_leader_s,
        time_warnings_min: settings.time_warnings_min.clone(),
        alone_min: settings.alone_min,
        record: settings.record,
        key_events: settings.key_events,
        language: settings.language.clone().unwrap_or(language),
    }
}

/// What a caller of the room may do. Who may start the conference and end it is a matter of the leader's PIN.
fn options_of(room: &Room, is_leader: bool) -> ParticipantOptions {
    let mut options = room.settings.participant.clone();
    options.start_on_entry = is_leader || !room.settings.wait_for_leader;
    options.destroy_on_exit = false;
    if options.while_stopped_media.is_none() {
        options.while_stopped_media = Some(room.settings.music.clone().unwrap_or_else(PlayList::music));
    }
    options
}

impl Call {
    /// Who keys in PINs, as guessing is counted.
    fn pin_caller(&self, call: CallNumber) -> PinCaller {
        let source = match (self.admitted_by, &self.trunk) {
            (Some(AdmittedBy::User), _) => PinSource::User(self.from.clone()),
            (_, Some(trunk)) => PinSource::Trunk(trunk.clone()),
            (_, None) => PinSource::Address(self.flow.remote.ip()),
        };
        let name = (!self.is_withheld && !self.from.is_empty()).then(|| self.from.clone());
        PinCaller { source, name, call }
    }
}
