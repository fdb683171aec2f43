//! What is stored of a person is found wherever it is, and taken out.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_conference::{ConferenceName, ParticipantId, Reservation, Timestamp};
use plenary_model::{
    AccountEvent, AccountId, Actor, AuditEntry, CallDirection, CallEntry, CallRecord, EndedBy, EventKind,
    EventRecord, Guest, Introduction, LanguageCode, ParticipantUpdate, Presence, RecordEntry, Redaction,
    Token,
};
use plenary_store::{AuditQuery, CallMessages, Redacted, Sought, Store, new_reservation_token};
use serde_json::{Value, json};
use support::Database;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
const NUMBER: &str = "+4930123456";

async fn accounts(store: &Store) -> [AccountId; 2] {
    let mut ids = Vec::new();
    for login in ["1-2-0/bob@example.com", "1-2-0/eve@example.com"] {
        ids.push(store.create_account_login(login).await.unwrap().0.id);
    }
    [ids[0], ids[1]]
}

/// The number in what is stored of an account.
fn sought(account: AccountId) -> Sought<'static> {
    Sought { account, with_nobodys: false, number: NUMBER, how: Redaction::Mask }
}

async fn redact(store: &Store, sought: Sought<'_>) -> Redacted {
    store.redact_number(sought, NOW).await.unwrap().0
}

fn who(from: &str) -> Introduction {
    Introduction {
        display_name: Some("Alice".into()),
        from: from.into(),
        to: "conf-Board".into(),
        direction: CallDirection::In,
        trunk: None,
    }
}

fn event(account: AccountId, participant: &str, minutes: u32, kind: EventKind) -> AccountEvent {
    let event = EventRecord {
        at: NOW.plus_minutes(minutes),
        conference: Some(ConferenceName::new("Board")),
        participant_id: Some(ParticipantId::new(participant)),
        actor: Actor::system(),
        reason: None,
        kind,
    };
    AccountEvent { account, event }
}

fn entered(account: AccountId, participant: &str, minutes: u32, from: &str) -> AccountEvent {
    let presence = Presence {
        who: who(from),
        leader: false,
        muted_by: None,
        dtmf_enabled: true,
        self_unmute: None,
        held: false,
        heard_by: None,
    };
    event(account, participant, minutes, EventKind::ParticipantEntered(presence))
}

fn renamed(account: AccountId, participant: &str) -> AccountEvent {
    let update =
        ParticipantUpdate { display_name: Some(Some("Alice B".into())), ..ParticipantUpdate::default() };
    event(account, participant, 1, EventKind::ParticipantChanged(update))
}

fn left(account: AccountId, participant: &str) -> AccountEvent {
    event(account, participant, 2, EventKind::ParticipantLeft {})
}

/// The log of an account as text: what stands nowhere in it is gone.
async fn log(store: &Store, account: AccountId) -> Vec<String> {
    let events = store.events_after(account, 0, 100).await.unwrap();
    events.iter().map(plenary_store::StoredEvent::json).collect()
}

