//! What can go wrong with the database.

use plenary_model::FieldError;
use std::path::PathBuf;
use thiserror::Error;

/// An operation of the store that failed. The text never repeats the cause; that is the `source`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The data folder cannot be made.
    #[error("the data folder {} cannot be made: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The data folder, or the database in it, cannot be written.
    #[error("{} cannot be written: give this user write access to the folder and the files in it, or choose another data folder", path.display())]
    ReadOnly {
        /// The folder.
        path: PathBuf,
    },
    /// The file is not an SQLite database, or it is damaged.
    #[error("{} is not a database of Plenary, or it is damaged: move it away to start afresh, or choose another data folder", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// Another service serves calls with this database.
    #[error(
        "another service uses the database: {by}, seen {seconds} s ago. Stop it first; one that has crashed counts as gone after {gone_after} s"
    )]
    Served {
        /// What the other service calls itself.
        by: String,
        /// When it was last seen.
        seconds: u64,
        /// When it counts as gone.
        gone_after: u64,
    },
    /// PostgreSQL cannot be reached, or does not let us in.
    #[error("{database} cannot be opened{hint}")]
    Connect {
        /// The database, without its password.
        database: String,
        /// What to do about it, after a colon; empty where the cause says it all.
        hint: &'static str,
        /// What was said.
        source: sqlx::Error,
    },
    /// The database has tables, but none of ours.
    #[error(
        "{database} holds tables of another program: make a database of its own, or name another schema with ?options[search_path]=NAME"
    )]
    NotOurs {
        /// The database, without its password.
        database: String,
    },
    /// The answer to a commit did not come: it may have been done or not.
    #[error("the database cannot be used right now ({doing})")]
    Unconfirmed {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The file was written by a newer version.
    #[error("{} was written by a newer version of Plenary (its schema is {found}, this version knows up to {known}): install the newer version again", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The schema version of the file.
        found: i64,
        /// The last schema version this program knows.
        known: i64,
    },
    /// A login that cannot be one.
    #[error(
        "`{login}` is not an account's login: it is CLOUDID/USERNAME, for example 1-2-0/bob@example.com, where the cloud id is three numbers and the username has 1 to 128 characters without spaces and colons"
    )]
    Login {
        /// What was given.
        login: String,
    },
    /// The account exists already.
    #[error("the account {login} exists already")]
    AccountExists {
        /// Its login.
        login: String,
    },
    /// There is no such account.
    #[error("there is no such account")]
    UnknownAccount,
    /// The settings of a key are not allowed.
    #[error("{}", listed(.0))]
    KeySettings(Vec<FieldError>),
    /// The account has too many keys that were not revoked.
    #[error("an account has at most {most} keys that are not revoked: revoke those that are not needed")]
    TooManyKeys {
        /// How many it may have.
        most: i64,
    },
    /// Another program keeps the database locked, or the disk is full: it may work later.
    #[error("the database cannot be used right now ({doing})")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The file was removed, or another one is in its place, while it was open: what is written would be lost.
    #[error("{} was moved away or replaced while it was in use: put it back, or restart to use what is there now", path.display())]
    FileGone {
        /// The file.
        path: PathBuf,
    },
    /// Everything else the database may say.
    #[error("the database failed ({doing})")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A row that this program could not have written.
    #[error("the database holds something that makes no sense ({what})")]
    Damaged {
        /// What it is.
        what: String,
    },
}

/// SQLite's primary result codes for "later, perhaps": BUSY, LOCKED, NOMEM, IOERR, FULL, CANTOPEN.
/// <https://sqlite.org/rescode.html>
const UNAVAILABLE: [i32; 6] = [5, 6, 7, 10, 13, 14];

/// Beginnings of PostgreSQL's SQLSTATEs for the same: connections, who may log in, a database that is not there (any more), a
/// serialization that failed, resources, objects in use, intervention of an operator, errors of the system, and a
/// standby that takes no changes. <https://www.postgresql.org/docs/current/errcodes-appendix.html>
const UNAVAILABLE_STATES: [&str; 10] =
    ["08", "25006", "25P03", "28", "3D000", "40", "53", "55P03", "57", "58"];

impl StoreError {
    /// For `map_err`: what was being done when the database said no.
    pub(crate) fn when(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| match is_passing(&source) {
            true => Self::Unavailable { doing, source },
            false => Self::Database { doing, source },
        }
    }

    /// For `map_err`: what was to be opened, and what may help.
    pub(crate) fn connect(database: impl Into<String>, source: sqlx::Error) -> Self {
        let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
        let hint = match &*code {
            "3D000" => ": make it first, with `createdb --owner USER DATABASE`",
            "28P01" | "28000" => {
                ": user and password are in its URL, in PGPASSWORD or in a password file, and pg_hba.conf of the server has to let this user in"
            }
            _ if matches!(source, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) => {
                ": does PostgreSQL run, and does it listen there?"
            }
            _ => "",
        };
        Self::Connect { database: database.into(), hint, source }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. }
                | Self::Unconfirmed { .. }
                | Self::FileGone { .. }
                | Self::Connect { .. }
        )
    }
}

/// All that is wrong with a body, as one text that begins with the first member.
pub(crate) fn listed(errors: &[FieldError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl StoreError {
    /// The same error once more, for a request that waited for the same: the driver's errors cannot be cloned.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Unavailable { doing, source } | Self::Unconfirmed { doing, source } => {
                Self::Unavailable { doing, source: sqlx::Error::Protocol(source.to_string()) }
            }
            Self::FileGone { path } => Self::FileGone { path: path.clone() },
            Self::Database { doing, source } => {
                Self::Database { doing, source: sqlx::Error::Protocol(source.to_string()) }
            }
            Self::Damaged { what } => Self::Damaged { what: what.clone() },
            other => Self::Damaged { what: other.to_string() },
        }
    }
}

fn is_passing(error: &sqlx::Error) -> bool {
    if let Some(code) = result_code(error) {
        return UNAVAILABLE.contains(&code);
    }
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::Tls(_) => {
            true
        }
        sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| UNAVAILABLE_STATES.iter().any(|beginning| code.starts_with(beginning))),
        _ => false,
    }
}

/// SQLite's primary result code of an error: the low byte of the extended one.
pub(crate) fn result_code(error: &sqlx::Error) -> Option<i32> {
    let error = error.as_database_error()?.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    let code = sqlx::error::DatabaseError::code(error)?;
    Some(code.parse::<i32>().ok()? & 0xff)
}
