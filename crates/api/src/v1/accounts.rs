//! The accounts of the installation, for operators.

use super::{
    access::{Caller, Operator},
    body::{Body, Patch},
    conditions::{Conditions, Tag, created, tagged},
    list::{List, Page, Query},
};
use crate::{
    answer::{Answer, to_the_end},
    error::{ApiError, UNKNOWN_ACCOUNT},
    extract::Segments,
    state::App,
    time,
};
use axum::{extract::State, http::StatusCode};
use plenary_model::{AccountId, FieldError};
use plenary_store::{Account as Stored, AccountSettings, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Ten years.
const RECORDING_DAYS_MAX: u32 = 3660;
/// More than a machine answers.
const REQUESTS_MAX: u32 = 1_000_000;
/// More than any server has places for.
const SEATS_MAX: u32 = 1_000_000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, make)).routes(routes!(one, change))
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
struct Account {
    /// Its number.
    id: i64,
    /// The cloud id: three numbers.
    #[schema(example = "1-2-0")]
    cloud_id: String,
    /// The user name.
    #[schema(example = "bob@example.com")]
    username: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// How long its recordings are kept, in days; 0: for ever; null: as is configured.
    recording_days: Option<u32>,
    /// Seats of one of its conferences at the most; null: as is configured.
    max_participants: Option<u32>,
    /// Its requests per second; 0: any number; null: as is configured.
    requests_per_second: Option<u32>,
    /// It cannot be used.
    disabled: bool,
}

/// What the operator allows an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccountSettings)]
struct Set {
    /// How long its recordings are kept, in days; 0: for ever; null: as is configured.
    #[serde(default)]
    #[schema(maximum = 3660)]
    recording_days: Option<u32>,
    /// Seats of one of its conferences at the most; null: as is configured, which is the limit in any case.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1000000)]
    max_participants: Option<u32>,
    /// Its requests per second, on average over ten seconds; 0: any number; null: as is configured.
    #[serde(default)]
    #[schema(maximum = 1000000)]
    requests_per_second: Option<u32>,
    /// Its keys and people are refused, its telephones and trunks do not register, and its inbound services take no calls. Calls
    /// and conferences in progress go on.
    #[serde(default)]
    disabled: bool,
}

impl From<AccountSettings> for Set {
    fn from(settings: AccountSettings) -> Self {
        let AccountSettings { recording_days, is_disabled, max_participants, requests_per_second } = settings;
        Self { recording_days, max_participants, requests_per_second, disabled: is_disabled }
    }
}

impl Set {
    fn settings(self) -> Result<AccountSettings, ApiError> {
        let Self { recording_days, max_participants, requests_per_second, disabled } = self;
        let mut errors = Vec::new();
        let mut check = |pointer: &str, is_wrong: bool, allowed: String| {
            if is_wrong {
                errors.push(FieldError::new(pointer, format!("must be {allowed}, or null")));
            }
        };
        let above = |value: Option<u32>, most: u32| value.is_some_and(|value| value > most);
        check(
            "/recording_days",
            above(recording_days, RECORDING_DAYS_MAX),
            format!("0 to {RECORDING_DAYS_MAX}"),
        );
        check(
            "/max_participants",
            max_participants == Some(0) || above(max_participants, SEATS_MAX),
            format!("1 to {SEATS_MAX}"),
        );
        check(
            "/requests_per_second",
            above(requests_per_second, REQUESTS_MAX),
            format!("0 to {REQUESTS_MAX}"),
        );
        match errors.is_empty() {
            true => Ok(AccountSettings {
                recording_days,
                is_disabled: disabled,
                max_participants,
                requests_per_second,
            }),
            false => Err(ApiError::members(errors)),
        }
    }
}

impl From<Stored> for Account {
    fn from(account: Stored) -> Self {
        let Stored { id, cloud_id, username, created_at, settings } = account;
        let Set { recording_days, max_participants, requests_per_second, disabled } = settings.into();
        Self {
            id: id.0,
            cloud_id,
            username,
            created_at: time::rfc3339(created_at),
            recording_days,
            max_participants,
            requests_per_second,
            disabled,
        }
    }
}

fn tag(account: &Stored) -> Tag {
    Tag::of(&Set::from(account.settings))
}

fn unknown() -> ApiError {
    ApiError::coded(UNKNOWN_ACCOUNT, "there is no account with this number")
}

fn id(text: &str) -> Result<AccountId, ApiError> {
    text.parse().map(AccountId).map_err(|_| unknown())
}

/// An account that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AccountBody {
    /// The cloud id: three numbers.
    #[schema(pattern = "^[0-9]{1,9}-[0-9]{1,9}-[0-9]{1,9}$", example = "1-2-0")]
    cloud_id: String,
    /// The user name: without spaces and colons.
    #[schema(min_length = 1, max_length = 128, example = "bob@example.com")]
    username: String,
    /// How long its recordings are kept, in days; 0: for ever; null: as is configured.
    #[schema(maximum = 3660)]
    recording_days: Option<u32>,
    /// Seats of one of its conferences at the most; null: as is configured.
    #[schema(minimum = 1, maximum = 1000000)]
    max_participants: Option<u32>,
    /// Its requests per second; 0: any number; null: as is configured.
    #[schema(maximum = 1000000)]
    requests_per_second: Option<u32>,
    /// It is made, and cannot be used yet.
    #[serde(default)]
    disabled: bool,
}

