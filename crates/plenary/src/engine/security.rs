//! What the service brings to the protection of audio.

use plenary_sip::sdp::{LocalSecurity, Policy};

/// What all calls have in common.
#[derive(Debug, Clone)]
pub(crate) struct Security {
    fingerprint: Option<[u8; 32]>,
}

impl Security {
    /// `fingerprint`: SHA-256 of the certificate for DTLS.
    pub(crate) fn new(fingerprint: Option<[u8; 32]>) -> Self {
        Self { fingerprint }
    }

    /// Of one call: keys that nobody else has. `is_secret`: its signalling is encrypted.
    pub(crate) fn local(&self, policy: Policy, is_secret: bool) -> LocalSecurity {
        let mut local = LocalSecurity { policy, ..LocalSecurity::off() };
        if policy != Policy::Off {
            getrandom::fill(&mut local.seed).expect("the system has random numbers");
            local.fingerprint = self.fingerprint;
            local.offers_keys = is_secret;
        }
        local
    }
}
