//! From an INVITE to a party that talks: find the inbound service, ask for a seat, agree on the media, answer.

use super::{
    Command, Engine, Room, access,
    call::{Call, CallNumber, Purpose, Session, Stage},
    effects::reasons,
    sound::SoundChoice,
    wall_now,
    webrtc::Claim,
};
use crate::forecast::{CallKind, TooMuch};
use plenary_conference::{ConferenceKey, Event, ParticipantId, Refused, ServiceName};
use plenary_media::{Ice, MasterKey, PlayId, PlayTo, Protection, RoomId, StreamParams};
use plenary_model::Number;
use plenary_sip::{
    IncomingCall, Transport,
    sdp::{self, Codec, Direction, Levels, LocalMedia, Policy, SdpError, Stream},
};
use plenary_store::{Action, InboundService, Refer, Srtp, StoreError};
use std::net::IpAddr;
use tracing::{debug, info, warn};

/// When those may come again who are refused with 503.
const RETRY_AFTER_S: &str = "30";
/// The same where there is too much to do; the signalling says so too.
const RETRY_AFTER_OVERLOAD_S: &str = "10";

impl Engine {
    pub(super) fn handle_incoming(&mut self, incoming: IncomingCall) {
        let number = CallNumber(incoming.call.0);
        let replaces = incoming.replaces.map(|call| CallNumber(call.0));
        let mut incoming = incoming;
        // Whoever takes over a call dials the Contact of our side; it goes where that call went.
        if let Some(replaced) = replaces.and_then(|replaced| self.calls.get(&replaced)) {
            incoming.target.user.clone_from(&replaced.dialled);
        }
        if self.stopping.is_some() {
            self.sip.reject(incoming.call, 503, None, vec![("Retry-After".into(), "30".into())]);
            return;
        }
        let participant = ParticipantId::new(format!("{:016x}.{}", self.node, number.0));
        // Only those we trust may say who somebody else is (RFC 3325, 5): of trunks it is not known yet.
        let asserted = incoming.asserted.map(|party| party.user);
        let is_trusted = self.is_trusted(incoming.flow);
        // An access key counts over WebSockets only.
        let is_browser = matches!(incoming.flow.transport, Transport::Ws | Transport::Wss);
        let claim = is_browser.then(|| Claim::of(&incoming.from.user, &incoming.from.host)).flatten();
        let from = asserted.clone().filter(|_| is_trusted).unwrap_or(incoming.from.user);
        // One number has one spelling in rosters and records, however the caller's side writes it.
        let from = Number::parse(&from).map_or(from, |number| number.to_string());
        let is_withheld = incoming.is_private;
        let shown = if is_withheld { super::call::ANONYMOUS } else { &from };
        info!(call = number.0, dialled = %incoming.target.user, from = %shown, source = %incoming.flow, "incoming call");
        self.participants.insert(participant.clone(), number);
        self.calls.insert(
            number,
            Call {
                participant,
                stage: Stage::Routing { offer: incoming.offer, diverted: false },
                dialled: incoming.target.user.clone(),
                from,
                flow: incoming.flow,
                account: None,
                service: None,
                began_at: wall_now(),
                talking: false,
                sound: SoundChoice::default(),
                replaces,
                srtp: self.settings.srtp,
                recorded: false,
                trunk: None,
                admitted_by: None,
                refer: Refer::None,
                asserted,
                is_withheld,
                called: None,
                outgoing: None,
            },
        );
        let (store, commands) = (self.store.clone(), self.commands.clone());
        let brought = self.brought(&incoming.authorizations, incoming.flow.remote.ip());
        tokio::spawn(async move {
            let asked =
                access::Asked { target: Some(&incoming.target), claim, brought, caller: incoming.caller };
            let looked = access::look_up(&store, asked).await;
            let _ = commands.send(Command::LookedUp { call: number, looked }).await;
        });
    }

