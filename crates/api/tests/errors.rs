//! Every parameter, missing, empty, malformed, given twice, zero, out of range; and what is no parameter's fault.
#![allow(missing_docs)]

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use support::World;

const CREATE: [(&str, &str); 4] = [
    ("conference_name", "Board"),
    ("max_participants", "40"),
    ("start_time", "2019-06-20-16-00"),
    ("duration", "15"),
];

fn create(change: impl Fn(&str, &str) -> Vec<String>) -> String {
    let pairs: Vec<String> = CREATE
        .iter()
        .flat_map(|(name, value)| change(name, value).into_iter().map(move |value| format!("{name}={value}")))
        .collect();
    format!("/conference_reservation_create?{}", pairs.join("&"))
}

/// The request with one parameter replaced.
fn with(parameter: &str, values: &[&str]) -> String {
    create(|name, value| {
        if name == parameter {
            values.iter().map(|value| (*value).to_owned()).collect()
        } else {
            vec![value.to_owned()]
        }
    })
}

#[tokio::test]
async fn each_parameter_of_a_reservation() {
    let world = World::new().await;
    for (parameter, value, code) in [
        ("conference_name", "My%20Room", "0002"),
        ("conference_name", "x".repeat(48).as_str(), "0002"),
        ("conference_name", "%ff", "0002"),
        ("max_participants", "many", "0002"),
        ("max_participants", "-40", "0002"),
        ("max_participants", "40.5", "0002"),
        ("max_participants", "0", "0004"),
        ("max_participants", "39", "1001"),
        ("max_participants", "351", "1001"),
        ("max_participants", "99999999999999999999", "1001"),
        ("start_time", "tomorrow", "0002"),
        ("start_time", "2019-02-30-10-00", "0002"),
        ("start_time", "2019-06-20-15-04", "1001"),
        ("start_time", "2019-06-21_15:00:01", "1001"),
        ("start_time", "2018-06-20-16-00", "1001"),
        ("duration", "half", "0002"),
        ("duration", "0", "0004"),
        ("duration", "14", "1001"),
        ("duration", "481", "1001"),
    ] {
        let (status, body) = world.get(&with(parameter, &[value])).await;
        assert_eq!(
            (status, body["error"]["code"].as_str()),
            (400, Some(code)),
            "{parameter}={value}: {body}"
        );
        let text = body["error"]["text"].as_str().unwrap();
        assert!(text.starts_with(parameter), "{parameter}={value}: {text}");
        assert!(body["error"].get("details").is_none(), "one mistake needs no list");
    }
    let good = create(|_, value| vec![value.to_owned()]);
    for divert in ["%00", "Early%00Birds", "two%20words", "x".repeat(129).as_str()] {
        let (status, body) = world.get(&format!("{good}&divert={divert}")).await;
        assert_eq!((status, &body["error"]["code"]), (400, &"0002".into()), "{divert}: {body}");
        let text = body["error"]["text"].as_str().unwrap();
        assert_eq!(text, "divert must be the name of an inbound service");
    }
    for (parameter, value) in CREATE {
        assert_eq!(world.code(&with(parameter, &[])).await, (400, "0001".into()), "{parameter} missing");
        assert_eq!(world.code(&with(parameter, &[""])).await, (400, "0001".into()), "{parameter} empty");
        assert_eq!(
            world.code(&with(parameter, &[value, value])).await,
            (400, "0003".into()),
            "{parameter} twice"
        );
    }
    assert_eq!(world.get("/conference_list").await.1, json!([]), "nothing came of any of these");
    let (status, _) =
        world.get(&format!("{}&unknown=1&unknown=2", create(|_, value| vec![value.to_owned()]))).await;
    assert_eq!(status, 200, "extra parameters are ignored");
}

