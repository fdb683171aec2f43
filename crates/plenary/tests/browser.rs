//! A browser in a conference with a SIP phone: Chromium without a screen, a page of ours with SIP over a secure
//! WebSocket, ICE, DTLS-SRTP, Opus. `make interop` installs it.
#![allow(missing_docs)]

mod support;

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use support::{Phone, Server, certificate, wait_for};
use tempfile::TempDir;

const PAGE: &str = include_str!("browser/page.html");

const LEVELS: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";

/// What the page said last, and what it is to do next.
#[derive(Default)]
struct Talk {
    said: Value,
    to_do: Option<String>,
}

/// Chromium with our page, which speaks a tone and measures what it hears.
struct Browser {
    child: Child,
    talk: Arc<Mutex<Talk>>,
    stop: Arc<AtomicBool>,
    folder: TempDir,
}

impl Browser {
    /// `uri`: whom it calls, over `wss://{https}/sipproxy`; `hz`: what it speaks; `tones`: what it looks for.
    fn call(https: &str, uri: &str, token: &str, hz: u32, tones: &[u32]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let voice = folder.path().join("voice.wav");
        support::write_tone(&voice, hz, 48_000, 1);
        let talk = Arc::new(Mutex::new(Talk::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let page = listener.local_addr().unwrap();
        {
            let (talk, stop) = (talk.clone(), stop.clone());
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let talk = talk.clone();
                    // A browser opens connections ahead and leaves them idle.
                    std::thread::spawn(move || serve(stream.unwrap(), &talk));
                }
            });
        }
        let tones: Vec<String> = tones.iter().map(ToString::to_string).collect();
        let url = format!(
            "http://{page}/?ws={}&uri={}&from=tone{hz}&token={token}&tones={}",
            escaped(&format!("wss://{https}/sipproxy")),
            escaped(uri),
            tones.join(",")
        );
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--ignore-certificate-errors",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                "--autoplay-policy=no-user-gesture-required",
                "--allow-loopback-in-peer-connection",
                "--disable-features=WebRtcHideLocalIpsWithMdns",
                "--enable-logging=stderr",
                "--proxy-server=direct://",
            ])
            .arg(format!("--use-file-for-fake-audio-capture={}", voice.display()))
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg(url)
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("chromium is installed (make interop does that)");
        Self { child, talk, stop, folder }
    }

    fn said(&self) -> Value {
        self.talk.lock().unwrap().said.clone()
    }

    fn tell(&self, what: &str) {
        self.talk.lock().unwrap().to_do = Some(what.to_owned());
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.path().join("log")).unwrap_or_default())
            .into_owned()
    }

    /// Waits until the page says so.
    #[track_caller]
    fn wait_until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let began = std::time::Instant::now();
        loop {
            let said = self.said();
            if is_so(&said) {
                return said;
            }
            assert!(
                began.elapsed() < Duration::from_secs(40),
                "waited in vain for {what}: {}\n{}",
                serde_json::to_string_pretty(&said).unwrap(),
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until it hears just this of the tones that it looks for: what it hears is 30 dB above the others.
    #[track_caller]
    fn wait_to_hear(&self, hz: u32, others: &[u32]) {
        self.wait_until(&format!("{hz} Hz"), |said| {
            let level = |hz: u32| said["levels"][hz.to_string()].as_f64();
            level(hz).is_some_and(|heard| {
                heard > -40.0 && others.iter().all(|other| level(*other).is_some_and(|l| l < heard - 30.0))
            })
        });
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        support::signal(self.child.id(), "TERM");
        for _ in 0..50 {
            if self.child.try_wait().unwrap().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Gives the page out, takes its reports.
fn serve(stream: TcpStream, talk: &Mutex<Talk>) {
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let (mut length, mut first) = (0, String::new());
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line == "\r\n" => break,
                Ok(_) if first.is_empty() => first = line,
                Ok(_) => {
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                }
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let (kind, answer) = if first.starts_with("POST /report") {
            let mut talk = talk.lock().unwrap();
            talk.said = serde_json::from_slice(&body).unwrap();
            ("text/plain", talk.to_do.take().unwrap_or_default())
        } else if first.starts_with("GET /?") {
            ("text/html", PAGE.to_owned())
        } else {
            ("text/plain", String::new())
        };
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", answer.len());
        if writer.write_all((head + &answer).as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn a_browser_hears_a_sip_phone_and_is_heard_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let tls = certificate(folder.path());
    let server = Server::start(&format!("https = \"127.0.0.1:0\"\n{tls}[signalling]\ntrusted = []\n"));
    server.put_service(
        "web",
        r#"{"access": {"tokens": true}, "srtp": "required", "conference": {"name": "Web"}}"#,
    );
    server.put_service("desk", r#"{"access": {"networks": ["127.0.0.0/8"]}, "conference": {"name": "Web"}}"#);
    let (status, made) = server.curl(&["-d", r#"{"service": "web", "seconds": 300}"#], "/service/v1/token");
    assert!(matches!(status, 200 | 201), "{made}");
    let token = made["token"].as_str().unwrap();

    let mut phone = Phone::call(&server.uri("desk"), 500, "PCMU");
    server.wait_for_participants("Web", 1);
    let browser =
        Browser::call(&server.https, "sip:web@conference.invalid;transport=tcp", token, 1100, &[500, 1100]);
    let up = browser.wait_until("the call", |said| said["state"] == "up");
    assert_eq!(up["turn"], serde_json::json!([]), "it asked for servers that help with ICE");
    // It offers to say how loud each packet is (RFC 6464), and does so.
    let agreed = |line: &str| line.starts_with("a=extmap:") && line.ends_with(&format!("/recvonly {LEVELS}"));
    assert!(up["remote"].as_str().unwrap().lines().any(agreed), "{up}");
    assert_eq!(up["extensions"], serde_json::json!([LEVELS]));
    let ids = server.wait_for_participants("Web", 2);
    browser.wait_to_hear(500, &[1100]);
    support::assert_hears_little_else(&phone, &[1100], &[500, 1100], -50.0);
    let shown = server.get("/service/v1/conference/Web/participants");
    assert_eq!(shown[1]["statistics"]["codec"], "opus", "{shown}");
    assert!(shown[1]["statistics"]["srtp"].is_string(), "{shown}");

    // It asks for consent to be sent to every few seconds (RFC 7675), and is without it for a while where it gets no
    // answer for five.
    for _ in 0..8 {
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(browser.said()["ice"], "connected");
    }
    browser.wait_to_hear(500, &[1100]);

    // Held, it hears nothing and is not heard.
    browser.tell("hold");
    browser.wait_until("silence", |said| said["levels"]["500"].as_f64().is_some_and(|level| level < -80.0));
    support::assert_hears_little_else(&phone, &[], &[500, 1100], -50.0);
    browser.tell("resume");
    browser.wait_to_hear(500, &[1100]);
    support::assert_hears_little_else(&phone, &[1100], &[500, 1100], -50.0);

    let eject = format!("/conference_participant_eject?conference_name=Web&participant_id={}", ids[1]);
    server.get(&eject);
    browser.wait_until("the end", |said| said["state"] == "over");
    server.wait_for_participants("Web", 1);
    phone.hang_up();
    wait_for("the conference to be gone", || {
        (server.get("/conference_list") == serde_json::json!([])).then_some(())
    });
}

#[test]
fn a_browser_hangs_up_and_one_that_may_not_call_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tls = certificate(folder.path());
    let server = Server::start(&format!("https = \"127.0.0.1:0\"\n{tls}"));
    server.put_service("keys", r#"{"conference": {"name": "Web", "participant": {"mute_digit": "5"}}}"#);
    server.put_service("closed", r#"{"access": {"networks": []}, "conference": {"name": "Closed"}}"#);
    let browser = Browser::call(&server.https, "sip:keys@conference.invalid", "", 1100, &[500]);
    browser.wait_until("the call", |said| said["state"] == "up" && said["connection"] == "connected");
    server.wait_for_participants("Web", 1);
    // A key that mutes (RFC 4733).
    browser.tell("key 5");
    wait_for("the key", || (server.participants("Web")[0]["muted"] == true).then_some(()));
    browser.tell("hang up");
    browser.wait_until("the end", |said| said["state"] == "over");
    wait_for("the conference to be gone", || {
        (server.get("/conference_list") == serde_json::json!([])).then_some(())
    });
    let stranger = Browser::call(&server.https, "sip:closed@conference.invalid", "", 1100, &[500]);
    stranger.wait_until("the refusal", |said| {
        said["state"].as_str().is_some_and(|s| s.starts_with("refused 403"))
    });
}
