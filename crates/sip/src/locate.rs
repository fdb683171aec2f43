//! Locating the servers of a SIP URI (RFC 3263) as a pure state machine: it says what to ask DNS, takes the answers,
//! and ends with a list of servers in the order in which to try them.
//!
//! Left out: `maddr`, and NAPTR records that rewrite by regular expressions, which RFC 3263 does not use.

use crate::ua::Transport;
use sipx_sip::Uri;
use std::net::{IpAddr, SocketAddr};

/// Upper bound of servers per URI: each that does not answer costs the caller seconds.
const SERVERS_MAX: usize = 16;
/// Upper bound of names asked for in one step.
const QUESTIONS_MAX: usize = 8;

/// The next hop of a request, by its route or its request URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// A host name or an address, without brackets.
    pub host: String,
    /// The port, if one is named.
    pub port: Option<u16>,
    /// The transport, if one is named.
    pub transport: Option<Transport>,
    /// TLS is mandatory (`sips:`).
    pub is_secure: bool,
}

impl Hop {
    /// The next hop of a URI. `Err`: why there is none.
    pub(crate) fn of(uri: &Uri) -> Result<Self, String> {
        if !uri.scheme().is_sip() {
            return Err("only sip: and sips: can be called".to_owned());
        }
        let host = uri.host().ok_or("it has no host")?.to_bytes();
        let host = String::from_utf8_lossy(&host).trim_matches(['[', ']']).to_ascii_lowercase();
        let is_secure = uri.scheme().is_secure();
        let transport = match uri.transport().map(<[u8]>::to_ascii_lowercase).as_deref() {
            None => None,
            Some(b"udp" | b"tcp" | b"tls") if is_secure => Some(Transport::Tls),
            Some(b"udp") => Some(Transport::Udp),
            Some(b"tcp") => Some(Transport::Tcp),
            Some(b"tls") => Some(Transport::Tls),
            Some(_) => return Err("its transport is none of udp, tcp and tls".to_owned()),
        };
        Ok(Self { host, port: uri.port(), transport, is_secure })
    }

    /// The transport if DNS does not say (section 4.1).
    fn transport_or_default(&self) -> Transport {
        self.transport.unwrap_or(if self.is_secure { Transport::Tls } else { Transport::Udp })
    }
}

/// A server to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its transport.
    pub transport: Transport,
    /// Its address.
    pub address: SocketAddr,
}

/// A question to DNS.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// The name asked for.
    pub name: String,
    /// The kind of records asked for.
    pub kind: Kind,
}

/// The kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Services of a domain.
    Naptr,
    /// Servers of a service.
    Srv,
    /// Addresses, of both families.
    Address,
}

/// A record of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A service (RFC 3403).
    Naptr {
        /// Lower first.
        order: u16,
        /// Lower first, among those of the same order.
        preference: u16,
        /// `s`: the replacement has SRV records.
        flags: String,
        /// `SIP+D2U` and so on.
        service: String,
        /// The name to continue with.
        replacement: String,
    },
    /// A server (RFC 2782).
    Srv {
        /// Lower first.
        priority: u16,
        /// The share of requests, among those of the same priority.
        weight: u16,
        /// Its port.
        port: u16,
        /// Its host name; `.` or empty: the service explicitly does not exist.
        target: String,
    },
    /// An address.
    Address(IpAddr),
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask all of these; their answers go to [`Location::answered`] in the same order.
    Ask(Vec<Question>),
    /// The servers, in the order to try. Empty if there are none.
    Found(Vec<Server>),
}

/// A search.
#[derive(Debug)]
pub struct Location {
    hop: Hop,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Services,
    /// The service of each question.
    Servers(Vec<Transport>),
    /// Servers in their order, and the names asked for.
    Addresses {
        servers: Vec<(Transport, String, u16)>,
        names: Vec<String>,
    },
}

