//! What may be done in every state of a conference: muting, removing, locking, lectures, ending.

mod support;

use plenary_conference::{
    Controls, ControlsChange, Digit, Effect, Event, MutedBy, News, ParticipantChange, ParticipantOptions,
    Refused, ReservationToken, State,
    effect::{Announcement, Audience, EndReason, Notice},
    refused::NotAsked,
};
use support::*;

fn with_keys(options: ParticipantOptions) -> ParticipantOptions {
    ParticipantOptions { mute_digit: Digit::new('1'), unmute_digit: Digit::new('2'), ..options }
}

fn change(world: &mut World, conference: &str, name: &str, muted: Option<bool>) -> Result<(), Refused> {
    let (conference, participant) = (key(conference), participant_id(name));
    world.handle(Event::ChangeParticipant {
        conference,
        participant,
        change: ParticipantChange { muted, ..ParticipantChange::default() },
    })
}

fn remove(world: &mut World, conference: &str, name: &str) -> Result<(), Refused> {
    world.handle(Event::RemoveParticipant { conference: key(conference), participant: participant_id(name) })
}

fn mute_all(
    world: &mut World,
    conference: &str,
    muted: bool,
    except_leaders: bool,
    self_unmute: Option<bool>,
) -> Result<(), Refused> {
    world.handle(Event::MuteAll { conference: key(conference), muted, except_leaders, self_unmute })
}

fn set(world: &mut World, conference: &str, change: ControlsChange) -> Result<(), Refused> {
    world.handle(Event::ChangeControls { conference: key(conference), change })
}

fn locked(locked: bool) -> ControlsChange {
    ControlsChange { locked: Some(locked), ..ControlsChange::default() }
}

fn lecture(lecture: bool) -> ControlsChange {
    ControlsChange { lecture: Some(lecture), ..ControlsChange::default() }
}

fn muted_by(world: &World, conference: &str, name: &str) -> Option<MutedBy> {
    let roster = world.roster(conference);
    let summary = roster.iter().find(|summary| summary.id == participant_id(name)).expect("is in");
    assert_eq!(summary.muted, summary.muted_by.is_some());
    summary.muted_by
}

fn may_speak(world: &mut World, name: &str) -> bool {
    let mut speaks = None;
    for effect in world.deeds() {
        if let Effect::SetVoice { participant, speaks: now, .. } = effect
            && participant == participant_id(name)
        {
            speaks = Some(now);
        }
    }
    speaks.expect("its voice has changed")
}

#[test]
fn who_waits_can_be_muted_where_the_seven_refuse_it() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    assert_eq!(world.state("Tea"), Some(State::Holding));
    assert_eq!(
        world.set_options("Tea", "a", Some(true), None),
        Err(Refused::WrongState { state: State::Holding })
    );
    change(&mut world, "Tea", "a", Some(true)).unwrap();
    assert_eq!(muted_by(&world, "Tea", "a"), Some(MutedBy::Leader));
    world.effects();
    world.enter("b", "Tea", plain());
    world.assert_deeds(&[voice("Tea", "a", false, true), voice("Tea", "b", true, true)]);
}

#[test]
fn what_is_set_while_a_participant_is_called_holds_when_they_enter() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    world.admit("b", "Tea", plain()).unwrap();
    let (conference, participant) = (key("Tea"), participant_id("b"));
    world
        .handle(Event::ChangeParticipant {
            conference,
            participant,
            change: ParticipantChange {
                muted: Some(true),
                dtmf_enabled: Some(false),
                ..ParticipantChange::default()
            },
        })
        .unwrap();
    assert_eq!(world.names("Tea"), ["a"], "it is not in by that");
    let [expected] = &world.conferences.expected(&key("Tea"))[..] else { panic!("one is on the way in") };
    assert_eq!((expected.muted_by, expected.entered_at), (Some(MutedBy::Leader), None));
    world.effects();
    world.handle(Event::Connected { participant: participant_id("b") }).unwrap();
    world.assert_deeds(&[voice("Tea", "a", true, true), voice("Tea", "b", false, true)]);
    let b = world.roster("Tea").pop().unwrap();
    assert_eq!((b.muted_by, b.dtmf_enabled), (Some(MutedBy::Leader), false));
}

#[test]
fn who_waits_or_is_called_can_be_removed() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    world.admit("b", "Tea", plain()).unwrap();
    world.effects();
    assert_eq!(world.eject("Tea", "a"), Err(Refused::WrongState { state: State::Holding }));
    remove(&mut world, "Tea", "b").unwrap();
    world.assert_deeds(&[hang_up("Tea", "b", EndReason::Ejected)]);
    assert_eq!(
        world.handle(Event::Connected { participant: participant_id("b") }),
        Err(Refused::UnknownParticipant)
    );
    remove(&mut world, "Tea", "a").unwrap();
    world.assert_deeds(&[hang_up("Tea", "a", EndReason::Ejected)]);
    assert_eq!(world.state("Tea"), None, "its last one has left");
    assert_eq!(remove(&mut world, "Tea", "a"), Err(Refused::UnknownConference));
    assert_eq!(change(&mut world, "Tea", "a", Some(true)), Err(Refused::UnknownConference));
}

