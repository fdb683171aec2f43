//! Sounds to play: files of the media folder, prompts and sounds of accounts, decoded once, outside of the media workers.

use crate::{Clip, RecordingId, room::LoadedClip};
use plenary_audio::{codec::Rate, tone};
use plenary_model::{AccountId, LanguageCode};
use plenary_sounds::{Limits, Longer, Recording, SoundError};
use std::{
    collections::HashMap,
    fmt,
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};
use tracing::warn;

/// The highest frequency of a tone, in Hz.
const TONE_HZ_MAX: u32 = 3999;
/// Capacity of a cache: eight minutes of wideband audio, twice that of narrowband. What was not used for longest makes room.
const CACHE_SAMPLES_MAX: usize = 8_000_000;

/// Where the bytes of sounds come from that are not files of the media folder.
pub trait SoundSource: fmt::Debug + Send + Sync {
    /// The file of what is said in this language under this name; `None`: there is none. Whether another language
    /// stands in is decided here.
    fn prompt(&self, language: &str, name: &str) -> Option<&[u8]>;

    /// A file of an account. `known` is the version that is kept decoded. Asked on the reader thread, which may wait; other files
    /// and sounds of accounts wait with it, and prompts do not.
    ///
    /// # Errors
    /// It cannot be read now, with the reason for the operator.
    fn account_sound(
        &self,
        account: AccountId,
        name: &str,
        known: Option<u64>,
    ) -> Result<StoredSound, String>;
}

/// What an account has under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredSound {
    /// Nothing.
    Missing,
    /// The version that is known.
    Unchanged,
    /// Another version.
    Changed {
        /// Differs whenever the bytes do.
        version: u64,
        /// The file.
        bytes: Vec<u8>,
    },
}

/// No prompts, and no account has sounds.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSounds;

impl SoundSource for NoSounds {
    fn prompt(&self, _language: &str, _name: &str) -> Option<&[u8]> {
        None
    }

    fn account_sound(
        &self,
        _account: AccountId,
        _name: &str,
        _known: Option<u64>,
    ) -> Result<StoredSound, String> {
        Ok(StoredSound::Missing)
    }
}

/// Why a file cannot be played.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("is not a plain name inside the media folder")]
    Name,
    #[error(transparent)]
    Sound(#[from] SoundError),
}

/// Decodes sounds and caches them.
#[derive(Debug)]
pub(crate) struct Library {
    folder: PathBuf,
    limits: Limits,
    source: Arc<dyn SoundSource>,
    kept: HashMap<Name, Kept>,
    /// Counts uses.
    uses: u64,
    /// What participants said: each at most 4 s, at 16 kHz.
    recordings: HashMap<RecordingId, Arc<[i16]>>,
    beep: Arc<[i16]>,
}

/// What is cached under which name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    File(String),
    Prompt { language: String, name: String },
    Account { account: AccountId, name: String },
}

/// What distinguishes one version of a sound from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// It is built in.
    Only,
    File {
        modified: Option<SystemTime>,
        bytes: u64,
    },
    Stored(u64),
}

/// A decoded sound.
#[derive(Debug)]
struct Kept {
    version: Version,
    rate: Rate,
    samples: Arc<[i16]>,
    used: u64,
}

impl Library {
    /// Files longer than `seconds_max` are cut.
    pub(crate) fn new(folder: PathBuf, seconds_max: u32, source: Arc<dyn SoundSource>) -> Self {
        let beep = tone::beep(Rate::Narrow.hz()).into();
        let limits = Limits { bytes_max: u64::MAX, seconds_max, longer: Longer::Cut };
        Self { folder, limits, source, kept: HashMap::new(), uses: 0, recordings: HashMap::new(), beep }
    }

    /// Prepares an item for playback.
    pub(crate) fn clip(&mut self, item: Clip) -> Result<LoadedClip, String> {
        match item {
            Clip::File(name) => match self.file(&name) {
                Ok(clip) => Ok(clip),
                Err(error) => Err(format!("the file `{name}` {error}")),
            },
            Clip::Prompt { language, name } => self.prompt(language, name),
            Clip::AccountSound { account, name } => self.account_sound(account, name),
            Clip::Recorded(id) => match self.recordings.get(&id) {
                Some(samples) => Ok(LoadedClip::Samples(Rate::Wide, Arc::clone(samples))),
                None => Err(format!("there is no recording {}", id.0)),
            },
            Clip::Tone { hz, ms } if (1..=TONE_HZ_MAX).contains(&hz) => Ok(LoadedClip::Tone { hz, ms }),
            Clip::Tone { hz, .. } => Err(format!("a tone of {hz} Hz: 1 to {TONE_HZ_MAX} Hz are allowed")),
            Clip::Silence { ms } => Ok(LoadedClip::Silence { ms }),
            Clip::Beep => Ok(LoadedClip::Beep(Rate::Narrow, Arc::clone(&self.beep))),
        }
    }

