//! Webhooks: where events are sent, what was sent, and tests.

use super::{
    access::{Caller, Config},
    body::{Body, Patch, Put},
    conditions::{Conditions, Tag, put_or_patched, tagged},
    list::{List, Page, Query},
};
use crate::{
    answer::{Answer, no_content, to_the_end},
    error::{ApiError, SECRET_CHANGES, TOO_MANY, UNKNOWN_DELIVERY, UNKNOWN_WEBHOOK},
    extract::Segments,
    json::json,
    state::App,
    time,
};
use axum::{extract::State, http::StatusCode};
use plenary_model::{
    Delivery as StoredDelivery, DeliveryState, FieldError, StoredWebhook, Timestamp, WebhookSettings,
    WebhookUrl, merge,
};
use plenary_store::{Before, Change, ChangeError, Rotated, WebhookError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What GET shows beside what PUT takes; PUT and PATCH pass over it.
const READ_ONLY: &[&str] = &["secret", "status", "rotates_until", "created_at", "updated_at"];
/// How long the secret before may still be used.
const OVERLAP_H_MAX: u32 = 24 * 14;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one, put, change, delete))
        .routes(routes!(rotate))
        .routes(routes!(test))
        .routes(routes!(deliveries))
        .routes(routes!(resend))
}

/// A webhook.
#[derive(Debug, Serialize, ToSchema)]
struct Webhook {
    /// Its name.
    #[schema(example = "crm")]
    name: String,
    /// Where events are sent.
    #[schema(value_type = String, example = "https://hooks.example.com/plenary")]
    url: WebhookUrl,
    /// Which events are sent.
    #[schema(example = json!(["participant.*", "conference.ended"]))]
    events: Vec<String>,
    /// Events are sent.
    enabled: bool,
    /// How it does.
    status: WebhookStatus,
    /// Until when messages are signed with the secret before as well; null: there is none.
    #[schema(format = DateTime)]
    rotates_until: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last changed.
    #[schema(format = DateTime)]
    updated_at: String,
}

/// How a webhook does.
#[derive(Debug, Serialize, ToSchema)]
struct WebhookStatus {
    /// The number of the last event that was sent, or that it does not want.
    sent_up_to: i64,
    /// How often the event that is due was tried in vain.
    failures: u32,
    /// When it is tried again; null: nothing is due.
    #[schema(format = DateTime)]
    next_at: Option<String>,
    /// What went wrong last; null: nothing.
    last_error: Option<String>,
}

/// A new webhook, or one with a new secret.
#[derive(Debug, Serialize, ToSchema)]
struct NewWebhook {
    /// What messages are signed with. It is shown this once.
    #[schema(pattern = "^whsec_[A-Za-z0-9+/]{32}$")]
    secret: String,
    #[serde(flatten)]
    webhook: Webhook,
}

impl From<StoredWebhook> for Webhook {
    fn from(stored: StoredWebhook) -> Self {
        let StoredWebhook {
            name,
            settings,
            rotates_until,
            sent_up_to,
            failures,
            next_at,
            last_error,
            created_at,
            updated_at,
        } = stored;
        let WebhookSettings { url, events, enabled } = settings;
        let next_at = next_at.map(time::rfc3339);
        Self {
            name,
            url,
            events,
            enabled,
            status: WebhookStatus { sent_up_to, failures, next_at, last_error },
            rotates_until: rotates_until.map(time::rfc3339),
            created_at: time::rfc3339(created_at),
            updated_at: time::rfc3339(updated_at),
        }
    }
}

/// A message to a webhook.
#[derive(Debug, Serialize, ToSchema)]
struct Delivery {
    /// Its id, `webhook-id` of each try.
    #[schema(example = "evt_000000001042_1f8ac10f23c5")]
    id: String,
    /// The number of the event; null: it was a test.
    seq: Option<i64>,
    /// The type of the event.
    #[schema(example = "participant.entered")]
    r#type: String,
    /// `pending`: it is tried again; `delivered`: it was taken; `failed`: it was given up.
    state: DeliveryState,
    /// How often it was tried.
    attempts: u32,
    /// The status that was answered last; null: no answer came.
    status: Option<u16>,
    /// What went wrong last; null: nothing.
    error: Option<String>,
    /// How long the last try took.
    duration_ms: u64,
    /// When it was tried first.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was tried last.
    #[schema(format = DateTime)]
    tried_at: String,
}

