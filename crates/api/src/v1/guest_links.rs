//! Guests' links: who has one joins one conference from a browser, without an account. The code of a link is the bearer token of the
//! call, and opens nothing else.

use super::{
    access::{Caller, Control, Read},
    body::Body,
    invited_pin::check_pin,
    links::{Filter, conference_of, wrong},
    list::{List, Page, Query},
    moment::Moment,
    session::Source,
};
use crate::{
    answer::{Answer, gone, to_the_end},
    audit::Audit,
    auth,
    calendar::with_pin,
    error::{ApiError, BAD_GUEST_LINK, NO_GUEST_SERVICE, UNKNOWN_GUEST_LINK, UNKNOWN_SERIES, WRONG_STATE},
    extract::Segments,
    json::json,
    state::App,
    time,
    ways::GuestWays,
};
use axum::{extract::State, http::StatusCode};
use plenary_conference::ReservationToken;
use plenary_model::{ConferenceName, Pin};
use plenary_store::{GuestLink as Stored, LinkPurpose as Purpose, LinkSettings, LinksQuery, OpenGuestLink};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, make))
        .routes(routes!(revoke))
        .routes(routes!(open))
        .routes(routes!(ways))
}

/// A link by which guests join one conference.
#[derive(Debug, Serialize, ToSchema)]
struct GuestLink {
    /// Its number.
    #[schema(example = 7)]
    id: i64,
    /// Whose it is.
    #[schema(example = "Ann")]
    label: Option<String>,
    /// The conference that it leads to.
    #[schema(example = "Board")]
    conference: String,
    /// The token of the reservation with which it ends; null: of none.
    #[schema(value_type = Option<String>)]
    reservation: Option<ReservationToken>,
    /// The number of the series with which it ends; null: of none.
    series: Option<i64>,
    /// What it was made for.
    purpose: LinkPurpose,
    /// The mail address of the guest in whose mails it is; null: of none.
    #[schema(example = "ann@example.com")]
    guest: Option<String>,
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

/// `manual`: it was made by this API; `mail`: for the mails to a guest; `calendar`: for the event for calendars.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum LinkPurpose {
    Manual,
    Mail,
    Calendar,
}

impl From<Stored> for GuestLink {
    fn from(link: Stored) -> Self {
        Self {
            id: link.id,
            label: link.label,
            conference: link.conference.to_string(),
            reservation: link.reservation,
            series: link.series,
            purpose: match link.purpose {
                Purpose::Manual => LinkPurpose::Manual,
                Purpose::Mail => LinkPurpose::Mail,
                Purpose::Calendar => LinkPurpose::Calendar,
            },
            guest: link.guest,
            created_at: time::rfc3339(link.created_at),
            expires_at: link.expires_at.map(time::rfc3339),
            last_used_at: link.last_used_at.map(time::rfc3339),
        }
    }
}

/// A link that was just made.
#[derive(Debug, Serialize, ToSchema)]
struct NewGuestLink {
    /// Where it leads to on this host, with the PIN behind `#` where one was given. It is shown this once.
    #[schema(example = "/join/k3v9qa…")]
    path: String,
    #[serde(flatten)]
    link: GuestLink,
}

/// A link that is to be made: of a conference, of a reservation, or of a series.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GuestLinkBody {
    /// The conference that it leads to.
    #[schema(value_type = Option<String>, pattern = "^[A-Za-z0-9]{1,47}$", example = "Board")]
    conference: Option<ConferenceName>,
    /// The token of a reservation: the link leads to its conference from its start on, and ends with it.
    #[schema(value_type = Option<String>)]
    reservation: Option<ReservationToken>,
    /// The number of a series: the link leads to its conference at its dates, and ends with the last one.
    series: Option<i64>,
    /// Whose it is.
    #[schema(min_length = 1, max_length = 100, example = "Ann")]
    label: Option<String>,
    /// Until when it counts, where it is of a conference; left out: until it is revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Moment>,
    /// The PIN of participants of the conference's room, which the page then shows beside the telephone number: it is compared with the stored
    /// hash, and is in `path` of the answer alone.
    #[schema(value_type = Option<String>, write_only, pattern = "^[0-9]{4,12}$", example = "482913")]
    pin: Option<Pin>,
}

