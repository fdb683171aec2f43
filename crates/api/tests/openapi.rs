//! The description of the API: what is committed is what the program serves, and what it says of keys is so.
#![allow(missing_docs)]

mod support;

use plenary_model::{ConferenceName, KeySettings, Scope, Scopes};
use serde_json::Value;
use support::World;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
const RENEW: &str = "RENEW=1 cargo test -p plenary-api --test openapi";

#[tokio::test]
async fn the_committed_description_is_the_one_that_is_served() {
    let world = World::new().await;
    let (status, _, served) = world.send_as("", "GET", "/v1/openapi.json", "", "").await;
    assert_eq!(status, 200, "it needs no key");
    if std::env::var_os("RENEW").is_some() {
        std::fs::write(FILE, &served).unwrap();
    }
    let committed = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(committed == served, "docs/openapi.json is not what the program says. Renew it: {RENEW}");
    let document: Value = serde_json::from_str(&served).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
}

/// Each body of a request or an answer says what it is; files are octets.
#[tokio::test]
async fn each_body_has_a_schema() {
    let world = World::new().await;
    let (_, _, served) = world.send_as("", "GET", "/v1/openapi.json", "", "").await;
    let document: Value = serde_json::from_str(&served).unwrap();
    let mut files = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            // What all operations of a path share stands among them.
            let Some(responses) = operation["responses"].as_object() else { continue };
            let bodies = responses.values().chain(operation.get("requestBody"));
            for (kind, content) in bodies.filter_map(|body| body["content"].as_object()).flatten() {
                assert!(content["schema"].is_object(), "{method} {path}: {kind} is {content}");
                if kind == "application/octet-stream"
                    || kind == "application/vnd.tcpdump.pcap"
                    || kind.starts_with("audio/")
                {
                    assert_eq!(content["schema"]["format"], "binary", "{method} {path}");
                    files += 1;
                }
            }
        }
    }
    assert_eq!(
        files, 5,
        "a sound is uploaded and downloaded, a recording downloaded whole and in part, a call captured"
    );
    // A description beside a schema is no schema of its own: nothing is a text and an object.
    let of = |schema: &str, member: &str| &document["components"]["schemas"][schema]["properties"][member];
    assert_eq!(of("RoomSettings", "announce")["enum"], serde_json::json!(["name", "tone", "none"]));
    assert!(of("PlaybackRequest", "play")["oneOf"].is_array(), "{}", of("PlaybackRequest", "play"));
}

