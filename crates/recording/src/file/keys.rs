//! The keys of encrypted recordings, from a file.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::{fmt, fs, io, os::unix::fs::PermissionsExt, path::Path, sync::Arc};
use thiserror::Error;

/// Octets of a key.
const KEY_BYTES: usize = 32;
/// Octets of what names a key in files.
pub(super) const ID_BYTES: usize = 8;

/// Keys: the first encrypts new recordings, all of them decrypt. Without one recordings are not encrypted.
#[derive(Debug, Clone, Default)]
pub struct Keys(Arc<[Key]>);

/// A key, which is not shown.
pub(super) struct Key {
    secret: [u8; KEY_BYTES],
    pub(super) id: [u8; ID_BYTES],
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:02x?})", self.id)
    }
}

/// Why a file of keys is not taken.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("the file cannot be read")]
    Io(#[from] io::Error),
    /// Others may read it.
    #[error("others may read the file (mode {mode:03o}); run chmod 600 on it")]
    Open {
        /// Its permissions.
        mode: u32,
    },
    /// A line is no key.
    #[error("line {line} is no key: 64 hexadecimal digits are one, as of: openssl rand -hex 32")]
    NoKey {
        /// Which, from 1.
        line: usize,
    },
    /// There is none in it.
    #[error("there is no key in the file: 64 hexadecimal digits are one, as of: openssl rand -hex 32")]
    Empty,
}

impl Keys {
    /// Nothing is encrypted.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a file with a key in each line; empty lines and those from `#` on are left out.
    ///
    /// # Errors
    /// When it cannot be read, may be read by others, or is not such a file.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let mode = fs::metadata(path)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Open { mode });
        }
        Self::parse(&fs::read_to_string(path)?)
    }

    /// Reads what such a file says.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let secret = data_encoding::HEXLOWER_PERMISSIVE.decode(line.as_bytes()).ok();
            let secret = secret.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
            keys.push(Key::new(secret.ok_or(KeyFileError::NoKey { line: number + 1 })?));
        }
        match keys.is_empty() {
            true => Err(KeyFileError::Empty),
            false => Ok(Self(keys.into())),
        }
    }

    pub(super) fn first(&self) -> Option<&Key> {
        self.0.first()
    }

    pub(super) fn find(&self, id: &[u8]) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl Key {
    fn new(secret: [u8; KEY_BYTES]) -> Self {
        let hash = Sha256::new().chain_update(b"plenary recording key id").chain_update(secret).finalize();
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&hash[..ID_BYTES]);
        Self { secret, id }
    }

    /// The key of one file.
    pub(super) fn of_file(&self, salt: &[u8]) -> [u8; KEY_BYTES] {
        // HMAC takes keys of every length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.secret) else { unreachable!() };
        mac.update(b"plenary recording file");
        mac.update(salt);
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_keys_says_what_is_wrong_with_it() {
        let good = "# current\n5A5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\n\n";
        assert_eq!(Keys::parse(good).expect("a key").0.len(), 1);
        for (text, expected) in [
            ("", "there is no key"),
            ("# none\n", "there is no key"),
            ("\nabc\n", "line 2 is no key"),
            (&"5a".repeat(31), "line 1 is no key"),
            (&"5a".repeat(33), "line 1 is no key"),
        ] {
            let error = Keys::parse(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{error}");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys");
        fs::write(&path, good).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        let error = Keys::read(&path).expect_err("others may read it").to_string();
        assert!(error.contains("mode 640") && error.contains("chmod 600"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("set");
        assert!(Keys::read(&path).is_ok());
        assert!(!format!("{:?}", Keys::read(&path)).contains("5a5a5a"), "a key is not shown");
    }
}
