//! A call that comes in: the inbound service is found, a seat asked for, ports opened, the offer answered, and with the ACK the
//! participant enters.
//!
//! ```text
//!   INVITE ─▶ Routing ── the store ─▶ Admitting ── the home ─▶ Opening ── the media plane ─▶ Accepted ── ACK ─▶ Up
//! ```

use crate::{
    Calls,
    audio_choice::AudioChoice,
    browser_keys::BrowserClaim,
    call::{ANONYMOUS, AdmittedBy, Call, Purpose, Session, Stage},
    keypad::state::ServiceVoice,
    lookup::{Lookup, Pending, StoreFailed},
    media::{CallKind, NoMedia, OpenedAt, PlayNumber, PlayTo, Reach, RoomNumber},
    number::CallNumber,
    reasons::reasons,
    records, security, text,
};
use plenary_conference::{
    AccountId, Arrival, ConferenceKey, ParticipantId, ParticipantOptions, Refused, ServiceName, ToHome,
    ViaRoom,
};
use plenary_model::{Action, EndedBy, InboundService, Refer, Srtp, spelled};
use plenary_sip::{
    IncomingCall, Transport,
    sdp::{self, Codec, Direction, Levels, LocalMedia, Policy, SdpError},
};
use tracing::info;

/// When those may come again who are refused with 503.
const RETRY_AFTER_S: &str = "30";
/// The same where there is too much to do; the signalling says so too.
const RETRY_AFTER_OVERLOAD_S: &str = "10";

impl Calls {
    pub(crate) fn handle_incoming(&mut self, incoming: IncomingCall) {
        let number = CallNumber(incoming.call.0);
        let named = |is_over: bool| {
            let replaced = incoming.replaces.filter(|replaced| replaced.is_over == is_over);
            replaced.map(|replaced| CallNumber(replaced.call.0))
        };
        let (replaces, resumes) = (named(false), named(true));
        let is_same_peer = incoming.replaces.is_some_and(|replaced| replaced.is_same_peer);
        let mut incoming = incoming;
        // A call that replaces another is sent to the Contact of our side; what that call dialled says who may take its place.
        if let Some(replaced) = replaces.and_then(|replaced| self.calls.get(&replaced))
            && replaced.outgoing.is_none()
        {
            incoming.target.user.clone_from(&replaced.dialled);
        }
        if let Some(resumed) = resumes {
            let Some(departed) = self.departed.get(resumed, self.now.mono) else {
                of_call!(info, self, number, resumed = resumed.0, "the call to be replaced has been hung up");
                return self.out.reject(number, 603, None, Vec::new());
            };
            if let Some(dialled) = &departed.dialled {
                incoming.target.user.clone_from(dialled);
            }
        }
        if self.is_stopping {
            return self.out.reject(number, 503, None, vec![("Retry-After".into(), RETRY_AFTER_S.into())]);
        }
        let participant = self.participant_id(number);
        // Only trusted peers may assert another identity (RFC 3325, 5): whether this is a trunk is not known yet.
        let asserted = incoming.asserted.as_ref().map(|identity| spelled(&identity.user));
        let is_trusted = self.is_trusted(incoming.flow);
        // An access key counts over WebSockets only.
        let is_browser = matches!(incoming.flow.transport, Transport::Ws | Transport::Wss);
        let claim = is_browser.then(|| BrowserClaim::of(&incoming.from.user, &incoming.from.host)).flatten();
        let display_name = match incoming.asserted.as_ref().filter(|_| is_trusted) {
            Some(asserted) => asserted.display_name.clone(),
            None => incoming.from.display_name.clone(),
        };
        let display_name = display_name.and_then(|name| text::display_name(&name));
        // One number has one spelling in rosters and records, however the caller's side writes it.
        let from = asserted.clone().filter(|_| is_trusted).unwrap_or_else(|| spelled(&incoming.from.user));
        let is_withheld = incoming.is_private;
        let shown = if is_withheld { ANONYMOUS } else { &from };
        of_call!(info, self, number, dialled = %incoming.target.user, from = %shown, source = %incoming.flow, "incoming call");
        self.participants.insert(participant.clone(), number);
        self.calls.insert(
            number,
            Call {
                participant,
                stage: Stage::Routing { offer: incoming.offer, diverted: false },
                dialled: incoming.target.user.clone(),
                from,
                display_name,
                given_name: None,
                flow: incoming.flow,
                seat: None,
                sought: None,
                options: ParticipantOptions::default(),
                account: None,
                service: None,
                began_at: self.now.wall,
                talking: false,
                one_way: None,
                sound: AudioChoice::default(),
                replaces,
                is_same_peer,
                resumes,
                srtp: self.settings.srtp,
                recorded: false,
                ending: None,
                trunk: None,
                admitted_by: None,
                refer: Refer::None,
                asserted,
                is_withheld,
                called: None,
                voice: None,
                keypad: None,
                outgoing: None,
            },
        );
        // Whom we have called leads to no service.
        let target = Some(incoming.target).filter(|_| self.called_that_is_replaced(number).is_none());
        let query =
            self.access.query(target, claim, &incoming.authorizations, incoming.flow, incoming.caller);
        self.look_up(Pending::Call(number), Lookup::Caller(Box::new(query)));
    }

