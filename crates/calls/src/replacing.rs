//! A call that takes the place of another one (Replaces, RFC 3891): it has that one's seat, whatever way led there, with what
//! belongs to it. Who may call what the other one dialled may take its place; whom we have called has to be who calls now.

use crate::{
    Calls,
    access::{Decided, Decision},
    call::{AdmittedBy, Call, Stage},
    lookup::CallerLookup,
    number::CallNumber,
    target::DialTarget,
};
use plenary_conference::{AccountId, ConferenceKey};
use plenary_model::is_same_name;
use plenary_sip::ua::Flow;
use tracing::info;

impl Calls {
    /// The call of ours that this one replaces.
    pub(crate) fn called_that_is_replaced(&self, number: CallNumber) -> Option<CallNumber> {
        let replaced = self.calls.get(&number)?.replaces?;
        self.calls.get(&replaced)?.outgoing.is_some().then_some(replaced)
    }

    /// The call that has a seat on its way in, in place of this one.
    pub(crate) fn successor_of(&self, number: CallNumber) -> Option<CallNumber> {
        let is_on_its_way = |call: &Call| {
            call.seat.is_some()
                && matches!(
                    call.stage,
                    Stage::Admitting { .. }
                        | Stage::Opening { .. }
                        | Stage::Weighing { .. }
                        | Stage::Accepted(_)
                )
        };
        let mut successors = self.calls.iter().filter(|(_, call)| call.replaces == Some(number));
        successors.find(|(_, call)| is_on_its_way(call)).map(|(number, _)| *number)
    }

    /// The same where both have their seats in this conference.
    pub(crate) fn successor_in(&self, conference: &ConferenceKey, number: CallNumber) -> Option<CallNumber> {
        let has_seat = |successor: &CallNumber| {
            self.calls.get(successor).is_some_and(|call| call.seat.as_ref() == Some(conference))
        };
        self.successor_of(number).filter(has_seat)
    }

    /// The seat of the call that this one replaces. `None`: that one is not in a conference, or another call takes its place
    /// already.
    fn seat_to_take(&self, number: CallNumber) -> Option<(CallNumber, ConferenceKey)> {
        let replaced = self.calls.get(&number)?.replaces?;
        let call = self.calls.get(&replaced)?;
        let Stage::Up(_) = call.stage else { return None };
        let conference = call
            .seat
            .clone()
            .filter(|seat| call.conference() == Some(seat) && !call.is_asked_to_confirm())?;
        self.successor_of(replaced).is_none().then_some((replaced, conference))
    }

    /// The caller may call what the replaced call dialled, which is of this account: where that call is in a conference, this one
    /// asks for its seat. False: there is none to take.
    pub(crate) fn take_place(&mut self, number: CallNumber, account: AccountId) -> bool {
        let Some(replaced) = self.calls.get(&number).and_then(|call| call.replaces) else { return false };
        let Some(of) = self.calls.get(&replaced).map(|call| call.account) else { return false };
        if of != Some(account) {
            of_call!(
                warn,
                self,
                number,
                replaced = replaced.0,
                "the call to be replaced is of another account"
            );
            self.refuse(number, 403, "Forbidden");
            return true;
        }
        let Some((replaced, conference)) = self.seat_to_take(number) else { return false };
        let Some(other) = self.calls.get(&replaced) else { return false };
        let options = other.options.clone();
        let (refer, sound, given_name) = (other.refer, other.sound, other.given_name.clone());
        let keypad = other.keypad.as_ref().and_then(|keypad| keypad.for_successor());
        let Some(call) = self.calls.get_mut(&number) else { return false };
        call.account = Some(account);
        // The conference speaks as it does, so the service has no say.
        (call.voice, call.keypad) = (None, keypad);
        (call.refer, call.sound, call.given_name) = (refer, sound, given_name);
        info!(call = number.0, replaced = replaced.0, conference = %conference.name, account = conference.account.0, "asks for the seat of another call");
        self.admit(number, conference, options, None);
        true
    }

    /// A call takes the place of one that we placed. Where that is not in a conference any more, there is nothing to take.
    pub(crate) fn take_place_of_called(&mut self, number: CallNumber, replaced: CallNumber) {
        let account = self.calls.get(&replaced).and_then(|call| call.account);
        if !account.is_some_and(|account| self.take_place(number, account)) {
            self.refuse(number, 481, "Call/Transaction Does Not Exist");
        }
    }

    /// Whether a caller may take the place of one that we have called: it is who was called, by its password or its token, the
    /// trunk that we called through, or comes from the address that answered.
    pub(crate) fn decide_on_called(
        &mut self,
        number: CallNumber,
        replaced: CallNumber,
        looked: CallerLookup,
        flow: Flow,
    ) -> Decided {
        let (has_users, caller) = (looked.has_users, looked.caller);
        let known = self.know(looked.claims, flow.remote.ip().to_canonical());
        let user = known.user.as_ref().map(|user| user.name.clone());
        let no = Decided { decision: Decision::No, user: None };
        let Some(call) = self.calls.get(&replaced) else { return no };
        let (Some(account), Some(outgoing)) = (call.account, &call.outgoing) else { return no };
        let called = DialTarget::parse(&outgoing.to).ok();
        let by_user = known.user.as_ref().is_some_and(|user| {
            user.account == account
                && matches!(&called, Some(DialTarget::User(name)) if is_same_name(name, &user.name))
        });
        let by_token = known.client.as_ref().is_some_and(|client| {
            client.account == account
                && matches!(&called, Some(DialTarget::Client(id)) if is_same_name(id, &client.client))
        });
        let trunk = crate::access::network_of(flow).and_then(|source| self.trunks.at(account, source));
        let by_trunk = trunk.is_some_and(|trunk| call.trunk.as_ref() == Some(&trunk.name));
        let is_same_peer = self.calls.get(&number).is_some_and(|call| call.is_same_peer);
        let ways = [
            (by_user, AdmittedBy::User),
            (by_token, AdmittedBy::Token),
            (by_trunk, AdmittedBy::Trunk),
            (is_same_peer, AdmittedBy::Network),
        ];
        let by = ways.into_iter().find_map(|(is_open, by)| is_open.then_some(by));
        if by.is_some() || user.is_some() {
            // The address that answered may be anyone's.
            let is_known = by_user || by_token || by_trunk || user.is_some();
            self.out.report_success(flow, caller, is_known);
        }
        let decision = match by {
            Some(by) => Decision::Admission { by, key: None },
            None if known.is_known() => Decision::No,
            None if known.fault.is_some() => known.refusal(),
            None if has_users => Decision::Challenge { stale: known.is_stale() },
            None => Decision::No,
        };
        Decided { decision, user }
    }

    /// The call has taken the place of another one: who was called for that one belongs to this one, and the other way round.
    pub(crate) fn hand_called_over(&mut self, replaced: CallNumber, number: CallNumber) {
        let called = self.calls.get_mut(&replaced).and_then(|call| call.called.take());
        if let (Some(called), Some(call)) = (called, self.calls.get_mut(&number)) {
            call.called = Some(called);
        }
        for call in self.calls.values_mut().filter(|call| call.called == Some(replaced)) {
            call.called = Some(number);
        }
    }
}
