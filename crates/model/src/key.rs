//! API Access Keys: what a key may do, for which conference, and until when.

use crate::{
    ConferenceName, FieldError, Timestamp,
    de::nearest,
    fields::is_line,
    id::{CONFERENCE_NAME_LENGTH_MAX, is_conference_name},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{SeqAccess, Visitor},
};
use std::{fmt, str::FromStr};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, Schema},
    },
};

/// Characters of a label at the most.
pub const KEY_LABEL_CHARS_MAX: usize = 100;

/// One thing that a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See what is in progress and what is stored.
    Read,
    /// Change conferences in progress and their participants, and have calls placed.
    Control,
    /// Make, change and remove reservations.
    Book,
    /// Read and delete recordings, call records and usage.
    Records,
    /// Change what is stored: inbound services, trunks, users, keys.
    Config,
    /// Read the audit log of the account.
    Audit,
    /// Everything of the installation, over all accounts. Only the command line gives it.
    Operator,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Read, Self::Control, Self::Book, Self::Records, Self::Config, Self::Audit, Self::Operator];

    /// Its name in JSON, in the database and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Control => "control",
            Self::Book => "book",
            Self::Records => "records",
            Self::Config => "config",
            Self::Audit => "audit",
            Self::Operator => "operator",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownScope {
    /// The text.
    pub name: String,
}

impl fmt::Display for UnknownScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no scope; ", self.name)?;
        if let Some(near) = nearest(&self.name, &Scope::ALL.map(Scope::name)) {
            write!(f, "did you mean `{near}`? ")?;
        }
        write!(f, "there are {}", names(&Scope::ALL))
    }
}

impl std::error::Error for UnknownScope {}

/// `read, control and book`
fn names(scopes: &[Scope]) -> String {
    let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => names.concat(),
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(name: &str) -> Result<Self, UnknownScope> {
        let known = Self::ALL.into_iter().find(|scope| scope.name() == name);
        known.ok_or_else(|| UnknownScope { name: name.to_owned() })
    }
}

/// A set of scopes. In JSON a list of their names, in the database and for people the names with spaces between.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// None at all.
    pub const NONE: Self = Self(0);

    /// All that an account has: every one but `operator`.
    #[must_use]
    pub const fn account() -> Self {
        Self(
            Scope::Read.bit()
                | Scope::Control.bit()
                | Scope::Book.bit()
                | Scope::Records.bit()
                | Scope::Config.bit()
                | Scope::Audit.bit(),
        )
    }

    /// All that a key may have that is bound to one conference.
    #[must_use]
    pub const fn conference() -> Self {
        Self(Scope::Read.bit() | Scope::Control.bit())
    }

    /// The scope is one of these.
    #[must_use]
    pub const fn includes(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Each of these is one of the others too.
    #[must_use]
    pub const fn is_subset(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    /// There are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of these, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.includes(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |all, scope| all | scope.bit()))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(f, "{space}{scope}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scopes({self})")
    }
}

impl FromStr for Scopes {
    type Err = UnknownScope;

    /// Names with spaces or commas between.
    fn from_str(names: &str) -> Result<Self, UnknownScope> {
        names
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|name| !name.is_empty())
            .map(str::parse::<Scope>)
            .collect()
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Scopes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of scopes, as in [\"read\", \"control\"]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scopes, A::Error> {
                let mut scopes = 0;
                while let Some(scope) = items.next_element::<Scope>()? {
                    scopes |= scope.bit();
                }
                Ok(Scopes(scopes))
            }
        }

        from.deserialize_seq(List)
    }
}

impl PartialSchema for Scopes {
    fn schema() -> RefOr<Schema> {
        ArrayBuilder::new().items(Scope::schema()).unique_items(true).into()
    }
}

impl ToSchema for Scopes {}

/// What may be set of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    /// What people call it: 1 to 100 characters, none of them a control character.
    pub label: Option<String>,
    /// What it may do.
    pub scopes: Scopes,
    /// The only conference that it is for; `None`: all of the account.
    pub conference: Option<ConferenceName>,
    /// From this moment on it is not valid; `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
}

impl Default for KeySettings {
    /// A key of the account, as it is made with the account: without a name, for all, without an end.
    fn default() -> Self {
        Self { label: None, scopes: Scopes::account(), conference: None, expires_at: None }
    }
}

impl KeySettings {
    /// What is wrong with them; nothing where all is allowed. An end that has passed is not wrong here: a new key may not
    /// have one ([`Self::check_new`]).
    #[must_use]
    pub fn check(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if self.label.as_deref().is_some_and(|label| !is_line(label, 1, KEY_LABEL_CHARS_MAX)) {
            let text = format!("has 1 to {KEY_LABEL_CHARS_MAX} characters, none of them a control character");
            errors.push(FieldError::new("/label", text));
        }
        if self.scopes.is_empty() {
            errors.push(FieldError::new(
                "/scopes",
                format!("must name at least one of {}", names(&Scope::ALL)),
            ));
        }
        if let Some(conference) = &self.conference {
            if !is_conference_name(conference.as_str()) {
                let text = format!("must be 1 to {CONFERENCE_NAME_LENGTH_MAX} letters and digits");
                errors.push(FieldError::new("/conference", text));
            }
            if !self.scopes.is_subset(Scopes::conference()) {
                let text = "of a key for one conference may be `read` and `control` only";
                errors.push(FieldError::new("/scopes", text));
            }
        }
        errors
    }

