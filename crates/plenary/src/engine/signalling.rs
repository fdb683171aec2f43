//! Telling the user agent what the calls want of it.

use plenary_calls::{CallNumber, SipCommand};
use plenary_sip::{CallId, SipHandle};
use tracing::debug;

pub(super) fn command(sip: &SipHandle, command: SipCommand) {
    match command {
        SipCommand::Ring { call } => sip.ring(id(call), None),
        SipCommand::Answer { call, sdp, is_focus: true } => sip.answer_as_focus(id(call), sdp),
        SipCommand::Answer { call, sdp, is_focus: false } => sip.answer(id(call), sdp),
        SipCommand::Reject { call, status, phrase, headers } => {
            sip.reject(id(call), status, phrase.as_deref(), headers);
        }
        SipCommand::AcceptOffer { call, sdp } => sip.accept_offer(id(call), sdp),
        SipCommand::RejectOffer { call, status } => sip.reject_offer(id(call), status),
        SipCommand::HangUp { call, reasons } => sip.hang_up(id(call), reasons),
        SipCommand::Probe { call } => sip.probe(id(call)),
        SipCommand::Dial { call, spec } => {
            // It was checked before; what is left is that the endpoint has stopped, and every call with it.
            if let Err(error) = sip.dial_as(id(call), *spec) {
                debug!(call = call.0, %error, "not dialled");
            }
        }
        SipCommand::Refer { call, to } => sip.refer(id(call), to),
        SipCommand::AcceptReferral { request } => sip.accept_referral(request),
        SipCommand::ReportReferral { request, status, phrase } => {
            sip.report_referral(request, status, &phrase);
        }
        SipCommand::AcceptSubscription { request, call, body } => {
            sip.accept_subscription(request, call, body);
        }
        SipCommand::Notify { subscription, body } => sip.notify(subscription, body),
        SipCommand::AnswerRegistration { request, contacts } => sip.answer_registration(request, contacts),
        SipCommand::RefuseRequest { request, status, headers } => {
            sip.refuse_request(request, status, headers);
        }
        SipCommand::ReportSuccess { flow, caller, is_known } => sip.report_success(flow, caller, is_known),
        SipCommand::ReportFailure { flow, caller, is_reached } => {
            sip.report_failure(flow, caller, is_reached);
        }
        SipCommand::Register { registration, spec } => {
            if let Err(error) = sip.register_as(registration, *spec) {
                debug!(registration = registration.0, %error, "not registered");
            }
        }
        SipCommand::Unregister { registration } => sip.unregister(registration),
        SipCommand::SetDraining => sip.set_draining(true),
        SipCommand::SetBusy => sip.set_busy(true),
    }
}

fn id(call: CallNumber) -> CallId {
    CallId(call.0)
}
