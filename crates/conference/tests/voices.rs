//! Who hears whom: starting, stopping, leaders, muting, keys.

mod support;

use plenary_conference::{
    Effect, Event, ParticipantOptions, Refused, State,
    effect::{Audience, EndReason},
};
use support::*;

#[test]
fn no_participant_hears_another_until_two_are_in() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    world.assert_deeds(&[voice("Tea", "a", false, false)]);
    world.enter("b", "Tea", plain());
    world.assert_deeds(&[voice("Tea", "a", true, true), voice("Tea", "b", true, true)]);
    world.enter("c", "Tea", plain());
    world.assert_deeds(&[voice("Tea", "c", true, true)]);
    world.leave("c");
    world.assert_deeds(&[]);
    world.leave("b");
    world.assert_deeds(&[voice("Tea", "a", false, false)]);
    assert_eq!(world.state("Tea"), Some(State::Holding));
}

#[test]
fn members_wait_for_their_leader_and_go_with_the_leader() {
    let mut world = World::new();
    world.enter("m1", "Class", member());
    world.enter("m2", "Class", member());
    assert_eq!(world.state("Class"), Some(State::Holding));
    world.effects();
    world.enter("boss", "Class", leader());
    world.assert_deeds(&[
        voice("Class", "m1", true, true),
        voice("Class", "m2", true, true),
        voice("Class", "boss", true, true),
    ]);
    world.leave("boss");
    world.assert_deeds(&[
        hang_up("Class", "m1", EndReason::LeaderLeft),
        hang_up("Class", "m2", EndReason::LeaderLeft),
    ]);
    assert_eq!(world.state("Class"), None);
}

#[test]
fn a_leader_who_is_there_first_starts_with_the_second() {
    let mut world = World::new();
    world.enter("boss", "Class", leader());
    assert_eq!(world.state("Class"), Some(State::Holding));
    world.enter("m1", "Class", member());
    assert_eq!(world.state("Class"), Some(State::Active));
}

#[test]
fn without_a_participant_who_may_speak_nothing_starts() {
    let mut world = World::new();
    let listener = || ParticipantOptions { talker: false, ..plain() };
    world.enter("a", "Tea", listener());
    world.enter("b", "Tea", listener());
    assert_eq!(world.state("Tea"), Some(State::Holding));
    world.effects();
    world.enter("c", "Tea", plain());
    world.assert_deeds(&[
        voice("Tea", "a", false, true),
        voice("Tea", "b", false, true),
        voice("Tea", "c", true, true),
    ]);
}

#[test]
fn a_conference_goes_on_without_the_one_who_started_it() {
    let mut world = World::new();
    world.enter("starter", "Tea", plain());
    world.enter("m1", "Tea", member());
    world.enter("m2", "Tea", member());
    world.leave("starter");
    assert_eq!(world.state("Tea"), Some(State::Active));
    world.leave("m1");
    world.enter("m3", "Tea", member());
    assert_eq!(
        world.state("Tea"),
        Some(State::Holding),
        "stopped, and no participant is in who may start it"
    );
}

#[test]
fn in_a_reserved_conference_the_leader_ends_the_calls_and_not_the_conference() {
    let mut world = World::new();
    world.reserve(reservation("Board", 0, 30));
    world.enter("boss", "Board", leader());
    world.enter("m1", "Board", member());
    world.admit("late", "Board", member()).unwrap();
    world.effects();
    world.eject("Board", "boss").unwrap();
    world.assert_deeds(&[
        hang_up("Board", "boss", EndReason::Ejected),
        hang_up("Board", "m1", EndReason::LeaderLeft),
        hang_up("Board", "late", EndReason::LeaderLeft),
    ]);
    assert_eq!(world.state("Board"), Some(State::Holding));
    world.enter("again", "Board", leader());
    assert_eq!(world.names("Board"), ["again"]);
}

#[test]
fn a_leader_who_changes_telephones_does_not_end_the_conference() {
    let mut world = World::new();
    world.enter("boss", "Tea", leader());
    world.enter("m1", "Tea", member());
    world.enter("boss2", "Tea", leader());
    world.effects();
    world.handle(Event::TakenOver { participant: participant_id("boss"), by: Vec::new() }).unwrap();
    world.assert_deeds(&[]);
    assert_eq!(world.names("Tea"), ["m1", "boss2"]);
    world.leave("boss2");
    world.assert_deeds(&[hang_up("Tea", "m1", EndReason::LeaderLeft)]);
}

#[test]
fn muting_takes_the_voice_and_leaves_the_ear() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    world.enter("b", "Tea", plain());
    world.effects();
    world.set_options("Tea", "a", Some(true), None).unwrap();
    world.assert_deeds(&[voice("Tea", "a", false, true)]);
    assert!(world.roster("Tea")[0].muted && !world.roster("Tea")[1].muted);
    world.set_options("Tea", "a", Some(true), None).unwrap();
    world.assert_deeds(&[]);
    world.set_options("Tea", "a", Some(false), Some(false)).unwrap();
    world.assert_deeds(&[voice("Tea", "a", true, true)]);
    assert!(!world.roster("Tea")[0].dtmf_enabled);
}

#[test]
fn unmuting_gives_no_voice_to_one_who_may_only_listen() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    world.enter("b", "Tea", ParticipantOptions { talker: false, ..plain() });
    world.effects();
    world.set_options("Tea", "b", Some(true), None).unwrap();
    world.set_options("Tea", "b", Some(false), None).unwrap();
    world.assert_deeds(&[]);
    assert!(!world.roster("Tea")[1].muted);
}

