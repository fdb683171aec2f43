//! People against the running binary: invited on the command line, signed in with curl as a browser would, and signed out.
#![allow(missing_docs)]

mod support;

use plenary_testing::provider::{Algorithm, Key, Provider};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Output, Stdio},
};
use support::{LOGIN, Server, plenary, text, wait_for};

const PASSWORD: &str = "correct horse";
const OWN: [&str; 2] = ["-H", "Sec-Fetch-Site: same-origin"];

/// A browser with a jar of cookies.
struct Browser<'a> {
    server: &'a Server,
    jar: PathBuf,
}

impl Browser<'_> {
    fn command(&self, arguments: &[&str], path: &str) -> Command {
        let mut command = Command::new("curl");
        command.args(["-sS", "--max-time", "60", "-g", "-b"]).arg(&self.jar).arg("-c").arg(&self.jar);
        command.args(arguments).arg(format!("http://{}{path}", self.server.http));
        command
    }

    fn ask(&self, arguments: &[&str], path: &str) -> (u16, Value) {
        let output =
            self.command(&[&["-w", "\n%{http_code}"][..], arguments].concat(), path).output().unwrap();
        assert!(output.status.success(), "curl: {}", text(&output));
        let answer = String::from_utf8(output.stdout).unwrap();
        let (body, status) = answer.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// A request of a page of ours.
    fn page(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        self.ask(&[&OWN[..], &["-X", method, "--json", &body]].concat(), path)
    }
}

fn person(server: &Server, arguments: &[&str]) -> Output {
    plenary().args(["person"]).args(arguments).arg("--data").arg(server.data()).output().unwrap()
}

#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The code of the link that an invitation prints as its last line.
#[track_caller]
fn code(output: &Output) -> String {
    let printed = done(output);
    let (_, code) = printed.lines().last().unwrap().split_once("/console/welcome#").unwrap();
    code.to_owned()
}

#[test]
fn a_person_is_invited_signs_in_and_once_signed_out_the_cookie_is_worth_nothing() {
    let server = Server::start("[reservations]\nmin_notice_minutes = 0\n");
    let browser = Browser { server: &server, jar: server.folder.path().join("jar") };
    let invited = person(
        &server,
        &["invite", "--account", LOGIN, "--role", "organiser", "Eve Example", "eve@example.com"],
    );
    let accept = json!({"code": code(&invited), "password": PASSWORD});
    let (status, me) = browser.page("POST", "/v1/invitations/accept", &accept);
    assert_eq!((status, &me["account"]["login"]), (200, &json!(LOGIN)), "{me}");
    assert_eq!(browser.page("POST", "/v1/invitations/accept", &accept).0, 404, "it counts once");

    let (status, me) =
        browser.page("POST", "/v1/session", &json!({"login": "EVE@example.com", "password": PASSWORD}));
    assert_eq!((status, &me["person"]["name"]), (200, &json!("Eve Example")), "{me}");
    assert_eq!(browser.ask(&[], "/v1/conferences"), (200, json!({"items": [], "next": null})));
    let (status, booked) = browser.page(
        "POST",
        "/v1/reservations",
        &json!({"conference": "Board", "max_participants": 40, "duration_min": 30, "starts_at": soon()}),
    );
    assert_eq!(status, 201, "{booked}");
    assert_eq!(browser.ask(&[], "/v1/conferences").1["items"].as_array().unwrap().len(), 1);
    // A page of another site, and one that does not say what it is.
    let path = "/v1/conferences/Board";
    for (headers, code) in [
        (&["-H", "Origin: https://evil.example"][..], "1302"),
        (&["-H", "Sec-Fetch-Site: cross-site"], "1302"),
        (&[], "1127"),
    ] {
        let (status, refused) = browser.ask(&[headers, &["-X", "DELETE"]].concat(), path);
        assert_eq!((status, &refused["code"]), (403, &json!(code)), "{headers:?}: {refused}");
    }
    assert_eq!(browser.ask(&[], "/conference_list").0, 401, "the platform's services take keys alone");

    // What is followed live ends with the session.
    let stolen = std::fs::read_to_string(&browser.jar).unwrap();
    let mut following = browser
        .command(&["-N", "-H", "Accept: text/event-stream"], "/v1/events")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("id: "));
    assert_eq!(browser.ask(&[&OWN[..], &["-X", "DELETE"]].concat(), "/v1/session").0, 204);
    assert_eq!(browser.ask(&[], "/v1/session").0, 401);
    std::fs::write(&browser.jar, stolen).unwrap();
    for path in ["/v1/session", "/v1/conferences", "/v1/people"] {
        assert_eq!(browser.ask(&[], path).0, 401, "{path}");
    }
    assert!(lines.all(|line| line.is_ok()), "it is ended in order");
    assert!(following.wait().unwrap().success(), "before curl gives up");
    let database = std::fs::read(server.data().join("plenary.db")).unwrap();
    assert!(!database.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes()));
}

