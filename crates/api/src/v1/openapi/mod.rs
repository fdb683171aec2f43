//! The description of all of HTTP (OpenAPI 3.1): made of the handlers' own descriptions and of the table of the seven services.
//!
//! What every operation below `/v1` has in common is added here: how to authenticate, the refusals, the id of the request,
//! `Idempotency-Key` and `If-Match`.

mod platform;

use super::idempotency;
use crate::{cookie, methods::only, state::App};
use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Response, header},
    routing::get,
};
use plenary_trace::pcap;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use utoipa::{PartialSchema, ToSchema};

pub(crate) const PATH: &str = "/v1/openapi.json";

pub(super) fn routes() -> Router<App> {
    Router::new().route(PATH, only("GET, HEAD", get(show)))
}

async fn show() -> Response<Body> {
    static TEXT: LazyLock<String> = LazyLock::new(text);
    let mut response = Response::new(Body::from(TEXT.as_str()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The document as it is committed and served.
pub(crate) fn text() -> String {
    let mut text = serde_json::to_string_pretty(&document()).expect("plain data becomes JSON");
    text.push('\n');
    text
}

const DESCRIPTION: &str = "Audio conferences: reservations, participants and their telephones, and what is configured for them.\n\n\
    `/v1` is the management API. The seven services `/conference_…`, `/webrtc_generate_token` and `/service/v1/inbound` keep \
    the form of the platform that they come from.\n\n\
    Every request carries an API key, as the password of basic authentication (the user name is `cloudID/username`) or as a \
    bearer token; or the cookie of a person who has signed in, whose role stands for scopes. What a key may do is said by its \
    scopes; each operation names the one that it needs.";

/// Groups of operations, in the order in which they are shown.
const TAGS: [(&str, &str); 17] = [
    ("conferences", "Conferences in progress."),
    ("participants", "Who is in a conference, waits, or is being called."),
    ("sound", "What is done to voices."),
    ("reservations", "Bookings of conferences."),
    ("events", "What has happened, and who is told of it."),
    ("rooms", "Conferences that people reach by keypad."),
    ("recordings", "Audio of conferences that were recorded."),
    ("records", "Calls, conferences that are over, and what was used."),
    ("media", "Audio files of the account, which are played to callers."),
    ("trunks", "Providers that calls go out to and come in from."),
    ("services", "What becomes of calls by the name that they dial."),
    ("users", "Telephones that register, browsers, and tokens for calls."),
    ("keys", "API keys of the account."),
    ("people", "People who sign in, and their sessions."),
    ("limits", "What the configuration allows."),
    ("operator", "The installation as a whole."),
    ("platform", "The services of the platform, in its own form."),
];

fn document() -> Value {
    let mut document =
        serde_json::to_value(super::resources().to_openapi()).expect("plain data becomes JSON");
    document["info"] = json!({
        "title": "Plenary",
        "version": env!("CARGO_PKG_VERSION"),
        "description": DESCRIPTION,
        "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
    });
    document["servers"] = json!([{ "url": "/", "description": "This service." }]);
    add_schemas(&mut document["components"]);
    let mut schemas = document["components"]["schemas"].take();
    tidy(&mut schemas);
    let paths = document["paths"].as_object_mut().expect("the resources have paths");
    for (path, item) in paths.iter_mut() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            complete(path, method, operation, &mut schemas);
        }
    }
    paths.insert(PATH.to_owned(), itself());
    platform::add(paths);
    paths.values_mut().for_each(tidy);
    let used: Vec<String> = paths
        .values()
        .filter_map(Value::as_object)
        .flat_map(Map::values)
        .filter_map(|operation| operation.get("tags")?[0].as_str().map(str::to_owned))
        .collect();
    document["components"]["schemas"] = schemas;
    document["tags"] = TAGS
        .iter()
        .filter(|(name, _)| used.iter().any(|used| used == name))
        .map(|(name, description)| json!({ "name": name, "description": description }))
        .collect();
    document
}

fn add_schemas(components: &mut Value) {
    use crate::error::problem::Problem;

    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    for (name, schema) in schemas {
        components["schemas"][name] = serde_json::to_value(schema).expect("plain data becomes JSON");
    }
    components["schemas"]["PlatformError"] = platform::error_schema();
    components["responses"] = refusals();
    platform::add_refusals(&mut components["responses"]);
    components["securitySchemes"] = json!({
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "User name `cloudID/username`, password an API key of the account.",
        },
        "bearer": { "type": "http", "scheme": "bearer", "description": "An API key." },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": cookie::NAME,
            "description": "A person who has signed in by `POST /v1/session`. Changes count only from pages of this host.",
        },
    });
}

