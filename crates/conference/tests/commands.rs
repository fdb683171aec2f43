//! What participants and leaders do by key, apart from the lobby.

mod support;

use plenary_conference::{
    Command, Controls, ControlsChange, Effect, Event, MutedBy, News, Outcome, ParticipantChange,
    ParticipantOptions, Refused, State,
    command::{Step, Who},
    effect::{EndReason, Notice},
    refused::NotAsked,
};
use plenary_model::NameId;
use support::*;

/// A leader and two others are in, and hear each other.
fn class() -> World {
    let mut world = World::new();
    world.enter("boss", "Class", leader());
    world.enter("a", "Class", plain());
    world.enter("b", "Class", plain());
    world.effects();
    world
}

fn muted_by(world: &World, name: &str) -> Option<MutedBy> {
    let summary = world.summary("Class", name);
    assert_eq!(summary.muted, summary.muted_by.is_some());
    summary.muted_by
}

fn change(world: &mut World, name: &str, change: ParticipantChange) {
    world.change("Class", name, change).unwrap();
}

fn muted(muted: bool) -> ParticipantChange {
    ParticipantChange { muted: Some(muted), ..ParticipantChange::default() }
}

fn is_muted(name: &str, self_unmute: bool) -> (String, News) {
    (name.to_owned(), News::MutedByLeader { self_unmute })
}

fn is_unmuted(name: &str) -> (String, News) {
    (name.to_owned(), News::UnmutedByLeader)
}

#[test]
fn participants_mute_and_unmute_themselves_and_are_told_nothing_else() {
    let mut world = class();
    assert_eq!(world.command("a", Command::ToggleMute), Outcome::Muted);
    assert_eq!(muted_by(&world, "a"), Some(MutedBy::Own));
    assert_eq!(world.effects().iter().filter(|effect| !matches!(effect, Effect::Notify(_))).count(), 1);
    assert_eq!(world.command("a", Command::ToggleMute), Outcome::Unmuted);
    world.assert_deeds(&[voice("Class", "a", true, true)]);
    assert_eq!(muted_by(&world, "a"), None);
}

#[test]
fn who_may_not_unmute_stays_muted() {
    let mut world = class();
    let no_self_unmute = ControlsChange { self_unmute: Some(false), ..ControlsChange::default() };
    world.handle(Event::ChangeControls { conference: key("Class"), change: no_self_unmute }).unwrap();
    change(&mut world, "a", muted(true));
    assert_eq!(world.told(), [is_muted("a", false)]);
    assert_eq!(world.command("a", Command::ToggleMute), Outcome::StaysMuted);
    assert_eq!(muted_by(&world, "a"), Some(MutedBy::Leader));
    assert!(!world.summary("Class", "a").may_unmute && world.summary("Class", "boss").may_unmute);
    // This one may, whatever the conference says.
    let may = |may| ParticipantChange { self_unmute: Some(may), ..ParticipantChange::default() };
    change(&mut world, "a", may(Some(true)));
    assert!(world.summary("Class", "a").may_unmute);
    assert_eq!(world.command("a", Command::ToggleMute), Outcome::Unmuted);
    change(&mut world, "a", may(None));
    assert!(!world.summary("Class", "a").may_unmute);
    change(&mut world, "b", ParticipantChange { self_unmute: Some(Some(false)), ..muted(true) });
    assert_eq!(world.told().last(), Some(&is_muted("b", false)));
}

#[test]
fn who_may_only_listen_is_told_so_and_nothing_about_being_heard() {
    let mut world = class();
    world.enter("ear", "Class", ParticipantOptions { talker: false, ..plain() });
    world.effects();
    for _ in 0..2 {
        assert_eq!(world.command("ear", Command::ToggleMute), Outcome::ListenOnly);
        assert_eq!((muted_by(&world, "ear"), world.effects()), (None, vec![]));
    }
    // Of muting the others hear; this one would be told that it can be heard again.
    for is_muted in [true, false] {
        change(&mut world, "ear", muted(is_muted));
        assert_eq!(world.told(), []);
    }
    for outcome in [Outcome::AllMuted, Outcome::LectureOn, Outcome::AllUnmuted] {
        assert_eq!(world.command("boss", Command::NextFloor), outcome);
        assert!(world.told().iter().all(|(name, _)| name != "ear"), "{outcome:?}");
    }
    change(&mut world, "ear", muted(true));
    let (conference, participant) = (key("Class"), participant_id("ear"));
    let asked = world.handle(Event::AskToUnmute { conference, participant });
    assert_eq!(asked, Err(Refused::NotAsked(NotAsked::ListenOnly)));
    assert_eq!((world.command("ear", Command::ToggleMute), world.told()), (Outcome::ListenOnly, vec![]));
}

