//! The command line. Names of commands and flags are a contract: scripts depend on them.

use crate::{config::CodecName, port_range::PortRange};
use clap::{Args, Parser, Subcommand, ValueEnum};
use plenary_model::{LanguageCode, Role, Scope};
use plenary_store::Location;
use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// A self-hosted audio conferencing service: reserve over HTTP, call in by SIP, manage people while they talk.
#[derive(Debug, Parser)]
#[command(
    name = "plenary",
    version,
    arg_required_else_help = true,
    after_help = "Example:\n  plenary demo\n  plenary serve --data /var/lib/plenary"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: CliCommand,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// TOML file with the configuration (all keys: config/plenary.toml)
    #[arg(long, value_name = "FILE", global = true, env = "PLENARY_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Folder of the database and of media/ [default: ./plenary-data]
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum CliCommand {
    /// Runs the service until a signal stops it
    #[command(
        after_help = "Example:\n  plenary serve --data ./plenary-data --http 127.0.0.1:8080 --sip 127.0.0.1:5060"
    )]
    Serve(Serve),
    /// Makes and lists accounts, and their API Access Keys
    #[command(subcommand, after_help = "Example:\n  plenary account create 1-2-0/bob@example.com")]
    Account(Account),
    /// Invites, lists, disables and removes people who sign in at the console
    #[command(
        subcommand,
        after_help = "Example:\n  plenary person invite --operator --account 1-2-0/bob@example.com --role admin 'Eve Example' eve@example.com"
    )]
    Person(Person),
    /// Looks the database over, brings its schema up to date, copies it into another one
    #[command(
        subcommand,
        after_help = "Example:\n  plenary database copy --from sqlite:///var/lib/plenary/plenary.db --to postgres://plenary@db.example.org/plenary"
    )]
    Database(Database),
    /// Shows and lifts bans: sources of SIP that are not answered for a while, since they asked too often for what they may not have
    #[command(subcommand, after_help = "Example:\n  plenary ban list --data /var/lib/plenary")]
    Ban(Ban),
    /// Looks whether all that calls need is there: ports, addresses, certificate, clock, limits, disk, DNS, database, trunks, and a test
    /// call; beside a running service or before its first start. Exit code 1: something has failed
    #[command(
        after_help = "Example:\n  plenary doctor --config /etc/plenary.toml\n  plenary doctor --config /etc/plenary.toml --call sip:conf-Test@192.0.2.1 --json"
    )]
    Doctor(Doctor),
    /// Makes a certificate that only those trust who are given it, for trials and closed networks
    #[command(after_help = "Example:\n  plenary certificate --out ./tls conference.example.org 192.0.2.10")]
    Certificate(Certificate),
    /// Places one test call: speaks, listens, and says what it heard
    #[command(
        after_help = "Example:\n  plenary call sip:conf-Board@127.0.0.1:5060 --tone 440 --seconds 10 --record heard.wav"
    )]
    Call(Call),
    /// Shows the whole job in a minute, with a server and six callers of its own
    #[command(after_help = "Example:\n  plenary demo")]
    Demo(Demo),
    /// Fills conferences with callers and measures what comes back
    #[command(
        after_help = "Example:\n  plenary load --target sip:conf-load@127.0.0.1:5060 --participants 100 --rooms 10 --talkers 3 --seconds 30"
    )]
    Load(Load),
    /// Writes man pages and shell completions into the folders man and completions
    #[cfg(feature = "manual")]
    #[command(after_help = "Example:\n  plenary manual ./target/package")]
    Manual(Manual),
}

/// Flags of `plenary serve`; each is also a key of the TOML file and a `PLENARY_…` variable.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where the web services listen [default: 127.0.0.1:8080] [env: PLENARY_HTTP]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) http: Option<SocketAddr>,
    /// Where they listen under TLS [default: nowhere] [env: PLENARY_HTTPS]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) https: Option<SocketAddr>,
    /// Where SIP listens, UDP and TCP [default: 127.0.0.1:5060] [env: PLENARY_SIP]
    #[arg(long, value_name = "ADDR:PORT,…", value_delimiter = ',')]
    pub(crate) sip: Vec<SocketAddr>,
    /// Where SIP listens under TLS [default: nowhere] [env: PLENARY_SIPS]
    #[arg(long, value_name = "ADDR:PORT,…", value_delimiter = ',')]
    pub(crate) sips: Vec<SocketAddr>,
    /// UDP ports for audio, two for each call [default: 10000-32767] [env: PLENARY_RTP_PORTS]
    #[arg(long, value_name = "A-B")]
    pub(crate) rtp_ports: Option<PortRange>,
    /// IP address that is announced to callers, behind 1:1 NAT [env: PLENARY_ADVERTISE]
    #[arg(long, value_name = "IP")]
    pub(crate) advertise: Option<IpAddr>,
    /// On an empty data folder, create an account and an inbound service to try things with [env: PLENARY_DEMO_ACCOUNT]
    #[arg(long)]
    pub(crate) demo_account: bool,
}

