//! Inbound services whose names are telephone numbers are found however the number is written.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_conference::{AccountId, Timestamp};
use plenary_model::{CallEntry, CallRecord, RecordEntry};
use plenary_store::{CallsQuery, ServiceError, Store};
use serde_json::json;
use support::Database;

on_both![
    a_number_is_reached_in_every_spelling,
    of_several_the_nearest_is_reached,
    codes_with_stars_and_hashes_are_names,
    a_number_is_one_accounts_however_it_is_written,
    calls_of_a_number_are_found_however_it_is_written,
];

struct World {
    store: Store,
    account: AccountId,
    other: AccountId,
}

impl World {
    async fn new(database: &Database, names: &[&str]) -> Self {
        let store = database.open().await;
        let (account, _) = store.create_account_login("1-2-0/bob@example.com").await.unwrap();
        let (other, _) = store.create_account_login("1-2-0/eve@example.com").await.unwrap();
        let world = Self { store, account: account.id, other: other.id };
        for name in names {
            world.put(world.account, name).await.unwrap();
        }
        world
    }

    async fn put(&self, account: AccountId, name: &str) -> Result<(), ServiceError> {
        let conference = if name.ends_with('*') { "Of{rest}" } else { "Tea" };
        self.store
            .put_service(account, name, &json!({ "conference": { "name": conference } }))
            .await
            .map(drop)
    }

    /// The name of the service that is reached, and what its `*` stands for.
    async fn reached(&self, dialled: &str) -> Option<(String, String)> {
        let found = self.store.match_service(dialled).await.unwrap();
        found.map(|(service, rest)| (service.name.as_str().to_owned(), rest))
    }

    async fn assert_reached(&self, expected: &[(&str, Option<&str>)]) {
        for (dialled, name) in expected {
            let reached = self.reached(dialled).await.map(|(name, _)| name);
            assert_eq!(reached.as_deref(), *name, "{dialled}");
        }
    }
}

async fn a_number_is_reached_in_every_spelling(database: &Database) {
    let world = World::new(database, &["+4930123456", "7042", "030-99"]).await;
    let number = Some("+4930123456");
    world
        .assert_reached(&[
            ("+4930123456", number),
            ("+49-30-123456", number),
            ("+49(30)123.456", number),
            ("+4930123456;ext=7", number),
            ("+49-30-123456;phone-context=+49", number),
            ("+4930123456;isub=1;npdi", number),
            ("4930123456", number),
            ("49-30-123456", number),
            ("7042;phone-context=example.com", Some("7042")),
            ("70-42", Some("7042")),
            ("+7042", Some("7042")),
            ("03099", Some("030-99")),
            // Never the beginning of a number, and no national number for an international one.
            ("493012345", None),
            ("+49301234567", None),
            ("49301234567", None),
            ("030123456", None),
            ("030123456;phone-context=+49", None),
            ("conf-7042", None),
        ])
        .await;
}

async fn of_several_the_nearest_is_reached(database: &Database) {
    let world = World::new(
        database,
        &["+4930123456", "+49-30-123456", "+4930123456;ext=7", "4930123456", "+49*", "+4930*", "*"],
    )
    .await;
    world
        .assert_reached(&[
            ("+4930123456", Some("+4930123456")),
            ("+49-30-123456", Some("+49-30-123456")),
            ("+49(30)123456", Some("+4930123456")),
            ("+4930123456;ext=7", Some("+4930123456;ext=7")),
            ("+49(30)123456;EXT=7", Some("+4930123456;ext=7")),
            ("+4930123456;ext=8", Some("+4930123456")),
            ("4930123456", Some("4930123456")),
            ("493012345", Some("*")),
            ("anything", Some("*")),
        ])
        .await;
    let reached = |dialled: &'static str| world.reached(dialled);
    let of = |name: &str, rest: &str| Some((name.to_owned(), rest.to_owned()));
    assert_eq!(reached("+4930-77").await, of("+4930*", "77"), "what the star stands for has no separators");
    assert_eq!(reached("+49-30-77").await, of("+4930*", "77"));
    assert_eq!(reached("+49-40-77").await, of("+49*", "4077"));
    // A service of this very number comes before one that takes everything.
    world.store.delete_service(world.account, "4930123456").await.unwrap();
    assert_eq!(reached("4930123456").await, of("+4930123456", ""));
    // Without the + a beginning is none.
    assert_eq!(reached("493099").await, of("*", "493099"));
    for name in ["*", "+49*", "+4930*", "+4930123456", "+4930123456;ext=7"] {
        assert!(world.store.delete_service(world.account, name).await.unwrap());
    }
    assert_eq!(reached("493099").await, None);
    assert_eq!(reached("4930123456").await, of("+49-30-123456", ""));
}

