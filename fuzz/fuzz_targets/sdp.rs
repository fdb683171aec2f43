//! Session descriptions as offers and as answers; what is agreed on has to be something that we can do.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plenary_sip::sdp::{Codec, Direction, IceCredentials, Levels, LocalMedia, LocalSecurity, Policy, Preference, Protection, accept, answer};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for policy in [Policy::Preferred, Policy::Required, Policy::Off] {
        let local = LocalMedia {
            rtp: "127.0.0.1:4000".parse().unwrap(),
            session_id: 1,
            version: 1,
            codecs: Codec::ALL.to_vec(),
            preference: Preference::Theirs,
            dtmf: true,
            direction: Direction::SendRecv,
            security: LocalSecurity { policy, seed: [7; 176], fingerprint: Some([1; 32]), offers_keys: true, offers_dtls: false },
            ice: Some(IceCredentials { ufrag: "abcd".into(), pwd: "0123456789012345678901".into() }),
            levels: Levels::Read,
        };
        for stream in [answer(text, &local).ok().map(|answer| {
            assert_eq!(answer.sdp.lines().filter(|line| line.starts_with("m=") && !line.contains(" 0 ")).count().max(1), 1);
            answer.stream
        }), accept(&local, text).ok()].into_iter().flatten() {
            assert!(matches!(stream.ptime_ms, 10 | 20 | 30 | 40 | 60));
            assert!(policy != Policy::Required || stream.protection.is_on());
            assert!(policy != Policy::Off || !stream.protection.is_on());
            assert!(stream.levels.is_none_or(|levels| !matches!(levels.id, 0 | 15)));
            if let Protection::Sdes { suite, send, receive, .. } = &stream.protection {
                assert!(!receive.is_empty());
                assert!([send].into_iter().chain(receive).all(|key| key.bytes.len() == suite.key_bytes()));
            }
        }
    }
});
