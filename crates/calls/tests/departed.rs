//! Calls that their media ends, as those of browsers whose page is loaded again, and what the page gets that asks for its call then.

mod support;

use plenary_calls::{CallNumber, Input, media::MediaEvent};
use plenary_conference::{Event, State};
use plenary_model::{CallEntry, EndedBy};
use plenary_sip::{CallId, EndCause, Flow, SipEvent, Transport};
use serde_json::json;
use support::{From, World, entry, flow, key, room};

/// A browser, by its connection.
fn page(port: u16) -> Flow {
    flow(Transport::Wss, [10, 0, 0, 1], port)
}

#[track_caller]
fn enter(world: &mut World, dialled: &str, port: u16) -> u64 {
    let call = world.incoming(dialled, From { flow: page(port), ..From::default() });
    world.confirm(call);
    world.said();
    call
}

/// The page says goodbye by DTLS.
fn close(world: &mut World, call: u64) {
    world.input(Input::Media(MediaEvent::PeerClosed { call: CallNumber(call) }));
}

fn crash(world: &mut World, call: u64) {
    world.input(Input::Media(MediaEvent::RtpTimeout { call: CallNumber(call) }));
}

/// The page is there again and asks for its call, which is over.
fn come_back(world: &mut World, old: u64) -> u64 {
    world.said();
    world
        .incoming("contact", From { replaces: Some(old), is_over: true, flow: page(9999), ..From::default() })
}

#[track_caller]
fn is_let_in(world: &mut World, call: u64) {
    assert_eq!(world.said(), [format!("ring {call}"), format!("answer {call}")]);
    world.confirm(call);
}

/// How calls ended, by their records.
fn ends(world: &World) -> Vec<(String, EndedBy)> {
    let ended = world.records.iter().filter_map(|entry| match entry {
        CallEntry::Ended { cause, ended_by, .. } => Some((cause.clone(), *ended_by)),
        _ => None,
    });
    ended.collect()
}

#[test]
fn who_closes_the_dtls_session_has_left_at_once_and_is_hung_up_on() {
    let mut world = World::new();
    let (call, other) = (enter(&mut world, "conf-Tea", 9000), enter(&mut world, "conf-Tea", 9001));
    close(&mut world, call);
    assert_eq!(world.roster("Tea"), [other], "before BYE has an answer");
    assert_eq!(world.said(), [format!("hang up {call}: The other side has closed its media")]);
    close(&mut world, call);
    assert!(world.said().is_empty(), "once");
    world.ended(call);
    assert_eq!(ends(&world), [("The other side has closed its media".to_owned(), EndedBy::Remote)]);
    // Who has hung up has said more.
    world.bye(other);
    close(&mut world, other);
    assert!(world.said().is_empty());
    world.assert_clean();
}

#[test]
fn who_is_silent_after_its_websocket_has_closed_is_gone_and_other_calls_are_not_looked_at() {
    let mut world = World::new();
    let browsers = [enter(&mut world, "conf-Tea", 9000), enter(&mut world, "conf-Tea", 9001)];
    let over_tcp = flow(Transport::Tcp, [10, 0, 0, 1], 9000);
    let telephone = world.incoming("conf-Tea", From { flow: over_tcp, ..From::default() });
    world.confirm(telephone);
    let cut_off = |world: &mut World, flow: Flow| -> Vec<String> {
        world.media.clear();
        world.sip_event(SipEvent::ConnectionClosed(flow));
        world.media.iter().filter(|line| line.starts_with("cut off")).cloned().collect()
    };
    assert_eq!(cut_off(&mut world, over_tcp), Vec::<String>::new(), "telephones open another connection");
    assert_eq!(cut_off(&mut world, page(9000)), [format!("cut off {}", browsers[0])]);
    assert_eq!(world.roster("Tea").len(), 3, "its audio shows whether it is there");
    world.said();
    crash(&mut world, browsers[0]);
    assert_eq!(world.said(), [format!("hang up {}: No audio was received for too long", browsers[0])]);
    assert_eq!(world.roster("Tea"), [browsers[1], telephone]);
    world.ended(browsers[0]);
    assert_eq!(ends(&world), [("No audio was received for too long".to_owned(), EndedBy::Network)]);
}