#[test]
fn the_name_of_another_conference_changes_no_participant() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    world.enter("b", "Class", plain());
    assert_eq!(remove(&mut world, "Tea", "b"), Err(Refused::UnknownParticipant));
    assert_eq!(change(&mut world, "Class", "a", Some(true)), Err(Refused::UnknownParticipant));
    assert_eq!(muted_by(&world, "Tea", "a"), None);
}

#[test]
fn a_locked_conference_admits_only_the_participants_it_calls() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    set(&mut world, "Tea", locked(true)).unwrap();
    assert_eq!(world.admit("b", "Tea", plain()), Err(Refused::Locked));
    let admit = |name: &str, is_called| Event::Admit {
        participant: participant_id(name),
        conference: key("Tea"),
        options: plain(),
        is_called,
        via: None,
    };
    world.handle(admit("c", true)).unwrap();
    world
        .handle(Event::AdmitInPlace {
            participant: participant_id("a2"),
            conference: key("Tea"),
            options: plain(),
            of: participant_id("a"),
        })
        .unwrap();
    set(&mut world, "Tea", locked(false)).unwrap();
    world.admit("b", "Tea", plain()).unwrap();
}

#[test]
fn a_lock_ends_with_its_conference() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    set(&mut world, "Tea", locked(true)).unwrap();
    world.leave("a");
    world.enter("b", "Tea", plain());
    assert_eq!(world.names("Tea"), ["b"]);
}

#[test]
fn in_a_lecture_leaders_and_unmuted_participants_speak() {
    let mut world = World::new();
    world.enter("boss", "Class", leader());
    world.enter("a", "Class", with_keys(plain()));
    world.enter("b", "Class", plain());
    world.effects();
    set(&mut world, "Class", lecture(true)).unwrap();
    world.assert_deeds(&[voice("Class", "a", false, true), voice("Class", "b", false, true)]);
    assert_eq!(muted_by(&world, "Class", "boss"), None);
    assert_eq!(muted_by(&world, "Class", "a"), Some(MutedBy::Lecture));
    world.enter("late", "Class", plain());
    world.assert_deeds(&[voice("Class", "late", false, true)]);
    assert_eq!(muted_by(&world, "Class", "late"), Some(MutedBy::Lecture));
    // No key unmutes.
    world.press("a", '2');
    assert_eq!(muted_by(&world, "Class", "a"), Some(MutedBy::Lecture));
    change(&mut world, "Class", "a", Some(false)).unwrap();
    world.assert_deeds(&[voice("Class", "a", true, true)]);
    assert_eq!(muted_by(&world, "Class", "a"), None);
    // A participant who muted themselves stays muted when the lecture is over.
    world.press("a", '1');
    set(&mut world, "Class", lecture(false)).unwrap();
    assert_eq!(muted_by(&world, "Class", "a"), Some(MutedBy::Own));
    assert_eq!(muted_by(&world, "Class", "b"), None);
    assert_eq!(muted_by(&world, "Class", "late"), None);
}

#[test]
fn participants_enter_muted_where_that_is_set() {
    let mut world = World::new();
    world.enter("a", "Class", plain());
    world.enter("b", "Class", with_keys(plain()));
    let change = ControlsChange { muted_on_entry: Some(true), ..ControlsChange::default() };
    set(&mut world, "Class", change).unwrap();
    assert_eq!(muted_by(&world, "Class", "b"), None, "who is in stays as they are");
    world.enter("boss", "Class", leader());
    world.enter("c", "Class", with_keys(plain()));
    assert_eq!(muted_by(&world, "Class", "boss"), None);
    assert_eq!(muted_by(&world, "Class", "c"), Some(MutedBy::Leader));
    world.effects();
    world.press("c", '2');
    assert!(may_speak(&mut world, "c"), "self_unmute is on unless it is switched off");
}

