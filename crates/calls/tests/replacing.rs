//! Calls that take the place of another one (Replaces, RFC 3891), whatever way led that one in.

mod support;

use plenary_conference::{AccountId, Event, MutedBy, ParticipantChange, ParticipantOptions, State};
use plenary_model::Action;
use plenary_sip::Transport;
use serde_json::json;
use support::{
    ACCOUNT, From, PASSWORD, World, bearer, browser, client, entry, flow, from_networks, key, plain, room,
    service, trunk,
};

const NUMBER: &str = "tel:+441908273800";

/// A world with an entry at 100, and two rooms of the conference Tea.
fn with_entry() -> World {
    let mut world = World::new();
    world.store.services.push(entry("100"));
    for number in ["1001", "1002"] {
        let body = json!({"wait_for_leader": true, "lobby": true});
        let pins = (Some("4711"), Some("70215548"));
        world.store.rooms.insert(number.into(), (room(number, body, true, true), pins.0, pins.1));
    }
    world
}

/// A caller keys room and PIN in. In the lobby they are admitted.
fn enter_room(world: &mut World, pin: &str) -> u64 {
    let call = world.enter("100");
    world.press(call, "1001#");
    world.press(call, pin);
    world.press(call, "#");
    world.listen();
    let _ = world.control(Event::AdmitWaiting { conference: key("Tea"), participant: None });
    world.listen();
    assert!(world.roster("Tea").contains(&call));
    call
}

fn replace(world: &mut World, old: u64) -> u64 {
    world.incoming("contact", From { replaces: Some(old), ..From::default() })
}

/// The new call is answered and confirmed, and the old one is hung up on.
#[track_caller]
fn take_the_place(world: &mut World, old: u64) -> u64 {
    world.said();
    let new = replace(world, old);
    assert_eq!(world.said(), [format!("ring {new}"), format!("answer {new}")]);
    world.confirm(new);
    assert_eq!(world.said(), [format!("hang up {old}: Another call has taken the place of this one")]);
    world.ended(old);
    new
}

fn mute(world: &mut World, call: u64, conference: &str) {
    let change = ParticipantChange { muted: Some(true), ..ParticipantChange::default() };
    let (conference, participant) = (key(conference), world.participant(call));
    world.control(Event::ChangeParticipant { conference, participant, change }).unwrap();
}

fn called(world: &World) -> u64 {
    *world.dials.keys().last().unwrap()
}

#[test]
fn who_came_by_an_entry_keeps_the_seat_of_a_full_conference_without_room_pin_and_lobby() {
    let mut world = with_entry();
    let leader = enter_room(&mut world, "70215548");
    let others = [enter_room(&mut world, "4711"), enter_room(&mut world, "4711")];
    assert_eq!(world.roster("Tea").len(), 3, "all seats are taken");
    mute(&mut world, others[0], "Tea");
    world.media.clear();
    let new = take_the_place(&mut world, others[0]);
    assert_eq!(world.roster("Tea"), [leader, others[1], new]);
    assert_eq!(world.shown(&world.participant(new)).muted_by, Some(MutedBy::Leader), "it does not unmute");
    assert!(!world.heard(new).iter().any(|prompt| prompt.starts_with("entry")), "it is asked nothing");
    // The leader's seat, its rights and its keys.
    let boss = take_the_place(&mut world, leader);
    assert!(world.node.conferences().is_leader(&world.participant(boss)));
    assert_eq!(world.node.conferences().state(&key("Tea")), Some(State::Active));
    world.heard(boss);
    world.press(boss, "*6");
    assert_eq!(world.shown(&world.participant(boss)).muted_by, Some(MutedBy::Own), "it has its menu");
    for call in [new, others[1], boss] {
        world.bye(call);
    }
    world.pass_ms(60_000);
    world.assert_clean();
}

#[test]
fn volumes_that_were_set_by_key_stay() {
    let mut world = with_entry();
    enter_room(&mut world, "70215548");
    let old = enter_room(&mut world, "4711");
    world.press(old, "*466#");
    world.media.clear();
    let new = take_the_place(&mut world, old);
    assert!(world.media.contains(&format!("levels {new} talk 0 hear 6")), "{:?}", world.media);
    // And change from there.
    world.press(new, "*44");
    assert!(world.media.contains(&format!("levels {new} talk 0 hear 3")), "{:?}", world.media);
}

#[test]
fn who_is_still_being_asked_is_asked_anew_by_the_call_that_comes_instead() {
    let mut world = with_entry();
    let old = world.enter("100");
    world.press(old, "1001#");
    let new = take_the_place(&mut world, old);
    world.listen();
    assert_eq!(world.heard(new), ["entry.welcome", "entry.room"]);
    assert!(world.roster("Tea").is_empty());
    world.bye(new);
    world.assert_clean();
}

