//! Each path of the dialogue, in virtual time.

use super::*;
use crate::PlaybackId;
use crate::testing::{key, said};
use plenary_model::PlayList;
use plenary_speech::{Day, Saying, TimeOfDay};
use std::collections::VecDeque;

/// A caller, and whoever answers the dialogue's questions.
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
        call.pass(2_000);
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

#[test]
fn a_number_a_pin_and_the_caller_is_in() {
    let mut call = Call::at_room();
    call.keys("1");
    assert_eq!(call.take(), ["stop"]);
    call.keys("001");
    assert_eq!(call.take(), ["find 1001"]);
    call.found(Some(with_pin()));
    call.played();
    call.keys("4829#");
    assert_eq!(call.take(), ["play entry.pin", "check 1001 4829"]);
    call.checked(PinResult::Right { leader: false });
    assert_eq!(call.take(), ["join 1001 participant unnamed"]);
    call.joining(JoinAnswer::Admitted(STARTED));
    assert_eq!(call.take(), ["play entry.joining"]);
    call.played();
    assert_eq!(call.take(), ["enter", "done"]);
    assert!(call.entry.is_over() && call.entry.poll_timeout().is_none());
}

#[test]
fn a_leaders_pin_makes_a_leader() {
    let mut call = Call::at_pin(with_pin());
    call.keys("7021#");
    call.checked(PinResult::Right { leader: true });
    assert_eq!(call.take(), ["stop", "check 1001 7021", "join 1001 leader unnamed"]);
    call.joining(JoinAnswer::Admitted(STARTED));
    assert_eq!(call.take(), ["play entry.joining-leader"]);
}

#[test]
fn a_greeting_of_the_account_comes_first_and_a_key_ends_it() {
    let greeting = Some(PlayList(vec!["hello.wav".to_owned(), "silence:500".to_owned()]));
    let mut call = Call::new(EntryAction { greeting, ..EntryAction::default() });
    call.list(&["1", "2"]);
    assert_eq!(call.take(), ["play hello.wav silence:500", "list"]);
    call.keys("2");
    // The number is complete with its key: nobody is asked for what they have said already.
    assert_eq!(call.take(), ["stop", "find 2"]);
}

#[test]
fn a_hash_behind_a_number_that_was_complete_without_it_does_nothing() {
    for keys in ["1001", "1001#"] {
        let mut call = Call::at_room();
        call.keys(keys);
        assert_eq!(call.take(), ["stop", "find 1001"]);
        call.found(Some(with_pin()));
        assert_eq!(call.take(), ["play entry.pin"]);
    }
    // Also while the next question is heard, which it does not interrupt.
    let mut call = Call::at_room();
    call.keys("1001");
    call.found(Some(with_pin()));
    call.take();
    call.pass(1_499);
    call.keys("#");
    assert_eq!(call.take(), Vec::<String>::new());
    // One more is an answer: nothing was keyed in.
    call.keys("#");
    assert_eq!(call.take(), ["stop", "play entry.nothing, entry.again, entry.pin"]);
    // Later it is one, too.
    let mut call = Call::at_room();
    call.keys("1001");
    call.found(Some(with_pin()));
    call.take();
    call.pass(1_500);
    call.keys("#");
    assert_eq!(call.take(), ["stop", "play entry.nothing, entry.again, entry.pin"]);
}

#[test]
fn a_long_greeting_is_heard_to_its_end() {
    let mut call = Call::new(EntryAction::default());
    call.list(&["1", "2"]);
    call.take();
    call.pass(200_000);
    assert_eq!(call.take(), Vec::<String>::new());
    call.played();
    assert_eq!(call.take(), ["play entry.room"]);
}

#[test]
fn a_single_room_asks_for_no_number() {
    let rooms = EntryRooms::Listed(vec!["1001".to_owned()]);
    let mut call = Call::new(EntryAction { rooms, ..EntryAction::default() });
    assert_eq!(call.take(), ["play entry.welcome"]);
    call.played();
    assert_eq!(call.take(), ["find 1001"]);
    call.found(Some(room()));
    assert_eq!(call.take(), ["join 1001 participant unnamed"]);

    let mut call = Call::new(EntryAction::default());
    call.played();
    call.list(&["77"]);
    assert_eq!(call.take(), ["play entry.welcome", "list", "find 77"]);
}

