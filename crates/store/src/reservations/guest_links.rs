//! Guests' links: who has the code of one calls one conference as a participant, without an account and for nothing else. Mails and
//! calendars have codes too, for each guest the same one each time: such a code is derived from a salt that is stored and a key of
//! the installation. Of every code only a hash is stored.

use super::statements::{ReservationRow, reservation_columns, stored_reservation};
use crate::{
    Store, StoreError,
    database::{Write, execute, is_storable, postgres::Lock, random_bytes, read, storable, within},
    keys::{hash, mac},
    links::{DELETED_AT_ONCE, LINKS_MAX, LinkSettings, LinksQuery, asked_links, find_links, link_end},
    named::at_most,
    people::sessions::USED_RESOLUTION_MS,
};
use data_encoding::BASE32_NOPAD;
use hmac::Mac;
use plenary_conference::{Reservation, ReservationToken, Timestamp};
use plenary_model::{AccountId, ConferenceName, GuestToken, Token, login_of};

/// The key of the installation from which codes of mails and calendars are derived.
const KEY_NAME: &str = "guest_links";
/// A code has so many random octets: it cannot be guessed.
const CODE_BYTES: usize = 20;
/// The same in characters.
const CODE_CHARS: usize = 32;
/// Links that are over are known for so long, so that the answer to an old code differs from that to a guess.
const OVER_KEPT_MS: i64 = 30 * 24 * 3_600_000;
/// Links that are looked through at once for those of a person.
const LINKS_AT_ONCE: usize = 1000;
/// Dates of a series that are looked through for one to which a guest is invited.
const DATES_MAX: usize = 400;

/// A guest's link, without its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestLink {
    /// Its number.
    pub id: i64,
    /// Whose it is, as people call it.
    pub label: Option<String>,
    /// The conference that it leads to.
    pub conference: ConferenceName,
    /// The reservation with which it ends.
    pub reservation: Option<ReservationToken>,
    /// The series with which it ends.
    pub series: Option<i64>,
    /// What it was made for.
    pub purpose: LinkPurpose,
    /// The mail address of the guest in whose mails it is.
    pub guest: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it counts: its own end, or that of the reservation or the series; `None`: until it is revoked.
    pub expires_at: Option<Timestamp>,
    /// When it was last used; accurate to a minute.
    pub last_used_at: Option<Timestamp>,
}

/// What a link was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// It was made and shown by hand.
    Manual,
    /// The mails to a guest.
    Mail,
    /// The event for calendars.
    Calendar,
}

/// What a link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenGuestLink {
    /// Whose conference it is.
    pub account: AccountId,
    /// The conference.
    pub conference: ConferenceName,
    /// The reservation; of a series the date that runs, or the next one.
    pub reservation: Option<Reservation>,
}

/// id, label, conference, reservation, series, guest, whether its code is derived, `created_at`, its end, `last_used_at`
type LinkRow = (
    i64,
    Option<String>,
    String,
    Option<String>,
    Option<i64>,
    Option<String>,
    bool,
    i64,
    Option<i64>,
    Option<i64>,
);

/// When a link ends.
macro_rules! end {
    () => {
        concat!(
            "CASE WHEN guest_links.series IS NULL THEN ",
            link_end!("guest_links"),
            " ELSE coalesce((SELECT max(reservations.ends_at) FROM reservations
                  WHERE reservations.series = guest_links.series), 0) END"
        )
    };
}

/// It has been over since before `$1`. Links that are not old enough for that are not looked at closely.
macro_rules! over {
    () => {
        concat!("guest_links.created_at < $1 AND (", end!(), " < $1 OR guest_links.revoked_at < $1)")
    };
}

macro_rules! columns {
    () => {
        concat!(
            "guest_links.id, guest_links.label, guest_links.conference, guest_links.reservation, guest_links.series,
             guest_links.guest, guest_links.salt IS NOT NULL, guest_links.created_at, ",
            end!(),
            ", guest_links.last_used_at"
        )
    };
}

