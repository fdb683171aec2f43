//! Inbound services, by name.

use crate::{InboundError, InboundService, Store, StoreError, database::now, inbound::NAME_CHARS_MAX};
use plenary_conference::{AccountId, ServiceName};
use serde_json::Value;
use sqlx::SqliteConnection;
use thiserror::Error;

/// A service as its owner sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredService {
    /// Its name.
    pub name: ServiceName,
    /// Its body, as it was put: an object with `conference` or `announcement`.
    pub body: Value,
}

/// What a put did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// There was no service of this name.
    Created,
    /// There was one, and it is replaced.
    Replaced,
}

/// Why a service was not stored.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The name belongs to another account.
    #[error(
        "the service name is taken: names are unique over the whole installation, unless `access` has no networks and no trunks (\"networks\": []), so that every caller brings what names the account"
    )]
    NameTaken,
    /// The account has no service of this name.
    #[error("there is no inbound service of this name")]
    UnknownService,
    /// The name or the body is not allowed.
    #[error(transparent)]
    Invalid(#[from] InboundError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
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
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT name, body FROM inbound_services WHERE account_id = ? ORDER BY name")
                .bind(account.0)
                .fetch_all(&self.readers)
                .await
                .map_err(StoreError::when("listing inbound services"))?;
        rows.into_iter().map(|(name, body)| stored(name, &body)).collect()
    }

    /// An account's service of that very name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn service(&self, account: AccountId, name: &str) -> Result<Option<StoredService>, StoreError> {
        let body: Option<String> =
            sqlx::query_scalar("SELECT body FROM inbound_services WHERE account_id = ? AND name = ?")
                .bind(account.0)
                .bind(name)
                .fetch_optional(&self.readers)
                .await
                .map_err(StoreError::when("reading an inbound service"))?;
        body.map(|body| stored(name.to_owned(), &body)).transpose()
    }

    /// Makes the account's service `name`, or replaces it. Calls that come after it see it.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] naming the field, [`ServiceError::NameTaken`] where another account has a
    /// service of this name, [`ServiceError::Store`] when the database fails.
    pub async fn put_service(
        &self,
        account: AccountId,
        name: &str,
        body: &Value,
    ) -> Result<PutOutcome, ServiceError> {
        let service = InboundService::new(account, name, body)?;
        let doing = "storing an inbound service";
        let mut transaction = self.write(doing).await?;
        let outcome = match body_of(&mut transaction, account, name).await? {
            Some(_) => PutOutcome::Replaced,
            None => PutOutcome::Created,
        };
        write_body(&mut transaction, &service, body).await?;
        transaction.commit().await.map_err(StoreError::when(doing))?;
        Ok(outcome)
    }

    /// Merges `patch` into the body of the account's service `name` (RFC 7396) and stores the outcome, if it is
    /// a valid body.
    ///
    /// # Errors
    /// [`ServiceError::UnknownService`], [`ServiceError::Invalid`] naming the field of the merged body,
    /// [`ServiceError::Store`] when the database fails.
    pub async fn patch_service(
        &self,
        account: AccountId,
        name: &str,
        patch: &Value,
    ) -> Result<StoredService, ServiceError> {
        let doing = "changing an inbound service";
        let mut transaction = self.write(doing).await?;
        let Some(body) = body_of(&mut transaction, account, name).await? else {
            return Err(ServiceError::UnknownService);
        };
        let mut patched = stored(name.to_owned(), &body)?;
        merge(&mut patched.body, patch);
        let service = InboundService::new(account, name, &patched.body)?;
        write_body(&mut transaction, &service, &patched.body).await?;
        transaction.commit().await.map_err(StoreError::when(doing))?;
        Ok(patched)
    }

    /// Deletes the account's service `name`. `false`: it has none of this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_service(&self, account: AccountId, name: &str) -> Result<bool, StoreError> {
        let statement = "DELETE FROM inbound_services WHERE account_id = ? AND name = ?";
        self.delete_named("deleting an inbound service", statement, account, name).await
    }

    /// The service that a call to `user` reaches by its name alone, of whichever account, and what its `*` stood for
    /// (nothing for a service without one). A service of exactly this name beats those with a `*`; of these the one with
    /// the longest text before the `*` wins.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn match_service(&self, user: &str) -> Result<Option<(InboundService, String)>, StoreError> {
        self.match_service_in(ServiceScope::default(), user).await
    }

    /// The same among the services that `scope` leaves.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn match_service_in(
        &self,
        scope: ServiceScope<'_>,
        user: &str,
    ) -> Result<Option<(InboundService, String)>, StoreError> {
        let rows: Vec<(i64, String, String)> = sqlx::query_as(
            "SELECT account_id, name, body FROM inbound_services
             WHERE name IN (SELECT value FROM json_each(?1))
               AND CASE WHEN ?2 IS NULL THEN is_bare = 1 ELSE account_id = ?2 END
               AND (?3 IS NULL OR account_id IN (SELECT id FROM accounts WHERE cloud_id = ?3))",
        )
        .bind(Value::from(names_that_match(user)).to_string())
        .bind(scope.account.map(|account| account.0))
        .bind(scope.cloud_id)
        .fetch_all(&self.readers)
        .await
        .map_err(StoreError::when("looking for the inbound service of a call"))?;
        // Every prefix counts as long as it is; the whole name as longer than any.
        let best = rows.into_iter().max_by_key(|(_, name, _)| match name.strip_suffix('*') {
            Some(prefix) => prefix.len(),
            None => usize::MAX,
        });
        let Some((account, name, body)) = best else { return Ok(None) };
        let rest = name.strip_suffix('*').map_or("", |prefix| &user[prefix.len()..]).to_owned();
        let body = stored(name, &body)?;
        let service =
            InboundService::new(AccountId(account), body.name.as_str(), &body.body).map_err(|error| {
                StoreError::Damaged { what: format!("inbound service {}: {error}", body.name) }
            })?;
        Ok(Some((service, rest)))
    }
}