#[test]
fn without_a_room_the_caller_is_told_so() {
    let mut call = Call::new(EntryAction::default());
    call.played();
    call.take();
    call.list(&[]);
    call.ends("sys.trouble", HangUpReason::NoRoom);

    // The only one that is listed does not exist.
    let rooms = EntryRooms::Listed(vec!["1001".to_owned()]);
    let mut call = Call::new(EntryAction { rooms, ..EntryAction::default() });
    call.played();
    call.take();
    call.found(None);
    call.ends("sys.trouble", HangUpReason::NoRoom);
}

#[test]
fn a_number_that_may_go_on_is_ended_by_hash_or_by_time() {
    // 10 is the number of a room, and 1001 begins with it.
    let mut call = Call::at_room();
    call.keys("10#");
    assert_eq!(call.take(), ["stop", "find 10"]);

    let mut call = Call::at_room();
    call.keys("10");
    call.pass(4_999);
    assert_eq!(call.take(), ["stop"]);
    call.pass(1);
    assert_eq!(call.take(), ["find 10"]);
}

#[test]
fn star_corrects_and_with_nothing_to_correct_asks_again() {
    let mut call = Call::at_room();
    call.keys("99*1002");
    assert_eq!(call.take(), ["stop", "find 1002"]);

    let mut call = Call::at_pin(with_pin());
    call.keys("1111*4829#");
    assert_eq!(call.take(), ["stop", "check 1001 4829"]);

    let mut call = Call::at_room();
    call.keys("9**");
    assert_eq!(call.take(), ["stop", "play entry.room"]);
    // A correction begins with the time of a first key.
    let mut call = Call::at_room();
    call.keys("9*");
    call.pass(9_999);
    assert_eq!(call.take(), ["stop"]);
    call.pass(1);
    assert_eq!(call.take(), ["play entry.nothing, entry.again, entry.room"]);
}

#[test]
fn what_is_typed_ahead_is_kept_until_it_is_asked_for() {
    let mut call = Call::new(EntryAction::default());
    call.keys("1001#4829#");
    assert_eq!(call.take(), ["play entry.welcome", "list", "stop"]);
    call.list(&["1001", "1002", "10"]);
    assert_eq!(call.take(), ["find 1001"]);
    // The number was complete with its last digit; the # behind it is no PIN of its own.
    call.found(Some(with_pin()));
    assert_eq!(call.take(), ["check 1001 4829"]);
    call.checked(PinResult::Right { leader: false });
    assert_eq!(call.take(), ["join 1001 participant unnamed"]);
}

#[test]
fn after_a_failure_what_was_typed_ahead_is_dropped() {
    let mut call = Call::at_room();
    call.keys("1001");
    call.keys("4829#");
    call.take();
    call.found(None);
    assert_eq!(call.take(), ["play entry.room-wrong, entry.again, entry.room"]);

    let mut call = Call::at_pin(with_pin());
    call.keys("1111#2222#");
    assert_eq!(call.take(), ["stop", "check 1001 1111"]);
    call.checked(PinResult::Wrong);
    assert_eq!(call.take(), ["play entry.pin-wrong, entry.again, entry.pin"]);
    call.keys("3333#");
    assert_eq!(call.take(), ["stop", "check 1001 3333"]);
}

#[test]
fn a_number_that_no_room_has_is_wrong() {
    for keys in ["5#", "100#", "100199#", "1234567890123#"] {
        let mut call = Call::at_room();
        for pressed in keys.chars() {
            // 1001 is complete with its last digit.
            if !matches!(call.entry.stage, Stage::FindingRoom) {
                call.keys(&pressed.to_string());
            }
        }
        match keys {
            "100199#" => assert_eq!(call.take(), ["stop", "find 1001"]),
            _ => {
                assert_eq!(call.take(), ["stop", "play entry.room-wrong, entry.again, entry.room"], "{keys}")
            }
        }
    }
}

