//! What an account has under a name, made, read, changed and deleted in one way: inbound services and trunks.

use crate::{
    answer::{Answer, to_the_end},
    error::{ApiError, Code},
    extract::{Segments, Whole},
    json::json,
    methods::only,
    state::{ApiState, App},
    v1::access::{Caller, Config},
};
use axum::{
    extract::State,
    http::StatusCode,
    routing::{MethodRouter, get},
};
use plenary_conference::AccountId;
use plenary_store::PutOutcome;
use serde::Serialize;
use serde_json::{Value, json as value};
use std::future::Future;

/// A kind of such things.
pub(crate) trait Named {
    /// The code of a body that cannot be.
    const BAD: Code;
    /// What `GET` shows beside what `PUT` takes, and `PUT` therefore passes over. The name is one of them for all.
    const SHOWN_BESIDE: &[&str];

    /// What an answer to DELETE says.
    const DELETED: &str = "deleted";

    /// There is none of this name.
    fn unknown() -> ApiError;

    /// Makes it, or puts another in its place.
    fn put(
        state: &ApiState,
        account: AccountId,
        name: &str,
        body: Value,
    ) -> impl Future<Output = Result<PutOutcome, ApiError>> + Send;

    /// Changes the parts that are named.
    fn patch(
        state: &ApiState,
        account: AccountId,
        name: &str,
        patch: Value,
    ) -> impl Future<Output = Result<(), ApiError>> + Send;

    /// False: there was none.
    fn delete(
        state: &ApiState,
        account: AccountId,
        name: &str,
    ) -> impl Future<Output = Result<bool, ApiError>> + Send;

    /// As `GET` shows it; `None`: there is none.
    fn read(
        state: &ApiState,
        account: AccountId,
        name: &str,
    ) -> impl Future<Output = Result<Option<Value>, ApiError>> + Send;
}

/// What is done with one of them, at a path whose only variable segment is its name.
pub(crate) fn methods<N: Named + 'static>() -> MethodRouter<App> {
    let methods = get(one::<N>).put(replace::<N>).patch(patch::<N>).delete(delete::<N>);
    only("GET, HEAD, PUT, PATCH, DELETE", methods)
}

async fn one<N: Named>(
    State(state): State<App>,
    Caller { account, .. }: Caller<Config>,
    Segments([name]): Segments<1>,
) -> Answer {
    show::<N>(StatusCode::OK, &state, account, &name).await
}

async fn replace<N: Named + 'static>(
    State(state): State<App>,
    Caller { account, .. }: Caller<Config>,
    Segments([name]): Segments<1>,
    Whole(body): Whole,
) -> Answer {
    let body = object::<N>(&body, &name)?;
    to_the_end(async move {
        let status = match N::put(&state, account, &name, body).await? {
            PutOutcome::Created => StatusCode::CREATED,
            PutOutcome::Replaced => StatusCode::OK,
        };
        show::<N>(status, &state, account, &name).await
    })
    .await
}

async fn patch<N: Named + 'static>(
    State(state): State<App>,
    Caller { account, .. }: Caller<Config>,
    Segments([name]): Segments<1>,
    Whole(body): Whole,
) -> Answer {
    let body = object::<N>(&body, &name)?;
    to_the_end(async move {
        N::patch(&state, account, &name, body).await?;
        show::<N>(StatusCode::OK, &state, account, &name).await
    })
    .await
}

async fn delete<N: Named + 'static>(
    State(state): State<App>,
    Caller { account, .. }: Caller<Config>,
    Segments([name]): Segments<1>,
) -> Answer {
    to_the_end(async move {
        match N::delete(&state, account, &name).await? {
            true => Ok(json(StatusCode::OK, &value!({ N::DELETED: true }))),
            false => Err(N::unknown()),
        }
    })
    .await
}

async fn show<N: Named>(status: StatusCode, state: &ApiState, account: AccountId, name: &str) -> Answer {
    let shown = N::read(state, account, name).await?.ok_or_else(N::unknown)?;
    Ok(json(status, &shown))
}

/// The body with the name before it: what `PUT` takes, and where.
pub(crate) fn shown(name: impl Serialize, body: Value) -> Value {
    let mut shown = value!({ "name": name });
    if let (Value::Object(shown), Value::Object(body)) = (&mut shown, body) {
        shown.extend(body);
    }
    shown
}

/// The body without what `GET` shows beside it.
fn object<N: Named>(body: &[u8], name: &str) -> Result<Value, ApiError> {
    let bad = |text| ApiError::coded(N::BAD, text);
    let mut object: Value =
        crate::json::parse(body).map_err(|error| bad(format!("body: must be JSON: {error}")))?;
    if let Value::Object(fields) = &mut object {
        N::SHOWN_BESIDE.iter().for_each(|beside| drop(fields.remove(*beside)));
        if let Some(given) = fields.remove("name")
            && given != name
        {
            return Err(bad(format!("name: is `{name}` in the path and another in the body")));
        }
    }
    Ok(object)
}
