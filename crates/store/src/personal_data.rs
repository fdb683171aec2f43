//! Numbers of people in what is stored of calls, and taking them out.

use crate::{
    Store, StoreError,
    database::{execute, list, postgres::Lock, read, within},
    events::text_of,
    named::at_most,
};
use plenary_model::{AccountId, Redaction, Said, Timestamp, is_of_person, redact_json};
use serde_json::Value;
use std::collections::BTreeSet;

const DOING: &str = "taking personal data out of records";
/// Records that are read at once.
const PAGE: usize = 1000;

/// What was found of a person, and taken out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Redacted {
    /// Call records.
    pub calls: u64,
    /// Stays in conferences of the history.
    pub history: u64,
    /// Events. What is sent to webhooks is read from there.
    pub events: u64,
    /// Entries of the audit log.
    pub audit: u64,
    /// Calls whose messages were kept.
    pub messages: u64,
}

/// A person who is looked for.
struct Wanted<'a> {
    account: AccountId,
    number: &'a str,
    how: Redaction,
    /// Participants that were found to be them.
    participants: BTreeSet<String>,
    /// Participants who are in, or on their way: what is known of them stays until they have left.
    present: BTreeSet<String>,
}

impl Wanted<'_> {
    fn is_them(&self, text: &str) -> bool {
        is_of_person(text, self.number)
    }

    /// A path of the web services is about a participant who is them.
    fn is_about(&self, path: &str) -> bool {
        path.split('/').any(|segment| self.participants.contains(segment))
    }
}

impl Store {
    /// Takes a number out of what is stored of an account's calls that are over: records, and so the history of conferences, which
    /// shows it from there; events, and so what is sent to webhooks; the audit log, where it tells of conferences; messages of calls. The
    /// names by which the person was shown go with it.
    ///
    /// # Errors
    /// When the database fails; what was done before stays done.
    pub async fn redact_number(
        &self,
        account: AccountId,
        number: &str,
        how: Redaction,
        at: Timestamp,
    ) -> Result<Redacted, StoreError> {
        let present: Vec<String> = read!(self.base, DOING, |on| sqlx::query_scalar(
            "SELECT id FROM ongoing WHERE account_id = $1 AND id <> ''"
        )
        .bind(account.0)
        .fetch_all(on))?;
        let present = present.into_iter().collect();
        let mut wanted = Wanted { account, number, how, participants: BTreeSet::new(), present };
        let (calls, history) = self.redact_calls(&mut wanted, at).await?;
        let events = self.redact_events(&mut wanted).await?;
        let audit = self.redact_audit(&wanted).await?;
        let messages = self.forget_messages(&wanted).await?;
        Ok(Redacted { calls, history, events, audit, messages })
    }

