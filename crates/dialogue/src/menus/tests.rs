//! Each key and each menu, in virtual time.

use super::*;
use crate::{
    PlaybackId,
    testing::{key, said},
};
use plenary_conference::ParticipantId;
use plenary_speech::{NameId, Saying};

struct Keypad {
    menus: Menus,
    now: Mono,
    playing: Option<PlaybackId>,
    is_urgent: bool,
    question: QuestionId,
    words: Vec<String>,
}

impl Keypad {
    fn with(menu: Menu, leader_menu: LeaderMenu, is_leader: bool) -> Self {
        let menus = Menus::new(menu, leader_menu, is_leader, LanguageCode::english());
        let (question, words) = (QuestionId(0), Vec::new());
        Self { menus, now: Mono(1_000), playing: None, is_urgent: false, question, words }
    }

    fn participant() -> Self {
        Self::with(Menu::default(), LeaderMenu::default(), false)
    }

    fn leader() -> Self {
        Self::with(Menu::default(), LeaderMenu::default(), true)
    }

    fn input(&mut self, input: Input) {
        self.menus.handle_input(input, self.now);
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(output) = self.menus.poll_output() {
            self.words.push(match output {
                Output::Play(speech) => {
                    assert_eq!(self.playing.replace(speech.id), None, "two playbacks at once");
                    self.is_urgent = speech.is_urgent;
                    format!("play {}", said(&speech).join(", "))
                }
                Output::StopPlay(id) => {
                    assert_eq!(self.playing.take(), Some(id));
                    "stop".to_owned()
                }
                Output::Do { question, command } => {
                    self.question = question;
                    format!("do {command:?}")
                }
            });
        }
        assert!(self.menus.poll_timeout().is_none_or(|at| at > self.now), "a deadline that has passed");
    }

    fn keys(&mut self, keys: &str) {
        for pressed in keys.chars() {
            self.input(Input::Key { key: key(pressed), is_consumed: false });
        }
    }

    fn played(&mut self) {
        let id = self.playing.take().expect("something plays");
        self.input(Input::Played(id));
    }

    fn done(&mut self, outcome: Outcome) {
        self.input(Input::Done { question: self.question, outcome });
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now.plus_ms(ms);
        while let Some(at) = self.menus.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.menus.handle_timeout(at);
            self.collect();
        }
        self.now = end;
    }

    fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.words)
    }
}

fn none() -> Vec<String> {
    Vec::new()
}

fn waiting(id: &str, count: u32) -> Outcome {
    Outcome::Waiting { participant: ParticipantId::new(id), name: None, count }
}

#[test]
fn each_key_of_participants_does_its_work_and_says_so() {
    for make in [Keypad::participant, Keypad::leader] {
        for (keys, command, outcome, says) in [
            ("*6", "ToggleMute", Outcome::Muted, "mute.on"),
            ("*6", "ToggleMute", Outcome::Unmuted, "mute.off"),
            ("*6", "ToggleMute", Outcome::StaysMuted, "mute.not-allowed, mute.ask"),
            ("*6", "ToggleMute", Outcome::ListenOnly, "listen.only"),
            ("*9", "ToggleHand", Outcome::HandRaised, "hand.up"),
            ("*9", "ToggleHand", Outcome::HandLowered, "hand.down"),
            ("*6", "ToggleMute", Outcome::Failed, "key.failed"),
        ] {
            let mut pad = make();
            pad.keys(keys);
            assert_eq!(pad.take(), [format!("do {command}")]);
            pad.done(outcome);
            assert_eq!(pad.take(), [format!("play {says}")]);
        }
    }
}

