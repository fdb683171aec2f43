//! Calls that are placed: seats, routes, failover, and how the request is answered.

mod support;

use plenary_calls::{
    CallNumber, ControlError, DialRefused, Input, SoundChange, media::MediaEvent,
    participants::ParticipantState,
};
use plenary_conference::{Event, Refused};
use plenary_model::CallEntry;
use plenary_sip::{CallId, Caller, EndCause, SipEvent, Transport};
use support::{ACCOUNT, From, PASSWORD, World, bearer, browser, client, flow, key, trunk};

const NUMBER: &str = "tel:+441908273800";

fn with_trunks() -> World {
    let mut world = World::new();
    world.set_trunks(vec![trunk("one", 1), trunk("two", 2)]);
    world
}

/// The one that was called last.
fn called(world: &World) -> u64 {
    *world.dials.keys().last().unwrap()
}

#[test]
fn a_participant_who_answers_is_in_under_the_id_that_was_returned() {
    let mut world = with_trunks();
    let question = world.invite(NUMBER);
    let participant = world.call_of(question).unwrap();
    let call = called(&world);
    let shown = world.shown(&participant);
    assert_eq!((shown.state, shown.trunk.as_deref()), (ParticipantState::Calling, Some("one")));
    assert_eq!(participant, world.participant(call));
    assert_eq!(world.said(), [format!("dial {call} sip:+441908273800@one.example")]);
    assert!(world.roster("Tea").is_empty());
    world.progress(call, 180);
    assert_eq!(world.shown(&participant).state, ParticipantState::Ringing);
    world.answered(call);
    assert_eq!(world.roster("Tea"), [call]);
    assert_eq!(world.shown(&participant).state, ParticipantState::Waiting);
    world.bye(call);
    let after = world.shown(&participant);
    assert_eq!((after.state, after.reason.as_deref()), (ParticipantState::Ended, Some("caller hung up")));
    world.assert_clean();
    let kinds: Vec<_> = world
        .records
        .iter()
        .map(|entry| match entry {
            CallEntry::Started { .. } => "started",
            CallEntry::Answered { .. } => "answered",
            CallEntry::Entered { .. } => "entered",
            CallEntry::Ended { .. } => "ended",
        })
        .collect();
    assert_eq!(kinds, ["started", "answered", "ended"]);
}

#[test]
fn the_next_trunk_is_tried_where_one_fails_and_not_where_the_called_one_refuses() {
    // Status, whether it rang before, whether the second trunk is tried.
    for (status, rang, goes_on) in [
        (503, false, true),
        (500, true, true),
        (599, false, true),
        (408, false, true),
        (408, true, false),
        (404, false, false),
        (486, false, false),
        (480, false, false),
        (403, false, false),
        (600, false, false),
        (603, false, false),
    ] {
        let mut world = with_trunks();
        let question = world.invite(NUMBER);
        let participant = world.call_of(question).unwrap();
        let call = called(&world);
        if rang {
            world.progress(call, 180);
        }
        world.said();
        world.rejected(call, status);
        let state = world.shown(&participant);
        if goes_on {
            assert_eq!(
                world.said(),
                [format!("dial {call} sip:+441908273800@two.example")],
                "{status} {rang}"
            );
            assert_eq!(state.trunk.as_deref(), Some("two"));
            world.rejected(call, 503);
        } else {
            assert!(world.said().is_empty(), "{status} {rang}");
            assert_eq!((state.state, state.status), (ParticipantState::Failed, Some(status)));
        }
        assert_eq!(world.shown(&participant).state, ParticipantState::Failed);
        world.assert_clean();
    }
}