/// Lists guests' links
///
/// Those that count, the oldest first, also those of mails and calendars. Those of a reservation are also those of the series
/// that it is a date of.
#[utoipa::path(get, path = "/v1/guest-links", operation_id = "list_guest_links", tag = "conferences",
    params(Filter), security(("bearer" = ["control"])),
    responses((status = 200, description = "Some of the links.", body = List<GuestLink>)))]
async fn list(caller: Caller<Control>, State(state): State<App>, Query(filter): Query<Filter>) -> Answer {
    let Filter { conference, reservation, limit, cursor } = filter;
    let page = Page { limit, cursor };
    let after = page.after_as(|key| key.parse().ok())?;
    let query = LinksQuery { conference, reservation, after, limit: page.to_fetch() };
    let found = state.store.guest_links(caller.account, &query, state.control.now()).await?;
    page.answer(found, |link| link.id.to_string(), GuestLink::from)
}

/// Makes a guest's link
///
/// With it a person joins the conference from a browser, as a participant who is no leader, and can do nothing else. It needs an inbound
/// service that leads to the conference and admits callers with tokens (`access.tokens`). A link of a reservation counts until that
/// ends, also if it is extended or removed. The code is in this answer alone; as a bearer token of an INVITE it is worth the same.
#[utoipa::path(post, path = "/v1/guest-links", operation_id = "make_guest_link", tag = "conferences",
    request_body(content = GuestLinkBody, example = json!({"conference": "Board", "label": "Ann"})),
    security(("bearer" = ["control"])),
    responses((status = 201, description = "The link.", body = NewGuestLink),
        (status = 404, description = "There is no such reservation (1102), or series (1143)."),
        (status = 409, description = "The reservation is over (1201), there are too many links (1216), or no inbound service takes guests \
            to the conference (1148)."),
        (status = 422, description = "The PIN is not that of participants (1160).")))]
async fn make(
    caller: Caller<Control>,
    State(state): State<App>,
    audit: Audit,
    Body(body): Body<GuestLinkBody>,
) -> Answer {
    let GuestLinkBody { conference, reservation, series, label, expires_at, pin } = body;
    let expires_at = expires_at.map(|Moment(at)| at);
    let now = state.control.now();
    let conference = match series {
        None => conference_of(&state, caller.account, conference, reservation.as_ref(), expires_at).await?,
        Some(_) if conference.is_some() => {
            return Err(wrong("/conference", "may not be named beside a series"));
        }
        Some(_) if reservation.is_some() => {
            return Err(wrong("/reservation", "may not be named beside a series"));
        }
        Some(_) if expires_at.is_some() => return Err(wrong("/expires_at", "is the end of the series")),
        Some(id) => {
            let found = state.store.series(caller.account, id).await?;
            let unknown = || ApiError::coded(UNKNOWN_SERIES, "the account has no such series");
            let conference = found.ok_or_else(unknown)?.settings.conference;
            let dates = state.store.series_reservations(caller.account, id).await?;
            if dates.iter().all(|date| date.ends_at() <= now) {
                return Err(ApiError::coded(WRONG_STATE, "the series is over"));
            }
            conference
        }
    };
    let new = LinkSettings { label, conference, reservation, expires_at };
    let errors = new.check(now);
    if !errors.is_empty() {
        return Err(ApiError::members(errors));
    }
    let LinkSettings { label, conference, .. } = &new;
    if state.store.service_for_guests(caller.account, conference).await?.is_none() {
        let text = format!(
            "no inbound service leads to the conference {conference} and admits callers with tokens: make one with `access.tokens`, \
             as in {{\"conference\": {{\"name\": \"{{rest}}\"}}, \"access\": {{\"networks\": [], \"tokens\": true}}}} for `conf-*`"
        );
        return Err(ApiError::coded(NO_GUEST_SERVICE, text));
    }
    if let Audit(Some(audited)) = &audit {
        audited.note_request(Some(serde_json::json!({
            "conference": conference.as_str(), "series": series, "label": label,
        })));
    }
    to_the_end(async move {
        let pin = check_pin(&caller, &state, &new.conference, pin).await?;
        let state = caller.acting(state);
        let (link, code) = state.store.guest_link_new(caller.account, &new, series, now).await?;
        let path = with_pin(format!("/join/{code}"), pin.as_ref());
        Ok(json(StatusCode::CREATED, &NewGuestLink { path, link: link.into() }))
    })
    .await
}

