//! A caller that sends nothing any more is reported, once.

mod support;

use plenary_media::{MediaConfig, MediaEvent, StreamParams};
use support::{Plane, Says, config, talk, talk_until};

#[test]
fn a_caller_that_vanishes_is_reported_once_and_one_on_hold_is_not() {
    let mut plane = Plane::start(MediaConfig { rtp_timeout_ms: 300, ..config() });
    let (mut gone, mut held) = (plane.dial(1, 1, Says::Nothing), plane.dial(2, 1, Says::Nothing));
    let mut here = plane.dial(3, 1, Says::Nothing);
    talk(&mut [&mut gone, &mut held, &mut here], 500);
    plane.gather();
    assert_eq!(plane.told, []);
    plane.media.set_stream(held.call, StreamParams { send: false, ..held.params() });
    talk_until(&mut plane, &mut [&mut here], "the report", |plane| !plane.told.is_empty());
    talk(&mut [&mut here], 700);
    plane.gather();
    assert_eq!(plane.told, [MediaEvent::RtpTimeout { call: gone.call }]);
}
