//! Whatever is stored has its entry in the audit log in the same transaction: the entry is there even if the service is killed before
//! it answers. That holds for every operation of the description that stores something.
#![allow(missing_docs)]

mod support;

use plenary_model::{
    CallEntry, CallRecord, Delivery, DeliveryState, EndedBy, KeySettings, RecordingEnd, RecordingManifest,
    RecordingSettings, RecordingState, Scope, Timestamp,
};
use plenary_store::AuditQuery;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use support::{
    LOGIN, NOW, World,
    browser::{Answer, OWN, ask},
};

/// Operations that store nothing, or nothing but what the engine and the recorder write down of conferences in progress.
const STORE_NOTHING: [&str; 29] = [
    "admit_participant",
    "admit_waiting",
    "ask_to_unmute",
    "call_participant",
    "change_conference",
    "change_conference_sound",
    "change_participant",
    "conference_list_post",
    "conference_participant_eject_post",
    "conference_participant_list_post",
    "conference_participant_set_options_post",
    "eject_participant",
    "end_conference",
    "lift_ban",
    "make_token",
    "move_participant",
    "mute_conference",
    "open_guest_link",
    "open_invitation",
    "pause_conference_recording",
    "play_announcement",
    "refuse_waiting",
    "start_conference_recording",
    "stop_announcement",
    "stop_conference_recording",
    "test_trunk",
    "transfer_participant",
    "warn_of_end",
    "webrtc_generate_token_post",
];

/// What has been done, and by which operation.
struct Doings<'a> {
    world: &'a World,
    description: Value,
    done: Vec<(&'static str, String, String)>,
}

impl Doings<'_> {
    async fn does(
        &mut self,
        operation: &'static str,
        headers: &[(&str, &str)],
        (method, path): (&'static str, &str),
        body: Value,
    ) -> Answer {
        let body = (!body.is_null()).then_some(body);
        let answer = ask(self.world, method, path, headers, body).await;
        self.note(operation, method, path, answer.status, &answer.text);
        answer
    }

    fn note(&mut self, operation: &'static str, method: &str, path: &str, status: u16, text: &str) {
        assert!((200..300).contains(&status), "{method} {path}: {status} {text}");
        let path = path.split('?').next().unwrap();
        let of = self.of(method, path);
        assert_eq!(of.as_deref(), Some(operation), "{method} {path}");
        self.done.push((operation, method.to_owned(), path.to_owned()));
    }

    /// The operation of the description that a request is.
    fn of(&self, method: &str, path: &str) -> Option<String> {
        let fits = |template: &str| {
            let (one, other) = (template.split('/'), path.split('/'));
            one.clone().count() == other.clone().count()
                && one.zip(other).all(|(one, other)| one.starts_with('{') || one == other)
        };
        // What is named whole goes before what has gaps.
        let mut found: Vec<(&String, &Value)> =
            self.description["paths"].as_object()?.iter().filter(|(template, _)| fits(template)).collect();
        found.sort_by_key(|(template, _)| template.matches('{').count());
        let operation = &found.first()?.1[method.to_lowercase()]["operationId"];
        operation.as_str().map(str::to_owned)
    }
}

