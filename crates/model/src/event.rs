//! Events: what has happened in the conferences of an account, as the event log and webhooks tell it.

use crate::{
    AccountId, ConferenceName, ConferenceRecordingId, Digit, InbandDtmf, ParticipantId, RecordedTracks,
    RecordingFormat, ReservationToken, ServiceName, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The reason of an event by which a restart closes what had been going on when the service was cut off.
pub const INTERRUPTED: &str = "interrupted";

/// An event, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEvent {
    /// The account in whose log it stands.
    pub account: AccountId,
    /// What has happened.
    pub event: EventRecord,
}

/// Something that has happened. The log numbers it when it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// When it happened.
    #[serde(with = "moment")]
    pub at: Timestamp,
    /// In which conference; `None`: it is about no conference.
    pub conference: Option<ConferenceName>,
    /// The participant that it is about.
    pub participant_id: Option<ParticipantId>,
    /// Who has brought it about.
    pub actor: Actor,
    /// Why, in one word.
    pub reason: Option<String>,
    /// What happened, with what belongs to it.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// Who has brought something about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// What they are.
    pub kind: ActorKind,
    /// Which one: the id of a participant, or the number of an API key or of a person.
    pub id: Option<String>,
}

/// What a participant, a person or a program is that brings something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A leader, by their telephone.
    Leader,
    /// A participant, by their telephone.
    Participant,
    /// A program, by an API key.
    Key,
    /// A person who has signed in.
    Person,
    /// The web services, without a key that is known; the operator's terminal.
    Api,
    /// The service itself: time has passed, or a rule applies.
    System,
}

impl Actor {
    /// The service itself.
    #[must_use]
    pub const fn system() -> Self {
        Self { kind: ActorKind::System, id: None }
    }

    /// The web services, by whichever key.
    #[must_use]
    pub const fn api() -> Self {
        Self { kind: ActorKind::Api, id: None }
    }

    /// The API key of this number.
    #[must_use]
    pub fn key(number: i64) -> Self {
        Self { kind: ActorKind::Key, id: Some(number.to_string()) }
    }

    /// The person of this number.
    #[must_use]
    pub fn person(number: i64) -> Self {
        Self { kind: ActorKind::Person, id: Some(number.to_string()) }
    }

    /// A participant, who may be a leader.
    #[must_use]
    pub fn participant(id: &ParticipantId, is_leader: bool) -> Self {
        let kind = if is_leader { ActorKind::Leader } else { ActorKind::Participant };
        Self { kind, id: Some(id.to_string()) }
    }
}

/// Who has muted a participant; where more than one has, the one that is hardest to undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MutedBy {
    /// The participant, with a key.
    #[serde(rename = "self")]
    Own,
    /// The leader, or a program, or the conference's `muted_on_entry`.
    Leader,
    /// The conference's `lecture`.
    Lecture,
}

/// Which way a call was placed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallDirection {
    /// The participant called.
    #[default]
    In,
    /// The participant was called.
    Out,
}

/// Who a participant is, as far as others may see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// The name by which it is shown.
    pub display_name: Option<String>,
    /// Who calls.
    pub from: String,
    /// What was dialled, or who is called.
    pub to: String,
    /// Which way it was called.
    pub direction: CallDirection,
    /// The trunk that its call goes through; of one that is called only where it was asked for.
    pub trunk: Option<String>,
}

/// A participant as it enters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Who it is.
    #[serde(flatten)]
    pub who: Introduction,
    /// It is a leader.
    pub leader: bool,
    /// By whom it is muted.
    pub muted_by: Option<MutedBy>,
    /// Its keys do something.
    pub dtmf_enabled: bool,
    /// It may unmute itself although a leader has muted it; `None`: as the conference says.
    pub self_unmute: Option<bool>,
    /// It is on hold.
    pub held: bool,
    /// Only these hear it; `None`: all do.
    pub heard_by: Option<Vec<ParticipantId>>,
}

/// What of a participant has changed; what is `None` is as before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantUpdate {
    /// The name by which it is shown; `Some(None)`: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub display_name: Option<Option<String>>,
    /// It is a leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<bool>,
    /// Its keys do something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtmf_enabled: Option<bool>,
    /// It may unmute itself although a leader has muted it; `Some(None)`: as the conference says.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub self_unmute: Option<Option<bool>>,
    /// Only these hear it; `Some(None)`: all do.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub heard_by: Option<Option<Vec<ParticipantId>>>,
    /// By whom it will be muted when it enters; of one who is being called or waits. `Some(None)`: by nobody.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub muted_by: Option<Option<MutedBy>>,
    /// It will be on hold when it enters; of one who is being called or waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<bool>,
    /// Whether keys are also looked for as tones in its audio; `Some(None)`: as configured.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    pub inband_dtmf: Option<Option<InbandDtmf>>,
    /// What is done to its voice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<VoiceSound>,
    /// Further gain of its voice, in dB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain_db: Option<Decibels>,
}

