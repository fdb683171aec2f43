//! What holds for every route there is: the routes are those that the API describes, so that a new one is not forgotten.
#![allow(missing_docs)]

mod support;

use serde_json::json;
use support::{
    World,
    browser::{OWN, ask, own},
};

const PASSWORD: &str = "correct horse";
/// By these nobody is signed in yet.
const SIGN_IN: [&str; 5] = [
    "/v1/session",
    "/v1/invitations/open",
    "/v1/invitations/accept",
    "/v1/leader-links/open",
    "/v1/guest-links/open",
];
/// To these a browser goes that is about to be: how, to the provider, and back.
const AT_PROVIDER: [&str; 3] = ["/v1/session/ways", "/v1/session/oidc", "/v1/session/oidc/callback"];

/// Every operation below `/v1`: method, pattern, and a path of it.
async fn routes(world: &World) -> Vec<(String, String, String)> {
    let described = ask(world, "GET", "/v1/openapi.json", &[], None).await.body;
    let paths = described["paths"].as_object().expect("the description");
    let mut routes = Vec::new();
    for (pattern, operations) in paths {
        // The description itself is for everybody.
        if !pattern.starts_with("/v1/") || pattern == "/v1/openapi.json" {
            continue;
        }
        let path: Vec<String> = pattern
            .split('/')
            .map(|segment| match segment {
                "{name}" => "Other".to_owned(),
                "{id}" | "{number}" | "{seq}" => "1".to_owned(),
                "{source}" => "192.0.2.1".to_owned(),
                segment if segment.starts_with('{') => "x".to_owned(),
                segment => segment.to_owned(),
            })
            .collect();
        for method in ["get", "post", "put", "patch", "delete"] {
            if operations.get(method).is_some() {
                routes.push((method.to_uppercase(), pattern.clone(), path.join("/")));
            }
        }
    }
    assert!(routes.len() > 100, "{} routes", routes.len());
    routes
}

fn is_change(method: &str) -> bool {
    method != "GET"
}

/// Who signs in is not known before.
fn is_sign_in(method: &str, pattern: &str) -> bool {
    method == "POST" && SIGN_IN.contains(&pattern) || method == "GET" && AT_PROVIDER.contains(&pattern)
}

/// A person of this role who has signed in; the cookie.
async fn signed_in(world: &World, mail: &str, role: &str) -> String {
    let person = json!({"name": "Eve", "mail": mail, "roles": [{"account": world.account.0, "role": role}]});
    let made = own(world, "POST", "/v1/people", Some(person)).await.body;
    let code =
        made["invitation"]["path"].as_str().unwrap().strip_prefix("/console/welcome#").unwrap().to_owned();
    let body = json!({"code": code, "password": PASSWORD});
    let accepted = ask(world, "POST", "/v1/invitations/accept", &[OWN], Some(body)).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text);
    accepted.cookie()
}

/// A leader of the conference `Board`; the cookie.
async fn leader(world: &World) -> String {
    let made = own(world, "POST", "/v1/leader-links", Some(json!({"conference": "Board"}))).await.body;
    let code = made["path"].as_str().unwrap().strip_prefix("/console/leader#").unwrap().to_owned();
    let opened = ask(world, "POST", "/v1/leader-links/open", &[OWN], Some(json!({"code": code}))).await;
    assert_eq!(opened.status, 200, "{}", opened.text);
    opened.cookie()
}

#[tokio::test]
async fn without_credentials_nothing_is_answered() {
    let world = World::new().await;
    for (method, pattern, path) in routes(&world).await {
        if is_sign_in(&method, &pattern) {
            continue;
        }
        let body = is_change(&method).then(|| json!({}));
        let answer = ask(&world, &method, &path, &[], body).await;
        assert_eq!(answer.status, 401, "{method} {pattern}: {}", answer.text);
    }
}

