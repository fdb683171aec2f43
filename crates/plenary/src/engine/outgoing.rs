//! Calls that we place: a seat first, then one way after the other until somebody answers, who enters like a caller.

use super::{
    Engine,
    call::{Call, CallNumber, Outgoing, Purpose, Session, Stage},
    effects::reasons,
    incoming::{media_address, stream_params},
    sound::SoundChoice,
    target::{Route, Target, no_flow},
    wall_now,
};
use plenary_api::{ControlError, DialRefused, Invitation, PartyState, TransferState};
use plenary_conference::{
    AccountId, ConferenceKey, ConferenceName, Event, Mono, ParticipantId, ParticipantOptions, Refused,
};
use plenary_sip::{
    ReferTo, Replaces, RequestId,
    sdp::{self, Direction, Levels, LocalMedia},
};
use plenary_store::Refer;
use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};
use tracing::{info, warn};

/// How long one can read what became of a party.
const REMEMBERED_MS: u64 = 10 * 60 * 1000;
/// Parties whose end is remembered, at the most.
const REMEMBERED_MAX: usize = 5000;
/// Calls that are being placed for one account at a time: each may cost somebody money.
const PLACING_MAX: usize = 500;

/// What can be read of parties that we called, or that were sent elsewhere.
#[derive(Debug, Default)]
pub(super) struct Parties {
    of: HashMap<ParticipantId, (ConferenceKey, PartyState)>,
    ended: VecDeque<(Mono, ParticipantId)>,
}

impl Parties {
    fn begin(&mut self, key: ConferenceKey, party: PartyState) {
        self.of.insert(party.participant_id.clone(), (key, party));
    }

    fn get(&self, key: &ConferenceKey, id: &ParticipantId) -> Option<&PartyState> {
        self.of.get(id).filter(|(of, _)| of == key).map(|(_, party)| party)
    }

    pub(super) fn change(&mut self, id: &ParticipantId, change: impl FnOnce(&mut PartyState)) {
        if let Some((_, party)) = self.of.get_mut(id) {
            change(party);
        }
    }

    /// Its call is over: how, and where nothing else was said, that it ended.
    pub(super) fn end(&mut self, id: &ParticipantId, cause: &str, now: Mono) {
        let Some((_, party)) = self.of.get_mut(id) else { return };
        if party.state != "failed" {
            party.state = "ended";
            party.reason.get_or_insert_with(|| cause.to_owned());
        }
        self.ended.push_back((now, id.clone()));
        while let Some((at, _)) = self.ended.front()
            && (self.ended.len() > REMEMBERED_MAX || now.0.saturating_sub(at.0) > REMEMBERED_MS)
        {
            if let Some((_, id)) = self.ended.pop_front() {
                self.of.remove(&id);
            }
        }
    }
}

/// Who asked for a call by REFER, and what is to happen.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// To be told how it goes.
    pub(super) request: Option<RequestId>,
    /// The participant whose place the called one takes.
    pub(super) in_place_of: Option<CallNumber>,
    /// The dialog there that our call takes the place of.
    pub(super) replaces: Option<Replaces>,
    pub(super) referred_by: Option<String>,
    /// A client of ours that waits for the called one to answer.
    pub(super) caller: Option<CallNumber>,
}

impl Engine {
    /// Calls somebody into a conference, for the web service.
    pub(super) fn invite(
        &mut self,
        account: AccountId,
        conference: ConferenceName,
        invitation: Invitation,
    ) -> Result<PartyState, ControlError> {
        if self.stopping.is_some() || self.draining.is_some() {
            return Err(ControlError::Unavailable("the service is stopping".to_owned()));
        }
        let target = Target::parse(&invitation.to).map_err(DialRefused::BadTarget)?;
        let (trunk, from) = (invitation.trunk.as_deref(), invitation.from.as_deref());
        let routes = self.routes(account, &target, trunk, from)?;
        let key = ConferenceKey { account, name: conference };
        let ring = u64::from(invitation.ring_seconds) * 1000;
        let id = self.place(key.clone(), &target, routes, invitation.options, ring, Asked::default())?;
        self.parties.get(&key, &id).cloned().ok_or_else(|| Refused::UnknownParticipant.into())
    }

