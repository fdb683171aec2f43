//! REFER (RFC 3515): a participant has another one called in its place (blind and attended transfer, RFC 5589), a
//! caller outside asks a conference to invite (RFC 4579, 5.5), a leader has a participant removed (RFC 4579, 5.11). The
//! sender's inbound service says whether it may; the rules of outgoing calls say whom it may have called.

use crate::{
    Calls,
    call::{Call, CallRequest, Stage},
    control::DialRefused,
    lookup::{CallerLookup, Lookup, Pending, StoreFailed},
    number::CallNumber,
    reasons::reasons,
    route::Route,
    target::DialTarget,
};
use plenary_conference::{AccountId, ConferenceKey, ParticipantId, ParticipantOptions};
use plenary_model::{Action, Refer, is_same_name};
use plenary_sip::Referred;
use tracing::info;

/// How long a participant who is called by REFER may ring, in milliseconds.
const RING_MS: u64 = 45_000;

impl Calls {
    pub(crate) fn handle_referred(&mut self, referred: Referred) {
        if self.is_stopping || self.is_draining {
            return self.out.refuse_request(referred.request, 503, vec![("Retry-After".into(), "30".into())]);
        }
        let Some(call) = referred.call else {
            let query = self.access.query(
                Some(referred.target.clone()),
                None,
                &referred.authorizations,
                referred.flow,
                referred.caller.clone(),
            );
            self.look_up(Pending::Referred(Box::new(referred)), Lookup::Caller(Box::new(query)));
            return;
        };
        let number = CallNumber(call.0);
        let Some(call @ Call { stage: Stage::Up(_), .. }) = self.calls.get(&number) else {
            return self.out.refuse_request(referred.request, 403, Vec::new());
        };
        let (participant, refer, options) = (call.participant.clone(), call.refer, call.options.clone());
        let Some(key) = call.conference().cloned() else {
            return self.out.refuse_request(referred.request, 403, Vec::new());
        };
        if referred.method == "BYE" {
            return self.remove_by_referral(&referred, &key, &participant);
        }
        if let Some(other) = referred.replaces_call {
            // Both calls end here: the other one takes the place of this one.
            return self.join_by_referral(&referred, number, CallNumber(other.0));
        }
        self.call_by_referral(&referred, key, refer, options, Some(number));
    }

    /// The lookup for a REFER outside of a call is answered.
    pub(crate) fn handle_referring(
        &mut self,
        referred: &Referred,
        looked: Result<CallerLookup, StoreFailed>,
    ) {
        let Ok(looked) = looked else {
            let later = vec![("Retry-After".to_owned(), "30".to_owned())];
            return self.out.refuse_request(referred.request, 503, later);
        };
        let service = looked.service.clone();
        if let Err((status, headers)) = self.may_reach(looked, &referred.target.user, referred.flow) {
            return self.out.refuse_request(referred.request, status, headers);
        }
        let Some((service, rest)) = service else {
            return self.out.refuse_request(referred.request, 404, Vec::new());
        };
        let Action::Conference(conference) = service.action else {
            return self.out.refuse_request(referred.request, 403, Vec::new());
        };
        if referred.method == "BYE" {
            // Only participants may: they ask within their call.
            return self.out.refuse_request(referred.request, 403, Vec::new());
        }
        let Some(name) = conference.conference_name(&rest) else {
            return self.out.refuse_request(referred.request, 404, Vec::new());
        };
        let key = ConferenceKey { account: service.account, name };
        self.call_by_referral(referred, key, conference.refer, conference.participant, None);
    }

