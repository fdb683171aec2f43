//! Patterns: how a sentence, a number or a time is put together from clips.
//!
//! A pattern is a row of parts with spaces between them:
//!
//! ```text
//! count.there-are        a clip
//! number.{n}             a clip whose name holds the number
//! {n}  {hour12:hour}     a value, a number by the table `cardinal` or by the one named
//! {form:thousand}        the form of a word that goes with the number
//! ~200                   200 ms of silence instead of the usual join
//! << >>  <feminine< >pair>   in number rules: the quotient and the remainder, by the same or another table
//! [ … ]                  in number rules: left out where the remainder is 0
//! ```

use crate::plural::{Category, Plurals};
use std::collections::BTreeMap;

/// What a part in braces stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    /// The number of the sentence, or the one that a number rule is about.
    N,
    Hour12,
    Hour24,
    Minute,
    Weekday,
    Day,
    Month,
    Year,
    /// A table of durations.
    Duration,
    /// A table of times with their day.
    When,
    /// A table of times of day.
    Time,
    /// The clip for the part of the day.
    Daypart,
    /// A recorded name.
    Name,
    /// Several, with pauses between them.
    Names,
    /// What a roll-call says of callers without a name.
    Unnamed,
    /// Keys, one by one.
    Keys,
    /// What keys do.
    Task,
    /// A form of a word.
    Form,
}

impl Slot {
    const NAMED: [(&'static str, Self); 18] = [
        ("n", Self::N),
        ("hour12", Self::Hour12),
        ("hour24", Self::Hour24),
        ("minute", Self::Minute),
        ("weekday", Self::Weekday),
        ("day", Self::Day),
        ("month", Self::Month),
        ("year", Self::Year),
        ("duration", Self::Duration),
        ("when", Self::When),
        ("time", Self::Time),
        ("daypart", Self::Daypart),
        ("name", Self::Name),
        ("names", Self::Names),
        ("unnamed", Self::Unnamed),
        ("keys", Self::Keys),
        ("task", Self::Task),
        ("form", Self::Form),
    ];

    pub(crate) fn name(self) -> &'static str {
        // Every slot is in the table.
        Self::NAMED.iter().find(|(_, slot)| *slot == self).map_or("", |(name, _)| name)
    }

    /// Whether the part behind the colon is a table of numbers.
    pub(crate) fn is_number(self) -> bool {
        self <= Self::Year
    }
}

/// One part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Clip(String),
    /// A clip whose name holds the number: what is before it and after it.
    Numbered(String, String),
    Slot(Slot, String),
    Pause(u16),
    Quotient(Option<String>),
    Remainder(Option<String>),
    Optional(Vec<Part>),
}

/// A row of parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pattern(pub(crate) Vec<Part>);

/// Whether a text can be the name of a clip: it becomes a file's name.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_'))
        && !text.starts_with('.')
        && !text.contains("..")
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let spaced = text.replace('[', " [ ").replace(']', " ] ");
        let mut outer = Vec::new();
        let mut inner: Option<Vec<Part>> = None;
        for word in spaced.split_whitespace() {
            match (word, &mut inner) {
                ("[", None) => inner = Some(Vec::new()),
                ("[", Some(_)) => return Err("brackets are not nested".to_owned()),
                ("]", Some(parts)) => {
                    outer.push(Part::Optional(std::mem::take(parts)));
                    inner = None;
                }
                ("]", None) => return Err("`]` without `[`".to_owned()),
                (word, Some(parts)) => parts.push(part(word)?),
                (word, None) => outer.push(part(word)?),
            }
        }
        match inner {
            Some(_) => Err("`[` without `]`".to_owned()),
            None => Ok(Self(outer)),
        }
    }

    /// Every part, those in brackets too.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.0.iter().flat_map(|part| match part {
            Part::Optional(parts) => parts.iter(),
            other => std::slice::from_ref(other).iter(),
        })
    }
}

