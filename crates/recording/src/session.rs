//! A recording that is being written: its folder, its tracks, and the feed that brings the audio.

use crate::{
    Archive, StoredFile, archive,
    feed::{FeedReader, Frame, NoFrame, TrackSource},
    manifest,
    track::{Track, TrackError},
    wall_ms,
};
use plenary_audio::opus;
use plenary_model::{
    RecordedParticipant, RecordedTrack, RecordedTracks, RecordingEnd as EndReason, RecordingFailure,
    RecordingManifest, RecordingPause, RecordingState,
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc};
use tracing::{debug, warn};

/// Length of a tick.
const TICK_MS: u64 = 20;
/// Frames that are taken at once before other recordings have their turn.
pub(crate) const FRAMES_AT_ONCE: usize = 500;

/// Something about a recording that does not come with the audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A participant is in the conference, with the number of its call.
    Joined {
        /// The call, as in [`TrackSource::Call`].
        call: u64,
        /// The participant's id.
        participant_id: String,
        /// Its name, as it is shown.
        display_name: Option<String>,
    },
    /// A participant has heard that the conference is recorded.
    Told {
        /// The participant's id.
        participant_id: String,
    },
    /// Nothing is recorded from now on, or it goes on.
    Paused(bool),
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) folder: PathBuf,
    pub(crate) manifest: RecordingManifest,
    archive: Archive,
    reader: Option<FeedReader>,
    /// With their places in the manifest.
    tracks: BTreeMap<TrackSource, (usize, Track)>,
    /// The participant of each call.
    participants: BTreeMap<u64, String>,
    /// Ticks up to here are complete.
    ticks: u64,
    /// The manifest in the folder is older.
    is_changed: bool,
    /// By how much it plays and has lost, as that manifest says.
    noted: (u64, u64),
    /// It took as many frames as are taken at once: more may wait.
    is_behind: bool,
    /// Audio that was reported as lost, in milliseconds.
    reported: u64,
    /// The disk did not take something: the files are repaired as after a crash.
    pub(crate) is_damaged: bool,
}

/// A manifest on its way to the disk.
#[derive(Debug)]
pub(crate) struct UnwrittenManifest {
    /// Of this recording.
    pub(crate) id: String,
    /// Where it belongs.
    pub(crate) folder: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

/// What came of a look at the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pumped {
    GoesOn,
    Ended(EndReason),
}

impl Session {
    /// The folder is there, and empty.
    pub(crate) fn begin(
        folder: PathBuf,
        manifest: RecordingManifest,
        reader: FeedReader,
        archive: &Archive,
        fresh: &opus::Encoder,
    ) -> io::Result<Self> {
        let mut session = Self {
            folder,
            manifest,
            archive: archive.clone(),
            reader: Some(reader),
            tracks: BTreeMap::new(),
            participants: BTreeMap::new(),
            ticks: 0,
            is_changed: false,
            noted: (0, 0),
            is_behind: false,
            reported: 0,
            is_damaged: false,
        };
        manifest::reserve(&session.folder)?;
        manifest::write(&session.folder, &manifest::to_bytes(&session.manifest)?)?;
        if session.manifest.tracks_kind == RecordedTracks::Mixed {
            session.open(TrackSource::Mix, 0, fresh).map_err(|error| match error {
                TrackError::Io(error) => error,
                TrackError::Full => io::Error::other("a file is full before its beginning"),
            })?;
        }
        Ok(session)
    }

    fn open(&mut self, source: TrackSource, tick: u64, fresh: &opus::Encoder) -> Result<(), TrackError> {
        let number = u32::try_from(self.manifest.tracks.len() + 1).unwrap_or(u32::MAX);
        let format = self.manifest.format;
        let (stem, participant_id) = match source {
            TrackSource::Mix => ("mixed".to_owned(), None),
            TrackSource::Call(call) => (format!("track-{number}"), self.participants.get(&call).cloned()),
        };
        let file = format!("{stem}.{}", format.extension());
        self.manifest.tracks.push(RecordedTrack {
            number,
            file: file.clone(),
            participant_id,
            offset_ms: tick * TICK_MS,
            bytes: 0,
            sha256: None,
        });
        self.is_changed = true;
        let created = StoredFile::create(&self.folder.join(file), self.archive.keys())?;
        let serial = serial(&self.manifest.id, number);
        let track = Track::begin(created, format, serial, fresh)?;
        self.tracks.insert(source, (self.manifest.tracks.len() - 1, track));
        Ok(())
    }

