//! Edge and home on one machine: their messages are handed over by function call, in the order in which they are made.

use crate::{
    CallNumber, Calls, Output, RecorderEvent, Settings, Start,
    lookup::{Found, LookupId},
    media::MediaEvent,
    question::{Answer, EdgeQuestion, HomeQuestion, ParticipantsQuery, Question},
};
use plenary_conference::{
    ConferenceKey, Conferences, Event, Home, Mono, Now, QuestionId, Refused, conferences::ConferenceRef,
};
use plenary_sip::SipEvent;
use std::collections::VecDeque;

/// Something that has happened.
#[derive(Debug)]
pub enum Input {
    /// The user agent says this.
    Sip(SipEvent),
    /// The media plane says this.
    Media(MediaEvent),
    /// The recorder says this.
    Recorder(RecorderEvent),
    /// The store says this to a [`Output::Lookup`].
    Found(LookupId, Found),
    /// A question.
    Question(QuestionId, Question),
    /// Other settings from now on.
    Settings(Box<Settings>),
    /// Every call is to end.
    Stop,
    /// Time has passed.
    Timeout,
}

impl Input {
    /// A call may be placed because of it, one at the most: it is to have a number ([`Node::give_number`]).
    #[must_use]
    pub fn may_place_a_call(&self) -> bool {
        match self {
            Self::Sip(event) => {
                // Keys may come before the ACK, and count once it is there.
                matches!(
                    event,
                    SipEvent::Referred(_)
                        | SipEvent::KeyPressed { .. }
                        | SipEvent::Confirmed { .. }
                        | SipEvent::Ended { .. }
                )
            }
            Self::Media(event) => {
                matches!(event, MediaEvent::KeyPressed { .. } | MediaEvent::RtpTimeout { .. })
            }
            Self::Found(..) => true,
            Self::Question(_, question) => question.may_place_a_call(),
            Self::Recorder(_) | Self::Settings(_) | Self::Stop | Self::Timeout => false,
        }
    }
}

impl Question {
    fn may_place_a_call(&self) -> bool {
        match self {
            Self::Edge(question) => matches!(question, EdgeQuestion::Invite { .. }),
            Self::By(_, question) => question.may_place_a_call(),
            Self::Home(_) | Self::Participants { .. } | Self::Totals => false,
        }
    }
}

/// The calls of this node, and the conferences, all of which are at home here.
#[derive(Debug)]
pub struct Node {
    calls: Calls,
    home: Home,
    outputs: VecDeque<Output>,
}

impl Node {
    /// No calls yet; the conferences as they were read back.
    #[must_use]
    pub fn new(start: Start, conferences: Conferences, now: Now) -> Self {
        let mut node =
            Self { calls: Calls::new(start, now), home: Home::new(conferences), outputs: VecDeque::new() };
        node.handle(Input::Timeout, now);
        node
    }

