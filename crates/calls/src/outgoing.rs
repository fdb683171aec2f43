//! Calls that we place: a seat first, then ports, then one route after the other until one answers. The called side enters like a caller.
//!
//! ```text
//!   asked for ─▶ Preparing ── the home ── the media plane ─▶ Calling ── way 1, way 2 … ─▶ Up, or over
//! ```

use crate::{
    Calls, ControlError,
    audio_choice::AudioChoice,
    call::{Call, CallRequest, OutgoingCall, Purpose, Session, Stage},
    control::{DialRefused, Invitation},
    history::PastCall,
    media::{NoMedia, OpenedAt, Reach},
    number::CallNumber,
    question::Answer,
    reasons::reasons,
    records,
    route::Route,
    target::{DialTarget, no_flow},
};
use plenary_conference::{
    AccountId, ConferenceKey, ConferenceName, EdgeReport, Mono, ParticipantId, ParticipantOptions,
    QuestionId, ToHome, command::CallProgress,
};
use plenary_model::{Actor, EndedBy, Refer, spelled};
use plenary_sip::sdp;
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};
use tracing::info;

/// Calls that are being placed for one account at a time: each may cost money.
const PLACING_MAX: usize = 500;
/// How long a participant that is called again may ring, in milliseconds.
const REDIAL_MS: u64 = 45_000;

impl Calls {
    /// Calls a participant into a conference, for the web service.
    pub(crate) fn invite(
        &mut self,
        question: QuestionId,
        account: AccountId,
        conference: ConferenceName,
        invitation: &Invitation,
    ) -> Result<CallNumber, ControlError> {
        let by = (invitation.trunk.as_deref(), invitation.from.as_deref());
        let key = ConferenceKey { account, name: conference };
        let ring_ms = u64::from(invitation.ring_seconds) * 1000;
        let Invitation { confirm, redial, .. } = *invitation;
        let (display_name, from) = (invitation.display_name.clone(), invitation.from.clone());
        let question = Some(question);
        let request = CallRequest { question, confirm, redial, display_name, from, ..CallRequest::default() };
        self.place_to(key, &invitation.to, by, invitation.options.clone(), ring_ms, request)
    }

    /// Calls who is named as the web services name them, by the ways that the rules allow: by this trunk and with this number, where
    /// they are given.
    pub(crate) fn place_to(
        &mut self,
        key: ConferenceKey,
        to: &str,
        (trunk, from): (Option<&str>, Option<&str>),
        options: ParticipantOptions,
        ring_ms: u64,
        request: CallRequest,
    ) -> Result<CallNumber, ControlError> {
        if self.is_stopping || self.is_draining {
            return Err(ControlError::Unavailable("the service is stopping".to_owned()));
        }
        let target = DialTarget::parse(to).map_err(DialRefused::BadTarget)?;
        let routes = self.routes(key.account, &target, trunk, from)?;
        self.place(key, &target, routes, options, ring_ms, request)
    }

