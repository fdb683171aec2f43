//! Signing in at an OpenID Connect provider, through the router: what leads to a session, and what does not.
#![allow(missing_docs)]

mod support;

use axum::{body::Body, http::Request};
use http_body_util::BodyExt;
use plenary_api::{OIDC_CALLBACK, OidcGrant, OidcRule, OidcSettings};
use plenary_model::{LanguageCode, PersonSettings, Role};
use plenary_store::{AuditQuery, Person};
use plenary_testing::provider::{Algorithm, Key, Mood, Provider};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::{LOGIN, NOW, World};
use tower::ServiceExt;

const HOST: &str = "conference.example.com";
const PASSWORD: &str = "correct horse";
const OWN: (&str, &str) = ("sec-fetch-site", "same-origin");
const SECONDS: i64 = NOW.0 / 1000;

fn settings(provider: &Provider) -> OidcSettings {
    let staff = |group: &str, role| OidcRule {
        group: group.into(),
        gives: OidcGrant::Role { account: LOGIN.into(), role },
    };
    OidcSettings {
        name: "Example Ltd".into(),
        issuer: provider.issuer(),
        client_id: "plenary".into(),
        client_secret: None,
        scopes: vec!["profile".into(), "email".into()],
        groups_claim: "groups".into(),
        rules: vec![
            staff("admins", Role::Admin),
            staff("staff", Role::Organiser),
            OidcRule { group: "operators".into(), gives: OidcGrant::Operator },
            OidcRule {
                group: "staff".into(),
                gives: OidcGrant::Role { account: "9-9-9/nobody".into(), role: Role::Admin },
            },
        ],
        trusts_mail: false,
        allows_passwords: true,
        redirect_uri: format!("https://{HOST}{OIDC_CALLBACK}"),
    }
}

/// A world with a provider that knows Eve of the staff.
async fn world() -> (World, Provider) {
    let provider = eve();
    (World::with_oidc(settings(&provider)).await, provider)
}

fn eve() -> Provider {
    let provider = Provider::start(SECONDS);
    provider.set(|setup| setup.person["groups"] = json!(["staff", "others"]));
    provider
}

struct Answer {
    status: u16,
    location: String,
    body: Value,
    /// Cookies that it sets, whole.
    set: Vec<String>,
}

impl Answer {
    fn problem(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// Where a browser is sent: the page for signing in, and why.
    #[track_caller]
    fn refusal(&self) -> &str {
        assert_eq!(self.status, 303, "{} {}", self.location, self.body);
        let rest = self.location.strip_prefix("/console/sign-in?error=");
        let rest = rest.unwrap_or_else(|| panic!("{}", self.location));
        rest.split('&').next().unwrap()
    }
}

/// A browser, which keeps cookies and is sent from page to page.
struct Browser<'a> {
    world: &'a World,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    fn new(world: &'a World) -> Self {
        Self { world, cookies: BTreeMap::new() }
    }

    async fn ask(&mut self, method: &str, host: &str, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", host);
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", pairs.join("; "));
        }
        // A provider sends browsers back from another site.
        let site = if path.starts_with(OIDC_CALLBACK) { "cross-site" } else { OWN.1 };
        request = request.header(OWN.0, site).header("content-type", "application/json");
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = self.world.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let set: Vec<String> =
            parts.headers.get_all("set-cookie").iter().map(|one| one.to_str().unwrap().to_owned()).collect();
        for cookie in &set {
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            match value {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        Answer {
            status: parts.status.as_u16(),
            location: parts
                .headers
                .get("location")
                .map(|target| target.to_str().unwrap().to_owned())
                .unwrap_or_default(),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            set,
        }
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", HOST, path, None).await
    }

    /// Goes to the provider.
    async fn leave(&mut self, next: &str) -> String {
        let left = self.get(&format!("/v1/session/oidc?next={next}")).await;
        assert_eq!(left.status, 303, "{}", left.body);
        assert!(left.location.starts_with("http://127.0.0.1:"), "{}", left.location);
        left.location
    }

    /// The path by which the provider sends it back.
    async fn agreed(&mut self, provider: &Provider) -> String {
        let back = provider.agree(&self.leave("/console/").await);
        back.strip_prefix(&format!("https://{HOST}")).unwrap().to_owned()
    }

    async fn sign_in(&mut self, provider: &Provider) -> Answer {
        let back = self.agreed(provider).await;
        self.get(&back).await
    }

    async fn who(&mut self) -> Option<Value> {
        let session = self.get("/v1/session").await;
        (session.status == 200).then_some(session.body)
    }
}