    pub(super) fn handle_routed(
        &mut self,
        number: CallNumber,
        found: Result<Option<(InboundService, String)>, StoreError>,
    ) {
        // It may have been cancelled meanwhile.
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Stage::Routing { diverted, .. } = call.stage else { return };
        let (service, rest) = match found {
            Ok(Some(found)) => found,
            Ok(None) if diverted => {
                warn!(call = number.0, dialled = %call.dialled, "the inbound service to divert early callers to does not exist: the caller is BUSY");
                return self.refuse(number, 486, "The conference has not started");
            }
            Ok(None) => {
                info!(call = number.0, dialled = %call.dialled, "no inbound service of this name");
                return self.refuse(number, 404, "No such service");
            }
            Err(error) => {
                warn!(call = number.0, %error, "the inbound service could not be looked up");
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
        match service.action {
            Action::Announcement(announcement) => {
                let play = announcement.play.0.clone();
                let room = RoomId(self.room_numbers.draw());
                self.accept(number, Purpose::Announcement { play }, room);
            }
            Action::Conference(conference) => {
                let Some(name) = conference.conference_name(&rest) else {
                    info!(call = number.0, %rest, "not a conference name: 1 to 47 letters and digits");
                    return self.refuse(number, 404, "No such conference");
                };
                call.refer = conference.refer;
                let key = ConferenceKey { account: service.account, name };
                self.admit(number, key, conference.participant);
            }
        }
    }

    pub(super) fn admit(
        &mut self,
        number: CallNumber,
        key: ConferenceKey,
        options: plenary_conference::ParticipantOptions,
    ) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let (participant, conference) = (call.participant.clone(), key.clone());
        let replaced = call.replaces;
        // Whoever takes a place over needs none of its own, where the conference is full.
        let ask = match replaced.and_then(|replaced| self.calls.get(&replaced)) {
            Some(replaced) => {
                let of = replaced.participant.clone();
                Event::AdmitInPlace { participant, conference, options, of }
            }
            None => Event::Admit { participant, conference, options },
        };
        match self.conferences.handle_event(ask, self.clock.now()) {
            Ok(()) => {
                let room = self.conference_room(&key);
                self.accept(number, Purpose::Conference { key }, room);
            }
            Err(Refused::Early { divert: Some(service) }) => self.divert(number, key, service),
            Err(refused) => {
                info!(call = number.0, conference = %key.name, %refused, "caller refused");
                self.refuse(number, 486, &refused_phrase(&refused));
            }
        }
    }

    /// An early caller goes to the inbound service that the reservation names. Once: a service that leads to
    /// another early conference ends there.
    fn divert(&mut self, number: CallNumber, key: ConferenceKey, service: ServiceName) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Stage::Routing { diverted, .. } = &mut call.stage else { return };
        if *diverted {
            info!(call = number.0, conference = %key.name, "diverted to a conference that has not started either");
            return self.refuse(number, 486, "The conference has not started");
        }
        *diverted = true;
        info!(call = number.0, conference = %key.name, %service, "early caller diverted");
        self.look_up_divert(number, key.account, service);
    }

    pub(super) fn refuse(&mut self, number: CallNumber, status: u16, phrase: &str) {
        let extra = (status == 503).then(|| ("Retry-After".to_owned(), RETRY_AFTER_S.to_owned()));
        self.sip.reject(number.sip(), status, Some(phrase), extra.into_iter().collect());
        self.forget_refused(number);
    }

    /// A refused call is over for us at once; the signalling sees the refusal through by itself.
    fn forget_refused(&mut self, number: CallNumber) {
        self.call_is_over(number, "refused");
    }