#[tokio::test]
async fn all_that_is_wrong_is_told_together() {
    let world = World::new().await;
    let (status, body) = world
        .get("/conference_reservation_create?conference_name=-&max_participants=0&start_time=2019-06-20-15-00&duration=1&duration=2")
        .await;
    let error = &body["error"];
    assert_eq!((status, error["code"].as_str()), (400, Some("0003")), "{body}");
    let details: Vec<&str> =
        error["details"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    for parameter in ["conference_name", "max_participants", "start_time", "duration"] {
        assert_eq!(details.iter().filter(|text| text.starts_with(parameter)).count(), 1, "{details:?}");
    }
    let (_, body) = world.get("/conference_reservation_create?max_participants=30").await;
    assert_eq!(body["error"]["code"], "0001");
    assert_eq!(body["error"]["details"].as_array().unwrap().len(), 4, "{body}");
}

#[tokio::test]
async fn an_error_has_its_whole_form() {
    let world = World::new().await;
    let (_, body) = world.get("/conference_reservation_modify").await;
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&body), BTreeSet::from(["error".into(), "request".into()]));
    assert_eq!(
        keys(&body["error"]),
        ["code", "text", "details", "datetime", "link"].map(String::from).into()
    );
    assert_eq!(body["error"]["datetime"], "2019-06-20_15:00:00");
    assert_eq!(body["error"]["link"], "https://conference.example.com/docs/errors#0001");
    assert_eq!(
        body["request"],
        json!({ "url": "/conference_reservation_modify", "datetime": "2019-06-20_15:00:00" })
    );
}

#[tokio::test]
async fn what_cannot_be_done_now() {
    let world = World::new().await;
    let token = world.example().await;
    assert_eq!(world.code(support::EXAMPLE).await, (409, "1202".into()));
    world.control.enter(world.account, "Board", "a.1");
    assert_eq!(
        world.code(&create(|_, value| vec![value.to_owned()])).await,
        (409, "1202".into()),
        "people are in it"
    );
    let remove = format!("/conference_reservation_remove?reservation_token={token}");
    let modify =
        |minutes: u32| format!("/conference_reservation_modify?reservation_token={token}&duration={minutes}");
    assert_eq!(world.code(&modify(0)).await, (400, "0004".into()));
    assert_eq!(world.code(&modify(14)).await, (400, "1001".into()));
    assert_eq!(world.code(&modify(61)).await, (400, "1001".into()));
    world.control.pass_minutes(10);
    assert_eq!(world.code(&remove).await, (409, "1203".into()));
    world.control.pass_minutes(5);
    assert_eq!(world.code(&remove).await, (409, "1201".into()));
    world.control.pass_minutes(25);
    assert_eq!(world.code(&modify(15)).await, (409, "1204".into()));
    world.control.pass_minutes(5);
    assert_eq!(world.code(&modify(15)).await, (409, "1201".into()));
    let eject = "/conference_participant_eject?conference_name=MyConferenceRoom&participant_id=a.1";
    assert_eq!(world.code(eject).await, (409, "1201".into()));
    assert_eq!(
        world.code("/conference_participant_eject?conference_name=Nobody&participant_id=a.1").await,
        (404, "1101".into())
    );
}

#[tokio::test]
async fn a_conference_does_not_grow_beyond_its_limit() {
    let world = World::new().await;
    let long = "/conference_reservation_create?conference_name=Long&max_participants=40&start_time=2019-06-20-16-00&duration=460";
    let token = world.get(long).await.1["reservation_token"].as_str().unwrap().to_owned();
    let modify =
        |minutes: u32| format!("/conference_reservation_modify?reservation_token={token}&duration={minutes}");
    assert_eq!(world.code(&modify(21)).await, (409, "1205".into()));
    assert_eq!(world.get(&modify(20)).await.0, 200);
}

#[tokio::test]
async fn seats_run_out() {
    let limits = plenary_conference::ReservationLimits { capacity: 100, ..Default::default() };
    let world = World::with_limits(limits).await;
    let book = |name: &str, seats: u32, start: &str| {
        format!(
            "/conference_reservation_create?conference_name={name}&max_participants={seats}&start_time={start}&duration=60"
        )
    };
    assert_eq!(world.get(&book("A", 60, "2019-06-20-16-00")).await.0, 200);
    let (status, body) = world.get(&book("B", 50, "2019-06-20-16-30")).await;
    assert_eq!((status, body["error"]["code"].as_str()), (409, Some("1206")));
    assert!(body["error"]["text"].as_str().unwrap().contains("40"), "{body}");
    assert_eq!(world.get(&book("C", 40, "2019-06-20-16-30")).await.0, 200);
    assert_eq!(
        world.get(&book("B", 50, "2019-06-20-17-30")).await.0,
        200,
        "the name was not lost with the seats"
    );
}

