//! The event log of real calls: what is told entry by entry, followed live, and closed after a kill.
#![allow(missing_docs)]

mod support;

use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};
use support::{Server, free_port, talk::Talk, wait_for};

/// All of the log.
fn log(server: &Server) -> Vec<Value> {
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = server.get(&format!("/v1/events?after={after}&limit=50"));
        events.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => return events,
        }
    }
}

fn wait_for_event(server: &Server, kind: &str) -> Value {
    wait_for(kind, || log(server).into_iter().find(|event| event["type"] == kind))
}

/// `type actor reason`, and the participant by when it came: a, b …
fn lines(events: &[Value]) -> Vec<String> {
    let mut names = BTreeMap::new();
    let mut name = |id: &Value| {
        let Some(id) = id.as_str() else { return "-".to_owned() };
        let next = (b'a' + names.len() as u8) as char;
        names.entry(id.to_owned()).or_insert(next).to_string()
    };
    let line = |event: &Value| {
        let who = name(&event["participant_id"]);
        let (kind, actor) = (event["type"].as_str().unwrap(), event["actor"]["kind"].as_str().unwrap());
        format!("{kind} {who} {actor} {}", event["reason"].as_str().unwrap_or("-"))
    };
    events.iter().map(line).collect()
}

fn assert_numbered_without_gaps(events: &[Value]) {
    let numbers: Vec<i64> = events.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>());
}

/// What the log says of who is where, replayed: participants by conference, and conferences that are open.
fn replay(events: &[Value]) -> BTreeMap<String, BTreeSet<String>> {
    let mut open: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in events {
        let conference = event["conference"].as_str().unwrap_or_default().to_owned();
        let who = event["participant_id"].as_str().unwrap_or_default().to_owned();
        match event["type"].as_str().unwrap() {
            "conference.created" => assert!(open.insert(conference, BTreeSet::new()).is_none(), "{event}"),
            "conference.ended" => {
                assert_eq!(open.remove(&conference).map(|left| left.len()), Some(0), "{event}");
            }
            "participant.entered" => {
                assert!(open.values().all(|inside| !inside.contains(&who)), "entered twice: {event}");
                assert!(open.get_mut(&conference).unwrap().insert(who), "{event}");
            }
            "participant.moved" => {
                let from = event["data"]["from_conference"].as_str().unwrap();
                assert!(open.get_mut(from).unwrap().remove(&who), "{event}");
                open.get_mut(&conference).unwrap().insert(who);
            }
            "participant.left" => {
                assert!(open.get_mut(&conference).unwrap().remove(&who), "left and was not in: {event}");
            }
            _ => {}
        }
    }
    open
}

fn shown(server: &Server) -> BTreeMap<String, BTreeSet<String>> {
    let conferences = server.get("/v1/conferences");
    let open = conferences["items"].as_array().unwrap().iter().filter(|one| one["state"] != "reserved");
    open.map(|one| {
        let name = one["name"].as_str().unwrap();
        let inside = server.participants(name);
        let ids = inside.iter().map(|one| one["participant_id"].as_str().unwrap().to_owned());
        (name.to_owned(), ids.collect())
    })
    .collect()
}

