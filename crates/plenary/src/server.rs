//! A running Plenary: every part started in order, and stopped in the reverse order.

use crate::{
    clock::wall_now,
    config::{CodecOrder, Config},
    engine::{Engine, EngineHandle, Parts, Sampler},
    events,
    forecast::Admissions,
    ice::SharedIce,
    log, mail,
    metrics::{Metrics, meters::Meters},
    operator::{Door, Operator},
    overload,
    recordings::{Keeper, Recordings},
    retention,
    sounds::Sounds,
    tls::{self, Tls},
    trace::{self, Trace},
};
use anyhow::{Context, anyhow};
use async_trait::async_trait;
use plenary_api::{ApiState, ConferenceControl, Followers, RunningWebhooks};
use plenary_calls::{KeyLimits, Settings, media::AudioProcessing};
use plenary_media::{MediaCallId, MediaConfig, MediaHandle, MediaPlane, OpusSettings};
use plenary_model::{AccountId, ConferenceName, ParticipantId};
use plenary_sip::{SipConfig, SipEndpoint, SipHandle, sdp::Preference};
use plenary_speech::Languages;
use plenary_store::Store;
use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, OnceLock, PoisonError, RwLock, atomic::AtomicBool},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    runtime::Handle,
    sync::watch,
    task::{JoinHandle, JoinSet},
};
use tracing::{info, warn};

/// The service, listening.
pub(crate) struct Server {
    /// The effective configuration.
    config: Config,
    in_force: Arc<RwLock<Config>>,
    store: Store,
    /// As whom it uses the database, where others may as well.
    owner: Option<String>,
    engine: EngineHandle,
    sip: SipHandle,
    ice: SharedIce,
    media: MediaHandle,
    recordings: Keeper,
    retention: JoinHandle<()>,
    tls: Tls,
    http_addr: SocketAddr,
    metrics_addr: Option<SocketAddr>,
    https_addr: Option<SocketAddr>,
    sip_addr: SocketAddr,
    stop_http: watch::Sender<bool>,
    http: JoinSet<()>,
    followers: Followers,
    audit: plenary_api::AuditWriter,
    trace: Trace,
    /// Sends events to webhooks.
    sending: RunningWebhooks,
    /// Sends mails to guests, where mail is configured.
    mails: Option<JoinHandle<()>>,
    /// Deletes old events.
    pruning: JoinHandle<()>,
    _door: Option<Door>,
}

/// The languages of prompts. One that is wrong is left out: calls go on in English.
fn languages(config: &Config) -> Languages {
    let (languages, problems) = Languages::load(&config.languages_dir());
    for problem in problems {
        let problem = anyhow::Error::new(problem);
        warn!("a language of prompts is left out: {problem:#}");
    }
    languages
}

