//! Who may be heard, and who decides it.

/// Who may be heard, as leaders switch it by one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::conferences) enum Floor {
    Open,
    AllMuted,
    Lecture,
}

/// Who mutes or unmutes a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    /// The participant itself.
    Own,
    /// A leader, or a program.
    Others,
}
