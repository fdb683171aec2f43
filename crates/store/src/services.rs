//! Inbound services, by name.

use crate::{
    Change, ChangeError, Changed, Store, StoreError,
    change::changed_at,
    database::{Write, is_storable, list, read, within},
    error::listed,
    named::{Before, Kind, Statements, statements},
};
use plenary_model::{
    AccountId, Action, ConferenceAction, ConferenceName, EntryRooms, FieldError, InboundService, Likeness,
    Number, SERVICE_NAME_CHARS_MAX, ServiceName, StoredService, Timestamp, likeness, merge,
};
use serde_json::Value;
use std::cmp::Reverse;
use thiserror::Error;

/// Services of an account that are looked through for one by which guests come.
const FOR_GUESTS_MAX: usize = 1000;

/// The services of these names (1) and of these numbers (2), among those of an account (3; null: those that need nothing but
/// their name) and of a cloud id (4; null: any).
macro_rules! lookup {
    ($explain:literal, $names:literal, $numbers:literal) => {
        concat!(
            $explain,
            "SELECT account_id, name, body FROM (
                 SELECT account_id, name, body, is_bare FROM inbound_services WHERE name ",
            $names,
            " UNION
                 SELECT account_id, name, body, is_bare FROM inbound_services WHERE number ",
            $numbers,
            ") AS found
             WHERE CASE WHEN $3 IS NULL THEN is_bare ELSE account_id = $3 END
               AND NOT (SELECT is_disabled FROM accounts WHERE accounts.id = account_id)
               AND ($4 IS NULL OR account_id IN (SELECT id FROM accounts WHERE cloud_id = $4))"
        )
    };
}
const LOOKUP_SQLITE: &str =
    lookup!("", "IN (SELECT value FROM json_each($1))", "IN (SELECT value FROM json_each($2))");
const LOOKUP_POSTGRES: &str = lookup!(
    "",
    "= ANY (ARRAY (SELECT json_array_elements_text($1::json)))",
    "= ANY (ARRAY (SELECT json_array_elements_text($2::json)))"
);

/// Why a service was not stored.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The name belongs to another account.
    #[error(
        "the service name is taken: names are unique over the whole installation, unless `access` has no networks and no trunks (\"networks\": []), so that every caller brings what names the account; numbers in every spelling"
    )]
    NameTaken,
    /// The account has no service of this name.
    #[error("there is no inbound service of this name")]
    UnknownService,
    /// The name or the body is not allowed.
    #[error("{}", listed(.0))]
    Invalid(Vec<FieldError>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Vec<FieldError>> for ServiceError {
    fn from(errors: Vec<FieldError>) -> Self {
        Self::Invalid(errors)
    }
}

/// Which services a call may reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServiceScope<'a> {
    /// Only those of this account. `None`: of every account those that are reached by their name alone.
    pub account: Option<AccountId>,
    /// Only those of accounts of this cloud id.
    pub cloud_id: Option<&'a str>,
}

