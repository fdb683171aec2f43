//! What is stored of guests' links: for whom their codes count, when, and until when.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_conference::{Reservation, Timestamp, reservation::SeriesDate};
use plenary_model::{
    AccountId, ConferenceName, Guest, GuestToken, LanguageCode, Repeat, SeriesSettings, ServiceName,
    TimeZone, Token,
};
use plenary_store::{
    Account, AccountSettings, LinkPurpose, LinkSettings, LinksQuery, NameRule, Store, StoreError,
    new_reservation_token,
};
use serde_json::json;
use std::convert::Infallible;
use support::Database;

on_both![
    a_code_lets_call_its_conference_until_it_is_revoked,
    a_code_ends_when_it_was_said_to_end,
    a_code_of_a_reservation_counts_from_its_start_to_its_end,
    a_code_of_a_series_counts_at_its_dates,
    a_guest_has_the_same_code_each_time_while_they_are_invited,
    a_code_of_a_disabled_account_does_not_count,
    links_that_were_over_for_long_are_forgotten,
    links_that_were_over_for_long_are_pruned_in_all_accounts,
    the_service_by_which_guests_come_is_found,
];

const THEN: Timestamp = Timestamp::from_seconds(2_900_000_000);
const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const DAY_MIN: u32 = 24 * 60;

async fn account(store: &Store) -> AccountId {
    store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id
}

fn guest(mail: &str) -> Guest {
    Guest { mail: mail.to_owned(), name: None, language: LanguageCode::english() }
}

fn reservation(account: AccountId, guests: &[&str]) -> Reservation {
    Reservation {
        token: new_reservation_token(),
        account,
        name: ConferenceName::new("Board"),
        max_participants: 40,
        starts_at: THEN,
        duration_minutes: 30,
        divert: Some(ServiceName::new("later")),
        title: Some("Weekly".to_owned()),
        guests: guests.iter().map(|mail| guest(mail)).collect(),
        sequence: 0,
        series: None,
    }
}

async fn reserve(store: &Store, reservation: &Reservation) {
    store.reserve_by(reservation, NameRule::NonOverlapping, 1000, NOW).await.unwrap();
}

fn link_of(conference: &str) -> LinkSettings {
    LinkSettings {
        label: Some("Ann".to_owned()),
        conference: ConferenceName::new(conference),
        reservation: None,
        expires_at: None,
    }
}

fn all() -> LinksQuery {
    LinksQuery { limit: 100, ..LinksQuery::default() }
}

/// What a code is worth for a guest of the conference Board who is in time.
fn good(account: AccountId) -> Token {
    Token::Guest(GuestToken {
        account,
        conference: ConferenceName::new("Board"),
        is_early: false,
        divert: None,
    })
}

/// The same before the reservation has begun.
fn early(account: AccountId) -> Token {
    Token::Guest(GuestToken {
        account,
        conference: ConferenceName::new("Board"),
        is_early: true,
        divert: Some(ServiceName::new("later")),
    })
}

