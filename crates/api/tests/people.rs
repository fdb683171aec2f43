//! People: invited, signed in by a password, let do what their role says, and signed out; and who may ask for it from where.
#![allow(missing_docs)]

mod support;

use plenary_model::{KeySettings, LanguageCode, PersonSettings, Scope};
use plenary_store::{AuditQuery, SignIn, SignInFrom};
use serde_json::{Value, json};
use support::{
    World,
    browser::{Answer, HOST, OWN, ask, ask_at, by, own},
};

const PASSWORD: &str = "correct horse";

/// Invites a person by the account's key; the code of the link.
async fn invite(world: &World, mail: &str, role: &str) -> (i64, String) {
    let person = json!({"name": "Eve", "mail": mail, "roles": [{"account": world.account.0, "role": role}]});
    let made = own(world, "POST", "/v1/people", Some(person)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let path = made.body["invitation"]["path"].as_str().unwrap();
    let code = path.strip_prefix("/console/welcome#").unwrap().to_owned();
    (made.body["id"].as_i64().unwrap(), code)
}

/// A person who has signed in; the cookie.
async fn signed_in(world: &World, mail: &str, role: &str) -> String {
    let (_, code) = invite(world, mail, role).await;
    let body = json!({"code": code, "password": PASSWORD});
    let accepted = ask(world, "POST", "/v1/invitations/accept", &[OWN], Some(body)).await;
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    accepted.cookie()
}

/// An operator who has signed in, with no role in any account; the cookie.
async fn operator(world: &World) -> String {
    let settings = PersonSettings {
        name: "Ann".into(),
        mail: "ann@example.com".into(),
        language: LanguageCode::english(),
        is_operator: true,
        is_disabled: false,
        roles: [].into(),
    };
    let person = world.store.person_new(&settings, support::NOW).await.unwrap();
    let (code, _) = world.store.invite(person.id, support::NOW).await.unwrap().unwrap();
    let from = SignInFrom { address: None, user_agent: None };
    let accepted = world.store.accept_invitation(code.as_str(), PASSWORD, from, support::NOW).await.unwrap();
    let Some(SignIn::Right(right)) = accepted else { panic!("{accepted:?}") };
    format!("__Host-plenary={}", right.0.as_str())
}

async fn sign_in(world: &World, login: &str, password: &str) -> Answer {
    let body = json!({"login": login, "password": password});
    ask(world, "POST", "/v1/session", &[OWN], Some(body)).await
}

#[tokio::test]
async fn an_invitation_is_accepted_once_and_the_cookie_is_worth_what_the_role_says() {
    let world = World::new().await;
    let (id, code) = invite(&world, "Eve@example.com", "organiser").await;
    let accept = async |code: &str, password: &str| {
        let body = json!({"code": code, "password": password});
        ask(&world, "POST", "/v1/invitations/accept", &[OWN], Some(body)).await
    };
    let short = accept(&code, "short").await;
    assert_eq!((short.problem(), &short.body["errors"][0]["pointer"]), ((400, "0005"), &json!("/password")));
    let accepted = accept(&code, PASSWORD).await;
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    let set = accepted.headers["set-cookie"].to_str().unwrap();
    let attributes = "; Max-Age=43200; Path=/; Secure; HttpOnly; SameSite=Lax";
    assert!(set.starts_with("__Host-plenary=") && set.ends_with(attributes), "{set}");
    assert_eq!(accept(&code, "another horse").await.problem(), (404, "1126"));

    let signed_in = sign_in(&world, "eve@EXAMPLE.com", PASSWORD).await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.body);
    let cookie = signed_in.cookie();
    assert_ne!(cookie, accepted.cookie());
    let me = by(&world, &cookie, "GET", "/v1/session", None).await;
    assert_eq!(me.body["person"]["id"], id);
    assert_eq!(me.body["person"]["mail"], "Eve@example.com");
    assert_eq!(
        me.body["account"],
        json!({"id": world.account.0, "login": support::LOGIN, "role": "organiser"})
    );
    assert_eq!(me.body["scopes"], json!(["read", "control", "book"]));
    assert_eq!(me.body["accounts"].as_array().unwrap().len(), 1);
    assert!(
        !me.body.to_string().contains(cookie.split_once('=').unwrap().1),
        "the secret is in the cookie alone"
    );

    assert_eq!(by(&world, &cookie, "GET", "/v1/conferences", None).await.status, 200);
    assert_eq!(by(&world, &cookie, "GET", "/v1/keys", None).await.problem(), (403, "1303"));
    let sessions = by(&world, &cookie, "GET", "/v1/sessions", None).await.body["items"].clone();
    let current: Vec<bool> =
        sessions.as_array().unwrap().iter().map(|one| one["current"].as_bool().unwrap()).collect();
    assert_eq!(current, [false, true]);
    // The other browser is signed out from here.
    let other = format!("/v1/sessions/{}", sessions[0]["id"]);
    assert_eq!(by(&world, &cookie, "DELETE", &other, None).await.status, 204);
    assert_eq!(by(&world, &cookie, "DELETE", &other, None).await.problem(), (404, "1124"));
    assert_eq!(by(&world, &accepted.cookie(), "GET", "/v1/session", None).await.status, 401);

    let out = by(&world, &cookie, "DELETE", "/v1/session", None).await;
    assert_eq!(out.status, 204);
    let cleared = out.headers["set-cookie"].to_str().unwrap();
    assert!(cleared.starts_with("__Host-plenary=; Max-Age=0; "), "{cleared}");
    for path in ["/v1/session", "/v1/conferences", "/v1/events"] {
        let stolen = by(&world, &cookie, "GET", path, None).await;
        assert_eq!(stolen.status, 401, "{path}: {}", stolen.body);
        let challenges: Vec<_> = stolen.headers.get_all("www-authenticate").iter().collect();
        assert_eq!(challenges, ["Bearer realm=\"Plenary\""], "a browser would ask for a password by itself");
    }
}

