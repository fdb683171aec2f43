//! Every key of the two cards in `docs/keys.md`, over SIP and RTP: what the one who pressed hears, and how soon, what the others
//! hear, and what the web services say of it.
#![allow(missing_docs)]

mod support;

use plenary_audio::dtmf::{DtmfDetector, HIGH_HZ, LOW_HZ, ToneEvent};
use plenary_caller::{Call, KeyBody, KeyRoute};
use serde_json::{Value, json};
use support::{
    entry::{World, assert_silence, speech, wait_for_silence, wait_for_tone},
    talk::reserve,
    wait_for,
};

/// A key's confirmation is audible within so long after the key. Counted in audio that the telephone has received, from the first
/// RTP packet that says that the key is up to the first audible sample that comes out of its jitter buffer: the network, both jitter
/// buffers and the media thread's 20 ms are in it.
const CONFIRMED_MS: u64 = 300;
/// `*` alone waits so long for a second key.
const SECOND_KEY_MS: u64 = 3000;

const BOARD: &str = "/v1/conferences/Board";

/// Who is in the conference, in the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Leader,
    Participant,
    /// One who presses no key.
    Bystander,
}

use Who::{Bystander, Leader, Participant};

struct Board {
    world: World,
    calls: [Call; 3],
    /// Who has to hear nothing, since which position, and which keys were pressed.
    silent: Vec<(Who, u64, String)>,
}

impl Board {
    /// A reserved conference with a leader and two participants, all silent.
    fn begin(config: &str) -> Self {
        let settings =
            json!({"conference": "Board", "pin": "4711", "leader_pin": "70215548", "announce": "none"});
        let mut lobby = settings.clone();
        lobby["lobby"] = true.into();
        let world = World::new(config, &[("1001", settings), ("1002", lobby)]);
        world.server.reserve_now("Board");
        wait_for("open", || (world.server.get(BOARD)["state"] == "holding").then_some(()));
        let calls = ["1001#70215548#", "1001#4711#", "1001#4711#"].map(|keys| world.enter("Board", 0, keys));
        for call in &calls {
            wait_for_silence(call);
        }
        Self { world, calls, silent: Vec::new() }
    }

    fn call(&self, who: Who) -> &Call {
        &self.calls[who as usize]
    }

    fn positions(&self) -> [u64; 3] {
        [0, 1, 2].map(|place| self.calls[place].position())
    }

    /// Presses keys, hears these prompts one after the other, the first of them at once, while the others hear nothing.
    #[track_caller]
    fn confirms(&mut self, who: Who, keys: &str, prompts: &[&str]) {
        self.confirms_and_tells(who, keys, prompts, &[]);
    }

    /// The same where others hear something too.
    #[track_caller]
    fn confirms_and_tells(&mut self, who: Who, keys: &str, prompts: &[&str], told: &[(Who, &[&str])]) {
        self.assert_silent();
        let since = self.positions();
        self.call(who).press(keys).unwrap();
        self.hears(who, since[who as usize], prompts);
        let delay_ms = self.delay_ms(who, since[who as usize], prompts[0]);
        assert!(delay_ms <= CONFIRMED_MS, "{keys}: {} after {delay_ms} ms", prompts[0]);
        for other in [Leader, Participant, Bystander] {
            let place = other as usize;
            match told.iter().find(|(told, _)| *told == other) {
                _ if other == who => {}
                Some((_, prompts)) => self.hears(other, since[place], prompts),
                None => self.silent.push((other, since[place], keys.to_owned())),
            }
        }
    }

    /// The others have heard nothing since keys were pressed.
    #[track_caller]
    fn assert_silent(&mut self) {
        for (who, since, keys) in std::mem::take(&mut self.silent) {
            assert_silence(self.call(who), since, 0, &format!("{who:?}, as {keys} is pressed"));
        }
    }