/// Revokes a guest's link
///
/// Who is in stays in. A guest who is still invited hears of another link with the next mail.
#[utoipa::path(delete, path = "/v1/guest-links/{id}", operation_id = "revoke_guest_link", tag = "conferences",
    params(("id" = i64, Path, description = "The link's number.", example = 7)),
    security(("bearer" = ["control"])),
    responses((status = 204, description = "It is revoked.")))]
async fn revoke(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([number]): Segments<1>,
) -> Answer {
    let state = caller.acting(state);
    let unknown = || ApiError::coded(UNKNOWN_GUEST_LINK, "the account has no such link");
    let id = number.parse().map_err(|_| unknown())?;
    to_the_end(async move {
        gone(state.store.revoke_guest_link(caller.account, id, state.control.now()).await?, unknown)
    })
    .await
}

/// The code of a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GuestCode {
    /// What stands behind `/join/` in the link.
    #[schema(write_only, max_length = 100)]
    code: String,
}

/// Where a guest's link leads to.
#[derive(Debug, Serialize, ToSchema)]
struct OpenedGuestLink {
    /// What the conference is called.
    #[schema(example = "Weekly meeting")]
    title: String,
    /// When the reservation begins; of a series the date that runs, or the next one; null: it is of none.
    #[schema(format = DateTime)]
    starts_at: Option<String>,
    /// When it ends; null: it is of none.
    #[schema(format = DateTime)]
    ends_at: Option<String>,
    #[serde(flatten)]
    ways: GuestWays,
}

/// Opens a guest's link
///
/// Shows what a guest sees before joining: the name, the time, and how to call. It begins nothing.
#[utoipa::path(post, path = "/v1/guest-links/open", operation_id = "open_guest_link", tag = "conferences",
    request_body = GuestCode, security(()),
    responses((status = 200, description = "Where it leads to.", body = OpenedGuestLink),
        (status = 404, description = "The link counts no more, or never did (1147).")))]
async fn open(
    Source(source): Source,
    State(state): State<App>,
    Body(GuestCode { code }): Body<GuestCode>,
) -> Answer {
    let Some(found) = state.store.open_guest_link(&code, state.control.now()).await? else {
        let text = "the link was revoked, its conference is over, or it never counted: ask for another";
        return Err(auth::refusal(&state, source, ApiError::coded(BAD_GUEST_LINK, text)));
    };
    let OpenGuestLink { account, conference, reservation } = found;
    let ways = GuestWays::to(&state.store, &state.invitations, account, &conference).await?;
    let title = reservation.as_ref().and_then(|reservation| reservation.title.clone());
    let opened = OpenedGuestLink {
        title: title.unwrap_or_else(|| conference.to_string()),
        starts_at: reservation.as_ref().map(|reservation| time::rfc3339(reservation.starts_at)),
        ends_at: reservation.as_ref().map(|reservation| time::rfc3339(reservation.ends_at())),
        ways,
    };
    Ok(json(StatusCode::OK, &opened))
}

/// Shows how guests reach a conference
///
/// Also one that is not there yet.
#[utoipa::path(get, path = "/v1/conferences/{name}/ways", operation_id = "get_guest_ways", tag = "conferences",
    params(("name" = String, Path, description = "The conference's name.", example = "Board")),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "How they do.", body = GuestWays)))]
async fn ways(caller: Caller<Read>, State(state): State<App>, Segments([name]): Segments<1>) -> Answer {
    let name = ConferenceName::new(name);
    Ok(json(StatusCode::OK, &GuestWays::to(&state.store, &state.invitations, caller.account, &name).await?))
}
