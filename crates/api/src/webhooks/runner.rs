//! One task per webhook: it takes events of the log in order, and sends each until it is taken, or too old.

use super::{
    client::{Answered, Client, Message, SendError},
    sign::signatures,
};
use crate::time::now;
use data_encoding::HEXLOWER;
use ipnet::IpNet;
use plenary_model::{
    AccountId, Actor, Delivery, DeliveryState, EventKind, EventRecord, StoredWebhook, Timestamp,
    WebhookSettings,
};
use plenary_store::{
    Change, ChangeError, Changed, Store, StoreError, StoredEvent, Tried, WebhookError, WebhookJob,
};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_rustls::rustls::ClientConfig;
use tracing::{info, warn};

/// How long after a try that failed the next one comes; the last pause repeats.
const PAUSES: [Duration; 10] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3600),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(4 * 3600),
    Duration::from_secs(8 * 3600),
];
/// The longest pause that an endpoint can ask for.
const PAUSE_MAX: Duration = PAUSES[PAUSES.len() - 1];
/// The endpoint is there no more, and wants nothing any more (RFC 9110, 15.5.11).
const GONE: u16 = 410;
/// An event that was not taken so long after it happened is given up.
const GIVEN_UP_MS: i64 = 3 * 24 * 3600 * 1000;
/// How long a process has the right to send, unless it takes it again.
const LEASE_MS: i64 = 60_000;
/// It takes it again so soon; a message takes fifteen seconds at the most.
const LEASED_AGAIN: Duration = Duration::from_secs(20);
/// How soon webhooks of other processes, and events that they write, are looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How soon a database that cannot be used is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// How far events were passed over is written down this often.
const PASSED_FOR: Duration = Duration::from_secs(60);
/// Deliveries are kept so long.
const KEPT_MS: i64 = 14 * 24 * 3600 * 1000;
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
/// Events that are read at once.
const PAGE: usize = 200;
/// Messages that are under way at a time, over all webhooks that have taken the last one.
const SENDING_MAX: usize = 512;
/// The same of webhooks that were sent nothing yet since the start, or since their last change; also by hand.
const SENDING_FIRST_MAX: usize = 256;
/// The same of webhooks that did not take the last one. Where many hang, those that are well wait neither for them nor for new ones.
const SENDING_AGAIN_MAX: usize = 256;
/// Deliveries that are deleted at once.
const PRUNED_AT_ONCE: usize = 500;

/// Sends events to webhooks. Clones share the tasks.
#[derive(Clone)]
pub struct Webhooks(Arc<Inner>);

struct Inner {
    store: Store,
    client: Client,
    /// By which leases name this process.
    owner: String,
    changed: Notify,
    sending: Semaphore,
    sending_first: Semaphore,
    sending_again: Semaphore,
}

impl fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhooks").field("owner", &self.0.owner).finish_non_exhaustive()
    }
}

/// The task that looks after the tasks of webhooks.
#[derive(Debug)]
pub struct Running {
    webhooks: Webhooks,
    task: JoinHandle<()>,
}

impl Running {
    /// Sends nothing any more. What is under way may be sent again.
    pub async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
        let Inner { store, owner, .. } = &*self.webhooks.0;
        if let Err(error) = store.release_webhooks(owner).await {
            warn!(%error, "another process has to wait before it may send to webhooks");
        }
    }
}

impl Webhooks {
    /// Over these connections, to addresses of the internet and of these networks.
    #[must_use]
    pub fn new(store: Store, tls: Arc<ClientConfig>, allow: Vec<IpNet>) -> Self {
        let mut owner = [0; 16];
        getrandom::fill(&mut owner)
            .expect("the kernel's generator does not fail once the system has started");
        Self(Arc::new(Inner {
            store,
            client: Client::new(tls, allow),
            owner: HEXLOWER.encode(&owner),
            changed: Notify::new(),
            sending: Semaphore::new(SENDING_MAX),
            sending_first: Semaphore::new(SENDING_FIRST_MAX),
            sending_again: Semaphore::new(SENDING_AGAIN_MAX),
        }))
    }

    /// Begins to send.
    #[must_use]
    pub fn run(&self) -> Running {
        Running { webhooks: self.clone(), task: tokio::spawn(self.clone().look_after()) }
    }

    /// Webhooks have been made, changed or deleted.
    pub fn changed(&self) {
        self.0.changed.notify_one();
    }

