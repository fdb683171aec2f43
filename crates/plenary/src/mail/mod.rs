//! Mails to the guests of reservations: what is due in the database is sent, and tried again with growing pauses.
//!
//! Several processes may do so on one database: each takes a mail before it sends it. Dates of a series that are told to one guest
//! at the same time share a mail.

mod text;

use crate::clock::wall_now;
use crate::config::{MailConfig, MailSecurity};
use anyhow::Context;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Attachment, Mailbox, MultiPart, SinglePart, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use plenary_api::{
    Invitations,
    calendar::{About, Recipient, reservation_event, series_events},
};
use plenary_conference::Reservation;
use plenary_model::{
    CalendarAddress, CalendarEvent, CalendarMethod, Guest, MailKind, TimeZone, Timestamp, calendar, login_of,
};
use plenary_store::{MAIL_KEPT_MS, MailContent, QueuedMail, Store, StoreError};
use std::{path::Path, time::Duration};
use tokio::task::JoinHandle;
use tracing::{debug, info, warn};

/// How often is looked for mails that are due.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a server may take for each answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
/// Mails that are looked at together.
const AT_ONCE: usize = 100;
/// How often old ones are deleted.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// How long after a try that failed the next one comes; the last pause repeats.
const PAUSES_S: [i64; 8] = [10, 60, 600, 1800, 3600, 7200, 4 * 3600, 8 * 3600];
/// A mail that was not taken so long after it was written is given up.
const GIVEN_UP_MS: i64 = 3 * 24 * 3_600_000;

/// Sends mails.
struct Sender {
    store: Store,
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    invitations: Invitations,
    /// In whose time guests are told when a reservation is that is of no series.
    zone: TimeZone,
}

/// A mail as it is sent.
struct Letter {
    /// The same when it is sent again.
    id: String,
    kind: MailKind,
    guest: Guest,
    /// What takes place or does not, and of whose time.
    events: Vec<CalendarEvent>,
    zone: TimeZone,
    is_series: bool,
    about: About,
}

/// Begins to send what is in the database; `None`: mail is not configured.
pub(crate) fn start(
    config: &MailConfig,
    zone: Option<TimeZone>,
    authorities: Option<&Path>,
    store: &Store,
) -> anyhow::Result<Option<JoinHandle<()>>> {
    if !config.is_on() {
        return Ok(None);
    }
    let zone = match zone {
        Some(zone) => zone,
        None => TimeZone::new("UTC").context("the time zone UTC")?,
    };
    let address = config.from.parse::<Address>().with_context(|| format!("[mail] from `{}`", config.from))?;
    let sender = Sender {
        store: store.clone(),
        server: server(config, authorities)?,
        from: Mailbox::new(Some("Plenary".to_owned()), address),
        invitations: config.invitations(),
        zone,
    };
    info!(server = %config.host, port = config.port(), "guests of reservations are invited by mail");
    Ok(Some(tokio::spawn(sender.run())))
}

fn server(
    config: &MailConfig,
    authorities: Option<&Path>,
) -> anyhow::Result<AsyncSmtpTransport<Tokio1Executor>> {
    let tls = || -> anyhow::Result<TlsParameters> {
        let mut parameters = TlsParameters::builder(config.host.clone());
        if let Some(path) = authorities {
            let pem = std::fs::read(path)
                .with_context(|| format!("[tls] authorities {} cannot be read", path.display()))?;
            let certificate = Certificate::from_pem(&pem)
                .with_context(|| format!("[tls] authorities {} holds no certificate", path.display()))?;
            parameters = parameters.add_root_certificate(certificate);
        }
        parameters.build().context("TLS for mail cannot be set up")
    };
    let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
        .port(config.port())
        .timeout(Some(ANSWERED_WITHIN))
        .tls(match config.security {
            MailSecurity::StartTls => Tls::Required(tls()?),
            MailSecurity::Tls => Tls::Wrapper(tls()?),
            MailSecurity::None => Tls::None,
        });
    if let Some(path) = &config.password_file {
        let password = std::fs::read_to_string(path)
            .with_context(|| format!("[mail] password_file {} cannot be read", path.display()))?;
        let password = password.trim_end_matches(['\r', '\n']).to_owned();
        server = server.credentials(Credentials::new(config.user.clone(), password));
    }
    Ok(server.build())
}

/// What came of a try.
enum Tried {
    Sent,
    /// The server cannot be used now, whatever the mail.
    NoServer(String),
    /// It may be taken later.
    NotNow(String),
    /// It never will be.
    Never(String),
    /// There is nothing to tell any more.
    Void,
}

impl Sender {
    async fn run(self) {
        let mut pruned_at = tokio::time::Instant::now();
        loop {
            match self.send_due().await {
                Ok(true) => {}
                Ok(false) => tokio::time::sleep(LOOK_EVERY).await,
                Err(error) => {
                    warn!(%error, "mails that are due cannot be read; trying again");
                    tokio::time::sleep(LOOK_EVERY * 5).await;
                }
            }
            if pruned_at.elapsed() >= PRUNE_EVERY {
                pruned_at = tokio::time::Instant::now();
                let before = Timestamp(wall_now().0.saturating_sub(MAIL_KEPT_MS));
                if let Err(error) = self.store.prune_mails(before, AT_ONCE * 10).await {
                    debug!(%error, "old mails cannot be deleted");
                }
            }
        }
    }