impl From<StoredDelivery> for Delivery {
    fn from(stored: StoredDelivery) -> Self {
        let StoredDelivery {
            id,
            seq,
            event_type,
            state,
            attempts,
            status,
            error,
            duration_ms,
            created_at,
            tried_at,
        } = stored;
        Self {
            id,
            seq,
            r#type: event_type,
            state,
            attempts,
            status,
            error,
            duration_ms,
            created_at: time::rfc3339(created_at),
            tried_at: time::rfc3339(tried_at),
        }
    }
}

fn tag(webhook: &StoredWebhook) -> Tag {
    Tag::of(&(&webhook.settings, webhook.updated_at))
}

fn unknown() -> ApiError {
    ApiError::coded(UNKNOWN_WEBHOOK, "there is no webhook of this name")
}

fn unknown_delivery() -> ApiError {
    ApiError::coded(UNKNOWN_DELIVERY, "there is no such delivery, or its event is not kept any more")
}

impl From<ChangeError<ApiError, WebhookError>> for ApiError {
    fn from(error: ChangeError<Self, WebhookError>) -> Self {
        match error {
            ChangeError::Refused(error) => error,
            ChangeError::Store(WebhookError::Invalid(errors)) => Self::members(errors),
            ChangeError::Store(error @ WebhookError::TooMany) => Self::coded(TOO_MANY, error.to_string()),
            ChangeError::Store(WebhookError::Store(error)) => error.into(),
        }
    }
}

/// Lists webhooks
///
/// By name.
#[utoipa::path(get, path = "/v1/webhooks", operation_id = "list_webhooks", tag = "events", params(Page),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "Some of the webhooks.", body = List<Webhook>)))]
async fn list(caller: Caller<Config>, State(state): State<App>, Query(page): Query<Page>) -> Answer {
    let found = state.store.webhooks_after(caller.account, page.after(), page.to_fetch()).await?;
    page.answer(found, |one| one.name.clone(), Webhook::from)
}

/// Shows a webhook
#[utoipa::path(get, path = "/v1/webhooks/{name}", operation_id = "get_webhook", tag = "events",
    params(("name" = String, Path, description = "The webhook's name.", example = "crm")),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The webhook, without its secret.", body = Webhook,
        headers(("ETag" = String, description = "Its version.")))))]
async fn one(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    conditions.show_found(state.store.webhook(caller.account, &name).await?, unknown, tag, Webhook::from)
}

/// Makes or replaces a webhook
///
/// A new one gets a secret, which is shown this once, and is sent what happens from now on. One that is replaced keeps its secret
/// and its place among the events. Messages are those of Standard Webhooks: the event as JSON, `webhook-id`, `webhook-timestamp`
/// and `webhook-signature`.
#[utoipa::path(put, path = "/v1/webhooks/{name}", operation_id = "put_webhook", tag = "events",
    params(("name" = String, Path, description = "The webhook's name: 1 to 64 letters, digits and `-_.`.", example = "crm")),
    request_body(content = WebhookSettings, example = json!({"url": "https://hooks.example.com/plenary",
        "events": ["participant.*", "conference.ended"]})),
    security(("bearer" = ["config"])),
    responses(
        (status = 200, description = "The webhook, replaced.", body = Webhook, headers(("ETag" = String, description = "Its version."))),
        (status = 201, description = "The webhook, made, with its secret.", body = NewWebhook,
            headers(("ETag" = String, description = "Its version."))),
        (status = 409, description = "The account has too many webhooks (1216).")))]
