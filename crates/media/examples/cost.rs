//! Measures the cost of calls: `cargo run --release -p plenary-media --example cost -- PARTICIPANTS ROOMS TALKERS
//! SECONDS [PROMPTS [CODEC [KEYS [TRACKS]]]]`.
//!
//! All participants send all the time: TALKERS of each room noise of their own, the others silence, in CODEC: pcmu, g722 or
//! opus. The first PROMPTS of them hear a prompt each, over and over, each another one. On the lines of the first KEYS telephone keys are
//! looked for as tones. With TRACKS, mixed or separate, the first room is recorded and not recorded in turn, three times, and what the recording
//! adds is printed. Otherwise prints the CPU time of the media threads, how evenly packets leave, and, with one talker, the delay of a packet through the bridge. The
//! generator runs in the same process, on threads whose CPU time is not counted; its own lateness is printed too.

#![allow(clippy::print_stdout)]

use plenary_audio::{codec::Encoder, opus, tone::tone};
use plenary_media::{
    Clip, Codec, FeedId, InbandDtmf, MediaCallId, MediaConfig, MediaHandle, MediaPlane, PlayId, PlayTo,
    RoomId, StreamParams,
};
use plenary_model::{RecordedTracks, RecordingSettings};
use plenary_recording::{Keys, OpenRequest, Recorder, RecorderConfig, RecorderEvent, SYNC_EVERY};
use plenary_rtp::source::Source;
use std::{
    collections::HashMap,
    fs,
    net::UdpSocket,
    path::PathBuf,
    sync::{Arc, mpsc::channel},
    thread,
    time::{Duration, Instant},
};

const FRAME: usize = 160;