    /// Sends what is due. True: there may be more.
    async fn send_due(&self) -> Result<bool, StoreError> {
        let mut due = self.store.due_mails(wall_now(), AT_ONCE).await?;
        let was_full = due.len() == AT_ONCE;
        while !due.is_empty() {
            let group = take_group(&mut due);
            let mut taken = Vec::with_capacity(group.len());
            for mail in group {
                if self.store.take_mail(&mail, wall_now()).await? {
                    taken.push(mail);
                }
            }
            let Some(first) = taken.first() else { continue };
            let (to, kind) = (first.guest.mail.clone(), first.kind.name());
            let tried = match self.letter(&taken).await? {
                Some(letter) => self.send(&letter).await,
                None => Tried::Void,
            };
            let (now, ids) = (wall_now(), taken.iter().map(|mail| mail.id).collect::<Vec<_>>());
            let next = next_try(first, now);
            match tried {
                Tried::Sent | Tried::Void => self.store.mails_tried(&ids, Ok(()), now).await?,
                Tried::NotNow(error) => {
                    warn!(to, kind, error, again = next.is_some(), "a mail was not taken");
                    self.store.mails_tried(&ids, Err((error.as_str(), next)), now).await?;
                }
                Tried::Never(error) => {
                    warn!(to, kind, error, "a mail was refused");
                    self.store.mails_tried(&ids, Err((error.as_str(), None)), now).await?;
                }
                Tried::NoServer(error) => {
                    warn!(error, again = next.is_some(), "the mail server cannot be used");
                    self.store.mails_tried(&ids, Err((error.as_str(), next)), now).await?;
                    // The others would wait for it one after the other.
                    return Ok(false);
                }
            }
        }
        Ok(was_full)
    }

    /// What these mails say together; `None`: nothing any more.
    async fn letter(&self, mails: &[QueuedMail]) -> Result<Option<Letter>, StoreError> {
        let Some(first) = mails.first() else { return Ok(None) };
        let now = wall_now();
        let letter = |events, zone, is_series, about| Letter {
            id: format!("plenary.{}.{}", first.created_at.0, first.id),
            kind: first.kind,
            guest: first.guest.clone(),
            events,
            zone,
            is_series,
            about,
        };
        let pin = mails.iter().find_map(|mail| mail.pin.as_ref());
        let recipient = Recipient::Guest(&first.guest, first.kind, pin);
        if let MailContent::Series(id) = &first.content {
            let Some(series) = self.store.series(first.account, *id).await? else { return Ok(None) };
            let dates = self.store.series_reservations(first.account, *id).await?;
            let Some(any) = dates.first() else { return Ok(None) };
            let about = About::new(&self.store, &self.invitations, any, recipient, now).await?;
            let events = series_events(&series, &dates, &about, now);
            return Ok(Some(letter(events, series.settings.time_zone, true, about)));
        }
        let reservations: Vec<&Reservation> = mails
            .iter()
            .filter_map(|mail| match &mail.content {
                MailContent::Reservation(reservation) => Some(&**reservation),
                MailContent::Series(_) => None,
            })
            .collect();
        let Some(any) = reservations.first() else { return Ok(None) };
        let series = match any.series {
            Some(date) => self.store.series(any.account, date.series).await?.map(|series| series.settings),
            None => None,
        };
        let about = About::new(&self.store, &self.invitations, any, recipient, now).await?;
        let events =
            reservations.iter().map(|one| reservation_event(one, series.as_ref(), &about, now)).collect();
        let zone = series.map_or_else(|| self.zone.clone(), |series| series.time_zone);
        Ok(Some(letter(events, zone, false, about)))
    }

    async fn send(&self, letter: &Letter) -> Tried {
        let message = match self.message(letter) {
            Ok(message) => message,
            Err(error) => return Tried::Never(format!("{error:#}")),
        };
        match self.server.send(message).await {
            Ok(_) => Tried::Sent,
            Err(error) if error.is_permanent() => Tried::Never(error.to_string()),
            Err(error) if error.is_transient() => Tried::NotNow(error.to_string()),
            Err(error) => {
                let mut text = error.to_string();
                if let Some(cause) = std::error::Error::source(&error) {
                    text = format!("{text}: {cause}");
                }
                Tried::NoServer(text)
            }
        }
    }

