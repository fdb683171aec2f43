//! WAV headers whose sizes are kept up to date while the file grows, so that players find what is there.

/// Octets before the samples.
pub(crate) const HEADER_BYTES: u64 = 44;
/// The sizes are 32 bits wide: what no longer fits cannot be recorded into one file.
pub(crate) const DATA_BYTES_MAX: u64 = u32::MAX as u64 - HEADER_BYTES;
/// Samples per second.
pub(crate) const RATE: u32 = 48_000;

/// The header of a file with so many octets of samples: mono, 16 bits, 48 kHz.
pub(crate) fn header(data_bytes: u64) -> [u8; HEADER_BYTES as usize] {
    let data = data_bytes.min(DATA_BYTES_MAX) as u32;
    let mut header = [0; HEADER_BYTES as usize];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"RIFF");
    put(4, &(data + HEADER_BYTES as u32 - 8).to_le_bytes());
    put(8, b"WAVEfmt ");
    put(16, &16_u32.to_le_bytes());
    // PCM, one channel.
    put(20, &1_u16.to_le_bytes());
    put(22, &1_u16.to_le_bytes());
    put(24, &RATE.to_le_bytes());
    put(28, &(RATE * 2).to_le_bytes());
    put(32, &2_u16.to_le_bytes());
    put(34, &16_u16.to_le_bytes());
    put(36, b"data");
    put(40, &data.to_le_bytes());
    header
}