#[tokio::test]
async fn an_invitation_says_whom_it_is_for_as_often_as_it_is_opened_and_nothing_once_it_is_accepted() {
    let world = World::new().await;
    let (id, code) = invite(&world, "Eve@example.com", "organiser").await;
    let open = async |code: &str| {
        ask(&world, "POST", "/v1/invitations/open", &[OWN], Some(json!({"code": code}))).await
    };
    let until = own(&world, "GET", &format!("/v1/people/{id}"), None).await.body["invited_until"].clone();
    assert!(until.is_string(), "{until}");
    for _ in 0..2 {
        let opened = open(&code).await;
        let expected = json!({
            "name": "Eve", "mail": "Eve@example.com", "operator": false, "has_password": false, "expires_at": until,
            "roles": [{"login": support::LOGIN, "role": "organiser"}],
        });
        assert_eq!((opened.status, &opened.body), (200, &expected));
        assert!(opened.headers.get("set-cookie").is_none(), "nobody is signed in by it");
        assert_eq!(opened.headers["cache-control"], "no-store");
    }
    let accept = json!({"code": code, "password": PASSWORD});
    assert_eq!(ask(&world, "POST", "/v1/invitations/accept", &[OWN], Some(accept)).await.status, 200);
    for bad in [&*code, "x", ""] {
        assert_eq!(open(bad).await.problem(), (404, "1126"), "{bad}");
    }

    // For those who have forgotten their password; a later one takes its place.
    let again = async || {
        let path = format!("/v1/people/{id}/invitation");
        let made = own(&world, "POST", &path, None).await.body;
        made["path"].as_str().unwrap().strip_prefix("/console/welcome#").unwrap().to_owned()
    };
    let (first, second) = (again().await, again().await);
    assert_eq!(open(&first).await.problem(), (404, "1126"));
    assert_eq!(open(&second).await.body["has_password"], true);
    let disable = Some(json!({"disabled": true}));
    assert_eq!(own(&world, "PATCH", &format!("/v1/people/{id}"), disable).await.status, 200);
    assert_eq!(open(&second).await.problem(), (404, "1126"), "they could not sign in by it");
}

