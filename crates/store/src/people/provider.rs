//! People whom an OpenID Connect provider vouches for: known by its name for them, else by a verified mail address, else made.
//!
//! Who a person is at the provider is (issuer, subject): the subject is never given to another one, a mail address may be.
//! So the address leads to a person once, and only to one whom the provider does not know by another subject.
//!
//! A password of that person may be another's, who was handed the invitation or made the person by that address, and
//! groups may give more than that one has. So a person who signs in here has none: it is dropped, with what was begun by it.

use super::{
    Person, PersonError, gone, insert, reread,
    sessions::{self, Session, SessionSecret},
    sign_in::SignInFrom,
};
use crate::{
    PersonId, Store, StoreError,
    accounts::Login,
    audit::Visitor,
    change::changed_at,
    database::{Write, execute, is_storable, within},
};
use plenary_model::{
    AccountId, LanguageCode, PERSON_ROLES_MAX, PersonSettings, Role, Timestamp, is_mail, login_of,
};
use std::collections::BTreeMap;

const DOING: &str = "signing in at a provider";

/// A person as a provider describes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderPerson {
    /// The provider.
    pub issuer: String,
    /// Its name for the person, which it gives to nobody else.
    pub subject: String,
    /// Their mail address, if the provider has verified that it is theirs.
    pub verified_mail: Option<String>,
    /// What they are called; for a person who is made.
    pub name: String,
    /// In which language pages are shown to them; for a person who is made.
    pub language: LanguageCode,
    /// What their groups give, by the logins of accounts; of several for one account the first. What names no account is
    /// passed over.
    pub roles: Vec<(String, Role)>,
    /// Their groups let them operate the installation.
    pub is_operator: bool,
}

/// What became of an attempt to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderSignIn {
    /// A session has begun.
    Right(Box<(SessionSecret, Session, Person)>),
    /// Neither a group nor anybody by hand gives them a role. Their sessions have ended.
    NoRole,
    /// They cannot sign in.
    Disabled,
    /// The provider knows them by a name that is new here, and names no verified mail address.
    NoMail,
    /// Their mail address is that of a person whom the provider knows by another name.
    OtherSubject(PersonId),
    /// There are too many people to make another one.
    TooMany,
}

