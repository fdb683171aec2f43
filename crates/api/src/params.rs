//! The parameters of a request, wherever they stand: query string, form, multipart form, JSON object.

use crate::{
    error::{ApiError, MALFORMED, MISSING, OUT_OF_RANGE, Problem, REPEATED, ZERO},
    time,
};
use axum::{
    body::Body,
    extract::{FromRequest, Multipart},
    http::{Method, Request, StatusCode, header, request::Parts},
};
use data_encoding::HEXUPPER;
use plenary_conference::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;
use std::fmt;

/// All parameters in the order in which they came. `None`: a value that is not text.
#[derive(Debug, Default)]
pub(crate) struct Params {
    pairs: Vec<(String, Option<String>)>,
    problems: Vec<Problem>,
}

impl Params {
    /// Collects them. GET has them in the query string, POST there and in the body.
    pub(crate) async fn collect(parts: &Parts, body: &[u8]) -> Result<Self, ApiError> {
        let mut params = Self::default();
        params.add_urlencoded(parts.uri.query().unwrap_or_default().as_bytes());
        if parts.method != Method::POST || body.is_empty() {
            return Ok(params);
        }
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = content_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        match kind.as_str() {
            "application/x-www-form-urlencoded" => params.add_urlencoded(body),
            "application/json" => params.add_json(body)?,
            "multipart/form-data" => params.add_multipart(parts, body).await?,
            _ => {
                return Err(ApiError::plain(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "the body must be application/x-www-form-urlencoded, multipart/form-data or application/json",
                ));
            }
        }
        Ok(params)
    }