#[tokio::test]
async fn a_change_with_the_cookie_counts_only_from_a_page_of_ours() {
    let world = World::new().await;
    let cookie = operator(&world).await;
    let (_, served) = world.get("/v1/openapi.json").await;
    let mut tried = 0;
    for (path, item) in served["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().map(|method| method.to_uppercase()) {
            let is_sign_in = method == "POST"
                && matches!(
                    path.as_str(),
                    "/v1/session"
                        | "/v1/invitations/open"
                        | "/v1/invitations/accept"
                        | "/v1/leader-links/open"
                        | "/v1/guest-links/open"
                );
            if !path.starts_with("/v1/") || matches!(method.as_str(), "GET" | "HEAD") || is_sign_in {
                continue;
            }
            let path = path.replace(['{', '}'], "").replace("/id", "/7").replace("/source", "/192.0.2.1");
            tried += 1;
            for (headers, code) in [
                (vec![("cookie", &*cookie)], "1127"),
                (vec![("cookie", &*cookie), ("sec-fetch-site", "none")], "1127"),
                (vec![("cookie", &*cookie), ("sec-fetch-site", "same-site")], "1302"),
                (vec![("cookie", &*cookie), ("sec-fetch-site", "cross-site")], "1302"),
                (vec![("cookie", &*cookie), ("origin", "https://evil.example")], "1302"),
                (vec![("cookie", &*cookie), ("origin", "null")], "1302"),
            ] {
                let refused = ask(&world, &method, &path, &headers, Some(json!({}))).await;
                assert_eq!(refused.problem(), (403, code), "{method} {path} {headers:?}: {}", refused.body);
            }
        }
    }
    assert!(tried > 40, "{tried}");
    // With an older browser the origin says it.
    let own = [("cookie", &*cookie), ("origin", "https://conference.example.com")];
    let patched = ask(&world, "PATCH", "/v1/session", &own, Some(json!({"language": "de"}))).await;
    assert_eq!((patched.status, &patched.body["person"]["language"]), (200, &json!("de")));
    // Where there is no cookie, programs ask as before.
    let bearer = format!("Bearer {}", world.key);
    let with_key = [("authorization", &*bearer), ("cookie", &*cookie)];
    let made = ask(&world, "POST", "/v1/keys", &with_key, Some(json!({"scopes": ["read"]}))).await;
    assert_eq!(made.status, 201, "the key goes before the cookie: {}", made.body);
    // Pages of other sites cannot sign a browser in either.
    let body = json!({"login": "ann@example.com", "password": PASSWORD});
    for foreign in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        assert_eq!(
            ask(&world, "POST", "/v1/session", &[foreign], Some(body.clone())).await.problem(),
            (403, "1302")
        );
    }
}

#[tokio::test]
async fn the_services_of_the_platform_take_no_cookie() {
    let world = World::new().await;
    let cookie = signed_in(&world, "eve@example.com", "admin").await;
    for path in [
        "/conference_list",
        "/conference_participant_list?conference_name=Tea",
        "/conference_participant_eject?conference_name=Tea&participant_id=a",
        "/conference_reservation_remove?reservation_token=a",
        "/webrtc_generate_token",
        "/service/v1/inbound",
        "/service/v1/inbound/a",
    ] {
        assert_eq!(by(&world, &cookie, "GET", path, None).await.status, 401, "{path}");
    }
    assert_eq!(by(&world, &cookie, "GET", "/v1/keys", None).await.status, 200);
}

#[tokio::test]
async fn a_session_ends_after_two_hours_without_use() {
    let world = World::new().await;
    let cookie = signed_in(&world, "eve@example.com", "organiser").await;
    world.control.pass_minutes(119);
    assert_eq!(by(&world, &cookie, "GET", "/v1/session", None).await.status, 200);
    let other = sign_in(&world, "eve@example.com", PASSWORD).await.cookie();
    world.control.pass_minutes(120);
    assert_eq!(by(&world, &other, "GET", "/v1/session", None).await.status, 401);
}

#[tokio::test]
async fn an_auditor_reads_and_changes_nothing() {
    let world = World::new().await;
    let cookie = signed_in(&world, "eve@example.com", "auditor").await;
    for path in ["/v1/history", "/v1/calls", "/v1/recordings", "/v1/conferences"] {
        assert_eq!(by(&world, &cookie, "GET", path, None).await.status, 200, "{path}");
    }
    for (method, path) in [
        ("DELETE", "/v1/recordings/019a7c3e5b1f00112233445566778899"),
        ("DELETE", "/v1/personal-data?number=1"),
        ("POST", "/v1/conferences/Tea/mute"),
    ] {
        let refused = by(&world, &cookie, method, path, Some(json!({}))).await;
        assert_eq!(refused.problem(), (403, "1128"), "{path}: {}", refused.body);
    }
    let patched = by(&world, &cookie, "PATCH", "/v1/session", Some(json!({"language": "de"}))).await;
    assert_eq!(patched.status, 200, "one's own language is no business of the account");
}

