//! Where a track is written: whole pages, one system call each, and never half of one.

use crate::StoredFile;
use std::{io, sync::Arc};

/// A file that grows.
#[derive(Debug)]
pub(crate) struct Output {
    file: Arc<StoredFile>,
    length: u64,
}

impl Output {
    /// At the end of a new file.
    pub(crate) fn new(file: StoredFile) -> Self {
        Self { file: Arc::new(file), length: 0 }
    }

    /// Octets that were written whole.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// For another thread, to have it on the disk.
    pub(crate) fn file(&self) -> &Arc<StoredFile> {
        &self.file
    }

    /// Appends these octets, or none of them.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.file.write_all_at(bytes, self.length);
        match written {
            Ok(()) => {
                self.length += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // What there was room for is no whole page.
                self.file.set_length(self.length)?;
                Err(error)
            }
        }
    }

    /// Appends so many zeros, which take no space on most file systems.
    pub(crate) fn append_zeros(&mut self, bytes: u64) -> io::Result<()> {
        self.file.set_length(self.length + bytes)?;
        self.length += bytes;
        Ok(())
    }

    /// Overwrites what is there already.
    pub(crate) fn overwrite(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }
}
