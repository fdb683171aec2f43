//! What the head of a request says about where it goes to and which web page sends it.
//!
//! A browser sends along what it remembers for us (Basic credentials) and the address that it runs at, whichever page makes
//! it ask. So a page of another site could book, eject and call in its reader's name. Two headers distinguish such requests,
//! and no script can set them: `Origin` (RFC 6454) and `Sec-Fetch-Site` (Fetch Metadata). Programs that are no browsers send
//! neither.

use crate::{
    error::{ApiError, FOREIGN_PAGE},
    peer::Peer,
};
use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header, request::Parts,
};
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

const SAME_ORIGIN: &str = "same-origin";
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Where a page comes from: scheme, host and port (RFC 6454, section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    is_secure: bool,
    /// In small letters; IPv6 in brackets.
    host: String,
    port: u16,
}

/// A text that is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not an origin: http://HOST or https://HOST, with :PORT where it is not 80 or 443, and nothing behind it"
)]
pub struct NotAnOrigin;

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let (scheme, authority) = text.split_once("://").ok_or(NotAnOrigin)?;
        let is_secure = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(NotAnOrigin),
        };
        Self::at(is_secure, authority).ok_or(NotAnOrigin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.is_secure { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port != usual { write!(f, ":{}", self.port) } else { Ok(()) }
    }
}

impl Origin {
    fn at(is_secure: bool, authority: &str) -> Option<Self> {
        let (host, port) = host_and_port(authority)?;
        let port = port.unwrap_or(if is_secure { 443 } else { 80 });
        Some(Self { is_secure, host: host.to_ascii_lowercase(), port })
    }

    /// No DNS answer can make this host stand for us: it is an address, or the machine's own name for itself.
    fn is_not_from_dns(&self) -> bool {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().is_ok() || self.host == "localhost" || self.host.ends_with(".localhost")
    }
}

/// Pages of which other sites may open a WebSocket at `/sipproxy`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedOrigins {
    any: bool,
    origins: Vec<Origin>,
}

impl AllowedOrigins {
    /// Of texts such as `https://www.example.com`; `*` is every page.
    ///
    /// # Errors
    /// The first text that is no origin.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, (String, NotAnOrigin)> {
        let mut allowed = Self::default();
        for text in texts.iter().map(AsRef::as_ref) {
            if text == "*" {
                allowed.any = true;
                continue;
            }
            allowed.origins.push(text.parse().map_err(|error| (text.to_owned(), error))?);
        }
        Ok(allowed)
    }

    fn include(&self, origin: &Origin) -> bool {
        self.any || self.origins.contains(origin)
    }
}

/// Which page opens a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageOrigin {
    /// None, or one of ours.
    Ours,
    /// One of another site that may. The network that its reader sits in says nothing about it.
    Allowed,
}

/// What the configuration says about origins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OriginPolicy<'a> {
    /// How the network reaches the web services, where that is configured.
    pub(crate) public_url: Option<&'a str>,
    pub(crate) allowed: &'a AllowedOrigins,
}

/// Refuses a request that does not say for which host it is (RFC 9112, section 3.2), or not as HTTP has it.
pub(crate) fn check_host(parts: &Parts) -> Result<(), ApiError> {
    let bad = |text: &str| Err(ApiError::plain(StatusCode::BAD_REQUEST, text));
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if parts.version < Version::HTTP_11 => {}
        (None, _) => {
            return bad("the Host header is missing: HTTP/1.1 requests name the host that they are for");
        }
        (Some(_), Some(_)) => return bad("there is more than one Host header: one is allowed"),
        (Some(host), None) => {
            if host.to_str().ok().and_then(host_and_port).is_none() {
                return bad("the Host header must be a host name or an address, with :PORT where wanted");
            }
        }
    }
    match (parts.uri.scheme_str(), parts.uri.authority()) {
        // The usual form, a path; and `*`, which is for OPTIONS (section 3.2.4).
        (None, None) if parts.uri.path().starts_with('/') || parts.method == Method::OPTIONS => Ok(()),
        (Some("http" | "https"), Some(authority)) if host_and_port(authority.as_str()).is_some() => Ok(()),
        _ => bad(
            "the request target must be a path, or an http or https URL with a host and without a user name",
        ),
    }
}

/// The host that a request is for, with its port where one is named: that of an absolute target, else that of Host
/// (RFC 9112, section 3.3). `None`: it does not say.
pub(crate) fn authority<'a>(uri: &'a Uri, host: Option<&'a HeaderValue>) -> Option<&'a str> {
    let target = uri.authority().map(axum::http::uri::Authority::as_str);
    target.or_else(|| host?.to_str().ok()).filter(|text| host_and_port(text).is_some())
}

