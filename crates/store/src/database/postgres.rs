//! PostgreSQL: reached, checked, brought up to date, and given up on in good time.
//!
//! The server may go away and come back at any time. A question is asked again over another connection until [`PATIENCE`]
//! is over; a change is begun again, but what was begun is not: it ends as [`StoreError::Unavailable`], or, where the answer
//! to the commit did not come, as [`StoreError::Unconfirmed`].

use super::{Base, InspectedBase};
use crate::StoreError;
use sqlx::{
    PgConnection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The schema, step by step; the table `plenary_schema` says how many have been taken. Released steps never change.
pub(crate) const MIGRATIONS: [&str; 28] = [
    include_str!("../../migrations/postgres/0001_schema.sql"),
    include_str!("../../migrations/postgres/0002_keys.sql"),
    include_str!("../../migrations/postgres/0003_bookings.sql"),
    include_str!("../../migrations/postgres/0004_changes.sql"),
    include_str!("../../migrations/postgres/0005_idempotent_answers.sql"),
    include_str!("../../migrations/postgres/0006_rooms.sql"),
    include_str!("../../migrations/postgres/0007_media.sql"),
    include_str!("../../migrations/postgres/0008_recordings.sql"),
    include_str!("../../migrations/postgres/0009_recording_days.sql"),
    include_str!("../../migrations/postgres/0010_history.sql"),
    include_str!("../../migrations/postgres/0011_audit.sql"),
    include_str!("../../migrations/postgres/0012_events.sql"),
    include_str!("../../migrations/postgres/0013_webhooks.sql"),
    include_str!("../../migrations/postgres/0014_people.sql"),
    include_str!("../../migrations/postgres/0015_sessions.sql"),
    include_str!("../../migrations/postgres/0016_audit_with_changes.sql"),
    include_str!("../../migrations/postgres/0017_personal_data.sql"),
    include_str!("../../migrations/postgres/0018_usage.sql"),
    include_str!("../../migrations/postgres/0019_leader_links.sql"),
    include_str!("../../migrations/postgres/0020_account_limits.sql"),
    include_str!("../../migrations/postgres/0021_calendar_entries.sql"),
    include_str!("../../migrations/postgres/0022_mails.sql"),
    include_str!("../../migrations/postgres/0023_call_samples.sql"),
    include_str!("../../migrations/postgres/0024_identities.sql"),
    include_str!("../../migrations/postgres/0025_guest_links.sql"),
    include_str!("../../migrations/postgres/0026_deleted_recordings.sql"),
    include_str!("../../migrations/postgres/0027_serving.sql"),
    include_str!("../../migrations/postgres/0028_permitted_sources.sql"),
];

/// How long a question or a change may take in all: reconnecting, waiting for others, and the work itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(4);

/// How long what takes long may take.
const UNLIMITED: Duration = Duration::from_secs(24 * 3600);

/// What the server does by itself with a session that got stuck, a bit later than we give up: in milliseconds.
const SESSION_LIMITS: [(&str, &str); 3] = [
    ("statement_timeout", "5000"),
    ("lock_timeout", "4000"),
    // A process that stands still while it holds the right to sell must not keep the others from it.
    ("idle_in_transaction_session_timeout", "5000"),
];

/// How long a connection that comes back from work may take to show that it is well.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// How long after an answer that was not waited for connections are looked at when they come back.
const SUSPICION: Duration = Duration::from_secs(60);

/// Connections for questions, and for changes: sales, call records, settings.
const READERS_MAX: u32 = 8;
const WRITERS_MAX: u32 = 4;

/// For what takes as long as there are rows.
macro_rules! unlimited {
    () => {
        "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
    };
}

/// Who waits for whom. The first half of the keys is ours (`PLNY`), for other programs may lock in the same database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Bookings: one transaction at a time, over all processes, reads which seats are free and books them.
    Bookings,
    /// Names, keys, settings: checked and written by one at a time.
    Settings,
    /// Rows that stay right beside other writers.
    Nothing,
    /// Both, for as long as it takes.
    Everything,
    /// Nothing, and nothing is written; what is read is of one moment, however long it takes.
    Snapshot,
}

impl Lock {
    /// The beginning of a transaction that holds the lock. READ COMMITTED, whatever the default of the database is: what is
    /// read after the lock was got must not be older than the lock.
    fn begin(self) -> &'static str {
        match self {
            Self::Bookings => {
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock(1347178073, 1)"
            }
            Self::Settings => {
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock(1347178073, 2)"
            }
            Self::Nothing => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
            Self::Everything => concat!(
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; ",
                "SELECT pg_advisory_xact_lock(1347178073, 1), pg_advisory_xact_lock(1347178073, 2); ",
                unlimited!()
            ),
            Self::Snapshot => {
                concat!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ", unlimited!())
            }
        }
    }
}

/// Taken for the time of a migration.
const MIGRATE: &str = "SELECT pg_advisory_xact_lock(1347178073, 3)";

