//! Configuration files, with the variables that override them. What is accepted is accepted again as it is written out.
#![no_main]
// The program's own modules, of which this uses a part.
#![allow(dead_code, unused_imports)]

#[path = "../../crates/plenary/src/config/mod.rs"]
mod config;
#[path = "../../crates/plenary/src/ice.rs"]
mod ice;
#[path = "../../crates/plenary/src/port_range.rs"]
mod port_range;

/// What the modules above use of the rest of the program.
mod clock {
    pub(crate) fn wall_now() -> plenary_conference::Timestamp {
        plenary_conference::Timestamp(0)
    }
}

use config::Config;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Behind the first zero stand variables, a line each.
    let (text, variables) = text.split_once('\0').unwrap_or((text, ""));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let path = Path::new("plenary.toml");
    match Config::read(text, path, variables) {
        Ok(config) => {
            let _ = config.signalling.guard();
            let written = toml::to_string(&config).expect("a configuration can be written");
            let again = Config::read(&written, path, []).expect("and read again");
            assert!(again == config);
        }
        // One line, as it goes to the terminal.
        Err(error) => assert!(!format!("{error:#}").is_empty()),
    }
});