impl Server {
    /// Starts everything, or says which part can't be started and what to do.
    pub(crate) async fn start(config: &Config) -> anyhow::Result<Self> {
        // It will hold media, and what only this user may ask the running service for.
        plenary_store::make_folder(&config.data)?;
        let store = Store::open_at(&config.database()).await?;
        // A database of files is in the folder, and the folder is one service's; another one's database may be reached by many.
        let owner = store.patience().map(|_| owner(&config.data));
        if let Some(owner) = &owner {
            store.serve_as(owner, wall_now()).await?;
        }
        let media_dir = config.media_dir();
        std::fs::create_dir_all(&media_dir)
            .with_context(|| format!("the folder {} cannot be made", media_dir.display()))?;

        let listener = TcpListener::bind(config.http).await.map_err(|error| {
            listen_error("the web services cannot listen on", config.http, &error, "--http")
        })?;
        let http_addr = listener.local_addr().context("the web services' address cannot be read")?;

        let metrics_listener = match config.metrics {
            None => None,
            Some(address) => Some(TcpListener::bind(address).await.map_err(|error| {
                listen_error("metrics cannot be read at", address, &error, "`metrics` in the configuration")
            })?),
        };
        let metrics_addr = metrics_listener.as_ref().and_then(|listener| listener.local_addr().ok());

        let tls_files = Tls::load(
            config.tls.certificate.as_deref(),
            config.tls.key.as_deref(),
            config.tls.authorities.as_deref(),
        )?;
        let https = match config.https {
            None => None,
            Some(address) => {
                let listener = TcpListener::bind(address).await.map_err(|error| {
                    listen_error("the web services cannot listen on", address, &error, "--https")
                })?;
                tls_files.server().map(|tls| (listener, tls))
            }
        };
        let https_addr = https.as_ref().and_then(|(listener, _)| listener.local_addr().ok());

        let ice = SharedIce::new(config.ice.clone());
        let (taps, queues) = trace::queues();
        let (sip, sip_events) = SipEndpoint::bind(SipConfig {
            listen: config.sip.0.clone(),
            listen_tls: config.sips.0.clone(),
            tls: tls_files.sip(),
            advertise: config.advertise,
            product: concat!("Plenary/", env!("CARGO_PKG_VERSION")).to_owned(),
            allow_from: config.signalling.allow_from.clone(),
            websockets_from: config.webrtc.allow_from.clone(),
            guard: config.signalling.guard(),
            resolver: config.signalling.resolver.clone(),
            ice_servers: ice.for_signalling(),
            seen: Some(taps.seen),
            ..SipConfig::default()
        })
        .await
        .context("SIP cannot be started (choose another address with --sip)")?;
        let sip_addr = sip.local_addr();

        let identity = tls::make_dtls_identity()?;
        let fingerprint = tls::fingerprint(&identity);
        let languages = Arc::new(languages(config));
        let (media, media_events) = MediaPlane::start_with(
            MediaConfig {
                bind: config.sip.0[0].ip(),
                rtp_ports: config.rtp_ports.first..=config.rtp_ports.last,
                workers: config.media.workers,
                rtp_timeout_ms: config.media.rtp_timeout_seconds.saturating_mul(1000),
                rtp_never_ms: config.media.rtp_never_seconds.saturating_mul(1000),
                media_dir,
                jitter_ms_min: config.media.jitter_ms_min,
                jitter_ms_max: config.media.jitter_ms_max,
                inband_dtmf: config.media.inband_dtmf,
                opus: OpusSettings {
                    bitrate: config.media.opus_bitrate,
                    complexity: config.media.opus_complexity,
                    fec: config.media.opus_fec,
                    dtx: config.media.opus_dtx,
                    expected_loss_percent: config.media.opus_expected_loss_percent,
                    prefers_celt: false,
                },
                dtls: Some(identity),
                rtcp: Some(taps.rtcp),
                ..MediaConfig::default()
            },
            Arc::new(Sounds::new(Arc::clone(&languages), store.clone(), Handle::current())),
        )
        .context("the media plane cannot be started")?;

        let (recordings, cut_off) =
            Recordings::start(config.recordings_dir(), &config.recordings, &config.transcripts, &store)
                .await
                .context("recordings cannot be completed or begun")?;
        let recorder = recordings.recorder.clone();
        let trace = Trace::start(queues, &config.hep, store.clone());
        let admissions = Admissions::default();
        let meters = Arc::new(Meters::default());
        let sampler = Sampler::default();
        let voices = Arc::new(Voices { media: media.clone(), engine: OnceLock::new() });
        let followers =
            Followers::new(store.clone(), config.events.followers_per_account).with_voices(voices.clone());
        let engine = Engine::start(Parts {
            admissions: admissions.clone(),
            store: store.clone(),
            sip: sip.clone(),
            sip_events,
            media: media.clone(),
            media_events,
            reservations: config.reservations.clone(),
            conferences: config.conferences.clone(),
            listening: config.sip.0.iter().map(SocketAddr::ip).collect(),
            fingerprint: Some(fingerprint),
            settings: settings(config),
            languages,
            recorder: recorder.clone(),
            recording_rules: config.recordings.rules(),
            cut_off,
            meters: meters.clone(),
            owner: owner.clone(),
            lost_events: config.data.join("events-lost"),
            trace: trace.clone(),
            followers: followers.clone(),
            sampler: sampler.clone(),
        })
        .await?;
        let _ = voices.engine.set(engine.clone());
        let webhooks =
            plenary_api::Webhooks::new(store.clone(), tls_files.client(), config.webhooks.allow.clone());
        let sending = webhooks.run();
        let pruning = tokio::spawn(events::prune(store.clone(), config.events.clone()));
        let mails =
            mail::start(&config.mail, config.time_zone.clone(), config.tls.authorities.as_deref(), &store)?;
        let recordings = recordings.keep(engine.clone(), store.clone(), config.recordings.days);
        let retention = retention::start(
            store.clone(),
            recorder.archive().clone(),
            config.history.clone(),
            config.audit.clone(),
        );

        let is_overloaded = Arc::new(AtomicBool::new(false));
        let watch = overload::watch(
            engine.clone(),
            media.clone(),
            sip.clone(),
            admissions,
            is_overloaded.clone(),
            meters.clone(),
        );
        tokio::spawn(watch);
        let in_force = Arc::new(RwLock::new(config.clone()));
        let operator = Operator {
            engine: engine.clone(),
            sip: sip.clone(),
            media: media.clone(),
            store: store.clone(),
            started_at: engine.now(),
            is_overloaded,
            trace: trace.clone(),
            sampler: sampler.clone(),
            tls: tls_files.clone(),
            config: in_force.clone(),
        };

        let oidc = config.web.oidc.settings(&config.web.public_url)?;
        if let Some(settings) = &oidc {
            warn_of_rules(&store, settings).await;
        }
        let oidc = oidc.map(|settings| plenary_api::Oidc::new(settings, tls_files.client()));
        let (stop_http, stopped) = watch::channel(false);
        let counters = Arc::<plenary_api::Counters>::default();
        let trusted_proxies = plenary_api::TrustedProxies::new(config.web.trusted_proxies.iter().copied());
        let audit = plenary_api::AuditWriter::new(store.clone());
        let router = plenary_api::router(ApiState {
            store: store.clone(),
            control: Arc::new(engine.clone()),
            operator: Arc::new(operator),
            public_url: (!config.web.public_url.is_empty())
                .then(|| config.web.public_url.trim_end_matches('/').to_owned()),
            allowed_origins: config.web.origins()?,
            trusted_proxies: trusted_proxies.clone(),
            invitations: config.mail.invitations(),
            max_body_bytes: config.web.max_body_bytes,
            media: plenary_api::MediaLimits {
                bytes_max: config.media.sound_max_bytes,
                seconds_max: config.media.sound_max_seconds,
                account_bytes_max: config.media.account_sounds_max_bytes,
                ..plenary_api::MediaLimits::default()
            },
            recordings: plenary_api::Recordings::new(
                recorder.archive().clone(),
                config.recordings.settings(),
            ),
            followers: followers.clone(),
            audit: audit.clone(),
            webhooks,
            oidc,
            request_timeout: Duration::from_secs(config.web.request_timeout_seconds),
            limits: plenary_api::WebLimits {
                requests_per_second: config.web.requests_per_second,
                failures_per_minute: config.web.failures_per_minute,
            },
            counters: counters.clone(),
            realm: config.signalling.realm.clone(),
            on_websocket: Some(on_websocket(sip.clone())),
        });
        let stop = |mut stopped: watch::Receiver<bool>| async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let mut http = JoinSet::new();
        let limits =
            plenary_api::ConnectionLimits { per_source: config.web.connections_per_source, trusted_proxies };
        http.spawn(plenary_api::serve(listener, None, router.clone(), limits.clone(), stop(stopped.clone())));
        if let Some((listener, tls)) = https {
            http.spawn(plenary_api::serve(listener, Some(tls), router, limits, stop(stopped.clone())));
        }
        if let Some(listener) = metrics_listener {
            let metrics = Metrics {
                meters,
                engine: engine.clone(),
                sip: sip.clone(),
                media: media.clone(),
                store: store.clone(),
                web: counters,
                tls: tls_files.clone(),
                trace: trace.clone(),
                config: config.clone(),
            };
            let router = plenary_api::metrics_router(Arc::new(metrics));
            let limits = plenary_api::ConnectionLimits::default();
            http.spawn(plenary_api::serve(listener, None, router, limits, stop(stopped)));
        }
        let door = Door::open(&config.data, sip.clone(), store.clone(), engine.clone()).await;
        info!(http = %http_addr, sip = %sip_addr, "started");
        Ok(Self {
            config: config.clone(),
            in_force,
            store,
            owner,
            engine,
            sip,
            ice,
            media,
            recordings,
            retention,
            tls: tls_files,
            http_addr,
            metrics_addr,
            https_addr,
            sip_addr,
            stop_http,
            http,
            followers,
            audit,
            trace,
            sending,
            mails,
            pruning,
            _door: door,
        })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn engine(&self) -> &EngineHandle {
        &self.engine
    }

    pub(crate) fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    pub(crate) fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    pub(crate) fn sip_addr(&self) -> SocketAddr {
        self.sip_addr
    }

    pub(crate) fn https_addr(&self) -> Option<SocketAddr> {
        self.https_addr
    }

    pub(crate) fn sips_addr(&self) -> Option<SocketAddr> {
        self.sip.local_tls_addr()
    }

    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Takes over what may change, and says what only a restart brings. The certificate is read again.
    pub(crate) async fn reload(&mut self, config: &Config) {
        self.tls.reload();
        let mut kept = self.config.clone();
        kept.advertise = config.advertise;
        kept.time_zone.clone_from(&config.time_zone);
        kept.signalling = config.signalling.clone();
        kept.ice = config.ice.clone();
        kept.media = crate::config::Media {
            codecs: config.media.codecs.clone(),
            codec_order: config.media.codec_order,
            srtp: config.media.srtp,
            automatic_gain: config.media.automatic_gain,
            noise_suppression: config.media.noise_suppression,
            ..kept.media
        };
        kept.drain_seconds = config.drain_seconds;
        kept.log.clone_from(&config.log);
        log::set_levels(&kept.log);
        if kept != *config {
            warn!("the configuration file has changes that only a restart brings: see docs/configuration.md");
        }
        self.ice.set(kept.ice.clone());
        self.sip.set_limits(
            kept.signalling.allow_from.clone(),
            kept.webrtc.allow_from.clone(),
            kept.signalling.guard(),
        );
        self.engine.reconfigure(settings(&kept)).await;
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = kept.clone();
        self.config = kept;
        info!("configuration read again");
    }

    pub(crate) fn drain_within(&self) -> Duration {
        Duration::from_secs(self.config.drain_seconds)
    }

    /// Takes no new calls, and sends away who follows events; returns when the last call is over.
    pub(crate) fn drain(&self) -> impl Future<Output = ()> + Send + 'static {
        let engine = self.engine.clone();
        self.followers.drain();
        async move { engine.drain().await }
    }

