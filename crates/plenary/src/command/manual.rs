//! `plenary manual`: man pages and shell completions, which packages bring along.

use crate::cli::Cli;
use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use std::{fs, path::Path};

/// Writes man pages into `man` of the folder, a page for each command, and completions into `completions`.
pub(super) fn write(folder: &Path) -> anyhow::Result<()> {
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    for folder in [&man, &completions] {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let unwritable = || format!("{} cannot be written", folder.display());
    clap_mangen::generate_to(Cli::command(), &man).with_context(unwritable)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Cli::command(), "plenary", &completions)
            .with_context(unwritable)?;
    }
    Ok(())
}
