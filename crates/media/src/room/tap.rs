//! Recordings of a room: what a tick hands over.
//!
//! ```text
//!   voices ──▶ each to its track (separate)
//!   total ─▶ limiter ─▶ what all listeners hear, announcements to all included ──▶ the mix (mixed)
//! ```
//!
//! A voice is handed over as the others hear it: after the jitter buffer, concealment and processing, and not while it is muted,
//! on hold, or heard by some only. Silence is not handed over; the recorder knows the time and writes it.

use super::MixRoom;
use crate::FeedId;
use plenary_audio::codec::Rate;
use plenary_recording::{Feed, FeedKind, TrackSource};

/// A recording of the room.
#[derive(Debug)]
pub(crate) struct RecordingTap {
    pub(crate) id: FeedId,
    pub(crate) feed: Feed,
}

impl MixRoom {
    /// Begins to record.
    pub(crate) fn add_tap(&mut self, tap: RecordingTap) {
        self.taps.push(tap);
    }

    /// Records nothing for now, or goes on.
    pub(crate) fn pause_tap(&mut self, id: FeedId, is_paused: bool) {
        if let Some(tap) = self.taps.iter_mut().find(|tap| tap.id == id) {
            tap.feed.set_paused(is_paused);
        }
    }

    /// Ends a recording.
    pub(crate) fn remove_tap(&mut self, id: FeedId) {
        self.taps.retain(|tap| tap.id != id);
    }

    /// So many ticks were left out.
    pub(super) fn skip_taps(&mut self, ticks: u32) {
        self.taps.iter_mut().for_each(|tap| tap.feed.skip(ticks));
    }

    /// Hands over the voices of a tick.
    pub(super) fn tap_voices(&mut self) {
        let Self { taps, heard, members, .. } = self;
        for tap in taps.iter_mut().filter(|tap| tap.feed.kind() == FeedKind::Separate) {
            for index in heard.iter() {
                if let Some(member) = members.get(*index).and_then(Option::as_ref)
                    && let (Some(rate), Some(voice)) = (member.rate(), member.voice())
                {
                    tap.feed.push(TrackSource::Call(member.call.0), rate, voice);
                }
            }
        }
    }

    /// Hands over the mix of a tick, after it was sent, and ends the tick.
    pub(super) fn tap_mix(&mut self) {
        let Self { taps, mixers, voices, plays, scratch, .. } = self;
        let is_wanted = |tap: &RecordingTap| tap.feed.kind() == FeedKind::Mixed && !tap.feed.is_paused();
        if taps.iter().any(is_wanted)
            // The best of the rates: what is above the others is in none of them.
            && let Some(rate) = Rate::ALL.into_iter().rev().find(|rate| mixers[rate.index()].is_some())
            && let Some(mixer) = &mut mixers[rate.index()]
        {
            let frame = mixer.heard_by_all(*voices, plays, &mut scratch.sum);
            taps.iter_mut()
                .filter(|tap| is_wanted(tap))
                .for_each(|tap| tap.feed.push(TrackSource::Mix, rate, frame));
        }
        // One whose recorder has ended goes.
        taps.retain_mut(|tap| tap.feed.end_tick());
    }
}
