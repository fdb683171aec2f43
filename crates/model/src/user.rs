//! SIP users: telephones that register, and callers with a password (digest authentication, RFC 7616).

use crate::{
    AccountId, FieldError, Timestamp,
    fields::{is_line, is_user},
};
use std::fmt;

/// What may be shown of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipUser {
    /// The name that the phone says.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its password was last set.
    pub updated_at: Timestamp,
}

/// What an answer to a challenge is compared with.
#[derive(Clone, PartialEq, Eq)]
pub struct SipSecret {
    /// Whose user it is.
    pub account: AccountId,
    /// The realm that both hashes are for.
    pub realm: String,
    /// MD5 of name, realm and password.
    pub ha1_md5: String,
    /// SHA-256 of the same.
    pub ha1_sha256: String,
}

impl fmt::Debug for SipSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SipSecret").field("account", &self.account).finish_non_exhaustive()
    }
}

const PASSWORD_CHARS_MIN: usize = 8;
const PASSWORD_CHARS_MAX: usize = 128;

/// What is wrong with the name of a user; nothing where it is allowed.
#[must_use]
pub fn check_user_name(name: &str) -> Vec<FieldError> {
    match is_user(name) {
        true => Vec::new(),
        false => vec![FieldError::new("/name", "a user name has 1 to 64 letters, digits and -_.+")],
    }
}

/// What is wrong with the name and the password of a user; nothing where both are allowed.
#[must_use]
pub fn check_user(name: &str, password: &str) -> Vec<FieldError> {
    let mut errors = check_user_name(name);
    if !is_line(password, PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX) {
        let text = format!(
            "has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters, none of them a control character"
        );
        errors.push(FieldError::new("/password", text));
    }
    errors
}
