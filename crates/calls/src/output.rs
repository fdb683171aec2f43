//! What has to be done, as plain values in the order in which it has to be done.

use crate::{
    lookup::{Lookup, LookupId},
    media::{AudioProcessing, CallKind, Clip, MediaCommand, PlayNumber, PlayTo, Reach, RoomNumber},
    number::CallNumber,
    question::Answer,
    recording::RecorderCommand,
};
use plenary_conference::{QuestionId, ToHome};
use plenary_model::{AccountEvent, CallEntry, HistoryEntry, InbandDtmf, RecordingId};
use plenary_sip::{
    Caller, DialSpec, Flow, Reason, ReferTo, RegistrationId, RegistrationSpec, RequestId, SubscriptionId,
    sdp::{IceCredentials, Stream},
};
use std::{collections::VecDeque, net::IpAddr};

/// Something that has to be done.
#[derive(Debug)]
pub enum Output {
    /// For the user agent.
    Sip(SipCommand),
    /// For the media plane.
    Media(MediaCommand),
    /// Ask the store, and bring what it says to [`crate::Calls::handle_found`].
    Lookup {
        /// To be brought back with it.
        id: LookupId,
        /// What to look up.
        lookup: Lookup,
    },
    /// For the home of a conference.
    Home(ToHome),
    /// Tell the recorder.
    Recorder(RecorderCommand),
    /// Write this down of a call.
    Record(CallEntry),
    /// Write this down of a conference.
    History(HistoryEntry),
    /// An event for the log, or for followers alone.
    Event(AccountEvent),
    /// Write down that a known caller of this address was permitted now, to be brought back after a restart.
    Permitted(IpAddr),
    /// Answer a question.
    Reply {
        /// The number of the question.
        question: QuestionId,
        /// The answer.
        answer: Answer,
    },
}

/// What the user agent is to do. The names and meanings are those of the methods of `plenary_sip::SipHandle`.
#[derive(Debug)]
#[allow(missing_docs)] // The fields are the arguments of those methods.
pub enum SipCommand {
    Ring { call: CallNumber },
    Answer { call: CallNumber, sdp: String, is_focus: bool },
    Reject { call: CallNumber, status: u16, phrase: Option<String>, headers: Headers },
    AcceptOffer { call: CallNumber, sdp: String },
    RejectOffer { call: CallNumber, status: u16 },
    HangUp { call: CallNumber, reasons: Vec<Reason> },
    Probe { call: CallNumber },
    Dial { call: CallNumber, spec: Box<DialSpec> },
    Refer { call: CallNumber, to: ReferTo },
    AcceptReferral { request: RequestId },
    ReportReferral { request: RequestId, status: u16, phrase: String },
    AcceptSubscription { request: RequestId, call: Option<plenary_sip::CallId>, body: String },
    Notify { subscription: SubscriptionId, body: String },
    AnswerRegistration { request: RequestId, contacts: Vec<(String, u32)> },
    RefuseRequest { request: RequestId, status: u16, headers: Headers },
    ReportSuccess { flow: Flow, caller: Caller, is_known: bool },
    ReportFailure { flow: Flow, caller: Caller, is_reached: bool },
    Register { registration: RegistrationId, spec: Box<RegistrationSpec> },
    Unregister { registration: RegistrationId },
    SetDraining,
    SetBusy,
}

/// Further headers of a response, name and value.
pub type Headers = Vec<(String, String)>;

/// The outputs that have not been drained yet.
#[derive(Debug, Default)]
pub(crate) struct Outputs(VecDeque<Output>);

