//! People who are invited to a reservation by mail.

use crate::{
    FieldError, LanguageCode, MAIL_CHARS_MAX, PERSON_NAME_CHARS_MAX, fields::is_line, is_mail, login_of,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// Guests of a reservation at the most.
pub const GUESTS_MAX: usize = 100;

/// Who is invited to a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Guest {
    /// The mail address that is written to.
    #[schema(max_length = 254, example = "ann@example.com")]
    pub mail: String,
    /// What they are called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100, example = "Ann")]
    pub name: Option<String>,
    /// In which language they are written to: `en` or `de`; others get English.
    #[serde(default = "LanguageCode::english")]
    #[schema(value_type = String, default = "en", example = "en")]
    pub language: LanguageCode,
}

/// What is wrong with guests, by the pointer of each.
#[must_use]
pub fn check_guests(guests: &[Guest]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if guests.len() > GUESTS_MAX {
        errors.push(FieldError::new("/guests", format!("may name at most {GUESTS_MAX}")));
    }
    let mut known = BTreeSet::new();
    for (place, Guest { mail, name, .. }) in guests.iter().enumerate().take(GUESTS_MAX) {
        if !is_mail(mail) {
            let text = format!(
                "must be a mail address as in `ann@example.com`, with at most {MAIL_CHARS_MAX} characters"
            );
            errors.push(FieldError::new(format!("/guests/{place}/mail"), text));
        } else if !known.insert(login_of(mail)) {
            errors.push(FieldError::new(format!("/guests/{place}/mail"), "is named twice"));
        }
        if name.as_deref().is_some_and(|name| !is_line(name, 1, PERSON_NAME_CHARS_MAX)) {
            let text =
                format!("has 1 to {PERSON_NAME_CHARS_MAX} characters, none of them a control character");
            errors.push(FieldError::new(format!("/guests/{place}/name"), text));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(mail: &str, name: Option<&str>) -> Guest {
        Guest { mail: mail.to_owned(), name: name.map(str::to_owned), language: LanguageCode::english() }
    }

    #[test]
    fn guests_have_addresses_of_their_own() {
        let pointers = |guests: &[Guest]| {
            check_guests(guests).into_iter().map(|error| error.pointer).collect::<Vec<_>>()
        };
        assert_eq!(
            pointers(&[guest("ann@example.com", Some("Ann")), guest("ben@example.com", None)]),
            [""; 0]
        );
        let wrong =
            [guest("ann@example.com", Some("")), guest("ANN@example.com", None), guest("x", Some("a\r\nb"))];
        assert_eq!(
            pointers(&wrong),
            ["/guests/0/name", "/guests/1/mail", "/guests/2/mail", "/guests/2/name"]
        );
        let many: Vec<Guest> =
            (0..101).map(|number| guest(&format!("a{number}@example.com"), None)).collect();
        assert_eq!(pointers(&many), ["/guests"]);
    }

    #[test]
    fn a_guest_is_written_to_in_english_where_no_language_is_named() {
        let read: Guest = serde_json::from_str(r#"{"mail":"ann@example.com"}"#).unwrap();
        assert_eq!(read, guest("ann@example.com", None));
        assert!(serde_json::from_str::<Guest>(r#"{"mail":"ann@example.com","role":"leader"}"#).is_err());
    }
}
