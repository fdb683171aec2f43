//! What the management API asks of participants and conferences, in every state that they may be in.

mod support;

use plenary_calls::{
    ControlError, Playback, SoundChange,
    participants::{Direction, ParticipantState},
    question::{Answer, EdgeQuestion, HomeQuestion, ParticipantsQuestion, Question},
};
use plenary_conference::{
    ConferenceName, ControlsChange, Event, MutedBy, ParticipantChange, ParticipantId, Refused, Reservation,
    ReservationToken, State, Timestamp, conferences::ConferenceRef, participant::PlayList,
};
use plenary_model::AudioOwner;
use support::{ACCOUNT, EPOCH, From, World, key, trunk};

const NUMBER: &str = "tel:+441908273800";

fn mute(participant: &ParticipantId, muted: bool) -> Event {
    let (conference, participant) = (key("Tea"), participant.clone());
    let change = ParticipantChange { muted: Some(muted), ..ParticipantChange::default() };
    Event::ChangeParticipant { conference, participant, change }
}

fn remove(participant: &ParticipantId) -> Event {
    Event::RemoveParticipant { conference: key("Tea"), participant: participant.clone() }
}

/// Calls a participant into Tea: their id and the number of the call.
fn calling(world: &mut World) -> (ParticipantId, u64) {
    world.set_trunks(vec![trunk("one", 1)]);
    let question = world.invite(NUMBER);
    let id = world.call_of(question).unwrap();
    let call = *world.dials.keys().last().unwrap();
    (id, call)
}

fn play_to(world: &mut World, participant: &ParticipantId) -> Result<String, Refused> {
    let play = PlayList(vec!["tone:440/1000".to_owned()]);
    let playback = Playback { to: Some(participant.clone()), play, gain_db: 0.0, repeat: false };
    let playback = Box::new(playback);
    let question = world.ask(Question::Edge(EdgeQuestion::Announce { conference: key("Tea"), playback }));
    match world.answer_to(question) {
        Answer::Playback(id) => id,
        other => panic!("{other:?}"),
    }
}

fn transfer(world: &mut World, participant: &ParticipantId) -> Result<ParticipantId, ControlError> {
    let (conference, participant) = (ConferenceName::new("Tea"), participant.clone());
    let to = NUMBER.to_owned();
    let question = EdgeQuestion::Transfer { account: ACCOUNT, conference, participant, to };
    let question = world.ask(Question::Edge(question));
    world.call_of(question)
}

fn states(world: &mut World) -> Vec<(u64, ParticipantState)> {
    let roster = world.ask_participants(ParticipantsQuestion::Roster).unwrap();
    roster.into_iter().map(|one| (one.call.unwrap().0, one.state)).collect()
}

#[test]
fn participants_are_shown_from_calling_to_the_end() {
    let mut world = World::new();
    assert_eq!(world.ask_participants(ParticipantsQuestion::Roster), Err(Refused::UnknownConference));
    let (id, call) = calling(&mut world);
    let one = world.shown(&id);
    assert_eq!(
        (one.state, one.direction, one.to.as_str()),
        (ParticipantState::Calling, Direction::Out, NUMBER)
    );
    assert_eq!((one.trunk.as_deref(), one.entered_at, one.admitted_by), (Some("one"), None, None));
    world.progress(call, 180);
    assert_eq!(states(&mut world), [(call, ParticipantState::Ringing)]);
    world.answered(call);
    assert_eq!(states(&mut world), [(call, ParticipantState::Waiting)]);
    assert_eq!(world.shown(&id).entered_at, Some(world.now.wall));
    let caller = world.enter("conf-Tea");
    assert_eq!(
        states(&mut world),
        [(call, ParticipantState::In), (caller, ParticipantState::In)],
        "in the order in which they entered"
    );
    world.hold(caller, true);
    assert_eq!(states(&mut world)[1], (caller, ParticipantState::Held));
    let held = world.shown(&world.participant(caller));
    assert!(!held.is_held_by_leader, "by its telephone");
    world.hold(caller, false);
    assert_eq!(states(&mut world)[1], (caller, ParticipantState::In));
    world.bye(call);
    assert_eq!(states(&mut world), [(caller, ParticipantState::Waiting)], "alone again");
    let after = world.shown(&id);
    assert_eq!((after.state, after.reason.as_deref()), (ParticipantState::Ended, Some("caller hung up")));
    world.bye(caller);
    world.assert_clean();
}

#[test]
fn a_caller_is_in_the_list_once_it_is_in() {
    let mut world = World::new();
    let call = world.incoming("conf-Tea", From::default());
    assert!(states(&mut world).is_empty(), "it has not sent its ACK");
    world.confirm(call);
    let one = world.shown(&world.participant(call));
    assert_eq!((one.direction, one.from.as_str(), one.to.as_str()), (Direction::In, "bob", "conf-Tea"));
    assert_eq!(one.admitted_by, Some("network"));
    assert_eq!(
        world.ask_participants(ParticipantsQuestion::One(world.participant(77))),
        Err(Refused::UnknownParticipant)
    );
}

