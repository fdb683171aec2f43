//! Access keys of browsers, and the services that they lead to.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_conference::AccountId;
use plenary_model::is_webrtc_key;
use plenary_store::{ServiceError, ServiceScope, Store, WebRtcKeyError};
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use support::Database;

on_both![
    a_key_is_found_by_its_text_and_the_cloud_id_of_its_account,
    a_revoked_key_stays_with_its_account_and_can_be_made_valid_again,
    what_cannot_be_a_key_is_refused,
    two_accounts_may_have_services_of_one_name_where_callers_name_the_account,
    a_name_is_looked_for_in_the_cloud_id_that_the_host_names,
];

struct World {
    store: Store,
    bob: AccountId,
    eve: AccountId,
}

async fn world(database: &Database) -> World {
    let store = database.open().await;
    let bob = store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id;
    let eve = store.create_account_login("3-4-5/eve@example.com").await.unwrap().0.id;
    World { store, bob, eve }
}

async fn a_key_is_found_by_its_text_and_the_cloud_id_of_its_account(database: &Database) {
    let World { store, bob, .. } = world(database).await;
    let made = store.make_webrtc_key(bob, Some(vec!["conf-*".into()])).await.unwrap();
    assert_eq!(made.key.len(), 16);
    assert!(is_webrtc_key(&made.key), "{}", made.key);
    assert_eq!(store.find_webrtc_key("1-2-0", &made.key).await.unwrap(), Some(made.clone()));
    assert_eq!(store.find_webrtc_key("3-4-5", &made.key).await.unwrap(), None, "of another cloud id");
    assert_eq!(store.find_webrtc_key("1-2-0", "other").await.unwrap(), None);
    assert!(made.includes("conf-*") && !made.includes("support"));
    let open = store.make_webrtc_key(bob, None).await.unwrap();
    assert!(open.includes("conf-*") && open.includes("support") && open.key != made.key);
}

async fn a_revoked_key_stays_with_its_account_and_can_be_made_valid_again(database: &Database) {
    let World { store, bob, eve } = world(database).await;
    assert!(store.put_webrtc_key(bob, "acc2", None).await.unwrap().is_created());
    assert!(!store.put_webrtc_key(bob, "acc2", None).await.unwrap().is_created());
    assert!(!store.revoke_webrtc_key(eve, "acc2").await.unwrap(), "of another account");
    assert!(store.revoke_webrtc_key(bob, "acc2").await.unwrap());
    assert!(!store.revoke_webrtc_key(bob, "acc2").await.unwrap(), "once only");
    let found = store.find_webrtc_key("1-2-0", "acc2").await.unwrap().unwrap();
    assert!(found.revoked_at.is_some(), "a caller can be told why it is refused");
    // Pages that still carry it must not reach another account.
    let taken = store.put_webrtc_key(eve, "acc2", None).await;
    assert!(matches!(taken, Err(WebRtcKeyError::Taken)), "{taken:?}");
    let services = ["support".to_owned()];
    assert!(store.put_webrtc_key(bob, "acc2", Some(&services)).await.unwrap().is_created());
    let listed = store.webrtc_keys(bob).await.unwrap();
    assert_eq!((listed.len(), listed[0].revoked_at, listed[0].includes("conf-*")), (1, None, false));
    assert_eq!(store.webrtc_keys(eve).await.unwrap(), []);
    assert_eq!(store.webrtc_key(eve, "acc2").await.unwrap(), None);
}

async fn what_cannot_be_a_key_is_refused(database: &Database) {
    let World { store, bob, .. } = world(database).await;
    let longest = "a".repeat(63);
    assert!(store.put_webrtc_key(bob, &longest, None).await.is_ok());
    for bad in ["", &format!("{longest}a"), "Upper", "with-dash", "with.dot", "ü"] {
        let refused = store.put_webrtc_key(bob, bad, None).await;
        assert!(matches!(refused, Err(WebRtcKeyError::Key)), "{bad}: {refused:?}");
    }
    for bad in [vec![], vec![String::new()], vec!["a".repeat(129)], vec!["a".to_owned(); 257]] {
        let refused = store.put_webrtc_key(bob, "key", Some(&bad)).await;
        assert!(matches!(refused, Err(WebRtcKeyError::Services)), "{refused:?}");
    }
}

fn service(access: &Value) -> Value {
    json!({ "conference": { "name": "Board" }, "access": access })
}

