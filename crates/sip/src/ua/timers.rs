//! The deadlines of one part of the user agent. That part handles what is due.

use std::{collections::BTreeMap, time::Duration};

/// RFC 3261, section 17.1.1.1.
pub(super) const T1: Duration = Duration::from_millis(500);
/// RFC 3261, section 17.1.2.2.
pub(super) const T2: Duration = Duration::from_secs(4);

/// A handle to cancel a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(Duration, u64);

#[derive(Debug)]
pub(super) struct Timers<D> {
    due: BTreeMap<Ticket, D>,
    issued: u64,
}

impl<D> Default for Timers<D> {
    fn default() -> Self {
        Self { due: BTreeMap::new(), issued: 0 }
    }
}

impl<D> Timers<D> {
    pub(super) fn set(&mut self, at: Duration, due: D) -> Ticket {
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

    pub(super) fn pop_due(&mut self, now: Duration) -> Option<(Ticket, D)> {
        if self.next()? > now {
            return None;
        }
        self.due.pop_first()
    }
}
