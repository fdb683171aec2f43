//! What a provider says of a person, and what follows from it.

use super::settings::{OidcGrant, OidcSettings};
use openidconnect::{AdditionalClaims, LocalizedClaim};
use plenary_model::{LanguageCode, PERSON_NAME_CHARS_MAX, Role};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::ops::Deref;

/// Groups that are looked at.
const GROUPS_MAX: usize = 10_000;

/// The claims that the standard does not name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Claims(Map<String, Value>);

impl AdditionalClaims for Claims {}

impl Claims {
    /// A claim by its name; where there is none of the whole name, its dots lead into nested ones.
    fn find(&self, name: &str) -> Option<&Value> {
        self.0.get(name).or_else(|| {
            let mut parts = name.split('.');
            let first = self.0.get(parts.next()?)?;
            parts.try_fold(first, |value, part| value.get(part))
        })
    }

    /// The groups that a claim names: a list of texts, or one; `None`: there is no such claim.
    pub(super) fn groups(&self, name: &str) -> Option<Vec<String>> {
        let value = self.find(name)?;
        let one = value.as_str().map(str::to_owned);
        let list = value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        Some(one.into_iter().chain(list).take(GROUPS_MAX).collect())
    }
}

impl OidcSettings {
    /// What groups give: roles by the accounts' logins, and whether they operate the installation.
    pub(super) fn granted(&self, groups: &[String]) -> (Vec<(String, Role)>, bool) {
        let rules = self.rules.iter().filter(|rule| groups.contains(&rule.group));
        let (mut roles, mut is_operator) = (Vec::new(), false);
        for rule in rules {
            match &rule.gives {
                OidcGrant::Role { account, role } => roles.push((account.clone(), *role)),
                OidcGrant::Operator => is_operator = true,
            }
        }
        (roles, is_operator)
    }
}

/// The name of a person: the first claim whose value can be a name.
pub(super) fn name<'a>(candidates: impl IntoIterator<Item = Option<&'a str>>) -> String {
    let clean = |text: &str| -> String {
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        line.trim().chars().take(PERSON_NAME_CHARS_MAX).collect::<String>().trim_end().to_owned()
    };
    candidates.into_iter().flatten().map(clean).find(|name| !name.is_empty()).unwrap_or_default()
}

/// The text of a claim that may be there in several languages, in none of them in particular.
pub(super) fn plain<T: Deref<Target = String>>(claim: Option<&LocalizedClaim<T>>) -> Option<&str> {
    claim.and_then(|claim| claim.get(None)).map(|text| text.as_str())
}

/// The language of pages for a locale as in `de-AT`: there are no regions.
pub(super) fn language(locale: Option<&str>) -> LanguageCode {
    let language = locale.and_then(|locale| locale.split(['-', '_']).next());
    language.and_then(|code| LanguageCode::new(code).ok()).unwrap_or_else(LanguageCode::english)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OidcRule;
    use serde_json::json;

    #[test]
    fn groups_are_a_list_or_one_text_at_a_name_or_a_path() {
        let claims: Claims = serde_json::from_value(json!({
            "groups": ["a", 1, "b"], "one": "a", "realm_access": {"roles": ["x"]}, "https://example.com/g": ["y"],
            "number": 7,
        }))
        .unwrap();
        let groups = |name: &str| claims.groups(name);
        let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(groups("groups"), texts(&["a", "b"]));
        assert_eq!(groups("one"), texts(&["a"]));
        assert_eq!(groups("realm_access.roles"), texts(&["x"]));
        assert_eq!(groups("https://example.com/g"), texts(&["y"]), "a whole name comes first");
        assert_eq!(groups("number"), texts(&[]));
        for absent in ["", "realm_access.groups", "groups.a", "one.two", "."] {
            assert_eq!(groups(absent), None, "{absent}");
        }
    }

    #[test]
    fn rules_give_in_their_order() {
        let role = |group: &str, account: &str, role| OidcRule {
            group: group.into(),
            gives: OidcGrant::Role { account: account.into(), role },
        };
        let settings = OidcSettings {
            name: "x".into(),
            issuer: "https://id.example.com".into(),
            client_id: "plenary".into(),
            client_secret: None,
            scopes: Vec::new(),
            groups_claim: "groups".into(),
            rules: vec![
                role("admins", "1-2-0/a", Role::Admin),
                role("staff", "1-2-0/a", Role::Organiser),
                OidcRule { group: "operators".into(), gives: OidcGrant::Operator },
            ],
            trusts_mail: false,
            allows_passwords: true,
            redirect_uri: String::new(),
        };
        let granted = |groups: &[&str]| {
            settings.granted(&groups.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>())
        };
        let a = |role| ("1-2-0/a".to_owned(), role);
        assert_eq!(granted(&["staff", "admins"]), (vec![a(Role::Admin), a(Role::Organiser)], false));
        assert_eq!(granted(&["operators", "Staff"]), (vec![], true), "groups are compared letter by letter");
        assert_eq!(granted(&[]), (vec![], false));
        assert!(!format!("{settings:?}").contains("secret"));
    }

    #[test]
    fn a_name_is_a_line_and_a_language_has_no_region() {
        let long = "x".repeat(200);
        assert_eq!(name([None, Some(" \n"), Some(" Eve\tÜnal\n"), Some("eve")]), "Eve Ünal");
        assert_eq!(name([Some(long.as_str())]).len(), PERSON_NAME_CHARS_MAX);
        assert_eq!(name([None]), "");
        for (locale, code) in [(Some("de-AT"), "de"), (Some("DE_de"), "de"), (Some("!"), "en"), (None, "en")]
        {
            assert_eq!(language(locale).as_str(), code, "{locale:?}");
        }
    }
}