    pub(crate) fn participant_id(&self, number: CallNumber) -> ParticipantId {
        ParticipantId::new(self.id_of(number.0))
    }

    pub(crate) fn handle_routed(
        &mut self,
        number: CallNumber,
        found: Result<Option<(InboundService, String)>, StoreFailed>,
    ) {
        // It may have been cancelled meanwhile.
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Stage::Routing { diverted, .. } = call.stage else { return };
        let (service, rest) = match found {
            Ok(Some(found)) => found,
            Ok(None) if diverted => {
                of_call!(warn, in call, number, dialled = %call.dialled, "the inbound service to divert early callers to does not exist: the caller is BUSY");
                return self.refuse(number, 486, "The conference has not started");
            }
            Ok(None) => {
                of_call!(info, in call, number, dialled = %call.dialled, "no inbound service of this name");
                return self.refuse(number, 404, "No such service");
            }
            Err(error) => {
                of_call!(warn, self, number, %error, "the inbound service could not be looked up");
                return self.refuse(number, 503, "The service is not available");
            }
        };
        (call.service, call.account) = (Some(service.name.clone()), Some(service.account));
        call.srtp = match service.srtp {
            Some(Srtp::Required) => Policy::Required,
            Some(Srtp::Preferred) => Policy::Preferred,
            Some(Srtp::Off) => Policy::Off,
            None => self.settings.srtp,
        };
        if self.resume_place(number, &service, &rest) || self.take_place(number, service.account) {
            return;
        }
        let Some(call) = self.calls.get_mut(&number) else { return };
        match service.action {
            Action::Announcement(announcement) => {
                let play = announcement.play.0.clone();
                let Stage::Routing { offer, .. } = &mut call.stage else { return };
                let offer = offer.take();
                let account = service.account;
                self.open(number, offer, Purpose::Announcement { account, play });
            }
            Action::Entry(settings) => {
                let Stage::Routing { offer, .. } = &mut call.stage else { return };
                let offer = offer.take();
                self.open(number, offer, Purpose::Entry { settings });
            }
            Action::Conference(conference) => {
                let Some(name) = conference.conference_name(&rest) else {
                    of_call!(info, self, number, %rest, "not a conference name: 1 to 47 letters and digits");
                    return self.refuse(number, 404, "No such conference");
                };
                call.refer = conference.refer;
                call.voice = ServiceVoice::of(&conference);
                let key = ConferenceKey { account: service.account, name };
                let options = match call.admitted_by {
                    Some(AdmittedBy::Guest) => conference.participant.of_guest(),
                    _ => conference.participant,
                };
                self.admit(number, key, options, None);
            }
        }
    }

