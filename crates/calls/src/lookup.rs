//! Questions to the store for a call or a request, and its answers. An answer comes back as an input under the number of its
//! question; no call waits for it.

use crate::{browser_keys::BrowserClaim, number::CallNumber};
use plenary_conference::{AccountId, ConferenceKey, ServiceName};
use plenary_dialogue::QuestionId;
use plenary_model::{Actor, InboundService, Pin, Room, SipSecret, Token, WebRtcKey, is_same_name};
use plenary_sip::{AddrSpec, Caller, Referred, Registration, Subscribing, digest::DigestAnswer};
use std::net::IpAddr;

/// A question to the store. Drawn by [`crate::Calls`], never twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookupId(pub u64);

/// What is to be looked up.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// Who asks, and which service is meant. [`Found::Caller`] answers.
    Caller(Box<CallerQuery>),
    /// The service of this name, among those of this account alone. [`Found::Service`] answers.
    Service {
        /// The account that the service has to belong to.
        account: AccountId,
        /// Its name, or one that it takes.
        service: ServiceName,
    },
    /// The numbers of an account's rooms. [`Found::RoomNumbers`] answers.
    RoomNumbers {
        /// The account whose rooms they are.
        account: AccountId,
    },
    /// A room. [`Found::Room`] answers.
    Room {
        /// The account that the room belongs to.
        account: AccountId,
        /// Its number.
        number: String,
    },
    /// What a PIN is good for. [`Found::Pin`] answers.
    Pin {
        /// The account of the room.
        account: AccountId,
        /// Its number.
        room: String,
        /// The PIN.
        pin: Pin,
        /// Who keyed it in.
        caller: PinCaller,
    },
    /// Makes a reserved conference longer, as far as seats are left. [`Found::Extended`] answers.
    Extend {
        /// The reserved conference that is in progress.
        conference: ConferenceKey,
        /// By so many minutes.
        minutes: u32,
        /// Who extends it.
        by: Actor,
    },
}

/// Who keyed a PIN in, by what a caller cannot choose freely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinCaller {
    /// Where the call comes from.
    pub source: PinSource,
    /// The number or the name that the call shows; `None`: it shows none.
    pub name: Option<String>,
    /// The call, which asks again where the PIN was not looked at.
    pub call: CallNumber,
}

/// Where a call comes from, as guessing is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinSource {
    /// An address.
    Address(IpAddr),
    /// A trunk of the account.
    Trunk(String),
    /// A user of the account who has shown a password.
    User(String),
}

/// What a PIN is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinAnswer {
    /// It is one of the room's, or the room has none.
    Right {
        /// It makes a leader.
        is_leader: bool,
    },
    /// It is not.
    Wrong {
        /// Leaders are to be warned, for many were wrong of late.
        guessing: bool,
    },
    /// It was not looked at, for too many were wrong before.
    TooMany {
        /// For so long.
        wait_ms: u64,
    },
}

/// What became of an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extended {
    /// The conference is longer, on the disk too.
    By {
        /// By so many seconds.
        seconds: u32,
    },
    /// It is as it was. The text is for the log.
    Not(String),
}

/// What a request brings that the store has to be asked about.
#[derive(Debug, Clone)]
pub struct CallerQuery {
    /// Whom it is for; `None`: for no service.
    pub target: Option<AddrSpec>,
    /// The access key that a browser names.
    pub claim: Option<BrowserClaim>,
    /// The answer to a challenge of ours.
    pub answer: Option<DigestAnswer>,
    /// Tokens, ours among others'; a few at the most.
    pub tokens: Vec<String>,
    /// Who asks and for what, as limits count it.
    pub caller: Caller,
}

impl CallerQuery {
    /// The cloud id that the dialled host names.
    #[must_use]
    pub fn dialled_cloud_id(&self) -> Option<String> {
        self.target.as_ref().and_then(|target| crate::browser_keys::cloud_id_of(&target.host))
    }
}

