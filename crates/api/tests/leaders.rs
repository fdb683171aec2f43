//! Leaders' links: made, opened in a browser without an account, worth one conference and no longer than it.
#![allow(missing_docs)]

mod support;

use serde_json::{Value, json};
use support::{
    World,
    browser::{Answer, OWN, ask, by, own},
};

async fn make(world: &World, body: Value) -> (i64, String) {
    let made = own(world, "POST", "/v1/leader-links", Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let path = made.body["path"].as_str().unwrap();
    (made.body["id"].as_i64().unwrap(), path.strip_prefix("/console/leader#").unwrap().to_owned())
}

async fn open(world: &World, code: &str) -> Answer {
    ask(world, "POST", "/v1/leader-links/open", &[OWN], Some(json!({"code": code}))).await
}

/// A link of the conference, opened; the cookie.
async fn leader_of(world: &World, conference: &str) -> String {
    let (_, code) = make(world, json!({"conference": conference, "label": "Ann"})).await;
    let opened = open(world, &code).await;
    assert_eq!(opened.status, 200, "{}", opened.body);
    opened.cookie()
}

async fn reserve(world: &World, conference: &str) -> String {
    let body = json!({"conference": conference, "max_participants": 50, "starts_at": "2019-06-20T15:15:00Z",
        "duration_min": 30});
    let made = own(world, "POST", "/v1/reservations", Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_link_opens_the_conference_without_an_account_and_lets_lead_it() {
    let world = World::new().await;
    world.control.enter(world.account, "Board", "p1");
    let cookie = leader_of(&world, "Board").await;
    let session = by(&world, &cookie, "GET", "/v1/session", None).await;
    assert_eq!(session.status, 200);
    assert_eq!(session.body["person"], Value::Null);
    assert_eq!(session.body["leader"]["conference"], "Board");
    assert_eq!(session.body["leader"]["label"], "Ann");
    assert_eq!(session.body["scopes"], json!(["read", "control"]));
    assert_eq!(by(&world, &cookie, "GET", "/v1/conferences/Board", None).await.status, 200);
    let people = by(&world, &cookie, "GET", "/v1/conferences/Board/participants", None).await;
    assert_eq!(people.body["items"].as_array().unwrap().len(), 1, "{}", people.body);
    let locked = by(&world, &cookie, "PATCH", "/v1/conferences/Board", Some(json!({"locked": true}))).await;
    assert_eq!((locked.status, &locked.body["locked"]), (200, &json!(true)));
    // The command is the link's doing.
    let log = world.store.audit(&plenary_store::AuditQuery { limit: 1, ..Default::default() }).await.unwrap();
    assert_eq!(log[0].1.path, "/v1/conferences/Board");
    assert_eq!(log[0].1.key, session.body["leader"]["link"].as_i64());
}

#[tokio::test]
async fn it_extends_its_conference_says_when_that_ends_and_asks_participants_to_unmute_themselves() {
    let world = World::new().await;
    reserve(&world, "Board").await;
    let cookie = leader_of(&world, "Board").await;
    let post = async |what: &str, body: Value| {
        by(&world, &cookie, "POST", &format!("/v1/conferences/Board/{what}"), Some(body)).await
    };
    let early = post("extend", json!({"minutes": 15})).await;
    assert_eq!(early.problem(), (409, "1201"), "its time has not come: {}", early.body);
    world.control.pass_minutes(16);
    assert_eq!(post("time-warning", json!({"minutes": 5})).await.problem(), (409, "1201"), "nobody is in");
    world.control.enter(world.account, "Board", "p1");
    let longer = post("extend", json!({"minutes": 15})).await;
    assert_eq!(
        (longer.status, &longer.body["ends_at"]),
        (200, &json!("2019-06-20T16:00:00Z")),
        "{}",
        longer.body
    );
    let entry =
        &world.store.audit(&plenary_store::AuditQuery { limit: 1, ..Default::default() }).await.unwrap()[0].1;
    assert_eq!(entry.path, "/v1/conferences/Board/extend");
    for body in [json!({}), json!({"minutes": 5})] {
        assert_eq!(post("time-warning", body).await.status, 204);
    }
    let unmute = "participants/p1/ask-to-unmute";
    assert_eq!(post(unmute, json!({})).await.problem(), (409, "1153"), "it is not muted");
    post("mute", json!({"muted": true})).await;
    let asked = post(unmute, json!({})).await;
    assert_eq!((asked.status, &asked.body["muted_by"]), (200, &json!("self")), "{}", asked.body);
    for (what, body, expected, pointer) in [
        ("extend", json!({}), (400, "0005"), "/minutes"),
        ("extend", json!({"minutes": 0}), (400, "0005"), "/minutes"),
        ("extend", json!({"minutes": 100_000}), (400, "0005"), "/minutes"),
        ("time-warning", json!({"minutes": 0}), (400, "0005"), "/minutes"),
        ("time-warning", json!({"minutes": 121}), (400, "0005"), "/minutes"),
        ("time-warning", json!({"seconds": 5}), (400, "0005"), "/seconds"),
    ] {
        let refused = post(what, body.clone()).await;
        assert_eq!(refused.problem(), expected, "{what} {body}: {}", refused.body);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{what} {body}");
    }
    world.control.pass_minutes(40);
    assert_eq!(post("extend", json!({"minutes": 15})).await.problem(), (409, "1204"), "it is about to end");
}

#[tokio::test]
async fn a_conference_without_a_reservation_has_no_end_to_move_or_to_tell_of() {
    let world = World::new().await;
    world.control.enter(world.account, "Tea", "p1");
    let cookie = leader_of(&world, "Tea").await;
    for (what, body) in [("extend", json!({"minutes": 15})), ("time-warning", json!({}))] {
        let path = format!("/v1/conferences/Tea/{what}");
        assert_eq!(by(&world, &cookie, "POST", &path, Some(body)).await.problem(), (409, "1152"), "{what}");
    }
    let said = by(&world, &cookie, "POST", "/v1/conferences/Tea/time-warning", Some(json!({"minutes": 5})));
    assert_eq!(said.await.status, 204);
}

#[tokio::test]
async fn it_opens_nothing_else() {
    let world = World::new().await;
    world.control.enter(world.account, "Board", "p1");
    world.control.enter(world.account, "Other", "p2");
    let cookie = leader_of(&world, "Board").await;
    for (method, path, body) in [
        ("GET", "/v1/conferences/Other", None),
        ("PATCH", "/v1/conferences/Other", Some(json!({"locked": true}))),
        ("DELETE", "/v1/conferences/Other", None),
        ("GET", "/v1/conferences/Other/participants", None),
        ("DELETE", "/v1/conferences/Other/participants/p2", None),
        ("POST", "/v1/conferences/Other/participants", Some(json!({"to": "tel:+44"}))),
        ("POST", "/v1/conferences/Other/extend", Some(json!({"minutes": 15}))),
        ("POST", "/v1/conferences/Other/time-warning", Some(json!({}))),
        ("POST", "/v1/conferences/Other/participants/p2/ask-to-unmute", Some(json!({}))),
        ("GET", "/v1/conferences/Other/media", None),
        ("POST", "/v1/conferences/Other/playbacks", Some(json!({"play": ["tone:440/1000"]}))),
        ("POST", "/v1/conferences/Other/participants/p2/move", Some(json!({"conference": "Board"}))),
        ("POST", "/v1/guest-links", Some(json!({"conference": "Other"}))),
        ("GET", "/v1/conferences", None),
        ("GET", "/v1/reservations", None),
        ("GET", "/v1/leader-links", None),
        ("POST", "/v1/leader-links", Some(json!({"conference": "Other"}))),
        ("GET", "/v1/sessions", None),
        ("PATCH", "/v1/session", Some(json!({"language": "de"}))),
    ] {
        let refused = by(&world, &cookie, method, path, body).await;
        assert_eq!(refused.problem(), (403, "1304"), "{method} {path}: {}", refused.body);
    }
    // Nobody is taken along into another conference, and who is at home stays there.
    for (to, expected) in [("Other", 403), ("New", 403), ("Board", 200)] {
        let body = Some(json!({"conference": to}));
        let path = "/v1/conferences/Board/participants/p1/move";
        let moved = by(&world, &cookie, "POST", path, body).await;
        assert_eq!(moved.status, expected, "{to}: {}", moved.body);
        assert!(expected == 200 || moved.problem() == (403, "1304"), "{to}: {}", moved.body);
    }
    let there = own(&world, "GET", "/v1/conferences/Other/participants", None).await;
    assert_eq!(there.body["items"].as_array().unwrap().len(), 1, "{}", there.body);
    for path in ["/v1/keys", "/v1/calls", "/v1/audit", "/v1/operator/accounts", "/v1/people"] {
        let refused = by(&world, &cookie, "GET", path, None).await;
        assert_eq!(refused.problem(), (403, "1303"), "{path}");
    }
    // Nor does the code, as a key.
    let (_, code) = make(&world, json!({"conference": "Board"})).await;
    let bearer = format!("Bearer {code}");
    let with = async |path| ask(&world, "GET", path, &[("authorization", &bearer)], None).await;
    assert_eq!(with("/v1/conferences/Board").await.status, 200);
    assert_eq!(with("/v1/conferences/Other").await.problem(), (403, "1304"));
}

#[tokio::test]
async fn it_is_listed_without_its_code_and_ends_when_it_is_revoked() {
    let world = World::new().await;
    let (id, code) = make(&world, json!({"conference": "Board", "label": "Ann"})).await;
    let (other, _) = make(&world, json!({"conference": "Tea"})).await;
    let cookie = open(&world, &code).await.cookie();
    let listed = own(&world, "GET", "/v1/leader-links?conference=Board", None).await;
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed.body["items"][0]["id"], id);
    assert!(!listed.body.to_string().contains(&code));
    assert!(!own(&world, "GET", "/v1/keys", None).await.body.to_string().contains("Ann"), "keys are keys");
    assert_eq!(own(&world, "DELETE", &format!("/v1/leader-links/{id}"), None).await.status, 204);
    assert_eq!(by(&world, &cookie, "GET", "/v1/session", None).await.status, 401);
    assert_eq!(open(&world, &code).await.problem(), (404, "1139"));
    assert_eq!(own(&world, "DELETE", &format!("/v1/leader-links/{id}"), None).await.problem(), (404, "1138"));
    let listed = own(&world, "GET", "/v1/leader-links", None).await;
    assert_eq!(listed.body["items"][0]["id"], other);
    assert_eq!(own(&world, "DELETE", "/v1/leader-links/x", None).await.problem(), (404, "1138"));
}

#[tokio::test]
async fn with_a_reservation_it_lasts_as_long_as_that() {
    let world = World::new().await;
    let token = reserve(&world, "Board").await;
    let (_, code) = make(&world, json!({"reservation": token})).await;
    let listed = own(&world, "GET", &format!("/v1/leader-links?reservation={token}"), None).await;
    assert_eq!(listed.body["items"][0]["expires_at"], "2019-06-20T15:45:00Z");
    let cookie = open(&world, &code).await.cookie();
    // An extension extends it.
    let path = format!("/v1/reservations/{token}");
    let longer = own(&world, "PATCH", &path, Some(json!({"duration_min": 60}))).await;
    assert_eq!(longer.status, 200, "{}", longer.body);
    world.control.pass_minutes(60);
    assert_eq!(by(&world, &cookie, "GET", "/v1/conferences/Board", None).await.status, 200);
    world.control.pass_minutes(16);
    assert_eq!(by(&world, &cookie, "GET", "/v1/session", None).await.status, 401, "it is over");
    assert_eq!(open(&world, &code).await.problem(), (404, "1139"));
    let late = own(&world, "POST", "/v1/leader-links", Some(json!({"reservation": token}))).await;
    assert_eq!(late.problem(), (409, "1201"));
}

#[tokio::test]
async fn with_a_reservation_that_is_removed_it_ends() {
    let world = World::new().await;
    let token = reserve(&world, "Board").await;
    let (_, code) = make(&world, json!({"reservation": token})).await;
    let cookie = open(&world, &code).await.cookie();
    assert_eq!(own(&world, "DELETE", &format!("/v1/reservations/{token}"), None).await.status, 204);
    assert_eq!(by(&world, &cookie, "GET", "/v1/session", None).await.status, 401);
    assert_eq!(open(&world, &code).await.problem(), (404, "1139"));
}

#[tokio::test]
async fn what_a_link_is_for_is_said_once() {
    let world = World::new().await;
    let token = reserve(&world, "Board").await;
    for (body, pointer) in [
        (json!({}), "/conference"),
        (json!({"conference": "Board", "reservation": token}), "/conference"),
        (json!({"reservation": token, "expires_at": "2019-06-20T16:00:00Z"}), "/expires_at"),
        (json!({"conference": "two words"}), "/conference"),
        (json!({"conference": "Board", "label": ""}), "/label"),
    ] {
        let refused = own(&world, "POST", "/v1/leader-links", Some(body.clone())).await;
        assert_eq!(refused.problem(), (400, "0005"), "{body}: {}", refused.body);
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{body}");
    }
    let unknown = own(&world, "POST", "/v1/leader-links", Some(json!({"reservation": "X"}))).await;
    assert_eq!(unknown.problem(), (404, "1102"));
}

#[tokio::test]
async fn a_leader_signs_out_and_the_cookie_is_worth_nothing() {
    let world = World::new().await;
    world.control.enter(world.account, "Board", "p1");
    let cookie = leader_of(&world, "Board").await;
    // Without the browser's word that a page of ours asks, it changes nothing.
    let lock = Some(json!({"locked": true}));
    let foreign = ask(&world, "PATCH", "/v1/conferences/Board", &[("cookie", &cookie)], lock).await;
    assert_eq!(foreign.problem(), (403, "1127"));
    assert_eq!(by(&world, &cookie, "DELETE", "/v1/session", None).await.status, 204);
    for path in ["/v1/session", "/v1/conferences/Board", "/v1/events"] {
        assert_eq!(by(&world, &cookie, "GET", path, None).await.status, 401, "{path}");
    }
}
