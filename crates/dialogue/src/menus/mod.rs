//! Menus: what the keys of a participant in a conference do.
//!
//! ```text
//!  keys ─▶ sequence ─┬▶ Do(command) ─▶ the conference ─▶ Done(outcome) ─▶ said to the one who pressed
//!                    ├▶ a menu below: volume, lobby, time left, a question to confirm, a number to call
//!                    └▶ "That key does nothing here", "Only the leader can do that"
//! ```
//!
//! Each participant has one of these. It says what became of a command to that participant alone; what the others are told is
//! the conference's business. A key ends what is being said, except a key that a service's single keys have taken.

mod input;
mod keypad;
mod output;
mod saying;
mod submenus;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;

pub use input::Input;
pub use output::Output;
pub use plenary_conference::command::{CallProgress, Command, News, Outcome, Step, Volume, Who};

use crate::{
    Item, Mono, QuestionId, Speech,
    spoken::{Player, seconds_max},
    timers::{Timers, after_s},
};
use plenary_model::{LeaderMenu, Menu, MenuAction};
use plenary_speech::{LanguageCode, Prompt};
use std::collections::{BTreeMap, VecDeque};
use submenus::Below;

/// A sequence goes on within so many seconds.
const NEXT_KEY_S: u32 = 3;
/// A command that is not answered for so long has failed.
const ANSWER_S_MAX: u32 = 10;
/// Commands that wait for an answer at the most.
const COMMANDS_MAX: usize = 8;
/// Answers that wait to be said at the most; beyond that the oldest is left out. Each command has one, and help one for each part.
const ANSWERS_MAX: usize = 72;
/// News that wait to be said at the most; beyond that the oldest is left out.
const NEWS_MAX: usize = 8;
/// News wait in the media plane until what is said to all is over: sounds of an account may be long, and several may follow each other.
const NEWS_WAIT_S_MAX: u32 = 1200;
/// The count pressed again within so many seconds is the roll-call.
const COUNT_AGAIN_S: u32 = 10;
/// The conference is extended by so many minutes at a time.
const EXTEND_MINUTES: u32 = 15;

/// The menus of one participant.
#[derive(Debug)]
pub struct Menus {
    menu: Menu,
    leader_menu: LeaderMenu,
    is_leader: bool,
    language: LanguageCode,
    /// The keys of a sequence so far.
    pressed: String,
    below: Option<Below>,
    timers: Timers<Timer>,
    player: Player,
    /// What is said when the present playback is over: what answers keys first.
    answers: VecDeque<Vec<Item>>,
    news: VecDeque<Vec<Item>>,
    /// The news that is being said.
    news_being_said: Option<Vec<Item>>,
    last_question: u64,
    /// What was asked for, and until when an answer is awaited.
    commands: BTreeMap<QuestionId, PendingCommand>,
    counted_at: Option<Mono>,
    is_over: bool,
    outputs: VecDeque<Output>,
}

/// A command that waits for its answer.
#[derive(Debug)]
struct PendingCommand {
    /// Whether the answer may open a menu: no other key was pressed since.
    opens_menu: bool,
    /// It is asked by the menu of the lobby for the next one, and silent where there is none.
    is_follow_up: bool,
    /// It was given in the menu of the lobby.
    is_in_lobby: bool,
    until: Mono,
}

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The next key of a sequence.
    Sequence,
    /// The next key in a menu below.
    Below,
    /// The end of the playback that runs.
    Playback,
}

impl Menus {
    /// The menus of a participant who has just entered.
    #[must_use]
    pub fn new(menu: Menu, leader_menu: LeaderMenu, is_leader: bool, language: LanguageCode) -> Self {
        Self {
            menu,
            leader_menu,
            is_leader,
            language,
            pressed: String::new(),
            below: None,
            timers: Timers::new(),
            player: Player::default(),
            answers: VecDeque::new(),
            news: VecDeque::new(),
            news_being_said: None,
            last_question: 0,
            commands: BTreeMap::new(),
            counted_at: None,
            is_over: false,
            outputs: VecDeque::new(),
        }
    }