impl Store {
    /// An account's services, ordered by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn services(&self, account: AccountId) -> Result<Vec<StoredService>, StoreError> {
        self.services_after(account, None, usize::MAX).await
    }

    /// So many of an account's services at the most, ordered by name, from the one behind `after` on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn services_after(
        &self,
        account: AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredService>, StoreError> {
        self.named_after::<Services>(account, after, limit).await
    }

    /// An account's service of that very name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn service(&self, account: AccountId, name: &str) -> Result<Option<StoredService>, StoreError> {
        self.named::<Services>(account, name).await
    }

    /// Changes the account's service `name` by a decision about what it is. Calls that come after it see it.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the decision; [`ServiceError::Invalid`] naming the member,
    /// [`ServiceError::NameTaken`] where another account has a service of this name, [`ServiceError::Store`] when the
    /// database fails.
    pub async fn change_service<E>(
        &self,
        account: AccountId,
        name: &str,
        decide: impl FnOnce(Option<&StoredService>) -> Result<Change<Value>, E> + Send,
    ) -> Result<Changed<StoredService>, ChangeError<E, ServiceError>> {
        self.change_named::<Services, E>(account, name, decide).await
    }

    /// Makes the account's service `name`, or replaces it, even one that cannot be read.
    ///
    /// # Errors
    /// As [`Self::change_service`].
    pub async fn put_service(
        &self,
        account: AccountId,
        name: &str,
        body: &Value,
    ) -> Result<Changed<StoredService>, ServiceError> {
        self.put_named::<Services>(account, name, body.clone()).await
    }

    /// The same on a condition about what has the name before.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the condition; else as [`Self::change_service`].
    pub async fn put_service_if<E>(
        &self,
        account: AccountId,
        name: &str,
        body: Value,
        condition: impl FnOnce(Before<'_, StoredService>) -> Result<(), E> + Send,
    ) -> Result<Changed<StoredService>, ChangeError<E, ServiceError>> {
        self.put_named_if::<Services, E>(account, name, body, condition).await
    }

    /// Merges `patch` into the body of the account's service `name` (RFC 7396) and stores the outcome, if it is
    /// a valid body.
    ///
    /// # Errors
    /// [`ServiceError::UnknownService`]; else as [`Self::change_service`], about the merged body.
    pub async fn patch_service(
        &self,
        account: AccountId,
        name: &str,
        patch: &Value,
    ) -> Result<StoredService, ServiceError> {
        let changed = self.change_service(account, name, |before| {
            let mut body = before.ok_or(ServiceError::UnknownService)?.body.clone();
            merge(&mut body, patch);
            Ok(Change::Put(body))
        });
        match changed.await {
            Ok(changed) => changed.into_stored().ok_or(ServiceError::UnknownService),
            Err(ChangeError::Refused(error) | ChangeError::Store(error)) => Err(error),
        }
    }

    /// Deletes the account's service `name`. `false`: it has none of this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_service(&self, account: AccountId, name: &str) -> Result<bool, StoreError> {
        self.delete_named::<Services>(account, name).await
    }

    /// Deletes the account's service `name` on a condition about it. `false`: it has none of this name.
    ///
    /// # Errors
    /// [`ChangeError::Refused`] by the condition; else when the database fails.
    pub async fn delete_service_if<E>(
        &self,
        account: AccountId,
        name: &str,
        condition: impl FnOnce(Before<'_, StoredService>) -> Result<(), E> + Send,
    ) -> Result<bool, ChangeError<E>> {
        self.delete_named_if::<Services, E>(account, name, condition).await
    }

    /// The service that a call to `dialled` reaches by its name alone, of whichever account, and what its `*` stood for
    /// (nothing for a service without one). The first of these that there is:
    ///
    /// 1. a service of exactly this name,
    /// 2. of the same number in another spelling (RFC 3966, section 5.1.5),
    /// 3. of the same number where an extension, a subaddress or a context was dialled beside it,
    /// 4. of the same number with a `+` where none was dialled, or without one,
    /// 5. the service whose text before its `*` is the longest that the name begins with, or the number without its
    ///    separators,
    /// 6. the same without the `+` of the number that was dialled.
    ///
    /// Of several spellings of one number the one without separators comes first, then the lowest in the order of bytes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn match_service(&self, dialled: &str) -> Result<Option<(InboundService, String)>, StoreError> {
        self.match_service_in(ServiceScope::default(), dialled).await
    }

    /// The same among the services that `scope` leaves.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn match_service_in(
        &self,
        scope: ServiceScope<'_>,
        dialled: &str,
    ) -> Result<Option<(InboundService, String)>, StoreError> {
        if !scope.cloud_id.is_none_or(is_storable) {
            return Ok(None);
        }
        let number = Number::parse(dialled);
        let mut names = names_that_match(dialled);
        if let Some(number) = &number {
            names.extend(names_that_match(&number.subscriber()));
            names.extend(names_that_match(number.digits()));
        }
        let names = list(names.iter().map(String::as_str));
        let numbers = number_keys(number.as_ref());
        let lookup = self.base.text(LOOKUP_SQLITE, LOOKUP_POSTGRES);
        let rows: Vec<(i64, String, String)> =
            read!(self.base, "looking for the inbound service of a call", |on| sqlx::query_as(lookup)
                .bind(&names)
                .bind(&numbers)
                .bind(scope.account.map(|account| account.0))
                .bind(scope.cloud_id)
                .fetch_all(on))?;
        let best = rows
            .into_iter()
            .filter_map(|(account, name, body)| {
                let (rank, rest) = match_rank(dialled, number.as_ref(), &name)?;
                Some((rank, account, name, body, rest))
            })
            .min_by(|(one, _, name, ..), (other, _, other_name, ..)| {
                one.cmp(other).then(name.cmp(other_name))
            });
        let Some((_, account, name, body, rest)) = best else { return Ok(None) };
        let body = body_of(&name, &body)?;
        let service = InboundService::new(AccountId(account), &name, &body).map_err(|errors| {
            StoreError::Damaged { what: format!("inbound service {name}: {}", listed(&errors)) }
        })?;
        Ok(Some((service, rest)))
    }

    /// How guests call a conference of an account: the service that leads there and admits callers with tokens, and what is dialled
    /// for it. `None`: there is none. Those come first that make no leaders, then those that lead nowhere else.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn service_for_guests(
        &self,
        account: AccountId,
        conference: &ConferenceName,
    ) -> Result<Option<(String, Box<ConferenceAction>)>, StoreError> {
        let scope = ServiceScope { account: Some(account), cloud_id: None };
        let mut found = Vec::new();
        for stored in self.services_after(account, None, FOR_GUESTS_MAX).await? {
            let name = stored.name.as_str();
            let Ok(service) = InboundService::new(account, name, &stored.body) else { continue };
            let Action::Conference(action) = service.action else { continue };
            if !service.access.tokens {
                continue;
            }
            if let Some(rest) = action.rest_for(conference) {
                let dialled = match name.strip_suffix('*') {
                    Some(prefix) => format!("{prefix}{rest}"),
                    None => name.to_owned(),
                };
                found.push((action.participant.is_leader(), name.ends_with('*'), dialled, action));
            }
        }
        found.sort_by(|one, other| (one.0, one.1, &one.2).cmp(&(other.0, other.1, &other.2)));
        for (_, _, dialled, action) in found {
            // Another service may stand before it for what is dialled.
            let matched = self.match_service_in(scope, &dialled).await?;
            let leads_there = matched.is_some_and(|(service, rest)| match service.action {
                Action::Conference(other) => {
                    service.access.tokens
                        && other.conference_name(&rest).as_ref() == Some(conference)
                        && other.participant.is_leader() == action.participant.is_leader()
                }
                Action::Announcement(_) | Action::Entry(_) => false,
            });
            if leads_there {
                return Ok(Some((dialled, action)));
            }
        }
        Ok(None)
    }

    /// Whether callers of an account key in the number of this room: an entry that leads to one room alone asks for none. Where entries
    /// differ it is keyed in, for the number of its only room changes nothing at an entry; where none leads there, it is the room's name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn asks_for_room(&self, account: AccountId, room: &str) -> Result<bool, StoreError> {
        let mut is_reached = false;
        for stored in self.services_after(account, None, FOR_GUESTS_MAX).await? {
            let Ok(service) = InboundService::new(account, stored.name.as_str(), &stored.body) else {
                continue;
            };
            let Action::Entry(entry) = service.action else { continue };
            let rooms = match entry.rooms {
                EntryRooms::All => self.room_numbers(account).await?,
                EntryRooms::Listed(rooms) => rooms,
            };
            let leads_there = rooms.iter().any(|one| one == room);
            if leads_there && rooms.len() > 1 {
                return Ok(true);
            }
            is_reached |= leads_there;
        }
        Ok(!is_reached)
    }
}

