//! How calls end, from whichever side: their place in a conference, their media and their record.

use crate::{
    Calls,
    call::{Call, CallRequest, OutgoingCall, Stage},
    number::CallNumber,
    reasons::reasons,
    records::{self, Ending},
};
use plenary_conference::{ConferenceKey, EdgeReport, Now, ParticipantId, ToHome};
use plenary_model::EndedBy;
use plenary_sip::Reason;

impl Calls {
    /// A mistake of ours in the handling of this call: it ends, and all others go on.
    pub fn handle_failure(&mut self, number: CallNumber, now: Now) {
        self.now = now;
        self.end_call(number, reasons(500, "The call failed"));
    }

    /// The same where even that fails: nothing of it is left here, and its two other sides are notified.
    pub fn abandon(&mut self, number: CallNumber) {
        if let Some(call) = self.calls.remove(&number) {
            self.participants.remove(&call.participant);
            if let Some(request) = call.outgoing.and_then(|outgoing| outgoing.request.referral) {
                self.out.report_referral(request, 500, "The call failed");
            }
        }
        self.key_calls.end(number);
        self.out.close(number);
        self.out.hang_up(number, reasons(500, "The call failed"));
    }

    /// A call is being ended, for the record: what is noted first counts.
    pub(crate) fn note_end(&mut self, number: CallNumber, by: EndedBy, text: &str) {
        if let Some(call) = self.calls.get_mut(&number) {
            call.ending.get_or_insert_with(|| (by, text.to_owned()));
        }
    }

    /// Ends a call whose other side is not there any more.
    pub(crate) fn lose_call(&mut self, number: CallNumber, text: &str) {
        self.note_end(number, EndedBy::Network, text);
        self.end_call(number, reasons(408, text));
    }

    /// Ends a call from our side: out of the conference, silent, BYE (or a refusal when it is not up yet).
    pub(crate) fn end_call(&mut self, number: CallNumber, reasons: Vec<Reason>) {
        if !self.calls.contains_key(&number) {
            return;
        }
        self.report_leaving(number, self.why(&reasons), false);
        self.leave_conference(number);
        self.drop_call(number, reasons);
    }

    /// The same for a call that is out of its conference already.
    pub(crate) fn drop_call(&mut self, number: CallNumber, reasons: Vec<Reason>) {
        self.drop_keypad(number);
        if let Some(text) = reasons.first().and_then(|reason| reason.text.as_deref()) {
            self.note_end(number, EndedBy::Service, text);
        }
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.seat = None;
        match call.stage {
            Stage::Ending => {}
            // The signalling knows nothing of it.
            Stage::Preparing { .. } => self.give_up_placing(number),
            Stage::Routing { .. }
            | Stage::Admitting { .. }
            | Stage::Opening { .. }
            | Stage::Weighing { .. }
            | Stage::Calling(_)
            | Stage::Accepted(_)
            | Stage::Up(_) => {
                self.forget_ringing(number);
                self.release_media(number);
                self.out.hang_up(number, reasons);
            }
        }
    }

    /// The signalling's last word on a call: nothing of it may stay behind.
    pub(crate) fn call_is_over(&mut self, number: CallNumber, by: EndedBy, cause: &str) {
        let Some(call) = self.calls.get(&number) else { return };
        if call.is_asked_to_confirm() {
            // It was never in.
            match by {
                EndedBy::Network => self.outgoing_failed(number, 503, cause),
                EndedBy::Remote | EndedBy::Service => self.outgoing_failed(number, 603, cause),
            }
        }
        self.drop_keypad(number);
        match by {
            EndedBy::Network => self.report_leaving(number, "unreachable", false),
            EndedBy::Remote | EndedBy::Service => self.report_leaving(number, "hung_up", true),
        }
        self.leave_conference(number);
        self.forget_ringing(number);
        self.release_media(number);
        self.end_playbacks(|_, to| to == Some(number));
        let mut call = self.calls.remove(&number).expect("looked up above");
        let (by, cause) = call.ending.take().unwrap_or_else(|| (by, cause.to_owned()));
        self.participants.remove(&call.participant);
        self.forget_telling(&call.participant);
        self.key_calls.end(number);
        self.history.end(&call.participant, &cause, self.now.mono);
        of_call!(debug, self, number, cause, ?by, "call over");
        if let Some(called) = call.called {
            match self.successor_of(number).and_then(|successor| self.calls.get_mut(&successor)) {
                Some(successor) => successor.called = Some(called),
                None => self.end_called(called),
            }
        }
        // Requests that wait for its answer need not wait any longer.
        if let Some(caller) = call.outgoing.as_ref().and_then(|outgoing| outgoing.request.caller) {
            self.direct_call_failed(caller, 480, "The called client is gone");
        }
        if call.recorded {
            let id = call.participant.to_string();
            let ending = Ending { id, at: self.now.wall, cause, ended_by: by };
            self.records.call_ended(number, ending, &mut self.out);
        } else {
            self.records.forget(number);
            if call.outgoing.is_none() {
                records::call_not_answered(&call, self.now.wall, cause, by, &mut self.out);
            }
        }
    }

    /// Why we end a call, as events name it.
    fn why(&self, reasons: &[Reason]) -> &'static str {
        match reasons.first().and_then(|reason| reason.cause) {
            _ if self.is_stopping => "service_stopped",
            Some(408) => "unreachable",
            Some(500..) => "failed",
            _ => "hung_up",
        }
    }

    /// The home hears why a participant leaves; that it does follows.
    fn report_leaving(&mut self, number: CallNumber, reason: &str, is_own: bool) {
        let Some(call) = self.calls.get(&number) else { return };
        let Some(conference) = call.seat.clone() else { return };
        let participant = call.participant.clone();
        let is_own = is_own || reason == "hung_up";
        self.report(&conference, &participant, EdgeReport::Leaving { reason: reason.to_owned(), is_own });
    }

    /// The home hears something that the event log tells of a participant.
    pub(crate) fn report(
        &mut self,
        conference: &ConferenceKey,
        participant: &ParticipantId,
        report: EdgeReport,
    ) {
        let (conference, participant) = (conference.clone(), Some(participant.clone()));
        self.out.home(ToHome::Report { conference, participant, report });
    }

    /// Those who are being called to the place of this call.
    fn on_the_way_to(&self, number: CallNumber, conference: &ConferenceKey) -> Vec<ParticipantId> {
        let is_coming = |other: &&Call| {
            let is_placed = matches!(other.stage, Stage::Preparing { .. } | Stage::Calling(_) | Stage::Up(_));
            let is_for = |outgoing: &OutgoingCall| {
                let CallRequest { in_place_of, again_for, .. } = &outgoing.request;
                [in_place_of, again_for].contains(&&Some(number))
            };
            is_placed
                && other.seat.as_ref() == Some(conference)
                && other.outgoing.as_deref().is_some_and(is_for)
        };
        self.calls.values().filter(is_coming).map(|other| other.participant.clone()).collect()
    }

    pub(crate) fn leave_conference(&mut self, number: CallNumber) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let (participant, seat, key) =
            (call.participant.clone(), call.seat.take(), call.conference().cloned());
        if let Some(conference) = seat {
            let by = self.on_the_way_to(number, &conference);
            let is_followed = !by.is_empty() || self.successor_in(&conference, number).is_some();
            self.out.home(match is_followed {
                true => ToHome::TakenOver { conference, participant, by },
                false => ToHome::Gone { conference, participant },
            });
        }
        if let Some(key) = key {
            self.subscribers.note(&key, self.now.mono);
        }
    }
}
