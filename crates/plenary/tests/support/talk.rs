//! Two callers who must go on hearing each other, whatever happens around them.

use super::{Server, entry::RECORDED_S};
use plenary_caller::{Call, CallSpec, CallState, Caller, CallerConfig, Speech};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

pub const TONES: [f32; 2] = [500.0, 1100.0];

/// Two callers who talk with each other, each in a tone of its own.
pub struct Talk {
    pub runtime: Runtime,
    pub caller: Caller,
    pub calls: Vec<Call>,
}

impl Talk {
    pub fn begin(server: &Server, conference: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let caller = runtime.block_on(Caller::new(CallerConfig::default())).unwrap();
        let mut talk = Self { runtime, caller, calls: Vec::new() };
        for hz in TONES {
            let call = talk.call(server, conference, hz);
            talk.calls.push(call);
        }
        talk.assert_is_heard();
        talk
    }

    pub fn call(&self, server: &Server, conference: &str, hz: f32) -> Call {
        let (state, call) = self.dial(server, conference, hz);
        assert_eq!(state, CallState::Up, "{}", server.log());
        call
    }

    pub fn dial(&self, server: &Server, conference: &str, hz: f32) -> (CallState, Call) {
        let uri = server.uri(&format!("conf-{conference}"));
        let speech = Speech::Tone { hz: hz as u16, dbov: -16.0 };
        let spec = CallSpec { speech, record_seconds: RECORDED_S, ..CallSpec::default() };
        self.runtime.block_on(async {
            let mut call = self.caller.dial(&uri, spec).await.unwrap();
            let state = tokio::time::timeout(Duration::from_secs(40), call.answered()).await.unwrap();
            (state, call)
        })
    }

    /// Each hears the other and not itself, right now.
    #[track_caller]
    pub fn assert_is_heard(&self) {
        let began = Instant::now();
        loop {
            let heard: Vec<Vec<bool>> =
                self.calls.iter().map(|call| call.hears_tones(&TONES, 600, -25.0)).collect();
            if heard == [[false, true], [true, false]] {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(10), "heard: {heard:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Does something that takes three seconds at the most, and looks whether a sound was lost meanwhile: no packet, and
    /// the other's tone in every tenth of a second but two (this machine may stall, and the recording with it). The telephones note where
    /// they were late themselves by more than a frame: what they did not send in time nobody could hear in time.
    #[track_caller]
    pub fn assert_stays_perfect<T>(&self, meanwhile: impl FnOnce() -> T) -> T {
        let (result, fault) = self.listen_meanwhile(meanwhile);
        assert_eq!(fault, None);
        result
    }

    /// As [`Self::assert_stays_perfect`], and says what was not perfect.
    pub fn listen_meanwhile<T>(&self, meanwhile: impl FnOnce() -> T) -> (T, Option<String>) {
        let before: Vec<_> = self.calls.iter().map(Call::stats).collect();
        let behind_before = self.caller.load().behind;
        let began = Instant::now();
        let result = meanwhile();
        // Long enough that what is just on its way at either end does not count for much.
        std::thread::sleep(Duration::from_secs(2).saturating_sub(began.elapsed()));
        let took = began.elapsed();
        let last_ms = (took.as_millis() as u32).clamp(500, 3500);
        let faults = self.calls.iter().enumerate().filter_map(|(number, call)| {
            let (stats, hz) = (call.stats(), TONES[1 - number]);
            let lost = stats.lost - before[number].lost;
            let received = (stats.received - before[number].received) as u128;
            // A standstill of a tenth of a second makes 40 of their phases late.
            let behind = (self.caller.load().behind - behind_before).div_ceil(10) as usize;
            let is_complete = received * 20 * 10 + behind as u128 * 1000 >= took.as_millis() * 9;
            let heard = call.heard(last_ms);
            let gaps = heard
                .chunks_exact(call.rate_hz() as usize / 10)
                .filter(|part| {
                    let level = plenary_audio::goertzel::power_dbov(part, call.rate_hz(), hz);
                    !(-19.0..-13.0).contains(&level)
                })
                .count();
            (lost != 0 || !is_complete || gaps > 2 + behind).then(|| {
                format!(
                    "caller {number} received {received} packets in {took:?}, lost {lost}, missed {gaps} tenths of a second; \
                     the telephones themselves stood still for {behind}"
                )
            })
        });
        let fault = faults.reduce(|all, next| format!("{all}; {next}"));
        (result, fault)
    }

    pub fn hang_up(self) {
        self.runtime.block_on(async {
            for mut call in self.calls {
                call.hang_up();
                let _ = tokio::time::timeout(Duration::from_secs(10), call.ended()).await;
            }
            self.caller.stop().await;
        });
    }
}

pub fn reserve(server: &Server, name: &str, in_minutes: i64) -> (u16, serde_json::Value) {
    let start = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(in_minutes);
    let start = start.strftime("%Y-%m-%d_%H:%M:%S");
    server.curl(
        &[],
        &format!("/conference_reservation_create?conference_name={name}&max_participants=40&start_time={start}&duration=30"),
    )
}