/// Refuses a request that a page of another site makes a browser send: for everything that changes something, and for the seven
/// web services, which take what a browser remembers of an account. Other answers no such page can read.
pub(crate) fn check_page(parts: &Parts, policy: OriginPolicy<'_>) -> Result<(), ApiError> {
    match site(&parts.headers) {
        // The browser has compared, and knows better than we do behind a proxy. `none`: typed, or a bookmark.
        Some("same-origin" | "none") => return Ok(()),
        Some(_) => return Err(refused("a page of another site")),
        None => {}
    }
    match single(&parts.headers, &header::ORIGIN) {
        Ok(None) => Ok(()),
        Ok(Some(text)) => match text.parse() {
            Ok(origin) if is_ours(&origin, parts, policy) => Ok(()),
            Ok(origin) => Err(refused(&format!("the page of {origin}"))),
            Err(_) => Err(refused("a page without an origin of its own")),
        },
        Err(()) => Err(refused("a page whose Origin cannot be read")),
    }
}

/// Whether a browser says that a page of ours sends the request. For changes with a cookie, which a browser sends along on
/// its own: what says nothing is refused.
pub(crate) fn is_own_page(parts: &Parts, policy: OriginPolicy<'_>) -> bool {
    match site(&parts.headers) {
        Some(site) => site == SAME_ORIGIN,
        None => single(&parts.headers, &header::ORIGIN)
            .ok()
            .flatten()
            .and_then(|text| text.parse().ok())
            .is_some_and(|origin| is_ours(&origin, parts, policy)),
    }
}

/// Whether the browser says that a page of ours sends it.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    site(headers) == Some(SAME_ORIGIN)
}

/// The web services are reached under TLS, as it is configured.
pub(crate) fn has_https(policy: OriginPolicy<'_>) -> bool {
    public(policy).is_some_and(|origin| origin.is_secure)
}

/// The request is for the host that is configured, where that is reached under TLS.
pub(crate) fn is_public_https(parts: &Parts, policy: OriginPolicy<'_>) -> bool {
    let asked = authority(&parts.uri, parts.headers.get(header::HOST))
        .and_then(|authority| Origin::at(true, authority));
    has_https(policy) && asked.is_some() && asked == public(policy)
}

/// The request is for this machine by its name for itself.
pub(crate) fn is_for_loopback(parts: &Parts) -> bool {
    let asked = authority(&parts.uri, parts.headers.get(header::HOST))
        .and_then(|authority| Origin::at(false, authority));
    asked.is_some_and(|origin| {
        let bare = origin.host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => bare == "localhost" || bare.ends_with(".localhost"),
        }
    })
}

/// Which page opens a WebSocket, if it may: no browser at all, one of ours, one that is configured.
pub(crate) fn page(parts: &Parts, policy: OriginPolicy<'_>) -> Result<PageOrigin, ApiError> {
    let refused = |who: &str| {
        let text = format!(
            "{who} may not connect: only pages of this host, and of those that the operator names in web.allowed_origins"
        );
        ApiError::coded(FOREIGN_PAGE, text)
    };
    let text = match single(&parts.headers, &header::ORIGIN) {
        // Browsers always send it with a WebSocket (RFC 6455, section 4.1).
        Ok(None) if matches!(site(&parts.headers), None | Some("same-origin" | "none")) => {
            return Ok(PageOrigin::Ours);
        }
        Ok(Some(text)) => text,
        Ok(None) | Err(()) => return Err(refused("a page whose Origin cannot be read")),
    };
    // `null`: a sandboxed frame, a file, a data URL. Any page can make one.
    let origin: Origin = text.parse().map_err(|_| refused("a page without an origin of its own"))?;
    let is_ours = site(&parts.headers) == Some("same-origin") || is_ours(&origin, parts, policy);
    // The owner of a name may have it point at us for a moment, and its page then has the origin that Host says. Such a
    // page is no worse than a program that connects, but the network of its reader is not its own.
    let is_certain = origin.is_not_from_dns() || public(policy).as_ref() == Some(&origin);
    match (is_ours, policy.allowed.include(&origin)) {
        (true, _) if is_certain => Ok(PageOrigin::Ours),
        (true, _) | (false, true) => Ok(PageOrigin::Allowed),
        (false, false) => Err(refused(&format!("the page of {origin}"))),
    }
}

