//! `plenary demo`: the whole job in a minute, with a server and six callers of its own.
//!
//! Everything in it is real: the server listens on free ports of loopback, reservations and commands go over HTTP,
//! callers dial over SIP and talk over RTP. Only the data folder is thrown away at the end.

use crate::{
    clock::wall_now,
    config::{Addresses, Config},
    server::Server,
};
use anyhow::{Context, bail};
use plenary_api::platform_time;
use plenary_caller::{Call, CallSpec, CallState, Caller, CallerConfig, Speech};
use plenary_conference::{ConferenceKey, ConferenceName, Timestamp};
use serde_json::Value;
use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

const LOGIN: &str = "1-2-0/demo@example.com";
const ROOM: &str = "Demo";
const TALKER_DBOV: f32 = -16.0;
const HEARD_DBOV: f32 = -34.0;
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// Six callers, each with a voice of its own: far enough apart to be distinguished by listening.
const CALLERS: [(&str, u16); 6] =
    [("Ann", 350), ("Ben", 520), ("Cleo", 780), ("Dan", 1170), ("Eva", 1750), ("Finn", 2600)];

pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let folder = tempfile::tempdir().context("a folder for the demonstration cannot be made")?;
    // The rules are the configured ones but for the notice, which would be a wait of five minutes.
    let mut config = Config {
        database: None,
        data: folder.path().to_owned(),
        http: ([127, 0, 0, 1], 0).into(),
        sip: Addresses(vec![([127, 0, 0, 1], 0).into()]),
        advertise: None,
        ..config
    };
    config.reservations.min_notice_minutes = 0;
    let server = Server::start(&config).await?;
    let outcome = Show { server: &server, key: String::new(), wrong: 0 }.run().await;
    server.stop(STOP_WITHIN).await;
    let wrong = outcome?;
    if wrong > 0 {
        bail!("{wrong} things were not heard as they should be; this is a mistake worth reporting");
    }
    line("\nAll as it should be. Now with your own telephone: plenary serve --demo-account");
    Ok(ExitCode::SUCCESS)
}

struct Show<'a> {
    server: &'a Server,
    key: String,
    wrong: usize,
}

