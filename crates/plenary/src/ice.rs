//! The servers that help a browser with ICE (RFC 8445): STUN servers that show it its own address, TURN servers that relay its
//! audio. Credentials for TURN are made for each that asks, as in "A REST API For Access To TURN Services": the name is when
//! they end and whose they are, the password its HMAC-SHA1 with a secret that the TURN server has too.

use anyhow::bail;
use data_encoding::BASE64;
use hmac::{Hmac, Mac};
use plenary_conference::Timestamp;
use plenary_sip::IceServers;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// `[ice]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct IceConfig {
    /// `stun:` and `stuns:` URIs (RFC 7064).
    pub(crate) stun: Vec<String>,
    /// `turn:` and `turns:` URIs (RFC 7065).
    pub(crate) turn: Vec<String>,
    /// The secret that is shared with the TURN servers.
    pub(crate) turn_secret: Secret,
    /// How long credentials hold, in seconds.
    pub(crate) turn_seconds: u32,
}

/// A text that is not shown in logs.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(none)" } else { "(secret)" })
    }
}

impl Default for IceConfig {
    fn default() -> Self {
        Self { stun: Vec::new(), turn: Vec::new(), turn_secret: Secret::default(), turn_seconds: 86_400 }
    }
}

/// One `RTCIceServer` of WebRTC 1.0, section 4.2.4.
#[derive(Debug, Serialize)]
struct Server<'a> {
    urls: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
}

impl IceConfig {
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let lists = [("stun", &self.stun, ["stun:", "stuns:"]), ("turn", &self.turn, ["turn:", "turns:"])];
        for (key, uris, schemes) in lists {
            for uri in uris {
                let rest = schemes.iter().find_map(|scheme| uri.strip_prefix(scheme));
                if rest.is_none_or(|rest| {
                    rest.is_empty() || rest.contains(|c: char| c.is_whitespace() || c == '/')
                }) {
                    bail!(
                        "[ice] {key} has `{uri}`: write {0}HOST:PORT or {1}HOST:PORT, without slashes",
                        schemes[0],
                        schemes[1]
                    );
                }
            }
        }
        if !self.turn.is_empty() && self.turn_secret.0.is_empty() {
            bail!(
                "[ice] turn names servers and turn_secret is empty: it is the secret that these servers have too"
            );
        }
        if !(60..=604_800).contains(&self.turn_seconds) {
            bail!("[ice] turn_seconds is {}: 60 to 604800 seconds (a week) are allowed", self.turn_seconds);
        }
        Ok(())
    }

    /// What is announced to a client, as JSON.
    fn servers(&self, client: &str, now: Timestamp) -> String {
        let mut servers = Vec::new();
        if !self.stun.is_empty() {
            servers.push(Server { urls: &self.stun, username: None, credential: None });
        }
        if !self.turn.is_empty() {
            let expires = now.0.div_euclid(1000) + i64::from(self.turn_seconds);
            let username = format!("{expires}:{client}");
            let mut mac = <Hmac<Sha1> as Mac>::new_from_slice(self.turn_secret.0.as_bytes())
                .expect("HMAC takes keys of any length");
            mac.update(username.as_bytes());
            let credential = BASE64.encode(&mac.finalize().into_bytes());
            servers.push(Server { urls: &self.turn, username: Some(username), credential: Some(credential) });
        }
        serde_json::to_string(&servers).expect("plain data becomes JSON")
    }
}

/// The settings as the signalling asks for them, and as a reload changes them.
#[derive(Debug, Clone)]
pub(crate) struct SharedIce(Arc<RwLock<IceConfig>>);

impl SharedIce {
    pub(crate) fn new(config: IceConfig) -> Self {
        Self(Arc::new(RwLock::new(config)))
    }

    pub(crate) fn set(&self, config: IceConfig) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    pub(crate) fn for_signalling(&self) -> IceServers {
        let shared = self.clone();
        IceServers(Arc::new(move |client| {
            let config = shared.0.read().unwrap_or_else(PoisonError::into_inner);
            config.servers(client, crate::clock::wall_now())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> IceConfig {
        IceConfig {
            stun: vec!["stun:stun.example.com:3478".into()],
            turn: vec!["turn:turn.example.com:3478?transport=udp".into(), "turns:turn.example.com".into()],
            turn_secret: Secret("north".into()),
            turn_seconds: 3600,
        }
    }

    #[test]
    fn credentials_are_those_that_a_turn_server_reckons_from_the_same_secret() {
        assert_eq!(IceConfig::default().servers("alice", Timestamp(0)), "[]");
        let servers: serde_json::Value =
            serde_json::from_str(&full().servers("alice", Timestamp(1_000_000_000))).unwrap();
        // printf '1003600:alice' | openssl dgst -sha1 -hmac north -binary | base64
        let expected = serde_json::json!([
            { "urls": ["stun:stun.example.com:3478"] },
            { "urls": ["turn:turn.example.com:3478?transport=udp", "turns:turn.example.com"],
              "username": "1003600:alice", "credential": "udLEuyyDOwk3mLEbdxPxYtNXKVA=" },
        ]);
        assert_eq!(servers, expected);
    }

    #[test]
    fn the_secret_is_not_shown() {
        let shown = format!("{:?}", full());
        assert!(!shown.contains("north") && shown.contains("(secret)"), "{shown}");
    }

    #[test]
    fn what_is_no_server_is_refused_by_name() {
        full().check().unwrap();
        for (change, named) in [
            (IceConfig { stun: vec!["http://x".into()], ..full() }, "[ice] stun has `http://x`"),
            (IceConfig { turn: vec!["stun:x".into()], ..full() }, "[ice] turn has `stun:x`"),
            (IceConfig { turn: vec!["turn:".into()], ..full() }, "[ice] turn has `turn:`"),
            (IceConfig { turn_secret: Secret::default(), ..full() }, "turn_secret is empty"),
            (IceConfig { turn_seconds: 5, ..full() }, "turn_seconds is 5"),
        ] {
            let error = change.check().unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
