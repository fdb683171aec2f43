//! `plenary database …`: works on databases directly.

use crate::{cli::Database, config::Config};
use plenary_store::{CopyProgress, Inspection, Location, Store, copy_database, inspect_database};
use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

/// How often the progress of a copy is drawn.
const DRAWN_EVERY: Duration = Duration::from_millis(100);

pub(super) async fn run(config: &Config, command: Database) -> anyhow::Result<ExitCode> {
    match command {
        Database::Check => check(&config.database()).await,
        Database::Migrate => migrate(&config.database()).await,
        Database::Copy { from, to } => copy(&from, &to).await,
    }
}

async fn check(location: &Location) -> anyhow::Result<ExitCode> {
    let Inspection { server, schema, schema_known, rows, mut problems } = inspect_database(location).await?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "Database: {location} ({server})")?;
    writeln!(out, "Schema:   {schema} of {schema_known}")?;
    for (table, rows) in rows {
        writeln!(out, "  {table:<18} {rows:>10} {}", if rows == 1 { "row" } else { "rows" })?;
    }
    if schema < schema_known {
        problems.push("its schema is older than this version: `plenary database migrate` brings it up to date, and so does `plenary serve`".to_owned());
    }
    for problem in &problems {
        writeln!(out, "Problem:  {problem}")?;
    }
    if problems.is_empty() {
        writeln!(out, "Nothing is wrong with it.")?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

async fn migrate(location: &Location) -> anyhow::Result<ExitCode> {
    Store::open_at(location).await?.close().await;
    writeln!(std::io::stdout(), "The schema of {location} is up to date.")?;
    Ok(ExitCode::SUCCESS)
}

async fn copy(from: &Location, to: &Location) -> anyhow::Result<ExitCode> {
    let is_watched = std::io::stderr().is_terminal();
    let mut drawn: Option<Instant> = None;
    let copied = copy_database(from, to, |progress| {
        if is_watched && drawn.is_none_or(|at| at.elapsed() >= DRAWN_EVERY) {
            drawn = Some(Instant::now());
            draw(progress);
        }
    })
    .await;
    if drawn.is_some() {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    let copied = copied?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:<18} {:>10}  SHA-256 OF BOTH", "TABLE", "ROWS")?;
    for table in copied {
        let hash = data_encoding::HEXLOWER.encode(&table.sha256[..8]);
        writeln!(out, "{:<18} {:>10}  {hash}…", table.table, table.rows)?;
    }
    writeln!(out, "{from} is copied to {to}; both hold the same.")?;
    Ok(ExitCode::SUCCESS)
}

fn draw(CopyProgress { table, rows, of }: CopyProgress) {
    let percent = rows.saturating_mul(100).checked_div(of).unwrap_or(100).min(100);
    let _ = write!(std::io::stderr(), "\r\x1b[K{table:<18} {rows:>10} of {of:>10} {percent:>3} %");
}