    /// Takes a seat and begins to call.
    pub(super) fn place(
        &mut self,
        key: ConferenceKey,
        target: &Target,
        routes: Vec<Route>,
        options: ParticipantOptions,
        ring_ms: u64,
        asked: Asked,
    ) -> Result<ParticipantId, ControlError> {
        let is_placing =
            |call: &&Call| matches!(call.stage, Stage::Calling(_)) && call.account == Some(key.account);
        if self.calls.values().filter(is_placing).count() >= PLACING_MAX {
            return Err(ControlError::Unavailable(format!(
                "the account is placing {PLACING_MAX} calls already; try again"
            )));
        }
        let number = CallNumber(self.sip.new_call().0);
        let participant = ParticipantId::new(format!("{:016x}.{}", self.node, number.0));
        let ask = Event::Admit { participant: participant.clone(), conference: key.clone(), options };
        self.conferences.handle_event(ask, self.clock.now())?;
        self.carry_out();
        let room = self.conference_room(&key);
        let local = self.own_address(routes.first());
        let bind = media_address(&self.listening, local);
        let rtp = match self.media.open_at(number.media(), room, bind) {
            Ok(address) => self.shown_address(address, local),
            Err(error) => {
                warn!(call = number.0, %error, "no media for a call");
                self.leave_room(&Purpose::Conference { key });
                let gone = Event::Gone { participant };
                if let Err(refused) = self.conferences.handle_event(gone, self.clock.now()) {
                    warn!(call = number.0, %refused, "a seat could not be given back");
                }
                return Err(ControlError::Unavailable(
                    "there is no port for the audio of another call".to_owned(),
                ));
            }
        };
        let local_media = LocalMedia {
            rtp,
            session_id: number.0,
            version: 1,
            codecs: self.settings.codecs.clone(),
            preference: self.settings.preference,
            dtmf: true,
            direction: Direction::SendRecv,
            security: self.security.local(self.settings.srtp, false),
            ice: Some(super::security::ice_credentials()),
            levels: Levels::Read,
        };
        let purpose = Purpose::Conference { key: key.clone() };
        let session = Session {
            purpose,
            local: local_media,
            stream: None,
            playing: None,
            speaks: false,
            listens: false,
        };
        let now = self.clock.now().mono;
        let from = routes.first().map(|route| route.spec.from_user.clone()).unwrap_or_default();
        self.participants.insert(participant.clone(), number);
        let call = Call {
            participant: participant.clone(),
            stage: Stage::Calling(session),
            dialled: target.name().to_owned(),
            from: from.clone(),
            flow: no_flow(local),
            account: Some(key.account),
            service: None,
            began_at: wall_now(),
            talking: false,
            sound: SoundChoice::default(),
            replaces: None,
            srtp: self.settings.srtp,
            recorded: true,
            trunk: None,
            admitted_by: None,
            refer: Refer::None,
            asserted: None,
            is_withheld: false,
            called: None,
            outgoing: Some(Box::new(Outgoing {
                to: target.shown(),
                routes: routes.into(),
                ring_until: now.plus_ms(ring_ms),
                is_ringing: false,
                early: HashMap::new(),
                asked,
            })),
        };
        self.records.call_started(&call, Some(&key), None);
        self.calls.insert(number, call);
        self.ringing.insert((now.plus_ms(ring_ms), number));
        self.parties.begin(
            key.clone(),
            PartyState {
                participant_id: participant.clone(),
                direction: "out",
                to: target.shown(),
                from,
                state: "calling",
                status: None,
                reason: None,
                trunk: None,
                transfer: None,
            },
        );
        self.apply_sound(&key, number);
        self.dial_next(number, 503, "Nobody to ask");
        self.followers.note(&key, now);
        Ok(participant)
    }

