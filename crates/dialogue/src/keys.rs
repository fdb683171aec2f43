//! Keys that were pressed. Any of them may belong to a PIN, so they are wiped from memory when they are done with, and `Debug`
//! does not show them.

use plenary_conference::Digit;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// A key that a caller pressed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyPress(pub Digit);

impl fmt::Debug for KeyPress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPress(…)")
    }
}

/// Keys that are kept for later, at most: enough for a room number and a PIN. More at once are no caller's.
pub const KEYS_MAX: usize = 32;

#[derive(Clone)]
struct Keys {
    keys: Zeroizing<[u8; KEYS_MAX]>,
    len: usize,
}

impl Keys {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.keys[..self.len]).unwrap_or_default()
    }
}

/// Keys in the order in which they were pressed. They stay in one place of the memory, so that none is left behind elsewhere.
pub(crate) struct KeyBuffer {
    keys: Box<Keys>,
}

impl KeyBuffer {
    pub(crate) fn new() -> Self {
        Self { keys: Box::new(Keys { keys: Zeroizing::new([0; KEYS_MAX]), len: 0 }) }
    }

    /// Appends a key; `false`: there is no room for it.
    pub(crate) fn push(&mut self, key: Digit) -> bool {
        let Ok(key) = u8::try_from(key.as_char()) else { return false };
        let keys = &mut *self.keys;
        let Some(place) = keys.keys.get_mut(keys.len) else { return false };
        *place = key;
        keys.len += 1;
        true
    }

    /// Takes the oldest key out.
    pub(crate) fn pop(&mut self) -> Option<char> {
        let keys = &mut *self.keys;
        if keys.len == 0 {
            return None;
        }
        let key = keys.keys[0];
        keys.keys.copy_within(1..keys.len, 0);
        keys.len -= 1;
        keys.keys[keys.len] = 0;
        Some(char::from(key))
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.len == 0
    }

    pub(crate) fn text(&self) -> &str {
        self.keys.text()
    }

    pub(crate) fn clear(&mut self) {
        self.keys.keys.zeroize();
        self.keys.len = 0;
    }
}

impl fmt::Debug for KeyBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyBuffer(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffer(text: &str) -> KeyBuffer {
        let mut keys = KeyBuffer::new();
        assert!(text.chars().all(|key| keys.push(Digit::new(key).unwrap())));
        keys
    }

    #[test]
    fn keys_come_out_in_their_order_and_leave_nothing_behind() {
        let mut keys = buffer("12#*");
        assert_eq!((keys.pop(), keys.pop(), keys.text(), keys.len()), (Some('1'), Some('2'), "#*", 2));
        keys.clear();
        assert_eq!((keys.pop(), keys.is_empty()), (None, true));
        assert_eq!(*keys.keys.keys, [0; KEYS_MAX]);
        let mut full = buffer(&"7".repeat(KEYS_MAX));
        assert!(!full.push(Digit::new('7').unwrap()));
        while full.pop().is_some() {}
        assert_eq!(*full.keys.keys, [0; KEYS_MAX]);
    }

    #[test]
    fn keys_are_not_shown() {
        let shown = format!("{:?} {:?}", buffer("482913"), KeyPress(Digit::new('4').unwrap()));
        assert!(!shown.contains(|c: char| c.is_ascii_digit()), "{shown}");
    }
}