    /// Sends a message that says nothing, to see whether it arrives. What came of it is written down by `store`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn test(
        &self,
        store: &Store,
        account: AccountId,
        webhook: &StoredWebhook,
    ) -> Result<Delivery, StoreError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).expect("as above");
        let at = now();
        let event = EventRecord {
            at,
            conference: None,
            participant_id: None,
            actor: Actor::system(),
            reason: None,
            kind: EventKind::WebhookTest {},
        };
        let body = serde_json::to_string(&event).map_err(|error| damaged(&error))?;
        let delivery = Delivery {
            id: format!("test_{}", HEXLOWER.encode(&random)),
            seq: None,
            event_type: event.kind.name().to_owned(),
            state: DeliveryState::Pending,
            attempts: 0,
            status: None,
            error: None,
            duration_ms: 0,
            created_at: at,
            tried_at: at,
        };
        self.beside(store, account, webhook, delivery, &body).await
    }

    /// Sends a delivery again, beside the order of events. `None`: the event is not kept any more, or it was a test. What came of it is
    /// written down by `store`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resend(
        &self,
        store: &Store,
        account: AccountId,
        webhook: &StoredWebhook,
        delivery: Delivery,
    ) -> Result<Option<Delivery>, StoreError> {
        let Some(seq) = delivery.seq else { return Ok(None) };
        let found = self.0.store.events_after(account, seq - 1, 1).await?;
        let Some(event) = found.into_iter().find(|event| event.seq == seq) else { return Ok(None) };
        self.beside(store, account, webhook, delivery, &event.json()).await.map(Some)
    }

    async fn beside(
        &self,
        store: &Store,
        account: AccountId,
        webhook: &StoredWebhook,
        delivery: Delivery,
        body: &str,
    ) -> Result<Delivery, StoreError> {
        let secrets = self.0.store.webhook_secrets(account, &webhook.name).await?;
        let was_pending = delivery.state == DeliveryState::Pending && delivery.seq.is_some();
        let (mut delivery, _) =
            self.0.send(self.0.places_of(webhook), webhook, &secrets, delivery, body).await;
        if delivery.state == DeliveryState::Pending && !was_pending {
            // Nobody tries it again.
            delivery.state = DeliveryState::Failed;
        }
        store.write_delivery(account, &webhook.name, &delivery).await?;
        Ok(delivery)
    }

    /// Each webhook has a task, as long as it is there.
    async fn look_after(self) {
        let mut tasks: HashMap<(AccountId, String), Task> = HashMap::new();
        let mut pruned: Option<Instant> = None;
        loop {
            match self.0.store.all_webhooks().await {
                Ok(found) => {
                    tasks.retain(|key, task| found.contains(key) && !task.0.is_finished());
                    for (account, name) in found {
                        tasks
                            .entry((account, name.clone()))
                            .or_insert_with(|| Task(tokio::spawn(self.0.clone().serve(account, name))));
                    }
                }
                Err(error) => warn!(%error, "webhooks cannot be listed; trying again"),
            }
            if pruned.is_none_or(|at| at.elapsed() > PRUNE_EVERY) {
                let before = Timestamp(now().0 - KEPT_MS);
                match self.0.store.prune_deliveries(before, PRUNED_AT_ONCE).await {
                    // There may be more.
                    Ok(gone) if gone >= PRUNED_AT_ONCE as u64 => {}
                    Ok(_) => pruned = Some(Instant::now()),
                    Err(error) => {
                        pruned = Some(Instant::now());
                        warn!(%error, "old deliveries cannot be deleted; trying again later");
                    }
                }
            }
            let _ = timeout(RETRY_AFTER, self.0.changed.notified()).await;
        }
    }
}

/// How far events were passed over that the webhook does not want.
struct Passed {
    up_to: i64,
    /// When that was last written down.
    written: Instant,
}

/// The last change of the webhook that has taken the last message of this process. `None`: it has not, or there was none.
type Proven = Option<Timestamp>;