async fn a_person_is_taken_out_of_events_with_the_names_they_were_shown_by(database: &Database) {
    let store = database.open().await;
    let [bob, eve] = accounts(&store).await;
    let called = Introduction {
        from: "+441908".into(),
        to: "tel:+49-30-123456".into(),
        direction: CallDirection::Out,
        ..who("")
    };
    let events = [
        entered(bob, "n.1", 0, "sip:+49-30-123456@p.example"),
        renamed(bob, "n.1"),
        left(bob, "n.1"),
        event(bob, "n.2", 0, EventKind::ParticipantCalling(called)),
        event(bob, "n.2", 1, EventKind::CallFailed { status: Some(486) }),
        entered(bob, "n.3", 0, "+4930999"),
        renamed(bob, "n.3"),
        left(bob, "n.3"),
        entered(bob, "n.4", 0, NUMBER),
        entered(eve, "n.5", 0, NUMBER),
        left(eve, "n.5"),
    ];
    store.write_events(&events, false).await.unwrap();
    let redact = async |how| redact(&store, Sought { number: "+49(30)123456", how, ..sought(bob) }).await;
    assert_eq!(redact(Redaction::Mask).await, Redacted { events: 3, ..Redacted::default() });
    let told = log(&store, bob).await;
    assert!(told[0].contains("+493012****") && told[0].contains("\"display_name\":\"****\""), "{}", told[0]);
    assert!(told[1].contains("****") && !told[1].contains("Alice"), "{}", told[1]);
    assert!(told[3].contains("+493012****") && told[3].contains("+441908"), "{}", told[3]);
    assert!(told[5].contains("+4930999") && told[5].contains("Alice"), "another person: {}", told[5]);
    assert!(told[6].contains("Alice B"), "another person: {}", told[6]);
    assert!(told[8].contains(NUMBER), "they are in: {}", told[8]);
    assert!(log(&store, eve).await[0].contains(NUMBER), "of another account");
    let numbers: Vec<_> = store.events_after(bob, 0, 100).await.unwrap().iter().map(|one| one.seq).collect();
    assert_eq!(numbers, (1..=9).collect::<Vec<_>>(), "the log goes on without a gap");
    assert_eq!(redact(Redaction::Mask).await, Redacted::default(), "once");
    store.write_events(&[left(bob, "n.4")], false).await.unwrap();
    assert_eq!(redact(Redaction::Drop).await, Redacted { events: 1, ..Redacted::default() });
    let dropped: Value = serde_json::from_str(&log(&store, bob).await[8]).unwrap();
    assert_eq!((&dropped["data"]["from"], &dropped["data"]["display_name"]), (&json!(""), &Value::Null));
}

async fn a_person_is_taken_out_of_what_the_audit_log_tells_of_conferences(database: &Database) {
    let store = database.open().await;
    let [bob, eve] = accounts(&store).await;
    let call = CallRecord {
        id: "n.1".into(),
        account: bob,
        service: "conf-Board".into(),
        conference: Some("Board".into()),
        from: NUMBER.into(),
        to: "conf-Board".into(),
        started_at: NOW,
        answered_at: Some(NOW),
        is_outgoing: false,
        trunk: None,
        admitted_by: None,
    };
    let over = CallEntry::Ended {
        id: "n.1".into(),
        at: NOW.plus_minutes(1),
        cause: "BYE".into(),
        ended_by: EndedBy::Remote,
        stats: Some("{}".into()),
    };
    let started = CallEntry::Started { call, dialog: None };
    store.write_records(&[RecordEntry::Call(started), RecordEntry::Call(over)]).await.unwrap();
    let number = |account: AccountId, number: u32, path: &str, request: Value| AuditEntry {
        at: NOW,
        account: Some(account),
        actor: "1-2-0/bob@example.com".into(),
        key: Some(1),
        person: None,
        source: None,
        request_id: Some(format!("{number:016x}")),
        method: "POST".into(),
        path: path.into(),
        status: Some(201),
        before: None,
        after: Some(json!({ "to": NUMBER, "trunk": "p" })),
        request: Some(request),
    };
    let entries = [
        number(bob, 1, "/v1/conferences/Board/participants", json!({ "to": ["+49-30-123456", "+4940"] })),
        number(bob, 2, "/v1/conferences/Board/participants/n.1", json!({ "display_name": "Alice" })),
        number(bob, 3, "/conference_participant_eject", json!({ "of": { "from": "tel:+4930123456" } })),
        number(bob, 4, "/v1/users/+4930123456", json!({ "name": NUMBER })),
        number(eve, 5, "/v1/conferences/Board/participants", json!({ "to": NUMBER })),
    ];
    store.write_audit(&entries).await.unwrap();
    let found = redact(&store, sought(bob)).await;
    assert_eq!(found, Redacted { calls: 1, audit: 3, ..Redacted::default() });
    let query = AuditQuery { limit: 10, ..AuditQuery::default() };
    let mut all: Vec<_> = store.audit(&query).await.unwrap().into_iter().map(|(_, entry)| entry).collect();
    all.reverse();
    assert_eq!(all[0].request, Some(json!({ "to": ["+493012****", "+4940"] })));
    assert_eq!(all[0].after, Some(json!({ "to": "+493012****", "trunk": "p" })));
    assert_eq!(all[1].request, Some(json!({ "display_name": "****" })));
    assert_eq!(all[2].request, Some(json!({ "of": { "from": "+493012****" } })));
    assert_eq!(all[3..], entries[3..], "who may call is configured, and eve is another person");
    let again = redact(&store, sought(bob)).await;
    assert_eq!(again, Redacted::default());
}

