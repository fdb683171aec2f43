//! The rules of a language: read from its table (`language.toml`), checked once, and asked for what a saying is made of.

use crate::pattern::{Choice, NumberTable, Part, Pattern, Slot, is_name};
use crate::plural::{Category, Plurals};
use crate::prompt::Prompt;
use crate::saying::clip_of;
use plenary_model::MenuAction;
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// The values that every sentence with a value has, by the sentence's name in the table.
pub(crate) const SENTENCES: &[(&str, &[Slot])] = &[
    ("starts-in", &[Slot::Duration]),
    ("starts-at", &[Slot::When]),
    ("ends-in", &[Slot::Duration]),
    ("leader-gone-ends-in", &[Slot::Duration]),
    ("alone-ends-in", &[Slot::Duration]),
    ("time-left", &[Slot::Duration]),
    ("extended-by", &[Slot::Duration]),
    ("participants", &[Slot::N, Slot::Form]),
    ("waiting", &[Slot::N, Slot::Form]),
    ("joined", &[Slot::Name]),
    ("left", &[Slot::Name]),
    ("asks-admission", &[Slot::Name]),
    ("roll-call", &[Slot::N, Slot::Form, Slot::Names, Slot::Unnamed]),
    ("roll-unnamed", &[Slot::N, Slot::Form]),
    ("number", &[Slot::N, Slot::Form]),
    ("key-for", &[Slot::Task, Slot::Keys]),
    ("key-to-ask", &[Slot::Keys]),
    ("key-to-unmute", &[Slot::Keys]),
    ("key-to-join", &[Slot::Keys]),
];

const UNITS: [&str; 6] = ["day", "day-first", "hour", "hour-first", "minute", "second"];
const TIMES: [&str; 3] = ["hour", "below-ten", "other"];
const DAYS: [&str; 4] = ["today", "tomorrow", "on", "none"];
const TOP: [&str; 12] = [
    "code",
    "name",
    "extends",
    "plurals",
    "numbers",
    "forms",
    "durations",
    "times",
    "when",
    "dayparts",
    "keys",
    "sentences",
];

/// The table of numbers that is meant where none is named.
pub(crate) const CARDINAL: &str = "cardinal";
/// The table of durations, times and days that is meant where none is named.
pub(crate) const DEFAULT: &str = "default";

/// The most number rules that one saying takes. Ten are usual for the largest number; rules that refer to several others each would go on for ever.
pub(crate) const MAX_STEPS: usize = 400;

/// What a language's table says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    pub(crate) plurals: Plurals,
    pub(crate) numbers: BTreeMap<String, NumberTable>,
    pub(crate) forms: BTreeMap<String, Choice>,
    pub(crate) durations: BTreeMap<String, BTreeMap<String, Choice>>,
    pub(crate) times: BTreeMap<String, BTreeMap<String, Pattern>>,
    pub(crate) when: BTreeMap<String, BTreeMap<String, Pattern>>,
    pub(crate) dayparts: BTreeMap<u8, String>,
    pub(crate) keys: BTreeMap<String, String>,
    pub(crate) sentences: BTreeMap<String, Choice>,
    pub(crate) replace: BTreeMap<String, String>,
}

type Result<T> = std::result::Result<T, String>;

fn at<T>(place: &str, result: Result<T>) -> Result<T> {
    result.map_err(|problem| format!("[{place}] {problem}"))
}

fn table<'a>(value: &'a Value, place: &str) -> Result<&'a Table> {
    value.as_table().ok_or_else(|| format!("[{place}] is a table"))
}

fn text<'a>(value: &'a Value, place: &str) -> Result<&'a str> {
    value.as_str().ok_or_else(|| format!("[{place}] is a text in quotes"))
}