#[test]
fn three_failures_end_the_call_with_a_sentence() {
    let mut call = Call::at_room();
    call.keys("5#");
    call.keys("6#");
    call.take();
    call.keys("7#");
    assert_eq!(call.take(), ["stop", "play entry.room-wrong, entry.too-many"]);
    call.played();
    assert_eq!(call.take(), ["hang up Failures"]);
    let mut call = Call::at_room();
    for _ in 0..2 {
        call.played();
        call.pass(10_000);
        assert_eq!(call.take(), ["play entry.nothing, entry.again, entry.room"]);
    }
    call.played();
    call.pass(9_999);
    assert_eq!(call.take(), Vec::<String>::new());
    call.pass(1);
    call.ends("entry.nothing, entry.too-many", HangUpReason::Failures);

    let mut call = Call::at_pin(with_pin());
    for wrong in ["1111#", "2222#", "3333#"] {
        call.take();
        call.keys(wrong);
        call.take();
        call.checked(PinResult::Wrong);
    }
    call.ends("entry.pin-wrong, entry.too-many", HangUpReason::Failures);
}

#[test]
fn the_number_and_the_pin_have_their_own_tries() {
    let mut call = Call::at_room();
    call.keys("5#");
    call.keys("6#");
    call.keys("1001");
    call.found(Some(with_pin()));
    for wrong in ["1111#", "2222#"] {
        call.keys(wrong);
        call.checked(PinResult::Wrong);
    }
    call.take();
    call.keys("4829#");
    assert_eq!(call.take(), ["stop", "check 1001 4829"]);
    call.checked(PinResult::Right { leader: false });
    assert_eq!(call.take(), ["join 1001 participant unnamed"]);
}

#[test]
fn as_many_tries_as_configured() {
    let mut call = Call::new(EntryAction { tries: 1, ..EntryAction::default() });
    call.list(&["1", "2"]);
    call.keys("5#");
    call.outputs.clear();
    assert!(matches!(call.entry.stage, Stage::Closing { reason: HangUpReason::Failures }));
}

#[test]
fn the_times_for_keys_are_those_that_are_configured() {
    let mut call = Call::new(EntryAction { first_key_s: 3, next_key_s: 1, ..EntryAction::default() });
    call.list(&["10", "1001"]);
    call.played();
    call.take();
    // The time for the first key begins when the question is over.
    call.pass(30_000);
    assert_eq!(call.take(), Vec::<String>::new());
    call.played();
    call.pass(2_999);
    assert_eq!(call.take(), Vec::<String>::new());
    call.pass(1);
    assert_eq!(call.take(), ["play entry.nothing, entry.again, entry.room"]);
    call.keys("1");
    call.pass(999);
    call.keys("0");
    call.pass(999);
    assert_eq!(call.take(), ["stop"]);
    call.pass(1);
    assert_eq!(call.take(), ["find 10"]);
}

#[test]
fn a_slow_pin_is_taken_when_no_further_key_comes() {
    let mut call = Call::at_pin(with_pin());
    for digit in ["4", "8", "2", "9"] {
        call.keys(digit);
        call.pass(4_900);
    }
    assert_eq!(call.take(), ["stop"]);
    call.pass(100);
    assert_eq!(call.take(), ["check 1001 4829"]);
}

#[test]
fn what_can_be_no_pin_is_wrong_and_is_not_checked() {
    for keys in ["123#", "1234567890123#", "12345678901234567890#"] {
        let mut call = Call::at_pin(with_pin());
        call.keys(keys);
        assert_eq!(call.take(), ["stop", "play entry.pin-wrong, entry.again, entry.pin"], "{keys}");
    }
    // Twelve digits are one.
    let mut call = Call::at_pin(with_pin());
    call.keys("123456789012#");
    assert_eq!(call.take(), ["stop", "check 1001 123456789012"]);
    // Nothing at all is said to be nothing.
    let mut call = Call::at_pin(with_pin());
    call.keys("#");
    assert_eq!(call.take(), ["stop", "play entry.nothing, entry.again, entry.pin"]);
}

#[test]
fn keys_that_no_telephone_has_change_nothing() {
    let mut call = Call::at_pin(with_pin());
    call.keys("4A8B2C9D#");
    assert_eq!(call.take(), ["stop", "check 1001 4829"]);
}

