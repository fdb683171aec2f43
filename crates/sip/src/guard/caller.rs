//! Who asks, as limits count them.

use plenary_model::{attempted, spelled};

/// Characters stored of what a caller claims.
pub(super) const CALLER_CHARS_MAX: usize = 64;

/// Who asks, by their own claim, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// A number in its one spelling.
    pub(super) who: String,
    /// As [`attempted`] has it. Empty if the password is wrong, or for a registration.
    pub(super) what: String,
    /// Tells callers apart who say the same of themselves: a hash of what they bring.
    brings: u64,
    /// Nobody is known: what was received cannot be read, or is an attack tool's.
    pub(super) is_nobody: bool,
}

impl Caller {
    /// A caller who answers a challenge under this name.
    #[must_use]
    pub fn with_password(user: &str) -> Self {
        Self { who: shortened(&spelled(user)), what: String::new(), brings: 0, is_nobody: false }
    }

    /// A caller who claims to be `from` and asks for `name`.
    #[must_use]
    pub fn asking_for(from: &str, name: &str) -> Self {
        let (who, what) = (shortened(&spelled(from)), shortened(&attempted(name)));
        Self { who, what, brings: 0, is_nobody: false }
    }

    /// The same for one who brings this: a token, or the name of a host that has an access key in it. Others who say the
    /// same of themselves, and bring another one, are not this caller.
    #[must_use]
    pub fn bringing(self, what: &str) -> Self {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        Self { brings: hasher.finish(), ..self }
    }

    /// Who sends what cannot be read, or uses an attack tool.
    pub(crate) fn unreadable() -> Self {
        Self { who: "unreadable requests".to_owned(), what: String::new(), brings: 0, is_nobody: true }
    }

    /// The name that counts as a guess.
    pub(super) fn guess(&self) -> &str {
        if self.what.is_empty() { &self.who } else { &self.what }
    }
}

impl std::fmt::Display for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.what.as_str() {
            "" => f.write_str(&self.who),
            what => write!(f, "{} to {what}", self.who),
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(CALLER_CHARS_MAX).collect()
}
