//! A server with an entry, and callers who key in what they are asked for.

use super::{Server, look_for, prompts::Prompts, wait_for};
use plenary_caller::{Call, CallSpec, CallState, Caller, CallerConfig, KeyRoute, Speech};
use serde_json::Value;
use std::time::Duration;
use tokio::runtime::Runtime;

/// How much callers record, in seconds: more than any test takes.
pub const RECORDED_S: u32 = 170;

/// A server with an entry at 100 that leads to all rooms, and telephones.
pub struct World {
    pub server: Server,
    pub runtime: Runtime,
    pub caller: Caller,
    pub prompts: Prompts,
}

impl World {
    pub fn new(config: &str, rooms: &[(&str, Value)]) -> Self {
        Self::with(Server::start(config), rooms)
    }

    pub fn with(server: Server, rooms: &[(&str, Value)]) -> Self {
        server.put_service("100", r#"{"entry": {"rooms": true}}"#);
        for (number, room) in rooms {
            put_room(&server, number, room);
        }
        let runtime = Runtime::new().unwrap();
        let caller = runtime.block_on(Caller::new(CallerConfig::default())).unwrap();
        Self { server, runtime, caller, prompts: Prompts::new() }
    }

    /// A caller of the entry at 100 who speaks in this tone; 0: who is silent.
    pub fn call(&self, hz: u16) -> Call {
        self.call_to("100", hz, CallSpec::default())
    }

    #[track_caller]
    pub fn call_to(&self, service: &str, hz: u16, spec: CallSpec) -> Call {
        let uri = self.server.uri(service);
        self.runtime.block_on(async {
            let spec = CallSpec { speech: speech(hz), record_seconds: RECORDED_S, ..spec };
            let mut call = self.caller.dial(&uri, spec).await.unwrap();
            let state = tokio::time::timeout(Duration::from_secs(40), call.answered()).await;
            assert_eq!(state, Ok(CallState::Up), "{}", self.server.log());
            call
        })
    }

    /// One who sends keys in this way.
    pub fn call_by(&self, keys: KeyRoute) -> Call {
        self.call_to("100", 0, CallSpec { keys, ..CallSpec::default() })
    }

    /// A caller who keys this in at once and is in the conference.
    #[track_caller]
    pub fn enter(&self, conference: &str, hz: u16, keys: &str) -> Call {
        let before = self.server.participants(conference).len();
        let call = self.call(hz);
        call.press(keys).unwrap();
        let is_in = look_for(|| (self.server.participants(conference).len() > before).then_some(()));
        assert!(is_in.is_some(), "{keys} did not lead into {conference}:\n{}", self.server.log());
        call
    }

    #[track_caller]
    pub fn assert_ended(&self, call: &mut Call, why: &str) {
        let end = self
            .runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(20), call.ended()).await });
        let Ok(CallState::Ended { by_remote: true, reason }) = end else { panic!("{end:?}") };
        assert!(reason.contains(why), "{reason}");
    }

    #[track_caller]
    pub fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.server.curl(&["-X", method, "-d", &body.to_string()], path);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }
}

#[track_caller]
pub fn put_room(server: &Server, number: &str, room: &Value) {
    let path = format!("/v1/rooms/{number}");
    let (status, answer) = server.curl(&["-X", "PUT", "-d", &room.to_string()], &path);
    assert!(matches!(status, 200 | 201), "{status} {answer}");
}

pub fn speech(hz: u16) -> Speech {
    match hz {
        0 => Speech::Silence,
        hz => Speech::Tone { hz, dbov: -20.0 },
    }
}

#[track_caller]
pub fn wait_for_tone(call: &Call, hz: f32, is_heard: bool) {
    wait_for(&format!("{hz} Hz to be heard: {is_heard}"), || {
        (call.hears_tones(&[hz], 600, -30.0) == [is_heard]).then_some(())
    });
}

/// Nothing is heard since a position, for so long at least.
#[track_caller]
pub fn assert_silence(call: &Call, since: u64, ms: u64, why: &str) {
    let samples = ms * u64::from(call.rate_hz()) / 1000;
    wait_for("time to pass", || (call.position() >= since + samples).then_some(()));
    let loudest = loudest(call, since);
    assert!(loudest < AUDIBLE, "{why}: something is heard, of {loudest} at its loudest");
}

/// The loudest sample since a position.
pub fn loudest(call: &Call, since: u64) -> u16 {
    call.recorded_from(since).iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
}

/// Samples below this are no sound, but what codecs make of silence.
pub const AUDIBLE: u16 = 150;

/// Waits until a caller has heard nothing for a while.
#[track_caller]
pub fn wait_for_silence(call: &Call) {
    wait_for("silence", || {
        (call.heard(300).iter().all(|sample| sample.unsigned_abs() < AUDIBLE)).then_some(())
    });
}
