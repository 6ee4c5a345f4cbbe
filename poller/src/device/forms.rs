//! How a value becomes a number: integers of any type, digits, floats, and the fields of Brother's lists and Epson's status.

use super::{facts, text};
use crate::profile::Form;
use crate::value::Value;

/// A value as a count; negative numbers and other nonsense are none.
#[must_use]
pub fn count(value: &Value, form: Form) -> Option<u64> {
    if let Value::Counter64(n) = value {
        return Some(*n);
    }
    if let Some(n) = facts::integer(value) {
        return u64::try_from(n).ok();
    }
    let Value::OctetString(octets) = value else {
        return None;
    };
    match form {
        Form::Number => text::decode(octets, None).parse().ok(),
        Form::LeadingDigits => {
            let text = text::decode(octets, None);
            let digits = text.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        }
        Form::Float32 => {
            let number = f32::from_be_bytes(octets.as_slice().try_into().ok()?);
            let sane = number.is_finite() && (0.0..1e12).contains(&number);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "finite, not negative, below 1e12"
            )]
            sane.then(|| number.round() as u64)
        }
        Form::Tlv(tag) => {
            // One byte is a code and two are a fraction (quirk B2): neither is a count.
            let value = tagged(octets, tag).filter(|value| matches!(value.len(), 4 | 8))?;
            Some(
                value
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            )
        }
        Form::St2 { tag, item } => st2(octets, tag, item),
        Form::TlvFraction(tag) => match tagged(octets, tag)? {
            [part, whole] if part <= whole && *whole > 0 => {
                Some(u64::from(*part) * 10_000 / u64::from(*whole))
            }
            _ => None,
        },
    }
}

/// A field of an Epson status: `@BDC ST2` CR LF, the length (two bytes, low one first), then fields of tag, length and value. The list of
/// inks begins with the size of an item, which begins with cartridge, colour code and level in per cent. Levels beyond 100 are codes.
fn st2(octets: &[u8], tag: u8, item: Option<u8>) -> Option<u64> {
    let [_, _, fields @ ..] = octets.strip_prefix(b"@BDC ST2\r\n")? else {
        return None;
    };
    let mut rest = fields;
    let value = loop {
        let [found, length, tail @ ..] = rest else {
            return None;
        };
        let (value, tail) = tail.split_at_checked(usize::from(*length))?;
        if *found == tag {
            break value;
        }
        rest = tail;
    };
    let level = match (item, value) {
        (None, [level]) => *level,
        (Some(colour), [size, items @ ..]) if *size >= 3 => {
            let mut items = items.chunks_exact(usize::from(*size));
            *items.find(|item| item[1] == colour)?.get(2)?
        }
        _ => return None,
    };
    (level <= 100).then_some(u64::from(level))
}

/// The value of a tag in Brother's list: tag, 01, length, big-endian value, …, FF.
fn tagged(octets: &[u8], tag: u8) -> Option<&[u8]> {
    let mut rest = octets;
    while let [found, 0x01, length, tail @ ..] = rest {
        if *found == 0xff {
            return None;
        }
        let (value, tail) = tail.split_at_checked(usize::from(*length))?;
        if *found == tag {
            return Some(value);
        }
        rest = tail;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(hex: &str) -> Value {
        let digits = hex.as_bytes().chunks_exact(2);
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        Value::OctetString(digits.map(|pair| byte(pair).unwrap()).collect())
    }

    #[test]
    fn numbers_come_in_many_types() {
        for (value, form, expected) in [
            (Value::Integer(7), Form::Number, Some(7)),
            (Value::Integer(-2), Form::Number, None),
            (Value::Counter64(u64::MAX), Form::Number, Some(u64::MAX)),
            (Value::OctetString(b" 42 ".to_vec()), Form::Number, Some(42)),
            (Value::OctetString(b"None".to_vec()), Form::Number, None),
            (
                Value::OctetString(b"22193 INCHES".to_vec()),
                Form::LeadingDigits,
                Some(22193),
            ),
            (octets("463b819a"), Form::Float32, Some(12000)),
            (octets("7fc00000"), Form::Float32, None),
            (octets("bf800000"), Form::Float32, None),
            (octets("463b81"), Form::Float32, None),
        ] {
            assert_eq!(count(&value, form), expected, "{value:?} {form:?}");
        }
    }

    #[test]
    fn a_brother_list_holds_counts_codes_and_fractions() {
        let list = octets("310101036f010400001c20a101020c14a201021400a301020514ff41010400000001");
        for (form, expected) in [
            (Form::Tlv(0x6f), Some(7200)),
            (Form::Tlv(0x31), None),
            (Form::Tlv(0xa1), None),
            (Form::Tlv(0x41), None),
            (Form::TlvFraction(0xa1), Some(6000)),
            (Form::TlvFraction(0xa2), None),
            (Form::TlvFraction(163), Some(2500)),
            (Form::TlvFraction(0x6f), None),
        ] {
            assert_eq!(count(&list, form), expected, "{form:?}");
        }
        assert_eq!(count(&octets("6f0109000000"), Form::Tlv(0x6f)), None);
    }

    #[test]
    fn an_epson_status_holds_inks_and_the_maintenance_box() {
        // 01 status, 0d box at 67, 0f inks in items of four: yellow 83, cyan 12, black unknown (above 100)
        let status = octets(
            "40424443205354320d0a1d00010104\
             0d0143\
             0f0d04\
             05035332\
             03010c32\
             01006932",
        );
        let ink = |item| Form::St2 {
            tag: 0x0f,
            item: Some(item),
        };
        assert_eq!(count(&status, ink(3)), Some(83));
        assert_eq!(count(&status, ink(1)), Some(12));
        assert_eq!(count(&status, ink(0)), None);
        assert_eq!(count(&status, ink(2)), None);
        let field = |tag| Form::St2 { tag, item: None };
        assert_eq!(count(&status, field(0x0d)), Some(67));
        assert_eq!(count(&status, field(0x0f)), None);
        for broken in [
            "",
            "40424443205354320d0a",
            "40424443205354320d0a05000f0904",
            "40424443205354320d0a03000f0100",
        ] {
            assert_eq!(count(&octets(broken), ink(0)), None, "{broken}");
        }
    }
}
