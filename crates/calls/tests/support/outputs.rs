//! The network, the media plane and the store of a test: what they make of what comes out.

use super::*;

impl World {
    pub fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Sip(command) => self.take_sip(command),
                Output::Media(command) => self.take_media(command),
                Output::Lookup { id, lookup } => match self.store_is_slow {
                    true => self.lookups.push_back((id, lookup)),
                    false => self.answer_lookup(id, lookup),
                },
                Output::Recorder(command) => self.take_recorder(command),
                Output::Record(entry) => self.records.push(entry),
                Output::History(entry) => self.history.push(entry),
                Output::Event(event) => self.events.push(event.event),
                Output::Permitted(source) => self.permitted.push(source),
                Output::Reply { question, answer } => {
                    self.answers.entry(question.0).or_default().push(answer);
                }
                Output::Home(message) => panic!("no other home: {message:?}"),
            }
        }
    }

    fn take_recorder(&mut self, command: RecorderCommand) {
        let line = match command {
            RecorderCommand::Open { conference, room, settings, continues, is_paused } => {
                let after =
                    continues.map(|(id, part)| format!(" after {id} part {part}")).unwrap_or_default();
                let paused = if is_paused { " paused" } else { "" };
                self.recorder.push(format!("open room {} {:?}{after}{paused}", room.0, settings.tracks));
                let event = match self.recorder_fails {
                    Some(failure) => RecorderEvent::NotOpened { conference, failure },
                    None => {
                        self.recordings += 1;
                        let recording = ConferenceRecordingId(format!("rec{}", self.recordings));
                        RecorderEvent::Opened { conference, recording }
                    }
                };
                return self.input(Input::Recorder(event));
            }
            RecorderCommand::Pause { recording, is_paused } => format!("pause {recording} {is_paused}"),
            RecorderCommand::End { recording } => format!("end {recording}"),
            RecorderCommand::NoteJoined { recording, call, display_name, .. } => {
                format!("{recording} joined {} {display_name:?}", call.0)
            }
            RecorderCommand::NoteTold { recording, participant } => {
                let call = participant.as_str().rsplit('.').next().unwrap_or_default();
                format!("{recording} told {call}")
            }
        };
        self.recorder.push(line);
    }

    /// The slow store answers everything that it was asked.
    pub fn answer_lookups(&mut self) {
        while let Some((id, lookup)) = self.lookups.pop_front() {
            self.answer_lookup(id, lookup);
        }
    }

    pub fn answer_one_lookup(&mut self) {
        let (id, lookup) = self.lookups.pop_front().expect("something is being looked up");
        self.answer_lookup(id, lookup);
    }

    fn answer_lookup(&mut self, id: LookupId, lookup: Lookup) {
        let failed = || StoreFailed("the disk is gone".to_owned());
        let found = match lookup {
            Lookup::Caller(_) if self.store_fails => Found::Caller(Err(failed())),
            Lookup::Service { .. } if self.store_fails => Found::Service(Err(failed())),
            Lookup::Caller(query) => Found::Caller(Ok(Box::new(self.store.look_up(*query)))),
            Lookup::Service { account, service } => {
                Found::Service(Ok(self.store.find(Some(account), service.as_str()).map(Box::new)))
            }
            Lookup::RoomNumbers { .. } if self.store_fails => Found::RoomNumbers(Err(failed())),
            Lookup::Room { .. } if self.store_fails => Found::Room(Err(failed())),
            Lookup::Pin { .. } if self.store_fails => Found::Pin(Err(failed())),
            Lookup::Extend { .. } if self.store_fails => Found::Extended(Err(failed())),
            Lookup::RoomNumbers { .. } => Found::RoomNumbers(Ok(self.store.rooms.keys().cloned().collect())),
            Lookup::Room { number, .. } => {
                let room = self.store.rooms.get(&number);
                Found::Room(Ok(room.map(|(room, ..)| Box::new(room.clone()))))
            }
            Lookup::Pin { room, pin, .. } => Found::Pin(Ok(self.store.check_pin(&room, pin.digits()))),
            Lookup::Extend { minutes, .. } => Found::Extended(Ok(match self.store.may_extend {
                true => Extended::By { seconds: minutes * 60 },
                false => Extended::Not("no seats are left".to_owned()),
            })),
        };
        self.input(Input::Found(id, found));
    }

    /// The slow media plane has opened what it was asked for.
    pub fn open_ports(&mut self) {
        while let Some(call) = self.opening.pop_front() {
            self.open_port(call);
        }
    }

    fn open_port(&mut self, call: CallNumber) {
        let at = match self.no_ports {
            Some(is_temporary) => Err(NoMedia { is_temporary, text: "no ports".to_owned() }),
            None => {
                self.open.insert(call.0);
                let local: IpAddr = [192, 0, 2, 1].into();
                Ok(OpenedAt { rtp: SocketAddr::new(local, 20_000 + 2 * call.0 as u16), local })
            }
        };
        self.input(Input::Media(MediaEvent::Opened { call, at }));
    }

    fn take_media(&mut self, command: MediaCommand) {
        let line = match command {
            MediaCommand::Open { call, .. } => {
                self.media.push(format!("open {}", call.0));
                match self.ports_are_slow {
                    true => self.opening.push_back(call),
                    false => self.open_port(call),
                }
                return;
            }
            MediaCommand::Weigh { call, .. } => {
                let afforded = if self.is_busy { Err(0.9) } else { Ok(()) };
                return self.input(Input::Media(MediaEvent::Weighed { call, afforded }));
            }
            MediaCommand::Count { call, .. } => format!("count {}", call.0),
            MediaCommand::Began { call } => format!("began {}", call.0),
            MediaCommand::SetStream { call, .. } => format!("stream {}", call.0),
            MediaCommand::SetVoice { call, speaks, listens } => {
                let sign = |yes| if yes { '+' } else { '-' };
                format!("voice {} {}speaks {}listens", call.0, sign(speaks), sign(listens))
            }
            MediaCommand::SetProcessing { call, processing } => {
                format!("processing {} {} dB", call.0, processing.gain_db)
            }
            MediaCommand::SetInbandDtmf { call, inband_dtmf } => {
                format!("tones of {}: {inband_dtmf:?}", call.0)
            }
            MediaCommand::PressKey { call, key } => format!("key {key} of {}", call.0),
            MediaCommand::CutOff { call } => format!("cut off {}", call.0),
            MediaCommand::Play { to, play, clips, repeat, is_urgent, .. } => {
                let to = match to {
                    PlayTo::Call(call) => format!("call {}", call.0),
                    PlayTo::Room(room) => format!("room {}", room.0),
                    PlayTo::RoomBut(room, call) => format!("room {} but {}", room.0, call.0),
                };
                let names = names_of(&clips);
                self.plays.insert(play.0, to.clone());
                if !repeat {
                    self.once.insert(play.0);
                }
                let how = match (repeat, is_urgent) {
                    (true, _) => " …",
                    (false, true) => " !",
                    (false, false) => "",
                };
                format!("play {to} {names}{how}")
            }
            MediaCommand::Move { call, room } => format!("move {} to room {}", call.0, room.0),
            MediaCommand::Hold { call, music } => {
                self.media.push(format!("hold {}", call.0));
                format!("on hold {} hears {}", call.0, names_of(&music))
            }
            MediaCommand::Resume { call } => format!("resume {}", call.0),
            MediaCommand::SetLevels { call, talk_db, hear_db } => {
                format!("levels {} talk {talk_db} hear {hear_db}", call.0)
            }
            MediaCommand::SetHeardBy { call, by } => {
                let by = by.map(|by| by.iter().map(|call| call.0.to_string()).collect::<Vec<_>>().join(" "));
                format!("{} heard by {}", call.0, by.as_deref().unwrap_or("all"))
            }
            MediaCommand::RecordName { call, id } => {
                self.recording.insert(call.0, id);
                format!("record name of {}", call.0)
            }
            MediaCommand::StopName { call } => {
                self.recorded(call.0, true);
                return;
            }
            MediaCommand::ForgetName { id } => {
                self.names.remove(&id);
                return;
            }
            MediaCommand::StopPlay { play } => {
                self.plays.remove(&play.0);
                self.once.remove(&play.0);
                "stop play".to_owned()
            }
            MediaCommand::Close { call } => {
                let was_open = self.open.remove(&call.0);
                self.opening.retain(|opening| *opening != call);
                self.media.push(format!("close {}", call.0));
                if was_open {
                    self.input(Input::Media(MediaEvent::Closed { call, stats: "{}".to_owned() }));
                }
                return;
            }
        };
        self.media.push(line);
    }

    /// The name that a caller says is over.
    pub fn recorded(&mut self, call: u64, is_speech: bool) {
        if let Some(id) = self.recording.remove(&call) {
            if is_speech {
                self.names.insert(id);
            }
            self.input(Input::Media(MediaEvent::Recorded { call: CallNumber(call), id, is_speech }));
        }
    }

    /// Everything that is played once has been heard to its end, also what follows from that.
    pub fn listen(&mut self) {
        while let Some(play) = self.once.pop_first() {
            self.plays.remove(&play);
            self.input(Input::Media(MediaEvent::PlayFinished { play: PlayNumber(play) }));
        }
    }

    /// A caller presses keys.
    pub fn press(&mut self, call: u64, keys: &str) {
        for key in keys.chars() {
            self.input(Input::Media(MediaEvent::KeyPressed { call: CallNumber(call), key }));
        }
    }

    /// What was said to a caller since the last time, as the names of prompts, music and tones.
    pub fn heard(&mut self, call: u64) -> Vec<String> {
        let to = format!("play call {call} ");
        let (of_it, rest): (Vec<String>, Vec<String>) =
            std::mem::take(&mut self.media).into_iter().partition(|line| line.starts_with(&to));
        self.media = rest;
        let said = |line: &String| {
            line[to.len()..]
                .split(' ')
                .filter(|item| !item.starts_with("silence:") && !["…", "!"].contains(item))
                .map(|item| item.trim_start_matches("prompt:en/").to_owned())
                .collect::<Vec<_>>()
        };
        of_it.iter().flat_map(said).collect()
    }

    pub fn play_finished(&mut self) {
        let play = *self.plays.keys().next().expect("something is played");
        self.plays.remove(&play);
        self.once.remove(&play);
        self.input(Input::Media(MediaEvent::PlayFinished { play: PlayNumber(play) }));
    }

    fn take_sip(&mut self, command: SipCommand) {
        let line = match command {
            SipCommand::Ring { call } => format!("ring {}", call.0),
            SipCommand::Answer { call, .. } => format!("answer {}", call.0),
            SipCommand::Reject { call, status, headers, .. } => {
                self.note_challenge(&headers);
                format!("reject {} {status}", call.0)
            }
            SipCommand::AcceptOffer { call, .. } => format!("accept offer {}", call.0),
            SipCommand::RejectOffer { call, status } => format!("reject offer {} {status}", call.0),
            SipCommand::HangUp { call, reasons } => {
                let text = reasons.first().and_then(|reason| reason.text.clone()).unwrap_or_default();
                format!("hang up {}: {text}", call.0)
            }
            SipCommand::Probe { call } => format!("probe {}", call.0),
            SipCommand::Dial { call, spec } => {
                let line = format!("dial {} {}", call.0, spec.uri);
                self.dials.insert(call.0, *spec);
                line
            }
            SipCommand::Refer { call, to } => match to {
                ReferTo::Uri { uri, .. } => format!("refer {} to {uri}", call.0),
                ReferTo::Call(other) => format!("refer {} to call {}", call.0, other.0),
            },
            SipCommand::AcceptReferral { request } => format!("accept referral {}", request.0),
            SipCommand::ReportReferral { request, status, .. } => {
                format!("report referral {} {status}", request.0)
            }
            SipCommand::AcceptSubscription { request, body, .. } => {
                self.documents.push((request.0, body));
                format!("accept subscription {}", request.0)
            }
            SipCommand::Notify { subscription, body } => {
                self.documents.push((subscription.0, body));
                format!("notify {}", subscription.0)
            }
            SipCommand::AnswerRegistration { request, .. } => format!("registered {}", request.0),
            SipCommand::RefuseRequest { request, status, headers } => {
                self.note_challenge(&headers);
                format!("refuse {} {status}", request.0)
            }
            SipCommand::ReportSuccess { caller, is_known: true, .. } => return self.successes.push(caller),
            SipCommand::ReportSuccess { caller, is_known: false, .. } => return self.unknown.push(caller),
            SipCommand::ReportFailure { .. } => "failure".to_owned(),
            SipCommand::Register { spec, .. } => format!("register {}", spec.registrar),
            SipCommand::Unregister { .. } => "unregister".to_owned(),
            SipCommand::SetDraining => "draining".to_owned(),
            SipCommand::SetBusy => "busy".to_owned(),
        };
        self.sip.push(line);
    }

    fn note_challenge(&mut self, headers: &[(String, String)]) {
        let found = headers.iter().find(|(name, _)| name == "WWW-Authenticate");
        if let Some((_, value)) = found {
            self.challenge = Some(value.clone());
        }
    }
}

/// Clips as they are kept in lines.
fn names_of(clips: &[Clip]) -> String {
    let name = |clip: &Clip| match clip {
        Clip::File(name) => name.clone(),
        Clip::Prompt { language, name } => format!("prompt:{language}/{name}"),
        Clip::AccountSound { account, name } => format!("sound:{}/{name}", account.0),
        Clip::Tone { hz, ms } => format!("tone:{hz}/{ms}"),
        Clip::Silence { ms } => format!("silence:{ms}"),
        Clip::Recorded(id) => format!("recording:{}", id.0),
        Clip::Beep => "beep".to_owned(),
    };
    clips.iter().map(name).collect::<Vec<_>>().join(" ")
}
