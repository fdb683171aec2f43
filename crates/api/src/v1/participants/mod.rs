//! Participants of conferences: who is in, waits, or is being called; calling, changing, ejecting, transferring one.

mod calling;
mod changing;
mod shown;

use super::{
    access::{Caller, Read},
    list::{List, Page, Query},
};
use crate::{answer::Answer, control::ParticipantReport, extract::Segments, json::json, state::App};
use axum::{extract::State, http::StatusCode};
use plenary_conference::{ConferenceName, ParticipantId};
use shown::{Participant, show};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, calling::call))
        .routes(routes!(one, changing::change, changing::remove))
        .routes(routes!(changing::transfer))
        .routes(routes!(changing::admit))
        .routes(routes!(changing::ask_to_unmute))
        .routes(routes!(changing::move_to))
}

/// Ids in the order in which their calls came: the number behind the point grows.
fn order(id: &str) -> (usize, &str) {
    (id.len(), id)
}

/// Lists the participants of a conference
///
/// Who is in, waits, or is being called, in the order in which their calls began.
#[utoipa::path(get, path = "/v1/conferences/{name}/participants", operation_id = "list_participants",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"), Page),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "Some of the participants.", body = List<Participant>)))]
async fn list(
    caller: Caller<Read>,
    State(state): State<App>,
    Segments([name]): Segments<1>,
    Query(page): Query<Page>,
) -> Answer {
    let mut roster = state.control.roster(caller.account, ConferenceName::new(name)).await?;
    let id = |report: &ParticipantReport| report.participant.id.to_string();
    if let Some(after) = page.after() {
        roster.retain(|report| order(report.participant.id.as_str()) > order(after));
    }
    roster
        .sort_by(|one, other| order(one.participant.id.as_str()).cmp(&order(other.participant.id.as_str())));
    page.answer(roster, id, Participant::from)
}

/// Shows a participant
///
/// One that was called is shown for some minutes after its call has ended.
#[utoipa::path(get, path = "/v1/conferences/{name}/participants/{id}", operation_id = "get_participant",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"),
        ("id" = String, Path, description = "The participant's id.", example = "01234567a1b1c1c2.234")),
    security(("bearer" = ["read"])),
    responses((status = 200, description = "The participant.", body = Participant)))]
async fn one(caller: Caller<Read>, State(state): State<App>, Segments([name, id]): Segments<2>) -> Answer {
    let shown = show(&state, caller.account, ConferenceName::new(name), ParticipantId::new(id)).await?;
    Ok(json(StatusCode::OK, &shown))
}

#[cfg(feature = "fuzzing")]
pub(super) fn take_apart(body: &[u8]) {
    if let Ok(call) = plenary_model::read::<calling::Call>(body) {
        let _ = call.check("");
    }
    let _ = plenary_model::read::<calling::Calls>(body);
    let _ = plenary_model::read::<changing::ParticipantPatch>(body);
}
