//! The configuration: one typed struct, filled from the defaults, a TOML file, `PLENARY_…` variables and
//! the flags of `plenary serve`, each overriding the one before it.

use crate::{ice::IceConfig, port_range::PortRange};
use anyhow::{Context, anyhow, bail};
use ipnet::IpNet;
use plenary_conference::{ConferenceLimits, ReservationLimits, limits::DAYS_AHEAD_MAX};
use plenary_media::OpusSettings;
use plenary_sip::{
    GuardConfig,
    digest::Algorithm,
    sdp::{Codec, Policy},
};
use plenary_store::Location;
use serde::{Deserialize, Serialize};
use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
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
    /// Where SIP listens, UDP and TCP.
    pub(crate) sip: Addresses,
    /// Where SIP listens under TLS.
    pub(crate) sips: Addresses,
    /// UDP ports for RTP and RTCP: two for each call.
    #[serde(alias = "rtp-ports")]
    pub(crate) rtp_ports: PortRange,
    /// The address that is announced to callers for SIP and RTP, if it is not the one listened on (NAT).
    pub(crate) advertise: Option<IpAddr>,
    /// On an empty data folder, creates an account and an inbound service to try things with.
    #[serde(alias = "demo-account")]
    pub(crate) demo_account: bool,
    /// How long calls may go on after SIGTERM, in seconds.
    pub(crate) drain_seconds: u64,
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

/// `[tls]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TlsFiles {
    /// PEM file with the certificate of the service and those between it and its authority.
    pub(crate) certificate: Option<PathBuf>,
    /// PEM file with its private key.
    pub(crate) key: Option<PathBuf>,
    /// PEM file with authorities to trust beside the system's, for calls and registrations of ours.
    pub(crate) authorities: Option<PathBuf>,
}

/// `[web]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Web {
    /// The URL by which clients reach the web services, without a slash at the end: the base of the links in errors.
    /// Empty: taken from each request's Host header.
    pub(crate) public_url: String,
    /// Origins of other sites whose pages may open a WebSocket for SIP; `*`: every page. Such a connection is never trusted
    /// for the network it comes from.
    pub(crate) allowed_origins: Vec<String>,
    /// Reverse proxies that say in `X-Forwarded-For` or `Forwarded` who calls.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Largest request body in bytes.
    pub(crate) max_body_bytes: usize,
    /// A request that is not answered by then is answered 408, in seconds.
    pub(crate) request_timeout_seconds: u64,
    /// Requests of an account, per second on average over ten seconds; 0: no limit.
    pub(crate) requests_per_second: u32,
    /// Requests with wrong credentials from a source, within a minute; 0: no limit.
    pub(crate) failures_per_minute: u32,
    /// Connections that a source may have open at a time; 0: no limit.
    pub(crate) connections_per_source: usize,
}

impl Web {
    pub(crate) fn origins(&self) -> anyhow::Result<plenary_api::AllowedOrigins> {
        plenary_api::AllowedOrigins::parse(&self.allowed_origins)
            .map_err(|(text, error)| anyhow!("[web] allowed_origins: `{text}` {error}; or * for every page"))
    }
}

impl Default for Web {
    fn default() -> Self {
        Self {
            public_url: String::new(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            max_body_bytes: 65_536,
            request_timeout_seconds: 30,
            requests_per_second: 1000,
            failures_per_minute: 30,
            connections_per_source: 256,
        }
    }
}

/// `[signalling]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Signalling {
    /// Networks whose SIP requests are taken; all others get silence.
    pub(crate) allow_from: Vec<IpNet>,
    /// Networks that may call services which name no networks of their own, whose word on who calls is believed, and for
    /// which the limits below do not hold.
    pub(crate) trusted: Vec<IpNet>,
    /// The realm of digest authentication: part of what is kept of users' passwords.
    pub(crate) realm: String,
    /// The hashes that users may answer with, best first.
    pub(crate) digest: Vec<DigestName>,
    /// Requests outside of calls that a source may send, per second on average over ten seconds.
    pub(crate) requests_per_second: u32,
    /// So many refused requests of a source within a minute…
    pub(crate) failures_per_minute: u32,
    /// … are followed by silence for this long.
    pub(crate) ban_seconds: u64,
    /// Connections (TCP, TLS, WebSocket) that a source may have open at a time.
    pub(crate) connections_per_source: usize,
    /// Name servers to ask for the servers of called addresses. Empty: those of the system.
    pub(crate) resolver: Vec<SocketAddr>,
}

