//! What accounts set up: keys, users, trunks, tokens; and what is written down of calls.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_conference::{AccountId, ConferenceName, Timestamp};
use plenary_model::{CallEntry, CallRecord, CallToken, ClientToken, EndedBy, KeySettings, Scopes, Token};
use plenary_store::{
    CallsQuery, Change, ChangeError, Changed, RecordingsQuery, ServiceError, Store, StoreError, TrunkBody,
    UserError,
};
use serde_json::{Value, json};
use support::Database;

on_both![
    keys_of_an_account_are_valid_until_they_are_revoked,
    a_user_belongs_to_one_account,
    a_trunk_is_put_patched_and_deleted,
    a_trunk_that_makes_no_sense_does_not_keep_the_others_from_working,
    tokens_are_signed_with_one_key_of_the_installation,
    calls_are_written_down_once,
    what_no_database_can_hold_is_not_found,
    names_are_ordered_by_their_bytes,
];

async fn two_accounts(store: &Store) -> (AccountId, AccountId) {
    let bob = store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id;
    let eve = store.create_account_login("3-4-5/eve@example.com").await.unwrap().0.id;
    (bob, eve)
}

async fn keys_of_an_account_are_valid_until_they_are_revoked(database: &Database) {
    let store = database.open().await;
    let login = "1-2-0/bob@example.com";
    let (account, first) = store.create_account_login(login).await.unwrap();
    let again = store.create_account_login(login).await;
    assert!(matches!(again, Err(StoreError::AccountExists { .. })), "{again:?}");
    assert_eq!(store.find_account(login).await.unwrap(), Some(account.clone()));
    assert_eq!(store.list_accounts().await.unwrap(), std::slice::from_ref(&account));
    let (made, second) = store.key_new(account.id, &KeySettings::default()).await.unwrap();
    let id = made.id;
    let of_no_account = store.key_new(AccountId(99), &KeySettings::default()).await;
    assert!(matches!(of_no_account, Err(StoreError::UnknownAccount)), "{of_no_account:?}");
    for key in [&first, &second] {
        let access = store.authenticate(login, key.as_str()).await.unwrap().unwrap();
        assert_eq!((&access.account, access.scopes), (&account, Scopes::account()));
    }
    assert!(store.key_revoke(account.id, id).await.unwrap());
    assert!(!store.key_revoke(account.id, id).await.unwrap(), "once only");
    assert_eq!(store.authenticate(login, second.as_str()).await.unwrap(), None);
    assert_eq!(store.authenticate("1-2-0/eve@example.com", first.as_str()).await.unwrap(), None);
    let keys = store.keys(account.id).await.unwrap();
    assert_eq!(keys.iter().map(|key| key.revoked_at.is_some()).collect::<Vec<_>>(), [false, true]);
    assert!(first.as_str().starts_with(&keys[0].prefix));
    // Noted behind the back of the request.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while store.keys(account.id).await.unwrap()[0].last_used_at.is_none() {
        assert!(std::time::Instant::now() < deadline, "the use of a key is noted");
        store.authenticate(login, first.as_str()).await.unwrap();
    }
}

async fn a_user_belongs_to_one_account(database: &Database) {
    let store = database.open().await;
    let (bob, eve) = two_accounts(&store).await;
    assert!(!store.has_sip_users().await.unwrap());
    support::put_sip_user(&store, bob, "desk", "plenary", "correct horse").await.unwrap();
    let before = store.sip_secret("desk").await.unwrap().unwrap();
    assert_eq!((before.account, before.realm.as_str()), (bob, "plenary"));
    // printf 'desk:plenary:correct horse' | md5sum
    assert_eq!(before.ha1_md5, "c523b97df9e0f446d50eced388b7102f");
    support::put_sip_user(&store, bob, "desk", "plenary", "battery staple").await.unwrap();
    assert_ne!(store.sip_secret("desk").await.unwrap().unwrap().ha1_sha256, before.ha1_sha256);
    let taken = support::put_sip_user(&store, eve, "desk", "plenary", "battery staple").await;
    assert!(matches!(taken, Err(UserError::NameTaken)), "{taken:?}");
    assert!(store.has_sip_users().await.unwrap());
    assert_eq!(store.sip_users(bob).await.unwrap().len(), 1);
    let delete = async |account| {
        let changed = store.change_sip_user(account, "desk", |_| Ok::<_, UserError>(Change::Delete)).await;
        changed.unwrap() == Changed::Deleted
    };
    assert!(!delete(eve).await);
    assert!(delete(bob).await);
    assert_eq!(store.sip_users(bob).await.unwrap(), []);
}

async fn patch_trunk(
    store: &Store,
    account: AccountId,
    name: &str,
    patch: Value,
) -> Result<(), ServiceError> {
    let changed = store.change_trunk(account, name, |before| {
        let before = before.ok_or(ServiceError::UnknownService)?;
        Ok(Change::Put(TrunkBody::merged(before, patch)?))
    });
    match changed.await {
        Ok(_) => Ok(()),
        Err(ChangeError::Refused(error) | ChangeError::Store(error)) => Err(error),
    }
}

