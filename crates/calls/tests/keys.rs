//! Keys of participants, and what a leader or a program does with them: menus, the lobby, hold, moves, coaching, calls placed by
//! key, farewells.

mod support;

use plenary_calls::{
    ControlError, Invitation, Playback,
    participants::ParticipantState,
    question::{Answer, EdgeQuestion, ParticipantsQuestion, Question},
};
use plenary_conference::{
    ConferenceName, Digit, Event, ParticipantChange, ParticipantOptions, Refused, participant::PlayList,
    refused::NotAsked,
};
use plenary_model::{InbandDtmf, InboundService};
use plenary_sip::{CallId, EndCause, SipEvent, Transport};
use serde_json::json;
use support::{ACCOUNT, PASSWORD, World, entry, flow, key, plain, room, trunk};

const LEADER_PIN: &str = "70215548#";

/// A world with an entry at 100, to a room of the conference Tea with a leader's PIN.
fn world(body: serde_json::Value) -> World {
    let mut world = World::new();
    world.store.services.push(entry("100"));
    world.store.rooms.insert("1".into(), (room("1", body, false, true), None, Some("70215548")));
    world.set_trunks(vec![trunk("one", 1)]);
    world
}

/// A caller who keys that in and listens to what is said.
fn caller(world: &mut World, keys: &str) -> u64 {
    let call = world.enter("100");
    world.press(call, keys);
    world.listen();
    world.heard(call);
    call
}

/// The conference Tea with a leader and one more.
fn two(world: &mut World) -> (u64, u64) {
    let leader = caller(world, LEADER_PIN);
    let other = caller(world, "#");
    world.listen();
    assert_eq!(world.roster("Tea"), [leader, other]);
    world.media.clear();
    (leader, other)
}

fn change(world: &mut World, call: u64, change: ParticipantChange) {
    let (conference, participant) = (key("Tea"), world.participant(call));
    world.control(Event::ChangeParticipant { conference, participant, change }).unwrap();
}

#[test]
fn keys_are_confirmed_to_the_one_who_pressed_alone() {
    let mut world = world(json!({}));
    let (leader, other) = two(&mut world);
    world.press(other, "*6");
    assert_eq!(world.heard(other), ["mute.on"]);
    assert!(world.media.contains(&format!("voice {other} -speaks +listens")), "{:?}", world.media);
    world.press(other, "*6");
    assert_eq!(world.heard(other), ["mute.off"]);
    world.press(other, "*3");
    assert_eq!(world.heard(other), ["count.one-other"]);
    world.press(other, "*7");
    assert_eq!(world.heard(other), ["key.not-you"]);
    assert!(world.heard(leader).is_empty(), "what is said to one reaches nobody else");
    world.press(leader, "*7");
    assert_eq!(world.heard(leader), ["lock.on"]);
    let late = world.enter("100");
    world.press(late, "#");
    assert_eq!(world.heard(late).last().unwrap(), "entry.locked");
    world.bye(late);
    world.press(other, "*4");
    world.listen();
    world.heard(other);
    world.press(other, "6");
    assert_eq!(world.heard(other), ["volume.up"]);
    assert!(world.media.contains(&format!("levels {other} talk 0 hear 3")), "{:?}", world.media);
    world.bye(other);
    world.bye(leader);
    world.pass_ms(60_000);
    world.assert_clean();
}

#[test]
fn who_is_muted_by_a_leader_hears_it_and_how_to_be_heard() {
    let mut world = world(json!({}));
    let (leader, other) = two(&mut world);
    change(&mut world, other, ParticipantChange { muted: Some(true), ..ParticipantChange::default() });
    assert_eq!(world.heard(other)[..2], ["mute.by-leader", "key.mute"]);
    world.listen();
    world.media.clear();
    world.press(other, "*9");
    assert_eq!(
        (world.heard(other), world.heard(leader)),
        (vec!["hand.up".into()], vec!["hand.somebody".into()])
    );
    let shown = world.shown(&world.participant(other));
    assert!(shown.hand_raised_at.is_some() && shown.muted_by.is_some());
}

