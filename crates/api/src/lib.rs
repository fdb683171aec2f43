//! The web services over HTTP.

#![forbid(unsafe_code)]

mod control;
mod server;

pub use control::{ConferenceControl, ControlError};
pub use server::{ApiState, router, serve};
