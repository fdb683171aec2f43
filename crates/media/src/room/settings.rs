//! The settings of a room.

use crate::{InbandDtmf, MediaConfig};
use plenary_audio::opus;

/// The part of [`MediaConfig`] that a room depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) rtp_timeout_ns: u64,
    pub(crate) rtp_never_ns: u64,
    pub(crate) rtcp_interval_ns: u64,
    pub(crate) jitter_ms_min: u32,
    pub(crate) jitter_ms_max: u32,
    pub(crate) inband_dtmf: InbandDtmf,
    pub(crate) opus: opus::Settings,
}

impl Settings {
    pub(crate) fn of(config: &MediaConfig) -> Self {
        Self {
            rtp_timeout_ns: config.rtp_timeout_ms.saturating_mul(1_000_000),
            rtp_never_ns: config.rtp_never_ms.saturating_mul(1_000_000),
            rtcp_interval_ns: config.rtcp_interval_ms.saturating_mul(1_000_000),
            jitter_ms_min: config.jitter_ms_min,
            jitter_ms_max: config.jitter_ms_max,
            inband_dtmf: config.inband_dtmf,
            opus: config.opus,
        }
    }
}
