//! Users: who may register a telephone and call with a password.

use crate::{
    answer::{Answer, to_the_end},
    error::{ApiError, BAD_USER, UNKNOWN_USER, USER_NAME_TAKEN},
    extract::{Account, Segments, Whole},
    json::json,
    methods::only,
    state::App,
};
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{get, put},
};
use plenary_store::UserError;
use serde::Deserialize;
use serde_json::{Value, json as value};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/service/v1/user", only("GET, HEAD", get(list)))
        .route("/service/v1/user/{name}", only("PUT, DELETE", put(replace).delete(delete)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserBody {
    password: String,
}

async fn list(State(state): State<App>, Account(account): Account) -> Answer {
    let users = state.store.sip_users(account).await?;
    let shown: Vec<Value> = users
        .into_iter()
        .map(|user| {
            value!({
                "name": user.name,
                "created_at": user.created_at.0 / 1000,
                "updated_at": user.updated_at.0 / 1000,
            })
        })
        .collect();
    Ok(json(StatusCode::OK, &shown))
}

async fn replace(
    State(state): State<App>,
    Account(account): Account,
    Segments([name]): Segments<1>,
    Whole(body): Whole,
) -> Answer {
    let body: UserBody = crate::json::parse(&body).map_err(|error| {
        ApiError::coded(BAD_USER, format!("body: must be {{\"password\": \"…\"}}: {error}"))
    })?;
    to_the_end(async move {
        state.store.put_sip_user(account, &name, &state.realm, &body.password).await?;
        Ok(json(StatusCode::OK, &value!({ "name": name, "realm": state.realm })))
    })
    .await
}

async fn delete(
    State(state): State<App>,
    Account(account): Account,
    Segments([name]): Segments<1>,
) -> Answer {
    to_the_end(async move {
        match state.store.delete_sip_user(account, &name).await? {
            true => Ok(json(StatusCode::OK, &value!({ "deleted": true }))),
            false => Err(ApiError::coded(UNKNOWN_USER, "there is no user of this name")),
        }
    })
    .await
}

/// Takes the body of a request apart.
#[cfg(fuzzing)]
pub(crate) fn read_body(body: &[u8]) {
    let _ = crate::json::parse::<UserBody>(body);
}

impl From<UserError> for ApiError {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Invalid(_) => Self::coded(BAD_USER, error.to_string()),
            UserError::NameTaken => Self::coded(USER_NAME_TAKEN, error.to_string()),
            UserError::Store(error) => error.into(),
        }
    }
}