    #[track_caller]
    fn hears(&mut self, who: Who, mut since: u64, prompts: &[&str]) {
        for prompt in prompts {
            since = self.world.prompts.wait_since(&self.calls[who as usize], since, prompt);
        }
    }

    /// From the end of the last key to the beginning of a prompt, in milliseconds.
    #[track_caller]
    fn delay_ms(&mut self, who: Who, since: u64, prompt: &str) -> u64 {
        let call = &self.calls[who as usize];
        let began = self.world.prompts.wait_since(call, since, prompt);
        began.saturating_sub(call.key_times().released_at) * 1000 / u64::from(call.rate_hz())
    }

    #[track_caller]
    fn quiet(&mut self) {
        self.assert_silent();
        for call in &self.calls {
            wait_for_silence(call);
        }
    }

    fn participant(&self, who: Who) -> Value {
        self.world.server.get(&format!("{BOARD}/participants"))["items"][who as usize].take()
    }

    #[track_caller]
    fn shows(&self, who: Who, expected: &Value) {
        let shown = self.participant(who);
        for (member, value) in expected.as_object().unwrap() {
            assert_eq!(&shown[member], value, "{who:?} {member}: {shown}");
        }
    }

    #[track_caller]
    fn is_so(&self, expected: &Value) {
        let shown = self.world.server.get(BOARD);
        for (member, value) in expected.as_object().unwrap() {
            assert_eq!(&shown[member], value, "{member}: {shown}");
        }
    }
}

/// The machine of a test may have little free space.
const CONFIG: &str =
    "[reservations]\nmin_notice_minutes = 0\ncapacity = 60\n[recordings]\nkeep_free_bytes = 0\n";

#[test]
fn each_key_of_participants_is_confirmed_to_the_one_who_pressed_it_and_does_what_the_card_says() {
    let mut board = Board::begin(CONFIG);
    board.confirms(Participant, "*6", &["mute.on"]);
    board.shows(Participant, &json!({"muted": true, "muted_by": "self"}));
    board.shows(Bystander, &json!({"muted": false}));
    board.confirms(Participant, "*6", &["mute.off"]);
    board.shows(Participant, &json!({"muted": false, "muted_by": null}));
    board.confirms_and_tells(Participant, "*9", &["hand.up"], &[(Leader, &["hand.somebody"])]);
    assert!(board.participant(Participant)["hand_raised_at"].is_string());
    board.quiet();
    board.confirms(Participant, "*9", &["hand.down"]);
    board.shows(Participant, &json!({"hand_raised_at": null}));
    board.confirms(Participant, "*3", &["count.there-are", "number.3", "count.participants"]);
    // Nobody has recorded a name.
    board.confirms(Participant, "*3", &["roll.start", "number.3", "roll.unnamed-many", "roll.end"]);
    board.quiet();

    // The volume of what is heard, by another's tone.
    board.call(Bystander).say(&speech(1100)).unwrap();
    wait_for_tone(board.call(Leader), 1100.0, true);
    let level = |board: &Board| {
        let heard = board.call(Participant).heard(400);
        plenary_audio::goertzel::power_dbov(&heard, 8000, 1100.0)
    };
    let reaches = |board: &Board, dbov: f32| {
        wait_for(&format!("{dbov} dBov"), || ((level(board) - dbov).abs() < 0.7).then_some(()));
    };
    reaches(&board, -20.0);
    let volume = |board: &mut Board, keys: &str, prompt: &str| {
        let since = board.call(Participant).position();
        board.call(Participant).press(keys).unwrap();
        board.delay_ms(Participant, since, prompt)
    };
    assert!(volume(&mut board, "*4", "volume.keys") <= CONFIRMED_MS);
    for (keys, prompt, dbov) in [
        ("4", "volume.down", -23.0),
        ("4", "volume.down", -26.0),
        ("5", "volume.reset", -20.0),
        ("6", "volume.up", -17.0),
        ("666", "volume.up", -8.0),
        ("6", "volume.limit", -8.0),
        ("5", "volume.reset", -20.0),
    ] {
        let delay_ms = volume(&mut board, keys, prompt);
        assert!(delay_ms <= CONFIRMED_MS, "{prompt} after {delay_ms} ms");
        reaches(&board, dbov);
    }
    let of_leader = plenary_audio::goertzel::power_dbov(&board.call(Leader).heard(400), 8000, 1100.0);
    assert!((of_leader + 20.0).abs() < 0.7, "others hear it as before: {of_leader} dBov");
    board.call(Participant).press("#4").unwrap();
    wait_for("the keys", || (board.call(Participant).keys_left() == 0).then_some(()));
    reaches(&board, -20.0);
    board.call(Bystander).say(&speech(0)).unwrap();
    board.quiet();

    board.confirms(Participant, "*0", &["help.participant"]);
    for leaders in ["*5", "*7", "*8", "*1", "*#", "**"] {
        board.confirms(Participant, leaders, &["key.not-you"]);
    }
    board.is_so(&json!({"locked": false, "lecture": false, "participants": 3}));
    board.confirms(Participant, "*D", &["key.unknown"]);
    board.quiet();
    let since = board.call(Participant).position();
    board.call(Participant).press("7").unwrap();
    assert_silence(board.call(Participant), since, 800, "one key that means nothing");

    // Alone it asks for help; a second key that comes later belongs to nothing.
    let since = board.call(Participant).position();
    board.call(Participant).press("*").unwrap();
    let delay_ms = board.delay_ms(Participant, since, "help.participant");
    assert!((SECOND_KEY_MS - 200..=SECOND_KEY_MS + CONFIRMED_MS).contains(&delay_ms), "{delay_ms} ms");
    board.call(Participant).press("6").unwrap();
    board.quiet();
    board.shows(Participant, &json!({"muted": false}));
}

