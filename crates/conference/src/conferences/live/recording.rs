//! The recording of a conference: who begins it, who is told, and when it ends. Nothing else changes its state.
//!
//! ```text
//!   (none) ─ start ─▶ opening ─ opened ─▶ running ◀─ pause, resume ─▶ paused
//!      ▲                 │ not opened        │ stopped, failed, or nobody is left
//!      └─────────────────┴───────────────────┘
//! ```
//!
//! All who are in are told when it begins. Who comes later is told first and is heard then: their voice is not recorded before
//! they know.

use super::{EntryOrder, LiveConference, Member, timers::after_s};
use crate::{
    command::{News, Outcome},
    conferences::turn::Turn,
    effect::{Announcement, Effect, Notice},
    id::ParticipantId,
    recording::{CutOffRecording, RecordingCommand, RecordingOverview, RecordingReport, RecordingRules},
    refused::Refused,
    time::{Mono, Timestamp},
};
use plenary_model::{
    Actor, AutoRecord, ConferenceRecordingId, EventKind, RecordingFailure, RecordingSettings,
};
use std::collections::{BTreeMap, BTreeSet};

/// A participant whose edge does not report that they were told is heard after so long: the prompt could not be played.
const TELLING_S_MAX: u32 = 15;
/// How often it is told that audio is being lost.
const LOSS_EVERY_S: u32 = 5;

/// What of recordings a conference keeps.
#[derive(Debug, Default)]
pub(super) struct Recordings {
    current: Option<Recording>,
    /// It was ended while it was about to begin: it ends as soon as it has.
    is_unwanted: bool,
    /// A leader or a program has ended one: none begins by itself any more.
    is_declined: bool,
    /// The one that the next one goes on with.
    cut_off: Option<CutOffRecording>,
    /// When the tone comes next.
    tone_at: Option<Mono>,
    /// Participants who are being told, and until when they are waited for.
    telling: BTreeMap<EntryOrder, Mono>,
    loss: Loss,
}

/// Audio that could not be written.
#[derive(Debug, Default)]
struct Loss {
    /// So much of the current recording, in milliseconds over all tracks.
    ms: u64,
    /// And so much of it the log has told.
    told_ms: u64,
    /// It has been told a moment ago: not again before.
    next_at: Option<Mono>,
}

#[derive(Debug)]
struct Recording {
    settings: RecordingSettings,
    /// The leader who asked for it by key.
    by: Option<ParticipantId>,
    /// Who has brought it about.
    actor: Actor,
    /// The room's setting has begun it, and ends it.
    is_of_room: bool,
    /// It follows on one that was paused.
    begins_paused: bool,
    stage: Stage,
}

/// How one begins.
struct Begins {
    /// The leader who asks by key.
    by: Option<ParticipantId>,
    /// The room's setting has it begin.
    is_of_room: bool,
    /// Nothing is recorded before it is resumed.
    is_paused: bool,
}

#[derive(Debug)]
enum Stage {
    /// The edge makes its files.
    Opening,
    On {
        id: ConferenceRecordingId,
        since: Timestamp,
        is_paused: bool,
    },
}

/// Who hears that a recording ends, where recordings are announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Nobody,
    All,
    /// This one hears it as the answer to a key.
    AllBut(ParticipantId),
}

impl Recordings {
    pub(super) fn next(&self) -> Option<Mono> {
        self.telling.values().copied().chain(self.tone_at).chain(self.loss.next_at).min()
    }
}

impl LiveConference {
    /// Shown while it is recorded.
    pub(in crate::conferences) fn recording_overview(&self) -> Option<RecordingOverview> {
        let Recording { settings, stage, .. } = self.recordings.current.as_ref()?;
        let (recording, is_paused, started_at) = match stage {
            Stage::Opening => (None, false, None),
            Stage::On { id, since, is_paused } => (Some(id.clone()), *is_paused, Some(*since)),
        };
        Some(RecordingOverview { recording, settings: *settings, is_paused, started_at })
    }

    /// A recording of this conference was cut off by a restart: the next one goes on with it, and begins by itself; paused, where that
    /// one was.
    pub(in crate::conferences) fn resume_recording(&mut self, cut_off: CutOffRecording) {
        self.recordings.cut_off = Some(cut_off);
    }

