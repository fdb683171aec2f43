//! The event log: numbered without gaps over all writers, written with the booking that it tells of, closed after a kill.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_conference::{ConferenceName, Reservation};
use plenary_model::{
    AccountEvent, AccountId, Actor, EventKind, EventRecord, Introduction, Ongoing, OngoingKind,
    ParticipantId, Presence, ReservationData, Timestamp,
};
use plenary_store::{EventBounds, NameRule, Store, StoredEvent};
use support::Database;

on_both![
    events_of_all_writers_are_numbered_without_gaps,
    an_event_that_may_be_written_already_is_not_written_twice,
    a_booking_and_its_event_are_written_together,
    that_a_reservation_has_begun_says_what_holds_by_then_and_nothing_where_it_is_removed,
    what_goes_on_is_known_until_it_ends,
    old_events_go_and_the_numbers_go_on,
    who_waits_for_events_is_told,
    events_of_a_participant_are_found_by_the_time_of_its_call,
];

async fn account(store: &Store, name: &str) -> AccountId {
    store.create_account_login(&format!("1-2-0/{name}@example.com")).await.unwrap().0.id
}

fn event(account: AccountId, at: i64, kind: EventKind) -> AccountEvent {
    let event = EventRecord {
        at: Timestamp(at),
        conference: Some(ConferenceName::new("Board")),
        participant_id: Some(ParticipantId::new("0a.1")),
        actor: Actor::key(3),
        reason: None,
        kind,
    };
    AccountEvent { account, event }
}

fn started(account: AccountId, at: i64) -> AccountEvent {
    event(account, at, EventKind::ConferenceStarted {})
}

async fn log(store: &Store, account: AccountId) -> Vec<StoredEvent> {
    store.events_after(account, 0, 10_000).await.unwrap()
}

