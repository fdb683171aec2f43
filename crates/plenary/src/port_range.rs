//! A range of UDP ports, written `10000-32767`.

use anyhow::{anyhow, bail};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Ports from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct PortRange {
    pub(crate) first: u16,
    pub(crate) last: u16,
}

impl FromStr for PortRange {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let malformed = || anyhow!("`{text}` is not a range of ports: write it as 10000-32767");
        let (first, last) = text.split_once('-').ok_or_else(malformed)?;
        let (first, last): (u16, u16) =
            (first.trim().parse().map_err(|_| malformed())?, last.trim().parse().map_err(|_| malformed())?);
        if first < 1024 || last < first || last - first < 3 {
            bail!(
                "`{text}` holds no room for calls: the first port is at least 1024, and each call takes an even port and the one after it"
            );
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl TryFrom<String> for PortRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|error: anyhow::Error| error.to_string())
    }
}

impl From<PortRange> for String {
    fn from(range: PortRange) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_reads_as_it_is_written() {
        let range: PortRange = "10000-32767".parse().unwrap();
        assert_eq!(range, PortRange { first: 10_000, last: 32_767 });
        assert_eq!(range.to_string(), "10000-32767");
    }

    #[test]
    fn a_bad_range_says_how_to_write_one() {
        for text in ["", "10000", "20000-10000", "80-90", "a-b", "10000-10001", "10000-99999"] {
            let error = text.parse::<PortRange>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")), "{text}: {error}");
        }
    }
}
