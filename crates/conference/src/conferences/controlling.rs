//! What may be done to a conference and its participants in every state, for the management API. The seven web services keep their
//! refusals: see `on_set_options` and `on_eject`.

use super::{Conferences, Seat, conference::Conference, live::LiveConference};
use crate::{
    controls::ControlsChange,
    effect::{Effect, EndReason, Notice},
    id::{ConferenceKey, ParticipantId},
    refused::Refused,
};

impl Conferences {
    pub(super) fn on_change_participant(
        &mut self,
        key: &ConferenceKey,
        participant: &ParticipantId,
        muted: Option<bool>,
        dtmf_enabled: Option<bool>,
    ) -> Result<(), Refused> {
        self.check_known(key)?;
        match self.seats.get_mut(participant) {
            Some(Seat::Entered { conference, order }) if conference == key => {
                if let Some(live) = self.conferences.get_mut(key).and_then(Conference::live_mut) {
                    live.set_options(key, *order, muted, dtmf_enabled, &mut self.effects);
                }
                Ok(())
            }
            Some(Seat::Admitted { conference, preset, .. }) if conference == key => {
                preset.muted = muted.or(preset.muted);
                preset.dtmf_enabled = dtmf_enabled.or(preset.dtmf_enabled);
                Ok(())
            }
            Some(Seat::Entered { .. } | Seat::Admitted { .. }) | None => Err(Refused::UnknownParticipant),
        }
    }

    pub(super) fn on_remove_participant(
        &mut self,
        key: &ConferenceKey,
        participant: &ParticipantId,
    ) -> Result<(), Refused> {
        self.check_known(key)?;
        let reason = EndReason::Ejected;
        match self.seats.get(participant) {
            Some(Seat::Entered { conference, .. }) if conference == key => {
                self.remove_participant(participant, Some(reason));
            }
            Some(Seat::Admitted { conference, .. }) if conference == key => {
                self.effects.push_back(Effect::HangUp {
                    conference: key.clone(),
                    participant: participant.clone(),
                    reason,
                });
                self.remove_participant(participant, None);
            }
            Some(Seat::Entered { .. } | Seat::Admitted { .. }) | None => {
                return Err(Refused::UnknownParticipant);
            }
        }
        Ok(())
    }

    fn check_known(&self, key: &ConferenceKey) -> Result<(), Refused> {
        self.conferences.contains_key(key).then_some(()).ok_or(Refused::UnknownConference)
    }

    pub(super) fn on_mute_all(
        &mut self,
        key: &ConferenceKey,
        muted: bool,
        except_leaders: bool,
        self_unmute: Option<bool>,
    ) -> Result<(), Refused> {
        let effects = &mut self.effects;
        let live = open_live(self.conferences.get_mut(key))?;
        live.change_controls(key, ControlsChange { self_unmute, ..ControlsChange::default() }, effects);
        live.mute_all(key, muted, except_leaders, effects);
        Ok(())
    }

    pub(super) fn on_change_controls(
        &mut self,
        key: &ConferenceKey,
        change: ControlsChange,
    ) -> Result<(), Refused> {
        let effects = &mut self.effects;
        open_live(self.conferences.get_mut(key))?.change_controls(key, change, effects);
        Ok(())
    }

    pub(super) fn on_end(&mut self, key: &ConferenceKey) -> Result<(), Refused> {
        let Some(conference) = self.conferences.get_mut(key) else { return Err(Refused::UnknownConference) };
        if conference.reservation().is_some() {
            return Err(wrong_state(conference));
        }
        if let Some(live) = conference.live_mut() {
            for id in live.close(key, EndReason::Ended, &mut self.effects) {
                self.seats.remove(&id);
            }
        }
        self.conferences.remove(key);
        self.notify(Notice::ConferenceGone { conference: key.clone() });
        Ok(())
    }
}

/// The room of a conference that people may be in; also of one whose first caller is on the way in.
fn open_live(conference: Option<&mut Conference>) -> Result<&mut LiveConference, Refused> {
    let conference = conference.ok_or(Refused::UnknownConference)?;
    let refused = wrong_state(conference);
    conference.live_mut().ok_or(refused)
}

fn wrong_state(conference: &Conference) -> Refused {
    conference.state().map_or(Refused::UnknownConference, |state| Refused::WrongState { state })
}