#[test]
fn without_self_unmute_only_the_leader_unmutes_whom_the_leader_muted() {
    let mut world = World::new();
    world.enter("boss", "Class", with_keys(leader()));
    world.enter("a", "Class", with_keys(plain()));
    world.enter("b", "Class", with_keys(plain()));
    world.press("b", '1');
    world.effects();
    mute_all(&mut world, "Class", true, true, Some(false)).unwrap();
    assert_eq!(muted_by(&world, "Class", "boss"), None);
    for name in ["a", "b"] {
        assert_eq!(muted_by(&world, "Class", name), Some(MutedBy::Leader));
    }
    world.effects();
    world.press("a", '2');
    assert_eq!(muted_by(&world, "Class", "a"), Some(MutedBy::Leader));
    world.assert_deeds(&[]);
    // What the leader has done to all is undone; what b has done to itself is not.
    mute_all(&mut world, "Class", false, true, None).unwrap();
    assert_eq!(muted_by(&world, "Class", "a"), None);
    assert_eq!(muted_by(&world, "Class", "b"), Some(MutedBy::Own));
    world.press("b", '2');
    assert_eq!(muted_by(&world, "Class", "b"), None);
    // Leaders may always.
    mute_all(&mut world, "Class", true, false, None).unwrap();
    assert_eq!(muted_by(&world, "Class", "boss"), Some(MutedBy::Leader));
    world.press("boss", '2');
    assert_eq!(muted_by(&world, "Class", "boss"), None);
}

#[test]
fn controls_need_an_open_conference() {
    let mut world = World::new();
    assert_eq!(set(&mut world, "Tea", locked(true)), Err(Refused::UnknownConference));
    world.reserve(reservation("Board", 10, 30));
    let reserved = Err(Refused::WrongState { state: State::Reserved });
    assert_eq!(set(&mut world, "Board", locked(true)), reserved);
    assert_eq!(mute_all(&mut world, "Board", true, false, None), reserved);
    world.pass_minutes(10);
    set(&mut world, "Board", locked(true)).unwrap();
    let change = Notice::ControlsChanged {
        conference: key("Board"),
        controls: Controls { locked: true, ..Controls::default() },
    };
    assert!(world.notices().contains(&change));
    assert_eq!(world.admit("a", "Board", plain()), Err(Refused::Locked), "though no participant is in yet");
    world.pass_minutes(30);
    assert_eq!(set(&mut world, "Board", locked(false)), Err(Refused::WrongState { state: State::Completed }));
}

#[test]
fn ending_hangs_up_on_all_participants_and_pending_calls() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    world.enter("b", "Tea", plain());
    world.admit("c", "Tea", plain()).unwrap();
    world.effects();
    world.handle(Event::End { conference: key("Tea") }).unwrap();
    world.assert_deeds(&[
        hang_up("Tea", "a", EndReason::Ended),
        hang_up("Tea", "b", EndReason::Ended),
        hang_up("Tea", "c", EndReason::Ended),
    ]);
    assert_eq!(world.state("Tea"), None);
    assert_eq!(world.conferences.overviews(ACCOUNT, None).count(), 0);
    // The name is free at once, and nothing is left of it.
    world.enter("d", "Tea", plain());
    assert_eq!(world.names("Tea"), ["d"]);
    assert_eq!(world.handle(Event::End { conference: key("Class") }), Err(Refused::UnknownConference));
}

#[test]
fn a_reserved_conference_ends_with_its_reservation() {
    let mut world = World::new();
    world.reserve(reservation("Board", 10, 30));
    world.pass_minutes(10);
    world.enter("a", "Board", plain());
    world.effects();
    let end = Event::End { conference: key("Board") };
    assert_eq!(world.handle(end), Err(Refused::WrongState { state: State::Holding }));
    world.handle(Event::ReservationRemoved { token: ReservationToken::new("TOKENBoard") }).unwrap();
    world.assert_deeds(&[hang_up("Board", "a", EndReason::Ended)]);
    assert_eq!(world.state("Board"), None);
}

#[test]
fn an_overview_tells_who_waits_and_since_when_the_others_talk() {
    let mut world = World::new();
    world.reserve(reservation("Board", 10, 30));
    world.admit("z", "Zoo", plain()).unwrap();
    world.enter("a", "Tea", plain());
    let of = |world: &World, name: &str| world.conferences.overview(&key(name));
    let counts = |world: &World| {
        let tea = of(world, "Tea").unwrap();
        (tea.state, tea.participants, tea.waiting, tea.started_at)
    };
    assert_eq!(counts(&world), (State::Holding, 0, 1, None));
    world.pass_minutes(3);
    world.enter("b", "Tea", plain());
    assert_eq!(counts(&world), (State::Active, 2, 0, Some(world.wall)));
    let since = world.wall;
    world.pass_minutes(3);
    world.enter("c", "Tea", plain());
    assert_eq!(counts(&world), (State::Active, 3, 0, Some(since)));
    assert_eq!(world.roster("Tea")[2].entered_at, Some(world.wall));
    // One that is only called into is shown here, and not by the seven.
    assert_eq!(of(&world, "Zoo").unwrap().state, State::Holding);
    assert_eq!(world.conferences.list(ACCOUNT).len(), 2);
    let names = |world: &World, after: Option<&str>| -> Vec<String> {
        let after = after.map(plenary_conference::ConferenceName::new);
        world.conferences.overviews(ACCOUNT, after.as_ref()).map(|one| one.name.to_string()).collect()
    };
    assert_eq!(names(&world, None), ["Board", "Tea", "Zoo"]);
    assert_eq!(names(&world, Some("Board")), ["Tea", "Zoo"]);
    assert_eq!(names(&world, Some("Sea")), ["Tea", "Zoo"], "also after a name that is gone");
    assert_eq!(of(&world, "Board").unwrap().controls, None);
    assert_eq!(of(&world, "Nothing"), None);
}

