//! Chromium without a screen, with a page of ours that reports to the test and does what the test says.
#![allow(dead_code, missing_docs, unreachable_pub)]

use crate::support;
use serde_json::Value;
use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Component, Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;

/// What the page said last, and what it is to do next.
#[derive(Default)]
struct Talk {
    said: Value,
    to_do: VecDeque<String>,
    /// What it has heard, at 8 kHz, up to [`RECORDED_MAX`] samples.
    heard: Vec<i16>,
    /// How the service behind has answered, and what files were asked for.
    statuses: Vec<u16>,
}

/// Three minutes at 8 kHz: more than any test takes.
const RECORDED_MAX: usize = 180 * 8000;

/// What is given out.
struct Site {
    page: &'static str,
    /// Scripts that the page loads from below `/packages/`.
    packages: Option<PathBuf>,
    /// Whose answers are given out below `/service/`.
    behind: Option<Behind>,
    /// Whose files are given out below `/files/`.
    files: Option<PathBuf>,
    talk: Mutex<Talk>,
}

/// A service as the page reaches it: through the site that the page is of, which has the key.
pub struct Behind {
    pub address: String,
    pub login: String,
    pub key: String,
}

/// Chromium with a page, which speaks a tone and measures what it hears.
pub struct Browser {
    child: Child,
    site: Arc<Site>,
    stop: Arc<AtomicBool>,
    folder: TempDir,
}

impl Browser {
    /// `query`: what the page is to know; `hz`: the tone of the microphone; `flags`: more of Chromium's.
    pub fn open(
        page: &'static str,
        packages: Option<PathBuf>,
        query: &str,
        hz: u32,
        flags: &[String],
    ) -> Self {
        let site = Site { page, packages, behind: None, files: None, talk: Mutex::default() };
        Self::open_site(site, query, hz, flags)
    }

    /// With a page that reaches a service below `/service/`.
    pub fn open_before(page: &'static str, behind: Behind, query: &str) -> Self {
        let site = Site { page, packages: None, behind: Some(behind), files: None, talk: Mutex::default() };
        Self::open_site(site, query, 500, &[])
    }

    /// With a page that reaches the files of a folder below `/files/`.
    pub fn open_beside(page: &'static str, files: PathBuf, query: &str) -> Self {
        let site = Site { page, packages: None, behind: None, files: Some(files), talk: Mutex::default() };
        Self::open_site(site, query, 500, &[])
    }

