//! A language: its texts, its audio and its rules.

use crate::pattern::{Choice, Part, Pattern, Slot};
use crate::piece::{JOIN_MS, PAUSE_MS, Piece};
use crate::rules::{CARDINAL, DEFAULT, MAX_STEPS, Rules, or};
use crate::saying::{Saying, clip_of};
use crate::time::{Day, TimeOfDay};
use plenary_model::NameId;
use plenary_model::{LanguageCode, MenuAction};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use toml::Table;

/// The audio of a clip.
#[derive(Debug, Clone)]
pub(crate) enum Audio {
    /// Part of the program.
    BuiltIn(&'static [u8]),
    /// Read from a file.
    Read(Arc<[u8]>),
}

impl Audio {
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::BuiltIn(bytes) => bytes,
            Self::Read(bytes) => bytes,
        }
    }
}

/// A language that is complete enough to be asked. What it lacks is listed.
#[derive(Debug, Clone)]
pub struct Language {
    code: LanguageCode,
    name: String,
    texts: BTreeMap<String, String>,
    /// With the language that the audio is from: this one, or the one that it extends.
    clips: BTreeMap<String, (LanguageCode, Audio)>,
    pub(crate) rules: Rules,
    pub(crate) source: Table,
}

/// What a language's folder or the program holds of it.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) table: String,
    pub(crate) texts: String,
    pub(crate) clips: BTreeMap<String, Audio>,
}

impl Language {
    /// Puts a language together. `base` is the language that it extends or, where it has the same code, replaces in part.
    pub(crate) fn new(parts: Parts, base: Option<&Self>) -> Result<Self, String> {
        let own = read_table(&parts.table)?;
        let code =
            code_of(&own, "code")?.ok_or("language.toml: `code` is missing, such as `code = \"pl\"`")?;
        let mut source = base.map(|base| base.source.clone()).unwrap_or_default();
        merge(&mut source, own);
        let rules = Rules::read(&source).map_err(|problem| format!("language.toml: {problem}"))?;
        let name = source.get("name").and_then(|name| name.as_str()).unwrap_or(code.as_str()).to_owned();
        let mut texts = base.map(|base| base.texts.clone()).unwrap_or_default();
        texts.extend(read_texts(&parts.texts)?);
        let mut clips = base.map(|base| base.clips.clone()).unwrap_or_default();
        clips.extend(parts.clips.into_iter().map(|(name, audio)| (name, (code.clone(), audio))));
        Ok(Self { code, name, texts, clips, rules, source })
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> &LanguageCode {
        &self.code
    }

    /// Its own name for itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The audio of a clip: a whole file, compressed as it is stored.
    #[must_use]
    pub fn audio(&self, name: &str) -> Option<&[u8]> {
        self.clips.get(name).map(|(_, audio)| audio.bytes())
    }

    /// The text of a clip.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// The names of all clips that have audio.
    pub fn clips(&self) -> impl Iterator<Item = &str> {
        self.clips.keys().map(String::as_str)
    }

    /// The names of all texts.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// Every clip that some saying can need.
    #[must_use]
    pub fn needed(&self) -> BTreeSet<String> {
        self.rules.clips()
    }

    /// Clips that some saying needs and that have no audio. Sentences with them are said in English.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        self.needed().into_iter().filter(|name| !self.clips.contains_key(name)).collect()
    }

    /// The clip by the name that the language uses for it, and the language that its audio is from.
    pub(crate) fn clip(&self, name: &str) -> Option<&LanguageCode> {
        self.clips.get(name).map(|(language, _)| language)
    }

    /// What a saying is made of: names of clips, names and silence. The error names the rule that the language lacks.
    pub(crate) fn compose(&self, saying: &Saying) -> Result<Vec<Sound>, String> {
        let mut composer = Composer { rules: &self.rules, sounds: Vec::new(), steps: 0 };
        composer.saying(saying)?;
        let mut sounds = composer.sounds;
        for sound in &mut sounds {
            if let Sound::Clip(name) = sound
                && let Some(other) = self.rules.replace.get(name)
            {
                name.clone_from(other);
            }
        }
        Ok(sounds)
    }
}