async fn put(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
    body: Put,
) -> Answer {
    let state = caller.acting(state);
    let mut whole = Value::Null;
    // A member that is null is left out.
    merge(&mut whole, &body.without(READ_ONLY, ("name", &name))?);
    WebhookSettings::new(&name, &whole).map_err(ApiError::members)?;
    to_the_end(async move {
        let condition = |before: Before<'_, StoredWebhook>| conditions.check_before(before, tag);
        let changed = state.store.put_webhook_if(caller.account, &name, whole, condition).await?;
        state.webhooks.changed();
        let (status, webhook) = put_or_patched(changed).ok_or_else(unknown)?;
        let tag = tag(&webhook);
        if status != StatusCode::CREATED {
            return Ok(tagged(status, &tag, &Webhook::from(webhook)));
        }
        let secrets = state.store.webhook_secrets(caller.account, &name).await?;
        let secret = secrets.into_iter().next().ok_or_else(unknown)?;
        Ok(tagged(status, &tag, &NewWebhook { secret, webhook: webhook.into() }))
    })
    .await
}

/// Changes a webhook
///
/// With another URL the event that is due is tried at once.
#[utoipa::path(patch, path = "/v1/webhooks/{name}", operation_id = "change_webhook", tag = "events",
    params(("name" = String, Path, description = "The webhook's name.", example = "crm")),
    request_body(content = WebhookSettings, content_type = "application/merge-patch+json", example = json!({"enabled": false})),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The webhook as it is now.", body = Webhook,
        headers(("ETag" = String, description = "Its version.")))))]
async fn change(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
    patch: Patch,
) -> Answer {
    let state = caller.acting(state);
    let patch = patch.without(READ_ONLY, ("name", &name))?;
    let of = name.clone();
    let decide = move |before: Option<&StoredWebhook>| {
        let before = before.ok_or_else(unknown)?;
        let mut body = serde_json::to_value(&before.settings).expect("plain data becomes JSON");
        merge(&mut body, &patch);
        WebhookSettings::new(&of, &body).map_err(ApiError::members)?;
        conditions.check(Some(&tag(before)))?;
        Ok(Change::Put(body))
    };
    to_the_end(async move {
        let changed = state.store.change_webhook(caller.account, &name, decide).await?;
        state.webhooks.changed();
        let (status, webhook) = put_or_patched(changed).ok_or_else(unknown)?;
        Ok::<_, ApiError>(tagged(status, &tag(&webhook), &Webhook::from(webhook)))
    })
    .await
}

/// Deletes a webhook
///
/// With the list of what was sent to it.
#[utoipa::path(delete, path = "/v1/webhooks/{name}", operation_id = "delete_webhook", tag = "events",
    params(("name" = String, Path, description = "The webhook's name.", example = "crm")),
    security(("bearer" = ["config"])),
    responses((status = 204, description = "It is deleted."),
        (status = 412, description = "There is another version by now (1213).")))]
async fn delete(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    conditions: Conditions,
) -> Answer {
    let state = caller.acting(state);
    to_the_end(async move {
        let condition = |before: Before<'_, StoredWebhook>| conditions.check_before(before, tag);
        if !state.store.delete_webhook_if(caller.account, &name, condition).await? {
            return Err(unknown());
        }
        state.webhooks.changed();
        Ok(no_content())
    })
    .await
}

/// How a secret is replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// For so many hours messages are signed with the secret before as well, so that receivers can change over. 0: from now on only the
    /// new one counts, also where an earlier change is not over.
    #[serde(default = "overlap")]
    #[schema(maximum = 336, default = 24)]
    overlap_h: u32,
}

fn overlap() -> u32 {
    24
}

/// Replaces the secret of a webhook
///
/// The new one is shown this once.
#[utoipa::path(post, path = "/v1/webhooks/{name}/secret", operation_id = "rotate_webhook_secret", tag = "events",
    params(("name" = String, Path, description = "The webhook's name.", example = "crm")),
    request_body(content = Rotation, example = json!({"overlap_h": 24})),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "The webhook with its new secret.", body = NewWebhook),
        (status = 409, description = "Messages are signed with the secret before as well, which is replaced (1159).")))]
