//! One type per identifier, so that a participant id cannot pass for a reservation token.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is; the rules for user input are checked where the input arrives.
            #[must_use]
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// The name of a conference: 1 to 47 ASCII letters and digits when it is reserved. Unique within an account.
    ConferenceName
);
text_id!(
    /// The name of an inbound service; unique over the installation.
    ServiceName
);
text_id!(
    /// The secret handle of a reservation, made of upper-case base32 characters and the digit 8.
    ReservationToken
);
text_id!(
    /// A participant of a conference, named by their call: `01234567a1b1c1c2.234`.
    /// The sixteen hexadecimal digits name the running node, the decimal number its call.
    ParticipantId
);

/// The database key of an account. Never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub i64);

/// What distinguishes one conference from every other: names are unique within an account only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConferenceKey {
    /// The account whose conference it is.
    pub account: AccountId,
    /// Its name.
    pub name: ConferenceName,
}

/// Longest conference name: "fewer than 48 alphabetic or numeric characters".
pub const CONFERENCE_NAME_LENGTH_MAX: usize = 47;

/// Whether a conference may have this name: 1 to 47 ASCII letters and digits.
#[must_use]
pub fn is_conference_name(name: &str) -> bool {
    (1..=CONFERENCE_NAME_LENGTH_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
