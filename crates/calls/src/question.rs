//! What the web services, the terminal and the operator ask, and what they are answered. A reply carries the number of its
//! question; who waits for it is the loop's business.

use crate::{
    ControlError,
    control::{Invitation, Playback, SoundChange, SoundSettings, TrunkState},
    lookup::StoreFailed,
    participants::Participant,
    totals::Totals,
};
use plenary_conference::{
    AccountId, ConferenceKey, ConferenceName, Event, Home, Now, ParticipantId, QuestionId, Refused,
    Reservation, ReservationToken, State, Timestamp,
    conferences::{
        ConferenceOverview, ConferenceRef, ConferenceSummary, ParticipantSummary, ReservationsQuery,
    },
};
use plenary_model::{Actor, AudioOwner, InbandDtmf, StoredAudio, Trunk};
use std::collections::BTreeMap;

/// A question or a command.
#[derive(Debug)]
pub enum Question {
    /// To the home of conferences.
    Home(HomeQuestion),
    /// About a conference's participants at their edge: the home says who they are.
    Participants {
        /// The account that asks; the conference is one of its own.
        account: AccountId,
        /// The conference, by name or reservation.
        which: ConferenceRef,
        /// What about them.
        what: ParticipantsQuestion,
    },
    /// To the edge.
    Edge(EdgeQuestion),
    /// What goes on over all accounts. [`Answer::Totals`].
    Totals,
    /// One of the others, asked by an actor that events name.
    By(Actor, Box<Question>),
}

/// What is asked of the home.
#[derive(Debug)]
pub enum HomeQuestion {
    /// Keeps a name while its reservation is on its way to the database. [`Answer::Done`].
    Claim {
        /// The name.
        conference: ConferenceKey,
        /// Only for this time; `None`: there may be no other reservation of this name.
        time: Option<(Timestamp, Timestamp)>,
    },
    /// Gives a claimed name back. [`Answer::Done`].
    Release(ConferenceKey),
    /// A reservation was made, changed, extended or removed. [`Answer::Done`].
    Reservation(Event),
    /// Changes a participant; [`Answer::Done`] once its edge has done it.
    Change {
        /// The account that asks; the conference is one of its own.
        account: AccountId,
        /// The conference, by name or reservation.
        which: ConferenceRef,
        /// The participant that is changed, who is in.
        participant: ParticipantId,
        /// What becomes of it.
        change: ParticipantAction,
    },
    /// Changes or ends a conference, or changes or removes a participant, in every state; [`Answer::Done`] once the edges
    /// have done it.
    Control(Event),
    /// Every conference of the account. [`Answer::Conferences`].
    List(AccountId),
    /// Conferences of the account by name. [`Answer::Overviews`].
    Overviews {
        /// The account whose conferences they are.
        account: AccountId,
        /// Those after this name.
        after: Option<ConferenceName>,
        /// Those in this state.
        state: Option<State>,
        /// So many at the most.
        limit: usize,
    },
    /// One conference. [`Answer::Overview`].
    Overview(ConferenceKey),
    /// State and participants. [`Answer::Participants`].
    Participants {
        /// The account that asks; the conference is one of its own.
        account: AccountId,
        /// The conference, by name or reservation.
        which: ConferenceRef,
    },
    /// Who is heard talking in conferences of the account. [`Answer::Talkers`].
    Talkers(AccountId),
    /// Reservations of the account. [`Answer::Reservations`].
    Reservations(AccountId, Box<ReservationsQuery>),
    /// A reservation and its state. [`Answer::Reservation`].
    Find {
        /// The account that asks; the reservation is one of its own.
        account: AccountId,
        /// The token that booking it gave.
        token: ReservationToken,
    },
}

/// A change of a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParticipantAction {
    /// What is given is set, and the rest left.
    SetOptions {
        /// It may not speak.
        muted: Option<bool>,
        /// Its keys do something.
        dtmf_enabled: Option<bool>,
    },
    /// The participant is ejected.
    Eject,
}

