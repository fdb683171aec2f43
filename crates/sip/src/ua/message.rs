//! Reading and writing messages.

use super::types::{AddrSpec, Flow, NameAddr, Reason, Replaces, Transport};
use crate::text::line;
use bytes::Bytes;
use sipx_sip::{
    Address, Header, HeaderName, Headers, Host, Method, Request, RequestBuilder, Response, ResponseBuilder,
    StatusCode, Uri, Via, headers as sip,
};
use std::net::{IpAddr, SocketAddr};

pub(super) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REGISTER, SUBSCRIBE, NOTIFY, REFER";
/// Supported extensions.
pub(super) const SUPPORTED: &str = "100rel, timer, replaces, path, norefersub";

/// The standard reason phrase of a status.
pub(super) fn phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        200 => "OK",
        202 => "Accepted",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        484 => "Address Incomplete",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        _ => "Unspecified",
    }
}

/// A response with the headers that all responses have. `to_tag` is set on all but 100.
pub(super) fn response(
    request: &Request,
    status: u16,
    reason: Option<&str>,
    to_tag: Option<&str>,
    product: &str,
) -> Option<Response> {
    let code = StatusCode::new(status)?;
    let reason = line(reason.unwrap_or_else(|| phrase(status)));
    let mut response = ResponseBuilder::to_request(request, code, reason).ok()?.build();
    if let Some(tag) = to_tag
        && let Some(to) = text(&response.headers, &HeaderName::To)
        && tag_of(&response.headers, Side::To).is_none()
    {
        set(&mut response.headers, &HeaderName::To, format!("{to};tag={tag}"));
    }
    push(&mut response.headers, HeaderName::Server, product.to_owned());
    Some(response)
}

pub(super) fn with_body(response: &mut Response, content_type: &str, body: String) {
    push(&mut response.headers, HeaderName::ContentType, content_type.to_owned());
    set(&mut response.headers, &HeaderName::ContentLength, body.len().to_string());
    response.set_body(Bytes::from(body));
}

/// Adds a header; an invalid one (a line break in its value) is left out.
pub(super) fn push(headers: &mut Headers, name: HeaderName, value: impl Into<Bytes>) {
    if let Ok(header) = Header::build(name, value) {
        headers.push(header);
    }
}

pub(super) fn set(headers: &mut Headers, name: &HeaderName, value: impl Into<Bytes>) {
    if let Ok(header) = Header::build(name.clone(), value) {
        headers.remove_all(name);
        headers.push(header);
    }
}

/// Replaces the topmost header of this name.
pub(super) fn set_first(headers: &mut Headers, name: HeaderName, value: impl Into<Bytes>) {
    if let Ok(header) = Header::build(name.clone(), value) {
        headers.remove_first(&name);
        headers.insert(0, header);
    }
}

