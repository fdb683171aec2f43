//! Calls, conferences that are over, what was used, numbers that are taken out, and who changed what.
#![allow(missing_docs)]

#[macro_use]
mod support;

use plenary_model::{
    AccountId, AuditEntry, CallEntry, CallRecord, ConferenceKey, ConferenceName, EndedBy, HistoryEntry,
    HistoryReason, ParticipantId, RecordEntry, Redaction, ReservationToken, Timestamp, UsageBy, UsageKey,
};
use plenary_store::{AuditQuery, CallOutcome, CallsQuery, HistoryQuery, Redacted, Sought, Store, UsageQuery};
use serde_json::json;
use support::Database;

on_both![
    calls_are_listed_from_the_latest_back_by_what_is_asked_for,
    a_conference_is_in_the_history_when_it_is_over_with_who_was_in,
    what_a_crash_left_open_is_closed_as_of_when_the_service_last_ran,
    usage_is_by_day_account_conference_and_trunk,
    a_number_is_taken_out_in_whatever_spelling_and_counted,
    old_numbers_are_masked_once_and_old_records_deleted,
    the_audit_log_is_read_from_the_latest_back_and_pruned,
];

const DAY: i64 = 24 * 60 * 60 * 1000;
const MINUTE: i64 = 60_000;

async fn accounts(store: &Store) -> [AccountId; 2] {
    let (bob, _) = store.create_account_login("1-2-0/bob@example.com").await.unwrap();
    let (eve, _) = store.create_account_login("3-4-5/eve@example.com").await.unwrap();
    [bob.id, eve.id]
}

/// A call that begins at this minute and is answered at once.
fn call(account: AccountId, id: &str, minute: i64) -> CallRecord {
    CallRecord {
        id: id.into(),
        account,
        service: "conf-*".into(),
        conference: Some("Board".into()),
        from: "+4930123456".into(),
        to: "conf-Board".into(),
        started_at: Timestamp(minute * MINUTE),
        answered_at: Some(Timestamp(minute * MINUTE)),
        is_outgoing: false,
        trunk: None,
        admitted_by: Some("network".into()),
    }
}

fn begun(call: CallRecord) -> RecordEntry {
    RecordEntry::Call(CallEntry::Started { call, dialog: None })
}

fn over(id: &str, minute: i64) -> RecordEntry {
    RecordEntry::Call(CallEntry::Ended {
        id: id.into(),
        at: Timestamp(minute * MINUTE),
        cause: "caller hung up".into(),
        ended_by: EndedBy::Remote,
        stats: Some(
            r#"{"codec":"opus","srtp":null,"packets_received":90,"packets_lost":10,"mos_min":3.5}"#.into(),
        ),
    })
}

/// A conference of the history whose participants are in from one minute to another; its last leaving ends it.
fn conference(account: AccountId, id: &str, name: &str, stays: &[(&str, i64, i64)]) -> Vec<RecordEntry> {
    let at = |minute: i64| Timestamp(minute * MINUTE);
    let (first, last) = (stays[0].1, stays.iter().map(|stay| stay.2).max().unwrap());
    let mut entries = vec![HistoryEntry::Began {
        id: id.into(),
        conference: ConferenceKey { account, name: ConferenceName::new(name) },
        at: at(first),
        reservation: (name == "Board").then(|| ReservationToken::new("TOKEN")),
        seats: 10,
    }];
    for (number, (who, from, _)) in stays.iter().enumerate() {
        entries.push(HistoryEntry::Entered {
            id: id.into(),
            participant: ParticipantId::new(*who),
            at: at(*from),
            is_leader: number == 0,
            present: u32::try_from(number + 1).unwrap(),
        });
    }
    for (who, _, to) in stays {
        let (participant, reason) = (ParticipantId::new(*who), HistoryReason::HungUp);
        entries.push(HistoryEntry::Left { id: id.into(), participant, at: at(*to), reason });
    }
    entries.push(HistoryEntry::Ended { id: id.into(), at: at(last), reason: HistoryReason::AllLeft });
    entries.into_iter().map(RecordEntry::Conference).collect()
}