    /// Begins to record. `by`: the leader who asks by key.
    pub(in crate::conferences) fn start_recording(
        &mut self,
        settings: RecordingSettings,
        by: Option<ParticipantId>,
        rules: &RecordingRules,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        let begins = Begins { by, is_of_room: false, is_paused: false };
        self.begin_recording(settings, begins, rules, turn)
    }

    fn begin_recording(
        &mut self,
        settings: RecordingSettings,
        begins: Begins,
        rules: &RecordingRules,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        if !rules.is_allowed {
            return Err(Refused::RecordingOff);
        }
        // One that is about to begin and to end is waited for.
        if self.recordings.current.is_some() || self.recordings.is_unwanted {
            return Err(Refused::AlreadyRecorded);
        }
        if self.members.is_empty() {
            return Err(Refused::NobodyToRecord);
        }
        let continues = self.recordings.cut_off.as_ref().map(|one| (one.recording.clone(), one.part));
        let actor = turn.actor.clone();
        let Begins { by, is_of_room, is_paused } = begins;
        self.recordings.current = Some(Recording {
            settings,
            by,
            actor,
            is_of_room,
            begins_paused: is_paused,
            stage: Stage::Opening,
        });
        self.do_recording(RecordingCommand::Open { settings, continues, is_paused }, turn);
        Ok(())
    }

    /// What a leader asks for by key: pauses or resumes; begins where that is confirmed.
    pub(in crate::conferences) fn record_by_key(
        &mut self,
        order: EntryOrder,
        is_confirmed: bool,
        rules: &RecordingRules,
        turn: &mut Turn<'_>,
    ) -> Outcome {
        let Some(by) = self.members.get(&order).map(|member| member.id.clone()) else {
            return Outcome::Failed;
        };
        let Some(Recording { stage, .. }) = &self.recordings.current else {
            if !rules.is_allowed {
                return Outcome::Failed;
            }
            if !is_confirmed {
                return Outcome::RecordingUnconfirmed;
            }
            return match self.start_recording(rules.settings, Some(by), rules, turn) {
                // What becomes of it is told then.
                Ok(()) => Outcome::Done,
                Err(_) => Outcome::Failed,
            };
        };
        let Stage::On { is_paused, .. } = stage else { return Outcome::Failed };
        let pauses = !is_paused;
        match (self.pause_recording(pauses, Some(by), turn), pauses) {
            (Err(_), _) => Outcome::Failed,
            (Ok(()), true) => Outcome::RecordingPaused,
            (Ok(()), false) => Outcome::RecordingResumed,
        }
    }

    /// Pauses, or goes on. Nothing happens where it is so already.
    pub(in crate::conferences) fn pause_recording(
        &mut self,
        pauses: bool,
        by: Option<ParticipantId>,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        let Some(Recording { settings, stage: Stage::On { id, is_paused, .. }, .. }) =
            &mut self.recordings.current
        else {
            return Err(Refused::NotRecorded);
        };
        if std::mem::replace(is_paused, pauses) == pauses {
            return Ok(());
        }
        let (announces, recording) = (settings.announce, id.clone());
        self.do_recording(RecordingCommand::Pause { recording: recording.clone(), is_paused: pauses }, turn);
        let what = match pauses {
            true => Announcement::RecordingPaused,
            false => Announcement::RecordingResumed,
        };
        if announces {
            announce_recording(by.as_ref(), what, turn);
            if !pauses {
                // Who came meanwhile hears it as well.
                self.note_all_told(&recording, turn);
            }
        }
        let recording_id = recording.clone();
        turn.publish(match pauses {
            true => EventKind::RecordingPaused { recording_id },
            false => EventKind::RecordingResumed { recording_id },
        });
        turn.notify(|conference| match pauses {
            true => Notice::RecordingPaused { conference, recording, by },
            false => Notice::RecordingResumed { conference, recording, by },
        });
        if pauses {
            // What is said now is not recorded.
            self.stop_telling(turn);
        }
        Ok(())
    }

    /// Ends the recording because a leader or a program wants it. `by`: the leader who asks by key.
    pub(in crate::conferences) fn stop_recording(
        &mut self,
        by: Option<ParticipantId>,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        if self.recordings.current.is_none() {
            return Err(Refused::NotRecorded);
        }
        self.recordings.is_declined = true;
        self.end_recording(by.map_or(Told::All, Told::AllBut), turn);
        Ok(())
    }