fn ask_to_unmute(world: &mut World, conference: &str, name: &str) -> Result<(), Refused> {
    world.handle(Event::AskToUnmute { conference: key(conference), participant: participant_id(name) })
}

#[test]
fn who_is_asked_to_unmute_itself_is_told_and_its_key_undoes_the_mute_of_a_leader() {
    let mut world = World::new();
    world.enter("a", "Tea", with_keys(plain()));
    world.enter("b", "Tea", plain());
    mute_all(&mut world, "Tea", true, false, Some(false)).unwrap();
    world.press("a", '2');
    assert_eq!(muted_by(&world, "Tea", "a"), Some(MutedBy::Leader), "its key does not undo that");
    world.effects();
    ask_to_unmute(&mut world, "Tea", "a").unwrap();
    assert_eq!(world.told(), [("a".to_owned(), News::AskedToUnmute)]);
    assert_eq!(muted_by(&world, "Tea", "a"), Some(MutedBy::Own), "until it has answered it is not heard");
    assert_eq!(muted_by(&world, "Tea", "b"), Some(MutedBy::Leader));
    world.press("a", '2');
    assert_eq!(muted_by(&world, "Tea", "a"), None);
    assert!(may_speak(&mut world, "a"));
}

#[test]
fn in_a_lecture_one_is_asked_to_speak() {
    let mut world = World::new();
    world.enter("boss", "Class", leader());
    world.enter("a", "Class", with_keys(plain()));
    set(&mut world, "Class", lecture(true)).unwrap();
    assert_eq!(muted_by(&world, "Class", "a"), Some(MutedBy::Lecture));
    ask_to_unmute(&mut world, "Class", "a").unwrap();
    world.press("a", '2');
    assert_eq!(muted_by(&world, "Class", "a"), None);
}

#[test]
fn who_is_heard_or_has_no_keys_or_is_not_in_is_not_asked_to_unmute_itself() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    world.admit("b", "Tea", plain()).unwrap();
    world.effects();
    let refused = |why| Err(Refused::NotAsked(why));
    assert_eq!(ask_to_unmute(&mut world, "Tea", "a"), refused(NotAsked::NotMuted));
    assert_eq!(ask_to_unmute(&mut world, "Tea", "b"), refused(NotAsked::NotIn));
    assert_eq!(ask_to_unmute(&mut world, "Tea", "c"), Err(Refused::UnknownParticipant));
    assert_eq!(ask_to_unmute(&mut world, "None", "a"), Err(Refused::UnknownConference));
    change(&mut world, "Tea", "a", Some(true)).unwrap();
    world
        .change("Tea", "a", ParticipantChange { dtmf_enabled: Some(false), ..ParticipantChange::default() })
        .unwrap();
    world.effects();
    assert_eq!(ask_to_unmute(&mut world, "Tea", "a"), refused(NotAsked::NoKey));
    assert_eq!((world.told(), muted_by(&world, "Tea", "a")), (vec![], Some(MutedBy::Leader)));
}

#[test]
fn all_hear_in_what_time_the_conference_ends_when_a_leader_has_it_said() {
    let mut world = World::new();
    world.reserve(reservation("Board", 0, 30));
    let warn = |world: &mut World, conference: &str, seconds| {
        world.handle(Event::WarnOfEnd { conference: key(conference), seconds })
    };
    let said = |seconds| vec![(Audience::All(key("Board")), Announcement::EndsIn { seconds })];
    assert!(matches!(warn(&mut world, "Board", Some(300)), Err(Refused::WrongState { .. })), "nobody is in");
    world.enter("a", "Board", plain());
    world.effects();
    warn(&mut world, "Board", Some(300)).unwrap();
    assert_eq!(world.announced(), said(300), "whenever it ends");
    world.pass_minutes(10);
    world.effects();
    warn(&mut world, "Board", None).unwrap();
    assert_eq!(world.announced(), said(1200));
    assert_eq!(world.names("Board"), ["a"], "it goes on");
    // Without a reservation there is no end to tell of, unless it is said when.
    world.enter("b", "Tea", plain());
    assert_eq!(warn(&mut world, "Tea", None), Err(Refused::NoEnd));
    warn(&mut world, "Tea", Some(60)).unwrap();
    assert_eq!(warn(&mut world, "None", Some(60)), Err(Refused::UnknownConference));
}
