//! The events that conferences publish: what has happened, to whom, by whom, and why.

mod support;

use plenary_conference::{
    AccountId, Command, ConferenceName, EdgeReport, Event, Home, MutedBy, ParticipantChange, RecordingReport,
    ToHome,
};
use plenary_model::{
    Actor, ActorKind, CallDirection, ConferenceRecordingId, EventKind, EventRecord, Introduction,
    RecordingSettings,
};
use support::{fold::Fold, *};

/// Events since the last time, as `type participant actor reason`.
fn told(world: &mut World) -> Vec<String> {
    events(world).iter().map(line).collect()
}

fn events(world: &mut World) -> Vec<EventRecord> {
    std::iter::from_fn(|| world.conferences.poll_event())
        .map(|event| {
            assert_eq!(event.account, ACCOUNT);
            event.event
        })
        .collect()
}

fn line(event: &EventRecord) -> String {
    let who = event.participant_id.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let kind = match event.actor.kind {
        ActorKind::Leader => "leader",
        ActorKind::Participant => "participant",
        ActorKind::Key => "key",
        ActorKind::Person => "person",
        ActorKind::Api => "api",
        ActorKind::System => "system",
    };
    let actor = event.actor.id.as_ref().map_or_else(|| kind.to_owned(), |id| format!("{kind}:{id}"));
    let reason = event.reason.as_deref().unwrap_or("-");
    format!("{} {who} {actor} {reason}", event.kind.name())
}

fn by_key(world: &mut World, act: impl FnOnce(&mut World)) {
    world.conferences.set_requester(Some(Actor::key(7)));
    act(world);
    world.conferences.set_requester(None);
}

fn introduce(world: &mut World, name: &str, direction: CallDirection, by: Option<Actor>) {
    let who = Introduction {
        display_name: Some(name.to_uppercase()),
        from: format!("from-{name}"),
        to: "Class".to_owned(),
        direction,
        trunk: None,
    };
    world.handle(Event::Introduce { participant: participant_id(name), who: Box::new(who), by }).unwrap();
}

fn report(world: &mut World, name: &str, report: EdgeReport) {
    let (conference, participant) = (key("Class"), Some(participant_id(name)));
    world.handle(Event::Reported { conference, participant, report }).unwrap();
}

#[test]
fn the_life_of_a_conference_is_told_in_order() {
    let mut world = World::new();
    introduce(&mut world, "boss", CallDirection::In, None);
    world.enter("boss", "Class", leader());
    world.enter("a", "Class", plain());
    assert_eq!(
        told(&mut world),
        [
            "conference.created - participant:boss -",
            "participant.entered boss participant:boss -",
            "participant.entered a participant:a -",
            "conference.started - participant:a -",
        ]
    );
    world.command("a", Command::ToggleHand);
    world.command("boss", Command::NextFloor);
    world.command("boss", Command::ToggleLock);
    by_key(&mut world, |world| {
        let change =
            ParticipantChange { muted: Some(false), held: Some(true), ..ParticipantChange::default() };
        world.change("Class", "a", change).unwrap();
    });
    assert_eq!(
        told(&mut world),
        [
            "participant.hand_raised a participant:a -",
            "participant.muted a leader:boss -",
            "conference.locked - leader:boss -",
            "participant.unmuted a key:7 -",
            "participant.hand_lowered a key:7 -",
            "participant.held a key:7 -",
        ]
    );
    world.leave("boss");
    assert_eq!(
        told(&mut world),
        [
            "participant.left boss leader:boss hung_up",
            "participant.left a leader:boss leader_left",
            "conference.stopped - leader:boss leader_left",
            "conference.ended - leader:boss leader_left",
        ]
    );
}

#[test]
fn who_enters_is_told_with_all_that_it_is() {
    let mut world = World::new();
    introduce(&mut world, "a", CallDirection::In, None);
    world.admit("a", "Class", plain()).unwrap();
    let change = ParticipantChange { muted: Some(true), ..ParticipantChange::default() };
    world.change("Class", "a", change).unwrap();
    world.connect("a");
    let entered = events(&mut world).into_iter().find_map(|event| match event.kind {
        EventKind::ParticipantEntered(presence) => Some(presence),
        _ => None,
    });
    let entered = entered.expect("it has entered");
    assert_eq!((entered.muted_by, entered.leader), (Some(MutedBy::Leader), false));
    assert_eq!(entered.who.display_name.as_deref(), Some("A"));
    assert_eq!((&*entered.who.from, entered.who.direction), ("from-a", CallDirection::In));
}

