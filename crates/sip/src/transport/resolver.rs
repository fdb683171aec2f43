//! Asks DNS for [`crate::locate`]: over UDP, and over TCP if an answer is too long for it.
//!
//! Addresses are asked of the system (which knows `/etc/hosts` too), unless name servers are configured. Answers are
//! cached for their TTL, within bounds; the absence of an answer is cached for half a minute.

use crate::{
    locate::{Hop, Kind, Location, Question, Record, Server, Step},
    ua::Transport,
};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, RCODE, TYPE, rdata::RData};
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket, lookup_host},
    time::timeout,
};

/// Time for a name server to answer, and how often all of them are asked.
const ANSWER_MAX: Duration = Duration::from_secs(2);
const ROUNDS: usize = 2;
/// Name servers of the system that are used.
const SERVERS_MAX: usize = 3;
/// Upper bound of the cache time.
const KEPT_MAX: Duration = Duration::from_secs(3600);
const NOTHING_KEPT: Duration = Duration::from_secs(30);
/// Cached answers. Trunks have few names; only redirections need more than this.
const ANSWERS_MAX: usize = 1024;
const DATAGRAM_BYTES_MAX: usize = 4096;
const SYSTEM_SERVERS: &str = "/etc/resolv.conf";
const PORT: u16 = 53;

/// The servers of a hop, or why there are none.
pub(super) type Located = Result<Vec<Server>, String>;

/// The servers of a `sip:` or `sips:` URI, the one to be tried first first (RFC 3263). `name_servers`: those to ask; empty: those of
/// the system.
///
/// # Errors
/// It is not such a URI, or has no servers.
pub async fn find_servers(uri: &str, name_servers: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, String> {
    let uri = super::handle::parse(uri).map_err(|error| error.to_string())?;
    let both = Arc::from([true, false]);
    let servers = Resolver::new(name_servers, both).locate(Hop::of(&uri)?).await?;
    Ok(servers.into_iter().map(|server| server.address).collect())
}

#[derive(Debug)]
pub(super) struct Resolver {
    /// The name servers to ask. Empty: those of the system.
    configured: Vec<SocketAddr>,
    kept: Mutex<HashMap<Question, (Instant, Vec<Record>)>>,
    /// The address families that can be sent to: IPv4 (`true`), IPv6 (`false`).
    families: Arc<[bool]>,
}

impl Resolver {
    pub(super) fn new(configured: Vec<SocketAddr>, families: Arc<[bool]>) -> Self {
        Self { configured, kept: Mutex::default(), families }
    }

    /// The server of a hop that is an address and needs no question.
    pub(super) fn known(hop: &Hop) -> Option<Server> {
        hop.host.parse::<IpAddr>().ok()?;
        match Location::start(hop.clone()).1 {
            Step::Found(servers) => servers.into_iter().next(),
            Step::Ask(_) => None,
        }
    }

    /// Finds the servers of a hop.
    pub(super) async fn locate(&self, hop: Hop) -> Located {
        let host = hop.host.clone();
        let (mut search, mut step) = Location::start(hop);
        loop {
            match step {
                Step::Ask(questions) => {
                    let answers =
                        futures_util::future::join_all(questions.iter().map(|q| self.answer(q))).await;
                    step = search.answered(answers, &mut random);
                }
                Step::Found(mut servers) => {
                    servers.retain(|server| {
                        self.families.contains(&server.address.is_ipv4())
                            && server.transport != Transport::Ws
                            && server.transport != Transport::Wss
                    });
                    return match servers.is_empty() {
                        true => Err(format!("its host `{host}` is not found")),
                        false => Ok(servers),
                    };
                }
            }
        }
    }

    /// An answer; no records if there are none, or no server answers.
    async fn answer(&self, question: &Question) -> Vec<Record> {
        if let Some(records) = self.kept(question) {
            return records;
        }
        let (records, for_how_long) = match question.kind {
            Kind::Address if self.configured.is_empty() => {
                // The system caches answers itself.
                return match lookup_host((question.name.as_str(), 0)).await {
                    Ok(found) => found.map(|address| Record::Address(address.ip())).collect(),
                    Err(error) => {
                        tracing::debug!(name = question.name, %error, "a name is not found");
                        Vec::new()
                    }
                };
            }
            Kind::Address => {
                let (v4, v6) =
                    tokio::join!(self.ask(&question.name, TYPE::A), self.ask(&question.name, TYPE::AAAA));
                let kept = v4.1.min(v6.1);
                (v4.0.into_iter().chain(v6.0).collect(), kept)
            }
            Kind::Srv => self.ask(&question.name, TYPE::SRV).await,
            Kind::Naptr => self.ask(&question.name, TYPE::NAPTR).await,
        };
        self.keep(question.clone(), records.clone(), for_how_long);
        records
    }

    fn kept(&self, question: &Question) -> Option<Vec<Record>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(question).filter(|(until, _)| *until > Instant::now()).map(|(_, records)| records.clone())
    }

    fn keep(&self, question: Question, records: Vec<Record>, for_how_long: Duration) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if kept.len() >= ANSWERS_MAX {
            kept.retain(|_, (until, _)| *until > now);
        }
        if kept.len() < ANSWERS_MAX {
            kept.insert(question, (now + for_how_long, records));
        }
    }

    /// The records of a name, and their lifetime.
    async fn ask(&self, name: &str, kind: TYPE) -> (Vec<Record>, Duration) {
        let servers = if self.configured.is_empty() { system_servers() } else { self.configured.clone() };
        for round in 0..ROUNDS {
            for server in &servers {
                match timeout(ANSWER_MAX, ask_one(*server, name, kind)).await {
                    Ok(Ok(Some(answer))) => return answer,
                    Ok(Ok(None)) => tracing::debug!(%server, name, "a name server has no answer"),
                    Ok(Err(error)) => {
                        tracing::debug!(%server, name, round, %error, "a name server is not reached")
                    }
                    Err(_) => tracing::debug!(%server, name, round, "a name server does not answer"),
                }
            }
        }
        tracing::info!(name, "no name server answers");
        (Vec::new(), NOTHING_KEPT)
    }
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    // A server always chosen in the same way is still a server.
    let _ = getrandom::fill(&mut bytes);
    u32::from_ne_bytes(bytes)
}

