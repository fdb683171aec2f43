//! Servers located by DNS, over real sockets on loopback: a small name server of the test, servers that do not
//! respond, and others that do.

mod support;

use plenary_sip::{
    Credentials, DialSpec, RegistrationSpec, SipConfig, SipEndpoint, SipEvent, SipHandle, Transport,
};
use simple_dns::{
    CLASS, CharacterString, Name, Packet, PacketFlag, QTYPE, ResourceRecord, TYPE,
    rdata::{A, NAPTR, RData, SRV},
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use support::{SDP, config, endpoint, next, same_port};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, UdpSocket},
    sync::mpsc::Receiver,
    time::timeout,
};

/// A record of the test's zone, as in a zone file.
#[derive(Clone)]
enum Entry {
    A(&'static str, [u8; 4]),
    Srv(&'static str, u16, u16, u16, &'static str),
    Naptr(&'static str, u16, &'static str, &'static str),
}

/// A name server with a few records. `truncated`: over UDP it only says that the answer does not fit.
struct Dns {
    address: SocketAddr,
    questions: Arc<AtomicUsize>,
}

fn answer(query: &[u8], zone: &[Entry], truncated: bool) -> Option<Vec<u8>> {
    let query = Packet::parse(query).ok()?;
    let question = query.questions.first()?;
    let QTYPE::TYPE(kind) = question.qtype else { return None };
    let asked = question.qname.to_string().to_ascii_lowercase();
    let mut reply = Packet::new_reply(query.id());
    reply.questions.push(question.clone());
    if truncated {
        reply.set_flags(PacketFlag::TRUNCATION);
        return reply.build_bytes_vec().ok();
    }
    for entry in zone {
        let (name, of, data) = match entry {
            Entry::A(name, ip) => (*name, TYPE::A, RData::A(A::from(Ipv4Addr::from(*ip)))),
            Entry::Srv(name, priority, weight, port, target) => {
                let target = Name::new_unchecked(target);
                (
                    *name,
                    TYPE::SRV,
                    RData::SRV(SRV { priority: *priority, weight: *weight, port: *port, target }),
                )
            }
            Entry::Naptr(name, order, service, replacement) => {
                let text = |text: &'static str| CharacterString::new(text.as_bytes()).unwrap();
                let replacement = Name::new_unchecked(replacement);
                let (flags, services, regexp) = (text("s"), text(service), text(""));
                let data = NAPTR { order: *order, preference: 0, flags, services, regexp, replacement };
                (*name, TYPE::NAPTR, RData::NAPTR(data))
            }
        };
        if of == kind && asked.trim_end_matches('.') == name {
            reply.answers.push(ResourceRecord::new(Name::new_unchecked(name), CLASS::IN, 60, data));
        }
    }
    reply.build_bytes_vec().ok()
}

/// Runs until the test ends.
async fn dns(zone: Vec<Entry>, truncated: bool) -> Dns {
    let (udp, tcp, address) = same_port().await;
    let tcp = tcp.listen(16).unwrap();
    let questions = Arc::new(AtomicUsize::new(0));
    let (counted, of_tcp) = (questions.clone(), zone.clone());
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
            counted.fetch_add(1, Ordering::SeqCst);
            if let Some(reply) = answer(&buffer[..length], &zone, truncated) {
                let _ = udp.send_to(&reply, from).await;
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let Ok(length) = stream.read_u16().await else { continue };
            let mut query = vec![0; usize::from(length)];
            if stream.read_exact(&mut query).await.is_ok()
                && let Some(reply) = answer(&query, &of_tcp, false)
            {
                let _ = stream.write_all(&[&(reply.len() as u16).to_be_bytes()[..], &reply].concat()).await;
            }
        }
    });
    Dns { address, questions }
}

async fn asking(resolver: Vec<SocketAddr>) -> (SipHandle, Receiver<SipEvent>) {
    SipEndpoint::bind(SipConfig { resolver, ..config() }).await.unwrap()
}

fn to(uri: &str) -> DialSpec {
    DialSpec { uri: uri.into(), from_user: "board".into(), sdp: SDP.into(), ..DialSpec::default() }
}

/// A port that accepts and never responds.
async fn silent() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// A port that refuses connections while the socket is kept: it is bound, and not listening.
fn refusing() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

