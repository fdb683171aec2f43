//! The entry of the audit log is written with the change that it tells of.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_conference::{ConferenceName, Reservation, Timestamp};
use plenary_model::{AccountId, Actor, AuditEntry, KeySettings, Redaction, Scope};
use plenary_store::{
    Account, AccountSettings, AuditQuery, Before, Doing, KeyId, NameRule, ReserveError, Sought, Store,
    new_reservation_token,
};
use serde_json::{Value, json};
use std::{convert::Infallible, sync::Arc};
use support::{Database, put_room};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

async fn account(store: &Store) -> AccountId {
    store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id
}

fn entry(account: AccountId, request: &str) -> AuditEntry {
    AuditEntry {
        at: NOW,
        account: Some(account),
        actor: "1-2-0/bob@example.com".into(),
        key: Some(1),
        person: None,
        source: Some("198.51.100.7".into()),
        request_id: Some(request.into()),
        method: "PUT".into(),
        path: format!("/v1/{request}"),
        status: None,
        before: Some(json!({ "conference": "Tea" })),
        after: None,
        request: None,
    }
}

/// What is changed by this handle is this request's doing.
fn by(store: &Store, entry: &AuditEntry) -> Store {
    store.acting(Doing { entry: Some(Arc::new(entry.clone())), ..Doing::from(Actor::key(1)) })
}

/// Requests that have an entry, the oldest first, with its status.
async fn entries(store: &Store) -> Vec<(String, Option<u16>)> {
    let query = AuditQuery { limit: 100, ..AuditQuery::default() };
    let mut entries: Vec<_> = store.audit(&query).await.unwrap();
    entries.reverse();
    entries.into_iter().map(|(_, one)| (one.request_id.unwrap_or_default(), one.status)).collect()
}

async fn an_entry_is_written_with_the_change_and_completed_when_it_is_answered(database: &Database) {
    let store = database.open().await;
    let bob = account(&store).await;
    let begun = entry(bob, "room");
    put_room(&by(&store, &begun), bob, "1001", json!({ "conference": "Board" })).await.unwrap();
    assert_eq!(entries(&store).await, [("room".to_owned(), None)], "not answered yet");
    let answered = AuditEntry {
        at: NOW.plus_minutes(1),
        status: Some(201),
        after: Some(json!({ "conference": "Board" })),
        ..begun.clone()
    };
    let later = AuditEntry { status: Some(500), after: None, ..answered.clone() };
    for written in [&answered, &later] {
        store.write_audit(std::slice::from_ref(written)).await.unwrap();
        let query = AuditQuery { limit: 100, ..AuditQuery::default() };
        let found: Vec<_> = store.audit(&query).await.unwrap().into_iter().map(|(_, one)| one).collect();
        assert_eq!(found, std::slice::from_ref(&answered), "the first answer counts");
    }
    // Several changes of one request are one entry.
    let two = by(&store, &entry(bob, "two"));
    for number in ["1002", "1003"] {
        put_room(&two, bob, number, json!({ "conference": "Board" })).await.unwrap();
    }
    assert_eq!(entries(&store).await, [("room".to_owned(), Some(201)), ("two".to_owned(), None)]);
}

