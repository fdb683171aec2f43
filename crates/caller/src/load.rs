//! Load: many callers in many conferences, and their measurements.
//!
//! Each room has talkers, each with a tone of its own; the other callers send silence. In each room some callers listen,
//! and at the end must hear all tones but their own, and no other.

use crate::{
    Call, CallSpec, CallState, Caller, CallerConfig, CallerError, Codec, DurationQuantiles, Speech,
    hub::{HubLoad, Turn},
    speech::BURST_APART_FRAMES,
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};
use tokio::time::{sleep, sleep_until};

/// A load run.
#[derive(Debug, Clone)]
pub struct LoadSpec {
    /// The URI to call. With more than one room, the room's number is appended to the user part.
    pub target: String,
    /// Callers in all rooms together.
    pub participants: u32,
    /// Conferences, at least 1.
    pub rooms: u32,
    /// Talkers in each conference.
    pub talkers: u32,
    /// The talkers of a conference take turns: one speaks for 0.5 to 5 s, then a random one.
    pub in_turn: bool,
    /// Seconds to wait after the last caller has joined, until jitter buffers, limiters and phases of rooms have settled.
    pub settle: u32,
    /// Seconds to measure after that.
    pub seconds: u32,
    /// The codecs of the callers: each caller offers one, in turn.
    pub codecs: Vec<Codec>,
    /// Callers that do not talk send noise of this level, in dBov; `None`: silence.
    pub noise_dbov: Option<f32>,
    /// Packets carry their audio level (RFC 6464).
    pub audio_levels: bool,
    /// Conferences in which the delay is measured, at most: up to three of the talkers send bursts, or, without talkers, one
    /// further caller.
    pub probes: u32,
    /// Calls set up per second.
    pub ramp: u32,
    /// The process whose CPU time and memory are measured; `None`: not measured.
    pub server_pid: Option<u32>,
}

/// Level of talkers: high enough to be distinguished among many, low enough for the limiter to leave a few alone.
const TALKER_DBOV: f32 = -20.0;
/// A tone above this is heard.
const HEARD_DBOV: f32 = -36.0;
/// A tone above this that should not be there is an error; the noise of G.711 is below.
const LEAK_DBOV: f32 = -50.0;
/// Talkers of a room that send bursts, at most.
const MARKED_MAX: u32 = 3;
/// Callers that listen, in all rooms together and in each, at most.
const LISTENERS_MAX: u32 = 60;
const LISTENERS_PER_ROOM: u32 = 3;
/// Audio of each that is analysed, in milliseconds.
const HEARD_MS: u32 = 500;

/// The measurements of a load run.
#[derive(Debug, Clone, Serialize)]
pub struct LoadReport {
    /// Calls that were answered.
    pub calls_up: u32,
    /// Calls that were not, by SIP status; 0: without a response.
    pub calls_refused: BTreeMap<u16, u32>,
    /// Calls that ended too early.
    pub calls_lost: u32,
    /// From INVITE to 200, in milliseconds.
    pub setup_ms: Percentiles,
    /// Duration of the measurement, in seconds.
    pub seconds: f32,
    /// RTP packets sent to the server while measuring.
    pub packets_sent: u64,
    /// RTP packets received while measuring.
    pub packets_received: u64,
    /// Packets lost between server and caller, by sequence number, in percent.
    pub lost_percent: f32,
    /// Packets missing from one per caller and 20 ms, in percent; negative: there were more.
    pub missing_percent: f32,
    /// Interarrival jitter (RFC 3550) over the callers, in milliseconds.
    pub jitter_ms: Percentiles,
    /// Longest time between two packets to a caller, in milliseconds, over the callers.
    pub gap_ms: Percentiles,
    /// Deviation of the timestamps that a caller receives from real time, in milliseconds, over the callers.
    pub clock_ms: Percentiles,
    /// Deviation of arrivals from the 20 ms grid of earlier ones, in milliseconds, over all packets.
    pub off_grid_ms: DurationQuantiles,
    /// Time from sending a burst to receiving it back, in milliseconds.
    pub delay_ms: DurationQuantiles,
    /// Pairs of listener and tone where the tone is heard exactly if it should be.
    pub tones_right: u32,
    /// All other pairs.
    pub tones_wrong: u32,
    /// CPU time of the server in percent of a core; `None` without [`LoadSpec::server_pid`].
    pub server_cpu_percent: Option<f32>,
    /// CPU time of the server per caller, in percent of a core.
    pub server_cpu_percent_per_participant: Option<f32>,
    /// Resident memory of the server (`RssAnon`) with all callers and before the first, in kilobytes.
    pub server_memory_kb: Option<(u64, u64)>,
    /// CPU time of this process in percent of a core.
    pub own_cpu_percent: f32,
    /// Timeliness of this process: its lateness is not the server's.
    pub own_load: HubLoad,
}

