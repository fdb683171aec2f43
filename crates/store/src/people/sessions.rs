//! Browsers that are signed in. Of the cookie only a hash is stored; whether it counts is read for each request, so a session
//! that was ended, by whichever process, ends at once.

use super::{Person, PersonRole};
use crate::{
    Access, Account, Authenticated, PersonId, SessionId, Store, StoreError,
    database::{Write, execute, is_storable, read, within},
    keys::{hash, random_text},
    named::at_most,
};
use plenary_model::{AccountId, Role, Scope, Scopes, Timestamp};
use std::{fmt, net::IpAddr};

/// A session that was not used for so long is over.
pub const SESSION_IDLE_MS: i64 = 2 * 3_600_000;
/// A session is over after so long, however it is used.
pub const SESSION_MS: i64 = 12 * 3_600_000;
/// How old `last_used_at` may get before a use is written again; every write is a sync of the disk.
pub(crate) const USED_RESOLUTION_MS: i64 = 60_000;
/// Sessions of a person at the most; a further one ends the oldest.
const SESSIONS_MAX: usize = 10;
/// Sessions that are over which a new one deletes at the most.
const DELETED_AT_ONCE: i64 = 100;
/// Characters of what a browser calls itself that are kept.
const USER_AGENT_CHARS_MAX: usize = 300;

/// The secret text of a session: what the cookie holds. It exists only in the moment in which a person signs in.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionSecret(pub(crate) String);

impl SessionSecret {
    /// Letters, digits and a dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret(…)")
    }
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// Who has signed in.
    pub person: PersonId,
    /// The account that is worked in, where one was chosen.
    pub account: Option<AccountId>,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When it was last used; accurate to a minute.
    pub last_used_at: Timestamp,
    /// From where they signed in.
    pub address: Option<String>,
    /// What the browser called itself.
    pub user_agent: Option<String>,
}

impl Session {
    /// Until when it counts, if it is not used again.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        Timestamp(self.created_at.0.saturating_add(SESSION_MS))
            .min(Timestamp(self.last_used_at.0.saturating_add(SESSION_IDLE_MS)))
    }

    fn is_over(&self, now: Timestamp) -> bool {
        now >= self.ends_at()
    }

    /// What it lets do: the person's role in the account that is worked in, and what operators may.
    #[must_use]
    pub fn access(&self, person: &Person, account: Account) -> Access {
        let role = person.role_in(account.id);
        let mut scopes = role.map_or(Scopes::NONE, Role::scopes);
        if person.is_operator {
            scopes = Scope::ALL.into_iter().collect();
        }
        Access {
            account,
            by: Authenticated::Person { person: person.id, mail: person.mail.clone(), session: self.id },
            scopes,
            only_reads: !person.is_operator && role.is_some_and(Role::only_reads),
            conference: None,
        }
    }
}

/// The columns of a [`SessionRow`].
macro_rules! session_columns {
    () => {
        "id, person_id, account_id, created_at, last_used_at, address, user_agent"
    };
}

/// [`session_columns`].
type SessionRow = (i64, i64, Option<i64>, i64, i64, Option<String>, Option<String>);

fn session(row: SessionRow) -> Session {
    let (id, person, account, created_at, last_used_at, address, user_agent) = row;
    Session {
        id: SessionId(id),
        person: PersonId(person),
        account: account.map(AccountId),
        created_at: Timestamp(created_at),
        last_used_at: Timestamp(last_used_at),
        address,
        user_agent,
    }
}

impl Store {
    /// The session of a cookie with its person, if it counts, and notes that it is used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(
        &self,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<(Session, Person)>, StoreError> {
        let given = hash(secret);
        let row: Option<SessionRow> = read!(self.base, "looking up a session", |on| sqlx::query_as(
            concat!("SELECT ", session_columns!(), " FROM web_sessions WHERE hash = $1")
        )
        .bind(&given[..])
        .fetch_optional(on))?;
        let Some((session, person)) = self.counting(row, now).await? else { return Ok(None) };
        if !(0..USED_RESOLUTION_MS).contains(&now.0.saturating_sub(session.last_used_at.0)) {
            self.note(
                "UPDATE web_sessions SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1",
                now,
                session.id.0,
            );
        }
        Ok(Some((session, person)))
    }