fn pattern(value: &Value, place: &str, allowed: &[Slot]) -> Result<Pattern> {
    let pattern = at(place, Pattern::parse(text(value, place)?))?;
    for part in pattern.parts() {
        match part {
            Part::Slot(slot, _) if !allowed.contains(slot) => {
                let known: Vec<_> = allowed.iter().map(|slot| format!("{{{}}}", slot.name())).collect();
                let known = if known.is_empty() { "no value".to_owned() } else { known.join(", ") };
                return Err(format!("[{place}] has no value {{{}}}: allowed here are {known}", slot.name()));
            }
            Part::Numbered(..) if !allowed.contains(&Slot::N) => {
                return Err(format!("[{place}] has no number, so no clip's name can hold one"));
            }
            Part::Quotient(_) | Part::Remainder(_) | Part::Optional(_) => {
                return Err(format!("[{place}] `<<`, `>>` and brackets belong into number rules"));
            }
            Part::Slot(..) | Part::Numbered(..) | Part::Clip(_) | Part::Pause(_) => {}
        }
    }
    // `parts` looks into brackets, not at them.
    if pattern.0.iter().any(|part| matches!(part, Part::Optional(_))) {
        return Err(format!("[{place}] `<<`, `>>` and brackets belong into number rules"));
    }
    Ok(pattern)
}

/// A pattern, or a table of them with `other`.
fn choice(value: &Value, place: &str, allowed: &[Slot]) -> Result<Choice> {
    let Some(table) = value.as_table() else { return Ok(Choice::always(pattern(value, place, allowed)?)) };
    let mut choice = Choice::default();
    for (key, value) in table {
        choice.add(key, pattern(value, &format!("{place}.{key}"), allowed)?);
    }
    if choice.is_complete() { Ok(choice) } else { Err(format!("[{place}] needs `other`")) }
}

fn number_table(value: &Value, place: &str) -> Result<NumberTable> {
    let mut rules = BTreeMap::new();
    for (key, value) in table(value, place)? {
        let place = format!("{place}.{key}");
        let base: u32 =
            key.parse().map_err(|_| format!("[{place}] a number rule begins at a whole number"))?;
        let pattern = at(&place, Pattern::parse(text(value, &place)?))?;
        for part in pattern.0.iter().chain(pattern.parts()) {
            match part {
                Part::Slot(Slot::N | Slot::Form, _) | Part::Numbered(..) | Part::Clip(_) | Part::Pause(_) => {
                }
                Part::Slot(slot, _) => {
                    return Err(format!(
                        "[{place}] has no value {{{}}}: allowed here are {{n}}, {{form}}",
                        slot.name()
                    ));
                }
                Part::Quotient(_) | Part::Remainder(_) | Part::Optional(_) if base < 10 => {
                    return Err(format!("[{place}] only rules from 10 on have a quotient and a remainder"));
                }
                Part::Quotient(_) | Part::Remainder(_) | Part::Optional(_) => {}
            }
        }
        rules.insert(base, pattern);
    }
    if rules.is_empty() {
        return Err(format!("[{place}] needs a rule"));
    }
    Ok(NumberTable(rules))
}

fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.collect();
    format!("`{unknown}` is unknown here; known are {}", known.join(", "))
}

