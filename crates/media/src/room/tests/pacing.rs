//! The media clock of a whole room whose talkers take turns.

use super::*;

const PHASE_NS: u64 = MS;
const TALKERS: usize = 6;
/// Octets that identify a frame: each a digit, in codes that are loud and that a mix of one voice leaves unchanged.
const DIGITS: usize = 6;

/// A frame of a voice with its number in it.
fn marked(number: u64) -> [u8; FRAME] {
    std::array::from_fn(|octet| match octet {
        80..86 => 0x20 | (number >> (4 * (octet - 80)) & 15) as u8,
        _ if octet / 4 % 2 == 0 => 0x30,
        _ => 0xB0,
    })
}

fn number_in(payload: &[u8]) -> Option<u64> {
    let is_marked = payload.len() == FRAME && payload[72..76] == [0x30; 4] && payload[76..80] == [0xB0; 4];
    let digits = payload.get(80..80 + DIGITS)?;
    is_marked.then(|| digits.iter().rev().fold(0, |number, octet| number << 4 | u64::from(octet & 15)))
}

#[test]
fn listeners_get_a_packet_every_20_ms_whichever_talker_speaks_and_soon() {
    let mut world = World::with((0..TALKERS + 2).map(|_| Says::Nothing));
    let mut random = 7_u64;
    let mut below = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % bound
    };
    let begins_ns = 1000 * SECOND;
    let mut next_ns: Vec<u64> = (0..TALKERS + 2).map(|_| begins_ns + below(FRAME_NS)).collect();
    let (mut talker, mut until_ns) = (0, 0);
    let (mut now_ns, mut ticks, mut moves) = (begins_ns + FRAME_NS, 0_u64, 0);
    let (mut sent_ns, mut waits_ms, mut ahead_ns) = (Vec::new(), Vec::new(), Vec::new());
    while now_ns < begins_ns + 150 * SECOND {
        if now_ns >= until_ns {
            talker = below(TALKERS as u64) as usize;
            until_ns = now_ns + SECOND / 2 + below(9 * SECOND / 2);
        }
        let time = Tick { now_ns, wall_ns: 1_700_000_000 * SECOND + now_ns };
        for (number, next_ns) in next_ns.iter_mut().enumerate() {
            while *next_ns <= now_ns {
                let phone = &mut world.phones[number];
                let mut payload = [0xFF; FRAME];
                if number == talker {
                    payload = marked(sent_ns.len() as u64);
                    sent_ns.push(*next_ns);
                }
                let header = phone.source.next_header(0, 160, FRAME);
                let datagram = [header.to_bytes().as_slice(), &payload].concat();
                let (key, from) = (phone.key, phone.address);
                world.room.handle_rtp(key, from, &datagram, Some(*next_ns), time, &mut world.outbox);
                *next_ns += FRAME_NS;
            }
        }
        world.room.tick(time, &mut world.outbox);
        world.deliver();
        ticks += 1;
        ahead_ns.push(ticks as i64 * FRAME_NS as i64 - (now_ns - begins_ns) as i64);
        // A participant who never talks hears what all listeners hear.
        let (_, payload) = world.phones[TALKERS].packets.last().unwrap();
        if let Some(number) = number_in(payload)
            && now_ns > begins_ns + 30 * SECOND
        {
            waits_ms.push((now_ns - sent_ns[number as usize]) as f64 / MS as f64);
        }
        let sooner = world.room.phases_sooner(time, PHASE_NS);
        now_ns = (now_ns + FRAME_NS).saturating_add_signed(i64::from(-sooner) * PHASE_NS as i64);
        if sooner != 0 {
            moves += 1;
            world.room.note_moved(sooner, PHASE_NS, now_ns);
            assert!(world.room.is_due(Tick { now_ns, ..time }));
            assert!(!world.room.is_due(Tick { now_ns: now_ns - 1, ..time }));
        }
    }
    assert!(moves > 0, "nothing was tried");
    let drift_ns = ahead_ns.iter().max().unwrap() - ahead_ns.iter().min().unwrap();
    assert!(drift_ns <= 20 * MS as i64, "media clock and real time part by {drift_ns} ns");
    for phone in &world.phones {
        assert!((phone.packets.len() as i64 - 150 * 50).abs() <= 1, "{} packets", phone.packets.len());
        let stamps =
            phone.packets.windows(2).map(|pair| pair[1].0.timestamp.wrapping_sub(pair[0].0.timestamp));
        assert!(stamps.into_iter().all(|units| units == 160));
    }
    waits_ms.sort_by(f64::total_cmp);
    assert!(waits_ms.len() > 5000, "{} frames came back", waits_ms.len());
    let (p50, p99) = (waits_ms[waits_ms.len() / 2], waits_ms[waits_ms.len() * 99 / 100]);
    assert!(p50 <= 9.0 && p99 <= 17.0, "{p50} ms at p50, {p99} ms at p99");
}