#[test]
fn a_user_is_looked_for_at_the_next_telephone_where_one_is_not_there() {
    for (status, rang, goes_on) in
        [(404, false, true), (480, false, true), (480, true, false), (503, true, true), (486, false, false)]
    {
        let mut world = World::new();
        world.store.users.insert("alice".to_owned(), ACCOUNT);
        for port in [7000, 7001] {
            let telephone = flow(Transport::Tcp, [10, 0, 0, 2], port);
            world.register("alice", telephone, Default::default());
            let answer = world.answer_to_challenge("alice", PASSWORD, "REGISTER");
            let request = world.register("alice", telephone, answer);
            assert_eq!(world.said().last().unwrap(), &format!("registered {request}"));
        }
        let question = world.invite("user:alice");
        let participant = world.call_of(question).unwrap();
        let call = called(&world);
        assert_eq!(world.said(), [format!("dial {call} sip:alice@10.0.0.2:7001")], "the last one first");
        if rang {
            world.progress(call, 180);
        }
        world.rejected(call, status);
        let expected = goes_on.then(|| format!("dial {call} sip:alice@10.0.0.2:7000"));
        assert_eq!(world.said(), Vec::from_iter(expected), "{status} {rang}");
        if goes_on {
            world.answered(call);
            assert_eq!(world.roster("Tea"), [call]);
        } else {
            assert_eq!(world.shown(&participant).status, Some(status));
        }
    }
}

#[test]
fn who_rings_too_long_is_given_up() {
    let mut world = with_trunks();
    let question = world.invite(NUMBER);
    let participant = world.call_of(question).unwrap();
    let call = called(&world);
    world.progress(call, 180);
    world.said();
    world.pass_ms(29_999);
    assert!(world.said().is_empty());
    world.pass_ms(1);
    assert_eq!(world.said(), [format!("hang up {call}: No answer")]);
    let state = world.shown(&participant);
    assert_eq!((state.state, state.status), (ParticipantState::Failed, Some(408)));
    // It answers just then: it is hung up on, and is not in.
    world.sip_event(plenary_sip::SipEvent::Answered {
        call: plenary_sip::CallId(call),
        sdp: None,
        fork: 0,
        dialog: "d".to_owned(),
    });
    assert!(world.roster("Tea").is_empty());
    world.ended(call);
    world.assert_clean();
}

#[test]
fn an_answer_without_a_usable_session_fails_the_call() {
    let mut world = with_trunks();
    let question = world.invite(NUMBER);
    let participant = world.call_of(question).unwrap();
    let call = called(&world);
    world.said();
    world.sip_event(plenary_sip::SipEvent::Answered {
        call: plenary_sip::CallId(call),
        sdp: Some("nonsense".to_owned()),
        fork: 0,
        dialog: "d".to_owned(),
    });
    assert_eq!(world.said(), [format!("hang up {call}: The session description is not acceptable")]);
    assert_eq!(world.shown(&participant).status, Some(488));
    world.ended(call);
    world.assert_clean();
}

#[test]
fn what_no_rule_serves_is_not_called() {
    let mut world = with_trunks();
    for (to, expected) in [
        ("tel:", "BadTarget"),
        ("sip:bob@elsewhere.invalid", "NotPermitted"),
        ("user:nobody", "NotRegistered"),
        ("mailto:bob@example.com", "BadTarget"),
    ] {
        let question = world.invite(to);
        match world.call_of(question) {
            Err(ControlError::Dial(refused)) => assert!(format!("{refused:?}").starts_with(expected), "{to}"),
            other => panic!("{to}: {other:?}"),
        }
    }
    assert!(world.said().is_empty());
    world.assert_clean();
}

#[test]
fn a_trunk_is_not_called_beyond_its_number_of_calls() {
    let mut world = World::new();
    let mut only = trunk("only", 1);
    only.settings.calls_max = 1;
    world.set_trunks(vec![only]);
    let first = world.invite(NUMBER);
    world.call_of(first).unwrap();
    let second = world.invite(NUMBER);
    assert!(matches!(world.call_of(second), Err(ControlError::Dial(DialRefused::TrunksBusy))));
}

#[test]
fn without_a_seat_or_a_port_no_call_is_placed_and_nothing_is_left() {
    let mut world = with_trunks();
    world.reserve("Tea", 60, None);
    let question = world.invite(NUMBER);
    let refused = world.call_of(question);
    assert!(
        matches!(refused, Err(ControlError::Refused(Refused::Early { divert: None, .. }))),
        "{refused:?}"
    );
    let mut world = with_trunks();
    world.no_ports = Some(true);
    let question = world.invite(NUMBER);
    assert!(matches!(world.call_of(question), Err(ControlError::Unavailable(_))));
    assert!(world.said().is_empty() && world.records.is_empty());
    world.assert_clean();
}

