//! What is stored is changed in one step: read, decided about, written. Of two that decide about the same, one is told that it
//! has changed.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_model::{AccountId, GivenPassword, SipUser, StoredService, StoredTrunk, Timestamp, WebRtcKey};
use plenary_store::{
    Before, Change, ChangeError, Changed, ServiceError, SipPassword, Store, StoreError, TrunkBody, UserError,
    WebRtcKeyError,
};
use serde_json::{Value, json};
use std::{fmt::Debug, sync::Arc};
use support::Database;
use tokio::sync::Barrier;

on_both![
    of_two_changes_of_one_thing_one_is_told_that_it_came_second,
    a_change_says_what_became_of_a_service,
    a_change_of_a_trunk_keeps_the_password_unless_it_names_one,
    a_user_is_changed_with_a_password_a_hash_or_neither,
    an_access_key_is_revoked_rather_than_deleted,
    a_decision_that_refuses_changes_nothing,
    lists_go_on_behind_any_name,
    what_cannot_be_read_is_replaced_by_a_put_and_can_be_deleted,
    accounts_are_listed_page_by_page,
];

struct World {
    store: Store,
    other: Store,
    bob: AccountId,
    eve: AccountId,
}

async fn world(database: &Database) -> World {
    let (store, other) = (database.open().await, database.open().await);
    let bob = store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id;
    let eve = store.create_account_login("3-4-5/eve@example.com").await.unwrap().0.id;
    World { store, other, bob, eve }
}

/// As an `If-Match` does: the thing is still the one that was last changed then.
fn unless_changed<T>(seen: Timestamp, stored: Option<Timestamp>, body: T) -> Result<Change<T>, &'static str> {
    if stored == Some(seen) { Ok(Change::Put(body)) } else { Err("changed meanwhile") }
}

