//! Deletes what is older than is kept, and takes numbers out of what stays.

use crate::{
    clock::wall_now,
    config::{AuditConfig, HistoryConfig},
};
use plenary_model::{RecordedParticipant, Redaction, Timestamp};
use plenary_recording::Archive;
use plenary_sip::PERMITTED_FOR;
use plenary_store::{Store, StoreError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// How often it is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// So much is done before the database has a rest.
const AT_ONCE: usize = 500;
/// Recordings whose names are looked at before the database has a rest.
const RECORDINGS_AT_ONCE: usize = 100;
/// The rest.
const REST: Duration = Duration::from_millis(200);
/// How long the messages of calls are kept that have failed, where numbers are kept as long.
const MESSAGES_DAYS: u32 = 7;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Up to which recording names were taken out: when it ended, and its id. All are looked through once after a start.
struct NamesTaken {
    ended_at: Timestamp,
    id: String,
}

/// Runs until it is aborted.
pub(crate) fn start(
    store: Store,
    archive: Archive,
    history: HistoryConfig,
    audit: AuditConfig,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut names = NamesTaken { ended_at: Timestamp(i64::MIN), id: String::new() };
        loop {
            let done = async {
                let has_more = once(&store, &history, &audit).await?;
                let redaction = history.redaction().map(|how| (how, days_ago(history.numbers_days)));
                let has_more_names = match redaction {
                    Some((how, before)) => take_names(&store, &archive, how, before, &mut names).await?,
                    None => false,
                };
                Ok::<_, StoreError>(has_more || has_more_names)
            };
            match done.await {
                Ok(true) => tokio::time::sleep(REST).await,
                Ok(false) => tokio::time::sleep(LOOK_EVERY).await,
                Err(error) => {
                    warn!(%error, "records that are too old cannot be deleted; trying again later");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
    })
}

fn days_ago(days: u32) -> Timestamp {
    wall_now().minus(DAY * days)
}

/// Takes the names of participants out of what is said of recordings that ended before a time, as far as the next so many. True: there may
/// be more.
async fn take_names(
    store: &Store,
    archive: &Archive,
    how: Redaction,
    before: Timestamp,
    done: &mut NamesTaken,
) -> Result<bool, StoreError> {
    let found = store.recordings_ended_before(before, (done.ended_at, &done.id), RECORDINGS_AT_ONCE).await?;
    let has_more = found.len() >= RECORDINGS_AT_ONCE;
    // What was masked before stays as it is.
    let is_left =
        |one: &RecordedParticipant| one.display_name.as_deref().is_some_and(|name| !name.ends_with('*'));
    for (ended_at, mut recording) in found {
        let id = recording.id.clone();
        if !recording.redact(how, is_left).is_empty() {
            let (archive, account, name) = (archive.clone(), recording.account, id.clone());
            let on_disk =
                tokio::task::spawn_blocking(move || archive.redact(account, &name, how, is_left)).await;
            match on_disk {
                Ok(Ok(here)) => store.update_recording(&here.unwrap_or(recording)).await?,
                Ok(Err(error)) => {
                    warn!(recording = id, %error, "names cannot be taken out of an old recording; the next start tries again");
                }
                Err(error) => warn!(recording = id, %error, "names cannot be taken out of an old recording"),
            }
        }
        *done = NamesTaken { ended_at, id };
    }
    Ok(has_more)
}

/// Does a part of what is due. True: there may be more.
async fn once(store: &Store, history: &HistoryConfig, audit: &AuditConfig) -> Result<bool, StoreError> {
    let now = wall_now();
    let (mut records, mut entries, mut numbers, mut samples) = (0, 0, 0, 0);
    let mut messages_days = MESSAGES_DAYS;
    let mut has_more = false;
    if history.days > 0 {
        records = store.prune_history(days_ago(history.days), AT_ONCE).await?;
        samples = store.prune_call_samples(days_ago(history.days), AT_ONCE).await?;
    }
    if audit.days > 0 {
        entries = store.prune_audit(days_ago(audit.days), AT_ONCE).await?;
    }
    if let Some(how) = history.redaction() {
        let before = days_ago(history.numbers_days);
        numbers = store.redact_old(before, how, now, AT_ONCE).await?;
        for account in store.accounts_with_events().await? {
            has_more |= store.redact_old_events(account, before, how, AT_ONCE).await? >= AT_ONCE as u64;
        }
        messages_days = messages_days.min(history.numbers_days);
    }
    let messages = store.prune_messages(days_ago(messages_days)).await?;
    // They are of no use any more, and they say where people are.
    let permitted = store.prune_permitted(now.minus(PERMITTED_FOR), AT_ONCE).await?;
    let guest_links = store.prune_guest_links(now, AT_ONCE).await?;
    let leader_links = store.prune_leader_links(now, AT_ONCE).await?;
    let links = guest_links + leader_links;
    if records + entries + numbers + messages + links > 0 {
        info!(
            records,
            audit = entries,
            numbers,
            messages,
            links,
            "old records are deleted, and numbers taken out of others"
        );
    }
    Ok(has_more
        || [records, entries, numbers, samples, permitted, guest_links, leader_links]
            .into_iter()
            .any(|count| count >= AT_ONCE as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use plenary_model::{RecordingManifest, RecordingSettings, RecordingState};
    use plenary_recording::Keys;
    use std::fs;

    #[tokio::test]
    async fn names_go_from_recordings_and_transcripts_when_they_are_old_enough_and_no_sooner() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("plenary.db")).await.unwrap();
        let account = store.create_account_login("1-2-0/bob").await.unwrap().0.id;
        let archive = Archive::new(folder.path().join("recordings"), Keys::none(), false);
        let ends = [1, 2, 3].map(|day| Timestamp::from_seconds(day * 86_400));
        for (number, ended_at) in ends.iter().enumerate() {
            let id = format!("{number:032x}");
            let settings = RecordingSettings::default();
            let mut manifest =
                RecordingManifest::begun(id.clone(), account.0, "Board".into(), settings, ended_at.0 - 1000);
            manifest.state = RecordingState::Finished;
            manifest.ended_at_ms = Some(ended_at.0);
            manifest.participants = vec![RecordedParticipant {
                participant_id: "n.1".into(),
                display_name: Some("Alice".into()),
                joined_at_ms: 0,
                told_at_ms: None,
            }];
            store.write_recording(&manifest).await.unwrap();
            let of_it = folder.path().join("recordings").join(account.0.to_string()).join(&id);
            fs::create_dir_all(&of_it).unwrap();
            fs::write(of_it.join("manifest.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();
            fs::write(of_it.join("transcript.vtt"), "WEBVTT\n\n00:00.000 --> 00:01.000\n<v Alice>Hello\n")
                .unwrap();
        }
        let mut done = NamesTaken { ended_at: Timestamp(i64::MIN), id: String::new() };
        let left = async || {
            let query = plenary_store::RecordingsQuery { limit: 10, ..Default::default() };
            let mut names = Vec::new();
            for recording in store.recordings(account, &query).await.unwrap() {
                let name = recording.participants[0].display_name.clone().unwrap_or_default();
                let of_it = folder.path().join("recordings").join(account.0.to_string()).join(&recording.id);
                for file in ["manifest.json", "transcript.vtt"] {
                    let text = fs::read_to_string(of_it.join(file)).unwrap();
                    assert_eq!(text.contains("Alice"), name == "Alice", "{file}: {text}");
                }
                names.push(name);
            }
            names.reverse();
            names
        };
        take_names(&store, &archive, Redaction::Mask, ends[1], &mut done).await.unwrap();
        assert_eq!(left().await, ["****", "Alice", "Alice"]);
        take_names(&store, &archive, Redaction::Drop, Timestamp(i64::MAX), &mut done).await.unwrap();
        assert_eq!(left().await, ["****", "", ""]);
    }
}
