//! Reservations in calendars of other programs, series, and guests who are invited by mail.
#![allow(missing_docs)]

mod support;

use plenary_api::{
    ConferenceControl as _,
    calendar::{About, PinSaid, Recipient, single_event},
};
use plenary_model::{Guest, LanguageCode, MailKind, Pin};
use serde_json::{Value, json};
use support::World;

async fn ask(world: &World, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let (kind, body) = match body {
        Some(body) => ("application/json", body.to_string()),
        None => ("", String::new()),
    };
    let (status, _, text) =
        world.send_with(&format!("Bearer {}", world.key), method, path, kind, &body).await;
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Lines as they were before they were folded.
async fn calendar(world: &World, path: &str) -> Vec<String> {
    let (status, text) = ask(world, "GET", path, None).await;
    assert_eq!(status, 200, "{text}");
    let text = text.as_str().unwrap().replace("\r\n ", "");
    text.trim_end().split("\r\n").map(str::to_owned).collect()
}

fn value<'a>(lines: &'a [String], name: &str) -> Option<&'a str> {
    lines.iter().find_map(|line| line.strip_prefix(name))
}

/// The clock of the tests stands at 2019-06-20T15:00:00Z.
fn weekly() -> Value {
    json!({"conference": "Board", "max_participants": 50, "starts_at": "2019-10-14T08:00:00Z", "duration_min": 60,
        "title": "Weekly", "time_zone": "Europe/Berlin", "repeat": "weekly", "count": 4})
}

fn ann() -> Guest {
    Guest { mail: "ann@example.com".to_owned(), name: None, language: LanguageCode::english() }
}

fn guest(mail: &str) -> Value {
    json!({"mail": mail, "name": "Ann", "language": "en"})
}

#[tokio::test]
async fn an_event_keeps_its_uid_and_its_sequence_rises_with_each_change() {
    let world = World::new().await;
    let body = json!({"conference": "Board", "max_participants": 50, "starts_at": "2019-06-20T16:00:00Z",
        "duration_min": 30, "title": "Tea; and, cake"});
    let (status, made) = ask(&world, "POST", "/v1/reservations", Some(body)).await;
    assert_eq!((status, &made["sequence"]), (201, &json!(0)), "{made}");
    let token = made["token"].as_str().unwrap();
    let path = format!("/v1/reservations/{token}/calendar");
    let before = calendar(&world, &path).await;
    assert_eq!(value(&before, "SEQUENCE:"), Some("0"));
    assert_eq!(value(&before, "DTSTART:"), Some("20190620T160000Z"));
    assert_eq!(value(&before, "SUMMARY:"), Some("Tea\\; and\\, cake"));
    assert!(!before.join("").contains(token), "the token is a secret handle");
    let change = json!({"starts_at": "2019-06-20T17:00:00Z"});
    let (status, changed) = ask(&world, "PATCH", &format!("/v1/reservations/{token}"), Some(change)).await;
    assert_eq!((status, &changed["sequence"]), (200, &json!(1)), "{changed}");
    let after = calendar(&world, &path).await;
    assert_eq!(value(&after, "SEQUENCE:"), Some("1"));
    assert_eq!(value(&after, "DTSTART:"), Some("20190620T170000Z"));
    assert_eq!(value(&after, "UID:"), value(&before, "UID:"));
    // The seven services change it as well.
    let (status, _) =
        world.get(&format!("/conference_reservation_modify?reservation_token={token}&duration=15")).await;
    assert_eq!(status, 200);
    assert_eq!(value(&calendar(&world, &path).await, "SEQUENCE:"), Some("2"));
}

