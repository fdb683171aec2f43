//! The public format of an inbound service: what happens to a call to its name.

use plenary_conference::{AccountId, ParticipantOptions, ServiceName, participant::PlayList};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An inbound service as calls see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundService {
    /// Whose it is.
    pub account: AccountId,
    /// Its name; may end in `*`.
    pub name: ServiceName,
    /// What happens to a call.
    pub action: Action,
}

/// What an inbound service does: the JSON body is an object with exactly one of these properties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Connects the caller to a conference.
    Conference(ConferenceAction),
    /// Plays something and hangs up.
    Announcement(Announcement),
}

/// `{"conference": …}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConferenceAction {
    /// The conference's name: letters and digits, and `{rest}` for what the `*` of the service's name stood for.
    pub name: String,
    /// What the caller may do there.
    #[serde(default)]
    pub participant: ParticipantOptions,
}

/// `{"announcement": …}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// What is played, in order: names of WAV files, `tone:HZ/MS`, `silence:MS`.
    pub play: PlayList,
}

/// A body or a name that is not allowed. Its text begins with the field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{field}: {text}")]
pub struct InboundError {
    /// The field, as a path: `conference.participant.exit_digit`.
    pub field: String,
    /// What is wrong and what is allowed.
    pub text: String,
}