#[tokio::test]
async fn passwords_travel_under_tls_or_within_the_machine() {
    let world = World::new().await;
    signed_in(&world, "eve@example.com", "organiser").await;
    let body = json!({"login": "eve@example.com", "password": PASSWORD});
    let sign_in_at =
        async |host: &str| ask_at(&world, host, "POST", "/v1/session", &[OWN], Some(body.clone())).await;
    let refused = sign_in_at("192.0.2.10:8080").await;
    assert!(
        refused.status == 403 && refused.body["detail"].as_str().unwrap().contains("https"),
        "{}",
        refused.body
    );
    for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080"] {
        let local = sign_in_at(host).await;
        let set = local.headers["set-cookie"].to_str().unwrap();
        assert!(set.starts_with("plenary=") && !set.contains("Secure") && set.contains("HttpOnly"), "{set}");
        let cookie = local.cookie();
        let headers = [("cookie", &*cookie), OWN];
        assert_eq!(ask_at(&world, host, "GET", "/v1/session", &headers, None).await.status, 200, "{host}");
        // Under TLS the name is another, and this one counts for nothing.
        assert_eq!(by(&world, &cookie, "GET", "/v1/session", None).await.status, 401);
        let renamed = cookie.replace("plenary=", "__Host-plenary=");
        let headers = [("cookie", &*renamed), OWN];
        assert_eq!(ask_at(&world, host, "GET", "/v1/session", &headers, None).await.status, 401);
    }
    // Two of one name: one of them was put there by another.
    let cookie = sign_in_at(HOST).await.cookie();
    let two = format!("{cookie}; __Host-plenary=x");
    assert_eq!(by(&world, &two, "GET", "/v1/session", None).await.status, 401);
    let among = format!("a=b; {cookie}; plenary=x");
    assert_eq!(by(&world, &among, "GET", "/v1/session", None).await.status, 200);
}

#[tokio::test]
async fn wrong_passwords_are_slowed_down() {
    let world = World::new().await;
    signed_in(&world, "eve@example.com", "organiser").await;
    for _ in 0..3 {
        assert_eq!(sign_in(&world, "eve@example.com", "wrong").await.problem(), (401, "1125"));
    }
    let slowed = sign_in(&world, "eve@example.com", PASSWORD).await;
    assert_eq!((slowed.status, slowed.headers["retry-after"].to_str().unwrap()), (429, "31"));
    assert!(!slowed.headers.contains_key("set-cookie"));
    world.control.pass_minutes(1);
    assert_eq!(sign_in(&world, "eve@example.com", PASSWORD).await.status, 200);
    let (_, audit) =
        world.store.audit(&AuditQuery { limit: 1, ..AuditQuery::default() }).await.unwrap().remove(0);
    assert_eq!((&*audit.actor, &*audit.path, audit.status), ("eve@example.com", "/v1/session", Some(200)));
    assert!(audit.person.is_some() && audit.request.is_none(), "{audit:?}");
}

