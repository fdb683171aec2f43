use super::*;

fn load(text: &str, environment: &[(&str, &str)]) -> anyhow::Result<Config> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plenary.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(Some(&file), environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
}

#[test]
fn the_sample_file_says_the_defaults() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/plenary.toml");
    let from_file = Config::load(Some(Path::new(sample)), []).unwrap();
    assert_eq!(from_file, Config::default());
}

#[test]
fn the_sample_file_names_every_key() {
    let sample = include_str!("../../../../config/plenary.toml");
    for key in known_keys() {
        assert!(
            sample.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{} =", key.name))),
            "config/plenary.toml does not show `{}`",
            key.name
        );
    }
}

#[test]
fn the_environment_overrides_the_file() {
    let config = load(
        "http = \"127.0.0.1:1\"\n[reservations]\ncapacity = 7\n",
        &[
            ("PLENARY_HTTP", "127.0.0.1:2"),
            ("PLENARY_RTP_PORTS", "4000-4999"),
            ("PLENARY_ADVERTISE", "192.0.2.7"),
            ("PLENARY_SIGNALLING_ALLOW_FROM", "10.0.0.0/8, 127.0.0.0/8"),
            ("PLENARY_RESERVATIONS_MIN_NOTICE_MINUTES", "0"),
            ("PLENARY_SOMETHING_ELSE", "ignored"),
        ],
    )
    .unwrap();
    assert_eq!(config.http.port(), 2);
    assert_eq!(config.rtp_ports, PortRange { first: 4000, last: 4999 });
    assert_eq!(config.advertise, Some("192.0.2.7".parse().unwrap()));
    assert_eq!(config.signalling.allow_from.len(), 2);
    assert_eq!((config.reservations.capacity, config.reservations.min_notice_minutes), (7, 0));
}

#[test]
fn the_database_is_the_file_of_the_data_folder_unless_a_url_names_another() {
    let shown =
        |text: &str, environment: &[(&str, &str)]| load(text, environment).unwrap().database().to_string();
    let file = "data = \"/var/lib/plenary\"\n";
    assert_eq!(shown(file, &[]), "sqlite:///var/lib/plenary/plenary.db");
    let with_url = "data = \"/var/lib/plenary\"\ndatabase = \"postgres://plenary:secret@db/plenary\"\n";
    assert_eq!(shown(with_url, &[]), "postgres://plenary@db/plenary");
    let variable = [("PLENARY_DATABASE", "postgresql://other@db2/plenary")];
    assert_eq!(shown(with_url, &variable), "postgresql://other@db2/plenary");
}

#[test]
fn a_mistake_names_the_file_the_line_and_the_key() {
    let error = load("[reservations]\nmin_notice = 3\n", &[]).unwrap_err().to_string();
    assert!(
        error.contains("plenary.toml") && error.contains("line 2") && error.contains("min_notice"),
        "{error}"
    );
    let error = load("http = \"nowhere\"\n", &[]).unwrap_err().to_string();
    assert!(error.contains("line 1") && error.contains("socket address"), "{error}");
    // There may be a password in it.
    let error = load("database = \"mysql://plenary:secret@db/plenary\"\n", &[]).unwrap_err().to_string();
    assert!(error.contains("line 1") && error.contains("postgres://USER"), "{error}");
    assert!(!error.contains("secret"), "{error}");
    let error = load("", &[("PLENARY_DATABASE", "plenary:secret")]).unwrap_err().to_string();
    assert!(error.contains("postgres://USER") && !error.contains("secret"), "{error}");
    let error = load("", &[("PLENARY_RESERVATIONS_CAPACITY", "many")]).unwrap_err();
    assert!(format!("{error:#}").contains("PLENARY_RESERVATIONS_CAPACITY"), "{error:#}");
    assert!(format!("{error:#}").contains("`many` is not a whole number"), "{error:#}");
}

#[test]
fn pages_that_may_connect_are_named_by_their_origins() {
    let config =
        load("[web]\nallowed_origins = [\"https://shop.example\", \"http://[::1]:3000\", \"*\"]\n", &[]);
    assert_eq!(config.unwrap().web.allowed_origins.len(), 3);
    for odd in ["shop.example", "https://shop.example/", "null", "https://*.shop.example/call"] {
        let error = load(&format!("[web]\nallowed_origins = [\"{odd}\"]\n"), &[]).unwrap_err().to_string();
        assert!(error.contains("[web] allowed_origins") && error.contains(odd), "{error}");
    }
}

