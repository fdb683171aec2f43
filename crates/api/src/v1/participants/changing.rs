//! Changing, admitting, moving, transferring and ejecting a participant.

use super::shown::{Participant, check_display_name, show};
use crate::{
    answer::{Answer, no_content, to_the_end},
    control::{ConferenceChange, ConferenceControl, ControlError, ParticipantChange, SoundChange},
    error::ApiError,
    extract::Segments,
    json::{given, json, present},
    state::App,
    v1::{
        access::{Caller, Control},
        body::Body,
        sound::SoundPatch,
    },
};
use axum::{
    body::Body as Bytes,
    extract::State,
    http::{Response, StatusCode},
};
use plenary_conference::{
    AccountId, ConferenceName, ParticipantChange as HomeChange, ParticipantId,
    reservation::is_conference_name,
};
use plenary_model::{FieldError, InbandDtmf};
use serde::Deserialize;
use std::{ops::RangeInclusive, sync::Arc};
use utoipa::ToSchema;

const GAIN_DB: RangeInclusive<f32> = -40.0..=20.0;
/// Participants who alone hear another, at the most.
const HEARD_BY_MAX: usize = 500;

/// A change of a participant; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ParticipantPatch {
    /// It is not heard.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    muted: Option<bool>,
    /// It may unmute itself although a leader has muted it; null: as the conference says.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    self_unmute: Option<Option<bool>>,
    /// Its keys do something.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    dtmf_enabled: Option<bool>,
    /// Whether keys are also looked for as tones in its audio; null: as configured.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<InbandDtmf>)]
    inband_dtmf: Option<Option<InbandDtmf>>,
    /// Its hand is taken down. Only a participant can raise it.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    hand_raised: Option<bool>,
    /// It is on hold: hears music (`while_held_media` of its options, or the music of its room), and is not heard.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    held: Option<bool>,
    /// It is a leader. One who waits in the lobby enters by that.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    leader: Option<bool>,
    /// The ids of the participants who alone hear it (coach, whisper); null: all do.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>, max_items = 500)]
    heard_by: Option<Option<Vec<String>>>,
    /// The name that is shown; null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, min_length = 1)]
    display_name: Option<Option<String>>,
    /// Gain on top of the automatic one, in dB; null: 0.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<f32>, minimum = -40, maximum = 20)]
    gain_db: Option<Option<f32>>,
    /// What is done to its voice.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    sound: Option<SoundPatch>,
}

/// Changes a participant
///
/// In whatever state it and the conference are.
#[utoipa::path(patch, path = "/v1/conferences/{name}/participants/{id}", operation_id = "change_participant",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"),
        ("id" = String, Path, description = "The participant's id.", example = "01234567a1b1c1c2.234")),
    request_body(content = ParticipantPatch, example = json!({"muted": true})),
    security(("bearer" = ["control"])),
    responses((status = 200, description = "The participant as it is now.", body = Participant),
        (status = 409, description = "Its call has ended (1211), or it waits in the lobby, is to be a leader, and no seat is left (1206).")))]
pub(super) async fn change(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments(ids): Segments<2>,
    Body(patch): Body<ParticipantPatch>,
) -> Answer {
    let ParticipantPatch {
        muted,
        self_unmute,
        dtmf_enabled,
        inband_dtmf,
        hand_raised,
        held,
        leader,
        heard_by,
        display_name,
        gain_db,
        sound,
    } = patch;
    let named = display_name.as_ref().and_then(Option::as_deref);
    let mut errors: Vec<FieldError> = check_display_name("/display_name", named).err().into_iter().collect();
    if gain_db.flatten().is_some_and(|gain| !GAIN_DB.contains(&gain)) {
        let text = format!("must be {} to {}", GAIN_DB.start(), GAIN_DB.end());
        errors.push(FieldError::new("/gain_db", text));
    }
    if hand_raised == Some(true) {
        errors.push(FieldError::new("/hand_raised", "can only be false: a participant raises its own hand"));
    }
    if heard_by.iter().flatten().any(|by| by.len() > HEARD_BY_MAX) {
        errors.push(FieldError::new("/heard_by", format!("has {HEARD_BY_MAX} participants at the most")));
    }
    if !errors.is_empty() {
        return Err(ApiError::members(errors));
    }
    let heard_by = heard_by.map(|by| by.map(|by| by.into_iter().map(ParticipantId::new).collect()));
    let lower_hand = hand_raised == Some(false);
    let home = HomeChange { muted, dtmf_enabled, self_unmute, lower_hand, held, leader, heard_by };
    let sound = SoundChange { gain_db, ..sound.map(SoundChange::from).unwrap_or_default() };
    let change = ParticipantChange { home, display_name, inband_dtmf, sound };
    change_and_show(&caller, state, ids, StatusCode::OK, |control, account, name, id| async move {
        control.change_participant(account, name, id, change).await
    })
    .await
}

/// Makes a change of a participant, to its end whatever becomes of the request, and answers with the participant as it is then.
async fn change_and_show<F>(
    caller: &Caller<Control>,
    state: App,
    [name, id]: [String; 2],
    status: StatusCode,
    change: impl FnOnce(Arc<dyn ConferenceControl>, AccountId, ConferenceName, ParticipantId) -> F,
) -> Answer
where
    F: Future<Output = Result<(), ControlError>> + Send + 'static,
{
    let state = caller.acting(state);
    let (account, name, id) = (caller.account, ConferenceName::new(name), ParticipantId::new(id));
    let change = change(state.control.clone(), account, name.clone(), id.clone());
    to_the_end(async move {
        change.await?;
        Ok(json(status, &show(&state, account, name, id).await?))
    })
    .await
}