#[test]
fn a_call_that_is_ended_before_there_is_a_port_answers_the_request() {
    let mut world = with_trunks();
    world.ports_are_slow = true;
    let question = world.invite(NUMBER);
    assert!(world.answers.is_empty(), "it is not known yet");
    world.input(plenary_calls::Input::Stop);
    assert!(matches!(world.call_of(question), Err(ControlError::Unavailable(_))));
    world.open_ports();
    assert!(world.said().is_empty());
    world.assert_clean();
}

#[test]
fn removing_a_participant_is_answered_and_their_telephone_stops_ringing() {
    let mut world = with_trunks();
    let question = world.invite(NUMBER);
    let participant = world.call_of(question).unwrap();
    let call = called(&world);
    world.said();
    let remove = Event::RemoveParticipant { conference: key("Tea"), participant };
    assert_eq!(world.control(remove), Ok(()));
    assert_eq!(world.said(), [format!("hang up {call}: Ejected from the conference")]);
    world.rejected(call, 487);
    world.assert_clean();
}

/// Whether a participant who has answered is called again as its call ends like this.
fn is_called_again(end: impl Fn(&mut World, u64)) -> bool {
    let mut world = with_trunks();
    let question = world.invite_to_be_called_again(NUMBER);
    let participant = world.call_of(question).unwrap();
    let call = called(&world);
    world.answered(call);
    world.said();
    end(&mut world, call);
    let again = called(&world);
    let is_again = again != call;
    let text = world.shown(&participant).reason.unwrap();
    let is_said = text == "No audio was received for too long"
        || text == "unreachable"
        || text.starts_with("cut off: ");
    assert_eq!(is_again, is_said, "{text}");
    if is_again {
        world.answered(again);
        assert_eq!(world.roster("Tea"), [again], "it is in again");
        world.bye(again);
    }
    world.assert_clean();
    is_again
}

#[test]
fn who_is_cut_off_is_called_again_and_who_hangs_up_is_not() {
    // Clearing, busy, no answer, no reply, refused, normal and unspecified, interworking: a person or a menu ended it.
    for cause in [1, 16, 17, 18, 19, 20, 21, 22, 26, 28, 31, 50, 58, 63, 88, 127] {
        assert!(!is_called_again(|world, call| world.bye_because(call, &[("Q.850", cause)])), "{cause}");
    }
    for cause in [27, 34, 38, 41, 42, 44, 47, 102, 111] {
        assert!(is_called_again(|world, call| world.bye_because(call, &[("Q.850", cause)])), "{cause}");
    }
    for (status, is_again) in
        [(200, false), (480, false), (487, false), (603, false), (408, true), (503, true)]
    {
        let again = is_called_again(|world, call| world.bye_because(call, &[("SIP", status)]));
        assert_eq!(again, is_again, "{status}");
    }
    // What the telephone network says counts more than what a proxy makes of it.
    assert!(!is_called_again(|world, call| world.bye_because(call, &[("SIP", 503), ("Q.850", 16)])));
    assert!(is_called_again(|world, call| world.bye_because(call, &[("q.850", 41), ("SIP", 200)])));
    assert!(!is_called_again(|world, call| world.bye_because(call, &[("Preemption", 41)])));
    assert!(!is_called_again(World::bye));
    assert!(is_called_again(|world, call| {
        world.sip_event(SipEvent::Ended { call: CallId(call), cause: EndCause::Transport });
    }));
    assert!(is_called_again(|world, call| {
        world.input(Input::Media(MediaEvent::RtpTimeout { call: CallNumber(call) }));
        world.ended(call);
    }));
    assert!(!is_called_again(|world, call| {
        world.input(Input::Media(MediaEvent::PeerClosed { call: CallNumber(call) }));
        world.ended(call);
    }));
}

