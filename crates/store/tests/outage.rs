//! PostgreSQL goes away in every way it can, and comes back.
#![cfg(feature = "e2e")]
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_conference::{AccountId, ConferenceName, Reservation, Timestamp};
use plenary_model::{AudioOwner, StoredAudio};
use plenary_store::{ReserveError, Store, new_reservation_token};
use plenary_testing::Postgres;
use serde_json::json;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const BOB: AccountId = AccountId(1);
/// What docs/operations.md promises, and what a busy machine takes longer.
const QUESTION_WITHIN: Duration = Duration::from_millis(4000 + 1500);
const SALE_WITHIN: Duration = Duration::from_millis(5000 + 1500);

fn reservation(name: &str) -> Reservation {
    Reservation {
        token: new_reservation_token(),
        account: BOB,
        name: ConferenceName::new(name),
        max_participants: 10,
        starts_at: NOW.plus_minutes(10),
        duration_minutes: 30,
        divert: None,
        title: None,
        guests: Vec::new(),
        sequence: 0,
        series: None,
    }
}

async fn reserve(store: &Store, reservation: &Reservation) -> Result<(), ReserveError> {
    store.reserve(reservation, 1000, 5, NOW).await
}

async fn open(url: &str) -> Store {
    let store = Store::open_at(&url.parse().unwrap()).await.unwrap();
    if store.list_accounts().await.unwrap().is_empty() {
        store.create_account_login("1-2-0/bob@example.com").await.unwrap();
        store.put_service(BOB, "board", &json!({ "conference": { "name": "Board" } })).await.unwrap();
    }
    store
}