async fn a_trunk_is_put_patched_and_deleted(database: &Database) {
    let store = database.open().await;
    let (bob, eve) = two_accounts(&store).await;
    let body =
        json!({ "uri": "sip:provider.example", "user": "u", "password": "secret", "prefixes": ["+44"] });
    assert!(support::put_trunk(&store, bob, "provider", body.clone()).await.unwrap().is_created());
    assert!(!support::put_trunk(&store, bob, "provider", body.clone()).await.unwrap().is_created());
    assert!(support::put_trunk(&store, eve, "provider", body.clone()).await.unwrap().is_created());
    patch_trunk(&store, bob, "provider", json!({ "priority": 5, "prefixes": null })).await.unwrap();
    let kept = store.trunk(bob, "provider").await.unwrap().unwrap();
    assert_eq!(kept.body, json!({ "uri": "sip:provider.example", "user": "u", "priority": 5 }));
    assert!(kept.has_password, "what a patch does not name stays");
    let all = store.all_trunks().await.unwrap();
    assert_eq!(
        all.iter().map(|trunk| (trunk.account, trunk.settings.priority)).collect::<Vec<_>>(),
        [(bob, 5), (eve, 100)]
    );
    assert_eq!(all[0].password.as_deref(), Some("secret"));
    let unknown = patch_trunk(&store, bob, "other", json!({})).await;
    assert!(matches!(unknown, Err(ServiceError::UnknownService)), "{unknown:?}");
    for number in 0..99 {
        support::put_trunk(&store, bob, &format!("t{number}"), json!({ "uri": "sip:p.example" }))
            .await
            .unwrap();
    }
    let refused =
        support::put_trunk(&store, bob, "one-more", json!({ "uri": "sip:p.example" })).await.unwrap_err();
    assert_eq!(refused.to_string(), "name: an account has at most 100 trunks");
    assert!(
        !support::put_trunk(&store, bob, "t0", json!({ "uri": "sip:q.example" })).await.unwrap().is_created()
    );
    assert!(store.delete_trunk(bob, "provider").await.unwrap());
    assert!(!store.delete_trunk(bob, "provider").await.unwrap());
    assert_eq!(store.trunks(bob).await.unwrap().len(), 99);
}

/// As another version may have stored it, under other rules.
async fn a_trunk_that_makes_no_sense_does_not_keep_the_others_from_working(database: &Database) {
    let store = database.open().await;
    let (bob, eve) = two_accounts(&store).await;
    for (account, name) in [(bob, "a"), (bob, "old"), (bob, "z"), (bob, "zz"), (eve, "old")] {
        support::put_trunk(&store, account, name, json!({ "uri": "sip:p.example", "user": "u" }))
            .await
            .unwrap();
    }
    database.execute("UPDATE trunks SET body = '{\"uri\": \"pigeon:p\", \"wings\": 2}' WHERE name = 'old' AND account_id = 1").await;
    database.execute("UPDATE trunks SET body = 'no JSON' WHERE name = 'zz'").await;
    let usable = async || {
        let all = store.all_trunks().await.unwrap();
        all.into_iter().map(|trunk| (trunk.account, trunk.name)).collect::<Vec<_>>()
    };
    let named = |account, name: &str| (account, name.to_owned());
    assert_eq!(usable().await, [named(bob, "a"), named(bob, "z"), named(eve, "old")]);
    // Its owner sees what is wrong, and may put it right.
    assert_eq!(store.trunk(bob, "old").await.unwrap().unwrap().body["wings"], 2);
    let refused = patch_trunk(&store, bob, "old", json!({ "uri": "sip:p.example" })).await.unwrap_err();
    assert!(refused.to_string().starts_with("wings: is not known here"), "{refused}");
    patch_trunk(&store, bob, "old", json!({ "uri": "sip:p.example", "wings": null })).await.unwrap();
    assert!(store.delete_trunk(bob, "zz").await.unwrap());
    assert_eq!(usable().await, [named(bob, "a"), named(bob, "old"), named(bob, "z"), named(eve, "old")]);
}

async fn tokens_are_signed_with_one_key_of_the_installation(database: &Database) {
    let (store, other) = (database.open().await, database.open().await);
    let (bob, _) = two_accounts(&store).await;
    let token = store.make_call_token(bob, "board", Timestamp(5_000)).await.unwrap();
    let call = CallToken { account: bob, service: "board".into() };
    assert_eq!(other.check_token(&token, Timestamp(4_999)).await.unwrap(), Token::Call(call));
    assert_eq!(other.check_token(&token, Timestamp(5_000)).await.unwrap(), Token::Expired);
    let client = ClientToken {
        account: bob,
        client: "alice".into(),
        incoming: true,
        call_client: Some("*".into()),
        expires: Timestamp(9_000),
    };
    let token = other.make_client_token(&client).await.unwrap();
    assert_eq!(store.check_token(&token, Timestamp(0)).await.unwrap(), Token::Client(client));
}

