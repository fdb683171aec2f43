//! Leaders: by options, by the PIN of a room, by hand-over; what they start, and what their leaving ends.

mod support;

use plenary_conference::{
    Effect, Event, MutedBy, News, ParticipantChange, ParticipantOptions, Refused, RoomRules, State,
    effect::{Announcement, Audience, EndReason, Notice},
};
use plenary_model::{Announce, NameId};
use support::*;

fn role(conference: &str, name: &str, is_leader: bool) -> Effect {
    Effect::Role { conference: key(conference), participant: participant_id(name), is_leader }
}

fn make(world: &mut World, conference: &str, name: &str, leader: bool) {
    let change = ParticipantChange { leader: Some(leader), ..ParticipantChange::default() };
    world.change(conference, name, change).unwrap();
}

fn left(conference: &str, ends_in_s: Option<u32>) -> (Audience, Announcement) {
    (Audience::All(key(conference)), Announcement::LeaderLeft { ends_in_s })
}

fn grace(seconds: u32) -> RoomRules {
    RoomRules { end_after_leader_s: Some(seconds), ..rules() }
}

#[test]
fn a_leader_by_pin_starts_a_conference_that_waits_for_one() {
    let mut world = World::new();
    let waits = RoomRules { wait_for_leader: true, ..rules() };
    world.enter_by("a", "Board", by(&waits));
    world.enter_by("b", "Board", by(&waits));
    assert_eq!(world.state("Board"), Some(State::Holding), "both may start others, but not this one");
    assert!(!world.summary("Board", "a").is_leader);
    world.effects();
    world.enter_by("boss", "Board", leader_by(&waits));
    world.assert_deeds(&[
        voice("Board", "a", true, true),
        voice("Board", "b", true, true),
        voice("Board", "boss", true, true),
    ]);
    assert!(world.conferences.is_leader(&participant_id("boss")) && world.summary("Board", "boss").is_leader);
    assert!(!world.conferences.is_leader(&participant_id("a")));
    world.leave("boss");
    assert_eq!(world.state("Board"), Some(State::Active), "the rules say nothing about the leader's leaving");
}

#[test]
fn a_leader_by_pin_starts_it_though_their_options_do_not() {
    let mut world = World::new();
    let silent = || ParticipantOptions { start_on_entry: false, ..plain() };
    world.admit_by("a", "Board", silent(), by(&rules())).unwrap();
    world.connect("a");
    world.admit_by("b", "Board", silent(), by(&rules())).unwrap();
    world.connect("b");
    assert_eq!(world.state("Board"), Some(State::Holding));
    world.admit_by("boss", "Board", silent(), leader_by(&rules())).unwrap();
    world.connect("boss");
    assert_eq!(world.state("Board"), Some(State::Active));
}

#[test]
fn without_wait_for_leader_others_start_it_too() {
    let mut world = World::new();
    world.enter_by("a", "Board", by(&rules()));
    world.enter_by("b", "Board", by(&rules()));
    assert_eq!(world.state("Board"), Some(State::Active));
}

#[test]
fn one_who_is_made_a_leader_is_told_and_starts_what_waits() {
    let mut world = World::new();
    let waits = RoomRules { wait_for_leader: true, ..rules() };
    world.enter_by("a", "Board", by(&waits));
    world.enter_by("b", "Board", by(&waits));
    world.effects();
    make(&mut world, "Board", "b", true);
    world.assert_deeds(&[
        role("Board", "b", true),
        voice("Board", "a", true, true),
        voice("Board", "b", true, true),
    ]);
    make(&mut world, "Board", "b", true);
    world.assert_deeds(&[]);
    make(&mut world, "Board", "b", false);
    world.assert_deeds(&[role("Board", "b", false)]);
    assert!(!world.summary("Board", "b").is_leader);
    assert_eq!(world.state("Board"), Some(State::Active), "what has started goes on");
}

#[test]
fn one_who_is_called_can_be_made_a_leader_before_they_answer() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    world.admit("b", "Tea", plain()).unwrap();
    make(&mut world, "Tea", "b", true);
    assert!(world.conferences.expected(&key("Tea"))[0].is_leader);
    assert!(!world.conferences.is_leader(&participant_id("b")), "on the way in they lead nobody");
    world.effects();
    world.connect("b");
    assert_eq!(world.deeds()[0], role("Tea", "b", true));
    assert!(world.conferences.is_leader(&participant_id("b")));
}