fn ask_to_unmute(world: &mut World, call: u64) -> Result<(), Refused> {
    let (conference, participant) = (key("Tea"), world.participant(call));
    let check = EdgeQuestion::CheckUnmuteKey { conference, participant };
    let question = world.ask(Question::Edge(check));
    world.done(question)?;
    let (conference, participant) = (key("Tea"), world.participant(call));
    world.control(Event::AskToUnmute { conference, participant })
}

#[test]
fn who_is_asked_to_unmute_itself_hears_by_which_key() {
    let mut world = world(json!({}));
    let (leader, other) = two(&mut world);
    change(&mut world, other, ParticipantChange { muted: Some(true), ..ParticipantChange::default() });
    world.listen();
    world.heard(other);
    ask_to_unmute(&mut world, other).unwrap();
    assert_eq!(world.heard(other), ["mute.talking"]);
    assert!(world.heard(leader).is_empty());
    world.press(other, "*6");
    world.listen();
    assert_eq!(world.shown(&world.participant(other)).muted_by, None);
}

#[test]
fn who_has_one_key_of_a_service_hears_that_and_who_has_none_is_not_asked() {
    let mut world = World::new();
    let with_key = json!({"beep_on_entry": false, "mute_digit": "7"});
    service(&mut world, "200", json!({"name": "Tea", "participant": with_key}));
    service(&mut world, "300", json!({"name": "Tea", "participant": {"beep_on_entry": false}}));
    let (one, other) = (world.enter("200"), world.enter("300"));
    for call in [one, other] {
        change(&mut world, call, ParticipantChange { muted: Some(true), ..ParticipantChange::default() });
    }
    world.listen();
    world.heard(one);
    ask_to_unmute(&mut world, one).unwrap();
    assert_eq!(world.heard(one), ["mute.talking-by", "number.7"]);
    assert_eq!(ask_to_unmute(&mut world, other), Err(Refused::NotAsked(NotAsked::NoKey)));
}

/// A service to the conference Tea.
fn service(world: &mut World, name: &str, conference: serde_json::Value) {
    let body = json!({"conference": conference, "access": {"networks": ["10.0.0.0/8"]}});
    world.store.services.push(InboundService::new(ACCOUNT, name, &body).unwrap());
}

#[test]
fn menus_of_a_service_do_what_they_say_and_its_single_keys_come_first() {
    let mut world = World::new();
    world.set_trunks(vec![trunk("one", 1)]);
    let participant = json!({"beep_on_entry": false, "mute_digit": "5", "exit_digit": "#"});
    let menu = json!({"*6": "mute", "5": "count", "7": "hand"});
    service(&mut world, "200", json!({"name": "Tea", "participant": participant, "menu": menu}));
    let leads = json!({"beep_on_entry": false, "destroy_on_exit": true});
    let leader_menu = json!({"*7": "lock", "*1": "call"});
    service(&mut world, "201", json!({"name": "Tea", "participant": leads, "leader_menu": leader_menu}));
    let (leader, other) = (world.enter("201"), world.enter("200"));
    world.media.clear();

    // The single key mutes, and the menu's meaning of it is not reached.
    world.press(other, "5");
    assert!(world.media.contains(&format!("voice {other} -speaks +listens")), "{:?}", world.media);
    assert!(world.heard(other).is_empty(), "nor is it said: it is the platform's key");
    world.press(other, "*6");
    assert_eq!(world.heard(other), ["mute.off"]);
    world.press(other, "7");
    assert_eq!(
        (world.heard(other), world.heard(leader)),
        (vec!["hand.up".into()], vec!["hand.somebody".into()])
    );
    world.press(other, "*7");
    assert_eq!(world.heard(other), ["key.not-you"], "with `menu` alone the leaders' menu is the usual one");
    world.press(leader, "*7");
    assert_eq!(world.heard(leader), ["lock.on"]);
    world.press(leader, "*7");

    // A leader's menu alone: participants have the usual one. Who is called gets the menus of the conference.
    world.press(leader, "*101632960000#");
    world.answered(901);
    world.press(901, "1");
    world.listen();
    world.heard(901);
    world.press(901, "*6");
    assert_eq!(world.heard(901), ["mute.on"]);

    world.said();
    world.press(other, "#");
    assert!(!world.roster("Tea").contains(&other), "out at once");
    assert_eq!(world.heard(other), ["leave.goodbye"]);
    world.listen();
    assert_eq!(world.said(), [format!("hang up {other}: Exit key pressed")]);
    world.ended(other);
    world.bye(leader);
    world.listen();
    world.ended(901);
    world.pass_ms(60_000);
    world.assert_clean();
}