async fn a_code_lets_call_its_conference_until_it_is_revoked(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let (link, code) = store.guest_link_new(account, &link_of("Board"), None, NOW).await.unwrap();
    assert_eq!(
        (link.label.as_deref(), link.purpose, link.expires_at),
        (Some("Ann"), LinkPurpose::Manual, None)
    );
    assert_eq!(code.len(), 32);
    let other = database.open().await;
    assert_eq!(other.check_token(&code, THEN).await.unwrap(), good(account));
    let opened = other.open_guest_link(&code, NOW).await.unwrap().unwrap();
    assert_eq!((opened.account, opened.conference.as_str()), (account, "Board"));
    assert_eq!(opened.reservation, None);
    // It is a key to nothing.
    assert_eq!(store.authenticate_key(&code).await.unwrap(), None);
    assert_eq!(store.authenticate("1-2-0/bob@example.com", &code).await.unwrap(), None);
    assert!(store.keys(account).await.unwrap().iter().all(|key| key.label.is_none()));
    let board = LinksQuery { conference: Some(ConferenceName::new("Board")), ..all() };
    let listed = store.guest_links(account, &board, NOW).await.unwrap();
    assert_eq!(listed.iter().map(|link| link.id).collect::<Vec<_>>(), [link.id]);
    assert_eq!(store.guest_links(AccountId(account.0 + 1), &all(), NOW).await.unwrap(), []);
    assert!(!store.revoke_guest_link(AccountId(account.0 + 1), link.id, NOW).await.unwrap(), "another's");
    assert!(store.revoke_guest_link(account, link.id, NOW).await.unwrap());
    assert!(!store.revoke_guest_link(account, link.id, NOW).await.unwrap(), "once");
    assert_eq!(other.check_token(&code, NOW).await.unwrap(), Token::Expired);
    assert_eq!(other.open_guest_link(&code, NOW).await.unwrap(), None);
    assert_eq!(store.guest_links(account, &all(), NOW).await.unwrap(), []);
    for odd in ["", "\0", &"a".repeat(32), &"x".repeat(10_000)] {
        assert_eq!(store.check_token(odd, NOW).await.unwrap(), Token::Unknown, "{odd}");
        assert_eq!(store.open_guest_link(odd, NOW).await.unwrap(), None, "{odd}");
    }
    let long = LinkSettings { label: Some("x".repeat(101)), ..link_of("Board") };
    let refused = store.guest_link_new(account, &long, None, NOW).await;
    assert!(matches!(refused, Err(StoreError::KeySettings(_))), "{refused:?}");
}

async fn a_code_ends_when_it_was_said_to_end(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let end = NOW.plus_minutes(60);
    let new = LinkSettings { expires_at: Some(end), ..link_of("Board") };
    let (link, code) = store.guest_link_new(account, &new, None, NOW).await.unwrap();
    assert_eq!(link.expires_at, Some(end));
    assert_eq!(store.check_token(&code, Timestamp(end.0 - 1)).await.unwrap(), good(account));
    assert_eq!(store.check_token(&code, end).await.unwrap(), Token::Expired);
    assert_eq!(store.guest_links(account, &all(), end).await.unwrap(), []);
    let past = LinkSettings { expires_at: Some(NOW), ..link_of("Board") };
    assert!(store.guest_link_new(account, &past, None, NOW).await.is_err());
}

async fn a_code_of_a_reservation_counts_from_its_start_to_its_end(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let booked = reservation(account, &[]);
    reserve(&store, &booked).await;
    let new = LinkSettings { reservation: Some(booked.token.clone()), ..link_of("Board") };
    let (link, code) = store.guest_link_new(account, &new, None, NOW).await.unwrap();
    assert_eq!(link.expires_at, Some(booked.ends_at()));
    // Another conference of this name may take place before.
    assert_eq!(store.check_token(&code, Timestamp(THEN.0 - 1)).await.unwrap(), early(account));
    assert_eq!(store.check_token(&code, THEN).await.unwrap(), good(account));
    let opened = store.open_guest_link(&code, NOW).await.unwrap().unwrap();
    assert_eq!(opened.reservation.as_ref(), Some(&booked), "what it is about is said before");
    store.extend(&booked.token, 60, 1000).await.unwrap();
    assert_eq!(store.check_token(&code, THEN.plus_minutes(59)).await.unwrap(), good(account), "extended");
    assert_eq!(store.check_token(&code, THEN.plus_minutes(60)).await.unwrap(), Token::Expired);
    let of = LinksQuery { reservation: Some(booked.token.clone()), ..all() };
    assert_eq!(store.guest_links(account, &of, NOW).await.unwrap().len(), 1);
    assert!(store.remove(&booked.token, 1000).await.unwrap());
    assert_eq!(store.check_token(&code, THEN).await.unwrap(), Token::Expired, "it goes with it");
    assert_eq!(store.guest_links(account, &all(), NOW).await.unwrap(), []);
}

