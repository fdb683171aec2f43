//! Load: many callers in many conferences, and what came back.
//!
//! Every room has its talkers, each with a tone of its own; the others send silence. In each room some callers
//! listen and say at the end which tones they hear: all but their own, and no other.

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

/// What to do.
#[derive(Debug, Clone)]
pub struct LoadSpec {
    /// Whom to call. With more than one room the room's number is added to the user part.
    pub target: String,
    /// Callers in all.
    pub participants: u32,
    /// Conferences.
    pub rooms: u32,
    /// Talkers in each.
    pub talkers: u32,
    /// The talkers of a conference take turns: one speaks for half a second to five, then any of them.
    pub in_turn: bool,
    /// How long to wait once all are in, in seconds, until jitter buffers, limiters and the phases of rooms have settled.
    pub settle: u32,
    /// How long to measure after that, in seconds.
    pub seconds: u32,
    /// The codecs of the callers: each offers one, in turn.
    pub codecs: Vec<Codec>,
    /// What those who do not talk send: noise of this level, in dBov; `None`: silence.
    pub noise_dbov: Option<f32>,
    /// Each packet says how loud it is (RFC 6464).
    pub audio_levels: bool,
    /// Conferences, at the most, in which the delay is measured, by bursts in what up to three of the talkers say. Where nobody
    /// talks a further caller sends them.
    pub probes: u32,
    /// Calls set up per second.
    pub ramp: u32,
    /// The process whose CPU time and memory are measured.
    pub server_pid: Option<u32>,
}

/// How loud talkers are: loud enough to be told apart when many talk, quiet enough not to be limited when few do.
const TALKER_DBOV: f32 = -20.0;
/// A tone above this is heard.
const HEARD_DBOV: f32 = -36.0;
/// A tone above this that should not be there is a mistake; G.711's own noise lies below.
const LEAK_DBOV: f32 = -50.0;
/// Talkers of a room whose delay is measured, at the most.
const MARKED_MAX: u32 = 3;
/// Callers that listen, over all rooms, at the most.
const EARS_MAX: u32 = 60;
const EARS_PER_ROOM: u32 = 3;
/// What is analysed of each: half a second.
const HEARD_MS: u32 = 500;

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct LoadReport {
    /// Calls that came up.
    pub calls_up: u32,
    /// Calls that did not, by SIP status.
    pub calls_refused: BTreeMap<u16, u32>,
    /// Calls that ended before they should.
    pub calls_lost: u32,
    /// From INVITE to 200, in milliseconds.
    pub setup_ms: Percentiles,
    /// How long was measured, in seconds.
    pub seconds: f32,
    /// RTP packets sent to the server while measuring.
    pub packets_sent: u64,
    /// RTP packets that came back.
    pub packets_received: u64,
    /// Packets that the server sent and that did not come, in percent.
    pub lost_percent: f32,
    /// Packets that should have come (one per caller and 20 ms) and did not, in percent; negative: some came more.
    pub missing_percent: f32,
    /// Interarrival jitter (RFC 3550) over the callers, in milliseconds.
    pub jitter_ms: Percentiles,
    /// Longest time between two packets of a caller, in milliseconds.
    pub gap_ms: Percentiles,
    /// How far the clock of what a caller hears and real time part while measuring, in milliseconds, over the callers.
    pub clock_ms: Percentiles,
    /// How far packets come off the grid of 20 ms that those before them made, in milliseconds, over all packets.
    pub off_grid_ms: DurationQuantiles,
    /// From a packet's leaving here to the return of its sound, in milliseconds.
    pub delay_ms: DurationQuantiles,
    /// Tones that should be heard and are, and that should not and are not.
    pub tones_right: u32,
    /// The others.
    pub tones_wrong: u32,
    /// The server's CPU time in percent of a core, where its process was named.
    pub server_cpu_percent: Option<f32>,
    /// The same for each caller.
    pub server_cpu_percent_per_participant: Option<f32>,
    /// The server's own resident memory (`RssAnon`) with all callers in, and before the first, in kilobytes.
    pub server_memory_kb: Option<(u64, u64)>,
    /// CPU time of this process in percent of a core.
    pub own_cpu_percent: f32,
    /// How well this process kept time. Late phases here are no fault of the server's.
    pub own_load: HubLoad,
}

