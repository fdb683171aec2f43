//! Languages in folders: beside the built-in ones, over them, and broken.

mod support;

use plenary_speech::{Languages, NameId, Piece, Prompt, Saying};
use std::fs;
use support::{code, copy_polish, with_polish, words};

fn clip(language: &str, name: &str) -> Piece {
    Piece::Clip { language: code(language), name: name.to_owned() }
}

#[test]
fn pieces_of_a_sentence_are_joined_by_30_ms() {
    let languages = with_polish();
    let spoken = languages.say(&code("en"), &[Saying::StartsIn { seconds: 720 }, Prompt::HoldOn.into()]);
    assert_eq!(
        spoken.pieces,
        [
            clip("en", "entry.starts-in"),
            Piece::Silence { ms: 30 },
            clip("en", "number.12"),
            Piece::Silence { ms: 30 },
            clip("en", "word.minutes"),
            Piece::Silence { ms: 250 },
            clip("en", "hold.on"),
        ]
    );
}

#[test]
fn a_roll_call_has_names_and_those_without() {
    let languages = with_polish();
    let names = vec![NameId("a".into()), NameId("b".into())];
    let text =
        |names: Vec<NameId>, unnamed| words(&languages, &code("en"), Saying::RollCall { names, unnamed });
    assert_eq!(text(names.clone(), 0), "In the conference: (name) (name) That is everyone.");
    assert_eq!(
        text(names.clone(), 1),
        "In the conference: (name) (name) a caller without a name That is everyone."
    );
    assert_eq!(
        text(names, 3),
        "In the conference: (name) (name) three callers without a name That is everyone."
    );
    assert_eq!(text(Vec::new(), 0), "Nobody is in the conference.");
}

#[test]
fn what_a_language_lacks_is_said_in_english_as_a_whole_sentence_and_reported() {
    let languages = with_polish();
    let pl = code("pl");
    // The prompt has no clip.
    let spoken = languages.say(&pl, &[Prompt::HoldOn.into(), Prompt::EntryWelcome.into()]);
    assert_eq!(
        spoken.pieces,
        [clip("en", "hold.on"), Piece::Silence { ms: 250 }, clip("pl", "entry.welcome")]
    );
    assert_eq!(spoken.missing, ["hold.on"]);
    // The sentence is not in the table.
    let spoken = languages.say(&pl, &[Saying::TimeLeft { seconds: 120 }]);
    assert_eq!(languages.text(&spoken.pieces), "The time that is left is two minutes.");
    assert_eq!(spoken.missing, ["[sentences.time-left]"]);
    // A region that is not there is the language; a language that is not there is English.
    assert_eq!(words(&languages, &code("pl-PL"), Prompt::EntryWelcome.into()), "Witamy.");
    let spoken = languages.say(&code("ja"), &[Prompt::EntryWelcome.into()]);
    assert_eq!(
        (languages.text(&spoken.pieces).as_str(), spoken.missing),
        ("Welcome.", vec!["language ja".to_owned()])
    );
}

#[test]
fn single_prompts_of_english_can_be_replaced_and_british_english_follows() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("ours/audio")).unwrap();
    fs::write(folder.path().join("ours/language.toml"), "code = \"en\"").unwrap();
    fs::write(folder.path().join("ours/texts.tsv"), "entry.welcome\tGood day.\n").unwrap();
    fs::write(folder.path().join("ours/audio/entry.welcome.wav"), b"ours").unwrap();
    let (languages, problems) = Languages::load(folder.path());
    assert!(problems.is_empty(), "{problems:?}");
    for language in ["en", "en-GB"] {
        assert_eq!(languages.audio(&code(language), "entry.welcome"), Some(&b"ours"[..]), "{language}");
        assert_eq!(languages.get(&code(language)).unwrap().text("entry.welcome"), Some("Good day."));
        assert_eq!(languages.get(&code(language)).unwrap().text("entry.again"), Some("Please try again."));
    }
}

#[test]
fn britain_says_hash() {
    let languages = with_polish();
    for (language, key) in [("en", "pound"), ("en-GB", "hash")] {
        assert_eq!(
            words(&languages, &code(language), Prompt::EntryPin.into()),
            format!("Please enter your PIN, followed by {key}.")
        );
        assert_eq!(
            words(&languages, &code(language), Saying::Digits("*0#x".into())),
            format!("star zero {key}")
        );
    }
}

#[test]
fn a_broken_folder_is_reported_by_what_is_wrong_and_keeps_no_other_out() {
    let folder = tempfile::tempdir().unwrap();
    copy_polish(&folder.path().join("pl"));
    for (name, table, texts) in [
        ("a", "code = ", ""),
        ("b", "name = \"b\"", ""),
        ("c", "code = \"../x\"", ""),
        ("d", "code = \"dd\"\nextends = \"xx\"", ""),
        ("e", "code = \"ee\"\nextends = \"ee\"", ""),
        ("f", "code = \"ff\"\n[sentences]\nstarts = \"a\"", ""),
        ("g", "code = \"gg\"", "one two"),
        ("h", "code = \"hh\"", "a\tA\na\tB"),
        ("i", "code = \"ii\"\nextends = \"jj\"", ""),
        ("j", "code = \"jj\"\nextends = \"ii\"", ""),
    ] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("language.toml"), table).unwrap();
        fs::write(folder.path().join(name).join("texts.tsv"), texts).unwrap();
    }
    fs::create_dir_all(folder.path().join("k")).unwrap();
    let (languages, problems) = Languages::load(folder.path());
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    for words in [
        "/a: language.toml:",
        "/b: language.toml: `code` is missing",
        "/c: language.toml: `code`: `../x` is no language code",
        "/d: language.toml: `extends`: the language `xx` is not there",
        "/e: language.toml: `extends` names the language itself",
        "/f: language.toml: [sentences] `starts` is unknown here",
        "/g: texts.tsv: line 1 has no tab",
        "/h: texts.tsv: line 2 has a name that an earlier line has",
        "/i: language.toml: `extends`: the language `jj` is not there",
        "/j: language.toml: `extends`: the language `ii` is not there",
        "/k/language.toml",
    ] {
        assert!(problems.iter().any(|problem| problem.contains(words)), "{words}: {problems:#?}");
    }
    assert_eq!(problems.len(), 11, "{problems:#?}");
    assert_eq!(words(&languages, &code("pl"), Prompt::EntryWelcome.into()), "Witamy.");
}

#[test]
fn no_folder_is_no_fault() {
    let (languages, problems) = Languages::load(std::path::Path::new("/nowhere/at/all"));
    assert!(problems.is_empty());
    assert_eq!(
        languages.iter().map(|language| language.code().as_str()).collect::<Vec<_>>(),
        ["en", "en-GB"]
    );
}

#[test]
fn a_clip_that_is_too_large_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    copy_polish(&folder.path().join("pl"));
    let file = fs::File::create(folder.path().join("pl/audio/number.1.flac")).unwrap();
    file.set_len(4 * 1024 * 1024 + 1).unwrap();
    let (_, problems) = Languages::load(folder.path());
    assert!(
        problems[0].to_string().contains("audio/number.1.flac has 4194305 bytes; at most 4194304"),
        "{problems:?}"
    );
}