/// What the store says.
#[derive(Debug, Clone)]
pub enum Found {
    /// Of a [`Lookup::Caller`].
    Caller(Result<Box<CallerLookup>, StoreFailed>),
    /// Of a [`Lookup::Service`]: the service, and what its `*` stood for.
    Service(Result<Option<Box<(InboundService, String)>>, StoreFailed>),
    /// Of a [`Lookup::RoomNumbers`].
    RoomNumbers(Result<Vec<String>, StoreFailed>),
    /// Of a [`Lookup::Room`]; `None`: there is none of this number.
    Room(Result<Option<Box<Room>>, StoreFailed>),
    /// Of a [`Lookup::Pin`].
    Pin(Result<PinAnswer, StoreFailed>),
    /// Of a [`Lookup::Extend`].
    Extended(Result<Extended, StoreFailed>),
}

/// The store could not be asked. The text is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreFailed(pub String);

/// What was looked up for a call or a request.
#[derive(Debug, Clone)]
pub struct CallerLookup {
    /// The service of the dialled name, and what its `*` stood for.
    pub service: Option<(InboundService, String)>,
    /// Who the caller says it is.
    pub claims: Claims,
    /// Who asks and for what, as limits count it.
    pub caller: Caller,
    /// The access key that a browser names.
    pub key: NamedKey,
    /// The cloud id that the dialled host names.
    pub dialled_cloud_id: Option<String>,
    /// Any user may call by password.
    pub has_users: bool,
}

impl CallerLookup {
    /// The accounts that a caller's credentials name, whether or not they are right: services are looked for there first.
    #[must_use]
    pub fn accounts_of(claims: &Claims, key: &NamedKey) -> Vec<AccountId> {
        let of_token = match &claims.token {
            Some(Token::Call(token)) => Some(token.account),
            Some(Token::Client(token)) => Some(token.account),
            Some(Token::Guest(guest)) => Some(guest.account),
            Some(Token::Expired | Token::Unknown) | None => None,
        };
        let of_password =
            claims.password.as_ref().and_then(|(_, secret)| secret.as_ref()).map(|secret| secret.account);
        let of_key = match key {
            NamedKey::Known(key, _) => Some(key.account),
            NamedKey::Unknown(_) | NamedKey::None => None,
        };
        let mut accounts: Vec<AccountId> = [of_token, of_password, of_key].into_iter().flatten().collect();
        accounts.dedup();
        accounts
    }
}

/// Who the caller says it is, and what the store holds to check that: at most one password and one token of
/// ours.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    /// The answer to a challenge, and what is kept of the user that it names.
    pub password: Option<(DigestAnswer, Option<SipSecret>)>,
    /// What the token that was brought is good for.
    pub token: Option<Token>,
}

impl Claims {
    /// Takes in what one of several tokens is good for, where `dialled` is asked for. What is good for that comes first, then
    /// what is good for anything, then one of ours that is too old.
    pub fn add_token(&mut self, token: Token, dialled: Option<&str>) {
        let rank = |token: &Token| match (token, dialled) {
            (Token::Call(token), Some(dialled)) if is_same_name(&token.service, dialled) => 0,
            (Token::Client(token), Some(dialled)) if token.may_call(dialled) => 0,
            (Token::Client(_), None) => 0,
            // Which conference a name leads to is not known here.
            (Token::Call(_) | Token::Client(_) | Token::Guest(_), _) => 1,
            (Token::Expired, _) => 2,
            (Token::Unknown, _) => 3,
        };
        if self.token.as_ref().is_none_or(|known| rank(&token) < rank(known)) {
            self.token = Some(token);
        }
    }

    /// Nothing was brought that is meant for us. What is meant for other realms says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.password.is_none() && self.token.is_none()
    }
}

/// The access key that a browser names.
#[derive(Debug, Clone)]
pub enum NamedKey {
    /// It names none, or does not come over a WebSocket.
    None,
    /// There is no such key, or not with an account of the cloud id that is named with it.
    Unknown(BrowserClaim),
    /// A key, valid or revoked, and the cloud id of its account.
    Known(WebRtcKey, String),
}

/// What waits for the answer to a lookup.
#[derive(Debug)]
pub(crate) enum Pending {
    /// A call that came in.
    Call(CallNumber),
    /// An early caller that is diverted.
    Diverted(CallNumber),
    /// A dialogue of a call, and the number of its question.
    Keypad(CallNumber, QuestionId),
    Subscribing(Box<Subscribing>),
    Registering(Box<Registration>),
    Referred(Box<Referred>),
}
