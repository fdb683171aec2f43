//! Lists the files of `web/dist` and compresses them. Where there are none, the program has no console and says so.

use sha2::{Digest, Sha256};
use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// All files together, uncompressed: more is a mistake of the build.
const BYTES_MAX: u64 = 32 * 1024 * 1024;
/// What compression leaves must be this much smaller.
const WORTHWHILE: f64 = 0.95;

/// Kinds of files, by the end of their names, and whether they are worth compressing.
const KINDS: [(&str, &str, bool); 14] = [
    ("html", "text/html; charset=utf-8", true),
    ("js", "text/javascript; charset=utf-8", true),
    ("css", "text/css; charset=utf-8", true),
    ("json", "application/json", true),
    ("webmanifest", "application/manifest+json", true),
    ("svg", "image/svg+xml", true),
    ("txt", "text/plain; charset=utf-8", true),
    ("wasm", "application/wasm", true),
    ("png", "image/png", false),
    ("webp", "image/webp", false),
    ("ico", "image/x-icon", true),
    ("woff2", "font/woff2", false),
    ("wav", "audio/wav", true),
    ("ogg", "audio/ogg", false),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PLENARY_WEB_DIST");
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    let web = root.join("web");
    let dist = env::var_os("PLENARY_WEB_DIST").map_or_else(|| web.join("dist"), PathBuf::from);
    // What is not there would have this run at each build; the folder around it changes when it comes.
    if let Some(watched) = [&dist, &web].into_iter().find(|folder| folder.is_dir()) {
        println!("cargo::rerun-if-changed={}", watched.display());
    }
    let mut files = Vec::new();
    if dist.is_dir() {
        collect(&dist, &dist, &mut files)?;
    } else {
        println!(
            "cargo::warning={} is not there: this program has no console (`make build` makes it)",
            dist.display()
        );
    }
    files.sort();
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let (mut list, mut total) = ("&[\n".to_owned(), 0);
    for (number, path) in files.iter().enumerate() {
        let bytes = fs::read(dist.join(path))?;
        total += bytes.len() as u64;
        if total > BYTES_MAX {
            return Err(format!("{} has more than {BYTES_MAX} bytes", dist.display()).into());
        }
        let extension =
            Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let Some((_, kind, is_compressible)) = KINDS.iter().find(|(known, ..)| *known == extension) else {
            // Maps of sources and the like: no page needs them.
            continue;
        };
        let plain = out.join(format!("{number}"));
        fs::write(&plain, &bytes)?;
        let mut brotli = "None".to_owned();
        if *is_compressible {
            let compressed = compress(&bytes)?;
            if (compressed.len() as f64) < bytes.len() as f64 * WORTHWHILE {
                let file = out.join(format!("{number}.br"));
                fs::write(&file, &compressed)?;
                brotli = format!("Some(include_bytes!({file:?}))");
            }
        }
        let hash: String = Sha256::digest(&bytes)[..10].iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(
            list,
            "File {{ path: {path:?}, content_type: {kind:?}, etag: \"\\\"{hash}\\\"\", plain: include_bytes!({plain:?}), brotli: {brotli} }},"
        )?;
    }
    list.push(']');
    fs::write(out.join("files.rs"), list)?;
    Ok(())
}

/// The paths of all files below a folder, relative to `dist`.
fn collect(dist: &Path, folder: &Path, files: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(dist, &entry.path(), files)?;
            continue;
        }
        let path = entry.path();
        let path =
            path.strip_prefix(dist)?.to_str().ok_or("a file of the console has a name that is not UTF-8")?;
        // They become paths of URLs as they are.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if !path.chars().all(is_plain) || path.split('/').any(|segment| segment.starts_with('.')) {
            return Err(
                format!("the name of {path} has other characters than letters, digits, - and _").into()
            );
        }
        files.push(path.to_owned());
    }
    Ok(())
}

fn compress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressed = Vec::new();
    // Quality 11 of 11, a window of 4 MiB. It is complete when it is dropped.
    let mut writer = brotli::CompressorWriter::new(&mut compressed, 4096, 11, 22);
    writer.write_all(bytes)?;
    drop(writer);
    Ok(compressed)
}
