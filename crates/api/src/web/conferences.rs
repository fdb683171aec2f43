//! Conferences in progress: which there are, what is set for one, muting all, ending it.

use crate::{
    answer::{Answer, read, to_the_end},
    control::ConferenceChange,
    error::{ApiError, OUT_OF_RANGE},
    extract::{Account, Segments, Whole},
    json::json,
    methods::only,
    params::Params,
    state::App,
    time,
};
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use plenary_conference::{
    AccountId, ConferenceName, ControlsChange, Timestamp,
    conferences::{ConferenceOverview, State as ConferenceState},
};
use serde::{Deserialize, Serialize};

pub(crate) fn routes() -> Router<App> {
    const ONE: &str = "/service/v1/conference/{name}";
    Router::new()
        .route("/service/v1/conference", only("GET, HEAD", get(list)))
        .route(ONE, only("GET, HEAD, PATCH, DELETE", get(one).patch(change).delete(end)))
        .route(&format!("{ONE}/mute"), only("POST", post(mute)))
}

#[derive(Serialize)]
struct Conference {
    name: ConferenceName,
    state: &'static str,
    reserved: bool,
    max_participants: u32,
    participants: usize,
    waiting: usize,
    started_at: Option<String>,
    ends_at: Option<String>,
    locked: bool,
    lecture: bool,
    muted_on_entry: bool,
    self_unmute: bool,
}

impl From<ConferenceOverview> for Conference {
    fn from(overview: ConferenceOverview) -> Self {
        let controls = overview.controls.unwrap_or_default();
        let written = |at: Timestamp| time::rfc3339(at);
        Self {
            name: overview.name,
            state: state_name(overview.state),
            reserved: overview.reservation.is_some(),
            max_participants: overview.max_participants,
            participants: overview.participants,
            waiting: overview.waiting,
            started_at: overview.started_at.map(written),
            ends_at: overview.reservation.map(|reservation| written(reservation.ends_at())),
            locked: controls.locked,
            lecture: controls.lecture,
            muted_on_entry: controls.muted_on_entry,
            self_unmute: controls.self_unmute,
        }
    }
}

const STATES: [ConferenceState; 4] = [
    ConferenceState::Reserved,
    ConferenceState::Holding,
    ConferenceState::Active,
    ConferenceState::Completed,
];

const fn state_name(state: ConferenceState) -> &'static str {
    match state {
        ConferenceState::Reserved => "reserved",
        ConferenceState::Holding => "holding",
        ConferenceState::Active => "active",
        ConferenceState::Completed => "completed",
    }
}

async fn list(State(state): State<App>, Account(account): Account, mut params: Params) -> Answer {
    let wanted = params.optional("state");
    params.finish()?;
    let wanted = match wanted {
        None => None,
        Some(name) => {
            let found = STATES.into_iter().find(|state| state_name(*state) == name);
            Some(found.ok_or_else(|| {
                ApiError::coded(OUT_OF_RANGE, "state: must be reserved, holding, active or completed")
            })?)
        }
    };
    let found = state.control.conferences(account, None, wanted, usize::MAX).await?;
    Ok(json(StatusCode::OK, &found.into_iter().map(Conference::from).collect::<Vec<_>>()))
}

async fn show(state: &App, account: AccountId, name: ConferenceName) -> Answer {
    Ok(json(StatusCode::OK, &Conference::from(state.control.conference(account, name).await?)))
}

async fn one(State(state): State<App>, Account(account): Account, Segments([name]): Segments<1>) -> Answer {
    show(&state, account, ConferenceName::new(name)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    locked: Option<bool>,
    lecture: Option<bool>,
    muted_on_entry: Option<bool>,
    self_unmute: Option<bool>,
}

async fn change(
    State(state): State<App>,
    Account(account): Account,
    Segments([name]): Segments<1>,
    Whole(body): Whole,
) -> Answer {
    let ChangeBody { locked, lecture, muted_on_entry, self_unmute } = read(&body)?;
    let change = ConferenceChange::Controls(ControlsChange { locked, lecture, muted_on_entry, self_unmute });
    changed(state, account, name, change).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MuteBody {
    muted: bool,
    #[serde(default)]
    except_leaders: bool,
    self_unmute: Option<bool>,
}

async fn mute(
    State(state): State<App>,
    Account(account): Account,
    Segments([name]): Segments<1>,
    Whole(body): Whole,
) -> Answer {
    let MuteBody { muted, except_leaders, self_unmute } = read(&body)?;
    let change = ConferenceChange::MuteAll { muted, except_leaders, self_unmute };
    changed(state, account, name, change).await
}

async fn changed(state: App, account: AccountId, name: String, change: ConferenceChange) -> Answer {
    to_the_end(async move {
        let name = ConferenceName::new(name);
        state.control.change_conference(account, name.clone(), change).await?;
        show(&state, account, name).await
    })
    .await
}

async fn end(State(state): State<App>, Account(account): Account, Segments([name]): Segments<1>) -> Answer {
    to_the_end(async move {
        state.control.end_conference(account, ConferenceName::new(name)).await?;
        let mut response = axum::http::Response::new(axum::body::Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    })
    .await
}
