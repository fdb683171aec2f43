//! The event log, replayed, is what the conferences show, whatever happens to them: recordings, what is played, who is called and does not
//! come, other names, telephones that are put on hold.

mod support;

use plenary_conference::{
    Command, ConferenceLimits, ControlsChange, EdgeReport, Event, ParticipantChange, RecordingReport,
    ReservationLimits, RoomRules,
};
use plenary_model::{
    CallDirection, ConferenceRecordingId, Introduction, RecordingFailure, RecordingSettings, VoiceSound,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use support::{fold::Fold, *};

const ROOMS: [&str; 3] = ["Tea", "Class", "Board"];
const PEOPLE: u8 = 6;

#[derive(Debug, Clone)]
enum Step {
    /// It asks for a seat, or is to be called.
    Admit {
        who: u8,
        room: usize,
        is_called: bool,
        leads: bool,
        lobby: bool,
    },
    Connect {
        who: u8,
    },
    Gone {
        who: u8,
    },
    Ringing {
        who: u8,
    },
    Failed {
        who: u8,
        status: u16,
    },
    Talking {
        who: u8,
        is_talking: bool,
    },
    Held {
        who: u8,
        is_held: bool,
    },
    Renamed {
        who: u8,
        name: Option<u8>,
    },
    Plays {
        room: usize,
        to: Option<u8>,
        id: u8,
    },
    Played {
        room: usize,
        to: Option<u8>,
        id: u8,
    },
    Change {
        who: u8,
        change: ParticipantChange,
    },
    Remove {
        who: u8,
    },
    Move {
        who: u8,
        to: usize,
    },
    Admitted {
        room: usize,
    },
    MuteAll {
        room: usize,
        muted: bool,
    },
    Controls {
        room: usize,
        change: ControlsChange,
    },
    Sound {
        room: usize,
        sound: [bool; 2],
    },
    Command {
        who: u8,
        command: Command,
    },
    End {
        room: usize,
    },
    Record {
        room: usize,
    },
    Opened {
        room: usize,
        is_open: bool,
    },
    Pause {
        room: usize,
        is_paused: bool,
    },
    Stop {
        room: usize,
    },
    Fails {
        room: usize,
    },
    Pass {
        seconds: u16,
    },
}

fn change() -> impl Strategy<Value = ParticipantChange> {
    (any::<[Option<bool>; 2]>(), any::<Option<Option<bool>>>(), any::<[Option<bool>; 2]>()).prop_map(
        |([muted, dtmf_enabled], self_unmute, [held, leader])| ParticipantChange {
            muted,
            dtmf_enabled,
            self_unmute,
            held,
            leader,
            ..ParticipantChange::default()
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..PEOPLE;
    let room = || prop_oneof![5 => Just(0_usize), 1 => Just(1), 2 => Just(2)];
    let flag = any::<bool>;
    let id = || 0..3_u8;
    let commands = vec![Command::ToggleMute, Command::ToggleHand, Command::NextFloor, Command::AdmitAll];
    let often = prop_oneof![
        8 => (who(), room(), flag(), prop::bool::weighted(0.3), prop::bool::weighted(0.3)).prop_map(
            |(who, room, is_called, leads, lobby)| Step::Admit { who, room, is_called, leads, lobby }
        ),
        16 => who().prop_map(|who| Step::Connect { who }),
        3 => who().prop_map(|who| Step::Gone { who }),
        3 => who().prop_map(|who| Step::Ringing { who }),
        3 => (who(), prop::sample::select(vec![404_u16, 480, 486, 503, 603]))
            .prop_map(|(who, status)| Step::Failed { who, status }),
        3 => (who(), flag()).prop_map(|(who, is_talking)| Step::Talking { who, is_talking }),
        4 => (who(), flag()).prop_map(|(who, is_held)| Step::Held { who, is_held }),
        4 => (who(), prop::option::weighted(0.8, 0..4_u8)).prop_map(|(who, name)| Step::Renamed { who, name }),
        3 => (room(), prop::option::of(who()), id()).prop_map(|(room, to, id)| Step::Plays { room, to, id }),
        3 => (room(), prop::option::of(who()), id()).prop_map(|(room, to, id)| Step::Played { room, to, id }),
        6 => (who(), change()).prop_map(|(who, change)| Step::Change { who, change }),
    ];
    let others = prop_oneof![
        1 => who().prop_map(|who| Step::Remove { who }),
        3 => (who(), room()).prop_map(|(who, to)| Step::Move { who, to }),
        2 => room().prop_map(|room| Step::Admitted { room }),
        1 => (room(), flag()).prop_map(|(room, muted)| Step::MuteAll { room, muted }),
        2 => (room(), any::<[Option<bool>; 3]>()).prop_map(|(room, [lecture, muted_on_entry, self_unmute])| {
            Step::Controls { room, change: ControlsChange { locked: None, lecture, muted_on_entry, self_unmute } }
        }),
        2 => (room(), any::<[bool; 2]>()).prop_map(|(room, sound)| Step::Sound { room, sound }),
        4 => (who(), prop::sample::select(commands)).prop_map(|(who, command)| Step::Command { who, command }),
        1 => room().prop_map(|room| Step::End { room }),
        4 => room().prop_map(|room| Step::Record { room }),
        6 => (room(), prop::bool::weighted(0.8)).prop_map(|(room, is_open)| Step::Opened { room, is_open }),
        4 => (room(), flag()).prop_map(|(room, is_paused)| Step::Pause { room, is_paused }),
        2 => room().prop_map(|room| Step::Stop { room }),
        1 => room().prop_map(|room| Step::Fails { room }),
        3 => (0..200_u16).prop_map(|seconds| Step::Pass { seconds }),
    ];
    prop_oneof![3 => often, 2 => others]
}

fn id_of(who: u8) -> String {
    format!("p{who}")
}

/// Where a participant is, or is expected.
fn place(world: &World, who: u8) -> Option<&'static str> {
    let id = participant_id(&id_of(who));
    ROOMS.into_iter().find(|room| {
        let expected = world.conferences.expected(&key(room));
        world.names(room).contains(&id.to_string()) || expected.iter().any(|one| one.id == id)
    })
}

/// What the edges do, beside the conferences.
#[derive(Default)]
struct Edges {
    /// The names by which participants are shown.
    names: BTreeMap<u8, Option<String>>,
    /// How voices in a conference are made to sound, where that was set since it is open.
    sounds: BTreeMap<&'static str, VoiceSound>,
    recordings: u32,
}

impl Edges {
    /// A refusal is no failure: what was refused is not in the log.
    fn apply(&mut self, world: &mut World, step: &Step) {
        let report = |world: &mut World, who: u8, report: EdgeReport| {
            let Some(room) = place(world, who) else { return };
            let (conference, participant) = (key(room), Some(participant_id(&id_of(who))));
            world.handle(Event::Reported { conference, participant, report }).unwrap();
        };
        let recording = |world: &World, room: usize| {
            world.conferences.overview(&key(ROOMS[room])).and_then(|one| one.recording)?.recording
        };
        match step {
            Step::Admit { who, room, is_called, leads, lobby } => {
                self.admit(world, *who, ROOMS[*room], (*is_called, *leads, *lobby));
            }
            Step::Connect { who } => {
                drop(world.handle(Event::Connected { participant: participant_id(&id_of(*who)) }))
            }
            Step::Gone { who } => {
                drop(world.handle(Event::Gone { participant: participant_id(&id_of(*who)) }))
            }
            Step::Ringing { who } => report(world, *who, EdgeReport::Ringing),
            Step::Failed { who, status } => report(world, *who, EdgeReport::Failed { status: *status }),
            Step::Talking { who, is_talking } => report(world, *who, EdgeReport::Talking(*is_talking)),
            Step::Held { who, is_held } => report(world, *who, EdgeReport::Held(*is_held)),
            Step::Renamed { who, name } => {
                let name = name.map(|name| format!("Name {name}"));
                if place(world, *who).is_some() {
                    self.names.insert(*who, name.clone());
                }
                report(world, *who, EdgeReport::Renamed(name));
            }
            Step::Plays { room, to, id } | Step::Played { room, to, id } => {
                let is_in = |who: &u8| world.names(ROOMS[*room]).contains(&id_of(*who));
                let has_begun = matches!(step, Step::Plays { .. });
                if to.as_ref().is_some_and(|who| !is_in(who)) {
                    return;
                }
                // An id is of one playback, to one or to all.
                let id = format!("{}.{:?}.{id}", ROOMS[*room], to);
                let report = match has_begun {
                    true => EdgeReport::PlaybackStarted { id },
                    false => EdgeReport::PlaybackEnded { id },
                };
                let participant = to.map(|who| participant_id(&id_of(who)));
                let _ = world.handle(Event::Reported { conference: key(ROOMS[*room]), participant, report });
            }
            Step::Change { who, change } => {
                if let Some(room) = place(world, *who) {
                    let _ = world.change(room, &id_of(*who), change.clone());
                }
            }
            Step::Remove { who } => {
                if let Some(room) = place(world, *who) {
                    let participant = participant_id(&id_of(*who));
                    let _ = world.handle(Event::RemoveParticipant { conference: key(room), participant });
                }
            }
            Step::Move { who, to } => {
                if let Some(room) = place(world, *who) {
                    let participant = participant_id(&id_of(*who));
                    let (conference, to) = (key(room), key(ROOMS[*to]));
                    let _ = world.handle(Event::Move { conference, participant, to });
                }
            }
            Step::Admitted { room } => {
                let conference = key(ROOMS[*room]);
                let _ = world.handle(Event::AdmitWaiting { conference, participant: None });
            }
            Step::MuteAll { room, muted } => {
                let (conference, muted) = (key(ROOMS[*room]), *muted);
                let all = Event::MuteAll { conference, muted, except_leaders: true, self_unmute: None };
                let _ = world.handle(all);
            }
            Step::Controls { room, change } => {
                let _ =
                    world.handle(Event::ChangeControls { conference: key(ROOMS[*room]), change: *change });
            }
            Step::Sound { room, sound: [automatic_gain, noise_suppression] } => {
                let (room, sound) = (
                    ROOMS[*room],
                    VoiceSound { automatic_gain: *automatic_gain, noise_suppression: *noise_suppression },
                );
                // The edge tells of it where it is another than before.
                if self.sounds.get(room) == Some(&sound) {
                    return;
                }
                let (conference, report) = (key(room), EdgeReport::Sound(sound));
                if world.handle(Event::Reported { conference, participant: None, report }).is_ok() {
                    self.sounds.insert(room, sound);
                }
            }
            Step::Command { who, command } => {
                if place(world, *who).is_some() {
                    world.command(&id_of(*who), command.clone());
                }
            }
            Step::End { room } => drop(world.handle(Event::End { conference: key(ROOMS[*room]) })),
            Step::Record { room } => {
                let (conference, settings) = (key(ROOMS[*room]), RecordingSettings::default());
                let _ = world.handle(Event::StartRecording { conference, settings });
            }
            Step::Opened { room, is_open } => {
                self.recordings += 1;
                let recording = ConferenceRecordingId(format!("r{}", self.recordings));
                let report = match is_open {
                    true => RecordingReport::Opened { recording },
                    false => RecordingReport::NotOpened { failure: Some(RecordingFailure::StorageFull) },
                };
                let _ = world.handle(Event::Recording { conference: key(ROOMS[*room]), report });
            }
            Step::Pause { room, is_paused } => {
                let (conference, is_paused) = (key(ROOMS[*room]), *is_paused);
                let _ = world.handle(Event::PauseRecording { conference, is_paused });
            }
            Step::Stop { room } => drop(world.handle(Event::StopRecording { conference: key(ROOMS[*room]) })),
            Step::Fails { room } => {
                if let Some(recording) = recording(world, *room) {
                    let report =
                        RecordingReport::Failed { recording, failure: RecordingFailure::StorageFull };
                    let _ = world.handle(Event::Recording { conference: key(ROOMS[*room]), report });
                }
            }
            Step::Pass { seconds } => {
                let end = world.mono.plus_ms(u64::from(*seconds) * 1000);
                while let Some(at) = world.conferences.poll_timeout(world.now()).filter(|at| *at < end) {
                    world.pass_ms(at.0 - world.mono.0);
                }
                world.pass_ms(end.0 - world.mono.0);
            }
        }
    }

    fn admit(
        &mut self,
        world: &mut World,
        who: u8,
        room: &str,
        (is_called, leads, lobby): (bool, bool, bool),
    ) {
        if place(world, who).is_some() {
            return;
        }
        let participant = participant_id(&id_of(who));
        let name = Some(format!("Caller {who}"));
        let introduction = Introduction {
            display_name: name.clone(),
            from: "+4930123456".to_owned(),
            to: room.to_owned(),
            direction: if is_called { CallDirection::Out } else { CallDirection::In },
            trunk: None,
        };
        world
            .handle(Event::Introduce {
                participant: participant.clone(),
                who: Box::new(introduction),
                by: None,
            })
            .unwrap();
        let rules = RoomRules { lobby, ..rules() };
        let via = if leads { leader_by(&rules) } else { by(&rules) };
        let admit = Event::Admit {
            participant,
            conference: key(room),
            options: plain(),
            is_called,
            via: Some(Box::new(via)),
        };
        if world.handle(admit).is_ok() {
            self.names.insert(who, name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn the_log_replayed_is_what_the_conferences_show(steps in prop::collection::vec(step(), 1..160)) {
        let mut world =
            World::with_limits(ReservationLimits::default(), ConferenceLimits { unreserved_max_participants: 5 });
        world.reserve(reservation("Board", 1, 60));
        let (mut edges, mut log) = (Edges::default(), Fold::default());
        for step in steps {
            edges.apply(&mut world, &step);
            let _ = (world.effects(), world.answers());
            while let Some(event) = world.conferences.poll_event() {
                log.take(&event.event);
            }
            log.assert_is(&world);
            edges.sounds.retain(|room, _| log.is_open(room));
            for room in ROOMS {
                prop_assert_eq!(log.sound_of(room), edges.sounds.get(room).copied(), "{} after {:?}", room, step);
            }
            for (who, name) in &edges.names {
                if let Some(told) = log.name_of(&participant_id(&id_of(*who))) {
                    prop_assert_eq!(told, name, "{} after {:?}", who, step);
                }
            }
        }
        for who in 0..PEOPLE {
            let _ = world.handle(Event::Gone { participant: participant_id(&id_of(who)) });
        }
        world.pass_ms(3 * 60 * 60_000);
        while let Some(event) = world.conferences.poll_event() {
            log.take(&event.event);
        }
        log.assert_is(&world);
        prop_assert!(log.is_empty(), "nothing goes on any more: {:?}", log);
    }
}
