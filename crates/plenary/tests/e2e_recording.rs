//! Recordings of real calls: what is in the files, who is told, and what is left when the service is killed or the disk is full.
#![allow(missing_docs)]

mod support;

use plenary_audio::{codec::Rate, goertzel::power_dbov};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use support::{
    Server,
    prompts::Prompts,
    talk::{TONES, Talk},
    text, wait_for,
};

/// The machine of a test may have little free space.
const CONFIG: &str = "[recordings]\nkeep_free_bytes = 0\n";
const BOARD: &str = "/v1/conferences/Board/recording";
/// The level at which callers of [`Talk`] speak.
const SPOKEN_DBOV: f32 = -16.0;

fn start(server: &Server, body: &Value) -> String {
    let (status, answer) = server.curl(&["-X", "POST", "-d", &body.to_string()], BOARD);
    assert_eq!(status, 201, "{answer} {}", server.log());
    answer["recording_id"].as_str().expect("it runs").to_owned()
}

fn mute_all(server: &Server) {
    let mute = ["-X", "POST", "-d", r#"{"muted": true}"#];
    let (status, answer) = server.curl(&mute, "/v1/conferences/Board/mute");
    assert_eq!(status, 200, "{answer}");
}

/// Ends the recording of the conference, and waits until its files are complete.
fn stop(server: &Server, id: &str) -> Value {
    assert_eq!(server.curl(&["-X", "DELETE"], BOARD).0, 204);
    wait_until_over(server, id)
}

fn wait_until_over(server: &Server, id: &str) -> Value {
    wait_for("the recording to be complete", || {
        let recording = server.get(&format!("/v1/recordings/{id}"));
        (recording["state"] != "running").then_some(recording)
    })
}

fn download(server: &Server, id: &str, track: u64, to: &Path) {
    let url = format!("http://{}/v1/recordings/{id}/audio?track={track}", server.http);
    let credentials = format!("{}:{}", support::LOGIN, server.key);
    let got =
        Command::new("curl").args(["-sSf", "-u", &credentials, "-o"]).arg(to).arg(url).output().unwrap();
    assert!(got.status.success(), "{}", text(&got));
}

/// What another decoder makes of a file.
fn play(path: &Path) -> Vec<i16> {
    let recording = plenary_sounds::read_file(path, &plenary_sounds::Limits::UPLOAD);
    let recording = recording.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(recording.rate, Rate::Full);
    recording.samples
}

fn level(samples: &[i16], hz: f32) -> f32 {
    power_dbov(samples, 48_000, hz)
}

/// The level at which a tone is heard most of the time: the median of pieces of 100 ms. A busy machine may miss one of them.
fn usual_level(samples: &[i16], hz: f32) -> f32 {
    let mut levels: Vec<_> = samples.chunks_exact(4800).map(|piece| level(piece, hz)).collect();
    levels.sort_by(f32::total_cmp);
    levels[levels.len() / 2]
}

/// When a tone begins, in milliseconds, to 5 ms.
fn begins_ms(samples: &[i16], hz: f32) -> usize {
    let is_there = |window: &[i16]| level(window, hz) > SPOKEN_DBOV - 9.0;
    samples.windows(960).step_by(240).position(is_there).expect("the tone is there") * 5
}

/// Has other programs read a file, each as far as it can; they are installed by `make test`. Seconds that it plays.
fn assert_others_play(path: &Path, seconds: f64) {
    assert_read_by_others(path, seconds, true);
}

/// `is_ended`: the file says that it has ended.
fn assert_read_by_others(path: &Path, seconds: f64, is_ended: bool) {
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        let output =
            output.unwrap_or_else(|error| panic!("{program} is missing (make test installs it): {error}"));
        assert!(output.status.success(), "{program}: {}", text(&output));
        text(&output)
    };
    let file = path.to_str().unwrap();
    let decoded = path.with_extension("decoded.wav");
    let decoded = decoded.to_str().unwrap();
    run("ffmpeg", &["-v", "error", "-y", "-i", file, decoded]);
    let played = plenary_sounds::read_file(Path::new(decoded), &plenary_sounds::Limits::UPLOAD).unwrap();
    let by_ffmpeg = played.milliseconds() as f64 / 1000.0;
    assert!((by_ffmpeg - seconds).abs() < 0.03, "ffmpeg plays {by_ffmpeg} s of {seconds} s");
    if file.ends_with(".wav") {
        // It reads all of it, and of one that is ended it finds nothing to say of its sizes.
        let said = run("sox", &[file, "-n", "stat"]);
        let length = said.lines().find_map(|line| line.strip_prefix("Length (seconds):"));
        let by_sox: f64 = length.unwrap_or_else(|| panic!("{said}")).trim().parse().unwrap();
        assert!((by_sox - seconds).abs() < 0.03, "sox plays {by_sox} s of {seconds} s");
        assert!(!is_ended || !said.contains("WARN"), "{said}");
    } else if is_ended {
        let said = run("opusinfo", &[file]);
        assert!(!said.to_lowercase().contains("warning"), "{said}");
    }
}

