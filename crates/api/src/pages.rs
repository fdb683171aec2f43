//! The documentation as pages below `/docs`. Errors link to it. The documents are part of the program.
//!
//! Documents link to each other by their paths in the source tree; on a page these links lead to the other page. A link to
//! a file that has no page becomes plain text, so every link of a page resolves.

use crate::{answer::moved_to, error::ApiError, methods::only, state::App, v1::openapi};
use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Response, header},
    routing::get,
};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// Paths in the source tree, and texts.
const DOCUMENTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/documents.rs"));
const INDEX: &str = "docs/README.md";
const INDEX_PATH: &str = "/docs/";
const DESCRIPTION: &str = "docs/openapi.json";

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1c2430}\
code,pre{font-family:ui-monospace,monospace;background:#f2f4f7}pre{padding:.8rem;overflow:auto}\
table{border-collapse:collapse}th,td{border:1px solid #ccd3dc;padding:.3rem .6rem;text-align:left;vertical-align:top}\
h3:target{background:#fff3c4}";

/// Rendered documents by path.
static PAGES: LazyLock<BTreeMap<String, Page>> = LazyLock::new(|| {
    DOCUMENTS.iter().filter_map(|(file, text)| Some((served(file)?, Page::of(file, text)))).collect()
});

struct Page {
    content_type: &'static str,
    body: String,
}

pub(crate) fn routes() -> Router<App> {
    let router = Router::new()
        .route(INDEX_PATH, only("GET, HEAD", get(|| async { answer(INDEX_PATH) })))
        .route("/docs", only("GET, HEAD", get(|| async { moved_to(INDEX_PATH) })));
    let pages = DOCUMENTS.iter().filter_map(|(file, _)| served(file)).filter(|path| path != INDEX_PATH);
    pages.fold(router, |router, path| {
        let methods = |path: String| only("GET, HEAD", get(move || async move { answer(&path) }));
        let router = match path.rsplit('/').next().is_some_and(|name| name.contains('.')) {
            true => router,
            // The name by which documents refer to each other.
            false => router.route(&format!("{path}.md"), methods(path.clone())),
        };
        router.route(&path, methods(path.clone()))
    })
}

fn answer(path: &str) -> Result<Response<Body>, ApiError> {
    let page = PAGES.get(path).ok_or_else(ApiError::nothing_here)?;
    let mut response = Response::new(Body::from(page.body.as_str()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    // The page's own style and nothing else: no script, no frame, nothing from elsewhere.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    Ok(response)
}

/// The path at which a file of the source tree is served; `None`: it is not.
fn served(file: &str) -> Option<String> {
    if file == INDEX {
        return Some(INDEX_PATH.to_owned());
    }
    if file == DESCRIPTION {
        return Some(openapi::PATH.to_owned());
    }
    DOCUMENTS.iter().find(|(known, _)| *known == file)?;
    let name = file.rsplit('/').next()?.to_ascii_lowercase();
    Some(format!("/docs/{}", name.strip_suffix(".md").unwrap_or(&name)))
}

impl Page {
    fn of(file: &str, text: &str) -> Self {
        if !file.ends_with(".md") {
            return Self { content_type: "text/plain; charset=utf-8", body: text.to_owned() };
        }
        let options = Options::ENABLE_TABLES | Options::ENABLE_HEADING_ATTRIBUTES;
        let (events, title) = linked(file, Parser::new_ext(text, options).collect());
        let mut body = String::new();
        html::push_html(&mut body, events.into_iter());
        let body = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <title>{title} · Plenary</title><style>{STYLE}</style>{body}</html>"
        );
        Self { content_type: "text/html; charset=utf-8", body }
    }
}

/// A document whose headings have ids and whose links lead to pages; and its title.
fn linked<'a>(file: &str, events: Vec<Event<'a>>) -> (Vec<Event<'a>>, String) {
    let mut anchors = Anchors::default();
    let mut title = String::new();
    let mut is_linked = true;
    let mut linked = Vec::with_capacity(events.len());
    for (at, event) in events.iter().enumerate() {
        let event = match event.clone() {
            Event::Start(Tag::Heading { level, id, classes, attrs }) => {
                let heading =
                    events[at..].iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
                let text: String = heading
                    .filter_map(|event| match event {
                        Event::Text(text) | Event::Code(text) => Some(&**text),
                        _ => None,
                    })
                    .collect();
                let id = id.unwrap_or_else(|| anchors.of(&text).into());
                if title.is_empty() {
                    html::push_html(&mut title, [Event::Text(text.into())].into_iter());
                }
                Event::Start(Tag::Heading { level, id: Some(id), classes, attrs })
            }
            Event::Start(Tag::Link { link_type, dest_url, title, id }) => match resolve(file, &dest_url) {
                Some(dest_url) => Event::Start(Tag::Link { link_type, dest_url: dest_url.into(), title, id }),
                None => {
                    is_linked = false;
                    continue;
                }
            },
            Event::End(TagEnd::Link) if !std::mem::replace(&mut is_linked, true) => continue,
            event => event,
        };
        linked.push(event);
    }
    (linked, title)
}

/// Where a link of a file leads; `None`: to a file that is not served.
fn resolve(file: &str, link: &str) -> Option<String> {
    if link.starts_with('#') || link.contains("://") || link.starts_with("mailto:") {
        return Some(link.to_owned());
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    let path = served(&parts.join("/"))?;
    Some(anchor.map_or_else(|| path.clone(), |anchor| format!("{path}#{anchor}")))
}

/// Ids of headings, by the rule of the forges on which the documents are read: small letters, digits, `-` and `_`; spaces
/// become `-`, and a repeated id is numbered.
#[derive(Default)]
struct Anchors(BTreeSet<String>);

impl Anchors {
    fn of(&mut self, heading: &str) -> String {
        let kept = heading.chars().flat_map(char::to_lowercase).filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        });
        let plain: String = kept.collect();
        let numbered = (1..).map(|number| format!("{plain}-{number}"));
        let mut ids = std::iter::once(plain.clone()).chain(numbered);
        let id = ids.find(|id| !self.0.contains(id)).expect("there is always a further number");
        self.0.insert(id.clone());
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_or_are_text() {
        for (file, link, page) in [
            ("docs/errors.md", "management-api.md", Some("/docs/management-api")),
            ("docs/errors.md", "operations.md#accounts-and-keys", Some("/docs/operations#accounts-and-keys")),
            ("docs/errors.md", "#1206", Some("#1206")),
            ("docs/errors.md", "https://example.com/a.md", Some("https://example.com/a.md")),
            ("docs/errors.md", "../config/plenary.toml", Some("/docs/plenary.toml")),
            ("docs/README.md", "openapi.json", Some("/v1/openapi.json")),
            ("docs/README.md", "../ARCHITECTURE.md", None),
            ("docs/README.md", "../../elsewhere.md", None),
            ("docs/README.md", "../../../elsewhere.md", None),
            ("CHANGELOG.md", "docs/README.md", Some("/docs/")),
        ] {
            assert_eq!(resolve(file, link).as_deref(), page, "{file}: {link}");
        }
    }

    #[test]
    fn headings_get_the_ids_by_which_documents_name_them() {
        let mut anchors = Anchors::default();
        for (heading, id) in [
            ("Accounts and keys", "accounts-and-keys"),
            ("`If-Match`, and what it does", "if-match-and-what-it-does"),
            ("Accounts and keys", "accounts-and-keys-1"),
            ("Müller_2", "müller_2"),
        ] {
            assert_eq!(anchors.of(&heading.replace('`', "")), id);
        }
    }
}
