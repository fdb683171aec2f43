//! Calls from one client in a browser to another: the caller waits until the called one has answered, and both are the only
//! participants of a conference that ends with either of them.

use crate::{
    Calls,
    call::{Call, CallRequest, Stage},
    number::CallNumber,
    reasons::reasons,
    registrations::TokenFault,
    target::DialTarget,
};
use plenary_conference::{ConferenceKey, ConferenceName, ParticipantOptions};
use plenary_model::{ClientToken, is_same_name};
use plenary_sip::Caller;

/// How long the called client may ring, in milliseconds.
const RING_MS: u64 = 120_000;

impl Calls {
    /// A client calls another one with its token.
    pub(crate) fn call_client(&mut self, number: CallNumber, token: &ClientToken, caller: Caller) {
        let Some(call) = self.calls.get(&number) else { return };
        let (flow, dialled) = (call.flow, call.dialled.clone());
        let fault = match token {
            // Where the id reads as a number, the call has it in the one spelling that numbers have.
            token if !is_same_name(&token.client, &call.from) => Some(TokenFault::OtherClient),
            token if !token.may_call(&dialled) => Some(TokenFault::MayNotCall),
            _ => None,
        };
        if let Some(fault) = fault {
            of_call!(info, self, number, client = %token.client, %dialled, "the token is not good for this call");
            return self.refuse_token(number, fault, caller, true);
        }
        self.out.report_success(flow, caller, true);
        if self.take_place(number, token.account) {
            return;
        }
        let routes = self.routes_to_client(token.account, &dialled, &token.client);
        if routes.is_empty() {
            of_call!(info, self, number, client = %dialled, "the client is not registered");
            return self.refuse(number, 480, "The client is not registered");
        }
        let name = ConferenceName::new(format!("direct{:016x}{:x}", self.node, number.0));
        let key = ConferenceKey { account: token.account, name };
        let request = CallRequest { caller: Some(number), ..CallRequest::default() };
        match self.place(key, &DialTarget::Client(dialled), routes, options(), RING_MS, request) {
            Ok(called) => {
                if let Some(call) = self.calls.get_mut(&number) {
                    (call.account, call.called) = (Some(token.account), Some(called));
                }
            }
            Err(_) => self.refuse(number, 503, "The service is full"),
        }
    }

    /// The called client rings.
    pub(crate) fn direct_call_rings(&mut self, caller: CallNumber) {
        self.out.ring(caller);
    }

    /// The called client has answered and is in: now the caller is answered.
    pub(crate) fn direct_call_answered(&mut self, caller: CallNumber, key: ConferenceKey) {
        self.admit(caller, key, options(), None);
    }

    /// The called client refused or was not reached.
    pub(crate) fn direct_call_failed(&mut self, caller: CallNumber, status: u16, phrase: &str) {
        let Some(call) = self.calls.get_mut(&caller) else { return };
        if !matches!(call.stage, Stage::Routing { .. }) {
            return;
        }
        // What is over need not be ended together with its caller.
        call.called = None;
        // No answer or a failed connection is no fault of the caller's, or of the service.
        let status = match status {
            408 | 500..=599 => 480,
            status => status.max(400),
        };
        self.refuse(caller, status, phrase);
    }

    /// A caller is gone: the call that it caused is not wanted any more.
    pub(crate) fn end_called(&mut self, called: CallNumber) {
        let is_there =
            |call: &Call| matches!(call.stage, Stage::Preparing { .. } | Stage::Calling(_) | Stage::Up(_));
        if self.calls.get(&called).is_some_and(is_there) {
            self.end_call(called, reasons(200, "The caller hung up"));
        }
    }
}

/// Either of the two ends it, and neither is announced.
fn options() -> ParticipantOptions {
    ParticipantOptions { destroy_on_exit: true, beep_on_entry: false, ..ParticipantOptions::default() }
}
