//! What goes on over all accounts, in numbers.

use crate::{
    Calls,
    call::{Call, Purpose, Session, Stage},
};
use plenary_conference::{AccountId, conferences};
use plenary_model::OneWay;
use plenary_sip::{Transport, sdp::Protection};
use std::collections::BTreeMap;

/// What goes on at the moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Conferences and their seats.
    pub home: conferences::Totals,
    /// Participants, by what their calls are.
    pub participants: BTreeMap<ParticipantKind, usize>,
    /// Calls in which audio goes one way.
    pub one_way: BTreeMap<OneWay, usize>,
    /// All trunks.
    pub trunks: Vec<TrunkTotals>,
}

/// What the call of a participant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ParticipantKind {
    /// How its signalling comes.
    pub transport: Transport,
    /// Its codec, by its name in SDP.
    pub codec: &'static str,
    /// Where the keys of its audio come from: `none`, `sdes` or `dtls`.
    pub srtp: &'static str,
}

/// How a trunk does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkTotals {
    /// Whose it is.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// Calls that are up or being placed, both ways.
    pub calls: usize,
    /// Whether it is registered with; `None`: it need not be.
    pub is_registered: Option<bool>,
    /// What went wrong last.
    pub last_error: Option<String>,
}

impl Calls {
    pub(crate) fn totals(&self, home: conferences::Totals) -> Totals {
        let mut totals = Totals { home, ..Totals::default() };
        let mut of_trunk: BTreeMap<(AccountId, &str), usize> = BTreeMap::new();
        for call in self.calls.values() {
            if let Some(kind) = participant_kind(call) {
                *totals.participants.entry(kind).or_default() += 1;
            }
            if let Some(one_way) = call.one_way {
                *totals.one_way.entry(one_way).or_default() += 1;
            }
            if let (Some(account), Some(trunk)) = (call.account, call.trunk.as_deref()) {
                *of_trunk.entry((account, trunk)).or_default() += 1;
            }
        }
        totals.trunks = self.trunks.totals(&of_trunk);
        totals
    }
}

fn participant_kind(call: &Call) -> Option<ParticipantKind> {
    let Stage::Up(Session { purpose: Purpose::Conference { .. }, stream: Some(stream), .. }) = &call.stage
    else {
        return None;
    };
    let srtp = match stream.protection {
        Protection::None => "none",
        Protection::Sdes { .. } => "sdes",
        Protection::Dtls { .. } => "dtls",
    };
    Some(ParticipantKind { transport: call.flow.transport, codec: stream.codec.name(), srtp })
}
