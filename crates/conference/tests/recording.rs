//! Recordings: who begins, pauses and ends them, who is told, and who is heard before they know.

mod support;

use plenary_conference::{
    Command, Conferences, EdgeReport, Effect, Event, News, Outcome, ParticipantChange, RecordingCommand,
    RecordingReport, RecordingRules, Refused, RoomRules,
    effect::{Announcement, Audience, Notice},
    recording::CutOffRecording,
};
use plenary_model::{
    ActorKind, AutoRecord, ConferenceRecordingId, EventKind, RecordedTracks, RecordingFailure,
    RecordingSettings,
};
use support::*;

const SETTINGS: RecordingSettings = RecordingSettings {
    tracks: RecordedTracks::Separate,
    format: plenary_model::RecordingFormat::Wav,
    announce: true,
};

fn id(name: &str) -> ConferenceRecordingId {
    ConferenceRecordingId(name.to_owned())
}

/// A leader and another one hear each other.
fn two(rules: RecordingRules) -> World {
    let mut world = World::new();
    world.conferences = Conferences::new(Default::default(), Default::default()).with_recording_rules(rules);
    world.enter("boss", "Class", leader());
    world.enter("a", "Class", plain());
    world.effects();
    world
}

fn start(world: &mut World, settings: RecordingSettings) -> Result<(), Refused> {
    world.handle(Event::StartRecording { conference: key("Class"), settings })
}

fn report(world: &mut World, report: RecordingReport) -> Result<(), Refused> {
    world.handle(Event::Recording { conference: key("Class"), report })
}

fn opened(world: &mut World, name: &str) -> Result<(), Refused> {
    report(world, RecordingReport::Opened { recording: id(name) })
}

/// It is recorded, and all know.
fn recorded(world: &mut World) {
    start(world, SETTINGS).unwrap();
    opened(world, "r1").unwrap();
    world.effects();
}

fn do_it(what: RecordingCommand) -> Effect {
    Effect::Recording { conference: key("Class"), what }
}

fn open(settings: RecordingSettings) -> Effect {
    do_it(RecordingCommand::Open { settings, continues: None, is_paused: false })
}

/// What the log says about recordings since the last time: the event, its reason, and how much was lost.
fn logged(world: &mut World) -> Vec<String> {
    let events = std::iter::from_fn(|| world.conferences.poll_event()).map(|event| event.event);
    let of_recordings = events.filter(|event| event.kind.name().starts_with("recording."));
    let line = of_recordings.map(|event| match event.kind {
        EventKind::RecordingThinned { recording_id, lost_ms } => {
            assert_eq!(event.actor.kind, ActorKind::System);
            format!("thinned {recording_id} {lost_ms}")
        }
        kind => {
            let name = kind.name().trim_start_matches("recording.");
            event.reason.map_or(name.to_owned(), |reason| format!("{name} {reason}"))
        }
    });
    line.collect()
}

fn announce(what: Announcement) -> Effect {
    Effect::Announce { to: Audience::All(key("Class")), what }
}

fn note_told(name: &str) -> Effect {
    do_it(RecordingCommand::NoteTold { recording: id("r1"), participant: participant_id(name) })
}

fn end(name: &str) -> Effect {
    do_it(RecordingCommand::End { recording: id(name) })
}

fn shown(world: &World) -> Option<(Option<String>, bool)> {
    let overview = world.conferences.overview(&key("Class"))?.recording?;
    Some((overview.recording.map(|id| id.0), overview.is_paused))
}

