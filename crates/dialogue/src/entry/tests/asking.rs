//! The greeting, room numbers and PINs.

use super::*;

#[test]
fn a_number_a_pin_and_the_caller_is_in() {
    let mut call = Call::at_room();
    call.keys("1");
    assert_eq!(call.take(), ["stop"]);
    call.keys("001");
    assert_eq!(call.take(), ["find 1001"]);
    call.found(Some(with_pin()));
    call.played();
    call.keys("4829#");
    assert_eq!(call.take(), ["play entry.pin", "check 1001 4829"]);
    call.checked(PinResult::Right { leader: false });
    assert_eq!(call.take(), ["join 1001 participant unnamed"]);
    call.joining(JoinAnswer::Admitted(STARTED));
    assert_eq!(call.take(), ["play entry.joining"]);
    call.played();
    assert_eq!(call.take(), ["enter", "done"]);
    assert!(call.entry.is_over() && call.entry.poll_timeout().is_none());
}

#[test]
fn a_leaders_pin_makes_a_leader() {
    let mut call = Call::at_pin(with_pin());
    call.keys("7021#");
    call.checked(PinResult::Right { leader: true });
    assert_eq!(call.take(), ["stop", "check 1001 7021", "join 1001 leader unnamed"]);
    call.joining(JoinAnswer::Admitted(STARTED));
    assert_eq!(call.take(), ["play entry.joining-leader"]);
}

#[test]
fn a_greeting_of_the_account_comes_first_and_a_key_ends_it() {
    let greeting = Some(PlayList(vec!["hello.wav".to_owned(), "silence:500".to_owned()]));
    let mut call = Call::new(EntryAction { greeting, ..EntryAction::default() });
    call.list(&["1", "2"]);
    assert_eq!(call.take(), ["play hello.wav silence:500", "list"]);
    call.keys("2");
    // The number is complete with its key: nobody is asked for what they have said already.
    assert_eq!(call.take(), ["stop", "find 2"]);
}

#[test]
fn a_hash_behind_a_number_that_was_complete_without_it_does_nothing() {
    for keys in ["1001", "1001#"] {
        let mut call = Call::at_room();
        call.keys(keys);
        assert_eq!(call.take(), ["stop", "find 1001"]);
        call.found(Some(with_pin()));
        assert_eq!(call.take(), ["play entry.pin"]);
    }
    // Also while the next question is heard, which it does not interrupt, as long as any key may take.
    for found_after in [0, 4_999] {
        let mut call = Call::at_room();
        call.keys("1001");
        call.pass(found_after);
        call.found(Some(with_pin()));
        call.take();
        call.pass(4_999 - found_after);
        call.keys("#");
        assert_eq!(call.take(), Vec::<String>::new());
        // One more is an answer: nothing was keyed in.
        call.keys("#");
        assert_eq!(call.take(), ["stop", "play entry.nothing, entry.again, entry.pin"]);
    }
    // The room is found only afterwards.
    let mut call = Call::at_room();
    call.keys("1001");
    call.pass(3_000);
    call.keys("#");
    call.found(Some(with_pin()));
    assert_eq!(call.take(), ["stop", "find 1001", "play entry.pin"]);
    // Later it is one, too, and so is one behind another key.
    let mut call = Call::at_room();
    call.keys("1001");
    call.found(Some(with_pin()));
    call.take();
    call.pass(5_000);
    call.keys("#");
    assert_eq!(call.take(), ["stop", "play entry.nothing, entry.again, entry.pin"]);
    let mut call = Call::at_room();
    call.keys("1001");
    call.found(Some(with_pin()));
    call.take();
    call.keys("4829#");
    assert_eq!(call.take(), ["stop", "check 1001 4829"]);
    // Where # alone is an answer, it is one soon.
    let mut call = Call::at_room();
    call.keys("1001");
    call.found(Some(Room { has_leader_pin: true, ..room() }));
    call.take();
    call.pass(1_499);
    call.keys("#");
    assert_eq!(call.take(), Vec::<String>::new());
    call.keys("#");
    assert_eq!(call.take(), ["stop", "join 1001 participant unnamed"]);
    let mut call = Call::at_room();
    call.keys("1001");
    call.found(Some(Room { has_leader_pin: true, ..room() }));
    call.take();
    call.pass(1_500);
    call.keys("#");
    assert_eq!(call.take(), ["stop", "join 1001 participant unnamed"]);
}

#[test]
fn a_long_greeting_is_heard_to_its_end() {
    let mut call = Call::new(EntryAction::default());
    call.list(&["1", "2"]);
    call.take();
    call.pass(200_000);
    assert_eq!(call.take(), Vec::<String>::new());
    call.played();
    assert_eq!(call.take(), ["play entry.room"]);
}