impl Store {
    /// Begins a session of a person whom a provider vouches for. What their groups give takes the place of what groups gave
    /// before; what was given by hand stays, and counts instead of a group's role in the same account. A password that they
    /// have does not count any more, nor does an open invitation, and sessions end that may have begun by either.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_in_by_provider(
        &self,
        who: &ProviderPerson,
        from: SignInFrom<'_>,
        now: Timestamp,
    ) -> Result<ProviderSignIn, StoreError> {
        let mut transaction = self.write(DOING).await?;
        let linked = linked(&mut transaction, who).await?;
        let mail = who.verified_mail.as_deref().map(str::trim).filter(|mail| is_mail(mail));
        let id = match (linked, mail) {
            (Some(id), _) => Some(id),
            (None, None) => return Ok(ProviderSignIn::NoMail),
            (None, Some(mail)) => by_mail(&mut transaction, mail).await?,
        };
        let before = match id {
            Some(id) => Some(reread(&mut transaction, id).await?.ok_or_else(|| gone(id))?),
            None => None,
        };
        if before.as_ref().is_some_and(|person| person.is_disabled) {
            return Ok(ProviderSignIn::Disabled);
        }
        if let (None, Some(person)) = (linked, &before)
            && has_identity(&mut transaction, person.id, &who.issuer).await?
        {
            return Ok(ProviderSignIn::OtherSubject(person.id));
        }
        let given = accounts(&mut transaction, &who.roles).await?;
        let id = match (before, mail) {
            (Some(before), _) => {
                if before.has_password || before.invited_until.is_some() {
                    drop_password(&mut transaction, before.id).await?;
                }
                if !renew(&mut transaction, &before, &given, who.is_operator).await? {
                    sessions::end_all(&mut transaction, before.id).await?;
                    self.doing.note_visitor(&mut transaction, Visitor::Person(&before)).await?;
                    transaction.commit(DOING).await?;
                    return Ok(ProviderSignIn::NoRole);
                }
                before.id
            }
            (None, Some(mail)) => {
                if given.is_empty() && !who.is_operator {
                    return Ok(ProviderSignIn::NoRole);
                }
                match make(&mut transaction, who, mail, &given, now).await {
                    Ok(id) => id,
                    Err(PersonError::TooMany) => return Ok(ProviderSignIn::TooMany),
                    Err(PersonError::Store(error)) => return Err(error),
                    // Nobody has the address, and name and address are allowed.
                    Err(error) => return Err(StoreError::Damaged { what: error.to_string() }),
                }
            }
            (None, None) => return Ok(ProviderSignIn::NoMail),
        };
        if linked.is_none() {
            execute!(
                transaction,
                DOING,
                sqlx::query(
                    "INSERT INTO identities (issuer, subject, person_id, created_at) VALUES ($1, $2, $3, $4)"
                )
                .bind(&who.issuer)
                .bind(&who.subject)
                .bind(id.0)
                .bind(now.0)
            )?;
        }
        let signed_in = "UPDATE people SET signed_in_at = $2 WHERE id = $1";
        execute!(transaction, DOING, sqlx::query(signed_in).bind(id.0).bind(now.0))?;
        let (secret, session) =
            sessions::begin(&mut transaction, id, from.address, from.user_agent, now).await?;
        let person = reread(&mut transaction, id.0).await?.ok_or_else(|| gone(id.0))?;
        self.doing.note_visitor(&mut transaction, Visitor::Person(&person)).await?;
        transaction.commit(DOING).await?;
        Ok(ProviderSignIn::Right(Box::new((secret, session, person))))
    }

    /// Forgets who a person is at providers, and ends their sessions: the next time their mail address counts again. `false`:
    /// no provider knew them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unlink_person(&self, person: PersonId) -> Result<bool, StoreError> {
        let doing = "forgetting who a person is at a provider";
        let mut transaction = self.write(doing).await?;
        let delete = "DELETE FROM identities WHERE person_id = $1";
        if execute!(transaction, doing, sqlx::query(delete).bind(person.0))? == 0 {
            return Ok(false);
        }
        sessions::end_all(&mut transaction, person).await?;
        transaction.commit(doing).await?;
        Ok(true)
    }
}

/// The person whom the provider has named before.
async fn linked(transaction: &mut Write, who: &ProviderPerson) -> Result<Option<i64>, StoreError> {
    let select = "SELECT person_id FROM identities WHERE issuer = $1 AND subject = $2";
    within!(transaction, DOING, |on| sqlx::query_scalar(select)
        .bind(&who.issuer)
        .bind(&who.subject)
        .fetch_optional(on))
}

async fn by_mail(transaction: &mut Write, mail: &str) -> Result<Option<i64>, StoreError> {
    let select = "SELECT id FROM people WHERE login = $1";
    within!(transaction, DOING, |on| sqlx::query_scalar(select).bind(login_of(mail)).fetch_optional(on))
}

async fn has_identity(transaction: &mut Write, person: PersonId, issuer: &str) -> Result<bool, StoreError> {
    let select = "SELECT EXISTS (SELECT 1 FROM identities WHERE person_id = $1 AND issuer = $2)";
    within!(transaction, DOING, |on| sqlx::query_scalar(select).bind(person.0).bind(issuer).fetch_one(on))
}

async fn drop_password(transaction: &mut Write, person: PersonId) -> Result<(), StoreError> {
    for change in [
        "UPDATE people SET password_hash = NULL WHERE id = $1",
        "DELETE FROM invitations WHERE person_id = $1",
    ] {
        execute!(transaction, DOING, sqlx::query(change).bind(person.0))?;
    }
    sessions::end_all(transaction, person).await
}