async fn calls_are_listed_from_the_latest_back_by_what_is_asked_for(database: &Database) {
    let store = database.open().await;
    let [bob, eve] = accounts(&store).await;
    let out = CallRecord {
        is_outgoing: true,
        answered_at: None,
        conference: Some("Tea".into()),
        to: "tel:+441908273800".into(),
        trunk: Some("p".into()),
        admitted_by: None,
        ..call(bob, "c", 2)
    };
    let entries = [
        begun(call(bob, "a", 1)),
        begun(call(bob, "b", 2)),
        begun(out),
        begun(call(bob, "d", 3)),
        begun(call(eve, "e", 4)),
        over("a", 9),
        over("c", 4),
    ];
    store.write_records(&entries).await.unwrap();
    let ids = async |query: CallsQuery| {
        let query = CallsQuery { limit: if query.limit == 0 { 10 } else { query.limit }, ..query };
        let found = store.calls(bob, &query).await.unwrap();
        found.into_iter().map(|entry| entry.call.id).collect::<String>()
    };
    let all = CallsQuery::default;
    assert_eq!(ids(all()).await, "dcba");
    assert_eq!(ids(CallsQuery { limit: 2, ..all() }).await, "dc");
    let before = Some((Timestamp(2 * MINUTE), "c".to_owned()));
    assert_eq!(ids(CallsQuery { before, ..all() }).await, "ba", "of one moment, by id");
    assert_eq!(ids(CallsQuery { conference: Some("Tea".into()), ..all() }).await, "c");
    assert_eq!(ids(CallsQuery { to: Some("tel:+441908273800".into()), ..all() }).await, "c");
    assert_eq!(ids(CallsQuery { from: Some("nobody".into()), ..all() }).await, "");
    let (since, until) = (Some(Timestamp(2 * MINUTE)), Some(Timestamp(3 * MINUTE)));
    assert_eq!(ids(CallsQuery { since, until, ..all() }).await, "cb");
    assert_eq!(ids(CallsQuery { is_outgoing: Some(false), ..all() }).await, "dba");
    for (outcome, expected) in
        [(CallOutcome::InProgress, "db"), (CallOutcome::Answered, "a"), (CallOutcome::NotAnswered, "c")]
    {
        assert_eq!(ids(CallsQuery { outcome: Some(outcome), ..all() }).await, expected);
    }
    let one = store.call(bob, "a").await.unwrap().unwrap();
    assert_eq!((one.ended_by, one.cause.as_deref()), (Some(EndedBy::Remote), Some("caller hung up")));
    let quality = one.quality().unwrap();
    assert_eq!(
        (quality.codec.as_deref(), quality.packets_lost, quality.mos_min),
        (Some("opus"), 10, Some(3.5))
    );
    assert_eq!(store.call(eve, "a").await.unwrap(), None, "it is of another account");
}

async fn a_conference_is_in_the_history_when_it_is_over_with_who_was_in(database: &Database) {
    let store = database.open().await;
    let [bob, eve] = accounts(&store).await;
    let mut entries = vec![begun(call(bob, "x", 10)), over("x", 40)];
    entries.extend(conference(bob, "1", "Board", &[("x", 10, 40), ("y", 15, 25)]));
    entries.extend(conference(bob, "2", "Tea", &[("z", 50, 51)]));
    let going_on = conference(bob, "3", "Tea", &[("w", 60, 70)]);
    entries.extend_from_slice(&going_on[..2]);
    let of_nobody = conference(AccountId(99), "4", "Tea", &[("v", 60, 70)]);
    entries.extend(of_nobody);
    // A second time, as after an answer that was lost.
    for _ in 0..2 {
        store.write_records(&entries).await.unwrap();
    }
    let list = async |query: HistoryQuery| {
        let found = store.past_conferences(bob, &HistoryQuery { limit: 10, ..query }).await.unwrap();
        found.into_iter().map(|one| one.id).collect::<String>()
    };
    assert_eq!(list(HistoryQuery::default()).await, "21", "one that goes on is not history");
    assert_eq!(list(HistoryQuery { before: Some("2".into()), ..HistoryQuery::default() }).await, "1");
    assert_eq!(list(HistoryQuery { conference: Some("Tea".into()), ..HistoryQuery::default() }).await, "2");
    let since = Some(Timestamp(20 * MINUTE));
    assert_eq!(list(HistoryQuery { since, ..HistoryQuery::default() }).await, "2");
    assert_eq!(list(HistoryQuery { until: since, ..HistoryQuery::default() }).await, "1");

    let (board, stays) = store.past_conference(bob, "1").await.unwrap().unwrap();
    assert_eq!((board.is_reserved, board.seats, board.peak, board.entries), (true, 10, 2, 2));
    assert_eq!(board.present_ms, 40 * MINUTE);
    assert_eq!((board.started_at, board.ended_at), (Timestamp(10 * MINUTE), Timestamp(40 * MINUTE)));
    assert_eq!(board.end_reason, HistoryReason::AllLeft);
    let told: Vec<_> = stays
        .iter()
        .map(|stay| (stay.participant.as_str(), stay.is_leader, stay.from.as_deref(), stay.is_outgoing))
        .collect();
    assert_eq!(told, [("x", true, Some("+4930123456"), Some(false)), ("y", false, None, None)]);
    assert_eq!((stays[1].left_at, stays[1].leave_reason), (Timestamp(25 * MINUTE), HistoryReason::HungUp));
    assert_eq!(store.past_conference(eve, "1").await.unwrap(), None, "it is of another account");
    assert_eq!(store.past_conference(bob, "3").await.unwrap(), None, "it goes on");
}

