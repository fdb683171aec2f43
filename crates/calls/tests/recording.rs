//! Recordings by key and by program: what the recorder is told, what callers hear, and when they are heard.

mod support;

use plenary_calls::{
    Input, RecorderEvent,
    question::{Answer, HomeQuestion, Question},
};
use plenary_conference::{Event, Refused};
use plenary_model::{ConferenceRecordingId, EventKind, RecordingFailure, RecordingSettings};
use serde_json::json;
use support::{World, entry, key, room};

const LEADER_PIN: &str = "70215548#";

/// The conference Tea with a leader and one more, both by keypad.
fn two(body: serde_json::Value) -> (World, u64, u64) {
    let mut world = World::new();
    world.store.services.push(entry("100"));
    world.store.rooms.insert("1".into(), (room("1", body, false, true), None, Some("70215548")));
    let leader = caller(&mut world, LEADER_PIN);
    let other = caller(&mut world, "#");
    world.listen();
    world.media.clear();
    (world, leader, other)
}

fn caller(world: &mut World, keys: &str) -> u64 {
    let call = world.enter("100");
    world.press(call, keys);
    world.listen();
    call
}

fn to_all(world: &mut World) -> Vec<String> {
    let said = world.media.iter().filter(|line| line.starts_with("play room")).cloned().collect();
    world.media.retain(|line| !line.starts_with("play room"));
    said
}

#[test]
fn a_leader_begins_confirms_pauses_and_goes_on_by_key() {
    let (mut world, leader, other) = two(json!({}));
    world.press(other, "*2");
    assert_eq!(world.heard(other), ["key.not-you"]);
    world.press(leader, "*2");
    assert_eq!(world.heard(leader), ["record.confirm"]);
    assert!(world.recorder.is_empty());
    world.press(leader, "1");
    assert_eq!(world.recorder[0], "open room 2 Mixed");
    // The leader hears it as the answer to the key, and all others are told.
    let to_others = format!("play room 2 but {leader}");
    assert_eq!(to_all(&mut world), [format!("{to_others} prompt:en/record.on")], "{:?}", world.media);
    assert_eq!(world.heard(leader), ["record.on"]);
    let joined = |call| format!("rec1 joined {call} None");
    assert!(world.recorder.contains(&joined(leader)) && world.recorder.contains(&joined(other)));
    let told: Vec<_> = world.recorder.iter().filter(|line| line.starts_with("rec1 told")).collect();
    assert_eq!(told.len(), 2);
    world.recorder.clear();
    for (line, said) in [("pause rec1 true", "record.paused"), ("pause rec1 false", "record.resumed")] {
        world.press(leader, "*2");
        assert_eq!(world.recorder[0], line);
        assert_eq!(to_all(&mut world), [format!("{to_others} prompt:en/{said}")]);
        assert_eq!(world.heard(leader), [said]);
        world.recorder.clear();
    }
    world.bye(other);
    world.bye(leader);
    assert!(world.recorder.contains(&"end rec1".to_owned()), "{:?}", world.recorder);
    world.pass_ms(60_000);
    world.assert_clean();
}

#[test]
fn a_leader_whose_menu_has_it_ends_the_recording_by_key() {
    let (mut world, leader, _) = two(json!({"leader_menu": {"*2": "record", "*#": "record_stop"}}));
    world.press(leader, "*#");
    assert_eq!(world.heard(leader), ["key.failed"]);
    world.press(leader, "*21");
    world.listen();
    world.heard(leader);
    to_all(&mut world);
    world.recorder.clear();
    world.press(leader, "*#");
    assert_eq!(world.recorder, ["end rec1"]);
    assert_eq!(to_all(&mut world), [format!("play room 2 but {leader} prompt:en/record.off")]);
    assert_eq!(world.heard(leader), ["record.off"]);
}

#[test]
fn who_comes_later_hears_it_first_and_is_heard_then() {
    let (mut world, leader, _) = two(json!({}));
    world.press(leader, "*21");
    world.listen();
    world.media.clear();
    world.recorder.clear();
    let late = world.enter("100");
    world.press(late, "#");
    world.listen();
    let line = |wanted: String| {
        let place = world.media.iter().position(|line| *line == wanted);
        place.unwrap_or_else(|| panic!("{wanted}: {:?}", world.media))
    };
    let silent = line(format!("voice {late} -speaks +listens"));
    let told = line(format!("play call {late} prompt:en/record.on !"));
    let heard = line(format!("voice {late} +speaks +listens"));
    assert!(silent < told && told < heard, "{:?}", world.media);
    assert_eq!(world.recorder, [format!("rec1 joined {late} None"), format!("rec1 told {late}")]);
}

#[test]
fn a_program_is_answered_when_it_runs_or_why_it_does_not() {
    let (mut world, _, _) = two(json!({}));
    let settings = RecordingSettings::default();
    let begin = |world: &mut World| world.control(Event::StartRecording { conference: key("Tea"), settings });
    for failure in [RecordingFailure::StorageFull, RecordingFailure::StorageFailed] {
        world.recorder_fails = Some(Some(failure));
        assert_eq!(begin(&mut world), Err(Refused::RecordingFailed { failure }));
    }
    world.recorder_fails = Some(None);
    assert_eq!(begin(&mut world), Err(Refused::NobodyToRecord));
    world.recorder_fails = None;
    assert_eq!(begin(&mut world), Ok(()));
    assert_eq!(begin(&mut world), Err(Refused::AlreadyRecorded));
    let overview = Question::Home(HomeQuestion::Overview(key("Tea")));
    let question = world.ask(overview);
    let Answer::Overview(Some(overview)) = world.answer_to(question) else { panic!("another answer") };
    let recording = overview.recording.expect("it is recorded");
    assert_eq!(recording.recording, Some(ConferenceRecordingId("rec1".into())));
    let recording = ConferenceRecordingId("rec1".into());
    world.input(Input::Recorder(RecorderEvent::Lost { recording: recording.clone(), ms: 40 }));
    let failure = RecordingFailure::StorageFull;
    world.input(Input::Recorder(RecorderEvent::Failed { recording: recording.clone(), failure }));
    let told: Vec<_> = world.events.iter().map(|event| &event.kind).rev().take(2).collect();
    let failed = EventKind::RecordingFailed { recording_id: Some(recording.clone()) };
    assert_eq!(told, [&failed, &EventKind::RecordingThinned { recording_id: recording, lost_ms: 40 }]);
    assert_eq!(to_all(&mut world).last().unwrap(), "play room 2 prompt:en/record.failed");
    assert_eq!(world.control(Event::StopRecording { conference: key("Tea") }), Err(Refused::NotRecorded));
}

#[test]
fn a_leader_hears_that_it_could_not_begin() {
    let (mut world, leader, _) = two(json!({}));
    world.recorder_fails = Some(Some(RecordingFailure::StorageFailed));
    world.press(leader, "*21");
    assert_eq!(world.heard(leader).last().unwrap(), "key.failed");
}

#[test]
fn a_room_is_recorded_from_its_start() {
    let (world, ..) = two(json!({"record": "auto"}));
    assert_eq!(world.recorder[0], "open room 2 Mixed");
}