#[tokio::test]
async fn an_administrator_manages_those_who_work_in_the_account_alone() {
    let world = World::new().await;
    let (other, _) = world.store.create_account_login("3-4-5/ann@example.com").await.unwrap();
    let cookie = signed_in(&world, "eve@example.com", "admin").await;
    let (id, _) = invite(&world, "bob@example.com", "organiser").await;
    let path = format!("/v1/people/{id}");
    let shown = by(&world, &cookie, "GET", &path, None).await;
    assert_eq!(shown.body["state"], "invited");
    assert_eq!(shown.body["roles"], json!([{"account": world.account.0, "role": "organiser"}]));
    let patch = json!({"name": "Bob", "roles": [{"account": world.account.0, "role": "auditor"}]});
    let changed = by(&world, &cookie, "PATCH", &path, Some(patch)).await;
    assert_eq!((changed.status, &changed.body["name"]), (200, &json!("Bob")));
    assert_ne!(changed.headers["etag"], shown.headers["etag"]);
    let stale = [("cookie", &*cookie), OWN, ("if-match", shown.headers["etag"].to_str().unwrap())];
    assert_eq!(
        ask(&world, "PATCH", &path, &stale, Some(json!({"name": "B"}))).await.problem(),
        (412, "1213")
    );
    assert_eq!(ask(&world, "DELETE", &path, &stale, None).await.problem(), (412, "1213"));

    // Nobody gives what they do not have.
    for (patch, pointer) in [
        (json!({"operator": true}), "/operator"),
        (json!({"roles": [{"account": other.id.0, "role": "organiser"}]}), "/roles/0/account"),
        (json!({"roles": []}), "/roles"),
        (json!({"mail": "nowhere"}), "/mail"),
        (json!({"nmae": "x"}), "/nmae"),
    ] {
        let refused = by(&world, &cookie, "PATCH", &path, Some(patch.clone())).await;
        assert_eq!(
            (refused.status, &refused.body["errors"][0]["pointer"]),
            (400, &json!(pointer)),
            "{patch}"
        );
    }
    let reader = KeySettings { scopes: [Scope::Config].into_iter().collect(), ..KeySettings::default() };
    let (_, key) = world.store.key_new(world.account, &reader).await.unwrap();
    let bearer = format!("Bearer {}", key.as_str());
    let body = json!({"name": "X", "mail": "x@example.com", "roles": [{"account": world.account.0, "role": "admin"}]});
    let refused = ask(&world, "POST", "/v1/people", &[("authorization", &bearer)], Some(body)).await;
    assert_eq!(refused.body["errors"][0]["pointer"], "/roles/0/role", "{}", refused.body);
    // A link would let such a key in by another's role.
    let link = ask(&world, "POST", &format!("{path}/invitation"), &[("authorization", &bearer)], None).await;
    assert_eq!(link.problem(), (403, "1128"));

    // Those who may more, or are elsewhere too, are not theirs to change.
    let ann = operator(&world).await;
    let both = json!({"roles": [{"account": world.account.0, "role": "organiser"}, {"account": other.id.0, "role": "admin"}]});
    assert_eq!(by(&world, &ann, "PATCH", &path, Some(both)).await.status, 200);
    let seen = by(&world, &cookie, "GET", &path, None).await;
    assert_eq!(
        seen.body["roles"],
        json!([{"account": world.account.0, "role": "organiser"}]),
        "no other account"
    );
    for (method, path) in
        [("PATCH", path.clone()), ("DELETE", path.clone()), ("POST", format!("{path}/invitation"))]
    {
        let refused = by(&world, &cookie, method, &path, Some(json!({}))).await;
        assert_eq!(refused.problem(), (403, "1128"), "{method}: {}", refused.body);
    }
    let list = by(&world, &cookie, "GET", "/v1/people", None).await.body["items"].clone();
    let mails: Vec<&str> = list.as_array().unwrap().iter().map(|one| one["mail"].as_str().unwrap()).collect();
    assert_eq!(mails, ["eve@example.com", "bob@example.com"]);
    let all = by(&world, &ann, "GET", "/v1/people", None).await.body["items"].as_array().unwrap().len();
    assert_eq!(all, 3);
    let elsewhere = json!({"roles": [{"account": other.id.0, "role": "admin"}]});
    assert_eq!(by(&world, &ann, "PATCH", &path, Some(elsewhere)).await.status, 200);
    assert_eq!(by(&world, &cookie, "GET", &path, None).await.problem(), (404, "1123"));
    let taken =
        json!({"name": "Eve", "mail": "EVE@example.com", "roles": [{"account": 1, "role": "organiser"}]});
    assert_eq!(by(&world, &ann, "POST", "/v1/people", Some(taken)).await.problem(), (409, "1129"));
    let nowhere =
        json!({"name": "X", "mail": "x@example.com", "roles": [{"account": 99, "role": "organiser"}]});
    let refused = by(&world, &ann, "POST", "/v1/people", Some(nowhere)).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["pointer"]), (400, &json!("/roles")));
}

#[tokio::test]
async fn who_is_disabled_or_removed_is_out_at_once_and_the_audit_log_says_by_whom() {
    let world = World::new().await;
    let cookie = signed_in(&world, "eve@example.com", "admin").await;
    let (id, code) = invite(&world, "bob@example.com", "organiser").await;
    let accept = json!({"code": code, "password": PASSWORD});
    let bob = ask(&world, "POST", "/v1/invitations/accept", &[OWN], Some(accept)).await.cookie();
    let path = format!("/v1/people/{id}");
    let disabled = by(&world, &cookie, "PATCH", &path, Some(json!({"disabled": true}))).await;
    assert_eq!((disabled.status, &disabled.body["state"]), (200, &json!("disabled")));
    assert_eq!(by(&world, &bob, "GET", "/v1/session", None).await.status, 401);
    assert_eq!(sign_in(&world, "bob@example.com", PASSWORD).await.problem(), (401, "1125"));
    assert_eq!(by(&world, &cookie, "PATCH", &path, Some(json!({"disabled": false}))).await.status, 200);
    let again = sign_in(&world, "bob@example.com", PASSWORD).await.cookie();
    assert_eq!(by(&world, &cookie, "DELETE", &path, None).await.status, 204);
    assert_eq!(by(&world, &again, "GET", "/v1/session", None).await.status, 401);
    assert_eq!(by(&world, &cookie, "GET", &path, None).await.problem(), (404, "1123"));

    let ann = operator(&world).await;
    let audit = by(&world, &ann, "GET", "/v1/operator/audit?path=/v1/people/", None).await;
    let latest = &audit.body["items"][0];
    assert_eq!(
        (&latest["by"], &latest["actor"], &latest["method"]),
        (&json!("person"), &json!("eve@example.com"), &json!("DELETE"))
    );
    assert!(
        latest["person"].is_i64() && latest["key"].is_null() && latest["before"]["mail"] == "bob@example.com",
        "{latest}"
    );
    assert!(!audit.body.to_string().contains(&code), "no code is in the log");
}

