//! `[hep]`: a capture server.

use anyhow::bail;
use serde::{Deserialize, Serialize};

/// `[hep]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Hep {
    /// The capture server that is sent all messages of calls, as `udp:host:port`. Empty: none.
    pub(crate) to: String,
    /// Which of its agents this service is.
    pub(crate) agent_id: u32,
}

impl Default for Hep {
    fn default() -> Self {
        Self { to: String::new(), agent_id: 2001 }
    }
}

impl Hep {
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let is_address = |target: &str| {
            target
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        if !self.to.is_empty() && !self.target().is_some_and(|target| is_address(&target)) {
            bail!("[hep] to is `{}`: write udp:HOST:PORT, as in \"udp:capture.example.org:9060\"", self.to);
        }
        Ok(())
    }

    /// Host and port.
    pub(crate) fn target(&self) -> Option<String> {
        self.to.strip_prefix("udp:").map(str::to_owned)
    }
}
