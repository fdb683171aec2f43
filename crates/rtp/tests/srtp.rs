//! SRTP compared with another implementation, and under tampering.
#![allow(missing_docs)]

use plenary_rtp::srtp::{KeyRing, MasterKey, Receiver, Sender, SrtpError, Suite};
use proptest::prelude::*;
use rtc_srtp::{context::Context, protection_profile::ProtectionProfile};

fn key(suite: Suite, seed: u8) -> MasterKey {
    let bytes: Vec<u8> = (0..suite.key_and_salt_bytes()).map(|n| (n as u8).wrapping_mul(37) ^ seed).collect();
    MasterKey::new(suite, &bytes).unwrap()
}

fn other(key: &MasterKey) -> Context {
    let profile = match key.suite() {
        Suite::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::AesCm128HmacSha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Suite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Suite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
    };
    let (master, salt) = key.key_and_salt().split_at(key.suite().key_bytes());
    Context::new(master, salt, profile, None, None, &rtc_crypto::providers::RingCrypto).unwrap()
}

fn rtp(sequence: u16, extended: bool) -> Vec<u8> {
    let first = if extended { 0x91 } else { 0x80 };
    let mut packet = vec![first, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 3, 132, 1, 2, 3, 4]);
    if extended {
        packet.extend([9, 9, 9, 9, 0xbe, 0xde, 0, 1, 0x10, 0x85, 0, 0]);
    }
    packet.extend((0..160).map(|n| n as u8));
    packet
}

const RTCP: [u8; 28] =
    [0x80, 200, 0, 6, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24];

#[test]
fn another_implementation_understands_us_and_we_it() {
    for suite in Suite::ALL {
        let key = key(suite, 5);
        let (mut sender, mut receiver) = (Sender::new(&key), Receiver::new(&key));
        let (mut their_sender, mut their_receiver) = (other(&key), other(&key));
        // Around the wrap of the sequence numbers, so that the rollover counter matters.
        for number in 65_500_u32..65_600 {
            let plain = rtp(number as u16, number % 3 == 0);
            let mut packet = plain.clone();
            sender.protect_rtp(&mut packet, 0);
            assert_ne!(packet[..plain.len()], plain, "{suite:?}");
            assert_eq!(their_receiver.decrypt_rtp(&packet).unwrap()[..], plain, "{suite:?} {number}");
            let mut theirs = their_sender.encrypt_rtp(&plain).unwrap().to_vec();
            assert_eq!(theirs, packet, "{suite:?} {number}");
            let length = receiver.open_rtp(&mut theirs).unwrap();
            assert_eq!(theirs[..length], plain);

            let mut packet = RTCP.to_vec();
            sender.protect_rtcp(&mut packet, 0);
            assert_eq!(their_receiver.decrypt_rtcp(&packet).unwrap()[..], RTCP, "{suite:?}");
            let mut theirs = their_sender.encrypt_rtcp(&RTCP).unwrap().to_vec();
            let length = receiver.open_rtcp(&mut theirs).unwrap();
            assert_eq!(theirs[..length], RTCP);
        }
    }
}

#[test]
fn what_came_before_does_not_come_again() {
    for suite in Suite::ALL {
        let key = key(suite, 9);
        let (mut sender, mut receiver) = (Sender::new(&key), Receiver::new(&key));
        let packets: Vec<Vec<u8>> = (0..300)
            .map(|number| {
                let mut packet = rtp(number, false);
                sender.protect_rtp(&mut packet, 0);
                packet
            })
            .collect();
        let mut open = |number: usize| receiver.open_rtp(&mut packets[number].clone()).map(drop);
        for number in [0, 2, 1, 3, 290] {
            assert_eq!(open(number), Ok(()));
            assert_eq!(open(number), Err(SrtpError::Replay));
        }
        assert_eq!(open(100), Err(SrtpError::Replay), "too old to tell");
        assert_eq!(open(200), Ok(()));
    }
}