#[test]
fn all_are_told_when_it_runs_pauses_goes_on_and_stops() {
    let mut world = two(RecordingRules::default());
    start(&mut world, SETTINGS).unwrap();
    world.assert_deeds(&[open(SETTINGS)]);
    assert_eq!(shown(&world), Some((None, false)), "nobody is told before its files are there");
    assert_eq!(start(&mut world, SETTINGS), Err(Refused::AlreadyRecorded));
    opened(&mut world, "r1").unwrap();
    let effects = world.effects();
    assert!(effects.contains(&Effect::Notify(Notice::RecordingStarted {
        conference: key("Class"),
        recording: id("r1"),
        settings: SETTINGS,
        by: None
    })));
    let deeds: Vec<_> = effects.into_iter().filter(|effect| !matches!(effect, Effect::Notify(_))).collect();
    assert_eq!(deeds, [announce(Announcement::RecordingOn), note_told("boss"), note_told("a")]);
    assert_eq!(shown(&world), Some((Some("r1".into()), false)));

    let pause = |is_paused| Event::PauseRecording { conference: key("Class"), is_paused };
    let paused = |is_paused| do_it(RecordingCommand::Pause { recording: id("r1"), is_paused });
    world.handle(pause(true)).unwrap();
    world.assert_deeds(&[paused(true), announce(Announcement::RecordingPaused)]);
    assert_eq!(shown(&world), Some((Some("r1".into()), true)));
    world.handle(pause(true)).unwrap();
    world.assert_deeds(&[]);
    world.handle(pause(false)).unwrap();
    let resumed = announce(Announcement::RecordingResumed);
    world.assert_deeds(&[paused(false), resumed, note_told("boss"), note_told("a")]);

    world.handle(Event::StopRecording { conference: key("Class") }).unwrap();
    world.assert_deeds(&[end("r1"), announce(Announcement::RecordingOff)]);
    assert_eq!(shown(&world), None);
    assert_eq!(world.handle(Event::StopRecording { conference: key("Class") }), Err(Refused::NotRecorded));
    assert_eq!(world.handle(pause(true)), Err(Refused::NotRecorded));
}

#[test]
fn who_comes_later_is_heard_once_they_know_and_not_before() {
    let mut world = two(RecordingRules::default());
    recorded(&mut world);
    world.enter("late", "Class", plain());
    let tell = Effect::TellRecorded { conference: key("Class"), participant: participant_id("late") };
    world.assert_deeds(&[voice("Class", "late", false, true), tell]);
    world.pass_ms(4000);
    world.assert_deeds(&[]);
    report(&mut world, RecordingReport::Told { participant: participant_id("late") }).unwrap();
    world.assert_deeds(&[note_told("late"), voice("Class", "late", true, true)]);
    report(&mut world, RecordingReport::Told { participant: participant_id("late") }).unwrap();
    world.assert_deeds(&[]);
}

#[test]
fn who_cannot_be_told_is_heard_after_a_while_and_not_noted_as_told() {
    let mut world = two(RecordingRules::default());
    recorded(&mut world);
    world.enter("late", "Class", plain());
    world.effects();
    world.pass_ms(14_900);
    world.assert_deeds(&[]);
    world.pass_ms(100);
    world.assert_deeds(&[voice("Class", "late", true, true)]);
}

#[test]
fn while_it_is_paused_or_over_nobody_waits_to_be_heard() {
    let mut world = two(RecordingRules::default());
    recorded(&mut world);
    world.enter("late", "Class", plain());
    world.effects();
    world.handle(Event::PauseRecording { conference: key("Class"), is_paused: true }).unwrap();
    assert!(world.deeds().contains(&voice("Class", "late", true, true)));
    world.enter("later", "Class", plain());
    world.assert_deeds(&[voice("Class", "later", true, true)]);
    world.handle(Event::PauseRecording { conference: key("Class"), is_paused: false }).unwrap();
    assert!(world.deeds().contains(&note_told("later")), "all hear that it goes on");
    world.enter("last", "Class", plain());
    world.effects();
    world.handle(Event::StopRecording { conference: key("Class") }).unwrap();
    assert!(world.deeds().contains(&voice("Class", "last", true, true)));
}

#[test]
fn who_leaves_while_being_told_is_forgotten() {
    let mut world = two(RecordingRules::default());
    recorded(&mut world);
    world.enter("late", "Class", plain());
    world.leave("late");
    world.effects();
    world.pass_ms(60_000);
    world.assert_deeds(&[]);
}