#[test]
fn a_service_without_menus_has_the_single_keys_alone() {
    let mut world = world(json!({}));
    let leader = caller(&mut world, LEADER_PIN);
    let other = world.enter("conf-Tea");
    world.media.clear();
    for keys in ["*6", "*9", "*3", "*0", "*"] {
        world.press(other, keys);
    }
    world.pass_ms(5000);
    assert!(world.heard(other).is_empty() && world.heard(leader).is_empty());
}

#[test]
fn a_service_speaks_its_language_and_the_conference_with_it() {
    let mut world = World::new();
    service(&mut world, "200", json!({"name": "Tea", "menu": {"*6": "mute"}, "language": "en-GB"}));
    let call = world.enter("200");
    world.media.clear();
    world.press(call, "*6");
    assert!(world.media.iter().any(|line| line.contains("mute.on")), "{:?}", world.media);
    world.bye(call);
    world.assert_clean();
}

#[test]
fn tones_are_looked_for_as_options_and_programs_say() {
    let mut world = world(json!({"participant": {"inband_dtmf": "always"}}));
    let by_room = world.enter("100");
    world.press(by_room, "#");
    let tones = |call: u64, which: &str| format!("tones of {call}: {which}");
    assert!(!world.media.iter().any(|line| line.starts_with("tones")), "in the entry they are as configured");
    world.listen();
    assert!(world.media.contains(&tones(by_room, "Some(Always)")), "{:?}", world.media);
    assert_eq!(world.shown(&world.participant(by_room)).inband_dtmf, Some(InbandDtmf::Always));

    service(&mut world, "200", json!({"name": "Tea", "participant": {"inband_dtmf": "off"}}));
    let by_service = world.enter("200");
    assert!(world.media.contains(&tones(by_service, "Some(Off)")), "{:?}", world.media);
    let set = |world: &mut World, call: u64, inband_dtmf| {
        world.media.clear();
        let participant = world.participant(call);
        let conference = key("Tea");
        let set = EdgeQuestion::SetInbandDtmf { conference, participant, inband_dtmf };
        let question = world.ask(Question::Edge(set));
        world.done(question)
    };
    assert_eq!(set(&mut world, by_service, None), Ok(()));
    assert_eq!(world.media, [tones(by_service, "None")]);
    assert_eq!(world.shown(&world.participant(by_service)).inband_dtmf, None);
    assert_eq!(set(&mut world, 77, None), Err(Refused::UnknownParticipant));

    // One that is being called gets it once it has media.
    let options = ParticipantOptions { inband_dtmf: Some(InbandDtmf::Auto), ..plain() };
    world.set_trunks(vec![trunk("one", 1)]);
    world.media.clear();
    world.invite_with("tel:+441908273800", options);
    assert!(world.media.contains(&tones(901, "Some(Auto)")), "{:?}", world.media);
}

#[test]
fn dtmf_enabled_stops_keys_in_the_conference_and_not_in_the_entry() {
    let mut world = world(json!({}));
    let (_, other) = two(&mut world);
    change(
        &mut world,
        other,
        ParticipantChange { dtmf_enabled: Some(false), ..ParticipantChange::default() },
    );
    world.press(other, "*6");
    assert!(world.heard(other).is_empty());
    let third = caller(&mut world, "#");
    assert_eq!(world.roster("Tea").last(), Some(&third));
}

