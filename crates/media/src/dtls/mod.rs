//! Handshakes of DTLS-SRTP (RFC 5764), on a thread of their own: they take milliseconds, which media threads do not have.
//!
//! Media threads pass DTLS datagrams to this thread; the datagrams to send, and finally the keys, go back to them as
//! commands. Two crates do the work: [`modern`] if the other side begins and offers DTLS 1.3, as browsers do, and
//! [`classic`] for all others, because `modern` does not support RSA, which the certificates of many telephones use.

mod classic;
mod modern;
mod outcome;

use crate::{
    MasterKey, MediaCallId, Suite, command::WorkerCommand, params::DtlsIdentity, ports::Channel,
    route::CommandRouter,
};
use classic::Classic;
use dimpl::{Config, DtlsCertificate};
use modern::Modern;
use outcome::Outcome;
use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::{Duration, Instant},
};
use tracing::{debug, info, warn};

/// Sessions are checked at least this often.
const CHECK_AT_LEAST: Duration = Duration::from_secs(1);
/// Datagrams that wait for the thread; beyond this number they are dropped, and the handshakes retransmit them.
const DATAGRAMS_WAITING_MAX: usize = 4096;
/// Sessions at a time: each holds about 20 kB.
const SESSIONS_MAX: usize = 20_000;
/// Time limit of a handshake, from the answer of the call on.
const HANDSHAKE_MAX: Duration = Duration::from_secs(60);
/// Octets that a session accepts in all; a handshake takes about 5000.
const BYTES_MAX: usize = 65_536;
/// Attempts at a handshake: an unauthenticated alert, which a stranger can forge, must not end it.
const ATTEMPTS_MAX: u32 = 5;

/// A job for the thread.
#[derive(Debug)]
enum Job {
    Begin { key: Key, active: bool, fingerprint: [u8; 32] },
    Datagram { key: Key, bytes: Vec<u8> },
    End { call: MediaCallId },
    Shutdown,
}

/// The queue to the thread. Only datagrams are bounded: there are a few other jobs for each call.
#[derive(Debug, Clone)]
pub(crate) struct HandshakeQueue {
    jobs: Sender<Job>,
    datagrams_waiting: Arc<AtomicUsize>,
}

/// The thread's end of the queue.
#[derive(Debug)]
pub(crate) struct HandshakeJobs {
    jobs: Receiver<Job>,
    datagrams_waiting: Arc<AtomicUsize>,
}

impl HandshakeQueue {
    pub(crate) fn new() -> (Self, HandshakeJobs) {
        let (sender, receiver) = channel();
        let datagrams_waiting = Arc::new(AtomicUsize::new(0));
        (
            Self { jobs: sender, datagrams_waiting: Arc::clone(&datagrams_waiting) },
            HandshakeJobs { jobs: receiver, datagrams_waiting },
        )
    }

    /// Begins the handshake of a stream. Again with the same role and fingerprint: the session continues.
    pub(crate) fn begin(&self, call: MediaCallId, channel: Channel, active: bool, fingerprint: [u8; 32]) {
        let _ = self.jobs.send(Job::Begin { key: (call, channel), active, fingerprint });
    }

