//! What a participant hears.

use super::{CallProgress, Menus, News, Outcome, Volume};
use crate::Item;
use plenary_model::{KeySequence, LeaderMenu, Menu, MenuAction};
use plenary_speech::{Prompt, Saying};

/// How many keys a part of the help names at the most.
const PART_OPTIONS_MAX: usize = 5;
/// How long a part of the help is at the most, in milliseconds.
const PART_MS_MAX: usize = 12_000;
/// What "To mute or unmute, press" takes about, and a key behind it, with the pauses.
const TASK_MS: usize = 1_700;
const KEY_MS: usize = 700;

impl Menus {
    /// What became of a command.
    pub(super) fn of_outcome(&self, outcome: &Outcome) -> Vec<Item> {
        let prompt = match outcome {
            Outcome::Muted => Prompt::MuteOn,
            Outcome::Unmuted => Prompt::MuteOff,
            Outcome::StaysMuted => {
                return [Item::from(Prompt::MuteNotAllowed)].into_iter().chain(self.how_to_ask()).collect();
            }
            Outcome::ListenOnly => Prompt::ListenOnly,
            Outcome::HandRaised => Prompt::HandUp,
            Outcome::HandLowered => Prompt::HandDown,
            Outcome::Volume(Volume::Louder) => Prompt::VolumeUp,
            Outcome::Volume(Volume::Quieter) => Prompt::VolumeDown,
            Outcome::Volume(Volume::Normal) => Prompt::VolumeReset,
            Outcome::Volume(Volume::AtLimit) => Prompt::VolumeLimit,
            Outcome::Count { participants, waiting } => {
                let mut says = vec![Item::from(Saying::Participants { count: *participants })];
                if self.is_leader && *waiting > 0 {
                    says.push(Saying::Waiting { count: *waiting }.into());
                }
                return says;
            }
            Outcome::Roll { names, unnamed } => {
                return vec![Saying::RollCall { names: names.clone(), unnamed: *unnamed }.into()];
            }
            Outcome::AllMuted => Prompt::MuteAllOn,
            Outcome::AllUnmuted => Prompt::MuteAllOff,
            Outcome::LectureOn => Prompt::LectureOn,
            Outcome::LectureOff => Prompt::LectureOff,
            Outcome::Locked => Prompt::LockOn,
            Outcome::Unlocked => Prompt::LockOff,
            Outcome::Waiting { name, count, .. } => return Self::of_waiting(*count, name.clone()),
            Outcome::NobodyWaits => Prompt::LobbyNobody,
            Outcome::Admitted => Prompt::LobbyAdmitted,
            Outcome::AllAdmitted => Prompt::LobbyAdmittedAll,
            Outcome::SomeAdmitted => {
                return vec![Prompt::LobbyAdmitted.into(), Prompt::EntryFull.into()];
            }
            Outcome::Full => Prompt::EntryFull,
            Outcome::TurnedAway => Prompt::LobbyTurnedAway,
            Outcome::AllTurnedAway => {
                return vec![Prompt::LobbyTurnedAway.into(), Prompt::LobbyNobody.into()];
            }
            Outcome::LastEjected => Prompt::LeaveKickedLast,
            Outcome::RecordingUnconfirmed => Prompt::RecordConfirm,
            Outcome::RecordingOn => Prompt::RecordOn,
            Outcome::RecordingPaused => Prompt::RecordPaused,
            Outcome::RecordingResumed => Prompt::RecordResumed,
            Outcome::RecordingStopped => Prompt::RecordOff,
            Outcome::TimeLeft { seconds: Some(seconds), .. } => {
                return vec![Saying::TimeLeft { seconds: *seconds }.into()];
            }
            Outcome::TimeLeft { seconds: None, .. } => Prompt::TimeNoEnd,
            Outcome::Extended { seconds } => return vec![Saying::ExtendedBy { seconds: *seconds }.into()],
            Outcome::NotExtended => Prompt::TimeNotExtended,
            Outcome::Calling => Prompt::DialCalling,
            Outcome::CallNotAllowed => Prompt::DialNotAllowed,
            Outcome::CallFailed => Prompt::DialFailed,
            Outcome::AnnouncementsOn => Prompt::AnnounceOn,
            Outcome::AnnouncementsOff => Prompt::AnnounceOff,
            Outcome::LeadersOnly => Prompt::KeyNotYou,
            Outcome::Done => return Vec::new(),
            Outcome::Failed => Prompt::KeyFailed,
        };
        vec![prompt.into()]
    }

