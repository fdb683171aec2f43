//! Every message between edge and home can be written to a link and read back as it was.

use plenary_conference::{
    AccountId, Arrival, Command, ConferenceKey, ConferenceName, Controls, Digit, EdgeReport, Effect, MutedBy,
    News, Outcome, ParticipantId, ParticipantOptions, RecordingCommand, RecordingReport, Refused,
    ReservationToken, RoomRules, ServiceName, State, Timestamp, ToEdge, ToHome, ViaRoom,
    command::{CallProgress, Step, Volume, Who},
    conferences::ParticipantSummary,
    effect::{Announcement, Audience, EndReason, Notice, WaitEnd},
    participant::PlayList,
    recording::RecordingOverview,
    refused::{NotAsked, OutOfRange},
};
use plenary_model::{
    Actor, Announce, AutoRecord, CallDirection, ConferenceRecordingId, Decibels, InbandDtmf, Introduction,
    LanguageCode, NameId, ParticipantUpdate, RecordedTracks, RecordingFailure, RecordingFormat,
    RecordingSettings, VoiceSound,
};
use proptest::{option, prelude::*, sample::select};

/// Any text, with what JSON has to escape.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Za-z0-9]{0,12}", any::<String>()]
}

fn conference() -> impl Strategy<Value = ConferenceKey> {
    (any::<i64>(), text()).prop_map(|(account, name)| ConferenceKey {
        account: AccountId(account),
        name: ConferenceName::new(name),
    })
}

fn participant() -> impl Strategy<Value = ParticipantId> {
    text().prop_map(ParticipantId::new)
}

fn digit() -> impl Strategy<Value = Digit> {
    select("0123456789*#ABCD".chars().collect::<Vec<_>>()).prop_map(|key| Digit::new(key).unwrap())
}

/// What effects play: names of announcements and messages after them are put together, so there is no rule for them.
fn play_list() -> impl Strategy<Value = PlayList> {
    prop::collection::vec(text(), 0..130).prop_map(PlayList)
}

/// What options hold: it was configured, and is checked as it is read.
fn configured() -> impl Strategy<Value = PlayList> {
    let item = select(vec!["tone:440/200", "silence:1000", "hello.wav", "Grüß Gott, \"Anna\".WAV"]);
    prop::collection::vec(item.prop_map(str::to_owned), 1..4).prop_map(PlayList)
}

fn options() -> impl Strategy<Value = ParticipantOptions> {
    let flags = any::<[bool; 4]>();
    let keys = [option::of(digit()), option::of(digit()), option::of(digit())];
    let lists = [
        option::of(configured()),
        option::of(configured()),
        option::of(configured()),
        option::of(configured()),
        option::of(configured()),
    ];
    let inband_dtmf = option::of(select(vec![InbandDtmf::Auto, InbandDtmf::Always, InbandDtmf::Off]));
    (flags, keys, lists, inband_dtmf).prop_map(|(flags, keys, lists, inband_dtmf)| {
        let [talker, start_on_entry, destroy_on_exit, beep_on_entry] = flags;
        let [exit_digit, mute_digit, unmute_digit] = keys;
        let [while_stopped_media, while_held_media, name, has_joined_message, has_left_message] = lists;
        ParticipantOptions {
            talker,
            start_on_entry,
            destroy_on_exit,
            beep_on_entry,
            exit_digit,
            mute_digit,
            unmute_digit,
            while_stopped_media,
            while_held_media,
            inband_dtmf,
            name,
            has_joined_message,
            has_left_message,
        }
    })
}

fn state() -> impl Strategy<Value = State> {
    select(vec![State::Reserved, State::Holding, State::Active, State::Completed])
}

fn muted_by() -> impl Strategy<Value = Option<MutedBy>> {
    option::of(select(vec![MutedBy::Own, MutedBy::Leader, MutedBy::Lecture]))
}

