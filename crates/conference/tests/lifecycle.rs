//! From booking to the day the name is free again.

mod support;

use plenary_conference::{
    AccountId, Event, Refused, ReservationToken, State, Timestamp,
    conferences::ConferenceRef,
    effect::{EndReason, Notice},
    id::ConferenceName,
};
use support::*;

#[test]
fn a_reservation_is_reserved_holding_active_completed_and_forgotten() {
    let mut world = World::new();
    world.reserve(reservation("Board", 10, 30));
    assert_eq!(world.state("Board"), Some(State::Reserved));
    world.pass_ms(10 * 60_000 - 1);
    assert_eq!(world.state("Board"), Some(State::Reserved));
    world.pass_ms(1);
    assert_eq!(world.state("Board"), Some(State::Holding), "also while no participant is there");
    world.enter("a", "Board", plain());
    assert_eq!(world.state("Board"), Some(State::Holding));
    world.enter("b", "Board", plain());
    assert_eq!(world.state("Board"), Some(State::Active));
    world.effects();
    world.pass_minutes(30);
    world.assert_deeds(&[
        hang_up("Board", "a", EndReason::TimeIsUp),
        hang_up("Board", "b", EndReason::TimeIsUp),
    ]);
    assert_eq!(world.state("Board"), Some(State::Completed));
    assert!(world.names("Board").is_empty());
    world.pass_ms(5 * 60_000 - 1);
    assert_eq!(world.state("Board"), Some(State::Completed));
    world.pass_ms(1);
    assert_eq!(world.state("Board"), None);
    let token = ConferenceRef::Token(ReservationToken::new("TOKENBoard"));
    assert_eq!(world.conferences.resolve(ACCOUNT, &token), Err(Refused::UnknownReservation));
    world.enter("c", "Board", plain());
    assert_eq!(world.conferences.list(ACCOUNT)[0].reservation, None, "a fresh unreserved conference");
}

#[test]
fn an_unreserved_conference_lives_while_a_participant_is_in() {
    let mut world = World::new();
    world.admit("a", "Tea", plain()).unwrap();
    assert_eq!(world.state("Tea"), None, "no participant is in yet");
    assert!(world.conferences.list(ACCOUNT).is_empty());
    world.handle(Event::Connected { participant: participant_id("a") }).unwrap();
    assert_eq!(world.state("Tea"), Some(State::Holding));
    world.effects();
    world.leave("a");
    assert_eq!(world.state("Tea"), None);
    let gone = Notice::ConferenceGone { conference: key("Tea") };
    assert_eq!(world.notices().last(), Some(&gone));
}

#[test]
fn a_reserved_conference_stays_when_the_last_one_leaves() {
    let mut world = World::new();
    world.reserve(reservation("Board", 0, 30));
    world.enter("a", "Board", plain());
    world.enter("b", "Board", plain());
    world.leave("a");
    world.leave("b");
    assert_eq!(world.state("Board"), Some(State::Holding));
}

#[test]
fn an_extension_moves_the_end() {
    let mut world = World::new();
    world.reserve(reservation("Board", 0, 30));
    let token = ReservationToken::new("TOKENBoard");
    world.pass_minutes(20);
    world.handle(Event::ReservationExtended { token: token.clone(), duration_minutes: 75 }).unwrap();
    world.pass_minutes(54);
    assert_eq!(world.state("Board"), Some(State::Holding));
    world.pass_minutes(1);
    assert_eq!(world.state("Board"), Some(State::Completed));
    let late = Event::ReservationExtended { token, duration_minutes: 90 };
    assert_eq!(world.handle(late), Err(Refused::WrongState { state: State::Completed }));
}

#[test]
fn a_removed_reservation_frees_its_name() {
    let mut world = World::new();
    world.reserve(reservation("Board", 10, 30));
    world.handle(Event::ReservationRemoved { token: ReservationToken::new("TOKENBoard") }).unwrap();
    assert_eq!(world.state("Board"), None);
    assert_eq!(world.conferences.poll_timeout(world.now()), None);
    world.enter("a", "Board", plain());
    let again = Event::ReservationRemoved { token: ReservationToken::new("TOKENBoard") };
    assert_eq!(world.handle(again), Err(Refused::UnknownReservation));
}

