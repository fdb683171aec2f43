//! Webhooks.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// `[webhooks]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WebhookConfig {
    /// Networks that events may be sent to beside the internet, also without TLS.
    pub(crate) allow: Vec<IpNet>,
}