#[test]
fn limits_that_contradict_each_other_are_refused() {
    let error = load("[reservations]\nmin_participants = 400\n", &[]).unwrap_err().to_string();
    assert!(error.contains("min_participants is 400"), "{error}");
    for days in ["0", "3661"] {
        let error = load(&format!("[reservations]\nmax_days_ahead = {days}\n"), &[]).unwrap_err();
        assert!(error.to_string().contains(&format!("max_days_ahead is {days}: 1 to 3660")), "{error}");
    }
    for (section, key) in [("history", "days"), ("history", "numbers_days"), ("audit", "days")] {
        let error = load(&format!("[{section}]\n{key} = 3661\n"), &[]).unwrap_err().to_string();
        assert!(error.contains(&format!("[{section}] {key} is 3661: 0 to 3660")), "{error}");
    }
    let error = load("[history]\nnumbers = \"hide\"\n", &[]).unwrap_err().to_string();
    assert!(error.contains("keep") && error.contains("mask") && error.contains("drop"), "{error}");
}

#[test]
fn levels_of_the_log_are_checked_and_the_variable_overrides_the_file() {
    let config =
        load("log = \"warn\"\nlog_format = \"json\"\n", &[("PLENARY_LOG", "info,plenary_sip=debug")]);
    let config = config.unwrap();
    assert_eq!((config.log.as_str(), config.log_format), ("info,plenary_sip=debug", LogFormat::Json));
    let error = load("log = \"loud\"\n", &[]).unwrap_err().to_string();
    assert!(error.contains("log is `loud`") && error.contains("off, error, warn"), "{error}");
    let error = load("log_format = \"xml\"\n", &[]).unwrap_err().to_string();
    assert!(error.contains("line 1") && error.contains("json"), "{error}");
}

#[test]
fn the_link_of_an_invitation_leads_to_where_the_service_is_reached() {
    for (text, link) in [
        ("", "http://127.0.0.1:8080/console/welcome#abc"),
        ("http = \"0.0.0.0:80\"\n", "http://localhost:80/console/welcome#abc"),
        ("https = \"192.0.2.1:443\"\n", "https://192.0.2.1:443/console/welcome#abc"),
        ("[web]\npublic_url = \"https://example.com/\"\n", "https://example.com/console/welcome#abc"),
    ] {
        let table: toml::Table = text.parse().unwrap();
        let config: Config = toml::Value::Table(table).try_into().unwrap();
        assert_eq!(config.welcome_link("abc"), link, "{text}");
    }
}

const OIDC: &str = "[web]\npublic_url = \"https://conference.example.com/\"\n[web.oidc]\nissuer = \
                    \"https://id.example.com/realms/staff\"\nclient_id = \"plenary\"\n";

#[test]
fn a_provider_is_configured_with_what_its_groups_give() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "s3cret\n").unwrap();
    let text = format!(
        "{OIDC}client_secret_file = \"{}\"\nrules = [{{ group = \"ops\", operator = true }}, {{ group = \"staff\", account \
         = \"1-2-0/bob@example.com\", role = \"organiser\" }}]\n",
        secret.path().display()
    );
    let config = load(&text, &[("PLENARY_WEB_OIDC_SCOPES", "email, groups")]).unwrap();
    let settings = config.web.oidc.settings(&config.web.public_url).unwrap().unwrap();
    assert_eq!(settings.redirect_uri, "https://conference.example.com/v1/session/oidc/callback");
    assert_eq!(
        (settings.client_secret.as_deref(), settings.name.as_str()),
        (Some("s3cret"), "Single sign-on")
    );
    assert_eq!(settings.scopes, ["email", "groups"]);
    assert!(settings.allows_passwords && !settings.trusts_mail);
    assert_eq!(settings.rules[0].gives, plenary_api::OidcGrant::Operator);
    let role = plenary_model::Role::Organiser;
    let account = "1-2-0/bob@example.com".to_owned();
    assert_eq!(settings.rules[1].gives, plenary_api::OidcGrant::Role { account, role });
    assert_eq!(load("", &[]).unwrap().web.oidc.settings("").unwrap().map(|_| ()), None);

    std::fs::write(secret.path(), " \n").unwrap();
    let error = config.web.oidc.settings("https://a").unwrap_err().to_string();
    assert!(error.contains("client_secret_file") && error.contains("has to hold the secret"), "{error}");
    drop(secret);
    let error = config.web.oidc.settings("https://a").unwrap_err().to_string();
    assert!(error.contains("client_secret_file") && error.contains("cannot be read"), "{error}");
    // On this machine it may be without TLS.
    for issuer in ["http://localhost:8090", "http://127.0.0.1/realms/x", "http://[::1]:80"] {
        load(&OIDC.replace("https://id.example.com/realms/staff", issuer), &[]).unwrap();
    }
}