fn soon() -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_mins(5)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[test]
fn operators_are_made_listed_disabled_and_removed_on_the_command_line() {
    let server = Server::start("");
    let browser = Browser { server: &server, jar: server.folder.path().join("jar") };
    let refused = |arguments: &[&str], says: &str| {
        let output = person(&server, arguments);
        assert!(!output.status.success() && text(&output).contains(says), "{arguments:?}: {}", text(&output));
    };
    refused(&["invite", "Eve", "eve@example.com"], "--account");
    refused(&["invite", "--operator", "--role", "admin", "Eve", "eve@example.com"], "--account");
    refused(&["invite", "--operator", "Eve", "nowhere"], "mail: must be a mail address");
    refused(&["invite", "--account", "9-9-9/nobody", "Eve", "eve@example.com"], "there is no account");
    refused(
        &["invite", "--account", LOGIN, "--role", "adm1n", "Eve", "eve@example.com"],
        "did you mean `admin`",
    );
    refused(&["disable", "eve@example.com"], "there is nobody");

    let first = code(&person(&server, &["invite", "--operator", "Eve", "eve@example.com"]));
    let second =
        code(&person(&server, &["invite", "--account", LOGIN, "--role", "admin", "Eve", "EVE@example.com"]));
    let accept = |code: &str| {
        browser.page("POST", "/v1/invitations/accept", &json!({"code": code, "password": PASSWORD})).0
    };
    assert_eq!((accept(&first), accept(&second)), (404, 200), "the later link counts");
    let list = done(&person(&server, &["list"]));
    assert!(list.contains("active") && list.contains(&format!("operator, admin of {LOGIN}")), "{list}");
    assert_eq!(browser.ask(&[], "/v1/operator/health").0, 200);
    done(&person(&server, &["disable", "eve@example.com"]));
    assert_eq!(browser.ask(&[], "/v1/operator/health").0, 401, "at once, in the running service");
    refused(&["disable", "eve@example.com"], "disabled already");
    let sign_in =
        || browser.page("POST", "/v1/session", &json!({"login": "eve@example.com", "password": PASSWORD})).0;
    assert_eq!(sign_in(), 401);
    done(&person(&server, &["enable", "eve@example.com"]));
    assert_eq!(sign_in(), 200);
    done(&person(&server, &["remove", "eve@example.com"]));
    assert_eq!(browser.ask(&[], "/v1/session").0, 401);
    let key = done(
        &plenary()
            .args(["account", "key", "new", LOGIN, "--scope", "operator", "--data"])
            .arg(server.data())
            .output()
            .unwrap(),
    );
    let credentials = format!("{LOGIN}:{}", key.lines().last().unwrap());
    let audit = wait_for("the audit log", || {
        let (status, audit) = server.curl_as(&credentials, &[], "/v1/operator/audit?path=person");
        (status == 200).then_some(audit)
    });
    let paths: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "person remove eve@example.com",
            "person enable eve@example.com",
            "person disable eve@example.com",
            "person invite eve@example.com",
            "person invite eve@example.com"
        ]
    );
    assert!(!audit.to_string().contains(&first) && !audit.to_string().contains(&second));
}