#[test]
fn who_leads_a_listen_only_room_is_heard() {
    let mut world = World::new();
    let listener = || ParticipantOptions { talker: false, ..plain() };
    for (name, via) in [("boss", leader_by(&rules())), ("a", by(&rules()))] {
        world.effects();
        world.admit_by(name, "Class", listener(), via).unwrap();
        world.connect(name);
    }
    world.assert_deeds(&[voice("Class", "boss", true, true), voice("Class", "a", false, true)]);
    assert_eq!(world.command("boss", Command::ToggleMute), Outcome::Muted);
    assert_eq!(world.command("boss", Command::ToggleMute), Outcome::Unmuted);
    world.effects();
    // One who is made a leader speaks as long as that lasts.
    for is_leader in [true, false] {
        change(
            &mut world,
            "a",
            ParticipantChange { leader: Some(is_leader), ..ParticipantChange::default() },
        );
        assert!(world.effects().contains(&voice("Class", "a", is_leader, true)), "{is_leader}");
    }
    assert_eq!(world.command("a", Command::ToggleMute), Outcome::ListenOnly);
}

#[test]
fn a_participant_who_is_muted_by_a_leader_may_unmute_where_that_is_not_forbidden() {
    let mut world = class();
    change(&mut world, "a", muted(true));
    assert_eq!(world.told(), [is_muted("a", true)]);
    change(&mut world, "a", muted(true));
    assert_eq!(world.told(), [], "they know");
    assert_eq!(world.command("a", Command::ToggleMute), Outcome::Unmuted);
    assert_eq!(world.told(), []);
    // Who has muted themselves hears that now a leader has, too.
    assert_eq!(world.command("a", Command::ToggleMute), Outcome::Muted);
    change(&mut world, "a", muted(true));
    assert_eq!(world.told(), [is_muted("a", true)]);
    change(&mut world, "a", muted(false));
    assert_eq!(world.told(), [is_unmuted("a")]);
    assert_eq!(muted_by(&world, "a"), None);
}

#[test]
fn hands_go_up_and_down_and_leaders_hear_of_it() {
    let mut world = class();
    world.pass_minutes(2);
    assert_eq!(world.command("a", Command::ToggleHand), Outcome::HandRaised);
    let changed = |is_raised| Notice::HandChanged {
        conference: key("Class"),
        participant: participant_id("a"),
        is_raised,
    };
    assert_eq!(
        world.effects(),
        [
            Effect::Notify(changed(true)),
            Effect::Tell {
                conference: key("Class"),
                participant: participant_id("boss"),
                news: News::HandRaised
            },
        ]
    );
    assert_eq!(world.summary("Class", "a").hand_raised_at, Some(world.wall));
    assert_eq!(world.command("a", Command::ToggleHand), Outcome::HandLowered);
    assert_eq!(world.notices(), [changed(false)]);
    assert_eq!(world.summary("Class", "a").hand_raised_at, None);
    // A leader's own hand is told to the others only.
    world.command("boss", Command::ToggleHand);
    assert_eq!(world.told(), []);
}

