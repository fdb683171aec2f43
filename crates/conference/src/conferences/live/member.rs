//! A participant who is in.

use super::guest::{Guest, Preset};
use crate::{
    conferences::{listing::ParticipantSummary, turn::Turn},
    effect::Effect,
    id::ParticipantId,
    muting::Muting,
    participant::ParticipantOptions,
    room::ViaRoom,
    time::Timestamp,
};
use plenary_model::{ConferenceRecordingId, Introduction, NameId, Presence};

#[derive(Debug)]
pub(in crate::conferences) struct Member {
    pub(in crate::conferences) id: ParticipantId,
    pub(super) options: ParticipantOptions,
    pub(super) via: Option<Box<ViaRoom>>,
    /// It was made a leader, or is none any more, whatever its options and its PIN say.
    pub(super) made_leader: Option<bool>,
    /// Another call of the same person has taken its place.
    pub(super) is_replaced: bool,
    pub(super) muting: Muting,
    pub(super) dtmf_enabled: bool,
    /// It may unmute itself although a leader has muted it; `None`: as the conference says.
    pub(super) self_unmute: Option<bool>,
    pub(super) hand_raised_at: Option<Timestamp>,
    pub(super) is_held: bool,
    /// It is being told that the conference is recorded, and not heard yet.
    pub(super) is_being_told: bool,
    /// The recording of which it was told last.
    pub(super) told_of: Option<ConferenceRecordingId>,
    /// Only these hear it.
    pub(super) heard_by: Option<Vec<ParticipantId>>,
    pub(super) entered_at: Timestamp,
    /// Who it is, as far as others may see.
    pub(super) who: Introduction,
    /// It makes itself heard, muted or not.
    pub(super) is_talking: bool,
    /// Its telephone has put the conference on hold.
    pub(super) is_held_by_telephone: bool,
    /// Why its call is about to end, and whether by itself.
    pub(in crate::conferences) leaving: Option<(String, bool)>,
    /// What was last said about it, so that only changes are said.
    pub(super) said: Said,
}

#[derive(Debug, Default)]
pub(super) struct Said {
    voice: Option<Voice>,
    looping: bool,
    held: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Voice {
    speaks: bool,
    listens: bool,
}

/// Who leads the conference of a room speaks there, whatever the room says of its callers.
fn may_talk(options: &ParticipantOptions, via: Option<&ViaRoom>, is_leader: bool) -> bool {
    options.talker || (is_leader && via.is_some())
}

impl Guest {
    pub(super) fn is_talker(&self) -> bool {
        may_talk(&self.options, self.via.as_deref(), self.is_leader())
    }

    /// Takes over what `other` is and what was set for it: it takes the place of that one.
    pub(in crate::conferences) fn inherit(&mut self, other: &Member) {
        let preset = &mut self.preset;
        preset.leader = preset.leader.or(other.made_leader);
        preset.muting = Some(other.muting);
        preset.dtmf_enabled = preset.dtmf_enabled.or(Some(other.dtmf_enabled));
        preset.self_unmute = preset.self_unmute.or(other.self_unmute);
        preset.held |= other.is_held;
        preset.has_hand_up = other.hand_raised_at.is_some();
        if preset.heard_by.is_none() {
            preset.heard_by.clone_from(&other.heard_by);
        }
        if self.via.is_none() {
            self.via.clone_from(&other.via);
        }
    }
}

impl Member {
    pub(super) fn new(id: ParticipantId, guest: Guest, muting: Muting, at: Timestamp) -> Self {
        let Guest { options, via, in_place_of: _, preset, who, is_called: _, has_failed: _ } = guest;
        Self {
            id,
            options,
            via,
            made_leader: preset.leader,
            is_replaced: false,
            muting,
            dtmf_enabled: preset.dtmf_enabled.unwrap_or(true),
            self_unmute: preset.self_unmute,
            hand_raised_at: None,
            is_held: preset.held,
            is_being_told: false,
            told_of: None,
            heard_by: preset.heard_by,
            entered_at: at,
            who,
            is_talking: false,
            is_held_by_telephone: preset.held_by_telephone,
            leaving: None,
            said: Said::default(),
        }
    }

    /// As it goes to another conference: with what it is and what it was muted by, but with nothing that is of this conference
    /// alone.
    pub(super) fn into_guest(self) -> Guest {
        let preset = Preset {
            muted: self.muting.by_leader.then_some(true),
            own_mute: self.muting.own,
            dtmf_enabled: Some(self.dtmf_enabled),
            self_unmute: self.self_unmute,
            leader: self.made_leader,
            held_by_telephone: self.is_held_by_telephone,
            ..Preset::default()
        };
        Guest {
            options: self.options,
            via: self.via,
            in_place_of: None,
            preset,
            who: self.who,
            is_called: false,
            has_failed: false,
        }
    }

