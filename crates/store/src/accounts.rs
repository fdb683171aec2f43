//! Accounts: whose conferences, services and keys they are.

use crate::{
    AccountSettings, ApiKey, ChangeError, Store, StoreError,
    access::{self, Account, AccountRow, account_columns},
    database::{execute, now, read, storable, within},
    keys::insert_key,
    named::at_most,
};
use plenary_model::{AccountId, KeySettings};

/// Longest username, in characters.
const USERNAME_CHARS_MAX: usize = 128;

/// `CLOUDID/USERNAME`, taken apart at the first slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Login<'a> {
    pub(crate) cloud_id: &'a str,
    pub(crate) username: &'a str,
}

impl<'a> Login<'a> {
    pub(crate) fn parse(login: &'a str) -> Result<Self, StoreError> {
        login
            .split_once('/')
            .map(|(cloud_id, username)| Self { cloud_id, username })
            .filter(|login| is_cloud_id(login.cloud_id) && is_username(login.username))
            .ok_or_else(|| StoreError::Login { login: login.to_owned() })
    }
}

/// Three decimal numbers: `1-2-0`.
fn is_cloud_id(text: &str) -> bool {
    let numbers: Vec<&str> = text.split('-').collect();
    numbers.len() == 3
        && numbers
            .iter()
            .all(|number| (1..=9).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A colon would end the user name of basic authentication (RFC 7617 section 2).
fn is_username(text: &str) -> bool {
    (1..=USERNAME_CHARS_MAX).contains(&text.chars().count())
        && !text.chars().any(|c| c == ':' || c.is_whitespace() || c.is_control())
}

impl Store {
    /// Makes an account and its first key, which may do all that an account may. Takes effect at once, also in other processes.
    ///
    /// # Errors
    /// [`StoreError::Login`] unless `cloud_id` is three numbers (`1-2-0`) and `username` has 1 to 128 characters
    /// without spaces and colons; [`StoreError::AccountExists`].
    pub async fn create_account(
        &self,
        cloud_id: &str,
        username: &str,
    ) -> Result<(Account, ApiKey), StoreError> {
        self.create_account_login(&format!("{cloud_id}/{username}")).await
    }

    /// [`Self::create_account`] with the login in one piece: `1-2-0/bob@example.com`.
    ///
    /// # Errors
    /// As [`Self::create_account`].
    pub async fn create_account_login(&self, login: &str) -> Result<(Account, ApiKey), StoreError> {
        self.account_new(login, AccountSettings::default()).await
    }

    /// [`Self::create_account_login`] with what the operator allows it.
    ///
    /// # Errors
    /// As [`Self::create_account`].
    pub async fn account_new(
        &self,
        login: &str,
        settings: AccountSettings,
    ) -> Result<(Account, ApiKey), StoreError> {
        let Login { cloud_id, username } = Login::parse(login)?;
        let doing = "creating an account";
        let created_at = now();
        let mut transaction = self.write(doing).await?;
        let id: Option<i64> = within!(transaction, doing, |on| {
            sqlx::query_scalar(
            "INSERT INTO accounts (cloud_id, username, created_at, recording_days, is_disabled, max_participants, requests_per_second)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(cloud_id)
        .bind(username)
        .bind(created_at.0)
        .bind(settings.recording_days.map(i64::from))
        .bind(settings.is_disabled)
        .bind(settings.max_participants.map(i64::from))
        .bind(settings.requests_per_second.map(i64::from))
        .fetch_optional(on)
        })?;
        let id = id.ok_or_else(|| StoreError::AccountExists { login: login.to_owned() })?;
        let (_, key) =
            insert_key(&mut transaction, AccountId(id), &KeySettings::default(), created_at).await?;
        transaction.commit(doing).await?;
        let (cloud_id, username) = (cloud_id.to_owned(), username.to_owned());
        Ok((Account { id: AccountId(id), cloud_id, username, created_at, settings }, key))
    }

    /// Every account, ordered by login.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.accounts_after(None, usize::MAX).await
    }

    /// At most `limit` accounts, ordered by cloud id and user name, from the one after `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accounts_after(
        &self,
        after: Option<(&str, &str)>,
        limit: usize,
    ) -> Result<Vec<Account>, StoreError> {
        let (cloud_id, username) = after.unwrap_or_default();
        let rows: Vec<AccountRow> = read!(self.base, "listing the accounts", |on| {
            sqlx::query_as(concat!(
                "SELECT ",
                account_columns!(),
                " FROM accounts WHERE (cloud_id, username) > ($1, $2) ORDER BY cloud_id, username LIMIT $3"
            ))
            .bind(storable(cloud_id))
            .bind(storable(username))
            .bind(at_most(limit))
            .fetch_all(on)
        })?;
        Ok(rows.into_iter().map(access::account).collect())
    }

    /// Changes what the operator allows an account, by a decision about what it is. `None`: there is no such account. Keys count
    /// no more, or again, in this process at once and in every other within a second.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the decision; when the database fails.
    pub async fn change_account<E>(
        &self,
        account: AccountId,
        decide: impl FnOnce(&Account) -> Result<AccountSettings, E> + Send,
    ) -> Result<Option<Account>, ChangeError<E>> {
        let doing = "changing an account";
        let mut transaction = self.write(doing).await?;
        let row: Option<AccountRow> = within!(transaction, doing, |on| sqlx::query_as(concat!(
            "SELECT ",
            account_columns!(),
            " FROM accounts WHERE id = $1"
        ))
        .bind(account.0)
        .fetch_optional(on))?;
        let Some(before) = row.map(access::account) else { return Ok(None) };
        let settings = decide(&before).map_err(ChangeError::Refused)?;
        execute!(transaction, doing, sqlx::query(
            "UPDATE accounts SET recording_days = $2, is_disabled = $3, max_participants = $4, requests_per_second = $5
             WHERE id = $1"
        )
        .bind(account.0)
        .bind(settings.recording_days.map(i64::from))
        .bind(settings.is_disabled)
        .bind(settings.max_participants.map(i64::from))
        .bind(settings.requests_per_second.map(i64::from)))?;
        let committed = transaction.commit(doing).await;
        // Also where the answer to the commit did not come: it may be done.
        self.forget_keys();
        committed?;
        Ok(Some(Account { settings, ..before }))
    }

    /// The account with this number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account(&self, account: AccountId) -> Result<Option<Account>, StoreError> {
        let row: Option<AccountRow> = read!(self.base, "looking up an account", |on| {
            sqlx::query_as(concat!("SELECT ", account_columns!(), " FROM accounts WHERE id = $1"))
                .bind(account.0)
                .fetch_optional(on)
        })?;
        Ok(row.map(access::account))
    }

    /// The account of a login.
    ///
    /// # Errors
    /// [`StoreError::Login`] when `login` can't be one.
    pub async fn find_account(&self, login: &str) -> Result<Option<Account>, StoreError> {
        let Login { cloud_id, username } = Login::parse(login)?;
        let row: Option<AccountRow> = read!(self.base, "looking up an account", |on| {
            sqlx::query_as(concat!(
                "SELECT ",
                account_columns!(),
                " FROM accounts WHERE cloud_id = $1 AND username = $2"
            ))
            .bind(cloud_id)
            .bind(username)
            .fetch_optional(on)
        })?;
        Ok(row.map(access::account))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_split_at_its_first_slash() {
        let login = Login::parse("1-2-0/team/bob@example.com").unwrap();
        assert_eq!(login, Login { cloud_id: "1-2-0", username: "team/bob@example.com" });
    }

    #[test]
    fn what_cannot_be_a_login_is_refused() {
        for login in [
            "",
            "/",
            "bob",
            "1-2-0",
            "1-2-0/",
            "1-2/bob",
            "1-2-0-4/bob",
            "a-b-c/bob",
            "1--0/bob",
            "1-2-0/b b",
            "1-2-0/b:b",
            "-1-2-0/b",
        ] {
            assert!(matches!(Login::parse(login), Err(StoreError::Login { .. })), "{login:?}");
        }
        assert!(Login::parse(&format!("1-2-0/{}", "b".repeat(129))).is_err());
    }
}