    /// Hangs up every call, finishes the requests that are under way, writes what is left to write.
    pub(crate) async fn stop(self, within: Duration) {
        self.engine.stop(within).await;
        // What the end has brought is sent yet.
        self.followers.stop();
        self.pruning.abort();
        if let Some(mails) = self.mails {
            mails.abort();
        }
        self.sending.stop().await;
        let _ = self.stop_http.send(true);
        if tokio::time::timeout(within, self.http.join_all()).await.is_err() {
            warn!("some web service requests did not end in time");
        }
        self.audit.finish().await;
        self.sip.shutdown().await;
        self.trace.finish().await;
        self.media.shutdown();
        self.recordings.stop(within).await;
        self.retention.abort();
        if let Some(owner) = &self.owner
            && let Err(error) = self.store.stop_serving(owner).await
        {
            warn!(%error, "another service has to wait before it may use the database");
        }
        self.store.close().await;
        info!("stopped");
    }
}

/// How a service is known to others that would use its database: by its machine and its folder.
fn owner(data: &Path) -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let folder = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    format!("the one on {} with the data folder {}", machine.trim(), folder.display())
}

/// Who talks says the engine; how loud participants are says the media plane, for their ids name their calls.
struct Voices {
    media: MediaHandle,
    /// Once it has started.
    engine: OnceLock<EngineHandle>,
}

