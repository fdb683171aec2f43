//! `/sipproxy`: where browsers open the WebSocket that their SIP travels on (RFC 6455, section 4.2; RFC 7118, section 4).

use crate::{
    error::ApiError,
    methods::only_but_head,
    origin::{self, PageOrigin},
    peer::{BoxedStream, ConnectionSlot, Peer, SlottedStream},
    state::App,
};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, Response, StatusCode, header},
    routing::get,
};
use data_encoding::BASE64;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use std::sync::Arc;

/// What the key is hashed with (RFC 6455, section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const SUBPROTOCOL: &str = "sip";

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/sipproxy", only_but_head("GET", get(upgrade)))
}

async fn upgrade(State(state): State<App>, request: Request) -> Result<Response<Body>, ApiError> {
    let (mut parts, _) = request.into_parts();
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    let slot = parts.extensions.remove::<Arc<ConnectionSlot>>();
    let refused = |text: &str| ApiError::plain(StatusCode::BAD_REQUEST, text);
    let headers = &parts.headers;
    let (Some(on_websocket), Some(peer)) = (&state.on_websocket, parts.extensions.get::<Peer>()) else {
        return Err(ApiError::nothing_here());
    };
    if !names(headers, &header::UPGRADE, "websocket") || !names(headers, &header::CONNECTION, "upgrade") {
        return Err(refused(
            "this path is for WebSockets: `Upgrade: websocket` and `Connection: Upgrade` are missing",
        ));
    }
    if !names(headers, &header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(refused("`Sec-WebSocket-Version` must be 13"));
    }
    if !names(headers, &header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        return Err(refused("the subprotocol must be `sip`: add `Sec-WebSocket-Protocol: sip`"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok()).map(str::trim);
    let key = key
        .filter(|key| BASE64.decode(key.as_bytes()).is_ok_and(|nonce| nonce.len() == 16))
        .ok_or_else(|| refused("`Sec-WebSocket-Key` must be 16 octets in base64"))?;
    let is_foreign_page = origin::page(&parts, state.origins())? == PageOrigin::Allowed;
    let upgrade = upgrade.ok_or_else(|| refused("the connection cannot be upgraded"))?;
    let accept = BASE64.encode(&Sha1::digest(format!("{key}{GUID}").as_bytes()));
    let (on_websocket, peer) = (on_websocket.clone(), Peer { is_foreign_page, ..*peer });
    tokio::spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let stream: BoxedStream = Box::new(TokioIo::new(upgraded));
                on_websocket(Box::new(SlottedStream { stream, _slot: slot }), peer);
            }
            Err(error) => tracing::debug!(%error, "a WebSocket did not come to be"),
        }
    });
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::UPGRADE, "websocket")
        .header(header::CONNECTION, "Upgrade")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .header(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    response.body(Body::empty()).map_err(|_| refused("the connection cannot be upgraded"))
}

/// A header that is a list of tokens names one of them.
fn names(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case(token))
}