#[test]
fn names_are_those_of_from_or_those_that_were_given() {
    let mut world = World::new();
    let zoe = From { display_name: Some(" Zoë\u{7} "), ..From::default() };
    let call = world.incoming("conf-Tea", zoe);
    world.confirm(call);
    let id = world.participant(call);
    assert_eq!(world.shown(&id).display_name.as_deref(), Some("Zoë"));
    let rename = |name: Option<&str>| EdgeQuestion::Rename {
        conference: key("Tea"),
        participant: id.clone(),
        display_name: name.map(str::to_owned),
    };
    let question = world.ask(Question::Edge(rename(Some("Line 1"))));
    assert_eq!(world.done(question), Ok(()));
    assert_eq!(world.shown(&id).display_name.as_deref(), Some("Line 1"));
    let question = world.ask(Question::Edge(rename(None)));
    assert_eq!(world.done(question), Ok(()));
    assert_eq!(world.shown(&id).display_name, None);
    let hidden = From { display_name: Some("Zoë"), is_private: true, ..From::default() };
    let call = world.incoming("conf-Tea", hidden);
    world.confirm(call);
    let shown = world.shown(&world.participant(call));
    assert_eq!((shown.display_name, shown.from.as_str()), (None, "anonymous"));
    // A name that it is given here hides nobody, and who calls stays hidden.
    let rename = EdgeQuestion::Rename {
        conference: key("Tea"),
        participant: world.participant(call),
        display_name: Some("Line 2".to_owned()),
    };
    let question = world.ask(Question::Edge(rename));
    assert_eq!(world.done(question), Ok(()));
    let shown = world.shown(&world.participant(call));
    assert_eq!((shown.display_name.as_deref(), shown.from.as_str()), (Some("Line 2"), "anonymous"));
}

#[test]
fn who_is_called_has_the_name_of_the_invitation_until_it_is_renamed() {
    let mut world = World::new();
    world.set_trunks(vec![trunk("one", 1)]);
    let question = world.invite_as("tel:+441908273800", "Anna");
    let id = world.call_of(question).unwrap();
    assert_eq!(world.shown(&id).display_name.as_deref(), Some("Anna"), "while it rings");
    world.answered(901);
    assert_eq!(world.shown(&id).display_name.as_deref(), Some("Anna"), "once it is in");
    let rename =
        |display_name| EdgeQuestion::Rename { conference: key("Tea"), participant: id.clone(), display_name };
    let question = world.ask(Question::Edge(rename(Some("Anna, Berlin".to_owned()))));
    assert_eq!(world.done(question), Ok(()));
    // In another conference it is the same.
    world.enter("conf-Tea");
    let to = key("Annex");
    world.control(Event::Move { conference: key("Tea"), participant: id.clone(), to: to.clone() }).unwrap();
    let which = ConferenceRef::Name(to.name);
    let what = ParticipantsQuestion::One(id);
    let question = world.ask(Question::Participants { account: ACCOUNT, which, what });
    let Answer::Roster(Ok(shown)) = world.answer_to(question) else { panic!("no roster") };
    assert_eq!(shown[0].display_name.as_deref(), Some("Anna, Berlin"));
}

#[test]
fn a_participant_is_muted_in_every_state() {
    let mut world = World::new();
    let (id, call) = calling(&mut world);
    assert_eq!(world.control(mute(&id, true)), Ok(()), "while it is called");
    assert_eq!(world.shown(&id).muted_by, Some(MutedBy::Leader));
    world.answered(call);
    assert_eq!(world.shown(&id).muted_by, Some(MutedBy::Leader), "it enters muted");
    assert_eq!(world.control(mute(&id, false)), Ok(()), "while it waits");
    assert_eq!(world.control(mute(&id, true)), Ok(()));
    world.media.clear();
    let caller = world.enter("conf-Tea");
    assert!(world.media.contains(&format!("voice {call} -speaks +listens")), "{:?}", world.media);
    world.hold(call, true);
    world.media.clear();
    assert_eq!(world.control(mute(&id, false)), Ok(()), "while it is on hold");
    assert!(world.media.contains(&format!("voice {call} +speaks +listens")), "{:?}", world.media);
    // Answered only when the edge has done it: the media plane has been told by then.
    world.media.clear();
    assert_eq!(world.control(mute(&world.participant(caller), true)), Ok(()), "while it talks");
    assert!(world.media.contains(&format!("voice {caller} -speaks +listens")), "{:?}", world.media);
    world.bye(call);
    assert_eq!(world.control(mute(&id, true)), Err(Refused::UnknownParticipant), "after its end");
}

