//! The limits of reservations, at their edges.

mod support;

use plenary_conference::{
    ConferenceName, Refused, ReservationLimits, State, Timestamp,
    reservation::{ReservationRequest, check_extend, check_new, check_remove},
};
use support::{EPOCH, reservation};

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

fn wrong(change: impl FnOnce(&mut ReservationRequest)) -> Vec<String> {
    let mut request = request();
    change(&mut request);
    match check_new(&request, &ReservationLimits::default(), EPOCH) {
        Ok(_) => Vec::new(),
        Err(Refused::OutOfRange(wrong)) => {
            wrong.into_iter().map(|wrong| wrong.parameter.into_owned()).collect()
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn the_edges_of_every_range_are_inside() {
    for seats in [40, 350] {
        assert!(wrong(|request| request.max_participants = seats).is_empty());
    }
    for seats in [39, 351] {
        assert_eq!(wrong(|request| request.max_participants = seats), ["max_participants"]);
    }
    for minutes in [15, 480] {
        assert!(wrong(|request| request.duration_minutes = minutes).is_empty());
    }
    for minutes in [14, 481] {
        assert_eq!(wrong(|request| request.duration_minutes = minutes), ["duration"]);
    }
    for minutes in [5, 1440] {
        assert!(wrong(|request| request.starts_at = EPOCH.plus_minutes(minutes)).is_empty());
    }
    assert_eq!(wrong(|request| request.starts_at = Timestamp(EPOCH.plus_minutes(5).0 - 1)), ["start_time"]);
    assert_eq!(
        wrong(|request| request.starts_at = Timestamp(EPOCH.plus_minutes(1440).0 + 1)),
        ["start_time"]
    );
    assert_eq!(wrong(|request| request.starts_at = Timestamp(0)), ["start_time"]);
}

#[test]
fn names_are_letters_and_digits_fewer_than_48() {
    for name in ["a", "7", &"x".repeat(47)] {
        assert!(wrong(|request| request.name = ConferenceName::new(name)).is_empty(), "{name}");
    }
    for name in ["", &"x".repeat(48), "My Room", "Room-1", "Größe", "a\0"] {
        assert_eq!(wrong(|request| request.name = ConferenceName::new(name)), ["conference_name"], "{name}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let all = wrong(|request| {
        request.name = ConferenceName::new("-");
        request.max_participants = 1;
        request.starts_at = EPOCH;
        request.duration_minutes = 1;
    });
    assert_eq!(all, ["conference_name", "max_participants", "start_time", "duration"]);
}

#[test]
fn the_start_is_judged_as_asked_and_rounded_down() {
    let mut asked = request();
    asked.starts_at = Timestamp(EPOCH.plus_minutes(5).0 + 59_999);
    let starts_at = check_new(&asked, &ReservationLimits::default(), EPOCH).unwrap();
    assert_eq!(starts_at, EPOCH.plus_minutes(5));
    // Asked for 5:30 from now at half past: rounded down it is nearer than five minutes, and allowed.
    let half_past = Timestamp(EPOCH.0 + 30_000);
    asked.starts_at = Timestamp(half_past.plus_minutes(5).0);
    assert_eq!(check_new(&asked, &ReservationLimits::default(), half_past), Ok(EPOCH.plus_minutes(5)));
}

#[test]
fn extensions_have_a_range_a_last_moment_and_a_limit() {
    let limits = ReservationLimits::default();
    let board = reservation("Board", 0, 30);
    let at =
        |minutes: u32, by: u32| check_extend(&board, State::Active, by, &limits, EPOCH.plus_minutes(minutes));
    assert_eq!(at(10, 15), Ok(45));
    assert_eq!(at(10, 60), Ok(90));
    for by in [14, 61, 0] {
        assert!(matches!(at(10, by), Err(Refused::OutOfRange(_))), "{by}");
    }
    assert_eq!(at(24, 15), Ok(45));
    assert_eq!(at(25, 15), Err(Refused::TooLateToExtend), "due to finish in five minutes");
    let long = reservation("Board", 0, 450);
    let too_long = check_extend(&long, State::Holding, 31, &limits, EPOCH);
    assert_eq!(too_long, Err(Refused::TooLong { max_duration_minutes: 480 }));
    assert_eq!(check_extend(&long, State::Reserved, 30, &limits, EPOCH), Ok(480));
    let over = check_extend(&board, State::Completed, 15, &limits, EPOCH);
    assert_eq!(over, Err(Refused::WrongState { state: State::Completed }));
}

#[test]
fn removals_have_a_last_moment() {
    let limits = ReservationLimits::default();
    let board = reservation("Board", 10, 30);
    let at = |minutes: u32| check_remove(&board, State::Reserved, &limits, EPOCH.plus_minutes(minutes));
    assert_eq!(at(4), Ok(()));
    assert_eq!(at(5), Err(Refused::TooLateToRemove), "due to start in five minutes");
    for state in [State::Holding, State::Active, State::Completed] {
        assert_eq!(check_remove(&board, state, &limits, EPOCH), Err(Refused::WrongState { state }));
    }
}
