//! The door of the engine for the web services: questions and commands, answered one at a time.

mod control;
mod sound;

use super::{EngineCommand, media_plane};
use crate::clock::Clock;
use plenary_api::{AskHome, ControlError, HomeClient, Participant, ParticipantReport};
use plenary_calls::{
    Settings, Totals,
    question::{Answer, EdgeQuestion, HomeQuestion, ParticipantsQuestion, Question},
};
use plenary_conference::{
    AccountId, ConferenceKey, ConferenceName, ParticipantId, ReservationLimits, Timestamp,
    conferences::ConferenceRef,
};
use plenary_media::MediaHandle;
use plenary_model::{Actor, ConferenceRecordingId, RecordingFailure};
use plenary_store::{Doing, Store};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};

/// Asks and commands the engine. Clones share its queue.
#[derive(Debug, Clone)]
pub(crate) struct EngineHandle {
    engine: EngineQueue,
    /// Conferences and reservations, as their home has them.
    home: HomeClient<EngineQueue>,
    store: Store,
    media: MediaHandle,
    /// The service is stopping: health checks are answered so.
    is_draining: Arc<AtomicBool>,
}

/// The engine's queue.
#[derive(Debug, Clone)]
struct EngineQueue {
    commands: mpsc::Sender<EngineCommand>,
    clock: Clock,
    /// The actor that asks; `None`: none that events name.
    actor: Option<Actor>,
}