/// Where a schema that allows no other members is one of several that have to hold at once: then nothing can.
fn closed_parts(document: &Value, node: &Value, found: &mut Vec<String>) {
    for part in node["allOf"].as_array().into_iter().flatten() {
        let name = part["$ref"].as_str().and_then(|path| path.rsplit('/').next());
        let whole = name.map_or(part, |name| &document["components"]["schemas"][name]);
        if whole["additionalProperties"] == false {
            found.push(name.unwrap_or("a part without a name").to_owned());
        }
    }
    match node {
        Value::Object(members) => members.values().for_each(|inner| closed_parts(document, inner, found)),
        Value::Array(items) => items.iter().for_each(|inner| closed_parts(document, inner, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn no_schema_that_allows_no_other_members_is_joined_with_another() {
    let world = World::new().await;
    let (_, _, served) = world.send_as("", "GET", "/v1/openapi.json", "", "").await;
    let document: Value = serde_json::from_str(&served).unwrap();
    let mut found = Vec::new();
    closed_parts(&document, &document, &mut found);
    assert!(found.is_empty(), "{found:?}");
}

/// The operations of the description: method, path with something in its gaps, the scope that is needed.
fn operations(document: &Value) -> Vec<(String, String, String)> {
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let security = operation["security"].as_array();
            let Some(scope) = security.and_then(|ways| ways.first()?["bearer"][0].as_str()) else { continue };
            let path =
                path.replace("{name}", "Tea").replace("{id}", "7").replace("{source}", support::BANNED);
            let path = path.replace("{token}", "NONE").replace("{number}", "1001");
            operations.push((method.to_uppercase(), path, scope.to_owned()));
        }
    }
    operations
}

#[tokio::test]
async fn each_operation_needs_the_scope_that_its_description_names_and_no_other() {
    let world = World::new().await;
    let (_, _, served) = world.send_as("", "GET", "/v1/openapi.json", "", "").await;
    let operations = operations(&serde_json::from_str(&served).unwrap());
    assert!(operations.len() > 20, "{operations:?}");
    let all = Scope::ALL;
    for needed in all {
        let others: Scopes = all.into_iter().filter(|scope| *scope != needed).collect();
        let key = |scopes| KeySettings { scopes, ..KeySettings::default() };
        let (_, with) =
            world.store.key_new(world.account, &key([needed].into_iter().collect())).await.unwrap();
        let (_, without) = world.store.key_new(world.account, &key(others)).await.unwrap();
        for (method, path, scope) in operations.iter().filter(|(.., scope)| *scope == needed.name()) {
            let bearer = |key: &str| format!("Bearer {key}");
            let (status, headers, text) =
                world.send_with(&bearer(without.as_str()), method, path, "application/json", "{}").await;
            assert_eq!(status, 403, "{method} {path} without {scope}: {text}");
            if path.starts_with("/v1/") && method != "HEAD" {
                let problem: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(problem["code"], "1303", "{method} {path}: {text}");
                let challenge = headers["www-authenticate"].to_str().unwrap();
                assert!(challenge.contains(&format!("scope=\"{scope}\"")), "{challenge}");
            }
            let (status, _, text) =
                world.send_with(&bearer(with.as_str()), method, path, "application/json", "{}").await;
            assert!(!matches!(status, 401 | 403), "{method} {path} with {scope}: {status} {text}");
        }
    }
}

/// PostgreSQL holds no text with it. What is left of a name without it is another name.
#[tokio::test]
async fn a_path_with_nul_is_refused_at_its_segment() {
    let world = World::new().await;
    let (_, _, served) = world.send_as("", "GET", "/v1/openapi.json", "", "").await;
    let document: Value = serde_json::from_str(&served).unwrap();
    let key = KeySettings { scopes: Scope::ALL.into_iter().collect(), ..KeySettings::default() };
    let (_, key) = world.store.key_new(world.account, &key).await.unwrap();
    let bearer = format!("Bearer {}", key.as_str());
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let has_scope = operation["security"][0]["bearer"].is_array();
            let is_ours = has_scope && path.starts_with("/v1/");
            let Some(start) = path.find('{').filter(|_| is_ours) else { continue };
            let name = &path[start + 1..start + path[start..].find('}').unwrap()];
            // The last of several would do as well; the first that is wrong is told.
            let asked = path.replace(&format!("{{{name}}}"), "c%00rm").replace(['{', '}'], "");
            let (method, kind) = (method.to_uppercase(), "application/json");
            let (status, _, text) = world.send_with(&bearer, &method, &asked, kind, "{}").await;
            assert_eq!(status, 400, "{method} {asked}: {text}");
            if method != "HEAD" {
                let problem: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(problem["errors"][0]["parameter"], name, "{method} {asked}: {text}");
            }
            tried += 1;
        }
    }
    assert!(tried > 50, "{tried}");
}