#[test]
fn a_leader_records_by_key_once_that_is_confirmed_and_then_pauses() {
    let mut world = two(RecordingRules { settings: SETTINGS, ..RecordingRules::default() });
    let record = |is_confirmed| Command::Record { is_confirmed };
    assert_eq!(world.command("a", record(false)), Outcome::LeadersOnly);
    assert_eq!(world.command("boss", record(false)), Outcome::RecordingUnconfirmed);
    world.assert_deeds(&[]);
    assert_eq!(world.command("boss", record(true)), Outcome::Done);
    world.assert_deeds(&[open(SETTINGS)]);
    assert_eq!(world.command("boss", record(true)), Outcome::Failed, "it is about to begin");
    opened(&mut world, "r1").unwrap();
    let by = Some(participant_id("boss"));
    assert!(world.notices().iter().any(
        |notice| matches!(notice, Notice::RecordingStarted { by: started_by, .. } if *started_by == by)
    ));
    // The leader hears it as the answer to the key, and all others are told.
    let others = || Audience::AllBut(key("Class"), participant_id("boss"));
    assert_eq!(world.command("boss", record(false)), Outcome::RecordingPaused);
    assert_eq!(world.announced(), [(others(), Announcement::RecordingPaused)]);
    assert_eq!(world.command("boss", record(false)), Outcome::RecordingResumed);
    assert_eq!(world.announced(), [(others(), Announcement::RecordingResumed)]);

    let mut world = two(RecordingRules { settings: SETTINGS, ..RecordingRules::default() });
    assert_eq!(world.command("boss", record(true)), Outcome::Done);
    opened(&mut world, "r1").unwrap();
    let effects = world.effects();
    let tell = Effect::Tell {
        conference: key("Class"),
        participant: participant_id("boss"),
        news: News::RecordingBegun,
    };
    let announce = Effect::Announce { to: others(), what: Announcement::RecordingOn };
    for effect in [tell, announce, note_told("boss"), note_told("a")] {
        assert!(effects.contains(&effect), "{effect:?} of {effects:?}");
    }
}

#[test]
fn a_leader_ends_it_by_key_and_hears_so_as_the_answer_while_the_others_are_told() {
    let mut world = two(RecordingRules { settings: SETTINGS, ..RecordingRules::default() });
    assert_eq!(world.command("boss", Command::StopRecording), Outcome::Failed, "nothing is recorded");
    recorded(&mut world);
    assert_eq!(world.command("a", Command::StopRecording), Outcome::LeadersOnly);
    assert_eq!(world.command("boss", Command::StopRecording), Outcome::RecordingStopped);
    let to = Audience::AllBut(key("Class"), participant_id("boss"));
    world.assert_deeds(&[end("r1"), Effect::Announce { to, what: Announcement::RecordingOff }]);
    assert_eq!(shown(&world), None);
    assert_eq!(logged(&mut world).last().unwrap(), "stopped");
    // One that is paused ends as well, and one that is not announced ends without a word to the others.
    start(&mut world, RecordingSettings { announce: false, ..SETTINGS }).unwrap();
    opened(&mut world, "r2").unwrap();
    assert_eq!(world.command("boss", Command::Record { is_confirmed: false }), Outcome::RecordingPaused);
    world.effects();
    assert_eq!(world.command("boss", Command::StopRecording), Outcome::RecordingStopped);
    world.assert_deeds(&[end("r2")]);
    // One that is about to begin ends as soon as it has.
    start(&mut world, SETTINGS).unwrap();
    assert_eq!(world.command("boss", Command::StopRecording), Outcome::RecordingStopped);
    world.effects();
    assert_eq!(opened(&mut world, "r3"), Err(Refused::NotRecorded));
    world.assert_deeds(&[end("r3")]);
}

#[test]
fn who_is_on_hold_is_not_noted_as_told_and_is_told_when_they_come_back() {
    let hold = |world: &mut World, name: &str, held| {
        world.change("Class", name, ParticipantChange { held: Some(held), ..Default::default() }).unwrap();
    };
    let telephone = |world: &mut World, name: &str, is_held| {
        let participant = Some(participant_id(name));
        let report = EdgeReport::Held(is_held);
        world.handle(Event::Reported { conference: key("Class"), participant, report }).unwrap();
    };
    let tell =
        |name: &str| Effect::TellRecorded { conference: key("Class"), participant: participant_id(name) };
    let mut world = two(RecordingRules::default());
    world.enter("b", "Class", plain());
    world.enter("c", "Class", plain());
    hold(&mut world, "a", true);
    telephone(&mut world, "b", true);
    world.effects();
    start(&mut world, SETTINGS).unwrap();
    opened(&mut world, "r1").unwrap();
    let deeds = world.deeds();
    assert!(deeds.contains(&note_told("boss")) && deeds.contains(&note_told("c")), "{deeds:?}");
    assert!(!deeds.contains(&note_told("a")) && !deeds.contains(&note_told("b")), "{deeds:?}");

    // They hear it first, and are heard then.
    hold(&mut world, "a", false);
    let deeds = world.deeds();
    assert!(deeds.contains(&voice("Class", "a", false, true)) && deeds.contains(&tell("a")), "{deeds:?}");
    report(&mut world, RecordingReport::Told { participant: participant_id("a") }).unwrap();
    world.assert_deeds(&[note_told("a"), voice("Class", "a", true, true)]);
    telephone(&mut world, "b", false);
    world.assert_deeds(&[voice("Class", "b", false, true), tell("b")]);
    report(&mut world, RecordingReport::Told { participant: participant_id("b") }).unwrap();
    world.effects();

    // Who knows is told nothing when they come back.
    telephone(&mut world, "c", true);
    telephone(&mut world, "c", false);
    hold(&mut world, "boss", true);
    world.effects();
    hold(&mut world, "boss", false);
    let deeds = world.deeds();
    assert!(deeds.contains(&voice("Class", "boss", true, true)), "{deeds:?}");
    assert!(!deeds.contains(&tell("boss")), "{deeds:?}");
}