/// `plenary account …`
#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Makes an account; the last line printed is its API Access Key, shown this once
    #[command(after_help = "Example:\n  plenary account create 1-2-0/bob@example.com")]
    Create {
        /// The login: cloud id, a slash, user name
        #[arg(value_name = "CLOUDID/USERNAME")]
        login: String,
    },
    /// Lists the accounts
    #[command(after_help = "Example:\n  plenary account list")]
    List,
    /// Makes, lists and revokes API Access Keys
    #[command(subcommand, after_help = "Example:\n  plenary account key new 1-2-0/bob@example.com")]
    Key(Key),
    /// Makes, lists and revokes access keys of browsers: they say which account a web page calls, and are no secret
    #[command(
        subcommand,
        name = "webrtc-key",
        after_help = "Example:\n  plenary account webrtc-key new 1-2-0/bob@example.com --service 'conf-*'"
    )]
    WebRtcKey(WebRtcKey),
}

/// `plenary person …`
#[derive(Debug, Subcommand)]
pub(crate) enum Person {
    /// Makes a person; the last line printed is the link by which they set a password, shown this once, for a week. A person who is
    /// there already gets another link, and what is named on top
    #[command(
        after_help = "Examples:\n  plenary person invite --operator 'Eve Example' eve@example.com\n  plenary person invite --account 1-2-0/bob@example.com --role organiser 'Ann Example' ann@example.com"
    )]
    Invite {
        /// They operate the installation: all accounts, and what belongs to none
        #[arg(long)]
        operator: bool,
        /// An account that they work in
        #[arg(long, value_name = "CLOUDID/USERNAME", required_unless_present = "operator")]
        account: Option<String>,
        /// What they may do there: organiser, auditor, admin [default: organiser]
        #[arg(long, value_name = "ROLE", requires = "account")]
        role: Option<Role>,
        /// The language in which pages are shown to them [default: en]
        #[arg(long, value_name = "CODE", value_parser = language)]
        language: Option<LanguageCode>,
        /// What they are called: 1 to 100 characters
        #[arg(value_name = "NAME")]
        name: String,
        /// Their mail address, by which they sign in
        #[arg(value_name = "MAIL")]
        mail: String,
    },
    /// Lists the people: whether they can sign in, when they last did, and what they may do
    #[command(after_help = "Example:\n  plenary person list")]
    List,
    /// Keeps a person from signing in, and signs them out everywhere
    #[command(after_help = "Example:\n  plenary person disable eve@example.com")]
    Disable {
        /// Their mail address
        #[arg(value_name = "MAIL")]
        mail: String,
    },
    /// Lets a person sign in again
    #[command(after_help = "Example:\n  plenary person enable eve@example.com")]
    Enable {
        /// Their mail address
        #[arg(value_name = "MAIL")]
        mail: String,
    },
    /// Forgets who a person is at the OpenID Connect provider, and signs them out everywhere. The next one to sign in there with
    /// their verified mail address is taken for them. For a provider that was set up anew, or an address that has another owner
    #[command(after_help = "Example:\n  plenary person unlink eve@example.com")]
    Unlink {
        /// Their mail address
        #[arg(value_name = "MAIL")]
        mail: String,
    },
    /// Removes a person, and signs them out everywhere
    #[command(after_help = "Example:\n  plenary person remove eve@example.com")]
    Remove {
        /// Their mail address
        #[arg(value_name = "MAIL")]
        mail: String,
    },
}

fn language(text: &str) -> Result<LanguageCode, String> {
    LanguageCode::new(text).map_err(|error| error.to_string())
}

/// `plenary database …`
#[derive(Debug, Subcommand)]
pub(crate) enum Database {
    /// Says which database is configured, whether it can be used, what is in it, and what is wrong with it; changes nothing
    #[command(
        after_help = "Example:\n  PLENARY_DATABASE=postgres://plenary@db.example.org/plenary plenary database check"
    )]
    Check,
    /// Makes the tables of an empty database, or brings those of an older version up to date; `plenary serve` does the same
    #[command(
        after_help = "Example:\n  PLENARY_DATABASE=postgres://plenary@db.example.org/plenary plenary database migrate"
    )]
    Migrate,
    /// Copies everything into another database, which must be empty, and compares both; the service should be stopped
    #[command(
        after_help = "Examples:\n  plenary database copy --from sqlite:///var/lib/plenary/plenary.db --to postgres://plenary@db.example.org/plenary\n  plenary database copy --from postgres://plenary@db.example.org/plenary --to sqlite:///var/lib/plenary/plenary.db"
    )]
    Copy {
        /// The database that is copied; it stays as it is, but for its schema, which is brought up to date
        #[arg(long, value_name = "URL")]
        from: Location,
        /// The empty database that it goes to
        #[arg(long, value_name = "URL")]
        to: Location,
    },
}

