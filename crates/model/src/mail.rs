//! Mails to guests.

use serde::Serialize;
use utoipa::ToSchema;

/// What a mail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailKind {
    /// A guest is invited.
    Invitation,
    /// What they were invited to has changed.
    Update,
    /// It does not take place, or they are not invited any more.
    Cancellation,
}

impl MailKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Invitation, Self::Update, Self::Cancellation];

    /// As it is stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Update => "update",
            Self::Cancellation => "cancellation",
        }
    }
}

/// How far a mail has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// It is to be sent, for the first time or again.
    Waiting,
    /// A server has taken it.
    Sent,
    /// It was given up.
    Failed,
}

impl MailState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Sent, Self::Failed];

    /// As it is stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}
