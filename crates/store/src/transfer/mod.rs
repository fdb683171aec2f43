//! From one database to another: every row, checked by counting and hashing both sides before it lasts.

mod tables;

use crate::{
    Location, Store, StoreError,
    database::{Base, Connection, Write, postgres::Lock, within},
};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Row};
use tables::{Kind, TABLES, Table};
use thiserror::Error;

const READING: &str = "reading what is to be copied";
const WRITING: &str = "writing the copy";

/// A value of a row. Absent ones keep their kind: PostgreSQL wants to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Integer(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Flag(Option<bool>),
}

impl Value {
    /// Adds it to a hash, so that no two rows look alike: its kind, its length, its bytes.
    fn digest(&self, hash: &mut Sha256) {
        let mut add = |kind: u8, bytes: Option<&[u8]>| {
            hash.update([kind, u8::from(bytes.is_some())]);
            let bytes = bytes.unwrap_or_default();
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        match self {
            Self::Integer(value) => add(0, value.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice)),
            Self::Text(value) => add(1, value.as_deref().map(str::as_bytes)),
            Self::Bytes(value) => add(2, value.as_deref()),
            Self::Flag(value) => {
                add(3, value.map(|value| [u8::from(value)]).as_ref().map(<[u8; 1]>::as_slice))
            }
        }
    }

    /// PostgreSQL cannot hold it.
    fn has_nul(&self) -> bool {
        matches!(self, Self::Text(Some(text)) if text.contains('\0'))
    }
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyProgress {
    /// The table that is being copied.
    pub table: &'static str,
    /// Its rows that are copied.
    pub rows: u64,
    /// All of them.
    pub of: u64,
}

/// A table that was copied, and found to be the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedTable {
    /// Its name.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// SHA-256 of all of them, in the order of their keys.
    pub sha256: [u8; 32],
}

/// Why a copy was not made. The target is as it was.
#[derive(Debug, Error)]
pub enum CopyError {
    /// Source and target are one database.
    #[error("--from and --to name the same database, {location}")]
    Same {
        /// The database that both name.
        location: Location,
    },
    /// There is nothing to copy from.
    #[error("there is no database of Plenary at {location}")]
    NoSource {
        /// Where it was looked for.
        location: Location,
    },
    /// One of them is of an older version, which a copy would bring up to date: that version would not take it any more.
    #[error(
        "the schema of {location} is older than this version ({schema} of {schema_known}); nothing was changed. Bring it up to date first: `plenary database migrate`"
    )]
    OldSchema {
        /// The database that is older.
        location: Location,
        /// Its schema.
        schema: usize,
        /// That of this version.
        schema_known: usize,
    },
    /// The target is in use.
    #[error(
        "{location} is not empty (rows in its table {table}: {rows}). A copy goes into an empty database only; nothing was changed. Name another one, or empty this one first"
    )]
    NotEmpty {
        /// The target.
        location: Location,
        /// The first table with rows.
        table: &'static str,
        /// Its rows.
        rows: u64,
    },
    /// A text has a NUL, which PostgreSQL does not hold.
    #[error(
        "a row of {table} has the character NUL in its column {column}, which PostgreSQL cannot hold; nothing was copied"
    )]
    Nul {
        /// The table with the row.
        table: &'static str,
        /// The column of the text.
        column: &'static str,
    },
    /// What is read back is not what was read.
    #[error(
        "the copy of {table} differs from the original ({copied} rows of {rows}, or other contents); nothing was changed"
    )]
    Differs {
        /// The table that differs.
        table: &'static str,
        /// Rows of the source.
        rows: u64,
        /// Rows of the copy.
        copied: u64,
    },
    /// One of the databases failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Copies all that is in one database into another one that is empty, in one transaction: it is there as a whole or not at
/// all. What the source holds is of one moment; what changes there meanwhile is not copied.
///
/// # Errors
/// [`CopyError`].
pub async fn copy_database(
    from: &Location,
    to: &Location,
    mut progress: impl FnMut(CopyProgress),
) -> Result<Vec<CopiedTable>, CopyError> {
    if from == to {
        return Err(CopyError::Same { location: from.clone() });
    }
    if let Location::Sqlite(file) = from
        && !file.exists()
    {
        return Err(CopyError::NoSource { location: from.clone() });
    }
    if schema_now(from).await? == 0 {
        return Err(CopyError::NoSource { location: from.clone() });
    }
    if !matches!(to, Location::Sqlite(file) if !file.exists()) {
        schema_now(to).await?;
    }
    let source = Store::open_at(from).await?;
    let target = Store::open_at(to).await?;
    let mut reading = source.base.snapshot(READING).await?;
    let mut writing = target.base.write(WRITING, Lock::Everything).await?;
    for table in &TABLES {
        let rows = count(&mut writing, table).await?;
        if rows > 0 {
            return Err(CopyError::NotEmpty { location: to.clone(), table: table.name, rows });
        }
    }
    let mut copied = Vec::new();
    for table in &TABLES {
        copied.push(copy_table(&mut reading, &mut writing, table, &mut progress).await?);
    }
    writing.commit(WRITING).await?;
    drop(reading);
    source.close().await;
    target.close().await;
    Ok(copied)
}

