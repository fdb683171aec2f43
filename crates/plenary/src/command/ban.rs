//! `plenary ban …`: asks the service that runs on the data folder.

use crate::{cli::Ban, config::Config, operator};
use anyhow::bail;
use std::{io::Write, net::IpAddr};

pub(super) async fn run(config: &Config, command: Ban) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match command {
        Ban::List => {
            let bans = operator::bans(&config.data).await?;
            writeln!(out, "{:<24} {:>8}  {:<24}  NOT ANSWERED", "SOURCE", "SECONDS", "WHY")?;
            for ban in bans {
                let what = match ban.doubtful {
                    true => "datagrams without a password",
                    false => "anything",
                };
                let of = ban.caller.map(|caller| format!(" of {caller}")).unwrap_or_default();
                let why = ban.reason;
                writeln!(out, "{:<24} {:>8}  {why:<24}  {what}{of}", shown(ban.source), ban.seconds)?;
            }
        }
        Ban::Lift { source } => {
            if !operator::lift_ban(&config.data, source).await? {
                bail!("{source} is not banned. `plenary ban list` shows who is.");
            }
            writeln!(out, "{source} is answered again.")?;
        }
    }
    Ok(())
}

/// Of IPv6 whole networks are banned.
fn shown(source: IpAddr) -> String {
    match source {
        IpAddr::V4(_) => source.to_string(),
        IpAddr::V6(_) => format!("{source}/64"),
    }
}
