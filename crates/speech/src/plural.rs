//! Plural categories of whole numbers, by rules in the notation of Unicode's CLDR (UTS #35, part 3, section 5).
//!
//! A language brings its rules as text, so a new language needs no change to the program. Only whole numbers are said, so the operands of fractions
//! (`v`, `w`, `f`, `t`) and of compact notation (`c`, `e`) are zero, and `n` and `i` are the number itself.

use std::fmt;

/// A plural category of CLDR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// `zero`
    Zero,
    /// `one`
    One,
    /// `two`
    Two,
    /// `few`
    Few,
    /// `many`
    Many,
    /// `other`: whatever no rule takes.
    Other,
}

impl Category {
    const NAMED: [(&'static str, Self); 6] = [
        ("zero", Self::Zero),
        ("one", Self::One),
        ("two", Self::Two),
        ("few", Self::Few),
        ("many", Self::Many),
        ("other", Self::Other),
    ];

    /// Reads the name of a category.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(known, _)| *known == name).map(|(_, category)| *category)
    }

    /// Its name in CLDR.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::One => "one",
            Self::Two => "two",
            Self::Few => "few",
            Self::Many => "many",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `n % 10 = 2..4`: an operand, the modulus (0 for none), whether the ranges are excluded, and the ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Relation {
    is_number: bool,
    modulus: u32,
    negated: bool,
    ranges: Vec<(u32, u32)>,
}

impl Relation {
    fn holds(&self, n: u32) -> bool {
        let operand = if self.is_number { n } else { 0 };
        let value = if self.modulus == 0 { operand } else { operand % self.modulus };
        self.ranges.iter().any(|(first, last)| (*first..=*last).contains(&value)) != self.negated
    }
}

/// One condition: alternatives of relations that all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition(Vec<Vec<Relation>>);

impl Condition {
    fn parse(text: &str) -> Result<Self, String> {
        // CLDR's own tables carry samples behind the rule.
        let rule = text.split('@').next().unwrap_or_default().trim();
        let alternatives = rule.split(" or ").map(|part| part.split(" and ").map(relation).collect());
        Ok(Self(alternatives.collect::<Result<_, String>>()?))
    }

    fn holds(&self, n: u32) -> bool {
        self.0.iter().any(|all| all.iter().all(|relation| relation.holds(n)))
    }
}

fn relation(text: &str) -> Result<Relation, String> {
    let bad = || {
        format!(
            "`{}` is no plural rule: allowed are relations such as `n % 10 = 2..4` or `i != 1`, joined by `and` and `or`",
            text.trim()
        )
    };
    let (left, negated, right) = match text.split_once("!=") {
        Some((left, right)) => (left, true, right),
        None => {
            let (left, right) = text.split_once('=').ok_or_else(bad)?;
            (left, false, right)
        }
    };
    let (operand, modulus) = match left.split_once('%') {
        Some((operand, modulus)) => {
            (operand.trim(), modulus.trim().parse().ok().filter(|m| *m > 0).ok_or_else(bad)?)
        }
        None => (left.trim(), 0),
    };
    let is_number = match operand {
        "n" | "i" => true,
        "v" | "w" | "f" | "t" | "c" | "e" => false,
        _ => return Err(bad()),
    };
    let mut ranges = Vec::new();
    for part in right.split(',') {
        let (first, last) = part.split_once("..").unwrap_or((part, part));
        match (first.trim().parse(), last.trim().parse()) {
            (Ok(first), Ok(last)) if first <= last => ranges.push((first, last)),
            _ => return Err(bad()),
        }
    }
    Ok(Relation { is_number, modulus, negated, ranges })
}

/// The plural rules of a language.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plurals(Vec<(Category, Condition)>);

impl Plurals {
    /// Adds the rule of a category. The error says what is wrong with it.
    pub fn add(&mut self, category: Category, rule: &str) -> Result<(), String> {
        if category == Category::Other {
            return Err("`other` has no rule: it is whatever no other rule takes".to_owned());
        }
        self.0.push((category, Condition::parse(rule)?));
        Ok(())
    }

