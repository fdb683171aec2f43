//! A caller that sends nothing any more is reported: once, and on hold again and again, as what has to be asked.

mod support;

use plenary_media::{MediaConfig, MediaEvent, StreamParams};
use support::{Plane, Says, config, talk, talk_until};

#[test]
fn a_caller_that_vanishes_is_reported_once_and_one_on_hold_as_such() {
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
    let (vanished, on_hold): (Vec<_>, Vec<_>) =
        plane.told.iter().partition(|event| **event == MediaEvent::RtpTimeout { call: gone.call });
    assert_eq!(vanished.len(), 1);
    assert!(on_hold.len() >= 2, "{on_hold:?}");
    assert!(
        on_hold.iter().all(|event| **event == MediaEvent::HoldTimeout { call: held.call }),
        "{on_hold:?}"
    );
}
