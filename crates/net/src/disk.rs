//! File systems.

use std::{ffi::CString, io, mem::MaybeUninit, os::unix::ffi::OsStrExt, path::Path};

/// Octets that an ordinary user may still write to the file system of this path.
///
/// # Errors
/// What the system says, for instance that there is no such path.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut found = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with a NUL, and the struct lives through the call.
    if unsafe { libc::statvfs(path.as_ptr(), found.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, so the struct is filled in.
    let found = unsafe { found.assume_init() };
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_space_and_a_missing_one_is_an_error() {
        assert!(free_bytes(Path::new("/")).expect("the root is there") < u64::MAX);
        let missing = free_bytes(Path::new("/no/such/folder")).expect_err("it is missing");
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