#[test]
fn a_hand_is_down_when_its_owner_is_unmuted_by_a_leader() {
    let mut world = class();
    change(&mut world, "a", muted(true));
    world.command("a", Command::ToggleHand);
    assert_eq!(world.command("a", Command::ToggleMute), Outcome::Unmuted);
    assert!(world.summary("Class", "a").hand_raised_at.is_some(), "they unmuted themselves");
    change(&mut world, "a", muted(true));
    change(&mut world, "a", muted(false));
    assert_eq!(world.summary("Class", "a").hand_raised_at, None);
    world.command("b", Command::ToggleHand);
    let lower = ParticipantChange { lower_hand: true, ..ParticipantChange::default() };
    change(&mut world, "b", lower);
    assert_eq!(world.summary("Class", "b").hand_raised_at, None);
}

#[test]
fn counting_and_the_roll_call_go_by_order_of_entry() {
    let mut world = World::new();
    let names = plenary_conference::RoomRules { ..rules() };
    world.enter_by("z", "Class", named("zoe", by(&names)));
    world.enter_by("m", "Class", by(&names));
    world.enter_by("a", "Class", named("ann", leader_by(&names)));
    world.admit("late", "Class", plain()).unwrap();
    assert_eq!(world.command("m", Command::Count), Outcome::Count { participants: 3, waiting: 0 });
    let names = ["zoe", "ann"].map(|name| NameId(name.to_owned())).to_vec();
    assert_eq!(world.command("m", Command::RollCall), Outcome::Roll { names, unnamed: 1 });
}

#[test]
fn the_floor_goes_from_all_muted_to_lecture_to_open() {
    let mut world = class();
    assert_eq!(world.command("boss", Command::NextFloor), Outcome::AllMuted);
    assert_eq!(world.told(), [is_muted("a", true), is_muted("b", true)]);
    assert_eq!([muted_by(&world, "boss"), muted_by(&world, "a")], [None, Some(MutedBy::Leader)]);
    assert_eq!(world.command("b", Command::ToggleMute), Outcome::Unmuted);
    world.effects();
    assert_eq!(world.command("boss", Command::NextFloor), Outcome::LectureOn);
    assert_eq!(
        world.told(),
        [is_muted("a", false), is_muted("b", false)],
        "for a the key does nothing any more"
    );
    assert_eq!([muted_by(&world, "a"), muted_by(&world, "b")], [Some(MutedBy::Lecture); 2]);
    assert_eq!(world.command("a", Command::ToggleMute), Outcome::StaysMuted);
    world.enter("late", "Class", plain());
    assert_eq!(muted_by(&world, "late"), Some(MutedBy::Lecture));
    world.effects();
    assert_eq!(world.command("boss", Command::NextFloor), Outcome::AllUnmuted);
    assert_eq!(world.told(), [is_unmuted("a"), is_unmuted("b"), is_unmuted("late")]);
    assert_eq!([muted_by(&world, "a"), muted_by(&world, "b")], [None; 2]);
    assert_eq!(world.command("boss", Command::NextFloor), Outcome::AllMuted);
    assert_eq!(world.command("a", Command::NextFloor), Outcome::LeadersOnly);
}

#[test]
fn what_participants_did_to_themselves_outlasts_the_floor() {
    let mut world = class();
    world.command("a", Command::ToggleMute);
    for outcome in [Outcome::AllMuted, Outcome::LectureOn, Outcome::AllUnmuted] {
        assert_eq!(world.command("boss", Command::NextFloor), outcome);
    }
    assert_eq!([muted_by(&world, "a"), muted_by(&world, "b")], [Some(MutedBy::Own), None]);
}

#[test]
fn the_floor_is_open_again_when_all_have_left() {
    let mut world = World::new();
    world.reserve(reservation("Class", 0, 60));
    world.enter("boss", "Class", leader());
    world.enter("a", "Class", plain());
    assert_eq!(world.command("boss", Command::NextFloor), Outcome::AllMuted);
    world.leave("boss");
    assert_eq!(world.names("Class"), Vec::<String>::new());
    world.enter("boss", "Class", leader());
    world.enter("b", "Class", plain());
    assert_eq!(muted_by(&world, "b"), None);
    assert_eq!(world.command("boss", Command::NextFloor), Outcome::AllMuted, "and not the lecture");
}