#[test]
fn after_a_hand_over_the_old_leader_ends_nothing() {
    let mut world = World::new();
    world.enter("boss", "Tea", leader());
    world.enter("a", "Tea", plain());
    world.enter("b", "Tea", plain());
    make(&mut world, "Tea", "a", true);
    make(&mut world, "Tea", "boss", false);
    world.effects();
    world.leave("boss");
    world.assert_deeds(&[]);
    assert_eq!(world.names("Tea"), ["a", "b"]);
    // The new one was made a leader, and not one whose leaving ends it.
    world.enter("c", "Tea", plain());
    world.leave("a");
    assert_eq!(world.names("Tea"), ["b", "c"]);
}

#[test]
fn a_leader_who_is_one_again_ends_it_again() {
    let mut world = World::new();
    world.enter("boss", "Tea", leader());
    world.enter("a", "Tea", plain());
    make(&mut world, "Tea", "boss", false);
    make(&mut world, "Tea", "boss", true);
    world.effects();
    world.leave("boss");
    world.assert_deeds(&[hang_up("Tea", "a", EndReason::LeaderLeft)]);
}

#[test]
fn by_a_room_the_options_of_leaders_end_nothing() {
    let mut world = World::new();
    world.admit_by("boss", "Board", leader(), by(&rules())).unwrap();
    world.connect("boss");
    assert!(world.conferences.is_leader(&participant_id("boss")), "a leader by options");
    world.enter_by("a", "Board", by(&rules()));
    world.enter_by("b", "Board", by(&rules()));
    world.effects();
    world.leave("boss");
    assert_eq!(world.announced(), [left("Board", None)], "it goes on, and the others are told");
    assert_eq!(world.names("Board"), ["a", "b"]);
}

#[test]
fn by_a_service_the_options_of_leaders_end_it_whatever_the_room_says() {
    let mut world = World::new();
    world.enter_by("a", "Board", by(&grace(300)));
    world.enter("boss", "Board", leader());
    world.effects();
    world.leave("boss");
    assert!(world.deeds().contains(&hang_up("Board", "a", EndReason::LeaderLeft)));
}

#[test]
fn the_conference_ends_after_its_last_leader_and_the_others_are_told() {
    let mut world = World::new();
    world.enter_by("boss", "Board", leader_by(&grace(300)));
    world.enter_by("second", "Board", leader_by(&grace(300)));
    world.enter_by("a", "Board", by(&grace(300)));
    world.enter_by("b", "Board", by(&grace(300)));
    world.effects();
    world.leave("boss");
    assert_eq!(world.announced(), [], "there is another one");
    world.leave("second");
    assert_eq!(world.announced(), [left("Board", Some(300))]);
    world.pass_ms(299_999);
    world.assert_deeds(&[]);
    world.pass_ms(1);
    world.assert_deeds(&[
        hang_up("Board", "a", EndReason::LeaderLeft),
        hang_up("Board", "b", EndReason::LeaderLeft),
    ]);
    assert_eq!(world.state("Board"), None);
    assert_eq!(world.conferences.poll_timeout(world.now()), None);
}

#[test]
fn a_leader_who_comes_back_in_time_ends_the_countdown() {
    let mut world = World::new();
    world.enter_by("boss", "Board", leader_by(&grace(300)));
    world.enter_by("a", "Board", by(&grace(300)));
    world.enter_by("b", "Board", by(&grace(300)));
    world.leave("boss");
    world.pass_ms(299_000);
    world.enter_by("boss2", "Board", leader_by(&grace(300)));
    world.pass_minutes(60);
    assert_eq!(world.names("Board"), ["a", "b", "boss2"]);
    // It counts anew from the next leaving.
    world.effects();
    world.leave("boss2");
    assert_eq!(world.announced(), [left("Board", Some(300))]);
    world.pass_ms(200_000);
    make(&mut world, "Board", "a", true);
    world.pass_minutes(60);
    assert_eq!(world.names("Board"), ["a", "b"], "one of them has become the leader");
}

#[test]
fn a_countdown_ends_with_those_whom_it_is_for() {
    let mut world = World::new();
    world.reserve(reservation("Board", 0, 120));
    world.enter_by("boss", "Board", leader_by(&grace(300)));
    world.enter_by("a", "Board", by(&grace(300)));
    world.leave("boss");
    world.leave("a");
    world.enter_by("b", "Board", by(&grace(300)));
    world.enter_by("c", "Board", by(&grace(300)));
    world.pass_minutes(60);
    assert_eq!(world.names("Board"), ["b", "c"]);
}

