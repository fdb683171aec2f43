//! A running Plenary, and the programs that call and command it: curl, baresip, SIPp.
//!
//! Everything listens on free ports of loopback and is ended by its process id.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::print_stderr)]

pub mod entry;
pub mod peer;
pub mod prompts;
pub mod talk;

pub use plenary_testing::ports::free_port;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub const LOGIN: &str = "1-2-0/bob@example.com";

/// The binary under test.
pub fn plenary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_plenary"))
}

/// A server of its own data folder.
pub struct Server {
    child: Child,
    pub http: String,
    pub sip: String,
    /// Where TLS is listened on; empty where it is not.
    pub sips: String,
    pub https: String,
    pub key: String,
    pub folder: TempDir,
    /// What the server is started by: `unshare`, `env`, … with their arguments.
    wrapper: Vec<String>,
}

impl Server {
    /// Starts with these lines of configuration, and makes an account and the service `conf-*`.
    pub fn start(config: &str) -> Self {
        Self::start_by(config, |_| Vec::new())
    }

    /// The same by way of another program, which must become it (by exec): the process id is the server's. The program and
    /// its arguments come from the server's folder.
    pub fn start_by(config: &str, wrapper: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let file = folder.path().join("plenary.toml");
        fs::write(&file, config).unwrap();
        let created = plenary()
            .args(["account", "create", LOGIN, "--data"])
            .arg(&data)
            .arg("--config")
            .arg(&file)
            .output()
            .unwrap();
        assert!(created.status.success(), "{}", text(&created));
        let key = String::from_utf8(created.stdout).unwrap().lines().last().unwrap().to_owned();
        let wrapper = wrapper(folder.path());
        let Serving { child, http, https, sip, sips } = serve(folder.path(), &wrapper);
        let server = Self { child, http, https, sip, sips, key, folder, wrapper };
        server.put_service("conf-*", r#"{"conference": {"name": "{rest}"}}"#);
        server
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As a power cut would end it, and then another process on the same data.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.start_again();
    }

    /// As a power cut would end it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// After [`Self::kill`]: another process on the same data.
    pub fn start_again(&mut self) {
        let Serving { child, http, https, sip, sips } = serve(self.folder.path(), &self.wrapper);
        (self.child, self.http, self.https, self.sip, self.sips) = (child, http, https, sip, sips);
    }

    /// Asks it to stop, and waits until it has.
    pub fn terminate(&mut self) -> std::process::ExitStatus {
        signal(self.child.id(), "TERM");
        let child = &mut self.child;
        wait_for("the server to stop", || child.try_wait().unwrap())
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// A request by curl, with our account's credentials: status and body.
    pub fn curl(&self, arguments: &[&str], path: &str) -> (u16, Value) {
        let credentials = format!("{LOGIN}:{}", self.key);
        self.curl_as(&credentials, arguments, path)
    }

    pub fn curl_as(&self, credentials: &str, arguments: &[&str], path: &str) -> (u16, Value) {
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "20", "-g", "-w", "\n%{http_code}", "-u", credentials])
            .args(["-H", "Content-Type: application/json"].iter().filter(|_| arguments.contains(&"-d")))
            .args(arguments)
            .arg(format!("http://{}{path}", self.http))
            .output()
            .expect("curl is installed (make test does that)");
        assert!(output.status.success(), "curl: {}", text(&output));
        let answer = String::from_utf8(output.stdout).unwrap();
        let (body, status) = answer.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let (status, body) = self.curl(&[], path);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    #[track_caller]
    pub fn put_service(&self, name: &str, body: &str) {
        let (status, answer) = self.curl(&["-X", "PUT", "-d", body], &format!("/service/v1/inbound/{name}"));
        assert!(matches!(status, 200 | 201), "{status} {answer}");
    }

    /// Reserves from the current minute on (the configuration must allow that); the token.
    #[track_caller]
    pub fn reserve_now(&self, name: &str) -> String {
        // A start is a whole second that must not have passed when the request is there; it is rounded down to a minute that has
        // begun, unless that is the next one.
        let is_late = |now: jiff::Timestamp| now.subsec_millisecond() > 700 || now.as_second() % 60 == 59;
        while is_late(jiff::Timestamp::now()) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1);
        let start = soon.strftime("%Y-%m-%d_%H:%M:%S");
        let created = self.get(&format!(
            "/conference_reservation_create?conference_name={name}&max_participants=40&start_time={start}&duration=30"
        ));
        created["reservation_token"].as_str().unwrap().to_owned()
    }

