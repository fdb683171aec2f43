//! Loss concealment without a network: 16-bit raw samples in and out.
//!
//! `concealment CODEC PERCENT SEED [ahead]`: CODEC is pcmu (8000 Hz) or g722 (16 000 Hz); with `ahead` the packet
//! after a lost one is available for its concealment, as when one packet more is buffered. `bench/concealment` scores
//! it.

use plenary_audio::{
    codec::{Codec, Encoder},
    g711::Law,
    opus,
    repair::Repairer,
};
use std::io::{self, Read, Write};

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (codec, mut repairer) = match arguments.first().map(String::as_str) {
        Some("pcmu") => (Codec::Pcmu, Repairer::g711(Law::Mu)),
        Some("g722") => (Codec::G722, Repairer::g722()),
        _ => return Err(io::Error::other("usage: concealment pcmu|g722 PERCENT SEED [ahead]")),
    };
    let number = |place: usize| arguments.get(place).and_then(|text| text.parse::<u64>().ok()).unwrap_or(1);
    let (percent, mut state) = (number(1), number(2) * 7919);
    let is_ahead = arguments.get(3).is_some_and(|text| text == "ahead");

    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let samples: Vec<i16> =
        bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let mut encoder = Encoder::new(codec, &opus::Settings::default());
    let packets: Vec<([u8; 160], bool)> = samples
        .chunks_exact(codec.rate().frame())
        .map(|frame| {
            let mut payload = [0; 160];
            encoder.encode(frame, &mut payload);
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (payload, (state >> 33) % 1000 < percent * 10)
        })
        .collect();
    let mut out = io::stdout().lock();
    for (place, (payload, is_lost)) in packets.iter().enumerate() {
        let mut frame = vec![0; codec.rate().frame()];
        if *is_lost {
            let next = packets.get(place + 1).filter(|(_, is_lost)| is_ahead && !is_lost);
            repairer.conceal(next.map(|(payload, _)| payload.as_slice()), &mut frame);
        } else {
            repairer.decode(payload, false, &mut frame);
        }
        for sample in frame {
            out.write_all(&sample.to_le_bytes())?;
        }
    }
    Ok(())
}
