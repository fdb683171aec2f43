//! Counts the calls that end: which way they went, how it ended, how long they lasted and how they sounded.

use crate::metrics::meters::Meters;
use plenary_calls::{CallNumber, Input, Output, SipCommand};
use plenary_model::CallEntry;
use plenary_sip::{EndCause, Reason, SipEvent};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

const INCOMING: &str = "incoming";
const OUTGOING: &str = "outgoing";

/// What is known of the calls that have a record.
#[derive(Debug)]
pub(super) struct CallMeter {
    meters: Arc<Meters>,
    calls: BTreeMap<u64, Known>,
}

#[derive(Debug)]
struct Known {
    direction: &'static str,
    answered_at: Option<Instant>,
    /// The status of the last refusal.
    status: Option<u16>,
    /// It ended for a fault.
    has_broken_off: bool,
}

impl CallMeter {
    pub(super) fn new(meters: Arc<Meters>) -> Self {
        Self { meters, calls: BTreeMap::new() }
    }

    /// Looks at what the deciding crates are about to be given.
    pub(super) fn look_at_input(&mut self, input: &Input) {
        use plenary_calls::lookup::{Found, PinAnswer};
        match input {
            Input::Found(_, Found::Pin(Ok(PinAnswer::Wrong { .. }))) => {
                self.meters.wrong_pins.fetch_add(1, Relaxed);
            }
            Input::Sip(SipEvent::Cancelled { call, .. }) if !self.calls.contains_key(&call.0) => {
                self.meters.call_ended(INCOMING, "cancelled");
            }
            Input::Sip(SipEvent::Rejected { call, status, .. }) => {
                if let Some(known) = self.calls.get_mut(&call.0) {
                    known.status = Some(*status);
                }
            }
            Input::Sip(SipEvent::Ended { call, cause: EndCause::AckTimeout | EndCause::Transport }) => {
                match self.calls.get_mut(&call.0) {
                    Some(known) => known.has_broken_off = true,
                    // It was answered, and the caller never knew.
                    None => self.meters.call_ended(INCOMING, "broken_off"),
                }
            }
            _ => {}
        }
    }

    /// Looks at what they have decided.
    pub(super) fn look_at_output(&mut self, output: &Output) {
        match output {
            // A challenge is no refusal.
            Output::Sip(SipCommand::Reject { status: 401 | 407, .. }) => {}
            Output::Sip(SipCommand::Reject { status, .. }) => {
                self.meters.call_ended(INCOMING, outcome_of(*status));
            }
            Output::Sip(SipCommand::HangUp { call: CallNumber(call), reasons }) => {
                if reasons.iter().any(is_fault)
                    && let Some(known) = self.calls.get_mut(call)
                {
                    known.has_broken_off = true;
                }
            }
            Output::Record(entry) => self.look_at_record(entry),
            _ => {}
        }
    }

    fn look_at_record(&mut self, entry: &CallEntry) {
        match entry {
            CallEntry::Started { call, .. } => {
                let known = Known {
                    direction: if call.is_outgoing { OUTGOING } else { INCOMING },
                    answered_at: (!call.is_outgoing).then(Instant::now),
                    status: None,
                    has_broken_off: false,
                };
                if let Some(number) = number(&call.id) {
                    self.calls.insert(number, known);
                }
            }
            CallEntry::Answered { id, .. } => {
                if let Some(known) = number(id).and_then(|number| self.calls.get_mut(&number)) {
                    known.answered_at = Some(Instant::now());
                }
            }
            CallEntry::Entered { .. } => {}
            CallEntry::Ended { id, stats, .. } => {
                let Some(known) = number(id).and_then(|number| self.calls.remove(&number)) else { return };
                self.ended(&known, stats.as_deref());
            }
        }
    }

    fn ended(&self, known: &Known, stats: Option<&str>) {
        let Some(answered_at) = known.answered_at else {
            let outcome = known.status.map_or("cancelled", outcome_of);
            return self.meters.call_ended(known.direction, outcome);
        };
        let outcome = if known.has_broken_off { "broken_off" } else { "completed" };
        self.meters.call_ended(known.direction, outcome);
        self.meters.call_lasted(answered_at.elapsed());
        let stats = stats.and_then(|stats| serde_json::from_str::<Value>(stats).ok()).unwrap_or_default();
        if let (Some(mos), Some(codec)) = (stats["mos"].as_f64(), stats["codec"].as_str())
            && mos > 0.0
        {
            self.meters.call_scored(mos, !codec.starts_with("PCM"));
        }
    }
}

/// The number in a participant id.
fn number(id: &str) -> Option<u64> {
    id.rsplit_once('.')?.1.parse().ok()
}

fn is_fault(reason: &Reason) -> bool {
    reason.protocol == "SIP" && reason.cause.is_some_and(|cause| cause == 408 || (500..600).contains(&cause))
}

/// What the status of a refusal means, in a few words that never become more.
fn outcome_of(status: u16) -> &'static str {
    match status {
        486 | 600 => "busy",
        408 | 480 | 487 => "no_answer",
        404 | 410 | 416 | 484 | 485 | 604 => "not_found",
        401 | 403 | 407 | 603 | 607 => "refused",
        415 | 488 | 606 => "incompatible",
        500..600 => "unavailable",
        _ => "failed",
    }
}
