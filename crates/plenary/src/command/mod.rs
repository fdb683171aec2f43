//! The commands of `plenary`, one module each.

mod account;
mod ban;
mod call;
mod database;
mod demo;
mod doctor;
mod load;
#[cfg(feature = "manual")]
mod manual;
mod person;
mod serve;

use crate::{
    cli::{Cli, CliCommand, Common, Serve},
    config::Config,
    log,
};
use std::process::ExitCode;

/// Runs the command that was asked for.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        CliCommand::Serve(flags) => {
            let config = load(&cli.common, Some(&flags))?;
            log::start(&config.log, config.log_format);
            runtime()?.block_on(serve::run(config, || load(&cli.common, Some(&flags))))?;
        }
        CliCommand::Account(command) => {
            log::start_for_command();
            let config = load(&cli.common, None)?;
            runtime()?.block_on(account::run(&config, command))?;
        }
        CliCommand::Person(command) => {
            log::start_for_command();
            let config = load(&cli.common, None)?;
            runtime()?.block_on(person::run(&config, command))?;
        }
        CliCommand::Database(command) => {
            log::start_for_command();
            let config = load(&cli.common, None)?;
            return runtime()?.block_on(database::run(&config, command));
        }
        CliCommand::Ban(command) => {
            log::start_for_command();
            let config = load(&cli.common, None)?;
            runtime()?.block_on(ban::run(&config, command))?;
        }
        CliCommand::Call(flags) => {
            log::start_for_command();
            let config = load(&cli.common, None)?;
            return runtime()?.block_on(call::run(&config, flags));
        }
        CliCommand::Certificate(flags) => {
            let (certificate, key) = crate::tls::make_self_signed(flags.names, &flags.out)?;
            let text = format!(
                "[tls]\ncertificate = {:?}\nkey = {:?}\n",
                certificate.display().to_string(),
                key.display().to_string()
            );
            let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
        }
        CliCommand::Doctor(flags) => {
            log::start_for_command();
            let config = load(&cli.common, None)?;
            return runtime()?.block_on(doctor::run(config, flags));
        }
        CliCommand::Demo(_) => {
            log::start_for_command();
            let config = load(&cli.common, None)?;
            return runtime()?.block_on(demo::run(config));
        }
        CliCommand::Load(flags) => {
            log::start_for_command();
            load(&cli.common, None)?;
            return runtime()?.block_on(load::run(flags));
        }
        #[cfg(feature = "manual")]
        CliCommand::Manual(flags) => manual::write(&flags.folder)?,
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
