//! The management API: everything below `/v1`.
//!
//! Each resource has a file with its handlers and its `routes()`. A handler names the scope that it needs ([`access`]), reads its
//! body and query with errors that name the member ([`body`], [`list`]), and is described where it stands
//! (`#[utoipa::path]`); what all have in common is added to the description in [`openapi`].

pub(crate) mod access;
mod accounts;
mod audit;
mod availability;
mod body;
mod calendar;
mod calls;
pub(crate) mod conditions;
mod conferences;
mod events;
mod guest_links;
mod history;
mod idempotency;
mod invited_pin;
mod keys;
mod leader_links;
mod limits;
mod links;
mod list;
mod media;
mod messages;
mod moment;
mod oidc;
pub(crate) mod openapi;
mod operator;
mod participants;
mod people;
mod personal_data;
mod playbacks;
mod recording;
mod recordings;
mod reservations;
mod rooms;
mod series;
mod services;
mod session;
mod sound;
mod tokens;
mod trunk_test;
mod trunks;
mod usage;
mod users;
mod viewer;
mod webhooks;
mod webrtc_keys;

pub use recordings::{DeleteRecordingError, delete_left_files, delete_recording};

use crate::{error::ApiError, oidc::CALLBACK, state::App};
use axum::{Router, extract::MatchedPath, middleware::from_fn_with_state};
use std::collections::BTreeMap;
use utoipa::openapi::PathItem;
use utoipa_axum::router::OpenApiRouter;

/// The resources with their description.
fn resources() -> OpenApiRouter<App> {
    [
        conferences::routes(),
        participants::routes(),
        playbacks::routes(),
        recording::routes(),
        recordings::routes(),
        calls::routes(),
        guest_links::routes(),
        history::routes(),
        usage::routes(),
        people::routes(),
        personal_data::routes(),
        accounts::routes(),
        audit::routes(),
        sound::routes(),
        reservations::routes(),
        calendar::routes(),
        series::routes(),
        services::routes(),
        availability::routes(),
        events::routes(),
        keys::routes(),
        leader_links::routes(),
        limits::routes(),
        media::routes(),
        messages::routes(),
        operator::routes(),
        rooms::routes(),
        session::routes(),
        oidc::routes(),
        tokens::routes(),
        trunks::routes(),
        trunk_test::routes(),
        users::routes(),
        webhooks::routes(),
        webrtc_keys::routes(),
    ]
    .into_iter()
    .fold(OpenApiRouter::new(), OpenApiRouter::merge)
}

pub(crate) fn routes(state: &App) -> Router<App> {
    let (router, description) = resources().split_for_parts();
    let methods: BTreeMap<String, String> =
        description.paths.paths.iter().map(|(path, item)| (path.clone(), methods(path, item))).collect();
    let refuse = move |path: Option<MatchedPath>| {
        let allow = path.and_then(|path| methods.get(path.as_str()).cloned()).unwrap_or_default();
        async move { ApiError::path_takes(&allow) }
    };
    router
        .method_not_allowed_fallback(refuse)
        .layer(from_fn_with_state(state.clone(), idempotency::around))
        .merge(openapi::routes())
        .merge(viewer::routes())
}

/// The methods of a path, as `Allow` lists them.
fn methods(path: &str, item: &PathItem) -> String {
    let methods = [
        (if path == CALLBACK { "GET" } else { "GET, HEAD" }, item.get.is_some()),
        ("POST", item.post.is_some()),
        ("PUT", item.put.is_some()),
        ("PATCH", item.patch.is_some()),
        ("DELETE", item.delete.is_some()),
    ];
    methods.into_iter().filter(|(_, is_taken)| *is_taken).map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}

/// Takes the body of a request apart as each of the resources does.
#[cfg(feature = "fuzzing")]
pub(crate) fn take_apart(body: &[u8]) {
    participants::take_apart(body);
    let _ = plenary_model::read::<sound::SoundPatch>(body);
}