fn refused() -> impl Strategy<Value = Refused> {
    let out_of_range = prop::collection::vec((text(), text()), 0..3).prop_map(|wrong| {
        let one = |(parameter, text): (String, String)| OutOfRange { parameter: parameter.into(), text };
        Refused::OutOfRange(wrong.into_iter().map(one).collect())
    });
    prop_oneof![
        out_of_range,
        state().prop_map(|state| Refused::WrongState { state }),
        any::<u32>().prop_map(|max_duration_minutes| Refused::TooLong { max_duration_minutes }),
        (any::<u32>(), any::<i64>(), any::<i64>()).prop_map(|(available, from, to)| Refused::NoSeats {
            available,
            from: Timestamp(from),
            to: Timestamp(to)
        }),
        (option::of(text()), option::of(any::<i64>())).prop_map(|(divert, starts_at)| Refused::Early {
            divert: divert.map(ServiceName::new),
            starts_at: starts_at.map(Timestamp),
        }),
        select(vec![
            Refused::UnknownConference,
            Refused::UnknownReservation,
            Refused::UnknownParticipant,
            Refused::NotIn,
            Refused::NameTokenMismatch,
            Refused::NameTaken,
            Refused::TooLateToRemove,
            Refused::TooLateToExtend,
            Refused::Over,
            Refused::Locked,
            Refused::LobbyFull,
            Refused::Denied,
            Refused::Full,
            Refused::AlreadyAdmitted,
            Refused::AlreadyRecorded,
            Refused::NotRecorded,
            Refused::RecordingOff,
            Refused::NobodyToRecord,
            Refused::NoEnd,
            Refused::NotAsked(NotAsked::NotIn),
            Refused::NotAsked(NotAsked::NotMuted),
            Refused::NotAsked(NotAsked::NoKey),
            Refused::NotAsked(NotAsked::ListenOnly),
        ]),
        recording_failure().prop_map(|failure| Refused::RecordingFailed { failure }),
    ]
}

fn notice() -> impl Strategy<Value = Notice> {
    let token = || text().prop_map(ReservationToken::new);
    prop_oneof![
        (conference(), token())
            .prop_map(|(conference, token)| Notice::ReservationOpened { conference, token }),
        (conference(), token())
            .prop_map(|(conference, token)| Notice::ReservationCompleted { conference, token }),
        (conference(), token())
            .prop_map(|(conference, token)| Notice::ReservationForgotten { conference, token }),
        conference().prop_map(|conference| Notice::ConferenceCreated { conference }),
        conference().prop_map(|conference| Notice::ConferenceStarted { conference }),
        conference().prop_map(|conference| Notice::ConferenceStopped { conference }),
        conference().prop_map(|conference| Notice::ConferenceGone { conference }),
        (conference(), participant())
            .prop_map(|(conference, participant)| Notice::ParticipantEntered { conference, participant }),
        (conference(), participant())
            .prop_map(|(conference, participant)| Notice::ParticipantLeft { conference, participant }),
        (conference(), participant(), any::<bool>(), muted_by(), any::<bool>()).prop_map(
            |(conference, participant, muted, muted_by, dtmf_enabled)| {
                Notice::OptionsChanged { conference, participant, muted, muted_by, dtmf_enabled }
            }
        ),
        (conference(), any::<[bool; 4]>()).prop_map(|(conference, flags)| {
            let [locked, lecture, muted_on_entry, self_unmute] = flags;
            let controls = Controls { locked, lecture, muted_on_entry, self_unmute };
            Notice::ControlsChanged { conference, controls }
        }),
        (conference(), participant(), any::<bool>()).prop_map(|(conference, participant, is_raised)| {
            Notice::HandChanged { conference, participant, is_raised }
        }),
        (conference(), participant())
            .prop_map(|(conference, participant)| Notice::WaitingBegan { conference, participant }),
        (
            conference(),
            participant(),
            select(vec![WaitEnd::Admitted, WaitEnd::Denied, WaitEnd::HungUp, WaitEnd::Over])
        )
            .prop_map(|(conference, participant, end)| Notice::WaitingEnded {
                conference,
                participant,
                end
            }),
        (conference(), recording(), recording_settings(), option::of(participant())).prop_map(
            |(conference, recording, settings, by)| Notice::RecordingStarted {
                conference,
                recording,
                settings,
                by
            }
        ),
        (conference(), recording(), option::of(participant()))
            .prop_map(|(conference, recording, by)| Notice::RecordingPaused { conference, recording, by }),
        (conference(), recording(), option::of(participant()))
            .prop_map(|(conference, recording, by)| Notice::RecordingResumed { conference, recording, by }),
        (conference(), recording(), option::of(participant()))
            .prop_map(|(conference, recording, by)| Notice::RecordingStopped { conference, recording, by }),
        (conference(), option::of(recording()), recording_failure()).prop_map(
            |(conference, recording, failure)| Notice::RecordingFailed { conference, recording, failure }
        ),
    ]
}

