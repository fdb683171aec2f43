//! Every number from 0 to 1,000,000, compared with words that are put together in another way: from the figures, by the grammar of each language.

mod support;

use plenary_speech::Saying;
use support::{ONES, code, with_polish, words};

const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// Three figures in English, with "and" after the hundreds or without.
fn three(n: u32, and: bool) -> Vec<&'static str> {
    let mut words = Vec::new();
    if n >= 100 {
        words.extend([ONES[n as usize / 100], "hundred"]);
    }
    let rest = n as usize % 100;
    if and && n >= 100 && rest > 0 {
        words.push("and");
    }
    match rest {
        0 => {}
        1..=19 => words.push(ONES[rest]),
        _ => {
            words.push(TENS[rest / 10]);
            if !rest.is_multiple_of(10) {
                words.push(ONES[rest % 10]);
            }
        }
    }
    words
}

fn english(n: u32, and: bool) -> String {
    if n == 0 {
        return "zero".to_owned();
    }
    let mut words = Vec::new();
    for (group, name) in [(n / 1_000_000, "million"), (n / 1000 % 1000, "thousand")] {
        if group > 0 {
            words.extend(three(group, and));
            words.push(name);
        }
    }
    let rest = n % 1000;
    if and && n > 1000 && (1..100).contains(&rest) {
        words.push("and");
    }
    words.extend(three(rest, and));
    words.join(" ")
}

const JEDEN: [&str; 20] = [
    "",
    "jeden",
    "dwa",
    "trzy",
    "cztery",
    "pięć",
    "sześć",
    "siedem",
    "osiem",
    "dziewięć",
    "dziesięć",
    "jedenaście",
    "dwanaście",
    "trzynaście",
    "czternaście",
    "piętnaście",
    "szesnaście",
    "siedemnaście",
    "osiemnaście",
    "dziewiętnaście",
];
const DWADZIESCIA: [&str; 10] = [
    "",
    "",
    "dwadzieścia",
    "trzydzieści",
    "czterdzieści",
    "pięćdziesiąt",
    "sześćdziesiąt",
    "siedemdziesiąt",
    "osiemdziesiąt",
    "dziewięćdziesiąt",
];
const STO: [&str; 10] = [
    "",
    "sto",
    "dwieście",
    "trzysta",
    "czterysta",
    "pięćset",
    "sześćset",
    "siedemset",
    "osiemset",
    "dziewięćset",
];

fn polish_three(n: u32) -> Vec<&'static str> {
    let (hundreds, rest) = (n as usize / 100, n as usize % 100);
    let (tens, ones) = if rest < 20 { (0, rest) } else { (rest / 10, rest % 10) };
    [STO[hundreds], DWADZIESCIA[tens], JEDEN[ones]].into_iter().filter(|word| !word.is_empty()).collect()
}

/// The form of a noun after a number: "jeden", "dwa, trzy, cztery" but not "dwanaście", and the rest.
fn polish_form(n: u32, forms: [&str; 3]) -> &str {
    match (n, n % 100, n % 10) {
        (1, _, _) => forms[0],
        (_, 12..=14, _) => forms[2],
        (_, _, 2..=4) => forms[1],
        _ => forms[2],
    }
}

fn polish(n: u32) -> String {
    if n == 0 {
        return "zero".to_owned();
    }
    let mut words = Vec::new();
    for (group, forms) in [
        (n / 1_000_000, ["milion", "miliony", "milionów"]),
        (n / 1000 % 1000, ["tysiąc", "tysiące", "tysięcy"]),
    ] {
        // One thousand is just "tysiąc".
        if group > 1 {
            words.extend(polish_three(group));
        }
        if group > 0 {
            words.push(polish_form(group, forms));
        }
    }
    words.extend(polish_three(n % 1000));
    words.join(" ")
}

/// "dwie" instead of "dwa", and "jedna" only where nothing is before it.
fn polish_feminine(n: u32) -> String {
    let words = polish(n);
    match words.strip_suffix("dwa") {
        Some(before) => format!("{before}dwie"),
        None if n == 1 => "jedna".to_owned(),
        None => words,
    }
}

#[test]
fn american_english() {
    let languages = with_polish();
    let code = code("en");
    for n in 0..=1_000_000 {
        assert_eq!(words(&languages, &code, Saying::Number(n)), english(n, false), "{n}");
    }
    assert_eq!(
        words(&languages, &code, Saying::Number(342_017)),
        "three hundred forty two thousand seventeen"
    );
    assert_eq!(
        words(&languages, &code, Saying::Number(u32::MAX)),
        "four thousand two hundred ninety four million nine hundred sixty seven thousand two hundred ninety five"
    );
}

#[test]
fn british_english() {
    let languages = with_polish();
    let code = code("en-GB");
    for n in 0..=1_000_000 {
        assert_eq!(words(&languages, &code, Saying::Number(n)), english(n, true), "{n}");
    }
    assert_eq!(words(&languages, &code, Saying::Number(1_005)), "one thousand and five");
    assert_eq!(
        words(&languages, &code, Saying::Number(110_120)),
        "one hundred and ten thousand one hundred and twenty"
    );
}

#[test]
fn polish_with_three_plurals() {
    let languages = with_polish();
    let code = code("pl");
    for n in 0..=1_000_000 {
        assert_eq!(words(&languages, &code, Saying::Number(n)), polish(n), "{n}");
    }
    assert_eq!(words(&languages, &code, Saying::Number(22_012)), "dwadzieścia dwa tysiące dwanaście");
    assert_eq!(words(&languages, &code, Saying::Number(112_000)), "sto dwanaście tysięcy");
}

#[test]
fn polish_with_genders() {
    let languages = with_polish();
    let code = code("pl");
    for count in 2..=20_000 {
        let verb = polish_form(count, ["", "Są tu", "Jest tu"]);
        let noun = polish_form(count, ["", "osoby", "osób"]);
        let expected = format!("{verb} {} {noun}", polish_feminine(count));
        assert_eq!(words(&languages, &code, Saying::Participants { count }), expected, "{count}");
    }
    assert_eq!(
        words(&languages, &code, Saying::Participants { count: 21 }),
        "Jest tu dwadzieścia jeden osób"
    );
    assert_eq!(words(&languages, &code, Saying::Participants { count: 22 }), "Są tu dwadzieścia dwie osoby");
    assert_eq!(words(&languages, &code, Saying::Participants { count: 1 }), "Nikogo innego tu nie ma.");
}
