//! What the edge of a call and the home of its conference say to each other.
//!
//! The *edge* is the node that the call reaches: it has the call's signalling and media. The *home* is the node that decides
//! about the conference. On one machine both are in one loop and these messages are handed over by function call; they are
//! plain values, so that a link between two machines can carry them as they are.
//!
//! ```text
//!   edge                                    home
//!    │ Admit ──────────────────────────────▶ │  a seat is taken
//!    │ ◀──── Granted, or Refused, or Waiting │  in the lobby, without a seat: Granted or Refused comes later
//!    │ Connected ──────────────────────────▶ │  the participant enters
//!    │ ◀──── Do { seq, effects }             │
//!    │ ◀────────────────── Entered, Refused  │
//!    │ Done { seq } ───────────────────────▶ │  the request for the change is answered
//!    │ Key, Gone, TakenOver ───────────────▶ │
//!    │ Command ────────────────────────────▶ │
//!    │ ◀──── Do { seq, effects }             │
//!    │ ◀─────────────────────────── Outcome  │
//! ```

use crate::{
    command::{Command, Outcome},
    conferences::ParticipantSummary,
    effect::Effect,
    event::EdgeReport,
    id::{ConferenceKey, ParticipantId},
    participant::{Digit, ParticipantOptions},
    recording::{RecordingOverview, RecordingReport},
    refused::Refused,
    room::{Arrival, ViaRoom},
    state::State,
};
use plenary_model::{Actor, Introduction};
use serde::{Deserialize, Serialize};

/// From the edge of a call to the home of its conference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToHome {
    /// A call asks for a seat. [`ToEdge::Granted`] or [`ToEdge::Refused`] answers.
    Admit {
        /// The conference that it asks to enter.
        conference: ConferenceKey,
        /// The call's participant id.
        participant: ParticipantId,
        /// What it may do there.
        options: ParticipantOptions,
        /// The participant whose seat it takes (RFC 3891) where no other is free.
        in_place_of: Option<ParticipantId>,
        /// We call it: a locked conference lets it in.
        is_called: bool,
        /// The room that it comes by. [`ToEdge::Waiting`] may answer then, too.
        via: Option<Box<ViaRoom>>,
    },
    /// Who a call is that is about to ask for a seat: [`Self::Admit`] follows. Not answered.
    Introduce {
        /// The conference that it is about to ask.
        conference: ConferenceKey,
        /// The call's participant id.
        participant: ParticipantId,
        /// Who it is, as far as others may see.
        who: Box<Introduction>,
        /// Who has it called, where that is no program.
        by: Option<Actor>,
    },
    /// Something that the event log tells. Not answered.
    Report {
        /// The conference whose events it belongs to.
        conference: ConferenceKey,
        /// Which participant it is about; `None`: it is about all.
        participant: Option<ParticipantId>,
        /// What the edge has seen or done.
        report: EdgeReport,
    },
    /// The admitted call is up. [`ToEdge::Entered`] or [`ToEdge::Refused`] answers.
    Connected {
        /// Where it was admitted.
        conference: ConferenceKey,
        /// The call's participant id.
        participant: ParticipantId,
    },
    /// The call has ended, from either side; also frees the seat of a call that never connected. Not answered.
    Gone {
        /// Where it was admitted.
        conference: ConferenceKey,
        /// The call's participant id.
        participant: ParticipantId,
    },
    /// Another call has entered in place of this one, or is on its way there. This one's leaving ends nothing for the others, unless no
    /// other call comes. Not answered.
    TakenOver {
        /// Where it was admitted.
        conference: ConferenceKey,
        /// The participant id of the call that leaves.
        participant: ParticipantId,
        /// Those of the calls that have been admitted and are on their way to its place.
        by: Vec<ParticipantId>,
    },
    /// A telephone key was pressed. Not answered.
    Key {
        /// The participant's conference.
        conference: ConferenceKey,
        /// The participant's id.
        participant: ParticipantId,
        /// The key that was pressed.
        key: Digit,
    },
    /// A participant asks for something by keys. [`ToEdge::Outcome`] answers.
    Command {
        /// The conference that the participant is in.
        conference: ConferenceKey,
        /// Its id.
        participant: ParticipantId,
        /// Comes back with the answer.
        question: u64,
        /// What it asks for.
        command: Command,
    },
    /// PINs of a room that leads to this conference are being guessed: its leaders are warned. Not answered.
    Guessing {
        /// The conference that the room leads to.
        conference: ConferenceKey,
    },
    /// Something about the recording of a conference. Not answered.
    Recording {
        /// The conference that is recorded.
        conference: ConferenceKey,
        /// What has become of the recording.
        report: RecordingReport,
    },
    /// Asks who is in: [`ToEdge::Roster`] answers.
    Roster {
        /// The conference, which need not be there.
        conference: ConferenceKey,
    },
    /// The effects of [`ToEdge::Do`] have been carried out.
    Done {
        /// The conference that sent them.
        conference: ConferenceKey,
        /// The number of the [`ToEdge::Do`].
        seq: u64,
    },
}

/// From the home of a conference to the edge of its calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToEdge {
    /// The seat is taken.
    Granted {
        /// The conference that the seat is in.
        conference: ConferenceKey,
        /// For this call.
        participant: ParticipantId,
        /// How it finds the conference.
        arrival: Arrival,
    },
    /// The call waits in the lobby; it holds no seat. [`ToEdge::Granted`] or [`ToEdge::Refused`] follows, and the same again
    /// when a leader comes or the last one goes.
    Waiting {
        /// The conference whose lobby it is.
        conference: ConferenceKey,
        /// The call that waits, by its participant id.
        participant: ParticipantId,
        /// A leader is in and has been notified.
        is_leader_told: bool,
    },
    /// What became of a [`ToHome::Command`]. The effects came before, also those that hang up on the participant who asked.
    Outcome {
        /// The conference that was commanded.
        conference: ConferenceKey,
        /// The participant who gave the command.
        participant: ParticipantId,
        /// The number of the command.
        question: u64,
        /// What became of it.
        outcome: Outcome,
    },
    /// The participant is in. The effects of entering came before.
    Entered {
        /// The conference that it has entered.
        conference: ConferenceKey,
        /// The participant who has entered.
        participant: ParticipantId,
    },
    /// There is no seat for this call, or its seat is gone.
    Refused {
        /// The conference that was asked.
        conference: ConferenceKey,
        /// The call that is refused, by its participant id.
        participant: ParticipantId,
        /// Why the home refuses it.
        refused: Refused,
    },
    /// To be carried out in this order, then [`ToHome::Done`].
    Do {
        /// The conference that decided all of them.
        conference: ConferenceKey,
        /// Counts up over all that this home has others do.
        seq: u64,
        /// What to do.
        effects: Vec<Effect>,
    },
    /// Participants in the order in which they entered; empty where there is no such conference.
    Roster {
        /// The conference that was asked about.
        conference: ConferenceKey,
        /// Its state; [`State::Reserved`] where there is none.
        state: State,
        /// The participants who are in.
        participants: Vec<ParticipantSummary>,
        /// Its recording, while it is recorded.
        recording: Option<RecordingOverview>,
    },
}
