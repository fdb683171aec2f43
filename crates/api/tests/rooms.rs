//! Rooms over HTTP.
#![allow(missing_docs)]

mod support;

use axum::http::Request;
use plenary_store::{PinCaller, PinOutcome, PinSource};
use serde_json::{Value, json};
use support::World;

const ROOM: &str = "/v1/rooms/1001";

async fn send(world: &World, method: &str, path: &str, body: Value) -> (u16, Value) {
    let (status, _, text) = world.send(method, path, "application/json", &body.to_string()).await;
    (status, serde_json::from_str(&text).unwrap_or_default())
}

async fn pin(world: &World, pin: &str) -> PinOutcome {
    let caller =
        PinCaller { source: PinSource::Address("192.0.2.1".parse().unwrap()), name: None, call: None };
    world.store.check_pin(world.account, "1001", pin, caller, support::NOW).await.unwrap().outcome
}

#[tokio::test]
async fn a_room_is_made_shown_merged_and_deleted_and_its_pins_are_never_shown() {
    let world = World::new().await;
    assert_eq!(world.get(ROOM).await.1["code"], "1110");
    let body = json!({"conference": "Board", "pin": "482913", "leader_pin": "70215548", "announce": "name",
        "menu": {"*6": "mute"}});
    let (status, shown) = send(&world, "PUT", ROOM, body).await;
    assert_eq!(status, 201, "{shown}");
    let times = (shown["created_at"].clone(), shown["updated_at"].clone());
    assert_eq!(
        shown,
        json!({"number": "1001", "conference": "Board", "announce": "name", "menu": {"*6": "mute"}, "has_pin": true,
            "has_leader_pin": true, "created_at": times.0, "updated_at": times.1})
    );
    assert_eq!(world.get(ROOM).await, (200, shown.clone()));
    assert_eq!(world.get("/v1/rooms").await.1["items"], json!([shown]));
    assert_eq!(pin(&world, "482913").await, PinOutcome::Right { leader: false });

    // What GET shows, PUT takes, and the PINs are still there.
    let (status, again) = send(&world, "PUT", ROOM, shown).await;
    assert_eq!((status, &again["has_pin"], &again["has_leader_pin"]), (200, &json!(true), &json!(true)));
    assert_eq!(pin(&world, "70215548").await, PinOutcome::Right { leader: true });
    let (status, changed) =
        send(&world, "PATCH", ROOM, json!({"pin": null, "lobby": true, "announce": null})).await;
    assert_eq!((status, &changed["has_pin"], &changed["lobby"]), (200, &json!(false), &json!(true)));
    assert!(changed["has_leader_pin"] == true && changed.get("announce").is_none(), "{changed}");
    let (_, replaced) = send(&world, "PUT", ROOM, json!({"conference": "Tea"})).await;
    assert_eq!((&replaced["has_leader_pin"], replaced.get("lobby")), (&json!(false), None));

    assert_eq!(send(&world, "DELETE", ROOM, Value::Null).await.0, 204);
    assert_eq!(send(&world, "DELETE", ROOM, Value::Null).await.1["code"], "1110");
    assert_eq!(send(&world, "PATCH", ROOM, json!({})).await.1["code"], "1110");
}

#[tokio::test]
async fn a_time_zone_is_kept_and_a_misspelt_one_is_told_the_nearest() {
    let world = World::new().await;
    let room = |zone: &str| json!({"conference": "Board", "time_zone": zone});
    let (status, shown) = send(&world, "PUT", ROOM, room("Europe/Berlin")).await;
    assert_eq!((status, &shown["time_zone"]), (201, &json!("Europe/Berlin")), "{shown}");
    let (status, problem) = send(&world, "PUT", ROOM, room("Europe/Berlim")).await;
    let detail =
        "must be the IANA name of a time zone, as in `Europe/London` or `UTC`; did you mean `Europe/Berlin`?";
    assert_eq!((status, &problem["errors"][0]["detail"]), (400, &json!(detail)), "{problem}");
}