/// Questions, sales and changes are refused in time, none behind another.
async fn assert_away(store: &Store, way: &str) {
    let began = Instant::now();
    let question = async {
        let refused = store.match_service("board").await.unwrap_err();
        assert!(refused.is_unavailable(), "{way}: {refused:?}");
        began.elapsed()
    };
    let change = async {
        let refused =
            support::put_sip_user(store, BOB, "desk", "plenary", "correct horse").await.unwrap_err();
        assert!(refused.to_string().contains("cannot be used right now"), "{way}: {refused:?}");
        began.elapsed()
    };
    let sales = async {
        // Some come while others are under way.
        let sales = (0..4).map(|number| {
            let (store, reservation) = (store.clone(), reservation(&format!("Away{number}")));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(300 * number)).await;
                let asked = Instant::now();
                (reserve(&store, &reservation).await, asked.elapsed())
            })
        });
        for sale in sales.collect::<Vec<_>>() {
            let (refused, took) = sale.await.unwrap();
            let is_away = matches!(&refused, Err(ReserveError::Store(error)) if error.is_unavailable());
            assert!(is_away, "{way}: {refused:?}");
            assert!(took < SALE_WITHIN, "{way}: a sale took {took:?}");
        }
    };
    let (asked, changed, ()) = tokio::join!(question, change, sales);
    assert!(asked < QUESTION_WITHIN, "{way}: a question took {asked:?}");
    assert!(changed < QUESTION_WITHIN, "{way}: a change took {changed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_while_it_is_away_is_refused_in_time_and_works_again_when_it_is_back() {
    let mut postgres = Postgres::start();
    let store = open(&postgres.url()).await;
    let mut sold = 0;
    for (way, is_frozen, is_crash) in
        [("stopped", false, false), ("crashed", false, true), ("frozen", true, false)]
    {
        match (is_frozen, is_crash) {
            (true, _) => postgres.freeze(true),
            (false, true) => postgres.kill(),
            (false, false) => postgres.stop(),
        }
        assert_away(&store, way).await;
        if is_frozen {
            postgres.freeze(false)
        } else {
            postgres.start_again()
        }
        // By itself, with the same handle.
        assert!(store.match_service("board").await.unwrap().is_some(), "{way}");
        reserve(&store, &reservation(&format!("After{way}"))).await.unwrap();
        sold += 1;
        support::put_sip_user(&store, BOB, "desk", "plenary", "correct horse").await.unwrap();
        // What was refused is not there, or goes as soon as that is known.
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let made = store.open_reservations(NOW, 5).await.unwrap();
            if made.len() == sold && made.iter().all(|made| made.name.as_str().starts_with("After")) {
                break;
            }
            assert!(Instant::now() < deadline, "{way}: {made:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_restart_is_waited_for() {
    let mut postgres = Postgres::start();
    let store = open(&postgres.url()).await;
    // Connections that will be dead, in all pools.
    for number in 0..3 {
        reserve(&store, &reservation(&format!("Before{number}"))).await.unwrap();
    }
    postgres.stop();
    let asked = tokio::spawn({
        let store = store.clone();
        async move { store.match_service("board").await }
    });
    let sold = tokio::spawn({
        let store = store.clone();
        async move { reserve(&store, &reservation("During")).await }
    });
    postgres.start_again();
    assert!(asked.await.unwrap().unwrap().is_some());
    sold.await.unwrap().unwrap();
}

/// Stands between the store and the server, and may lose the answer to a commit.
struct Middle {
    folder: tempfile::TempDir,
    /// The answer to the next commit is lost.
    loses: Arc<AtomicBool>,
    /// No connection gets through until this is taken back.
    closes: Arc<AtomicBool>,
    is_closed: Arc<AtomicBool>,
    lost: Arc<AtomicU32>,
}

impl Middle {
    fn before(postgres: &Postgres) -> Self {
        let middle = Self {
            folder: tempfile::tempdir().unwrap(),
            loses: Arc::default(),
            closes: Arc::default(),
            is_closed: Arc::default(),
            lost: Arc::default(),
        };
        let listener = UnixListener::bind(middle.folder.path().join(".s.PGSQL.5432")).unwrap();
        let server = postgres.url().split_once("host=").unwrap().1.to_owned();
        let (loses, closes, is_closed, lost) =
            (middle.loses.clone(), middle.closes.clone(), middle.is_closed.clone(), middle.lost.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if is_closed.load(SeqCst) {
                    continue;
                }
                let server = UnixStream::connect(Path::new(&server).join(".s.PGSQL.5432")).await.unwrap();
                let (loses, closes, is_closed, lost) =
                    (loses.clone(), closes.clone(), is_closed.clone(), lost.clone());
                tokio::spawn(async move {
                    if pass(client, server, &loses, &is_closed).await.is_none() {
                        if closes.load(SeqCst) {
                            is_closed.store(true, SeqCst);
                        }
                        lost.fetch_add(1, SeqCst);
                    }
                });
            }
        });
        middle
    }

    fn url(&self) -> String {
        format!("postgres://plenary@localhost/plenary?host={}", self.folder.path().display())
    }
}

