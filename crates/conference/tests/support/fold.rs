//! What the event log says, replayed: how things stand by the events alone.

use super::{ACCOUNT, World, key};
use plenary_conference::{Controls, MutedBy, ParticipantId, Timestamp};
use plenary_model::{ConferenceRecordingId, EventKind, EventRecord, ParticipantUpdate, Presence, VoiceSound};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub struct Fold {
    conferences: BTreeMap<String, Folded>,
    /// Who is in by the log, wherever.
    inside: BTreeMap<ParticipantId, String>,
    calling: BTreeMap<ParticipantId, String>,
    /// By which names those are shown who are in, are being called, or wait.
    names: BTreeMap<ParticipantId, Option<String>>,
}

#[derive(Debug, Default)]
struct Folded {
    started_at: Option<Timestamp>,
    controls: Controls,
    /// What was told last of how voices are made to sound.
    sound: Option<VoiceSound>,
    members: Vec<FoldedMember>,
    waiting: Vec<ParticipantId>,
    /// Which recording runs, and whether it is paused.
    recording: Option<(ConferenceRecordingId, bool)>,
    playbacks: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct FoldedMember {
    id: ParticipantId,
    entered_at: Timestamp,
    leader: bool,
    muted_by: Option<MutedBy>,
    dtmf_enabled: bool,
    self_unmute: Option<bool>,
    held: bool,
    hand_raised_at: Option<Timestamp>,
    heard_by: Option<Vec<ParticipantId>>,
}

impl FoldedMember {
    fn new(id: ParticipantId, entered_at: Timestamp, presence: &Presence) -> Self {
        Self {
            id,
            entered_at,
            leader: presence.leader,
            muted_by: presence.muted_by,
            dtmf_enabled: presence.dtmf_enabled,
            self_unmute: presence.self_unmute,
            held: presence.held,
            hand_raised_at: None,
            heard_by: presence.heard_by.clone(),
        }
    }
}

impl Fold {
    pub fn take(&mut self, event: &EventRecord) {
        let at = event.at;
        let name = event.conference.as_ref().expect("it is of a conference").to_string();
        let who = || event.participant_id.clone().expect("it is of a participant");
        match &event.kind {
            EventKind::ConferenceCreated { .. } => {
                assert!(self.conferences.insert(name, Folded::default()).is_none(), "created twice");
                return;
            }
            EventKind::ConferenceEnded {} => {
                let ended = self.conferences.remove(&name).expect("ended before it was created");
                assert!(ended.members.is_empty() && ended.waiting.is_empty(), "ended with {ended:?}");
                assert!(ended.started_at.is_none() && ended.recording.is_none(), "ended with {ended:?}");
                assert!(ended.playbacks.is_empty(), "ended with {ended:?}");
                return;
            }
            EventKind::ParticipantMoved { from_conference, .. } => {
                let from = self.conferences.get_mut(from_conference.as_str()).expect("it was there");
                from.members.retain(|member| member.id != who());
                let before = self.inside.insert(who(), name.clone());
                assert_eq!(before.as_deref(), Some(from_conference.as_str()), "moved from elsewhere");
            }
            EventKind::ParticipantEntered(_) => {
                self.calling.remove(&who());
                assert_eq!(self.inside.insert(who(), name.clone()), None, "entered twice");
            }
            EventKind::ParticipantLeft {} => {
                assert_eq!(self.inside.remove(&who()), Some(name.clone()), "left before it has entered");
            }
            EventKind::ParticipantCalling(_) => {
                assert_eq!(self.calling.insert(who(), name.clone()), None, "called twice");
            }
            EventKind::CallFailed { .. } => {
                assert_eq!(self.calling.remove(&who()), Some(name.clone()), "failed before it was called");
            }
            EventKind::ReservationStarted(_) | EventKind::ReservationCompleted(_) => return,
            _ => {}
        }
        match &event.kind {
            EventKind::ParticipantCalling(introduced)
            | EventKind::ParticipantWaiting(introduced)
            | EventKind::ParticipantEntered(Presence { who: introduced, .. })
            | EventKind::ParticipantMoved { presence: Presence { who: introduced, .. }, .. } => {
                self.names.insert(who(), introduced.display_name.clone());
            }
            EventKind::ParticipantChanged(ParticipantUpdate { display_name: Some(name), .. }) => {
                let before = self.names.insert(who(), name.clone());
                assert_ne!(before.as_ref(), Some(name), "it had this name");
            }
            EventKind::ParticipantLeft {}
            | EventKind::CallFailed { .. }
            | EventKind::ParticipantAdmitted {}
            | EventKind::ParticipantRefused {} => {
                self.names.remove(&who());
            }
            _ => {}
        }
        let conference =
            self.conferences.get_mut(&name).unwrap_or_else(|| panic!("{name} is not open: {event:?}"));
        let controls = &mut conference.controls;
        match &event.kind {
            EventKind::ConferenceStarted {} => {
                assert_eq!(conference.started_at.replace(at), None, "started twice");
            }
            EventKind::ConferenceStopped {} => {
                assert!(conference.started_at.take().is_some(), "stopped before it has started");
            }
            EventKind::ConferenceLocked {} => controls.locked = true,
            EventKind::ConferenceUnlocked {} => controls.locked = false,
            EventKind::ConferenceLecture { lecture } => controls.lecture = *lecture,
            EventKind::ConferenceChanged { muted_on_entry, self_unmute } => {
                (controls.muted_on_entry, controls.self_unmute) = (*muted_on_entry, *self_unmute);
            }
            EventKind::ConferenceSound(sound) => {
                assert_eq!(event.participant_id, None);
                assert_ne!(conference.sound.replace(*sound), Some(*sound), "it sounded like this");
            }
            EventKind::ParticipantWaiting(_) => conference.waiting.push(who()),
            EventKind::ParticipantAdmitted {} | EventKind::ParticipantRefused {} => {
                let before = conference.waiting.len();
                conference.waiting.retain(|id| *id != who());
                assert_eq!(conference.waiting.len() + 1, before, "it did not wait");
            }
            EventKind::ParticipantEntered(presence) | EventKind::ParticipantMoved { presence, .. } => {
                conference.members.push(FoldedMember::new(who(), at, presence));
            }
            EventKind::ParticipantLeft {} => conference.members.retain(|member| member.id != who()),
            EventKind::RecordingStarted { recording_id, .. } => {
                assert_eq!(
                    conference.recording.replace((recording_id.clone(), false)),
                    None,
                    "recorded twice"
                );
            }
            EventKind::RecordingPaused { recording_id } | EventKind::RecordingResumed { recording_id } => {
                let is_paused = matches!(event.kind, EventKind::RecordingPaused { .. });
                let before = conference.recording.replace((recording_id.clone(), is_paused));
                assert_eq!(before, Some((recording_id.clone(), !is_paused)), "{event:?}");
            }
            EventKind::RecordingStopped { recording_id }
            | EventKind::RecordingFailed { recording_id: Some(recording_id) } => {
                let ended = conference.recording.take().map(|(recording, _)| recording);
                assert_eq!(ended.as_ref(), Some(recording_id), "another one ran");
            }
            // It could not begin.
            EventKind::RecordingFailed { recording_id: None } => {}
            EventKind::PlaybackStarted { playback_id } => {
                assert!(conference.playbacks.insert(playback_id.clone()), "begun twice");
            }
            EventKind::PlaybackEnded { playback_id } => {
                assert!(conference.playbacks.remove(playback_id), "ended before it has begun");
            }
            kind => {
                let Some(id) = &event.participant_id else { return };
                if let Some(member) = conference.members.iter_mut().find(|member| member.id == *id) {
                    member.change(kind, at);
                } else {
                    assert!(
                        matches!(
                            kind,
                            EventKind::ParticipantCalling(_)
                                | EventKind::ParticipantRinging {}
                                | EventKind::CallFailed { .. }
                                | EventKind::ParticipantChanged(_)
                        ),
                        "{id} is not in: {event:?}"
                    );
                    if let EventKind::ParticipantChanged(_) = kind {
                        let is_told = self.calling.contains_key(id) || conference.waiting.contains(id);
                        assert!(is_told, "nothing was told of {id}: {event:?}");
                    }
                }
            }
        }
    }

