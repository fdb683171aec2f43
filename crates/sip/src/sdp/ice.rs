//! ICE lite (RFC 8445, 2.5; RFC 8839): one host candidate, and all checks are answered.

use sdp_types::{Media, Session};
use std::{fmt::Write, net::SocketAddr};

/// Credentials of a stream's connectivity checks (RFC 8445, 5.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IceCredentials {
    /// 4 to 256 letters, digits, `+` and `/`.
    pub ufrag: String,
    /// 22 to 256 of the same.
    pub pwd: String,
}

/// The other side's credentials, if it offers ICE.
pub(super) fn remote(session: &Session, media: &Media) -> Option<IceCredentials> {
    let value = |name| {
        let of_media = media.get_first_attribute_value(name);
        of_media.or_else(|| session.get_first_attribute_value(name)).flatten().map(str::trim)
    };
    let is_text = |text: &str, least| {
        (least..=256).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
    };
    let ufrag = value("ice-ufrag").filter(|text| is_text(text, 4))?;
    let pwd = value("ice-pwd").filter(|text| is_text(text, 22))?;
    // A lite agent makes no checks, and neither do we: without a full agent ICE has no effect.
    if session.has_attribute("ice-lite") {
        return None;
    }
    Some(IceCredentials { ufrag: ufrag.to_owned(), pwd: pwd.to_owned() })
}

/// The lines of an answer with ICE.
pub(super) fn write_media(sdp: &mut String, ours: &IceCredentials, rtp: SocketAddr, rtcp_mux: bool) {
    let _ = write!(sdp, "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", ours.ufrag, ours.pwd);
    let components = if rtcp_mux { 1..=1 } else { 1..=2_u16 };
    for component in components {
        // Priority of a host candidate (RFC 8445, 5.1.2.1).
        let priority = (126 << 24) + (65_535 << 8) + (256 - u32::from(component));
        let (ip, port) = (rtp.ip(), rtp.port().wrapping_add(component - 1));
        let _ = write!(sdp, "a=candidate:1 {component} UDP {priority} {ip} {port} typ host\r\n");
    }
    sdp.push_str("a=end-of-candidates\r\n");
}
