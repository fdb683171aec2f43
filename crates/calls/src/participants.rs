//! Participants as the management API shows them: what the home of the conference decides about them together with what
//! their edge knows of their calls.

use crate::{
    Calls,
    call::{AdmittedBy, Call, Stage},
    control::{SoundSettings, TransferState},
    history::PastCall,
    number::CallNumber,
};
use plenary_conference::{
    ConferenceKey, EdgeReport, MutedBy, ParticipantId, Refused, State, Timestamp,
    conferences::ParticipantSummary,
};
use plenary_model::{InbandDtmf, ParticipantUpdate};
use plenary_sip::sdp::Direction as MediaDirection;
use serde::Serialize;

/// Which way a call was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The participant called.
    In,
    /// The participant was called.
    Out,
}

/// How far a participant has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParticipantState {
    /// It is being called.
    Calling,
    /// Its telephone rings, or it has answered and has not pressed the key by which it joins.
    Ringing,
    /// It waits in the lobby, hears that it joins, or is in a conference that has not started, or has stopped.
    Waiting,
    /// It is in.
    In,
    /// It is in, and has put the conference on hold.
    Held,
    /// It has left.
    Ended,
    /// It was called and did not answer, or was not reached.
    Failed,
}

/// A participant. Its statistics are with the media plane, under the number of its call.
#[derive(Debug, Clone, PartialEq)]
pub struct Participant {
    /// Its id.
    pub id: ParticipantId,
    /// The number of its call; `None`: there is none any more.
    pub call: Option<CallNumber>,
    /// The name by which it is shown, by its own word or as it was set.
    pub display_name: Option<String>,
    /// Who it is, as far as others may see: the user part of its address.
    pub name: String,
    /// Who calls, as far as others may see.
    pub from: String,
    /// What was dialled, or who is called.
    pub to: String,
    /// Which way it was called.
    pub direction: Direction,
    /// How far it has come.
    pub state: ParticipantState,
    /// A leader, or a program, has put it on hold.
    pub is_held_by_leader: bool,
    /// It starts the conference, and ends it for all by leaving.
    pub is_leader: bool,
    /// By whom it is muted; `None`: it is not.
    pub muted_by: Option<MutedBy>,
    /// Its keys do something.
    pub dtmf_enabled: bool,
    /// Whether keys are also looked for as tones in its audio; `None`: as configured.
    pub inband_dtmf: Option<InbandDtmf>,
    /// It speaks now.
    pub talking: bool,
    /// When it entered; `None`: it has not.
    pub entered_at: Option<Timestamp>,
    /// Since when its hand is up.
    pub hand_raised_at: Option<Timestamp>,
    /// It may unmute itself although a leader has muted it.
    pub may_unmute: bool,
    /// Only these hear it; `None`: all do.
    pub heard_by: Option<Vec<ParticipantId>>,
    /// What is done to its voice; `None`: there is no call.
    pub sound: Option<SoundSettings>,
    /// What admitted it; `None`: it was called.
    pub admitted_by: Option<&'static str>,
    /// The trunk that its call goes through.
    pub trunk: Option<String>,
    /// The SIP status with which the call failed.
    pub status: Option<u16>,
    /// Why it failed or ended.
    pub reason: Option<String>,
    /// What came of a transfer that was asked for.
    pub transfer: Option<TransferState>,
}

impl Calls {
    /// Who is in, then who is being called, in the order in which the home says them.
    pub(crate) fn roster(
        &self,
        key: &ConferenceKey,
        state: Option<State>,
        summaries: Vec<ParticipantSummary>,
    ) -> Result<Vec<Participant>, Refused> {
        let state = state.ok_or(Refused::UnknownConference)?;
        let participants = summaries.into_iter().filter_map(|summary| self.participant(key, state, summary));
        Ok(participants.collect())
    }

    /// One participant, also for a while after its end where we called it or it was sent elsewhere.
    pub(crate) fn one_participant(
        &self,
        key: &ConferenceKey,
        id: &ParticipantId,
        state: Option<State>,
        summaries: Vec<ParticipantSummary>,
    ) -> Result<Participant, Refused> {
        let summary = summaries.into_iter().find(|summary| summary.id == *id);
        let found = summary.and_then(|summary| self.participant(key, state?, summary));
        let found = found.or_else(|| self.history.get_in(key, id).map(|call| past_participant(id, call)));
        found.ok_or(match state {
            Some(_) => Refused::UnknownParticipant,
            None => Refused::UnknownConference,
        })
    }