#[test]
fn who_is_being_called_is_not_in_and_no_unknown_participant() {
    let mut world = World::new();
    let (id, call) = calling(&mut world);
    for status in [None, Some(180)] {
        if let Some(status) = status {
            world.progress(call, status);
        }
        let to = key("Annex");
        let moved = Event::Move { conference: key("Tea"), participant: id.clone(), to };
        assert_eq!(world.control(moved), Err(Refused::NotIn), "{status:?}");
        assert_eq!(play_to(&mut world, &id), Err(Refused::NotIn), "{status:?}");
        assert!(
            matches!(transfer(&mut world, &id), Err(ControlError::Refused(Refused::NotIn))),
            "{status:?}"
        );
        let admit = Event::AdmitWaiting { conference: key("Tea"), participant: Some(id.clone()) };
        assert_eq!(world.control(admit), Ok(()), "nobody has to admit it");
    }
    let stranger = world.participant(77);
    assert_eq!(play_to(&mut world, &stranger), Err(Refused::UnknownParticipant));
    assert!(matches!(
        transfer(&mut world, &stranger),
        Err(ControlError::Refused(Refused::UnknownParticipant))
    ));
    world.answered(call);
    assert!(play_to(&mut world, &id).is_ok());
    assert!(transfer(&mut world, &id).is_ok());
}

#[test]
fn a_participant_is_removed_in_every_state() {
    let ejected = |call: u64| format!("hang up {call}: Ejected from the conference");
    // While it is called, while it rings, while it waits.
    for stage in 0..3 {
        let mut world = World::new();
        let (id, call) = calling(&mut world);
        if stage == 1 {
            world.progress(call, 180);
        }
        if stage == 2 {
            world.answered(call);
        }
        world.said();
        assert_eq!(world.control(remove(&id)), Ok(()), "{stage}");
        assert_eq!(world.said(), [ejected(call)], "{stage}");
        match stage {
            2 => world.ended(call),
            _ => world.rejected(call, 487),
        }
        let after = world.shown(&id);
        assert_eq!(
            (after.state, after.reason.as_deref()),
            (ParticipantState::Ended, Some("Ejected from the conference")),
            "{stage}"
        );
        world.assert_clean();
    }
    // On its way in, and on hold.
    let mut world = World::new();
    let caller = world.incoming("conf-Tea", From::default());
    world.said();
    assert_eq!(world.control(remove(&world.participant(caller))), Ok(()));
    assert_eq!(world.said(), [ejected(caller)]);
    world.ended(caller);
    world.assert_clean();
    let (a, b) = (world.enter("conf-Tea"), world.enter("conf-Tea"));
    world.hold(b, true);
    world.said();
    assert_eq!(world.control(remove(&world.participant(b))), Ok(()));
    assert_eq!(world.said(), [ejected(b)]);
    assert_eq!(states(&mut world), [(a, ParticipantState::Waiting)]);
}

#[test]
fn a_participant_removed_before_there_is_a_port_is_gone_and_the_request_is_answered() {
    let mut world = World::new();
    world.set_trunks(vec![trunk("one", 1)]);
    world.ports_are_slow = true;
    let question = world.invite(NUMBER);
    let id = world.participant(901);
    assert_eq!(states(&mut world), [(901, ParticipantState::Calling)]);
    assert_eq!(world.control(remove(&id)), Ok(()));
    assert!(world.call_of(question).is_err());
    world.open_ports();
    assert!(world.dials.is_empty(), "no call is placed any more");
    world.assert_clean();
}

#[test]
fn the_sound_of_one_who_is_called_holds_when_it_answers() {
    let mut world = World::new();
    world.set_trunks(vec![trunk("one", 1)]);
    world.ports_are_slow = true;
    world.invite(NUMBER);
    let change = SoundChange { gain_db: Some(Some(-6.0)), ..SoundChange::default() };
    let question = world.ask(Question::Participants {
        account: ACCOUNT,
        which: ConferenceRef::Name(ConferenceName::new("Tea")),
        what: ParticipantsQuestion::ChangeSound(Some(world.participant(901)), change),
    });
    let Answer::Sound(Ok(sound)) = world.answer_to(question) else { panic!("it can be set") };
    assert_eq!(sound.gain_db, Some(-6.0));
    assert!(!world.media.contains(&"processing 901 -6 dB".to_owned()), "it has no media yet");
    world.open_ports();
    assert!(world.media.contains(&"processing 901 -6 dB".to_owned()), "{:?}", world.media);
}

