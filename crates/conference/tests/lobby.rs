//! The lobby: who waits there, who admits them, and when they are turned away.

mod support;

use plenary_conference::{
    AdmitAnswer, Arrival, Command, Event, News, Outcome, ParticipantChange, Refused, RoomRules,
    command::Who,
    effect::{Notice, WaitEnd},
};
use plenary_model::NameId;
use support::*;

fn lobby() -> RoomRules {
    RoomRules { lobby: true, wait_for_leader: true, ..rules() }
}

fn waits(name: &str, is_leader_told: bool) -> (String, AdmitAnswer) {
    (name.to_owned(), AdmitAnswer::Waiting { is_leader_told })
}

fn granted(name: &str, is_first: bool, awaits_leader: bool) -> (String, AdmitAnswer) {
    (name.to_owned(), AdmitAnswer::Granted(Arrival { is_first, awaits_leader }))
}

fn refused(name: &str, why: Refused) -> (String, AdmitAnswer) {
    (name.to_owned(), AdmitAnswer::Refused(why))
}

fn asks(leader: &str, name: Option<&str>) -> (String, News) {
    (leader.to_owned(), News::Waiting { name: name.map(|name| NameId(name.to_owned())) })
}

fn several(leader: &str, count: u32) -> (String, News) {
    (leader.to_owned(), News::SeveralWait { count })
}

fn wait(world: &mut World, name: &str) {
    world.admit_by(name, "Board", plain(), by(&lobby())).unwrap();
}

fn admit(world: &mut World, name: Option<&str>) -> Result<(), Refused> {
    world.handle(Event::AdmitWaiting { conference: key("Board"), participant: name.map(participant_id) })
}

/// A leader and a participant are in.
fn with_two() -> World {
    let mut world = World::new();
    world.enter_by("boss", "Board", leader_by(&lobby()));
    world.admit_by("a", "Board", plain(), by(&lobby())).unwrap();
    admit(&mut world, Some("a")).unwrap();
    world.connect("a");
    world.effects();
    world.answers();
    world
}

#[test]
fn who_has_no_leaders_pin_waits_and_the_leader_is_told() {
    let mut world = World::new();
    world.enter_by("boss", "Board", leader_by(&lobby()));
    assert_eq!(world.answers(), [granted("boss", true, false)], "a leader does not wait");
    world.effects();
    world.admit_by("a", "Board", plain(), named("ann", by(&lobby()))).unwrap();
    assert_eq!(world.answers(), [waits("a", true)]);
    assert_eq!(world.told(), [asks("boss", Some("ann"))]);
    wait(&mut world, "b");
    assert_eq!(world.told(), [asks("boss", None)]);
    // The seven see none of them.
    assert_eq!(world.names("Board"), ["boss"]);
    let overview = world.conferences.overview(&key("Board")).unwrap();
    assert_eq!((overview.participants, overview.waiting), (0, 3), "one is in and waits for the start");
    let expected = world.conferences.expected(&key("Board"));
    let shown: Vec<_> = expected.iter().map(|one| (one.id.as_str(), one.waits)).collect();
    assert_eq!(shown, [("a", true), ("b", true)]);
    assert_eq!(
        world.handle(Event::Connected { participant: participant_id("a") }),
        Err(Refused::UnknownParticipant)
    );
}

#[test]
fn a_lobby_without_a_conference_is_listed_by_nobody() {
    let mut world = World::new();
    wait(&mut world, "a");
    assert_eq!(world.answers(), [waits("a", false)]);
    assert_eq!((world.state("Board"), world.conferences.list(ACCOUNT).len()), (None, 0));
    let overview = world.conferences.overview(&key("Board")).unwrap();
    assert_eq!((overview.participants, overview.waiting), (0, 1));
    assert_eq!(world.conferences.options(&participant_id("a")), Some(&plain()));
    world.effects();
    world.leave("a");
    let hung_up = Notice::WaitingEnded {
        conference: key("Board"),
        participant: participant_id("a"),
        end: WaitEnd::HungUp,
    };
    assert_eq!(world.notices(), [hung_up, Notice::ConferenceGone { conference: key("Board") }]);
    assert_eq!(world.conferences.overview(&key("Board")), None);
    assert_eq!(world.answers(), []);
}

