//! Addresses with known callers outlast a restart.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_conference::Timestamp;
use std::net::IpAddr;
use support::Database;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn later(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 + seconds * 1000)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

async fn the_last_success_of_an_address_is_there_after_a_restart_until_it_is_too_old(database: &Database) {
    let (office, site, old) = (ip("192.0.2.1"), ip("2001:db8:0:1::"), ip("192.0.2.9"));
    let store = database.open().await;
    store.write_permitted(&[(office, NOW), (old, later(-90)), (site, later(1))]).await.unwrap();
    store.write_permitted(&[(office, later(60)), (office, later(61))]).await.unwrap();
    store.close().await;
    let store = database.open().await;
    assert_eq!(store.permitted_since(later(-60)).await.unwrap(), [(office, later(61)), (site, later(1))]);
    assert_eq!(store.prune_permitted(later(2), 1).await.unwrap(), 1, "no more at a time");
    assert_eq!(store.prune_permitted(later(2), 10).await.unwrap(), 1);
    assert_eq!(store.permitted_since(Timestamp(0)).await.unwrap(), [(office, later(61))]);
}

on_both![the_last_success_of_an_address_is_there_after_a_restart_until_it_is_too_old];