    /// Asks for a seat for a participant who is to be called. The outcome answers the request.
    pub(crate) fn place(
        &mut self,
        key: ConferenceKey,
        target: &DialTarget,
        routes: Vec<Route>,
        options: ParticipantOptions,
        ring_ms: u64,
        request: CallRequest,
    ) -> Result<CallNumber, ControlError> {
        let is_placing = |call: &&Call| {
            matches!(call.stage, Stage::Preparing { .. } | Stage::Calling(_))
                && call.account == Some(key.account)
        };
        if self.calls.values().filter(is_placing).count() >= PLACING_MAX {
            return Err(ControlError::Unavailable(format!(
                "the account is placing {PLACING_MAX} calls already; try again"
            )));
        }
        let number = self.spare_number.take().ok_or_else(|| {
            ControlError::Unavailable("there is no number for another call; try again".to_owned())
        })?;
        let participant = self.participant_id(number);
        let again_for = request.again_for.and_then(|call| self.calls.get(&call));
        let in_place_of = again_for.map(|call| call.participant.clone());
        let from = routes.first().map(|route| spelled(&route.spec.from_user)).unwrap_or_default();
        self.participants.insert(participant.clone(), number);
        let call = Call {
            participant: participant.clone(),
            stage: Stage::Preparing { key: key.clone(), has_room: false },
            dialled: target.name(),
            from,
            display_name: request.display_name.clone(),
            given_name: None,
            flow: no_flow(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            seat: Some(key.clone()),
            options: options.clone(),
            account: Some(key.account),
            service: None,
            began_at: self.now.wall,
            talking: false,
            one_way: None,
            sound: AudioChoice::default(),
            replaces: None,
            resumes: None,
            is_same_peer: false,
            srtp: self.settings.srtp,
            recorded: false,
            ending: None,
            trunk: None,
            admitted_by: None,
            refer: Refer::None,
            asserted: None,
            is_withheld: false,
            called: None,
            voice: None,
            keypad: None,
            sought: None,
            outgoing: Some(Box::new(OutgoingCall {
                to: target.shown(),
                routes: routes.into(),
                ring_until: self.now.mono.plus_ms(ring_ms),
                is_ringing: false,
                early: BTreeMap::new(),
                request,
            })),
        };
        let who = Box::new(call.introduction());
        let by_key = call.outgoing.as_ref().and_then(|outgoing| outgoing.request.by_key);
        let by = by_key.and_then(|leader| self.calls.get(&leader));
        // Only leaders call others by key.
        let by = by.map(|leader| Actor::participant(&leader.participant, true));
        self.calls.insert(number, call);
        let introduce =
            ToHome::Introduce { conference: key.clone(), participant: participant.clone(), who, by };
        self.out.home(introduce);
        self.out.home(ToHome::Admit {
            conference: key,
            participant,
            options,
            in_place_of,
            is_called: true,
            via: None,
        });
        Ok(number)
    }

    /// There is a seat: now for the media.
    pub(crate) fn open_for_placing(&mut self, number: CallNumber) {
        let Some(Call { stage: Stage::Preparing { key, has_room }, outgoing: Some(outgoing), .. }) =
            self.calls.get_mut(&number)
        else {
            return;
        };
        *has_room = true;
        let (key, reach) = (key.clone(), reach_of(outgoing.routes.front()));
        let room = self.conference_room(&key);
        self.out.open(number, room, reach);
    }

    /// There are ports for the call, or there are none.
    pub(crate) fn handle_opened_for_placing(&mut self, number: CallNumber, at: Result<OpenedAt, NoMedia>) {
        let OpenedAt { mut rtp, local } = match at {
            Ok(at) => at,
            Err(NoMedia { text, .. }) => {
                of_call!(warn, self, number, error = %text, "no media for a call");
                self.leave_conference(number);
                let text = "there is no port for the audio of another call".to_owned();
                return self.placing_failed(number, ControlError::Unavailable(text));
            }
        };
        if let Some(advertise) = self.settings.advertise.filter(|ip| ip.is_ipv4() == local.is_ipv4()) {
            rtp.set_ip(advertise);
        } else if rtp.ip().is_unspecified() {
            rtp.set_ip(local);
        }
        let local_media = self.local_media(number, rtp, self.settings.srtp, false);
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Stage::Preparing { key, .. } = &call.stage else { return };
        let Some(outgoing) = &mut call.outgoing else { return };
        let key = key.clone();
        let (to, ring_until, question) =
            (outgoing.to.clone(), outgoing.ring_until, outgoing.request.question.take());
        call.stage = Stage::Calling(Session::new(Purpose::Conference { key: key.clone() }, local_media));
        (call.flow, call.recorded) = (no_flow(local), true);
        let (participant, from) = (call.participant.clone(), call.from.clone());
        let display_name = call.shown_display_name().map(str::to_owned);
        records::call_started(call, Some(&key), None, None, &mut self.out);
        self.ringing.insert((ring_until, number));
        let past = PastCall {
            is_outgoing: true,
            to,
            from,
            display_name,
            has_failed: false,
            status: None,
            reason: None,
            trunk: None,
            transfer: None,
        };
        self.history.insert(key.clone(), participant.clone(), past);
        self.apply_sound(&key, number);
        self.apply_inband_dtmf(number);
        self.dial_next(number, 503, "Nobody to ask");
        self.subscribers.note(&key, self.now.mono);
        if let Some(question) = question {
            self.out.reply(question, Answer::Call(Ok(participant)));
        }
    }

    /// A call failed before it was placed: nothing is left of it, and the request is answered.
    pub(crate) fn placing_failed(&mut self, number: CallNumber, error: ControlError) {
        self.release_media(number);
        let Some(call) = self.calls.remove(&number) else { return };
        self.participants.remove(&call.participant);
        let Some(outgoing) = call.outgoing else { return };
        let CallRequest { question, referral, caller, by_key, .. } = outgoing.request;
        self.tell_caller_by_key(by_key, CallProgress::Failed);
        let (status, phrase) = match &error {
            ControlError::Refused(refused) => (486, refused.to_string()),
            ControlError::Dial(_)
            | ControlError::Unavailable(_)
            | ControlError::Changed
            | ControlError::Internal(_) => (503, "The service is full".to_owned()),
        };
        if let Some(referral) = referral {
            let phrase = if status == 503 { "Service Unavailable" } else { &phrase };
            self.out.report_referral(referral, status, phrase);
        }
        if let Some(caller) = caller {
            if let Some(call) = self.calls.get_mut(&caller) {
                call.called = None;
            }
            self.refuse(caller, status, &phrase);
        }
        if let Some(question) = question {
            self.out.reply(question, Answer::Call(Err(error)));
        }
    }

    /// We end a call before it was placed.
    pub(crate) fn give_up_placing(&mut self, number: CallNumber) {
        if let Some(Call { outgoing: Some(outgoing), .. }) = self.calls.get_mut(&number)
            && let Some(request) = outgoing.request.referral.take()
        {
            self.out.report_referral(request, 487, "Request Terminated");
        }
        self.placing_failed(number, ControlError::Unavailable("the call was given up".to_owned()));
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
        let mut security = self.security.local(route.srtp, is_secure, &mut self.random);
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
        spec.replaces.clone_from(&outgoing.request.replaces);
        spec.referred_by.clone_from(&outgoing.request.referred_by);
        let left = outgoing.ring_until.0.saturating_sub(self.now.mono.0);
        // We give up ourselves; this is for the case that we should not come to it.
        spec.ring_for = Some(Duration::from_millis(left + 5000));
        spec.fails_over = has_more;
        of_call!(info, in call, number, to = %outgoing.to, uri = %spec.uri, trunk = name.as_deref().unwrap_or_default(), "calling");
        let participant = call.participant.clone();
        self.history.change(&participant, |call| call.trunk = name);
        plenary_sip::check_dial(&spec).map_err(|error| error.to_string())?;
        self.out.dial(number, spec);
        Ok(())
    }

    /// The called side rings. The conference does not hear what it plays before it answers.
    pub(crate) fn handle_progress(
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
        let by_key = outgoing.request.by_key;
        if !std::mem::replace(&mut outgoing.is_ringing, true) {
            let participant = call.participant.clone();
            self.report(&key, &participant, EdgeReport::Ringing);
            self.subscribers.note(&key, self.now.mono);
            self.tell_caller_by_key(by_key, CallProgress::Ringing);
        }
        let Some(Call { outgoing: Some(outgoing), .. }) = self.calls.get_mut(&number) else { return };
        if let Some(caller) = outgoing.request.caller.filter(|_| status == 180) {
            self.direct_call_rings(caller);
        }
        let Some(Call { outgoing: Some(outgoing), .. }) = self.calls.get(&number) else { return };
        if let Some(request) = outgoing.request.referral {
            self.out.report_referral(
                request,
                status,
                if status == 180 { "Ringing" } else { "Session Progress" },
            );
        }
    }

    /// The called side has answered: the participant enters.
    pub(crate) fn handle_answered(
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
        let (until, early) = match &mut call.outgoing {
            Some(outgoing) => (outgoing.ring_until, outgoing.early.remove(&fork)),
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
                of_call!(info, in call, number, %text, "the called side's answer is not usable");
                call.stage = Stage::Calling(session);
                self.outgoing_failed(number, 488, "The session description is not acceptable");
                return self.end_call(number, reasons(488, "The session description is not acceptable"));
            }
        };
        self.out.set_stream(number, &stream, session.local.ice.as_ref());
        let (codec, is_encrypted) = (stream.codec, stream.protection != sdp::Protection::None);
        session.stream = Some(stream);
        call.stage = Stage::Up(session);
        records::call_answered(call, self.now.wall, dialog, &mut self.out);
        if let Some(request) = call.outgoing.as_mut().and_then(|outgoing| outgoing.request.referral.take()) {
            self.out.report_referral(request, 200, "OK");
        }
        // It counts from now on: it cannot be refused any more.
        if let Some(Call { stage: Stage::Up(session), .. }) = self.calls.get(&number) {
            let kind = self.call_kind(number, session, codec, is_encrypted);
            self.out.count(number, kind);
            self.out.began(number);
        }
        of_call!(info, self, number, %participant, "answered");
        let confirm = self.calls.get(&number).and_then(|call| call.outgoing.as_ref()?.request.confirm);
        match confirm {
            Some(key) => self.ask_to_confirm(number, key),
            None => self.enter_called(number),
        }
    }