/// Under which of these keys spellings of a number are found, with and without `+`; none for what is no number.
fn number_keys(number: Option<&Number>) -> String {
    let keys = number.map(|number| [format!("+{}", number.digits()), number.digits().to_owned()]);
    list(keys.iter().flatten().map(String::as_str))
}

/// Where a service stands among those that a call may reach, the first first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum MatchRank {
    /// Its whole name is what was dialled. `true`: as a number, in another spelling than the plain one.
    Whole(Likeness, bool),
    /// What was dialled begins with so many octets of its name. `true`: as it was dialled, separators and all.
    Beginning(Reverse<usize>, bool),
    /// The same, without the `+`.
    BeginningWithoutPlus(Reverse<usize>),
}

/// Where the service of this name stands for what was dialled, and what its `*` stands for. `None`: it is not reached.
fn match_rank(dialled: &str, number: Option<&Number>, name: &str) -> Option<(MatchRank, String)> {
    let Some(prefix) = name.strip_suffix('*') else {
        let is_odd = Number::parse(name).is_some_and(|number| number.to_string() != name);
        return likeness(dialled, name).map(|likeness| (MatchRank::Whole(likeness, is_odd), String::new()));
    };
    let length = Reverse(prefix.len());
    let subscriber = number.map(Number::subscriber);
    // Without separators rather than with them: what the `*` stands for may have to be the name of a conference.
    if let Some(rest) = subscriber.as_deref().and_then(|number| number.strip_prefix(prefix)) {
        return Some((MatchRank::Beginning(length, false), rest.to_owned()));
    }
    if let Some(rest) = dialled.strip_prefix(prefix) {
        return Some((MatchRank::Beginning(length, true), rest.to_owned()));
    }
    let digits = number.filter(|number| number.is_global())?.digits();
    let rest = digits.strip_prefix(prefix)?;
    Some((MatchRank::BeginningWithoutPlus(length), rest.to_owned()))
}