fn recording() -> impl Strategy<Value = ConferenceRecordingId> {
    text().prop_map(ConferenceRecordingId)
}

fn recording_failure() -> impl Strategy<Value = RecordingFailure> {
    select(vec![RecordingFailure::StorageFull, RecordingFailure::StorageFailed, RecordingFailure::TooLong])
}

fn recording_settings() -> impl Strategy<Value = RecordingSettings> {
    let tracks = select(vec![RecordedTracks::Mixed, RecordedTracks::Separate]);
    let format = select(vec![RecordingFormat::Opus, RecordingFormat::Wav]);
    (tracks, format, any::<bool>()).prop_map(|(tracks, format, announce)| RecordingSettings {
        tracks,
        format,
        announce,
    })
}

fn recording_command() -> impl Strategy<Value = RecordingCommand> {
    prop_oneof![
        (recording_settings(), option::of((recording(), any::<u32>())), any::<bool>()).prop_map(
            |(settings, continues, is_paused)| RecordingCommand::Open { settings, continues, is_paused }
        ),
        (recording(), any::<bool>())
            .prop_map(|(recording, is_paused)| RecordingCommand::Pause { recording, is_paused }),
        recording().prop_map(|recording| RecordingCommand::End { recording }),
        (recording(), participant())
            .prop_map(|(recording, participant)| RecordingCommand::NoteTold { recording, participant }),
    ]
}

fn recording_report() -> impl Strategy<Value = RecordingReport> {
    prop_oneof![
        recording().prop_map(|recording| RecordingReport::Opened { recording }),
        option::of(recording_failure()).prop_map(|failure| RecordingReport::NotOpened { failure }),
        (recording(), any::<u64>()).prop_map(|(recording, ms)| RecordingReport::Lost { recording, ms }),
        (recording(), recording_failure())
            .prop_map(|(recording, failure)| RecordingReport::Failed { recording, failure }),
        participant().prop_map(|participant| RecordingReport::Told { participant }),
    ]
}

fn recording_overview() -> impl Strategy<Value = RecordingOverview> {
    (option::of(recording()), recording_settings(), any::<bool>(), option::of(any::<i64>())).prop_map(
        |(recording, settings, is_paused, started_at)| RecordingOverview {
            recording,
            settings,
            is_paused,
            started_at: started_at.map(Timestamp),
        },
    )
}

fn name() -> impl Strategy<Value = Option<NameId>> {
    option::of(text().prop_map(NameId))
}