/// The address under which the provider knows the service, whichever port it has.
const PUBLIC: &str = "127.0.0.1:9";

#[test]
fn people_sign_in_at_a_provider_and_the_machine_lets_a_person_in_without_it() {
    let provider = Provider::start(jiff::Timestamp::now().as_second());
    provider.set(|setup| {
        setup.keys = vec![Key::new("r", Algorithm::Rs256)];
        setup.client_secret = Some("s3cret".into());
        setup.person["groups"] = json!(["staff"]);
    });
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "s3cret\n").unwrap();
    let mut server = Server::start(&format!(
        "[web]\npublic_url = \"http://{PUBLIC}\"\n[web.oidc]\nname = \"Example\"\nissuer = \"{}\"\nclient_id = \
         \"plenary\"\nclient_secret_file = \"{}\"\npasswords = false\nrules = [{{ group = \"staff\", account = \
         \"{LOGIN}\", role = \"organiser\" }}, {{ group = \"x\", account = \"7-7-7/x\", role = \"admin\" }}]\n",
        provider.issuer(),
        secret.path().display()
    ));
    assert!(server.log().contains("there is no such account yet"), "{}", server.log());
    let doctor = |says: &str| {
        let file = server.folder.path().join("plenary.toml");
        let mut command = plenary();
        let output =
            command.args(["doctor", "--no-call", "--config"]).arg(file).arg("--data").arg(server.data());
        let looked = text(&output.output().unwrap());
        assert!(looked.contains("sign-in provider") && looked.contains(says), "{looked}");
    };
    doctor(&format!("it has to know http://{PUBLIC}/v1/session/oidc/callback"));
    let jar = server.folder.path().join("jar");
    // From page to page as a browser goes, over the provider and back.
    let go = |server: &Server, jar: &PathBuf| {
        let output = Command::new("curl")
            .args([
                "-sS",
                "-L",
                "--max-time",
                "60",
                "-o",
                "/dev/null",
                "-w",
                "%{url_effective}",
                "--connect-to",
            ])
            .arg(format!("{PUBLIC}:{}", server.http))
            .arg("-b")
            .arg(jar)
            .arg("-c")
            .arg(jar)
            .arg(format!("http://{PUBLIC}/v1/session/oidc?next=%2Fconsole%2Fbookings"))
            .output()
            .unwrap();
        done(&output)
    };
    assert_eq!(go(&server, &jar), format!("http://{PUBLIC}/console/bookings"));
    let browser = Browser { server: &server, jar: jar.clone() };
    let (status, me) = browser.ask(&[], "/v1/session");
    assert_eq!(
        (status, &me["person"]["name"], &me["account"]["role"]),
        (200, &json!("Eve"), &json!("organiser"))
    );
    let list = done(&person(&server, &["list"]));
    assert!(list.contains("active") && list.contains(&format!("organiser of {LOGIN}")), "{list}");
    done(&person(&server, &["unlink", "eve@example.com"]));
    assert_eq!(browser.ask(&[], "/v1/session").0, 401, "at once, in the running service");
    let again = person(&server, &["unlink", "eve@example.com"]);
    assert!(text(&again).contains("has not signed in at a provider"), "{}", text(&again));

    // The provider is gone, and the service starts without it.
    drop(provider);
    doctor("Connection refused");
    server.kill_and_restart();
    assert_eq!(
        go(&server, &jar),
        format!("http://{PUBLIC}/console/sign-in?error=unavailable&next=%2Fconsole%2Fbookings")
    );
    assert!(server.log().contains("a person could not sign in at the provider"), "{}", server.log());
    let browser = Browser { server: &server, jar };
    let login = json!({"login": "eve@example.com", "password": PASSWORD});
    let (status, refused) = browser.page("POST", "/v1/session", &login);
    assert_eq!((status, &refused["code"]), (403, &json!("1144")), "{refused}");
    let code = code(&person(&server, &["invite", "--operator", "Eve", "eve@example.com"]));
    let accept = json!({"code": code, "password": PASSWORD});
    assert_eq!(browser.page("POST", "/v1/invitations/accept", &accept).0, 200);
    let (_, me) = browser.ask(&[], "/v1/session");
    assert_eq!(me["person"]["operator"], true);
    assert_eq!(browser.page("POST", "/v1/session", &login).0, 403, "the link counted, the password does not");
}

