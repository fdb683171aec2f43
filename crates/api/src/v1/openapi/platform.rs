//! The services that keep the platform's form: the seven from their table, inbound services, tokens of browsers.

use crate::web::seven::table::{Kind, Need, Parameter, SERVICES, Service, Type};
use plenary_model::InboundService;
use serde_json::{Map, Value, json};

const SECONDS: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9]{2}:[0-9]{2}:[0-9]{2}$";
const MINUTES: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{2}$";

pub(super) fn add(paths: &mut Map<String, Value>) {
    for service in &SERVICES {
        paths.insert(service.path.to_owned(), seven(service));
    }
    paths.insert("/webrtc_generate_token".to_owned(), client_token());
    paths.insert("/service/v1/inbound".to_owned(), inbound_list());
    paths.insert("/service/v1/inbound/{name}".to_owned(), inbound());
    paths.insert("/service/v1/schema/inbound".to_owned(), inbound_schema());
}

pub(super) fn error_schema() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong, in the platform's form.",
        "required": ["error", "request"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "text", "datetime", "link"],
                "properties": {
                    "code": { "type": "string", "pattern": "^([0-9]{4}|HTTP [0-9]{3})$", "example": "0002" },
                    "text": { "type": "string", "description": "What is wrong and what is allowed, for people." },
                    "details": {
                        "type": "array",
                        "items": { "type": "string" },
                        "description": "Where several parameters are wrong: a sentence for each.",
                    },
                    "datetime": datetime(),
                    "link": { "type": "string", "description": "The page that explains it." },
                },
            },
            "request": {
                "type": "object",
                "required": ["url", "datetime"],
                "properties": { "url": { "type": "string" }, "datetime": datetime() },
            },
        },
    })
}

fn datetime() -> Value {
    json!({ "type": "string", "pattern": SECONDS })
}

/// An operation with what all of the platform's have in common.
fn operation(id: &str, summary: &str, scope: &str, answer: Value, refusals: &[(&str, &str)]) -> Value {
    let mut responses = json!({ "200": answer });
    for status in ["400", "401", "403", "429", "503"] {
        responses[status] = common(status);
    }
    for (status, description) in refusals {
        responses[*status] = refusal(description);
    }
    json!({
        "tags": ["platform"],
        "operationId": id,
        "summary": summary,
        "description": format!("Needs the scope `{scope}`."),
        "security": [{ "basic": [scope] }, { "bearer": [scope] }],
        "responses": responses,
    })
}

fn answer(description: &str, schema: &Value) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

fn object(properties: Value) -> Value {
    let required: Vec<String> = properties.as_object().into_iter().flat_map(Map::keys).cloned().collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

impl Service {
    fn summary(&self) -> &'static str {
        match self.kind {
            Kind::ReservationCreate => "Reserves a conference",
            Kind::ReservationModify => "Extends a reservation",
            Kind::ReservationRemove => "Removes a reservation",
            Kind::List => "Lists conferences",
            Kind::ParticipantList => "Lists the participants of a conference",
            Kind::ParticipantSetOptions => "Mutes a participant or takes its keys away",
            Kind::ParticipantEject => "Ejects a participant",
        }
    }

    fn answer(&self) -> Value {
        let done = |name: &str| object(json!({ name: { "type": "boolean", "const": true } }));
        match self.kind {
            Kind::ReservationCreate => answer(
                "The reservation is made.",
                &object(
                    json!({ "reservation_token": { "type": "string", "description": "Names the reservation from now on." } }),
                ),
            ),
            Kind::ReservationModify => answer("The reservation is longer now.", &done("extended")),
            Kind::ReservationRemove => answer("The reservation is removed.", &done("removed")),
            Kind::ParticipantSetOptions => answer("The options are set.", &done("options_set")),
            Kind::ParticipantEject => answer("The participant is out.", &done("ejected")),
            Kind::List => answer(
                "Reserved conferences and those in progress.",
                &json!({
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["conference_name", "max_participants", "status"],
                        "properties": {
                            "conference_name": { "type": "string" },
                            "max_participants": { "type": "integer" },
                            "status": status(),
                            "reservation_token": { "type": "string", "description": "Of reserved conferences." },
                            "start_time": { "type": "string", "pattern": MINUTES, "description": "Of reserved conferences, UTC." },
                            "start_datetime": { "type": "string", "pattern": SECONDS, "description": "The same in the other form." },
                            "duration": { "type": "integer", "description": "Of reserved conferences, in minutes." },
                            "divert": { "type": "string" },
                        },
                    },
                }),
            ),
            Kind::ParticipantList => answer(
                "Who is in.",
                &object(json!({
                    "status": status(),
                    "participants": {
                        "type": "array",
                        "items": object(json!({
                            "participant_id": { "type": "string" },
                            "muted": { "type": "boolean" },
                            "dtmf_enabled": { "type": "boolean" },
                        })),
                    },
                })),
            ),
        }
    }
}