    /// Writes what has come.
    pub(crate) fn pump(&mut self, fresh: &opus::Encoder) -> Pumped {
        let Some(reader) = self.reader.take() else { return Pumped::Ended(EndReason::Stopped) };
        let pumped = self.take_frames(&reader, fresh);
        let pumped = match pumped {
            Ok(pumped) => pumped,
            Err(TrackError::Full) => Pumped::Ended(EndReason::TooLong),
            Err(TrackError::Io(error)) => {
                warn!(recording = %self.manifest.id, %error, "a recording cannot be written on");
                self.is_damaged = true;
                Pumped::Ended(failure_of(&error).into())
            }
        };
        self.manifest.lost_ms = reader.dropped() * TICK_MS;
        if pumped == Pumped::GoesOn {
            self.reader = Some(reader);
        }
        self.manifest.duration_ms = self.ticks * TICK_MS;
        pumped
    }

    /// The manifest, if it has changed, for a thread that may wait for the disk.
    pub(crate) fn poll_manifest(&mut self) -> Option<UnwrittenManifest> {
        let is_changed = std::mem::take(&mut self.is_changed);
        if is_changed {
            self.noted = (self.manifest.duration_ms, self.manifest.lost_ms);
        }
        let bytes = manifest::to_bytes(&self.manifest).ok().filter(|_| is_changed)?;
        Some(UnwrittenManifest { id: self.manifest.id.clone(), folder: self.folder.clone(), bytes })
    }

    /// Has the manifest follow what was recorded since.
    pub(crate) fn note_length(&mut self) {
        self.is_changed |= self.noted != (self.manifest.duration_ms, self.manifest.lost_ms);
    }

    /// More audio may wait than was taken at once.
    pub(crate) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// It could not be handed over.
    pub(crate) fn keep_manifest(&mut self) {
        self.is_changed = true;
    }

    fn take_frames(&mut self, reader: &FeedReader, fresh: &opus::Encoder) -> Result<Pumped, TrackError> {
        self.is_behind = true;
        for _ in 0..FRAMES_AT_ONCE {
            let frame = match reader.next_frame() {
                Ok(frame) => frame,
                Err(NoFrame::Ended) => return Ok(Pumped::Ended(EndReason::Stopped)),
                Err(NoFrame::NotYet) => {
                    self.is_behind = false;
                    break;
                }
            };
            let taken = match frame.source {
                Some(source) => self.take_frame(source, &frame, fresh),
                None => {
                    self.ticks = self.ticks.max(frame.tick);
                    Ok(())
                }
            };
            reader.give_back(frame);
            taken?;
        }
        self.level(fresh)?;
        Ok(Pumped::GoesOn)
    }

    fn take_frame(
        &mut self,
        source: TrackSource,
        frame: &Frame,
        fresh: &opus::Encoder,
    ) -> Result<(), TrackError> {
        if !self.tracks.contains_key(&source) {
            self.open(source, frame.tick, fresh)?;
        }
        // Of this tick more may come, of the ones before nothing.
        self.ticks = self.ticks.max(frame.tick);
        let Some((_, track)) = self.tracks.get_mut(&source) else { return Ok(()) };
        track.silence_until(frame.tick, fresh)?;
        // A call that moves to and fro can be heard twice in a tick.
        if track.frames() == frame.tick {
            track.push(frame.rate, frame.samples(), fresh)?;
        }
        Ok(())
    }

    /// Brings all tracks to the same length.
    fn level(&mut self, fresh: &opus::Encoder) -> Result<(), TrackError> {
        for (_, track) in self.tracks.values_mut() {
            track.silence_until(self.ticks, fresh)?;
        }
        Ok(())
    }

    /// Milliseconds of audio that were lost since the last call.
    pub(crate) fn newly_lost_ms(&mut self) -> u64 {
        let lost = self.manifest.lost_ms - self.reported;
        self.reported = self.manifest.lost_ms;
        lost
    }