    /// The category of a number.
    #[must_use]
    pub fn category(&self, n: u32) -> Category {
        self.0
            .iter()
            .find(|(_, condition)| condition.holds(n))
            .map_or(Category::Other, |(category, _)| *category)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A language; its categories with their rules and samples; the samples of `other`.
    type Sample = (&'static str, &'static [(&'static str, &'static str, &'static str)], &'static str);
    /// What CLDR says of some languages, and its own samples of whole numbers.
    const CLDR: &[Sample] = &[
        ("ja", &[], "0..15, 100, 1000, 10000, 100000, 1000000"),
        ("en", &[("one", "i = 1 and v = 0", "1")], "0, 2..16, 100, 1000, 10000, 100000, 1000000"),
        (
            "fr",
            &[
                ("one", "i = 0,1", "0, 1"),
                ("many", "e = 0 and i != 0 and i % 1000000 = 0 and v = 0 or e != 0..5", "1000000"),
            ],
            "2..17, 100, 1000, 10000, 100000",
        ),
        (
            "pl",
            &[
                ("one", "i = 1 and v = 0", "1"),
                (
                    "few",
                    "v = 0 and i % 10 = 2..4 and i % 100 != 12..14",
                    "2..4, 22..24, 32..34, 42..44, 52..54, 62, 102, 1002",
                ),
                (
                    "many",
                    "v = 0 and i != 1 and i % 10 = 0..1 or v = 0 and i % 10 = 5..9 or v = 0 and i % 100 = 12..14",
                    "0, 5..19, 100, 1000, 10000, 100000, 1000000",
                ),
            ],
            "",
        ),
        (
            "ru",
            &[
                ("one", "v = 0 and i % 10 = 1 and i % 100 != 11", "1, 21, 31, 41, 51, 61, 71, 81, 101, 1001"),
                (
                    "few",
                    "v = 0 and i % 10 = 2..4 and i % 100 != 12..14",
                    "2..4, 22..24, 32..34, 42..44, 52..54, 62, 102, 1002",
                ),
                (
                    "many",
                    "v = 0 and i % 10 = 0 or v = 0 and i % 10 = 5..9 or v = 0 and i % 100 = 11..14",
                    "0, 5..19, 100, 1000, 10000, 100000, 1000000",
                ),
            ],
            "",
        ),
        (
            "ar",
            &[
                ("zero", "n = 0", "0"),
                ("one", "n = 1", "1"),
                ("two", "n = 2", "2"),
                ("few", "n % 100 = 3..10", "3..10, 103..110, 1003"),
                ("many", "n % 100 = 11..99", "11..26, 111, 1011"),
            ],
            "100..102, 200..202, 300..302, 1000, 10000, 100000, 1000000",
        ),
        (
            "lv",
            &[
                (
                    "zero",
                    "n % 10 = 0 or n % 100 = 11..19 or v = 2 and f % 100 = 11..19 @integer 0, 10~20, 30, 40",
                    "0, 10..20, 30, 40, 50, 60, 100, 1000, 10000, 100000, 1000000",
                ),
                (
                    "one",
                    "n % 10 = 1 and n % 100 != 11 or v = 2 and f % 10 = 1 and f % 100 != 11",
                    "1, 21, 31, 41, 51, 61, 71, 81, 101, 1001",
                ),
            ],
            "2..9, 22..29, 102, 1002",
        ),
    ];

    fn numbers(samples: &str) -> impl Iterator<Item = u32> {
        samples.split(", ").filter(|sample| !sample.is_empty()).flat_map(|sample| {
            let (first, last) = sample.split_once("..").unwrap_or((sample, sample));
            first.parse::<u32>().unwrap()..=last.parse().unwrap()
        })
    }

    #[test]
    fn categories_are_those_of_cldr_samples() {
        for (language, rules, others) in CLDR {
            let mut plurals = Plurals::default();
            for (category, rule, _) in *rules {
                plurals.add(Category::from_name(category).unwrap(), rule).unwrap();
            }
            for (category, _, samples) in rules.iter().chain([&("other", "", *others)]) {
                for n in numbers(samples) {
                    assert_eq!(plurals.category(n).name(), *category, "{n} in {language}");
                }
            }
        }
    }

    #[test]
    fn a_rule_that_cannot_be_read_is_named() {
        let mut plurals = Plurals::default();
        for rule in [
            "",
            "n",
            "n = ",
            "n = x",
            "q = 1",
            "n % 0 = 1",
            "n % x = 1",
            "n = 4..2",
            "n == 1",
            "n = 1 and",
            "n is 1",
        ] {
            let error = plurals.add(Category::One, rule).unwrap_err();
            assert!(error.contains("is no plural rule"), "{rule}: {error}");
        }
        assert!(plurals.add(Category::Other, "n = 1").is_err());
        assert_eq!(plurals.category(1), Category::Other);
    }
}
