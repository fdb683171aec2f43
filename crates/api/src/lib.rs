//! The web services over HTTP: the seven of the conferencing specification, the inbound services, and the
//! pages that explain errors.
//!
//! Handlers translate between HTTP and [`ConferenceControl`]; they decide nothing about conferences.

#![forbid(unsafe_code)]

mod answer;
mod audit;
mod auth;
pub mod calendar;
mod caller;
mod control;
mod cookie;
mod csv;
mod error;
mod extract;
mod followers;
mod frame;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod home;
mod json;
mod limits;
mod media;
mod methods;
mod metrics;
mod oidc;
mod operator;
mod origin;
mod outgoing;
mod pages;
mod params;
mod peer;
mod router;
mod server;
mod state;
mod time;
mod v1;
mod ways;
mod web;
mod webhooks;

pub use answer::to_the_end;
pub use audit::writer::AuditWriter;
pub use caller::TrustedProxies;
pub use control::{
    ConferenceChange, ConferenceControl, ControlError, DialRefused, Direction, Invitation, Participant,
    ParticipantChange, ParticipantReport, ParticipantState, Playback, SoundChange, SoundOf, SoundSettings,
    TransferState, TrunkState, store_error,
};
pub use error::{CODES, Code};
pub use followers::{Followers, Voices};
pub use home::{AskHome, HomeClient};
pub use limits::{Counters, WebCounts, WebLimits};
pub use metrics::{Metrics, metrics_router};
pub use oidc::{CALLBACK as OIDC_CALLBACK, Oidc, OidcGrant, OidcRule, OidcSettings, is_loopback};
pub use operator::{Ban, BanReason, DiskSpace, Health, KeptCall, MediaThread, OperatorControl, Ping};
pub use origin::{AllowedOrigins, NotAnOrigin, Origin};
pub use peer::{BoxedStream, Duplex, OnWebSocket, Peer};
pub use router::router;
pub use server::{ConnectionLimits, serve};
pub use state::{ApiState, MediaLimits, Recordings};
pub use time::with_seconds as platform_time;
pub use v1::{DeleteRecordingError, delete_left_files, delete_recording};
pub use ways::Invitations;
pub use webhooks::{Running as RunningWebhooks, Webhooks};
