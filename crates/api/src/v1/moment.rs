//! Moments as members of bodies and as parameters.

use crate::time;
use plenary_conference::Timestamp;
use serde::{Deserialize, Deserializer, de::Error};

/// A moment of RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let at = time::parse_rfc3339(&text);
        at.map(Self).ok_or_else(|| D::Error::custom("must be a time as in 2026-11-28T14:00:00Z (RFC 3339)"))
    }
}