#[test]
fn without_announcements_the_one_who_asked_is_told_alone() {
    let settings = RecordingSettings { announce: false, ..SETTINGS };
    let mut world = two(RecordingRules { settings, ..RecordingRules::default() });
    let record = |is_confirmed| Command::Record { is_confirmed };
    assert_eq!(world.command("boss", record(true)), Outcome::Done);
    opened(&mut world, "r1").unwrap();
    assert_eq!(world.told(), [("boss".to_owned(), News::RecordingBegun)]);
    assert_eq!(world.command("boss", record(false)), Outcome::RecordingPaused);
    assert_eq!(world.command("boss", record(false)), Outcome::RecordingResumed);
    assert!(world.announced().is_empty());
    world.enter("late", "Class", plain());
    world.assert_deeds(&[voice("Class", "late", true, true)]);
}

#[test]
fn what_cannot_begin_is_told_to_the_leader_and_the_program() {
    let mut world = two(RecordingRules::default());
    assert_eq!(world.command("boss", Command::Record { is_confirmed: true }), Outcome::Done);
    let failure = RecordingFailure::StorageFull;
    let failed = RecordingReport::NotOpened { failure: Some(failure) };
    assert_eq!(report(&mut world, failed), Err(Refused::RecordingFailed { failure }));
    assert_eq!(world.told(), [("boss".to_owned(), News::RecordingNotBegun)]);
    assert_eq!(logged(&mut world), ["failed storage_full"]);
    assert_eq!(shown(&world), None);
    start(&mut world, SETTINGS).expect("it may be tried again");
    let nobody = RecordingReport::NotOpened { failure: None };
    assert_eq!(report(&mut world, nobody), Err(Refused::NobodyToRecord));
    assert!(logged(&mut world).is_empty(), "nothing has failed: all had left");
}

#[test]
fn one_that_fails_is_announced_with_the_reason_and_the_conference_goes_on() {
    for (failure, what, told) in [
        (RecordingFailure::StorageFull, Announcement::RecordingFull, "failed storage_full"),
        (RecordingFailure::StorageFailed, Announcement::RecordingOff, "failed storage_failed"),
        (RecordingFailure::TooLong, Announcement::RecordingOff, "failed too_long"),
    ] {
        let mut world = two(RecordingRules::default());
        recorded(&mut world);
        report(&mut world, RecordingReport::Failed { recording: id("other"), failure }).unwrap();
        world.assert_deeds(&[]);
        report(&mut world, RecordingReport::Failed { recording: id("r1"), failure }).unwrap();
        world.assert_deeds(&[announce(what)]);
        assert_eq!(logged(&mut world), ["started", told]);
        assert_eq!(shown(&world), None);
        assert_eq!(world.names("Class"), ["boss", "a"]);
    }
}

