//! Recordings over HTTP: of a conference in progress, and those that are over.
#![allow(missing_docs)]

mod support;

use axum::{body::Body, http::Request};
use http_body_util::BodyExt;
use plenary_model::{
    AccountId, CallEntry, CallRecord, EndedBy, RecordedParticipant, RecordedTrack, RecordingEnd,
    RecordingManifest, RecordingSettings, RecordingState, Timestamp, TranscriptState,
};
use serde_json::{Value, json};
use support::World;
use tower::ServiceExt;

const ID: &str = "019a7c3e5b1f00112233445566778899";
const LATER: &str = "019a7c3e5b2f00112233445566778899";
const STARTED_AT_MS: i64 = 1_700_000_000_000;
const AUDIO: &[u8] = b"OggS and what follows: 0123456789";

struct Answer {
    status: u16,
    headers: axum::http::HeaderMap,
    bytes: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn send(world: &World, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("Host", "a");
    request = request.header("Authorization", format!("Bearer {}", world.key));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = match body {
        Value::Null => Body::empty(),
        body => {
            request = request.header("Content-Type", "application/json");
            Body::from(body.to_string())
        }
    };
    let response = world.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status.as_u16(), headers: parts.headers, bytes }
}

async fn get(world: &World, path: &str) -> Answer {
    send(world, "GET", path, &[], &Value::Null).await
}

fn manifest(account: AccountId, id: &str, conference: &str) -> RecordingManifest {
    let settings = RecordingSettings::default();
    let begun =
        RecordingManifest::begun(id.to_owned(), account.0, conference.to_owned(), settings, STARTED_AT_MS);
    RecordingManifest {
        state: RecordingState::Finished,
        ended_at_ms: Some(STARTED_AT_MS + 60_000),
        end_reason: Some(RecordingEnd::Stopped),
        duration_ms: 60_000,
        tracks: vec![RecordedTrack {
            number: 1,
            file: "mixed.opus".to_owned(),
            participant_id: None,
            offset_ms: 0,
            bytes: AUDIO.len() as u64,
            sha256: Some("ab".repeat(32)),
        }],
        ..begun
    }
}

/// A recording of the account that is over, with its file.
async fn stored(world: &World, id: &str, conference: &str) {
    let manifest = manifest(world.account, id, conference);
    world.store.write_recording(&manifest).await.unwrap();
    let folder = world.folder.path().join("recordings").join(world.account.0.to_string()).join(id);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("mixed.opus"), AUDIO).unwrap();
}

#[tokio::test]
async fn recordings_are_listed_the_latest_first_and_shown_with_their_files() {
    let world = World::new().await;
    stored(&world, ID, "Board").await;
    stored(&world, LATER, "Tea").await;
    let list = get(&world, "/v1/recordings?limit=1").await.json();
    assert_eq!(list["items"][0]["id"], LATER);
    let next = list["next"].as_str().expect("there are more");
    let list = get(&world, &format!("/v1/recordings?limit=1&cursor={next}")).await.json();
    assert_eq!((&list["items"][0]["id"], &list["next"]), (&json!(ID), &Value::Null));
    let list = get(&world, "/v1/recordings?conference=Board").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let one = get(&world, &format!("/v1/recordings/{ID}")).await.json();
    assert_eq!(
        (&one["conference"], &one["state"], &one["tracks"]),
        (&json!("Board"), &json!("finished"), &json!("mixed"))
    );
    assert_eq!((&one["started_at"], &one["duration_ms"]), (&json!("2023-11-14T22:13:20Z"), &json!(60_000)));
    assert_eq!(one["files"][0]["bytes"], AUDIO.len());
    let unknown = get(&world, "/v1/recordings/7").await;
    assert_eq!((unknown.status, &unknown.json()["code"]), (404, &json!("1113")));
}

