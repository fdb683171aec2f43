//! Whose request it is when a proxy passes it on: limits, bans and the log count callers and not the proxy.
//!
//! A proxy appends the address that it was called from to `X-Forwarded-For` or `Forwarded` (RFC 7239). Any client can send
//! these headers, so they are read from configured proxies only, from the end: the last entry is what the proxy next to us
//! saw, the one before it what that one received.

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose word counts about the address that a request comes from.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// Those of these networks.
    #[must_use]
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    pub(crate) fn include(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The proxy passes on two headers that name different callers: one of them is the caller's own invention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contradiction;

/// The address that a request of `remote` comes from. The port is that of the connection, so that two requests of one
/// caller at once stay apart.
pub(crate) fn caller(
    remote: SocketAddr,
    headers: &HeaderMap,
    proxies: &TrustedProxies,
) -> Result<SocketAddr, Contradiction> {
    if !proxies.include(remote.ip()) {
        return Ok(remote);
    }
    let by = |name: HeaderName, address: fn(&str) -> Option<IpAddr>| {
        let has_any = headers.contains_key(&name);
        let values: Vec<&str> =
            headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        has_any.then(|| first_stranger(&values, address, proxies))
    };
    // A proxy that knows one of the headers passes the other on as the caller wrote it.
    let found = match (by(X_FORWARDED_FOR, address), by(header::FORWARDED, forwarded_for)) {
        (Some(one), Some(other)) if one != other => return Err(Contradiction),
        (one, other) => one.or(other).flatten(),
    };
    Ok(SocketAddr::new(found.unwrap_or(remote.ip()), remote.port()))
}

/// Whether a proxy was reached under TLS, as `X-Forwarded-Proto` or `Forwarded` say in their last entry; `None`: neither does.
pub(crate) fn is_secure(headers: &HeaderMap) -> Option<bool> {
    let last = |name: HeaderName| {
        let value = headers.get_all(name).iter().next_back()?.to_str().ok()?;
        split(value).into_iter().next_back()
    };
    let forwarded = || {
        let mut pairs = last(header::FORWARDED)?.split(';').filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("proto"))?;
        Some(value.trim_matches('"'))
    };
    let scheme = last(X_FORWARDED_PROTO).or_else(forwarded)?;
    Some(scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss"))
}

/// The last address that is no proxy of ours. Where there is none, the first of our proxies; `None`: the nearest proxy did
/// not say.
fn first_stranger(
    values: &[&str],
    address: fn(&str) -> Option<IpAddr>,
    proxies: &TrustedProxies,
) -> Option<IpAddr> {
    let mut nearest = None;
    for entry in values.iter().rev().flat_map(|value| split(value).into_iter().rev()) {
        let Some(address) = address(entry) else { break };
        nearest = Some(address);
        if !proxies.include(address) {
            break;
        }
    }
    nearest
}

/// The elements of a list; a comma within quotes parts none (RFC 9110, section 5.6.1).
fn split(value: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let elements = value.split(move |c| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    });
    elements.map(str::trim).filter(|element| !element.is_empty()).collect()
}

/// The `for` of a forwarded-element (RFC 7239, section 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    address(value.trim_matches('"'))
}

/// An address, with a port or without, IPv6 in brackets or bare.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let parsed = bare.parse::<IpAddr>().ok();
    parsed.or_else(|| text.parse::<SocketAddr>().ok().map(|at| at.ip())).map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn found(remote: &str, headers: &[(&'static str, &str)]) -> Result<String, Contradiction> {
        let proxies = TrustedProxies::new(["10.0.0.0/8", "::1/128"].map(|net| net.parse().unwrap()));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        caller(SocketAddr::new(remote.parse().unwrap(), 4000), &map, &proxies).map(|at| at.ip().to_string())
    }

    #[test]
    fn a_proxy_says_whether_it_was_reached_under_tls() {
        const PROTO: &str = "x-forwarded-proto";
        for (headers, expected) in [
            (vec![], None),
            (vec![(PROTO, "https")], Some(true)),
            (vec![(PROTO, "http")], Some(false)),
            // What the caller wrote itself stands before what our proxy saw.
            (vec![(PROTO, "https, http")], Some(false)),
            (vec![(PROTO, "https"), (PROTO, "http")], Some(false)),
            (vec![("forwarded", "for=192.0.2.1;proto=https")], Some(true)),
            (vec![("forwarded", "proto=https, for=192.0.2.1;Proto=\"http\"")], Some(false)),
            (vec![("forwarded", "for=192.0.2.1")], None),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in &headers {
                map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(is_secure(&map), expected, "{headers:?}");
        }
    }

    #[test]
    fn the_address_is_the_last_that_is_no_proxy_of_ours() {
        const XFF: &str = "x-forwarded-for";
        const FWD: &str = "forwarded";
        for (remote, headers, expected) in [
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec![(XFF, "198.51.100.7")], "198.51.100.7"),
            ("::ffff:10.0.0.1", vec![(XFF, "198.51.100.7")], "198.51.100.7"),
            ("::1", vec![(XFF, "2001:db8::7")], "2001:db8::7"),
            // What the caller wrote itself stands before what our proxy saw.
            ("10.0.0.1", vec![(XFF, "192.0.2.1, 198.51.100.7")], "198.51.100.7"),
            ("10.0.0.1", vec![(XFF, "192.0.2.1"), (XFF, "198.51.100.7")], "198.51.100.7"),
            // Two proxies of ours.
            ("10.0.0.1", vec![(XFF, "192.0.2.1, 198.51.100.7, 10.0.0.2")], "198.51.100.7"),
            ("10.0.0.1", vec![(XFF, "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            ("10.0.0.1", vec![(XFF, "198.51.100.7:5678")], "198.51.100.7"),
            ("10.0.0.1", vec![(XFF, "[2001:db8::7]:5678")], "2001:db8::7"),
            ("10.0.0.1", vec![(XFF, "192.0.2.1, unknown")], "10.0.0.1"),
            ("10.0.0.1", vec![(XFF, "")], "10.0.0.1"),
            ("10.0.0.1", vec![(FWD, "for=198.51.100.7;proto=https;by=10.0.0.1")], "198.51.100.7"),
            ("10.0.0.1", vec![(FWD, r#"for=192.0.2.1, proto=https;For="[2001:db8::7]:99""#)], "2001:db8::7"),
            ("10.0.0.1", vec![(FWD, r#"for="192.0.2.1, 10.0.0.9", for=198.51.100.7"#)], "198.51.100.7"),
            ("10.0.0.1", vec![(FWD, "for=_hidden")], "10.0.0.1"),
            ("10.0.0.1", vec![(FWD, "for=198.51.100.7"), (XFF, "198.51.100.7")], "198.51.100.7"),
            // No other peer is believed.
            ("192.0.2.9", vec![(XFF, "198.51.100.7")], "192.0.2.9"),
            ("192.0.2.9", vec![(FWD, "for=198.51.100.7"), (XFF, "203.0.113.1")], "192.0.2.9"),
        ] {
            assert_eq!(found(remote, &headers).as_deref(), Ok(expected), "{remote} {headers:?}");
        }
        for headers in
            [[(FWD, "for=192.0.2.1"), (XFF, "198.51.100.7")], [(FWD, "for=_hidden"), (XFF, "198.51.100.7")]]
        {
            assert_eq!(found("10.0.0.1", &headers), Err(Contradiction), "{headers:?}");
        }
    }
}