    pub fn participants(&self, conference: &str) -> Vec<Value> {
        let (status, body) =
            self.curl(&[], &format!("/conference_participant_list?conference_name={conference}"));
        if status == 200 { body["participants"].as_array().unwrap().clone() } else { Vec::new() }
    }

    /// Waits until this many are in; their ids, in the order in which they entered.
    #[track_caller]
    pub fn wait_for_participants(&self, conference: &str, count: usize) -> Vec<String> {
        let ids = wait_for(&format!("{count} participants in {conference}"), || {
            let list = self.participants(conference);
            (list.len() == count).then_some(list)
        });
        ids.iter().map(|party| party["participant_id"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until a call is on record with its dialog, which is written behind the call's back: a server that starts after a crash
    /// knows it from there. A copy is looked at, for the server has the folder; one that was made during a write is made again.
    pub fn wait_for_recorded_dialog(&self) {
        let copy = self.folder.path().join("copy-of-data");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        wait_for("a call's dialog to be on record", || {
            let _ = fs::remove_dir_all(&copy);
            let is_copied =
                Command::new("cp").arg("-r").arg(self.data()).arg(&copy).status().unwrap().success();
            let dialogs = runtime.block_on(async {
                let store = plenary_store::Store::open(&copy).await.ok()?;
                store.open_dialogs().await.ok()
            });
            (is_copied && dialogs.is_some_and(|dialogs| !dialogs.is_empty())).then_some(())
        });
    }

    pub fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.sip)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Serving {
    child: Child,
    http: String,
    https: String,
    sip: String,
    sips: String,
}

fn serve(folder: &Path, wrapper: &[String]) -> Serving {
    let mut command = match wrapper {
        [] => plenary(),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(plenary().get_program());
            command
        }
    };
    let mut child = command
        .args(["serve", "--http", "127.0.0.1:0", "--sip", "127.0.0.1:0", "--config"])
        .arg(folder.join("plenary.toml"))
        .arg("--data")
        .arg(folder.join("data"))
        .env("PLENARY_LOG", "debug")
        .stdout(Stdio::piped())
        .stderr(fs::OpenOptions::new().create(true).append(true).open(folder.join("server.log")).unwrap())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut after = |label: &str| {
        let mut lines = lines.by_ref().map_while(Result::ok);
        let found = lines.find_map(|line| Some(line.strip_prefix(label)?.trim().to_owned()));
        found.unwrap_or_else(|| {
            panic!("the server did not start:\n{}", fs::read_to_string(folder.join("server.log")).unwrap())
        })
    };
    let web = after("Web services: http://");
    let (http, https) = web.split_once(", https://").unwrap_or((&web, ""));
    let line = after("SIP:");
    let sip = line.split(' ').next().unwrap().to_owned();
    let sips = line.split_once("), ").map_or("", |(_, tls)| tls.split(' ').next().unwrap()).to_owned();
    Serving { child, http: http.to_owned(), https: https.to_owned(), sip, sips }
}

/// Makes a certificate for loopback, and says how to use it in a configuration.
pub fn certificate(folder: &Path) -> String {
    let made =
        plenary().args(["certificate", "localhost", "127.0.0.1", "--out"]).arg(folder).output().unwrap();
    assert!(made.status.success(), "{}", text(&made));
    String::from_utf8(made.stdout).unwrap()
}

/// Looks until it finds something, for at most twenty seconds.
#[track_caller]
pub fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    look_for(look).unwrap_or_else(|| panic!("waited in vain for {what}"))
}

/// The same; `None`: it was not there.
pub fn look_for<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    loop {
        let found = look();
        if found.is_some() || began.elapsed() > Duration::from_secs(20) {
            return found;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
}

pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a program that ends by itself, for at most this long.
pub fn run_within(command: &mut Command, within: Duration) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let pid = child.id();
    let (done, waiting) = mpsc::channel::<()>();
    let guard = std::thread::spawn(move || {
        if waiting.recv_timeout(within) == Err(mpsc::RecvTimeoutError::Timeout) {
            signal(pid, "KILL");
        }
    });
    let output = child.wait_with_output().unwrap();
    let _ = done.send(());
    guard.join().unwrap();
    output
}

/// A baresip that calls, speaks a tone, and writes down what it hears.
pub struct Phone {
    child: Child,
    folder: TempDir,
    pub hz: u32,
}

impl Phone {
    /// `codec` is the one it knows: `PCMU`, `PCMA`, `G722` or `opus`.
    pub fn call(uri: &str, hz: u32, codec: &str) -> Self {
        Self::call_as(uri, hz, codec, "", "")
    }