async fn rotate(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    Body(Rotation { overlap_h }): Body<Rotation>,
) -> Answer {
    let state = caller.acting(state);
    if overlap_h > OVERLAP_H_MAX {
        let error = FieldError::new("/overlap_h", format!("must be 0 to {OVERLAP_H_MAX}"));
        return Err(ApiError::members(vec![error]));
    }
    to_the_end(async move {
        let secret = match state.store.rotate_webhook(caller.account, &name, overlap_h).await? {
            Rotated::To(secret) => secret,
            Rotated::TooEarly { until } => {
                let until = time::rfc3339(until);
                let text = format!("the secret before counts until {until}; change it after that, or with `overlap_h` 0, by which only the new one counts at once");
                return Err(ApiError::coded(SECRET_CHANGES, text));
            }
            Rotated::Unknown => return Err(unknown()),
        };
        let webhook = state.store.webhook(caller.account, &name).await?.ok_or_else(unknown)?;
        Ok::<_, ApiError>(json(StatusCode::OK, &NewWebhook { secret, webhook: webhook.into() }))
    })
    .await
}

/// Tests a webhook
///
/// Sends an event `webhook.test`, once, also to one that is not enabled, and says what came of it.
#[utoipa::path(post, path = "/v1/webhooks/{name}/test", operation_id = "test_webhook", tag = "events",
    params(("name" = String, Path, description = "The webhook's name.", example = "crm")),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "What came of it.", body = Delivery)))]
async fn test(caller: Caller<Config>, State(state): State<App>, Segments([name]): Segments<1>) -> Answer {
    let state = caller.acting(state);
    to_the_end(async move {
        let webhook = state.store.webhook(caller.account, &name).await?.ok_or_else(unknown)?;
        let delivery = state.webhooks.test(&state.store, caller.account, &webhook).await?;
        Ok::<_, ApiError>(json(StatusCode::OK, &Delivery::from(delivery)))
    })
    .await
}

/// Lists deliveries
///
/// What was sent to a webhook, or tried, the latest first. Kept for two weeks.
#[utoipa::path(get, path = "/v1/webhooks/{name}/deliveries", operation_id = "list_deliveries", tag = "events",
    params(("name" = String, Path, description = "The webhook's name.", example = "crm"), Page),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "Some of the deliveries.", body = List<Delivery>)))]
async fn deliveries(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    Query(page): Query<Page>,
) -> Answer {
    let after = page.after_as(|key| {
        let (at, id) = key.split_once(' ')?;
        Some((Timestamp(at.parse().ok()?), id.to_owned()))
    })?;
    state.store.webhook(caller.account, &name).await?.ok_or_else(unknown)?;
    let before = after.as_ref().map(|(at, id)| (*at, id.as_str()));
    let found = state.store.deliveries(caller.account, &name, before, page.to_fetch()).await?;
    let key = |one: &StoredDelivery| format!("{} {}", one.created_at.0, one.id);
    page.answer(found, key, Delivery::from)
}

/// Sends a delivery again
///
/// At once, beside the order of events, with the same `webhook-id`, and says what came of it.
#[utoipa::path(post, path = "/v1/webhooks/{name}/deliveries/{id}/resend", operation_id = "resend_delivery",
    tag = "events",
    params(("name" = String, Path, description = "The webhook's name.", example = "crm"),
        ("id" = String, Path, description = "The delivery's id.", example = "evt_000000001042_1f8ac10f23c5")),
    security(("bearer" = ["config"])),
    responses((status = 200, description = "What came of it.", body = Delivery)))]
async fn resend(
    caller: Caller<Config>,
    State(state): State<App>,
    Segments([name, id]): Segments<2>,
) -> Answer {
    let state = caller.acting(state);
    to_the_end(async move {
        let webhook = state.store.webhook(caller.account, &name).await?.ok_or_else(unknown)?;
        let delivery = state.store.delivery(caller.account, &name, &id).await?;
        let delivery = delivery.ok_or_else(unknown_delivery)?;
        let sent = state.webhooks.resend(&state.store, caller.account, &webhook, delivery).await?;
        let sent = sent.ok_or_else(unknown_delivery)?;
        Ok::<_, ApiError>(json(StatusCode::OK, &Delivery::from(sent)))
    })
    .await
}
