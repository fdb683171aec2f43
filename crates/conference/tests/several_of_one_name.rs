//! Several reservations of one name, one after the other.

mod support;

use plenary_conference::{
    ConferenceName, Event, Refused, Reservation, ReservationLimits, ReservationToken, State, Timestamp,
    conferences::{ConferenceRef, ReservationsQuery},
    effect::{EndReason, Notice},
    reservation::{ReservationChange, ReservationRequest, TITLE_LENGTH_MAX, check_booking, check_change},
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use support::*;

fn token(text: &str) -> ReservationToken {
    ReservationToken::new(text)
}

/// One of the board's, under a token of its own.
fn board(text: &str, in_minutes: i64, duration_minutes: u32) -> Reservation {
    Reservation { token: token(text), ..reservation("Board", in_minutes, duration_minutes) }
}

fn state_of(world: &World, text: &str) -> Option<State> {
    world.conferences.reservation(ACCOUNT, &token(text)).map(|(_, state)| state)
}

fn whose_turn(world: &World) -> Option<String> {
    world.conferences.reservation_of(&key("Board")).map(|one| one.token.to_string())
}

#[test]
fn one_begins_at_the_instant_at_which_another_ends_with_an_empty_room() {
    let mut world = World::new();
    world.reserve(board("B", 30, 30));
    world.reserve(board("A", 0, 30));
    world.enter("a", "Board", plain());
    world.enter("b", "Board", plain());
    world.admit("c", "Board", plain()).unwrap();
    world.effects();
    world.pass_minutes(30);
    let effects = world.effects();
    let gone: Vec<_> =
        effects.iter().filter(|effect| matches!(effect, plenary_conference::Effect::HangUp { .. })).collect();
    let time_is_up = |name| hang_up("Board", name, EndReason::TimeIsUp);
    assert_eq!(gone, [&time_is_up("a"), &time_is_up("b"), &time_is_up("c")]);
    let notices: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            plenary_conference::Effect::Notify(notice) => Some(notice),
            _ => None,
        })
        .filter(|notice| !matches!(notice, Notice::ParticipantLeft { .. } | Notice::ConferenceStopped { .. }))
        .collect();
    let conference = || key("Board");
    assert_eq!(
        notices,
        [
            &Notice::ReservationCompleted { conference: conference(), token: token("A") },
            &Notice::ReservationOpened { conference: conference(), token: token("B") },
        ],
        "the one is over before the other begins"
    );
    assert_eq!(world.state("Board"), Some(State::Holding));
    assert_eq!(
        (state_of(&world, "A"), state_of(&world, "B")),
        (Some(State::Completed), Some(State::Holding))
    );
    world.enter("d", "Board", plain());
    assert_eq!(world.names("Board"), ["d"]);
    world.pass_minutes(5);
    assert_eq!(
        (state_of(&world, "A"), world.names("Board").len()),
        (None, 1),
        "forgotten, and no other reservation is changed"
    );
    world.pass_minutes(25);
    assert_eq!(world.state("Board"), Some(State::Completed));
}

#[test]
fn who_comes_between_two_is_early_for_the_next_one() {
    let mut world = World::new();
    let mut next = board("B", 60, 30);
    next.divert = divert("EarlyService");
    world.reserve(board("A", 10, 30));
    world.reserve(next);
    assert_eq!(world.admit("a", "Board", plain()), Err(early(10, None)), "of the first");
    world.pass_minutes(10);
    world.enter("a", "Board", plain());
    world.pass_minutes(31);
    let next = Err(early(60, Some("EarlyService")));
    assert_eq!(world.admit("b", "Board", plain()), next, "also just after the end of the first");
    assert_eq!((whose_turn(&world).as_deref(), world.state("Board")), (Some("B"), Some(State::Reserved)));
    world.pass_minutes(19);
    world.enter("b", "Board", plain());
    world.pass_minutes(30);
    assert_eq!(world.admit("c", "Board", plain()), Err(Refused::Over), "there is no next one");
    world.pass_minutes(5);
    world.enter("c", "Board", plain());
}

