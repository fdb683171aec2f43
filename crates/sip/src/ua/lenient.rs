//! Input that breaks the grammar but has one plain meaning, as telephones send it: line breaks before a request (RFC
//! 3261, section 7.5), a raw `#` in a user part, a quoted URI parameter, a display name that needs quotes and has
//! none (RFC 4475, section 3.1.2.15, permits inferring them). It is read as if it were correct, and the response is
//! correct.
//!
//! Only what does not parse is repaired, and the repair counts only if the result parses.

use bytes::Bytes;
use sipx_sip::{Address, Header, HeaderName, Headers, Limits, Message, error::ParseError, parse_datagram};

/// Headers with an address, and whether several may be in one line.
const ADDRESSES: [(&str, bool); 6] = [
    ("From", false),
    ("To", false),
    ("Contact", true),
    ("Refer-To", false),
    ("Referred-By", false),
    ("P-Asserted-Identity", true),
];

/// The octets of a packet without the line breaks before its message.
pub(crate) fn message_of(packet: &Bytes) -> Bytes {
    let begin = packet.iter().take_while(|octet| b"\r\n".contains(octet)).count();
    packet.slice(begin..)
}

/// Reads the one message of a packet.
pub(crate) fn parse(packet: &Bytes, limits: &Limits) -> Result<Message, ParseError> {
    parse_datagram(packet.clone(), limits).or_else(|why| match mend_start_line(packet) {
        Some(mended) => parse_datagram(mended, limits),
        None => Err(why),
    })
}

/// A request whose URI can be read after escaping invalid characters. `None` if there is nothing to repair.
pub(crate) fn mend_start_line(message: &[u8]) -> Option<Bytes> {
    let end = message.windows(2).position(|pair| pair == b"\r\n")?;
    let mut words = message[..end].split(|byte| *byte == b' ');
    let (method, uri, version) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !version.starts_with(b"SIP/") {
        return None;
    }
    let uri = mend_uri(uri)?;
    Some([method, b" ", &uri, b" ", version, &message[end..]].concat().into())
}

/// Repairs the addresses of a message that cannot be read.
pub(super) fn mend(headers: &mut Headers) {
    for (name, is_list) in ADDRESSES {
        let header_name = HeaderName::parse(&Bytes::from_static(name.as_bytes()));
        let is_readable = |value: &[u8]| match is_list {
            true => value.trim_ascii() == b"*" || Address::parse_list(value, name).is_ok(),
            false => Address::parse(value, name).is_ok(),
        };
        if headers.get_all(&header_name).all(|header| is_readable(&header.value())) {
            continue;
        }
        let mended: Vec<Header> = headers
            .get_all(&header_name)
            .map(|header| {
                let value = header.value();
                let mended = Some(mend_addresses(&value, is_list))
                    .filter(|mended| !is_readable(&value) && is_readable(mended))
                    .and_then(|mended| Header::build(header_name.clone(), mended).ok());
                mended.unwrap_or_else(|| header.clone())
            })
            .collect();
        headers.remove_all(&header_name);
        mended.into_iter().for_each(|header| headers.push(header));
    }
}

fn mend_addresses(value: &[u8], is_list: bool) -> Vec<u8> {
    match is_list {
        true => items(value).iter().map(|item| mend_address(item)).collect::<Vec<_>>().join(&b","[..]),
        false => mend_address(value),
    }
}

/// The addresses of a list. What has neither brackets nor the scheme of a URI begins a name that has a comma in it.
fn items(value: &[u8]) -> Vec<Vec<u8>> {
    let mut items: Vec<Vec<u8>> = Vec::new();
    let mut is_begun = false;
    for part in split_unquoted(value, b',') {
        let has_bracket = find_unquoted(part, b'<').is_some();
        // Only the beginning of an address can be a scheme, and each part is looked at once.
        let begins_name = !has_bracket && (is_begun || !has_scheme(part));
        match items.last_mut().filter(|_| is_begun) {
            Some(begun) => {
                begun.push(b',');
                begun.extend_from_slice(part);
            }
            None => items.push(part.to_vec()),
        }
        is_begun = begins_name;
    }
    items
}

/// `sip:`, `tel:` and others (RFC 3986, section 3.1).
fn has_scheme(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let end = text.iter().position(|byte| !(byte.is_ascii_alphanumeric() || b"+-.".contains(byte)));
    end.is_some_and(|end| end > 0 && text[end] == b':' && text[0].is_ascii_alphabetic())
}

