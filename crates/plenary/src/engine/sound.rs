//! How conferences and participants are made to sound: settings laid over each other, the nearest one wins.

use super::{Engine, call::CallNumber, handle::Report};
use plenary_api::{SoundChange, SoundSettings};
use plenary_conference::{AccountId, ConferenceKey, ParticipantId, Refused, conferences::ConferenceRef};
use plenary_media::Sound;

/// What was set for one conference or participant; `None`: as one level up.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct SoundChoice {
    automatic_gain: Option<bool>,
    noise_suppression: Option<bool>,
    gain_db: Option<f32>,
}

impl SoundChoice {
    fn change(&mut self, change: &SoundChange) {
        let SoundChange { automatic_gain, noise_suppression, gain_db } = change;
        if let Some(automatic_gain) = automatic_gain {
            self.automatic_gain = *automatic_gain;
        }
        if let Some(noise_suppression) = noise_suppression {
            self.noise_suppression = *noise_suppression;
        }
        if let Some(gain_db) = gain_db {
            self.gain_db = *gain_db;
        }
    }

    /// What holds where `under` is one level up.
    fn over(self, under: Sound) -> Sound {
        Sound {
            automatic_gain: self.automatic_gain.unwrap_or(under.automatic_gain),
            noise_suppression: self.noise_suppression.unwrap_or(under.noise_suppression),
            gain_db: self.gain_db.unwrap_or(under.gain_db),
        }
    }
}

fn settings(sound: Sound) -> SoundSettings {
    SoundSettings {
        automatic_gain: sound.automatic_gain,
        noise_suppression: sound.noise_suppression,
        gain_db: Some(sound.gain_db),
    }
}

impl Engine {
    fn conference_sound(&self, key: &ConferenceKey) -> Sound {
        self.sounds.get(key).copied().unwrap_or_default().over(self.settings.sound)
    }

    fn call_sound(&self, key: &ConferenceKey, number: CallNumber) -> Sound {
        let choice = self.calls.get(&number).map(|call| call.sound).unwrap_or_default();
        choice.over(self.conference_sound(key))
    }

    /// Tells the media plane how a call of a conference is to sound.
    pub(super) fn apply_sound(&self, key: &ConferenceKey, number: CallNumber) {
        self.media.set_sound(number.media(), self.call_sound(key, number));
    }

    fn members(&self, key: &ConferenceKey) -> Vec<(ParticipantId, CallNumber, bool)> {
        let Ok((_, parties)) = self.conferences.participants(key) else { return Vec::new() };
        let of = |id: ParticipantId, muted| {
            let number = *self.participants.get(&id)?;
            Some((id, number, muted))
        };
        parties.into_iter().filter_map(|party| of(party.id, party.muted)).collect()
    }

    pub(super) fn change_sound(
        &mut self,
        account: AccountId,
        which: &ConferenceRef,
        participant: Option<&ParticipantId>,
        change: &SoundChange,
    ) -> Result<SoundSettings, Refused> {
        let key = self.conferences.resolve(account, which)?;
        let members = self.members(&key);
        let Some(participant) = participant else {
            self.sounds.entry(key.clone()).or_default().change(change);
            members.iter().for_each(|(_, number, _)| self.apply_sound(&key, *number));
            return Ok(SoundSettings { gain_db: None, ..settings(self.conference_sound(&key)) });
        };
        let member = members.iter().find(|(id, ..)| id == participant);
        let (_, number, _) = member.ok_or(Refused::UnknownParticipant)?;
        if let Some(call) = self.calls.get_mut(number) {
            call.sound.change(change);
        }
        self.apply_sound(&key, *number);
        Ok(settings(self.call_sound(&key, *number)))
    }

    /// Everybody in a conference; the statistics are asked for and come later.
    pub(super) fn reports(&self, account: AccountId, which: &ConferenceRef) -> Result<Vec<Report>, Refused> {
        let key = self.conferences.resolve(account, which)?;
        let report = |(participant, number, muted): (ParticipantId, CallNumber, bool)| {
            let call = self.calls.get(&number)?;
            Some(Report {
                participant,
                from: call.party_name().to_owned(),
                muted,
                talking: call.talking,
                sound: settings(self.call_sound(&key, number)),
                statistics: self.media.ask_stats(number.media()),
            })
        };
        Ok(self.members(&key).into_iter().filter_map(report).collect())
    }

    /// A conference is gone, and with it what was set for it.
    pub(super) fn forget_sound(&mut self, key: &ConferenceKey) {
        self.sounds.remove(key);
    }
}
