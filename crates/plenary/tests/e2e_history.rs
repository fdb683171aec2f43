//! What is on record after real calls: calls, conferences that are over, what was used, who changed what; and after `kill -9`.
#![allow(missing_docs, clippy::print_stderr)]

mod support;

use serde_json::{Value, json};
use std::{collections::BTreeSet, process::Command};
use support::{LOGIN, Server, plenary, talk::Talk, text, wait_for};

fn items(list: &Value) -> Vec<Value> {
    list["items"].as_array().unwrap_or_else(|| panic!("{list}")).clone()
}

/// A key for everything.
fn operator(server: &Server) -> String {
    let made = plenary()
        .args(["account", "key", "new", LOGIN, "--scope", "read,records,operator", "--data"])
        .arg(server.data())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made));
    String::from_utf8(made.stdout).unwrap().lines().last().unwrap().to_owned()
}

fn ms(text: &Value) -> i64 {
    text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// This day and its neighbours, as parameters.
fn these_days() -> String {
    let day = jiff::Timestamp::now();
    let [from, to] = [-24, 24].map(|hours| {
        (day + jiff::SignedDuration::from_hours(hours)).strftime("%Y-%m-%dT00:00:00Z").to_string()
    });
    format!("from={from}&to={to}")
}

#[test]
fn a_conference_of_three_is_on_record_as_it_was() {
    let server = Server::start("");
    let operator = operator(&server);
    let mut talk = Talk::begin(&server, "Tea");
    let third = talk.call(&server, "Tea", 1700.0);
    talk.calls.push(third);
    let ids = server.wait_for_participants("Tea", 3);
    wait_for("a second of the last one's voice", || {
        let last = server.get(&format!("/v1/conferences/Tea/participants/{}", ids[2]));
        (last["statistics"]["packets_received"].as_u64()? > 50).then_some(())
    });
    let going_on = items(&server.get("/v1/calls?outcome=in_progress&conference=Tea"));
    assert_eq!(going_on.len(), 3);
    assert!(items(&server.get("/v1/history")).is_empty(), "it is not over");
    let (status, answer) =
        server.curl(&["-X", "DELETE"], &format!("/v1/conferences/Tea/participants/{}", ids[2]));
    assert_eq!(status, 204, "{answer}");
    server.wait_for_participants("Tea", 2);
    talk.hang_up();

    let past = wait_for("the history", || items(&server.get("/v1/history?conference=Tea")).pop());
    let calls = wait_for("the records", || {
        let calls = items(&server.get("/v1/calls"));
        calls.iter().all(|call| !call["quality"].is_null()).then_some(calls)
    });
    // The calls.
    assert_eq!(calls.len(), 3);
    let known: BTreeSet<&str> = calls.iter().map(|call| call["id"].as_str().unwrap()).collect();
    assert_eq!(known, ids.iter().map(String::as_str).collect());
    for call in &calls {
        let told =
            ["direction", "outcome", "conference", "to", "admitted_by"].map(|name| call[name].as_str());
        assert_eq!(
            told,
            [Some("in"), Some("answered"), Some("Tea"), Some("conf-Tea"), Some("network")],
            "{call}"
        );
        let expected = match call["id"].as_str().unwrap() == ids[2] {
            true => ("service", "Ejected from the conference"),
            false => ("remote", "caller hung up"),
        };
        assert_eq!(
            (call["ended_by"].as_str(), call["end_reason"].as_str()),
            (Some(expected.0), Some(expected.1))
        );
        let (codec, quality) = (call["codec"].as_str(), &call["quality"]);
        assert!(codec.is_some() && call["cipher"].is_null(), "{call}");
        assert!(quality["packets_received"].as_u64().unwrap() > 20, "{call}");
        assert!(quality["mos_min"].as_f64().unwrap() > 1.0 && quality["one_way_ms"] == 0, "{call}");
        assert_eq!(server.get(&format!("/v1/calls/{}", call["id"].as_str().unwrap())), *call);
    }
    // The conference.
    let one = server.get(&format!("/v1/history/{}", past["id"].as_str().unwrap()));
    assert_eq!(
        (&one["reserved"], &one["peak_participants"], &one["entries"]),
        (&json!(false), &json!(3), &json!(3))
    );
    assert_eq!(one["end_reason"], "all_left");
    let stays = one["participants"].as_array().unwrap();
    let order: Vec<&str> = stays.iter().map(|stay| stay["participant_id"].as_str().unwrap()).collect();
    assert_eq!(order, ids.iter().map(String::as_str).collect::<Vec<_>>(), "as they entered");
    let reasons: Vec<&str> = stays.iter().map(|stay| stay["leave_reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["hung_up", "hung_up", "ejected"]);
    assert!(stays.iter().all(|stay| stay["from"] == calls[0]["from"] && stay["to"] == "conf-Tea"), "{one}");
    let stayed: i64 = stays.iter().map(|stay| ms(&stay["left_at"]) - ms(&stay["entered_at"])).sum();
    let told = one["seat_minutes"].as_f64().unwrap() * 60_000.0;
    // Moments are shown in seconds.
    assert!((told - stayed as f64).abs() < 4000.0, "{told} {stayed}");
    // What was used, as JSON and as CSV.
    let usage = server.get(&format!("/v1/usage?by=conference&{}", these_days()));
    let line = &items(&usage)[0];
    assert_eq!(
        (&line["conference"], &line["calls"], &line["peak_seats"]),
        (&json!("Tea"), &json!(3), &json!(3))
    );
    let durations: i64 = calls.iter().map(|call| call["duration_ms"].as_i64().unwrap()).sum();
    let minutes = line["call_minutes"].as_f64().unwrap();
    assert!((minutes - durations as f64 / 60_000.0).abs() < 0.006, "{line} {durations}");
    assert_eq!(line["seat_minutes"], one["seat_minutes"]);
    let url = format!("http://{}/v1/usage?by=conference&{}", server.http, these_days());
    let csv = Command::new("curl")
        .args(["-sS", "-H", "Accept: text/csv", "-H", &format!("Authorization: Bearer {}", server.key), &url])
        .output()
        .unwrap();
    let csv = String::from_utf8(csv.stdout).unwrap();
    let rows: Vec<Vec<&str>> = csv.split_terminator("\r\n").map(|row| row.split(',').collect()).collect();
    assert_eq!(rows.len(), 2, "{csv}");
    for (heading, value) in rows[0].iter().zip(&rows[1]) {
        match line[*heading].as_f64() {
            Some(number) => assert_eq!(value.parse::<f64>().unwrap(), number, "{heading}: {csv}"),
            None => assert_eq!(line[*heading], **value, "{heading}: {csv}"),
        }
    }
    // Who changed what.
    let (status, audit) = server.curl_as(&format!("{LOGIN}:{operator}"), &[], "/v1/operator/audit");
    assert_eq!(status, 200, "{audit}");
    let mut audit = items(&audit);
    audit.reverse();
    let told: Vec<_> = audit
        .iter()
        .map(|entry| {
            format!(
                "{} {} {}",
                entry["by"].as_str().unwrap(),
                entry["method"].as_str().unwrap(),
                entry["path"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            format!("operator COMMAND account create {LOGIN}"),
            "key PUT /service/v1/inbound/conf-*".to_owned(),
            format!("operator COMMAND account key new {LOGIN}"),
            format!("key DELETE /v1/conferences/Tea/participants/{}", ids[2]),
        ]
    );
    assert_eq!(audit[1]["after"]["conference"]["name"], "{rest}");
    assert_eq!(
        (&audit[3]["source"], &audit[3]["before"]["participant_id"]),
        (&json!("127.0.0.1"), &json!(ids[2]))
    );
    let all = json!(audit).to_string();
    assert!(!all.contains(&server.key) && !all.contains(&operator), "no keys in it");
    // Taking a caller out of it.
    let from = calls[0]["from"].as_str().unwrap();
    let same = calls.iter().filter(|call| call["from"] == from).count();
    let (status, removed) = server.curl(&["-X", "DELETE"], &format!("/v1/personal-data?number={from}"));
    let counted = ["call_records", "history"].map(|what| removed[what].as_u64());
    assert_eq!((status, counted), (200, [Some(same as u64); 2]), "{removed}");
    assert!(removed["events"].as_u64() >= Some(same as u64), "{removed}");
    let told = server.get("/v1/events?limit=500").to_string();
    assert!(told.contains("participant.entered") && !told.contains(&format!("\"{from}\"")), "{told}");
    assert_eq!(server.get(&format!("/v1/calls/{}", ids[0]))["from"], Value::Null);
}

#[test]
fn after_a_kill_what_was_going_on_is_closed_as_of_when_it_was_cut_off() {
    let mut server = Server::start("[reservations]\nmin_notice_minutes = 0\n");
    server.reserve_now("Board");
    wait_for("open", || (server.get("/v1/conferences/Board")["state"] == "holding").then_some(()));
    let talk = Talk::begin(&server, "Board");
    let ids = server.wait_for_participants("Board", 2);
    // It is on the disk that both are in.
    wait_for("the records", || {
        (items(&server.get("/v1/calls?outcome=in_progress")).len() == 2).then_some(())
    });
    let usage = format!("/v1/usage?{}", these_days());
    wait_for("the stays", || (items(&server.get(&usage)).first()?["peak_seats"] == 2).then_some(()));
    server.kill_and_restart();
    let past = items(&server.get("/v1/history"));
    assert_eq!(past.len(), 1, "{past:?}");
    let told =
        [&past[0]["conference"], &past[0]["reserved"], &past[0]["end_reason"], &past[0]["peak_participants"]];
    assert_eq!(told, [&json!("Board"), &json!(true), &json!("interrupted"), &json!(2)]);
    let one = server.get(&format!("/v1/history/{}", past[0]["id"].as_str().unwrap()));
    for (stay, id) in one["participants"].as_array().unwrap().iter().zip(&ids) {
        assert_eq!((&stay["participant_id"], &stay["leave_reason"]), (&json!(id), &json!("interrupted")));
    }
    for call in items(&server.get("/v1/calls")) {
        assert_eq!(
            (&call["ended_by"], &call["end_reason"]),
            (&json!("network"), &json!("interrupted")),
            "{call}"
        );
        // It did not last until the restart, but to when the service is known to have run.
        assert!(ms(&call["ended_at"]) <= jiff::Timestamp::now().as_millisecond());
    }
    drop(talk);
    // The reserved conference goes on, and ends in an orderly way with the service.
    let again = Talk::begin(&server, "Board");
    again.hang_up();
    let data = server.data();
    assert!(server.terminate().success());
    let ends = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let store = plenary_store::Store::open(&data).await.unwrap();
        let account = store.find_account(LOGIN).await.unwrap().unwrap();
        let all = plenary_store::HistoryQuery { limit: 10, ..Default::default() };
        let past = store.past_conferences(account.id, &all).await.unwrap();
        past.into_iter().map(|one| (one.end_reason.name(), one.entries)).collect::<Vec<_>>()
    });
    assert_eq!(ends, [("stopped", 2), ("interrupted", 2)]);
}

#[test]
fn numbers_are_dropped_as_configured() {
    let mut server = Server::start("[history]\nnumbers = \"drop\"\nnumbers_days = 0\n");
    let talk = Talk::begin(&server, "Tea");
    talk.hang_up();
    let ended = |call: &Value| !call["ended_at"].is_null();
    wait_for("the records", || {
        let calls = items(&server.get("/v1/calls"));
        (calls.len() == 2 && calls.iter().all(ended)).then_some(())
    });
    // At its start the service looks for what is due.
    server.kill_and_restart();
    wait_for("the numbers to be gone", || {
        let calls = items(&server.get("/v1/calls"));
        calls.iter().all(|call| call["from"].is_null() && call["to"] == "conf-Tea").then_some(())
    });
}