#[tokio::test]
async fn a_series_has_the_same_time_of_day_over_daylight_saving_and_single_dates_are_moved_and_dropped() {
    let world = World::new().await;
    let (status, made) = ask(&world, "POST", "/v1/series", Some(weekly())).await;
    assert_eq!(status, 201, "{made}");
    let starts: Vec<&str> =
        made["dates"].as_array().unwrap().iter().map(|one| one["starts_at"].as_str().unwrap()).collect();
    // Clocks in Berlin went back on 27 October 2019.
    let expected =
        ["2019-10-14T08:00:00Z", "2019-10-21T08:00:00Z", "2019-10-28T09:00:00Z", "2019-11-04T09:00:00Z"];
    assert_eq!(starts, expected);
    let token = |index: usize| made["dates"][index]["reservation"].as_str().unwrap().to_owned();
    let moved = json!({"starts_at": "2019-10-22T10:00:00Z"});
    let (status, _) = ask(&world, "PATCH", &format!("/v1/reservations/{}", token(1)), Some(moved)).await;
    assert_eq!(status, 200);
    let (status, _) = ask(&world, "DELETE", &format!("/v1/reservations/{}", token(2)), None).await;
    assert_eq!(status, 204);
    let path = format!("/v1/series/{}", made["id"]);
    let (_, shown) = ask(&world, "GET", &path, None).await;
    let states: Vec<&str> =
        shown["dates"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["booked", "moved", "dropped", "booked"]);
    let lines = calendar(&world, &format!("{path}/calendar")).await;
    assert_eq!(value(&lines, "RRULE:"), Some("FREQ=WEEKLY;INTERVAL=1;COUNT=4"));
    assert_eq!(value(&lines, "EXDATE;TZID=Europe/Berlin:"), Some("20191028T100000"));
    assert_eq!(value(&lines, "RECURRENCE-ID;TZID=Europe/Berlin:"), Some("20191021T100000"));
    assert!(lines.contains(&"DTSTART;TZID=Europe/Berlin:20191022T120000".to_owned()), "{lines:#?}");
    assert_eq!(value(&lines, "SEQUENCE:"), Some("2"), "one was moved, one dropped");
    let alone = calendar(&world, &format!("/v1/reservations/{}/calendar", token(1))).await;
    assert_eq!(value(&alone, "UID:"), value(&lines, "UID:"));
    assert_eq!(ask(&world, "DELETE", &path, None).await.0, 204);
    assert_eq!(ask(&world, "GET", &path, None).await.0, 404);
    let (_, left) = ask(&world, "GET", "/v1/reservations", None).await;
    assert_eq!(left["items"], json!([]));
}

