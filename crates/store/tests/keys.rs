//! API Access Keys: what they let do, for how long, and how they are found and changed.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_model::{AccountId, ConferenceName, KeySettings, Scope, Scopes, Timestamp};
use plenary_store::{Access, Account, ApiKey, Authenticated, ChangeError, KeyId, Store, StoreError};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use support::Database;

on_both![
    a_key_says_what_it_lets_do_whichever_way_it_comes,
    an_unknown_key_opens_nothing,
    a_key_ends_when_it_was_said_to_end,
    a_revoked_key_opens_nothing_from_then_on,
    what_is_known_of_a_key_in_memory_ends_with_it,
    settings_that_are_not_allowed_are_refused_by_name,
    a_key_is_changed_by_a_decision_about_what_it_is,
    of_two_changes_at_once_the_second_sees_the_first,
    keys_are_listed_page_by_page,
    an_account_has_so_many_keys_and_no_more,
];

const LOGIN: &str = "1-2-0/bob@example.com";

async fn bob(store: &Store) -> (Account, ApiKey) {
    store.create_account_login(LOGIN).await.unwrap()
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap())
}

/// What a key lets do, asked for both ways, which have to agree.
async fn access(store: &Store, key: &ApiKey) -> Option<Arc<Access>> {
    let by_login = store.authenticate(LOGIN, key.as_str()).await.unwrap();
    let by_key = store.authenticate_key(key.as_str()).await.unwrap();
    assert_eq!(by_login, by_key);
    by_login
}

async fn a_key_says_what_it_lets_do_whichever_way_it_comes(database: &Database) {
    let store = database.open().await;
    let (account, first) = bob(&store).await;
    let found = access(&store, &first).await.unwrap();
    assert_eq!((&found.account, found.scopes, &found.conference), (&account, Scopes::account(), &None));
    let bound = KeySettings {
        label: Some("leader of Board".into()),
        scopes: Scopes::conference(),
        conference: Some(ConferenceName::new("Board")),
        expires_at: None,
    };
    let (made, key) = store.key_new(account.id, &bound).await.unwrap();
    assert_eq!(made.settings(), bound);
    assert_ne!(Some(made.id), found.by.key());
    // The second time from memory.
    for _ in 0..2 {
        let found = access(&store, &key).await.unwrap();
        let expected = Access {
            account: account.clone(),
            by: Authenticated::Key(made.id),
            scopes: Scopes::conference(),
            only_reads: false,
            conference: Some(ConferenceName::new("Board")),
        };
        assert_eq!(*found, expected);
    }
    let operator = KeySettings { scopes: [Scope::Operator].into_iter().collect(), ..KeySettings::default() };
    let (_, key) = store.key_new(account.id, &operator).await.unwrap();
    let scopes = access(&store, &key).await.unwrap().scopes;
    assert!(scopes.includes(Scope::Operator) && !scopes.includes(Scope::Read), "{scopes}");
}

async fn an_unknown_key_opens_nothing(database: &Database) {
    let store = database.open().await;
    let (_, key) = bob(&store).await;
    store.create_account_login("3-4-5/eve@example.com").await.unwrap();
    // It is in memory now, and what is like it is still not it.
    assert!(access(&store, &key).await.is_some());
    let key = key.as_str();
    let changed = format!("{}{}", if key.starts_with('a') { 'b' } else { 'a' }, &key[1..]);
    for unknown in ["", "\0", "key", &changed, &key[..51], &format!("{key} "), &key.to_uppercase()] {
        assert_eq!(store.authenticate_key(unknown).await.unwrap(), None, "{unknown:?}");
        assert_eq!(store.authenticate(LOGIN, unknown).await.unwrap(), None, "{unknown:?}");
    }
    for login in
        ["3-4-5/eve@example.com", "1-2-0/eve@example.com", "", "bearer", "/", "1-2-0/bob@example.com "]
    {
        assert_eq!(store.authenticate(login, key).await.unwrap(), None, "{login}");
    }
}

