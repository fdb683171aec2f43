//! What the event log is told of calls: placed, ringing, failed, left; keys, and never those of a PIN.

mod support;

use plenary_calls::{
    CallNumber, Input, SoundChange,
    media::MediaEvent,
    question::{Answer, EdgeQuestion, ParticipantsQuestion, Question},
};
use plenary_conference::{ConferenceName, Event, ParticipantId, Refused, conferences::ConferenceRef};
use plenary_model::{Actor, ActorKind, CallDirection, EventKind, EventRecord, InbandDtmf, VoiceSound};
use serde_json::json;
use support::{ACCOUNT, World, entry, key, room, trunk};

const NUMBER: &str = "tel:+441908273800";

fn with_trunks() -> World {
    let mut world = World::new();
    world.set_trunks(vec![trunk("one", 1), trunk("two", 2)]);
    world
}

fn told(world: &mut World) -> Vec<String> {
    std::mem::take(&mut world.events).iter().map(line).collect()
}

fn line(event: &EventRecord) -> String {
    let by = match event.actor.kind {
        ActorKind::Leader => "leader",
        ActorKind::Participant => "participant",
        ActorKind::Key => "key",
        ActorKind::Person => "person",
        ActorKind::Api => "api",
        ActorKind::System => "system",
    };
    format!("{} {by} {}", event.kind.name(), event.reason.as_deref().unwrap_or("-"))
}

/// The changes of participants that were told, in JSON, and by whom.
fn changes(world: &mut World) -> Vec<(serde_json::Value, ActorKind)> {
    let told = std::mem::take(&mut world.events).into_iter();
    let changes = told.filter(|event| matches!(event.kind, EventKind::ParticipantChanged(_)));
    let change = |event: EventRecord| {
        let json = serde_json::to_value(&event).unwrap();
        (json["data"].clone(), event.actor.kind)
    };
    changes.map(change).collect()
}

fn sound_of(world: &mut World, participant: Option<ParticipantId>, change: SoundChange) {
    let question = world.ask(Question::Participants {
        account: ACCOUNT,
        which: ConferenceRef::Name(ConferenceName::new("Tea")),
        what: ParticipantsQuestion::ChangeSound(participant, change),
    });
    assert!(matches!(world.answer_to(question), Answer::Sound(Ok(_))));
}

#[test]
fn how_a_participant_sounds_is_told_when_it_changes_and_not_else() {
    let mut world = World::new();
    let calls = [world.enter("conf-Tea"), world.enter("conf-Tea")];
    let id = world.participant(calls[0]);
    changes(&mut world);
    let louder = SoundChange { gain_db: Some(Some(6.0)), ..SoundChange::default() };
    for _ in 0..2 {
        sound_of(&mut world, Some(id.clone()), louder);
    }
    let told: Vec<_> = changes(&mut world).into_iter().map(|(change, _)| change).collect();
    assert_eq!(told, [json!({ "gain_db": 6.0 })], "once");
    // What is set for the conference holds for both.
    let quiet = SoundChange { noise_suppression: Some(Some(true)), ..SoundChange::default() };
    sound_of(&mut world, None, quiet);
    let told = changes(&mut world);
    let expected = json!({ "sound": { "automatic_gain": false, "noise_suppression": true } });
    assert_eq!(told.iter().map(|(change, _)| change).collect::<Vec<_>>(), [&expected, &expected]);
    // And what is set for the account where the conference says nothing.
    let own = SoundChange { noise_suppression: Some(None), ..SoundChange::default() };
    sound_of(&mut world, None, own);
    changes(&mut world);
    let all = EdgeQuestion::ChangeAccountSound(ACCOUNT, quiet);
    let question = world.ask(Question::Edge(all));
    assert!(matches!(world.answer_to(question), Answer::Sound(Ok(_))));
    assert_eq!(changes(&mut world).len(), 2);
    for _ in 0..2 {
        let set = EdgeQuestion::SetInbandDtmf {
            conference: key("Tea"),
            participant: id.clone(),
            inband_dtmf: Some(InbandDtmf::Always),
        };
        let question = world.ask(Question::Edge(set));
        assert_eq!(world.done(question), Ok(()));
    }
    let told: Vec<_> = changes(&mut world).into_iter().map(|(change, _)| change).collect();
    assert_eq!(told, [json!({ "inband_dtmf": "always" })]);
}