/// Copies the file of a recording from the disk, as it is now.
fn copy_from_disk(server: &Server, id: &str, file: &str) -> PathBuf {
    let folders = fs::read_dir(server.data().join("recordings")).unwrap();
    let path = folders.map(|entry| entry.unwrap().path().join(id).join(file)).find(|path| path.is_file());
    let copy = server.folder.path().join(format!("copy-{id}-{file}"));
    fs::copy(path.expect("it is there"), &copy).unwrap();
    copy
}

/// A file that is not ended, in our decoder and others: it plays for so long at least, and both voices are heard in its last second.
fn assert_plays_unended(path: &Path, seconds_min: f64) {
    let samples = play(path);
    let seconds = samples.len() as f64 / 48_000.0;
    assert!(seconds >= seconds_min, "{}: {seconds} s, less than {seconds_min} s", path.display());
    for hz in TONES {
        let level = usual_level(&samples[samples.len() - 48_000..samples.len() - 4800], hz);
        assert!((level - SPOKEN_DBOV).abs() < 1.0, "{hz} Hz at {level} dBov in the last second");
    }
    assert_read_by_others(path, seconds, false);
}

#[test]
fn the_mix_has_all_voices_at_their_levels_and_can_be_sought() {
    let server = Server::start(CONFIG);
    let _talk = Talk::begin(&server, "Board");
    let id = start(&server, &json!({"announce": false}));
    std::thread::sleep(Duration::from_secs(3));
    let recording = stop(&server, &id);
    assert_eq!((&recording["state"], &recording["lost_ms"]), (&json!("finished"), &json!(0)), "{recording}");
    let duration_ms = recording["duration_ms"].as_u64().unwrap();
    assert!((2900..6000).contains(&duration_ms), "{duration_ms} ms");
    let path = server.folder.path().join("mixed.opus");
    download(&server, &id, 1, &path);
    let samples = play(&path);
    assert_eq!(samples.len() as u64 / 48, duration_ms);
    for hz in TONES {
        let level = usual_level(&samples[24_000..96_000], hz);
        assert!((level - SPOKEN_DBOV).abs() < 1.0, "{hz} Hz at {level} dBov");
    }
    assert_others_play(&path, duration_ms as f64 / 1000.0);
    let sha256 = recording["files"][0]["sha256"].as_str().unwrap();
    let summed = Command::new("sha256sum").arg(&path).output().unwrap();
    assert!(text(&summed).starts_with(sha256));
    let part = server.folder.path().join("part");
    let url = format!("http://{}/v1/recordings/{id}/audio", server.http);
    let credentials = format!("{}:{}", support::LOGIN, server.key);
    let got = Command::new("curl")
        .args(["-sS", "-u", &credentials, "-r", "100-199", "-w", "%{http_code}", "-o"])
        .arg(&part)
        .arg(url)
        .output()
        .unwrap();
    assert_eq!(text(&got), "206");
    assert_eq!(fs::read(&part).unwrap(), fs::read(&path).unwrap()[100..200]);
    let waveform = server.get(&format!("/v1/recordings/{id}/waveform?points=50"));
    let data = waveform["data"].as_array().unwrap();
    assert!(data.len() <= 100 && data.iter().any(|value| value.as_i64().unwrap() > 20), "{waveform}");
    assert_eq!(server.curl(&["-X", "DELETE"], &format!("/v1/recordings/{id}")).0, 204);
    let left = fs::read_dir(server.data().join("recordings")).unwrap();
    let left: Vec<_> = left.flat_map(|account| fs::read_dir(account.unwrap().path()).unwrap()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn separate_tracks_hold_one_voice_each_at_one_time() {
    let server = Server::start(CONFIG);
    let mut talk = Talk::begin(&server, "Board");
    let id = start(&server, &json!({"tracks": "separate", "format": "wav", "announce": false}));
    std::thread::sleep(Duration::from_secs(2));
    // Two who come at once are heard at once.
    for hz in [1700.0, 2300.0] {
        let call = talk.call(&server, "Board", hz);
        talk.calls.push(call);
    }
    std::thread::sleep(Duration::from_secs(2));
    // All voices stop in the same tick.
    mute_all(&server);
    std::thread::sleep(Duration::from_millis(500));
    let recording = stop(&server, &id);
    let files = recording["files"].as_array().unwrap();
    assert_eq!(files.len(), 4, "{recording}");
    let ids: Vec<_> = server.participants("Board").iter().map(|one| one["participant_id"].clone()).collect();
    let mut ends = Vec::new();
    let mut lengths = Vec::new();
    for (participant, hz) in ids.iter().zip([TONES[0], TONES[1], 1700.0, 2300.0]) {
        let file = files.iter().find(|file| file["participant_id"] == *participant).expect("its track");
        let path = server.folder.path().join(format!("{hz}.wav"));
        download(&server, &id, file["track"].as_u64().unwrap(), &path);
        let samples = play(&path);
        lengths.push(samples.len());
        let began = begins_ms(&samples, hz);
        let offset_ms = file["offset_ms"].as_u64().unwrap();
        assert!(began as u64 + 40 >= offset_ms, "{hz} Hz: {began} ms, offset {offset_ms} ms");
        let voice = &samples[(began + 300) * 48..(began + 1300) * 48];
        let own = level(voice, hz);
        assert!((own - SPOKEN_DBOV).abs() < 1.0, "{hz} Hz at {own} dBov");
        for other in [TONES[0], TONES[1], 1700.0, 2300.0].into_iter().filter(|other| *other != hz) {
            assert!(level(voice, other) < -60.0, "{other} Hz in the track of {hz} Hz");
        }
        let last = samples.iter().rposition(|sample| sample.unsigned_abs() > 300).expect("a voice");
        ends.push(last as f32 / 48.0);
        assert_others_play(&path, samples.len() as f64 / 48_000.0);
    }
    assert!(lengths.iter().all(|length| *length == lengths[0]), "all have the same length: {lengths:?}");
    let spread =
        ends.iter().copied().fold(f32::MIN, f32::max) - ends.iter().copied().fold(f32::MAX, f32::min);
    assert!(spread <= 20.0, "all were muted at once: {ends:?} ms");
}

#[test]
fn all_are_told_and_who_comes_later_is_heard_when_they_have_been() {
    let server = Server::start(CONFIG);
    let mut talk = Talk::begin(&server, "Board");
    let mut prompts = Prompts::new();
    // While voices are heard an announcement to all is lowered, and hard to find among them.
    mute_all(&server);
    let id = start(&server, &json!({"tracks": "separate"}));
    for call in &talk.calls {
        prompts.wait_for(call, "record.on");
    }
    let late = talk.call(&server, "Board", 1700.0);
    let entered = Instant::now();
    prompts.wait_for(&late, "record.on");
    wait_for("the late one to be heard", || {
        (talk.calls[0].hears_tones(&[1700.0], 600, -30.0) == [true]).then_some(())
    });
    assert!(entered.elapsed() > Duration::from_millis(1200), "the sentence takes longer than that");
    talk.calls.push(late);
    mute_all(&server);
    let recording = stop(&server, &id);
    for call in &talk.calls {
        prompts.wait_for(call, "record.off");
    }
    let participants = recording["participants"].as_array().unwrap();
    assert_eq!(participants.len(), 3, "{recording}");
    assert!(participants.iter().all(|one| one["told_at"].is_string()), "{recording}");
}

#[test]
fn after_a_kill_the_files_play_and_a_reserved_conference_goes_on_with_the_next_part() {
    let config = format!("drain_seconds = 0\n[reservations]\nmin_notice_minutes = 0\n{CONFIG}");
    let mut server = Server::start(&config);
    server.reserve_now("Board");
    wait_for("the conference to be open", || {
        let (_, shown) = server.curl(&[], "/v1/conferences/Board");
        (shown["state"] == "holding").then_some(())
    });
    let talk = Talk::begin(&server, "Board");
    let id = start(&server, &json!({"announce": false}));
    let began = Instant::now();
    std::thread::sleep(Duration::from_millis(3300));
    server.kill_and_restart();
    let recorded_ms = began.elapsed().as_millis() as u64;
    drop(talk);
    let recording = server.get(&format!("/v1/recordings/{id}"));
    assert_eq!(
        (&recording["state"], &recording["end_reason"]),
        (&json!("interrupted"), &json!("interrupted"))
    );
    let duration_ms = recording["duration_ms"].as_u64().unwrap();
    // The restart is among the time, so only a bound from below.
    assert!(duration_ms >= 2300 && duration_ms <= recorded_ms, "{duration_ms} of {recorded_ms} ms");
    let path = server.folder.path().join("mixed.opus");
    download(&server, &id, 1, &path);
    let samples = play(&path);
    for hz in TONES {
        let level = usual_level(&samples[samples.len() - 48_000..samples.len() - 4800], hz);
        assert!((level - SPOKEN_DBOV).abs() < 1.0, "{hz} Hz at {level} dBov in the last second");
    }
    assert_others_play(&path, duration_ms as f64 / 1000.0);
    let _talk = Talk::begin(&server, "Board");
    let next = wait_for("the next part", || {
        let list = server.get("/v1/recordings");
        let next = list["items"].as_array().unwrap().iter().find(|one| one["part"] == 2).cloned();
        next.filter(|next| next["state"] == "running")
    });
    assert_eq!(next["continues"], json!(id));
    wait_for("it to be shown", || {
        let (_, shown) = server.curl(&[], BOARD);
        (shown["recording_id"] == next["id"]).then_some(())
    });
    // A stop by signal completes it.
    assert!(server.terminate().success());
    let folder = server.data().join("recordings");
    let manifest = find_manifest(&folder, next["id"].as_str().unwrap());
    assert_eq!((&manifest["state"], &manifest["part"]), (&json!("finished"), &json!(2)), "{manifest}");
}

#[test]
fn files_play_while_they_are_written_and_as_a_kill_has_left_them() {
    let mut server = Server::start(&format!("drain_seconds = 0\n{CONFIG}"));
    let recordings: Vec<_> = [("Board", "opus"), ("Tea", "wav")]
        .into_iter()
        .map(|(conference, format)| {
            let talk = Talk::begin(&server, conference);
            let body = json!({"format": format, "announce": false}).to_string();
            let path = format!("/v1/conferences/{conference}/recording");
            let (status, answer) = server.curl(&["-X", "POST", "-d", &body], &path);
            assert_eq!(status, 201, "{answer}");
            let id = answer["recording_id"].as_str().unwrap().to_owned();
            (talk, id, format!("mixed.{format}"))
        })
        .collect();
    std::thread::sleep(Duration::from_secs(3));
    for (_, id, file) in &recordings {
        assert_plays_unended(&copy_from_disk(&server, id, file), 2.0);
        let given = server.folder.path().join(file);
        download(&server, id, 1, &given);
        assert_plays_unended(&given, 2.0);
    }
    let goes_on = Instant::now();
    std::thread::sleep(Duration::from_secs(1));
    server.kill();
    let seconds = 2.0 + goes_on.elapsed().as_secs_f64().min(1.0);
    for (_, id, file) in &recordings {
        assert_plays_unended(&copy_from_disk(&server, id, file), seconds);
    }
}

/// A reserved conference of two is being recorded.
fn recorded_and_reserved() -> (Server, Talk, String) {
    let config = format!("drain_seconds = 0\n[reservations]\nmin_notice_minutes = 0\n{CONFIG}");
    let server = Server::start(&config);
    server.reserve_now("Board");
    wait_for("the conference to be open", || {
        let (_, shown) = server.curl(&[], "/v1/conferences/Board");
        (shown["state"] == "holding").then_some(())
    });
    let talk = Talk::begin(&server, "Board");
    let id = start(&server, &json!({"announce": false}));
    (server, talk, id)
}

/// Events of recordings, as `type id reason`.
fn told(server: &Server) -> Vec<String> {
    let events = server.get("/v1/events?limit=500");
    let events = events["items"].as_array().unwrap().iter();
    let of_recordings = events.filter(|event| event["type"].as_str().unwrap().starts_with("recording."));
    let line = |event: &Value| {
        let [kind, reason] = ["type", "reason"].map(|member| event[member].as_str().unwrap_or("-"));
        format!("{kind} {} {reason}", event["data"]["recording_id"].as_str().unwrap_or("-"))
    };
    of_recordings.map(line).collect()
}

#[test]
fn one_that_was_paused_before_a_kill_goes_on_paused_and_records_nothing_until_it_is_resumed() {
    let (mut server, talk, id) = recorded_and_reserved();
    let (status, shown) = server.curl(&["-X", "PATCH", "-d", r#"{"paused": true}"#], BOARD);
    assert_eq!((status, &shown["paused"]), (200, &json!(true)), "{shown}");
    wait_for("it to be told", || told(&server).contains(&format!("recording.paused {id} -")).then_some(()));
    server.kill_and_restart();
    drop(talk);
    let _talk = Talk::begin(&server, "Board");
    let next = wait_for("the next part", || {
        let (status, shown) = server.curl(&[], BOARD);
        (status == 200 && shown["recording_id"].is_string()).then_some(shown)
    });
    assert_eq!(next["paused"], true, "{next}");
    let next = next["recording_id"].as_str().unwrap().to_owned();
    assert!(told(&server).contains(&format!("recording.paused {next} -")));
    // So long would be enough for some pages.
    std::thread::sleep(Duration::from_secs(1));
    let resumed = Instant::now();
    assert_eq!(server.curl(&["-X", "PATCH", "-d", r#"{"paused": false}"#], BOARD).0, 200);
    std::thread::sleep(Duration::from_millis(1500));
    let recording = stop(&server, &next);
    let spoken_ms = resumed.elapsed().as_millis() as u64;
    let duration_ms = recording["duration_ms"].as_u64().unwrap();
    assert!((500..=spoken_ms).contains(&duration_ms), "{duration_ms} of {spoken_ms} ms");
    assert_eq!((&recording["part"], &recording["continues"]), (&json!(2), &json!(id)));
    assert_eq!(recording["pauses"][0]["at_ms"], 0);
}

#[test]
fn one_that_was_stopped_does_not_go_on_after_a_kill_before_its_files_were_complete() {
    let (mut server, talk, id) = recorded_and_reserved();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(server.curl(&["-X", "DELETE"], BOARD).0, 204);
    wait_for("it to be told", || told(&server).contains(&format!("recording.stopped {id} -")).then_some(()));
    wait_until_over(&server, &id);
    server.kill();
    drop(talk);
    // As if the kill had come before: its files were not even noted to be over.
    let folder = server.data().join("recordings");
    let mut manifest = find_manifest(&folder, &id);
    manifest["state"] = json!("running");
    for member in ["end_reason", "ended_at_ms"] {
        manifest.as_object_mut().unwrap().remove(member);
    }
    let account = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    fs::write(account.join(&id).join("manifest.json"), manifest.to_string()).unwrap();
    server.start_again();
    assert_eq!(server.get(&format!("/v1/recordings/{id}"))["end_reason"], "interrupted");
    // It would have begun with the conference.
    let talk = Talk::begin(&server, "Board");
    assert_eq!(server.curl(&[], BOARD).0, 404, "{:?}", told(&server));
    assert_eq!(server.get("/v1/recordings")["items"].as_array().unwrap().len(), 1);
    drop(talk);
}

#[test]
fn one_that_was_complete_before_a_kill_and_not_yet_in_the_database_is_as_its_files_are() {
    let (mut server, talk, id) = recorded_and_reserved();
    std::thread::sleep(Duration::from_secs(1));
    let complete = stop(&server, &id);
    wait_for("it to be told", || told(&server).contains(&format!("recording.stopped {id} -")).then_some(()));
    let waveform = server.get(&format!("/v1/recordings/{id}/waveform"));
    let log = told(&server);
    server.kill();
    drop(talk);
    // As if the kill had come between the manifest and the row.
    let manifest = find_manifest(&server.data().join("recordings"), &id);
    let manifest: plenary_model::RecordingManifest = serde_json::from_value(manifest).unwrap();
    let settings = plenary_model::RecordingSettings { announce: false, ..Default::default() };
    let begun = plenary_model::RecordingManifest::begun(
        id.clone(),
        manifest.account,
        manifest.conference.clone(),
        settings,
        manifest.started_at_ms,
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = plenary_store::Store::open(&server.data()).await.unwrap();
        store.write_recording(&begun).await.unwrap();
        store.close().await;
    });
    server.start_again();
    let after = server.get(&format!("/v1/recordings/{id}"));
    assert_eq!((&after["state"], &after["end_reason"]), (&json!("finished"), &json!("stopped")));
    assert_eq!(after, complete, "length, hashes and all else");
    assert_eq!(server.get(&format!("/v1/recordings/{id}/waveform")), waveform);
    let path = server.folder.path().join("mixed.opus");
    download(&server, &id, 1, &path);
    let summed = Command::new("sha256sum").arg(&path).output().unwrap();
    assert_eq!(text(&summed).split(' ').next(), after["files"][0]["sha256"].as_str());
    assert_eq!(play(&path).len() as u64 / 48, after["duration_ms"].as_u64().unwrap());
    // It is not begun again when the conference goes on, and nothing more is told of it.
    let talk = Talk::begin(&server, "Board");
    assert_eq!(server.curl(&[], BOARD).0, 404, "{:?}", told(&server));
    assert_eq!(server.get("/v1/recordings")["items"].as_array().unwrap().len(), 1);
    assert_eq!(told(&server), log);
    drop(talk);
}

#[test]
fn a_recording_that_was_deleted_just_before_a_kill_is_gone_with_its_files() {
    let mut server = Server::start(&format!("drain_seconds = 0\n{CONFIG}"));
    let talk = Talk::begin(&server, "Board");
    let id = start(&server, &json!({"announce": false}));
    std::thread::sleep(Duration::from_millis(500));
    stop(&server, &id);
    drop(talk);
    server.kill();
    let account = fs::read_dir(server.data().join("recordings")).unwrap().next().unwrap().unwrap().path();
    let owner = plenary_model::AccountId(account.file_name().unwrap().to_str().unwrap().parse().unwrap());
    // As if the kill had come between the database and the disk.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = plenary_store::Store::open(&server.data()).await.unwrap();
        assert!(store.delete_recording(owner, &id, None).await.unwrap());
        store.close().await;
    });
    assert!(account.join(&id).exists());
    server.start_again();
    assert!(!account.join(&id).exists());
    assert_eq!(server.curl(&[], &format!("/v1/recordings/{id}")).0, 404);
    assert_eq!(told(&server).last(), Some(&format!("recording.deleted {id} -")));
}

fn find_manifest(folder: &Path, id: &str) -> Value {
    let of_account = |account: PathBuf| account.join(id).join("manifest.json");
    let accounts = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let path = accounts.map(of_account).find(|path| path.is_file()).expect("it is there");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Starts the server with its recordings on a small disk in memory, which only it sees and which goes with it.
fn small_disk(folder: &Path, options: &str) -> Vec<String> {
    let recordings = folder.join("data/recordings");
    let mounts = format!(
        "mkdir -p '{0}' && mount -t tmpfs -o {options} tmpfs '{0}' && exec \"$@\"",
        recordings.display()
    );
    ["unshare", "--mount", "--map-root-user", "sh", "-c", &mounts, "sh"].map(str::to_owned).to_vec()
}

#[test]
fn a_full_disk_ends_the_recording_with_a_sentence_and_an_event_and_never_the_conference() {
    // 96 kB a second, and 4 kB a second.
    for (format, is_encrypted, size) in [("wav", false, "400k"), ("opus", true, "100k")] {
        let keys = tempfile::NamedTempFile::new().unwrap();
        fs::write(keys.path(), "5a".repeat(32)).unwrap();
        let key_file = match is_encrypted {
            true => format!("key_file = \"{}\"\n", keys.path().display()),
            false => String::new(),
        };
        let server = Server::start_by(&format!("{CONFIG}{key_file}"), |folder| {
            small_disk(folder, &format!("size={size}"))
        });
        let talk = Talk::begin(&server, "Board");
        let id = start(&server, &json!({"format": format}));
        let recording = wait_until_over(&server, &id);
        assert_eq!(
            (&recording["state"], &recording["end_reason"]),
            (&json!("failed"), &json!("storage_full")),
            "{recording}"
        );
        let failed = format!("recording.failed {id} storage_full");
        wait_for("the event", || told(&server).contains(&failed).then_some(()));
        talk.assert_is_heard();
        assert_eq!(server.curl(&[], BOARD).0, 404);
        let duration_ms = recording["duration_ms"].as_u64().unwrap();
        assert!(duration_ms > 2000, "{duration_ms} ms");
        let path = server.folder.path().join(format!("mixed.{format}"));
        download(&server, &id, 1, &path);
        let samples = play(&path);
        assert_eq!(samples.len() as u64 / 48, duration_ms);
        let last = usual_level(&samples[samples.len() - 24_000..], TONES[0]);
        assert!((last - SPOKEN_DBOV).abs() < 1.0, "{last} dBov at the end");
        assert_others_play(&path, duration_ms as f64 / 1000.0);
        // What is deleted makes room for the next.
        assert_eq!(server.curl(&["-X", "DELETE"], &format!("/v1/recordings/{id}")).0, 204);
        start(&server, &json!({"format": format}));
    }
}

/// A program that makes transcripts, for tests: it says what it was given. A broken one fails.
fn transcriber(folder: &Path) -> String {
    let path = folder.join("transcribe");
    let script = r#"
        test -e "$0.broken" && { echo "no model" >&2; exit 3; }
        printf 'WEBVTT\n\nNOTE %s\n\n' "$(nice)"
        grep -o '"conference": "[A-Za-z]*"' "$1"; shift
        for track in "$@"; do sha256sum <"$track"; done
    "#;
    fs::write(&path, script).unwrap();
    format!("[transcripts]\ncommand = [\"sh\", \"{}\"]\n", path.display())
}

#[test]
fn a_transcript_is_made_of_an_encrypted_recording_and_what_failed_is_made_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    fs::write(&keys, "5a".repeat(32)).unwrap();
    fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let broken = folder.path().join("transcribe.broken");
    fs::write(&broken, "").unwrap();
    let config = format!("{CONFIG}key_file = \"{}\"\n{}", keys.display(), transcriber(folder.path()));
    let mut server = Server::start(&config);
    let talk = Talk::begin(&server, "Board");
    let id = start(&server, &json!({"tracks": "separate", "announce": false}));
    std::thread::sleep(Duration::from_secs(2));
    stop(&server, &id);
    drop(talk);
    let of_recording = format!("/v1/recordings/{id}");
    let transcript = format!("{of_recording}/transcript");
    let wait_until = |server: &Server, state: &str| {
        wait_for(&format!("a transcript that is {state}"), || {
            let recording = server.get(&of_recording);
            (recording["transcript"] == state).then_some(recording)
        })
    };
    wait_until(&server, "failed");
    assert!(server.log().contains("no model"), "{}", server.log());
    let (status, answer) = server.curl(&[], &transcript);
    assert_eq!((status, &answer["code"]), (404, &json!("1113")), "{answer}");

    // Nobody hears anything of it on the disk.
    let here = server.data().join("recordings");
    let account = fs::read_dir(&here).unwrap().next().unwrap().unwrap().path();
    for entry in fs::read_dir(account.join(&id)).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "opus") {
            assert!(bytes.starts_with(b"PLENARY\x01") && !bytes.windows(4).any(|part| part == b"OggS"));
        }
    }

    fs::remove_file(&broken).unwrap();
    server.kill_and_restart();
    let recording = wait_until(&server, "ready");
    let url = format!("http://{}{transcript}", server.http);
    let credentials = format!("{}:{}", support::LOGIN, server.key);
    let got = Command::new("curl").args(["-sSf", "-D-", "-u", &credentials]).arg(url).output().unwrap();
    let got = text(&got);
    assert!(got.contains("text/vtt; charset=utf-8") && got.contains("NOTE 19"), "{got}");
    assert!(got.contains(r#""conference": "Board""#), "{got}");
    for (number, file) in (1..).zip(recording["files"].as_array().unwrap()) {
        // What the program was given is the audio that is downloaded.
        assert!(got.contains(file["sha256"].as_str().unwrap()), "{got} {file}");
        let path = folder.path().join(format!("{number}.opus"));
        download(&server, &id, number, &path);
        let heard = play(&path);
        assert!(TONES.iter().any(|hz| (usual_level(&heard[24_000..72_000], *hz) - SPOKEN_DBOV).abs() < 1.0));
    }
    assert!(!here.join("work").exists(), "what was decrypted is deleted");
    assert_eq!(server.curl(&["-X", "DELETE"], &of_recording).0, 204);
    assert!(!account.join(&id).exists());
}

/// A process has ended, be it that nobody has asked how.
fn is_over(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}

#[test]
fn the_program_that_makes_a_transcript_ends_with_its_recording_and_with_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    fs::write(&keys, "5a".repeat(32)).unwrap();
    fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let program = folder.path().join("transcribe");
    let says = folder.path().join("pid");
    fs::write(&program, format!("echo $$ >'{0}.new'; mv '{0}.new' '{0}'; exec sleep 300", says.display()))
        .unwrap();
    let config = format!(
        "drain_seconds = 0\n{CONFIG}key_file = \"{}\"\n[transcripts]\ncommand = [\"sh\", \"{}\"]\n",
        keys.display(),
        program.display()
    );
    let mut server = Server::start(&config);
    let talk = Talk::begin(&server, "Board");
    let work = server.data().join("recordings/work");
    let transcribed = |server: &Server| {
        let id = start(server, &json!({"announce": false}));
        std::thread::sleep(Duration::from_millis(500));
        stop(server, &id);
        let pid = wait_for("the program", || fs::read_to_string(&says).ok());
        fs::remove_file(&says).unwrap();
        assert!(work.join(&id).join("mixed.opus").exists(), "it is given what was decrypted");
        (id, pid.trim().to_owned())
    };
    let (id, process) = transcribed(&server);
    assert_eq!(server.curl(&["-X", "DELETE"], &format!("/v1/recordings/{id}")).0, 204);
    assert!(!work.join(&id).exists(), "it is gone when the answer comes");
    wait_for("the program to end", || is_over(&process).then_some(()));

    let (id, process) = transcribed(&server);
    server.kill();
    drop(talk);
    wait_for("the program to end", || is_over(&process).then_some(()));
    server.start_again();
    // Once more, for the next start makes what was not made. What was left is not what it is given.
    let pid = wait_for("the program", || fs::read_to_string(&says).ok());
    assert!(work.join(&id).exists());
    assert!(server.terminate().success());
    assert!(is_over(pid.trim()) && !work.exists());
}
