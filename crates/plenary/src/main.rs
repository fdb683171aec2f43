//! Plenary's one binary: the service, the tools of its operator, and the wiring between the crates.

#![forbid(unsafe_code)]

mod cli;
mod clock;
mod command;
mod config;
mod engine;
mod events;
mod forecast;
mod ice;
mod log;
mod mail;
mod metrics;
mod operator;
mod overload;
mod port_range;
mod recordings;
mod retention;
mod server;
mod sounds;
mod text;
mod tls;
mod trace;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match command::run(cli) {
        Ok(code) => code,
        Err(error) => {
            #[allow(clippy::print_stderr)] // A command's error belongs on the terminal, in one line.
            {
                eprintln!("plenary: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