#[test]
fn each_reservation_of_a_name_sounds_as_was_set_for_it() {
    let mut world = World::new();
    for (token, in_minutes) in [("FIRST", 0), ("SECOND", 30)] {
        let reservation = Reservation {
            token: ReservationToken::new(token),
            account: ACCOUNT,
            name: ConferenceName::new("Tea"),
            max_participants: 40,
            starts_at: Timestamp(EPOCH.0 + in_minutes * 60_000),
            duration_minutes: 30,
            divert: None,
            title: None,
            guests: Vec::new(),
            sequence: 0,
            series: None,
        };
        let question =
            world.ask(Question::Home(HomeQuestion::Reservation(Event::ReservationAdded(reservation))));
        assert_eq!(world.done(question), Ok(()));
    }
    let sound = |world: &mut World, change: SoundChange| {
        let which = ConferenceRef::Name(ConferenceName::new("Tea"));
        let what = ParticipantsQuestion::PlanSound(change);
        let plan = world.ask(Question::Participants { account: ACCOUNT, which: which.clone(), what });
        let Answer::SoundPlan(Ok(Some((owner, _)))) = world.answer_to(plan) else { panic!("it is stored") };
        let what = ParticipantsQuestion::ChangeSound(None, change);
        let question = world.ask(Question::Participants { account: ACCOUNT, which, what });
        let Answer::Sound(Ok(sound)) = world.answer_to(question) else { panic!("it can be set") };
        (owner, sound.automatic_gain)
    };
    let of = |token| AudioOwner::Reservation(ReservationToken::new(token));
    let with_gain = SoundChange { automatic_gain: Some(Some(true)), ..SoundChange::default() };
    assert_eq!(sound(&mut world, with_gain), (of("FIRST"), true));
    world.pass_ms(30 * 60_000);
    assert_eq!(sound(&mut world, SoundChange::default()), (of("SECOND"), false), "it is another one's turn");
    assert_eq!(sound(&mut world, with_gain), (of("SECOND"), true));
}

#[test]
fn a_locked_conference_is_busy_to_callers_and_calls_whom_it_likes() {
    let mut world = World::new();
    let boss = world.enter("conf-Tea");
    let change = ControlsChange { locked: Some(true), ..ControlsChange::default() };
    assert_eq!(world.control(Event::ChangeControls { conference: key("Tea"), change }), Ok(()));
    world.said();
    let refused = world.incoming("conf-Tea", From::default());
    assert_eq!(world.said(), [format!("ring {refused}"), format!("reject {refused} 486")]);
    let (_, call) = calling(&mut world);
    world.answered(call);
    assert_eq!(world.roster("Tea"), [boss, call]);
    let replacing = From { replaces: Some(boss), ..From::default() };
    let again = world.incoming("conf-Tea", replacing);
    world.confirm(again);
    assert_eq!(world.roster("Tea"), [call, again], "a call that replaces a participant's may");
}

#[test]
fn ending_a_conference_hangs_up_on_all_and_gives_up_calling() {
    let mut world = World::new();
    let (_, call) = calling(&mut world);
    let caller = world.enter("conf-Tea");
    world.said();
    assert_eq!(world.control(Event::End { conference: key("Tea") }), Ok(()));
    let text = "The conference was ended";
    assert_eq!(world.said(), [format!("hang up {caller}: {text}"), format!("hang up {call}: {text}")]);
    world.ended(caller);
    world.rejected(call, 487);
    world.assert_clean();
}

#[test]
fn a_reserved_conference_is_ended_with_its_reservation() {
    let mut world = World::new();
    world.reserve("Tea", 0, None);
    let caller = world.enter("conf-Tea");
    world.said();
    let event = Event::ReservationRemoved { token: ReservationToken::new("TOKENTea") };
    let question = world.ask(Question::Home(HomeQuestion::Reservation(event)));
    assert_eq!(world.done(question), Ok(()));
    assert_eq!(world.said(), [format!("hang up {caller}: The conference was ended")]);
    world.ended(caller);
    world.assert_clean();
}

#[test]
fn conferences_are_listed_by_state_and_from_a_name_on() {
    let mut world = World::new();
    for name in ["Alpha", "Board", "Zulu"] {
        world.reserve(name, 10, None);
    }
    world.enter("conf-Mike");
    let mut names = |after: Option<&str>, state: Option<State>, limit: usize| -> Vec<String> {
        let after = after.map(ConferenceName::new);
        let question = HomeQuestion::Overviews { account: ACCOUNT, after, state, limit };
        let question = world.ask(Question::Home(question));
        match world.answer_to(question) {
            Answer::Overviews(found) => found.into_iter().map(|one| one.name.to_string()).collect(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(names(None, None, 10), ["Alpha", "Board", "Mike", "Zulu"]);
    assert_eq!(names(None, Some(State::Reserved), 2), ["Alpha", "Board"]);
    assert_eq!(names(Some("Board"), Some(State::Reserved), 2), ["Zulu"]);
    assert_eq!(names(None, Some(State::Holding), 10), ["Mike"]);
}