    /// Takes one input, and all that follows from it within this machine.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Sip(event) => self.calls.handle_sip(event, now),
            Input::Media(event) => self.calls.handle_media(event, now),
            Input::Recorder(event) => self.calls.handle_recording(event, now),
            Input::Found(id, found) => self.calls.handle_found(id, found, now),
            Input::Question(id, question) => self.handle_question(id, question, now),
            Input::Settings(settings) => self.calls.handle_settings(*settings),
            Input::Stop => self.calls.handle_stop(now),
            Input::Timeout => {
                self.home.handle_timeout(now);
                self.calls.handle_timeout(now);
            }
        }
        self.settle(now);
        self.home.set_requester(None);
    }

    /// The next thing to do outside of this machine, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timeout`] is due, given the present offset between the two clocks. The calendar clock may be corrected at
    /// any time, so it should come once a second in any case.
    #[must_use]
    pub fn poll_timeout(&self, now: Now) -> Option<Mono> {
        [self.home.poll_timeout(now), self.calls.poll_timeout()].into_iter().flatten().min()
    }

    /// The calls.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The conferences.
    #[must_use]
    pub fn conferences(&self) -> &Conferences {
        self.home.conferences()
    }

    /// See [`Calls::give_number`].
    pub fn give_number(&mut self, number: CallNumber) {
        self.calls.give_number(number);
    }

    /// See [`Calls::finish_records`].
    pub fn finish_records(&mut self, now: Now) {
        self.calls.finish_records();
        self.home.stop_history(now);
        self.settle(now);
    }

    /// The call that an input is about.
    #[must_use]
    pub fn call_of(&self, input: &Input) -> Option<CallNumber> {
        match input {
            Input::Sip(event) => call_of_sip(event),
            Input::Media(event) => call_of_media(event),
            Input::Found(id, _) => self.calls.call_of_lookup(*id),
            Input::Recorder(_) | Input::Question(..) | Input::Settings(_) | Input::Stop | Input::Timeout => {
                None
            }
        }
    }

    /// A mistake of ours in the handling of this call, a panic for one: the call ends, and all others go on.
    pub fn handle_failure(&mut self, call: CallNumber, now: Now) {
        self.calls.handle_failure(call, now);
        self.settle(now);
    }

    /// Takes everything that is under way within this machine further; after a mistake something may be left.
    pub fn settle(&mut self, now: Now) {
        loop {
            if let Some(message) = self.home.poll_message() {
                self.calls.handle_home(message, now);
            } else if let Some(event) = self.home.poll_event() {
                self.outputs.push_back(Output::Event(event));
            } else if let Some((question, done)) = self.home.poll_answer() {
                self.outputs.push_back(Output::Reply { question, answer: Answer::Done(done) });
            } else if let Some(output) = self.calls.poll_output() {
                match output {
                    Output::Home(message) => self.home.handle_message(message, now),
                    Output::Sip(_)
                    | Output::Media(_)
                    | Output::Lookup { .. }
                    | Output::Recorder(_)
                    | Output::Record(_)
                    | Output::History(_)
                    | Output::Event(_)
                    | Output::Permitted(_)
                    | Output::Reply { .. } => self.outputs.push_back(output),
                }
            } else if let Some(entry) = self.home.poll_history() {
                self.outputs.push_back(Output::History(entry));
            } else {
                return;
            }
        }
    }

    /// See [`Calls::abandon`]: nothing of the call is left, neither here nor in its conference.
    pub fn abandon(&mut self, call: CallNumber, now: Now) {
        self.calls.abandon(call);
        self.settle(now);
    }

    fn handle_question(&mut self, id: QuestionId, question: Question, now: Now) {
        // Questions are answered as of this moment, also when the timer has not run yet.
        self.home.handle_timeout(now);
        match question {
            Question::By(actor, question) => {
                self.home.set_requester(Some(actor));
                self.handle_question(id, *question, now);
            }
            Question::Edge(question) => self.calls.handle_question(id, question, now),
            Question::Home(question) => {
                if let Some(answer) = self.ask_home(id, question, now) {
                    self.reply_after_messages(id, answer, now);
                }
            }
            Question::Totals => {
                let totals = self.calls.totals(self.home.conferences().totals());
                self.outputs
                    .push_back(Output::Reply { question: id, answer: Answer::Totals(Box::new(totals)) });
            }
            Question::Participants { account, which, what } => {
                let conferences = self.home.conferences();
                let found = match (&which, what.is_of_all_states()) {
                    (ConferenceRef::Name(name), true) => Ok(ConferenceKey { account, name: name.clone() }),
                    _ => conferences.resolve(account, &which),
                };
                let query = found.map(|conference| {
                    let inside = conferences.participants(&conference);
                    let mut participants = inside.map(|(_, inside)| inside).unwrap_or_default();
                    participants.extend(conferences.expected(&conference));
                    let reservation = conferences.reservation_of(&conference);
                    ParticipantsQuery {
                        reservation: reservation.map(|reservation| reservation.token.clone()),
                        state: conferences.overview(&conference).map(|overview| overview.state),
                        participants,
                        conference,
                        what: what.clone(),
                    }
                });
                match query {
                    Ok(query) => self.calls.handle_participants_question(id, query, now),
                    Err(refused) => {
                        let answer = what.refused(refused);
                        self.outputs.push_back(Output::Reply { question: id, answer });
                    }
                }
            }
        }
    }

    /// What the home decides at once is carried out first: a client that is answered finds it done.
    fn reply_after_messages(&mut self, question: QuestionId, answer: Answer, now: Now) {
        self.settle(now);
        self.outputs.push_back(Output::Reply { question, answer });
    }

    /// The answer; `None`: it comes once the edge has done what is asked for.
    fn ask_home(&mut self, id: QuestionId, question: HomeQuestion, now: Now) -> Option<Answer> {
        if let HomeQuestion::Reservation(Event::ReservationRemoved { token }) = &question
            && let Some(key) = self.home.conferences().key_of(token)
        {
            self.calls.reservation_removed(key, token);
        }
        question.ask(&mut self.home, id, now)
    }
}