    fn participant(
        &self,
        key: &ConferenceKey,
        conference: State,
        summary: ParticipantSummary,
    ) -> Option<Participant> {
        let number = *self.participants.get(&summary.id)?;
        let call = self.calls.get(&number)?;
        let state = match (summary.waits, summary.is_held) {
            (true, _) => ParticipantState::Waiting,
            (_, true) => ParticipantState::Held,
            (false, false) => match state_of(call, conference)? {
                // Its call is up, and it is not in: it was called, and is asked whether it joins.
                ParticipantState::Waiting | ParticipantState::In | ParticipantState::Held
                    if summary.entered_at.is_none() && call.outgoing.is_some() =>
                {
                    ParticipantState::Ringing
                }
                state => state,
            },
        };
        let past = self.history.get(&summary.id);
        Some(Participant {
            call: Some(number),
            display_name: call.shown_display_name().map(str::to_owned),
            name: call.remote_name().to_owned(),
            from: call.shown_from().to_owned(),
            to: call.shown_to(),
            direction: if call.outgoing.is_some() { Direction::Out } else { Direction::In },
            state,
            is_held_by_leader: summary.is_held_by_leader,
            is_leader: summary.is_leader,
            muted_by: summary.muted_by,
            dtmf_enabled: summary.dtmf_enabled,
            inband_dtmf: call.options.inband_dtmf,
            talking: call.talking && summary.muted_by.is_none(),
            entered_at: summary.entered_at,
            hand_raised_at: summary.hand_raised_at,
            may_unmute: summary.may_unmute,
            heard_by: summary.heard_by,
            sound: Some(self.sound_of_call(key, number)),
            admitted_by: call.admitted_by.map(AdmittedBy::name),
            trunk: call.trunk.clone(),
            status: None,
            reason: None,
            transfer: past.and_then(|call| call.transfer.clone()),
            id: summary.id,
        })
    }

    /// Changes the name by which a participant is shown.
    pub(crate) fn rename(
        &mut self,
        key: &ConferenceKey,
        id: &ParticipantId,
        display_name: Option<String>,
    ) -> Result<(), Refused> {
        let (_, call) = self.call_with_seat(key, id).ok_or(Refused::UnknownParticipant)?;
        call.given_name = Some(display_name.clone());
        self.report(key, id, EdgeReport::Renamed(display_name.clone()));
        self.history.change(id, |call| call.display_name = display_name);
        self.subscribers.note(key, self.now.mono);
        Ok(())
    }

    /// Changes whether keys are also looked for as tones in a participant's audio.
    pub(crate) fn set_inband_dtmf(
        &mut self,
        key: &ConferenceKey,
        id: &ParticipantId,
        inband_dtmf: Option<InbandDtmf>,
    ) -> Result<(), Refused> {
        let (number, call) = self.call_with_seat(key, id).ok_or(Refused::UnknownParticipant)?;
        let before = std::mem::replace(&mut call.options.inband_dtmf, inband_dtmf);
        // Of one that has no media yet it is said once it has.
        if call.session_mut().is_some() {
            self.out.set_inband_dtmf(number, inband_dtmf);
        }
        if before != inband_dtmf {
            let update = ParticipantUpdate { inband_dtmf: Some(inband_dtmf), ..ParticipantUpdate::default() };
            self.report(key, id, EdgeReport::Changed(Box::new(update)));
        }
        Ok(())
    }

    /// Tells the media plane what the options of a participant say about tones.
    pub(crate) fn apply_inband_dtmf(&mut self, number: CallNumber) {
        let chosen = self.calls.get(&number).and_then(|call| call.options.inband_dtmf);
        if chosen.is_some() {
            self.out.set_inband_dtmf(number, chosen);
        }
    }
}

/// `None`: it calls, and is not in yet; or its call is ending.
fn state_of(call: &Call, conference: State) -> Option<ParticipantState> {
    match &call.stage {
        Stage::Preparing { .. } => Some(ParticipantState::Calling),
        Stage::Calling(_) => Some(match call.outgoing.as_ref().is_some_and(|outgoing| outgoing.is_ringing) {
            true => ParticipantState::Ringing,
            false => ParticipantState::Calling,
        }),
        Stage::Up(session) => {
            let direction = session.stream.as_ref().map(|stream| stream.direction);
            // They offered `sendonly` or `inactive`, which is how a call is put on hold (RFC 3264, 8.4).
            let is_held = matches!(direction, Some(MediaDirection::RecvOnly | MediaDirection::Inactive));
            Some(match (is_held, conference) {
                (true, _) => ParticipantState::Held,
                (false, State::Active) => ParticipantState::In,
                (false, State::Reserved | State::Holding | State::Completed) => ParticipantState::Waiting,
            })
        }
        Stage::Routing { .. }
        | Stage::Admitting { .. }
        | Stage::Opening { .. }
        | Stage::Weighing { .. }
        | Stage::Accepted(_)
        | Stage::Ending => None,
    }
}

/// A participant whose call is gone.
fn past_participant(id: &ParticipantId, call: &PastCall) -> Participant {
    Participant {
        id: id.clone(),
        call: None,
        display_name: call.display_name.clone(),
        name: if call.is_outgoing { call.to.clone() } else { call.from.clone() },
        from: call.from.clone(),
        to: call.to.clone(),
        direction: if call.is_outgoing { Direction::Out } else { Direction::In },
        state: if call.has_failed { ParticipantState::Failed } else { ParticipantState::Ended },
        is_held_by_leader: false,
        is_leader: false,
        muted_by: None,
        dtmf_enabled: false,
        inband_dtmf: None,
        talking: false,
        entered_at: None,
        hand_raised_at: None,
        may_unmute: false,
        heard_by: None,
        sound: None,
        admitted_by: None,
        trunk: call.trunk.clone(),
        status: call.status,
        reason: call.reason.clone(),
        transfer: call.transfer.clone(),
    }
}