#[test]
fn mute_all_is_a_switch_and_ends_a_lecture() {
    let mut world = class();
    assert_eq!(world.command("boss", Command::ToggleMuteAll), Outcome::AllMuted);
    assert_eq!(world.command("boss", Command::ToggleMuteAll), Outcome::AllUnmuted);
    assert_eq!(muted_by(&world, "a"), None);
    assert_eq!(world.command("boss", Command::ToggleLecture), Outcome::LectureOn);
    assert_eq!(world.command("boss", Command::ToggleMuteAll), Outcome::AllUnmuted);
    assert_eq!(muted_by(&world, "a"), None);
    let open = world.conferences.overview(&key("Class")).unwrap();
    assert_eq!(open.controls, Some(Controls::default()));
    // The same switch as a program's.
    let all =
        |muted| Event::MuteAll { conference: key("Class"), muted, except_leaders: false, self_unmute: None };
    world.handle(all(true)).unwrap();
    assert_eq!(muted_by(&world, "boss"), Some(MutedBy::Leader));
    world.effects();
    assert_eq!(world.command("boss", Command::ToggleMuteAll), Outcome::AllUnmuted);
    assert_eq!(world.told(), [is_unmuted("a"), is_unmuted("b")], "who presses it hears the outcome");
    assert_eq!(muted_by(&world, "boss"), None);
}

#[test]
fn a_program_that_mutes_all_is_heard_by_those_it_mutes() {
    let mut world = class();
    let all = |muted| Event::MuteAll {
        conference: key("Class"),
        muted,
        except_leaders: true,
        self_unmute: Some(false),
    };
    world.handle(all(true)).unwrap();
    assert_eq!(world.told(), [is_muted("a", false), is_muted("b", false)]);
    world.handle(all(false)).unwrap();
    assert_eq!(world.told(), [is_unmuted("a"), is_unmuted("b")]);
    world.set_options("Class", "a", Some(true), None).unwrap();
    assert_eq!(world.told(), [is_muted("a", false)]);
}

#[test]
fn lecture_lock_and_sounds_are_switches() {
    let mut world = class();
    assert_eq!(world.command("boss", Command::ToggleLecture), Outcome::LectureOn);
    assert_eq!(muted_by(&world, "a"), Some(MutedBy::Lecture));
    assert_eq!(world.command("boss", Command::ToggleLecture), Outcome::LectureOff);
    assert_eq!(muted_by(&world, "a"), None);
    assert_eq!(world.command("boss", Command::ToggleLock), Outcome::Locked);
    assert_eq!(world.admit("c", "Class", plain()), Err(plenary_conference::Refused::Locked));
    assert_eq!(world.command("boss", Command::ToggleLock), Outcome::Unlocked);
    assert_eq!(world.command("boss", Command::ToggleAnnouncements), Outcome::AnnouncementsOff);
    assert_eq!(world.command("boss", Command::ToggleAnnouncements), Outcome::AnnouncementsOn);
}

#[test]
fn the_last_one_who_is_no_leader_is_removed() {
    let mut world = class();
    world.enter("second", "Class", leader());
    world.effects();
    assert_eq!(world.command("boss", Command::EjectLast), Outcome::LastEjected);
    world.assert_deeds(&[hang_up("Class", "b", EndReason::RemovedByLeader)]);
    assert_eq!(world.command("second", Command::EjectLast), Outcome::LastEjected);
    assert_eq!(world.command("boss", Command::EjectLast), Outcome::Failed);
    assert_eq!(world.names("Class"), ["boss", "second"]);
}

#[test]
fn the_time_left_is_that_of_the_reservation() {
    let mut world = class();
    let unknown = Outcome::TimeLeft { seconds: None, may_extend: false };
    assert_eq!(world.command("boss", Command::TimeLeft), unknown);
    world.reserve(reservation("Board", 1, 30));
    world.pass_minutes(1);
    world.enter("chair", "Board", leader());
    world.enter("x", "Board", plain());
    let left = |seconds, may_extend| Outcome::TimeLeft { seconds: Some(seconds), may_extend };
    assert_eq!(world.command("chair", Command::TimeLeft), left(1800, true));
    world.pass_ms(600_001);
    assert_eq!(world.command("x", Command::TimeLeft), left(1200, false));
    world.pass_ms(999);
    assert_eq!(world.command("x", Command::TimeLeft), left(1199, false));
}

