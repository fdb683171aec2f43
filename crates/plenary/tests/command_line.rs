//! Mistakes on the command line and in the configuration: one clear line that says what to do, exit code not 0.
#![allow(missing_docs)]

use std::{fs, net::TcpListener, process::Command};

fn plenary(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_plenary")).args(arguments).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

/// Fails with one line on standard error that holds all of these.
#[track_caller]
fn assert_refused(arguments: &[&str], holds: &[&str]) {
    let (success, error) = plenary(arguments);
    let lines: Vec<&str> = error.lines().filter(|line| line.starts_with("plenary: ")).collect();
    assert!(!success && lines.len() == 1, "{arguments:?}: {error}");
    for text in holds {
        assert!(lines[0].contains(text), "{arguments:?}: `{}` lacks `{text}`", lines[0]);
    }
    assert!(!error.lines().any(|line| line.contains("panicked")), "{error}");
}

#[test]
fn a_configuration_that_is_wrong_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plenary.toml");
    let path = file.to_str().unwrap();
    for (text, holds) in [
        ("\n[reservations]\nmin_notice = 3\n", ["line 3", "min_notice"]),
        ("sipp = \"127.0.0.1:5060\"\n", ["line 1", "sipp"]),
        ("http = \"nowhere\"\n", ["line 1", "socket address"]),
        ("rtp_ports = \"9\"\n", ["line 1", "10000-32767"]),
        ("http = [\n", ["line", "plenary.toml"]),
        ("[reservations]\nmin_participants = 400\n", ["min_participants is 400", "max_participants is 350"]),
    ] {
        fs::write(&file, text).unwrap();
        assert_refused(&["serve", "--config", path], &holds);
    }
    assert_refused(
        &["serve", "--config", "/nowhere/plenary.toml"],
        &["/nowhere/plenary.toml", "cannot be read"],
    );
}

#[test]
fn a_port_in_use_is_named_with_the_flag_that_helps() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_refused(
        &["serve", "--data", data, "--http", &address, "--sip", "127.0.0.1:0"],
        &[&address, "in use", "--http"],
    );
    assert_refused(
        &["serve", "--data", data, "--sip", &address, "--http", "127.0.0.1:0"],
        &[&address, "in use", "--sip"],
    );
    assert_refused(
        &["serve", "--data", data, "--http", "192.0.2.1:8080", "--sip", "127.0.0.1:0"],
        &["192.0.2.1:8080", "no such address"],
    );
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    assert_refused(&["serve", "--data", "/proc/plenary"], &["/proc/plenary"]);
    assert_refused(&["account", "list", "--data", "/proc/plenary"], &["/proc/plenary"]);
}

#[test]
fn accounts_are_asked_for_properly() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    assert_refused(&["account", "create", "bob", "--data", data], &["`bob`", "1-2-0/bob@example.com"]);
    assert!(plenary(&["account", "create", "1-2-0/bob@example.com", "--data", data]).0);
    assert_refused(&["account", "create", "1-2-0/bob@example.com", "--data", data], &["exists already"]);
    assert_refused(
        &["account", "key", "new", "1-2-0/eve@example.com", "--data", data],
        &["no account 1-2-0/eve@example.com"],
    );
    assert_refused(
        &["account", "key", "revoke", "1-2-0/bob@example.com", "77", "--data", data],
        &["no valid key 77"],
    );
    let new = ["account", "key", "new", "1-2-0/bob@example.com", "--data", data];
    let with = |arguments: &[&'static str]| [&new[..], arguments].concat();
    let (success, error) = plenary(&with(&["--scope", "read,contrl"]));
    assert!(!success && error.contains("`contrl` is no scope; did you mean `control`?"), "{error}");
    assert_refused(&with(&["--conference", "Board", "--scope", "book"]), &["scopes", "`read` and `control`"]);
    assert_refused(&with(&["--conference", "the board"]), &["conference", "1 to 47 letters and digits"]);
    assert_refused(&with(&["--label", ""]), &["label", "1 to 100 characters"]);
    let (success, error) = plenary(&with(&["--expires-in-days", "0"]));
    assert!(!success && error.contains("--expires-in-days") && error.contains("1..=36500"), "{error}");
}

