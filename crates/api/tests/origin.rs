//! Which requests are refused by their head: safe methods, hosts, pages of other sites.
#![allow(missing_docs)]

mod support;

use axum::{
    body::Body,
    http::{Request, Version},
};
use plenary_api::{AllowedOrigins, ApiState, Metrics, WebLimits, metrics_router};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use support::{EXAMPLE, LOGIN, World};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tower::ServiceExt;

/// A conference with two in it and a reservation, and all that would change it: path, and body of a POST.
async fn busy_world() -> (World, Vec<String>) {
    let world = World::new().await;
    let token = world.example().await;
    world.control.enter(world.account, "Tea", "a.1");
    world.control.enter(world.account, "Tea", "a.2");
    let changes = vec![
        EXAMPLE.replace("MyConferenceRoom", "Ghost"),
        format!("/conference_reservation_modify?reservation_token={token}&duration=15"),
        format!("/conference_reservation_remove?reservation_token={token}"),
        "/conference_participant_set_options?conference_name=Tea&participant_id=a.1&muted=true".to_owned(),
        "/conference_participant_eject?conference_name=Tea&participant_id=a.1".to_owned(),
    ];
    (world, changes)
}

/// All that there is to see.
async fn seen(world: &World) -> (String, String) {
    let list = world.get("/conference_list").await.1.to_string();
    (list, world.get("/conference_participant_list?conference_name=Tea").await.1.to_string())
}

