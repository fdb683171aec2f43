//! Measures how many reservations a second are made, each on the disk before it is answered: `bookings URL FUTURE CLIENTS
//! BOOKINGS` on an empty database, beside `FUTURE` reservations in the coming year.
#![allow(clippy::print_stdout, reason = "the program prints its measurements")]

use plenary_conference::{AccountId, ConferenceName, Reservation, Timestamp};
use plenary_store::{Location, NameRule, Store, new_reservation_token};
use std::{error::Error, time::Instant};
use tokio::task::JoinSet;

const NOW: Timestamp = Timestamp::from_seconds(1_900_000_000);
const CAPACITY: u32 = 1_000_000_000;

fn reservation(account: AccountId, number: u32) -> Reservation {
    Reservation {
        token: new_reservation_token(),
        account,
        name: ConferenceName::new(format!("Room{number}")),
        max_participants: 40,
        // Spread over a year, in no order.
        starts_at: NOW.plus_minutes(10 + number.wrapping_mul(7_919) % 525_000),
        duration_minutes: 15 + number % 60,
        divert: None,
        title: None,
        guests: Vec::new(),
        sequence: 0,
        series: None,
    }
}

/// `clients` book at the same time, each one reservation after the other. Returns bookings a second and the slowest one in
/// seconds.
async fn book(store: &Store, account: AccountId, numbers: std::ops::Range<u32>, clients: u32) -> (f64, f64) {
    let (began, bookings) = (Instant::now(), numbers.len());
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let (store, numbers) = (store.clone(), numbers.clone());
        tasks.spawn(async move {
            let mut slowest = 0.0_f64;
            for number in numbers.skip(client as usize).step_by(clients as usize) {
                let asked = Instant::now();
                let booked = reservation(account, number);
                store
                    .reserve_by(&booked, NameRule::NonOverlapping, CAPACITY, NOW)
                    .await
                    .expect("there is room for all");
                slowest = slowest.max(asked.elapsed().as_secs_f64());
            }
            slowest
        });
    }
    let slowest = tasks.join_all().await.into_iter().fold(0.0, f64::max);
    (bookings as f64 / began.elapsed().as_secs_f64(), slowest)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "bookings URL FUTURE CLIENTS BOOKINGS";
    let url = arguments.next().ok_or(usage)?;
    let mut number = || arguments.next().and_then(|text| text.parse::<u32>().ok()).ok_or(usage);
    let (future, clients, bookings) = (number()?, number()?, number()?);
    let store = Store::open_at(&url.parse::<Location>()?).await?;
    let account = store.create_account_login("1-2-0/bookings@example.com").await?.0.id;
    if future > 0 {
        let (rate, _) = book(&store, account, 0..future, 256).await;
        println!("{future} in the future: {rate:.0} a second");
    }
    let (rate, slowest) = book(&store, account, future..future + bookings, clients).await;
    println!(
        "{bookings} made by {clients} clients: {rate:.0} a second, the slowest took {:.1} ms",
        slowest * 1000.0
    );
    // A second process starts with an empty cache, and each booking of one makes the other read again.
    let other = Store::open_at(&url.parse::<Location>()?).await?;
    let began = Instant::now();
    for turn in 0..20 {
        let booked = reservation(account, future + bookings + turn);
        let store = if turn % 2 == 0 { &store } else { &other };
        store.reserve_by(&booked, NameRule::NonOverlapping, CAPACITY, NOW).await?;
    }
    println!("two processes in turn: {:.1} ms for each", began.elapsed().as_secs_f64() * 1000.0 / 20.0);
    let began = Instant::now();
    let (from, to) = (NOW, NOW.plus_minutes(366 * 24 * 60));
    let left = store.booked_seats(from..to).await?.availability(from, to, CAPACITY, 500);
    println!(
        "availability of a year: {} steps, {:.1} ms",
        left.steps.len(),
        began.elapsed().as_secs_f64() * 1000.0
    );
    let began = Instant::now();
    let read = store.open_reservations(NOW, 5).await?;
    println!("{} read back: {:.0} ms", read.len(), began.elapsed().as_secs_f64() * 1000.0);
    let began = Instant::now();
    let now = plenary_conference::Now { mono: plenary_conference::Mono(0), wall: NOW };
    let mut conferences = plenary_conference::Conferences::new(Default::default(), Default::default());
    for reservation in read {
        conferences.handle_event(plenary_conference::Event::ReservationAdded(reservation), now)?;
    }
    println!("and entered into the conferences: {:.0} ms", began.elapsed().as_secs_f64() * 1000.0);
    Ok(())
}