#[tokio::test]
async fn one_that_runs_is_listed_and_shown_as_its_folder_says() {
    let world = World::new().await;
    stored(&world, ID, "Board").await;
    let begun = RecordingManifest::begun(
        LATER.to_owned(),
        world.account.0,
        "Board".to_owned(),
        RecordingSettings::default(),
        STARTED_AT_MS,
    );
    world.store.write_recording(&begun).await.unwrap();
    let folder = world.folder.path().join("recordings").join(world.account.0.to_string()).join(LATER);
    std::fs::create_dir_all(&folder).unwrap();
    let mut now = RecordingManifest { duration_ms: 7000, lost_ms: 40, ..begun };
    now.tracks = manifest(world.account, LATER, "Board").tracks;
    std::fs::write(folder.join("manifest.json"), serde_json::to_vec(&now).unwrap()).unwrap();
    let one = get(&world, &format!("/v1/recordings/{LATER}")).await.json();
    assert_eq!(
        (&one["state"], &one["duration_ms"], &one["lost_ms"]),
        (&json!("running"), &json!(7000), &json!(40))
    );
    let list = get(&world, "/v1/recordings").await.json();
    assert_eq!(list["items"][0], one);
    assert_eq!(list["items"][1]["id"], ID);
    // Its files are complete, and the database does not know that yet: it could not be deleted.
    let over = manifest(world.account, LATER, "Board");
    std::fs::write(folder.join("manifest.json"), serde_json::to_vec(&over).unwrap()).unwrap();
    let one = get(&world, &format!("/v1/recordings/{LATER}")).await.json();
    assert_eq!((&one["state"], &one["duration_ms"]), (&json!("running"), &json!(60_000)));
    // Its manifest is damaged; another machine has its files.
    let damage = || std::fs::write(folder.join("manifest.json"), "{").unwrap();
    let remove = || std::fs::remove_dir_all(&folder).unwrap();
    for lose in [&damage as &dyn Fn(), &remove] {
        lose();
        let list = get(&world, "/v1/recordings").await.json();
        assert_eq!((&list["items"][0]["id"], &list["items"][0]["duration_ms"]), (&json!(LATER), &json!(0)));
    }
}

#[tokio::test]
async fn audio_is_given_whole_or_in_ranges() {
    let world = World::new().await;
    stored(&world, ID, "Board").await;
    let path = format!("/v1/recordings/{ID}/audio");
    let whole = get(&world, &path).await;
    assert_eq!((whole.status, &whole.bytes[..]), (200, AUDIO));
    assert_eq!(whole.header("content-type"), "audio/ogg; codecs=opus");
    assert_eq!((whole.header("accept-ranges"), whole.header("content-length")), ("bytes", "33"));
    let name = "attachment; filename=\"Board-2023-11-14-2213-1.opus\"";
    assert_eq!(whole.header("content-disposition"), name);
    let tag = whole.header("etag").to_owned();
    for (range, content_range, bytes) in [
        ("bytes=0-3", "bytes 0-3/33", &AUDIO[..4]),
        ("bytes=23-", "bytes 23-32/33", &AUDIO[23..]),
        ("bytes=-2", "bytes 31-32/33", &AUDIO[31..]),
    ] {
        let part = send(&world, "GET", &path, &[("Range", range), ("If-Range", &tag)], &Value::Null).await;
        assert_eq!((part.status, &part.bytes[..]), (206, bytes), "{range}");
        assert_eq!(part.header("content-range"), content_range);
    }
    let outside = send(&world, "GET", &path, &[("Range", "bytes=33-")], &Value::Null).await;
    assert_eq!((outside.status, outside.header("content-range")), (416, "bytes */33"));
    let other = [("Range", "bytes=0-3"), ("If-Range", "\"another\"")];
    assert_eq!(send(&world, "GET", &path, &other, &Value::Null).await.status, 200);
    assert_eq!(get(&world, &format!("{path}?track=2")).await.status, 404);
    let head = send(&world, "HEAD", &path, &[], &Value::Null).await;
    assert_eq!((head.status, head.bytes.len(), head.header("content-length")), (200, 0, "33"));
}

#[tokio::test]
async fn a_transcript_is_given_as_webvtt_and_where_there_is_none_the_reason() {
    let world = World::new().await;
    stored(&world, ID, "Board").await;
    let path = format!("/v1/recordings/{ID}");
    let transcript = format!("{path}/transcript");
    let (mut recording, folder) =
        (manifest(world.account, ID, "Board"), world.folder.path().join("recordings"));
    for (state, shown, why) in [
        (None, Value::Null, "no transcript is made"),
        (Some(TranscriptState::Waiting), json!("waiting"), "not made yet"),
        (Some(TranscriptState::Failed), json!("failed"), "could not be made"),
        (Some(TranscriptState::Ready), json!("ready"), "not here any more"),
    ] {
        recording.transcript = state;
        world.store.update_recording(&recording).await.unwrap();
        assert_eq!(get(&world, &path).await.json()["transcript"], shown);
        let none = get(&world, &transcript).await;
        assert_eq!((none.status, &none.json()["code"]), (404, &json!("1113")));
        assert!(none.json()["detail"].as_str().unwrap().contains(why), "{}", none.json());
    }
    let text = "WEBVTT\n\n00:00.000 --> 00:01.000\nÄh\n";
    std::fs::write(folder.join(world.account.0.to_string()).join(ID).join("transcript.vtt"), text).unwrap();
    let given = get(&world, &transcript).await;
    assert_eq!((given.status, &given.bytes[..]), (200, text.as_bytes()));
    assert_eq!(given.header("content-type"), "text/vtt; charset=utf-8");
}