async fn send_with(world: &World, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let login = data_encoding::BASE64.encode(format!("{LOGIN}:{}", world.key).as_bytes());
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("Host", "conference.example.com")
        .header("Authorization", format!("Basic {login}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn safe_methods_change_nothing() {
    let (world, changes) = busy_world().await;
    let before = seen(&world).await;
    for method in ["HEAD", "OPTIONS", "TRACE"] {
        for path in &changes {
            let (status, headers, _) = world.send(method, path, "", "").await;
            assert_eq!((status, headers["allow"].to_str().unwrap()), (405, "GET, POST"), "{method} {path}");
        }
        for path in [
            "/service/v1/inbound/tea",
            "/v1/trunks/provider",
            "/v1/users/alice",
            "/v1/tokens",
            "/v1/conferences/Tea/participants/01234567a1b1c1c2.7",
            "/v1/conferences/Tea/participants/01234567a1b1c1c2.7/transfer",
        ] {
            let body = r#"{"conference": {"name": "Tea"}, "to": "tel:+44"}"#;
            let (status, _, _) = world.send(method, path, "application/json", body).await;
            assert!(matches!(status, 404 | 405) || method == "HEAD", "{method} {path}: {status}");
        }
    }
    assert_eq!(seen(&world).await, before);
    assert_eq!(world.get("/service/v1/inbound").await.1, serde_json::json!([]));
    // Those that only read answer HEAD as GET.
    for path in ["/conference_list", "/conference_participant_list?conference_name=Tea"] {
        assert_eq!(world.send("HEAD", path, "", "").await.0, 200, "{path}");
    }
    // And what is asked rightly is done.
    for path in [&changes[3], &changes[4]] {
        assert_eq!(world.get(path).await.0, 200, "{path}");
    }
    assert_ne!(seen(&world).await, before);
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing() {
    let (world, mut changes) = busy_world().await;
    let before = seen(&world).await;
    let foreign: [&[(&str, &str)]; 5] = [
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Origin", "https://evil.example")],
        &[("Origin", "null")],
        &[("Sec-Fetch-Site", "cross-site"), ("Origin", "https://conference.example.com")],
    ];
    for headers in foreign {
        for path in &changes {
            for method in ["GET", "POST"] {
                let (status, body) = send_with(&world, method, path, headers).await;
                assert_eq!(status, 403, "{method} {path} {headers:?}: {body}");
                assert!(body.contains("\"1302\""), "{body}");
            }
        }
        for (method, path) in [
            ("PUT", "/service/v1/inbound/tea"),
            ("DELETE", "/v1/trunks/provider"),
            ("POST", "/v1/tokens"),
            ("POST", "/v1/conferences/Tea/participants"),
            ("PATCH", "/v1/sound"),
            ("POST", "/conference_list"),
        ] {
            assert_eq!(send_with(&world, method, path, headers).await.0, 403, "{method} {path} {headers:?}");
        }
        for path in ["/conference_list", "/conference_participant_list?conference_name=Tea"] {
            let (status, body) = send_with(&world, "GET", path, headers).await;
            assert!(status == 403 && body.contains("\"1302\""), "{path} {headers:?}: {body}");
        }
        assert_eq!(send_with(&world, "GET", "/v1/conferences", headers).await.0, 200, "no page can read it");
    }
    assert_eq!(seen(&world).await, before);
    changes.truncate(1);
    let ours = [("Sec-Fetch-Site", "same-origin"), ("Origin", "https://conference.example.com")];
    assert_eq!(send_with(&world, "POST", &changes[0], &ours).await.0, 200);
    assert_eq!(send_with(&world, "GET", "/conference_list", &ours).await.0, 200);
    assert_eq!(
        send_with(&world, "GET", "/conference_list", &[("Sec-Fetch-Site", "none")]).await.0,
        200,
        "typed"
    );
    assert_eq!(send_with(&world, "GET", "/conference_list", &[]).await.0, 200, "a program");
}

#[tokio::test]
async fn a_byte_order_mark_before_json_is_passed_over() {
    let (world, _) = busy_world().await;
    let mark = '\u{feff}';
    let eject = format!("{mark}{{\"conference_name\": \"Tea\", \"participant_id\": \"a.1\"}}");
    let (status, _, body) =
        world.send("POST", "/conference_participant_eject", "application/json", &eject).await;
    assert_eq!((status, body.as_str()), (200, r#"{"ejected":true}"#));
    let service = format!("{mark}{{\"conference\": {{\"name\": \"Tea\"}}}}");
    assert_eq!(world.send("PUT", "/service/v1/inbound/tea", "application/json", &service).await.0, 201);
    let token = format!("{mark}{{\"service\": \"tea\"}}");
    assert_eq!(world.send("POST", "/v1/tokens", "application/json", &token).await.0, 201);
    let twice = format!("{mark}{mark}{{\"service\": \"tea\"}}");
    assert_eq!(world.send("POST", "/v1/tokens", "application/json", &twice).await.0, 400);
}

struct Serving {
    address: SocketAddr,
    login: String,
    /// Of each WebSocket: a page of another site opened it.
    opened: mpsc::UnboundedReceiver<bool>,
    _world: World,
}

impl Serving {
    async fn start(allowed: &[&str]) -> Self {
        let world = World::new().await;
        let (opens, opened) = mpsc::unbounded_channel();
        let router = plenary_api::router(ApiState {
            store: world.store.clone(),
            control: world.control.clone(),
            operator: std::sync::Arc::<support::Installation>::default(),
            public_url: None,
            allowed_origins: AllowedOrigins::parse(allowed).unwrap(),
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
            request_timeout: Duration::from_secs(10),
            limits: WebLimits::default(),
            counters: Arc::default(),
            realm: "plenary".to_owned(),
            on_websocket: Some(Arc::new(move |stream, peer: plenary_api::Peer| {
                opens.send(peer.is_foreign_page).unwrap();
                drop(stream);
            })),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(plenary_api::serve(
            listener,
            None,
            router,
            plenary_api::ConnectionLimits::default(),
            std::future::pending(),
        ));
        let login = data_encoding::BASE64.encode(format!("{LOGIN}:{}", world.key).as_bytes());
        Self { address, login, opened, _world: world }
    }

    /// The status that a request of this head gets, and the text of the answer.
    async fn ask(&self, head: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{head}\r\n\r\n").as_bytes()).await.unwrap();
        let (mut text, mut buffer) = (String::new(), [0; 8192]);
        while !text.contains("\r\n\r\n") {
            let length =
                timeout(Duration::from_secs(20), stream.read(&mut buffer)).await.unwrap().unwrap_or(0);
            if length == 0 {
                break;
            }
            text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        (text.split(' ').nth(1).unwrap_or_default().to_owned(), text)
    }

    async fn upgrade(&self, headers: &str) -> (String, String) {
        self.ask(&format!(
            "GET /sipproxy HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n{headers}"
        ))
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_names_one_host() {
    let serving = Serving::start(&[]).await;
    let login = format!("Authorization: Basic {}", serving.login);
    for (head, status) in [
        (format!("GET /conference_list HTTP/1.1\r\nHost: a\r\n{login}"), "200"),
        (format!("GET /conference_list HTTP/1.1\r\n{login}"), "400"),
        (format!("GET /conference_list HTTP/1.1\r\nHost: a\r\nHost: a\r\n{login}"), "400"),
        (format!("GET /conference_list HTTP/1.1\r\nHost: a b\r\n{login}"), "400"),
        (format!("GET /conference_list HTTP/1.1\r\nHost: \r\n{login}"), "400"),
        (format!("GET /conference_list HTTP/1.0\r\n{login}"), "200"),
        (format!("GET /conference_list HTTP/1.0\r\nHost: a/b\r\n{login}"), "400"),
        (format!("GET http://b.example/conference_list HTTP/1.1\r\nHost: a\r\n{login}"), "200"),
        (format!("GET http://b.example/conference_list HTTP/1.1\r\n{login}"), "400"),
        (format!("GET ftp://b.example/conference_list HTTP/1.1\r\nHost: a\r\n{login}"), "400"),
        ("GET /healthz HTTP/1.1".to_owned(), "400"),
        ("GET /healthz HTTP/1.0".to_owned(), "200"),
    ] {
        assert_eq!(serving.ask(&head).await.0, status, "{head}");
    }
    let (_, text) = serving.ask("GET http://b.example:81/nothing HTTP/1.1\r\nHost: a").await;
    assert!(text.contains("404") && text.contains("http://b.example:81/docs/errors"), "{text}");
}

struct NoMetrics;

#[async_trait::async_trait]
impl Metrics for NoMetrics {
    async fn text(&self) -> String {
        "# EOF\n".to_owned()
    }
}

#[tokio::test]
async fn a_request_for_metrics_names_one_host_too() {
    let router = metrics_router(Arc::new(NoMetrics));
    for (version, hosts, path, expected) in [
        (Version::HTTP_11, &["a:9090"][..], "/metrics", 200),
        (Version::HTTP_10, &[], "/metrics", 200),
        (Version::HTTP_11, &[], "/metrics", 400),
        (Version::HTTP_11, &["a", "a"], "/metrics", 400),
        (Version::HTTP_11, &["a b"], "/metrics", 400),
        (Version::HTTP_11, &[], "/nothing", 400),
        (Version::HTTP_11, &["a"], "/nothing", 404),
    ] {
        let mut request = Request::builder().version(version).uri(path);
        for host in hosts {
            request = request.header("Host", *host);
        }
        let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{version:?} {hosts:?} {path}");
        let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
        assert_eq!(String::from_utf8_lossy(&body).contains("Host header"), expected == 400, "{body:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_open_from_pages_that_may() {
    let mut serving = Serving::start(&["https://shop.example"]).await;
    let host = format!("Host: {}", serving.address);
    let ours = format!("Origin: http://{}", serving.address);
    for (headers, is_foreign) in [
        (host.clone(), false),
        (format!("{host}\r\n{ours}"), false),
        (format!("{host}\r\nOrigin: https://shop.example"), true),
        (format!("{host}\r\nOrigin: https://shop.example\r\nSec-Fetch-Site: cross-site"), true),
        ("Host: rebound.example\r\nOrigin: http://rebound.example".to_owned(), true),
    ] {
        let (status, text) = serving.upgrade(&headers).await;
        assert_eq!(status, "101", "{headers}: {text}");
        let opened = timeout(Duration::from_secs(20), serving.opened.recv()).await.expect("it opens");
        assert_eq!(opened, Some(is_foreign), "{headers}");
    }
    for headers in [
        format!("{host}\r\nOrigin: https://evil.example"),
        format!("{host}\r\nOrigin: http://shop.example"),
        format!("{host}\r\nOrigin: null"),
        format!("{host}\r\n{ours}\r\n{ours}"),
        format!("{host}\r\nSec-Fetch-Site: cross-site"),
    ] {
        let (status, text) = serving.upgrade(&headers).await;
        assert_eq!(status, "403", "{headers}");
        assert!(text.contains("\"1302\"") && text.contains("web.allowed_origins"), "{text}");
    }
    assert!(serving.opened.try_recv().is_err(), "nothing else opened");
}
