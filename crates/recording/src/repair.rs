//! Files that a crash has left: cut at the last whole page, and ended.

use crate::{
    Keys, StoredFile,
    ogg::{PAGE_BYTES_MAX, Page, pre_skip},
    wav,
};
use plenary_model::RecordingFormat as Format;
use std::{
    io::{self, Read},
    path::Path,
};

/// A file as it was found, or as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repaired {
    /// Its octets.
    pub bytes: u64,
    /// How long it plays, in milliseconds.
    pub duration_ms: u64,
}

/// Cuts a file at the last octet that can be played, and ends it. What cannot be played at all becomes empty.
///
/// # Errors
/// When the file cannot be read or written.
pub fn repair(path: &Path, format: Format, keys: &Keys) -> io::Result<Repaired> {
    let file = StoredFile::mend(path, keys)?;
    let repaired = match format {
        Format::Opus => repair_ogg(&file)?,
        Format::Wav => repair_wav(&file)?,
    };
    file.on_disk().sync_all()?;
    Ok(repaired)
}

fn repair_wav(file: &StoredFile) -> io::Result<Repaired> {
    let length = file.length()?;
    // Whole samples.
    let data = length.saturating_sub(wav::HEADER_BYTES).min(wav::DATA_BYTES_MAX) & !1;
    file.set_length(wav::HEADER_BYTES + data)?;
    file.write_all_at(&wav::header(data), 0)?;
    Ok(Repaired { bytes: wav::HEADER_BYTES + data, duration_ms: data / 2 * 1000 / u64::from(wav::RATE) })
}

/// What is good of an Ogg file.
#[derive(Debug, Default)]
struct Good {
    /// Octets up to the end of the last good page.
    bytes: u64,
    /// Where that page begins.
    last_at: u64,
    granule: u64,
    pre_skip: u16,
    pages: u64,
    is_ended: bool,
}

fn repair_ogg(file: &StoredFile) -> io::Result<Repaired> {
    let good = scan(file)?;
    file.set_length(good.bytes)?;
    // With fewer than the two header pages and one of audio nothing can be played, and there is no page to end.
    if good.pages > 2 && !good.is_ended {
        let mut page = vec![0; (good.bytes - good.last_at) as usize];
        file.read_exact_at(&mut page, good.last_at)?;
        if let Some(page) = Page::read(&page) {
            file.write_all_at(&page.ended(), good.last_at)?;
        }
    }
    let samples = good.granule.saturating_sub(u64::from(good.pre_skip));
    Ok(Repaired { bytes: good.bytes, duration_ms: samples * 1000 / u64::from(wav::RATE) })
}

/// Reads whole pages of one stream, from the beginning.
fn scan(file: &StoredFile) -> io::Result<Good> {
    let mut good = Good::default();
    let mut serial = None;
    each_page(file, |page| {
        if serial.is_some_and(|serial| serial != page.serial()) || good.is_ended {
            return false;
        }
        if serial.is_none() {
            let Some(skip) = page.packets().next().and_then(pre_skip) else { return false };
            (serial, good.pre_skip) = (Some(page.serial()), skip);
        }
        good.last_at = good.bytes;
        good.bytes += page.len() as u64;
        good.granule = page.granule().unwrap_or(good.granule);
        good.pages += 1;
        good.is_ended = page.is_last();
        true
    })?;
    Ok(good)
}

/// Calls `take` for each page from the beginning until one is not whole or `take` returns false. Reads no more than two pages
/// into memory.
pub(crate) fn each_page(file: &StoredFile, mut take: impl FnMut(Page<'_>) -> bool) -> io::Result<()> {
    let mut file = file.reader();
    let mut buffer = vec![0; 2 * PAGE_BYTES_MAX];
    let (mut start, mut end, mut is_all) = (0, 0, false);
    loop {
        if !is_all && end - start < PAGE_BYTES_MAX {
            buffer.copy_within(start..end, 0);
            (start, end) = (0, end - start);
            while end < buffer.len() {
                match file.read(&mut buffer[end..]) {
                    Ok(0) => {
                        is_all = true;
                        break;
                    }
                    Ok(count) => end += count,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let Some(page) = Page::read(&buffer[start..end]) else { return Ok(()) };
        start += page.len();
        if !take(page) {
            return Ok(());
        }
    }
}
