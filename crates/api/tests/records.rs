//! Calls, conferences that are over, what was used, and numbers that are removed, over HTTP.
#![allow(missing_docs)]

mod support;

use plenary_model::{
    AccountEvent, AccountId, Actor, CallEntry, CallRecord, ConferenceKey, ConferenceName, EndedBy, EventKind,
    EventRecord, HistoryEntry, HistoryReason, KeySettings, ParticipantId, RecordEntry, Scope, Scopes,
    Timestamp,
};
use serde_json::{Value, json};
use support::{LOGIN, NOW, World};

const ID: &str = "016b75bd5d00000000010000000001";
const STATS: &str = r#"{"codec":"opus","srtp":"AEAD_AES_128_GCM","packets_received":900,"packets_lost":100,
    "packets_sent":1000,"jitter_ms":2.5,"jitter_ms_max":7.25,"mos":4.3,"mos_min":3.1,"remote_loss":0.01,
    "round_trip_ms":12.5,"one_way_ms":1500}"#;

fn at(minute: i64) -> Timestamp {
    Timestamp(NOW.0 + minute * 60_000)
}

fn call(account: AccountId, id: &str, minute: i64) -> CallRecord {
    CallRecord {
        id: id.to_owned(),
        account,
        service: "conf-*".to_owned(),
        conference: Some("Board".to_owned()),
        from: "+4930123456".to_owned(),
        to: "conf-Board".to_owned(),
        started_at: at(minute),
        answered_at: Some(at(minute)),
        is_outgoing: false,
        trunk: None,
        admitted_by: Some("user".to_owned()),
    }
}

/// Two calls that are over, in a conference that is over, and one that was not answered.
async fn records(world: &World) {
    let out = CallRecord {
        is_outgoing: true,
        answered_at: None,
        from: "=cmd".to_owned(),
        to: "tel:+441908273800".to_owned(),
        trunk: Some("=p,q".to_owned()),
        service: String::new(),
        admitted_by: None,
        ..call(world.account, "c", 3)
    };
    let ended = |id: &str, minute: i64, by: EndedBy, stats: Option<&str>| CallEntry::Ended {
        id: id.to_owned(),
        at: at(minute),
        cause: "caller hung up".to_owned(),
        ended_by: by,
        stats: stats.map(str::to_owned),
    };
    let begun = |call: CallRecord| CallEntry::Started { call, dialog: None };
    let calls = [
        begun(call(world.account, "a", 0)),
        begun(CallRecord { trunk: Some("=p,q".to_owned()), ..call(world.account, "b", 1) }),
        begun(out),
        ended("a", 10, EndedBy::Remote, Some(STATS)),
        ended("b", 5, EndedBy::Service, None),
        ended("c", 4, EndedBy::Remote, None),
    ];
    let id = || ID.to_owned();
    let (a, b) = (ParticipantId::new("a"), ParticipantId::new("b"));
    let key = ConferenceKey { account: world.account, name: ConferenceName::new("Board") };
    let (hung_up, ejected) = (HistoryReason::HungUp, HistoryReason::Ejected);
    let history = [
        HistoryEntry::Began { id: id(), conference: key, at: at(0), reservation: None, seats: 40 },
        HistoryEntry::Entered { id: id(), participant: a.clone(), at: at(0), is_leader: true, present: 1 },
        HistoryEntry::Entered { id: id(), participant: b.clone(), at: at(1), is_leader: false, present: 2 },
        HistoryEntry::Left { id: id(), participant: b, at: at(5), reason: ejected },
        HistoryEntry::Left { id: id(), participant: a, at: at(10), reason: hung_up },
        HistoryEntry::Ended { id: id(), at: at(10), reason: HistoryReason::AllLeft },
    ];
    let entries: Vec<_> = calls
        .into_iter()
        .map(RecordEntry::Call)
        .chain(history.into_iter().map(RecordEntry::Conference))
        .collect();
    world.store.write_records(&entries).await.unwrap();
    world.control.pass_minutes(60);
}