    /// Keeps what a participant said, at [`Rate::Wide`].
    pub(crate) fn keep_recording(&mut self, id: RecordingId, samples: Vec<i16>) {
        self.recordings.insert(id, samples.into());
    }

    pub(crate) fn forget_recording(&mut self, id: RecordingId) {
        self.recordings.remove(&id);
    }

    fn file(&mut self, name: &str) -> Result<LoadedClip, FileError> {
        let path = Path::new(name);
        let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        if name.is_empty() || !is_plain {
            return Err(FileError::Name);
        }
        let path = self.folder.join(path);
        let about = std::fs::metadata(&path).map_err(SoundError::Read)?;
        let version = Version::File { modified: about.modified().ok(), bytes: about.len() };
        let name = Name::File(name.to_owned());
        if self.kept.get(&name).is_some_and(|kept| kept.version == version)
            && let Some(clip) = self.kept_clip(&name)
        {
            return Ok(clip);
        }
        let recording = plenary_sounds::read_file(&path, &self.limits)?;
        Ok(self.keep(name, version, recording))
    }

    fn prompt(&mut self, language: String, name: String) -> Result<LoadedClip, String> {
        let key = Name::Prompt { language: language.clone(), name: name.clone() };
        if let Some(clip) = self.kept_clip(&key) {
            return Ok(clip);
        }
        let source = Arc::clone(&self.source);
        let read = |language: &str| {
            let bytes = source.prompt(language, &name);
            let bytes = bytes.ok_or_else(|| format!("there is no prompt `{name}` in `{language}`"))?;
            plenary_sounds::read(bytes, &self.limits)
                .map_err(|error| format!("the prompt `{name}` in `{language}` {error}"))
        };
        let english = LanguageCode::english();
        let recording = read(&language).or_else(|text| match language == english.as_str() {
            true => Err(text),
            false => {
                // Told once: what is said instead is kept.
                warn!(%text, "said in English");
                read(english.as_str())
            }
        })?;
        Ok(self.keep(key, Version::Only, recording))
    }

    fn account_sound(&mut self, account: AccountId, name: String) -> Result<LoadedClip, String> {
        let key = Name::Account { account, name: name.clone() };
        let known = self.kept.get(&key).and_then(|kept| match kept.version {
            Version::Stored(version) => Some(version),
            Version::Only | Version::File { .. } => None,
        });
        let said = self.source.account_sound(account, &name, known);
        match said.map_err(|error| format!("the sound `{name}` cannot be read: {error}"))? {
            StoredSound::Missing => {
                self.kept.remove(&key);
                Err(format!("the account has no sound `{name}`"))
            }
            StoredSound::Unchanged => self.kept_clip(&key).ok_or_else(|| {
                format!("the sound `{name}` cannot be read: its source has said nothing of it")
            }),
            StoredSound::Changed { version, bytes } => {
                let recording = plenary_sounds::read(&bytes, &self.limits)
                    .map_err(|error| format!("the sound `{name}` {error}"))?;
                Ok(self.keep(key, Version::Stored(version), recording))
            }
        }
    }

    fn kept_clip(&mut self, name: &Name) -> Option<LoadedClip> {
        self.uses += 1;
        let kept = self.kept.get_mut(name)?;
        kept.used = self.uses;
        Some(LoadedClip::Samples(kept.rate, Arc::clone(&kept.samples)))
    }

    fn keep(&mut self, name: Name, version: Version, recording: Recording) -> LoadedClip {
        let samples: Arc<[i16]> = recording.samples.into();
        let clip = LoadedClip::Samples(recording.rate, Arc::clone(&samples));
        self.kept.remove(&name);
        let mut held: usize = self.kept.values().map(|kept| kept.samples.len()).sum();
        while held + samples.len() > CACHE_SAMPLES_MAX
            && let Some(oldest) =
                self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(name, _)| name.clone())
        {
            held -= self.kept.remove(&oldest).map_or(0, |kept| kept.samples.len());
        }
        self.uses += 1;
        self.kept.insert(name, Kept { version, rate: recording.rate, samples, used: self.uses });
        clip
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hound::{SampleFormat, WavSpec, WavWriter};
    use std::{io::Cursor, sync::Mutex};

    fn library(folder: &Path, seconds_max: u32) -> Library {
        Library::new(folder.to_owned(), seconds_max, Arc::new(NoSounds))
    }