    /// The participants of an account that a number's calls which are over were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn participants_of_number(
        &self,
        account: AccountId,
        number: &str,
    ) -> Result<BTreeSet<String>, StoreError> {
        let mut found = BTreeSet::new();
        let mut after = Some(String::new());
        while let Some(from) = after {
            let (rows, next) = self.calls_after(account, &from).await?;
            let is_them = |text: &String| is_of_person(text, number);
            let theirs = rows.into_iter().filter(|(_, caller, called)| is_them(caller) || is_them(called));
            found.extend(theirs.map(|(id, ..)| id));
            after = next;
        }
        Ok(found)
    }

    /// Calls that are over: id, caller, called. With the id from which on there may be more.
    async fn calls_after(
        &self,
        account: AccountId,
        after: &str,
    ) -> Result<(Vec<CallRow>, Option<String>), StoreError> {
        let rows: Vec<CallRow> = read!(self.base, DOING, |on| {
            sqlx::query_as(
            "SELECT id, caller, called FROM calls WHERE account_id = $1 AND ended_at IS NOT NULL AND id > $2
             ORDER BY id LIMIT $3"
        )
        .bind(account.0)
        .bind(after)
        .bind(at_most(PAGE))
        .fetch_all(on)
        })?;
        let next = rows.last().filter(|_| rows.len() == PAGE).map(|(id, ..)| id.clone());
        Ok((rows, next))
    }

    async fn redact_calls(&self, wanted: &mut Wanted<'_>, at: Timestamp) -> Result<(u64, u64), StoreError> {
        let (mut calls, mut history) = (0, 0);
        let mut after = Some(String::new());
        while let Some(from) = after {
            let (rows, next) = self.calls_after(wanted.account, &from).await?;
            let found: Vec<_> = rows
                .into_iter()
                .filter_map(|(id, caller, called)| {
                    let [is_caller, is_called] = [&caller, &called].map(|text| wanted.is_them(text));
                    let kept = |text: String, is_it| if is_it { wanted.how.apply(&text) } else { text };
                    (is_caller || is_called).then(|| (id, kept(caller, is_caller), kept(called, is_called)))
                })
                .collect();
            calls += found.len() as u64;
            history += self.rewrite(&found, at).await?;
            wanted.participants.extend(found.into_iter().map(|(id, ..)| id));
            after = next;
        }
        Ok((calls, history))
    }

    async fn redact_events(&self, wanted: &mut Wanted<'_>) -> Result<u64, StoreError> {
        let (mut events, mut after) = (0, 0);
        loop {
            let page = self.events_after(wanted.account, after, PAGE).await?;
            let is_last = page.len() < PAGE;
            after = page.last().map_or(after, |last| last.seq);
            let mut found = Vec::new();
            for event in page.iter().filter(|event| says_who(&event.body)) {
                // What another version has written cannot be looked through.
                let Ok(mut record) = event.record() else { continue };
                let id = record.participant_id.as_ref().map(ToString::to_string).unwrap_or_default();
                if wanted.present.contains(&id) {
                    continue;
                }
                if record.is_from(wanted.number) {
                    wanted.participants.insert(id.clone());
                }
                let is_participant = wanted.participants.contains(&id);
                let takes = |said: Said<'_>| said.is_name && is_participant || wanted.is_them(said.text);
                if record.redact(wanted.how, takes) {
                    found.push((event.seq, text_of(&record)?));
                }
            }
            events += found.len() as u64;
            self.rewrite_events(wanted.account, &found).await?;
            if is_last {
                return Ok(events);
            }
        }
    }

    async fn redact_audit(&self, wanted: &Wanted<'_>) -> Result<u64, StoreError> {
        let (mut entries, mut after) = (0, 0);
        loop {
            // What was done in conferences. Elsewhere are names of what is configured: they say who may do what.
            let rows: Vec<AuditRow> = read!(self.base, DOING, |on| {
                sqlx::query_as(
                "SELECT id, path, before_json, after_json, request_json FROM audit WHERE account_id = $1 AND id > $2
                     AND (substr(path, 1, 16) = '/v1/conferences/' OR substr(path, 1, 12) = '/conference_')
                 ORDER BY id LIMIT $3"
            )
            .bind(wanted.account.0)
            .bind(after)
            .bind(at_most(PAGE))
            .fetch_all(on)
            })?;
            let is_last = rows.len() < PAGE;
            after = rows.last().map_or(after, |(id, ..)| *id);
            let mut found = Vec::new();
            for (id, path, before, after, request) in rows {
                let is_participant = wanted.is_about(&path);
                let takes =
                    |name: &str, text: &str| name == "display_name" && is_participant || wanted.is_them(text);
                let mut is_found = false;
                let texts = [before, after, request].map(|text| {
                    let text = text?;
                    let Ok(mut value) = serde_json::from_str::<Value>(&text) else { return Some(text) };
                    if !redact_json(&mut value, wanted.how, &takes) {
                        return Some(text);
                    }
                    is_found = true;
                    Some(value.to_string())
                });
                if is_found {
                    found.push((id, texts));
                }
            }
            entries += found.len() as u64;
            if !found.is_empty() {
                let mut transaction = self.write_behind(DOING, Lock::Nothing).await?;
                for (id, [before, after, request]) in found {
                    let update =
                        "UPDATE audit SET before_json = $1, after_json = $2, request_json = $3 WHERE id = $4";
                    execute!(
                        transaction,
                        DOING,
                        sqlx::query(update).bind(before).bind(after).bind(request).bind(id)
                    )?;
                }
                transaction.commit(DOING).await?;
            }
            if is_last {
                return Ok(entries);
            }
        }
    }

    /// Of calls that were found, and of those in whose messages they stand.
    async fn forget_messages(&self, wanted: &Wanted<'_>) -> Result<u64, StoreError> {
        let kept = self.people_in_messages(wanted.account).await?;
        let is_found = |(id, people): &(String, Vec<String>)| {
            wanted.participants.contains(id) || people.iter().any(|text| wanted.is_them(text))
        };
        let found: Vec<String> = kept.into_iter().filter(is_found).map(|(id, _)| id).collect();
        self.forget_messages_of(&found).await
    }

    async fn rewrite_events(&self, account: AccountId, found: &[(i64, String)]) -> Result<(), StoreError> {
        if found.is_empty() {
            return Ok(());
        }
        let mut transaction = self.write_behind(DOING, Lock::Nothing).await?;
        for (seq, body) in found {
            let update = "UPDATE events SET body = $1 WHERE account_id = $2 AND seq = $3";
            execute!(transaction, DOING, sqlx::query(update).bind(body).bind(account.0).bind(seq))?;
        }
        transaction.commit(DOING).await
    }

    /// Takes the other sides' numbers, and the names by which they were shown, out of events that happened before a time, looking at
    /// `limit` of an account at the most; returns at how many it has looked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn redact_old_events(
        &self,
        account: AccountId,
        before: Timestamp,
        how: Redaction,
        limit: usize,
    ) -> Result<u64, StoreError> {
        let done: Option<i64> = read!(self.base, DOING, |on| sqlx::query_scalar(
            "SELECT redacted_up_to FROM event_logs WHERE account_id = $1"
        )
        .bind(account.0)
        .fetch_optional(on))?;
        let (mut found, mut looked_at, mut up_to) = (Vec::new(), 0, None);
        for event in self.events_after(account, done.unwrap_or_default(), limit).await? {
            let record = event.record();
            if record.as_ref().is_ok_and(|record| record.at >= before) {
                break;
            }
            (looked_at, up_to) = (looked_at + 1, Some(event.seq));
            // What was masked before stays as it is.
            if let Ok(mut record) = record
                && record.redact(how, |said| said.is_theirs && !said.text.ends_with('*'))
            {
                found.push((event.seq, text_of(&record)?));
            }
        }
        if let Some(up_to) = up_to {
            self.rewrite_events(account, &found).await?;
            let mut transaction = self.base.write(DOING, Lock::Nothing).await?;
            let update = "UPDATE event_logs SET redacted_up_to = $1 WHERE account_id = $2";
            execute!(transaction, DOING, sqlx::query(update).bind(up_to).bind(account.0))?;
            transaction.commit(DOING).await?;
        }
        Ok(looked_at)
    }

    /// Takes the other side's number out of records of calls that ended before a time, at most `limit` of them; returns how
    /// many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn redact_old(
        &self,
        before: Timestamp,
        how: Redaction,
        at: Timestamp,
        limit: usize,
    ) -> Result<u64, StoreError> {
        let rows: Vec<(String, String, String, String)> = read!(self.base, DOING, |on| sqlx::query_as(
            "SELECT id, caller, called, direction FROM calls WHERE ended_at < $1 AND redacted_at IS NULL
             ORDER BY ended_at LIMIT $2"
        )
        .bind(before.0)
        .bind(at_most(limit))
        .fetch_all(on))?;
        let found: Vec<_> = rows
            .into_iter()
            .map(|(id, caller, called, direction)| match direction.as_str() {
                "out" => (id, caller, how.apply(&called)),
                _ => (id, how.apply(&caller), called),
            })
            .collect();
        self.rewrite(&found, at).await?;
        Ok(found.len() as u64)
    }

    /// Writes callers and called names anew: id, caller, called. How many stays of the history show them.
    async fn rewrite(&self, found: &[(String, String, String)], at: Timestamp) -> Result<u64, StoreError> {
        if found.is_empty() {
            return Ok(0);
        }
        let mut transaction = self.write_behind(DOING, Lock::Nothing).await?;
        for (id, caller, called) in found {
            let update = "UPDATE calls SET caller = $1, called = $2, redacted_at = $3 WHERE id = $4";
            execute!(transaction, DOING, sqlx::query(update).bind(caller).bind(called).bind(at.0).bind(id))?;
        }
        let count = transaction.text(
            "SELECT COUNT(*) FROM history_participants WHERE participant IN (SELECT value FROM json_each($1))",
            "SELECT COUNT(*) FROM history_participants WHERE participant = ANY (ARRAY (SELECT
                 json_array_elements_text($1::json)))",
        );
        let ids = list(found.iter().map(|(id, ..)| id.as_str()));
        let stays: i64 =
            within!(transaction, DOING, |on| sqlx::query_scalar(count).bind(&ids).fetch_one(on))?;
        transaction.commit(DOING).await?;
        Ok(u64::try_from(stays).unwrap_or_default())
    }
}

/// An event that may identify a person. Most do not, and need not be read.
fn says_who(body: &str) -> bool {
    body.contains("\"display_name\"")
}

/// id, caller, called
type CallRow = (String, String, String);

/// id, path, before_json, after_json, request_json
type AuditRow = (i64, String, Option<String>, Option<String>, Option<String>);