#[test]
fn what_is_wrong_with_a_provider_is_named_with_what_is_allowed() {
    let rule = |rule: &str| format!("{OIDC}rules = [{{ group = \"staff\", {rule} }}]\n");
    let issuer = |issuer: &str| OIDC.replace("https://id.example.com/realms/staff", issuer);
    for (text, parts) in [
        (issuer("http://id.example.com"), ["issuer is `http://id.example.com`", "https is needed"]),
        (issuer("http://localhost.evil.example"), ["issuer", "https is needed"]),
        (issuer("id.example.com"), ["issuer is `id.example.com`", "https://"]),
        (issuer("https://"), ["issuer", "URL"]),
        (issuer("https://a@id.example.com"), ["issuer", "URL"]),
        (issuer("https://id.example.com/?x"), ["issuer", "neither `?` nor `#`"]),
        (OIDC.replace("\"plenary\"", "\"\""), ["client_id is empty", "name the client"]),
        (
            OIDC.replace("https://conference.example.com/", ""),
            ["needs [web] public_url", "/v1/session/oidc/callback"],
        ),
        (
            OIDC.replace("https://conference.example.com/", "http://conference.example.com"),
            ["needs [web] public_url, which is `http://conference.example.com`", "https is needed"],
        ),
        (format!("{OIDC}name = \"\"\n"), ["name is ``", "1 to 60 characters"]),
        (format!("{OIDC}scopes = [\"email groups\"]\n"), ["`email groups` is no scope", "one word each"]),
        (format!("{OIDC}groups_claim = \"\"\n"), ["groups_claim is empty", "groups"]),
        (rule("role = \"admin\""), ["rules, number 1", "either `account` and `role`"]),
        (
            rule("account = \"1-2-0/b\", role = \"admin\", operator = true"),
            ["rules, number 1", "or `operator = true`"],
        ),
        (rule("operator = false"), ["rules, number 1", "either"]),
        (rule("account = \"bob\", role = \"admin\""), ["account is `bob`", "plenary account list"]),
        (
            rule("account = \"1-2-0/b\", role = \"leader\""),
            ["`leader` is no role", "organiser, auditor and admin"],
        ),
        (
            rule("operator = true").replace("\"staff\"", "\"\""),
            ["group is empty", "as the provider writes it"],
        ),
        (
            "[web.oidc]\npasswords = false\n".to_owned(),
            ["passwords = false without `issuer`", "name a provider"],
        ),
        ("[web.oidc]\nclient_id = \"x\"\n".to_owned(), ["without `issuer`", "name the provider"]),
        ("[web.oidc]\nclient_secret = \"x\"\n".to_owned(), ["line 2", "client_secret_file"]),
    ] {
        let error = load(&text, &[]).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
        assert!(error.contains("[web.oidc]") || error.contains("line"), "{error}");
    }
    let many: String = (0..101)
        .map(|number| format!("{{ group = \"g\", account = \"1-2-{number}/b\", role = \"admin\" }}, "))
        .collect();
    let error = load(&format!("{OIDC}rules = [{many}]\n"), &[]).unwrap_err().to_string();
    assert!(error.contains("rules name 101 accounts") && error.contains("at most 100"), "{error}");
    let error = load(OIDC, &[("PLENARY_WEB_OIDC_PASSWORDS", "no")]).unwrap_err();
    assert!(format!("{error:#}").contains("neither `true` nor `false`"), "{error:#}");
}
