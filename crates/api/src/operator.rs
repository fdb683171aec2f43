//! What the operator of the installation may ask of it, over all accounts.

use async_trait::async_trait;
use plenary_model::{AccountId, CallSamples, Timestamp, Trunk};
use plenary_store::StoreError;
use plenary_trace::Ladder;
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeSet, net::IpAddr, time::Duration};
use utoipa::ToSchema;

/// The installation as its operator sees it. The implementation decides; HTTP translates.
#[async_trait]
pub trait OperatorControl: Send + Sync {
    /// Sources that SIP does not answer at the moment, the longest ban first.
    async fn bans(&self) -> Vec<Ban>;

    /// Answers a source again, of IPv6 its whole network. False: it is answered.
    async fn lift_ban(&self, source: IpAddr) -> bool;

    /// The health of the service.
    async fn health(&self) -> Health;

    /// The effective configuration, without its secrets.
    fn settings(&self) -> Value;

    /// The messages of a call, by its participant id; `None`: there was no such call, or they are no longer kept.
    ///
    /// # Errors
    /// When the database fails.
    async fn ladder(&self, participant: &str) -> Result<Option<Ladder>, StoreError>;

    /// Calls whose messages are kept, the latest first, before the one that said something last then and has this id, `limit` at the
    /// most.
    ///
    /// # Errors
    /// When the database fails.
    async fn ladders(
        &self,
        before: Option<(Timestamp, &str)>,
        limit: usize,
    ) -> Result<Vec<KeptCall>, StoreError>;

    /// Shows the messages of these calls no more, where they are over; in the database they are deleted already.
    fn forget_ladders(&self, participants: &BTreeSet<String>);

    /// Asks a trunk's server whether it answers (OPTIONS).
    async fn ping(&self, trunk: &Trunk) -> Ping;

    /// How a call sounds that goes on, and whose it is; `None`: there is no such call.
    fn call_samples(&self, call: &str) -> Option<(AccountId, CallSamples)>;

    /// The last lines of the log, the oldest first.
    fn log(&self, lines: usize) -> Vec<String>;
}

/// A call whose messages are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCall {
    /// Its participant id.
    pub id: String,
    /// When it said something last.
    pub last_at: Timestamp,
    /// It is over.
    pub is_over: bool,
    /// It was refused, or broke off.
    pub has_failed: bool,
    /// Numbers and names that stand in its messages.
    pub people: Vec<String>,
}

/// What came of the question whether a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// The final status and its phrase, or why there was none.
    pub outcome: Result<(u16, String), String>,
    /// How long it took, DNS included.
    pub took: Duration,
}

/// Why SIP does not answer a source or a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BanReason {
    /// What it sent could not be read.
    Unreadable,
    /// It calls itself by the name of an attack tool.
    AttackTool,
    /// The caller was refused again and again.
    Refused,
    /// Many different names were tried in vain.
    Guessing,
}

/// A source that SIP does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Its address; of IPv6 the first of its network of 64 bits.
    pub source: IpAddr,
    /// How long it still lasts.
    pub left: Duration,
    /// Only datagrams without a password are not answered, for their source may be forged.
    pub doubtful: bool,
    /// The only caller from there that is not answered, and what it asked for; `None`: all.
    pub caller: Option<String>,
    /// What the source did to be banned.
    pub reason: BanReason,
}

/// The health of the service.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// When it was started.
    pub started_at: Timestamp,
    /// It is going away: new calls should go elsewhere.
    pub is_draining: bool,
    /// There is too much to do: new calls are refused.
    pub is_overloaded: bool,
    /// How long the engine, which decides about all calls, took to answer; `None`: it did not.
    pub engine_answer: Option<Duration>,
    /// What is wrong with the database; `None`: nothing.
    pub database_error: Option<String>,
    /// The space where the data folder is; `None`: it cannot be looked at.
    pub disk: Option<DiskSpace>,
    /// When the certificate of the service expires; `None`: it has none.
    pub certificate_expires_at: Option<Timestamp>,
    /// The threads that mix.
    pub media: Vec<MediaThread>,
}

/// The space of a disk, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// What is left.
    pub free: u64,
    /// All of it.
    pub size: u64,
    /// With less than this left no conference is recorded; `None`: none ever is.
    pub needed_to_record: Option<u64>,
}

/// A thread that moves and mixes audio; counted from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaThread {
    /// Calls.
    pub calls: u64,
    /// Ticks of conferences: 50 a second for each.
    pub ticks: u64,
    /// Ticks that began more than 20 ms late, or were left out.
    pub ticks_late: u64,
    /// Time spent in ticks.
    pub busy: Duration,
}
