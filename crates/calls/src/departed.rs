//! Calls of browsers that their media ended: the page was loaded again, or its connection is gone and no audio comes. The page that
//! comes back asks for its call (Replaces, RFC 3891), which is over by then. It is a call like any other, with its own right to
//! come in and a seat of its own, and has what belonged to the old one.

use crate::{
    Calls,
    audio_choice::AudioChoice,
    call::Stage,
    keypad::state::{Keypad, ServiceVoice},
    number::CallNumber,
};
use plenary_conference::{AccountId, ConferenceKey, Mono, ParticipantOptions, ViaRoom};
use plenary_dialogue::entry::Known;
use plenary_model::{Action, ConferenceAction, InboundService, Refer, Room};
use plenary_sip::{DIALOG_KEPT_FOR, Transport};
use std::collections::BTreeMap;
use tracing::info;

/// Such calls at a time. Beyond that the oldest are forgotten.
const DEPARTED_MAX: usize = 1000;

/// The calls.
#[derive(Debug, Default)]
pub(crate) struct DepartedCalls {
    of: BTreeMap<CallNumber, Departed>,
}

/// What is left of a call.
#[derive(Debug)]
pub(crate) struct Departed {
    until: Mono,
    /// `None`: it was called.
    pub(crate) dialled: Option<String>,
    account: Option<AccountId>,
    /// The conference that it was in.
    seat: Option<ConferenceKey>,
    options: ParticipantOptions,
    refer: Refer,
    sound: AudioChoice,
    given_name: Option<Option<String>>,
    /// Its menus, from the beginning.
    keypad: Option<Box<Keypad>>,
    /// It came by a room, with the PIN of its leaders.
    as_leader: Option<Box<ViaRoom>>,
    /// What it had shown in the dialogue of an entry.
    shown: Option<(Known, Room)>,
}

impl DepartedCalls {
    pub(crate) fn get(&self, number: CallNumber, now: Mono) -> Option<&Departed> {
        self.of.get(&number).filter(|departed| now < departed.until)
    }

    fn add(&mut self, number: CallNumber, departed: Departed, now: Mono) {
        self.of.retain(|_, departed| now < departed.until);
        // Numbers are drawn in order, so this is one of the oldest.
        if self.of.len() >= DEPARTED_MAX {
            self.of.pop_first();
        }
        self.of.insert(number, departed);
    }

    /// Another call has what was left of it.
    pub(crate) fn remove(&mut self, number: CallNumber) {
        self.of.remove(&number);
    }
}

impl Calls {
    /// The media of this call has ended it, and it is about to leave: its page may come back.
    pub(crate) fn note_departure(&mut self, number: CallNumber) {
        let Some(call) = self.calls.get(&number) else { return };
        let is_browser = matches!(call.flow.transport, Transport::Ws | Transport::Wss);
        if !is_browser || !matches!(call.stage, Stage::Up(_)) {
            return;
        }
        // Who was called has to be who comes back, which services do not ask.
        let is_caller = call.outgoing.is_none();
        let now = self.now.mono;
        let keypad = call.keypad.as_deref();
        let departed = Departed {
            until: now.plus_ms(DIALOG_KEPT_FOR.as_millis() as u64),
            dialled: is_caller.then(|| call.dialled.clone()),
            account: call.account,
            seat: call.seat.clone().filter(|seat| is_caller && call.conference() == Some(seat)),
            options: call.options.clone(),
            refer: call.refer,
            sound: call.sound,
            given_name: call.given_name.clone(),
            keypad: keypad.and_then(Keypad::for_successor),
            as_leader: keypad.and_then(Keypad::as_leader).map(Box::new),
            shown: keypad.and_then(Keypad::shown),
        };
        self.departed.add(number, departed, now);
    }

    /// The call of which this one takes over what is left.
    pub(crate) fn departed_before(&self, number: CallNumber) -> Option<&Departed> {
        self.departed.get(self.calls.get(&number)?.resumes?, self.now.mono)
    }

    /// What the call that this one comes back for had shown in the dialogue of an entry.
    pub(crate) fn shown_by_departed(&self, number: CallNumber) -> Option<(Known, Room)> {
        self.departed_before(number)?.shown.clone()
    }

    /// The caller may call what the departed call dialled, which is of this service: it goes where that one was. False: it goes
    /// where the service leads, because that one was in no conference, or this is over and came about in another way.
    pub(crate) fn resume_place(&mut self, number: CallNumber, service: &InboundService, rest: &str) -> bool {
        let Some(departed) = self.departed_before(number) else { return false };
        if departed.dialled.is_some() && departed.account != Some(service.account) {
            of_call!(warn, self, number, "the call to be resumed is of another account");
            self.refuse(number, 403, "Forbidden");
            return true;
        }
        let Some(conference) = departed.seat.clone() else { return false };
        let leads_there =
            |action: &&ConferenceAction| action.conference_name(rest).as_ref() == Some(&conference.name);
        let voice = match &service.action {
            Action::Conference(action) => Some(&**action).filter(leads_there).map(ServiceVoice::of),
            Action::Entry(_) | Action::Announcement(_) => None,
        };
        if voice.is_none() && !self.rooms.contains_key(&conference) {
            return false;
        }
        let (options, keypad) = (departed.options.clone(), departed.keypad.as_deref());
        let keypad = keypad.and_then(Keypad::for_successor);
        let as_leader = departed.as_leader.clone();
        let (refer, sound, given_name) = (departed.refer, departed.sound, departed.given_name.clone());
        let Some(call) = self.calls.get_mut(&number) else { return true };
        (call.voice, call.keypad) = (voice.flatten(), keypad);
        (call.refer, call.sound, call.given_name) = (refer, sound, given_name);
        info!(call = number.0, conference = %conference.name, account = conference.account.0, "comes back for a call that its media ended");
        self.admit(number, conference, options, as_leader);
        true
    }
}
