//! Which transaction a message belongs to.

use sipx_sip::{Request, TransactionKey};

/// The key of a transaction, with the side that it has here. A request that goes to this same user agent begins two of one
/// branch: one of the client (RFC 3261, section 17.1.3) and one of the server (17.2.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::ua) enum TransactionId {
    Client(TransactionKey),
    Server(TransactionKey),
}

impl TransactionId {
    pub(in crate::ua) fn of_sent(request: &Request) -> Option<Self> {
        TransactionKey::from_sent_request(request).map(Self::Client)
    }

    pub(super) fn of_received(request: &Request) -> Option<Self> {
        TransactionKey::from_request(request).map(Self::Server)
    }

    /// The INVITE that a received CANCEL is for.
    pub(in crate::ua) fn of_cancelled(cancel: &Request) -> Option<Self> {
        TransactionKey::for_cancelled_invite(cancel).map(Self::Server)
    }

    /// The key without its side.
    pub(super) fn bare(&self) -> &TransactionKey {
        let (Self::Client(key) | Self::Server(key)) = self;
        key
    }

    pub(super) fn is_client(&self) -> bool {
        matches!(self, Self::Client(_))
    }
}
