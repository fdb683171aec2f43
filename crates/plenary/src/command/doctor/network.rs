//! RTP ports, addresses, the certificate, the provider at which people sign in, names, trunks.

use super::Check;
use crate::{config::Config, operator, tls::Tls};
use plenary_model::Trunk;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    time::{Duration, SystemTime},
};
use tokio::time::timeout;

const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// Pairs of RTP ports that are tried.
const PAIRS_TRIED: u16 = 50;
const DAY: Duration = Duration::from_secs(86_400);
const RENEW_BEFORE_DAYS: u64 = 14;
const STUN_PORT: u16 = 3478;

pub(super) fn rtp_ports(config: &Config, is_running: bool) -> Check {
    let (first, last) = (config.rtp_ports.first, config.rtp_ports.last);
    let name = format!("RTP ports {first}-{last}");
    let pairs = (u32::from(last) + 1).saturating_sub(u32::from(first).next_multiple_of(2)) / 2;
    let capacity = config.reservations.capacity;
    if pairs < capacity {
        return Check::warning(
            name,
            format!("enough for {pairs} calls, of {capacity} seats"),
            "Widen rtp_ports, and open the ports in the firewall.",
        );
    }
    if is_running {
        return Check::ok(name, format!("enough for {pairs} calls; the firewall has to let UDP in"));
    }
    let ip = config.sip.0.first().map_or(Ipv4Addr::LOCALHOST.into(), SocketAddr::ip);
    let step = (pairs as u16 / PAIRS_TRIED).max(1) * 2;
    let even = first.next_multiple_of(2);
    let tried = (even..last).step_by(usize::from(step));
    let taken: Vec<u16> = tried.filter(|port| !is_free_pair(ip, *port)).collect();
    match taken.first() {
        None => Check::ok(name, format!("enough for {pairs} calls; the firewall has to let UDP in")),
        Some(port) => Check::warning(
            name,
            format!("of those tried, {} are taken, {port} for one", taken.len()),
            "Move rtp_ports away from other programs, and below net.ipv4.ip_local_port_range.",
        ),
    }
}

fn is_free_pair(ip: IpAddr, port: u16) -> bool {
    UdpSocket::bind((ip, port)).is_ok_and(|_rtp| UdpSocket::bind((ip, port + 1)).is_ok())
}

/// What callers are told, and whether they can reach that.
pub(super) async fn addresses(config: &Config) -> Vec<Check> {
    let Some(listening) = config.sip.0.first().map(SocketAddr::ip) else { return Vec::new() };
    let own = if listening.is_unspecified() { source_address(listening) } else { Some(listening) };
    let announced = config.advertise.or(own);
    let mut checks = vec![announced_address(config, listening, announced)];
    if let Some(server) = config.ice.stun.first() {
        checks.push(public_address(server, announced).await);
    }
    checks
}

fn announced_address(config: &Config, listening: IpAddr, announced: Option<IpAddr>) -> Check {
    let name = "address";
    let Some(announced) = announced else {
        return Check::warning(
            name,
            "this machine has no route to others",
            "Connect it, or set `advertise` to the address that callers reach.",
        );
    };
    if listening.is_loopback() {
        return Check::warning(
            name,
            format!("SIP listens on {listening}: only this machine can call"),
            "Set `sip` to an address of this machine, and `signalling.allow_from` to the networks of callers.",
        );
    }
    if config.advertise.is_none() && is_private(announced) {
        return Check::warning(
            name,
            format!("callers are told {announced}, which is private: those beyond a NAT cannot reach it"),
            "If callers come from the internet, set `advertise` to the public address and have the NAT pass the ports on.",
        );
    }
    Check::ok(name, format!("callers are told {announced}"))
}

fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_private() || ip.is_link_local() || (ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// The address from which this machine would send to others.
fn source_address(any: IpAddr) -> Option<IpAddr> {
    // Addresses for examples, which lead where most do. Nothing is sent.
    let towards: SocketAddr = match any {
        IpAddr::V4(_) => ([192, 0, 2, 1], 9).into(),
        IpAddr::V6(_) => ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 9).into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(towards).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// What a STUN server sees (RFC 8489).
async fn public_address(server: &str, announced: Option<IpAddr>) -> Check {
    let name = "public address";
    let target = server.trim_start_matches("stun:");
    let target = if target.contains(':') { target.to_owned() } else { format!("{target}:{STUN_PORT}") };
    match timeout(ANSWER_WITHIN, ask_stun(&target)).await {
        Ok(Ok(public)) if announced == Some(public) => {
            Check::ok(name, format!("{public}, as callers are told"))
        }
        Ok(Ok(public)) => Check::warning(
            name,
            format!(
                "{target} sees {public}, and callers are told {}",
                announced.map_or("nothing".to_owned(), |ip| ip.to_string())
            ),
            format!(
                "If callers come from the internet, set `advertise = \"{public}\"` and have the NAT pass the ports on."
            ),
        ),
        Ok(Err(error)) => {
            Check::warning(name, format!("{target}: {error}"), "Check ice.stun: browsers are told it too.")
        }
        Err(_) => Check::warning(
            name,
            format!("{target} does not answer"),
            "Check ice.stun: browsers are told it too.",
        ),
    }
}

async fn ask_stun(target: &str) -> io::Result<IpAddr> {
    const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
    let to = tokio::net::lookup_host(target).await?.find(SocketAddr::is_ipv4);
    let to = to.ok_or_else(|| io::Error::other("the name has no address of IPv4"))?;
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.connect(to).await?;
    let mut request = [0; 20];
    request[1] = 1;
    request[4..8].copy_from_slice(&MAGIC);
    getrandom::fill(&mut request[8..]).map_err(io::Error::other)?;
    socket.send(&request).await?;
    let mut answer = [0; 512];
    let length = socket.recv(&mut answer).await?;
    mapped_address(&answer[..length], &request)
        .ok_or_else(|| io::Error::other("the answer is not one of STUN"))
}

/// XOR-MAPPED-ADDRESS of a success response to this request.
fn mapped_address(answer: &[u8], request: &[u8; 20]) -> Option<IpAddr> {
    if answer.get(..2)? != [1, 1] || answer.get(4..20)? != &request[4..20] {
        return None;
    }
    let mut attributes = &answer[20..];
    while let Some(&[kind_high, kind, high, low]) = attributes.first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let value = attributes.get(4..4 + length)?;
        if [kind_high, kind] == [0, 0x20] && value.get(1) == Some(&1) {
            let octets: [u8; 4] =
                std::array::from_fn(|at| value.get(4 + at).copied().unwrap_or(0) ^ request[4 + at]);
            return Some(octets.into());
        }
        attributes = attributes.get(4 + length.next_multiple_of(4)..)?;
    }
    None
}

pub(super) fn certificate(config: &Config) -> Check {
    let name = "certificate";
    let files = &config.tls;
    if files.certificate.is_none() {
        return match config.http.ip().is_loopback() {
            true => Check::skipped(name, "none is configured"),
            false => Check::warning(
                name,
                "none is configured, and the web services can be reached over the network",
                "API Access Keys travel with every request: set [tls] and `https`, or put a proxy with TLS in front.",
            ),
        };
    }
    let tls =
        match Tls::load(files.certificate.as_deref(), files.key.as_deref(), files.authorities.as_deref()) {
            Ok(tls) => tls,
            Err(error) => {
                return Check::failed(
                    name,
                    format!("{error:#}"),
                    "Name a certificate and its key in [tls], both in PEM.",
                );
            }
        };
    let Some(expires_at) = tls.expires_at() else {
        return Check::warning(name, "when it expires cannot be read", "Name another one in [tls].");
    };
    match expires_at.duration_since(SystemTime::now()).map(|left| left.as_secs() / DAY.as_secs()) {
        Err(_) => Check::failed(
            name,
            "it has expired",
            "Renew it in place; the service takes the new one within a minute.",
        ),
        Ok(days) if days < RENEW_BEFORE_DAYS => Check::warning(
            name,
            format!("it expires in {days} days"),
            "Renew it in place; the service takes the new one within a minute.",
        ),
        Ok(days) => Check::ok(name, format!("valid for {days} more days")),
    }
}

/// The provider at which people sign in, where one is configured.
pub(super) async fn provider(config: &Config) -> Option<Check> {
    let (name, oidc) = ("sign-in provider", &config.web.oidc);
    let settings = match oidc.settings(&config.web.public_url) {
        Ok(settings) => settings?,
        Err(error) => {
            let action = "The service does not start without it: name a file that it can read.";
            return Some(Check::failed(name, format!("{error:#}"), action));
        }
    };
    let tls = match Tls::load(None, None, config.tls.authorities.as_deref()) {
        Ok(tls) => tls,
        Err(error) => {
            return Some(Check::failed(name, format!("{error:#}"), "Correct `authorities` of [tls]."));
        }
    };
    let redirect = settings.redirect_uri.clone();
    Some(match plenary_api::Oidc::new(settings, tls.client()).look().await {
        Ok(()) => Check::ok(name, format!("{} answers; it has to know {redirect}", oidc.issuer)),
        Err(reason) => Check::warning(
            name,
            reason,
            "Nobody can sign in there: compare `issuer` of [web.oidc] with what the provider calls itself.",
        ),
    })
}

/// Names that calls depend on are found.
pub(super) async fn names(config: &Config, trunks: &[Trunk]) -> Vec<Check> {
    let mut checks = Vec::new();
    let uris = trunks.iter().flat_map(|trunk| {
        let settings = &trunk.settings;
        settings.outbound_proxy.as_ref().or(Some(&settings.uri)).map(ToString::to_string)
    });
    let mut uris: Vec<String> = uris.collect();
    uris.sort();
    uris.dedup();
    for uri in uris {
        let name = format!("DNS {uri}");
        checks.push(match plenary_sip::find_servers(&uri, config.signalling.resolver.clone()).await {
            Ok(servers) => {
                let servers: Vec<String> = servers.iter().map(ToString::to_string).collect();
                Check::ok(name, servers.join(", "))
            }
            Err(error) => Check::failed(
                name,
                error,
                "Check the host of the trunk, /etc/resolv.conf, and signalling.resolver.",
            ),
        });
    }
    if let Some(target) = config.hep.target() {
        let name = format!("DNS {target}");
        let found = timeout(ANSWER_WITHIN, tokio::net::lookup_host(&target)).await;
        checks.push(match found.unwrap_or_else(|late| Err(late.into())) {
            Ok(_) => Check::ok(name, "the capture server is found"),
            Err(error) => Check::warning(name, error, "Check `to` of [hep]."),
        });
    }
    if checks.is_empty() {
        checks.push(Check::skipped("DNS", "no trunk names a host"));
    }
    checks
}

/// How trunks do, as the running service has it.
pub(super) fn trunks(trunks: &[Trunk], running: Option<&operator::Status>) -> Vec<Check> {
    let Some(running) = running else {
        return match trunks.len() {
            0 => vec![Check::skipped("trunks", "there are none")],
            count => {
                vec![Check::skipped("trunks", format!("{count}, which no service is registered with now"))]
            }
        };
    };
    if running.trunks.is_empty() {
        return vec![Check::skipped("trunks", "there are none")];
    }
    let check = |trunk: &operator::TrunkStatus| {
        let name = format!("trunk {}", trunk.name);
        let last =
            trunk.last_error.as_ref().map(|error| format!("; last error: {error}")).unwrap_or_default();
        match trunk.is_registered {
            Some(true) => Check::ok(name, format!("registered, {} calls{last}", trunk.calls)),
            None => Check::ok(name, format!("needs no registration, {} calls{last}", trunk.calls)),
            Some(false) => Check::failed(
                name,
                format!("not registered{last}"),
                "401 and 403: check user and password. 408 and 503: check the host, the firewall and signalling.allow_from.",
            ),
        }
    };
    running.trunks.iter().map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    #[test]
    fn private_addresses_are_those_that_the_internet_does_not_route() {
        for ip in
            ["10.0.0.1", "192.168.7.7", "100.64.0.1", "169.254.1.1", "fd00::1", "fe80::1", "::ffff:10.0.0.1"]
        {
            assert!(is_private(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["192.0.2.1", "100.128.0.1", "8.8.8.8", "2001:db8::1"] {
            assert!(!is_private(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn the_address_that_a_stun_server_saw_is_read() {
        let mut request = [0; 20];
        request[..8].copy_from_slice(&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
        let mut answer = request.to_vec();
        answer[..4].copy_from_slice(&[1, 1, 0, 20]);
        answer.extend([0x80, 0x22, 0, 3, b'a', b'b', b'c', 0]);
        answer.extend([0, 0x20, 0, 8, 0, 1, 0, 0, 203 ^ 0x21, 0x12, 113 ^ 0xa4, 7 ^ 0x42]);
        assert_eq!(mapped_address(&answer, &request), Some([203, 0, 113, 7].into()));
        request[9] = 1;
        assert_eq!(mapped_address(&answer, &request), None, "of another request");
        for length in 0..answer.len() {
            assert_eq!(mapped_address(&answer[..length], &request), None, "cut off");
        }
    }

    #[test]
    fn what_callers_are_told_has_to_be_reachable() {
        let check = |sip: &str, advertise: Option<&str>| {
            let config = Config { advertise: advertise.map(|ip| ip.parse().unwrap()), ..Config::default() };
            let listening: IpAddr = sip.parse().unwrap();
            announced_address(&config, listening, config.advertise.or(Some(listening))).status
        };
        assert_eq!(check("127.0.0.1", None), Status::Warning);
        assert_eq!(check("10.0.0.5", None), Status::Warning);
        assert_eq!(check("10.0.0.5", Some("203.0.113.4")), Status::Ok);
        assert_eq!(check("203.0.113.4", None), Status::Ok);
    }
}
