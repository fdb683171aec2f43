//! The numbers of an account's rooms.

/// Numbers of rooms, to tell by the keys pressed so far whether a number is complete. One list serves all calls of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoomNumbers(Vec<String>);

impl RoomNumbers {
    /// Of these numbers.
    #[must_use]
    pub fn new(numbers: impl IntoIterator<Item = String>) -> Self {
        let mut numbers: Vec<String> = numbers.into_iter().collect();
        numbers.sort_unstable();
        numbers.dedup();
        Self(numbers)
    }

    /// The number of the only room; `None` where there is none, or more than one.
    pub(crate) fn single(&self) -> Option<&str> {
        match self.0.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, number: &str) -> bool {
        self.0.binary_search_by(|known| known.as_str().cmp(number)).is_ok()
    }

    /// It is the number of a room, and no longer number begins with it.
    pub(crate) fn is_complete(&self, number: &str) -> bool {
        // Those that begin with it follow it in order.
        match self.0.binary_search_by(|known| known.as_str().cmp(number)) {
            Ok(place) => self.0.get(place + 1).is_none_or(|next| !next.starts_with(number)),
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_complete_when_no_longer_one_begins_with_it() {
        let numbers = RoomNumbers::new(["12", "1", "123", "2", "1299", "2"].map(str::to_owned));
        for (number, is_known, is_complete) in [
            ("1", true, false),
            ("12", true, false),
            ("123", true, true),
            ("1299", true, true),
            ("2", true, true),
            ("", false, false),
            ("129", false, false),
            ("3", false, false),
            ("1234", false, false),
        ] {
            assert_eq!(
                (numbers.contains(number), numbers.is_complete(number)),
                (is_known, is_complete),
                "{number}"
            );
        }
        assert_eq!(numbers.single(), None);
        assert_eq!(RoomNumbers::new(["7".to_owned()]).single(), Some("7"));
        assert!(RoomNumbers::default().is_empty());
    }
}
