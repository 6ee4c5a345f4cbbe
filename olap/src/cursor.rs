//! Opaque cursors: where a list stopped.
//!
//! A cursor is the kind of its list and one number, with a check sum so that a cut or mistyped one is told apart from a
//! good one. It holds no server state: it survives restarts, upgrades and a restore.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Which list a cursor belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum List {
    /// Devices in the order in which they became known.
    Devices,
    /// Readings in the total order (Rule 2).
    Readings,
    /// Events in the total order.
    Events,
    /// Alerts in the total order.
    Alerts,
}

impl List {
    const fn letter(self) -> char {
        match self {
            Self::Devices => 'd',
            Self::Readings => 'r',
            Self::Events => 'e',
            Self::Alerts => 'a',
        }
    }
}

/// Where a list stopped: everything up to and including `after` was given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The list.
    pub list: List,
    /// The last place given out.
    pub after: u64,
}

/// A text that is no cursor, or one of another list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list: {text:?} (take it unchanged from the answer before)")]
pub struct CursorError {
    /// What was given, cut to 80 characters.
    pub text: String,
}

impl CursorError {
    fn new(text: &str) -> Self {
        Self {
            text: text.chars().take(80).collect(),
        }
    }
}

impl Cursor {
    /// The cursor of `list` after `after`.
    #[must_use]
    pub const fn new(list: List, after: u64) -> Self {
        Self { list, after }
    }

    /// The place after which to go on: that of `cursor` if it belongs to `list`, 0 without one.
    ///
    /// # Errors
    /// [`CursorError`] when it belongs to another list.
    pub fn place(cursor: Option<Self>, list: List) -> Result<u64, CursorError> {
        match cursor {
            None => Ok(0),
            Some(cursor) if cursor.list == list => Ok(cursor.after),
            Some(cursor) => Err(CursorError::new(&cursor.to_string())),
        }
    }

    /// Two hex digits that change with every single mistyped digit.
    fn check(letter: char, after: u64) -> u8 {
        after
            .to_be_bytes()
            .iter()
            .fold(letter as u8 ^ 0x5a, |sum, byte| {
                sum.rotate_left(3).wrapping_mul(5).wrapping_add(*byte)
            })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = self.list.letter();
        let check = Self::check(letter, self.after);
        write!(f, "{letter}1-{:x}-{check:02x}", self.after)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let refused = || CursorError::new(text);
        let list = [List::Devices, List::Readings, List::Events, List::Alerts]
            .into_iter()
            .find(|list| text.starts_with(list.letter()))
            .ok_or_else(refused)?;
        let (number, check) = text[1..]
            .strip_prefix("1-")
            .and_then(|rest| rest.split_once('-'))
            .ok_or_else(refused)?;
        let after = u64::from_str_radix(number, 16).map_err(|_| refused())?;
        let cursor = Self { list, after };
        // The one canonical text, or none: signs, capitals and leading zeros are no cursors of ours.
        if check.len() == 2 && cursor.to_string() == text {
            Ok(cursor)
        } else {
            Err(refused())
        }
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_belongs_to_one_list() {
        for after in [0, 1, 4_711, u64::MAX] {
            let cursor = Cursor::new(List::Readings, after);
            let again: Cursor = cursor.to_string().parse().unwrap();
            assert_eq!(Cursor::place(Some(again), List::Readings), Ok(after));
            assert!(Cursor::place(Some(again), List::Devices).is_err());
        }
        assert_eq!(Cursor::place(None, List::Alerts), Ok(0));
    }

    #[test]
    fn what_was_cut_mistyped_or_invented_is_refused() {
        let good = Cursor::new(List::Devices, 0x1234_abcd).to_string();
        for bad in [
            "",
            "1",
            "d",
            "ü1-0-00",
            "d1-+1-00",
            "d1-1",
            "d2-1-00",
            &good[..good.len() - 1],
            &good.replace("1234", "1235"),
            &good.replace('d', "r"),
            &good.to_uppercase(),
        ] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