    /// The files, to have them on the disk, each with the id of the recording.
    pub(crate) fn files(&self) -> impl Iterator<Item = (String, Arc<StoredFile>)> {
        self.tracks.values().map(|(_, track)| (self.manifest.id.clone(), Arc::clone(track.output().file())))
    }

    pub(crate) fn note(&mut self, note: Note) {
        let now = wall_ms();
        self.is_changed = true;
        match note {
            Note::Joined { call, participant_id, display_name } => {
                self.participants.insert(call, participant_id.clone());
                match manifest::participant(&mut self.manifest, &participant_id) {
                    Some(participant) => participant.display_name = display_name,
                    None => self.manifest.participants.push(RecordedParticipant {
                        participant_id: participant_id.clone(),
                        display_name,
                        joined_at_ms: now,
                        told_at_ms: None,
                    }),
                }
                // The audio may have come first.
                if let Some((place, _)) = self.tracks.get(&TrackSource::Call(call)) {
                    self.manifest.tracks[*place].participant_id = Some(participant_id);
                }
            }
            Note::Told { participant_id } => {
                if let Some(participant) = manifest::participant(&mut self.manifest, &participant_id) {
                    participant.told_at_ms.get_or_insert(now);
                }
            }
            Note::Paused(true) => {
                if self.manifest.pauses.last().is_none_or(|pause| pause.ended_at_ms.is_some()) {
                    let at_ms = self.ticks * TICK_MS;
                    self.manifest.pauses.push(RecordingPause { at_ms, began_at_ms: now, ended_at_ms: None });
                }
            }
            Note::Paused(false) => {
                if let Some(pause) = self.manifest.pauses.last_mut() {
                    pause.ended_at_ms.get_or_insert(now);
                }
            }
        }
    }

    /// Ends all files. The rest is [`Ended::settle`], which takes time.
    pub(crate) fn finish(mut self, reason: EndReason, fresh: &opus::Encoder) -> Ended {
        // So that the feed is over for the media thread as well.
        self.reader = None;
        // By its state it runs until its files are complete.
        self.manifest.end_reason = Some(reason);
        self.manifest.ended_at_ms = Some(wall_ms());
        let longest = self.tracks.values().map(|(_, track)| track.frames()).max();
        self.ticks = self.ticks.max(longest.unwrap_or(0));
        let mut is_whole = !self.is_damaged && self.level(fresh).is_ok();
        if is_whole {
            for (_, track) in self.tracks.values_mut() {
                is_whole &= track.finish().is_ok();
            }
        }
        self.manifest.duration_ms = self.ticks * TICK_MS;
        Ended { folder: self.folder, manifest: self.manifest, archive: self.archive, is_whole }
    }
}

/// A recording whose files are closed.
#[derive(Debug)]
pub(crate) struct Ended {
    folder: PathBuf,
    pub(crate) manifest: RecordingManifest,
    archive: Archive,
    /// Every file was ended; otherwise they are repaired as after a crash.
    is_whole: bool,
}

impl Ended {
    /// Notes in the folder that it has ended, and why: a start that has to complete its files knows it from there.
    pub(crate) fn note_end(&self) {
        let noted =
            manifest::to_bytes(&self.manifest).and_then(|bytes| manifest::write(&self.folder, &bytes));
        if let Err(error) = noted {
            // Its last manifest has space of its own.
            debug!(recording = %self.manifest.id, %error, "that a recording has ended is noted once its files are complete");
        }
    }

    /// Has the files on the disk, takes their hashes, and says so in the manifest.
    pub(crate) fn settle(mut self) -> RecordingManifest {
        if let Err(error) = archive::settle(&self.folder, &mut self.manifest, !self.is_whole, &self.archive) {
            warn!(recording = %self.manifest.id, %error, "a recording could not be completed; the next start repairs it");
            self.manifest.end_reason = Some(failure_of(&error).into());
            self.manifest.state = RecordingState::Failed;
        }
        self.manifest
    }
}

/// Why a disk does not take something.
pub(crate) fn failure_of(error: &io::Error) -> RecordingFailure {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => RecordingFailure::StorageFull,
        _ => RecordingFailure::StorageFailed,
    }
}

/// The serial number of a stream: the same in all pages of a file, and different in the files of a recording.
fn serial(id: &str, number: u32) -> u32 {
    let hash = Sha256::digest(id.as_bytes());
    u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]).wrapping_add(number)
}
