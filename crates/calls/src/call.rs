//! One call: a SIP dialog with its media, and what it is for.

use crate::keypad::state::{Keypad, ServiceVoice};
use crate::{audio_choice::AudioChoice, media::PlayNumber, number::CallNumber, route::Route};
use plenary_conference::{
    AccountId, ConferenceKey, Digit, Mono, ParticipantId, ParticipantOptions, QuestionId, ServiceName,
    Timestamp,
};
use plenary_model::{CallDirection, EndedBy, EntryAction, Introduction, OneWay, Refer, spelled};
use plenary_sip::{
    Replaces, RequestId,
    sdp::{LocalMedia, Policy, Stream},
    ua::Flow,
};
use std::collections::{BTreeMap, VecDeque};

/// What is shown of a caller who does not want to be.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// What an inbound service made of the call.
#[derive(Debug, Clone)]
pub(crate) enum Purpose {
    /// A participant of a conference.
    Conference { key: ConferenceKey },
    /// Hears something and is hung up on.
    Announcement { account: AccountId, play: Vec<String> },
    /// Is asked for a room, in a place of its own.
    Entry { settings: Box<EntryAction> },
}

/// How far a call has come. Each stage holds only what exists by then.
#[derive(Debug)]
pub(crate) enum Stage {
    /// The inbound service it wants is being looked up.
    Routing { offer: Option<String>, diverted: bool },
    /// The home of the conference is asked for a seat.
    Admitting { offer: Option<String>, diverted: bool },
    /// The media plane opens its ports.
    Opening { offer: Option<String>, purpose: Purpose },
    /// The offer is answered, or made, and whether there is time enough for its audio is being asked.
    Weighing { session: Box<Session>, sdp: String },
    /// It is to be called: a seat is asked for, then ports are opened.
    Preparing { key: ConferenceKey, has_room: bool },
    /// We call it; it has not answered.
    Calling(Session),
    /// Accepted with 200; the ACK is awaited.
    Accepted(Session),
    /// Talking, or listening.
    Up(Session),
    /// We have sent our BYE, or a refusal; only the signalling's last word is awaited.
    Ending,
}

/// What a call holds while it has media.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) purpose: Purpose,
    /// Our side of the offer/answer state; its version grows with each change.
    pub(crate) local: LocalMedia,
    /// What was agreed; `None` until the ACK brings the answer to our offer.
    pub(crate) stream: Option<Stream>,
    /// What is played to this call alone, until it ends by itself or is stopped.
    pub(crate) playing: Option<PlayNumber>,
    /// Only some hear it.
    pub(crate) is_coach: bool,
    /// Keys that came before the ACK to our answer; see [`Self::keep_early_key`].
    early_keys: Vec<Digit>,
}

impl Session {
    /// Before anything is agreed.
    pub(crate) fn new(purpose: Purpose, local: LocalMedia) -> Self {
        Self { purpose, local, stream: None, playing: None, is_coach: false, early_keys: Vec::new() }
    }

    /// Audio and keys of a caller may come before the ACK, which takes another way and is sent again if it is lost. Telephones
    /// that dial a number with digits after it send these as soon as they are answered.
    pub(crate) fn keep_early_key(&mut self, key: Digit) {
        if self.early_keys.len() < plenary_dialogue::KEYS_MAX {
            self.early_keys.push(key);
        }
    }

    pub(crate) fn take_early_keys(&mut self) -> Vec<Digit> {
        std::mem::take(&mut self.early_keys)
    }
}

/// A call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) participant: ParticipantId,
    pub(crate) stage: Stage,
    /// The user part that was dialled, or whom we call.
    pub(crate) dialled: String,
    pub(crate) from: String,
    /// The display name of the other side, by its own word.
    pub(crate) display_name: Option<String>,
    /// The name that it was given here instead, or that it has none.
    pub(crate) given_name: Option<Option<String>>,
    pub(crate) flow: Flow,
    pub(crate) service: Option<ServiceName>,
    /// The conference whose home has been asked for a seat and has not heard that it is free again.
    pub(crate) seat: Option<ConferenceKey>,
    /// The conference that the home was asked to admit it to.
    pub(crate) sought: Option<ConferenceKey>,
    /// What it may do in the conference.
    pub(crate) options: ParticipantOptions,
    /// Whose service it is.
    pub(crate) account: Option<AccountId>,
    pub(crate) began_at: Timestamp,
    /// Heard speaking at the moment.
    pub(crate) talking: bool,
    /// Audio goes one way only.
    pub(crate) one_way: Option<OneWay>,
    /// What was set for how it sounds.
    pub(crate) sound: AudioChoice,
    /// The call whose place it takes when it is up (RFC 3891).
    pub(crate) replaces: Option<CallNumber>,
    /// It comes from the address of the other side of that call.
    pub(crate) is_same_peer: bool,
    /// The call of the same page that its media has ended.
    pub(crate) resumes: Option<CallNumber>,
    /// Whether its audio has to be protected.
    pub(crate) srtp: Policy,
    /// The record of the call is in the database.
    pub(crate) recorded: bool,
    /// Who ends it and why, where that is known before the signalling says that it is over.
    pub(crate) ending: Option<(EndedBy, String)>,
    /// The trunk that it came or goes through.
    pub(crate) trunk: Option<String>,
    /// What admitted the caller; `None`: not yet, or we called.
    pub(crate) admitted_by: Option<AdmittedBy>,
    /// Whom it may have called by REFER.
    pub(crate) refer: Refer,
    /// The identity that the sending peer asserts; counts where that peer is a trunk of the account.
    pub(crate) asserted: Option<String>,
    /// Who calls is not to be shown (RFC 3323).
    pub(crate) is_withheld: bool,
    /// The client that it called, another call.
    pub(crate) called: Option<CallNumber>,
    /// How the service that it came by has it spoken to.
    pub(crate) voice: Option<Box<ServiceVoice>>,
    /// Its dialogues by keys.
    pub(crate) keypad: Option<Box<Keypad>>,
    /// We placed it.
    pub(crate) outgoing: Option<Box<OutgoingCall>>,
}

