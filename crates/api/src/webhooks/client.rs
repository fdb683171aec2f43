//! One POST over a connection of its own (RFC 9112): the addresses of the name are checked, and one of those that were checked is
//! connected to. No redirect is followed, and of the answer only the status and `Retry-After` are of interest.

use super::address::{is_allowed, is_public};
use crate::outgoing::{CONNECTED_WITHIN, connect};
use ipnet::IpNet;
use plenary_model::WebhookUrl;
use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::lookup_host,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};

/// How long a message may take in all.
pub(super) const SENT_WITHIN: Duration = Duration::from_secs(15);
/// The longest head of an answer.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// So much of the body of an answer is read, so that the other side can end in peace.
const BODY_BYTES_MAX: u64 = 64 * 1024;
const BODY_WITHIN: Duration = Duration::from_secs(1);

/// Why no status came.
#[derive(Debug, Error)]
pub(super) enum SendError {
    #[error("the host cannot be found: {0}")]
    Unresolved(String),
    /// The address is not named: one who may make webhooks need not know what names mean within our network.
    #[error(
        "the host is not at an address of the internet: the configuration has to allow it ([webhooks] allow)"
    )]
    Forbidden,
    #[error("http:// is only for addresses that the configuration allows: use https://")]
    Unprotected,
    #[error("cannot be connected to: {0}")]
    Unreachable(String),
    #[error("no TLS: {0}")]
    Tls(String),
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("no answer within {} seconds", SENT_WITHIN.as_secs())]
    TooSlow,
    #[error("the answer is not HTTP/1.1")]
    NotHttp,
}

/// What is sent.
pub(super) struct Message<'a> {
    pub(super) id: &'a str,
    /// Seconds since the epoch.
    pub(super) seconds: i64,
    pub(super) signatures: &'a str,
    pub(super) body: &'a str,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) status: u16,
    /// How long the other side wants to be left alone (RFC 9110, 10.2.3).
    pub(super) retry_after: Option<Duration>,
}

/// Sends messages.
#[derive(Clone)]
pub(super) struct Client {
    tls: Arc<ClientConfig>,
    allow: Arc<[IpNet]>,
}

impl Client {
    pub(super) fn new(tls: Arc<ClientConfig>, allow: Vec<IpNet>) -> Self {
        Self { tls, allow: allow.into() }
    }

    /// Sends a message.
    pub(super) async fn post(&self, url: &WebhookUrl, message: &Message<'_>) -> Result<Answered, SendError> {
        timeout(SENT_WITHIN, self.try_post(url, message)).await.unwrap_or(Err(SendError::TooSlow))
    }

    async fn try_post(&self, url: &WebhookUrl, message: &Message<'_>) -> Result<Answered, SendError> {
        let stream = connect(&self.addresses(url).await?).await.map_err(SendError::Unreachable)?;
        if !url.is_secure {
            return exchange(stream, url, message).await;
        }
        let name =
            ServerName::try_from(url.host.clone()).map_err(|error| SendError::Tls(error.to_string()))?;
        let shaken =
            timeout(CONNECTED_WITHIN, TlsConnector::from(self.tls.clone()).connect(name, stream)).await;
        let stream = shaken.map_err(|_| SendError::Tls("no answer".to_owned()))?;
        exchange(stream.map_err(|error| SendError::Tls(error.to_string()))?, url, message).await
    }

    /// The addresses of the host that may be sent to.
    async fn addresses(&self, url: &WebhookUrl) -> Result<Vec<SocketAddr>, SendError> {
        let found = lookup_host((url.host.as_str(), url.port)).await;
        let found: Vec<SocketAddr> =
            found.map_err(|error| SendError::Unresolved(error.to_string()))?.collect();
        if found.is_empty() {
            return Err(SendError::Unresolved("it has no address".to_owned()));
        }
        let is_named = |address: &SocketAddr| is_allowed(address.ip(), &self.allow);
        let mut usable: Vec<SocketAddr> =
            found.into_iter().filter(|address| is_named(address) || is_public(address.ip())).collect();
        if usable.is_empty() {
            return Err(SendError::Forbidden);
        }
        if !url.is_secure {
            usable.retain(is_named);
            if usable.is_empty() {
                return Err(SendError::Unprotected);
            }
        }
        Ok(usable)
    }
}

async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    url: &WebhookUrl,
    message: &Message<'_>,
) -> Result<Answered, SendError> {
    let Message { id, seconds, signatures, body } = message;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: Plenary/{}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nAccept: */*\r\nConnection: close\r\nwebhook-id: {id}\r\nwebhook-timestamp: {seconds}\r\n\
         webhook-signature: {signatures}\r\n\r\n",
        url.target,
        url.authority(),
        env!("CARGO_PKG_VERSION"),
        body.len(),
    );
    let broken = |error: io::Error| SendError::Broken(error.to_string());
    let request = [head.as_bytes(), body.as_bytes()].concat();
    stream.write_all(&request).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut answer = Vec::with_capacity(1024);
    loop {
        // Answers on the way (100, 103) are not the answer.
        while let Some(length) = head_length(&answer) {
            let status = status(&answer).ok_or(SendError::NotHttp)?;
            if status >= 200 {
                let retry_after = retry_after(&answer[..length], SystemTime::now());
                let (mut rest, mut nowhere) = ((&mut stream).take(BODY_BYTES_MAX), tokio::io::sink());
                let _ = timeout(BODY_WITHIN, tokio::io::copy(&mut rest, &mut nowhere)).await;
                return Ok(Answered { status, retry_after });
            }
            answer.drain(..length);
        }
        if answer.len() >= HEAD_BYTES_MAX || !b"HTTP/1.".iter().zip(&answer).all(|(one, other)| one == other)
        {
            return Err(SendError::NotHttp);
        }
        if stream.read_buf(&mut answer).await.map_err(broken)? == 0 {
            return Err(SendError::Broken("it was closed before an answer came".to_owned()));
        }
    }
}

/// The length of the head of an answer with the empty line behind it, once it is there.
fn head_length(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|part| part == b"\r\n\r\n").map(|at| at + 4)
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    words.next()?.strip_prefix("HTTP/1.")?;
    let status = words.next().filter(|status| status.len() == 3)?;
    status.parse().ok().filter(|status| (100..=599).contains(status))
}

/// Seconds, or a date (RFC 9110, 10.2.3). What is neither is passed over.
fn retry_after(head: &[u8], now: SystemTime) -> Option<Duration> {
    let value = head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        name.eq_ignore_ascii_case("retry-after").then(|| value.trim())
    })?;
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_to_wait_is_read_as_seconds_and_as_a_date() {
        let now = httpdate::parse_http_date("Sun, 29 Nov 2026 12:00:00 GMT").expect("a date");
        let of = |line: &str| {
            retry_after(format!("HTTP/1.1 503 No\r\nContent-Length: 0\r\n{line}\r\n\r\n").as_bytes(), now)
        };
        assert_eq!(of("Retry-After: 120"), Some(Duration::from_secs(120)));
        assert_eq!(of("retry-after:Sun, 29 Nov 2026 12:01:00 GMT"), Some(Duration::from_secs(60)));
        // What is past, and what is no time.
        for line in
            ["Retry-After: Sun, 29 Nov 2026 11:59:00 GMT", "Retry-After: soon", "Retry-After: -1", "X: 120"]
        {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
