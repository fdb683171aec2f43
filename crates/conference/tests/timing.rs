//! Warnings before the end, extensions, and participants who are alone.

mod support;

use plenary_conference::{
    Effect, Event, Reservation, ReservationToken, RoomRules, State, Timestamp,
    effect::{Announcement, Audience, EndReason},
};
use plenary_model::Actor;
use support::*;

fn warns(minutes: &[u32]) -> RoomRules {
    RoomRules { time_warnings_min: minutes.to_vec(), ..rules() }
}

fn lonely(minutes: u32) -> RoomRules {
    RoomRules { alone_min: minutes, ..rules() }
}

fn to_all(what: Announcement) -> (Audience, Announcement) {
    (Audience::All(key("Board")), what)
}

fn ends_in(seconds: u32) -> (Audience, Announcement) {
    to_all(Announcement::EndsIn { seconds })
}

fn alone() -> (Audience, Announcement) {
    to_all(Announcement::AloneEndsIn { seconds: 60 })
}

/// Two are in a conference of an hour, which has begun.
fn hour(rules: &RoomRules) -> World {
    let mut world = World::new();
    world.reserve(reservation("Board", 0, 60));
    world.enter_by("a", "Board", by(rules));
    world.enter_by("b", "Board", by(rules));
    world.effects();
    world
}

/// Time passes until the next thing is due, and not a millisecond more; so many milliseconds later it is.
fn pass_to_next(world: &mut World) -> u64 {
    let before = world.mono;
    let at = world.conferences.poll_timeout(world.now()).expect("something is due");
    world.pass_ms(at.0 - before.0);
    at.0 - before.0
}

fn extend(world: &mut World, duration_minutes: u32) {
    let token = ReservationToken::new("TOKENBoard");
    world.handle(Event::ReservationExtended { token, duration_minutes }).unwrap();
}

#[test]
fn each_warning_is_said_once_and_at_its_time() {
    let mut world = hour(&warns(&[5, 10, 1]));
    for (minutes, seconds) in [(50, 600), (5, 300), (4, 60)] {
        assert_eq!(pass_to_next(&mut world), minutes * 60_000);
        assert_eq!(world.announced(), [ends_in(seconds)]);
    }
    assert_eq!(pass_to_next(&mut world), 60_000);
    world.assert_deeds(&[
        hang_up("Board", "a", EndReason::TimeIsUp),
        hang_up("Board", "b", EndReason::TimeIsUp),
    ]);
}

#[test]
fn a_warning_that_is_past_as_they_enter_is_not_made_up_for() {
    let mut world = World::new();
    world.reserve(reservation("Board", 0, 60));
    world.pass_minutes(50);
    world.enter_by("a", "Board", by(&warns(&[10, 5])));
    world.enter_by("b", "Board", by(&warns(&[10, 5])));
    assert_eq!(world.announced(), []);
    assert_eq!(pass_to_next(&mut world), 5 * 60_000);
    assert_eq!(world.announced(), [ends_in(300)]);
}

#[test]
fn after_an_extension_the_warnings_are_those_before_the_new_end() {
    let mut world = hour(&warns(&[10, 5]));
    world.pass_minutes(50);
    assert_eq!(world.announced(), [ends_in(600)]);
    world.pass_minutes(1);
    extend(&mut world, 75);
    assert_eq!(world.announced(), [to_all(Announcement::ExtendedBy { seconds: 900 })]);
    assert_eq!(pass_to_next(&mut world), 14 * 60_000);
    assert_eq!(world.announced(), [ends_in(600)]);
    assert_eq!(pass_to_next(&mut world), 5 * 60_000);
    assert_eq!(world.announced(), [ends_in(300)]);
    assert_eq!(pass_to_next(&mut world), 5 * 60_000);
    assert_eq!(world.state("Board"), Some(State::Completed));
}

#[test]
fn an_end_that_comes_nearer_is_said_once_with_the_time_that_is_left() {
    let mut world = hour(&warns(&[10, 5, 1]));
    let token = ReservationToken::new("TOKENBoard");
    world.pass_minutes(27);
    let shorter = Reservation { duration_minutes: 30, token, ..reservation("Board", 0, 30) };
    world.handle(Event::ReservationChanged(shorter)).unwrap();
    assert_eq!(world.announced(), [ends_in(180)], "nothing is extended");
    assert_eq!(pass_to_next(&mut world), 2 * 60_000);
    assert_eq!(world.announced(), [ends_in(60)]);
}

#[test]
fn a_calendar_that_is_put_on_says_the_time_that_is_left() {
    let mut world = hour(&warns(&[10, 5, 1]));
    world.pass_minutes(40);
    world.correct_clock_minutes(16);
    assert_eq!(world.announced(), [ends_in(240)], "of two that were skipped one is said");
    assert_eq!(pass_to_next(&mut world), 3 * 60_000);
    assert_eq!(world.announced(), [ends_in(60)]);
    world.correct_clock_minutes(3);
    assert_eq!(world.announced(), [], "it is over");
    assert_eq!(world.state("Board"), Some(State::Completed));
}