    pub(in crate::conferences) fn options(&self) -> &ParticipantOptions {
        &self.options
    }

    pub(in crate::conferences) fn is_leader(&self) -> bool {
        let by_itself = || self.options.is_leader() || self.via.as_ref().is_some_and(|via| via.is_leader);
        self.made_leader.unwrap_or_else(by_itself)
    }

    /// Its leaving ends the conference for all. With a room it is the room's rules that say what a leader's leaving does.
    pub(super) fn ends_when_it_leaves(&self) -> bool {
        self.options.destroy_on_exit
            && self.via.is_none()
            && self.made_leader != Some(false)
            && !self.is_replaced
    }

    /// It is heard unless it is muted.
    pub(in crate::conferences) fn is_talker(&self) -> bool {
        may_talk(&self.options, self.via.as_deref(), self.is_leader())
    }

    pub(in crate::conferences) fn has_keys(&self) -> bool {
        self.dtmf_enabled
    }

    pub(in crate::conferences) fn is_muted(&self) -> bool {
        self.muting.is_muted()
    }

    pub(in crate::conferences) fn name(&self) -> Option<&NameId> {
        self.via.as_ref()?.name.as_ref()
    }

    /// As events tell of its entering.
    pub(super) fn presence(&self) -> Presence {
        Presence {
            who: self.who.clone(),
            leader: self.is_leader(),
            muted_by: self.muting.muted_by(),
            dtmf_enabled: self.dtmf_enabled,
            self_unmute: self.self_unmute,
            held: self.is_on_hold(),
            heard_by: self.heard_by.clone(),
        }
    }

    /// The actor that has put it on hold, or it the conference.
    pub(super) fn is_on_hold(&self) -> bool {
        self.is_held || self.is_held_by_telephone
    }

    pub(super) fn summary(&self, may_unmute: bool) -> ParticipantSummary {
        ParticipantSummary {
            id: self.id.clone(),
            muted: self.muting.is_muted(),
            muted_by: self.muting.muted_by(),
            dtmf_enabled: self.dtmf_enabled,
            is_leader: self.is_leader(),
            entered_at: Some(self.entered_at),
            waits: false,
            is_held: self.is_on_hold(),
            is_held_by_leader: self.is_held,
            hand_raised_at: self.hand_raised_at,
            may_unmute,
            heard_by: self.heard_by.clone(),
        }
    }

    /// Says what has changed in what this participant hears and in who hears it. What it hears instead of the conference ends
    /// before the conference is heard, and begins after the conference has fallen silent.
    pub(super) fn refresh(&mut self, started: bool, turn: &mut Turn<'_>) {
        let listens = started && !self.is_held;
        let may_speak = self.is_talker() && !self.muting.is_muted() && !self.is_being_told;
        let voice = Voice { speaks: listens && may_speak, listens };
        let media = self.options.while_stopped_media.clone().filter(|_| !started && !self.is_held);
        let (conference, participant) = (|| turn.key.clone(), || self.id.clone());
        let mut effects = Vec::new();
        if media.is_none() && std::mem::take(&mut self.said.looping) {
            effects.push(Effect::StopLoop { conference: conference(), participant: participant() });
        }
        if !self.is_held && std::mem::take(&mut self.said.held) {
            let is_held = false;
            effects.push(Effect::Hold { conference: conference(), participant: participant(), is_held });
        }
        if self.said.voice != Some(voice) {
            self.said.voice = Some(voice);
            let Voice { speaks, listens } = voice;
            effects.push(Effect::SetVoice {
                conference: conference(),
                participant: participant(),
                speaks,
                listens,
            });
        }
        if self.is_held && !std::mem::replace(&mut self.said.held, true) {
            let is_held = true;
            effects.push(Effect::Hold { conference: conference(), participant: participant(), is_held });
        }
        if let Some(what) = media
            && !std::mem::replace(&mut self.said.looping, true)
        {
            effects.push(Effect::StartLoop { conference: conference(), participant: participant(), what });
        }
        turn.effects.extend(effects);
    }

    /// Ends what it hears instead of the conference, for it goes to another one.
    pub(super) fn end_what_it_hears(&mut self, turn: &mut Turn<'_>) {
        let (conference, participant) = (|| turn.key.clone(), || self.id.clone());
        let mut effects = Vec::new();
        if std::mem::take(&mut self.said.looping) {
            effects.push(Effect::StopLoop { conference: conference(), participant: participant() });
        }
        if std::mem::take(&mut self.said.held) {
            let is_held = false;
            effects.push(Effect::Hold { conference: conference(), participant: participant(), is_held });
        }
        if self.heard_by.take().is_some() {
            effects.push(Effect::HeardBy { conference: conference(), participant: participant(), by: None });
        }
        turn.effects.extend(effects);
    }
}