/// A piece before it is known where its audio is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sound {
    Clip(String),
    Pause(u16),
    Name(NameId),
}

/// Puts the usual silence between sounds that have none between them.
pub(crate) fn joined(sounds: Vec<Sound>, mut clip: impl FnMut(String) -> Piece) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(2 * sounds.len());
    let mut is_open = false;
    for sound in sounds {
        let piece = match sound {
            Sound::Pause(ms) => {
                is_open = false;
                pieces.push(Piece::Silence { ms });
                continue;
            }
            Sound::Clip(name) => clip(name),
            Sound::Name(name) => Piece::Name(name),
        };
        if is_open {
            pieces.push(Piece::Silence { ms: JOIN_MS });
        }
        pieces.push(piece);
        is_open = true;
    }
    pieces
}

/// What a sentence's values are.
#[derive(Clone, Copy, Default)]
struct Values<'a> {
    n: u32,
    seconds: u32,
    time: Option<TimeOfDay>,
    day: Option<Day>,
    name: Option<&'a NameId>,
    names: &'a [NameId],
    unnamed: u32,
    keys: &'a str,
    task: Option<MenuAction>,
}

/// How a sentence is chosen from several.
enum By<'a> {
    Number(u32),
    Text(&'a str),
}

struct Composer<'a> {
    rules: &'a Rules,
    sounds: Vec<Sound>,
    steps: usize,
}