    /// Asks the home of a conference for a seat.
    pub(crate) fn admit(
        &mut self,
        number: CallNumber,
        conference: ConferenceKey,
        options: ParticipantOptions,
        via: Option<Box<ViaRoom>>,
    ) {
        let Some(call) = self.calls.get(&number) else { return };
        // A call that replaces another needs no seat of its own where the conference is full.
        let in_place_of = call
            .replaces
            .and_then(|replaced| self.calls.get(&replaced))
            .map(|replaced| replaced.participant.clone());
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Stage::Routing { offer, diverted } = &mut call.stage else { return };
        call.stage = Stage::Admitting { offer: offer.take(), diverted: *diverted };
        (call.seat, call.options) = (Some(conference.clone()), options.clone());
        call.sought = Some(conference.clone());
        let participant = call.participant.clone();
        let who = Box::new(call.introduction());
        let introduce = ToHome::Introduce {
            conference: conference.clone(),
            participant: participant.clone(),
            who,
            by: None,
        };
        self.out.home(introduce);
        self.out.home(ToHome::Admit { conference, participant, options, in_place_of, is_called: false, via });
    }

    /// There is a seat: now for the media.
    pub(crate) fn handle_granted(
        &mut self,
        conference: &ConferenceKey,
        participant: &ParticipantId,
        arrival: Arrival,
    ) {
        if self.handle_place_granted(conference, participant, arrival) {
            return;
        }
        // Where the call is over by now, the home knows.
        let Some((number, call)) = self.call_with_seat(conference, participant) else { return };
        match &mut call.stage {
            Stage::Admitting { offer, .. } => {
                let offer = offer.take();
                self.adopt_service_voice(number, conference);
                self.open(number, offer, Purpose::Conference { key: conference.clone() });
            }
            Stage::Preparing { .. } => self.open_for_placing(number),
            Stage::Routing { .. }
            | Stage::Opening { .. }
            | Stage::Weighing { .. }
            | Stage::Calling(_)
            | Stage::Accepted(_)
            | Stage::Up(_)
            | Stage::Ending => {}
        }
    }

    /// There is no seat, or there is none any more.
    pub(crate) fn handle_refused(
        &mut self,
        conference: &ConferenceKey,
        participant: &ParticipantId,
        refused: Refused,
    ) {
        if self.handle_place_refused(conference, participant, &refused) {
            return;
        }
        let Some((number, call)) = self.call_with_seat(conference, participant) else { return };
        match &mut call.stage {
            Stage::Admitting { offer, diverted } => {
                let (offer, diverted) = (offer.take(), *diverted);
                call.seat = None;
                if let Refused::Early { divert: Some(service), .. } = refused {
                    call.stage = Stage::Routing { offer, diverted };
                    return self.divert(number, conference, service);
                }
                info!(call = number.0, conference = %conference.name, account = conference.account.0, %refused, "caller refused");
                self.refuse(number, 486, &refused_phrase(&refused));
            }
            Stage::Preparing { .. } => {
                call.seat = None;
                self.placing_failed(number, refused.into());
            }
            // Its seat went away between the INVITE and the ACK: the time was up just then.
            Stage::Up(_) => {
                of_call!(info, in call, number, %refused, "the conference ended before the participant was in");
                let caller = call.outgoing.as_mut().and_then(|outgoing| outgoing.request.caller.take());
                if let Some(caller) = caller {
                    self.direct_call_failed(caller, 480, &refused.to_string());
                }
                self.end_call(number, reasons(486, &refused_phrase(&refused)));
            }
            Stage::Routing { .. }
            | Stage::Opening { .. }
            | Stage::Weighing { .. }
            | Stage::Calling(_)
            | Stage::Accepted(_)
            | Stage::Ending => {}
        }
    }