/// A file of a second of silence: 16 bits at 8000 Hz.
fn wav() -> Vec<u8> {
    let mut file = Vec::from(*b"RIFF\xa4\x3e\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(8000_u32.to_le_bytes());
    file.extend(16_000_u32.to_le_bytes());
    file.extend(*b"\x02\0\x10\0data\x80\x3e\0\0");
    file.resize(44 + 16_000, 0);
    file
}

/// A call of a number and a recording, both over.
async fn records(world: &World) -> String {
    let call = CallRecord {
        id: "a".to_owned(),
        account: world.account,
        service: "conf-*".to_owned(),
        conference: Some("Board".to_owned()),
        from: "+4930123456".to_owned(),
        to: "conf-Board".to_owned(),
        started_at: NOW,
        answered_at: Some(NOW),
        is_outgoing: false,
        trunk: None,
        admitted_by: None,
    };
    let (at, cause) = (Timestamp(NOW.0 + 60_000), "BYE".to_owned());
    let ended = CallEntry::Ended { id: "a".to_owned(), at, cause, ended_by: EndedBy::Remote, stats: None };
    world.store.write_calls(&[CallEntry::Started { call, dialog: None }, ended]).await.unwrap();
    let id = support::RECORDING.to_owned();
    let settings = RecordingSettings::default();
    let begun = RecordingManifest::begun(id.clone(), world.account.0, "Board".to_owned(), settings, NOW.0);
    let over = RecordingManifest {
        state: RecordingState::Finished,
        ended_at_ms: Some(NOW.0 + 60_000),
        end_reason: Some(RecordingEnd::Stopped),
        duration_ms: 60_000,
        ..begun
    };
    world.store.write_recording(&over).await.unwrap();
    let folder = world.folder.path().join("recordings").join(world.account.0.to_string()).join(&id);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("mixed.opus"), b"OggS").unwrap();
    id
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

#[tokio::test]
async fn what_is_stored_has_its_entry_even_if_the_service_is_killed_before_it_answers() {
    let world = World::new().await;
    let settings = KeySettings { scopes: Scope::ALL.into_iter().collect(), ..KeySettings::default() };
    let (_, key) = world.store.key_new(world.account, &settings).await.unwrap();
    let (_, _, description) = world.send_as("", "GET", "/v1/openapi.json", "", "").await;
    world.keep_entries_from_being_completed().await;
    let description: Value = serde_json::from_str(&description).unwrap();
    let mut all = Doings { world: &world, description, done: Vec::new() };
    let all = &mut all;
    let bearer = format!("Bearer {key}");
    let key = &[("authorization", &*bearer)][..];
    const NONE: Value = Value::Null;

    let book = json!({ "conference": "Board", "max_participants": 40, "starts_at": "2019-06-20T16:00:00Z",
        "duration_min": 30 });
    let booked = all.does("make_reservation", key, ("POST", "/v1/reservations"), book).await.body;
    let path = format!("/v1/reservations/{}", text(&booked["token"]));
    all.does("change_reservation", key, ("PATCH", &path), json!({ "title": "Tea" })).await;
    all.does("remove_reservation", key, ("DELETE", &path), NONE).await;
    let weekly = json!({ "conference": "Weekly", "max_participants": 40, "starts_at": "2019-10-14T08:00:00Z",
        "time_zone": "Europe/Berlin", "duration_min": 30, "repeat": "weekly", "count": 2 });
    let series = all.does("make_series", key, ("POST", "/v1/series"), weekly).await.body;
    all.does("remove_series", key, ("DELETE", &format!("/v1/series/{}", series["id"])), NONE).await;

    let made = all.does("make_key", key, ("POST", "/v1/keys"), json!({ "scopes": ["read"] })).await.body;
    let path = format!("/v1/keys/{}", made["id"]);
    all.does("change_key", key, ("PATCH", &path), json!({ "label": "Page" })).await;
    all.does("revoke_key", key, ("DELETE", &path), NONE).await;
    let made = all.does("make_webrtc_key", key, ("POST", "/v1/webrtc_keys"), json!({})).await.body;
    let path = format!("/v1/webrtc_keys/{}", text(&made["key"]));
    all.does("put_webrtc_key", key, ("PUT", &path), json!({ "services": ["conf-*"] })).await;
    all.does("change_webrtc_key", key, ("PATCH", &path), json!({ "services": null })).await;
    all.does("revoke_webrtc_key", key, ("DELETE", &path), NONE).await;

    people(all, key).await;

    let link = json!({ "conference": "Board" });
    let made = all.does("make_leader_link", key, ("POST", "/v1/leader-links"), link).await.body;
    let code = text(&made["path"]).strip_prefix("/console/leader#").unwrap();
    let open = ("POST", "/v1/leader-links/open");
    all.does("open_leader_link", &[OWN], open, json!({ "code": code })).await;
    all.does("revoke_leader_link", key, ("DELETE", &format!("/v1/leader-links/{}", made["id"])), NONE).await;

    guests(all, key).await;
    configuration(all, key).await;

    let account = json!({ "cloud_id": "1-2-0", "username": "eve@example.com" });
    let made = all.does("make_account", key, ("POST", "/v1/operator/accounts"), account).await.body;
    let path = format!("/v1/operator/accounts/{}", made["id"]);
    all.does("change_account", key, ("PATCH", &path), json!({ "recording_days": 7 })).await;

    let recording = records(&world).await;
    let path = "/v1/personal-data?number=%2B4930123456";
    all.does("remove_personal_data", key, ("DELETE", path), NONE).await;
    all.does("delete_recording", key, ("DELETE", &format!("/v1/recordings/{recording}")), NONE).await;

    let form = async |all: &mut Doings<'_>, operation, path: &str, form: &str| {
        let (status, _, answer) = world.send("POST", path, "application/x-www-form-urlencoded", form).await;
        all.note(operation, "POST", path, status, &answer);
        serde_json::from_str::<Value>(&answer).unwrap()["reservation_token"].clone()
    };
    let (path, example) = support::EXAMPLE.split_once('?').unwrap();
    let token = form(all, "conference_reservation_create_post", path, example).await;
    let token = format!("reservation_token={}", text(&token));
    let longer = format!("{token}&duration=15");
    form(all, "conference_reservation_modify_post", "/conference_reservation_modify", &longer).await;
    form(all, "conference_reservation_remove_post", "/conference_reservation_remove", &token).await;

    let running = json!({ "conference": "Panel", "max_participants": 40, "starts_at": "2019-06-20T15:15:00Z",
        "duration_min": 30 });
    all.does("make_reservation", key, ("POST", "/v1/reservations"), running).await;
    world.control.pass_minutes(16);
    world.control.enter(world.account, "Panel", "p1");
    let longer = ("POST", "/v1/conferences/Panel/extend");
    all.does("extend_conference", key, longer, json!({ "minutes": 15 })).await;

    // Each has an entry, and it was not completed.
    let query = AuditQuery { limit: 500, ..AuditQuery::default() };
    let mut entries: Vec<_> =
        world.store.audit(&query).await.unwrap().into_iter().map(|(_, entry)| entry).collect();
    entries.reverse();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            assert_eq!((entry.status, &entry.after), (None, &None), "{entry:?}");
            (entry.method.clone(), entry.path.clone())
        })
        .collect();
    let expected: Vec<_> = all.done.iter().map(|(_, method, path)| (method.clone(), path.clone())).collect();
    assert_eq!(told, expected);
    let removed = entries.iter().find(|entry| entry.path == "/conference_reservation_remove").unwrap();
    assert_eq!(removed.before.as_ref().unwrap()["max_participants"], 130, "what was there is known");
    assert_eq!(removed.actor, LOGIN);
    let who = |path: &str| entries.iter().find(|entry| entry.path == path).unwrap().actor.clone();
    assert_eq!(who("/v1/invitations/accept"), "eve@example.com", "who signs in is known by then");
    assert_eq!(who("/v1/leader-links/open"), LOGIN);

    // No operation is forgotten.
    let mut known: BTreeSet<&str> = all.done.iter().map(|(operation, ..)| *operation).collect();
    known.extend(STORE_NOTHING);
    let changing = all.description["paths"].as_object().unwrap().values().flat_map(|item| {
        let methods = ["post", "put", "patch", "delete"];
        methods.map(|method| item[method]["operationId"].as_str()).into_iter().flatten()
    });
    assert_eq!(known, changing.collect::<BTreeSet<_>>());
}

