//! Recordings of conferences: what is known of each. Their audio is in files of the node that made it.

use crate::{
    Store, StoreError,
    database::{execute, is_storable, now, postgres::Lock, read, storable, within},
    events::append,
    named::at_most,
};
use plenary_model::{
    AccountEvent, AccountId, ConferenceName, ConferenceRecordingId, EventKind, EventRecord,
    RecordingManifest, RecordingState, Timestamp,
};
use std::collections::BTreeSet;

/// Recordings that a question finds, by their ids, which sort by time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordingsQuery {
    /// Of the conference of this name.
    pub conference: Option<String>,
    /// Those that began before the one with this id.
    pub before: Option<String>,
    /// So many at the most.
    pub limit: usize,
}

impl Store {
    /// Writes down what is known of a recording: a new one, or how one has ended. Nothing is written for an account that is gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write_recording(&self, manifest: &RecordingManifest) -> Result<(), StoreError> {
        let doing = "writing a recording";
        let text = text_of(manifest)?;
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let insert =
            "INSERT INTO recordings (id, account_id, conference, state, started_at, ended_at, manifest)
             SELECT $1, $2, $3, $4, $5, $6, $7 WHERE EXISTS (SELECT 1 FROM accounts WHERE id = $2)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, ended_at = excluded.ended_at,
                 manifest = excluded.manifest";
        execute!(
            transaction,
            doing,
            sqlx::query(insert)
                .bind(&manifest.id)
                .bind(manifest.account)
                .bind(storable(&manifest.conference))
                .bind(manifest.state.name())
                .bind(manifest.started_at_ms)
                .bind(manifest.ended_at_ms)
                .bind(storable(&text))
        )?;
        transaction.commit(doing).await
    }

    /// A recording of an account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recording(
        &self,
        account: AccountId,
        id: &str,
    ) -> Result<Option<RecordingManifest>, StoreError> {
        if !is_storable(id) {
            return Ok(None);
        }
        let text: Option<String> = read!(self.base, "reading a recording", |on| sqlx::query_scalar(
            "SELECT manifest FROM recordings WHERE account_id = $1 AND id = $2"
        )
        .bind(account.0)
        .bind(id)
        .fetch_optional(on))?;
        text.as_deref().map(manifest_of).transpose()
    }

    /// Recordings of an account, the latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recordings(
        &self,
        account: AccountId,
        query: &RecordingsQuery,
    ) -> Result<Vec<RecordingManifest>, StoreError> {
        let texts: Vec<String> = read!(self.base, "reading recordings", |on| sqlx::query_scalar(
            "SELECT manifest FROM recordings WHERE account_id = $1
                 AND ($2 IS NULL OR conference = $2) AND ($3 IS NULL OR id < $3) ORDER BY id DESC LIMIT $4"
        )
        .bind(account.0)
        .bind(query.conference.as_deref().map(storable))
        .bind(query.before.as_deref().map(storable))
        .bind(at_most(query.limit))
        .fetch_all(on))?;
        texts.iter().map(|text| manifest_of(text)).collect()
    }

    /// Recordings that are still said to run.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn running_recordings(&self) -> Result<Vec<RecordingManifest>, StoreError> {
        let texts: Vec<String> = read!(self.base, "reading recordings that were cut off", |on| {
            sqlx::query_scalar("SELECT manifest FROM recordings WHERE ended_at IS NULL ORDER BY id")
                .fetch_all(on)
        })?;
        texts.iter().map(|text| manifest_of(text)).collect()
    }

    /// The ids of an account's recordings, also of those that are deleted and whose files may still be there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn known_recordings(&self, account: AccountId) -> Result<BTreeSet<String>, StoreError> {
        let ids: Vec<String> = read!(self.base, "reading the ids of recordings", |on| sqlx::query_scalar(
            "SELECT id FROM recordings WHERE account_id = $1
             UNION SELECT id FROM deleted_recordings WHERE account_id = $1"
        )
        .bind(account.0)
        .fetch_all(on))?;
        Ok(ids.into_iter().collect())
    }

    /// Changes what is known of a recording. Nothing is written where it is deleted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn update_recording(&self, manifest: &RecordingManifest) -> Result<(), StoreError> {
        let doing = "changing a recording";
        let text = text_of(manifest)?;
        let mut transaction = self.write_behind(doing, Lock::Nothing).await?;
        let update = "UPDATE recordings SET manifest = $3 WHERE account_id = $1 AND id = $2";
        execute!(
            transaction,
            doing,
            sqlx::query(update).bind(manifest.account).bind(&manifest.id).bind(storable(&text))
        )?;
        transaction.commit(doing).await
    }

    /// Recordings that have been kept as long as their account says, or for so many days where it says nothing (0: for ever), in
    /// the order of their ids, from the one after `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recordings_kept_long_enough(
        &self,
        now: Timestamp,
        days: u32,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(AccountId, String)>, StoreError> {
        let found: Vec<(i64, String)> = read!(self.base, "reading old recordings", |on| sqlx::query_as(
            "SELECT recordings.account_id, recordings.id
             FROM recordings JOIN accounts ON accounts.id = recordings.account_id
             WHERE COALESCE(accounts.recording_days, $2) > 0
                 AND recordings.ended_at < $1 - COALESCE(accounts.recording_days, $2) * 86400000
                 AND recordings.id > $3
             ORDER BY recordings.id LIMIT $4"
        )
        .bind(now.0)
        .bind(i64::from(days))
        .bind(after.unwrap_or_default())
        .bind(at_most(limit))
        .fetch_all(on))?;
        Ok(found.into_iter().map(|(account, id)| (AccountId(account), id)).collect())
    }

    /// Recordings of all accounts that ended before a time, in the order in which they did, from the one that ended then and has this id
    /// on: with when they ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recordings_ended_before(
        &self,
        before: Timestamp,
        after: (Timestamp, &str),
        limit: usize,
    ) -> Result<Vec<(Timestamp, RecordingManifest)>, StoreError> {
        let found: Vec<(i64, String)> = read!(self.base, "reading old recordings", |on| {
            sqlx::query_as(
            "SELECT ended_at, manifest FROM recordings
             WHERE ended_at < $1 AND (ended_at > $2 OR (ended_at = $2 AND id > $3)) ORDER BY ended_at, id LIMIT $4"
        )
        .bind(before.0)
        .bind(after.0.0)
        .bind(after.1)
        .bind(at_most(limit))
        .fetch_all(on)
        })?;
        found.into_iter().map(|(at, text)| Ok((Timestamp(at), manifest_of(&text)?))).collect()
    }

    /// Deletes what is known of a recording that has ended, tells so by an event, and notes that its files are to be deleted
    /// ([`Self::deleted_recordings`]): all in one transaction. `reason`: why, where nobody has asked for it. `false`: there is none that
    /// has ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_recording(
        &self,
        account: AccountId,
        id: &str,
        reason: Option<&str>,
    ) -> Result<bool, StoreError> {
        let doing = "deleting a recording";
        let at = now();
        let mut transaction = self.write_behind(doing, Lock::Nothing).await?;
        let delete =
            "DELETE FROM recordings WHERE account_id = $1 AND id = $2 AND state <> $3 RETURNING conference";
        let conference: Option<String> = within!(transaction, doing, |on| sqlx::query_scalar(delete)
            .bind(account.0)
            .bind(id)
            .bind(RecordingState::Running.name())
            .fetch_optional(on))?;
        let Some(conference) = conference else { return Ok(false) };
        let insert = "INSERT INTO deleted_recordings (id, account_id, deleted_at) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO NOTHING";
        execute!(transaction, doing, sqlx::query(insert).bind(id).bind(account.0).bind(at.0))?;
        let event = EventRecord {
            at,
            conference: Some(ConferenceName::new(conference)),
            participant_id: None,
            actor: self.doing.actor.clone(),
            reason: reason.map(str::to_owned),
            kind: EventKind::RecordingDeleted { recording_id: ConferenceRecordingId(id.to_owned()) },
        };
        let event = AccountEvent { account, event };
        let written = append(&mut transaction, &[event], false).await?.unwrap_or_default();
        transaction.commit(doing).await?;
        self.news.tell(&written);
        Ok(true)
    }

    /// Recordings that are deleted and whose files may still be there, in the order of their ids, from the one after `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deleted_recordings(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(AccountId, String)>, StoreError> {
        let found: Vec<(i64, String)> = read!(self.base, "reading deleted recordings", |on| sqlx::query_as(
            "SELECT account_id, id FROM deleted_recordings WHERE id > $1 ORDER BY id LIMIT $2"
        )
        .bind(after.unwrap_or_default())
        .bind(at_most(limit))
        .fetch_all(on))?;
        Ok(found.into_iter().map(|(account, id)| (AccountId(account), id)).collect())
    }

    /// The files of a deleted recording are gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_deleted_recording(&self, id: &str) -> Result<(), StoreError> {
        let doing = "forgetting a deleted recording";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        execute!(transaction, doing, sqlx::query("DELETE FROM deleted_recordings WHERE id = $1").bind(id))?;
        transaction.commit(doing).await
    }
}

fn text_of(manifest: &RecordingManifest) -> Result<String, StoreError> {
    serde_json::to_string(manifest).map_err(|error| damaged(&manifest.id, &error))
}

fn manifest_of(text: &str) -> Result<RecordingManifest, StoreError> {
    serde_json::from_str(text).map_err(|error| damaged("", &error))
}

fn damaged(id: &str, error: &serde_json::Error) -> StoreError {
    StoreError::Damaged { what: format!("the manifest of a recording {id}: {error}") }
}