/// The document's own entry: it needs no key.
fn itself() -> Value {
    json!({
        "get": {
            "tags": ["limits"],
            "operationId": "get_openapi",
            "summary": "Shows this description",
            "security": [],
            "responses": {
                "200": {
                    "description": "The description.",
                    "headers": request_id(),
                    "content": { "application/json": { "schema": { "type": "object" } } },
                },
            },
        },
    })
}

fn request_id() -> Value {
    json!({
        "X-Request-Id": { "description": "As in the log.", "schema": { "type": "string" } },
    })
}

/// Adds what all operations have in common.
fn complete(path: &str, method: &str, operation: &mut Value, schemas: &mut Value) {
    let scopes = operation["security"][0]["bearer"].clone();
    // Who signs in has none yet, and who has may see to their own sessions with any.
    if let Some(scope) = scopes[0].as_str().map(str::to_owned) {
        operation["security"] = json!([{ "bearer": scopes }, { "basic": scopes }, { "session": [] }]);
        let description = operation["description"].as_str().unwrap_or_default();
        let separator = if description.is_empty() { "" } else { "\n\n" };
        operation["description"] = json!(format!("{description}{separator}Needs the scope `{scope}`."));
    }

    if method == "post" && scopes.is_array() {
        add_parameter(
            operation,
            json!({
                "name": "Idempotency-Key",
                "in": "header",
                "description": "Any text of the client's, once for each thing to do: sent again within 24 hours, the request does nothing \
                    again and gets the first answer.",
                "schema": { "type": "string", "minLength": 1, "maxLength": idempotency::CHARS_MAX, "pattern": "^[!-~]+$" },
            }),
        );
    }
    match method {
        "patch" => describe_patch(operation, schemas),
        "put" => describe_put(operation, schemas),
        _ => {}
    }
    describe_files(operation);
    let has_tag = operation["responses"]
        .as_object()
        .into_iter()
        .flatten()
        .any(|(status, response)| status.starts_with('2') && response["headers"].get("ETag").is_some());
    // What POST makes has an `ETag`, and had none before.
    let is_conditional = (has_tag && method != "post") || operation["responses"].get("412").is_some();
    let conditions: &[(&str, &str)] = match method {
        _ if !is_conditional => &[],
        "get" => {
            &[("If-None-Match", "The `ETag` of a version that is known: 304 where it is still this one.")]
        }
        "put" => &[
            (
                "If-Match",
                "The `ETag` of the version that is to be replaced: 412 where there is another by now.",
            ),
            ("If-None-Match", "`*`: it is to be made, not replaced: 412 where there is one."),
        ],
        _ => &[(
            "If-Match",
            "The `ETag` of the version that the change is meant for: 412 where there is another by now.",
        )],
    };
    for (name, text) in conditions {
        add_parameter(
            operation,
            json!({
                "name": name, "in": "header", "description": text, "schema": { "type": "string" }, "example": "*",
            }),
        );
    }

    let has_body = operation.get("requestBody").is_some();
    let has_path = path.contains('{');
    let holds = |status| match status {
        "404" => has_path,
        "409" | "422" => method == "post" && scopes.is_array(),
        "412" => is_conditional && method != "get",
        "413" | "415" => has_body,
        _ => true,
    };
    for (name, status, _) in REFUSALS.into_iter().filter(|(_, status, _)| holds(status)) {
        if operation["responses"].get(status).is_none() {
            operation["responses"][status] = json!({ "$ref": format!("#/components/responses/{name}") });
        }
    }
    if is_conditional && method == "get" {
        operation["responses"]["304"] = json!({ "description": "The client has this version." });
    }
    for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        if response.get("$ref").is_none() {
            complete_response(status, response);
        }
    }
}

