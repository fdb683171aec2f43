//! The checks of ICE, and answers to challenges (digest authentication) beside them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plenary_rtp::stun;

fuzz_target!(|data: &[u8]| {
    if let Some(check) = stun::check(data, "evtj", "VOkJxbRl1RmTxUk/WvJxBt") {
        let mut out = [0; stun::RESPONSE_BYTES_MAX];
        for from in ["192.0.2.1:1", "[2001:db8::1]:65535"] {
            let length = check.respond(from.parse().unwrap(), "pwd", &mut out);
            assert!(length <= out.len());
        }
    }
});
