//! A made-up language in a folder, and what a language says as text.

#![allow(dead_code)] // Each test file uses a part of it.

use plenary_speech::{LanguageCode, Languages, Saying};
use std::path::Path;

/// English from zero to nineteen.
pub(crate) const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];

/// The built-in languages beside the Polish one of the tests, with a clip for every text.
pub(crate) fn with_polish() -> Languages {
    let folder = tempfile::tempdir().unwrap();
    copy_polish(&folder.path().join("pl"));
    // What is said in words is compared here, not what it sounds like.
    let english = folder.path().join("en");
    std::fs::create_dir_all(english.join("audio")).unwrap();
    std::fs::write(english.join("language.toml"), "code = \"en\"").unwrap();
    for (name, _) in Languages::built_in().get(&code("en")).unwrap().texts() {
        std::fs::write(english.join(format!("audio/{name}.flac")), name).unwrap();
    }
    let (languages, problems) = Languages::load(folder.path());
    assert!(problems.is_empty(), "{problems:?}");
    languages
}

/// Writes the Polish folder, with audio for each text.
pub(crate) fn copy_polish(folder: &Path) {
    std::fs::create_dir_all(folder.join("audio")).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/languages/pl");
    for file in ["language.toml", "texts.tsv"] {
        std::fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    for line in std::fs::read_to_string(source.join("texts.tsv")).unwrap().lines() {
        let (name, _) = line.split_once('\t').unwrap();
        std::fs::write(folder.join(format!("audio/{name}.flac")), name).unwrap();
    }
}

/// The words of a saying, in the language asked for and in no other.
pub(crate) fn words(languages: &Languages, code: &LanguageCode, saying: Saying) -> String {
    let spoken = languages.say(code, &[saying]);
    assert_eq!(spoken.missing, Vec::<String>::new());
    languages.text(&spoken.pieces)
}

pub(crate) fn code(text: &str) -> LanguageCode {
    LanguageCode::new(text).unwrap()
}
