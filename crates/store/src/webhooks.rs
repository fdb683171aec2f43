//! Webhooks, by name: where events are sent, how far each has come, and who sends.
//!
//! One process at a time sends to a webhook: it holds a lease, and what it writes down counts only while it does. How far a
//! webhook has come is written after the message was taken, so after a crash the last one may be sent again.

use crate::{
    Change, ChangeError, Changed, Store, StoreError,
    change::changed_at,
    database::{Write, execute, now, postgres::Lock, random_bytes, read, storable, within},
    error::listed,
    named::{Before, Kind, Statements, at_most, statements},
};
use data_encoding::BASE64;
use plenary_model::{
    AccountId, Delivery, DeliveryState, FieldError, StoredWebhook, Timestamp, WebhookSettings,
};
use serde_json::Value;
use thiserror::Error;

/// Webhooks of an account at the most.
const WEBHOOKS_MAX: i64 = 50;

/// Why a webhook was not stored.
#[derive(Debug, Error)]
pub enum WebhookError {
    /// The name or the body is not allowed.
    #[error("{}", listed(.0))]
    Invalid(Vec<FieldError>),
    /// The account has too many.
    #[error("an account has at most {WEBHOOKS_MAX} webhooks")]
    TooMany,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Vec<FieldError>> for WebhookError {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::Invalid(errors)
    }
}

/// What came of giving a webhook another secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Rotated {
    /// It has this one.
    To(String),
    /// Two secrets count until then.
    TooEarly {
        /// When the older one ends.
        until: Timestamp,
    },
    /// There is no such webhook.
    Unknown,
}

impl std::fmt::Debug for Rotated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // Without the secret.
            Self::To(_) => f.write_str("To"),
            Self::TooEarly { until } => f.debug_struct("TooEarly").field("until", until).finish(),
            Self::Unknown => f.write_str("Unknown"),
        }
    }
}

/// What a process needs that sends to a webhook.
#[derive(Clone)]
pub struct WebhookJob {
    /// How it stands.
    pub webhook: StoredWebhook,
    /// What messages are signed with, the newest first.
    pub secrets: Vec<String>,
}

impl std::fmt::Debug for WebhookJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookJob").field("webhook", &self.webhook).finish_non_exhaustive()
    }
}

/// What came of a try, for the webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tried {
    /// The number up to which nothing is to be sent any more; `None`: as before.
    pub up_to: Option<i64>,
    /// How often the next event was tried in vain.
    pub failures: u32,
    /// When it is tried again.
    pub next_at: Option<Timestamp>,
    /// What went wrong.
    pub last_error: Option<String>,
}

impl Store {
    /// So many of an account's webhooks at the most, ordered by name, from the one behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhooks_after(
        &self,
        account: AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredWebhook>, StoreError> {
        self.named_after::<Webhooks>(account, after, limit).await
    }

