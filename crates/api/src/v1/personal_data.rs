//! Numbers and names of people in what is stored, and taking them out.

use super::{
    access::{Caller, Records},
    list::Query,
    recordings::on_disk,
};
use crate::{
    answer::{Answer, to_the_end},
    error::ApiError,
    json::json,
    state::App,
};
use axum::{extract::State, http::StatusCode};
use plenary_model::{AccountId, RecordedParticipant, Redaction, Scope, is_of_person};
use plenary_store::{RecordingsQuery, Redacted, Sought};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

const NUMBER_CHARS_MAX: usize = 256;
/// Recordings that are read at once.
const RECORDINGS_AT_ONCE: usize = 100;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(remove))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Person {
    /// The number, in any spelling (RFC 3966), the name, or the mail address of a guest. A `+` is written `%2B` in a URL.
    #[param(min_length = 1, max_length = 256, example = "+4930123456")]
    number: String,
    /// What is left: with `true` a number without its last four digits, with `false` nothing.
    #[serde(default)]
    #[param(required = false, default = false)]
    mask: bool,
}

/// What was found of a person, and removed.
#[derive(Debug, Serialize, ToSchema)]
struct RemovedPersonalData {
    /// Call records.
    call_records: u64,
    /// Stays in conferences of the history, which show the number of the call's record.
    history: u64,
    /// Events. Webhooks are sent what is left of them.
    events: u64,
    /// Entries of the audit log about conferences and reservations.
    audit: u64,
    /// Calls that failed and whose messages were kept: they are deleted.
    messages: u64,
    /// Guests of reservations that ended more than a day ago.
    guests: u64,
    /// Mails to guests that were sent, or given up: they are deleted.
    mails: u64,
    /// Recordings that said the name, and their transcripts. What is heard on them stays.
    recordings: u64,
}

impl RemovedPersonalData {
    fn of(found: Redacted, recordings: u64) -> Self {
        let Redacted { calls, history, events, audit, messages, guests, mails } = found;
        Self { call_records: calls, history, events, audit, messages, guests, mails, recordings }
    }
}

/// Removes a number from what is stored
///
/// From the records of calls that are over, and so from the history of conferences, from events, and so from what webhooks are sent, from
/// what the audit log tells of conferences, each of which stays without the number and the names by which the person was shown; and with
/// the messages of calls that failed; from what is said of recordings that are over, whose audio stays; and from the guests of reservations
/// that ended more than a day ago, and the mails to them. For what goes on, ask again when it is over. Messages of calls that got to no
/// account are deleted too where the scope `operator` is there.
#[utoipa::path(delete, path = "/v1/personal-data", operation_id = "remove_personal_data", tag = "records",
    params(Person), security(("bearer" = ["records"])),
    responses((status = 200, description = "How often it was found and removed.", body = RemovedPersonalData)))]
async fn remove(
    caller: Caller<Records>,
    State(state): State<App>,
    Query(Person { number, mask }): Query<Person>,
) -> Answer {
    let state = caller.acting(state);
    // In a query `+` stands for a space: a number that begins with one was meant to begin with `+`.
    let number = match number.strip_prefix(' ') {
        Some(digits) => format!("+{digits}"),
        None => number,
    };
    if number.is_empty() || number.chars().count() > NUMBER_CHARS_MAX {
        return Err(ApiError::parameter("number", format!("has 1 to {NUMBER_CHARS_MAX} characters")));
    }
    let how = if mask { Redaction::Mask } else { Redaction::Drop };
    to_the_end(async move {
        let at = state.control.now();
        // First, as long as it is known by the records of calls who it is.
        let recordings = redact_recordings(&state, caller.account, &number, how).await?;
        // Calls that got to no account's service are the operator's.
        let with_nobodys = caller.access.scopes.includes(Scope::Operator);
        let sought = Sought { account: caller.account, with_nobodys, number: &number, how };
        let (found, calls) = state.store.redact_number(sought, at).await?;
        state.operator.forget_ladders(&calls);
        Ok(json(StatusCode::OK, &RemovedPersonalData::of(found, recordings)))
    })
    .await
}

/// Takes the names by which a person was shown out of the manifests and transcripts of recordings that are over.
async fn redact_recordings(
    state: &App,
    account: AccountId,
    number: &str,
    how: Redaction,
) -> Result<u64, ApiError> {
    let participants = state.store.participants_of_number(account, number).await?;
    let person = Arc::new(InRecordings { number: number.to_owned(), participants });
    let (mut found, mut before) = (0, None);
    loop {
        let query = RecordingsQuery { conference: None, before, limit: RECORDINGS_AT_ONCE };
        let page = state.store.recordings(account, &query).await?;
        let is_last = page.len() < RECORDINGS_AT_ONCE;
        before = page.last().map(|last| last.id.clone());
        for mut recording in page {
            if recording.ended_at_ms.is_none() || recording.redact(how, |one| person.is(one)).is_empty() {
                continue;
            }
            // The files first: as long as the row has the name, it is found again. And before them the entry.
            state.store.note_doing().await?;
            let (archive, person, id) =
                (state.recordings.archive.clone(), Arc::clone(&person), recording.id.clone());
            let here = on_disk(move || archive.redact(account.0, &id, how, |one| person.is(one))).await?;
            state.store.update_recording(&here.unwrap_or(recording)).await?;
            found += 1;
        }
        if is_last {
            return Ok(found);
        }
    }
}

/// A person among the participants of recordings.
struct InRecordings {
    number: String,
    participants: BTreeSet<String>,
}

impl InRecordings {
    fn is(&self, one: &RecordedParticipant) -> bool {
        let is_named = one.display_name.as_ref().is_some_and(|name| is_of_person(name, &self.number));
        is_named || self.participants.contains(&one.participant_id)
    }
}
