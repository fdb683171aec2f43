//! The router, and the server that runs it.

use crate::ConferenceControl;
use axum::Router;
use plenary_store::Store;
use std::{fmt, future::Future, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// What the web services work with.
#[derive(Clone)]
pub struct ApiState {
    /// Accounts and inbound services.
    pub store: Store,
    /// The conferences.
    pub control: Arc<dyn ConferenceControl>,
    /// How the outside reaches the web services, without a slash at the end; `None`: by each request's Host header.
    pub public_url: Option<String>,
    /// Largest request body in bytes.
    pub max_body_bytes: usize,
    /// A request that is not answered by then is answered 408.
    pub request_timeout: Duration,
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}

/// All paths.
pub fn router(state: ApiState) -> Router {
    todo!()
}

/// Serves `router` on `listener` until `shutdown` is ready and the requests under way are answered.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    todo!()
}
