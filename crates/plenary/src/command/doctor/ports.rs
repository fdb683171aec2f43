//! The ports on which the service listens: beside a running service each answers, without one each can be had.

use super::Check;
use crate::{config::Config, tls::any_certificate};
use std::{
    fmt::{self, Display},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// The first line of an answer is shorter.
const LINE_BYTES_MAX: usize = 2048;

/// Where something listens.
struct Place {
    what: What,
    address: SocketAddr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Web,
    WebTls,
    Metrics,
    SipUdp,
    SipTcp,
    SipTls,
}

impl What {
    const fn name(self) -> &'static str {
        match self {
            Self::Web => "web services",
            Self::WebTls => "web services (TLS)",
            Self::Metrics => "metrics",
            Self::SipUdp => "SIP (UDP)",
            Self::SipTcp => "SIP (TCP)",
            Self::SipTls => "SIP (TLS)",
        }
    }

    /// The transport of SIP, as Via has it; `None`: it is HTTP.
    const fn sip(self) -> Option<&'static str> {
        match self {
            Self::Web | Self::WebTls | Self::Metrics => None,
            Self::SipUdp => Some("UDP"),
            Self::SipTcp => Some("TCP"),
            Self::SipTls => Some("TLS"),
        }
    }

    const fn has_tls(self) -> bool {
        matches!(self, Self::WebTls | Self::SipTls)
    }
}

fn places(config: &Config) -> Vec<Place> {
    let place = |what, address| Place { what, address };
    let mut places = vec![place(What::Web, config.http)];
    places.extend(config.https.map(|address| place(What::WebTls, address)));
    places.extend(config.metrics.map(|address| place(What::Metrics, address)));
    for address in &config.sip.0 {
        places.extend([What::SipUdp, What::SipTcp].map(|what| place(what, *address)));
    }
    places.extend(config.sips.0.iter().map(|address| place(What::SipTls, *address)));
    places
}

/// Beside a running service each port answers; without one each can be had.
pub(super) async fn ports(config: &Config, is_running: bool) -> Vec<Check> {
    let mut checks = Vec::new();
    for Place { what, address } in places(config) {
        checks.push(match is_running {
            true => answers(what, address).await,
            false => is_free(what, address),
        });
    }
    checks
}

/// Why a port does not answer as it should.
enum Fault {
    /// There is no connection.
    Unreachable(String),
    /// TLS does not come about.
    NoTls(String),
    /// There is none, or the connection is closed.
    NoAnswer(String),
    /// It is not the one of this service.
    Other(String),
}

impl Fault {
    const fn action(&self, what: What) -> &'static str {
        match self {
            Self::Unreachable(_) => {
                "Was the service started with other addresses than this configuration has? Pass its --config."
            }
            Self::NoTls(_) if what.sip().is_some() => {
                "Is this machine in signalling.allow_from? Has another program this port? Otherwise look at `certificate` below, and into the log of the service."
            }
            Self::NoTls(_) => {
                "Has another program this port? Otherwise look at `certificate` below, and into the log of the service."
            }
            Self::NoAnswer(_) if what.sip().is_some() => {
                "Is this machine in signalling.allow_from, and not banned (`plenary ban list`)? Was the service started with other addresses?"
            }
            Self::NoAnswer(_) => "Is the service overloaded? Look into its log.",
            Self::Other(_) => "Another program answers there: stop it, or configure another port.",
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unreachable(why) | Self::NoTls(why) | Self::NoAnswer(why) | Self::Other(why)) = self;
        f.write_str(why)
    }
}

async fn answers(what: What, address: SocketAddr) -> Check {
    let name = format!("{} {address}", what.name());
    match ask(what, reachable(address)).await {
        Ok(said) => Check::ok(name, said),
        Err(fault) => {
            let action = fault.action(what);
            Check::failed(name, fault, action)
        }
    }
}

