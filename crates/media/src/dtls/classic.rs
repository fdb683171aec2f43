//! Handshakes of DTLS 1.2 (RFC 6347) with telephones, whose certificates are RSA as often as ECDSA.

use super::outcome::Outcome;
use crate::{Suite, params::DtlsIdentity};
use bytes::BytesMut;
use rtc_dtls::{
    cipher_suite::CipherSuiteId,
    config::{ClientAuthType, ConfigBuilder},
    crypto::Certificate,
    crypto_provider::{RTCCryptoProvider, SignatureScheme, SigningKey, default_provider},
    endpoint::{Endpoint, EndpointEvent},
    extension::extension_use_srtp::SrtpProtectionProfile,
};
use rtc_shared::TransportProtocol;
use sha2::{Digest, Sha256};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

/// An unanswered flight is retransmitted after this long.
const FLIGHT: Duration = Duration::from_millis(500);
/// Octets of handshake messages in a datagram.
const MTU: usize = 1200;
/// The exporter label of the keying material (RFC 5764, 4.2).
const LABEL: &str = "EXTRACTOR-dtls_srtp";
/// The crate identifies associations by address. Each endpoint here has one, so any address serves.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
/// AEAD ciphers only. The local certificate is ECDSA; the peer's may be RSA in either role.
const CIPHERS: [CipherSuiteId; 4] = [
    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
    CipherSuiteId::Tls_Ecdhe_Rsa_With_Aes_128_Gcm_Sha256,
    CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
    CipherSuiteId::Tls_Ecdhe_Rsa_With_ChaCha20_Poly1305_Sha256,
];
const PROFILES: [SrtpProtectionProfile; 3] = [
    SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
    SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
    SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
];

/// What all handshakes have in common.
#[derive(Clone)]
pub(super) struct Shared {
    provider: Arc<dyn RTCCryptoProvider>,
    certificate: Certificate,
}

impl Shared {
    pub(super) fn new(identity: &DtlsIdentity) -> Result<Self, String> {
        let provider = default_provider().map_err(|error| error.to_string())?;
        let import = |scheme| provider.crypto().import_signing_key(scheme, &identity.key);
        let key: Arc<dyn SigningKey> = import(SignatureScheme::EcdsaP256Sha256)
            .or_else(|_| import(SignatureScheme::EcdsaP384Sha384))
            .map_err(|error| error.to_string())?;
        let certificate = Certificate::from_signing_key(vec![identity.certificate.clone().into()], key);
        Ok(Self { provider, certificate })
    }
}

/// One handshake, in either role.
pub(super) struct Classic {
    endpoint: Endpoint,
    fingerprint: [u8; 32],
}

impl Classic {
    pub(super) fn new(
        shared: &Shared,
        active: bool,
        fingerprint: [u8; 32],
        now: Instant,
    ) -> Result<Self, String> {
        let config = ConfigBuilder::default()
            .with_crypto_provider(shared.provider.clone())
            .with_certificates(vec![shared.certificate.clone()])
            .with_cipher_suites(CIPHERS.to_vec())
            .with_srtp_protection_profiles(PROFILES.to_vec())
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            // Only the fingerprint in the session description authenticates the certificate (RFC 5763, 5).
            .with_insecure_skip_verify(true)
            .with_verify_peer_certificate(Some(Arc::new(move |certificates, _| {
                match certificates.first().is_some_and(|first| is_of(first, &fingerprint)) {
                    true => Ok(()),
                    false => Err(rtc_shared::error::Error::Other(
                        "the certificate is not the one that was announced".to_owned(),
                    )),
                }
            })))
            .with_server_name("plenary".to_owned())
            .with_flight_interval(FLIGHT)
            .with_mtu(MTU)
            .build(active, None)
            .map_err(|error| error.to_string())?;
        let config = Arc::new(config);
        let server = (!active).then(|| config.clone());
        let mut endpoint = Endpoint::new(PEER, TransportProtocol::UDP, server);
        if active {
            endpoint.connect(now, PEER, config, None).map_err(|error| error.to_string())?;
        }
        Ok(Self { endpoint, fingerprint })
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.endpoint.poll_timeout(&PEER)
    }

    pub(super) fn datagram(
        &mut self,
        bytes: &[u8],
        now: Instant,
        out: &mut Vec<Outcome>,
    ) -> Result<(), String> {
        let result = self.endpoint.read(now, PEER, None, BytesMut::from(bytes));
        self.send(out);
        for event in result.map_err(|error| error.to_string())? {
            match event {
                EndpointEvent::HandshakeComplete => out.push(self.keys()?),
                EndpointEvent::PeerClosed => out.push(Outcome::Closed),
                // Application data is not used.
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn timeout(&mut self, now: Instant, out: &mut Vec<Outcome>) -> Result<(), String> {
        // Before the first datagram there is nothing to retransmit.
        let result = match self.endpoint.get_connection_state(PEER) {
            Some(_) => self.endpoint.handle_timeout(PEER, now),
            None => Ok(()),
        };
        self.send(out);
        result.map_err(|error| error.to_string())
    }

    pub(super) fn send(&mut self, out: &mut Vec<Outcome>) {
        while let Some(datagram) = self.endpoint.poll_transmit() {
            out.push(Outcome::Send(datagram.message.to_vec()));
        }
    }

    fn keys(&self) -> Result<Outcome, String> {
        let state = self.endpoint.get_connection_state(PEER).ok_or("the session is gone")?;
        // Checked again, because nothing else keeps strangers out.
        if !state.peer_certificates.first().is_some_and(|first| is_of(first, &self.fingerprint)) {
            return Err("the certificate is not the one that was announced".to_owned());
        }
        let suite = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => Suite::AeadAes256Gcm,
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Suite::AeadAes128Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Suite::AesCm128HmacSha1_80,
            _ => return Err("no SRTP profile was negotiated".to_owned()),
        };
        let length = 2 * suite.key_and_salt_bytes();
        let material = state.export_keying_material(LABEL, &[], length).map_err(|error| error.to_string())?;
        Ok(Outcome::Keys(material.as_ref().to_vec(), suite))
    }
}

fn is_of(certificate: &[u8], fingerprint: &[u8; 32]) -> bool {
    Sha256::digest(certificate)[..] == *fingerprint
}