    /// Takes an input.
    pub fn handle_input(&mut self, input: Input, now: Mono) {
        self.handle_timeout(now);
        if self.is_over {
            return;
        }
        match input {
            Input::Key { key, is_consumed } => self.on_key(key, is_consumed, now),
            Input::Played(playback) => {
                if self.player.ended(playback) {
                    self.timers.cancel(Timer::Playback);
                    self.on_played(now);
                }
            }
            Input::Done { question, outcome } => {
                if let Some(asked) = self.commands.remove(&question) {
                    self.on_outcome(&asked, outcome, now);
                }
            }
            Input::News(news) => {
                // These two answer a key that asked for a recording.
                let is_answer = matches!(news, News::RecordingBegun | News::RecordingNotBegun);
                let says = self.of_news(news);
                match is_answer {
                    true => self.say(says, now),
                    false => self.tell(says),
                }
            }
            Input::Role { is_leader } => self.on_role(is_leader),
            Input::Left => self.leave(),
        }
        self.say_next(now);
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Mono) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Sequence => self.sequence_ended(now),
                Timer::Below => self.below_timed_out(now),
                Timer::Playback => {
                    if let Some(playback) = self.player.stop() {
                        self.outputs.push_back(Output::StopPlay(playback));
                        self.on_played(now);
                    }
                }
            }
        }
        let late: Vec<QuestionId> = self
            .commands
            .iter()
            .filter(|(_, asked)| asked.until <= now)
            .map(|(question, _)| *question)
            .collect();
        for question in late {
            self.commands.remove(&question);
            self.say([Prompt::KeyFailed], now);
        }
        self.say_next(now);
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`] next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Mono> {
        let answer = self.commands.values().map(|asked| asked.until).min();
        [self.timers.next(), answer].into_iter().flatten().min()
    }

    /// What is said to the participant is in this language.
    #[must_use]
    pub fn language(&self) -> &LanguageCode {
        &self.language
    }

    /// The participant has keys by which it unmutes itself.
    #[must_use]
    pub fn has_mute_key(&self) -> bool {
        self.keys_of(MenuAction::Mute).is_some()
    }

    fn on_role(&mut self, is_leader: bool) {
        if self.is_leader == is_leader {
            return;
        }
        self.is_leader = is_leader;
        // A menu or a sequence that has been begun may not be theirs any more.
        self.forget_keys();
        self.tell(vec![if is_leader { Prompt::LeaderYou } else { Prompt::LeaderNotYou }.into()]);
    }

    fn forget_keys(&mut self) {
        self.pressed.clear();
        self.timers.cancel(Timer::Sequence);
        if !matches!(self.below, Some(Below::Leaving)) {
            self.close_below();
        }
        for asked in self.commands.values_mut() {
            asked.opens_menu = false;
        }
    }

    fn on_played(&mut self, now: Mono) {
        self.news_being_said = None;
        if let Some(Below::Leaving) = self.below {
            self.below = None;
            return self.command(Command::Leave, now);
        }
        self.say_next(now);
    }

    /// Answers a key: before news, also before one that is being said, which is said again after it.
    fn say(&mut self, says: impl IntoIterator<Item = impl Into<Item>>, now: Mono) {
        let says: Vec<Item> = says.into_iter().map(Into::into).collect();
        if says.is_empty() {
            return;
        }
        if let Some(news) = self.news_being_said.take() {
            self.stop_playing();
            self.news.truncate(NEWS_MAX - 1);
            self.news.push_front(news);
        }
        keep(&mut self.answers, says, ANSWERS_MAX);
        self.say_next(now);
    }

    /// Has this said when there is nothing to answer.
    fn tell(&mut self, says: Vec<Item>) {
        if !says.is_empty() {
            keep(&mut self.news, says, NEWS_MAX);
        }
    }

    fn say_next(&mut self, now: Mono) {
        if self.player.is_playing() || self.is_over {
            return;
        }
        // Not between the keys of a sequence or of a number, of which the next would end it, nor while an answer is awaited.
        let may_tell = self.pressed.is_empty()
            && self.commands.is_empty()
            && !matches!(self.below, Some(Below::Number { .. } | Below::Leaving));
        let (says, is_urgent) = match self.answers.pop_front() {
            Some(says) => (says, true),
            None if may_tell => match self.news.pop_front() {
                Some(says) => (says, false),
                None => return,
            },
            None => return,
        };
        self.news_being_said = (!is_urgent).then(|| says.clone());
        let wait_s = if is_urgent { 0 } else { NEWS_WAIT_S_MAX };
        let ends_at = after_s(now, wait_s.saturating_add(seconds_max(&says)));
        let speech = Speech { is_urgent, ..self.player.start(&self.language, says, true) };
        self.outputs.push_back(Output::Play(speech));
        self.timers.set(Timer::Playback, ends_at);
    }

    /// A key ends what is being said, and what would be said about earlier keys. News that wait are still said.
    fn silence(&mut self) {
        self.answers.clear();
        self.news_being_said = None;
        self.stop_playing();
    }

    fn stop_playing(&mut self) {
        self.timers.cancel(Timer::Playback);
        if let Some(playback) = self.player.stop() {
            self.outputs.push_back(Output::StopPlay(playback));
        }
    }

    /// Gives a command to the conference.
    fn command(&mut self, command: Command, now: Mono) {
        self.give(command, false, false, now);
    }

    /// As [`Self::command`], by the menu of the lobby or after it.
    fn give(&mut self, command: Command, is_in_lobby: bool, is_follow_up: bool, now: Mono) {
        if self.commands.len() == COMMANDS_MAX {
            return self.say([Prompt::KeyFailed], now);
        }
        self.last_question += 1;
        let question = QuestionId(self.last_question);
        let asked =
            PendingCommand { opens_menu: true, is_follow_up, is_in_lobby, until: after_s(now, ANSWER_S_MAX) };
        self.commands.insert(question, asked);
        self.outputs.push_back(Output::Do { question, command });
    }

    /// The participant is out: nothing is left running.
    fn leave(&mut self) {
        self.silence();
        self.news.clear();
        self.pressed.clear();
        self.below = None;
        self.timers.clear();
        self.commands.clear();
        self.is_over = true;
    }

    /// The keys of an action in the menu of this participant.
    fn keys_of(&self, action: MenuAction) -> Option<&str> {
        let keys = if self.is_leader { self.leader_menu.keys(action) } else { self.menu.keys(action) };
        keys.map(plenary_model::KeySequence::as_str)
    }
}

/// Keeps what is to be said, within the bound.
fn keep(queue: &mut VecDeque<Vec<Item>>, says: Vec<Item>, most: usize) {
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(says);
}