fn mend_address(value: &[u8]) -> Vec<u8> {
    let Some(begin) = find_unquoted(value, b'<') else {
        // Without brackets the URI ends at the first semicolon (RFC 3261, section 20.10).
        let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
        let uri = value[..end].trim_ascii();
        return [&mend_uri(uri).unwrap_or_else(|| uri.to_vec()), &value[end..]].concat();
    };
    let Some(length) = find_unquoted(&value[begin + 1..], b'>') else { return value.to_vec() };
    let (name, uri) = (value[..begin].trim_ascii(), &value[begin + 1..begin + 1 + length]);
    let name: Vec<u8> = match name {
        [] => Vec::new(),
        // If there are any quotes, it is not plain where the missing ones belong.
        name if name.contains(&b'"') => [name, b" "].concat(),
        name => {
            let plain = name.iter().flat_map(|byte| match byte {
                b'\\' => vec![b'\\', b'\\'],
                byte if byte.is_ascii_control() => vec![b' '],
                byte => vec![*byte],
            });
            let plain: Vec<u8> = plain.collect();
            [&b"\""[..], &plain, b"\" "].concat()
        }
    };
    let uri = mend_uri(uri).unwrap_or_else(|| uri.to_vec());
    [&name[..], b"<", &uri, &value[begin + 1 + length..]].concat()
}

/// Escapes characters that are invalid in the user part and the parameters of a SIP URI (RFC 3261, section 25.1).
/// `None` if there are none.
fn mend_uri(uri: &[u8]) -> Option<Vec<u8>> {
    let colon = uri.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = uri.split_at(colon + 1);
    if !scheme.eq_ignore_ascii_case(b"sip:") && !scheme.eq_ignore_ascii_case(b"sips:") {
        return None;
    }
    let at = rest.iter().position(|byte| *byte == b'@').map_or(0, |at| at + 1);
    let (user, rest) = rest.split_at(at);
    let mut mended = scheme.to_vec();
    for byte in user {
        match byte {
            b'#' | b'"' | b'[' | b']' | b'{' | b'}' | b'|' | b'\\' | b'^' | b'`' | 0x80.. => {
                escape(&mut mended, *byte);
            }
            byte => mended.push(*byte),
        }
    }
    let headers = find_unquoted(rest, b'?').unwrap_or(rest.len());
    let mut fields = split_unquoted(&rest[..headers], b';').into_iter();
    mended.extend_from_slice(fields.next().unwrap_or_default());
    for field in fields {
        mended.push(b';');
        let equals = field.iter().position(|byte| *byte == b'=').map_or(field.len(), |at| at + 1);
        mended.extend_from_slice(&field[..equals]);
        for byte in &field[equals..] {
            match byte {
                b'"'
                | b'='
                | b'#'
                | b','
                | b'<'
                | b'>'
                | b';'
                | b'@'
                | b'{'
                | b'}'
                | b'|'
                | b'\\'
                | b'^'
                | b'`'
                | 0x80.. => {
                    escape(&mut mended, *byte);
                }
                byte => mended.push(*byte),
            }
        }
    }
    mended.extend_from_slice(&rest[headers..]);
    (mended != uri).then_some(mended)
}

fn escape(text: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

/// The first position of an octet outside of quotes.
fn find_unquoted(text: &[u8], wanted: u8) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.iter().position(|byte| {
        let is_here = !is_quoted && *byte == wanted;
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ => {}
        }
        is_here
    })
}