#[test]
fn who_waits_in_the_lobby_hears_music_holds_no_seat_and_is_let_in_by_key_or_program() {
    let mut world = world(json!({"lobby": true}));
    let early = world.enter("100");
    world.press(early, "#");
    assert_eq!(world.heard(early).last().unwrap(), "wait.leader");
    world.listen();
    assert_eq!(world.heard(early), ["music.hold"]);
    let leader = caller(&mut world, LEADER_PIN);
    assert_eq!(world.roster("Tea"), [leader], "who waits is not listed");
    let waits = world.participant(early);
    assert_eq!(world.shown(&waits).state, ParticipantState::Waiting);
    let away = Event::Move { conference: key("Tea"), participant: waits.clone(), to: key("Annex") };
    assert_eq!(world.control(away), Err(Refused::NotIn));
    let (conference, to) = (ConferenceName::new("Tea"), "tel:+441908273800".to_owned());
    let transfer = EdgeQuestion::Transfer { account: ACCOUNT, conference, participant: waits, to };
    let question = world.ask(Question::Edge(transfer));
    assert!(matches!(world.call_of(question), Err(ControlError::Refused(Refused::NotIn))));
    world.listen();
    world.media.clear();
    world.press(leader, "*8");
    assert_eq!(world.heard(leader), ["lobby.someone", "lobby.admit"]);
    world.press(leader, "1");
    assert_eq!(world.heard(leader), ["lobby.admitted"]);
    assert_eq!(world.heard(early).last().unwrap(), "entry.joining");
    world.listen();
    assert_eq!(world.roster("Tea"), [leader, early]);

    let (one, other) = (caller(&mut world, "#"), caller(&mut world, "#"));
    let participant = world.participant(one);
    world.control(Event::RemoveParticipant { conference: key("Tea"), participant }).unwrap();
    assert_eq!(world.heard(one), ["lobby.denied"]);
    world.said();
    world.listen();
    assert_eq!(world.said(), [format!("hang up {one}: A leader turned the caller away")]);
    world.ended(one);
    world.control(Event::AdmitWaiting { conference: key("Tea"), participant: None }).unwrap();
    world.listen();
    assert_eq!(world.roster("Tea"), [leader, early, other]);
    for call in [leader, early, other] {
        world.bye(call);
    }
    world.pass_ms(60_000);
    world.assert_clean();
}

#[test]
fn a_new_leader_hears_how_many_wait_and_who_is_made_leader_in_the_lobby_enters() {
    let mut world = world(json!({"lobby": true}));
    let (one, other) = (caller(&mut world, "#"), caller(&mut world, "#"));
    let leader = world.enter("100");
    world.press(leader, LEADER_PIN);
    world.listen();
    let heard = world.heard(leader);
    assert_eq!(heard[heard.len() - 3..], ["count.there-are", "number.2", "count.in-lobby"], "{heard:?}");
    change(&mut world, other, ParticipantChange { leader: Some(true), ..ParticipantChange::default() });
    assert_eq!(world.heard(other).last().unwrap(), "entry.joining");
    world.listen();
    assert_eq!(world.roster("Tea"), [leader, other]);
    let heard = world.heard(other);
    assert_eq!(heard, ["leader.you", "lobby.someone"], "and of the one who still waits");
    world.press(other, "*8");
    world.press(other, "1");
    world.listen();
    assert_eq!(world.roster("Tea"), [leader, other, one], "its keys are a leader's");
}

#[test]
fn hold_brings_music_and_takes_the_voice_away() {
    let mut world = world(json!({}));
    let (_, other) = two(&mut world);
    change(&mut world, other, ParticipantChange { held: Some(true), ..ParticipantChange::default() });
    assert_eq!(world.heard(other), ["hold.on"]);
    assert!(world.media.contains(&format!("hold {other}")), "{:?}", world.media);
    assert!(world.media.contains(&format!("voice {other} -speaks -listens")), "{:?}", world.media);
    let shown = world.shown(&world.participant(other));
    assert_eq!((shown.state, shown.is_held_by_leader), (ParticipantState::Held, true));
    world.media.clear();
    change(&mut world, other, ParticipantChange { held: Some(false), ..ParticipantChange::default() });
    assert_eq!(world.heard(other), ["hold.off"]);
    world.listen();
    assert!(world.media.contains(&format!("resume {other}")), "{:?}", world.media);
    assert!(world.media.contains(&format!("voice {other} +speaks +listens")));
}

