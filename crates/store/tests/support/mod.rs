//! The same tests on either database: `on_both![the_name_of_a_test, …]` runs functions that take a [`Database`].
#![allow(dead_code, unreachable_pub, reason = "not every file uses all of it")]

use plenary_store::{Location, Store};
#[cfg(feature = "e2e")]
use plenary_testing::Postgres;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

/// An empty database of one test.
pub struct Database {
    pub location: Location,
    pub folder: tempfile::TempDir,
    #[cfg(feature = "e2e")]
    pub postgres: Option<Postgres>,
}

impl Database {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::in_folder(folder.path());
        Self {
            location,
            folder,
            #[cfg(feature = "e2e")]
            postgres: None,
        }
    }

    #[cfg(feature = "e2e")]
    pub fn postgres() -> Self {
        let postgres = Postgres::start();
        let location = postgres.url().parse().unwrap();
        Self { location, folder: tempfile::tempdir().unwrap(), postgres: Some(postgres) }
    }

    /// Where another process finds it.
    pub fn url(&self) -> String {
        #[cfg(feature = "e2e")]
        if let Some(postgres) = &self.postgres {
            return postgres.url();
        }
        self.location.to_string()
    }

    /// Runs a statement that the store would not.
    pub async fn execute(&self, statement: &'static str) {
        #[cfg(feature = "e2e")]
        if let Some(postgres) = &self.postgres {
            postgres.execute(statement);
            return;
        }
        let file = SqliteConnectOptions::new().filename(self.folder.path().join("plenary.db"));
        let mut connection = SqliteConnection::connect_with(&file).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// A handle with connections of its own, as another process would have.
    pub async fn open(&self) -> Store {
        Store::open_at(&self.location).await.unwrap()
    }
}

#[allow(unused_macros, reason = "not every file uses it")]
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    super::$name(&super::support::Database::sqlite()).await;
                }
            )+
        }

        #[cfg(feature = "e2e")]
        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $name() {
                    super::$name(&super::support::Database::postgres()).await;
                }
            )+
        }
    };
}
