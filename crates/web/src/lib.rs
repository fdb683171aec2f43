//! The pages of the console and of the join page, as parts of the program: what `web/dist` held when it was built.

#![forbid(unsafe_code)]

/// A file, as it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Its path below `web/dist`: `console.html`, `assets/console-5f0c2a91.js`.
    pub path: &'static str,
    /// What it is.
    pub content_type: &'static str,
    /// A strong entity tag of its contents, in quotes.
    pub etag: &'static str,
    /// Its contents.
    pub plain: &'static [u8],
    /// The same compressed by brotli (RFC 7932), where that is smaller.
    pub brotli: Option<&'static [u8]>,
}

impl File {
    /// Its name holds a hash of its contents: what is behind it never changes.
    #[must_use]
    pub fn is_hashed(&self) -> bool {
        self.path.starts_with("assets/")
    }
}

/// All files, by their paths; none, where the program was built without them.
pub const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Whether the console is a part of this program.
#[must_use]
pub fn has_console() -> bool {
    find(FILES, "console.html").is_some()
}

/// The file of this very path, among files in the order of their paths.
#[must_use]
pub fn find(files: &'static [File], path: &str) -> Option<&'static File> {
    files.binary_search_by(|file| file.path.cmp(path)).ok().map(|place| &files[place])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_their_very_paths() {
        const fn file(path: &'static str) -> File {
            File { path, content_type: "text/plain", etag: "\"a\"", plain: b"", brotli: None }
        }
        static TWO: [File; 2] = [file("assets/a.js"), file("console.html")];
        assert_eq!(find(&TWO, "assets/a.js"), Some(&TWO[0]));
        assert!(TWO[0].is_hashed() && !TWO[1].is_hashed());
        for path in ["", "/assets/a.js", "assets/../console.html", "assets/", "CONSOLE.html", "assets/a.js/"]
        {
            assert_eq!(find(&TWO, path), None, "{path}");
        }
        assert!(FILES.is_sorted_by_key(|file| file.path));
    }
}