fn link(row: LinkRow) -> GuestLink {
    let (id, label, conference, token, series, guest, is_derived, created_at, expires_at, last_used_at) = row;
    let purpose = match (is_derived, &guest) {
        (false, _) => LinkPurpose::Manual,
        (true, Some(_)) => LinkPurpose::Mail,
        (true, None) => LinkPurpose::Calendar,
    };
    GuestLink {
        id,
        label,
        conference: ConferenceName::new(conference),
        reservation: token.map(ReservationToken::new),
        series,
        purpose,
        guest,
        created_at: Timestamp(created_at),
        expires_at: expires_at.map(Timestamp),
        last_used_at: last_used_at.map(Timestamp),
    }
}

/// Lower-case letters and digits from two to seven.
fn code_of(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(&bytes[..CODE_BYTES]).to_ascii_lowercase()
}

fn derived_code(key: &[u8], salt: &[u8]) -> String {
    let mut mac = mac(key, "guest link ");
    mac.update(salt);
    code_of(&mac.finalize().into_bytes())
}

/// Whether a text can be the code of a link; tokens have dots.
pub(crate) fn is_code(text: &str) -> bool {
    text.len() == CODE_CHARS && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// How a code stands.
enum Standing {
    Unknown,
    /// It was revoked, or its time is over.
    Over,
    Open(Box<OpenGuestLink>),
}

/// What the code of a mail or a calendar is for.
struct CodeKey<'a> {
    account: AccountId,
    token: Option<&'a str>,
    series: Option<i64>,
    guest: Option<String>,
}

impl<'a> CodeKey<'a> {
    fn new(reservation: &'a Reservation, guest: Option<&str>) -> Self {
        let series = reservation.series.map(|date| date.series);
        Self {
            account: reservation.account,
            // Guests of a series have one link for all dates.
            token: series.is_none().then(|| reservation.token.as_str()),
            series,
            guest: guest.map(login_of),
        }
    }
}

/// The salt of the code of a mail or a calendar: of an account (1), a reservation (2) or a series (3), and a guest (4; empty: the calendar).
const SALT: &str = "SELECT salt FROM guest_links WHERE account_id = $1 AND (reservation = $2 OR series = $3)
     AND coalesce(guest, '') = $4 AND salt IS NOT NULL AND revoked_at IS NULL ORDER BY id LIMIT 1";

impl Store {
    /// Makes a link, of a series where one is named. The code is in what this returns alone.
    ///
    /// # Errors
    /// [`StoreError::KeySettings`] where the label or the end is not allowed, [`StoreError::TooManyKeys`].
    pub async fn guest_link_new(
        &self,
        account: AccountId,
        new: &LinkSettings,
        series: Option<i64>,
        now: Timestamp,
    ) -> Result<(GuestLink, String), StoreError> {
        new.key(now)?;
        let doing = "making a guest's link";
        let mut transaction = self.write(doing).await?;
        forget_old(&mut transaction, account, now).await?;
        let links: i64 = within!(transaction, doing, |on| {
            sqlx::query_scalar(
            "SELECT count(*) FROM guest_links WHERE account_id = $1 AND salt IS NULL AND revoked_at IS NULL"
        )
        .bind(account.0)
        .fetch_one(on)
        })?;
        if links >= LINKS_MAX {
            return Err(StoreError::TooManyKeys { most: LINKS_MAX });
        }
        let code = code_of(&random_bytes::<CODE_BYTES>());
        let hashed = hash(&code);
        let id: i64 = within!(transaction, doing, |on| {
            sqlx::query_scalar(
            "INSERT INTO guest_links (account_id, hash, label, conference, reservation, series, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id"
        )
        .bind(account.0)
        .bind(&hashed[..])
        .bind(new.label.as_deref())
        .bind(new.conference.as_str())
        .bind(new.reservation.as_ref().map(ReservationToken::as_str))
        .bind(series)
        .bind(now.0)
        .bind(new.expires_at.map(|at| at.0))
        .fetch_one(on)
        })?;
        let select = concat!("SELECT ", columns!(), " FROM guest_links WHERE guest_links.id = $1");
        let row: LinkRow = within!(transaction, doing, |on| sqlx::query_as(select).bind(id).fetch_one(on))?;
        transaction.commit(doing).await?;
        Ok((link(row), code))
    }

