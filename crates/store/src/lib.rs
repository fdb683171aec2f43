//! Durable state: accounts and their keys, inbound services, reservations, call records.
//!
//! One SQLite file, `plenary.db`, in the data folder. Several processes may have it open at once (`plenary
//! account …` beside `plenary serve`), so nothing is cached: what one process commits, the next query of
//! every other process sees.
//!
//! A method that returns `Ok` has committed, and a commit has reached the disk (`synchronous=FULL`). Each
//! change runs in one `BEGIN IMMEDIATE` transaction on the handle's single writing connection, so two changes
//! never meet half way and none fails because another came first; readers have connections of their own.
//!
//! What it leaves out: the rules. Whether a reservation may be made is `plenary-conference`'s business; here
//! only what must hold in the database itself is checked: names that are taken, and seats.

#![forbid(unsafe_code)]

mod accounts;
mod database;
mod error;
pub mod inbound;
mod records;
mod reservations;
mod services;
mod sounds;
mod tokens;
pub mod trunks;
mod users;
mod webrtc_keys;

pub use accounts::{Account, ApiKey, KeyId, KeyInfo};
pub use database::Store;
pub use error::StoreError;
pub use inbound::{
    Access, Action, Announcement, ConferenceAction, InboundError, InboundService, Refer, Srtp, Trunks, Users,
};
pub use records::{CallEntry, CallRecord, CallRecordEntry};
pub use reservations::{ReserveError, new_reservation_token};
pub use services::{PutOutcome, ServiceError, ServiceScope, StoredService};
pub use sounds::{KeptSound, SoundOwner};
pub use tokens::{CallToken, ClientToken, Token};
pub use trunks::{StoredTrunk, Trunk};
pub use users::{SipSecret, SipUser, UserError};
pub use webrtc_keys::{WebRtcKey, WebRtcKeyError, is_webrtc_key};
