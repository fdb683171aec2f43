//! The counts of the plane over all its calls, and the RTCP reports that it shows.

mod support;

use plenary_media::{CallStats, MediaConfig, MediaEvent, RtcpReport, RtcpTap};
use plenary_rtp::rtcp::{self, RtcpItem};
use std::time::{Duration, Instant};
use support::{Phone, Plane, config, talk, tone};

/// The final statistics of so many calls.
fn closed(plane: &mut Plane, calls: usize) -> Vec<CallStats> {
    let began = Instant::now();
    loop {
        plane.gather();
        let stats = plane.received.iter().filter_map(|event| match event {
            MediaEvent::Closed { stats, .. } => Some(**stats),
            _ => None,
        });
        let stats: Vec<CallStats> = stats.collect();
        if stats.len() == calls {
            return stats;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{stats:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_calls_received_and_sent_is_counted_once_they_are_over() {
    let mut plane = Plane::start(MediaConfig { rtcp_interval_ms: 200, ..config() });
    let mut phones: Vec<Phone> = (0..3).map(|n| plane.dial(n, 1, tone(440.0))).collect();
    let mut all: Vec<&mut Phone> = phones.iter_mut().collect();
    talk(&mut all, 1000);
    let during = plane.media.counts();
    assert!(during.packets_received > 0 && during.packets_sent > 0, "{during:?}");
    all.iter().for_each(|phone| plane.media.close(phone.call));
    let closed = closed(&mut plane, 3);
    let counts = plane.media.counts();
    let sum = |of: fn(&CallStats) -> u64| closed.iter().map(of).sum::<u64>();
    assert_eq!(counts.packets_received, sum(|stats| stats.packets_received));
    assert_eq!(counts.packets_sent, sum(|stats| stats.packets_sent));
    // One that came late after all stays counted.
    assert!(counts.packets_lost >= sum(|stats| stats.packets_lost));
    assert_eq!(counts.frames_concealed, sum(|stats| stats.frames_concealed));
    assert!(counts.lateness.buckets.iter().sum::<u64>() >= 40, "a second of ticks: {counts:?}");
    assert!(counts.jitter.buckets.iter().sum::<u64>() >= 3, "{counts:?}");
}

#[test]
fn reports_are_shown_as_they_are_sent() {
    let (sender, tap) = RtcpTap::new(100);
    let plane = Plane::start(MediaConfig { rtcp_interval_ms: 200, rtcp: Some(sender), ..config() });
    let mut phone = plane.dial(7, 1, tone(440.0));
    talk(&mut [&mut phone], 1000);
    let shown: Vec<RtcpReport> = std::iter::from_fn(|| tap.take()).collect();
    assert!(shown.len() >= 2, "{} reports", shown.len());
    for report in shown {
        assert!(report.is_sent && report.call == phone.call, "{report:?}");
        assert_eq!(report.remote.ip(), phone.socket.local_addr().expect("bound").ip());
        let mut reports = 0;
        assert!(rtcp::read(report.bytes(), |item| {
            reports += u32::from(matches!(item, RtcpItem::Report { .. }));
        }));
        assert_eq!(reports, 1);
    }
}
