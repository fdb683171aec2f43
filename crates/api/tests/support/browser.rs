//! What a browser asks for: requests with cookies, from pages of ours or of others.

use super::World;
use axum::{
    body::Body,
    http::{HeaderMap, Request},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

pub const HOST: &str = "conference.example.com";
/// What a browser says of a request that a page of ours sends.
pub const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    /// The text, read; null: it is no JSON.
    pub body: Value,
}

impl Answer {
    /// Status and code of a problem.
    pub fn problem(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// The cookie that it sets, as a browser sends it back.
    pub fn cookie(&self) -> String {
        self.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
    }
}

/// A request by another name of the host.
pub async fn ask_at(
    world: &World,
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let response = world.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Answer { status: parts.status.as_u16(), headers: parts.headers, text, body }
}

pub async fn ask(
    world: &World,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> Answer {
    ask_at(world, HOST, method, path, headers, body).await
}

/// A request of a page of ours with a cookie.
pub async fn by(world: &World, cookie: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
    ask(world, method, path, &[("cookie", cookie), OWN], body).await
}

/// A request of a program by the account's key.
pub async fn own(world: &World, method: &str, path: &str, body: Option<Value>) -> Answer {
    let bearer = format!("Bearer {}", world.key);
    ask(world, method, path, &[("authorization", &bearer)], body).await
}