#[test]
fn a_countdown_of_nothing_ends_it_at_once() {
    let mut world = World::new();
    world.enter_by("boss", "Board", leader_by(&grace(0)));
    world.enter_by("a", "Board", by(&grace(0)));
    world.effects();
    world.leave("boss");
    assert_eq!(world.deeds().last(), Some(&hang_up("Board", "a", EndReason::LeaderLeft)));
    assert_eq!(world.state("Board"), None);
}

#[test]
fn a_leader_who_is_thrown_out_or_presses_the_exit_key_has_left_too() {
    for removed in [true, false] {
        let mut world = World::new();
        let options = ParticipantOptions { exit_digit: plenary_conference::Digit::new('9'), ..plain() };
        world.admit_by("boss", "Board", options, leader_by(&grace(60))).unwrap();
        world.connect("boss");
        world.enter_by("a", "Board", by(&grace(60)));
        world.effects();
        match removed {
            true => world.eject("Board", "boss").unwrap(),
            false => world.press("boss", '9'),
        }
        assert_eq!(world.announced(), [left("Board", Some(60))]);
    }
}

#[test]
fn a_leader_on_hold_is_still_there() {
    let mut world = World::new();
    world.enter_by("boss", "Board", leader_by(&grace(60)));
    world.enter_by("a", "Board", by(&grace(60)));
    world.enter_by("b", "Board", by(&grace(60)));
    let held = ParticipantChange { held: Some(true), ..ParticipantChange::default() };
    world.change("Board", "boss", held).unwrap();
    world.effects();
    world.pass_minutes(10);
    assert_eq!(world.announced(), []);
    assert_eq!((world.state("Board"), world.names("Board").len()), (Some(State::Active), 3));
}

#[test]
fn a_leader_who_changes_telephones_stays_the_leader_and_nothing_ends() {
    let mut world = World::new();
    let rules = RoomRules { announce: plenary_model::Announce::Name, ..grace(60) };
    world.enter_by("boss", "Board", named("boss.ogg", leader_by(&rules)));
    world.enter_by("a", "Board", by(&rules));
    world.effects();
    world
        .handle(Event::AdmitInPlace {
            participant: participant_id("boss2"),
            conference: key("Board"),
            options: plain(),
            of: participant_id("boss"),
        })
        .unwrap();
    world.connect("boss2");
    world.handle(Event::TakenOver { participant: participant_id("boss"), by: Vec::new() }).unwrap();
    assert_eq!(world.announced(), [], "nobody has come and nobody has gone");
    assert!(world.conferences.is_leader(&participant_id("boss2")));
    world.pass_minutes(2);
    assert!(!world.effects().iter().any(|effect| matches!(effect, Effect::ForgetName { .. })));
    world.leave("boss2");
    let name = plenary_model::NameId("boss.ogg".to_owned());
    let has_left = (
        Audience::AllBut(key("Board"), participant_id("boss2")),
        Announcement::Left { name: Some(name.clone()) },
    );
    assert_eq!(world.announced(), [has_left, left("Board", Some(60))]);
    world.pass_ms(30_000);
    let forget = Effect::ForgetName { conference: key("Board"), name };
    world.assert_deeds(&[forget]);
}

#[test]
fn one_who_was_made_a_leader_stays_one_on_another_telephone() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    world.enter("b", "Tea", plain());
    make(&mut world, "Tea", "a", true);
    let admit = Event::AdmitInPlace {
        participant: participant_id("a2"),
        conference: key("Tea"),
        options: plain(),
        of: participant_id("a"),
    };
    world.handle(admit).unwrap();
    world.effects();
    world.connect("a2");
    assert!(world.deeds().contains(&role("Tea", "a2", true)));
}

#[test]
fn in_a_lecture_a_new_leader_speaks_and_an_old_one_does_not() {
    let mut world = World::new();
    world.enter("boss", "Class", leader());
    world.enter("a", "Class", plain());
    let lecture = plenary_conference::ControlsChange { lecture: Some(true), ..Default::default() };
    world.handle(Event::ChangeControls { conference: key("Class"), change: lecture }).unwrap();
    world.effects();
    make(&mut world, "Class", "a", true);
    world.assert_deeds(&[role("Class", "a", true), voice("Class", "a", true, true)]);
    make(&mut world, "Class", "boss", false);
    assert_eq!(world.told(), [("boss".to_owned(), News::MutedByLeader { self_unmute: false })]);
    assert_eq!(world.summary("Class", "boss").muted_by, Some(MutedBy::Lecture));
}

