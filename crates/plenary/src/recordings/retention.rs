//! Recordings that are too old are deleted.

use plenary_model::{Actor, Timestamp};
use plenary_recording::Archive;
use plenary_store::Store;
use std::time::Duration;
use tracing::{info, warn};

/// How often recordings that are too old are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// Of those so many are deleted before the database has a rest.
const DELETED_AT_ONCE: usize = 100;
const REST: Duration = Duration::from_secs(1);
/// Why they are deleted, as events tell it.
const TOO_OLD: &str = "too_old";

/// Deletes recordings when they have been kept as long as their account says, or as is configured: so many days, 0: for ever.
pub(super) async fn prune(archive: Archive, store: Store, days: u32) {
    loop {
        let now = crate::clock::wall_now();
        if let Err(error) = plenary_api::delete_left_files(&store, &archive).await {
            warn!(%error, "the files of deleted recordings cannot be looked for; trying again later");
        }
        if let Err(error) = prune_once(&archive, &store, now, days).await {
            warn!("recordings that are too old cannot be looked for; trying again later: {error:#}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// One whose files cannot be deleted does not keep the others.
async fn prune_once(archive: &Archive, store: &Store, now: Timestamp, days: u32) -> anyhow::Result<()> {
    let store = store.acting(Actor::system());
    let mut after = None;
    loop {
        let old = store.recordings_kept_long_enough(now, days, after.as_deref(), DELETED_AT_ONCE).await?;
        for (account, id) in &old {
            match plenary_api::delete_recording(&store, archive, *account, id, Some(TOO_OLD)).await {
                // It has been deleted meanwhile.
                Ok(false) => {}
                Ok(true) => {
                    info!(recording = %id, account = account.0, "a recording is deleted: it is older than is kept");
                }
                Err(error) => {
                    let error = anyhow::Error::new(error);
                    warn!(recording = %id, account = account.0, "a recording that is older than is kept: {error:#}");
                }
            }
        }
        if old.len() < DELETED_AT_ONCE {
            return Ok(());
        }
        after = old.into_iter().next_back().map(|(_, id)| id);
        tokio::time::sleep(REST).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plenary_model::{AccountId, RecordingManifest, RecordingSettings, RecordingState};
    use plenary_recording::Keys;
    use std::fs;

    const DAY_MS: i64 = 24 * 60 * 60 * 1000;

    #[tokio::test]
    async fn recordings_go_after_the_days_of_their_account_and_files_that_stay_keep_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("plenary.db")).await.unwrap();
        let archive = Archive::new(folder.path().join("recordings"), Keys::none(), false);
        let accounts = [
            store.create_account_login("1-2-0/as-configured").await.unwrap().0.id,
            store.create_account_login("1-2-0/two-days").await.unwrap().0.id,
            store.create_account_login("1-2-0/for-ever").await.unwrap().0.id,
        ];
        for (account, days) in [(accounts[1], 2), (accounts[2], 0)] {
            let decide = |account: &plenary_store::Account| {
                let settings =
                    plenary_store::AccountSettings { recording_days: Some(days), ..account.settings };
                Ok::<_, std::convert::Infallible>(settings)
            };
            store.change_account(account, decide).await.unwrap();
        }
        let now = Timestamp(1000 * DAY_MS);
        let mut number = 0;
        let mut made = Vec::new();
        for account in accounts {
            for age_days in [1, 5, 50] {
                number += 1;
                let id = format!("{number:032x}");
                let settings = RecordingSettings::default();
                let at = now.0 - age_days * DAY_MS - 1;
                let mut manifest =
                    RecordingManifest::begun(id.clone(), account.0, "Board".into(), settings, at);
                manifest.state = RecordingState::Finished;
                manifest.ended_at_ms = Some(at);
                store.write_recording(&manifest).await.unwrap();
                let of_it = folder.path().join("recordings").join(account.0.to_string()).join(&id);
                fs::create_dir_all(&of_it).unwrap();
                fs::write(of_it.join("mixed.opus"), b"audio").unwrap();
                made.push((account, age_days, id, of_it));
            }
        }
        // A file where the folder of one should be: it cannot be removed as a folder.
        let (_, _, _, stuck) = &made[2];
        fs::remove_dir_all(stuck).unwrap();
        fs::write(stuck, b"no folder").unwrap();
        prune_once(&archive, &store, now, 30).await.unwrap();
        let mut left = Vec::new();
        for (account, age_days, id, of_it) in &made {
            let row = store.recording(*account, id).await.unwrap();
            assert_eq!(row.is_some(), of_it.exists() && of_it != stuck, "files and row go together");
            if row.is_some() {
                left.push((accounts.iter().position(|one| one == account).unwrap(), *age_days));
            }
        }
        assert_eq!(left, [(0, 1), (0, 5), (1, 1), (2, 1), (2, 5), (2, 50)]);
        let told = store.events_after(accounts[1], 0, 10).await.unwrap();
        let told: Vec<_> = told.iter().map(|event| event.record().unwrap()).collect();
        assert!(told.iter().all(|event| event.actor == Actor::system()), "{told:?}");
        assert_eq!(
            told.iter().map(|event| (event.kind.name(), event.reason.as_deref())).collect::<Vec<_>>(),
            [("recording.deleted", Some("too_old")); 2]
        );
        // Its files are tried again until the disk lets them go.
        plenary_api::delete_left_files(&store, &archive).await.unwrap();
        let left = [(accounts[0], made[2].2.clone())];
        assert_eq!(store.deleted_recordings(None, 10).await.unwrap(), left);
        fs::remove_file(stuck).unwrap();
        fs::create_dir_all(stuck).unwrap();
        fs::write(stuck.join("mixed.opus"), b"audio").unwrap();
        plenary_api::delete_left_files(&store, &archive).await.unwrap();
        assert!(!stuck.exists() && store.deleted_recordings(None, 10).await.unwrap().is_empty());
        prune_once(&archive, &store, Timestamp(now.0 + 50 * DAY_MS), 0).await.unwrap();
        let is_there = store.recording(AccountId(accounts[0].0), &made[0].2).await.unwrap().is_some();
        assert!(is_there, "for ever, where nothing is configured");
    }
}