async fn events_of_all_writers_are_numbered_without_gaps(database: &Database) {
    let store = database.open().await;
    let (bob, eve) = (account(&store, "bob").await, account(&store, "eve").await);
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let store = database.open().await;
        writers.spawn(async move {
            for at in 0..20 {
                // In two orders of accounts: nobody waits for the other.
                let mut batch = vec![started(bob, writer * 100 + at), started(eve, at), started(bob, at)];
                if writer % 2 == 0 {
                    batch.reverse();
                }
                batch.push(started(AccountId(4711), at));
                store.write_events(&batch, false).await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let numbers = |log: Vec<StoredEvent>| log.into_iter().map(|event| event.seq).collect::<Vec<_>>();
    assert_eq!(numbers(log(&store, bob).await), (1..=160).collect::<Vec<_>>());
    assert_eq!(numbers(log(&store, eve).await), (1..=80).collect::<Vec<_>>());
    assert_eq!(store.event_bounds(bob).await.unwrap(), EventBounds { first: 1, last: 160 });
    assert!(log(&store, AccountId(4711)).await.is_empty(), "there is no such account");
    assert_eq!(numbers(store.events_after(bob, 100, 3).await.unwrap()), [101, 102, 103]);
    let one = &log(&store, eve).await[0];
    assert_eq!(one.record().unwrap().actor, Actor::key(3));
    let json: serde_json::Value = serde_json::from_str(&one.json()).unwrap();
    assert_eq!((&json["seq"], &json["type"]), (&1.into(), &"conference.started".into()));
}

async fn an_event_that_may_be_written_already_is_not_written_twice(database: &Database) {
    let store = database.open().await;
    let bob = account(&store, "bob").await;
    let batch = [started(bob, 1), started(bob, 2)];
    store.write_events(&batch, true).await.unwrap();
    store.write_events(&batch, true).await.unwrap();
    assert_eq!(log(&store, bob).await.len(), 2);
    // The number that was drawn for nothing is not missing.
    store.write_events(&[started(bob, 3)], false).await.unwrap();
    assert_eq!(store.event_bounds(bob).await.unwrap().last, 3);
}

async fn a_booking_and_its_event_are_written_together(database: &Database) {
    let store = database.open().await;
    let bob = account(&store, "bob").await;
    let store = store.acting(Actor::key(9));
    let mut booked = Reservation {
        token: plenary_store::new_reservation_token(),
        account: bob,
        name: ConferenceName::new("Board"),
        max_participants: 40,
        starts_at: Timestamp(1_800_000_000_000),
        duration_minutes: 30,
        divert: None,
        title: Some("Weekly".to_owned()),
        guests: Vec::new(),
        sequence: 0,
        series: None,
    };
    let now = Timestamp(1_799_990_000_000);
    store.reserve_by(&booked, NameRule::NonOverlapping, 50, now).await.unwrap();
    let other = Reservation { token: plenary_store::new_reservation_token(), ..booked.clone() };
    store.reserve_by(&other, NameRule::NonOverlapping, 50, now).await.unwrap_err();
    store.extend(&booked.token, 60, 50).await.unwrap();
    store.extend(&booked.token, 60, 50).await.unwrap();
    (booked.duration_minutes, booked.title) = (60, None);
    store.change_reservation(&booked, 50).await.unwrap();
    assert!(store.remove(&booked.token, 50).await.unwrap());
    assert!(!store.remove(&booked.token, 50).await.unwrap());
    let told: Vec<EventRecord> = log(&store, bob).await.iter().map(|event| event.record().unwrap()).collect();
    let kinds: Vec<&str> = told.iter().map(|event| event.kind.name()).collect();
    assert_eq!(
        kinds,
        ["reservation.created", "reservation.extended", "reservation.changed", "reservation.removed"]
    );
    assert!(told.iter().all(|event| event.actor == Actor::key(9)), "{told:?}");
    let EventKind::ReservationExtended(data) = &told[1].kind else { panic!("{told:?}") };
    assert_eq!((data.duration_min, data.title.as_deref()), (60, Some("Weekly")));
}

async fn that_a_reservation_has_begun_says_what_holds_by_then_and_nothing_where_it_is_removed(
    database: &Database,
) {
    let store = database.open().await;
    let bob = account(&store, "bob").await;
    let book = async |name: &str| {
        let booked = Reservation {
            token: plenary_store::new_reservation_token(),
            account: bob,
            name: ConferenceName::new(name),
            max_participants: 40,
            starts_at: Timestamp(1_800_000_000_000),
            duration_minutes: 30,
            divert: None,
            title: None,
            guests: Vec::new(),
            sequence: 0,
            series: None,
        };
        store.reserve_by(&booked, NameRule::NonOverlapping, 200, Timestamp(0)).await.unwrap();
        booked
    };
    let (removed, changed) = (book("Gone").await, book("Board").await);
    // They begin, which is to be written in a moment; meanwhile one is removed and the other one made longer.
    let begins = |one: &Reservation, at| event(bob, at, EventKind::ReservationStarted(one.data()));
    let waiting = [
        begins(&removed, 1),
        event(bob, 2, EventKind::ConferenceCreated { reserved: true, max_participants: 40 }),
        begins(&changed, 3),
    ];
    assert!(store.remove(&removed.token, 200).await.unwrap());
    store.extend(&changed.token, 60, 200).await.unwrap();
    store.write_events(&waiting, false).await.unwrap();
    let told: Vec<EventRecord> = log(&store, bob).await.iter().map(|event| event.record().unwrap()).collect();
    let kinds: Vec<&str> = told.iter().map(|event| event.kind.name()).collect();
    assert_eq!(
        kinds,
        [
            "reservation.created",
            "reservation.created",
            "reservation.removed",
            "reservation.extended",
            "conference.created",
            "reservation.started"
        ]
    );
    let EventKind::ReservationStarted(data) = &told[5].kind else { panic!("{told:?}") };
    assert_eq!((&data.token, data.duration_min), (&changed.token, 60), "as it is by then");
    let numbers: Vec<i64> = log(&store, bob).await.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6], "without a gap");
    assert_eq!(store.event_bounds(bob).await.unwrap().last, 6);
    let begun = store.ongoing().await.unwrap();
    let tokens = begun.iter().filter(|(_, what, _)| what.kind == OngoingKind::Reservation);
    assert_eq!(tokens.map(|(_, what, _)| what.id.as_str()).collect::<Vec<_>>(), [changed.token.as_str()]);
    let ended = async |after: i64, until: i64| {
        let found = store.reservations_ended((Timestamp(after), ""), Timestamp(until), 10).await.unwrap();
        found.into_iter().map(|one| one.token).collect::<Vec<_>>()
    };
    let end = changed.starts_at.plus_minutes(60).0;
    assert_eq!(ended(0, end).await, std::slice::from_ref(&changed.token));
    assert_eq!((ended(0, end - 1).await, ended(end, i64::MAX).await.len()), (vec![], 1));
    // Where the answer to a commit did not come, it is written again, and the reservation may be another one by then.
    store.extend(&changed.token, 90, 200).await.unwrap();
    store.write_events(&waiting[2..], true).await.unwrap();
    assert_eq!(store.event_bounds(bob).await.unwrap().last, 7, "that it has begun is not told twice");
}

fn presence() -> Presence {
    Presence {
        who: Introduction::default(),
        leader: false,
        muted_by: None,
        dtmf_enabled: true,
        self_unmute: None,
        held: false,
        heard_by: None,
    }
}

async fn what_goes_on_is_known_until_it_ends(database: &Database) {
    let store = database.open().await;
    let bob = account(&store, "bob").await;
    let booked = Reservation {
        token: plenary_store::new_reservation_token(),
        account: bob,
        name: ConferenceName::new("Board"),
        max_participants: 40,
        starts_at: Timestamp(0),
        duration_minutes: 30,
        divert: None,
        title: None,
        guests: Vec::new(),
        sequence: 0,
        series: None,
    };
    store.reserve_by(&booked, NameRule::NonOverlapping, 50, Timestamp(0)).await.unwrap();
    let data: ReservationData = booked.data();
    let begin = [
        event(bob, 1, EventKind::ReservationStarted(data.clone())),
        event(bob, 2, EventKind::ConferenceCreated { reserved: true, max_participants: 40 }),
        event(bob, 3, EventKind::ParticipantEntered(presence())),
        event(bob, 4, EventKind::ConferenceStarted {}),
        event(bob, 5, EventKind::PlaybackStarted { playback_id: "p".to_owned() }),
        // Within one batch: it has begun and ended.
        event(bob, 6, EventKind::PlaybackStarted { playback_id: "q".to_owned() }),
        event(bob, 7, EventKind::PlaybackEnded { playback_id: "q".to_owned() }),
    ];
    store.write_events(&begin, false).await.unwrap();
    let ongoing = store.ongoing().await.unwrap();
    let kinds: Vec<OngoingKind> = ongoing.iter().map(|(_, what, _)| what.kind).collect();
    assert_eq!(
        kinds,
        [
            OngoingKind::Playback,
            OngoingKind::Participant,
            OngoingKind::Started,
            OngoingKind::Conference,
            OngoingKind::Reservation
        ]
    );
    assert_eq!(ongoing[4].2, Some(data.clone()));
    assert_eq!(
        ongoing[1].1,
        Ongoing { kind: OngoingKind::Participant, conference: "Board".to_owned(), id: "0a.1".to_owned() }
    );
    let closing: Vec<AccountEvent> = ongoing
        .into_iter()
        .map(|(account, what, data)| AccountEvent {
            account,
            event: what.closing(Timestamp(9), data).unwrap(),
        })
        .collect();
    store.write_events(&closing, false).await.unwrap();
    assert_eq!(store.ongoing().await.unwrap(), []);
    let last = log(&store, bob).await.last().unwrap().record().unwrap();
    assert_eq!(last.kind, EventKind::ReservationCompleted(data));
}

async fn old_events_go_and_the_numbers_go_on(database: &Database) {
    let store = database.open().await;
    let bob = account(&store, "bob").await;
    let batch: Vec<AccountEvent> = (1..=10).map(|at| started(bob, at * 1000)).collect();
    store.write_events(&batch, false).await.unwrap();
    assert_eq!(store.accounts_with_events().await.unwrap(), [bob]);
    // Two that are old, a few at a time.
    assert_eq!(store.prune_events(bob, Timestamp(3000), 100, 1).await.unwrap(), 1);
    assert_eq!(store.prune_events(bob, Timestamp(3000), 100, 100).await.unwrap(), 1);
    let bounds = store.event_bounds(bob).await.unwrap();
    assert_eq!(bounds, EventBounds { first: 3, last: 10 });
    assert!(bounds.continue_after(2) && !bounds.continue_after(1) && !bounds.continue_after(11));
    // All but the last four.
    assert_eq!(store.prune_events(bob, Timestamp(0), 4, 100).await.unwrap(), 4);
    assert_eq!(store.event_bounds(bob).await.unwrap(), EventBounds { first: 7, last: 10 });
    assert_eq!(store.prune_events(bob, Timestamp(i64::MAX), 4, 100).await.unwrap(), 4);
    assert_eq!(store.event_bounds(bob).await.unwrap(), EventBounds { first: 11, last: 10 });
    store.write_events(&[started(bob, 1)], false).await.unwrap();
    assert_eq!(log(&store, bob).await[0].seq, 11);
}

async fn who_waits_for_events_is_told(database: &Database) {
    let store = database.open().await;
    let (bob, eve) = (account(&store, "bob").await, account(&store, "eve").await);
    let mut news = store.event_news(bob);
    store.write_events(&[started(eve, 1)], false).await.unwrap();
    assert!(!news.has_changed().unwrap());
    store.clone().write_events(&[started(bob, 1), started(bob, 2)], false).await.unwrap();
    news.changed().await.unwrap();
    assert_eq!(*news.borrow_and_update(), 2);
}

async fn events_of_a_participant_are_found_by_the_time_of_its_call(database: &Database) {
    let store = database.open().await;
    let (bob, eve) = (account(&store, "bob").await, account(&store, "eve").await);
    let of = |account, at: i64, participant: &str| {
        let AccountEvent { account, mut event } = started(account, at);
        event.participant_id = Some(ParticipantId::new(participant));
        AccountEvent { account, event }
    };
    let found = async |participant: &str, within: std::ops::Range<i64>, after, limit| {
        let within = Timestamp(within.start)..Timestamp(within.end);
        let events =
            store.events_of_participant(bob, &ParticipantId::new(participant), within, after, limit).await;
        events.unwrap().into_iter().map(|event| event.seq).collect::<Vec<_>>()
    };
    assert_eq!(found("0a.1", 0..100, 0, 10).await, [0_i64; 0], "the log is empty");
    let mut batch: Vec<_> =
        (1..=40).map(|at| of(bob, at, if at % 4 == 0 { "0a.1" } else { "0a.12" })).collect();
    batch.extend([of(eve, 20, "0a.1"), of(bob, 41, "0a_1")]);
    store.write_events(&batch, false).await.unwrap();
    assert_eq!(found("0a.1", 0..100, 0, 100).await, [4, 8, 12, 16, 20, 24, 28, 32, 36, 40]);
    assert_eq!(found("0a.1", 12..29, 0, 100).await, [12, 16, 20, 24, 28]);
    assert_eq!(found("0a.1", 12..28, 16, 1).await, [20]);
    assert_eq!(found("0a_1", 0..100, 0, 100).await, [41], "no character stands for others");
    assert_eq!(found("0a.1", 50..90, 0, 100).await, [0_i64; 0]);
    // The oldest are gone.
    store.prune_events(bob, Timestamp(20), 1_000, 1_000).await.unwrap();
    assert_eq!(found("0a.1", 0..25, 0, 100).await, [20, 24]);
}
