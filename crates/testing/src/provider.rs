//! An OpenID Connect provider on loopback: it describes itself, hands out codes, takes them back with PKCE, and signs ID tokens
//! by ES256 or RS256 – or does it wrong, as a test wants. It answers HTTP by hand and signs by `ring`, so nothing of it is what
//! it is there to test.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ring::{
    rand::SystemRandom,
    rsa,
    signature::{self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fmt,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

/// 2048 bits, of no use elsewhere.
const RSA_KEY: &[u8] = include_bytes!("rsa.der");

/// How an ID token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA with P-256.
    Es256,
    /// RSA, PKCS #1.
    Rs256,
}

enum Secret {
    Ecdsa(Box<EcdsaKeyPair>),
    Rsa(Box<rsa::KeyPair>),
}

/// A key that signs.
pub struct Key {
    id: String,
    secret: Secret,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Key {
    /// A key with this id.
    ///
    /// # Panics
    /// If no key can be made.
    #[must_use]
    pub fn new(id: &str, algorithm: Algorithm) -> Self {
        let secret = match algorithm {
            Algorithm::Es256 => {
                let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
                let made = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("a key");
                Secret::Ecdsa(Box::new(
                    EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random).expect("the key"),
                ))
            }
            Algorithm::Rs256 => Secret::Rsa(Box::new(rsa::KeyPair::from_der(RSA_KEY).expect("the key"))),
        };
        Self { id: id.to_owned(), secret }
    }

    fn algorithm(&self) -> &'static str {
        match self.secret {
            Secret::Ecdsa(_) => "ES256",
            Secret::Rsa(_) => "RS256",
        }
    }

    /// As a provider publishes it (RFC 7517).
    fn published(&self) -> Value {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let (id, algorithm) = (&self.id, self.algorithm());
        match &self.secret {
            Secret::Ecdsa(pair) => {
                // 4, x, y
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": id, "alg": algorithm, "x": text(x), "y": text(y)})
            }
            Secret::Rsa(pair) => {
                let key: rsa::PublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"kty": "RSA", "use": "sig", "kid": id, "alg": algorithm, "n": text(&key.n), "e": text(&key.e)})
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.secret {
            Secret::Ecdsa(pair) => pair.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Secret::Rsa(pair) => {
                let mut signed = vec![0; pair.public().modulus_len()];
                let padding: &dyn signature::RsaEncoding = &RSA_PKCS1_SHA256;
                pair.sign(padding, &random, message, &mut signed).expect("a signature");
                signed
            }
        }
    }
}

/// How a provider answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Well,
    /// It takes connections and says nothing.
    Silent,
    /// Without end.
    Huge,
    /// With 503.
    Failing,
    /// It sends callers somewhere else.
    Elsewhere,
}

/// Changes header and claims of an ID token before it is signed.
pub type Change = Box<dyn Fn(&mut Map<String, Value>, &mut Map<String, Value>) + Send>;

/// What a test sets.
pub struct Setup {
    /// Keys that are published.
    pub keys: Vec<Key>,
    /// Which of them signs.
    pub signs: usize,
    /// The secret of the client, if it needs one.
    pub client_secret: Option<String>,
    /// What ID tokens say of the person: `sub` and further claims.
    pub person: Value,
    /// What is said of the person when it is asked for; null: nothing is.
    pub user_info: Value,
    /// Seconds since the epoch, for `iat` and `exp`.
    pub now: i64,
    /// What is done wrong.
    pub change: Option<Change>,
    /// Signatures have a wrong bit.
    pub signs_wrongly: bool,
    /// A key that signs and is not published.
    pub signs_secretly: Option<Key>,
    /// Further or other members of what it says of itself.
    pub description: Value,
    /// How it answers.
    pub mood: Mood,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("person", &self.person)
            .field("mood", &self.mood)
            .finish_non_exhaustive()
    }
}

struct Grant {
    challenge: String,
    nonce: String,
    client: String,
    redirect: String,
}

struct Shared {
    address: SocketAddr,
    setup: Mutex<Setup>,
    grants: Mutex<HashMap<String, Grant>>,
    /// How often each path was asked for.
    asked: Mutex<HashMap<String, usize>>,
    is_over: AtomicBool,
}

