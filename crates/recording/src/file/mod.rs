//! Files of recordings, as they are on the disk or encrypted. Both can be written to in the middle, cut, and read at any place while
//! they grow.

mod keys;
mod sealed;

pub use keys::{KeyFileError, Keys};

use sealed::Sealed;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::Path,
};

/// A file of a recording.
#[derive(Debug)]
pub struct StoredFile(Kind);

#[derive(Debug)]
enum Kind {
    Plain(File),
    Sealed(Box<Sealed>),
}

impl StoredFile {
    /// Makes a new file; encrypted, if there is a key.
    pub(crate) fn create(path: &Path, keys: &Keys) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Self(match keys.first() {
            Some(key) => Kind::Sealed(Box::new(Sealed::begin(file, key)?)),
            None => Kind::Plain(file),
        }))
    }

    /// Opens a file that is there, to read it.
    ///
    /// # Errors
    /// It cannot be read, or is encrypted with a key that is not among these.
    pub fn open(path: &Path, keys: &Keys) -> io::Result<Self> {
        Self::of(File::open(path)?, keys)
    }

    /// Opens a file that a crash has left, to complete it. What of it cannot be decrypted any more becomes silence, or is cut off at its end.
    pub(crate) fn mend(path: &Path, keys: &Keys) -> io::Result<Self> {
        let file = Self::of(OpenOptions::new().read(true).write(true).open(path)?, keys)?;
        if let Kind::Sealed(sealed) = &file.0 {
            sealed.mend()?;
        }
        Ok(file)
    }

    fn of(file: File, keys: &Keys) -> io::Result<Self> {
        Ok(Self(match Sealed::open(&file, keys)? {
            Some(cipher) => Kind::Sealed(Box::new(Sealed::new(file, cipher))),
            None => Kind::Plain(file),
        }))
    }

    /// Octets of the file, as it was before it was encrypted.
    ///
    /// # Errors
    /// The disk.
    pub fn length(&self) -> io::Result<u64> {
        match &self.0 {
            Kind::Plain(file) => Ok(file.metadata()?.len()),
            Kind::Sealed(sealed) => sealed.length(),
        }
    }

    /// Reads octets from a place on, as many as there are and as fit. 0: the place is the end.
    ///
    /// # Errors
    /// The disk; [`io::ErrorKind::InvalidData`] for what was changed since it was encrypted.
    pub fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        match &self.0 {
            Kind::Plain(file) => file.read_at(bytes, at),
            Kind::Sealed(sealed) => sealed.read_at(bytes, at),
        }
    }

    /// Fills `bytes` from a place on.
    ///
    /// # Errors
    /// As [`Self::read_at`]; the file ends before.
    pub fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        Reader { file: self, at }.read_exact(bytes)
    }

    pub(crate) fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        match &self.0 {
            Kind::Plain(file) => file.write_all_at(bytes, at),
            Kind::Sealed(sealed) => sealed.write_all_at(bytes, at),
        }
    }

    /// Cuts the file, or adds zeros that take no space.
    pub(crate) fn set_length(&self, length: u64) -> io::Result<()> {
        match &self.0 {
            Kind::Plain(file) => file.set_len(length),
            Kind::Sealed(sealed) => sealed.set_length(length),
        }
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self.0, Kind::Sealed(_))
    }

    pub(crate) fn on_disk(&self) -> &File {
        match &self.0 {
            Kind::Plain(file) => file,
            Kind::Sealed(sealed) => sealed.file(),
        }
    }

    /// Reads from the beginning on.
    pub fn reader(&self) -> Reader<'_> {
        Reader { file: self, at: 0 }
    }
}