    /// What happened without a command.
    pub(super) fn of_news(&self, news: News) -> Vec<Item> {
        let prompt = match news {
            News::MutedByLeader { self_unmute } => {
                let how = match self_unmute {
                    true => self
                        .keys_of(MenuAction::Mute)
                        .map(|keys| Saying::KeyFor { task: MenuAction::Mute, keys: keys.to_owned() }.into()),
                    false => self.how_to_ask(),
                };
                return [Item::from(Prompt::MuteByLeader)].into_iter().chain(how).collect();
            }
            News::AskedToUnmute => {
                return vec![self.how_to_unmute().unwrap_or_else(|| Prompt::MuteOn.into())];
            }
            News::UnmutedByLeader => Prompt::MuteOffByLeader,
            News::HandRaised => Prompt::HandSomebody,
            News::Guessing => Prompt::LobbyGuessing,
            News::SeveralWait { count } => return vec![Saying::Waiting { count }.into()],
            News::RecordingBegun => Prompt::RecordOn,
            News::RecordingNotBegun => Prompt::KeyFailed,
            News::Waiting { name } => return vec![Saying::AsksAdmission { name }.into()],
            News::Call(CallProgress::Ringing) => Prompt::DialRinging,
            News::Call(CallProgress::Busy) => Prompt::DialBusy,
            News::Call(CallProgress::NoAnswer) => Prompt::DialNoAnswer,
            News::Call(CallProgress::Refused) => Prompt::DialRefused,
            News::Call(CallProgress::Failed) => Prompt::DialFailed,
            News::Call(CallProgress::Joined) => Prompt::DialJoined,
            News::Call(CallProgress::Again) => Prompt::DialRedial,
        };
        vec![prompt.into()]
    }

    /// By which keys a muted participant asks to speak, where there are any.
    fn how_to_ask(&self) -> Option<Item> {
        self.keys_of(MenuAction::Hand).map(|keys| match keys {
            "*9" => Prompt::MuteAsk.into(),
            keys => Saying::KeyToAsk { keys: keys.to_owned() }.into(),
        })
    }

    /// By which keys a muted participant is heard again, where there are any.
    fn how_to_unmute(&self) -> Option<Item> {
        self.keys_of(MenuAction::Mute).map(|keys| match keys {
            "*6" => Prompt::MuteTalking.into(),
            keys => Saying::KeyToUnmute { keys: keys.to_owned() }.into(),
        })
    }

    /// Which keys there are, part by part: in whole sentences where they are the usual ones, one by one otherwise.
    pub(super) fn help(&self) -> Vec<Vec<Item>> {
        let (is_usual, says): (bool, &[Prompt]) = match self.is_leader {
            true => (
                self.leader_menu == LeaderMenu::default(),
                &[Prompt::HelpParticipant, Prompt::HelpLeader1, Prompt::HelpLeader2],
            ),
            false => (self.menu == Menu::default(), &[Prompt::HelpParticipant]),
        };
        if is_usual {
            return says.iter().map(|prompt| vec![Item::from(*prompt)]).collect();
        }
        match self.is_leader {
            true => in_parts(self.leader_menu.iter()),
            false => in_parts(self.menu.iter()),
        }
    }
}

/// The keys of a menu one by one, in parts of at most five, which take at most twelve seconds.
fn in_parts<'a>(menu: impl Iterator<Item = (&'a KeySequence, MenuAction)>) -> Vec<Vec<Item>> {
    let mut parts: Vec<Vec<Item>> = Vec::new();
    let mut part_ms = 0;
    for (keys, task) in menu {
        let keys = keys.as_str().to_owned();
        let ms = TASK_MS + KEY_MS * keys.len();
        let item = Item::from(Saying::KeyFor { task, keys });
        match parts.last_mut() {
            Some(part) if part.len() < PART_OPTIONS_MAX && part_ms + ms <= PART_MS_MAX => {
                part_ms += ms;
                part.push(item);
            }
            _ => {
                part_ms = ms;
                parts.push(vec![item]);
            }
        }
    }
    parts
}
