//! What surrounds every request: methods of every path, ids of requests, changes that run to their end, callers behind proxies.
#![allow(missing_docs)]

mod support;

use axum::{body::Body, http::Request};
use plenary_api::{ApiState, ConnectionLimits, TrustedProxies, WebLimits};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use support::{LOGIN, World};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tower::ServiceExt;

const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn every_path_takes_the_methods_that_it_names_and_no_others() {
    let world = World::new().await;
    const ALL: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];
    for (path, allow) in [
        ("/conference_reservation_create", "GET, POST"),
        ("/conference_reservation_modify", "GET, POST"),
        ("/conference_reservation_remove", "GET, POST"),
        ("/conference_list", "GET, HEAD, POST"),
        ("/conference_participant_list", "GET, HEAD, POST"),
        ("/conference_participant_set_options", "GET, POST"),
        ("/conference_participant_eject", "GET, POST"),
        ("/webrtc_generate_token", "GET, HEAD, POST"),
        ("/service/v1/inbound", "GET, HEAD"),
        ("/service/v1/inbound/a", "GET, HEAD, PUT, PATCH, DELETE"),
        ("/service/v1/schema/inbound", "GET, HEAD"),
        ("/v1/trunks", "GET, HEAD"),
        ("/v1/trunks/a", "GET, HEAD, PUT, PATCH, DELETE"),
        ("/v1/users", "GET, HEAD"),
        ("/v1/users/a", "GET, HEAD, PUT, PATCH, DELETE"),
        ("/v1/tokens", "POST"),
        ("/v1/webrtc_keys", "GET, HEAD, POST"),
        ("/v1/webrtc_keys/a", "GET, HEAD, PUT, PATCH, DELETE"),
        ("/v1/sound", "GET, HEAD, PATCH"),
        ("/v1/conferences", "GET, HEAD"),
        ("/v1/conferences/Tea", "GET, HEAD, PATCH, DELETE"),
        ("/v1/conferences/Tea/mute", "POST"),
        ("/v1/conferences/Tea/sound", "GET, HEAD, PATCH"),
        ("/v1/conferences/Tea/participants", "GET, HEAD, POST"),
        ("/v1/conferences/Tea/participants/a", "GET, HEAD, PATCH, DELETE"),
        ("/v1/conferences/Tea/participants/a/transfer", "POST"),
        ("/v1/keys", "GET, HEAD, POST"),
        ("/v1/keys/7", "GET, HEAD, PATCH, DELETE"),
        ("/v1/people", "GET, HEAD, POST"),
        ("/v1/people/7", "GET, HEAD, PATCH, DELETE"),
        ("/v1/people/7/invitation", "POST"),
        ("/v1/session", "GET, HEAD, POST, PATCH, DELETE"),
        ("/v1/session/ways", "GET, HEAD"),
        ("/v1/session/oidc", "GET, HEAD"),
        ("/v1/session/oidc/callback", "GET"),
        ("/v1/sessions", "GET, HEAD"),
        ("/v1/sessions/7", "DELETE"),
        ("/v1/invitations/open", "POST"),
        ("/v1/invitations/accept", "POST"),
        ("/", "GET, HEAD"),
        ("/console", "GET, HEAD"),
        ("/console/rooms/Tea", "GET, HEAD"),
        ("/join/abc", "GET, HEAD"),
        ("/assets/a.js", "GET, HEAD"),
        ("/v1/limits", "GET, HEAD"),
        ("/v1/operator/accounts", "GET, HEAD, POST"),
        ("/v1/operator/accounts/1", "GET, HEAD, PATCH"),
        ("/v1/operator/bans", "GET, HEAD"),
        ("/v1/calls/01234567a1b1c1c2.7/events", "GET, HEAD"),
        ("/v1/operator/bans/198.51.100.7", "DELETE"),
        ("/v1/operator/health", "GET, HEAD"),
        ("/v1/operator/settings", "GET, HEAD"),
        ("/v1/operator/log", "GET, HEAD"),
        ("/v1/operator/calls/01234567a1b1c1c2.7/messages", "GET, HEAD"),
        ("/v1/openapi.json", "GET, HEAD"),
        ("/docs/api", "GET, HEAD"),
        ("/docs/api/", "GET, HEAD"),
        ("/docs/api/swagger-ui.css", "GET, HEAD"),
        ("/sipproxy", "GET"),
        ("/healthz", "GET, HEAD"),
        ("/livez", "GET, HEAD"),
        ("/docs/errors", "GET, HEAD"),
        ("/docs/web-services.md", "GET, HEAD"),
    ] {
        let allowed: BTreeSet<&str> = allow.split(", ").collect();
        for method in ALL {
            let (status, headers, body) = world.send(method, path, "", "").await;
            assert_eq!(status != 405, allowed.contains(method), "{method} {path}: {status} {body}");
            if status == 405 {
                // The order says nothing.
                let named: BTreeSet<&str> = headers["allow"].to_str().unwrap().split(", ").collect();
                assert_eq!(named, allowed, "{method} {path}");
                let says = body.contains("takes ") && allowed.iter().all(|one| body.contains(one));
                assert!(says || method == "HEAD" && body.is_empty(), "{method} {path}: {body}");
            }
        }
    }
    for path in ["/service/v1/inbound/", "/service/v1/inbound/a/b", "/service/v1"] {
        let (status, _, body) = world.send("GET", path, "", "").await;
        assert!(status == 404 && body.contains("\"HTTP 404\""), "{path}: {status} {body}");
    }
    for path in ["/v1", "/v1/", "/v1/nothing", "/v1/keys/7/8", "/v1/conferences/"] {
        let (status, headers, body) = world.send("GET", path, "", "").await;
        assert_eq!(
            (status, headers["content-type"].to_str().unwrap()),
            (404, "application/problem+json"),
            "{path}: {body}"
        );
    }
}