#[tokio::test]
async fn a_key_for_one_conference_gets_nowhere_else() {
    let world = World::new().await;
    world.control.enter(world.account, "Tea", "a.1");
    world.control.enter(world.account, "Lunch", "b.1");
    let bound = KeySettings {
        scopes: Scopes::conference(),
        conference: Some(ConferenceName::new("Tea")),
        ..KeySettings::default()
    };
    let (_, key) = world.store.key_new(world.account, &bound).await.unwrap();
    let bearer = format!("Bearer {}", key.as_str());
    for (method, path, expected) in [
        ("GET", "/v1/conferences/Tea", 200),
        ("GET", "/v1/conferences/%54ea", 200),
        ("GET", "/v1/conferences/Tea/participants", 200),
        ("PATCH", "/v1/conferences/Tea/participants/a.1", 200),
        ("GET", "/v1/conferences/Lunch", 403),
        ("GET", "/v1/conferences/Lunch/media", 403),
        ("GET", "/v1/conferences/Lunch/ways", 403),
        ("GET", "/v1/conferences/Lunch/sound", 403),
        ("GET", "/v1/conferences/Lunch/recording", 403),
        ("PATCH", "/v1/conferences/Lunch/participants/b.1", 403),
        ("PATCH", "/v1/conferences/Tea%2F..%2FLunch/participants/b.1", 403),
        ("GET", "/v1/conferences", 403),
        ("GET", "/v1/reservations", 403),
        ("GET", "/v1/guest-links?conference=Tea", 403),
        ("GET", "/v1/leader-links?conference=Tea", 403),
        ("GET", "/v1/limits", 403),
        ("GET", "/conference_list", 403),
        ("GET", "/conference_participant_list?conference_name=Tea", 403),
    ] {
        let (status, _, text) = world.send_with(&bearer, method, path, "application/json", "{}").await;
        assert_eq!(status, expected, "{method} {path}: {text}");
        assert!(expected != 403 || text.contains("\"1304\""), "{method} {path}: {text}");
    }
    // Nor does a body below its own conference lead elsewhere, whatever it names there.
    let own = "/v1/conferences/Tea";
    for (method, path, body, expected) in [
        ("POST", "/participants/a.1/move", r#"{"conference": "Lunch"}"#, (403, "1304")),
        ("POST", "/participants/a.1/move", r#"{"conference": "Nowhere"}"#, (403, "1304")),
        ("POST", "/participants/a.1/move", r#"{"conference": "Tea"}"#, (200, "")),
        ("POST", "/participants/b.1/move", r#"{"conference": "Tea"}"#, (404, "1103")),
        ("POST", "/participants/b.1/admit", "{}", (404, "1103")),
        ("PATCH", "/participants/b.1", r#"{"muted": true}"#, (404, "1103")),
        ("PATCH", "/participants/a.1", r#"{"heard_by": ["b.1"]}"#, (400, "1001")),
        ("DELETE", "/participants/b.1", "", (404, "1103")),
    ] {
        let path = format!("{own}{path}");
        let (status, _, text) = world.send_with(&bearer, method, &path, "application/json", body).await;
        assert_eq!(status, expected.0, "{method} {path} {body}: {text}");
        assert!(text.contains(expected.1), "{method} {path} {body}: {text}");
    }
    let (_, there) = world.get("/v1/conferences/Lunch/participants").await;
    assert_eq!(there["items"].as_array().unwrap().len(), 1, "{there}");
    assert_eq!(there["items"][0]["muted"], false, "{there}");
}

/// A path that names two things, or an operation whose body names a conference, is one more way out of the conference that a key is
/// bound to: a new one needs a row above.
#[tokio::test]
async fn below_a_conference_only_a_move_names_another() {
    let world = World::new().await;
    let (_, _, served) = world.send_as("", "GET", "/v1/openapi.json", "", "").await;
    let document: Value = serde_json::from_str(&served).unwrap();
    let mut naming = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/v1/conferences/{name}") {
            continue;
        }
        for (method, operation) in item.as_object().unwrap() {
            let Some(content) = operation["requestBody"]["content"].as_object() else { continue };
            for schema in content.values().map(|content| &content["schema"]) {
                let name = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
                let whole = name.map_or(schema, |name| &document["components"]["schemas"][name]);
                let mut members = whole["properties"].as_object().into_iter().flat_map(|all| all.keys());
                if members.any(|member| matches!(member.as_str(), "conference" | "reservation" | "account")) {
                    naming.push(format!("{method} {path}"));
                }
            }
        }
    }
    assert_eq!(naming, ["post /v1/conferences/{name}/participants/{id}/move"]);
}
