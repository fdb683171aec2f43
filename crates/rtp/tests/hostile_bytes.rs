//! Bytes from the network never panic.

use plenary_rtp::{
    dtmf::DtmfReceiver,
    extension::AudioLevel,
    packet::{Extension, Kind, Packet},
    rtcp::{self, REPORT_BYTES_MAX, Report, SenderInfo},
    stats::Reception,
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn random_bytes_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Kind::of(&bytes);
        if let Ok(packet) = Packet::parse(&bytes) {
            prop_assert!(packet.payload.len() <= bytes.len());
            prop_assert_eq!(packet.csrcs().count(), usize::from(bytes[0] & 0x0f));
        }
        rtcp::read(&bytes, |_| {});
    }

    #[test]
    fn bytes_that_look_like_rtp_are_refused_or_read(
        first in 0x80_u8..=0xbf,
        bytes in prop::collection::vec(any::<u8>(), 11..120),
        now_ms in any::<u32>(),
    ) {
        let mut datagram = vec![first];
        datagram.extend(bytes);
        if let Ok(packet) = Packet::parse(&datagram) {
            let mut reception = Reception::new(8000);
            for _ in 0..2 {
                reception.handle_packet(&packet.header, packet.payload.len(), u64::from(now_ms) * 1_000_000, true);
                reception.poll_report();
            }
            let mut keys = DtmfReceiver::new();
            keys.handle_packet(&packet.header, packet.payload, u64::from(now_ms));
        }
    }

    #[test]
    fn elements_of_any_extension_are_read_or_not_there(
        profile in prop_oneof![Just(0xbede_u16), 0x1000_u16..0x1010, any::<u16>()],
        data in prop::collection::vec(any::<u8>(), 0..80),
        id in any::<u8>(),
    ) {
        let extension = Extension { profile, data: &data };
        if let Some(element) = extension.element(id) {
            prop_assert!(element.len() < data.len() && id != 0);
        }
        if let Some(level) = AudioLevel::read(&extension, id) {
            prop_assert!((-127.0..=0.0).contains(&level.dbov()));
        }
    }

    #[test]
    fn damaged_reports_are_refused_or_read(place in 0_usize..80, byte in any::<u8>(), length in 0_usize..80) {
        let mut bytes = [0; REPORT_BYTES_MAX];
        let report = Report {
            ssrc: 1,
            sent: Some(SenderInfo { ntp: 2, rtp_timestamp: 3, packets: 4, bytes: 5 }),
            received: None,
            cname: "someone@somewhere",
            goodbye: true,
        };
        let written = report.write(&mut bytes);
        bytes[place.min(written - 1)] = byte;
        rtcp::read(&bytes[..length.min(written)], |_| {});
    }
}
