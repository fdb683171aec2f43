//! All languages of an installation: the built-in ones and those of a folder.

use crate::language::{Audio, Language, Parts, Sound, code_of, joined, read_table};
use crate::pattern::is_name;
use crate::piece::{PAUSE_MS, Piece, Spoken};
use crate::saying::Saying;
use plenary_model::LanguageCode;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A language's table, its texts, and its clips by name.
type BuiltIn = (&'static str, &'static str, &'static [(&'static str, &'static [u8])]);

mod built_in {
    include!(concat!(env!("OUT_DIR"), "/built_in.rs"));
}

/// The name by which the music on hold is played, like a prompt.
pub const MUSIC_ON_HOLD_NAME: &str = "music.hold";

/// The music on hold: FLAC, 12 kHz, 53 s that end where they begin, at -27 LUFS.
pub const MUSIC_ON_HOLD: &[u8] = include_bytes!("../music/hold.flac");

/// The largest audio file of a prompt, in bytes.
pub const MAX_AUDIO_BYTES: u64 = 4 * 1024 * 1024;
/// The most audio of one language, in bytes: it is kept in memory.
pub const MAX_LANGUAGE_BYTES: u64 = 64 * 1024 * 1024;
/// The largest table or list of texts, in bytes.
pub const MAX_TABLE_BYTES: u64 = 1024 * 1024;

/// The endings of audio files. What is in them is for the media plane to find out.
pub const AUDIO_ENDINGS: [&str; 6] = ["flac", "wav", "ogg", "opus", "oga", "mp3"];

/// A language that could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LanguageError {
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What is in it is wrong.
    #[error("{}: {problem}", folder.display())]
    Wrong {
        /// The language's folder.
        folder: PathBuf,
        /// What, and what is allowed.
        problem: String,
    },
}

/// The languages of an installation.
#[derive(Debug, Clone)]
pub struct Languages {
    by_code: BTreeMap<LanguageCode, Language>,
}

impl Default for Languages {
    fn default() -> Self {
        Self::built_in()
    }
}

impl Languages {
    /// The languages that are part of the program: English, as in the United States (`en`) and in Britain (`en-GB`).
    #[must_use]
    pub fn built_in() -> Self {
        let mut problems = Vec::new();
        Self::of(built_in_layers(), &mut problems)
    }

    /// The built-in languages and those in the folders of `folder`. A folder that is wrong is left out and reported; the rest is there.
    ///
    /// A language with the code of another replaces what it has of it, clip by clip and sentence by sentence, so that single
    /// prompts of the built-in English can be recorded anew. Languages that extend it follow.
    #[must_use]
    pub fn load(folder: &Path) -> (Self, Vec<LanguageError>) {
        let mut problems = Vec::new();
        let mut layers = built_in_layers();
        match folders_in(folder) {
            Ok(folders) => {
                for folder in folders {
                    match read_parts(&folder) {
                        Ok(parts) => layers.push((folder, parts)),
                        Err(problem) => problems.push(problem),
                    }
                }
            }
            Err(problem) => problems.push(problem),
        }
        (Self::of(layers, &mut problems), problems)
    }

    /// Puts the layers together: all of one code, in their order, before the languages that extend it.
    fn of(layers: Vec<(PathBuf, Parts)>, problems: &mut Vec<LanguageError>) -> Self {
        let mut waiting: BTreeMap<LanguageCode, Vec<Layer>> = BTreeMap::new();
        for (folder, parts) in layers {
            match Layer::new(folder, parts) {
                Ok((code, layer)) => waiting.entry(code).or_default().push(layer),
                Err(problem) => problems.push(problem),
            }
        }
        let mut languages = Self { by_code: BTreeMap::new() };
        loop {
            let ready = waiting.iter().find(|(_, layers)| {
                layers
                    .iter()
                    .filter_map(|layer| layer.extends.as_ref())
                    .all(|code| languages.by_code.contains_key(code))
            });
            let Some(code) = ready.map(|(code, _)| code.clone()) else { break };
            for layer in waiting.remove(&code).unwrap_or_default() {
                languages.add(&code, layer, problems);
            }
        }
        // What is left extends a language that is not there, or goes in a circle.
        for layer in waiting.into_values().flatten() {
            let known: Vec<_> = languages.by_code.keys().map(LanguageCode::as_str).collect();
            let extends = layer.extends.as_ref().map_or("another layer's", LanguageCode::as_str);
            let problem = format!(
                "language.toml: `extends`: the language `{extends}` is not there; there are {}",
                known.join(", ")
            );
            problems.push(LanguageError::Wrong { folder: layer.folder, problem });
        }
        languages
    }