    /// An account's webhook.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook(&self, account: AccountId, name: &str) -> Result<Option<StoredWebhook>, StoreError> {
        self.named::<Webhooks>(account, name).await
    }

    /// Changes the account's webhook `name` by a decision about what it is.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the decision; else as the webhook is not allowed, or when the database fails.
    pub async fn change_webhook<E>(
        &self,
        account: AccountId,
        name: &str,
        decide: impl FnOnce(Option<&StoredWebhook>) -> Result<Change<Value>, E> + Send,
    ) -> Result<Changed<StoredWebhook>, ChangeError<E, WebhookError>> {
        self.change_named::<Webhooks, E>(account, name, decide).await
    }

    /// Makes the account's webhook `name`, or replaces it, on a condition about what has the name before. A new one has a secret,
    /// and is sent what happens from now on.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the condition; else as [`Self::change_webhook`].
    pub async fn put_webhook_if<E>(
        &self,
        account: AccountId,
        name: &str,
        body: Value,
        condition: impl FnOnce(Before<'_, StoredWebhook>) -> Result<(), E> + Send,
    ) -> Result<Changed<StoredWebhook>, ChangeError<E, WebhookError>> {
        self.put_named_if::<Webhooks, E>(account, name, body, condition).await
    }

    /// Deletes the account's webhook `name` on a condition about it. `false`: it has none of this name.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the condition; else when the database fails.
    pub async fn delete_webhook_if<E>(
        &self,
        account: AccountId,
        name: &str,
        condition: impl FnOnce(Before<'_, StoredWebhook>) -> Result<(), E> + Send,
    ) -> Result<bool, ChangeError<E>> {
        self.delete_named_if::<Webhooks, E>(account, name, condition).await
    }

    /// What messages to a webhook are signed with now, the newest first; none: there is no such webhook.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_secrets(&self, account: AccountId, name: &str) -> Result<Vec<String>, StoreError> {
        let row: Option<(String, Option<String>, Option<i64>)> = read!(
            self.base,
            "reading the secret of a webhook",
            |on| {
                sqlx::query_as(
                "SELECT secret, old_secret, old_secret_until FROM webhooks WHERE account_id = $1 AND name = $2"
            )
            .bind(account.0)
            .bind(storable(name))
            .fetch_optional(on)
            }
        )?;
        Ok(row.map(|(secret, old, until)| secrets(secret, old, until)).unwrap_or_default())
    }

    /// Gives a webhook another secret; for so many hours messages are signed with the one before as well. Where that still is so of an
    /// earlier change, none may be left out before its time, unless no other one is to count any more (0 hours).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotate_webhook(
        &self,
        account: AccountId,
        name: &str,
        overlap_h: u32,
    ) -> Result<Rotated, StoreError> {
        let doing = "changing the secret of a webhook";
        let mut transaction = self.write(doing).await?;
        let (secret, at) = (new_secret(), now());
        let update =
            "UPDATE webhooks SET old_secret = secret, old_secret_until = $4, secret = $3, updated_at = $5
             WHERE account_id = $1 AND name = $2
                 AND ($6 OR old_secret_until IS NULL OR old_secret_until <= $5)";
        let changed = execute!(
            transaction,
            doing,
            sqlx::query(update)
                .bind(account.0)
                .bind(storable(name))
                .bind(&secret)
                .bind(at.plus_minutes(overlap_h.saturating_mul(60)).0)
                .bind(at.0)
                .bind(overlap_h == 0)
        )?;
        if changed == 0 {
            let until: Option<Option<i64>> = within!(transaction, doing, |on| sqlx::query_scalar(
                "SELECT old_secret_until FROM webhooks WHERE account_id = $1 AND name = $2"
            )
            .bind(account.0)
            .bind(storable(name))
            .fetch_optional(on))?;
            return Ok(match until.flatten() {
                Some(until) => Rotated::TooEarly { until: Timestamp(until) },
                None => Rotated::Unknown,
            });
        }
        transaction.commit(doing).await?;
        Ok(Rotated::To(secret))
    }

    /// The webhooks of all accounts that are not disabled.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all_webhooks(&self) -> Result<Vec<(AccountId, String)>, StoreError> {
        let rows: Vec<(i64, String)> = read!(self.base, "listing webhooks", |on| sqlx::query_as(
            "SELECT webhooks.account_id, webhooks.name FROM webhooks
             JOIN accounts ON accounts.id = webhooks.account_id AND NOT accounts.is_disabled
             ORDER BY webhooks.account_id, webhooks.name"
        )
        .fetch_all(on))?;
        Ok(rows.into_iter().map(|(account, name)| (AccountId(account), name)).collect())
    }

    /// Takes the right to send to a webhook, or keeps it: until then nobody else does. `None`: another process has it, or there is no
    /// such webhook.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_webhook(
        &self,
        account: AccountId,
        name: &str,
        owner: &str,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<Option<WebhookJob>, StoreError> {
        let doing = "taking the right to send to a webhook";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let lease = "UPDATE webhooks SET lease = $3, lease_until = $5 WHERE account_id = $1 AND name = $2
                 AND (lease IS NULL OR lease = $3 OR lease_until <= $4)
             RETURNING name, body, old_secret_until, sent_up_to, failures, next_at, last_error, created_at,
                 updated_at, secret, old_secret";
        let row: Option<JobRow> = within!(transaction, doing, |on| sqlx::query_as(lease)
            .bind(account.0)
            .bind(name)
            .bind(owner)
            .bind(at.0)
            .bind(until.0)
            .fetch_optional(on))?;
        transaction.commit(doing).await?;
        let Some((name, body, old_until, sent, failures, next, error, created, updated, secret, old)) = row
        else {
            return Ok(None);
        };
        let webhook = stored((name, body, old_until, sent, failures, next, error, created, updated))?;
        Ok(Some(WebhookJob { webhook, secrets: secrets(secret, old, old_until) }))
    }

    /// Gives back what a process has a right to send to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_webhooks(&self, owner: &str) -> Result<(), StoreError> {
        let doing = "giving back the right to send to webhooks";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let release = "UPDATE webhooks SET lease = NULL, lease_until = NULL WHERE lease = $1";
        execute!(transaction, doing, sqlx::query(release).bind(owner))?;
        transaction.commit(doing).await
    }

    /// Writes down what came of a try of this webhook, or that events were passed over. `false`: another process sends by now, or the
    /// webhook was changed meanwhile, which begins anew; then nothing is written.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn webhook_tried(
        &self,
        account: AccountId,
        webhook: &StoredWebhook,
        owner: &str,
        delivery: Option<&Delivery>,
        tried: &Tried,
    ) -> Result<bool, StoreError> {
        let doing = "writing down what was sent to a webhook";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let update = "UPDATE webhooks SET sent_up_to = coalesce($4, sent_up_to), failures = $5, next_at = $6, last_error = $7
             WHERE account_id = $1 AND name = $2 AND lease = $3 AND updated_at = $8";
        let is_ours = execute!(
            transaction,
            doing,
            sqlx::query(update)
                .bind(account.0)
                .bind(&webhook.name)
                .bind(owner)
                .bind(tried.up_to)
                .bind(i64::from(tried.failures))
                .bind(tried.next_at.map(|at| at.0))
                .bind(tried.last_error.as_deref().map(storable))
                .bind(webhook.updated_at.0)
        )?;
        if is_ours == 0 {
            return Ok(false);
        }
        if let Some(delivery) = delivery {
            write_delivery(&mut transaction, account, &webhook.name, delivery).await?;
        }
        transaction.commit(doing).await?;
        Ok(true)
    }

    /// Writes down a delivery beside the order of events: a test, or one that was sent again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write_delivery(
        &self,
        account: AccountId,
        name: &str,
        delivery: &Delivery,
    ) -> Result<(), StoreError> {
        let doing = "writing down what was sent to a webhook";
        let mut transaction = self.write_behind(doing, Lock::Nothing).await?;
        write_delivery(&mut transaction, account, name, delivery).await?;
        transaction.commit(doing).await
    }

    /// Deliveries of a webhook, the latest first, from the one behind this time and id on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deliveries(
        &self,
        account: AccountId,
        name: &str,
        before: Option<(Timestamp, &str)>,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let (at, id) = before.map_or((i64::MAX, ""), |(at, id)| (at.0, id));
        let rows: Vec<DeliveryRow> = read!(self.base, "listing deliveries", |on| sqlx::query_as(
            "SELECT id, seq, type, state, attempts, status, error, duration_ms, created_at, tried_at
             FROM webhook_deliveries WHERE account_id = $1 AND webhook = $2
                 AND (created_at < $3 OR (created_at = $3 AND id < $4))
             ORDER BY created_at DESC, id DESC LIMIT $5"
        )
        .bind(account.0)
        .bind(storable(name))
        .bind(at)
        .bind(storable(id))
        .bind(at_most(limit))
        .fetch_all(on))?;
        rows.into_iter().map(delivery).collect()
    }

    /// A delivery of a webhook.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delivery(
        &self,
        account: AccountId,
        name: &str,
        id: &str,
    ) -> Result<Option<Delivery>, StoreError> {
        let row: Option<DeliveryRow> = read!(self.base, "reading a delivery", |on| sqlx::query_as(
            "SELECT id, seq, type, state, attempts, status, error, duration_ms, created_at, tried_at
             FROM webhook_deliveries WHERE account_id = $1 AND webhook = $2 AND id = $3"
        )
        .bind(account.0)
        .bind(storable(name))
        .bind(storable(id))
        .fetch_optional(on))?;
        row.map(delivery).transpose()
    }

    /// Deletes deliveries that were first tried before this time, at most `limit` of them; returns how many. One that is tried no more,
    /// since its event is not kept, has failed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_deliveries(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let doing = "deleting old deliveries";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let fail = "UPDATE webhook_deliveries SET state = 'failed' WHERE state = 'pending' AND seq <=
             (SELECT sent_up_to FROM webhooks WHERE webhooks.account_id = webhook_deliveries.account_id
                 AND webhooks.name = webhook_deliveries.webhook)";
        execute!(transaction, doing, sqlx::query(fail))?;
        let delete = "DELETE FROM webhook_deliveries WHERE (account_id, webhook, id) IN
             (SELECT account_id, webhook, id FROM webhook_deliveries
              WHERE created_at < $1 AND state <> 'pending' LIMIT $2)";
        let gone = execute!(transaction, doing, sqlx::query(delete).bind(before.0).bind(at_most(limit)))?;
        transaction.commit(doing).await?;
        Ok(gone)
    }
}

