//! The key of a member within its room.

/// Identifies a member within its room: its index there. Reused after the member has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemberKey(pub(super) usize);
