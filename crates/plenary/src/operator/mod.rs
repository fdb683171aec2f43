//! The operator's access to a running service: a socket in the data folder, `operator.sock`.
//! Who may open it may also write the database beside it, which is what `plenary account` does; so no key is asked for.
//!
//! One question and one answer, each a line of JSON; then the connection ends.

pub(crate) mod audit;
mod control;

pub(crate) use control::Operator;

use crate::engine::EngineHandle;
use anyhow::{Context, anyhow, bail};
use plenary_calls::{Totals, TrunkTotals};
use plenary_sip::{Ban, BanReason, SipHandle};
use plenary_store::Store;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    net::IpAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    time::timeout,
};
use tracing::{info, warn};

const NAME: &str = "operator.sock";
/// A question is short.
const QUESTION_BYTES_MAX: u64 = 1024;
/// How long either side waits for the other.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Question {
    Bans,
    LiftBan(IpAddr),
    /// Keys were changed in the database.
    KeysChanged,
    /// Which process this is, and how its trunks do.
    Status,
}

/// What a running service says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) pid: i32,
    pub(crate) version: String,
    /// All trunks of all accounts.
    pub(crate) trunks: Vec<TrunkStatus>,
}

/// How a trunk does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TrunkStatus {
    pub(crate) name: String,
    pub(crate) calls: usize,
    /// `None`: it need not be registered with.
    pub(crate) is_registered: Option<bool>,
    pub(crate) last_error: Option<String>,
}

/// Why there is no [`Status`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoService {
    NotRunning,
    /// There may be one, and it cannot be asked.
    Unreachable(String),
}

/// A source that is not answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Banned {
    /// Its address; of IPv6 the first of its network of 64 bits.
    pub(crate) source: IpAddr,
    /// For how long still.
    pub(crate) seconds: u64,
    /// Only what comes from there by datagram and without a password is not answered, for its source may be forged.
    pub(crate) doubtful: bool,
    /// Only this caller from there, and what it asked for; `None`: all.
    #[serde(default)]
    pub(crate) caller: Option<String>,
    /// Why, in words; empty: a service of an earlier version does not say.
    #[serde(default)]
    pub(crate) reason: String,
}

impl From<Ban> for Banned {
    fn from(Ban { source, left, doubtful, caller, reason }: Ban) -> Self {
        let reason = match reason {
            BanReason::Unreadable => "sent what cannot be read",
            BanReason::AttackTool => "is an attack tool",
            BanReason::Refused => "was refused too often",
            BanReason::Guessing => "tried many names",
        };
        // The last second is one too.
        Self {
            source,
            seconds: left.as_secs() + 1,
            doubtful,
            caller: caller.map(|caller| caller.to_string()),
            reason: reason.to_owned(),
        }
    }
}

