//! The fixed prompts: whole sentences without values.

use std::fmt;

/// What a prompt is for, which bounds its length: a listener who waits for their turn must not be kept waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Confirms a key to the one who pressed it.
    Confirmation,
    /// Said to all participants of the conference.
    ToAll,
    /// Asks for keys or a name.
    Question,
    /// Lists keys.
    Help,
    /// Any other information for one caller.
    Statement,
}

impl Kind {
    /// The longest a prompt of this kind may be, in milliseconds; `None` where there is no limit.
    #[must_use]
    pub fn max_ms(self) -> Option<u32> {
        match self {
            Self::Confirmation => Some(1500),
            Self::ToAll => Some(3000),
            Self::Question => Some(4000),
            Self::Help => Some(12_000),
            Self::Statement => None,
        }
    }
}

macro_rules! prompts {
    ($($variant:ident = $name:literal, $kind:ident;)*) => {
        /// A fixed prompt. Its serialised form is its name, which is also the name of its text and of its audio.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum Prompt {
            $(
                #[doc = concat!("`", $name, "`")]
                #[serde(rename = $name)]
                $variant,
            )*
        }

        impl Prompt {
            /// Every prompt.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name of its text and of its audio.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it is for.
            #[must_use]
            pub fn kind(self) -> Kind {
                match self {
                    $(Self::$variant => Kind::$kind,)*
                }
            }
        }
    };
}

prompts! {
    EntryWelcome = "entry.welcome", Statement;
    EntryRoom = "entry.room", Question;
    EntryRoomWrong = "entry.room-wrong", Statement;
    EntryPin = "entry.pin", Question;
    EntryLeaderPin = "entry.leader-pin", Question;
    EntryPinWrong = "entry.pin-wrong", Statement;
    EntryNothing = "entry.nothing", Statement;
    EntryAgain = "entry.again", Statement;
    EntryTooMany = "entry.too-many", Statement;
    EntryWaitBetweenTries = "entry.wait-between-tries", Statement;
    EntryJoining = "entry.joining", Statement;
    EntryJoiningLeader = "entry.joining-leader", Statement;
    EntryFull = "entry.full", Statement;
    EntryLocked = "entry.locked", Statement;
    EntryNotYet = "entry.not-yet", Statement;
    EntryIsOver = "entry.is-over", Statement;
    NameSay = "name.say", Question;
    NameTooShort = "name.too-short", Statement;
    WaitFirst = "wait.first", Statement;
    WaitLeader = "wait.leader", Statement;
    WaitLeaderLeft = "wait.leader-left", ToAll;
    WaitStart = "wait.start", ToAll;
    LobbyWait = "lobby.wait", Statement;
    LobbyDenied = "lobby.denied", Statement;
    LobbyFull = "lobby.full", Statement;
    LobbyAdmit = "lobby.admit", Question;
    LobbyAdmitted = "lobby.admitted", Confirmation;
    LobbyAdmittedAll = "lobby.admitted-all", Confirmation;
    LobbyTurnedAway = "lobby.turned-away", Confirmation;
    LobbyNobody = "lobby.nobody", Confirmation;
    LobbyGuessing = "lobby.guessing", Statement;
    MuteOn = "mute.on", Confirmation;
    MuteOff = "mute.off", Confirmation;
    MuteByLeader = "mute.by-leader", Statement;
    MuteOffByLeader = "mute.off-by-leader", Statement;
    MuteNotAllowed = "mute.not-allowed", Statement;
    MuteAsk = "mute.ask", Statement;
    MuteTalking = "mute.talking", Question;
    MuteAllOn = "mute.all-on", ToAll;
    MuteAllOff = "mute.all-off", ToAll;
    LectureOn = "lecture.on", ToAll;
    LectureOff = "lecture.off", ToAll;
    ListenOnly = "listen.only", Statement;
    CoachOn = "coach.on", Statement;
    CoachOff = "coach.off", Statement;
    HandUp = "hand.up", Confirmation;
    HandDown = "hand.down", Confirmation;
    HandSomebody = "hand.somebody", Statement;
    LockOn = "lock.on", ToAll;
    LockOff = "lock.off", ToAll;
    LeaderYou = "leader.you", Statement;
    LeaderNotYou = "leader.not-you", Statement;
    RecordOn = "record.on", ToAll;
    RecordOff = "record.off", ToAll;
    RecordPaused = "record.paused", ToAll;
    RecordResumed = "record.resumed", ToAll;
    RecordFailed = "record.failed", ToAll;
    RecordConfirm = "record.confirm", Question;
    TimeExtend = "time.extend", Question;
    TimeNoEnd = "time.no-end", Statement;
    TimeNotExtended = "time.not-extended", Statement;
    TimeOver = "time.over", ToAll;
    EndConfirm = "end.confirm", Question;
    EndCancelled = "end.cancelled", Confirmation;
    LeaveEjected = "leave.ejected", Statement;
    LeaveKickedLast = "leave.kicked-last", Statement;
    LeaveGoodbye = "leave.goodbye", Statement;
    MoveMoved = "move.moved", Statement;
    HoldOn = "hold.on", Statement;
    HoldOff = "hold.off", Statement;
    DialNumber = "dial.number", Question;
    DialCalling = "dial.calling", Confirmation;
    DialRinging = "dial.ringing", Confirmation;
    DialBusy = "dial.busy", Statement;
    DialNoAnswer = "dial.no-answer", Statement;
    DialFailed = "dial.failed", Statement;
    DialRefused = "dial.refused", Statement;
    DialCancelled = "dial.cancelled", Statement;
    DialNotAllowed = "dial.not-allowed", Statement;
    DialInvited = "dial.invited", Statement;
    DialAccept = "dial.accept", Question;
    DialJoined = "dial.joined", Statement;
    DialRedial = "dial.redial", Statement;
    VolumeUp = "volume.up", Confirmation;
    VolumeDown = "volume.down", Confirmation;
    VolumeReset = "volume.reset", Confirmation;
    VolumeKeys = "volume.keys", Help;
    VolumeLimit = "volume.limit", Confirmation;
    AnnounceOn = "announce.on", Statement;
    AnnounceOff = "announce.off", Statement;
    HelpParticipant = "help.participant", Help;
    HelpLeader1 = "help.leader-1", Help;
    HelpLeader2 = "help.leader-2", Help;
    KeyUnknown = "key.unknown", Statement;
    KeyFailed = "key.failed", Confirmation;
    KeyNotYou = "key.not-you", Statement;
    SysTrouble = "sys.trouble", Statement;
    ToneName = "tone.name", Confirmation;
    ToneJoined = "tone.joined", Confirmation;
    ToneLeft = "tone.left", Confirmation;
}

impl fmt::Display for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_prompt_is_written_by_its_name_and_read_back() {
        for prompt in Prompt::ALL {
            let text = serde_json::to_string(prompt).unwrap();
            assert_eq!(text, format!("\"{prompt}\""));
            assert_eq!(serde_json::from_str::<Prompt>(&text).unwrap(), *prompt);
        }
        let names: BTreeSet<_> = Prompt::ALL.iter().map(|prompt| prompt.name()).collect();
        assert_eq!(names.len(), Prompt::ALL.len());
    }
}