#[async_trait]
impl plenary_api::Voices for Voices {
    async fn talkers(&self, account: AccountId) -> Vec<(ConferenceName, ParticipantId)> {
        match self.engine.get() {
            Some(engine) => engine.talkers(account).await.unwrap_or_default(),
            None => Vec::new(),
        }
    }

    async fn level_dbov(&self, participant: &ParticipantId) -> Option<f32> {
        let (_, call) = participant.as_str().rsplit_once('.')?;
        let stats = self.media.ask_stats(MediaCallId(call.parse().ok()?)).await.ok()?;
        Some(stats.level_dbov)
    }
}

/// What of the configuration may change while the service runs.
fn settings(config: &Config) -> Settings {
    Settings {
        advertise: config.advertise,
        codecs: config.media.codecs.iter().map(|name| name.codec()).collect(),
        preference: match config.media.codec_order {
            CodecOrder::Caller => Preference::Theirs,
            CodecOrder::Ours => Preference::Ours,
        },
        trusted: config.signalling.trusted.clone(),
        realm: config.signalling.realm.clone(),
        digest: config.signalling.digest.iter().map(|name| name.algorithm()).collect(),
        srtp: config.media.srtp.policy(),
        time_zone: config.time_zone.clone(),
        key_limits: KeyLimits {
            calls_per_key: config.webrtc.calls_per_key,
            calls_per_source: config.webrtc.calls_per_source,
            attempts_per_key: config.webrtc.attempts_per_key,
            attempts_per_source: config.webrtc.attempts_per_source,
        },
        processing: AudioProcessing {
            automatic_gain: config.media.automatic_gain,
            noise_suppression: config.media.noise_suppression,
            gain_db: 0.0,
        },
    }
}

