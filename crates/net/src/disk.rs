//! File systems.

use std::{ffi::CString, io, mem::MaybeUninit, os::unix::ffi::OsStrExt, path::Path};

/// The space of a file system, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// What an ordinary user may still write.
    pub free: u64,
    /// All of it.
    pub size: u64,
}

/// The space of the file system of this path.
///
/// # Errors
/// What the system says, for instance that there is no such path.
pub fn disk_space(path: &Path) -> io::Result<DiskSpace> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut found = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with a NUL, and the struct lives through the call.
    if unsafe { libc::statvfs(path.as_ptr(), found.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, so the struct is filled in.
    let found = unsafe { found.assume_init() };
    Ok(DiskSpace {
        free: found.f_bavail.saturating_mul(found.f_frsize),
        size: found.f_blocks.saturating_mul(found.f_frsize),
    })
}

/// Octets that an ordinary user may still write to the file system of this path.
///
/// # Errors
/// As [`disk_space`].
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    disk_space(path).map(|space| space.free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_space_and_a_missing_one_is_an_error() {
        let space = disk_space(Path::new("/")).expect("the root is there");
        assert!(space.free <= space.size && space.size < u64::MAX, "{space:?}");
        let missing = free_bytes(Path::new("/no/such/folder")).expect_err("it is missing");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