#[test]
fn the_seven_see_a_name_once_and_reach_each_reservation_by_its_token() {
    let mut world = World::new();
    world.reserve(board("A", 0, 30));
    world.reserve(board("B", 30, 30));
    world.enter("a", "Board", plain());
    let list = world.conferences.list(ACCOUNT);
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].reservation.as_ref().map(|one| one.token.as_str()), Some("A"));
    let of = |world: &World, which: ConferenceRef| {
        let (state, inside) = world.conferences.participants_of(ACCOUNT, &which)?;
        Ok((state, inside.len()))
    };
    let by_token = |text| ConferenceRef::Token(token(text));
    assert_eq!(of(&world, by_token("A")), Ok((State::Holding, 1)));
    assert_eq!(of(&world, by_token("B")), Ok((State::Reserved, 0)), "who is in is in the other one");
    assert_eq!(of(&world, ConferenceRef::Name(ConferenceName::new("Board"))), Ok((State::Holding, 1)));
    let both = |name: &str, text| ConferenceRef::Both(ConferenceName::new(name), token(text));
    assert_eq!(of(&world, both("Board", "B")), Ok((State::Reserved, 0)));
    assert_eq!(of(&world, both("Tea", "B")), Err(Refused::NameTokenMismatch));
    // A command to a participant of the other one is refused as for a conference that has not begun.
    let resolve = |world: &World, text| world.conferences.resolve(ACCOUNT, &by_token(text));
    assert_eq!(resolve(&world, "A"), Ok(key("Board")));
    assert_eq!(resolve(&world, "B"), Err(Refused::WrongState { state: State::Reserved }));
    world.pass_minutes(30);
    assert_eq!(resolve(&world, "A"), Err(Refused::WrongState { state: State::Completed }));
    assert_eq!(of(&world, by_token("A")), Ok((State::Completed, 0)));
    let list = world.conferences.list(ACCOUNT);
    assert_eq!(list[0].reservation.as_ref().map(|one| one.token.as_str()), Some("B"));
}

#[test]
fn a_name_is_claimed_alone_or_for_a_time() {
    let mut world = World::new();
    world.reserve(board("A", 60, 30));
    let minute = |minutes: u32| EPOCH.plus_minutes(minutes);
    let claim = |world: &mut World, from, to| {
        let now = world.now();
        world.conferences.claim_time(&key("Board"), (minute(from), minute(to)), now)
    };
    for (from, to, is_free) in
        [(30, 60, true), (30, 61, false), (60, 90, false), (70, 80, false), (89, 120, false), (90, 120, true)]
    {
        let outcome = if is_free { Ok(()) } else { Err(Refused::NameTaken) };
        assert_eq!(claim(&mut world, from, to), outcome, "{from} to {to}");
        if is_free {
            world.conferences.release_name(&key("Board"));
        }
    }
    // One of a name at a time for the seven, as ever.
    let now = world.now();
    assert_eq!(world.conferences.claim_name(&key("Board"), now), Err(Refused::NameTaken));
    // Two at once: no caller gets in by the name until both are decided.
    world.conferences.claim_time(&key("Tea"), (minute(10), minute(20)), now).unwrap();
    world.conferences.claim_time(&key("Tea"), (minute(20), minute(30)), now).unwrap();
    assert_eq!(world.conferences.claim_name(&key("Tea"), now), Err(Refused::NameTaken));
    world.conferences.release_name(&key("Tea"));
    assert_eq!(world.admit("a", "Tea", plain()), Err(Refused::Early { divert: None, starts_at: None }));
    world.conferences.release_name(&key("Tea"));
    world.enter("a", "Tea", plain());
    let taken = world.conferences.claim_time(&key("Tea"), (minute(10), minute(20)), now);
    assert_eq!(taken, Err(Refused::NameTaken), "people are in it");
    // A claim beside an open reservation keeps no caller out.
    world.reserve(reservation("Class", 0, 30));
    world.conferences.claim_time(&key("Class"), (minute(30), minute(60)), now).unwrap();
    world.enter("b", "Class", plain());
}