async fn what_a_crash_left_open_is_closed_as_of_when_the_service_last_ran(database: &Database) {
    let store = database.open().await;
    let [bob, _] = accounts(&store).await;
    assert_eq!(store.last_alive().await.unwrap(), None);
    for minute in [20, 30] {
        store.note_alive(Timestamp(minute * MINUTE)).await.unwrap();
    }
    let mut entries = vec![begun(call(bob, "x", 10)), begun(call(bob, "late", 35))];
    entries.extend_from_slice(&conference(bob, "1", "Board", &[("x", 10, 40), ("late", 35, 40)])[..3]);
    let made = HistoryEntry::MadeLeader { id: "1".into(), participant: ParticipantId::new("late") };
    entries.push(RecordEntry::Conference(made));
    store.write_records(&entries).await.unwrap();
    let at = store.last_alive().await.unwrap().unwrap();
    assert_eq!(at, Timestamp(30 * MINUTE));
    assert_eq!(store.interrupt_open_calls(at).await.unwrap(), 2);
    assert_eq!(store.interrupt_open_conferences(at).await.unwrap(), 1);
    assert_eq!(store.interrupt_open_conferences(at).await.unwrap(), 0);
    let x = store.call(bob, "x").await.unwrap().unwrap();
    assert_eq!((x.ended_at, x.ended_by), (Some(at), Some(EndedBy::Network)));
    let (board, stays) = store.past_conference(bob, "1").await.unwrap().unwrap();
    assert_eq!((board.ended_at, board.end_reason, board.peak), (at, HistoryReason::Interrupted, 2));
    // Who came after it was last written down that the service runs was in for no time.
    let told: Vec<_> = stays.iter().map(|stay| (stay.left_at.0 / MINUTE, stay.is_leader)).collect();
    assert_eq!((told, board.present_ms), (vec![(30, true), (35, true)], 20 * MINUTE));
}

