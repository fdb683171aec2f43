//! Telephone numbers as URIs write them (RFC 3966, section 3; in the user part of a SIP URI, RFC 3261, section 19.1.6).

use std::{borrow::Cow, fmt};

/// What people put into a number to read it by (RFC 3966, section 5.1.1).
const SEPARATORS: [char; 4] = ['-', '.', '(', ')'];
/// E.164 has 15 digits; codes of local exchanges may be longer.
const DIGITS_MAX: usize = 64;
/// Numbers with so few digits are good within a place only, and say nothing of a person elsewhere.
const SHORT_DIGITS: usize = 4;
/// Of numbers with so many digits two at the beginning are shown as well: they name the country.
const LONG_DIGITS: usize = 7;

/// A telephone number: `+4930123456`, `7042;ext=7`, `*98`.
///
/// The letters A to F, which RFC 3966 allows in local numbers, make none here: in the user part of a SIP URI `face` is a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// Digits, `*` and `#`, without `+` and visual separators.
    digits: String,
    /// It began with `+`: it is good everywhere in the world.
    is_global: bool,
    /// Within the place that the number leads to: its digits.
    extension: Option<String>,
    /// In small letters.
    subaddress: Option<String>,
    /// Where a local number is good, in small letters; a global one has none (RFC 3966, section 5.1.5).
    context: Option<String>,
}

impl Number {
    /// Of the user part of a SIP URI, escapes undone, or of a `tel:` URI without its scheme. `None`: it is a name, not a
    /// number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (subscriber, parameters) = text.split_once(';').unwrap_or((text, ""));
        let is_global = subscriber.starts_with('+');
        let digits = bare(subscriber.strip_prefix('+').unwrap_or(subscriber));
        let is_digit = |c: char| c.is_ascii_digit() || (!is_global && matches!(c, '*' | '#'));
        let has_digit = digits.contains(|c: char| c.is_ascii_digit());
        if !has_digit || digits.len() > DIGITS_MAX || !digits.chars().all(is_digit) {
            return None;
        }
        let (mut extension, mut subaddress, mut context) = (None, None, None);
        for parameter in parameters.split(';').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name.to_ascii_lowercase().as_str() {
                "ext" => extension = Some(bare(value)).filter(|digits| !digits.is_empty()),
                "isub" => subaddress = Some(value.to_ascii_lowercase()),
                // A global prefix may hold separators, a domain may not be changed.
                "phone-context" if value.starts_with('+') => context = Some(bare(value)),
                "phone-context" => context = Some(value.trim_end_matches('.').to_ascii_lowercase()),
                // Of portability, trunk groups, calling categories: they route, and do not say whose number it is.
                _ => {}
            }
        }
        let context = context.filter(|_| !is_global);
        Some(Self { digits, is_global, extension, subaddress, context })
    }

    /// It begins with `+`.
    #[must_use]
    pub fn is_global(&self) -> bool {
        self.is_global
    }

    /// The digits alone, without `+`; `*` and `#` among them.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// The number itself, without separators and parameters, `+` before it where it is a global one.
    #[must_use]
    pub fn subscriber(&self) -> String {
        format!("{}{}", if self.is_global { "+" } else { "" }, self.digits)
    }

    /// As it is shown to those who are not to call it: of a global one the first two digits, and the last three, `+44…073`.
    /// Local ones of up to four digits, as extensions and services are, are shown whole.
    #[must_use]
    pub fn masked(&self) -> String {
        let digits = &self.digits;
        if !self.is_global && digits.len() <= SHORT_DIGITS {
            return digits.clone();
        }
        let plus = if self.is_global { "+" } else { "" };
        let beginning = if self.is_global && digits.len() >= LONG_DIGITS { &digits[..2] } else { "" };
        let end = &digits[digits.len() - (digits.len() / 2).min(3)..];
        format!("{plus}{beginning}…{end}")
    }

    /// It is within the place that `other` names: the same number, and `other` says nothing of extension, subaddress and
    /// context that this one does not say too.
    fn is_within(&self, other: &Self) -> bool {
        let says_no_more = |other: &Option<String>, own: &Option<String>| other.is_none() || other == own;
        self.digits == other.digits
            && says_no_more(&other.extension, &self.extension)
            && says_no_more(&other.subaddress, &self.subaddress)
            && says_no_more(&other.context, &self.context)
    }
}

