//! Random walks: callers press what they like and hang up at any point, answers come late, twice or never, stores and recorders
//! fail. What must never happen is checked after each step.

use super::*;
use crate::{
    PlaybackId,
    testing::{Random, key},
};
use plenary_speech::{Day, TimeOfDay};
use std::collections::BTreeSet;

const WALKS: u64 = 10_000;
const STEPS: u64 = 60;

/// What stands around the dialogue: what it knows of the world, and what the dialogue has running.
#[derive(Debug, Default)]
struct World {
    playing: Option<PlaybackId>,
    is_music_on: bool,
    recording: Option<QuestionId>,
    /// Names that the dialogue has and has not given away.
    names: BTreeSet<NameId>,
    /// The place that was asked for.
    place: Option<(QuestionId, bool)>,
    entered: bool,
    /// What the store has said of the PIN of this call's room.
    right: Option<bool>,
    room: Option<Room>,
    asked: Vec<Output>,
    is_over: bool,
    hung_up: bool,
}

impl World {
    fn take(&mut self, output: Output) {
        assert!(!self.is_over, "{output:?} after the end");
        match &output {
            Output::Play(speech) => {
                assert!(!speech.items.is_empty());
                assert_eq!(self.playing.replace(speech.id), None, "two playbacks");
                assert!(!self.is_music_on, "speech over music");
            }
            Output::StopPlay(id) => assert_eq!(self.playing.take(), Some(*id), "stopped what does not play"),
            Output::Music { is_on } => {
                assert_ne!(self.is_music_on, *is_on, "music is so already");
                self.is_music_on = *is_on;
                assert!(!*is_on || self.playing.is_none(), "music over speech");
            }
            Output::StartRecording { question, .. } => {
                assert_eq!(self.recording.replace(*question), None);
                assert_eq!(self.playing, None, "the question is recorded");
            }
            Output::StopRecording { question, .. } => assert_eq!(self.recording, Some(*question)),
            Output::ForgetName(name) => assert!(self.names.remove(name), "forgot what it had not"),
            Output::Join { question, leader, .. } => {
                let room = self.room.as_ref().expect("a room was found");
                // The rule that matters most.
                assert!(!room.has_pin || self.right.is_some(), "joined without a right PIN");
                assert!(!*leader || self.right == Some(true), "a leader without the leader's PIN");
                assert_eq!(self.place.replace((*question, false)), None, "two places");
            }
            Output::Withdraw { question } => {
                assert_eq!(self.place.take().map(|(place, _)| place), Some(*question));
            }
            Output::Enter { question } => {
                assert_eq!(self.place.take(), Some((*question, true)), "entered without being admitted");
                self.entered = true;
                self.names.clear();
            }
            Output::Done => {
                assert!(self.entered);
                self.is_over = true;
            }
            Output::HangUp(_) => self.is_over = true,
            Output::ListRooms { .. } | Output::FindRoom { .. } | Output::CheckPin { .. } => {}
        }
        if let Output::StopRecording { is_kept: false, .. } = output {
            self.recording = None;
        }
        self.asked.push(output);
    }

    /// Nothing runs that the dialogue has begun.
    fn assert_clean(&self) {
        assert_eq!(
            (self.playing, self.is_music_on, self.recording, self.place),
            (None, false, None, None),
            "left running"
        );
        assert!(self.names.is_empty(), "names left: {:?}", self.names);
    }
}

fn random_room(random: &mut Random) -> Room {
    Room {
        number: "1001".to_owned(),
        has_pin: random.one_in(2),
        has_leader_pin: random.one_in(2),
        records_names: random.one_in(2),
        hold_early_min: random.one_in(2).then_some(5),
        language: None,
    }
}

fn random_answer(random: &mut Random) -> JoinAnswer {
    let arrival = Arrival { is_first: random.one_in(3), awaits_leader: random.one_in(3) };
    match random.below(12) {
        0..=3 => JoinAnswer::Admitted(arrival),
        4 | 5 => JoinAnswer::Lobby { leader_present: random.one_in(2) },
        6 => JoinAnswer::LobbyFull,
        7 => JoinAnswer::Denied,
        8 | 9 => JoinAnswer::NotYet {
            starts_in_s: u32::try_from(random.below(400)).unwrap(),
            starts_at: TimeOfDay::new(9, 5).map(|time| (time, Day::Today)),
        },
        10 => JoinAnswer::Full,
        _ => *random.pick(&[JoinAnswer::Over, JoinAnswer::Locked]),
    }
}

