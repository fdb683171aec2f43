//! Holding a participant, letting only some hear it, and moving it to another conference.

mod support;

use plenary_conference::{
    AccountId, Command, ConferenceKey, ControlsChange, Effect, Event, MutedBy, Outcome, ParticipantChange,
    ParticipantId, ParticipantOptions, Refused, RoomRules, State,
    effect::{Announcement, Audience, EndReason, Notice},
    refused::OutOfRange,
};
use plenary_model::{Announce, NameId};
use support::*;

fn hold(held: bool) -> ParticipantChange {
    ParticipantChange { held: Some(held), ..ParticipantChange::default() }
}

fn heard_by(names: Option<&[&str]>) -> ParticipantChange {
    let by = names.map(|names| names.iter().map(|name| participant_id(name)).collect());
    ParticipantChange { heard_by: Some(by), ..ParticipantChange::default() }
}

fn holds(conference: &str, name: &str, is_held: bool) -> Effect {
    Effect::Hold { conference: key(conference), participant: participant_id(name), is_held }
}

fn hears(conference: &str, name: &str, by: Option<&[&str]>) -> Effect {
    let by = by.map(|names| names.iter().map(|name| participant_id(name)).collect::<Vec<ParticipantId>>());
    Effect::HeardBy { conference: key(conference), participant: participant_id(name), by }
}

fn go(world: &mut World, name: &str, from: &str, to: &str) -> Result<(), Refused> {
    world.handle(Event::Move { conference: key(from), participant: participant_id(name), to: key(to) })
}

fn moved(from: &str, name: &str, to: &str) -> Effect {
    Effect::MoveIn { conference: key(to), participant: participant_id(name), from: key(from) }
}

fn three() -> World {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.enter(name, "Tea", plain());
    }
    world.effects();
    world
}

#[test]
fn one_on_hold_neither_hears_nor_is_heard_and_is_still_in() {
    let mut world = three();
    world.change("Tea", "a", hold(true)).unwrap();
    world.assert_deeds(&[voice("Tea", "a", false, false), holds("Tea", "a", true)]);
    assert!(world.summary("Tea", "a").is_held && !world.summary("Tea", "a").muted);
    world.change("Tea", "a", hold(true)).unwrap();
    world.assert_deeds(&[]);
    // What changes meanwhile holds when it is back.
    let muted = ParticipantChange { muted: Some(true), ..ParticipantChange::default() };
    world.change("Tea", "a", muted).unwrap();
    world.assert_deeds(&[]);
    world.change("Tea", "a", hold(false)).unwrap();
    world.assert_deeds(&[holds("Tea", "a", false), voice("Tea", "a", false, true)]);
    assert_eq!(world.names("Tea"), ["a", "b", "c"]);
}

#[test]
fn music_on_hold_takes_the_place_of_what_they_hear_who_wait() {
    let music = || ParticipantOptions { while_stopped_media: Some(list(&["music.wav"])), ..plain() };
    let begins = Effect::StartLoop {
        conference: key("Tea"),
        participant: participant_id("a"),
        what: list(&["music.wav"]),
    };
    let ends = Effect::StopLoop { conference: key("Tea"), participant: participant_id("a") };
    let mut world = World::new();
    world.enter("a", "Tea", music());
    world.effects();
    world.change("Tea", "a", hold(true)).unwrap();
    world.assert_deeds(&[ends, holds("Tea", "a", true)]);
    world.enter("b", "Tea", plain());
    world.assert_deeds(&[voice("Tea", "b", true, true)]);
    world.leave("b");
    world.effects();
    world.change("Tea", "a", hold(false)).unwrap();
    world.assert_deeds(&[holds("Tea", "a", false), begins]);
}

#[test]
fn one_who_is_called_can_be_put_on_hold_before_they_answer() {
    let mut world = three();
    world.admit("d", "Tea", plain()).unwrap();
    world.change("Tea", "d", hold(true)).unwrap();
    assert!(world.conferences.expected(&key("Tea"))[0].is_held);
    world.effects();
    world.connect("d");
    world.assert_deeds(&[voice("Tea", "d", false, false), holds("Tea", "d", true)]);
}

