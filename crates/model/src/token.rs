//! Tokens: what one that is ours lets its holder do.

use crate::{AccountId, ConferenceName, ServiceName, Timestamp};

/// What a valid token for calls says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallToken {
    /// Whose service may be called.
    pub account: AccountId,
    /// The name that may be dialled.
    pub service: String,
}

/// What a valid token of a client in a browser says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientToken {
    /// Whose client it is.
    pub account: AccountId,
    /// The client's id, unique within the account.
    pub client: String,
    /// It may register to be called.
    pub incoming: bool,
    /// The clients that it may call: `*`, or their ids separated by commas; `None`: none.
    pub call_client: Option<String>,
    /// When the token ends.
    pub expires: Timestamp,
}

impl ClientToken {
    /// Whether its holder may call this client.
    #[must_use]
    pub fn may_call(&self, client: &str) -> bool {
        let listed = |list: &String| list.split(',').map(str::trim).any(|id| id == "*" || id == client);
        self.call_client.as_ref().is_some_and(listed)
    }
}

/// What the code of a guest's link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestToken {
    /// Whose conference it is.
    pub account: AccountId,
    /// The conference that may be called.
    pub conference: ConferenceName,
    /// It counts from a time to come on.
    pub is_early: bool,
    /// The service that early callers go to.
    pub divert: Option<ServiceName>,
}

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// Calls to one service.
    Call(CallToken),
    /// A client in a browser.
    Client(ClientToken),
    /// Calls to one conference, as a guest.
    Guest(GuestToken),
    /// It is one of ours and has ended.
    Expired,
    /// It is none of ours.
    Unknown,
}
