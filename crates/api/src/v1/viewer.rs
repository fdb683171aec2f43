//! `/docs/api`: the description of the API in a browser (Swagger UI). The viewer's files are part of the program, compressed
//! as they are sent; it loads nothing from other hosts.

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

const PATH: &str = "/docs/api";
const FOLDER: &str = "/docs/api/";

pub(super) fn routes() -> Router<App> {
    Router::new()
        // The page names its files relative to the folder.
        .route(PATH, only("GET, HEAD", get(|| async { moved_to(FOLDER) })))
        .route(FOLDER, only("GET, HEAD", get(|| async { file(INDEX) })))
        .route(
            &format!("{PATH}/{{file}}"),
            only("GET, HEAD", get(|Path(name): Path<String>| async move { file(&name) })),
        )
}

/// A file of the viewer, as it is stored in the program.
struct File {
    name: &'static str,
    content_type: &'static str,
    is_gzip: bool,
    bytes: &'static [u8],
}

const INDEX: &str = "index.html";

/// The folder's README says where they come from.
const FILES: [File; 4] = [
    File {
        name: INDEX,
        content_type: "text/html; charset=utf-8",
        is_gzip: false,
        bytes: include_bytes!("../../swagger-ui/index.html"),
    },
    File {
        name: "viewer.js",
        content_type: "text/javascript; charset=utf-8",
        is_gzip: false,
        bytes: include_bytes!("../../swagger-ui/viewer.js"),
    },
    File {
        name: "swagger-ui-bundle.js",
        content_type: "text/javascript; charset=utf-8",
        is_gzip: true,
        bytes: include_bytes!("../../swagger-ui/swagger-ui-bundle.js.gz"),
    },
    File {
        name: "swagger-ui.css",
        content_type: "text/css; charset=utf-8",
        is_gzip: true,
        bytes: include_bytes!("../../swagger-ui/swagger-ui.css.gz"),
    },
];

fn file(name: &str) -> Answer {
    let file = FILES.iter().find(|file| file.name == name).ok_or_else(ApiError::nothing_here)?;
    let mut response = Response::new(Body::from(file.bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    if file.is_gzip {
        // Every browser takes it; there is no other form to choose from (RFC 9110, section 12.5.3).
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
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