async fn series(store: &Store, account: AccountId, guests: &[&str]) -> (i64, Vec<Reservation>) {
    let settings = SeriesSettings {
        conference: ConferenceName::new("Board"),
        title: None,
        max_participants: 40,
        starts_at: THEN,
        duration_min: 30,
        divert: None,
        guests: guests.iter().map(|mail| guest(mail)).collect(),
        time_zone: TimeZone::new("UTC").unwrap(),
        repeat: Repeat::Daily,
        interval: 1,
        count: 3,
    };
    let series = store.series_new(account, &settings, NOW).await.unwrap();
    let mut dates = Vec::new();
    for date in settings.occurrences() {
        let booked = Reservation {
            starts_at: date.starts_at,
            series: Some(SeriesDate { series: series.id, occurrence: date.starts_at }),
            ..reservation(account, guests)
        };
        reserve(store, &booked).await;
        dates.push(booked);
    }
    (series.id, dates)
}

async fn a_code_of_a_series_counts_at_its_dates(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let (id, dates) = series(&store, account, &[]).await;
    let (link, code) = store.guest_link_new(account, &link_of("Board"), Some(id), NOW).await.unwrap();
    assert_eq!((link.series, link.expires_at), (Some(id), Some(dates[2].ends_at())));
    let at = async |at: Timestamp| store.check_token(&code, at).await.unwrap();
    assert_eq!(at(THEN).await, good(account));
    assert_eq!(at(dates[0].ends_at()).await, early(account), "between two dates");
    assert_eq!(at(dates[1].starts_at).await, good(account));
    let opened = store.open_guest_link(&code, dates[0].ends_at()).await.unwrap().unwrap();
    assert_eq!(opened.reservation.unwrap().token, dates[1].token, "the next one");
    // Those of a date are those of its series.
    let of = LinksQuery { reservation: Some(dates[1].token.clone()), ..all() };
    assert_eq!(store.guest_links(account, &of, NOW).await.unwrap().len(), 1);
    assert!(store.remove(&dates[2].token, 1000).await.unwrap());
    assert_eq!(at(dates[1].ends_at()).await, Token::Expired, "the last one is gone");
}

async fn a_guest_has_the_same_code_each_time_while_they_are_invited(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let (ann, ben) = ("ann@example.com", "ben@example.com");
    let booked = reservation(account, &[ann, ben]);
    reserve(&store, &booked).await;
    let code = store.guest_code_for(&booked, Some(ann), NOW).await.unwrap();
    let other = database.open().await;
    assert_eq!(other.guest_code_for(&booked, Some("ANN@example.com"), NOW).await.unwrap(), code);
    let of_ben = store.guest_code_for(&booked, Some(ben), NOW).await.unwrap();
    let of_calendar = store.guest_code_for(&booked, None, NOW).await.unwrap();
    assert!(code != of_ben && code != of_calendar && of_ben != of_calendar);
    assert_eq!(store.check_token(&code, THEN).await.unwrap(), good(account));
    let listed = store.guest_links(account, &all(), NOW).await.unwrap();
    let made_for: Vec<_> = listed.iter().map(|link| (link.purpose, link.guest.as_deref())).collect();
    assert_eq!(
        made_for,
        [(LinkPurpose::Mail, Some(ann)), (LinkPurpose::Mail, Some(ben)), (LinkPurpose::Calendar, None)]
    );
    // Who is taken off the list does not get in, and who is put on it again does.
    let without = Reservation { guests: vec![guest(ben)], ..booked.clone() }.next_version();
    store.change_reservation(&without, 1000).await.unwrap();
    assert_eq!(store.check_token(&code, THEN).await.unwrap(), Token::Expired);
    assert_eq!(store.check_token(&of_ben, THEN).await.unwrap(), good(account));
    assert_eq!(store.check_token(&of_calendar, THEN).await.unwrap(), good(account));
    let again = Reservation { guests: vec![guest(ann)], ..without }.next_version();
    store.change_reservation(&again, 1000).await.unwrap();
    assert_eq!(store.check_token(&code, THEN).await.unwrap(), good(account));
    // After it was revoked they get another.
    assert!(store.revoke_guest_link(account, listed[0].id, NOW).await.unwrap());
    let second = store.guest_code_for(&again, Some(ann), NOW).await.unwrap();
    assert_ne!(second, code);
    assert_eq!(store.check_token(&code, THEN).await.unwrap(), Token::Expired);
    assert_eq!(store.check_token(&second, THEN).await.unwrap(), good(account));

    // Of a series a guest has one, for the dates to which they are invited.
    assert!(store.remove(&again.token, 1000).await.unwrap());
    let (_, dates) = series(&store, account, &[ann]).await;
    let code = store.guest_code_for(&dates[0], Some(ann), NOW).await.unwrap();
    assert_eq!(store.guest_code_for(&dates[2], Some(ann), NOW).await.unwrap(), code);
    let only = Reservation { guests: Vec::new(), ..dates[1].clone() }.next_version();
    store.change_reservation(&only, 1000).await.unwrap();
    assert_eq!(store.check_token(&code, dates[0].starts_at).await.unwrap(), good(account));
    assert_eq!(store.check_token(&code, dates[1].starts_at).await.unwrap(), early(account));
    assert_eq!(store.check_token(&code, dates[2].starts_at).await.unwrap(), good(account));
}

