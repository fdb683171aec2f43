//! What links of leaders and of guests have in common: each is of one conference, and ends with a reservation, at a time, or when
//! it is revoked. Of their codes only hashes are stored.

use crate::StoreError;
use plenary_model::{ConferenceName, FieldError, KeySettings, ReservationToken, Scopes, Timestamp};

/// Links of an account that are made by hand and not revoked, of each kind, at the most.
pub(crate) const LINKS_MAX: i64 = 10_000;
/// Rows that are over which a new one deletes at the most.
pub(crate) const DELETED_AT_ONCE: i64 = 100;

/// A link that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSettings {
    /// Whose it is, as people call it.
    pub label: Option<String>,
    /// The conference that it opens.
    pub conference: ConferenceName,
    /// The reservation with which it ends; then it has no end of its own.
    pub reservation: Option<ReservationToken>,
    /// Until when it counts.
    pub expires_at: Option<Timestamp>,
}

impl LinkSettings {
    /// What is wrong with it, as far as that is seen by itself.
    #[must_use]
    pub fn check(&self, now: Timestamp) -> Vec<FieldError> {
        self.settings().check_new(now)
    }

    /// The key of one conference that it is.
    fn settings(&self) -> KeySettings {
        KeySettings {
            label: self.label.clone(),
            scopes: Scopes::conference(),
            conference: Some(self.conference.clone()),
            expires_at: self.expires_at,
        }
    }

    pub(crate) fn key(&self, now: Timestamp) -> Result<KeySettings, StoreError> {
        let errors = self.check(now);
        if errors.is_empty() { Ok(self.settings()) } else { Err(StoreError::KeySettings(errors)) }
    }
}

/// Links that a question finds, the oldest first. What is `None` is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinksQuery {
    /// Of this conference.
    pub conference: Option<ConferenceName>,
    /// Of this reservation.
    pub reservation: Option<ReservationToken>,
    /// After the one with this number.
    pub after: Option<i64>,
    /// So many at the most.
    pub limit: usize,
}

/// When a row of this table ends: with its reservation, however that is extended or removed, or at a time of its own.
macro_rules! link_end {
    ($table:literal) => {
        concat!(
            "CASE WHEN ",
            $table,
            ".reservation IS NULL THEN ",
            $table,
            ".expires_at ELSE coalesce((SELECT reservations.ends_at FROM reservations WHERE reservations.token = ",
            $table,
            ".reservation), 0) END"
        )
    };
}
pub(crate) use link_end;

/// The links of an account in this table that a [`LinksQuery`] finds: what is asked after the condition that they count at `$1`.
/// `$also`: which ones are of the reservation `$5` beside its own.
macro_rules! asked_links {
    ($table:literal, $also:literal) => {
        concat!(
            $table,
            ".account_id = $2 AND ",
            $table,
            ".id > $3 AND ($4 IS NULL OR ",
            $table,
            ".conference = $4) AND ($5 IS NULL OR ",
            $table,
            ".reservation = $5",
            $also,
            ") ORDER BY ",
            $table,
            ".id LIMIT $6"
        )
    };
}
pub(crate) use asked_links;

/// The rows that a statement with [`asked_links`] finds.
macro_rules! find_links {
    ($base:expr, $doing:expr, $select:expr, $account:expr, $query:expr, $now:expr) => {{
        let conference = $query.conference.as_ref().map(|name| storable(name.as_str()).into_owned());
        let reservation = $query.reservation.as_ref().map(|token| storable(token.as_str()).into_owned());
        read!($base, $doing, |on| sqlx::query_as($select)
            .bind($now.0)
            .bind($account.0)
            .bind($query.after.unwrap_or(i64::MIN))
            .bind(conference.as_deref())
            .bind(reservation.as_deref())
            .bind(at_most($query.limit))
            .fetch_all(on))
    }};
}
pub(crate) use find_links;
