//! What links of leaders and of guests have in common over HTTP.

use super::list::{Cursor, Limit};
use crate::{
    error::{ApiError, WRONG_STATE},
    state::App,
};
use plenary_conference::{ReservationToken, State as ConferenceState, Timestamp};
use plenary_model::{AccountId, ConferenceName, FieldError};
use serde::Deserialize;
use utoipa::IntoParams;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only those of this conference.
    #[param(value_type = String, required = false)]
    pub(super) conference: Option<ConferenceName>,
    /// Only those of the reservation with this token.
    #[param(value_type = String, required = false)]
    pub(super) reservation: Option<ReservationToken>,
    /// Items at the most.
    #[serde(default)]
    #[param(value_type = u32, required = false, minimum = 1, maximum = 500, default = 100)]
    pub(super) limit: Limit,
    /// `next` of the page before.
    #[param(value_type = String, required = false, pattern = "^[A-Za-z0-9_-]{2,400}$")]
    pub(super) cursor: Option<Cursor>,
}

pub(super) fn wrong(pointer: &str, detail: &str) -> ApiError {
    ApiError::members(vec![FieldError::new(pointer, detail)])
}

/// The conference of a link that is to be made, whether it or a reservation was named.
pub(super) async fn conference_of(
    state: &App,
    account: AccountId,
    conference: Option<ConferenceName>,
    reservation: Option<&ReservationToken>,
    expires_at: Option<Timestamp>,
) -> Result<ConferenceName, ApiError> {
    match (conference, reservation) {
        (Some(conference), None) => Ok(conference),
        (None, Some(_)) if expires_at.is_some() => Err(wrong("/expires_at", "is the end of the reservation")),
        (None, Some(token)) => {
            let (found, phase) = state.control.reservation(account, token.clone()).await?;
            if phase == ConferenceState::Completed {
                return Err(ApiError::coded(WRONG_STATE, "the reservation is over"));
            }
            Ok(found.name)
        }
        (Some(_), Some(_)) => Err(wrong("/conference", "may not be named beside a reservation")),
        (None, None) => Err(wrong("/conference", "is missing, or a reservation")),
    }
}
