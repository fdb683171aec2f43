//! `[media]`.

use anyhow::bail;
use plenary_media::{InbandDtmf, OpusSettings};
use plenary_sip::sdp::{Codec, Policy};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The largest sound that can be configured, in bytes.
const MAX_SOUND_BYTES: u64 = 200_000_000;

/// `[media]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Media {
    /// Threads that move and mix audio. 0: one for each core.
    pub(crate) workers: usize,
    /// A caller from whom no RTP came for this long is asked by SIP whether it is still there; one whose ICE or DTLS did not get
    /// through by then is removed. In seconds.
    pub(crate) rtp_timeout_seconds: u64,
    /// A call on which nothing has ever come, neither RTP nor RTCP, is ended after this long, in seconds, though it answers.
    /// 0: never.
    pub(crate) rtp_never_seconds: u64,
    /// The codecs that calls may use, best first.
    pub(crate) codecs: Vec<CodecName>,
    /// Whose order decides.
    pub(crate) codec_order: CodecOrder,
    /// Whether audio has to be protected, where an inbound service says nothing.
    pub(crate) srtp: Srtp,
    /// Bits per second of Opus that is sent.
    pub(crate) opus_bitrate: u32,
    /// How thoroughly Opus is encoded, 0 to 10.
    pub(crate) opus_complexity: u8,
    /// Opus carries a coarse copy of each packet in the next one.
    pub(crate) opus_fec: bool,
    /// The loss that this provides for, in percent.
    pub(crate) opus_expected_loss_percent: u8,
    /// Silence is not sent in Opus.
    pub(crate) opus_dtx: bool,
    /// On which lines keys are also looked for as tones in the audio.
    pub(crate) inband_dtmf: InbandDtmf,
    /// The least and the most audio in the jitter buffer, in milliseconds, with the frame being played.
    pub(crate) jitter_ms_min: u32,
    pub(crate) jitter_ms_max: u32,
    /// Voices are brought to the common level, and rid of noise, where nothing else is set for a conference or a
    /// participant.
    pub(crate) automatic_gain: bool,
    pub(crate) noise_suppression: bool,
    /// What a sound that an account uploads may have, in bytes and in seconds.
    pub(crate) sound_max_bytes: u64,
    pub(crate) sound_max_seconds: u32,
    /// What all of an account may have together, in bytes.
    pub(crate) account_sounds_max_bytes: u64,
    /// The folder with further languages of prompts. None: `languages` in the data folder, if it is there.
    pub(crate) languages: Option<PathBuf>,
}

impl Media {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        if self.rtp_timeout_seconds == 0 {
            bail!(
                "[media] rtp_timeout_seconds is 0: every caller would be asked without a pause whether it is there; 30 is usual"
            );
        }
        if self.codecs.is_empty() {
            bail!("[media] codecs is empty: name at least one of opus, g722, pcmu, pcma");
        }
        if !(6000..=128_000).contains(&self.opus_bitrate) {
            bail!(
                "[media] opus_bitrate is {}: 6000 to 128000 bits per second are allowed",
                self.opus_bitrate
            );
        }
        if self.opus_complexity > 10 {
            bail!(
                "[media] opus_complexity is {}: 0 (quick) to 10 (thorough) are allowed",
                self.opus_complexity
            );
        }
        if self.opus_expected_loss_percent > 100 {
            bail!(
                "[media] opus_expected_loss_percent is {}: 0 to 100 are allowed",
                self.opus_expected_loss_percent
            );
        }
        if !(1..=MAX_SOUND_BYTES).contains(&self.sound_max_bytes) {
            bail!(
                "[media] sound_max_bytes is {}: 1 to {MAX_SOUND_BYTES} are allowed, for a sound is in memory while it is read",
                self.sound_max_bytes
            );
        }
        if !(1..=3600).contains(&self.sound_max_seconds) {
            bail!("[media] sound_max_seconds is {}: 1 to 3600 are allowed", self.sound_max_seconds);
        }
        if let Some(folder) = self.languages.as_ref().filter(|folder| !folder.is_dir()) {
            bail!("[media] languages is {}: there is no such folder", folder.display());
        }
        let (least, most) = (self.jitter_ms_min, self.jitter_ms_max);
        if !(20..=1000).contains(&least) || !(least..=1000).contains(&most) {
            bail!(
                "[media] jitter_ms_min is {least} and jitter_ms_max is {most}: 20 to 1000 are allowed, the lower one first"
            );
        }
        Ok(())
    }
}

/// A codec by its name in SDP, in small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CodecName {
    Opus,
    G722,
    Pcmu,
    Pcma,
}

impl CodecName {
    pub(crate) fn codec(self) -> Codec {
        match self {
            Self::Opus => Codec::Opus,
            Self::G722 => Codec::G722,
            Self::Pcmu => Codec::Pcmu,
            Self::Pcma => Codec::Pcma,
        }
    }
}

/// Whose order of codecs decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CodecOrder {
    /// That of the caller's offer.
    Caller,
    /// That of `codecs`.
    Ours,
}

/// Whether audio has to be protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Srtp {
    Required,
    Preferred,
    Off,
}

impl Srtp {
    pub(crate) fn policy(self) -> Policy {
        match self {
            Self::Required => Policy::Required,
            Self::Preferred => Policy::Preferred,
            Self::Off => Policy::Off,
        }
    }
}

impl Default for Media {
    fn default() -> Self {
        let opus = OpusSettings::default();
        Self {
            workers: 0,
            rtp_timeout_seconds: 30,
            rtp_never_seconds: 0,
            codecs: vec![CodecName::Opus, CodecName::G722, CodecName::Pcmu, CodecName::Pcma],
            codec_order: CodecOrder::Caller,
            srtp: Srtp::Preferred,
            opus_bitrate: opus.bitrate,
            opus_complexity: opus.complexity,
            opus_fec: opus.fec,
            opus_expected_loss_percent: opus.expected_loss_percent,
            opus_dtx: opus.dtx,
            inband_dtmf: InbandDtmf::Auto,
            jitter_ms_min: 20,
            jitter_ms_max: 200,
            automatic_gain: false,
            noise_suppression: false,
            sound_max_bytes: 20_000_000,
            sound_max_seconds: 600,
            account_sounds_max_bytes: 200_000_000,
            languages: None,
        }
    }
}