#[tokio::test]
async fn names_in_paths_are_decoded_once_and_what_is_no_text_is_not_there() {
    let world = World::new().await;
    let body = r#"{"conference": {"name": "Tea"}}"#;
    let (status, _, text) =
        world.send("PUT", "/service/v1/inbound/a%2Bb%3F+1", "application/json", body).await;
    assert_eq!(status, 201, "{text}");
    assert!(text.contains(r#""name":"a+b?+1""#), "{text}");
    for odd in ["%ff", "%zz", "%4"] {
        let (status, _, text) =
            world.send("PUT", &format!("/service/v1/inbound/{odd}"), "application/json", body).await;
        assert!(status == 404 && text.contains("there is nothing at this path"), "{odd}: {status} {text}");
    }
    assert_eq!(world.get("/service/v1/inbound").await.1.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let world = World::new().await;
    let mut ids = BTreeSet::new();
    let paths =
        ["/conference_list", "/nothing", "/conference_reservation_create", "/healthz", "/docs/errors"];
    for path in paths {
        let (_, headers, _) = world.send("GET", path, "", "").await;
        let id = headers["x-request-id"].to_str().unwrap().to_owned();
        assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        ids.insert(id);
    }
    assert_eq!(ids.len(), paths.len(), "each has its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_runs_to_its_end_when_its_client_goes_away() {
    let world = World::new().await;
    let gate = world.control.trunks_gate.write().await;
    let login = data_encoding::BASE64.encode(format!("{LOGIN}:{}", world.key).as_bytes());
    let request = Request::put("/v1/trunks/provider")
        .header("Host", "a")
        .header("Authorization", format!("Basic {login}"))
        .header("Content-Type", "application/json")
        .body(Body::from(r#"{"uri": "sip:provider.example"}"#))
        .unwrap();
    let asking = tokio::spawn(world.router.clone().oneshot(request));
    timeout(PATIENCE, async {
        while world.store.all_trunks().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it is stored");
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    assert_eq!(world.control.trunks_taken.load(SeqCst), 0);
    drop(gate);
    timeout(PATIENCE, async {
        while world.control.trunks_taken.load(SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("what is stored takes effect");
}

struct Serving {
    world: World,
    address: SocketAddr,
    /// Where each WebSocket comes from.
    opened: mpsc::UnboundedReceiver<(SocketAddr, plenary_api::BoxedStream)>,
}

impl Serving {
    async fn start(limits: WebLimits, per_source: usize, proxies: &[&str]) -> Self {
        let world = World::new().await;
        let trusted_proxies = TrustedProxies::new(proxies.iter().map(|network| network.parse().unwrap()));
        let (opens, opened) = mpsc::unbounded_channel();
        let router = plenary_api::router(ApiState {
            store: world.store.clone(),
            control: world.control.clone(),
            operator: Arc::<support::Installation>::default(),
            public_url: None,
            allowed_origins: plenary_api::AllowedOrigins::default(),
            trusted_proxies: trusted_proxies.clone(),
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
            request_timeout: Duration::from_secs(10),
            limits,
            counters: Arc::default(),
            realm: "plenary".to_owned(),
            on_websocket: Some(Arc::new(move |stream, peer: plenary_api::Peer| {
                let _ = opens.send((peer.remote, stream));
            })),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = ConnectionLimits { per_source, trusted_proxies };
        tokio::spawn(plenary_api::serve(listener, None, router, limits, std::future::pending()));
        Self { world, address, opened }
    }

    /// The status of an answer to a request with these headers, over a connection that stays open.
    async fn ask(&self, path: &str, headers: &str) -> (String, TcpStream) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let _ = stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n").as_bytes()).await;
        let (mut text, mut buffer) = (String::new(), [0; 8192]);
        while !text.contains("\r\n\r\n") {
            match timeout(PATIENCE, stream.read(&mut buffer)).await.expect("in time") {
                Ok(length) if length > 0 => text.push_str(&String::from_utf8_lossy(&buffer[..length])),
                Ok(_) | Err(_) => break,
            }
        }
        (text.split(' ').nth(1).unwrap_or("closed").to_owned(), stream)
    }

    async fn list(&self, key: &str, headers: &str) -> String {
        let login = data_encoding::BASE64.encode(format!("{LOGIN}:{key}").as_bytes());
        self.ask("/conference_list", &format!("Authorization: Basic {login}\r\n{headers}")).await.0
    }

    async fn websocket(&self, headers: &str) -> (String, TcpStream) {
        let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n";
        self.ask("/sipproxy", &format!("{upgrade}{headers}")).await
    }
}

fn caller(number: u8) -> String {
    format!("X-Forwarded-For: 203.0.113.9, 198.51.100.{number}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_count_for_the_caller_and_not_for_the_proxy() {
    let limits = WebLimits { requests_per_second: 0, failures_per_minute: 3 };
    let serving = Serving::start(limits, 0, &["127.0.0.0/8"]).await;
    let key = serving.world.key.clone();
    for expected in ["401", "401", "401", "429"] {
        assert_eq!(serving.list("guess", &caller(1)).await, expected);
    }
    assert_eq!(
        serving.list(&key, &caller(1)).await,
        "200",
        "a right key is not held off by wrong ones beside it"
    );
    assert_eq!(serving.list("guess", &caller(1)).await, "429", "nor does it end that");
    assert_eq!(serving.list("guess", &caller(2)).await, "401", "another caller of the same proxy");
    assert_eq!(serving.list(&key, "").await, "200", "the proxy itself");
    let two = format!("Forwarded: for=192.0.2.1\r\n{}", caller(2));
    assert_eq!(serving.list(&key, &two).await, "400", "one of the headers is the caller's own");

    // An untrusted proxy is not believed: all its clients count as one.
    let serving = Serving::start(limits, 0, &["192.0.2.0/24"]).await;
    for number in 0..3 {
        assert_eq!(serving.list("guess", &caller(number)).await, "401");
    }
    assert_eq!(serving.list("guess", &caller(9)).await, "429");
}

/// Without a public URL: where the proxy was reached under TLS, what an error links to is reached so as well.
#[tokio::test(flavor = "multi_thread")]
async fn links_in_errors_have_the_scheme_by_which_the_proxy_was_reached() {
    for (proxies, header, link) in [
        (&["127.0.0.0/8"][..], "X-Forwarded-Proto: https\r\n", "https://a/docs/errors#"),
        (&["127.0.0.0/8"], "Forwarded: for=198.51.100.1;proto=https\r\n", "https://a/docs/errors#"),
        (&["127.0.0.0/8"], "X-Forwarded-Proto: http\r\n", "http://a/docs/errors#"),
        (&["127.0.0.0/8"], "", "http://a/docs/errors#"),
        (&["192.0.2.0/24"], "X-Forwarded-Proto: https\r\n", "http://a/docs/errors#"),
    ] {
        let serving = Serving::start(WebLimits::default(), 0, proxies).await;
        let request = format!("GET /v1/nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{header}\r\n");
        let mut stream = TcpStream::connect(serving.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut text)).await.expect("in time").unwrap();
        assert!(text.contains(&format!("\"type\":\"{link}")), "{proxies:?} {header}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_has_any_number_of_connections_and_its_callers_so_many_websockets() {
    let mut serving = Serving::start(WebLimits::default(), 2, &["127.0.0.0/8"]).await;
    let mut kept = Vec::new();
    for number in 1..=4 {
        let (status, stream) = serving.websocket(&caller(number)).await;
        assert_eq!(status, "101");
        let (remote, server_side) = timeout(PATIENCE, serving.opened.recv()).await.unwrap().unwrap();
        assert_eq!(
            remote,
            SocketAddr::new(
                format!("198.51.100.{number}").parse().unwrap(),
                stream.local_addr().unwrap().port()
            )
        );
        kept.push((stream, server_side));
    }
    let (status, second) = serving.websocket(&caller(1)).await;
    assert_eq!(status, "101");
    let (_, server_side) = timeout(PATIENCE, serving.opened.recv()).await.unwrap().unwrap();
    assert_eq!(serving.websocket(&caller(1)).await.0, "429", "a third of one caller");
    assert_eq!(serving.websocket(&caller(2)).await.0, "101", "a second of another");
    drop((second, server_side));
    assert_eq!(serving.websocket(&caller(1)).await.0, "101", "a place that is free is given away");
}