fn status() -> Value {
    json!({ "type": "string", "enum": ["RESERVED", "HOLDING", "ACTIVE", "COMPLETED"] })
}

fn schema(of: Type) -> Value {
    match of {
        Type::Text => json!({ "type": "string" }),
        Type::Number => json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX }),
        Type::Time => json!({
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(_[0-9]{2}:[0-9]{2}:[0-9]{2}|-[0-9]{2}-[0-9]{2})$",
            "description": "UTC, `YYYY-MM-DD_hh:mm:ss` or `YYYY-MM-DD-hh-mm`.",
            "example": "2026-01-15_09:00:00",
        }),
        Type::Truth => json!({ "type": "boolean" }),
    }
}

fn parameter(Parameter { name, of, need }: &Parameter) -> Value {
    let mut parameter = json!({
        "name": name,
        "in": "query",
        "required": *need == Need::Required,
        "schema": schema(*of),
    });
    if *need == Need::One {
        parameter["description"] = json!(match of {
            Type::Truth => "One at least of `muted` and `dtmf_enabled` is needed.",
            _ => "One of `conference_name` and `reservation_token` is needed.",
        });
    }
    parameter
}

fn seven(service: &Service) -> Value {
    let refusals = [
        ("404", "There is no such conference, reservation or participant."),
        ("409", "It cannot be done now: the code says why."),
    ];
    let name = service.path.trim_start_matches('/');
    let scope = service.scope.to_string();
    let make = |id: &str| operation(id, service.summary(), &scope, service.answer(), &refusals);
    let mut get = make(name);
    get["parameters"] = service.parameters.iter().map(parameter).collect();
    let mut post = make(&format!("{name}_post"));
    if !service.parameters.is_empty() {
        let properties: Map<String, Value> =
            service.parameters.iter().map(|one| (one.name.to_owned(), schema(one.of))).collect();
        let required: Vec<&str> =
            service.parameters.iter().filter(|one| one.need == Need::Required).map(|one| one.name).collect();
        let mut form = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            form["required"] = json!(required);
        }
        add_form(&mut post, &form);
    }
    json!({ "get": get, "post": post })
}

/// Tokens of clients in browsers.
fn client_token() -> Value {
    let schemas = json!({
        "client_id": {
            "type": "string",
            "pattern": "^[A-Za-z0-9._+-]{1,64}$",
            "description": "The client's id, unique within the account.",
        },
        "ttl": {
            "type": "integer",
            "minimum": 1,
            "maximum": 87_600,
            "default": 3600,
            "description": "For how many seconds it is valid.",
        },
        "enable_incoming": { "type": "boolean", "default": false, "description": "The client may be called." },
        "call_client": {
            "type": "string",
            "maxLength": 1024,
            "description": "The clients that it may call: `*`, or ids separated by commas.",
        },
    });
    let shown = object(json!({
        "token": { "type": "string" },
        "expires": { "type": "integer", "description": "Seconds since 1970-01-01 UTC." },
    }));
    let make = |id: &str| {
        operation(id, "Makes a token for a client in a browser", "control", answer("The token.", &shown), &[])
    };
    let mut get = make("webrtc_generate_token");
    let parameter = |(name, schema): (&String, &Value)| json!({ "name": name, "in": "query", "required": name == "client_id", "schema": schema });
    get["parameters"] = schemas.as_object().into_iter().flatten().map(parameter).collect();
    let mut post = make("webrtc_generate_token_post");
    add_form(&mut post, &json!({ "type": "object", "required": ["client_id"], "properties": schemas }));
    json!({ "get": get, "post": post })
}

