//! Tools of this crate's tests.

use crate::{KeyPress, Speech, spoken::Item};
use plenary_conference::Digit;
use plenary_speech::Saying;

pub(crate) fn key(key: char) -> KeyPress {
    KeyPress(Digit::new(key).expect("a key of a telephone"))
}

/// What is said, as names of prompts, and other items as they are written in Rust.
pub(crate) fn said(speech: &Speech) -> Vec<String> {
    let item = |item: &Item| match item {
        Item::Say(Saying::Prompt(prompt)) => prompt.name().to_owned(),
        Item::Say(saying) => format!("{saying:?}"),
        Item::List(list) => list.0.join(" "),
    };
    speech.items.iter().map(item).collect()
}

/// Numbers that look random and are the same each time (xorshift64*).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end
    }

    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let place = usize::try_from(self.below(of.len() as u64)).unwrap_or(0);
        &of[place]
    }
}
