//! Answers to requests that carry an `Idempotency-Key`. A request that is repeated because its answer was lost gets the same answer for a
//! day, from whichever process.
//!
//! ```text
//! begin ──First──▶ the request is carried out ──▶ end(Some(answer)), or end(None) where it may be tried again
//!   ├──UnderWay───▶ another one carries it out at this moment
//!   ├──Answered───▶ it was carried out before
//!   └──OtherRequest: the key was used for something else
//! ```

use crate::{
    Store, StoreError,
    database::{execute, now, postgres::Lock, within},
};
use plenary_model::{AccountId, Timestamp};

/// How long an answer is kept.
const KEPT_MS: i64 = 24 * 3600 * 1000;
/// How long a request may be under way before it counts as given up, with the process that carried it out.
const UNDER_WAY_MS: i64 = 60_000;
/// Rows too old that one request deletes at the most.
const DELETED_AT_ONCE: i64 = 100;

/// What is known of a request when it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: it is to be carried out, and its end to be reported by [`Store::idempotent_end`].
    First,
    /// The same one is being carried out.
    UnderWay,
    /// The key was used for another request.
    OtherRequest,
    /// It was carried out, and this was the answer.
    Answered(Vec<u8>),
}

impl Store {
    /// Notes that a request is carried out from now on, unless it was or is already. Of several that come at once, over all
    /// processes, one is the first. What is a day old counts as not there; what has been under way for a minute counts as given
    /// up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn idempotent_begin(
        &self,
        account: AccountId,
        key_hash: &[u8; 32],
        request_hash: &[u8; 32],
    ) -> Result<Begun, StoreError> {
        self.idempotent_begin_at(account, key_hash, request_hash, now()).await
    }

    async fn idempotent_begin_at(
        &self,
        account: AccountId,
        key_hash: &[u8; 32],
        request_hash: &[u8; 32],
        at: Timestamp,
    ) -> Result<Begun, StoreError> {
        let doing = "noting that a request is under way";
        let too_old = at.0.saturating_sub(KEPT_MS);
        // The row of the key is what requests wait for each other at; those with other keys go on beside.
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let begun = loop {
            let is_first: Option<i64> = within!(transaction, doing, |on| {
                sqlx::query_scalar(
                "INSERT INTO idempotent_answers (account_id, key_hash, request_hash, created_at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (account_id, key_hash) DO UPDATE SET request_hash = excluded.request_hash, answer = NULL,
                     created_at = excluded.created_at
                 WHERE idempotent_answers.created_at <= $5
                     OR (idempotent_answers.answer IS NULL AND idempotent_answers.created_at <= $6)
                 RETURNING created_at"
            )
            .bind(account.0)
            .bind(&key_hash[..])
            .bind(&request_hash[..])
            .bind(at.0)
            .bind(too_old)
            .bind(at.0.saturating_sub(UNDER_WAY_MS))
            .fetch_optional(on)
            })?;
            if is_first.is_some() {
                break Begun::First;
            }
            let row: Option<(Vec<u8>, Option<Vec<u8>>)> = within!(transaction, doing, |on| {
                sqlx::query_as(
                "SELECT request_hash, answer FROM idempotent_answers WHERE account_id = $1 AND key_hash = $2"
            )
            .bind(account.0)
            .bind(&key_hash[..])
            .fetch_optional(on)
            })?;
            match row {
                Some((known, _)) if known != request_hash[..] => break Begun::OtherRequest,
                Some((_, Some(answer))) => break Begun::Answered(answer),
                Some((_, None)) => break Begun::UnderWay,
                // Taken back between the two statements, which only PostgreSQL allows: it is free now.
                None => {}
            }
        };
        if begun == Begun::First {
            // Rows that another one deletes are left to it: no request waits for another here.
            let delete = transaction.text(
                "DELETE FROM idempotent_answers WHERE (account_id, key_hash) IN
                     (SELECT account_id, key_hash FROM idempotent_answers WHERE created_at <= $1
                      ORDER BY created_at LIMIT $2)",
                "DELETE FROM idempotent_answers WHERE (account_id, key_hash) IN
                     (SELECT account_id, key_hash FROM idempotent_answers WHERE created_at <= $1
                      ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
            );
            execute!(transaction, doing, sqlx::query(delete).bind(too_old).bind(DELETED_AT_ONCE))?;
            transaction.commit(doing).await?;
        }
        Ok(begun)
    }

    /// Notes what was answered to a request that was the first. `None`: nothing was done, and it may be tried again. What was
    /// answered once stays: a request that was given up and taken over may end twice.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn idempotent_end(
        &self,
        account: AccountId,
        key_hash: &[u8; 32],
        answer: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let doing = "noting what was answered";
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        match answer {
            Some(answer) => execute!(
                transaction,
                doing,
                sqlx::query(
                    "UPDATE idempotent_answers SET answer = $1
                     WHERE account_id = $2 AND key_hash = $3 AND answer IS NULL"
                )
                .bind(answer)
                .bind(account.0)
                .bind(&key_hash[..])
            ),
            None => execute!(
                transaction,
                doing,
                sqlx::query(
                    "DELETE FROM idempotent_answers WHERE account_id = $1 AND key_hash = $2 AND answer IS NULL"
                )
                .bind(account.0)
                .bind(&key_hash[..])
            ),
        }?;
        transaction.commit(doing).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Location, database::read};

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
    const REQUEST: [u8; 32] = [9; 32];

    fn later(ms: i64) -> Timestamp {
        Timestamp(NOW.0 + ms)
    }

    async fn age_is_what_counts(location: Location) {
        let store = Store::open_at(&location).await.unwrap();
        let bob = store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id;
        let begin = async |key: u8, request: [u8; 32], at| {
            store.idempotent_begin_at(bob, &[key; 32], &request, at).await.unwrap()
        };
        let rows = async || -> i64 {
            read!(store.base, "counting", |on| sqlx::query_scalar("SELECT count(*) FROM idempotent_answers")
                .fetch_one(on))
            .unwrap()
        };
        // Given up after a minute, whatever it was, and taken over by one.
        assert_eq!(begin(1, REQUEST, NOW).await, Begun::First);
        assert_eq!(begin(1, REQUEST, later(UNDER_WAY_MS - 1)).await, Begun::UnderWay);
        assert_eq!(begin(1, REQUEST, later(UNDER_WAY_MS)).await, Begun::First);
        assert_eq!(begin(1, REQUEST, later(UNDER_WAY_MS)).await, Begun::UnderWay);
        // What is answered stays for a day.
        store.idempotent_end(bob, &[1; 32], Some(b"done")).await.unwrap();
        let end = UNDER_WAY_MS + KEPT_MS;
        assert_eq!(begin(1, REQUEST, later(end - 1)).await, Begun::Answered(b"done".to_vec()));
        assert_eq!(begin(1, [8; 32], later(end - 1)).await, Begun::OtherRequest);
        assert_eq!(begin(1, [8; 32], later(end)).await, Begun::First);
        assert_eq!(rows().await, 1);

        // Others are deleted by those that come a day later, so many at once.
        for key in 2..=121 {
            assert_eq!(begin(key, REQUEST, later(end)).await, Begun::First);
            store.idempotent_end(bob, &[key; 32], Some(b"")).await.unwrap();
        }
        assert_eq!(rows().await, 121);
        let next = later(end + KEPT_MS);
        assert_eq!(begin(200, REQUEST, next).await, Begun::First);
        assert_eq!(rows().await, 22);
        assert_eq!(begin(201, REQUEST, next).await, Begun::First);
        assert_eq!(rows().await, 2);
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_a_day_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        age_is_what_counts(Location::in_folder(folder.path())).await;
    }

    #[cfg(feature = "e2e")]
    #[tokio::test]
    async fn an_answer_is_kept_for_a_day_and_no_longer_in_postgres() {
        let postgres = plenary_testing::Postgres::start();
        age_is_what_counts(postgres.url().parse().unwrap()).await;
    }
}