#[test]
fn a_single_room_asks_for_no_number() {
    let rooms = EntryRooms::Listed(vec!["1001".to_owned()]);
    let mut call = Call::new(EntryAction { rooms, ..EntryAction::default() });
    assert_eq!(call.take(), ["play entry.welcome"]);
    call.played();
    assert_eq!(call.take(), ["find 1001"]);
    call.found(Some(room()));
    assert_eq!(call.take(), ["join 1001 participant unnamed"]);

    let mut call = Call::new(EntryAction::default());
    call.played();
    call.list(&["77"]);
    assert_eq!(call.take(), ["play entry.welcome", "list", "find 77"]);
}

#[test]
fn the_number_of_the_only_room_is_no_pin() {
    let to = |room: Room| {
        let mut call = Call::new(EntryAction::default());
        call.list(&["1001"]);
        call.played();
        call.found(Some(room));
        call.take();
        call
    };
    // As cards and mails say: the number, #, then the PIN.
    for asked in [with_pin(), Room { has_leader_pin: true, ..room() }] {
        let question = if asked.has_pin { "play entry.pin" } else { "play entry.leader-pin" };
        let mut call = to(asked);
        call.keys("1001#");
        assert_eq!(call.take(), ["stop", question]);
        call.keys("7021#");
        assert_eq!(call.take(), ["stop", "check 1001 7021"]);
    }
    // Ahead of the question, too, and it is no failure.
    let mut call = Call::new(EntryAction { tries: 1, ..EntryAction::default() });
    call.list(&["1001"]);
    call.keys("1001#4829#");
    assert_eq!(call.take(), ["play entry.welcome", "list", "stop", "find 1001"]);
    call.found(Some(with_pin()));
    assert_eq!(call.take(), ["check 1001 4829"]);
    // Keyed in once more it is a PIN, which may have the same digits. Another number is one at once.
    let mut call = to(with_pin());
    call.keys("1001#1001#");
    assert_eq!(call.take(), ["stop", "play entry.pin", "stop", "check 1001 1001"]);
    let mut call = to(with_pin());
    call.keys("1002#");
    assert_eq!(call.take(), ["stop", "check 1001 1002"]);
    // With more rooms than one it was asked for.
    let mut call = Call::at_pin(with_pin());
    call.keys("1001#");
    assert_eq!(call.take(), ["stop", "check 1001 1001"]);
}

#[test]
fn without_a_room_the_caller_is_told_so() {
    let mut call = Call::new(EntryAction::default());
    call.played();
    call.take();
    call.list(&[]);
    call.ends("sys.trouble", HangUpReason::NoRoom);

    // The only one that is listed does not exist.
    let rooms = EntryRooms::Listed(vec!["1001".to_owned()]);
    let mut call = Call::new(EntryAction { rooms, ..EntryAction::default() });
    call.played();
    call.take();
    call.found(None);
    call.ends("sys.trouble", HangUpReason::NoRoom);
}

#[test]
fn a_number_that_may_go_on_is_ended_by_hash_or_by_time() {
    // 10 is the number of a room, and 1001 begins with it.
    let mut call = Call::at_room();
    call.keys("10#");
    assert_eq!(call.take(), ["stop", "find 10"]);

    let mut call = Call::at_room();
    call.keys("10");
    call.pass(4_999);
    assert_eq!(call.take(), ["stop"]);
    call.pass(1);
    assert_eq!(call.take(), ["find 10"]);
}

#[test]
fn star_corrects_and_with_nothing_to_correct_asks_again() {
    let mut call = Call::at_room();
    call.keys("99*1002");
    assert_eq!(call.take(), ["stop", "find 1002"]);

    let mut call = Call::at_pin(with_pin());
    call.keys("1111*4829#");
    assert_eq!(call.take(), ["stop", "check 1001 4829"]);

    let mut call = Call::at_room();
    call.keys("9**");
    assert_eq!(call.take(), ["stop", "play entry.room"]);
    // A correction begins with the time of a first key.
    let mut call = Call::at_room();
    call.keys("9*");
    call.pass(9_999);
    assert_eq!(call.take(), ["stop"]);
    call.pass(1);
    assert_eq!(call.take(), ["play entry.nothing, entry.again, entry.room"]);
}

