//! Handshakes with peers that offer DTLS 1.3 (RFC 9147), as browsers do; the crate falls back to 1.2 by itself.

use super::outcome::Outcome;
use crate::Suite;
use dimpl::{Config, Dtls, DtlsCertificate, Output, SrtpProfile};
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Instant};
use tracing::debug;

/// The longest datagram that a handshake sends.
const DATAGRAM_BYTES: usize = 2048;

/// One handshake, always as the server: [`super::classic`] begins as the client.
pub(super) struct Modern {
    dtls: Dtls,
    fingerprint: [u8; 32],
    is_right_peer: bool,
    keys: Option<(Vec<u8>, Suite)>,
    next: Option<Instant>,
}

impl Modern {
    pub(super) fn new(
        config: &Arc<Config>,
        certificate: &DtlsCertificate,
        fingerprint: [u8; 32],
        now: Instant,
    ) -> Self {
        let mut dtls = Dtls::new_auto(config.clone(), certificate.clone(), now);
        // The crate draws its random numbers when it first learns the time.
        if let Err(error) = dtls.handle_timeout(now) {
            debug!(%error, "a new DTLS session has no start time");
        }
        Self { dtls, fingerprint, is_right_peer: false, keys: None, next: None }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    pub(super) fn datagram(&mut self, bytes: &[u8], out: &mut Vec<Outcome>) -> Result<(), String> {
        let result = self.dtls.handle_packet(bytes).map_err(|error| error.to_string());
        self.poll(out).and(result)
    }

    pub(super) fn timeout(&mut self, now: Instant, out: &mut Vec<Outcome>) -> Result<(), String> {
        let result = self.dtls.handle_timeout(now).map_err(|error| error.to_string());
        self.poll(out).and(result)
    }

    fn poll(&mut self, out: &mut Vec<Outcome>) -> Result<(), String> {
        let mut buffer = vec![0; DATAGRAM_BYTES];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => out.push(Outcome::Send(packet.to_vec())),
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::Timeout(at) => {
                    self.next = Some(at);
                    break;
                }
                Output::PeerCert(certificate) => {
                    self.is_right_peer = Sha256::digest(certificate)[..] == self.fingerprint;
                    if !self.is_right_peer {
                        return Err("the certificate is not the one that was announced".to_owned());
                    }
                }
                Output::KeyingMaterial(material, profile) => {
                    self.keys = suite(profile).map(|suite| (material.to_vec(), suite));
                }
                Output::CloseNotify => out.push(Outcome::Closed),
                _ => {}
            }
        }
        if self.is_right_peer
            && let Some((material, suite)) = self.keys.take()
        {
            out.push(Outcome::Keys(material, suite));
        }
        Ok(())
    }
}

fn suite(profile: SrtpProfile) -> Option<Suite> {
    match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Some(Suite::AesCm128HmacSha1_80),
        SrtpProfile::AEAD_AES_128_GCM => Some(Suite::AeadAes128Gcm),
        SrtpProfile::AEAD_AES_256_GCM => Some(Suite::AeadAes256Gcm),
        _ => None,
    }
}
