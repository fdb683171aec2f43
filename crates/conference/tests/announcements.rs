//! How the others hear that a participant joins or leaves, and when recorded names are forgotten.

mod support;

use plenary_conference::{
    Command, ConferenceLimits, Effect, Event, Outcome, ParticipantChange, ParticipantOptions,
    ReservationLimits, RoomRules,
    effect::{Announcement, Audience, Notice},
};
use plenary_model::{Announce, NameId};
use support::*;

fn with(announce: Announce) -> RoomRules {
    RoomRules { announce, ..rules() }
}

fn name(name: &str) -> Option<NameId> {
    Some(NameId(name.to_owned()))
}

fn joined(who: &str, name: Option<NameId>) -> (Audience, Announcement) {
    (Audience::AllBut(key("Board"), participant_id(who)), Announcement::Joined { name })
}

fn left(who: &str, name: Option<NameId>) -> (Audience, Announcement) {
    (Audience::AllBut(key("Board"), participant_id(who)), Announcement::Left { name })
}

fn forget(conference: &str, name: &str) -> Effect {
    Effect::ForgetName { conference: key(conference), name: NameId(name.to_owned()) }
}

fn beeps() -> ParticipantOptions {
    ParticipantOptions::default()
}

#[test]
fn by_name_where_there_is_one_and_by_a_tone_otherwise() {
    let rules = with(Announce::Name);
    let mut world = World::new();
    world.enter_by("a", "Board", named("ann", by(&rules)));
    assert_eq!(world.announced(), [], "nobody hears it");
    world.enter_by("b", "Board", named("bob", by(&rules)));
    assert_eq!(world.announced(), [joined("b", name("bob"))]);
    world.enter_by("c", "Board", by(&rules));
    assert_eq!(world.announced(), [joined("c", None)]);
    world.leave("b");
    assert_eq!(world.announced(), [left("b", name("bob"))]);
    world.eject("Board", "c").unwrap();
    assert_eq!(world.announced(), [left("c", None)], "the last one who stays hears it too");
}

#[test]
fn by_tones_or_not_at_all_where_the_room_says_so() {
    for (announce, sounds) in [(Announce::Tone, true), (Announce::None, false)] {
        let rules = with(announce);
        let mut world = World::new();
        world.enter_by("a", "Board", by(&rules));
        world.enter_by("b", "Board", by(&rules));
        world.effects();
        world.enter_by("c", "Board", named("cat", by(&rules)));
        assert_eq!(world.announced(), if sounds { vec![joined("c", None)] } else { vec![] });
        world.leave("c");
        assert_eq!(world.announced(), if sounds { vec![left("c", None)] } else { vec![] });
    }
}

#[test]
fn above_twenty_participants_come_and_go_by_tones() {
    let rules = with(Announce::Name);
    let mut world = World::new();
    for number in 0..19 {
        world.enter_by(&format!("p{number}"), "Board", by(&rules));
    }
    world.effects();
    world.enter_by("20th", "Board", named("ann", by(&rules)));
    assert_eq!(world.announced(), [joined("20th", name("ann"))]);
    world.enter_by("21st", "Board", named("bob", by(&rules)));
    assert_eq!(world.announced(), [joined("21st", None)]);
    world.leave("20th");
    assert_eq!(world.announced(), [left("20th", None)], "they were 21");
    world.leave("21st");
    assert_eq!(world.announced(), [left("21st", name("bob"))]);
}

#[test]
fn how_many_are_announced_by_name_the_room_says() {
    let rules = |announce_names_max| RoomRules { announce_names_max, ..with(Announce::Name) };
    for (names_max, third) in [(0, None), (2, None), (3, name("cat"))] {
        let mut world = World::new();
        world.enter_by("a", "Board", by(&rules(names_max)));
        world.enter_by("b", "Board", by(&rules(names_max)));
        world.effects();
        world.enter_by("c", "Board", named("cat", by(&rules(names_max))));
        assert_eq!(world.announced(), [joined("c", third)]);
    }
}

