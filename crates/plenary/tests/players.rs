//! Recordings of which the service was killed, as it left them and as the next start has completed them, in players that people use: VLC's
//! library and Chromium. `make interop` installs them.
#![allow(missing_docs)]

#[path = "browser/driver.rs"]
mod driver;
mod support;

use driver::{Behind, Browser, escaped};
use plenary_audio::goertzel::power_dbov;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use support::{
    Server,
    talk::{TONES, Talk},
    text, wait_for,
};

const PAGE: &str = include_str!("browser/player.html");
/// The level at which callers of [`Talk`] speak.
const SPOKEN_DBOV: f32 = -16.0;

/// Two recordings, one of each format, run when the service is killed: the ids, and the files as they were at that moment.
fn kill_while_recording(server: &mut Server) -> Vec<(String, PathBuf)> {
    let talks: Vec<_> = [("Board", "opus"), ("Tea", "wav")]
        .into_iter()
        .map(|(conference, format)| {
            let talk = Talk::begin(server, conference);
            let body = json!({ "announce": false, "format": format }).to_string();
            let path = format!("/v1/conferences/{conference}/recording");
            let (status, answer) = server.curl(&["-X", "POST", "-d", &body], &path);
            assert_eq!(status, 201, "{answer}");
            (talk, answer["recording_id"].as_str().unwrap().to_owned())
        })
        .collect();
    std::thread::sleep(Duration::from_secs(8));
    server.kill();
    let account = fs::read_dir(server.data().join("recordings")).unwrap().next().unwrap().unwrap().path();
    let files = server.folder.path().join("left");
    fs::create_dir_all(&files).unwrap();
    let copied = talks.into_iter().zip(["opus", "wav"]).map(|((_talk, id), format)| {
        let copy = files.join(format!("{id}.{format}"));
        fs::copy(account.join(&id).join(format!("mixed.{format}")), &copy).unwrap();
        (id, copy)
    });
    copied.collect()
}

/// Two recordings, one of each format, that were cut off by a kill: id, and how long they are in milliseconds.
fn cut_off(server: &mut Server) -> Vec<(String, u64)> {
    let left = kill_while_recording(server);
    server.start_again();
    let recordings = left.into_iter().map(|(id, _)| {
        let recording = server.get(&format!("/v1/recordings/{id}"));
        assert_eq!(recording["state"], "interrupted", "{recording}");
        let duration_ms = recording["duration_ms"].as_u64().unwrap();
        assert!(duration_ms > 6000, "{recording}");
        (id, duration_ms)
    });
    recordings.collect()
}

/// How long a file plays in our own decoder, in milliseconds.
fn length_ms(file: &Path) -> u64 {
    let played = plenary_sounds::read_file(file, &plenary_sounds::Limits::UPLOAD).unwrap();
    assert!(played.milliseconds() > 6000, "{}", file.display());
    played.milliseconds()
}

/// Both tones are in the last second, at their levels.
fn assert_heard_at_the_end(samples: &[i16], player: &str) {
    let last = &samples[samples.len() - 48_000..samples.len() - 4800];
    for hz in TONES {
        let mut levels: Vec<_> = last.chunks_exact(4800).map(|piece| power_dbov(piece, 48_000, hz)).collect();
        levels.sort_by(f32::total_cmp);
        let level = levels[levels.len() / 2];
        assert!((level - SPOKEN_DBOV).abs() < 1.0, "{player}: {hz} Hz at {level} dBov");
    }
}

/// VLC's library plays a file, as fast as it can, into another one.
const BY_VLC: &str = r#"
import ctypes, sys, time
vlc = ctypes.CDLL("libvlc.so.5")
for name in ("libvlc_new", "libvlc_media_new_path", "libvlc_media_player_new_from_media"):
    getattr(vlc, name).restype = ctypes.c_void_p
source, target = sys.argv[1:]
options = (ctypes.c_char_p * 2)(b"--quiet", b"--no-video")
instance = ctypes.c_void_p(vlc.libvlc_new(2, options))
media = ctypes.c_void_p(vlc.libvlc_media_new_path(instance, source.encode()))
chain = ":sout=#transcode{acodec=s16l,channels=1,samplerate=48000}:std{access=file,mux=wav,dst=%s}" % target
vlc.libvlc_media_add_option(media, chain.encode())
player = ctypes.c_void_p(vlc.libvlc_media_player_new_from_media(media))
vlc.libvlc_media_player_play(player)
ENDED, ERROR = 6, 7
until = time.monotonic() + 60
while (state := vlc.libvlc_media_player_get_state(player)) not in (ENDED, ERROR):
    assert time.monotonic() < until, "it plays for too long: state %d" % state
    time.sleep(0.05)
