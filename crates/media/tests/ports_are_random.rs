//! The ports of earlier calls do not reveal the port of the next (RFC 7362, 5; RFC 6056, 3).
#![allow(missing_docs)]

use plenary_media::{MediaCallId, MediaConfig, MediaPlane, RoomId};

const CALLS: u64 = 640;
const PARTS: usize = 16;

#[test]
fn ports_of_calls_are_spread_over_their_range_without_an_order() {
    // Pairs of ports: 1600.
    let config = MediaConfig { rtp_ports: 45_000..=48_199, workers: 1, ..MediaConfig::default() };
    let (media, _events) = MediaPlane::start(config).unwrap();
    let ports: Vec<u16> = (1..=CALLS)
        .map(|number| {
            let call = MediaCallId(number);
            let port = media.open(call, RoomId(1)).unwrap().port();
            media.close(call);
            port
        })
        .collect();
    media.shutdown();
    // Chi square of 15 degrees of freedom: above 60 once in four million runs.
    let mut parts = [0_u64; PARTS];
    ports.iter().for_each(|port| parts[usize::from(port - 45_000) / 200] += 1);
    let expected = (CALLS as usize / PARTS) as f64;
    let chi: f64 = parts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
    assert!(chi < 60.0, "{parts:?}");
    // The next is near the last no more often than by chance: within 32 pairs in 4 % of the cases, 26 of 639.
    let near = ports.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) <= 64).count();
    assert!(near < 70, "{near} of {CALLS} near the one before");
}