#[test]
fn a_muted_participant_stays_muted_through_a_stop() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    world.enter("b", "Tea", plain());
    world.set_options("Tea", "a", Some(true), None).unwrap();
    world.leave("b");
    world.effects();
    world.enter("c", "Tea", plain());
    world.assert_deeds(&[voice("Tea", "a", false, true), voice("Tea", "c", true, true)]);
}

#[test]
fn options_and_eject_need_an_active_conference_and_a_participant_in_it() {
    let mut world = World::new();
    assert_eq!(world.eject("Tea", "a"), Err(Refused::UnknownConference));
    world.enter("a", "Tea", plain());
    let holding = Err(Refused::WrongState { state: State::Holding });
    assert_eq!(world.eject("Tea", "a"), holding);
    assert_eq!(world.set_options("Tea", "nobody", Some(true), None), holding);
    world.enter("b", "Tea", plain());
    world.admit("c", "Tea", plain()).unwrap();
    assert_eq!(world.eject("Tea", "c"), Err(Refused::UnknownParticipant), "not in yet");
    world.enter("x", "Coffee", plain());
    assert_eq!(world.eject("Tea", "x"), Err(Refused::UnknownParticipant), "in another one");
    world.reserve(reservation("Board", 10, 30));
    assert_eq!(world.eject("Board", "a"), Err(Refused::WrongState { state: State::Reserved }));
}

#[test]
fn the_mute_key_mutes_and_without_an_unmute_key_it_toggles() {
    let digit = plenary_conference::Digit::new;
    let mut world = World::new();
    world.enter("b", "Tea", plain());
    world.enter(
        "two",
        "Tea",
        ParticipantOptions { mute_digit: digit('1'), unmute_digit: digit('2'), ..plain() },
    );
    world.enter("one", "Tea", ParticipantOptions { mute_digit: digit('1'), ..plain() });
    world.enter(
        "same",
        "Tea",
        ParticipantOptions { mute_digit: digit('1'), unmute_digit: digit('1'), ..plain() },
    );
    let muted = |world: &World| {
        world.roster("Tea")[1..].iter().map(|participant| participant.muted).collect::<Vec<_>>()
    };
    for name in ["two", "one", "same"] {
        world.press(name, '1');
    }
    assert_eq!(muted(&world), [true, true, true]);
    for name in ["two", "one", "same"] {
        world.press(name, '1');
    }
    assert_eq!(muted(&world), [true, false, false]);
    world.press("two", '2');
    assert_eq!(muted(&world), [false, false, false]);
    world.press("two", '9');
    world.press("nobody", '1');
    assert_eq!(muted(&world), [false, false, false]);
}

#[test]
fn the_exit_key_leaves_and_disabled_keys_do_nothing() {
    let options = || ParticipantOptions { exit_digit: plenary_conference::Digit::new('#'), ..leader() };
    let mut world = World::new();
    world.enter("a", "Tea", options());
    world.enter("b", "Tea", plain());
    world.set_options("Tea", "a", None, Some(false)).unwrap();
    world.effects();
    world.press("a", '#');
    world.assert_deeds(&[]);
    world.set_options("Tea", "a", None, Some(true)).unwrap();
    world.press("a", '#');
    world
        .assert_deeds(&[hang_up("Tea", "a", EndReason::ExitKey), hang_up("Tea", "b", EndReason::LeaderLeft)]);
    world.leave("a");
    world.assert_deeds(&[]);
}

#[test]
fn entries_beep_once_the_conference_is_heard() {
    let mut world = World::new();
    world.enter("a", "Tea", ParticipantOptions::default());
    assert!(!world.deeds().contains(&beep("Tea")), "silence while stopped");
    world.enter("b", "Tea", ParticipantOptions::default());
    assert_eq!(world.deeds().last(), Some(&beep("Tea")));
    world.enter("c", "Tea", plain());
    assert!(!world.deeds().contains(&beep("Tea")));
}

#[test]
fn announcements_name_who_comes_and_goes() {
    let mut world = World::new();
    let named = ParticipantOptions {
        name: Some(list(&["ann.wav"])),
        has_joined_message: Some(list(&["joined.wav"])),
        has_left_message: Some(list(&["left.wav"])),
        ..plain()
    };
    world.enter("a", "Tea", plain());
    world.enter("b", "Tea", plain());
    world.effects();
    world.enter("ann", "Tea", named);
    let joined = Effect::Play {
        to: Audience::AllBut(key("Tea"), participant_id("ann")),
        what: list(&["ann.wav", "joined.wav"]),
    };
    assert_eq!(world.deeds().last(), Some(&joined));
    world.leave("ann");
    let left = Effect::Play { to: Audience::All(key("Tea")), what: list(&["ann.wav", "left.wav"]) };
    world.assert_deeds(&[left]);
}

#[test]
fn waiting_participants_hear_their_music() {
    let mut world = World::new();
    let music = || ParticipantOptions { while_stopped_media: Some(list(&["music.wav"])), ..plain() };
    let begins = |name| Effect::StartLoop {
        conference: key("Tea"),
        participant: participant_id(name),
        what: list(&["music.wav"]),
    };
    let ends = |name| Effect::StopLoop { conference: key("Tea"), participant: participant_id(name) };
    world.enter("a", "Tea", music());
    world.assert_deeds(&[voice("Tea", "a", false, false), begins("a")]);
    world.enter("b", "Tea", music());
    world.assert_deeds(&[ends("a"), voice("Tea", "a", true, true), voice("Tea", "b", true, true)]);
    world.leave("b");
    world.assert_deeds(&[voice("Tea", "a", false, false), begins("a")]);
}
