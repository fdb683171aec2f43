//! Recordings: written down when they begin and when they end, found by their ids, which sort by time.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_model::{
    AccountId, Actor, AuditEntry, ConferenceName, ConferenceRecordingId, EventKind, RecordedTrack,
    RecordedTracks, RecordingEnd, RecordingFormat, RecordingManifest, RecordingSettings, RecordingState,
    Timestamp, TranscriptState,
};
use plenary_store::{Account, AccountSettings, AuditQuery, Doing, RecordingsQuery, Store};
use std::{collections::BTreeSet, convert::Infallible, sync::Arc};
use support::Database;

on_both![
    a_recording_is_written_when_it_begins_and_when_it_ends,
    lists_go_from_the_latest_back_and_by_conference,
    what_was_kept_long_enough_is_found_and_what_is_deleted_is_gone,
    what_is_changed_of_a_recording_that_is_deleted_does_not_bring_it_back,
    a_deletion_its_event_its_entry_and_the_note_to_delete_the_files_are_one_transaction,
    names_are_taken_out_of_a_recording_with_the_entry_of_who_has_asked_for_it,
];

async fn bob(store: &Store) -> AccountId {
    store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id
}

fn running(account: AccountId, number: u8, conference: &str) -> RecordingManifest {
    let settings =
        RecordingSettings { tracks: RecordedTracks::Separate, format: RecordingFormat::Wav, announce: true };
    let (id, started_at_ms) = (format!("{number:032x}"), 1000 * i64::from(number));
    RecordingManifest::begun(id, account.0, conference.to_owned(), settings, started_at_ms)
}

fn ended(manifest: &RecordingManifest, ended_at_ms: i64) -> RecordingManifest {
    let track = RecordedTrack {
        number: 1,
        file: "track-1.wav".into(),
        participant_id: Some("ä\0ö".into()),
        offset_ms: 20,
        bytes: 44,
        sha256: Some("ab".repeat(32)),
    };
    RecordingManifest {
        state: RecordingState::Finished,
        ended_at_ms: Some(ended_at_ms),
        end_reason: Some(RecordingEnd::Stopped),
        duration_ms: 5000,
        tracks: vec![track],
        ..manifest.clone()
    }
}

async fn a_recording_is_written_when_it_begins_and_when_it_ends(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    let begun = running(bob, 1, "Board");
    store.write_recording(&begun).await.unwrap();
    assert_eq!(store.recording(bob, &begun.id).await.unwrap(), Some(begun.clone()));
    assert_eq!(store.running_recordings().await.unwrap(), std::slice::from_ref(&begun));
    let over = ended(&begun, 9000);
    store.write_recording(&over).await.unwrap();
    assert_eq!(store.recording(bob, &begun.id).await.unwrap(), Some(over));
    assert!(store.running_recordings().await.unwrap().is_empty());
    let (eve, _) = store.create_account_login("3-4-5/eve@example.com").await.unwrap();
    assert_eq!(store.recording(eve.id, &begun.id).await.unwrap(), None, "it is of another account");
    let nobodys = running(AccountId(4711), 2, "Board");
    store.write_recording(&nobodys).await.unwrap();
    assert_eq!(store.recording(AccountId(4711), &nobodys.id).await.unwrap(), None);
}

async fn lists_go_from_the_latest_back_and_by_conference(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    for number in 1..=5 {
        let conference = if number == 3 { "Tea" } else { "Board" };
        store.write_recording(&running(bob, number, conference)).await.unwrap();
    }
    let list = async |query: RecordingsQuery| {
        let found = store.recordings(bob, &query).await.unwrap();
        found.into_iter().map(|one| one.started_at_ms / 1000).collect::<Vec<_>>()
    };
    let query = RecordingsQuery { limit: 2, ..RecordingsQuery::default() };
    assert_eq!(list(query.clone()).await, [5, 4]);
    assert_eq!(list(RecordingsQuery { before: Some(format!("{:032x}", 4)), ..query.clone() }).await, [3, 2]);
    let of_board = RecordingsQuery { conference: Some("Board".into()), limit: 10, ..query };
    assert_eq!(list(of_board.clone()).await, [5, 4, 2, 1]);
    assert_eq!(list(RecordingsQuery { before: Some(format!("{:032x}", 4)), ..of_board }).await, [2, 1]);
}

