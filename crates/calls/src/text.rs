//! Text of others: in documents of XML, and as names that are shown.

/// Longest name by which a participant is shown, in characters.
pub const DISPLAY_NAME_LENGTH_MAX: usize = 100;

/// A display name as it is shown: without control characters and the spaces around it, and not longer than a screen shows.
/// `None`: nothing is left of it.
pub(crate) fn display_name(name: &str) -> Option<String> {
    let printable: String = name.chars().filter(|c| !c.is_control()).collect();
    let shown: String = printable.trim().chars().take(DISPLAY_NAME_LENGTH_MAX).collect();
    (!shown.is_empty()).then_some(shown)
}

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
    fn display_names_are_shown_as_far_as_they_can_be() {
        assert_eq!(display_name(" Zoë \u{1b}[2J\n").as_deref(), Some("Zoë [2J"));
        assert_eq!(display_name(" \u{0} "), None);
        let long = "é".repeat(DISPLAY_NAME_LENGTH_MAX + 1);
        assert_eq!(display_name(&long).map(|name| name.chars().count()), Some(DISPLAY_NAME_LENGTH_MAX));
    }

    #[test]
    fn documents_hold_only_characters_of_xml() {
        assert_eq!(
            xml("<a b=\"c\">'&\u{0}\u{1b}\u{FFFE}\u{FFFF}\u{FFFD}é\u{10FFFF}"),
            "&lt;a b=&quot;c&quot;&gt;&apos;&amp;\u{FFFD}é\u{10FFFF}"
        );
    }
}