    fn message(&self, letter: &Letter) -> anyhow::Result<Message> {
        let method = match letter.kind {
            MailKind::Invitation | MailKind::Update => CalendarMethod::Request,
            MailKind::Cancellation => CalendarMethod::Cancel,
        };
        let guest = CalendarAddress { mail: letter.guest.mail.clone(), name: letter.guest.name.clone() };
        let events: Vec<CalendarEvent> = letter
            .events
            .iter()
            .map(|event| CalendarEvent {
                attendees: vec![guest.clone()],
                is_cancelled: method == CalendarMethod::Cancel,
                ..event.clone()
            })
            .collect();
        let invite = calendar(Some(method), None, Some(&letter.zone), &events);
        let said = text::Said::of(letter);
        let kind = format!("text/calendar; charset=utf-8; method={}", method.name());
        let to = Mailbox::new(
            letter.guest.name.clone(),
            letter.guest.mail.parse::<Address>().context("the address")?,
        );
        let alternatives = MultiPart::alternative()
            .singlepart(SinglePart::plain(said.plain))
            .singlepart(SinglePart::html(said.html))
            .singlepart(SinglePart::builder().header(ContentType::parse(&kind)?).body(invite.clone()));
        let file =
            Attachment::new("invite.ics".to_owned()).body(invite, ContentType::parse("application/ics")?);
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(said.subject)
            .message_id(Some(format!("<{}@{}>", letter.id, self.from.email.domain())))
            .multipart(MultiPart::mixed().multipart(alternatives).singlepart(file))
            .context("the mail cannot be written")
    }
}

/// When a mail is tried again; `None`: it is given up.
fn next_try(mail: &QueuedMail, now: Timestamp) -> Option<Timestamp> {
    if now.0.saturating_sub(mail.created_at.0) >= GIVEN_UP_MS {
        return None;
    }
    let pause = PAUSES_S[(mail.attempts as usize).min(PAUSES_S.len() - 1)];
    Some(Timestamp(now.0.saturating_add(pause * 1000)))
}

/// The first of the mails with those that it shares a letter with: dates of one series, told to one guest alike.
fn take_group(due: &mut Vec<QueuedMail>) -> Vec<QueuedMail> {
    let first = due.remove(0);
    let series = |mail: &QueuedMail| match &mail.content {
        MailContent::Reservation(reservation) => reservation.series.map(|date| date.series),
        MailContent::Series(_) => None,
    };
    let Some(of) = series(&first) else { return vec![first] };
    let is_alike = |mail: &QueuedMail| {
        series(mail) == Some(of)
            && mail.kind == first.kind
            && mail.account == first.account
            && login_of(&mail.guest.mail) == login_of(&first.guest.mail)
    };
    let (alike, others): (Vec<_>, Vec<_>) = due.drain(..).partition(is_alike);
    *due = others;
    std::iter::once(first).chain(alike).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plenary_conference::reservation::SeriesDate;
    use plenary_model::{AccountId, ConferenceName, LanguageCode, ReservationToken};

    fn mail(id: i64, series: Option<i64>, kind: MailKind, to: &str) -> QueuedMail {
        let reservation = Reservation {
            token: ReservationToken::new(format!("T{id}")),
            account: AccountId(1),
            name: ConferenceName::new("Board"),
            max_participants: 10,
            starts_at: Timestamp(0),
            duration_minutes: 30,
            divert: None,
            title: None,
            guests: Vec::new(),
            sequence: 0,
            series: series.map(|series| SeriesDate { series, occurrence: Timestamp(id) }),
        };
        QueuedMail {
            id,
            account: AccountId(1),
            kind,
            guest: Guest { mail: to.to_owned(), name: None, language: LanguageCode::english() },
            content: MailContent::Reservation(Box::new(reservation)),
            pin: None,
            attempts: 0,
            created_at: Timestamp(0),
            next_at: Timestamp(0),
        }
    }

    #[test]
    fn dates_of_a_series_that_are_cancelled_together_are_told_in_one_mail() {
        use MailKind::{Cancellation, Update};
        let (ann, ben) = ("ann@example.com", "ben@example.com");
        let mut due = vec![
            mail(1, Some(4), Cancellation, ann),
            mail(2, Some(4), Cancellation, ben),
            mail(3, Some(4), Update, ann),
            mail(4, Some(5), Cancellation, ann),
            mail(5, None, Cancellation, ann),
            mail(6, Some(4), Cancellation, "Ann@example.com"),
        ];
        let ids = |group: Vec<QueuedMail>| group.into_iter().map(|mail| mail.id).collect::<Vec<_>>();
        assert_eq!(ids(take_group(&mut due)), [1, 6]);
        for id in [2, 3, 4, 5] {
            assert_eq!(ids(take_group(&mut due)), [id]);
        }
        assert!(due.is_empty());
    }

    #[test]
    fn the_pauses_grow_and_a_mail_is_given_up_after_three_days() {
        let tried = |attempts, now_s: i64| {
            let mail = QueuedMail { attempts, ..mail(1, None, MailKind::Invitation, "ann@example.com") };
            next_try(&mail, Timestamp(now_s * 1000)).map(|at| at.0 / 1000 - now_s)
        };
        assert_eq!(
            [0, 1, 2, 7, 100].map(|attempts| tried(attempts, 10)),
            [10, 60, 600, 28_800, 28_800].map(Some)
        );
        assert_eq!(tried(3, 3 * 86_400), None);
    }
}
