//! Every message between edge and home can be written to a link and read back as it was.

use plenary_conference::{
    AccountId, ConferenceKey, ConferenceName, Controls, Digit, Effect, MutedBy, ParticipantId,
    ParticipantOptions, Refused, ReservationToken, ServiceName, State, Timestamp, ToEdge, ToHome,
    conferences::ParticipantSummary,
    effect::{Audience, EndReason, Notice},
    participant::PlayList,
    refused::OutOfRange,
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
    ];
    (flags, keys, lists).prop_map(|(flags, keys, lists)| {
        let [talker, start_on_entry, destroy_on_exit, beep_on_entry] = flags;
        let [exit_digit, mute_digit, unmute_digit] = keys;
        let [while_stopped_media, name, has_joined_message, has_left_message] = lists;
        ParticipantOptions {
            talker,
            start_on_entry,
            destroy_on_exit,
            beep_on_entry,
            exit_digit,
            mute_digit,
            unmute_digit,
            while_stopped_media,
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
        option::of(text()).prop_map(|divert| Refused::Early { divert: divert.map(ServiceName::new) }),
        select(vec![
            Refused::UnknownConference,
            Refused::UnknownReservation,
            Refused::UnknownParticipant,
            Refused::NameTokenMismatch,
            Refused::NameTaken,
            Refused::TooLateToRemove,
            Refused::TooLateToExtend,
            Refused::Over,
            Refused::Locked,
            Refused::Full,
            Refused::AlreadyAdmitted,
        ]),
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
        notice().prop_map(Effect::Notify),
    ]
}

fn to_home() -> impl Strategy<Value = ToHome> {
    prop_oneof![
        (conference(), participant(), options(), option::of(participant()), any::<bool>()).prop_map(
            |(conference, participant, options, in_place_of, is_called)| {
                ToHome::Admit { conference, participant, options, in_place_of, is_called }
            }
        ),
        (conference(), participant())
            .prop_map(|(conference, participant)| ToHome::Connected { conference, participant }),
        (conference(), participant())
            .prop_map(|(conference, participant)| ToHome::Gone { conference, participant }),
        (conference(), participant())
            .prop_map(|(conference, participant)| ToHome::TakenOver { conference, participant }),
        (conference(), participant(), digit()).prop_map(|(conference, participant, key)| ToHome::Key {
            conference,
            participant,
            key
        }),
        conference().prop_map(|conference| ToHome::Roster { conference }),
        (conference(), any::<u64>()).prop_map(|(conference, seq)| ToHome::Done { conference, seq }),
    ]
}

fn to_edge() -> impl Strategy<Value = ToEdge> {
    let summary = (participant(), any::<[bool; 3]>(), muted_by(), any::<Option<i64>>()).prop_map(
        |(id, [muted, dtmf_enabled, is_leader], muted_by, entered_at)| ParticipantSummary {
            id,
            muted,
            muted_by,
            dtmf_enabled,
            is_leader,
            entered_at: entered_at.map(Timestamp),
        },
    );
    prop_oneof![
        (conference(), participant())
            .prop_map(|(conference, participant)| ToEdge::Granted { conference, participant }),
        (conference(), participant())
            .prop_map(|(conference, participant)| ToEdge::Entered { conference, participant }),
        (conference(), participant(), refused()).prop_map(|(conference, participant, refused)| {
            ToEdge::Refused { conference, participant, refused }
        }),
        (conference(), any::<u64>(), prop::collection::vec(effect(), 0..4))
            .prop_map(|(conference, seq, effects)| ToEdge::Do { conference, seq, effects }),
        (conference(), state(), prop::collection::vec(summary, 0..4))
            .prop_map(|(conference, state, participants)| ToEdge::Roster { conference, state, participants }),
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
        | ToHome::Roster { .. }
        | ToHome::Done { .. } => {}
    }
    match edge {
        ToEdge::Granted { .. }
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
