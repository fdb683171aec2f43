//! What a receive path plays, piece by piece, for benchmarks.
//!
//! A room's log is `()`, for which nothing is compiled in.

/// A piece of what is played. Lengths are in RTP clock units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// The packet with this number.
    Packet {
        /// Its sequence number.
        sequence: u16,
        /// Its length as sent, also if part of it is merged with its neighbour.
        samples: u32,
    },
    /// A concealment.
    Concealed {
        /// Its length.
        samples: u32,
    },
    /// The stream has not begun, or pauses, until the end of the frame.
    Nothing,
    /// A frame made of its neighbours is inserted before the next packet, so that the delay grows.
    PutIn {
        /// Its length.
        samples: u32,
    },
    /// This frame and the one after it are merged, so that the delay shrinks: the packets in both are played.
    TakenOut {
        /// The output is shorter than the input by this.
        samples: u32,
    },
}

/// What the receive path plays, piece by piece, as it decides it. Positions are in samples from the start of the
/// frame, and may be beyond its end: such pieces are played with the next frame.
pub(super) trait PlayLog {
    /// This is played from `at` on.
    fn note(&mut self, piece: Piece, at: usize);
    /// Two frames of `length` samples became one: pieces from the second one on are played a frame earlier.
    fn merge(&mut self, length: usize);
}

impl PlayLog for () {
    fn note(&mut self, _piece: Piece, _at: usize) {}
    fn merge(&mut self, _length: usize) {}
}

impl PlayLog for Vec<(Piece, usize)> {
    fn note(&mut self, piece: Piece, at: usize) {
        self.push((piece, at));
    }

    fn merge(&mut self, length: usize) {
        for (_, at) in self.iter_mut().filter(|(_, at)| *at >= length) {
            *at -= length;
        }
    }
}