/// What is done to a voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoiceSound {
    /// It is brought to a common level.
    pub automatic_gain: bool,
    /// Steady noise is taken out.
    pub noise_suppression: bool,
}

/// A level or a gain. It is always a number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Decibels(pub f32);

impl Eq for Decibels {}

/// A reservation as an event tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationData {
    /// Its handle.
    pub token: ReservationToken,
    /// Seats.
    pub max_participants: u32,
    /// When it starts.
    #[serde(with = "moment")]
    pub starts_at: Timestamp,
    /// How long it runs.
    pub duration_min: u32,
    /// What people call it.
    pub title: Option<String>,
    /// The inbound service for callers that come early.
    pub divert: Option<ServiceName>,
}

/// What has happened. The names are those of the management API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[allow(missing_docs)] // docs/events.md explains each; here they are their own words.
pub enum EventKind {
    #[serde(rename = "reservation.created")]
    ReservationCreated(ReservationData),
    #[serde(rename = "reservation.changed")]
    ReservationChanged(ReservationData),
    #[serde(rename = "reservation.extended")]
    ReservationExtended(ReservationData),
    #[serde(rename = "reservation.removed")]
    ReservationRemoved(ReservationData),
    #[serde(rename = "reservation.started")]
    ReservationStarted(ReservationData),
    #[serde(rename = "reservation.completed")]
    ReservationCompleted(ReservationData),
    #[serde(rename = "conference.created")]
    ConferenceCreated { reserved: bool, max_participants: u32 },
    #[serde(rename = "conference.started")]
    ConferenceStarted {},
    #[serde(rename = "conference.stopped")]
    ConferenceStopped {},
    #[serde(rename = "conference.ended")]
    ConferenceEnded {},
    #[serde(rename = "conference.locked")]
    ConferenceLocked {},
    #[serde(rename = "conference.unlocked")]
    ConferenceUnlocked {},
    #[serde(rename = "conference.lecture")]
    ConferenceLecture { lecture: bool },
    #[serde(rename = "conference.changed")]
    ConferenceChanged { muted_on_entry: bool, self_unmute: bool },
    /// How voices are made to sound where a participant has no settings of its own.
    #[serde(rename = "conference.sound")]
    ConferenceSound(VoiceSound),
    #[serde(rename = "participant.calling")]
    ParticipantCalling(Introduction),
    #[serde(rename = "participant.ringing")]
    ParticipantRinging {},
    #[serde(rename = "participant.waiting")]
    ParticipantWaiting(Introduction),
    #[serde(rename = "participant.admitted")]
    ParticipantAdmitted {},
    #[serde(rename = "participant.refused")]
    ParticipantRefused {},
    #[serde(rename = "participant.entered")]
    ParticipantEntered(Presence),
    #[serde(rename = "participant.muted")]
    ParticipantMuted { by: MutedBy },
    #[serde(rename = "participant.unmuted")]
    ParticipantUnmuted {},
    #[serde(rename = "participant.hand_raised")]
    ParticipantHandRaised {},
    #[serde(rename = "participant.hand_lowered")]
    ParticipantHandLowered {},
    #[serde(rename = "participant.talking")]
    ParticipantTalking {},
    #[serde(rename = "participant.silent")]
    ParticipantSilent {},
    #[serde(rename = "participant.held")]
    ParticipantHeld {},
    #[serde(rename = "participant.resumed")]
    ParticipantResumed {},
    /// It is in another conference than before, with all that it is there.
    #[serde(rename = "participant.moved")]
    ParticipantMoved {
        from_conference: ConferenceName,
        #[serde(flatten)]
        presence: Presence,
    },
    #[serde(rename = "participant.changed")]
    ParticipantChanged(ParticipantUpdate),
    #[serde(rename = "participant.left")]
    ParticipantLeft {},
    #[serde(rename = "key.pressed")]
    KeyPressed { key: Digit },
    #[serde(rename = "recording.started")]
    RecordingStarted {
        recording_id: ConferenceRecordingId,
        tracks: RecordedTracks,
        format: RecordingFormat,
        announced: bool,
    },
    #[serde(rename = "recording.paused")]
    RecordingPaused { recording_id: ConferenceRecordingId },
    #[serde(rename = "recording.resumed")]
    RecordingResumed { recording_id: ConferenceRecordingId },
    #[serde(rename = "recording.stopped")]
    RecordingStopped { recording_id: ConferenceRecordingId },
    /// Audio was lost: so much in all, in milliseconds over all tracks. Silence is in its place.
    #[serde(rename = "recording.thinned")]
    RecordingThinned { recording_id: ConferenceRecordingId, lost_ms: u64 },
    #[serde(rename = "recording.failed")]
    RecordingFailed { recording_id: Option<ConferenceRecordingId> },
    /// Its files and what was known of it are deleted.
    #[serde(rename = "recording.deleted")]
    RecordingDeleted { recording_id: ConferenceRecordingId },
    #[serde(rename = "playback.started")]
    PlaybackStarted { playback_id: String },
    #[serde(rename = "playback.ended")]
    PlaybackEnded { playback_id: String },
    #[serde(rename = "call.failed")]
    CallFailed { status: Option<u16> },
    /// So many PINs of a room that leads to the conference were wrong of late: they are being guessed.
    #[serde(rename = "room.guessing")]
    RoomGuessing { room: String, wrong: u32 },
    /// So many events could not be written: what the log says before is not what is now.
    #[serde(rename = "events.lost")]
    EventsLost { count: u64 },
    /// Asked for, to see whether a webhook works; not in the log.
    #[serde(rename = "webhook.test")]
    WebhookTest {},
}