fn refused(who: &str) -> ApiError {
    let text =
        format!("{who} may not ask for this: only pages of this host, and programs that are no browsers");
    ApiError::coded(FOREIGN_PAGE, text)
}

/// What the browser says about how the page that asks and we are related. Other values are passed over, as the
/// specification has it.
fn site(headers: &HeaderMap) -> Option<&str> {
    let value = single(headers, &SEC_FETCH_SITE).ok()??;
    [SAME_ORIGIN, "none", "same-site", "cross-site"].into_iter().find(|known| *known == value)
}

/// The value of a header that occurs once at the most.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(|text| Some(text.trim())).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

fn public(policy: OriginPolicy<'_>) -> Option<Origin> {
    let (scheme, rest) = policy.public_url?.split_once("://")?;
    let authority = rest.split('/').next().unwrap_or_default();
    format!("{scheme}://{authority}").parse().ok()
}

fn is_ours(origin: &Origin, parts: &Parts, policy: OriginPolicy<'_>) -> bool {
    let is_secure = parts.extensions.get::<Peer>().is_some_and(|peer| peer.is_secure);
    let ours = authority(&parts.uri, parts.headers.get(header::HOST))
        .and_then(|authority| Origin::at(is_secure, authority));
    ours.as_ref() == Some(origin) || public(policy).as_ref() == Some(origin)
}