impl Rules {
    /// Reads a table, which has been merged with that of the language that it extends.
    pub(crate) fn read(source: &Table) -> Result<Self> {
        let mut rules = Self::default();
        for (key, value) in source {
            match key.as_str() {
                "code" | "name" | "extends" => {
                    text(value, key)?;
                }
                "plurals" => {
                    for (name, rule) in table(value, key)? {
                        let place = format!("plurals.{name}");
                        let known = ["zero", "one", "two", "few", "many"];
                        let category =
                            Category::from_name(name).filter(|category| *category != Category::Other);
                        let category = category
                            .ok_or_else(|| format!("[{key}] {}", nearest(name, known.into_iter())))?;
                        at(&place, rules.plurals.add(category, text(rule, &place)?))?;
                    }
                }
                "numbers" => {
                    for (name, value) in table(value, key)? {
                        rules.numbers.insert(name.clone(), number_table(value, &format!("numbers.{name}"))?);
                    }
                }
                "forms" => {
                    for (name, value) in table(value, key)? {
                        rules
                            .forms
                            .insert(name.clone(), choice(value, &format!("forms.{name}"), &[Slot::N])?);
                    }
                }
                "durations" => {
                    for (name, value) in table(value, key)? {
                        let place = format!("durations.{name}");
                        let mut units = BTreeMap::new();
                        for (unit, value) in table(value, &place)? {
                            if !UNITS.contains(&unit.as_str()) {
                                return Err(format!("[{place}] {}", nearest(unit, UNITS.into_iter())));
                            }
                            units.insert(
                                unit.clone(),
                                choice(value, &format!("{place}.{unit}"), &[Slot::N, Slot::Form])?,
                            );
                        }
                        rules.durations.insert(name.clone(), units);
                    }
                }
                "times" => {
                    let slots = [Slot::Hour12, Slot::Hour24, Slot::Minute, Slot::Daypart];
                    rules.times =
                        timed(value, key, &slots, |name| TIMES.contains(&name) || is_clock(name), &TIMES)?;
                }
                "when" => {
                    let slots = [Slot::Time, Slot::Weekday, Slot::Day, Slot::Month, Slot::Year];
                    let known = |name: &str| {
                        DAYS.contains(
                            &name
                                .split_once(' ')
                                .map_or(name, |(day, clock)| if is_clock(clock) { day } else { "" }),
                        )
                    };
                    rules.when = timed(value, key, &slots, known, &DAYS)?;
                }
                "dayparts" => {
                    for (hour, clip) in table(value, key)? {
                        let place = format!("dayparts.{hour}");
                        let first = hour.parse().ok().filter(|hour| *hour < 24).ok_or_else(|| {
                            format!("[{place}] a part of the day begins at an hour from 0 to 23")
                        })?;
                        rules.dayparts.insert(first, clip_name(clip, &place)?);
                    }
                }
                "keys" => {
                    for (name, clip) in table(value, key)? {
                        if name.len() != 1
                            || !name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'*' | b'#'))
                        {
                            return Err(format!("[keys] `{name}` is no key: keys are 0 to 9, * and #"));
                        }
                        rules.keys.insert(name.clone(), clip_name(clip, &format!("keys.{name}"))?);
                    }
                }
                "sentences" => {
                    for (name, value) in table(value, key)? {
                        let slots =
                            SENTENCES.iter().find(|(known, _)| known == name).map(|(_, slots)| *slots);
                        let slots = slots.ok_or_else(|| {
                            format!(
                                "[sentences] {}",
                                nearest(name, SENTENCES.iter().map(|(known, _)| *known))
                            )
                        })?;
                        rules
                            .sentences
                            .insert(name.clone(), choice(value, &format!("sentences.{name}"), slots)?);
                    }
                }
                "replace" => {
                    for (name, clip) in table(value, key)? {
                        rules.replace.insert(name.clone(), clip_name(clip, &format!("replace.{name}"))?);
                    }
                }
                _ => return Err(nearest(key, TOP.into_iter().chain(["replace"]))),
            }
        }
        rules.check_tables()?;
        rules.check_numbers()?;
        Ok(rules)
    }

    /// Every pattern with its place.
    fn patterns(&self) -> impl Iterator<Item = (String, &Pattern)> {
        let numbers = self.numbers.iter().flat_map(|(name, table)| {
            table.0.values().map(move |pattern| (format!("numbers.{name}"), pattern))
        });
        let forms = self.forms.iter().flat_map(|(name, choice)| {
            choice.patterns().map(move |pattern| (format!("forms.{name}"), pattern))
        });
        let durations = self.durations.iter().flat_map(|(name, units)| {
            units.iter().flat_map(move |(unit, choice)| {
                choice.patterns().map(move |pattern| (format!("durations.{name}.{unit}"), pattern))
            })
        });
        let timed = [("times", &self.times), ("when", &self.when)].into_iter().flat_map(|(kind, tables)| {
            tables.iter().flat_map(move |(name, table)| {
                table.values().map(move |pattern| (format!("{kind}.{name}"), pattern))
            })
        });
        let sentences = self.sentences.iter().flat_map(|(name, choice)| {
            choice.patterns().map(move |pattern| (format!("sentences.{name}"), pattern))
        });
        numbers.chain(forms).chain(durations).chain(timed).chain(sentences)
    }

    /// Every table that a pattern names is there.
    fn check_tables(&self) -> Result<()> {
        for (place, pattern) in self.patterns() {
            for part in pattern.parts() {
                let (kind, name, is_there) = match part {
                    Part::Slot(Slot::Form, name) => ("forms", name.as_str(), self.forms.contains_key(name)),
                    Part::Slot(Slot::Duration, name) => {
                        ("durations", or(name, DEFAULT), self.durations.contains_key(or(name, DEFAULT)))
                    }
                    Part::Slot(Slot::When, name) => {
                        ("when", or(name, DEFAULT), self.when.contains_key(or(name, DEFAULT)))
                    }
                    Part::Slot(Slot::Time, name) => {
                        ("times", or(name, DEFAULT), self.times.contains_key(or(name, DEFAULT)))
                    }
                    Part::Slot(slot, name) if slot.is_number() => {
                        ("numbers", or(name, CARDINAL), self.numbers.contains_key(or(name, CARDINAL)))
                    }
                    Part::Slot(slot, name) if !name.is_empty() => {
                        return Err(format!(
                            "[{place}] `{{{}:{name}}}`: `{}` has no tables",
                            slot.name(),
                            slot.name()
                        ));
                    }
                    Part::Quotient(Some(name)) | Part::Remainder(Some(name)) => {
                        ("numbers", name.as_str(), self.numbers.contains_key(name))
                    }
                    Part::Slot(..)
                    | Part::Quotient(None)
                    | Part::Remainder(None)
                    | Part::Clip(_)
                    | Part::Numbered(..)
                    | Part::Pause(_)
                    | Part::Optional(_) => {
                        continue;
                    }
                };
                if !is_there {
                    return Err(format!("[{place}] there is no table [{kind}.{name}]"));
                }
            }
        }
        Ok(())
    }

    /// No number rule hands a number on to other tables in a circle. Between two rules' numbers nothing changes, so those are tried.
    fn check_numbers(&self) -> Result<()> {
        for (name, numbers) in &self.numbers {
            for base in numbers.0.keys() {
                self.follow(name, *base, &mut Vec::new())
                    .map_err(|problem| format!("[numbers.{name}.{base}] {problem}"))?;
            }
        }
        Ok(())
    }

    fn follow<'a>(&'a self, table: &'a str, n: u32, path: &mut Vec<&'a str>) -> Result<()> {
        if path.contains(&table) {
            return Err(format!("goes in a circle at table `{table}`"));
        }
        path.push(table);
        if let Some((pattern, _)) = self.numbers.get(table).and_then(|numbers| numbers.rule(n)) {
            for part in pattern.parts() {
                if let Part::Slot(Slot::N, next) = part {
                    self.follow(or(next, CARDINAL), n, path)?;
                }
            }
        }
        path.pop();
        Ok(())
    }

    /// Every clip that some saying can need.
    pub(crate) fn clips(&self) -> BTreeSet<String> {
        let mut clips: BTreeSet<String> = Prompt::ALL.iter().map(|prompt| prompt.name().to_owned()).collect();
        clips.extend(MenuAction::ALL.iter().map(|action| clip_of(*action)));
        clips.extend(self.dayparts.values().chain(self.keys.values()).cloned());
        for (_, pattern) in self.patterns() {
            for part in pattern.parts() {
                if let Part::Clip(name) = part {
                    clips.insert(name.clone());
                }
            }
        }
        // A clip's name holds a number from the rule's first to the next rule's.
        for table in self.numbers.values() {
            for (base, pattern) in &table.0 {
                for part in pattern.parts() {
                    if let Part::Numbered(before, after) = part {
                        let next = table.0.range(base + 1..).next().map_or(base + 1, |(next, _)| *next);
                        clips.extend(
                            (*base..next.min(base.saturating_add(1000)))
                                .map(|n| format!("{before}{n}{after}")),
                        );
                    }
                }
            }
        }
        clips.into_iter().map(|name| self.replace.get(&name).cloned().unwrap_or(name)).collect()
    }
}