fn part(word: &str) -> Result<Part, String> {
    if let Some(ms) = word.strip_prefix('~') {
        return match ms.parse() {
            Ok(ms @ 0..=5000) => Ok(Part::Pause(ms)),
            _ => Err(format!("`{word}`: a pause is `~` and 0 to 5000 milliseconds")),
        };
    }
    for (mark, make) in [('<', Part::Quotient as fn(Option<String>) -> Part), ('>', Part::Remainder)] {
        if let Some(table) = word.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark)) {
            if !table.is_empty() && !is_name(table) {
                return Err(format!("`{word}`: `{table}` is no name of a table"));
            }
            return Ok(make((!table.is_empty()).then(|| table.to_owned())));
        }
    }
    if let Some(inside) = word.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))
        && !inside.contains(['{', '}'])
    {
        let (name, table) = inside.split_once(':').unwrap_or((inside, ""));
        let slot = Slot::NAMED.iter().find(|(known, _)| *known == name).map(|(_, slot)| *slot);
        let slot = slot.ok_or_else(|| {
            let known: Vec<_> = Slot::NAMED.iter().map(|(name, _)| *name).collect();
            format!("`{word}` is unknown; known are {}", known.join(", "))
        })?;
        if inside.contains(':') && !is_name(table) {
            return Err(format!("`{word}`: `{table}` is no name of a table"));
        }
        if slot == Slot::Form && table.is_empty() {
            return Err("`{form}` needs the name of its table: `{form:NAME}`".to_owned());
        }
        return Ok(Part::Slot(slot, table.to_owned()));
    }
    if let Some((before, after)) = word.split_once("{n}") {
        return if is_name(&format!("{before}1{after}")) {
            Ok(Part::Numbered(before.to_owned(), after.to_owned()))
        } else {
            Err(format!("`{word}` is no name of a clip"))
        };
    }
    if is_name(word) {
        Ok(Part::Clip(word.to_owned()))
    } else {
        Err(format!(
            "`{word}` is neither a clip (small letters, figures, `-`, `.`, `_`) nor a value in braces"
        ))
    }
}

/// Patterns of which one is chosen: by exact value, else by plural category, else `other`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    exact: BTreeMap<String, Pattern>,
    by_category: BTreeMap<Category, Pattern>,
}

impl Choice {
    pub(crate) fn always(pattern: Pattern) -> Self {
        Self { exact: BTreeMap::new(), by_category: BTreeMap::from([(Category::Other, pattern)]) }
    }

    /// Adds what is chosen for a key: the name of a category, or else an exact value.
    pub(crate) fn add(&mut self, key: &str, pattern: Pattern) {
        match Category::from_name(key) {
            Some(category) => {
                self.by_category.insert(category, pattern);
            }
            None => {
                self.exact.insert(key.to_owned(), pattern);
            }
        }
    }

    /// `other` is there whatever comes.
    pub(crate) fn is_complete(&self) -> bool {
        self.by_category.contains_key(&Category::Other)
    }

    pub(crate) fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.exact.values().chain(self.by_category.values())
    }

    pub(crate) fn for_text(&self, text: &str) -> Option<&Pattern> {
        self.exact.get(text).or_else(|| self.by_category.get(&Category::Other))
    }

    pub(crate) fn for_number(&self, n: u32, plurals: &Plurals) -> Option<&Pattern> {
        self.exact
            .get(n.to_string().as_str())
            .or_else(|| self.by_category.get(&plurals.category(n)))
            .or_else(|| self.by_category.get(&Category::Other))
    }
}

/// A table of number rules: each holds from its number to the next one's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NumberTable(pub(crate) BTreeMap<u32, Pattern>);

impl NumberTable {
    /// The rule for a number, and by what the number is divided there: the highest power of ten that is not above the rule's number.
    pub(crate) fn rule(&self, n: u32) -> Option<(&Pattern, u32)> {
        let (base, pattern) = self.0.range(..=n).next_back()?;
        let divisor = base.checked_ilog10().map_or(1, |power| 10_u32.pow(power));
        Some((pattern, divisor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_read_part_by_part() {
        let pattern = Pattern::parse("<< {form:thousand}[~40 >low>] number.{n} {hour12:hour}").unwrap();
        assert_eq!(
            pattern.0,
            [
                Part::Quotient(None),
                Part::Slot(Slot::Form, "thousand".into()),
                Part::Optional(vec![Part::Pause(40), Part::Remainder(Some("low".into()))]),
                Part::Numbered("number.".into(), String::new()),
                Part::Slot(Slot::Hour12, "hour".into()),
            ]
        );
    }

    #[test]
    fn what_is_no_pattern_is_refused_by_its_part() {
        for (text, part) in [
            ("There are", "There"),
            ("{count}", "{count}"),
            ("{n:}", "{n:}"),
            ("{form}", "{form}"),
            ("~6000", "~6000"),
            ("[ a [ b ] ]", "nested"),
            ("[ a", "`[`"),
            ("a ]", "`]`"),
            ("<A<", "<A<"),
            ("../etc", "../etc"),
            ("a..b", "a..b"),
            ("N{n}", "N{n}"),
        ] {
            let error = Pattern::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn every_slot_has_its_name() {
        for (name, slot) in Slot::NAMED {
            assert_eq!(slot.name(), name);
        }
    }
}
