//! A database is copied into another one as a whole, or not at all.
#![cfg(feature = "e2e")]
#![allow(missing_docs)]

mod support;

use plenary_conference::{AccountId, ConferenceName, Reservation, ServiceName, Timestamp};
use plenary_model::{
    AccountEvent, Actor, AudioOwner, AuditEntry, CallEntry, CallRecord, ConferenceKey, EventKind,
    EventRecord, HistoryEntry, KeySettings, LanguageCode, ParticipantId, PersonSettings, RecordEntry,
    RecordingManifest, RecordingSettings, RecordingState, Role, Scopes, StoredAudio,
};
use plenary_store::{
    Begun, CallMessages, Changed, CopyError, Location, NewMedia, PinCaller, PinOutcome, PinSource,
    ProviderPerson, ProviderSignIn, SignIn, SignInFrom, Store, copy_database, inspect_database,
    new_reservation_token,
};
use serde_json::json;
use support::Database;

const PASSWORD: &str = "correct horse";
const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn call(number: i64) -> CallEntry {
    let call = CallRecord {
        id: format!("01234567a1b1c1c2.{number}"),
        account: AccountId(2),
        service: "board".into(),
        conference: Some("Board".into()),
        from: "+49 30 – ä".into(),
        to: "board".into(),
        started_at: NOW,
        answered_at: Some(NOW),
        is_outgoing: false,
        trunk: None,
        admitted_by: Some("network".into()),
    };
    CallEntry::Started { call, dialog: None }
}

/// A file of several pieces, the last of them not full.
fn sound() -> Vec<u8> {
    (0..5_500_000_u32).map(|number| (number % 251) as u8).collect()
}

fn caller() -> PinCaller<'static> {
    PinCaller { source: PinSource::Trunk("p"), name: Some("+44"), call: None }
}

