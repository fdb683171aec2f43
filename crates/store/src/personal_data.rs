//! Numbers of people in what is stored of calls, and taking them out.

use crate::{
    Store, StoreError,
    database::{execute, list, postgres::Lock, read, within},
    named::at_most,
};
use plenary_model::{AccountId, Redaction, Timestamp, is_of_person};

const DOING: &str = "taking personal data out of records";
/// Records that are read at once.
const PAGE: usize = 1000;

/// What was found of a person, and taken out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Redacted {
    /// Call records.
    pub calls: u64,
    /// Stays in conferences of the history.
    pub history: u64,
}

impl Store {
    /// Takes a number out of the records of an account's calls that are over. The history of conferences shows it from
    /// there, so it is gone from there too.
    ///
    /// # Errors
    /// When the database fails; what was done before stays done.
    pub async fn redact_number(
        &self,
        account: AccountId,
        number: &str,
        how: Redaction,
        at: Timestamp,
    ) -> Result<Redacted, StoreError> {
        let (mut redacted, mut after) = (Redacted::default(), String::new());
        loop {
            let rows: Vec<(String, String, String)> = read!(self.base, DOING, |on| {
                sqlx::query_as(
                "SELECT id, caller, called FROM calls WHERE account_id = $1 AND ended_at IS NOT NULL AND id > $2
                 ORDER BY id LIMIT $3"
            )
            .bind(account.0)
            .bind(after.as_str())
            .bind(at_most(PAGE))
            .fetch_all(on)
            })?;
            let is_last = rows.len() < PAGE;
            if let Some((id, ..)) = rows.last() {
                after.clone_from(id);
            }
            let found: Vec<_> = rows
                .into_iter()
                .filter_map(|(id, caller, called)| {
                    let [is_caller, is_called] = [&caller, &called].map(|text| is_of_person(text, number));
                    let kept = |text: String, is_it| if is_it { how.apply(&text) } else { text };
                    (is_caller || is_called).then(|| (id, kept(caller, is_caller), kept(called, is_called)))
                })
                .collect();
            redacted.calls += found.len() as u64;
            redacted.history += self.rewrite(&found, at).await?;
            if is_last {
                return Ok(redacted);
            }
        }
    }

    /// Takes the other side's number out of records of calls that ended before a time, at most `limit` of them; returns how
    /// many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn redact_old(
        &self,
        before: Timestamp,
        how: Redaction,
        at: Timestamp,
        limit: usize,
    ) -> Result<u64, StoreError> {
        let rows: Vec<(String, String, String, String)> = read!(self.base, DOING, |on| sqlx::query_as(
            "SELECT id, caller, called, direction FROM calls WHERE ended_at < $1 AND redacted_at IS NULL
             ORDER BY ended_at LIMIT $2"
        )
        .bind(before.0)
        .bind(at_most(limit))
        .fetch_all(on))?;
        let found: Vec<_> = rows
            .into_iter()
            .map(|(id, caller, called, direction)| match direction.as_str() {
                "out" => (id, caller, how.apply(&called)),
                _ => (id, how.apply(&caller), called),
            })
            .collect();
        self.rewrite(&found, at).await?;
        Ok(found.len() as u64)
    }

    /// Writes callers and called names anew: id, caller, called. How many stays of the history show them.
    async fn rewrite(&self, found: &[(String, String, String)], at: Timestamp) -> Result<u64, StoreError> {
        if found.is_empty() {
            return Ok(0);
        }
        let mut transaction = self.write_behind(DOING, Lock::Nothing).await?;
        for (id, caller, called) in found {
            let update = "UPDATE calls SET caller = $1, called = $2, redacted_at = $3 WHERE id = $4";
            execute!(transaction, DOING, sqlx::query(update).bind(caller).bind(called).bind(at.0).bind(id))?;
        }
        let count = transaction.text(
            "SELECT COUNT(*) FROM history_participants WHERE participant IN (SELECT value FROM json_each($1))",
            "SELECT COUNT(*) FROM history_participants WHERE participant = ANY (ARRAY (SELECT
                 json_array_elements_text($1::json)))",
        );
        let ids = list(found.iter().map(|(id, ..)| id.as_str()));
        let stays: i64 =
            within!(transaction, DOING, |on| sqlx::query_scalar(count).bind(&ids).fetch_one(on))?;
        transaction.commit(DOING).await?;
        Ok(u64::try_from(stays).unwrap_or_default())
    }
}
