//! What is written is there when the file is opened again, and what can't be opened is explained.
#![allow(missing_docs)]

#[macro_use]
mod support;

use support::Database;

use plenary_conference::{AccountId, ConferenceName, Reservation, ServiceName, Timestamp};
use plenary_model::{Action, AudioOwner, CallRecord, StoredAudio};
use plenary_store::{CallsQuery, Store, StoreError, new_reservation_token};
use serde_json::json;

on_both![
    everything_is_there_after_reopening,
    the_longest_name_wins_and_an_exact_one_always,
    bodies_are_checked_field_by_field,
];

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

async fn everything_is_there_after_reopening(database: &Database) {
    let store = database.open().await;
    let (account, key) = store.create_account_login("1-2-0/bob@example.com").await.unwrap();
    let body = json!({ "conference": { "name": "Board", "participant": { "talker": false } } });
    store.put_service(account.id, "board", &body).await.unwrap();
    let reservation = Reservation {
        token: new_reservation_token(),
        account: account.id,
        name: ConferenceName::new("Board"),
        max_participants: 130,
        starts_at: NOW.plus_minutes(10),
        duration_minutes: 30,
        divert: Some(ServiceName::new("early")),
        title: None,
        guests: Vec::new(),
        sequence: 0,
        series: None,
    };
    store.reserve(&reservation, 3500, 5, NOW).await.unwrap();
    let call = CallRecord {
        id: "01234567a1b1c1c2.1".into(),
        account: account.id,
        service: "board".into(),
        conference: Some("Board".into()),
        from: "alice".into(),
        to: "board".into(),
        started_at: NOW,
        answered_at: Some(NOW),
        is_outgoing: true,
        trunk: Some("provider".into()),
        admitted_by: Some("trunk".into()),
    };
    store.call_started(&call).await.unwrap();
    let louder = StoredAudio { automatic_gain: Some(true), noise_suppression: None };
    let purer = StoredAudio { automatic_gain: Some(false), noise_suppression: Some(true) };
    let of_board = AudioOwner::Reservation(reservation.token.clone());
    assert!(store.keep_sound(&AudioOwner::Account(account.id), louder).await.unwrap());
    assert!(store.keep_sound(&of_board, purer).await.unwrap());
    assert!(!store.keep_sound(&AudioOwner::Reservation(new_reservation_token()), purer).await.unwrap());
    store.close().await;

    let store = database.open().await;
    let token = reservation.token.clone();
    assert_eq!(store.open_reservations(NOW, 5).await.unwrap(), [reservation]);
    assert_eq!(store.reservation_sounds(NOW, 5).await.unwrap(), [(token, purer)]);
    assert_eq!(store.reservation_sounds(NOW.plus_minutes(46), 5).await.unwrap(), []);
    assert_eq!(store.account_sounds().await.unwrap(), [(account.id, louder)]);
    let found = store.authenticate("1-2-0/bob@example.com", key.as_str()).await.unwrap().unwrap();
    assert_eq!(found.account.id, account.id);
    let (service, rest) = store.match_service("board").await.unwrap().unwrap();
    let Action::Conference(action) = service.action else { panic!("{service:?}") };
    assert!(!action.participant.talker && action.participant.beep_on_entry && rest.is_empty());
    assert_eq!(store.interrupt_open_calls(NOW.plus_minutes(1)).await.unwrap(), 1);
    let calls = store.calls(account.id, &CallsQuery { limit: 10, ..CallsQuery::default() }).await.unwrap();
    assert_eq!(calls[0].call, call);
    assert_eq!(
        (calls[0].cause.as_deref(), calls[0].ended_at),
        (Some("interrupted"), Some(NOW.plus_minutes(1)))
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("plenary.db"),
        "this is not a database, and long enough to be looked at".repeat(50),
    )
    .unwrap();
    let error = Store::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::NotADatabase { .. }), "{error:?}");
    assert!(error.to_string().contains("plenary.db"), "{error}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let error = Store::open(std::path::Path::new("/proc/no/such/folder")).await.unwrap_err();
    assert!(error.to_string().contains("/proc/no/such/folder"), "{error}");
}

