//! The console and the join page: files that are parts of the program. They have no rights of their own; whatever they do,
//! `/v1` does.
//!
//! ```text
//! /                     where to go
//! /console, /console/…  console.html, whose script reads the rest of the path
//! /join/…               join.html, the same
//! /assets/…             what both load, by names that hold a hash of the contents
//! /favicon.svg, …       other files of the root
//! ```
//!
//! A path is looked up among the known files as it is written: nothing is decoded, joined or read from a disk.

use crate::{error::ApiError, methods::only, origin, peer::Peer};
use axum::{
    Router,
    body::Body,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri, header, request::Parts},
    routing::get,
};
use plenary_web::{File, find};
use std::convert::Infallible;

const CONSOLE: &str = "console.html";
const JOIN: &str = "join.html";
const GET: &str = "GET, HEAD";

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
/// Devices that a call needs, for our own pages; nothing else.
const PERMISSIONS: &str = "microphone=(self), speaker-selection=(self), autoplay=(self), screen-wake-lock=(self), \
     camera=(), display-capture=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), bluetooth=(), midi=()";

pub(crate) fn routes<S: Clone + Send + Sync + 'static>(files: &'static [File]) -> Router<S> {
    let page = move |name: &'static str| {
        only(GET, get(move |asked: FileRequest| async move { asked.page(files, name) }))
    };
    let file = move || only(GET, get(move |asked: FileRequest| async move { asked.file(files) }));
    let router = Router::new()
        .route("/", only(GET, get(move || async move { index(files) })))
        .route("/console", page(CONSOLE))
        .route("/console/", page(CONSOLE))
        .route("/console/{*rest}", page(CONSOLE))
        .route("/join/{*rest}", page(JOIN))
        .route("/assets/{*rest}", file());
    let of_root = files.iter().filter(|file| !file.path.contains('/') && !file.path.ends_with(".html"));
    of_root.fold(router, |router, one| router.route(&format!("/{}", one.path), file()))
}

/// What of a request decides how a file is sent.
struct FileRequest {
    uri: Uri,
    headers: HeaderMap,
    is_secure: bool,
}

impl<S: Sync> FromRequestParts<S> for FileRequest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let is_secure = parts.extensions.get::<Peer>().is_some_and(|peer| peer.is_secure);
        Ok(Self { uri: parts.uri.clone(), headers: parts.headers.clone(), is_secure })
    }
}

impl FileRequest {
    fn page(&self, files: &'static [File], name: &'static str) -> Result<Response<Body>, ApiError> {
        match find(files, name) {
            Some(file) => Ok(self.send(file)),
            None => Ok(text_page(StatusCode::NOT_FOUND, &missing(name))),
        }
    }

    fn file(&self, files: &'static [File]) -> Result<Response<Body>, ApiError> {
        let path = self.uri.path().strip_prefix('/').unwrap_or_default();
        let file = find(files, path).filter(|file| !file.path.ends_with(".html"));
        file.map(|file| self.send(file)).ok_or_else(ApiError::nothing_here)
    }