/// Quantiles of a measurement over the callers.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f32,
    /// The 99th percentile.
    pub p99: f32,
    /// The largest value.
    pub max: f32,
}

impl Percentiles {
    fn of(mut values: Vec<f32>) -> Self {
        values.sort_by(f32::total_cmp);
        let at = |share: f32| {
            let index = ((values.len() as f32 * share).ceil() as usize).saturating_sub(1);
            values.get(index).copied().unwrap_or_default()
        };
        Self { p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

struct Member {
    call: Call,
    room: u32,
    tone: Option<f32>,
    listens: bool,
}

/// The tone of a room's talker: far enough apart for half a second to distinguish them, and never a harmonic of another's
/// neighbour.
fn tone_hz(talker: u32) -> u16 {
    // 23 steps of 130 Hz fit below 3.4 kHz; with more talkers they share tones.
    330 + 130 * (talker % 23) as u16
}

/// The URI of a room.
fn room_uri(target: &str, room: u32, rooms: u32) -> String {
    if rooms == 1 {
        return target.to_owned();
    }
    match target.split_once('@') {
        Some((user, host)) => format!("{user}{room}@{host}"),
        None => format!("{target}{room}"),
    }
}

/// Fills the rooms, measures, hangs up. `progress` gets a line for each step.
///
/// # Errors
/// A socket is not available, or the target cannot be called. Refused calls are in the report.
pub async fn run(spec: &LoadSpec, mut progress: impl FnMut(&str)) -> Result<LoadReport, CallerError> {
    let caller = Caller::new(CallerConfig::default()).await?;
    let memory_before = spec.server_pid.and_then(memory_kb);
    let (members, refused, setup_ms) = fill(spec, &caller, &mut progress).await?;
    sleep(Duration::from_secs(u64::from(spec.settle))).await;
    members.iter().for_each(|member| member.call.reset_gap());
    caller.reset_measures();

    progress(&format!("{} callers have joined, measuring for {} s", members.len(), spec.seconds));
    let began = Instant::now();
    let before: Vec<_> = members.iter().map(|member| member.call.stats()).collect();
    let cpu_before = (spec.server_pid.and_then(cpu_seconds), cpu_seconds(std::process::id()));
    sleep(Duration::from_secs(u64::from(spec.seconds))).await;
    let seconds = began.elapsed().as_secs_f32();
    let cpu_after = (spec.server_pid.and_then(cpu_seconds), cpu_seconds(std::process::id()));
    let after: Vec<_> = members.iter().map(|member| member.call.stats()).collect();
    let memory_after = spec.server_pid.and_then(memory_kb);
    let (delay_ms, off_grid_ms) = caller.measures();

    // With turns only one talker is heard at a time.
    let (tones_right, tones_wrong) = if spec.in_turn { (0, 0) } else { check_tones(&members) };
    let calls_lost = members.iter().filter(|member| member.call.state().is_over()).count() as u32;
    let sum = |count: fn(&crate::CallStats) -> u64| {
        before.iter().zip(&after).map(|(before, after)| count(after) - count(before)).sum::<u64>()
    };
    let (sent, received) = (sum(|stats| stats.sent), sum(|stats| stats.received));
    let lost = sum(|stats| stats.lost);
    let expected = members.len() as f32 * seconds * 50.0;
    let percent_of = |part: f32, whole: f32| if whole > 0.0 { 100.0 * part / whole } else { 0.0 };
    let busy = |before: Option<f32>, after: Option<f32>| Some(100.0 * (after? - before?) / seconds);
    let server_cpu_percent = busy(cpu_before.0, cpu_after.0);

    progress("hanging up");
    let participants = members.len();
    empty(members).await;
    caller.stop().await;
    Ok(LoadReport {
        calls_up: participants as u32,
        calls_refused: refused,
        calls_lost,
        setup_ms: Percentiles::of(setup_ms),
        seconds,
        packets_sent: sent,
        packets_received: received,
        lost_percent: percent_of(lost as f32, (received + lost) as f32),
        missing_percent: percent_of(expected - received as f32, expected),
        jitter_ms: Percentiles::of(after.iter().map(|stats| stats.jitter_ms).collect()),
        gap_ms: Percentiles::of(after.iter().map(|stats| stats.gap_ms_max).collect()),
        clock_ms: Percentiles::of(after.iter().map(|stats| stats.clock_ms).collect()),
        off_grid_ms,
        delay_ms,
        tones_right,
        tones_wrong,
        server_cpu_percent,
        server_cpu_percent_per_participant: server_cpu_percent.map(|cpu| cpu / participants.max(1) as f32),
        server_memory_kb: memory_after.zip(memory_before),
        own_cpu_percent: busy(cpu_before.1, cpu_after.1).unwrap_or_default(),
        own_load: caller.load(),
    })
}

async fn fill(
    spec: &LoadSpec,
    caller: &Caller,
    progress: &mut impl FnMut(&str),
) -> Result<(Vec<Member>, BTreeMap<u16, u32>, Vec<f32>), CallerError> {
    let listeners = LISTENERS_PER_ROOM.min((LISTENERS_MAX / spec.rooms).max(1));
    let began = tokio::time::Instant::now();
    let mut dialled = Vec::new();
    let probes = spec.probes.min(spec.rooms);
    let callers_more = if spec.talkers == 0 { probes } else { 0 };
    for index in 0..spec.participants + callers_more {
        let probe = index.checked_sub(spec.participants);
        let (room, place) = match probe {
            Some(room) => (room, u32::MAX),
            None => (index % spec.rooms, index / spec.rooms),
        };
        let tone = (place < spec.talkers).then(|| tone_hz(place));
        // The first talker listens, because it must not hear itself, and some callers that do not talk.
        let is_silent_listener = (spec.talkers..spec.talkers + listeners - 1).contains(&place);
        let listens = room < LISTENERS_MAX && (place == 0 || is_silent_listener);
        let speech = match tone {
            Some(hz) if room < probes && spec.in_turn => {
                Speech::Marked { tone: Some((hz, TALKER_DBOV)), place: 0 }
            }
            Some(hz) if room < probes && place < MARKED_MAX => {
                let tone = Some((hz, TALKER_DBOV));
                Speech::Marked { tone, place: u64::from(place) * BURST_APART_FRAMES }
            }
            Some(hz) => Speech::Tone { hz, dbov: TALKER_DBOV },
            None if probe.is_some() => Speech::Marked { tone: None, place: 0 },
            None => spec.noise_dbov.map_or(Speech::Silence, |dbov| Speech::Noise { dbov }),
        };
        let codec =
            spec.codecs.get(index as usize % spec.codecs.len().max(1)).copied().unwrap_or(Codec::Pcmu);
        // A talker, which hears a mix of its own, and a listener, which hears the shared mix, look for bursts.
        let looks = room < probes && (place == 0 || place == spec.talkers);
        let call_spec = CallSpec {
            from_user: format!("load{index}"),
            speech,
            listens,
            codecs: vec![codec],
            sends_levels: spec.audio_levels,
            probes: (room < probes).then_some(room),
            looks,
            turn: (spec.in_turn && tone.is_some()).then_some(Turn { group: room, place, of: spec.talkers }),
            ..CallSpec::default()
        };
        sleep_until(began + Duration::from_secs_f64(f64::from(index) / f64::from(spec.ramp))).await;
        let at = Instant::now();
        let mut call = caller.dial(&room_uri(&spec.target, room, spec.rooms), call_spec).await?;
        dialled.push(tokio::spawn(async move {
            let state = call.answered().await;
            (Member { call, room, tone: tone.map(f32::from), listens }, state, at.elapsed())
        }));
        if (index + 1) % 250 == 0 {
            progress(&format!("{} of {} dialled", index + 1, spec.participants));
        }
    }
    let (mut members, mut refused, mut setup_ms) = (Vec::new(), BTreeMap::new(), Vec::new());
    for dialled in dialled {
        let Ok((member, state, took)) = dialled.await else { continue };
        match state {
            CallState::Up => {
                members.push(member);
                setup_ms.push(took.as_secs_f32() * 1000.0);
            }
            CallState::Refused { status, .. } => *refused.entry(status).or_default() += 1,
            CallState::Calling | CallState::Ringing | CallState::Ended { .. } => {
                *refused.entry(0).or_default() += 1;
            }
        }
    }
    Ok((members, refused, setup_ms))
}

/// Compares what listeners hear with the tones of the other talkers in their room. Returns the numbers of matches and of
/// mismatches.
fn check_tones(members: &[Member]) -> (u32, u32) {
    let (mut right, mut wrong) = (0, 0);
    for listener in members.iter().filter(|member| member.listens) {
        let heard = listener.call.heard(HEARD_MS);
        let mut tones: Vec<f32> = (0..23).map(|talker| f32::from(tone_hz(talker))).collect();
        tones.sort_by(f32::total_cmp);
        for hz in tones {
            // Many talkers share tones.
            let expected = members.iter().any(|member| {
                member.room == listener.room && member.tone == Some(hz) && !std::ptr::eq(member, listener)
            });
            let level = plenary_audio::goertzel::power_dbov(&heard, listener.call.rate_hz(), hz);
            let is_right = if expected { level > HEARD_DBOV } else { level < LEAK_DBOV };
            *(if is_right { &mut right } else { &mut wrong }) += 1;
        }
    }
    (right, wrong)
}

async fn empty(members: Vec<Member>) {
    for chunk in members.chunks(100) {
        chunk.iter().for_each(|member| member.call.hang_up());
        sleep(Duration::from_millis(20)).await;
    }
    let all = async {
        for mut member in members {
            member.call.ended().await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(10), all).await;
}

/// CPU time of all threads of a process, in seconds, as the scheduler counts it.
fn cpu_seconds(pid: u32) -> Option<f32> {
    let mut total_ns = 0_u64;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        // A thread may have ended since.
        let times = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        total_ns += times.split_ascii_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    }
    Some((total_ns as f64 / 1e9) as f32)
}

/// Anonymous memory of a process, in kilobytes. Pages of its program are not in it: they are shared, the kernel may drop
/// them, and which are resident depends on what ran before.
fn memory_kb(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uri_of_a_room_contains_its_number() {
        assert_eq!(room_uri("sip:conf-load@127.0.0.1:5060", 3, 10), "sip:conf-load3@127.0.0.1:5060");
        assert_eq!(room_uri("sip:conf-load@127.0.0.1:5060", 0, 1), "sip:conf-load@127.0.0.1:5060");
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let percentiles = Percentiles::of((1..=100).rev().map(|value| value as f32).collect());
        assert_eq!((percentiles.p50, percentiles.p99, percentiles.max), (50.0, 99.0, 100.0));
        assert_eq!(Percentiles::of(Vec::new()).max, 0.0);
    }

    #[test]
    fn cpu_time_and_memory_of_this_process_are_read() {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(30) {
            std::hint::spin_loop();
        }
        assert!(cpu_seconds(std::process::id()).unwrap() > 0.0);
        assert!(memory_kb(std::process::id()).unwrap() > 100);
        assert_eq!(memory_kb(0), None);
    }
}