fn latest(limit: usize) -> CallsQuery {
    CallsQuery { limit, ..CallsQuery::default() }
}

fn call(account: AccountId, id: &str, started_at: i64) -> CallRecord {
    CallRecord {
        id: id.into(),
        account,
        service: "board".into(),
        conference: None,
        from: "alice".into(),
        to: "board".into(),
        started_at: Timestamp(started_at),
        answered_at: None,
        is_outgoing: false,
        trunk: None,
        admitted_by: Some("network".into()),
    }
}

async fn calls_are_written_down_once(database: &Database) {
    let store = database.open().await;
    let (bob, _) = two_accounts(&store).await;
    let started =
        |id: &str, at: i64| CallEntry::Started { call: call(bob, id, at), dialog: Some("dialog".into()) };
    let ended = |id: &str, at: i64| CallEntry::Ended {
        id: id.into(),
        at: Timestamp(at),
        cause: "hangup".into(),
        ended_by: EndedBy::Remote,
        stats: Some("{}".into()),
    };
    let of_no_account = CallEntry::Started { call: call(AccountId(99), "nobody", 0), dialog: None };
    let entries = [started("a", 10), started("b", 20), of_no_account, ended("a", 30), ended("unknown", 30)];
    // A second time, as after an answer that was lost.
    for _ in 0..2 {
        store.write_calls(&entries).await.unwrap();
    }
    store.write_calls(&[ended("a", 99)]).await.unwrap();
    let answered = CallEntry::Answered {
        id: "b".into(),
        at: Timestamp(20),
        trunk: Some("provider".into()),
        dialog: "later".into(),
    };
    store.write_calls(&[answered]).await.unwrap();
    assert_eq!(store.open_dialogs().await.unwrap(), ["later"]);
    // The clock was set back: no call ends before it began.
    assert_eq!(store.interrupt_open_calls(Timestamp(15)).await.unwrap(), 1);
    let calls = store.calls(bob, &latest(10)).await.unwrap();
    let seen: Vec<_> = calls
        .iter()
        .map(|entry| {
            (entry.call.id.as_str(), entry.ended_at, entry.cause.as_deref(), entry.call.trunk.as_deref())
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("b", Some(Timestamp(20)), Some("interrupted"), Some("provider")),
            ("a", Some(Timestamp(30)), Some("hangup"), None),
        ]
    );
    assert_eq!(store.calls(bob, &latest(1)).await.unwrap().len(), 1);
    // What a telephone says may be anything.
    let odd = CallRecord { from: "al\0ice".into(), ..call(bob, "c", 40) };
    store.call_started(&odd).await.unwrap();
    assert!(store.calls(bob, &latest(1)).await.unwrap()[0].call.from.starts_with("al"));
}

/// PostgreSQL knows no NUL in a text, and a question is no failure of ours.
async fn what_no_database_can_hold_is_not_found(database: &Database) {
    let store = database.open().await;
    let (bob, _) = two_accounts(&store).await;
    for name in ["\0", "a\0b"] {
        assert_eq!(store.match_service(name).await.unwrap(), None);
        assert_eq!(store.service(bob, name).await.unwrap(), None);
        assert!(!store.delete_service(bob, name).await.unwrap());
        assert_eq!(store.trunk(bob, name).await.unwrap(), None);
        assert!(store.sip_secret(name).await.unwrap().is_none());
        assert_eq!(store.find_webrtc_key(name, "key").await.unwrap(), None);
        assert_eq!(store.find_webrtc_key("1-2-0", name).await.unwrap(), None);
        assert!(!store.revoke_webrtc_key(bob, name).await.unwrap());
        assert_eq!(store.authenticate(&format!("1-2-0/{name}"), "key").await.unwrap(), None);
        assert_eq!(store.recording(bob, name).await.unwrap(), None);
        let query =
            RecordingsQuery { before: Some(name.to_owned()), limit: 10, ..RecordingsQuery::default() };
        assert!(store.recordings(bob, &query).await.unwrap().is_empty());
        assert_eq!(store.room_of(bob, &ConferenceName::new(name)).await.unwrap(), None);
    }
}

/// Whatever language the database server speaks.
async fn names_are_ordered_by_their_bytes(database: &Database) {
    let store = database.open().await;
    let (bob, _) = two_accounts(&store).await;
    let body = json!({ "conference": { "name": "Tea" } });
    for name in ["a", "B", "_", "Z", "b", "~", "1"] {
        store.put_service(bob, name, &body).await.unwrap();
    }
    let listed = store.services(bob).await.unwrap();
    let names: Vec<&str> = listed.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["1", "B", "Z", "_", "a", "b", "~"]);
}
