//! SQLite: one file, opened, checked, brought up to date.

use super::{Base, InspectedBase};
use crate::{StoreError, error::result_code};
use sqlx::{
    AssertSqlSafe, Connection, Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// SQLite's `application_id` of our files: "PLNY". Another program's database is never touched.
const APPLICATION_ID: i64 = 0x504C_4E59;

/// The schema, step by step; the file's `user_version` says how many have been taken. Released steps never change.
pub(crate) const MIGRATIONS: [&str; 38] = [
    include_str!("../../migrations/sqlite/0001_accounts.sql"),
    include_str!("../../migrations/sqlite/0002_inbound_services.sql"),
    include_str!("../../migrations/sqlite/0003_reservations.sql"),
    include_str!("../../migrations/sqlite/0004_calls.sql"),
    include_str!("../../migrations/sqlite/0005_users.sql"),
    include_str!("../../migrations/sqlite/0006_dialogs.sql"),
    include_str!("../../migrations/sqlite/0007_trunks.sql"),
    include_str!("../../migrations/sqlite/0008_sounds.sql"),
    include_str!("../../migrations/sqlite/0009_webrtc_keys.sql"),
    include_str!("../../migrations/sqlite/0010_numbers.sql"),
    include_str!("../../migrations/sqlite/0011_calendar.sql"),
    include_str!("../../migrations/sqlite/0012_keys.sql"),
    include_str!("../../migrations/sqlite/0013_bookings.sql"),
    include_str!("../../migrations/sqlite/0014_changes.sql"),
    include_str!("../../migrations/sqlite/0015_idempotent_answers.sql"),
    include_str!("../../migrations/sqlite/0016_rooms.sql"),
    include_str!("../../migrations/sqlite/0017_media.sql"),
    include_str!("../../migrations/sqlite/0018_recordings.sql"),
    include_str!("../../migrations/sqlite/0019_recording_days.sql"),
    include_str!("../../migrations/sqlite/0020_history.sql"),
    include_str!("../../migrations/sqlite/0021_audit.sql"),
    include_str!("../../migrations/sqlite/0022_events.sql"),
    include_str!("../../migrations/sqlite/0023_webhooks.sql"),
    include_str!("../../migrations/sqlite/0024_people.sql"),
    include_str!("../../migrations/sqlite/0025_sessions.sql"),
    include_str!("../../migrations/sqlite/0026_audit_with_changes.sql"),
    include_str!("../../migrations/sqlite/0027_personal_data.sql"),
    include_str!("../../migrations/sqlite/0028_usage.sql"),
    include_str!("../../migrations/sqlite/0029_leader_links.sql"),
    include_str!("../../migrations/sqlite/0030_account_limits.sql"),
    include_str!("../../migrations/sqlite/0031_calendar_entries.sql"),
    include_str!("../../migrations/sqlite/0032_mails.sql"),
    include_str!("../../migrations/sqlite/0033_call_samples.sql"),
    include_str!("../../migrations/sqlite/0034_identities.sql"),
    include_str!("../../migrations/sqlite/0035_guest_links.sql"),
    include_str!("../../migrations/sqlite/0036_deleted_recordings.sql"),
    include_str!("../../migrations/sqlite/0037_serving.sql"),
    include_str!("../../migrations/sqlite/0038_permitted_sources.sql"),
];

/// Questions that can be answered at the same time. They take microseconds each.
const READERS_MAX: u32 = 4;

/// How long to wait for another process that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for a connection of our own: one turn of a writer that waits, and some.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(15);

/// The file, with the connections to it.
#[derive(Debug, Clone)]
pub(crate) struct SqliteBase {
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
    file: Arc<OpenFile>,
}

/// The database file as it was opened.
#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    /// Device and number of the file, where the system has such.
    identity: Option<(u64, u64)>,
}

impl OpenFile {
    fn of(path: PathBuf) -> Self {
        let identity = identity(&path);
        Self { path, identity }
    }

