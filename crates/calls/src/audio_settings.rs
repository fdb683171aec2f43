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
use plenary_conference::{
    AccountId, ConferenceKey, EdgeReport, ParticipantId, QuestionId, Refused, ReservationToken, ToHome,
};
use plenary_model::{AudioOwner, Decibels, ParticipantUpdate, StoredAudio, VoiceSound};
use std::collections::{BTreeMap, BTreeSet};

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

/// How conferences and calls were made to sound.
struct Before {
    /// Those that are open.
    conferences: Vec<(ConferenceKey, VoiceSound)>,
    calls: Vec<Processed>,
}

/// A call, and how it was made to sound.
struct Processed {
    key: ConferenceKey,
    call: CallNumber,
    processing: AudioProcessing,
}

fn voice(sound: AudioProcessing) -> VoiceSound {
    VoiceSound { automatic_gain: sound.automatic_gain, noise_suppression: sound.noise_suppression }
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
        let before = self.processed(|key| key.account == account);
        self.sounds.accounts.entry(account).or_default().change(change);
        self.apply_to(before);
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
                let before = self.processed(|key| *key == conference);
                self.sounds.change_conference(&conference, reservation.as_ref(), &change);
                self.apply_to(before);
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
        let (number, _) = self.call_with_seat(key, participant).ok_or(Refused::UnknownParticipant)?;
        let before = Processed { key: key.clone(), call: number, processing: self.call_sound(key, number) };
        if let Some(call) = self.calls.get_mut(&number) {
            call.sound.change(change);
        }
        self.apply_to(Before { conferences: Vec::new(), calls: vec![before] });
        Ok(settings(self.call_sound(key, number)))
    }

    /// How these conferences, and calls in them, are made to sound now.
    fn processed(&self, is_meant: impl Fn(&ConferenceKey) -> bool) -> Before {
        // A conference without a reservation is open as long as there are calls.
        let with_calls = self.calls.values().filter_map(|call| call.seat.as_ref());
        let open = self.sounds.open.keys().chain(with_calls).filter(|key| is_meant(key));
        let open: BTreeSet<&ConferenceKey> = open.collect();
        let meant = self.calls.iter().filter_map(|(number, call)| {
            let key = call.seat.as_ref().filter(|key| is_meant(key))?;
            Some(Processed { key: key.clone(), call: *number, processing: self.call_sound(key, *number) })
        });
        Before {
            conferences: open
                .into_iter()
                .map(|key| (key.clone(), voice(self.conference_sound(key))))
                .collect(),
            calls: meant.collect(),
        }
    }

    /// Has calls sound as is set by now. Those that sound otherwise than before have changed, and so have their conferences.
    fn apply_to(&mut self, before: Before) {
        for (conference, sound) in before.conferences {
            let now = voice(self.conference_sound(&conference));
            if now != sound {
                let report = EdgeReport::Sound(now);
                self.out.home(ToHome::Report { conference, participant: None, report });
            }
        }
        for Processed { key, call: number, processing } in before.calls {
            let Some(call) = self.calls.get_mut(&number) else { continue };
            let participant = call.participant.clone();
            // Of one that has no media yet it is said once it has.
            if call.session_mut().is_some() {
                self.apply_sound(&key, number);
            }
            let now = self.call_sound(&key, number);
            let update = ParticipantUpdate {
                sound: (voice(processing) != voice(now)).then(|| voice(now)),
                gain_db: Some(Decibels(now.gain_db)).filter(|gain| *gain != Decibels(processing.gain_db)),
                ..ParticipantUpdate::default()
            };
            if update != ParticipantUpdate::default() {
                self.report(&key, &participant, EdgeReport::Changed(Box::new(update)));
            }
        }
    }

    /// A reservation was removed, and with it what was set for it.
    pub fn reservation_removed(&mut self, key: &ConferenceKey, token: &ReservationToken) {
        self.sounds.reservation_gone(key, token);
    }
}
