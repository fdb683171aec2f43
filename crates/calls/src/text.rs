//! Text of others in documents of XML.

/// As content or attribute of XML 1.0: escaped, and without what no document may hold in any form (section 2.2).
pub(crate) fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_hold_only_characters_of_xml() {
        assert_eq!(
            xml("<a b=\"c\">'&\u{0}\u{1b}\u{FFFE}\u{FFFF}\u{FFFD}é\u{10FFFF}"),
            "&lt;a b=&quot;c&quot;&gt;&apos;&amp;\u{FFFD}é\u{10FFFF}"
        );
    }
}