/// Each time it was tried once more; what was taken once stays taken.
async fn write_delivery(
    transaction: &mut Write,
    account: AccountId,
    name: &str,
    delivery: &Delivery,
) -> Result<(), StoreError> {
    let doing = "writing down what was sent to a webhook";
    let insert =
        "INSERT INTO webhook_deliveries (account_id, webhook, id, seq, type, state, attempts, status, error,
             duration_ms, created_at, tried_at)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
         WHERE EXISTS (SELECT 1 FROM webhooks WHERE account_id = $1 AND name = $2)
         ON CONFLICT (account_id, webhook, id) DO UPDATE SET attempts = webhook_deliveries.attempts + 1,
             state = CASE webhook_deliveries.state WHEN 'delivered' THEN 'delivered' ELSE excluded.state END,
             status = excluded.status, error = excluded.error, duration_ms = excluded.duration_ms,
             tried_at = excluded.tried_at";
    execute!(
        transaction,
        doing,
        sqlx::query(insert)
            .bind(account.0)
            .bind(storable(name))
            .bind(&delivery.id)
            .bind(delivery.seq)
            .bind(storable(&delivery.event_type))
            .bind(delivery.state.name())
            .bind(i64::from(delivery.attempts))
            .bind(delivery.status.map(i64::from))
            .bind(delivery.error.as_deref().map(storable))
            .bind(i64::try_from(delivery.duration_ms).unwrap_or(i64::MAX))
            .bind(delivery.created_at.0)
            .bind(delivery.tried_at.0)
    )
    .map(drop)
}