fn ids(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn calls_are_listed_the_latest_first_page_by_page() {
    let world = World::new().await;
    records(&world).await;
    let (status, first) = world.get("/v1/calls?limit=2").await;
    assert_eq!((status, ids(&first)), (200, vec!["c", "b"]));
    let next = first["next"].as_str().expect("there are more");
    let (_, second) = world.get(&format!("/v1/calls?limit=2&cursor={next}")).await;
    assert_eq!((ids(&second), &second["next"]), (vec!["a"], &Value::Null));
    let (status, body) = world.get("/v1/calls?cursor=eA").await;
    assert_eq!((status, &body["errors"][0]["parameter"]), (400, &json!("cursor")), "{body}");
}

#[tokio::test]
async fn calls_are_found_by_conference_number_time_direction_and_outcome() {
    let world = World::new().await;
    records(&world).await;
    for (query, expected) in [
        ("conference=Board", vec!["c", "b", "a"]),
        ("conference=Tea", vec![]),
        ("from=%2B49-30-123456", vec!["b", "a"]),
        ("to=conf-Board", vec!["b", "a"]),
        ("direction=out", vec!["c"]),
        ("direction=in&outcome=answered", vec!["b", "a"]),
        ("outcome=not_answered", vec!["c"]),
        ("outcome=in_progress", vec![]),
        ("since=2019-06-20T15:01:00Z&until=2019-06-20T15:03:00Z", vec!["b"]),
    ] {
        let (status, list) = world.get(&format!("/v1/calls?{query}")).await;
        assert_eq!((status, ids(&list)), (200, expected), "{query}");
    }
    let (status, body) = world.get("/v1/calls?direction=up").await;
    assert_eq!(status, 400);
    assert!(body["detail"].as_str().unwrap().contains("`in` or `out`"), "{body}");
}

#[tokio::test]
async fn a_call_is_shown_with_who_ended_it_and_how_it_sounded() {
    let world = World::new().await;
    records(&world).await;
    let (status, call) = world.get("/v1/calls/a").await;
    assert_eq!(status, 200);
    let expected = json!({
        "id": "a", "direction": "in", "from": "+4930123456", "to": "conf-Board", "admitted_by": "user",
        "service": "conf-*", "trunk": null, "conference": "Board", "started_at": "2019-06-20T15:00:00Z",
        "answered_at": "2019-06-20T15:00:00Z", "ended_at": "2019-06-20T15:10:00Z", "duration_ms": 600_000,
        "outcome": "answered", "end_reason": "caller hung up", "ended_by": "remote", "codec": "opus",
        "cipher": "AEAD_AES_128_GCM",
        "quality": {
            "packets_received": 900, "packets_lost": 100, "loss": 0.1, "packets_sent": 1000, "jitter_ms": 2.5,
            "jitter_ms_max": 7.25, "mos": 4.3, "mos_min": 3.1, "remote_loss": 0.01, "remote_jitter_ms": null,
            "round_trip_ms": 12.5, "one_way_ms": 1500,
        },
    });
    assert_eq!(call, expected);
    let (_, failed) = world.get("/v1/calls/c").await;
    let told = [&failed["outcome"], &failed["answered_at"], &failed["duration_ms"], &failed["quality"]];
    assert_eq!(told, [&json!("not_answered"), &Value::Null, &Value::Null, &Value::Null]);
    let (status, body) = world.get("/v1/calls/nothing").await;
    assert_eq!((status, &body["code"]), (404, &json!("1118")));
}

#[tokio::test]
async fn of_a_call_that_a_crash_has_ended_the_close_is_shown_that_the_next_start_wrote() {
    let world = World::new().await;
    let begun = CallEntry::Started { call: call(world.account, "a", 0), dialog: None };
    world.store.write_records(&[RecordEntry::Call(begun)]).await.unwrap();
    let event = |participant: &str, minute: i64, reason: Option<&str>, kind: EventKind| {
        let event = EventRecord {
            at: at(minute),
            conference: Some(ConferenceName::new("Board")),
            participant_id: Some(ParticipantId::new(participant)),
            actor: Actor::system(),
            reason: reason.map(str::to_owned),
            kind,
        };
        AccountEvent { account: world.account, event }
    };
    let mut events = vec![event("a", 1, None, EventKind::ParticipantHandRaised {})];
    world.store.write_events(&events, false).await.unwrap();
    // It last ran in the second minute, and starts again in the fortieth.
    assert_eq!(world.store.interrupt_open_calls(at(2)).await.unwrap(), 1);
    let types = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap().iter();
        items.map(|one| one["type"].as_str().unwrap().to_owned()).collect()
    };
    let shown = world.get("/v1/calls/a/events").await.1;
    assert_eq!(types(&shown), ["participant.hand_raised"], "nothing is closed yet");
    let left = |participant| event(participant, 40, Some("interrupted"), EventKind::ParticipantLeft {});
    events = vec![left("b"), left("a"), event("a", 50, None, EventKind::ParticipantHandRaised {})];
    world.store.write_events(&events, false).await.unwrap();
    let shown = world.get("/v1/calls/a/events").await.1;
    assert_eq!(types(&shown), ["participant.hand_raised", "participant.left"]);
    assert_eq!(shown["items"][1]["reason"], "interrupted");
}

