//! The home of conferences: [`Conferences`] behind the messages of [`crate::message`].
//!
//! Order of calls: one `handle_*`, then every [`Home::poll_message`] and [`Home::poll_answer`], then [`Home::poll_timeout`].

use crate::{
    Conferences, Effect, Event, Mono, Now, Refused, Timestamp,
    id::ConferenceKey,
    message::{ToEdge, ToHome},
    recording::RecordingReport,
    room::AdmitAnswer,
    state::State,
};
use plenary_model::{AccountEvent, Actor, HistoryEntry};
use std::collections::{BTreeMap, VecDeque};

/// Identifies a question; chosen by the asking side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuestionId(pub u64);

/// What is decided about conferences, and who waits for it to be done.
#[derive(Debug)]
pub struct Home {
    conferences: Conferences,
    messages: VecDeque<ToEdge>,
    /// The number of the last [`ToEdge::Do`].
    seq: u64,
    /// Who is answered when the effects of this number have been carried out.
    waiting: BTreeMap<u64, QuestionId>,
    /// Who is answered when the recording of a conference has begun, or has not.
    opening: BTreeMap<ConferenceKey, QuestionId>,
    answers: VecDeque<(QuestionId, Result<(), Refused>)>,
}

impl Home {
    /// Of these conferences.
    #[must_use]
    pub fn new(conferences: Conferences) -> Self {
        Self {
            conferences,
            messages: VecDeque::new(),
            seq: 0,
            waiting: BTreeMap::new(),
            opening: BTreeMap::new(),
            answers: VecDeque::new(),
        }
    }

    /// The conferences, for questions. What they say is true as of the last `handle_*`.
    #[must_use]
    pub fn conferences(&self) -> &Conferences {
        &self.conferences
    }

    /// Keeps a name from being used: see [`Conferences::claim_name`].
    ///
    /// # Errors
    /// [`Refused::NameTaken`].
    pub fn claim_name(&mut self, key: &ConferenceKey, now: Now) -> Result<(), Refused> {
        let claimed = self.conferences.claim_name(key, now);
        self.collect();
        claimed
    }

    /// Keeps a name from being used for a time: see [`Conferences::claim_time`].
    ///
    /// # Errors
    /// [`Refused::NameTaken`].
    pub fn claim_time(
        &mut self,
        key: &ConferenceKey,
        time: (Timestamp, Timestamp),
        now: Now,
    ) -> Result<(), Refused> {
        let claimed = self.conferences.claim_time(key, time, now);
        self.collect();
        claimed
    }

    /// Gives a claimed name back.
    pub fn release_name(&mut self, key: &ConferenceKey) {
        self.conferences.release_name(key);
    }

    /// Takes an event whose effects are not waited for.
    ///
    /// # Errors
    /// The event makes no sense now.
    pub fn handle_event(&mut self, event: Event, now: Now) -> Result<(), Refused> {
        let outcome = self.conferences.handle_event(event, now);
        self.collect();
        outcome
    }

    /// Takes an event, and answers the question once the edges have carried out what follows from it; at once where it is
    /// refused or nothing follows.
    pub fn handle_question(&mut self, question: QuestionId, event: Event, now: Now) {
        // What time has brought about is not what is waited for.
        self.handle_timeout(now);
        let opens = match &event {
            Event::StartRecording { conference, .. } => Some(conference.clone()),
            _ => None,
        };
        let outcome = self.conferences.handle_event(event, now);
        match (outcome, self.collect(), opens) {
            (Ok(()), _, Some(conference)) => {
                self.opening.insert(conference, question);
            }
            (Ok(()), Some(seq), None) => {
                self.waiting.insert(seq, question);
            }
            (outcome, ..) => self.answers.push_back((question, outcome)),
        }
    }