/// The sound settings of conferences that were told: of which, which, and by whom.
fn sounds(world: &mut World) -> Vec<(String, bool, bool, Actor)> {
    let told = std::mem::take(&mut world.events).into_iter();
    told.filter_map(|event| match event.kind {
        EventKind::ConferenceSound(VoiceSound { automatic_gain, noise_suppression }) => {
            assert_eq!(event.participant_id, None);
            let conference = event.conference.unwrap().to_string();
            Some((conference, automatic_gain, noise_suppression, event.actor))
        }
        _ => None,
    })
    .collect()
}

fn ask_as_key(world: &mut World, question: Question) {
    let question = world.ask(Question::By(Actor::key(7), Box::new(question)));
    assert!(matches!(world.answer_to(question), Answer::Sound(Ok(_))));
}

fn sound_by_key(world: &mut World, change: SoundChange) {
    let question = Question::Participants {
        account: ACCOUNT,
        which: ConferenceRef::Name(ConferenceName::new("Tea")),
        what: ParticipantsQuestion::ChangeSound(None, change),
    };
    ask_as_key(world, question);
}

#[test]
fn the_sound_settings_of_an_open_conference_are_told_when_they_become_others() {
    let mut world = World::new();
    let call = world.enter("conf-Tea");
    world.enter("conf-Lunch");
    assert_eq!(sounds(&mut world), []);
    let told = |name: &str, gain, noise| (name.to_owned(), gain, noise, Actor::key(7));
    let noise = |noise_suppression| SoundChange { noise_suppression, ..SoundChange::default() };
    let gain = |automatic_gain| SoundChange { automatic_gain, ..SoundChange::default() };
    // To read them is to change nothing of them.
    for (change, expected) in [
        (SoundChange::default(), vec![]),
        (noise(Some(Some(true))), vec![told("Tea", false, true)]),
        (noise(Some(Some(true))), vec![]),
        (gain(Some(Some(false))), vec![]),
        (noise(Some(None)), vec![told("Tea", false, false)]),
    ] {
        sound_by_key(&mut world, change);
        assert_eq!(sounds(&mut world), expected, "{change:?}");
    }
    // Those of the account hold where a conference has none: one has a gain of its own, the other has not.
    for (change, expected) in [
        (gain(Some(Some(true))), vec![told("Lunch", true, false)]),
        (noise(Some(Some(true))), vec![told("Lunch", true, true), told("Tea", false, true)]),
    ] {
        let all = EdgeQuestion::ChangeAccountSound(ACCOUNT, change);
        ask_as_key(&mut world, Question::Edge(all));
        assert_eq!(sounds(&mut world), expected, "{change:?}");
    }
    // What was set for a conference ends with it: the next of this name begins anew.
    world.bye(call);
    world.enter("conf-Tea");
    sound_by_key(&mut world, noise(Some(Some(true))));
    assert_eq!(sounds(&mut world), []);
    sound_by_key(&mut world, gain(Some(Some(false))));
    assert_eq!(sounds(&mut world), [told("Tea", false, true)]);
}

#[test]
fn another_name_of_one_who_is_being_called_is_told() {
    let mut world = with_trunks();
    world.invite_as(NUMBER, "Reception");
    let call = *world.dials.keys().last().unwrap();
    let rename = EdgeQuestion::Rename {
        conference: key("Tea"),
        participant: world.participant(call),
        display_name: Some("Front desk".to_owned()),
    };
    let question = world.ask(Question::Edge(rename));
    assert_eq!(world.done(question), Ok(()));
    assert_eq!(changes(&mut world)[0].0, json!({ "display_name": "Front desk" }));
}