    /// Opens the media, answers the offer (or makes one) and sends 200.
    fn accept(&mut self, number: CallNumber, purpose: Purpose, room: RoomId) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Stage::Routing { offer, .. } = &mut call.stage else { return };
        let offer = offer.take();
        let srtp = call.srtp;
        let bind = media_address(&self.listening, call.flow.local.ip());
        let address = match self.media.open_at(number.media(), room, bind) {
            Ok(address) => address,
            Err(error) => {
                warn!(call = number.0, %error, "no media for a call");
                self.leave_room(&purpose);
                return match error.is_temporary() {
                    true => self.refuse(number, 503, "The service is full"),
                    false => self.refuse(number, 500, "No media"),
                };
            }
        };
        if let Purpose::Conference { key } = &purpose {
            self.apply_sound(key, number);
        }
        let Some(call) = self.calls.get_mut(&number) else { return };
        let mut rtp = address;
        let is_ipv4 = call.flow.remote.ip().to_canonical().is_ipv4();
        if let Some(advertise) = self.settings.advertise.filter(|ip| ip.is_ipv4() == is_ipv4) {
            rtp.set_ip(advertise);
        } else if rtp.ip().is_unspecified() {
            // Listening on all addresses: RTP goes where this caller's SIP goes.
            rtp.set_ip(call.flow.local.ip().to_canonical());
        }
        let local = LocalMedia {
            rtp,
            session_id: number.0,
            version: 1,
            codecs: self.settings.codecs.clone(),
            preference: self.settings.preference,
            dtmf: true,
            direction: Direction::SendRecv,
            security: self.security.local(srtp, call.flow.transport.is_secure()),
            ice: Some(super::security::ice_credentials()),
            levels: Levels::Read,
        };
        let mut session =
            Session { purpose, local, stream: None, playing: None, speaks: false, listens: false };
        match offer {
            Some(offer) => match sdp::answer(&offer, &session.local) {
                Ok(answer) => {
                    let is_encrypted = answer.stream.protection != sdp::Protection::None;
                    if self.is_too_much(number, &session, answer.stream.codec, is_encrypted) {
                        self.store_session(number, Stage::Accepted(session));
                        return self.refuse_overloaded(number);
                    }
                    self.media.set_stream(number.media(), stream_params(&answer.stream, &session.local));
                    session.stream = Some(answer.stream);
                    self.answer(number, session, answer.sdp);
                }
                Err(error) => {
                    info!(call = number.0, %error, "the caller's session description is not usable");
                    self.store_session(number, Stage::Accepted(session));
                    self.refuse_sdp(number, &error);
                }
            },
            None => {
                // What they will choose is not known; most choose what they are offered first.
                let codec = session.local.codecs.first().copied().unwrap_or(Codec::Pcmu);
                if self.is_too_much(number, &session, codec, srtp == Policy::Required) {
                    self.store_session(number, Stage::Accepted(session));
                    return self.refuse_overloaded(number);
                }
                let offer = sdp::offer(&session.local);
                self.answer(number, session, offer);
            }
        }
    }

    /// Whether the media thread of a call would have too much to do with it. If not, it counts from now on.
    fn is_too_much(&self, number: CallNumber, session: &Session, codec: Codec, is_encrypted: bool) -> bool {
        let kind = self.call_kind(number, session, codec, is_encrypted);
        let Some(worker) = self.media.worker_of(number.media()) else { return false };
        if self.calls.get(&number).is_some_and(|call| call.replaces.is_some()) {
            // It costs what the one costs that goes.
            self.admissions.count(number.0, worker, kind);
            return false;
        }
        let admitted = self.admissions.admit(number.0, worker, kind);
        if let Err(TooMuch { expected_share }) = admitted {
            info!(
                call = number.0,
                expected_share, "caller refused: a media thread would have too much to do"
            );
        }
        admitted.is_err()
    }

    /// What a call costs depends on this.
    pub(super) fn call_kind(
        &self,
        number: CallNumber,
        session: &Session,
        codec: Codec,
        is_encrypted: bool,
    ) -> CallKind {
        let noise_suppression = match &session.purpose {
            Purpose::Conference { key } => self.call_sound(key, number).noise_suppression,
            Purpose::Announcement { .. } => false,
        };
        CallKind { codec: media_codec(codec), is_encrypted, noise_suppression }
    }

    /// Refuses a call that would be too much, and with it those that come next, until it is calm.
    fn refuse_overloaded(&mut self, number: CallNumber) {
        self.sip.set_busy(true);
        let after = ("Retry-After".to_owned(), RETRY_AFTER_OVERLOAD_S.to_owned());
        self.sip.reject(number.sip(), 503, None, vec![after]);
        self.forget_refused(number);
    }

    fn answer(&mut self, number: CallNumber, session: Session, sdp: String) {
        let is_conference = matches!(session.purpose, Purpose::Conference { .. });
        self.store_session(number, Stage::Accepted(session));
        match is_conference {
            true => self.sip.answer_as_focus(number.sip(), sdp),
            false => self.sip.answer(number.sip(), sdp),
        }
    }

    fn store_session(&mut self, number: CallNumber, stage: Stage) {
        if let Some(call) = self.calls.get_mut(&number) {
            call.stage = stage;
        }
    }

    fn refuse_sdp(&mut self, number: CallNumber, error: &SdpError) {
        let warning = error.warning().map(|text| ("Warning".to_owned(), text));
        self.sip.reject(number.sip(), error.status(), None, warning.into_iter().collect());
        self.forget_refused(number);
    }

    /// The ACK has come: the party enters.
    pub(super) fn handle_confirmed(&mut self, number: CallNumber, answer: Option<String>, dialog: String) {
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
                    self.media.set_stream(number.media(), stream_params(&stream, &session.local));
                    session.stream = Some(stream);
                }
                Err(text) => {
                    info!(call = number.0, %text, "the caller's answer is not usable");
                    call.stage = Stage::Accepted(session);
                    return self.end_call(number, reasons(488, "The session description is not acceptable"));
                }
            }
        }
        call.recorded = true;
        self.admissions.began(number.0);
        let replaces = call.replaces;
        let conference = match &session.purpose {
            Purpose::Conference { key } => Some(key.clone()),
            Purpose::Announcement { .. } => None,
        };
        self.records.call_started(call, conference.as_ref(), Some(dialog));
        let participant = call.participant.clone();
        if let Some(replaced) = replaces {
            info!(call = number.0, replaced = replaced.0, "takes the place of another call");
        }
        match &session.purpose {
            Purpose::Conference { .. } => {
                call.stage = Stage::Up(session);
                let connected = Event::Connected { participant };
                if let Err(refused) = self.conferences.handle_event(connected, self.clock.now()) {
                    // Its seat went away between the INVITE and the ACK: the time was up just then.
                    info!(call = number.0, %refused, "the conference ended before the caller was in");
                    self.end_call(number, reasons(486, &refused_phrase(&refused)));
                }
            }
            Purpose::Announcement { play } => {
                let items = super::play::items(play);
                let play_id = PlayId(self.play_numbers.draw());
                session.playing = Some(play_id);
                self.announcements.insert(play_id, number);
                call.stage = Stage::Up(session);
                self.media.play(PlayTo::Call(number.media()), play_id, items, false);
            }
        }
        // In only after the other is: a leader who changes telephones does not end his conference.
        if let Some(replaced) = replaces {
            self.carry_out();
            self.take_over(replaced, "Another call has taken the place of this one");
        }
    }

    /// A re-INVITE or UPDATE: hold, resume, another address, another codec.
    pub(super) fn handle_reoffer(&mut self, number: CallNumber, offer: Option<String>) {
        let Some(session) = self.calls.get_mut(&number).and_then(Call::session_mut) else {
            return self.sip.reject_offer(number.sip(), 481);
        };
        session.local.version += 1;
        let Some(offer) = offer else {
            let ours = sdp::offer(&session.local);
            return self.sip.accept_offer(number.sip(), ours);
        };
        match sdp::answer(&offer, &session.local) {
            Ok(answer) => {
                debug!(call = number.0, remote = %answer.stream.remote_rtp, direction = ?answer.stream.direction, "session changed");
                self.media.set_stream(number.media(), stream_params(&answer.stream, &session.local));
                session.stream = Some(answer.stream);
                self.sip.accept_offer(number.sip(), answer.sdp);
            }
            Err(error) => {
                if let Some(answer) = sdp::without_audio(&offer, &session.local) {
                    self.audio_removed(number);
                    return self.sip.accept_offer(number.sip(), answer);
                }
                // The session goes on as it was (RFC 3261, 14.2).
                info!(call = number.0, %error, "a new offer is not usable: the call goes on as it was");
                self.sip.reject_offer(number.sip(), error.status());
            }
        }
    }

    /// The other side has taken its audio away: the call stays, as if it were on hold, until another offer brings it back.
    fn audio_removed(&mut self, number: CallNumber) {
        let Some(session) = self.calls.get_mut(&number).and_then(Call::session_mut) else { return };
        debug!(call = number.0, "the audio stream was removed");
        if let Some(stream) = &mut session.stream {
            stream.direction = Direction::Inactive;
            self.media.set_stream(number.media(), stream_params(stream, &session.local));
        }
    }

    pub(super) fn handle_reoffer_answer(&mut self, number: CallNumber, answer: Option<String>) {
        let Some(session) = self.calls.get_mut(&number).and_then(Call::session_mut) else { return };
        match answer.as_deref().map(|answer| sdp::accept(&session.local, answer)) {
            Some(Ok(stream)) => {
                self.media.set_stream(number.media(), stream_params(&stream, &session.local));
                session.stream = Some(stream);
            }
            Some(Err(_)) if answer.as_deref().is_some_and(sdp::has_no_audio) => self.audio_removed(number),
            Some(Err(error)) => info!(call = number.0, %error, "the answer to our offer is not usable"),
            None => info!(call = number.0, "the ACK brought no answer to our offer"),
        }
    }

    pub(super) fn handle_key(&mut self, number: CallNumber, key: char) {
        let Some(call) = self.calls.get(&number) else { return };
        let Some(key) = plenary_conference::Digit::new(key) else { return };
        if matches!(call.stage, Stage::Up(Session { purpose: Purpose::Conference { .. }, .. })) {
            let pressed = Event::KeyPressed { participant: call.participant.clone(), key };
            if let Err(refused) = self.conferences.handle_event(pressed, self.clock.now()) {
                debug!(call = number.0, %refused, "a key did nothing");
            }
        }
    }

    /// Gives back what the call holds in the media plane; only its signalling may still be ending.
    pub(super) fn release_media(&mut self, number: CallNumber) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.talking = false;
        match std::mem::replace(&mut call.stage, Stage::Ending) {
            Stage::Calling(session) | Stage::Accepted(session) | Stage::Up(session) => {
                if let Some(id) = session.playing {
                    self.announcements.remove(&id);
                    self.media.stop_play(id);
                }
                self.media.close(number.media());
                self.admissions.ended(number.0);
                self.leave_room(&session.purpose);
            }
            Stage::Routing { .. } | Stage::Ending => {}
        }
    }

    pub(super) fn conference_room(&mut self, key: &ConferenceKey) -> RoomId {
        if !self.rooms.contains_key(key) {
            let id = RoomId(self.room_numbers.draw());
            self.rooms.insert(key.clone(), Room { id, calls: 0 });
        }
        let room = self.rooms.get_mut(key).expect("inserted above when it was missing");
        room.calls += 1;
        room.id
    }

    pub(super) fn leave_room(&mut self, purpose: &Purpose) {
        let Purpose::Conference { key } = purpose else { return };
        if let Some(room) = self.rooms.get_mut(key) {
            room.calls -= 1;
            if room.calls == 0 {
                self.rooms.remove(key);
            }
        }
    }
}

