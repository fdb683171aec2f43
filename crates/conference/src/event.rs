//! What happens to conferences.

use crate::{
    controls::ControlsChange,
    id::{ConferenceKey, ParticipantId, ReservationToken},
    participant::{Digit, ParticipantOptions},
    recording::RecordingReport,
    reservation::Reservation,
    room::ViaRoom,
};
use plenary_model::{Actor, Introduction, ParticipantUpdate, RecordingSettings, VoiceSound};
use serde::{Deserialize, Serialize};

/// An input of [`crate::Conferences::handle_event`]. Plain values, so that they can cross a network one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A reservation has become durable (or was read back at start).
    ReservationAdded(Reservation),
    /// A reservation's whole duration has become `duration_minutes`; durable already.
    ReservationExtended {
        /// The reservation, by its token.
        token: ReservationToken,
        /// The new whole duration.
        duration_minutes: u32,
    },
    /// A reservation has become this one; durable already. Its conference stays the same. No participant has to leave where it has fewer
    /// seats than before.
    ReservationChanged(Reservation),
    /// A reservation was removed; durable already.
    ReservationRemoved {
        /// The reservation, by its token.
        token: ReservationToken,
    },
    /// A call asks for a seat. On success the seat is taken, but the participant is not yet
    /// listed, heard or announced; that comes with [`Event::Connected`].
    Admit {
        /// The call's participant id.
        participant: ParticipantId,
        /// The conference that the call asks to enter.
        conference: ConferenceKey,
        /// What it may do there.
        options: ParticipantOptions,
        /// We call it: a locked conference lets it in.
        is_called: bool,
        /// The room that it comes by.
        via: Option<Box<ViaRoom>>,
    },
    /// The same for a call that will take the place of another one in this conference (RFC 3891): it is let in where there is no
    /// seat left, for the other one's becomes free. One call at a time may do so for each.
    AdmitInPlace {
        /// The call's participant id.
        participant: ParticipantId,
        /// The conference that the call asks to enter.
        conference: ConferenceKey,
        /// What it may do there.
        options: ParticipantOptions,
        /// Who is in, and whose place it takes.
        of: ParticipantId,
    },
    /// The admitted call is up (its INVITE transaction is complete): it enters the conference.
    Connected {
        /// The participant whose call is up.
        participant: ParticipantId,
    },
    /// The call has ended, from either side. Also frees the seat of a call that never connected.
    Gone {
        /// The participant whose call has ended.
        participant: ParticipantId,
    },
    /// Another call has entered in place of this one (RFC 3891), which is about to end, or is on its way there: its leaving ends
    /// nothing for the other participants, unless no other call comes.
    TakenOver {
        /// The participant whose place is taken.
        participant: ParticipantId,
        /// Calls that have been admitted and are on their way, where a telephone hands its place to others (RFC 3515).
        by: Vec<ParticipantId>,
    },
    /// A telephone key was pressed.
    KeyPressed {
        /// The participant who pressed it.
        participant: ParticipantId,
        /// The key that was pressed.
        key: Digit,
    },
    /// The options of the web service of that name; at least one is set.
    SetOptions {
        /// The conference the caller of the service named.
        conference: ConferenceKey,
        /// Whose options.
        participant: ParticipantId,
        /// New value of `muted`.
        muted: Option<bool>,
        /// New value of `dtmf_enabled`.
        dtmf_enabled: Option<bool>,
    },
    /// Ejects a participant.
    Eject {
        /// The conference the caller of the service named.
        conference: ConferenceKey,
        /// Who has to leave.
        participant: ParticipantId,
    },
    /// Changes a participant in any state of the conference; of one that is on the way in or waits, what it will enter with.
    ChangeParticipant {
        /// The conference.
        conference: ConferenceKey,
        /// The participant, in whatever state.
        participant: ParticipantId,
        /// What changes.
        change: ParticipantChange,
    },
    /// Removes a participant in any state of the conference, also one on the way in; refuses a caller in the lobby.
    RemoveParticipant {
        /// The conference.
        conference: ConferenceKey,
        /// Who has to leave.
        participant: ParticipantId,
    },
    /// Admits from the lobby, as long as there are seats: the callers who have waited longest first.
    AdmitWaiting {
        /// The conference.
        conference: ConferenceKey,
        /// Which caller; `None`: all of them.
        participant: Option<ParticipantId>,
    },
    /// Refuses all callers in the lobby.
    RefuseAllWaiting {
        /// The conference.
        conference: ConferenceKey,
    },
    /// Moves a participant who is in to another conference of the account: with its options, its name, what it was muted by and
    /// whether it is a leader; it does not wait in a lobby there. Its leaving ends the conference for others only where the rules of
    /// a room say so.
    Move {
        /// Where it is.
        conference: ConferenceKey,
        /// The participant, who is in.
        participant: ParticipantId,
        /// Where it goes. It is created where it does not exist.
        to: ConferenceKey,
    },
    /// Mutes all participants, or undoes that.
    MuteAll {
        /// The conference.
        conference: ConferenceKey,
        /// Whether they are to be muted.
        muted: bool,
        /// Leaders are left as they are.
        except_leaders: bool,
        /// New value of [`crate::Controls::self_unmute`].
        self_unmute: Option<bool>,
    },
    /// Asks a participant who is muted to unmute itself: it is told by which key. From then on it is muted by
    /// itself, so that its key undoes that.
    AskToUnmute {
        /// The conference.
        conference: ConferenceKey,
        /// The participant, who is in and muted.
        participant: ParticipantId,
    },
    /// All participants hear that the conference will end.
    WarnOfEnd {
        /// The conference.
        conference: ConferenceKey,
        /// In so many seconds; `None`: when its reservation ends.
        seconds: Option<u32>,
    },
    /// Changes what is set for a conference that is open.
    ChangeControls {
        /// The conference.
        conference: ConferenceKey,
        /// What changes.
        change: ControlsChange,
    },
    /// Records a conference, for a program.
    StartRecording {
        /// The conference.
        conference: ConferenceKey,
        /// Tracks, format and notice to the participants.
        settings: RecordingSettings,
    },
    /// Pauses the recording of a conference, or has it go on.
    PauseRecording {
        /// The conference.
        conference: ConferenceKey,
        /// Whether it is to be paused.
        is_paused: bool,
    },
    /// Ends the recording of a conference.
    StopRecording {
        /// The conference.
        conference: ConferenceKey,
    },
    /// An edge says this about the recording of a conference.
    Recording {
        /// The conference.
        conference: ConferenceKey,
        /// What has become of the recording.
        report: RecordingReport,
    },
    /// Who a call is that is about to ask for a seat; [`Event::Admit`] or [`Event::AdmitInPlace`] follows.
    Introduce {
        /// The call's participant id.
        participant: ParticipantId,
        /// Who it is, as far as others may see.
        who: Box<Introduction>,
        /// Who has it called, where that is no program.
        by: Option<Actor>,
    },
    /// An edge says this about a call, or about what is played to the conference.
    Reported {
        /// The conference.
        conference: ConferenceKey,
        /// Which participant it is about; `None`: it is about all.
        participant: Option<ParticipantId>,
        /// What the edge has seen or done.
        report: EdgeReport,
    },
    /// Ends an open unreserved conference for all participants. A reserved one ends with its reservation
    /// ([`Event::ReservationRemoved`]).
    End {
        /// The conference.
        conference: ConferenceKey,
    },
}