#[test]
fn what_overlaps_is_refused_wherever_it_comes_from() {
    let mut world = World::new();
    world.reserve(board("A", 10, 30));
    world.reserve(board("B", 40, 30));
    assert_eq!(world.handle(Event::ReservationAdded(board("C", 39, 2))), Err(Refused::NameTaken));
    let longer = Event::ReservationExtended { token: token("A"), duration_minutes: 31 };
    assert_eq!(world.handle(longer), Err(Refused::NameTaken));
    assert_eq!(world.handle(Event::ReservationChanged(board("B", 39, 30))), Err(Refused::NameTaken));
    world.handle(Event::ReservationChanged(board("B", 41, 30))).unwrap();
    world.handle(Event::ReservationExtended { token: token("A"), duration_minutes: 31 }).unwrap();
    world.pass_minutes(40);
    assert_eq!(state_of(&world, "A"), Some(State::Holding));
    world.pass_minutes(1);
    assert_eq!(
        (state_of(&world, "A"), state_of(&world, "B")),
        (Some(State::Completed), Some(State::Holding))
    );
}

#[test]
fn one_that_is_on_can_be_made_longer_shorter_and_smaller() {
    let mut world = World::new();
    world.reserve(board("A", 0, 30));
    world.reserve(board("B", 60, 30));
    world.enter("a", "Board", plain());
    world.enter("b", "Board", plain());
    let change = |minutes, seats| {
        Event::ReservationChanged(Reservation { max_participants: seats, ..board("A", 0, minutes) })
    };
    world.handle(change(60, 1)).unwrap();
    assert_eq!(world.names("Board"), ["a", "b"], "no participant has to leave");
    assert_eq!(world.admit("c", "Board", plain()), Err(Refused::Full));
    world.handle(change(60, 3)).unwrap();
    assert_eq!(world.admit("c", "Board", plain()), Ok(()));
    world.pass_minutes(45);
    assert_eq!(world.state("Board"), Some(State::Active), "its end has moved");
    // Shorter than it has been on for: it ends now.
    world.effects();
    world.handle(change(45, 3)).unwrap();
    assert_eq!(world.deeds().len(), 3, "all are hung up");
    assert_eq!((state_of(&world, "A"), whose_turn(&world).as_deref()), (Some(State::Completed), Some("B")));
    assert_eq!(world.handle(change(60, 3)), Err(Refused::WrongState { state: State::Completed }));
}

#[test]
fn one_that_is_moved_begins_at_its_new_time_and_one_that_is_removed_makes_way() {
    let mut world = World::new();
    world.reserve(board("A", 10, 30));
    world.reserve(board("B", 40, 30));
    // Behind the other one.
    world.handle(Event::ReservationChanged(board("A", 70, 30))).unwrap();
    assert_eq!(whose_turn(&world).as_deref(), Some("B"));
    world.pass_minutes(10);
    assert_eq!(world.state("Board"), Some(State::Reserved));
    world.pass_minutes(30);
    world.enter("a", "Board", plain());
    world.effects();
    world.handle(Event::ReservationRemoved { token: token("B") }).unwrap();
    world.assert_deeds(&[hang_up("Board", "a", EndReason::Ended)]);
    assert_eq!((whose_turn(&world).as_deref(), world.state("Board")), (Some("A"), Some(State::Reserved)));
    // One whose start is moved while it begins, is not on any more.
    world.pass_minutes(30);
    world.enter("b", "Board", plain());
    world.effects();
    world.handle(Event::ReservationChanged(board("A", 100, 30))).unwrap();
    world.assert_deeds(&[hang_up("Board", "b", EndReason::Ended)]);
    assert_eq!(world.state("Board"), Some(State::Reserved));
    world.pass_minutes(30);
    assert_eq!(world.state("Board"), Some(State::Holding));
}

#[test]
fn after_a_restart_each_is_where_it_would_have_been() {
    let mut world = World::new();
    for one in [board("Over", -33, 30), board("Now", -3, 30), board("Next", 27, 30), board("Later", 500, 30)]
    {
        world.handle(Event::ReservationAdded(one)).unwrap();
    }
    let states = ["Over", "Now", "Next", "Later"].map(|text| state_of(&world, text).unwrap());
    assert_eq!(states, [State::Completed, State::Holding, State::Reserved, State::Reserved]);
    let opened = Notice::ReservationOpened { conference: key("Board"), token: token("Now") };
    assert_eq!(world.notices(), [opened]);
}