    fn open_site(site: Site, query: &str, hz: u32, flags: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let voice = folder.path().join("voice.wav");
        support::write_tone(&voice, hz, 48_000, 1);
        let site = Arc::new(site);
        let stop = Arc::new(AtomicBool::new(false));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        {
            let (site, stop) = (site.clone(), stop.clone());
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let site = site.clone();
                    // A browser opens connections ahead and leaves them idle.
                    std::thread::spawn(move || serve(stream.unwrap(), &site));
                }
            });
        }
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
            .args(flags)
            .arg(format!("--use-file-for-fake-audio-capture={}", voice.display()))
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg(format!("http://{address}/?{query}"))
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("chromium is installed (make interop does that)");
        Self { child, site, stop, folder }
    }

    pub fn said(&self) -> Value {
        self.site.talk.lock().unwrap().said.clone()
    }

    /// How the service behind has answered.
    pub fn statuses(&self) -> Vec<u16> {
        self.site.talk.lock().unwrap().statuses.clone()
    }

    pub fn tell(&self, what: &str) {
        self.site.talk.lock().unwrap().to_do.push_back(what.to_owned());
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.path().join("log")).unwrap_or_default())
            .into_owned()
    }

    /// Waits until the page says so.
    #[track_caller]
    pub fn wait_until(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
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

    /// Waits until it hears these of the tones that it looks for and not the others, which are 30 dB below.
    #[track_caller]
    pub fn wait_to_hear_all(&self, tones: &[u32], others: &[u32]) {
        self.wait_until(&format!("{tones:?} Hz"), |said| {
            let level = |hz: &u32| said["levels"][hz.to_string()].as_f64();
            let heard: Option<Vec<f64>> = tones.iter().map(level).collect();
            heard.is_some_and(|heard| {
                let least = heard.iter().copied().fold(0.0, f64::min);
                least > -40.0 && others.iter().all(|other| level(other).is_some_and(|l| l < least - 30.0))
            })
        });
    }

    /// The same for one tone.
    #[track_caller]
    pub fn wait_to_hear(&self, hz: u32, others: &[u32]) {
        self.wait_to_hear_all(&[hz], others);
    }

    /// Ends it as a crash would: without a goodbye.
    pub fn kill(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of a page that records.
impl support::prompts::Recording for Browser {
    fn position(&self) -> u64 {
        self.site.talk.lock().unwrap().heard.len() as u64
    }

    fn recorded_from(&self, position: u64) -> Vec<i16> {
        let talk = self.site.talk.lock().unwrap();
        talk.heard.get(position as usize..).unwrap_or_default().to_vec()
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

pub fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// A script of the packages. Nothing outside of their folder is given out.
fn script(packages: Option<&Path>, path: &str) -> Option<String> {
    let path = Path::new(path);
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    std::fs::read_to_string(packages.filter(|_| is_plain)?.join(path)).ok()
}

/// Gives out what the service behind answers; the connection ends with it.
fn pass_on(behind: &Behind, path: &str, range: &str, writer: &mut TcpStream, site: &Site) {
    let Behind { address, login, key } = behind;
    let credentials = data_encoding::BASE64.encode(format!("{login}:{key}").as_bytes());
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Basic {credentials}\r\n{range}Connection: close\r\n\r\n"
    );
    let mut service = TcpStream::connect(address).unwrap();
    service.write_all(request.as_bytes()).unwrap();
    let mut start = [0; 12];
    service.read_exact(&mut start).unwrap();
    let status = String::from_utf8_lossy(&start[9..]).parse().unwrap();
    site.talk.lock().unwrap().statuses.push(status);
    // The browser may have heard enough.
    let _ = writer.write_all(&start).and_then(|()| std::io::copy(&mut service, writer).map(drop));
}

/// Gives out a file, or the part that was asked for; the connection ends with it.
fn give_file(folder: &Path, name: &str, range: &str, writer: &mut TcpStream, site: &Site) {
    let bytes = std::fs::read(folder.join(name)).unwrap();
    let asked = range.to_ascii_lowercase();
    let asked = asked.trim().strip_prefix("range: bytes=").and_then(|range| range.split_once('-'));
    let (from, to) = asked.map_or((0, bytes.len()), |(from, to)| {
        let to = to.parse::<usize>().map_or(bytes.len(), |last| (last + 1).min(bytes.len()));
        (from.parse::<usize>().unwrap().min(to), to)
    });
    let status = if asked.is_some() { 206 } else { 200 };
    site.talk.lock().unwrap().statuses.push(status);
    let kind = if name.ends_with(".wav") { "audio/wav" } else { "audio/ogg; codecs=opus" };
    let head = format!(
        "HTTP/1.1 {status} OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nAccept-Ranges: bytes\r\n\
         Content-Range: bytes {from}-{}/{}\r\nConnection: close\r\n\r\n",
        to - from,
        to.saturating_sub(1),
        bytes.len()
    );
    // The browser may have heard enough.
    let _ = writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&bytes[from..to]));
}

/// Gives the page out, takes its reports.
fn serve(stream: TcpStream, site: &Site) {
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let (mut length, mut first, mut range) = (0, String::new(), String::new());
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line == "\r\n" => break,
                Ok(_) if first.is_empty() => first = line,
                Ok(_) if line.to_ascii_lowercase().starts_with("range:") => range = line,
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
        let path = first.split(' ').nth(1).unwrap_or_default();
        if let Some((behind, path)) = site.behind.as_ref().zip(path.strip_prefix("/service")) {
            return pass_on(behind, path, &range, &mut writer, site);
        }
        if let Some((files, name)) = site.files.as_ref().zip(path.strip_prefix("/files/")) {
            return give_file(files, name, &range, &mut writer, site);
        }
        let (status, kind, answer) = if first.starts_with("POST /report") {
            let mut talk = site.talk.lock().unwrap();
            talk.said = serde_json::from_slice(&body).unwrap();
            ("200 OK", "text/plain", talk.to_do.pop_front().unwrap_or_default())
        } else if first.starts_with("POST /heard") {
            let heard = &mut site.talk.lock().unwrap().heard;
            let room = RECORDED_MAX - heard.len();
            let samples = body.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
            heard.extend(samples.take(room));
            ("200 OK", "text/plain", String::new())
        } else if path.starts_with("/?") {
            ("200 OK", "text/html", site.page.to_owned())
        } else if let Some(path) = path.strip_prefix("/packages/") {
            match script(site.packages.as_deref(), path) {
                Some(script) => ("200 OK", "text/javascript", script),
                None => ("404 Not Found", "text/plain", String::new()),
            }
        } else {
            ("200 OK", "text/plain", String::new())
        };
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", answer.len());
        if writer.write_all((head + &answer).as_bytes()).is_err() {
            return;
        }
    }
}
