//! When the record of a call is written and completed: its beginning when it is up or placed, its end as soon as both its
//! signalling has ended and its media has reported, whichever comes first. One that came in and was refused or given up is
//! written whole when it is over.

use crate::{call::Call, number::CallNumber, output::Outputs};
use plenary_conference::{ConferenceKey, Timestamp};
use plenary_model::{CallEntry, CallRecord, EndedBy};
use std::collections::BTreeMap;

/// What the ends of calls wait for.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// What the media plane said of calls whose signalling has not ended yet.
    stats: BTreeMap<CallNumber, String>,
    /// Calls that are over and whose media has not reported yet.
    ending: BTreeMap<CallNumber, Ending>,
}

/// How a recorded call has ended.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) cause: String,
    pub(crate) ended_by: EndedBy,
}

impl Ending {
    fn entry(self, stats: Option<String>) -> CallEntry {
        let Self { id, at, cause, ended_by } = self;
        CallEntry::Ended { id, at, cause, ended_by, stats }
    }
}

/// A call is up, or is being placed.
pub(crate) fn call_started(
    call: &Call,
    conference: Option<&ConferenceKey>,
    answered_at: Option<Timestamp>,
    dialog: Option<String>,
    out: &mut Outputs,
) {
    let conference = conference.map(|key| key.name.to_string());
    let Some(call) = record(call, conference, answered_at) else { return };
    out.record(CallEntry::Started { call, dialog });
}

/// A call that came in is over, and was never up. `None` of its account: it got to no service, and is nobody's.
pub(crate) fn call_not_answered(
    call: &Call,
    at: Timestamp,
    cause: String,
    ended_by: EndedBy,
    out: &mut Outputs,
) {
    let sought = call.sought.as_ref().map(|key| key.name.to_string());
    let Some(started) = record(call, sought, None) else { return };
    let id = started.id.clone();
    out.record(CallEntry::Started { call: started, dialog: None });
    out.record(CallEntry::Ended { id, at, cause, ended_by, stats: None });
}

fn record(call: &Call, conference: Option<String>, answered_at: Option<Timestamp>) -> Option<CallRecord> {
    let call = CallRecord {
        id: call.participant.to_string(),
        account: call.account?,
        service: call.service.as_ref().map(ToString::to_string).unwrap_or_default(),
        conference,
        from: call.shown_from().to_owned(),
        to: call.shown_to(),
        started_at: call.began_at,
        answered_at,
        is_outgoing: call.outgoing.is_some(),
        trunk: call.trunk.clone(),
        admitted_by: call.admitted_by.map(|by| by.name().to_owned()),
    };
    Some(call)
}

/// A call that came by an entry is in a conference.
pub(crate) fn call_entered(call: &Call, conference: &ConferenceKey, out: &mut Outputs) {
    let (id, conference) = (call.participant.to_string(), conference.name.to_string());
    out.record(CallEntry::Entered { id, conference });
}

/// A call of ours was answered.
pub(crate) fn call_answered(call: &Call, at: Timestamp, dialog: String, out: &mut Outputs) {
    let (id, trunk) = (call.participant.to_string(), call.trunk.clone());
    out.record(CallEntry::Answered { id, at, trunk, dialog });
}

impl Records {
    /// The media of a call is closed. `is_known`: its signalling has not ended.
    pub(crate) fn media_ended(
        &mut self,
        number: CallNumber,
        stats: String,
        is_known: bool,
        out: &mut Outputs,
    ) {
        if let Some(ending) = self.ending.remove(&number) {
            out.record(ending.entry(Some(stats)));
        } else if is_known {
            self.stats.insert(number, stats);
        }
    }

    /// A recorded call is over.
    pub(crate) fn call_ended(&mut self, number: CallNumber, ending: Ending, out: &mut Outputs) {
        match self.stats.remove(&number) {
            Some(stats) => out.record(ending.entry(Some(stats))),
            None => {
                self.ending.insert(number, ending);
            }
        }
    }

    /// A call without a record is over.
    pub(crate) fn forget(&mut self, number: CallNumber) {
        self.stats.remove(&number);
    }

    /// No record waits for anything.
    pub(crate) fn is_settled(&self) -> bool {
        self.ending.is_empty()
    }

    /// What waits is written as it is.
    pub(crate) fn finish(&mut self, out: &mut Outputs) {
        for ending in std::mem::take(&mut self.ending).into_values() {
            out.record(ending.entry(None));
        }
    }
}