async fn a_key_ends_when_it_was_said_to_end(database: &Database) {
    let store = database.open().await;
    let (account, _) = bob(&store).await;
    let ends = |at| KeySettings { expires_at: Some(at), ..KeySettings::default() };
    let refused = store.key_new(account.id, &ends(now())).await;
    let Err(StoreError::KeySettings(errors)) = refused else { panic!("{refused:?}") };
    assert_eq!(errors[0].pointer, "/expires_at");
    let (long, long_key) = store.key_new(account.id, &ends(now().plus_minutes(60))).await.unwrap();
    assert!(access(&store, &long_key).await.is_some());
    // What was an hour is over.
    let ended = now();
    let changed = store
        .change_key(account.id, long.id, |key| {
            Ok::<_, ()>(KeySettings { expires_at: Some(ended), ..key.settings() })
        })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(changed.expires_at, Some(ended));
    assert_eq!(access(&store, &long_key).await, None);
    // It is not over for ever.
    store.change_key(account.id, long.id, |_| Ok::<_, ()>(KeySettings::default())).await.unwrap().unwrap();
    assert!(access(&store, &long_key).await.is_some());
}

/// What was looked up is believed for a second, but not beyond the end of the key.
async fn what_is_known_of_a_key_in_memory_ends_with_it(database: &Database) {
    let store = database.open().await;
    let (account, _) = bob(&store).await;
    let mut was_valid = false;
    // Longer where the machine was too busy to ask in time.
    for lifetime_ms in [700, 5_000, 20_000] {
        let end = Timestamp(now().0 + lifetime_ms);
        let settings = KeySettings { expires_at: Some(end), ..KeySettings::default() };
        let Ok((_, key)) = store.key_new(account.id, &settings).await else { continue };
        loop {
            let before = now();
            // One by one, for the end may lie between the two.
            let by_login = store.authenticate(LOGIN, key.as_str()).await.unwrap();
            let by_key = store.authenticate_key(key.as_str()).await.unwrap();
            if before >= end {
                assert_eq!((by_login, by_key), (None, None), "asked at or after its end");
                break;
            }
            was_valid |= by_login.is_some() && by_key.is_some();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if was_valid {
            break;
        }
    }
    assert!(was_valid, "asked before its end");
}

async fn a_revoked_key_opens_nothing_from_then_on(database: &Database) {
    let (store, other) = (database.open().await, database.open().await);
    let (account, _) = bob(&store).await;
    let (made, key) = store.key_new(account.id, &KeySettings::default()).await.unwrap();
    assert!(access(&store, &key).await.is_some());
    assert!(access(&other, &key).await.is_some());
    assert!(other.key_revoke(account.id, made.id).await.unwrap());
    assert_eq!(access(&other, &key).await, None);
    // The one that is told looks again.
    store.forget_keys();
    assert_eq!(access(&store, &key).await, None);
    let kept = store.key(account.id, made.id).await.unwrap().unwrap();
    assert!(kept.revoked_at.is_some());
    // Whatever is changed of it, it stays revoked.
    store.change_key(account.id, made.id, |key| Ok::<_, ()>(key.settings())).await.unwrap().unwrap();
    assert_eq!(access(&store, &key).await, None);
}

async fn settings_that_are_not_allowed_are_refused_by_name(database: &Database) {
    let store = database.open().await;
    let (account, _) = bob(&store).await;
    let good = KeySettings::default();
    let (made, _) = store.key_new(account.id, &good).await.unwrap();
    let bound = Some(ConferenceName::new("Board"));
    for (pointer, settings) in [
        ("/label", KeySettings { label: Some("two\nlines".into()), ..good.clone() }),
        ("/label", KeySettings { label: Some("a\0b".into()), ..good.clone() }),
        ("/scopes", KeySettings { scopes: Scopes::NONE, ..good.clone() }),
        ("/scopes", KeySettings { conference: bound.clone(), ..good.clone() }),
        (
            "/conference",
            KeySettings {
                conference: Some(ConferenceName::new("a\0b")),
                scopes: Scopes::conference(),
                ..good.clone()
            },
        ),
    ] {
        let refused = store.key_new(account.id, &settings).await;
        let Err(StoreError::KeySettings(errors)) = refused else { panic!("{settings:?}: {refused:?}") };
        assert_eq!((errors.len(), errors[0].pointer.as_str()), (1, pointer));
        let refused = store.change_key(account.id, made.id, |_| Ok::<_, ()>(settings)).await;
        let Err(ChangeError::Store(StoreError::KeySettings(errors))) = refused else { panic!("{refused:?}") };
        assert_eq!((errors.len(), errors[0].pointer.as_str()), (1, pointer));
    }
    assert_eq!(store.key(account.id, made.id).await.unwrap().unwrap().settings(), good);
    assert_eq!(store.keys(account.id).await.unwrap().len(), 2);
}

async fn a_key_is_changed_by_a_decision_about_what_it_is(database: &Database) {
    let store = database.open().await;
    let (account, _) = bob(&store).await;
    let eve = store.create_account_login("3-4-5/eve@example.com").await.unwrap().0;
    let (made, key) = store.key_new(account.id, &KeySettings::default()).await.unwrap();
    assert!(access(&store, &key).await.unwrap().scopes.includes(Scope::Config));
    let refused = store.change_key(account.id, made.id, |_| Err::<KeySettings, _>("not this one")).await;
    assert!(matches!(refused, Err(ChangeError::Refused("not this one"))), "{refused:?}");
    for (owner, id) in [(eve.id, made.id), (account.id, KeyId(99)), (AccountId(99), made.id)] {
        let unknown =
            store.change_key(owner, id, |key| panic!("decided about {key:?}") as Result<_, ()>).await;
        assert!(matches!(unknown, Ok(None)), "{unknown:?}");
        assert_eq!(store.key(owner, id).await.unwrap(), None);
        assert!(!store.key_revoke(owner, id).await.unwrap());
    }
    assert_eq!(
        store.key(account.id, made.id).await.unwrap(),
        Some(store.keys(account.id).await.unwrap()[1].clone())
    );
    let lesser = KeySettings {
        label: Some("dashboard".into()),
        scopes: [Scope::Read].into_iter().collect(),
        ..KeySettings::default()
    };
    let changed =
        store.change_key(account.id, made.id, |_| Ok::<_, ()>(lesser.clone())).await.unwrap().unwrap();
    assert_eq!((changed.id, changed.settings()), (made.id, lesser));
    assert_eq!(store.key(account.id, made.id).await.unwrap().unwrap().settings(), changed.settings());
    // At once, though it was looked up just now.
    let found = access(&store, &key).await.unwrap();
    assert!(!found.scopes.includes(Scope::Config), "{found:?}");
}

/// Each adds a letter to the label that it finds: none is lost, in whatever order they come.
async fn of_two_changes_at_once_the_second_sees_the_first(database: &Database) {
    let stores = [database.open().await, database.open().await];
    let (account, _) = bob(&stores[0]).await;
    let (made, _) = stores[0].key_new(account.id, &KeySettings::default()).await.unwrap();
    let mut tasks = Vec::new();
    for turn in 0..20 {
        let (store, account, id) = (stores[turn % 2].clone(), account.id, made.id);
        tasks.push(tokio::spawn(async move {
            let add = |key: &plenary_store::KeyInfo| {
                let label = key.label.clone().unwrap_or_default() + "x";
                Ok::<_, ()>(KeySettings { label: Some(label), ..key.settings() })
            };
            store.change_key(account, id, add).await.unwrap().unwrap()
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let label = stores[0].key(account.id, made.id).await.unwrap().unwrap().label;
    assert_eq!(label, Some("x".repeat(20)));
}

async fn keys_are_listed_page_by_page(database: &Database) {
    let store = database.open().await;
    let (account, _) = bob(&store).await;
    store.create_account_login("3-4-5/eve@example.com").await.unwrap();
    for number in 0..4 {
        let label = Some(format!("key {number}"));
        store.key_new(account.id, &KeySettings { label, ..KeySettings::default() }).await.unwrap();
    }
    let all = store.keys(account.id).await.unwrap();
    assert_eq!(all.len(), 5);
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.keys_after(account.id, after, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page);
    }
    assert_eq!(seen, all);
    assert!(all.is_sorted_by_key(|key| key.id));
    assert_eq!(store.keys_after(account.id, None, 0).await.unwrap(), []);
}

/// A login is compared with all of them.
async fn an_account_has_so_many_keys_and_no_more(database: &Database) {
    let store = database.open().await;
    let (account, _) = bob(&store).await;
    let mut last = None;
    for _ in 1..1000 {
        last = Some(store.key_new(account.id, &KeySettings::default()).await.unwrap());
    }
    let refused = store.key_new(account.id, &KeySettings::default()).await.unwrap_err();
    assert!(refused.to_string().contains("at most 1000 keys"), "{refused}");
    let (made, _) = last.unwrap();
    assert!(store.key_revoke(account.id, made.id).await.unwrap());
    store.key_new(account.id, &KeySettings::default()).await.unwrap();
}

/// `key`, as SHA-256.
const HASH: &str = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";

/// A key that was used stays usable.
async fn assert_a_key_may_do_all_that_an_account_may(store: &Store) {
    let found = store.authenticate_key("key").await.unwrap().unwrap();
    let known = (found.by.key(), found.scopes, &found.conference);
    assert_eq!(known, (Some(KeyId(7)), Scopes::account(), &None));
    let key = store.key(found.account.id, KeyId(7)).await.unwrap().unwrap();
    assert_eq!(key.settings(), KeySettings::default());
    let browsers = store.webrtc_keys(found.account.id).await.unwrap();
    let updated: Vec<Timestamp> = browsers.iter().map(|key| key.updated_at).collect();
    assert_eq!(updated, [Timestamp(2), Timestamp(9)]);
}

const ROWS: &str = "INSERT INTO accounts (id, cloud_id, username, created_at) VALUES (1, '1-2-0', 'bob', 1);
    INSERT INTO webrtc_keys (key, account_id, created_at, revoked_at) VALUES ('a', 1, 2, NULL), ('b', 1, 3, 9);";

#[tokio::test]
async fn keys_of_an_older_file_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteConnectOptions::new().filename(folder.path().join("plenary.db")).create_if_missing(true);
    let mut old = SqliteConnection::connect_with(&file).await.unwrap();
    for step in [
        include_str!("../migrations/sqlite/0001_accounts.sql"),
        include_str!("../migrations/sqlite/0002_inbound_services.sql"),
        include_str!("../migrations/sqlite/0003_reservations.sql"),
        include_str!("../migrations/sqlite/0004_calls.sql"),
        include_str!("../migrations/sqlite/0005_users.sql"),
        include_str!("../migrations/sqlite/0006_dialogs.sql"),
        include_str!("../migrations/sqlite/0007_trunks.sql"),
        include_str!("../migrations/sqlite/0008_sounds.sql"),
        include_str!("../migrations/sqlite/0009_webrtc_keys.sql"),
        include_str!("../migrations/sqlite/0010_numbers.sql"),
        include_str!("../migrations/sqlite/0011_calendar.sql"),
        ROWS,
        "PRAGMA application_id = 1347178073; PRAGMA user_version = 11;",
    ] {
        sqlx::raw_sql(step).execute(&mut old).await.unwrap();
    }
    let key =
        "INSERT INTO api_keys (id, account_id, prefix, hash, created_at) VALUES (7, 1, 'key', unhex($1), 2)";
    sqlx::query(key).bind(HASH).execute(&mut old).await.unwrap();
    old.close().await.unwrap();
    assert_a_key_may_do_all_that_an_account_may(&Store::open(folder.path()).await.unwrap()).await;
}

#[cfg(feature = "e2e")]
#[tokio::test]
async fn keys_of_an_older_postgres_are_kept() {
    let database = Database::postgres();
    let postgres = database.postgres.as_ref().unwrap();
    postgres.execute(include_str!("../migrations/postgres/0001_schema.sql"));
    postgres.execute(ROWS);
    postgres.execute(&format!(
        "CREATE TABLE plenary_schema (one BIGINT PRIMARY KEY CHECK (one = 1), version BIGINT NOT NULL);
         INSERT INTO plenary_schema VALUES (1, 1);
         INSERT INTO api_keys (id, account_id, prefix, hash, created_at) VALUES (7, 1, 'key', decode('{HASH}', 'hex'), 2)"
    ));
    assert_a_key_may_do_all_that_an_account_may(&database.open().await).await;
}