impl EngineQueue {
    async fn ask(&self, question: Question) -> Result<Answer, ControlError> {
        let (reply, answer) = oneshot::channel();
        let question = match &self.actor {
            Some(actor) => Question::By(actor.clone(), Box::new(question)),
            None => question,
        };
        let stopping = || ControlError::Unavailable("the service is stopping".to_owned());
        self.commands.send(EngineCommand::Ask(Box::new(question), reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }
}

impl AskHome for EngineQueue {
    async fn ask(&self, question: HomeQuestion) -> Result<Answer, ControlError> {
        Self::ask(self, Question::Home(question)).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now().wall
    }

    fn acting(&self, actor: Actor) -> Self {
        Self { actor: Some(actor), ..self.clone() }
    }
}

/// One line of the roster with what the web services of the specification do not show.
#[derive(Debug, Clone)]
pub(crate) struct RosterLine {
    pub(crate) from: String,
    pub(crate) muted: bool,
    pub(crate) talking: bool,
}

impl EngineHandle {
    pub(super) fn new(
        commands: mpsc::Sender<EngineCommand>,
        store: Store,
        media: MediaHandle,
        limits: ReservationLimits,
        clock: Clock,
    ) -> Self {
        let engine = EngineQueue { commands, clock, actor: None };
        let home = HomeClient::new(engine.clone(), store.clone(), limits);
        Self { engine, home, store, media, is_draining: Arc::default() }
    }

    async fn ask(&self, question: Question) -> Result<Answer, ControlError> {
        self.engine.ask(question).await
    }

    async fn ask_edge(&self, question: EdgeQuestion) -> Result<Answer, ControlError> {
        self.ask(Question::Edge(question)).await
    }

    async fn ask_about_call(&self, question: EdgeQuestion) -> Result<ParticipantId, ControlError> {
        match self.ask_edge(question).await? {
            Answer::Call(participant) => participant,
            other => Err(other.mismatch()),
        }
    }

    async fn participants_of(
        &self,
        account: AccountId,
        conference: ConferenceName,
        what: ParticipantsQuestion,
    ) -> Result<Vec<Participant>, ControlError> {
        let which = ConferenceRef::Name(conference);
        match self.ask(Question::Participants { account, which, what }).await? {
            Answer::Roster(roster) => roster.map_err(ControlError::Refused),
            other => Err(other.mismatch()),
        }
    }

    /// Puts beside participants what is measured of their calls.
    async fn measured(&self, participants: Vec<Participant>) -> Vec<ParticipantReport> {
        // All are asked for before the first is waited for.
        let asked = participants.into_iter().map(|participant| {
            let statistics = participant.call.map(|call| self.media.ask_stats(media_plane::id(call)));
            (participant, statistics)
        });
        let mut reports = Vec::new();
        for (participant, statistics) in asked.collect::<Vec<_>>() {
            // A call that ends just now has none.
            let statistics = match statistics {
                Some(statistics) => statistics.await.ok(),
                None => None,
            };
            reports.push(ParticipantReport { participant, statistics });
        }
        reports
    }

    /// Who is in a conference, and who of them is talking.
    pub(crate) async fn roster(&self, key: ConferenceKey) -> Result<Vec<RosterLine>, ControlError> {
        let inside = match self.participants_of(key.account, key.name, ParticipantsQuestion::Roster).await {
            Err(ControlError::Refused(_)) => Vec::new(),
            inside => inside?,
        };
        let line = |one: Participant| RosterLine {
            from: one.name,
            muted: one.muted_by.is_some(),
            talking: one.talking,
        };
        Ok(inside.into_iter().filter(|one| one.entered_at.is_some()).map(line).collect())
    }

    /// Who is heard talking in conferences of the account.
    pub(crate) async fn talkers(
        &self,
        account: AccountId,
    ) -> Result<Vec<(ConferenceName, ParticipantId)>, ControlError> {
        self.home.talkers(account).await
    }

    /// What goes on over all accounts.
    pub(crate) async fn totals(&self) -> Result<Totals, ControlError> {
        match self.ask(Question::Totals).await? {
            Answer::Totals(totals) => Ok(*totals),
            other => Err(other.mismatch()),
        }
    }

    /// The same engine; what it is asked to change is told by events as their doing, and what is stored has its entry in the audit log.
    pub(super) fn acting(&self, doing: Doing) -> Self {
        Self {
            engine: self.engine.acting(doing.actor.clone()),
            store: self.store.acting(doing.clone()),
            home: self.home.acting(doing),
            ..self.clone()
        }
    }

    /// The engine answers within `within`.
    pub(crate) async fn is_alive(&self, within: Duration) -> bool {
        tokio::time::timeout(within, self.ask_edge(EdgeQuestion::Ping))
            .await
            .is_ok_and(|answer| answer.is_ok())
    }

    /// Returns when the engine has ended.
    pub(crate) async fn ended(&self) {
        self.engine.commands.closed().await;
    }

    /// Has what is done next for this call fail, as a mistake of ours would.
    #[cfg(test)]
    pub(crate) async fn fail(&self, call: Option<plenary_calls::CallNumber>) {
        let _ = self.engine.commands.send(EngineCommand::Fail { call }).await;
    }

    /// Other settings from now on.
    pub(crate) async fn reconfigure(&self, settings: Settings) {
        let _ = self.engine.commands.send(EngineCommand::Reconfigure(Box::new(settings))).await;
    }

    /// A recording ends by itself.
    pub(crate) async fn recording_failed(&self, recording: ConferenceRecordingId, failure: RecordingFailure) {
        let _ = self.engine.commands.send(EngineCommand::RecordingFailed { recording, failure }).await;
    }

    /// So much audio of a recording was lost, in milliseconds.
    pub(crate) async fn recording_lost(&self, recording: ConferenceRecordingId, ms: u64) {
        let _ = self.engine.commands.send(EngineCommand::RecordingLost { recording, ms }).await;
    }

    /// Takes no new calls; returns when the last one is over.
    pub(crate) async fn drain(&self) {
        self.is_draining.store(true, Relaxed);
        let _ = self.ask_edge(EdgeQuestion::Drain).await;
    }

    /// Hangs up every call and ends the engine; returns when the last BYE is answered or `within` has passed.
    pub(crate) async fn stop(&self, within: Duration) {
        let (reply, stopped) = oneshot::channel();
        let stop = async {
            if self.engine.commands.send(EngineCommand::Stop(reply)).await.is_ok() {
                let _ = stopped.await;
            }
        };
        let _ = tokio::time::timeout(within, stop).await;
    }
}