/// What of a caller, or of where it calls from, an inbound service admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdmittedBy {
    Network,
    Trunk,
    User,
    Token,
    /// The code of a guest's link.
    Guest,
    /// The access key of a browser.
    WebRtc,
}

impl AdmittedBy {
    /// As it is shown.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Trunk => "trunk",
            Self::User => "user",
            Self::Token => "token",
            Self::Guest => "guest",
            Self::WebRtc => "webrtc",
        }
    }
}

/// What there is of a call that we place.
#[derive(Debug)]
pub(crate) struct OutgoingCall {
    /// Whom it calls, as it was asked for.
    pub(crate) to: String,
    /// Ways that have not been tried.
    pub(crate) routes: VecDeque<Route>,
    pub(crate) ring_until: Mono,
    pub(crate) is_ringing: bool,
    /// Answers that came before the call was answered, by telephone.
    pub(crate) early: BTreeMap<u32, String>,
    pub(crate) request: CallRequest,
}

/// What asked for an outgoing call, and what follows when the called side answers.
#[derive(Debug, Default)]
pub(crate) struct CallRequest {
    /// The question of a web service, answered when the call has a seat and ports.
    pub(crate) question: Option<QuestionId>,
    /// The REFER whose sender is notified of the progress (RFC 3515, 2.4.4).
    pub(crate) referral: Option<RequestId>,
    /// The participant that leaves when the called side has entered.
    pub(crate) in_place_of: Option<CallNumber>,
    /// The dialog at the called side that the call replaces (RFC 3891).
    pub(crate) replaces: Option<Replaces>,
    /// The URI of the referrer (RFC 3892).
    pub(crate) referred_by: Option<String>,
    /// The client that called, and is answered when the called client has entered.
    pub(crate) caller: Option<CallNumber>,
    /// The participant who keyed the number in, and hears what becomes of it.
    pub(crate) by_key: Option<CallNumber>,
    /// The key by which the called side accepts, so that no answering machine enters.
    pub(crate) confirm: Option<Digit>,
    /// The call that was cut off, for which this one is placed again.
    pub(crate) again_for: Option<CallNumber>,
    /// It is called again, once, where its call is cut off.
    pub(crate) redial: bool,
    /// The number that the called side sees, where it was given.
    pub(crate) from: Option<String>,
    /// The name by which it is shown.
    pub(crate) display_name: Option<String>,
}

impl Call {
    /// The call whose place within limits this one has, if that is still there.
    pub(crate) fn comes_after(&self) -> Option<CallNumber> {
        self.replaces.or(self.resumes)
    }

    /// Who calls, as far as others may see it.
    pub(crate) fn shown_from(&self) -> &str {
        if self.is_withheld { ANONYMOUS } else { &self.from }
    }

    /// The name by which the other side is shown: the given one, or its own where it does not hide.
    pub(crate) fn shown_display_name(&self) -> Option<&str> {
        match &self.given_name {
            Some(given) => given.as_deref(),
            None => self.display_name.as_deref().filter(|_| !self.is_withheld),
        }
    }

    /// Who it is, as events tell it.
    pub(crate) fn introduction(&self) -> Introduction {
        Introduction {
            display_name: self.shown_display_name().map(str::to_owned),
            from: self.shown_from().to_owned(),
            to: self.shown_to(),
            direction: if self.outgoing.is_some() { CallDirection::Out } else { CallDirection::In },
            trunk: self.trunk.clone(),
        }
    }

    /// Whom it calls, as rosters and records have it: as it was asked for, or the dialled name, numbers in one spelling.
    pub(crate) fn shown_to(&self) -> String {
        self.outgoing.as_ref().map_or_else(|| spelled(&self.dialled), |outgoing| outgoing.to.clone())
    }

    /// The other side's name, as far as others may see it.
    pub(crate) fn remote_name(&self) -> &str {
        if self.outgoing.is_some() { &self.dialled } else { self.shown_from() }
    }

    /// The conference whose participant it is.
    pub(crate) fn conference(&self) -> Option<&ConferenceKey> {
        let session = match &self.stage {
            Stage::Weighing { session, .. } => session,
            Stage::Calling(session) | Stage::Accepted(session) | Stage::Up(session) => session,
            Stage::Routing { .. }
            | Stage::Admitting { .. }
            | Stage::Opening { .. }
            | Stage::Preparing { .. }
            | Stage::Ending => return None,
        };
        match &session.purpose {
            Purpose::Conference { key } => Some(key),
            Purpose::Announcement { .. } | Purpose::Entry { .. } => None,
        }
    }

    /// It has answered and is asked whether it joins.
    pub(crate) fn is_asked_to_confirm(&self) -> bool {
        self.keypad.as_ref().is_some_and(|keypad| keypad.is_asked_to_confirm())
    }

    /// It is in, starts its conference and ends it for all.
    pub(crate) fn is_leader(&self) -> bool {
        matches!(self.stage, Stage::Up(_)) && self.options.is_leader()
    }

    pub(crate) fn session_mut(&mut self) -> Option<&mut Session> {
        match &mut self.stage {
            Stage::Weighing { session, .. } => Some(session),
            Stage::Calling(session) | Stage::Accepted(session) | Stage::Up(session) => Some(session),
            Stage::Routing { .. }
            | Stage::Admitting { .. }
            | Stage::Opening { .. }
            | Stage::Preparing { .. }
            | Stage::Ending => None,
        }
    }
}
