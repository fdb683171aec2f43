//! How people prove who they are: an invitation is accepted with a new password, and the password begins a session.
//!
//! ```text
//! levels read ──too many──▶ TooMany, the password is not looked at
//!      │
//!      ▼
//! hash compared ──right──▶ noted, once a day ──▶ a session
//!      └────────wrong──▶ all levels raised, in one transaction ──▶ Wrong
//! ```
//!
//! Wrong passwords count as wrong PINs do ([`crate::guessing`]): for an address with one login, for an address, and for a login
//! whatever the addresses. A person who was right before from the same address is held up only by their own mistakes.

use super::{
    Person, reread,
    sessions::{self, Session, SessionSecret},
};
use crate::{
    PersonId, SessionId, Store, StoreError,
    audit::Visitor,
    database::{execute, is_storable, read, within},
    guessing::{CALLER, EMPTY_MS, Level, Place, Tries, UNKNOWN_MS, room_drain},
    keys::{hash, random_text},
    rooms::checking::network,
};
use plenary_model::{FieldError, Timestamp, check_password, login_of};
use sha2::{Digest, Sha256};
use std::{fmt, net::IpAddr};

/// How long an invitation can be accepted.
const INVITATION_MS: i64 = 7 * 24 * 3_600_000;
/// Rows too old that one sign-in deletes at the most.
const DELETED_AT_ONCE: i64 = 100;
const DOING: &str = "signing in";
/// An address is not shared as a trunk is.
const PLACE: Place = Place { is_trunk: false, is_shared: false };

/// The secret text of an invitation. It exists only in the moment in which it is made.
#[derive(Clone, PartialEq, Eq)]
pub struct InvitationCode(String);

impl InvitationCode {
    /// 52 lower-case letters and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for InvitationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InvitationCode(…)")
    }
}

/// Where a person signs in from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignInFrom<'a> {
    /// Their address. Of IPv6 the first 64 bits count.
    pub address: Option<IpAddr>,
    /// What the browser calls itself.
    pub user_agent: Option<&'a str>,
}

/// What became of an attempt to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// Login and password are right.
    Right(Box<(SessionSecret, Session, Person)>),
    /// They are not, or the person is disabled or has not accepted the invitation. Which of these is not said.
    Wrong,
    /// The password was not looked at, for too many were wrong before.
    TooMany {
        /// From then on the next one is.
        retry_at: Timestamp,
    },
    /// The password was not looked at, for too many others are.
    Busy,
}

/// What became of an attempt to set another password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordChange {
    /// It is set.
    Changed,
    /// The old one is wrong.
    Wrong,
    /// The old one was not looked at, for too many were wrong before.
    TooMany {
        /// From then on the next one is.
        retry_at: Timestamp,
    },
    /// It was not looked at, for too many others are.
    Busy,
}

/// A password, compared with the stored one.
enum Compared {
    Right { id: PersonId, hash: String, tries: Tries },
    Wrong,
    TooMany { retry_at: Timestamp },
}

/// kind, level, at, right_at
type Row = (String, i64, i64, Option<i64>);

/// Where an attempt is counted.
struct Counted {
    caller: [u8; 32],
    source: [u8; 32],
    login: [u8; 32],
    now: Timestamp,
}

impl Counted {
    fn new(login: &str, address: Option<IpAddr>, now: Timestamp) -> Self {
        let source = address.map_or_else(|| "unknown".to_owned(), |address| network(address).to_string());
        let caller = Sha256::new().chain_update(&source).chain_update("\n").chain_update(login).finalize();
        Self {
            caller: caller.into(),
            source: Sha256::digest(&source).into(),
            login: Sha256::digest(login).into(),
            now,
        }
    }
}

const SELECT_TRIES: &str = "SELECT kind, level, at, right_at FROM sign_in_tries
     WHERE (kind = 'caller' AND who = $1) OR (kind = 'source' AND who = $2) OR (kind = 'login' AND who = $3)";

/// The levels that an attempt looks at.
macro_rules! select {
    ($counted:expr) => {
        sqlx::query_as(SELECT_TRIES)
            .bind(&$counted.caller[..])
            .bind(&$counted.source[..])
            .bind(&$counted.login[..])
    };
}

