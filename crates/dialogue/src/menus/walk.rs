//! Random walks: any keys, any answers, late, twice or never, roles that change, and leaving at any point.

use super::*;
use crate::{
    PlaybackId,
    testing::{Random, key},
};
use plenary_conference::ParticipantId;

const WALKS: u64 = 10_000;
const STEPS: u64 = 60;

fn random_outcome(random: &mut Random) -> Outcome {
    let waiting = Outcome::Waiting {
        participant: ParticipantId::new("a"),
        name: None,
        count: 1 + random.below(2) as u32,
    };
    random
        .pick(&[
            Outcome::Muted,
            Outcome::StaysMuted,
            waiting,
            Outcome::NobodyWaits,
            Outcome::Admitted,
            Outcome::TurnedAway,
            Outcome::RecordingUnconfirmed,
            Outcome::RecordingOn,
            Outcome::RecordingStopped,
            Outcome::TimeLeft { seconds: Some(60), may_extend: true },
            Outcome::Done,
            Outcome::Failed,
        ])
        .clone()
}

fn walk(seed: u64) {
    let mut random = Random::new(seed + 1);
    let mut is_leader = random.one_in(2);
    let mut menus = Menus::new(Menu::default(), LeaderMenu::default(), is_leader, LanguageCode::english());
    let mut now = Mono(0);
    let (mut playing, mut has_left): (Option<PlaybackId>, bool) = (None, false);
    let (mut asked, mut may_end): (Vec<QuestionId>, bool) = (Vec::new(), false);
    let leave_at = random.below(STEPS * 2);
    for step in 0..STEPS {
        match random.below(10) {
            _ if step == leave_at => {
                menus.handle_input(Input::Left, now);
                has_left = true;
            }
            0..=4 => {
                let pressed = *random.pick(&['*', '*', '1', '2', '4', '5', '6', '7', '8', '#']);
                let is_consumed = random.one_in(20);
                menus.handle_input(Input::Key { key: key(pressed), is_consumed }, now);
            }
            5 | 6 if !asked.is_empty() => {
                let question = *random.pick(&asked);
                menus.handle_input(Input::Done { question, outcome: random_outcome(&mut random) }, now);
            }
            7 => {
                if let Some(id) = playing.take() {
                    menus.handle_input(Input::Played(id), now);
                }
            }
            8 if random.one_in(4) => {
                is_leader = random.one_in(2);
                menus.handle_input(Input::Role { is_leader }, now);
            }
            8 => menus.handle_input(Input::News(News::HandRaised), now),
            _ => {
                let to = match (random.one_in(3), menus.poll_timeout()) {
                    (true, Some(at)) => at,
                    _ => now.plus_ms(random.below(4_000)),
                };
                now = now.max(to);
                menus.handle_timeout(now);
            }
        }
        while let Some(output) = menus.poll_output() {
            match output {
                Output::Play(speech) => {
                    assert!(!has_left, "speech after the end");
                    assert_eq!(playing.replace(speech.id), None, "two playbacks");
                    may_end |= speech.items.contains(&Prompt::EndConfirm.into());
                }
                Output::StopPlay(id) => assert_eq!(playing.take(), Some(id)),
                Output::Do { question, command } => {
                    assert!(!has_left, "a command after the end");
                    assert!(is_leader || !command.is_for_leaders(), "{command:?} by a participant");
                    if command == Command::End {
                        assert!(std::mem::take(&mut may_end), "ended without being asked");
                    }
                    asked.push(question);
                }
            }
        }
        assert!(menus.poll_timeout().is_none_or(|at| at > now), "a deadline that has passed");
        if has_left {
            assert_eq!((menus.poll_timeout(), playing), (None, None));
        }
    }
}

#[test]
fn whatever_is_pressed_nothing_is_left_behind_and_leaders_keys_are_leaders() {
    for seed in 0..WALKS {
        assert!(std::panic::catch_unwind(|| walk(seed)).is_ok(), "the walk with seed {seed} failed");
    }
}