#[test]
fn only_those_who_are_named_hear_a_coach() {
    let mut world = three();
    world.change("Tea", "a", heard_by(Some(&["b", "c", "b"]))).unwrap();
    world.assert_deeds(&[hears("Tea", "a", Some(&["b", "c"]))]);
    assert_eq!(world.summary("Tea", "a").heard_by, Some(vec![participant_id("b"), participant_id("c")]));
    world.change("Tea", "a", heard_by(Some(&["b", "c"]))).unwrap();
    world.assert_deeds(&[]);
    world.leave("b");
    world.assert_deeds(&[hears("Tea", "a", Some(&["c"]))]);
    world.leave("c");
    assert_eq!(world.deeds()[0], hears("Tea", "a", Some(&[])), "no participant hears it, instead of all");
    world.enter("d", "Tea", plain());
    assert_eq!(world.summary("Tea", "a").heard_by, Some(Vec::new()));
    world.effects();
    world.change("Tea", "a", heard_by(None)).unwrap();
    world.assert_deeds(&[hears("Tea", "a", None)]);
}

#[test]
fn who_is_to_hear_a_coach_has_to_be_in() {
    let mut world = three();
    world.enter("x", "Coffee", plain());
    world.admit("late", "Tea", plain()).unwrap();
    world.effects();
    let change = ParticipantChange { muted: Some(true), ..heard_by(Some(&["b", "x", "late"])) };
    let text = "must be ids of participants who are in the conference, not x, late".to_owned();
    let wrong = OutOfRange { parameter: "heard_by".into(), text };
    assert_eq!(world.change("Tea", "a", change), Err(Refused::OutOfRange(vec![wrong])));
    assert_eq!(world.effects(), [], "nothing else is changed by it");
}

#[test]
fn a_coach_who_is_called_is_heard_by_those_who_are_still_in() {
    let mut world = three();
    world.admit("coach", "Tea", plain()).unwrap();
    world.change("Tea", "coach", heard_by(Some(&["a", "b"]))).unwrap();
    world.leave("a");
    world.effects();
    world.connect("coach");
    world.assert_deeds(&[hears("Tea", "coach", Some(&["b"])), voice("Tea", "coach", true, true)]);
}

#[test]
fn one_who_is_moved_leaves_here_and_enters_there_in_one_go() {
    let mut world = three();
    world.enter("x", "Coffee", plain());
    world.effects();
    go(&mut world, "b", "Tea", "Coffee").unwrap();
    assert_eq!(
        world.effects(),
        [
            Effect::Notify(Notice::ParticipantLeft {
                conference: key("Tea"),
                participant: participant_id("b")
            }),
            moved("Tea", "b", "Coffee"),
            Effect::Notify(Notice::ParticipantEntered {
                conference: key("Coffee"),
                participant: participant_id("b")
            }),
            Effect::Notify(Notice::ConferenceStarted { conference: key("Coffee") }),
            voice("Coffee", "x", true, true),
            voice("Coffee", "b", true, true),
        ]
    );
    assert_eq!(
        (world.names("Tea"), world.names("Coffee")),
        (vec!["a".into(), "c".into()], vec!["x".into(), "b".into()])
    );
    assert_eq!(world.conferences.conference_of(&participant_id("b")), Some(&key("Coffee")));
    world.leave("b");
    assert_eq!(world.names("Coffee"), ["x"]);
}

#[test]
fn the_last_one_takes_the_conference_along_into_a_new_one() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    world.effects();
    go(&mut world, "a", "Tea", "Coffee").unwrap();
    assert_eq!(
        world.effects(),
        [
            Effect::Notify(Notice::ParticipantLeft {
                conference: key("Tea"),
                participant: participant_id("a")
            }),
            Effect::Notify(Notice::ConferenceCreated { conference: key("Coffee") }),
            moved("Tea", "a", "Coffee"),
            Effect::Notify(Notice::ParticipantEntered {
                conference: key("Coffee"),
                participant: participant_id("a")
            }),
            voice("Coffee", "a", false, false),
            Effect::Notify(Notice::ConferenceGone { conference: key("Tea") }),
        ]
    );
    assert_eq!((world.state("Tea"), world.state("Coffee")), (None, Some(State::Holding)));
}

