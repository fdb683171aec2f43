//! Numbers of people in what is stored of calls, and taking them out.

use crate::{
    Store, StoreError,
    database::{execute, list, postgres::Lock, read, within},
    events::text_of,
    named::at_most,
    reservations::GuestLink,
};
use plenary_model::{AccountId, Guest, Redaction, Said, Timestamp, is_of_person, login_of, redact_json};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

const DOING: &str = "taking personal data out of records";
/// Records that are read at once.
const PAGE: usize = 1000;
/// Conferences know their reservations for so long after their end, at the most.
const KNOWN_MS: i64 = 24 * 3_600_000;

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
    /// Guests of reservations that ended more than a day ago.
    pub guests: u64,
    /// Mails to guests that were sent, or given up.
    pub mails: u64,
}

/// Whom [`Store::redact_number`] looks for, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sought<'a> {
    /// In what is stored of this account.
    pub account: AccountId,
    /// And in messages of calls that are of no account.
    pub with_nobodys: bool,
    /// The number, in any spelling, the name or the mail address.
    pub number: &'a str,
    /// What is left of it.
    pub how: Redaction,
}

/// A person who is looked for.
struct Wanted<'a> {
    account: AccountId,
    with_nobodys: bool,
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

    fn is_guest(&self, guest: &Guest) -> bool {
        login_of(&guest.mail) == login_of(self.number)
            || guest.name.as_deref().is_some_and(|name| self.is_them(name))
    }

    /// It is in mails to them, or was made by hand and is called as they are.
    fn has_link(&self, link: &GuestLink) -> bool {
        link.guest.as_ref().is_some_and(|mail| *mail == login_of(self.number))
            || link.label.as_deref().is_some_and(|label| self.is_them(label))
    }

    /// A path of the web services is about a participant who is them.
    fn is_about(&self, path: &str) -> bool {
        path.split('/').any(|segment| self.participants.contains(segment))
    }
}

impl Store {
    /// Takes a number out of what is stored of an account's calls that are over: records, and so the history of conferences, which
    /// shows it from there; events, and so what is sent to webhooks; the audit log, where it tells of conferences; messages of calls. The
    /// names by which the person was shown go with it. Who was a guest of a reservation goes too, with the links by which they joined.
    /// Beside what was found: the calls whose messages are not to be shown any more.
    ///
    /// # Errors
    /// When the database fails; what was done before stays done.
    pub async fn redact_number(
        &self,
        sought: Sought<'_>,
        at: Timestamp,
    ) -> Result<(Redacted, BTreeSet<String>), StoreError> {
        let Sought { account, with_nobodys, number, how } = sought;
        let present: Vec<String> = read!(self.base, DOING, |on| sqlx::query_scalar(
            "SELECT id FROM ongoing WHERE account_id = $1 AND id <> ''"
        )
        .bind(account.0)
        .fetch_all(on))?;
        let present = present.into_iter().collect();
        let mut wanted =
            Wanted { account, with_nobodys, number, how, participants: BTreeSet::new(), present };
        let (calls, history) = self.redact_calls(&mut wanted, at).await?;
        let events = self.redact_events(&mut wanted).await?;
        let audit = self.redact_audit(&wanted).await?;
        let (guests, logins) = self.redact_guests(&wanted, at).await?;
        let mails = self.forget_mails(&wanted).await?;
        // Behind the guests: a link goes where its guest is invited no more.
        let before = Timestamp(at.0.saturating_sub(KNOWN_MS));
        let is_theirs = |link: &GuestLink| {
            wanted.has_link(link) || link.guest.as_ref().is_some_and(|login| logins.contains(login))
        };
        self.forget_guest_links(account, before, is_theirs).await?;
        let mut of_calls = wanted.participants.clone();
        let messages = self.forget_messages(&wanted, &mut of_calls).await?;
        Ok((Redacted { calls, history, events, audit, messages, guests, mails }, of_calls))
    }

