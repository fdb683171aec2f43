//! What a language lacks is said in English, and the log tells it once.

mod support;

use plenary_model::InboundService;
use plenary_speech::Languages;
use serde_json::json;
use std::{
    fmt::Write,
    path::Path,
    sync::{Arc, Mutex},
};
use support::{ACCOUNT, World};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// The warnings of a test, a line each.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, "{}={value:?} ", field.name()).unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_prompt_that_a_language_lacks_is_said_in_english_and_told_in_the_log_once() {
    // It has texts and rules, and no audio.
    let polish = Path::new(env!("CARGO_MANIFEST_DIR")).join("../speech/tests/languages");
    let (languages, problems) = Languages::load(&polish);
    assert!(problems.is_empty(), "{problems:?}");
    let mut world = World::speaking(languages);
    let conference = json!({"name": "Tea", "menu": {"*6": "mute"}, "language": "pl"});
    let body = json!({"conference": conference, "access": {"networks": ["10.0.0.0/8"]}});
    world.store.services.push(InboundService::new(ACCOUNT, "200", &body).unwrap());
    let call = world.enter("200");
    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), || {
        for said in ["mute.on", "mute.off", "mute.on"] {
            world.press(call, "*6");
            assert_eq!(world.heard(call), [said]);
            world.listen();
        }
    });
    let told = log.0.lock().unwrap();
    let of = |prompt: &str| told.iter().filter(|line| line.contains(prompt)).collect::<Vec<_>>();
    let [line] = of("mute.on")[..] else { panic!("{told:?}") };
    assert!(line.contains("prompts are missing: said in English") && line.contains("language=pl"), "{line}");
    assert_eq!(of("mute.off").len(), 1, "{told:?}");
}