/// What a program prints, line by line.
fn lines_of(output: ChildStdout) -> Receiver<String> {
    let (send, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// curl that follows the events.
struct Follower {
    child: Child,
    lines: Receiver<String>,
}

impl Follower {
    fn start(server: &Server, query: &str) -> Self {
        let mut child = Command::new("curl")
            .args(["-sS", "-N", "-H", "Accept: text/event-stream", "-u"])
            .arg(format!("{}:{}", support::LOGIN, server.key))
            .arg(format!("http://{}/v1/events{query}", server.http))
            .stdout(Stdio::piped())
            .spawn()
            .expect("curl is installed (make test does that)");
        let lines = lines_of(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Reads until an event of this type comes, and gives all of its kind that came.
    fn until(&self, kind: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(20)).expect("the stream goes on");
            if let Some(data) = line.strip_prefix("data: ") {
                let event: Value = serde_json::from_str(data).unwrap();
                let is_last = event["type"] == kind;
                events.push(event);
                if is_last {
                    return events;
                }
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_conference_is_told_entry_by_entry_and_live() {
    let server = Server::start("");
    let follower = Follower::start(&server, "?after=0&topics=room:Board,levels");
    let mut talk = Talk::begin(&server, "Board");
    let ids = server.wait_for_participants("Board", 2);
    let post = |path: &str, body: &str| {
        let (status, answer) = server.curl(&["-X", "POST", "-d", body], path);
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    };
    post("/v1/conferences/Board/mute", r#"{"muted": true}"#);
    let change = |body: &str| {
        let path = format!("/v1/conferences/Board/participants/{}", ids[1]);
        let (status, answer) = server.curl(&["-X", "PATCH", "-d", body], &path);
        assert_eq!(status, 200, "{answer}");
    };
    change(r#"{"muted": false}"#);
    change(r#"{"held": true}"#);
    change(r#"{"held": false, "display_name": "Anna"}"#);
    let (status, _) = server.curl(&["-X", "PATCH", "-d", r#"{"locked": true}"#], "/v1/conferences/Board");
    assert_eq!(status, 200);
    let playing = post("/v1/conferences/Board/playbacks", r#"{"to": "all", "play": ["tone:440/200"]}"#);
    let played = wait_for_event(&server, "playback.ended");
    assert_eq!(played["data"]["playback_id"], playing["playback_id"]);
    talk.calls.pop().unwrap().hang_up();
    wait_for_event(&server, "participant.left");
    let (status, _) = server.curl(&["-X", "DELETE"], "/v1/conferences/Board");
    assert_eq!(status, 204);
    wait_for_event(&server, "conference.ended");

    let events = log(&server);
    assert_numbered_without_gaps(&events);
    let told = lines(&events);
    let expected = [
        "conference.created - participant -",
        "participant.entered a participant -",
        "participant.entered b participant -",
        "conference.started - participant -",
        "participant.muted a key -",
        "participant.muted b key -",
        "participant.unmuted b key -",
        "participant.held b key -",
        "participant.resumed b key -",
        "participant.changed b key -",
        "conference.locked - key -",
        "playback.started - key -",
        "playback.ended - system -",
        "participant.left b participant hung_up",
        "conference.stopped - participant -",
        "participant.left a key ended",
        "conference.ended - key ended",
    ];
    assert_eq!(told, expected);
    assert_eq!(events[9]["data"], json!({"display_name": "Anna"}));
    assert!(events[1]["data"]["from"].is_string() && events[1]["data"]["direction"] == "in", "{}", events[1]);
    assert!(replay(&events).is_empty());

    // The same live, with what is not kept among it.
    let live = follower.until("conference.ended");
    let (kept, passing): (Vec<Value>, Vec<Value>) =
        live.into_iter().partition(|event| event.get("seq").is_some());
    assert_eq!(kept, events);
    assert!(passing.iter().any(|event| event["type"] == "participant.talking"), "{passing:?}");
    // All were muted soon; who is heard meanwhile or after is measured.
    let levels = passing.iter().filter(|event| event["type"] == "levels" && event["conference"] == "Board");
    let level = |event: &Value| ids.iter().find_map(|id| event["data"]["levels_dbov"][id].as_f64());
    let levels: Vec<f64> = levels.filter_map(level).collect();
    assert!(levels.iter().any(|level| (-25.0..-13.0).contains(level)), "{passing:?}");
}

#[test]
fn after_a_kill_the_log_replayed_is_what_the_server_shows() {
    let config =
        "drain_seconds = 0\n[reservations]\nmin_notice_minutes = 0\n[recordings]\nkeep_free_bytes = 0\n";
    let mut server = Server::start(config);
    server.reserve_now("Board");
    wait_for_event(&server, "reservation.started");
    let board = Talk::begin(&server, "Board");
    let tea = Talk::begin(&server, "Tea");
    let record =
        server.curl(&["-X", "POST", "-d", r#"{"announce": false}"#], "/v1/conferences/Tea/recording");
    assert_eq!(record.0, 201, "{}", record.1);
    wait_for("all to be told", || {
        let entered = log(&server).into_iter().filter(|event| event["type"] == "participant.entered");
        (entered.count() == 4).then_some(())
    });
    wait_for_event(&server, "recording.started");
    assert_eq!(replay(&log(&server)), shown(&server));
    let before = log(&server).len();
    server.kill_and_restart();
    drop((board, tea));
    let events = log(&server);
    assert_numbered_without_gaps(&events);
    let since: BTreeSet<String> = lines(&events[before..])
        .iter()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            format!("{} {}", words[0], words[3])
        })
        .collect();
    assert_eq!(
        since.into_iter().collect::<Vec<_>>(),
        [
            "conference.created -",
            "conference.ended interrupted",
            "conference.stopped interrupted",
            "participant.left interrupted",
            "recording.stopped interrupted",
        ]
    );
    let open = replay(&events);
    assert_eq!(open, shown(&server));
    assert_eq!(open.keys().collect::<Vec<_>>(), ["Board"], "the reserved one goes on");
    // Who follows goes on from where it was.
    let follower = Follower::start(&server, &format!("?after={before}"));
    let again = Talk::begin(&server, "Tea");
    let live = follower.until("conference.started");
    let kept: Vec<&Value> = live.iter().filter(|event| event.get("seq").is_some()).collect();
    assert_eq!(kept[0]["seq"], json!(before + 1));
    drop(again);
    // A stop by signal closes what calls have begun, with its own reason.
    assert!(server.terminate().success());
}

/// A process that was killed keeps the lease of a webhook for a minute.
const EVENTS_COME_WITHIN: Duration = Duration::from_secs(90);

/// The receiver of `examples/`, and what it prints: a number, a type, a conference and a participant.
struct Hook {
    child: Child,
    port: u16,
    lines: Receiver<String>,
}

impl Hook {
    fn start(secret: &str, port: u16) -> Self {
        let program =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/webhook-receiver/receiver.py");
        let mut child = Command::new(program)
            .arg(port.to_string())
            .env("PLENARY_WEBHOOK_SECRET", secret)
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python 3 is installed");
        let lines = lines_of(child.stdout.take().unwrap());
        let first = lines.recv_timeout(Duration::from_secs(20)).unwrap();
        let port = first.strip_prefix("listening on port ").unwrap().parse().unwrap();
        Self { child, port, lines }
    }

    /// The numbers of events up to one of this type.
    fn until(&self, kind: &str) -> Vec<i64> {
        let mut numbers = Vec::new();
        loop {
            let line = self.lines.recv_timeout(EVENTS_COME_WITHIN).expect("events come");
            let words: Vec<&str> = line.split(' ').collect();
            numbers.push(words[0].parse().unwrap_or(0));
            if words[1] == kind {
                return numbers;
            }
        }
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_receiver_of_the_examples_gets_every_event_once_through_kills_of_either_side() {
    let mut server = Server::start("drain_seconds = 0\n[webhooks]\nallow = [\"127.0.0.1/32\"]\n");
    let probe = free_port();
    let body = json!({"url": format!("http://127.0.0.1:{probe}/events"), "events": ["conference.*", "participant.*"]});
    let (status, made) = server.curl(&["-X", "PUT", "-d", &body.to_string()], "/v1/webhooks/hook");
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().unwrap();
    let mut hook = Hook::start(secret, probe);
    assert_eq!(hook.port, probe);
    let talk = Talk::begin(&server, "Board");
    let mut numbers = hook.until("conference.started");
    // What it has answered does not come again; nobody takes what comes now.
    wait_for("the answers to be there", || {
        let (_, shown) = server.curl(&[], "/v1/webhooks/hook");
        (shown["status"]["sent_up_to"].as_i64()? >= *numbers.last()?).then_some(())
    });
    drop(hook);
    let (status, _) = server.curl(&["-X", "POST", "-d", r#"{"muted": true}"#], "/v1/conferences/Board/mute");
    assert_eq!(status, 200);
    wait_for("a try that failed", || {
        let (_, shown) = server.curl(&[], "/v1/webhooks/hook");
        (shown["status"]["failures"].as_i64()? > 0).then_some(())
    });
    server.kill_and_restart();
    drop(talk);
    hook = Hook::start(secret, probe);
    numbers.extend(hook.until("conference.ended"));
    let wanted = log(&server).into_iter().filter(|event| {
        let kind = event["type"].as_str().unwrap();
        kind.starts_with("conference.") || kind.starts_with("participant.")
    });
    assert_eq!(numbers, wanted.map(|event| event["seq"].as_i64().unwrap()).collect::<Vec<_>>());
    // Another secret is refused, and the old one is good for a while.
    let (status, rotated) =
        server.curl(&["-X", "POST", "-d", r#"{"overlap_h": 1}"#], "/v1/webhooks/hook/secret");
    assert_eq!(status, 200, "{rotated}");
    let test = |state: &str| {
        let (status, tested) = server.curl(&["-X", "POST"], "/v1/webhooks/hook/test");
        assert_eq!((status, &tested["state"]), (200, &json!(state)), "{tested}");
    };
    test("delivered");
    drop(hook);
    let hook = Hook::start("whsec_AAAA", probe);
    test("failed");
    drop(hook);
    let _hook = Hook::start(rotated["secret"].as_str().unwrap(), probe);
    test("delivered");
}