#[test]
fn those_who_wait_are_told_when_a_leader_comes_and_when_the_last_one_goes() {
    let mut world = World::new();
    world.admit_by("a", "Board", plain(), named("ann", by(&lobby()))).unwrap();
    wait(&mut world, "b");
    world.answers();
    world.enter_by("boss", "Board", leader_by(&lobby()));
    assert_eq!(world.answers(), [granted("boss", true, false), waits("a", true), waits("b", true)]);
    assert_eq!(world.told(), [several("boss", 2)], "of both at once");
    world.enter_by("second", "Board", leader_by(&lobby()));
    assert_eq!(world.answers(), [granted("second", false, false)]);
    assert_eq!(world.told(), [several("second", 2)]);
    world.leave("boss");
    assert_eq!(world.answers(), [], "there is another one");
    world.leave("second");
    assert_eq!(world.answers(), [waits("a", false), waits("b", false)]);
    assert_eq!(world.state("Board"), None);
    world.enter_by("boss", "Board", leader_by(&lobby()));
    assert_eq!(world.answers(), [granted("boss", true, false), waits("a", true), waits("b", true)]);
}

#[test]
fn a_leader_who_is_made_one_hears_who_waits() {
    let mut world = World::new();
    world.enter("a", "Board", plain());
    wait(&mut world, "b");
    world.answers();
    world.effects();
    let leads = |leader| ParticipantChange { leader: Some(leader), ..ParticipantChange::default() };
    world.change("Board", "a", leads(true)).unwrap();
    assert_eq!((world.told(), world.answers()), (vec![asks("a", None)], vec![waits("b", true)]));
    world.change("Board", "a", leads(false)).unwrap();
    assert_eq!(world.answers(), [waits("b", false)]);
}

#[test]
fn a_new_leader_hears_how_many_wait_at_once_and_of_a_single_one_the_name() {
    let mut world = World::new();
    for name in ["a", "b", "c"] {
        world.admit_by(name, "Board", plain(), named(name, by(&lobby()))).unwrap();
    }
    world.enter_by("boss", "Board", leader_by(&lobby()));
    assert_eq!(world.told(), [several("boss", 3)], "once, not one by one");
    // One by one is told who comes while the leader is there.
    world.admit_by("d", "Board", plain(), named("dora", by(&lobby()))).unwrap();
    assert_eq!(world.told(), [asks("boss", Some("dora"))]);
    for name in ["a", "b", "c"] {
        world.leave(name);
    }
    world.enter_by("second", "Board", leader_by(&lobby()));
    assert_eq!(world.told(), [asks("second", Some("dora"))]);
}

#[test]
fn a_caller_who_is_made_leader_in_the_lobby_enters() {
    let limits = plenary_conference::ConferenceLimits { unreserved_max_participants: 2 };
    let mut world = World::with_limits(plenary_conference::ReservationLimits::default(), limits);
    for name in ["a", "b", "c", "d"] {
        wait(&mut world, name);
    }
    world.answers();
    world.effects();
    let leads = |leader| ParticipantChange { leader: Some(leader), ..ParticipantChange::default() };
    world.change("Board", "b", leads(false)).unwrap();
    assert_eq!(world.answers(), [], "who is made none waits on");
    world.change("Board", "b", leads(true)).unwrap();
    assert_eq!(world.answers(), [granted("b", true, false)]);
    world.connect("b");
    assert!(world.summary("Board", "b").is_leader);
    assert_eq!(world.told(), [several("b", 3)]);
    assert_eq!(world.answers(), [waits("a", true), waits("c", true), waits("d", true)]);
    // In a conference without a free seat nothing changes: it would be a leader who waits.
    world.change("Board", "c", leads(true)).unwrap();
    assert_eq!(world.change("Board", "d", leads(true)), Err(Refused::Full));
    let expected = world.conferences.expected(&key("Board"));
    let d = expected.iter().find(|one| one.id == participant_id("d")).unwrap();
    assert!(d.waits && !d.is_leader);
}

