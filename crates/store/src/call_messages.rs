//! Messages of calls that were refused or broke off: kept for a while, across restarts, within bounds.

use crate::{
    Store, StoreError,
    database::{Write, execute, list, postgres::Lock, read, storable},
    named::at_most,
};
use plenary_model::{AccountId, Timestamp};
use serde_json::Value;
use std::collections::BTreeSet;

const WRITING: &str = "writing the messages of calls";
/// Calls whose messages are kept.
const CALLS_MAX: i64 = 2000;
/// Octets of all of them.
const BYTES_MAX: i64 = 64 << 20;

/// The messages of a call that has failed.
#[derive(Debug, Clone, PartialEq)]
pub struct CallMessages {
    /// Its participant id.
    pub id: String,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Numbers and names that stand in them.
    pub people: BTreeSet<String>,
    /// They.
    pub messages: Value,
}

impl Store {
    /// Keeps messages of calls; the oldest are forgotten where there are too many of them, or they take too much.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_messages(&self, calls: &[CallMessages]) -> Result<(), StoreError> {
        let mut transaction = self.base.write(WRITING, Lock::Nothing).await?;
        for call in calls {
            // Written as JSON, a NUL is an escape.
            let (people, messages) = (
                Value::from_iter(call.people.iter().map(String::as_str)).to_string(),
                call.messages.to_string(),
            );
            let insert = "INSERT INTO call_messages (id, ended_at, bytes, people, messages)
                 VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at, bytes = excluded.bytes,
                     people = excluded.people, messages = excluded.messages";
            execute!(
                transaction,
                WRITING,
                sqlx::query(insert)
                    .bind(storable(&call.id))
                    .bind(call.ended_at.0)
                    .bind(at_most(people.len() + messages.len()))
                    .bind(people)
                    .bind(messages)
            )?;
        }
        prune(&mut transaction, Timestamp(i64::MIN), CALLS_MAX, BYTES_MAX).await?;
        transaction.commit(WRITING).await
    }

    /// Messages of a call, by its participant id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn messages_of(&self, id: &str) -> Result<Option<Value>, StoreError> {
        let text: Option<String> = read!(self.base, "reading the messages of a call", |on| {
            sqlx::query_scalar("SELECT messages FROM call_messages WHERE id = $1")
                .bind(storable(id))
                .fetch_optional(on)
        })?;
        let damaged = |error| StoreError::Damaged { what: format!("the messages of call {id}: {error}") };
        text.map(|text| serde_json::from_str(&text).map_err(damaged)).transpose()
    }

    /// Calls whose messages are kept, the latest first, before the one that ended then and has this id, `limit` at the most: id, when it
    /// ended, and the numbers and names that stand in them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calls_with_messages(
        &self,
        before: Option<(Timestamp, &str)>,
        limit: usize,
    ) -> Result<Vec<(String, Timestamp, Vec<String>)>, StoreError> {
        let (at, id) = before.map_or((i64::MAX, ""), |(at, id)| (at.0, id));
        let rows: Vec<(String, i64, String)> =
            read!(self.base, "listing calls whose messages are kept", |on| sqlx::query_as(
                "SELECT id, ended_at, people FROM call_messages
                 WHERE ended_at < $1 OR (ended_at = $1 AND id < $2) ORDER BY ended_at DESC, id DESC LIMIT $3"
            )
            .bind(at)
            .bind(storable(id))
            .bind(at_most(limit))
            .fetch_all(on))?;
        let call = |(id, at, people): (String, i64, String)| {
            (id, Timestamp(at), serde_json::from_str(&people).unwrap_or_default())
        };
        Ok(rows.into_iter().map(call).collect())
    }

    /// Forgets messages of calls that ended before a time; returns of how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_messages(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut transaction = self.base.write(WRITING, Lock::Nothing).await?;
        let gone = prune(&mut transaction, before, CALLS_MAX, BYTES_MAX).await?;
        transaction.commit(WRITING).await?;
        Ok(gone)
    }

    /// Calls of an account with the numbers and names that stand in their messages; with `with_nobodys` those that are of no account too,
    /// for they got to no service.
    pub(crate) async fn people_in_messages(
        &self,
        account: AccountId,
        with_nobodys: bool,
    ) -> Result<Vec<(String, Vec<String>)>, StoreError> {
        let rows: Vec<(String, String)> = read!(self.base, "looking through the messages of calls", |on| {
            sqlx::query_as(
                "SELECT kept.id, kept.people FROM call_messages kept LEFT JOIN calls ON calls.id = kept.id
                 WHERE calls.account_id = $1 OR ($2 AND calls.account_id IS NULL)",
            )
            .bind(account.0)
            .bind(with_nobodys)
            .fetch_all(on)
        })?;
        let people = |text: String| serde_json::from_str(&text).unwrap_or_default();
        Ok(rows.into_iter().map(|(id, text)| (id, people(text))).collect())
    }

    /// Forgets messages of these calls; returns of how many there were some.
    pub(crate) async fn forget_messages_of(&self, ids: &[String]) -> Result<u64, StoreError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let mut transaction = self.write_behind(WRITING, Lock::Nothing).await?;
        let delete = transaction.text(
            "DELETE FROM call_messages WHERE id IN (SELECT value FROM json_each($1))",
            "DELETE FROM call_messages WHERE id = ANY (ARRAY (SELECT json_array_elements_text($1::json)))",
        );
        let ids = list(ids.iter().map(String::as_str));
        let gone = execute!(transaction, WRITING, sqlx::query(delete).bind(ids))?;
        transaction.commit(WRITING).await?;
        Ok(gone)
    }
}

/// Leaves so many calls and octets, of those that ended last, and none that ended before a time.
async fn prune(
    transaction: &mut Write,
    before: Timestamp,
    calls: i64,
    bytes: i64,
) -> Result<u64, StoreError> {
    let delete = "DELETE FROM call_messages WHERE id IN (SELECT id FROM (
             SELECT id, ended_at, row_number() OVER latest AS number, sum(bytes) OVER latest AS total
             FROM call_messages WINDOW latest AS (ORDER BY ended_at DESC, id DESC)) kept
         WHERE ended_at < $1 OR number > $2 OR total > $3)";
    execute!(transaction, WRITING, sqlx::query(delete).bind(before.0).bind(calls).bind(bytes))
}