/// A hash of digest authentication by its name in challenges, in small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DigestName {
    #[serde(rename = "sha-256")]
    Sha256,
    #[serde(rename = "md5")]
    Md5,
}

impl DigestName {
    pub(crate) fn algorithm(self) -> Algorithm {
        match self {
            Self::Sha256 => Algorithm::Sha256,
            Self::Md5 => Algorithm::Md5,
        }
    }
}

impl Signalling {
    pub(crate) fn guard(&self) -> GuardConfig {
        GuardConfig {
            exempt: self.trusted.clone(),
            requests_per_second: self.requests_per_second,
            failures_max: self.failures_per_minute,
            failures_within: Duration::from_secs(60),
            ban: Duration::from_secs(self.ban_seconds),
            connections_max: self.connections_per_source,
        }
    }
}

impl Default for Signalling {
    fn default() -> Self {
        let net = |text: &str| text.parse().expect("a literal network");
        let loopback = vec![net("127.0.0.0/8"), net("::1/128")];
        Self {
            allow_from: loopback.clone(),
            trusted: loopback,
            realm: "plenary".to_owned(),
            // Phones are out there that fail at the sight of SHA-256, also where MD5 is offered beside it.
            digest: vec![DigestName::Md5],
            requests_per_second: 20,
            failures_per_minute: 10,
            ban_seconds: 600,
            connections_per_source: 256,
            resolver: Vec::new(),
        }
    }
}

/// `[webrtc]`: browsers. The limits are those of callers with an access key, which is no secret; 0: no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WebRtc {
    /// Networks whose WebSockets are taken beside those of `signalling.allow_from`.
    pub(crate) allow_from: Vec<IpNet>,
    /// Calls at once with one key.
    pub(crate) calls_per_key: u32,
    /// Calls at once from one source. An office behind one address is one.
    pub(crate) calls_per_source: u32,
    /// Call attempts with one key within a minute.
    pub(crate) attempts_per_key: u32,
    /// Call attempts of one source within a minute.
    pub(crate) attempts_per_source: u32,
}

impl Default for WebRtc {
    fn default() -> Self {
        Self {
            allow_from: Vec::new(),
            calls_per_key: 350,
            calls_per_source: 50,
            attempts_per_key: 600,
            attempts_per_source: 60,
        }
    }
}

/// The largest sound that can be configured, in bytes.
const MAX_SOUND_BYTES: u64 = 200_000_000;

/// `[media]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Media {
    /// Threads that move and mix audio. 0: one for each core.
    pub(crate) workers: usize,
    /// A caller from whom no RTP came for this long is asked by SIP whether it is still there; one whose ICE or DTLS did not get
    /// through by then is removed. In seconds.
    pub(crate) rtp_timeout_seconds: u64,
    /// A caller from whom nothing has ever come, neither RTP nor RTCP, is removed after this long, in seconds. 0: never.
    pub(crate) rtp_never_seconds: u64,
    /// The codecs that calls may use, best first.
    pub(crate) codecs: Vec<CodecName>,
    /// Whose order decides.
    pub(crate) codec_order: CodecOrder,
    /// Whether audio has to be protected, where an inbound service says nothing.
    pub(crate) srtp: Srtp,
    /// Bits per second of Opus that is sent.
    pub(crate) opus_bitrate: u32,
    /// How thoroughly Opus is encoded, 0 to 10.
    pub(crate) opus_complexity: u8,
    /// Opus carries a coarse copy of each packet in the next one.
    pub(crate) opus_fec: bool,
    /// The loss that this provides for, in percent.
    pub(crate) opus_expected_loss_percent: u8,
    /// Silence is not sent in Opus.
    pub(crate) opus_dtx: bool,
    /// On which lines keys are also looked for as tones in the audio.
    pub(crate) inband_dtmf: InbandDtmf,
    /// The least and the most audio in the jitter buffer, in milliseconds, with the frame being played.
    pub(crate) jitter_ms_min: u32,
    pub(crate) jitter_ms_max: u32,
    /// Voices are brought to the common level, and rid of noise, where nothing else is set for a conference or a
    /// participant.
    pub(crate) automatic_gain: bool,
    pub(crate) noise_suppression: bool,
    /// What a sound that an account uploads may have, in bytes and in seconds.
    pub(crate) sound_max_bytes: u64,
    pub(crate) sound_max_seconds: u32,
    /// What all of an account may have together, in bytes.
    pub(crate) account_sounds_max_bytes: u64,
    /// The folder with further languages of prompts. None: `languages` in the data folder, if it is there.
    pub(crate) languages: Option<PathBuf>,
}

