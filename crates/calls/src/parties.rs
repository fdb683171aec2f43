//! What the web services are told of parties that we called or that were sent elsewhere, how a party is ended, and how its
//! telephone is asked to call somebody else (REFER, RFC 3515).

use crate::{
    Calls, Unable,
    call::{CallNumber, Stage},
    control::{DialRefused, PartyState, TransferState},
    effects::reasons,
    target::DialTarget,
};
use plenary_conference::{ConferenceKey, Mono, ParticipantId, Refused};
use plenary_sip::ReferTo;
use std::collections::{BTreeMap, VecDeque};
use tracing::info;

/// How long one can read what became of a party.
const REMEMBERED_MS: u64 = 10 * 60 * 1000;
/// Parties whose end is remembered, at the most.
const REMEMBERED_MAX: usize = 5000;

/// What can be read of parties that we called, or that were sent elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Parties {
    of: BTreeMap<ParticipantId, (ConferenceKey, PartyState)>,
    ended: VecDeque<(Mono, ParticipantId)>,
}

impl Parties {
    pub(crate) fn begin(&mut self, key: ConferenceKey, party: PartyState) {
        self.of.insert(party.participant_id.clone(), (key, party));
    }

    pub(crate) fn get(&self, key: &ConferenceKey, id: &ParticipantId) -> Option<&PartyState> {
        self.of.get(id).filter(|(of, _)| of == key).map(|(_, party)| party)
    }

    pub(crate) fn of(&self, id: &ParticipantId) -> Option<&PartyState> {
        self.of.get(id).map(|(_, party)| party)
    }

    pub(crate) fn change(&mut self, id: &ParticipantId, change: impl FnOnce(&mut PartyState)) {
        if let Some((_, party)) = self.of.get_mut(id) {
            change(party);
        }
    }

    /// Its call is over: how, and where nothing else was said, that it ended.
    pub(crate) fn end(&mut self, id: &ParticipantId, cause: &str, now: Mono) {
        let Some((_, party)) = self.of.get_mut(id) else { return };
        if party.state != "failed" {
            party.state = "ended";
            party.reason.get_or_insert_with(|| cause.to_owned());
        }
        self.ended.push_back((now, id.clone()));
        while let Some((at, _)) = self.ended.front()
            && (self.ended.len() > REMEMBERED_MAX || now.0.saturating_sub(at.0) > REMEMBERED_MS)
        {
            if let Some((_, id)) = self.ended.pop_front() {
                self.of.remove(&id);
            }
        }
    }
}

impl Calls {
    fn party_call(&self, key: &ConferenceKey, id: &ParticipantId) -> Option<CallNumber> {
        let number = *self.participants.get(id)?;
        let call = self.calls.get(&number)?;
        (call.conference() == Some(key)).then_some(number)
    }

    fn party(&self, key: &ConferenceKey, id: &ParticipantId) -> Result<PartyState, Refused> {
        if let Some(party) = self.parties.get(key, id) {
            return Ok(party.clone());
        }
        let number = self.party_call(key, id).ok_or(Refused::UnknownParticipant)?;
        let call = &self.calls[&number];
        Ok(PartyState {
            participant_id: id.clone(),
            direction: "in",
            to: call.dialled.clone(),
            from: call.shown_from().to_owned(),
            display_name: call.shown_display_name().map(str::to_owned),
            state: "answered",
            status: None,
            reason: None,
            trunk: call.trunk.clone(),
            transfer: None,
        })
    }

    /// Asks a participant's telephone to call somebody else.
    pub(crate) fn transfer(
        &mut self,
        key: &ConferenceKey,
        id: &ParticipantId,
        to: &str,
    ) -> Result<PartyState, Unable> {
        let target = DialTarget::parse(to).map_err(DialRefused::BadTarget)?;
        let uri = match &target {
            DialTarget::Number(_) => target.shown(),
            DialTarget::Uri { .. } => target.shown(),
            DialTarget::User(_) | DialTarget::Client(_) => {
                let text = "a telephone can be asked to call tel: and sip: only; user: and webrtc: are known here alone";
                return Err(DialRefused::BadTarget(text.to_owned()).into());
            }
        };
        let number = self.party_call(key, id).ok_or(Refused::UnknownParticipant)?;
        if !matches!(self.calls[&number].stage, Stage::Up(_)) {
            return Err(DialRefused::NotNow("the party has not answered yet".to_owned()).into());
        }
        let mut party = self.party(key, id)?;
        if party.transfer.as_ref().is_some_and(|transfer| matches!(transfer.state, "asked" | "trying")) {
            return Err(DialRefused::NotNow("a transfer of this party is under way".to_owned()).into());
        }
        party.transfer = Some(TransferState { to: target.shown(), state: "asked", status: None });
        self.parties.begin(key.clone(), party.clone());
        self.out.refer(number, ReferTo::Uri { uri, replaces: None });
        Ok(party)
    }

    /// What a telephone says of the call that it was asked to make.
    pub(crate) fn handle_referral_progress(
        &mut self,
        number: CallNumber,
        status: u16,
        phrase: &str,
        is_final: bool,
    ) {
        let Some(call) = self.calls.get(&number) else { return };
        let id = call.participant.clone();
        let is_done = is_final && (200..300).contains(&status);
        info!(call = number.0, status, phrase, is_final, "transfer");
        self.parties.change(&id, |party| {
            if let Some(transfer) = &mut party.transfer {
                transfer.status = Some(status);
                transfer.state = match (is_done, is_final) {
                    (true, _) => "done",
                    (false, true) => "failed",
                    (false, false) => "trying",
                };
            }
        });
        if is_done {
            self.end_call(number, reasons(200, "Transferred"));
        }
    }
}