/// Quantiles of a measure.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Percentiles {
    /// Half are below.
    pub p50: f32,
    /// 99 of 100 are below.
    pub p99: f32,
    /// The greatest.
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

/// The tone of a room's talker: apart from each other by what half a second can tell apart, and never harmonics of one
/// another's neighbours.
fn tone_hz(talker: u32) -> u16 {
    // Twenty-three steps of 130 Hz fit below 3.4 kHz; a larger crowd shares tones.
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

/// Fills the rooms, measures, empties them. `progress` hears of each step.
///
/// # Errors
/// No socket, or a target that can't be called. Refused calls are no error: they are in the report.
pub async fn run(spec: &LoadSpec, mut progress: impl FnMut(&str)) -> Result<LoadReport, CallerError> {
    let caller = Caller::new(CallerConfig::default()).await?;
    let memory_before = spec.server_pid.and_then(memory_kb);
    let (members, refused, setup_ms) = fill(spec, &caller, &mut progress).await?;
    sleep(Duration::from_secs(u64::from(spec.settle))).await;
    members.iter().for_each(|member| member.call.reset_gap());
    caller.reset_measures();

    progress(&format!("{} callers are in, measuring for {} s", members.len(), spec.seconds));
    let began = Instant::now();
    let before: Vec<_> = members.iter().map(|member| member.call.stats()).collect();
    let cpu_before = (spec.server_pid.and_then(cpu_seconds), cpu_seconds(std::process::id()));
    sleep(Duration::from_secs(u64::from(spec.seconds))).await;
    let seconds = began.elapsed().as_secs_f32();
    let cpu_after = (spec.server_pid.and_then(cpu_seconds), cpu_seconds(std::process::id()));
    let after: Vec<_> = members.iter().map(|member| member.call.stats()).collect();
    let memory_after = spec.server_pid.and_then(memory_kb);
    let (delay_ms, off_grid_ms) = caller.measures();

    // Of those who take turns one is to be heard at a time.
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
    let ears = EARS_PER_ROOM.min((EARS_MAX / spec.rooms).max(1));
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
        // The first talker listens, to hear that he does not hear himself, and some of those who are silent.
        let listens =
            room < EARS_MAX && (place == 0 || (spec.talkers..spec.talkers + ears - 1).contains(&place));
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
        // The bursts are looked for by a talker, who hears a mix of his own, and by one who hears what all hear.
        let looks = room < probes && (place == 0 || place == spec.talkers);
        let call_spec = CallSpec {
            from_user: format!("load{index}"),
            speech,
            listens,
            codecs: vec![codec],
            tells_levels: spec.audio_levels,
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

/// Every listener hears every talker of his room but himself, and nothing else.
fn check_tones(members: &[Member]) -> (u32, u32) {
    let (mut right, mut wrong) = (0, 0);
    for listener in members.iter().filter(|member| member.listens) {
        let heard = listener.call.heard(HEARD_MS);
        let mut tones: Vec<f32> = (0..23).map(|talker| f32::from(tone_hz(talker))).collect();
        tones.sort_by(f32::total_cmp);
        for hz in tones {
            // A large crowd shares tones.
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

/// CPU time of all threads of a process, in seconds, to the nanosecond as the scheduler counts it.
fn cpu_seconds(pid: u32) -> Option<f32> {
    let mut total_ns = 0_u64;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        // A thread may end meanwhile.
        let times = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        total_ns += times.split_ascii_whitespace().next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    }
    Some((total_ns as f64 / 1e9) as f32)
}

/// What a process has written to. Pages of its program are not in it: which of them are resident depends on what else ran
/// before, they are shared, and the kernel drops them when it needs room.
fn memory_kb(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_told_apart_by_their_number() {
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
    fn this_process_has_used_time_and_memory() {
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(30) {
            std::hint::spin_loop();
        }
        assert!(cpu_seconds(std::process::id()).unwrap() > 0.0);
        assert!(memory_kb(std::process::id()).unwrap() > 100);
        assert_eq!(memory_kb(0), None);
    }
}
