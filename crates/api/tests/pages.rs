//! The documentation as pages.
#![allow(missing_docs)]

mod support;

use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use support::World;

/// The values of an attribute.
fn attributes<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!(" {name}=\"");
    page.split(&begin).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test]
async fn every_link_of_every_page_resolves() {
    let world = World::new().await;
    let (status, headers, _) = world.send_as("", "GET", "/docs", "", "").await;
    assert_eq!((status, headers["location"].to_str().unwrap()), (308, "/docs/"));

    // All pages that can be reached from the index, and those that errors link to.
    let mut pages = BTreeMap::new();
    let mut left =
        BTreeSet::from(["/docs/".to_owned(), "/docs/errors".to_owned(), "/docs/errors.md".to_owned()]);
    let mut links = Vec::new();
    while let Some(path) = left.pop_first() {
        let (status, _, page) = world.send_as("", "GET", &path, "", "").await;
        assert_eq!(status, 200, "{path}");
        for link in attributes(&page, "href").into_iter().chain(attributes(&page, "src")) {
            if link.starts_with("https://") || link.starts_with("http://") {
                continue;
            }
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if target.is_empty() { path.clone() } else { target.to_owned() };
            assert!(target.starts_with('/'), "{path} links to {link}");
            if !pages.contains_key(&target) && target != path {
                left.insert(target.clone());
            }
            links.push((path.clone(), target, anchor.to_owned()));
        }
        pages.insert(path, page);
    }
    for (path, target, anchor) in links {
        let ids = attributes(&pages[&target], "id");
        assert!(anchor.is_empty() || ids.contains(&anchor.as_str()), "{path} links to {target}#{anchor}");
    }
    for page in ["/docs/errors", "/docs/operations", "/docs/configuration", "/docs/store", "/v1/openapi.json"]
    {
        assert!(pages.contains_key(page), "{page} is not reached: {:?}", pages.keys());
    }
}

#[tokio::test]
async fn every_document_is_a_page_with_its_title() {
    let world = World::new().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(page) = name.strip_suffix(".md").filter(|page| *page != "README") else { continue };
        let text = std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
        let title = text.lines().find_map(|line| line.strip_prefix("# ")).unwrap();
        for path in [format!("/docs/{page}"), format!("/docs/{name}")] {
            let (status, headers, shown) = world.send_as("", "GET", &path, "", "").await;
            assert_eq!(
                (status, headers["content-type"].to_str().unwrap()),
                (200, "text/html; charset=utf-8")
            );
            assert!(shown.contains(&format!("<title>{title} · Plenary</title>")), "{path}: {title}");
        }
    }
    let (status, headers, sample) = world.send_as("", "GET", "/docs/plenary.toml", "", "").await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "text/plain; charset=utf-8"));
    assert!(sample.contains("[web]"));
}

#[tokio::test]
async fn the_viewer_of_the_description_is_served_with_all_its_files() {
    let world = World::new().await;
    let (status, headers, _) = world.send_as("", "GET", "/docs/api", "", "").await;
    assert_eq!((status, headers["location"].to_str().unwrap()), (308, "/docs/api/"));
    let (status, headers, page) = world.send_as("", "GET", "/docs/api/", "", "").await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (200, "text/html; charset=utf-8"));
    assert!(!headers.contains_key("content-encoding"));
    // Its own scripts only, and none within the page; requests to this host only.
    let policy = headers["content-security-policy"].to_str().unwrap().to_owned();
    for part in ["default-src 'none'", "script-src 'self';", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(
        page.split("<script")
            .skip(1)
            .all(|script| script.starts_with(" src=\"") && script.contains("\"></script>"))
    );

    let files = attributes(&page, "src").into_iter().chain(attributes(&page, "href"));
    let files: Vec<&str> = files.filter(|file| !file.starts_with("data:")).collect();
    assert_eq!(files, ["swagger-ui-bundle.js", "viewer.js", "swagger-ui.css"]);
    for file in files {
        let (status, headers, _) = world.send_as("", "GET", &format!("/docs/api/{file}"), "", "").await;
        let kind = if file.ends_with(".css") { "text/css" } else { "text/javascript" };
        assert_eq!(status, 200, "{file}");
        assert_eq!(headers["content-type"], format!("{kind}; charset=utf-8"), "{file}");
        assert_eq!(headers["content-security-policy"], policy, "{file}");
        let is_gzip = headers.get("content-encoding").is_some_and(|coding| coding == "gzip");
        assert_eq!(is_gzip, file != "viewer.js", "{file}");
    }
    let (_, _, script) = world.send_as("", "GET", "/docs/api/viewer.js", "", "").await;
    assert!(script.contains("\"/v1/openapi.json\"") && !script.contains("://"), "{script}");
    for nothing in ["README.md", "LICENSE", "swagger-ui.css.gz", "..%2Fviewer.js"] {
        let (status, ..) = world.send_as("", "GET", &format!("/docs/api/{nothing}"), "", "").await;
        assert_eq!(status, 404, "{nothing}");
    }
}

#[test]
fn the_viewers_files_are_those_of_the_version_that_is_named() {
    let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/swagger-ui"));
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    for file in ["swagger-ui-bundle.js", "swagger-ui.css"] {
        let unpacked = std::process::Command::new("gzip")
            .args(["-dc", &format!("{file}.gz")])
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(unpacked.status.success(), "{file}");
        let sum = data_encoding::HEXLOWER.encode(&Sha256::digest(&unpacked.stdout));
        assert!(readme.contains(&format!("| `{file}` | `{sum}` |")), "{file} has the sum {sum}");
    }
}