    /// A participant is in. For an incoming call that is all; after an outgoing one, what waited for it continues.
    pub(crate) fn handle_entered(&mut self, conference: &ConferenceKey, participant: &ParticipantId) {
        let Some((_, call)) = self.call_with_seat(conference, participant) else { return };
        let Some(outgoing) = &mut call.outgoing else { return };
        let (caller, old) = (outgoing.request.caller.take(), outgoing.request.in_place_of.take());
        let by_key = outgoing.request.by_key;
        self.tell_caller_by_key(by_key, CallProgress::Joined);
        if let Some(caller) = caller {
            self.direct_call_answered(caller, conference.clone());
        }
        if let Some(old) = old {
            self.take_over(old, "Another call has taken the place of this one");
        }
    }

    /// The called side refused, or was not reached.
    pub(crate) fn handle_rejected(&mut self, number: CallNumber, status: u16, phrase: &str) {
        let Some(call) = self.calls.get(&number) else { return };
        if let (Some(name), Some(account)) = (&call.trunk, call.account)
            && (status >= 500 || matches!(status, 401 | 403 | 407 | 408))
            && status < 600
        {
            self.trunks.note_error(account, name, format!("call: {status} {phrase}"), self.now.wall);
        }
        let Some(Call { outgoing: Some(outgoing), stage: Stage::Calling(_), trunk, .. }) =
            self.calls.get(&number)
        else {
            return self.call_is_over(number, EndedBy::Remote, "refused");
        };
        let is_silent = !outgoing.is_ringing;
        let may_go_on = match trunk {
            // Unreachable, or unable: another route may succeed.
            Some(_) => (500..600).contains(&status) || (status == 408 && is_silent),
            // A telephone that is switched off, or has another address by now.
            None => {
                (500..600).contains(&status) || (matches!(status, 404 | 408 | 410 | 430 | 480) && is_silent)
            }
        };
        if may_go_on && !outgoing.routes.is_empty() {
            of_call!(info, self, number, status, phrase, "not reached by this route: trying the next");
            return self.dial_next(number, status, phrase);
        }
        self.outgoing_failed(number, status, phrase);
        self.end_unplaced(number);
    }

