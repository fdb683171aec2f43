//! Reservations by the management API: several of one name, changed, removed, and what is left.
#![allow(missing_docs)]

mod support;

use axum::http::HeaderMap;
use plenary_api::ConferenceControl;
use plenary_conference::{ConferenceName, ReservationLimits, reservation::ReservationRequest};
use serde_json::{Value, json};
use std::{future::poll_fn, task::Poll, time::Duration};
use support::{NOW, World};

const ALL: &str = "/v1/reservations";

async fn send(world: &World, method: &str, path: &str, body: &Value) -> (u16, HeaderMap, Value) {
    let (status, headers, text) = world.send(method, path, "application/json", &body.to_string()).await;
    (status, headers, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The board's, at `at` on the day at which the world begins at three.
fn board(at: &str, duration_min: u32) -> Value {
    json!({ "conference": "Board", "max_participants": 130, "starts_at": format!("2019-06-20T{at}:00Z"), "duration_min": duration_min })
}

async fn make(world: &World, body: &Value) -> String {
    let (status, headers, made) = send(world, "POST", ALL, body).await;
    assert_eq!(status, 201, "{made}");
    let token = made["token"].as_str().unwrap();
    assert_eq!(headers["location"], format!("{ALL}/{token}"));
    token.to_owned()
}

#[tokio::test]
async fn one_is_made_shown_changed_and_removed() {
    let world = World::new().await;
    let mut body = board("16:00", 30);
    body["title"] = json!("Weekly – ä");
    body["divert"] = json!("EarlyAnnouncement");
    let token = make(&world, &body).await;
    let path = format!("{ALL}/{token}");
    let (status, headers, shown) = send(&world, "GET", &path, &Value::Null).await;
    let mut expected = body.clone();
    for (member, value) in
        [("token", token.as_str()), ("ends_at", "2019-06-20T16:30:00Z"), ("state", "reserved")]
    {
        expected[member] = json!(value);
    }
    (expected["guests"], expected["sequence"], expected["series"]) = (json!([]), json!(0), Value::Null);
    assert_eq!((status, &shown), (200, &expected));
    let tag = headers["etag"].to_str().unwrap().to_owned();

    // As it is, though it could not be made like this any more.
    world.control.pass_minutes(58);
    let (status, again, _) = send(&world, "PATCH", &path, &json!({})).await;
    assert_eq!((status, again["etag"].to_str().unwrap()), (200, tag.as_str()));
    let change = json!({ "title": null, "divert": null, "duration_min": 45, "max_participants": 40 });
    let (status, headers, changed) = send(&world, "PATCH", &path, &change).await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!((&changed["title"], &changed["ends_at"]), (&Value::Null, &json!("2019-06-20T16:45:00Z")));
    assert_ne!(headers["etag"].to_str().unwrap(), tag);
    let stored = world.store.open_reservations(support::NOW, 5).await.unwrap();
    assert_eq!((stored[0].duration_minutes, stored[0].max_participants, &stored[0].title), (45, 40, &None));
    let conditional = |method: &str| {
        let request = axum::http::Request::builder().method(method).uri(&path).header("If-Match", &tag);
        let request =
            request.header("Content-Type", "application/json").header("Host", "conference.example.com");
        let key = format!("Bearer {}", world.key);
        request.header("Authorization", key).body(axum::body::Body::from("{}")).unwrap()
    };
    for method in ["PATCH", "DELETE"] {
        let response = tower::ServiceExt::oneshot(world.router.clone(), conditional(method)).await.unwrap();
        assert_eq!(response.status(), 412, "{method}");
    }
    let (status, _, problem) = send(&world, "DELETE", &path, &Value::Null).await;
    assert_eq!((status, &problem["code"]), (409, &json!("1203")), "two minutes before its start");
    let (status, _, moved) =
        send(&world, "PATCH", &path, &json!({ "starts_at": "2019-12-24T18:00:30+01:00" })).await;
    assert_eq!((status, &moved["starts_at"]), (200, &json!("2019-12-24T17:00:00Z")));
    let (status, ..) = send(&world, "DELETE", &path, &Value::Null).await;
    assert_eq!(status, 204);
    for method in ["GET", "PATCH", "DELETE"] {
        let (status, _, problem) = send(&world, method, &path, &json!({})).await;
        assert_eq!((status, &problem["code"]), (404, &json!("1102")), "{method}");
    }
}

#[tokio::test]
async fn one_in_progress_is_changed_and_not_removed() {
    let world = World::new().await;
    let token = make(&world, &board("15:10", 60)).await;
    let path = format!("{ALL}/{token}");
    world.control.pass_minutes(20);
    let (_, _, shown) = send(&world, "GET", &path, &Value::Null).await;
    assert_eq!(shown["state"], "holding");
    let (status, _, longer) =
        send(&world, "PATCH", &path, &json!({ "duration_min": 90, "title": "On" })).await;
    assert_eq!(
        (status, &longer["ends_at"], &longer["title"]),
        (200, &json!("2019-06-20T16:40:00Z"), &json!("On"))
    );
    for (change, status, code, pointer) in [
        (json!({ "starts_at": "2019-06-20T17:00:00Z" }), 409, "1201", None),
        (json!({ "duration_min": 481 }), 400, "1001", Some("/duration_min")),
        (json!({ "duration_min": 14 }), 400, "1001", Some("/duration_min")),
        (json!({ "max_participants": 351 }), 400, "1001", Some("/max_participants")),
        (json!({ "title": "" }), 400, "1001", Some("/title")),
        (json!({ "divert": "no name" }), 400, "0005", Some("/divert")),
        (json!({ "conference": "Tea" }), 400, "0005", Some("/conference")),
        (json!({ "starts_at": "soon" }), 400, "0005", Some("/starts_at")),
        (json!({ "starts_at": null }), 400, "0005", Some("/starts_at")),
        (json!({ "state": "active" }), 400, "0005", Some("/state")),
    ] {
        let (got, _, problem) = send(&world, "PATCH", &path, &change).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{change}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"].as_str(), pointer, "{change}: {problem}");
    }
    let (status, _, problem) = send(&world, "DELETE", &path, &Value::Null).await;
    assert_eq!((status, &problem["code"]), (409, &json!("1201")), "{problem}");
    world.control.pass_minutes(76);
    let (status, _, problem) = send(&world, "PATCH", &path, &json!({ "duration_min": 120 })).await;
    assert_eq!((status, &problem["code"]), (409, &json!("1204")), "{problem}");
    assert_eq!(problem["errors"][0]["pointer"], "/duration_min");
    world.control.pass_minutes(5);
    let (status, _, problem) = send(&world, "PATCH", &path, &json!({ "title": "Over" })).await;
    assert_eq!((status, &problem["code"]), (409, &json!("1201")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("completed"), "{problem}");
}

#[tokio::test]
async fn a_name_has_several_and_the_seven_see_the_one_whose_turn_it_is() {
    let world = World::new().await;
    let second = make(&world, &board("16:00", 60)).await;
    let first = make(&world, &board("15:10", 50)).await;
    let next_year = json!({ "conference": "Board", "max_participants": 40, "starts_at": "2020-06-19T15:00:00Z", "duration_min": 480 });
    let third = make(&world, &next_year).await;
    for (at, duration, is_free) in [("15:30", 15, false), ("16:59", 15, false), ("17:00", 15, true)] {
        let (status, _, answer) = send(&world, "POST", ALL, &board(at, duration)).await;
        assert_eq!(status, if is_free { 201 } else { 409 }, "{at}: {answer}");
        if !is_free {
            assert_eq!(
                (&answer["code"], &answer["errors"][0]["pointer"]),
                (&json!("1202"), &json!("/conference"))
            );
        }
    }
    let list = |query: &'static str| {
        let world = &world;
        async move {
            let (status, list) = world.get(&format!("{ALL}?{query}")).await;
            assert_eq!(status, 200, "{query}: {list}");
            let tokens =
                list["items"].as_array().unwrap().iter().map(|one| one["token"].as_str().unwrap().to_owned());
            (tokens.collect::<Vec<_>>(), list["next"].as_str().map(str::to_owned))
        }
    };
    let (all, _) = list("").await;
    assert_eq!((all.len(), &all[..2], &all[3]), (4, &[first.clone(), second.clone()][..], &third));
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let (_, page) = world.get(&format!("{ALL}?limit=3{cursor}")).await;
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|one| one["token"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, all);
    assert_eq!(
        list("from=2019-06-20T15:59:00Z&to=2019-06-20T16:00:00Z").await.0,
        std::slice::from_ref(&first)
    );
    assert_eq!(list("from=2020-01-01T00:00:00Z&conference=Board").await.0, std::slice::from_ref(&third));
    assert_eq!(list("conference=Tea").await.0, [""; 0]);
    assert_eq!(list("state=holding").await.0, [""; 0]);
    for query in ["from=today", "state=open", "limit=0", "cursor=YWJj", "name=Board"] {
        assert_eq!(world.get(&format!("{ALL}?{query}")).await.0, 400, "{query}");
    }

    // One line for the name, and one of a name at a time.
    let line = |world_list: &Value| {
        (world_list.as_array().unwrap().len(), world_list[0]["reservation_token"].clone())
    };
    let (_, seven) = world.get("/conference_list").await;
    assert_eq!(line(&seven), (1, json!(first)));
    let create = "/conference_reservation_create?conference_name=Board&max_participants=40&start_time=2019-06-21_10:00:00&duration=15";
    assert_eq!(world.code(create).await, (409, "1202".to_owned()));
    let modify = format!("/conference_reservation_modify?reservation_token={first}&duration=15");
    assert_eq!(world.code(&modify).await, (409, "1202".to_owned()), "the next one begins");
    world.control.pass_minutes(10);
    assert_eq!(list("state=holding").await.0, std::slice::from_ref(&first));
    world.control.enter(world.account, "Board", "a.1");
    let participants = |token: &str| format!("/conference_participant_list?reservation_token={token}");
    let (_, of_first) = world.get(&participants(&first)).await;
    let (_, of_second) = world.get(&participants(&second)).await;
    assert_eq!(
        (&of_first["status"], of_first["participants"].as_array().unwrap().len()),
        (&json!("HOLDING"), 1)
    );
    assert_eq!(of_second, json!({ "status": "RESERVED", "participants": [] }));
    world.control.pass_minutes(50);
    let (_, seven) = world.get("/conference_list").await;
    assert_eq!(line(&seven), (1, json!(second)));
    assert_eq!(
        world.get(&participants(&first)).await.1,
        json!({ "status": "COMPLETED", "participants": [] })
    );
    let (_, shown) = world.get("/v1/conferences/Board").await;
    assert_eq!((&shown["ends_at"], &shown["waiting"]), (&json!("2019-06-20T17:00:00Z"), &json!(0)));
}

#[tokio::test]
async fn what_is_wrong_is_named_member_by_member() {
    let world = World::new().await;
    let wrong = json!({ "conference": "my board", "max_participants": 39, "starts_at": "2019-06-20T15:04:59Z",
        "duration_min": 481, "title": "a\nb" });
    let (status, _, problem) = send(&world, "POST", ALL, &wrong).await;
    assert_eq!((status, &problem["code"]), (400, &json!("1001")), "{problem}");
    let pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|one| one["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/conference", "/max_participants", "/starts_at", "/duration_min", "/title"]);
    assert_eq!(
        problem["errors"][2]["detail"],
        "must be at least 5 minutes and at most 366 days in the future"
    );
    for (body, pointer) in [
        (json!({}), "/conference"),
        (json!({ "conference": "Board", "max_participant": 40 }), "/max_participant"),
        (json!([]), ""),
    ] {
        let (status, _, problem) = send(&world, "POST", ALL, &body).await;
        assert_eq!((status, &problem["code"]), (400, &json!("0005")), "{body}");
        let errors = problem["errors"].as_array().unwrap();
        assert!(errors.iter().any(|one| one["pointer"] == pointer), "{body}: {problem}");
    }
    // Another account's are none.
    let token = make(&world, &board("16:00", 30)).await;
    let (_, key) = world.store.create_account_login("3-4-5/eve@example.com").await.unwrap();
    let credentials = format!("3-4-5/eve@example.com:{}", key.as_str());
    for method in ["GET", "PATCH", "DELETE"] {
        let path = format!("{ALL}/{token}");
        let (status, ..) = world.send_as(&credentials, method, &path, "application/json", "{}").await;
        assert_eq!(status, 404, "{method}");
    }
}

#[tokio::test]
async fn what_is_left_is_told_and_what_is_short_is_named_with_its_time() {
    let limits = ReservationLimits { capacity: 200, ..ReservationLimits::default() };
    let world = World::with_limits(limits).await;
    make(&world, &board("16:00", 60)).await;
    let mut tea = board("16:30", 60);
    (tea["conference"], tea["max_participants"]) = (json!("Tea"), json!(70));
    make(&world, &tea).await;
    (tea["conference"], tea["max_participants"]) = (json!("Lunch"), json!(71));
    tea["starts_at"] = json!("2019-06-20T15:30:00Z");
    let (status, _, problem) = send(&world, "POST", ALL, &tea).await;
    assert_eq!((status, &problem["code"]), (409, &json!("1206")), "{problem}");
    let error = &problem["errors"][0];
    assert_eq!(error["pointer"], "/max_participants");
    assert_eq!(error["detail"], "only 70 seats are left from 2019-06-20T16:00:00Z to 2019-06-20T16:30:00Z");

    let asked = "/v1/availability?from=2019-06-20T15:00:00Z&to=2019-06-20T18:00:00Z";
    let (status, left) = world.get(asked).await;
    let step = |from: &str, to: &str, seats_left: u32| json!({ "from": format!("2019-06-20T{from}:00Z"), "to": format!("2019-06-20T{to}:00Z"), "seats_left": seats_left });
    let steps = [
        step("15:00", "16:00", 200),
        step("16:00", "16:30", 70),
        step("16:30", "17:00", 0),
        step("17:00", "17:30", 130),
        step("17:30", "18:00", 200),
    ];
    assert_eq!((status, left), (200, json!({ "least": 0, "items": steps, "next": null })));
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = world.get(&format!("{asked}&limit=2{cursor}")).await;
        assert_eq!((status, &page["least"]), (200, &json!(0)), "{page}");
        seen.extend(page["items"].as_array().unwrap().clone());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, steps);
    for query in [
        "",
        "from=2019-06-20T15:00:00Z",
        "from=2019-06-20T15:00:00Z&to=2019-06-20T15:00:00Z",
        "from=2019-06-20T15:00:00Z&to=2020-06-20T15:00:01Z",
        "from=2019-06-20T15:00:00Z&to=2019-06-20T16:00:00Z&cursor=MQ",
        "from=now&to=later",
    ] {
        let (status, problem) = world.get(&format!("/v1/availability?{query}")).await;
        assert_eq!((status, &problem["code"]), (400, &json!("0002")), "{query}: {problem}");
    }
    let (status, _) = world.get("/v1/availability?from=2019-06-20T15:00:00Z&to=2020-06-20T15:00:00Z").await;
    assert_eq!(status, 200);
}