async fn two_accounts_may_have_services_of_one_name_where_callers_name_the_account(database: &Database) {
    let World { store, bob, eve } = world(database).await;
    let closed = service(&json!({ "networks": [], "webrtc": true }));
    assert!(store.put_service(bob, "board", &closed).await.unwrap().is_created());
    assert!(store.put_service(eve, "board", &closed).await.unwrap().is_created());
    assert_eq!(store.match_service("board").await.unwrap(), None, "the name alone does not say whose");
    for account in [bob, eve] {
        let scope = ServiceScope { account: Some(account), cloud_id: None };
        let (found, _) = store.match_service_in(scope, "board").await.unwrap().unwrap();
        assert_eq!(found.account, account);
    }
    // One of them may take the bare name, the other then may not.
    let open = service(&json!({ "webrtc": true }));
    assert!(!store.put_service(bob, "board", &open).await.unwrap().is_created());
    assert_eq!(store.match_service("board").await.unwrap().unwrap().0.account, bob);
    for access in
        [json!({}), json!({ "networks": ["192.0.2.0/24"] }), json!({ "networks": [], "trunks": true })]
    {
        let refused = store.put_service(eve, "board", &service(&access)).await;
        assert!(matches!(refused, Err(ServiceError::NameTaken)), "{access}: {refused:?}");
        let refused = store.patch_service(eve, "board", &json!({ "access": null })).await;
        assert!(matches!(refused, Err(ServiceError::NameTaken)), "{refused:?}");
    }
    assert!(
        store.service(eve, "board").await.unwrap().unwrap().body["access"]["webrtc"] == true,
        "unchanged"
    );
    // Once it is free, it can be taken.
    assert!(store.delete_service(bob, "board").await.unwrap());
    store.patch_service(eve, "board", &json!({ "access": null })).await.unwrap();
    assert_eq!(store.match_service("board").await.unwrap().unwrap().0.account, eve);
}

async fn a_name_is_looked_for_in_the_cloud_id_that_the_host_names(database: &Database) {
    let World { store, bob, .. } = world(database).await;
    store.put_service(bob, "conf-*", &json!({ "conference": { "name": "{rest}" } })).await.unwrap();
    let find = async |cloud_id| {
        let scope = ServiceScope { account: None, cloud_id };
        store.match_service_in(scope, "conf-Board").await.unwrap().map(|(service, _)| service.account)
    };
    assert_eq!(find(None).await, Some(bob));
    assert_eq!(find(Some("1-2-0")).await, Some(bob));
    assert_eq!(find(Some("3-4-5")).await, None);
    assert_eq!(find(Some("9-9-9")).await, None, "of no account");
}

/// The schema before access keys, with a service in it.
#[tokio::test]
async fn services_of_an_older_database_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        SqliteConnectOptions::new().filename(folder.path().join("plenary.db")).create_if_missing(true);
    let mut old = SqliteConnection::connect_with(&options).await.unwrap();
    for step in [
        include_str!("../migrations/sqlite/0001_accounts.sql"),
        include_str!("../migrations/sqlite/0002_inbound_services.sql"),
        include_str!("../migrations/sqlite/0003_reservations.sql"),
        include_str!("../migrations/sqlite/0004_calls.sql"),
        include_str!("../migrations/sqlite/0005_users.sql"),
        include_str!("../migrations/sqlite/0006_dialogs.sql"),
        include_str!("../migrations/sqlite/0007_trunks.sql"),
        include_str!("../migrations/sqlite/0008_sounds.sql"),
        "INSERT INTO accounts (id, cloud_id, username, created_at) VALUES (1, '1-2-0', 'bob', 1), (2, '1-2-0', 'eve', 1);
         INSERT INTO inbound_services (name, account_id, body, created_at, updated_at)
             VALUES ('board', 1, '{\"conference\": {\"name\": \"Board\"}}', 2, 3);
         PRAGMA application_id = 1347178073; PRAGMA user_version = 8;",
    ] {
        sqlx::raw_sql(step).execute(&mut old).await.unwrap();
    }
    old.close().await.unwrap();

    let store = Store::open(folder.path()).await.unwrap();
    let (found, _) = store.match_service("board").await.unwrap().unwrap();
    assert_eq!((found.account, found.access.webrtc), (AccountId(1), false));
    let refused = store.put_service(AccountId(2), "board", &service(&json!({}))).await;
    assert!(matches!(refused, Err(ServiceError::NameTaken)), "{refused:?}");
}
