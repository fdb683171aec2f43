//! What is written down of conferences: who was in, from when to when, and why it ended.

mod support;

use plenary_conference::{Command, Event, ParticipantChange};
use plenary_model::{HistoryEntry, HistoryReason};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use support::*;

/// What is new of the history, in one line each; ids are left out.
fn told(world: &mut World) -> Vec<String> {
    let line = |entry| match entry {
        HistoryEntry::Began { conference, reservation, seats, .. } => {
            let reserved = if reservation.is_some() { "reserved" } else { "free" };
            format!("{} begins, {reserved}, {seats} seats", conference.name)
        }
        HistoryEntry::Entered { participant, is_leader, present, .. } => {
            let role = if is_leader { "leader" } else { "participant" };
            format!("{participant} enters, {role}, {present} in")
        }
        HistoryEntry::MadeLeader { participant, .. } => format!("{participant} is made a leader"),
        HistoryEntry::Left { participant, reason, .. } => format!("{participant} leaves, {}", reason.name()),
        HistoryEntry::Ended { reason, .. } => format!("ends, {}", reason.name()),
    };
    std::iter::from_fn(|| world.conferences.poll_history()).map(line).collect()
}

#[test]
fn an_unreserved_conference_is_in_it_from_its_first_participant_to_its_last() {
    let mut world = World::new();
    world.admit("a", "Tea", plain()).unwrap();
    assert!(told(&mut world).is_empty(), "nobody is in yet");
    world.connect("a");
    world.enter("b", "Tea", plain());
    world.pass_minutes(3);
    world.leave("a");
    world.leave("b");
    assert_eq!(
        told(&mut world),
        [
            "Tea begins, free, 40 seats",
            "a enters, participant, 1 in",
            "b enters, participant, 2 in",
            "a leaves, hung_up",
            "b leaves, hung_up",
            "ends, all_left"
        ]
    );
    world.enter("c", "Tea", member());
    assert_eq!(
        told(&mut world),
        ["Tea begins, free, 40 seats", "c enters, participant, 1 in"],
        "another one"
    );
}

#[test]
fn who_never_enters_is_not_in_it() {
    let mut world = World::new();
    world.admit("a", "Tea", plain()).unwrap();
    world.leave("a");
    assert!(told(&mut world).is_empty());
}

#[test]
fn a_reserved_conference_is_in_it_from_its_start_to_its_end() {
    let mut world = World::new();
    world.reserve(reservation("Board", 10, 30));
    assert!(told(&mut world).is_empty());
    world.pass_minutes(10);
    assert_eq!(told(&mut world), ["Board begins, reserved, 40 seats"]);
    world.enter("a", "Board", member());
    world.leave("a");
    world.enter("b", "Board", member());
    world.pass_minutes(30);
    assert_eq!(
        told(&mut world),
        [
            "a enters, participant, 1 in",
            "a leaves, hung_up",
            "b enters, participant, 1 in",
            "b leaves, time_is_up",
            "ends, time_is_up"
        ]
    );
}

#[test]
fn each_way_to_leave_has_its_reason() {
    let mut world = World::new();
    for name in ["a", "b", "c", "d"] {
        world.enter(name, "Tea", member());
    }
    world.enter("l", "Tea", leader());
    told(&mut world);
    world.eject("Tea", "a").unwrap();
    let to = key("Other");
    world.handle(Event::Move { conference: key("Tea"), participant: participant_id("b"), to }).unwrap();
    let made = ParticipantChange { leader: Some(true), ..ParticipantChange::default() };
    world.change("Tea", "c", made).unwrap();
    world.leave("l");
    assert_eq!(
        told(&mut world),
        [
            "a leaves, ejected",
            "b leaves, moved",
            "Other begins, free, 40 seats",
            "b enters, participant, 1 in",
            "c is made a leader",
            "l leaves, hung_up",
            "c leaves, leader_left",
            "d leaves, leader_left",
            "ends, leader_left"
        ]
    );
}

#[test]
fn what_a_leader_ends_by_key_is_ended_by_a_leader() {
    let mut world = World::new();
    let rules = rules();
    world.enter_by("l", "Tea", leader_by(&rules));
    world.enter_by("a", "Tea", by(&rules));
    told(&mut world);
    world.command("l", Command::End);
    assert_eq!(
        told(&mut world),
        ["l leaves, ended_by_leader", "a leaves, ended_by_leader", "ends, ended_by_leader"]
    );
}