    /// Passes on a datagram of a handshake. Dropped if too many wait.
    pub(crate) fn take(&self, call: MediaCallId, channel: Channel, bytes: Vec<u8>) {
        if self.datagrams_waiting.fetch_add(1, Ordering::Relaxed) < DATAGRAMS_WAITING_MAX {
            let _ = self.jobs.send(Job::Datagram { key: (call, channel), bytes });
        } else {
            self.datagrams_waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Ends the sessions of a call.
    pub(crate) fn end(&self, call: MediaCallId) {
        let _ = self.jobs.send(Job::End { call });
    }

    pub(crate) fn shut_down(&self) {
        let _ = self.jobs.send(Job::Shutdown);
    }
}

impl HandshakeJobs {
    fn next(&self, within: Duration) -> Result<Job, RecvTimeoutError> {
        let job = self.jobs.recv_timeout(within)?;
        if matches!(job, Job::Datagram { .. }) {
            self.datagrams_waiting.fetch_sub(1, Ordering::Relaxed);
        }
        Ok(job)
    }
}

/// Identifies a session: RTP and RTCP have one each if they have a port each.
type Key = (MediaCallId, Channel);

enum Engine {
    /// No ClientHello has arrived yet, which decides between the other two.
    Waiting,
    Modern(Box<Modern>),
    Classic(Box<Classic>),
}

struct Session {
    engine: Engine,
    active: bool,
    fingerprint: [u8; 32],
    began: Instant,
    next: Instant,
    bytes: usize,
    attempts: u32,
    done: bool,
}

/// The state of the thread.
pub(crate) struct Handshakes {
    config: Arc<Config>,
    certificate: DtlsCertificate,
    classic: classic::Shared,
    router: CommandRouter,
    sessions: HashMap<Key, Session>,
}

impl Handshakes {
    pub(crate) fn new(identity: &DtlsIdentity, router: CommandRouter) -> Option<Self> {
        let config =
            Config::builder().with_crypto_provider(dimpl::crypto::rust_crypto::default_provider()).build();
        let config = config.inspect_err(|error| warn!(%error, "DTLS is not available")).ok()?;
        let classic =
            classic::Shared::new(identity).inspect_err(|error| warn!(error, "DTLS is not available")).ok()?;
        let certificate =
            DtlsCertificate { certificate: identity.certificate.clone(), private_key: identity.key.clone() };
        Some(Self { config: Arc::new(config), certificate, classic, router, sessions: HashMap::new() })
    }

    /// Runs until [`HandshakeQueue::shut_down`], or until the last queue is gone.
    pub(crate) fn run(mut self, jobs: &HandshakeJobs) {
        loop {
            let now = Instant::now();
            let next =
                self.sessions.values().filter(|session| !session.done).map(|session| session.next).min();
            let wait =
                next.map_or(CHECK_AT_LEAST, |next| next.saturating_duration_since(now).min(CHECK_AT_LEAST));
            match jobs.next(wait) {
                Ok(Job::Begin { key, active, fingerprint }) => {
                    self.begin(key, active, fingerprint);
                }
                Ok(Job::Datagram { key, bytes }) => self.take(key, &bytes),
                Ok(Job::End { call }) => {
                    for channel in [Channel::Rtp, Channel::Rtcp] {
                        self.sessions.remove(&(call, channel));
                    }
                }
                Ok(Job::Shutdown) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.look_after(Instant::now());
        }
    }

    fn begin(&mut self, key: Key, active: bool, fingerprint: [u8; 32]) {
        if let Some(known) = self.sessions.get(&key)
            && (known.active, known.fingerprint) == (active, fingerprint)
        {
            // The same session was described again: it continues.
            return;
        }
        if self.sessions.len() >= SESSIONS_MAX {
            return warn!(call = key.0.0, "too many DTLS sessions: a call gets no keys");
        }
        let now = Instant::now();
        let session = Session {
            engine: Engine::Waiting,
            active,
            fingerprint,
            began: now,
            next: now + CHECK_AT_LEAST,
            bytes: 0,
            attempts: 0,
            done: false,
        };
        self.sessions.insert(key, session);
        if active {
            self.start(key, now);
        }
    }

    /// Begins a handshake as the client.
    fn start(&mut self, key: Key, now: Instant) {
        let shared = self.classic.clone();
        self.drive(key, now, |session, out| {
            let mut classic = Classic::new(&shared, true, session.fingerprint, now)?;
            classic.send(out);
            session.engine = Engine::Classic(Box::new(classic));
            Ok(())
        });
    }

    fn take(&mut self, key: Key, bytes: &[u8]) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        session.bytes += bytes.len();
        if session.bytes > BYTES_MAX {
            return;
        }
        // After the handshake only encrypted records count: a stranger can forge all others.
        if session.done && !is_encrypted(bytes) {
            return;
        }
        let now = Instant::now();
        if let Engine::Waiting = session.engine
            && !session.active
        {
            let Some(offers_13) = client_hello(bytes) else { return };
            session.engine = if offers_13 {
                let modern = Modern::new(&self.config, &self.certificate, session.fingerprint, now);
                Engine::Modern(Box::new(modern))
            } else {
                match Classic::new(&self.classic, false, session.fingerprint, now) {
                    Ok(classic) => Engine::Classic(Box::new(classic)),
                    Err(error) => return warn!(call = key.0.0, error, "a DTLS handshake cannot begin"),
                }
            };
        }
        self.drive(key, now, |session, out| match &mut session.engine {
            Engine::Waiting => Ok(()),
            Engine::Modern(modern) => modern.datagram(bytes, out),
            Engine::Classic(classic) => classic.datagram(bytes, now, out),
        });
    }

    /// Retransmits unanswered flights, and ends handshakes that take too long.
    fn look_after(&mut self, now: Instant) {
        let due: Vec<Key> = self
            .sessions
            .iter()
            .filter(|(_, session)| !session.done && session.next <= now)
            .map(|(key, _)| *key)
            .collect();
        for key in due {
            let Some(session) = self.sessions.get_mut(&key) else { continue };
            if now.saturating_duration_since(session.began) > HANDSHAKE_MAX {
                info!(call = key.0.0, "no DTLS handshake within a minute: the call gets no keys");
                self.sessions.remove(&key);
                continue;
            }
            match (&session.engine, session.active) {
                (Engine::Waiting, true) => self.start(key, now),
                (Engine::Waiting, false) => session.next = now + CHECK_AT_LEAST,
                _ => self.drive(key, now, |session, out| match &mut session.engine {
                    Engine::Waiting => Ok(()),
                    Engine::Modern(modern) => modern.timeout(now, out),
                    Engine::Classic(classic) => classic.timeout(now, out),
                }),
            }
        }
    }

    /// Calls `act` for a session and carries out its outcomes.
    fn drive(
        &mut self,
        key: Key,
        now: Instant,
        act: impl FnOnce(&mut Session, &mut Vec<Outcome>) -> Result<(), String>,
    ) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let router = &self.router;
        let mut outcomes = Vec::new();
        // The bytes come from the network: if they make a handshake panic, that handshake alone ends.
        let result = catch_unwind(AssertUnwindSafe(|| act(session, &mut outcomes)))
            .unwrap_or_else(|_| Err("an internal error".to_owned()));
        for outcome in outcomes {
            match outcome {
                Outcome::Send(bytes) => {
                    router.to_call(key.0, WorkerCommand::SendDtls { call: key.0, channel: key.1, bytes });
                }
                Outcome::Keys(material, suite) if !session.done => {
                    if let Some(keys) = keys(&material, suite, session.active) {
                        session.done = true;
                        debug!(call = key.0.0, suite = suite.name(), "DTLS handshake done");
                        let keys = Box::new(keys);
                        let command = WorkerCommand::SetKeys { call: key.0, channel: key.1, keys };
                        router.to_call(key.0, command);
                    }
                }
                Outcome::Keys(..) => {}
                // Before the handshake is complete, a stranger can forge a close.
                Outcome::Closed if session.done && key.1 == Channel::Rtp => {
                    debug!(call = key.0.0, "the other side has closed its DTLS session");
                    router.to_call(key.0, WorkerCommand::DtlsClosed { call: key.0 });
                }
                Outcome::Closed => {}
            }
        }
        let next = match &session.engine {
            Engine::Waiting => None,
            Engine::Modern(modern) => modern.next(),
            Engine::Classic(classic) => classic.next(),
        };
        session.next = next.unwrap_or(now + CHECK_AT_LEAST);
        let Err(error) = result else { return };
        // The keys hold, whatever fails after they are known.
        if session.done {
            return;
        }
        session.attempts += 1;
        if session.attempts < ATTEMPTS_MAX {
            info!(call = key.0.0, error, "a DTLS handshake failed and may begin again");
            session.engine = Engine::Waiting;
            session.next = now + CHECK_AT_LEAST;
        } else {
            info!(call = key.0.0, error, "DTLS handshakes failed: the call gets no keys");
            self.sessions.remove(&key);
        }
    }
}

/// Whether all records of a datagram are encrypted: DTLS 1.3 gives these a unified header (RFC 9147, 4), DTLS 1.2 an epoch
/// after the first (RFC 6347, 4.1).
fn is_encrypted(datagram: &[u8]) -> bool {
    const LEGACY_HEADER: usize = 13;
    let mut rest = datagram;
    while let Some(first) = rest.first() {
        let length = if first & 0b1110_0000 == 0b0010_0000 {
            let (has_id, has_long_number, has_length) =
                (first & 0b1_0000 != 0, first & 0b1000 != 0, first & 0b100 != 0);
            if has_id {
                // Connection ids are never negotiated.
                return false;
            }
            let header = if has_long_number { 3 } else { 2 };
            match (has_length, rest.get(header..header + 2)) {
                (true, Some(length)) => header + 2 + usize::from(u16::from_be_bytes([length[0], length[1]])),
                (true, None) => return false,
                (false, _) => rest.len(),
            }
        } else {
            match rest.get(..LEGACY_HEADER) {
                Some(header) if header[3..5] != [0, 0] => {
                    LEGACY_HEADER + usize::from(u16::from_be_bytes([header[11], header[12]]))
                }
                Some(_) | None => return false,
            }
        };
        match rest.get(length..) {
            Some(more) => rest = more,
            None => return false,
        }
    }
    !datagram.is_empty()
}

/// `None`: the datagram does not begin a handshake (RFC 6347, 4.2.2). Otherwise, whether it offers DTLS 1.3: it then lists
/// one of its ciphers (RFC 8446, B.4). These are in the first fragment, while the extensions may not be.
fn client_hello(bytes: &[u8]) -> Option<bool> {
    const HANDSHAKE: u8 = 22;
    const CLIENT_HELLO: u8 = 1;
    const RECORD_HEADER: usize = 13;
    const HANDSHAKE_HEADER: usize = 12;
    let body = bytes.get(RECORD_HEADER..)?;
    let is_first = bytes[0] == HANDSHAKE && *body.first()? == CLIENT_HELLO && body.get(6..9)? == [0; 3];
    if !is_first {
        return None;
    }
    // Version and random, then session id and cookie.
    let mut rest = body.get(HANDSHAKE_HEADER + 34..)?;
    for _ in 0..2 {
        let (length, after) = rest.split_first()?;
        rest = after.get(usize::from(*length)..)?;
    }
    let (length, ciphers) = rest.split_first_chunk::<2>()?;
    let ciphers = ciphers.get(..usize::from(u16::from_be_bytes(*length)))?;
    Some(ciphers.chunks_exact(2).any(|cipher| cipher[0] == 0x13 && (1..=5).contains(&cipher[1])))
}

/// The keys of both directions (RFC 5764, 4.2), for sending first.
fn keys(material: &[u8], suite: Suite, active: bool) -> Option<(MasterKey, MasterKey)> {
    let (key, salt) = (suite.key_bytes(), suite.salt_bytes());
    let part = |start: usize, length: usize| material.get(start..start + length);
    let client = [part(0, key)?, part(2 * key, salt)?].concat();
    let server = [part(key, key)?, part(2 * key + salt, salt)?].concat();
    let (ours, theirs) = if active { (client, server) } else { (server, client) };
    Some((MasterKey::new(suite, &ours)?, MasterKey::new(suite, &theirs)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgeable_records_are_distinguished_from_encrypted_ones() {
        let legacy =
            |kind: u8, epoch: u8| [&[kind, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 9, 0, 2][..], &[1, 0]].concat();
        let unified = [0b0010_1100, 0, 7, 0, 3, 1, 2, 3];
        let without_length = [0b0010_1000, 0, 7, 1, 2, 3];
        assert!(is_encrypted(&legacy(21, 1)) && is_encrypted(&unified) && is_encrypted(&without_length));
        assert!(is_encrypted(&[&unified[..], &legacy(21, 1), &without_length].concat()));
        // An alert in the clear, alone or after an encrypted record.
        assert!(!is_encrypted(&legacy(21, 0)) && !is_encrypted(&[&unified[..], &legacy(21, 0)].concat()));
        for broken in [&[][..], &unified[..7], &unified[..2], &legacy(21, 1)[..14], &[0b0011_0000, 0, 0, 0]] {
            assert!(!is_encrypted(broken), "{broken:?}");
        }
    }

    #[test]
    fn a_flood_of_datagrams_is_dropped_and_other_jobs_are_not() {
        let (queue, jobs) = HandshakeQueue::new();
        let call = MediaCallId(1);
        let flood =
            || (0..DATAGRAMS_WAITING_MAX + 100).for_each(|_| queue.take(call, Channel::Rtp, vec![22; 100]));
        let waiting = || std::iter::from_fn(|| jobs.next(Duration::ZERO).ok()).collect::<Vec<_>>();
        flood();
        queue.begin(MediaCallId(2), Channel::Rtp, false, [0; 32]);
        queue.end(call);
        let all = waiting();
        assert_eq!(all.len(), DATAGRAMS_WAITING_MAX + 2);
        assert!(matches!(all[all.len() - 2..], [Job::Begin { .. }, Job::End { .. }]));
        // Reading makes room again.
        flood();
        assert_eq!(waiting().len(), DATAGRAMS_WAITING_MAX);
    }
}
