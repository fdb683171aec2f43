//! Text of others in lines that people read. JSON is written by serde_json, headers of SIP by `plenary_sip::text`, documents of
//! XML by `plenary_calls`.

use std::fmt::Write;

/// In a line that people read one by one: what would end it, move the cursor, or turn the order of what follows
/// (Unicode, section 23.2) is shown by its number.
pub(crate) fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let is_hidden = c.is_control()
            || matches!(c,
                '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}');
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if is_hidden => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(
            line("a\r\nb\t\u{1b}[2J\u{9b}\u{202e}txt\u{2028}\u{2069} Müßig \"x\""),
            "a\\r\\nb\\t\\u{1b}[2J\\u{9b}\\u{202e}txt\\u{2028}\\u{2069} Müßig \"x\""
        );
    }
}