/// Passes on what either says. `None`: an answer to a commit was lost.
async fn pass(
    mut client: UnixStream,
    mut server: UnixStream,
    loses: &AtomicBool,
    is_closed: &AtomicBool,
) -> Option<()> {
    let (mut asked, mut said) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let length = read.ok().filter(|length| *length > 0 && !is_closed.load(SeqCst));
                let Some(length) = length else { return Some(()) };
                server.write_all(&asked[..length]).await.ok()?;
                // Not the one of READ COMMITTED: as a statement it ends there.
                let is_commit = asked[..length].windows(7).any(|seven| seven == b"COMMIT\0");
                if is_commit && loses.swap(false, SeqCst) {
                    // It has been done when the server says so.
                    let _ = server.read(&mut said).await;
                    return None;
                }
            }
            read = server.read(&mut said) => {
                let Some(length) = read.ok().filter(|length| *length > 0) else { return Some(()) };
                if client.write_all(&said[..length]).await.is_err() {
                    return Some(());
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_an_answer_is_asked_for() {
    let postgres = Postgres::start();
    let middle = Middle::before(&postgres);
    let store = open(&middle.url()).await;
    let first = reservation("First");
    middle.loses.store(true, SeqCst);
    reserve(&store, &first).await.unwrap();
    assert_eq!(middle.lost.load(SeqCst), 1, "the answer was lost");
    assert_eq!(
        store.open_reservations(NOW, 5).await.unwrap(),
        std::slice::from_ref(&first),
        "it is there once"
    );
    let taken = reserve(&store, &reservation("First")).await;
    assert!(matches!(taken, Err(ReserveError::NameTaken)), "{taken:?}");

    middle.loses.store(true, SeqCst);
    store.extend(&first.token, 45, 1000).await.unwrap();
    assert_eq!(store.open_reservations(NOW, 5).await.unwrap()[0].duration_minutes, 45);
    middle.loses.store(true, SeqCst);
    assert!(store.remove(&first.token, 1000).await.unwrap());
    assert_eq!(middle.lost.load(SeqCst), 3);
    assert_eq!(store.open_reservations(NOW, 5).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_in_doubt_is_refused_and_taken_back() {
    let postgres = Postgres::start();
    let middle = Middle::before(&postgres);
    let store = open(&middle.url()).await;
    let other = open(&postgres.url()).await;
    middle.closes.store(true, SeqCst);
    middle.loses.store(true, SeqCst);
    let began = Instant::now();
    let refused = reserve(&store, &reservation("Doubtful")).await;
    let is_away = matches!(&refused, Err(ReserveError::Store(error)) if error.is_unavailable());
    assert!(is_away, "{refused:?}");
    assert!(began.elapsed() < SALE_WITHIN, "{:?}", began.elapsed());
    assert_eq!(other.open_reservations(NOW, 5).await.unwrap().len(), 1, "it was made");

    middle.is_closed.store(false, SeqCst);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !other.open_reservations(NOW, 5).await.unwrap().is_empty() {
        assert!(Instant::now() < deadline, "it is taken back without another request");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    reserve(&store, &reservation("Doubtful")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_stays_in_doubt_is_taken_back() {
    let postgres = Postgres::start();
    let middle = Middle::before(&postgres);
    let store = open(&middle.url()).await;
    let other = open(&postgres.url()).await;
    let before = reservation("Board");
    reserve(&store, &before).await.unwrap();
    let after = Reservation { title: Some("Weekly".to_owned()), duration_minutes: 60, ..before.clone() };
    middle.closes.store(true, SeqCst);
    middle.loses.store(true, SeqCst);
    let refused = store.change_reservation(&after, 1000).await;
    let is_away = matches!(&refused, Err(ReserveError::Store(error)) if error.is_unavailable());
    assert!(is_away, "{refused:?}");
    assert_eq!(other.open_reservations(NOW, 5).await.unwrap(), [after], "it was made");
    middle.is_closed.store(false, SeqCst);
    let deadline = Instant::now() + Duration::from_secs(20);
    while other.open_reservations(NOW, 5).await.unwrap() != [before.clone()] {
        assert!(Instant::now() < deadline, "it is taken back without another request");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_stays_in_doubt_is_taken_back() {
    let postgres = Postgres::start();
    let middle = Middle::before(&postgres);
    let store = open(&middle.url()).await;
    let other = open(&postgres.url()).await;
    let (kept, lost) = (reservation("Board"), reservation("Tea"));
    let louder = StoredAudio { automatic_gain: Some(true), noise_suppression: None };
    for one in [&kept, &lost] {
        reserve(&store, one).await.unwrap();
        assert!(store.keep_sound(&AudioOwner::Reservation(one.token.clone()), louder).await.unwrap());
    }
    for (one, is_booked_meanwhile) in [(&kept, false), (&lost, true)] {
        middle.closes.store(true, SeqCst);
        middle.loses.store(true, SeqCst);
        let refused = store.remove(&one.token, 1000).await;
        assert!(matches!(&refused, Err(error) if error.is_unavailable()), "{refused:?}");
        let tokens = async || -> Vec<_> {
            let open = other.open_reservations(NOW, 5).await.unwrap();
            open.into_iter().map(|one| one.token).collect()
        };
        assert!(!tokens().await.contains(&one.token), "it was removed");
        let next = reservation(one.name.as_str());
        if is_booked_meanwhile {
            reserve(&other, &next).await.unwrap();
        }
        middle.is_closed.store(false, SeqCst);
        if is_booked_meanwhile {
            // The name has another reservation by now, which stays the only one.
            reserve(&store, &reservation("Later")).await.unwrap();
            let open = tokens().await;
            assert!(open.contains(&next.token) && !open.contains(&one.token), "{open:?}");
        } else {
            let deadline = Instant::now() + Duration::from_secs(20);
            while !tokens().await.contains(&one.token) {
                assert!(Instant::now() < deadline, "it is put back without another request");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let open = other.open_reservations(NOW, 5).await.unwrap();
            assert!(open.contains(one), "as it was: {open:?}");
            let sounds = other.reservation_sounds(NOW, 5).await.unwrap();
            assert!(sounds.contains(&(one.token.clone(), louder)), "with its audio settings: {sounds:?}");
        }
    }
}

/// What a batch makes of the number of changes is computed; if it were not the one in the database, what others sell could be
/// missed.
#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_changes_is_one_for_each_statement() {
    let postgres = Postgres::start();
    let store = open(&postgres.url()).await;
    let version = || postgres.execute("SELECT version FROM calendar").trim().parse::<i64>().unwrap();
    let began = version();
    let one = reservation("Board");
    reserve(&store, &one).await.unwrap();
    assert_eq!(version(), began + 1, "made");
    store
        .change_reservation(&Reservation { title: Some("Weekly".to_owned()), ..one.clone() }, 1000)
        .await
        .unwrap();
    assert_eq!(version(), began + 2, "changed, though in nothing that is sold");
    assert!(store.remove(&one.token, 1000).await.unwrap());
    assert_eq!(version(), began + 3, "removed");
    assert!(!store.remove(&one.token, 1000).await.unwrap());
    assert_eq!(version(), began + 3, "nothing was written");
}

/// What stands still while it holds the right to sell does not keep the others from selling.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_holds_the_lock_and_stands_still_is_ended() {
    let postgres = Postgres::start();
    let store = open(&postgres.url()).await;
    let other = open(&postgres.url()).await;
    reserve(&other, &reservation("First")).await.unwrap();
    // As the store begins a sale, in a session with the same limits.
    let url = postgres.url();
    let holder = tokio::task::spawn_blocking(move || {
        let holder = url.parse::<sqlx::postgres::PgConnectOptions>().unwrap();
        let holder = holder.options([("idle_in_transaction_session_timeout", "1000")]);
        tokio::runtime::Handle::current().block_on(async {
            use sqlx::{ConnectOptions, Executor};
            let mut holder = holder.connect().await.unwrap();
            holder.execute("BEGIN; SELECT pg_advisory_xact_lock(1347178073, 1)").await.unwrap();
            holder
        })
    });
    let _holder = holder.await.unwrap();
    let began = Instant::now();
    reserve(&store, &reservation("Second")).await.unwrap();
    assert!(began.elapsed() > Duration::from_millis(500), "it waited for the lock: {:?}", began.elapsed());
}

/// The request is dropped while the transaction begins: it has begun on the server, and must not hold its lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_not_waited_for_any_more_delays_no_other() {
    let postgres = Postgres::start();
    let store = open(&postgres.url()).await;
    for round in 0..5 {
        postgres.freeze(true);
        let change = support::put_sip_user(&store, BOB, "desk", "plenary", "correct horse");
        let left = tokio::time::timeout(Duration::from_millis(100), change).await;
        assert!(left.is_err(), "nothing is answered while it stands still: {left:?}");
        postgres.freeze(false);
        let began = Instant::now();
        support::put_sip_user(&store, BOB, "desk", "plenary", "battery staple").await.unwrap();
        assert!(began.elapsed() < Duration::from_millis(2500), "round {round}: {:?}", began.elapsed());
    }
}
