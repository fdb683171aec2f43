//! What `/v1/operator` shows and does.

use crate::{
    config::Config,
    engine::{EngineHandle, Sampler},
    log,
    tls::Tls,
    trace::Trace,
};
use async_trait::async_trait;
use plenary_api::{
    Ban, BanReason, ConferenceControl, DiskSpace, Health, KeptCall, MediaThread, OperatorControl, Ping,
};
use plenary_conference::Timestamp;
use plenary_media::{MediaHandle, WorkerLoad};
use plenary_model::{AccountId, CallSamples, Trunk};
use plenary_sip::{PingSpec, SipHandle};
use plenary_store::{Store, StoreError};
use plenary_trace::Ladder;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How long the engine may take to answer.
const ENGINE_ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// How long the server of a trunk may take to answer OPTIONS.
const PINGED_WITHIN: Duration = Duration::from_secs(10);

/// The parts of a running service that its operator asks.
pub(crate) struct Operator {
    pub(crate) engine: EngineHandle,
    pub(crate) sip: SipHandle,
    pub(crate) media: MediaHandle,
    pub(crate) store: Store,
    pub(crate) started_at: Timestamp,
    pub(crate) is_overloaded: Arc<AtomicBool>,
    pub(crate) trace: Trace,
    pub(crate) sampler: Sampler,
    pub(crate) tls: Tls,
    /// The effective configuration.
    pub(crate) config: Arc<RwLock<Config>>,
}

impl Operator {
    fn disk(&self) -> Option<DiskSpace> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        let space = plenary_net::disk_space(&config.data).ok()?;
        let recordings = &config.recordings;
        let needed_to_record = recordings.enabled.then_some(recordings.keep_free_bytes);
        Some(DiskSpace { free: space.free, size: space.size, needed_to_record })
    }
}

fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn reason(reason: plenary_sip::BanReason) -> BanReason {
    match reason {
        plenary_sip::BanReason::Unreadable => BanReason::Unreadable,
        plenary_sip::BanReason::AttackTool => BanReason::AttackTool,
        plenary_sip::BanReason::Refused => BanReason::Refused,
        plenary_sip::BanReason::Guessing => BanReason::Guessing,
    }
}

#[async_trait]
impl OperatorControl for Operator {
    async fn bans(&self) -> Vec<Ban> {
        let ban = |ban: plenary_sip::Ban| Ban {
            source: ban.source,
            left: ban.left,
            doubtful: ban.doubtful,
            caller: ban.caller.map(|caller| caller.to_string()),
            reason: reason(ban.reason),
        };
        self.sip.bans().await.into_iter().map(ban).collect()
    }

    async fn lift_ban(&self, source: IpAddr) -> bool {
        self.sip.lift_ban(source).await
    }

    async fn health(&self) -> Health {
        let thread = |load: WorkerLoad| MediaThread {
            calls: load.calls,
            ticks: load.ticks,
            ticks_late: load.ticks_behind + load.ticks_skipped,
            busy: Duration::from_micros(load.busy_us),
        };
        let asked = Instant::now();
        let answers = self.engine.is_alive(ENGINE_ANSWERS_WITHIN).await;
        let engine_answer = answers.then(|| asked.elapsed());
        Health {
            started_at: self.started_at,
            is_draining: self.engine.is_draining(),
            is_overloaded: self.is_overloaded.load(Relaxed),
            engine_answer,
            // Any question does: what is asked of it is whether it answers.
            database_error: self.store.has_sip_users().await.err().map(|error| error.to_string()),
            disk: self.disk(),
            certificate_expires_at: self.tls.expires_at().map(timestamp),
            media: self.media.load().workers.into_iter().map(thread).collect(),
        }
    }

    fn settings(&self) -> Value {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        let mut settings = serde_json::to_value(&*config).unwrap_or_default();
        // The database is written without its password; this is the only other secret.
        let secret = &mut settings["ice"]["turn_secret"];
        *secret = if secret == "" { Value::Null } else { json!("(set)") };
        settings
    }

    async fn ladder(&self, participant: &str) -> Result<Option<Ladder>, StoreError> {
        if let Some(ladder) = self.trace.ladder(participant) {
            return Ok(Some(ladder));
        }
        let stored = self.store.messages_of(participant).await?;
        Ok(stored.as_ref().and_then(Ladder::from_json))
    }

    async fn ladders(
        &self,
        before: Option<(Timestamp, &str)>,
        limit: usize,
    ) -> Result<Vec<KeptCall>, StoreError> {
        let stored = self.store.calls_with_messages(before, limit).await?;
        let mut kept: BTreeMap<(Timestamp, String), KeptCall> = self
            .trace
            .latest(before, limit)
            .into_iter()
            .map(|call| ((call.last_at, call.id.clone()), call))
            .collect();
        for (id, last_at, people) in stored {
            let call = KeptCall { id: id.clone(), last_at, is_over: true, has_failed: true, people };
            kept.entry((last_at, id)).or_insert(call);
        }
        Ok(kept.into_values().rev().take(limit).collect())
    }

    fn forget_ladders(&self, participants: &BTreeSet<String>) {
        self.trace.forget(participants);
    }

    async fn ping(&self, trunk: &Trunk) -> Ping {
        let uri = &trunk.settings.uri;
        let spec = PingSpec {
            uri: uri.to_string(),
            route: trunk.settings.outbound_proxy.iter().map(|proxy| format!("{proxy};lr")).collect(),
            from: format!("{}:{}", uri.scheme, uri.host),
        };
        let asked = Instant::now();
        let outcome = match tokio::time::timeout(PINGED_WITHIN, self.sip.ping(spec)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no answer within {} s", PINGED_WITHIN.as_secs())),
        };
        Ping { outcome, took: asked.elapsed() }
    }

    fn call_samples(&self, call: &str) -> Option<(AccountId, CallSamples)> {
        self.sampler.samples(call)
    }

    fn log(&self, lines: usize) -> Vec<String> {
        log::recent(lines)
    }
}