#[test]
fn where_only_leaders_have_a_pin_everybody_else_passes_without() {
    for by_time in [false, true] {
        let mut call = Call::at_room();
        call.keys("1001");
        call.found(Some(Room { has_leader_pin: true, ..room() }));
        assert_eq!(call.take(), ["stop", "find 1001", "play entry.leader-pin"]);
        if by_time {
            call.played();
            call.pass(10_000);
        } else {
            call.pass(2_000);
            call.keys("#");
        }
        assert_eq!(call.take().last().unwrap(), "join 1001 participant unnamed");
    }
    let mut call = Call::at_pin(Room { has_leader_pin: true, ..room() });
    call.keys("1111#");
    call.checked(PinResult::Wrong);
    assert_eq!(
        call.take(),
        ["stop", "check 1001 1111", "play entry.pin-wrong, entry.again, entry.leader-pin"]
    );
    call.keys("7021#");
    call.checked(PinResult::Right { leader: true });
    assert_eq!(call.take().last().unwrap(), "join 1001 leader unnamed");
}

#[test]
fn guessing_is_slowed_and_a_short_wait_is_waited_for() {
    let mut call = Call::at_pin(with_pin());
    call.keys("4829#");
    call.take();
    let until = call.now.plus_ms(4_000);
    call.checked(PinResult::TooMany { until });
    call.keys("77");
    call.pass(3_999);
    assert_eq!(call.take(), Vec::<String>::new());
    call.pass(1);
    assert_eq!(call.take(), ["check 1001 4829"]);
    call.checked(PinResult::Right { leader: false });
    assert_eq!(call.take(), ["join 1001 participant unnamed"]);

    // A long one ends the call, and so does the fourth in a row.
    let mut call = Call::at_pin(with_pin());
    call.keys("4829#");
    call.take();
    call.checked(PinResult::TooMany { until: call.now.plus_ms(10_001) });
    call.ends("entry.wait-between-tries", HangUpReason::TooManyPins);

    let mut call = Call::at_pin(with_pin());
    call.keys("4829#");
    for _ in 0..3 {
        call.take();
        call.checked(PinResult::TooMany { until: call.now });
        call.pass(1);
        assert_eq!(call.take(), ["check 1001 4829"]);
    }
    call.checked(PinResult::TooMany { until: call.now });
    call.ends("entry.wait-between-tries", HangUpReason::TooManyPins);
}

#[test]
fn a_name_is_recorded_where_the_room_announces_names() {
    let mut call = Call::at_room();
    call.keys("1001");
    call.found(Some(Room { records_names: true, ..room() }));
    assert_eq!(call.take(), ["stop", "find 1001", "play name.say, tone:1000/250"]);
    call.played();
    assert_eq!(call.take(), ["record 4000"]);
    call.pass(4_000);
    assert_eq!(call.take(), ["save"]);
    let name = Some(NameId("n7".into()));
    call.input(Input::Recorded { question: call.question, name });
    assert_eq!(call.take(), ["join 1001 participant n7"]);
    // It is the conference's once the caller is in.
    call.joining(JoinAnswer::Admitted(STARTED));
    call.played();
    call.input(Input::HungUp);
    assert_eq!(call.take(), ["play entry.joining", "enter", "done"]);
}

#[test]
fn a_key_ends_the_recording_and_the_question_before_it() {
    let mut call = Call::at_room();
    call.keys("1001");
    call.found(Some(Room { records_names: true, ..room() }));
    call.take();
    call.pass(2_000);
    call.keys("#");
    assert_eq!(call.take(), ["stop", "play tone:1000/250"]);
    // The tone is not cut short: people wait for it.
    call.keys("#");
    assert_eq!(call.take(), Vec::<String>::new());
    call.played();
    call.pass(1_500);
    call.keys("#");
    assert_eq!(call.take(), ["record 4000", "save"]);
}