fn rules() -> impl Strategy<Value = RoomRules> {
    let announce = select(vec![Announce::Name, Announce::Tone, Announce::None]);
    let minutes = prop::collection::vec(any::<u32>(), 0..3);
    let language = select(vec!["en", "pl", "en-GB"]);
    (any::<[bool; 3]>(), announce, any::<Option<u32>>(), minutes, any::<[u32; 2]>(), language).prop_map(
        |(flags, announce, end_after_leader_s, time_warnings_min, numbers, language)| {
            let [lobby, wait_for_leader, muted_on_entry] = flags;
            let [alone_min, announce_names_max] = numbers;
            RoomRules {
                lobby,
                wait_for_leader,
                announce,
                announce_names_max,
                muted_on_entry,
                end_after_leader_s,
                time_warnings_min,
                alone_min,
                record: if flags[0] == flags[1] { AutoRecord::Auto } else { AutoRecord::Off },
                key_events: flags[1],
                language: LanguageCode::new(language).unwrap(),
            }
        },
    )
}

fn via() -> impl Strategy<Value = Option<Box<ViaRoom>>> {
    let via = (rules(), any::<bool>(), name())
        .prop_map(|(rules, is_leader, name)| Box::new(ViaRoom { rules, is_leader, name }));
    option::of(via)
}

fn announcement() -> impl Strategy<Value = Announcement> {
    prop_oneof![
        name().prop_map(|name| Announcement::Joined { name }),
        name().prop_map(|name| Announcement::Left { name }),
        any::<u32>().prop_map(|seconds| Announcement::EndsIn { seconds }),
        any::<Option<u32>>().prop_map(|ends_in_s| Announcement::LeaderLeft { ends_in_s }),
        any::<u32>().prop_map(|seconds| Announcement::AloneEndsIn { seconds }),
        any::<u32>().prop_map(|seconds| Announcement::ExtendedBy { seconds }),
        select(vec![
            Announcement::RecordingOn,
            Announcement::RecordingPaused,
            Announcement::RecordingResumed,
            Announcement::RecordingOff,
            Announcement::RecordingFull,
            Announcement::RecordingTone,
        ]),
    ]
}

