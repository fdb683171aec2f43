//! RTCP, plain and as SRTCP.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plenary_rtp::{
    rtcp,
    srtp::{MasterKey, Receiver, Sender, Suite},
};

fuzz_target!(|data: &[u8]| {
    let mut reported = 0;
    rtcp::read(data, |_| reported += 1);
    assert!(reported <= data.len());
    for suite in Suite::ALL {
        let key = MasterKey::new(suite, &[7; 46][..suite.key_bytes() + suite.salt_bytes()]).unwrap();
        let _ = Receiver::new(&key).open_rtcp(&mut data.to_vec());
        let mut protected = data.to_vec();
        Sender::new(&key).protect_rtcp(&mut protected, 0);
        if !protected.is_empty() {
            let length = Receiver::new(&key).open_rtcp(&mut protected).unwrap();
            assert_eq!(&protected[..length], data);
        }
    }
});