pub(super) fn text(headers: &Headers, name: &HeaderName) -> Option<String> {
    headers.value(name).map(|value| String::from_utf8_lossy(&value).trim().to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    From,
    To,
}

pub(super) fn address(headers: &Headers, side: Side) -> Option<Address> {
    match side {
        Side::From => headers.typed::<sip::From>()?.ok().map(|from| from.0),
        Side::To => headers.typed::<sip::To>()?.ok().map(|to| to.0),
    }
}

pub(super) fn tag_of(headers: &Headers, side: Side) -> Option<String> {
    let address = address(headers, side)?;
    address.tag().map(|tag| String::from_utf8_lossy(tag).into_owned())
}

pub(super) fn cseq(headers: &Headers) -> Option<u32> {
    Some(headers.typed::<sip::CSeq>()?.ok()?.sequence)
}

pub(super) fn call_id(headers: &Headers) -> String {
    text(headers, &HeaderName::CallId).unwrap_or_default()
}

/// The URI of the first Contact.
pub(super) fn contact(headers: &Headers) -> Option<Uri> {
    match headers.typed::<sip::ContactValue>()?.ok()? {
        sip::ContactValue::Address(address) => Some(address.uri),
        sip::ContactValue::Wildcard => None,
    }
}

/// The URIs of all Contacts, the most preferred first (`q`, section 20.10).
pub(super) fn contacts(headers: &Headers) -> Vec<Uri> {
    let mut found: Vec<(u32, Uri)> = headers
        .typed_all::<sip::ContactValue>()
        .filter_map(|contact| match contact {
            Ok(sip::ContactValue::Address(address)) => {
                let q =
                    address.param("q").and_then(|q| std::str::from_utf8(q).ok()?.trim().parse::<f32>().ok());
                let thousandths = q.filter(|q| (0.0..=1.0).contains(q)).map_or(1000, |q| (q * 1000.0) as u32);
                Some((thousandths, address.uri))
            }
            Ok(sip::ContactValue::Wildcard) | Err(_) => None,
        })
        .collect();
    found.sort_by_key(|(q, _)| std::cmp::Reverse(*q));
    found.into_iter().map(|(_, uri)| uri).collect()
}

/// The values of a list header with routes: Path, Service-Route.
pub(super) fn route_list(headers: &Headers, name: &HeaderName) -> Vec<String> {
    headers.get_all(name).flat_map(|header| split_list(&String::from_utf8_lossy(&header.value()))).collect()
}

/// The URIs of such a list. `None` if one of them is invalid.
pub(super) fn route_uris(headers: &Headers, name: &HeaderName) -> Option<Vec<String>> {
    let uri = |route: &String| route_uri(route).map(|uri| uri_text(&uri));
    route_list(headers, name).iter().map(uri).collect()
}

/// The Retry-After of a 503.
pub(super) fn retry_after(headers: &Headers) -> Option<std::time::Duration> {
    let value = text(headers, &HeaderName::RetryAfter)?;
    value.split([' ', ';', '(']).next()?.parse().ok().map(std::time::Duration::from_secs)
}

/// A URI as text.
pub(super) fn uri_text(uri: &Uri) -> String {
    String::from_utf8_lossy(&uri.to_bytes()).into_owned()
}

/// A display name in quotes, followed by a space; empty for none.
pub(super) fn quoted(name: Option<&str>) -> String {
    match line(name.unwrap_or_default()).trim() {
        "" => String::new(),
        name => format!("{} ", crate::text::quoted(name)),
    }
}

/// The Record-Route values from top to bottom, as they go into Route.
pub(super) fn record_route(headers: &Headers) -> Vec<String> {
    route_list(headers, &HeaderName::RecordRoute)
}

/// Splits at commas that are in neither quotes nor angle brackets.
fn split_list(value: &str) -> Vec<String> {
    let parts = split_at(value, ',').into_iter().map(|part| part.trim().to_owned());
    parts.filter(|part| !part.is_empty()).collect()
}

/// Splits where a character is in neither quotes nor angle brackets.
fn split_at(value: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    for (at, c) in value.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => bracketed = true,
            '>' if !quoted => bracketed = false,
            c if c == separator && !quoted && !bracketed => {
                parts.push(&value[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&value[start..]);
    parts
}

/// The address of a URI without DNS: only if its host is an address.
pub(super) fn uri_address(uri: &Uri, transport: Transport) -> Option<SocketAddr> {
    let ip: IpAddr = host_text(uri.host()?).trim_matches(['[', ']']).parse().ok()?;
    Some(SocketAddr::new(ip, uri.port().unwrap_or(transport.default_port())))
}

/// The URI inside a Route or Record-Route value.
pub(super) fn route_uri(route: &str) -> Option<Uri> {
    Address::parse(route.as_bytes(), "Route").ok().map(|address| address.uri)
}

pub(super) fn host_text(host: &Host) -> String {
    String::from_utf8_lossy(&host.to_bytes()).into_owned()
}

pub(super) fn target(uri: &Uri) -> AddrSpec {
    let user = match uri.tel_parts() {
        // With its parameters: an extension or a context may make it another number (RFC 3966, section 5.1.5), and a
        // SIP URI has them in its user part as well (RFC 3261, section 19.1.6).
        Some(tel) => {
            let number = String::from_utf8_lossy(tel.subscriber()).replace(['-', '.', '(', ')'], "");
            let text = uri_text(uri);
            text.split_once(';').map_or(number.clone(), |(_, parameters)| format!("{number};{parameters}"))
        }
        None => {
            uri.decoded_user().map(|user| String::from_utf8_lossy(&user).into_owned()).unwrap_or_default()
        }
    };
    AddrSpec { user, host: uri.host().map(host_text).unwrap_or_default() }
}

pub(super) fn name_addr(headers: &Headers, side: Side) -> NameAddr {
    let Some(address) = address(headers, side) else {
        return NameAddr { display_name: None, user: String::new(), host: String::new() };
    };
    let AddrSpec { user, host } = target(&address.uri);
    let display_name = address.display_name.map(|name| String::from_utf8_lossy(&name).into_owned());
    NameAddr { display_name, user, host }
}

/// The first P-Asserted-Identity that is a SIP or tel URI (RFC 3325, 9.1), unless privacy is requested (RFC 3323).
pub(super) fn asserted(headers: &Headers) -> Option<NameAddr> {
    let value = text(headers, &HeaderName::parse(&Bytes::from_static(b"P-Asserted-Identity")))?;
    let first = split_list(&value).into_iter().next()?;
    let address = Address::parse(first.as_bytes(), "P-Asserted-Identity").ok()?;
    let AddrSpec { user, host } = target(&address.uri);
    let display_name = address.display_name.map(|name| String::from_utf8_lossy(&name).into_owned());
    (!is_private(headers) && !user.is_empty()).then_some(NameAddr { display_name, user, host })
}

/// The sender requests privacy (RFC 3323, 4.2; RFC 3325, 9.3).
pub(super) fn is_private(headers: &Headers) -> bool {
    let privacy = text(headers, &HeaderName::parse(&Bytes::from_static(b"Privacy"))).unwrap_or_default();
    privacy
        .split(';')
        .any(|value| ["id", "user", "header"].iter().any(|kind| value.trim().eq_ignore_ascii_case(kind)))
}

/// The caller hides who it is: by Privacy, or by a From that names nobody (RFC 3323, 4.1.1.3), as gateways of the telephone network
/// write it in several spellings, often without Privacy.
pub(super) fn is_withheld(headers: &Headers) -> bool {
    const NOBODY: [&str; 5] = ["anonymous", "unknown", "restricted", "unavailable", "private"];
    let NameAddr { user, host, .. } = name_addr(headers, Side::From);
    is_private(headers)
        || host.eq_ignore_ascii_case("anonymous.invalid")
        || NOBODY.iter().any(|nobody| user.eq_ignore_ascii_case(nobody))
}

/// The dialog that a call replaces (RFC 3891). `Err`: unreadable.
pub(super) fn replaces(headers: &Headers) -> Result<Option<Replaces>, ()> {
    text(headers, &HeaderName::Replaces).map(|value| replaces_of(&value)).transpose()
}

/// The same from the header value.
pub(super) fn replaces_of(value: &str) -> Result<Replaces, ()> {
    let mut parts = value.split(';').map(str::trim);
    let call_id = parts.next().filter(|id| !id.is_empty()).ok_or(())?.to_owned();
    let (mut to, mut from, mut early) = (None, None, false);
    for part in parts {
        match part.split_once('=') {
            Some((name, tag)) if name.trim().eq_ignore_ascii_case("to-tag") => {
                to = Some(tag.trim().to_owned())
            }
            Some((name, tag)) if name.trim().eq_ignore_ascii_case("from-tag") => {
                from = Some(tag.trim().to_owned());
            }
            None if part.eq_ignore_ascii_case("early-only") => early = true,
            Some(_) | None => {}
        }
    }
    Ok(Replaces { call_id, to_tag: to.ok_or(())?, from_tag: from.ok_or(())?, early_only: early })
}

/// The lines of an unreadable request that its response has to repeat (RFC 3261, section 8.2.6.2). `None` if it is
/// not a request, takes no response (ACK), or does not say where it came from.
pub(super) fn salvage(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
    let start = lines.next()?;
    let method = start.split(' ').next()?;
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
    if !start.contains("SIP/") || method.is_empty() || !method.chars().all(is_token) || method == "ACK" {
        return None;
    }
    let (mut copied, mut has_via, mut is_copying) = (String::new(), false, false);
    for line in lines.take_while(|line| !line.is_empty()) {
        if line.contains(|c: char| c.is_control() && c != '\t') {
            is_copying = false;
            continue;
        }
        if !line.starts_with([' ', '\t']) {
            let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
            is_copying =
                matches!(name.as_str(), "via" | "v" | "from" | "f" | "to" | "t" | "call-id" | "i" | "cseq");
            has_via |= matches!(name.as_str(), "via" | "v");
        }
        if is_copying {
            copied.push_str(line);
            copied.push_str("\r\n");
        }
    }
    has_via.then_some(copied)
}

/// Headers by their names.
pub(super) fn named(headers: &[(String, String)]) -> Vec<(HeaderName, String)> {
    headers
        .iter()
        .map(|(name, value)| (HeaderName::parse(&Bytes::from(name.clone())), value.clone()))
        .collect()
}

pub(super) fn reasons(headers: &Headers) -> Vec<Reason> {
    let Some(Ok(values)) = headers.typed::<sip::Reason>() else { return Vec::new() };
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    values
        .0
        .iter()
        .map(|value| Reason {
            protocol: lossy(value.protocol()),
            cause: Some(value.cause()),
            text: value.text().map(lossy),
        })
        .collect()
}

/// Records in the topmost Via where a request really came from (RFC 3261, section 18.2.1; RFC 3581, section 4).
pub(super) fn mark_source(request: &mut Request, source: SocketAddr) {
    let Some(value) = request.headers.value(&HeaderName::Via).map(std::borrow::Cow::into_owned) else {
        return;
    };
    let end = sip::first_hop_end(&value);
    let Ok(via) = Via::parse_one(&value[..end]) else { return };
    let wants_rport = matches!(via.rport(), Some(None));
    let same_host = host_text(&via.host).trim_matches(['[', ']']).parse() == Ok(source.ip());
    // What the sender itself writes there is a guess: only the receiver knows.
    let says_received = via.param("received").is_some();
    if same_host && !wants_rport && !says_received {
        return;
    }
    let hop = String::from_utf8_lossy(&value[..end]).into_owned();
    let is_received =
        |part: &&str| part.split('=').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("received"));
    let parts = split_at(&hop, ';').into_iter().filter(|part| !is_received(part)).map(|part| {
        match part.trim().eq_ignore_ascii_case("rport") {
            true => format!("rport={}", source.port()),
            false => part.trim_end().to_owned(),
        }
    });
    let mut hop = parts.collect::<Vec<_>>().join(";");
    if !same_host || wants_rport {
        hop.push_str(&format!(";received={}", source.ip()));
    }
    hop.push_str(&String::from_utf8_lossy(&value[end..]));
    if let Ok(header) = Header::build(HeaderName::Via, hop) {
        request.headers.remove_first(&HeaderName::Via);
        request.headers.insert(0, header);
    }
}

/// Where the response to a request goes (RFC 3261, section 18.2.2; RFC 3581, section 4). `maddr` is not followed:
/// anyone could direct responses at anyone with it.
pub(super) fn response_flow(request: &Request, flow: Flow) -> Flow {
    if !flow.transport.is_datagram() {
        return flow;
    }
    match request.headers.typed::<Via>() {
        Some(Ok(via)) if via.rport().is_none() => {
            let remote = SocketAddr::new(flow.remote.ip(), via.port.unwrap_or(5060));
            Flow { remote, ..flow }
        }
        _ => flow,
    }
}

/// The headers that begin a request of this side.
pub(super) struct Heading<'a> {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) via: String,
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) call_id: &'a str,
    pub(super) cseq: u32,
    pub(super) routes: &'a [String],
    pub(super) contact: Option<String>,
    pub(super) product: &'a str,
}