/// RFC 9110, section 13.2.1.
#[tokio::test]
async fn a_precondition_counts_only_where_the_request_would_succeed_without_it() {
    let world = World::new().await;
    let token = make(&world, &board("15:30", 60)).await;
    for (body, status, code) in [
        (json!({}), 412, "1213"),
        (json!({ "duration_min": 481 }), 400, "1001"),
        (json!({ "max_participants": "many" }), 400, "0005"),
        (json!({ "conference": "Tea" }), 400, "0005"),
        (json!({ "nonsense": 1 }), 400, "0005"),
    ] {
        let request = axum::http::Request::builder().method("PATCH").uri(format!("{ALL}/{token}"));
        let request = request.header("If-Match", "\"another\"").header("Content-Type", "application/json");
        let request = request.header("Host", "conference.example.com");
        let request = request.header("Authorization", format!("Bearer {}", world.key));
        let request = request.body(axum::body::Body::from(body.to_string())).unwrap();
        let response = tower::ServiceExt::oneshot(world.router.clone(), request).await.unwrap();
        assert_eq!(response.status(), status, "{body}");
        let answer = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
        let problem: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(problem["code"], code, "{body}: {problem}");
    }
}

#[tokio::test]
async fn a_sale_runs_to_its_end_when_its_client_goes_away() {
    let world = World::new().await;
    let request = ReservationRequest {
        name: ConferenceName::new("Board"),
        max_participants: 130,
        starts_at: NOW.plus_minutes(60),
        duration_minutes: 30,
        divert: None,
        title: None,
        guests: Vec::new(),
        series: None,
    };
    let mut sale = world.control.reserve(world.account, request);
    // The request is dropped before the database has answered.
    let is_pending = poll_fn(|context| Poll::Ready(sale.as_mut().poll(context).is_pending())).await;
    assert!(is_pending);
    drop(sale);
    let listed = async {
        while world.control.list(world.account).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), listed).await.expect("the conferences have it");
    assert_eq!(world.store.open_reservations(NOW, 5).await.unwrap().len(), 1, "and so has the database");
}