#[test]
fn where_there_is_no_place_nobody_moves() {
    let limits = plenary_conference::ConferenceLimits { unreserved_max_participants: 2 };
    let mut world = World::with_limits(plenary_conference::ReservationLimits::default(), limits);
    world.reserve(reservation("Board", 10, 30));
    world.enter("a", "Tea", plain());
    world.enter("x", "Full", plain());
    world.enter("y", "Full", plain());
    world.enter("z", "Shut", plain());
    let lock = ControlsChange { locked: Some(true), ..ControlsChange::default() };
    world.handle(Event::ChangeControls { conference: key("Shut"), change: lock }).unwrap();
    world.effects();
    let now = world.now();
    world.conferences.claim_name(&key("Claimed"), now).unwrap();
    for (to, refused) in [
        ("Full", Refused::Full),
        ("Shut", Refused::Locked),
        ("Board", early(10, None)),
        ("Claimed", Refused::Early { divert: None, starts_at: None }),
    ] {
        assert_eq!(go(&mut world, "a", "Tea", to), Err(refused), "{to}");
    }
    assert_eq!(go(&mut world, "x", "Tea", "Shut"), Err(Refused::UnknownParticipant));
    assert_eq!(go(&mut world, "a", "Nothing", "Tea"), Err(Refused::UnknownConference));
    let other = ConferenceKey { account: AccountId(2), ..key("Tea") };
    let abroad = Event::Move { conference: key("Tea"), participant: participant_id("a"), to: other };
    assert_eq!(world.handle(abroad), Err(Refused::UnknownConference), "of another account");
    world.admit("late", "Tea", plain()).unwrap();
    assert_eq!(go(&mut world, "late", "Tea", "Coffee"), Err(Refused::NotIn), "not in yet");
    assert_eq!(world.effects(), []);
    assert_eq!(world.names("Tea"), ["a"]);
}

#[test]
fn who_is_moved_to_the_conference_it_is_in_stays_there() {
    let mut world = three();
    let lock = ControlsChange { locked: Some(true), ..ControlsChange::default() };
    world.handle(Event::ChangeControls { conference: key("Tea"), change: lock }).unwrap();
    world.effects();
    assert_eq!(go(&mut world, "a", "Tea", "Tea"), Ok(()));
    assert_eq!(world.effects(), []);
    assert_eq!(world.names("Tea"), ["a", "b", "c"]);
}

#[test]
fn into_a_reserved_conference_one_moves_while_it_is_on() {
    let mut world = three();
    world.reserve(reservation("Board", 10, 30));
    world.pass_minutes(10);
    go(&mut world, "a", "Tea", "Board").unwrap();
    assert_eq!(world.names("Board"), ["a"]);
    world.effects();
    world.pass_minutes(30);
    world.assert_deeds(&[hang_up("Board", "a", EndReason::TimeIsUp)]);
}

#[test]
fn what_a_participant_is_goes_along_and_what_was_of_the_conference_stays() {
    let mut world = three();
    world.change("Tea", "a", ParticipantChange { held: Some(true), ..heard_by(Some(&["b"])) }).unwrap();
    world.change("Tea", "b", heard_by(Some(&["a"]))).unwrap();
    world.command("a", Command::ToggleHand);
    assert_eq!(world.command("a", Command::ToggleMute), Outcome::Muted);
    let leads = ParticipantChange { leader: Some(true), ..ParticipantChange::default() };
    world.change("Tea", "a", leads).unwrap();
    world.effects();
    go(&mut world, "a", "Tea", "Coffee").unwrap();
    let deeds = world.deeds();
    assert_eq!(deeds[..3], [holds("Tea", "a", false), hears("Tea", "a", None), hears("Tea", "b", Some(&[]))]);
    let role = Effect::Role { conference: key("Coffee"), participant: participant_id("a"), is_leader: true };
    assert_eq!(deeds[3..], [moved("Tea", "a", "Coffee"), role, voice("Coffee", "a", false, false)]);
    let a = world.summary("Coffee", "a");
    assert_eq!((a.muted_by, a.is_leader, a.is_held), (Some(MutedBy::Own), true, false));
    assert_eq!((a.hand_raised_at, a.heard_by), (None, None));
}

