//! The specification's examples, request and response, to the letter.
#![allow(missing_docs)]

mod support;

use serde_json::{Value, json};
use support::World;

#[tokio::test]
async fn reservation_create() {
    let world = World::new().await;
    let (status, headers, body) = world.send("GET", support::EXAMPLE, "", "").await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "application/json"));
    let body: Value = serde_json::from_str(&body).unwrap();
    let token = body["reservation_token"].as_str().unwrap();
    assert_eq!(body.as_object().unwrap().len(), 1);
    assert!(
        token.len() >= 32 && token.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()),
        "{token}"
    );
}

#[tokio::test]
async fn reservation_modify() {
    let world = World::new().await;
    let token = world.example().await;
    let (status, _, body) = world
        .send("GET", &format!("/conference_reservation_modify?reservation_token={token}&duration=45"), "", "")
        .await;
    assert_eq!((status, body.as_str()), (200, r#"{"extended":true}"#));
    assert_eq!(world.get("/conference_list").await.1[0]["duration"], 75);
}

#[tokio::test]
async fn reservation_remove() {
    let world = World::new().await;
    let token = world.example().await;
    let path = format!("/conference_reservation_remove?reservation_token={token}");
    let (status, _, body) = world.send("GET", &path, "", "").await;
    assert_eq!((status, body.as_str()), (200, r#"{"removed":true}"#));
    assert_eq!(world.get("/conference_list").await, (200, json!([])));
    assert_eq!(world.code(&path).await, (404, "1102".into()));
}

#[tokio::test]
async fn list() {
    let world = World::new().await;
    let token = world.example().await;
    world.control.enter(world.account, "AnotherConf2", "a.1");
    world.control.enter(world.account, "AnotherConf2", "a.2");
    world.control.enter(world.account, "MyConf1", "a.3");
    let (_, _, body) = world.send("GET", "/conference_list", "", "").await;
    let expected = format!(
        r#"[{{"conference_name":"AnotherConf2","max_participants":40,"status":"ACTIVE"}},{{"conference_name":"MyConf1","max_participants":40,"status":"HOLDING"}},{{"reservation_token":"{token}","conference_name":"MyConferenceRoom","max_participants":130,"start_time":"2019-06-20-15-15","start_datetime":"2019-06-20_15:15:00","duration":30,"divert":"MyEarlyAnnouncement","status":"RESERVED"}}]"#
    );
    assert_eq!(body, expected);
}

#[tokio::test]
async fn the_list_through_the_life_of_a_reservation() {
    let world = World::new().await;
    world.example().await;
    let without_divert = "/conference_reservation_create?conference_name=Other&max_participants=40&start_time=2019-06-21-10-30&duration=15";
    assert_eq!(world.get(without_divert).await.0, 200);
    let list = world.get("/conference_list").await.1;
    assert!(list[1].get("divert").is_none(), "present only where it was given");
    assert_eq!(list[1]["start_datetime"], "2019-06-21_10:30:00");
    for (minutes, status) in [(14, "RESERVED"), (1, "HOLDING"), (30, "COMPLETED"), (4, "COMPLETED")] {
        world.control.pass_minutes(minutes);
        let list = world.get("/conference_list").await.1;
        assert_eq!((list[0]["status"].as_str(), list[0].as_object().unwrap().len()), (Some(status), 8));
        let participants = world.get("/conference_participant_list?conference_name=MyConferenceRoom").await;
        assert_eq!(participants, (200, json!({ "status": status, "participants": [] })));
    }
    world.control.pass_minutes(1);
    assert_eq!(world.get("/conference_list").await.1.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn participant_list() {
    let world = World::new().await;
    world.control.enter(world.account, "MyConf1", "01234567a1b1c1c1.12345x0");
    world.control.enter(world.account, "MyConf1", "01234567a1b1c1c2.234");
    let set = "/conference_participant_set_options?conference_name=MyConf1&participant_id=01234567a1b1c1c1.12345x0&muted=true&dtmf_enabled=false";
    let (_, _, body) = world.send("GET", set, "", "").await;
    assert_eq!(body, r#"{"options_set":true}"#);
    let (_, _, body) =
        world.send("GET", "/conference_participant_list?conference_name=MyConf1", "", "").await;
    assert_eq!(
        body,
        r#"{"status":"ACTIVE","participants":[{"participant_id":"01234567a1b1c1c1.12345x0","muted":true,"dtmf_enabled":false},{"participant_id":"01234567a1b1c1c2.234","muted":false,"dtmf_enabled":true}]}"#
    );
}

#[tokio::test]
async fn participant_eject() {
    let world = World::new().await;
    for participant in ["a.1", "a.2", "a.3"] {
        world.control.enter(world.account, "MyConf1", participant);
    }
    let eject =
        |id: &str| format!("/conference_participant_eject?conference_name=MyConf1&participant_id={id}");
    let (_, _, body) = world.send("GET", &eject("a.1"), "", "").await;
    assert_eq!(body, r#"{"ejected":true}"#);
    assert_eq!(world.code(&eject("a.1")).await, (404, "1103".into()));
    assert_eq!(world.get(&eject("a.2")).await.0, 200);
    assert_eq!(world.code(&eject("a.3")).await, (409, "1201".into()), "alone, so it is HOLDING");
}

#[tokio::test]
async fn a_token_names_a_conference_as_well() {
    let world = World::new().await;
    let token = world.example().await;
    world.control.pass_minutes(15);
    world.control.enter(world.account, "MyConferenceRoom", "a.1");
    world.control.enter(world.account, "MyConferenceRoom", "a.2");
    let by =
        |which: String| format!("/conference_participant_set_options?{which}&participant_id=a.1&muted=true");
    assert_eq!(world.get(&by(format!("reservation_token={token}"))).await.0, 200);
    assert_eq!(
        world.get(&by(format!("reservation_token={token}&conference_name=MyConferenceRoom"))).await.0,
        200
    );
    assert_eq!(
        world.code(&by(format!("reservation_token={token}&conference_name=Other"))).await,
        (400, "1002".into())
    );
    assert_eq!(world.code(&by("reservation_token=NONE".into())).await, (404, "1102".into()));
    assert_eq!(world.code(&by("conference_name=None".into())).await, (404, "1101".into()));
}

#[tokio::test]
async fn get_form_multipart_and_json_are_equal() {
    let world = World::new().await;
    let form = |name: &str| {
        format!("conference_name={name}&max_participants=40&start_time=2019-06-20-16-00&duration=15")
    };
    let path = "/conference_reservation_create";
    let status = |answer: (u16, axum::http::HeaderMap, String)| (answer.0, answer.2);
    let urlencoded = "application/x-www-form-urlencoded; charset=utf-8";
    assert_eq!(status(world.send("POST", path, urlencoded, &form("A")).await).0, 200);
    assert_eq!(status(world.send("POST", &format!("{path}?{}", form("B")), "", "").await).0, 200);
    let json = r#"{"conference_name": "C", "max_participants": 40, "start_time": "2019-06-20_16:00:30", "duration": "15", "divert": null}"#;
    let answer = status(world.send("POST", path, "application/json", json).await);
    assert_eq!(answer.0, 200, "{}", answer.1);
    let parts = [
        ("conference_name", "D"),
        ("max_participants", "40"),
        ("start_time", "2019-06-20-16-00"),
        ("duration", "15"),
    ];
    let multipart: String = parts
        .iter()
        .map(|(name, value)| {
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        })
        .chain(["--x--\r\n".to_owned()])
        .collect();
    let answer = status(world.send("POST", path, "multipart/form-data; boundary=x", &multipart).await);
    assert_eq!(answer.0, 200, "{}", answer.1);
    let list = world.get("/conference_list").await.1;
    assert_eq!(list.as_array().unwrap().len(), 4);
    assert_eq!(list[2]["start_datetime"], "2019-06-20_16:00:00", "rounded down to the minute");
}
