//! Where the media plane gets prompts and sounds of accounts from.

use plenary_media::{SoundSource, StoredSound};
use plenary_model::{AccountId, LanguageCode};
use plenary_speech::{
    Languages,
    languages::{MUSIC_ON_HOLD, MUSIC_ON_HOLD_NAME},
};
use plenary_store::Store;
use std::{
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    time::Duration,
};
use tokio::runtime::Handle;

/// How long the media plane's reader waits for the database. Other sounds of accounts wait with it.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// Prompts of all languages, and sounds that accounts have uploaded.
#[derive(Debug)]
pub(crate) struct Sounds {
    languages: Arc<Languages>,
    store: Store,
    runtime: Handle,
}

impl Sounds {
    /// `runtime` is where the store works.
    pub(crate) fn new(languages: Arc<Languages>, store: Store, runtime: Handle) -> Self {
        Self { languages, store, runtime }
    }
}

impl SoundSource for Sounds {
    /// In the language, else in English.
    fn prompt(&self, language: &str, name: &str) -> Option<&[u8]> {
        let said = |code: &LanguageCode| self.languages.audio(code, name);
        let own = LanguageCode::new(language).ok().and_then(|code| said(&code));
        own.or_else(|| said(&LanguageCode::english()))
            .or_else(|| (name == MUSIC_ON_HOLD_NAME).then_some(MUSIC_ON_HOLD))
    }

    fn account_sound(
        &self,
        account: AccountId,
        name: &str,
        known: Option<u64>,
    ) -> Result<StoredSound, String> {
        // The reader is no thread of the runtime: it waits on a channel, which also ends when the runtime does.
        let (answer, answered) = mpsc::sync_channel(1);
        let (store, name) = (self.store.clone(), name.to_owned());
        self.runtime.spawn(async move {
            // The reader may have given up.
            let _ = answer.send(store.media_audio(account, &name, known).await);
        });
        match answered.recv_timeout(STORE_TIMEOUT) {
            Ok(Ok(None)) => Ok(StoredSound::Missing),
            Ok(Ok(Some((_, None)))) => Ok(StoredSound::Unchanged),
            Ok(Ok(Some((media, Some(bytes))))) => Ok(StoredSound::Changed { version: media.version, bytes }),
            Ok(Err(error)) => Err(error.to_string()),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("the database has not answered for {} s", STORE_TIMEOUT.as_secs()))
            }
            Err(RecvTimeoutError::Disconnected) => Err("the service is stopping".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plenary_store::NewMedia;

    async fn source(folder: &std::path::Path) -> (Sounds, Store) {
        let store = Store::open(folder).await.unwrap();
        (Sounds::new(Arc::new(Languages::built_in()), store.clone(), Handle::current()), store)
    }

    #[tokio::test]
    async fn a_prompt_that_a_language_lacks_is_in_english() {
        let folder = tempfile::tempdir().unwrap();
        let (sounds, _) = source(folder.path()).await;
        let english = sounds.prompt("en", "entry.pin").unwrap();
        assert!(english.starts_with(b"fLaC"));
        for language in ["en-GB", "pl", "pl-PL", "", "../en"] {
            assert_eq!(sounds.prompt(language, "entry.pin"), Some(english), "{language}");
        }
        assert_eq!(sounds.prompt("en", "no.such.prompt"), None);
        assert_eq!(sounds.prompt("pl", "music.hold"), Some(MUSIC_ON_HOLD));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_sound_is_read_again_only_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (sounds, store) = source(folder.path()).await;
        let account = store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id;
        let sounds = std::sync::Arc::new(sounds);
        let look = async |name: &'static str, known| {
            let sounds = sounds.clone();
            let asked = tokio::task::spawn_blocking(move || sounds.account_sound(account, name, known));
            asked.await.unwrap().unwrap()
        };
        let put = async |bytes: &[u8]| {
            let upload = store.upload_media(bytes).await.unwrap();
            let media =
                NewMedia { upload, format: "wav".into(), duration_ms: 1, account_bytes_max: 1_000_000 };
            store.put_media(account, "hello", media).await.unwrap();
        };
        assert_eq!(look("hello", None).await, StoredSound::Missing);
        put(b"one").await;
        let StoredSound::Changed { version, bytes } = look("hello", None).await else {
            panic!("it is there")
        };
        assert_eq!(bytes, b"one");
        assert_eq!(look("hello", Some(version)).await, StoredSound::Unchanged);
        put(b"two").await;
        let StoredSound::Changed { version: second, bytes } = look("hello", Some(version)).await else {
            panic!("it has changed")
        };
        assert!(bytes == b"two" && second != version);
    }
}