pub(super) fn request(heading: Heading<'_>) -> Request {
    let method = heading.method.clone();
    let mut request = RequestBuilder::new(heading.method, heading.uri).build();
    let headers = &mut request.headers;
    headers.remove_all(&HeaderName::ContentLength);
    push(headers, HeaderName::Via, heading.via);
    push(headers, HeaderName::MaxForwards, "70");
    for route in heading.routes {
        push(headers, HeaderName::Route, route.clone());
    }
    push(headers, HeaderName::From, heading.from.to_owned());
    push(headers, HeaderName::To, heading.to.to_owned());
    push(headers, HeaderName::CallId, heading.call_id.to_owned());
    push(headers, HeaderName::CSeq, format!("{} {method}", heading.cseq));
    if let Some(contact) = heading.contact {
        push(headers, HeaderName::Contact, contact);
    }
    push(headers, HeaderName::UserAgent, heading.product.to_owned());
    push(headers, HeaderName::ContentLength, "0");
    request
}

/// An ACK to a 2xx carries the credentials of its INVITE (section 22.1).
pub(super) fn copy_authorization(invite: &Request, ack: &mut Request) {
    for name in [HeaderName::Authorization, HeaderName::ProxyAuthorization] {
        for header in invite.headers.get_all(&name) {
            ack.headers.push(header.clone());
        }
    }
}