/// The schema of a database that is looked at as it is; 0: it has none yet.
async fn schema_now(location: &Location) -> Result<usize, CopyError> {
    let looked = Base::inspect(location).await?;
    looked.base.close().await;
    let (schema, schema_known) = (looked.schema, looked.schema_known);
    if schema > 0 && schema < schema_known {
        return Err(CopyError::OldSchema { location: location.clone(), schema, schema_known });
    }
    Ok(schema)
}

async fn copy_table(
    reading: &mut Write,
    writing: &mut Write,
    table: &Table,
    progress: &mut impl FnMut(CopyProgress),
) -> Result<CopiedTable, CopyError> {
    let of = count(reading, table).await?;
    let (mut hash, mut rows) = (Sha256::new(), 0_u64);
    let mut last: Option<Vec<Value>> = None;
    loop {
        progress(CopyProgress { table: table.name, rows, of });
        let batch = read(reading, table, last.as_deref()).await?;
        let Some(end) = batch.last() else { break };
        if matches!(writing, Write::Postgres(..)) {
            for row in &batch {
                if let Some(column) = row.iter().position(Value::has_nul) {
                    return Err(CopyError::Nul { table: table.name, column: table.columns[column].0 });
                }
            }
        }
        write(writing, table, &batch).await?;
        batch.iter().flatten().for_each(|value| value.digest(&mut hash));
        rows += batch.len() as u64;
        last = Some(end[..table.keys].to_vec());
    }
    let sha256: [u8; 32] = hash.finalize().into();
    let (copied, copied_sha256) = digest(writing, table).await?;
    if (rows, sha256) != (copied, copied_sha256) {
        return Err(CopyError::Differs { table: table.name, rows, copied });
    }
    if let (Some(column), Write::Postgres(..)) = (table.counted, &*writing) {
        let name = table.name;
        let count_on = format!(
            "SELECT setval(pg_get_serial_sequence('{name}', '{column}'), max({column})) FROM {name} HAVING max({column}) > 0"
        );
        let _: Option<i64> =
            within!(writing, WRITING, |on| sqlx::query_scalar(AssertSqlSafe(count_on.as_str()))
                .fetch_optional(on))?;
    }
    Ok(CopiedTable { table: table.name, rows, sha256 })
}

async fn count(transaction: &mut Write, table: &Table) -> Result<u64, StoreError> {
    let statement = format!("SELECT count(*) FROM {}", table.name);
    let count: i64 =
        within!(transaction, READING, |on| sqlx::query_scalar(AssertSqlSafe(statement.as_str()))
            .fetch_one(on))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Count and hash of a table as a whole.
async fn digest(transaction: &mut Write, table: &Table) -> Result<(u64, [u8; 32]), StoreError> {
    let (mut hash, mut rows) = (Sha256::new(), 0_u64);
    let mut last: Option<Vec<Value>> = None;
    loop {
        let batch = read(transaction, table, last.as_deref()).await?;
        let Some(end) = batch.last() else { return Ok((rows, hash.finalize().into())) };
        batch.iter().flatten().for_each(|value| value.digest(&mut hash));
        rows += batch.len() as u64;
        last = Some(end[..table.keys].to_vec());
    }
}

/// Binds values in order.
macro_rules! bind_all {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                Value::Integer(value) => query.bind(*value),
                Value::Text(value) => query.bind(value.as_deref()),
                Value::Bytes(value) => query.bind(value.as_deref()),
                Value::Flag(value) => query.bind(*value),
            };
        }
        query
    }};
}

/// The values of rows, as their columns say.
macro_rules! values_of {
    ($rows:expr, $columns:expr) => {
        $rows
            .iter()
            .map(|row| {
                let value = |(at, (_, kind)): (usize, &(&str, Kind))| {
                    Ok(match kind {
                        Kind::Integer => Value::Integer(row.try_get(at)?),
                        Kind::Text => Value::Text(row.try_get(at)?),
                        Kind::Bytes => Value::Bytes(row.try_get(at)?),
                        Kind::Flag => Value::Flag(row.try_get(at)?),
                    })
                };
                $columns.iter().enumerate().map(value).collect()
            })
            .collect::<Result<Vec<Vec<Value>>, sqlx::Error>>()
    };
}

