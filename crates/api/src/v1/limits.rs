//! The ranges that the configuration sets, so that forms need not guess.

use super::access::{Caller, Read};
use crate::{answer::Answer, json::json, state::App};
use axum::{extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(limits))
}

/// What the configuration allows.
#[derive(Debug, Serialize, ToSchema)]
struct Limits {
    reservations: ReservationLimits,
    media: MediaLimits,
    /// Largest body of a request; of a sound see `media`.
    max_body_bytes: usize,
    /// Requests of an account per second, on average over ten seconds; null: any number.
    max_requests_per_s: Option<u32>,
    /// Guests of reservations can be invited by mail.
    mail: bool,
}

/// What sounds of the account may take.
#[derive(Debug, Serialize, ToSchema)]
struct MediaLimits {
    /// Octets of one.
    max_bytes: u64,
    /// Seconds of one.
    max_duration_s: u32,
    /// Octets of all together.
    max_total_bytes: u64,
}

/// What a reservation may be.
#[derive(Debug, Serialize, ToSchema)]
struct ReservationLimits {
    /// It starts at least so long after it is made.
    min_notice_min: u32,
    /// It starts at most so long after it is made by the seven services.
    max_notice_min: u32,
    /// It starts at most so many days after it is made by `/v1/reservations`.
    max_days_ahead: u32,
    /// Shortest duration.
    min_duration_min: u32,
    /// Longest duration, extensions included.
    max_duration_min: u32,
    /// Shortest extension.
    min_extension_min: u32,
    /// Longest extension.
    max_extension_min: u32,
    /// Fewest seats.
    min_participants: u32,
    /// Most seats.
    max_participants: u32,
    /// From so long before its start on it can not be removed.
    no_removal_before_start_min: u32,
    /// From so long before its end on it can not be extended.
    no_extension_before_end_min: u32,
    /// For so long after its end it is shown as `completed`.
    completed_for_min: u32,
    /// Seats that can be reserved for any moment, over all accounts.
    capacity: u32,
}

/// Shows the limits of the configuration
#[utoipa::path(get, path = "/v1/limits", operation_id = "get_limits", tag = "limits", security(("bearer" = ["read"])),
    responses((status = 200, description = "The limits.", body = Limits)))]
async fn limits(caller: Caller<Read>, State(state): State<App>) -> Answer {
    let of = state.control.limits();
    let own = caller.access.account.settings;
    let limits = Limits {
        reservations: ReservationLimits {
            min_notice_min: of.min_notice_minutes,
            max_notice_min: of.max_notice_minutes,
            max_days_ahead: of.max_days_ahead,
            min_duration_min: of.min_duration_minutes,
            max_duration_min: of.max_duration_minutes,
            min_extension_min: of.min_extend_minutes,
            max_extension_min: of.max_extend_minutes,
            min_participants: of.min_participants,
            max_participants: own
                .max_participants
                .map_or(of.max_participants, |most| most.min(of.max_participants)),
            no_removal_before_start_min: of.no_remove_before_start_minutes,
            no_extension_before_end_min: of.no_extend_before_end_minutes,
            completed_for_min: of.completed_minutes,
            capacity: of.capacity,
        },
        media: MediaLimits {
            max_bytes: state.media.bytes_max,
            max_duration_s: state.media.seconds_max,
            max_total_bytes: state.media.account_bytes_max,
        },
        max_body_bytes: state.max_body_bytes,
        max_requests_per_s: own
            .requests_per_second
            .or(Some(state.limits.requests_per_second))
            .filter(|rate| *rate > 0),
        mail: state.invitations.mail_from.is_some(),
    };
    Ok(json(StatusCode::OK, &limits))
}