    /// The code by which a guest of a reservation joins, or, without a guest, who reads the reservation from a calendar: each time the
    /// same one, until it is revoked. Of a series it is of all dates.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn guest_code_for(
        &self,
        reservation: &Reservation,
        guest: Option<&str>,
        now: Timestamp,
    ) -> Result<String, StoreError> {
        let key = self.secret(KEY_NAME).await?;
        let of = CodeKey::new(reservation, guest);
        let looked_for = of.guest.as_deref().unwrap_or_default();
        let doing = "looking for a guest's link";
        let salt: Option<Vec<u8>> = read!(self.base, doing, |on| sqlx::query_scalar(SALT)
            .bind(of.account.0)
            .bind(of.token)
            .bind(of.series)
            .bind(looked_for)
            .fetch_optional(on))?;
        if let Some(salt) = salt {
            return Ok(derived_code(&key, &salt));
        }
        let doing = "making the link of a guest";
        let mut transaction = self.write(doing).await?;
        // Another process may have made it just now.
        let salt: Option<Vec<u8>> = within!(transaction, doing, |on| sqlx::query_scalar(SALT)
            .bind(of.account.0)
            .bind(of.token)
            .bind(of.series)
            .bind(looked_for)
            .fetch_optional(on))?;
        if let Some(salt) = salt {
            return Ok(derived_code(&key, &salt));
        }
        forget_old(&mut transaction, of.account, now).await?;
        let salt = random_bytes::<CODE_BYTES>();
        let code = derived_code(&key, &salt);
        let hashed = hash(&code);
        execute!(
            transaction,
            doing,
            sqlx::query(
                "INSERT INTO guest_links (account_id, hash, salt, conference, reservation, series, guest, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            )
            .bind(of.account.0)
            .bind(&hashed[..])
            .bind(&salt[..])
            .bind(reservation.name.as_str())
            .bind(of.token)
            .bind(of.series)
            .bind(of.guest.as_deref())
            .bind(now.0)
        )?;
        transaction.commit(doing).await?;
        Ok(code)
    }

    /// Links of an account that count. Those of a reservation are also those of the series that it is a date of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn guest_links(
        &self,
        account: AccountId,
        query: &LinksQuery,
        now: Timestamp,
    ) -> Result<Vec<GuestLink>, StoreError> {
        let select = concat!(
            "SELECT ",
            columns!(),
            " FROM guest_links WHERE guest_links.revoked_at IS NULL AND (",
            end!(),
            " > $1 OR (guest_links.reservation IS NULL AND guest_links.series IS NULL AND guest_links.expires_at IS NULL)) AND ",
            asked_links!(
                "guest_links",
                " OR guest_links.series = (SELECT reservations.series FROM reservations WHERE reservations.token = $5)"
            )
        );
        let rows: Vec<LinkRow> =
            find_links!(self.base, "listing guests' links", select, account, query, now)?;
        Ok(rows.into_iter().map(link).collect())
    }

    /// Revokes a link. `false`: the account has none of this number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_guest_link(
        &self,
        account: AccountId,
        id: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let doing = "revoking a guest's link";
        let mut transaction = self.write(doing).await?;
        let revoke =
            "UPDATE guest_links SET revoked_at = $3 WHERE id = $1 AND account_id = $2 AND revoked_at IS NULL";
        let revoked = execute!(transaction, doing, sqlx::query(revoke).bind(id).bind(account.0).bind(now.0))?;
        transaction.commit(doing).await?;
        Ok(revoked == 1)
    }

    /// Deletes links that have been over for long, of all accounts, at most `limit` of them; returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_guest_links(&self, now: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let doing = "deleting old guests' links";
        let before = now.0.saturating_sub(OVER_KEPT_MS);
        // Found while others write: there may be many that are not over.
        let select = concat!(
            "SELECT guest_links.id FROM guest_links WHERE ",
            over!(),
            " ORDER BY guest_links.id LIMIT $2"
        );
        let ids: Vec<i64> = read!(self.base, doing, |on| sqlx::query_scalar(select)
            .bind(before)
            .bind(at_most(limit))
            .fetch_all(on))?;
        if ids.is_empty() {
            return Ok(0);
        }
        let delete = concat!("DELETE FROM guest_links WHERE ", over!(), " AND guest_links.id = $2");
        let mut transaction = self.base.write(doing, Lock::Nothing).await?;
        let mut gone = 0;
        for id in ids {
            gone += execute!(transaction, doing, sqlx::query(delete).bind(before).bind(id))?;
        }
        transaction.commit(doing).await?;
        Ok(gone)
    }

    /// What a code leads to, and notes that it is used. `None`: it does not count.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_guest_link(
        &self,
        code: &str,
        now: Timestamp,
    ) -> Result<Option<OpenGuestLink>, StoreError> {
        Ok(match self.standing(code, now).await? {
            Standing::Open(open) => Some(*open),
            Standing::Over | Standing::Unknown => None,
        })
    }

    /// What a code lets its holder do in a call.
    pub(crate) async fn check_guest_code(&self, code: &str, now: Timestamp) -> Result<Token, StoreError> {
        Ok(match self.standing(code, now).await? {
            Standing::Unknown => Token::Unknown,
            Standing::Over => Token::Expired,
            Standing::Open(open) => {
                let OpenGuestLink { account, conference, reservation } = *open;
                let early = reservation.filter(|reservation| now < reservation.starts_at);
                Token::Guest(GuestToken {
                    account,
                    conference,
                    is_early: early.is_some(),
                    divert: early.and_then(|reservation| reservation.divert),
                })
            }
        })
    }

    /// Forgets links of a person that lead nowhere any more: those that were revoked or ended before this time, and those of guests who
    /// are invited to nothing that ends later.
    ///
    /// # Errors
    /// When the database fails; what was done before stays done.
    pub(crate) async fn forget_guest_links(
        &self,
        account: AccountId,
        before: Timestamp,
        is_theirs: impl Fn(&GuestLink) -> bool + Send + Sync,
    ) -> Result<(), StoreError> {
        let doing = "forgetting the guests' links of a person";
        let select = concat!(
            "SELECT ",
            columns!(),
            " FROM guest_links WHERE guest_links.account_id = $1 AND guest_links.id > $2
             AND (guest_links.guest IS NOT NULL OR guest_links.label IS NOT NULL) ORDER BY guest_links.id LIMIT $3"
        );
        let delete = concat!(
            "DELETE FROM guest_links WHERE guest_links.id = $1 AND ($2 OR guest_links.revoked_at IS NOT NULL OR ",
            end!(),
            " < $3)"
        );
        let mut after = i64::MIN;
        loop {
            let rows: Vec<LinkRow> = read!(self.base, doing, |on| sqlx::query_as(select)
                .bind(account.0)
                .bind(after)
                .bind(at_most(LINKS_AT_ONCE))
                .fetch_all(on))?;
            let is_last = rows.len() < LINKS_AT_ONCE;
            let links: Vec<GuestLink> = rows.into_iter().map(link).collect();
            after = links.last().map_or(after, |last| last.id);
            let of_person: Vec<GuestLink> = links.into_iter().filter(|link| is_theirs(link)).collect();
            let mut theirs = Vec::new();
            for link in &of_person {
                let is_invited_no_more =
                    link.guest.is_some() && self.date_of(account, link, before).await?.is_none();
                theirs.push((link.id, is_invited_no_more));
            }
            if !theirs.is_empty() {
                let mut transaction = self.write(doing).await?;
                for (id, is_invited_no_more) in theirs {
                    execute!(
                        transaction,
                        doing,
                        sqlx::query(delete).bind(id).bind(is_invited_no_more).bind(before.0)
                    )?;
                }
                transaction.commit(doing).await?;
            }
            if is_last {
                return Ok(());
            }
        }
    }

    async fn standing(&self, code: &str, now: Timestamp) -> Result<Standing, StoreError> {
        if !is_storable(code) {
            return Ok(Standing::Unknown);
        }
        let doing = "looking up a guest's link";
        let hashed = hash(code);
        let select = concat!("SELECT ", columns!(), " FROM guest_links WHERE guest_links.hash = $1");
        let row: Option<LinkRow> =
            read!(self.base, doing, |on| sqlx::query_as(select).bind(&hashed[..]).fetch_optional(on))?;
        let Some(found) = row.map(link) else { return Ok(Standing::Unknown) };
        let counts: Option<i64> = read!(self.base, doing, |on| {
            sqlx::query_scalar(
            "SELECT guest_links.account_id FROM guest_links JOIN accounts ON accounts.id = guest_links.account_id
             WHERE guest_links.id = $1 AND guest_links.revoked_at IS NULL AND NOT accounts.is_disabled"
        )
        .bind(found.id)
        .fetch_optional(on)
        })?;
        let Some(account) = counts.map(AccountId) else { return Ok(Standing::Over) };
        let is_of_dates = found.reservation.is_some() || found.series.is_some();
        if found.expires_at.is_some_and(|end| end <= now) {
            return Ok(Standing::Over);
        }
        let reservation = match is_of_dates {
            true => self.date_of(account, &found, now).await?,
            false => None,
        };
        if is_of_dates && reservation.is_none() {
            return Ok(Standing::Over);
        }
        if !(0..USED_RESOLUTION_MS)
            .contains(&now.0.saturating_sub(found.last_used_at.map_or(i64::MIN / 2, |at| at.0)))
        {
            self.note(
                "UPDATE guest_links SET last_used_at = $1 WHERE id = $2 AND coalesce(last_used_at, 0) < $1",
                now,
                found.id,
            );
        }
        let open = OpenGuestLink { account, conference: found.conference, reservation };
        Ok(Standing::Open(Box::new(open)))
    }

    /// The reservation of a link that is not over; of a series the date that runs, or the next one. A guest's is one to which they are
    /// invited.
    async fn date_of(
        &self,
        account: AccountId,
        of: &GuestLink,
        now: Timestamp,
    ) -> Result<Option<Reservation>, StoreError> {
        let rows: Vec<ReservationRow> =
            read!(self.base, "looking up a guest's link", |on| sqlx::query_as(concat!(
                "SELECT ",
                reservation_columns!(),
                " FROM reservations WHERE (token = $2 OR series = $3) AND account_id = $1 AND ends_at > $4
                 ORDER BY starts_at, token LIMIT $5"
            ))
            .bind(account.0)
            .bind(of.reservation.as_ref().map(ReservationToken::as_str))
            .bind(of.series)
            .bind(now.0)
            .bind(at_most(DATES_MAX))
            .fetch_all(on))?;
        let mut reservations = rows.into_iter().map(|row| {
            let (token, stored) = stored_reservation(row);
            stored.into_reservation(token)
        });
        let is_invited = |reservation: &Reservation| {
            of.guest
                .as_ref()
                .is_none_or(|mail| reservation.guests.iter().any(|guest| login_of(&guest.mail) == *mail))
        };
        Ok(reservations.find(is_invited))
    }
}