/// id, seq, type, state, attempts, status, error, duration_ms, created_at, tried_at
type DeliveryRow = (String, Option<i64>, String, String, i64, Option<i64>, Option<String>, i64, i64, i64);

fn delivery(
    (id, seq, event_type, state, attempts, status, error, duration_ms, created_at, tried_at): DeliveryRow,
) -> Result<Delivery, StoreError> {
    let state = DeliveryState::of_name(&state)
        .ok_or_else(|| StoreError::Damaged { what: format!("delivery {id}: state {state}") })?;
    Ok(Delivery {
        id,
        seq,
        event_type,
        state,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        status: status.and_then(|status| u16::try_from(status).ok()),
        error,
        duration_ms: duration_ms.unsigned_abs(),
        created_at: Timestamp(created_at),
        tried_at: Timestamp(tried_at),
    })
}

/// 192 random bits, in the form of Standard Webhooks.
fn new_secret() -> String {
    format!("whsec_{}", BASE64.encode(&random_bytes::<24>()))
}

fn secrets(secret: String, old: Option<String>, old_until: Option<i64>) -> Vec<String> {
    let old = old.filter(|_| old_until.is_some_and(|until| until > now().0));
    std::iter::once(secret).chain(old).collect()
}

/// name, body, old_secret_until, sent_up_to, failures, next_at, last_error, created_at, updated_at
type Row = (String, String, Option<i64>, i64, i64, Option<i64>, Option<String>, i64, i64);
/// The same, then secret, old_secret
type JobRow =
    (String, String, Option<i64>, i64, i64, Option<i64>, Option<String>, i64, i64, String, Option<String>);