fn news() -> impl Strategy<Value = News> {
    let progress = select(vec![
        CallProgress::Ringing,
        CallProgress::Busy,
        CallProgress::NoAnswer,
        CallProgress::Refused,
        CallProgress::Failed,
        CallProgress::Joined,
    ]);
    prop_oneof![
        any::<bool>().prop_map(|self_unmute| News::MutedByLeader { self_unmute }),
        Just(News::AskedToUnmute),
        Just(News::UnmutedByLeader),
        Just(News::HandRaised),
        Just(News::RecordingBegun),
        Just(News::RecordingNotBegun),
        name().prop_map(|name| News::Waiting { name }),
        any::<u32>().prop_map(|count| News::SeveralWait { count }),
        Just(News::Guessing),
        progress.prop_map(News::Call),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let step = || select(vec![Step::Up, Step::Down, Step::Reset]);
    let who = || prop_oneof![Just(Who::Next), participant().prop_map(Who::One)];
    prop_oneof![
        select(vec![
            Command::ToggleMute,
            Command::ToggleHand,
            Command::Count,
            Command::RollCall,
            Command::NextFloor,
            Command::ToggleMuteAll,
            Command::ToggleLecture,
            Command::ToggleLock,
            Command::NextWaiting,
            Command::AdmitAll,
            Command::RefuseAll,
            Command::EjectLast,
            Command::TimeLeft,
            Command::ToggleAnnouncements,
            Command::Leave,
            Command::StopRecording,
            Command::End,
        ]),
        step().prop_map(Command::Hear),
        step().prop_map(Command::Talk),
        who().prop_map(Command::Admit),
        who().prop_map(Command::Refuse),
        text().prop_map(|number| Command::Call { number }),
        any::<bool>().prop_map(|is_confirmed| Command::Record { is_confirmed }),
        any::<u32>().prop_map(|minutes| Command::Extend { minutes }),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let volume = select(vec![Volume::Louder, Volume::Quieter, Volume::Normal, Volume::AtLimit]);
    let names = prop::collection::vec(text().prop_map(NameId), 0..3);
    prop_oneof![
        select(vec![
            Outcome::Muted,
            Outcome::Unmuted,
            Outcome::StaysMuted,
            Outcome::ListenOnly,
            Outcome::HandRaised,
            Outcome::HandLowered,
            Outcome::AllMuted,
            Outcome::AllUnmuted,
            Outcome::LectureOn,
            Outcome::LectureOff,
            Outcome::Locked,
            Outcome::Unlocked,
            Outcome::NobodyWaits,
            Outcome::Admitted,
            Outcome::AllAdmitted,
            Outcome::SomeAdmitted,
            Outcome::Full,
            Outcome::TurnedAway,
            Outcome::AllTurnedAway,
            Outcome::LastEjected,
            Outcome::RecordingUnconfirmed,
            Outcome::RecordingOn,
            Outcome::RecordingPaused,
            Outcome::RecordingResumed,
            Outcome::RecordingStopped,
            Outcome::NotExtended,
            Outcome::Calling,
            Outcome::CallNotAllowed,
            Outcome::CallFailed,
            Outcome::AnnouncementsOn,
            Outcome::AnnouncementsOff,
            Outcome::LeadersOnly,
            Outcome::Done,
            Outcome::Failed,
        ]),
        volume.prop_map(Outcome::Volume),
        any::<(u32, u32)>().prop_map(|(participants, waiting)| Outcome::Count { participants, waiting }),
        (names, any::<u32>()).prop_map(|(names, unnamed)| Outcome::Roll { names, unnamed }),
        (participant(), name(), any::<u32>()).prop_map(|(participant, name, count)| Outcome::Waiting {
            participant,
            name,
            count
        }),
        any::<(Option<u32>, bool)>()
            .prop_map(|(seconds, may_extend)| Outcome::TimeLeft { seconds, may_extend }),
        any::<u32>().prop_map(|seconds| Outcome::Extended { seconds }),
    ]
}

fn effect() -> impl Strategy<Value = Effect> {
    let audience = || {
        prop_oneof![
            conference().prop_map(Audience::All),
            (conference(), participant()).prop_map(|(conference, but)| Audience::AllBut(conference, but)),
        ]
    };
    let reason = select(vec![
        EndReason::TimeIsUp,
        EndReason::LeaderLeft,
        EndReason::Ejected,
        EndReason::ExitKey,
        EndReason::Ended,
        EndReason::EndedByLeader,
        EndReason::RemovedByLeader,
        EndReason::Alone,
    ]);
    prop_oneof![
        (conference(), participant(), any::<bool>(), any::<bool>()).prop_map(
            |(conference, participant, speaks, listens)| {
                Effect::SetVoice { conference, participant, speaks, listens }
            }
        ),
        audience().prop_map(|to| Effect::Beep { to }),
        (audience(), play_list()).prop_map(|(to, what)| Effect::Play { to, what }),
        (conference(), participant(), play_list())
            .prop_map(|(conference, participant, what)| Effect::StartLoop { conference, participant, what }),
        (conference(), participant())
            .prop_map(|(conference, participant)| Effect::StopLoop { conference, participant }),
        (conference(), participant(), reason).prop_map(|(conference, participant, reason)| Effect::HangUp {
            conference,
            participant,
            reason
        }),
        (audience(), announcement()).prop_map(|(to, what)| Effect::Announce { to, what }),
        (conference(), participant(), news()).prop_map(|(conference, participant, news)| Effect::Tell {
            conference,
            participant,
            news
        }),
        (conference(), participant(), any::<bool>()).prop_map(|(conference, participant, is_leader)| {
            Effect::Role { conference, participant, is_leader }
        }),
        (conference(), participant(), any::<bool>())
            .prop_map(|(conference, participant, is_held)| Effect::Hold { conference, participant, is_held }),
        (conference(), participant(), heard_by()).prop_map(|(conference, participant, by)| Effect::HeardBy {
            conference,
            participant,
            by
        }),
        (conference(), participant(), conference())
            .prop_map(|(conference, participant, from)| Effect::MoveIn { conference, participant, from }),
        (conference(), text())
            .prop_map(|(conference, name)| Effect::ForgetName { conference, name: NameId(name) }),
        (conference(), recording_command())
            .prop_map(|(conference, what)| Effect::Recording { conference, what }),
        (conference(), participant())
            .prop_map(|(conference, participant)| Effect::TellRecorded { conference, participant }),
        notice().prop_map(Effect::Notify),
    ]
}

fn heard_by() -> impl Strategy<Value = Option<Vec<ParticipantId>>> {
    option::of(prop::collection::vec(participant(), 0..3))
}

fn introduction() -> impl Strategy<Value = Introduction> {
    (option::of(text()), text(), text(), any::<bool>(), option::of(text())).prop_map(
        |(display_name, from, to, is_called, trunk)| {
            let direction = if is_called { CallDirection::Out } else { CallDirection::In };
            Introduction { display_name, from, to, direction, trunk }
        },
    )
}

fn actor() -> impl Strategy<Value = Actor> {
    prop_oneof![
        Just(Actor::system()),
        Just(Actor::api()),
        any::<i64>().prop_map(Actor::key),
        (participant(), any::<bool>()).prop_map(|(id, is_leader)| Actor::participant(&id, is_leader)),
    ]
}

fn edge_report() -> impl Strategy<Value = EdgeReport> {
    prop_oneof![
        Just(EdgeReport::Ringing),
        any::<u16>().prop_map(|status| EdgeReport::Failed { status }),
        (text(), any::<bool>()).prop_map(|(reason, is_own)| EdgeReport::Leaving { reason, is_own }),
        any::<bool>().prop_map(EdgeReport::Talking),
        any::<bool>().prop_map(EdgeReport::Held),
        option::of(text()).prop_map(EdgeReport::Renamed),
        (-20.0..20.0_f32, any::<bool>()).prop_map(|(gain_db, automatic_gain)| {
            EdgeReport::Changed(Box::new(ParticipantUpdate {
                gain_db: Some(Decibels(gain_db)),
                sound: Some(VoiceSound { automatic_gain, noise_suppression: !automatic_gain }),
                inband_dtmf: automatic_gain.then_some(None),
                ..ParticipantUpdate::default()
            }))
        }),
        any::<[bool; 2]>().prop_map(|[automatic_gain, noise_suppression]| {
            EdgeReport::Sound(VoiceSound { automatic_gain, noise_suppression })
        }),
        text().prop_map(|id| EdgeReport::PlaybackStarted { id }),
        text().prop_map(|id| EdgeReport::PlaybackEnded { id }),
    ]
}

fn to_home() -> impl Strategy<Value = ToHome> {
    prop_oneof![
        (conference(), participant(), options(), option::of(participant()), any::<bool>(), via()).prop_map(
            |(conference, participant, options, in_place_of, is_called, via)| {
                ToHome::Admit { conference, participant, options, in_place_of, is_called, via }
            }
        ),
        (conference(), participant(), any::<u64>(), command()).prop_map(
            |(conference, participant, question, command)| {
                ToHome::Command { conference, participant, question, command }
            }
        ),
        (conference(), participant())
            .prop_map(|(conference, participant)| ToHome::Connected { conference, participant }),
        (conference(), participant())
            .prop_map(|(conference, participant)| ToHome::Gone { conference, participant }),
        (conference(), participant(), prop::collection::vec(participant(), 0..3))
            .prop_map(|(conference, participant, by)| ToHome::TakenOver { conference, participant, by }),
        (conference(), participant(), digit()).prop_map(|(conference, participant, key)| ToHome::Key {
            conference,
            participant,
            key
        }),
        (conference(), participant(), introduction(), option::of(actor())).prop_map(
            |(conference, participant, who, by)| {
                ToHome::Introduce { conference, participant, who: Box::new(who), by }
            }
        ),
        (conference(), option::of(participant()), edge_report())
            .prop_map(|(conference, participant, report)| ToHome::Report { conference, participant, report }),
        conference().prop_map(|conference| ToHome::Roster { conference }),
        conference().prop_map(|conference| ToHome::Guessing { conference }),
        (conference(), recording_report())
            .prop_map(|(conference, report)| ToHome::Recording { conference, report }),
        (conference(), any::<u64>()).prop_map(|(conference, seq)| ToHome::Done { conference, seq }),
    ]
}

fn to_edge() -> impl Strategy<Value = ToEdge> {
    let times = any::<[Option<i64>; 2]>();
    let summary = (participant(), any::<[bool; 7]>(), muted_by(), times, heard_by()).prop_map(
        |(id, flags, muted_by, [entered_at, hand_raised_at], heard_by)| {
            let [muted, dtmf_enabled, is_leader, waits, is_held, is_held_by_leader, may_unmute] = flags;
            ParticipantSummary {
                id,
                muted,
                muted_by,
                dtmf_enabled,
                is_leader,
                entered_at: entered_at.map(Timestamp),
                waits,
                is_held,
                is_held_by_leader,
                hand_raised_at: hand_raised_at.map(Timestamp),
                may_unmute,
                heard_by,
            }
        },
    );
    prop_oneof![
        (conference(), participant(), any::<[bool; 2]>()).prop_map(
            |(conference, participant, [is_first, awaits_leader])| {
                let arrival = Arrival { is_first, awaits_leader };
                ToEdge::Granted { conference, participant, arrival }
            }
        ),
        (conference(), participant(), any::<bool>()).prop_map(|(conference, participant, is_leader_told)| {
            ToEdge::Waiting { conference, participant, is_leader_told }
        }),
        (conference(), participant(), any::<u64>(), outcome()).prop_map(
            |(conference, participant, question, outcome)| {
                ToEdge::Outcome { conference, participant, question, outcome }
            }
        ),
        (conference(), participant())
            .prop_map(|(conference, participant)| ToEdge::Entered { conference, participant }),
        (conference(), participant(), refused()).prop_map(|(conference, participant, refused)| {
            ToEdge::Refused { conference, participant, refused }
        }),
        (conference(), any::<u64>(), prop::collection::vec(effect(), 0..4))
            .prop_map(|(conference, seq, effects)| ToEdge::Do { conference, seq, effects }),
        (conference(), state(), prop::collection::vec(summary, 0..4), option::of(recording_overview()))
            .prop_map(|(conference, state, participants, recording)| {
                ToEdge::Roster { conference, state, participants, recording }
            }),
    ]
}

/// A new message does not compile until the strategies above make it.
const fn is_made(home: &ToHome, edge: &ToEdge) -> bool {
    match home {
        ToHome::Admit { .. }
        | ToHome::Connected { .. }
        | ToHome::Gone { .. }
        | ToHome::TakenOver { .. }
        | ToHome::Key { .. }
        | ToHome::Introduce { .. }
        | ToHome::Report { .. }
        | ToHome::Command { .. }
        | ToHome::Guessing { .. }
        | ToHome::Recording { .. }
        | ToHome::Roster { .. }
        | ToHome::Done { .. } => {}
    }
    match edge {
        ToEdge::Granted { .. }
        | ToEdge::Waiting { .. }
        | ToEdge::Outcome { .. }
        | ToEdge::Entered { .. }
        | ToEdge::Refused { .. }
        | ToEdge::Do { .. }
        | ToEdge::Roster { .. } => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn what_is_sent_is_what_arrives(home in to_home(), edge in to_edge()) {
        prop_assert!(is_made(&home, &edge));
        let line = serde_json::to_string(&home).unwrap();
        prop_assert_eq!(serde_json::from_str::<ToHome>(&line).unwrap(), home, "{}", line);
        let line = serde_json::to_string(&edge).unwrap();
        prop_assert_eq!(serde_json::from_str::<ToEdge>(&line).unwrap(), edge, "{}", line);
    }
}
