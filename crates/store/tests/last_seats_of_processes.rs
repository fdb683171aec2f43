//! Three processes race for the last seats of one database, and two of them are killed in the middle.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_conference::{
    AccountId, ConferenceName, Reservation, Timestamp,
    calendar::{BookedSeats, peak_seats},
};
use plenary_store::{Location, ReserveError, Store, new_reservation_token};
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdout, Command, Stdio},
};
use support::Database;

on_both![the_sum_never_exceeds_the_capacity_and_what_was_answered_is_there];

const CAPACITY: u32 = 1000;
const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const DATABASE: &str = "PLENARY_TEST_DATABASE";
const SELLER: &str = "PLENARY_TEST_SELLER";

async fn the_sum_never_exceeds_the_capacity_and_what_was_answered_is_there(database: &Database) {
    let store = database.open().await;
    let account = store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id;
    assert_eq!(account, AccountId(1));
    let mut sellers: Vec<Seller> = (0..3).map(|number| Seller::start(database, number)).collect();
    let mut answered = BTreeSet::new();
    // They take turns, so that all three have sold when the first one dies.
    for (number, sales) in [(0, 20), (1, 20), (2, 20), (0, 40), (1, 80)] {
        answered.extend(sellers[number].sales(sales));
    }
    for killed in &mut sellers[..2] {
        killed.process.kill().unwrap();
        // What it said before it died counts.
        answered.extend(killed.sales(usize::MAX));
        killed.process.wait().unwrap();
    }
    answered.extend(sellers[2].sales(usize::MAX));
    assert!(sellers[2].process.wait().unwrap().success(), "the one that lives ends when all is sold");

    let made = store.open_reservations(NOW, 5).await.unwrap();
    let tokens: BTreeSet<String> = made.iter().map(|made| made.token.as_str().to_owned()).collect();
    let lost: Vec<_> = answered.difference(&tokens).collect();
    assert!(lost.is_empty(), "answered with success and not there: {lost:?}");
    let booking = |made: &Reservation| BookedSeats {
        starts_at: made.starts_at,
        ends_at: made.ends_at(),
        seats: made.max_participants,
    };
    let sold = peak_seats(made.iter().map(booking), NOW, NOW.plus_minutes(1000));
    assert_eq!(sold, CAPACITY, "all seats are sold, and none twice");
}

struct Seller {
    process: Child,
    said: BufReader<ChildStdout>,
}

impl Seller {
    fn start(database: &Database, number: u32) -> Self {
        let url = database.url();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_seller_in_a_process_of_its_own", "--nocapture"])
            .env(DATABASE, url)
            .env(SELLER, number.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        Self { process, said }
    }

    /// The tokens of its next sales, fewer where it ends before.
    fn sales(&mut self, most: usize) -> Vec<String> {
        let lines = self.said.by_ref().lines().map_while(Result::ok);
        lines.filter_map(|line| Some(line.strip_prefix("sold ")?.to_owned())).take(most).collect()
    }
}

impl Drop for Seller {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What [`Seller`] starts; by itself it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seller_in_a_process_of_its_own() {
    let (Ok(url), Ok(seller)) = (std::env::var(DATABASE), std::env::var(SELLER)) else { return };
    let location: Location = url.parse().unwrap();
    let store = Store::open_at(&location).await.unwrap();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..8_u32 {
        let (store, seller) = (store.clone(), seller.clone());
        clients.spawn(async move {
            for number in 0..CAPACITY {
                let reservation = Reservation {
                    token: new_reservation_token(),
                    account: AccountId(1),
                    name: ConferenceName::new(format!("Room{seller}x{client}x{number}")),
                    max_participants: 1,
                    // Times that overlap in the middle.
                    starts_at: NOW.plus_minutes(10 + number % 5),
                    duration_minutes: 60,
                    divert: None,
                    title: None,
                    guests: Vec::new(),
                    sequence: 0,
                    series: None,
                };
                match store.reserve(&reservation, CAPACITY, 5, NOW).await {
                    Ok(()) => {
                        let _ = writeln!(std::io::stdout(), "sold {}", reservation.token.as_str());
                    }
                    Err(ReserveError::NoSeats { available: 0, .. }) => return,
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
}
