//! The resources, one file each.

pub(crate) mod conferences;
pub(crate) mod health;
pub(crate) mod inbound;
pub(crate) mod named;
pub(crate) mod participants;
pub(crate) mod seven;
pub(crate) mod sound;
pub(crate) mod tokens;
pub(crate) mod trunks;
pub(crate) mod users;
pub(crate) mod webrtc_keys;
pub(crate) mod websocket;
