//! A tiny obvious model beside the real machine: random events, the same answer after each.

#[path = "../support/mod.rs"]
mod support;

mod simple;

use plenary_conference::{
    AdmitAnswer, Command, ConferenceLimits, ControlsChange, Digit, Effect, Event, MutedBy, ParticipantChange,
    ParticipantId, ParticipantOptions, ReservationLimits,
    command::Who,
    effect::{Announcement, Audience, Notice},
};
use plenary_model::NameId;
use proptest::prelude::*;
use simple::{BOARD, Model, SEATS, Stage, via_room};
use std::collections::{BTreeMap, BTreeSet};
use support::*;

const ROOMS: [&str; 3] = ["Tea", "Class", "Board"];
const PEOPLE: u8 = 8;

#[derive(Debug, Clone)]
enum Step {
    /// `via`: by which room, and with the leader's PIN.
    Admit {
        who: u8,
        room: u8,
        options: ParticipantOptions,
        via: Option<(u8, bool)>,
        name: Option<NameId>,
    },
    Connect {
        who: u8,
    },
    Gone {
        who: u8,
    },
    TakenOver {
        who: u8,
    },
    Press {
        who: u8,
        key: char,
    },
    Options {
        who: u8,
        room: u8,
        muted: Option<bool>,
        dtmf: Option<bool>,
    },
    Eject {
        who: u8,
        room: u8,
    },
    Change {
        who: u8,
        room: u8,
        change: Change,
    },
    Remove {
        who: u8,
        room: u8,
    },
    AdmitWaiting {
        room: u8,
        who: Option<u8>,
    },
    Move {
        who: u8,
        room: u8,
        to: u8,
    },
    MuteAll {
        room: u8,
        muted: bool,
        except_leaders: bool,
        self_unmute: Option<bool>,
    },
    Controls {
        room: u8,
        change: ControlsChange,
    },
    Command {
        who: u8,
        deed: Deed,
    },
    End {
        room: u8,
    },
    Pass {
        seconds: u16,
    },
}

#[derive(Debug, Clone, Default)]
struct Change {
    muted: Option<bool>,
    dtmf: Option<bool>,
    self_unmute: Option<Option<bool>>,
    lower_hand: bool,
    held: Option<bool>,
    leader: Option<bool>,
    heard_by: Option<Option<Vec<u8>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Mute,
    Hand,
    Floor,
    MuteAll,
    Lecture,
    Lock,
    Sounds,
    EjectLast,
    AdmitNext,
    AdmitAll,
    RefuseNext,
    Leave,
    End,
}

