//! RTP packets: the header, its extension, SRTP, and what telephone events and the jitter buffer make of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plenary_rtp::{
    dtmf::DtmfReceiver,
    extension::AudioLevel,
    jitter::{JitterBuffer, JitterConfig},
    packet::{Kind, Packet},
    srtp::{MasterKey, Receiver, Sender, Suite},
    stats::Reception,
};

fuzz_target!(|data: &[u8]| {
    let mut jitter = JitterBuffer::new(JitterConfig::OPUS);
    let (mut keys, mut reception) = (DtmfReceiver::new(), Reception::new(8000));
    let (mut rest, mut now) = (data, 1_000_000_000_u64);
    // Packets one after the other, each with its length before it.
    while let Some((&length, behind)) = rest.split_first() {
        let (packet, behind) = behind.split_at(usize::from(length).min(behind.len()));
        rest = behind;
        let _ = Kind::of(packet);
        if let Ok(parsed) = Packet::parse(packet) {
            reception.handle_packet(&parsed.header, parsed.payload.len(), now, true);
            let _ = keys.handle_packet(&parsed.header, parsed.payload, now);
            jitter.push(&parsed.header, parsed.payload, parsed.payload.len() as u32, now);
            if let Some(extension) = &parsed.extension {
                for id in [0, 1, 14, 15, 16, 255] {
                    if let Some(level) = AudioLevel::read(extension, id) {
                        assert!(level.level <= 127);
                        let id = if matches!(id, 0 | 15) { 1 } else { id };
                        let again = level.header_bytes(&parsed.header, id);
                        let again = Packet::parse(&again).unwrap().extension.unwrap();
                        assert_eq!(AudioLevel::read(&again, id), Some(level));
                    }
                }
            }
            let again = parsed.header.to_bytes();
            assert_eq!(Packet::parse(&again).unwrap().header, parsed.header);
        }
        for suite in Suite::ALL {
            let key = MasterKey::new(suite, &[7; 46][..suite.key_bytes() + suite.salt_bytes()]).unwrap();
            let _ = Receiver::new(&key).open_rtp(&mut packet.to_vec());
            let mut protected = packet.to_vec();
            Sender::new(&key).protect_rtp(&mut protected, 0);
            if !protected.is_empty() {
                let length = Receiver::new(&key).open_rtp(&mut protected).unwrap();
                assert_eq!(&protected[..length], packet);
            }
        }
        now += 7_000_000;
    }
});