#[test]
fn who_says_no_name_is_asked_once_more() {
    let mut call = Call::at_room();
    call.keys("1001");
    call.found(Some(Room { records_names: true, ..room() }));
    call.played();
    call.take();
    call.input(Input::Recorded { question: call.question, name: None });
    assert_eq!(call.take(), ["play name.too-short, name.say, tone:1000/250"]);
    call.played();
    call.input(Input::Recorded { question: call.question, name: None });
    assert_eq!(call.take(), ["record 4000", "join 1001 participant unnamed"]);
}

#[test]
fn a_recorder_that_fails_turns_nobody_away() {
    for fails_by_time in [false, true] {
        let mut call = Call::at_room();
        call.keys("1001");
        call.found(Some(Room { records_names: true, ..room() }));
        call.played();
        call.take();
        if fails_by_time {
            call.pass(4_000 + 15_000);
            assert_eq!(call.take(), ["save", "drop", "join 1001 participant unnamed"]);
        } else {
            call.input(Input::Failed { question: call.question });
            assert_eq!(call.take(), ["drop", "join 1001 participant unnamed"]);
        }
    }
}

#[test]
fn what_the_conference_refuses_is_said() {
    for (answer, says, reason) in [
        (JoinAnswer::Full, "entry.full", HangUpReason::Full),
        (JoinAnswer::Locked, "entry.locked", HangUpReason::Locked),
        (JoinAnswer::Over, "entry.is-over", HangUpReason::Over),
        (JoinAnswer::LobbyFull, "lobby.full", HangUpReason::LobbyFull),
        (JoinAnswer::Denied, "lobby.denied", HangUpReason::Denied),
    ] {
        let mut call = Call::at_room();
        call.keys("1001");
        call.found(Some(room()));
        call.take();
        call.joining(answer);
        call.ends(says, reason);
    }
}

fn joining(room: Room) -> Call {
    let mut call = Call::at_room();
    call.keys("1001");
    call.pass(2_000);
    call.found(Some(room));
    call.take();
    call
}

#[test]
fn the_first_to_arrive_hears_so_and_then_music() {
    let mut call = joining(room());
    call.joining(JoinAnswer::Admitted(FIRST));
    assert_eq!(call.take(), ["play entry.joining, wait.first"]);
    call.played();
    assert_eq!(call.take(), ["enter", "music on"]);
    call.pass(3_600_000);
    // Keys belong to the menus of the conference.
    call.keys("1#");
    assert_eq!(call.take(), Vec::<String>::new());
    call.input(Input::Started);
    assert_eq!(call.take(), ["music off", "done"]);
}

#[test]
fn who_comes_before_the_leader_waits_with_music_and_hears_the_start() {
    let mut call = joining(room());
    call.joining(JoinAnswer::Admitted(EARLY));
    // A key ends the sentences and changes nothing else.
    call.keys("5");
    assert_eq!(call.take(), ["play entry.joining, wait.leader", "stop", "enter", "music on"]);
    call.input(Input::Started);
    assert_eq!(call.take(), ["music off", "play wait.start"]);
    call.played();
    assert_eq!(call.take(), ["done"]);

    let mut call = joining(room());
    call.joining(JoinAnswer::Admitted(Arrival { is_first: true, awaits_leader: true }));
    assert_eq!(call.take(), ["play entry.joining, wait.first, wait.leader"]);
    // The leader comes while that is said.
    call.input(Input::Started);
    call.played();
    assert_eq!(call.take(), ["enter", "done"]);
}

#[test]
fn an_early_caller_is_told_when_it_starts() {
    let time = TimeOfDay::new(14, 30).unwrap();
    let starts_at = Some((time, Day::Tomorrow));
    for (starts_in_s, starts_at, when) in [
        (720, starts_at, Saying::StartsIn { seconds: 720 }),
        (86_000, starts_at, Saying::StartsAt { time, day: Day::Tomorrow }),
        (86_000, None, Saying::StartsIn { seconds: 86_000 }),
    ] {
        let mut call = joining(room());
        call.joining(JoinAnswer::NotYet { starts_in_s, starts_at });
        call.ends(&format!("entry.not-yet, {when:?}"), HangUpReason::NotYet);
    }
    // Too early for the room's patience.
    let mut call = joining(Room { hold_early_min: Some(10), ..room() });
    call.joining(JoinAnswer::NotYet { starts_in_s: 601, starts_at: None });
    call.ends(&format!("entry.not-yet, {:?}", Saying::StartsIn { seconds: 601 }), HangUpReason::NotYet);
}

