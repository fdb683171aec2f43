//! What a caller hears before its call is ended by the conference.

use super::Speaker;
use crate::{Calls, call::Stage, number::CallNumber};
use plenary_conference::{Mono, effect::EndReason};
use plenary_dialogue::PlaybackId;
use plenary_sip::Reason;
use plenary_speech::Prompt;
use std::collections::BTreeMap;

/// A farewell is over after so long, whatever the media plane says of it.
const FAREWELL_MS_MAX: u64 = 8_000;

/// Calls that hear a farewell, and why they end.
#[derive(Debug, Default)]
pub(crate) struct Farewells(BTreeMap<CallNumber, (Mono, Vec<Reason>)>);

impl Calls {
    /// The conference has put a participant out. A participant who came by an entry hears why before the call ends; the
    /// rest of the conference hears nothing of it.
    pub(crate) fn say_farewell(&mut self, number: CallNumber, reason: EndReason, reasons: Vec<Reason>) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        let is_spoken_to = call.keypad.is_some() && matches!(call.stage, Stage::Up(_));
        let (true, Some(prompt)) = (is_spoken_to, prompt_of(reason)) else {
            return self.drop_call(number, reasons);
        };
        call.seat = None;
        let language = self.language_of(number);
        self.drop_keypad(number);
        self.out.set_voice(number, false, false);
        let play = self.say_at_once(&language, number, prompt);
        self.speeches.begin(play, number, Speaker::Farewell, PlaybackId(0));
        self.farewells.0.insert(number, (self.now.mono.plus_ms(FAREWELL_MS_MAX), reasons));
    }

    /// The farewell has been heard.
    pub(super) fn farewell_said(&mut self, number: CallNumber) {
        if let Some((_, reasons)) = self.farewells.0.remove(&number) {
            self.drop_call(number, reasons);
        }
    }

    pub(super) fn forget_farewell(&mut self, number: CallNumber) {
        self.farewells.0.remove(&number);
    }

    pub(crate) fn farewell_timeout(&self) -> Option<Mono> {
        self.farewells.0.values().map(|(at, _)| *at).min()
    }

    pub(crate) fn end_farewells(&mut self) {
        let now = self.now.mono;
        let over: Vec<CallNumber> =
            self.farewells.0.iter().filter(|(_, (at, _))| *at <= now).map(|(number, _)| *number).collect();
        for number in over {
            self.farewell_said(number);
        }
    }
}

/// What is said to who has to leave; `None`: nothing, because the caller knows.
fn prompt_of(reason: EndReason) -> Option<Prompt> {
    match reason {
        EndReason::TimeIsUp
        | EndReason::LeaderLeft
        | EndReason::Ended
        | EndReason::EndedByLeader
        | EndReason::Alone => Some(Prompt::TimeOver),
        EndReason::Ejected | EndReason::RemovedByLeader => Some(Prompt::LeaveEjected),
        EndReason::ExitKey => Some(Prompt::LeaveGoodbye),
    }
}