#[test]
fn each_key_of_leaders_is_confirmed_and_does_what_the_card_says() {
    let mut board = Board::begin(CONFIG);
    board.confirms(Leader, "*7", &["lock.on"]);
    board.is_so(&json!({"locked": true}));
    board.confirms(Leader, "*7", &["lock.off"]);
    board.is_so(&json!({"locked": false}));
    board.confirms(Leader, "*8", &["lobby.nobody"]);
    board.confirms(Leader, "*0", &["help.participant"]);

    // Fifteen minutes more, until seats are sold to others.
    assert_eq!(reserve(&board.world.server, "Other", 46).0, 200);
    let ends_at = |board: &Board| -> jiff::Timestamp {
        board.world.server.get(BOARD)["ends_at"].as_str().unwrap().parse().unwrap()
    };
    let before = ends_at(&board);
    board.confirms(Leader, "*#", &["time.left"]);
    let to_all: [(Who, &[&str]); 2] =
        [(Participant, &["time.extended-15"]), (Bystander, &["time.extended-15"])];
    board.confirms_and_tells(Leader, "1", &["time.extended-15"], &to_all);
    assert_eq!(ends_at(&board).as_second() - before.as_second(), 15 * 60);
    board.quiet();
    board.confirms(Leader, "*#", &["time.left"]);
    board.confirms(Leader, "1", &["time.not-extended"]);
    assert_eq!(ends_at(&board).as_second() - before.as_second(), 15 * 60);

    // A number to call: corrected, given up, and one that no trunk leads to.
    board.confirms(Leader, "*1", &["dial.number"]);
    board.confirms(Leader, "12*", &["dial.number"]);
    board.confirms(Leader, "#", &["dial.cancelled"]);
    board.confirms(Leader, "*1", &["dial.number"]);
    board.confirms(Leader, "01632960001#", &["dial.not-allowed"]);
    board.quiet();

    // Two wait in the lobby.
    let waits = |board: &Board| {
        let call = board.world.call(0);
        call.press("1002#4711#").unwrap();
        call
    };
    let since = board.call(Leader).position();
    let first = waits(&board);
    board.hears(Leader, since, &["lobby.someone"]);
    let since = board.call(Leader).position();
    let mut second = waits(&board);
    board.hears(Leader, since, &["lobby.someone"]);
    wait_for("both to wait", || {
        let items = board.world.server.get(&format!("{BOARD}/participants"))["items"].take();
        (items.as_array().unwrap().len() == 5).then_some(())
    });
    board.quiet();
    let asked = ["count.there-are", "number.2", "count.in-lobby", "lobby.someone", "lobby.admit"];
    board.confirms(Leader, "*8", &asked);
    board.confirms(Leader, "1", &["lobby.admitted", "lobby.someone", "lobby.admit"]);
    board.world.server.wait_for_participants("Board", 4);
    board.world.prompts.wait_for(&first, "entry.joining");
    board.confirms(Leader, "2", &["lobby.turned-away"]);
    board.world.prompts.wait_for(&second, "lobby.denied");
    board.world.assert_ended(&mut second, "A leader turned the caller away");
    first.hang_up();
    board.world.server.wait_for_participants("Board", 3);
    board.quiet();

    // All muted, lecture, open.
    let muted: &[&str] = &["mute.by-leader", "key.mute", "word.star", "number.6"];
    board.confirms_and_tells(Leader, "*5", &["mute.all-on"], &[(Participant, muted), (Bystander, muted)]);
    board.shows(Leader, &json!({"muted": false}));
    board.shows(Participant, &json!({"muted": true, "muted_by": "leader"}));
    board.shows(Bystander, &json!({"muted": true, "muted_by": "leader"}));
    board.quiet();
    board.confirms(Participant, "*6", &["mute.off"]);
    board.shows(Participant, &json!({"muted": false, "muted_by": null}));
    board.quiet();
    board.world.send("PATCH", BOARD, &json!({"self_unmute": false}));
    let muted: &[&str] = &["mute.by-leader", "mute.ask"];
    board.confirms_and_tells(Leader, "*5", &["lecture.on"], &[(Participant, muted)]);
    board.is_so(&json!({"lecture": true}));
    board.shows(Participant, &json!({"muted": true, "muted_by": "lecture"}));
    board.quiet();
    board.confirms(Participant, "*6", &["mute.not-allowed", "mute.ask"]);
    board.shows(Participant, &json!({"muted": true, "muted_by": "lecture"}));
    board.quiet();
    board.confirms_and_tells(Participant, "*9", &["hand.up"], &[(Leader, &["hand.somebody"])]);
    board.quiet();
    let spoken: &[&str] = &["mute.off-by-leader"];
    board.confirms_and_tells(Leader, "*5", &["mute.all-off"], &[(Participant, spoken), (Bystander, spoken)]);
    board.is_so(&json!({"lecture": false}));
    board.shows(Participant, &json!({"muted": false, "muted_by": null, "hand_raised_at": null}));
    board.shows(Bystander, &json!({"muted": false}));
    board.quiet();

    // Recorded once that is confirmed, paused and resumed; all are told.
    board.confirms(Leader, "*2", &["record.confirm"]);
    for (keys, prompt) in [("1", "record.on"), ("*2", "record.paused"), ("*2", "record.resumed")] {
        let told: &[&str] = &[prompt];
        board.confirms_and_tells(Leader, keys, told, &[(Participant, told), (Bystander, told)]);
        board.quiet();
    }
    board.is_so(&json!({"participants": 3}));

    board.confirms(Leader, "**", &["end.confirm"]);
    board.confirms(Leader, "2", &["end.cancelled"]);
    board.is_so(&json!({"participants": 3}));
    board.confirms(Leader, "**", &["end.confirm"]);
    let over: [(Who, &[&str]); 2] = [(Participant, &["time.over"]), (Bystander, &["time.over"])];
    board.confirms_and_tells(Leader, "1", &["time.over"], &over);
    let Board { world, calls, .. } = board;
    for mut call in calls {
        world.assert_ended(&mut call, "A leader has ended the conference");
    }
}