fn stored(
    (name, body, old_until, sent_up_to, failures, next_at, last_error, created_at, updated_at): Row,
) -> Result<StoredWebhook, StoreError> {
    let damaged = |text: String| StoreError::Damaged { what: format!("webhook {name}: {text}") };
    let body: Value = serde_json::from_str(&body).map_err(|error| damaged(error.to_string()))?;
    let settings = WebhookSettings::new(&name, &body).map_err(|errors| damaged(listed(&errors)))?;
    Ok(StoredWebhook {
        settings,
        rotates_until: old_until.filter(|until| *until > now().0).map(Timestamp),
        sent_up_to,
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        next_at: next_at.map(Timestamp),
        last_error,
        created_at: Timestamp(created_at),
        updated_at: Timestamp(updated_at),
        name,
    })
}

/// Webhooks, as they are changed.
struct Webhooks;

impl Kind for Webhooks {
    type Row = Row;
    type Stored = StoredWebhook;
    type Body = Value;
    type Error = WebhookError;
    const STATEMENTS: Statements = statements!("a webhook", "webhooks", "name, body, old_secret_until, sent_up_to, failures, next_at, last_error, created_at, updated_at" of webhooks by name);

    fn stored(row: Row) -> Result<StoredWebhook, StoreError> {
        stored(row)
    }

    async fn put(
        transaction: &mut Write,
        account: AccountId,
        name: &str,
        before: Before<'_, StoredWebhook>,
        body: Value,
    ) -> Result<StoredWebhook, WebhookError> {
        let settings = WebhookSettings::new(name, &body)?;
        if before.is_nothing() {
            let count: i64 = within!(transaction, Self::STATEMENTS.storing, |on| sqlx::query_scalar(
                "SELECT count(*) FROM webhooks WHERE account_id = $1"
            )
            .bind(account.0)
            .fetch_one(on))?;
            if count >= WEBHOOKS_MAX {
                return Err(WebhookError::TooMany);
            }
        }
        // What happened while nothing was sent is not sent later.
        let begins = settings.enabled && before.stored().is_none_or(|before| !before.settings.enabled);
        let updated_at = changed_at(before.stored().map(|before| before.updated_at));
        let body = serde_json::to_string(&settings)
            .map_err(|error| StoreError::Damaged { what: format!("webhook {name}: {error}") })?;
        let row: Row = within!(transaction, Self::STATEMENTS.storing, |on| {
            sqlx::query_as(
                "INSERT INTO webhooks (account_id, name, body, secret, sent_up_to, failures, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, coalesce((SELECT last_seq FROM event_logs WHERE account_id = $1), 0), 0, $5, $5)
                 ON CONFLICT (account_id, name) DO UPDATE SET body = excluded.body, failures = 0, next_at = NULL,
                     last_error = NULL, updated_at = excluded.updated_at,
                     sent_up_to = CASE WHEN $6 THEN excluded.sent_up_to ELSE webhooks.sent_up_to END
                 RETURNING name, body, old_secret_until, sent_up_to, failures, next_at, last_error, created_at, updated_at",
            )
            .bind(account.0)
            .bind(name)
            .bind(&body)
            .bind(new_secret())
            .bind(updated_at.0)
            .bind(begins)
            .fetch_one(on)
        })?;
        Ok(stored(row)?)
    }

    async fn delete(transaction: &mut Write, account: AccountId, name: &str) -> Result<bool, StoreError> {
        let Statements { delete, storing, .. } = Self::STATEMENTS;
        let deliveries = "DELETE FROM webhook_deliveries WHERE account_id = $1 AND webhook = $2";
        execute!(transaction, storing, sqlx::query(deliveries).bind(account.0).bind(name))?;
        let deleted = execute!(transaction, storing, sqlx::query(delete).bind(account.0).bind(name))?;
        Ok(deleted == 1)
    }
}