/// An address by which this machine reaches itself.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Asks as a client does, and says how that was answered.
async fn ask(what: What, address: SocketAddr) -> Result<&'static str, Fault> {
    let line = match what {
        What::SipUdp => {
            let asked = timeout(ANSWER_WITHIN, ask_by_datagram(address)).await;
            asked.unwrap_or_else(|_| Err(late())).map_err(|error| no_answer(what, &error))?
        }
        What::Web | What::WebTls | What::Metrics | What::SipTcp | What::SipTls => {
            ask_by_stream(what, address).await?
        }
    };
    match what.sip() {
        Some(_) if line.starts_with("SIP/2.0 200") => Ok("answers OPTIONS"),
        None if line.starts_with("HTTP/1.1 200") => Ok("answers requests"),
        Some(_) if line.starts_with("SIP/2.0 ") => {
            Err(Fault::NoAnswer(format!("OPTIONS is answered `{line}`")))
        }
        None if line.starts_with("HTTP/1.1 5") => {
            Err(Fault::NoAnswer(format!("a request is answered `{line}`")))
        }
        Some(_) | None => Err(Fault::Other(format!("it answers `{line}`"))),
    }
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "nothing came within three seconds")
}

fn no_answer(what: What, error: &io::Error) -> Fault {
    let asked = if what.sip().is_some() { "OPTIONS is" } else { "a request is" };
    Fault::NoAnswer(format!("{asked} not answered: {error}"))
}

async fn ask_by_datagram(address: SocketAddr) -> io::Result<String> {
    let any: SocketAddr =
        if address.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = tokio::net::UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    socket.send(options("UDP", address, socket.local_addr()?).as_bytes()).await?;
    let mut answer = [0; LINE_BYTES_MAX];
    let length = socket.recv(&mut answer).await?;
    Ok(first_line(&answer[..length]))
}

async fn ask_by_stream(what: What, address: SocketAddr) -> Result<String, Fault> {
    let connected = timeout(ANSWER_WITHIN, TcpStream::connect(address)).await;
    let mut stream =
        connected.unwrap_or_else(|_| Err(late())).map_err(|error| Fault::Unreachable(error.to_string()))?;
    let ours = stream.local_addr().map_err(|error| Fault::Unreachable(error.to_string()))?;
    let request = match what.sip() {
        Some(transport) => options(transport, address, ours),
        None => {
            let path = if what == What::Metrics { "/metrics" } else { "/livez" };
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        }
    };
    let answered = match what.has_tls() {
        true => {
            // Whose name the certificate has, and until when, is another check.
            let connector = TlsConnector::from(Arc::new(any_certificate()));
            let name = ServerName::from(address.ip());
            let connected = timeout(ANSWER_WITHIN, connector.connect(name, stream)).await;
            let mut stream = connected
                .unwrap_or_else(|_| Err(late()))
                .map_err(|error| Fault::NoTls(format!("no connection with TLS: {error}")))?;
            timeout(ANSWER_WITHIN, say(&mut stream, &request)).await
        }
        false => timeout(ANSWER_WITHIN, say(&mut stream, &request)).await,
    };
    answered.unwrap_or_else(|_| Err(late())).map_err(|error| no_answer(what, &error))
}

/// Says something, and returns the first line of the answer.
async fn say(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    while !answer.contains(&b'\n') && answer.len() < LINE_BYTES_MAX {
        let mut part = [0; 512];
        match stream.read(&mut part).await? {
            0 if answer.is_empty() => {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection is closed"));
            }
            0 => break,
            count => answer.extend_from_slice(&part[..count]),
        }
    }
    Ok(first_line(&answer))
}

fn first_line(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).lines().next().unwrap_or_default().to_owned()
}