/// Of tasks that begin at once, by two handles as of two processes, one has replaced it, and the others were refused.
async fn assert_one_wins<T, E, F>(stores: [&Store; 2], change: impl Fn(Store, usize) -> F)
where
    T: Debug + Send + 'static,
    E: Debug + Send + 'static,
    F: Future<Output = Result<Changed<T>, ChangeError<&'static str, E>>> + Send + 'static,
{
    const TASKS: usize = 8;
    let begin = Arc::new(Barrier::new(TASKS));
    let tasks: Vec<_> = (0..TASKS)
        .map(|number| {
            let (begin, change) = (begin.clone(), change(stores[number % 2].clone(), number));
            tokio::spawn(async move {
                begin.wait().await;
                change.await
            })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(Changed::Replaced(_)) => won += 1,
            Err(ChangeError::Refused("changed meanwhile")) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 1);
}

fn conference(name: &str) -> Value {
    json!({ "conference": { "name": name } })
}

async fn of_two_changes_of_one_thing_one_is_told_that_it_came_second(database: &Database) {
    let World { store, other, bob, .. } = world(database).await;
    let stores = [&store, &other];

    store.put_service(bob, "board", &conference("Board")).await.unwrap();
    let seen = store.service(bob, "board").await.unwrap().unwrap().updated_at;
    assert_one_wins(stores, |store, number| async move {
        let decide = |now: Option<&StoredService>| {
            unless_changed(seen, now.map(|now| now.updated_at), conference(&format!("Board{number}")))
        };
        store.change_service(bob, "board", decide).await
    })
    .await;
    let stored = store.service(bob, "board").await.unwrap().unwrap();
    assert!(stored.updated_at > seen && stored.body != conference("Board"), "{stored:?}");

    let body = |priority: usize| json!({ "uri": "sip:provider.example", "priority": priority });
    support::put_trunk(&store, bob, "provider", body(100)).await.unwrap();
    let seen = store.trunk(bob, "provider").await.unwrap().unwrap().updated_at;
    assert_one_wins(stores, |store, number| async move {
        let body = TrunkBody::replacing(body(number)).unwrap();
        let decide = |now: Option<&StoredTrunk>| unless_changed(seen, now.map(|now| now.updated_at), body);
        store.change_trunk(bob, "provider", decide).await
    })
    .await;

    support::put_sip_user(&store, bob, "desk", "plenary", "correct horse").await.unwrap();
    let seen = store.sip_user(bob, "desk").await.unwrap().unwrap().updated_at;
    assert_one_wins(stores, |store, number| async move {
        let password =
            SipPassword::Plain { realm: "plenary".into(), password: format!("battery staple {number}") };
        let decide = |now: Option<&SipUser>| unless_changed(seen, now.map(|now| now.updated_at), password);
        store.change_sip_user(bob, "desk", decide).await
    })
    .await;

    store.put_webrtc_key(bob, "acc2", None).await.unwrap();
    let seen = store.webrtc_key(bob, "acc2").await.unwrap().unwrap().updated_at;
    assert_one_wins(stores, |store, number| async move {
        let services = Some(vec![format!("service{number}")]);
        let decide = |now: Option<&WebRtcKey>| unless_changed(seen, now.map(|now| now.updated_at), services);
        store.change_webrtc_key(bob, "acc2", decide).await
    })
    .await;
}

/// A decision without a condition.
fn to<T, S>(change: Change<T>) -> impl FnOnce(Option<&S>) -> Result<Change<T>, &'static str> + Send
where
    T: Send,
{
    |_| Ok(change)
}

async fn a_change_says_what_became_of_a_service(database: &Database) {
    let World { store, bob, eve, .. } = world(database).await;
    let change = async |account, name, change| store.change_service(account, name, to(change)).await;
    assert_eq!(change(bob, "board", Change::Keep).await.unwrap(), Changed::Kept(None));
    assert_eq!(change(bob, "board", Change::Delete).await.unwrap(), Changed::Kept(None));
    let made = change(bob, "board", Change::Put(conference("Board"))).await.unwrap();
    let Changed::Created(first) = made else { panic!("{made:?}") };
    assert_eq!((first.name.as_str(), &first.body), ("board", &conference("Board")));
    assert_eq!(first.created_at, first.updated_at);
    assert_eq!(store.service(bob, "board").await.unwrap(), Some(first.clone()));
    assert_eq!(change(bob, "board", Change::Keep).await.unwrap(), Changed::Kept(Some(first.clone())));
    // Several in one millisecond are still to be told from each other.
    let mut before = first.clone();
    for number in 0..5 {
        let made = change(bob, "board", Change::Put(conference(&format!("Tea{number}")))).await.unwrap();
        let Changed::Replaced(stored) = made else { panic!("{made:?}") };
        assert_eq!(stored.created_at, first.created_at);
        assert!(stored.updated_at > before.updated_at);
        assert_eq!(store.service(bob, "board").await.unwrap(), Some(stored.clone()));
        before = stored;
    }
    // Another account does not see it, and may not have it.
    assert_eq!(change(eve, "board", Change::Delete).await.unwrap(), Changed::Kept(None));
    let taken = change(eve, "board", Change::Put(conference("Board"))).await;
    assert!(matches!(taken, Err(ChangeError::Store(ServiceError::NameTaken))), "{taken:?}");
    let wrong = change(bob, "board", Change::Put(json!({}))).await;
    assert!(matches!(wrong, Err(ChangeError::Store(ServiceError::Invalid(_)))), "{wrong:?}");
    let wrong = change(bob, "a\0b", Change::Put(conference("Board"))).await;
    assert!(matches!(wrong, Err(ChangeError::Store(ServiceError::Invalid(_)))), "{wrong:?}");
    assert_eq!(change(bob, "a\0b", Change::Delete).await.unwrap(), Changed::Kept(None));
    assert_eq!(store.services(bob).await.unwrap(), [before]);
    assert_eq!(change(bob, "board", Change::Delete).await.unwrap(), Changed::Deleted);
    assert_eq!(store.services(bob).await.unwrap(), []);
}

async fn a_change_of_a_trunk_keeps_the_password_unless_it_names_one(database: &Database) {
    let World { store, bob, .. } = world(database).await;
    let password = async || store.all_trunks().await.unwrap()[0].password.clone();
    let change = async |change| store.change_trunk(bob, "p", to(change)).await.unwrap();
    let body = json!({ "uri": "sip:provider.example", "user": "u" });
    let with = |password| Change::Put(TrunkBody { body: body.clone(), password });
    // There is none to keep.
    let made = change(with(GivenPassword::Kept)).await;
    assert!(matches!(&made, Changed::Created(trunk) if !trunk.has_password), "{made:?}");
    let made = change(with(GivenPassword::Set(Some("secret".into())))).await;
    let Changed::Replaced(trunk) = made else { panic!("{made:?}") };
    assert!(trunk.has_password && !trunk.body.to_string().contains("secret"), "{trunk:?}");
    assert_eq!(store.trunk(bob, "p").await.unwrap(), Some(trunk.clone()));
    let merged = TrunkBody::merged(&trunk, json!({ "priority": 7 })).unwrap();
    assert!(!format!("{merged:?}").contains("secret"));
    let made = change(Change::Put(merged)).await;
    let Changed::Replaced(trunk) = made else { panic!("{made:?}") };
    assert_eq!((trunk.has_password, &trunk.body["priority"]), (true, &json!(7)));
    assert_eq!(password().await.as_deref(), Some("secret"));
    let merged = TrunkBody::merged(&trunk, json!({ "password": "other", "priority": null })).unwrap();
    change(Change::Put(merged)).await;
    assert_eq!(password().await.as_deref(), Some("other"));
    // What replaces a trunk says all of it.
    change(Change::Put(TrunkBody::replacing(body.clone()).unwrap())).await;
    assert_eq!(password().await, None);
    let errors = TrunkBody::replacing(json!({ "uri": "sip:p", "password": 5 })).unwrap_err();
    assert_eq!(errors[0].pointer, "/password");
    assert_eq!(change(Change::Delete).await, Changed::Deleted);
    assert_eq!(change(Change::Delete).await, Changed::Kept(None));
}

async fn a_user_is_changed_with_a_password_a_hash_or_neither(database: &Database) {
    let World { store, bob, eve, .. } = world(database).await;
    let change =
        async |account, name, password| store.change_sip_user(account, name, to(Change::Put(password))).await;
    let missing = change(bob, "desk", SipPassword::Kept).await;
    let Err(ChangeError::Store(UserError::Invalid(errors))) = missing else { panic!("{missing:?}") };
    assert_eq!((errors[0].pointer.as_str(), errors[0].detail.as_str()), ("/password", "is missing"));
    let plain = |password: &str| SipPassword::Plain { realm: "plenary".into(), password: password.into() };
    let made = change(bob, "desk", plain("correct horse")).await.unwrap();
    let Changed::Created(user) = made else { panic!("{made:?}") };
    let secret = store.sip_secret("desk").await.unwrap().unwrap();
    // Nothing named, nothing changed.
    assert_eq!(change(bob, "desk", SipPassword::Kept).await.unwrap(), Changed::Replaced(user.clone()));
    assert_eq!(store.sip_secret("desk").await.unwrap().unwrap(), secret);
    assert_eq!(store.sip_user(bob, "desk").await.unwrap(), Some(user.clone()));
    // As another installation has it.
    let hashed = |ha1_md5: &str, ha1_sha256: &str| SipPassword::Hashed {
        realm: "elsewhere".into(),
        ha1_md5: ha1_md5.into(),
        ha1_sha256: ha1_sha256.into(),
    };
    let (md5, sha256) = ("0123456789abcdef".repeat(2), "fedcba9876543210".repeat(4));
    let made = change(bob, "desk", hashed(&md5, &sha256)).await.unwrap();
    let Changed::Replaced(later) = made else { panic!("{made:?}") };
    assert!(later.updated_at > user.updated_at && later.created_at == user.created_at);
    let secret = store.sip_secret("desk").await.unwrap().unwrap();
    assert_eq!((&*secret.realm, &secret.ha1_md5, &secret.ha1_sha256), ("elsewhere", &md5, &sha256));
    for (bad, pointer) in [
        (hashed(&md5[1..], &sha256), "/ha1_md5"),
        (hashed(&md5.to_uppercase(), &sha256), "/ha1_md5"),
        (hashed(&md5, &md5), "/ha1_sha256"),
        (plain("short"), "/password"),
    ] {
        let refused = change(bob, "desk", bad).await;
        let Err(ChangeError::Store(UserError::Invalid(errors))) = refused else { panic!("{refused:?}") };
        assert_eq!((errors.len(), errors[0].pointer.as_str()), (1, pointer));
    }
    // Of another account there is nothing to be seen, and the name is not to be had.
    assert_eq!(store.sip_user(eve, "desk").await.unwrap(), None);
    let kept = store.change_sip_user(eve, "desk", to(Change::Delete)).await.unwrap();
    assert_eq!(kept, Changed::Kept(None));
    let taken = change(eve, "desk", plain("correct horse")).await;
    assert!(matches!(taken, Err(ChangeError::Store(UserError::NameTaken))), "{taken:?}");
    assert_eq!(store.change_sip_user(bob, "desk", to(Change::Delete)).await.unwrap(), Changed::Deleted);
    assert!(store.sip_secret("desk").await.unwrap().is_none());
}

async fn an_access_key_is_revoked_rather_than_deleted(database: &Database) {
    let World { store, bob, eve, .. } = world(database).await;
    let change = async |account, change| store.change_webrtc_key(account, "acc2", to(change)).await;
    let made = change(bob, Change::Put(None)).await.unwrap();
    let Changed::Created(first) = made else { panic!("{made:?}") };
    assert_eq!(change(bob, Change::Delete).await.unwrap(), Changed::Deleted);
    let revoked = store.webrtc_key(bob, "acc2").await.unwrap().unwrap();
    assert!(revoked.revoked_at.is_some() && revoked.updated_at > first.updated_at, "{revoked:?}");
    assert_eq!(change(bob, Change::Delete).await.unwrap(), Changed::Kept(Some(revoked.clone())));
    let taken = change(eve, Change::Put(None)).await;
    assert!(matches!(taken, Err(ChangeError::Store(WebRtcKeyError::Taken))), "{taken:?}");
    // Valid again, as if it were made now.
    let made = change(bob, Change::Put(Some(vec!["conf-*".into()]))).await.unwrap();
    let Changed::Created(again) = made else { panic!("{made:?}") };
    assert!(again.revoked_at.is_none() && again.updated_at > revoked.updated_at);
    assert_eq!(again.created_at, again.updated_at);
    assert_eq!(store.webrtc_key(bob, "acc2").await.unwrap(), Some(again.clone()));
    let made = change(bob, Change::Put(None)).await.unwrap();
    let Changed::Replaced(last) = made else { panic!("{made:?}") };
    assert_eq!((last.created_at, last.services), (again.created_at, None));
}

async fn a_decision_that_refuses_changes_nothing(database: &Database) {
    let World { store, bob, .. } = world(database).await;
    store.put_service(bob, "board", &conference("Board")).await.unwrap();
    let before = store.service(bob, "board").await.unwrap();
    let refused = store
        .change_service(bob, "board", |stored| {
            assert_eq!(stored, before.as_ref());
            Err::<Change<Value>, _>("not now")
        })
        .await;
    assert!(matches!(refused, Err(ChangeError::Refused("not now"))), "{refused:?}");
    assert_eq!(store.service(bob, "board").await.unwrap(), before);
    // The right to write was given back.
    store.put_service(bob, "board", &conference("Tea")).await.unwrap();
}

async fn lists_go_on_behind_any_name(database: &Database) {
    let World { store, bob, eve, .. } = world(database).await;
    let names = ["1", "B", "Z", "a", "b"];
    for name in names {
        store.put_service(bob, name, &conference("Tea")).await.unwrap();
        support::put_trunk(&store, bob, name, json!({ "uri": "sip:p.example" })).await.unwrap();
        support::put_sip_user(&store, bob, name, "plenary", "correct horse").await.unwrap();
        store.put_webrtc_key(bob, &name.to_lowercase().repeat(2), None).await.unwrap();
        if name != "B" && name != "Z" {
            store.put_webrtc_key(bob, &format!("z{name}"), None).await.unwrap();
        }
    }
    support::put_trunk(&store, eve, "M", json!({ "uri": "sip:p.example" })).await.unwrap();
    let services = async |after, limit| {
        let page = store.services_after(bob, after, limit).await.unwrap();
        page.into_iter().map(|service| service.name.as_str().to_owned()).collect::<Vec<_>>()
    };
    let trunks = async |after, limit| {
        let page = store.trunks_after(bob, after, limit).await.unwrap();
        page.into_iter().map(|trunk| trunk.name).collect::<Vec<_>>()
    };
    let users = async |after, limit| {
        let page = store.sip_users_after(bob, after, limit).await.unwrap();
        page.into_iter().map(|user| user.name).collect::<Vec<_>>()
    };
    for (after, limit, expected) in [
        (None, 9, &names[..]),
        (None, 2, &names[..2]),
        (Some("B"), 2, &names[2..4]),
        (Some("a"), 2, &names[4..]),
        (Some("b"), 2, &[]),
        // None of them is there.
        (Some("C"), 1, &names[2..3]),
        (Some("B\0"), 1, &names[2..3]),
        (Some("\0"), 1, &names[..1]),
        (Some("ü"), 9, &[]),
        (None, 0, &[]),
    ] {
        assert_eq!(services(after, limit).await, expected, "{after:?}");
        assert_eq!(trunks(after, limit).await, expected, "{after:?}");
        assert_eq!(users(after, limit).await, expected, "{after:?}");
    }
    let keys = store.webrtc_keys_after(bob, Some("bb"), 2).await.unwrap();
    assert_eq!(keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>(), ["z1", "za"]);
    assert_eq!(store.webrtc_keys_after(eve, None, 9).await.unwrap(), []);
}

async fn what_cannot_be_read_is_replaced_by_a_put_and_can_be_deleted(database: &Database) {
    let store = database.open().await;
    let bob = store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id;
    let trunk = || json!({ "uri": "sip:p.example", "user": "u", "password": "x" });
    let services = ["conf-*".to_owned()];
    for is_deleted in [false, true] {
        support::put_trunk(&store, bob, "p", trunk()).await.unwrap();
        store.put_service(bob, "board", &conference("Board")).await.unwrap();
        store.put_webrtc_key(bob, "abc", Some(&services)).await.unwrap();
        let made = store.trunk(bob, "p").await.unwrap().unwrap();
        database.execute("UPDATE trunks SET body = '{'").await;
        database.execute("UPDATE inbound_services SET body = 'none'").await;
        database.execute("UPDATE webrtc_keys SET services = '{'").await;
        assert!(matches!(store.trunk(bob, "p").await, Err(StoreError::Damaged { .. })));
        // A condition is told that it cannot be read, and one that is not met leaves it as it is.
        fn unmet<T>(before: Before<'_, T>) -> Result<(), &'static str> {
            assert!(matches!(before, Before::Unreadable));
            Err("not met")
        }
        let refused = store.delete_trunk_if(bob, "p", unmet).await;
        assert!(matches!(refused, Err(ChangeError::Refused("not met"))), "{refused:?}");
        let body = TrunkBody::replacing(trunk()).unwrap();
        let refused = store.put_trunk_if(bob, "p", body, unmet).await;
        assert!(matches!(refused, Err(ChangeError::Refused("not met"))), "{refused:?}");
        let refused = store.put_webrtc_key_if(bob, "abc", None, unmet).await;
        assert!(matches!(refused, Err(ChangeError::Refused("not met"))), "{refused:?}");
        let refused = store.revoke_webrtc_key_if(bob, "abc", unmet).await;
        assert!(matches!(refused, Err(ChangeError::Refused("not met"))), "{refused:?}");
        assert!(matches!(store.trunk(bob, "p").await, Err(StoreError::Damaged { .. })));
        // A change needs to read it.
        let unread = store.change_trunk(bob, "p", to(Change::Keep)).await;
        assert!(matches!(unread, Err(ChangeError::Store(ServiceError::Store(StoreError::Damaged { .. })))));
        if is_deleted {
            assert!(store.delete_trunk(bob, "p").await.unwrap());
            assert!(store.delete_service(bob, "board").await.unwrap());
            assert!(store.revoke_webrtc_key(bob, "abc").await.unwrap());
            let asked_of_nothing = |_: Before<'_, StoredTrunk>| Err("it is not asked");
            assert!(!store.delete_trunk_if(bob, "p", asked_of_nothing).await.unwrap());
            continue;
        }
        let put = support::put_trunk(&store, bob, "p", trunk()).await.unwrap();
        let Changed::Replaced(put) = put else { panic!("it was there: {put:?}") };
        assert_eq!((&put.body, put.created_at), (&made.body, made.created_at));
        assert_eq!(store.trunk(bob, "p").await.unwrap(), Some(put));
        assert!(!store.put_service(bob, "board", &conference("Board")).await.unwrap().is_created());
        assert!(store.service(bob, "board").await.unwrap().is_some());
        assert!(!store.put_webrtc_key(bob, "abc", Some(&services)).await.unwrap().is_created());
        assert_eq!(store.webrtc_key(bob, "abc").await.unwrap().unwrap().services, Some(services.to_vec()));
    }
}

async fn accounts_are_listed_page_by_page(database: &Database) {
    let store = database.open().await;
    let logins = ["1-2-0/B", "1-2-0/a", "1-2-0/é", "1-20-0/A", "1-3-0/A"];
    for login in logins.iter().rev() {
        store.create_account_login(login).await.unwrap();
    }
    let mut listed = Vec::new();
    let mut after = None::<(String, String)>;
    loop {
        let place = after.as_ref().map(|(cloud_id, username)| (cloud_id.as_str(), username.as_str()));
        let page = store.accounts_after(place, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some((last.cloud_id.clone(), last.username.clone()));
        listed.extend(page.iter().map(|account| format!("{}/{}", account.cloud_id, account.username)));
    }
    assert_eq!(listed, logins);
    let all: Vec<_> = store.list_accounts().await.unwrap();
    assert_eq!(all.len(), logins.len());
    assert_eq!(store.accounts_after(Some(("1-2-0", "a\0")), 1).await.unwrap()[0].username, "é");
}
