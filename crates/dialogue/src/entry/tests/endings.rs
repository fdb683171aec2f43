//! Failures, the end of calls, languages, and what is not shown.

use super::*;

#[test]
fn a_store_that_fails_is_apologised_for_once() {
    let mut call = Call::new(EntryAction::default());
    call.played();
    call.take();
    call.input(Input::Failed { question: call.question });
    call.ends("sys.trouble", HangUpReason::Trouble);

    let mut call = Call::at_room();
    call.keys("1001");
    call.take();
    let question = call.question;
    call.input(Input::Failed { question });
    call.input(Input::Failed { question });
    call.found(Some(room()));
    call.ends("sys.trouble", HangUpReason::Trouble);

    // No answer is a failure, too, and what was asked for is given back.
    let mut call = Call::at_pin(with_pin());
    call.keys("4829#");
    call.take();
    call.pass(15_000);
    call.checked(PinResult::Right { leader: true });
    call.ends("sys.trouble", HangUpReason::Trouble);

    let mut call = joining(room());
    call.pass(15_000);
    assert_eq!(call.take(), ["withdraw", "play sys.trouble"]);
    call.joining(JoinAnswer::Admitted(STARTED));
    call.played();
    assert_eq!(call.take(), ["hang up Trouble"]);
}

#[test]
fn a_caller_who_hangs_up_leaves_nothing_behind() {
    let mut call = Call::at_room();
    call.input(Input::HungUp);
    assert_eq!(call.take(), ["stop"]);

    let mut call = joining(Room { records_names: true, ..room() });
    call.played();
    call.take();
    call.input(Input::HungUp);
    assert_eq!(call.take(), ["drop"]);

    let mut call = joining(Room { records_names: true, ..room() });
    call.played();
    call.keys("#");
    call.input(Input::Recorded { question: call.question, name: Some(NameId("n7".into())) });
    call.joining(JoinAnswer::Lobby { leader_present: true });
    call.played();
    call.take();
    call.input(Input::HungUp);
    assert_eq!(call.take(), ["withdraw", "forget n7", "music off"]);
    call.joining(JoinAnswer::Admitted(STARTED));
    call.input(Input::HungUp);
    call.pass(1_000_000);
    assert_eq!(call.take(), Vec::<String>::new());
    assert!(call.entry.is_over() && call.entry.poll_timeout().is_none());
}

#[test]
fn nobody_holds_a_line_for_nothing() {
    let mut call = Call::at_room();
    // Corrections are no failures, and yet they end.
    for _ in 0..70 {
        call.keys("9*");
        call.pass(4_000);
    }
    call.take();
    call.pass(4_000 * 5);
    call.keys("9*");
    assert!(matches!(call.entry.stage, Stage::Closing { reason: HangUpReason::TooLong }), "{:?}", call.entry);
}

#[test]
fn the_room_may_have_a_language_of_its_own() {
    let mut call = Call::at_room();
    call.keys("1001");
    call.outputs.clear();
    call.found(Some(Room { language: LanguageCode::new("pl").ok(), ..with_pin() }));
    let Some(Output::Play(speech)) = call.outputs.pop_front() else { panic!("a question") };
    assert_eq!((speech.language.as_str(), call.entry.language().as_str()), ("pl", "pl"));
}

#[test]
fn no_pin_is_shown() {
    let mut call = Call::at_pin(with_pin());
    let mut shown = String::new();
    for pressed in "948372#".chars() {
        let input = Input::Key(key(pressed));
        shown += &format!("{input:?} {:?} ", call.entry);
        call.input(input);
        shown += &format!("{:?} {:?} ", call.entry, call.outputs);
    }
    let until = call.now.plus_ms(1_000);
    call.checked(PinResult::TooMany { until });
    shown += &format!("{:?}", call.entry);
    assert_eq!(call.pin, "948372");
    for part in ["948372", "94837", "'9'", "\"9\"", "Digit"] {
        assert!(!shown.contains(part), "{part} in {shown}");
    }
}
