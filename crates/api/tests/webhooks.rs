//! Webhooks: messages signed and in order, to a receiver that fails, hangs, redirects and restarts.
#![allow(missing_docs)]

mod support;

use data_encoding::BASE64;
use hmac::{Hmac, Mac};
use plenary_model::{
    AccountEvent, Actor, ConferenceName, Delivery, DeliveryState, EventKind, EventRecord, Timestamp,
};
use serde_json::{Value, json};
use sha2::Sha256;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use support::World;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

const CRM: &str = "/v1/webhooks/crm";

/// What a receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Status(u16),
    /// 503, and to be left alone for so many seconds.
    Later(u32),
    Redirect,
    Hang,
    Close,
}

#[derive(Debug, Clone)]
struct Received {
    path: String,
    headers: BTreeMap<String, String>,
    body: Value,
    text: String,
}

/// Takes messages.
struct Receiver {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    received: Arc<Mutex<Vec<Received>>>,
    task: JoinHandle<()>,
}

impl Receiver {
    async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap()).await
    }

    async fn start_at(address: SocketAddr) -> Self {
        Self::start_with(address, None).await
    }

    /// Speaks TLS, with this certificate.
    async fn start_with_tls(certificate: &Certificate) -> Self {
        let tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der.clone()], certificate.key())
            .unwrap();
        Self::start_with("127.0.0.1:0".parse().unwrap(), Some(TlsAcceptor::from(Arc::new(tls)))).await
    }

    async fn start_with(address: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let began = Instant::now();
        let listener = loop {
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(error) => assert!(began.elapsed() < Duration::from_secs(10), "{error}"),
            }
            sleep(Duration::from_millis(20)).await;
        };
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(Answer::Status(204)));
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (answers, messages) = (answer.clone(), received.clone());
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, answers, messages) = (tls.clone(), answers.clone(), messages.clone());
                connections.spawn(async move {
                    match tls {
                        None => take(stream, answers, messages).await,
                        Some(tls) => {
                            // Who does not trust us breaks off.
                            if let Ok(stream) = tls.accept(stream).await {
                                take(stream, answers, messages).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, answer, received, task }
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn url(&self) -> String {
        format!("http://{}/hook?a=b", self.address)
    }

    fn all(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    async fn wait_for(&self, count: usize) -> Vec<Received> {
        let began = Instant::now();
        while self.all().len() < count {
            assert!(began.elapsed() < Duration::from_secs(20), "received {:?}", self.all());
            sleep(Duration::from_millis(10)).await;
        }
        self.all()
    }

    /// Nobody listens any more.
    async fn stop(self) -> SocketAddr {
        self.task.abort();
        let _ = self.task.await;
        self.address
    }
}

async fn take(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: Arc<Mutex<Answer>>,
    received: Arc<Mutex<Vec<Received>>>,
) {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
        break (head.to_owned(), length.parse::<usize>().unwrap());
    };
    while bytes.len() < head.len() + 4 + length {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let text = String::from_utf8(bytes[head.len() + 4..].to_vec()).unwrap();
    let mut lines = head.lines();
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let body = serde_json::from_str(&text).unwrap();
    received.lock().unwrap().push(Received { path, headers, body, text });
    let now = *answer.lock().unwrap();
    match now {
        Answer::Status(status) => {
            let answer =
                format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        Answer::Later(seconds) => {
            let answer = format!("HTTP/1.1 503 No\r\nRetry-After: {seconds}\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        Answer::Redirect => {
            let answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/other\r\n\r\n";
            let _ = stream.write_all(answer).await;
        }
        Answer::Hang => sleep(Duration::from_secs(60)).await,
        Answer::Close => {}
    }
}

/// A certificate of an authority of its own.
struct Certificate {
    authority: CertificateDer<'static>,
    der: CertificateDer<'static>,
    key: rcgen::KeyPair,
}

impl Certificate {
    fn of(name: &str) -> Self {
        let mut authority = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        // Authorities of one name would be told apart by their keys alone.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let own_name = format!("Authority {}", NUMBER.fetch_add(1, Relaxed));
        authority.distinguished_name.push(rcgen::DnType::CommonName, own_name);
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let own = authority.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let signed = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let signed = signed.signed_by(&key, &issuer).unwrap();
        Self { authority: own.der().clone(), der: signed.der().clone(), key }
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }

    /// Trusts its authority, and no other one.
    fn trusted(&self) -> Arc<ClientConfig> {
        let mut authorities = RootCertStore::empty();
        authorities.add(self.authority.clone()).unwrap();
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(authorities)
            .with_no_client_auth();
        Arc::new(tls)
    }
}

/// Sends a test to the webhook `crm` over these connections.
async fn test_with(world: &World, tls: Arc<ClientConfig>, allow: &[&str]) -> Delivery {
    let allow = allow.iter().map(|network| network.parse().unwrap()).collect();
    let webhook = world.store.webhook(world.account, "crm").await.unwrap().unwrap();
    let webhooks = plenary_api::Webhooks::new(world.store.clone(), tls, allow);
    webhooks.test(&world.store, world.account, &webhook).await.unwrap()
}

async fn send(world: &World, method: &str, path: &str, body: Value) -> (u16, Value) {
    let (status, _, text) = world.send(method, path, "application/json", &body.to_string()).await;
    (status, serde_json::from_str(&text).unwrap_or_default())
}

/// What is shown, once it is as it should be.
async fn wait_until(world: &World, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let (_, shown) = world.get(path).await;
        if is_so(&shown) {
            return shown;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{shown}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Makes a webhook; its secret.
async fn make(world: &World, name: &str, url: &str, events: Value) -> String {
    let body = json!({"url": url, "events": events});
    let (status, made) = send(world, "PUT", &format!("/v1/webhooks/{name}"), body).await;
    assert_eq!(status, 201, "{made}");
    made["secret"].as_str().unwrap().to_owned()
}

async fn write(world: &World, kinds: &[EventKind]) {
    let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    write_at(world, kinds, Timestamp(at as i64)).await;
}

async fn write_at(world: &World, kinds: &[EventKind], at: Timestamp) {
    let event = |kind: &EventKind| EventRecord {
        at,
        conference: Some(ConferenceName::new("Board")),
        participant_id: None,
        actor: Actor::system(),
        reason: None,
        kind: kind.clone(),
    };
    let events: Vec<_> =
        kinds.iter().map(|kind| AccountEvent { account: world.account, event: event(kind) }).collect();
    world.store.write_events(&events, false).await.unwrap();
}

fn started() -> EventKind {
    EventKind::ConferenceStarted {}
}

fn stopped() -> EventKind {
    EventKind::ConferenceStopped {}
}

fn seqs(received: &[Received]) -> Vec<i64> {
    received.iter().map(|one| one.body["seq"].as_i64().unwrap_or(0)).collect()
}

/// As a receiver checks a message by the specification.
fn is_signed(one: &Received, secret: &str) -> bool {
    let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap().as_bytes()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(
        format!("{}.{}.{}", one.headers["webhook-id"], one.headers["webhook-timestamp"], one.text).as_bytes(),
    );
    let signature = format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()));
    one.headers["webhook-signature"].split(' ').any(|one| one == signature)
}

#[tokio::test]
async fn a_webhook_is_made_shown_changed_and_deleted_and_its_secret_is_shown_once() {
    let world = World::new().await;
    assert_eq!(world.get(CRM).await.1["code"], "1116");
    let secret = make(&world, "crm", "https://hooks.example.com/x", json!(["participant.*"])).await;
    assert_eq!(BASE64.decode(&secret.as_bytes()[6..]).unwrap().len(), 24);
    let (status, shown) = world.get(CRM).await;
    assert_eq!(status, 200);
    assert_eq!(
        shown,
        json!({"name": "crm", "url": "https://hooks.example.com/x", "events": ["participant.*"], "enabled": true,
            "status": {"sent_up_to": 0, "failures": 0, "next_at": null, "last_error": null}, "rotates_until": null,
            "created_at": shown["created_at"], "updated_at": shown["updated_at"]})
    );
    assert_eq!(world.get("/v1/webhooks").await.1["items"], json!([shown]));
    let (status, again) = send(&world, "PUT", CRM, shown.clone()).await;
    assert_eq!((status, again.get("secret")), (200, None));
    assert_eq!(
        world.store.webhook_secrets(world.account, "crm").await.unwrap(),
        std::slice::from_ref(&secret)
    );
    let (status, changed) = send(&world, "PATCH", CRM, json!({"enabled": false, "events": null})).await;
    assert_eq!((status, &changed["enabled"], &changed["events"]), (200, &json!(false), &json!(["*"])));
    for (body, pointer) in [
        (json!({"url": "ftp://a"}), "/url"),
        (json!({"url": "https://a.example", "events": ["participant.entred"]}), "/events"),
        (json!({"events": ["*"]}), "/url"),
        (json!({"url": "https://a.example", "event": []}), "/event"),
    ] {
        let (status, refused) = send(&world, "PUT", CRM, body).await;
        assert_eq!((status, &refused["errors"][0]["pointer"]), (400, &json!(pointer)), "{refused}");
    }
    assert_eq!(send(&world, "PUT", "/v1/webhooks/a%20b", json!({"url": "https://a.example"})).await.0, 400);
    let (status, rotated) = send(&world, "POST", "/v1/webhooks/crm/secret", json!({"overlap_h": 1})).await;
    assert_eq!(status, 200, "{rotated}");
    let secrets = world.store.webhook_secrets(world.account, "crm").await.unwrap();
    assert_eq!(secrets, [rotated["secret"].as_str().unwrap(), &secret]);
    let until = rotated["rotates_until"].as_str().unwrap();
    // The first one counts as long as was said.
    let (status, refused) = send(&world, "POST", "/v1/webhooks/crm/secret", json!({"overlap_h": 1})).await;
    assert_eq!((status, &refused["code"]), (409, &json!("1159")), "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains(until), "{refused}");
    assert_eq!(world.store.webhook_secrets(world.account, "crm").await.unwrap(), secrets);
    let (status, rotated) = send(&world, "POST", "/v1/webhooks/crm/secret", json!({"overlap_h": 0})).await;
    assert_eq!((status, &rotated["rotates_until"]), (200, &Value::Null), "{rotated}");
    let secrets = world.store.webhook_secrets(world.account, "crm").await.unwrap();
    assert_eq!(secrets, [rotated["secret"].as_str().unwrap()], "only the new one counts");
    assert_eq!(send(&world, "POST", "/v1/webhooks/crm/secret", json!({"overlap_h": 1})).await.0, 200);
    assert_eq!(send(&world, "POST", "/v1/webhooks/none/secret", json!({})).await.1["code"], "1116");
    assert_eq!(send(&world, "POST", "/v1/webhooks/crm/secret", json!({"overlap_h": 500})).await.0, 400);
    assert_eq!(send(&world, "POST", "/v1/webhooks/none/test", Value::Null).await.1["code"], "1116");
    assert_eq!(
        send(&world, "POST", "/v1/webhooks/crm/deliveries/x/resend", json!({})).await.1["code"],
        "1117"
    );
    assert_eq!(send(&world, "DELETE", CRM, Value::Null).await.0, 204);
    assert_eq!(send(&world, "DELETE", CRM, Value::Null).await.0, 404);
}

#[tokio::test]
async fn events_that_are_wanted_come_signed_and_in_order() {
    let world = World::new().await;
    write(&world, &[started()]).await;
    let receiver = Receiver::start().await;
    let secret = make(&world, "crm", &receiver.url(), json!(["conference.started"])).await;
    let running = world.webhooks.run();
    write(&world, &[started(), stopped(), started(), stopped(), started()]).await;
    let received = receiver.wait_for(3).await;
    assert_eq!(seqs(&received), [2, 4, 6], "what was before it was made is not sent");
    for one in &received {
        assert!(is_signed(one, &secret), "{one:?}");
        assert_eq!((&*one.path, &*one.headers["host"]), ("/hook?a=b", &*receiver.address.to_string()));
        assert_eq!(one.body["type"], "conference.started");
    }
    let (_, page) = world.get(&format!("/v1/events?after={}", 1)).await;
    assert_eq!(received[0].body, page["items"][0], "it is the event as the log has it");
    // With two secrets both sign.
    let (_, rotated) = send(&world, "POST", "/v1/webhooks/crm/secret", json!({})).await;
    write(&world, &[started()]).await;
    let received = receiver.wait_for(4).await;
    assert!(is_signed(&received[3], &secret) && is_signed(&received[3], rotated["secret"].as_str().unwrap()));
    let began = Instant::now();
    let list = loop {
        let (_, list) = world.get("/v1/webhooks/crm/deliveries?limit=3").await;
        if list["items"][0]["seq"] == 7 {
            break list;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{list}");
        sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(list["items"].as_array().unwrap().len(), 3);
    let first = &list["items"][0];
    assert_eq!(
        (&first["state"], &first["status"], &first["attempts"]),
        (&json!("delivered"), &json!(204), &json!(1))
    );
    let (_, rest) =
        world.get(&format!("/v1/webhooks/crm/deliveries?cursor={}", list["next"].as_str().unwrap())).await;
    assert_eq!((rest["items"][0]["seq"].clone(), &rest["next"]), (json!(2), &Value::Null));
    // Sent again by hand, with the same id.
    let path = format!("/v1/webhooks/crm/deliveries/{}/resend", first["id"].as_str().unwrap());
    let (status, sent) = send(&world, "POST", &path, json!({})).await;
    assert_eq!((status, &sent["attempts"]), (200, &json!(2)), "{sent}");
    let received = receiver.wait_for(5).await;
    assert_eq!(received[3].headers["webhook-id"], received[4].headers["webhook-id"]);
    running.stop().await;
}

#[tokio::test]
async fn a_receiver_that_fails_is_tried_again_and_delays_nobody_else() {
    let world = World::new().await;
    let (failing, hanging, well) =
        (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    failing.answers(Answer::Status(500));
    hanging.answers(Answer::Hang);
    make(&world, "failing", &failing.url(), json!(["*"])).await;
    make(&world, "hanging", &hanging.url(), json!(["*"])).await;
    make(&world, "well", &well.url(), json!(["*"])).await;
    let running = world.webhooks.run();
    write(&world, &[started(), stopped()]).await;
    assert_eq!(seqs(&well.wait_for(2).await), [1, 2]);
    hanging.wait_for(1).await;
    // Tried again after a second, and the second event waits for the first.
    let received = failing.wait_for(2).await;
    assert_eq!(seqs(&received), [1, 1]);
    assert_eq!(received[0].headers["webhook-id"], received[1].headers["webhook-id"]);
    let (_, shown) = world.get("/v1/webhooks/failing").await;
    assert!(
        shown["status"]["last_error"] == "answered 500" && shown["status"]["next_at"].is_string(),
        "{shown}"
    );
    let (_, list) = world.get("/v1/webhooks/failing/deliveries").await;
    assert_eq!((&list["items"][0]["state"], &list["items"][0]["status"]), (&json!("pending"), &json!(500)));
    failing.answers(Answer::Status(200));
    // A change has it tried at once.
    send(&world, "PATCH", "/v1/webhooks/failing", json!({"events": ["conference.*"]})).await;
    assert_eq!(seqs(&failing.wait_for(4).await), [1, 1, 1, 2]);
    running.stop().await;
}

/// More of them than are read at once.
#[tokio::test]
async fn one_that_fails_behind_many_that_are_not_wanted_is_tried_again_as_soon_as_any_other() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    receiver.answers(Answer::Status(500));
    make(&world, "crm", &receiver.url(), json!(["conference.stopped"])).await;
    let running = world.webhooks.run();
    write(&world, &vec![started(); 450]).await;
    write(&world, &[stopped()]).await;
    receiver.wait_for(1).await;
    let failed_at = Instant::now();
    let shown = wait_until(&world, CRM, |shown| shown["status"]["failures"] == 1).await;
    assert_eq!(
        (&shown["status"]["sent_up_to"], &shown["status"]["last_error"]),
        (&json!(450), &json!("answered 500")),
        "{shown}"
    );
    receiver.wait_for(2).await;
    let pause = failed_at.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_secs(4)).contains(&pause), "{pause:?}");
    // The pauses grow.
    let shown = wait_until(&world, CRM, |shown| shown["status"]["failures"] == 2).await;
    assert!(shown["status"]["next_at"].is_string(), "{shown}");
    receiver.answers(Answer::Status(200));
    assert_eq!(seqs(&receiver.wait_for(3).await), [451, 451, 451]);
    wait_until(&world, CRM, |shown| shown["status"]["sent_up_to"] == 451).await;
    running.stop().await;
}

#[tokio::test]
async fn redirects_are_not_followed_and_what_is_no_http_is_no_answer() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    make(&world, "crm", &receiver.url(), json!(["*"])).await;
    for (answer, said) in
        [(Answer::Redirect, "redirects are not followed"), (Answer::Close, "closed before an answer")]
    {
        receiver.answers(answer);
        let (status, tested) = send(&world, "POST", "/v1/webhooks/crm/test", Value::Null).await;
        assert_eq!(
            (status, &tested["state"], &tested["type"]),
            (200, &json!("failed"), &json!("webhook.test"))
        );
        assert!(tested["error"].as_str().unwrap().contains(said), "{tested}");
    }
    receiver.answers(Answer::Status(202));
    let (_, tested) = send(&world, "POST", "/v1/webhooks/crm/test", Value::Null).await;
    assert_eq!((&tested["state"], &tested["status"]), (&json!("delivered"), &json!(202)));
    // Tests do not move the place among the events.
    assert_eq!(world.get(CRM).await.1["status"]["sent_up_to"], 0);
}

#[tokio::test]
async fn only_addresses_that_are_allowed_are_connected_to() {
    let world = World::new().await;
    let elsewhere = "the host is not at an address of the internet";
    for (url, said) in [
        ("https://10.0.0.1/", elsewhere),
        ("https://[::1]/", elsewhere),
        ("https://169.254.169.254/latest", elsewhere),
        ("http://8.8.8.8/", "use https://"),
    ] {
        let name = format!("/v1/webhooks/{}", if url.starts_with("http:") { "plain" } else { "crm" });
        send(&world, "PUT", &name, json!({"url": url})).await;
        let (_, tested) = send(&world, "POST", &format!("{name}/test"), Value::Null).await;
        assert!(tested["error"].as_str().unwrap_or_default().contains(said), "{url}: {tested}");
    }
    // What a name resolves to counts, and which address of ours that is is not said.
    let receiver = Receiver::start().await;
    let certificate = Certificate::of("localhost");
    let url = format!("https://localhost:{}/", receiver.address.port());
    send(&world, "PUT", CRM, json!({"url": url})).await;
    let tested = test_with(&world, certificate.trusted(), &["10.0.0.0/8"]).await;
    let said = tested.error.unwrap();
    assert!(said.contains(elsewhere) && !said.contains("127.0.0.1") && !said.contains("::1"), "{said}");
    assert!(receiver.all().is_empty());
}

#[tokio::test]
async fn messages_go_only_to_who_shows_a_certificate_that_is_trusted_and_of_the_name() {
    let world = World::new().await;
    let certificate = Certificate::of("localhost");
    let receiver = Receiver::start_with_tls(&certificate).await;
    let url = format!("https://localhost:{}/hook", receiver.address.port());
    send(&world, "PUT", CRM, json!({"url": url})).await;
    const HERE: [&str; 2] = ["127.0.0.0/8", "::1/128"];
    let unknown = test_with(&world, Certificate::of("localhost").trusted(), &HERE).await;
    assert_eq!((unknown.state, unknown.status), (DeliveryState::Failed, None));
    assert!(unknown.error.as_deref().unwrap().contains("UnknownIssuer"), "{unknown:?}");
    let trusted = test_with(&world, certificate.trusted(), &HERE).await;
    assert_eq!((trusted.state, trusted.status), (DeliveryState::Delivered, Some(204)), "{trusted:?}");
    assert_eq!(receiver.all()[0].body["type"], "webhook.test");

    let other = Certificate::of("other.example");
    let receiver = Receiver::start_with_tls(&other).await;
    let url = format!("https://localhost:{}/hook", receiver.address.port());
    send(&world, "PUT", CRM, json!({"url": url})).await;
    let tested = test_with(&world, other.trusted(), &HERE).await;
    assert_eq!((tested.state, tested.status), (DeliveryState::Failed, None));
    assert!(tested.error.as_deref().unwrap().contains("not valid for name"), "{tested:?}");
    assert!(receiver.all().is_empty());

    // And over no connection without TLS.
    let plain = Receiver::start().await;
    send(&world, "PUT", CRM, json!({"url": format!("https://{}/", plain.address)})).await;
    let (_, tested) = send(&world, "POST", "/v1/webhooks/crm/test", Value::Null).await;
    assert_eq!((&tested["state"], &tested["status"]), (&json!("failed"), &Value::Null), "{tested}");
    assert!(plain.all().is_empty());
}

#[tokio::test]
async fn nothing_is_sent_for_an_account_that_is_disabled() {
    let world = World::new().await;
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    make(&world, "crm", &receiver.url(), json!(["*"])).await;
    let (account, _) = world.store.create_account_login("1-2-0/eve@example.com").await.unwrap();
    let body = json!({"url": other.url(), "events": ["*"]});
    world.store.put_webhook_if(account.id, "crm", body, |_| Ok::<_, ()>(())).await.unwrap();
    let disabled = async |is_disabled| {
        let decide = |before: &plenary_store::Account| {
            Ok::<_, ()>(plenary_store::AccountSettings { is_disabled, ..before.settings })
        };
        world.store.change_account(world.account, decide).await.unwrap();
        world.webhooks.changed();
    };
    disabled(true).await;
    let running = world.webhooks.run();
    write(&world, &[started()]).await;
    let events: Vec<_> = world
        .store
        .events_after(world.account, 0, 1)
        .await
        .unwrap()
        .into_iter()
        .map(|event| AccountEvent { account: account.id, event: event.record().unwrap() })
        .collect();
    world.store.write_events(&events, false).await.unwrap();
    other.wait_for(1).await;
    assert!(receiver.all().is_empty());
    disabled(false).await;
    assert_eq!(seqs(&receiver.wait_for(1).await), [1], "it was enabled in time");
    running.stop().await;
}

#[tokio::test]
async fn a_change_during_a_try_is_not_undone_by_what_comes_of_the_try() {
    let world = World::new().await;
    let (old, new) = (Receiver::start().await, Receiver::start().await);
    make(&world, "crm", &old.url(), json!(["*"])).await;
    write(&world, &[started()]).await;
    let owner = "a process";
    let at = world.store.events_after(world.account, 0, 1).await.unwrap()[0].record().unwrap().at;
    let until = at.plus_minutes(60);
    let lease = world.store.lease_webhook(world.account, "crm", owner, at, until).await.unwrap();
    let tried_of = lease.unwrap().webhook;
    // While the old address hangs.
    send(&world, "PATCH", CRM, json!({"url": new.url()})).await;
    let failed = plenary_store::Tried {
        up_to: None,
        failures: 10,
        next_at: Some(at.plus_minutes(8 * 60)),
        last_error: Some("no answer".to_owned()),
    };
    let tried = world.store.webhook_tried(world.account, &tried_of, owner, None, &failed).await.unwrap();
    assert!(!tried);
    let (_, shown) = world.get(CRM).await;
    assert_eq!(
        (&shown["status"]["failures"], &shown["status"]["next_at"]),
        (&json!(0), &Value::Null),
        "{shown}"
    );
    world.store.release_webhooks(owner).await.unwrap();
    let running = world.webhooks.run();
    assert_eq!(seqs(&new.wait_for(1).await), [1]);
    assert!(old.all().is_empty());
    running.stop().await;
}

#[tokio::test]
async fn tries_are_counted_through_changes_and_what_is_tried_no_more_has_failed() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    receiver.answers(Answer::Status(500));
    make(&world, "crm", &receiver.url(), json!(["*"])).await;
    let running = world.webhooks.run();
    write(&world, &[started()]).await;
    wait_until(&world, CRM, |shown| shown["status"]["failures"] == 1).await;
    // A change has it tried at once.
    send(&world, "PATCH", CRM, json!({"events": ["conference.*"]})).await;
    wait_until(&world, "/v1/webhooks/crm/deliveries", |list| list["items"][0]["attempts"] == 2).await;
    // Its event is not kept any more, and the next one is taken.
    world.store.prune_events(world.account, Timestamp(i64::MAX), 0, 10).await.unwrap();
    receiver.answers(Answer::Status(200));
    write(&world, &[stopped()]).await;
    wait_until(&world, CRM, |shown| shown["status"]["sent_up_to"] == 2).await;
    world.store.prune_deliveries(Timestamp(0), 10).await.unwrap();
    let (_, list) = world.get("/v1/webhooks/crm/deliveries").await;
    let states: Vec<_> = list["items"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["delivered", "failed"], "{list}");
    running.stop().await;
}

#[tokio::test]
async fn after_restarts_of_either_side_nothing_is_missing_and_the_order_holds() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    make(&world, "crm", &receiver.url(), json!(["*"])).await;
    let running = world.webhooks.run();
    write(&world, &[started(), stopped()]).await;
    assert_eq!(seqs(&receiver.wait_for(2).await), [1, 2]);
    let address = receiver.stop().await;
    write(&world, &[started()]).await;
    let began = Instant::now();
    while world.get(CRM).await.1["status"]["failures"] == 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "it cannot be reached");
        sleep(Duration::from_millis(10)).await;
    }
    running.stop().await;
    write(&world, &[stopped()]).await;
    let receiver = Receiver::start_at(address).await;
    // Another process: the lease was given back.
    let running = support::webhooks(&world.store).run();
    assert_eq!(seqs(&receiver.wait_for(2).await), [3, 4]);
    running.stop().await;
}

#[tokio::test]
async fn a_receiver_can_ask_for_a_longer_pause_and_for_no_more() {
    let world = World::new().await;
    let (busy, gone) = (Receiver::start().await, Receiver::start().await);
    busy.answers(Answer::Later(600));
    gone.answers(Answer::Status(410));
    make(&world, "busy", &busy.url(), json!(["*"])).await;
    make(&world, "gone", &gone.url(), json!(["*"])).await;
    let running = world.webhooks.run();
    write(&world, &[started(), stopped()]).await;
    busy.wait_for(1).await;
    gone.wait_for(1).await;
    let shown = wait_until(&world, "/v1/webhooks/busy", |shown| shown["status"]["next_at"].is_string()).await;
    let next_at: jiff::Timestamp = shown["status"]["next_at"].as_str().unwrap().parse().unwrap();
    let pause_s = next_at.as_second() - jiff::Timestamp::now().as_second();
    assert!((570..=600).contains(&pause_s), "{shown}");
    // Nothing is sent any more until it is switched on again; then what happens from then on.
    wait_until(&world, "/v1/webhooks/gone", |shown| {
        shown["enabled"] == false && shown["status"]["last_error"] == "answered 410"
    })
    .await;
    let (_, list) = world.get("/v1/webhooks/gone/deliveries").await;
    assert_eq!(list["items"][0]["state"], "failed", "{list}");
    gone.answers(Answer::Status(200));
    write(&world, &[started()]).await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(gone.all().len(), 1);
    send(&world, "PATCH", "/v1/webhooks/gone", json!({"enabled": true})).await;
    write(&world, &[stopped()]).await;
    assert_eq!(seqs(&gone.wait_for(2).await), [1, 4]);
    running.stop().await;
}

#[tokio::test]
async fn two_processes_do_not_send_the_same_event() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    make(&world, "crm", &receiver.url(), json!(["*"])).await;
    let (one, other) = (world.webhooks.run(), support::webhooks(&world.store).run());
    for _ in 0..10 {
        write(&world, &[started(), stopped()]).await;
        sleep(Duration::from_millis(5)).await;
    }
    let received = receiver.wait_for(20).await;
    assert_eq!(seqs(&received), (1..=20).collect::<Vec<_>>());
    one.stop().await;
    other.stop().await;
    assert_eq!(receiver.all().len(), 20);
}

#[tokio::test]
async fn an_event_of_three_days_ago_is_given_up_and_the_next_ones_go() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    receiver.answers(Answer::Status(503));
    make(&world, "crm", &receiver.url(), json!(["*"])).await;
    write_at(&world, &[started(), stopped()], Timestamp(1_700_000_000_000)).await;
    let running = world.webhooks.run();
    receiver.wait_for(2).await;
    receiver.answers(Answer::Status(200));
    write(&world, &[started()]).await;
    assert_eq!(seqs(&receiver.wait_for(3).await), [1, 2, 3]);
    wait_until(&world, "/v1/webhooks/crm/deliveries", |list| {
        let states = list["items"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap());
        states.eq(["delivered", "failed", "failed"])
    })
    .await;
    running.stop().await;
}