/// All names under which a service could take a call to `user`: the user itself, and every beginning of it
/// with a `*` behind it.
fn names_that_match(user: &str) -> Vec<String> {
    let exact = (user.chars().count() <= NAME_CHARS_MAX && !user.ends_with('*')).then(|| user.to_owned());
    let beginnings = (0..=user.len()).filter(|end| user.is_char_boundary(*end)).take(NAME_CHARS_MAX);
    exact.into_iter().chain(beginnings.map(|end| format!("{}*", &user[..end]))).collect()
}

fn stored(name: String, body: &str) -> Result<StoredService, StoreError> {
    let body = serde_json::from_str(body)
        .map_err(|error| StoreError::Damaged { what: format!("inbound service {name}: {error}") })?;
    Ok(StoredService { name: ServiceName::new(name), body })
}

async fn body_of(
    connection: &mut SqliteConnection,
    account: AccountId,
    name: &str,
) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar("SELECT body FROM inbound_services WHERE account_id = ? AND name = ?")
        .bind(account.0)
        .bind(name)
        .fetch_optional(connection)
        .await
        .map_err(StoreError::when("reading an inbound service"))
}

async fn write_body(
    connection: &mut SqliteConnection,
    service: &InboundService,
    body: &Value,
) -> Result<(), ServiceError> {
    let doing = "storing an inbound service";
    let (account, name, is_bare) = (service.account.0, service.name.as_str(), service.access.is_bare());
    let taken: Option<i64> = sqlx::query_scalar(
        "SELECT account_id FROM inbound_services WHERE name = ? AND is_bare = 1 AND account_id <> ?",
    )
    .bind(name)
    .bind(account)
    .fetch_optional(&mut *connection)
    .await
    .map_err(StoreError::when(doing))?;
    if is_bare && taken.is_some() {
        return Err(ServiceError::NameTaken);
    }
    sqlx::query(
        "INSERT INTO inbound_services (account_id, name, body, is_bare, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5)
         ON CONFLICT (account_id, name) DO UPDATE SET body = excluded.body, is_bare = excluded.is_bare,
             updated_at = excluded.updated_at",
    )
    .bind(account)
    .bind(name)
    .bind(body.to_string())
    .bind(is_bare)
    .bind(now().0)
    .execute(connection)
    .await
    .map_err(StoreError::when(doing))?;
    Ok(())
}

/// JSON Merge Patch, RFC 7396 section 2: `null` removes, objects merge, everything else replaces.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else { unreachable!("made an object just now") };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// RFC 7396, appendix A.
    #[test]
    fn patches_merge_as_in_the_examples_of_the_rfc() {
        let cases = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a":"b"}), json!(["c"]), json!(["c"])),
            (json!({"a":"foo"}), json!(null), json!(null)),
            (json!({"a":"foo"}), json!("bar"), json!("bar")),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ];
        for (mut target, patch, merged) in cases {
            let before = target.to_string();
            merge(&mut target, &patch);
            assert_eq!(target, merged, "{before} patched with {patch}");
        }
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