#[test]
fn who_waits_in_the_lobby_waits_on_without_another_question() {
    let mut world = with_entry();
    let leader = enter_room(&mut world, "70215548");
    let old = world.enter("100");
    world.press(old, "1001#4711#");
    world.listen();
    assert_eq!(world.roster("Tea"), [leader]);
    let new = take_the_place(&mut world, old);
    assert!(!world.heard(new).iter().any(|prompt| prompt.starts_with("entry")), "it is asked nothing");
    assert_eq!(world.roster("Tea"), [leader], "a right PIN is no leader's yes");
    world.control(Event::AdmitWaiting { conference: key("Tea"), participant: None }).unwrap();
    world.listen();
    assert_eq!(world.roster("Tea"), [leader, new]);
    assert!(!world.node.conferences().is_leader(&world.participant(new)));
}

#[test]
fn one_call_at_a_time_takes_a_place_and_the_next_one_keys_itself_in() {
    let mut world = with_entry();
    let leader = enter_room(&mut world, "70215548");
    let (first, second) = (replace(&mut world, leader), replace(&mut world, leader));
    world.confirm(second);
    world.listen();
    assert_eq!(world.heard(second), ["entry.welcome", "entry.room"]);
    world.confirm(first);
    assert_eq!(world.roster("Tea"), [first]);
    for call in [first, second, leader] {
        world.bye(call);
    }
    world.assert_clean();
}

#[test]
fn who_leaves_before_the_new_call_is_up_ends_nothing_and_leaves_it_the_place() {
    let mut world = World::new();
    let options = ParticipantOptions { destroy_on_exit: true, ..plain() };
    if let Action::Conference(conference) = &mut world.store.services[0].action {
        conference.participant = options;
    }
    let (boss, other) = (world.enter("conf-Tea"), world.enter("conf-Tea"));
    mute(&mut world, boss, "Tea");
    let new = replace(&mut world, boss);
    world.bye(boss);
    assert_eq!(world.roster("Tea"), [other], "nobody is sent away");
    world.confirm(new);
    assert_eq!(world.roster("Tea"), [other, new]);
    assert_eq!(world.shown(&world.participant(new)).muted_by, Some(MutedBy::Leader));
    world.bye(new);
    assert!(world.roster("Tea").is_empty(), "now it has ended");
    world.ended(other);
    world.assert_clean();
}

#[test]
fn who_was_moved_is_replaced_where_it_is_now() {
    let mut world = with_entry();
    let caller = world.enter("conf-Other");
    let moved = |world: &mut World, call: u64, from: &str, to: &str| {
        let (conference, participant, to) = (key(from), world.participant(call), key(to));
        world.control(Event::Move { conference, participant, to }).unwrap();
    };
    moved(&mut world, caller, "Other", "Tea");
    let (b, c) = (world.enter("conf-Tea"), world.enter("conf-Tea"));
    let new = take_the_place(&mut world, caller);
    assert_eq!((world.roster("Tea"), world.roster("Other")), (vec![b, c, new], vec![]));
    let again = take_the_place(&mut world, new);
    assert_eq!(world.roster("Tea"), [b, c, again], "nor is it forgotten the next time");
}

#[test]
fn who_was_diverted_is_replaced_where_it_was_diverted_to() {
    let mut world = World::new();
    world.store.services.push(service("Early", from_networks("10.0.0.0/8")));
    world.reserve("Tea", 60, Some("Early"));
    let early = world.enter("conf-Tea");
    assert_eq!(world.roster("Early"), [early]);
    // The conference has begun, and the caller still waits where it was sent.
    world.pass_ms(60 * 60_000);
    let new = take_the_place(&mut world, early);
    assert_eq!((world.roster("Early"), world.roster("Tea")), (vec![new], vec![]));
}

#[test]
fn whom_we_called_replaces_its_call_from_its_address_through_its_trunk_and_no_stranger_does() {
    let mut by_networks = trunk("one", 1);
    by_networks.settings.networks = vec!["203.0.113.0/24".parse().unwrap()];
    let elsewhere = || flow(Transport::Udp, [198, 51, 100, 9], 5060);
    let through_trunk = || flow(Transport::Udp, [203, 0, 113, 5], 5060);
    for (flow, is_same_peer, is_admitted) in
        [(elsewhere(), true, true), (through_trunk(), false, true), (elsewhere(), false, false)]
    {
        let mut world = World::new();
        // The service of this number is not meant.
        world.store.services.push(service("+441908273800", from_networks("0.0.0.0/0")));
        world.set_trunks(vec![by_networks.clone()]);
        let question = world.invite(NUMBER);
        world.call_of(question).unwrap();
        let old = called(&world);
        world.answered(old);
        mute(&mut world, old, "Tea");
        world.said();
        let from = From { flow, is_same_peer, replaces: Some(old), ..From::default() };
        let new = world.incoming("me", from);
        if !is_admitted {
            assert_eq!(world.said(), ["failure".to_owned(), format!("reject {new} 403")]);
            assert_eq!(world.roster("Tea"), [old]);
            continue;
        }
        assert_eq!(world.said(), [format!("ring {new}"), format!("answer {new}")]);
        world.confirm(new);
        assert_eq!(world.roster("Tea"), [new]);
        assert_eq!(world.shown(&world.participant(new)).muted_by, Some(MutedBy::Leader));
        world.ended(old);
        world.bye(new);
        world.assert_clean();
    }
}