#[test]
fn audio_that_is_lost_is_told_at_once_and_then_every_five_seconds() {
    let mut world = two(RecordingRules::default());
    recorded(&mut world);
    assert_eq!(logged(&mut world), ["started"]);
    let lost = |world: &mut World, name: &str, ms| {
        report(world, RecordingReport::Lost { recording: id(name), ms }).unwrap();
    };
    lost(&mut world, "other", 20);
    assert!(logged(&mut world).is_empty(), "it is of another recording");
    lost(&mut world, "r1", 60);
    assert_eq!(logged(&mut world), ["thinned r1 60"]);
    for _ in 0..40 {
        world.pass_ms(100);
        lost(&mut world, "r1", 20);
    }
    assert!(logged(&mut world).is_empty());
    world.pass_ms(1000);
    assert_eq!(logged(&mut world), ["thinned r1 860"], "of all that was lost so far");
    world.pass_ms(60_000);
    assert!(logged(&mut world).is_empty(), "nothing more was lost");
    lost(&mut world, "r1", 20);
    lost(&mut world, "r1", 20);
    assert_eq!(logged(&mut world), ["thinned r1 880"]);
    world.handle(Event::StopRecording { conference: key("Class") }).unwrap();
    assert_eq!(logged(&mut world), ["thinned r1 900", "stopped"], "the rest comes before its end");
    lost(&mut world, "r1", 20);
    world.pass_ms(60_000);
    assert!(logged(&mut world).is_empty());
    start(&mut world, SETTINGS).unwrap();
    opened(&mut world, "r2").unwrap();
    lost(&mut world, "r2", 40);
    assert_eq!(logged(&mut world), ["started", "thinned r2 40"], "each counts its own");
}

#[test]
fn it_ends_with_the_last_participant_also_where_it_has_not_begun() {
    let mut world = two(RecordingRules::default());
    recorded(&mut world);
    world.leave("a");
    world.effects();
    world.leave("boss");
    assert!(world.deeds().contains(&end("r1")));

    let mut world = two(RecordingRules::default());
    start(&mut world, SETTINGS).unwrap();
    world.handle(Event::End { conference: key("Class") }).unwrap();
    world.effects();
    assert_eq!(opened(&mut world, "r2"), Err(Refused::UnknownConference));
    world.assert_deeds(&[end("r2")]);
}

#[test]
fn it_needs_a_participant_and_permission() {
    let mut world = World::new();
    world.reserve(reservation("Class", 5, 60));
    world.pass_minutes(6);
    world.effects();
    assert_eq!(start(&mut world, SETTINGS), Err(Refused::NobodyToRecord));
    let mut world = two(RecordingRules { is_allowed: false, ..RecordingRules::default() });
    assert_eq!(start(&mut world, SETTINGS), Err(Refused::RecordingOff));
    assert_eq!(world.command("boss", Command::Record { is_confirmed: false }), Outcome::Failed);
}

fn auto() -> RoomRules {
    RoomRules { record: AutoRecord::Auto, wait_for_leader: true, ..rules() }
}

#[test]
fn a_room_has_its_conference_recorded_from_its_start_unless_that_was_ended() {
    let mut world = World::new();
    world.enter_by("a", "Class", by(&auto()));
    world.enter_by("b", "Class", by(&auto()));
    assert!(!world.deeds().contains(&open(RecordingSettings::default())), "it waits for its leader");
    world.enter_by("boss", "Class", leader_by(&auto()));
    assert!(world.deeds().contains(&open(RecordingSettings::default())));
    opened(&mut world, "r1").unwrap();
    world.effects();
    world.handle(Event::StopRecording { conference: key("Class") }).unwrap();
    world.effects();
    world.enter_by("c", "Class", by(&auto()));
    assert!(!world.deeds().contains(&open(RecordingSettings::default())), "it was ended on purpose");
}

/// The conference has the rules with which the last caller came.
#[test]
fn a_room_whose_setting_is_changed_ends_what_it_has_begun_and_nothing_else() {
    let off = RoomRules { record: AutoRecord::Off, ..auto() };
    let mut world = World::new();
    world.enter_by("first", "Class", by(&auto()));
    world.enter_by("boss", "Class", leader_by(&auto()));
    opened(&mut world, "r1").unwrap();
    world.effects();
    world.enter_by("a", "Class", by(&off));
    let deeds = world.deeds();
    assert!(deeds.contains(&end("r1")) && deeds.contains(&announce(Announcement::RecordingOff)), "{deeds:?}");
    assert_eq!(shown(&world), None);
    // Changed once more, it begins again.
    world.enter_by("b", "Class", by(&auto()));
    assert!(world.deeds().contains(&open(RecordingSettings::default())));
    opened(&mut world, "r2").unwrap();
    world.handle(Event::StopRecording { conference: key("Class") }).unwrap();
    // What a program or a leader has begun goes on.
    start(&mut world, SETTINGS).unwrap();
    opened(&mut world, "r3").unwrap();
    world.enter_by("c", "Class", by(&off));
    assert_eq!(shown(&world), Some((Some("r3".into()), false)));
}

