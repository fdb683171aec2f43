//! Registrations of users and clients: whose they are, what a token permits, and what becomes of them when their connection is
//! closed (RFC 3261, section 10; RFC 5626; RFC 8898).

use crate::{
    Calls,
    bindings::{Registering, Registrant},
    call::Call,
    number::CallNumber,
};
use plenary_conference::AccountId;
use plenary_model::{ClientToken, EndedBy};
use plenary_sip::{
    Caller, Registration,
    ua::{Flow, Transport},
};
use tracing::info;

/// The shortest and the longest registration, in seconds.
pub(crate) const REGISTRATION_S: std::ops::RangeInclusive<u32> = 60..=3600;
/// A registration ends with its token, but not sooner than this: clients renew it three seconds before.
const REGISTRATION_BY_TOKEN_S_MIN: i64 = 10;

/// What is wrong with a token. The text is for people: the issuers of tokens read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenFault {
    Unknown,
    Expired,
    OtherClient,
    NoIncoming,
    MayNotCall,
}

impl TokenFault {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Unknown => "The token was not issued here",
            Self::Expired => "The token has expired",
            Self::OtherClient => "The token is for another client",
            Self::NoIncoming => "The token does not permit incoming calls",
            Self::MayNotCall => "The token does not permit calls to this client",
        }
    }

    /// A challenge as in RFC 6750, section 3, and RFC 8898: clients look for `error="invalid_token"` in the first one.
    pub(crate) fn challenge(self, realm: &str) -> Vec<(String, String)> {
        let value = format!(
            "Bearer realm=\"{}\", error=\"invalid_token\", error_description=\"{}\"",
            realm.replace(['"', '\\'], "'"),
            self.text()
        );
        vec![("WWW-Authenticate".to_owned(), value)]
    }

    /// It may be a guess; a token of ours that is too old or for something else is not.
    pub(crate) fn is_suspicious(self) -> bool {
        self == Self::Unknown
    }
}

impl Calls {
    /// A client in a browser registers with its token.
    pub(crate) fn register_client(&mut self, token: &ClientToken, registration: &Registration) {
        let fault = match token {
            token if token.client != registration.user => Some(TokenFault::OtherClient),
            token if !token.incoming => Some(TokenFault::NoIncoming),
            _ => None,
        };
        if let Some(fault) = fault {
            let source = registration.flow.remote.ip();
            info!(%source, client = %token.client, fault = fault.text(), "a registration was refused");
            let challenge = fault.challenge(&self.settings.realm);
            return self.out.refuse_request(registration.request, 401, challenge);
        }
        let left = (token.expires.0 - self.now.wall.0) / 1000;
        let longest = left.clamp(REGISTRATION_BY_TOKEN_S_MIN, i64::from(*REGISTRATION_S.end()));
        let longest = u32::try_from(longest).unwrap_or(*REGISTRATION_S.end());
        self.bind(token.account, Registrant::Client(token.client.clone()), registration, longest);
    }

    /// Takes a registration in, each contact for as long as is asked for it, at least a minute and at most `longest` seconds.
    pub(crate) fn bind(
        &mut self,
        account: AccountId,
        who: Registrant,
        registration: &Registration,
        longest: u32,
    ) {
        self.out.report_success(registration.flow, registration.caller.clone(), true);
        let mut contacts = registration.contacts.clone();
        for (_, seconds) in contacts.iter_mut().filter(|(_, seconds)| *seconds > 0) {
            *seconds = (*seconds).max(*REGISTRATION_S.start()).min(longest);
        }
        info!(user = %registration.user, flow = %registration.flow, ?contacts, "registered");
        let asked = Registering {
            account,
            who,
            contacts: &contacts,
            path: &registration.path,
            flow: registration.flow,
            domain: &registration.host,
            sip_call_id: &registration.sip_call_id,
        };
        let contacts = self.bindings.register(asked, self.now.mono);
        self.out.answer_registration(registration.request, contacts);
    }

    /// Browsers take their registration back without showing who they are, over the connection that they registered over.
    /// False: it is not such a request.
    pub(crate) fn unbind(&mut self, registration: &Registration) -> bool {
        let Registration { user, flow, sip_call_id, contacts, .. } = registration;
        if contacts.is_empty() || contacts.iter().any(|(_, seconds)| *seconds > 0) {
            return false;
        }
        let now = self.now.mono;
        let Some(left) = self.bindings.unregister_own(user, *flow, sip_call_id, contacts, now) else {
            return false;
        };
        info!(%user, %flow, "unregistered");
        self.out.answer_registration(registration.request, left);
        true
    }

    /// Clients that registered over a connection that is closed have to register again.
    pub(crate) fn handle_connection_closed(&mut self, flow: Flow) {
        let count = self.bindings.forget_connection(flow);
        if count > 0 {
            info!(%flow, count, "registrations ended with their connection");
        }
        // A browser opens another connection, or is gone: its audio shows which.
        if matches!(flow.transport, Transport::Ws | Transport::Wss) {
            let is_its =
                |call: &Call| (call.flow.transport, call.flow.remote) == (flow.transport, flow.remote);
            for (number, _) in self.calls.iter().filter(|(_, call)| is_its(call)) {
                self.out.cut_off(*number);
            }
        }
    }

    /// Refuses a call whose token is not good for it.
    pub(crate) fn refuse_token(
        &mut self,
        number: CallNumber,
        fault: TokenFault,
        caller: Caller,
        is_reached: bool,
    ) {
        if fault.is_suspicious()
            && let Some(call) = self.calls.get(&number)
        {
            self.out.report_failure(call.flow, caller, is_reached);
        }
        self.out.reject(number, 401, None, fault.challenge(&self.settings.realm));
        self.call_is_over(number, EndedBy::Service, "the token is not valid");
    }
}
