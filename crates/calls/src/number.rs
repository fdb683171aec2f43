//! The number that names a call in SIP, in the media plane and in its participant id.

/// A call's number: unique in this run of the process, and the same in SIP, media and participant id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallNumber(pub u64);
