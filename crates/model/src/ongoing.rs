//! What has begun and not ended by what the event log says: a restart closes it.

use crate::{
    Actor, ConferenceName, ConferenceRecordingId, EventKind, EventRecord, INTERRUPTED, ParticipantId,
    ReservationData, Timestamp,
};

/// Something that has begun and not ended by what the log says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ongoing {
    /// What it is. Things of one conference end in this order.
    pub kind: OngoingKind,
    /// In which conference.
    pub conference: String,
    /// Which one of its kind; empty where there is one at most.
    pub id: String,
}

/// What may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // Their own words.
pub enum OngoingKind {
    Playback,
    Call,
    Waiting,
    Participant,
    /// Of the recording of this id: it ends with it at the latest.
    Pause,
    Recording,
    Started,
    Conference,
    Reservation,
}

impl OngoingKind {
    const ALL: [Self; 9] = [
        Self::Playback,
        Self::Call,
        Self::Waiting,
        Self::Participant,
        Self::Pause,
        Self::Recording,
        Self::Started,
        Self::Conference,
        Self::Reservation,
    ];

    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Playback => "playback",
            Self::Call => "call",
            Self::Waiting => "waiting",
            Self::Participant => "participant",
            Self::Pause => "pause",
            Self::Recording => "recording",
            Self::Started => "started",
            Self::Conference => "conference",
            Self::Reservation => "reservation",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Ongoing {
    /// The event by which a restart closes it; `None`: that of something else does. `reservation`: what its event told, where it is
    /// one.
    #[must_use]
    pub fn closing(&self, at: Timestamp, reservation: Option<ReservationData>) -> Option<EventRecord> {
        let playback_id = || self.id.clone();
        let recording_id = || ConferenceRecordingId(self.id.clone());
        let (kind, reason) = match self.kind {
            OngoingKind::Playback => (EventKind::PlaybackEnded { playback_id: playback_id() }, INTERRUPTED),
            OngoingKind::Call => (EventKind::CallFailed { status: None }, INTERRUPTED),
            OngoingKind::Waiting => (EventKind::ParticipantRefused {}, INTERRUPTED),
            OngoingKind::Participant => (EventKind::ParticipantLeft {}, INTERRUPTED),
            OngoingKind::Pause => return None,
            OngoingKind::Recording => {
                (EventKind::RecordingStopped { recording_id: recording_id() }, INTERRUPTED)
            }
            OngoingKind::Started => (EventKind::ConferenceStopped {}, INTERRUPTED),
            OngoingKind::Conference => (EventKind::ConferenceEnded {}, INTERRUPTED),
            OngoingKind::Reservation => (EventKind::ReservationCompleted(reservation?), "time_is_up"),
        };
        let is_of_one =
            matches!(self.kind, OngoingKind::Call | OngoingKind::Waiting | OngoingKind::Participant);
        Some(EventRecord {
            at,
            conference: Some(ConferenceName::new(&self.conference)),
            participant_id: is_of_one.then(|| ParticipantId::new(&self.id)),
            actor: Actor::system(),
            reason: Some(reason.to_owned()),
            kind,
        })
    }
}