pub(crate) fn or<'a>(name: &'a str, default: &'a str) -> &'a str {
    if name.is_empty() { default } else { name }
}

fn is_clock(text: &str) -> bool {
    let digits = text.len() == 5
        && text
            .bytes()
            .enumerate()
            .all(|(i, byte)| if i == 2 { byte == b':' } else { byte.is_ascii_digit() });
    digits && &text[..2] < "24" && &text[3..] < "60"
}

fn clip_name(value: &Value, place: &str) -> Result<String> {
    let name = text(value, place)?;
    if is_name(name) { Ok(name.to_owned()) } else { Err(format!("[{place}] `{name}` is no name of a clip")) }
}

fn timed(
    value: &Value,
    place: &str,
    slots: &[Slot],
    is_known: impl Fn(&str) -> bool,
    known: &[&str],
) -> Result<BTreeMap<String, BTreeMap<String, Pattern>>> {
    let mut tables = BTreeMap::new();
    for (name, value) in table(value, place)? {
        let place = format!("{place}.{name}");
        let mut patterns = BTreeMap::new();
        for (key, value) in table(value, &place)? {
            if !is_known(key) {
                return Err(format!(
                    "[{place}] {}, and times of day such as `00:00`",
                    nearest(key, known.iter().copied())
                ));
            }
            patterns.insert(key.clone(), pattern(value, &format!("{place}.{key}"), slots)?);
        }
        tables.insert(name.clone(), patterns);
    }
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Rules> {
        Rules::read(&toml::from_str(text).unwrap())
    }

    #[test]
    fn a_table_that_is_wrong_is_refused_by_its_place() {
        for (text, words) in [
            ("plural = 1", "`plural` is unknown"),
            ("plurals = 1", "[plurals] is a table"),
            ("[plurals]\nother = \"n = 1\"", "known are zero, one"),
            ("[plurals]\none = \"n is 1\"", "[plurals.one] `n is 1` is no plural rule"),
            ("[numbers.cardinal]\none = \"a\"", "[numbers.cardinal.one]"),
            ("[numbers.cardinal]\n1 = \"a [>>]\"", "only rules from 10 on"),
            ("[numbers.cardinal]\n1 = \"{names}\"", "no value {names}"),
            ("[numbers.cardinal]", "needs a rule"),
            ("[numbers.cardinal]\n0 = \"{n:b}\"", "no table [numbers.b]"),
            ("[numbers.cardinal]\n0 = \"{n:b}\"\n[numbers.b]\n0 = \"x\"\n7 = \"{n}\"", "goes in a circle"),
            ("[numbers.cardinal]\n10 = \"<b<\"", "no table [numbers.b]"),
            ("[forms]\nx = {one = \"a\"}", "[forms.x] needs `other`"),
            ("[durations.default]\nweek = \"a\"", "`week` is unknown"),
            ("[times.default]\nnoon = \"a\"", "such as `00:00`"),
            ("[times.default]\n\"24:00\" = \"a\"", "such as `00:00`"),
            ("[when.default]\n\"monday 00:00\" = \"a\"", "known are today"),
            ("[dayparts]\n24 = \"a\"", "0 to 23"),
            ("[keys]\nA = \"a\"", "keys are 0 to 9"),
            ("[sentences]\nstarts = \"a\"", "`starts` is unknown"),
            (
                "[sentences]\nstarts-in = \"{n}\"",
                "[sentences.starts-in] has no value {n}: allowed here are {duration}",
            ),
            ("[sentences]\nstarts-in = \"{duration}\"", "no table [durations.default]"),
            ("[sentences]\nstarts-in = \"a [b]\"", "belong into number rules"),
            ("[sentences]\njoined = \"{name:x}\"", "has no tables"),
            ("[sentences]\nparticipants = \"There are\"", "`There` is neither"),
            ("[replace]\na = \"B\"", "[replace.a]"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_number_rule_may_hand_the_number_on() {
        assert!(read("[numbers.cardinal]\n0 = \"a\"\n[numbers.b]\n0 = \"x {n}\"\n100 = \"{n}\"").is_ok());
    }
}