fn messages(id: &str, minutes: u32, people: &[&str]) -> CallMessages {
    CallMessages {
        id: id.into(),
        ended_at: NOW.plus_minutes(minutes),
        people: people.iter().map(|text| (*text).to_owned()).collect(),
        messages: json!({ "messages": [id] }),
    }
}

/// A call of the number that is over.
async fn call(store: &Store, account: AccountId, id: &str) {
    let call = CallRecord {
        id: id.into(),
        account,
        service: "conf-Board".into(),
        conference: Some("Board".into()),
        from: NUMBER.into(),
        to: "conf-Board".into(),
        started_at: NOW,
        answered_at: None,
        is_outgoing: false,
        trunk: None,
        admitted_by: None,
    };
    let (at, cause) = (NOW.plus_minutes(1), "486 Busy Here".into());
    let over = CallEntry::Ended { id: id.into(), at, cause, ended_by: EndedBy::Service, stats: None };
    store.write_calls(&[CallEntry::Started { call, dialog: None }, over]).await.unwrap();
}

async fn messages_of_a_person_are_deleted_by_the_account_whose_call_it_was(database: &Database) {
    let store = database.open().await;
    let [bob, eve] = accounts(&store).await;
    for (account, id) in [(bob, "n.1"), (bob, "n.2"), (eve, "n.4")] {
        call(&store, account, id).await;
    }
    let calls = [
        messages("n.1", 1, &["+49-30-123456", "conf-Board"]),
        messages("n.4", 2, &[NUMBER]),
        messages("n.5", 3, &[NUMBER]),
        messages("n.6", 0, &["+4940", "+49301234567"]),
    ];
    store.keep_messages(&calls).await.unwrap();
    let listed = store.calls_with_messages(None, 2).await.unwrap();
    let ids: Vec<_> = listed.iter().map(|(id, ..)| id.as_str()).collect();
    assert_eq!((ids, &listed[0].2), (vec!["n.5", "n.4"], &vec![NUMBER.to_owned()]));
    let rest = store.calls_with_messages(Some((listed[1].1, "n.4")), 2).await.unwrap();
    assert_eq!(rest.iter().map(|(id, ..)| id.as_str()).collect::<Vec<_>>(), ["n.1", "n.6"]);
    let (found, of_calls) = store.redact_number(sought(bob), NOW).await.unwrap();
    assert_eq!(found, Redacted { calls: 2, messages: 1, ..Redacted::default() });
    assert_eq!(of_calls, ["n.1", "n.2"].map(str::to_owned).into());
    assert_eq!(store.messages_of("n.1").await.unwrap(), None);
    for kept in &calls[1..] {
        assert_eq!(store.messages_of(&kept.id).await.unwrap().as_ref(), Some(&kept.messages), "not bob's");
    }
    // Those of a call that got to no service are found by who operates the installation.
    let all = Sought { with_nobodys: true, ..sought(bob) };
    let (found, of_calls) = store.redact_number(all, NOW).await.unwrap();
    assert_eq!(found, Redacted { messages: 1, ..Redacted::default() });
    assert_eq!(of_calls, ["n.5".to_owned()].into());
    assert!(store.messages_of("n.4").await.unwrap().is_some(), "eve's");
    assert!(store.messages_of("n.6").await.unwrap().is_some(), "another number");
}

