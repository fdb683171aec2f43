//! How conferences and participants are made to sound: settings laid over each other, the nearest one wins. Those of an
//! account and of a reserved conference are in the store, the others live as long as what they were made for.

use crate::{
    Calls,
    audio_choice::AudioChoice,
    control::{SoundChange, SoundSettings},
    media::AudioProcessing,
    number::CallNumber,
    question::{Answer, ParticipantsQuery, ParticipantsQuestion},
};
use plenary_conference::{AccountId, ConferenceKey, ParticipantId, QuestionId, Refused, ReservationToken};
use plenary_model::{AudioOwner, StoredAudio};
use std::collections::BTreeMap;

/// What was set beside the configuration.
#[derive(Debug, Default)]
pub(crate) struct StoredAudioSettings {
    accounts: BTreeMap<AccountId, AudioChoice>,
    /// Of unreserved conferences.
    conferences: BTreeMap<ConferenceKey, AudioChoice>,
    /// A conference may have several reservations, one after the other: each has its own.
    reservations: BTreeMap<ReservationToken, AudioChoice>,
    /// The reservations that are on.
    open: BTreeMap<ConferenceKey, ReservationToken>,
}

impl StoredAudioSettings {
    /// What the store knows.
    pub(crate) fn new(
        accounts: Vec<(AccountId, StoredAudio)>,
        reservations: Vec<(ReservationToken, StoredAudio)>,
    ) -> Self {
        Self {
            accounts: accounts.into_iter().map(|(account, sound)| (account, sound.into())).collect(),
            reservations: reservations.into_iter().map(|(token, sound)| (token, sound.into())).collect(),
            ..Self::default()
        }
    }

    /// What was set for a conference, or for the reservation whose turn it is there.
    fn of_conference(&self, key: &ConferenceKey, reservation: Option<&ReservationToken>) -> AudioChoice {
        let choice = match reservation {
            Some(token) => self.reservations.get(token),
            None => self.conferences.get(key),
        };
        choice.copied().unwrap_or_default()
    }

    fn change_conference(
        &mut self,
        key: &ConferenceKey,
        reservation: Option<&ReservationToken>,
        change: &SoundChange,
    ) {
        match reservation {
            Some(token) => self.reservations.entry(token.clone()).or_default().change(change),
            None => self.conferences.entry(key.clone()).or_default().change(change),
        }
    }

    pub(crate) fn reservation_opened(&mut self, key: &ConferenceKey, token: &ReservationToken) {
        self.open.insert(key.clone(), token.clone());
    }

    pub(crate) fn reservation_over(&mut self, key: &ConferenceKey, token: &ReservationToken) {
        if self.open.get(key) == Some(token) {
            self.open.remove(key);
        }
    }

    /// A reservation is gone, and with it what was set for it.
    pub(crate) fn reservation_gone(&mut self, key: &ConferenceKey, token: &ReservationToken) {
        self.reservation_over(key, token);
        self.reservations.remove(token);
    }

    /// An unreserved conference is gone.
    pub(crate) fn conference_gone(&mut self, key: &ConferenceKey) {
        self.conferences.remove(key);
    }
}

fn settings(sound: AudioProcessing) -> SoundSettings {
    SoundSettings {
        automatic_gain: sound.automatic_gain,
        noise_suppression: sound.noise_suppression,
        gain_db: Some(sound.gain_db),
    }
}

impl Calls {
    fn conference_sound(&self, key: &ConferenceKey) -> AudioProcessing {
        let choice = self.sounds.of_conference(key, self.sounds.open.get(key));
        choice.over(self.account_sound(key.account))
    }

    fn account_sound(&self, account: AccountId) -> AudioProcessing {
        self.sounds.accounts.get(&account).copied().unwrap_or_default().over(self.settings.processing)
    }

    pub(crate) fn sound_of_call(&self, key: &ConferenceKey, number: CallNumber) -> SoundSettings {
        settings(self.call_sound(key, number))
    }

