//! Where a database is.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};
use thiserror::Error;

/// The database's name in the data folder.
const FILE: &str = "plenary.db";

/// Which database: `sqlite:///var/lib/plenary/plenary.db`, `postgres://plenary@db.example.org/plenary`. Shown, it never has a
/// password in it.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A file.
    Sqlite(PathBuf),
    /// A URL of PostgreSQL, as it was given.
    Postgres(String),
}

/// What is no URL of a database.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "is not the URL of a database: postgres://USER[:PASSWORD]@HOST[:PORT]/DATABASE, or sqlite://FILE, are; for example postgres://plenary@db.example.org/plenary or sqlite:///var/lib/plenary/plenary.db"
)]
pub struct LocationError;

impl Location {
    /// The file of a data folder.
    #[must_use]
    pub fn in_folder(data_dir: &Path) -> Self {
        Self::Sqlite(data_dir.join(FILE))
    }
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        let (scheme, rest) = text.split_once("://").ok_or(LocationError)?;
        match scheme {
            "sqlite" if !rest.is_empty() && !rest.contains('?') => Ok(Self::Sqlite(PathBuf::from(rest))),
            "postgres" | "postgresql" => {
                text.parse::<sqlx::postgres::PgConnectOptions>().map_err(|_| LocationError)?;
                Ok(Self::Postgres(text.to_owned()))
            }
            _ => Err(LocationError),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file) => write!(f, "sqlite://{}", file.display()),
            Self::Postgres(url) => {
                // Of user and password, and of parameters, among which there may be a password as well, only the user.
                let url = url.split(['?', '#']).next().unwrap_or_default();
                let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", url));
                match rest.rsplit_once('@') {
                    None => write!(f, "{scheme}://{rest}"),
                    Some((user, place)) => {
                        let user = user.split(':').next().unwrap_or_default();
                        write!(f, "{scheme}://{user}@{place}")
                    }
                }
            }
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_which_database_and_never_shows_its_password() {
        for (text, shown) in [
            ("sqlite:///var/lib/plenary/plenary.db", "sqlite:///var/lib/plenary/plenary.db"),
            ("sqlite://plenary-data/plenary.db", "sqlite://plenary-data/plenary.db"),
            ("postgres://plenary:se@cr:et@db:5433/calls", "postgres://plenary@db:5433/calls"),
            ("postgresql://db/calls?user=plenary&password=secret", "postgresql://db/calls"),
            (
                "postgres://plenary@localhost/plenary?host=/run/postgresql",
                "postgres://plenary@localhost/plenary",
            ),
        ] {
            let location: Location = text.parse().unwrap();
            assert_eq!(location.to_string(), shown, "{text}");
            assert!(!format!("{location:?}").contains("secret"), "{location:?}");
        }
        for text in [
            "",
            "plenary.db",
            "mysql://host/db",
            "sqlite://",
            "postgres:",
            "postgres://h:port/x",
            "sqlite://a?mode=ro",
        ] {
            assert_eq!(text.parse::<Location>(), Err(LocationError), "{text}");
        }
    }
}
