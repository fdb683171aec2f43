//! Text from others in messages that are sent: one function for each kind of position. None of them lets the text end
//! its position or begin something else.

/// A header line for people, such as a reason phrase: without control characters, line separators and non-characters.
#[must_use]
pub fn line(text: &str) -> String {
    let is_shown =
        |c: &char| !c.is_control() && !is_no_character(*c) && !matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().filter(is_shown).collect()
}

/// A quoted string (RFC 3261, section 25.1).
#[must_use]
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", line(text).replace('\\', "\\\\").replace('"', "\\\""))
}

/// The user part of a URI (RFC 3261, section 25.1).
#[must_use]
pub fn uri_user(user: &str) -> String {
    escaped(user, b"-_.!~*'()&=+$,;?/")
}

/// The value of a header in a URI (RFC 3261, section 25.1, `hvalue`).
#[must_use]
pub fn uri_header(value: &str) -> String {
    escaped(value, b"-_.!~*'()[]/?:+$")
}

/// A URI between angle brackets: characters that could end them are left out.
#[must_use]
pub fn uri(uri: &str) -> String {
    line(uri).chars().filter(|c| !"<>\" ".contains(*c)).collect()
}

/// Code points that are never characters (Unicode, section 23.7).
fn is_no_character(c: char) -> bool {
    u32::from(c) & 0xFFFE == 0xFFFE || matches!(c, '\u{FDD0}'..='\u{FDEF}')
}

fn escaped(text: &str, plain: &[u8]) -> String {
    use std::fmt::Write;
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_hold_what_can_be_read() {
        assert_eq!(
            line("No\r\nVia: x\0\u{85}\u{2028}\u{FFFE}\u{1FFFF}\u{FDD0} Müßig \u{FFFD}"),
            "NoVia: x Müßig \u{FFFD}"
        );
        assert_eq!(quoted("a \"b\" \\ \r\nc"), "\"a \\\"b\\\" \\\\ c\"");
    }

    #[test]
    fn uris_hold_nothing_that_ends_them() {
        assert_eq!(uri_user("a b@c:#ü"), "a%20b%40c%3A%23%C3%BC");
        assert_eq!(uri_header("a@b;to-tag=1&x"), "a%40b%3Bto-tag%3D1%26x");
        assert_eq!(uri("sip:a@b>\r\n;x=\" <y"), "sip:a@b;x=y");
    }
}
