//! Webhooks: events of an account, sent to where it wants them (<https://www.standardwebhooks.com>).
//!
//! ```text
//!   event log ─▶ one task per webhook: in order, each until it is taken ─▶ POST, signed
//!                 └ a lease in the database: one process at a time, and where it has come to
//! ```
//!
//! A webhook that is down keeps its own task waiting, and nobody else's.

mod address;
mod client;
mod runner;
mod sign;

pub use runner::{Running, Webhooks};
