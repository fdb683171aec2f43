//! What is stored of leaders' links, series, mails to guests, links of calendars, limits of accounts, and how calls sounded.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_conference::{Reservation, Timestamp, reservation::SeriesDate};
use plenary_model::{
    AccountId, CallSample, CallSamples, ConferenceName, Guest, LanguageCode, MailKind, MailState,
    PersonSettings, Repeat, Role, Scopes, SeriesSettings, TimeZone,
};
use plenary_store::{
    Account, AccountSettings, Authenticated, LinkSettings, LinksQuery, MailContent, NameRule, PasswordChange,
    SESSION_IDLE_MS, SESSION_MS, SignIn, SignInFrom, Store, StoreError, new_reservation_token,
};
use std::convert::Infallible;
use support::Database;

on_both![
    a_leaders_link_lets_lead_its_conference_until_it_is_revoked,
    a_link_of_a_reservation_ends_with_it,
    the_session_of_a_link_ends_as_others_do,
    a_password_is_changed_by_who_knows_the_old_one,
    an_account_that_is_disabled_is_refused_everywhere,
    a_mail_is_taken_by_one_process_and_tried_again,
    guests_are_told_what_concerns_them,
    the_dates_of_a_series_are_known_by_it,
    the_link_of_a_calendar_is_one_per_person,
    how_a_call_sounded_is_kept_and_deleted,
];

/// Mails are judged by the clock of the machine, so this is far ahead of it.
const THEN: Timestamp = Timestamp::from_seconds(2_900_000_000);
const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const FROM: SignInFrom<'static> = SignInFrom { address: None, user_agent: Some("Browser") };

async fn account(store: &Store) -> AccountId {
    store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id
}

fn guest(mail: &str) -> Guest {
    Guest { mail: mail.to_owned(), name: Some("Ann ä".to_owned()), language: LanguageCode::english() }
}