#[test]
fn the_tone_repeats_while_it_records() {
    let mut world = two(RecordingRules { tone_every_s: 15, ..RecordingRules::default() });
    recorded(&mut world);
    for _ in 0..3 {
        world.pass_ms(14_999);
        assert!(world.announced().is_empty());
        world.pass_ms(1);
        assert_eq!(world.announced(), [(Audience::All(key("Class")), Announcement::RecordingTone)]);
    }
    world.handle(Event::PauseRecording { conference: key("Class"), is_paused: true }).unwrap();
    world.effects();
    world.pass_ms(30_000);
    assert!(world.announced().is_empty());
    world.handle(Event::StopRecording { conference: key("Class") }).unwrap();
    world.effects();
    world.pass_ms(30_000);
    assert!(world.announced().is_empty());
}

#[test]
fn a_reserved_conference_whose_recording_was_cut_off_goes_on_with_the_next_part() {
    let mut world = World::new();
    world.reserve(reservation("Class", 5, 60));
    world.pass_minutes(6);
    let cut_off = CutOffRecording { recording: id("r1"), part: 2, settings: SETTINGS, is_paused: false };
    let now = world.now();
    assert!(!world.conferences.resume_recording(&key("Other"), cut_off.clone(), now));
    assert!(world.conferences.resume_recording(&key("Class"), cut_off, now));
    world.effects();
    world.enter("boss", "Class", leader());
    world.effects();
    world.enter("a", "Class", plain());
    let continues = Some((id("r1"), 2));
    let next = do_it(RecordingCommand::Open { settings: SETTINGS, continues, is_paused: false });
    assert!(world.deeds().contains(&next));
}

#[test]
fn what_follows_on_a_recording_that_was_paused_begins_paused_and_goes_on_when_it_is_resumed() {
    let mut world = World::new();
    world.reserve(reservation("Class", 5, 60));
    world.pass_minutes(6);
    let cut_off = CutOffRecording { recording: id("r0"), part: 1, settings: SETTINGS, is_paused: true };
    let now = world.now();
    assert!(world.conferences.resume_recording(&key("Class"), cut_off, now));
    world.enter("boss", "Class", leader());
    world.enter("a", "Class", plain());
    let continues = Some((id("r0"), 1));
    let next = do_it(RecordingCommand::Open { settings: SETTINGS, continues, is_paused: true });
    assert!(world.deeds().contains(&next), "nothing is recorded between its beginning and its pause");
    opened(&mut world, "r1").unwrap();
    world.assert_deeds(&[announce(Announcement::RecordingPaused)]);
    assert_eq!(shown(&world), Some((Some("r1".into()), true)));
    assert_eq!(logged(&mut world), ["started", "paused"]);
    world.enter("late", "Class", plain());
    world.assert_deeds(&[voice("Class", "late", true, true)]);
    // The leader hears it as the answer to the key, and all others are told.
    assert_eq!(world.command("boss", Command::Record { is_confirmed: false }), Outcome::RecordingResumed);
    let resumed = do_it(RecordingCommand::Pause { recording: id("r1"), is_paused: false });
    let all_told = ["boss", "a", "late"].map(note_told);
    let to = Audience::AllBut(key("Class"), participant_id("boss"));
    let mut deeds = vec![resumed, Effect::Announce { to, what: Announcement::RecordingResumed }];
    deeds.extend(all_told);
    world.assert_deeds(&deeds);
    assert_eq!(logged(&mut world), ["resumed"]);
}

#[test]
fn who_has_a_conference_recorded_that_was_paused_before_a_crash_has_it_recorded() {
    let mut world = World::new();
    world.reserve(reservation("Class", 5, 60));
    world.pass_minutes(6);
    let cut_off = CutOffRecording { recording: id("r0"), part: 1, settings: SETTINGS, is_paused: true };
    let now = world.now();
    assert!(world.conferences.resume_recording(&key("Class"), cut_off, now));
    // One alone does not start the conference, but can be recorded.
    world.enter("boss", "Class", leader());
    world.effects();
    start(&mut world, SETTINGS).unwrap();
    let continues = Some((id("r0"), 1));
    world.assert_deeds(&[do_it(RecordingCommand::Open { settings: SETTINGS, continues, is_paused: false })]);
}
