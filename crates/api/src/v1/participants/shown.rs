//! A participant as it is shown.

use super::super::sound::Sound;
use crate::{
    control::{Direction, ParticipantReport, ParticipantState, TransferState},
    error::ApiError,
    state::App,
    time,
};
use plenary_calls::DISPLAY_NAME_LENGTH_MAX;
use plenary_conference::{AccountId, ConferenceName, MutedBy, ParticipantId};
use plenary_model::{CallStats, FieldError, InbandDtmf, TransferProgress};
use serde::Serialize;
use utoipa::ToSchema;

/// A participant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Participant {
    /// Its id, for as long as it is there: that of its call.
    #[schema(value_type = String, example = "01234567a1b1c1c2.234")]
    pub(super) participant_id: ParticipantId,
    /// The name that is shown; null: it has none.
    display_name: Option<String>,
    /// Who calls, or who is called, as far as others may see: a number or user name.
    from: String,
    /// What was dialled, or who is called.
    to: String,
    /// Which way it was called.
    direction: Way,
    /// How far it has come.
    state: Phase,
    /// Who put it on hold; null: it is not on hold.
    held_by: Option<Holder>,
    /// It starts the conference, and may end it by leaving.
    leader: bool,
    /// It is not heard.
    muted: bool,
    /// Who muted it; null: it is not muted.
    muted_by: Option<Muter>,
    /// Its keys do something.
    dtmf_enabled: bool,
    /// Whether keys are also looked for as tones in its audio; null: as configured.
    inband_dtmf: Option<InbandDtmf>,
    /// It talks now.
    talking: bool,
    /// Gain on top of the automatic one, in dB; null: there is no call.
    gain_db: Option<f32>,
    /// When it entered; null: it has not.
    #[schema(format = DateTime)]
    entered_at: Option<String>,
    /// Since when its hand is up; null: it is down.
    #[schema(format = DateTime)]
    hand_raised_at: Option<String>,
    /// It may unmute itself although a leader has muted it.
    self_unmute: bool,
    /// The ids of the participants who alone hear it (coach, whisper); null: all do.
    #[schema(value_type = Option<Vec<String>>)]
    heard_by: Option<Vec<ParticipantId>>,
    /// What is done to its voice; null: there is no call.
    sound: Option<Sound>,
    /// What admitted the caller; null: it was called.
    #[schema(example = "network")]
    admitted_by: Option<&'static str>,
    /// The trunk that the call goes through.
    trunk: Option<String>,
    /// The SIP status with which the call failed.
    status: Option<u16>,
    /// Why the call failed or ended.
    reason: Option<String>,
    /// The progress of a transfer.
    transfer: Option<Transfer>,
    /// Counters and measures of the audio; null: there is no call.
    statistics: Option<CallStats>,
}

/// Which way a participant was called.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Direction)]
#[serde(rename_all = "snake_case")]
pub(super) enum Way {
    /// It called in.
    In,
    /// It was called.
    Out,
}

/// How far a participant has come.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ParticipantState)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// It is being called.
    Calling,
    /// Its telephone rings, or it has answered and has not pressed the key by which it joins.
    Ringing,
    /// It is in a conference that has not started, or has stopped.
    Waiting,
    /// It is in.
    In,
    /// It is on hold, or has put the conference on hold: `held_by` says which.
    Held,
    /// It has left.
    Ended,
    /// It was called and did not answer, or was not reached.
    Failed,
}

/// Who put a participant on hold.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HeldBy)]
#[serde(rename_all = "snake_case")]
pub(super) enum Holder {
    /// A leader, or a program: it hears music until they take it off hold.
    Leader,
    /// Its telephone.
    #[serde(rename = "self")]
    Own,
}

/// Who muted a participant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MutedBy)]
#[serde(rename_all = "snake_case")]
pub(super) enum Muter {
    /// The participant, with a key.
    #[serde(rename = "self")]
    Own,
    /// A leader, or a program, or the conference's `muted_on_entry`.
    Leader,
    /// The conference's `lecture`.
    Lecture,
}

/// The outcome of a transfer: a telephone was asked to call another target (REFER, RFC 3515).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Transfer {
    /// The target.
    to: String,
    /// How far it has come.
    state: TransferProgress,
    /// The last SIP status that the telephone reported.
    status: Option<u16>,
}

impl From<TransferState> for Transfer {
    fn from(TransferState { to, state, status }: TransferState) -> Self {
        Self { to, state, status }
    }
}

impl From<ParticipantReport> for Participant {
    fn from(ParticipantReport { participant, statistics }: ParticipantReport) -> Self {
        let is_held = participant.state == ParticipantState::Held;
        Self {
            participant_id: participant.id,
            display_name: participant.display_name,
            from: participant.name,
            to: participant.to,
            direction: match participant.direction {
                Direction::In => Way::In,
                Direction::Out => Way::Out,
            },
            state: match participant.state {
                ParticipantState::Calling => Phase::Calling,
                ParticipantState::Ringing => Phase::Ringing,
                ParticipantState::Waiting => Phase::Waiting,
                ParticipantState::In => Phase::In,
                ParticipantState::Held => Phase::Held,
                ParticipantState::Ended => Phase::Ended,
                ParticipantState::Failed => Phase::Failed,
            },
            held_by: is_held.then_some(match participant.is_held_by_leader {
                true => Holder::Leader,
                false => Holder::Own,
            }),
            leader: participant.is_leader,
            muted: participant.muted_by.is_some(),
            muted_by: participant.muted_by.map(|by| match by {
                MutedBy::Own => Muter::Own,
                MutedBy::Leader => Muter::Leader,
                MutedBy::Lecture => Muter::Lecture,
            }),
            dtmf_enabled: participant.dtmf_enabled,
            inband_dtmf: participant.inband_dtmf,
            talking: participant.talking,
            gain_db: participant.sound.and_then(|sound| sound.gain_db),
            entered_at: participant.entered_at.map(time::rfc3339),
            hand_raised_at: participant.hand_raised_at.map(time::rfc3339),
            self_unmute: participant.may_unmute,
            heard_by: participant.heard_by,
            sound: participant.sound.map(Sound::from),
            admitted_by: participant.admitted_by,
            trunk: participant.trunk,
            status: participant.status,
            reason: participant.reason,
            transfer: participant.transfer.map(Transfer::from),
            statistics,
        }
    }
}

pub(super) async fn show(
    state: &App,
    account: AccountId,
    name: ConferenceName,
    id: ParticipantId,
) -> Result<Participant, ApiError> {
    Ok(state.control.participant(account, name, id).await?.into())
}

/// A name that can be shown as it is.
pub(super) fn check_display_name(pointer: &str, name: Option<&str>) -> Result<(), FieldError> {
    let fits = |name: &str| {
        (1..=DISPLAY_NAME_LENGTH_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control)
    };
    if name.is_none_or(fits) {
        return Ok(());
    }
    let text = format!("has 1 to {DISPLAY_NAME_LENGTH_MAX} characters, none of them a control character");
    Err(FieldError::new(pointer, text))
}