impl Outputs {
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.0.pop_front()
    }

    fn sip(&mut self, command: SipCommand) {
        self.0.push_back(Output::Sip(command));
    }

    fn media(&mut self, command: MediaCommand) {
        self.0.push_back(Output::Media(command));
    }

    pub(crate) fn home(&mut self, message: ToHome) {
        self.0.push_back(Output::Home(message));
    }

    pub(crate) fn record_room(&mut self, command: RecorderCommand) {
        self.0.push_back(Output::Recorder(command));
    }

    pub(crate) fn record(&mut self, entry: CallEntry) {
        self.0.push_back(Output::Record(entry));
    }

    pub(crate) fn permitted(&mut self, source: IpAddr) {
        self.0.push_back(Output::Permitted(source));
    }

    pub(crate) fn reply(&mut self, question: QuestionId, answer: Answer) {
        self.0.push_back(Output::Reply { question, answer });
    }

    pub(crate) fn look_up(&mut self, id: LookupId, lookup: Lookup) {
        self.0.push_back(Output::Lookup { id, lookup });
    }

    // To the user agent.

    pub(crate) fn ring(&mut self, call: CallNumber) {
        self.sip(SipCommand::Ring { call });
    }

    pub(crate) fn answer(&mut self, call: CallNumber, sdp: String, is_focus: bool) {
        self.sip(SipCommand::Answer { call, sdp, is_focus });
    }

    pub(crate) fn reject(&mut self, call: CallNumber, status: u16, phrase: Option<&str>, headers: Headers) {
        self.sip(SipCommand::Reject { call, status, phrase: phrase.map(str::to_owned), headers });
    }

    pub(crate) fn accept_offer(&mut self, call: CallNumber, sdp: String) {
        self.sip(SipCommand::AcceptOffer { call, sdp });
    }

    pub(crate) fn reject_offer(&mut self, call: CallNumber, status: u16) {
        self.sip(SipCommand::RejectOffer { call, status });
    }

    pub(crate) fn hang_up(&mut self, call: CallNumber, reasons: Vec<Reason>) {
        self.sip(SipCommand::HangUp { call, reasons });
    }

    pub(crate) fn probe(&mut self, call: CallNumber) {
        self.sip(SipCommand::Probe { call });
    }

    pub(crate) fn dial(&mut self, call: CallNumber, spec: DialSpec) {
        self.sip(SipCommand::Dial { call, spec: Box::new(spec) });
    }

    pub(crate) fn refer(&mut self, call: CallNumber, to: ReferTo) {
        self.sip(SipCommand::Refer { call, to });
    }

    pub(crate) fn accept_referral(&mut self, request: RequestId) {
        self.sip(SipCommand::AcceptReferral { request });
    }

    pub(crate) fn report_referral(&mut self, request: RequestId, status: u16, phrase: &str) {
        self.sip(SipCommand::ReportReferral { request, status, phrase: phrase.to_owned() });
    }

    pub(crate) fn accept_subscription(
        &mut self,
        request: RequestId,
        call: Option<plenary_sip::CallId>,
        body: String,
    ) {
        self.sip(SipCommand::AcceptSubscription { request, call, body });
    }

    pub(crate) fn notify(&mut self, subscription: SubscriptionId, body: String) {
        self.sip(SipCommand::Notify { subscription, body });
    }

    pub(crate) fn answer_registration(&mut self, request: RequestId, contacts: Vec<(String, u32)>) {
        self.sip(SipCommand::AnswerRegistration { request, contacts });
    }

    pub(crate) fn refuse_request(&mut self, request: RequestId, status: u16, headers: Headers) {
        self.sip(SipCommand::RefuseRequest { request, status, headers });
    }

    pub(crate) fn report_success(&mut self, flow: Flow, caller: Caller, is_known: bool) {
        self.sip(SipCommand::ReportSuccess { flow, caller, is_known });
    }

    pub(crate) fn report_failure(&mut self, flow: Flow, caller: Caller, is_reached: bool) {
        self.sip(SipCommand::ReportFailure { flow, caller, is_reached });
    }

    pub(crate) fn register(&mut self, registration: RegistrationId, spec: RegistrationSpec) {
        self.sip(SipCommand::Register { registration, spec: Box::new(spec) });
    }

    pub(crate) fn unregister(&mut self, registration: RegistrationId) {
        self.sip(SipCommand::Unregister { registration });
    }

    pub(crate) fn set_draining(&mut self) {
        self.sip(SipCommand::SetDraining);
    }

    pub(crate) fn set_busy(&mut self) {
        self.sip(SipCommand::SetBusy);
    }

    // To the media plane.

    pub(crate) fn open(&mut self, call: CallNumber, room: RoomNumber, reach: Reach) {
        self.media(MediaCommand::Open { call, room, reach });
    }

    pub(crate) fn set_stream(&mut self, call: CallNumber, stream: &Stream, ice: Option<&IceCredentials>) {
        let stream = Box::new(stream.clone());
        self.media(MediaCommand::SetStream { call, stream, ice: ice.cloned() });
    }

    pub(crate) fn weigh(&mut self, call: CallNumber, kind: CallKind) {
        self.media(MediaCommand::Weigh { call, kind });
    }

    pub(crate) fn count(&mut self, call: CallNumber, kind: CallKind) {
        self.media(MediaCommand::Count { call, kind });
    }

    pub(crate) fn began(&mut self, call: CallNumber) {
        self.media(MediaCommand::Began { call });
    }

    pub(crate) fn set_voice(&mut self, call: CallNumber, speaks: bool, listens: bool) {
        self.media(MediaCommand::SetVoice { call, speaks, listens });
    }

    pub(crate) fn set_processing(&mut self, call: CallNumber, processing: AudioProcessing) {
        self.media(MediaCommand::SetProcessing { call, processing });
    }

    pub(crate) fn move_call(&mut self, call: CallNumber, room: RoomNumber) {
        self.media(MediaCommand::Move { call, room });
    }

    pub(crate) fn set_inband_dtmf(&mut self, call: CallNumber, inband_dtmf: Option<InbandDtmf>) {
        self.media(MediaCommand::SetInbandDtmf { call, inband_dtmf });
    }

    pub(crate) fn hold(&mut self, call: CallNumber, music: Vec<Clip>) {
        self.media(MediaCommand::Hold { call, music });
    }

    pub(crate) fn resume(&mut self, call: CallNumber) {
        self.media(MediaCommand::Resume { call });
    }

    pub(crate) fn set_levels(&mut self, call: CallNumber, talk_db: f32, hear_db: f32) {
        self.media(MediaCommand::SetLevels { call, talk_db, hear_db });
    }

    pub(crate) fn set_heard_by(&mut self, call: CallNumber, by: Option<Vec<CallNumber>>) {
        self.media(MediaCommand::SetHeardBy { call, by });
    }

    pub(crate) fn record_name(&mut self, call: CallNumber, id: RecordingId) {
        self.media(MediaCommand::RecordName { call, id });
    }

    pub(crate) fn stop_name(&mut self, call: CallNumber) {
        self.media(MediaCommand::StopName { call });
    }

    pub(crate) fn forget_name(&mut self, id: RecordingId) {
        self.media(MediaCommand::ForgetName { id });
    }

    pub(crate) fn press_key(&mut self, call: CallNumber, key: char) {
        self.media(MediaCommand::PressKey { call, key });
    }

    pub(crate) fn cut_off(&mut self, call: CallNumber) {
        self.media(MediaCommand::CutOff { call });
    }

    pub(crate) fn play(&mut self, to: PlayTo, play: PlayNumber, clips: Vec<Clip>, repeat: bool) {
        self.announce(to, play, clips, repeat, 0.0);
    }

    /// Plays this to a call at once: it goes before what else is said to the call, and to all.
    pub(crate) fn play_at_once(&mut self, call: CallNumber, play: PlayNumber, clips: Vec<Clip>) {
        let to = PlayTo::Call(call);
        self.media(MediaCommand::Play { to, play, clips, repeat: false, gain_db: 0.0, is_urgent: true });
    }

    pub(crate) fn announce(
        &mut self,
        to: PlayTo,
        play: PlayNumber,
        clips: Vec<Clip>,
        repeat: bool,
        gain_db: f32,
    ) {
        self.media(MediaCommand::Play { to, play, clips, repeat, gain_db, is_urgent: false });
    }

    pub(crate) fn stop_play(&mut self, play: PlayNumber) {
        self.media(MediaCommand::StopPlay { play });
    }

    pub(crate) fn close(&mut self, call: CallNumber) {
        self.media(MediaCommand::Close { call });
    }
}
