//! Decodes raw G.722 to raw samples of 16 bits at 16 kHz: `cargo run -p plenary-audio --example g722 <in >out`.

use plenary_audio::g722::Decoder;
use std::io::{self, Read, Write};

fn main() -> io::Result<()> {
    let mut octets = Vec::new();
    io::stdin().lock().read_to_end(&mut octets)?;
    let mut samples = vec![0; octets.len() * 2];
    Decoder::new().decode(&octets, &mut samples);
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    io::stdout().lock().write_all(&bytes)
}
