//! A node under random events, and beside it what must hold whatever comes: no seat is sold twice, each participant enters before it
//! leaves and leaves once, each question is answered exactly once, and nothing is left when all have gone.

mod support;

use plenary_calls::{
    Input,
    question::{Answer, ParticipantAction},
};
use plenary_conference::{Event, ParticipantChange};
use plenary_model::{CallEntry, InboundService};
use plenary_sip::{CallId, SipEvent};
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use support::{ACCOUNT, From, World, entry, key, room, trunk};

/// What callers key in, sensible or not, on the way in and in the conference.
const KEYS: [&str; 24] = [
    "1",
    "2",
    "9",
    "#",
    "*",
    "1#",
    "2#",
    "4711#",
    "70215548#",
    "0000#",
    "*6",
    "*9",
    "*3",
    "*3*3",
    "*46#",
    "*5",
    "*7",
    "*81",
    "*82",
    "*101632960000#",
    "*2",
    "*#1",
    "**1",
    "*0",
];

#[derive(Debug, Clone)]
enum Step {
    Incoming {
        replaces: Option<u8>,
    },
    Entry,
    Keys {
        who: u8,
        which: u8,
    },
    /// What is said once is heard to its end.
    Heard,
    /// A name that is being recorded is over.
    Named {
        who: u8,
        is_speech: bool,
    },
    Invite,
    Refer {
        who: u8,
    },
    Confirm {
        who: u8,
    },
    Cancel {
        who: u8,
    },
    Bye {
        who: u8,
    },
    Answered {
        who: u8,
    },
    Rejected {
        who: u8,
        status: u16,
    },
    Mute {
        who: u8,
        muted: bool,
    },
    /// A program puts a participant on hold, or makes one a leader.
    Hold {
        who: u8,
        held: bool,
    },
    Lead {
        who: u8,
        leads: bool,
    },
    AdmitAll,
    Eject {
        who: u8,
    },
    SlowStore(bool),
    SlowPorts(bool),
    AnswerLookups,
    OpenPorts,
    StoreFails(bool),
    Pass {
        seconds: u16,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => proptest::option::weighted(0.2, 0..8_u8).prop_map(|replaces| Step::Incoming { replaces }),
        3 => Just(Step::Entry),
        8 => (0..8_u8, any::<u8>()).prop_map(|(who, which)| Step::Keys { who, which }),
        3 => Just(Step::Heard),
        1 => (0..8_u8, any::<bool>()).prop_map(|(who, is_speech)| Step::Named { who, is_speech }),
        2 => Just(Step::Invite),
        1 => (0..8_u8).prop_map(|who| Step::Refer { who }),
        4 => (0..8_u8).prop_map(|who| Step::Confirm { who }),
        1 => (0..8_u8).prop_map(|who| Step::Cancel { who }),
        3 => (0..8_u8).prop_map(|who| Step::Bye { who }),
        3 => (0..8_u8).prop_map(|who| Step::Answered { who }),
        1 => (0..8_u8, prop_oneof![Just(486_u16), Just(503), Just(404)])
            .prop_map(|(who, status)| Step::Rejected { who, status }),
        1 => (0..8_u8, any::<bool>()).prop_map(|(who, muted)| Step::Mute { who, muted }),
        1 => (0..8_u8, any::<bool>()).prop_map(|(who, held)| Step::Hold { who, held }),
        1 => (0..8_u8, any::<bool>()).prop_map(|(who, leads)| Step::Lead { who, leads }),
        1 => Just(Step::AdmitAll),
        1 => (0..8_u8).prop_map(|who| Step::Eject { who }),
        1 => any::<bool>().prop_map(Step::SlowStore),
        1 => any::<bool>().prop_map(Step::SlowPorts),
        2 => Just(Step::AnswerLookups),
        2 => Just(Step::OpenPorts),
        1 => any::<bool>().prop_map(Step::StoreFails),
        1 => (0..40_u16).prop_map(|seconds| Step::Pass { seconds }),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Callers in dialogues: who keys in, listens, waits, hangs up.
fn dialogue_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Entry),
        1 => Just(Step::Incoming { replaces: None }),
        20 => (0..8_u8, any::<u8>()).prop_map(|(who, which)| Step::Keys { who, which }),
        8 => Just(Step::Heard),
        3 => (0..8_u8, any::<bool>()).prop_map(|(who, is_speech)| Step::Named { who, is_speech }),
        6 => (0..8_u8).prop_map(|who| Step::Confirm { who }),
        3 => (0..8_u8).prop_map(|who| Step::Bye { who }),
        2 => (0..8_u8).prop_map(|who| Step::Answered { who }),
        1 => (0..8_u8).prop_map(|who| Step::Rejected { who, status: 486 }),
        1 => (0..8_u8, any::<bool>()).prop_map(|(who, held)| Step::Hold { who, held }),
        1 => (0..8_u8, any::<bool>()).prop_map(|(who, leads)| Step::Lead { who, leads }),
        1 => Just(Step::AdmitAll),
        1 => (0..8_u8).prop_map(|who| Step::Eject { who }),
        1 => any::<bool>().prop_map(Step::SlowStore),
        3 => Just(Step::AnswerLookups),
        1 => any::<bool>().prop_map(Step::StoreFails),
        3 => (0..40_u16).prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Pass { seconds: 400 }),
    ];
    proptest::collection::vec(step, 1..80)
}

