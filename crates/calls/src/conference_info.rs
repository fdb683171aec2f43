//! Documents about a conference (RFC 4575, section 4). What the RFC has no element for is in a name space of its own: who talks,
//! whose hand is up, whether the conference is recorded, and who of the participants the reader is.

use crate::{
    Calls,
    call::{Call, Stage},
    text::xml,
};
use plenary_conference::{
    ConferenceKey, ParticipantId, State, conferences::ParticipantSummary, recording::RecordingOverview,
};
use plenary_model::{Number, mask_number};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

/// So many of the participants who are being called are shown.
const CALLING_MAX: usize = 100;

/// Who reads a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reader {
    /// A leader of the conference.
    Leader,
    /// Any other reader: sees no number by which a participant could be called.
    Other,
}

impl Reader {
    pub(crate) const ALL: [Self; 2] = [Self::Leader, Self::Other];
}

/// A conference as its subscribers see it.
#[derive(Debug)]
pub(crate) struct Picture {
    description: String,
    state: String,
    /// In the order in which they entered; then those who are being called.
    users: Vec<User>,
    leaders: BTreeSet<ParticipantId>,
}

#[derive(Debug)]
struct User {
    id: ParticipantId,
    for_leaders: String,
    for_others: String,
}

impl User {
    fn for_reader(&self, reader: Reader) -> &str {
        match reader {
            Reader::Leader => &self.for_leaders,
            Reader::Other => &self.for_others,
        }
    }
}

impl Picture {
    pub(crate) fn is_leader(&self, participant: &ParticipantId) -> bool {
        self.leaders.contains(participant)
    }

    /// All of it.
    pub(crate) fn whole(&self, reader: Reader) -> String {
        let users: String = self.users.iter().map(|user| user.for_reader(reader)).collect();
        format!("{}{}<users state=\"full\">{users}</users>", self.description, self.state)
    }

    /// What is not as it was `before`; `None`: to this reader everything is.
    pub(crate) fn changes(&self, before: &Self, reader: Reader) -> Option<String> {
        let mut gone: BTreeMap<&ParticipantId, &User> =
            before.users.iter().map(|user| (&user.id, user)).collect();
        let mut users = String::new();
        for user in &self.users {
            let known = gone.remove(&user.id).map(|known| known.for_reader(reader));
            if known != Some(user.for_reader(reader)) {
                users.push_str(user.for_reader(reader));
            }
        }
        for id in gone.into_keys() {
            let _ = write!(users, "<user entity=\"{}\" state=\"deleted\"/>", entity(id));
        }
        let state = if self.state == before.state { "" } else { &self.state };
        match users.is_empty() {
            true if state.is_empty() => None,
            true => Some(state.to_owned()),
            false => Some(format!("{state}<users state=\"partial\">{users}</users>")),
        }
    }
}

/// A document of what [`Picture::whole`] or [`Picture::changes`] says. `about`: the URI of the conference. `reader`: the
/// participant who reads it; `None`: the reader is not in.
pub(crate) fn document(
    about: &str,
    version: u32,
    is_whole: bool,
    content: &str,
    reader: Option<&ParticipantId>,
) -> String {
    let reader = reader.map(|id| format!("<p:self>{}</p:self>", xml(id.as_str()))).unwrap_or_default();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" xmlns:p=\"urn:plenary:conference-info\" \
         entity=\"{}\" state=\"{}\" version=\"{version}\">{content}{reader}</conference-info>",
        xml(about),
        if is_whole { "full" } else { "partial" },
    )
}

impl Calls {
    /// The conference as it is now.
    pub(crate) fn picture(
        &self,
        key: &ConferenceKey,
        state: State,
        participants: &[ParticipantSummary],
        recording: Option<&RecordingOverview>,
    ) -> Picture {
        let mut users = Vec::with_capacity(participants.len());
        for participant in participants {
            if let Some(call) =
                self.participants.get(&participant.id).and_then(|number| self.calls.get(number))
            {
                users.push(user(call, &endpoint(call, participant), participant.hand_raised_at.is_some()));
            }
        }
        // Participants who are being called are not in yet.
        let calling = self.calls.values().filter(|call| {
            (matches!(call.stage, Stage::Calling(_)) || call.is_asked_to_confirm())
                && call.conference() == Some(key)
        });
        users.extend(calling.take(CALLING_MAX).map(|call| {
            let is_ringing = call.outgoing.as_ref().is_some_and(|outgoing| outgoing.is_ringing)
                || call.is_asked_to_confirm();
            let status = if is_ringing { "alerting" } else { "dialing-out" };
            let endpoint = format!("<status>{status}</status><joining-method>dialed-out</joining-method>");
            user(call, &endpoint, false)
        }));
        let leaders = participants.iter().filter(|participant| participant.is_leader);
        // One that is about to begin is none yet.
        let recording = match recording.filter(|recording| recording.recording.is_some()) {
            Some(recording) if recording.is_paused => "<p:recording>paused</p:recording>",
            Some(_) => "<p:recording>on</p:recording>",
            None => "",
        };
        Picture {
            description: format!(
                "<conference-description><display-text>{}</display-text></conference-description>",
                xml(&key.name.to_string())
            ),
            state: format!(
                "<conference-state><user-count>{}</user-count><active>{}</active>{recording}</conference-state>",
                participants.len(),
                state == State::Active,
            ),
            users,
            leaders: leaders.map(|leader| leader.id.clone()).collect(),
        }
    }
}

/// How a participant who is in takes part.
fn endpoint(call: &Call, participant: &ParticipantSummary) -> String {
    format!(
        "<status>connected</status><joining-method>{}</joining-method><media id=\"1\"><type>audio</type>\
         <status>{}</status><p:talking>{}</p:talking></media>",
        if call.outgoing.is_some() { "dialed-out" } else { "dialed-in" },
        if participant.muted { "recvonly" } else { "sendrecv" },
        call.talking && !participant.muted,
    )
}

fn user(call: &Call, endpoint: &str, has_hand_up: bool) -> User {
    let id = &call.participant;
    let hand = if has_hand_up { "<p:hand>true</p:hand>" } else { "" };
    let element = |name: &str, addresses: &str| {
        format!(
            "<user entity=\"{}\" state=\"full\"><display-text>{}</display-text>{addresses}\
             <endpoint entity=\"{}\">{endpoint}</endpoint>{hand}</user>",
            entity(id),
            xml(name),
            xml(id.as_str()),
        )
    };
    let number = Number::parse(call.remote_name()).filter(Number::is_global);
    let addresses = number.map(|number| {
        format!("<associated-aors><entry><uri>tel:{}</uri></entry></associated-aors>", number.subscriber())
    });
    let name = call.shown_display_name().unwrap_or_else(|| call.remote_name());
    let for_others = match &call.given_name {
        // As it was set.
        Some(Some(given)) => element(given, ""),
        Some(None) | None => element(&mask_number(name), ""),
    };
    User { id: id.clone(), for_leaders: element(name, &addresses.unwrap_or_default()), for_others }
}

/// The URI by which documents tell participants apart: of each one its own, and no address at which it could be reached.
fn entity(id: &ParticipantId) -> String {
    format!("sip:{}@anonymous.invalid", xml(id.as_str()))
}
