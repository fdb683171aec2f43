//! The configuration: one typed struct, filled from the defaults, a TOML file, `PLENARY_…` variables and
//! the flags of `plenary serve`, each overriding the one before it.

mod environment;
mod events;
mod hep;
mod history;
mod log;
mod mail;
mod media;
mod oidc;
mod recordings;
mod reservations;
mod sip;
#[cfg(test)]
mod tests;
mod web;
mod webhooks;

pub(crate) use events::EventConfig;
pub(crate) use hep::Hep;
pub(crate) use history::{AuditConfig, HistoryConfig};
pub(crate) use log::{LogFormat, levels_of};
pub(crate) use mail::{MailConfig, MailSecurity};
pub(crate) use media::{CodecName, CodecOrder, Media};
pub(crate) use oidc::OidcConfig;
pub(crate) use recordings::{RecordingConfig, TranscriptConfig};
pub(crate) use sip::{Signalling, WebRtc};
pub(crate) use web::{TlsFiles, Web};
pub(crate) use webhooks::WebhookConfig;

use crate::{ice::IceConfig, port_range::PortRange};
use anyhow::{Context, anyhow, bail};
use environment::KnownKey;
use plenary_conference::{ConferenceLimits, ReservationLimits};
use plenary_model::TimeZone;
use plenary_store::Location;
use serde::{Deserialize, Serialize};
use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

/// Everything that can be set. The keys of the TOML file are the names of the fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Folder of the database, of `media/` and of whatever else must last. Made when missing.
    pub(crate) data: PathBuf,
    /// The database, where it is not the file in the data folder.
    pub(crate) database: Option<DatabaseUrl>,
    /// Where the web services listen.
    pub(crate) http: SocketAddr,
    /// Where they listen under TLS.
    pub(crate) https: Option<SocketAddr>,
    /// Where Prometheus reads metrics. None: nowhere.
    pub(crate) metrics: Option<SocketAddr>,
    /// Where SIP listens, UDP and TCP.
    pub(crate) sip: Addresses,
    /// Where SIP listens under TLS.
    pub(crate) sips: Addresses,
    /// UDP ports for RTP and RTCP: two for each call.
    #[serde(alias = "rtp-ports")]
    pub(crate) rtp_ports: PortRange,
    /// The address that is announced to callers for SIP and RTP, if it is not the one listened on (NAT).
    pub(crate) advertise: Option<IpAddr>,
    /// The time zone in which callers are told times of day, where a room and its entry name none. None: they hear no times of day.
    pub(crate) time_zone: Option<TimeZone>,
    /// On an empty data folder, creates an account and an inbound service to try things with.
    #[serde(alias = "demo-account")]
    pub(crate) demo_account: bool,
    /// How long calls may go on after SIGTERM, in seconds.
    pub(crate) drain_seconds: u64,
    /// What is logged: a level, and levels of modules.
    pub(crate) log: String,
    /// How a line of the log looks.
    pub(crate) log_format: LogFormat,
    /// Certificates.
    pub(crate) tls: TlsFiles,
    /// Web services beyond the listening address.
    pub(crate) web: Web,
    /// SIP beyond the listening address.
    pub(crate) signalling: Signalling,
    /// Browsers that come in by an access key.
    pub(crate) webrtc: WebRtc,
    /// What helps browsers with ICE.
    pub(crate) ice: IceConfig,
    /// The media plane.
    pub(crate) media: Media,
    /// Recordings of conferences.
    pub(crate) recordings: RecordingConfig,
    pub(crate) transcripts: TranscriptConfig,
    /// A capture server.
    pub(crate) hep: Hep,
    /// Records of calls and conferences.
    pub(crate) history: HistoryConfig,
    /// The audit log.
    pub(crate) audit: AuditConfig,
    /// The event log.
    pub(crate) events: EventConfig,
    /// Webhooks.
    pub(crate) webhooks: WebhookConfig,
    /// Mails to guests.
    pub(crate) mail: MailConfig,
    /// The rules of reservations.
    pub(crate) reservations: ReservationLimits,
    /// The rules of conferences.
    pub(crate) conferences: ConferenceLimits,
}

/// One address or several.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub(crate) struct Addresses(pub(crate) Vec<SocketAddr>);

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a socket address as in \"127.0.0.1:5060\", or a list of such")]
        enum OneOrMany {
            One(SocketAddr),
            Many(Vec<SocketAddr>),
        }
        Ok(match OneOrMany::deserialize(deserializer)? {
            OneOrMany::One(address) => Self(vec![address]),
            OneOrMany::Many(addresses) => Self(addresses),
        })
    }
}

/// The URL of a database. Written, it has no password.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DatabaseUrl(pub(crate) Location);

impl Serialize for DatabaseUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // What was given is not repeated: there may be a password in it.
        text.parse().map(Self).map_err(|error| serde::de::Error::custom(format!("database {error}")))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("./plenary-data"),
            database: None,
            http: SocketAddr::from(([127, 0, 0, 1], 8080)),
            https: None,
            metrics: None,
            sip: Addresses(vec![SocketAddr::from(([127, 0, 0, 1], 5060))]),
            sips: Addresses::default(),
            // Below Linux's usual range of ephemeral ports (32768 on), so that outgoing connections never collide.
            rtp_ports: PortRange { first: 10_000, last: 32_767 },
            advertise: None,
            time_zone: None,
            demo_account: false,
            drain_seconds: 600,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
            tls: TlsFiles::default(),
            web: Web::default(),
            signalling: Signalling::default(),
            webrtc: WebRtc::default(),
            ice: IceConfig::default(),
            media: Media::default(),
            recordings: RecordingConfig::default(),
            transcripts: TranscriptConfig::default(),
            hep: Hep::default(),
            history: HistoryConfig::default(),
            audit: AuditConfig::default(),
            events: EventConfig::default(),
            webhooks: WebhookConfig::default(),
            mail: MailConfig::default(),
            reservations: ReservationLimits::default(),
            conferences: ConferenceLimits::default(),
        }
    }
}