/// An answer to one of the questions that were asked, open or not, as the world sees it.
fn random_reply(world: &mut World, random: &mut Random, entry: &Entry, step: u64) -> Option<Input> {
    if world.asked.is_empty() {
        return None;
    }
    // Mostly to the last one.
    let place = match random.one_in(5) {
        true => usize::try_from(random.below(world.asked.len() as u64)).unwrap(),
        false => world.asked.len() - 1,
    };
    let is_open = |question: QuestionId| entry.open == Some(question);
    let fails = random.one_in(12);
    Some(match world.asked[place].clone() {
        Output::Play(speech) => {
            if world.playing == Some(speech.id) {
                world.playing = None;
            }
            Input::Played(speech.id)
        }
        Output::ListRooms { question }
        | Output::FindRoom { question, .. }
        | Output::CheckPin { question, .. }
            if fails =>
        {
            Input::Failed { question }
        }
        Output::ListRooms { question } => {
            let numbers: &[&str] = match random.below(3) {
                0 => &["1001", "1002", "10"],
                1 => &["1001"],
                _ => &[],
            };
            let rooms = RoomNumbers::new(numbers.iter().map(|number| (*number).to_owned()));
            Input::RoomsListed { question, rooms: Arc::new(rooms) }
        }
        Output::FindRoom { question, .. } => {
            let room = (!random.one_in(6)).then(|| random_room(random));
            if is_open(question) {
                (world.room, world.right) = (room.clone(), None);
            }
            Input::RoomFound { question, room }
        }
        Output::CheckPin { question, .. } => {
            let leader = random.one_in(2);
            let result = match random.below(4) {
                0 | 1 => PinResult::Right { leader },
                2 => PinResult::Wrong,
                _ => PinResult::TooMany { until: Mono(random.below(900_000)) },
            };
            if let (true, PinResult::Right { leader }) = (is_open(question), result) {
                world.right = Some(leader);
            }
            Input::PinChecked { question, result }
        }
        Output::StartRecording { question, .. } | Output::StopRecording { question, is_kept: true } => {
            // A recorder answers once, and only what has not been dropped.
            if world.recording != Some(question) {
                return None;
            }
            // One that has failed is dropped by the dialogue.
            if fails {
                return Some(Input::Failed { question });
            }
            world.recording = None;
            let name = (!random.one_in(3)).then(|| NameId(format!("{step}")));
            world.names.extend(name.clone());
            Input::Recorded { question, name }
        }
        Output::Join { question, .. } | Output::Enter { question } => {
            let answer = random_answer(random);
            let waits =
                matches!(entry.stage, Stage::Joining | Stage::Lobby { .. } | Stage::Announcing { .. });
            if let (Some((place, is_admitted)), true) = (&mut world.place, waits)
                && *place == question
            {
                match answer {
                    JoinAnswer::Admitted(_) => *is_admitted = true,
                    JoinAnswer::Lobby { .. } => *is_admitted = false,
                    // The conference has let go of it.
                    _ => world.place = None,
                }
            }
            Input::Joining { question, answer }
        }
        _ => return None,
    })
}

fn walk(seed: u64) -> bool {
    let mut random = Random::new(seed + 1);
    let rooms = match random.below(3) {
        0 => EntryRooms::All,
        1 => EntryRooms::Listed(vec!["1001".into()]),
        _ => EntryRooms::Listed(vec!["10".into(), "1001".into(), "1002".into()]),
    };
    let mut entry = Entry::new(EntryAction { rooms, ..EntryAction::default() });
    let mut world = World::default();
    let mut now = Mono(0);
    let hang_up_at = random.below(STEPS * 2);
    for step in 0..STEPS {
        let input = match (step, random.below(10)) {
            (0, _) => Some(Input::Connected),
            _ if step == hang_up_at => Some(Input::HungUp),
            (_, 0..=2) => Some(Input::Key(key(*random.pick(&['1', '0', '0', '1', '#', '4', '*', 'A'])))),
            (_, 3..=6) => random_reply(&mut world, &mut random, &entry, step),
            (_, 7) => {
                // Whole numbers and PINs, or nothing would ever get far.
                for pressed in random.pick(&["1001#", "4829#", "10#", "77777#"]).chars() {
                    entry.handle_input(Input::Key(key(pressed)), now);
                }
                None
            }
            (_, 8) => Some(Input::Started),
            (_, _) => None,
        };
        match input {
            Some(input) => {
                world.hung_up |= matches!(input, Input::HungUp);
                entry.handle_input(input, now);
            }
            None => {
                let to = match (random.one_in(3), entry.poll_timeout()) {
                    (true, Some(at)) => at,
                    _ => now.plus_ms(random.below(6_000)),
                };
                now = now.max(to);
                entry.handle_timeout(now);
            }
        }
        while let Some(output) = entry.poll_output() {
            world.take(output);
        }
        assert!(entry.poll_timeout().is_none_or(|at| at > now), "a deadline that has passed");
        if world.hung_up {
            world.is_over = true;
        }
        assert_eq!(entry.is_over(), world.is_over);
        if world.is_over {
            world.assert_clean();
            assert_eq!((entry.poll_timeout(), entry.open), (None, None));
        }
    }
    // A caller who is not in and does nothing any more is out after some time, but for those whom the conference lets wait.
    if !world.hung_up && !world.is_over {
        for _ in 0..100 {
            let Some(at) = entry.poll_timeout() else { break };
            now = at;
            entry.handle_timeout(now);
            while let Some(output) = entry.poll_output() {
                world.take(output);
            }
        }
        assert!(
            entry.is_over() || matches!(entry.stage, Stage::Lobby { .. } | Stage::Waiting { .. }),
            "stuck: {entry:?}"
        );
    }
    world.entered
}

#[test]
fn callers_who_do_anything_at_any_time_leave_nothing_behind() {
    let mut entered = 0;
    for seed in 0..WALKS {
        let outcome = std::panic::catch_unwind(|| walk(seed));
        let Ok(is_in) = outcome else { panic!("the walk with seed {seed} failed") };
        entered += u64::from(is_in);
    }
    // The walks get somewhere: otherwise they would show nothing.
    assert!(entered > WALKS / 50, "only {entered} of {WALKS} got in");
}