    /// Records that an outgoing call failed, and reports it to the requester.
    pub(crate) fn outgoing_failed(&mut self, number: CallNumber, status: u16, phrase: &str) {
        let Some(call) = self.calls.get(&number) else { return };
        let Some(outgoing) = &call.outgoing else { return };
        self.ringing.remove(&(outgoing.ring_until, number));
        of_call!(info, in call, number, to = %outgoing.to, status, phrase, "not answered");
        let Some(call) = self.calls.get_mut(&number) else { return };
        let Some(outgoing) = &mut call.outgoing else { return };
        if let Some(request) = outgoing.request.referral.take() {
            self.out.report_referral(request, status, phrase);
        }
        let caller = outgoing.request.caller.take();
        let by_key = outgoing.request.by_key.take();
        if let Some(conference) = call.seat.clone() {
            let (participant, report) = (Some(call.participant.clone()), EdgeReport::Failed { status });
            self.out.home(ToHome::Report { conference, participant, report });
        }
        self.history.change(&call.participant, |call| {
            (call.has_failed, call.status, call.reason) = (true, Some(status), Some(phrase.to_owned()));
        });
        if let Some(caller) = caller {
            self.direct_call_failed(caller, status, phrase);
        }
        let progress = match status {
            486 | 600 => CallProgress::Busy,
            408 | 480 => CallProgress::NoAnswer,
            403 | 603 => CallProgress::Refused,
            _ => CallProgress::Failed,
        };
        self.tell_caller_by_key(by_key, progress);
    }