/// Says which rules for groups name an account that is not there: they give nothing until it is.
async fn warn_of_rules(store: &Store, settings: &plenary_api::OidcSettings) {
    for rule in &settings.rules {
        let plenary_api::OidcGrant::Role { account, .. } = &rule.gives else { continue };
        if store.find_account(account).await.ok().flatten().is_none() {
            let group = &rule.group;
            warn!(
                group,
                account, "[web.oidc] rules: there is no such account yet, so the group gives nothing there"
            );
        }
    }
}

/// What becomes of a WebSocket that a browser opens at `/sipproxy`: its SIP goes to the others.
fn on_websocket(sip: SipHandle) -> plenary_api::OnWebSocket {
    Arc::new(move |stream, peer: plenary_api::Peer| {
        sip.accept_websocket(Box::new(stream), peer.local, peer.remote, peer.is_secure, peer.is_foreign_page);
    })
}

fn listen_error(what: &str, address: SocketAddr, error: &std::io::Error, flag: &str) -> anyhow::Error {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            anyhow!(
                "{what} {address}: the port is in use. Stop the other program, or choose another port with {flag}."
            )
        }
        std::io::ErrorKind::AddrNotAvailable => {
            anyhow!("{what} {address}: this machine has no such address. Choose one of its own with {flag}.")
        }
        std::io::ErrorKind::PermissionDenied => {
            anyhow!(
                "{what} {address}: not permitted. Ports below 1024 need privileges; choose a higher one with {flag}."
            )
        }
        _ => anyhow!("{what} {address}: {error}. Choose another address with {flag}."),
    }
}