#[tokio::test]
async fn a_bad_room_names_each_member_repeats_no_pin_and_changes_nothing() {
    let world = World::new().await;
    for (path, body, pointers) in [
        (ROOM, json!([]), vec![""]),
        (ROOM, json!({}), vec!["/conference"]),
        (ROOM, json!({"conference": "a b", "pin": "482-913"}), vec!["/conference", "/pin"]),
        (ROOM, json!({"conference": "A", "pin": 482913}), vec!["/pin"]),
        (ROOM, json!({"conference": "A", "pin": "482913", "leader_pin": "482913"}), vec!["/leader_pin"]),
        (ROOM, json!({"conference": "A", "has_pin": true}), vec!["/pin"]),
        (ROOM, json!({"conference": "A", "menu": {"*6": "mut"}}), vec!["/menu/*6"]),
        (ROOM, json!({"conference": "A", "music": ["sound:hold", "sound:.x"]}), vec!["/music/1"]),
        (ROOM, json!({"conference": "A", "number": "1002"}), vec!["/number"]),
        (ROOM, json!({"conference": "A", "time_zone": "Europe/Nowhere"}), vec!["/time_zone"]),
        (
            ROOM,
            json!({"conference": "A", "participant": {"inband_dtmf": "on"}}),
            vec!["/participant/inband_dtmf"],
        ),
        ("/v1/rooms/1001a", json!({"conference": "A", "pin": "482913"}), vec!["/number"]),
    ] {
        let (status, problem) = send(&world, "PUT", path, body.clone()).await;
        assert_eq!((status, &problem["code"]), (400, &json!("0005")), "{body}: {problem}");
        let errors = problem["errors"].as_array().unwrap();
        let given: Vec<&str> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        assert_eq!(given, pointers, "{body}: {problem}");
        assert!(!problem.to_string().contains("482"), "{problem}");
    }
    assert_eq!(world.get("/v1/rooms").await.1["items"], json!([]));
    assert_eq!(send(&world, "PUT", ROOM, json!({"conference": "A", "leader_pin": "482913"})).await.0, 201);
    let (status, problem) = send(&world, "PATCH", ROOM, json!({"pin": "482913"})).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (400, &json!("/leader_pin")), "{problem}");
    assert_eq!(
        send(&world, "PATCH", ROOM, json!({"conference": null})).await.1["errors"][0]["pointer"],
        "/conference"
    );
}

/// Two who change the same room: the second learns that it read an older version, also where only the PIN is another.
#[tokio::test]
async fn of_two_changes_of_one_version_one_is_made() {
    let world = World::new().await;
    let put = |body: &'static str, name: &'static str, tag: String| {
        let bearer = format!("Bearer {}", world.key);
        let request =
            Request::put(ROOM).header("Host", "a").header(name, tag).header("Authorization", bearer);
        let request = request.header("Content-Type", "application/json").body(axum::body::Body::from(body));
        let answer = tower::ServiceExt::oneshot(world.router.clone(), request.unwrap());
        async move {
            let answer = answer.await.unwrap();
            let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
            (answer.status().as_u16(), tag)
        }
    };
    let (status, tag) = put(r#"{"conference": "A", "pin": "4711"}"#, "if-none-match", "*".into()).await;
    let first = tag.unwrap();
    assert_eq!(status, 201);
    let (status, tag) = put(r#"{"conference": "A", "pin": "4712"}"#, "if-match", first.clone()).await;
    assert!(status == 200 && tag.is_some_and(|tag| tag != first));
    assert_eq!(put(r#"{"conference": "A", "pin": "4713"}"#, "if-match", first).await, (412, None));
    assert_eq!(pin(&world, "4712").await, PinOutcome::Right { leader: false });
}

#[tokio::test]
async fn other_accounts_have_rooms_of_their_own() {
    let world = World::new().await;
    assert_eq!(send(&world, "PUT", ROOM, json!({"conference": "Board"})).await.0, 201);
    let (_, key) = world.store.create_account_login("2-2-2/eve@example.com").await.unwrap();
    let bearer = format!("Bearer {}", key.as_str());
    for (method, body, expected) in [
        ("GET", "", 404),
        ("PATCH", "{}", 404),
        ("DELETE", "", 404),
        ("PUT", r#"{"conference": "Eve"}"#, 201),
    ] {
        let (status, ..) = world.send_with(&bearer, method, ROOM, "application/json", body).await;
        assert_eq!(status, expected, "{method}");
        assert_eq!(world.send_as("", method, ROOM, "application/json", body).await.0, 401, "{method}");
    }
    assert_eq!(world.get(ROOM).await.1["conference"], "Board", "as it was");
}