/// In one spelling: two numbers are equal (RFC 3966, section 5.1.5) exactly where these texts are.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subscriber())?;
        let parameters =
            [("ext", &self.extension), ("isub", &self.subaddress), ("phone-context", &self.context)];
        for (name, value) in parameters {
            if let Some(value) = value {
                write!(f, ";{name}={value}")?;
            }
        }
        Ok(())
    }
}

/// A name as it is shown to those who are not to call whom it names: a number is masked, with spaces in it too.
#[must_use]
pub fn mask_number(name: &str) -> Cow<'_, str> {
    with_spaces(name).map_or(Cow::Borrowed(name), |number| Cow::Owned(number.masked()))
}

/// A dialled name as it counts where attempts are counted: of a number the digits alone, with spaces in it too. Whatever may lead to the same
/// stored name ([`likeness`]) is one attempt.
#[must_use]
pub fn attempted(name: &str) -> Cow<'_, str> {
    with_spaces(name).map_or(Cow::Borrowed(name), |number| Cow::Owned(number.digits))
}

fn with_spaces(name: &str) -> Option<Number> {
    let packed: String = name.split_whitespace().collect();
    Number::parse(&packed)
}

fn bare(text: &str) -> String {
    text.chars().filter(|c| !SEPARATORS.contains(c)).collect()
}

/// How near a name that is stored comes to one that was dialled, the nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// Letter by letter.
    Exact,
    /// The same number in another spelling (RFC 3966, section 5.1.5).
    Equal,
    /// The dialled number says more: an extension, a subaddress, a context.
    Within,
    /// One of the two has a `+` and the other has not, digits being the same.
    WithoutPlus,
}

/// How near `stored` comes to `dialled`. `None`: it is another one. Never where one is only the beginning of the other.
#[must_use]
pub fn likeness(dialled: &str, stored: &str) -> Option<Likeness> {
    if dialled == stored {
        return Some(Likeness::Exact);
    }
    let (dialled, stored) = (Number::parse(dialled)?, Number::parse(stored)?);
    match dialled.is_within(&stored) {
        true if dialled == stored => Some(Likeness::Equal),
        true if dialled.is_global == stored.is_global => Some(Likeness::Within),
        true => Some(Likeness::WithoutPlus),
        false => None,
    }
}

/// A name as rosters and records have it: a number in its one spelling, anything else as it is.
#[must_use]
pub fn spelled(name: &str) -> String {
    Number::parse(name).map_or_else(|| name.to_owned(), |number| number.to_string())
}

/// The number or the name that a `tel:` URI, or a text without a scheme, is about.
#[must_use]
pub fn without_tel(text: &str) -> &str {
    match text.split_at_checked(4) {
        Some((scheme, number)) if scheme.eq_ignore_ascii_case("tel:") => number,
        Some(_) | None => text,
    }
}