struct Phone {
    socket: UdpSocket,
    source: Source,
    talks: bool,
    listens_closely: bool,
    last: Option<Instant>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments.iter().take(5).map(|text| text.parse().expect("a number")).collect();
    let [participants, rooms, talkers, seconds, of_prompts @ ..] = numbers.as_slice() else {
        println!("usage: cost PARTICIPANTS ROOMS TALKERS SECONDS [PROMPTS [CODEC [KEYS [TRACKS]]]]");
        return;
    };
    let prompts = of_prompts.first().copied().unwrap_or(0).min(*participants);
    let codec = match arguments.get(5).map(String::as_str) {
        None | Some("pcmu") => Codec::Pcmu,
        Some("g722") => Codec::G722,
        Some("opus") => Codec::Opus,
        Some(other) => panic!("{other}: pcmu, g722 or opus"),
    };
    let keys: usize = arguments.get(6).map_or(0, |text| text.parse().expect("a number"));
    let tracks = arguments.get(7).map(|text| match text.as_str() {
        "mixed" => RecordedTracks::Mixed,
        "separate" => RecordedTracks::Separate,
        other => panic!("{other}: mixed or separate"),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let media_dir = folder.path().to_owned();
    let config = MediaConfig { rtp_ports: 20_000..=31_999, media_dir, ..MediaConfig::default() };
    let (media, mut events) = MediaPlane::start(config).expect("the media plane starts");
    let mut phones: Vec<Phone> = (0..*participants)
        .map(|number| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
            socket.set_nonblocking(true).expect("a flag");
            let (call, room) = (MediaCallId(number as u64), RoomId((number % rooms) as u64));
            socket.connect(media.open(call, room).expect("it opens")).expect("an address");
            let stream = StreamParams {
                rtcp_mux: true,
                dtmf_payload_type: Some(101),
                ..StreamParams::new(socket.local_addr().expect("bound"), codec, 96)
            };
            media.set_stream(call, stream);
            media.set_voice(call, true, true);
            if number < keys {
                media.set_inband_dtmf(call, Some(InbandDtmf::Always));
            }
            let talks = number / rooms < *talkers;
            let source = Source::new(number as u32, 1, 1);
            Phone { socket, source, talks, listens_closely: number == participants - 1, last: None }
        })
        .collect();

    for number in 0..prompts {
        let name = format!("{number}.wav");
        write_prompt(&folder.path().join(&name), 300.0 + number as f32);
        let to = PlayTo::Call(MediaCallId(number as u64));
        // As one that lasts: a repeated list would be background.
        let list = vec![Clip::File(name); seconds + 10];
        media.play(to, PlayId(number as u64), list, false);
    }
    let said = Said::new(codec);
    run(&mut phones, &said, 2, *talkers);
    if let Some(tracks) = tracks {
        println!("{participants} participants, {rooms} rooms, {talkers} talkers each, {codec:?}");
        let recordings = folder.path().join("recordings");
        record_in_turn(&media, tracks, recordings, || drop(run(&mut phones, &said, *seconds, *talkers)));
        media.shutdown();
        return;
    }
    let (before, began) = (cpu_ms("media-"), Instant::now());
    let load_before = media.load();
    let measured = run(&mut phones, &said, *seconds, *talkers);
    let (cpu, wall) = (cpu_ms("media-") - before, began.elapsed().as_secs_f64());
    let load = media.load();
    let percent = cpu / wall / 10.0;
    println!(
        "{participants} participants, {rooms} rooms, {talkers} talkers each, {prompts} prompts, {keys} lines with keys as tones, {codec:?}, {wall:.1} s"
    );
    println!(
        "  media threads: {percent:.2} % of a core, {:.4} % per participant",
        percent / *participants as f64
    );
    let expected = participants * seconds * 50;
    println!("  packets received: {} of {expected}", measured.received);
    let ticks: u64 = load.workers.iter().map(|worker| worker.ticks).sum();
    let late: u64 = load.workers.iter().map(|worker| worker.ticks_late).sum();
    let late_before: u64 = load_before.workers.iter().map(|worker| worker.ticks_late).sum();
    println!("  ticks later than 2 ms: {} of {ticks}", late - late_before);
    print("  gap between packets less 20 ms", &measured.gaps_ms);
    print("  from packet in to packet out", &measured.delays_ms);
    println!("  generator late by at most {:.2} ms", measured.generator_late_ms);
    if let Some(kb) = resident_kb() {
        println!("  process memory, generator included: {kb} kB");
    }
    media.shutdown();
    while events.try_recv().is_ok() {}
}

/// Has the first room recorded and not recorded in turn, as the service does by default, and prints the share of a core that its threads
/// need each time.
fn record_in_turn(media: &MediaHandle, tracks: RecordedTracks, folder: PathBuf, mut talk: impl FnMut()) {
    let config = RecorderConfig {
        folder,
        keep_free_bytes: 0,
        opus_bitrate: 32_000,
        sync_every: SYNC_EVERY,
        threads: 0,
        keys: Keys::none(),
        transcribes: false,
    };
    let (events, received) = channel();
    let on_event = move |event| drop(events.send(event));
    let recorder = Recorder::start(config, Arc::new(on_event)).expect("it starts");
    let mut shares = || {
        let before = (cpu_ms("media-"), cpu_ms("recording-"), Instant::now());
        talk();
        let per_cent = before.2.elapsed().as_secs_f64() * 10.0;
        ((cpu_ms("media-") - before.0) / per_cent, (cpu_ms("recording-") - before.1) / per_cent)
    };
    for round in 1..=3 {
        let (without, _) = shares();
        let request = OpenRequest {
            account: 1,
            conference: "Cost".into(),
            settings: RecordingSettings { tracks, ..RecordingSettings::default() },
            continues: None,
            is_paused: false,
        };
        let (_, feed) = recorder.open(request).expect("it begins");
        assert!(media.record_room(RoomId(0), FeedId(round), feed), "the room is there");
        let (with, recording) = shares();
        media.end_room_recording(RoomId(0), FeedId(round));
        let lost_ms = loop {
            if let RecorderEvent::Ended(manifest) = received.recv().expect("it ends") {
                break manifest.lost_ms;
            }
        };
        println!(
            "  {tracks:?}: media threads {without:.2} % of a core, recorded {with:.2} %; recording threads {recording:.2} %; \
             together {:+.2} %; {lost_ms} ms lost",
            with + recording - without
        );
    }
    recorder.shutdown();
}

#[derive(Default)]
struct Measured {
    received: usize,
    gaps_ms: Vec<f64>,
    delays_ms: Vec<f64>,
    generator_late_ms: f64,
}

/// What telephones send in a codec: silence, and noise.
struct Said {
    codec: Codec,
    silence: Vec<Vec<u8>>,
    noise: Vec<Vec<u8>>,
}

impl Said {
    fn new(codec: Codec) -> Self {
        let encode = |mut sample: Box<dyn FnMut() -> i16>| {
            let mut encoder = Encoder::new(codec, &opus::Settings::default());
            let frame = |_| {
                let frame: Vec<i16> = (0..codec.rate().frame()).map(|_| sample()).collect();
                let mut payload = [0; 1500];
                let length = encoder.encode(&frame, &mut payload);
                payload[..length].to_vec()
            };
            (0..50).map(frame).collect()
        };
        let mut seed = 1_u32;
        let noise = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 20) as i16 - 2048
        };
        Self { codec, silence: encode(Box::new(|| 0)), noise: encode(Box::new(noise)) }
    }
}

