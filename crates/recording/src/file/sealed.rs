//! Encrypted files that survive crashes and can be read at any place.
//!
//! ```text
//!   "PLENARY\x01" · id of the key (8) · salt (16) · chunk · chunk · …
//!   chunk: nonce (12) · AES-256-GCM of up to 1024 octets, with the number of the chunk as associated data · tag (16)
//! ```
//!
//! Each file has a key of its own: HMAC-SHA-256 of its salt with the configured key. A chunk that is written to again gets another
//! nonce, drawn at random (NIST SP 800-38D, section 8.2.2); a file has at most some millions of them. All chunks but the last are
//! full, so a place in the audio is a place in the file. A chunk of zeros stands for zeros: silence that takes no space.

use super::keys::{ID_BYTES, Key, Keys};
use aes_gcm::{Aes256Gcm, KeyInit, aead::AeadInPlace};
use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
};

const MAGIC: &[u8; 8] = b"PLENARY\x01";
const SALT_BYTES: usize = 16;
const HEADER_BYTES: u64 = (MAGIC.len() + ID_BYTES + SALT_BYTES) as u64;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const OVERHEAD: usize = NONCE_BYTES + TAG_BYTES;
/// Octets of audio in a full chunk: of Opus with 32 kbit/s a quarter of a second, the most that a torn write can spoil.
const CHUNK: usize = 1024;
const CHUNK_ON_DISK: usize = CHUNK + OVERHEAD;
/// A reader may meet a chunk that is just being written; then it looks again.
const LOOKS: usize = 20;

