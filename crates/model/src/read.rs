//! Bodies in JSON, read into types, with errors that name the member.

use crate::de::{Reader, Step, Wrong};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::fmt;

/// What is wrong with one member of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Where: a JSON pointer (RFC 6901). Empty: the body itself.
    pub pointer: String,
    /// What is wrong and what is allowed.
    pub detail: String,
}

impl FieldError {
    /// Of a member that is named by its pointer.
    #[must_use]
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }

    /// The place as a path: `conference.participant.exit_digit`, `hosts[1]`; `body` for all of it.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = String::new();
        for step in self.pointer.split('/').skip(1) {
            if !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) {
                path.push_str(&format!("[{step}]"));
                continue;
            }
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&step.replace("~1", "/").replace("~0", "~"));
        }
        if path.is_empty() { "body".to_owned() } else { path }
    }
}

/// `conference.participant.exit_digit: must be …`
impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path(), self.detail)
    }
}

impl std::error::Error for FieldError {}

/// The errors of one body that are reported at the most.
const ERRORS_MAX: usize = 20;

/// Why a name from outside is refused that holds the character NUL.
pub const HAS_NUL: &str = "may not hold the character NUL";

/// Reads a body. A byte order mark before it is passed over (RFC 8259, section 8.1). Members that the type does not know are
/// errors, whether or not it says `deny_unknown_fields`.
///
/// # Errors
/// All that is wrong, each with its place, the first first.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Vec<FieldError>> {
    read_value(json(body)?)
}

/// The JSON of a body. A byte order mark before it is passed over (RFC 8259, section 8.1).
///
/// # Errors
/// It is no JSON.
pub fn json(body: &[u8]) -> Result<Value, Vec<FieldError>> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    serde_json::from_slice(body).map_err(|error| vec![FieldError::new("", format!("must be JSON: {error}"))])
}

/// As [`read`], of a body that is JSON already.
///
/// # Errors
/// All that is wrong, each with its place, the first first.
pub fn read_value<T: DeserializeOwned>(value: Value) -> Result<T, Vec<FieldError>> {
    read_from(value, false, Vec::new())
}

/// Reads parameters of a query string, by the same rules. A parameter may be named once, and holds no NUL, which no database holds.
///
/// # Errors
/// All that is wrong, each with the parameter's name as its pointer.
pub fn read_parameters<T: DeserializeOwned>(
    parameters: impl IntoIterator<Item = (String, String)>,
) -> Result<T, Vec<FieldError>> {
    let mut errors: Vec<FieldError> = Vec::new();
    let mut members = Map::new();
    for (name, text) in parameters {
        let wrong = match text.contains('\0') {
            true => Some(HAS_NUL),
            false => members.insert(name.clone(), Value::String(text)).map(|_| "is named twice"),
        };
        let at = member(&name);
        if let Some(detail) = wrong.filter(|_| errors.iter().all(|known| known.pointer != at)) {
            errors.push(FieldError::new(at, detail));
        }
    }
    read_from(Value::Object(members), true, errors)
}