/// What is given in which account, by their numbers.
async fn accounts(
    transaction: &mut Write,
    roles: &[(String, Role)],
) -> Result<BTreeMap<AccountId, Role>, StoreError> {
    let mut given = BTreeMap::new();
    for (login, role) in roles {
        let Ok(Login { cloud_id, username }) = Login::parse(login) else { continue };
        if !is_storable(login) {
            continue;
        }
        let id: Option<i64> = within!(transaction, DOING, |on| sqlx::query_scalar(
            "SELECT id FROM accounts WHERE cloud_id = $1 AND username = $2"
        )
        .bind(cloud_id)
        .bind(username)
        .fetch_optional(on))?;
        if let Some(id) = id {
            given.entry(AccountId(id)).or_insert(*role);
        }
    }
    Ok(given)
}

async fn make(
    transaction: &mut Write,
    who: &ProviderPerson,
    mail: &str,
    given: &BTreeMap<AccountId, Role>,
    now: Timestamp,
) -> Result<PersonId, PersonError> {
    let settings = PersonSettings {
        name: who.name.clone(),
        mail: mail.to_owned(),
        language: who.language.clone(),
        is_operator: who.is_operator,
        is_disabled: false,
        roles: given.clone(),
    };
    super::check(&settings)?;
    let id = insert(transaction, &settings, now).await?;
    let by_group = "UPDATE people SET is_operator_by_group = is_operator WHERE id = $1";
    execute!(transaction, DOING, sqlx::query(by_group).bind(id))?;
    give(transaction, id, given.iter()).await?;
    Ok(PersonId(id))
}

/// Renews what groups give. `false`: nothing is left.
async fn renew(
    transaction: &mut Write,
    before: &Person,
    given: &BTreeMap<AccountId, Role>,
    is_operator: bool,
) -> Result<bool, StoreError> {
    let by_hand: Vec<AccountId> =
        before.roles.iter().filter(|role| !role.is_by_group).map(|role| role.account.id).collect();
    let room = PERSON_ROLES_MAX.saturating_sub(by_hand.len());
    let new: BTreeMap<AccountId, Role> = given
        .iter()
        .filter(|(account, _)| !by_hand.contains(account))
        .take(room)
        .map(|(account, role)| (*account, *role))
        .collect();
    let old: BTreeMap<AccountId, Role> = before
        .roles
        .iter()
        .filter(|role| role.is_by_group)
        .map(|role| (role.account.id, role.role))
        .collect();
    let operates_by_hand = before.is_operator && !before.is_operator_by_group;
    let operates_by_group = is_operator && !operates_by_hand;
    if new != old || operates_by_group != before.is_operator_by_group {
        let delete = "DELETE FROM people_roles WHERE person_id = $1 AND is_by_group";
        execute!(transaction, DOING, sqlx::query(delete).bind(before.id.0))?;
        give(transaction, before.id.0, new.iter()).await?;
        execute!(
            transaction,
            DOING,
            sqlx::query(
                "UPDATE people SET is_operator = $2, is_operator_by_group = $3, updated_at = $4 WHERE id = $1"
            )
            .bind(before.id.0)
            .bind(operates_by_hand || operates_by_group)
            .bind(operates_by_group)
            .bind(changed_at(Some(before.updated_at)).0)
        )?;
    }
    Ok(operates_by_hand || operates_by_group || !by_hand.is_empty() || !new.is_empty())
}

async fn give(
    transaction: &mut Write,
    person: i64,
    roles: impl Iterator<Item = (&AccountId, &Role)>,
) -> Result<(), StoreError> {
    for (account, role) in roles {
        execute!(
            transaction,
            DOING,
            sqlx::query(
                "INSERT INTO people_roles (person_id, account_id, role, is_by_group) VALUES ($1, $2, $3, $4)"
            )
            .bind(person)
            .bind(account.0)
            .bind(role.name())
            .bind(true)
        )?;
    }
    Ok(())
}