impl crate::question::ParticipantsQuestion {
    /// It is about participants also where the conference has none that is in.
    const fn is_of_all_states(&self) -> bool {
        matches!(self, Self::Roster | Self::One(_) | Self::ChangeSound(Some(_), _))
    }

    fn refused(&self, refused: Refused) -> Answer {
        match self {
            Self::Roster | Self::One(_) => Answer::Roster(Err(refused)),
            Self::ChangeSound(..) => Answer::Sound(Err(refused)),
            Self::PlanSound(_) => Answer::SoundPlan(Err(refused)),
        }
    }
}

fn call_of_sip(event: &SipEvent) -> Option<CallNumber> {
    let call = match event {
        SipEvent::Incoming(incoming) => incoming.call,
        SipEvent::Confirmed { call, .. }
        | SipEvent::Reoffer { call, .. }
        | SipEvent::ReofferAnswer { call, .. }
        | SipEvent::KeyPressed { call, .. }
        | SipEvent::Cancelled { call, .. }
        | SipEvent::Progress { call, .. }
        | SipEvent::Answered { call, .. }
        | SipEvent::Rejected { call, .. }
        | SipEvent::ReferralProgress { call, .. }
        | SipEvent::Ended { call, .. } => *call,
        // Of no call, or of one that the machine does not control yet.
        SipEvent::Subscribing(_)
        | SipEvent::Resubscribed(_)
        | SipEvent::Unsubscribed(_)
        | SipEvent::Registering(_)
        | SipEvent::Referred(_)
        | SipEvent::Registered { .. }
        | SipEvent::RegistrationFailed { .. }
        | SipEvent::Unregistered(_)
        | SipEvent::ConnectionClosed(_)
        | SipEvent::Permitted { .. }
        | SipEvent::Banned { .. }
        | SipEvent::Blocked { .. } => return None,
    };
    Some(CallNumber(call.0))
}

fn call_of_media(event: &MediaEvent) -> Option<CallNumber> {
    match event {
        MediaEvent::Opened { call, .. }
        | MediaEvent::Weighed { call, .. }
        | MediaEvent::KeyPressed { call, .. }
        | MediaEvent::Talking { call, .. }
        | MediaEvent::RtpTimeout { call }
        | MediaEvent::NeverHeard { call }
        | MediaEvent::PeerClosed { call }
        | MediaEvent::HoldTimeout { call }
        | MediaEvent::SilenceTimeout { call }
        | MediaEvent::Recorded { call, .. }
        | MediaEvent::Closed { call, .. } => Some(*call),
        // Of a play or a room, or nothing that a call is ended for.
        MediaEvent::OneWay { .. }
        | MediaEvent::PlayFinished { .. }
        | MediaEvent::PlayFailed { .. }
        | MediaEvent::RoomFailed { .. } => None,
    }
}