fn read_from<T: DeserializeOwned>(
    mut value: Value,
    is_text: bool,
    mut errors: Vec<FieldError>,
) -> Result<T, Vec<FieldError>> {
    loop {
        let wrong = match T::deserialize(Reader { value: &value, is_text }) {
            Ok(read) if errors.is_empty() => return Ok(read),
            Ok(_) => return Err(errors),
            Err(wrong) => wrong,
        };
        let error = FieldError { pointer: pointer(&wrong), detail: wrong.detail.clone() };
        // A member that was taken out before is not missing.
        let is_known = errors.iter().any(|known| {
            known
                .pointer
                .strip_prefix(&error.pointer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if !is_known {
            errors.push(error);
        }
        // What comes after a member that is wrong is seen without it.
        if errors.len() >= ERRORS_MAX || !take_out(&mut value, &wrong) {
            return Err(errors);
        }
    }
}

fn member(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn pointer(wrong: &Wrong) -> String {
    let step = |step: &Step| match step {
        Step::Member(name) => member(name),
        Step::Item(index) => format!("/{index}"),
    };
    wrong.steps.iter().rev().map(step).collect()
}

/// Removes the innermost member that there is of those that hold what is wrong. `false`: there is none.
fn take_out(value: &mut Value, wrong: &Wrong) -> bool {
    (0..wrong.steps.len()).any(|innermost| {
        let (Step::Member(name), outer) = (&wrong.steps[innermost], &wrong.steps[innermost + 1..]) else {
            return false;
        };
        let holder = outer.iter().rev().try_fold(&mut *value, |value, step| match step {
            Step::Member(name) => value.get_mut(name),
            Step::Item(index) => value.get_mut(index),
        });
        holder.and_then(Value::as_object_mut).is_some_and(|members| members.remove(name).is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        #[serde(default)]
        truth: bool,
        #[serde(default)]
        texts: Vec<String>,
        #[serde(default)]
        inner: Option<Inner>,
        needed: u8,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        #[serde(default, rename = "a/b")]
        number: i32,
        kind: Kind,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        One,
        Other,
    }

    fn errors(body: &str) -> Vec<(String, String)> {
        let errors = read::<Outer>(body.as_bytes()).unwrap_err();
        errors.into_iter().map(|error| (error.pointer, error.detail)).collect()
    }

    #[test]
    fn what_is_right_is_read() {
        let body =
            "\u{feff}{\"needed\": 7, \"inner\": {\"kind\": \"other\", \"a/b\": -3}, \"texts\": [\"x\"]}";
        let inner = Some(Inner { number: -3, kind: Kind::Other });
        assert_eq!(
            read::<Outer>(body.as_bytes()),
            Ok(Outer { truth: false, texts: vec!["x".into()], inner, needed: 7 })
        );
    }

    #[test]
    fn each_error_says_where_what_and_what_is_allowed() {
        for (body, pointer, detail) in [
            ("[]", "", "must be an object"),
            ("{}", "/needed", "is missing"),
            (r#"{"needed": 256}"#, "/needed", "must be a whole number from 0 to 255"),
            (r#"{"needed": 1, "truth": "yes"}"#, "/truth", "must be true or false"),
            (r#"{"needed": 1, "texts": "x"}"#, "/texts", "must be a list"),
            (r#"{"needed": 1, "texts": ["x", 5]}"#, "/texts/1", "must be a text"),
            (r#"{"needed": 1, "inner": {}}"#, "/inner/kind", "is missing"),
            (r#"{"needed": 1, "inner": {"kind": "oter"}}"#, "/inner/kind", "must be `one` or `other`"),
            (r#"{"needed": 1, "inner": {"kind": 5}}"#, "/inner/kind", "must be `one` or `other`"),
            (r#"{"needed": 1, "inner": {"kind": {}}}"#, "/inner/kind", "must be `one` or `other`"),
            (r#"{"needed": 1, "inner": {"kind": {"one": null}}}"#, "/inner/kind", "must be `one` or `other`"),
            (r#"{"needed": 1, "inner": {"kind": ["one"]}}"#, "/inner/kind", "must be `one` or `other`"),
            (
                r#"{"needed": 1, "inner": {"kind": "one", "a/b": 0.5}}"#,
                "/inner/a~1b",
                "must be a whole number from -2147483648 to 2147483647",
            ),
            (
                r#"{"needed": 1, "thruth": true}"#,
                "/thruth",
                "is not known here; did you mean `truth`? known are truth, texts, inner, needed",
            ),
            (
                r#"{"needed": 1, "colour": true}"#,
                "/colour",
                "is not known here; known are truth, texts, inner, needed",
            ),
        ] {
            assert_eq!(errors(body), [(pointer.to_owned(), detail.to_owned())], "{body}");
        }
        let (pointer, detail) = errors("{").remove(0);
        assert!(pointer.is_empty() && detail.starts_with("must be JSON: "), "{detail}");
    }

    #[test]
    fn all_that_is_wrong_is_told_once() {
        let body = r#"{"nedeed": 1, "truth": 0, "texts": [1, 2], "inner": {"kind": 5, "c": 1}}"#;
        let pointers: Vec<String> = errors(body).into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(pointers, ["/nedeed", "/inner/c", "/inner/kind", "/texts/0", "/truth", "/needed"]);
        let many: Vec<String> = (0..50).map(|number| format!("\"x{number}\": 1")).collect();
        assert_eq!(errors(&format!("{{{}}}", many.join(", "))).len(), ERRORS_MAX);
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Parameters {
        #[serde(default)]
        truth: bool,
        number: Option<u32>,
        delta: Option<i64>,
        kind: Option<Kind>,
        text: Option<String>,
    }

    fn parameters(pairs: &[(&str, &str)]) -> Result<Parameters, Vec<FieldError>> {
        read_parameters(pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    #[test]
    fn parameters_are_texts_and_each_that_is_wrong_is_named() {
        let right = [("truth", "true"), ("number", "7"), ("delta", "-7"), ("kind", "other"), ("text", "12")];
        let (kind, text) = (Some(Kind::Other), Some("12".to_owned()));
        let read = Parameters { truth: true, number: Some(7), delta: Some(-7), kind, text };
        assert_eq!(parameters(&right), Ok(read));
        let none = Parameters { truth: false, number: None, delta: None, kind: None, text: None };
        assert_eq!(parameters(&[]), Ok(none));
        for (pairs, pointer, detail) in [
            (&[("number", "5000000000")][..], "/number", "must be a whole number from 0 to 4294967295"),
            (&[("number", "many")], "/number", "must be a whole number from 0 to 4294967295"),
            (&[("number", "")], "/number", "must be a whole number from 0 to 4294967295"),
            (&[("truth", "yes")], "/truth", "must be true or false"),
            (&[("kind", "oter")], "/kind", "must be `one` or `other`"),
            (&[("text", "a"), ("text", "b"), ("text", "c")], "/text", "is named twice"),
            (&[("text", "a\0b")], "/text", "may not hold the character NUL"),
            (
                &[("nubmer", "7")],
                "/nubmer",
                "is not known here; did you mean `number`? known are truth, number, delta, kind, text",
            ),
        ] {
            assert_eq!(parameters(pairs), Err(vec![FieldError::new(pointer, detail)]), "{pairs:?}");
        }
        let all = parameters(&[("number", "-1"), ("text", "a"), ("text", "b"), ("truth", "1")]).unwrap_err();
        let pointers: Vec<&str> = all.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/text", "/number", "/truth"]);
    }

    #[test]
    fn a_place_is_also_a_path() {
        for (pointer, path) in
            [("", "body"), ("/a/b", "a.b"), ("/hosts/1", "hosts[1]"), ("/a~1b/0/c~0", "a/b[0].c~")]
        {
            assert_eq!(FieldError::new(pointer, "").path(), path);
        }
    }
}