#[test]
fn what_is_typed_ahead_is_kept_until_it_is_asked_for() {
    let mut call = Call::new(EntryAction::default());
    call.keys("1001#4829#");
    assert_eq!(call.take(), ["play entry.welcome", "list", "stop"]);
    call.list(&["1001", "1002", "10"]);
    assert_eq!(call.take(), ["find 1001"]);
    // The number was complete with its last digit; the # behind it is no PIN of its own.
    call.found(Some(with_pin()));
    assert_eq!(call.take(), ["check 1001 4829"]);
    call.checked(PinResult::Right { leader: false });
    assert_eq!(call.take(), ["join 1001 participant unnamed"]);
}

#[test]
fn after_a_failure_what_was_typed_ahead_is_dropped() {
    let mut call = Call::at_room();
    call.keys("1001");
    call.keys("4829#");
    call.take();
    call.found(None);
    assert_eq!(call.take(), ["play entry.room-wrong, entry.again, entry.room"]);

    let mut call = Call::at_pin(with_pin());
    call.keys("1111#2222#");
    assert_eq!(call.take(), ["stop", "check 1001 1111"]);
    call.checked(PinResult::Wrong);
    assert_eq!(call.take(), ["play entry.pin-wrong, entry.again, entry.pin"]);
    call.keys("3333#");
    assert_eq!(call.take(), ["stop", "check 1001 3333"]);
}

#[test]
fn a_number_that_no_room_has_is_wrong() {
    for keys in ["5#", "100#", "100199#", "1234567890123#"] {
        let mut call = Call::at_room();
        for pressed in keys.chars() {
            // 1001 is complete with its last digit.
            if !matches!(call.entry.stage, Stage::FindingRoom) {
                call.keys(&pressed.to_string());
            }
        }
        match keys {
            "100199#" => assert_eq!(call.take(), ["stop", "find 1001"]),
            _ => {
                assert_eq!(call.take(), ["stop", "play entry.room-wrong, entry.again, entry.room"], "{keys}")
            }
        }
    }
}

#[test]
fn three_failures_end_the_call_with_a_sentence() {
    let mut call = Call::at_room();
    call.keys("5#");
    call.keys("6#");
    call.take();
    call.keys("7#");
    assert_eq!(call.take(), ["stop", "play entry.room-wrong, entry.too-many"]);
    call.played();
    assert_eq!(call.take(), ["hang up Failures"]);
    let mut call = Call::at_room();
    for _ in 0..2 {
        call.played();
        call.pass(10_000);
        assert_eq!(call.take(), ["play entry.nothing, entry.again, entry.room"]);
    }
    call.played();
    call.pass(9_999);
    assert_eq!(call.take(), Vec::<String>::new());
    call.pass(1);
    call.ends("entry.nothing, entry.too-many", HangUpReason::Failures);

    let mut call = Call::at_pin(with_pin());
    for wrong in ["1111#", "2222#", "3333#"] {
        call.take();
        call.keys(wrong);
        call.take();
        call.checked(PinResult::Wrong);
    }
    call.ends("entry.pin-wrong, entry.too-many", HangUpReason::Failures);
}

#[test]
fn the_number_and_the_pin_have_their_own_tries() {
    let mut call = Call::at_room();
    call.keys("5#");
    call.keys("6#");
    call.keys("1001");
    call.found(Some(with_pin()));
    for wrong in ["1111#", "2222#"] {
        call.keys(wrong);
        call.checked(PinResult::Wrong);
    }
    call.take();
    call.keys("4829#");
    assert_eq!(call.take(), ["stop", "check 1001 4829"]);
    call.checked(PinResult::Right { leader: false });
    assert_eq!(call.take(), ["join 1001 participant unnamed"]);
}

#[test]
fn as_many_tries_as_configured() {
    let mut call = Call::new(EntryAction { tries: 1, ..EntryAction::default() });
    call.list(&["1", "2"]);
    call.keys("5#");
    call.outputs.clear();
    assert!(matches!(call.entry.stage, Stage::Closing { reason: HangUpReason::Failures }));
}

#[test]
fn the_times_for_keys_are_those_that_are_configured() {
    let mut call = Call::new(EntryAction { first_key_s: 3, next_key_s: 1, ..EntryAction::default() });
    call.list(&["10", "1001"]);
    call.played();
    call.take();
    // The time for the first key begins when the question is over.
    call.pass(30_000);
    assert_eq!(call.take(), Vec::<String>::new());
    call.played();
    call.pass(2_999);
    assert_eq!(call.take(), Vec::<String>::new());
    call.pass(1);
    assert_eq!(call.take(), ["play entry.nothing, entry.again, entry.room"]);
    call.keys("1");
    call.pass(999);
    call.keys("0");
    call.pass(999);
    assert_eq!(call.take(), ["stop"]);
    call.pass(1);
    assert_eq!(call.take(), ["find 10"]);
}

