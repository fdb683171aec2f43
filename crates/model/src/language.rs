//! Codes of languages (BCP 47).

use crate::fields::{FromText, Parsed};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// Characters of a language's tag at the most, where one is configured.
const LANGUAGE_CHARS_MAX: usize = 20;

/// The code of a language: `en`, `pl`, or with a region, `en-GB`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LanguageCode(String);

/// A text that is no code of a language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLanguageCode(String);

impl fmt::Display for BadLanguageCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no language code: allowed are two or three letters, and after a hyphen a region or script, such as `en` or `en-GB`",
            self.0
        )
    }
}

impl std::error::Error for BadLanguageCode {}

impl LanguageCode {
    /// English, which is built in and stands in for whatever another language lacks.
    #[must_use]
    pub fn english() -> Self {
        Self("en".to_owned())
    }

    /// Reads a code. Its case does not matter: the language is written in small letters, a region in capitals (RFC 5646, 2.1.1).
    ///
    /// # Errors
    /// The text is no code.
    pub fn new(text: &str) -> Result<Self, BadLanguageCode> {
        let bad = || BadLanguageCode(text.chars().take(40).collect());
        let mut parts = text.split('-');
        let language = parts.next().unwrap_or_default();
        if !(2..=3).contains(&language.len()) || !language.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(bad());
        }
        let mut code = language.to_ascii_lowercase();
        for part in parts {
            if !(2..=8).contains(&part.len())
                || !part.bytes().all(|byte| byte.is_ascii_alphanumeric())
                || code.len() > 20
            {
                return Err(bad());
            }
            let part = match part.len() {
                2 => part.to_ascii_uppercase(),
                4 => part[..1].to_ascii_uppercase() + &part[1..].to_ascii_lowercase(),
                _ => part.to_ascii_lowercase(),
            };
            code.push('-');
            code.push_str(&part);
        }
        Ok(Self(code))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// It is German, of whatever region.
    #[must_use]
    pub fn is_german(&self) -> bool {
        self.0.split('-').next() == Some("de")
    }

    /// The same language with the last part left out: `en` for `en-GB`, nothing for `en`.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('-').map(|(parent, _)| Self(parent.to_owned()))
    }
}

impl Default for LanguageCode {
    fn default() -> Self {
        Self::english()
    }
}

impl TryFrom<String> for LanguageCode {
    type Error = BadLanguageCode;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<LanguageCode> for String {
    fn from(code: LanguageCode) -> Self {
        code.0
    }
}

impl fmt::Display for LanguageCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromText for LanguageCode {
    const PLURAL: &'static str = "languages";
    const RULE: &'static str = "must be a language tag as in `en` or `en-GB`";

    fn from_text(text: &str) -> Option<Self> {
        Self::new(text).ok().filter(|_| text.len() <= LANGUAGE_CHARS_MAX)
    }
}

/// A tag as it is configured.
pub(crate) fn tag<'de, D: Deserializer<'de>>(from: D) -> Result<LanguageCode, D::Error> {
    Parsed::deserialize(from).map(|Parsed(code)| code)
}

/// As [`tag`]; null: none.
pub(crate) fn optional_tag<'de, D: Deserializer<'de>>(from: D) -> Result<Option<LanguageCode>, D::Error> {
    Ok(Option::<Parsed<LanguageCode>>::deserialize(from)?.map(|Parsed(code)| code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_in_the_usual_case() {
        for (text, code) in
            [("en", "en"), ("EN-gb", "en-GB"), ("zh-hant-tw", "zh-Hant-TW"), ("es-419", "es-419")]
        {
            assert_eq!(LanguageCode::new(text).unwrap().as_str(), code);
        }
        assert_eq!(LanguageCode::new("zh-Hant-TW").unwrap().parent().unwrap().as_str(), "zh-Hant");
        assert_eq!(LanguageCode::english().parent(), None);
    }

    #[test]
    fn what_is_no_code_is_refused_with_what_is_allowed() {
        for text in [
            "",
            "e",
            "english",
            "en-",
            "-en",
            "en_GB",
            "../en",
            "en-GB/..",
            "e\u{e9}",
            "en-\u{130}\u{130}",
            "en-a-b",
        ] {
            let error = LanguageCode::new(text).unwrap_err();
            assert!(error.to_string().contains("such as `en`"), "{error}");
        }
        assert!(
            serde_json::from_str::<LanguageCode>("\"EN\"").is_ok_and(|code| code == LanguageCode::english())
        );
        assert!(serde_json::from_str::<LanguageCode>("\"..\"").is_err());
    }
}