    /// What a session lets do now, if it still counts and there is an account to work in; that it is asked is no use of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_access(&self, id: SessionId, now: Timestamp) -> Result<Option<Access>, StoreError> {
        let row: Option<SessionRow> = read!(self.base, "looking up a session", |on| sqlx::query_as(
            concat!("SELECT ", session_columns!(), " FROM web_sessions WHERE id = $1")
        )
        .bind(id.0)
        .fetch_optional(on))?;
        let Some((session, person)) = self.counting(row, now).await? else { return Ok(None) };
        let account = self.account_of(&session, &person).await?;
        Ok(account.map(|account| session.access(&person, account)))
    }

    /// A session with its person, if it counts.
    async fn counting(
        &self,
        row: Option<SessionRow>,
        now: Timestamp,
    ) -> Result<Option<(Session, Person)>, StoreError> {
        let Some(session) = row.map(session).filter(|session| !session.is_over(now)) else { return Ok(None) };
        let person = self.person(session.person).await?.filter(|person| !person.is_disabled);
        Ok(person.map(|person| (session, person)))
    }

    /// The account that a session works in: the one that was chosen, as long as the person may work there; else the first of
    /// theirs, and of operators the first of all. `None`: there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account_of(
        &self,
        session: &Session,
        person: &Person,
    ) -> Result<Option<Account>, StoreError> {
        let may_work = |role: &&PersonRole| person.is_operator || !role.account.settings.is_disabled;
        if let Some(chosen) = session.account {
            match person.roles.iter().filter(may_work).find(|role| role.account.id == chosen) {
                Some(role) => return Ok(Some(role.account.clone())),
                None if person.is_operator => return self.account(chosen).await,
                None => {}
            }
        }
        if let Some(first) = person.roles.iter().find(may_work) {
            return Ok(Some(first.account.clone()));
        }
        if !person.is_operator {
            return Ok(None);
        }
        Ok(self.accounts_after(None, 1).await?.into_iter().next())
    }

    /// Says in which account a session works from now on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn work_in(&self, session: SessionId, account: AccountId) -> Result<(), StoreError> {
        let doing = "choosing an account";
        let mut transaction = self.write(doing).await?;
        let choose = "UPDATE web_sessions SET account_id = $1 WHERE id = $2";
        execute!(transaction, doing, sqlx::query(choose).bind(account.0).bind(session.0))?;
        transaction.commit(doing).await
    }

    /// So many sessions of a person that count, in the order in which they were made, from the one after `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions_after(
        &self,
        person: PersonId,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        let rows: Vec<SessionRow> = read!(self.base, "listing sessions", |on| sqlx::query_as(concat!(
            "SELECT ",
            session_columns!(),
            " FROM web_sessions WHERE person_id = $1 AND id > $2 AND created_at > $3 AND last_used_at > $4
             ORDER BY id LIMIT $5"
        ))
        .bind(person.0)
        .bind(after.map_or(i64::MIN, |session| session.0))
        .bind(now.0.saturating_sub(SESSION_MS))
        .bind(now.0.saturating_sub(SESSION_IDLE_MS))
        .bind(at_most(limit))
        .fetch_all(on))?;
        Ok(rows.into_iter().map(session).collect())
    }

    /// Ends a session of a person. `false`: they have none of this number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_session(&self, person: PersonId, session: SessionId) -> Result<bool, StoreError> {
        let doing = "ending a session";
        let mut transaction = self.write(doing).await?;
        let delete = "DELETE FROM web_sessions WHERE id = $1 AND person_id = $2";
        let ended = execute!(transaction, doing, sqlx::query(delete).bind(session.0).bind(person.0))?;
        if ended == 0 {
            return Ok(false);
        }
        transaction.commit(doing).await?;
        Ok(true)
    }
}

