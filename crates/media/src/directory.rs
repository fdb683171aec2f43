//! The worker of each room and call.

use crate::{MediaCallId, RoomId};
use std::collections::HashMap;

/// The worker of each room and call. Only the control side reads it: no packet waits for its lock.
#[derive(Debug)]
pub(crate) struct Directory {
    rooms: HashMap<RoomId, RoomEntry>,
    calls: HashMap<MediaCallId, RoomId>,
    calls_of_worker: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
struct RoomEntry {
    worker: usize,
    calls: usize,
}

impl Directory {
    pub(crate) fn new(workers: usize) -> Self {
        Self { rooms: HashMap::new(), calls: HashMap::new(), calls_of_worker: vec![0; workers] }
    }

    /// Adds a call and returns its worker; a new room goes to the worker with the fewest calls. `None`: the call is
    /// already there.
    pub(crate) fn insert(&mut self, call: MediaCallId, room: RoomId) -> Option<usize> {
        if self.calls.contains_key(&call) {
            return None;
        }
        let fewest =
            (0..self.calls_of_worker.len()).min_by_key(|worker| self.calls_of_worker[*worker]).unwrap_or(0);
        let entry = self.rooms.entry(room).or_insert(RoomEntry { worker: fewest, calls: 0 });
        entry.calls += 1;
        self.calls_of_worker[entry.worker] += 1;
        self.calls.insert(call, room);
        Some(entry.worker)
    }

    /// Moves a call to another room; a new one goes to the worker with the fewest calls. Returns the call's worker before
    /// and after. `None`: the call is not open, or is in that room.
    pub(crate) fn move_call(&mut self, call: MediaCallId, room: RoomId) -> Option<(usize, usize)> {
        let before = self.worker_of(call)?;
        if self.calls.get(&call) == Some(&room) {
            return None;
        }
        self.remove(call);
        Some((before, self.insert(call, room)?))
    }

    /// Removes a call, and its room with the last one. Unknown calls are ignored.
    pub(crate) fn remove(&mut self, call: MediaCallId) {
        let Some(room) = self.calls.remove(&call) else { return };
        let Some(entry) = self.rooms.get_mut(&room) else { return };
        entry.calls -= 1;
        self.calls_of_worker[entry.worker] -= 1;
        if entry.calls == 0 {
            self.rooms.remove(&room);
        }
    }

    pub(crate) fn worker_of(&self, call: MediaCallId) -> Option<usize> {
        self.worker_of_room(*self.calls.get(&call)?)
    }

    pub(crate) fn worker_of_room(&self, room: RoomId) -> Option<usize> {
        self.rooms.get(&room).map(|entry| entry.worker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_room_goes_to_the_worker_with_the_fewest_calls_and_keeps_it_until_its_last_call_is_gone() {
        let mut directory = Directory::new(2);
        let mut insert = |call, room| directory.insert(MediaCallId(call), RoomId(room));
        assert_eq!(
            [insert(1, 1), insert(2, 1), insert(3, 2), insert(4, 3)],
            [Some(0), Some(0), Some(1), Some(1)]
        );
        assert_eq!(insert(1, 3), None, "it is already there");
        assert_eq!(directory.calls_of_worker, [2, 2]);

        directory.remove(MediaCallId(1));
        directory.remove(MediaCallId(1));
        assert_eq!(directory.calls_of_worker, [1, 2]);
        assert_eq!(directory.worker_of(MediaCallId(1)), None);
        assert_eq!(directory.worker_of_room(RoomId(1)), Some(0));
        for call in 2..=4 {
            directory.remove(MediaCallId(call));
        }
        assert_eq!(directory.calls_of_worker, [0, 0]);
        assert!(directory.rooms.is_empty() && directory.calls.is_empty());
    }

    #[test]
    fn a_call_that_moves_counts_for_the_worker_of_its_new_room() {
        let mut directory = Directory::new(2);
        for (call, room) in [(1, 1), (2, 2), (3, 2)] {
            directory.insert(MediaCallId(call), RoomId(room));
        }
        assert_eq!(directory.calls_of_worker, [1, 2]);
        assert_eq!(directory.move_call(MediaCallId(2), RoomId(1)), Some((1, 0)));
        assert_eq!(directory.calls_of_worker, [2, 1]);
        assert_eq!(directory.move_call(MediaCallId(2), RoomId(1)), None, "it is there");
        assert_eq!(directory.move_call(MediaCallId(9), RoomId(1)), None, "it is not open");
        // The last call of a room takes the room with it; a new room goes to the worker with fewer calls.
        assert_eq!(directory.move_call(MediaCallId(3), RoomId(1)), Some((1, 0)));
        assert_eq!(directory.worker_of_room(RoomId(2)), None);
        assert_eq!(directory.move_call(MediaCallId(3), RoomId(4)), Some((0, 1)));
        assert_eq!(directory.calls_of_worker, [2, 1]);
    }
}