#[test]
fn an_early_caller_is_held_and_hears_how_long_it_takes() {
    let starts_in = |seconds| format!("{:?}", Saying::StartsIn { seconds });
    let mut call = joining(Room { hold_early_min: Some(10), ..room() });
    call.joining(JoinAnswer::NotYet { starts_in_s: 400, starts_at: None });
    assert_eq!(call.take(), [format!("play entry.not-yet, {}", starts_in(400))]);
    call.pass(3_000);
    call.played();
    assert_eq!(call.take(), ["music on"]);
    call.pass(177_000);
    assert_eq!(call.take(), ["music off".to_owned(), format!("play {}", starts_in(220))]);
    // A key ends the sentence.
    call.keys("5");
    assert_eq!(call.take(), ["stop", "music on"]);
    call.pass(180_000);
    assert_eq!(call.take(), ["music off".to_owned(), format!("play {}", starts_in(40))]);
    call.played();
    call.take();
    call.pass(40_000);
    // The music goes on until the conference answers.
    assert_eq!(call.take(), ["join 1001 participant unnamed"]);
    call.joining(JoinAnswer::Admitted(STARTED));
    assert_eq!(call.take(), ["music off", "play entry.joining"]);
}

#[test]
fn a_start_that_is_put_off_is_waited_for_as_long_as_the_room_allows() {
    let mut call = joining(Room { hold_early_min: Some(2), ..room() });
    call.joining(JoinAnswer::NotYet { starts_in_s: 100, starts_at: None });
    call.played();
    call.pass(100_000);
    call.take();
    call.joining(JoinAnswer::NotYet { starts_in_s: 500, starts_at: None });
    assert_eq!(
        call.take(),
        ["music off".to_owned(), format!("play {:?}", Saying::StartsIn { seconds: 500 })]
    );
    call.played();
    call.take();
    // Two minutes, and one for clocks that differ.
    call.pass(79_999);
    assert_eq!(call.take(), Vec::<String>::new());
    call.pass(1);
    assert_eq!(call.take()[0], "music off");
    call.played();
    assert_eq!(call.take(), ["hang up NotYet"]);
}

#[test]
fn a_conference_that_is_a_moment_late_is_asked_again() {
    let mut call = joining(Room { hold_early_min: Some(2), ..room() });
    call.joining(JoinAnswer::NotYet { starts_in_s: 0, starts_at: None });
    call.played();
    call.pass(1_000);
    let mut joins = 0;
    for _ in 0..1_000 {
        joins += call.take().iter().filter(|output| output.starts_with("join")).count();
        if !matches!(call.entry.stage, Stage::Joining) {
            break;
        }
        call.joining(JoinAnswer::NotYet { starts_in_s: 0, starts_at: None });
        call.pass(1_000);
    }
    // Once a second, for two minutes and the grace of one.
    assert!((170..=180).contains(&joins), "{joins}");
    assert!(matches!(call.entry.stage, Stage::Closing { reason: HangUpReason::NotYet }));
}

#[test]
fn the_lobby_has_music_and_a_leader_decides() {
    let mut call = joining(room());
    call.joining(JoinAnswer::Lobby { leader_present: false });
    assert_eq!(call.take(), ["play wait.leader"]);
    call.played();
    assert_eq!(call.take(), ["music on"]);
    call.pass(7_200_000);
    assert_eq!(call.take(), Vec::<String>::new());
    call.joining(JoinAnswer::Lobby { leader_present: true });
    assert_eq!(call.take(), ["music off", "play lobby.wait"]);
    call.joining(JoinAnswer::Lobby { leader_present: true });
    call.keys("1");
    assert_eq!(call.take(), ["stop", "music on"]);
    call.joining(JoinAnswer::Admitted(STARTED));
    assert_eq!(call.take(), ["music off", "play entry.joining"]);
    call.played();
    assert_eq!(call.take(), ["enter", "done"]);

    let mut call = joining(room());
    call.joining(JoinAnswer::Lobby { leader_present: true });
    call.played();
    call.take();
    call.joining(JoinAnswer::Denied);
    assert_eq!(call.take(), ["music off", "play lobby.denied"]);
    call.played();
    assert_eq!(call.take(), ["hang up Denied"]);
}