async fn usage_is_by_day_account_conference_and_trunk(database: &Database) {
    let store = database.open().await;
    let [bob, eve] = accounts(&store).await;
    let midnight = 1440;
    let mut entries = vec![
        begun(call(bob, "a", 10)),
        over("a", 30),
        // Over midnight.
        begun(CallRecord { trunk: Some("p".into()), ..call(bob, "b", midnight - 10) }),
        over("b", midnight + 5),
        // Never answered.
        begun(CallRecord { answered_at: None, is_outgoing: true, ..call(bob, "c", 40) }),
        over("c", 41),
        // It goes on.
        begun(CallRecord {
            is_outgoing: true,
            conference: None,
            trunk: Some("p".into()),
            ..call(bob, "d", midnight + 50)
        }),
        begun(call(eve, "e", 10)),
        over("e", 11),
    ];
    entries.extend(conference(bob, "1", "Board", &[("a", 10, 30), ("q", 20, 40)]));
    entries.extend(conference(bob, "2", "Tea", &[("b", midnight - 10, midnight + 5)]));
    store.write_records(&entries).await.unwrap();
    let usage = async |by, account: Option<AccountId>| {
        let query = UsageQuery {
            account,
            from: Timestamp(0),
            to: Timestamp(3 * DAY),
            now: Timestamp((midnight + 60) * MINUTE),
            by,
        };
        let lines = store.usage(query).await.unwrap();
        lines
            .into_iter()
            .map(|(key, line)| {
                let minutes = [line.incoming_ms, line.outgoing_ms, line.seat_ms, line.reserved_seat_ms];
                (key, line.calls, minutes.map(|ms| ms / MINUTE), line.conferences, line.peak_seats)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        usage(UsageBy::Day, Some(bob)).await,
        [
            (UsageKey::Day(Timestamp(0)), 2, [30, 0, 50, 300], 2, 2),
            (UsageKey::Day(Timestamp(DAY)), 1, [5, 10, 5, 0], 0, 1),
        ]
    );
    assert_eq!(
        usage(UsageBy::Account, None).await,
        [
            (UsageKey::Account(bob), 3, [35, 10, 55, 300], 2, 2),
            (UsageKey::Account(eve), 1, [1, 0, 0, 0], 0, 0),
        ]
    );
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(
        usage(UsageBy::Conference, Some(bob)).await,
        [
            (UsageKey::Conference(bob, None), 1, [0, 10, 0, 0], 0, 0),
            (UsageKey::Conference(bob, named("Board")), 2, [35, 0, 40, 300], 1, 2),
            (UsageKey::Conference(bob, named("Tea")), 0, [0, 0, 15, 0], 1, 1),
        ]
    );
    assert_eq!(
        usage(UsageBy::Trunk, Some(bob)).await,
        [
            (UsageKey::Trunk(bob, None), 1, [20, 0, 0, 0], 0, 0),
            (UsageKey::Trunk(bob, named("p")), 2, [15, 10, 0, 0], 0, 0),
        ]
    );
}

async fn a_number_is_taken_out_in_whatever_spelling_and_counted(database: &Database) {
    let store = database.open().await;
    let [bob, eve] = accounts(&store).await;
    let out = CallRecord {
        is_outgoing: true,
        from: "+441908000000".into(),
        to: "tel:+49-30-123456".into(),
        ..call(bob, "b", 2)
    };
    let other = CallRecord { from: "+49301234567".into(), ..call(bob, "c", 3) };
    let mut entries = vec![begun(call(bob, "a", 1)), begun(out), begun(other), begun(call(bob, "d", 4))];
    entries.extend([over("a", 9), over("b", 9), over("c", 9), begun(call(eve, "e", 1)), over("e", 9)]);
    entries.extend(conference(bob, "1", "Board", &[("a", 1, 9), ("c", 2, 9)]));
    store.write_records(&entries).await.unwrap();
    let mask = async |number: &str, how| {
        let sought = Sought { account: bob, with_nobodys: false, number, how };
        store.redact_number(sought, Timestamp(DAY)).await.unwrap().0
    };
    assert_eq!(mask("+4940", Redaction::Drop).await, Redacted::default());
    assert_eq!(
        mask("+49(30)123456", Redaction::Mask).await,
        Redacted { calls: 2, history: 1, ..Redacted::default() }
    );
    let texts = async |account, id: &str| {
        let call = store.call(account, id).await.unwrap().unwrap().call;
        (call.from, call.to)
    };
    assert_eq!(texts(bob, "a").await, ("+493012****".to_owned(), "conf-Board".to_owned()));
    assert_eq!(texts(bob, "b").await, ("+441908000000".to_owned(), "+493012****".to_owned()));
    assert_eq!(texts(bob, "c").await.0, "+49301234567", "another number");
    assert_eq!(texts(bob, "d").await.0, "+4930123456", "it goes on");
    assert_eq!(texts(eve, "e").await.0, "+4930123456", "of another account");
    let (_, stays) = store.past_conference(bob, "1").await.unwrap().unwrap();
    assert_eq!(stays[0].from.as_deref(), Some("+493012****"), "the history shows what the record has");
    assert_eq!(mask("+4930123456", Redaction::Drop).await, Redacted::default(), "it is there no more");
    store.write_records(&[over("d", 20)]).await.unwrap();
    assert_eq!(mask("+4930123456", Redaction::Drop).await, Redacted { calls: 1, ..Redacted::default() });
    assert_eq!(texts(bob, "d").await.0, "");
}

async fn old_numbers_are_masked_once_and_old_records_deleted(database: &Database) {
    let store = database.open().await;
    let [bob, _] = accounts(&store).await;
    let out = CallRecord { is_outgoing: true, to: "alice".into(), ..call(bob, "b", 2) };
    let mut entries =
        vec![begun(call(bob, "a", 1)), begun(out), begun(call(bob, "c", 3)), begun(call(bob, "d", 4))];
    entries.extend([over("a", 10), over("b", 11), over("c", 50)]);
    entries.extend(conference(bob, "1", "Board", &[("a", 1, 10)]));
    entries.extend(conference(bob, "2", "Tea", &[("c", 3, 50)]));
    store.write_records(&entries).await.unwrap();
    let before = Timestamp(20 * MINUTE);
    let mask = async || store.redact_old(before, Redaction::Mask, Timestamp(DAY), 1).await.unwrap();
    assert_eq!((mask().await, mask().await, mask().await), (1, 1, 0), "each once");
    let texts = async |id: &str| {
        let call = store.call(bob, id).await.unwrap().unwrap().call;
        (call.from, call.to)
    };
    assert_eq!(texts("a").await, ("+493012****".to_owned(), "conf-Board".to_owned()), "our own name stays");
    assert_eq!(texts("b").await, ("+4930123456".to_owned(), "****".to_owned()));
    assert_eq!(texts("c").await.0, "+4930123456", "not old yet");
    assert_eq!(store.prune_history(before, 1).await.unwrap(), 2, "a call and a conference");
    assert_eq!(store.prune_history(before, 10).await.unwrap(), 1);
    assert_eq!(store.prune_history(before, 10).await.unwrap(), 0);
    let all = CallsQuery { limit: 10, ..CallsQuery::default() };
    let left: Vec<_> = store.calls(bob, &all).await.unwrap().into_iter().map(|one| one.call.id).collect();
    assert_eq!(left, ["d", "c"], "one that goes on is not old");
    assert!(store.past_conference(bob, "1").await.unwrap().is_none());
    assert!(store.past_conference(bob, "2").await.unwrap().is_some());
}

async fn the_audit_log_is_read_from_the_latest_back_and_pruned(database: &Database) {
    let store = database.open().await;
    let [bob, eve] = accounts(&store).await;
    let entry = |number: i64, account: Option<AccountId>| AuditEntry {
        at: Timestamp(number * 1000),
        account,
        actor: account.map_or("uid 0", |_| "1-2-0/bob@example.com").to_owned(),
        key: account.map(|account| account.0),
        person: account.is_none().then_some(7),
        source: account.map(|_| "198.51.100.7".to_owned()),
        request_id: account.map(|_| format!("{number:016x}")),
        method: "PUT".into(),
        path: format!("/v1/rooms/{number}"),
        status: Some(200),
        before: None,
        after: Some(json!({ "conference": "B\u{0}oard", "has_pin": true })),
        request: None,
    };
    let entries = [entry(1, Some(bob)), entry(2, Some(eve)), entry(3, None), entry(10, Some(bob))];
    store.write_audit(&entries).await.unwrap();
    let list = async |query: AuditQuery| store.audit(&AuditQuery { limit: 10, ..query }).await.unwrap();
    let all = list(AuditQuery::default()).await;
    assert_eq!(all.iter().map(|(_, entry)| entry.clone()).collect::<Vec<_>>(), {
        let mut latest_first = entries.to_vec();
        latest_first.reverse();
        latest_first
    });
    let paths = async |query: AuditQuery| {
        list(query).await.into_iter().map(|(_, entry)| entry.path).collect::<Vec<_>>()
    };
    let all_queries = AuditQuery::default;
    let of_bob = AuditQuery { account: Some(bob), ..all_queries() };
    assert_eq!(paths(of_bob).await, ["/v1/rooms/10", "/v1/rooms/1"]);
    let of_one = AuditQuery { path: Some("/v1/rooms/1".into()), ..all_queries() };
    assert_eq!(paths(of_one).await, ["/v1/rooms/10", "/v1/rooms/1"], "what it begins");
    assert_eq!(paths(AuditQuery { path: Some("%".into()), ..all_queries() }).await, [""; 0]);
    let (since, until) = (Some(Timestamp(2000)), Some(Timestamp(10_000)));
    assert_eq!(paths(AuditQuery { since, until, ..all_queries() }).await, ["/v1/rooms/3", "/v1/rooms/2"]);
    assert_eq!(
        paths(AuditQuery { before: Some(all[1].0), ..all_queries() }).await,
        ["/v1/rooms/2", "/v1/rooms/1"]
    );
    assert_eq!(store.prune_audit(Timestamp(3000), 1).await.unwrap(), 1);
    assert_eq!(store.prune_audit(Timestamp(3000), 10).await.unwrap(), 1);
    assert_eq!(paths(AuditQuery::default()).await, ["/v1/rooms/10", "/v1/rooms/3"]);
}
