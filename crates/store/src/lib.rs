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
//! What it leaves out: the rules. Whether a reservation may be made is `plenary-conference`'s business; here
//! only what must hold in the database itself is checked: names that are taken, and seats.

#![forbid(unsafe_code)]

mod accounts;
mod database;
mod error;
pub mod inbound;
mod known;
mod records;
mod reservations;
mod services;
mod sounds;
mod tokens;
mod transfer;
pub mod trunks;
mod users;
mod webrtc_keys;

pub use accounts::{Account, ApiKey, KeyId, KeyInfo};
pub use database::{Location, LocationError, Store, make_folder};
pub use error::StoreError;
pub use inbound::{
    Access, Action, Announcement, ConferenceAction, InboundError, InboundService, Refer, Srtp, Trunks, Users,
};
pub use records::{CallEntry, CallRecord, CallRecordEntry};
pub use reservations::{ReserveError, new_reservation_token};
pub use services::{PutOutcome, ServiceError, ServiceScope, StoredService};
pub use sounds::{KeptSound, SoundOwner};
pub use tokens::{CallToken, ClientToken, Token};
pub use transfer::{CopiedTable, CopyError, CopyProgress, Inspection, copy_database, inspect_database};
pub use trunks::{StoredTrunk, Trunk};
pub use users::{SipSecret, SipUser, UserError};
pub use webrtc_keys::{WebRtcKey, WebRtcKeyError, is_webrtc_key};