#[test]
fn the_rules_are_those_of_the_caller_who_got_a_place_last() {
    let mut world = World::new();
    world.enter_by("boss", "Board", leader_by(&grace(60)));
    world.enter_by("a", "Board", by(&grace(120)));
    world.enter_by("b", "Board", by(&grace(120)));
    let lock = plenary_conference::ControlsChange { locked: Some(true), ..Default::default() };
    world.handle(Event::ChangeControls { conference: key("Board"), change: lock }).unwrap();
    assert_eq!(world.admit_by("c", "Board", plain(), by(&grace(5))), Err(Refused::Locked));
    world.effects();
    world.leave("boss");
    assert_eq!(world.announced(), [left("Board", Some(120))]);
}

#[test]
fn a_room_that_mutes_on_entry_says_so_until_a_program_says_otherwise() {
    let mut world = World::new();
    let mutes = RoomRules { muted_on_entry: true, ..rules() };
    world.enter_by("boss", "Board", leader_by(&mutes));
    world.effects();
    world.enter_by("a", "Board", by(&mutes));
    assert_eq!(world.told(), [("a".to_owned(), News::MutedByLeader { self_unmute: true })]);
    assert_eq!(world.summary("Board", "a").muted_by, Some(MutedBy::Leader));
    assert!(!world.summary("Board", "boss").muted);
    let off = plenary_conference::ControlsChange { muted_on_entry: Some(false), ..Default::default() };
    world.handle(Event::ChangeControls { conference: key("Board"), change: off }).unwrap();
    world.enter_by("b", "Board", by(&mutes));
    assert!(!world.summary("Board", "b").muted);
    world.effects();
    // The room was changed.
    world.enter_by("c", "Board", by(&rules()));
    world.enter_by("d", "Board", by(&mutes));
    let changed = |notice: &Notice| matches!(notice, Notice::ControlsChanged { .. });
    assert_eq!(world.notices().iter().filter(|notice| changed(notice)).count(), 1);
    assert!(world.summary("Board", "d").muted);
}

/// Another call comes in place of one who is in; it has a seat and is not up yet.
fn follow(world: &mut World, conference: &str, name: &str, of: &str) {
    let admit = Event::AdmitInPlace {
        participant: participant_id(name),
        conference: key(conference),
        options: plain(),
        of: participant_id(of),
    };
    world.handle(admit).unwrap();
    world.handle(Event::TakenOver { participant: participant_id(of), by: Vec::new() }).unwrap();
}

#[test]
fn a_leader_whose_other_call_does_not_come_has_left_and_all_that_follows_from_that_does() {
    let announced = RoomRules { announce: Announce::Name, ..grace(60) };
    let begin = |rules: &RoomRules| {
        let mut world = World::new();
        world.enter_by("boss", "Board", named("ann", leader_by(rules)));
        world.enter_by("a", "Board", by(rules));
        world.enter_by("b", "Board", by(rules));
        world.effects();
        world
    };
    // It comes: nothing ends, and nobody is said to have left.
    let mut world = begin(&announced);
    follow(&mut world, "Board", "boss2", "boss");
    make(&mut world, "Board", "boss2", true);
    world.connect("boss2");
    world.leave("a");
    assert!(!world.announced().contains(&left("Board", Some(60))));
    world.pass_ms(120_000);
    assert_eq!(world.state("Board"), Some(State::Active));

    // It does not: the telephone that is called again does not answer, or a page is closed before it is in again.
    let mut world = begin(&announced);
    follow(&mut world, "Board", "boss2", "boss");
    assert_eq!(world.announced(), [], "not while it may come");
    world.pass_ms(45_000);
    assert_eq!(world.state("Board"), Some(State::Active));
    world.effects();
    world.leave("boss2");
    let effects = world.effects();
    let name = Some(NameId("ann".to_owned()));
    let said = |what| {
        effects.iter().any(|effect| matches!(effect, Effect::Announce { what: said, .. } if *said == what))
    };
    assert!(said(Announcement::Left { name }), "{effects:?}");
    assert!(said(Announcement::LeaderLeft { ends_in_s: Some(60) }), "{effects:?}");
    world.pass_ms(60_000);
    let deeds = world.deeds();
    for name in ["a", "b"] {
        assert!(deeds.contains(&hang_up("Board", name, EndReason::LeaderLeft)), "{deeds:?}");
    }

    // By options, too.
    let mut world = World::new();
    world.enter("boss", "Tea", leader());
    world.enter("a", "Tea", plain());
    follow(&mut world, "Tea", "boss2", "boss");
    assert_eq!(world.names("Tea"), ["a"]);
    world.leave("boss2");
    assert!(world.deeds().contains(&hang_up("Tea", "a", EndReason::LeaderLeft)));
}