#[tokio::test]
async fn what_a_call_did_in_conferences_is_read_page_by_page() {
    let world = World::new().await;
    records(&world).await;
    let event = |participant: &str, minute: i64, kind: EventKind| {
        let event = EventRecord {
            at: at(minute),
            conference: Some(ConferenceName::new("Board")),
            participant_id: Some(ParticipantId::new(participant)),
            actor: Actor::system(),
            reason: None,
            kind,
        };
        AccountEvent { account: world.account, event }
    };
    let events = [
        event("a", 1, EventKind::ParticipantHandRaised {}),
        event("b", 2, EventKind::ParticipantHandRaised {}),
        event("a", 3, EventKind::ParticipantHandLowered {}),
        event("a", 9, EventKind::ParticipantLeft {}),
        // Another call long after, which has the id again for whatever reason.
        event("a", 50, EventKind::ParticipantHandRaised {}),
    ];
    world.store.write_events(&events, false).await.unwrap();
    let types = |list: &Value| -> Vec<String> {
        let items = list["items"].as_array().unwrap().iter();
        items.map(|one| format!("{} {}", one["seq"], one["type"].as_str().unwrap())).collect()
    };
    let (status, first) = world.get("/v1/calls/a/events?limit=2").await;
    assert_eq!(
        (status, types(&first)),
        (200, vec!["1 participant.hand_raised".to_owned(), "3 participant.hand_lowered".to_owned()])
    );
    let next = first["next"].as_str().expect("there are more");
    let (_, second) = world.get(&format!("/v1/calls/a/events?limit=2&cursor={next}")).await;
    assert_eq!((types(&second), &second["next"]), (vec!["4 participant.left".to_owned()], &Value::Null));
    assert_eq!(world.get("/v1/calls/c/events").await, (200, json!({"items": [], "next": null})));
    let (status, body) = world.get("/v1/calls/nothing/events").await;
    assert_eq!((status, &body["code"]), (404, &json!("1118")));
}

#[tokio::test]
async fn a_conference_that_is_over_is_shown_with_who_was_in() {
    let world = World::new().await;
    records(&world).await;
    let (_, list) = world.get("/v1/history?conference=Board").await;
    assert_eq!(ids(&list), [ID]);
    assert_eq!(ids(&world.get("/v1/history?conference=Tea").await.1), [""; 0]);
    assert_eq!(ids(&world.get("/v1/history?until=2019-06-20T15:00:00Z").await.1), [""; 0]);
    let (status, one) = world.get(&format!("/v1/history/{ID}")).await;
    let participant = |id: &str, role: &str, entered: &str, left: &str, reason: &str| {
        json!({
            "participant_id": id, "from": "+4930123456", "to": "conf-Board", "direction": "in", "role": role,
            "entered_at": format!("2019-06-20T15:{entered}:00Z"), "left_at": format!("2019-06-20T15:{left}:00Z"),
            "leave_reason": reason,
        })
    };
    let expected = json!({
        "id": ID, "conference": "Board", "reserved": false, "max_participants": 40,
        "started_at": "2019-06-20T15:00:00Z", "ended_at": "2019-06-20T15:10:00Z", "end_reason": "all_left",
        "peak_participants": 2, "entries": 2, "seat_minutes": 14.0,
        "participants": [
            participant("a", "leader", "00", "10", "hung_up"),
            participant("b", "participant", "01", "05", "ejected"),
        ],
    });
    assert_eq!((status, one), (200, expected));
    let (status, body) = world.get("/v1/history/nothing").await;
    assert_eq!((status, &body["code"]), (404, &json!("1119")));
}

#[tokio::test]
async fn usage_is_given_as_json_and_as_csv() {
    let world = World::new().await;
    records(&world).await;
    let time = "from=2019-06-20T00:00:00Z&to=2019-06-21T00:00:00Z";
    let (status, usage) = world.get(&format!("/v1/usage?{time}")).await;
    let line = json!({
        "day": "2019-06-20", "month": null, "account": null, "conference": null, "trunk": null, "calls": 2,
        "call_minutes": 14.0, "incoming_minutes": 14.0, "outgoing_minutes": 0.0, "conferences": 1,
        "seat_minutes": 14.0, "reserved_seat_minutes": 0.0, "peak_seats": 2,
    });
    let expected = json!({
        "from": "2019-06-20T00:00:00Z", "to": "2019-06-21T00:00:00Z", "by": "day", "items": [line],
    });
    assert_eq!((status, usage), (200, expected));
    let (_, months) = world.get(&format!("/v1/usage?{time}&by=month")).await;
    let [month] = months["items"].as_array().unwrap().as_slice() else { panic!("{months}") };
    assert_eq!(
        (&month["month"], &month["day"], &month["calls"]),
        (&json!("2019-06"), &Value::Null, &json!(2))
    );
    let (_, _, text) = world.send("GET", &format!("/v1/usage?{time}&by=month&format=csv"), "", "").await;
    assert!(text.starts_with("month,calls,") && text.contains("2019-06,2,14.00"), "{text}");
    let (status, headers, text) =
        world.send("GET", &format!("/v1/usage?{time}&by=trunk&format=csv"), "", "").await;
    assert_eq!(
        (status, headers["content-type"].to_str().unwrap()),
        (200, "text/csv; charset=utf-8; header=present")
    );
    // A name that a spreadsheet would take for a formula is none.
    let head = "trunk,calls,call_minutes,incoming_minutes,outgoing_minutes,conferences,seat_minutes,reserved_seat_minutes,peak_seats";
    let expected =
        [head, ",1,10.00,10.00,0.00,0,0.00,0.00,0", "\"'=p,q\",1,4.00,4.00,0.00,0,0.00,0.00,0", ""];
    assert_eq!(text, expected.join("\r\n"));
    for (query, parameter) in [
        ("from=2019-06-20T00:00:00Z&to=2019-06-20T00:00:00Z", "to"),
        ("from=2019-06-20T00:00:00Z&to=2020-06-21T00:00:00Z", "to"),
    ] {
        let (status, body) = world.get(&format!("/v1/usage?{query}")).await;
        assert_eq!((status, &body["errors"][0]["parameter"]), (400, &json!(parameter)), "{query}");
    }
}