/// The name servers of the system.
fn system_servers() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string(SYSTEM_SERVERS).unwrap_or_default();
    let servers: Vec<SocketAddr> = servers_of(&text);
    if servers.is_empty() { vec![([127, 0, 0, 1], PORT).into()] } else { servers }
}

fn servers_of(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .filter_map(|rest| rest.trim().parse::<IpAddr>().ok())
        .map(|ip| SocketAddr::new(ip, PORT))
        .take(SERVERS_MAX)
        .collect()
}

fn broken(error: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

/// Asks one name server. `None` if it has no answer.
async fn ask_one(server: SocketAddr, name: &str, kind: TYPE) -> io::Result<Option<(Vec<Record>, Duration)>> {
    // A forged answer would have to guess the number and the port (RFC 5452).
    let id = random() as u16;
    let mut query = Packet::new_query(id);
    query.set_flags(PacketFlag::RECURSION_DESIRED);
    let asked = Name::new(name).map_err(broken)?;
    let question =
        simple_dns::Question::new(asked.clone(), QTYPE::TYPE(kind), QCLASS::CLASS(CLASS::IN), false);
    query.questions.push(question);
    let query = query.build_bytes_vec().map_err(broken)?;
    let any: SocketAddr = if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(&query).await?;
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let Ok(answer) = Packet::parse(&buffer[..length]) else { continue };
        if !is_answer(&answer, id, &asked, kind) {
            continue;
        }
        if !answer.has_flags(PacketFlag::TRUNCATION) {
            return Ok(read(&answer));
        }
        let bytes = ask_over_tcp(server, &query).await?;
        let answer = Packet::parse(&bytes).map_err(broken)?;
        return Ok(is_answer(&answer, id, &asked, kind).then(|| read(&answer)).flatten());
    }
}

fn is_answer(answer: &Packet<'_>, id: u16, asked: &Name<'_>, kind: TYPE) -> bool {
    let is_same = |name: &Name<'_>| name.to_string().eq_ignore_ascii_case(&asked.to_string());
    answer.id() == id
        && answer.has_flags(PacketFlag::RESPONSE)
        && answer.questions.first().is_some_and(|q| q.qtype == QTYPE::TYPE(kind) && is_same(&q.qname))
}

async fn ask_over_tcp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).map_err(broken)?;
    stream.write_all(&[&length.to_be_bytes(), query].concat()).await?;
    let length = stream.read_u16().await?;
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// The content of an answer. `None` if its sender does not know.
fn read(answer: &Packet<'_>) -> Option<(Vec<Record>, Duration)> {
    match answer.rcode() {
        RCODE::NoError => {}
        RCODE::NameError => return Some((Vec::new(), NOTHING_KEPT)),
        _ => return None,
    }
    let mut records = Vec::new();
    let mut kept = KEPT_MAX;
    for record in &answer.answers {
        // The asked server follows aliases, so their targets are in the same answer.
        let read = match &record.rdata {
            RData::A(a) => Record::Address(IpAddr::V4(a.address.into())),
            RData::AAAA(aaaa) => Record::Address(IpAddr::V6(aaaa.address.into())),
            RData::SRV(srv) => Record::Srv {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: host(&srv.target),
            },
            RData::NAPTR(naptr) => Record::Naptr {
                order: naptr.order,
                preference: naptr.preference,
                flags: naptr.flags.to_string(),
                service: naptr.services.to_string(),
                replacement: host(&naptr.replacement),
            },
            _ => continue,
        };
        kept = kept.min(Duration::from_secs(u64::from(record.ttl)));
        records.push(read);
    }
    if records.is_empty() {
        kept = NOTHING_KEPT;
    }
    Some((records, kept))
}

fn host(name: &Name<'_>) -> String {
    name.to_string().trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_of_the_system_are_read() {
        let text = "# a comment\nsearch example.com\nnameserver 192.0.2.53\n nameserver\t2001:db8::53 \nnameserver x\n";
        let expected: Vec<SocketAddr> =
            vec!["192.0.2.53:53".parse().unwrap(), "[2001:db8::53]:53".parse().unwrap()];
        assert_eq!(servers_of(text), expected);
    }

    proptest::proptest! {
        #[test]
        fn no_answer_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            if let Ok(packet) = Packet::parse(&bytes) {
                let _ = read(&packet);
            }
        }
    }
}