    /// The same with parameters of its account (`;mediaenc=srtp-mand`) and lines of its configuration.
    pub fn call_as(uri: &str, hz: u32, codec: &str, account: &str, lines: &str) -> Self {
        let account = format!("<sip:tone{hz}@127.0.0.1>;regint=0{account}");
        Self::start(&["-e", &format!("/dial {uri}")], hz, codec, &account, "127.0.0.1:0", lines)
    }

    fn start(dial: &[&str], hz: u32, codec: &str, account: &str, listen: &str, lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        // Baresip converts no sample rates, and speaks stereo in Opus.
        let (rate, channels, codec) = match codec {
            "G722" => (16_000, 1, "G722/16000/1"),
            "opus" => (48_000, 2, "opus/48000/2"),
            law => (8000, 1, law),
        };
        write_tone(&path.join("tone.wav"), hz, rate, channels);
        let modules = "/usr/lib/baresip/modules";
        let config = format!(
            "poll_method epoll\nsip_listen {listen}\naudio_source aufile,{0}/tone.wav\naudio_player aubridge,x\n\
             audio_alert aubridge,x\naudio_channels 1-2\nmodule_path {modules}\nmodule g711.so\nmodule g722.so\nmodule opus.so\nmodule aufile.so\n\
             module aubridge.so\nmodule sndfile.so\nsnd_path {0}\nmodule_tmp account.so\nmodule_app menu.so\n{lines}\n",
            path.display()
        );
        fs::write(path.join("config"), config).unwrap();
        fs::write(path.join("accounts"), format!("{account};audio_codecs={codec}\n")).unwrap();
        fs::write(path.join("contacts"), "").unwrap();
        let log = fs::File::create(path.join("log")).unwrap();
        let child = Command::new("baresip")
            .arg("-f")
            .arg(path)
            .args(dial)
            .args(["-t", "90"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("baresip is installed (make test does that)");
        Self { child, folder, hz }
    }

    /// One that is called, at the address that comes with it, and answers at once. `account` is its address and parameters,
    /// as baresip writes them.
    pub fn listen(account: &str, hz: u32) -> (Self, String) {
        let address = free_address();
        let phone = Self::start(&[], hz, "PCMU", &format!("{account};answermode=auto"), &address, "");
        (phone.ready(), address)
    }

    /// One that is called at this address and obeys [`Self::command`]; `mode` is how it answers by itself, `auto` or `manual`.
    pub fn listen_at(address: &str, account: &str, hz: u32, mode: &str) -> (Self, String) {
        let control = free_address();
        let lines = format!("module_app ctrl_tcp.so\nctrl_tcp_listen {control}");
        let account = format!("{account};answermode={mode}");
        let phone = Self::start(&[], hz, "PCMU", &account, address, &lines);
        (phone.ready(), control)
    }

    #[track_caller]
    fn ready(self) -> Self {
        let is_ready = look_for(|| self.log().contains("is ready").then_some(()));
        assert!(is_ready.is_some(), "the phone did not get ready:\n{}", self.log());
        self
    }

    /// Does what its user could do: `accept`, `hangup` (which refuses a call that rings), `sndcode` with a key.
    pub fn command(control: &str, command: &str, parameter: &str) {
        let text = format!(r#"{{"command":"{command}","params":"{parameter}"}}"#);
        let mut connection = std::net::TcpStream::connect(control).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // A netstring.
        connection.write_all(format!("{}:{text},", text.len()).as_bytes()).unwrap();
        // Beside the answer it tells of events.
        let (mut answer, mut buffer) = (String::new(), [0; 4096]);
        while !answer.contains(r#""response":true"#) {
            let length = connection.read(&mut buffer).unwrap();
            assert!(length > 0, "{command}: {answer}");
            answer += &String::from_utf8_lossy(&buffer[..length]);
        }
        assert!(answer.contains(r#""ok":true"#), "{command}: {answer}");
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("log")).unwrap_or_default()).into_owned()
    }

    /// What it has heard so far, at the rate of its codec.
    pub fn heard(&self) -> Vec<i16> {
        self.heard_with_rate().0
    }

    fn heard_with_rate(&self) -> (Vec<i16>, u32) {
        let dump = fs::read_dir(self.folder.path())
            .unwrap()
            .filter_map(Result::ok)
            .find(|entry| entry.file_name().to_string_lossy().ends_with("-dec.wav"));
        let Some(dump) = dump else { return (Vec::new(), 8000) };
        read_wav(&dump.path())
    }

    /// The level of a tone in the last 600 ms, in dBov.
    pub fn level(&self, hz: u32) -> f32 {
        let (heard, rate) = self.heard_with_rate();
        let recent = &heard[heard.len().saturating_sub(rate as usize * 6 / 10)..];
        plenary_audio::goertzel::power_dbov(recent, rate, hz as f32)
    }

    pub fn hang_up(&mut self) {
        signal(self.child.id(), "TERM");
        let _ = self.child.wait();
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The first channel of a WAV file that may still be written, and its rate.
pub fn read_wav(path: &Path) -> (Vec<i16>, u32) {
    let bytes = fs::read(path).unwrap();
    let Some(header) = bytes.get(..44) else { return (Vec::new(), 8000) };
    let channels = usize::from(header[22].max(1));
    let rate = u32::from_le_bytes([header[24], header[25], header[26], header[27]]);
    let samples = bytes[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    (samples.step_by(channels).collect(), rate)
}

/// An address of loopback with a port that is free for UDP and TCP, for programs that can't take one themselves.
pub fn free_address() -> String {
    format!("127.0.0.1:{}", free_port())
}

/// Ninety seconds of a tone at -16 dBov.
pub fn write_tone(path: &Path, hz: u32, rate: u32, channels: u16) {
    let samples = plenary_audio::tone::tone(rate, hz as f32, -16.0, 90_000);
    let block = 2 * channels;
    let length = samples.len() as u32 * u32::from(block);
    let mut wav = Vec::with_capacity(44 + length as usize);
    wav.extend(b"RIFF");
    wav.extend((36 + length).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    for number in [1, channels] {
        wav.extend(number.to_le_bytes());
    }
    wav.extend(rate.to_le_bytes());
    wav.extend((rate * u32::from(block)).to_le_bytes());
    for number in [block, 16] {
        wav.extend(number.to_le_bytes());
    }
    wav.extend(b"data");
    wav.extend(length.to_le_bytes());
    for sample in samples {
        (0..channels).for_each(|_| wav.extend(sample.to_le_bytes()));
    }
    fs::write(path, wav).unwrap();
}

/// Who of these hears whom: exactly the tones that are expected, and none of the others.
#[track_caller]
pub fn assert_hears(phone: &Phone, expected: &[u32], all: &[u32]) {
    assert_hears_little_else(phone, expected, all, -55.0);
}

/// The same where codecs leave so much of their own, in dBov.
#[track_caller]
pub fn assert_hears_little_else(phone: &Phone, expected: &[u32], all: &[u32], else_dbov: f32) {
    let began = Instant::now();
    loop {
        let levels: Vec<(u32, f32)> = all.iter().map(|hz| (*hz, phone.level(*hz))).collect();
        let is_right = levels.iter().all(|(hz, level)| {
            if expected.contains(hz) { (-19.0..-13.0).contains(level) } else { *level < else_dbov }
        });
        if is_right {
            return;
        }
        // What it heard before the last change is still in the window for a moment.
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "{} Hz should hear {expected:?} and hears {levels:?}\n{}",
            phone.hz,
            phone.log()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Runs a SIPp scenario of `tests/sipp` against the server; fails with SIPp's own words.
#[track_caller]
pub fn sipp(server: &Server, user: &str, arguments: &[&str]) {
    let output = sipp_output(server, user, arguments);
    assert!(output.status.success(), "SIPp {arguments:?}: {}\n{}", output.status, text(&output));
}

pub fn sipp_output(server: &Server, user: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sipp");
    let arguments: Vec<String> = arguments
        .iter()
        .map(|argument| {
            if argument.ends_with(".xml") {
                scenarios.join(argument).display().to_string()
            } else {
                (*argument).to_owned()
            }
        })
        .collect();
    run_within(
        Command::new("sipp")
            .current_dir(folder.path())
            .env("TERM", "xterm")
            .args([
                "-s",
                user,
                &server.sip,
                "-i",
                "127.0.0.1",
                "-nostdin",
                "-timeout",
                "60s",
                "-timeout_error",
            ])
            .args(&arguments),
        Duration::from_secs(90),
    )
}