#[test]
fn what_a_key_may_do_is_said_when_it_is_made_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let account = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_plenary"))
            .arg("account")
            .args(arguments)
            .arg("--data")
            .arg(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let login = "1-2-0/bob@example.com";
    account(&["create", login]);
    let made = account(&["key", "new", login, "--label", "leader of Board", "--conference", "Board"]);
    assert!(made.contains("Key 2") && made.contains("the scopes read control;"), "{made}");
    account(&[
        "key",
        "new",
        login,
        "--scope",
        "operator",
        "--scope",
        "records,read",
        "--expires-in-days",
        "90",
    ]);
    let list = account(&["key", "list", login]);
    let lines: Vec<String> =
        list.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let [head, first, bound, operator] = &lines[..] else { panic!("{list}") };
    assert_eq!(head, "ID BEGINS MADE (UTC) STATE SCOPES CONFERENCE LABEL");
    assert!(first.ends_with(" valid read control book records config audit all -"), "{first}");
    assert!(bound.ends_with(" valid read control Board leader of Board"), "{bound}");
    assert!(
        operator.contains(" until 2") && operator.ends_with(" read records operator all -"),
        "{operator}"
    );
}

#[test]
fn bans_are_asked_for_where_a_service_runs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    for command in [&["ban", "list"][..], &["ban", "lift", "192.0.2.1"]] {
        let arguments = [command, &["--data", data]].concat();
        assert_refused(&arguments, &["no service runs", data, "--data"]);
        // What a service left behind that was killed.
        drop(std::os::unix::net::UnixListener::bind(folder.path().join("operator.sock")));
        assert_refused(&arguments, &["no service runs", data, "--data"]);
    }
    let (success, error) = plenary(&["ban", "lift", "192.0.2.300", "--data", data]);
    assert!(!success && error.contains("no IP address") && error.contains("plenary ban list"), "{error}");
}

#[test]
fn calls_that_cannot_be_placed_say_why() {
    assert_refused(&["call", "hello"], &["hello", "sip:user@host:port"]);
    assert_refused(&["call", "sip:a@127.0.0.1", "--play", "/nowhere.wav"], &["/nowhere.wav"]);
    assert_refused(&["call", "sip:a@127.0.0.1", "--dtmf", "12x"], &["`x`"]);
}

#[test]
fn every_command_has_help_with_an_example() {
    let commands: [&[&str]; 14] = [
        &[],
        &["serve"],
        &["account"],
        &["account", "create"],
        &["account", "list"],
        &["account", "key"],
        &["account", "key", "new"],
        &["ban"],
        &["ban", "list"],
        &["ban", "lift"],
        &["call"],
        &["demo"],
        &["doctor"],
        &["load"],
    ];
    for command in commands {
        let output =
            Command::new(env!("CARGO_BIN_EXE_plenary")).args(command).arg("--help").output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains("Example:\n  plenary "), "{command:?}: {help}");
        assert!(help.contains("--config") && help.contains("--data"), "{command:?}: {help}");
    }
}

/// With what packages bring along.
#[cfg(feature = "manual")]
#[test]
fn each_command_has_a_man_page_and_shells_complete_commands_and_flags() {
    let folder = tempfile::tempdir().unwrap();
    let (success, error) = plenary(&["manual", folder.path().to_str().unwrap()]);
    assert!(success, "{error}");
    let page = |name: &str| fs::read_to_string(folder.path().join("man").join(format!("{name}.1"))).unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_plenary")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.split_once("Commands:\n").unwrap().1.split("\n\n").next().unwrap();
    // What a command does may go on in a further line.
    let commands: Vec<&str> = commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.contains(&"serve") && commands.len() >= 10, "{commands:?}");
    for command in &commands {
        assert!(page("plenary").contains(&format!("plenary\\-{command}(1)")), "{command}");
        assert!(page(&format!("plenary-{command}")).contains(".SH SYNOPSIS"), "{command}");
    }
    assert!(page("plenary-account-key-new").contains("expires\\-in\\-days"));
    assert!(page("plenary-serve").contains("PLENARY_HTTP"));

    // As bash asks for it: a command, a command of a command, and a flag.
    let script = folder.path().join("completions/plenary.bash");
    for (words, wanted) in [("acc", "account"), ("account key re", "revoke"), ("serve --rtp", "--rtp-ports")]
    {
        let count = words.split(' ').count();
        let last = words.rsplit(' ').next().unwrap();
        let before = words.rsplit(' ').nth(1).unwrap_or("plenary");
        let ask = format!(
            "source {}; COMP_WORDS=(plenary {words}); COMP_CWORD={count}; _plenary plenary {last} {before}; echo \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let output = Command::new("bash").args(["-c", &ask]).output().unwrap();
        let answer = String::from_utf8(output.stdout).unwrap();
        assert!(answer.split_whitespace().any(|word| word == wanted), "{words}: {answer}");
    }
    for (name, holds) in [("_plenary", "#compdef plenary"), ("plenary.fish", "complete -c plenary")] {
        let text = fs::read_to_string(folder.path().join("completions").join(name)).unwrap();
        assert!(text.contains(holds), "{name}");
    }
}
