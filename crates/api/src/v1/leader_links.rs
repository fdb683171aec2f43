//! Leaders' links: who has one leads one conference, without an account. A link is a key of that conference; a page opens it and
//! gets a session that is worth as much and lasts no longer.

use super::{
    access::{Caller, Control},
    body::Body,
    links::{Filter, conference_of},
    list::{List, Page, Query},
    moment::Moment,
    session::{Origin, Shown as ShownSession, Source, shown_leader},
};
use crate::{
    answer::{Answer, gone, to_the_end},
    audit::{self, Audit},
    auth,
    cookie::Channel,
    error::{ApiError, BAD_LEADER_LINK, UNKNOWN_LEADER_LINK},
    extract::Segments,
    json::json,
    state::App,
    time,
};
use axum::{extract::State, http::StatusCode};
use plenary_conference::ReservationToken;
use plenary_model::ConferenceName;
use plenary_store::{KeyId, LeaderLink as Stored, LinkSettings, LinksQuery};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, make)).routes(routes!(revoke)).routes(routes!(open))
}

/// A link that leads one conference.
#[derive(Debug, Serialize, ToSchema)]
struct LeaderLink {
    /// Its number, by which events and the audit log name it as a key.
    #[schema(example = 7)]
    id: i64,
    /// Whose it is.
    #[schema(example = "Ann")]
    label: Option<String>,
    /// The conference that it opens.
    #[schema(example = "Board")]
    conference: String,
    /// The token of the reservation with which it ends; null: of none.
    #[schema(value_type = Option<String>)]
    reservation: Option<ReservationToken>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// Until when it counts; null: until it is revoked.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// When it was last used, to a minute; null: never.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
}

impl From<Stored> for LeaderLink {
    fn from(link: Stored) -> Self {
        Self {
            id: link.id.0,
            label: link.label,
            conference: link.conference.to_string(),
            reservation: link.reservation,
            created_at: time::rfc3339(link.created_at),
            expires_at: link.expires_at.map(time::rfc3339),
            last_used_at: link.last_used_at.map(time::rfc3339),
        }
    }
}

/// A link that was just made.
#[derive(Debug, Serialize, ToSchema)]
struct NewLink {
    /// Where it leads to on this host. It is shown this once.
    #[schema(example = "/console/leader#k3v9qa…")]
    path: String,
    #[serde(flatten)]
    link: LeaderLink,
}

/// A link that is to be made: of a conference, or of a reservation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LinkBody {
    /// The conference that it opens.
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9]{1,47}$", example = "Board")]
    conference: Option<ConferenceName>,
    /// The token of a reservation: the link opens its conference, and ends with it.
    #[schema(value_type = Option<String>)]
    reservation: Option<ReservationToken>,
    /// Whose it is.
    #[schema(min_length = 1, max_length = 100, example = "Ann")]
    label: Option<String>,
    /// Until when it counts, where it is not a reservation's.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Moment>,
}

/// Lists leaders' links
///
/// Those that count, the oldest first.
#[utoipa::path(get, path = "/v1/leader-links", operation_id = "list_leader_links", tag = "conferences",
    params(Filter), security(("bearer" = ["control"])),
    responses((status = 200, description = "Some of the links.", body = List<LeaderLink>)))]
async fn list(caller: Caller<Control>, State(state): State<App>, Query(filter): Query<Filter>) -> Answer {
    let Filter { conference, reservation, limit, cursor } = filter;
    let page = Page { limit, cursor };
    let after = page.after_as(|key| key.parse().ok())?;
    let query = LinksQuery { conference, reservation, after, limit: page.to_fetch() };
    let found = state.store.leader_links(caller.account, &query, state.control.now()).await?;
    page.answer(found, |link| link.id.to_string(), LeaderLink::from)
}

/// Makes a leader's link
///
/// Its holder opens the conference with the rights of its leader, and no other: `read` and `control`. A link of a
/// reservation counts from now until the reservation ends, also if it is extended or removed. The code is in this answer alone.
#[utoipa::path(post, path = "/v1/leader-links", operation_id = "make_leader_link", tag = "conferences",
    request_body(content = LinkBody, example = json!({"conference": "Board", "label": "Ann"})),
    security(("bearer" = ["control"])),
    responses((status = 201, description = "The link.", body = NewLink),
        (status = 404, description = "There is no such reservation (1102)."),
        (status = 409, description = "The reservation is over (1201), or there are too many links (1216).")))]
async fn make(caller: Caller<Control>, State(state): State<App>, Body(body): Body<LinkBody>) -> Answer {
    let state = caller.acting(state);
    let LinkBody { conference, reservation, label, expires_at } = body;
    let expires_at = expires_at.map(|Moment(at)| at);
    let conference =
        conference_of(&state, caller.account, conference, reservation.as_ref(), expires_at).await?;
    to_the_end(async move {
        let new = LinkSettings { label, conference, reservation, expires_at };
        let (link, code) = state.store.leader_link_new(caller.account, &new, state.control.now()).await?;
        let path = format!("/console/leader#{}", code.as_str());
        Ok(json(StatusCode::CREATED, &NewLink { path, link: link.into() }))
    })
    .await
}

/// Revokes a leader's link
///
/// Browsers that have opened it are signed out at once.
#[utoipa::path(delete, path = "/v1/leader-links/{id}", operation_id = "revoke_leader_link", tag = "conferences",
    params(("id" = i64, Path, description = "The link's number.", example = 7)),
    security(("bearer" = ["control"])),
    responses((status = 204, description = "It is revoked.")))]
async fn revoke(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([number]): Segments<1>,
) -> Answer {
    let state = caller.acting(state);
    let unknown = || ApiError::coded(UNKNOWN_LEADER_LINK, "the account has no such link");
    let id = number.parse().map(KeyId).map_err(|_| unknown())?;
    to_the_end(async move {
        gone(state.store.revoke_leader_link(caller.account, id, state.control.now()).await?, unknown)
    })
    .await
}

/// The code of a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OpenBody {
    /// What stands behind `#` in the link.
    #[schema(write_only, max_length = 100)]
    code: String,
}

/// Opens a leader's link
///
/// Begins a session that lets lead the conference of the link; the answer sets its cookie. It ends as other sessions do, and with
/// the link.
#[utoipa::path(post, path = "/v1/leader-links/open", operation_id = "open_leader_link", tag = "conferences",
    request_body = OpenBody, security(()),
    responses((status = 200, description = "It is open.", body = ShownSession,
            headers(("Set-Cookie" = String, description = "The session."))),
        (status = 404, description = "The link counts no more, or never did (1139).")))]
async fn open(
    channel: Channel,
    Source(source): Source,
    origin: Origin,
    audit: Audit,
    State(state): State<App>,
    Body(OpenBody { code }): Body<OpenBody>,
) -> Answer {
    to_the_end(async move {
        let now = state.control.now();
        let secret = audit::visited(&state, &audit).open_leader_link(&code, origin.from(), now).await?;
        let begun = match &secret {
            Some(secret) => state.store.leader_session(secret.as_str(), now).await?,
            None => None,
        };
        let (Some(secret), Some((session, access))) = (secret, begun) else {
            let text = "the link was revoked, its conference is over, or it never counted: ask for another";
            return Err(auth::refusal(&state, source, ApiError::coded(BAD_LEADER_LINK, text)));
        };
        let mut response = json(StatusCode::OK, &shown_leader(&session, &access));
        channel.set(&mut response, secret.as_str());
        Ok(response)
    })
    .await
}
