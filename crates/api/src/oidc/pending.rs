//! What is known of a sign-in while its person is at the provider: sealed in a cookie of their browser, so that nothing is kept
//! here for those who do not come back, and only the browser that began can come back.
//!
//! The key is this process's own. A restart in between ends those that are under way; they begin anew.

use aes_gcm::{Aes256Gcm, KeyInit, aead::Aead};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::{HashSet, VecDeque},
    fmt,
    sync::{Mutex, PoisonError},
};

/// How long a person may be at the provider.
pub(crate) const PENDING_SECONDS: i64 = 600;
const NONCE_BYTES: usize = 12;
/// Sign-ins that came back within [`PENDING_SECONDS`] and are known not to count again. Of more the oldest is forgotten; the
/// provider takes a code once in any case (RFC 6749, 4.1.2).
const USED_MAX: usize = 10_000;

/// A sign-in that is under way.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// What comes back beside the code.
    pub(super) state: String,
    /// What the ID token has to repeat.
    pub(super) nonce: String,
    /// What proves that we are who asked for the code (RFC 7636).
    pub(super) verifier: String,
    /// Where the person goes afterwards: a path of the console.
    pub(crate) next: String,
    /// When it began.
    pub(super) at_ms: i64,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Pending {
    /// Whether this is what came back with a code.
    pub(crate) fn is_of(&self, state: &str) -> bool {
        // Hashes take as long to compare wherever they differ first.
        Sha256::digest(&self.state) == Sha256::digest(state)
    }
}

/// Seals sign-ins that are under way, and knows which have come back.
pub(crate) struct Pendings {
    cipher: Aes256Gcm,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    states: HashSet<[u8; 32]>,
    order: VecDeque<(i64, [u8; 32])>,
}

impl Default for Pendings {
    fn default() -> Self {
        let key: [u8; 32] = random();
        Self { cipher: Aes256Gcm::new(&key.into()), used: Mutex::default() }
    }
}

impl Pendings {
    /// As the cookie holds it: letters, digits, `-` and `_`.
    pub(crate) fn seal(&self, pending: &Pending) -> Option<String> {
        let nonce: [u8; NONCE_BYTES] = random();
        let text = serde_json::to_vec(pending).ok()?;
        let sealed = self.cipher.encrypt(&nonce.into(), &*text).ok()?;
        Some(BASE64URL_NOPAD.encode(&[&nonce[..], &sealed].concat()))
    }

    /// What a cookie holds, if it is one of ours and not too old.
    pub(crate) fn open(&self, cookie: &str, now_ms: i64) -> Option<Pending> {
        let bytes = BASE64URL_NOPAD.decode(cookie.as_bytes()).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let text = self.cipher.decrypt(nonce.into(), sealed).ok()?;
        let pending: Pending = serde_json::from_slice(&text).ok()?;
        let age_ms = now_ms.saturating_sub(pending.at_ms);
        (0..PENDING_SECONDS * 1000).contains(&age_ms).then_some(pending)
    }

    /// Notes that a sign-in has come back. `false`: it has before.
    pub(crate) fn use_up(&self, pending: &Pending, now_ms: i64) -> bool {
        let state: [u8; 32] = Sha256::digest(&pending.state).into();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((at_ms, oldest)) = used.order.front().copied() {
            if used.order.len() < USED_MAX && now_ms.saturating_sub(at_ms) < PENDING_SECONDS * 1000 {
                break;
            }
            used.order.pop_front();
            used.states.remove(&oldest);
        }
        if !used.states.insert(state) {
            return false;
        }
        used.order.push_back((now_ms, state));
        true
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel's generator does not fail once the system has started");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending() -> Pending {
        Pending {
            state: "s".into(),
            nonce: "n".into(),
            verifier: "v".into(),
            next: "/console/".into(),
            at_ms: 1000,
        }
    }

    #[test]
    fn a_sealed_sign_in_is_opened_by_who_sealed_it_for_ten_minutes() {
        let (ours, theirs) = (Pendings::default(), Pendings::default());
        let sealed = ours.seal(&pending()).unwrap();
        assert!(sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{sealed}");
        assert_eq!(ours.open(&sealed, 1000), Some(pending()));
        assert_eq!(ours.open(&sealed, 600_999), Some(pending()));
        assert_eq!(ours.open(&sealed, 601_000), None, "too late");
        assert_eq!(ours.open(&sealed, 999), None, "before it began");
        assert_eq!(theirs.open(&sealed, 1000), None);
        let mut changed = sealed.clone();
        let last = if changed.pop() == Some('A') { 'B' } else { 'A' };
        changed.push(last);
        for odd in ["", "A", &sealed[1..], &changed, "…"] {
            assert_eq!(ours.open(odd, 1000), None, "{odd}");
        }
        assert!(pending().is_of("s") && !pending().is_of("S") && !pending().is_of(""));
    }

    #[test]
    fn a_sign_in_comes_back_once_and_what_is_remembered_of_it_has_a_bound() {
        let pendings = Pendings::default();
        assert!(pendings.use_up(&pending(), 1000));
        assert!(!pendings.use_up(&pending(), 600_999));
        for number in 0..USED_MAX + 5 {
            let other = Pending { state: format!("{number}"), ..pending() };
            assert!(pendings.use_up(&other, 601_000));
        }
        let used = pendings.used.lock().unwrap();
        assert_eq!((used.states.len(), used.order.len()), (USED_MAX, USED_MAX));
    }
}