/// Where the RTP of a caller is received who reaches us at `local`: on the addresses that SIP listens on. All of them
/// where SIP listens on all, for then signalling and audio may come in by different ways.
pub(super) fn media_address(listening: &[IpAddr], local: IpAddr) -> IpAddr {
    let local = local.to_canonical();
    let of_family = |ip: &&IpAddr| ip.is_ipv4() == local.is_ipv4();
    let any = |ip: &&IpAddr| ip.is_unspecified();
    let any_of_both = listening.iter().find(|ip| ip.is_ipv6() && ip.is_unspecified());
    listening
        .iter()
        .find(|ip| of_family(ip) && any(ip))
        .or(any_of_both)
        .or_else(|| listening.iter().find(|ip| **ip == local))
        .or_else(|| listening.iter().find(of_family))
        .copied()
        .unwrap_or(local)
}

fn refused_phrase(refused: &Refused) -> String {
    match refused {
        Refused::Early { .. } => "The conference has not started".to_owned(),
        Refused::Over => "The conference is over".to_owned(),
        Refused::Full => "The conference is full".to_owned(),
        other @ (Refused::OutOfRange(_)
        | Refused::UnknownConference
        | Refused::UnknownReservation
        | Refused::UnknownParticipant
        | Refused::NameTokenMismatch
        | Refused::WrongState { .. }
        | Refused::NameTaken
        | Refused::TooLateToRemove
        | Refused::TooLateToExtend
        | Refused::TooLong { .. }
        | Refused::NoSeats { .. }
        | Refused::AlreadyAdmitted) => other.to_string(),
    }
}