#[test]
fn what_is_heard_on_hold_is_the_participants_or_the_rooms_or_the_built_in_music() {
    let of_participant = json!({"music": "wait.wav", "participant": {"while_held_media": "tone:440/200"}});
    for (body, expected) in [
        (json!({}), "prompt:en/music.hold"),
        (json!({"music": ["silence:1000"]}), "silence:1000"),
        (json!({"music": ["sound:hold", "silence:500"]}), "sound:1/hold silence:500"),
        (of_participant, "tone:440/200"),
    ] {
        let mut world = world(body.clone());
        let (_, other) = two(&mut world);
        change(&mut world, other, ParticipantChange { held: Some(true), ..ParticipantChange::default() });
        assert!(
            world.media.contains(&format!("on hold {other} hears {expected}")),
            "{body}: {:?}",
            world.media
        );
    }
    // Who is called into the conference hears the music of its room, too.
    let mut world = world(json!({"music": "silence:1000"}));
    let (leader, _) = two(&mut world);
    world.press(leader, "*101632960000#");
    world.answered(901);
    world.press(901, "1");
    change(&mut world, 901, ParticipantChange { held: Some(true), ..ParticipantChange::default() });
    assert!(world.media.contains(&"on hold 901 hears silence:1000".to_owned()), "{:?}", world.media);
}

#[test]
fn a_coach_is_heard_by_those_who_are_named() {
    let mut world = world(json!({}));
    let (leader, other) = two(&mut world);
    let by = Some(vec![world.participant(other)]);
    change(
        &mut world,
        leader,
        ParticipantChange { heard_by: Some(by.clone()), ..ParticipantChange::default() },
    );
    assert_eq!(world.heard(leader), ["coach.on"]);
    assert!(world.media.contains(&format!("{leader} heard by {other}")), "{:?}", world.media);
    assert_eq!(world.shown(&world.participant(leader)).heard_by, by);
    change(&mut world, leader, ParticipantChange { heard_by: Some(None), ..ParticipantChange::default() });
    assert_eq!(world.heard(leader), ["coach.off"]);
    assert!(world.media.contains(&format!("{leader} heard by all")));
}

#[test]
fn a_participant_who_is_moved_keeps_its_call() {
    let mut world = world(json!({}));
    let (leader, other) = two(&mut world);
    world.said();
    let participant = world.participant(other);
    let to = key("Annex");
    world.control(Event::Move { conference: key("Tea"), participant: participant.clone(), to }).unwrap();
    assert_eq!((world.roster("Tea"), world.roster("Annex")), (vec![leader], vec![other]));
    assert!(world.media.iter().any(|line| line.starts_with(&format!("move {other} to room"))));
    assert_eq!(world.heard(other)[0], "move.moved");
    let offers: Vec<_> =
        world.sip.iter().filter(|line| line.contains("offer") || line.contains("answer")).collect();
    assert!(offers.is_empty(), "{offers:?}");
    world.bye(other);
    assert!(world.roster("Annex").is_empty());
    world.bye(leader);
    world.pass_ms(60_000);
    world.assert_clean();
}

