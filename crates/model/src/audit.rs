//! Who changed what.

use crate::{AccountId, Timestamp};
use serde_json::Value;

/// A change, or an attempt at one, as it is written down.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// When it was asked for.
    pub at: Timestamp,
    /// In which account; `None`: the operator of the machine, or about none.
    pub account: Option<AccountId>,
    /// `cloudID/username` of the account, the mail address of a person, or the user of the machine.
    pub actor: String,
    /// The key.
    pub key: Option<i64>,
    /// The person who had signed in.
    pub person: Option<i64>,
    /// The address that it came from; `None`: this machine.
    pub source: Option<String>,
    /// The id of the request, as answer and log have it.
    pub request_id: Option<String>,
    /// Of HTTP; `COMMAND`: on the command line.
    pub method: String,
    /// What it was about.
    pub path: String,
    /// Of HTTP; `None`: it is not answered yet, or never was.
    pub status: Option<u16>,
    /// What was there before.
    pub before: Option<Value>,
    /// What is there now.
    pub after: Option<Value>,
    /// What was asked for, where that is not seen by the two.
    pub request: Option<Value>,
}

/// The method of what was done on the command line.
pub const AUDIT_COMMAND: &str = "COMMAND";

/// Members of JSON that hold secrets have these names, or end in them.
const SECRETS: [&str; 8] =
    ["pin", "pins", "password", "secret", "secrets", "private_key", "api_key", "token"];

/// Takes out of JSON what is secret by its name, in case it is there at all: `true` and `false` (`has_pin`) say nothing.
pub fn remove_secrets(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, value| !is_secret(name) || value.is_boolean() || value.is_null());
            members.values_mut().for_each(remove_secrets);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_secrets),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETS.iter().any(|secret| {
        name.strip_suffix(secret).is_some_and(|before| before.is_empty() || before.ends_with(['_', '-']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_removed_at_any_depth_and_what_is_none_stays() {
        let mut value = json!({
            "pin": "4711", "leader_pin": 4711, "has_pin": true, "spin": 1, "pinned": "x",
            "trunks": [{ "password": "x", "uri": "sip:p" }], "turn_secret": "x", "reservation_token": "x", "old": { "secrets": ["x"] },
        });
        remove_secrets(&mut value);
        let left = json!({
            "has_pin": true, "spin": 1, "pinned": "x", "trunks": [{ "uri": "sip:p" }], "old": {},
        });
        assert_eq!(value, left);
    }
}