/// The names of all events that the log may hold, and of those that are only sent live.
pub const EVENT_TYPES: [&str; 45] = [
    "reservation.created",
    "reservation.changed",
    "reservation.extended",
    "reservation.removed",
    "reservation.started",
    "reservation.completed",
    "conference.created",
    "conference.started",
    "conference.stopped",
    "conference.ended",
    "conference.locked",
    "conference.unlocked",
    "conference.lecture",
    "conference.changed",
    "conference.sound",
    "participant.calling",
    "participant.ringing",
    "participant.waiting",
    "participant.admitted",
    "participant.refused",
    "participant.entered",
    "participant.muted",
    "participant.unmuted",
    "participant.hand_raised",
    "participant.hand_lowered",
    "participant.talking",
    "participant.silent",
    "participant.held",
    "participant.resumed",
    "participant.moved",
    "participant.changed",
    "participant.left",
    "key.pressed",
    "recording.started",
    "recording.paused",
    "recording.resumed",
    "recording.stopped",
    "recording.thinned",
    "recording.failed",
    "recording.deleted",
    "playback.started",
    "playback.ended",
    "call.failed",
    "room.guessing",
    "events.lost",
];

impl EventKind {
    /// Its name, as in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ReservationCreated(_) => "reservation.created",
            Self::ReservationChanged(_) => "reservation.changed",
            Self::ReservationExtended(_) => "reservation.extended",
            Self::ReservationRemoved(_) => "reservation.removed",
            Self::ReservationStarted(_) => "reservation.started",
            Self::ReservationCompleted(_) => "reservation.completed",
            Self::ConferenceCreated { .. } => "conference.created",
            Self::ConferenceStarted {} => "conference.started",
            Self::ConferenceStopped {} => "conference.stopped",
            Self::ConferenceEnded {} => "conference.ended",
            Self::ConferenceLocked {} => "conference.locked",
            Self::ConferenceUnlocked {} => "conference.unlocked",
            Self::ConferenceLecture { .. } => "conference.lecture",
            Self::ConferenceChanged { .. } => "conference.changed",
            Self::ConferenceSound(_) => "conference.sound",
            Self::ParticipantCalling(_) => "participant.calling",
            Self::ParticipantRinging {} => "participant.ringing",
            Self::ParticipantWaiting(_) => "participant.waiting",
            Self::ParticipantAdmitted {} => "participant.admitted",
            Self::ParticipantRefused {} => "participant.refused",
            Self::ParticipantEntered(_) => "participant.entered",
            Self::ParticipantMuted { .. } => "participant.muted",
            Self::ParticipantUnmuted {} => "participant.unmuted",
            Self::ParticipantHandRaised {} => "participant.hand_raised",
            Self::ParticipantHandLowered {} => "participant.hand_lowered",
            Self::ParticipantTalking {} => "participant.talking",
            Self::ParticipantSilent {} => "participant.silent",
            Self::ParticipantHeld {} => "participant.held",
            Self::ParticipantResumed {} => "participant.resumed",
            Self::ParticipantMoved { .. } => "participant.moved",
            Self::ParticipantChanged(_) => "participant.changed",
            Self::ParticipantLeft {} => "participant.left",
            Self::KeyPressed { .. } => "key.pressed",
            Self::RecordingStarted { .. } => "recording.started",
            Self::RecordingPaused { .. } => "recording.paused",
            Self::RecordingResumed { .. } => "recording.resumed",
            Self::RecordingStopped { .. } => "recording.stopped",
            Self::RecordingThinned { .. } => "recording.thinned",
            Self::RecordingFailed { .. } => "recording.failed",
            Self::RecordingDeleted { .. } => "recording.deleted",
            Self::PlaybackStarted { .. } => "playback.started",
            Self::PlaybackEnded { .. } => "playback.ended",
            Self::CallFailed { .. } => "call.failed",
            Self::RoomGuessing { .. } => "room.guessing",
            Self::EventsLost { .. } => "events.lost",
            Self::WebhookTest {} => "webhook.test",
        }
    }

    /// It is sent to those who follow, and not kept.
    #[must_use]
    pub const fn is_live_only(&self) -> bool {
        matches!(self, Self::ParticipantTalking {} | Self::ParticipantSilent {})
    }
}