pub(super) struct Sealed {
    file: File,
    cipher: Aes256Gcm,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealed").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Sealed {
    /// Writes the header into a new file.
    pub(super) fn begin(file: File, key: &Key) -> io::Result<Self> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(io::Error::other)?;
        file.write_all_at(&[MAGIC, &key.id[..], &salt[..]].concat(), 0)?;
        Ok(Self::new(file, cipher(key, &salt)))
    }

    pub(super) fn new(file: File, cipher: Aes256Gcm) -> Self {
        Self { file, cipher }
    }

    /// How to decrypt a file; `None`: it is not encrypted.
    pub(super) fn open(file: &File, keys: &Keys) -> io::Result<Option<Aes256Gcm>> {
        let mut header = [0; HEADER_BYTES as usize];
        match file.read_exact_at(&mut header, 0) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let Some(rest) = header.strip_prefix(MAGIC) else { return Ok(None) };
        let (id, salt) = rest.split_at(ID_BYTES);
        let key = keys.find(id).ok_or_else(|| {
            let id = data_encoding::HEXLOWER.encode(id);
            io::Error::other(format!(
                "it is encrypted with the key {id}, which is not in the configured file of keys"
            ))
        })?;
        Ok(Some(cipher(key, salt)))
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn length(&self) -> io::Result<u64> {
        Ok(length_of(self.file.metadata()?.len()))
    }

    pub(super) fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        let (number, skip) = place(at);
        let mut done = 0;
        // A chunk after the other, each from its beginning.
        for (number, skip) in std::iter::once((number, skip)).chain((number + 1..).map(|number| (number, 0)))
        {
            if done == bytes.len() {
                break;
            }
            let chunk = self.chunk(number)?;
            let part = chunk.get(skip..).unwrap_or(&[]);
            let count = part.len().min(bytes.len() - done);
            bytes[done..done + count].copy_from_slice(&part[..count]);
            done += count;
            if chunk.len() < CHUNK {
                break;
            }
        }
        Ok(done)
    }

    pub(super) fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if at > self.length()? {
            self.set_length(at)?;
        }
        let (first, skip) = place(at);
        let (last, _) = place(at + bytes.len() as u64 - 1);
        let mut plain = self.chunk(first)?;
        let is_inside = skip + bytes.len() < plain.len();
        let before = self.on_disk(first)?;
        if !is_inside {
            plain.truncate(skip);
            plain.extend(bytes);
            // Written over in the middle: what follows in the last chunk stays.
            let end = plain.len() % CHUNK;
            if end > 0 && last > first {
                plain.extend(self.chunk(last)?.get(end..).unwrap_or(&[]));
            }
        } else {
            plain[skip..skip + bytes.len()].copy_from_slice(bytes);
        }
        let mut sealed = Vec::with_capacity(plain.len() + (last - first + 1) as usize * OVERHEAD);
        let mut nonces = vec![0; plain.len().div_ceil(CHUNK) * NONCE_BYTES];
        getrandom::fill(&mut nonces).map_err(io::Error::other)?;
        for (number, (chunk, nonce)) in (first..).zip(plain.chunks(CHUNK).zip(nonces.chunks(NONCE_BYTES))) {
            self.seal(number, chunk, nonce, &mut sealed)?;
        }
        let length = self.file.metadata()?.len();
        let written = self.file.write_all_at(&sealed, offset(first));
        if written.is_err() {
            // What there was room for is no whole chunk: as it was before.
            self.file.write_all_at(&before, offset(first))?;
            self.file.set_len(length)?;
        }
        written
    }

    pub(super) fn set_length(&self, length: u64) -> io::Result<()> {
        let now = self.length()?;
        let (number, end) = place(length);
        if length < now {
            let mut plain = self.chunk(number)?;
            plain.truncate(end);
            self.file.set_len(offset(number))?;
            return self.write_all_at(&plain, number * CHUNK as u64);
        }
        // The last chunk becomes full, or as long as is wanted; those behind it are zeros on the disk too.
        let (partial, filled) = place(now);
        if filled > 0 && length > now {
            let zeros = (CHUNK - filled).min((length - now) as usize);
            self.write_all_at(&[0; CHUNK][..zeros], now)?;
        }
        if number > partial || filled == 0 {
            let rest = if end > 0 { (end + OVERHEAD) as u64 } else { 0 };
            self.file.set_len(offset(number) + rest)?;
        }
        Ok(())
    }

    /// Makes what cannot be decrypted silent; cut off, if nothing follows it.
    pub(super) fn mend(&self) -> io::Result<()> {
        let chunks = self.file.metadata()?.len().saturating_sub(HEADER_BYTES).div_ceil(CHUNK_ON_DISK as u64);
        let mut good = 0;
        for number in 0..chunks {
            let on_disk = self.on_disk(number)?;
            match self.opened(number, &on_disk) {
                Some(chunk) if !chunk.is_empty() => good = number + 1,
                _ if number + 1 < chunks => {
                    self.file.write_all_at(&vec![0; on_disk.len()], offset(number))?
                }
                _ => {}
            }
        }
        if good < chunks {
            self.file.set_len(offset(good))?;
        }
        Ok(())
    }

    /// The octets of a chunk; none behind the end.
    fn chunk(&self, number: u64) -> io::Result<Vec<u8>> {
        for look in 0.. {
            let on_disk = self.on_disk(number)?;
            if let Some(plain) = self.opened(number, &on_disk) {
                return Ok(plain);
            }
            if look >= LOOKS {
                break;
            }
            std::thread::yield_now();
        }
        let text = format!("octets from {} on were changed since they were encrypted", number * CHUNK as u64);
        Err(io::Error::new(ErrorKind::InvalidData, text))
    }

    fn on_disk(&self, number: u64) -> io::Result<Vec<u8>> {
        let mut on_disk = vec![0; CHUNK_ON_DISK];
        let mut filled = 0;
        while filled < on_disk.len() {
            match self.file.read_at(&mut on_disk[filled..], offset(number) + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        on_disk.truncate(filled);
        Ok(on_disk)
    }

    /// `None`: it was changed, or is not whole.
    fn opened(&self, number: u64, on_disk: &[u8]) -> Option<Vec<u8>> {
        if on_disk.len() <= OVERHEAD {
            return on_disk.is_empty().then(Vec::new);
        }
        let (nonce, rest) = on_disk.split_at(NONCE_BYTES);
        let (sealed, tag) = rest.split_at(rest.len() - TAG_BYTES);
        let mut plain = sealed.to_vec();
        if on_disk.iter().all(|byte| *byte == 0) {
            return Some(plain);
        }
        let number = number.to_be_bytes();
        self.cipher.decrypt_in_place_detached(nonce.into(), &number, &mut plain, tag.into()).ok()?;
        Some(plain)
    }

    fn seal(&self, number: u64, plain: &[u8], nonce: &[u8], into: &mut Vec<u8>) -> io::Result<()> {
        into.extend(nonce);
        let start = into.len();
        into.extend(plain);
        let tag = self
            .cipher
            .encrypt_in_place_detached(nonce.into(), &number.to_be_bytes(), &mut into[start..])
            .map_err(|_| io::Error::other("a chunk cannot be encrypted"))?;
        into.extend(tag);
        Ok(())
    }
}

fn cipher(key: &Key, salt: &[u8]) -> Aes256Gcm {
    Aes256Gcm::new(&key.of_file(salt).into())
}

/// The chunk of an octet, and its place there.
fn place(at: u64) -> (u64, usize) {
    (at / CHUNK as u64, (at % CHUNK as u64) as usize)
}

/// Where a chunk begins on the disk.
fn offset(number: u64) -> u64 {
    HEADER_BYTES + number * CHUNK_ON_DISK as u64
}

/// The octets in a file of so many octets on the disk.
fn length_of(on_disk: u64) -> u64 {
    let chunks = on_disk.saturating_sub(HEADER_BYTES);
    let rest = (chunks % CHUNK_ON_DISK as u64).saturating_sub(OVERHEAD as u64);
    chunks / CHUNK_ON_DISK as u64 * CHUNK as u64 + rest
}