#[test]
fn leaders_switch_all_entry_and_exit_sounds_off() {
    let rules = with(Announce::Tone);
    let mut world = World::new();
    world.enter_by("boss", "Board", leader_by(&rules));
    world.enter_by("a", "Board", by(&rules));
    assert_eq!(world.command("boss", Command::ToggleAnnouncements), Outcome::AnnouncementsOff);
    world.effects();
    let with_messages = || ParticipantOptions {
        has_joined_message: Some(list(&["joined.wav"])),
        has_left_message: Some(list(&["left.wav"])),
        ..beeps()
    };
    world.enter("b", "Board", with_messages());
    world.assert_deeds(&[voice("Board", "b", true, true)]);
    world.leave("b");
    world.assert_deeds(&[]);
    assert_eq!(world.command("boss", Command::ToggleAnnouncements), Outcome::AnnouncementsOn);
    world.enter_by("c", "Board", by(&rules));
    assert_eq!(world.announced(), [joined("c", None)]);
}

#[test]
fn an_announcement_takes_the_place_of_the_beep_and_not_of_messages() {
    let rules = with(Announce::Tone);
    let mut world = World::new();
    world.enter_by("a", "Board", by(&rules));
    let options = ParticipantOptions { has_joined_message: Some(list(&["joined.wav"])), ..beeps() };
    world.effects();
    world.admit_by("b", "Board", options, by(&rules)).unwrap();
    world.connect("b");
    let sounds: Vec<Effect> =
        world.deeds().into_iter().filter(|effect| !matches!(effect, Effect::SetVoice { .. })).collect();
    let (to, what) = joined("b", None);
    let played = Effect::Play { to: to.clone(), what: list(&["joined.wav"]) };
    assert_eq!(sounds, [played, Effect::Announce { to, what }]);
}

#[test]
fn a_room_without_sounds_has_no_beep_but_those_who_come_otherwise_do() {
    let rules = with(Announce::None);
    let mut world = World::new();
    world.enter_by("a", "Board", by(&rules));
    world.admit_by("b", "Board", beeps(), by(&rules)).unwrap();
    world.connect("b");
    assert!(!world.deeds().contains(&beep("Board")));
    world.enter("c", "Board", beeps());
    assert!(world.deeds().contains(&beep("Board")));
}

#[test]
fn without_a_room_nothing_is_announced() {
    let mut world = World::new();
    world.enter("a", "Board", plain());
    world.enter("b", "Board", plain());
    world.enter("c", "Board", plain());
    world.leave("b");
    assert_eq!(world.announced(), []);
}

/// The conference stops with one participant, who waits with music from then on.
#[test]
fn the_last_one_who_stays_hears_who_has_left_and_then_music() {
    let music = || ParticipantOptions { while_stopped_media: Some(list(&["music.wav"])), ..plain() };
    let silent_with_music = [
        voice("Board", "a", false, false),
        Effect::StartLoop {
            conference: key("Board"),
            participant: participant_id("a"),
            what: list(&["music.wav"]),
        },
    ];
    let announced = |who: Option<NameId>| {
        let (to, what) = left("b", who);
        Some(Effect::Announce { to, what })
    };
    for (announce, first) in
        [(Announce::Name, announced(name("bob"))), (Announce::Tone, announced(None)), (Announce::None, None)]
    {
        let rules = with(announce);
        let mut world = World::new();
        world.admit_by("a", "Board", music(), by(&rules)).unwrap();
        world.connect("a");
        world.enter_by("b", "Board", named("bob", by(&rules)));
        world.effects();
        world.leave("b");
        let expected: Vec<Effect> = first.into_iter().chain(silent_with_music.clone()).collect();
        world.assert_deeds(&expected);
    }
    // The same of messages, which callers have who come otherwise.
    let mut world = World::new();
    world.enter("a", "Board", music());
    let message = Some(list(&["left.wav"]));
    world.enter("b", "Board", ParticipantOptions { has_left_message: message, ..plain() });
    world.effects();
    world.leave("b");
    let left = Effect::Play { to: Audience::All(key("Board")), what: list(&["left.wav"]) };
    let expected: Vec<Effect> = std::iter::once(left).chain(silent_with_music).collect();
    world.assert_deeds(&expected);
}

#[test]
fn who_leaves_while_the_conference_waits_to_start_is_not_announced() {
    let rules = RoomRules { wait_for_leader: true, ..with(Announce::Tone) };
    let mut world = World::new();
    for who in ["a", "b"] {
        world.enter_by(who, "Board", by(&rules));
    }
    world.leave("b");
    assert_eq!(world.announced(), [], "nor was that it came");
}