impl EventRecord {
    /// Whether it is about this conference: also where a participant has come from it.
    #[must_use]
    pub fn is_about(&self, conference: &str) -> bool {
        let is_it = |name: &ConferenceName| name.as_str() == conference;
        let left = match &self.kind {
            EventKind::ParticipantMoved { from_conference, .. } => Some(from_conference),
            _ => None,
        };
        self.conference.as_ref().is_some_and(is_it) || left.is_some_and(is_it)
    }
}

/// A member that may be null, which is another thing than to be left out.
fn given<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Moments as RFC 3339 has them, in UTC; parts of a second only where there are such.
mod moment {
    use crate::{Civil, Timestamp};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn text(at: Timestamp) -> String {
        let Some(Civil { year, month, day, hour, minute, second }) = at.civil() else {
            return at.0.to_string();
        };
        let parts = match at.0.rem_euclid(1000) {
            0 => String::new(),
            ms => format!(".{ms:03}"),
        };
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{parts}Z")
    }

    pub(super) fn parse(text: &str) -> Option<Timestamp> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let mut date = date.split('-');
        let (year, month, day) =
            (date.next()?.parse().ok()?, date.next()?.parse().ok()?, date.next()?.parse().ok()?);
        let (time, ms) = match time.split_once('.') {
            Some((time, parts)) if parts.len() == 3 => (time, parts.parse::<u16>().ok()?),
            Some(_) => return None,
            None => (time, 0),
        };
        let mut time = time.split(':');
        let (hour, minute, second) =
            (time.next()?.parse().ok()?, time.next()?.parse().ok()?, time.next()?.parse().ok()?);
        let whole = Civil { year, month, day, hour, minute, second }.timestamp()?;
        Some(Timestamp(whole.0 + i64::from(ms)))
    }

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&text(*at))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(from)?;
        parse(&text).ok_or_else(|| D::Error::custom("a time as in 2026-11-28T14:00:00Z is expected"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OngoingKind;

    fn record(kind: EventKind) -> EventRecord {
        EventRecord {
            at: Timestamp(1_700_000_040_250),
            conference: Some(ConferenceName::new("Board")),
            participant_id: Some(ParticipantId::new("01.2")),
            actor: Actor::key(7),
            reason: None,
            kind,
        }
    }

    fn presence() -> Presence {
        Presence {
            who: Introduction { from: "+44".to_owned(), to: "Board".to_owned(), ..Introduction::default() },
            leader: true,
            muted_by: Some(MutedBy::Own),
            dtmf_enabled: true,
            self_unmute: None,
            held: false,
            heard_by: None,
        }
    }

    fn each() -> Vec<EventKind> {
        let data = ReservationData {
            token: ReservationToken::new("T"),
            max_participants: 40,
            starts_at: Timestamp(1_700_000_040_000),
            duration_min: 60,
            title: None,
            divert: None,
        };
        let (recording_id, playback_id) = (ConferenceRecordingId("r".to_owned()), "p".to_owned());
        vec![
            EventKind::ReservationCreated(data.clone()),
            EventKind::ReservationChanged(data.clone()),
            EventKind::ReservationExtended(data.clone()),
            EventKind::ReservationRemoved(data.clone()),
            EventKind::ReservationStarted(data.clone()),
            EventKind::ReservationCompleted(data),
            EventKind::ConferenceCreated { reserved: false, max_participants: 40 },
            EventKind::ConferenceStarted {},
            EventKind::ConferenceStopped {},
            EventKind::ConferenceEnded {},
            EventKind::ConferenceLocked {},
            EventKind::ConferenceUnlocked {},
            EventKind::ConferenceLecture { lecture: true },
            EventKind::ConferenceChanged { muted_on_entry: true, self_unmute: false },
            EventKind::ConferenceSound(VoiceSound { automatic_gain: true, noise_suppression: false }),
            EventKind::ParticipantCalling(Introduction::default()),
            EventKind::ParticipantRinging {},
            EventKind::ParticipantWaiting(Introduction::default()),
            EventKind::ParticipantAdmitted {},
            EventKind::ParticipantRefused {},
            EventKind::ParticipantEntered(presence()),
            EventKind::ParticipantMuted { by: MutedBy::Lecture },
            EventKind::ParticipantUnmuted {},
            EventKind::ParticipantHandRaised {},
            EventKind::ParticipantHandLowered {},
            EventKind::ParticipantTalking {},
            EventKind::ParticipantSilent {},
            EventKind::ParticipantHeld {},
            EventKind::ParticipantResumed {},
            EventKind::ParticipantMoved { from_conference: ConferenceName::new("Tea"), presence: presence() },
            EventKind::ParticipantChanged(ParticipantUpdate {
                display_name: Some(None),
                ..ParticipantUpdate::default()
            }),
            EventKind::ParticipantLeft {},
            EventKind::KeyPressed { key: Digit::new('5').unwrap() },
            EventKind::RecordingStarted {
                recording_id: recording_id.clone(),
                tracks: RecordedTracks::Mixed,
                format: RecordingFormat::Opus,
                announced: true,
            },
            EventKind::RecordingPaused { recording_id: recording_id.clone() },
            EventKind::RecordingResumed { recording_id: recording_id.clone() },
            EventKind::RecordingStopped { recording_id: recording_id.clone() },
            EventKind::RecordingThinned { recording_id: recording_id.clone(), lost_ms: 480 },
            EventKind::RecordingFailed { recording_id: Some(recording_id.clone()) },
            EventKind::RecordingDeleted { recording_id },
            EventKind::PlaybackStarted { playback_id: playback_id.clone() },
            EventKind::PlaybackEnded { playback_id },
            EventKind::CallFailed { status: Some(486) },
            EventKind::RoomGuessing { room: "1001".into(), wrong: 20 },
            EventKind::EventsLost { count: 3 },
        ]
    }

    #[test]
    fn each_event_is_read_as_it_was_written() {
        let names: Vec<&str> = each().iter().map(EventKind::name).collect();
        assert_eq!(names, EVENT_TYPES);
        for kind in each() {
            let written = record(kind);
            let json = serde_json::to_value(&written).unwrap();
            assert_eq!(json["type"], written.kind.name());
            assert!(json["data"].is_object(), "{json}");
            assert_eq!(json["at"], "2023-11-14T22:14:00.250Z");
            assert_eq!(serde_json::from_value::<EventRecord>(json).unwrap(), written);
        }
    }

    #[test]
    fn what_has_begun_is_closed_by_the_event_that_ends_it() {
        for kind in each() {
            let data = match &kind {
                EventKind::ReservationStarted(data) => Some(data.clone()),
                _ => None,
            };
            for (ongoing, _) in record(kind).changes().into_iter().filter(|(_, begins)| *begins) {
                assert_eq!(OngoingKind::of_name(ongoing.kind.name()), Some(ongoing.kind));
                let Some(closing) = ongoing.closing(Timestamp(0), data.clone()) else {
                    // A pause ends with its recording.
                    let id = ConferenceRecordingId(ongoing.id.clone());
                    let stopped = record(EventKind::RecordingStopped { recording_id: id });
                    assert!(
                        ongoing.kind == OngoingKind::Pause && stopped.changes().contains(&(ongoing, false))
                    );
                    continue;
                };
                assert!(closing.changes().contains(&(ongoing.clone(), false)), "{ongoing:?} {closing:?}");
            }
        }
    }

    #[test]
    fn a_participant_who_moves_is_about_both_conferences() {
        let moved = record(EventKind::ParticipantMoved {
            from_conference: ConferenceName::new("Tea"),
            presence: presence(),
        });
        assert!(moved.is_about("Board") && moved.is_about("Tea") && !moved.is_about("Other"));
    }

    #[test]
    fn moments_are_those_of_rfc_3339() {
        for (at, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_700_000_040_250, "2023-11-14T22:14:00.250Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(moment::text(Timestamp(at)), text);
            assert_eq!(moment::parse(text), Some(Timestamp(at)));
        }
        for odd in ["", "1970-01-01", "1970-13-01T00:00:00Z", "1970-01-01T00:00:00.5Z", "1970-01-01T00:00:00"]
        {
            assert_eq!(moment::parse(odd), None, "{odd}");
        }
    }
}