    fn add(&mut self, code: &LanguageCode, layer: Layer, problems: &mut Vec<LanguageError>) {
        let earlier = self.by_code.get(code);
        let base = earlier.or_else(|| layer.extends.as_ref().and_then(|extends| self.by_code.get(extends)));
        match Language::new(layer.parts, base) {
            Ok(language) => {
                self.by_code.insert(code.clone(), language);
            }
            Err(problem) => problems.push(LanguageError::Wrong { folder: layer.folder, problem }),
        }
    }

    /// All languages.
    pub fn iter(&self) -> impl Iterator<Item = &Language> {
        self.by_code.values()
    }

    /// The language of that code, or without its last parts (`pl` for `pl-PL`).
    #[must_use]
    pub fn get(&self, code: &LanguageCode) -> Option<&Language> {
        self.by_code.get(code).or_else(|| self.get(&code.parent()?))
    }

    fn english(&self) -> &Language {
        // It is built in, and nothing takes languages away.
        &self.by_code[&LanguageCode::english()]
    }

    /// The audio of a clip, by the names in a [`Piece::Clip`].
    #[must_use]
    pub fn audio(&self, language: &LanguageCode, name: &str) -> Option<&[u8]> {
        self.get(language)?.audio(name)
    }

    /// What is to be played for some sayings, one after the other. What the language lacks is said in English, sentence by sentence, and listed.
    #[must_use]
    pub fn say(&self, language: &LanguageCode, sayings: &[Saying]) -> Spoken {
        let english = self.english();
        let asked = self.get(language);
        let mut missing = BTreeSet::new();
        if asked.is_none() {
            missing.insert(format!("language {language}"));
        }
        let mut pieces: Vec<Piece> = Vec::new();
        for saying in sayings {
            let said = asked.and_then(|asked| said(asked, saying, &mut missing));
            let said = said.or_else(|| said_anyway(english, saying, &mut missing));
            let Some(said) = said.filter(|said| !said.is_empty()) else { continue };
            if !pieces.is_empty() {
                pieces.push(Piece::Silence { ms: PAUSE_MS });
            }
            pieces.extend(said);
        }
        Spoken { pieces, missing: missing.into_iter().collect() }
    }