/// A codec by its name in SDP, in small letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CodecName {
    Opus,
    G722,
    Pcmu,
    Pcma,
}

impl CodecName {
    pub(crate) fn codec(self) -> Codec {
        match self {
            Self::Opus => Codec::Opus,
            Self::G722 => Codec::G722,
            Self::Pcmu => Codec::Pcmu,
            Self::Pcma => Codec::Pcma,
        }
    }
}

/// Whose order of codecs decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CodecOrder {
    /// That of the caller's offer.
    Caller,
    /// That of `codecs`.
    Ours,
}

/// On which lines keys are also looked for as tones in the audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InbandDtmf {
    /// On those without telephone events.
    Auto,
    /// On all.
    Always,
    /// On none.
    Off,
}

/// Whether audio has to be protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Srtp {
    Required,
    Preferred,
    Off,
}

impl Srtp {
    pub(crate) fn policy(self) -> Policy {
        match self {
            Self::Required => Policy::Required,
            Self::Preferred => Policy::Preferred,
            Self::Off => Policy::Off,
        }
    }
}

impl Default for Media {
    fn default() -> Self {
        let opus = OpusSettings::default();
        Self {
            workers: 0,
            rtp_timeout_seconds: 30,
            rtp_never_seconds: 3600,
            codecs: vec![CodecName::Opus, CodecName::G722, CodecName::Pcmu, CodecName::Pcma],
            codec_order: CodecOrder::Caller,
            srtp: Srtp::Preferred,
            opus_bitrate: opus.bitrate,
            opus_complexity: opus.complexity,
            opus_fec: opus.fec,
            opus_expected_loss_percent: opus.expected_loss_percent,
            opus_dtx: opus.dtx,
            inband_dtmf: InbandDtmf::Auto,
            jitter_ms_min: 20,
            jitter_ms_max: 200,
            automatic_gain: false,
            noise_suppression: false,
            sound_max_bytes: 20_000_000,
            sound_max_seconds: 600,
            account_sounds_max_bytes: 200_000_000,
            languages: None,
        }
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
            sip: Addresses(vec![SocketAddr::from(([127, 0, 0, 1], 5060))]),
            sips: Addresses::default(),
            // Below Linux's usual range of ephemeral ports (32768 on), so that outgoing connections never collide.
            rtp_ports: PortRange { first: 10_000, last: 32_767 },
            advertise: None,
            demo_account: false,
            drain_seconds: 600,
            tls: TlsFiles::default(),
            web: Web::default(),
            signalling: Signalling::default(),
            webrtc: WebRtc::default(),
            ice: IceConfig::default(),
            media: Media::default(),
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
        overlay_environment(&mut table, environment)?;
        let config: Self = toml::Value::Table(table).try_into().map_err(|error: toml::de::Error| {
            anyhow!(
                "the PLENARY_… environment variables do not make a valid configuration: {}",
                error.message()
            )
        })?;
        config.check()?;
        Ok(config)
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
        let limits = &self.reservations;
        let ordered = |low_name: &str, low: u32, high_name: &str, high: u32| {
            if low > high {
                bail!(
                    "[reservations] {low_name} is {low} and {high_name} is {high}: the first may not exceed the second"
                );
            }
            Ok(())
        };
        ordered(
            "min_notice_minutes",
            limits.min_notice_minutes,
            "max_notice_minutes",
            limits.max_notice_minutes,
        )?;
        ordered(
            "min_duration_minutes",
            limits.min_duration_minutes,
            "max_duration_minutes",
            limits.max_duration_minutes,
        )?;
        ordered(
            "min_extend_minutes",
            limits.min_extend_minutes,
            "max_extend_minutes",
            limits.max_extend_minutes,
        )?;
        ordered("min_participants", limits.min_participants, "max_participants", limits.max_participants)?;
        if !(1..=DAYS_AHEAD_MAX).contains(&limits.max_days_ahead) {
            bail!(
                "[reservations] max_days_ahead is {}: 1 to {DAYS_AHEAD_MAX} are allowed",
                limits.max_days_ahead
            );
        }
        if limits.min_duration_minutes == 0 {
            bail!("[reservations] min_duration_minutes is 0: a conference lasts at least 1 minute");
        }
        if limits.max_participants == 0 || self.conferences.unreserved_max_participants == 0 {
            bail!("max_participants and unreserved_max_participants may not be 0: no caller could enter");
        }
        let signalling = &self.signalling;
        if signalling.requests_per_second == 0
            || signalling.failures_per_minute == 0
            || signalling.connections_per_source == 0
        {
            bail!(
                "[signalling] requests_per_second, failures_per_minute and connections_per_source are at least 1: with 0 no call would be accepted"
            );
        }
        self.web.origins()?;
        if signalling.digest.is_empty() {
            bail!("[signalling] digest is empty: name at least one of sha-256 and md5");
        }
        if signalling.realm.is_empty() || signalling.realm.contains(['"', '\\', ':']) {
            bail!("[signalling] realm is a text without quotes, backslashes and colons");
        }
        self.ice.check()?;
        if self.media.rtp_timeout_seconds == 0 {
            bail!(
                "[media] rtp_timeout_seconds is 0: every caller would be asked without a pause whether it is there; 30 is usual"
            );
        }
        let media = &self.media;
        if media.codecs.is_empty() {
            bail!("[media] codecs is empty: name at least one of opus, g722, pcmu, pcma");
        }
        if !(6000..=128_000).contains(&media.opus_bitrate) {
            bail!(
                "[media] opus_bitrate is {}: 6000 to 128000 bits per second are allowed",
                media.opus_bitrate
            );
        }
        if media.opus_complexity > 10 {
            bail!(
                "[media] opus_complexity is {}: 0 (quick) to 10 (thorough) are allowed",
                media.opus_complexity
            );
        }
        if media.opus_expected_loss_percent > 100 {
            bail!(
                "[media] opus_expected_loss_percent is {}: 0 to 100 are allowed",
                media.opus_expected_loss_percent
            );
        }
        if !(1..=MAX_SOUND_BYTES).contains(&media.sound_max_bytes) {
            bail!(
                "[media] sound_max_bytes is {}: 1 to {MAX_SOUND_BYTES} are allowed, for a sound is in memory while it is read",
                media.sound_max_bytes
            );
        }
        if !(1..=3600).contains(&media.sound_max_seconds) {
            bail!("[media] sound_max_seconds is {}: 1 to 3600 are allowed", media.sound_max_seconds);
        }
        if let Some(folder) = media.languages.as_ref().filter(|folder| !folder.is_dir()) {
            bail!("[media] languages is {}: there is no such folder", folder.display());
        }
        let (least, most) = (media.jitter_ms_min, media.jitter_ms_max);
        if !(20..=1000).contains(&least) || !(least..=1000).contains(&most) {
            bail!(
                "[media] jitter_ms_min is {least} and jitter_ms_max is {most}: 20 to 1000 are allowed, the lower one first"
            );
        }
        Ok(())
    }