/// `plenary ban …`
#[derive(Debug, Subcommand)]
pub(crate) enum Ban {
    /// Lists who is banned, for how long still, and from what
    #[command(after_help = "Example:\n  plenary ban list --data /var/lib/plenary")]
    List,
    /// Answers a source again; what it did is forgotten
    #[command(after_help = "Example:\n  plenary ban lift 192.0.2.10 --data /var/lib/plenary")]
    Lift {
        /// Its address, as `plenary ban list` shows it
        #[arg(value_name = "ADDRESS", value_parser = source)]
        source: IpAddr,
    },
}

/// An address, or a network of IPv6 as the list shows it.
fn source(text: &str) -> Result<IpAddr, String> {
    let address = text.strip_suffix("/64").filter(|address| address.contains(':')).unwrap_or(text);
    address.parse().map_err(|_| format!("`{text}` is no IP address. `plenary ban list` shows who is banned."))
}

/// `plenary account key …`
#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Makes a further key; the last line printed is the key, shown this once. The others keep working.
    #[command(
        after_help = "Example:\n  plenary account key new 1-2-0/bob@example.com\n  plenary account key new 1-2-0/bob@example.com --label dashboard --scope read,records --expires-in-days 90\n  plenary account key new 1-2-0/bob@example.com --label 'leader of Board' --conference Board"
    )]
    New {
        /// The account's login
        #[arg(value_name = "CLOUDID/USERNAME")]
        login: String,
        /// What people call it: 1 to 100 characters
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// What it may do; several may be given, or with commas between: read, control, book, records, config, audit, operator
        /// [default: all but operator; with --conference: read,control]
        #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
        scopes: Vec<Scope>,
        /// The only conference that it is for [default: all of the account]
        #[arg(long, value_name = "NAME")]
        conference: Option<String>,
        /// For how many days it is valid [default: until it is revoked]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
        expires_in_days: Option<u32>,
    },
    /// Lists an account's keys: id, when made, whether valid, what each may do; never the key itself
    #[command(after_help = "Example:\n  plenary account key list 1-2-0/bob@example.com")]
    List {
        /// The account's login
        #[arg(value_name = "CLOUDID/USERNAME")]
        login: String,
    },
    /// Ends a key; requests with it are answered 401 from then on
    #[command(after_help = "Example:\n  plenary account key revoke 1-2-0/bob@example.com 2")]
    Revoke {
        /// The account's login
        #[arg(value_name = "CLOUDID/USERNAME")]
        login: String,
        /// The key's id, as `plenary account key list` shows it
        #[arg(value_name = "KEY-ID")]
        key: i64,
    },
}

/// `plenary account webrtc-key …`
#[derive(Debug, Subcommand)]
pub(crate) enum WebRtcKey {
    /// Makes a key; the last line printed is the key. It opens nothing but services with "access": {"webrtc": true}
    #[command(
        after_help = "Example:\n  plenary account webrtc-key new 1-2-0/bob@example.com --service 'conf-*' --service support"
    )]
    New {
        /// The account's login
        #[arg(value_name = "CLOUDID/USERNAME")]
        login: String,
        /// An inbound service that it may call, by its name; several may be given [default: every one that admits browsers]
        #[arg(long = "service", value_name = "NAME")]
        services: Vec<String>,
        /// The text of the key, where pages carry one already: a-z and 0-9, up to 63 [default: 16 random ones]
        #[arg(long, value_name = "TEXT")]
        key: Option<String>,
    },
    /// Lists an account's keys, and what each may call
    #[command(after_help = "Example:\n  plenary account webrtc-key list 1-2-0/bob@example.com")]
    List {
        /// The account's login
        #[arg(value_name = "CLOUDID/USERNAME")]
        login: String,
    },
    /// Ends a key: pages that carry it are refused from then on, calls that are up go on
    #[command(
        after_help = "Example:\n  plenary account webrtc-key revoke 1-2-0/bob@example.com f3kq7x2mzn4yd5ab"
    )]
    Revoke {
        /// The account's login
        #[arg(value_name = "CLOUDID/USERNAME")]
        login: String,
        /// The key, as `plenary account webrtc-key list` shows it
        #[arg(value_name = "KEY")]
        key: String,
    },
}

