//! Lists the built-in languages, so that their tables, texts and audio become part of the program.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let languages = root.join("languages");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", languages.display());
    let mut list = String::from("pub(super) const LANGUAGES: &[super::BuiltIn] = &[\n");
    // In alphabetical order, a language comes before those with a region, which extend it.
    for folder in sorted(&languages) {
        let file = |name: &str| folder.join(name).display().to_string();
        let texts = folder.join("texts.tsv");
        let texts =
            if texts.exists() { format!("include_str!({:?})", file("texts.tsv")) } else { "\"\"".to_owned() };
        writeln!(list, "    (include_str!({:?}), {texts}, &[", file("language.toml"))
            .expect("a string grows");
        let audio = folder.join("audio");
        if audio.is_dir() {
            for path in sorted(&audio) {
                let name =
                    path.file_stem().expect("files have names").to_str().expect("names are ASCII").to_owned();
                writeln!(list, "        ({name:?}, include_bytes!({:?})),", path.display().to_string())
                    .expect("a string grows");
            }
        }
        list.push_str("    ]),\n");
    }
    list.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("built_in.rs"), list).expect("the folder for output can be written");
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a folder can be read").path()).collect();
    paths.sort();
    paths
}