    /// The file under this name is still the open one. What is written to a file without a name is lost: it is gone
    /// with the process.
    fn is_in_place(&self) -> bool {
        self.identity.is_none() || identity(&self.path) == self.identity
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Path) -> Option<(u64, u64)> {
    None
}

impl SqliteBase {
    /// Opens the file, making it and its folder when missing and bringing an older schema up to date. Several processes may
    /// do so at once.
    pub(crate) async fn open(file: &Path) -> Result<Self, StoreError> {
        let data_dir = folder_of(file);
        make_folder(data_dir)?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = || {
            SqlitePoolOptions::new()
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .idle_timeout(None)
                .max_lifetime(None)
                // A file does not hang up.
                .test_before_acquire(false)
                // Where the disk is full SQLite takes a transaction back by itself, and the connection never gets out of the
                // one that it believes to be in. Then it is closed, and the next to write gets another.
                .after_release(|connection, _| {
                    Box::pin(async move {
                        // Answered behind whatever is still being taken back.
                        connection.ping().await?;
                        Ok(!connection.is_in_transaction())
                    })
                })
        };

        let writer = pool().max_connections(1).connect_lazy_with(options.clone());
        if let Err(error) = bring_up_to_date(&writer, file).await {
            writer.close().await;
            return Err(explain(error, data_dir, file));
        }
        let readers =
            pool().max_connections(READERS_MAX).connect_lazy_with(options.pragma("query_only", "ON"));
        Ok(Self { writer, readers, file: Arc::new(OpenFile::of(file.to_owned())) })
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// A transaction that holds the right to write from its first statement on.
    pub(crate) async fn write(
        &self,
        doing: &'static str,
    ) -> Result<Transaction<'static, Sqlite>, StoreError> {
        if !self.file.is_in_place() {
            return Err(StoreError::FileGone { path: self.file.path.clone() });
        }
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(StoreError::when(doing))
    }
}

/// Opens a file that is there as it is, and looks for damage.
pub(super) async fn inspect(file: &Path) -> Result<InspectedBase, StoreError> {
    let data_dir = folder_of(file);
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(BUSY_TIMEOUT);
    let pool =
        SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options.pragma("query_only", "ON"));
    let looked = async {
        let doing = "looking it over";
        let mut connection = pool.acquire().await.map_err(StoreError::when(doing))?;
        let schema = steps_taken(&mut connection, file).await?;
        let version: String = sqlx::query_scalar("SELECT sqlite_version()")
            .fetch_one(&mut *connection)
            .await
            .map_err(StoreError::when(doing))?;
        let mut problems: Vec<String> = sqlx::query_scalar("PRAGMA quick_check(20)")
            .fetch_all(&mut *connection)
            .await
            .map_err(StoreError::when(doing))?;
        problems.retain(|said| said != "ok");
        let astray: Vec<(String, Option<i64>, String)> =
            sqlx::query_as("SELECT \"table\", rowid, parent FROM pragma_foreign_key_check LIMIT 20")
                .fetch_all(&mut *connection)
                .await
                .map_err(StoreError::when(doing))?;
        problems.extend(astray.into_iter().map(|(table, _, parent)| {
            format!("a row of {table} refers to a row of {parent} that is not there")
        }));
        Ok((schema, format!("SQLite {version}"), problems))
    };
    match looked.await {
        Ok((schema, server, problems)) => Ok(InspectedBase {
            base: Base::Sqlite(SqliteBase {
                writer: pool.clone(),
                readers: pool,
                file: Arc::new(OpenFile::of(file.to_owned())),
            }),
            server,
            schema,
            schema_known: MIGRATIONS.len(),
            problems,
        }),
        Err(error) => {
            pool.close().await;
            Err(explain(error, data_dir, file))
        }
    }
}

/// The folder that a file is in.
fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes the data folder where it is missing. It will hold hashes of keys and tokens: no other user of the machine may read it.
///
/// # Errors
/// [`StoreError::Folder`], [`StoreError::ReadOnly`].
pub fn make_folder(path: &Path) -> Result<(), StoreError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| match source.kind() {
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            StoreError::ReadOnly { path: path.to_owned() }
        }
        _ => StoreError::Folder { path: path.to_owned(), source },
    })
}

async fn bring_up_to_date(writer: &SqlitePool, file: &Path) -> Result<(), StoreError> {
    let opening = "opening it";
    // Switching a new file to WAL is the one moment in which SQLite reports BUSY without waiting.
    let deadline = Instant::now() + BUSY_TIMEOUT;
    let mut connection = loop {
        match writer.acquire().await {
            Ok(connection) => break connection,
            Err(error) if result_code(&error) == Some(5) && Instant::now() < deadline => {
                sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(StoreError::when(opening)(error)),
        }
    };
    // Asked without a lock first: opening an up-to-date file must not wait for a writer.
    if steps_taken(&mut connection, file).await? == MIGRATIONS.len() {
        return Ok(());
    }

    let updating = "bringing its schema up to date";
    let mut step = connection.begin_with("BEGIN IMMEDIATE").await.map_err(StoreError::when(updating))?;
    let taken = steps_taken(&mut step, file).await?;
    for sql in &MIGRATIONS[taken..] {
        sqlx::raw_sql(*sql).execute(&mut *step).await.map_err(StoreError::when(updating))?;
    }
    let stamp =
        format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};", MIGRATIONS.len());
    sqlx::raw_sql(AssertSqlSafe(stamp)).execute(&mut *step).await.map_err(StoreError::when(updating))?;
    step.commit().await.map_err(StoreError::when(updating))
}

/// How many of [`MIGRATIONS`] the file has seen: none if it is empty.
async fn steps_taken(connection: &mut SqliteConnection, file: &Path) -> Result<usize, StoreError> {
    // One statement, so that all three are of one moment.
    let (application, version, tables): (i64, i64, i64) = sqlx::query_as(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
         FROM pragma_application_id, pragma_user_version",
    )
    .fetch_one(connection)
    .await
    .map_err(StoreError::when("reading its schema version"))?;
    match application {
        APPLICATION_ID => {}
        0 if version == 0 && tables == 0 => return Ok(0),
        _ => return Err(StoreError::NotADatabase { path: file.to_owned() }),
    }
    usize::try_from(version).ok().filter(|taken| *taken <= MIGRATIONS.len()).ok_or_else(|| {
        StoreError::NewerSchema { path: file.to_owned(), found: version, known: MIGRATIONS.len() as i64 }
    })
}

/// Turns SQLite's word for a file that can't be used into something to do about it.
fn explain(error: StoreError, data_dir: &Path, file: &Path) -> StoreError {
    let (StoreError::Unavailable { source, .. } | StoreError::Database { source, .. }) = &error else {
        return error;
    };
    match result_code(source) {
        // READONLY, CANTOPEN
        Some(8 | 14) => StoreError::ReadOnly { path: data_dir.to_owned() },
        // CORRUPT, NOTADB
        Some(11 | 26) => StoreError::NotADatabase { path: file.to_owned() },
        _ => error,
    }
}