/// All names under which a service could take a call to `user`: the user itself, and every beginning of it
/// with a `*` behind it.
fn names_that_match(user: &str) -> Vec<String> {
    let exact =
        (user.chars().count() <= SERVICE_NAME_CHARS_MAX && !user.ends_with('*')).then(|| user.to_owned());
    let beginnings = (0..=user.len()).filter(|end| user.is_char_boundary(*end)).take(SERVICE_NAME_CHARS_MAX);
    exact.into_iter().chain(beginnings.map(|end| format!("{}*", &user[..end]))).collect()
}

/// name, body, created_at, updated_at
type Row = (String, String, i64, i64);

fn stored((name, body, created_at, updated_at): Row) -> Result<StoredService, StoreError> {
    let body = body_of(&name, &body)?;
    Ok(StoredService {
        name: ServiceName::new(name),
        body,
        created_at: Timestamp(created_at),
        updated_at: Timestamp(updated_at),
    })
}

fn body_of(name: &str, body: &str) -> Result<Value, StoreError> {
    let damaged = |error| StoreError::Damaged { what: format!("inbound service {name}: {error}") };
    serde_json::from_str(body).map_err(damaged)
}

/// Another account has this number, in whatever spelling: its calls are not to be had by writing it differently.
async fn is_number_of_another(
    transaction: &mut Write,
    account: AccountId,
    name: &str,
) -> Result<bool, StoreError> {
    let number = Number::parse(name);
    if number.is_none() {
        return Ok(false);
    }
    let statement = transaction.text(
        "SELECT name FROM inbound_services WHERE account_id <> $1 AND is_bare
         AND number IN (SELECT value FROM json_each($2))",
        "SELECT name FROM inbound_services WHERE account_id <> $1 AND is_bare
         AND number = ANY (ARRAY (SELECT json_array_elements_text($2::json)))",
    );
    let keys = number_keys(number.as_ref());
    let others: Vec<String> =
        within!(transaction, "looking for a number of another account", |on| sqlx::query_scalar(statement)
            .bind(account.0)
            .bind(&keys)
            .fetch_all(on))?;
    Ok(others.iter().any(|other| likeness(name, other).or(likeness(other, name)).is_some()))
}

/// Inbound services, as they are changed.
struct Services;

impl Kind for Services {
    type Row = Row;
    type Stored = StoredService;
    type Body = Value;
    type Error = ServiceError;
    const STATEMENTS: Statements = statements!("an inbound service", "inbound services", "name, body, created_at, updated_at" of inbound_services by name);

    fn stored(row: Row) -> Result<StoredService, StoreError> {
        stored(row)
    }

