//! People who sign in, and what they may do in which account. How they prove who they are is the business of [`sign_in`] and
//! [`provider`].

pub(crate) mod passwords;
mod provider;
pub(crate) mod sessions;
mod sign_in;

pub use provider::{ProviderPerson, ProviderSignIn};
pub use sessions::{SESSION_IDLE_MS, SESSION_MS, Session, SessionSecret};
pub use sign_in::{AcceptError, InvitationCode, PasswordChange, SignIn, SignInFrom};

use crate::{
    Account, ChangeError, PersonId, Store, StoreError,
    access::{AccountRow, account, account_columns},
    change::changed_at,
    database::{Write, execute, is_storable, read, within},
    error::listed,
    named::at_most,
};
use plenary_model::{AccountId, FieldError, LanguageCode, PersonSettings, Role, Timestamp, login_of};
use thiserror::Error;

/// People of an installation at the most.
const PEOPLE_MAX: i64 = 10_000;

/// Why a person was not stored.
#[derive(Debug, Error)]
pub enum PersonError {
    /// The settings are not allowed.
    #[error("{}", listed(.0))]
    Invalid(Vec<FieldError>),
    /// Another person has the mail address.
    #[error("another person has the mail address {mail}")]
    MailTaken {
        /// The address.
        mail: String,
    },
    /// There are too many.
    #[error("an installation has at most {PEOPLE_MAX} people")]
    TooMany,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their number.
    pub id: PersonId,
    /// Their mail address, as it was given.
    pub mail: String,
    /// What they are called.
    pub name: String,
    /// In which language pages are shown to them.
    pub language: LanguageCode,
    /// They operate the installation.
    pub is_operator: bool,
    /// They cannot sign in.
    pub is_disabled: bool,
    /// They operate because a group at the provider says so.
    pub is_operator_by_group: bool,
    /// They have signed in at an OpenID Connect provider, and are known by it.
    pub is_linked: bool,
    /// What they may do in which account, by the accounts' logins.
    pub roles: Vec<PersonRole>,
    /// They have accepted an invitation.
    pub has_password: bool,
    /// Until when they can accept one; `None`: none is open.
    pub invited_until: Option<Timestamp>,
    /// When they were made.
    pub created_at: Timestamp,
    /// When they were last changed; different for each version.
    pub updated_at: Timestamp,
    /// When they last signed in.
    pub signed_in_at: Option<Timestamp>,
}

/// What a person may do in an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRole {
    /// The account.
    pub account: Account,
    /// The role.
    pub role: Role,
    /// A group at the provider gives it.
    pub is_by_group: bool,
}

impl Person {
    /// What may be set of them, as it is set.
    #[must_use]
    pub fn settings(&self) -> PersonSettings {
        PersonSettings {
            name: self.name.clone(),
            mail: self.mail.clone(),
            language: self.language.clone(),
            is_operator: self.is_operator,
            is_disabled: self.is_disabled,
            roles: self.roles.iter().map(|role| (role.account.id, role.role)).collect(),
        }
    }

    /// What they may do in an account.
    #[must_use]
    pub fn role_in(&self, account: AccountId) -> Option<Role> {
        self.roles.iter().find(|role| role.account.id == account).map(|role| role.role)
    }
}

/// The columns of a [`PersonRow`].
macro_rules! person_columns {
    () => {
        "people.id, people.mail, people.name, people.language, people.password_hash IS NOT NULL, people.is_operator,
         people.is_disabled, people.is_operator_by_group, people.created_at, people.updated_at, people.signed_in_at,
         (SELECT expires_at FROM invitations WHERE person_id = people.id),
         EXISTS (SELECT 1 FROM identities WHERE person_id = people.id)"
    };
}

/// [`person_columns`].
type PersonRow =
    (i64, String, String, String, bool, bool, bool, bool, i64, i64, Option<i64>, Option<i64>, bool);

/// person, role, whether a group gives it, and the account ([`AccountRow`]).
type RoleRow = (i64, String, bool, i64, String, String, i64, Option<i64>, bool, Option<i64>, Option<i64>);

const ROLES: &str = concat!(
    "SELECT person_id, role, is_by_group, ",
    account_columns!(),
    " FROM people_roles JOIN accounts ON accounts.id = account_id WHERE person_id >= $1 AND person_id <= $2
     ORDER BY person_id, cloud_id, username"
);

fn person(row: PersonRow, roles: &[RoleRow]) -> Result<Person, StoreError> {
    let (
        id,
        mail,
        name,
        language,
        has_password,
        is_operator,
        is_disabled,
        is_operator_by_group,
        created,
        updated,
        signed_in,
        invited,
        is_linked,
    ) = row;
    let damaged = |what: String| StoreError::Damaged { what: format!("person {id}: {what}") };
    let roles = roles.iter().filter(|row| row.0 == id).cloned().map(
        |(_, role, is_by_group, number, cloud, user, made, days, off, seats, rate)| {
            let row: AccountRow = (number, cloud, user, made, days, off, seats, rate);
            let role =
                role.parse().map_err(|error: plenary_model::UnknownRole| damaged(error.to_string()))?;
            Ok(PersonRole { account: account(row), role, is_by_group })
        },
    );
    Ok(Person {
        id: PersonId(id),
        mail,
        name,
        language: LanguageCode::new(&language).map_err(|error| damaged(error.to_string()))?,
        is_operator,
        is_disabled,
        is_operator_by_group,
        is_linked,
        roles: roles.collect::<Result<_, StoreError>>()?,
        has_password,
        invited_until: invited.map(Timestamp),
        created_at: Timestamp(created),
        updated_at: Timestamp(updated),
        signed_in_at: signed_in.map(Timestamp),
    })
}