/// A provider that runs.
pub struct Provider(Arc<Shared>);

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("address", &self.0.address).finish_non_exhaustive()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.0.is_over.store(true, SeqCst);
        // Wakes up who waits for connections.
        let _ = TcpStream::connect(self.0.address);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn random() -> String {
    let bytes: ring::rand::Random<[u8; 16]> =
        ring::rand::generate(&SystemRandom::new()).expect("random bytes");
    BASE64URL_NOPAD.encode(&bytes.expose())
}

impl Provider {
    /// Starts one with an ES256 key, whose time stands at `now` (seconds).
    ///
    /// # Panics
    /// If it cannot listen on loopback.
    #[must_use]
    pub fn start(now: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared {
            address,
            setup: Mutex::new(Setup {
                keys: vec![Key::new("first", Algorithm::Es256)],
                signs: 0,
                client_secret: None,
                person: json!({"sub": "eve-1", "email": "eve@example.com", "email_verified": true, "name": "Eve"}),
                user_info: Value::Null,
                now,
                change: None,
                signs_wrongly: false,
                signs_secretly: None,
                description: json!({}),
                mood: Mood::Well,
            }),
            grants: Mutex::default(),
            asked: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let of_thread = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.is_over.load(SeqCst) {
                    break;
                }
                let (Ok(stream), shared) = (stream, of_thread.clone()) else { continue };
                thread::spawn(move || shared.serve(stream));
            }
        });
        Self(shared)
    }

    /// What it calls itself.
    #[must_use]
    pub fn issuer(&self) -> String {
        self.0.issuer()
    }

    /// Changes what it does.
    pub fn set(&self, change: impl FnOnce(&mut Setup)) {
        change(&mut locked(&self.0.setup));
    }

    /// How often a path was asked for, as in `/token`.
    #[must_use]
    pub fn asked(&self, path: &str) -> usize {
        locked(&self.0.asked).get(path).copied().unwrap_or_default()
    }

    /// What becomes of a browser that goes to this URL and whose person agrees: where it is sent back to.
    ///
    /// # Panics
    /// If the URL does not ask for a code in the way it should.
    #[must_use]
    pub fn agree(&self, url: &str) -> String {
        self.0.agree(url)
    }
}

impl Shared {
    fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    fn agree(&self, url: &str) -> String {
        let (path, query) = url.split_once('?').expect("parameters");
        assert_eq!(path, format!("{}/authorize", self.issuer()));
        let asked = form(query);
        let get = |name: &str| asked.get(name).cloned().unwrap_or_default();
        assert_eq!(
            (get("response_type"), get("code_challenge_method")),
            ("code".into(), "S256".into()),
            "{url}"
        );
        assert!(get("scope").split(' ').any(|scope| scope == "openid"), "{url}");
        for name in ["state", "nonce", "code_challenge", "client_id"] {
            assert!(!get(name).is_empty(), "{name} is missing in {url}");
        }
        let (code, redirect) = (random(), get("redirect_uri"));
        let back = format!(
            "{redirect}?code={code}&state={}&iss={}",
            get("state"),
            self.issuer().replace(':', "%3A").replace('/', "%2F")
        );
        let grant = Grant {
            challenge: get("code_challenge"),
            nonce: get("nonce"),
            client: get("client_id"),
            redirect,
        };
        locked(&self.grants).insert(code, grant);
        back
    }