#[test]
fn a_calendar_that_is_put_back_repeats_nothing() {
    let mut world = hour(&warns(&[10, 5]));
    world.pass_minutes(50);
    assert_eq!(world.announced(), [ends_in(600)]);
    world.correct_clock_minutes(-20);
    assert_eq!(pass_to_next(&mut world), 25 * 60_000);
    assert_eq!(world.announced(), [ends_in(300)]);
}

#[test]
fn a_warning_that_is_a_little_late_says_what_was_planned() {
    let mut world = hour(&warns(&[10]));
    world.pass_ms(50 * 60_000 + 900);
    assert_eq!(world.announced(), [ends_in(600)]);
}

#[test]
fn other_warnings_of_another_room_repeat_nothing() {
    let mut world = hour(&warns(&[10, 5]));
    world.pass_minutes(52);
    world.effects();
    world.enter_by("c", "Board", by(&warns(&[10, 9, 8, 7, 5])));
    assert_eq!(world.announced(), []);
    assert_eq!(pass_to_next(&mut world), 60_000);
    assert_eq!(world.announced(), [ends_in(420)]);
}

#[test]
fn without_rules_without_a_reservation_or_without_participants_nothing_is_said() {
    let mut world = World::new();
    world.reserve(reservation("Board", 0, 60));
    world.enter("a", "Board", plain());
    world.enter("b", "Board", plain());
    extend(&mut world, 75);
    world.pass_minutes(74);
    assert_eq!(world.announced(), []);

    let mut world = World::new();
    world.enter_by("a", "Board", by(&warns(&[10])));
    assert_eq!(world.conferences.poll_timeout(world.now()), None);

    let mut world = hour(&warns(&[10, 5]));
    world.leave("a");
    world.leave("b");
    extend(&mut world, 75);
    world.pass_minutes(66);
    assert_eq!(world.announced(), []);
    world.enter_by("c", "Board", by(&warns(&[10, 5])));
    assert_eq!(pass_to_next(&mut world), 4 * 60_000);
    assert_eq!(world.announced(), [ends_in(300)]);
}

#[test]
fn those_who_wait_for_the_start_are_warned_too() {
    let mut world = World::new();
    world.reserve(reservation("Board", 0, 60));
    let rules = RoomRules { wait_for_leader: true, ..warns(&[10]) };
    world.enter_by("a", "Board", by(&rules));
    world.enter_by("b", "Board", by(&rules));
    world.pass_minutes(50);
    assert_eq!((world.state("Board"), world.announced()), (Some(State::Holding), vec![ends_in(600)]));
}

#[test]
fn an_extension_is_told_while_the_conference_is_on_and_to_nobody_before() {
    let mut world = World::new();
    world.reserve(reservation("Board", 10, 60));
    extend(&mut world, 75);
    world.pass_minutes(10);
    world.enter_by("a", "Board", by(&rules()));
    assert_eq!(world.announced(), []);
    extend(&mut world, 90);
    assert_eq!(world.announced(), [to_all(Announcement::ExtendedBy { seconds: 900 })]);
    extend(&mut world, 90);
    assert_eq!(world.announced(), []);
}

#[test]
fn time_that_a_leader_adds_by_key_is_told_to_all_others_also_without_a_room() {
    for by_room in [false, true] {
        let mut world = World::new();
        world.reserve(reservation("Board", 0, 60));
        match by_room {
            true => world.enter_by("boss", "Board", leader_by(&rules())),
            false => world.enter("boss", "Board", leader()),
        }
        world.enter("a", "Board", plain());
        world.effects();
        world.conferences.set_requester(Some(Actor::participant(&participant_id("boss"), true)));
        extend(&mut world, 75);
        let others = Audience::AllBut(key("Board"), participant_id("boss"));
        assert_eq!(world.announced(), [(others, Announcement::ExtendedBy { seconds: 900 })]);
        // A program's is told where there is a room.
        world.conferences.set_requester(None);
        extend(&mut world, 90);
        let told = [to_all(Announcement::ExtendedBy { seconds: 900 })];
        assert_eq!(world.announced(), told[..usize::from(by_room)]);
    }
}

#[test]
fn one_who_is_alone_is_told_and_then_hung_up() {
    let mut world = World::new();
    world.enter_by("a", "Board", by(&lonely(30)));
    world.effects();
    assert_eq!(pass_to_next(&mut world), 29 * 60_000);
    assert_eq!(world.announced(), [alone()]);
    assert_eq!(pass_to_next(&mut world), 60_000);
    world.assert_deeds(&[hang_up("Board", "a", EndReason::Alone)]);
    assert_eq!(world.state("Board"), None);
    assert_eq!(world.conferences.poll_timeout(world.now()), None);
}

