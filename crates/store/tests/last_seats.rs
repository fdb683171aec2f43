//! Many clients race for the last seats, through two handles on one file as two processes would.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_conference::{
    ConferenceName, Reservation, Timestamp,
    calendar::{Booking, peak_seats},
};
use plenary_store::{Account, ReserveError, Store, new_reservation_token};
use support::Database;

const CAPACITY: u32 = 500;
const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

on_both![
    the_sum_never_exceeds_the_capacity,
    one_name_is_sold_once,
    extensions_take_seats_too,
    a_name_is_free_again_five_minutes_after_the_end,
    each_of_many_that_come_at_once_is_decided_by_itself,
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
            (_, Err(ReserveError::NoSeats { available })) => assert!(available < 40, "{available} were left"),
            (_, Err(error)) => panic!("{error}"),
        }
    }
    let booking = |reservation: &Reservation| Booking {
        starts_at: reservation.starts_at,
        ends_at: reservation.ends_at(),
        seats: reservation.max_participants,
    };
    let peak = peak_seats(sold.iter().map(booking), NOW, NOW.plus_minutes(1000));
    assert!(peak <= CAPACITY, "{peak} seats sold at one instant");
    assert!(peak > CAPACITY - 40, "only {peak} sold: somebody was refused without need");
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
    assert!(matches!(refused, Err(ReserveError::NoSeats { available: 250 })), "{refused:?}");
    assert!(store.remove(&next.token).await.unwrap());
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
            Err(ReserveError::NoSeats { available }) => {
                assert!(name.starts_with("Huge") && available <= CAPACITY, "{name} {available}");
            }
            Err(error) => panic!("{name}: {error}"),
        }
        if stores[1].open_reservations(NOW, 5).await.unwrap().iter().any(|stored| stored.token == token) {
            tokens.push(token);
        }
    }
    assert_eq!(boards, 1, "one of those who wanted the same name got it");
    assert_eq!(tokens.len(), 81, "what was answered with success is there, and nothing else");
}