async fn a_code_of_a_disabled_account_does_not_count(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let (_, code) = store.guest_link_new(account, &link_of("Board"), None, NOW).await.unwrap();
    let disable = |is_disabled| {
        store.change_account(account, move |before: &Account| {
            Ok::<_, Infallible>(AccountSettings { is_disabled, ..before.settings })
        })
    };
    disable(true).await.unwrap();
    assert_eq!(store.check_token(&code, NOW).await.unwrap(), Token::Expired);
    assert_eq!(store.open_guest_link(&code, NOW).await.unwrap(), None);
    disable(false).await.unwrap();
    assert_eq!(store.check_token(&code, NOW).await.unwrap(), good(account));
}

async fn links_that_were_over_for_long_are_forgotten(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let end = NOW.plus_minutes(60);
    let short = LinkSettings { expires_at: Some(end), ..link_of("Board") };
    let (_, ended) = store.guest_link_new(account, &short, None, NOW).await.unwrap();
    let (link, revoked) = store.guest_link_new(account, &link_of("Board"), None, NOW).await.unwrap();
    assert!(store.revoke_guest_link(account, link.id, NOW).await.unwrap());
    let soon = end.plus_minutes(29 * DAY_MIN);
    let (_, lasting) = store.guest_link_new(account, &link_of("Board"), None, soon).await.unwrap();
    for code in [&ended, &revoked] {
        assert_eq!(store.check_token(code, soon).await.unwrap(), Token::Expired, "an old code is no guess");
    }
    let later = end.plus_minutes(31 * DAY_MIN);
    store.guest_link_new(account, &link_of("Tea"), None, later).await.unwrap();
    for code in [&ended, &revoked] {
        assert_eq!(store.check_token(code, later).await.unwrap(), Token::Unknown);
    }
    assert_eq!(store.check_token(&lasting, later).await.unwrap(), good(account));
}