#[test]
fn a_leader_ends_it_for_all_and_any_participant_for_themselves() {
    let mut world = class();
    assert_eq!(world.command("b", Command::End), Outcome::LeadersOnly);
    assert_eq!(world.command("b", Command::Leave), Outcome::Done);
    world.assert_deeds(&[hang_up("Class", "b", EndReason::ExitKey)]);
    world.admit("late", "Class", plain()).unwrap();
    assert_eq!(world.command("boss", Command::End), Outcome::Done);
    world.assert_deeds(&[
        hang_up("Class", "boss", EndReason::EndedByLeader),
        hang_up("Class", "a", EndReason::EndedByLeader),
        hang_up("Class", "late", EndReason::EndedByLeader),
    ]);
    assert_eq!(world.state("Class"), None);
    // A reserved one goes on, and may be entered again.
    world.reserve(reservation("Board", 0, 30));
    world.enter("chair", "Board", leader());
    world.command("chair", Command::End);
    assert_eq!(world.state("Board"), Some(State::Holding));
    world.enter("chair", "Board", leader());
}

#[test]
fn leaving_by_key_is_a_leaders_leaving() {
    let mut world = class();
    assert_eq!(world.command("boss", Command::Leave), Outcome::Done);
    world.assert_deeds(&[
        hang_up("Class", "boss", EndReason::ExitKey),
        hang_up("Class", "a", EndReason::LeaderLeft),
        hang_up("Class", "b", EndReason::LeaderLeft),
    ]);
}

#[test]
fn all_commands_of_leaders_are_refused_to_others() {
    let mut world = class();
    for command in [
        Command::NextFloor,
        Command::ToggleMuteAll,
        Command::ToggleLecture,
        Command::ToggleLock,
        Command::NextWaiting,
        Command::Admit(Who::Next),
        Command::Refuse(Who::Next),
        Command::AdmitAll,
        Command::RefuseAll,
        Command::EjectLast,
        Command::Call { number: "1".to_owned() },
        Command::Record { is_confirmed: true },
        Command::StopRecording,
        Command::Extend { minutes: 15 },
        Command::ToggleAnnouncements,
        Command::End,
    ] {
        assert!(command.is_for_leaders());
        assert_eq!(world.command("a", command), Outcome::LeadersOnly);
    }
    assert_eq!(world.effects(), []);
}

#[test]
fn what_is_not_the_conferences_and_who_is_not_in_it_fails() {
    let mut world = class();
    for command in [
        Command::Hear(Step::Up),
        Command::Talk(Step::Down),
        Command::Call { number: "1".to_owned() },
        Command::Extend { minutes: 15 },
    ] {
        assert_eq!(world.command("boss", command), Outcome::Failed);
    }
    world.admit("late", "Class", plain()).unwrap();
    for name in ["late", "nobody"] {
        assert_eq!(world.command(name, Command::ToggleMute), Outcome::Failed);
    }
}

#[test]
fn without_keys_nothing_is_done_but_leaving() {
    let mut world = class();
    world.set_options("Class", "a", None, Some(false)).unwrap();
    world.effects();
    assert_eq!(world.command("a", Command::ToggleMute), Outcome::Failed);
    assert_eq!(muted_by(&world, "a"), None);
    assert_eq!(world.command("a", Command::Leave), Outcome::Done);
}

#[test]
fn keys_of_a_service_and_commands_have_one_truth() {
    let digit = plenary_conference::Digit::new;
    let mut world = class();
    world.enter("k", "Class", ParticipantOptions { mute_digit: digit('1'), ..plain() });
    world.press("k", '1');
    assert_eq!(muted_by(&world, "k"), Some(MutedBy::Own));
    assert_eq!(world.command("k", Command::ToggleMute), Outcome::Unmuted);
    assert_eq!(world.command("k", Command::ToggleMute), Outcome::Muted);
    world.press("k", '1');
    assert_eq!(muted_by(&world, "k"), None);
}