/// Ejects a participant
///
/// In whatever state it and the conference are; one that is being called is given up.
#[utoipa::path(delete, path = "/v1/conferences/{name}/participants/{id}", operation_id = "eject_participant",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"),
        ("id" = String, Path, description = "The participant's id.", example = "01234567a1b1c1c2.234")),
    security(("bearer" = ["control"])),
    responses((status = 204, description = "It is out.")))]
pub(super) async fn remove(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name, id]): Segments<2>,
) -> Result<Response<Bytes>, ApiError> {
    to_the_end(async move {
        let (name, id) = (ConferenceName::new(name), ParticipantId::new(id));
        state.control.remove_participant(caller.account, name, id).await?;
        Ok(no_content())
    })
    .await
}

/// Admits a participant from the lobby
///
/// One who is in, or on the way in, stays that.
#[utoipa::path(post, path = "/v1/conferences/{name}/participants/{id}/admit", operation_id = "admit_participant",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"),
        ("id" = String, Path, description = "The participant's id.", example = "01234567a1b1c1c2.234")),
    security(("bearer" = ["control"])),
    responses((status = 200, description = "The participant, who is on the way in.", body = Participant),
        (status = 409, description = "No seat is left (1206).")))]
pub(super) async fn admit(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments(ids): Segments<2>,
) -> Answer {
    change_and_show(&caller, state, ids, StatusCode::OK, |control, account, name, id| async move {
        control.change_conference(account, name, ConferenceChange::Admit(Some(id))).await
    })
    .await
}

/// Asks a participant to unmute itself
///
/// A participant who is muted hears by which key it can be heard. It may undo its mute by that key from then on, also that of a leader.
#[utoipa::path(post, path = "/v1/conferences/{name}/participants/{id}/ask-to-unmute",
    operation_id = "ask_to_unmute", tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"),
        ("id" = String, Path, description = "The participant's id.", example = "01234567a1b1c1c2.234")),
    security(("bearer" = ["control"])),
    responses((status = 200, description = "The participant, who has been asked.", body = Participant),
        (status = 409, description = "It is not in, is not muted, or has no key for that (1153).")))]
pub(super) async fn ask_to_unmute(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments(ids): Segments<2>,
) -> Answer {
    change_and_show(&caller, state, ids, StatusCode::OK, |control, account, name, id| async move {
        control.ask_to_unmute(account, name, id).await
    })
    .await
}

/// The conference that a participant goes to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MoveTo {
    /// Its name: 1 to 47 letters and digits. It is created where it does not exist.
    #[schema(pattern = "^[A-Za-z0-9]{1,47}$", example = "Annex")]
    conference: String,
}

/// Moves a participant to another conference
///
/// Its call stays up. It is a participant of the other conference when the answer comes, or nothing has changed. A key that is
/// bound to a conference, and a leader's link, move nobody elsewhere.
#[utoipa::path(post, path = "/v1/conferences/{name}/participants/{id}/move", operation_id = "move_participant",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"),
        ("id" = String, Path, description = "The participant's id.", example = "01234567a1b1c1c2.234")),
    request_body(content = MoveTo),
    security(("bearer" = ["control"])),
    responses((status = 200, description = "The participant, in the other conference; at once where it is in that one.", body = Participant),
        (status = 403, description = "The key is for another conference (1304), or lacks the scope."),
        (status = 409, description = "No seat is left there (1206), it is not open (1201), or the participant is not in (1211).")))]
pub(super) async fn move_to(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments([name, id]): Segments<2>,
    Body(MoveTo { conference }): Body<MoveTo>,
) -> Answer {
    let state = caller.acting(state);
    if !is_conference_name(&conference) {
        let error = FieldError::new("/conference", "a conference's name has 1 to 47 letters and digits");
        return Err(ApiError::members(vec![error]));
    }
    let (account, name, id) = (caller.account, ConferenceName::new(name), ParticipantId::new(id));
    let to = ConferenceName::new(conference);
    caller.reaches(&to)?;
    to_the_end(async move {
        let change = ConferenceChange::Move { participant: id.clone(), to: to.clone() };
        state.control.change_conference(account, name, change).await?;
        Ok(json(StatusCode::OK, &show(&state, account, to, id).await?))
    })
    .await
}

/// The target of a transfer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferTo {
    /// `tel:+441908273800` or `sip:user@host`.
    #[schema(example = "sip:reception@example.com")]
    to: String,
}

/// Transfers a participant
///
/// Its telephone is asked to call there (REFER, RFC 3515) and leaves the conference once it is through; `transfer` says how far
/// that has come.
#[utoipa::path(post, path = "/v1/conferences/{name}/participants/{id}/transfer", operation_id = "transfer_participant",
    tag = "participants",
    params(("name" = String, Path, description = "The conference's name.", example = "Board"),
        ("id" = String, Path, description = "The participant's id.", example = "01234567a1b1c1c2.234")),
    request_body(content = TransferTo),
    security(("bearer" = ["control"])),
    responses((status = 202, description = "Its telephone has been asked.", body = Participant),
        (status = 403, description = "Nothing allows a call there (1301), or the key lacks the scope."),
        (status = 409, description = "The call is not in a state for this (1211).")))]
pub(super) async fn transfer(
    caller: Caller<Control>,
    State(state): State<App>,
    Segments(ids): Segments<2>,
    Body(TransferTo { to }): Body<TransferTo>,
) -> Answer {
    change_and_show(&caller, state, ids, StatusCode::ACCEPTED, |control, account, name, id| async move {
        control.transfer(account, name, id, to).await
    })
    .await
}