/// Refusals that have nothing of their own in an operation.
const REFUSALS: [(&str, &str, &str); 11] = [
    ("BadRequest", "400", "A parameter or the body is not valid; `errors` names each member."),
    ("Unauthorized", "401", "No valid API key, and no session."),
    (
        "Forbidden",
        "403",
        "The key lacks the scope (1303), or is for another conference (1304); of a session: the role does not allow it (1128), or no \
         page of ours sends it (1127).",
    ),
    ("NotFound", "404", "There is none of this name."),
    ("UnderWay", "409", "The first request with this `Idempotency-Key` is under way (1214)."),
    ("ChangedMeanwhile", "412", "There is another version by now (1213)."),
    ("TooLarge", "413", "The body is too large."),
    ("WrongType", "415", "The body is of another type than the operation takes."),
    ("OtherRequest", "422", "The `Idempotency-Key` was used for another request (1215)."),
    ("TooManyRequests", "429", "Too many requests; wait `Retry-After` seconds."),
    ("Unavailable", "503", "Not available for the moment; wait `Retry-After` seconds."),
];

fn refusals() -> Value {
    let refusal = |(name, status, description): (&str, &str, &str)| {
        let mut response = json!({ "description": description });
        complete_response(status, &mut response);
        (name.to_owned(), response)
    };
    REFUSALS.into_iter().map(refusal).collect::<Map<_, _>>().into()
}

/// Adds the headers that every answer has, and the form of a refusal.
fn complete_response(status: &str, response: &mut Value) {
    let headers = response["headers"].as_object_mut().map(std::mem::take).unwrap_or_default();
    let mut headers = Value::Object(headers);
    headers["X-Request-Id"] = request_id()["X-Request-Id"].clone();
    match status {
        "429" | "503" => {
            headers["Retry-After"] = json!({ "description": "Seconds.", "schema": { "type": "string" } });
        }
        "401" => headers["WWW-Authenticate"] = json!({ "schema": { "type": "string" } }),
        _ => {}
    }
    response["headers"] = headers;
    if status.starts_with('4') || status.starts_with('5') {
        let content = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
        response["content"] = json!({ "application/problem+json": content });
    }
}

const REFERENCE: &str = "#/components/schemas/";

/// A PATCH that merges (RFC 7396) takes a part of what is put; null stands for a member that is to go. The schema of that is
/// made of the whole's.
fn describe_patch(operation: &mut Value, schemas: &mut Value) {
    const MERGE_PATCH: &str = "application/merge-patch+json";
    let content = &mut operation["requestBody"]["content"];
    let mut body =
        content.as_object().and_then(|content| content.values().next()).cloned().unwrap_or_default();
    let name =
        body["schema"]["$ref"].as_str().and_then(|name| name.strip_prefix(REFERENCE)).unwrap_or_default();
    if !name.ends_with("Patch") {
        let patch = format!("{}Patch", name.trim_end_matches("Body"));
        schemas[&patch] = partial(&schemas[name]);
        body["schema"] = json!({ "$ref": format!("{REFERENCE}{patch}") });
    }
    *content = json!({ "application/json": body, MERGE_PATCH: body });
}

/// In what is put whole null stands for a member that is left out.
fn describe_put(operation: &mut Value, schemas: &mut Value) {
    let Some(content) = operation.pointer_mut("/requestBody/content/application~1json") else { return };
    let name = content["schema"]["$ref"].as_str().and_then(|name| name.strip_prefix(REFERENCE));
    let Some(name) = name.filter(|name| !name.ends_with("Body")).map(str::to_owned) else { return };
    let body = format!("{}Body", name.trim_end_matches("Settings"));
    let mut whole = schemas[&name].clone();
    nullable(&mut whole);
    schemas[&body] = whole;
    content["schema"] = json!({ "$ref": format!("{REFERENCE}{body}") });
}

/// The schema of a part of what this one describes.
fn partial(whole: &Value) -> Value {
    let mut part = whole.clone();
    part["description"] =
        json!("Merged into what is stored (RFC 7396): what is left out stays, null removes.");
    make_partial(&mut part);
    part
}