#[test]
fn a_called_user_replaces_its_call_from_elsewhere_by_its_password_alone() {
    let mut world = World::new();
    for user in ["alice", "carol"] {
        world.store.users.insert(user.to_owned(), ACCOUNT);
    }
    world.register("alice", browser(9000), Default::default());
    let right = world.answer_to_challenge("alice", PASSWORD, "REGISTER");
    world.register("alice", browser(9000), right);
    let question = world.invite("user:alice");
    world.call_of(question).unwrap();
    let old = called(&world);
    world.answered(old);
    let from = |replaces, authorizations| From {
        flow: flow(Transport::Udp, [198, 51, 100, 9], 5060),
        is_same_peer: false,
        replaces: Some(replaces),
        authorizations,
        ..From::default()
    };
    world.said();
    let asked = world.incoming("me", from(old, Default::default()));
    assert_eq!(world.said(), [format!("reject {asked} 401")]);
    let carol = world.answer_to_challenge("carol", PASSWORD, "INVITE");
    let refused = world.incoming("me", from(old, carol));
    assert_eq!(world.said().last().unwrap(), &format!("reject {refused} 403"), "who knows another password");
    world.incoming("me", from(old, Default::default()));
    let alice = world.answer_to_challenge("alice", PASSWORD, "INVITE");
    let new = world.incoming("me", from(old, alice));
    world.confirm(new);
    assert_eq!(world.roster("Tea"), [new]);
}

#[test]
fn clients_that_call_each_other_stay_together_whichever_of_them_is_replaced() {
    let mut world = World::new();
    world.store.tokens.insert("anna".to_owned(), client("anna", None));
    world.store.tokens.insert("bob".to_owned(), client("bob", Some("anna")));
    world.register("anna", browser(9000), bearer("anna"));
    let from = |user, token, port, replaces| From {
        user,
        flow: browser(port),
        authorizations: bearer(token),
        replaces,
        is_same_peer: false,
        ..From::default()
    };
    let bob = world.incoming("anna", from("bob", "bob", 9001, None));
    let anna = called(&world);
    world.answered(anna);
    world.confirm(bob);
    world.said();
    let bob_again = world.incoming("contact", from("bob", "bob", 9002, Some(bob)));
    world.confirm(bob_again);
    world.ended(bob);
    let said = world.said();
    assert!(
        !said.iter().any(|line| line.starts_with("dial") || line.contains(&format!("up {anna}"))),
        "{said:?}"
    );
    let anna_again = world.incoming("contact", from("anna", "anna", 9003, Some(anna)));
    world.confirm(anna_again);
    world.ended(anna);
    assert_eq!(
        world.said().last().unwrap(),
        &format!("hang up {anna}: Another call has taken the place of this one")
    );
    world.bye(bob_again);
    assert!(world.said().iter().any(|line| line.starts_with(&format!("hang up {anna_again}"))));
    world.ended(anna_again);
    world.assert_clean();
}

#[test]
fn who_may_call_a_service_of_another_account_takes_no_place_here() {
    let mut world = World::new();
    let old = world.enter("conf-Tea");
    let mut others = service("conf-*", from_networks("10.0.0.0/8"));
    others.account = AccountId(2);
    world.store.services.insert(0, others);
    world.said();
    let new = replace(&mut world, old);
    assert_eq!(world.said(), [format!("ring {new}"), format!("reject {new} 403")]);
    assert_eq!(world.roster("Tea"), [old]);
}

#[test]
fn who_has_not_confirmed_a_call_of_ours_has_no_place_to_be_taken() {
    let mut world = World::new();
    world.set_trunks(vec![trunk("one", 1)]);
    let question = world.invite_to_confirm(NUMBER, '1');
    world.call_of(question).unwrap();
    let old = called(&world);
    world.answered(old);
    world.said();
    let new = replace(&mut world, old);
    assert_eq!(world.said(), [format!("ring {new}"), format!("reject {new} 481")]);
    assert!(world.roster("Tea").is_empty());
}

#[test]
fn a_line_and_a_limit_that_the_replaced_call_has_are_not_asked_for_twice() {
    let mut world = World::new();
    let mut line = trunk("one", 1);
    (line.settings.calls_max, line.settings.networks) = (1, vec!["10.0.0.0/8".parse().unwrap()]);
    world.set_trunks(vec![line]);
    world.store.services.push(service("Coffee", support::from_trunks()));
    let old = world.enter("Coffee");
    world.said();
    let refused = world.incoming("Coffee", From::default());
    assert_eq!(world.said(), [format!("reject {refused} 503")]);
    take_the_place(&mut world, old);
}