#[test]
fn each_key_of_a_leader_does_its_work_and_says_so_and_is_the_leaders_alone() {
    for (keys, command, outcome, says) in [
        ("*5", "NextFloor", Outcome::AllMuted, "mute.all-on"),
        ("*5", "NextFloor", Outcome::LectureOn, "lecture.on"),
        ("*5", "NextFloor", Outcome::AllUnmuted, "mute.all-off"),
        ("*7", "ToggleLock", Outcome::Locked, "lock.on"),
        ("*7", "ToggleLock", Outcome::Unlocked, "lock.off"),
        ("*8", "NextWaiting", Outcome::NobodyWaits, "lobby.nobody"),
        ("*2", "Record { is_confirmed: false }", Outcome::RecordingPaused, "record.paused"),
        ("*2", "Record { is_confirmed: false }", Outcome::RecordingResumed, "record.resumed"),
        ("*#", "TimeLeft", Outcome::TimeLeft { seconds: None, may_extend: false }, "time.no-end"),
    ] {
        let mut pad = Keypad::leader();
        pad.keys(keys);
        assert_eq!(pad.take(), [format!("do {command}")]);
        pad.done(outcome);
        assert_eq!(pad.take(), [format!("play {says}")]);
    }
    for keys in ["*5", "*7", "*8", "*1", "*2", "*#", "**"] {
        let mut pad = Keypad::participant();
        pad.keys(keys);
        assert_eq!(pad.take(), ["play key.not-you"], "{keys}");
    }
}