#[test]
fn a_participant_whom_a_leader_muted_stays_muted_elsewhere() {
    let mut world = three();
    let change =
        ParticipantChange { muted: Some(true), dtmf_enabled: Some(false), ..ParticipantChange::default() };
    world.change("Tea", "a", change).unwrap();
    go(&mut world, "a", "Tea", "Coffee").unwrap();
    let a = world.summary("Coffee", "a");
    assert_eq!((a.muted_by, a.dtmf_enabled), (Some(MutedBy::Leader), false));
}

#[test]
fn a_leader_who_is_moved_ends_nothing_but_by_the_rules_of_a_room() {
    let mut world = World::new();
    world.enter("boss", "Tea", leader());
    world.enter("a", "Tea", plain());
    world.enter("b", "Tea", plain());
    world.effects();
    go(&mut world, "boss", "Tea", "Coffee").unwrap();
    assert!(!world.effects().iter().any(|effect| matches!(effect, Effect::HangUp { .. })));
    assert_eq!(world.names("Tea"), ["a", "b"]);
    // Where they are now, their leaving ends it as ever.
    go(&mut world, "b", "Tea", "Coffee").unwrap();
    world.effects();
    world.leave("boss");
    assert!(world.deeds().contains(&hang_up("Coffee", "b", EndReason::LeaderLeft)));

    let rules = RoomRules { end_after_leader_s: Some(60), ..rules() };
    let mut world = World::new();
    world.enter_by("boss", "Tea", leader_by(&rules));
    world.enter_by("a", "Tea", by(&rules));
    world.effects();
    go(&mut world, "boss", "Tea", "Coffee").unwrap();
    let told = (Audience::All(key("Tea")), Announcement::LeaderLeft { ends_in_s: Some(60) });
    assert_eq!(world.announced(), [told]);
    world.pass_ms(60_000);
    world.assert_deeds(&[hang_up("Tea", "a", EndReason::LeaderLeft)]);
    assert!(world.conferences.is_leader(&participant_id("boss")));
}

#[test]
fn the_name_and_the_rules_of_the_room_go_along_where_there_are_none() {
    let rules = |announce| RoomRules { announce, alone_min: 30, ..rules() };
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.enter_by(name, "Tea", named(name, by(&rules(Announce::Name))));
    }
    world.enter("x", "Coffee", plain());
    world.enter("y", "Coffee", plain());
    world.enter_by("z", "Quiet", by(&rules(Announce::None)));
    world.enter("zz", "Quiet", plain());
    world.effects();
    go(&mut world, "a", "Tea", "Coffee").unwrap();
    let name = Some(NameId("a".to_owned()));
    assert_eq!(
        world.announced(),
        [
            (Audience::AllBut(key("Tea"), participant_id("a")), Announcement::Left { name: name.clone() }),
            (
                Audience::AllBut(key("Coffee"), participant_id("a")),
                Announcement::Joined { name: name.clone() }
            ),
        ]
    );
    go(&mut world, "b", "Tea", "Quiet").unwrap();
    let last = Announcement::Left { name: Some(NameId("b".to_owned())) };
    let to_last = (Audience::AllBut(key("Tea"), participant_id("b")), last);
    assert_eq!(world.announced(), [to_last], "its own rules stay, and the last one in the other hears it");
    world.pass_ms(60_000);
    world.leave("a");
    world.pass_ms(30_000);
    let effects = world.effects();
    let forgotten: Vec<&Effect> =
        effects.iter().filter(|effect| matches!(effect, Effect::ForgetName { .. })).collect();
    let forget = Effect::ForgetName { conference: key("Coffee"), name: NameId("a".to_owned()) };
    assert_eq!(forgotten, [&forget], "once, where its owner has left");
}

#[test]
fn one_who_is_moved_waits_in_no_lobby_and_is_alone_no_more() {
    let lobby = RoomRules { lobby: true, alone_min: 30, ..rules() };
    let mut world = World::new();
    world.enter_by("boss", "Coffee", leader_by(&lobby));
    world.enter("a", "Tea", plain());
    world.enter("b", "Tea", plain());
    world.pass_minutes(20);
    go(&mut world, "a", "Tea", "Coffee").unwrap();
    assert_eq!(world.names("Coffee"), ["boss", "a"]);
    world.pass_minutes(60);
    assert_eq!(world.names("Coffee"), ["boss", "a"]);
}
