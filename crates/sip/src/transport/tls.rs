//! TLS 1.2 and 1.3 (RFC 3261, section 26.3.1). Certificates are the program's business.

use super::stream::BoxedStream;
use std::{fmt, io, sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{ClientConfig, ServerConfig, pki_types::ServerName},
};

/// How long a handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// The two roles of TLS. The server's resolver may change its certificate at any time.
#[derive(Clone)]
pub struct TlsSettings {
    /// For accepted connections.
    pub server: Option<Arc<ServerConfig>>,
    /// For opened connections.
    pub client: Option<Arc<ClientConfig>>,
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings")
            .field("server", &self.server.is_some())
            .field("client", &self.client.is_some())
            .finish()
    }
}

/// Opens connections under TLS.
#[derive(Clone)]
pub(super) struct Connector(pub(super) Arc<ClientConfig>);

impl Connector {
    pub(super) async fn connect(self, host: &str, stream: TcpStream) -> io::Result<BoxedStream> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let stream = timeout(HANDSHAKE_MAX, TlsConnector::from(self.0).connect(name, stream))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok(Box::new(stream))
    }
}

pub(super) async fn accept(config: Arc<ServerConfig>, stream: TcpStream) -> io::Result<BoxedStream> {
    let stream = timeout(HANDSHAKE_MAX, TlsAcceptor::from(config).accept(stream))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(Box::new(stream))
}
