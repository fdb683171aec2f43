//! The database: SQLite in the data folder, or PostgreSQL. Both behind [`Base`], with one text for nearly every statement:
//! [`read!`] asks a question of either, [`within!`] does something inside a transaction of either.

mod location;
pub(crate) mod postgres;
pub(crate) mod sqlite;

pub use location::{Location, LocationError};
pub use sqlite::make_folder;

use crate::StoreError;
use plenary_conference::Timestamp;
use postgres::{Lock, Patience, PostgresBase};
use sqlite::SqliteBase;
use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection, Transaction};
use std::{
    borrow::Cow,
    time::{SystemTime, UNIX_EPOCH},
};

/// The connections, of one database or the other.
#[derive(Debug, Clone)]
pub(crate) enum Base {
    Sqlite(SqliteBase),
    Postgres(PostgresBase),
}

/// Asks a question outside of transactions: `read!(self.base, "doing so", |on| sqlx::query(…).fetch_all(on))`. The question is
/// written as one that does not change anything: where a connection to PostgreSQL turns out to be dead it is asked again.
macro_rules! read {
    ($base:expr, $doing:expr, |$on:ident| $ask:expr) => {
        match &$base {
            $crate::database::Base::Sqlite(base) => {
                let $on = &base.readers;
                $ask.await.map_err($crate::StoreError::when($doing))
            }
            $crate::database::Base::Postgres(base) => {
                let mut patience = base.patience();
                loop {
                    let $on = &base.readers;
                    match patience.bound($ask).await {
                        Ok(answer) => break Ok(answer),
                        Err(error) if patience.lasts(&error).await => {}
                        Err(error) => break Err($crate::StoreError::when($doing)(error)),
                    }
                }
            }
        }
    };
}
pub(crate) use read;

/// Does something inside a transaction ([`Write`]): `within!(transaction, "doing so", |on| sqlx::query(…).execute(on))`.
macro_rules! within {
    ($transaction:expr, $doing:expr, |$on:ident| $ask:expr) => {
        match $transaction.connection() {
            $crate::database::Connection::Sqlite($on) => $ask.await,
            $crate::database::Connection::Postgres($on, patience) => patience.bound($ask).await,
        }
        .map_err($crate::StoreError::when($doing))
    };
}
pub(crate) use within;

/// Changes rows inside a transaction, and says how many: `execute!(transaction, "doing so", sqlx::query(…).bind(…))`.
macro_rules! execute {
    ($transaction:expr, $doing:expr, $query:expr) => {
        match $transaction.connection() {
            $crate::database::Connection::Sqlite(on) => {
                $query.execute(on).await.map(|done| done.rows_affected())
            }
            $crate::database::Connection::Postgres(on, patience) => {
                patience.bound($query.execute(on)).await.map(|done| done.rows_affected())
            }
        }
        .map_err($crate::StoreError::when($doing))
    };
}
pub(crate) use execute;

/// A transaction that nothing else writes beside. Dropped without a commit, it changes nothing.
#[derive(Debug)]
pub(crate) enum Write {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>, Patience),
}

/// The connection of a [`Write`].
pub(crate) enum Connection<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection, &'a Patience),
}

impl Write {
    pub(crate) fn connection(&mut self) -> Connection<'_> {
        match self {
            Self::Sqlite(transaction) => Connection::Sqlite(&mut *transaction),
            Self::Postgres(transaction, patience) => Connection::Postgres(&mut *transaction, patience),
        }
    }

    /// Of two texts for one statement the one that this database understands.
    pub(crate) fn text(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(..) => postgres,
        }
    }

    /// Makes it last. `Ok`: it is on the disk. [`StoreError::Unconfirmed`]: it may be.
    pub(crate) async fn commit(self, doing: &'static str) -> Result<(), StoreError> {
        match self {
            // A file answers: what is not committed is taken back.
            Self::Sqlite(transaction) => transaction.commit().await.map_err(StoreError::when(doing)),
            Self::Postgres(transaction, patience) => {
                patience.bound(transaction.commit()).await.map_err(|source| {
                    match StoreError::when(doing)(source) {
                        StoreError::Unavailable { doing, source } => {
                            StoreError::Unconfirmed { doing, source }
                        }
                        error => error,
                    }
                })
            }
        }
    }
}

/// A database as [`Base::inspect`] finds it.
pub(crate) struct InspectedBase {
    pub(crate) base: Base,
    pub(crate) server: String,
    pub(crate) schema: usize,
    pub(crate) schema_known: usize,
    pub(crate) problems: Vec<String>,
}

impl Base {
    /// Opens a database and brings an older schema up to date.
    pub(crate) async fn open(location: &Location) -> Result<Self, StoreError> {
        Ok(match location {
            Location::Sqlite(file) => Self::Sqlite(SqliteBase::open(file).await?),
            Location::Postgres(url) => Self::Postgres(PostgresBase::open(url).await?),
        })
    }

    /// Opens a database that is there, and leaves it as it is.
    pub(crate) async fn inspect(location: &Location) -> Result<InspectedBase, StoreError> {
        match location {
            Location::Sqlite(file) => sqlite::inspect(file).await,
            Location::Postgres(url) => postgres::inspect(url).await,
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(base) => base.close().await,
            Self::Postgres(base) => base.close().await,
        }
    }

    /// A transaction that sees what there is at this moment, as long as it takes, and changes nothing.
    pub(crate) async fn snapshot(&self, doing: &'static str) -> Result<Write, StoreError> {
        match self {
            Self::Sqlite(base) => {
                base.readers.begin_with("BEGIN").await.map(Write::Sqlite).map_err(StoreError::when(doing))
            }
            Self::Postgres(base) => {
                let (transaction, patience) = base.write(doing, Lock::Snapshot).await?;
                Ok(Write::Postgres(transaction, patience))
            }
        }
    }

    pub(crate) async fn write(&self, doing: &'static str, lock: Lock) -> Result<Write, StoreError> {
        match self {
            Self::Sqlite(base) => base.write(doing).await.map(Write::Sqlite),
            Self::Postgres(base) => {
                let (transaction, patience) = base.write(doing, lock).await?;
                Ok(Write::Postgres(transaction, patience))
            }
        }
    }

    /// Of two texts for one statement the one that this database understands.
    pub(crate) fn text(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }
}

/// Whether a text can be in the database at all: PostgreSQL knows no NUL, and what cannot be there is not looked for.
pub(crate) fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

/// A text as the database can hold it, without NUL: for what others say and we only write down.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if is_storable(text) { Cow::Borrowed(text) } else { Cow::Owned(text.replace('\0', "")) }
}

/// Texts as one that statements take: `IN (SELECT value FROM json_each($1))` in SQLite, `= ANY (ARRAY (SELECT
/// json_array_elements_text($1::json)))` in PostgreSQL.
pub(crate) fn list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().filter(|text| is_storable(text)).collect::<serde_json::Value>().to_string()
}

/// Calendar time, for the columns that say when something was written.
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// Unguessable bytes.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel's generator does not fail once the system has started");
    bytes
}
