//! Many clients race for the last seats, through two handles on one file as two processes would.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_conference::{
    ConferenceName, Reservation, Timestamp,
    calendar::{BookedSeats, peak_seats},
};
use plenary_store::{Account, NameRule, ReserveError, Store, new_reservation_token};
use support::Database;

const CAPACITY: u32 = 500;
const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

on_both![
    the_sum_never_exceeds_the_capacity,
    one_name_is_sold_once,
    extensions_take_seats_too,
    a_name_is_free_again_five_minutes_after_the_end,
    each_of_many_that_come_at_once_is_decided_by_itself,
    one_name_may_have_several_that_do_not_overlap,
    a_change_gives_seats_back_and_takes_them_again,
    whatever_is_done_at_once_never_oversells,
    far_and_near_are_sold_side_by_side,
];

async fn stores(database: &Database) -> (Vec<Store>, Account) {
    let first = database.open().await;
    let (account, _) = first.create_account_login("1-2-0/bob@example.com").await.unwrap();
    let second = database.open().await;
    (vec![first, second], account)
}

fn reservation(account: &Account, name: &str, seats: u32, from_minute: u32, minutes: u32) -> Reservation {
    Reservation {
        token: new_reservation_token(),
        account: account.id,
        name: ConferenceName::new(name),
        max_participants: seats,
        starts_at: NOW.plus_minutes(from_minute),
        duration_minutes: minutes,
        divert: None,
        title: None,
        guests: Vec::new(),
        sequence: 0,
        series: None,
    }
}

async fn the_sum_never_exceeds_the_capacity(database: &Database) {
    let (stores, account) = stores(database).await;
    let mut clients = Vec::new();
    for client in 0..60_u32 {
        let store = stores[client as usize % 2].clone();
        // Times that overlap in part, so that the busiest instant is not the first.
        let reservation = reservation(&account, &format!("Room{client}"), 40, 10 + client % 7 * 10, 60);
        clients.push(tokio::spawn(async move {
            let outcome = store.reserve(&reservation, CAPACITY, 5, NOW).await;
            (reservation, outcome)
        }));
    }
    let mut sold = Vec::new();
    for client in clients {
        match client.await.unwrap() {
            (reservation, Ok(())) => sold.push(reservation),
            (_, Err(ReserveError::NoSeats { available, .. })) => {
                assert!(available < 40, "{available} were left")
            }
            (_, Err(error)) => panic!("{error}"),
        }
    }
    let booking = |reservation: &Reservation| BookedSeats {
        starts_at: reservation.starts_at,
        ends_at: reservation.ends_at(),
        seats: reservation.max_participants,
    };
    let peak = peak_seats(sold.iter().map(booking), NOW, NOW.plus_minutes(1000));
    assert!(peak <= CAPACITY, "{peak} seats sold at one instant");
    assert!(peak > CAPACITY - 40, "only {peak} sold: a request was refused without need");
    let stored = stores[0].open_reservations(NOW, 5).await.unwrap();
    assert_eq!(stored.len(), sold.len(), "what was answered with success is there, and nothing else");
}