impl Location {
    /// Begins a search (sections 4.1 and 4.2).
    #[must_use]
    pub fn start(hop: Hop) -> (Self, Step) {
        let transport = hop.transport_or_default();
        let port = hop.port.unwrap_or(transport.default_port());
        if let Ok(ip) = hop.host.parse::<IpAddr>() {
            let server = Server { transport, address: SocketAddr::new(ip, port) };
            return (Self { hop, stage: Stage::Services }, Step::Found(vec![server]));
        }
        // A name of one label belongs to the local network or this machine: no services are published under it.
        if hop.port.is_some() || !hop.host.trim_end_matches('.').contains('.') {
            let mut search = Self { hop, stage: Stage::Services };
            let step = search.ask_addresses(Vec::new());
            return (search, step);
        }
        match hop.transport {
            Some(transport) => {
                let mut search = Self { hop, stage: Stage::Services };
                let name = search.service_name(transport);
                let step = search.ask_servers(vec![(name, transport)]);
                (search, step)
            }
            None => {
                let question = Question { name: hop.host.clone(), kind: Kind::Naptr };
                (Self { hop, stage: Stage::Services }, Step::Ask(vec![question]))
            }
        }
    }

    /// Takes the answers to the last questions. `random`: any number.
    pub fn answered(&mut self, answers: Vec<Vec<Record>>, random: &mut dyn FnMut() -> u32) -> Step {
        match std::mem::replace(&mut self.stage, Stage::Services) {
            Stage::Services => {
                let mut services = services(answers.into_iter().flatten(), self.hop.is_secure);
                if services.is_empty() {
                    services = self.usual_services();
                }
                self.ask_servers(services)
            }
            Stage::Servers(transports) => {
                let is_denied = answers.iter().flatten().any(is_denial);
                let mut servers = Vec::new();
                for (transport, records) in transports.into_iter().zip(answers) {
                    let ordered = in_order(records, random);
                    servers.extend(ordered.into_iter().map(|(target, port)| (transport, target, port)));
                }
                if servers.is_empty() && is_denied {
                    return Step::Found(Vec::new());
                }
                servers.truncate(SERVERS_MAX);
                self.ask_addresses(servers)
            }
            Stage::Addresses { servers, names } => {
                let mut found: Vec<Server> = Vec::new();
                for (transport, target, port) in servers {
                    let Some(at) = names.iter().position(|name| *name == target) else { continue };
                    for record in answers.get(at).into_iter().flatten() {
                        if let Record::Address(ip) = record {
                            let server = Server { transport, address: SocketAddr::new(*ip, port) };
                            if found.len() < SERVERS_MAX && !found.contains(&server) {
                                found.push(server);
                            }
                        }
                    }
                }
                Step::Found(found)
            }
        }
    }

    fn service_name(&self, transport: Transport) -> String {
        let service = match transport {
            Transport::Udp => "_sip._udp",
            Transport::Tls | Transport::Wss => "_sips._tcp",
            Transport::Tcp | Transport::Ws => "_sip._tcp",
        };
        format!("{service}.{}", self.hop.host)
    }

    /// Without NAPTR records every supported transport is asked for.
    fn usual_services(&self) -> Vec<(String, Transport)> {
        let transports: &[Transport] = match self.hop.is_secure {
            true => &[Transport::Tls],
            false => &[Transport::Udp, Transport::Tcp, Transport::Tls],
        };
        transports.iter().map(|transport| (self.service_name(*transport), *transport)).collect()
    }

    fn ask_servers(&mut self, services: Vec<(String, Transport)>) -> Step {
        let (names, transports): (Vec<_>, Vec<_>) = services.into_iter().take(QUESTIONS_MAX).unzip();
        self.stage = Stage::Servers(transports);
        Step::Ask(names.into_iter().map(|name| Question { name, kind: Kind::Srv }).collect())
    }

    /// Without SRV records the server is the host itself (section 4.2).
    fn ask_addresses(&mut self, mut servers: Vec<(Transport, String, u16)>) -> Step {
        if servers.is_empty() {
            let transport = self.hop.transport_or_default();
            let port = self.hop.port.unwrap_or(transport.default_port());
            servers.push((transport, self.hop.host.clone(), port));
        }
        let mut names: Vec<String> = Vec::new();
        for (_, target, _) in &servers {
            if !names.contains(target) && names.len() < QUESTIONS_MAX {
                names.push(target.clone());
            }
        }
        let questions =
            names.iter().map(|name| Question { name: name.clone(), kind: Kind::Address }).collect();
        self.stage = Stage::Addresses { servers, names };
        Step::Ask(questions)
    }
}

