//! `/docs/api`: the description of the API in a browser. The viewer's files are part of the program; it loads nothing from
//! other hosts.

use super::openapi;
use crate::{
    answer::{Answer, moved_to},
    error::ApiError,
    methods::only,
    state::App,
};
use axum::{
    Router,
    body::Body,
    extract::Path,
    http::{HeaderValue, Response, header},
    routing::get,
};
use std::sync::{Arc, LazyLock};
use utoipa_swagger_ui::Config;

const PATH: &str = "/docs/api";
const FOLDER: &str = "/docs/api/";

pub(super) fn routes() -> Router<App> {
    Router::new()
        // The page names its files relative to the folder.
        .route(PATH, only("GET, HEAD", get(|| async { moved_to(FOLDER) })))
        .route(FOLDER, only("GET, HEAD", get(|| async { file("index.html") })))
        .route(
            &format!("{PATH}/{{file}}"),
            only("GET, HEAD", get(|Path(name): Path<String>| async move { file(&name) })),
        )
}

fn file(name: &str) -> Answer {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
        let config = Config::new([openapi::PATH])
            .display_request_duration(true)
            .doc_expansion("none")
            .default_models_expand_depth(0)
            .persist_authorization(false)
            .try_it_out_enabled(true);
        Arc::new(config)
    });
    let file =
        utoipa_swagger_ui::serve(name, CONFIG.clone()).ok().flatten().ok_or_else(ApiError::nothing_here)?;
    let mut response = Response::new(Body::from(file.bytes.into_owned()));
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&file.content_type) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    // The viewer runs its own scripts and sends requests to this host only. It sets styles from scripts and has images in
    // its style sheet.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    Ok(response)
}