async fn links_that_were_over_for_long_are_pruned_in_all_accounts(database: &Database) {
    let store = database.open().await;
    let bob = account(&store).await;
    let eve = store.create_account_login("3-4-5/eve@example.com").await.unwrap().0.id;
    let (ann, end) = ("ann@example.com", THEN.plus_minutes(30));
    let mut over = Vec::new();
    // Of a reservation that is over, with what its mails and calendars hold; of one that is removed; of a series; with an end of its own.
    let booked = reservation(bob, &[ann]);
    reserve(&store, &booked).await;
    let of_booked = LinkSettings { reservation: Some(booked.token.clone()), ..link_of("Board") };
    over.push(store.guest_link_new(bob, &of_booked, None, NOW).await.unwrap().1);
    over.push(store.guest_code_for(&booked, Some(ann), NOW).await.unwrap());
    over.push(store.guest_code_for(&booked, None, NOW).await.unwrap());
    let removed = Reservation { name: ConferenceName::new("Tea"), ..reservation(bob, &[]) };
    reserve(&store, &removed).await;
    let of_removed = LinkSettings { reservation: Some(removed.token.clone()), ..link_of("Tea") };
    over.push(store.guest_link_new(bob, &of_removed, None, NOW).await.unwrap().1);
    assert!(store.remove(&removed.token, 1000).await.unwrap());
    let until = LinkSettings { expires_at: Some(end), ..link_of("Board") };
    over.push(store.guest_link_new(eve, &until, None, NOW).await.unwrap().1);
    let (revoked, code) = store.guest_link_new(eve, &link_of("Board"), None, NOW).await.unwrap();
    assert!(store.revoke_guest_link(eve, revoked.id, end).await.unwrap());
    over.push(code);
    // These go on: of a series whose last date is two days later, and one without an end.
    let (of_series, dates) = series(&store, eve, &[]).await;
    let mut lasting =
        vec![store.guest_link_new(eve, &link_of("Board"), Some(of_series), NOW).await.unwrap().1];
    lasting.push(store.guest_link_new(bob, &link_of("Board"), None, NOW).await.unwrap().1);

    let known = async |codes: &[String], at: Timestamp| {
        let mut known = 0;
        for code in codes {
            known += usize::from(store.check_token(code, at).await.unwrap() != Token::Unknown);
        }
        known
    };
    // The one of the removed reservation is old enough from the beginning.
    let soon = end.plus_minutes(29 * DAY_MIN);
    assert_eq!(store.prune_guest_links(soon, 100).await.unwrap(), 1);
    assert_eq!(known(&over, soon).await, over.len() - 1, "an old code is no guess");
    let later = end.plus_minutes(31 * DAY_MIN);
    assert_eq!(store.prune_guest_links(later, 2).await.unwrap(), 2, "no more at once");
    assert_eq!(store.prune_guest_links(later, 100).await.unwrap(), 3);
    assert_eq!(store.prune_guest_links(later, 100).await.unwrap(), 0);
    assert_eq!((known(&over, later).await, known(&lasting, later).await), (0, 2));
    let last = dates[2].ends_at().plus_minutes(31 * DAY_MIN);
    assert_eq!(store.prune_guest_links(last, 100).await.unwrap(), 1);
    assert_eq!(store.check_token(&lasting[1], last).await.unwrap(), good(bob), "it has no end");
}

async fn the_service_by_which_guests_come_is_found(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let for_guests = async |conference: &str| {
        let found = store.service_for_guests(account, &ConferenceName::new(conference)).await.unwrap();
        found.map(|(dialled, _)| dialled)
    };
    let tokens = json!({"networks": [], "tokens": true});
    let put = async |name: &str, body: serde_json::Value| {
        store.put_service(account, name, &body).await.unwrap();
    };
    assert_eq!(for_guests("Board").await, None);
    put("closed-*", json!({"conference": {"name": "{rest}"}, "access": {"networks": []}})).await;
    put("room", json!({"entry": {}, "access": tokens})).await;
    assert_eq!(for_guests("Board").await, None, "neither admits guests to it");
    let leads = json!({"name": "Board", "participant": {"start_on_entry": true, "destroy_on_exit": true}});
    put("lead", json!({"conference": leads, "access": tokens})).await;
    assert_eq!(for_guests("Board").await.as_deref(), Some("lead"), "rather than none");
    put("conf-*", json!({"conference": {"name": "{rest}"}, "access": tokens})).await;
    assert_eq!(for_guests("Board").await.as_deref(), Some("conf-Board"));
    put("board", json!({"conference": {"name": "Board"}, "access": tokens})).await;
    assert_eq!(for_guests("Board").await.as_deref(), Some("board"), "the one that leads nowhere else");
    assert_eq!(for_guests("Tea").await.as_deref(), Some("conf-Tea"));
    // Another service stands before it for what would be dialled.
    put("conf-T*", json!({"conference": {"name": "Other{rest}"}, "access": tokens})).await;
    assert_eq!(for_guests("Tea").await, None);
    assert_eq!(for_guests("Otherea").await.as_deref(), Some("conf-Otherea"));
}