/// One of two changes telephones, and the new one does not come up.
#[test]
fn the_last_one_hears_late_that_a_call_has_left_whose_successor_does_not_come() {
    let rules = with(Announce::Name);
    let mut world = World::new();
    world.enter_by("a", "Board", by(&rules));
    let message = ParticipantOptions { has_left_message: Some(list(&["left.wav"])), ..plain() };
    world.admit_by("old", "Board", message, named("bob", by(&rules))).unwrap();
    world.connect("old");
    let event = Event::AdmitInPlace {
        participant: participant_id("new"),
        conference: key("Board"),
        options: plain(),
        of: participant_id("old"),
    };
    world.handle(event).unwrap();
    world.effects();
    let sounds = |world: &mut World| {
        let is_sound = |effect: &Effect| matches!(effect, Effect::Play { .. } | Effect::Announce { .. });
        world.effects().into_iter().filter(is_sound).collect::<Vec<_>>()
    };
    world.handle(Event::TakenOver { participant: participant_id("old"), by: Vec::new() }).unwrap();
    // Its own message goes with the call; the participant is announced once it is sure that it has left.
    let played = Effect::Play { to: Audience::All(key("Board")), what: list(&["left.wav"]) };
    assert_eq!(sounds(&mut world), [played]);
    world.leave("new");
    let (to, what) = left("old", name("bob"));
    assert_eq!(sounds(&mut world), [Effect::Announce { to, what }]);
}

#[test]
fn a_name_is_kept_until_the_announcement_has_been_heard() {
    let rules = with(Announce::Name);
    let mut world = World::new();
    for (who, what) in [("a", "ann"), ("b", "bob"), ("c", "cat")] {
        world.enter_by(who, "Board", named(what, by(&rules)));
    }
    world.effects();
    world.leave("b");
    world.pass_ms(10_000);
    world.leave("c");
    world.effects();
    world.pass_ms(19_999);
    world.assert_deeds(&[]);
    world.pass_ms(1);
    world.assert_deeds(&[forget("Board", "bob")]);
    // With the last one the conference is gone, and with it what is kept of it.
    world.leave("a");
    let effects = world.effects();
    let names = [forget("Board", "cat"), forget("Board", "ann")];
    assert_eq!(effects[effects.len() - 3..effects.len() - 1], names);
    assert_eq!(effects.last(), Some(&Effect::Notify(Notice::ConferenceGone { conference: key("Board") })));
    world.pass_minutes(5);
    world.assert_deeds(&[]);
}

#[test]
fn names_go_with_a_conference_that_ends() {
    let mut world = World::new();
    world.reserve(reservation("Board", 0, 30));
    world.enter_by("a", "Board", named("ann", by(&rules())));
    world.enter_by("b", "Board", named("bob", by(&rules())));
    world.leave("a");
    world.effects();
    world
        .handle(Event::ReservationRemoved { token: plenary_conference::ReservationToken::new("TOKENBoard") })
        .unwrap();
    let forgotten: Vec<Effect> =
        world.effects().into_iter().filter(|effect| matches!(effect, Effect::ForgetName { .. })).collect();
    assert_eq!(forgotten, [forget("Board", "ann"), forget("Board", "bob")]);
}

#[test]
fn a_name_that_never_came_in_is_its_owners() {
    let lobby = RoomRules { lobby: true, ..rules() };
    let mut world = World::new();
    world.enter_by("boss", "Board", leader_by(&lobby));
    for who in ["a", "b"] {
        world.admit_by(who, "Board", plain(), named(who, by(&lobby))).unwrap();
    }
    world
        .handle(Event::AdmitWaiting { conference: key("Board"), participant: Some(participant_id("a")) })
        .unwrap();
    world.leave("a");
    world.leave("b");
    world.pass_minutes(1);
    world.leave("boss");
    assert!(!world.effects().iter().any(|effect| matches!(effect, Effect::ForgetName { .. })));
}

#[test]
fn those_on_hold_and_those_who_are_moved_are_announced_like_all() {
    let limits = ConferenceLimits { unreserved_max_participants: 5 };
    let mut world = World::with_limits(ReservationLimits::default(), limits);
    let rules = with(Announce::Name);
    for who in ["a", "b", "c"] {
        world.enter_by(who, "Board", named(who, by(&rules)));
    }
    let held = ParticipantChange { held: Some(true), ..ParticipantChange::default() };
    world.change("Board", "c", held).unwrap();
    world.effects();
    world.leave("c");
    assert_eq!(world.announced(), [left("c", name("c"))]);
}