fn options(transport: &str, address: SocketAddr, ours: SocketAddr) -> String {
    let id = format!("doctor{transport}{}", std::process::id());
    format!(
        "OPTIONS sip:{address} SIP/2.0\r\nVia: SIP/2.0/{transport} {ours};rport;branch=z9hG4bK{id}\r\nMax-Forwards: 70\r\n\
         From: <sip:doctor@{ours}>;tag={id}\r\nTo: <sip:{address}>\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

fn is_free(what: What, address: SocketAddr) -> Check {
    let name = format!("{} {address}", what.name());
    let bound = match what {
        What::SipUdp => UdpSocket::bind(address).map(drop),
        What::Web | What::WebTls | What::Metrics | What::SipTcp | What::SipTls => {
            TcpListener::bind(address).map(drop)
        }
    };
    let Err(error) = bound else { return Check::ok(name, "can be listened on") };
    let action = match error.kind() {
        io::ErrorKind::AddrInUse => "Stop the other program, or configure another port.",
        io::ErrorKind::AddrNotAvailable => "This machine has no such address: configure one of its own.",
        io::ErrorKind::PermissionDenied => {
            "Ports below 1024 need the capability CAP_NET_BIND_SERVICE (AmbientCapabilities in the unit)."
        }
        _ => "Configure another address.",
    };
    Check::failed(name, error, action)
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    #[test]
    fn a_port_that_is_taken_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        for what in [What::Web, What::SipTcp, What::SipTls] {
            let check = is_free(what, address);
            assert!(check.status == Status::Failed && check.action.unwrap().contains("another port"));
        }
        drop(taken);
        assert_eq!(is_free(What::Web, address).status, Status::Ok);
        let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(is_free(What::SipUdp, address).status, Status::Failed);
        drop(taken);
        assert_eq!(is_free(What::SipUdp, address).status, Status::Ok);
    }

    #[test]
    fn each_address_is_looked_at_by_each_transport() {
        let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let config = Config {
            http: address(1),
            https: Some(address(2)),
            metrics: Some(address(3)),
            sip: crate::config::Addresses(vec![address(4), address(5)]),
            sips: crate::config::Addresses(vec![address(6)]),
            ..Config::default()
        };
        let looked_at: Vec<_> =
            places(&config).iter().map(|place| (place.what, place.address.port())).collect();
        let expected = [
            (What::Web, 1),
            (What::WebTls, 2),
            (What::Metrics, 3),
            (What::SipUdp, 4),
            (What::SipTcp, 4),
            (What::SipUdp, 5),
            (What::SipTcp, 5),
            (What::SipTls, 6),
        ];
        assert_eq!(looked_at, expected);
    }

    /// A program that takes one connection and says this, or closes it.
    async fn program(says: Option<&'static str>) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            if let Some(says) = says {
                let mut request = [0; 1024];
                let _ = connection.read(&mut request).await;
                let _ = connection.write_all(says.as_bytes()).await;
            }
        });
        address
    }

    #[tokio::test]
    async fn what_a_port_answers_is_red_or_green_with_what_to_do() {
        let busy = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
        for (what, says, status, word) in [
            (What::Web, Some("HTTP/1.1 200 OK\r\n\r\nok\n"), Status::Ok, ""),
            (What::Metrics, Some("HTTP/1.1 200 OK\r\n\r\n# HELP"), Status::Ok, ""),
            (What::SipTcp, Some("SIP/2.0 200 OK\r\n\r\n"), Status::Ok, ""),
            (What::Web, Some(busy), Status::Failed, "overloaded"),
            (What::Web, Some("SSH-2.0-OpenSSH_9.2\r\n"), Status::Failed, "Another program"),
            (What::Web, Some("HTTP/1.1 404 Not Found\r\n\r\n"), Status::Failed, "Another program"),
            (What::SipTcp, Some("HTTP/1.1 400 Bad Request\r\n\r\n"), Status::Failed, "Another program"),
            (What::SipTcp, Some("SIP/2.0 403 Forbidden\r\n\r\n"), Status::Failed, "signalling.allow_from"),
            (What::SipTcp, None, Status::Failed, "signalling.allow_from"),
            (What::SipTls, None, Status::Failed, "certificate"),
            (What::WebTls, Some("HTTP/1.1 400 Bad Request\r\n\r\n"), Status::Failed, "certificate"),
        ] {
            let address = program(says).await;
            let check = answers(what, address).await;
            assert_eq!(check.status, status, "{what:?} {says:?}: {check:?}");
            assert_eq!(check.name, format!("{} {address}", what.name()));
            let action = check.action.unwrap_or_default();
            assert!(
                action.contains(word) && action.is_empty() == word.is_empty(),
                "{what:?} {says:?}: {action}"
            );
        }
    }

    #[tokio::test]
    async fn a_port_on_which_nothing_listens_is_red() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        for what in [What::Web, What::SipTcp, What::SipTls] {
            let check = answers(what, address).await;
            assert!(check.status == Status::Failed && check.action.unwrap().contains("--config"), "{what:?}");
        }
    }
}