#[test]
fn a_change_of_any_octet_is_noticed_and_leaves_no_trace() {
    for suite in Suite::ALL {
        let key = key(suite, 1);
        let (mut sender, mut receiver) = (Sender::new(&key), Receiver::new(&key));
        let mut packet = rtp(7, true);
        sender.protect_rtp(&mut packet, 0);
        let mut control = RTCP.to_vec();
        sender.protect_rtcp(&mut control, 0);
        for at in 0..packet.len() {
            let mut changed = packet.clone();
            changed[at] ^= 0x40;
            assert!(receiver.open_rtp(&mut changed).is_err(), "{suite:?}: octet {at}");
        }
        for at in 0..control.len() {
            let mut changed = control.clone();
            changed[at] ^= 0x40;
            assert!(receiver.open_rtcp(&mut changed).is_err(), "{suite:?}: octet {at} of RTCP");
        }
        assert!(receiver.open_rtp(&mut packet).is_ok());
        assert!(receiver.open_rtcp(&mut control).is_ok());
        assert_eq!(Receiver::new(&self::key(suite, 2)).open_rtp(&mut packet), Err(SrtpError::NotAuthentic));
    }
}

#[test]
fn the_identifier_of_a_key_stands_where_the_rfcs_say_and_is_taken_off_again() {
    for suite in Suite::ALL {
        for mki in [&[7][..], &[1, 2, 3, 4], &[9; 128]] {
            let plain_key = key(suite, 5);
            let named_key = key(suite, 5).with_mki(mki);
            let (mut plain, mut named) = (Sender::new(&plain_key), Sender::new(&named_key));
            let mut receiver = Receiver::new(&named_key);
            let is_gcm = matches!(suite, Suite::AeadAes128Gcm | Suite::AeadAes256Gcm);
            // RFC 3711, 3.1 and 3.4: before the tag. With GCM the tag is part of the ciphertext (RFC 7714, 8 and 9).
            let tag = |is_rtcp: bool| match (is_gcm, suite) {
                (true, _) => 0,
                (false, Suite::AesCm128HmacSha1_32) if !is_rtcp => 4,
                (false, _) => 10,
            };
            for number in 0..3 {
                let (mut without, mut with) = (rtp(number, true), vec![0xee; 5]);
                with.extend(rtp(number, true));
                plain.protect_rtp(&mut without, 0);
                named.protect_rtp(&mut with, 5);
                let (body, behind) = without.split_at(without.len() - tag(false));
                assert_eq!(with[5..], [body, mki, behind].concat(), "{suite:?}");
                let mut packet = with[5..].to_vec();
                let length = receiver.open_rtp(&mut packet).expect("it is right");
                assert_eq!(packet[..length], rtp(number, true));

                let (mut without, mut with) = (RTCP.to_vec(), RTCP.to_vec());
                plain.protect_rtcp(&mut without, 0);
                named.protect_rtcp(&mut with, 0);
                let (body, behind) = without.split_at(without.len() - tag(true));
                assert_eq!(with, [body, mki, behind].concat(), "{suite:?}, RTCP");
                let length = receiver.open_rtcp(&mut with).expect("it is right");
                assert_eq!(with[..length], RTCP);
            }
            // Without it, with another one, truncated: refused, and the bytes stay as they are.
            let mut none = rtp(9, false);
            plain.protect_rtp(&mut none, 0);
            let mut other = rtp(9, false);
            Sender::new(&key(suite, 5).with_mki(&vec![8; mki.len()])).protect_rtp(&mut other, 0);
            for bytes in [none, other.clone(), other[..12].to_vec(), mki.to_vec(), Vec::new()] {
                let mut packet = bytes.clone();
                assert!(receiver.open_rtp(&mut packet).is_err() && receiver.open_rtcp(&mut packet).is_err());
                assert_eq!(packet, bytes);
            }
        }
    }
}

const SECOND: u64 = 1_000_000_000;

fn protected(sender: &mut Sender, number: u16) -> Vec<u8> {
    let mut packet = rtp(number, false);
    sender.protect_rtp(&mut packet, 0);
    packet
}