impl Show<'_> {
    async fn run(mut self) -> anyhow::Result<usize> {
        let store = self.server.store();
        let (account, key) = store.create_account_login(LOGIN).await?;
        self.key = key.as_str().to_owned();
        let conference = ConferenceKey { account: account.id, name: ConferenceName::new(ROOM) };

        headline("An inbound service says what becomes of a call");
        let body = r#"{"conference": {"name": "{rest}", "participant": {"mute_digit": "6"}}}"#;
        let put = self.http("PUT", "/service/v1/inbound/conf-*", Some(body)).await?;
        line(&format!("PUT /service/v1/inbound/conf-*  {body}\n  {put}"));

        headline("Reserve the conference (it starts with the current minute)");
        let now = wall_now();
        let start = platform_time(now);
        // A reservation is judged as asked, so a second in the future is asked for.
        let asked = platform_time(Timestamp(now.0 + 2000));
        let created = self
            .get(&format!("/conference_reservation_create?conference_name={ROOM}&max_participants=40&start_time={asked}&duration=15"))
            .await?;
        if created.get("reservation_token").is_none() {
            bail!("the reservation made at {start} was refused: {created}");
        }
        self.wait_for_status("HOLDING").await?;
        line(&format!("GET /conference_list\n  {}", self.get("/conference_list").await?));

        headline("Six callers dial in over SIP, each with a voice of its own");
        let caller = Caller::new(CallerConfig::default()).await?;
        let mut calls = Vec::new();
        for (name, hz) in CALLERS {
            calls.push(self.dial(&caller, (name, hz), &format!("conf-{ROOM}")).await?);
            sleep(Duration::from_millis(500)).await;
            self.roster(&conference, true).await?;
        }
        sleep(Duration::from_secs(2)).await;
        self.roster(&conference, false).await?;
        self.who_hears_whom(&calls, &[]).await;

        headline("Mute Ben over HTTP");
        let ids = self.ids().await?;
        let answer = self
            .get(&format!(
                "/conference_participant_set_options?conference_name={ROOM}&participant_id={}&muted=true",
                ids[1]
            ))
            .await?;
        line(&format!("conference_participant_set_options … muted=true\n  {answer}"));
        sleep(Duration::from_millis(2500)).await;
        self.roster(&conference, false).await?;
        self.who_hears_whom(&calls, &[1]).await;

        headline("Ben presses 6 on the telephone and may speak again");
        calls[1].press("6")?;
        sleep(Duration::from_millis(2500)).await;
        self.roster(&conference, false).await?;
        self.who_hears_whom(&calls, &[]).await;

        headline("Eject Cleo over HTTP");
        let answer = self
            .get(&format!("/conference_participant_eject?conference_name={ROOM}&participant_id={}", ids[2]))
            .await?;
        line(&format!("conference_participant_eject …\n  {answer}"));
        let ended = tokio::time::timeout(Duration::from_secs(3), calls[2].ended()).await;
        line(&match ended {
            Ok(CallState::Ended { reason, .. }) => format!("  Cleo's telephone: BYE, \"{reason}\""),
            Ok(_) | Err(_) => {
                self.wrong += 1;
                "  Cleo's telephone is still in the call".to_owned()
            }
        });
        sleep(Duration::from_millis(2500)).await;
        self.roster(&conference, false).await?;
        self.who_hears_whom(&calls, &[2]).await;

        headline("All callers hang up");
        for call in &mut calls {
            call.hang_up();
        }
        for call in &mut calls {
            let _ = tokio::time::timeout(Duration::from_secs(3), call.ended()).await;
        }
        line(&format!("GET /conference_list\n  {}", self.get("/conference_list").await?));

        self.enter_by_keypad(&caller).await?;
        caller.stop().await;
        Ok(self.wrong)
    }

    /// One of the callers calls this user of the server, and is answered.
    async fn dial(&self, caller: &Caller, (name, hz): (&str, u16), user: &str) -> anyhow::Result<Call> {
        let uri = format!("sip:{user}@{}", self.server.sip_addr());
        let speech = Speech::Tone { hz, dbov: TALKER_DBOV };
        let spec = CallSpec { from_user: name.to_owned(), speech, ..CallSpec::default() };
        let mut call = caller.dial(&uri, spec).await?;
        match call.answered().await {
            CallState::Up => Ok(call),
            state @ (CallState::Calling
            | CallState::Ringing
            | CallState::Refused { .. }
            | CallState::Ended { .. }) => bail!("{name} was not let in: {state:?}"),
        }
    }

    /// Two callers key in a room and their PINs; the leader mutes the other one by a key.
    async fn enter_by_keypad(&mut self, caller: &Caller) -> anyhow::Result<()> {
        headline("An entry by keypad: callers are asked for a room and a PIN");
        for (path, body) in [
            ("/v1/rooms/1001", r#"{"conference": "Board", "pin": "482913", "leader_pin": "70215548"}"#),
            ("/v1/rooms/1002", r#"{"conference": "Team"}"#),
            ("/service/v1/inbound/100", r#"{"entry": {"rooms": true}}"#),
        ] {
            let put = self.http("PUT", path, Some(body)).await?;
            line(&format!("PUT {path}  {body}\n  {put}"));
        }
        let mut calls = Vec::new();
        for (number, pin) in [(0, "70215548"), (1, "482913")] {
            let call = self.dial(caller, CALLERS[number], "100").await?;
            let (name, _) = CALLERS[number];
            line(&format!(
                "  {name} dials 100, hears “Welcome. Please enter your room number …” and keys in 1001 and {pin}#"
            ));
            // The greeting and the question are heard before the keys come.
            call.press(&format!(",,,,,,,1001,,,,,,{pin}#"))?;
            calls.push(call);
            self.wait_for_board(calls.len()).await?;
        }
        sleep(Duration::from_millis(2500)).await;
        let board = self.get("/v1/conferences/Board/participants").await?;
        for (one, (name, _)) in board["items"].as_array().into_iter().flatten().zip(CALLERS) {
            line(&format!("  {name}: leader {}, {}", one["leader"], one["state"]));
        }
        self.hears_the_other(&calls, true);

        headline("The leader presses *5: all others are muted");
        calls[0].press("*5")?;
        // The prompt that the muted one hears is over by then.
        sleep(Duration::from_millis(7000)).await;
        self.hears_the_other(&calls, false);
        for call in &mut calls {
            call.hang_up();
            let _ = tokio::time::timeout(Duration::from_secs(3), call.ended()).await;
        }
        Ok(())
    }

    /// The second always hears the first; whether the first hears the second is what is looked at.
    fn hears_the_other(&mut self, calls: &[Call], is_heard: bool) {
        let tones = [f32::from(CALLERS[0].1), f32::from(CALLERS[1].1)];
        for (listener, expected) in [(0, [false, is_heard]), (1, [true, false])] {
            let heard = calls[listener].hears_tones(&tones, 1000, HEARD_DBOV);
            let other = if heard[1 - listener] { "hears" } else { "does not hear" };
            let is_right = heard == expected;
            self.wrong += usize::from(!is_right);
            let mark = if is_right { "" } else { "   ← not as it should be" };
            line(&format!("  {} {other} {}{mark}", CALLERS[listener].0, CALLERS[1 - listener].0));
        }
    }

    async fn wait_for_board(&self, count: usize) -> anyhow::Result<()> {
        for _ in 0..200 {
            let board = self.get("/v1/conferences/Board/participants").await?;
            if board["items"].as_array().is_some_and(|items| items.len() == count) {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        bail!("the caller who keyed in room and PIN is not in the conference after twenty seconds")
    }

    /// What each caller has heard in the last second, as a table, and whether it is what it should be.
    async fn who_hears_whom(&mut self, calls: &[Call], silent: &[usize]) {
        let tones: Vec<f32> = CALLERS.iter().map(|(_, hz)| f32::from(*hz)).collect();
        let mut wrong = 0;
        for (listener, call) in calls.iter().enumerate().filter(|(_, call)| !call.state().is_over()) {
            let heard = call.hears_tones(&tones, 1000, HEARD_DBOV);
            let names: Vec<&str> =
                CALLERS.iter().zip(&heard).filter(|(_, heard)| **heard).map(|((name, _), _)| *name).collect();
            let is_right = heard
                .iter()
                .enumerate()
                .all(|(speaker, heard)| *heard == (speaker != listener && !silent.contains(&speaker)));
            wrong += usize::from(!is_right);
            let mark = if is_right { "" } else { "   ← not as it should be" };
            line(&format!("  {:<5} hears {}{mark}", CALLERS[listener].0, names.join(", ")));
        }
        self.wrong += wrong;
    }

    /// The roster: on a terminal in one line that follows what happens, else only when it has settled.
    async fn roster(&self, conference: &ConferenceKey, is_passing: bool) -> anyhow::Result<()> {
        let is_terminal = std::io::stdout().is_terminal();
        if is_passing && !is_terminal {
            return Ok(());
        }
        let lines = self.server.engine().roster(conference.clone()).await?;
        let people: Vec<String> = lines
            .iter()
            .map(|line| {
                let state = if line.muted {
                    "muted"
                } else if line.talking {
                    "talking"
                } else {
                    "quiet"
                };
                format!("{} {state}", line.from)
            })
            .collect();
        let mut out = std::io::stdout().lock();
        if is_passing {
            write!(out, "\r\x1b[K  {}", people.join(" · "))?;
        } else {
            let clear = if is_terminal { "\r\x1b[K" } else { "" };
            writeln!(out, "{clear}  {}", people.join(" · "))?;
        }
        out.flush()?;
        Ok(())
    }

    async fn ids(&self) -> anyhow::Result<Vec<String>> {
        let list = self.get(&format!("/conference_participant_list?conference_name={ROOM}")).await?;
        let ids = list["participants"].as_array().into_iter().flatten();
        let ids: Vec<String> =
            ids.filter_map(|participant| Some(participant["participant_id"].as_str()?.to_owned())).collect();
        if ids.len() < 3 {
            bail!("the participant list holds too few: {list}");
        }
        Ok(ids)
    }

    async fn wait_for_status(&self, status: &str) -> anyhow::Result<()> {
        for _ in 0..50 {
            let list = self.get("/conference_list").await?;
            if list[0]["status"] == status {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        bail!("the conference did not become {status} within five seconds")
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let body = self.http("GET", path, None).await?;
        serde_json::from_str(&body)
            .with_context(|| format!("{path} answered with something else than JSON: {body}"))
    }

    /// One request over a connection of its own: all that the demonstration needs of HTTP.
    async fn http(&self, method: &str, path: &str, body: Option<&str>) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.server.http_addr()).await?;
        let authorization = data_encoding::BASE64.encode(format!("{LOGIN}:{}", self.key).as_bytes());
        let body = body.unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Basic {authorization}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.server.http_addr(),
            body.len(),
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.trim()).unwrap_or_default();
        Ok(body.to_owned())
    }
}

fn headline(text: &str) {
    line(&format!("\n— {text}"));
}

fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