fn reservation(account: AccountId, guests: &[&str]) -> Reservation {
    Reservation {
        token: new_reservation_token(),
        account,
        name: ConferenceName::new("Board"),
        max_participants: 40,
        starts_at: THEN,
        duration_minutes: 30,
        divert: None,
        title: Some("Weekly – ä".to_owned()),
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

async fn a_leaders_link_lets_lead_its_conference_until_it_is_revoked(database: &Database) {
    let (store, other) = (database.open().await, database.open().await);
    let account = account(&store).await;
    let (link, code) = store.leader_link_new(account, &link_of("Board"), NOW).await.unwrap();
    let (tea, _) = store.leader_link_new(account, &link_of("Tea"), NOW).await.unwrap();
    assert_eq!(
        (link.label.as_deref(), link.conference.as_str(), link.expires_at),
        (Some("Ann"), "Board", None)
    );
    let secret = other.open_leader_link(code.as_str(), FROM, NOW).await.unwrap().unwrap();
    let (session, access) = store.leader_session(secret.as_str(), NOW).await.unwrap().unwrap();
    assert_eq!(access.conference.as_ref().unwrap().as_str(), "Board");
    assert_eq!((access.scopes, access.account.id), (Scopes::conference(), account));
    assert_eq!(access.by, Authenticated::Leader { link: link.id, session: session.id });
    assert!(store.leader_session_counts(session.id, NOW).await.unwrap());
    // As a key it is worth the same, and it is none of the keys.
    let key = store.authenticate_key(code.as_str()).await.unwrap().unwrap();
    assert_eq!((key.conference.as_ref(), key.scopes), (access.conference.as_ref(), access.scopes));
    assert_eq!(store.authenticate("1-2-0/bob@example.com", code.as_str()).await.unwrap(), None);
    assert_eq!(store.keys(account).await.unwrap().len(), 1);
    assert!(!store.key_revoke(account, link.id).await.unwrap());
    let board = LinksQuery { conference: Some(ConferenceName::new("Board")), ..all() };
    let listed = store.leader_links(account, &board, NOW).await.unwrap();
    assert_eq!(listed.iter().map(|link| link.id).collect::<Vec<_>>(), [link.id]);
    assert_eq!(store.leader_links(AccountId(account.0 + 1), &all(), NOW).await.unwrap(), []);
    for wrong in ["", "\0", "nothing"] {
        assert_eq!(store.open_leader_link(wrong, FROM, NOW).await.unwrap(), None);
        assert!(store.leader_session(wrong, NOW).await.unwrap().is_none());
    }

    assert!(!store.revoke_leader_link(AccountId(account.0 + 1), link.id, NOW).await.unwrap());
    assert!(other.revoke_leader_link(account, link.id, NOW).await.unwrap());
    assert!(!other.revoke_leader_link(account, link.id, NOW).await.unwrap());
    assert!(store.leader_session(secret.as_str(), NOW).await.unwrap().is_none());
    assert!(!store.leader_session_counts(session.id, NOW).await.unwrap());
    assert_eq!(store.open_leader_link(code.as_str(), FROM, NOW).await.unwrap(), None);
    let left = store.leader_links(account, &all(), NOW).await.unwrap();
    assert_eq!(left.iter().map(|link| link.id).collect::<Vec<_>>(), [tea.id]);
    let long = LinkSettings { label: Some("x".repeat(101)), ..link_of("Board") };
    let refused = store.leader_link_new(account, &long, NOW).await;
    assert!(matches!(refused, Err(StoreError::KeySettings(_))), "{refused:?}");
}

async fn a_link_of_a_reservation_ends_with_it(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let booked = reservation(account, &[]);
    reserve(&store, &booked).await;
    let new = LinkSettings { reservation: Some(booked.token.clone()), ..link_of("Board") };
    let (link, code) = store.leader_link_new(account, &new, NOW).await.unwrap();
    assert_eq!(link.expires_at, Some(booked.ends_at()));
    let open = async |at: Timestamp| store.open_leader_link(code.as_str(), FROM, at).await.unwrap();
    let secret = open(booked.starts_at).await.unwrap();
    store.extend(&booked.token, 60, 1000).await.unwrap();
    assert!(open(THEN.plus_minutes(59)).await.is_some(), "an extension extends it");
    assert!(open(THEN.plus_minutes(60)).await.is_none());
    assert!(store.leader_session(secret.as_str(), THEN.plus_minutes(59)).await.unwrap().is_some());
    assert!(store.leader_session(secret.as_str(), THEN.plus_minutes(60)).await.unwrap().is_none());
    let of = LinksQuery { reservation: Some(booked.token.clone()), ..all() };
    assert_eq!(store.leader_links(account, &of, NOW).await.unwrap().len(), 1);
    assert!(store.remove(&booked.token, 1000).await.unwrap());
    assert!(open(booked.starts_at).await.is_none());
    assert_eq!(store.leader_links(account, &of, NOW).await.unwrap(), []);
    // What is nobody's any more goes with its sessions, when old records go, or when the next one is made.
    assert_eq!(store.prune_leader_links(NOW, 100).await.unwrap(), 1);
    assert_eq!(store.open_leader_link(code.as_str(), FROM, NOW).await.unwrap(), None);
    store.leader_link_new(account, &new, NOW).await.unwrap();
    let (tea, _) = store.leader_link_new(account, &link_of("Tea"), NOW).await.unwrap();
    assert_eq!(store.prune_leader_links(THEN, 100).await.unwrap(), 0, "the one before is gone");
    let left = store.leader_links(account, &all(), THEN).await.unwrap();
    assert_eq!(left.iter().map(|link| link.id).collect::<Vec<_>>(), [tea.id], "it has no end");
}

async fn the_session_of_a_link_ends_as_others_do(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let (_, code) = store.leader_link_new(account, &link_of("Board"), NOW).await.unwrap();
    let open = async || store.open_leader_link(code.as_str(), FROM, NOW).await.unwrap().unwrap();
    let secret = open().await;
    let at = |ms: i64| Timestamp(NOW.0 + ms);
    let is_valid = async |secret: &str, now| store.leader_session(secret, now).await.unwrap().is_some();
    assert!(is_valid(secret.as_str(), at(SESSION_IDLE_MS - 1)).await);
    assert!(!is_valid(secret.as_str(), at(SESSION_MS)).await);
    let (session, _) = store.leader_session(secret.as_str(), NOW).await.unwrap().unwrap();
    store.end_leader_session(session.id).await.unwrap();
    assert!(!is_valid(secret.as_str(), NOW).await);
    // So many browsers and no more.
    let first = open().await;
    for _ in 0..20 {
        open().await;
    }
    assert!(!is_valid(first.as_str(), NOW).await);
}

async fn a_password_is_changed_by_who_knows_the_old_one(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let settings = PersonSettings {
        name: "Eve".to_owned(),
        mail: "eve@example.com".to_owned(),
        language: LanguageCode::english(),
        is_operator: false,
        is_disabled: false,
        roles: [(account, Role::Organiser)].into(),
    };
    let person = store.person_new(&settings, NOW).await.unwrap();
    let (code, _) = store.invite(person.id, NOW).await.unwrap().unwrap();
    let accepted = store.accept_invitation(code.as_str(), "correct horse", FROM, NOW).await.unwrap();
    let Some(SignIn::Right(mine)) = accepted else { panic!("{accepted:?}") };
    let other = store.sign_in("eve@example.com", "correct horse", FROM, NOW).await.unwrap();
    let SignIn::Right(other) = other else { panic!("{other:?}") };
    let change =
        async |old: &str, new: &str| store.change_password(&person, mine.1.id, old, new, FROM, NOW).await;
    assert_eq!(change("wrong horse", "another horse").await.unwrap(), PasswordChange::Wrong);
    assert!(change("correct horse", "short").await.is_err());
    assert_eq!(change("correct horse", "another horse").await.unwrap(), PasswordChange::Changed);
    assert!(store.session(mine.0.as_str(), NOW).await.unwrap().is_some(), "this browser stays");
    assert!(store.session(other.0.as_str(), NOW).await.unwrap().is_none(), "the others do not");
    assert_eq!(change("correct horse", "a third horse").await.unwrap(), PasswordChange::Wrong);
    let signed_in = store.sign_in("eve@example.com", "another horse", FROM, NOW).await.unwrap();
    assert!(matches!(signed_in, SignIn::Right(_)), "{signed_in:?}");
    // Wrong old passwords are slowed down as at signing in.
    let mut last = PasswordChange::Changed;
    for _ in 0..4 {
        last = change("wrong horse", "a third horse").await.unwrap();
    }
    assert!(matches!(last, PasswordChange::TooMany { .. }), "{last:?}");
}

async fn an_account_that_is_disabled_is_refused_everywhere(database: &Database) {
    let store = database.open().await;
    let (account, key) = store.create_account_login("1-2-0/bob@example.com").await.unwrap();
    let id = account.id;
    assert_eq!(account.settings, AccountSettings::default());
    store.put_service(id, "tea", &serde_json::json!({"conference": {"name": "Tea"}})).await.unwrap();
    let (_, code) = store.leader_link_new(id, &link_of("Tea"), NOW).await.unwrap();
    let set = async |settings: AccountSettings| {
        store.change_account(id, |_: &Account| Ok::<_, Infallible>(settings)).await.unwrap().unwrap()
    };
    let disabled = AccountSettings {
        recording_days: Some(7),
        is_disabled: true,
        max_participants: Some(50),
        requests_per_second: Some(3),
    };
    assert_eq!(set(disabled).await.settings, disabled);
    assert_eq!(store.account(id).await.unwrap().unwrap().settings, disabled);
    assert_eq!(store.authenticate_key(key.as_str()).await.unwrap(), None);
    assert_eq!(store.authenticate("1-2-0/bob@example.com", key.as_str()).await.unwrap(), None);
    assert_eq!(store.match_service("tea").await.unwrap(), None);
    assert_eq!(store.open_leader_link(code.as_str(), FROM, NOW).await.unwrap(), None);
    assert_eq!(store.all_trunks().await.unwrap(), []);
    set(AccountSettings::default()).await;
    assert!(store.authenticate_key(key.as_str()).await.unwrap().is_some());
    assert!(store.match_service("tea").await.unwrap().is_some());
    let settings = AccountSettings { max_participants: Some(5), ..AccountSettings::default() };
    let (made, _) = store.account_new("1-2-0/eve@example.com", settings).await.unwrap();
    assert_eq!(store.find_account("1-2-0/eve@example.com").await.unwrap().unwrap(), made);
    let again = store.account_new("1-2-0/eve@example.com", settings).await;
    assert!(matches!(again, Err(StoreError::AccountExists { .. })), "{again:?}");
    let nobody =
        store.change_account(AccountId(4711), |account: &Account| Ok::<_, Infallible>(account.settings));
    assert_eq!(nobody.await.unwrap(), None);
}

async fn due(store: &Store) -> Vec<(MailKind, String)> {
    let due = store.due_mails(Timestamp(i64::MAX), 100).await.unwrap();
    due.into_iter().map(|mail| (mail.kind, mail.guest.mail)).collect()
}

async fn a_mail_is_taken_by_one_process_and_tried_again(database: &Database) {
    let (store, other) = (database.open().await, database.open().await);
    let account = account(&store).await;
    let booked = reservation(account, &["ann@example.com"]);
    reserve(&store, &booked).await;
    let now = Timestamp(i64::MAX / 2);
    let mail = store.due_mails(now, 100).await.unwrap().remove(0);
    assert_eq!((mail.kind, mail.attempts), (MailKind::Invitation, 0));
    assert_eq!(mail.content, MailContent::Reservation(Box::new(booked.clone())));
    assert!(store.take_mail(&mail, now).await.unwrap());
    assert!(!other.take_mail(&mail, now).await.unwrap(), "another process has it");
    assert_eq!(other.due_mails(now, 100).await.unwrap(), []);
    // The process dies: it is due again after a while.
    assert_eq!(other.due_mails(now.plus_minutes(6), 100).await.unwrap().len(), 1);
    let again = now.plus_minutes(10);
    store.mails_tried(&[mail.id], Err(("greylisted\0", Some(again))), now).await.unwrap();
    let listed = store.mails_after(account, &booked.token, None, None, 10).await.unwrap().remove(0);
    assert_eq!((listed.state, listed.attempts, listed.next_at), (MailState::Waiting, 1, Some(again)));
    assert_eq!(listed.error.as_deref(), Some("greylisted"));
    store.mails_tried(&[mail.id], Ok(()), again).await.unwrap();
    let listed = store.mails_after(account, &booked.token, None, None, 10).await.unwrap().remove(0);
    assert_eq!((listed.state, listed.error, listed.sent_at), (MailState::Sent, None, Some(again)));
    assert_eq!(store.due_mails(Timestamp(i64::MAX), 100).await.unwrap(), []);
    store.mails_tried(&[mail.id], Err(("no such mailbox", None)), again).await.unwrap();
    let listed = store.mails_after(account, &booked.token, None, None, 10).await.unwrap().remove(0);
    assert_eq!((listed.state, listed.next_at), (MailState::Failed, None));
    assert_eq!(store.prune_mails(mail.created_at, 10).await.unwrap(), 0);
    assert_eq!(store.prune_mails(again, 10).await.unwrap(), 1);
}

async fn guests_are_told_what_concerns_them(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let (ann, ben, cid) = ("ann@example.com", "ben@example.com", "cid@example.com");
    let booked = reservation(account, &[ann, ben]);
    reserve(&store, &booked).await;
    let told = |kind: MailKind, mail: &str| (kind, mail.to_owned());
    use MailKind::{Cancellation, Invitation, Update};
    assert_eq!(due(&store).await, [told(Invitation, ann), told(Invitation, ben)]);
    // Seats concern no guest.
    let more = Reservation { max_participants: 50, ..booked.clone() }.next_version();
    store.change_reservation(&more, 1000).await.unwrap();
    assert_eq!(due(&store).await.len(), 2);
    let other =
        Reservation { guests: vec![guest("ANN@example.com"), guest(cid)], duration_minutes: 60, ..more };
    let other = other.next_version();
    store.change_reservation(&other, 1000).await.unwrap();
    let after = due(&store).await.split_off(2);
    assert_eq!(after, [told(Update, "ANN@example.com"), told(Invitation, cid), told(Cancellation, ben)]);
    store.extend(&booked.token, 75, 1000).await.unwrap();
    assert_eq!(due(&store).await.split_off(5), [told(Update, "ANN@example.com"), told(Update, cid)]);
    let stored = store.open_reservations(NOW, 5).await.unwrap().remove(0);
    assert_eq!((stored.sequence, &stored.guests), (3, &other.guests));
    assert!(store.remove(&booked.token, 1000).await.unwrap());
    assert_eq!(
        due(&store).await.split_off(7),
        [told(Cancellation, "ANN@example.com"), told(Cancellation, cid)]
    );
    let last = store.due_mails(Timestamp(i64::MAX), 100).await.unwrap().pop().unwrap();
    let MailContent::Reservation(last) = last.content else { panic!("{last:?}") };
    assert_eq!((last.sequence, last.guests.len()), (4, 1), "a later version, and no other guest's address");
    // What is over is told to nobody.
    let over = Reservation { starts_at: NOW, ..reservation(account, &[ann]) };
    reserve(&store, &over).await;
    let before = due(&store).await.len();
    assert!(store.remove(&over.token, 1000).await.unwrap());
    assert_eq!(due(&store).await.len(), before);
}

async fn the_dates_of_a_series_are_known_by_it(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let settings = SeriesSettings {
        conference: ConferenceName::new("Board"),
        title: Some("Weekly – ä".to_owned()),
        max_participants: 40,
        starts_at: THEN,
        duration_min: 30,
        divert: None,
        guests: vec![guest("ann@example.com")],
        time_zone: TimeZone::new("Europe/Berlin").unwrap(),
        repeat: Repeat::Weekly,
        interval: 1,
        count: 3,
    };
    let series = store.series_new(account, &settings, NOW).await.unwrap();
    assert_eq!(store.series(account, series.id).await.unwrap(), Some(series.clone()));
    assert_eq!(store.series(AccountId(account.0 + 1), series.id).await.unwrap(), None);
    let mut dates = Vec::new();
    for date in settings.occurrences() {
        let booked = Reservation {
            starts_at: date.starts_at,
            series: Some(SeriesDate { series: series.id, occurrence: date.starts_at }),
            ..reservation(account, &["ann@example.com"])
        };
        reserve(&store, &booked).await;
        dates.push(booked);
    }
    assert_eq!(store.series_reservations(account, series.id).await.unwrap(), dates);
    assert_eq!(
        due(&store).await,
        [(MailKind::Invitation, "ann@example.com".to_owned())],
        "one for all dates"
    );
    let invitation = store.due_mails(Timestamp(i64::MAX), 10).await.unwrap().remove(0);
    assert_eq!(invitation.content, MailContent::Series(series.id));
    let listed = store.mails_after(account, &dates[1].token, Some(series.id), None, 10).await.unwrap();
    assert_eq!(listed.len(), 1);
    let moved =
        Reservation { starts_at: dates[1].starts_at.plus_minutes(60), ..dates[1].clone() }.next_version();
    store.change_reservation(&moved, 1000).await.unwrap();
    assert!(store.remove(&dates[2].token, 1000).await.unwrap());
    let later = store.series(account, series.id).await.unwrap().unwrap();
    assert_eq!(later.sequence, 2, "one was moved, one removed");
    assert_eq!(
        store.series_reservations(account, series.id).await.unwrap(),
        [dates[0].clone(), moved.clone()]
    );
    assert!(!store.series_delete(account, series.id).await.unwrap(), "it has dates");
    for date in [&dates[0], &moved] {
        assert!(store.remove(&date.token, 1000).await.unwrap());
    }
    let page = store.series_after(account, None, 10).await.unwrap();
    assert_eq!(page.len(), 1);
    let behind = Some((page[0].created_at, page[0].id));
    assert_eq!(store.series_after(account, behind, 10).await.unwrap(), []);
    assert!(store.series_delete(account, series.id).await.unwrap());
    assert!(!store.series_delete(account, series.id).await.unwrap());
}

async fn the_link_of_a_calendar_is_one_per_person(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let settings = PersonSettings {
        name: "Eve".to_owned(),
        mail: "eve@example.com".to_owned(),
        language: LanguageCode::english(),
        is_operator: false,
        is_disabled: false,
        roles: [(account, Role::Auditor)].into(),
    };
    let person = store.person_new(&settings, NOW).await.unwrap();
    assert_eq!(store.calendar_feed(person.id).await.unwrap(), None);
    let first = store.calendar_feed_new(person.id, account, NOW).await.unwrap();
    let second = store.calendar_feed_new(person.id, account, NOW).await.unwrap();
    assert_eq!(store.open_calendar_feed(&first, NOW).await.unwrap(), None, "the later one counts");
    let open = store.open_calendar_feed(&second, NOW).await.unwrap().unwrap();
    assert_eq!((open.person, open.account), (person.id, account));
    assert_eq!(store.open_calendar_feed("\0", NOW).await.unwrap(), None);
    assert!(store.end_calendar_feed(person.id).await.unwrap());
    assert!(!store.end_calendar_feed(person.id).await.unwrap());
    assert_eq!(store.open_calendar_feed(&second, NOW).await.unwrap(), None);
    // It goes with the person.
    let third = store.calendar_feed_new(person.id, account, NOW).await.unwrap();
    store.remove_person(person.id, |_| Ok::<_, Infallible>(())).await.unwrap();
    assert_eq!(store.open_calendar_feed(&third, NOW).await.unwrap(), None);
}

async fn how_a_call_sounded_is_kept_and_deleted(database: &Database) {
    let store = database.open().await;
    let account = account(&store).await;
    let mut samples = CallSamples::default();
    samples.push(CallSample {
        at: NOW,
        mos: Some(4.25),
        level_dbov: None,
        loss_percent: 0.5,
        jitter_ms: 2.0,
        rtt_ms: Some(31.0),
    });
    let ended = ("0123.7".to_owned(), account, NOW, samples.clone());
    store.write_call_samples(std::slice::from_ref(&ended)).await.unwrap();
    store.write_call_samples(&[ended]).await.unwrap();
    assert_eq!(store.call_samples(account, "0123.7").await.unwrap(), Some(samples));
    assert_eq!(store.call_samples(AccountId(account.0 + 1), "0123.7").await.unwrap(), None);
    assert_eq!(store.call_samples(account, "\0").await.unwrap(), None);
    assert_eq!(store.prune_call_samples(NOW, 10).await.unwrap(), 0);
    assert_eq!(store.prune_call_samples(NOW.plus_minutes(1), 10).await.unwrap(), 1);
}
