//! What can go wrong with the database.

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
        /// Why.
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

impl StoreError {
    /// For `map_err`: what was being done when the database said no.
    pub(crate) fn when(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| match result_code(&source) {
            Some(code) if UNAVAILABLE.contains(&code) => Self::Unavailable { doing, source },
            _ if matches!(source, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) => {
                Self::Unavailable { doing, source }
            }
            _ => Self::Database { doing, source },
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::FileGone { .. })
    }
}

/// SQLite's primary result code of an error: the low byte of the extended one.
pub(crate) fn result_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    Some(code.parse::<i32>().ok()? & 0xff)
}