    /// The participants of an account that a number's calls which are over were, by the records of calls or by events, which are not
    /// kept equally long.
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
        let mut after = 0;
        loop {
            let page = self.events_after(account, after, PAGE).await?;
            let is_last = page.len() < PAGE;
            after = page.last().map_or(after, |last| last.seq);
            let named =
                page.iter().filter(|event| says_who(&event.body)).filter_map(|event| event.record().ok());
            let theirs = named.filter(|record| record.is_from(number));
            found.extend(theirs.filter_map(|record| record.participant_id).map(|id| id.to_string()));
            if is_last {
                return Ok(found);
            }
        }
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
            // What was done in conferences, and who was a guest. Elsewhere are names of what is configured: they say who may do what.
            let rows: Vec<AuditRow> = read!(self.base, DOING, |on| {
                sqlx::query_as(
                "SELECT id, path, before_json, after_json, request_json FROM audit WHERE account_id = $1 AND id > $2
                     AND (substr(path, 1, 16) IN ('/v1/conferences/', '/v1/reservations') OR substr(path, 1, 10) = '/v1/series'
                         OR substr(path, 1, 15) = '/v1/guest-links' OR substr(path, 1, 12) = '/conference_')
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
                let takes = |name: &str, text: &str| match name {
                    "display_name" => is_participant || wanted.is_them(text),
                    "mail" => login_of(text) == login_of(wanted.number),
                    _ => wanted.is_them(text),
                };
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

    /// Of reservations that are over; with the logins of their mail addresses. Of others, guests are told what becomes of them: they are
    /// changed by who has booked.
    async fn redact_guests(
        &self,
        wanted: &Wanted<'_>,
        at: Timestamp,
    ) -> Result<(u64, BTreeSet<String>), StoreError> {
        let (mut guests, mut logins, mut after) = (0, BTreeSet::new(), String::new());
        loop {
            let rows: Vec<(String, String)> = read!(self.base, DOING, |on| {
                sqlx::query_as(
                "SELECT token, guests FROM reservations WHERE account_id = $1 AND guests IS NOT NULL AND ends_at < $2
                     AND token > $3 ORDER BY token LIMIT $4"
            )
            .bind(wanted.account.0)
            .bind(at.0.saturating_sub(KNOWN_MS))
            .bind(&after)
            .bind(at_most(PAGE))
            .fetch_all(on)
            })?;
            let is_last = rows.len() < PAGE;
            after = rows.last().map_or(after, |(token, _)| token.clone());
            let mut found = Vec::new();
            for (token, text) in rows {
                let Ok(before) = serde_json::from_str::<Vec<Guest>>(&text) else { continue };
                let (theirs, left): (Vec<Guest>, Vec<Guest>) =
                    before.into_iter().partition(|guest| wanted.is_guest(guest));
                if !theirs.is_empty() {
                    guests += theirs.len() as u64;
                    logins.extend(theirs.iter().map(|guest| login_of(&guest.mail)));
                    let text = (!left.is_empty())
                        .then(|| serde_json::to_string(&left).expect("plain data becomes JSON"));
                    found.push((token, text));
                }
            }
            if !found.is_empty() {
                let mut transaction = self.write_behind(DOING, Lock::Bookings).await?;
                for (token, left) in found {
                    let update = "UPDATE reservations SET guests = $1 WHERE token = $2";
                    execute!(transaction, DOING, sqlx::query(update).bind(left).bind(token))?;
                }
                transaction.commit(DOING).await?;
            }
            if is_last {
                return Ok((guests, logins));
            }
        }
    }

    /// Those that wait to be sent are left: they tell a guest who is one.
    async fn forget_mails(&self, wanted: &Wanted<'_>) -> Result<u64, StoreError> {
        let (mut mails, mut after) = (0, 0);
        loop {
            let rows: Vec<(i64, String)> = read!(self.base, DOING, |on| sqlx::query_as(
                "SELECT id, body FROM mails WHERE account_id = $1 AND next_at IS NULL AND id > $2
                 ORDER BY id LIMIT $3"
            )
            .bind(wanted.account.0)
            .bind(after)
            .bind(at_most(PAGE))
            .fetch_all(on))?;
            let is_last = rows.len() < PAGE;
            after = rows.last().map_or(after, |(id, _)| *id);
            let guest = |body: &str| serde_json::from_str::<MailBody>(body).ok().map(|body| body.guest);
            let theirs =
                rows.into_iter().filter(|(_, body)| guest(body).is_some_and(|one| wanted.is_guest(&one)));
            let found: Vec<i64> = theirs.map(|(id, _)| id).collect();
            if !found.is_empty() {
                let mut transaction = self.write_behind(DOING, Lock::Nothing).await?;
                for id in &found {
                    let delete = "DELETE FROM mails WHERE id = $1 AND next_at IS NULL";
                    mails += execute!(transaction, DOING, sqlx::query(delete).bind(*id))?;
                }
                transaction.commit(DOING).await?;
            }
            if is_last {
                return Ok(mails);
            }
        }
    }

    /// Of calls that were found, and of those in whose messages they stand, which are found by that.
    async fn forget_messages(
        &self,
        wanted: &Wanted<'_>,
        of_calls: &mut BTreeSet<String>,
    ) -> Result<u64, StoreError> {
        let kept = self.people_in_messages(wanted.account, wanted.with_nobodys).await?;
        let is_found = |(id, people): &(String, Vec<String>)| {
            wanted.participants.contains(id) || people.iter().any(|text| wanted.is_them(text))
        };
        let found: Vec<String> = kept.into_iter().filter(is_found).map(|(id, _)| id).collect();
        of_calls.extend(found.iter().cloned());
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

/// What of the body of a mail says to whom it goes.
#[derive(Deserialize)]
struct MailBody {
    guest: Guest,
}

/// An event that may identify a person. Most do not, and need not be read.
fn says_who(body: &str) -> bool {
    body.contains("\"display_name\"")
}

/// id, caller, called
type CallRow = (String, String, String);

/// id, path, before_json, after_json, request_json
type AuditRow = (i64, String, Option<String>, Option<String>, Option<String>);
