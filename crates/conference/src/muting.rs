//! Whether a participant is muted, and by whom. The reasons are kept apart, so that the end of one does not end another: a
//! participant who muted their own microphone stays muted when a lecture ends.

pub use plenary_model::MutedBy;

/// The reasons for which a participant is muted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Muting {
    pub(crate) own: bool,
    pub(crate) by_leader: bool,
    pub(crate) by_lecture: bool,
}

impl Muting {
    pub(crate) fn muted_by(self) -> Option<MutedBy> {
        match self {
            Self { by_leader: true, .. } => Some(MutedBy::Leader),
            Self { by_lecture: true, .. } => Some(MutedBy::Lecture),
            Self { own: true, .. } => Some(MutedBy::Own),
            Self { own: false, by_leader: false, by_lecture: false } => None,
        }
    }

    pub(crate) fn is_muted(self) -> bool {
        self.muted_by().is_some()
    }

    /// The participant mutes or unmutes itself with a key. `may_unmute`: also where the leader has muted it.
    pub(crate) fn with_key(self, muted: bool, may_unmute: bool) -> Self {
        Self { own: muted, by_leader: self.by_leader && (muted || !may_unmute), ..self }
    }

    /// The leader or a program mutes or unmutes this participant, whatever it was muted by.
    pub(crate) fn with_leader(self, muted: bool) -> Self {
        if muted { Self { by_leader: true, ..self } } else { Self::default() }
    }
}