async fn who_the_records_of_calls_do_not_tell_of_any_more_is_known_by_events(database: &Database) {
    let store = database.open().await;
    let [bob, eve] = accounts(&store).await;
    call(&store, bob, "n.1").await;
    let events =
        [entered(bob, "n.2", 0, "tel:+49-30-123456"), left(bob, "n.2"), entered(eve, "n.3", 0, NUMBER)];
    store.write_events(&events, false).await.unwrap();
    let found = store.participants_of_number(bob, NUMBER).await.unwrap();
    assert_eq!(found, ["n.1", "n.2"].map(str::to_owned).into());
}

async fn guests_of_reservations_that_are_over_are_taken_out_with_their_mails(database: &Database) {
    let store = database.open().await;
    let [bob, _] = accounts(&store).await;
    let guest = |mail: &str, name: &str| Guest {
        mail: mail.into(),
        name: Some(name.into()),
        language: LanguageCode::english(),
    };
    let reserve = async |name: &str, hours: u32| {
        let reservation = Reservation {
            guests: vec![guest("Ann@example.com", "Ann"), guest("ben@example.com", "Ben")],
            token: new_reservation_token(),
            account: bob,
            name: ConferenceName::new(name),
            max_participants: 5,
            starts_at: NOW.plus_minutes(hours * 60),
            duration_minutes: 30,
            divert: None,
            title: None,
            sequence: 0,
            series: None,
        };
        store.reserve(&reservation, 100, 5, NOW).await.unwrap();
        reservation
    };
    let (old, new) = (reserve("Old", 1).await, reserve("New", 48).await);
    let later = NOW.plus_minutes(26 * 60);
    let mut codes = Vec::new();
    for (reservation, mail) in
        [(&old, "Ann@example.com"), (&old, "ben@example.com"), (&new, "Ann@example.com")]
    {
        codes.push(store.guest_code_for(reservation, Some(mail), NOW).await.unwrap());
    }
    let mails = store.due_mails(Timestamp(i64::MAX), 10).await.unwrap();
    assert_eq!(mails.len(), 4, "{mails:?}");
    let sent: Vec<i64> = mails[..3].iter().map(|mail| mail.id).collect();
    store.mails_tried(&sent, Ok(()), NOW).await.unwrap();
    let entry = AuditEntry {
        at: NOW,
        account: Some(bob),
        actor: "1-2-0/bob@example.com".into(),
        key: Some(1),
        person: None,
        source: None,
        request_id: Some("r".into()),
        method: "POST".into(),
        path: "/v1/reservations".into(),
        status: Some(201),
        before: None,
        after: Some(
            json!({ "guests": [{ "mail": "ann@example.com", "name": "Anna" }, { "mail": "ben@example.com" }] }),
        ),
        request: None,
    };
    store.write_audit(&[entry]).await.unwrap();
    let ann = Sought { number: "ann@EXAMPLE.com", how: Redaction::Drop, ..sought(bob) };
    let (found, _) = store.redact_number(ann, later).await.unwrap();
    let mails_of_ann = mails[..3].iter().filter(|mail| mail.guest.mail == "Ann@example.com").count();
    assert_eq!(found, Redacted { guests: 1, mails: mails_of_ann as u64, audit: 1, ..Redacted::default() });
    let open = store.open_reservations(NOW, 5).await.unwrap();
    let left = |of: &Reservation| {
        let stored = open.iter().find(|one| one.token == of.token).unwrap();
        stored.guests.iter().map(|guest| guest.mail.clone()).collect::<Vec<_>>()
    };
    assert_eq!(left(&old), ["ben@example.com"]);
    assert_eq!(left(&new), ["Ann@example.com", "ben@example.com"], "it is to come");
    let query = AuditQuery { limit: 1, ..AuditQuery::default() };
    let after = store.audit(&query).await.unwrap()[0].1.after.clone().unwrap();
    assert_eq!(after["guests"][0]["mail"], "", "{after}");
    assert_eq!(after["guests"][1]["mail"], "ben@example.com");
    assert_eq!(store.due_mails(Timestamp(i64::MAX), 10).await.unwrap().len(), 1, "what waits is sent");
    let [gone, of_ben, to_come] = &codes[..] else { panic!("{codes:?}") };
    assert_eq!(store.check_token(gone, later).await.unwrap(), Token::Unknown, "the link is forgotten");
    assert_eq!(store.check_token(of_ben, later).await.unwrap(), Token::Expired);
    assert!(matches!(store.check_token(to_come, later).await.unwrap(), Token::Guest(_)));
}

