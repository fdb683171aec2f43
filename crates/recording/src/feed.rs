//! The way of audio from a media thread to the thread that writes it.
//!
//! The media thread neither waits nor allocates nor takes a lock: frames go through a bounded queue in boxes that come back
//! through another one, and the writing thread looks for them on its own. Where the writing thread is behind by the whole pool,
//! frames are dropped and counted; every frame carries its time, so a gap becomes silence of the right length.
//!
//! ```text
//!   media thread ── Feed ──▶ full boxes ──▶ FeedReader ── writing thread
//!                       ◀── empty boxes ◀──
//! ```

use plenary_audio::codec::Rate;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
    mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel},
};

/// Samples of the longest frame.
const SAMPLES_MAX: usize = Rate::Full.frame();
/// Ticks of 20 ms after which the writing thread is told the time, if nothing else comes.
const TICKS_PER_MARK: u64 = 5;

/// What a frame is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrackSource {
    /// The mix, as a listener hears it.
    Mix,
    /// The voice of this call.
    Call(u64),
}

/// What is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedKind {
    /// The mix.
    Mixed,
    /// Each voice.
    Separate,
}

/// 20 ms of a track.
#[derive(Debug)]
pub struct Frame {
    /// Ticks of 20 ms since the beginning of the recording, pauses left out.
    pub tick: u64,
    /// Of which track; `None`: there is nothing more of earlier ticks.
    pub source: Option<TrackSource>,
    /// The rate of the samples.
    pub rate: Rate,
    samples: [i16; SAMPLES_MAX],
}

/// Why there is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFrame {
    /// None has come yet.
    NotYet,
    /// The feed has ended.
    Ended,
}

impl Frame {
    /// The samples.
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        &self.samples[..self.rate.frame()]
    }
}

/// A feed with boxes for so many frames, and the end that reads it.
#[must_use]
pub fn feed(kind: FeedKind, frames: usize) -> (Feed, FeedReader) {
    let frames = frames.max(1);
    let (full, of_writer) = sync_channel(frames);
    let (back, empty) = sync_channel(frames);
    for _ in 0..frames {
        let frame = Frame { tick: 0, source: None, rate: Rate::Full, samples: [0; SAMPLES_MAX] };
        // There is a place for each.
        let _ = back.try_send(Box::new(frame));
    }
    let dropped = Arc::new(AtomicU64::new(0));
    let feed = Feed { kind, full, empty, dropped: Arc::clone(&dropped), tick: 0, is_paused: false };
    (feed, FeedReader { full: of_writer, back, dropped })
}

/// The media thread's end. It is dropped when the recording ends.
#[derive(Debug)]
pub struct Feed {
    kind: FeedKind,
    full: SyncSender<Box<Frame>>,
    empty: Receiver<Box<Frame>>,
    dropped: Arc<AtomicU64>,
    tick: u64,
    is_paused: bool,
}

impl Feed {
    /// What is recorded.
    #[must_use]
    pub fn kind(&self) -> FeedKind {
        self.kind
    }

    /// Nothing is recorded for now.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Pauses, or goes on. What is recorded then follows on what was recorded before.
    pub fn set_paused(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Takes 20 ms of this tick.
    pub fn push(&mut self, source: TrackSource, rate: Rate, samples: &[i16]) {
        if self.is_paused {
            return;
        }
        let Ok(mut frame) = self.empty.try_recv() else {
            // The writing thread is behind by all frames, or has ended.
            self.dropped.fetch_add(1, Relaxed);
            return;
        };
        (frame.tick, frame.source, frame.rate) = (self.tick, Some(source), rate);
        let length = samples.len().min(rate.frame());
        frame.samples[..length].copy_from_slice(&samples[..length]);
        frame.samples[length..rate.frame()].fill(0);
        self.send(frame);
    }

    /// Ends a tick. False: nobody reads the feed any more.
    pub fn end_tick(&mut self) -> bool {
        if self.is_paused {
            return true;
        }
        self.tick += 1;
        if !self.tick.is_multiple_of(TICKS_PER_MARK) {
            return true;
        }
        match self.empty.try_recv() {
            Ok(mut frame) => {
                (frame.tick, frame.source) = (self.tick, None);
                self.send(frame)
            }
            Err(TryRecvError::Empty) => true,
            Err(TryRecvError::Disconnected) => false,
        }
    }

    /// So many ticks could not be made.
    pub fn skip(&mut self, ticks: u32) {
        if !self.is_paused {
            self.tick += u64::from(ticks);
        }
    }

    fn send(&mut self, frame: Box<Frame>) -> bool {
        // As many places as boxes, so it is never full.
        !matches!(self.full.try_send(frame), Err(TrySendError::Disconnected(_)))
    }
}

/// The writing thread's end.
#[derive(Debug)]
pub struct FeedReader {
    full: Receiver<Box<Frame>>,
    back: SyncSender<Box<Frame>>,
    dropped: Arc<AtomicU64>,
}

impl FeedReader {
    /// The next frame.
    ///
    /// # Errors
    /// There is none.
    pub fn next_frame(&self) -> Result<Box<Frame>, NoFrame> {
        self.full.try_recv().map_err(|error| match error {
            TryRecvError::Empty => NoFrame::NotYet,
            TryRecvError::Disconnected => NoFrame::Ended,
        })
    }

    /// Takes the box of a frame back, for another one.
    pub fn give_back(&self, frame: Box<Frame>) {
        let _ = self.back.try_send(frame);
    }

    /// Frames that were dropped so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_carry_their_time_and_those_that_find_no_box_are_counted() {
        let (mut feed, reader) = feed(FeedKind::Mixed, 3);
        for sample in 0..5 {
            feed.push(TrackSource::Mix, Rate::Narrow, &[sample; 160]);
            assert!(feed.end_tick());
        }
        assert_eq!(reader.dropped(), 2);
        for tick in 0..3 {
            let frame = reader.next_frame().expect("a frame");
            assert_eq!((frame.tick, frame.samples()), (tick, &[tick as i16; 160][..]));
            reader.give_back(frame);
        }
        assert_eq!(reader.next_frame().map(|_| ()), Err(NoFrame::NotYet));
        feed.skip(4);
        feed.set_paused(true);
        feed.push(TrackSource::Mix, Rate::Narrow, &[1; 160]);
        assert!(feed.end_tick());
        feed.set_paused(false);
        feed.push(TrackSource::Mix, Rate::Narrow, &[7; 160]);
        assert!(feed.end_tick());
        assert_eq!(reader.next_frame().expect("after the pause").tick, 9);
        let mark = reader.next_frame().expect("a mark at the tenth tick");
        assert_eq!((mark.tick, mark.source), (10, None));
        drop(feed);
        assert_eq!(reader.next_frame().map(|_| ()), Err(NoFrame::Ended));
    }

    #[test]
    fn a_feed_without_a_reader_is_over() {
        let (mut feed, reader) = feed(FeedKind::Separate, 8);
        drop(reader);
        assert!((0..20).any(|_| !feed.end_tick()));
    }
}