#[tokio::test]
async fn deleting_takes_files_and_entry_and_not_of_one_that_runs() {
    let world = World::new().await;
    stored(&world, ID, "Board").await;
    let running = RecordingManifest {
        state: RecordingState::Running,
        ended_at_ms: None,
        end_reason: None,
        ..manifest(world.account, LATER, "Board")
    };
    world.store.write_recording(&running).await.unwrap();
    let refused = send(&world, "DELETE", &format!("/v1/recordings/{LATER}"), &[], &Value::Null).await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("1220")));
    let path = format!("/v1/recordings/{ID}");
    assert_eq!(send(&world, "DELETE", &path, &[], &Value::Null).await.status, 204);
    assert_eq!(get(&world, &path).await.status, 404);
    let folder = world.folder.path().join("recordings").join(world.account.0.to_string()).join(ID);
    assert!(!folder.exists(), "nothing is left on the disk");
    assert_eq!(send(&world, "DELETE", &path, &[], &Value::Null).await.status, 404);
    let events = get(&world, "/v1/events").await.json();
    let [deleted] = &events["items"].as_array().unwrap()[..] else { panic!("one event: {events}") };
    assert_eq!(
        (&deleted["type"], &deleted["data"]["recording_id"], &deleted["conference"], &deleted["reason"]),
        (&json!("recording.deleted"), &json!(ID), &json!("Board"), &Value::Null)
    );
    assert_eq!(deleted["actor"]["kind"], "key");
    assert!(world.store.deleted_recordings(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_recording_whose_files_stay_is_deleted_all_the_same_and_its_files_are_tried_again() {
    let world = World::new().await;
    stored(&world, ID, "Board").await;
    let folder = world.folder.path().join("recordings").join(world.account.0.to_string()).join(ID);
    std::fs::remove_dir_all(&folder).unwrap();
    // It cannot be removed as a folder.
    std::fs::write(&folder, "a file").unwrap();
    let path = format!("/v1/recordings/{ID}");
    let answer = send(&world, "DELETE", &path, &[], &Value::Null).await;
    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("1158")), "{}", answer.json());
    assert_eq!(get(&world, &path).await.status, 404, "nobody is given it any more");
    assert_eq!(get(&world, "/v1/events").await.json()["items"][0]["type"], "recording.deleted");
    let archive = plenary_recording::Archive::new(
        world.folder.path().join("recordings"),
        plenary_recording::Keys::none(),
        false,
    );
    plenary_api::delete_left_files(&world.store, &archive).await.unwrap();
    assert_eq!(world.store.deleted_recordings(None, 10).await.unwrap(), [(world.account, ID.to_owned())]);
    std::fs::remove_file(&folder).unwrap();
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("mixed.opus"), AUDIO).unwrap();
    plenary_api::delete_left_files(&world.store, &archive).await.unwrap();
    assert!(!folder.exists() && world.store.deleted_recordings(None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_of_another_account_does_not_exist() {
    let world = World::new().await;
    let (other, _) = world.store.create_account_login("3-4-5/eve@example.com").await.unwrap();
    world.store.write_recording(&manifest(other.id, ID, "Board")).await.unwrap();
    for path in [format!("/v1/recordings/{ID}"), format!("/v1/recordings/{ID}/audio")] {
        assert_eq!(get(&world, &path).await.status, 404);
    }
    assert_eq!(send(&world, "DELETE", &format!("/v1/recordings/{ID}"), &[], &Value::Null).await.status, 404);
    assert!(get(&world, "/v1/recordings").await.json()["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_conference_is_recorded_paused_and_shown() {
    let world = World::new().await;
    let path = "/v1/conferences/Board/recording";
    assert_eq!(get(&world, path).await.status, 404);
    world.control.enter(world.account, "Board", "a.1");
    let none = get(&world, path).await;
    assert_eq!((none.status, &none.json()["code"]), (404, &json!("1114")));
    let bad = send(&world, "POST", path, &[], &json!({"tracks": "both"})).await;
    assert_eq!(bad.status, 400);
    let begun = send(&world, "POST", path, &[], &json!({"tracks": "separate", "announce": false})).await;
    let shown = begun.json();
    assert_eq!(
        (begun.status, &shown["tracks"], &shown["format"]),
        (201, &json!("separate"), &json!("opus")),
        "{shown}"
    );
    assert_eq!((&shown["recording_id"], &shown["announce"]), (&json!(support::RECORDING), &json!(false)));
    let again = send(&world, "POST", path, &[], &json!({})).await;
    assert_eq!((again.status, &again.json()["code"]), (409, &json!("1218")));
    let paused = send(&world, "PATCH", path, &[], &json!({"paused": true})).await.json();
    assert_eq!((&paused["paused"], &paused["recording_id"]), (&json!(true), &json!(support::RECORDING)));
    let shown = get(&world, "/v1/conferences/Board").await.json();
    assert_eq!(shown["recording"]["recording_id"], support::RECORDING);
    assert_eq!(send(&world, "DELETE", path, &[], &Value::Null).await.status, 204);
    assert_eq!(get(&world, path).await.status, 404);
}

#[tokio::test]
async fn names_of_a_number_are_taken_out_of_manifests_and_transcripts_and_others_stay() {
    let world = World::new().await;
    stored(&world, ID, "Board").await;
    stored(&world, LATER, "Board").await;
    let participant = |id: &str, name: &str| RecordedParticipant {
        participant_id: id.to_owned(),
        display_name: Some(name.to_owned()),
        joined_at_ms: STARTED_AT_MS,
        told_at_ms: None,
    };
    let recording = RecordingManifest {
        participants: vec![
            participant("a", "Ann & co"),
            participant("b", "Ben"),
            participant("c", "+44-1908-273800"),
        ],
        transcript: Some(TranscriptState::Ready),
        ..manifest(world.account, ID, "Board")
    };
    let running = RecordingManifest {
        state: RecordingState::Running,
        ended_at_ms: None,
        participants: recording.participants.clone(),
        ..manifest(world.account, LATER, "Board")
    };
    let folder = world.folder.path().join("recordings").join(world.account.0.to_string()).join(ID);
    let said = "WEBVTT\n\n00:00.000 --> 00:01.000\n<v Ann &amp; co>Ann & co.\n\n00:01.000 --> 00:02.000\n<v Ben>Hi\n";
    std::fs::write(folder.join("transcript.vtt"), said).unwrap();
    std::fs::write(folder.join("manifest.json"), serde_json::to_vec(&recording).unwrap()).unwrap();
    for recording in [&recording, &running] {
        world.store.write_recording(recording).await.unwrap();
    }
    let call = CallRecord {
        id: "a".to_owned(),
        account: world.account,
        service: "conf-*".to_owned(),
        conference: Some("Board".to_owned()),
        from: "+4930123456".to_owned(),
        to: "conf-Board".to_owned(),
        started_at: Timestamp(STARTED_AT_MS),
        answered_at: Some(Timestamp(STARTED_AT_MS)),
        is_outgoing: false,
        trunk: None,
        admitted_by: None,
    };
    let ended = CallEntry::Ended {
        id: "a".to_owned(),
        at: Timestamp(STARTED_AT_MS + 60_000),
        cause: "BYE".to_owned(),
        ended_by: EndedBy::Remote,
        stats: None,
    };
    world.store.write_calls(&[CallEntry::Started { call, dialog: None }, ended]).await.unwrap();

    let remove = async |query: &str| {
        let path = format!("/v1/personal-data?{query}");
        let answer = send(&world, "DELETE", &path, &[], &Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()["recordings"].clone()
    };
    let names = |manifest: &RecordingManifest| -> Vec<Option<String>> {
        manifest.participants.iter().map(|one| one.display_name.clone()).collect()
    };
    let shown = |name: &str| Some(name.to_owned());
    let on_disk = || -> RecordingManifest {
        serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap()
    };
    // By the record of the call.
    assert_eq!(remove("number=%2B4930123456&mask=true").await, 1);
    let stored = world.store.recording(world.account, ID).await.unwrap().unwrap();
    assert_eq!(names(&stored), [shown("****"), shown("Ben"), shown("+44-1908-273800")]);
    assert_eq!(on_disk(), stored);
    let text = std::fs::read_to_string(folder.join("transcript.vtt")).unwrap();
    assert_eq!(text, said.replace("<v Ann &amp; co>", "<v ****>"), "what was said stays");
    // By the name itself, which is a number.
    assert_eq!(remove("number=%2B441908273800").await, 1);
    assert_eq!(names(&on_disk()), [shown("****"), shown("Ben"), None]);
    assert_eq!(remove("number=%2B441908273800").await, 0);
    let forgotten = world.installation.0.lock().unwrap().clone();
    assert_eq!(forgotten, ["a".to_owned()].into(), "what is in memory of the call is not shown any more");
    let runs = world.store.recording(world.account, LATER).await.unwrap().unwrap();
    assert_eq!(names(&runs), names(&running), "one that runs is for later");
}