#[test]
fn a_store_that_fails_is_apologised_for_once() {
    let mut call = Call::new(EntryAction::default());
    call.played();
    call.take();
    call.input(Input::Failed { question: call.question });
    call.ends("sys.trouble", HangUpReason::Trouble);

    let mut call = Call::at_room();
    call.keys("1001");
    call.take();
    let question = call.question;
    call.input(Input::Failed { question });
    call.input(Input::Failed { question });
    call.found(Some(room()));
    call.ends("sys.trouble", HangUpReason::Trouble);

    // No answer is a failure, too, and what was asked for is given back.
    let mut call = Call::at_pin(with_pin());
    call.keys("4829#");
    call.take();
    call.pass(15_000);
    call.checked(PinResult::Right { leader: true });
    call.ends("sys.trouble", HangUpReason::Trouble);

    let mut call = joining(room());
    call.pass(15_000);
    assert_eq!(call.take(), ["withdraw", "play sys.trouble"]);
    call.joining(JoinAnswer::Admitted(STARTED));
    call.played();
    assert_eq!(call.take(), ["hang up Trouble"]);
}

#[test]
fn whoever_hangs_up_leaves_nothing_behind() {
    let mut call = Call::at_room();
    call.input(Input::HungUp);
    assert_eq!(call.take(), ["stop"]);

    let mut call = joining(Room { records_names: true, ..room() });
    call.played();
    call.take();
    call.input(Input::HungUp);
    assert_eq!(call.take(), ["drop"]);

    let mut call = joining(Room { records_names: true, ..room() });
    call.played();
    call.keys("#");
    call.input(Input::Recorded { question: call.question, name: Some(NameId("n7".into())) });
    call.joining(JoinAnswer::Lobby { leader_present: true });
    call.played();
    call.take();
    call.input(Input::HungUp);
    assert_eq!(call.take(), ["withdraw", "forget n7", "music off"]);
    call.joining(JoinAnswer::Admitted(STARTED));
    call.input(Input::HungUp);
    call.pass(1_000_000);
    assert_eq!(call.take(), Vec::<String>::new());
    assert!(call.entry.is_over() && call.entry.poll_timeout().is_none());
}

#[test]
fn nobody_holds_a_line_for_nothing() {
    let mut call = Call::at_room();
    // Corrections are no failures, and yet they end.
    for _ in 0..70 {
        call.keys("9*");
        call.pass(4_000);
    }
    call.take();
    call.pass(4_000 * 5);
    call.keys("9*");
    assert!(matches!(call.entry.stage, Stage::Closing { reason: HangUpReason::TooLong }), "{:?}", call.entry);
}

#[test]
fn the_room_may_have_a_language_of_its_own() {
    let mut call = Call::at_room();
    call.keys("1001");
    call.outputs.clear();
    call.found(Some(Room { language: LanguageCode::new("pl").ok(), ..with_pin() }));
    let Some(Output::Play(speech)) = call.outputs.pop_front() else { panic!("a question") };
    assert_eq!((speech.language.as_str(), call.entry.language().as_str()), ("pl", "pl"));
}

#[test]
fn no_pin_is_shown() {
    let mut call = Call::at_pin(with_pin());
    let mut shown = String::new();
    for pressed in "948372#".chars() {
        let input = Input::Key(key(pressed));
        shown += &format!("{input:?} {:?} ", call.entry);
        call.input(input);
        shown += &format!("{:?} {:?} ", call.entry, call.outputs);
    }
    let until = call.now.plus_ms(1_000);
    call.checked(PinResult::TooMany { until });
    shown += &format!("{:?}", call.entry);
    assert_eq!(call.pin, "948372");
    for part in ["948372", "94837", "'9'", "\"9\"", "Digit"] {
        assert!(!shown.contains(part), "{part} in {shown}");
    }
}
