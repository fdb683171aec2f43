//! Text of others in lines that people read. JSON is written by serde_json, headers of SIP by `plenary_sip::text`, documents of
//! XML by `plenary_calls`.

use std::fmt::Write;

/// In a line that people read one by one: what would end it, move the cursor, or turn the order of what follows
/// (Unicode, section 23.2) is shown by its number.
pub(crate) fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if is_hidden(c) => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    shown
}

/// In a line of JSON, where `json` has no line breaks: the same characters, as JSON writes them by their numbers. All of them
/// are in the basic plane, and stand in strings.
pub(crate) fn json_line(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) {
            let _ = write!(shown, "\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_in_json_is_shown_and_reads_the_same() {
        let text = "a\r\n\u{1b}[2J\u{9b}\u{202e}txt\u{2028} Müßig \"x\"";
        let shown = json_line(&serde_json::Value::from(text).to_string());
        assert_eq!(shown, "\"a\\r\\n\\u001b[2J\\u009b\\u202etxt\\u2028 Müßig \\\"x\\\"\"");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
    }

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(
            line("a\r\nb\t\u{1b}[2J\u{9b}\u{202e}txt\u{2028}\u{2069} Müßig \"x\""),
            "a\\r\\nb\\t\\u{1b}[2J\\u{9b}\\u{202e}txt\\u{2028}\\u{2069} Müßig \"x\""
        );
    }
}
