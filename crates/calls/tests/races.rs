//! What crosses on the way: a caller who goes while something is looked up, granted or opened; BYE and answer; a store and a media
//! plane that fail at each point; an end of the conference in between.

mod support;

use plenary_calls::{
    Input,
    media::MediaEvent,
    participants::ParticipantState,
    question::{Answer, ParticipantAction},
};
use plenary_conference::{Refused, State};
use plenary_sip::{CallId, SipEvent, Transport};
use support::{EPOCH, From, World, flow, key, trunk};

trait StateOf {
    fn state(&self) -> Option<State>;
}

impl StateOf for World {
    fn state(&self) -> Option<State> {
        self.node.conferences().state(&key("Tea"))
    }
}

fn cancel(world: &mut World, call: u64) {
    world.sip_event(SipEvent::Cancelled { call: CallId(call), reasons: Vec::new() });
}

#[test]
fn who_goes_while_it_is_looked_up_takes_no_seat() {
    let mut world = World::new();
    world.store_is_slow = true;
    let call = world.incoming("conf-Tea", From::default());
    cancel(&mut world, call);
    world.answer_lookups();
    assert!(world.said().is_empty() && world.media.is_empty());
    world.assert_clean();
}

#[test]
fn who_goes_while_it_is_diverted_is_not_answered() {
    let mut world = World::new();
    world.reserve("Tea", 60, Some("conf-Other"));
    world.store_is_slow = true;
    let call = world.incoming("conf-Tea", From::default());
    world.answer_one_lookup();
    assert_eq!(world.said(), ["ring 1"]);
    assert_eq!(world.lookups.len(), 1, "where it is diverted to");
    cancel(&mut world, call);
    world.answer_one_lookup();
    assert!(world.said().is_empty() && world.media.is_empty());
    assert!(world.node.calls().is_empty());
}

#[test]
fn who_goes_while_its_ports_are_opened_gives_seat_and_ports_back() {
    let mut world = World::new();
    world.ports_are_slow = true;
    let call = world.incoming("conf-Tea", From::default());
    assert_eq!(world.said(), ["ring 1"]);
    cancel(&mut world, call);
    assert_eq!(world.media, ["open 1", "close 1"]);
    world.assert_clean();
    // The media plane was faster: the answer comes all the same, and the caller is gone.
    let at = Err(plenary_calls::media::NoMedia { is_temporary: true, text: String::new() });
    world.input(Input::Media(MediaEvent::Opened { call: plenary_calls::CallNumber(call), at }));
    assert!(world.said().is_empty());
}

#[test]
fn a_store_that_fails_refuses_calls_and_requests_with_503() {
    let mut world = World::new();
    world.store_fails = true;
    world.incoming("conf-Tea", From::default());
    assert_eq!(world.said(), ["reject 1 503"]);
    let request = world.register("alice", flow(Transport::Udp, [10, 0, 0, 1], 5060), Default::default());
    assert_eq!(world.said(), [format!("refuse {request} 503")]);
    let request = world.refer(None, "tel:+441908273800", |_| {});
    assert_eq!(world.said(), [format!("refuse {request} 503")]);
    world.assert_clean();
}

#[test]
fn a_store_that_fails_while_a_caller_is_diverted_refuses_it_with_503() {
    let mut world = World::new();
    world.reserve("Tea", 60, Some("conf-Other"));
    world.store_is_slow = true;
    world.incoming("conf-Tea", From::default());
    world.answer_one_lookup();
    assert_eq!(world.said(), ["ring 1"]);
    world.store_fails = true;
    world.answer_one_lookup();
    assert_eq!(world.said(), ["reject 1 503"]);
    assert!(world.node.calls().is_empty());
}

#[test]
fn no_ports_are_503_where_others_may_go_and_500_where_not() {
    for (is_temporary, status) in [(true, 503), (false, 500)] {
        let mut world = World::new();
        world.no_ports = Some(is_temporary);
        world.incoming("conf-Tea", From::default());
        assert_eq!(world.said(), ["ring 1".to_owned(), format!("reject 1 {status}")]);
        world.assert_clean();
    }
}

#[test]
fn a_call_that_would_be_too_much_is_refused_unless_it_takes_the_place_of_another() {
    let mut world = World::new();
    let a = world.enter("conf-Tea");
    world.is_busy = true;
    world.said();
    let refused = world.incoming("conf-Tea", From::default());
    assert_eq!(world.said(), [format!("ring {refused}"), "busy".to_owned(), format!("reject {refused} 503")]);
    assert!(!world.open.contains(&refused));
    let new = world.incoming("conf-Tea", From { replaces: Some(a), ..From::default() });
    assert_eq!(world.said().last().unwrap(), &format!("answer {new}"));
    world.confirm(new);
    assert!(world.media.contains(&format!("close {a}")), "{:?}", world.media);
    assert!(world.media.contains(&format!("began {new}")));
    assert_eq!(world.roster("Tea"), [new]);
}