    /// What a leader asks for by key. One that is about to begin ends as soon as it has.
    pub(in crate::conferences) fn stop_recording_by_key(
        &mut self,
        order: EntryOrder,
        turn: &mut Turn<'_>,
    ) -> Outcome {
        let by = self.members.get(&order).map(|member| member.id.clone());
        match self.stop_recording(by, turn) {
            Ok(()) => Outcome::RecordingStopped,
            Err(_) => Outcome::Failed,
        }
    }

    /// Ends the recording, if there is one.
    pub(super) fn end_recording(&mut self, told: Told, turn: &mut Turn<'_>) {
        self.recordings.tone_at = None;
        let Some(Recording { settings, stage, by, .. }) = self.recordings.current.take() else { return };
        match stage {
            Stage::Opening => self.recordings.is_unwanted = true,
            Stage::On { id, .. } => {
                self.publish_rest_of_loss(&id, turn);
                self.do_recording(RecordingCommand::End { recording: id.clone() }, turn);
                match &told {
                    Told::All if settings.announce => turn.announce(Announcement::RecordingOff),
                    Told::AllBut(by) if settings.announce => {
                        turn.announce_to_others(by, Announcement::RecordingOff);
                    }
                    Told::All | Told::AllBut(_) | Told::Nobody => {}
                }
                turn.publish(EventKind::RecordingStopped { recording_id: id.clone() });
                turn.notify(|conference| Notice::RecordingStopped { conference, recording: id, by });
            }
        }
        self.stop_telling(turn);
    }

    /// What the edge says.
    pub(in crate::conferences) fn recording_report(
        &mut self,
        report: RecordingReport,
        rules: &RecordingRules,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        match report {
            RecordingReport::Opened { recording } => self.recording_opened(recording, rules, turn),
            RecordingReport::NotOpened { failure } => {
                self.recordings.is_unwanted = false;
                if let Some(Recording { stage: Stage::Opening, by, .. }) = &self.recordings.current {
                    if let Some(by) = by {
                        turn.tell(by, News::RecordingNotBegun);
                    }
                    self.recordings.current = None;
                    // A room whose conference cannot be recorded now is not tried again and again.
                    self.recordings.is_declined = true;
                    if let Some(failure) = failure {
                        publish_failed(None, failure, turn);
                    }
                }
                Err(failure.map_or(Refused::NobodyToRecord, |failure| Refused::RecordingFailed { failure }))
            }
            RecordingReport::Lost { recording, ms } => {
                if self.is_current(&recording) {
                    self.recordings.loss.ms = self.recordings.loss.ms.saturating_add(ms);
                    self.tell_loss(turn);
                }
                Ok(())
            }
            RecordingReport::Failed { recording, failure } => {
                let is_it = self.is_current(&recording);
                if let Some(Recording { settings, .. }) = self.recordings.current.take_if(|_| is_it) {
                    self.recordings.is_declined = true;
                    self.recordings.tone_at = None;
                    if settings.announce {
                        turn.announce(match failure {
                            RecordingFailure::StorageFull => Announcement::RecordingFull,
                            RecordingFailure::StorageFailed | RecordingFailure::TooLong => {
                                Announcement::RecordingOff
                            }
                        });
                    }
                    self.publish_rest_of_loss(&recording, turn);
                    publish_failed(Some(recording), failure, turn);
                    self.stop_telling(turn);
                }
                Ok(())
            }
            RecordingReport::Told { participant } => {
                let told = self.members.iter().find(|(_, member)| member.id == participant);
                if let Some(order) = told.map(|(order, _)| *order) {
                    self.told(order, turn);
                }
                Ok(())
            }
        }
    }

