//! A request that is sent twice is carried out once.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_model::AccountId;
use plenary_store::{Begun, Store, StoreError};
use std::sync::Arc;
use support::Database;
use tokio::sync::Barrier;

on_both![
    a_request_is_answered_the_same_way_each_time,
    what_was_taken_back_can_be_tried_again,
    of_requests_that_come_at_once_one_is_the_first,
    keys_of_accounts_have_nothing_to_do_with_each_other,
];

const KEY: [u8; 32] = [1; 32];
const REQUEST: [u8; 32] = [2; 32];
const OTHER: [u8; 32] = [3; 32];

async fn accounts(store: &Store) -> (AccountId, AccountId) {
    let bob = store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id;
    let eve = store.create_account_login("3-4-5/eve@example.com").await.unwrap().0.id;
    (bob, eve)
}

async fn a_request_is_answered_the_same_way_each_time(database: &Database) {
    let (store, other) = (database.open().await, database.open().await);
    let (bob, _) = accounts(&store).await;
    assert_eq!(store.idempotent_begin(bob, &KEY, &REQUEST).await.unwrap(), Begun::First);
    // Also where another process is asked.
    for store in [&store, &other] {
        assert_eq!(store.idempotent_begin(bob, &KEY, &REQUEST).await.unwrap(), Begun::UnderWay);
        assert_eq!(store.idempotent_begin(bob, &KEY, &OTHER).await.unwrap(), Begun::OtherRequest);
    }
    let answer = [0, 255, b'\n'];
    store.idempotent_end(bob, &KEY, Some(&answer)).await.unwrap();
    for store in [&store, &other] {
        let again = store.idempotent_begin(bob, &KEY, &REQUEST).await.unwrap();
        assert_eq!(again, Begun::Answered(answer.to_vec()));
        assert_eq!(store.idempotent_begin(bob, &KEY, &OTHER).await.unwrap(), Begun::OtherRequest);
    }
    // To end it again, after it was given up, changes nothing.
    for late in [Some(&b"late"[..]), None] {
        other.idempotent_end(bob, &KEY, late).await.unwrap();
        let again = store.idempotent_begin(bob, &KEY, &REQUEST).await.unwrap();
        assert_eq!(again, Begun::Answered(answer.to_vec()));
    }
    // An answer may be empty.
    assert_eq!(store.idempotent_begin(bob, &OTHER, &REQUEST).await.unwrap(), Begun::First);
    store.idempotent_end(bob, &OTHER, Some(&[])).await.unwrap();
    assert_eq!(store.idempotent_begin(bob, &OTHER, &REQUEST).await.unwrap(), Begun::Answered(Vec::new()));
}

async fn what_was_taken_back_can_be_tried_again(database: &Database) {
    let store = database.open().await;
    let (bob, _) = accounts(&store).await;
    for request in [REQUEST, REQUEST, OTHER] {
        assert_eq!(store.idempotent_begin(bob, &KEY, &request).await.unwrap(), Begun::First);
        store.idempotent_end(bob, &KEY, None).await.unwrap();
    }
    // What was not begun has no end either.
    store.idempotent_end(bob, &KEY, Some(b"answer")).await.unwrap();
    assert_eq!(store.idempotent_begin(bob, &KEY, &REQUEST).await.unwrap(), Begun::First);
}

async fn of_requests_that_come_at_once_one_is_the_first(database: &Database) {
    const TASKS: usize = 8;
    let stores = [database.open().await, database.open().await];
    let (bob, _) = accounts(&stores[0]).await;
    for round in 0..5 {
        let begin = Arc::new(Barrier::new(TASKS));
        let tasks: Vec<_> = (0..TASKS)
            .map(|number| {
                let (store, begin) = (stores[number % 2].clone(), begin.clone());
                tokio::spawn(async move {
                    begin.wait().await;
                    store.idempotent_begin(bob, &[round; 32], &REQUEST).await.unwrap()
                })
            })
            .collect();
        let mut first = 0;
        for task in tasks {
            match task.await.unwrap() {
                Begun::First => first += 1,
                begun => assert_eq!(begun, Begun::UnderWay),
            }
        }
        assert_eq!(first, 1);
    }
}

async fn keys_of_accounts_have_nothing_to_do_with_each_other(database: &Database) {
    let store = database.open().await;
    let (bob, eve) = accounts(&store).await;
    assert_eq!(store.idempotent_begin(bob, &KEY, &REQUEST).await.unwrap(), Begun::First);
    assert_eq!(store.idempotent_begin(eve, &KEY, &OTHER).await.unwrap(), Begun::First);
    store.idempotent_end(eve, &KEY, Some(b"hers")).await.unwrap();
    assert_eq!(store.idempotent_begin(bob, &KEY, &REQUEST).await.unwrap(), Begun::UnderWay);
    let unknown = store.idempotent_begin(AccountId(99), &KEY, &REQUEST).await;
    assert!(matches!(unknown, Err(StoreError::Database { .. })), "{unknown:?}");
}