/// Splits at an octet outside of quotes and, unless it separates there, of angle brackets.
fn split_unquoted(mut text: &[u8], separator: u8) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    // Nothing is looked at twice, however many separators there are.
    let (mut from, mut is_bracketed) = (0, false);
    while let Some(at) = find_unquoted(&text[from..], separator).map(|at| from + at) {
        let seen = &text[from..at];
        let inside = match is_bracketed {
            true => Some(seen),
            false => find_unquoted(seen, b'<').map(|begin| &seen[begin..]),
        };
        is_bracketed = inside.is_some_and(|inside| find_unquoted(inside, b'>').is_none());
        if is_bracketed {
            from = at + 1;
            continue;
        }
        parts.push(&text[..at]);
        (text, from) = (&text[at + 1..], 0);
    }
    parts.push(text);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(value: &str) -> String {
        String::from_utf8(mend_address(value.as_bytes())).unwrap()
    }

    fn uri(value: &str) -> Option<String> {
        mend_uri(value.as_bytes()).map(|uri| String::from_utf8(uri).unwrap())
    }

    #[test]
    fn display_names_get_the_quotes_that_they_need() {
        assert_eq!(address("Doe, John <sip:a@b>;tag=1"), "\"Doe, John\" <sip:a@b>;tag=1");
        assert_eq!(address("Jürgen Müßig<sip:a@b>"), "\"Jürgen Müßig\" <sip:a@b>");
        assert_eq!(address("a\\b\tc <sip:a@b>"), "\"a\\\\b c\" <sip:a@b>");
        assert_eq!(address("\"Mr. J. User <sip:a@b>"), "\"Mr. J. User <sip:a@b>");
        assert_eq!(address("<sip:a@b>;tag=1"), "<sip:a@b>;tag=1");
    }

    #[test]
    fn uris_are_escaped_where_they_have_to_be() {
        assert_eq!(uri("sip:9001#@h").as_deref(), Some("sip:9001%23@h"));
        assert_eq!(uri("SIPS:jürgen:p@h;lr").as_deref(), Some("SIPS:j%C3%BCrgen:p@h;lr"));
        assert_eq!(
            uri("sip:h;thinfo=\"VG8+P;oI>U=\";ob").as_deref(),
            Some("sip:h;thinfo=%22VG8+P%3BoI%3EU%3D%22;ob")
        );
        assert_eq!(uri("sip:a@h;x=a=b?c=\"d\"").as_deref(), Some("sip:a@h;x=a%3Db?c=\"d\""));
        for proper in ["sip:a@h", "sip:[::1]:5060;transport=tcp", "sip:a%23@h;x", "tel:#31#", "", "sip:"] {
            assert_eq!(uri(proper), None, "{proper}");
        }
        assert_eq!(
            address("<sip:127.0.0.1:9;thinfo=\"VG8+PoI>U=\">;expires=5"),
            "<sip:127.0.0.1:9;thinfo=%22VG8+PoI%3EU%3D%22>;expires=5"
        );
        assert_eq!(address("sip:9#@h;tag=2"), "sip:9%23@h;tag=2");
    }

    #[test]
    fn lists_are_mended_one_by_one() {
        let value = b"<sip:a#@h;x=\"1,2\">;q=1, sip:b@h, \"x, y\" <sip:c^@h>";
        let mended = mend_addresses(value, true);
        assert_eq!(
            String::from_utf8(mended).unwrap(),
            "<sip:a%23@h;x=%221%2C2%22>;q=1,sip:b@h,\"x, y\" <sip:c%5E@h>"
        );
        for (value, wanted) in [
            ("Doe, John <sip:a@h>", "\"Doe, John\" <sip:a@h>"),
            (
                "Doe, John, Dr. <sip:a@h>, tel:+44, Roe, Jane <sip:b@h>",
                "\"Doe, John, Dr.\" <sip:a@h>,tel:+44,\"Roe, Jane\" <sip:b@h>",
            ),
            ("sip:a@h, Roe, Jane <sip:b@h>;q=1", "sip:a@h,\"Roe, Jane\" <sip:b@h>;q=1"),
        ] {
            assert_eq!(String::from_utf8(mend_addresses(value.as_bytes(), true)).unwrap(), wanted);
        }
    }

    #[test]
    fn start_lines_are_mended_only_where_it_is_plain_how() {
        let mended = |text: &str| {
            mend_start_line(text.as_bytes()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        assert_eq!(
            mended("OPTIONS sip:9#@h SIP/2.0\r\nTo: x\r\n\r\n").as_deref(),
            Some("OPTIONS sip:9%23@h SIP/2.0\r\nTo: x\r\n\r\n")
        );
        for text in [
            "OPTIONS sip:9@h SIP/2.0\r\n\r\n",
            "OPTIONS sip:9 #@h SIP/2.0\r\n\r\n",
            "OPTIONS <sip:9#@h> SIP/2.0\r\n\r\n",
            "OPTIONS sip:9#@h HTTP/1.1\r\n\r\n",
            "OPTIONS sip:9#@h",
            "",
        ] {
            assert_eq!(mended(text), None, "{text}");
        }
    }
}
