//! Numbers as attribute values say them: as long as any, and short ones in one word.

use crate::model::Level;

/// The number that 1 to 20 decimal digits say, if 64 bits hold it.
#[inline]
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    /// So many digits always fit.
    const SAFE_DIGITS: usize = 19;
    let (safe, last) = match digits.split_at_checked(SAFE_DIGITS) {
        None if digits.is_empty() => return None,
        None => (digits, None),
        Some((safe, [])) => (safe, None),
        Some((safe, [last])) => (safe, Some(*last)),
        Some(_) => return None,
    };
    let mut number = 0_u64;
    let mut all_digits = true;
    for byte in safe {
        let digit = byte.wrapping_sub(b'0');
        all_digits &= digit <= 9;
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    if !all_digits {
        return None;
    }
    let Some(last) = last else {
        return Some(number);
    };
    last.is_ascii_digit().then_some(())?;
    number.checked_mul(10)?.checked_add(u64::from(last - b'0'))
}

/// The number that decimal digits say, with a minus before them or not, if 64 bits with a sign hold it.
pub(super) fn signed(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => {
            decimal(digits).and_then(|number| 0_i64.checked_sub_unsigned(number))
        }
        digits => decimal(digits).and_then(|number| i64::try_from(number).ok()),
    }
}

/// The level that `text` says.
pub(super) fn level(text: &[u8]) -> Option<Level> {
    let amount = |digits: &[u8]| decimal(digits).and_then(|number| u32::try_from(number).ok());
    match text {
        b"some" => Some(Level::Some),
        b"unknown" => Some(Level::Unknown),
        b"unlimited" => Some(Level::Unlimited),
        [digits @ .., b'%'] => amount(digits).map(Level::Percent),
        digits => amount(digits).map(Level::Amount),
    }
}

/// The number that the first `length` bytes of `word` (1 to 8, the first the lowest) say in decimal, all at once: the digits are moved to the end of the
/// word; then neighbours are added up, by ones, twos and fours.
#[inline(always)]
pub(super) const fn short_decimal(word: u64, length: u32) -> Option<u64> {
    const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    /// What reaches the high bit with 10 and more, and does not with 9.
    const TOO_HIGH: u64 = u64::from_le_bytes([0x76; 8]);
    let Some(ones) = (word ^ ZEROS).checked_shl(64 - 8 * length) else {
        return None;
    };
    // A byte that is carried into follows one that has the high bit itself.
    if (ones | ones.wrapping_add(TOO_HIGH)) & HIGHS != 0 {
        return None;
    }
    let twos = (ones.wrapping_mul(1 + (10 << 8)) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (twos.wrapping_mul(1 + (100 << 16)) >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(1 + (10_000 << 32)) >> 32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn short(text: &str) -> Option<u64> {
        let mut bytes = *b"\"/><mete";
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        short_decimal(
            u64::from_le_bytes(bytes),
            u32::try_from(text.len()).unwrap(),
        )
    }

    proptest! {
        #[test]
        fn short_numbers_read_as_long_ones_do(bytes in proptest::collection::vec(0x20_u8..0x7f, 1..=8), number in 0_u64..100_000_000) {
            let text = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(short(&text), decimal(text.as_bytes()));
            let text = number.to_string();
            if text.len() <= 8 {
                prop_assert_eq!(short(&text), Some(number));
            }
        }
    }

    #[test]
    fn every_foreign_byte_in_a_short_number_is_refused() {
        for byte in 0..=255_u8 {
            for at in 0..3 {
                let mut bytes = *b"123\"/>..";
                bytes[at] = byte;
                let there = byte.is_ascii_digit();
                let word = u64::from_le_bytes(bytes);
                assert_eq!(short_decimal(word, 3).is_some(), there, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn long_numbers_end_where_64_bits_end() {
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(decimal(b"18446744073709551616"), None);
        assert_eq!(decimal(b"00000000000000000001"), Some(1));
        assert_eq!(decimal(b"000000000000000000001"), None);
        assert_eq!(decimal(b"9999999999999999999x"), None);
        assert_eq!(decimal(b""), None);
        assert_eq!(short_decimal(0, 0), None);
    }
}