fn write_prompt(path: &std::path::Path, hz: f32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).expect("a new file");
    tone(16_000, hz, -20.0, 1000).into_iter().for_each(|sample| wav.write_sample(sample).expect("written"));
    wav.finalize().expect("written");
}

/// Sends in 20 slices of a millisecond, because real telephones are not synchronised.
fn run(phones: &mut [Phone], said: &Said, seconds: usize, talkers: usize) -> Measured {
    let mut measured = Measured::default();
    let mut sent_at: HashMap<[u8; FRAME], Instant> = HashMap::new();
    let began = Instant::now();
    let mut datagram = [0; 1500];
    for slice in 0..seconds * 1000 {
        let due = began + Duration::from_millis(slice as u64);
        let now = Instant::now();
        thread::sleep(due.saturating_duration_since(now));
        if slice > 0 {
            let late = Instant::now().saturating_duration_since(due).as_secs_f64() * 1000.0;
            measured.generator_late_ms = measured.generator_late_ms.max(late);
        }
        for (number, phone) in phones.iter_mut().enumerate() {
            if phone.listens_closely || number % 20 == (slice + 10) % 20 {
                while let Ok(length) = phone.socket.recv(&mut datagram) {
                    // RTCP shares the port.
                    if datagram[1] & 0x7f >= 64 && datagram[1] & 0x7f < 96 {
                        continue;
                    }
                    measured.received += 1;
                    if !phone.listens_closely || length != 12 + FRAME {
                        continue;
                    }
                    let now = Instant::now();
                    if let Some(last) = phone.last.replace(now) {
                        measured.gaps_ms.push(((now - last).as_secs_f64() * 1000.0 - 20.0).abs());
                    }
                    let payload: [u8; FRAME] =
                        datagram[12..length].try_into().expect("its length was checked");
                    if let Some(at) = sent_at.remove(&payload) {
                        measured.delays_ms.push((now - at).as_secs_f64() * 1000.0);
                    }
                }
            }
            if number % 20 == slice % 20 {
                if said.codec != Codec::Pcmu {
                    let frames = if phone.talks { &said.noise } else { &said.silence };
                    let payload = &frames[slice / 20 % frames.len()];
                    let header = phone.source.next_header(96, said.codec.clock_rate() / 50, payload.len());
                    let _ = phone.socket.send(&[header.to_bytes().as_slice(), payload].concat());
                    continue;
                }
                let mut payload = [0xff; FRAME];
                if phone.talks {
                    let seed = (slice as u32).wrapping_mul(2_654_435_761);
                    payload = std::array::from_fn(|at| (seed.rotate_left(at as u32 % 32) >> 7) as u8);
                    if talkers == 1 {
                        sent_at.insert(payload, Instant::now());
                    }
                }
                let header = phone.source.next_header(96, FRAME as u32, FRAME);
                let packet = [header.to_bytes().as_slice(), &payload].concat();
                // A full buffer shows as a missing packet.
                let _ = phone.socket.send(&packet);
            }
        }
    }
    measured
}

fn print(what: &str, values: &[f64]) {
    let mut values = values.to_vec();
    if values.is_empty() {
        return;
    }
    values.sort_by(f64::total_cmp);
    let at = |part: f64| values[((values.len() - 1) as f64 * part) as usize];
    println!("{what}: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms", at(0.5), at(0.99), at(0.999));
}

/// CPU time of the threads whose names begin like this, in milliseconds.
fn cpu_ms(threads: &str) -> f64 {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return 0.0 };
    let mut total = 0.0;
    for task in tasks.flatten() {
        let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if name.starts_with(threads) {
            let times = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let nanoseconds: f64 =
                times.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0.0);
            total += nanoseconds / 1e6;
        }
    }
    total
}

fn resident_kb() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().trim_end_matches(" kB").parse().ok()
}
