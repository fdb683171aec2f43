//! Recordings: written down when they begin and when they end, found by their ids, which sort by time.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_model::{
    AccountId, RecordedTrack, RecordedTracks, RecordingEnd, RecordingFormat, RecordingManifest,
    RecordingState, Timestamp,
};
use plenary_store::{RecordingsQuery, Store};
use support::Database;

on_both![
    a_recording_is_written_when_it_begins_and_when_it_ends,
    lists_go_from_the_latest_back_and_by_conference,
    what_is_old_is_found_and_what_is_forgotten_is_gone,
];

async fn bob(store: &Store) -> AccountId {
    store.create_account_login("1-2-0/bob@example.com").await.unwrap().0.id
}

fn running(account: AccountId, number: u8, conference: &str) -> RecordingManifest {
    RecordingManifest {
        id: format!("{number:032x}"),
        account: account.0,
        conference: conference.to_owned(),
        part: 1,
        continues: None,
        state: RecordingState::Running,
        tracks_kind: RecordedTracks::Separate,
        format: RecordingFormat::Wav,
        announced: true,
        started_at_ms: 1000 * i64::from(number),
        ended_at_ms: None,
        end_reason: None,
        duration_ms: 0,
        lost_ms: 0,
        tracks: Vec::new(),
        participants: Vec::new(),
        pauses: Vec::new(),
    }
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

async fn what_is_old_is_found_and_what_is_forgotten_is_gone(database: &Database) {
    let store = database.open().await;
    let bob = bob(&store).await;
    for number in 1..=4 {
        let begun = running(bob, number, "Board");
        store.write_recording(&begun).await.unwrap();
        if number < 4 {
            store.write_recording(&ended(&begun, 10_000 * i64::from(number))).await.unwrap();
        }
    }
    let old = store.recordings_ended_before(Timestamp(30_000), 10).await.unwrap();
    assert_eq!(old, [(bob, format!("{:032x}", 1)), (bob, format!("{:032x}", 2))], "one that runs is not old");
    assert!(store.forget_recording(bob, &old[0].1).await.unwrap());
    assert!(!store.forget_recording(bob, &old[0].1).await.unwrap());
    assert_eq!(store.recordings_ended_before(Timestamp(30_000), 10).await.unwrap().len(), 1);
    assert_eq!(store.recording(bob, &old[0].1).await.unwrap(), None);
}
