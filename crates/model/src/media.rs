//! Sounds that an account has uploaded.

use crate::{FieldError, Timestamp};

const NAME_CHARS_MAX: usize = 64;

/// A sound as its owner sees it, without its audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMedia {
    /// Its name, unique within the account.
    pub name: String,
    /// What the file is: `wav`, `flac`, `mp3`, `opus` or `vorbis`.
    pub format: String,
    /// Octets of the file.
    pub bytes: u64,
    /// How long it plays.
    pub duration_ms: u64,
    /// Another one whenever the audio is another.
    pub version: u64,
    /// When it was first uploaded.
    pub created_at: Timestamp,
    /// When it was last uploaded; later with each upload.
    pub updated_at: Timestamp,
}

/// What is wrong with the name of a sound; nothing where it is allowed.
#[must_use]
pub fn check_media_name(name: &str) -> Vec<FieldError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_name =
        (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(is_allowed) && !name.starts_with('.');
    if is_name {
        return Vec::new();
    }
    let text =
        format!("the name of a sound has 1 to {NAME_CHARS_MAX} letters, digits and -_., the first no dot");
    vec![FieldError::new("/name", text)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_be_paths_nowhere() {
        for name in ["a", "hold-music_2.mp3", &"x".repeat(64)] {
            assert!(check_media_name(name).is_empty(), "{name}");
        }
        for name in ["", ".", "..", ".a", "a/b", "a\\b", "a b", "ä", "a\0", &"x".repeat(65)] {
            assert_eq!(check_media_name(name)[0].pointer, "/name", "{name}");
        }
    }
}