/// Reads a file from one end to the other.
#[derive(Debug)]
pub struct Reader<'a> {
    file: &'a StoredFile,
    at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(bytes, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn keys() -> Keys {
        Keys::parse(&"5a".repeat(32)).expect("a key")
    }

    /// Every write, cut and read does to an encrypted file what it does to a plain one.
    #[test]
    fn an_encrypted_file_reads_as_a_plain_one_whatever_is_done_to_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let plain = StoredFile::create(&folder.path().join("plain"), &Keys::none()).expect("a file");
        let path = folder.path().join("sealed");
        let sealed = StoredFile::create(&path, &keys()).expect("a file");
        let mut state = 1_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for round in 0..600 {
            let length = plain.length().expect("a length");
            match random(8) {
                0 => {
                    let to = random(length + 3000);
                    plain.set_length(to).expect("cut");
                    sealed.set_length(to).expect("cut");
                }
                1 => {
                    let at = random(length + 1);
                    let bytes: Vec<u8> = (0..random(60)).map(|_| random(256) as u8).collect();
                    plain.write_all_at(&bytes, at).expect("written");
                    sealed.write_all_at(&bytes, at).expect("written");
                }
                _ => {
                    let bytes: Vec<u8> = (0..random(2500)).map(|_| random(256) as u8).collect();
                    plain.write_all_at(&bytes, length).expect("written");
                    sealed.write_all_at(&bytes, length).expect("written");
                }
            }
            let length = plain.length().expect("a length");
            assert_eq!(sealed.length().expect("a length"), length, "round {round}");
            let at = random(length + 1);
            let count = random(4000).min(length - at) as usize;
            let (mut of_plain, mut of_sealed) = (vec![0; count], vec![0; count]);
            plain.read_exact_at(&mut of_plain, at).expect("read");
            sealed.read_exact_at(&mut of_sealed, at).expect("read");
            assert!(of_plain == of_sealed, "round {round}: {count} octets from {at} on");
        }
        let mut all = Vec::new();
        StoredFile::open(&path, &keys()).expect("it opens").reader().read_to_end(&mut all).expect("read");
        assert!(all == fs::read(folder.path().join("plain")).expect("read"));
    }

    #[test]
    fn what_is_on_the_disk_tells_nothing_and_cannot_be_changed_unnoticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sealed");
        let said = b"what was said ".repeat(300);
        let file = StoredFile::create(&path, &keys()).expect("a file");
        file.write_all_at(&said, 0).expect("written");
        let mut on_disk = fs::read(&path).expect("read");
        assert!(!on_disk.windows(8).any(|part| part == b"was said"));
        // A chunk in another's place.
        let middle = on_disk.len() / 2;
        on_disk[middle] ^= 1;
        fs::write(&path, &on_disk).expect("written");
        let changed = StoredFile::open(&path, &keys()).expect("it opens");
        let error = changed.reader().read_to_end(&mut Vec::new()).expect_err("it was changed");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        for wrong in [Keys::none(), Keys::parse(&"00".repeat(32)).expect("a key")] {
            let error = StoredFile::open(&path, &wrong).expect_err("another key");
            assert!(error.to_string().contains("key"), "{error}");
        }
        // An older key still reads.
        let both = Keys::parse(&format!("{}\n{}\n", "00".repeat(32), "5a".repeat(32))).expect("two keys");
        assert_eq!(
            StoredFile::open(&path, &both).expect("it opens").length().expect("a length"),
            said.len() as u64
        );
    }

    #[test]
    fn of_a_file_that_power_has_cut_off_all_whole_chunks_are_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sealed");
        let said: Vec<u8> = (0..5000_u32).map(|at| (at % 251) as u8).collect();
        StoredFile::create(&path, &keys()).expect("a file").write_all_at(&said, 0).expect("written");
        let whole = fs::read(&path).expect("read");
        // With less than its header it is no file of ours, and is cut to nothing.
        for cut in (32..whole.len()).step_by(7) {
            let mut left = whole[..cut].to_vec();
            // What the disk had not written yet reads as zeros.
            left.resize(cut + cut % 40, 0);
            fs::write(&path, &left).expect("written");
            let file = StoredFile::mend(&path, &keys()).expect("it opens");
            let mut all = Vec::new();
            file.reader().read_to_end(&mut all).expect("what is left can be read");
            let good = all.iter().zip(&said).take_while(|(one, other)| one == other).count();
            assert!(good + 1024 >= cut.saturating_sub(cut / 1024 * 28 + 60).min(said.len()), "{cut}: {good}");
            assert!(all[good..].iter().all(|byte| *byte == 0), "{cut}: the rest is silence");
        }
    }
}