#[test]
fn a_call_to_a_participant_ends_in_its_entering_or_in_its_failing() {
    let mut world = World::new();
    world.enter("boss", "Class", leader());
    events(&mut world);
    let called = |world: &mut World, name: &str| {
        introduce(world, name, CallDirection::Out, Some(Actor::participant(&participant_id("boss"), true)));
        world
            .handle(Event::Admit {
                participant: participant_id(name),
                conference: key("Class"),
                options: plain(),
                is_called: true,
                via: None,
            })
            .unwrap();
    };
    called(&mut world, "a");
    report(&mut world, "a", EdgeReport::Ringing);
    world.connect("a");
    assert_eq!(
        told(&mut world),
        [
            "participant.calling a leader:boss -",
            "participant.ringing a system -",
            "participant.entered a participant:a -",
            "conference.started - participant:a -",
        ]
    );
    called(&mut world, "b");
    report(&mut world, "b", EdgeReport::Failed { status: 486 });
    world.leave("b");
    called(&mut world, "c");
    by_key(&mut world, |world| {
        let (conference, participant) = (key("Class"), participant_id("c"));
        world.handle(Event::RemoveParticipant { conference, participant }).unwrap();
    });
    called(&mut world, "d");
    world.leave("boss");
    assert_eq!(
        told(&mut world),
        [
            "participant.calling b leader:boss -",
            "call.failed b system busy",
            "participant.calling c leader:boss -",
            "call.failed c key:7 given_up",
            "participant.calling d leader:boss -",
            "participant.left boss leader:boss hung_up",
            "participant.left a leader:boss leader_left",
            "conference.stopped - leader:boss leader_left",
            "call.failed d leader:boss leader_left",
            "conference.ended - leader:boss leader_left",
        ]
    );
}

#[test]
fn talking_is_told_while_one_is_heard() {
    let mut world = World::new();
    world.enter("boss", "Class", leader());
    world.enter("a", "Class", plain());
    events(&mut world);
    let talkers = |world: &World| world.conferences.talkers(ACCOUNT);
    report(&mut world, "a", EdgeReport::Talking(true));
    assert_eq!(talkers(&world), [(ConferenceName::new("Class"), participant_id("a"))]);
    assert_eq!(world.conferences.talkers(AccountId(ACCOUNT.0 + 1)), []);
    world.command("boss", Command::ToggleMuteAll);
    assert_eq!(talkers(&world), [], "they are not heard");
    report(&mut world, "a", EdgeReport::Talking(false));
    report(&mut world, "a", EdgeReport::Talking(true));
    world.command("boss", Command::ToggleMuteAll);
    report(&mut world, "a", EdgeReport::Talking(false));
    let told = told(&mut world);
    assert_eq!(
        told,
        [
            "participant.talking a participant:a -",
            "participant.muted a leader:boss -",
            "participant.silent a leader:boss -",
            "participant.unmuted a leader:boss -",
            "participant.talking a leader:boss -",
            "participant.silent a participant:a -",
        ]
    );
}

#[test]
fn keys_are_told_only_where_the_room_asks_for_it() {
    let mut world = World::new();
    let asks = plenary_conference::RoomRules { key_events: true, ..rules() };
    world.enter_by("a", "Class", by(&asks));
    world.enter_by("b", "Class", by(&rules()));
    events(&mut world);
    world.press("a", '5');
    world.press("b", '6');
    let pressed = events(&mut world);
    assert_eq!(pressed.iter().map(line).collect::<Vec<_>>(), ["key.pressed a participant:a -"]);
    assert_eq!(serde_json::to_value(&pressed[0]).unwrap()["data"]["key"], "5");
    world.set_options("Class", "a", None, Some(false)).unwrap();
    events(&mut world);
    world.press("a", '5');
    assert!(events(&mut world).is_empty(), "its keys are off");
}

#[test]
fn who_is_on_hold_by_its_telephone_is_so_in_the_conference_that_it_is_moved_to() {
    let mut world = World::new();
    world.enter("a", "Class", plain());
    let participant = Some(participant_id("a"));
    let report = plenary_conference::EdgeReport::Held(true);
    world.handle(Event::Reported { conference: key("Class"), participant, report }).unwrap();
    let (conference, participant, to) = (key("Class"), participant_id("a"), key("Annex"));
    world.handle(Event::Move { conference, participant, to }).unwrap();
    assert!(world.summary("Annex", "a").is_held);
}

