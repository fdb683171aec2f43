//! The sample rates of the bridge.

/// A sample rate at which voices are mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rate {
    /// 8000 Hz.
    Narrow,
    /// 16 000 Hz.
    Wide,
    /// 48 000 Hz.
    Full,
}

impl Rate {
    /// Every rate, lowest first.
    pub const ALL: [Self; 3] = [Self::Narrow, Self::Wide, Self::Full];

    /// In Hz.
    #[must_use]
    pub const fn hz(self) -> u32 {
        match self {
            Self::Narrow => 8000,
            Self::Wide => 16_000,
            Self::Full => 48_000,
        }
    }

    /// Samples of 20 ms.
    #[must_use]
    pub const fn frame(self) -> usize {
        self.hz() as usize / 50
    }

    /// Index for tables: 0 to 2.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Narrow => 0,
            Self::Wide => 1,
            Self::Full => 2,
        }
    }
}