async fn codes_with_stars_and_hashes_are_names(database: &Database) {
    let world = World::new(database, &["*98", "#1", "**", "*31#*"]).await;
    let of = |name: &str, rest: &str| Some((name.to_owned(), rest.to_owned()));
    for (dialled, reached) in [
        ("*98", of("*98", "")),
        ("#1", of("#1", "")),
        ("*97", of("**", "97")),
        ("*31#030", of("*31#*", "030")),
        ("98", None),
        ("1", None),
        ("#12", None),
    ] {
        assert_eq!(world.reached(dialled).await, reached, "{dialled}");
    }
    let error = world.put(world.account, "a b").await.unwrap_err();
    assert!(matches!(error, ServiceError::Invalid(errors) if errors[0].pointer == "/name"));
}

async fn a_number_is_one_accounts_however_it_is_written(database: &Database) {
    let world = World::new(database, &["+4930123456", "desk"]).await;
    for name in ["+4930123456", "+49-30-123456", "4930123456", "+4930123456;ext=7", "desk"] {
        let outcome = world.put(world.other, name).await;
        assert!(matches!(outcome, Err(ServiceError::NameTaken)), "{name}: {outcome:?}");
    }
    for name in ["+493012345", "+49301234567", "*4930123456"] {
        world.put(world.other, name).await.unwrap();
    }
    world.put(world.account, "+49-30-123456").await.unwrap();
    world.put(world.account, "4930123456").await.unwrap();
}

async fn calls_of_a_number_are_found_however_it_is_written(database: &Database) {
    let world = World::new(database, &[]).await;
    let call = |id: &str, from: &str, to: &str, is_outgoing: bool| {
        let call = CallRecord {
            id: id.to_owned(),
            account: world.account,
            service: String::new(),
            conference: None,
            from: from.to_owned(),
            to: to.to_owned(),
            started_at: Timestamp(1000),
            answered_at: None,
            is_outgoing,
            trunk: None,
            admitted_by: None,
        };
        RecordEntry::Call(CallEntry::Started { call, dialog: None })
    };
    let records = [
        call("in", "+441908273800", "+4930123456", false),
        call("out", "conference", "tel:+441908273800", true),
        call("name", "alice", "board", false),
        // Written before numbers had one spelling here.
        call("old", "alice", "+49(30)123457", false),
    ];
    world.store.write_records(&records).await.unwrap();
    let found = |query: CallsQuery| {
        let store = world.store.clone();
        async move {
            let found = store.calls(world.account, &CallsQuery { limit: 10, ..query }).await.unwrap();
            found.into_iter().map(|entry| entry.call.id).collect::<Vec<_>>()
        }
    };
    let to = |text: &str| CallsQuery { to: Some(text.to_owned()), ..CallsQuery::default() };
    let from = |text: &str| CallsQuery { from: Some(text.to_owned()), ..CallsQuery::default() };
    for (query, expected) in [
        (to("+4930123456"), vec!["in"]),
        (to("+49-30-123456"), vec!["in"]),
        (to("tel:+49-30-123456"), vec!["in"]),
        (to("+441908273800"), vec!["out"]),
        (to("+44-1908-273800"), vec!["out"]),
        (to("TEL:+44(1908)273800"), vec!["out"]),
        (to("tel:+441908273800"), vec!["out"]),
        (to("board"), vec!["name"]),
        (to("Board"), vec![]),
        (to("+49(30)123457"), vec!["old"]),
        (to("+493012345"), vec![]),
        (from("+44-1908-273800"), vec!["in"]),
        (from("tel:+44-1908-273800"), vec!["in"]),
    ] {
        assert_eq!(found(query.clone()).await, expected, "{query:?}");
    }
}