#[test]
fn bye_and_answer_cross() {
    let mut world = World::new();
    world.set_trunks(vec![trunk("one", 1)]);
    let question = world.invite("tel:+441908273800");
    let participant = world.call_of(question).unwrap();
    let call = *world.dials.keys().last().unwrap();
    // We give up just as it answers: CANCEL is on its way, and the answer comes.
    world.pass_ms(30_000);
    world.said();
    world.answered(call);
    assert!(world.said().is_empty() && world.roster("Tea").is_empty());
    world.ended(call);
    world.assert_clean();
    // The end is told twice, by both sides.
    let call = world.enter("conf-Tea");
    world.bye(call);
    world.ended(call);
    world.confirm(call);
    world.said();
    world.assert_clean();
    assert_eq!(world.shown(&participant).state, ParticipantState::Failed);
}

#[test]
fn an_ack_that_comes_after_we_have_hung_up_admits_no_caller() {
    let mut world = World::new();
    let call = world.incoming("conf-Tea", From::default());
    world.input(Input::Stop);
    world.said();
    world.confirm(call);
    assert!(world.roster("Tea").is_empty());
    world.ended(call);
    world.assert_clean();
}

#[test]
fn a_conference_whose_time_is_up_hangs_up_on_callers_on_the_way_in() {
    let mut world = World::new();
    world.reserve("Tea", 1, None);
    world.pass_ms(60_000);
    let inside = world.enter("conf-Tea");
    let accepted = world.incoming("conf-Tea", From::default());
    world.ports_are_slow = true;
    let opening = world.incoming("conf-Tea", From::default());
    world.said();
    world.pass_ms(30 * 60_000);
    let hung_up: Vec<_> = world.said();
    for call in [inside, accepted, opening] {
        assert!(hung_up.contains(&format!("hang up {call}: The conference's time is up")), "{hung_up:?}");
    }
    world.open_ports();
    world.confirm(accepted);
    for call in [inside, accepted, opening] {
        world.ended(call);
    }
    assert!(world.node.calls().is_empty() && world.open.is_empty());
    assert_eq!(world.state(), Some(State::Completed));
    assert!(world.now.wall > EPOCH);
}

#[test]
fn a_change_of_a_participant_is_answered_after_the_media_plane_was_told() {
    let mut world = World::new();
    let (a, _) = (world.enter("conf-Tea"), world.enter("conf-Tea"));
    world.media.clear();
    let participant = world.participant(a);
    let mute = ParticipantAction::SetOptions { muted: Some(true), dtmf_enabled: None };
    let question = world.change(&participant, mute.clone());
    assert_eq!(world.media, [format!("voice {a} -speaks +listens")]);
    assert!(matches!(world.answer_to(question), Answer::Done(Ok(()))));
    // Nothing changes, so nothing has to be done.
    let question = world.change(&participant, mute);
    assert!(matches!(world.answer_to(question), Answer::Done(Ok(()))));
    let question = world.change(&participant, ParticipantAction::Eject);
    assert_eq!(world.said().last().unwrap(), &format!("hang up {a}: Ejected from the conference"));
    assert!(matches!(world.answer_to(question), Answer::Done(Ok(()))));
    let question = world.change(&participant, ParticipantAction::Eject);
    assert!(matches!(world.answer_to(question), Answer::Done(Err(Refused::WrongState { .. }))));
}

#[test]
fn a_mistake_over_one_call_ends_it_and_leaves_nothing() {
    let mut world = World::new();
    let (a, b) = (world.enter("conf-Tea"), world.enter("conf-Tea"));
    world.said();
    world.node.handle_failure(plenary_calls::CallNumber(a), world.now);
    world.drain();
    assert_eq!(world.said(), [format!("hang up {a}: The call failed")]);
    assert_eq!(world.roster("Tea"), [b]);
    world.ended(a);
    world.bye(b);
    world.assert_clean();
}

#[test]
fn draining_is_answered_when_the_last_call_is_over() {
    use plenary_calls::question::{EdgeQuestion, Question};
    let mut world = World::new();
    let call = world.enter("conf-Tea");
    let question = world.ask(Question::Edge(EdgeQuestion::Drain));
    assert!(world.answers.is_empty());
    let invite = world.invite("tel:+441908273800");
    assert!(world.call_of(invite).is_err(), "no call is placed any more");
    world.bye(call);
    assert!(matches!(world.answer_to(question), Answer::Done(Ok(()))));
}
