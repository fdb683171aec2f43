//! How conferences and participants sound, for the web services.

use super::EngineHandle;
use plenary_api::{ControlError, SoundChange, SoundOf, SoundSettings, store_error};
use plenary_calls::question::{Answer, EdgeQuestion, ParticipantsQuestion, Question};
use plenary_conference::AccountId;

impl EngineHandle {
    /// What outlives a restart is in the store before it is heard.
    pub(super) async fn keep_sound(
        self,
        account: AccountId,
        of: SoundOf,
        change: SoundChange,
        expected: Option<SoundSettings>,
    ) -> Result<SoundSettings, ControlError> {
        let _turn = self.home.turn().await;
        if let Some(expected) = expected
            && self.sound_changed(account, of.clone(), SoundChange::default()).await? != expected
        {
            return Err(ControlError::Changed);
        }
        let question = match of.clone() {
            SoundOf::Account => Question::Edge(EdgeQuestion::PlanAccountSound(account, change)),
            SoundOf::Conference(which) | SoundOf::Participant(which, _) => {
                Question::Participants { account, which, what: ParticipantsQuestion::PlanSound(change) }
            }
        };
        let plan = match self.ask(question).await? {
            Answer::SoundPlan(plan) => plan.map_err(ControlError::Refused)?,
            other => return Err(other.mismatch()),
        };
        if let Some((owner, sound)) = plan {
            self.store.keep_sound(&owner, sound).await.map_err(store_error)?;
        }
        self.sound_changed(account, of, change).await
    }

    pub(super) async fn sound_changed(
        &self,
        account: AccountId,
        of: SoundOf,
        change: SoundChange,
    ) -> Result<SoundSettings, ControlError> {
        let question = match of {
            SoundOf::Account => Question::Edge(EdgeQuestion::ChangeAccountSound(account, change)),
            SoundOf::Conference(which) => Question::Participants {
                account,
                which,
                what: ParticipantsQuestion::ChangeSound(None, change),
            },
            SoundOf::Participant(which, participant) => Question::Participants {
                account,
                which,
                what: ParticipantsQuestion::ChangeSound(Some(participant), change),
            },
        };
        match self.ask(question).await? {
            Answer::Sound(sound) => sound.map_err(ControlError::Refused),
            other => Err(other.mismatch()),
        }
    }
}