#[test]
fn keys_by_info_and_as_tones_drive_the_entry_and_the_menu_and_tones_reach_nobody() {
    let room = json!({"conference": "Board", "pin": "4711", "announce": "none"});
    let mut world = World::new("", &[("1001", room)]);
    let bystander = world.enter("Board", 0, "4711#");
    let mut ids = world.server.wait_for_participants("Board", 1);
    let routes = [KeyRoute::Info(KeyBody::Relay), KeyRoute::Info(KeyBody::Plain), KeyRoute::Tones];
    let calls: Vec<Call> = routes
        .iter()
        .map(|keys| {
            let call = world.call_by(*keys);
            call.press("4711#").unwrap();
            ids = world.server.wait_for_participants("Board", ids.len() + 1);
            call
        })
        .collect();
    wait_for_silence(&bystander);
    let since = bystander.position();
    let shown = |member: &str, place: usize| {
        world.server.get(&format!("{BOARD}/participants/{}", ids[place]))[member].clone()
    };
    for (place, call) in calls.iter().enumerate() {
        wait_for_silence(call);
        // Those who are heard by others: the tones are in the audio of one who may speak.
        for (keys, prompt) in [("*9", "hand.up"), ("*9", "hand.down"), ("*6", "mute.on"), ("*6", "mute.off")]
        {
            let from = call.position();
            call.press(keys).unwrap();
            let began = world.prompts.wait_since(call, from, prompt);
            let delay_ms = began.saturating_sub(call.key_times().released_at) * 1000 / 8000;
            assert!(delay_ms <= CONFIRMED_MS, "{:?} {keys}: after {delay_ms} ms", routes[place]);
        }
        assert_eq!(shown("muted", place + 1), false);
    }
    wait_for_silence(&bystander);
    let heard = bystander.recorded_from(since);
    let mut found = Vec::new();
    DtmfDetector::new().take(&heard, |event| {
        if let ToneEvent::Began { key, .. } = event {
            found.push(key);
        }
    });
    assert!(found.is_empty(), "{found:?} reach another participant");
    let tone = |hz: &f32| {
        let level = |part: &[i16]| plenary_audio::goertzel::power_dbov(part, 8000, *hz);
        heard.chunks_exact(160).map(level).fold(f32::MIN, f32::max)
    };
    let loudest = LOW_HZ.iter().chain(&HIGH_HZ).map(tone).fold(f32::MIN, f32::max);
    assert!(loudest < -45.0, "tones of {loudest} dBov reach another participant");

    // Keys that are switched off do nothing, whichever way they come; the entry takes them all the same.
    for (place, call) in calls.iter().enumerate() {
        let path = format!("{BOARD}/participants/{}", ids[place + 1]);
        world.send("PATCH", &path, &json!({"dtmf_enabled": false}));
        wait_for_silence(call);
        let from = call.position();
        call.press("*9").unwrap();
        let why = format!("{:?}: a key that is switched off", routes[place]);
        assert_silence(call, from, 1000, &why);
        assert_eq!(shown("hand_raised_at", place + 1), Value::Null);
    }
    world.send("PATCH", &format!("{BOARD}/participants/{}", ids[3]), &json!({"dtmf_enabled": true}));
    let from = calls[2].position();
    calls[2].press("*9").unwrap();
    world.prompts.wait_since(&calls[2], from, "hand.up");
    let late = world.call_by(KeyRoute::Tones);
    late.press("4711#").unwrap();
    world.server.wait_for_participants("Board", 5);
}

