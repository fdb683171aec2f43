//! What is asked of the provider: one request over a connection of its own, within a time and a size. Redirects are not
//! followed. The operator names the provider, so it may have a private address.

use crate::outgoing::{CONNECTED_WITHIN, connect};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use openidconnect::{
    AsyncHttpClient, HttpRequest, HttpResponse,
    http::{HeaderValue, Uri, header},
};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::lookup_host,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};

/// How long an answer may take in all.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// The largest body of an answer. Key sets of large providers have some 20 kB.
const BODY_BYTES_MAX: usize = 512 * 1024;

/// Why no answer came.
#[derive(Debug, Error)]
pub(super) enum AskError {
    #[error(
        "{0} is not a URL that can be asked: https, or http on this machine where the issuer is http too"
    )]
    BadUrl(String),
    #[error("{0} cannot be found: {1}")]
    Unresolved(String, std::io::Error),
    #[error("{0} cannot be connected to: {1}")]
    Unreachable(String, String),
    #[error("no TLS with {0}: {1}")]
    Tls(String, String),
    #[error("the connection to {0} broke: {1}")]
    Broken(String, hyper::Error),
    #[error("{0} sent more than {BODY_BYTES_MAX} bytes, or broke off: {1}")]
    BadBody(String, Box<dyn std::error::Error + Send + Sync>),
    #[error("{host} did not answer within {} seconds", ANSWERED_WITHIN.as_secs())]
    TooSlow { host: String },
}

/// Asks the provider.
#[derive(Clone)]
pub(super) struct Client {
    tls: Arc<ClientConfig>,
    /// The provider is on this machine, without TLS.
    is_plain: bool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("is_plain", &self.is_plain).finish_non_exhaustive()
    }
}

/// A host on this machine, without asking DNS.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => bare == "localhost",
    }
}

impl Client {
    pub(super) fn new(tls: Arc<ClientConfig>, is_plain: bool) -> Self {
        Self { tls, is_plain }
    }

    /// A URL of the provider that may be asked, or that a browser may be sent to.
    pub(super) fn allows(&self, scheme: &str, host: &str) -> bool {
        scheme == "https" || scheme == "http" && self.is_plain && is_loopback(host)
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, AskError> {
        let uri = request.uri().clone();
        let bad = || AskError::BadUrl(uri.to_string());
        let host = uri.host().ok_or_else(bad)?.to_owned();
        let is_secure = uri.scheme_str() == Some("https");
        if !self.allows(uri.scheme_str().unwrap_or_default(), &host) {
            return Err(bad());
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let found = lookup_host((bare, port)).await;
        let found = found.map_err(|error| AskError::Unresolved(host.clone(), error))?;
        let addresses: Vec<SocketAddr> =
            found.filter(|address| is_secure || address.ip().is_loopback()).collect();
        let stream = connect(&addresses).await.map_err(|error| AskError::Unreachable(host.clone(), error))?;
        if !is_secure {
            return exchange(stream, host, request).await;
        }
        let no_tls = |error: String| AskError::Tls(host.clone(), error);
        let name = ServerName::try_from(bare.to_owned()).map_err(|error| no_tls(error.to_string()))?;
        let shaken =
            timeout(CONNECTED_WITHIN, TlsConnector::from(self.tls.clone()).connect(name, stream)).await;
        let stream =
            shaken.map_err(|_| no_tls("no answer".to_owned()))?.map_err(|error| no_tls(error.to_string()))?;
        exchange(stream, host, request).await
    }
}

impl<'c> AsyncHttpClient<'c> for Client {
    type Error = AskError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, AskError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        let host = request.uri().host().unwrap_or_default().to_owned();
        Box::pin(async move {
            timeout(ANSWERED_WITHIN, self.ask(request)).await.unwrap_or(Err(AskError::TooSlow { host }))
        })
    }
}

/// The request in its usual form, a path with a `Host` header, and the whole answer.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    host: String,
    request: HttpRequest,
) -> Result<HttpResponse, AskError> {
    let broken = |error| AskError::Broken(host.clone(), error);
    let (mut parts, body) = request.into_parts();
    let bad = || AskError::BadUrl(host.clone());
    let authority = parts.uri.authority().ok_or_else(bad)?.as_str();
    // What stands before `@` is none of the host's business.
    let authority = authority.rsplit('@').next().unwrap_or(authority);
    let named = HeaderValue::from_str(authority).map_err(|_| bad())?;
    parts.headers.insert(header::HOST, named);
    let agent = concat!("Plenary/", env!("CARGO_PKG_VERSION"));
    parts.headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    parts.uri = target.parse::<Uri>().map_err(|_| bad())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Aborted with the request: nothing goes on behind it.
    let _running = AbortOnDrop(tokio::spawn(connection));
    let request = hyper::Request::from_parts(parts, Full::new(Bytes::from(body)));
    let response = sender.send_request(request).await.map_err(broken)?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|error| AskError::BadBody(host.clone(), error))?.to_bytes();
    Ok(HttpResponse::from_parts(parts, body.to_vec()))
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