#[test]
fn the_one_who_is_admitted_gets_a_seat_and_enters_with_what_was_set() {
    let mut world = with_two();
    wait(&mut world, "b");
    wait(&mut world, "c");
    world.effects();
    world.answers();
    let change = ParticipantChange { muted: Some(true), ..ParticipantChange::default() };
    world.change("Board", "c", change).unwrap();
    assert_eq!(world.names("Board"), ["boss", "a"], "they are not in by that");
    admit(&mut world, Some("c")).unwrap();
    assert_eq!(world.answers(), [granted("c", false, false)]);
    let admitted = Notice::WaitingEnded {
        conference: key("Board"),
        participant: participant_id("c"),
        end: WaitEnd::Admitted,
    };
    assert_eq!(world.notices(), [admitted]);
    world.connect("c");
    assert!(world.summary("Board", "c").muted);
    assert_eq!(admit(&mut world, Some("c")), Ok(()), "they are in");
    let overview = world.conferences.overview(&key("Board")).unwrap();
    assert_eq!((overview.participants, overview.waiting), (3, 1));
}

#[test]
fn leaders_admit_and_turn_away_by_key() {
    let mut world = with_two();
    for name in ["b", "c", "d", "e"] {
        world.admit_by(name, "Board", plain(), named(name, by(&lobby()))).unwrap();
    }
    world.answers();
    let next = |name: &str, count| Outcome::Waiting {
        participant: participant_id(name),
        name: Some(NameId(name.to_owned())),
        count,
    };
    assert_eq!(world.command("boss", Command::Count), Outcome::Count { participants: 2, waiting: 4 });
    assert_eq!(world.command("boss", Command::NextWaiting), next("b", 4));
    assert_eq!(world.command("boss", Command::Admit(Who::Next)), Outcome::Admitted);
    assert_eq!(world.answers(), [granted("b", false, false)]);
    assert_eq!(world.command("boss", Command::NextWaiting), next("c", 3));
    assert_eq!(world.command("boss", Command::Refuse(Who::One(participant_id("d")))), Outcome::TurnedAway);
    assert_eq!(world.answers(), [refused("d", Refused::Denied)]);
    assert_eq!(world.command("boss", Command::Refuse(Who::One(participant_id("d")))), Outcome::NobodyWaits);
    assert_eq!(world.command("boss", Command::Admit(Who::One(participant_id("d")))), Outcome::NobodyWaits);
    assert_eq!(world.command("a", Command::Admit(Who::Next)), Outcome::LeadersOnly);
    assert_eq!(world.command("boss", Command::AdmitAll), Outcome::AllAdmitted);
    assert_eq!(world.answers(), [granted("c", false, false), granted("e", false, false)]);
    assert_eq!(world.command("boss", Command::AdmitAll), Outcome::NobodyWaits);
    assert_eq!(world.command("boss", Command::NextWaiting), Outcome::NobodyWaits);
    assert_eq!(world.command("boss", Command::Refuse(Who::Next)), Outcome::NobodyWaits);
    // Whom a leader turned away may ask again.
    wait(&mut world, "d");
    assert_eq!(world.answers(), [waits("d", true)]);
}

#[test]
fn all_are_admitted_at_once_by_a_program() {
    let mut world = with_two();
    admit(&mut world, None).unwrap();
    wait(&mut world, "b");
    wait(&mut world, "c");
    world.answers();
    admit(&mut world, None).unwrap();
    assert_eq!(world.answers(), [granted("b", false, false), granted("c", false, false)]);
    assert_eq!(admit(&mut world, Some("nobody")), Err(Refused::UnknownParticipant));
    assert_eq!(admit(&mut world, Some("b")), Ok(()), "it is on the way in");
    world.connect("b");
    world.effects();
    assert_eq!(admit(&mut world, Some("b")), Ok(()), "it is in");
    assert_eq!((world.answers(), world.effects()), (Vec::new(), Vec::new()));
    let elsewhere = Event::AdmitWaiting { conference: key("Tea"), participant: None };
    assert_eq!(world.handle(elsewhere), Err(Refused::UnknownConference));
}

#[test]
fn all_are_turned_away_at_once_by_key_or_by_a_program() {
    let refuse_all = Event::RefuseAllWaiting { conference: key("Board") };
    for by_key in [true, false] {
        let mut world = with_two();
        wait(&mut world, "b");
        wait(&mut world, "c");
        world.answers();
        match by_key {
            true => assert_eq!(world.command("boss", Command::RefuseAll), Outcome::AllTurnedAway),
            false => world.handle(refuse_all.clone()).unwrap(),
        }
        assert_eq!(world.answers(), [refused("b", Refused::Denied), refused("c", Refused::Denied)]);
        assert_eq!(world.command("boss", Command::RefuseAll), Outcome::NobodyWaits);
        assert_eq!(world.names("Board"), ["boss", "a"]);
    }
    let elsewhere = Event::RefuseAllWaiting { conference: key("Tea") };
    assert_eq!(World::new().handle(elsewhere), Err(Refused::UnknownConference));
}