    fn recording_opened(
        &mut self,
        id: ConferenceRecordingId,
        rules: &RecordingRules,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        let is_wanted = !std::mem::take(&mut self.recordings.is_unwanted);
        let current =
            self.recordings.current.as_mut().filter(|one| is_wanted && matches!(one.stage, Stage::Opening));
        let Some(current) = current else {
            self.do_recording(RecordingCommand::End { recording: id }, turn);
            return Err(Refused::NotRecorded);
        };
        let is_paused = current.begins_paused;
        current.stage = Stage::On { id: id.clone(), since: turn.now.wall, is_paused };
        let (settings, by, actor) = (current.settings, current.by.clone(), current.actor.clone());
        (self.recordings.cut_off, self.recordings.loss) = (None, Loss::default());
        let tone_every_s = rules.tone_every_s;
        self.recordings.tone_at = (tone_every_s > 0).then(|| after_s(turn.now.mono, tone_every_s));
        if settings.announce && is_paused {
            turn.announce(Announcement::RecordingPaused);
        } else if settings.announce {
            announce_recording(by.as_ref(), Announcement::RecordingOn, turn);
            self.note_all_told(&id, turn);
        }
        if let Some(by) = &by {
            turn.tell(by, News::RecordingBegun);
        }
        let kind = EventKind::RecordingStarted {
            recording_id: id.clone(),
            tracks: settings.tracks,
            format: settings.format,
            announced: settings.announce,
        };
        turn.publish_as(None, kind, None, actor);
        turn.notify(|conference| Notice::RecordingStarted {
            conference,
            recording: id.clone(),
            settings,
            by,
        });
        if is_paused {
            turn.publish(EventKind::RecordingPaused { recording_id: id.clone() });
            turn.notify(|conference| Notice::RecordingPaused { conference, recording: id, by: None });
        }
        Ok(())
    }

    /// It is the one that runs.
    fn is_current(&self, recording: &ConferenceRecordingId) -> bool {
        matches!(&self.recordings.current, Some(Recording { stage: Stage::On { id, .. }, .. }) if id == recording)
    }

    /// Tells that audio is lost: at once, and then every few seconds as long as more is.
    fn tell_loss(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.mono;
        if self.recordings.loss.next_at.is_some_and(|at| now < at) {
            return;
        }
        let Some(Recording { stage: Stage::On { id, .. }, .. }) = &self.recordings.current else {
            self.recordings.loss.next_at = None;
            return;
        };
        let id = id.clone();
        let is_told = self.publish_rest_of_loss(&id, turn);
        self.recordings.loss.next_at = is_told.then(|| after_s(now, LOSS_EVERY_S));
    }

    /// Tells what of the loss has not been told yet. `false`: nothing.
    fn publish_rest_of_loss(&mut self, recording: &ConferenceRecordingId, turn: &mut Turn<'_>) -> bool {
        let Loss { ms, told_ms, .. } = &mut self.recordings.loss;
        if std::mem::replace(told_ms, *ms) == *ms {
            return false;
        }
        let kind = EventKind::RecordingThinned { recording_id: recording.clone(), lost_ms: *ms };
        turn.publish_as(None, kind, None, Actor::system());
        true
    }

    /// What is said to all is heard by all but those on hold, who are told when they come back.
    fn note_all_told(&mut self, recording: &ConferenceRecordingId, turn: &mut Turn<'_>) {
        let hears = |(order, member): (&EntryOrder, &Member)| (!member.is_on_hold()).then_some(*order);
        let told: Vec<EntryOrder> = self.members.iter().filter_map(hears).collect();
        told.into_iter().for_each(|order| self.note_told(recording, order, turn));
    }

    fn note_told(&mut self, recording: &ConferenceRecordingId, order: EntryOrder, turn: &mut Turn<'_>) {
        let Some(member) = self.members.get_mut(&order) else { return };
        member.told_of = Some(recording.clone());
        let (recording, participant) = (recording.clone(), member.id.clone());
        self.do_recording(RecordingCommand::NoteTold { recording, participant }, turn);
    }

    fn do_recording(&self, what: RecordingCommand, turn: &mut Turn<'_>) {
        turn.effect(Effect::Recording { conference: turn.key.clone(), what });
    }

    /// One has entered or comes back from a hold, and what it hears has not been said yet. Where the conference is recorded and it
    /// does not know, it is told, and heard when it has been.
    pub(super) fn expect_to_tell(&mut self, order: EntryOrder, turn: &Turn<'_>) {
        if let Some(member) = self.members.get_mut(&order)
            && let Some(Recording { settings, stage, .. }) = &self.recordings.current
            && settings.announce
            // While it begins, all are told at once.
            && let Stage::On { id, is_paused: false, .. } = stage
            && member.told_of.as_ref() != Some(id)
            && !member.is_on_hold()
        {
            member.is_being_told = true;
            self.recordings.telling.insert(order, after_s(turn.now.mono, TELLING_S_MAX));
        }
    }

