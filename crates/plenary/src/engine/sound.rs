//! How conferences and participants are made to sound: settings laid over each other, the nearest one wins. Those of an
//! account and of a reserved conference are in the store, the others live as long as what they were made for.

use super::{
    Engine,
    call::{AdmittedBy, CallNumber},
    handle::Report,
};
use plenary_api::{SoundChange, SoundOf, SoundSettings};
use plenary_conference::{AccountId, ConferenceKey, ParticipantId, Refused, conferences::ConferenceRef};
use plenary_media::Sound;
use plenary_store::{KeptSound, SoundOwner};
use std::collections::HashMap;

/// What was set beside the configuration.
#[derive(Debug, Default)]
pub(crate) struct Sounds {
    accounts: HashMap<AccountId, SoundChoice>,
    conferences: HashMap<ConferenceKey, SoundChoice>,
}

impl Sounds {
    /// What the store knows.
    pub(crate) fn kept(
        accounts: Vec<(AccountId, KeptSound)>,
        conferences: Vec<(ConferenceKey, KeptSound)>,
    ) -> Self {
        Self {
            accounts: accounts.into_iter().map(|(account, sound)| (account, sound.into())).collect(),
            conferences: conferences.into_iter().map(|(key, sound)| (key, sound.into())).collect(),
        }
    }
}

/// What was set for an account, one conference or participant; `None`: as one level up.
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

impl From<KeptSound> for SoundChoice {
    fn from(kept: KeptSound) -> Self {
        let KeptSound { automatic_gain, noise_suppression } = kept;
        Self { automatic_gain, noise_suppression, gain_db: None }
    }
}

impl From<SoundChoice> for KeptSound {
    fn from(choice: SoundChoice) -> Self {
        let SoundChoice { automatic_gain, noise_suppression, .. } = choice;
        Self { automatic_gain, noise_suppression }
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
        let choice = self.sounds.conferences.get(key).copied().unwrap_or_default();
        choice.over(self.account_sound(key.account))
    }

    fn account_sound(&self, account: AccountId) -> Sound {
        self.sounds.accounts.get(&account).copied().unwrap_or_default().over(self.settings.sound)
    }

    pub(super) fn call_sound(&self, key: &ConferenceKey, number: CallNumber) -> Sound {
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
        of: &SoundOf,
        change: &SoundChange,
    ) -> Result<SoundSettings, Refused> {
        let (which, participant) = match of {
            SoundOf::Account => {
                self.sounds.accounts.entry(account).or_default().change(change);
                for conference in self.conferences.list(account) {
                    self.apply_to_all(&ConferenceKey { account, name: conference.name });
                }
                return Ok(SoundSettings { gain_db: None, ..settings(self.account_sound(account)) });
            }
            SoundOf::Conference(which) => {
                let key = self.conferences.resolve(account, which)?;
                self.sounds.conferences.entry(key.clone()).or_default().change(change);
                self.apply_to_all(&key);
                return Ok(SoundSettings { gain_db: None, ..settings(self.conference_sound(&key)) });
            }
            SoundOf::Participant(which, participant) => (which, participant),
        };
        let key = self.conferences.resolve(account, which)?;
        let members = self.members(&key);
        let member = members.iter().find(|(id, ..)| id == participant);
        let (_, number, _) = member.ok_or(Refused::UnknownParticipant)?;
        if let Some(call) = self.calls.get_mut(number) {
            call.sound.change(change);
        }
        self.apply_sound(&key, *number);
        Ok(settings(self.call_sound(&key, *number)))
    }

    /// What has to be in the store before this change is made; `None`: it does not outlive what it is made for.
    pub(super) fn plan_sound(
        &self,
        account: AccountId,
        of: &SoundOf,
        change: &SoundChange,
    ) -> Result<Option<(SoundOwner, KeptSound)>, Refused> {
        let (owner, choice) = match of {
            SoundOf::Account => (SoundOwner::Account(account), self.sounds.accounts.get(&account)),
            SoundOf::Conference(which) => {
                let key = self.conferences.resolve(account, which)?;
                let Some(reservation) = self.conferences.reservation_of(&key) else { return Ok(None) };
                (SoundOwner::Reservation(reservation.token.clone()), self.sounds.conferences.get(&key))
            }
            SoundOf::Participant(..) => return Ok(None),
        };
        let mut choice = choice.copied().unwrap_or_default();
        choice.change(change);
        Ok(Some((owner, choice.into())))
    }

    fn apply_to_all(&self, key: &ConferenceKey) {
        self.members(key).iter().for_each(|(_, number, _)| self.apply_sound(key, *number));
    }

    /// Everybody in a conference; the statistics are asked for and come later.
    pub(super) fn reports(&self, account: AccountId, which: &ConferenceRef) -> Result<Vec<Report>, Refused> {
        let key = self.conferences.resolve(account, which)?;
        let report = |(participant, number, muted): (ParticipantId, CallNumber, bool)| {
            let call = self.calls.get(&number)?;
            Some(Report {
                participant,
                from: call.party_name().to_owned(),
                admitted_by: call.admitted_by.map(AdmittedBy::name),
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
        self.sounds.conferences.remove(key);
    }
}