/// People, who sign in and out.
async fn people(all: &mut Doings<'_>, key: &[(&str, &str)]) {
    const PASSWORD: &str = "correct horse";
    const NONE: Value = Value::Null;
    let person =
        json!({ "name": "Eve", "mail": "eve@example.com", "roles": [{ "account": 1, "role": "organiser" }] });
    let made = all.does("make_person", key, ("POST", "/v1/people"), person).await.body;
    let path = format!("/v1/people/{}", made["id"]);
    all.does("change_person", key, ("PATCH", &path), json!({ "name": "Eva" })).await;
    let invited = all.does("invite_person", key, ("POST", &format!("{path}/invitation")), NONE).await.body;
    let code = text(&invited["path"]).strip_prefix("/console/welcome#").unwrap();
    let accept = json!({ "code": code, "password": PASSWORD });
    let accepted = ("POST", "/v1/invitations/accept");
    let first = all.does("accept_invitation", &[OWN], accepted, accept).await.body["session"]["id"].clone();
    let login = json!({ "login": "eve@example.com", "password": PASSWORD });
    let cookie = all.does("sign_in", &[OWN], ("POST", "/v1/session"), login).await.cookie();
    let eve = &[("cookie", &*cookie), OWN][..];
    all.does("change_session", eve, ("PATCH", "/v1/session"), json!({ "language": "de" })).await;
    all.does("make_calendar_feed", eve, ("POST", "/v1/session/calendar"), NONE).await;
    all.does("end_calendar_feed", eve, ("DELETE", "/v1/session/calendar"), NONE).await;
    all.does("end_session", eve, ("DELETE", &format!("/v1/sessions/{first}")), NONE).await;
    let change = json!({ "old_password": PASSWORD, "password": "another horse" });
    all.does("change_password", eve, ("PUT", "/v1/session/password"), change).await;
    all.does("sign_out", eve, ("DELETE", "/v1/session"), NONE).await;
    all.does("remove_person", key, ("DELETE", &path), NONE).await;
}