/// Flags of `plenary call`.
#[derive(Debug, Args)]
pub(crate) struct Call {
    /// Whom to call
    #[arg(value_name = "SIP-URI")]
    pub(crate) uri: String,
    /// Speak a tone of this frequency, in Hz
    #[arg(long, value_name = "HZ", conflicts_with = "play", value_parser = clap::value_parser!(u16).range(20..=3900))]
    pub(crate) tone: Option<u16>,
    /// Speak this WAV file, again and again
    #[arg(long, value_name = "FILE.wav")]
    pub(crate) play: Option<PathBuf>,
    /// User name, for servers that ask for a password
    #[arg(long, value_name = "NAME", requires = "password")]
    pub(crate) user: Option<String>,
    /// Its password
    #[arg(long, value_name = "TEXT", env = "PLENARY_CALL_PASSWORD", hide_env_values = true)]
    pub(crate) password: Option<String>,
    /// The codecs to offer, best first
    #[arg(long, value_name = "CODEC,…", value_delimiter = ',', default_value = "pcmu,pcma")]
    pub(crate) codecs: Vec<CodecName>,
    /// Lose this many of 1000 packets that are sent, to hear what the other side makes of it
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub(crate) loss_permille: u32,
    /// Hold each packet that is sent for up to this many milliseconds, at random
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub(crate) jitter_ms: u32,
    /// Write what is heard to this WAV file (the codec's sample rate, mono, 16 bits)
    #[arg(long, value_name = "FILE.wav")]
    pub(crate) record: Option<PathBuf>,
    /// Press these keys once the call is up: 0-9, *, #, A-D; a comma waits half a second
    #[arg(long, value_name = "DIGITS")]
    pub(crate) dtmf: Option<String>,
    /// Send the keys as RFC 4733 events, as tones in the audio, or by SIP INFO with a body of application/dtmf-relay or application/dtmf
    #[arg(long, value_name = "ROUTE", value_enum, default_value_t = DtmfRoute::Events, requires = "dtmf")]
    pub(crate) dtmf_by: DtmfRoute,
    /// Hang up after this many seconds
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) seconds: u32,
}

/// How `plenary call` sends keys.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DtmfRoute {
    Events,
    Tones,
    InfoRelay,
    Info,
}

/// Flags of `plenary doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Place the test call to this address, instead of within a service of its own on loopback
    #[arg(long, value_name = "SIP-URI")]
    pub(crate) call: Option<String>,
    /// Place no test call
    #[arg(long, conflicts_with = "call")]
    pub(crate) no_call: bool,
}

/// Flags of `plenary certificate`.
#[derive(Debug, Args)]
pub(crate) struct Certificate {
    /// Folder for certificate.pem and key.pem; files that are there are never overwritten
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
    /// The host names and addresses that it is for
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
}

/// Flags of `plenary demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {}

/// Flags of `plenary load`.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// Whom to call; with more than one room, the room's number is added to the user: conf-load0, conf-load1, …
    #[arg(long, value_name = "SIP-URI")]
    pub(crate) target: String,
    /// Callers in all
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) participants: u32,
    /// Conferences they are spread over
    #[arg(long, value_name = "R", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub(crate) rooms: u32,
    /// How many in each conference speak; the others send silence
    #[arg(long, value_name = "T", default_value_t = 3)]
    pub(crate) talkers: u32,
    /// The speakers of a conference take turns: one speaks for half a second to five, then any of them
    #[arg(long)]
    pub(crate) in_turn: bool,
    /// How long to wait once all are in, until jitter buffers and the phases of conferences have settled, in seconds
    #[arg(long, value_name = "S", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=3600))]
    pub(crate) settle: u32,
    /// How long to measure after that, in seconds
    #[arg(long, value_name = "S", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) seconds: u32,
    /// What the callers offer, one codec each, in turn
    #[arg(long, value_name = "CODEC,…", value_delimiter = ',', default_value = "pcmu")]
    pub(crate) codecs: Vec<CodecName>,
    /// Callers who do not talk send noise of this level instead of silence, in dBov
    #[arg(long, value_name = "DBOV", allow_negative_numbers = true, value_parser = clap::value_parser!(i8).range(-90..=-30))]
    pub(crate) noise: Option<i8>,
    /// Each packet says how loud it is (RFC 6464), where the codec is Opus or G.722
    #[arg(long)]
    pub(crate) audio_levels: bool,
    /// Conferences, at the most, in which the delay is measured, by short sounds in what up to three of the talkers say
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub(crate) probes: u32,
    /// Calls set up per second
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub(crate) ramp: u32,
    /// Process whose CPU time and memory are measured beside the calls
    #[arg(long, value_name = "PID")]
    pub(crate) server_pid: Option<u32>,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `plenary manual`.
#[cfg(feature = "manual")]
#[derive(Debug, Args)]
pub(crate) struct Manual {
    /// The folder in which they are made; files that are there are overwritten
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}
