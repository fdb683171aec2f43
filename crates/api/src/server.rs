//! The server that runs the router: connections, TLS, limits of both.

use crate::{
    caller::TrustedProxies,
    peer::{BoxedStream, Peer, SlottedStream, Sources},
};
use axum::{Router, extract::Request};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use std::{future::Future, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tower::ServiceExt;

/// How long a client may take to send the head of a request: slower ones are holding a connection on purpose.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections at a time.
const CONNECTIONS_MAX: usize = 4096;
/// How long requests that are under way may take when the server stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_HEAD_BYTES: usize = 32 * 1024;
const MAX_HEADERS: usize = 64;

/// How many connections a source may have open at a time.
#[derive(Debug, Clone, Default)]
pub struct ConnectionLimits {
    /// WebSockets among them; 0: no limit.
    pub per_source: usize,
    /// They may have any number; each caller that they pass on may have so many requests and WebSockets open.
    pub trusted_proxies: TrustedProxies,
}

/// Serves `router` on `listener`, under TLS where it is given, until `shutdown` is ready and the requests under way are
/// answered.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()>,
) {
    let sources = Sources::new(limits.per_source);
    let (stop, stopping) = watch::channel(());
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut shutdown = pin!(shutdown);
    loop {
        let permit = tokio::select! {
            () = &mut shutdown => break,
            permit = room.clone().acquire_owned() => permit.expect("the semaphore is never closed"),
        };
        let (stream, remote) = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: waiting helps, spinning does not.
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let is_proxy = limits.trusted_proxies.include(remote.ip());
        let slot = sources.take_slot(remote.ip()).filter(|_| !is_proxy);
        if slot.is_none() && !is_proxy {
            tracing::debug!(%remote, "too many connections from one source: this one is closed");
            continue;
        }
        let _ = stream.set_nodelay(true);
        let Ok(local) = stream.local_addr() else { continue };
        let peer = Peer { local, remote, is_secure: tls.is_some(), is_foreign_page: false };
        let (router, tls, mut stopping) = (router.clone(), tls.clone(), stopping.clone());
        let passed_on = is_proxy.then(|| sources.clone());
        tokio::spawn(async move {
            let stream: BoxedStream = match tls {
                None => Box::new(stream),
                Some(config) => {
                    match tokio::time::timeout(HEADER_READ_TIMEOUT, TlsAcceptor::from(config).accept(stream))
                        .await
                    {
                        Ok(Ok(stream)) => Box::new(stream),
                        Ok(Err(error)) => return tracing::debug!(%remote, %error, "a TLS handshake failed"),
                        Err(_) => return tracing::debug!(%remote, "a TLS handshake took too long"),
                    }
                }
            };
            // The place is taken for as long as the connection is there, also as a WebSocket.
            let stream: BoxedStream = Box::new(SlottedStream { stream, _slot: slot });
            let service = router.map_request(move |mut request: Request<hyper::body::Incoming>| {
                let extensions = request.extensions_mut();
                extensions.insert(peer);
                passed_on.iter().cloned().for_each(|sources| drop(extensions.insert(sources)));
                request
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_READ_TIMEOUT)
                .max_buf_size(MAX_HEAD_BYTES)
                .max_headers(MAX_HEADERS)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
                .with_upgrades();
            let mut connection = pin!(connection);
            let outcome = tokio::select! {
                outcome = connection.as_mut() => outcome,
                _ = stopping.changed() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = outcome {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    drop(stop);
    // All permits are back when the last connection has ended.
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, room.acquire_many(CONNECTIONS_MAX as u32)).await;
}