fn query() -> ReservationsQuery {
    ReservationsQuery::default()
}

#[test]
fn reservations_are_listed_by_start_page_by_page_and_as_asked() {
    let mut world = World::new();
    world.reserve(board("B1", 0, 60));
    world.reserve(board("B2", 60, 60));
    world.reserve(board("B3", 400, 60));
    world.reserve(Reservation { token: token("T1"), ..reservation("Tea", 60, 30) });
    world.reserve(Reservation { account: plenary_conference::AccountId(2), ..board("X", 0, 60) });
    let tokens = |world: &World, query: &ReservationsQuery| {
        let found = world.conferences.reservations(ACCOUNT, query);
        found.into_iter().map(|(one, _)| one.token.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(tokens(&world, &query()), ["B1", "B2", "T1", "B3"]);
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = world.conferences.reservations(ACCOUNT, &ReservationsQuery { after, limit: 1, ..query() });
        let Some((one, _)) = page.into_iter().next() else { break };
        after = Some((one.starts_at, one.token.clone()));
        seen.push(one.token.to_string());
    }
    assert_eq!(seen, ["B1", "B2", "T1", "B3"]);
    let of_board = ReservationsQuery { conference: Some(ConferenceName::new("Board")), ..query() };
    assert_eq!(tokens(&world, &of_board), ["B1", "B2", "B3"]);
    let within = |from: u32, to: u32| ReservationsQuery {
        from: Some(EPOCH.plus_minutes(from)),
        to: Some(EPOCH.plus_minutes(to)),
        ..query()
    };
    assert_eq!(tokens(&world, &within(59, 60)), ["B1"], "which has a part of it, though it began before");
    assert_eq!(tokens(&world, &within(60, 61)), ["B2", "T1"]);
    assert_eq!(tokens(&world, &within(460, 500)), [""; 0]);
    assert_eq!(tokens(&world, &within(500, 460)), [""; 0]);
    let in_state = |state| ReservationsQuery { state: Some(state), ..query() };
    assert_eq!(tokens(&world, &in_state(State::Holding)), ["B1"]);
    assert_eq!(tokens(&world, &in_state(State::Reserved)), ["B2", "T1", "B3"]);
    world.pass_minutes(61);
    assert_eq!(tokens(&world, &in_state(State::Completed)), ["B1"]);
    assert_eq!(tokens(&world, &in_state(State::Holding)), ["B2", "T1"]);
}

fn request() -> ReservationRequest {
    ReservationRequest {
        name: ConferenceName::new("Board"),
        max_participants: 130,
        starts_at: EPOCH.plus_minutes(60),
        duration_minutes: 30,
        divert: None,
        title: None,
        guests: Vec::new(),
        series: None,
    }
}

fn wrong<T: std::fmt::Debug>(outcome: Result<T, Refused>) -> Vec<String> {
    match outcome {
        Ok(_) => Vec::new(),
        Err(Refused::OutOfRange(wrong)) => {
            wrong.into_iter().map(|wrong| wrong.parameter.into_owned()).collect()
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn the_management_api_books_further_ahead_and_says_what_is_wrong_in_its_own_names() {
    let limits = ReservationLimits::default();
    let day = 24 * 60;
    let at = |minutes: u32| {
        let request = ReservationRequest { starts_at: EPOCH.plus_minutes(minutes), ..request() };
        wrong(check_booking(&request, &limits, EPOCH))
    };
    assert_eq!((at(5), at(366 * day)), (vec![], vec![]));
    assert_eq!((at(4), at(366 * day + 1)), (vec!["starts_at".to_owned()], vec!["starts_at".to_owned()]));
    let title = |title: String| {
        wrong(check_booking(&ReservationRequest { title: Some(title), ..request() }, &limits, EPOCH))
    };
    assert_eq!((title("x".to_owned()), title("ä".repeat(TITLE_LENGTH_MAX))), (vec![], vec![]));
    for odd in [String::new(), "x".repeat(TITLE_LENGTH_MAX + 1), "a\nb".to_owned()] {
        assert_eq!(title(odd), ["title"]);
    }
    let all = ReservationRequest {
        name: ConferenceName::new("-"),
        max_participants: 1,
        starts_at: EPOCH,
        duration_minutes: 1,
        title: Some(String::new()),
        ..request()
    };
    let all = wrong(check_booking(&all, &limits, EPOCH));
    assert_eq!(all, ["conference", "max_participants", "starts_at", "duration_min", "title"]);
}

#[test]
fn changes_are_judged_by_the_state_and_only_where_something_changes() {
    let limits = ReservationLimits::default();
    // Made under other limits: it stays as it is.
    let odd = Reservation { max_participants: 10, ..board("A", 10, 1000) };
    let judge = |state, change: ReservationChange, minutes: u32| {
        check_change(&odd, state, &change, &limits, EPOCH.plus_minutes(minutes))
    };
    let none = ReservationChange::default();
    assert_eq!(judge(State::Reserved, none.clone(), 0), Ok(odd.clone()));
    assert_eq!(
        judge(State::Completed, none.clone(), 0),
        Err(Refused::WrongState { state: State::Completed })
    );
    let title = ReservationChange { title: Some(Some("Weekly".to_owned())), ..none.clone() };
    assert_eq!(judge(State::Active, title, 20).unwrap().title.as_deref(), Some("Weekly"));
    let seats = |seats| ReservationChange { max_participants: Some(seats), ..none.clone() };
    assert_eq!(judge(State::Active, seats(40), 20).unwrap().max_participants, 40);
    assert_eq!(judge(State::Active, seats(10), 20), Ok(odd.clone()));
    assert_eq!(wrong(judge(State::Active, seats(11), 20)), ["max_participants"]);
    let start =
        |minutes: u32| ReservationChange { starts_at: Some(EPOCH.plus_minutes(minutes)), ..none.clone() };
    assert_eq!(judge(State::Reserved, start(60), 0).unwrap().starts_at, EPOCH.plus_minutes(60));
    assert_eq!(wrong(judge(State::Reserved, start(4), 0)), ["starts_at"]);
    assert_eq!(judge(State::Holding, start(60), 20), Err(Refused::WrongState { state: State::Holding }));
    assert_eq!(judge(State::Holding, start(10), 20), Ok(odd.clone()), "as it is");
    let minutes = |minutes| ReservationChange { duration_minutes: Some(minutes), ..none.clone() };
    assert_eq!(judge(State::Active, minutes(15), 20).unwrap().duration_minutes, 15);
    for (short, at) in [(15, 25), (15, 500), (14, 12), (481, 12)] {
        assert_eq!(wrong(judge(State::Active, minutes(short), at)), ["duration_min"], "{short} at {at}");
    }
    let short = board("A", 10, 30);
    let longer = |at: u32| check_change(&short, State::Active, &minutes(45), &limits, EPOCH.plus_minutes(at));
    assert_eq!(longer(34).unwrap().duration_minutes, 45);
    assert_eq!(longer(35), Err(Refused::TooLateToExtend), "due to finish in five minutes");
}

/// Something that is done with the board's reservations; the number tells which.
#[derive(Debug, Clone)]
enum Step {
    Add { number: u8, start: i64, minutes: u32 },
    Change { number: u8, start: i64, minutes: u32 },
    Remove { number: u8 },
    Pass { minutes: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (number, start, minutes) = (0..6_u8, 0..120_i64, 1..40_u32);
    prop_oneof![
        4 => (number.clone(), start.clone(), minutes.clone())
            .prop_map(|(number, start, minutes)| Step::Add { number, start, minutes }),
        2 => (number.clone(), start, minutes).prop_map(|(number, start, minutes)| Step::Change { number, start, minutes }),
        1 => number.prop_map(|number| Step::Remove { number }),
        3 => (0..30_u64).prop_map(|minutes| Step::Pass { minutes }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    /// Beside it a list of times, in which each question is answered by looking at all of them.
    #[test]
    fn the_name_is_at_every_moment_whose_turn_it_is(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        let mut model: BTreeMap<u8, (i64, i64)> = BTreeMap::new();
        let mut now = 0;
        for step in &steps {
            let overlaps = |model: &BTreeMap<u8, (i64, i64)>, number: u8, start: i64, end: i64| {
                model.iter().any(|(other, (from, to))| *other != number && *from < end && start < *to)
            };
            match *step {
                Step::Add { number, start, minutes } => {
                    let (start, end) = (now + 1 + start, now + 1 + start + i64::from(minutes));
                    if model.contains_key(&number) { continue; }
                    let added = world.handle(Event::ReservationAdded(board(&format!("R{number}"), start, minutes)));
                    prop_assert_eq!(added.is_ok(), !overlaps(&model, number, start, end), "{:?}", step);
                    if added.is_ok() { model.insert(number, (start, end)); }
                }
                Step::Change { number, start, minutes } => {
                    let Some(&(from, to)) = model.get(&number) else { continue };
                    // Of one that is on the start stays.
                    let start = if from <= now { from } else { now + 1 + start };
                    let end = start + i64::from(minutes);
                    let changed = world.handle(Event::ReservationChanged(board(&format!("R{number}"), start, minutes)));
                    let may = to > now && !overlaps(&model, number, start, end);
                    prop_assert_eq!(changed.is_ok(), may, "{:?}", step);
                    if may { model.insert(number, (start, end)); }
                    if may && end <= now {
                        // One that is made shorter than it has been on for is over, since then.
                        if now >= end + 5 { model.remove(&number); }
                    }
                }
                Step::Remove { number } => {
                    let removed = world.handle(Event::ReservationRemoved { token: token(&format!("R{number}")) });
                    prop_assert_eq!(removed.is_ok(), model.remove(&number).is_some());
                }
                Step::Pass { minutes } => {
                    world.pass_minutes(minutes);
                    now += minutes as i64;
                    model.retain(|_, (_, to)| now < *to + 5);
                }
            }
            world.effects();
            let state = |(from, to): (i64, i64)| match now {
                _ if now < from => State::Reserved,
                _ if now < to => State::Holding,
                _ => State::Completed,
            };
            for number in 0..6 {
                let expected = model.get(&number).map(|times| state(*times));
                prop_assert_eq!(state_of(&world, &format!("R{number}")), expected, "R{} after {:?}", number, step);
            }
            // The one that is on, else the next one, else the last one that is over.
            let on = model.values().find(|(from, to)| (*from..*to).contains(&now));
            let next = model.values().filter(|(from, _)| *from > now).min();
            let over = model.values().max();
            let turn = on.or(next).or(over).copied();
            prop_assert_eq!(world.state("Board"), turn.map(state), "after {:?}", step);
            let shown = world.conferences.reservation_of(&key("Board")).map(|one| (one.starts_at, one.ends_at()));
            let minute = |minutes: i64| Timestamp(EPOCH.0 + minutes * 60_000);
            prop_assert_eq!(shown, turn.map(|(from, to)| (minute(from), minute(to))));
            let admitted = world.admit("probe", "Board", plain());
            let expected = match turn.map(state) {
                Some(State::Reserved) => Err(early(turn.map_or(0, |(from, _)| from), None)),
                Some(State::Completed) => Err(Refused::Over),
                _ => Ok(()),
            };
            prop_assert_eq!(admitted, expected, "after {:?}", step);
            world.leave("probe");
            world.effects();
            let listed = world.conferences.reservations(ACCOUNT, &query());
            prop_assert_eq!(listed.len(), model.len());
            prop_assert!(listed.is_sorted_by_key(|(one, _)| (one.starts_at, one.token.clone())));
            let claim = world.conferences.claim_time(&key("Board"), (minute(now + 20), minute(now + 30)), world.now());
            let is_free = !model.values().any(|(from, to)| *from < now + 30 && now + 20 < *to);
            prop_assert_eq!(claim.is_ok(), is_free);
            if is_free { world.conferences.release_name(&key("Board")); }
        }
    }
}