/// A body in any of the three forms.
fn add_form(operation: &mut Value, form: &Value) {
    // In JSON null is a member that is left out, and a value is read as its text.
    let mut object = form.clone();
    super::nullable(&mut object);
    for schema in object["properties"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        let is_optional = schema["type"].is_array();
        let kind = if is_optional { schema["type"][0].take() } else { schema["type"].take() };
        let mut kinds = match kind.as_str() {
            Some("integer") => json!(["integer", "string"]),
            Some("boolean") => json!(["boolean", "string"]),
            _ => json!(["string", "number", "boolean"]),
        };
        if let (true, Some(kinds)) = (is_optional, kinds.as_array_mut()) {
            kinds.push(json!("null"));
        }
        schema["type"] = kinds;
    }
    operation["requestBody"] = json!({
        "required": true,
        "content": {
            "application/x-www-form-urlencoded": { "schema": form },
            "multipart/form-data": { "schema": form },
            "application/json": { "schema": object },
        },
    });
    add_body_refusals(operation);
}

fn add_body_refusals(operation: &mut Value) {
    for status in ["413", "415"] {
        operation["responses"][status] = common(status);
    }
}

/// Refusals that have nothing of their own in an operation.
const REFUSALS: [(&str, &str); 7] = [
    ("400", "A parameter is missing or not valid."),
    ("401", "No valid API key."),
    ("403", "The key lacks the scope (1303), or a page of another site asks (1302)."),
    ("413", "The body is too large."),
    ("415", "The body has another type."),
    ("429", "Too many requests; wait `Retry-After` seconds."),
    ("503", "Not available for the moment; wait `Retry-After` seconds."),
];

pub(super) fn add_refusals(responses: &mut Value) {
    for (status, description) in REFUSALS {
        responses[format!("Platform{status}")] = refusal(description);
    }
}

fn common(status: &str) -> Value {
    json!({ "$ref": format!("#/components/responses/Platform{status}") })
}

fn refusal(description: &str) -> Value {
    json!({
        "description": description,
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/PlatformError" } } },
    })
}

/// A service as it is shown: what was put, with its name.
fn shown_service() -> Value {
    json!({
        "type": "object",
        "required": ["name"],
        "properties": { "name": { "type": "string" } },
        "description": "What was put, with the service's name.",
    })
}

fn inbound_list() -> Value {
    let list = json!({ "type": "array", "items": shown_service() });
    let services = answer("The account's inbound services.", &list);
    json!({ "get": operation("list_inbound_services", "Lists inbound services", "config", services, &[]) })
}

fn inbound() -> Value {
    const UNKNOWN: (&str, &str) = ("404", "There is no inbound service of this name (1104).");
    const TAKEN: (&str, &str) = ("409", "The name is taken (1207).");
    let one = || answer("The inbound service.", &shown_service());
    let mut put =
        operation("put_inbound_service", "Makes or replaces an inbound service", "config", one(), &[TAKEN]);
    put["responses"]["201"] = answer("The inbound service, made.", &shown_service());
    put["requestBody"] = json!({
        "required": true,
        "content": { "application/json": {
            "schema": InboundService::json_schema(),
            "example": { "conference": { "name": "Board" } },
        } },
    });
    let mut patch =
        operation("patch_inbound_service", "Changes an inbound service", "config", one(), &[UNKNOWN, TAKEN]);
    patch["requestBody"] = json!({
        "required": true,
        "content": { "application/json": {
            "schema": { "type": "object", "description": "Merged into what is stored (RFC 7396)." },
            "example": { "conference": { "name": "Board" } },
        } },
    });
    add_body_refusals(&mut put);
    add_body_refusals(&mut patch);
    let deleted =
        answer("It is deleted.", &object(json!({ "deleted": { "type": "boolean", "const": true } })));
    json!({
        "parameters": [{
            "name": "name",
            "in": "path",
            "required": true,
            "description": "The name or number that is dialled; `*` at its end stands for anything.",
            "schema": { "type": "string", "minLength": 1, "maxLength": plenary_model::SERVICE_NAME_CHARS_MAX },
        }],
        "get": operation("get_inbound_service", "Shows an inbound service", "config", one(), &[UNKNOWN]),
        "put": put,
        "patch": patch,
        "delete": operation("delete_inbound_service", "Deletes an inbound service", "config", deleted, &[UNKNOWN]),
    })
}

fn inbound_schema() -> Value {
    let schema = answer("A JSON Schema.", &json!({ "type": "object" }));
    json!({ "get": operation("get_inbound_schema", "Shows the JSON Schema of inbound services", "config", schema, &[]) })
}