#[tokio::test]
async fn a_call_goes_to_the_second_server_when_the_first_is_silent() {
    let (called, mut called_events) = endpoint().await;
    let (_dead, dead_port) = silent().await;
    let zone = vec![
        Entry::Srv("_sip._udp.trunk.test", 10, 1, dead_port, "a.trunk.test"),
        Entry::Srv("_sip._udp.trunk.test", 20, 1, called.local_addr().port(), "b.trunk.test"),
        Entry::A("a.trunk.test", [127, 0, 0, 1]),
        Entry::A("b.trunk.test", [127, 0, 0, 1]),
    ];
    let dns = dns(zone, false).await;
    let (caller, mut events) = asking(vec![dns.address]).await;
    let begun = Instant::now();
    let call = caller.dial(to("sip:+441908@trunk.test")).unwrap();
    let SipEvent::Incoming(incoming) = next(&mut called_events).await else { panic!("not a call") };
    let waited = begun.elapsed();
    assert!((3500..20_000).contains(&waited.as_millis()), "{waited:?}");
    assert_eq!((incoming.target.user.as_str(), incoming.target.host.as_str()), ("+441908", "trunk.test"));
    called.answer(incoming.call, SDP.into());
    assert!(matches!(next(&mut events).await, SipEvent::Answered { call: its, .. } if its == call));
    // The next call uses the cache, and DNS is not asked again.
    let asked = dns.questions.load(Ordering::SeqCst);
    let begun = Instant::now();
    caller.dial(to("sip:+441908@trunk.test")).unwrap();
    let second = loop {
        if let SipEvent::Incoming(incoming) = next(&mut called_events).await {
            break incoming;
        }
    };
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(dns.questions.load(Ordering::SeqCst), asked);
    called.reject(second.call, 486, None, vec![]);
    assert!(matches!(next(&mut events).await, SipEvent::Rejected { status: 486, .. }));
}

#[tokio::test]
async fn a_call_goes_on_when_a_connection_is_refused_or_a_server_is_overloaded() {
    let (called, mut called_events) = endpoint().await;
    let (busy, _busy_events) = endpoint().await;
    busy.set_draining(true);
    let (_closed, closed) = refusing();
    let zone = vec![
        Entry::Naptr("trunk.test", 20, "SIP+D2U", "_sip._udp.trunk.test"),
        Entry::Naptr("trunk.test", 10, "SIP+D2T", "_sip._tcp.trunk.test"),
        Entry::Srv("_sip._tcp.trunk.test", 10, 0, closed, "a.trunk.test"),
        Entry::Srv("_sip._udp.trunk.test", 10, 0, busy.local_addr().port(), "a.trunk.test"),
        Entry::Srv("_sip._udp.trunk.test", 20, 0, called.local_addr().port(), "a.trunk.test"),
        Entry::A("a.trunk.test", [127, 0, 0, 1]),
    ];
    // All asked over TCP, of the second name server: the first one is silent.
    let dns = dns(zone, true).await;
    let (_dead, dead_port) = silent().await;
    let (caller, mut events) = asking(vec![([127, 0, 0, 1], dead_port).into(), dns.address]).await;
    caller.dial(to("sip:room@trunk.test")).unwrap();
    let SipEvent::Incoming(incoming) = next(&mut called_events).await else { panic!("not a call") };
    assert_eq!(incoming.flow.transport, Transport::Udp);
    called.answer(incoming.call, SDP.into());
    assert!(matches!(next(&mut events).await, SipEvent::Answered { .. }));
}

