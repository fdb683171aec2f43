//! Who changed what.
//!
//! The entry of a change of what is stored is written in the transaction of that change, as far as it is known by then, and completed
//! when the request is answered: the id of the request says which one it is. Whatever the moment of a crash, there is no such change
//! without an entry, and no entry of one that was not made.

use crate::{
    Account, KeyId, Person, Store, StoreError,
    database::{Write, execute, postgres::Lock, read, storable},
    named::at_most,
};
use plenary_model::{AccountId, Actor, AuditEntry, Pin, Timestamp};
use serde_json::Value;
use std::{fmt, sync::Arc};

const WRITING: &str = "writing the audit log";

/// On whose behalf something is changed.
#[derive(Debug, Clone)]
pub struct Doing {
    /// Who, as events tell it.
    pub actor: Actor,
    /// The entry of the audit log that tells of it; `None`: nothing of it is audited.
    pub entry: Option<Arc<AuditEntry>>,
    /// Makes the entry of a visitor who signs in, for it is not known before who they are.
    pub visitor: Option<VisitorEntry>,
    /// The PIN that mails to guests name, if who invites gave it. It is in those alone, until they are sent.
    pub pin: Option<Pin>,
}

/// A visitor who signs in.
#[derive(Debug, Clone, Copy)]
pub enum Visitor<'a> {
    /// A person.
    Person(&'a Person),
    /// A leader with the link of this number, of this account.
    Leader(&'a Account, KeyId),
}

/// Makes the entry of the audit log that tells who has signed in.
#[derive(Clone)]
pub struct VisitorEntry(Arc<dyn Fn(Visitor<'_>) -> AuditEntry + Send + Sync>);

impl VisitorEntry {
    /// Made by this.
    pub fn new(entry: impl Fn(Visitor<'_>) -> AuditEntry + Send + Sync + 'static) -> Self {
        Self(Arc::new(entry))
    }
}

impl fmt::Debug for VisitorEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VisitorEntry(…)")
    }
}

impl From<Actor> for Doing {
    fn from(actor: Actor) -> Self {
        Self { actor, entry: None, visitor: None, pin: None }
    }
}

impl Doing {
    /// What is written in this transaction is their doing.
    pub(crate) async fn note(&self, transaction: &mut Write) -> Result<(), StoreError> {
        match &self.entry {
            Some(entry) => write_entry(transaction, entry).await,
            None => Ok(()),
        }
    }

    /// What is written in this transaction is the doing of the visitor who signs in by it.
    pub(crate) async fn note_visitor(
        &self,
        transaction: &mut Write,
        visitor: Visitor<'_>,
    ) -> Result<(), StoreError> {
        let entry = self.visitor.as_ref().map(|VisitorEntry(entry)| entry(visitor));
        match entry {
            Some(entry) => write_entry(transaction, &entry).await,
            None => Ok(()),
        }
    }
}

/// Entries that a question finds, the latest first. What is `None` is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// By keys of this account.
    pub account: Option<AccountId>,
    /// Whose path begins like this.
    pub path: Option<String>,
    /// Then or later.
    pub since: Option<Timestamp>,
    /// Before then.
    pub until: Option<Timestamp>,
    /// Before the one with this number.
    pub before: Option<i64>,
    /// So many at the most.
    pub limit: usize,
}

impl Store {
    /// Writes down changes, all of them or none. An entry that was written with what it tells of is completed; one that is complete
    /// stays as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        let mut transaction = self.base.write(WRITING, Lock::Nothing).await?;
        for entry in entries {
            write_entry(&mut transaction, entry).await?;
        }
        transaction.commit(WRITING).await
    }

    /// Writes the entry of what this handle is about to change outside of the database, so that it is there whatever happens then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_doing(&self) -> Result<(), StoreError> {
        self.write_behind(WRITING, Lock::Nothing).await?.commit(WRITING).await
    }

    /// Entries with their numbers, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&self, query: &AuditQuery) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        let path = query.path.as_deref().map(storable);
        let rows: Vec<AuditRow> = read!(self.base, "reading the audit log", |on| {
            sqlx::query_as(
            "SELECT id, at, account_id, actor, key_id, person_id, source, request_id, method, path, status, before_json,
                 after_json, request_json
             FROM audit WHERE ($1 IS NULL OR account_id = $1)
                 AND ($2 IS NULL OR substr(path, 1, length($2)) = $2) AND ($3 IS NULL OR at >= $3)
                 AND ($4 IS NULL OR at < $4) AND ($5 IS NULL OR id < $5) ORDER BY id DESC LIMIT $6"
        )
        .bind(query.account.map(|account| account.0))
        .bind(path.as_deref())
        .bind(query.since.map(|at| at.0))
        .bind(query.until.map(|at| at.0))
        .bind(query.before)
        .bind(at_most(query.limit))
        .fetch_all(on)
        })?;
        Ok(rows.into_iter().map(entry).collect())
    }

    /// Deletes entries from before a time, at most `limit` of them; returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_audit(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let doing = "deleting old entries of the audit log";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let delete =
            "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 ORDER BY id LIMIT $2)";
        let gone = execute!(transaction, doing, sqlx::query(delete).bind(before.0).bind(at_most(limit)))?;
        transaction.commit(doing).await?;
        Ok(gone)
    }
}

/// Writes an entry, or completes it.
pub(crate) async fn write_entry(transaction: &mut Write, entry: &AuditEntry) -> Result<(), StoreError> {
    // Written as JSON, a NUL is an escape.
    let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    let insert = "INSERT INTO audit (at, account_id, actor, key_id, person_id, source, request_id, method, path, status,
             before_json, after_json, request_json)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (request_id) DO UPDATE SET at = excluded.at, status = excluded.status,
             before_json = excluded.before_json, after_json = excluded.after_json,
             request_json = excluded.request_json
         WHERE audit.status = 0";
    execute!(
        transaction,
        WRITING,
        sqlx::query(insert)
            .bind(entry.at.0)
            .bind(entry.account.map(|account| account.0))
            .bind(storable(&entry.actor))
            .bind(entry.key)
            .bind(entry.person)
            .bind(entry.source.as_deref())
            .bind(entry.request_id.as_deref())
            .bind(&entry.method)
            .bind(storable(&entry.path))
            .bind(i64::from(entry.status.unwrap_or(0)))
            .bind(text(&entry.before))
            .bind(text(&entry.after))
            .bind(text(&entry.request))
    )
    .map(drop)
}

/// id, at, account_id, actor, key_id, person_id, source, request_id, method, path, status, before_json, after_json, request_json
type AuditRow = (
    i64,
    i64,
    Option<i64>,
    String,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<String>,
    String,
    String,
    i64,
    Option<String>,
    Option<String>,
    Option<String>,
);

fn entry(row: AuditRow) -> (i64, AuditEntry) {
    let (
        id,
        at,
        account,
        actor,
        key,
        person,
        source,
        request_id,
        method,
        path,
        status,
        before,
        after,
        request,
    ) = row;
    let json = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
    let entry = AuditEntry {
        at: Timestamp(at),
        account: account.map(AccountId),
        actor,
        key,
        person,
        source,
        request_id,
        method,
        path,
        status: u16::try_from(status).ok().filter(|status| *status > 0),
        before: json(before),
        after: json(after),
        request: json(request),
    };
    (id, entry)
}