async fn person(world: &World, mail: &str) -> Option<Person> {
    world.store.find_person(mail).await.unwrap()
}

/// A person who is made by hand.
async fn made(world: &World, mail: &str, role: Option<Role>) -> Person {
    let settings = PersonSettings {
        name: "By hand".into(),
        mail: mail.into(),
        language: LanguageCode::english(),
        is_operator: role.is_none(),
        is_disabled: false,
        roles: role.map(|role| (world.account, role)).into_iter().collect(),
    };
    world.store.person_new(&settings, NOW).await.unwrap()
}

#[tokio::test]
async fn a_group_makes_a_person_who_is_signed_in_as_by_a_password() {
    let (world, provider) = world().await;
    let mut browser = Browser::new(&world);
    let ways = browser.get("/v1/session/ways").await;
    let button = json!({"name": "Example Ltd", "path": "/v1/session/oidc"});
    assert_eq!((ways.status, ways.body), (200, json!({"passwords": true, "provider": button})));
    assert_eq!(provider.asked("/.well-known/openid-configuration"), 0, "it is asked when it is needed");

    let left = browser.get("/v1/session/oidc?next=%2Fconsole%2Fbookings%3Fa%3Db").await;
    let cookie = &left.set[0];
    assert!(cookie.starts_with("__Host-plenary-oidc="), "{cookie}");
    assert!(cookie.ends_with("; Max-Age=600; Path=/; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
    for part in [
        "scope=openid+profile+email",
        "code_challenge_method=S256",
        "response_type=code",
        "client_id=plenary",
    ] {
        assert!(left.location.contains(part), "{}", left.location);
    }
    assert!(!left.location.contains(browser.cookies["__Host-plenary-oidc"].as_str()));
    let back = provider.agree(&left.location);
    let back = back.strip_prefix(&format!("https://{HOST}")).unwrap();
    let come = browser.get(back).await;
    assert_eq!((come.status, come.location.as_str()), (303, "/console/bookings?a=b"), "{}", come.body);
    assert!(
        come.set[0].starts_with("__Host-plenary=") && come.set[0].ends_with("SameSite=Lax"),
        "{:?}",
        come.set
    );
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["__Host-plenary"], "the other one is taken back");

    let me = browser.who().await.unwrap();
    assert_eq!((&me["person"]["name"], &me["person"]["mail"]), (&json!("Eve"), &json!("eve@example.com")));
    assert_eq!(me["scopes"], json!(["read", "control", "book"]));
    assert_eq!(me["accounts"].as_array().unwrap().len(), 1, "an account that is not there gives nothing");
    assert_eq!(browser.get("/v1/sessions").await.body["items"].as_array().unwrap().len(), 1);
    let eve = person(&world, "eve@example.com").await.unwrap();
    assert!(eve.is_linked && !eve.has_password && eve.roles[0].is_by_group);
    assert_eq!(eve.signed_in_at, Some(NOW));

    // It is in the audit log, with how.
    let query = AuditQuery { limit: 10, ..AuditQuery::default() };
    let entries = world.store.audit(&query).await.unwrap();
    let (_, entry) = entries.into_iter().find(|(_, entry)| entry.path == OIDC_CALLBACK).expect("an entry");
    assert_eq!(
        (entry.person, entry.actor.as_str(), entry.status),
        (Some(eve.id.0), "eve@example.com", Some(303))
    );
    let request = entry.request.unwrap();
    assert_eq!((&request["subject"], &request["issuer"]), (&json!("eve-1"), &json!(provider.issuer())));
    assert_eq!(request["roles_by_group"][0], format!("organiser of {LOGIN}"));
    assert!(!request.to_string().contains("code"), "{request}");

    // A second time: the same person, and what is known of the provider is not asked for again.
    assert_eq!(Browser::new(&world).sign_in(&provider).await.location, "/console/");
    assert_eq!(person(&world, "eve@example.com").await.unwrap().id, eve.id);
    assert_eq!((provider.asked("/.well-known/openid-configuration"), provider.asked("/jwks")), (1, 1));
    // And out again.
    assert_eq!(browser.ask("DELETE", HOST, "/v1/session", None).await.status, 204);
    assert_eq!(browser.who().await, None);
}

#[tokio::test]
async fn who_is_made_and_signed_in_has_an_entry_even_if_the_service_is_killed_before_it_answers() {
    let (world, provider) = world().await;
    world.keep_entries_from_being_completed().await;
    assert_eq!(Browser::new(&world).sign_in(&provider).await.location, "/console/");
    let entries = world.store.audit(&AuditQuery { limit: 10, ..AuditQuery::default() }).await.unwrap();
    let [(_, entry)] = &entries[..] else { panic!("{entries:?}") };
    let eve = person(&world, "eve@example.com").await.unwrap();
    assert_eq!((&*entry.path, entry.status, entry.person), (OIDC_CALLBACK, None, Some(eve.id.0)));
    assert_eq!(entry.request.as_ref().unwrap()["subject"], "eve-1");
    // One whose groups give nothing any more: what that took away is there too.
    provider.set(|setup| setup.person["groups"] = json!("nobody"));
    assert!(Browser::new(&world).sign_in(&provider).await.location.contains("error=no_role"));
    let entries = world.store.audit(&AuditQuery { limit: 10, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(entries.len(), 2, "{entries:?}");
}

#[tokio::test]
async fn keys_of_either_kind_and_a_clients_secret_count() {
    let provider = eve();
    provider.set(|setup| {
        setup.keys = vec![Key::new("e", Algorithm::Es256), Key::new("r", Algorithm::Rs256)];
        setup.client_secret = Some("s3cret".into());
        setup.person["groups"] = json!("operators");
    });
    for (secret, methods) in
        [("s3cret", json!(["client_secret_basic"])), ("s3cret", json!(["client_secret_post"]))]
    {
        provider.set(|setup| {
            setup.signs = 1;
            setup.description["token_endpoint_auth_methods_supported"] = methods;
        });
        let world =
            World::with_oidc(OidcSettings { client_secret: Some(secret.into()), ..settings(&provider) })
                .await;
        let mut browser = Browser::new(&world);
        assert_eq!(browser.sign_in(&provider).await.location, "/console/");
        assert_eq!(browser.who().await.unwrap()["person"]["operator"], true);
        provider.set(|setup| setup.signs = 0);
        assert_eq!(browser.sign_in(&provider).await.location, "/console/");
    }
    let world =
        World::with_oidc(OidcSettings { client_secret: Some("wrong".into()), ..settings(&provider) }).await;
    assert_eq!(Browser::new(&world).sign_in(&provider).await.refusal(), "provider");
}

#[tokio::test]
async fn a_verified_mail_leads_to_a_person_who_is_there_once() {
    let (world, provider) = world().await;
    let eve = made(&world, "Eve@Example.com", Some(Role::Auditor)).await;
    provider.set(|setup| {
        setup.person["email_verified"] = json!(false);
        setup.person["groups"] = json!([]);
    });
    assert_eq!(Browser::new(&world).sign_in(&provider).await.refusal(), "mail");
    provider.set(|setup| setup.person["email_verified"] = Value::Null);
    assert_eq!(Browser::new(&world).sign_in(&provider).await.refusal(), "mail", "it does not say");
    provider.set(|setup| setup.person["email_verified"] = json!("true"));
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in(&provider).await.location, "/console/");
    let me = browser.who().await.unwrap();
    assert_eq!((&me["person"]["id"], &me["account"]["role"]), (&json!(eve.id.0), &json!("auditor")));
    // From then on it is the subject that counts, whatever becomes of the address.
    provider.set(|setup| setup.person = json!({"sub": "eve-1", "email": "other@example.com"}));
    assert_eq!(browser.sign_in(&provider).await.location, "/console/");
    assert_eq!(browser.who().await.unwrap()["person"]["id"], eve.id.0);
    // Another person who has got the address is not Eve.
    provider.set(|setup| {
        setup.person = json!({"sub": "eve-2", "email": "eve@example.com", "email_verified": true, "groups": ["staff"]});
    });
    assert_eq!(Browser::new(&world).sign_in(&provider).await.refusal(), "linked");
    assert!(world.store.unlink_person(eve.id).await.unwrap());
    assert_eq!(browser.who().await, None, "Eve's sessions have ended");
    assert_eq!(Browser::new(&world).sign_in(&provider).await.location, "/console/");
}

#[tokio::test]
async fn what_the_token_leaves_out_is_asked_for_and_mail_may_be_trusted() {
    let provider = eve();
    provider.set(|setup| {
        setup.person = json!({"sub": "eve-1"});
        setup.user_info = json!({"sub": "eve-1", "email": "eve@example.com", "name": "Eve U.", "locale": "de-AT",
            "realm": {"roles": ["staff"]}});
    });
    let configured = OidcSettings { groups_claim: "realm.roles".into(), ..settings(&provider) };
    let world = World::with_oidc(configured.clone()).await;
    assert_eq!(Browser::new(&world).sign_in(&provider).await.refusal(), "mail");
    let world = World::with_oidc(OidcSettings { trusts_mail: true, ..configured }).await;
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in(&provider).await.location, "/console/");
    let me = browser.who().await.unwrap();
    assert_eq!((&me["person"]["name"], &me["person"]["language"]), (&json!("Eve U."), &json!("de")));
    // Of another person.
    provider.set(|setup| setup.user_info["sub"] = json!("ann-1"));
    assert_eq!(Browser::new(&world).sign_in(&provider).await.refusal(), "invalid");
    provider.set(|setup| {
        setup.user_info = json!({"sub": "eve-1", "email": "eve@example.com", "email_verified": false})
    });
    provider.set(|setup| setup.person["sub"] = json!("eve-3"));
    assert_eq!(Browser::new(&world).sign_in(&provider).await.refusal(), "invalid", "the subjects differ");
    provider.set(|setup| setup.user_info["sub"] = json!("eve-3"));
    assert_eq!(
        Browser::new(&world).sign_in(&provider).await.refusal(),
        "mail",
        "it says that it is not verified"
    );
}

#[tokio::test]
async fn groups_are_looked_at_each_time_and_who_has_no_role_left_is_signed_out() {
    let (world, provider) = world().await;
    let mut browser = Browser::new(&world);
    browser.sign_in(&provider).await;
    let role = async |browser: &mut Browser<'_>| browser.who().await.map(|me| me["account"]["role"].clone());
    assert_eq!(role(&mut browser).await, Some(json!("organiser")));
    provider.set(|setup| setup.person["groups"] = json!(["staff", "admins"]));
    let mut other = Browser::new(&world);
    other.sign_in(&provider).await;
    assert_eq!(role(&mut browser).await, Some(json!("admin")), "in every browser, at once");

    provider.set(|setup| setup.person["groups"] = json!(["Staff"]));
    assert_eq!(Browser::new(&world).sign_in(&provider).await.refusal(), "no_role");
    assert_eq!((browser.who().await, other.who().await), (None, None));
    assert!(person(&world, "eve@example.com").await.unwrap().roles.is_empty());
    // Nobody is made who may do nothing.
    provider.set(|setup| {
        setup.person = json!({"sub": "ann", "email": "ann@example.com", "email_verified": true})
    });
    assert_eq!(Browser::new(&world).sign_in(&provider).await.refusal(), "no_role");
    assert_eq!(person(&world, "ann@example.com").await, None);
    // Back in the group.
    provider.set(|setup| {
        setup.person = json!({"sub": "eve-1", "groups": ["staff"], "email": "x"});
    });
    assert_eq!(browser.sign_in(&provider).await.location, "/console/");

    let eve = person(&world, "eve@example.com").await.unwrap();
    let disabled = |person: &Person| Ok::<_, ()>(PersonSettings { is_disabled: true, ..person.settings() });
    world.store.change_person(eve.id, disabled).await.unwrap();
    assert_eq!(browser.sign_in(&provider).await.refusal(), "disabled");
    assert_eq!(browser.who().await, None);
}

#[tokio::test]
async fn only_the_browser_that_left_comes_back_and_only_once() {
    let (world, provider) = world().await;
    let mut browser = Browser::new(&world);
    let back = browser.agreed(&provider).await;
    // Another browser, to which the address is sent.
    assert_eq!(Browser::new(&world).get(&back).await.refusal(), "expired");
    // One that has left too.
    let mut victim = Browser::new(&world);
    victim.leave("/console/").await;
    assert_eq!(victim.get(&back).await.refusal(), "expired");
    assert!(victim.cookies.is_empty(), "what it had is taken back");
    assert_eq!(provider.asked("/token"), 0, "the provider was not asked");

    let kept = browser.cookies.clone();
    assert_eq!(browser.get(&back).await.location, "/console/");
    assert_eq!(provider.asked("/token"), 1);
    // The same again, with the cookie of then.
    let mut again = Browser { world: &world, cookies: kept.clone() };
    assert_eq!(again.get(&back).await.refusal(), "expired");
    assert_eq!(provider.asked("/token"), 1);
    for cookies in [
        BTreeMap::from([("__Host-plenary-oidc".to_owned(), "AAAA".to_owned())]),
        // On loopback it has another name.
        BTreeMap::from([("plenary-oidc".to_owned(), kept["__Host-plenary-oidc"].clone())]),
    ] {
        assert_eq!(Browser { world: &world, cookies }.get(&back).await.refusal(), "expired");
    }
    // After ten minutes.
    let mut late = Browser::new(&world);
    let back = late.agreed(&provider).await;
    world.control.pass_minutes(10);
    assert_eq!(late.get(&back).await.refusal(), "expired");
    assert_eq!(provider.asked("/token"), 1);
}

#[tokio::test]
async fn tokens_that_are_not_valid_sign_nobody_in() {
    let (world, provider) = world().await;
    let wrong = |name: &'static str, value: Value| {
        move |_: &mut _, claims: &mut serde_json::Map<String, Value>| {
            claims.insert(name.to_owned(), value.clone());
        }
    };
    type Wrong = Box<dyn Fn(&mut serde_json::Map<String, Value>, &mut serde_json::Map<String, Value>) + Send>;
    let header = |name: &'static str, value: Value| -> Wrong {
        Box::new(move |header, _| {
            header.insert(name.to_owned(), value.clone());
        })
    };
    let without = |name: &'static str| -> Wrong {
        Box::new(move |_, claims| {
            claims.remove(name);
        })
    };
    let cases: Vec<(&str, Wrong)> = vec![
        ("nonce", Box::new(wrong("nonce", json!("another")))),
        ("no nonce", without("nonce")),
        ("audience", Box::new(wrong("aud", json!("another")))),
        ("no audience", without("aud")),
        ("another audience too", Box::new(wrong("aud", json!(["plenary", "another"])))),
        ("authorized party", Box::new(wrong("azp", json!("another")))),
        ("issuer", Box::new(wrong("iss", json!("https://evil.example")))),
        ("no issuer", without("iss")),
        ("expired", Box::new(wrong("exp", json!(SECONDS - 61)))),
        ("no expiry", without("exp")),
        ("of the future", Box::new(wrong("iat", json!(SECONDS + 61)))),
        ("access token", Box::new(wrong("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA")))),
        ("no subject", without("sub")),
        ("empty subject", Box::new(wrong("sub", json!("")))),
        ("long subject", Box::new(wrong("sub", json!("x".repeat(256))))),
        ("none", header("alg", json!("none"))),
        ("a key's public half as a secret", header("alg", json!("HS256"))),
        ("another kind of key", header("alg", json!("RS256"))),
        ("critical", header("crit", json!(["x"]))),
    ];
    for (what, change) in cases {
        provider.set(|setup| setup.change = Some(change));
        let mut browser = Browser::new(&world);
        assert_eq!(browser.sign_in(&provider).await.refusal(), "invalid", "{what}");
        assert_eq!(browser.who().await, None, "{what}");
    }
    provider.set(|setup| (setup.change, setup.signs_wrongly) = (None, true));
    assert_eq!(Browser::new(&world).sign_in(&provider).await.refusal(), "invalid");
    // A secret of the client's does not sign either.
    let provider_with_secret = eve();
    provider_with_secret.set(|setup| {
        setup.client_secret = Some("s3cret".into());
        setup.change = Some(header("alg", json!("HS256")));
    });
    let configured = OidcSettings { client_secret: Some("s3cret".into()), ..settings(&provider_with_secret) };
    let confidential = World::with_oidc(configured).await;
    assert_eq!(Browser::new(&confidential).sign_in(&provider_with_secret).await.refusal(), "invalid");
    // A clock that is a little off does not matter.
    provider.set(|setup| (setup.signs_wrongly, setup.now) = (false, SECONDS + 59));
    assert_eq!(Browser::new(&world).sign_in(&provider).await.location, "/console/");
    assert_eq!(world.store.people_after(None, None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn keys_are_asked_for_again_when_another_one_signs_and_not_for_each_token() {
    let (world, provider) = world().await;
    assert_eq!(Browser::new(&world).sign_in(&provider).await.location, "/console/");
    provider.set(|setup| setup.keys = vec![Key::new("second", Algorithm::Es256)]);
    assert_eq!(Browser::new(&world).sign_in(&provider).await.location, "/console/");
    assert_eq!(provider.asked("/jwks"), 2);
    provider.set(|setup| setup.signs_secretly = Some(Key::new("third", Algorithm::Es256)));
    for _ in 0..3 {
        assert_eq!(Browser::new(&world).sign_in(&provider).await.refusal(), "invalid");
    }
    assert_eq!(provider.asked("/jwks"), 2, "once a minute at the most");
    // By the id of a key that counts.
    provider.set(|setup| setup.signs_secretly = Some(Key::new("second", Algorithm::Es256)));
    assert_eq!(Browser::new(&world).sign_in(&provider).await.refusal(), "invalid");
}

#[tokio::test]
async fn a_provider_that_is_down_or_odd_is_said_to_be() {
    let start = async |provider: &Provider| {
        let world = World::with_oidc(settings(provider)).await;
        Browser::new(&world).get("/v1/session/oidc").await.refusal().to_owned()
    };
    for mood in [Mood::Failing, Mood::Huge, Mood::Elsewhere] {
        let provider = eve();
        provider.set(|setup| setup.mood = mood);
        assert_eq!(start(&provider).await, "unavailable", "{mood:?}");
        assert_eq!(provider.asked("/elsewhere"), 0, "redirects are not followed");
    }
    for (name, value) in [
        ("issuer", json!("https://evil.example")),
        ("authorization_endpoint", json!("http://evil.example/authorize")),
        ("jwks_uri", json!("http://evil.example/jwks")),
        ("jwks_uri", json!("file:///etc/passwd")),
        ("issuer", Value::Null),
    ] {
        let provider = eve();
        provider.set(|setup| setup.description[name] = value.clone());
        assert_eq!(start(&provider).await, "unavailable", "{name} {value}");
    }
    // Nobody listens.
    let gone = eve();
    let configured = settings(&gone);
    drop(gone);
    let world = World::with_oidc(configured).await;
    assert_eq!(Browser::new(&world).get("/v1/session/oidc").await.refusal(), "unavailable");
    // It goes down in between.
    let (world, provider) = self::world().await;
    let mut browser = Browser::new(&world);
    let back = browser.agreed(&provider).await;
    provider.set(|setup| setup.mood = Mood::Failing);
    assert_eq!(browser.get(&back).await.refusal(), "provider");
    provider.set(|setup| setup.mood = Mood::Well);
    assert_eq!(browser.sign_in(&provider).await.location, "/console/");
}

#[tokio::test]
async fn a_provider_that_says_nothing_is_given_up_and_not_asked_again_at_once() {
    let provider = eve();
    provider.set(|setup| setup.mood = Mood::Silent);
    let world = World::with_oidc(settings(&provider)).await;
    let refused = Browser::new(&world).get("/v1/session/oidc").await;
    // The provider's 10 s, or the 10 s that a request may take here.
    assert!(refused.status == 408 || refused.refusal() == "unavailable", "{}", refused.status);
}

#[tokio::test]
async fn what_the_provider_answers_by_the_browser_is_checked() {
    let (world, provider) = world().await;
    let state = |back: &str| back.split_once("state=").unwrap().1.split('&').next().unwrap().to_owned();
    for (query, error) in [
        ("error=access_denied", "denied"),
        ("error=server_error&error_description=x", "provider"),
        ("error=access_denied&iss=https%3A%2F%2Fevil.example", "invalid"),
        ("code=x&iss=https%3A%2F%2Fevil.example", "invalid"),
        ("code=x", "invalid"),
        ("code=", "invalid"),
        ("", "invalid"),
        ("code=x&code=y", "invalid"),
    ] {
        let mut browser = Browser::new(&world);
        let state = state(&browser.agreed(&provider).await);
        let issuer = match query.contains("iss=") || query == "code=x" {
            true => String::new(),
            false => format!("&iss={}", provider.issuer()),
        };
        let refused = browser.get(&format!("{OIDC_CALLBACK}?{query}&state={state}{issuer}")).await;
        assert_eq!(refused.refusal(), error, "{query}");
    }
    assert_eq!(provider.asked("/token"), 0);
    // A code that it did not give.
    let mut browser = Browser::new(&world);
    let state = state(&browser.agreed(&provider).await);
    let guessed = format!("{OIDC_CALLBACK}?code=guessed&state={state}&iss={}", provider.issuer());
    assert_eq!(browser.get(&guessed).await.refusal(), "provider");
}

#[tokio::test]
async fn nobody_is_led_to_another_site() {
    let (world, provider) = world().await;
    for next in [
        "https://evil.example/",
        "//evil.example",
        "/%5Cevil.example",
        "/console%5C..%5C%5Cevil.example",
        "/console.evil.example",
        "/v1/session",
        "/console/%0d%0aSet-Cookie:%20a=b",
        "javascript:alert(1)",
    ] {
        let mut browser = Browser::new(&world);
        let back = provider.agree(&browser.leave(next).await);
        let come = browser.get(back.strip_prefix(&format!("https://{HOST}")).unwrap()).await;
        assert_eq!((come.status, come.location.as_str()), (303, "/console/"), "{next}");
    }
    // What goes wrong keeps where one wanted to go.
    let mut browser = Browser::new(&world);
    let left = browser.leave("/console/bookings").await;
    let state = left.split_once("state=").unwrap().1.split('&').next().unwrap();
    let denied = browser
        .get(&format!("{OIDC_CALLBACK}?error=access_denied&state={state}&iss={}", provider.issuer()))
        .await;
    assert_eq!(denied.location, "/console/sign-in?error=denied&next=%2Fconsole%2Fbookings");
}

#[tokio::test]
async fn over_a_network_without_tls_nobody_signs_in_and_on_loopback_the_cookies_have_other_names() {
    let (world, provider) = world().await;
    let mut browser = Browser::new(&world);
    let refused = browser.ask("GET", "192.0.2.1:8080", "/v1/session/oidc", None).await;
    assert_eq!((refused.refusal(), refused.set.len()), ("insecure", 0));
    let left = browser.ask("GET", "localhost:8080", "/v1/session/oidc", None).await;
    assert!(left.set[0].starts_with("plenary-oidc=") && !left.set[0].contains("Secure"), "{:?}", left.set);
    let back = provider.agree(&left.location);
    let path = back.strip_prefix(&format!("https://{HOST}")).unwrap();
    let come = browser.ask("GET", "localhost:8080", path, None).await;
    assert_eq!((come.location.as_str(), browser.cookies.contains_key("plenary")), ("/console/", true));
}

#[tokio::test]
async fn where_passwords_are_off_they_are_refused_and_only_the_machine_lets_people_in() {
    let provider = eve();
    let world = World::with_oidc(OidcSettings { allows_passwords: false, ..settings(&provider) }).await;
    let mut browser = Browser::new(&world);
    assert_eq!(browser.get("/v1/session/ways").await.body["passwords"], false);
    let ann = made(&world, "ann@example.com", None).await;
    let (code, _) = world.store.invite(ann.id, NOW).await.unwrap().unwrap();
    let post = async |browser: &mut Browser<'_>, path: &str, body: Value| {
        browser.ask("POST", HOST, path, Some(body)).await
    };
    let accept = |code: &str| json!({"code": code, "password": PASSWORD});
    let refused = post(&mut browser, "/v1/invitations/accept", accept(code.as_str())).await;
    assert_eq!(refused.problem(), (403, "1144"));
    assert!(refused.body["detail"].as_str().unwrap().contains("Example Ltd"), "{}", refused.body);
    let open = |code: &str| json!({"code": code});
    let opened = post(&mut browser, "/v1/invitations/open", open(code.as_str())).await;
    assert_eq!(opened.problem(), (403, "1144"), "nobody is asked for a password in vain");
    let (code, _) = world.store.invite_on_machine(ann.id, NOW).await.unwrap().unwrap();
    let opened = post(&mut browser, "/v1/invitations/open", open(code.as_str())).await.body;
    assert_eq!((&opened["mail"], &opened["operator"]), (&json!("ann@example.com"), &json!(true)), "{opened}");
    assert_eq!(post(&mut browser, "/v1/invitations/accept", accept(code.as_str())).await.status, 200);
    assert_eq!(browser.who().await.unwrap()["person"]["operator"], true);
    let login = json!({"login": "ann@example.com", "password": PASSWORD});
    assert_eq!(post(&mut Browser::new(&world), "/v1/session", login).await.problem(), (403, "1144"));
    let change = json!({"old_password": PASSWORD, "password": "another horse"});
    let changed = browser.ask("PUT", HOST, "/v1/session/password", Some(change)).await;
    assert_eq!(changed.problem(), (403, "1144"));
    // People are still made: they sign in at the provider.
    let eve = json!({"name": "Eve", "mail": "eve@example.com", "roles": [{"account": world.account.0, "role": "admin"}]});
    let made = post(&mut browser, "/v1/people", eve).await;
    assert_eq!(
        (made.status, &made.body["invitation"], &made.body["state"]),
        (201, &Value::Null, &json!("invited"))
    );
    let path = format!("/v1/people/{}/invitation", made.body["id"]);
    assert_eq!(post(&mut browser, &path, Value::Null).await.problem(), (403, "1144"));
    let mut other = Browser::new(&world);
    assert_eq!(other.sign_in(&provider).await.location, "/console/");
    assert_eq!(other.who().await.unwrap()["account"]["role"], "admin", "what is given by hand comes first");
    let shown = browser.get(&format!("/v1/people/{}", made.body["id"])).await.body;
    assert_eq!((&shown["state"], &shown["linked"]), (&json!("active"), &json!(true)));
}

#[tokio::test]
async fn without_a_provider_there_is_nothing_to_go_to() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let ways = browser.get("/v1/session/ways").await;
    assert_eq!(ways.body, json!({"passwords": true, "provider": null}));
    for path in ["/v1/session/oidc", OIDC_CALLBACK] {
        assert_eq!(browser.get(path).await.problem(), (404, "1145"), "{path}");
    }
}