#[test]
fn a_call_that_is_answered_is_told_from_calling_to_leaving() {
    let mut world = with_trunks();
    world.invite_as(NUMBER, "Reception");
    let call = *world.dials.keys().last().unwrap();
    world.progress(call, 180);
    world.progress(call, 183);
    world.answered(call);
    let EventKind::ParticipantCalling(who) = &world.events[1].kind else { panic!("{:?}", world.events) };
    assert_eq!((who.display_name.as_deref(), who.direction), (Some("Reception"), CallDirection::Out));
    assert!(who.to.contains("+441908273800"), "{who:?}");
    world.bye(call);
    assert_eq!(
        told(&mut world),
        [
            "conference.created system -",
            "participant.calling system -",
            "participant.ringing system -",
            "participant.entered participant -",
            "participant.left participant hung_up",
            "conference.ended participant empty",
        ]
    );
    world.assert_clean();
}

#[test]
fn a_call_that_fails_is_told_once_however_many_ways_were_tried() {
    for (status, reason) in [(486, "busy"), (603, "declined"), (404, "unknown")] {
        let mut world = with_trunks();
        world.invite(NUMBER);
        let call = *world.dials.keys().last().unwrap();
        world.rejected(call, 503);
        world.rejected(call, status);
        let failed = told(&mut world).into_iter().filter(|line| line.starts_with("call.failed"));
        assert_eq!(failed.collect::<Vec<_>>(), [format!("call.failed system {reason}")]);
        world.assert_clean();
    }
    let mut world = with_trunks();
    world.invite(NUMBER);
    world.pass_ms(200_000);
    assert!(told(&mut world).contains(&"call.failed system no_answer".to_owned()));
}

#[test]
fn keys_are_told_in_a_room_that_asks_for_it_and_those_of_the_pin_never() {
    let mut world = World::new();
    world.store.services.push(entry("100"));
    let asks = room("1001", json!({"key_events": true}), true, true);
    world.store.rooms.insert("1001".into(), (asks, Some("4711"), Some("70215548")));
    let call = world.enter("100");
    // It is the only room: its number is not asked for.
    world.listen();
    world.press(call, "4711#");
    world.listen();
    assert_eq!(world.roster("Tea"), [call]);
    world.press(call, "5");
    let keys: Vec<char> = world
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::KeyPressed { key } => Some(key.as_char()),
            _ => None,
        })
        .collect();
    assert_eq!(keys, ['5']);
}

#[test]
fn talking_and_hold_by_telephone_are_told() {
    let mut world = World::new();
    let (a, b) = (world.enter("conf-Tea"), world.enter("conf-Tea"));
    told(&mut world);
    for talking in [true, false] {
        world.input(Input::Media(MediaEvent::Talking { call: CallNumber(a), talking }));
    }
    world.hold(b, true);
    world.hold(b, true);
    world.hold(b, false);
    assert_eq!(
        told(&mut world),
        [
            "participant.talking participant -",
            "participant.silent participant -",
            "participant.held participant -",
            "participant.resumed participant -",
        ]
    );
    // What a program ends is told with its reason.
    assert_eq!(world.control(Event::End { conference: key("Tea") }), Ok::<(), Refused>(()));
    assert_eq!(
        told(&mut world),
        [
            "participant.left api ended",
            "participant.left api ended",
            "conference.stopped api ended",
            "conference.ended api ended",
        ]
    );
}

#[test]
fn a_service_that_stops_says_so() {
    let mut world = World::new();
    world.enter("conf-Tea");
    told(&mut world);
    world.input(Input::Stop);
    assert_eq!(
        told(&mut world),
        ["participant.left system service_stopped", "conference.ended system empty"]
    );
}