async fn the_longest_name_wins_and_an_exact_one_always(database: &Database) {
    let store = database.open().await;
    let (account, _) = store.create_account_login("1-2-0/bob@example.com").await.unwrap();
    for name in ["*", "conf-*", "conf-big-*", "conf-big-exact"] {
        store
            .put_service(account.id, name, &json!({ "announcement": { "play": "silence:100" } }))
            .await
            .unwrap();
    }
    for (user, name, rest) in [
        ("conf-big-exact", "conf-big-exact", ""),
        ("conf-big-exact2", "conf-big-*", "exact2"),
        ("conf-big-", "conf-big-*", ""),
        ("conf-small", "conf-*", "small"),
        ("anything", "*", "anything"),
        ("conf_x", "*", "conf_x"),
    ] {
        let (service, found) = store.match_service(user).await.unwrap().unwrap();
        assert_eq!((service.name.as_str(), found.as_str()), (name, rest), "{user}");
    }
    store.delete_service(account.id, "*").await.unwrap();
    assert!(store.match_service("anything").await.unwrap().is_none());
    assert!(store.match_service("%").await.unwrap().is_none(), "no wildcard but the star");
    assert!(!store.delete_service(AccountId(999), "conf-*").await.unwrap());
}

async fn bodies_are_checked_field_by_field(database: &Database) {
    let store = database.open().await;
    let (account, _) = store.create_account_login("1-2-0/bob@example.com").await.unwrap();
    let participant =
        |options: serde_json::Value| json!({ "conference": { "name": "A", "participant": options } });
    for (name, body, field) in [
        ("a", json!([]), "body"),
        ("a", json!({}), "body"),
        ("a", json!({ "conference": { "name": "A" }, "announcement": { "play": "a.wav" } }), "body"),
        ("a", json!({ "video": {} }), "video"),
        ("a", json!({ "conference": {} }), "conference.name"),
        ("a", json!({ "conference": { "name": "A B" } }), "conference.name"),
        ("a", json!({ "conference": { "name": "{rest}" } }), "conference.name"),
        ("a", json!({ "conference": { "name": "A", "names": 1 } }), "conference.names"),
        ("a", participant(json!({ "talker": "yes" })), "conference.participant.talker"),
        ("a", participant(json!({ "exit_digit": "12" })), "conference.participant.exit_digit"),
        ("a", participant(json!({ "exit_digit": 1 })), "conference.participant.exit_digit"),
        ("a", participant(json!({ "mute": true })), "conference.participant.mute"),
        ("a", participant(json!({ "name": ["../etc/passwd.wav"] })), "conference.participant.name[0]"),
        ("a", json!({ "announcement": { "play": [] } }), "announcement.play"),
        ("a", json!({ "announcement": { "play": ["tone:5/100"] } }), "announcement.play[0]"),
        ("a", json!({ "announcement": { "play": ["a.wav", "silence:x"] } }), "announcement.play[1]"),
        ("a b", json!({ "announcement": { "play": "a.wav" } }), "name"),
        ("a*b", json!({ "announcement": { "play": "a.wav" } }), "name"),
        ("", json!({ "announcement": { "play": "a.wav" } }), "name"),
    ] {
        let error = store.put_service(account.id, name, &body).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("{field}:")), "{name} {body}: {error}");
    }
    let all = participant(json!({
        "talker": false, "start_on_entry": false, "destroy_on_exit": true, "beep_on_entry": false, "exit_digit": "#",
        "mute_digit": "a", "unmute_digit": null, "while_stopped_media": "music.wav", "name": ["tone:440/100"],
        "has_joined_message": ["joined.wav", "silence:200"], "has_left_message": "left.WAV"
    }));
    store.put_service(account.id, "all", &all).await.unwrap();
}