    /// A ramp of two seconds, of two channels.
    fn wav(rate: u32) -> Vec<u8> {
        let spec =
            WavSpec { channels: 2, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let mut bytes = Cursor::new(Vec::new());
        let mut wav = WavWriter::new(&mut bytes, spec).expect("a new file");
        (0..rate * 4).for_each(|place| wav.write_sample((place % 100) as i16).expect("written"));
        wav.finalize().expect("written");
        bytes.into_inner()
    }

    fn samples(library: &mut Library, item: Clip) -> (Rate, Arc<[i16]>) {
        match library.clip(item).expect("it can be played") {
            LoadedClip::Samples(rate, samples) => (rate, samples),
            other => panic!("{other:?}"),
        }
    }

    fn file(name: &str) -> Clip {
        Clip::File(name.to_owned())
    }

    #[test]
    fn long_files_are_cut_and_read_once_until_they_change() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.wav"), wav(8000)).expect("written");
        let mut library = library(folder.path(), 1);
        let (rate, first) = samples(&mut library, file("a.wav"));
        assert_eq!((rate, first.len()), (Rate::Narrow, 8000));
        assert!(Arc::ptr_eq(&first, &samples(&mut library, file("a.wav")).1));
        std::fs::write(folder.path().join("a.wav"), wav(16_000)).expect("written");
        let (rate, second) = samples(&mut library, file("a.wav"));
        assert_eq!((rate, second.len()), (Rate::Wide, 16_000));
    }

    #[test]
    fn an_item_that_cannot_be_played_gives_the_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("text.wav"), "not audio").expect("written");
        let mut library = library(folder.path(), 10);
        let mut why = |item| library.clip(item).expect_err("it cannot be played");
        assert!(why(file("missing.wav")).contains("`missing.wav` cannot be read"));
        assert!(why(file("text.wav")).contains("`text.wav` is no audio file"));
        for outside in ["../a.wav", "/etc/passwd", "", "a/../../b.wav"] {
            assert!(why(file(outside)).contains("not a plain name"), "{outside}");
        }
        assert!(why(Clip::Tone { hz: 4000, ms: 10 }).contains("1 to 3999 Hz"));
        let prompt = Clip::Prompt { language: "en".to_owned(), name: "pin".to_owned() };
        assert_eq!(why(prompt), "there is no prompt `pin` in `en`");
        let sound = Clip::AccountSound { account: AccountId(7), name: "hello".to_owned() };
        assert_eq!(why(sound), "the account has no sound `hello`");
    }

    /// One account's sound, which its owner may replace, and the versions that were known when it was asked for.
    #[derive(Debug)]
    struct Sounds {
        stored: Mutex<Option<(u64, Vec<u8>)>>,
        known: Mutex<Vec<Option<u64>>>,
        prompt: &'static [u8],
    }

    impl SoundSource for Sounds {
        fn prompt(&self, language: &str, name: &str) -> Option<&[u8]> {
            match (language, name) {
                ("en", "pin") => Some(self.prompt),
                ("pl", "pin") => Some(b"broken"),
                _ => None,
            }
        }

        fn account_sound(
            &self,
            account: AccountId,
            name: &str,
            known: Option<u64>,
        ) -> Result<StoredSound, String> {
            assert_eq!((account, name), (AccountId(7), "hello"));
            self.known.lock().unwrap().push(known);
            Ok(match &*self.stored.lock().unwrap() {
                None => StoredSound::Missing,
                Some((version, _)) if known == Some(*version) => StoredSound::Unchanged,
                Some((version, bytes)) => StoredSound::Changed { version: *version, bytes: bytes.clone() },
            })
        }
    }

    #[test]
    fn prompts_and_account_sounds_come_from_their_source_and_are_decoded_once_a_version() {
        let source = Arc::new(Sounds {
            stored: Mutex::new(Some((1, wav(8000)))),
            known: Mutex::default(),
            prompt: wav(16_000).leak(),
        });
        let mut library = Library::new(PathBuf::new(), 600, source.clone());
        let prompt = || Clip::Prompt { language: "en".to_owned(), name: "pin".to_owned() };
        let (rate, first) = samples(&mut library, prompt());
        assert_eq!((rate, first.len()), (Rate::Wide, 32_000));
        assert!(Arc::ptr_eq(&first, &samples(&mut library, prompt()).1));
        // One whose file is broken is said in English.
        let polish = Clip::Prompt { language: "pl".to_owned(), name: "pin".to_owned() };
        assert_eq!(samples(&mut library, polish).1, first);

        let sound = || Clip::AccountSound { account: AccountId(7), name: "hello".to_owned() };
        let (rate, first) = samples(&mut library, sound());
        assert_eq!((rate, first.len()), (Rate::Narrow, 16_000));
        assert!(Arc::ptr_eq(&first, &samples(&mut library, sound()).1));
        *source.stored.lock().unwrap() = Some((2, wav(48_000)));
        let (rate, second) = samples(&mut library, sound());
        assert_eq!((rate, second.len()), (Rate::Full, 96_000));
        assert_eq!(first.len(), 16_000, "what plays goes on as it was");
        *source.stored.lock().unwrap() = Some((3, b"broken".to_vec()));
        assert!(library.clip(sound()).expect_err("broken").contains("`hello` is no audio file"));
        *source.stored.lock().unwrap() = None;
        assert_eq!(library.clip(sound()).expect_err("gone"), "the account has no sound `hello`");
        assert_eq!(*source.known.lock().unwrap(), [None, Some(1), Some(1), Some(2), Some(2)]);
    }
}