vlc.libvlc_media_player_stop(player)
assert state == ENDED, "it cannot be played"
"#;

fn download(server: &Server, id: &str, to: &Path) {
    let url = format!("http://{}/v1/recordings/{id}/audio", server.http);
    let credentials = format!("{}:{}", support::LOGIN, server.key);
    let got =
        Command::new("curl").args(["-sSf", "-u", &credentials, "-o"]).arg(to).arg(url).output().unwrap();
    assert!(got.status.success(), "{}", text(&got));
}

fn assert_vlc_plays(file: &Path, duration_ms: u64) {
    let played = file.with_extension("played.wav");
    let run = Command::new("python3").arg("-c").arg(BY_VLC).arg(file).arg(&played).output().unwrap();
    assert!(run.status.success(), "{}", text(&run));
    let played = plenary_sounds::read_file(&played, &plenary_sounds::Limits::UPLOAD).unwrap();
    let milliseconds = played.milliseconds();
    // Its way into a file leaves out up to a tenth of a second at the end.
    assert!(milliseconds.abs_diff(duration_ms) < 200, "VLC plays {milliseconds} ms of {duration_ms} ms");
    assert_heard_at_the_end(&played.samples, "VLC");
}

const CONFIG: &str = "drain_seconds = 0\n[recordings]\nkeep_free_bytes = 0\n";

#[test]
fn vlc_plays_to_the_last_second_what_a_kill_has_cut_off() {
    let mut server = Server::start(CONFIG);
    for (id, duration_ms) in cut_off(&mut server) {
        let file = server.folder.path().join("recording");
        download(&server, &id, &file);
        assert_vlc_plays(&file, duration_ms);
    }
}

#[test]
fn vlc_plays_what_a_kill_has_left_before_anything_has_completed_it() {
    let mut server = Server::start(CONFIG);
    for (_, file) in kill_while_recording(&mut server) {
        assert_vlc_plays(&file, length_ms(&file));
    }
}

/// It finds the length, goes to the last second, and plays that to the end, in parts that it asks for.
fn assert_chromium_plays(browser: &Browser, duration_ms: u64) {
    let said =
        browser.wait_until("its length", |said| said["duration"].is_number() || said["error"].is_string());
    let duration = said["duration"].as_f64().unwrap_or_else(|| panic!("{said}"));
    assert!((duration - duration_ms as f64 / 1000.0).abs() < 0.06, "{duration} s of {duration_ms} ms");
    let said = browser.wait_until("the end", |said| said["state"] == "ended");
    let at = said["sought"].as_f64().unwrap();
    assert!((at - (duration - 1.2)).abs() < 0.1, "{said}");
    for hz in TONES {
        let level = said["levels"][hz.to_string()].as_f64().unwrap_or_else(|| panic!("{said}"));
        assert!((level - f64::from(SPOKEN_DBOV)).abs() < 3.0, "{hz} Hz at {level} dB: {said}");
    }
    let statuses = browser.statuses();
    assert!(!statuses.is_empty() && statuses.iter().all(|status| *status == 206), "{statuses:?}");
}

#[test]
fn chromium_plays_what_a_kill_has_left_before_anything_has_completed_it() {
    let mut server = Server::start(CONFIG);
    for (_, file) in kill_while_recording(&mut server) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let query = format!("src={}", escaped(&format!("/files/{name}")));
        let browser = Browser::open_beside(PAGE, file.parent().unwrap().to_owned(), &query);
        assert_chromium_plays(&browser, length_ms(&file));
    }
}

#[test]
fn chromium_plays_and_seeks_what_a_kill_has_cut_off() {
    let mut server = Server::start(CONFIG);
    for (id, duration_ms) in cut_off(&mut server) {
        let query = format!("src={}", escaped(&format!("/service/v1/recordings/{id}/audio")));
        let behind = Behind {
            address: server.http.clone(),
            login: support::LOGIN.to_owned(),
            key: server.key.clone(),
        };
        let browser = Browser::open_before(PAGE, behind, &query);
        assert_chromium_plays(&browser, duration_ms);
        wait_for("the recording to be whole still", || {
            let recording: Value = server.get(&format!("/v1/recordings/{id}"));
            (recording["duration_ms"] == duration_ms).then_some(())
        });
    }
}