    /// A call of ours is over of which the signalling knows nothing any more.
    fn end_unplaced(&mut self, number: CallNumber) {
        let past = self.calls.get(&number).and_then(|call| self.history.get(&call.participant));
        let cause = past.and_then(|call| Some(format!("{} {}", call.status?, call.reason.as_deref()?)));
        self.call_is_over(number, EndedBy::Remote, cause.as_deref().unwrap_or("refused"));
    }

    /// When an outgoing call has rung long enough.
    pub(crate) fn ringing_due(&self) -> Option<Mono> {
        self.ringing.first().map(|(at, _)| *at)
    }

    pub(crate) fn stop_ringing(&mut self) {
        let now = self.now.mono;
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

    /// A call that is being placed is ended by us, for whatever reason: no further route is tried.
    pub(crate) fn forget_ringing(&mut self, number: CallNumber) {
        if let Some(Call { outgoing: Some(outgoing), .. }) = self.calls.get_mut(&number) {
            let until = outgoing.ring_until;
            if let Some(request) = outgoing.request.referral.take() {
                self.out.report_referral(request, 487, "Request Terminated");
            }
            self.ringing.remove(&(until, number));
        }
    }

    /// A called participant who was in and whose call is cut off by a failure is called again, once, where that was asked for. It
    /// takes the seat over: with its leaving nothing ends.
    pub(crate) fn redial(&mut self, number: CallNumber) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let (Stage::Up(_), Some(conference)) = (&call.stage, call.seat.clone()) else { return };
        // Who is being asked whether they join has not been in: a machine that is cut off is no participant.
        if call.is_asked_to_confirm() {
            return;
        }
        let Some(outgoing) = &mut call.outgoing else { return };
        if !std::mem::take(&mut outgoing.request.redial) {
            return;
        }
        let CallRequest { by_key, confirm, .. } = outgoing.request;
        let from = outgoing.request.from.clone();
        let (to, trunk, options) = (outgoing.to.clone(), call.trunk.clone(), call.options.clone());
        let (given_name, display_name, sound) =
            (call.given_name.clone(), call.display_name.clone(), call.sound);
        let display = call.shown_display_name().map(str::to_owned);
        // A key is asked for as at first: of a telephone that has lost its network, the machine may answer.
        let request = CallRequest {
            by_key,
            confirm,
            again_for: Some(number),
            display_name: display,
            ..CallRequest::default()
        };
        let by = (trunk.as_deref(), from.as_deref());
        match self.place_to(conference, &to, by, options, REDIAL_MS, request) {
            Ok(again) => {
                of_call!(info, self, number, again = again.0, %to, "the call was cut off: calling again");
                self.tell_caller_by_key(by_key, CallProgress::Again);
                if let Some(call) = self.calls.get_mut(&again) {
                    (call.given_name, call.display_name, call.sound) = (given_name, display_name, sound);
                }
            }
            Err(error) => info!(%error, "not called again"),
        }
    }

    /// A participant leaves because another call has taken its place: that ends nothing for the others.
    pub(crate) fn take_over(&mut self, old: CallNumber, text: &str) {
        if let Some(call) = self.calls.get_mut(&old)
            && let Some(conference) = call.seat.take()
        {
            let participant = call.participant.clone();
            self.out.home(ToHome::TakenOver { conference, participant, by: Vec::new() });
        }
        self.end_call(old, reasons(200, text));
    }
}

/// Where the called side's RTP can reach us: by the route of the flow, or of the address that the URI names. Of a name nothing
/// is known yet.
fn reach_of(route: Option<&Route>) -> Reach {
    if let Some(flow) = route.and_then(|route| route.spec.flow) {
        return Reach::At(flow.local.ip().to_canonical());
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
    Reach::Towards(literal)
}
