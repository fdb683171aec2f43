//! One service at a time serves calls with a database.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_conference::Timestamp;
use plenary_store::StoreError;
use support::Database;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn later(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 + seconds * 1000)
}

async fn a_second_service_is_refused_until_the_first_has_ended_or_is_gone(database: &Database) {
    let (one, other) = (database.open().await, database.open().await);
    one.serve_as("one", NOW).await.unwrap();
    let refused = other.serve_as("other", later(7)).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Served { by, seconds: 7, .. } if by == "one"), "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains("one") && text.contains("7 s ago"), "it says by whom: {text}");
    // After a crash it may begin again at once.
    one.serve_as("one", later(8)).await.unwrap();
    assert!(one.still_serves("one", later(20)).await.unwrap());
    assert!(!other.still_serves("other", later(20)).await.unwrap());
    other.serve_as("other", later(49)).await.unwrap_err();
    // It was not seen for half a minute.
    other.serve_as("other", later(50)).await.unwrap();
    assert!(!one.still_serves("one", later(51)).await.unwrap(), "it is told that it has lost");
    one.stop_serving("one").await.unwrap();
    one.serve_as("one", later(52)).await.unwrap_err();
    other.stop_serving("other").await.unwrap();
    one.serve_as("one", later(52)).await.unwrap();
}

async fn a_clock_that_was_wrong_keeps_nobody_from_beginning(database: &Database) {
    let store = database.open().await;
    store.serve_as("ahead", later(3600)).await.unwrap();
    store.serve_as("right", NOW).await.unwrap();
    store.serve_as("ahead", later(-10)).await.unwrap_err();
}

on_both![
    a_second_service_is_refused_until_the_first_has_ended_or_is_gone,
    a_clock_that_was_wrong_keeps_nobody_from_beginning,
];