    fn serve(&self, mut stream: TcpStream) {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
        let Some((method, target, headers, body)) = read(&stream) else { return };
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        *locked(&self.asked).entry(path.to_owned()).or_default() += 1;
        let mood = locked(&self.setup).mood;
        match mood {
            Mood::Well => {}
            Mood::Silent => {
                // Until the other side gives up.
                let _ = stream.read(&mut [0]);
                return;
            }
            Mood::Huge => {
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"x\": \"");
                while stream.write_all(&[b'x'; 65_536]).is_ok() {}
                return;
            }
            Mood::Failing => return send(stream, "503 No", "", &json!({"error": "later"})),
            Mood::Elsewhere => {
                let elsewhere = format!("Location: {}/elsewhere\r\n", self.issuer());
                return send(stream, "302 Found", &elsewhere, &Value::Null);
            }
        }
        match (method.as_str(), path) {
            ("GET", "/.well-known/openid-configuration") => send(stream, "200 OK", "", &self.description()),
            ("GET", "/jwks") => {
                let keys: Vec<Value> = locked(&self.setup).keys.iter().map(Key::published).collect();
                send(stream, "200 OK", "", &json!({ "keys": keys }));
            }
            ("GET", "/authorize") => {
                let back = self.agree(&format!("{}/authorize?{query}", self.issuer()));
                send(stream, "303 See Other", &format!("Location: {back}\r\n"), &Value::Null);
            }
            ("POST", "/token") => match self.token(&headers, &form(&body)) {
                Ok(answer) => send(stream, "200 OK", "", &answer),
                Err(error) => send(stream, "400 Bad Request", "", &json!({ "error": error })),
            },
            ("GET", "/userinfo") => {
                let is_allowed =
                    headers.get("authorization").is_some_and(|value| value.starts_with("Bearer access-"));
                match is_allowed {
                    true => send(stream, "200 OK", "", &locked(&self.setup).user_info),
                    false => send(stream, "401 Unauthorized", "", &Value::Null),
                }
            }
            _ => send(stream, "404 Not Found", "", &Value::Null),
        }
    }

    fn description(&self) -> Value {
        let issuer = self.issuer();
        let setup = locked(&self.setup);
        let mut description = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256", "RS256", "HS256", "none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        });
        if !setup.user_info.is_null() {
            description["userinfo_endpoint"] = format!("{issuer}/userinfo").into();
        }
        for (name, value) in setup.description.as_object().into_iter().flatten() {
            description[name] = value.clone();
        }
        description
    }

    /// Takes a code once, from who asked for it (RFC 7636, section 4.6).
    fn token(
        &self,
        headers: &HashMap<String, String>,
        asked: &HashMap<String, String>,
    ) -> Result<Value, &'static str> {
        let get = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
        if get("grant_type") != "authorization_code" {
            return Err("unsupported_grant_type");
        }
        let grant = locked(&self.grants).remove(get("code")).ok_or("invalid_grant")?;
        let setup = locked(&self.setup);
        let authenticated = headers.get("authorization").map(String::as_str).unwrap_or_default();
        let is_client = match &setup.client_secret {
            Some(secret) => {
                let basic =
                    format!("Basic {}", BASE64.encode(format!("{}:{secret}", grant.client).as_bytes()));
                authenticated == basic || get("client_secret") == secret
            }
            None => authenticated.is_empty() && get("client_id") == grant.client,
        };
        if !is_client {
            return Err("invalid_client");
        }
        let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(get("code_verifier")));
        if challenge != grant.challenge || get("redirect_uri") != grant.redirect {
            return Err("invalid_grant");
        }
        let access = format!("access-{}", random());
        let half = &Sha256::digest(&access)[..16];
        let mut claims = json!({
            "iss": self.issuer(),
            "aud": grant.client,
            "iat": setup.now,
            "exp": setup.now + 300,
            "nonce": grant.nonce,
            "at_hash": BASE64URL_NOPAD.encode(half),
        });
        for (name, value) in setup.person.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        let key = setup.signs_secretly.as_ref().unwrap_or(&setup.keys[setup.signs]);
        let mut header = json!({"typ": "JWT", "alg": key.algorithm(), "kid": key.id});
        if let (Some(change), Value::Object(header), Value::Object(claims)) =
            (&setup.change, &mut header, &mut claims)
        {
            change(header, claims);
        }
        let text = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let message = format!("{}.{}", text(&header), text(&claims));
        let mut signed = match header["alg"].as_str() {
            Some("none") => Vec::new(),
            Some("HS256") => {
                let secret = setup.client_secret.clone().unwrap_or_default();
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
                ring::hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
            }
            _ => key.sign(message.as_bytes()),
        };
        if let (true, Some(last)) = (setup.signs_wrongly, signed.last_mut()) {
            *last ^= 1;
        }
        let token = format!("{message}.{}", BASE64URL_NOPAD.encode(&signed));
        Ok(json!({"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": token}))
    }
}

/// method, target, headers, body
fn read(stream: &TcpStream) -> Option<(String, String, HashMap<String, String>, String)> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((method, target, headers, String::from_utf8(body).ok()?))
}

fn send(mut stream: TcpStream, status: &str, headers: &str, body: &Value) {
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat());
}

/// `application/x-www-form-urlencoded`
fn form(text: &str) -> HashMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digits = |rest: &mut std::str::Bytes<'_>| {
            let digits = [rest.next()?, rest.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()
        };
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digits(&mut rest).unwrap_or(b'?'),
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
