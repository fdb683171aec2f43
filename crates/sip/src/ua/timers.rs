//! Every deadline of the user agent in one table.

use super::{
    buried::BuriedKey,
    types::{CallId, RegistrationId, SubscriptionId},
};
use sipx_sip::{Timer, TransactionKey};
use std::{collections::BTreeMap, time::Duration};

/// What is due.
#[derive(Debug, Clone)]
pub(super) enum Due {
    /// A timer of RFC 3261, section 17.
    Transaction(TransactionKey, Timer),
    /// A 2xx is sent again until its ACK comes (section 13.3.1.4).
    Retransmit2xx(CallId),
    /// A provisional answer is sent again until its PRACK comes (RFC 3262, section 3).
    RetransmitProvisional(CallId),
    /// A session has to be refreshed, or is over (RFC 4028, section 10).
    Session(CallId),
    /// A call of ours rings too long, or its CANCEL has no effect.
    Ringing(CallId),
    /// A server has not answered an INVITE, and there is another one to ask.
    Impatience(CallId),
    /// A dialog that we never wanted is forgotten.
    Buried(BuriedKey),
    /// A registration of ours is to be refreshed, or tried again.
    Registration(RegistrationId),
    /// The way of a registration of ours is kept open.
    KeepAlive(RegistrationId),
    /// A participant was asked to call somebody and has not said how that goes.
    Referral(CallId),
    /// A subscription is over (RFC 6665, section 4.4.1).
    Subscription(SubscriptionId),
    /// A request that is too large for a datagram has got no answer over its connection.
    Oversized(TransactionKey),
}

/// A handle to take a deadline back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(Duration, u64);

#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<Ticket, Due>,
    issued: u64,
}

impl Timers {
    pub(super) fn set(&mut self, at: Duration, due: Due) -> Ticket {
        self.issued += 1;
        let ticket = Ticket(at, self.issued);
        self.due.insert(ticket, due);
        ticket
    }

    pub(super) fn clear(&mut self, ticket: Ticket) {
        self.due.remove(&ticket);
    }

    pub(super) fn next(&self) -> Option<Duration> {
        self.due.keys().next().map(|ticket| ticket.0)
    }

    pub(super) fn pop_due(&mut self, now: Duration) -> Option<(Ticket, Due)> {
        if self.next()? > now {
            return None;
        }
        self.due.pop_first()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}
