//! Leaders' links: keys of one conference that a browser opens. With the link a session begins, as when a person signs in; it
//! lets do what the link lets, and ends with it. Of links and cookies only hashes are stored.

use crate::{
    Access, Authenticated, KeyId, LeaderSessionId, SESSION_IDLE_MS, SESSION_MS, SessionSecret, SignInFrom,
    Store, StoreError,
    access::{AccountRow, account, account_columns},
    audit::Visitor,
    database::{Write, execute, postgres::Lock, read, storable, within},
    keys::{ApiKey, hash, insert_key, random_text, scopes},
    links::{DELETED_AT_ONCE, LINKS_MAX, LinkSettings, LinksQuery, asked_links, find_links, link_end},
    named::at_most,
    people::sessions::{USED_RESOLUTION_MS, deletes_sessions, kept_user_agent, make_room},
};
use plenary_model::{AccountId, ConferenceName, ReservationToken, Timestamp};

/// What the cookie of a session that began with a link starts with.
pub const LEADER_SECRET_PREFIX: &str = "leader.";
/// Browsers that may have opened one link at a time; a further one ends the oldest session.
const SESSIONS_MAX: usize = 20;

/// A leader's link, without its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderLink {
    /// Its number, among those of keys.
    pub id: KeyId,
    /// Whose it is, as people call it.
    pub label: Option<String>,
    /// The conference that it opens.
    pub conference: ConferenceName,
    /// The reservation with which it ends.
    pub reservation: Option<ReservationToken>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it counts: its own end, or that of the reservation; `None`: until it is revoked.
    pub expires_at: Option<Timestamp>,
    /// When it was last used; accurate to a minute.
    pub last_used_at: Option<Timestamp>,
}

/// A browser that has opened a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderSession {
    /// Its number.
    pub id: LeaderSessionId,
    /// The link.
    pub link: LeaderLink,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used; accurate to a minute.
    pub last_used_at: Timestamp,
    /// From where it began.
    pub address: Option<String>,
    /// What the browser called itself.
    pub user_agent: Option<String>,
}

impl LeaderSession {
    /// Until when it counts, if it is not used again: as a person's, and no longer than its link.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        let session = Timestamp(self.created_at.0.saturating_add(SESSION_MS))
            .min(Timestamp(self.last_used_at.0.saturating_add(SESSION_IDLE_MS)));
        self.link.expires_at.map_or(session, |end| session.min(end))
    }
}

/// The columns of a [`LinkRow`].
macro_rules! link_columns {
    () => {
        concat!(
            "api_keys.id, api_keys.label, api_keys.conference, api_keys.reservation, api_keys.created_at, ",
            link_end!("api_keys"),
            ", api_keys.last_used_at"
        )
    };
}

/// [`link_columns`].
type LinkRow = (i64, Option<String>, Option<String>, Option<String>, i64, Option<i64>, Option<i64>);

/// id, `created_at`, `last_used_at`, address, `user_agent`
type SessionRow = (i64, i64, i64, Option<String>, Option<String>);

fn link((id, label, conference, reservation, created_at, expires_at, last_used_at): LinkRow) -> LeaderLink {
    LeaderLink {
        id: KeyId(id),
        label,
        conference: ConferenceName::new(conference.unwrap_or_default()),
        reservation: reservation.map(ReservationToken::new),
        created_at: Timestamp(created_at),
        expires_at: expires_at.map(Timestamp),
        last_used_at: last_used_at.map(Timestamp),
    }
}

