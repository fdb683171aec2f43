//! Numbers and names of people in records, and how they are taken out of them.

use crate::{Number, is_same_name};
use serde::{Deserialize, Serialize};

/// Digits of a number that are not shown any more.
const MASKED_DIGITS: usize = 4;
/// What stands for a name.
const MASK: &str = "****";

/// What becomes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redaction {
    /// Its last four digits are replaced by `*`; a name is replaced as a whole.
    Mask,
    /// It is removed.
    Drop,
}

impl Redaction {
    /// What is left of what a record says of a person.
    #[must_use]
    pub fn apply(self, text: &str) -> String {
        match self {
            Self::Drop => String::new(),
            Self::Mask => match Number::parse(user_of(text)) {
                Some(number) => {
                    let mut shown: Vec<char> = number.subscriber().chars().collect();
                    let digits = shown.len() - usize::from(number.is_global());
                    let kept = shown.len() - digits.min(MASKED_DIGITS);
                    shown[kept..].fill('*');
                    shown.into_iter().collect()
                }
                None if text.is_empty() => String::new(),
                None => MASK.to_owned(),
            },
        }
    }
}

/// Whether a record's text, a number, a name or a URI, is of this person: letter by letter, or as numbers (RFC 3966, section 5.1.5).
#[must_use]
pub fn is_of_person(text: &str, number: &str) -> bool {
    !text.is_empty() && is_same_name(user_of(text), user_of(number))
}

/// The part of a URI that says who: `tel:+44…`, `sip:+44…@host`.
fn user_of(text: &str) -> &str {
    let rest = ["sip:", "sips:", "tel:"].into_iter().find_map(|scheme| {
        let (start, rest) = text.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    rest.map_or(text, |rest| rest.rsplit_once('@').map_or(rest, |(user, _)| user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digits_of_numbers_and_all_of_names_are_masked() {
        for (text, masked) in [
            ("+4930123456", "+493012****"),
            ("+49-30-12 3456", "****"),
            ("+49-30-123456", "+493012****"),
            ("tel:+4930123456", "+493012****"),
            ("sip:+4930123456@example.com", "+493012****"),
            ("112", "***"),
            ("alice", "****"),
            ("", ""),
        ] {
            assert_eq!(Redaction::Mask.apply(text), masked, "{text}");
            assert_eq!(Redaction::Drop.apply(text), "");
        }
    }

    #[test]
    fn one_number_has_several_spellings() {
        for text in ["+4930123456", "+49-30-123456", "tel:+49(30)123456", "sip:+4930123456@example.com"] {
            assert!(is_of_person(text, "+4930123456"), "{text}");
        }
        for text in ["4930123456", "+493012345", "+4930123456;ext=7", "alice", "", "sip:alice@+4930123456"] {
            assert!(!is_of_person(text, "+4930123456"), "{text}");
        }
        assert!(is_of_person("alice", "alice") && !is_of_person("", ""));
    }
}