/// An account that was just made.
#[derive(Debug, Serialize, ToSchema)]
struct NewAccount {
    /// The secret of its first API key, which may do all that an account may. It is shown this once.
    #[schema(pattern = "^[a-z2-7]{52}$")]
    secret: String,
    #[serde(flatten)]
    account: Account,
}

/// Lists all accounts
///
/// By cloud id and user name.
#[utoipa::path(get, path = "/v1/operator/accounts", operation_id = "list_accounts", tag = "operator", params(Page),
    security(("bearer" = ["operator"])),
    responses((status = 200, description = "Some of the accounts.", body = List<Account>)))]
async fn list(_: Caller<Operator>, State(state): State<App>, Query(page): Query<Page>) -> Answer {
    let after = page.after().map(|after| after.split_once('/').unwrap_or((after, "")));
    let accounts = state.store.accounts_after(after, page.to_fetch()).await?;
    let key = |account: &Stored| format!("{}/{}", account.cloud_id, account.username);
    page.answer(accounts, key, Account::from)
}

/// Makes an account
///
/// With a first API key, whose secret is in this answer alone.
#[utoipa::path(post, path = "/v1/operator/accounts", operation_id = "make_account", tag = "operator",
    request_body(content = AccountBody, example = json!({"cloud_id": "1-2-0", "username": "bob@example.com"})),
    security(("bearer" = ["operator"])),
    responses((status = 201, description = "The account, with its first key.", body = NewAccount,
        headers(("Location" = String, description = "Its path."), ("ETag" = String, description = "Its version."))),
        (status = 409, description = "There is one of this cloud id and user name (1141).")))]
async fn make(caller: Caller<Operator>, State(state): State<App>, Body(body): Body<AccountBody>) -> Answer {
    let state = caller.acting(state);
    let AccountBody { cloud_id, username, recording_days, max_participants, requests_per_second, disabled } =
        body;
    let settings = Set { recording_days, max_participants, requests_per_second, disabled }.settings()?;
    if cloud_id.contains('/') {
        return Err(ApiError::members(vec![FieldError::new(
            "/cloud_id",
            "must be three numbers, as in `1-2-0`",
        )]));
    }
    to_the_end(async move {
        let made = state.store.account_new(&format!("{cloud_id}/{username}"), settings).await;
        let (account, key) = made.map_err(|error| match error {
            StoreError::Login { .. } => {
                let text = "must be three numbers as in `1-2-0`, with a username of 1 to 128 characters without spaces and colons";
                ApiError::members(vec![FieldError::new("/cloud_id", text)])
            }
            error => error.into(),
        })?;
        let (tag, location) = (tag(&account), format!("/v1/operator/accounts/{}", account.id.0));
        let shown = NewAccount { secret: key.as_str().to_owned(), account: account.into() };
        Ok(created(&tag, &shown, &location))
    })
    .await
}

/// Shows an account
#[utoipa::path(get, path = "/v1/operator/accounts/{id}", operation_id = "get_account", tag = "operator",
    params(("id" = i64, Path, description = "The account's number.", example = 1)),
    security(("bearer" = ["operator"])),
    responses((status = 200, description = "The account.", body = Account,
        headers(("ETag" = String, description = "Its version.")))))]
async fn one(
    _: Caller<Operator>,
    State(state): State<App>,
    Segments([number]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    conditions.show_found(state.store.account(id(&number)?).await?, unknown, tag, Account::from)
}

/// Changes an account
///
/// It counts within a second in every process; of the telephones of one that is disabled as they register again.
#[utoipa::path(patch, path = "/v1/operator/accounts/{id}", operation_id = "change_account", tag = "operator",
    params(("id" = i64, Path, description = "The account's number.", example = 1)),
    request_body(content = Set, content_type = "application/merge-patch+json", example = json!({"recording_days": 7})),
    security(("bearer" = ["operator"])),
    responses((status = 200, description = "The account as it is now.", body = Account,
        headers(("ETag" = String, description = "Its version.")))))]
async fn change(
    caller: Caller<Operator>,
    State(state): State<App>,
    Segments([number]): Segments<1>,
    conditions: Conditions,
    patch: Patch,
) -> Answer {
    let state = caller.acting(state);
    let account = id(&number)?;
    to_the_end(async move {
        let decide = |account: &Stored| {
            let set: Set = patch.merge_into(&Set::from(account.settings))?;
            let settings = set.settings()?;
            conditions.check(Some(&tag(account)))?;
            Ok::<_, ApiError>(settings)
        };
        let account = state.store.change_account(account, decide).await?.ok_or_else(unknown)?;
        // Those of an account that is disabled register no more, and nothing is sent for it.
        state.webhooks.changed();
        state.control.trunks_changed().await?;
        Ok(tagged(StatusCode::OK, &tag(&account), &Account::from(account)))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_of_an_account_has_its_range() {
        let none =
            Set { recording_days: None, max_participants: None, requests_per_second: None, disabled: false };
        let days = |days| Set { recording_days: Some(days), ..none };
        let seats = |seats| Set { max_participants: Some(seats), ..none };
        let requests = |requests| Set { requests_per_second: Some(requests), ..none };
        for set in [none, days(0), days(3660), seats(1), seats(1_000_000), requests(0), requests(1_000_000)] {
            assert!(set.settings().is_ok(), "{set:?}");
        }
        for set in [days(3661), seats(0), seats(1_000_001), seats(u32::MAX), requests(1_000_001)] {
            assert!(set.settings().is_err(), "{set:?}");
        }
    }
}