#[test]
fn one_who_comes_ends_the_loneliness_and_it_counts_anew() {
    let mut world = World::new();
    world.enter_by("a", "Board", by(&lonely(30)));
    world.pass_ms(29 * 60_000 + 59_999);
    assert_eq!(world.announced(), [alone()]);
    world.enter("b", "Board", plain());
    world.pass_minutes(100);
    assert_eq!(world.names("Board"), ["a", "b"]);
    world.leave("a");
    world.effects();
    assert_eq!(pass_to_next(&mut world), 29 * 60_000);
    assert_eq!(world.announced(), [alone()]);
    assert_eq!(pass_to_next(&mut world), 60_000);
    world.assert_deeds(&[hang_up("Board", "b", EndReason::Alone)]);
}

#[test]
fn one_who_calls_another_is_not_alone_while_it_rings() {
    let mut world = World::new();
    world.enter_by("a", "Board", by(&lonely(30)));
    world.pass_minutes(29);
    assert_eq!(world.announced(), [alone()]);
    world.admit("b", "Board", plain()).unwrap();
    world.pass_minutes(2);
    assert_eq!(world.names("Board"), ["a"]);
    // Nobody answers: it counts anew.
    world.leave("b");
    world.effects();
    assert_eq!(pass_to_next(&mut world), 29 * 60_000);
    assert_eq!(world.announced(), [alone()]);
}

#[test]
fn a_calendar_that_is_corrected_makes_nobody_lonelier() {
    let mut world = World::new();
    world.enter_by("a", "Board", by(&lonely(30)));
    world.correct_clock_minutes(600);
    assert_eq!(world.announced(), []);
    world.correct_clock_minutes(-1200);
    assert_eq!(pass_to_next(&mut world), 29 * 60_000);
    assert_eq!(world.announced(), [alone()]);
}

#[test]
fn a_single_minute_alone_is_told_at_once() {
    let mut world = World::new();
    world.enter_by("a", "Board", by(&lonely(1)));
    assert_eq!(world.announced(), [alone()]);
    assert_eq!(pass_to_next(&mut world), 60_000);
    world.assert_deeds(&[hang_up("Board", "a", EndReason::Alone)]);
}

#[test]
fn what_was_said_to_one_who_is_alone_is_kept_where_it_was_said_late() {
    let mut world = World::new();
    world.enter_by("a", "Board", by(&lonely(30)));
    world.pass_minutes(45);
    assert_eq!(world.announced(), [alone()]);
    assert_eq!(pass_to_next(&mut world), 60_000);
    assert_eq!(world.state("Board"), None);
}

#[test]
fn loneliness_has_no_end_where_the_room_says_so_or_there_is_none() {
    let mut world = World::new();
    world.enter_by("a", "Board", by(&lonely(0)));
    world.enter("b", "Tea", plain());
    assert_eq!(world.conferences.poll_timeout(world.now()), None);
}

#[test]
fn a_reserved_conference_outlives_one_who_is_alone() {
    let mut world = World::new();
    world.reserve(reservation("Board", 0, 120));
    world.enter_by("a", "Board", by(&lonely(30)));
    world.pass_minutes(29);
    world.pass_minutes(1);
    assert_eq!((world.state("Board"), world.names("Board").len()), (Some(State::Holding), 0));
    let end = world.conferences.poll_timeout(world.now()).unwrap();
    assert_eq!(end.0 - world.mono.0, 90 * 60_000, "the end of the reservation is next");
    world.enter_by("a", "Board", by(&lonely(30)));
    world.effects();
    assert_eq!(pass_to_next(&mut world), 29 * 60_000);
    assert_eq!(world.announced(), [alone()]);
}

#[test]
fn the_next_time_is_the_earliest_of_durations_and_dates() {
    let rules = RoomRules { end_after_leader_s: Some(120), ..warns(&[30]) };
    let mut world = World::new();
    world.reserve(reservation("Board", 0, 60));
    world.enter_by("boss", "Board", named("boss", leader_by(&rules)));
    world.enter_by("a", "Board", by(&rules));
    world.enter_by("b", "Board", by(&rules));
    let next = |world: &World| world.conferences.poll_timeout(world.now()).unwrap().0 - world.mono.0;
    assert_eq!(next(&world), 30 * 60_000, "the warning");
    world.leave("boss");
    assert_eq!(next(&world), 30_000, "the name");
    pass_to_next(&mut world);
    assert_eq!(next(&world), 90_000, "the countdown");
    world.correct_clock_minutes(29);
    assert_eq!(next(&world), 30_000, "the warning, by the corrected calendar");
    let effects = world.effects();
    let forgotten = effects.iter().filter(|effect| matches!(effect, Effect::ForgetName { .. })).count();
    assert_eq!(forgotten, 1);
    assert_eq!(world.wall, Timestamp(EPOCH.0 + 29 * 60_000 + 30_000));
}