    /// An early caller goes to the inbound service that the reservation names: of the same account, and the caller may reach
    /// the conference, so it may hear why it does not. Once: a service that leads to another early conference ends there.
    pub(crate) fn divert(&mut self, number: CallNumber, key: &ConferenceKey, service: ServiceName) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Stage::Routing { diverted, .. } = &mut call.stage else { return };
        if *diverted {
            info!(call = number.0, conference = %key.name, account = key.account.0, "diverted to a conference that has not started either");
            return self.refuse(number, 486, "The conference has not started");
        }
        *diverted = true;
        info!(call = number.0, conference = %key.name, account = key.account.0, %service, "early caller diverted");
        // Only the account's own services: a reservation must not reach into another account.
        let account: AccountId = key.account;
        self.look_up(Pending::Diverted(number), Lookup::Service { account, service });
    }

    /// A refused call is over for us at once; the signalling sees the refusal through by itself.
    pub(crate) fn refuse(&mut self, number: CallNumber, status: u16, phrase: &str) {
        let extra = (status == 503).then(|| ("Retry-After".to_owned(), RETRY_AFTER_S.to_owned()));
        self.out.reject(number, status, Some(phrase), extra.into_iter().collect());
        self.call_is_over(number, EndedBy::Service, &format!("{status} {phrase}"));
    }

    /// Opens the media of a call that came in.
    fn open(&mut self, number: CallNumber, offer: Option<String>, purpose: Purpose) {
        let room = match &purpose {
            Purpose::Conference { key } => self.conference_room(key),
            Purpose::Announcement { .. } | Purpose::Entry { .. } => RoomNumber(self.room_numbers.draw()),
        };
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.stage = Stage::Opening { offer, purpose };
        let reach = Reach::At(call.flow.local.ip());
        self.out.open(number, room, reach);
    }

    /// The ports of a call are open, or there are none.
    pub(crate) fn handle_opened(&mut self, number: CallNumber, at: Result<OpenedAt, NoMedia>) {
        // Where the call is over by now, the media plane knows.
        let Some(call) = self.calls.get_mut(&number) else { return };
        match (&mut call.stage, at) {
            (Stage::Opening { offer, purpose }, Ok(at)) => {
                let (offer, purpose) = (offer.take(), purpose.clone());
                self.accept(number, offer, purpose, at);
            }
            (Stage::Opening { .. }, Err(NoMedia { is_temporary, text })) => {
                of_call!(warn, self, number, error = %text, "no media for a call");
                match is_temporary {
                    true => self.refuse(number, 503, "The service is full"),
                    false => self.refuse(number, 500, "No media"),
                }
            }
            (Stage::Preparing { .. }, at) => self.handle_opened_for_placing(number, at),
            (
                Stage::Routing { .. }
                | Stage::Admitting { .. }
                | Stage::Weighing { .. }
                | Stage::Calling(_)
                | Stage::Accepted(_)
                | Stage::Up(_)
                | Stage::Ending,
                _,
            ) => {}
        }
    }

    /// Answers the offer (or makes one) and sends 200.
    fn accept(&mut self, number: CallNumber, offer: Option<String>, purpose: Purpose, at: OpenedAt) {
        if let Purpose::Conference { key } = &purpose {
            self.apply_sound(key, number);
            self.apply_levels(number);
            self.apply_inband_dtmf(number);
        }
        let Some(call) = self.calls.get_mut(&number) else { return };
        let mut rtp = at.rtp;
        let is_ipv4 = call.flow.remote.ip().to_canonical().is_ipv4();
        if let Some(advertise) = self.settings.advertise.filter(|ip| ip.is_ipv4() == is_ipv4) {
            rtp.set_ip(advertise);
        } else if rtp.ip().is_unspecified() {
            // Listening on all addresses: RTP goes where this caller's SIP goes.
            rtp.set_ip(call.flow.local.ip().to_canonical());
        }
        let (srtp, is_secret) = (call.srtp, call.flow.transport.is_secure());
        let local = self.local_media(number, rtp, srtp, is_secret);
        let mut session = Session::new(purpose, local);
        let (sdp, codec, is_encrypted) = match offer {
            Some(offer) => match sdp::answer(&offer, &session.local) {
                Ok(answer) => {
                    let stream = session.stream.insert(answer.stream);
                    (answer.sdp, stream.codec, stream.protection != sdp::Protection::None)
                }
                Err(error) => {
                    of_call!(info, self, number, %error, "the caller's session description is not usable");
                    self.store_session(number, Stage::Accepted(session));
                    return self.refuse_sdp(number, &error);
                }
            },
            None => {
                // What they will choose is not known; most choose what they are offered first.
                let codec = session.local.codecs.first().copied().unwrap_or(Codec::Pcmu);
                (sdp::offer(&session.local), codec, srtp == Policy::Required)
            }
        };
        let kind = self.call_kind(number, &session, codec, is_encrypted);
        let session = Box::new(session);
        self.store_session(number, Stage::Weighing { session, sdp });
        if self.calls.get(&number).is_some_and(|call| call.replaces.is_some()) {
            // It costs what the one costs that goes.
            self.out.count(number, kind);
            return self.handle_weighed(number, Ok(()));
        }
        self.out.weigh(number, kind);
    }

    /// What the work for a call depends on.
    pub(crate) fn call_kind(
        &self,
        number: CallNumber,
        session: &Session,
        codec: Codec,
        is_encrypted: bool,
    ) -> CallKind {
        let noise_suppression = match &session.purpose {
            Purpose::Conference { key } => self.call_sound(key, number).noise_suppression,
            Purpose::Announcement { .. } | Purpose::Entry { .. } => false,
        };
        CallKind { codec, is_encrypted, noise_suppression }
    }

    /// There is time enough for the audio of a call: 200 is sent. Or there is not: it is refused, and with it those that come
    /// next, until it is calm.
    pub(crate) fn handle_weighed(&mut self, number: CallNumber, afforded: Result<(), f64>) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        if !matches!(call.stage, Stage::Weighing { .. }) {
            return;
        }
        let Stage::Weighing { session, sdp } = std::mem::replace(&mut call.stage, Stage::Ending) else {
            return;
        };
        match afforded {
            Ok(()) => {
                if let Some(stream) = &session.stream {
                    self.out.set_stream(number, stream, session.local.ice.as_ref());
                }
                self.answer(number, *session, sdp);
            }
            Err(expected_share) => {
                of_call!(info, in call, number, expected_share, "caller refused: a media thread would have too much to do"
                );
                call.stage = Stage::Accepted(*session);
                self.out.set_busy();
                let after = ("Retry-After".to_owned(), RETRY_AFTER_OVERLOAD_S.to_owned());
                self.out.reject(number, 503, None, vec![after]);
                self.call_is_over(number, EndedBy::Service, "503 Too much to do");
            }
        }
    }

    /// Our side of offer and answer.
    pub(crate) fn local_media(
        &mut self,
        number: CallNumber,
        rtp: std::net::SocketAddr,
        srtp: Policy,
        is_secret: bool,
    ) -> LocalMedia {
        LocalMedia {
            rtp,
            session_id: number.0,
            version: 1,
            codecs: self.settings.codecs.clone(),
            preference: self.settings.preference,
            dtmf: true,
            direction: Direction::SendRecv,
            security: self.security.local(srtp, is_secret, &mut self.random),
            ice: Some(security::ice_credentials(&mut self.random)),
            levels: Levels::Read,
        }
    }

    fn answer(&mut self, number: CallNumber, session: Session, sdp: String) {
        let is_focus = !matches!(session.purpose, Purpose::Announcement { .. });
        self.store_session(number, Stage::Accepted(session));
        self.out.answer(number, sdp, is_focus);
    }

    fn store_session(&mut self, number: CallNumber, stage: Stage) {
        if let Some(call) = self.calls.get_mut(&number) {
            call.stage = stage;
        }
    }

    fn refuse_sdp(&mut self, number: CallNumber, error: &SdpError) {
        let warning = error.warning().map(|text| ("Warning".to_owned(), text));
        self.out.reject(number, error.status(), None, warning.into_iter().collect());
        self.call_is_over(number, EndedBy::Service, &format!("{} {error}", error.status()));
    }

    /// The ACK has come: the participant enters.
    pub(crate) fn handle_confirmed(&mut self, number: CallNumber, answer: Option<String>, dialog: String) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let stage = std::mem::replace(&mut call.stage, Stage::Ending);
        let Stage::Accepted(mut session) = stage else {
            call.stage = stage;
            return;
        };
        if session.stream.is_none() {
            // Ours was the offer, so the ACK must bring the answer (RFC 3261, 13.2.2.4).
            let accepted = match answer.as_deref().map(|answer| sdp::accept(&session.local, answer)) {
                Some(Ok(stream)) => Ok(stream),
                Some(Err(error)) => Err(error.to_string()),
                None => Err("the ACK brought no answer to the offer".to_owned()),
            };
            match accepted {
                Ok(stream) => {
                    self.out.set_stream(number, &stream, session.local.ice.as_ref());
                    session.stream = Some(stream);
                }
                Err(text) => {
                    of_call!(info, in call, number, %text, "the caller's answer is not usable");
                    call.stage = Stage::Accepted(session);
                    return self.end_call(number, reasons(488, "The session description is not acceptable"));
                }
            }
        }
        call.recorded = true;
        self.out.began(number);
        let replaces = call.replaces;
        let before = call.comes_after();
        let conference = match &session.purpose {
            Purpose::Conference { key } => Some(key.clone()),
            Purpose::Announcement { .. } | Purpose::Entry { .. } => None,
        };
        let answered_at = Some(self.now.wall);
        records::call_started(call, conference.as_ref(), answered_at, Some(dialog), &mut self.out);
        let participant = call.participant.clone();
        let early_keys = session.take_early_keys();
        if let Some(replaced) = replaces {
            of_call!(info, in call, number, replaced = replaced.0, "takes the place of another call");
        }
        match &session.purpose {
            Purpose::Conference { key } => {
                let conference = key.clone();
                call.stage = Stage::Up(session);
                self.begin_menus_of_service(number, &conference);
                self.out.home(ToHome::Connected { conference, participant });
            }
            Purpose::Entry { settings } => {
                let settings = (**settings).clone();
                call.stage = Stage::Up(session);
                self.begin_entry(number, settings);
            }
            Purpose::Announcement { account, play } => {
                let clips = crate::play::clips(*account, play);
                let play_id = PlayNumber(self.play_numbers.draw());
                session.playing = Some(play_id);
                self.announcements.insert(play_id, number);
                call.stage = Stage::Up(session);
                self.out.play(PlayTo::Call(number), play_id, clips, false);
            }
        }
        // Only now does the other leave: a leader who changes telephones does not end their conference.
        if let Some(replaced) = replaces {
            self.hand_called_over(replaced, number);
            self.take_over(replaced, "Another call has taken the place of this one");
        }
        if let Some(before) = before {
            self.departed.remove(before);
        }
        for key in early_keys {
            self.handle_digit(number, key);
        }
    }
}

fn refused_phrase(refused: &Refused) -> String {
    match refused {
        Refused::Early { .. } => "The conference has not started".to_owned(),
        Refused::Over => "The conference is over".to_owned(),
        Refused::Locked => "The conference is locked".to_owned(),
        Refused::Full => "The conference is full".to_owned(),
        Refused::LobbyFull => "Too many callers wait".to_owned(),
        Refused::Denied => "A leader turned the caller away".to_owned(),
        other @ (Refused::OutOfRange(_)
        | Refused::UnknownConference
        | Refused::UnknownReservation
        | Refused::UnknownParticipant
        | Refused::NotIn
        | Refused::UnknownPlayback
        | Refused::NameTokenMismatch
        | Refused::WrongState { .. }
        | Refused::NameTaken
        | Refused::TooLateToRemove
        | Refused::TooLateToExtend
        | Refused::TooLong { .. }
        | Refused::NoSeats { .. }
        | Refused::AlreadyAdmitted
        | Refused::AlreadyRecorded
        | Refused::NotRecorded
        | Refused::RecordingOff
        | Refused::NoEnd
        | Refused::NotAsked(_)
        | Refused::NobodyToRecord
        | Refused::RecordingFailed { .. }) => other.to_string(),
    }
}