/// Two names are one: letter by letter, or as numbers (RFC 3966, section 5.1.5).
#[must_use]
pub fn is_same_name(one: &str, other: &str) -> bool {
    matches!(likeness(one, other), Some(Likeness::Exact | Likeness::Equal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_read_and_names_are_none() {
        for (text, spelt) in [
            ("+4930123456", "+4930123456"),
            ("+49-30-123456", "+4930123456"),
            ("+49(30)123.456", "+4930123456"),
            ("(030)123456", "030123456"),
            ("+4930123456;EXT=7-0", "+4930123456;ext=70"),
            ("7042;phone-context=Example.COM.;isub=Ab", "7042;isub=ab;phone-context=example.com"),
            ("7042;phone-context=+49-30", "7042;phone-context=+4930"),
            ("+4930123456;phone-context=+49", "+4930123456"),
            ("+4930123456;npdi;rn=+4999", "+4930123456"),
            ("*98", "*98"),
            ("#1", "#1"),
            ("*31#030", "*31#030"),
        ] {
            assert_eq!(
                Number::parse(text).map(|number| number.to_string()).as_deref(),
                Some(spelt),
                "{text}"
            );
        }
        let long = "1".repeat(65);
        for text in
            ["", "+", "-", "alice", "conf-1", "face", "0x1", "+49*30", "*", "#", "++49", "4 9", "+49*", &long]
        {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn masked_numbers_are_known_again_and_cannot_be_called() {
        for (name, shown) in [
            ("+441908273073", "+44…073"),
            ("+44 1908 273-073", "+44…073"),
            ("(030) 123 456", "…456"),
            ("12345", "…45"),
            ("+112", "+…2"),
            ("1001", "1001"),
            ("*98", "*98"),
            ("Ann Lee", "Ann Lee"),
            ("Room 12 345 678", "Room 12 345 678"),
            ("", ""),
        ] {
            assert_eq!(mask_number(name), shown, "{name}");
        }
    }

    #[test]
    fn a_number_has_one_spelling_and_a_name_stays_as_it_is() {
        for (text, shown) in
            [("+49-30-123456", "+4930123456"), ("alice-1", "alice-1"), ("", ""), ("(1)", "1")]
        {
            assert_eq!(spelled(text), shown);
        }
        for (text, number) in [
            ("tel:+49-30", "+49-30"),
            ("TEL:1", "1"),
            ("telephone", "telephone"),
            ("tel", "tel"),
            ("té:1", "té:1"),
        ] {
            assert_eq!(without_tel(text), number);
        }
    }

    /// RFC 3966, section 5.1.5.
    #[test]
    fn how_near_a_stored_name_comes_to_a_dialled_one() {
        use Likeness::{Equal, Exact, Within, WithoutPlus};
        for (dialled, stored, expected) in [
            ("+4930123456", "+4930123456", Some(Exact)),
            ("conf-Tea", "conf-Tea", Some(Exact)),
            ("conf-Tea", "conf-tea", None),
            ("+49-30-123456", "+4930123456", Some(Equal)),
            ("+4930123456", "+49(30)123456", Some(Equal)),
            ("+4930123456;ext=7", "+49-30-123456;ext=7", Some(Equal)),
            ("7042;phone-context=A.example", "7042;phone-context=a.EXAMPLE", Some(Equal)),
            ("+4930123456;phone-context=+49", "+4930123456", Some(Equal)),
            ("+4930123456;ext=7", "+4930123456", Some(Within)),
            ("+4930123456;isub=1", "+4930123456", Some(Within)),
            ("7042;phone-context=a.example", "7042", Some(Within)),
            ("7042;phone-context=a.example", "7042;phone-context=b.example", None),
            ("+4930123456", "+4930123456;ext=7", None),
            ("+4930123456;ext=8", "+4930123456;ext=7", None),
            ("4930123456", "+4930123456", Some(WithoutPlus)),
            ("+4930123456", "49-30-123456", Some(WithoutPlus)),
            ("030123456", "+4930123456", None),
            ("493012345", "+4930123456", None),
            ("+49301234567", "+4930123456", None),
            ("*98", "98", None),
            ("#1", "1", None),
            ("dead-beef", "deadbeef", None),
        ] {
            assert_eq!(likeness(dialled, stored), expected, "{dialled} {stored}");
        }
    }

    proptest! {
        #[test]
        fn equality_is_one_and_spelling_does_not_change_it(
            one in "[+]?[-.()0-9]{1,8}(;ext=[0-9]{1,2})?",
            other in "[+]?[-.()0-9]{1,8}(;ext=[0-9]{1,2})?",
            any in ".{0,40}",
        ) {
            prop_assert_eq!(is_same_name(&one, &other), is_same_name(&other, &one));
            prop_assert!(is_same_name(&any, &any));
            if likeness(&one, &other).is_some() {
                prop_assert_eq!(attempted(&one), attempted(&other), "they may lead to the same");
            }
            if let Some(number) = Number::parse(&one) {
                let spelt = number.to_string();
                prop_assert!(is_same_name(&one, &spelt));
                prop_assert_eq!(Number::parse(&spelt), Some(number));
            }
        }
    }
}