const ANNOUNCED_HZ: f32 = 1100.0;

/// A minute and a half that counts as speech is said to all, and another one waits behind it.
fn announce(board: &Board) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("announcement.wav");
    support::write_tone(&file, ANNOUNCED_HZ as u32, 16_000, 1);
    let (status, answer) = board.world.server.curl(&["-T", file.to_str().unwrap()], "/v1/media/news");
    assert_eq!(status, 201, "{answer}");
    let play = json!({"to": "all", "play": ["sound:news"]});
    for _ in 0..2 {
        board.world.send("POST", &format!("{BOARD}/playbacks"), &play);
    }
    for call in &board.calls {
        wait_for_tone(call, ANNOUNCED_HZ, true);
    }
}

#[test]
fn who_comes_while_something_is_said_to_all_hears_at_once_that_it_is_recorded_and_is_heard_then() {
    let mut board = Board::begin(CONFIG);
    announce(&board);
    let since = board.positions()[0];
    board.call(Leader).press("*2").unwrap();
    assert!(board.delay_ms(Leader, since, "record.confirm") <= CONFIRMED_MS);
    board.call(Leader).press("1").unwrap();
    board.hears(Leader, since, &["record.on"]);
    let late = board.world.call(700);
    late.press("1001#4711#").unwrap();
    board.world.prompts.wait_since(&late, 0, "record.on");
    wait_for_tone(board.call(Leader), 700.0, true);
    // What is said to all goes on for them.
    late.say(&speech(0)).unwrap();
    wait_for_tone(&late, ANNOUNCED_HZ, true);
}