#[test]
fn where_no_seat_is_left_they_wait_on() {
    let limits = plenary_conference::ConferenceLimits { unreserved_max_participants: 3 };
    let mut world = World::with_limits(plenary_conference::ReservationLimits::default(), limits);
    world.enter_by("boss", "Board", leader_by(&lobby()));
    for name in ["a", "b", "c", "d"] {
        wait(&mut world, name);
    }
    world.answers();
    assert_eq!(world.command("boss", Command::AdmitAll), Outcome::SomeAdmitted);
    assert_eq!(world.answers(), [granted("a", false, false), granted("b", false, false)]);
    assert_eq!(world.command("boss", Command::Admit(Who::Next)), Outcome::Full);
    assert_eq!(world.command("boss", Command::AdmitAll), Outcome::Full);
    assert_eq!(admit(&mut world, Some("d")), Err(Refused::Full));
    assert_eq!(admit(&mut world, None), Err(Refused::Full));
    assert_eq!(world.answers(), []);
    // A full conference still takes those who wait, and a seat that is given back is theirs.
    wait(&mut world, "e");
    assert_eq!(world.answers(), [waits("e", true)]);
    world.leave("a");
    admit(&mut world, None).unwrap();
    assert_eq!(world.answers(), [granted("c", false, false)]);
    let expected = world.conferences.expected(&key("Board"));
    let waiting: Vec<_> = expected.iter().filter(|one| one.waits).map(|one| one.id.as_str()).collect();
    assert_eq!(waiting, ["d", "e"]);
}

#[test]
fn forty_wait_and_no_more() {
    let mut world = World::new();
    for number in 0..40 {
        wait(&mut world, &format!("w{number}"));
    }
    world.answers();
    assert_eq!(world.admit_by("late", "Board", plain(), by(&lobby())), Err(Refused::LobbyFull));
    world.enter_by("boss", "Board", leader_by(&lobby()));
    world.leave("w7");
    wait(&mut world, "late");
    assert_eq!(world.answers().pop(), Some(waits("late", true)));
    assert_eq!(world.conferences.overview(&key("Board")).unwrap().waiting, 41, "and the leader");
}

#[test]
fn who_waits_is_turned_away_by_removing_them() {
    let mut world = with_two();
    wait(&mut world, "b");
    world.answers();
    world.effects();
    let remove = || Event::RemoveParticipant { conference: key("Board"), participant: participant_id("b") };
    world.handle(remove()).unwrap();
    assert_eq!(world.answers(), [refused("b", Refused::Denied)]);
    world.assert_deeds(&[]);
    assert_eq!(world.handle(remove()), Err(Refused::UnknownParticipant));
    assert_eq!(world.conferences.conference_of(&participant_id("b")), None);
}

#[test]
fn a_locked_conference_has_no_lobby_but_those_who_wait_already_may_come_in() {
    let mut world = with_two();
    wait(&mut world, "b");
    assert_eq!(world.command("boss", Command::ToggleLock), Outcome::Locked);
    assert_eq!(world.admit_by("c", "Board", plain(), by(&lobby())), Err(Refused::Locked));
    // Who has the leader's PIN could unlock it.
    world.enter_by("d", "Board", leader_by(&lobby()));
    world.answers();
    assert_eq!(world.command("boss", Command::Admit(Who::Next)), Outcome::Admitted);
    assert_eq!(world.answers(), [granted("b", false, false)]);
}

#[test]
fn a_lock_ends_when_nobody_is_left_but_those_who_wait() {
    let mut world = with_two();
    wait(&mut world, "b");
    assert_eq!(world.command("boss", Command::ToggleLock), Outcome::Locked);
    world.leave("boss");
    world.leave("a");
    world.answers();
    world.enter_by("boss", "Board", leader_by(&lobby()));
    assert_eq!(world.answers(), [granted("boss", true, false), waits("b", true)]);
}

