//! Protection of a stream against eavesdropping and forgery (SRTP, RFC 3711). A packet that does not open counts for
//! nothing: it neither keeps the call alive nor moves its peer address.

use crate::params::Protection;
use plenary_rtp::srtp::{self, MasterKey, SrtpError};

/// Octets of the longest datagram that is opened.
const DATAGRAM_MAX: usize = 2048;

/// The protection of one stream, in both directions.
#[derive(Debug, Default)]
pub(super) enum SrtpContext {
    /// None was negotiated.
    #[default]
    Off,
    /// It was negotiated, and the handshake that brings the keys is not complete: nothing is sent, nothing accepted.
    Waiting,
    /// Active.
    On(Box<Keys>),
}

#[derive(Debug)]
pub(super) struct Keys {
    send: MasterKey,
    sender: srtp::Sender,
    receivers: srtp::KeyRing,
}

impl SrtpContext {
    pub(super) fn new(protection: &Protection) -> Self {
        let mut context = Self::Off;
        context.change(protection, 0);
        context
    }

    /// Another protection was negotiated, or the same again. A key that stays keeps its packet counts: otherwise the
    /// same key stream would be used twice. Packets in flight under the old keys are accepted for some seconds.
    pub(super) fn change(&mut self, protection: &Protection, now_ns: u64) {
        match protection {
            Protection::None => *self = Self::Off,
            // The keys of a handshake hold until the next one.
            Protection::Dtls { .. } => {
                if matches!(self, Self::Off) {
                    *self = Self::Waiting;
                }
            }
            Protection::Srtp { send, receive } => self.set_keys(send, receive, now_ns),
        }
    }

    pub(super) fn set_keys(&mut self, send: &MasterKey, receive: &[MasterKey], now_ns: u64) {
        match self {
            Self::On(keys) => {
                if !keys.send.is_same_key(send) {
                    keys.sender = srtp::Sender::new(send);
                } else if keys.send != *send {
                    keys.sender.set_mki(send.mki());
                }
                keys.send = send.clone();
                keys.receivers.set_keys(receive, now_ns);
            }
            Self::Off | Self::Waiting => {
                *self = Self::On(Box::new(Keys {
                    send: send.clone(),
                    sender: srtp::Sender::new(send),
                    receivers: srtp::KeyRing::new(receive),
                }));
            }
        }
    }

    /// Nothing can be sent yet.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting)
    }

    /// What opens is from the other side.
    pub(super) fn is_on(&self) -> bool {
        matches!(self, Self::On(_))
    }

    /// The name of the active cipher.
    pub(super) fn suite(&self) -> Option<&'static str> {
        match self {
            Self::On(keys) => Some(keys.sender.suite().name()),
            Self::Off | Self::Waiting => None,
        }
    }

    /// Opens an RTP (or RTCP) packet within `scratch`; without protection it is returned unchanged.
    pub(super) fn open<'s>(
        &mut self,
        bytes: &'s [u8],
        is_rtcp: bool,
        now_ns: u64,
        scratch: &'s mut Option<[u8; DATAGRAM_MAX]>,
    ) -> Result<&'s [u8], SrtpError> {
        let keys = match self {
            Self::Off => return Ok(bytes),
            Self::Waiting => return Err(SrtpError::NotAuthentic),
            Self::On(keys) => keys,
        };
        let packet = scratch.insert([0; DATAGRAM_MAX]).get_mut(..bytes.len()).ok_or(SrtpError::Malformed)?;
        packet.copy_from_slice(bytes);
        let length = match is_rtcp {
            true => keys.receivers.open_rtcp(packet, now_ns)?,
            false => keys.receivers.open_rtp(packet, now_ns)?,
        };
        Ok(&packet[..length])
    }

    /// Protects the RTP packet at the end of `bytes`, from `start` on; nothing is left of it if it may not be sent.
    pub(super) fn protect_rtp(&mut self, bytes: &mut Vec<u8>, start: usize) {
        match self {
            Self::Off => {}
            Self::Waiting => bytes.truncate(start),
            Self::On(keys) => keys.sender.protect_rtp(bytes, start),
        }
    }

    /// The same for RTCP.
    pub(super) fn protect_rtcp(&mut self, bytes: &mut Vec<u8>, start: usize) {
        match self {
            Self::Off => {}
            Self::Waiting => bytes.truncate(start),
            Self::On(keys) => keys.sender.protect_rtcp(bytes, start),
        }
    }
}
