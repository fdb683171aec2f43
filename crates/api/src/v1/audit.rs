//! The audit log: of an account for its auditors and administrators, of all for operators.

use super::{
    access::{Audit, Caller, Operator},
    list::{Cursor, Limit, List, Page, Query},
    moment::Moment,
};
use crate::{answer::Answer, state::App, time};
use axum::extract::State;
use plenary_model::{AUDIT_COMMAND, AccountId, AuditEntry};
use plenary_store::AuditQuery;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(list_own))
}

/// A change, or an attempt at one.
#[derive(Debug, Serialize, ToSchema)]
struct AuditRecord {
    /// Its number; later ones are higher.
    id: i64,
    /// When it was answered; without a status: asked for.
    #[schema(format = DateTime)]
    at: String,
    /// Who: `key`, an API key; `person`, who had signed in; `operator`, someone with access to the machine.
    by: AuditedBy,
    /// The account's `cloudID/username`, the person's mail address, or the user of the machine.
    #[schema(example = "1-2-0/bob@example.com")]
    actor: String,
    /// The account's number; null: an operator on the machine, or about no account.
    account: Option<i64>,
    /// The key's number; null: it was none.
    key: Option<i64>,
    /// The person's number; null: nobody had signed in.
    person: Option<i64>,
    /// The address it came from; null: the machine itself.
    #[schema(example = "198.51.100.7")]
    source: Option<String>,
    /// The request's id, as its answer and the log have it.
    request_id: Option<String>,
    /// The method of HTTP, or `COMMAND`: on the command line.
    #[schema(example = "PUT")]
    method: String,
    /// The path of the request, without its query, or the command.
    #[schema(example = "/v1/rooms/1001")]
    path: String,
    /// The status of the answer: refused attempts are here too. 408: it took too long, and may have been done. 200 for commands. Null:
    /// it is made, and not answered yet, or the service was cut off before it could be.
    status: Option<u16>,
    /// What GET showed there before; null: nothing. Never with secrets.
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// What GET showed there after it; null: nothing.
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
    /// What was asked for, where that is not something stored.
    #[schema(value_type = Option<Object>)]
    request: Option<Value>,
}

/// By what right something was changed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum AuditedBy {
    /// By an API key.
    Key,
    /// By a person who had signed in.
    Person,
    /// By someone with access to the machine.
    Operator,
}

impl From<(i64, AuditEntry)> for AuditRecord {
    fn from((id, entry): (i64, AuditEntry)) -> Self {
        let by = match entry.person {
            _ if entry.method == AUDIT_COMMAND => AuditedBy::Operator,
            Some(_) => AuditedBy::Person,
            None => AuditedBy::Key,
        };
        Self {
            id,
            at: time::rfc3339(entry.at),
            by,
            actor: entry.actor,
            account: entry.account.map(|account| account.0),
            key: entry.key,
            person: entry.person,
            source: entry.source,
            request_id: entry.request_id,
            method: entry.method,
            path: entry.path,
            status: entry.status,
            before: entry.before,
            after: entry.after,
            request: entry.request,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only what was done in this account: its number, as in `/v1/operator/accounts`.
    #[param(required = false, example = 1)]
    account: Option<i64>,
    /// Only what is about paths that begin like this.
    #[param(required = false, example = "/v1/rooms/")]
    path: Option<String>,
    /// Only what was done then or later.
    #[param(value_type = String, required = false, format = DateTime, example = "2030-06-20T00:00:00Z")]
    since: Option<Moment>,
    /// Only what was done before then.
    #[param(value_type = String, required = false, format = DateTime, example = "2030-06-21T00:00:00Z")]
    until: Option<Moment>,
    /// Items at the most.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 500, default = 100)]
    limit: Limit,
    /// `next` of the page before.
    #[param(value_type = String, required = false, pattern = "^[A-Za-z0-9_-]{2,400}$")]
    cursor: Option<Cursor>,
}

/// Lists what was changed
///
/// The latest first, over all accounts.
#[utoipa::path(get, path = "/v1/operator/audit", operation_id = "list_audit", tag = "operator",
    params(Filter), security(("bearer" = ["operator"])),
    responses((status = 200, description = "Some of the changes.", body = List<AuditRecord>)))]
async fn list(_: Caller<Operator>, State(state): State<App>, Query(filter): Query<Filter>) -> Answer {
    let Filter { account, path, since, until, limit, cursor } = filter;
    let own = OwnFilter { path, since, until, limit, cursor };
    found(&state, account.map(AccountId), own).await
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OwnFilter {
    /// Only what is about paths that begin like this.
    #[param(required = false, example = "/v1/rooms/")]
    path: Option<String>,
    /// Only what was done then or later.
    #[param(value_type = String, required = false, format = DateTime, example = "2030-06-20T00:00:00Z")]
    since: Option<Moment>,
    /// Only what was done before then.
    #[param(value_type = String, required = false, format = DateTime, example = "2030-06-21T00:00:00Z")]
    until: Option<Moment>,
    /// Items at the most.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 500, default = 100)]
    limit: Limit,
    /// `next` of the page before.
    #[param(value_type = String, required = false, pattern = "^[A-Za-z0-9_-]{2,400}$")]
    cursor: Option<Cursor>,
}

/// Lists what was changed in the account
///
/// The latest first: by its keys, by its leaders' links, and by people who worked in it.
#[utoipa::path(get, path = "/v1/audit", operation_id = "list_own_audit", tag = "records",
    params(OwnFilter), security(("bearer" = ["audit"])),
    responses((status = 200, description = "Some of the changes.", body = List<AuditRecord>)))]
async fn list_own(
    caller: Caller<Audit>,
    State(state): State<App>,
    Query(filter): Query<OwnFilter>,
) -> Answer {
    found(&state, Some(caller.account), filter).await
}

async fn found(state: &App, account: Option<AccountId>, filter: OwnFilter) -> Answer {
    let page = Page { limit: filter.limit, cursor: filter.cursor };
    let query = AuditQuery {
        account,
        path: filter.path,
        since: filter.since.map(|Moment(at)| at),
        until: filter.until.map(|Moment(at)| at),
        before: page.after_as(|key| key.parse().ok())?,
        limit: page.to_fetch(),
    };
    let found = state.store.audit(&query).await?;
    page.answer(found, |(id, _)| id.to_string(), AuditRecord::from)
}
