//! The commands of `plenary`, one module each.

mod account;
mod ban;
mod call;
mod demo;
mod load;
mod serve;

use crate::{
    cli::{Cli, Command, Common, Serve},
    config::Config,
};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Serve(flags) => {
            log("info");
            let config = load(&cli.common, Some(&flags))?;
            runtime()?.block_on(serve::run(config, || load(&cli.common, Some(&flags))))?;
        }
        Command::Account(command) => {
            log("warn");
            let config = load(&cli.common, None)?;
            runtime()?.block_on(account::run(&config, command))?;
        }
        Command::Ban(command) => {
            log("warn");
            let config = load(&cli.common, None)?;
            runtime()?.block_on(ban::run(&config, command))?;
        }
        Command::Call(flags) => {
            log("warn");
            let config = load(&cli.common, None)?;
            return runtime()?.block_on(call::run(&config, flags));
        }
        Command::Certificate(flags) => {
            let (certificate, key) = crate::tls::make_self_signed(flags.names, &flags.out)?;
            let text = format!(
                "[tls]\ncertificate = {:?}\nkey = {:?}\n",
                certificate.display().to_string(),
                key.display().to_string()
            );
            let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
        }
        Command::Demo(_) => {
            log("warn");
            let config = load(&cli.common, None)?;
            return runtime()?.block_on(demo::run(config));
        }
        Command::Load(flags) => {
            log("warn");
            load(&cli.common, None)?;
            return runtime()?.block_on(load::run(flags));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is configured, with the flags on top.
fn load(common: &Common, serve: Option<&Serve>) -> anyhow::Result<Config> {
    let mut config = Config::load(common.config.as_deref(), std::env::vars())?;
    if let Some(data) = &common.data {
        config.data.clone_from(data);
    }
    if let Some(flags) = serve {
        config.http = flags.http.unwrap_or(config.http);
        config.https = flags.https.or(config.https);
        if !flags.sip.is_empty() {
            config.sip.0.clone_from(&flags.sip);
        }
        if !flags.sips.is_empty() {
            config.sips.0.clone_from(&flags.sips);
        }
        config.rtp_ports = flags.rtp_ports.unwrap_or(config.rtp_ports);
        config.advertise = flags.advertise.or(config.advertise);
        config.demo_account |= flags.demo_account;
    }
    Ok(config)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Logs go to standard error; standard output belongs to what a command prints. `PLENARY_LOG` sets the level,
/// as in `PLENARY_LOG=debug` or `PLENARY_LOG=info,plenary_sip=trace`.
fn log(default: &str) {
    let filter = EnvFilter::try_from_env("PLENARY_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi).init();
}
