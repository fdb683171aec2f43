//! Configuration of the media plane.

use crate::{RtcpReport, params::DtlsIdentity};
use plenary_audio::opus;
use plenary_model::InbandDtmf;
use std::{
    net::{IpAddr, Ipv4Addr},
    ops::RangeInclusive,
    path::PathBuf,
    sync::mpsc::SyncSender,
};

/// Settings of the media plane. [`MediaConfig::default`] listens on loopback.
#[derive(Debug, Clone)]
pub struct MediaConfig {
    /// The local address of every RTP and RTCP socket. Default: 127.0.0.1.
    pub bind: IpAddr,
    /// The port range. A call takes an even port for RTP and the one after it for RTCP. Default: 16384 to 32767,
    /// below Linux's ephemeral ports.
    pub rtp_ports: RangeInclusive<u16>,
    /// Media workers; 0: one per core. Default: 0.
    pub workers: usize,
    /// A call that sends and receives but brings no valid RTP for this long is reported as silent, or as gone if ICE
    /// or DTLS did not complete, in milliseconds. Default: 30 000.
    pub rtp_timeout_ms: u64,
    /// A call that sends and receives but from which nothing has ever arrived, neither RTP nor RTCP nor an ICE check, is
    /// reported as never heard after this long, in milliseconds. 0: never. Default: 0.
    pub rtp_never_ms: u64,
    /// The folder of the audio files. Default: `media` in the working directory.
    pub media_dir: PathBuf,
    /// The longest file, in seconds; the rest is cut off. Bounds memory: a second takes 16 or 32 kB, and up to 96 of a
    /// file of a minute at most. Default: 3600.
    pub file_seconds_max: u32,
    /// Minimum of the jitter buffer, in milliseconds, including the frame being played: 20 adds no delay beyond the
    /// wait for the next tick. Default: 20.
    pub jitter_ms_min: u32,
    /// Maximum of the jitter buffer, in milliseconds. Default: 200.
    pub jitter_ms_max: u32,
    /// On which lines keys are also looked for as tones in the audio. Default: on those without telephone events.
    pub inband_dtmf: InbandDtmf,
    /// Mean interval of RTCP reports of a call, in milliseconds; each is drawn from half to one and a half of it (RFC
    /// 3550, 6.2). Default: 5000.
    pub rtcp_interval_ms: u64,
    /// Opus encoding. Default: 48 kbit/s, complexity 5, with FEC, without DTX.
    pub opus: opus::Settings,
    /// The local certificate for DTLS-SRTP; `None`: no DTLS-SRTP. Default: none.
    pub dtls: Option<DtlsIdentity>,
    /// Events that may wait for the control side; beyond that they wait in the workers. Default: 65 536.
    pub event_queue: usize,
    /// Where RTCP reports are shown, see [`RtcpTap`](crate::RtcpTap). Default: nowhere.
    pub rtcp: Option<SyncSender<RtcpReport>>,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            rtp_ports: 16_384..=32_767,
            workers: 0,
            rtp_timeout_ms: 30_000,
            rtp_never_ms: 0,
            media_dir: PathBuf::from("media"),
            file_seconds_max: 3600,
            jitter_ms_min: 20,
            jitter_ms_max: 200,
            inband_dtmf: InbandDtmf::Auto,
            rtcp_interval_ms: 5000,
            opus: opus::Settings::default(),
            dtls: None,
            event_queue: 65_536,
            rtcp: None,
        }
    }
}
