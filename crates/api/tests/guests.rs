//! Guests' links: made, listed without their codes, opened without an account, in mails and calendars, and worth nothing beside
//! that.
#![allow(missing_docs)]

mod support;

use plenary_api::ConferenceControl as _;
use plenary_model::{ConferenceName, KeySettings, Role, Scope, Scopes, Token};
use serde_json::{Value, json};
use support::{
    World,
    browser::{Answer, OWN, ask, by, own},
};

/// A world with a service by which guests come.
async fn world() -> World {
    let world = World::new().await;
    let service = json!({"conference": {"name": "{rest}", "menu": {"*6": "mute"}},
        "access": {"networks": [], "tokens": true}});
    world.store.put_service(world.account, "conf-*", &service).await.unwrap();
    world
}

async fn make(world: &World, body: Value) -> (i64, String) {
    let made = own(world, "POST", "/v1/guest-links", Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let path = made.body["path"].as_str().unwrap();
    (made.body["id"].as_i64().unwrap(), path.strip_prefix("/join/").unwrap().to_owned())
}

async fn open(world: &World, code: &str) -> Answer {
    ask(world, "POST", "/v1/guest-links/open", &[OWN], Some(json!({"code": code}))).await
}

/// What the code is worth in a call.
async fn in_a_call(world: &World, code: &str) -> Token {
    world.store.check_token(code, world.control.now()).await.unwrap()
}

fn is_good(token: &Token) -> bool {
    matches!(token, Token::Guest(guest) if !guest.is_early)
}

async fn reserve(world: &World, conference: &str) -> String {
    let body = json!({"conference": conference, "max_participants": 50, "starts_at": "2019-06-20T15:15:00Z",
        "duration_min": 30, "title": "Weekly"});
    let made = own(world, "POST", "/v1/reservations", Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_link_says_what_it_leads_to_without_an_account() {
    let world = world().await;
    own(&world, "PUT", "/v1/rooms/1001", Some(json!({"conference": "Board", "pin": "482913"}))).await;
    let (_, code) = make(&world, json!({"conference": "Board", "label": "Ann"})).await;
    let opened = open(&world, &code).await;
    assert_eq!(opened.status, 200, "{}", opened.text);
    assert_eq!(
        opened.body,
        json!({"title": "Board", "starts_at": null, "ends_at": null, "service": "conf-Board", "keys": true,
            "number": null, "room": "1001", "has_pin": true})
    );
    assert!(!opened.headers.contains_key("set-cookie"), "nobody is signed in by it");
    assert!(is_good(&in_a_call(&world, &code).await));
    let ways = own(&world, "GET", "/v1/conferences/Board/ways", None).await;
    assert_eq!((&ways.body["service"], &ways.body["room"]), (&json!("conf-Board"), &json!("1001")));
    let log =
        world.store.audit(&plenary_store::AuditQuery { limit: 10, ..Default::default() }).await.unwrap();
    let made = log.iter().find(|(_, entry)| entry.path == "/v1/guest-links").expect("an entry");
    assert_eq!(made.1.request.as_ref().unwrap()["label"], "Ann");
    assert!(!format!("{log:?}").contains(&code), "no code is in the log");
}

#[tokio::test]
async fn no_room_number_is_named_where_the_entry_asks_for_none() {
    let world = world().await;
    let room = async |number: &str| {
        own(
            &world,
            "PUT",
            &format!("/v1/rooms/{number}"),
            Some(json!({"conference": "Board", "pin": "482913"})),
        )
        .await
    };
    let ways = async || {
        let ways = own(&world, "GET", "/v1/conferences/Board/ways", None).await.body;
        (ways["room"].clone(), ways["has_pin"].clone())
    };
    let entry = async |name: &str, rooms: Value| {
        let body = json!({"entry": {"rooms": rooms}});
        world.store.put_service(world.account, name, &body).await.unwrap();
    };
    room("1001").await;
    assert_eq!(ways().await, (json!("1001"), json!(true)), "no entry leads there");
    // The first installation: every room, and there is one.
    entry("+441908273800", json!(true)).await;
    assert_eq!(ways().await, (Value::Null, json!(true)));
    let (_, code) = make(&world, json!({"conference": "Board"})).await;
    assert_eq!(open(&world, &code).await.body["room"], Value::Null);
    room("1002").await;
    assert_eq!(ways().await.0, json!("1001"));
    entry("+441908273800", json!(["1001"])).await;
    assert_eq!(ways().await.0, Value::Null);
    entry("other", json!(["1002"])).await;
    assert_eq!(ways().await.0, Value::Null, "that one does not lead there");
    entry("other", json!(["1001", "1002"])).await;
    assert_eq!(ways().await.0, json!("1001"), "one of both asks");
}

#[tokio::test]
async fn a_pin_that_is_right_stands_in_the_link_and_nowhere_else() {
    let world = world().await;
    let room = json!({"conference": "Board", "pin": "482913", "leader_pin": "70215548"});
    own(&world, "PUT", "/v1/rooms/1001", Some(room)).await;
    let with = async |conference: &str, pin: &str| {
        own(&world, "POST", "/v1/guest-links", Some(json!({"conference": conference, "pin": pin}))).await
    };
    let made = with("Board", "482913").await;
    let path = made.body["path"].as_str().unwrap();
    assert!(path.starts_with("/join/") && path.ends_with("#pin=482913"), "{path}");
    assert!(!format!("{:?}", made.headers).contains("482913"));
    for (conference, pin, detail) in [
        ("Board", "482914", "is not the PIN of the room's participants"),
        ("Board", "70215548", "is the PIN of leaders, which guests do not get"),
        ("Tea", "482913", "is asked of nobody: no room of the conference has a PIN of participants"),
    ] {
        let refused = with(conference, pin).await;
        assert_eq!(refused.problem(), (422, "1160"), "{}", refused.text);
        assert_eq!(refused.body["errors"], json!([{"pointer": "/pin", "detail": detail}]));
        assert!(!refused.text.contains(pin), "{}", refused.text);
    }
    let refused = with("Board", "48").await;
    assert_eq!(
        (refused.status, &refused.body["errors"][0]["pointer"]),
        (400, &json!("/pin")),
        "{}",
        refused.text
    );
    let log =
        world.store.audit(&plenary_store::AuditQuery { limit: 20, ..Default::default() }).await.unwrap();
    assert!(!format!("{log:?}").contains("482913"), "{log:?}");
    // Who guesses waits.
    for _ in 0..2 {
        assert_eq!(with("Board", "0000").await.status, 422);
    }
    let held = with("Board", "0000").await;
    assert_eq!((held.status, &held.headers["retry-after"]), (429, &"31".parse().unwrap()), "{}", held.text);
}

#[tokio::test]
async fn its_code_opens_nothing_but_the_call() {
    let world = world().await;
    world.control.enter(world.account, "Board", "p1");
    let (_, code) = make(&world, json!({"conference": "Board"})).await;
    let bearer = format!("Bearer {code}");
    for (method, path) in [
        ("GET", "/v1/conferences/Board"),
        ("GET", "/v1/conferences/Board/participants"),
        ("GET", "/v1/conferences/Board/ways"),
        ("PATCH", "/v1/conferences/Board"),
        ("GET", "/v1/events"),
        ("GET", "/v1/guest-links"),
        ("POST", "/v1/guest-links"),
        ("GET", "/v1/session"),
        ("GET", "/v1/keys"),
    ] {
        let body = (method != "GET").then(|| json!({}));
        let refused = ask(&world, method, path, &[("authorization", &bearer)], body).await;
        assert_eq!(refused.status, 401, "{method} {path}: {}", refused.text);
    }
    let as_leader = Some(json!({"code": code}));
    let refused = ask(&world, "POST", "/v1/leader-links/open", &[OWN], as_leader).await;
    assert_eq!(refused.problem(), (404, "1139"));
    let made = own(&world, "POST", "/v1/leader-links", Some(json!({"conference": "Board"}))).await;
    let led = made.body["path"].as_str().unwrap().strip_prefix("/console/leader#").unwrap();
    assert_eq!(open(&world, led).await.problem(), (404, "1147"), "nor is a leader's code a guest's");
    assert_eq!(in_a_call(&world, led).await, Token::Unknown);
}

#[tokio::test]
async fn who_may_control_makes_lists_and_revokes_links_of_their_own_account() {
    let world = world().await;
    let (id, code) = make(&world, json!({"conference": "Board", "label": "Ann"})).await;
    make(&world, json!({"conference": "Tea"})).await;
    let listed = own(&world, "GET", "/v1/guest-links?conference=Board", None).await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1, "{}", listed.body);
    assert_eq!(
        (&listed.body["items"][0]["id"], &listed.body["items"][0]["purpose"]),
        (&json!(id), &json!("manual"))
    );
    assert!(!listed.text.contains(&code));
    // Another account, a key without the scope, and one of a conference.
    let (_, key) = world.store.create_account_login("3-4-5/ann@example.com").await.unwrap();
    let of = async |key: &str, method: &str, path: &str| {
        let bearer = format!("Bearer {key}");
        let body = (method == "POST").then(|| json!({"conference": "Board"}));
        ask(&world, method, path, &[("authorization", &bearer)], body).await
    };
    let path = format!("/v1/guest-links/{id}");
    assert_eq!(of(key.as_str(), "DELETE", &path).await.problem(), (404, "1146"));
    assert_eq!(of(key.as_str(), "GET", "/v1/guest-links").await.body["items"], json!([]));
    let key_with = async |scopes: Scopes, conference: Option<&str>| {
        let settings =
            KeySettings { scopes, conference: conference.map(ConferenceName::new), ..KeySettings::default() };
        world.store.key_new(world.account, &settings).await.unwrap().1
    };
    let reads = key_with([Scope::Read, Scope::Book].into_iter().collect(), None).await;
    let bound = key_with(Scopes::conference(), Some("Board")).await;
    for (key, code) in [(reads.as_str(), "1303"), (bound.as_str(), "1304")] {
        for (method, path) in
            [("GET", "/v1/guest-links"), ("POST", "/v1/guest-links"), ("DELETE", path.as_str())]
        {
            assert_eq!(of(key, method, path).await.problem(), (403, code), "{method} {path}");
        }
    }
    assert_eq!(of(bound.as_str(), "GET", "/v1/conferences/Board/ways").await.status, 200);
    assert_eq!(of(bound.as_str(), "GET", "/v1/conferences/Tea/ways").await.problem(), (403, "1304"));
    assert!(is_good(&in_a_call(&world, &code).await));
    assert_eq!(own(&world, "DELETE", &path, None).await.status, 204);
    assert_eq!(own(&world, "DELETE", &path, None).await.problem(), (404, "1146"));
    assert_eq!(own(&world, "DELETE", "/v1/guest-links/x", None).await.problem(), (404, "1146"));
    assert_eq!(open(&world, &code).await.problem(), (404, "1147"));
    assert_eq!(in_a_call(&world, &code).await, Token::Expired);
}

#[tokio::test]
async fn with_a_reservation_it_counts_from_its_start_to_its_end() {
    let world = world().await;
    let token = reserve(&world, "Board").await;
    let (_, code) = make(&world, json!({"reservation": token})).await;
    // Before the start it says when, and lets nobody into whatever else takes place under this name.
    let opened = open(&world, &code).await;
    assert_eq!(
        (&opened.body["title"], &opened.body["starts_at"], &opened.body["ends_at"]),
        (&json!("Weekly"), &json!("2019-06-20T15:15:00Z"), &json!("2019-06-20T15:45:00Z"))
    );
    assert!(matches!(in_a_call(&world, &code).await, Token::Guest(guest) if guest.is_early));
    world.control.pass_minutes(15);
    assert!(is_good(&in_a_call(&world, &code).await));
    let longer = json!({"duration_min": 60});
    assert_eq!(own(&world, "PATCH", &format!("/v1/reservations/{token}"), Some(longer)).await.status, 200);
    world.control.pass_minutes(59);
    assert!(is_good(&in_a_call(&world, &code).await), "extended");
    world.control.pass_minutes(1);
    assert_eq!(in_a_call(&world, &code).await, Token::Expired);
    assert_eq!(open(&world, &code).await.problem(), (404, "1147"));
    let late = own(&world, "POST", "/v1/guest-links", Some(json!({"reservation": token}))).await;
    assert_eq!(late.problem(), (409, "1201"));
}

#[tokio::test]
async fn what_a_link_is_for_is_said_once_and_a_service_has_to_lead_there() {
    let world = world().await;
    let token = reserve(&world, "Board").await;
    let series = json!({"conference": "Weeks", "max_participants": 50, "starts_at": "2019-10-14T08:00:00Z",
        "duration_min": 60, "time_zone": "Europe/Berlin", "repeat": "weekly", "count": 2});
    let series = own(&world, "POST", "/v1/series", Some(series)).await.body["id"].as_i64().unwrap();
    for (body, pointer) in [
        (json!({}), "/conference"),
        (json!({"conference": "Board", "reservation": token}), "/conference"),
        (json!({"conference": "Board", "series": series}), "/conference"),
        (json!({"reservation": token, "series": series}), "/reservation"),
        (json!({"reservation": token, "expires_at": "2019-06-20T16:00:00Z"}), "/expires_at"),
        (json!({"series": series, "expires_at": "2019-06-20T16:00:00Z"}), "/expires_at"),
        (json!({"conference": "Board", "expires_at": "2019-06-20T14:00:00Z"}), "/expires_at"),
        (json!({"conference": "two words"}), "/conference"),
        (json!({"conference": "Board", "label": ""}), "/label"),
    ] {
        let refused = own(&world, "POST", "/v1/guest-links", Some(body.clone())).await;
        assert_eq!(refused.problem(), (400, "0005"), "{body}: {}", refused.body);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{body}");
    }
    let unknown = own(&world, "POST", "/v1/guest-links", Some(json!({"reservation": "X"}))).await;
    assert_eq!(unknown.problem(), (404, "1102"));
    let unknown = own(&world, "POST", "/v1/guest-links", Some(json!({"series": series + 1}))).await;
    assert_eq!(unknown.problem(), (404, "1143"));
    let (_, code) = make(&world, json!({"series": series})).await;
    assert_eq!(open(&world, &code).await.body["starts_at"], "2019-10-14T08:00:00Z");
    assert!(world.store.delete_service(world.account, "conf-*").await.unwrap());
    let refused = own(&world, "POST", "/v1/guest-links", Some(json!({"conference": "Board"}))).await;
    assert_eq!(refused.problem(), (409, "1148"), "{}", refused.text);
    assert_eq!(open(&world, &code).await.body["service"], Value::Null, "it says that none leads there");
}

#[tokio::test]
async fn a_calendar_has_the_code_for_those_alone_who_may_invite() {
    let world = World::with_join("https://conference.example.com/join/{code}").await;
    let token = reserve(&world, "Board").await;
    let path = format!("/v1/reservations/{token}/calendar");
    let code_in = |text: &str| {
        let text = text.replace("\r\n ", "");
        text.split("/join/").nth(1).map(|rest| rest.split(['\\', '\r']).next().unwrap().to_owned())
    };
    let before = own(&world, "GET", &path, None).await;
    assert_eq!(code_in(&before.text), None, "no service takes guests: {}", before.text);
    let service = json!({"conference": {"name": "{rest}"}, "access": {"networks": [], "tokens": true}});
    world.store.put_service(world.account, "conf-*", &service).await.unwrap();
    let code = code_in(&own(&world, "GET", &path, None).await.text).expect("a link");
    assert_eq!(open(&world, &code).await.body["title"], "Weekly");
    assert_eq!(code_in(&own(&world, "GET", &path, None).await.text).as_ref(), Some(&code), "the same again");
    let listed = own(&world, "GET", &format!("/v1/guest-links?reservation={token}"), None).await;
    assert_eq!(listed.body["items"][0]["purpose"], "calendar");
    // Who only reads gets nothing that lets them in.
    let reads = KeySettings { scopes: [Scope::Read].into_iter().collect(), ..KeySettings::default() };
    let (_, key) = world.store.key_new(world.account, &reads).await.unwrap();
    let bearer = format!("Bearer {}", key.as_str());
    let read = ask(&world, "GET", &path, &[("authorization", &bearer)], None).await;
    assert_eq!((read.status, code_in(&read.text)), (200, None), "{}", read.text);
    let (auditor, organiser) =
        (signed_in(&world, Role::Auditor).await, signed_in(&world, Role::Organiser).await);
    assert_eq!(code_in(&by(&world, &auditor, "GET", &path, None).await.text), None);
    assert_eq!(code_in(&by(&world, &organiser, "GET", &path, None).await.text), Some(code));
}

async fn signed_in(world: &World, role: Role) -> String {
    let mail = format!("{}@example.com", role.name());
    let roles = json!([{"account": world.account.0, "role": role.name()}]);
    let person = json!({"name": "Eve", "mail": mail, "roles": roles});
    let made = own(world, "POST", "/v1/people", Some(person)).await.body;
    let path = made["invitation"]["path"].as_str().unwrap();
    let code = path.strip_prefix("/console/welcome#").unwrap();
    let body = json!({"code": code, "password": "correct horse"});
    ask(world, "POST", "/v1/invitations/accept", &[OWN], Some(body)).await.cookie()
}
