//! The same tests on either database: `on_both![the_name_of_a_test, …]` runs functions that take a [`Database`].
#![allow(dead_code, unreachable_pub, reason = "not every file uses all of it")]

use plenary_model::{AccountId, GivenPins, SipUser, StoredRoom, StoredTrunk};
use plenary_store::{
    Change, ChangeError, Changed, Location, RoomError, ServiceError, SipPassword, Store, TrunkBody, UserError,
};
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

/// Puts a trunk whose body may hold the password.
pub async fn put_trunk(
    store: &Store,
    account: AccountId,
    name: &str,
    body: serde_json::Value,
) -> Result<Changed<StoredTrunk>, ServiceError> {
    store.put_trunk(account, name, TrunkBody::replacing(body)?).await
}

/// Puts a user with a plain password.
pub async fn put_sip_user(
    store: &Store,
    account: AccountId,
    name: &str,
    realm: &str,
    password: &str,
) -> Result<Changed<SipUser>, UserError> {
    let (realm, password) = (realm.to_owned(), password.to_owned());
    let put = Change::Put(SipPassword::Plain { realm, password });
    match store.change_sip_user(account, name, |_| Ok::<_, std::convert::Infallible>(put)).await {
        Ok(changed) => Ok(changed),
        Err(ChangeError::Store(error)) => Err(error),
        Err(ChangeError::Refused(never)) => match never {},
    }
}

/// Puts a room whose body may hold the PINs.
pub async fn put_room(
    store: &Store,
    account: AccountId,
    number: &str,
    mut body: serde_json::Value,
) -> Result<Changed<StoredRoom>, RoomError> {
    let pins = GivenPins::of_whole(&mut body)?;
    store.put_room(account, number, &pins, body).await
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
