//! Lists the documentation pages that the program carries.

use std::{env, error::Error, fmt::Write, fs, path::Path};

/// Documents outside of `docs/`.
const OTHERS: [&str; 2] = ["CHANGELOG.md", "config/plenary.toml"];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    let mut files: Vec<String> = OTHERS.map(str::to_owned).into();
    for entry in fs::read_dir(root.join("docs"))? {
        let name =
            entry?.file_name().into_string().map_err(|name| format!("{} is not UTF-8", name.display()))?;
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            files.push(format!("docs/{name}"));
        }
    }
    files.sort();
    let mut list = "&[\n".to_owned();
    for file in &files {
        writeln!(list, "({file:?}, include_str!({:?})),", root.join(file))?;
    }
    list.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("documents.rs"), list)?;
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", root.join("docs").display());
    Ok(())
}