fn options() -> impl Strategy<Value = ParticipantOptions> {
    (any::<bool>(), any::<bool>(), prop::bool::weighted(0.1), any::<bool>(), any::<bool>()).prop_map(
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

fn change() -> impl Strategy<Value = Change> {
    let heard_by =
        prop::option::weighted(0.4, prop::option::weighted(0.8, prop::collection::vec(0..PEOPLE, 0..3)));
    let rarely = || prop::option::weighted(0.2, any::<bool>());
    (any::<[Option<bool>; 2]>(), any::<Option<Option<bool>>>(), any::<bool>(), rarely(), rarely(), heard_by)
        .prop_map(|([muted, dtmf], self_unmute, lower_hand, held, leader, heard_by)| Change {
            muted,
            dtmf,
            self_unmute,
            lower_hand,
            held,
            leader,
            heard_by,
        })
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        3 => Just(Deed::Mute),
        3 => Just(Deed::Hand),
        3 => Just(Deed::Floor),
        2 => Just(Deed::MuteAll),
        2 => Just(Deed::Lecture),
        1 => Just(Deed::Lock),
        1 => Just(Deed::Sounds),
        1 => Just(Deed::EjectLast),
        2 => Just(Deed::AdmitNext),
        1 => Just(Deed::AdmitAll),
        1 => Just(Deed::RefuseNext),
        1 => Just(Deed::Leave),
        1 => Just(Deed::End),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    // Most of it happens in one place, so that there are enough of them.
    let (who, room) = (0..PEOPLE, prop_oneof![5 => Just(0_u8), 1 => Just(1), 2 => Just(2)]);
    let via = {
        let rules = prop_oneof![4 => Just(0_u8), 2 => Just(1), 1 => Just(2)];
        prop::option::weighted(0.7, (rules, prop::bool::weighted(0.2)))
    };
    prop_oneof![
        8 => (who.clone(), room.clone(), options(), via, any::<Option<u64>>()).prop_map(
            |(who, room, options, via, name)| {
                let name = name.map(|number| NameId(number.to_string()));
                Step::Admit { who, room, options, via, name }
            }
        ),
        20 => who.clone().prop_map(|who| Step::Connect { who }),
        3 => who.clone().prop_map(|who| Step::Gone { who }),
        1 => who.clone().prop_map(|who| Step::TakenOver { who }),
        2 => (who.clone(), prop::sample::select(vec!['1', '9', '5'])).prop_map(|(who, key)| Step::Press { who, key }),
        2 => (who.clone(), room.clone(), any::<Option<bool>>(), any::<Option<bool>>())
            .prop_map(|(who, room, muted, dtmf)| Step::Options { who, room, muted, dtmf }),
        1 => (who.clone(), room.clone()).prop_map(|(who, room)| Step::Eject { who, room }),
        6 => (who.clone(), room.clone(), change()).prop_map(|(who, room, change)| Step::Change { who, room, change }),
        1 => (who.clone(), room.clone()).prop_map(|(who, room)| Step::Remove { who, room }),
        2 => (room.clone(), prop::option::of(who.clone())).prop_map(|(room, who)| Step::AdmitWaiting { room, who }),
        3 => (who.clone(), room.clone(), room.clone()).prop_map(|(who, room, to)| Step::Move { who, room, to }),
        1 => (room.clone(), any::<bool>(), any::<bool>(), any::<Option<bool>>()).prop_map(
            |(room, muted, except_leaders, self_unmute)| Step::MuteAll { room, muted, except_leaders, self_unmute }
        ),
        2 => (room.clone(), any::<[Option<bool>; 3]>(), prop::option::weighted(0.2, any::<bool>())).prop_map(
            |(room, [lecture, muted_on_entry, self_unmute], locked)| {
                Step::Controls { room, change: ControlsChange { locked, lecture, muted_on_entry, self_unmute } }
            }
        ),
        10 => (who, deed()).prop_map(|(who, deed)| Step::Command { who, deed }),
        1 => room.prop_map(|room| Step::End { room }),
        2 => (0..600_u16).prop_map(|seconds| Step::Pass { seconds }),
        3 => (0..70_u16).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

fn name(who: u8) -> String {
    format!("p{who}")
}

fn number(id: &ParticipantId) -> u8 {
    id.as_str()[1..].parse().unwrap()
}

/// Does the step; a refusal is no failure, the model knows when there is one.
fn apply(world: &mut World, step: &Step) {
    let conference = |room: &u8| key(ROOMS[usize::from(*room)]);
    let participant = |who: &u8| participant_id(&name(*who));
    let _ = match step {
        Step::Admit { who, room, options, via, name: recorded } => world.handle(Event::Admit {
            participant: participant(who),
            conference: conference(room),
            options: options.clone(),
            is_called: false,
            via: via.map(|(rules, leader)| Box::new(via_room(rules, leader, recorded.clone()))),
        }),
        Step::Connect { who } => world.handle(Event::Connected { participant: participant(who) }),
        Step::Gone { who } => world.handle(Event::Gone { participant: participant(who) }),
        Step::TakenOver { who } => {
            world.handle(Event::TakenOver { participant: participant(who), by: Vec::new() })
        }
        Step::Press { who, key } => {
            world.press(&name(*who), *key);
            Ok(())
        }
        Step::Options { who, room, muted, dtmf } => {
            world.set_options(ROOMS[usize::from(*room)], &name(*who), *muted, *dtmf)
        }
        Step::Eject { who, room } => world.eject(ROOMS[usize::from(*room)], &name(*who)),
        Step::Change { who, room, change } => {
            let ids = |by: Vec<u8>| by.iter().map(participant).collect();
            let Change { muted, dtmf, self_unmute, lower_hand, held, leader, heard_by } = change.clone();
            let heard_by = heard_by.map(|by| by.map(ids));
            let change = ParticipantChange {
                muted,
                dtmf_enabled: dtmf,
                self_unmute,
                lower_hand,
                held,
                leader,
                heard_by,
            };
            world.change(ROOMS[usize::from(*room)], &name(*who), change)
        }
        Step::Remove { who, room } => world
            .handle(Event::RemoveParticipant { conference: conference(room), participant: participant(who) }),
        Step::AdmitWaiting { room, who } => world.handle(Event::AdmitWaiting {
            conference: conference(room),
            participant: who.as_ref().map(participant),
        }),
        Step::Move { who, room, to } => world.handle(Event::Move {
            conference: conference(room),
            participant: participant(who),
            to: conference(to),
        }),
        Step::MuteAll { room, muted, except_leaders, self_unmute } => world.handle(Event::MuteAll {
            conference: conference(room),
            muted: *muted,
            except_leaders: *except_leaders,
            self_unmute: *self_unmute,
        }),
        Step::Controls { room, change } => {
            world.handle(Event::ChangeControls { conference: conference(room), change: *change })
        }
        Step::Command { who, deed } => {
            let command = match deed {
                Deed::Mute => Command::ToggleMute,
                Deed::Hand => Command::ToggleHand,
                Deed::Floor => Command::NextFloor,
                Deed::MuteAll => Command::ToggleMuteAll,
                Deed::Lecture => Command::ToggleLecture,
                Deed::Lock => Command::ToggleLock,
                Deed::Sounds => Command::ToggleAnnouncements,
                Deed::EjectLast => Command::EjectLast,
                Deed::AdmitNext => Command::Admit(Who::Next),
                Deed::AdmitAll => Command::AdmitAll,
                Deed::RefuseNext => Command::Refuse(Who::Next),
                Deed::Leave => Command::Leave,
                Deed::End => Command::End,
            };
            world.command(&name(*who), command);
            Ok(())
        }
        Step::End { room } => world.handle(Event::End { conference: conference(room) }),
        Step::Pass { seconds } => {
            pass(world, u64::from(*seconds) * 1000);
            Ok(())
        }
    };
}

/// Time passes, and the machine is woken when it says so and not before.
fn pass(world: &mut World, ms: u64) {
    let end = world.mono.plus_ms(ms);
    while let Some(at) = world.conferences.poll_timeout(world.now()).filter(|at| *at < end) {
        world.pass_ms(at.0 - world.mono.0);
    }
    world.pass_ms(end.0 - world.mono.0);
}

/// What the edges would have made of effects and answers.
#[derive(Debug, Default)]
struct Edge {
    voices: BTreeMap<u8, (bool, bool)>,
    loops: BTreeSet<u8>,
    held: BTreeSet<u8>,
    heard_by: BTreeMap<u8, Vec<u8>>,
    leads: BTreeMap<u8, bool>,
    muted: BTreeMap<u8, Option<MutedBy>>,
    raised: BTreeSet<u8>,
    /// In which conference each one is, by what was entered and left.
    inside: BTreeMap<u8, String>,
    /// Who waits, and what they were told of leaders.
    waiting: BTreeMap<u8, bool>,
    admitted: BTreeSet<u8>,
    names: BTreeMap<String, u32>,
    announced: Vec<(usize, Option<u8>, Announcement)>,
}

impl Edge {
    fn forget(&mut self, who: u8) {
        self.voices.remove(&who);
        self.loops.remove(&who);
        self.held.remove(&who);
        self.heard_by.remove(&who);
        self.leads.remove(&who);
        self.muted.remove(&who);
        self.raised.remove(&who);
        self.waiting.remove(&who);
        self.admitted.remove(&who);
    }

    fn take(&mut self, effect: &Effect) {
        match effect {
            Effect::SetVoice { participant, speaks, listens, .. } => {
                self.voices.insert(number(participant), (*speaks, *listens));
            }
            Effect::StartLoop { participant, .. } => {
                assert!(self.loops.insert(number(participant)), "started twice");
            }
            Effect::StopLoop { participant, .. } => {
                assert!(self.loops.remove(&number(participant)), "stopped without a start");
            }
            Effect::Hold { participant, is_held: true, .. } => {
                assert!(self.held.insert(number(participant)), "held twice");
            }
            Effect::Hold { participant, is_held: false, .. } => {
                assert!(self.held.remove(&number(participant)), "was not held");
            }
            Effect::HeardBy { participant, by: Some(by), .. } => {
                self.heard_by.insert(number(participant), by.iter().map(number).collect());
            }
            Effect::HeardBy { participant, by: None, .. } => {
                self.heard_by.remove(&number(participant));
            }
            Effect::Role { participant, is_leader, .. } => {
                self.leads.insert(number(participant), *is_leader);
            }
            Effect::HangUp { participant, .. } => self.forget(number(participant)),
            Effect::Tell { conference, participant, .. } => {
                let inside = self.inside.get(&number(participant)).map(String::as_str);
                assert_eq!(inside, Some(conference.name.as_str()), "only those who are in are told");
            }
            Effect::Announce { to, what } => {
                let room = ROOMS.iter().position(|name| *name == to.conference().name.as_str()).unwrap();
                let but = match to {
                    Audience::All(_) => None,
                    Audience::AllBut(_, but) => Some(number(but)),
                };
                self.announced.push((room, but, what.clone()));
            }
            Effect::ForgetName { name, .. } => *self.names.entry(name.0.clone()).or_default() += 1,
            Effect::MoveIn { participant, .. } => {
                self.raised.remove(&number(participant));
                assert!(!self.inside.contains_key(&number(participant)), "moved before it has left");
            }
            Effect::Notify(notice) => self.notice(notice),
            Effect::Recording { .. } | Effect::TellRecorded { .. } => panic!("nobody has it recorded"),
            Effect::Beep { .. } | Effect::Play { .. } => {}
        }
    }

    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::ParticipantEntered { conference, participant } => {
                let before = self.inside.insert(number(participant), conference.name.to_string());
                assert_eq!(before, None, "entered twice");
                // What it enters with, the list says.
                self.muted.remove(&number(participant));
                self.admitted.remove(&number(participant));
            }
            Notice::ParticipantLeft { conference, participant } => {
                let before = self.inside.remove(&number(participant));
                assert_eq!(before.as_deref(), Some(conference.name.as_str()), "left before it has entered");
            }
            Notice::OptionsChanged { participant, muted, muted_by, .. } => {
                assert_eq!(*muted, muted_by.is_some());
                self.muted.insert(number(participant), *muted_by);
            }
            Notice::HandChanged { participant, is_raised: true, .. } => {
                assert!(self.raised.insert(number(participant)));
            }
            Notice::HandChanged { participant, is_raised: false, .. } => {
                assert!(self.raised.remove(&number(participant)));
            }
            _ => {}
        }
    }

    fn answer(&mut self, who: u8, answer: &AdmitAnswer) {
        match answer {
            AdmitAnswer::Granted(_) => {
                self.waiting.remove(&who);
                assert!(self.admitted.insert(who), "admitted twice");
            }
            AdmitAnswer::Waiting { is_leader_told } => {
                assert_ne!(self.waiting.insert(who, *is_leader_told), Some(*is_leader_told), "told twice");
            }
            AdmitAnswer::Refused(_) => {
                assert!(self.waiting.remove(&who).is_some(), "it did not wait");
            }
        }
    }
}

/// A name that no other step gives.
fn with_names_of_their_own(steps: Vec<Step>) -> Vec<Step> {
    let rename = |(index, step)| match step {
        Step::Admit { who, room, options, via, name: Some(_) } => {
            Step::Admit { who, room, options, via, name: Some(NameId(format!("name{index}"))) }
        }
        other => other,
    };
    steps.into_iter().enumerate().map(rename).collect()
}

fn check(world: &World, model: &Model, edge: &mut Edge, step: &Step) -> Result<(), TestCaseError> {
    for (room, conference) in ROOMS.iter().enumerate() {
        prop_assert_eq!(world.state(conference), model.state(room), "{} after {:?}", conference, step);
        let inside = model.inside(room);
        let names: Vec<String> = inside.iter().copied().map(name).collect();
        prop_assert_eq!(world.names(conference), names, "{} after {:?}", conference, step);
        for (summary, who) in world.roster(conference).iter().zip(inside) {
            let sitting = &model.people[&who];
            let heard_by =
                sitting.heard_by.as_ref().map(|by| by.iter().map(|id| participant_id(&name(*id))).collect());
            let is = (summary.muted_by, summary.dtmf_enabled, summary.is_leader, summary.is_held);
            let expected = (sitting.muted_by(), sitting.dtmf, sitting.leads(), sitting.held);
            prop_assert_eq!(is, expected, "{} after {:?}", who, step);
            let is = (summary.hand_raised_at.is_some(), summary.may_unmute, &summary.heard_by, summary.muted);
            let expected = (sitting.hand, model.may_unmute(sitting), &heard_by, sitting.is_muted());
            prop_assert_eq!(is, expected, "{} after {:?}", who, step);
            prop_assert_eq!(world.conferences.is_leader(&summary.id), sitting.leads());
            // What was last said of it, where something was said.
            let muted_by = *edge.muted.entry(who).or_insert(summary.muted_by);
            prop_assert_eq!(muted_by, summary.muted_by, "{} after {:?}", who, step);
            let leads = *edge.leads.entry(who).or_insert(summary.is_leader);
            prop_assert_eq!(leads, summary.is_leader, "{} after {:?}", who, step);
            prop_assert_eq!(edge.raised.contains(&who), sitting.hand);
        }
        let expected = world.conferences.expected(&key(conference));
        let waiting: Vec<u8> = expected.iter().filter(|one| one.waits).map(|one| number(&one.id)).collect();
        prop_assert_eq!(&waiting, &model.at(room, Stage::Waiting), "{} after {:?}", conference, step);
        for who in &waiting {
            prop_assert_eq!(edge.waiting.get(who), Some(&model.has_leader(room)), "{} after {:?}", who, step);
        }
        prop_assert!(expected.len() - waiting.len() + world.names(conference).len() <= SEATS);
        let overview = world.conferences.overview(&key(conference));
        let counted = overview.map_or(0, |overview| overview.participants + overview.waiting);
        prop_assert_eq!(counted, waiting.len() + world.names(conference).len());
    }
    let entered = || model.people.iter().filter(|(_, sitting)| sitting.is_in());
    let voices: BTreeMap<u8, (bool, bool)> = entered().map(|(who, _)| (*who, model.voice(*who))).collect();
    prop_assert_eq!(&edge.voices, &voices, "after {:?}", step);
    let loops: BTreeSet<u8> = entered().map(|(who, _)| *who).filter(|who| model.loops(*who)).collect();
    prop_assert_eq!(&edge.loops, &loops, "after {:?}", step);
    let held: BTreeSet<u8> = entered().filter(|(_, sitting)| sitting.held).map(|(who, _)| *who).collect();
    prop_assert_eq!(&edge.held, &held, "after {:?}", step);
    let heard_by: BTreeMap<u8, Vec<u8>> =
        entered().filter_map(|(who, sitting)| Some((*who, sitting.heard_by.clone()?))).collect();
    prop_assert_eq!(&edge.heard_by, &heard_by, "after {:?}", step);
    let at = |stage| -> BTreeSet<u8> {
        let here = model.people.iter().filter(|(_, sitting)| sitting.stage == stage);
        here.map(|(who, _)| *who).collect()
    };
    prop_assert_eq!(edge.waiting.keys().copied().collect::<BTreeSet<u8>>(), at(Stage::Waiting));
    prop_assert_eq!(&edge.admitted, &at(Stage::Admitted));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]
    #[test]
    fn the_machine_does_what_the_model_does(steps in prop::collection::vec(step(), 1..160)) {
        let limits = ConferenceLimits { unreserved_max_participants: SEATS as u32 };
        let mut world = World::with_limits(ReservationLimits::default(), limits);
        let mut board = reservation("Board", BOARD.0 as i64, (BOARD.1 - BOARD.0) as u32);
        board.max_participants = SEATS as u32;
        world.reserve(board);
        let (mut model, mut edge) = (Model::default(), Edge::default());
        let mut log = support::fold::Fold::default();
        // Names that the conferences have to forget.
        let mut owned: BTreeSet<String> = BTreeSet::new();
        for step in with_names_of_their_own(steps) {
            apply(&mut world, &step);
            model.step(&step);
            if let Step::Gone { who } | Step::TakenOver { who } = &step {
                edge.forget(*who);
            }
            // One that was removed while it was admitted or waited.
            for effect in world.effects() {
                edge.take(&effect);
            }
            for (who, answer) in world.answers() {
                edge.answer(number(&participant_id(&who)), &answer);
            }
            check(&world, &model, &mut edge, &step)?;
            // What the log says, replayed, is what is shown.
            while let Some(event) = world.conferences.poll_event() {
                log.take(&event.event);
            }
            log.assert_is(&world);
            let said = std::mem::take(&mut edge.announced);
            let mut expected = std::mem::take(&mut model.announced);
            let order = |one: &(usize, Option<u8>, Announcement)| format!("{one:?}");
            let (mut said, _) = (said, expected.sort_by_key(order));
            said.sort_by_key(order);
            prop_assert_eq!(said, expected, "after {:?}", step);
            for sitting in model.people.values().filter(|sitting| sitting.is_in()) {
                if let Some(name) = &sitting.name {
                    owned.insert(name.0.clone());
                    prop_assert_eq!(edge.names.get(&name.0), None, "{:?} is in", name);
                }
            }
        }
        // All hang up: nothing is left of them, and the names of all who were in are forgotten once.
        for who in 0..PEOPLE {
            world.leave(&name(who));
        }
        pass(&mut world, 40 * 60_000);
        for effect in world.effects() {
            if let Effect::ForgetName { name, .. } = effect {
                *edge.names.entry(name.0).or_default() += 1;
            }
        }
        let once: BTreeMap<String, u32> = owned.into_iter().map(|name| (name, 1)).collect();
        prop_assert_eq!(&edge.names, &once);
        prop_assert_eq!(world.conferences.poll_timeout(world.now()), None);
        prop_assert_eq!(world.conferences.overviews(ACCOUNT, None).count(), 0);
        prop_assert_eq!(world.conferences.list(ACCOUNT), []);
    }
}