    /// The name by which one is shown who is in, is being called, or waits; `None`: the log knows nothing of it.
    pub fn name_of(&self, participant: &ParticipantId) -> Option<&Option<String>> {
        self.names.get(participant)
    }

    /// Whether a conference was created, and has not ended.
    pub fn is_open(&self, conference: &str) -> bool {
        self.conferences.contains_key(conference)
    }

    /// How voices in a conference are made to sound; `None`: the log has not told of it since the conference was created.
    pub fn sound_of(&self, conference: &str) -> Option<VoiceSound> {
        self.conferences.get(conference)?.sound
    }

    /// Nothing goes on by the log.
    pub fn is_empty(&self) -> bool {
        self.conferences.is_empty()
            && self.inside.is_empty()
            && self.calling.is_empty()
            && self.names.is_empty()
    }

    /// What the events say is what the conferences show.
    #[track_caller]
    pub fn assert_is(&self, world: &World) {
        let open = world.conferences.overviews(ACCOUNT, None).filter(|one| one.controls.is_some());
        let open: BTreeMap<String, _> = open.map(|one| (one.name.to_string(), one)).collect();
        assert_eq!(self.conferences.keys().collect::<Vec<_>>(), open.keys().collect::<Vec<_>>());
        for (name, folded) in &self.conferences {
            let shown = &open[name];
            assert_eq!(Some(folded.controls), shown.controls, "{name}");
            assert_eq!(folded.started_at, shown.started_at, "{name}");
            let recording = shown.recording.as_ref();
            let recording = recording.and_then(|one| Some((one.recording.clone()?, one.is_paused)));
            assert_eq!(folded.recording, recording, "{name}");
            let expected = world.conferences.expected(&key(name));
            let waiting: Vec<_> = expected.into_iter().filter(|one| one.waits).map(|one| one.id).collect();
            assert_eq!(folded.waiting, waiting, "{name}");
            let roster = world.roster(name);
            assert_eq!(folded.members.len(), roster.len(), "{name}");
            for (member, shown) in folded.members.iter().zip(roster) {
                let may_unmute = member.leader || member.self_unmute.unwrap_or(folded.controls.self_unmute);
                assert_eq!(may_unmute, shown.may_unmute, "{}", shown.id);
                let of_list = FoldedMember {
                    id: shown.id,
                    entered_at: shown.entered_at.expect("it is in"),
                    leader: shown.is_leader,
                    muted_by: shown.muted_by,
                    dtmf_enabled: shown.dtmf_enabled,
                    self_unmute: member.self_unmute,
                    held: shown.is_held,
                    hand_raised_at: shown.hand_raised_at,
                    heard_by: shown.heard_by,
                };
                assert_eq!(*member, of_list);
            }
        }
    }
}

impl FoldedMember {
    fn change(&mut self, kind: &EventKind, at: Timestamp) {
        match kind {
            EventKind::ParticipantMuted { by } => {
                assert_ne!(self.muted_by.replace(*by), Some(*by), "muted twice");
            }
            EventKind::ParticipantUnmuted {} => {
                assert!(self.muted_by.take().is_some(), "unmuted and was not muted");
            }
            EventKind::ParticipantHandRaised {} => {
                assert_eq!(self.hand_raised_at.replace(at), None, "raised twice");
            }
            EventKind::ParticipantHandLowered {} => {
                assert!(self.hand_raised_at.take().is_some(), "lowered and was not raised");
            }
            EventKind::ParticipantHeld {} => assert!(!std::mem::replace(&mut self.held, true), "held twice"),
            EventKind::ParticipantResumed {} => {
                assert!(std::mem::replace(&mut self.held, false), "resumed and was not held");
            }
            EventKind::ParticipantChanged(update) => {
                let ParticipantUpdate { leader, dtmf_enabled, self_unmute, heard_by, .. } = update.clone();
                self.leader = leader.unwrap_or(self.leader);
                self.dtmf_enabled = dtmf_enabled.unwrap_or(self.dtmf_enabled);
                self.self_unmute = self_unmute.unwrap_or(self.self_unmute);
                self.heard_by = heard_by.unwrap_or_else(|| self.heard_by.clone());
            }
            _ => {}
        }
    }
}