/// The database, with the connections to it.
#[derive(Debug, Clone)]
pub(crate) struct PostgresBase {
    pub(crate) writers: PgPool,
    pub(crate) readers: PgPool,
    abandoned: Abandoned,
}

/// When an answer was last not waited for: time was up, or the request was dropped. A transaction may have begun on that
/// connection unnoticed, and hold its lock.
#[derive(Debug, Clone, Default)]
struct Abandoned(Arc<Mutex<Option<Instant>>>);

impl Abandoned {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Connections that come back are not trusted: it was only just.
    fn is_recent(&self) -> bool {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| last.elapsed() < SUSPICION)
    }
}

/// Notes that an answer was not waited for, unless it came.
struct Asking<'a> {
    abandoned: &'a Abandoned,
    is_answered: bool,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.abandoned.note();
        }
    }
}

/// How long something goes on that needs the server.
#[derive(Debug)]
pub(crate) struct Patience {
    deadline: Instant,
    pause: Duration,
    abandoned: Abandoned,
}

impl Patience {
    fn new(abandoned: Abandoned) -> Self {
        Self { deadline: Instant::now() + PATIENCE, pause: Duration::from_millis(5), abandoned }
    }

    /// Waits for an answer, as long as there is patience.
    pub(crate) async fn bound<T>(
        &self,
        answer: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let mut answer = pin!(timeout_at(self.deadline, answer));
        // Dropped before the question is, whose connection then goes back to the pool: it is looked at there.
        let mut asking = Asking { abandoned: &self.abandoned, is_answered: false };
        let Ok(answer) = answer.as_mut().await else { return Err(sqlx::Error::PoolTimedOut) };
        asking.is_answered = true;
        answer
    }

    /// Whether to ask again after this error: after a while, over another connection.
    pub(crate) async fn lasts(&mut self, error: &sqlx::Error) -> bool {
        let again = Instant::now() + self.pause;
        if !is_disconnected(error) || again >= self.deadline {
            return false;
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(Duration::from_millis(250));
        true
    }
}

/// The connection is dead, or was refused for now; another one may not be.
fn is_disconnected(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        // Connection exceptions; shut down, crashed, starting; all its connections taken.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08") || matches!(&*code, "57P01" | "57P02" | "57P03" | "53300")
        }),
        _ => false,
    }
}

impl PostgresBase {
    /// Opens the database and brings an older schema up to date. Several processes may do so at once.
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        let options = options(url)?;
        let mut connection = connect(&options).await?;
        bring_up_to_date(&mut connection, &options).await?;
        let _ = sqlx::Connection::close(connection).await;
        Ok(Self::of(options))
    }

    fn of(options: PgConnectOptions) -> Self {
        let options = options.options(SESSION_LIMITS);
        let abandoned = Abandoned::default();
        let pool = |most: u32| {
            let abandoned = abandoned.clone();
            PgPoolOptions::new()
                .max_connections(most)
                .acquire_timeout(PATIENCE)
                // Questions are asked again where it was dead; a check before each would cost as much as the question.
                .test_before_acquire(false)
                .after_connect(|connection, _| {
                    Box::pin(async move {
                        // What was answered with success is on the disk, whatever the default of the database is.
                        sqlx::query(
                            "SELECT set_config('synchronous_commit', 'on', false)
                             WHERE current_setting('synchronous_commit') = 'off'",
                        )
                        .execute(connection)
                        .await
                        .map(drop)
                    })
                })
                .after_release(move |connection, _| {
                    let is_suspect = abandoned.is_recent();
                    Box::pin(async move {
                        if !is_suspect {
                            return Ok(true);
                        }
                        // What was given up on may still be under way, and begin a transaction: then both times differ. A
                        // server that cannot be heard must not keep places in the pool.
                        let check =
                            sqlx::query_scalar("SELECT now() = statement_timestamp()").fetch_one(connection);
                        timeout(CHECK_TIMEOUT, check).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
                    })
                })
                .connect_lazy_with(options.clone())
        };
        let (writers, readers) = (pool(WRITERS_MAX), pool(READERS_MAX));
        Self { writers, readers, abandoned }
    }

    pub(crate) async fn close(&self) {
        // A server that cannot be heard would be waited for.
        let _ = timeout(CHECK_TIMEOUT, self.readers.close()).await;
        let _ = timeout(CHECK_TIMEOUT, self.writers.close()).await;
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience::new(self.abandoned.clone())
    }

    /// Begins a transaction and waits for its lock.
    pub(crate) async fn write(
        &self,
        doing: &'static str,
        lock: Lock,
    ) -> Result<(Transaction<'static, Postgres>, Patience), StoreError> {
        let mut patience = self.patience();
        loop {
            match patience.bound(self.writers.begin_with(lock.begin())).await {
                Ok(transaction) => {
                    if matches!(lock, Lock::Everything | Lock::Snapshot) {
                        patience.deadline = Instant::now() + UNLIMITED;
                    }
                    return Ok((transaction, patience));
                }
                Err(error) if patience.lasts(&error).await => {}
                Err(error) => return Err(StoreError::when(doing)(error)),
            }
        }
    }
}

