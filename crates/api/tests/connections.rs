//! Over real sockets: clients that are slow on purpose, send too much, or open too many connections; and what every answer says.
#![allow(missing_docs)]

mod support;

use plenary_api::{ApiState, WebLimits};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use support::{LOGIN, World};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};

struct Serving {
    world: World,
    address: SocketAddr,
}

impl Serving {
    async fn start(limits: WebLimits, connections_per_source: usize) -> Self {
        let world = World::new().await;
        let router = plenary_api::router(ApiState {
            store: world.store.clone(),
            control: world.control.clone(),
            operator: std::sync::Arc::<support::Installation>::default(),
            public_url: None,
            allowed_origins: plenary_api::AllowedOrigins::default(),
            trusted_proxies: plenary_api::TrustedProxies::default(),
            invitations: plenary_api::Invitations::default(),
            max_body_bytes: 1000,
            recordings: plenary_api::Recordings::new(
                plenary_recording::Archive::new("unused".into(), plenary_recording::Keys::none(), false),
                plenary_model::RecordingSettings::default(),
            ),
            followers: plenary_api::Followers::new(world.store.clone(), 10),
            audit: plenary_api::AuditWriter::new(world.store.clone()),
            webhooks: support::webhooks(&world.store),
            oidc: None,
            media: plenary_api::MediaLimits::default(),
            request_timeout: Duration::from_secs(1),
            limits,
            counters: Arc::default(),
            realm: "plenary".to_owned(),
            // A WebSocket that is open and does nothing.
            on_websocket: Some(Arc::new(|stream, _| {
                tokio::spawn(async move {
                    sleep(Duration::from_secs(30)).await;
                    drop(stream);
                });
            })),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(plenary_api::serve(
            listener,
            None,
            router,
            plenary_api::ConnectionLimits { per_source: connections_per_source, ..Default::default() },
            std::future::pending(),
        ));
        Self { world, address }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    fn authorization(&self, key: &str) -> String {
        let text = format!("{LOGIN}:{key}");
        format!("Authorization: Basic {}\r\n", data_encoding::BASE64.encode(text.as_bytes()))
    }

    fn list(&self) -> String {
        format!("GET /conference_list HTTP/1.1\r\nHost: a\r\n{}\r\n", self.authorization(&self.world.key))
    }

    /// What one request over a connection of its own is answered.
    async fn ask(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        // A client that is refused early may be cut off while it still sends.
        let _ = stream.write_all(request.as_bytes()).await;
        answer(&mut stream).await
    }
}

/// An answer, up to the end of its head at least; empty where the connection was closed.
async fn answer(stream: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 8192]);
    while !text.contains("\r\n\r\n") {
        match timeout(Duration::from_secs(20), stream.read(&mut buffer)).await.expect("in time") {
            Ok(length) if length > 0 => text.push_str(&String::from_utf8_lossy(&buffer[..length])),
            Ok(_) | Err(_) => break,
        }
    }
    text
}

/// How long it takes until the other side closes.
async fn closed_after(mut stream: TcpStream) -> Duration {
    let (began, mut buffer) = (Instant::now(), [0; 8192]);
    while timeout(Duration::from_secs(25), stream.read(&mut buffer)).await.expect("closed").unwrap_or(0) > 0 {
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_on_purpose_is_cut_off() {
    let serving = Serving::start(WebLimits::default(), 0).await;
    let patience = Duration::from_secs(8)..Duration::from_secs(20);
    // Half a head, and then nothing.
    let mut half = serving.connect().await;
    half.write_all(b"GET / HTTP/1.1\r\nHost: a").await.unwrap();
    let half = tokio::spawn(closed_after(half));
    // A header every second, for ever.
    let (reading, mut writing) = serving.connect().await.into_split();
    writing.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let dripping = tokio::spawn(async move {
        for number in 0..60 {
            if writing.write_all(format!("X-{number}: a\r\n").as_bytes()).await.is_err() {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
    });
    let dripped = tokio::spawn(async move {
        let (began, mut reading) = (Instant::now(), reading);
        while timeout(Duration::from_secs(25), reading.read(&mut [0; 8192]))
            .await
            .expect("closed")
            .unwrap_or(0)
            > 0
        {}
        began.elapsed()
    });
    // Nothing at all; and nothing more after an answer.
    let silent = tokio::spawn(closed_after(serving.connect().await));
    let mut idle = serving.connect().await;
    idle.write_all(serving.list().as_bytes()).await.unwrap();
    assert!(answer(&mut idle).await.starts_with("HTTP/1.1 200"));
    let idle = tokio::spawn(closed_after(idle));
    // A body that does not come.
    let began = Instant::now();
    let head = format!(
        "POST /conference_list HTTP/1.1\r\nHost: a\r\n{}Content-Length: 500\r\n\r\nconf",
        serving.authorization(&serving.world.key)
    );
    let slow_body = serving.ask(&head).await;
    assert!(slow_body.starts_with("HTTP/1.1 408"), "{slow_body}");
    assert!(began.elapsed() < Duration::from_secs(8));
    for (what, ended) in [("half", half), ("dripped", dripped), ("silent", silent), ("idle", idle)] {
        let took = ended.await.unwrap();
        assert!(patience.contains(&took), "{what}: {took:?}");
    }
    dripping.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_has_so_many_connections_and_no_more_and_websockets_count() {
    let serving = Serving::start(WebLimits::default(), 3).await;
    let mut websocket = serving.connect().await;
    let upgrade = "GET /sipproxy HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n";
    websocket.write_all(upgrade.as_bytes()).await.unwrap();
    assert!(answer(&mut websocket).await.starts_with("HTTP/1.1 101"));
    let (mut second, third) = (serving.connect().await, serving.connect().await);
    second.write_all(serving.list().as_bytes()).await.unwrap();
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 200"));
    assert_eq!(serving.ask(&serving.list()).await, "", "the fourth is closed");
    drop(third);
    let began = Instant::now();
    while !serving.ask(&serving.list()).await.starts_with("HTTP/1.1 200") {
        assert!(began.elapsed() < Duration::from_secs(20), "a place that is free is not given away");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_too_large_are_refused_and_every_answer_is_hardened() {
    let serving = Serving::start(WebLimits::default(), 0).await;
    let authorization = serving.authorization(&serving.world.key);
    let post = |framing: &str, body: &str| {
        format!(
            "POST /conference_list HTTP/1.1\r\nHost: a\r\n{authorization}Content-Type: application/json\r\n{framing}\r\n\r\n{body}"
        )
    };
    let long = "x".repeat(2000);
    let large = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(100));
    for (request, status) in [
        (post("Content-Length: 2000", &long), "413"),
        (post("Transfer-Encoding: chunked", &format!("7d0\r\n{long}\r\n0\r\n\r\n")), "413"),
        (post("Content-Length: 2", "{}"), "200"),
        // Two lengths: the chunks count, as RFC 9112, section 6.3 has it, so nothing is left over to be a request of its own.
        (post("Content-Length: 1\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), "200"),
        (large, "4"),
        (many, "431"),
        ("no HTTP at all\r\n\r\n".to_owned(), "400"),
    ] {
        let answer = serving.ask(&request).await;
        let line = answer.lines().next().unwrap_or_default().to_owned();
        assert!(line.starts_with(&format!("HTTP/1.1 {status}")), "{line:?}, not {status}");
    }
    let nothing = "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n".to_owned();
    let page = "GET /docs/errors HTTP/1.1\r\nHost: a\r\n\r\n".to_owned();
    let stranger = "GET /conference_list HTTP/1.1\r\nHost: a\r\n\r\n".to_owned();
    for request in [serving.list(), nothing, page, stranger] {
        let answer = serving.ask(&request).await.to_ascii_lowercase();
        for header in [
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
        ] {
            assert!(answer.contains(header), "{header} is missing in {answer}");
        }
        assert!(!answer.contains("server:"), "an answer does not name the software");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_guessers_are_held_to_their_limits() {
    let limits = WebLimits { requests_per_second: 1, failures_per_minute: 5 };
    let serving = Serving::start(limits, 0).await;
    let mut answers = Vec::new();
    for _ in 0..15 {
        answers.push(serving.ask(&serving.list()).await);
    }
    assert!(answers[9].starts_with("HTTP/1.1 200"));
    let last = answers[14].to_ascii_lowercase();
    assert!(last.starts_with("http/1.1 429") && last.contains("retry-after: "), "{last}");
    for number in 0..8 {
        let guess = serving.authorization(&format!("guess{number}"));
        let answer = serving.ask(&format!("GET /conference_list HTTP/1.1\r\nHost: a\r\n{guess}\r\n")).await;
        let expected = if number < 5 { "HTTP/1.1 401" } else { "HTTP/1.1 429" };
        assert!(answer.starts_with(expected), "{number}: {answer}");
    }
}