async fn one_name_is_sold_once(database: &Database) {
    let (stores, account) = stores(database).await;
    let mut clients = Vec::new();
    for client in 0..20 {
        let store = stores[client % 2].clone();
        let reservation = reservation(&account, "Board", 40, 10, 60);
        clients.push(tokio::spawn(async move { store.reserve(&reservation, CAPACITY, 5, NOW).await }));
    }
    let mut won = 0;
    for client in clients {
        match client.await.unwrap() {
            Ok(()) => won += 1,
            Err(ReserveError::NameTaken) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(won, 1);
}

async fn extensions_take_seats_too(database: &Database) {
    let (stores, account) = stores(database).await;
    let store = &stores[0];
    let first = reservation(&account, "First", 300, 0, 30);
    store.reserve(&first, CAPACITY, 5, NOW).await.unwrap();
    let next = reservation(&account, "Next", 250, 30, 30);
    store.reserve(&next, CAPACITY, 5, NOW).await.unwrap();
    let refused = store.extend(&first.token, 45, CAPACITY).await;
    assert!(matches!(refused, Err(ReserveError::NoSeats { available: 250, .. })), "{refused:?}");
    assert!(store.remove(&next.token, CAPACITY).await.unwrap());
    store.extend(&first.token, 45, CAPACITY).await.unwrap();
    assert_eq!(store.open_reservations(NOW, 5).await.unwrap()[0].duration_minutes, 45);
    let unknown = store.extend(&next.token, 45, CAPACITY).await;
    assert!(matches!(unknown, Err(ReserveError::UnknownReservation)), "{unknown:?}");
}

async fn a_name_is_free_again_five_minutes_after_the_end(database: &Database) {
    let (stores, account) = stores(database).await;
    let store = &stores[0];
    store.reserve(&reservation(&account, "Board", 40, 0, 30), CAPACITY, 5, NOW).await.unwrap();
    let again = reservation(&account, "Board", 40, 100, 30);
    let refused = store.reserve(&again, CAPACITY, 5, NOW.plus_minutes(34)).await;
    assert!(matches!(refused, Err(ReserveError::NameTaken)), "{refused:?}");
    store.reserve(&again, CAPACITY, 5, NOW.plus_minutes(35)).await.unwrap();
}

/// They share transactions, and nothing else.
async fn each_of_many_that_come_at_once_is_decided_by_itself(database: &Database) {
    let (stores, account) = stores(database).await;
    let mut clients = Vec::new();
    for client in 0..100_u32 {
        let store = stores[0].clone();
        // Ten want one name, ten want more than there is, the others want each a name of its own.
        let (name, seats) = match client % 10 {
            0 => ("Board".to_owned(), 1),
            1 => (format!("Huge{client}"), CAPACITY + 1),
            _ => (format!("Room{client}"), 1),
        };
        let reservation = reservation(&account, &name, seats, 10, 60);
        clients.push(tokio::spawn(async move {
            let outcome = store.reserve(&reservation, CAPACITY, 5, NOW).await;
            (name, reservation.token, outcome)
        }));
    }
    let (mut tokens, mut boards) = (Vec::new(), 0);
    for client in clients {
        let (name, token, outcome) = client.await.unwrap();
        match outcome {
            Ok(()) if name == "Board" => boards += 1,
            Ok(()) => assert!(name.starts_with("Room"), "{name}"),
            Err(ReserveError::NameTaken) => assert_eq!(name, "Board"),
            Err(ReserveError::NoSeats { available, .. }) => {
                assert!(name.starts_with("Huge") && available <= CAPACITY, "{name} {available}");
            }
            Err(error) => panic!("{name}: {error}"),
        }
        if stores[1].open_reservations(NOW, 5).await.unwrap().iter().any(|stored| stored.token == token) {
            tokens.push(token);
        }
    }
    assert_eq!(boards, 1, "one of the requests for the same name got it");
    assert_eq!(tokens.len(), 81, "what was answered with success is there, and nothing else");
}

fn beside(
    store: &Store,
    reservation: &Reservation,
) -> impl Future<Output = Result<(), ReserveError>> + use<> {
    let (store, reservation) = (store.clone(), reservation.clone());
    async move { store.reserve_by(&reservation, NameRule::NonOverlapping, CAPACITY, NOW).await }
}

/// By the processes' handles in turn, so that each has to look at what the other one sold.
async fn one_name_may_have_several_that_do_not_overlap(database: &Database) {
    let (stores, account) = stores(database).await;
    for (number, (from, minutes, is_free)) in
        [(60, 30, true), (90, 30, true), (30, 30, true), (30, 31, false), (89, 2, false), (0, 300, false)]
            .into_iter()
            .chain([(400 * 24 * 60, 30, true), (120, 60, true), (150, 15, false)])
            .enumerate()
    {
        let outcome = beside(&stores[number % 2], &reservation(&account, "Board", 40, from, minutes)).await;
        match (&outcome, is_free) {
            (Ok(()), true) | (Err(ReserveError::NameTaken), false) => {}
            _ => panic!("{from} for {minutes}: {outcome:?}"),
        }
    }
    // One of a name at a time by the other rule, also where nothing overlaps.
    let alone = stores[1].reserve(&reservation(&account, "Board", 40, 1000, 30), CAPACITY, 5, NOW).await;
    assert!(matches!(alone, Err(ReserveError::NameTaken)), "{alone:?}");
    // Longer, up to the next one.
    let first = stores[0].open_reservations(NOW, 5).await.unwrap().remove(0);
    assert_eq!(first.starts_at, NOW.plus_minutes(30));
    let refused = stores[1].extend(&first.token, 31, CAPACITY).await;
    assert!(matches!(refused, Err(ReserveError::NameTaken)), "{refused:?}");
    let moved = Reservation { starts_at: NOW.plus_minutes(45), ..first.clone() };
    let refused = stores[0].change_reservation(&moved, CAPACITY).await;
    assert!(matches!(refused, Err(ReserveError::NameTaken)), "{refused:?}");
    let moved = Reservation { starts_at: NOW.plus_minutes(180), ..first.clone() };
    stores[1].change_reservation(&moved, CAPACITY).await.unwrap();
    beside(&stores[0], &reservation(&account, "Board", 40, 30, 30)).await.unwrap();
    // Reservations of other names and accounts do not conflict.
    beside(&stores[0], &reservation(&account, "Tea", 40, 30, 30)).await.unwrap();
    let (other, _) = stores[0].create_account_login("3-4-5/eve@example.com").await.unwrap();
    beside(&stores[1], &reservation(&other, "Board", 40, 30, 30)).await.unwrap();
}

async fn a_change_gives_seats_back_and_takes_them_again(database: &Database) {
    let (stores, account) = stores(database).await;
    let store = &stores[0];
    let first = reservation(&account, "First", 300, 10, 60);
    store.reserve(&first, CAPACITY, 5, NOW).await.unwrap();
    store.reserve(&reservation(&account, "Next", 150, 40, 60), CAPACITY, 5, NOW).await.unwrap();
    let more = |seats, from: u32, minutes| Reservation {
        max_participants: seats,
        starts_at: NOW.plus_minutes(from),
        duration_minutes: minutes,
        ..first.clone()
    };
    match stores[1].change_reservation(&more(351, 10, 60), CAPACITY).await {
        Err(ReserveError::NoSeats { available: 350, from, to }) => {
            assert_eq!((from, to), (NOW.plus_minutes(40), NOW.plus_minutes(70)), "when they are short");
        }
        other => panic!("{other:?}"),
    }
    store.change_reservation(&more(350, 10, 60), CAPACITY).await.unwrap();
    let refused = store.change_reservation(&more(351, 0, 40), CAPACITY).await;
    assert!(refused.is_ok(), "before the other one begins all are free: {refused:?}");
    stores[1].change_reservation(&more(300, 10, 60), CAPACITY).await.unwrap();
    // What was given back can be had by others, and no more.
    let third = |seats| reservation(&account, &format!("Third{seats}"), seats, 50, 10);
    let refused = store.reserve(&third(51), CAPACITY, 5, NOW).await;
    assert!(matches!(refused, Err(ReserveError::NoSeats { available: 50, .. })), "{refused:?}");
    store.reserve(&third(50), CAPACITY, 5, NOW).await.unwrap();
    // With less to sell than is sold: a change that takes no more than before is not refused.
    let (shorter, longer) = (more(300, 10, 50), more(300, 10, 61));
    store.change_reservation(&shorter, 100).await.unwrap();
    assert!(matches!(
        store.change_reservation(&longer, 100).await,
        Err(ReserveError::NoSeats { available: 0, .. })
    ));
    let titled = Reservation {
        title: Some("Weekly – ä".to_owned()),
        divert: Some(plenary_conference::ServiceName::new("early")),
        ..shorter
    };
    stores[1].change_reservation(&titled, 100).await.unwrap();
    let stored = store.open_reservations(NOW, 5).await.unwrap();
    assert!(stored.contains(&titled), "{stored:?}");
    let plain = Reservation { title: None, divert: None, ..titled };
    store.change_reservation(&plain, 100).await.unwrap();
    assert!(store.open_reservations(NOW, 5).await.unwrap().contains(&plain));
    let unknown = Reservation { token: new_reservation_token(), ..plain };
    assert!(matches!(
        store.change_reservation(&unknown, CAPACITY).await,
        Err(ReserveError::UnknownReservation)
    ));
    assert!(!store.remove(&unknown.token, CAPACITY).await.unwrap());
}

/// Sales, changes and removals at once, through two handles: the calendar in memory is what is in the database.
async fn whatever_is_done_at_once_never_oversells(database: &Database) {
    let (stores, account) = stores(database).await;
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..16_u32 {
        let (store, account) = (stores[client as usize % 2].clone(), account.clone());
        clients.spawn(async move {
            let mut own: Vec<Reservation> = Vec::new();
            for step in 0..25_u32 {
                // As if drawn by lot, and the same at every run.
                let lot = (client * 7919 + step * 104_729) % 1000;
                let wanted = reservation(
                    &account,
                    &format!("Room{client}"),
                    10 + lot % 60,
                    10 + lot % 9 * 20,
                    15 + lot % 4 * 15,
                );
                match (lot % 5, own.pop()) {
                    (0, Some(one)) => assert!(store.remove(&one.token, CAPACITY).await.unwrap()),
                    (1 | 2, Some(one)) => {
                        let changed = Reservation { token: one.token.clone(), ..wanted };
                        let outcome = store.change_reservation(&changed, CAPACITY).await;
                        own.push(if outcome.is_ok() { changed } else { one });
                    }
                    (_, before) => {
                        own.extend(before);
                        if beside(&store, &wanted).await.is_ok() {
                            own.push(wanted);
                        }
                    }
                }
            }
            own
        });
    }
    let mut expected = Vec::new();
    while let Some(own) = clients.join_next().await {
        expected.extend(own.unwrap());
    }
    let mut stored = stores[0].open_reservations(NOW, 5).await.unwrap();
    expected.sort_by(|one, other| one.token.as_str().cmp(other.token.as_str()));
    stored.sort_by(|one, other| one.token.as_str().cmp(other.token.as_str()));
    assert_eq!(stored, expected, "what was answered is there, as it was answered");
    let booking = |one: &Reservation| BookedSeats {
        starts_at: one.starts_at,
        ends_at: one.ends_at(),
        seats: one.max_participants,
    };
    let (from, to) = (NOW, NOW.plus_minutes(1000));
    let peak = peak_seats(stored.iter().map(booking), from, to);
    assert!(peak <= CAPACITY && peak > CAPACITY / 2, "{peak} seats sold at one instant");
    for (number, one) in stored.iter().enumerate() {
        let mut others = stored.iter().skip(number + 1).filter(|other| other.name == one.name);
        let overlaps =
            |other: &Reservation| one.starts_at < other.ends_at() && other.starts_at < one.ends_at();
        assert!(!others.any(overlaps), "{one:?} overlaps");
    }
    // What is left is what a sale finds.
    let left = stores[1].booked_seats(from..to).await.unwrap().availability(from, to, CAPACITY, 1000);
    assert_eq!(left.least, CAPACITY - peak);
    for (number, step) in left.steps.iter().enumerate() {
        let probe = |seats| Reservation {
            starts_at: step.from,
            duration_minutes: u32::try_from((step.to.0 - step.from.0) / 60_000).unwrap(),
            ..reservation(&account, &format!("Probe{number}"), seats, 0, 1)
        };
        let refused = beside(&stores[number % 2], &probe(step.seats + 1)).await;
        let Err(ReserveError::NoSeats { available, from, to }) = refused else { panic!("{refused:?}") };
        assert_eq!((available, from, to), (step.seats, step.from, step.to));
    }
}

/// A sale that is far ahead does not make the calendar forget what is near, and the other way round.
async fn far_and_near_are_sold_side_by_side(database: &Database) {
    let (stores, account) = stores(database).await;
    let (near, far) = (60, 300 * 24 * 60);
    for (number, minute) in [near, far, near, far, near, far + 40].into_iter().enumerate() {
        let one = reservation(&account, &format!("Room{number}"), 200, minute, 60);
        let outcome = stores[0].reserve(&one, CAPACITY, 5, NOW).await;
        match number {
            0..=3 => outcome.unwrap(),
            _ => assert!(matches!(outcome, Err(ReserveError::NoSeats { available: 100, .. })), "{outcome:?}"),
        }
    }
}