    fn send(&self, file: &'static File) -> Response<Body> {
        let is_known = self.values(&header::IF_NONE_MATCH).any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == file.etag
        });
        let brotli = file.brotli.filter(|_| self.takes_brotli());
        let mut response = Response::new(match is_known {
            true => Body::empty(),
            false => Body::from(brotli.unwrap_or(file.plain)),
        });
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
        headers.insert(header::ETAG, HeaderValue::from_static(file.etag));
        let cached = match file.is_hashed() {
            true => "public, max-age=31536000, immutable",
            false => "no-cache",
        };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cached));
        if file.brotli.is_some() {
            headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        if brotli.is_some() && !is_known {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
        }
        headers.insert(PERMISSIONS_POLICY, HeaderValue::from_static(PERMISSIONS));
        headers.insert(header::CONTENT_SECURITY_POLICY, self.policy());
        response
    }

    /// What the pages may load and do. Scripts and styles come from files of ours alone, and no text becomes a script
    /// (Trusted Types). Older browsers do not count WebSockets of this host as `'self'`, so they are named.
    fn policy(&self) -> HeaderValue {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        let host = origin::authority(&self.uri, self.headers.get(header::HOST));
        let is_plain =
            |host: &&str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte));
        let sockets = match host.filter(is_plain) {
            // Behind a proxy with TLS the page has it and we do not.
            Some(host) if scheme == "ws" => format!(" ws://{host} wss://{host}"),
            Some(host) => format!(" wss://{host}"),
            None => String::new(),
        };
        let text = format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
             connect-src 'self'{sockets}; font-src 'self'; worker-src 'self'; manifest-src 'self'; \
             require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors 'none'; base-uri 'none'; \
             form-action 'self'"
        );
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
    }

    fn values(&self, name: &HeaderName) -> impl Iterator<Item = &str> {
        let values = self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(','))
    }

    /// Whether the client says so; what says nothing gets the file as it is (RFC 9110, section 12.5.3).
    fn takes_brotli(&self) -> bool {
        self.values(&header::ACCEPT_ENCODING).any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let is_brotli = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("br"));
            let is_refused = parts.any(|weight| {
                let weight = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="));
                weight.and_then(|weight| weight.trim().parse::<f32>().ok()) == Some(0.0)
            });
            is_brotli && !is_refused
        })
    }
}

fn missing(name: &str) -> String {
    let what = if name == JOIN { "join page" } else { "console" };
    format!(
        "<h1>This program has no {what}</h1><p>It was built without it: <code>make build</code> makes both, where Node.js is \
         there or can be had. Everything else works; see <a href=\"/docs/\">the documentation</a>.</p>"
    )
}

/// Where to go.
fn index(files: &'static [File]) -> Response<Body> {
    let console = match find(files, CONSOLE) {
        Some(_) => "<li><a href=\"/console\">Console</a>: sign in, and see to conferences</li>",
        None => "<li>Console: not in this program, which was built without it</li>",
    };
    text_page(
        StatusCode::OK,
        &format!(
            "<h1>Plenary</h1><ul>{console}<li><a href=\"/docs/\">Documentation</a></li>\
             <li><a href=\"/docs/api/\">API</a></li></ul>"
        ),
    )
}