/// What an edge knows and the event log tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EdgeReport {
    /// The telephone that is called rings.
    Ringing,
    /// A participant who is called is not reached, or refuses.
    Failed {
        /// The SIP status.
        status: u16,
    },
    /// The call is about to leave for this reason, in one word.
    Leaving {
        /// The reason, as events tell it.
        reason: String,
        /// The participant has brought it about.
        is_own: bool,
    },
    /// It has begun or stopped talking.
    Talking(bool),
    /// Its telephone has put the conference on hold, or taken it off hold.
    Held(bool),
    /// It is shown by this name from now on.
    Renamed(Option<String>),
    /// What the edge decides about it has changed: how its voice is made to sound, whether tones are keys.
    Changed(Box<ParticipantUpdate>),
    /// Voices in the conference are made to sound like this where a participant has no settings of its own.
    Sound(VoiceSound),
    /// Something is being played, to one or to all.
    PlaybackStarted {
        /// Its id.
        id: String,
    },
    /// It is over.
    PlaybackEnded {
        /// Its id.
        id: String,
    },
}

/// What of a participant changes; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantChange {
    /// Its voice is not heard.
    pub muted: Option<bool>,
    /// Its keys do something.
    pub dtmf_enabled: Option<bool>,
    /// It may unmute itself although a leader has muted it; `Some(None)`: as the conference says.
    pub self_unmute: Option<Option<bool>>,
    /// Its hand is taken down.
    pub lower_hand: bool,
    /// It is on hold.
    pub held: Option<bool>,
    /// It is a leader.
    pub leader: Option<bool>,
    /// Only these hear it; `Some(None)`: all do.
    pub heard_by: Option<Option<Vec<ParticipantId>>>,
}