#[tokio::test]
async fn with_a_cookie_no_change_is_made_for_another_page_or_for_none() {
    let world = World::new().await;
    let cookie = signed_in(&world, "eve@example.com", "admin").await;
    for (method, pattern, path) in routes(&world).await {
        if !is_change(&method) || is_sign_in(&method, &pattern) {
            continue;
        }
        let body = json!({});
        for (headers, code) in [
            (vec![], "1127"),
            (vec![("origin", "https://evil.example")], "1302"),
            (vec![("origin", "null")], "1302"),
            (vec![("sec-fetch-site", "cross-site")], "1302"),
            (vec![("sec-fetch-site", "same-site")], "1302"),
            (vec![("sec-fetch-site", "none")], "1127"),
        ] {
            let mut all = vec![("cookie", cookie.as_str())];
            all.extend(headers.iter().copied());
            let answer = ask(&world, &method, &path, &all, Some(body.clone())).await;
            let found = answer.problem();
            assert_eq!(found, (403, code), "{method} {pattern} {headers:?}: {}", answer.text);
        }
    }
    // The person is still signed in, and nothing of theirs is changed.
    assert_eq!(ask(&world, "GET", "/v1/session", &[("cookie", &cookie)], None).await.status, 200);
}

#[tokio::test]
async fn a_cookie_that_was_copied_is_worth_nothing_after_its_owner_has_signed_out() {
    let world = World::new().await;
    let cookies = [signed_in(&world, "eve@example.com", "admin").await, leader(&world).await];
    let all = routes(&world).await;
    for cookie in cookies {
        let headers = [("cookie", cookie.as_str()), OWN];
        assert_eq!(ask(&world, "DELETE", "/v1/session", &headers, None).await.status, 204);
        for (method, pattern, path) in &all {
            if is_sign_in(method, pattern) {
                continue;
            }
            let body = is_change(method).then(|| json!({}));
            let answer = ask(&world, method, path, &headers, body).await;
            assert_eq!(answer.status, 401, "{method} {pattern}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn a_leaders_link_opens_its_conference_and_nothing_else() {
    let world = World::new().await;
    world.control.enter(world.account, "Other", "p1");
    let cookie = leader(&world).await;
    let headers = [("cookie", cookie.as_str()), OWN];
    for (method, pattern, path) in routes(&world).await {
        // What it may: its own session, and the events of its conference.
        let is_open = is_sign_in(&method, &pattern)
            || pattern == "/v1/session" && method != "PATCH"
            || pattern == "/v1/events";
        if is_open {
            continue;
        }
        let body = is_change(&method).then(|| json!({}));
        let answer = ask(&world, &method, &path, &headers, body).await;
        let is_refused = answer.status == 403 && ["1303", "1304"].contains(&answer.problem().1);
        assert!(is_refused, "{method} {pattern}: {} {}", answer.status, answer.text);
    }
    let roster = own(&world, "GET", "/v1/conferences/Other/participants", None).await.body;
    assert_eq!(roster["items"].as_array().unwrap().len(), 1, "they are undisturbed");
}

#[tokio::test]
async fn an_auditor_changes_nothing() {
    let world = World::new().await;
    let cookie = signed_in(&world, "eve@example.com", "auditor").await;
    let headers = [("cookie", cookie.as_str()), OWN];
    for (method, pattern, path) in routes(&world).await {
        // What is one's own: the session, the password, the link of the calendar.
        if !is_change(&method) || is_sign_in(&method, &pattern) || pattern.starts_with("/v1/session") {
            continue;
        }
        let answer = ask(&world, &method, &path, &headers, Some(json!({}))).await;
        let is_refused = answer.status == 403 && ["1128", "1303"].contains(&answer.problem().1);
        assert!(is_refused, "{method} {pattern}: {} {}", answer.status, answer.text);
    }
    let audit = ask(&world, "GET", "/v1/audit", &headers, None).await;
    assert_eq!(audit.status, 200, "{}", audit.text);
    assert_eq!(ask(&world, "GET", "/v1/operator/audit", &headers, None).await.problem().1, "1303");
}

#[tokio::test]
async fn every_answer_says_that_browsers_run_nothing_of_it() {
    let world = World::new().await;
    let mut paths: Vec<(String, String)> =
        routes(&world).await.into_iter().map(|(method, _, path)| (method, path)).collect();
    for path in [
        "/",
        "/console",
        "/join/conf-Board",
        "/docs/",
        "/healthz",
        "/calendar/x.ics",
        "/nothing",
        "/assets/x.js",
    ] {
        paths.push(("GET".to_owned(), path.to_owned()));
    }
    for (method, path) in paths {
        // As one of ours, so that handlers answer, not the door.
        let body = is_change(&method).then(|| json!({}));
        let bearer = format!("Bearer {}", world.key);
        let headers = [("authorization", bearer.as_str()), ("origin", "https://conference.example.com")];
        let answer = ask(&world, &method, &path, &headers, body).await;
        let header = |name: &str| {
            answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        assert_eq!(header("x-content-type-options"), "nosniff", "{method} {path}");
        assert_eq!(header("x-frame-options"), "DENY", "{method} {path}");
        assert_eq!(header("access-control-allow-origin"), "", "{method} {path}");
        let policy = header("content-security-policy");
        let allows_inline = policy.split(';').any(|part| {
            let part = part.trim();
            part.starts_with("script-src") && (part.contains("unsafe-inline") || part.contains('*'))
        });
        assert!(policy.contains("default-src 'none'") && !allows_inline, "{method} {path}: {policy}");
        let kind = header("content-type");
        if path.starts_with("/v1/") && !kind.is_empty() {
            assert!(!kind.contains("html") && !kind.contains("svg"), "{method} {path}: {kind}");
        }
    }
}

#[tokio::test]
async fn what_callers_and_people_choose_is_never_a_page() {
    let world = World::new().await;
    let script = "<script>alert(1)</script>";
    let title = json!({"conference": "Board", "max_participants": 50, "starts_at": "2019-06-20T15:15:00Z",
        "duration_min": 30, "title": script, "guests": [{"mail": "ann@example.com", "name": script}]});
    let made = own(&world, "POST", "/v1/reservations", Some(title)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let token = made.body["token"].as_str().unwrap().to_owned();
    for path in [
        format!("/v1/reservations/{token}"),
        format!("/v1/reservations/{token}/calendar"),
        format!("/v1/conferences/{script}").replace('<', "%3C").replace('>', "%3E"),
        "/v1/media/%3Cscript%3E".to_owned(),
        "/docs/%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
        "/%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
    ] {
        let answer = own(&world, "GET", &path, None).await;
        let kind = answer.headers.get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let is_page = kind.as_deref().unwrap_or_default().starts_with("text/html");
        assert!(!is_page || !answer.text.contains(script), "{path}: {kind:?} {}", answer.text);
    }
    // A calendar file is saved, not shown, and its name has letters and digits alone.
    let file = own(&world, "GET", &format!("/v1/reservations/{token}/calendar"), None).await;
    assert_eq!(file.headers["content-disposition"], "attachment; filename=\"Board.ics\"");
    assert!(file.headers["content-type"].to_str().unwrap().starts_with("text/calendar"));
}

#[tokio::test]
async fn no_path_leads_out_of_the_files_that_the_program_holds() {
    let world = World::new().await;
    for path in [
        "/assets/../../../etc/passwd",
        "/assets/..%2f..%2f..%2fetc%2fpasswd",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/assets/....//....//etc/passwd",
        "/assets/%00",
        "/docs/..%2f..%2fCargo.toml",
        "/docs/../Cargo.toml",
        "/console/..%2f..%2fetc%2fpasswd",
        "/join/..%2f..%2fetc%2fpasswd",
        "/calendar/..%2f..%2fplenary.db",
        "/calendar/..%2f..%2fplenary.db.ics",
    ] {
        let answer = ask(&world, "GET", path, &[], None).await;
        let is_of_the_console = path.starts_with("/console") || path.starts_with("/join");
        assert!(
            answer.status == 404 || answer.status == 400 || is_of_the_console,
            "{path}: {}",
            answer.status
        );
        for secret in ["root:", "[workspace]", "[package]", "SQLite format"] {
            assert!(!answer.text.contains(secret), "{path}");
        }
    }
}
