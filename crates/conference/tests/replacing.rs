//! A call that takes the place of another one (RFC 3891) is what that one was.

mod support;

use plenary_conference::{
    Command, Effect, Event, MutedBy, Outcome, ParticipantChange, ParticipantId,
    conferences::ParticipantSummary, controls::ControlsChange,
};
use support::*;

type Change<'a> = &'a dyn Fn(&mut World);

/// A conference of two, and a third whose place will be taken.
fn with_three() -> World {
    let mut world = World::new();
    for name in ["x", "y", "old"] {
        world.enter(name, "Tea", plain());
    }
    world
}

fn admit_in_place(world: &mut World) {
    let event = Event::AdmitInPlace {
        participant: participant_id("new"),
        conference: key("Tea"),
        options: plain(),
        of: participant_id("old"),
    };
    world.handle(event).unwrap();
}

fn old_leaves(world: &mut World) {
    world.handle(Event::TakenOver { participant: participant_id("old"), by: Vec::new() }).unwrap();
}

/// In either order: the new one enters and the old one leaves.
fn take_the_place(world: &mut World, is_old_gone_first: bool) {
    admit_in_place(world);
    if is_old_gone_first {
        old_leaves(world);
    }
    world.effects();
    world.connect("new");
    if !is_old_gone_first {
        old_leaves(world);
    }
}

/// What is set for a participant, whichever it is.
fn standing(summary: ParticipantSummary) -> ParticipantSummary {
    ParticipantSummary { id: ParticipantId::new("it"), entered_at: None, ..summary }
}

fn lecture(world: &mut World, is_on: bool) {
    let change = ControlsChange { lecture: Some(is_on), ..ControlsChange::default() };
    world.handle(Event::ChangeControls { conference: key("Tea"), change }).unwrap();
}

#[test]
fn what_was_set_for_a_participant_is_kept_whichever_of_the_two_calls_ends_first() {
    let muted = |muted| ParticipantChange { muted: Some(muted), ..ParticipantChange::default() };
    let kinds: [(&str, Change<'_>); 9] = [
        ("muted by a leader", &|world| world.change("Tea", "old", muted(true)).unwrap()),
        ("muted by itself", &|world| {
            assert_eq!(world.command("old", Command::ToggleMute), Outcome::Muted);
        }),
        ("muted by a lecture", &|world| lecture(world, true)),
        ("may speak where others are muted", &|world| {
            let controls = ControlsChange { muted_on_entry: Some(true), ..ControlsChange::default() };
            world.handle(Event::ChangeControls { conference: key("Tea"), change: controls }).unwrap();
        }),
        ("without keys", &|world| {
            let change = ParticipantChange { dtmf_enabled: Some(false), ..ParticipantChange::default() };
            world.change("Tea", "old", change).unwrap();
        }),
        ("on hold", &|world| {
            let change = ParticipantChange { held: Some(true), ..ParticipantChange::default() };
            world.change("Tea", "old", change).unwrap();
        }),
        ("may unmute itself", &|world| {
            let change = ParticipantChange { self_unmute: Some(Some(true)), ..ParticipantChange::default() };
            world.change("Tea", "old", change).unwrap();
        }),
        ("with a hand up", &|world| {
            assert_eq!(world.command("old", Command::ToggleHand), Outcome::HandRaised);
        }),
        ("heard by one alone", &|world| {
            let by = Some(Some(vec![participant_id("x")]));
            world
                .change("Tea", "old", ParticipantChange { heard_by: by, ..ParticipantChange::default() })
                .unwrap();
        }),
    ];
    for (kind, set) in kinds {
        for is_old_gone_first in [false, true] {
            let mut world = with_three();
            set(&mut world);
            let before = standing(world.summary("Tea", "old"));
            take_the_place(&mut world, is_old_gone_first);
            let after = standing(world.summary("Tea", "new"));
            assert_eq!(after, before, "{kind}, the old one first: {is_old_gone_first}");
            assert_eq!(world.names("Tea"), ["x", "y", "new"]);
        }
    }
}

#[test]
fn who_may_speak_in_a_lecture_may_still_and_a_lecture_that_ends_meanwhile_is_over() {
    let mut world = with_three();
    lecture(&mut world, true);
    let unmuted = ParticipantChange { muted: Some(false), ..ParticipantChange::default() };
    world.change("Tea", "old", unmuted).unwrap();
    take_the_place(&mut world, false);
    assert_eq!(world.summary("Tea", "new").muted_by, None);

    for (before, after) in [(false, true), (true, false)] {
        let mut world = with_three();
        lecture(&mut world, before);
        admit_in_place(&mut world);
        old_leaves(&mut world);
        lecture(&mut world, after);
        world.connect("new");
        let muted_by = after.then_some(MutedBy::Lecture);
        assert_eq!(world.summary("Tea", "new").muted_by, muted_by, "{before} {after}");
    }
}

#[test]
fn what_is_set_for_the_new_call_before_it_is_in_comes_after_what_the_old_one_had() {
    let mut world = with_three();
    let change = |muted| ParticipantChange { muted: Some(muted), ..ParticipantChange::default() };
    world.change("Tea", "old", change(true)).unwrap();
    admit_in_place(&mut world);
    world.change("Tea", "new", change(false)).unwrap();
    world.connect("new");
    assert!(!world.summary("Tea", "new").muted);
}

#[test]
fn who_speaks_to_one_alone_is_heard_by_the_call_that_takes_that_place() {
    let mut world = with_three();
    let by = Some(Some(vec![participant_id("old")]));
    world.change("Tea", "x", ParticipantChange { heard_by: by, ..ParticipantChange::default() }).unwrap();
    take_the_place(&mut world, false);
    assert_eq!(world.summary("Tea", "x").heard_by, Some(vec![participant_id("new")]));
    let last = world.effects().into_iter().rev().find_map(|effect| match effect {
        Effect::HeardBy { participant, by, .. } => Some((participant, by)),
        _ => None,
    });
    assert_eq!(last, Some((participant_id("x"), Some(vec![participant_id("new")]))));
}