    fn call_by_referral(
        &mut self,
        referred: &Referred,
        key: ConferenceKey,
        refer: Refer,
        options: ParticipantOptions,
        in_place_of: Option<CallNumber>,
    ) {
        let outcome = match (refer, referred.method.as_str()) {
            (Refer::None, _) => Err(403),
            (_, "INVITE") => self.referred_routes(key.account, refer, referred),
            _ => Err(403),
        };
        let (target, routes) = match outcome {
            Ok(found) => found,
            Err(status) => {
                info!(conference = %key.name, account = key.account.0, to = %referred.refer_to, status, "not called for a REFER");
                return self.out.refuse_request(referred.request, status, Vec::new());
            }
        };
        let request = CallRequest {
            question: None,
            referral: Some(referred.request),
            in_place_of,
            replaces: referred.replaces.clone(),
            referred_by: referred.referred_by.clone(),
            ..CallRequest::default()
        };
        info!(conference = %key.name, account = key.account.0, to = %target.shown(), "calling for a REFER");
        // Accepted first: its progress is reported after that.
        self.out.accept_referral(referred.request);
        if let Err(error) = self.place(key, &target, routes, options, RING_MS, request) {
            info!(%error, "not called for a REFER");
            self.out.report_referral(referred.request, 503, "Service Unavailable");
        }
    }

    fn referred_routes(
        &self,
        account: AccountId,
        refer: Refer,
        referred: &Referred,
    ) -> Result<(DialTarget, Vec<Route>), u16> {
        let ours = [
            referred.target.host.clone(),
            referred.flow.local.ip().to_canonical().to_string(),
            self.settings.realm.clone(),
        ];
        let target = self.referred_target(account, &referred.refer_to, &ours).map_err(|_| 400_u16)?;
        if refer == Refer::Members && !matches!(target, DialTarget::User(_) | DialTarget::Client(_)) {
            return Err(403);
        }
        let routes = self.routes(account, &target, None, None).map_err(|refused| -> u16 {
            match refused {
                DialRefused::NotRegistered | DialRefused::UnknownUser => 480,
                DialRefused::TrunksBusy => 503,
                DialRefused::BadTarget(_) => 400,
                DialRefused::NotPermitted(_) | DialRefused::UnknownTrunk | DialRefused::NotNow(_) => 403,
            }
        })?;
        Ok((target, routes))
    }

    /// A caller with two calls to us leaves one of them for the other.
    fn join_by_referral(&mut self, referred: &Referred, number: CallNumber, other: CallNumber) {
        let account = self.calls.get(&number).and_then(|call| call.account);
        let is_same = self.calls.get(&other).is_some_and(|call| {
            call.account == account && matches!(call.stage, Stage::Up(_)) && call.conference().is_some()
        });
        let refer = self.calls.get(&number).map_or(Refer::None, |call| call.refer);
        if !is_same || other == number || refer == Refer::None {
            return self.out.refuse_request(referred.request, 403, Vec::new());
        }
        self.out.accept_referral(referred.request);
        self.out.report_referral(referred.request, 200, "OK");
        self.take_over(number, "Another call has taken the place of this one");
    }

    /// A participant is to leave: leaders may remove any participant, and every participant themselves.
    fn remove_by_referral(&mut self, referred: &Referred, key: &ConferenceKey, asking: &ParticipantId) {
        let wanted = &referred.refer_target.user;
        let found = self.calls.iter().find(|(_, call)| {
            let is_in =
                matches!(call.stage, Stage::Up(_) | Stage::Calling(_)) && call.conference() == Some(key);
            is_in && (call.participant.as_str() == wanted || is_same_name(call.remote_name(), wanted))
        });
        let Some((number, call)) = found.map(|(number, call)| (*number, call)) else {
            return self.out.refuse_request(referred.request, 404, Vec::new());
        };
        let leads = self
            .participants
            .get(asking)
            .and_then(|number| self.calls.get(number))
            .is_some_and(Call::is_leader);
        let may = call.participant == *asking || leads;
        if !may {
            return self.out.refuse_request(referred.request, 403, Vec::new());
        }
        self.out.accept_referral(referred.request);
        self.out.report_referral(referred.request, 200, "OK");
        self.end_call(number, reasons(200, "Removed by the leader"));
    }
}