/// Guests' links, with a service that they lead in by.
async fn guests(all: &mut Doings<'_>, key: &[(&str, &str)]) {
    let service = json!({ "conference": { "name": "{rest}" }, "access": { "networks": [], "tokens": true } });
    all.world.store.put_service(all.world.account, "conf-*", &service).await.unwrap();
    let link = json!({ "conference": "Board" });
    let made = all.does("make_guest_link", key, ("POST", "/v1/guest-links"), link).await.body;
    let path = format!("/v1/guest-links/{}", made["id"]);
    all.does("revoke_guest_link", key, ("DELETE", &path), Value::Null).await;
}

/// What is configured by name.
async fn configuration(all: &mut Doings<'_>, key: &[(&str, &str)]) {
    const NONE: Value = Value::Null;
    const ROOM: &str = "/v1/rooms/1001";
    all.does("put_room", key, ("PUT", ROOM), json!({ "conference": "Board" })).await;
    all.does("change_room", key, ("PATCH", ROOM), json!({ "conference": "Tea" })).await;
    all.does("delete_room", key, ("DELETE", ROOM), NONE).await;
    const TRUNK: &str = "/v1/trunks/p";
    all.does("put_trunk", key, ("PUT", TRUNK), json!({ "uri": "sip:p.example" })).await;
    all.does("change_trunk", key, ("PATCH", TRUNK), json!({ "calls_max": 3 })).await;
    all.does("delete_trunk", key, ("DELETE", TRUNK), NONE).await;
    const USER: &str = "/v1/users/desk";
    let user = json!({ "password": "correct-horse-77" });
    all.does("put_user", key, ("PUT", USER), user.clone()).await;
    all.does("change_user", key, ("PATCH", USER), user).await;
    all.does("delete_user", key, ("DELETE", USER), NONE).await;
    let service = json!({ "conference": { "name": "Board" } });
    const INBOUND: &str = "/service/v1/inbound/board";
    all.does("put_inbound_service", key, ("PUT", INBOUND), service.clone()).await;
    all.does("patch_inbound_service", key, ("PATCH", INBOUND), service.clone()).await;
    all.does("delete_inbound_service", key, ("DELETE", INBOUND), NONE).await;
    const SERVICE: &str = "/v1/services/board";
    all.does("put_service", key, ("PUT", SERVICE), service.clone()).await;
    all.does("change_service", key, ("PATCH", SERVICE), service).await;
    all.does("delete_service", key, ("DELETE", SERVICE), NONE).await;
    all.does("change_sound", key, ("PATCH", "/v1/sound"), json!({ "noise_suppression": true })).await;

    const HOOK: &str = "/v1/webhooks/crm";
    // Nobody listens there.
    all.does("put_webhook", key, ("PUT", HOOK), json!({ "url": "http://127.0.0.1:1/" })).await;
    all.does("change_webhook", key, ("PATCH", HOOK), json!({ "enabled": false })).await;
    all.does("rotate_webhook_secret", key, ("POST", "/v1/webhooks/crm/secret"), json!({})).await;
    all.does("test_webhook", key, ("POST", "/v1/webhooks/crm/test"), NONE).await;
    let delivery = Delivery {
        id: "evt_1".to_owned(),
        seq: Some(1),
        event_type: "reservation.created".to_owned(),
        state: DeliveryState::Failed,
        attempts: 1,
        status: None,
        error: None,
        duration_ms: 0,
        created_at: NOW,
        tried_at: NOW,
    };
    all.world.store.write_delivery(all.world.account, "crm", &delivery).await.unwrap();
    all.does("resend_delivery", key, ("POST", "/v1/webhooks/crm/deliveries/evt_1/resend"), NONE).await;
    all.does("delete_webhook", key, ("DELETE", HOOK), NONE).await;

    const MEDIA: &str = "/v1/media/welcome";
    let (status, answer) = upload(all.world, MEDIA).await;
    all.note("put_media", "PUT", MEDIA, status, &answer);
    all.does("delete_media", key, ("DELETE", MEDIA), NONE).await;
}

async fn upload(world: &World, path: &str) -> (u16, String) {
    let request = axum::http::Request::builder()
        .method("PUT")
        .uri(path)
        .header("Host", "conference.example.com")
        .header("Authorization", format!("Bearer {}", world.key))
        .body(axum::body::Body::from(wav()))
        .unwrap();
    let response = tower::ServiceExt::oneshot(world.router.clone(), request).await.unwrap();
    let status = response.status().as_u16();
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}