/// What the user agent knows of a call, from what was said to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallStage {
    /// It came in and has not been answered.
    Ringing,
    /// Our 200 is on its way.
    Answered,
    /// We call it.
    Dialling,
    Up,
    /// We have hung up; the end has not been reported.
    HungUp,
    Over,
}

struct Model {
    world: World,
    stages: BTreeMap<u64, CallStage>,
    questions: BTreeSet<u64>,
    seen_records: usize,
    started: BTreeSet<String>,
    ended: BTreeSet<String>,
}

impl Model {
    fn new() -> Self {
        let mut world = World::new();
        world.set_trunks(vec![trunk("one", 1), trunk("two", 2)]);
        world.store.services.push(entry("100"));
        let menus = json!({"conference": {"name": "Tea", "menu": {"*6": "mute", "*9": "hand", "*3": "count"}, "participant": {"beep_on_entry": false}},
            "access": {"networks": ["10.0.0.0/8"]}});
        world.store.services.push(InboundService::new(ACCOUNT, "200", &menus).unwrap());
        let names = json!({"announce": "name", "alone_min": 1, "end_after_leader_s": 5});
        let lobby = json!({"lobby": true, "wait_for_leader": true, "early": "hold"});
        let rooms = &mut world.store.rooms;
        rooms.insert("1".into(), (room("1", names, false, true), None, Some("70215548")));
        rooms.insert("2".into(), (room("2", lobby, true, true), Some("4711"), Some("70215548")));
        Self {
            world,
            stages: BTreeMap::new(),
            questions: BTreeSet::new(),
            seen_records: 0,
            started: BTreeSet::new(),
            ended: BTreeSet::new(),
        }
    }