#[tokio::test]
async fn only_operators_see_the_usage_of_all_accounts() {
    let world = World::new().await;
    records(&world).await;
    let (eve, _) = world.store.create_account_login("3-4-5/eve@example.com").await.unwrap();
    let entries = [
        CallEntry::Started { call: call(eve.id, "e", 0), dialog: None },
        CallEntry::Ended {
            id: "e".into(),
            at: at(1),
            cause: "x".into(),
            ended_by: EndedBy::Remote,
            stats: None,
        },
    ];
    world.store.write_calls(&entries).await.unwrap();
    let path = "/v1/usage?by=account&from=2019-06-20T00:00:00Z&to=2019-06-21T00:00:00Z";
    let accounts = |usage: &Value| -> Vec<String> {
        let items = usage["items"].as_array().unwrap();
        items.iter().map(|line| line["account"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(accounts(&world.get(path).await.1), [LOGIN]);
    let all = KeySettings {
        label: None,
        scopes: Scope::ALL.into_iter().collect(),
        conference: None,
        expires_at: None,
    };
    let (_, key) = world.store.key_new(world.account, &all).await.unwrap();
    let (_, _, body) = world.send_with(&format!("Bearer {key}"), "GET", path, "", "").await;
    assert_eq!(accounts(&serde_json::from_str(&body).unwrap()), [LOGIN, "3-4-5/eve@example.com"]);
}

#[tokio::test]
async fn a_number_is_removed_from_calls_and_history_and_counted() {
    let world = World::new().await;
    records(&world).await;
    let remove = async |query: &str| {
        let (status, _, body) = world.send("DELETE", &format!("/v1/personal-data?{query}"), "", "").await;
        (status, serde_json::from_str::<Value>(&body).unwrap())
    };
    let (status, body) = remove("number=").await;
    assert_eq!((status, &body["errors"][0]["parameter"]), (400, &json!("number")), "{body}");
    let removed = |calls: u64, history: u64| json!({ "call_records": calls, "history": history, "events": 0, "audit": 0, "messages": 0, "mails": 0, "guests": 0, "recordings": 0 });
    assert_eq!(remove("number=%2B4940").await, (200, removed(0, 0)));
    // A `+` that was not escaped arrives as a space.
    assert_eq!(remove("number=+49-30-123456&mask=true").await, (200, removed(2, 2)));
    assert_eq!(world.get("/v1/calls/a").await.1["from"], "+493012****");
    assert_eq!(remove("number=%2B441908273800").await, (200, removed(1, 0)));
    assert_eq!(world.get("/v1/calls/c").await.1["to"], Value::Null);
    let (_, past) = world.get(&format!("/v1/history/{ID}")).await;
    assert_eq!(past["participants"][1]["from"], "+493012****");
}

#[tokio::test]
async fn records_need_their_scope() {
    let world = World::new().await;
    let read = KeySettings {
        label: None,
        scopes: [Scope::Read].into_iter().collect::<Scopes>(),
        conference: None,
        expires_at: None,
    };
    let (_, key) = world.store.key_new(world.account, &read).await.unwrap();
    for (method, path) in [
        ("GET", "/v1/calls"),
        ("GET", "/v1/history"),
        ("GET", "/v1/usage?from=2019-06-20T00:00:00Z&to=2019-06-21T00:00:00Z"),
        ("DELETE", "/v1/personal-data?number=1"),
    ] {
        let (status, _, body) = world.send_with(&format!("Bearer {key}"), method, path, "", "").await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["code"]), (403, &json!("1303")), "{path}");
        assert!(body["detail"].as_str().unwrap().contains("records"), "{body}");
    }
}
