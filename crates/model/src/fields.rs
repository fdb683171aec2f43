//! Members that several nouns have: lists, networks, ranges, lines of text.

use ipnet::IpNet;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
};
use serde_json::{Map, Value, json};
use std::{fmt, net::IpAddr};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type},
    },
};

/// Items of a list at the most.
pub(crate) const ITEMS_MAX: usize = 256;

/// Some of the things of a kind that an account has, by name, or all of them. In JSON a list of names, or true for all and
/// false for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Every one.
    All,
    /// These; none where there are no names.
    Named(Vec<String>),
}

impl Selection {
    /// It selects nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Named(names) if names.is_empty())
    }
}

impl Default for Selection {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

impl Serialize for Selection {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => to.serialize_bool(true),
            Self::Named(names) => names.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Selection {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Selection;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of at most {ITEMS_MAX} names, or true for every one")
            }

            fn visit_bool<E: Error>(self, is_all: bool) -> Result<Selection, E> {
                Ok(if is_all { Selection::All } else { Selection::default() })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Selection, A::Error> {
                collect(items, ITEMS_MAX, &self).map(Selection::Named)
            }
        }

        from.deserialize_any(Names)
    }
}

impl PartialSchema for Selection {
    fn schema() -> RefOr<Schema> {
        let names = ArrayBuilder::new().items(String::schema()).max_items(Some(ITEMS_MAX));
        OneOfBuilder::new().item(ObjectBuilder::new().schema_type(Type::Boolean)).item(names).into()
    }
}

impl ToSchema for Selection {}

/// All items of a list that may have so many.
pub(crate) fn collect<'de, A: SeqAccess<'de>, T: Deserialize<'de>>(
    mut items: A,
    most: usize,
    expected: &dyn serde::de::Expected,
) -> Result<Vec<T>, A::Error> {
    let mut list = Vec::new();
    while let Some(item) = items.next_element()? {
        if list.len() == most {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Seq, expected));
        }
        list.push(item);
    }
    Ok(list)
}

/// A member that may be left out, but not be null.
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A member for which null means that it is left out.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// A list of items that each are a text which `parse` takes; `what` says what the list is of.
pub(crate) fn parsed<'de, D: Deserializer<'de>, T: FromText>(from: D) -> Result<Vec<T>, D::Error> {
    struct Texts<T>(std::marker::PhantomData<T>);

    impl<'de, T: FromText> Visitor<'de> for Texts<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {ITEMS_MAX} {}", T::PLURAL)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Vec<T>, A::Error> {
            let items: Vec<Parsed<T>> = collect(items, ITEMS_MAX, &self)?;
            Ok(items.into_iter().map(|Parsed(item)| item).collect())
        }
    }

    from.deserialize_seq(Texts(std::marker::PhantomData))
}

/// What is read from a text.
pub(crate) trait FromText: Sized {
    /// What a list of them is a list of.
    const PLURAL: &'static str;
    /// What a text has to be.
    const RULE: &'static str;

    /// `None`: against the rule.
    fn from_text(text: &str) -> Option<Self>;
}

/// Reads by [`FromText`].
pub(crate) struct Parsed<T>(pub(crate) T);

impl<'de, T: FromText> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        T::from_text(&text).map(Self).ok_or_else(|| D::Error::custom(T::RULE))
    }
}

impl FromText for IpNet {
    const PLURAL: &'static str = "networks";
    const RULE: &'static str = "must be a network as in 192.0.2.0/24 or 2001:db8::/32, or an address";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(Self::from))
    }
}

/// A list of networks or addresses.
pub(crate) fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    parsed(from)
}

/// A whole number in a range.
pub(crate) fn whole<'de, const LEAST: u32, const MOST: u32, D: Deserializer<'de>>(
    from: D,
) -> Result<u32, D::Error> {
    struct Whole<const LEAST: u32, const MOST: u32>;

    impl<const LEAST: u32, const MOST: u32> Visitor<'_> for Whole<LEAST, MOST> {
        type Value = u32;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a whole number from {LEAST} to {MOST}")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<u32, E> {
            let known = u32::try_from(number).ok().filter(|number| (LEAST..=MOST).contains(number));
            known.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Unsigned(number), &self))
        }
    }

    from.deserialize_u32(Whole::<LEAST, MOST>)
}

/// A text of 1 to `MOST` characters, none of them a control character; null: none.
pub(crate) fn line<'de, const MOST: usize, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<String>, D::Error> {
    match Option::<String>::deserialize(from)? {
        Some(text) if !is_line(&text, 1, MOST) => {
            Err(D::Error::custom(format!("has 1 to {MOST} characters, none of them a control character")))
        }
        text => Ok(text),
    }
}

/// A text of so many characters, none of them a control character.
pub(crate) fn is_line(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// A user part that is the same in a URI, in a header and in a log.
#[must_use]
pub fn is_user(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
}
/// A schema that stands alone, for clients that check bodies by it.
pub(crate) fn json_schema(title: &str, schema: RefOr<Schema>) -> Value {
    let mut schema = plain(serde_json::to_value(schema).unwrap_or_default());
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(title);
    schema
}

/// A member whose type has a schema of its own comes as `allOf`: that schema, and what is said of the member, which also claims to be an
/// object whatever it is. It becomes one schema. A default of null only says that the member may be left out.
fn plain(schema: Value) -> Value {
    match schema {
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(mut members) => {
            if members.get("default").is_some_and(Value::is_null) {
                members.remove("default");
            }
            match members.remove("allOf") {
                Some(Value::Array(parts)) => {
                    let mut whole = Map::new();
                    for (place, part) in parts.into_iter().enumerate() {
                        let Value::Object(mut part) = plain(part) else { continue };
                        if place > 0 {
                            part.remove("type");
                        }
                        whole.append(&mut part);
                    }
                    Value::Object(whole)
                }
                _ => members.into_iter().map(|(name, member)| (name, plain(member))).collect(),
            }
        }
        other => other,
    }
}