#[tokio::test]
async fn a_redirection_to_a_name_is_followed_and_unknown_names_are_named() {
    let (called, mut called_events) = endpoint().await;
    let zone = vec![Entry::A("phone.test", [127, 0, 0, 1])];
    let dns = dns(zone, false).await;
    let (caller, mut events) = asking(vec![dns.address]).await;
    caller.dial(to(&format!("sip:first@{}", called.local_addr()))).unwrap();
    let SipEvent::Incoming(incoming) = next(&mut called_events).await else { panic!("not a call") };
    let port = called.local_addr().port();
    let contact =
        format!("<sip:second@nowhere.test:{port}>, <sip:third@phone.test:{port};transport=tcp>;q=0.5");
    called.reject(incoming.call, 302, None, vec![("Contact".into(), contact)]);
    let SipEvent::Incoming(incoming) = next(&mut called_events).await else { panic!("not a call") };
    assert_eq!((incoming.target.user.as_str(), incoming.flow.transport), ("third", Transport::Tcp));
    called.reject(incoming.call, 404, None, vec![]);
    assert!(matches!(next(&mut events).await, SipEvent::Rejected { status: 404, .. }));
    let call = caller.dial(to("sip:x@nowhere.test")).unwrap();
    let SipEvent::Rejected { call: its, status: 503, phrase } = next(&mut events).await else { panic!() };
    assert!(its == call && phrase.contains("nowhere.test"), "{phrase}");
}

#[tokio::test]
async fn a_registration_moves_to_another_server_and_is_taken_back_at_the_end() {
    let (registrar, mut registrar_events) = endpoint().await;
    let (_closed, closed) = refusing();
    let (_dead, dead_port) = refusing();
    let zone = vec![
        Entry::Srv("_sip._tcp.trunk.test", 1, 0, closed, "a.trunk.test"),
        Entry::Srv("_sip._tcp.trunk.test", 2, 0, dead_port, "a.trunk.test"),
        Entry::Srv("_sip._tcp.trunk.test", 3, 0, registrar.local_addr().port(), "a.trunk.test"),
        Entry::A("a.trunk.test", [127, 0, 0, 1]),
    ];
    let dns = dns(zone, false).await;
    let (ours, mut events) = asking(vec![dns.address]).await;
    let spec = RegistrationSpec {
        registrar: "sip:trunk.test;transport=tcp".into(),
        address_of_record: "sip:4420@trunk.test".into(),
        credentials: Some(Credentials { user: "4420".into(), password: "p".into() }),
        ..RegistrationSpec::default()
    };
    let id = ours.register(spec).unwrap();
    let SipEvent::Registering(first) = next(&mut registrar_events).await else { panic!() };
    assert_eq!(
        (first.user.as_str(), first.authorizations.is_empty(), first.contacts[0].1),
        ("4420", true, 3600)
    );
    let challenge = "Digest realm=\"r\",nonce=\"n\",qop=\"auth\"".to_owned();
    registrar.refuse_request(first.request, 401, vec![("WWW-Authenticate".into(), challenge)]);
    let SipEvent::Registering(second) = next(&mut registrar_events).await else { panic!() };
    assert!(!second.authorizations.is_empty() && second.flow.transport == Transport::Tcp);
    let bound = second.contacts.iter().map(|(contact, _)| (contact.clone(), 900)).collect();
    registrar.answer_registration(second.request, bound);
    let SipEvent::Registered { registration, expires, .. } = next(&mut events).await else { panic!() };
    assert_eq!((registration, expires), (id, Duration::from_secs(900)));
    // A call to the contact goes over the connection on which it was registered.
    let spec = DialSpec { flow: Some(second.flow), ..to(&second.contacts[0].0) };
    registrar.dial(spec).unwrap();
    let SipEvent::Incoming(incoming) = next(&mut events).await else { panic!("not a call") };
    assert_eq!((incoming.target.user.as_str(), incoming.flow.transport), ("4420", Transport::Tcp));
    ours.reject(incoming.call, 486, None, vec![]);
    assert!(matches!(next(&mut registrar_events).await, SipEvent::Rejected { status: 486, .. }));
    let leaving = tokio::spawn(async move { ours.shutdown().await });
    let SipEvent::Registering(last) = next(&mut registrar_events).await else { panic!() };
    assert_eq!(last.contacts[0].1, 0);
    registrar.answer_registration(last.request, vec![]);
    timeout(Duration::from_secs(10), leaving).await.expect("it ends").unwrap();
}

#[tokio::test]
async fn without_a_name_server_the_system_is_asked() {
    let (called, mut called_events) = endpoint().await;
    let (caller, _events) = endpoint().await;
    let uri = format!("sip:room@localhost:{}", called.local_addr().port());
    caller.dial(to(&uri)).unwrap();
    let SipEvent::Incoming(incoming) = next(&mut called_events).await else { panic!("not a call") };
    assert_eq!(incoming.target.host, "localhost");
}
