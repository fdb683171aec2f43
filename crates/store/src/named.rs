//! What accounts keep by name: read, listed, changed and deleted alike for every kind ([`Kind`]).

use crate::{
    Change, ChangeError, Changed, Store, StoreError,
    change::decided,
    database::{Write, execute, is_storable, read, within},
};
use plenary_model::AccountId;
use sqlx::{FromRow, postgres::PgRow, sqlite::SqliteRow};
use std::convert::Infallible;

/// A row that both databases give.
pub(crate) trait NamedRow:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}
impl<T> NamedRow for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// A kind of things that accounts keep by name.
pub(crate) trait Kind {
    /// A row as it is read.
    type Row: NamedRow;
    /// What a row says.
    type Stored: Send + Sync;
    /// What is put.
    type Body: Send;
    /// Why something is not stored.
    type Error: From<StoreError>;
    /// The statements. [`statements!`] makes them.
    const STATEMENTS: Statements;

    /// Reads a row.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    fn stored(row: Self::Row) -> Result<Self::Stored, StoreError>;

    /// Checks the name and the body, and writes them.
    fn put(
        transaction: &mut Write,
        account: AccountId,
        name: &str,
        before: Before<'_, Self::Stored>,
        body: Self::Body,
    ) -> impl Future<Output = Result<Self::Stored, Self::Error>> + Send;

    /// Deletes what has this name. `false`: nothing has.
    fn delete(
        transaction: &mut Write,
        account: AccountId,
        name: &str,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send {
        async move {
            let Statements { delete, storing, .. } = Self::STATEMENTS;
            let deleted = execute!(transaction, storing, sqlx::query(delete).bind(account.0).bind(name))?;
            Ok(deleted == 1)
        }
    }

    /// Whether what was read counts as there: it can be deleted, and what is put replaces it.
    fn is_there(_: &Self::Stored) -> bool {
        true
    }
}

/// The statements of a kind, and what to say when one fails.
pub(crate) struct Statements {
    /// By account and name.
    pub(crate) one: &'static str,
    /// By account: those after a name, so many at the most.
    pub(crate) page: &'static str,
    /// By account and name.
    pub(crate) delete: &'static str,
    pub(crate) reading: &'static str,
    pub(crate) listing: &'static str,
    pub(crate) storing: &'static str,
}

/// `statements!("a trunk", "trunks", "name, body" of trunks by name)`
macro_rules! statements {
    ($one:literal, $many:literal, $columns:literal of $table:ident by $name:ident) => {
        $crate::named::Statements {
            one: concat!(
                "SELECT ",
                $columns,
                " FROM ",
                stringify!($table),
                " WHERE account_id = $1 AND ",
                stringify!($name),
                " = $2"
            ),
            page: concat!(
                "SELECT ",
                $columns,
                " FROM ",
                stringify!($table),
                " WHERE account_id = $1 AND ",
                stringify!($name),
                " > $2 ORDER BY ",
                stringify!($name),
                " LIMIT $3"
            ),
            delete: concat!(
                "DELETE FROM ",
                stringify!($table),
                " WHERE account_id = $1 AND ",
                stringify!($name),
                " = $2"
            ),
            reading: concat!("reading ", $one),
            listing: concat!("listing ", $many),
            storing: concat!("storing ", $one),
        }
    };
}
pub(crate) use statements;

/// What was read under a name; `None`: nothing has it.
type Found<'a, T> = Option<Result<&'a T, &'a StoreError>>;

/// What has a name before it is put or deleted.
#[derive(Debug)]
pub enum Before<'a, T> {
    /// Nothing has it.
    Nothing,
    /// This has it.
    Stored(&'a T),
    /// A row that cannot be read has it; it can be replaced and deleted.
    Unreadable,
}

impl<'a, T> Before<'a, T> {
    fn of(found: Found<'a, T>) -> Self {
        match found {
            None => Self::Nothing,
            Some(Ok(stored)) => Self::Stored(stored),
            Some(Err(_)) => Self::Unreadable,
        }
    }

    fn is_there<K: Kind<Stored = T>>(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Stored(stored) => K::is_there(stored),
            Self::Unreadable => true,
        }
    }

