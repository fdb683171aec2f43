//! Guests of reservations: the mails that a mail server gets, over restarts and TLS, and calendars as another program reads them.
#![allow(missing_docs)]

mod support;

use serde_json::{Value, json};
use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};
use support::{
    Server, certificate, free_port,
    peer::{Peer, SDP},
    text, wait_for,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

/// A mail as it arrived: the recipient, and the message.
#[derive(Debug, Clone)]
struct Arrived {
    to: String,
    message: String,
    was_protected: bool,
}

/// A mail server for tests (RFC 5321), on a port of loopback.
struct MailServer {
    port: u16,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    _runtime: tokio::runtime::Runtime,
}

impl MailServer {
    /// `tls`: it offers STARTTLS with this certificate and key, and takes mails under it only.
    fn start(port: u16, tls: Option<(&Path, &Path)>) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let acceptor = tls.map(|(chain, key)| {
            let chain: Vec<CertificateDer<'static>> =
                CertificateDer::pem_file_iter(chain).unwrap().map(Result::unwrap).collect();
            let key = PrivateKeyDer::from_pem_file(key).unwrap();
            let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .unwrap();
            TlsAcceptor::from(Arc::new(config))
        });
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", port))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrived = Arc::<Mutex<Vec<Arrived>>>::default();
        let into = arrived.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, into) = (acceptor.clone(), into.clone());
                tokio::spawn(async move {
                    let begun = session(stream, acceptor.is_some(), false, true, &into).await;
                    if let (Some(stream), Some(acceptor)) = (begun, acceptor) {
                        let stream =
                            acceptor.accept(stream).await.expect("the client trusts the certificate");
                        session(stream, false, true, false, &into).await;
                    }
                });
            }
        });
        Self { port, arrived, _runtime: runtime }
    }

    /// Waits until so many have arrived.
    #[track_caller]
    fn wait(&self, count: usize) -> Vec<Arrived> {
        wait_for(&format!("{count} mails"), || {
            let arrived = self.arrived.lock().unwrap().clone();
            (arrived.len() >= count).then_some(arrived)
        })
    }
}

/// One connection; gives back the stream where it goes over to TLS.
async fn session<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    offers_tls: bool,
    is_protected: bool,
    greets: bool,
    into: &Mutex<Vec<Arrived>>,
) -> Option<S> {
    let mut stream = BufReader::new(stream);
    if greets {
        stream.write_all(b"220 mail.example ESMTP\r\n").await.ok()?;
    }
    let mut to = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let command = line.trim().to_ascii_uppercase();
        let answer = match command.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" if offers_tls => "250-mail.example\r\n250 STARTTLS\r\n",
            "EHLO" => "250-mail.example\r\n250 8BITMIME\r\n",
            "STARTTLS" if offers_tls => {
                stream.write_all(b"220 go ahead\r\n").await.ok()?;
                return Some(stream.into_inner());
            }
            "MAIL" if offers_tls => "530 TLS first\r\n",
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                if to.starts_with("nobody@") { "550 no such mailbox\r\n" } else { "250 ok\r\n" }
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                let mut message = String::new();
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).await.ok()?;
                    if line == ".\r\n" {
                        break;
                    }
                    message.push_str(line.strip_prefix('.').unwrap_or(&line));
                }
                let arrived = Arrived { to: to.clone(), message, was_protected: is_protected };
                into.lock().unwrap().push(arrived);
                "250 taken\r\n"
            }
            "QUIT" => {
                let _ = stream.write_all(b"221 bye\r\n").await;
                return None;
            }
            _ => "250 ok\r\n",
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

fn configured(port: u16) -> String {
    format!(
        "[mail]\nhost = \"127.0.0.1\"\nport = {port}\nsecurity = \"none\"\nfrom = \"conferences@example.com\"\n\
         number = \"+44 1908 273800\"\njoin = \"https://conference.example.com/join/conf-{{conference}}\"\n"
    )
}

/// In so many hours, at a full one.
fn ahead(hours: i64) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
    at.strftime("%Y-%m-%dT%H:00:00Z").to_string()
}

#[track_caller]
fn book(server: &Server, guests: &Value) -> String {
    book_of(server, "Board", guests)
}

#[track_caller]
fn book_of(server: &Server, conference: &str, guests: &Value) -> String {
    let body = json!({"conference": conference, "max_participants": 40, "starts_at": ahead(24), "duration_min": 30,
        "title": "Weekly <b>tea</b>", "guests": guests});
    let (status, made) = server.curl(&["-d", &body.to_string()], "/v1/reservations");
    assert_eq!(status, 201, "{made}");
    made["token"].as_str().unwrap().to_owned()
}

/// Header and body without what the transfer encoding adds to long lines.
fn unfolded(message: &str) -> String {
    message.replace("=\r\n", "").replace("\r\n ", "")
}

