//! What strangers and clients write, taken apart as the services do it: for `fuzz/fuzz_targets/http.rs` only.

use crate::{
    auth,
    params::{Params, percent_decode},
    v1,
    web::seven,
};
use axum::http::{HeaderValue, Method, Request, header};
use plenary_conference::AccountId;
use plenary_model::InboundService;

/// A request: its path and query, the values of two headers, and its body.
pub async fn request(target: &str, authorization: &[u8], content_type: &[u8], body: &[u8]) {
    let Ok(mut request) = Request::builder().method(Method::POST).uri(target).body(()) else { return };
    for (name, value) in [(header::AUTHORIZATION, authorization), (header::CONTENT_TYPE, content_type)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            request.headers_mut().insert(name, value);
        }
    }
    let (parts, ()) = request.into_parts();
    if let Some(auth::Credentials::Basic { login, .. }) = auth::credentials(&parts) {
        assert!(!login.contains(':'), "a user name holds no colon");
    }
    let path = parts.uri.path();
    for segment in path.split('/') {
        if let Some(name) = percent_decode(segment.as_bytes())
            && let Ok(body) = serde_json::from_slice(body)
        {
            let _ = InboundService::new(AccountId(1), &name, &body);
        }
    }
    for service in &seven::table::SERVICES {
        if let Ok(params) = Params::collect(&parts, body).await {
            seven::take_apart(service, params);
        }
    }
    v1::take_apart(body);
}