fn stream_protection(protection: &sdp::Protection) -> Protection {
    match protection {
        sdp::Protection::None => Protection::None,
        sdp::Protection::Sdes { suite, send, receive, .. } => {
            let suite = match suite {
                sdp::Suite::AeadAes256Gcm => plenary_media::Suite::AeadAes256Gcm,
                sdp::Suite::AeadAes128Gcm => plenary_media::Suite::AeadAes128Gcm,
                sdp::Suite::AesCm128HmacSha1_80 => plenary_media::Suite::AesCm128HmacSha1_80,
                sdp::Suite::AesCm128HmacSha1_32 => plenary_media::Suite::AesCm128HmacSha1_32,
            };
            let key = |key: &sdp::SdesKey| {
                let master = MasterKey::new(suite, &key.bytes);
                master.expect("the negotiation gives keys of the suite's length").with_mki(&key.mki)
            };
            Protection::Srtp { send: key(send), receive: receive.iter().map(key).collect() }
        }
        sdp::Protection::Dtls { setup, fingerprint } => {
            Protection::Dtls { active: *setup == sdp::Setup::Active, fingerprint: *fingerprint }
        }
    }
}

fn media_codec(codec: Codec) -> plenary_media::Codec {
    match codec {
        Codec::Pcmu => plenary_media::Codec::Pcmu,
        Codec::Pcma => plenary_media::Codec::Pcma,
        Codec::G722 => plenary_media::Codec::G722,
        Codec::Opus => plenary_media::Codec::Opus,
    }
}

pub(super) fn stream_params(stream: &Stream, local: &LocalMedia) -> StreamParams {
    StreamParams {
        remote_rtp: stream.remote_rtp,
        remote_rtcp: stream.remote_rtcp,
        rtcp_mux: stream.rtcp_mux,
        codec: media_codec(stream.codec),
        opus_bitrate_max: stream.opus_bitrate_max,
        send_payload_type: stream.payload_type,
        receive_payload_type: stream.receive_payload_type,
        dtmf_payload_type: stream.dtmf.as_ref().map(|dtmf| dtmf.receive),
        ptime_ms: stream.ptime_ms,
        send: matches!(stream.direction, Direction::SendRecv | Direction::SendOnly),
        receive: matches!(stream.direction, Direction::SendRecv | Direction::RecvOnly),
        level_id: stream.levels.map(|levels| levels.id),
        protection: stream_protection(&stream.protection),
        ice: stream
            .ice
            .as_ref()
            .and(local.ice.as_ref())
            .map(|ours| Ice { local_ufrag: ours.ufrag.clone(), local_pwd: ours.pwd.clone() }),
    }
}