/// What a URL says.
pub(crate) fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options: PgConnectOptions = url.parse().map_err(|source| StoreError::connect("its URL", source))?;
    Ok(match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("plenary"),
    })
}

/// Which database it is, for people; without its password.
pub(crate) fn shown(options: &PgConnectOptions) -> String {
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let database = options.get_database().unwrap_or(options.get_username());
    format!("the database {database} at {place}")
}

/// A connection of its own, without limits to what it does. A server that is only just starting is waited for.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, StoreError> {
    use sqlx::ConnectOptions;
    let mut patience = Patience::new(Abandoned::default());
    loop {
        match patience.bound(options.connect()).await {
            Ok(connection) => return Ok(connection),
            Err(error) if patience.lasts(&error).await => {}
            Err(error) => return Err(StoreError::connect(shown(options), error)),
        }
    }
}

/// Opens a database as it is, and looks at what may lose something.
pub(super) async fn inspect(url: &str) -> Result<InspectedBase, StoreError> {
    let options = options(url)?;
    let mut connection = connect(&options).await?;
    let schema = steps_taken(&mut connection, &options).await?;
    let setting = "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('full_page_writes'),
            current_setting('server_encoding'), pg_is_in_recovery(),
            coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)";
    let (version, fsync, full_page_writes, encoding, is_standby, may_create): (
        String,
        String,
        String,
        String,
        bool,
        bool,
    ) = sqlx::query_as(setting)
        .fetch_one(&mut connection)
        .await
        .map_err(StoreError::when("looking it over"))?;
    let _ = sqlx::Connection::close(connection).await;
    let mut problems = Vec::new();
    if fsync == "off" || full_page_writes == "off" {
        problems.push(
            "fsync or full_page_writes is off: what was answered with success may be lost when the machine fails".to_owned(),
        );
    }
    if encoding != "UTF8" {
        problems.push(format!("its encoding is {encoding}: names need UTF8"));
    }
    if is_standby {
        problems.push("it is a standby, which takes no changes: name the primary".to_owned());
    }
    if !may_create {
        problems.push("this user may not make tables in it: the user has to own the database".to_owned());
    }
    Ok(InspectedBase {
        base: Base::Postgres(PostgresBase::of(options)),
        server: format!("PostgreSQL {version}"),
        schema,
        schema_known: MIGRATIONS.len(),
        problems,
    })
}

/// How many of [`MIGRATIONS`] the database has seen: none if it is empty.
pub(crate) async fn steps_taken(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<usize, StoreError> {
    let doing = "reading its schema version";
    let (is_ours, tables): (bool, i64) = sqlx::query_as(
        "SELECT to_regclass('plenary_schema') IS NOT NULL,
                (SELECT count(*) FROM pg_tables WHERE schemaname = current_schema())",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(StoreError::when(doing))?;
    if !is_ours {
        return if tables == 0 { Ok(0) } else { Err(StoreError::NotOurs { database: shown(options) }) };
    }
    let version: i64 = sqlx::query_scalar("SELECT version FROM plenary_schema")
        .fetch_one(connection)
        .await
        .map_err(StoreError::when(doing))?;
    usize::try_from(version).ok().filter(|taken| *taken <= MIGRATIONS.len()).ok_or_else(|| {
        StoreError::NewerSchema {
            path: shown(options).into(),
            found: version,
            known: MIGRATIONS.len() as i64,
        }
    })
}

async fn bring_up_to_date(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<(), StoreError> {
    use sqlx::Connection;
    // Asked without a lock first: opening an up-to-date schema waits for no lock.
    if steps_taken(connection, options).await? == MIGRATIONS.len() {
        return Ok(());
    }
    let updating = "bringing its schema up to date";
    let mut step = connection
        .begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
        .await
        .map_err(StoreError::when(updating))?;
    sqlx::raw_sql(MIGRATE).execute(&mut *step).await.map_err(StoreError::when(updating))?;
    let taken = steps_taken(&mut step, options).await?;
    for sql in &MIGRATIONS[taken..] {
        sqlx::raw_sql(*sql).execute(&mut *step).await.map_err(StoreError::when(updating))?;
    }
    let stamp = "CREATE TABLE IF NOT EXISTS plenary_schema (one BIGINT PRIMARY KEY CHECK (one = 1), version BIGINT NOT NULL)";
    sqlx::raw_sql(stamp).execute(&mut *step).await.map_err(StoreError::when(updating))?;
    sqlx::query(
        "INSERT INTO plenary_schema (one, version) VALUES (1, $1)
         ON CONFLICT (one) DO UPDATE SET version = excluded.version",
    )
    .bind(MIGRATIONS.len() as i64)
    .execute(&mut *step)
    .await
    .map_err(StoreError::when(updating))?;
    step.commit().await.map_err(StoreError::when(updating))
}