/// Deletes some links of an account that have been over for long.
async fn forget_old(transaction: &mut Write, account: AccountId, now: Timestamp) -> Result<(), StoreError> {
    let delete = concat!(
        "DELETE FROM guest_links WHERE id IN (SELECT guest_links.id FROM guest_links
             WHERE guest_links.account_id = $2 AND ",
        over!(),
        " ORDER BY guest_links.id LIMIT $3)"
    );
    execute!(
        transaction,
        "forgetting guests' links",
        sqlx::query(delete).bind(now.0.saturating_sub(OVER_KEPT_MS)).bind(account.0).bind(DELETED_AT_ONCE)
    )
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_code_is_the_same_with_the_same_key_and_salt_alone() {
        let code = derived_code(b"key", &[1; CODE_BYTES]);
        assert_eq!(code, derived_code(b"key", &[1; CODE_BYTES]));
        assert!(is_code(&code), "{code}");
        assert_ne!(code, derived_code(b"another", &[1; CODE_BYTES]));
        assert_ne!(code, derived_code(b"key", &[2; CODE_BYTES]));
    }

    #[test]
    fn a_token_is_no_code() {
        for text in ["", "a.b.c", &"a".repeat(31), &"a".repeat(33), &"A".repeat(32), &"é".repeat(16)] {
            assert!(!is_code(text), "{text}");
        }
    }
}
