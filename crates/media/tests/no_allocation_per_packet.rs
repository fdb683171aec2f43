//! Once calls are up, moving and mixing their packets allocates nothing.

mod support;

use plenary_media::{Clip, FeedId, PlayId, PlayTo, RecordingId, RoomId, Volume};
use plenary_recording::{FeedKind, FeedReader, feed};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};
use support::{Phone, Plane, Says, config, talk, tone};

/// Counts the allocations of the whole process; the test itself allocates nothing while it counts.
struct Counting;

static TAKEN: AtomicU64 = AtomicU64::new(0);

// SAFETY: passes all calls on to the system's allocator unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.fetch_add(1, SeqCst);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        TAKEN.fetch_add(1, SeqCst);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn two_seconds_of_ten_calls_that_are_recorded_allocate_nothing() {
    // With RTCP: each call sends several reports in that time.
    let plane = Plane::start(plenary_media::MediaConfig { rtcp_interval_ms: 300, ..config() });
    let mut phones: Vec<Phone> = (0..10)
        .map(|call| {
            plane.dial(call, 1, if call < 3 { tone(400.0 + 300.0 * call as f32) } else { Says::Nothing })
        })
        .collect();
    let mut all: Vec<&mut Phone> = phones.iter_mut().collect();
    // By then queues and outboxes have their size, all talkers have been reported, and lines suspected of an echo, as constant
    // tones are after three seconds, have the memory for its detection.
    talk(&mut all, 4500);
    // One hears a prompt at another volume, one is recorded, one is held, and one is heard by some only.
    let music = || vec![Clip::Beep, Clip::Tone { hz: 500, ms: 300 }];
    plane.media.play(PlayTo::Call(all[4].call), PlayId(1), music(), true);
    plane.media.set_volume(all[4].call, Volume { talk_db: 3.0, hear_db: 3.0 });
    plane.media.record(all[5].call, RecordingId(1));
    plane.media.hold(all[6].call, music());
    plane.media.set_heard_by(all[0].call, Some(vec![all[7].call, all[8].call]));
    // And the room is recorded, first the mix and then each voice.
    for (id, kind) in [(FeedId(1), FeedKind::Mixed), (FeedId(2), FeedKind::Separate)] {
        let (feed, reader) = feed(kind, 1000);
        assert!(plane.media.record_room(RoomId(1), id, feed), "the room is there");
        talk(&mut all, 500);
        let (taken, received, recorded) = two_seconds(&mut all, &reader);
        assert!(received > 900, "{received} packets came");
        assert!(recorded > 90, "{recorded} frames of {kind:?}");
        assert_eq!(taken, 0, "{taken} allocations for {received} packets and {recorded} frames of {kind:?}");
        plane.media.end_room_recording(RoomId(1), id);
    }
}

/// Allocations meanwhile, packets that came, and frames that were recorded. The recorder's threads, which may allocate, are not there: their
/// end of the feed is read here.
fn two_seconds(all: &mut [&mut Phone], reader: &FeedReader) -> (u64, u32, u32) {
    let before = TAKEN.load(SeqCst);
    let began = Instant::now();
    let (mut received, mut recorded) = (0_u32, 0_u32);
    let mut datagram = [0; 1500];
    for tick in 1..=100 {
        for phone in all.iter_mut() {
            phone.speak();
        }
        let next = began + Duration::from_millis(20 * tick);
        thread::sleep(next.saturating_duration_since(Instant::now()));
        for phone in all.iter() {
            while phone.socket.recv(&mut datagram).is_ok() {
                received += 1;
            }
        }
        while let Ok(frame) = reader.next_frame() {
            recorded += u32::from(frame.source.is_some());
            reader.give_back(frame);
        }
    }
    (TAKEN.load(SeqCst) - before, received, recorded)
}