/// The services that are supported, in the order that their domain prefers.
fn services(records: impl Iterator<Item = Record>, only_secure: bool) -> Vec<(String, Transport)> {
    let mut usable: Vec<(u16, u16, String, Transport)> = records
        .filter_map(|record| {
            let Record::Naptr { order, preference, flags, service, replacement } = record else {
                return None;
            };
            let transport = match service.to_ascii_uppercase().as_str() {
                "SIP+D2U" if !only_secure => Transport::Udp,
                "SIP+D2T" if !only_secure => Transport::Tcp,
                "SIPS+D2T" => Transport::Tls,
                _ => return None,
            };
            let is_usable = flags.eq_ignore_ascii_case("s") && !replacement.is_empty();
            is_usable.then_some((order, preference, replacement, transport))
        })
        .collect();
    usable.sort_by_key(|(order, preference, ..)| (*order, *preference));
    usable.into_iter().map(|(_, _, name, transport)| (name, transport)).collect()
}

fn is_denial(record: &Record) -> bool {
    matches!(record, Record::Srv { target, .. } if target.is_empty() || target == ".")
}

/// The servers of a service: by priority, and within a priority at random, with probabilities by weight (RFC 2782).
pub(crate) fn in_order(records: Vec<Record>, random: &mut dyn FnMut() -> u32) -> Vec<(String, u16)> {
    let mut servers: Vec<(u16, u16, String, u16)> = records
        .into_iter()
        .filter(|record| !is_denial(record))
        .filter_map(|record| match record {
            Record::Srv { priority, weight, port, target } => Some((priority, weight, target, port)),
            Record::Naptr { .. } | Record::Address(_) => None,
        })
        .collect();
    // Those without weight come first within their priority, so that they have a small chance too.
    servers.sort_by_key(|(priority, weight, ..)| (*priority, *weight != 0));
    let mut ordered = Vec::with_capacity(servers.len());
    while let Some((priority, ..)) = servers.first() {
        let priority = *priority;
        let same = servers.iter().take_while(|server| server.0 == priority);
        let total: u32 = same.map(|server| u32::from(server.1)).sum();
        let chosen = random() % (total + 1);
        let mut sum = 0;
        let at = servers
            .iter()
            .position(|server| {
                sum += u32::from(server.1);
                server.0 != priority || sum >= chosen
            })
            .unwrap_or(0);
        let (_, _, target, port) = servers.remove(at);
        ordered.push((target, port));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(uri: &str) -> Hop {
        Hop::of(&Uri::parse(uri.to_owned().into()).unwrap()).unwrap()
    }

    fn srv(priority: u16, weight: u16, target: &str, port: u16) -> Record {
        Record::Srv { priority, weight, port, target: target.to_owned() }
    }

    fn asked(step: &Step) -> Vec<(&str, Kind)> {
        match step {
            Step::Ask(questions) => questions.iter().map(|q| (q.name.as_str(), q.kind)).collect(),
            Step::Found(found) => panic!("found {found:?}"),
        }
    }

    fn found(step: Step) -> Vec<(Transport, String)> {
        match step {
            Step::Found(found) => {
                found.into_iter().map(|server| (server.transport, server.address.to_string())).collect()
            }
            Step::Ask(questions) => panic!("asks {questions:?}"),
        }
    }

    fn address(text: &str) -> Record {
        Record::Address(text.parse().unwrap())
    }

    #[test]
    fn addresses_are_not_asked_for() {
        for (uri, expected) in [
            ("sip:a@192.0.2.1", (Transport::Udp, "192.0.2.1:5060")),
            ("sip:a@192.0.2.1:5080;transport=tcp", (Transport::Tcp, "192.0.2.1:5080")),
            ("sips:a@192.0.2.1", (Transport::Tls, "192.0.2.1:5061")),
            ("sip:[2001:db8::1];transport=tls", (Transport::Tls, "[2001:db8::1]:5061")),
        ] {
            let (_, step) = Location::start(hop(uri));
            assert_eq!(found(step), [(expected.0, expected.1.to_owned())], "{uri}");
        }
        for wrong in ["tel:123", "sip:a@h;transport=sctp"] {
            assert!(Hop::of(&Uri::parse(wrong.to_owned().into()).unwrap()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_asked_follows_from_port_and_transport() {
        let first = |uri: &str| {
            let (_, step) = Location::start(hop(uri));
            asked(&step).into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect::<Vec<_>>()
        };
        assert_eq!(first("sip:a@Example.com"), [("example.com".to_owned(), Kind::Naptr)]);
        assert_eq!(first("sip:a@example.com:5070"), [("example.com".to_owned(), Kind::Address)]);
        assert_eq!(
            first("sip:a@example.com;transport=tcp"),
            [("_sip._tcp.example.com".to_owned(), Kind::Srv)]
        );
        assert_eq!(
            first("sip:a@example.com;transport=tls"),
            [("_sips._tcp.example.com".to_owned(), Kind::Srv)]
        );
        assert_eq!(first("sip:a@localhost"), [("localhost".to_owned(), Kind::Address)]);
    }

    #[test]
    fn services_lead_to_servers_and_servers_to_addresses() {
        let naptr = |order, preference, service: &str, replacement: &str| Record::Naptr {
            order,
            preference,
            flags: "s".into(),
            service: service.into(),
            replacement: replacement.into(),
        };
        let (mut search, _) = Location::start(hop("sip:a@example.com"));
        let step = search.answered(
            vec![vec![
                naptr(20, 1, "SIP+D2U", "_sip._udp.example.com"),
                naptr(10, 1, "SIPS+D2T", "_sips._tcp.example.com"),
                naptr(10, 0, "SIP+D2W", "_sips._tcp.example.com"),
            ]],
            &mut || 0,
        );
        assert_eq!(
            asked(&step),
            [("_sips._tcp.example.com", Kind::Srv), ("_sip._udp.example.com", Kind::Srv)]
        );
        let step = search.answered(
            vec![
                vec![srv(10, 0, "b.example.com", 5061), srv(5, 0, "a.example.com", 5071)],
                vec![srv(1, 0, "a.example.com", 5060)],
            ],
            &mut || 0,
        );
        assert_eq!(asked(&step), [("a.example.com", Kind::Address), ("b.example.com", Kind::Address)]);
        let step = search.answered(
            vec![vec![address("192.0.2.1"), address("2001:db8::1")], vec![address("192.0.2.2")]],
            &mut || 0,
        );
        let expected = [
            (Transport::Tls, "192.0.2.1:5071"),
            (Transport::Tls, "[2001:db8::1]:5071"),
            (Transport::Tls, "192.0.2.2:5061"),
            (Transport::Udp, "192.0.2.1:5060"),
            (Transport::Udp, "[2001:db8::1]:5060"),
        ];
        assert_eq!(found(step), expected.map(|(transport, address)| (transport, address.to_owned())));
    }

    #[test]
    fn without_records_it_is_the_host_itself() {
        let (mut search, _) = Location::start(hop("sip:a@example.com"));
        let step = search.answered(vec![vec![]], &mut || 0);
        let names: Vec<&str> = asked(&step).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["_sip._udp.example.com", "_sip._tcp.example.com", "_sips._tcp.example.com"]);
        let step = search.answered(vec![vec![], vec![], vec![]], &mut || 0);
        assert_eq!(asked(&step), [("example.com", Kind::Address)]);
        let step = search.answered(vec![vec![address("192.0.2.7")]], &mut || 0);
        assert_eq!(found(step), [(Transport::Udp, "192.0.2.7:5060".to_owned())]);
        // A secure URI asks for TLS only.
        let (mut search, _) = Location::start(hop("sips:a@example.com"));
        let step = search.answered(vec![vec![]], &mut || 0);
        assert_eq!(asked(&step), [("_sips._tcp.example.com", Kind::Srv)]);
        // And a service that explicitly does not exist is not used.
        assert_eq!(found(search.answered(vec![vec![srv(0, 0, ".", 0)]], &mut || 0)), []);
    }

    #[test]
    fn servers_of_one_priority_share_by_weight() {
        let records = || {
            vec![srv(20, 0, "last", 1), srv(10, 60, "big", 1), srv(10, 20, "small", 1), srv(10, 0, "none", 1)]
        };
        let (mut seed, mut big, mut small, mut none) = (1_u32, 0, 0, 0);
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed >> 8
        };
        for _ in 0..8000 {
            let ordered = in_order(records(), &mut random);
            assert_eq!(ordered.len(), 4);
            assert_eq!(ordered[3].0, "last");
            match ordered[0].0.as_str() {
                "big" => big += 1,
                "small" => small += 1,
                "none" => none += 1,
                other => panic!("{other}"),
            }
        }
        assert!(
            (5600..6300).contains(&big) && (1700..2300).contains(&small) && none < 300,
            "{big} {small} {none}"
        );
    }
}