    /// The words of some pieces, for logs and captions: names are written as `(name)`.
    #[must_use]
    pub fn text(&self, pieces: &[Piece]) -> String {
        let words = pieces.iter().filter_map(|piece| match piece {
            Piece::Clip { language, name } => {
                Some(self.get(language).and_then(|language| language.text(name)).unwrap_or(name))
            }
            Piece::Name(_) => Some("(name)"),
            Piece::Silence { .. } => None,
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// One folder of a language, or one that is part of the program.
struct Layer {
    folder: PathBuf,
    extends: Option<LanguageCode>,
    parts: Parts,
}

impl Layer {
    fn new(folder: PathBuf, parts: Parts) -> Result<(LanguageCode, Self), LanguageError> {
        let codes = read_table(&parts.table).and_then(|table| {
            let code = code_of(&table, "code")?
                .ok_or("language.toml: `code` is missing, such as `code = \"pl\"`")?;
            let extends = code_of(&table, "extends")?;
            if extends.as_ref() == Some(&code) {
                return Err("language.toml: `extends` names the language itself".to_owned());
            }
            Ok((code, extends))
        });
        match codes {
            Ok((code, extends)) => Ok((code, Self { folder, extends, parts })),
            Err(problem) => Err(LanguageError::Wrong { folder, problem }),
        }
    }
}

fn built_in_layers() -> Vec<(PathBuf, Parts)> {
    let layer = |(table, texts, clips): &BuiltIn| {
        let clips = clips.iter().map(|(name, bytes)| ((*name).to_owned(), Audio::BuiltIn(bytes))).collect();
        let parts = Parts { table: (*table).to_owned(), texts: (*texts).to_owned(), clips };
        (PathBuf::from("(built in)"), parts)
    };
    built_in::LANGUAGES.iter().map(layer).collect()
}

/// A saying in a language that has all of it.
fn said(language: &Language, saying: &Saying, missing: &mut BTreeSet<String>) -> Option<Vec<Piece>> {
    match language.compose(saying) {
        Ok(sounds) => {
            let lacking: Vec<_> = sounds
                .iter()
                .filter_map(|sound| match sound {
                    Sound::Clip(name) if language.clip(name).is_none() => Some(name.clone()),
                    Sound::Clip(_) | Sound::Pause(_) | Sound::Name(_) => None,
                })
                .collect();
            if lacking.is_empty() {
                return Some(pieces(language, sounds));
            }
            missing.extend(lacking);
            None
        }
        Err(rule) => {
            missing.insert(rule);
            None
        }
    }
}

/// A saying with whatever clips are there.
fn said_anyway(language: &Language, saying: &Saying, missing: &mut BTreeSet<String>) -> Option<Vec<Piece>> {
    if let Some(pieces) = said(language, saying, missing) {
        return Some(pieces);
    }
    let mut sounds = language.compose(saying).ok()?;
    sounds.retain(|sound| !matches!(sound, Sound::Clip(name) if language.clip(name).is_none()));
    Some(pieces(language, sounds))
}

fn pieces(language: &Language, sounds: Vec<Sound>) -> Vec<Piece> {
    joined(sounds, |name| {
        let owner = language.clip(&name).unwrap_or_else(|| language.code()).clone();
        Piece::Clip { language: owner, name }
    })
}

fn folders_in(folder: &Path) -> Result<Vec<PathBuf>, LanguageError> {
    let read = |source| LanguageError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // No folder, no further languages.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(read(error)),
    };
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry.map_err(read)?.path();
        if path.is_dir() && !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn read_parts(folder: &Path) -> Result<Parts, LanguageError> {
    let wrong = |problem: String| LanguageError::Wrong { folder: folder.to_owned(), problem };
    let table = read_text(&folder.join("language.toml"))?;
    let texts = folder.join("texts.tsv");
    let texts = if texts.exists() { read_text(&texts)? } else { String::new() };
    let mut clips = BTreeMap::new();
    let audio = folder.join("audio");
    let mut total = 0;
    if audio.is_dir() {
        let read = |source| LanguageError::Read { path: audio.clone(), source };
        let mut paths = fs::read_dir(&audio)
            .map_err(read)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(read)?;
        paths.sort();
        for path in paths {
            let Some((name, _)) = clip_name(&path) else { continue };
            let read = |source| LanguageError::Read { path: path.clone(), source };
            let bytes = fs::metadata(&path).map_err(read)?.len();
            if bytes > MAX_AUDIO_BYTES {
                return Err(wrong(format!(
                    "audio/{} has {bytes} bytes; at most {MAX_AUDIO_BYTES} are allowed",
                    file_name(&path)
                )));
            }
            total += bytes;
            if total > MAX_LANGUAGE_BYTES {
                return Err(wrong(format!(
                    "the audio has more than {MAX_LANGUAGE_BYTES} bytes in all, which is the most"
                )));
            }
            if !is_name(&name) {
                return Err(wrong(format!(
                    "audio/{}: the name of a clip has small letters, figures, `-`, `.` and `_`",
                    file_name(&path)
                )));
            }
            let content = fs::read(&path).map_err(read)?;
            if clips.insert(name.clone(), Audio::Read(content.into())).is_some() {
                return Err(wrong(format!("audio: `{name}` is there twice, with different endings")));
            }
        }
    }
    Ok(Parts { table, texts, clips })
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The name of a clip and the ending, if the file can be audio at all.
fn clip_name(path: &Path) -> Option<(String, String)> {
    let file = file_name(path);
    let (name, ending) = file.rsplit_once('.')?;
    let ending = ending.to_ascii_lowercase();
    (!file.starts_with('.') && AUDIO_ENDINGS.contains(&ending.as_str())).then(|| (name.to_owned(), ending))
}

fn read_text(path: &Path) -> Result<String, LanguageError> {
    let read = |source| LanguageError::Read { path: path.to_owned(), source };
    let bytes = fs::metadata(path).map_err(read)?.len();
    if bytes > MAX_TABLE_BYTES {
        let folder = path.parent().unwrap_or(path).to_owned();
        let problem = format!("{} has {bytes} bytes; at most {MAX_TABLE_BYTES} are allowed", file_name(path));
        return Err(LanguageError::Wrong { folder, problem });
    }
    fs::read_to_string(path).map_err(read)
}
