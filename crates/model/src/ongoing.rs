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

impl EventRecord {
    /// What goes on from now on, and what does not any more: `true` for what has begun.
    #[must_use]
    pub fn changes(&self) -> Vec<(Ongoing, bool)> {
        let conference = self.conference.as_ref().map(ToString::to_string).unwrap_or_default();
        let one = |kind, id: &str| Ongoing { conference: conference.clone(), kind, id: id.to_owned() };
        let who = self.participant_id.as_ref().map(ParticipantId::as_str).unwrap_or_default();
        use OngoingKind as Kind;
        match &self.kind {
            EventKind::ReservationStarted(data) => vec![(one(Kind::Reservation, data.token.as_str()), true)],
            EventKind::ReservationCompleted(data) | EventKind::ReservationRemoved(data) => {
                vec![(one(Kind::Reservation, data.token.as_str()), false)]
            }
            EventKind::ConferenceCreated { .. } => vec![(one(Kind::Conference, ""), true)],
            EventKind::ConferenceEnded {} => vec![(one(Kind::Conference, ""), false)],
            EventKind::ConferenceStarted {} => vec![(one(Kind::Started, ""), true)],
            EventKind::ConferenceStopped {} => vec![(one(Kind::Started, ""), false)],
            EventKind::ParticipantCalling(_) => vec![(one(Kind::Call, who), true)],
            EventKind::CallFailed { .. } => vec![(one(Kind::Call, who), false)],
            EventKind::ParticipantWaiting(_) => vec![(one(Kind::Waiting, who), true)],
            // One who was admitted may hang up before it enters.
            EventKind::ParticipantAdmitted {} | EventKind::ParticipantRefused {} => {
                vec![(one(Kind::Waiting, who), false)]
            }
            EventKind::ParticipantEntered(_) => vec![
                (one(Kind::Call, who), false),
                (one(Kind::Waiting, who), false),
                (one(Kind::Participant, who), true),
            ],
            EventKind::ParticipantMoved { from_conference, .. } => {
                let before = Ongoing {
                    conference: from_conference.to_string(),
                    kind: Kind::Participant,
                    id: who.to_owned(),
                };
                vec![(before, false), (one(Kind::Participant, who), true)]
            }
            EventKind::ParticipantLeft {} => vec![(one(Kind::Participant, who), false)],
            EventKind::RecordingStarted { recording_id, .. } => {
                vec![(one(Kind::Recording, &recording_id.0), true)]
            }
            EventKind::RecordingPaused { recording_id } => vec![(one(Kind::Pause, &recording_id.0), true)],
            EventKind::RecordingResumed { recording_id } => vec![(one(Kind::Pause, &recording_id.0), false)],
            EventKind::RecordingStopped { recording_id }
            | EventKind::RecordingFailed { recording_id: Some(recording_id) } => {
                vec![
                    (one(Kind::Pause, &recording_id.0), false),
                    (one(Kind::Recording, &recording_id.0), false),
                ]
            }
            EventKind::PlaybackStarted { playback_id } => vec![(one(Kind::Playback, playback_id), true)],
            EventKind::PlaybackEnded { playback_id } => vec![(one(Kind::Playback, playback_id), false)],
            EventKind::ReservationCreated(_)
            | EventKind::ReservationChanged(_)
            | EventKind::ReservationExtended(_)
            | EventKind::ConferenceLocked {}
            | EventKind::ConferenceUnlocked {}
            | EventKind::ConferenceLecture { .. }
            | EventKind::ConferenceChanged { .. }
            | EventKind::ConferenceSound(_)
            | EventKind::ParticipantRinging {}
            | EventKind::ParticipantMuted { .. }
            | EventKind::ParticipantUnmuted {}
            | EventKind::ParticipantHandRaised {}
            | EventKind::ParticipantHandLowered {}
            | EventKind::ParticipantTalking {}
            | EventKind::ParticipantSilent {}
            | EventKind::ParticipantHeld {}
            | EventKind::ParticipantResumed {}
            | EventKind::ParticipantChanged(_)
            | EventKind::KeyPressed { .. }
            | EventKind::RecordingThinned { .. }
            | EventKind::RecordingFailed { recording_id: None }
            | EventKind::RecordingDeleted { .. }
            | EventKind::RoomGuessing { .. }
            | EventKind::EventsLost { .. }
            | EventKind::WebhookTest {} => Vec::new(),
        }
    }
}