async fn a_change_that_is_not_made_leaves_no_entry(database: &Database) {
    let store = database.open().await;
    let bob = account(&store).await;
    let refused = by(&store, &entry(bob, "refused"));
    let (hook, refuse) = (json!({ "url": "https://example.com/" }), |_: Before<'_, _>| Err(()));
    assert!(refused.put_webhook_if(bob, "crm", hook, refuse).await.is_err());
    assert!(!refused.key_revoke(bob, KeyId(99)).await.unwrap());
    assert!(!refused.delete_room_if(bob, "1001", |_| Ok::<_, ()>(())).await.unwrap());
    assert_eq!(entries(&store).await, []);
    // It is written when it is answered.
    let answered = AuditEntry { status: Some(404), ..entry(bob, "refused") };
    store.write_audit(&[answered]).await.unwrap();
    assert_eq!(entries(&store).await, [("refused".to_owned(), Some(404))]);
}

async fn reservations_that_share_a_transaction_have_an_entry_each(database: &Database) {
    let store = database.open().await;
    let bob = account(&store).await;
    let book = |number: u32, name: &str| {
        let reservation = Reservation {
            token: new_reservation_token(),
            account: bob,
            name: ConferenceName::new(name),
            max_participants: 10,
            starts_at: NOW.plus_minutes(10),
            duration_minutes: 30,
            divert: None,
            title: None,
            guests: Vec::new(),
            sequence: 0,
            series: None,
        };
        let store = by(&store, &entry(bob, &format!("book{number}")));
        let names = NameRule::Exclusive { completed_minutes: 5 };
        tokio::spawn(async move { store.reserve_by(&reservation, names, 1000, NOW).await })
    };
    let booked: Vec<_> = (0..8).map(|number| book(number, &format!("Room{number}"))).collect();
    for one in booked {
        one.await.unwrap().unwrap();
    }
    let taken = book(8, "Room0").await.unwrap();
    assert!(matches!(taken, Err(ReserveError::NameTaken)), "{taken:?}");
    let mut found = entries(&store).await;
    found.sort();
    let expected: Vec<_> = (0..8).map(|number| (format!("book{number}"), None)).collect();
    assert_eq!(found, expected, "of those that were made");
}

async fn every_kind_of_change_has_its_entry(database: &Database) {
    let store = database.open().await;
    let bob = account(&store).await;
    let settings = KeySettings {
        label: None,
        scopes: Scope::ALL.into_iter().collect(),
        conference: None,
        expires_at: None,
    };
    let of = |request: &str| by(&store, &entry(bob, request));
    let (made, _) = of("key").key_new(bob, &settings).await.unwrap();
    assert!(of("revoked").key_revoke(bob, made.id).await.unwrap());
    support::put_trunk(&of("trunk"), bob, "p", json!({ "uri": "sip:p.example" })).await.unwrap();
    support::put_sip_user(&of("user"), bob, "desk", "plenary", "correct horse").await.unwrap();
    of("service").put_service(bob, "board", &json!({ "conference": { "name": "Board" } })).await.unwrap();
    of("webrtc").make_webrtc_key(bob, None).await.unwrap();
    let keep = |account: &Account| {
        Ok::<_, Infallible>(AccountSettings { recording_days: Some(7), ..account.settings })
    };
    of("days").change_account(bob, keep).await.unwrap();
    of("account").create_account_login("1-2-0/eve@example.com").await.unwrap();
    let sought = Sought { account: bob, with_nobodys: true, number: "+4930123456", how: Redaction::Drop };
    of("nobody").redact_number(sought, NOW).await.unwrap();
    let found: Vec<_> = entries(&store).await.into_iter().map(|(request, _)| request).collect();
    assert_eq!(found, ["key", "revoked", "trunk", "user", "service", "webrtc", "days", "account"]);
}

async fn values_with_a_nul_and_none_at_all_are_written(database: &Database) {
    let store = database.open().await;
    let bob = account(&store).await;
    let odd = AuditEntry {
        before: Some(Value::String("B\u{0}oard".into())),
        path: "/v1/rooms/\u{0}1".into(),
        request: Some(Value::Null),
        ..entry(bob, "odd")
    };
    put_room(&by(&store, &odd), bob, "1001", json!({ "conference": "Board" })).await.unwrap();
    assert_eq!(entries(&store).await, [("odd".to_owned(), None)]);
}

on_both![
    an_entry_is_written_with_the_change_and_completed_when_it_is_answered,
    a_change_that_is_not_made_leaves_no_entry,
    reservations_that_share_a_transaction_have_an_entry_each,
    every_kind_of_change_has_its_entry,
    values_with_a_nul_and_none_at_all_are_written,
];