impl Config {
    /// Reads `file` (where one is given), then lets the variables of `environment` override it.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        let Some(path) = file else { return Self::of(toml::Table::new(), environment) };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
        Self::read(&text, path, environment)
    }

    /// Reads the text of the file at `path`.
    pub(crate) fn read(
        text: &str,
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        Self::of(read_table(text, path)?, environment)
    }

    fn of(
        mut table: toml::Table,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> anyhow::Result<Self> {
        // Checked before the environment is laid over it, so that a mistake is blamed on the file, with its line.
        environment::overlay(&mut table, &known_keys(), environment)?;
        let config: Self = toml::Value::Table(table).try_into().map_err(|error: toml::de::Error| {
            anyhow!(
                "the PLENARY_… environment variables do not make a valid configuration: {}",
                error.message()
            )
        })?;
        config.check()?;
        Ok(config)
    }

    /// The link by which a person who is invited sets a password.
    pub(crate) fn welcome_link(&self, code: &str) -> String {
        let base = match (self.web.public_url.trim_end_matches('/'), self.https) {
            ("", Some(address)) => format!("https://{}", reached_at(address)),
            ("", None) => format!("http://{}", reached_at(self.http)),
            (url, _) => url.to_owned(),
        };
        format!("{base}/console/welcome#{code}")
    }

    /// What single values can't know: limits that contradict each other.
    fn check(&self) -> anyhow::Result<()> {
        if self.sip.0.is_empty() {
            bail!("sip is empty: name at least one address to listen on, as in \"127.0.0.1:5060\"");
        }
        if self.tls.certificate.is_none() && (self.https.is_some() || !self.sips.0.is_empty()) {
            bail!(
                "https and sips need a certificate: name its files in [tls], or make one for trials with `plenary certificate`"
            );
        }
        if let Err(error) = levels_of(&self.log) {
            bail!(error);
        }
        self.recordings.check()?;
        self.transcripts.check()?;
        self.hep.check()?;
        self.history.check()?;
        self.audit.check()?;
        self.events.check()?;
        self.mail.check()?;
        reservations::check(&self.reservations, &self.conferences)?;
        self.signalling.check()?;
        self.web.origins()?;
        self.web.oidc.check(&self.web.public_url)?;
        self.ice.check()?;
        self.media.check()
    }

    /// Where accounts, reservations and records are.
    pub(crate) fn database(&self) -> Location {
        match &self.database {
            Some(DatabaseUrl(location)) => location.clone(),
            None => Location::in_folder(&self.data),
        }
    }

    /// Where further languages of prompts are.
    pub(crate) fn languages_dir(&self) -> PathBuf {
        self.media.languages.clone().unwrap_or_else(|| self.data.join("languages"))
    }

    /// The folder of announcement files.
    pub(crate) fn media_dir(&self) -> PathBuf {
        self.data.join("media")
    }

    /// The folder of recordings.
    pub(crate) fn recordings_dir(&self) -> PathBuf {
        self.data.join("recordings")
    }
}

fn read_table(text: &str, path: &Path) -> anyhow::Result<toml::Table> {
    // The typed parse is only for its errors: it knows lines and lists the keys that are allowed.
    toml::from_str::<Config>(text).map_err(|error| {
        let line =
            error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let message = error.message().lines().collect::<Vec<_>>().join(" ");
        anyhow!("the configuration file {}, line {line}: {message}", path.display())
    })?;
    toml::from_str(text).with_context(|| format!("the configuration file {} is not TOML", path.display()))
}

fn known_keys() -> Vec<KnownKey> {
    // A key without a default is left out when serialised, so it gets a value here.
    let file = || Some(PathBuf::from("file.pem"));
    let sample = Config {
        database: Some(DatabaseUrl(Location::in_folder(Path::new("/")))),
        advertise: Some(IpAddr::from([127, 0, 0, 1])),
        time_zone: TimeZone::new("UTC").ok(),
        https: Some(SocketAddr::from(([127, 0, 0, 1], 8443))),
        metrics: Some(SocketAddr::from(([127, 0, 0, 1], 9464))),
        tls: TlsFiles { certificate: file(), key: file(), authorities: file() },
        media: Media { languages: file(), ..Media::default() },
        mail: MailConfig { password_file: file(), ..MailConfig::default() },
        web: Web {
            oidc: OidcConfig { client_secret_file: file(), ..OidcConfig::default() },
            ..Web::default()
        },
        ..Config::default()
    };
    match toml::Value::try_from(sample).expect("the defaults are plain values") {
        toml::Value::Table(sample) => KnownKey::all(sample),
        other => unreachable!("a struct serialises to a table, and not to {other}"),
    }
}

/// An address that is listened on, as a browser of this machine reaches it.
fn reached_at(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() }
}