#[test]
fn codes_of_links_and_invitations_and_calendars_are_not_guessed() {
    let codes = json!({"code": "x".repeat(52)});
    for (path, body) in [
        ("/v1/leader-links/open", Some(codes.clone())),
        ("/v1/guest-links/open", Some(codes.clone())),
        ("/v1/invitations/open", Some(codes.clone())),
        ("/v1/invitations/accept", Some(json!({"code": "x".repeat(52), "password": PASSWORD}))),
        ("/calendar/xxxx.ics", None),
    ] {
        let server = Server::start("[web]\nfailures_per_minute = 5\n");
        let browser = Browser { server: &server, jar: server.folder.path().join("jar") };
        let guess = || match &body {
            Some(body) => browser.page("POST", path, body).0,
            None => browser.ask(&[], path).0,
        };
        for _ in 0..5 {
            assert_eq!(guess(), 404, "{path}");
        }
        assert_eq!(guess(), 429, "{path}");
        // Others at the address have right ones.
        let (_, made) = server.curl(&["-d", r#"{"conference": "Board"}"#], "/v1/leader-links");
        if let Some(code) = made["path"].as_str().and_then(|path| path.strip_prefix("/console/leader#")) {
            assert_eq!(browser.page("POST", "/v1/leader-links/open", &json!({"code": code})).0, 200);
        }
    }
}

#[test]
fn a_leader_without_an_account_opens_a_link_and_leads_until_it_is_revoked() {
    let server = Server::start("");
    let browser = Browser { server: &server, jar: server.folder.path().join("jar") };
    let body = json!({"conference": "Board", "label": "Ann"}).to_string();
    let (status, made) = server.curl(&["-d", &body], "/v1/leader-links");
    assert_eq!(status, 201, "{made}");
    let code = made["path"].as_str().unwrap().strip_prefix("/console/leader#").unwrap().to_owned();
    let (status, me) = browser.page("POST", "/v1/leader-links/open", &json!({"code": code}));
    assert_eq!((status, &me["leader"]["conference"]), (200, &json!("Board")), "{me}");
    let (status, called) =
        browser.page("POST", "/v1/conferences/Board/participants", &json!({"to": "tel:+441908273800"}));
    assert_eq!(
        (status, &called["code"]),
        (403, &json!("1301")),
        "no trunk serves it, but it may call: {called}"
    );
    assert_eq!(browser.ask(&[], "/v1/conferences/Other").1["code"], "1304");
    let mut following = browser
        .command(&["-N", "-H", "Accept: text/event-stream"], "/v1/events")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("id: "));
    let (status, _) = server.curl(&["-X", "DELETE"], &format!("/v1/leader-links/{}", made["id"]));
    assert_eq!(status, 204);
    assert_eq!(browser.ask(&[], "/v1/session").0, 401);
    assert!(lines.all(|line| line.is_ok()), "what is followed live ends in order");
    assert!(following.wait().unwrap().success(), "before curl gives up");
    let database = std::fs::read(server.data().join("plenary.db")).unwrap();
    assert!(!database.windows(code.len()).any(|window| window == code.as_bytes()), "only a hash is stored");
}