    /// After what is said of its entering.
    pub(super) fn tell_recorded(&self, order: EntryOrder, turn: &mut Turn<'_>) {
        if let Some(member) = self.members.get(&order).filter(|member| member.is_being_told) {
            let (conference, participant) = (turn.key.clone(), member.id.clone());
            turn.effect(Effect::TellRecorded { conference, participant });
        }
    }

    /// One knows now.
    fn told(&mut self, order: EntryOrder, turn: &mut Turn<'_>) {
        if self.recordings.telling.remove(&order).is_none() {
            return;
        }
        if let Some(Recording { stage: Stage::On { id, .. }, .. }) = &self.recordings.current {
            let id = id.clone();
            self.note_told(&id, order, turn);
        }
        self.let_speak(order, turn);
    }

    fn let_speak(&mut self, order: EntryOrder, turn: &mut Turn<'_>) {
        if let Some(member) = self.members.get_mut(&order) {
            member.is_being_told = false;
        }
        self.refresh(order, turn);
    }

    /// There is nothing to tell any more.
    fn stop_telling(&mut self, turn: &mut Turn<'_>) {
        for order in std::mem::take(&mut self.recordings.telling).into_keys() {
            self.let_speak(order, turn);
        }
    }

    /// One is gone.
    pub(super) fn forget_telling(&mut self, order: EntryOrder) {
        self.recordings.telling.remove(&order);
    }

    /// Does what is due.
    pub(super) fn on_recording_time(&mut self, rules: &RecordingRules, turn: &mut Turn<'_>) {
        let now = turn.now.mono;
        let late: BTreeSet<_> =
            self.recordings.telling.iter().filter(|(_, at)| **at <= now).map(|(order, _)| *order).collect();
        for order in late {
            // Not noted as told: nobody knows whether they were.
            self.recordings.telling.remove(&order);
            self.let_speak(order, turn);
        }
        if self.recordings.loss.next_at.is_some_and(|at| at <= now) {
            self.tell_loss(turn);
        }
        if self.recordings.tone_at.is_some_and(|at| at <= now) {
            self.recordings.tone_at = Some(after_s(now, rules.tone_every_s.max(1)));
            if let Some(Recording { stage: Stage::On { is_paused: false, .. }, .. }) =
                &self.recordings.current
            {
                turn.announce(Announcement::RecordingTone);
            }
        }
    }

    /// Begins or ends a recording by how things stand now.
    pub(super) fn settle_recording(&mut self, rules: &RecordingRules, turn: &mut Turn<'_>) {
        if self.members.is_empty() {
            self.end_recording(Told::Nobody, turn);
            self.recordings.is_declined = false;
            return;
        }
        let is_auto = self.rules.as_ref().is_some_and(|rules| rules.record == AutoRecord::Auto);
        // The room has another setting by now. What a leader or a program has begun goes on.
        if !is_auto && self.recordings.current.as_ref().is_some_and(|current| current.is_of_room) {
            self.end_recording(Told::All, turn);
        }
        let wanted = match &self.recordings.cut_off {
            // Who had begun it is not known any more.
            Some(cut_off) => {
                Some((cut_off.settings, Begins { by: None, is_of_room: false, is_paused: cut_off.is_paused }))
            }
            None => {
                is_auto.then_some((rules.settings, Begins { by: None, is_of_room: true, is_paused: false }))
            }
        };
        if let Some((settings, begins)) = wanted
            && self.is_started()
            && !self.recordings.is_declined
            && self.recordings.current.is_none()
        {
            // Refused where recordings are switched off, or while the last one has yet to end.
            let _ = self.begin_recording(settings, begins, rules, turn);
        }
    }
}

/// `None`: it could not begin.
fn publish_failed(recording: Option<ConferenceRecordingId>, failure: RecordingFailure, turn: &mut Turn<'_>) {
    turn.publish_because(EventKind::RecordingFailed { recording_id: recording.clone() }, failure.name());
    turn.notify(|conference| Notice::RecordingFailed { conference, recording, failure });
}

/// All hear it; the leader who has asked by key hears it at once, as the answer to the key, and not a second time.
fn announce_recording(by: Option<&ParticipantId>, what: Announcement, turn: &mut Turn<'_>) {
    match by {
        Some(by) => turn.announce_to_others(by, what),
        None => turn.announce(what),
    }
}
