//! Sounds of accounts: stored in pieces, found whole, replaced in one step, and no more of them than allowed.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_model::{AccountId, StoredMedia};
use plenary_store::{Change, ChangeError, Changed, MediaError, NewMedia, Store};
use support::Database;

on_both![
    a_sound_is_found_whole_until_it_is_replaced_or_deleted,
    an_account_has_no_more_than_it_may_have,
    of_two_uploads_of_one_version_one_is_kept,
    a_reader_gets_one_version_whole_while_a_sound_is_replaced,
    an_upload_that_was_given_up_is_deleted,
];

const MIB: usize = 1024 * 1024;

async fn bob(store: &Store) -> AccountId {
    store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id
}

fn audio(bytes: usize, seed: u8) -> Vec<u8> {
    (0..bytes).map(|place| (place % 251) as u8 ^ seed).collect()
}

async fn new(store: &Store, audio: &[u8]) -> NewMedia {
    let upload = store.upload_media(audio).await.unwrap();
    NewMedia { upload, format: "flac".into(), duration_ms: 1234, account_bytes_max: 5 * MIB as u64 }
}

async fn read(store: &Store, account: AccountId, name: &str) -> Option<Vec<u8>> {
    store.media_audio(account, name, None).await.unwrap().map(|(_, audio)| audio.unwrap())
}

async fn a_sound_is_found_whole_until_it_is_replaced_or_deleted(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    let eve = store.create_account_login("3-4-5/eve@example.com").await.unwrap().0.id;
    for (name, bytes) in [("one", 1), ("whole", MIB), ("more", MIB + 1)] {
        let media = new(&store, &audio(bytes, 7)).await;
        let put = store.put_media(bob, name, media).await;
        assert!(matches!(put, Ok(Changed::Created(_))), "{put:?}");
        assert!(read(&store, bob, name).await == Some(audio(bytes, 7)), "{name}");
        assert_eq!(read(&store, eve, name).await, None);
    }
    let first = store.media(bob, "one").await.unwrap().unwrap();
    assert_eq!((first.format.as_str(), first.bytes, first.duration_ms), ("flac", 1, 1234));
    // What is known is not read again.
    let known = store.media_audio(bob, "one", Some(first.version)).await.unwrap().unwrap();
    assert_eq!(known, (first.clone(), None));
    let media = new(&store, &[9]).await;
    let put = store.put_media(bob, "one", media).await;
    assert!(matches!(put, Ok(Changed::Replaced(_))), "{put:?}");
    let (second, bytes) = store.media_audio(bob, "one", Some(first.version)).await.unwrap().unwrap();
    assert_eq!(bytes.as_deref(), Some(&[9][..]));
    assert!(second.version != first.version && second.updated_at > first.updated_at);
    assert_eq!(second.created_at, first.created_at);

    let names = |list: Vec<StoredMedia>| list.into_iter().map(|media| media.name).collect::<Vec<_>>();
    assert_eq!(names(store.media_after(bob, None, 10).await.unwrap()), ["more", "one", "whole"]);
    assert_eq!(names(store.media_after(bob, Some("more"), 1).await.unwrap()), ["one"]);
    for name in ["one", "more", "whole"] {
        let deleted = store.change_media(bob, name, |_| Ok::<_, MediaError>(Change::Delete)).await;
        assert!(matches!(deleted, Ok(Changed::Deleted)), "{deleted:?}");
        assert_eq!(read(&store, bob, name).await, None);
    }
}

async fn an_account_has_no_more_than_it_may_have(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    let four = audio(4 * MIB, 1);
    store.put_media(bob, "a", new(&store, &four).await).await.unwrap();
    let refused = store.put_media(bob, "b", new(&store, &audio(2 * MIB, 2)).await).await;
    let Err(MediaError::Full { most, others, bytes }) = refused else { panic!("{refused:?}") };
    assert_eq!((most, others, bytes), (5 * MIB as u64, 4 * MIB as u64, 2 * MIB as u64));
    assert_eq!(store.media(bob, "b").await.unwrap(), None);
    // In the place of another one it has room.
    store.put_media(bob, "a", new(&store, &audio(5 * MIB, 3)).await).await.unwrap();
    let name = store.put_media(bob, "a/b", new(&store, &[1]).await).await;
    assert!(matches!(&name, Err(MediaError::Invalid(errors)) if errors[0].pointer == "/name"), "{name:?}");
}

async fn of_two_uploads_of_one_version_one_is_kept(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    store.put_media(bob, "a", new(&store, &[1]).await).await.unwrap();
    let seen = store.media(bob, "a").await.unwrap().unwrap().version;
    for (number, is_first) in [(2, true), (3, false)] {
        let media = new(&store, &[number]).await;
        let decide = |before: Option<&StoredMedia>| match before {
            Some(before) if before.version == seen => Ok(Change::Put(media)),
            _ => Err("changed meanwhile"),
        };
        match store.change_media(bob, "a", decide).await {
            Ok(Changed::Replaced(_)) => assert!(is_first),
            Err(ChangeError::Refused(_)) => assert!(!is_first),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(read(&store, bob, "a").await, Some(vec![2]));
}

async fn a_reader_gets_one_version_whole_while_a_sound_is_replaced(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    store.put_media(bob, "a", new(&store, &audio(2 * MIB, 0)).await).await.unwrap();
    let writer = {
        let store = store.clone();
        tokio::spawn(async move {
            for seed in 1..=5 {
                let media = new(&store, &audio(2 * MIB, seed)).await;
                store.put_media(bob, "a", media).await.unwrap();
            }
        })
    };
    while !writer.is_finished() {
        let found = read(&store, bob, "a").await.unwrap();
        assert!(found == audio(2 * MIB, found[0]), "whole");
    }
    writer.await.unwrap();
}

async fn an_upload_that_was_given_up_is_deleted(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    store.put_media(bob, "a", new(&store, &audio(MIB + 1, 0)).await).await.unwrap();
    let given_up = store.upload_media(&audio(MIB + 1, 1)).await.unwrap();
    let discarded = store.upload_media(&[1]).await.unwrap();
    store.discard_media(discarded).await;
    database.execute("UPDATE media_pieces SET created_at = 0").await;
    store.put_media(bob, "b", new(&store, &[2]).await).await.unwrap();
    assert!(read(&store, bob, "a").await.is_some(), "what is old and has a name stays");
    let media =
        NewMedia { upload: given_up, format: "wav".into(), duration_ms: 1, account_bytes_max: u64::MAX };
    store.put_media(bob, "c", media).await.unwrap();
    let gone = store.media_audio(bob, "c", None).await;
    assert!(gone.is_err(), "{gone:?}");
}