#[test]
fn when_the_service_stops_everything_is_closed() {
    let mut world = World::new();
    world.reserve(reservation("Board", 0, 30));
    world.pass_ms(1000);
    world.enter("a", "Tea", member());
    told(&mut world);
    let now = world.now();
    world.conferences.stop_history(now);
    assert_eq!(told(&mut world), ["ends, stopped", "a leaves, stopped", "ends, stopped"]);
}

/// One thing that happens: who or which conference, and what.
#[derive(Debug, Clone, Copy)]
enum Step {
    Enter(u8, u8),
    Leave(u8),
    Eject(u8, u8),
    Move(u8, u8),
    End(u8),
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..8, 0_u8..3).prop_map(|(who, which)| Step::Enter(who, which)),
        2 => (0_u8..8).prop_map(Step::Leave),
        1 => (0_u8..8, 0_u8..3).prop_map(|(who, which)| Step::Eject(who, which)),
        1 => (0_u8..8, 0_u8..3).prop_map(|(who, which)| Step::Move(who, which)),
        1 => (0_u8..3).prop_map(Step::End),
        2 => (1_u16..600).prop_map(Step::Pass),
    ]
}

proptest! {
    /// Replayed, the history says who is in, conference by conference; each stay begins before it ends, and each conference ends
    /// once, empty.
    #[test]
    fn replayed_it_gives_who_is_in(steps in proptest::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        world.reserve(reservation("C0", 1, 15));
        let (mut open, mut ids) = (BTreeMap::<String, (String, BTreeSet<String>)>::new(), BTreeSet::new());
        for (number, step) in steps.into_iter().enumerate() {
            let name = |which: u8| format!("C{which}");
            match step {
                Step::Enter(who, which) => {
                    let who = format!("p{who}");
                    if world.admit(&who, &name(which), if number % 3 == 0 { leader() } else { plain() }).is_ok() {
                        world.connect(&who);
                    }
                }
                Step::Leave(who) => world.leave(&format!("p{who}")),
                Step::Eject(who, which) => {
                    let _ = world.eject(&name(which), &format!("p{who}"));
                }
                Step::Move(who, which) => {
                    let participant = participant_id(&format!("p{who}"));
                    if let Some(from) = world.conferences.conference_of(&participant).cloned() {
                        let to = key(&name(which));
                        let _ = world.handle(Event::Move { conference: from, participant, to });
                    }
                }
                Step::End(which) => {
                    let _ = world.handle(Event::End { conference: key(&name(which)) });
                }
                Step::Pass(seconds) => world.pass_ms(u64::from(seconds) * 1000),
            }
            world.effects();
            world.answers();
            while let Some(entry) = world.conferences.poll_history() {
                match entry {
                    HistoryEntry::Began { id, conference, .. } => {
                        prop_assert!(ids.insert(id.clone()), "an id twice");
                        let name = conference.name.to_string();
                        prop_assert!(open.values().all(|(other, _)| *other != name), "on twice");
                        open.insert(id, (name, BTreeSet::new()));
                    }
                    HistoryEntry::Entered { id, participant, present, .. } => {
                        let (_, inside) = open.get_mut(&id).expect("it is on");
                        prop_assert!(inside.insert(participant.to_string()));
                        prop_assert_eq!(inside.len(), present as usize);
                    }
                    HistoryEntry::MadeLeader { id, participant } => {
                        prop_assert!(open[&id].1.contains(participant.as_str()));
                    }
                    HistoryEntry::Left { id, participant, reason, .. } => {
                        prop_assert!(open.get_mut(&id).expect("it is on").1.remove(participant.as_str()));
                        prop_assert!(reason != HistoryReason::AllLeft);
                    }
                    HistoryEntry::Ended { id, .. } => {
                        let (_, inside) = open.remove(&id).expect("it is on");
                        prop_assert!(inside.is_empty(), "{:?} are left in", inside);
                    }
                }
            }
            for which in 0..3 {
                let inside: BTreeSet<String> = world.names(&name(which)).into_iter().collect();
                let written = open.values().find(|(other, _)| *other == name(which));
                prop_assert_eq!(written.map(|(_, inside)| inside.clone()).unwrap_or_default(), inside);
            }
        }
    }
}