impl Composer<'_> {
    fn saying(&mut self, saying: &Saying) -> Result<(), String> {
        let values = Values::default();
        match saying {
            Saying::Prompt(prompt) => self.sounds.push(Sound::Clip(prompt.name().to_owned())),
            Saying::StartsIn { seconds } => self.duration_sentence("starts-in", *seconds)?,
            Saying::EndsIn { seconds } => self.duration_sentence("ends-in", *seconds)?,
            Saying::LeaderGoneEndsIn { seconds } => {
                self.duration_sentence("leader-gone-ends-in", *seconds)?
            }
            Saying::AloneEndsIn { seconds } => self.duration_sentence("alone-ends-in", *seconds)?,
            Saying::TimeLeft { seconds } => self.duration_sentence("time-left", *seconds)?,
            Saying::ExtendedBy { seconds } => self.duration_sentence("extended-by", *seconds)?,
            Saying::StartsAt { time, day } => {
                self.sentence(
                    "starts-at",
                    By::Text("other"),
                    Values { time: Some(*time), day: Some(*day), ..values },
                )?;
            }
            Saying::Participants { count } => {
                self.sentence("participants", By::Number(*count), Values { n: *count, ..values })?
            }
            Saying::Waiting { count } => {
                self.sentence("waiting", By::Number(*count), Values { n: *count, ..values })?
            }
            Saying::Joined { name } => self.named("joined", name.as_ref())?,
            Saying::Left { name } => self.named("left", name.as_ref())?,
            Saying::AsksAdmission { name } => self.named("asks-admission", name.as_ref())?,
            Saying::RollCall { names, unnamed } => {
                let n = u32::try_from(names.len()).unwrap_or(u32::MAX).saturating_add(*unnamed);
                self.sentence("roll-call", By::Number(n), Values { n, names, unnamed: *unnamed, ..values })?;
            }
            Saying::Digits(keys) => self.keys(keys)?,
            Saying::Number(n) => self.sentence("number", By::Number(*n), Values { n: *n, ..values })?,
            Saying::Name(name) => self.sounds.push(Sound::Name(name.clone())),
            Saying::KeyFor { task, keys } => {
                self.sentence("key-for", By::Text("other"), Values { task: Some(*task), keys, ..values })?;
            }
            Saying::KeyToAsk { keys } => {
                self.sentence("key-to-ask", By::Text(keys), Values { keys, ..values })?
            }
            Saying::KeyToJoin { keys } => {
                self.sentence("key-to-join", By::Text(keys), Values { keys, ..values })?
            }
            Saying::KeyToUnmute { keys } => {
                self.sentence("key-to-unmute", By::Text(keys), Values { keys, ..values })?
            }
        }
        Ok(())
    }

    fn duration_sentence(&mut self, sentence: &str, seconds: u32) -> Result<(), String> {
        self.sentence(sentence, By::Number(seconds), Values { seconds, ..Values::default() })
    }

    fn named(&mut self, sentence: &str, name: Option<&NameId>) -> Result<(), String> {
        let by = if name.is_some() { "other" } else { "unnamed" };
        self.sentence(sentence, By::Text(by), Values { name, ..Values::default() })
    }

    fn sentence(&mut self, name: &str, by: By<'_>, values: Values<'_>) -> Result<(), String> {
        let rules = self.rules;
        let choice = rules.sentences.get(name).ok_or_else(|| format!("[sentences.{name}]"))?;
        let pattern = match by {
            By::Number(n) => choice.for_number(n, &rules.plurals),
            By::Text(text) => choice.for_text(text),
        };
        self.pattern(pattern.ok_or_else(|| format!("[sentences.{name}]"))?, values)
    }

    fn choice(&mut self, choice: &Choice, values: Values<'_>) -> Result<(), String> {
        match choice.for_number(values.n, &self.rules.plurals) {
            Some(pattern) => self.pattern(pattern, values),
            None => Ok(()),
        }
    }

    fn pattern(&mut self, pattern: &Pattern, values: Values<'_>) -> Result<(), String> {
        for part in &pattern.0 {
            match part {
                Part::Clip(name) => self.sounds.push(Sound::Clip(name.clone())),
                Part::Numbered(before, after) => {
                    self.sounds.push(Sound::Clip(format!("{before}{}{after}", values.n)))
                }
                Part::Pause(ms) => self.sounds.push(Sound::Pause(*ms)),
                Part::Slot(slot, table) => self.slot(*slot, table, values)?,
                // Number rules have a composer of their own; elsewhere these are refused when the table is read.
                Part::Quotient(_) | Part::Remainder(_) | Part::Optional(_) => {}
            }
        }
        Ok(())
    }

    fn slot(&mut self, slot: Slot, table: &str, values: Values<'_>) -> Result<(), String> {
        let rules = self.rules;
        let date = match values.day {
            Some(Day::On(date)) => Some(date),
            Some(Day::Today | Day::Tomorrow) | None => None,
        };
        let number = match slot {
            Slot::N => Some(values.n),
            Slot::Hour12 => values.time.map(|time| (u32::from(time.hour()) + 11) % 12 + 1),
            Slot::Hour24 => values.time.map(|time| u32::from(time.hour())),
            Slot::Minute => values.time.map(|time| u32::from(time.minute())),
            Slot::Weekday => date.map(|date| u32::from(date.weekday())),
            Slot::Day => date.map(|date| u32::from(date.day())),
            Slot::Month => date.map(|date| u32::from(date.month())),
            Slot::Year => date.map(|date| u32::from(date.year())),
            Slot::Duration => return self.duration(or(table, DEFAULT), values.seconds),
            Slot::When => return self.when(or(table, DEFAULT), values),
            Slot::Time => return self.time(or(table, DEFAULT), values),
            Slot::Daypart => {
                let hour = values.time.map_or(0, TimeOfDay::hour);
                if let Some((_, clip)) =
                    rules.dayparts.range(..=hour).next_back().or_else(|| rules.dayparts.iter().next_back())
                {
                    self.sounds.push(Sound::Clip(clip.clone()));
                }
                return Ok(());
            }
            Slot::Name => {
                self.sounds.extend(values.name.cloned().map(Sound::Name));
                return Ok(());
            }
            Slot::Names => {
                for (i, name) in values.names.iter().enumerate() {
                    if i > 0 {
                        self.sounds.push(Sound::Pause(PAUSE_MS));
                    }
                    self.sounds.push(Sound::Name(name.clone()));
                }
                return Ok(());
            }
            Slot::Unnamed => {
                if values.unnamed > 0 {
                    if !values.names.is_empty() {
                        self.sounds.push(Sound::Pause(PAUSE_MS));
                    }
                    self.sentence(
                        "roll-unnamed",
                        By::Number(values.unnamed),
                        Values { n: values.unnamed, ..Values::default() },
                    )?;
                }
                return Ok(());
            }
            Slot::Keys => return self.keys(values.keys),
            Slot::Task => {
                self.sounds.extend(values.task.map(|task| Sound::Clip(clip_of(task))));
                return Ok(());
            }
            Slot::Form => {
                let choice = rules.forms.get(table).ok_or_else(|| format!("[forms.{table}]"))?;
                return self.choice(choice, values);
            }
        };
        match number {
            Some(n) => self.number(or(table, CARDINAL), n),
            None => Ok(()),
        }
    }

    fn keys(&mut self, keys: &str) -> Result<(), String> {
        let rules = self.rules;
        for key in keys.chars().filter(|key| key.is_ascii_digit() || matches!(key, '*' | '#')) {
            if let Some(clip) = rules.keys.get(key.to_string().as_str()) {
                self.sounds.push(Sound::Clip(clip.clone()));
            } else if let Some(digit) = key.to_digit(10) {
                self.number(CARDINAL, digit)?;
            } else {
                return Err(format!("[keys.{key}]"));
            }
        }
        Ok(())
    }

    fn number(&mut self, table: &str, n: u32) -> Result<(), String> {
        let lacks = || format!("[numbers.{table}] for {n}");
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(lacks());
        }
        let rules = self.rules;
        let (pattern, divisor) =
            rules.numbers.get(table).and_then(|numbers| numbers.rule(n)).ok_or_else(lacks)?;
        self.number_parts(table, &pattern.0, n, divisor)
    }

    fn number_parts(&mut self, table: &str, parts: &[Part], n: u32, divisor: u32) -> Result<(), String> {
        let rules = self.rules;
        for part in parts {
            match part {
                Part::Clip(name) => self.sounds.push(Sound::Clip(name.clone())),
                Part::Numbered(before, after) => self.sounds.push(Sound::Clip(format!("{before}{n}{after}"))),
                Part::Pause(ms) => self.sounds.push(Sound::Pause(*ms)),
                Part::Slot(Slot::Form, form) => {
                    let choice = rules.forms.get(form).ok_or_else(|| format!("[forms.{form}]"))?;
                    self.choice(
                        choice,
                        Values { n: if divisor > 1 { n / divisor } else { n }, ..Values::default() },
                    )?;
                }
                // Another table for the same number.
                Part::Slot(_, other) => self.number(or(other, CARDINAL), n)?,
                Part::Quotient(other) => self.number(other.as_deref().unwrap_or(table), n / divisor)?,
                Part::Remainder(other) => self.number(other.as_deref().unwrap_or(table), n % divisor)?,
                Part::Optional(parts) => {
                    if !n.is_multiple_of(divisor) {
                        self.number_parts(table, parts, n, divisor)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// As a person would say it: seconds below a minute, else the nearest minute, and from a day on the nearest hour.
    fn duration(&mut self, table: &str, seconds: u32) -> Result<(), String> {
        let minutes = seconds.saturating_add(30) / 60;
        let hours = minutes.saturating_add(30) / 60;
        if seconds < 60 {
            self.unit(table, "second", seconds)
        } else if minutes < 60 {
            self.unit(table, "minute", minutes)
        } else if minutes < 24 * 60 {
            self.pair(table, ("hour", minutes / 60), ("minute", minutes % 60))
        } else {
            self.pair(table, ("day", hours / 24), ("hour", hours % 24))
        }
    }

    fn pair(&mut self, table: &str, large: (&str, u32), small: (&str, u32)) -> Result<(), String> {
        if small.1 == 0 {
            return self.unit(table, large.0, large.1);
        }
        self.unit(table, &format!("{}-first", large.0), large.1)?;
        self.unit(table, small.0, small.1)
    }

    fn unit(&mut self, table: &str, unit: &str, n: u32) -> Result<(), String> {
        let rules = self.rules;
        let choice = rules
            .durations
            .get(table)
            .and_then(|units| units.get(unit))
            .ok_or_else(|| format!("[durations.{table}.{unit}]"))?;
        self.choice(choice, Values { n, ..Values::default() })
    }

    fn when(&mut self, table: &str, values: Values<'_>) -> Result<(), String> {
        let rules = self.rules;
        let day = match values.day {
            Some(Day::Today) => "today",
            Some(Day::Tomorrow) => "tomorrow",
            Some(Day::On(_)) => "on",
            None => "none",
        };
        let patterns = rules.when.get(table).ok_or_else(|| format!("[when.{table}]"))?;
        let exact = values.time.and_then(|time| patterns.get(&format!("{day} {}", clock(time))));
        let pattern = exact.or_else(|| patterns.get(day)).ok_or_else(|| format!("[when.{table}.{day}]"))?;
        self.pattern(pattern, values)
    }

    fn time(&mut self, table: &str, values: Values<'_>) -> Result<(), String> {
        let Some(time) = values.time else { return Ok(()) };
        let rules = self.rules;
        let patterns = rules.times.get(table).ok_or_else(|| format!("[times.{table}]"))?;
        let usual = match time.minute() {
            0 => "hour",
            1..=9 => "below-ten",
            _ => "other",
        };
        let pattern =
            patterns.get(&clock(time)).or_else(|| patterns.get(usual)).or_else(|| patterns.get("other"));
        self.pattern(pattern.ok_or_else(|| format!("[times.{table}.{usual}]"))?, values)
    }
}

fn clock(time: TimeOfDay) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// Reads a language's table.
pub(crate) fn read_table(text: &str) -> Result<Table, String> {
    toml::from_str(text).map_err(|error| format!("language.toml: {error}"))
}

/// A code in a language's table.
pub(crate) fn code_of(table: &Table, key: &str) -> Result<Option<LanguageCode>, String> {
    let Some(value) = table.get(key) else { return Ok(None) };
    let text = value.as_str().ok_or_else(|| format!("language.toml: `{key}` is a text in quotes"))?;
    LanguageCode::new(text).map(Some).map_err(|error| format!("language.toml: `{key}`: {error}"))
}

/// Lines of a name, a tab and a text. Empty lines and those that begin with `#` are left out.
fn read_texts(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut texts = BTreeMap::new();
    for (i, line) in
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
    {
        let wrong = |what: &str| format!("texts.tsv: line {} {what}", i + 1);
        let (name, text) = line.split_once('\t').ok_or_else(|| wrong("has no tab between name and text"))?;
        if !crate::pattern::is_name(name) {
            return Err(wrong("begins with no name of a clip (small letters, figures, `-`, `.`, `_`)"));
        }
        if text.trim().is_empty() {
            return Err(wrong("has no text"));
        }
        if texts.insert(name.to_owned(), text.trim().to_owned()).is_some() {
            return Err(wrong("has a name that an earlier line has"));
        }
    }
    Ok(texts)
}

/// Lays one table over another. Each entry of a table (a sentence, the number rules of one name) replaces the one of the same name as a whole,
/// because half of one and half of another say nothing.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(toml::Value::Table(under)), toml::Value::Table(over)) => {
                for (key, value) in over {
                    under.insert(key, value);
                }
            }
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}
