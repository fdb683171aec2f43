//! Each path of the dialogue, in virtual time.

use super::*;
use crate::PlaybackId;
use crate::testing::{key, said};
use plenary_model::PlayList;
use plenary_speech::{Day, Saying, TimeOfDay};
use std::collections::VecDeque;

mod asking;
mod endings;
mod names;
mod waiting;

/// A caller, and what answers the dialogue's questions.
struct Call {
    entry: Entry,
    now: Mono,
    outputs: VecDeque<Output>,
    playing: Option<PlaybackId>,
    question: QuestionId,
    pin: String,
}

impl Call {
    /// Answered, with these settings.
    fn new(settings: EntryAction) -> Self {
        let mut call = Self {
            entry: Entry::new(settings),
            now: Mono(5_000),
            outputs: VecDeque::new(),
            playing: None,
            question: QuestionId(0),
            pin: String::new(),
        };
        call.input(Input::Connected);
        call
    }

    /// To rooms 1001, 1002 and 10; the greeting has been heard and a number is asked for.
    fn at_room() -> Self {
        let mut call = Self::new(EntryAction::default());
        call.list(&["1001", "1002", "10"]);
        call.played();
        assert_eq!(call.take(), ["play entry.welcome", "list", "play entry.room"]);
        call
    }

    /// To room 1001 with this PIN and, behind it, this leader's PIN; it is asked for.
    fn at_pin(room: Room) -> Self {
        let mut call = Self::at_room();
        call.keys("1001");
        call.pass(5_000);
        call.found(Some(room));
        call.take();
        call
    }

    fn input(&mut self, input: Input) {
        self.entry.handle_input(input, self.now);
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(output) = self.entry.poll_output() {
            match &output {
                Output::Play(speech) => {
                    assert_eq!(self.playing.replace(speech.id), None, "two playbacks at once");
                }
                Output::StopPlay(id) => assert_eq!(self.playing.take(), Some(*id)),
                Output::ListRooms { question }
                | Output::FindRoom { question, .. }
                | Output::StartRecording { question, .. }
                | Output::Join { question, .. } => self.question = *question,
                Output::CheckPin { question, pin, .. } => {
                    self.question = *question;
                    self.pin = pin.digits().to_owned();
                }
                _ => {}
            }
            self.outputs.push_back(output);
        }
        if let Some(at) = self.entry.poll_timeout() {
            assert!(at > self.now, "a deadline that has passed");
        }
    }

    fn keys(&mut self, keys: &str) {
        for pressed in keys.chars() {
            self.input(Input::Key(key(pressed)));
        }
    }

    /// What plays is heard to its end.
    fn played(&mut self) {
        let id = self.playing.take().expect("something plays");
        self.input(Input::Played(id));
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        while let Some(at) = self.entry.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.entry.handle_timeout(at);
            self.collect();
        }
        self.now = end;
    }

    fn list(&mut self, numbers: &[&str]) {
        let rooms = Arc::new(RoomNumbers::new(numbers.iter().map(|number| (*number).to_owned())));
        self.input(Input::RoomsListed { question: self.question, rooms });
    }

    fn found(&mut self, room: Option<Room>) {
        self.input(Input::RoomFound { question: self.question, room });
    }

    fn checked(&mut self, result: PinResult) {
        self.input(Input::PinChecked { question: self.question, result });
    }

    fn joining(&mut self, answer: JoinAnswer) {
        self.input(Input::Joining { question: self.question, answer });
    }

    /// All that has come out since the last time, in words.
    fn take(&mut self) -> Vec<String> {
        let word = |output| match output {
            Output::Play(speech) => format!("play {}", said(&speech).join(", ")),
            Output::StopPlay(_) => "stop".to_owned(),
            Output::Music { is_on } => format!("music {}", if is_on { "on" } else { "off" }),
            Output::ListRooms { .. } => "list".to_owned(),
            Output::FindRoom { number, .. } => format!("find {number}"),
            Output::CheckPin { room, pin, .. } => format!("check {room} {}", pin.digits()),
            Output::StartRecording { max_ms, .. } => format!("record {max_ms}"),
            Output::StopRecording { is_kept, .. } => if is_kept { "save" } else { "drop" }.to_owned(),
            Output::ForgetName(NameId(name)) => format!("forget {name}"),
            Output::Join { room, leader, name, .. } => {
                let name = name.map_or("unnamed".to_owned(), |NameId(name)| name);
                format!("join {room} {} {name}", if leader { "leader" } else { "participant" })
            }
            Output::Withdraw { .. } => "withdraw".to_owned(),
            Output::Enter { .. } => "enter".to_owned(),
            Output::Done => "done".to_owned(),
            Output::HangUp(reason) => format!("hang up {reason:?}"),
        };
        self.outputs.drain(..).map(word).collect()
    }

    /// The call has ended, after what is said now.
    fn ends(mut self, says: &str, reason: HangUpReason) {
        assert_eq!(self.take(), [format!("play {says}")]);
        self.played();
        assert_eq!(self.take(), [format!("hang up {reason:?}")]);
        assert!(self.entry.is_over() && self.entry.poll_timeout().is_none());
    }
}

fn room() -> Room {
    Room {
        number: "1001".to_owned(),
        has_pin: false,
        has_leader_pin: false,
        records_names: false,
        hold_early_min: None,
        language: None,
    }
}

fn with_pin() -> Room {
    Room { has_pin: true, has_leader_pin: true, ..room() }
}

const FIRST: Arrival = Arrival { is_first: true, awaits_leader: false };
const EARLY: Arrival = Arrival { is_first: false, awaits_leader: true };
const STARTED: Arrival = Arrival { is_first: false, awaits_leader: false };

fn joining(room: Room) -> Call {
    let mut call = Call::at_room();
    call.keys("1001");
    call.pass(2_000);
    call.found(Some(room));
    call.take();
    call
}