/// Something of everything, with all kinds of values, absent ones among them; calls enough for several turns.
async fn fill(store: &Store) -> String {
    let (bob, _) = store.create_account_login("1-2-0/bob@example.com").await.unwrap();
    let (eve, key) = store.create_account_login("3-4-5/eve@example.com").await.unwrap();
    let bound = KeySettings {
        label: Some("a leader's link".into()),
        scopes: Scopes::conference(),
        conference: Some(ConferenceName::new("Board")),
        expires_at: Some(Timestamp(i64::MAX)),
    };
    store.key_new(bob.id, &bound).await.unwrap();
    store.put_webrtc_key(bob.id, "abc", None).await.unwrap();
    store.put_webrtc_key(eve.id, "def", Some(&["conf-*".to_owned()])).await.unwrap();
    for name in ["b", "A", "_", "+49-30-123456"] {
        store.put_service(bob.id, name, &json!({ "conference": { "name": "Tea" } })).await.unwrap();
    }
    support::put_trunk(store, eve.id, "p", json!({ "uri": "sip:p", "user": "u", "password": "x" }))
        .await
        .unwrap();
    support::put_sip_user(store, bob.id, "desk", "plenary", "correct horse").await.unwrap();
    support::put_room(store, bob.id, "1001", json!({ "conference": "Board", "pin": "4711" })).await.unwrap();
    let wrong = store.check_pin(bob.id, "1001", "4712", caller(), NOW).await.unwrap();
    assert_eq!(wrong.outcome, PinOutcome::Wrong);
    let upload = store.upload_media(&sound()).await.unwrap();
    let media = NewMedia { upload, format: "wav".into(), duration_ms: 1500, account_bytes_max: 10_000_000 };
    store.put_media(bob.id, "hold", media).await.unwrap();
    store
        .keep_sound(
            &AudioOwner::Account(eve.id),
            StoredAudio { automatic_gain: Some(false), noise_suppression: None },
        )
        .await
        .unwrap();
    store.make_call_token(bob.id, "b", Timestamp(0)).await.unwrap();
    for (name, divert) in [("Board", Some(ServiceName::new("early"))), ("Tea", None)] {
        let reservation = Reservation {
            token: new_reservation_token(),
            account: bob.id,
            name: ConferenceName::new(name),
            max_participants: 130,
            starts_at: NOW.plus_minutes(10),
            duration_minutes: 30,
            title: divert.as_ref().map(|_| "Weekly – ä".to_owned()),
            guests: Vec::new(),
            sequence: 0,
            series: None,
            divert,
        };
        store.reserve(&reservation, 3500, 5, NOW).await.unwrap();
        store.guest_code_for(&reservation, Some("ann@example.com"), NOW).await.unwrap();
    }
    for key in [[1; 32], [2; 32]] {
        assert_eq!(store.idempotent_begin(bob.id, &key, &[3; 32]).await.unwrap(), Begun::First);
    }
    store.idempotent_end(bob.id, &[1; 32], Some(b"answer")).await.unwrap();
    let (id, settings) = ("019a7c3e5b1f00112233445566778899".into(), RecordingSettings::default());
    let recording = RecordingManifest::begun(id, bob.id.0, "Board".into(), settings, NOW.0);
    store.write_recording(&recording).await.unwrap();
    let mut deleted = RecordingManifest { id: "019a7c3e5b1f00112233445566778800".into(), ..recording };
    deleted.state = RecordingState::Finished;
    store.write_recording(&deleted).await.unwrap();
    assert!(store.delete_recording(bob.id, &deleted.id, None).await.unwrap());
    let calls: Vec<CallEntry> = (0..1200).map(call).collect();
    store.write_calls(&calls).await.unwrap();
    let conference = ConferenceKey { account: bob.id, name: ConferenceName::new("Board") };
    let (id, participant) = ("0".to_owned(), ParticipantId::new("01234567a1b1c1c2.1"));
    let history = [
        HistoryEntry::Began { id: id.clone(), conference, at: NOW, reservation: None, seats: 40 },
        HistoryEntry::Entered { id, participant, at: NOW, is_leader: true, present: 1 },
    ];
    let history: Vec<_> = history.into_iter().map(RecordEntry::Conference).collect();
    store.write_records(&history).await.unwrap();
    let settings = PersonSettings {
        name: "Eve".into(),
        mail: "eve@example.com".into(),
        language: LanguageCode::english(),
        is_operator: true,
        is_disabled: false,
        roles: [(bob.id, Role::Organiser)].into(),
    };
    let person = store.person_new(&settings, NOW).await.unwrap();
    let from = SignInFrom { address: None, user_agent: Some("Browser/1.0") };
    let vouched_for = ProviderPerson {
        issuer: "https://id.example.com".into(),
        subject: "eve-ä".into(),
        verified_mail: Some("eve@example.com".into()),
        name: "Eve".into(),
        language: LanguageCode::english(),
        roles: Vec::new(),
        is_operator: false,
    };
    let signed_in = store.sign_in_by_provider(&vouched_for, from, NOW).await.unwrap();
    let ProviderSignIn::Right(signed_in) = signed_in else { panic!("{signed_in:?}") };
    store.end_session(person.id, signed_in.1.id).await.unwrap();
    let (code, _) = store.invite(person.id, NOW).await.unwrap().unwrap();
    store.accept_invitation(code.as_str(), PASSWORD, from, NOW).await.unwrap().unwrap();
    let signed_in = store.sign_in("eve@example.com", PASSWORD, from, NOW).await.unwrap();
    let SignIn::Right(signed_in) = signed_in else { panic!("{signed_in:?}") };
    store.end_session(person.id, signed_in.1.id).await.unwrap();
    store.invite(person.id, NOW).await.unwrap();
    store.note_alive(NOW).await.unwrap();
    store.serve_as("one", NOW).await.unwrap();
    store.write_permitted(&[("192.0.2.1".parse().unwrap(), NOW)]).await.unwrap();
    let people = ["+4930123456".to_owned()].into();
    let failed =
        CallMessages { id: "n.1".into(), ended_at: NOW, people, messages: json!({ "messages": [] }) };
    store.keep_messages(&[failed]).await.unwrap();
    let change = AuditEntry {
        at: NOW,
        account: Some(bob.id),
        actor: "1-2-0/bob@example.com".into(),
        key: Some(1),
        person: None,
        source: None,
        request_id: None,
        method: "PUT".into(),
        path: "/v1/rooms/1001".into(),
        status: Some(201),
        before: None,
        after: Some(json!({ "conference": "Board" })),
        request: None,
    };
    store.write_audit(&[change]).await.unwrap();
    let hook = json!({"url": "https://example.com/hook"});
    let made = store.put_webhook_if(bob.id, "crm", hook, |_| Ok::<_, std::convert::Infallible>(())).await;
    assert!(matches!(made, Ok(Changed::Created(_))));
    let event = EventRecord {
        at: NOW,
        conference: Some(ConferenceName::new("Board")),
        participant_id: None,
        actor: Actor::system(),
        reason: None,
        kind: EventKind::ConferenceStarted {},
    };
    store.write_events(&[AccountEvent { account: bob.id, event }], false).await.unwrap();
    key.as_str().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_goes_to_postgres_and_back() {
    let (sqlite, postgres, third) = (Database::sqlite(), Database::postgres(), Database::sqlite());
    let store = sqlite.open().await;
    let key = fill(&store).await;
    let reservations = store.open_reservations(NOW, 5).await.unwrap();
    let keys = store.keys(AccountId(1)).await.unwrap();
    assert!(keys[1].label.is_some() && keys[1].conference.is_some() && keys[1].expires_at.is_some());
    store.close().await;

    let mut seen = Vec::new();
    let there =
        copy_database(&sqlite.location, &postgres.location, |progress| seen.push(progress)).await.unwrap();
    assert!(seen.iter().any(|at| at.table == "calls" && at.rows == 500 && at.of == 1200), "{seen:?}");
    let rows: Vec<_> = there.iter().map(|table| (table.table, table.rows)).collect();
    let expected = [
        ("accounts", 2),
        ("api_keys", 3),
        ("leader_sessions", 0),
        ("guest_links", 2),
        ("webrtc_keys", 2),
        ("inbound_services", 4),
        ("trunks", 1),
        ("sip_users", 1),
        ("rooms", 1),
        ("pin_tries", 4),
        ("media", 1),
        ("media_pieces", 6),
        ("secrets", 3),
        ("series", 0),
        ("reservations", 2),
        ("mails", 0),
        ("idempotent_answers", 2),
        ("recordings", 1),
        ("deleted_recordings", 1),
        ("webhooks", 1),
        ("webhook_deliveries", 0),
        ("event_logs", 1),
        ("events", 4),
        ("ongoing", 1),
        ("calls", 1200),
        ("call_messages", 1),
        ("call_samples", 0),
        ("history", 1),
        ("history_participants", 1),
        ("people", 1),
        ("people_roles", 1),
        ("identities", 1),
        ("invitations", 1),
        ("sign_in_tries", 1),
        ("web_sessions", 1),
        ("calendar_feeds", 0),
        ("last_alive", 1),
        ("serving", 1),
        ("permitted_sources", 1),
        ("audit", 1),
    ];
    assert_eq!(rows, expected);
    let back = copy_database(&postgres.location, &third.location, |_| {}).await.unwrap();
    assert_eq!(back, there, "the same hashes");

    for database in [&postgres, &third] {
        let store = database.open().await;
        assert!(store.authenticate("3-4-5/eve@example.com", &key).await.unwrap().is_some());
        assert_eq!(store.open_reservations(NOW, 5).await.unwrap(), reservations);
        assert_eq!(store.match_service("+4930123456").await.unwrap().unwrap().0.account, AccountId(1));
        assert_eq!(store.keys(AccountId(1)).await.unwrap(), keys);
        let again = store.idempotent_begin(AccountId(1), &[1; 32], &[3; 32]).await.unwrap();
        assert_eq!(again, Begun::Answered(b"answer".to_vec()));
        let (_, audio) = store.media_audio(AccountId(1), "hold", None).await.unwrap().unwrap();
        assert!(audio.unwrap() == sound());
        // PINs are right there too, and what was wrong is still counted.
        for (pin, outcome) in [("4713", PinOutcome::Wrong), ("4711", PinOutcome::Right { leader: false })] {
            assert_eq!(
                store.check_pin(AccountId(1), "1001", pin, caller(), NOW).await.unwrap().outcome,
                outcome
            );
        }
        assert_eq!(
            store.check_pin(AccountId(1), "1001", "4714", caller(), NOW).await.unwrap().outcome,
            PinOutcome::Wrong
        );
        let fourth = store.check_pin(AccountId(1), "1001", "4711", caller(), NOW).await.unwrap().outcome;
        assert_eq!(fourth, PinOutcome::TooMany { retry_at: Timestamp(NOW.0 + 30_000) });
        let from = SignInFrom { address: None, user_agent: None };
        let signed_in = store.sign_in("eve@example.com", PASSWORD, from, NOW).await.unwrap();
        assert!(matches!(signed_in, SignIn::Right(_)), "{signed_in:?}");
        // What is counted goes on where it was.
        let (account, _) = store.create_account_login("6-7-8/new@example.com").await.unwrap();
        assert_eq!(account.id, AccountId(3));
        assert_eq!(store.keys(account.id).await.unwrap()[0].id.0, 4);
        let inspection = inspect_database(&database.location).await.unwrap();
        assert_eq!(inspection.schema, inspection.schema_known);
        assert_eq!(inspection.rows.iter().find(|(table, _)| *table == "calls"), Some(&("calls", 1200)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_is_not_copied_over() {
    let (sqlite, postgres) = (Database::sqlite(), Database::postgres());
    fill(&sqlite.open().await).await;
    let store = postgres.open().await;
    store.create_account_login("9-9-9/own@example.com").await.unwrap();
    let refused = copy_database(&sqlite.location, &postgres.location, |_| {}).await.unwrap_err();
    assert!(matches!(refused, CopyError::NotEmpty { table: "accounts", rows: 1, .. }), "{refused:?}");
    assert!(refused.to_string().contains("rows in its table accounts: 1"), "{refused}");
    assert_eq!(store.list_accounts().await.unwrap().len(), 1);
    let same = copy_database(&sqlite.location, &sqlite.location, |_| {}).await;
    assert!(matches!(same, Err(CopyError::Same { .. })), "{same:?}");
    let nowhere = Location::in_folder(&sqlite.folder.path().join("nowhere"));
    let nothing = copy_database(&nowhere, &postgres.location, |_| {}).await;
    assert!(matches!(nothing, Err(CopyError::NoSource { .. })), "{nothing:?}");
    assert!(!sqlite.folder.path().join("nowhere").exists(), "nothing is made where nothing was");
}

/// An older program goes on with its own database, whatever was tried.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_an_older_version_stays_as_it_is() {
    let (sqlite, postgres) = (Database::sqlite(), Database::postgres());
    fill(&sqlite.open().await).await;
    postgres.open().await.close().await;
    let server = postgres.postgres.as_ref().unwrap();
    let before = inspect_database(&postgres.location).await.unwrap().schema;
    server.execute("UPDATE plenary_schema SET version = version - 1");
    for (from, to) in [(&sqlite.location, &postgres.location), (&postgres.location, &sqlite.location)] {
        let refused = copy_database(from, to, |_| {}).await.unwrap_err();
        assert!(matches!(refused, CopyError::OldSchema { .. }), "{refused:?}");
        assert!(refused.to_string().contains("plenary database migrate"), "{refused}");
    }
    assert_eq!(inspect_database(&postgres.location).await.unwrap().schema, before - 1, "nothing is changed");
}

/// A copy that is found wrong is not there afterwards: half of it would be taken for all.
#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_found_and_taken_back() {
    let (sqlite, postgres) = (Database::sqlite(), Database::postgres());
    fill(&sqlite.open().await).await;
    postgres.open().await.close().await;
    let server = postgres.postgres.as_ref().unwrap();
    server.execute(
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN NEW.caller := 'somebody else'; RETURN NEW; END $$;
         CREATE TRIGGER spoil BEFORE INSERT ON calls FOR EACH ROW EXECUTE FUNCTION spoil()",
    );
    let differs = copy_database(&sqlite.location, &postgres.location, |_| {}).await;
    assert!(
        matches!(differs, Err(CopyError::Differs { table: "calls", rows: 1200, copied: 1200 })),
        "{differs:?}"
    );
    assert_eq!(server.execute("SELECT count(*) FROM accounts"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_changes_nothing_and_says_what_is_wrong() {
    let postgres = Database::postgres();
    let before = inspect_database(&postgres.location).await.unwrap();
    assert_eq!((before.schema, before.rows.len()), (0, 0));
    assert!(
        before.problems.iter().any(|problem| problem.starts_with("fsync")),
        "as these tests run it: {before:?}"
    );
    let server = postgres.postgres.as_ref().unwrap();
    assert_eq!(server.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
    server.execute("CREATE TABLE something (of_others INT)");
    let error = Store::open_at(&postgres.location).await.unwrap_err().to_string();
    assert!(error.contains("holds tables of another program"), "{error}");
}