#[test]
fn after_a_restart_reservations_are_where_they_would_have_been() {
    let mut world = World::new();
    world.reserve(reservation("Future", 10, 30));
    world.reserve(reservation("Now", -10, 30));
    world.reserve(reservation("Over", -33, 30));
    world.reserve(reservation("LongOver", -36, 30));
    assert_eq!(world.state("Future"), Some(State::Reserved));
    assert_eq!(world.state("Now"), Some(State::Holding));
    assert_eq!(world.state("Over"), Some(State::Completed));
    assert_eq!(world.state("LongOver"), None);
    world.pass_minutes(2);
    assert_eq!(world.state("Over"), None);
    world.enter("a", "Now", plain());
    world.pass_minutes(18);
    assert_eq!(world.state("Now"), Some(State::Completed));
}

#[test]
fn a_clock_that_jumps_back_undoes_nothing_and_one_that_jumps_on_ends_what_is_over() {
    let mut world = World::new();
    world.reserve(reservation("Board", 10, 30));
    world.pass_minutes(10);
    world.enter("a", "Board", plain());
    world.enter("b", "Board", plain());
    world.correct_clock_minutes(-60);
    assert_eq!(world.state("Board"), Some(State::Active));
    world.effects();
    world.correct_clock_minutes(90);
    world.assert_deeds(&[
        hang_up("Board", "a", EndReason::TimeIsUp),
        hang_up("Board", "b", EndReason::TimeIsUp),
    ]);
    assert_eq!(world.state("Board"), Some(State::Completed));
    world.correct_clock_minutes(1000);
    assert_eq!(world.state("Board"), None);
}

#[test]
fn time_that_is_due_passes_before_an_event_is_judged() {
    let mut world = World::new();
    world.reserve(reservation("Board", 10, 30));
    // The machine was not woken at the start.
    world.wall = Timestamp(EPOCH.0 + 10 * 60_000 + 1);
    world.mono = world.mono.plus_ms(10 * 60_000 + 1);
    world.enter("a", "Board", plain());
    assert_eq!(world.names("Board"), ["a"]);
}

#[test]
fn names_belong_to_their_account() {
    let mut world = World::new();
    world.reserve(reservation("Board", 10, 30));
    let mut other = reservation("Board", 10, 30);
    (other.account, other.token) = (AccountId(2), ReservationToken::new("OTHER"));
    world.reserve(other);
    assert_eq!(world.conferences.list(ACCOUNT).len(), 1);
    let token = ConferenceRef::Token(ReservationToken::new("OTHER"));
    assert_eq!(world.conferences.resolve(ACCOUNT, &token), Err(Refused::UnknownReservation));
    let same = Event::ReservationAdded(reservation("Board", 100, 30));
    assert_eq!(world.handle(same), Err(Refused::NameTaken));
}

#[test]
fn a_name_and_a_token_must_agree() {
    let mut world = World::new();
    world.reserve(reservation("Board", 10, 30));
    let token = ReservationToken::new("TOKENBoard");
    let both = |name: &str| ConferenceRef::Both(ConferenceName::new(name), token.clone());
    assert_eq!(world.conferences.resolve(ACCOUNT, &both("Board")), Ok(key("Board")));
    assert_eq!(world.conferences.resolve(ACCOUNT, &both("Tea")), Err(Refused::NameTokenMismatch));
    let name = ConferenceRef::Name(ConferenceName::new("Tea"));
    assert_eq!(world.conferences.resolve(ACCOUNT, &name), Err(Refused::UnknownConference));
}

#[test]
fn the_list_is_ordered_by_name() {
    let mut world = World::new();
    world.reserve(reservation("Zoo", 10, 30));
    world.reserve(reservation("Ants", 10, 30));
    world.enter("a", "Mice", plain());
    let names: Vec<String> =
        world.conferences.list(ACCOUNT).into_iter().map(|summary| summary.name.to_string()).collect();
    assert_eq!(names, ["Ants", "Mice", "Zoo"]);
}

#[test]
fn who_leads_is_known_once_it_is_in_and_what_it_may_from_the_start() {
    let mut world = World::new();
    world.admit("boss", "Tea", leader()).unwrap();
    assert_eq!(world.conferences.options(&participant_id("boss")), Some(&leader()));
    assert!(!world.conferences.is_leader(&participant_id("boss")), "on the way in it leads no conference");
    world.handle(Event::Connected { participant: participant_id("boss") }).unwrap();
    world.enter("ann", "Tea", member());
    assert!(
        world.conferences.is_leader(&participant_id("boss"))
            && !world.conferences.is_leader(&participant_id("ann"))
    );
    assert_eq!(world.conferences.options(&participant_id("ann")), Some(&member()));
    world.leave("ann");
    assert_eq!(world.conferences.options(&participant_id("ann")), None);
}