#[tokio::test]
async fn options_need_one_of_the_two_and_plain_words() {
    let world = World::new().await;
    world.control.enter(world.account, "Tea", "a.1");
    world.control.enter(world.account, "Tea", "a.2");
    let set = |rest: &str| {
        format!("/conference_participant_set_options?conference_name=Tea&participant_id=a.1{rest}")
    };
    assert_eq!(world.code(&set("")).await, (400, "0001".into()));
    assert_eq!(world.code(&set("&muted=")).await, (400, "0001".into()));
    assert_eq!(world.code(&set("&muted=yes")).await, (400, "0002".into()));
    assert_eq!(world.code(&set("&muted=true&muted=true")).await, (400, "0003".into()));
    assert_eq!(world.get(&set("&muted=TRUE")).await.0, 200);
    assert_eq!(world.get(&set("&dtmf_enabled=false")).await.0, 200);
    assert_eq!(
        world.code("/conference_participant_set_options?participant_id=a.1&muted=true").await,
        (400, "0001".into())
    );
    assert_eq!(
        world.code("/conference_participant_set_options?conference_name=Tea&muted=true").await,
        (400, "0001".into())
    );
    assert_eq!(world.code("/conference_participant_list").await, (400, "0001".into()));
}

#[tokio::test]
async fn what_is_no_parameters_fault() {
    let world = World::new().await;
    for credentials in ["", "bob:x", "1-2-0/bob@example.com:wrong", "1-2-0/eve@example.com:x"] {
        let (status, headers, body) = world.send_as(credentials, "GET", "/conference_list", "", "").await;
        assert_eq!(status, 401, "{credentials}");
        assert!(headers["www-authenticate"].to_str().unwrap().starts_with("Basic realm="));
        assert!(body.contains("\"HTTP 401\""), "{body}");
    }
    for (method, path, allow) in [
        ("DELETE", "/conference_list", "GET, HEAD, POST"),
        ("PUT", "/conference_participant_eject", "GET, POST"),
        ("POST", "/service/v1/inbound", "GET, HEAD"),
        ("POST", "/service/v1/inbound/x", "GET, HEAD, PUT, PATCH, DELETE"),
    ] {
        let (status, headers, body) = world.send(method, path, "", "").await;
        assert_eq!((status, headers["allow"].to_str().unwrap()), (405, allow), "{method} {path}");
        assert!(body.contains("\"HTTP 405\""));
    }
    for path in ["/nothing", "/service/v1/inbound/", "/service/v1/inbound/a/b", "/docs/none"] {
        assert_eq!(world.code(path).await, (404, "HTTP 404".into()), "{path}");
    }
    let (status, _, body) = world.send("POST", "/conference_list", "text/plain", "hello").await;
    assert_eq!(status, 415, "{body}");
    let (status, _, body) = world
        .send("POST", "/conference_list", "application/x-www-form-urlencoded", &"x".repeat(70_000))
        .await;
    assert_eq!(status, 413, "{body}");
    for broken in ["{", "[]", "1", r#"{"reservation_token": }"#] {
        let (status, _, body) =
            world.send("POST", "/conference_reservation_remove", "application/json", broken).await;
        assert_eq!(status, 400, "{body}");
        assert!(body.contains("\"0002\""), "{body}");
    }
    let twice = r#"{"reservation_token": "A", "reservation_token": "B"}"#;
    let (_, _, body) = world.send("POST", "/conference_reservation_remove", "application/json", twice).await;
    assert!(body.contains("\"0003\""), "{body}");
    let both = world
        .send(
            "POST",
            "/conference_reservation_remove?reservation_token=A",
            "application/x-www-form-urlencoded",
            "reservation_token=A",
        )
        .await;
    assert!(both.2.contains("\"0003\""), "in the query and in the body is twice");
}

#[tokio::test]
async fn every_code_is_explained_on_the_page() {
    let world = World::new().await;
    let (status, headers, page) = world.send_as("", "GET", "/docs/errors", "", "").await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "text/html; charset=utf-8"));
    for code in plenary_api::CODES {
        assert!(
            page.contains(&format!("id=\"{}\"", code.code)),
            "{} has no entry in docs/errors.md",
            code.code
        );
        assert!(
            page.contains(&format!("{} {}", code.code, code.title)),
            "{}: the heading is not `{}`",
            code.code,
            code.title
        );
    }
    assert_eq!(world.send_as("", "GET", "/docs/web-services", "", "").await.0, 200);
    assert_eq!(world.send_as("", "GET", "/healthz", "", "").await.2, "ok\n");
    assert_eq!(world.send_as("", "GET", "/livez", "", "").await.2, "ok\n");
}