    fn pick(&self, who: u8, wanted: &[CallStage]) -> Option<u64> {
        let of: Vec<u64> =
            self.stages.iter().filter(|(_, stage)| wanted.contains(stage)).map(|(call, _)| *call).collect();
        (!of.is_empty()).then(|| of[usize::from(who) % of.len()])
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Incoming { replaces } => {
                let replaces = replaces.and_then(|who| self.pick(who, &[CallStage::Up]));
                // Its stage is known before anything is said to it.
                let dialled = if self.stages.len().is_multiple_of(2) { "conf-Tea" } else { "200" };
                let call = self.world.incoming(dialled, From { replaces, ..From::default() });
                self.stages.insert(call, CallStage::Ringing);
            }
            Step::Entry => {
                let call = self.world.incoming("100", From::default());
                self.stages.insert(call, CallStage::Ringing);
            }
            Step::Keys { who, which } => {
                if let Some(call) = self.pick(*who, &[CallStage::Up]) {
                    self.world.press(call, KEYS[usize::from(*which) % KEYS.len()]);
                }
            }
            Step::Heard => self.world.listen(),
            Step::Named { who, is_speech } => {
                if let Some(call) = self.pick(*who, &[CallStage::Up]) {
                    self.world.recorded(call, *is_speech);
                }
            }
            Step::Invite => {
                let question = self.world.invite("tel:+441908273800");
                self.questions.insert(question);
            }
            Step::Refer { who } => {
                if let Some(call) = self.pick(*who, &[CallStage::Up]) {
                    self.world.refer(Some(call), "tel:+441908273800", |_| {});
                }
            }
            Step::Confirm { who } => {
                if let Some(call) = self.pick(*who, &[CallStage::Answered]) {
                    self.stages.insert(call, CallStage::Up);
                    self.world.confirm(call);
                }
            }
            Step::Cancel { who } => {
                if let Some(call) = self.pick(*who, &[CallStage::Ringing]) {
                    self.stages.insert(call, CallStage::Over);
                    let reasons = Vec::new();
                    self.world.sip_event(SipEvent::Cancelled { call: CallId(call), reasons });
                }
            }
            Step::Bye { who } => {
                if let Some(call) = self.pick(*who, &[CallStage::Up, CallStage::HungUp, CallStage::Answered])
                {
                    self.stages.insert(call, CallStage::Over);
                    self.world.bye(call);
                }
            }
            Step::Answered { who } => {
                if let Some(call) = self.pick(*who, &[CallStage::Dialling]) {
                    self.stages.insert(call, CallStage::Up);
                    self.world.answered(call);
                }
            }
            Step::Rejected { who, status } => {
                if let Some(call) = self.pick(*who, &[CallStage::Dialling]) {
                    self.stages.insert(call, CallStage::Over);
                    self.world.rejected(call, *status);
                }
            }
            Step::Mute { who, muted } => {
                if let Some(call) = self.pick(*who, &[CallStage::Up]) {
                    let change = ParticipantAction::SetOptions { muted: Some(*muted), dtmf_enabled: None };
                    let question = self.world.change(&self.world.participant(call), change);
                    self.questions.insert(question);
                }
            }
            Step::Hold { who, held } => {
                let change = ParticipantChange { held: Some(*held), ..ParticipantChange::default() };
                self.change(*who, change);
            }
            Step::Lead { who, leads } => {
                let change = ParticipantChange { leader: Some(*leads), ..ParticipantChange::default() };
                self.change(*who, change);
            }
            Step::AdmitAll => {
                // There may be no conference, nobody who waits, or no seat.
                let _ = self.world.control(Event::AdmitWaiting { conference: key("Tea"), participant: None });
            }
            Step::Eject { who } => {
                if let Some(call) = self.pick(*who, &[CallStage::Up]) {
                    let question = self.world.change(&self.world.participant(call), ParticipantAction::Eject);
                    self.questions.insert(question);
                }
            }
            Step::SlowStore(slow) => self.world.store_is_slow = *slow,
            Step::SlowPorts(slow) => self.world.ports_are_slow = *slow,
            Step::AnswerLookups => self.world.answer_lookups(),
            Step::OpenPorts => self.world.open_ports(),
            Step::StoreFails(fails) => self.world.store_fails = *fails,
            Step::Pass { seconds } => self.world.pass_ms(u64::from(*seconds) * 1000),
        }
        self.listen();
        self.check();
    }

    /// A program changes a participant; one that has no place in the conference is refused.
    fn change(&mut self, who: u8, change: ParticipantChange) {
        if let Some(call) = self.pick(who, &[CallStage::Up]) {
            let (conference, participant) = (key("Tea"), self.world.participant(call));
            let _ = self.world.control(Event::ChangeParticipant { conference, participant, change });
        }
    }

    /// Takes over what was said to the user agent.
    fn listen(&mut self) {
        for line in self.world.said() {
            let words: Vec<&str> = line.split([' ', ':']).collect();
            let (verb, call) = match words.as_slice() {
                ["hang", "up", call, ..] => ("hang up", call),
                [verb @ ("answer" | "reject" | "dial" | "ring"), call, ..] => (*verb, call),
                _ => continue,
            };
            let call: u64 = call.parse().unwrap();
            let before = self.stages.get(&call).copied();
            let after = match (verb, before) {
                ("ring", Some(CallStage::Ringing)) => CallStage::Ringing,
                ("answer", Some(CallStage::Ringing)) => CallStage::Answered,
                // Refused, and for the machine over at once.
                ("reject", Some(CallStage::Ringing)) => CallStage::Over,
                // Another way is tried under the same number.
                ("dial", None | Some(CallStage::Over)) => CallStage::Dialling,
                (
                    "hang up",
                    Some(CallStage::Ringing | CallStage::Answered | CallStage::Dialling | CallStage::Up),
                ) => CallStage::HungUp,
                (verb, before) => panic!("{verb} {call}, which is {before:?}"),
            };
            self.stages.insert(call, after);
        }
    }

    fn check(&mut self) {
        let roster = self.world.roster("Tea");
        assert!(roster.len() <= 3, "more than there are seats: {roster:?}");
        for call in &roster {
            assert_eq!(self.stages.get(call), Some(&CallStage::Up), "{call} is in");
            assert!(self.world.open.contains(call), "{call} is in and has no port");
        }
        for call in &self.world.open {
            assert!(
                !matches!(self.stages.get(call), Some(CallStage::Over | CallStage::HungUp)),
                "{call} is over and has a port"
            );
        }
        for entry in &self.world.records[self.seen_records..] {
            match entry {
                CallEntry::Started { call, .. } => assert!(self.started.insert(call.id.clone()), "twice"),
                CallEntry::Answered { id, .. } | CallEntry::Entered { id, .. } => {
                    assert!(self.started.contains(id) && !self.ended.contains(id));
                }
                CallEntry::Ended { id, .. } => {
                    assert!(self.started.contains(id), "{id} ends before it has begun");
                    assert!(self.ended.insert(id.clone()), "{id} ends twice");
                }
            }
        }
        self.seen_records = self.world.records.len();
    }

    /// Every caller hangs up where it just is, and who is called does not answer. Nothing is left.
    fn hang_up_everywhere(mut self) {
        self.world.store_fails = false;
        for (call, stage) in self.stages.clone() {
            match stage {
                CallStage::Ringing => {
                    let reasons = Vec::new();
                    self.stages.insert(call, CallStage::Over);
                    self.world.sip_event(SipEvent::Cancelled { call: CallId(call), reasons });
                }
                CallStage::Answered | CallStage::Up | CallStage::HungUp => {
                    self.stages.insert(call, CallStage::Over);
                    self.world.bye(call);
                }
                CallStage::Dialling | CallStage::Over => {}
            }
            self.listen();
        }
        for (call, stage) in self.stages.clone() {
            if stage == CallStage::Dialling {
                self.stages.insert(call, CallStage::Over);
                self.world.rejected(call, 404);
            }
            self.listen();
        }
        self.world.answer_lookups();
        self.world.open_ports();
        // What was said to them may go on no longer, and recorded names are forgotten.
        self.world.pass_ms(120_000);
        self.listen();
        for (call, stage) in self.stages.clone() {
            if stage == CallStage::HungUp {
                self.stages.insert(call, CallStage::Over);
                self.world.ended(call);
            }
        }
        self.check();
        self.world.assert_clean();
        assert_eq!(self.started, self.ended, "every record that was begun is completed");
    }

    /// All calls end.
    fn finish(mut self) {
        self.world.store_fails = false;
        self.world.answer_lookups();
        self.listen();
        self.world.open_ports();
        self.listen();
        self.world.input(Input::Stop);
        self.world.answer_lookups();
        self.world.open_ports();
        self.listen();
        for (call, stage) in self.stages.clone() {
            if stage != CallStage::Over {
                assert_eq!(stage, CallStage::HungUp, "{call} is not hung up on");
                self.stages.insert(call, CallStage::Over);
                self.world.ended(call);
            }
        }
        self.listen();
        self.check();
        self.world.assert_clean();
        assert_eq!(self.started, self.ended, "every record that was begun is completed");
        for question in std::mem::take(&mut self.questions) {
            match self.world.answer_to(question) {
                Answer::Call(_) | Answer::Done(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Random walks of each kind. PLENARY_WALKS sets another number: of ten thousand each kind takes half a minute.
fn walks(usual: u32) -> ProptestConfig {
    let set = std::env::var("PLENARY_WALKS").ok();
    let cases = set.map_or(usual, |text| text.parse().expect("PLENARY_WALKS is a number of walks"));
    ProptestConfig::with_cases(cases)
}

proptest! {
    #![proptest_config(walks(400))]
    #[test]
    fn what_must_hold_holds_whatever_comes(steps in steps()) {
        let mut model = Model::new();
        for step in &steps {
            model.step(step);
        }
        model.finish();
    }
}

proptest! {
    #![proptest_config(walks(10_000))]
    #[test]
    fn callers_who_hang_up_at_any_point_of_a_dialogue_leave_nothing_behind(steps in dialogue_steps()) {
        let mut model = Model::new();
        for step in &steps {
            model.step(step);
        }
        model.hang_up_everywhere();
    }
}