/// What deletes sessions from this table: those that are over, and all but the latest of the one whom the column names.
macro_rules! deletes_sessions {
    ($table:literal, $of:literal) => {
        [
            concat!(
                "DELETE FROM ",
                $table,
                " WHERE id IN (SELECT id FROM ",
                $table,
                " WHERE created_at <= $1 OR last_used_at <= $2 ORDER BY id LIMIT $3)"
            ),
            concat!(
                "DELETE FROM ",
                $table,
                " WHERE ",
                $of,
                " = $1 AND id NOT IN (SELECT id FROM ",
                $table,
                " WHERE ",
                $of,
                " = $1 ORDER BY id DESC LIMIT $2)"
            ),
        ]
    };
}
pub(crate) use deletes_sessions;

/// Before a further session of `whose` begins, of which there may be `most`: deletes those that are over, and the oldest.
pub(crate) async fn make_room(
    transaction: &mut Write,
    doing: &'static str,
    [over, oldest]: [&'static str; 2],
    whose: i64,
    most: usize,
    now: Timestamp,
) -> Result<(), StoreError> {
    execute!(
        transaction,
        doing,
        sqlx::query(over)
            .bind(now.0.saturating_sub(SESSION_MS))
            .bind(now.0.saturating_sub(SESSION_IDLE_MS))
            .bind(DELETED_AT_ONCE)
    )?;
    execute!(transaction, doing, sqlx::query(oldest).bind(whose).bind(at_most(most - 1)))?;
    Ok(())
}

/// Begins a session, and deletes what is over and the oldest of a person who has too many.
pub(super) async fn begin(
    transaction: &mut Write,
    person: PersonId,
    address: Option<IpAddr>,
    user_agent: Option<&str>,
    now: Timestamp,
) -> Result<(SessionSecret, Session), StoreError> {
    let doing = "beginning a session";
    let deletes = deletes_sessions!("web_sessions", "person_id");
    make_room(transaction, doing, deletes, person.0, SESSIONS_MAX, now).await?;
    let secret = SessionSecret(random_text());
    let hashed = hash(&secret.0);
    let address = address.map(|address| address.to_canonical().to_string());
    let user_agent = user_agent.and_then(kept_user_agent);
    let id: i64 = within!(transaction, doing, |on| sqlx::query_scalar(
        "INSERT INTO web_sessions (person_id, hash, created_at, last_used_at, address, user_agent)
         VALUES ($1, $2, $3, $3, $4, $5) RETURNING id"
    )
    .bind(person.0)
    .bind(&hashed[..])
    .bind(now.0)
    .bind(address.as_deref())
    .bind(user_agent.as_deref())
    .fetch_one(on))?;
    let begun = session((id, person.0, None, now.0, now.0, address, user_agent));
    Ok((secret, begun))
}

/// What is kept of what a browser calls itself.
pub(crate) fn kept_user_agent(text: &str) -> Option<String> {
    is_storable(text).then(|| text.chars().filter(|c| !c.is_control()).take(USER_AGENT_CHARS_MAX).collect())
}

/// Ends all sessions of a person.
pub(super) async fn end_all(transaction: &mut Write, person: PersonId) -> Result<(), StoreError> {
    let delete = "DELETE FROM web_sessions WHERE person_id = $1";
    execute!(transaction, "ending sessions", sqlx::query(delete).bind(person.0)).map(drop)
}

/// Ends all sessions of a person but one.
pub(super) async fn end_others(
    transaction: &mut Write,
    person: PersonId,
    but: SessionId,
) -> Result<(), StoreError> {
    let delete = "DELETE FROM web_sessions WHERE person_id = $1 AND id <> $2";
    execute!(transaction, "ending sessions", sqlx::query(delete).bind(person.0).bind(but.0)).map(drop)
}
