//! What the conference answers, and waiting for its start.

use super::*;

#[test]
fn what_the_conference_refuses_is_said() {
    for (answer, says, reason) in [
        (JoinAnswer::Full, "entry.full", HangUpReason::Full),
        (JoinAnswer::Locked, "entry.locked", HangUpReason::Locked),
        (JoinAnswer::Over, "entry.is-over", HangUpReason::Over),
        (JoinAnswer::LobbyFull, "lobby.full", HangUpReason::LobbyFull),
        (JoinAnswer::Denied, "lobby.denied", HangUpReason::Denied),
    ] {
        let mut call = Call::at_room();
        call.keys("1001");
        call.found(Some(room()));
        call.take();
        call.joining(answer);
        call.ends(says, reason);
    }
}

#[test]
fn the_first_to_arrive_hears_so_and_then_music() {
    let mut call = joining(room());
    call.joining(JoinAnswer::Admitted(FIRST));
    assert_eq!(call.take(), ["play entry.joining, wait.first"]);
    call.played();
    assert_eq!(call.take(), ["enter", "music on"]);
    call.pass(3_600_000);
    // Keys belong to the menus of the conference.
    call.keys("1#");
    assert_eq!(call.take(), Vec::<String>::new());
    call.input(Input::Started);
    assert_eq!(call.take(), ["music off", "done"]);
}

#[test]
fn who_comes_before_the_leader_waits_with_music_and_hears_the_start() {
    let mut call = joining(room());
    call.joining(JoinAnswer::Admitted(EARLY));
    // A key ends the sentences and changes nothing else.
    call.keys("5");
    assert_eq!(call.take(), ["play entry.joining, wait.leader", "stop", "enter", "music on"]);
    call.input(Input::Started);
    assert_eq!(call.take(), ["music off", "play wait.start"]);
    call.played();
    assert_eq!(call.take(), ["done"]);

    let mut call = joining(room());
    call.joining(JoinAnswer::Admitted(Arrival { is_first: true, awaits_leader: true }));
    assert_eq!(call.take(), ["play entry.joining, wait.first, wait.leader"]);
    // The leader comes while that is said.
    call.input(Input::Started);
    call.played();
    assert_eq!(call.take(), ["enter", "done"]);
}

#[test]
fn an_early_caller_is_told_when_it_starts() {
    let time = TimeOfDay::new(14, 30).unwrap();
    let starts_at = Some((time, Day::Tomorrow));
    for (starts_in_s, starts_at, when) in [
        (720, starts_at, Saying::StartsIn { seconds: 720 }),
        (86_000, starts_at, Saying::StartsAt { time, day: Day::Tomorrow }),
        (86_000, None, Saying::StartsIn { seconds: 86_000 }),
    ] {
        let mut call = joining(room());
        call.joining(JoinAnswer::NotYet { starts_in_s, starts_at });
        call.ends(&format!("entry.not-yet, {when:?}"), HangUpReason::NotYet);
    }
    // Too early for the room's patience.
    let mut call = joining(Room { hold_early_min: Some(10), ..room() });
    call.joining(JoinAnswer::NotYet { starts_in_s: 601, starts_at: None });
    call.ends(&format!("entry.not-yet, {:?}", Saying::StartsIn { seconds: 601 }), HangUpReason::NotYet);
}

#[test]
fn an_early_caller_is_held_and_hears_how_long_it_takes() {
    let starts_in = |seconds| format!("{:?}", Saying::StartsIn { seconds });
    let mut call = joining(Room { hold_early_min: Some(10), ..room() });
    call.joining(JoinAnswer::NotYet { starts_in_s: 400, starts_at: None });
    assert_eq!(call.take(), [format!("play entry.not-yet, {}", starts_in(400))]);
    call.pass(3_000);
    call.played();
    assert_eq!(call.take(), ["music on"]);
    call.pass(177_000);
    assert_eq!(call.take(), ["music off".to_owned(), format!("play {}", starts_in(220))]);
    // A key ends the sentence.
    call.keys("5");
    assert_eq!(call.take(), ["stop", "music on"]);
    call.pass(180_000);
    assert_eq!(call.take(), ["music off".to_owned(), format!("play {}", starts_in(40))]);
    call.played();
    call.take();
    call.pass(40_000);
    // The music goes on until the conference answers.
    assert_eq!(call.take(), ["join 1001 participant unnamed"]);
    call.joining(JoinAnswer::Admitted(STARTED));
    assert_eq!(call.take(), ["music off", "play entry.joining"]);
}

#[test]
fn a_start_that_is_put_off_is_waited_for_as_long_as_the_room_allows() {
    let mut call = joining(Room { hold_early_min: Some(2), ..room() });
    call.joining(JoinAnswer::NotYet { starts_in_s: 100, starts_at: None });
    call.played();
    call.pass(100_000);
    call.take();
    call.joining(JoinAnswer::NotYet { starts_in_s: 500, starts_at: None });
    assert_eq!(
        call.take(),
        ["music off".to_owned(), format!("play {:?}", Saying::StartsIn { seconds: 500 })]
    );
    call.played();
    call.take();
    // Two minutes, and one for clocks that differ.
    call.pass(79_999);
    assert_eq!(call.take(), Vec::<String>::new());
    call.pass(1);
    assert_eq!(call.take()[0], "music off");
    call.played();
    assert_eq!(call.take(), ["hang up NotYet"]);
}

#[test]
fn a_conference_that_is_a_moment_late_is_asked_again() {
    let mut call = joining(Room { hold_early_min: Some(2), ..room() });
    call.joining(JoinAnswer::NotYet { starts_in_s: 0, starts_at: None });
    call.played();
    call.pass(1_000);
    let mut joins = 0;
    for _ in 0..1_000 {
        joins += call.take().iter().filter(|output| output.starts_with("join")).count();
        if !matches!(call.entry.stage, Stage::Joining) {
            break;
        }
        call.joining(JoinAnswer::NotYet { starts_in_s: 0, starts_at: None });
        call.pass(1_000);
    }
    // Once a second, for two minutes and the grace of one.
    assert!((170..=180).contains(&joins), "{joins}");
    assert!(matches!(call.entry.stage, Stage::Closing { reason: HangUpReason::NotYet }));
}

#[test]
fn the_lobby_has_music_and_a_leader_decides() {
    let mut call = joining(room());
    call.joining(JoinAnswer::Lobby { leader_present: false });
    assert_eq!(call.take(), ["play wait.leader"]);
    call.played();
    assert_eq!(call.take(), ["music on"]);
    call.pass(7_200_000);
    assert_eq!(call.take(), Vec::<String>::new());
    call.joining(JoinAnswer::Lobby { leader_present: true });
    assert_eq!(call.take(), ["music off", "play lobby.wait"]);
    call.joining(JoinAnswer::Lobby { leader_present: true });
    call.keys("1");
    assert_eq!(call.take(), ["stop", "music on"]);
    call.joining(JoinAnswer::Admitted(STARTED));
    assert_eq!(call.take(), ["music off", "play entry.joining"]);
    call.played();
    assert_eq!(call.take(), ["enter", "done"]);

    let mut call = joining(room());
    call.joining(JoinAnswer::Lobby { leader_present: true });
    call.played();
    call.take();
    call.joining(JoinAnswer::Denied);
    assert_eq!(call.take(), ["music off", "play lobby.denied"]);
    call.played();
    assert_eq!(call.take(), ["hang up Denied"]);
}
