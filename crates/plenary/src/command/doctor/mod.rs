//! `plenary doctor`: looks whether all that calls need is there, beside a running service or without one. It changes nothing.

mod machine;
mod network;
mod ports;
mod test_call;

use crate::{cli, config::Config, operator, text};
use plenary_store::{Location, Store, inspect_database};
use serde::Serialize;
use std::{
    fmt::Display,
    io::{IsTerminal, Write},
    process::ExitCode,
};

/// What was found out about one thing.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Check {
    name: String,
    status: Status,
    /// What is so.
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    /// Calls work, or some do.
    Warning,
    /// Calls do not work.
    Failed,
    /// There is nothing to look at.
    Skipped,
}

impl Check {
    fn new(name: impl Into<String>, status: Status, detail: impl Display, action: Option<String>) -> Self {
        Self { name: name.into(), status, detail: detail.to_string(), action }
    }

    fn ok(name: impl Into<String>, detail: impl Display) -> Self {
        Self::new(name, Status::Ok, detail, None)
    }

    fn skipped(name: impl Into<String>, detail: impl Display) -> Self {
        Self::new(name, Status::Skipped, detail, None)
    }

    fn warning(name: impl Into<String>, detail: impl Display, action: impl Into<String>) -> Self {
        Self::new(name, Status::Warning, detail, Some(action.into()))
    }

    fn failed(name: impl Into<String>, detail: impl Display, action: impl Into<String>) -> Self {
        Self::new(name, Status::Failed, detail, Some(action.into()))
    }
}

/// The report for programs.
#[derive(Debug, Serialize)]
struct Report {
    /// Nothing has failed.
    ok: bool,
    version: &'static str,
    /// The process of the service that runs on the data folder.
    service_pid: Option<i32>,
    checks: Vec<Check>,
}

pub(super) async fn run(config: Config, flags: cli::Doctor) -> anyhow::Result<ExitCode> {
    let running = operator::status(&config.data).await;
    let mut checks = vec![service(&config, running.as_ref())];
    let pid = running.as_ref().ok().map(|status| status.pid);
    let is_running = pid.is_some();
    checks.extend(ports::ports(&config, is_running).await);
    checks.push(network::rtp_ports(&config, is_running));
    checks.extend(network::addresses(&config).await);
    checks.push(network::certificate(&config));
    checks.extend(network::provider(&config).await);
    checks.push(machine::clock());
    checks.push(machine::open_files(&config, pid));
    checks.push(machine::priority(pid));
    checks.push(machine::io_uring());
    checks.extend(machine::disk(&config));
    let (database, store) = database(&config).await;
    checks.push(database);
    let trunks = match &store {
        Some(store) => store.all_trunks().await.unwrap_or_default(),
        None => Vec::new(),
    };
    checks.extend(network::names(&config, &trunks).await);
    checks.extend(network::trunks(&trunks, running.as_ref().ok()));
    if let Some(store) = store {
        store.close().await;
    }
    checks.push(match (&flags.call, flags.no_call) {
        (_, true) => Check::skipped("test call", "not placed, as asked for"),
        (Some(uri), false) => test_call::to(&config, uri).await,
        (None, false) => test_call::within(config.clone()).await,
    });

    let has_failed = checks.iter().any(|check| check.status == Status::Failed);
    let report = Report { ok: !has_failed, version: env!("CARGO_PKG_VERSION"), service_pid: pid, checks };
    let mut out = std::io::stdout().lock();
    if flags.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&mut out, &report)?;
    }
    Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    let is_coloured = std::io::stdout().is_terminal();
    for Check { name, status, detail, action } in &report.checks {
        let (word, colour) = match status {
            Status::Ok => ("ok", 32),
            Status::Warning => ("warning", 33),
            Status::Failed => ("FAILED", 31),
            Status::Skipped => ("-", 0),
        };
        let word = match is_coloured {
            true => format!("\x1b[{colour}m{word:<8}\x1b[0m"),
            false => format!("{word:<8}"),
        };
        writeln!(out, "{word} {:<22} {}", text::line(name), text::line(detail))?;
        if let Some(action) = action {
            writeln!(out, "{:31} → {}", "", text::line(action))?;
        }
    }
    let of = |wanted: Status| report.checks.iter().filter(|check| check.status == wanted).count();
    match (of(Status::Failed), of(Status::Warning)) {
        (0, 0) => writeln!(out, "\nAll is well."),
        (failed, warnings) => writeln!(out, "\n{failed} failed, {warnings} to look at."),
    }
}

fn service(config: &Config, running: Result<&operator::Status, &operator::NoService>) -> Check {
    let name = "service";
    match running {
        Ok(status) if status.version != env!("CARGO_PKG_VERSION") => Check::warning(
            name,
            format!("version {} runs, process {}", status.version, status.pid),
            format!(
                "This program is version {}: restart the service, or run its own doctor.",
                env!("CARGO_PKG_VERSION")
            ),
        ),
        Ok(status) => Check::ok(name, format!("runs on {}, process {}", config.data.display(), status.pid)),
        Err(operator::NoService::NotRunning) => {
            Check::skipped(name, format!("none runs on {}", config.data.display()))
        }
        Err(operator::NoService::Unreachable(why)) => Check::failed(
            name,
            why,
            "Run this as the user that the service runs as; look into the log of the service if it does not answer.",
        ),
    }
}

async fn database(config: &Config) -> (Check, Option<Store>) {
    let (name, location) = ("database", config.database());
    if let Location::Sqlite(file) = &location
        && !file.exists()
    {
        return (Check::ok(name, format!("{location} is made at the first start")), None);
    }
    let inspection = match inspect_database(&location).await {
        Ok(inspection) => inspection,
        Err(error) => {
            let error = anyhow::Error::new(error);
            let action = "`plenary database check` says more; docs/operations.md says how to set one up.";
            return (Check::failed(name, format!("{error:#}"), action), None);
        }
    };
    let (server, is_current) = (inspection.server, inspection.schema == inspection.schema_known);
    let check = match inspection.problems.first() {
        Some(problem) => Check::failed(
            name,
            format!("{location} ({server}): {problem}"),
            "Look at `plenary database check`.",
        ),
        None if is_current => Check::ok(name, format!("{location} ({server})")),
        None => Check::warning(
            name,
            format!("{location} ({server}) is of an older version"),
            "The next start brings it up to date, or `plenary database migrate`. Make a backup before.",
        ),
    };
    // Opening an older one would change it.
    let store = if is_current { Store::open_at(&location).await.ok() } else { None };
    (check, store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_what_is_wrong_and_what_to_do() {
        let checks = vec![
            Check::ok("disk", "10 GB free"),
            Check::warning("clock", "it is not\nsynchronised", "Start chrony."),
            Check::failed("SIP 192.0.2.1:5060", "in use", "Stop the other program."),
            Check::skipped("certificate", "none is configured"),
        ];
        let report = Report { ok: false, version: "1", service_pid: None, checks };
        let mut text = Vec::new();
        print(&mut text, &report).unwrap();
        let expected = "ok       disk                   10 GB free\n\
            warning  clock                  it is not\\nsynchronised\n                                → Start chrony.\n\
            FAILED   SIP 192.0.2.1:5060     in use\n                                → Stop the other program.\n\
            -        certificate            none is configured\n\n1 failed, 1 to look at.\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(
            json["checks"][0],
            serde_json::json!({ "name": "disk", "status": "ok", "detail": "10 GB free" })
        );
        assert_eq!(json["checks"][2]["action"], "Stop the other program.");
    }
}
