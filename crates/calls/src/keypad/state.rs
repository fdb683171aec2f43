//! What a call has that uses keys, and a conference that is reached by a room.

use crate::media::PlayNumber;
use plenary_conference::{AccountId, ConferenceKey, Digit, Mono};
use plenary_dialogue::{Entry, Menus, QuestionId, entry::Known};
use plenary_model::{
    ConferenceAction, LanguageCode, LeaderMenu, Menu, PlayList, RecordingId, Room, TimeZone,
};

/// What a call has that uses keys.
#[derive(Debug)]
pub(crate) struct Keypad {
    /// The account whose rooms it may enter.
    pub(super) account: AccountId,
    /// The dialogue on the way in, until it is over.
    pub(super) entry: Option<Entry>,
    /// The menus, once the caller is in a conference.
    pub(super) menus: Option<Menus>,
    /// The room that was found, by its number.
    pub(super) room: Option<Room>,
    /// The room that the caller asks to join, and by which question.
    pub(super) joining: Option<Joining>,
    /// The time zone where the room has none.
    pub(super) time_zone: Option<TimeZone>,
    /// The menus where the room has none.
    pub(super) menu: Menu,
    pub(super) leader_menu: LeaderMenu,
    pub(super) is_leader: bool,
    /// What is heard while waiting, where the dialogue plays it.
    pub(super) music: Option<PlayNumber>,
    /// The name that is being recorded, and the question that asked for it.
    pub(super) recording: Option<(QuestionId, RecordingId)>,
    pub(super) levels: Levels,
    /// The keys do something in the conference.
    pub(crate) has_keys: bool,
    /// What a called participant is asked before it enters.
    pub(super) confirmation: Option<Confirmation>,
    /// When its dialogues want to be woken, as it is entered in `Calls::keypad_due`.
    pub(super) due: Option<Mono>,
}

/// A place that was asked for.
#[derive(Debug)]
pub(super) struct Joining {
    pub(super) question: QuestionId,
    pub(super) conference: ConferenceKey,
}

impl Keypad {
    pub(super) fn new(account: AccountId, menu: Option<Menu>, leader_menu: Option<LeaderMenu>) -> Self {
        Self {
            account,
            entry: None,
            menus: None,
            room: None,
            joining: None,
            time_zone: None,
            menu: menu.unwrap_or_default(),
            leader_menu: leader_menu.unwrap_or_default(),
            is_leader: false,
            music: None,
            recording: None,
            levels: Levels::default(),
            has_keys: true,
            confirmation: None,
            due: None,
        }
    }

    /// A called participant is being asked whether it joins.
    pub(crate) fn is_asked_to_confirm(&self) -> bool {
        self.confirmation.is_some()
    }

    /// For the call that takes the place of this one: the same menus, from the beginning, and the same volumes. `None`: there are none.
    pub(crate) fn for_successor(&self) -> Option<Box<Self>> {
        let menus = self.menus.as_ref()?;
        let (menu, leader_menu) = self.room_menus();
        let (is_leader, language) = (self.is_leader, menus.language().clone());
        Some(Box::new(Self {
            menus: Some(Menus::new(menu.clone(), leader_menu.clone(), is_leader, language)),
            room: self.room.clone(),
            is_leader,
            levels: self.levels,
            has_keys: self.has_keys,
            ..Self::new(self.account, Some(menu), Some(leader_menu))
        }))
    }

    /// What the caller has shown in the dialogue, where that is not over: it waits in the lobby, say.
    pub(crate) fn shown(&self) -> Option<(Known, Room)> {
        self.entry.as_ref()?.known().zip(self.room.clone())
    }

    /// The menus speak, or the dialogue where it is not over.
    pub(crate) fn language(&self) -> LanguageCode {
        let language = self.menus.as_ref().map(Menus::language).or(self.entry.as_ref().map(Entry::language));
        language.cloned().unwrap_or_default()
    }

    /// The home's messages are about the place that was asked for here.
    pub(crate) fn joins(&self, conference: &ConferenceKey) -> bool {
        self.joining.as_ref().is_some_and(|joining| joining.conference == *conference)
    }
}

/// How loud a participant hears and is heard, in dB against what it was at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Levels {
    pub(super) hear_db: i8,
    pub(super) talk_db: i8,
}

/// The question that a called participant hears.
#[derive(Debug)]
pub(super) struct Confirmation {
    pub(super) key: Digit,
    pub(super) play: PlayNumber,
    pub(super) until: Mono,
}

/// How a conference speaks that is reached by a room, or by a service with menus; and which keys there are in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Voice {
    pub(super) language: LanguageCode,
    /// Of participants and of leaders.
    pub(super) menus: Option<(Menu, LeaderMenu)>,
    /// What participants hear who are on hold; `None`: the built-in music.
    pub(super) music: Option<PlayList>,
}

/// How an inbound service that leads to a conference has its callers spoken to, where it says so.
#[derive(Debug, Clone)]
pub(crate) struct ServiceVoice {
    pub(super) language: Option<LanguageCode>,
    /// Of participants and of leaders.
    pub(super) menus: Option<(Menu, LeaderMenu)>,
}

impl ServiceVoice {
    pub(crate) fn of(service: &ConferenceAction) -> Option<Box<Self>> {
        let (language, menus) = (service.language.clone(), service.menus());
        (language.is_some() || menus.is_some()).then(|| Box::new(Self { language, menus }))
    }
}