/// A question about the participants of one conference.
#[derive(Debug, Clone)]
pub enum ParticipantsQuestion {
    /// Who is in, waits or is being called. [`Answer::Roster`].
    Roster,
    /// One of them, also for a while after its end. [`Answer::Roster`].
    One(ParticipantId),
    /// How they are to sound, all or one of them. [`Answer::Sound`].
    ChangeSound(Option<ParticipantId>, SoundChange),
    /// What of this change has to be in the store first. [`Answer::SoundPlan`].
    PlanSound(SoundChange),
}

/// What is asked of the edge.
#[derive(Debug)]
pub enum EdgeQuestion {
    /// How all conferences of an account are to sound. [`Answer::Sound`].
    ChangeAccountSound(AccountId, SoundChange),
    /// What of this change has to be in the store first. [`Answer::SoundPlan`].
    PlanAccountSound(AccountId, SoundChange),
    /// The trunks have been read again. [`Answer::Done`].
    Trunks(Result<Vec<Trunk>, StoreFailed>),
    /// How the account's trunks do. [`Answer::TrunkStates`].
    TrunkStates(AccountId),
    /// Calls a participant into a conference. [`Answer::Call`] once there is a seat.
    Invite {
        /// The account whose trunks and users the call may take.
        account: AccountId,
        /// The conference that the called participant enters.
        conference: ConferenceName,
        /// Whom to call, and how.
        invitation: Box<Invitation>,
    },
    /// Changes a participant's display name. [`Answer::Done`].
    Rename {
        /// The conference.
        conference: ConferenceKey,
        /// The participant that gets another name.
        participant: ParticipantId,
        /// The name; `None`: it has none.
        display_name: Option<String>,
    },
    /// Whether keys are also looked for as tones in a participant's audio. [`Answer::Done`].
    SetInbandDtmf {
        /// The conference.
        conference: ConferenceKey,
        /// The participant whose audio is meant.
        participant: ParticipantId,
        /// `None`: as configured.
        inband_dtmf: Option<InbandDtmf>,
    },
    /// Whether a participant has a key by which it unmutes itself. [`Answer::Done`], refused where it has none.
    CheckUnmuteKey {
        /// The conference.
        conference: ConferenceKey,
        /// The participant whose keys are looked at.
        participant: ParticipantId,
    },
    /// Plays something to a conference or to one participant. [`Answer::Playback`].
    Announce {
        /// The conference.
        conference: ConferenceKey,
        /// What, and to whom.
        playback: Box<Playback>,
    },
    /// Ends a playback. [`Answer::Done`].
    StopAnnouncement {
        /// The conference.
        conference: ConferenceKey,
        /// Its id.
        id: String,
    },
    /// Has the telephone of a participant call another address. [`Answer::Call`].
    Transfer {
        /// The account that asks; the conference is one of its own.
        account: AccountId,
        /// The conference that the participant is in.
        conference: ConferenceName,
        /// The participant whose telephone is asked.
        participant: ParticipantId,
        /// Whom to call.
        to: String,
    },
    /// [`Answer::Done`], at once.
    Ping,
    /// No new calls; [`Answer::Done`] when the last one is over.
    Drain,
}

/// A question about the participants of a conference, with what its home knows of them.
#[derive(Debug)]
pub struct ParticipantsQuery {
    /// The conference.
    pub conference: ConferenceKey,
    /// Its reservation, if it has one.
    pub reservation: Option<ReservationToken>,
    /// Its state; `None`: the home knows no conference of this name.
    pub state: Option<State>,
    /// Participants in the order in which they entered, then those on the way in.
    pub participants: Vec<ParticipantSummary>,
    /// What about them.
    pub what: ParticipantsQuestion,
}