#[test]
fn a_slow_pin_is_taken_when_no_further_key_comes() {
    let mut call = Call::at_pin(with_pin());
    for digit in ["4", "8", "2", "9"] {
        call.keys(digit);
        call.pass(4_900);
    }
    assert_eq!(call.take(), ["stop"]);
    call.pass(100);
    assert_eq!(call.take(), ["check 1001 4829"]);
}

#[test]
fn what_can_be_no_pin_is_wrong_and_is_not_checked() {
    for keys in ["123#", "1234567890123#", "12345678901234567890#"] {
        let mut call = Call::at_pin(with_pin());
        call.keys(keys);
        assert_eq!(call.take(), ["stop", "play entry.pin-wrong, entry.again, entry.pin"], "{keys}");
    }
    // Twelve digits are one.
    let mut call = Call::at_pin(with_pin());
    call.keys("123456789012#");
    assert_eq!(call.take(), ["stop", "check 1001 123456789012"]);
    // Nothing at all is said to be nothing.
    let mut call = Call::at_pin(with_pin());
    call.keys("#");
    assert_eq!(call.take(), ["stop", "play entry.nothing, entry.again, entry.pin"]);
}

#[test]
fn keys_that_no_telephone_has_change_nothing() {
    let mut call = Call::at_pin(with_pin());
    call.keys("4A8B2C9D#");
    assert_eq!(call.take(), ["stop", "check 1001 4829"]);
}

#[test]
fn where_only_leaders_have_a_pin_participants_pass_without() {
    for by_time in [false, true] {
        let mut call = Call::at_room();
        call.keys("1001");
        call.found(Some(Room { has_leader_pin: true, ..room() }));
        assert_eq!(call.take(), ["stop", "find 1001", "play entry.leader-pin"]);
        if by_time {
            call.played();
            call.pass(10_000);
        } else {
            call.pass(2_000);
            call.keys("#");
        }
        assert_eq!(call.take().last().unwrap(), "join 1001 participant unnamed");
    }
    let mut call = Call::at_pin(Room { has_leader_pin: true, ..room() });
    call.keys("1111#");
    call.checked(PinResult::Wrong);
    assert_eq!(
        call.take(),
        ["stop", "check 1001 1111", "play entry.pin-wrong, entry.again, entry.leader-pin"]
    );
    call.keys("7021#");
    call.checked(PinResult::Right { leader: true });
    assert_eq!(call.take().last().unwrap(), "join 1001 leader unnamed");
}

#[test]
fn guessing_is_slowed_and_a_short_wait_is_waited_for() {
    let mut call = Call::at_pin(with_pin());
    call.keys("4829#");
    call.take();
    let until = call.now.plus_ms(4_000);
    call.checked(PinResult::TooMany { until });
    call.keys("77");
    call.pass(3_999);
    assert_eq!(call.take(), Vec::<String>::new());
    call.pass(1);
    assert_eq!(call.take(), ["check 1001 4829"]);
    call.checked(PinResult::Right { leader: false });
    assert_eq!(call.take(), ["join 1001 participant unnamed"]);

    // Longer than a few seconds, it is said, with music.
    let mut call = Call::at_pin(with_pin());
    call.keys("4829#");
    call.take();
    call.checked(PinResult::TooMany { until: call.now.plus_ms(60_000) });
    assert_eq!(call.take(), ["play hold.on"]);
    call.played();
    assert_eq!(call.take(), ["music on"]);
    call.pass(60_000);
    assert_eq!(call.take(), ["check 1001 4829"]);
    // Another caller was quicker.
    call.checked(PinResult::TooMany { until: call.now.plus_ms(30_000) });
    call.pass(30_000);
    assert_eq!(call.take(), ["check 1001 4829"]);
    call.checked(PinResult::Wrong);
    assert_eq!(call.take(), ["music off", "play entry.pin-wrong, entry.again, entry.pin"]);

    // A long one ends the call, and so does the fourth in a row.
    let mut call = Call::at_pin(with_pin());
    call.keys("4829#");
    call.take();
    call.checked(PinResult::TooMany { until: call.now.plus_ms(60_001) });
    call.ends("entry.wait-between-tries", HangUpReason::TooManyPins);

    let mut call = Call::at_pin(with_pin());
    call.keys("4829#");
    for _ in 0..3 {
        call.take();
        call.checked(PinResult::TooMany { until: call.now });
        call.pass(1);
        assert_eq!(call.take(), ["check 1001 4829"]);
    }
    call.checked(PinResult::TooMany { until: call.now });
    call.ends("entry.wait-between-tries", HangUpReason::TooManyPins);
}
