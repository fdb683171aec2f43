//! JSON values read into types, so that errors name the place of what is wrong.
//!
//! serde's own errors are sentences in which the place has to be looked for. Here an error is made of parts, and each object
//! and list on its way up adds where it came from. Objects refuse members that their type does not know. Parameters of a query
//! string are texts, whatever they say: of them numbers and truths are read as well.

use serde::de::{self, DeserializeSeed, Deserializer, Expected, Unexpected, Visitor};
use serde_json::Value;
use std::fmt;

/// One step from a value to one within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member of an object.
    Member(String),
    /// An item of a list.
    Item(usize),
}

/// What is wrong with a value, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// The innermost step first.
    pub(crate) steps: Vec<Step>,
    /// What is wrong and what is allowed.
    pub(crate) detail: String,
}

impl Wrong {
    fn new(detail: impl Into<String>) -> Self {
        Self { steps: Vec::new(), detail: detail.into() }
    }

    fn within(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::new(text.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("must be {}", in_words(expected)))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("must be {}", in_words(expected)))
    }

    fn unknown_variant(_: &str, variants: &'static [&'static str]) -> Self {
        Self::new(one_of(variants))
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::new(unknown_member(field, known)).within(Step::Member(field.to_owned()))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("is missing").within(Step::Member(field.to_owned()))
    }
}

/// The words of JSON for what serde calls by the words of Rust.
fn in_words(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "a boolean" => "true or false".to_owned(),
        "a string" | "a borrowed string" => "a text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "u8" => whole_number(u8::MIN, u8::MAX),
        "u16" => whole_number(u16::MIN, u16::MAX),
        "u32" => whole_number(u32::MIN, u32::MAX),
        "u64" | "usize" => whole_number(u64::MIN, u64::MAX),
        "i8" => whole_number(i8::MIN, i8::MAX),
        "i16" => whole_number(i16::MIN, i16::MAX),
        "i32" => whole_number(i32::MIN, i32::MAX),
        "i64" => whole_number(i64::MIN, i64::MAX),
        "f32" | "f64" => "a number".to_owned(),
        _ => text,
    }
}

/// As the types of our own that have a range say it.
fn whole_number(least: impl fmt::Display, most: impl fmt::Display) -> String {
    format!("a whole number from {least} to {most}")
}

/// ``must be `a`, `b` or `c` ``
fn one_of(variants: &[&str]) -> String {
    let quoted: Vec<String> = variants.iter().map(|variant| format!("`{variant}`")).collect();
    match quoted.split_last() {
        Some((last, others)) if !others.is_empty() => format!("must be {} or {last}", others.join(", ")),
        Some((only, _)) => format!("must be {only}"),
        None => "is not allowed here".to_owned(),
    }
}

/// Why a member is refused: which one may be meant, and which there are.
pub(crate) fn unknown_member(name: &str, known: &[&str]) -> String {
    let meant = nearest(name, known).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
    format!("is not known here; {meant}known are {known}")
}

/// The known name that this one may be a misspelling of.
#[must_use]
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name: Vec<char> = name.chars().take(64).flat_map(char::to_lowercase).collect();
    let by_distance = known.iter().map(|candidate| (distance(&name, candidate), *candidate));
    let (off, near) = by_distance.min_by_key(|(off, _)| *off)?;
    // One slip in three characters is a slip; more are another word.
    (off <= (name.len().max(near.len()) / 3).max(1)).then_some(near)
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one to the other.
fn distance(name: &[char], other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before = vec![0; other.len() + 1];
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, of_name) in name.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, of_other) in other.iter().enumerate() {
            let replaced = last[column] + usize::from(of_name != of_other);
            let mut least = replaced.min(last[column + 1] + 1).min(line[column] + 1);
            let is_swap =
                row > 0 && column > 0 && of_name == &other[column - 1] && name[row - 1] == *of_other;
            if is_swap {
                least = least.min(before[column - 1] + 1);
            }
            line.push(least);
        }
        before = std::mem::replace(&mut last, line);
    }
    last[other.len()]
}

/// Reads a type from a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) value: &'a Value,
    /// All is text, as in a query string: `7` may be a number, and `true` a truth.
    pub(crate) is_text: bool,
}

impl<'a> Reader<'a> {
    /// Of a parameter, its text.
    fn text(self) -> Option<&'a str> {
        self.value.as_str().filter(|_| self.is_text)
    }

    fn whole_number<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let text = self.text();
        match (text.and_then(|text| text.parse().ok()), text.and_then(|text| text.parse().ok())) {
            (Some(number), _) => visitor.visit_u64(number),
            (None, Some(number)) => visitor.visit_i64(number),
            (None, None) => self.deserialize_any(visitor),
        }
    }

    fn unexpected(self) -> Unexpected<'a> {
        match self.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(truth) => Unexpected::Bool(*truth),
            Value::Number(_) => Unexpected::Other("number"),
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        }
    }
}

macro_rules! whole_numbers {
    ($($method:ident)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
                self.whole_number(visitor)
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => visitor.visit_u64(number),
                (_, Some(number), _) => visitor.visit_i64(number),
                (.., Some(number)) => visitor.visit_f64(number),
                (None, None, None) => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => {
                visitor.visit_seq(Items { items: items.iter().enumerate(), is_text: self.is_text })
            }
            Value::Object(members) => {
                visitor.visit_map(Members { members: members.iter(), value: None, is_text: self.is_text })
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let Value::Object(members) = self.value else { return Err(Wrong::new("must be an object")) };
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => Err(de::Error::unknown_field(unknown, known)),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        // serde also knows enums as objects with one member; no noun has such a one.
        match self.value {
            Value::String(name) => visitor.visit_enum(de::value::StrDeserializer::new(name)),
            _ => Err(Wrong::new(one_of(variants))),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.text().and_then(|text| text.parse().ok()) {
            Some(truth) => visitor.visit_bool(truth),
            None => self.deserialize_any(visitor),
        }
    }

    whole_numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

struct Items<'a> {
    items: std::iter::Enumerate<std::slice::Iter<'a, Value>>,
    is_text: bool,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Wrong;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Wrong> {
        let Some((index, item)) = self.items.next() else { return Ok(None) };
        seed.deserialize(Reader { value: item, is_text: self.is_text })
            .map(Some)
            .map_err(|wrong| wrong.within(Step::Item(index)))
    }
}

struct Members<'a> {
    members: serde_json::map::Iter<'a>,
    value: Option<(&'a str, &'a Value)>,
    is_text: bool,
}

impl<'de> de::MapAccess<'de> for Members<'de> {
    type Error = Wrong;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Wrong> {
        let Some((name, value)) = self.members.next() else { return Ok(None) };
        self.value = Some((name, value));
        seed.deserialize(de::value::BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Wrong> {
        let (name, value) = self.value.take().ok_or_else(|| Wrong::new("a value without a name"))?;
        seed.deserialize(Reader { value, is_text: self.is_text })
            .map_err(|wrong| wrong.within(Step::Member(name.to_owned())))
    }
}