    /// Takes a message of an edge.
    pub fn handle_message(&mut self, message: ToHome, now: Now) {
        let event = match message {
            ToHome::Admit { conference, participant, options, in_place_of, is_called, via } => {
                let (to, who) = (conference.clone(), participant.clone());
                let event = match in_place_of {
                    Some(of) => Event::AdmitInPlace { participant, conference, options, of },
                    None => Event::Admit { participant, conference, options, is_called, via },
                };
                // Where there is a seat, or a place in the lobby, the answer is among those of the step.
                if let Err(refused) = self.handle_event(event, now) {
                    self.messages.push_back(ToEdge::Refused { conference: to, participant: who, refused });
                }
                return;
            }
            ToHome::Connected { conference, participant } => {
                let outcome = self.handle_event(Event::Connected { participant: participant.clone() }, now);
                return self.messages.push_back(match outcome {
                    Ok(()) => ToEdge::Entered { conference, participant },
                    Err(refused) => ToEdge::Refused { conference, participant, refused },
                });
            }
            ToHome::Command { conference, participant, question, command } => {
                let outcome = self.conferences.handle_command(&participant, command, now);
                self.collect();
                return self.messages.push_back(ToEdge::Outcome {
                    conference,
                    participant,
                    question,
                    outcome,
                });
            }
            ToHome::Introduce { participant, who, by, .. } => Event::Introduce { participant, who, by },
            ToHome::Report { conference, participant, report } => {
                Event::Reported { conference, participant, report }
            }
            ToHome::Gone { participant, .. } => Event::Gone { participant },
            ToHome::TakenOver { participant, by, .. } => Event::TakenOver { participant, by },
            ToHome::Key { participant, key, .. } => Event::KeyPressed { participant, key },
            ToHome::Guessing { conference } => {
                self.conferences.tell_of_guessing(&conference, now);
                self.collect();
                return;
            }
            ToHome::Recording { conference, report } => {
                return self.handle_recording(conference, report, now);
            }
            ToHome::Roster { conference } => {
                self.handle_timeout(now);
                let (state, participants) =
                    self.conferences.participants(&conference).unwrap_or((State::Reserved, Vec::new()));
                let recording = self.conferences.recording(&conference);
                let roster = ToEdge::Roster { conference, state, participants, recording };
                return self.messages.push_back(roster);
            }
            ToHome::Done { seq, .. } => {
                if let Some(question) = self.waiting.remove(&seq) {
                    self.answers.push_back((question, Ok(())));
                }
                return;
            }
        };
        // Leaving and pressing keys is never refused, and a report of a conference that is over is no news.
        let _ = self.handle_event(event, now);
    }

    /// An edge says something about a recording. Who has asked for one is answered once all have been told of it.
    fn handle_recording(&mut self, conference: ConferenceKey, report: RecordingReport, now: Now) {
        let is_answer = matches!(report, RecordingReport::Opened { .. } | RecordingReport::NotOpened { .. });
        let question = is_answer.then(|| self.opening.remove(&conference)).flatten();
        let outcome = self.conferences.handle_event(Event::Recording { conference, report }, now);
        let seq = self.collect();
        match (question, outcome, seq) {
            (Some(question), Ok(()), Some(seq)) => drop(self.waiting.insert(seq, question)),
            (Some(question), outcome, _) => self.answers.push_back((question, outcome)),
            (None, ..) => {}
        }
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Now) {
        self.conferences.handle_timeout(now);
        self.collect();
    }

    /// The next message to an edge, oldest first.
    pub fn poll_message(&mut self) -> Option<ToEdge> {
        self.messages.pop_front()
    }

    /// The next event for the log, oldest first.
    pub fn poll_event(&mut self) -> Option<AccountEvent> {
        self.conferences.poll_event()
    }

    /// What is done from now on, a web service has asked for: by this actor. `None`: nobody's request is being carried out.
    pub fn set_requester(&mut self, requester: Option<Actor>) {
        self.conferences.set_requester(requester);
    }

    /// The next question that is answered.
    pub fn poll_answer(&mut self) -> Option<(QuestionId, Result<(), Refused>)> {
        self.answers.pop_front()
    }

    /// See [`Conferences::poll_history`].
    pub fn poll_history(&mut self) -> Option<HistoryEntry> {
        self.conferences.poll_history()
    }

    /// See [`Conferences::stop_history`].
    pub fn stop_history(&mut self, now: Now) {
        self.conferences.stop_history(now);
    }

    /// When to call [`Self::handle_timeout`] next, given the present offset between the two clocks.
    #[must_use]
    pub fn poll_timeout(&self, now: Now) -> Option<Mono> {
        self.conferences.poll_timeout(now)
    }

    /// Makes messages of the effects, one for each run of effects of one conference, and of the answers to those who want to come
    /// in. The number of the last message with effects.
    fn collect(&mut self) -> Option<u64> {
        let mut last = None;
        let mut run: Vec<Effect> = Vec::new();
        while let Some(effect) = self.conferences.poll_effect() {
            if run.first().is_some_and(|first| first.conference() != effect.conference()) {
                last = Some(self.have_done(std::mem::take(&mut run)));
            }
            run.push(effect);
        }
        if !run.is_empty() {
            last = Some(self.have_done(run));
        }
        while let Some((conference, participant, answer)) = self.conferences.poll_answer() {
            self.messages.push_back(match answer {
                AdmitAnswer::Granted(arrival) => ToEdge::Granted { conference, participant, arrival },
                AdmitAnswer::Waiting { is_leader_told } => {
                    ToEdge::Waiting { conference, participant, is_leader_told }
                }
                AdmitAnswer::Refused(refused) => ToEdge::Refused { conference, participant, refused },
            });
        }
        last
    }

    fn have_done(&mut self, effects: Vec<Effect>) -> u64 {
        self.seq += 1;
        let conference = effects[0].conference().clone();
        self.messages.push_back(ToEdge::Do { conference, seq: self.seq, effects });
        self.seq
    }
}
