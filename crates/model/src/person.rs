//! People who sign in: who they are, and what they may do in which account.

use crate::{AccountId, FieldError, LanguageCode, Scope, Scopes, de::nearest, fields::is_line, is_host};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};
use utoipa::ToSchema;

/// Characters of a person's name at the most.
pub const PERSON_NAME_CHARS_MAX: usize = 100;
/// Characters of a mail address at the most (RFC 5321, section 4.5.3.1.3, without the brackets).
pub const MAIL_CHARS_MAX: usize = 254;
/// Characters of a password.
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 10..=256;
/// Accounts in which a person has a role, at the most.
pub const PERSON_ROLES_MAX: usize = 100;

/// What a person may do in an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Books conferences and leads them.
    Organiser,
    /// Reads recordings, history, usage and the audit log, and changes nothing.
    Auditor,
    /// All of the account.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Organiser, Self::Auditor, Self::Admin];

    /// Its name in JSON, in the database and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organiser => "organiser",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// What it lets do, as scopes of a key.
    #[must_use]
    pub fn scopes(self) -> Scopes {
        match self {
            Self::Organiser => [Scope::Read, Scope::Control, Scope::Book].into_iter().collect(),
            Self::Auditor => [Scope::Read, Scope::Records, Scope::Audit].into_iter().collect(),
            Self::Admin => Scopes::account(),
        }
    }

    /// It lets read and nothing else, whatever its scopes would allow a key.
    #[must_use]
    pub const fn only_reads(self) -> bool {
        matches!(self, Self::Auditor)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownRole {
    /// The text.
    pub name: String,
}

impl fmt::Display for UnknownRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no role; ", self.name)?;
        if let Some(near) = nearest(&self.name, &Role::ALL.map(Role::name)) {
            write!(f, "did you mean `{near}`? ")?;
        }
        f.write_str("there are organiser, auditor and admin")
    }
}

impl std::error::Error for UnknownRole {}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, UnknownRole> {
        let known = Self::ALL.into_iter().find(|role| role.name() == name);
        known.ok_or_else(|| UnknownRole { name: name.to_owned() })
    }
}

/// What may be set of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonSettings {
    /// What they are called: 1 to 100 characters, none of them a control character.
    pub name: String,
    /// Their mail address, by which they sign in. Letters count the same in either case.
    pub mail: String,
    /// In which language pages are shown to them.
    pub language: LanguageCode,
    /// They operate the installation: all accounts, and what belongs to none.
    pub is_operator: bool,
    /// They cannot sign in.
    pub is_disabled: bool,
    /// What they may do in which account.
    pub roles: BTreeMap<AccountId, Role>,
}

impl PersonSettings {
    /// What is wrong with them; nothing where all is allowed.
    #[must_use]
    pub fn check(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if !is_line(&self.name, 1, PERSON_NAME_CHARS_MAX) || self.name.trim().is_empty() {
            let text =
                format!("has 1 to {PERSON_NAME_CHARS_MAX} characters, none of them a control character");
            errors.push(FieldError::new("/name", text));
        }
        if !is_mail(&self.mail) {
            let text = format!(
                "must be a mail address as in `eve@example.com`, with at most {MAIL_CHARS_MAX} characters"
            );
            errors.push(FieldError::new("/mail", text));
        }
        if self.roles.is_empty() && !self.is_operator {
            errors.push(FieldError::new("/roles", "must name at least one account, or the person operates"));
        }
        if self.roles.len() > PERSON_ROLES_MAX {
            errors.push(FieldError::new("/roles", format!("may name at most {PERSON_ROLES_MAX} accounts")));
        }
        errors
    }
}

/// A mail address as it is written in an envelope, without what only quoting allows.
#[must_use]
pub fn is_mail(text: &str) -> bool {
    let is_local = |local: &str| {
        (1..=64).contains(&local.len())
            && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c))
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
    };
    text.chars().count() <= MAIL_CHARS_MAX
        && text.rsplit_once('@').is_some_and(|(local, domain)| {
            is_local(local) && is_host(domain) && domain.bytes().next_back().is_some_and(|byte| byte != b'.')
        })
}