#[test]
fn a_leader_has_a_number_called_which_says_by_key_that_it_joins() {
    let mut world = world(json!({}));
    let (leader, _) = two(&mut world);
    world.press(leader, "*1");
    world.listen();
    world.heard(leader);
    world.press(leader, "01632960000#");
    assert_eq!(world.heard(leader), ["dial.calling"]);
    world.listen();
    world.progress(901, 180);
    assert_eq!(world.heard(leader), ["dial.ringing"]);
    world.listen();
    world.answered(901);
    assert_eq!(world.heard(901), ["dial.invited", "dial.accept"]);
    assert!(!world.roster("Tea").contains(&901), "an answering machine is not in");
    let shown = world.shown(&world.participant(901));
    assert_eq!((shown.state, shown.entered_at), (ParticipantState::Ringing, None), "nor shown as if");
    let place = |world: &World, line: &str| world.media.iter().position(|other| other == line);
    assert!(
        place(&world, "hold 901").is_some() && place(&world, "resume 901").is_none(),
        "nor hears what all hear"
    );
    world.press(901, "1");
    assert!(place(&world, "resume 901").is_some(), "{:?}", world.media);
    assert!(world.roster("Tea").contains(&901));
    assert_eq!(world.shown(&world.participant(901)).state, ParticipantState::In);
    assert!(world.heard(leader).contains(&"dial.joined".to_owned()));
    world.listen();
    // It has keys like the others.
    world.media.clear();
    world.press(901, "*6");
    assert_eq!(world.heard(901), ["mute.on"]);

    // Cut off, it is called again, once, and asked for the key again.
    world.listen();
    world.media.clear();
    world.sip_event(SipEvent::Ended { call: CallId(901), cause: EndCause::Transport });
    assert_eq!(world.heard(leader), ["dial.redial"]);
    world.answered(902);
    assert_eq!(world.heard(902), ["dial.invited", "dial.accept"]);
    assert!(!world.roster("Tea").contains(&902), "a mailbox that answers instead is not in");
    world.press(902, "1");
    assert!(world.roster("Tea").contains(&902));
    world.sip_event(SipEvent::Ended { call: CallId(902), cause: EndCause::Transport });
    assert_eq!(world.roster("Tea").len(), 2);
    assert!(!world.sip.iter().any(|line| line.starts_with("dial 903")), "{:?}", world.sip);
}

#[test]
fn a_number_under_which_a_telephone_is_registered_is_called_there() {
    // Any other number is a trunk's.
    for (dialled, uri) in [("2001", "sip:2001@10.0.0.2:7000"), ("2002", "sip:2002@one.example")] {
        let mut world = world(json!({}));
        let (leader, _) = two(&mut world);
        world.store.users.insert("2001".to_owned(), ACCOUNT);
        let telephone = flow(Transport::Tcp, [10, 0, 0, 2], 7000);
        world.register("2001", telephone, Default::default());
        let answer = world.answer_to_challenge("2001", PASSWORD, "REGISTER");
        world.register("2001", telephone, answer);
        world.said();
        world.press(leader, &format!("*1{dialled}#"));
        assert_eq!(world.said(), [format!("dial 901 {uri}")]);
    }
}

#[test]
fn who_may_only_listen_hears_so_and_the_leader_speaks() {
    let mut world = world(json!({"participant": {"talker": false}}));
    let (leader, other) = two(&mut world);
    for _ in 0..2 {
        world.press(other, "*6");
        assert_eq!(world.heard(other), ["listen.only"]);
    }
    assert_eq!(ask_to_unmute(&mut world, other), Err(Refused::NotAsked(NotAsked::NotMuted)));
    change(&mut world, other, ParticipantChange { muted: Some(true), ..ParticipantChange::default() });
    assert_eq!(ask_to_unmute(&mut world, other), Err(Refused::NotAsked(NotAsked::ListenOnly)));
    assert!(world.heard(other).is_empty());
    world.press(leader, "*6");
    world.press(leader, "*6");
    assert!(world.media.contains(&format!("voice {leader} +speaks +listens")), "{:?}", world.media);
    assert!(!world.media.contains(&format!("voice {other} +speaks +listens")), "{:?}", world.media);
}

#[test]
fn a_machine_that_answers_the_redial_or_is_cut_off_while_it_is_asked_never_joins() {
    let mut world = world(json!({}));
    let (leader, _) = two(&mut world);
    let cut_off = |call| SipEvent::Ended { call: CallId(call), cause: EndCause::Transport };
    // A telephone that loses its network: its mailbox answers the redial.
    world.press(leader, "*101632960000#");
    world.answered(901);
    world.press(901, "1");
    assert!(world.roster("Tea").contains(&901));
    world.sip_event(cut_off(901));
    world.answered(902);
    world.pass_ms(20_000);
    assert_eq!(world.roster("Tea").len(), 2);
    assert!(world.sip.iter().any(|line| line.starts_with("hang up 902")), "{:?}", world.sip);
    world.ended(902);
    world.listen();
    world.heard(leader);

    // A machine whose call breaks off during the question was never in: it is not called again.
    world.press(leader, "*101632960000#");
    world.answered(903);
    world.sip_event(cut_off(903));
    assert!(!world.sip.iter().any(|line| line.starts_with("dial 904")), "{:?}", world.sip);
    assert_eq!(world.roster("Tea").len(), 2);
    world.listen();
    assert!(!world.heard(leader).contains(&"dial.redial".to_owned()));
}

