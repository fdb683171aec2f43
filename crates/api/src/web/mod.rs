//! The resources, one file each.

pub(crate) mod calendar_feed;
pub(crate) mod client_tokens;
pub(crate) mod console;
pub(crate) mod health;
pub(crate) mod inbound;
pub(crate) mod seven;
pub(crate) mod websocket;