#[tokio::test]
async fn dates_that_cannot_be_booked_are_told_and_the_others_are_made() {
    let world = World::new().await;
    let taken = json!({"conference": "Board", "max_participants": 50, "starts_at": "2019-10-21T08:30:00Z", "duration_min": 60});
    assert_eq!(ask(&world, "POST", "/v1/reservations", Some(taken)).await.0, 201);
    let mut body = weekly();
    body["without"] = json!(["2019-11-04"]);
    let (status, made) = ask(&world, "POST", "/v1/series", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    let states: Vec<&str> =
        made["dates"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["booked", "refused", "booked", "dropped"]);
    assert_eq!(made["dates"][1]["problem"]["code"], "1202");
    // None at all: nothing is made.
    let (status, refused) = ask(&world, "POST", "/v1/series", Some(json!({"conference": "Board", "max_participants": 50,
        "starts_at": "2019-10-21T08:30:00Z", "duration_min": 60, "time_zone": "UTC", "repeat": "daily", "count": 1}))).await;
    assert_eq!((status, &refused["code"]), (409, &json!("1202")), "{refused}");
    let (_, listed) = ask(&world, "GET", "/v1/series", None).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_series_is_told_by_its_member() {
    let world = World::new().await;
    for (member, value, pointer) in [
        ("count", json!(0), "/count"),
        ("interval", json!(100), "/interval"),
        ("time_zone", json!("Europe/Londn"), "/time_zone"),
        ("without", json!(["2019-10-15"]), "/without/0"),
        ("guests", json!([{"mail": "nobody"}]), "/guests/0/mail"),
        ("repeat", json!("yearly"), "/repeat"),
    ] {
        let mut body = weekly();
        body[member] = value;
        let (status, refused) = ask(&world, "POST", "/v1/series", Some(body)).await;
        assert_eq!(status, 400, "{member}: {refused}");
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
    let mut past = weekly();
    past["starts_at"] = json!("2019-06-20T15:00:00Z");
    let (status, refused) = ask(&world, "POST", "/v1/series", Some(past)).await;
    assert_eq!((status, &refused["errors"][0]["pointer"]), (400, &json!("/starts_at")), "{refused}");
    assert_eq!(ask(&world, "GET", "/v1/series/4", None).await.1["code"], "1143");
}

/// Kinds and addresses of the mails that are due.
async fn mails(world: &World) -> Vec<(MailKind, String)> {
    let later = plenary_model::Timestamp(i64::MAX);
    let due = world.store.due_mails(later, 100).await.unwrap();
    due.into_iter().map(|mail| (mail.kind, mail.guest.mail)).collect()
}

#[tokio::test]
async fn the_event_of_a_guest_says_in_their_language_how_to_join() {
    let world = World::new().await;
    ask(&world, "PUT", "/v1/rooms/1001", Some(json!({"conference": "Board", "pin": "482913"}))).await;
    let body = json!({"conference": "Board", "max_participants": 50, "starts_at": "2019-06-20T16:00:00Z", "duration_min": 30});
    let (_, made) = ask(&world, "POST", "/v1/reservations", Some(body)).await;
    let token = plenary_model::ReservationToken::new(made["token"].as_str().unwrap());
    let (booked, _) = world.control.reservation(world.account, token).await.unwrap();
    let invitations = plenary_api::Invitations {
        number: Some("+49 30 123456".to_owned()),
        join: Some("https://conference.example.com/join/{conference}".to_owned()),
        ..plenary_api::Invitations::default()
    };
    let described = async |language: &str| {
        let guest = Guest { language: LanguageCode::new(language).unwrap(), ..ann() };
        let to = Recipient::Guest(&guest, MailKind::Invitation, None);
        let about = About::new(&world.store, &invitations, &booked, to, support::NOW).await;
        single_event(&booked, &about.unwrap(), support::NOW).description
    };
    assert_eq!(
        described("de-AT").await,
        "Im Browser teilnehmen: https://conference.example.com/join/Board\nTelefon: +49 30 123456\nRaumnummer: 1001\n\
         Die PIN für das Telefon erhalten Sie getrennt."
    );
    for other in ["en", "pl"] {
        assert_eq!(
            described(other).await,
            "Join in the browser: https://conference.example.com/join/Board\nTelephone: +49 30 123456\nRoom number: 1001\n\
             You receive the PIN for the telephone separately."
        );
    }
}

#[tokio::test]
async fn guests_are_invited_with_the_booking_and_told_of_changes() {
    let world = World::new().await;
    // Far ahead of the clock of the machine, by which is judged whether it is over.
    let limits = plenary_conference::ReservationLimits { max_days_ahead: 20_000, ..Default::default() };
    let world_ahead = World::with_limits(limits).await;
    drop(world);
    let world = world_ahead;
    let body = json!({"conference": "Board", "max_participants": 50, "starts_at": "2060-06-20T16:00:00Z",
        "duration_min": 30, "guests": [guest("ann@example.com"), guest("ben@example.com")]});
    let (status, made) = ask(&world, "POST", "/v1/reservations", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    let (ann, ben) = ("ann@example.com".to_owned(), "ben@example.com".to_owned());
    assert_eq!(
        mails(&world).await,
        [(MailKind::Invitation, ann.clone()), (MailKind::Invitation, ben.clone())]
    );
    let path = format!("/v1/reservations/{}", made["token"].as_str().unwrap());
    // Seats concern no guest.
    assert_eq!(ask(&world, "PATCH", &path, Some(json!({"max_participants": 60}))).await.0, 200);
    assert_eq!(mails(&world).await.len(), 2);
    let change = json!({"starts_at": "2060-06-20T17:00:00Z", "guests": [guest("ann@example.com"), guest("cid@example.com")]});
    assert_eq!(ask(&world, "PATCH", &path, Some(change)).await.0, 200);
    let told = mails(&world).await.split_off(2);
    let cid = "cid@example.com".to_owned();
    assert_eq!(
        told,
        [(MailKind::Update, ann.clone()), (MailKind::Invitation, cid.clone()), (MailKind::Cancellation, ben)]
    );
    let (_, listed) = ask(&world, "GET", &format!("{path}/mails"), None).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 5);
    assert_eq!(listed["items"][0]["state"], "waiting");
    assert_eq!(ask(&world, "DELETE", &path, None).await.0, 204);
    let told = mails(&world).await.split_off(5);
    assert_eq!(told, [(MailKind::Cancellation, ann), (MailKind::Cancellation, cid)]);
}

#[tokio::test]
async fn a_pin_that_is_given_with_a_booking_is_in_its_mails_until_they_are_sent() {
    let limits = plenary_conference::ReservationLimits { max_days_ahead: 20_000, ..Default::default() };
    let world = World::with_limits(limits).await;
    ask(&world, "PUT", "/v1/rooms/1001", Some(json!({"conference": "Board", "pin": "482913"}))).await;
    let later = plenary_model::Timestamp(i64::MAX);
    let pins = async || {
        let due = world.store.due_mails(later, 100).await.unwrap();
        due.into_iter().map(|mail| mail.pin.map(|pin| pin.digits().to_owned())).collect::<Vec<_>>()
    };
    let mut body = json!({"conference": "Board", "max_participants": 50, "starts_at": "2060-06-20T16:00:00Z",
        "duration_min": 30, "guests": [guest("ann@example.com")], "pin": "482914"});
    let (status, refused) = ask(&world, "POST", "/v1/reservations", Some(body.clone())).await;
    assert_eq!((status, &refused["errors"][0]["pointer"]), (422, &json!("/pin")), "{refused}");
    assert_eq!(ask(&world, "GET", "/v1/reservations", None).await.1["items"], json!([]), "nothing is booked");
    body["pin"] = json!("482913");
    let (status, made) = ask(&world, "POST", "/v1/reservations", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    assert!(!made.to_string().contains("482913"), "{made}");
    assert_eq!(pins().await, [Some("482913".to_owned())]);
    let path = format!("/v1/reservations/{}", made["token"].as_str().unwrap());
    let change = json!({"duration_min": 45, "guests": [guest("ann@example.com"), guest("ben@example.com")]});
    assert_eq!(ask(&world, "PATCH", &path, Some(change)).await.0, 200);
    assert_eq!(pins().await, [Some("482913".to_owned()), None, None], "given with the first alone");
    let change = json!({"duration_min": 60, "pin": "482913"});
    let (status, changed) = ask(&world, "PATCH", &path, Some(change)).await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(pins().await.iter().flatten().count(), 3);
    assert_eq!(ask(&world, "PATCH", &path, Some(json!({"duration_min": 15, "pin": "0000"}))).await.0, 422);
    // Sent, given up, or to be tried again.
    let due = world.store.due_mails(later, 100).await.unwrap();
    let ids: Vec<i64> = due.iter().filter(|mail| mail.pin.is_some()).map(|mail| mail.id).collect();
    let now = world.control.now();
    world.store.mails_tried(&ids[..1], Err(("busy", Some(now))), now).await.unwrap();
    assert_eq!(pins().await.iter().flatten().count(), 3);
    world.store.mails_tried(&ids[..2], Ok(()), now).await.unwrap();
    world.store.mails_tried(&ids[2..], Err(("no such mailbox", None)), now).await.unwrap();
    // As if they were due once more.
    world.store.mails_tried(&ids, Err(("", Some(now))), now).await.unwrap();
    assert_eq!(pins().await.iter().flatten().count(), 0);
    let (_, shown) = ask(&world, "GET", &path, None).await;
    assert!(shown.get("pin").is_none(), "{shown}");
    let log =
        world.store.audit(&plenary_store::AuditQuery { limit: 20, ..Default::default() }).await.unwrap();
    assert!(!log.is_empty() && !format!("{log:?}").contains("482913"), "{log:?}");
}

#[tokio::test]
async fn what_is_said_of_the_pin_depends_on_the_mail() {
    let join = "https://conference.example.com/join/{code}";
    let world = World::new().await;
    ask(&world, "PUT", "/v1/rooms/1001", Some(json!({"conference": "Board", "pin": "482913"}))).await;
    let service = json!({"conference": {"name": "{rest}"}, "access": {"networks": [], "tokens": true}});
    world.store.put_service(world.account, "conf-*", &service).await.unwrap();
    let body = json!({"conference": "Board", "max_participants": 50, "starts_at": "2019-06-20T16:00:00Z", "duration_min": 30});
    let (_, made) = ask(&world, "POST", "/v1/reservations", Some(body)).await;
    let token = plenary_model::ReservationToken::new(made["token"].as_str().unwrap());
    let (booked, _) = world.control.reservation(world.account, token).await.unwrap();
    let invitations =
        plenary_api::Invitations { join: Some(join.to_owned()), ..plenary_api::Invitations::default() };
    let (ann, pin) = (ann(), Pin::new("482913").unwrap());
    let about = async |to: Recipient<'_>| {
        About::new(&world.store, &invitations, &booked, to, support::NOW).await.unwrap()
    };
    let named = about(Recipient::Guest(&ann, MailKind::Invitation, Some(&pin))).await;
    assert_eq!(named.pin, PinSaid::Is(pin.clone()));
    let event = single_event(&booked, &named, support::NOW);
    assert!(event.description.ends_with("PIN for the telephone: 482913"), "{}", event.description);
    let link = named.join.unwrap();
    let bare = link.strip_suffix("#pin=482913").unwrap_or_else(|| panic!("{link}"));
    let apart = about(Recipient::Guest(&ann, MailKind::Invitation, None)).await;
    assert_eq!((apart.pin, apart.join.as_deref()), (PinSaid::Apart, Some(bare)), "the same link");
    let later = about(Recipient::Guest(&ann, MailKind::Update, None)).await;
    assert_eq!((later.pin, later.join.as_deref()), (PinSaid::AsBefore, Some(bare)));
    // The room has none any more.
    ask(&world, "PUT", "/v1/rooms/1001", Some(json!({"conference": "Board"}))).await;
    let none = about(Recipient::Guest(&ann, MailKind::Invitation, Some(&pin))).await;
    assert_eq!((none.pin, none.join.as_deref()), (PinSaid::None, Some(bare)));
}

#[tokio::test]
async fn the_dates_of_a_series_are_one_invitation_to_each_guest() {
    let limits = plenary_conference::ReservationLimits { max_days_ahead: 20_000, ..Default::default() };
    let world = World::with_limits(limits).await;
    let mut body = weekly();
    body["starts_at"] = json!("2060-10-14T08:00:00Z");
    body["guests"] = json!([guest("ann@example.com")]);
    let (status, made) = ask(&world, "POST", "/v1/series", Some(body)).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(mails(&world).await, [(MailKind::Invitation, "ann@example.com".to_owned())]);
    assert_eq!(ask(&world, "DELETE", &format!("/v1/series/{}", made["id"]), None).await.0, 204);
    let told = mails(&world).await;
    assert_eq!(told.iter().filter(|(kind, _)| *kind == MailKind::Cancellation).count(), 4);
}

#[tokio::test]
async fn the_link_of_a_calendar_shows_the_reservations_until_it_is_ended() {
    let world = World::new().await;
    let person = json!({"name": "Eve", "mail": "eve@example.com", "roles": [{"account": world.account.0, "role": "organiser"}]});
    let (_, made) = ask(&world, "POST", "/v1/people", Some(person)).await;
    let id = plenary_store::PersonId(made["id"].as_i64().unwrap());
    let secret = world.store.calendar_feed_new(id, world.account, support::NOW).await.unwrap();
    let body = json!({"conference": "Board", "max_participants": 50, "starts_at": "2019-06-20T16:00:00Z", "duration_min": 30});
    assert_eq!(ask(&world, "POST", "/v1/reservations", Some(body)).await.0, 201);
    let read = async |path: String| world.send_with("", "GET", &path, "", "").await;
    let (status, headers, text) = read(format!("/calendar/{secret}.ics")).await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(headers["content-type"], "text/calendar; charset=utf-8");
    assert!(text.contains("DTSTART:20190620T160000Z") && text.contains("METHOD:PUBLISH"), "{text}");
    assert_eq!(read(format!("/calendar/{secret}")).await.0, 404);
    assert_eq!(read(format!("/calendar/{}.ics", "a".repeat(52))).await.0, 404);
    // A person who may not work there any more sees nothing.
    let path = format!("/v1/people/{}", id.0);
    assert_eq!(ask(&world, "PATCH", &path, Some(json!({"disabled": true}))).await.0, 200);
    assert_eq!(read(format!("/calendar/{secret}.ics")).await.0, 404);
    assert_eq!(ask(&world, "PATCH", &path, Some(json!({"disabled": false}))).await.0, 200);
    assert_eq!(read(format!("/calendar/{secret}.ics")).await.0, 200);
    assert!(world.store.end_calendar_feed(id).await.unwrap());
    assert_eq!(read(format!("/calendar/{secret}.ics")).await.0, 404);
}