    async fn put(
        transaction: &mut Write,
        account: AccountId,
        name: &str,
        before: Before<'_, StoredService>,
        body: Value,
    ) -> Result<StoredService, ServiceError> {
        let is_bare = InboundService::new(account, name, &body)?.access.is_bare();
        let taken: Option<i64> = within!(transaction, Self::STATEMENTS.storing, |on| sqlx::query_scalar(
            "SELECT account_id FROM inbound_services WHERE name = $1 AND is_bare AND account_id <> $2",
        )
        .bind(name)
        .bind(account.0)
        .fetch_optional(on))?;
        if is_bare && taken.is_some() {
            return Err(ServiceError::NameTaken);
        }
        // What was there before this was checked stays changeable.
        let had: Option<bool> = within!(transaction, Self::STATEMENTS.storing, |on| sqlx::query_scalar(
            "SELECT is_bare FROM inbound_services WHERE account_id = $1 AND name = $2"
        )
        .bind(account.0)
        .bind(name)
        .fetch_optional(on))?;
        if is_bare && had != Some(true) && is_number_of_another(transaction, account, name).await? {
            return Err(ServiceError::NameTaken);
        }
        let updated_at = changed_at(before.stored().map(|before| before.updated_at));
        let created_at: i64 = within!(transaction, Self::STATEMENTS.storing, |on| {
            sqlx::query_scalar(
                "INSERT INTO inbound_services (account_id, name, body, is_bare, number, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $6)
                 ON CONFLICT (account_id, name) DO UPDATE SET body = excluded.body, is_bare = excluded.is_bare,
                     number = excluded.number, updated_at = excluded.updated_at
                 RETURNING created_at",
            )
            .bind(account.0)
            .bind(name)
            .bind(body.to_string())
            .bind(is_bare)
            .bind(Number::parse(name).map(|number| number.subscriber()))
            .bind(updated_at.0)
            .fetch_one(on)
        })?;
        Ok(StoredService {
            name: ServiceName::new(name),
            body,
            created_at: Timestamp(created_at),
            updated_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Base;

    const EXPLAIN_SQLITE: &str = lookup!(
        "EXPLAIN QUERY PLAN ",
        "IN (SELECT value FROM json_each($1))",
        "IN (SELECT value FROM json_each($2))"
    );
    #[cfg(feature = "e2e")]
    const EXPLAIN_POSTGRES: &str = lookup!(
        "EXPLAIN ",
        "= ANY (ARRAY (SELECT json_array_elements_text($1::json)))",
        "= ANY (ARRAY (SELECT json_array_elements_text($2::json)))"
    );

    /// A call does not read every service there is.
    #[tokio::test]
    async fn services_are_looked_up_by_indexes() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let Base::Sqlite(base) = &store.base else { panic!("opened as a file") };
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(EXPLAIN_SQLITE)
            .bind("[]")
            .bind("[]")
            .bind(None::<i64>)
            .bind(None::<&str>)
            .fetch_all(&base.readers)
            .await
            .unwrap();
        let steps: Vec<String> = plan.into_iter().map(|(.., step)| step).collect();
        for index in ["inbound_services_by_number", "inbound_services_by_name"] {
            assert!(steps.iter().any(|step| step.contains(index)), "{steps:?}");
        }
        assert!(!steps.iter().any(|step| step.contains("SCAN inbound_services")), "{steps:?}");
    }

    /// The same, where it is left to no choice: a table this small is read as a whole otherwise.
    #[cfg(feature = "e2e")]
    #[tokio::test]
    async fn services_are_looked_up_by_indexes_in_postgres() {
        let postgres = plenary_testing::Postgres::with_settings(&["enable_seqscan=off"]);
        let store = Store::open_at(&postgres.url().parse().unwrap()).await.unwrap();
        let Base::Postgres(base) = &store.base else { panic!("opened by a URL") };
        let steps: Vec<String> = sqlx::query_scalar(EXPLAIN_POSTGRES)
            .bind("[]")
            .bind("[]")
            .bind(None::<i64>)
            .bind(None::<&str>)
            .fetch_all(&base.readers)
            .await
            .unwrap();
        for index in ["inbound_services_by_number", "inbound_services_by_bare_name"] {
            assert!(steps.iter().any(|step| step.contains(index)), "{steps:?}");
        }
        assert!(!steps.iter().any(|step| step.contains("Seq Scan on inbound_services")), "{steps:?}");
    }

    #[test]
    fn a_call_may_match_its_name_and_every_beginning() {
        assert_eq!(names_that_match("ab"), ["ab", "*", "a*", "ab*"]);
        assert_eq!(names_that_match(""), ["", "*"]);
        assert_eq!(names_that_match("é"), ["é", "*", "é*"]);
        // A literal `*` is dialled, not a service's wildcard.
        assert_eq!(names_that_match("a*"), ["*", "a*", "a**"]);
    }
}