#[test]
fn guests_get_an_invitation_an_update_and_a_cancellation_with_the_event() {
    let mail = MailServer::start(0, None);
    let server = Server::start(&configured(mail.port));
    let room = json!({"conference": "Board"}).to_string();
    assert_eq!(server.curl(&["-X", "PUT", "-d", &room], "/v1/rooms/1001").0, 201);
    let guests = json!([{"mail": "ann@example.com", "name": "Ann"}, {"mail": "ben@example.com", "language": "de"},
        {"mail": "nobody@example.com"}]);
    let token = book(&server, &guests);
    let mut arrived = mail.wait(2);
    arrived.sort_by(|one, other| one.to.cmp(&other.to));
    let (ann, ben) = (unfolded(&arrived[0].message), unfolded(&arrived[1].message));
    for part in [
        "From: Plenary <conferences@example.com>",
        "METHOD:REQUEST",
        "SEQUENCE:0",
        "multipart/alternative",
        "method=REQUEST",
        "invite.ics",
        "+44 1908 273800",
        "1001",
        "/join/conf-Board",
        "&lt;b&gt;tea",
    ] {
        assert!(ann.contains(part), "{part}: {ann}");
    }
    assert!(ann.contains("Hello Ann,") && ben.contains("Guten Tag,"), "{ann}\n{ben}");
    assert!(!ann.contains("ben@example.com"), "guests do not see each other");
    let uid = |message: &str| {
        message.lines().find(|line| line.starts_with("UID:")).map(str::to_owned).expect("a UID")
    };
    let mails = format!("/v1/reservations/{token}/mails");
    wait_for("the refusal to be known", || {
        let listed = server.get(&mails);
        let states: Vec<&str> =
            listed["items"].as_array()?.iter().map(|one| one["state"].as_str().unwrap()).collect();
        (states == ["sent", "sent", "failed"]).then_some(())
    });
    let change = json!({"duration_min": 60, "guests": guests.as_array().unwrap()[..2]}).to_string();
    let path = format!("/v1/reservations/{token}");
    assert_eq!(server.curl(&["-X", "PATCH", "-d", &change], &path).0, 200);
    let arrived = mail.wait(4);
    let update = arrived[2..].iter().find(|one| one.to == "ann@example.com").expect("an update");
    let update = unfolded(&update.message);
    assert!(update.contains("METHOD:REQUEST") && update.contains("SEQUENCE:1"), "{update}");
    assert_eq!(uid(&update), uid(&ann));
    assert_eq!(server.curl(&["-X", "DELETE"], &path).0, 204);
    let arrived = mail.wait(6);
    let cancelled = arrived[4..].iter().find(|one| one.to == "ann@example.com").expect("a cancellation");
    let cancelled = unfolded(&cancelled.message);
    for part in ["METHOD:CANCEL", "STATUS:CANCELLED", "SEQUENCE:2"] {
        assert!(cancelled.contains(part), "{part}: {cancelled}");
    }
    assert_eq!(uid(&cancelled), uid(&ann));
}

