//! A route by which an outgoing call can be placed.

use plenary_model::Trunk;
use plenary_sip::{DialSpec, sdp::Policy};
use std::sync::Arc;

/// One route to the called side.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    /// The trunk; `None`: a telephone or browser that registered here.
    pub(crate) trunk: Option<Arc<Trunk>>,
    /// URI, From, proxies and flow. The offer is added when the route is tried.
    pub(crate) spec: DialSpec,
    pub(crate) srtp: Policy,
    /// The signalling is encrypted, so SDES keys may be offered.
    pub(crate) is_secure: bool,
    /// A browser: only DTLS-SRTP with ICE.
    pub(crate) is_browser: bool,
}
