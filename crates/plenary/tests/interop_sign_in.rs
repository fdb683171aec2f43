//! Signing in at an OpenID Connect provider of others: Glewlwyd, as Debian ships it. `make interop` installs it.
#![allow(missing_docs)]

mod support;

use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};
use support::{LOGIN, Server, free_port, text, wait_for};

const SCHEMA: &str = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3";
/// The address under which the provider knows the service, whichever port it has.
const PUBLIC: &str = "127.0.0.1:9";
const CLIENT_SECRET: &str = "s3cret";
const PASSWORD: &str = "correct horse";

struct Glewlwyd {
    child: Child,
    base: String,
    folder: tempfile::TempDir,
}

impl Drop for Glewlwyd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where curl keeps cookies.
fn curl(jar: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "30", "-b"]).arg(jar).arg("-c").arg(jar).args(arguments);
    let output = command.output().expect("curl is installed (make interop does that)");
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

impl Glewlwyd {
    /// A provider that signs by ES256, with a client of ours.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        // Further properties of people can be named only while nobody runs it.
        let property =
            r#"{"multiple":KIND,"read":true,"write":true,"profile-read":true,"profile-write":false}"#;
        let further = format!(
            r#""data-format":{{"groups":{},"email_verified":{},"picture""#,
            property.replace("KIND", "true"),
            property.replace("KIND", "false")
        );
        let schema = fs::read_to_string(SCHEMA).expect("glewlwyd is installed (make interop does that)");
        fs::write(path("schema.sql"), schema.replacen(r#""data-format":{"picture""#, &further, 1)).unwrap();
        let fill =
            "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(open(sys.argv[2]).read())";
        let filled =
            Command::new("python3").args(["-c", fill]).arg(path("db")).arg(path("schema.sql")).output();
        assert!(filled.as_ref().unwrap().status.success(), "{}", text(&filled.unwrap()));
        let port = free_port();
        let base = format!("http://127.0.0.1:{port}");
        let config = format!(
            r#"port={port}
bind_address="127.0.0.1"
external_url="{base}"
login_url="login.html"
api_prefix="api"
static_files_path="/usr/share/glewlwyd/webapp"
static_files_mime_types=(
  {{ extension = ".html"; mime_type = "text/html"; compress = 0; }},
  {{ extension = "*"; mime_type = "application/octet-stream"; compress = 0; }}
);
log_mode="console"
log_level="INFO"
cookie_secure=0
session_expiration=2419200
session_key="GLEWLWYD2_SESSION_ID"
admin_session_authentication="cookie"
profile_session_authentication="cookie"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="/usr/lib/glewlwyd/user"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
use_secure_connection=false
secure_connection_key_file="none"
secure_connection_pem_file="none"
secure_connection_ca_file="none"
hash_algorithm="SHA512"
database = {{ type = "sqlite3"; path = "{}"; }};
"#,
            path("db").display()
        );
        fs::write(path("conf"), config).unwrap();
        let log = fs::File::create(path("log")).unwrap();
        let child = Command::new("glewlwyd")
            .arg(format!("--config-file={}", path("conf").display()))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("glewlwyd is installed (make interop does that)");
        let log = path("log");
        let glewlwyd = Self { child, base, folder };
        let has_started = || fs::read_to_string(&log).is_ok_and(|text| text.contains("Glewlwyd started"));
        wait_for("Glewlwyd", || has_started().then_some(()));
        glewlwyd
    }

    fn issuer(&self) -> String {
        format!("{}/api/oidc", self.base)
    }

    fn send(&self, jar: &Path, method: &str, what: &str, body: &Value) {
        let (url, body) = (format!("{}/api/{what}", self.base), body.to_string());
        let arguments = ["-f", "-X", method, "-H", "Content-Type: application/json", "-d", &body, &url];
        curl(jar, &arguments);
    }

    /// As its administrator: a plugin that speaks OpenID Connect, a client, and a person.
    fn set_up(&self) {
        let jar = self.folder.path().join("administrator");
        self.send(&jar, "POST", "auth/", &json!({"username": "admin", "password": "password"}));
        let key = rcgen::KeyPair::generate().unwrap();
        let claim = |name: &str, kind: &str| {
            json!({"name": name, "user-property": name, "type": kind, "mandatory": true, "on-demand": true,
                "boolean-value-true": "yes", "boolean-value-false": "no"})
        };
        let parameters = json!({
            "iss": self.issuer(), "jwt-type": "ecdsa", "jwt-key-size": "256", "key": key.serialize_pem(),
            "cert": key.public_key_pem(), "jwks-show": true, "access-token-duration": 3600,
            "refresh-token-duration": 1_209_600, "code-duration": 600, "refresh-token-rolling": true,
            "allow-non-oidc": false, "auth-type-code-enabled": true, "auth-type-token-enabled": false,
            "auth-type-id-token-enabled": true, "auth-type-none-enabled": false,
            "auth-type-password-enabled": false, "auth-type-client-enabled": false,
            "auth-type-device-enabled": false, "auth-type-refresh-enabled": true, "pkce-allowed": true,
            "pkce-method-plain-allowed": false, "pkce-required": true, "scope": [], "additional-parameters": [],
            "claims": [claim("groups", "string"), claim("email_verified", "boolean")],
            "name-claim": "mandatory", "email-claim": "mandatory", "scope-claim": "no",
            "subject-type": "public", "address-claim": {"type": "no"}, "encrypt-out-token-allow": false,
        });
        let plugin = json!({"module": "oidc", "name": "oidc", "display_name": "OpenID Connect", "order_rank": 0,
            "parameters": parameters});
        self.send(&jar, "POST", "mod/plugin/", &plugin);
        let client = json!({"client_id": "plenary", "name": "Plenary", "confidential": true, "enabled": true,
            "password": CLIENT_SECRET, "client_secret": CLIENT_SECRET, "scope": ["openid"],
            "redirect_uri": [format!("http://{PUBLIC}/v1/session/oidc/callback")],
            "authorization_type": ["code"], "token_endpoint_auth_method": ["client_secret_basic"]});
        self.send(&jar, "POST", "client/", &client);
        let person = json!({"username": "eve", "password": PASSWORD, "name": "Eve Example", "enabled": true,
            "email": "eve@example.com", "scope": ["openid", "g_profile"], "groups": ["others", "staff"],
            "email_verified": "yes"});
        self.send(&jar, "POST", "user/", &person);
    }
}

/// Goes to the provider and comes back, as a browser that is signed in there; the page where that ends.
fn sign_in(server: &Server, jar: &Path) -> String {
    let to_us = format!("{PUBLIC}:{}", server.http);
    let start = format!("http://{PUBLIC}/v1/session/oidc?next=%2Fconsole%2Fbookings");
    let provider = curl(jar, &["-o", "/dev/null", "-w", "%{redirect_url}", "--connect-to", &to_us, &start]);
    // What the page of the provider adds once a person has signed in there.
    let agreed = format!("{provider}&g_continue");
    curl(jar, &["-L", "-o", "/dev/null", "-w", "%{url_effective}", "--connect-to", &to_us, &agreed])
}

/// A service whose people sign in there; the group `staff` gives a role.
fn served(glewlwyd: &Glewlwyd) -> Server {
    let secret = glewlwyd.folder.path().join("secret");
    fs::write(&secret, CLIENT_SECRET).unwrap();
    Server::start(&format!(
        "[web]\npublic_url = \"http://{PUBLIC}\"\n[web.oidc]\nissuer = \"{}\"\nclient_id = \"plenary\"\n\
         client_secret_file = \"{}\"\nrules = [{{ group = \"staff\", account = \"{LOGIN}\", role = \"auditor\" }}]\n",
        glewlwyd.issuer(),
        secret.display()
    ))
}

/// What the service says of the session: who that is, and as what.
fn assert_is_eve(session: &Value) {
    let person = (&session["person"]["name"], &session["person"]["mail"]);
    assert_eq!(person, (&json!("Eve Example"), &json!("eve@example.com")));
    let account = json!({"id": session["account"]["id"], "login": LOGIN, "role": "auditor"});
    assert_eq!(session["account"], account);
}

#[test]
fn a_person_of_glewlwyds_is_signed_in_with_the_role_of_the_group() {
    let glewlwyd = Glewlwyd::start();
    glewlwyd.set_up();
    let server = served(&glewlwyd);
    let jar = server.folder.path().join("jar");
    let person = json!({"username": "eve", "password": PASSWORD});
    glewlwyd.send(&jar, "POST", "auth/", &person);
    glewlwyd.send(&jar, "PUT", "auth/grant/plenary", &json!({"scope": "openid"}));
    assert_eq!(sign_in(&server, &jar), format!("http://{PUBLIC}/console/bookings"), "{}", server.log());
    let session = || -> Value {
        serde_json::from_str(&curl(&jar, &[&format!("http://{}/v1/session", server.http)])).unwrap()
    };
    let me = session();
    assert_is_eve(&me);
    // A second time it is the same person.
    assert_eq!(sign_in(&server, &jar), format!("http://{PUBLIC}/console/bookings"));
    assert_eq!(session()["person"], me["person"]);
}

#[test]
fn in_a_browser_a_person_goes_from_the_console_to_glewlwyd_and_comes_back_to_the_page_that_was_asked_for() {
    let glewlwyd = Glewlwyd::start();
    glewlwyd.set_up();
    let server = served(&glewlwyd);
    let gone = Command::new("./scripts/web")
        .args(["provider", PUBLIC, &server.http, "eve", PASSWORD])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .unwrap();
    assert!(gone.status.success(), "{}\n{}", text(&gone), server.log());
    let said = String::from_utf8(gone.stdout).unwrap();
    let end: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap_or_else(|_| panic!("{said}"));
    let page = (&end["url"], &end["heading"]);
    assert_eq!(page, (&json!(format!("http://{PUBLIC}/console/bookings")), &json!("Bookings")));
    assert_is_eve(&end["session"]);
}