    pub(crate) fn stored(&self) -> Option<&'a T> {
        match self {
            Self::Stored(stored) => Some(stored),
            Self::Nothing | Self::Unreadable => None,
        }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

impl Store {
    /// What the account has under a name.
    pub(crate) async fn named<K: Kind>(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<K::Stored>, StoreError> {
        if !is_storable(name) {
            return Ok(None);
        }
        let Statements { one, reading, .. } = K::STATEMENTS;
        let row: Option<K::Row> = read!(self.base, reading, |on| sqlx::query_as(one)
            .bind(account.0)
            .bind(name)
            .fetch_optional(on))?;
        row.map(K::stored).transpose()
    }

    /// At most `limit` of what the account has, ordered by name, from the one after `after` on.
    pub(crate) async fn named_after<K: Kind>(
        &self,
        account: AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<K::Stored>, StoreError> {
        let Statements { page, listing, .. } = K::STATEMENTS;
        let rows: Vec<K::Row> = read!(self.base, listing, |on| sqlx::query_as(page)
            .bind(account.0)
            .bind(storable_prefix(after))
            .bind(at_most(limit))
            .fetch_all(on))?;
        rows.into_iter().map(K::stored).collect()
    }

    /// Reads what has a name, lets `decide` decide about it, and writes the outcome, all in one transaction.
    ///
    /// # Errors
    /// As [`Self::decide_named`], and [`StoreError::Damaged`] where what is there cannot be read.
    pub(crate) async fn change_named<K: Kind, E>(
        &self,
        account: AccountId,
        name: &str,
        decide: impl FnOnce(Option<&K::Stored>) -> Result<Change<K::Body>, E> + Send,
    ) -> Result<Changed<K::Stored>, ChangeError<E, K::Error>> {
        self.decide_named::<K, E>(account, name, |found| {
            let before = found.transpose().map_err(StoreError::again)?;
            decide(before).map_err(ChangeError::Refused)
        })
        .await
    }

    /// Puts something under a name, whatever has it, even a row that cannot be read.
    pub(crate) async fn put_named<K: Kind>(
        &self,
        account: AccountId,
        name: &str,
        body: K::Body,
    ) -> Result<Changed<K::Stored>, K::Error> {
        decided(self.put_named_if::<K, Infallible>(account, name, body, |_| Ok(())).await)
    }

    /// The same on a condition about what has the name.
    pub(crate) async fn put_named_if<K: Kind, E>(
        &self,
        account: AccountId,
        name: &str,
        body: K::Body,
        condition: impl FnOnce(Before<'_, K::Stored>) -> Result<(), E> + Send,
    ) -> Result<Changed<K::Stored>, ChangeError<E, K::Error>> {
        self.decide_named::<K, E>(account, name, |found| {
            condition(Before::of(found)).map_err(ChangeError::Refused)?;
            Ok(Change::Put(body))
        })
        .await
    }

    /// Deletes what has a name, even a row that cannot be read. `false`: nothing has.
    pub(crate) async fn delete_named<K: Kind>(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<bool, StoreError> {
        decided(self.delete_named_if::<K, Infallible>(account, name, |_| Ok(())).await)
    }

    /// The same on a condition about what has the name; where nothing has, it is not asked.
    pub(crate) async fn delete_named_if<K: Kind, E>(
        &self,
        account: AccountId,
        name: &str,
        condition: impl FnOnce(Before<'_, K::Stored>) -> Result<(), E> + Send,
    ) -> Result<bool, ChangeError<E>> {
        let mut transaction = self.write(K::STATEMENTS.storing).await?;
        let found = row::<K>(&mut transaction, account, name).await?.map(K::stored);
        let before = Before::of(found.as_ref().map(Result::as_ref));
        if !before.is_there::<K>() {
            return Ok(false);
        }
        condition(before).map_err(ChangeError::Refused)?;
        let is_deleted = K::delete(&mut transaction, account, name).await?;
        transaction.commit(K::STATEMENTS.storing).await?;
        Ok(is_deleted)
    }

    /// Reads what has a name, which may fail, lets `decide` decide about it, and writes the outcome, all in one transaction.
    async fn decide_named<K: Kind, E>(
        &self,
        account: AccountId,
        name: &str,
        decide: impl FnOnce(Found<'_, K::Stored>) -> Result<Change<K::Body>, ChangeError<E, K::Error>> + Send,
    ) -> Result<Changed<K::Stored>, ChangeError<E, K::Error>> {
        let mut transaction = self.write(K::STATEMENTS.storing).await?;
        let found = row::<K>(&mut transaction, account, name).await?.map(K::stored);
        let before = Before::of(found.as_ref().map(Result::as_ref));
        let is_there = before.is_there::<K>();
        let changed = match decide(found.as_ref().map(Result::as_ref))? {
            Change::Put(body) => {
                let put = K::put(&mut transaction, account, name, before, body).await;
                let stored = put.map_err(ChangeError::Store)?;
                if is_there { Changed::Replaced(stored) } else { Changed::Created(stored) }
            }
            Change::Delete if is_there && K::delete(&mut transaction, account, name).await? => {
                Changed::Deleted
            }
            Change::Delete | Change::Keep => return Ok(Changed::Kept(found.and_then(Result::ok))),
        };
        transaction.commit(K::STATEMENTS.storing).await?;
        Ok(changed)
    }
}

async fn row<K: Kind>(
    transaction: &mut Write,
    account: AccountId,
    name: &str,
) -> Result<Option<K::Row>, StoreError> {
    if !is_storable(name) {
        return Ok(None);
    }
    let Statements { one, storing, .. } = K::STATEMENTS;
    within!(transaction, storing, |on| sqlx::query_as(one).bind(account.0).bind(name).fetch_optional(on))
}

/// Where a list by name continues: after this text, which the client sent. The database holds no NUL, so the place of a
/// text with one is that of what precedes it.
fn storable_prefix(after: Option<&str>) -> &str {
    after.unwrap_or_default().split('\0').next().unwrap_or_default()
}

/// `LIMIT` of a statement.
pub(crate) fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_continues_after_any_text() {
        for (after, name) in [(None, ""), (Some("b"), "b"), (Some("b\0c"), "b"), (Some("\0"), "")] {
            assert_eq!(storable_prefix(after), name);
        }
    }
}