/// An answer.
#[derive(Debug)]
pub enum Answer {
    /// It was done, or refused.
    Done(Result<(), Refused>),
    /// Conferences.
    Conferences(Vec<ConferenceSummary>),
    /// A conference's state and participants.
    Participants(Result<(State, Vec<ParticipantSummary>), Refused>),
    /// A reservation and its state.
    Reservation(Option<(Reservation, State)>),
    /// Reservations, each with its state.
    Reservations(Vec<(Reservation, State)>),
    /// Conferences.
    Overviews(Vec<ConferenceOverview>),
    /// A conference.
    Overview(Option<Box<ConferenceOverview>>),
    /// Who is heard talking, and where.
    Talkers(Vec<(ConferenceName, ParticipantId)>),
    /// Participants.
    Roster(Result<Vec<Participant>, Refused>),
    /// How it sounds now.
    Sound(Result<SoundSettings, Refused>),
    /// What has to be in the store first; `None`: nothing.
    SoundPlan(Result<Option<(AudioOwner, StoredAudio)>, Refused>),
    /// The id of a playback.
    Playback(Result<String, Refused>),
    /// How trunks do, by name.
    TrunkStates(BTreeMap<String, TrunkState>),
    /// What goes on.
    Totals(Box<Totals>),
    /// The participant whose call is placed or transferred.
    Call(Result<ParticipantId, ControlError>),
}

impl Answer {
    /// Whether it was done.
    ///
    /// # Errors
    /// It was refused; or this is the answer to another question.
    pub fn done(self) -> Result<(), ControlError> {
        match self {
            Self::Done(done) => done.map_err(ControlError::Refused),
            other => Err(other.mismatch()),
        }
    }

    /// This is the answer to another question, which is a mistake of ours.
    #[must_use]
    pub fn mismatch(&self) -> ControlError {
        ControlError::Internal(format!("an answer to another question: {self:?}").into())
    }
}

impl HomeQuestion {
    /// Asks the home. `None`: the answer comes by [`Home::poll_answer`], once the edges have done what follows.
    pub fn ask(self, home: &mut Home, id: QuestionId, now: Now) -> Option<Answer> {
        Some(match self {
            Self::Claim { conference, time: None } => Answer::Done(home.claim_name(&conference, now)),
            Self::Claim { conference, time: Some(time) } => {
                Answer::Done(home.claim_time(&conference, time, now))
            }
            Self::Release(key) => {
                home.release_name(&key);
                Answer::Done(Ok(()))
            }
            Self::Reservation(event) | Self::Control(event) => {
                home.handle_question(id, event, now);
                return None;
            }
            Self::Change { account, which, participant, change } => {
                let conference = match home.conferences().resolve(account, &which) {
                    Ok(conference) => conference,
                    Err(refused) => return Some(Answer::Done(Err(refused))),
                };
                let event = match change {
                    ParticipantAction::SetOptions { muted, dtmf_enabled } => {
                        Event::SetOptions { conference, participant, muted, dtmf_enabled }
                    }
                    ParticipantAction::Eject => Event::Eject { conference, participant },
                };
                home.handle_question(id, event, now);
                return None;
            }
            Self::Overviews { account, after, state, limit } => {
                let overviews = home.conferences().overviews(account, after.as_ref());
                let meant = overviews.filter(|one| state.is_none_or(|state| one.state == state));
                Answer::Overviews(meant.take(limit).collect())
            }
            Self::Overview(key) => Answer::Overview(home.conferences().overview(&key).map(Box::new)),
            Self::Talkers(account) => Answer::Talkers(home.conferences().talkers(account)),
            Self::List(account) => Answer::Conferences(home.conferences().list(account)),
            Self::Participants { account, which } => {
                Answer::Participants(home.conferences().participants_of(account, &which))
            }
            Self::Find { account, token } => {
                let found = home.conferences().reservation(account, &token);
                Answer::Reservation(found.map(|(reservation, state)| (reservation.clone(), state)))
            }
            Self::Reservations(account, query) => {
                Answer::Reservations(home.conferences().reservations(account, &query))
            }
        })
    }
}
