//! Recorded names.

use super::*;

#[test]
fn a_name_is_recorded_where_the_room_announces_names() {
    let mut call = Call::at_room();
    call.keys("1001");
    call.found(Some(Room { records_names: true, ..room() }));
    assert_eq!(call.take(), ["stop", "find 1001", "play name.say, tone:1000/250"]);
    call.played();
    assert_eq!(call.take(), ["record 4000"]);
    // The recorder ends it: four seconds from the first word, for which it waits ten.
    call.pass(13_999);
    assert_eq!(call.take(), Vec::<String>::new());
    call.pass(1);
    assert_eq!(call.take(), ["save"]);
    let name = Some(NameId("n7".into()));
    call.input(Input::Recorded { question: call.question, name });
    assert_eq!(call.take(), ["join 1001 participant n7"]);
    // It is the conference's once the caller is in.
    call.joining(JoinAnswer::Admitted(STARTED));
    call.played();
    call.input(Input::HungUp);
    assert_eq!(call.take(), ["play entry.joining", "enter", "done"]);
}

#[test]
fn a_key_ends_the_recording_and_the_question_before_it() {
    let mut call = Call::at_room();
    call.keys("1001");
    call.found(Some(Room { records_names: true, ..room() }));
    call.take();
    call.pass(2_000);
    call.keys("#");
    assert_eq!(call.take(), ["stop", "play tone:1000/250"]);
    // The tone is not cut short: people wait for it.
    call.keys("#");
    assert_eq!(call.take(), Vec::<String>::new());
    call.played();
    call.pass(1_500);
    call.keys("#");
    assert_eq!(call.take(), ["record 4000", "save"]);
}

#[test]
fn who_says_no_name_is_asked_once_more() {
    let mut call = Call::at_room();
    call.keys("1001");
    call.found(Some(Room { records_names: true, ..room() }));
    call.played();
    call.take();
    call.input(Input::Recorded { question: call.question, name: None });
    assert_eq!(call.take(), ["play name.too-short, name.say, tone:1000/250"]);
    call.played();
    call.input(Input::Recorded { question: call.question, name: None });
    assert_eq!(call.take(), ["record 4000", "join 1001 participant unnamed"]);
}

#[test]
fn a_recorder_that_fails_turns_nobody_away() {
    for fails_by_time in [false, true] {
        let mut call = Call::at_room();
        call.keys("1001");
        call.found(Some(Room { records_names: true, ..room() }));
        call.played();
        call.take();
        if fails_by_time {
            call.pass(14_000 + 15_000);
            assert_eq!(call.take(), ["save", "drop", "join 1001 participant unnamed"]);
        } else {
            call.input(Input::Failed { question: call.question });
            assert_eq!(call.take(), ["drop", "join 1001 participant unnamed"]);
        }
    }
}
