//! Message bodies (RFC 3261, sections 7.4 and 20.11; RFC 5621). A body is one part, or a `multipart/*` of parts, as
//! carriers send it with ISUP (RFC 3204) or the caller's location (RFC 6442) beside the session description.
//!
//! A part that is not understood is ignored if its `handling` is `optional`, and refused with 415 if it is
//! `required`. RFC 3261 makes `required` the default, but senders of a location (RFC 6442) state nothing: beside a
//! part that is understood such a part is ignored too, and on its own it is refused.

use bytes::Bytes;
use sipx_sip::{HeaderName, Headers};
use std::{borrow::Cow, ops::Range};

pub(super) const SDP_TYPE: &str = "application/sdp";
/// Types in a dialog's INVITE, UPDATE, ACK and PRACK and their responses.
pub(super) const SESSION: &[&str] = &[SDP_TYPE];
/// Types in INFO.
pub(super) const KEYS: &[&str] = &[DTMF_RELAY, DTMF];
pub(super) const DTMF_RELAY: &str = "application/dtmf-relay";
pub(super) const DTMF: &str = "application/dtmf";
/// Types in NOTIFY of a referral (RFC 3515, section 2.4.5).
pub(super) const SIPFRAG: &[&str] = &["message/sipfrag"];
/// All of these.
pub(super) const ALL: &[&str] = &[SDP_TYPE, DTMF_RELAY, DTMF, "message/sipfrag"];
const MULTIPART: &str = "multipart";

/// Nested multiparts that are read, and parts of one body.
const DEPTH_MAX: usize = 4;
const PARTS_MAX: usize = 32;
/// RFC 2046, section 5.1.1.
const BOUNDARY_CHARS_MAX: usize = 70;

/// The content of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing of use.
    None,
    /// A part of one of the requested types: its type and its text.
    Known {
        /// In lower case, without parameters.
        media_type: &'static str,
        text: String,
    },
    /// A part that is not understood, without `handling`.
    Unknown,
    /// A part that has to be understood and is not.
    Refused,
}

/// The part of a body that has one of the types `known`: the first of a multipart/mixed, the last of a
/// multipart/alternative.
pub(super) fn find(headers: &Headers, body: &Bytes, known: &'static [&'static str]) -> Body {
    if body.is_empty() {
        return Body::None;
    }
    let value = |name: &str| headers.value(&HeaderName::parse(&Bytes::copy_from_slice(name.as_bytes())));
    let part = Part::new(value, body);
    let mut reader = Reader { known, parts: 0 };
    match reader.read(&part, 0) {
        Found::Known(media_type, text) => Body::Known { media_type, text },
        Found::Nothing => Body::None,
        Found::Unknown => Body::Unknown,
        Found::Refused => Body::Refused,
    }
}

/// The text of the part of one of these types, if there is one.
pub(super) fn text(headers: &Headers, body: &Bytes, known: &'static [&'static str]) -> Option<String> {
    match find(headers, body, known) {
        Body::Known { text, .. } => Some(text),
        Body::None | Body::Unknown | Body::Refused => None,
    }
}

/// The value of Accept with which a body is refused (RFC 3261, section 21.4.13).
pub(super) fn accept(known: &[&str]) -> String {
    let types = known.iter().copied().chain(["multipart/mixed", "multipart/alternative"]);
    types.collect::<Vec<_>>().join(", ")
}

/// A body, or a part of one.
struct Part<'a> {
    /// Type and parameters; text/plain by default (RFC 2046, section 5.2).
    media_type: MediaType,
    is_encoded: bool,
    transfer: Transfer,
    handling: Handling,
    /// Its disposition is not the session.
    is_aside: bool,
    bytes: &'a [u8],
}

/// The treatment of a part that is not understood (RFC 3261, section 20.11).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Handling {
    Required,
    Optional,
    Unsaid,
}

enum Transfer {
    Plain,
    Base64,
    QuotedPrintable,
    Unknown,
}

impl<'a> Part<'a> {
    fn new<'v>(value: impl Fn(&str) -> Option<Cow<'v, [u8]>>, bytes: &'a [u8]) -> Self {
        let text = |name| value(name).map(|value| String::from_utf8_lossy(&value).trim().to_owned());
        let disposition = text("Content-Disposition").unwrap_or_default();
        let mut fields = split_unquoted(&disposition, ';').into_iter();
        let purpose = fields.next().unwrap_or_default().trim().to_ascii_lowercase();
        let handling = fields.find_map(|field| parameter(field, "handling"));
        let transfer =
            match text("Content-Transfer-Encoding").unwrap_or_default().to_ascii_lowercase().as_str() {
                "" | "7bit" | "8bit" | "binary" => Transfer::Plain,
                "base64" => Transfer::Base64,
                "quoted-printable" => Transfer::QuotedPrintable,
                _ => Transfer::Unknown,
            };
        Self {
            media_type: MediaType::parse(&text("Content-Type").unwrap_or_default()),
            is_encoded: text("Content-Encoding")
                .is_some_and(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity")),
            transfer,
            handling: match handling.unwrap_or_default().to_ascii_lowercase().as_str() {
                "required" => Handling::Required,
                "optional" => Handling::Optional,
                _ => Handling::Unsaid,
            },
            is_aside: !matches!(purpose.as_str(), "" | "session" | "signal" | "info-package"),
            bytes,
        }
    }