#[tokio::test]
async fn a_person_in_several_accounts_works_in_one_at_a_time() {
    let world = World::new().await;
    let ann = operator(&world).await;
    let (other, _) = world.store.create_account_login("3-4-5/ann@example.com").await.unwrap();
    let me = by(&world, &ann, "GET", "/v1/session", None).await;
    assert_eq!(
        (&me.body["account"]["id"], &me.body["account"]["role"]),
        (&json!(world.account.0), &Value::Null)
    );
    assert_eq!(me.body["scopes"].as_array().unwrap().len(), Scope::ALL.len());
    let work_in = async |cookie: &str, account: i64| {
        by(&world, cookie, "PATCH", "/v1/session", Some(json!({"account": account}))).await
    };
    let changed = work_in(&ann, other.id.0).await;
    assert_eq!((changed.status, &changed.body["account"]["id"]), (200, &json!(other.id.0)));
    let put = json!({"conference": "Tea"});
    assert_eq!(by(&world, &ann, "PUT", "/v1/rooms/1001", Some(put)).await.status, 201);
    assert_eq!(world.get("/v1/rooms/1001").await.0, 404, "it is the other account's");
    assert_eq!(work_in(&ann, 99).await.problem(), (403, "1128"));
    let eve = signed_in(&world, "eve@example.com", "admin").await;
    assert_eq!(work_in(&eve, other.id.0).await.problem(), (403, "1128"));
    assert_eq!(by(&world, &eve, "GET", "/v1/operator/health", None).await.problem(), (403, "1303"));
    assert_eq!(by(&world, &ann, "GET", "/v1/operator/health", None).await.status, 200);
}

#[tokio::test]
async fn a_repeated_post_of_a_session_gets_the_first_answer_and_no_other_session_does() {
    let world = World::new().await;
    let (eve, bob) = (
        signed_in(&world, "eve@example.com", "admin").await,
        signed_in(&world, "bob@example.com", "admin").await,
    );
    let make = async |cookie: &str| {
        let headers = [("cookie", cookie), OWN, ("idempotency-key", "once")];
        ask(&world, "POST", "/v1/keys", &headers, Some(json!({"scopes": ["read"]}))).await
    };
    let (first, again, other) = (make(&eve).await, make(&eve).await, make(&bob).await);
    assert_eq!((first.status, again.status, other.status), (201, 201, 201), "{}", again.body);
    assert_eq!(first.body["secret"], again.body["secret"]);
    assert_ne!(first.body["secret"], other.body["secret"]);
}

#[tokio::test]
async fn a_key_is_changed_and_revoked_only_as_it_was_seen() {
    let world = World::new().await;
    let made = own(&world, "POST", "/v1/keys", Some(json!({"scopes": ["read"]}))).await;
    let path = format!("/v1/keys/{}", made.body["id"]);
    let tag = own(&world, "GET", &path, None).await.headers["etag"].to_str().unwrap().to_owned();
    let label = json!({"label": "Page"});
    assert_eq!(own(&world, "PATCH", &path, Some(label)).await.status, 200);
    let bearer = format!("Bearer {}", world.key);
    let as_seen = |tag: String| {
        let (world, bearer, path) = (&world, &bearer, &path);
        async move { ask(world, "DELETE", path, &[("authorization", bearer), ("if-match", &tag)], None).await }
    };
    assert_eq!(as_seen(tag).await.problem(), (412, "1213"));
    let changed = own(&world, "GET", &path, None).await;
    assert_eq!(changed.body["revoked_at"], Value::Null);
    assert_eq!(as_seen(changed.headers["etag"].to_str().unwrap().to_owned()).await.status, 204);
    assert!(own(&world, "GET", &path, None).await.body["revoked_at"].is_string());
}
