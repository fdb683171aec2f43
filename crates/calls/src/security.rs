//! What the service brings to the protection of audio.

use crate::random::Random;
use data_encoding::BASE64_NOPAD;
use plenary_sip::sdp::{IceCredentials, LocalSecurity, Policy};

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

    /// Of one call: keys of its own. `is_secret`: its signalling is encrypted.
    pub(crate) fn local(&self, policy: Policy, is_secret: bool, random: &mut Random) -> LocalSecurity {
        let mut local = LocalSecurity { policy, ..LocalSecurity::off() };
        if policy != Policy::Off {
            random.fill(&mut local.seed);
            local.fingerprint = self.fingerprint;
            local.offers_keys = is_secret;
        }
        local
    }
}

/// Unguessable names in ICE: 24 bits tell calls apart, 144 keep strangers out (RFC 8445, 5.3).
pub(crate) fn ice_credentials(random: &mut Random) -> IceCredentials {
    let random: [u8; 24] = random.bytes();
    IceCredentials { ufrag: BASE64_NOPAD.encode(&random[..6]), pwd: BASE64_NOPAD.encode(&random[6..]) }
}