/// Objects are merged member by member, at every depth; lists and all else are replaced.
fn make_partial(object: &mut Value) {
    if let Some(members) = object.as_object_mut() {
        members.remove("required");
        members.remove("example");
        members.remove("default");
    }
    for (_, member) in object["properties"].as_object_mut().into_iter().flatten() {
        if let Some(member) = member.as_object_mut() {
            // What is left out stays as it is.
            member.remove("default");
        }
        // A member that may be null as it is stands beside that.
        let inner = member.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten();
        inner.filter(|one| one.get("properties").is_some()).for_each(make_partial);
        if member.get("properties").is_some() {
            make_partial(member);
        }
    }
    nullable(object);
}

/// Lets each member that may be left out be null as well.
fn nullable(object: &mut Value) {
    let required: Vec<String> = object["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    let members = object["properties"].as_object_mut().into_iter().flatten();
    let is_null = |one: &Value| one.get("type") == Some(&json!("null"));
    for (_, schema) in members.filter(|(name, _)| !required.contains(name)) {
        let is_nullable =
            schema.get("oneOf").and_then(Value::as_array).is_some_and(|some| some.iter().any(is_null));
        if is_nullable {
            continue;
        }
        match schema.get("type") {
            Some(Value::String(kind)) => schema["type"] = json!([kind, "null"]),
            Some(_) => {}
            None => *schema = json!({ "oneOf": [{ "type": "null" }, schema.clone()] }),
        }
        if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            values.push(Value::Null);
        }
    }
}

/// Mends what is derived and says too much or too little:
///
/// - The description and the default of a member stand in a second schema, of an object, that the value has to match as well, which no
///   text and no list does. They go into its own.
/// - The default of a member that may be left out is null, although null is not allowed: it has none.
/// - An object without members may have any; programs that make types of schemas take it for an empty one.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(tidy);
            if let Some((schema, beside)) = beside(members) {
                members.remove("allOf");
                members.extend(schema);
                members.extend(beside);
            }
            if members.get("default") == Some(&Value::Null)
                && members.get("type").is_some_and(Value::is_string)
            {
                members.remove("default");
            }
            let is_bare = ["properties", "additionalProperties", "allOf", "oneOf", "anyOf", "items"]
                .iter()
                .all(|name| !members.contains_key(*name));
            let is_object = match members.get("type") {
                Some(Value::String(kind)) => kind == "object",
                Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
                _ => false,
            };
            if is_object && is_bare {
                members.insert("additionalProperties".to_owned(), Value::Bool(true));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The schema of a member, and what is said of it in a second one.
fn beside(member: &Map<String, Value>) -> Option<(Map<String, Value>, Map<String, Value>)> {
    let [Value::Object(schema), Value::Object(beside)] = member.get("allOf")?.as_array()?.as_slice() else {
        return None;
    };
    let mut beside = beside.clone();
    // The second one has been tidied itself.
    beside.remove("additionalProperties");
    (beside.remove("type")? == "object").then_some(())?;
    let is_about = beside.keys().all(|name| matches!(name.as_str(), "description" | "default" | "example"));
    is_about.then(|| (schema.clone(), beside))
}

/// Bodies that are files: octets, not a list of numbers.
fn describe_files(operation: &mut Value) {
    let is_file = |kind: &str| {
        matches!(kind, "application/octet-stream" | pcap::MEDIA_TYPE) || kind.starts_with("audio/")
    };
    let describe = |body: Option<&mut Value>| {
        let content = body.and_then(|body| body.get_mut("content")).and_then(Value::as_object_mut);
        for (_, content) in content.into_iter().flatten().filter(|(kind, _)| is_file(kind)) {
            content["schema"] = json!({ "type": "string", "format": "binary" });
        }
    };
    describe(operation.get_mut("requestBody"));
    for (_, response) in operation["responses"].as_object_mut().into_iter().flatten() {
        describe(Some(response));
    }
}

fn add_parameter(operation: &mut Value, parameter: Value) {
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.push(parameter),
        None => operation["parameters"] = json!([parameter]),
    }
}