#[test]
fn a_page_that_is_loaded_again_and_asks_for_its_call_is_where_that_was() {
    type End<'a> = &'a dyn Fn(&mut World, u64);
    let endings: [End<'_>; 4] = [
        &|world, call| {
            close(world, call);
            world.ended(call);
        },
        // The page is faster than the answer to BYE.
        &|world, call| close(world, call),
        &|world, call| {
            crash(world, call);
            world.ended(call);
        },
        // It does not answer OPTIONS any more.
        &|world, call| world.sip_event(SipEvent::Ended { call: CallId(call), cause: EndCause::Transport }),
    ];
    for end in endings {
        let mut world = World::new();
        let call = enter(&mut world, "conf-Other", 9000);
        let moving =
            Event::Move { conference: key("Other"), participant: world.participant(call), to: key("Tea") };
        world.control(moving).unwrap();
        let others = [enter(&mut world, "conf-Tea", 9001), enter(&mut world, "conf-Tea", 9002)];
        end(&mut world, call);
        assert_eq!(world.roster("Tea"), others);
        let new = come_back(&mut world, call);
        is_let_in(&mut world, new);
        assert_eq!(world.roster("Tea"), [others[0], others[1], new], "and not where its service leads");
        // Nothing is left to be asked for.
        let again = come_back(&mut world, call);
        assert_eq!(world.said(), [format!("reject {again} 603")]);
    }
}

#[test]
fn what_it_asks_for_is_a_call_with_a_right_and_a_seat_of_its_own() {
    let mut world = World::new();
    let call = enter(&mut world, "conf-Tea", 9000);
    let others = [enter(&mut world, "conf-Tea", 9001), enter(&mut world, "conf-Tea", 9002)];
    close(&mut world, call);
    // Who may not call what it had dialled does not get in.
    let elsewhere = flow(Transport::Wss, [203, 0, 113, 9], 9000);
    world.said();
    let stranger = From { replaces: Some(call), is_over: true, flow: elsewhere, ..From::default() };
    let stranger = world.incoming("conf-Tea", stranger);
    assert_eq!(world.said(), ["failure".to_owned(), format!("reject {stranger} 403")]);
    // Another one has the seat.
    let fourth = enter(&mut world, "conf-Tea", 9003);
    let late = come_back(&mut world, call);
    assert_eq!(world.said(), [format!("ring {late}"), format!("reject {late} 486")]);
    world.bye(fourth);
    let new = come_back(&mut world, call);
    is_let_in(&mut world, new);
    assert_eq!(world.roster("Tea"), [others[0], others[1], new]);
}

#[test]
fn who_has_hung_up_or_comes_after_half_a_minute_asks_in_vain() {
    let mut world = World::new();
    let (call, other) = (enter(&mut world, "conf-Tea", 9000), enter(&mut world, "conf-Tea", 9001));
    world.bye(call);
    let again = come_back(&mut world, call);
    assert_eq!(world.said(), [format!("reject {again} 603")]);
    close(&mut world, other);
    world.ended(other);
    world.pass_ms(29_999);
    let in_time = come_back(&mut world, other);
    assert_eq!(world.said(), [format!("ring {in_time}"), format!("answer {in_time}")]);
    world.sip_event(SipEvent::Cancelled { call: CallId(in_time), reasons: Vec::new() });
    world.pass_ms(1);
    let late = come_back(&mut world, other);
    assert_eq!(world.said(), [format!("reject {late} 603")]);
    world.assert_clean();
}

#[test]
fn a_leader_who_came_by_an_entry_comes_back_without_room_and_pin_while_the_conference_goes_on() {
    let mut world = World::new();
    world.store.services.push(entry("100"));
    let pins = (Some("4711"), Some("70215548"));
    world.store.rooms.insert("1001".into(), (room("1001", json!({}), true, true), pins.0, pins.1));
    let enter_room = |world: &mut World, pin: &str, port: u16| {
        let call = enter(world, "100", port);
        world.press(call, "1001#");
        world.press(call, pin);
        world.press(call, "#");
        world.listen();
        call
    };
    let leader = enter_room(&mut world, "70215548", 9000);
    let other = enter_room(&mut world, "4711", 9001);
    assert_eq!(world.roster("Tea"), [leader, other]);
    close(&mut world, leader);
    world.ended(leader);
    let boss = come_back(&mut world, leader);
    is_let_in(&mut world, boss);
    assert!(!world.heard(boss).iter().any(|prompt| prompt.starts_with("entry")), "it is asked nothing");
    assert!(world.node.conferences().is_leader(&world.participant(boss)));
    assert_eq!(world.node.conferences().state(&key("Tea")), Some(State::Active));
    close(&mut world, boss);
    world.ended(boss);
    let boss = come_back(&mut world, boss);
    is_let_in(&mut world, boss);
    assert!(world.node.conferences().is_leader(&world.participant(boss)), "once more");
    world.bye(other);
    // Where it was alone, the conference is over, and the PIN is asked for as ever.
    close(&mut world, boss);
    world.ended(boss);
    world.pass_ms(1000);
    let new = come_back(&mut world, boss);
    is_let_in(&mut world, new);
    world.listen();
    let heard = world.heard(new);
    assert!(heard.contains(&"entry.pin".to_owned()), "{heard:?}");
    assert!(world.roster("Tea").is_empty());
}