#[test]
fn nobody_who_presses_no_key_or_refuses_joins() {
    let mut world = world(json!({}));
    let (leader, _) = two(&mut world);
    let invite = |world: &mut World| {
        let invitation = Box::new(Invitation {
            to: "tel:+441632960000".to_owned(),
            trunk: None,
            options: plain(),
            ring_seconds: 30,
            from: None,
            display_name: None,
            confirm: Digit::new('5'),
            redial: false,
        });
        let conference = ConferenceName::new("Tea");
        let question =
            world.ask(Question::Edge(EdgeQuestion::Invite { account: ACCOUNT, conference, invitation }));
        world.call_of(question).unwrap()
    };
    for (call, keys, status) in [(901, "", 408), (902, "1", 408), (903, "2", 603)] {
        let participant = invite(&mut world);
        world.answered(call);
        assert_eq!(world.heard(call), ["dial.invited", "dial.accept-by", "number.5"]);
        world.press(call, keys);
        world.said();
        world.pass_ms(20_000);
        assert_eq!(world.roster("Tea").len(), 2, "{keys}");
        world.ended(call);
        let shown = world.shown(&participant);
        assert_eq!((shown.state, shown.status), (ParticipantState::Failed, Some(status)), "{keys}");
    }
    // Nor does the question go on when the called side hangs up while it is asked; that is a refusal.
    let participant = invite(&mut world);
    world.answered(904);
    world.bye(904);
    assert!(world.plays.is_empty(), "{:?}", world.plays);
    let shown = world.shown(&participant);
    assert_eq!((shown.state, shown.status), (ParticipantState::Failed, Some(603)));
    world.media.clear();
    world.press(leader, "*101632960000#");
    world.listen();
    world.answered(905);
    world.bye(905);
    assert_eq!(world.heard(leader).last().map(String::as_str), Some("dial.refused"));
    world.listen();

    // And the leader hears as well that a call could not even be placed.
    world.no_ports = Some(true);
    world.press(leader, "*101632960000#");
    world.listen();
    assert_eq!(world.heard(leader).last().map(String::as_str), Some("dial.failed"));
    world.bye(leader);
}

#[test]
fn keys_that_were_switched_off_before_a_participant_enters_do_nothing() {
    let mut world = world(json!({}));
    let (leader, _) = two(&mut world);
    world.press(leader, "*101632960000#");
    change(&mut world, 901, ParticipantChange { dtmf_enabled: Some(false), ..ParticipantChange::default() });
    world.answered(901);
    world.press(901, "1");
    assert!(world.roster("Tea").contains(&901), "the key that confirms is none of the conference");
    world.listen();
    world.heard(901);
    world.press(901, "*4");
    world.press(901, "*6");
    assert!(world.heard(901).is_empty());
}