#[test]
fn packets_under_the_old_key_are_opened_until_three_seconds_after_the_first_under_the_new_one() {
    for suite in Suite::ALL {
        let (old, new) = (key(suite, 1), key(suite, 2));
        let (mut before, mut after) = (Sender::new(&old), Sender::new(&new));
        let mut ring = KeyRing::new(std::slice::from_ref(&old));
        let open =
            |ring: &mut KeyRing, packet: &[u8], at_ns| ring.open_rtp(&mut packet.to_vec(), at_ns).map(drop);
        assert_eq!(open(&mut ring, &protected(&mut before, 1), 0), Ok(()));
        ring.set_keys(std::slice::from_ref(&new), SECOND);
        let late = protected(&mut before, 2);
        assert_eq!(open(&mut ring, &late, 20 * SECOND), Ok(()), "nothing came under the new one");
        assert!(open(&mut ring, &late, 20 * SECOND).is_err(), "once only");
        assert_eq!(open(&mut ring, &protected(&mut after, 5), 21 * SECOND), Ok(()));
        assert_eq!(open(&mut ring, &protected(&mut before, 3), 24 * SECOND - 1), Ok(()));
        assert_eq!(open(&mut ring, &protected(&mut before, 4), 24 * SECOND), Err(SrtpError::NotAuthentic));
        assert_eq!(open(&mut ring, &protected(&mut after, 6), 24 * SECOND), Ok(()));
        // RTCP as well, and 30 seconds at most if nothing arrives under the new key.
        let mut ring = KeyRing::new(std::slice::from_ref(&old));
        ring.set_keys(std::slice::from_ref(&new), SECOND);
        for (at_ns, is_opened) in [(31 * SECOND - 1, true), (31 * SECOND, false)] {
            let mut control = RTCP.to_vec();
            before.protect_rtcp(&mut control, 0);
            assert_eq!(ring.open_rtcp(&mut control, at_ns).is_ok(), is_opened);
        }
    }
}

#[test]
fn a_new_key_takes_a_stream_whose_numbers_turned_over_whether_its_sender_counts_on_or_not() {
    let suite = Suite::AesCm128HmacSha1_80;
    let (old, new) = (key(suite, 1), key(suite, 2));
    for counts_on in [true, false] {
        let mut before = Sender::new(&old);
        let mut ring = KeyRing::new(std::slice::from_ref(&old));
        for number in [65_000, 65_535, 0, 1000_u16] {
            assert!(ring.open_rtp(&mut protected(&mut before, number), 0).is_ok());
        }
        ring.set_keys(std::slice::from_ref(&new), 0);
        let mut after = Sender::new(&new);
        if counts_on {
            // Its rollover counter is one, as it was under the old key.
            for number in [65_000, 0] {
                protected(&mut after, number);
            }
        }
        for number in 1001..1010 {
            assert!(ring.open_rtp(&mut protected(&mut after, number), 0).is_ok(), "counts on: {counts_on}");
        }
    }
}

#[test]
fn a_key_that_stays_or_comes_back_takes_nothing_twice() {
    let suite = Suite::AesCm128HmacSha1_80;
    let (one, two) = (key(suite, 1).with_mki(&[1]), key(suite, 2).with_mki(&[2]));
    let mut ring = KeyRing::new(&[one.clone(), two.clone()]);
    let (mut first, mut second) = (Sender::new(&one), Sender::new(&two));
    let packets = [protected(&mut first, 1), protected(&mut second, 2)];
    for packet in &packets {
        assert!(ring.open_rtp(&mut packet.clone(), 0).is_ok(), "each is opened by the key that it names");
    }
    for keys in [vec![two.clone(), one.clone()], vec![two.clone()], vec![one.clone()], vec![one, two]] {
        ring.set_keys(&keys, SECOND);
        for packet in &packets {
            assert_eq!(ring.open_rtp(&mut packet.clone(), SECOND), Err(SrtpError::Replay));
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_do_harm(suite in 0..4_usize, mut bytes in prop::collection::vec(any::<u8>(), 0..200), rtp in any::<bool>()) {
        let key = key(Suite::ALL[suite], 3);
        let mut receiver = Receiver::new(&key);
        if rtp && !bytes.is_empty() {
            bytes[0] = 0x80 | bytes[0] & 0x3f;
        }
        prop_assert!(receiver.open_rtp(&mut bytes.clone()).is_err());
        prop_assert!(receiver.open_rtcp(&mut bytes.clone()).is_err());
        let mut ring = KeyRing::new(&[key.clone().with_mki(&[1]), key.clone()]);
        ring.set_keys(&[self::key(Suite::ALL[suite], 4).with_mki(&[0; 128])], 0);
        let mut left = bytes.clone();
        prop_assert!(ring.open_rtp(&mut left, 0).is_err() && ring.open_rtcp(&mut left, 0).is_err());
        prop_assert_eq!(&left, &bytes);
        let mut sender = Sender::new(&key);
        sender.protect_rtp(&mut bytes.clone(), 0);
        sender.protect_rtcp(&mut bytes, 0);
    }
}