    pub(crate) fn call_sound(&self, key: &ConferenceKey, number: CallNumber) -> AudioProcessing {
        let choice = self.calls.get(&number).map(|call| call.sound).unwrap_or_default();
        choice.over(self.conference_sound(key))
    }

    /// Has the media plane process a call's audio as its conference and its own settings say.
    pub(crate) fn apply_sound(&mut self, key: &ConferenceKey, number: CallNumber) {
        let processing = self.call_sound(key, number);
        self.out.set_processing(number, processing);
    }

    pub(crate) fn change_account_sound(&mut self, account: AccountId, change: &SoundChange) -> SoundSettings {
        self.sounds.accounts.entry(account).or_default().change(change);
        self.apply_to_all(|key| key.account == account);
        SoundSettings { gain_db: None, ..settings(self.account_sound(account)) }
    }

    /// What has to be in the store before this change is made.
    pub(crate) fn plan_account_sound(
        &self,
        account: AccountId,
        change: &SoundChange,
    ) -> (AudioOwner, StoredAudio) {
        let mut choice = self.sounds.accounts.get(&account).copied().unwrap_or_default();
        choice.change(change);
        (AudioOwner::Account(account), choice.into())
    }

    /// Answers a question about the participants of a conference, from what its home says.
    pub fn handle_participants_question(
        &mut self,
        id: QuestionId,
        query: ParticipantsQuery,
        now: plenary_conference::Now,
    ) {
        self.now = now;
        let ParticipantsQuery { conference, reservation, state, participants, what } = query;
        let answer = match what {
            ParticipantsQuestion::Roster => Answer::Roster(self.roster(&conference, state, participants)),
            ParticipantsQuestion::One(id) => {
                let one = self.one_participant(&conference, &id, state, participants);
                Answer::Roster(one.map(|participant| vec![participant]))
            }
            ParticipantsQuestion::ChangeSound(None, change) => {
                self.sounds.change_conference(&conference, reservation.as_ref(), &change);
                self.apply_to_all(|key| *key == conference);
                let choice = self.sounds.of_conference(&conference, reservation.as_ref());
                let sound = choice.over(self.account_sound(conference.account));
                Answer::Sound(Ok(SoundSettings { gain_db: None, ..settings(sound) }))
            }
            ParticipantsQuestion::ChangeSound(Some(participant), change) => {
                Answer::Sound(self.change_participant_sound(&conference, &participant, &change))
            }
            ParticipantsQuestion::PlanSound(change) => {
                let mut choice = self.sounds.of_conference(&conference, reservation.as_ref());
                choice.change(&change);
                // Without a reservation it does not outlive the conference.
                Answer::SoundPlan(
                    Ok(reservation.map(|token| (AudioOwner::Reservation(token), choice.into()))),
                )
            }
        };
        self.out.reply(id, answer);
    }

    fn change_participant_sound(
        &mut self,
        key: &ConferenceKey,
        participant: &ParticipantId,
        change: &SoundChange,
    ) -> Result<SoundSettings, Refused> {
        let (number, call) = self.call_with_seat(key, participant).ok_or(Refused::UnknownParticipant)?;
        call.sound.change(change);
        // Of one that has no media yet it is said once it has.
        if call.session_mut().is_some() {
            self.apply_sound(key, number);
        }
        Ok(settings(self.call_sound(key, number)))
    }

    fn apply_to_all(&mut self, is_meant: impl Fn(&ConferenceKey) -> bool) {
        let meant = self.calls.iter().filter_map(|(number, call)| {
            let key = call.conference().filter(|key| is_meant(key))?;
            Some((key.clone(), *number))
        });
        for (key, number) in meant.collect::<Vec<_>>() {
            self.apply_sound(&key, number);
        }
    }

    /// A reservation was removed, and with it what was set for it.
    pub fn reservation_removed(&mut self, key: &ConferenceKey, token: &ReservationToken) {
        self.sounds.reservation_gone(key, token);
    }
}