    /// Takes the next way; where there is none, the call has failed as the last one did.
    fn dial_next(&mut self, number: CallNumber, mut status: u16, phrase: &str) {
        let mut phrase = phrase.to_owned();
        loop {
            let Some(Call { outgoing: Some(outgoing), stage: Stage::Calling(_), .. }) =
                self.calls.get_mut(&number)
            else {
                return;
            };
            let Some(route) = outgoing.routes.pop_front() else { break };
            let has_more = !outgoing.routes.is_empty();
            outgoing.early.clear();
            outgoing.is_ringing = false;
            if route.trunk.as_ref().is_some_and(|trunk| !self.has_free_line(trunk)) {
                (status, phrase) = (503, "All lines of the trunk are in use".to_owned());
                continue;
            }
            match self.dial(number, route, has_more) {
                Ok(()) => return,
                Err(error) => (status, phrase) = (400, error),
            }
        }
        self.outgoing_failed(number, status, &phrase);
        self.end_unplaced(number);
    }

    fn dial(&mut self, number: CallNumber, route: Route, has_more: bool) -> Result<(), String> {
        let is_secure = route.is_secure || route.spec.flow.is_some_and(|flow| flow.transport.is_secure());
        let mut security = self.security.local(route.srtp, is_secure);
        security.offers_dtls = route.is_browser;
        let Some(call) = self.calls.get_mut(&number) else { return Ok(()) };
        let Stage::Calling(session) = &mut call.stage else { return Ok(()) };
        let Some(outgoing) = &call.outgoing else { return Ok(()) };
        session.local.security = security;
        session.local.version += 1;
        let name = route.trunk.as_ref().map(|trunk| trunk.name.clone());
        (call.srtp, call.trunk) = (route.srtp, name.clone());
        if let Some(flow) = route.spec.flow {
            call.flow = flow;
        }
        let mut spec = route.spec;
        spec.sdp = sdp::offer(&session.local);
        spec.replaces.clone_from(&outgoing.asked.replaces);
        spec.referred_by.clone_from(&outgoing.asked.referred_by);
        let left = outgoing.ring_until.0.saturating_sub(self.clock.now().mono.0);
        // We give up ourselves; this is for the case that we should not come to it.
        spec.ring_for = Some(Duration::from_millis(left + 5000));
        spec.is_impatient = has_more;
        info!(call = number.0, to = %outgoing.to, uri = %spec.uri, trunk = name.as_deref().unwrap_or_default(), "calling");
        let participant = call.participant.clone();
        self.parties.change(&participant, |party| party.trunk = name);
        self.sip.dial_as(number.sip(), spec).map_err(|error| error.to_string())
    }

