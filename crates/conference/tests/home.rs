//! A home behind its messages: what answers what, and in which order.

mod support;

use plenary_conference::{
    Arrival, Command, ConferenceLimits, Conferences, Effect, Event, Home, News, Outcome, QuestionId, Refused,
    ReservationLimits, RoomRules, ToEdge, ToHome, ViaRoom, command::Who, effect::EndReason,
};
use support::{World, by, key, leader_by, participant_id, plain, rules};

/// A home at one moment.
struct Node {
    home: Home,
    world: World,
}

impl Node {
    fn new() -> Self {
        let conferences = Conferences::new(ReservationLimits::default(), ConferenceLimits::default());
        Self { home: Home::new(conferences), world: World::new() }
    }

    fn send(&mut self, message: ToHome) -> Vec<ToEdge> {
        self.home.handle_message(message, self.world.now());
        self.messages()
    }

    fn messages(&mut self) -> Vec<ToEdge> {
        std::iter::from_fn(|| self.home.poll_message()).collect()
    }

    fn admit(&mut self, name: &str, via: ViaRoom) -> Vec<ToEdge> {
        self.send(ToHome::Admit {
            conference: key("Board"),
            participant: participant_id(name),
            options: plain(),
            in_place_of: None,
            is_called: false,
            via: Some(Box::new(via)),
        })
    }

    fn connect(&mut self, name: &str) -> Vec<ToEdge> {
        self.send(ToHome::Connected { conference: key("Board"), participant: participant_id(name) })
    }

    fn command(&mut self, name: &str, question: u64, command: Command) -> Vec<ToEdge> {
        self.send(ToHome::Command {
            conference: key("Board"),
            participant: participant_id(name),
            question,
            command,
        })
    }
}

fn lobby() -> RoomRules {
    RoomRules { lobby: true, ..rules() }
}

fn granted(name: &str, is_first: bool) -> ToEdge {
    let arrival = Arrival { is_first, awaits_leader: false };
    ToEdge::Granted { conference: key("Board"), participant: participant_id(name), arrival }
}

fn waiting(name: &str, is_leader_told: bool) -> ToEdge {
    ToEdge::Waiting { conference: key("Board"), participant: participant_id(name), is_leader_told }
}

fn refused(name: &str, refused: Refused) -> ToEdge {
    ToEdge::Refused { conference: key("Board"), participant: participant_id(name), refused }
}

/// Whether a message has effects to carry out.
fn is_do(message: &ToEdge) -> bool {
    matches!(message, ToEdge::Do { .. })
}

#[test]
fn effects_come_before_the_answers_of_a_step() {
    let mut node = Node::new();
    let messages = node.admit("a", by(&lobby()));
    assert!(is_do(&messages[0]));
    assert_eq!(messages[1..], [waiting("a", false)]);
    let messages = node.admit("boss", leader_by(&lobby()));
    assert_eq!(messages, [granted("boss", true)]);
    let messages = node.connect("boss");
    assert!(is_do(&messages[0]));
    let entered = ToEdge::Entered { conference: key("Board"), participant: participant_id("boss") };
    assert_eq!(messages[1..], [waiting("a", true), entered]);
    assert_eq!(node.connect("a"), [refused("a", Refused::UnknownParticipant)], "it was not admitted");
}

#[test]
fn what_becomes_of_a_command_is_said_last() {
    let mut node = Node::new();
    node.admit("boss", leader_by(&lobby()));
    node.connect("boss");
    node.admit("a", by(&lobby()));
    let outcome = |question, outcome| ToEdge::Outcome {
        conference: key("Board"),
        participant: participant_id("boss"),
        question,
        outcome,
    };
    let messages = node.command("boss", 7, Command::Admit(Who::Next));
    assert!(is_do(&messages[0]));
    assert_eq!(messages[1..], [granted("a", false), outcome(7, Outcome::Admitted)]);
    assert_eq!(
        node.command("boss", 8, Command::Count),
        [outcome(8, Outcome::Count { participants: 1, waiting: 0 })]
    );
    let messages = node.command("boss", 9, Command::End);
    let hang_up = Effect::HangUp {
        conference: key("Board"),
        participant: participant_id("boss"),
        reason: EndReason::EndedByLeader,
    };
    let ToEdge::Do { effects, .. } = &messages[0] else { panic!("{messages:?}") };
    assert_eq!(effects[0], hang_up);
    assert_eq!(messages[1..], [outcome(9, Outcome::Done)]);
}