async fn messages_are_kept_for_a_while_and_within_bounds(database: &Database) {
    let store = database.open().await;
    let call = messages("n.1", 1, &["a"]);
    store.keep_messages(&[call.clone(), messages("n.2", 2, &["b"]), call]).await.unwrap();
    assert_eq!(store.prune_messages(NOW.plus_minutes(2)).await.unwrap(), 1);
    assert_eq!(store.messages_of("n.1").await.unwrap(), None);
    assert!(store.messages_of("n.2").await.unwrap().is_some());
    let many: Vec<_> = (0..2100).map(|number| messages(&format!("m.{number}"), 3 + number, &[])).collect();
    store.keep_messages(&many).await.unwrap();
    assert_eq!(store.messages_of("m.99").await.unwrap(), None, "2000 calls");
    assert!(store.messages_of("m.100").await.unwrap().is_some());
    // Ten of 7 MB: nine are 63 MB.
    let large = |number: u32| CallMessages {
        messages: Value::String("x".repeat(7 << 20)),
        ..messages(&format!("l.{number}"), 5000 + number, &[])
    };
    for number in 0..10 {
        store.keep_messages(&[large(number)]).await.unwrap();
    }
    assert_eq!(store.messages_of("l.0").await.unwrap(), None);
    assert!(store.messages_of("l.1").await.unwrap().is_some());
    assert_eq!(store.messages_of("m.2099").await.unwrap(), None, "the latest stay");
}

async fn old_events_lose_the_numbers_of_the_other_side_once(database: &Database) {
    let store = database.open().await;
    let [bob, _] = accounts(&store).await;
    let called = Introduction {
        from: "+441908000000".into(),
        to: NUMBER.into(),
        direction: CallDirection::Out,
        ..who("")
    };
    let events = [
        entered(bob, "n.1", 0, NUMBER),
        left(bob, "n.1"),
        event(bob, "n.2", 3, EventKind::ParticipantCalling(called)),
        entered(bob, "n.3", 60, NUMBER),
        entered(bob, "n.4", 4, NUMBER),
    ];
    store.write_events(&events, false).await.unwrap();
    let before = NOW.plus_minutes(10);
    let redact = async |limit| store.redact_old_events(bob, before, Redaction::Mask, limit).await.unwrap();
    assert_eq!((redact(2).await, redact(2).await, redact(2).await), (2, 1, 0));
    let told = log(&store, bob).await;
    assert!(told[0].contains("+493012****") && !told[0].contains("Alice"), "{}", told[0]);
    assert!(told[2].contains("+441908000000") && told[2].contains("+493012****"), "{}", told[2]);
    assert!(told[3].contains(NUMBER) && told[4].contains(NUMBER), "not old yet, and what is behind it waits");
    let later = NOW.plus_minutes(100);
    assert_eq!(store.redact_old_events(bob, later, Redaction::Drop, 10).await.unwrap(), 2);
    let told = log(&store, bob).await;
    assert!(told[0].contains("+493012****"), "it stays as it was: {}", told[0]);
    assert!(!told[3].contains(NUMBER) && !told[4].contains(NUMBER));
}

on_both![
    a_person_is_taken_out_of_events_with_the_names_they_were_shown_by,
    a_person_is_taken_out_of_what_the_audit_log_tells_of_conferences,
    messages_of_a_person_are_deleted_by_the_account_whose_call_it_was,
    who_the_records_of_calls_do_not_tell_of_any_more_is_known_by_events,
    guests_of_reservations_that_are_over_are_taken_out_with_their_mails,
    messages_are_kept_for_a_while_and_within_bounds,
    old_events_lose_the_numbers_of_the_other_side_once,
];