pub(super) fn reason_header(reasons: &[Reason]) -> Vec<(HeaderName, String)> {
    if reasons.is_empty() {
        return Vec::new();
    }
    let values: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    vec![(HeaderName::Reason, values.join(", "))]
}

/// The CANCEL of an INVITE: the same branch, the same CSeq number (section 9.1).
pub(super) fn cancel_of(invite: &Request) -> Request {
    let mut cancel = RequestBuilder::new(Method::Cancel, invite.uri.clone()).build();
    for name in [
        HeaderName::Via,
        HeaderName::MaxForwards,
        HeaderName::Route,
        HeaderName::From,
        HeaderName::To,
        HeaderName::CallId,
    ] {
        for header in invite.headers.get_all(&name) {
            cancel.headers.push(header.clone());
        }
    }
    let cseq = cseq(&invite.headers).unwrap_or(1);
    push(&mut cancel.headers, HeaderName::CSeq, format!("{cseq} CANCEL"));
    cancel
}

/// The extensions that a request requires and that are not supported (section 8.2.2.3).
pub(super) fn required(request: &Request) -> Option<String> {
    let tags: Vec<String> = request
        .headers
        .typed_all::<sip::Require>()
        .filter_map(Result::ok)
        .flat_map(|require| require.0.0)
        .map(|tag| String::from_utf8_lossy(&tag).into_owned())
        .filter(|tag| !SUPPORTED.split(", ").any(|known| known.eq_ignore_ascii_case(tag)))
        .collect();
    (!tags.is_empty()).then(|| tags.join(", "))
}