fn tries(rows: Vec<Row>) -> Tries {
    let mut tries = Tries::default();
    for (kind, thousandths, at, right_at) in rows {
        let level = Level { thousandths, at: Timestamp(at) };
        match kind.as_str() {
            "caller" => (tries.caller, tries.right_at) = (level, right_at.map(Timestamp)),
            "source" => tries.source = level,
            _ => tries.room = level,
        }
    }
    tries
}

impl Store {
    /// Makes the code by which a person sets a password, once and within a week. An earlier one does not count any more; a
    /// password that is set stays until then. Returns it with the time at which it ends; `None`: there is no such person.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invite(
        &self,
        person: PersonId,
        now: Timestamp,
    ) -> Result<Option<(InvitationCode, Timestamp)>, StoreError> {
        self.invite_as(person, false, now).await
    }

    /// The same by a command on the machine itself. Such a code counts also where passwords are switched off
    /// ([`Self::is_invited_on_machine`]).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invite_on_machine(
        &self,
        person: PersonId,
        now: Timestamp,
    ) -> Result<Option<(InvitationCode, Timestamp)>, StoreError> {
        self.invite_as(person, true, now).await
    }

    async fn invite_as(
        &self,
        person: PersonId,
        is_of_machine: bool,
        now: Timestamp,
    ) -> Result<Option<(InvitationCode, Timestamp)>, StoreError> {
        let doing = "inviting a person";
        let code = InvitationCode(random_text());
        let expires_at = Timestamp(now.0.saturating_add(INVITATION_MS));
        let mut transaction = self.write(doing).await?;
        let made = execute!(
            transaction,
            doing,
            sqlx::query(
                "INSERT INTO invitations (person_id, hash, created_at, expires_at, is_of_machine)
             SELECT id, $2, $3, $4, $5 FROM people WHERE id = $1
             ON CONFLICT (person_id) DO UPDATE SET hash = excluded.hash, created_at = excluded.created_at,
                 expires_at = excluded.expires_at, is_of_machine = excluded.is_of_machine"
            )
            .bind(person.0)
            .bind(&hash(&code.0)[..])
            .bind(now.0)
            .bind(expires_at.0)
            .bind(is_of_machine)
        )?;
        if made == 0 {
            return Ok(None);
        }
        transaction.commit(doing).await?;
        Ok(Some((code, expires_at)))
    }

    /// Whom an invitation is for, if it can be accepted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invited(&self, code: &str, now: Timestamp) -> Result<Option<Person>, StoreError> {
        let id: Option<i64> = read!(self.base, "reading an invitation", |on| sqlx::query_scalar(
            "SELECT person_id FROM invitations WHERE hash = $1 AND expires_at > $2"
        )
        .bind(&hash(code)[..])
        .bind(now.0)
        .fetch_optional(on))?;
        let Some(id) = id else { return Ok(None) };
        Ok(self.person(PersonId(id)).await?.filter(|person| !person.is_disabled))
    }

    /// Whether a code counts that was made by a command on the machine itself.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_invited_on_machine(&self, code: &str, now: Timestamp) -> Result<bool, StoreError> {
        read!(self.base, "reading an invitation", |on| sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM invitations WHERE hash = $1 AND expires_at > $2 AND is_of_machine)"
        )
        .bind(&hash(code)[..])
        .bind(now.0)
        .fetch_one(on))
    }

    /// Sets the password of the person whose invitation this is, ends all their sessions, and signs them in. `None`: the code is
    /// none, or does not count any more. `Ok(Some(SignIn::Busy))`: too many passwords are being hashed.
    ///
    /// # Errors
    /// [`AcceptError`].
    pub async fn accept_invitation(
        &self,
        code: &str,
        password: &str,
        from: SignInFrom<'_>,
        now: Timestamp,
    ) -> Result<Option<SignIn>, AcceptError> {
        let Some(person) = self.invited(code, now).await? else { return Ok(None) };
        if let Some(error) = check_password(password, Some(&person.settings())) {
            return Err(AcceptError::Password(error));
        }
        let Some(_place) = self.passwords.place() else { return Ok(Some(SignIn::Busy)) };
        let hashed = self.passwords.hash(password).await?;
        let doing = "accepting an invitation";
        let mut transaction = self.write(doing).await?;
        let delete = "DELETE FROM invitations WHERE hash = $1 AND expires_at > $2 AND person_id = $3";
        let is_first = execute!(
            transaction,
            doing,
            sqlx::query(delete).bind(&hash(code)[..]).bind(now.0).bind(person.id.0)
        )?;
        // Another was faster, with the same code.
        if is_first == 0 {
            return Ok(None);
        }
        execute!(
            transaction,
            doing,
            sqlx::query("UPDATE people SET password_hash = $2, signed_in_at = $3 WHERE id = $1")
                .bind(person.id.0)
                .bind(&hashed)
                .bind(now.0)
        )?;
        sessions::end_all(&mut transaction, person.id).await?;
        let (secret, session) =
            sessions::begin(&mut transaction, person.id, from.address, from.user_agent, now).await?;
        let person = Person { has_password: true, invited_until: None, signed_in_at: Some(now), ..person };
        self.doing.note_visitor(&mut transaction, Visitor::Person(&person)).await?;
        transaction.commit(doing).await?;
        Ok(Some(SignIn::Right(Box::new((secret, session, person)))))
    }

    /// Sets another password of a person who knows the old one, and ends all of their sessions but this one. Wrong old passwords
    /// count as wrong ones at signing in.
    ///
    /// # Errors
    /// [`AcceptError`].
    pub async fn change_password(
        &self,
        person: &Person,
        session: SessionId,
        old: &str,
        password: &str,
        from: SignInFrom<'_>,
        now: Timestamp,
    ) -> Result<PasswordChange, AcceptError> {
        if let Some(error) = check_password(password, Some(&person.settings())) {
            return Err(AcceptError::Password(error));
        }
        let login = login_of(&person.mail);
        let Some(_place) = self.passwords.place() else { return Ok(PasswordChange::Busy) };
        let _turn = self.passwords.turn(&login).await;
        let counted = Counted::new(&login, from.address, now);
        let before = match self.compare(&login, old, &counted).await? {
            Compared::Right { id, hash, .. } if id == person.id => hash,
            Compared::Right { .. } | Compared::Wrong => return Ok(PasswordChange::Wrong),
            Compared::TooMany { retry_at } => return Ok(PasswordChange::TooMany { retry_at }),
        };
        let hashed = self.passwords.hash(password).await?;
        let doing = "changing a password";
        let mut transaction = self.write(doing).await?;
        // Not if it was changed, or the person disabled, while it was compared.
        let is_still = execute!(
            transaction,
            doing,
            sqlx::query(
                "UPDATE people SET password_hash = $2 WHERE id = $1 AND password_hash = $3 AND is_disabled = $4"
            )
            .bind(person.id.0)
            .bind(&hashed)
            .bind(&before)
            .bind(false)
        )?;
        if is_still == 0 {
            return Ok(PasswordChange::Wrong);
        }
        sessions::end_others(&mut transaction, person.id, session).await?;
        transaction.commit(doing).await?;
        Ok(PasswordChange::Changed)
    }

    /// Compares a password with the stored one, unless too many were wrong before, and counts a wrong one.
    async fn compare(&self, login: &str, password: &str, counted: &Counted) -> Result<Compared, StoreError> {
        let rows: Vec<Row> = read!(self.base, DOING, |on| select!(counted).fetch_all(on))?;
        let tries = tries(rows);
        if let Some(retry_at) = tries.wait(PLACE, counted.now) {
            return Ok(Compared::TooMany { retry_at });
        }
        let stored = if is_storable(login) { self.password_of(login).await? } else { None };
        let hashed = stored.as_ref().map(|(_, hash)| hash.as_str());
        if !self.passwords.is_right(password, hashed).await? {
            self.note_wrong_password(counted).await?;
            return Ok(Compared::Wrong);
        }
        Ok(stored.map_or(Compared::Wrong, |(id, hash)| Compared::Right { id, hash, tries }))
    }

    /// Begins a session, if login (a mail address in whichever case) and password are right. It takes about a quarter of a second, and as long
    /// where there is no such person.
    ///
    /// # Errors
    /// When the database fails. Then nothing is known, and the password counts neither as right nor as wrong.
    pub async fn sign_in(
        &self,
        login: &str,
        password: &str,
        from: SignInFrom<'_>,
        now: Timestamp,
    ) -> Result<SignIn, StoreError> {
        let login = login_of(login);
        let Some(_place) = self.passwords.place() else { return Ok(SignIn::Busy) };
        let _turn = self.passwords.turn(&login).await;
        let counted = Counted::new(&login, from.address, now);
        let (id, hashed, tries) = match self.compare(&login, password, &counted).await? {
            Compared::Right { id, hash, tries } => (id, hash, tries),
            Compared::Wrong => return Ok(SignIn::Wrong),
            Compared::TooMany { retry_at } => return Ok(SignIn::TooMany { retry_at }),
        };
        let mut transaction = self.write(DOING).await?;
        // Not if the password was changed, or the person disabled, while it was compared.
        let is_still = execute!(
            transaction,
            DOING,
            sqlx::query(
                "UPDATE people SET signed_in_at = $2 WHERE id = $1 AND password_hash = $3 AND is_disabled = $4"
            )
            .bind(id.0)
            .bind(now.0)
            .bind(&hashed)
            .bind(false)
        )?;
        if is_still == 0 {
            return Ok(SignIn::Wrong);
        }
        if tries.is_news(PLACE, now) {
            execute!(transaction, DOING, sqlx::query(
                "INSERT INTO sign_in_tries (kind, who, level, at, right_at) VALUES ('caller', $1, 0, $2, $2)
                 ON CONFLICT (kind, who) DO UPDATE SET right_at = excluded.right_at"
            )
            .bind(&counted.caller[..])
            .bind(now.0))?;
        }
        let (secret, session) =
            sessions::begin(&mut transaction, id, from.address, from.user_agent, now).await?;
        let Some(person) = reread(&mut transaction, id.0).await? else { return Ok(SignIn::Wrong) };
        self.doing.note_visitor(&mut transaction, Visitor::Person(&person)).await?;
        transaction.commit(DOING).await?;
        Ok(SignIn::Right(Box::new((secret, session, person))))
    }

    /// Number and hash of a person who has a password and is not disabled.
    async fn password_of(&self, login: &str) -> Result<Option<(PersonId, String)>, StoreError> {
        let row: Option<(i64, String)> = read!(self.base, DOING, |on| {
            sqlx::query_as(
            "SELECT id, password_hash FROM people WHERE login = $1 AND password_hash IS NOT NULL AND is_disabled = $2"
        )
        .bind(login)
        .bind(false)
        .fetch_optional(on)
        })?;
        Ok(row.map(|(id, hash)| (PersonId(id), hash)))
    }

    async fn note_wrong_password(&self, counted: &Counted) -> Result<(), StoreError> {
        let now = counted.now;
        let mut transaction = self.write(DOING).await?;
        // Read again: another process may have raised them.
        let rows: Vec<Row> = within!(transaction, DOING, |on| select!(counted).fetch_all(on))?;
        let tries = tries(rows);
        let levels: [(&str, &[u8], Level); 3] = [
            ("caller", &counted.caller, tries.caller.raised(now, CALLER)),
            ("source", &counted.source, tries.source.raised(now, PLACE.source_drain())),
            ("login", &counted.login, tries.room.raised(now, room_drain())),
        ];
        for (kind, who, level) in levels {
            execute!(
                transaction,
                DOING,
                sqlx::query(
                    "INSERT INTO sign_in_tries (kind, who, level, at) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (kind, who) DO UPDATE SET level = excluded.level, at = excluded.at"
                )
                .bind(kind)
                .bind(who)
                .bind(level.thousandths)
                .bind(level.at.0)
            )?;
        }
        execute!(
            transaction,
            DOING,
            sqlx::query(
                "DELETE FROM sign_in_tries WHERE (kind, who) IN
                 (SELECT kind, who FROM sign_in_tries
                  WHERE at < $1 AND (right_at IS NULL OR right_at < $2) ORDER BY at LIMIT $3)"
            )
            .bind(now.0.saturating_sub(EMPTY_MS))
            .bind(now.0.saturating_sub(UNKNOWN_MS))
            .bind(DELETED_AT_ONCE)
        )?;
        transaction.commit(DOING).await
    }
}

/// Why an invitation was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The password is not allowed.
    #[error("{0}")]
    Password(FieldError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