    /// Where the called party's RTP can reach us: by the way of the flow, or of the address that the URI names.
    fn own_address(&self, route: Option<&Route>) -> IpAddr {
        if let Some(flow) = route.and_then(|route| route.spec.flow) {
            return flow.local.ip().to_canonical();
        }
        let host = route.map(|route| {
            let next = route.spec.route.first().unwrap_or(&route.spec.uri);
            let host = next.rsplit('@').next().unwrap_or_default();
            host.trim_start_matches("sips:").trim_start_matches("sip:").to_owned()
        });
        let literal = host.and_then(|host| {
            let end = host.find(';').unwrap_or(host.len());
            let address = &host[..end];
            let (ip, _) = match address.strip_prefix('[') {
                Some(rest) => rest.split_once(']')?,
                None => address.split_once(':').unwrap_or((address, "")),
            };
            ip.parse::<IpAddr>().ok()
        });
        let has_ipv4 = self.listening.iter().any(IpAddr::is_ipv4)
            || self.listening.iter().any(|ip| ip.is_ipv6() && ip.is_unspecified());
        // Of a name nothing is known yet: addresses that are for examples lead where most do.
        let towards = literal.unwrap_or(if has_ipv4 {
            IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))
        } else {
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))
        });
        let listening =
            self.listening.iter().find(|ip| !ip.is_unspecified() && ip.is_ipv4() == towards.is_ipv4());
        listening.copied().or_else(|| source_towards(towards)).unwrap_or(if towards.is_ipv4() {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        } else {
            IpAddr::V6(Ipv6Addr::LOCALHOST)
        })
    }

    fn shown_address(&self, mut rtp: SocketAddr, local: IpAddr) -> SocketAddr {
        if let Some(advertise) = self.settings.advertise.filter(|ip| ip.is_ipv4() == local.is_ipv4()) {
            rtp.set_ip(advertise);
        } else if rtp.ip().is_unspecified() {
            rtp.set_ip(local);
        }
        rtp
    }

    /// The called side rings. What it plays before it answers is for nobody: the conference does not hear it.
    pub(super) fn handle_progress(
        &mut self,
        number: CallNumber,
        fork: u32,
        status: u16,
        sdp: Option<String>,
    ) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Stage::Calling(session) = &call.stage else { return };
        let Purpose::Conference { key } = &session.purpose else { return };
        let (key, Some(outgoing)) = (key.clone(), &mut call.outgoing) else { return };
        if let Some(sdp) = sdp {
            outgoing.early.insert(fork, sdp);
        }
        if !std::mem::replace(&mut outgoing.is_ringing, true) {
            self.parties.change(&call.participant, |party| party.state = "ringing");
            self.followers.note(&key, self.clock.now().mono);
        }
        if let Some(caller) = outgoing.asked.caller.filter(|_| status == 180) {
            self.direct_call_rings(caller);
        }
        let Some(Call { outgoing: Some(outgoing), .. }) = self.calls.get(&number) else { return };
        if let Some(request) = outgoing.asked.request {
            self.sip.report_referral(
                request,
                status,
                if status == 180 { "Ringing" } else { "Session Progress" },
            );
        }
    }

    /// The called side has answered: the party enters.
    pub(super) fn handle_answered(
        &mut self,
        number: CallNumber,
        fork: u32,
        sdp: Option<String>,
        dialog: String,
    ) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let stage = std::mem::replace(&mut call.stage, Stage::Ending);
        let Stage::Calling(mut session) = stage else {
            call.stage = stage;
            return;
        };
        let (until, request, in_place_of, caller, early) = match &mut call.outgoing {
            Some(outgoing) => (
                outgoing.ring_until,
                outgoing.asked.request.take(),
                outgoing.asked.in_place_of,
                outgoing.asked.caller.take(),
                outgoing.early.remove(&fork),
            ),
            None => return,
        };
        self.ringing.remove(&(until, number));
        let answer = sdp.or(early).ok_or_else(|| "the answer has no session description".to_owned());
        let stream =
            answer.and_then(|sdp| sdp::accept(&session.local, &sdp).map_err(|error| error.to_string()));
        let participant = call.participant.clone();
        let stream = match stream {
            Ok(stream) => stream,
            Err(text) => {
                info!(call = number.0, %text, "the called side's answer is not usable");
                if let Some(outgoing) = &mut call.outgoing {
                    outgoing.asked.caller = caller;
                }
                call.stage = Stage::Calling(session);
                self.outgoing_failed(number, 488, "The session description is not acceptable");
                return self.end_call(number, reasons(488, "The session description is not acceptable"));
            }
        };
        self.media.set_stream(number.media(), stream_params(&stream, &session.local));
        let (codec, is_encrypted) = (stream.codec, stream.protection != sdp::Protection::None);
        session.stream = Some(stream);
        call.stage = Stage::Up(session);
        let key = call.conference().cloned();
        self.records.call_answered(call, dialog);
        self.parties.change(&participant, |party| party.state = "answered");
        if let Some(request) = request {
            self.sip.report_referral(request, 200, "OK");
        }
        self.count_answered(number, codec, is_encrypted);
        info!(call = number.0, %participant, "answered");
        let connected = Event::Connected { participant };
        if let Err(refused) = self.conferences.handle_event(connected, self.clock.now()) {
            info!(call = number.0, %refused, "the conference ended before the called party was in");
            if let Some(caller) = caller {
                self.direct_call_failed(caller, 480, &refused.to_string());
            }
            return self.end_call(number, reasons(486, &refused.to_string()));
        }
        self.carry_out();
        if let (Some(caller), Some(key)) = (caller, key) {
            self.direct_call_answered(caller, key);
        }
        if let Some(old) = in_place_of {
            self.take_over(old, "Another call has taken the place of this one");
        }
    }

    /// The called side refused, or was not reached.
    pub(super) fn handle_rejected(&mut self, number: CallNumber, status: u16, phrase: &str) {
        let Some(call) = self.calls.get(&number) else { return };
        if let (Some(name), Some(account)) = (&call.trunk, call.account)
            && (status >= 500 || matches!(status, 401 | 403 | 407 | 408))
            && status < 600
        {
            self.trunks.note_error(account, name, format!("call: {status} {phrase}"));
        }
        let Some(Call { outgoing: Some(outgoing), stage: Stage::Calling(_), trunk, .. }) =
            self.calls.get(&number)
        else {
            return self.call_is_over(number, "refused");
        };
        let is_silent = !outgoing.is_ringing;
        let may_go_on = match trunk {
            // Nobody there, or nobody who can: another one may.
            Some(_) => (500..600).contains(&status) || (status == 408 && is_silent),
            // A telephone that is switched off, or has another address by now.
            None => {
                (500..600).contains(&status) || (matches!(status, 404 | 408 | 410 | 430 | 480) && is_silent)
            }
        };
        if may_go_on && !outgoing.routes.is_empty() {
            info!(call = number.0, status, phrase, "not reached by this way: trying the next");
            return self.dial_next(number, status, phrase);
        }
        self.outgoing_failed(number, status, phrase);
        self.end_unplaced(number);
    }

    /// A call that we placed counts from when it is answered: it cannot be refused any more.
    fn count_answered(&self, number: CallNumber, codec: sdp::Codec, is_encrypted: bool) {
        let Some(Stage::Up(session)) = self.calls.get(&number).map(|call| &call.stage) else { return };
        let kind = self.call_kind(number, session, codec, is_encrypted);
        if let Some(worker) = self.media.worker_of(number.media()) {
            self.admissions.count(number.0, worker, kind);
            self.admissions.began(number.0);
        }
    }

    /// Writes down that a call of ours came to nothing, and tells who asked for it.
    fn outgoing_failed(&mut self, number: CallNumber, status: u16, phrase: &str) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Some(outgoing) = &mut call.outgoing else { return };
        self.ringing.remove(&(outgoing.ring_until, number));
        info!(call = number.0, to = %outgoing.to, status, phrase, "not answered");
        if let Some(request) = outgoing.asked.request.take() {
            self.sip.report_referral(request, status, phrase);
        }
        let caller = outgoing.asked.caller.take();
        self.parties.change(&call.participant, |party| {
            (party.state, party.status, party.reason) = ("failed", Some(status), Some(phrase.to_owned()));
        });
        if let Some(caller) = caller {
            self.direct_call_failed(caller, status, phrase);
        }
    }

    /// A call of ours is over of which the signalling knows nothing any more.
    fn end_unplaced(&mut self, number: CallNumber) {
        let party = self.calls.get(&number).map(|call| call.participant.clone());
        let cause = party
            .and_then(|id| self.parties.of.get(&id))
            .and_then(|(_, party)| Some(format!("{} {}", party.status?, party.reason.as_deref()?)));
        self.call_is_over(number, cause.as_deref().unwrap_or("refused"));
    }

    /// When somebody has rung long enough.
    pub(super) fn ringing_due(&self) -> Option<Mono> {
        self.ringing.first().map(|(at, _)| *at)
    }

    pub(super) fn stop_ringing(&mut self) {
        let now = self.clock.now().mono;
        while let Some((at, number)) = self.ringing.first().copied()
            && at <= now
        {
            self.ringing.remove(&(at, number));
            if matches!(self.calls.get(&number), Some(Call { stage: Stage::Calling(_), .. })) {
                self.outgoing_failed(number, 408, "No answer");
                self.end_call(number, reasons(408, "No answer"));
            }
        }
    }

    /// A call that is being placed is ended by us, for whatever reason: nobody is asked any more.
    pub(super) fn forget_ringing(&mut self, number: CallNumber) {
        if let Some(Call { outgoing: Some(outgoing), .. }) = self.calls.get_mut(&number) {
            let until = outgoing.ring_until;
            if let Some(request) = outgoing.asked.request.take() {
                self.sip.report_referral(request, 487, "Request Terminated");
            }
            self.ringing.remove(&(until, number));
        }
    }

    /// A participant leaves because another call has taken its place: that ends nothing for anybody else.
    pub(super) fn take_over(&mut self, old: CallNumber, text: &str) {
        if let Some(call) = self.calls.get(&old) {
            let taken = Event::TakenOver { participant: call.participant.clone() };
            if let Err(refused) = self.conferences.handle_event(taken, self.clock.now()) {
                warn!(call = old.0, %refused, "a call could not leave its conference");
            }
            self.carry_out();
        }
        self.end_call(old, reasons(200, text));
    }

    fn party_call(&self, key: &ConferenceKey, id: &ParticipantId) -> Option<CallNumber> {
        let number = *self.participants.get(id)?;
        let call = self.calls.get(&number)?;
        (call.conference() == Some(key)).then_some(number)
    }

    pub(super) fn party(
        &self,
        account: AccountId,
        conference: ConferenceName,
        id: &ParticipantId,
    ) -> Result<PartyState, Refused> {
        let key = ConferenceKey { account, name: conference };
        if let Some(party) = self.parties.get(&key, id) {
            return Ok(party.clone());
        }
        let number = self.party_call(&key, id).ok_or(Refused::UnknownParticipant)?;
        let call = &self.calls[&number];
        Ok(PartyState {
            participant_id: id.clone(),
            direction: "in",
            to: call.dialled.clone(),
            from: call.shown_from().to_owned(),
            state: "answered",
            status: None,
            reason: None,
            trunk: call.trunk.clone(),
            transfer: None,
        })
    }

    pub(super) fn end_party(
        &mut self,
        account: AccountId,
        conference: ConferenceName,
        id: &ParticipantId,
    ) -> Result<(), Refused> {
        let key = ConferenceKey { account, name: conference };
        let number = self.party_call(&key, id).ok_or(Refused::UnknownParticipant)?;
        let is_up = matches!(self.calls[&number].stage, Stage::Up(_));
        self.parties.change(id, |party| party.reason = Some("ended by the web service".to_owned()));
        self.end_call(number, reasons(200, if is_up { "Ended" } else { "Not wanted any more" }));
        Ok(())
    }

    /// Asks a participant's telephone to call somebody else.
    pub(super) fn transfer(
        &mut self,
        account: AccountId,
        conference: ConferenceName,
        id: &ParticipantId,
        to: &str,
    ) -> Result<PartyState, ControlError> {
        let key = ConferenceKey { account, name: conference.clone() };
        let target = Target::parse(to).map_err(DialRefused::BadTarget)?;
        let uri = match &target {
            Target::Number(_) => target.shown(),
            Target::Uri { .. } => target.shown(),
            Target::User(_) | Target::Client(_) => {
                let text = "a telephone can be asked to call tel: and sip: only; user: and webrtc: are known here alone";
                return Err(DialRefused::BadTarget(text.to_owned()).into());
            }
        };
        let number = self.party_call(&key, id).ok_or(Refused::UnknownParticipant)?;
        if !matches!(self.calls[&number].stage, Stage::Up(_)) {
            return Err(DialRefused::NotNow("the party has not answered yet".to_owned()).into());
        }
        let mut party = self.party(account, conference, id)?;
        if party.transfer.as_ref().is_some_and(|transfer| matches!(transfer.state, "asked" | "trying")) {
            return Err(DialRefused::NotNow("a transfer of this party is under way".to_owned()).into());
        }
        party.transfer = Some(TransferState { to: target.shown(), state: "asked", status: None });
        self.parties.begin(key, party.clone());
        self.sip.refer(number.sip(), ReferTo::Uri { uri, replaces: None });
        Ok(party)
    }

    /// What a telephone says of the call that it was asked to make.
    pub(super) fn handle_referral_progress(
        &mut self,
        number: CallNumber,
        status: u16,
        phrase: &str,
        is_final: bool,
    ) {
        let Some(call) = self.calls.get(&number) else { return };
        let id = call.participant.clone();
        let is_done = is_final && (200..300).contains(&status);
        info!(call = number.0, status, phrase, is_final, "transfer");
        self.parties.change(&id, |party| {
            if let Some(transfer) = &mut party.transfer {
                transfer.status = Some(status);
                transfer.state = match (is_done, is_final) {
                    (true, _) => "done",
                    (false, true) => "failed",
                    (false, false) => "trying",
                };
            }
        });
        if is_done {
            self.end_call(number, reasons(200, "Transferred"));
        }
    }
}

/// The address of ours by which the system would reach another.
fn source_towards(ip: IpAddr) -> Option<IpAddr> {
    let any: SocketAddr = match ip {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).ok()?;
    // Nothing is sent: the system only looks for a route.
    socket.connect((ip, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