    /// The same for a key that is to be made now.
    #[must_use]
    pub fn check_new(&self, now: Timestamp) -> Vec<FieldError> {
        let mut errors = self.check();
        if self.expires_at.is_some_and(|end| end <= now) {
            errors.push(FieldError::new("/expires_at", "must be a time to come, or null for no end"));
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_value;
    use serde_json::{Value, json};

    fn scopes(names: &str) -> Scopes {
        names.parse().unwrap()
    }

    #[test]
    fn a_set_of_scopes_is_written_and_read_the_same_way() {
        assert_eq!(Scopes::account().to_string(), "read control book records config audit");
        assert_eq!(Scopes::conference().to_string(), "read control");
        assert_eq!(Scopes::NONE.to_string(), "");
        for text in ["control read", "read,control", " read, control,read"] {
            assert_eq!(scopes(text), Scopes::conference(), "{text}");
        }
        assert_eq!(scopes(""), Scopes::NONE);
        let written = serde_json::to_value(scopes("operator read")).unwrap();
        assert_eq!(written, json!(["read", "operator"]));
        assert_eq!(read_value(written), Ok(scopes("operator read")));
        for scope in Scope::ALL {
            assert_eq!(serde_json::to_value(scope).unwrap(), json!(scope.name()));
            assert_eq!(scope.name().parse(), Ok(scope));
            assert_eq!(Scopes::account().includes(scope), scope != Scope::Operator);
        }
    }

    #[test]
    fn what_is_no_scope_is_named() {
        let error = "contrl".parse::<Scopes>().unwrap_err().to_string();
        let known = "there are read, control, book, records, config, audit and operator";
        assert_eq!(error, format!("`contrl` is no scope; did you mean `control`? {known}"));
        assert_eq!("x,read".parse::<Scopes>().unwrap_err().to_string(), format!("`x` is no scope; {known}"));
        let errors = |body: Value| {
            let errors = read_value::<Scopes>(body).unwrap_err();
            errors.into_iter().map(|error| (error.pointer, error.detail)).collect::<Vec<_>>()
        };
        let one = "must be `read`, `control`, `book`, `records`, `config`, `audit` or `operator`";
        assert_eq!(errors(json!(["read", "all"])), [("/1".to_owned(), one.to_owned())]);
        let list = "must be a list of scopes, as in [\"read\", \"control\"]";
        assert_eq!(errors(json!("read")), [(String::new(), list.to_owned())]);
    }

    #[test]
    fn sets_are_compared() {
        assert!(scopes("read").is_subset(Scopes::conference()));
        assert!(Scopes::NONE.is_subset(Scopes::NONE));
        assert!(!scopes("read book").is_subset(Scopes::conference()));
        assert!(!scopes("operator").is_subset(Scopes::account()));
        assert!(Scopes::NONE.is_empty() && !scopes("config").is_empty());
    }

    #[test]
    fn settings_of_a_key_are_checked() {
        let now = Timestamp(1_000);
        let pointers = |settings: &KeySettings| {
            settings.check_new(now).into_iter().map(|error| error.pointer).collect::<Vec<_>>()
        };
        let key = KeySettings::default();
        assert_eq!(pointers(&key), [""; 0]);
        let longest = KeySettings { label: Some("ü".repeat(100)), ..key.clone() };
        assert_eq!(pointers(&longest), [""; 0]);
        for label in [String::new(), "ü".repeat(101), "two\nlines".into()] {
            assert_eq!(pointers(&KeySettings { label: Some(label), ..key.clone() }), ["/label"]);
        }
        assert_eq!(pointers(&KeySettings { scopes: Scopes::NONE, ..key.clone() }), ["/scopes"]);
        let bound = KeySettings {
            conference: Some(ConferenceName::new("Board")),
            scopes: Scopes::conference(),
            ..key.clone()
        };
        assert_eq!(pointers(&bound), [""; 0]);
        assert_eq!(pointers(&KeySettings { scopes: scopes("read book"), ..bound.clone() }), ["/scopes"]);
        let odd = ConferenceName::new("two words");
        assert_eq!(pointers(&KeySettings { conference: Some(odd), ..bound }), ["/conference"]);
        let ends = |at| KeySettings { expires_at: Some(Timestamp(at)), ..key.clone() };
        assert_eq!(pointers(&ends(1_001)), [""; 0]);
        assert_eq!(pointers(&ends(1_000)), ["/expires_at"]);
        assert_eq!(ends(1_000).check(), [], "a key that has expired can still be given another name");
    }
}
