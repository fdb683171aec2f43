//! A web service asks a participant's telephone to call another target (REFER, RFC 3515).

use crate::{
    Calls, ControlError,
    control::{DialRefused, TransferState},
    history::PastCall,
    number::CallNumber,
    reasons::reasons,
    target::DialTarget,
};
use plenary_conference::{ConferenceKey, ParticipantId, Refused};
use plenary_model::TransferProgress;
use plenary_sip::ReferTo;

impl Calls {
    /// Asks a participant's telephone to call `to`. The id is that of the participant.
    pub(crate) fn transfer(
        &mut self,
        key: &ConferenceKey,
        id: &ParticipantId,
        to: &str,
    ) -> Result<ParticipantId, ControlError> {
        let target = DialTarget::parse(to).map_err(DialRefused::BadTarget)?;
        let uri = match &target {
            DialTarget::Number(_) | DialTarget::Uri { .. } => target.shown(),
            DialTarget::User(_) | DialTarget::Client(_) => {
                let text = "a telephone can be asked to call tel: and sip: only; user: and webrtc: are known here alone";
                return Err(DialRefused::BadTarget(text.to_owned()).into());
            }
        };
        let (number, call) = self.call_that_is_up(key, id)?;
        // Who waits in the lobby is led by the dialogue of the entry.
        if call.conference() != Some(key) {
            return Err(Refused::NotIn.into());
        }
        let unknown = PastCall {
            is_outgoing: false,
            to: call.shown_to(),
            from: call.shown_from().to_owned(),
            display_name: call.shown_display_name().map(str::to_owned),
            has_failed: false,
            status: None,
            reason: None,
            trunk: call.trunk.clone(),
            transfer: None,
        };
        let mut past = self.history.get_in(key, id).cloned().unwrap_or(unknown);
        if past.transfer.as_ref().is_some_and(|transfer| {
            matches!(transfer.state, TransferProgress::Asked | TransferProgress::Trying)
        }) {
            return Err(DialRefused::NotNow("a transfer of this participant is under way".to_owned()).into());
        }
        past.transfer =
            Some(TransferState { to: target.shown(), state: TransferProgress::Asked, status: None });
        self.history.insert(key.clone(), id.clone(), past);
        self.out.refer(number, ReferTo::Uri { uri, replaces: None });
        Ok(id.clone())
    }

    /// The telephone reports the progress of the call that it was asked to place.
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
        of_call!(info, self, number, status, phrase, is_final, "transfer");
        self.history.change(&id, |call| {
            if let Some(transfer) = &mut call.transfer {
                transfer.status = Some(status);
                transfer.state = match (is_done, is_final) {
                    (true, _) => TransferProgress::Done,
                    (false, true) => TransferProgress::Failed,
                    (false, false) => TransferProgress::Trying,
                };
            }
        });
        if is_done {
            self.end_call(number, reasons(200, "Transferred"));
        }
    }
}