/// Links that are not revoked, of accounts that are not disabled, which have not ended at `$1`, under a condition.
macro_rules! links {
    ($condition:expr) => {
        concat!(
            "SELECT ",
            link_columns!(),
            " FROM api_keys JOIN accounts ON accounts.id = api_keys.account_id
             WHERE api_keys.leader_link AND api_keys.revoked_at IS NULL AND NOT accounts.is_disabled AND (",
            link_end!("api_keys"),
            " > $1 OR (api_keys.reservation IS NULL AND api_keys.expires_at IS NULL)) AND ",
            $condition
        )
    };
}

/// A link that ended before `$1`: those of reservations that are gone or over are nobody's any more.
macro_rules! over {
    () => {
        concat!("api_keys.leader_link AND ", link_end!("api_keys"), " < $1")
    };
}

/// The account of the link with this number.
const ACCOUNT_OF_LINK: &str = concat!(
    "SELECT ",
    account_columns!(),
    " FROM accounts WHERE accounts.id = (SELECT account_id FROM api_keys WHERE api_keys.id = $1)"
);

impl Store {
    /// Makes a link. The code is in what this returns alone.
    ///
    /// # Errors
    /// [`StoreError::KeySettings`] where the label or the end is not allowed, [`StoreError::TooManyKeys`].
    pub async fn leader_link_new(
        &self,
        account: AccountId,
        new: &LinkSettings,
        now: Timestamp,
    ) -> Result<(LeaderLink, ApiKey), StoreError> {
        let settings = new.key(now)?;
        let doing = "making a leader's link";
        let mut transaction = self.write(doing).await?;
        let over = concat!(
            "SELECT api_keys.id FROM api_keys WHERE api_keys.account_id = $2 AND ",
            over!(),
            " ORDER BY api_keys.id LIMIT $3"
        );
        let over: Vec<i64> = within!(transaction, doing, |on| sqlx::query_scalar(over)
            .bind(now.0.saturating_sub(SESSION_MS))
            .bind(account.0)
            .bind(DELETED_AT_ONCE)
            .fetch_all(on))?;
        for id in over {
            delete_link(&mut transaction, id, doing).await?;
        }
        let links: i64 = within!(transaction, doing, |on| sqlx::query_scalar(
            "SELECT count(*) FROM api_keys WHERE account_id = $1 AND leader_link AND revoked_at IS NULL"
        )
        .bind(account.0)
        .fetch_one(on))?;
        if links >= LINKS_MAX {
            return Err(StoreError::TooManyKeys { most: LINKS_MAX });
        }
        let (info, code) = insert_key(&mut transaction, account, &settings, now).await?;
        let mark = "UPDATE api_keys SET leader_link = $2, reservation = $3 WHERE id = $1";
        let token = new.reservation.as_ref().map(ReservationToken::as_str);
        execute!(transaction, doing, sqlx::query(mark).bind(info.id.0).bind(true).bind(token))?;
        let select = concat!("SELECT ", link_columns!(), " FROM api_keys WHERE api_keys.id = $1");
        let row: LinkRow =
            within!(transaction, doing, |on| sqlx::query_as(select).bind(info.id.0).fetch_one(on))?;
        transaction.commit(doing).await?;
        Ok((link(row), code))
    }

    /// Links of an account that count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leader_links(
        &self,
        account: AccountId,
        query: &LinksQuery,
        now: Timestamp,
    ) -> Result<Vec<LeaderLink>, StoreError> {
        let select = links!(asked_links!("api_keys", ""));
        let rows: Vec<LinkRow> =
            find_links!(self.base, "listing leaders' links", select, account, query, now)?;
        Ok(rows.into_iter().map(link).collect())
    }

    /// Revokes a link, and ends the sessions that began with it. `false`: the account has none of this number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_leader_link(
        &self,
        account: AccountId,
        id: KeyId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let doing = "revoking a leader's link";
        let mut transaction = self.write(doing).await?;
        let revoke = "UPDATE api_keys SET revoked_at = $3 WHERE id = $1 AND account_id = $2 AND leader_link AND revoked_at IS NULL";
        let revoked =
            execute!(transaction, doing, sqlx::query(revoke).bind(id.0).bind(account.0).bind(now.0))?;
        if revoked == 1 {
            let end = "DELETE FROM leader_sessions WHERE key_id = $1";
            execute!(transaction, doing, sqlx::query(end).bind(id.0))?;
        }
        let committed = transaction.commit(doing).await;
        // Also where the answer to the commit did not come: it may be done.
        self.forget_keys();
        committed?;
        Ok(revoked == 1)
    }

    /// Deletes links that have ended, of all accounts, at most `limit` of them; returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_leader_links(&self, now: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let doing = "deleting old leaders' links";
        let before = now.0.saturating_sub(SESSION_MS);
        let over =
            concat!("SELECT api_keys.id FROM api_keys WHERE ", over!(), " ORDER BY api_keys.id LIMIT $2");
        let found: Vec<i64> = read!(self.base, doing, |on| sqlx::query_scalar(over)
            .bind(before)
            .bind(at_most(limit))
            .fetch_all(on))?;
        if found.is_empty() {
            return Ok(0);
        }
        // Behind the lock of those who begin sessions.
        let mut transaction = self.base.write(doing, Lock::Settings).await?;
        let is_over = concat!("SELECT api_keys.id FROM api_keys WHERE ", over!(), " AND api_keys.id = $2");
        let mut gone = 0;
        for id in found {
            let id: Option<i64> = within!(transaction, doing, |on| sqlx::query_scalar(is_over)
                .bind(before)
                .bind(id)
                .fetch_optional(on))?;
            if let Some(id) = id {
                delete_link(&mut transaction, id, doing).await?;
                gone += 1;
            }
        }
        transaction.commit(doing).await?;
        Ok(gone)
    }

    /// Begins a session with the code of a link. `None`: it does not count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_leader_link(
        &self,
        code: &str,
        from: SignInFrom<'_>,
        now: Timestamp,
    ) -> Result<Option<SessionSecret>, StoreError> {
        let doing = "opening a leader's link";
        let mut transaction = self.write(doing).await?;
        let found: Option<LinkRow> =
            within!(transaction, doing, |on| sqlx::query_as(links!("api_keys.hash = $2"))
                .bind(now.0)
                .bind(&hash(code)[..])
                .fetch_optional(on))?;
        let Some(found) = found.map(link) else { return Ok(None) };
        let deletes = deletes_sessions!("leader_sessions", "key_id");
        make_room(&mut transaction, doing, deletes, found.id.0, SESSIONS_MAX, now).await?;
        let secret = SessionSecret(format!("{LEADER_SECRET_PREFIX}{}", random_text()));
        execute!(
            transaction,
            doing,
            sqlx::query(
                "INSERT INTO leader_sessions (key_id, hash, created_at, last_used_at, address, user_agent)
                 VALUES ($1, $2, $3, $3, $4, $5)"
            )
            .bind(found.id.0)
            .bind(&hash(secret.as_str())[..])
            .bind(now.0)
            .bind(from.address.map(|address| address.to_canonical().to_string()))
            .bind(from.user_agent.and_then(kept_user_agent))
        )?;
        execute!(
            transaction,
            doing,
            sqlx::query("UPDATE api_keys SET last_used_at = $2 WHERE id = $1").bind(found.id.0).bind(now.0)
        )?;
        let row: AccountRow =
            within!(transaction, doing, |on| sqlx::query_as(ACCOUNT_OF_LINK).bind(found.id.0).fetch_one(on))?;
        self.doing.note_visitor(&mut transaction, Visitor::Leader(&account(row), found.id)).await?;
        transaction.commit(doing).await?;
        Ok(Some(secret))
    }

    /// The session of a cookie that began with a link, and what it lets do, if it counts; notes that it is used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leader_session(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<(LeaderSession, Access)>, StoreError> {
        let doing = "looking up the session of a leader's link";
        let given = hash(secret);
        let row: Option<SessionRow> = read!(self.base, doing, |on| {
            sqlx::query_as(
            "SELECT id, created_at, last_used_at, address, user_agent FROM leader_sessions WHERE hash = $1"
        )
        .bind(&given[..])
        .fetch_optional(on)
        })?;
        let Some((id, created_at, last_used_at, address, user_agent)) = row else { return Ok(None) };
        let found: Option<LinkRow> = read!(self.base, doing, |on| sqlx::query_as(links!(
            "api_keys.id = (SELECT key_id FROM leader_sessions WHERE id = $2)"
        ))
        .bind(now.0)
        .bind(id)
        .fetch_optional(on))?;
        let Some(found) = found else { return Ok(None) };
        let session = LeaderSession {
            id: LeaderSessionId(id),
            link: link(found),
            created_at: Timestamp(created_at),
            last_used_at: Timestamp(last_used_at),
            address,
            user_agent,
        };
        if now >= session.ends_at() {
            return Ok(None);
        }
        let row: Option<AccountRow> = read!(self.base, doing, |on| sqlx::query_as(ACCOUNT_OF_LINK)
            .bind(session.link.id.0)
            .fetch_optional(on))?;
        let names: Option<String> =
            read!(self.base, doing, |on| sqlx::query_scalar("SELECT scopes FROM api_keys WHERE id = $1")
                .bind(session.link.id.0)
                .fetch_optional(on))?;
        let (Some(row), Some(names)) = (row, names) else { return Ok(None) };
        let access = Access {
            account: account(row),
            by: Authenticated::Leader { link: session.link.id, session: session.id },
            scopes: scopes(session.link.id.0, &names)?,
            only_reads: false,
            conference: Some(session.link.conference.clone()),
        };
        if !(0..USED_RESOLUTION_MS).contains(&now.0.saturating_sub(session.last_used_at.0)) {
            self.note(
                "UPDATE leader_sessions SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1",
                now,
                id,
            );
        }
        Ok(Some((session, access)))
    }

    /// Whether a session that began with a link still counts; that it is asked is no use of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leader_session_counts(
        &self,
        id: LeaderSessionId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let doing = "looking up the session of a leader's link";
        let row: Option<LinkRow> = read!(self.base, doing, |on| {
            sqlx::query_as(links!(
            "api_keys.id = (SELECT key_id FROM leader_sessions WHERE id = $2 AND created_at > $3 AND last_used_at > $4)"
        ))
        .bind(now.0)
        .bind(id.0)
        .bind(now.0.saturating_sub(SESSION_MS))
        .bind(now.0.saturating_sub(SESSION_IDLE_MS))
        .fetch_optional(on)
        })?;
        Ok(row.is_some())
    }

    /// Ends a session that began with a link.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_leader_session(&self, id: LeaderSessionId) -> Result<(), StoreError> {
        let doing = "ending the session of a leader's link";
        let mut transaction = self.write(doing).await?;
        let delete = "DELETE FROM leader_sessions WHERE id = $1";
        execute!(transaction, doing, sqlx::query(delete).bind(id.0))?;
        transaction.commit(doing).await
    }
}

/// Deletes a link, and the sessions that began with it.
async fn delete_link(transaction: &mut Write, id: i64, doing: &'static str) -> Result<(), StoreError> {
    for delete in ["DELETE FROM leader_sessions WHERE key_id = $1", "DELETE FROM api_keys WHERE id = $1"] {
        execute!(transaction, doing, sqlx::query(delete).bind(id))?;
    }
    Ok(())
}
