//! Handshakes of DTLS-SRTP (RFC 5764), on a thread of their own: they take milliseconds, which media threads do not have.
//!
//! Media threads hand over the datagrams that are DTLS; what is to be sent, and the keys in the end, go back to them as
//! commands.

use crate::{MasterKey, MediaCallId, Suite, params::DtlsIdentity, worker::Command};
use dimpl::{Config, Dtls, DtlsCertificate, Output, SrtpProfile};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant},
};
use tracing::{debug, info, warn};

/// How long a session may take to agree, and how often its timers are looked at.
const LOOK_AT_LEAST: Duration = Duration::from_secs(1);
const DATAGRAM_BYTES: usize = 2048;
/// Handshakes at a time: each holds some 20 kB.
const SESSIONS_MAX: usize = 20_000;

/// What the thread is told.
#[derive(Debug)]
pub(crate) enum DtlsJob {
    /// A stream is to be protected by a handshake.
    Begin {
        call: MediaCallId,
        worker: usize,
        active: bool,
        fingerprint: [u8; 32],
    },
    /// A datagram of it came.
    Datagram {
        call: MediaCallId,
        bytes: Vec<u8>,
    },
    /// Its call is over.
    End {
        call: MediaCallId,
    },
    Shutdown,
}

struct Session {
    dtls: Dtls,
    worker: usize,
    active: bool,
    fingerprint: [u8; 32],
    is_right_peer: bool,
    keys: Option<(MasterKey, MasterKey)>,
    next: Instant,
}

/// The handshakes.
pub(crate) struct Handshakes {
    config: Arc<Config>,
    certificate: DtlsCertificate,
    workers: Vec<Sender<Command>>,
    sessions: HashMap<MediaCallId, Session>,
}

impl Handshakes {
    pub(crate) fn new(identity: &DtlsIdentity, workers: Vec<Sender<Command>>) -> Option<Self> {
        let config =
            Config::builder().with_crypto_provider(dimpl::crypto::rust_crypto::default_provider()).build();
        let config = config.inspect_err(|error| warn!(%error, "DTLS is not available")).ok()?;
        let certificate =
            DtlsCertificate { certificate: identity.certificate.clone(), private_key: identity.key.clone() };
        Some(Self { config: Arc::new(config), certificate, workers, sessions: HashMap::new() })
    }

    /// Runs until told to stop or until nobody is left who could.
    pub(crate) fn run(mut self, jobs: &Receiver<DtlsJob>) {
        loop {
            let now = Instant::now();
            let next = self.sessions.values().map(|session| session.next).min();
            let wait =
                next.map_or(LOOK_AT_LEAST, |next| next.saturating_duration_since(now).min(LOOK_AT_LEAST));
            match jobs.recv_timeout(wait) {
                Ok(DtlsJob::Begin { call, worker, active, fingerprint }) => {
                    self.begin(call, worker, active, fingerprint);
                }
                Ok(DtlsJob::Datagram { call, bytes }) => {
                    self.drive(call, |dtls| dtls.handle_packet(&bytes).map_err(|error| error.to_string()));
                }
                Ok(DtlsJob::End { call }) => drop(self.sessions.remove(&call)),
                Ok(DtlsJob::Shutdown) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            let due: Vec<MediaCallId> = self
                .sessions
                .iter()
                .filter(|(_, session)| session.next <= now)
                .map(|(call, _)| *call)
                .collect();
            for call in due {
                self.drive(call, |dtls| dtls.handle_timeout(now).map_err(|error| error.to_string()));
            }
        }
    }

    fn begin(&mut self, call: MediaCallId, worker: usize, active: bool, fingerprint: [u8; 32]) {
        if let Some(known) = self.sessions.get(&call)
            && (known.active, known.fingerprint) == (active, fingerprint)
        {
            // The session was described again, and goes on.
            return;
        }
        if self.sessions.len() >= SESSIONS_MAX {
            return warn!(call = call.0, "too many DTLS sessions: a call stays without keys");
        }
        let now = Instant::now();
        let mut dtls = Dtls::new_auto(self.config.clone(), self.certificate.clone(), now);
        if active {
            dtls.set_active(true);
        }
        let session =
            Session { dtls, worker, active, fingerprint, is_right_peer: false, keys: None, next: now };
        self.sessions.insert(call, session);
        self.drive(call, |dtls| dtls.handle_timeout(now).map_err(|error| error.to_string()));
    }

    /// Does something to a session and carries out what it wants.
    fn drive(&mut self, call: MediaCallId, act: impl FnOnce(&mut Dtls) -> Result<(), String>) {
        let Some(session) = self.sessions.get_mut(&call) else { return };
        let Some(worker) = self.workers.get(session.worker) else { return };
        let mut failed = act(&mut session.dtls).err();
        let mut buffer = vec![0; DATAGRAM_BYTES];
        session.next = Instant::now() + LOOK_AT_LEAST;
        while failed.is_none() {
            match session.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => {
                    let _ = worker.send(Command::SendDtls { call, bytes: packet.to_vec() });
                }
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::Timeout(at) => {
                    session.next = at;
                    break;
                }
                Output::PeerCert(certificate) => {
                    session.is_right_peer = Sha256::digest(certificate)[..] == session.fingerprint;
                    if !session.is_right_peer {
                        failed = Some("the certificate is not the one that was announced".to_owned());
                    }
                }
                Output::KeyingMaterial(material, profile) => {
                    session.keys = keys(&material, profile, session.active);
                }
                Output::Connected => debug!(call = call.0, "DTLS handshake done"),
                Output::CloseNotify => break,
                _ => {}
            }
        }
        if session.is_right_peer
            && let Some((send, receive)) = session.keys.take()
        {
            let _ = worker.send(Command::SetKeys { call, keys: Box::new((send, receive)) });
        }
        if let Some(error) = failed {
            info!(call = call.0, error, "a DTLS handshake failed: the call stays without keys");
            self.sessions.remove(&call);
        }
    }
}

/// The keys of both directions, ours first (RFC 5764, 4.2).
fn keys(material: &[u8], profile: SrtpProfile, active: bool) -> Option<(MasterKey, MasterKey)> {
    let suite = match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Suite::AesCm128HmacSha1_80,
        SrtpProfile::AEAD_AES_128_GCM => Suite::AeadAes128Gcm,
        SrtpProfile::AEAD_AES_256_GCM => Suite::AeadAes256Gcm,
        _ => return None,
    };
    let (key, salt) = (suite.key_bytes(), suite.salt_bytes());
    let part = |start: usize, length: usize| material.get(start..start + length);
    let client = [part(0, key)?, part(2 * key, salt)?].concat();
    let server = [part(key, key)?, part(2 * key + salt, salt)?].concat();
    let (ours, theirs) = if active { (client, server) } else { (server, client) };
    Some((MasterKey::new(suite, &ours)?, MasterKey::new(suite, &theirs)?))
}
