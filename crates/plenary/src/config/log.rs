//! `log` and `log_format`.

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{LevelFilter, Targets};

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// What is logged by such a text, or what is wrong with it.
pub(crate) fn levels_of(text: &str) -> Result<Targets, String> {
    let wanted = text.replace(' ', "");
    // A bare word would be a module of which everything is logged, and so would every mistake in a level.
    let odd = wanted.split(',').find(|part| !part.contains('=') && part.parse::<LevelFilter>().is_err());
    let levels = match odd {
        Some(odd) => Err(format!("`{odd}` is no level")),
        None => wanted.parse::<Targets>().map_err(|error| error.to_string()),
    };
    levels.map_err(|why| {
        format!(
            "log is `{text}`, which is not valid ({why}): name a level (off, error, warn, info, debug, trace), or also levels \
             of modules, as in info,plenary_sip=debug"
        )
    })
}