/// The door of a running service; closed and taken away when dropped.
#[derive(Debug)]
pub(crate) struct Door {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Door {
    /// Opens it in this data folder. That it cannot be opened is logged: calls do not depend on it.
    pub(crate) async fn open(
        data: &Path,
        sip: SipHandle,
        store: Store,
        engine: EngineHandle,
    ) -> Option<Self> {
        let path = data.join(NAME);
        match listen(&path).await {
            Ok(listener) => {
                let task = tokio::spawn(async move {
                    loop {
                        match listener.accept().await {
                            Ok((stream, _)) => {
                                let (sip, store, engine) = (sip.clone(), store.clone(), engine.clone());
                                tokio::spawn(serve(stream, sip, store, engine));
                            }
                            // Out of file descriptors, most likely: waiting helps, spinning does not.
                            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                        }
                    }
                });
                Some(Self { path, task })
            }
            Err(error) => {
                warn!(path = %path.display(), %error, "`plenary ban` will not reach this service");
                None
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
        let _ = fs::remove_file(&self.path);
    }
}

async fn listen(path: &Path) -> io::Result<UnixListener> {
    let listener = match UnixListener::bind(path) {
        // What a service left behind that was killed; not that of one that runs.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if UnixStream::connect(path).await.is_ok() {
                return Err(error);
            }
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        other => other?,
    };
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn serve(stream: UnixStream, sip: SipHandle, store: Store, engine: EngineHandle) {
    let by = stream.peer_cred().map(|who| who.uid()).ok();
    let mut stream = BufReader::new(stream.take(QUESTION_BYTES_MAX));
    let mut line = String::new();
    if !matches!(timeout(EXCHANGE_TIMEOUT, stream.read_line(&mut line)).await, Ok(Ok(_))) {
        return;
    }
    let answer = match serde_json::from_str(&line) {
        Ok(Question::Bans) => {
            let bans: Vec<Banned> = sip.bans().await.into_iter().map(Banned::from).collect();
            serde_json::json!({ "bans": bans })
        }
        Ok(Question::LiftBan(source)) => {
            let lifted = sip.lift_ban(source).await;
            info!(target: "audit", uid = by, %source, lifted, "a ban is to be lifted");
            if lifted {
                let entry = audit::done(audit::command(format!("ban lift {source}"), by, None), None);
                if let Err(error) = store.write_audit(&[entry]).await {
                    warn!(%error, "the lifting of a ban could not be written into the audit log");
                }
            }
            serde_json::json!({ "lifted": lifted })
        }
        Ok(Question::KeysChanged) => {
            store.forget_keys();
            serde_json::json!({ "keys_changed": true })
        }
        Ok(Question::Status) => match timeout(EXCHANGE_TIMEOUT / 2, engine.totals()).await {
            Ok(Ok(totals)) => serde_json::json!({ "status": status_of(&totals) }),
            Ok(Err(_)) | Err(_) => serde_json::json!({ "error": "the engine does not answer" }),
        },
        Err(error) => serde_json::json!({ "error": error.to_string() }),
    };
    let mut stream = stream.into_inner().into_inner();
    let _ = timeout(EXCHANGE_TIMEOUT, stream.write_all(format!("{answer}\n").as_bytes())).await;
}

fn status_of(totals: &Totals) -> Status {
    let trunk = |trunk: &TrunkTotals| TrunkStatus {
        name: trunk.name.clone(),
        calls: trunk.calls,
        is_registered: trunk.is_registered,
        last_error: trunk.last_error.clone(),
    };
    Status {
        pid: std::process::id().cast_signed(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        trunks: totals.trunks.iter().map(trunk).collect(),
    }
}

/// What the service of this data folder says of itself.
pub(crate) async fn status(data: &Path) -> Result<Status, NoService> {
    #[derive(Deserialize)]
    struct Answer {
        status: Status,
    }
    match UnixStream::connect(data.join(NAME)).await {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Err(NoService::NotRunning);
        }
        Err(error) => return Err(NoService::Unreachable(format!("{}: {error}", data.join(NAME).display()))),
    }
    let answer = ask::<Answer>(data, &Question::Status).await;
    answer.map(|answer| answer.status).map_err(|error| NoService::Unreachable(format!("{error:#}")))
}

/// The sources that the service of this data folder does not answer at the moment.
pub(crate) async fn bans(data: &Path) -> anyhow::Result<Vec<Banned>> {
    #[derive(Deserialize)]
    struct Answer {
        bans: Vec<Banned>,
    }
    Ok(ask::<Answer>(data, &Question::Bans).await?.bans)
}

/// Lifts the ban of a source. False: it has none.
pub(crate) async fn lift_ban(data: &Path, source: IpAddr) -> anyhow::Result<bool> {
    #[derive(Deserialize)]
    struct Answer {
        lifted: bool,
    }
    Ok(ask::<Answer>(data, &Question::LiftBan(source)).await?.lifted)
}

/// The service of this data folder looks keys up again. Where none runs, or does not answer, nothing is lost: it believes what it
/// has looked up for a second and no longer.
pub(crate) async fn keys_changed(data: &Path) {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "keys_changed")]
        _done: bool,
    }
    if let Err(error) = ask::<Answer>(data, &Question::KeysChanged).await {
        tracing::debug!(%error, "no service was notified that keys have changed");
    }
}

async fn ask<T: for<'a> Deserialize<'a>>(data: &Path, question: &Question) -> anyhow::Result<T> {
    let path = data.join(NAME);
    let mut stream = UnixStream::connect(&path).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => anyhow!(
            "no service runs on the data folder {}. Name that of the one that does with --data.",
            data.display()
        ),
        io::ErrorKind::PermissionDenied => {
            anyhow!("{} may not be opened. Run this as the user that the service runs as.", path.display())
        }
        _ => anyhow!("{} cannot be opened: {error}", path.display()),
    })?;
    let exchange = async {
        stream.write_all(format!("{}\n", serde_json::to_string(question)?).as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let answer = timeout(EXCHANGE_TIMEOUT, exchange)
        .await
        .map_err(|_| anyhow!("the service does not answer. Its log may say why."))?
        .context("the service did not answer")?;
    match serde_json::from_slice(&answer) {
        Ok(answer) => Ok(answer),
        Err(_) => bail!("the service answers something else. Is it of the same version as this program?"),
    }
}
