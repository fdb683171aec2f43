//! Durable state: accounts and their keys, inbound services, reservations, call records.
//!
//! One SQLite file, `plenary.db`, in the data folder, or a database of PostgreSQL. Several processes may have it
//! open at once (`plenary account …` beside `plenary serve`): what one process commits, the next query of every
//! other process sees. What is kept in memory (the calendar of seats) is compared with the database inside the
//! transaction that relies on it.
//!
//! A method that returns `Ok` has committed, and a commit has reached the disk. Each change that is checked before
//! it is written runs beside no other: in SQLite in a `BEGIN IMMEDIATE` transaction on the handle's single writing
//! connection, in PostgreSQL behind an advisory lock that ends with its transaction. Reservations that come at once
//! share a transaction. Readers have connections of their own.
//!
//! What it leaves out: the rules. What a body may hold is `plenary-model`'s business; whether a reservation may be made is `plenary-conference`'s; here
//! only what must hold in the database itself is checked: names that are taken, and seats.

#![forbid(unsafe_code)]

mod access;
mod accounts;
mod audit;
mod calendar_feeds;
mod call_messages;
mod call_samples;
mod change;
mod database;
mod error;
mod events;
mod guessing;
mod hashing;
mod history;
mod idempotency;
mod keys;
mod leader_links;
mod links;
mod lookup_cache;
mod media;
mod named;
mod people;
mod permitted;
mod personal_data;
mod recordings;
mod records;
mod reservations;
mod rooms;
mod services;
mod serving;
mod sounds;
mod store;
mod tokens;
mod transfer;
mod trunks;
mod usage;
mod users;
mod webhooks;
mod webrtc_keys;
mod writer;

pub use access::{
    Access, Account, AccountSettings, Authenticated, KeyId, LeaderSessionId, PersonId, SessionId,
};
pub use audit::{AuditQuery, Doing, Visitor, VisitorEntry};
pub use calendar_feeds::CalendarFeed;
pub use call_messages::CallMessages;
pub use change::{Change, ChangeError, Changed};
pub use database::{Location, LocationError, make_folder};
pub use error::StoreError;
pub use events::{EventBounds, StoredEvent};
pub use history::HistoryQuery;
pub use idempotency::Begun;
pub use keys::{ApiKey, KeyInfo};
pub use leader_links::{LEADER_SECRET_PREFIX, LeaderLink, LeaderSession};
pub use links::{LinkSettings, LinksQuery};
pub use media::{MediaError, NewMedia, UploadedMedia};
pub use named::Before;
pub use people::{
    AcceptError, InvitationCode, PasswordChange, Person, PersonError, PersonRole, ProviderPerson,
    ProviderSignIn, SESSION_IDLE_MS, SESSION_MS, Session, SessionSecret, SignIn, SignInFrom,
};
pub use personal_data::{Redacted, Sought};
pub use recordings::RecordingsQuery;
pub use records::{CallOutcome, CallsQuery};
pub use reservations::{
    GuestLink, LinkPurpose, MAIL_KEPT_MS, MailContent, MailRecord, NameRule, OpenGuestLink, QueuedMail,
    ReserveError, StoredSeries, new_reservation_token,
};
pub use rooms::{PinCaller, PinCheck, PinOutcome, PinSource, RoomError};
pub use services::{ServiceError, ServiceScope};
pub use store::Store;
pub use transfer::{CopiedTable, CopyError, CopyProgress, Inspection, copy_database, inspect_database};
pub use trunks::TrunkBody;
pub use usage::UsageQuery;
pub use users::{SipPassword, UserError};
pub use webhooks::{Rotated, Tried, WebhookError, WebhookJob};
pub use webrtc_keys::WebRtcKeyError;
pub use writer::{Journal, Writer, WriterBounds, WriterCounts};