#[test]
fn who_waits_is_turned_away_when_the_conference_is_over() {
    let mut node = Node::new();
    node.admit("a", by(&lobby()));
    let now = node.world.now();
    node.home.handle_event(Event::End { conference: key("Board") }, now).unwrap();
    let messages = node.messages();
    assert_eq!(messages.last(), Some(&refused("a", Refused::Over)));
}

#[test]
fn a_program_that_admits_or_moves_is_answered_when_it_is_done() {
    let mut node = Node::new();
    node.admit("boss", leader_by(&lobby()));
    node.connect("boss");
    node.admit("a", by(&lobby()));
    let now = node.world.now();
    let admit = Event::AdmitWaiting { conference: key("Board"), participant: Some(participant_id("a")) };
    node.home.handle_question(QuestionId(1), admit, now);
    let messages = node.messages();
    let ToEdge::Do { seq, .. } = &messages[0] else { panic!("{messages:?}") };
    assert_eq!(messages[1..], [granted("a", false)]);
    assert_eq!(node.home.poll_answer(), None);
    node.send(ToHome::Done { conference: key("Board"), seq: *seq });
    assert_eq!(node.home.poll_answer(), Some((QuestionId(1), Ok(()))));
    node.connect("a");

    let go = Event::Move { conference: key("Board"), participant: participant_id("a"), to: key("Tea") };
    node.home.handle_question(QuestionId(2), go, now);
    let done: Vec<_> = node
        .messages()
        .into_iter()
        .map(|message| match message {
            ToEdge::Do { conference, seq, .. } => (conference, seq),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        done.iter().map(|(conference, _)| conference.clone()).collect::<Vec<_>>(),
        [key("Board"), key("Tea")]
    );
    for (conference, seq) in done {
        assert_eq!(node.home.poll_answer(), None, "not before the last one");
        node.send(ToHome::Done { conference, seq });
    }
    assert_eq!(node.home.poll_answer(), Some((QuestionId(2), Ok(()))));
    let again = Event::Move { conference: key("Board"), participant: participant_id("a"), to: key("Tea") };
    node.home.handle_question(QuestionId(3), again, now);
    assert_eq!(node.home.poll_answer(), Some((QuestionId(3), Err(Refused::UnknownParticipant))));
}

#[test]
fn that_pins_are_guessed_is_told_to_the_leaders_or_to_the_next_one_within_the_hour() {
    let guessing = || ToHome::Guessing { conference: key("Board") };
    let told = |messages: Vec<ToEdge>| -> Vec<String> {
        let effects = messages.into_iter().flat_map(|message| match message {
            ToEdge::Do { effects, .. } => effects,
            _ => Vec::new(),
        });
        let told = |effect| match effect {
            Effect::Tell { participant, news: News::Guessing, .. } => Some(participant.to_string()),
            _ => None,
        };
        effects.filter_map(told).collect()
    };
    let mut node = Node::new();
    assert!(told(node.send(guessing())).is_empty());
    assert!(node.home.poll_event().is_none(), "the event is written where wrong PINs are counted");
    node.world.pass_minutes(59);
    node.admit("a", by(&rules()));
    assert!(told(node.connect("a")).is_empty(), "no leader");
    for (name, hears) in [("boss", vec!["boss"]), ("second", vec![])] {
        node.admit(name, leader_by(&rules()));
        assert_eq!(told(node.connect(name)), hears);
    }
    assert_eq!(told(node.send(guessing())), ["boss", "second"]);

    // An hour later nobody is told any more.
    let mut node = Node::new();
    node.send(guessing());
    node.world.pass_minutes(60);
    node.admit("boss", leader_by(&rules()));
    assert!(told(node.connect("boss")).is_empty());
}
