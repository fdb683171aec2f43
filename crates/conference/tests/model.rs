//! A tiny obvious model beside the real machine: random events, the same answer after each.

mod support;

use plenary_conference::{
    ConferenceLimits, ControlsChange, Digit, Effect, Event, ParticipantOptions, ReservationLimits, State,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use support::*;

const ROOMS: [&str; 3] = ["Tea", "Class", "Board"];
/// Board is reserved from minute 2 to minute 22.
const BOARD: (u64, u64) = (2, 22);

#[derive(Debug, Clone)]
enum Step {
    Admit { who: u8, room: u8, options: ParticipantOptions },
    Connect { who: u8 },
    Gone { who: u8 },
    Press { who: u8, key: char },
    Options { who: u8, room: u8, muted: Option<bool>, dtmf: Option<bool> },
    Eject { who: u8, room: u8 },
    Change { who: u8, room: u8, muted: Option<bool>, dtmf: Option<bool> },
    Remove { who: u8, room: u8 },
    MuteAll { room: u8, muted: bool, except_leaders: bool, self_unmute: Option<bool> },
    Controls { room: u8, change: ControlsChange },
    End { room: u8 },
    Pass { seconds: u16 },
}

fn options() -> impl Strategy<Value = ParticipantOptions> {
    (any::<bool>(), any::<bool>(), prop::bool::weighted(0.2), any::<bool>(), any::<bool>()).prop_map(
        |(talker, start_on_entry, destroy_on_exit, beep_on_entry, keys)| ParticipantOptions {
            talker,
            start_on_entry,
            destroy_on_exit,
            beep_on_entry,
            exit_digit: keys.then(|| Digit::new('9')).flatten(),
            mute_digit: keys.then(|| Digit::new('1')).flatten(),
            while_stopped_media: keys.then(|| list(&["music.wav"])),
            ..ParticipantOptions::default()
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let (who, room) = (0..8_u8, 0..3_u8);
    prop_oneof![
        4 => (who.clone(), room.clone(), options()).prop_map(|(who, room, options)| Step::Admit { who, room, options }),
        6 => who.clone().prop_map(|who| Step::Connect { who }),
        2 => who.clone().prop_map(|who| Step::Gone { who }),
        2 => (who.clone(), prop::sample::select(vec!['1', '9', '5'])).prop_map(|(who, key)| Step::Press { who, key }),
        2 => (who.clone(), room.clone(), any::<Option<bool>>(), any::<Option<bool>>())
            .prop_map(|(who, room, muted, dtmf)| Step::Options { who, room, muted, dtmf }),
        1 => (who.clone(), room.clone()).prop_map(|(who, room)| Step::Eject { who, room }),
        2 => (who.clone(), room.clone(), any::<Option<bool>>(), any::<Option<bool>>())
            .prop_map(|(who, room, muted, dtmf)| Step::Change { who, room, muted, dtmf }),
        1 => (who, room.clone()).prop_map(|(who, room)| Step::Remove { who, room }),
        1 => (room.clone(), any::<bool>(), any::<bool>(), any::<Option<bool>>()).prop_map(
            |(room, muted, except_leaders, self_unmute)| Step::MuteAll { room, muted, except_leaders, self_unmute }
        ),
        2 => (room.clone(), any::<[Option<bool>; 4]>()).prop_map(|(room, flags)| {
            let [locked, lecture, muted_on_entry, self_unmute] = flags;
            Step::Controls { room, change: ControlsChange { locked, lecture, muted_on_entry, self_unmute } }
        }),
        1 => room.prop_map(|room| Step::End { room }),
        2 => (0..600_u16).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

/// What the model knows of a participant.
#[derive(Debug, Clone)]
struct Sitting {
    room: usize,
    options: ParticipantOptions,
    entered: Option<u64>,
    /// By itself, by the leader, by the lecture.
    muted: [bool; 3],
    /// What was set before it was in.
    preset: Option<bool>,
    dtmf: bool,
}

impl Sitting {
    fn leads(&self) -> bool {
        self.options.start_on_entry && self.options.destroy_on_exit
    }

    fn is_muted(&self) -> bool {
        self.muted.contains(&true)
    }

    fn set(&mut self, muted: Option<bool>, dtmf: Option<bool>) {
        match muted {
            Some(true) => self.muted[1] = true,
            Some(false) => self.muted = [false; 3],
            None => {}
        }
        self.dtmf = dtmf.unwrap_or(self.dtmf);
    }
}

/// What is set for a room.
#[derive(Debug, Default, Clone, Copy)]
struct Set {
    locked: bool,
    lecture: bool,
    muted_on_entry: bool,
    no_self_unmute: bool,
}

/// As simple as can be: a map of people, and one flag for each room.
#[derive(Debug, Default)]
struct Model {
    people: BTreeMap<u8, Sitting>,
    started: [bool; 3],
    set: [Set; 3],
    seconds: u64,
    entries: u64,
}

impl Model {
    fn inside(&self, room: usize) -> Vec<u8> {
        let mut inside: Vec<(u64, u8)> = self
            .people
            .iter()
            .filter(|(_, sitting)| sitting.room == room)
            .filter_map(|(who, sitting)| Some((sitting.entered?, *who)))
            .collect();
        inside.sort_unstable();
        inside.into_iter().map(|(_, who)| who).collect()
    }

    fn board(&self) -> Option<State> {
        let minutes = self.seconds / 60;
        match minutes {
            _ if minutes < BOARD.0 => Some(State::Reserved),
            _ if minutes < BOARD.1 => None,
            _ if minutes < BOARD.1 + 5 => Some(State::Completed),
            _ => None,
        }
    }

    fn is_board_open(&self) -> bool {
        (BOARD.0..BOARD.1).contains(&(self.seconds / 60))
    }

    fn state(&self, room: usize) -> Option<State> {
        if room == 2 && self.board().is_some() {
            return self.board();
        }
        let exists = !self.inside(room).is_empty() || room == 2 && self.is_board_open();
        exists.then_some(if self.started[room] { State::Active } else { State::Holding })
    }

    fn settle(&mut self, room: usize) {
        if self.inside(room).len() < 2 {
            self.started[room] = false;
        }
        // Once the reservation is over, its name is that of a conference like any other.
        let is_reserved = room == 2 && (self.is_board_open() || self.board().is_some());
        if !is_reserved && self.people.values().all(|sitting| sitting.room != room) {
            self.set[room] = Set::default();
        }
    }

    /// What may be controlled: the board while it is open, another room while a participant is in or on the way in.
    fn is_open(&self, room: usize) -> bool {
        if room == 2 && (self.is_board_open() || self.board().is_some()) {
            return self.is_board_open();
        }
        self.people.values().any(|sitting| sitting.room == room)
    }

    fn control(&mut self, room: usize, change: ControlsChange) {
        let set = &mut self.set[room];
        set.locked = change.locked.unwrap_or(set.locked);
        set.muted_on_entry = change.muted_on_entry.unwrap_or(set.muted_on_entry);
        set.no_self_unmute = change.self_unmute.map_or(set.no_self_unmute, |may| !may);
        if let Some(lecture) = change.lecture.filter(|lecture| *lecture != set.lecture) {
            set.lecture = lecture;
            for sitting in self.people.values_mut().filter(|other| other.room == room) {
                if sitting.entered.is_some() {
                    sitting.muted[2] = lecture && !sitting.leads();
                }
            }
        }
    }

    fn remove(&mut self, who: u8) {
        let Some(sitting) = self.people.remove(&who) else { return };
        if sitting.entered.is_some() && sitting.options.destroy_on_exit {
            self.people.retain(|_, other| other.room != sitting.room);
        }
        self.settle(sitting.room);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Admit { who, room, options } => {
                let room = usize::from(*room);
                let closed = room == 2 && self.board().is_some();
                let seats = self.people.values().filter(|sitting| sitting.room == room).count();
                if !self.people.contains_key(who) && !closed && seats < 5 && !self.set[room].locked {
                    let options = options.clone();
                    let (muted, preset) = ([false; 3], None);
                    let sitting = Sitting { room, options, entered: None, muted, preset, dtmf: true };
                    self.people.insert(*who, sitting);
                }
            }
            Step::Connect { who } => {
                let Some(sitting) = self.people.get_mut(who).filter(|sitting| sitting.entered.is_none())
                else {
                    return;
                };
                self.entries += 1;
                sitting.entered = Some(self.entries);
                let room = sitting.room;
                let (set, leads) = (self.set[room], sitting.leads());
                sitting.muted[1] = sitting.preset.unwrap_or(set.muted_on_entry && !leads);
                sitting.muted[2] = set.lecture && !leads && sitting.preset != Some(false);
                let inside: Vec<&Sitting> = self
                    .people
                    .values()
                    .filter(|other| other.room == room && other.entered.is_some())
                    .collect();
                if inside.len() >= 2
                    && inside.iter().any(|other| other.options.start_on_entry)
                    && inside.iter().any(|other| other.options.talker)
                {
                    self.started[room] = true;
                }
            }
            Step::Gone { who } => self.remove(*who),
            Step::Press { who, key } => {
                let Some(sitting) = self.people.get_mut(who).filter(|sitting| sitting.entered.is_some())
                else {
                    return;
                };
                if sitting.dtmf && sitting.options.exit_digit.is_some() {
                    match key {
                        '9' => self.remove(*who),
                        '1' if sitting.is_muted() => {
                            sitting.muted[0] = false;
                            if !self.set[sitting.room].no_self_unmute || sitting.leads() {
                                sitting.muted[1] = false;
                            }
                        }
                        '1' => sitting.muted[0] = true,
                        _ => {}
                    }
                }
            }
            Step::Options { who, room, muted, dtmf } => {
                let room = usize::from(*room);
                if self.state(room) == Some(State::Active)
                    && let Some(sitting) = self.people.get_mut(who)
                    && sitting.room == room
                    && sitting.entered.is_some()
                {
                    sitting.set(*muted, *dtmf);
                }
            }
            Step::Change { who, room, muted, dtmf } => {
                let sitting = self.people.get_mut(who).filter(|sitting| sitting.room == usize::from(*room));
                match sitting {
                    Some(sitting) if sitting.entered.is_some() => sitting.set(*muted, *dtmf),
                    Some(sitting) => {
                        sitting.preset = muted.or(sitting.preset);
                        sitting.dtmf = dtmf.unwrap_or(sitting.dtmf);
                    }
                    None => {}
                }
            }
            Step::Remove { who, room } => {
                if self.people.get(who).is_some_and(|sitting| sitting.room == usize::from(*room)) {
                    self.remove(*who);
                }
            }
            Step::MuteAll { room, muted, except_leaders, self_unmute } => {
                let room = usize::from(*room);
                if self.is_open(room) {
                    let change = ControlsChange { self_unmute: *self_unmute, ..ControlsChange::default() };
                    self.control(room, change);
                    for sitting in self.people.values_mut().filter(|other| other.room == room) {
                        if sitting.entered.is_some() && !(*except_leaders && sitting.leads()) {
                            sitting.muted[1] = *muted;
                        }
                    }
                }
            }
            Step::Controls { room, change } => {
                if self.is_open(usize::from(*room)) {
                    self.control(usize::from(*room), *change);
                }
            }
            Step::End { room } => {
                let room = usize::from(*room);
                let is_reserved = room == 2 && (self.is_board_open() || self.board().is_some());
                if !is_reserved {
                    self.people.retain(|_, sitting| sitting.room != room);
                    self.started[room] = false;
                    self.set[room] = Set::default();
                }
            }
            Step::Eject { who, room } => {
                let room = usize::from(*room);
                if self.state(room) == Some(State::Active)
                    && self
                        .people
                        .get(who)
                        .is_some_and(|sitting| sitting.room == room && sitting.entered.is_some())
                {
                    self.remove(*who);
                }
            }
            Step::Pass { seconds } => {
                let was_open = self.is_board_open();
                self.seconds += u64::from(*seconds);
                if was_open && !self.is_board_open() {
                    self.people.retain(|_, sitting| sitting.room != 2);
                    self.started[2] = false;
                    self.set[2] = Set::default();
                }
            }
        }
    }

    /// Whether a participant is heard, and hears.
    fn voice(&self, who: u8) -> (bool, bool) {
        let sitting = &self.people[&who];
        let started = self.started[sitting.room];
        (started && sitting.options.talker && !sitting.is_muted(), started)
    }
}

fn name(who: u8) -> String {
    format!("p{who}")
}

/// Does the step; a refusal is no failure, the model knows when there is one.
fn apply(world: &mut World, step: &Step) {
    let _ = match step {
        Step::Admit { who, room, options } => {
            world.admit(&name(*who), ROOMS[usize::from(*room)], options.clone())
        }
        Step::Connect { who } => world.handle(Event::Connected { participant: participant_id(&name(*who)) }),
        Step::Gone { who } => world.handle(Event::Gone { participant: participant_id(&name(*who)) }),
        Step::Press { who, key } => {
            world.press(&name(*who), *key);
            Ok(())
        }
        Step::Options { who, room, muted, dtmf } => {
            world.set_options(ROOMS[usize::from(*room)], &name(*who), *muted, *dtmf)
        }
        Step::Eject { who, room } => world.eject(ROOMS[usize::from(*room)], &name(*who)),
        Step::Change { who, room, muted, dtmf } => world.handle(Event::ChangeParticipant {
            conference: key(ROOMS[usize::from(*room)]),
            participant: participant_id(&name(*who)),
            muted: *muted,
            dtmf_enabled: *dtmf,
        }),
        Step::Remove { who, room } => world.handle(Event::RemoveParticipant {
            conference: key(ROOMS[usize::from(*room)]),
            participant: participant_id(&name(*who)),
        }),
        Step::MuteAll { room, muted, except_leaders, self_unmute } => world.handle(Event::MuteAll {
            conference: key(ROOMS[usize::from(*room)]),
            muted: *muted,
            except_leaders: *except_leaders,
            self_unmute: *self_unmute,
        }),
        Step::Controls { room, change } => world
            .handle(Event::ChangeControls { conference: key(ROOMS[usize::from(*room)]), change: *change }),
        Step::End { room } => world.handle(Event::End { conference: key(ROOMS[usize::from(*room)]) }),
        Step::Pass { seconds } => {
            world.pass_ms(u64::from(*seconds) * 1000);
            Ok(())
        }
    };
}

/// What the media plane would have made of the effects.
#[derive(Debug, Default)]
struct Ears {
    voices: BTreeMap<String, (bool, bool)>,
    loops: BTreeMap<String, bool>,
}

impl Ears {
    fn take(&mut self, effect: &Effect) {
        match effect {
            Effect::SetVoice { participant, speaks, listens, .. } => {
                self.voices.insert(participant.to_string(), (*speaks, *listens));
            }
            Effect::StartLoop { participant, .. } => {
                assert_ne!(self.loops.insert(participant.to_string(), true), Some(true), "started twice");
            }
            Effect::StopLoop { participant, .. } => {
                assert_eq!(
                    self.loops.insert(participant.to_string(), false),
                    Some(true),
                    "stopped without a start"
                );
            }
            Effect::HangUp { participant, .. } => {
                self.voices.remove(participant.as_str());
                self.loops.remove(participant.as_str());
            }
            Effect::Beep { .. } | Effect::Play { .. } | Effect::Notify(_) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn the_machine_does_what_the_model_does(steps in prop::collection::vec(step(), 1..120)) {
        let limits = ConferenceLimits { unreserved_max_participants: 5 };
        let mut world = World::with_limits(ReservationLimits::default(), limits);
        let mut board = reservation("Board", BOARD.0 as i64, (BOARD.1 - BOARD.0) as u32);
        board.max_participants = 5;
        world.reserve(board);
        let (mut model, mut ears) = (Model::default(), Ears::default());
        for step in &steps {
            apply(&mut world, step);
            model.step(step);
            if let Step::Gone { who } = step {
                ears.voices.remove(&name(*who));
                ears.loops.remove(&name(*who));
            }
            for effect in world.effects() {
                ears.take(&effect);
            }
            for (room, conference) in ROOMS.iter().enumerate() {
                prop_assert_eq!(world.state(conference), model.state(room), "{} after {:?}", conference, step);
                let inside: Vec<String> = model.inside(room).into_iter().map(name).collect();
                prop_assert_eq!(world.names(conference), inside, "{} after {:?}", conference, step);
                for (summary, who) in world.roster(conference).iter().zip(model.inside(room)) {
                    let sitting = &model.people[&who];
                    prop_assert_eq!((summary.muted, summary.dtmf_enabled), (sitting.is_muted(), sitting.dtmf));
                }
            }
            let expected: BTreeMap<String, (bool, bool)> = model
                .people
                .iter()
                .filter(|(_, sitting)| sitting.entered.is_some())
                .map(|(who, _)| (name(*who), model.voice(*who)))
                .collect();
            prop_assert_eq!(&ears.voices, &expected, "after {:?}", step);
            for (who, sitting) in model.people.iter().filter(|(_, sitting)| sitting.entered.is_some()) {
                let loops = !model.started[sitting.room] && sitting.options.while_stopped_media.is_some();
                prop_assert_eq!(ears.loops.get(&name(*who)).copied().unwrap_or(false), loops, "{} after {:?}", who, step);
            }
        }
    }
}