    fn add_urlencoded(&mut self, encoded: &[u8]) {
        for pair in encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            // A name that is not text is none of ours, so it is an extra one, and those are ignored.
            if let Some(name) = halves.next().and_then(decode) {
                self.pairs.push((name, decode(halves.next().unwrap_or_default())));
            }
        }
    }

    fn add_json(&mut self, body: &[u8]) -> Result<(), ApiError> {
        let object: Pairs = crate::json::parse(body).map_err(|error| {
            ApiError::coded(MALFORMED, format!("the body must be a JSON object: {error}"))
        })?;
        for (name, value) in object.0 {
            match value {
                Value::Null => {}
                Value::String(text) => self.pairs.push((name, Some(text))),
                Value::Bool(_) | Value::Number(_) => self.pairs.push((name, Some(value.to_string()))),
                Value::Array(_) | Value::Object(_) => self.pairs.push((name, None)),
            }
        }
        Ok(())
    }

    async fn add_multipart(&mut self, parts: &Parts, body: &[u8]) -> Result<(), ApiError> {
        let malformed = |error: &dyn fmt::Display| {
            ApiError::coded(MALFORMED, format!("the body is not valid multipart/form-data: {error}"))
        };
        let mut request = Request::new(Body::from(body.to_vec()));
        *request.headers_mut() = parts.headers.clone();
        let mut form = Multipart::from_request(request, &()).await.map_err(|error| malformed(&error))?;
        while let Some(field) = form.next_field().await.map_err(|error| malformed(&error))? {
            let Some(name) = field.name().map(str::to_owned) else { continue };
            let bytes = field.bytes().await.map_err(|error| malformed(&error))?;
            self.pairs.push((name, String::from_utf8(bytes.to_vec()).ok()));
        }
        Ok(())
    }

    fn problem(&mut self, code: crate::Code, text: String) {
        self.problems.push(Problem { code, text });
    }

    /// Notes something that is wrong; it is reported together with the rest.
    pub(crate) fn add_problems(&mut self, problems: Vec<Problem>) {
        self.problems.extend(problems);
    }

    /// The value of a parameter that may be left out. Empty counts as left out.
    pub(crate) fn optional(&mut self, name: &str) -> Option<String> {
        let mut values = self.pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value);
        let first = values.next()?.clone();
        if values.next().is_some() {
            self.problem(REPEATED, format!("{name} was given more than once"));
            return None;
        }
        match first {
            Some(text) if text.is_empty() => None,
            Some(text) => Some(text),
            None => {
                self.problem(MALFORMED, format!("{name} must be text in UTF-8"));
                None
            }
        }
    }

    /// The value of a parameter that must be there. `None`: it is wrong, which is noted.
    pub(crate) fn required(&mut self, name: &str) -> Option<String> {
        let before = self.problems.len();
        let value = self.optional(name);
        if value.is_none() && self.problems.len() == before {
            self.problem(MISSING, format!("{name} is missing"));
        }
        value
    }

    /// A whole number above zero that may be left out.
    pub(crate) fn optional_number(&mut self, name: &str) -> Option<u32> {
        let text = self.optional(name)?;
        self.number(name, &text)
    }

    /// A text as a whole number above zero. `None`: it is none, which is noted.
    pub(crate) fn number(&mut self, name: &str, text: &str) -> Option<u32> {
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            self.problem(MALFORMED, format!("{name} must be a whole number, not `{}`", shown(text)));
            return None;
        }
        // More digits than fit are out of any range; the rules say so.
        let number = text.parse().unwrap_or(u32::MAX);
        if number == 0 {
            self.problem(ZERO, format!("{name} may not be zero"));
            return None;
        }
        Some(number)
    }

    /// A text as a date and time.
    pub(crate) fn time(&mut self, name: &str, text: &str) -> Option<Timestamp> {
        let parsed = time::parse(text);
        if parsed.is_none() {
            self.problem(
                MALFORMED,
                format!(
                    "{name} must be a UTC time as YYYY-MM-DD_hh:mm:ss or YYYY-MM-DD-hh-mm, not `{}`",
                    shown(text)
                ),
            );
        }
        parsed
    }

    /// `true` or `false`.
    pub(crate) fn optional_truth(&mut self, name: &str) -> Option<bool> {
        let text = self.optional(name)?;
        self.truth(name, &text)
    }

    /// A text as `true` or `false`.
    pub(crate) fn truth(&mut self, name: &str, text: &str) -> Option<bool> {
        match text.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.problem(MALFORMED, format!("{name} must be `true` or `false`, not `{}`", shown(text)));
                None
            }
        }
    }

    /// Nothing was wrong, or all that was.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        if self.problems.is_empty() { Ok(()) } else { Err(ApiError::problems(self.problems)) }
    }

    pub(crate) fn malformed(&mut self, text: String) {
        self.problem(MALFORMED, text);
    }

    pub(crate) fn out_of_range(&mut self, text: String) {
        self.problem(OUT_OF_RANGE, text);
    }

    pub(crate) fn missing(&mut self, text: &str) {
        self.problem(MISSING, text.to_owned());
    }

    pub(crate) fn problem_count(&self) -> usize {
        self.problems.len()
    }
}

/// A value as it may stand in an error: not too long, nothing that a terminal would act on.
fn shown(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// `application/x-www-form-urlencoded` (WHATWG URL, section 5): percent-encoding, and `+` for a space.
pub(crate) fn decode(encoded: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced)
}

/// Percent-encoding undone (RFC 3986, section 2.1). `None`: not UTF-8, or a percent sign without its digits.
pub(crate) fn percent_decode(encoded: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter().copied();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|byte| (byte as char).to_digit(16));
        bytes.push(if byte == b'%' { (digit()? << 4 | digit()?) as u8 } else { byte });
    }
    String::from_utf8(bytes).ok()
}

/// A text as a segment of a path.
pub(crate) fn percent_encode(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if is_plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&HEXUPPER.encode(&[byte]));
        }
        encoded
    })
}

/// The members of a JSON object, doubled names included.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of parameters")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_and_broken_ones_are_not_text() {
        assert_eq!(decode(b"a+b%20c%C3%A9").as_deref(), Some("a b cé"));
        for broken in [&b"%"[..], b"%4", b"%zz", b"%ff"] {
            assert_eq!(decode(broken), None, "{broken:?}");
        }
    }
}