/// A page without scripts and styles of others.
fn text_page(status: StatusCode, body: &str) -> Response<Body> {
    const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}\
        :root{color-scheme:light dark}code{font-family:ui-monospace,monospace}";
    let text = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Plenary</title><style>{STYLE}</style>{body}</html>"
    );
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
        ),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    const fn file(path: &'static str, content_type: &'static str, plain: &'static [u8]) -> File {
        File { path, content_type, etag: "\"abc\"", plain, brotli: None }
    }

    static FILES: [File; 4] = [
        File { brotli: Some(b"br"), ..file("assets/a-1.js", "text/javascript; charset=utf-8", b"script") },
        file("console.html", "text/html; charset=utf-8", b"console"),
        file("favicon.svg", "image/svg+xml", b"icon"),
        file("join.html", "text/html; charset=utf-8", b"join"),
    ];

    async fn get(
        files: &'static [File],
        path: &str,
        headers: &[(HeaderName, &'static str)],
    ) -> (u16, HeaderMap, String) {
        let mut request = Request::builder().uri(path).header("host", "conference.example.com:8443");
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let response = routes::<()>(files).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn each_path_leads_to_its_page_and_names_of_files_to_files() {
        for (path, body) in [
            ("/console", "console"),
            ("/console/", "console"),
            ("/console/rooms/Board?tab=1", "console"),
            ("/console/assets/a-1.js", "console"),
            ("/join/abc-def", "join"),
            ("/assets/a-1.js", "script"),
            ("/favicon.svg", "icon"),
        ] {
            let (status, headers, text) = get(&FILES, path, &[]).await;
            assert_eq!((status, &*text), (200, body), "{path}");
            assert_eq!(headers.get("content-encoding"), None, "{path}");
            let is_hashed = path.starts_with("/assets/");
            assert_eq!(headers["cache-control"].to_str().unwrap().contains("immutable"), is_hashed, "{path}");
        }
        let (status, _, text) = get(&FILES, "/", &[]).await;
        assert!(status == 200 && text.contains("href=\"/console\""), "{text}");
    }

    #[tokio::test]
    async fn odd_paths_lead_to_no_file() {
        for path in [
            "/assets/",
            "/assets/b-1.js",
            "/assets/../console.html",
            "/assets/%2e%2e/console.html",
            "/assets/..%2fconsole.html",
            "/assets/..%5cconsole.html",
            "/assets//a-1.js",
            "/assets/a-1.js/",
            "/assets/a-1.js%00",
            "/assets/A-1.js",
            "/assets/%61-1.js",
            "/assets/%ff",
            "/assets/....//etc/passwd",
            "//assets/a-1.js",
            "/console.html",
            "/join.html",
            "/join/",
            "/join",
            "/favicon.svg/",
            "/../favicon.svg",
        ] {
            let (status, _, text) = get(&FILES, path, &[]).await;
            assert_eq!((status, &*text), (404, ""), "{path}");
        }
    }

    #[tokio::test]
    async fn what_a_client_has_is_not_sent_again_and_what_it_takes_is_compressed() {
        let script = "/assets/a-1.js";
        for (accepts, body) in [
            ("br", "br"),
            ("gzip, deflate, br;q=0.9", "br"),
            ("BR", "br"),
            ("gzip", "script"),
            ("br;q=0", "script"),
            ("br; q=0.000", "script"),
            ("brotli", "script"),
        ] {
            let (_, headers, text) = get(&FILES, script, &[(header::ACCEPT_ENCODING, accepts)]).await;
            assert_eq!((&*text, headers["vary"].to_str().unwrap()), (body, "Accept-Encoding"), "{accepts}");
            assert_eq!(headers.contains_key("content-encoding"), body == "br", "{accepts}");
        }
        // What is not smaller compressed is sent as it is, whatever is asked for.
        let (_, headers, text) = get(&FILES, "/console", &[(header::ACCEPT_ENCODING, "br")]).await;
        assert!(text == "console" && !headers.contains_key("vary"));
        for (known, status) in
            [("\"abc\"", 304), ("W/\"abc\"", 304), ("\"x\", \"abc\"", 304), ("*", 304), ("\"x\"", 200)]
        {
            let (got, headers, text) = get(&FILES, script, &[(header::IF_NONE_MATCH, known)]).await;
            assert_eq!((got, text.is_empty()), (status, status == 304), "{known}");
            assert_eq!(headers["etag"], "\"abc\"");
        }
    }

    #[tokio::test]
    async fn pages_load_from_this_host_alone_and_no_text_becomes_a_script() {
        let (_, headers, _) = get(&FILES, "/console", &[]).await;
        let policy = headers["content-security-policy"].to_str().unwrap();
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self' ws://conference.example.com:8443 wss://conference.example.com:8443",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.split("; ").any(|one| one == rule), "{rule}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(headers["permissions-policy"].to_str().unwrap().contains("microphone=(self)"));
    }

    #[tokio::test]
    async fn a_program_without_the_console_says_so() {
        for (path, what) in
            [("/console", "no console"), ("/console/x", "no console"), ("/join/x", "no join page")]
        {
            let (status, headers, text) = get(&[], path, &[]).await;
            assert!(status == 404 && text.contains(what) && text.contains("make build"), "{path}: {text}");
            assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        }
        let (status, _, text) = get(&[], "/", &[]).await;
        assert!(status == 200 && text.contains("built without it") && text.contains("/docs/"), "{text}");
        assert_eq!(get(&[], "/assets/a-1.js", &[]).await.0, 404);
    }
}