impl Store {
    /// Makes a person, who can sign in once an invitation is accepted ([`Self::invite`]).
    ///
    /// # Errors
    /// [`PersonError`].
    pub async fn person_new(&self, settings: &PersonSettings, at: Timestamp) -> Result<Person, PersonError> {
        check(settings)?;
        let doing = "making a person";
        let mut transaction = self.write(doing).await?;
        let id = insert(&mut transaction, settings, at).await?;
        set_roles(&mut transaction, id, settings).await?;
        let made = reread(&mut transaction, id).await?.ok_or_else(|| gone(id))?;
        transaction.commit(doing).await?;
        Ok(made)
    }

    /// So many people at the most, in the order in which they were made, from the one after `after` on; only those with a role
    /// in the account `of`, if one is named.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn people_after(
        &self,
        of: Option<AccountId>,
        after: Option<PersonId>,
        limit: usize,
    ) -> Result<Vec<Person>, StoreError> {
        let rows: Vec<PersonRow> = read!(self.base, "listing people", |on| {
            sqlx::query_as(concat!(
            "SELECT ",
            person_columns!(),
            " FROM people WHERE id > $1 AND ($2 IS NULL OR EXISTS
                 (SELECT 1 FROM people_roles WHERE person_id = people.id AND account_id = $2)) ORDER BY id LIMIT $3"
        ))
        .bind(after.map_or(i64::MIN, |person| person.0))
        .bind(of.map(|account| account.0))
        .bind(at_most(limit))
        .fetch_all(on)
        })?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(Vec::new()) };
        let (first, last) = (first.0, last.0);
        let roles: Vec<RoleRow> = read!(self.base, "listing people", |on| sqlx::query_as(ROLES)
            .bind(first)
            .bind(last)
            .fetch_all(on))?;
        rows.into_iter().map(|row| person(row, &roles)).collect()
    }

    /// The person of this number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person(&self, id: PersonId) -> Result<Option<Person>, StoreError> {
        let row: Option<PersonRow> = read!(self.base, "reading a person", |on| sqlx::query_as(concat!(
            "SELECT ",
            person_columns!(),
            " FROM people WHERE id = $1"
        ))
        .bind(id.0)
        .fetch_optional(on))?;
        let Some(row) = row else { return Ok(None) };
        let roles: Vec<RoleRow> = read!(self.base, "reading a person", |on| sqlx::query_as(ROLES)
            .bind(id.0)
            .bind(id.0)
            .fetch_all(on))?;
        person(row, &roles).map(Some)
    }

    /// The person of this mail address, in whichever case.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_person(&self, mail: &str) -> Result<Option<Person>, StoreError> {
        if !is_storable(mail) {
            return Ok(None);
        }
        let id: Option<i64> = read!(self.base, "reading a person", |on| sqlx::query_scalar(
            "SELECT id FROM people WHERE login = $1"
        )
        .bind(login_of(mail))
        .fetch_optional(on))?;
        match id {
            Some(id) => self.person(PersonId(id)).await,
            None => Ok(None),
        }
    }

    /// Changes what may be set of a person, by a decision about what it is. Takes effect at once, also in other processes; the
    /// sessions of a person who is disabled, or whose mail address changes, end. `None`: there is no such person, and nothing
    /// was to be decided.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the decision; [`PersonError`] else.
    pub async fn change_person<E>(
        &self,
        id: PersonId,
        decide: impl FnOnce(&Person) -> Result<PersonSettings, E> + Send,
    ) -> Result<Option<Person>, ChangeError<E, PersonError>> {
        let doing = "changing a person";
        let mut transaction = self.write(doing).await?;
        let Some(before) = reread(&mut transaction, id.0).await? else { return Ok(None) };
        let settings = decide(&before).map_err(ChangeError::Refused)?;
        check(&settings).map_err(ChangeError::Store)?;
        let login = login_of(&settings.mail);
        let taken: bool = within!(transaction, doing, |on| sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM people WHERE login = $1 AND id <> $2)"
        )
        .bind(&login)
        .bind(id.0)
        .fetch_one(on))?;
        if taken {
            return Err(ChangeError::Store(PersonError::MailTaken { mail: settings.mail }));
        }
        execute!(transaction, doing, sqlx::query(
            "UPDATE people SET mail = $2, login = $3, name = $4, language = $5, is_operator = $6, is_disabled = $7,
                 is_operator_by_group = (is_operator_by_group AND $6), updated_at = $8 WHERE id = $1"
        )
        .bind(id.0)
        .bind(&settings.mail)
        .bind(&login)
        .bind(&settings.name)
        .bind(settings.language.as_str())
        .bind(settings.is_operator)
        .bind(settings.is_disabled)
        .bind(changed_at(Some(before.updated_at)).0))?;
        set_roles(&mut transaction, id.0, &settings).await.map_err(ChangeError::Store)?;
        if settings.is_disabled || login != login_of(&before.mail) {
            sessions::end_all(&mut transaction, id).await?;
        }
        let changed = reread(&mut transaction, id.0).await?.ok_or_else(|| gone(id.0))?;
        transaction.commit(doing).await?;
        Ok(Some(changed))
    }

    /// Removes a person with all sessions. `None`: there is none of this number.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the decision; when the database fails.
    pub async fn remove_person<E>(
        &self,
        id: PersonId,
        decide: impl FnOnce(&Person) -> Result<(), E> + Send,
    ) -> Result<Option<Person>, ChangeError<E>> {
        let doing = "removing a person";
        let mut transaction = self.write(doing).await?;
        let Some(before) = reread(&mut transaction, id.0).await? else { return Ok(None) };
        decide(&before).map_err(ChangeError::Refused)?;
        sessions::end_all(&mut transaction, id).await?;
        for delete in [
            "DELETE FROM calendar_feeds WHERE person_id = $1",
            "DELETE FROM identities WHERE person_id = $1",
            "DELETE FROM invitations WHERE person_id = $1",
            "DELETE FROM people_roles WHERE person_id = $1",
            "DELETE FROM people WHERE id = $1",
        ] {
            execute!(transaction, doing, sqlx::query(delete).bind(id.0))?;
        }
        transaction.commit(doing).await?;
        Ok(Some(before))
    }
}