#[test]
fn the_lock_of_a_reserved_conference_ends_when_all_have_left_it() {
    let locked_with_two = || {
        let mut world = World::new();
        world.reserve(reservation("Board", 0, 60));
        world.enter_by("boss", "Board", leader_by(&rules()));
        world.enter_by("a", "Board", by(&rules()));
        assert_eq!(world.command("boss", Command::ToggleLock), Outcome::Locked);
        world
    };
    // A power cut takes all of them.
    let mut world = locked_with_two();
    world.leave("boss");
    assert_eq!(world.admit_by("b", "Board", plain(), by(&rules())), Err(Refused::Locked), "one is in");
    world.leave("a");
    world.enter_by("b", "Board", by(&rules()));
    // Its leader ends it, and it is not over yet.
    let mut world = locked_with_two();
    assert_eq!(world.command("boss", Command::End), Outcome::Done);
    world.enter_by("b", "Board", by(&rules()));
}

#[test]
fn who_waits_goes_with_the_conference() {
    let over = |world: &mut World| {
        assert_eq!(world.answers(), [refused("b", Refused::Over)]);
        assert_eq!(world.conferences.conference_of(&participant_id("b")), None);
    };
    let mut world = with_two();
    wait(&mut world, "b");
    world.answers();
    assert_eq!(world.command("boss", Command::End), Outcome::Done);
    over(&mut world);
    assert_eq!(world.conferences.overview(&key("Board")), None);

    let mut world = World::new();
    world.reserve(reservation("Board", 0, 30));
    wait(&mut world, "b");
    world.answers();
    world.effects();
    world.pass_minutes(30);
    world.assert_deeds(&[]);
    over(&mut world);

    let mut world = World::new();
    wait(&mut world, "b");
    world.answers();
    world.handle(Event::End { conference: key("Board") }).unwrap();
    over(&mut world);
    assert_eq!(world.conferences.overview(&key("Board")), None);
}

#[test]
fn early_and_late_callers_are_refused_before_the_lobby() {
    let mut world = World::new();
    world.reserve(reservation("Board", 10, 30));
    assert_eq!(world.admit_by("a", "Board", plain(), by(&lobby())), Err(early(10, None)));
    world.pass_minutes(40);
    assert_eq!(world.admit_by("a", "Board", plain(), by(&lobby())), Err(Refused::Over));
}

#[test]
fn those_whom_the_conference_calls_do_not_wait() {
    let mut world = World::new();
    let admit = Event::Admit {
        participant: participant_id("a"),
        conference: key("Board"),
        options: plain(),
        is_called: true,
        via: Some(Box::new(by(&lobby()))),
    };
    world.handle(admit).unwrap();
    assert_eq!(world.answers(), [granted("a", true, true)]);
}

#[test]
fn a_caller_learns_how_the_conference_is_found() {
    let mut world = World::new();
    let waits = RoomRules { wait_for_leader: true, ..rules() };
    world.admit_by("a", "Board", plain(), by(&waits)).unwrap();
    assert_eq!(world.answers(), [granted("a", true, true)]);
    world.connect("a");
    world.admit_by("b", "Board", plain(), by(&waits)).unwrap();
    assert_eq!(world.answers(), [granted("b", false, true)]);
    world.connect("b");
    world.enter_by("boss", "Board", leader_by(&waits));
    assert_eq!(world.answers(), [granted("boss", false, false)]);
    world.leave("boss");
    world.enter_by("c", "Board", by(&waits));
    assert_eq!(world.answers(), [granted("c", false, false)], "it has started, and goes on");
    // By options, as the platform has it.
    world.enter("m", "Class", member());
    world.enter("m2", "Class", member());
    assert_eq!(world.answers(), [granted("m", true, true), granted("m2", false, true)]);
    world.enter("s", "Class", plain());
    assert_eq!(world.answers(), [granted("s", false, false)]);
}

#[test]
fn nobody_waits_twice_and_without_a_leader_nobody_is_told() {
    let mut world = with_two();
    wait(&mut world, "b");
    assert_eq!(world.admit_by("b", "Board", plain(), by(&lobby())), Err(Refused::AlreadyAdmitted));
    world.leave("boss");
    world.effects();
    wait(&mut world, "c");
    assert_eq!(world.told(), []);
}