    /// Where accounts, reservations and records are.
    pub(crate) fn database(&self) -> Location {
        match &self.database {
            Some(DatabaseUrl(location)) => location.clone(),
            None => Location::in_folder(&self.data),
        }
    }

    /// The folder of the sounds.
    /// Where further languages of prompts are.
    pub(crate) fn languages_dir(&self) -> PathBuf {
        self.media.languages.clone().unwrap_or_else(|| self.data.join("languages"))
    }

    pub(crate) fn media_dir(&self) -> PathBuf {
        self.data.join("media")
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

/// `PLENARY_HTTP` sets `http`, `PLENARY_RESERVATIONS_CAPACITY` sets `capacity` of `[reservations]`.
fn overlay_environment(
    table: &mut toml::Table,
    environment: impl IntoIterator<Item = (String, String)>,
) -> anyhow::Result<()> {
    let known = known_keys();
    for (variable, value) in environment {
        let Some(key) = known.iter().find(|key| key.variable() == variable) else { continue };
        let value =
            key.parse(&value).with_context(|| format!("the environment variable {variable} is not valid"))?;
        match &key.section {
            None => {
                table.remove(&key.name.replace('_', "-"));
                table.insert(key.name.clone(), value);
            }
            Some(section) => {
                let section = table.entry(section.clone()).or_insert_with(|| toml::Table::new().into());
                if let toml::Value::Table(section) = section {
                    section.insert(key.name.clone(), value);
                }
            }
        }
    }
    Ok(())
}

/// A key of the file, and the type of its value.
struct KnownKey {
    section: Option<String>,
    name: String,
    default: toml::Value,
}

impl KnownKey {
    fn variable(&self) -> String {
        match &self.section {
            Some(section) => format!("PLENARY_{section}_{}", self.name),
            None => format!("PLENARY_{}", self.name),
        }
        .to_ascii_uppercase()
    }

    fn parse(&self, text: &str) -> anyhow::Result<toml::Value> {
        Ok(match &self.default {
            toml::Value::Integer(_) => {
                text.trim().parse::<i64>().map_err(|_| anyhow!("`{text}` is not a whole number"))?.into()
            }
            toml::Value::Boolean(_) => text
                .trim()
                .parse::<bool>()
                .map_err(|_| anyhow!("`{text}` is neither `true` nor `false`"))?
                .into(),
            toml::Value::Array(_) => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| toml::Value::from(item.to_owned()))
                .collect::<Vec<_>>()
                .into(),
            toml::Value::String(_)
            | toml::Value::Float(_)
            | toml::Value::Datetime(_)
            | toml::Value::Table(_) => toml::Value::from(text.to_owned()),
        })
    }
}

fn known_keys() -> Vec<KnownKey> {
    // A key without a default is left out when serialised, so it gets a value here.
    let file = || Some(PathBuf::from("file.pem"));
    let sample = Config {
        database: Some(DatabaseUrl(Location::in_folder(Path::new("/")))),
        advertise: Some(IpAddr::from([127, 0, 0, 1])),
        https: Some(SocketAddr::from(([127, 0, 0, 1], 8443))),
        tls: TlsFiles { certificate: file(), key: file(), authorities: file() },
        media: Media { languages: file(), ..Media::default() },
        ..Config::default()
    };
    let toml::Value::Table(table) = toml::Value::try_from(sample).expect("the defaults are plain values")
    else {
        unreachable!("a struct serialises to a table")
    };
    let mut keys = Vec::new();
    for (name, value) in table {
        match value {
            toml::Value::Table(section) => keys.extend(section.into_iter().map(|(key, default)| KnownKey {
                section: Some(name.clone()),
                name: key,
                default,
            })),
            default => keys.push(KnownKey { section: None, name, default }),
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> anyhow::Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plenary.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(Some(&file), environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn the_sample_file_says_the_defaults() {
        let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/plenary.toml");
        let from_file = Config::load(Some(Path::new(sample)), []).unwrap();
        assert_eq!(from_file, Config::default());
    }

    #[test]
    fn the_sample_file_names_every_key() {
        let sample = include_str!("../../../config/plenary.toml");
        for key in known_keys() {
            assert!(
                sample
                    .lines()
                    .any(|line| line.trim_start_matches("# ").starts_with(&format!("{} =", key.name))),
                "config/plenary.toml does not show `{}`",
                key.name
            );
        }
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let config = load(
            "http = \"127.0.0.1:1\"\n[reservations]\ncapacity = 7\n",
            &[
                ("PLENARY_HTTP", "127.0.0.1:2"),
                ("PLENARY_RTP_PORTS", "4000-4999"),
                ("PLENARY_ADVERTISE", "192.0.2.7"),
                ("PLENARY_SIGNALLING_ALLOW_FROM", "10.0.0.0/8, 127.0.0.0/8"),
                ("PLENARY_RESERVATIONS_MIN_NOTICE_MINUTES", "0"),
                ("PLENARY_SOMETHING_ELSE", "ignored"),
            ],
        )
        .unwrap();
        assert_eq!(config.http.port(), 2);
        assert_eq!(config.rtp_ports, PortRange { first: 4000, last: 4999 });
        assert_eq!(config.advertise, Some("192.0.2.7".parse().unwrap()));
        assert_eq!(config.signalling.allow_from.len(), 2);
        assert_eq!((config.reservations.capacity, config.reservations.min_notice_minutes), (7, 0));
    }

    #[test]
    fn the_database_is_the_file_of_the_data_folder_unless_a_url_names_another() {
        let shown = |text: &str, environment: &[(&str, &str)]| {
            load(text, environment).unwrap().database().to_string()
        };
        let file = "data = \"/var/lib/plenary\"\n";
        assert_eq!(shown(file, &[]), "sqlite:///var/lib/plenary/plenary.db");
        let with_url = "data = \"/var/lib/plenary\"\ndatabase = \"postgres://plenary:secret@db/plenary\"\n";
        assert_eq!(shown(with_url, &[]), "postgres://plenary@db/plenary");
        let variable = [("PLENARY_DATABASE", "postgresql://other@db2/plenary")];
        assert_eq!(shown(with_url, &variable), "postgresql://other@db2/plenary");
    }

    #[test]
    fn a_mistake_names_the_file_the_line_and_the_key() {
        let error = load("[reservations]\nmin_notice = 3\n", &[]).unwrap_err().to_string();
        assert!(
            error.contains("plenary.toml") && error.contains("line 2") && error.contains("min_notice"),
            "{error}"
        );
        let error = load("http = \"nowhere\"\n", &[]).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("socket address"), "{error}");
        // There may be a password in it.
        let error = load("database = \"mysql://plenary:secret@db/plenary\"\n", &[]).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("postgres://USER"), "{error}");
        assert!(!error.contains("secret"), "{error}");
        let error = load("", &[("PLENARY_DATABASE", "plenary:secret")]).unwrap_err().to_string();
        assert!(error.contains("postgres://USER") && !error.contains("secret"), "{error}");
        let error = load("", &[("PLENARY_RESERVATIONS_CAPACITY", "many")]).unwrap_err();
        assert!(format!("{error:#}").contains("PLENARY_RESERVATIONS_CAPACITY"), "{error:#}");
        assert!(format!("{error:#}").contains("`many` is not a whole number"), "{error:#}");
    }

    #[test]
    fn pages_that_may_connect_are_named_by_their_origins() {
        let config =
            load("[web]\nallowed_origins = [\"https://shop.example\", \"http://[::1]:3000\", \"*\"]\n", &[]);
        assert_eq!(config.unwrap().web.allowed_origins.len(), 3);
        for odd in ["shop.example", "https://shop.example/", "null", "https://*.shop.example/call"] {
            let error =
                load(&format!("[web]\nallowed_origins = [\"{odd}\"]\n"), &[]).unwrap_err().to_string();
            assert!(error.contains("[web] allowed_origins") && error.contains(odd), "{error}");
        }
    }

    #[test]
    fn limits_that_contradict_each_other_are_refused() {
        let error = load("[reservations]\nmin_participants = 400\n", &[]).unwrap_err().to_string();
        assert!(error.contains("min_participants is 400"), "{error}");
        for days in ["0", "3661"] {
            let error = load(&format!("[reservations]\nmax_days_ahead = {days}\n"), &[]).unwrap_err();
            assert!(error.to_string().contains(&format!("max_days_ahead is {days}: 1 to 3660")), "{error}");
        }
    }
}