fn check(settings: &PersonSettings) -> Result<(), PersonError> {
    let errors = settings.check();
    if errors.is_empty() { Ok(()) } else { Err(PersonError::Invalid(errors)) }
}

fn gone(id: i64) -> StoreError {
    StoreError::Damaged { what: format!("person {id} is not there") }
}

async fn reread(transaction: &mut Write, id: i64) -> Result<Option<Person>, StoreError> {
    let doing = "reading a person";
    let row: Option<PersonRow> = within!(transaction, doing, |on| sqlx::query_as(concat!(
        "SELECT ",
        person_columns!(),
        " FROM people WHERE id = $1"
    ))
    .bind(id)
    .fetch_optional(on))?;
    let Some(row) = row else { return Ok(None) };
    let roles: Vec<RoleRow> =
        within!(transaction, doing, |on| sqlx::query_as(ROLES).bind(id).bind(id).fetch_all(on))?;
    person(row, &roles).map(Some)
}

/// Makes a person without roles.
async fn insert(
    transaction: &mut Write,
    settings: &PersonSettings,
    at: Timestamp,
) -> Result<i64, PersonError> {
    let doing = "making a person";
    let people: i64 =
        within!(transaction, doing, |on| sqlx::query_scalar("SELECT count(*) FROM people").fetch_one(on))?;
    if people >= PEOPLE_MAX {
        return Err(PersonError::TooMany);
    }
    let id: Option<i64> = within!(transaction, doing, |on| {
        sqlx::query_scalar(
            "INSERT INTO people (mail, login, name, language, is_operator, is_disabled, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(&settings.mail)
        .bind(login_of(&settings.mail))
        .bind(&settings.name)
        .bind(settings.language.as_str())
        .bind(settings.is_operator)
        .bind(settings.is_disabled)
        .bind(at.0)
        .fetch_optional(on)
    })?;
    id.ok_or_else(|| PersonError::MailTaken { mail: settings.mail.clone() })
}

/// Sets the roles of a person by hand. Those that stay as they are stay what a group gives, if one does.
async fn set_roles(transaction: &mut Write, id: i64, settings: &PersonSettings) -> Result<(), PersonError> {
    let doing = "setting the roles of a person";
    let by_group: Vec<(i64, String)> = within!(transaction, doing, |on| sqlx::query_as(
        "SELECT account_id, role FROM people_roles WHERE person_id = $1 AND is_by_group"
    )
    .bind(id)
    .fetch_all(on))?;
    execute!(transaction, doing, sqlx::query("DELETE FROM people_roles WHERE person_id = $1").bind(id))?;
    for (account, role) in &settings.roles {
        // Not by the foreign key: its violation could not be told from a failure of the database.
        let set = execute!(
            transaction,
            doing,
            sqlx::query(
                "INSERT INTO people_roles (person_id, account_id, role, is_by_group)
                 SELECT $1, id, $3, $4 FROM accounts WHERE id = $2"
            )
            .bind(id)
            .bind(account.0)
            .bind(role.name())
            .bind(by_group.iter().any(|(known, given)| *known == account.0 && given == role.name()))
        )?;
        if set == 0 {
            return Err(PersonError::Store(StoreError::UnknownAccount));
        }
    }
    Ok(())
}