#[test]
fn a_menu_may_have_a_key_that_ends_the_recording() {
    let leaders = serde_json::from_str(r#"{"*0": "help", "*22": "record_stop"}"#).unwrap();
    let mut pad = Keypad::with(Menu::default(), leaders, true);
    pad.keys("*22");
    assert_eq!(pad.take(), ["do StopRecording"]);
    pad.done(Outcome::RecordingStopped);
    assert_eq!(pad.take(), ["play record.off"]);
    pad.keys("*0");
    let help = pad.take().pop().unwrap();
    assert!(
        help.contains(&format!("{:?}", Saying::KeyFor { task: MenuAction::RecordStop, keys: "*22".into() }))
    );
    // That is nothing for participants, not even in their own menu.
    assert!(serde_json::from_str::<Menu>(r#"{"*22": "record_stop"}"#).is_err());
}

#[test]
fn the_count_again_is_the_roll_call() {
    let mut pad = Keypad::leader();
    pad.keys("*3");
    pad.done(Outcome::Count { participants: 5, waiting: 2 });
    let (count, lobby) = (Saying::Participants { count: 5 }, Saying::Waiting { count: 2 });
    assert_eq!(pad.take(), ["do Count".to_owned(), format!("play {count:?}, {lobby:?}")]);
    pad.pass(9_000);
    pad.keys("*3");
    assert_eq!(pad.take(), ["stop", "do RollCall"]);
    let roll = (vec![NameId("a".into())], 4);
    pad.done(Outcome::Roll { names: roll.0.clone(), unnamed: roll.1 });
    assert_eq!(pad.take(), [format!("play {:?}", Saying::RollCall { names: roll.0, unnamed: roll.1 })]);
    pad.keys("*3");
    assert_eq!(pad.take(), ["stop", "do Count"]);
    pad.pass(10_000);
    pad.keys("*3");
    assert_eq!(pad.take().last().unwrap(), "do Count");
    // The lobby is no participant's business.
    let mut pad = Keypad::participant();
    pad.keys("*3");
    pad.done(Outcome::Count { participants: 5, waiting: 2 });
    assert_eq!(pad.take(), ["do Count".to_owned(), format!("play {count:?}")]);
}

#[test]
fn the_volume_has_a_menu_that_stays_open() {
    let mut pad = Keypad::participant();
    pad.keys("*4");
    assert_eq!(pad.take(), ["play volume.keys"]);
    pad.keys("6");
    assert_eq!(pad.take(), ["stop", "do Hear(Up)"]);
    pad.done(Outcome::Volume(Volume::Louder));
    pad.keys("4");
    pad.done(Outcome::Volume(Volume::AtLimit));
    pad.keys("5");
    pad.done(Outcome::Volume(Volume::Normal));
    assert_eq!(
        pad.take(),
        [
            "play volume.up",
            "stop",
            "do Hear(Down)",
            "play volume.limit",
            "stop",
            "do Hear(Reset)",
            "play volume.reset"
        ]
    );
    pad.keys("9");
    assert_eq!(pad.take(), ["stop", "play key.unknown"]);
    pad.keys("#");
    assert_eq!(pad.take(), ["stop", "play tone:660/120"]);
    pad.keys("6");
    assert_eq!(pad.take(), ["stop"]);
    // A star leaves it, and so does time.
    pad.keys("*4*6");
    assert_eq!(pad.take(), ["play volume.keys", "stop", "do ToggleMute"]);
    pad.keys("*4");
    pad.pass(15_000);
    pad.take();
    pad.keys("6");
    assert!(!pad.take().contains(&"do Hear(Up)".to_owned()));
}

#[test]
fn the_lobby_is_gone_through_one_by_one() {
    let asks = |count| {
        let asks = format!("{:?}, lobby.admit", Saying::AsksAdmission { name: None });
        let all = [(MenuAction::AdmitAll, "3"), (MenuAction::RefuseAll, "4")];
        let [admit, refuse] = all.map(|(task, keys)| Saying::KeyFor { task, keys: keys.to_owned() });
        match count {
            1 => format!("play {asks}"),
            count => format!("play {:?}, {asks}, {admit:?}, {refuse:?}", Saying::Waiting { count }),
        }
    };
    let mut pad = Keypad::leader();
    pad.keys("*8");
    pad.done(waiting("a", 2));
    assert_eq!(pad.take(), ["do NextWaiting".to_owned(), asks(2)]);
    pad.keys("1");
    assert_eq!(pad.take(), ["stop", "do Admit(One(ParticipantId(\"a\")))"]);
    pad.done(Outcome::Admitted);
    assert_eq!(pad.take(), ["play lobby.admitted", "do NextWaiting"]);
    pad.done(waiting("b", 1));
    pad.played();
    assert_eq!(pad.take(), [asks(1)]);
    pad.keys("2");
    pad.done(Outcome::TurnedAway);
    pad.done(Outcome::NobodyWaits);
    // That nobody is left need not be said.
    assert_eq!(
        pad.take(),
        ["stop", "do Refuse(One(ParticipantId(\"b\")))", "play lobby.turned-away", "do NextWaiting"]
    );
    pad.keys("*8");
    pad.done(waiting("d", 1));
    pad.keys("#");
    assert_eq!(
        pad.take(),
        [
            "stop".to_owned(),
            "do NextWaiting".to_owned(),
            asks(1),
            "stop".to_owned(),
            "play tone:660/120".to_owned()
        ]
    );
    // A caller who hung up meanwhile is passed over.
    pad.keys("*8");
    pad.done(waiting("c", 1));
    pad.keys("1");
    pad.take();
    pad.done(Outcome::NobodyWaits);
    assert_eq!(pad.take(), ["do NextWaiting"]);
}

#[test]
fn all_in_the_lobby_are_admitted_or_turned_away_by_one_key_of_its_menu() {
    for (key, command, outcome, says) in [
        ("3", "AdmitAll", Outcome::AllAdmitted, "lobby.admitted-all"),
        ("3", "AdmitAll", Outcome::SomeAdmitted, "lobby.admitted, entry.full"),
        ("3", "AdmitAll", Outcome::Full, "entry.full"),
        ("4", "RefuseAll", Outcome::AllTurnedAway, "lobby.turned-away, lobby.nobody"),
        ("4", "RefuseAll", Outcome::NobodyWaits, "lobby.nobody"),
    ] {
        let mut pad = Keypad::leader();
        pad.keys("*8");
        pad.done(waiting("a", 2));
        pad.take();
        pad.keys(key);
        assert_eq!(pad.take(), ["stop".to_owned(), format!("do {command}")]);
        pad.done(outcome);
        assert_eq!(pad.take(), [format!("play {says}")]);
    }
}

#[test]
fn what_cannot_be_undone_is_confirmed() {
    let mut pad = Keypad::leader();
    pad.keys("*2");
    pad.done(Outcome::RecordingUnconfirmed);
    pad.keys("1");
    pad.done(Outcome::RecordingOn);
    assert_eq!(
        pad.take(),
        [
            "do Record { is_confirmed: false }",
            "play record.confirm",
            "stop",
            "do Record { is_confirmed: true }",
            "play record.on"
        ]
    );
    let mut pad = Keypad::leader();
    pad.keys("**1");
    assert_eq!(pad.take(), ["play end.confirm", "stop", "do End"]);
    for no in ["2", "#", ""] {
        let mut pad = Keypad::leader();
        pad.keys("**");
        pad.played();
        pad.keys(no);
        pad.pass(15_000);
        assert_eq!(pad.take(), ["play end.confirm", "play end.cancelled"], "{no}");
        pad.keys("1");
        assert!(!pad.take().contains(&"do End".to_owned()));
    }
}

#[test]
fn the_time_left_is_said_and_one_extends() {
    let left = Outcome::TimeLeft { seconds: Some(600), may_extend: true };
    let says = format!("play {:?}", Saying::TimeLeft { seconds: 600 });
    let mut pad = Keypad::leader();
    pad.keys("*#");
    pad.done(left.clone());
    pad.keys("1");
    pad.done(Outcome::Extended { seconds: 900 });
    assert_eq!(
        pad.take(),
        [
            "do TimeLeft".to_owned(),
            format!("{says}, time.extend"),
            "stop".to_owned(),
            "do Extend { minutes: 15 }".to_owned(),
            format!("play {:?}", Saying::ExtendedBy { seconds: 900 })
        ]
    );
    // Participants may be told where their menu says so, and may not extend.
    let menu = serde_json::from_str(r##"{"*#": "time_left"}"##).unwrap();
    let mut pad = Keypad::with(menu, LeaderMenu::default(), false);
    pad.keys("*#");
    pad.done(left);
    pad.keys("1");
    assert_eq!(pad.take(), ["do TimeLeft".to_owned(), says, "stop".to_owned()]);
}

#[test]
fn a_number_to_call_is_ended_by_hash_and_corrected_by_star() {
    let mut pad = Keypad::leader();
    pad.keys("*1");
    pad.keys("0309*030123#");
    assert_eq!(
        pad.take(),
        ["play dial.number", "stop", "play dial.number", "stop", "do Call { number: \"030123\" }"]
    );
    pad.done(Outcome::Calling);
    pad.played();
    pad.input(Input::News(News::Call(CallProgress::Busy)));
    assert_eq!(pad.take(), ["play dial.calling", "play dial.busy"]);
    for (keys, says) in [("#", "dial.cancelled"), ("*", "dial.cancelled"), ("030", "dial.cancelled")] {
        let mut pad = Keypad::leader();
        pad.keys("*1");
        pad.keys(keys);
        pad.pass(15_000);
        assert_eq!(pad.take().last().unwrap(), &format!("play {says}"), "{keys}");
    }
    let mut pad = Keypad::leader();
    pad.keys("*1123456789012345678901");
    assert_eq!(pad.take().last().unwrap(), "play dial.failed");
}

#[test]
fn help_comes_by_its_keys_and_by_a_star_alone() {
    let mut pad = Keypad::participant();
    pad.keys("*0");
    assert_eq!(pad.take(), ["play help.participant"]);
    let mut pad = Keypad::leader();
    pad.keys("*");
    pad.pass(2_999);
    assert_eq!(pad.take(), none());
    pad.pass(1);
    assert_eq!(pad.take(), ["play help.participant"]);
    pad.played();
    assert_eq!(pad.take(), ["play help.leader-1"]);
    // A key ends it, and the part behind it.
    pad.keys("*");
    pad.pass(2_000);
    assert_eq!(pad.take(), ["stop"]);
    let menu = serde_json::from_str(r#"{"1": "mute", "*0": "help"}"#).unwrap();
    let mut pad = Keypad::with(menu, LeaderMenu::default(), false);
    pad.keys("*0");
    let keys = |task, keys: &str| format!("{:?}", Saying::KeyFor { task, keys: keys.to_owned() });
    assert_eq!(
        pad.take(),
        [format!("play {}, {}", keys(MenuAction::Help, "*0"), keys(MenuAction::Mute, "1"))]
    );
}

#[test]
fn the_help_of_a_long_menu_comes_in_parts_of_twelve_seconds() {
    let parts_of = |keys: Vec<String>| {
        let mut menu: BTreeMap<_, _> = keys.into_iter().map(|keys| (keys, "mute")).collect();
        menu.insert("*0".to_owned(), "help");
        let menu = serde_json::from_value(serde_json::to_value(menu).unwrap()).unwrap();
        let mut pad = Keypad::with(menu, LeaderMenu::default(), false);
        pad.keys("*0");
        let mut parts = Vec::new();
        while pad.playing.is_some() {
            parts.extend(pad.take().iter().map(|said| said.matches("KeyFor").count()));
            pad.played();
        }
        assert_eq!(pad.take(), none());
        parts
    };
    assert_eq!(parts_of((1..=9).map(|key| key.to_string()).collect()), [4, 5, 1]);
    assert_eq!(parts_of((1..=9).map(|key| format!("*{key}")).collect()), [3, 3, 3, 1]);
    // As many as a menu may have: none is left out.
    let most = parts_of((1..64).map(|key| format!("{key:02}*#")).collect());
    assert_eq!((most.len(), most.iter().sum::<usize>()), (32, 64));
}

#[test]
fn what_is_long_is_heard_to_its_end_and_what_has_got_lost_ends() {
    for (names, end_s) in [(0, 60), (15, 135), (100, 560)] {
        let names = (0..names).map(|name| NameId(format!("n{name}"))).collect();
        let mut pad = Keypad::participant();
        pad.keys("*3");
        pad.done(Outcome::Roll { names, unnamed: 4 });
        pad.take();
        pad.pass(end_s * 1_000 - 1);
        assert_eq!(pad.take(), none(), "{end_s} s");
        pad.pass(1);
        assert_eq!(pad.take(), ["stop"], "{end_s} s");
    }
    // News wait in the media plane until what is said to all is over.
    let mut pad = Keypad::leader();
    pad.input(Input::News(News::Guessing));
    pad.input(Input::News(News::HandRaised));
    pad.pass(1_200_000);
    assert_eq!(pad.take(), ["play lobby.guessing"]);
    pad.played();
    assert_eq!(pad.take(), ["play hand.somebody"]);
    pad.pass(1_260_000);
    assert_eq!(pad.take(), ["stop"]);
}

#[test]
fn one_false_key_does_nothing_and_an_unknown_sequence_is_told() {
    let mut pad = Keypad::participant();
    pad.keys("5#0");
    pad.pass(60_000);
    assert_eq!(pad.take(), none());
    let leaders = serde_json::from_str(r#"{"*6": "mute", "99": "end"}"#).unwrap();
    let mut pad = Keypad::with(Menu::default(), leaders, true);
    pad.keys("*5");
    assert_eq!(pad.take(), ["play key.unknown"]);
    pad.keys("9");
    pad.pass(3_000);
    assert_eq!(pad.take(), ["stop"]);
    pad.keys("99");
    assert_eq!(pad.take(), ["play end.confirm"]);
}

#[test]
fn single_keys_and_longer_sequences_work_where_they_are_configured() {
    let menu = serde_json::from_str(r##"{"1": "mute", "239": "hand", "#": "leave"}"##).unwrap();
    let mut pad = Keypad::with(menu, LeaderMenu::default(), false);
    pad.keys("1");
    pad.keys("23");
    pad.pass(2_999);
    pad.keys("9");
    assert_eq!(pad.take(), ["do ToggleMute", "do ToggleHand"]);
    // Goodbye is heard before the participant leaves.
    pad.keys("#");
    assert_eq!(pad.take(), ["play leave.goodbye"]);
    pad.keys("1");
    pad.played();
    assert_eq!(pad.take(), ["do Leave"]);
}

#[test]
fn a_key_that_the_service_has_taken_does_nothing_else() {
    let mut pad = Keypad::participant();
    pad.keys("*");
    pad.input(Input::Key { key: key('6'), is_consumed: true });
    pad.pass(10_000);
    assert_eq!(pad.take(), none());
    pad.keys("6");
    assert_eq!(pad.take(), none());
}

#[test]
fn an_answer_that_is_late_says_what_it_is_and_opens_no_menu() {
    let mut pad = Keypad::leader();
    pad.keys("*8");
    let lobby = pad.question;
    pad.keys("*6");
    pad.input(Input::Done { question: lobby, outcome: waiting("a", 1) });
    pad.keys("1");
    assert!(!pad.take().iter().any(|word| word.contains("Admit(")));
    let mut pad = Keypad::leader();
    pad.keys("*7");
    pad.pass(10_000);
    assert_eq!(pad.take(), ["do ToggleLock", "play key.failed"]);
    pad.done(Outcome::Locked);
    assert_eq!(pad.take(), none());
}

#[test]
fn what_others_do_to_a_participant_is_told_with_the_keys_that_help() {
    let key_for = format!("{:?}", Saying::KeyFor { task: MenuAction::Mute, keys: "*6".into() });
    for (news, says) in [
        (News::MutedByLeader { self_unmute: true }, format!("mute.by-leader, {key_for}")),
        (News::MutedByLeader { self_unmute: false }, "mute.by-leader, mute.ask".to_owned()),
        (News::UnmutedByLeader, "mute.off-by-leader".to_owned()),
        (News::AskedToUnmute, "mute.talking".to_owned()),
        (News::HandRaised, "hand.somebody".to_owned()),
        (News::Call(CallProgress::Joined), "dial.joined".to_owned()),
    ] {
        let mut pad = Keypad::participant();
        pad.input(Input::News(news));
        assert_eq!(pad.take(), [format!("play {says}")]);
    }
    let menu = serde_json::from_str(r#"{"1": "mute", "2": "hand"}"#).unwrap();
    let mut pad = Keypad::with(menu, LeaderMenu::default(), false);
    pad.input(Input::News(News::AskedToUnmute));
    assert_eq!(pad.take(), [format!("play {:?}", Saying::KeyToUnmute { keys: "1".into() })]);
}

#[test]
fn sentences_follow_each_other() {
    let mut pad = Keypad::participant();
    pad.input(Input::News(News::HandRaised));
    pad.input(Input::News(News::UnmutedByLeader));
    assert_eq!(pad.take(), ["play hand.somebody"]);
    pad.played();
    assert_eq!(pad.take(), ["play mute.off-by-leader"]);
}

#[test]
fn an_answer_is_urgent_and_comes_before_news_which_are_said_when_no_key_is_awaited() {
    let mut pad = Keypad::leader();
    pad.input(Input::News(News::HandRaised));
    pad.input(Input::News(News::Guessing));
    assert_eq!((pad.take(), pad.is_urgent), (vec!["play hand.somebody".to_owned()], false));
    // A key ends the one that is being said; the other one is kept, and is not begun between two keys.
    pad.keys("*");
    assert_eq!(pad.take(), ["stop"]);
    pad.keys("7");
    assert_eq!(pad.take(), ["do ToggleLock"], "nor before the answer");
    pad.done(Outcome::Locked);
    assert_eq!((pad.take(), pad.is_urgent), (vec!["play lock.on".to_owned()], true));
    pad.played();
    assert_eq!((pad.take(), pad.is_urgent), (vec!["play lobby.guessing".to_owned()], false));
    pad.played();

    // News that begin before an answer that comes late are said again after it.
    pad.keys("*2");
    pad.done(Outcome::Done);
    pad.input(Input::News(News::HandRaised));
    pad.input(Input::News(News::RecordingBegun));
    assert_eq!(pad.take()[1..], ["play hand.somebody", "stop", "play record.on"]);
    assert!(pad.is_urgent);
    pad.played();
    assert_eq!(pad.take(), ["play hand.somebody"]);
    pad.played();

    // Nor between the digits of a number; when no more come, they are.
    pad.keys("*1");
    pad.played();
    pad.keys("0");
    pad.take();
    pad.input(Input::News(News::HandRaised));
    pad.keys("1");
    assert_eq!(pad.take(), none());
    pad.pass(15_000);
    pad.played();
    assert_eq!(pad.take(), ["play dial.cancelled", "play hand.somebody"]);
}

#[test]
fn a_new_leader_has_the_leaders_keys() {
    let mut pad = Keypad::participant();
    pad.input(Input::Role { is_leader: true });
    pad.keys("*7");
    assert_eq!(pad.take(), ["play leader.you", "stop", "do ToggleLock"]);
    pad.keys("**");
    pad.input(Input::Role { is_leader: false });
    pad.played();
    pad.keys("1");
    assert!(!pad.take().contains(&"do End".to_owned()));
    pad.keys("*7");
    assert_eq!(pad.take(), ["play key.not-you"]);
}

#[test]
fn a_participant_who_leaves_leaves_nothing_behind() {
    let mut pad = Keypad::leader();
    pad.keys("*7*0");
    pad.take();
    pad.input(Input::Left);
    assert_eq!(pad.take(), ["stop"]);
    pad.done(Outcome::Locked);
    pad.keys("*6");
    pad.pass(100_000);
    assert_eq!((pad.take(), pad.menus.poll_timeout()), (none(), None));
}
