//! The pages of our documentation that errors point to, as the binary carries them.

use crate::{methods::only, state::App};
use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Response, header},
    routing::get,
};
use pulldown_cmark::{Options, Parser, html};

const ERRORS: &str = include_str!("../../../docs/errors.md");
const MANAGEMENT_API: &str = include_str!("../../../docs/management-api.md");
const WEB_SERVICES: &str = include_str!("../../../docs/web-services.md");

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1c2430}\
code,pre{font-family:ui-monospace,monospace;background:#f2f4f7}pre{padding:.8rem;overflow:auto}\
table{border-collapse:collapse}th,td{border:1px solid #ccd3dc;padding:.3rem .6rem;text-align:left;vertical-align:top}\
h3:target{background:#fff3c4}";

/// Each page, with and without the ending by which the texts name each other.
const PAGES: [(&str, &str, &str); 6] = [
    ("/docs/errors", "Errors", ERRORS),
    ("/docs/errors.md", "Errors", ERRORS),
    ("/docs/management-api", "Management API", MANAGEMENT_API),
    ("/docs/management-api.md", "Management API", MANAGEMENT_API),
    ("/docs/web-services", "Web services", WEB_SERVICES),
    ("/docs/web-services.md", "Web services", WEB_SERVICES),
];

pub(crate) fn routes() -> Router<App> {
    PAGES.into_iter().fold(Router::new(), |router, (path, title, markdown)| {
        router.route(path, only("GET, HEAD", get(move || async move { page(title, markdown) })))
    })
}

fn page(title: &str, markdown: &str) -> Response<Body> {
    let mut body = String::new();
    let options = Options::ENABLE_TABLES | Options::ENABLE_HEADING_ATTRIBUTES;
    html::push_html(&mut body, Parser::new_ext(markdown, options));
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title} · Plenary</title><style>{STYLE}</style>{body}</html>"
    );
    let mut response = Response::new(Body::from(page));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    // Our own style and nothing else: no script, no frame, nothing from elsewhere.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    response
}