async fn what_was_kept_long_enough_is_found_and_what_is_deleted_is_gone(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    let (eve, _) = store.create_account_login("3-4-5/eve@example.com").await.unwrap();
    let day = 86_400_000;
    for (account, number) in [(bob, 1), (bob, 2), (bob, 3), (bob, 4), (eve.id, 5)] {
        let begun = running(account, number, "Board");
        store.write_recording(&begun).await.unwrap();
        if number != 4 {
            store.write_recording(&ended(&begun, day * i64::from(number))).await.unwrap();
        }
    }
    let id = |number: u8| format!("{number:032x}");
    let old = async |now_days: i64, days, after: Option<String>, limit| {
        let now = Timestamp(now_days * day);
        let found = store.recordings_kept_long_enough(now, days, after.as_deref(), limit).await.unwrap();
        found.into_iter().map(|(_, id)| u8::from_str_radix(&id, 16).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(old(13, 10, None, 9).await, [1, 2], "not yet the third, nor one that runs");
    assert_eq!(old(13, 10, None, 1).await, [1]);
    assert_eq!(old(13, 10, Some(id(1)), 9).await, [2]);
    assert_eq!(old(1000, 0, None, 9).await, [0_u8; 0], "for ever");
    let keep = async |account, days| {
        let decide = |account: &Account| {
            Ok::<_, Infallible>(AccountSettings { recording_days: days, ..account.settings })
        };
        store.change_account(account, decide).await.unwrap()
    };
    assert_eq!(keep(bob, Some(1)).await.unwrap().settings.recording_days, Some(1));
    assert_eq!(old(13, 10, None, 9).await, [1, 2, 3], "bob's for a day");
    assert_eq!(old(16, 0, None, 9).await, [1, 2, 3]);
    keep(bob, Some(0)).await.unwrap();
    assert_eq!(old(1000, 10, None, 9).await, [5], "bob's for ever");
    let back = keep(bob, None).await.unwrap();
    assert_eq!((back.id, back.settings.recording_days), (bob, None));
    assert!(keep(AccountId(4711), Some(1)).await.is_none());
    assert!(store.delete_recording(bob, &id(1), None).await.unwrap());
    assert!(!store.delete_recording(bob, &id(1), None).await.unwrap());
    assert_eq!(old(13, 10, None, 9).await, [2]);
    assert_eq!(store.recording(bob, &id(1)).await.unwrap(), None);
}

async fn what_is_changed_of_a_recording_that_is_deleted_does_not_bring_it_back(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    let mut manifest = ended(&running(bob, 1, "Board"), 9000);
    store.write_recording(&manifest).await.unwrap();
    manifest.transcript = Some(TranscriptState::Ready);
    store.update_recording(&manifest).await.unwrap();
    assert_eq!(store.recording(bob, &manifest.id).await.unwrap(), Some(manifest.clone()));
    store.delete_recording(bob, &manifest.id, None).await.unwrap();
    store.update_recording(&manifest).await.unwrap();
    assert_eq!(store.recording(bob, &manifest.id).await.unwrap(), None);
}

/// The entry of a request, as far as it is known before it is answered.
fn asked(account: AccountId, path: &str) -> AuditEntry {
    AuditEntry {
        at: Timestamp(9000),
        account: Some(account),
        actor: "1-2-0/bob@example.com".to_owned(),
        key: Some(7),
        person: None,
        source: None,
        request_id: Some("r1".to_owned()),
        method: "DELETE".to_owned(),
        path: path.to_owned(),
        status: None,
        before: None,
        after: None,
        request: None,
    }
}

async fn names_are_taken_out_of_a_recording_with_the_entry_of_who_has_asked_for_it(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    let manifest = ended(&running(bob, 1, "Board"), 9000);
    store.write_recording(&manifest).await.unwrap();
    let asked = asked(bob, "/v1/personal-data");
    let entries = async || {
        let found = store.audit(&AuditQuery { limit: 10, ..AuditQuery::default() }).await.unwrap();
        found.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>()
    };
    store.update_recording(&manifest).await.unwrap();
    assert_eq!(entries().await, [], "nobody has asked for a transcript");
    let acting = store.acting(Doing { entry: Some(Arc::new(asked.clone())), ..Doing::from(Actor::key(7)) });
    // Before the files change, which no transaction takes back.
    acting.note_doing().await.unwrap();
    assert_eq!(entries().await, std::slice::from_ref(&asked));
    acting.update_recording(&manifest).await.unwrap();
    assert_eq!(entries().await, [asked], "one entry of one request");
}

async fn a_deletion_its_event_its_entry_and_the_note_to_delete_the_files_are_one_transaction(
    database: &Database,
) {
    let store = database.open().await;
    let bob = bob(&store).await;
    for number in [1, 2, 3] {
        let begun = running(bob, number, "Board");
        store.write_recording(&begun).await.unwrap();
        if number != 3 {
            store.write_recording(&ended(&begun, 9000)).await.unwrap();
        }
    }
    let id = |number: u8| format!("{number:032x}");
    let asked = asked(bob, &format!("/v1/recordings/{}", id(1)));
    let doing = Doing { entry: Some(Arc::new(asked.clone())), ..Doing::from(Actor::key(7)) };
    assert!(store.acting(doing).delete_recording(bob, &id(1), None).await.unwrap());
    let pruned = store.acting(Actor::system()).delete_recording(bob, &id(2), Some("too_old")).await;
    assert!(pruned.unwrap());
    assert!(!store.delete_recording(bob, &id(3), None).await.unwrap(), "it runs");
    let known = |numbers: &[u8]| numbers.iter().copied().map(id).collect::<BTreeSet<_>>();
    assert_eq!(store.known_recordings(bob).await.unwrap(), known(&[1, 2, 3]), "also the deleted ones");
    assert_eq!(store.known_recordings(AccountId(4711)).await.unwrap(), known(&[]));
    let told: Vec<_> = store.events_after(bob, 0, 10).await.unwrap();
    let told: Vec<_> = told.iter().map(|event| event.record().unwrap()).collect();
    let expected = |number, actor, reason: Option<&str>| {
        let kind = EventKind::RecordingDeleted { recording_id: ConferenceRecordingId(id(number)) };
        (Some(ConferenceName::new("Board")), actor, reason.map(str::to_owned), kind)
    };
    assert_eq!(
        told.into_iter().map(|one| (one.conference, one.actor, one.reason, one.kind)).collect::<Vec<_>>(),
        [expected(1, Actor::key(7), None), expected(2, Actor::system(), Some("too_old"))]
    );
    let audit = store.audit(&AuditQuery { limit: 10, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(audit.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>(), [asked]);
    let left = store.deleted_recordings(None, 10).await.unwrap();
    assert_eq!(left, [(bob, id(1)), (bob, id(2))], "their files may still be there");
    assert_eq!(store.deleted_recordings(None, 1).await.unwrap(), [(bob, id(1))]);
    assert_eq!(store.deleted_recordings(Some(&id(1)), 10).await.unwrap(), [(bob, id(2))]);
    store.forget_deleted_recording(&id(1)).await.unwrap();
    assert_eq!(store.deleted_recordings(None, 10).await.unwrap(), [(bob, id(2))]);
}
