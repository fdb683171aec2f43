//! Who gets in, and who is told to come later.

mod support;

use plenary_conference::{ConferenceLimits, Event, MutedBy, ParticipantChange, Refused, ReservationLimits};
use support::*;

#[test]
fn early_callers_are_refused_or_diverted() {
    let mut world = World::new();
    world.reserve(reservation("Board", 10, 30));
    assert_eq!(world.admit("a", "Board", plain()), Err(early(10, None)));
    let mut with_divert = reservation("Town", 10, 30);
    with_divert.divert = divert("EarlyService");
    world.reserve(with_divert);
    let refused = world.admit("a", "Town", plain());
    assert_eq!(refused, Err(early(10, Some("EarlyService"))));
}

#[test]
fn late_callers_are_refused_until_the_name_is_free() {
    let mut world = World::new();
    world.reserve(reservation("Board", 0, 30));
    world.pass_minutes(30);
    assert_eq!(world.admit("a", "Board", plain()), Err(Refused::Over));
    world.pass_minutes(5);
    assert_eq!(world.admit("a", "Board", plain()), Ok(()));
}

#[test]
fn a_seat_is_taken_from_admission_on_and_free_when_the_call_is_gone() {
    let limits = ConferenceLimits { unreserved_max_participants: 2 };
    let mut world = World::with_limits(ReservationLimits::default(), limits);
    world.admit("a", "Tea", plain()).unwrap();
    world.enter("b", "Tea", plain());
    assert_eq!(world.admit("c", "Tea", plain()), Err(Refused::Full));
    // It never connects: the caller gave up.
    world.leave("a");
    assert_eq!(world.admit("c", "Tea", plain()), Ok(()));
}

#[test]
fn a_reservation_has_the_seats_that_were_reserved() {
    let mut world = World::new();
    let mut small = reservation("Board", 0, 30);
    small.max_participants = 3;
    world.reserve(small);
    for name in ["a", "b", "c"] {
        world.enter(name, "Board", plain());
    }
    assert_eq!(world.admit("d", "Board", plain()), Err(Refused::Full));
    world.eject("Board", "b").unwrap();
    assert_eq!(world.admit("d", "Board", plain()), Ok(()));
}

#[test]
fn a_name_on_its_way_into_the_database_is_reserved() {
    let mut world = World::new();
    let now = world.now();
    world.conferences.claim_name(&key("Board"), now).unwrap();
    assert_eq!(world.admit("a", "Board", plain()), Err(Refused::Early { divert: None, starts_at: None }));
    assert_eq!(world.conferences.claim_name(&key("Board"), now), Err(Refused::NameTaken));
    world.conferences.release_name(&key("Board"));
    world.enter("a", "Board", plain());
    assert_eq!(world.conferences.claim_name(&key("Board"), now), Err(Refused::NameTaken), "people are in it");
    world.leave("a");
    world.conferences.claim_name(&key("Board"), now).unwrap();
    world.reserve(reservation("Board", 10, 30));
    assert_eq!(world.conferences.claim_name(&key("Board"), now), Err(Refused::NameTaken), "it is reserved");
    world.pass_minutes(40);
    let now = world.now();
    assert_eq!(world.conferences.claim_name(&key("Board"), now), Err(Refused::NameTaken), "just completed");
    world.pass_minutes(5);
    let now = world.now();
    assert_eq!(world.conferences.claim_name(&key("Board"), now), Ok(()));
}

#[test]
fn one_call_sits_in_one_conference() {
    let mut world = World::new();
    world.enter("a", "Tea", plain());
    assert_eq!(world.admit("a", "Coffee", plain()), Err(Refused::AlreadyAdmitted));
    let twice = Event::Connected { participant: participant_id("a") };
    assert_eq!(world.handle(twice), Err(Refused::AlreadyAdmitted));
    let stranger = Event::Connected { participant: participant_id("x") };
    assert_eq!(world.handle(stranger), Err(Refused::UnknownParticipant));
}

#[test]
fn a_call_that_replaces_another_takes_its_seat_and_no_other_call_gets_it() {
    let limits = ConferenceLimits { unreserved_max_participants: 2 };
    let mut world = World::with_limits(ReservationLimits::default(), limits);
    world.enter("a", "Tea", plain());
    world.enter("b", "Tea", plain());
    world.enter("x", "Coffee", plain());
    let in_place = |name: &str, of: &str| Event::AdmitInPlace {
        participant: participant_id(name),
        conference: key("Tea"),
        options: plain(),
        of: participant_id(of),
    };
    assert_eq!(world.handle(in_place("c", "nobody")), Err(Refused::Full));
    assert_eq!(world.handle(in_place("c", "x")), Err(Refused::Full), "who is in another conference");
    assert_eq!(world.handle(in_place("a2", "a")), Ok(()));
    assert_eq!(world.handle(in_place("a3", "a")), Err(Refused::Full), "one at a time");
    assert_eq!(world.handle(in_place("a3", "a2")), Err(Refused::Full), "who is not in yet has no place");
    // It gives up, and the next one may.
    world.leave("a2");
    assert_eq!(world.handle(in_place("a3", "a")), Ok(()));
    world.handle(Event::Connected { participant: participant_id("a3") }).unwrap();
    world.handle(Event::TakenOver { participant: participant_id("a"), by: Vec::new() }).unwrap();
    assert_eq!(world.admit("c", "Tea", plain()), Err(Refused::Full), "there are as many as before");
    world.leave("b");
    assert_eq!(world.admit("c", "Tea", plain()), Ok(()));
    // With a seat free, it does not matter which call is named.
    world.leave("c");
    assert_eq!(world.handle(in_place("d", "nobody")), Ok(()));
}

/// Or a participant whom a leader has muted would be heard after the next loss of the network.
#[test]
fn a_call_that_replaces_another_is_as_muted_as_that_one() {
    let mut world = World::new();
    world.enter("boss", "Tea", leader());
    world.enter("a", "Tea", plain());
    world.enter("b", "Tea", plain());
    let muted = ParticipantChange { muted: Some(true), ..ParticipantChange::default() };
    world.change("Tea", "a", muted).unwrap();
    for (new, of, is_muted) in [("a2", "a", true), ("b2", "b", false)] {
        let place = Event::AdmitInPlace {
            participant: participant_id(new),
            conference: key("Tea"),
            options: plain(),
            of: participant_id(of),
        };
        world.handle(place).unwrap();
        world.handle(Event::Connected { participant: participant_id(new) }).unwrap();
        world.handle(Event::TakenOver { participant: participant_id(of), by: Vec::new() }).unwrap();
        let summary = world.summary("Tea", new);
        assert_eq!((summary.muted, summary.muted_by), (is_muted, is_muted.then_some(MutedBy::Leader)));
    }
}