/// A task that ends with its handle.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Inner {
    async fn serve(self: Arc<Self>, account: AccountId, name: String) {
        let mut news = self.store.event_news(account);
        let mut passed = Passed { up_to: 0, written: Instant::now() };
        let mut proven = None;
        loop {
            news.borrow_and_update();
            let pause = match self.turn(account, &name, &mut passed, &mut proven).await {
                Ok(pause) => pause,
                Err(error) => {
                    warn!(%error, webhook = name, account = account.0, "events cannot be sent; trying again");
                    RETRY_AFTER
                }
            };
            // Nothing is due: until there is news, or the process that has the lease gives it back.
            if pause > Duration::ZERO {
                let _ = timeout(pause, news.changed()).await;
            }
        }
    }

    /// Sends what is due. How long nothing is. While nothing is, nothing is written.
    async fn turn(
        &self,
        account: AccountId,
        name: &str,
        passed: &mut Passed,
        proven: &mut Proven,
    ) -> Result<Duration, StoreError> {
        let Some(webhook) = self.store.webhook(account, name).await? else { return Ok(LOOK_AGAIN) };
        if !webhook.settings.enabled {
            return Ok(LOOK_AGAIN);
        }
        let at = now();
        if let Some(next_at) = webhook.next_at.filter(|next_at| *next_at > at) {
            // News change nothing about the pause.
            sleep(Duration::from_millis((next_at.0 - at.0).unsigned_abs()).min(LOOK_AGAIN)).await;
            return Ok(Duration::ZERO);
        }
        // A webhook that was made anew is behind what was passed over for the one before.
        let after =
            if webhook.failures == 0 { webhook.sent_up_to.max(passed.up_to) } else { webhook.sent_up_to };
        let events = self.store.events_after(account, after, PAGE).await?;
        let Some(last) = events.last().map(|event| event.seq) else { return Ok(LOOK_AGAIN) };
        let wants = |event: &StoredEvent| {
            let record = event.record().ok()?;
            webhook.settings.wants(record.kind.name()).then_some(record)
        };
        // Behind a failure something is wanted, unless it is not kept any more: then that is written down at once.
        if webhook.failures == 0
            && passed.written.elapsed() < PASSED_FOR
            && events.iter().all(|event| wants(event).is_none())
        {
            passed.up_to = last;
            return Ok(if events.len() == PAGE { Duration::ZERO } else { LOOK_AGAIN });
        }
        let leased = Instant::now();
        let until = Timestamp(at.0 + LEASE_MS);
        let Some(job) = self.store.lease_webhook(account, name, &self.owner, at, until).await? else {
            return Ok(LOOK_AGAIN);
        };
        if job.webhook != webhook {
            // It was changed, or another process has sent meanwhile.
            return Ok(Duration::ZERO);
        }
        let mut failures = webhook.failures;
        for event in &events {
            let Some(record) = wants(event) else { continue };
            let goes_on = self.deliver(account, &job, failures, event, &record, proven).await?;
            failures = 0;
            if !goes_on || leased.elapsed() > LEASED_AGAIN {
                return Ok(Duration::ZERO);
            }
        }
        let tried = Tried { up_to: Some(last), ..Tried::default() };
        self.store.webhook_tried(account, &webhook, &self.owner, None, &tried).await?;
        *passed = Passed { up_to: last, written: Instant::now() };
        Ok(if events.len() == PAGE { Duration::ZERO } else { LOOK_AGAIN })
    }

    /// Sends one event. `false`: the next one has to wait, or another process sends by now.
    async fn deliver(
        &self,
        account: AccountId,
        job: &WebhookJob,
        failures: u32,
        event: &StoredEvent,
        record: &EventRecord,
        proven: &mut Proven,
    ) -> Result<bool, StoreError> {
        let webhook = &job.webhook;
        let id = message_id(account, webhook, event.seq);
        let before = match failures {
            0 => None,
            _ => self.store.delivery(account, &webhook.name, &id).await?,
        };
        let at = now();
        let delivery = before.unwrap_or_else(|| Delivery {
            id,
            seq: Some(event.seq),
            event_type: record.kind.name().to_owned(),
            state: DeliveryState::Pending,
            attempts: 0,
            status: None,
            error: None,
            duration_ms: 0,
            created_at: at,
            tried_at: at,
        });
        let places = match *proven {
            Some(since) if since == webhook.updated_at => &self.sending,
            _ => self.places_of(webhook),
        };
        let (mut delivery, retry_after) =
            self.send(places, webhook, &job.secrets, delivery, &event.json()).await;
        *proven = matches!(delivery.status, Some(200..=299)).then_some(webhook.updated_at);
        let is_too_old = delivery.tried_at.0 - record.at.0 > GIVEN_UP_MS;
        if delivery.state == DeliveryState::Pending && is_too_old {
            delivery.state = DeliveryState::Failed;
            warn!(
                webhook = webhook.name,
                account = account.0,
                event = event.seq,
                "an event was not taken for three days and is given up"
            );
        }
        let is_gone = delivery.status == Some(GONE);
        let mut webhook = webhook.clone();
        if is_gone {
            // Ahead of why: a change forgets that. Where it is switched on again, it gets what happens from then on.
            webhook = self.switch_off(account, webhook).await?;
            delivery.state = DeliveryState::Failed;
        }
        let tried = match delivery.state {
            DeliveryState::Delivered => {
                if failures > 0 {
                    info!(webhook = webhook.name, account = account.0, "a webhook takes events again");
                }
                Tried { up_to: Some(event.seq), ..Tried::default() }
            }
            DeliveryState::Failed => {
                Tried { up_to: Some(event.seq), last_error: delivery.error.clone(), ..Tried::default() }
            }
            DeliveryState::Pending => {
                let pause = PAUSES[(failures as usize).min(PAUSES.len() - 1)];
                let pause = retry_after.map_or(pause, |asked| asked.clamp(pause, PAUSE_MAX));
                let next_at = Timestamp(delivery.tried_at.0 + pause.as_millis() as i64);
                if failures == 0 {
                    let error = delivery.error.as_deref().unwrap_or_default();
                    warn!(
                        webhook = webhook.name,
                        account = account.0,
                        error,
                        "a webhook does not take an event"
                    );
                }
                Tried {
                    // What was passed over before it is not read again for each try.
                    up_to: Some(event.seq - 1),
                    failures: failures + 1,
                    next_at: Some(next_at),
                    last_error: delivery.error.clone(),
                }
            }
        };
        let is_done = delivery.state != DeliveryState::Pending;
        let is_ours =
            self.store.webhook_tried(account, &webhook, &self.owner, Some(&delivery), &tried).await?;
        Ok(is_done && is_ours && !is_gone)
    }

    /// Sends nothing to a webhook until its account switches it on again; the webhook as it is then. One that was changed meanwhile stays
    /// as it is: another address has not answered.
    async fn switch_off(
        &self,
        account: AccountId,
        webhook: StoredWebhook,
    ) -> Result<StoredWebhook, StoreError> {
        let name = &webhook.name;
        let decide = |before: Option<&StoredWebhook>| {
            let Some(before) = before.filter(|before| before.updated_at == webhook.updated_at) else {
                return Ok(Change::Keep);
            };
            let settings = WebhookSettings { enabled: false, ..before.settings.clone() };
            serde_json::to_value(settings).map(Change::Put)
        };
        match self.store.change_webhook(account, name, decide).await {
            Ok(Changed::Replaced(after)) => {
                warn!(webhook = name, account = account.0, "a webhook answered 410 and is switched off");
                Ok(after)
            }
            Ok(_) => Ok(webhook),
            Err(ChangeError::Refused(error)) => Err(damaged(&error)),
            Err(ChangeError::Store(WebhookError::Store(error))) => Err(error),
            Err(ChangeError::Store(error)) => Err(StoreError::Damaged { what: error.to_string() }),
        }
    }

    /// Where messages wait to a webhook of which it is not known whether it takes them.
    fn places_of(&self, webhook: &StoredWebhook) -> &Semaphore {
        match webhook.failures {
            0 => &self.sending_first,
            _ => &self.sending_again,
        }
    }

    /// Tries once, when one of the places is free. The delivery as it is then: pending where it was not taken; and how long the other side
    /// wants to be left alone.
    async fn send(
        &self,
        places: &Semaphore,
        webhook: &StoredWebhook,
        secrets: &[String],
        delivery: Delivery,
        body: &str,
    ) -> (Delivery, Option<Duration>) {
        let _permit = places.acquire().await;
        let (began, tried_at) = (Instant::now(), now());
        let seconds = tried_at.seconds();
        let signatures = signatures(secrets, &delivery.id, seconds, body);
        let message = Message { id: &delivery.id, seconds, signatures: &signatures, body };
        let answered: Result<Answered, SendError> = self.client.post(&webhook.settings.url, &message).await;
        let retry_after = answered.as_ref().ok().and_then(|answered| answered.retry_after);
        let (state, status, error) = match answered.map(|answered| answered.status) {
            Ok(status @ 200..=299) => (DeliveryState::Delivered, Some(status), None),
            Ok(status @ 300..=399) => {
                let text = format!("answered {status}: redirects are not followed");
                (DeliveryState::Pending, Some(status), Some(text))
            }
            Ok(status) => (DeliveryState::Pending, Some(status), Some(format!("answered {status}"))),
            Err(error) => (DeliveryState::Pending, None, Some(error.to_string())),
        };
        // What was taken once stays taken.
        let state = match delivery.state {
            DeliveryState::Delivered => DeliveryState::Delivered,
            DeliveryState::Pending | DeliveryState::Failed => state,
        };
        let delivery = Delivery {
            state,
            attempts: delivery.attempts.saturating_add(1),
            status,
            error,
            duration_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            tried_at,
            ..delivery
        };
        (delivery, retry_after)
    }
}

/// The same in each try, and of this webhook alone.
fn message_id(account: AccountId, webhook: &StoredWebhook, seq: i64) -> String {
    let of = format!("{} {} {}", account.0, webhook.name, webhook.created_at.0);
    format!("evt_{seq:012}_{}", HEXLOWER.encode(&Sha256::digest(of)[..6]))
}

fn damaged(error: &serde_json::Error) -> StoreError {
    StoreError::Damaged { what: format!("a test of a webhook: {error}") }
}