#[test]
fn keys_are_confirmed_as_soon_while_something_is_said_to_all_which_is_heard_again_after_that() {
    let mut board = Board::begin(CONFIG);
    announce(&board);
    let keys = [
        (Participant, "*6", "mute.on"),
        (Participant, "*6", "mute.off"),
        (Participant, "*9", "hand.up"),
        (Participant, "*9", "hand.down"),
        (Participant, "*3", "count.there-are"),
        (Participant, "*4", "volume.keys"),
        (Participant, "4", "volume.down"),
        (Participant, "5", "volume.reset"),
        (Participant, "#*0", "help.participant"),
        (Participant, "*7", "key.not-you"),
        (Leader, "*7", "lock.on"),
        (Leader, "*7", "lock.off"),
        (Leader, "*8", "lobby.nobody"),
        (Leader, "*#", "time.left"),
        (Leader, "*1", "dial.number"),
        (Leader, "#", "dial.cancelled"),
        (Leader, "*2", "record.confirm"),
        (Leader, "2", "end.cancelled"),
        (Leader, "*5", "mute.all-on"),
    ];
    for (who, keys, prompt) in keys {
        let since = board.positions()[who as usize];
        board.call(who).press(keys).unwrap();
        let delay_ms = board.delay_ms(who, since, prompt);
        assert!(delay_ms <= CONFIRMED_MS, "{keys}: {prompt} after {delay_ms} ms");
    }
    // What was said to all goes on for those who have pressed keys, and the others have heard nothing else.
    for call in &board.calls {
        wait_for_tone(call, ANNOUNCED_HZ, true);
    }
    let heard = board.call(Bystander).recorded_from(0);
    for prompt in ["mute.on", "hand.up", "lock.on", "time.left"] {
        assert!(board.world.prompts.find(&heard, prompt).is_none(), "{prompt}");
    }

    // The end is heard as well, by all, before their calls end.
    let since = board.positions();
    board.call(Leader).press("**").unwrap();
    assert!(board.delay_ms(Leader, since[0], "end.confirm") <= CONFIRMED_MS);
    board.call(Leader).press("1").unwrap();
    assert!(board.delay_ms(Leader, since[0], "time.over") <= CONFIRMED_MS);
    for who in [Participant, Bystander] {
        board.hears(who, since[who as usize], &["time.over"]);
    }
    let Board { world, calls, .. } = board;
    for mut call in calls {
        world.assert_ended(&mut call, "A leader has ended the conference");
    }
}