/// The code of the link in a mail.
#[track_caller]
fn code_in(mail: &Arrived) -> String {
    let text = unfolded(&mail.message);
    let (_, rest) = text.split_once("/join/").unwrap_or_else(|| panic!("{text}"));
    rest.chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[test]
fn who_opens_the_link_of_a_mail_is_let_in_while_the_conference_lasts_until_it_is_revoked() {
    let mail = MailServer::start(0, None);
    let join = "https://conference.example.com/join/conf-{conference}";
    let config = configured(mail.port).replace(join, "https://conference.example.com/join/{code}");
    // Loopback is a stranger here, as a guest is.
    let no_trust = "[signalling]\ntrusted = []\n[reservations]\nmin_notice_minutes = 0\n";
    let server = Server::start(&format!("{no_trust}{config}"));
    let service = r#"{"conference": {"name": "{rest}"}, "access": {"networks": [], "tokens": true}}"#;
    server.put_service("conf-*", service);
    let room = json!({"conference": "Board", "pin": "482913"}).to_string();
    assert_eq!(server.curl(&["-X", "PUT", "-d", &room], "/v1/rooms/1001").0, 201);
    let guests = json!([{"mail": "ann@example.com"}]);
    book_of(&server, "Later", &guests);
    let early = code_in(&mail.wait(1)[0]);
    let token = server.reserve_now("Board");
    let path = format!("/v1/reservations/{token}");
    let invite = json!({"guests": guests}).to_string();
    assert_eq!(server.curl(&["-X", "PATCH", "-d", &invite], &path).0, 200);
    let arrived = mail.wait(2);
    let code = code_in(&arrived[1]);
    assert!(arrived[1].message.contains("You receive the PIN for the telephone separately."));

    // What the page asks for: nobody is signed in.
    let open =
        |code: &str| server.curl_as("", &["-d", &json!({"code": code}).to_string()], "/v1/guest-links/open");
    let (status, opened) = open(&code);
    assert_eq!((status, &opened["service"]), (200, &json!("conf-Board")), "{opened}");
    assert_eq!((&opened["room"], &opened["has_pin"]), (&json!("1001"), &json!(true)));
    assert_eq!((&opened["number"], &opened["title"]), (&json!("+44 1908 273800"), &json!("Board")));
    assert_eq!(open(&early).1["service"], "conf-Later");

    // And what it calls with.
    let guest = Peer::new(&server);
    let with = |code: &str| format!("Authorization: Bearer {code}\r\n");
    guest.call("conf-Board", "in", &with(&code));
    server.wait_for_participants("Board", 1);
    let refused = |user: &str, call_id: &str, code: &str, status: &str| {
        let extra = format!("{}Content-Type: application/sdp\r\n", with(code));
        guest.say("INVITE", user, call_id, 1, "", &extra, SDP);
        guest.wait(&format!("SIP/2.0 {status}"));
    };
    refused("conf-Later", "early", &early, "486");
    refused("conf-Later", "wrong", &code, "403");
    let links = server.get(&format!("/v1/guest-links?reservation={token}"))["items"].take();
    assert_eq!(
        (&links[0]["purpose"], &links[0]["guest"]),
        (&json!("mail"), &json!("ann@example.com")),
        "{links}"
    );
    let (status, _) = server.curl(&["-X", "DELETE"], &format!("/v1/guest-links/{}", links[0]["id"]));
    assert_eq!(status, 204);
    refused("conf-Board", "revoked", &code, "401");
    assert_eq!(open(&code).0, 404);
    assert_eq!(server.participants("Board").len(), 1, "who is in stays in");
    for file in ["plenary.db", "plenary.db-wal"] {
        let stored = std::fs::read(server.data().join(file)).unwrap_or_default();
        assert!(
            !stored.windows(code.len()).any(|window| window == code.as_bytes()),
            "only a hash is in {file}"
        );
    }
    assert!(!server.log().contains(&code), "no code is in the log");
}

#[test]
fn a_mail_that_could_not_be_sent_is_sent_after_a_crash() {
    // Nobody listens there yet.
    let port = free_port();
    let mut server = Server::start(&configured(port));
    let token = book(&server, &json!([{"mail": "ann@example.com"}]));
    let mails = format!("/v1/reservations/{token}/mails");
    wait_for("a try to fail", || {
        let listed = server.get(&mails);
        let tried = &listed["items"][0];
        (tried["attempts"] == 1 && tried["state"] == "waiting" && tried["error"].is_string()).then_some(())
    });
    server.kill_and_restart();
    let mail = MailServer::start(port, None);
    let arrived = mail.wait(1);
    assert_eq!(arrived[0].to, "ann@example.com");
    wait_for("it to be written down", || (server.get(&mails)["items"][0]["state"] == "sent").then_some(()));
    assert_eq!(mail.arrived.lock().unwrap().len(), 1, "once");
}

#[test]
fn nothing_is_said_before_tls() {
    let folder = tempfile::tempdir().unwrap();
    let made = certificate(folder.path());
    let file = |key: &str| {
        let line =
            made.lines().find(|line| line.trim_start().starts_with(key)).unwrap_or_else(|| panic!("{made}"));
        line.split('"').nth(1).unwrap().to_owned()
    };
    let (chain, key) = (file("certificate"), file("key"));
    let mail = MailServer::start(0, Some((Path::new(&chain), Path::new(&key))));
    let config = configured(mail.port)
        .replace("security = \"none\"", "security = \"starttls\"")
        .replace("host = \"127.0.0.1\"", "host = \"localhost\"");
    let server = Server::start(&format!("{config}[tls]\nauthorities = \"{chain}\"\n"));
    book(&server, &json!([{"mail": "ann@example.com"}]));
    let arrived = mail.wait(1);
    assert!(arrived[0].was_protected);
}

#[test]
fn without_mail_guests_are_refused_with_the_reason() {
    let server = Server::start("");
    assert_eq!(server.get("/v1/limits")["mail"], false);
    let body = json!({"conference": "Board", "max_participants": 40, "starts_at": ahead(24), "duration_min": 30,
        "guests": [{"mail": "ann@example.com"}]});
    let (status, refused) = server.curl(&["-d", &body.to_string()], "/v1/reservations");
    assert_eq!((status, &refused["code"]), (409, &json!("1142")), "{refused}");
    assert_eq!(refused["errors"][0]["pointer"], "/guests");
}

/// Reads a calendar from its input; prints the moments of all events in UTC, as the rule, the exceptions and the moved dates say.
const READER: &str = r#"
import sys, datetime
from icalendar import Calendar
from dateutil.rrule import rrulestr
from zoneinfo import ZoneInfo
calendar = Calendar.from_ical(sys.stdin.buffer.read())
assert calendar['VERSION'] == '2.0' and calendar['PRODID']
assert not calendar.errors, calendar.errors
assert len(list(calendar.walk('VTIMEZONE'))) == 1
events = list(calendar.walk('VEVENT'))
assert len({str(event['UID']) for event in events}) == 1
for event in events:
    assert not event.errors, event.errors
    assert event['DTSTAMP'] and event['SUMMARY']
zone = ZoneInfo(str(events[0]['DTSTART'].params['TZID']))
utc = lambda at: at.replace(tzinfo=zone).astimezone(datetime.timezone.utc)
naive = lambda at: at.replace(tzinfo=None)
master = next(event for event in events if 'RRULE' in event)
rule = rrulestr(master['RRULE'].to_ical().decode(), dtstart=naive(master['DTSTART'].dt))
dates = list(rule)
without = master.get('EXDATE', [])
for one in without if isinstance(without, list) else [without]:
    for date in one.dts:
        dates.remove(naive(date.dt))
for event in events:
    if 'RECURRENCE-ID' in event:
        dates[dates.index(naive(event['RECURRENCE-ID'].dt))] = naive(event['DTSTART'].dt)
for date in dates:
    print(utc(date).strftime('%Y-%m-%dT%H:%M:%SZ'))
# The zone that is described is the zone that it names.
described = master['DTSTART'].dt
assert described.astimezone(datetime.timezone.utc) == utc(naive(described)), described
"#;

#[test]
fn another_program_reads_the_same_dates_from_the_calendar_of_a_series() {
    let server = Server::start("");
    let year = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year() + 1;
    let limits = server.get("/v1/limits");
    assert!(limits["reservations"]["max_days_ahead"].as_i64().unwrap() >= 366);
    // On the last Sunday of March clocks in Berlin go from two to three.
    let march = jiff::civil::date(year, 3, 1);
    let sunday = march.nth_weekday_of_month(-1, jiff::civil::Weekday::Sunday).unwrap();
    let before = |days: i64| format!("{}T01:30:00Z", sunday - jiff::ToSpan::days(days));
    for (name, repeat, count, start) in [
        // Over the change to daylight saving of the next spring, and the end of a month.
        ("Weeks", "weekly", 6, format!("{year}-03-10T08:30:00Z")),
        ("Months", "monthly", 4, format!("{year}-01-31T09:00:00Z")),
        // At half past two, which one of the dates does not have: it stays, is dropped, is moved.
        ("Stays", "daily", 5, before(3)),
        ("Dropped", "daily", 5, before(2)),
        ("Moved", "daily", 5, before(1)),
    ] {
        let body = json!({"conference": name, "max_participants": 40, "starts_at": start,
            "duration_min": 30, "time_zone": "Europe/Berlin", "repeat": repeat, "count": count});
        let (status, made) = server.curl(&["-d", &body.to_string()], "/v1/series");
        assert_eq!(status, 201, "{made}");
        let dates = made["dates"].as_array().unwrap();
        let token =
            |index: usize| format!("/v1/reservations/{}", dates[index]["reservation"].as_str().unwrap());
        assert_eq!(server.curl(&["-X", "DELETE"], &token(2)).0, 204);
        let at: jiff::Timestamp = dates[1]["starts_at"].as_str().unwrap().parse().unwrap();
        let moved = json!({"starts_at": (at + jiff::SignedDuration::from_mins(45)).to_string()}).to_string();
        assert_eq!(server.curl(&["-X", "PATCH", "-d", &moved], &token(1)).0, 200);
        let shown = server.get(&format!("/v1/series/{}", made["id"]));
        let expected: Vec<&str> = shown["dates"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|date| date["state"] != "dropped")
            .map(|date| date["starts_at"].as_str().unwrap())
            .collect();
        let credentials = format!("{}:{}", support::LOGIN, server.key);
        let url = format!("http://{}/v1/series/{}/calendar", server.http, made["id"]);
        let calendar = Command::new("curl").args(["-sS", "-f", "-u", &credentials, &url]).output().unwrap();
        assert!(calendar.status.success(), "{}", text(&calendar));
        // Debian's, for which `make test` installs the reader.
        let mut reader = Command::new("/usr/bin/python3")
            .args(["-c", READER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        reader.stdin.take().unwrap().write_all(&calendar.stdout).unwrap();
        let output = reader.wait_with_output().unwrap();
        let read = String::from_utf8_lossy(&calendar.stdout);
        assert!(output.status.success(), "{}\n{read}", text(&output));
        let found = String::from_utf8(output.stdout).unwrap();
        assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{name}\n{read}");
    }
}