#[test]
fn who_is_called_again_sees_the_same_number_and_sounds_as_before() {
    let mut world = with_trunks();
    let question = world.invite_from(NUMBER, "+441632960123");
    let participant = world.call_of(question).unwrap();
    let first = called(&world);
    world.answered(first);
    let change = SoundChange { gain_db: Some(Some(6.0)), ..SoundChange::default() };
    world.set_sound(participant, change);
    world.bye_because(first, &[("Q.850", 41)]);
    let second = called(&world);
    assert_ne!(first, second);
    let from = [first, second].map(|call| world.dials[&call].from_user.clone());
    assert_eq!(from, ["+441632960123", "+441632960123"]);
    world.answered(second);
    let again = world.participant(second);
    assert_eq!(world.shown(&again).sound.unwrap().gain_db, Some(6.0));
}

#[test]
fn who_was_cut_off_is_called_again_once() {
    let mut world = with_trunks();
    let question = world.invite_to_be_called_again(NUMBER);
    world.call_of(question).unwrap();
    let first = called(&world);
    world.answered(first);
    world.bye_because(first, &[("Q.850", 41)]);
    let second = called(&world);
    assert_ne!(first, second);
    world.answered(second);
    world.bye_because(second, &[("Q.850", 41)]);
    assert_eq!(called(&world), second);
    world.assert_clean();
}

/// Anna's browser, which has registered, and Bob who calls her with a token.
fn with_clients() -> (World, u64) {
    let mut world = World::new();
    world.store.tokens.insert("anna".to_owned(), client("anna", None));
    world.store.tokens.insert("bob".to_owned(), client("bob", Some("anna")));
    world.register("anna", browser(9000), bearer("anna"));
    world.said();
    let bob = From { user: "bob", flow: browser(9001), authorizations: bearer("bob"), ..From::default() };
    let call = world.incoming("anna", bob);
    (world, call)
}

#[test]
fn a_client_that_calls_another_is_answered_when_that_one_has_answered() {
    let (mut world, caller) = with_clients();
    let called = called(&world);
    assert_eq!(world.said(), [format!("dial {called} sip:anna@198.51.100.7:9000")]);
    assert_eq!(world.successes.last(), Some(&Caller::asking_for("bob", "anna")));
    world.progress(called, 180);
    assert_eq!(world.said(), [format!("ring {caller}")]);
    world.answered(called);
    assert_eq!(world.said(), [format!("answer {caller}")]);
    world.confirm(caller);
    assert!(world.media.contains(&format!("voice {caller} +speaks +listens")), "{:?}", world.media);
    // Either of the two ends it.
    world.bye(called);
    assert_eq!(world.said(), [format!("hang up {caller}: The leader has ended the conference")]);
    world.ended(caller);
    world.assert_clean();
}

#[test]
fn a_client_hears_why_the_other_one_was_not_reached() {
    for (status, told) in [(486, 486), (603, 603), (503, 480), (408, 480), (500, 480)] {
        let (mut world, caller) = with_clients();
        let called = called(&world);
        world.said();
        world.rejected(called, status);
        assert_eq!(world.said(), [format!("reject {caller} {told}")], "{status}");
        world.assert_clean();
    }
}

#[test]
fn who_called_a_client_and_hangs_up_lets_it_ring_no_longer() {
    let (mut world, caller) = with_clients();
    let called = called(&world);
    world.said();
    world.sip_event(plenary_sip::SipEvent::Cancelled {
        call: plenary_sip::CallId(caller),
        reasons: Vec::new(),
    });
    assert_eq!(world.said(), [format!("hang up {called}: The caller hung up")]);
    world.rejected(called, 487);
    world.assert_clean();
}

#[test]
fn a_client_without_a_telephone_and_a_token_without_the_right_are_told_so() {
    let (mut world, _) = with_clients();
    world.said();
    world.store.tokens.insert("far".to_owned(), client("bob", Some("*")));
    let from =
        |token| From { user: "bob", flow: browser(9001), authorizations: bearer(token), ..From::default() };
    world.incoming("nobody", from("far"));
    assert_eq!(world.said().last().unwrap(), "reject 2 480");
    world.incoming("carol", from("bob"));
    assert_eq!(world.said().last().unwrap(), "reject 3 401");
}
