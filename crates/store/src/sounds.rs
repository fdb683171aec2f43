//! How voices are made to sound, as far as it outlives the conference that runs: of accounts and of reservations.

use crate::{
    Store, StoreError,
    database::{execute, read},
};
use plenary_model::{AccountId, AudioOwner, ReservationToken, StoredAudio, Timestamp};

impl Store {
    /// Keeps how voices are made to sound. `false`: there is no such owner.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_sound(&self, owner: &AudioOwner, sound: StoredAudio) -> Result<bool, StoreError> {
        let doing = "keeping how voices sound";
        let mut transaction = self.write(doing).await?;
        let statement = match owner {
            AudioOwner::Account(_) => {
                "UPDATE accounts SET automatic_gain = $1, noise_suppression = $2 WHERE id = $3"
            }
            AudioOwner::Reservation(_) => {
                "UPDATE reservations SET automatic_gain = $1, noise_suppression = $2 WHERE token = $3"
            }
        };
        let done = execute!(transaction, doing, {
            let update = sqlx::query(statement).bind(sound.automatic_gain).bind(sound.noise_suppression);
            match owner {
                AudioOwner::Account(account) => update.bind(account.0),
                AudioOwner::Reservation(token) => update.bind(token.as_str()),
            }
        })?;
        transaction.commit(doing).await?;
        Ok(done == 1)
    }

    /// What was set for accounts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account_sounds(&self) -> Result<Vec<(AccountId, StoredAudio)>, StoreError> {
        let rows: Vec<(i64, Option<bool>, Option<bool>)> =
            read!(self.base, "reading how voices sound", |on| sqlx::query_as(
                "SELECT id, automatic_gain, noise_suppression FROM accounts
             WHERE automatic_gain IS NOT NULL OR noise_suppression IS NOT NULL",
            )
            .fetch_all(on))?;
        let sound = |(account, automatic_gain, noise_suppression)| {
            (AccountId(account), StoredAudio { automatic_gain, noise_suppression })
        };
        Ok(rows.into_iter().map(sound).collect())
    }

    /// What was set for [`Store::open_reservations`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reservation_sounds(
        &self,
        now: Timestamp,
        completed_minutes: u32,
    ) -> Result<Vec<(ReservationToken, StoredAudio)>, StoreError> {
        let rows: Vec<(String, Option<bool>, Option<bool>)> =
            read!(self.base, "reading how voices sound", |on| sqlx::query_as(
                "SELECT token, automatic_gain, noise_suppression FROM reservations
             WHERE ends_at > $1 AND (automatic_gain IS NOT NULL OR noise_suppression IS NOT NULL)",
            )
            .bind(now.minus_minutes(completed_minutes).0)
            .fetch_all(on))?;
        let sound = |(token, automatic_gain, noise_suppression)| {
            (ReservationToken::new(token), StoredAudio { automatic_gain, noise_suppression })
        };
        Ok(rows.into_iter().map(sound).collect())
    }
}
