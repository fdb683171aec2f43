//! SRTP against another implementation, and against those who tamper.
#![allow(missing_docs)]

use plenary_rtp::srtp::{MasterKey, Receiver, Sender, SrtpError, Suite};
use proptest::prelude::*;
use rtc_srtp::{context::Context, protection_profile::ProtectionProfile};

fn key(suite: Suite, seed: u8) -> MasterKey {
    let bytes: Vec<u8> =
        (0..suite.key_bytes() + suite.salt_bytes()).map(|n| (n as u8).wrapping_mul(37) ^ seed).collect();
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
        // Around the end of the sequence numbers, so that the rollover counter has a say.
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
        let mut sender = Sender::new(&key);
        sender.protect_rtp(&mut bytes.clone(), 0);
        sender.protect_rtcp(&mut bytes, 0);
    }
}