/// The next rows after the one of this key, in the order of keys.
async fn read(
    transaction: &mut Write,
    table: &Table,
    after: Option<&[Value]>,
) -> Result<Vec<Vec<Value>>, StoreError> {
    let columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let keys = columns[..table.keys].join(", ");
    let places: Vec<String> = (1..=table.keys).map(|place| format!("${place}")).collect();
    let after_key = match after {
        Some(_) => format!("WHERE ({keys}) > ({})", places.join(", ")),
        None => String::new(),
    };
    let statement = format!(
        "SELECT {} FROM {} {after_key} ORDER BY {keys} LIMIT {}",
        columns.join(", "),
        table.name,
        table.rows_at_once()
    );
    let after = after.unwrap_or_default();
    match transaction.connection() {
        Connection::Sqlite(on) => {
            let query = bind_all!(sqlx::query(AssertSqlSafe(statement.as_str())), after);
            query.fetch_all(on).await.and_then(|rows| values_of!(rows, table.columns))
        }
        Connection::Postgres(on, patience) => {
            let query = bind_all!(sqlx::query(AssertSqlSafe(statement.as_str())), after);
            patience.bound(query.fetch_all(on)).await.and_then(|rows| values_of!(rows, table.columns))
        }
    }
    .map_err(StoreError::when(READING))
}

async fn write(transaction: &mut Write, table: &Table, rows: &[Vec<Value>]) -> Result<(), StoreError> {
    let columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let width = columns.len();
    let row = |number: usize| {
        let places: Vec<String> = (1..=width).map(|place| format!("${}", number * width + place)).collect();
        format!("({})", places.join(", "))
    };
    let places: Vec<String> = (0..rows.len()).map(row).collect();
    let statement =
        format!("INSERT INTO {} ({}) VALUES {}", table.name, columns.join(", "), places.join(", "));
    let values = || rows.iter().flatten();
    match transaction.connection() {
        Connection::Sqlite(on) => {
            let query = bind_all!(sqlx::query(AssertSqlSafe(statement.as_str())), values());
            query.execute(on).await.map(drop)
        }
        Connection::Postgres(on, patience) => {
            let query = bind_all!(sqlx::query(AssertSqlSafe(statement.as_str())), values());
            patience.bound(query.execute(on)).await.map(drop)
        }
    }
    .map_err(StoreError::when(WRITING))
}

/// What can be said of a database without changing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The program behind it, with its version.
    pub server: String,
    /// Steps of the schema that it has seen.
    pub schema: usize,
    /// Those that this program knows.
    pub schema_known: usize,
    /// Rows of each table; empty where the schema is not up to date.
    pub rows: Vec<(&'static str, u64)>,
    /// What is wrong with it, or dangerous.
    pub problems: Vec<String>,
}

/// Looks a database over: reached, ours, its schema, its settings, what is damaged. Nothing is changed.
///
/// # Errors
/// [`CopyError::NoSource`] where there is none, [`CopyError::Store`] where it cannot be opened.
pub async fn inspect_database(location: &Location) -> Result<Inspection, CopyError> {
    if let Location::Sqlite(file) = location
        && !file.exists()
    {
        return Err(CopyError::NoSource { location: location.clone() });
    }
    let looked = Base::inspect(location).await?;
    let mut inspection = Inspection {
        server: looked.server,
        schema: looked.schema,
        schema_known: looked.schema_known,
        rows: Vec::new(),
        problems: looked.problems,
    };
    if inspection.schema == inspection.schema_known {
        let mut reading = looked.base.snapshot(READING).await?;
        for table in &TABLES {
            inspection.rows.push((table.name, count(&mut reading, table).await?));
        }
    }
    looked.base.close().await;
    Ok(inspection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// A column that is added and not named here would be lost by a copy, unnoticed: both sides are hashed without
    /// it.
    #[tokio::test]
    async fn every_column_of_every_table_is_copied() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let Base::Sqlite(base) = &store.base else { panic!("a folder is SQLite") };
        // Without those that make themselves.
        let there: Vec<(String, String)> = sqlx::query_as(
            "SELECT tables.name, columns.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
             WHERE tables.type = 'table' AND tables.name <> 'calendar' AND tables.name NOT LIKE 'sqlite%'",
        )
        .fetch_all(&base.readers)
        .await
        .unwrap();
        let named = TABLES.iter().flat_map(|table| {
            table.columns.iter().map(|(column, _)| (table.name.to_owned(), (*column).to_owned()))
        });
        let (there, named): (BTreeSet<_>, BTreeSet<_>) = (there.into_iter().collect(), named.collect());
        assert_eq!(there.difference(&named).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
        assert_eq!(named.difference(&there).collect::<Vec<_>>(), Vec::<&(String, String)>::new());
    }
}