/// `uri-host [ ":" port ]` (RFC 9110, section 7.2), its host not empty.
fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(inner) => {
            let end = inner.find(']')?;
            inner[..end].parse::<Ipv6Addr>().ok()?;
            text.split_at(end + 2)
        }
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let host = &text[..end];
            let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
            if host.is_empty() || !host.bytes().all(is_host) {
                return None;
            }
            text.split_at(end)
        }
    };
    match port.strip_prefix(':') {
        None if port.is_empty() => Some((host, None)),
        // A port may be left out behind its colon (RFC 3986, section 3.2.3).
        Some("") => Some((host, None)),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some((host, Some(digits.parse().ok()?)))
        }
        None | Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn parts(target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn outcome(headers: &[(&str, &str)], public_url: Option<&str>, allowed: &[&str]) -> Option<PageOrigin> {
        let allowed = AllowedOrigins::parse(allowed).unwrap();
        page(&parts("/sipproxy", headers), OriginPolicy { public_url, allowed: &allowed }).ok()
    }

    #[test]
    fn origins_are_read_whole_and_compared_by_scheme_host_and_port() {
        let origin = |text: &str| text.parse::<Origin>().unwrap();
        for (one, same) in [
            ("https://A.example", "https://a.example:443"),
            ("http://a.example:80", "HTTP://a.example"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(origin(one), origin(same));
        }
        assert_eq!(origin("https://A.example:8443").to_string(), "https://a.example:8443");
        assert_ne!(origin("https://a.example"), origin("http://a.example"));
        assert_ne!(origin("https://a.example"), origin("https://a.example:444"));
        assert_ne!(origin("https://a.example"), origin("https://b.a.example"));
        for text in [
            "null",
            "",
            "*",
            "a.example",
            "https://",
            "https://a/",
            "https://u@a",
            "file://a",
            "https://a:x",
            "https://a:99999",
            "https://[::1",
            "https://a b",
            "https://*.example.com/",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(NotAnOrigin), "{text}");
        }
    }

    #[test]
    fn websockets_open_from_no_page_from_ours_and_from_configured_ones() {
        let host = ("Host", "192.0.2.1:8080");
        let from = |origin: &'static str| ("Origin", origin);
        for (headers, public_url, allowed, expected) in [
            (vec![host], None, &[][..], Some(PageOrigin::Ours)),
            (vec![host, from("http://192.0.2.1:8080")], None, &[], Some(PageOrigin::Ours)),
            (vec![host, from("https://192.0.2.1:8080")], None, &[], None),
            (vec![host, from("http://192.0.2.1")], None, &[], None),
            (vec![host, from("http://evil.example")], None, &[], None),
            (vec![host, from("null")], None, &["*"], None),
            (vec![host, from("http://evil.example"), from("http://192.0.2.1:8080")], None, &["*"], None),
            (
                vec![host, from("https://shop.example")],
                None,
                &["https://shop.example"],
                Some(PageOrigin::Allowed),
            ),
            (vec![host, from("https://www.shop.example")], None, &["https://shop.example"], None),
            (vec![host, from("https://any.example")], None, &["*"], Some(PageOrigin::Allowed)),
            // Behind a proxy that ends TLS.
            (
                vec![("Host", "c.example"), from("https://c.example")],
                Some("https://c.example/base"),
                &[],
                Some(PageOrigin::Ours),
            ),
            (
                vec![("Host", "c.example"), from("https://c.example"), ("Sec-Fetch-Site", "same-origin")],
                None,
                &[],
                Some(PageOrigin::Allowed),
            ),
            (vec![host, ("Sec-Fetch-Site", "cross-site")], None, &["*"], None),
            (
                vec![("Host", "localhost:8080"), from("http://localhost:8080")],
                None,
                &[],
                Some(PageOrigin::Ours),
            ),
            // A name that points at us for a moment: the network says nothing of this page.
            (
                vec![("Host", "evil.example"), from("http://evil.example")],
                None,
                &[],
                Some(PageOrigin::Allowed),
            ),
            (
                vec![
                    ("Host", "evil.example"),
                    from("http://evil.example"),
                    ("Sec-Fetch-Site", "same-origin"),
                ],
                Some("http://us.example"),
                &[],
                Some(PageOrigin::Allowed),
            ),
        ] {
            assert_eq!(outcome(&headers, public_url, allowed), expected, "{headers:?}");
        }
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let allowed = AllowedOrigins::parse(&["*"]).unwrap();
        let may = |headers: &[(&str, &str)]| {
            let headers = [&[("Host", "192.0.2.1:8080")], headers].concat();
            let policy = OriginPolicy { public_url: Some("https://us.example"), allowed: &allowed };
            check_page(&parts("/conference_reservation_create", &headers), policy).is_ok()
        };
        assert!(may(&[]), "a program");
        assert!(may(&[("Sec-Fetch-Site", "none")]), "typed by its user");
        assert!(
            may(&[("Sec-Fetch-Site", "same-origin"), ("Origin", "null")]),
            "our own form under no-referrer"
        );
        assert!(may(&[("Origin", "http://192.0.2.1:8080")]) && may(&[("Origin", "https://us.example")]));
        assert!(may(&[("Sec-Fetch-Site", "whatever")]), "not a value of it");
        for headers in [
            [("Sec-Fetch-Site", "cross-site"), ("Accept", "*/*")],
            // A sibling domain is not ours, nor is another port of the same machine.
            [("Sec-Fetch-Site", "same-site"), ("Origin", "http://192.0.2.1:3000")],
            [("Origin", "https://evil.example"), ("Accept", "*/*")],
            [("Origin", "http://192.0.2.1:3000"), ("Accept", "*/*")],
            [("Origin", "null"), ("Accept", "*/*")],
        ] {
            assert!(!may(&headers), "{headers:?}: web.allowed_origins is for WebSockets alone");
        }
    }

    #[test]
    fn a_request_says_for_which_host_it_is() {
        let status = |version, target: &str, hosts: &[&str]| {
            let headers: Vec<_> = hosts.iter().map(|host| ("Host", *host)).collect();
            let mut parts = parts(target, &headers);
            parts.version = version;
            check_host(&parts).is_ok()
        };
        for host in
            ["a", "a.example:8080", "127.0.0.1", "[::1]:8080", "a_b.example", "a:", "xn--bcher-kva.example"]
        {
            assert!(status(Version::HTTP_11, "/", &[host]), "{host}");
        }
        for host in [
            "",
            "a b",
            "a/b",
            "a@b",
            "a:b",
            "a:99999",
            "[::1",
            "[1.2.3.4]",
            "http://a",
            "a\"",
            ":80",
            "a,b:80:90",
        ] {
            assert!(!status(Version::HTTP_11, "/", &[host]), "{host}");
            assert!(!status(Version::HTTP_10, "/", &[host]), "{host}");
        }
        assert!(!status(Version::HTTP_11, "/", &[]) && status(Version::HTTP_10, "/", &[]));
        assert!(!status(Version::HTTP_11, "/", &["a", "a"]) && !status(Version::HTTP_10, "/", &["a", "b"]));
        assert!(status(Version::HTTP_11, "http://b.example:8080/x", &["a"]), "an absolute target");
        assert!(!status(Version::HTTP_11, "http://b.example/x", &[]), "needs Host all the same");
        assert!(!status(Version::HTTP_11, "ftp://b.example/x", &["a"]));
        assert!(!status(Version::HTTP_11, "http://user@b.example/x", &["a"]));
        let both = parts("http://b.example:8080/x", &[("Host", "a")]);
        assert_eq!(
            authority(&both.uri, both.headers.get(header::HOST)),
            Some("b.example:8080"),
            "the target counts"
        );
    }
}