    /// A part of a multipart: header lines, an empty line, the content.
    fn parse(part: &'a [u8]) -> Self {
        let (head, bytes) = split_head(part);
        let head = String::from_utf8_lossy(head);
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in head.split('\n').map(|line| line.trim_end_matches('\r')) {
            match (line.strip_prefix([' ', '\t']), fields.last_mut()) {
                // A folded line (RFC 5322, section 2.2.3).
                (Some(more), Some((_, value))) => {
                    value.push(' ');
                    value.push_str(more.trim());
                }
                _ => {
                    if let Some((name, value)) = line.split_once(':') {
                        fields.push((name.trim().to_owned(), value.trim().to_owned()));
                    }
                }
            }
        }
        let value = |name: &str| {
            // `c` is the compact form of Content-Type, `e` of Content-Encoding (RFC 3261, section 7.3.3).
            let short = match name {
                "Content-Type" => "c",
                "Content-Encoding" => "e",
                _ => name,
            };
            let is_it = |known: &str| known.eq_ignore_ascii_case(name) || known.eq_ignore_ascii_case(short);
            let field = fields.iter().find(|(known, _)| is_it(known))?;
            Some(Cow::Owned(field.1.clone().into_bytes()))
        };
        Self::new(value, bytes)
    }

    /// Its text. `None`: its encoding is not supported.
    fn text(&self) -> Option<String> {
        if self.is_encoded {
            return None;
        }
        let bytes = match self.transfer {
            Transfer::Plain => Cow::Borrowed(self.bytes),
            Transfer::Base64 => {
                let dense: Vec<u8> =
                    self.bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
                Cow::Owned(data_encoding::BASE64.decode(&dense).ok()?)
            }
            Transfer::QuotedPrintable => Cow::Owned(unquote_printable(self.bytes)),
            Transfer::Unknown => return None,
        };
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// `type/subtype`, in lower case, and its parameters.
#[derive(Debug, PartialEq, Eq)]
struct MediaType {
    name: String,
    boundary: Option<String>,
}

impl MediaType {
    fn parse(value: &str) -> Self {
        let mut fields = split_unquoted(value, ';').into_iter();
        let name: String = fields.next().unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect();
        let boundary = fields.find_map(|field| parameter(field, "boundary"));
        Self { name: name.to_ascii_lowercase(), boundary }
    }

    /// Its multipart subtype.
    fn multipart(&self) -> Option<&str> {
        let (kind, subtype) = self.name.split_once('/')?;
        (kind == MULTIPART).then_some(subtype)
    }
}

/// The content of a part. If several parts are of no use, the later variant counts more.
enum Found {
    Known(&'static str, String),
    /// It may be ignored.
    Nothing,
    /// Not understood, without `handling`.
    Unknown,
    /// Not understood, or beyond the limits.
    Refused,
}

impl Found {
    /// A part that is not understood, by its handling.
    fn not_understood(handling: Handling) -> Self {
        match handling {
            Handling::Optional => Self::Nothing,
            Handling::Unsaid => Self::Unknown,
            Handling::Required => Self::Refused,
        }
    }

    /// Parts that belong together: the first that is of use, unless one has to be understood and is not.
    fn and(self, next: Self) -> Self {
        match (self, next) {
            (Self::Refused, _) | (_, Self::Refused) => Self::Refused,
            (found @ Self::Known(..), _) | (_, found @ Self::Known(..)) => found,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Nothing, Self::Nothing) => Self::Nothing,
        }
    }

    /// Alternatives, the best last (RFC 2046, section 5.1.4): one that is understood is enough.
    fn or_better(self, next: Self) -> Self {
        match (self, next) {
            (_, found @ Self::Known(..)) | (found @ Self::Known(..), _) => found,
            (one, other) => one.and(other),
        }
    }
}

struct Reader {
    known: &'static [&'static str],
    /// Parts read so far.
    parts: usize,
}

impl Reader {
    fn read(&mut self, part: &Part<'_>, depth: usize) -> Found {
        let Some(kind) = part.media_type.multipart() else { return self.read_single(part, depth) };
        match self.read_multipart(part, kind, depth) {
            found @ (Found::Known(..) | Found::Nothing) => found,
            Found::Unknown => Found::not_understood(part.handling),
            Found::Refused if part.handling == Handling::Optional => Found::Nothing,
            Found::Refused => Found::Refused,
        }
    }

    fn read_single(&self, part: &Part<'_>, depth: usize) -> Found {
        let known = self.known.iter().find(|known| **known == part.media_type.name);
        // A session description with another disposition describes another session (RFC 5621, section 3.1; RFC 3959).
        // One that is the whole body counts, whatever its disposition.
        let text = known.filter(|_| !part.is_aside || depth == 0).and_then(|_| part.text());
        match (known, text) {
            (Some(known), Some(text)) => Found::Known(known, text),
            _ => Found::not_understood(part.handling),
        }
    }

