//! Measures how long usage takes to add up, beside a year of call records: `usage URL CALLS` on an empty database. One call in ten
//! is of another account; each has a stay in a conference.
#![allow(clippy::print_stdout, reason = "the program prints its measurements")]

use plenary_conference::{ConferenceKey, ConferenceName, ParticipantId, Timestamp};
use plenary_model::{
    AccountId, CallEntry, CallRecord, EndedBy, HistoryEntry, HistoryReason, RecordEntry, UsageBy,
};
use plenary_store::{CallsQuery, Location, Store, UsageQuery};
use std::{error::Error, time::Instant};

const BEGIN: Timestamp = Timestamp::from_seconds(1_900_000_000);
const YEAR_MIN: u64 = 365 * 24 * 60;

/// A conference of ten callers every so often; each stays for 5 to 65 minutes.
fn conference(number: u64, of: u64, account: AccountId) -> Vec<RecordEntry> {
    let at = |minutes: u64| BEGIN.plus_minutes(u32::try_from(minutes).unwrap_or(u32::MAX));
    let starts = number * YEAR_MIN / of.max(1);
    let id = format!("{number:032x}");
    let key = ConferenceKey { account, name: ConferenceName::new(format!("Room{}", number % 100)) };
    let began = HistoryEntry::Began {
        id: id.clone(),
        conference: key.clone(),
        at: at(starts),
        reservation: None,
        seats: 100,
    };
    let mut entries = vec![RecordEntry::Conference(began)];
    for caller in 0..10 {
        let participant = ParticipantId::new(format!("0123456789abcdef.{}", number * 10 + caller));
        let (from, to) = (at(starts + caller), at(starts + 5 + caller + (number * 7 + caller * 13) % 60));
        let call = CallRecord {
            id: participant.to_string(),
            account,
            service: "conf-*".into(),
            conference: Some(key.name.to_string()),
            from: format!("+4930{:07}", number * 10 + caller),
            to: "conf-Room".into(),
            started_at: from,
            answered_at: Some(from),
            is_outgoing: caller == 9,
            trunk: (caller % 2 == 0).then(|| "provider".into()),
            admitted_by: None,
        };
        entries.push(RecordEntry::Call(CallEntry::Started { call, dialog: None }));
        let entered = HistoryEntry::Entered {
            id: id.clone(),
            participant: participant.clone(),
            at: from,
            is_leader: false,
            present: 1,
        };
        entries.push(RecordEntry::Conference(entered));
        let left = HistoryEntry::Left {
            id: id.clone(),
            participant: participant.clone(),
            at: to,
            reason: HistoryReason::HungUp,
        };
        entries.push(RecordEntry::Conference(left));
        let stats = Some(r#"{"mos":4.4,"loss":0.001,"jitter_ms":1.5,"rtt_ms":20.5,"one_way_ms":0}"#.into());
        let (cause, ended_by) = ("BYE".into(), EndedBy::Remote);
        let ended = CallEntry::Ended { id: participant.to_string(), at: to, cause, ended_by, stats };
        entries.push(RecordEntry::Call(ended));
    }
    let ended = HistoryEntry::Ended { id, at: at(starts + 80), reason: HistoryReason::AllLeft };
    entries.push(RecordEntry::Conference(ended));
    entries
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage URL CALLS";
    let url = arguments.next().ok_or(usage)?;
    let calls: u64 = arguments.next().and_then(|text| text.parse().ok()).ok_or(usage)?;
    let store = Store::open_at(&url.parse::<Location>()?).await?;
    let mut accounts = Vec::new();
    for login in ["1-2-0/usage@example.com", "1-2-0/other@example.com"] {
        let account = match store.find_account(login).await? {
            Some(account) => account,
            None => store.create_account_login(login).await?.0,
        };
        accounts.push(account.id);
    }
    let began = Instant::now();
    let conferences = calls / 10;
    let mut batch = Vec::new();
    for number in 0..conferences {
        batch.extend(conference(number, conferences, accounts[usize::from(number % 10 == 9)]));
        if batch.len() >= 20_000 || number + 1 == conferences {
            store.write_records(&std::mem::take(&mut batch)).await?;
        }
    }
    println!("{calls} calls written in {:.1} s", began.elapsed().as_secs_f64());
    let days = |days: u32| BEGIN.plus_minutes(days * 24 * 60);
    for (what, from, to) in [("a day", 180, 181), ("a month", 180, 210), ("a year", 0, 365)] {
        for by in [UsageBy::Day, UsageBy::Conference, UsageBy::Trunk, UsageBy::Account] {
            let account = (by != UsageBy::Account).then_some(accounts[0]);
            let query = UsageQuery { account, from: days(from), to: days(to), now: days(366), by };
            let asked = Instant::now();
            let lines = store.usage(query).await?;
            let calls: u64 = lines.iter().map(|(_, line)| line.calls).sum();
            let peak = lines.iter().map(|(_, line)| line.peak_seats).max().unwrap_or_default();
            let took = asked.elapsed().as_secs_f64() * 1000.0;
            println!(
                "{what} by {}: {took:.0} ms, {} lines, {calls} calls, peak {peak}",
                by.name(),
                lines.len()
            );
        }
    }
    let all = CallsQuery { limit: 100, ..CallsQuery::default() };
    for (what, query) in [
        ("latest calls", all.clone()),
        ("calls of a conference", CallsQuery { conference: Some("Room7".into()), ..all.clone() }),
        ("calls of a number", CallsQuery { from: Some("+49300000007".into()), ..all.clone() }),
        ("calls of a day", CallsQuery { since: Some(days(180)), until: Some(days(181)), ..all }),
    ] {
        let asked = Instant::now();
        let found = store.calls(accounts[0], &query).await?.len();
        println!("{what}: {:.0} ms, {found} found", asked.elapsed().as_secs_f64() * 1000.0);
    }
    store.close().await;
    Ok(())
}
