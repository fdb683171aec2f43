//! A call from which no packets arrive is reported repeatedly: as silent, whether it fell silent or never sent, or as on
//! hold.

mod support;

use plenary_media::{MediaConfig, MediaEvent, StreamParams};
use support::{Plane, Says, config, talk, talk_until};

#[test]
fn a_call_without_packets_is_reported_as_silent_or_on_hold() {
    let mut plane = Plane::start(MediaConfig { rtp_timeout_ms: 300, ..config() });
    let (mut silent, mut held) = (plane.dial(1, 1, Says::Nothing), plane.dial(2, 1, Says::Nothing));
    let mut here = plane.dial(3, 1, Says::Nothing);
    talk(&mut [&mut silent, &mut held, &mut here], 500);
    plane.gather();
    assert_eq!(plane.received, []);
    plane.media.set_stream(held.call, StreamParams { send: false, ..held.params() });
    let never = plane.dial(4, 1, Says::Nothing);
    let expected = [
        (MediaEvent::SilenceTimeout { call: never.call }, 2),
        (MediaEvent::SilenceTimeout { call: silent.call }, 2),
        (MediaEvent::HoldTimeout { call: held.call }, 2),
    ];
    let count = |plane: &Plane, event: &MediaEvent| {
        plane.received.iter().filter(|received| *received == event).count()
    };
    talk_until(&mut plane, &mut [&mut here], "the reports", |plane| {
        expected.iter().all(|(event, times)| count(plane, event) >= *times)
    });
    assert!(
        plane.received.iter().all(|received| expected.iter().any(|(event, _)| event == received)),
        "{:?}",
        plane.received
    );
}

/// One that has sent packets before it fell silent is only asked.
#[test]
fn a_caller_of_whom_nothing_ever_came_is_reported_as_never_heard_after_the_limit() {
    assert_eq!(MediaConfig::default().rtp_never_ms, 0, "who answers is kept, unless that is wanted");
    let mut plane = Plane::start(MediaConfig { rtp_timeout_ms: 300, rtp_never_ms: 700, ..config() });
    let mut silent = plane.dial(1, 1, Says::Nothing);
    let mut here = plane.dial(2, 1, Says::Nothing);
    talk(&mut [&mut silent, &mut here], 100);
    let never = plane.dial(3, 1, Says::Nothing);
    let asked = MediaEvent::SilenceTimeout { call: silent.call };
    talk_until(&mut plane, &mut [&mut here], "the reports", |plane| {
        plane.received.contains(&MediaEvent::NeverHeard { call: never.call })
            && plane.received.iter().filter(|event| **event == asked).count() >= 4
    });
    let is_never = |event: &&MediaEvent| matches!(event, MediaEvent::NeverHeard { .. });
    assert_eq!(plane.received.iter().filter(is_never).count(), 1, "{:?}", plane.received);
}