#[test]
fn who_moves_is_told_once_with_both_conferences() {
    let mut world = World::new();
    world.enter("boss", "Class", leader());
    world.enter("a", "Class", plain());
    events(&mut world);
    by_key(&mut world, |world| {
        let (conference, participant, to) = (key("Class"), participant_id("a"), key("Annex"));
        world.handle(Event::Move { conference, participant, to }).unwrap();
    });
    let moved = events(&mut world);
    assert_eq!(
        moved.iter().map(line).collect::<Vec<_>>(),
        ["conference.stopped - key:7 -", "conference.created - key:7 -", "participant.moved a key:7 -",]
    );
    assert!(moved[2].is_about("Class") && moved[2].is_about("Annex"));
}

#[test]
fn a_recording_is_told_with_who_has_asked_for_it() {
    let mut world = World::new();
    world.enter("a", "Class", plain());
    events(&mut world);
    by_key(&mut world, |world| {
        let (conference, settings) = (key("Class"), RecordingSettings::default());
        world.handle(Event::StartRecording { conference, settings }).unwrap();
    });
    let recording = ConferenceRecordingId("r1".to_owned());
    let opened = RecordingReport::Opened { recording };
    world.handle(Event::Recording { conference: key("Class"), report: opened }).unwrap();
    by_key(&mut world, |world| {
        world.handle(Event::PauseRecording { conference: key("Class"), is_paused: true }).unwrap();
        world.handle(Event::PauseRecording { conference: key("Class"), is_paused: false }).unwrap();
    });
    world.leave("a");
    assert_eq!(
        told(&mut world),
        [
            "recording.started - key:7 -",
            "recording.paused - key:7 -",
            "recording.resumed - key:7 -",
            "participant.left a participant:a hung_up",
            "recording.stopped - participant:a -",
            "conference.ended - participant:a empty",
        ]
    );
}

#[test]
fn what_is_played_ends_in_the_log_before_its_conference_does() {
    let mut world = World::new();
    world.enter("a", "Class", plain());
    events(&mut world);
    let play = |world: &mut World, report| {
        world.handle(Event::Reported { conference: key("Class"), participant: None, report })
    };
    by_key(&mut world, |world| play(world, EdgeReport::PlaybackStarted { id: "p1".to_owned() }).unwrap());
    play(&mut world, EdgeReport::PlaybackEnded { id: "p1".to_owned() }).unwrap();
    play(&mut world, EdgeReport::PlaybackStarted { id: "p2".to_owned() }).unwrap();
    world.leave("a");
    // The edge says so when the conference is gone.
    play(&mut world, EdgeReport::PlaybackEnded { id: "p2".to_owned() }).unwrap_err();
    assert_eq!(
        told(&mut world),
        [
            "playback.started - key:7 -",
            "playback.ended - system -",
            "playback.started - api -",
            "participant.left a participant:a hung_up",
            "playback.ended - participant:a -",
            "conference.ended - participant:a empty",
        ]
    );
}

#[test]
fn a_reservation_opens_and_closes_its_conference() {
    let mut world = World::new();
    world.reserve(reservation("Class", 5, 30));
    world.pass_minutes(5);
    world.enter("a", "Class", plain());
    world.pass_minutes(30);
    assert_eq!(
        told(&mut world),
        [
            "reservation.started - system -",
            "conference.created - system -",
            "participant.entered a participant:a -",
            "participant.left a system time_is_up",
            "conference.ended - system time_is_up",
            "reservation.completed - system time_is_up",
        ]
    );
}

#[test]
fn a_lobby_is_told_from_waiting_to_admitted_or_refused() {
    let mut world = World::new();
    let lobby = plenary_conference::RoomRules { lobby: true, ..rules() };
    world.enter_by("boss", "Class", leader_by(&lobby));
    for name in ["a", "b", "c"] {
        introduce(&mut world, name, CallDirection::In, None);
        world.admit_by(name, "Class", plain(), by(&lobby)).unwrap();
    }
    events(&mut world);
    world.command("boss", Command::Admit(plenary_conference::command::Who::Next));
    world.command("boss", Command::Refuse(plenary_conference::command::Who::Next));
    world.leave("c");
    world.connect("a");
    assert_eq!(
        told(&mut world),
        [
            "participant.admitted a leader:boss -",
            "participant.refused b leader:boss denied",
            "participant.refused c participant:c hung_up",
            "participant.entered a participant:a -",
            "conference.started - participant:a -",
        ]
    );
}