    fn read_multipart(&mut self, part: &Part<'_>, kind: &str, depth: usize) -> Found {
        let boundary = part.media_type.boundary.as_deref().filter(|boundary| {
            !boundary.is_empty() && boundary.len() <= BOUNDARY_CHARS_MAX && !boundary.ends_with(' ')
        });
        let (Some(boundary), true) = (boundary, depth < DEPTH_MAX && !part.is_encoded) else {
            return Found::Refused;
        };
        let mut all: Option<Found> = None;
        for range in parts(part.bytes, boundary) {
            self.parts += 1;
            if self.parts > PARTS_MAX {
                return Found::Refused;
            }
            let next = self.read(&Part::parse(&part.bytes[range]), depth + 1);
            all = Some(match all {
                None => next,
                Some(found) if kind == "alternative" => found.or_better(next),
                Some(found) => found.and(next),
            });
        }
        // A multipart without parts violates its own boundary.
        all.unwrap_or(Found::Refused)
    }
}

/// The parts of a multipart body (RFC 2046, section 5.1.1). Text before the first boundary and after the last is
/// ignored; if the last is missing, the last part ends with the body.
fn parts(bytes: &[u8], boundary: &str) -> Vec<Range<usize>> {
    let delimiter = format!("--{boundary}");
    let (mut found, mut open, mut line) = (Vec::new(), None, 0);
    while line < bytes.len() && found.len() <= PARTS_MAX {
        let end =
            bytes[line..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| line + at + 1);
        if let Some(rest) = bytes[line..end].strip_prefix(delimiter.as_bytes()) {
            let (is_last, rest) = match rest.strip_prefix(b"--") {
                Some(rest) => (true, rest),
                None => (false, rest),
            };
            // White space may follow; anything else is another boundary with the same prefix.
            if rest.iter().all(u8::is_ascii_whitespace) {
                if let Some(begin) = open {
                    found.push(begin..before_line_end(bytes, begin, line));
                }
                if is_last {
                    return found;
                }
                open = Some(end);
            }
        }
        line = end;
    }
    found.extend(open.map(|begin| begin..bytes.len()));
    found
}

/// The line break before a boundary belongs to the boundary.
fn before_line_end(bytes: &[u8], begin: usize, line: usize) -> usize {
    let mut end = line;
    for byte in [b'\n', b'\r'] {
        if end > begin && bytes[end - 1] == byte {
            end -= 1;
        }
    }
    end
}

/// Header lines and what follows the empty line. A part may have no header lines at all.
fn split_head(part: &[u8]) -> (&[u8], &[u8]) {
    let mut line = 0;
    while line < part.len() {
        let end = part[line..].iter().position(|byte| *byte == b'\n').map_or(part.len(), |at| line + at + 1);
        if part[line..end].iter().all(|byte| b"\r\n".contains(byte)) {
            return (&part[..line], &part[end..]);
        }
        line = end;
    }
    (part, &[])
}

/// Splits at a character outside of quotes.
fn split_unquoted(value: &str, separator: char) -> Vec<&str> {
    let (mut fields, mut start, mut is_quoted, mut is_escaped) = (Vec::new(), 0, false, false);
    for (at, c) in value.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            c if c == separator && !is_quoted => {
                fields.push(&value[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    fields.push(&value[start..]);
    fields
}

/// The value of `name=value`, in quotes or not.
fn parameter(field: &str, name: &str) -> Option<String> {
    let (known, value) = field.split_once('=')?;
    if !known.trim().eq_ignore_ascii_case(name) {
        return None;
    }
    let value = value.trim();
    let Some(quoted) = value.strip_prefix('"') else { return Some(value.to_owned()) };
    let (mut plain, mut chars) = (String::new(), quoted.chars());
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => plain.extend(chars.next()),
            c => plain.push(c),
        }
    }
    Some(plain)
}

/// Decodes quoted-printable (RFC 2045, section 6.7). Invalid escapes are left as they are.
fn unquote_printable(bytes: &[u8]) -> Vec<u8> {
    let (mut plain, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'=' {
            plain.push(*first);
            continue;
        }
        // A sign is not a digit, though the number would be parsed.
        let digits = behind.get(..2).filter(|two| two.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|two| std::str::from_utf8(two).ok());
        if let Some(byte) = digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            plain.push(byte);
            rest = &behind[2..];
        } else if let Some(more) = behind.strip_prefix(b"\r\n").or_else(|| behind.strip_prefix(b"\n")) {
            rest = more;
        } else {
            plain.push(b'=');
        }
    }
    plain
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod escapes {
    #[test]
    fn only_two_hexadecimal_digits_are_an_escape() {
        assert_eq!(super::unquote_printable(b"v=3D0=0d=\r\n=+5=-1=3"), b"v=0\r=+5=-1=3");
    }
}