#[test]
fn what_a_program_plays_is_told_by_its_id_until_it_ends() {
    let mut world = world(json!({}));
    let (leader, other) = two(&mut world);
    let play = |world: &mut World, to: Option<u64>, repeat| {
        let to = to.map(|call| world.participant(call));
        let play = PlayList(vec!["tone:440/1000".to_owned()]);
        let playback = Box::new(Playback { to, play, gain_db: -6.0, repeat });
        let question = world.ask(Question::Edge(EdgeQuestion::Announce { conference: key("Tea"), playback }));
        match world.answer_to(question) {
            Answer::Playback(id) => id,
            other => panic!("{other:?}"),
        }
    };
    let stop = |world: &mut World, id: &str| {
        let (conference, id) = (key("Tea"), id.to_owned());
        let question = world.ask(Question::Edge(EdgeQuestion::StopAnnouncement { conference, id }));
        world.done(question)
    };
    let looped = play(&mut world, None, true).unwrap();
    let once = play(&mut world, Some(other), false).unwrap();
    assert_eq!(
        (world.heard(other), world.heard(leader)),
        (vec!["tone:440/1000".into()], Vec::<String>::new())
    );
    world.listen();
    assert!(stop(&mut world, &once).is_err(), "it is over");
    assert!(stop(&mut world, "0123456789abcdef.x").is_err());
    stop(&mut world, &looped).unwrap();
    assert!(stop(&mut world, &looped).is_err());
    assert!(world.plays.is_empty());
    assert!(play(&mut world, Some(77), false).is_err(), "nobody of that id");
}

#[test]
fn the_end_is_said_before_the_call_is_ended() {
    let mut world = world(json!({}));
    let (leader, other) = two(&mut world);
    world.said();
    world.press(leader, "**");
    assert_eq!(world.heard(leader), ["end.confirm"]);
    world.press(leader, "1");
    assert_eq!(world.heard(other), ["time.over"]);
    assert!(world.said().is_empty(), "nobody is hung up on in the middle of the sentence");
    assert!(world.roster("Tea").is_empty(), "but nobody is in any more");
    world.listen();
    assert_eq!(world.said().len(), 2);
    world.ended(leader);
    world.ended(other);
    world.assert_clean();
}

#[test]
fn a_farewell_that_is_never_told_to_be_over_ends_all_the_same() {
    let mut world = world(json!({}));
    let (leader, other) = two(&mut world);
    world.press(leader, "**1");
    world.said();
    world.pass_ms(8_000);
    assert_eq!(world.said().len(), 2);
    world.ended(leader);
    world.ended(other);
}

#[test]
fn a_leader_makes_a_reserved_conference_longer_where_seats_are_left() {
    let mut world = world(json!({"time_warnings_min": []}));
    world.reserve("Tea", 0, None);
    let (leader, _) = two(&mut world);
    for (may_extend, said) in [(false, "time.not-extended"), (true, "time.extended-15")] {
        world.store.may_extend = may_extend;
        world.press(leader, "*#");
        assert_eq!(world.heard(leader)[0], "time.left");
        world.press(leader, "1");
        assert_eq!(world.heard(leader), [said]);
        world.listen();
    }
}

#[test]
fn a_store_that_fails_over_an_extension_is_a_key_that_failed_and_the_conference_goes_on() {
    let mut world = world(json!({"time_warnings_min": []}));
    world.reserve("Tea", 0, None);
    let (leader, other) = two(&mut world);
    world.store.may_extend = true;
    world.press(leader, "*#");
    assert_eq!(world.heard(leader)[0], "time.left");
    world.heard(other);
    world.store_fails = true;
    world.press(leader, "1");
    assert_eq!(world.heard(leader), ["key.failed"]);
    world.listen();
    assert!(world.heard(other).is_empty(), "nobody is told of time that there is not");
    assert_eq!(world.roster("Tea"), [leader, other]);
    // Tried again, it is done.
    world.store_fails = false;
    world.press(leader, "*#");
    world.heard(leader);
    world.press(leader, "1");
    assert_eq!(world.heard(leader), ["time.extended-15"]);
}

#[test]
fn leaders_hear_that_wrong_pins_are_tried() {
    let mut world = world(json!({}));
    let (leader, _) = two(&mut world);
    let guesser = world.enter("100");
    for _ in 0..5 {
        world.press(guesser, "1111#");
        if world.heard(guesser).contains(&"entry.too-many".to_owned()) {
            world.bye(guesser);
            break;
        }
    }
    let again = world.enter("100");
    world.press(again, "1111#");
    world.press(again, "1111#");
    assert!(world.heard(leader).contains(&"lobby.guessing".to_owned()));
    assert!(world.ask_participants(ParticipantsQuestion::Roster).unwrap().len() == 2);
}