#[test]
fn a_home_passes_on_who_a_call_is_and_why_it_leaves() {
    let world = World::new();
    let now = world.now();
    let mut home = Home::new(world.conferences);
    let (conference, participant) = (key("Class"), participant_id("a"));
    let who = Introduction { from: "alice".to_owned(), ..Introduction::default() };
    let (to, of) = (|| conference.clone(), || participant.clone());
    for message in [
        ToHome::Introduce { conference: to(), participant: of(), who: Box::new(who), by: None },
        ToHome::Admit {
            conference: to(),
            participant: of(),
            options: plain(),
            in_place_of: None,
            is_called: false,
            via: None,
        },
        ToHome::Connected { conference: to(), participant: of() },
        ToHome::Report {
            conference: to(),
            participant: Some(of()),
            report: EdgeReport::Leaving { reason: "unreachable".to_owned(), is_own: false },
        },
        ToHome::Gone { conference: to(), participant: of() },
    ] {
        home.handle_message(message, now);
    }
    let events: Vec<_> = std::iter::from_fn(|| home.poll_event()).map(|event| event.event).collect();
    let from = events.iter().find_map(|event| match &event.kind {
        EventKind::ParticipantEntered(presence) => Some(presence.who.from.as_str()),
        _ => None,
    });
    assert_eq!(from, Some("alice"));
    let mut fold = Fold::default();
    events.iter().for_each(|event| fold.take(event));
    let left = events.iter().map(line).find(|line| line.starts_with("participant.left"));
    assert_eq!(left.as_deref(), Some("participant.left a system unreachable"));
}

#[test]
fn what_is_set_for_one_who_is_being_called_or_waits_is_told() {
    let mut world = World::new();
    world.enter("boss", "Class", leader());
    introduce(&mut world, "a", CallDirection::Out, None);
    let admit = |name: &str, is_called| Event::Admit {
        participant: participant_id(name),
        conference: key("Class"),
        options: plain(),
        is_called,
        via: None,
    };
    world.handle(admit("a", true)).unwrap();
    // One who calls is told of when it enters, with what was set for it.
    introduce(&mut world, "b", CallDirection::In, None);
    world.handle(admit("b", false)).unwrap();
    events(&mut world);
    let change = ParticipantChange {
        muted: Some(true),
        held: Some(true),
        leader: Some(true),
        dtmf_enabled: Some(false),
        self_unmute: Some(Some(false)),
        ..ParticipantChange::default()
    };
    for name in ["a", "a", "b"] {
        by_key(&mut world, |world| world.change("Class", name, change.clone()).unwrap());
    }
    let told = events(&mut world);
    let [only] = &told[..] else { panic!("{told:?}") };
    assert_eq!(line(only), "participant.changed a key:7 -");
    let json = serde_json::to_value(only).unwrap();
    let expected = serde_json::json!({ "leader": true, "dtmf_enabled": false, "self_unmute": false,
        "muted_by": "leader", "held": true });
    assert_eq!(json["data"], expected);
    report(&mut world, "a", EdgeReport::Renamed(Some("Anna".to_owned())));
    report(&mut world, "a", EdgeReport::Renamed(Some("Anna".to_owned())));
    report(&mut world, "b", EdgeReport::Renamed(Some("Ben".to_owned())));
    assert_eq!(told_changes(&mut world), [serde_json::json!({ "display_name": "Anna" })]);
    report(&mut world, "a", EdgeReport::Failed { status: 486 });
    events(&mut world);
    report(&mut world, "a", EdgeReport::Renamed(Some("Nobody".to_owned())));
    assert!(events(&mut world).is_empty(), "it is not being called any more");
    world.handle(Event::Connected { participant: participant_id("b") }).unwrap();
    let entered = events(&mut world);
    let EventKind::ParticipantEntered(presence) = &entered[0].kind else { panic!("{entered:?}") };
    assert!(presence.leader && presence.held && presence.who.display_name.as_deref() == Some("Ben"));
}

fn told_changes(world: &mut World) -> Vec<serde_json::Value> {
    let told = events(world);
    told.iter().map(|event| serde_json::to_value(event).unwrap()["data"].clone()).collect()
}