/// What a person signs in by: the mail address in small letters.
#[must_use]
pub fn login_of(mail: &str) -> String {
    mail.trim().to_lowercase()
}

/// What is wrong with a new password, if anything.
#[must_use]
pub fn check_password(password: &str, settings: Option<&PersonSettings>) -> Option<FieldError> {
    let (chars, first) = (password.chars().count(), password.chars().next());
    let detail = if !PASSWORD_CHARS.contains(&chars) {
        format!("must have {} to {} characters", PASSWORD_CHARS.start(), PASSWORD_CHARS.end())
    } else if password.chars().all(|c| Some(c) == first) {
        "must not be one character again and again".to_owned()
    } else if settings.is_some_and(|person| {
        let password = password.to_lowercase();
        password == login_of(&person.mail) || password == person.name.to_lowercase()
    }) {
        "must not be the person's own name or mail address".to_owned()
    } else {
        return None;
    };
    Some(FieldError::new("/password", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eve() -> PersonSettings {
        PersonSettings {
            name: "Eve Ünal".to_owned(),
            mail: "Eve@Example.com".to_owned(),
            language: LanguageCode::english(),
            is_operator: false,
            is_disabled: false,
            roles: BTreeMap::from([(AccountId(1), Role::Admin)]),
        }
    }

    #[test]
    fn a_role_is_a_set_of_scopes() {
        for (role, scopes) in [
            (Role::Organiser, "read control book"),
            (Role::Auditor, "read records audit"),
            (Role::Admin, "read control book records config audit"),
        ] {
            assert_eq!(role.scopes().to_string(), scopes);
            assert_eq!(role.name().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
            assert!(!role.scopes().includes(Scope::Operator));
            assert_eq!(role.only_reads(), role == Role::Auditor);
        }
        let error = "adm1n".parse::<Role>().unwrap_err().to_string();
        assert_eq!(error, "`adm1n` is no role; did you mean `admin`? there are organiser, auditor and admin");
    }

    #[test]
    fn settings_of_a_person_are_checked_member_by_member() {
        let pointers = |settings: PersonSettings| {
            settings.check().into_iter().map(|error| error.pointer).collect::<Vec<_>>()
        };
        assert_eq!(pointers(eve()), [""; 0]);
        for name in ["", " ", "two\nlines", &"x".repeat(101)] {
            assert_eq!(pointers(PersonSettings { name: name.to_owned(), ..eve() }), ["/name"], "{name:?}");
        }
        for mail in
            ["", "eve", "@example.com", "eve@", "e e@example.com", "eve@-x", "a@b@c", "eve@x.", "<eve@x>"]
        {
            assert_eq!(pointers(PersonSettings { mail: mail.to_owned(), ..eve() }), ["/mail"], "{mail:?}");
        }
        let nowhere = PersonSettings { roles: BTreeMap::new(), ..eve() };
        assert_eq!(pointers(nowhere.clone()), ["/roles"]);
        assert_eq!(pointers(PersonSettings { is_operator: true, ..nowhere }), [""; 0]);
        let everywhere = (0..101).map(|number| (AccountId(number), Role::Organiser)).collect();
        assert_eq!(pointers(PersonSettings { roles: everywhere, ..eve() }), ["/roles"]);
        assert_eq!(login_of(" Eve@Example.COM"), "eve@example.com");
    }

    #[test]
    fn a_password_has_ten_characters_and_is_not_who_it_is_of() {
        let eve = eve();
        for (password, is_allowed) in [
            ("correct horse", true),
            ("äöüßäöüßäö", true),
            ("123456789", false),
            ("aaaaaaaaaaaa", false),
            ("eve@EXAMPLE.com", false),
            ("", false),
        ] {
            assert_eq!(check_password(password, Some(&eve)).is_none(), is_allowed, "{password}");
        }
        assert!(check_password(&"xy".repeat(129), None).is_some());
        assert_eq!(check_password("short", None).unwrap().pointer, "/password");
    }
}
