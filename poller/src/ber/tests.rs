//! Cursor and writer against each other, and against whatever bytes there are.

use proptest::prelude::*;

use super::*;
use crate::oid::{ARCS_MAX, Oid};
use crate::value::ValueRef;

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new(MESSAGE_BYTES_MAX);
    write(&mut writer);
    writer.finish().expect("it fits").to_vec()
}

#[test]
fn numbers_have_their_shortest_form() {
    for (number, bytes) in [
        (0, &[2, 1, 0][..]),
        (127, &[2, 1, 0x7f]),
        (128, &[2, 2, 0, 0x80]),
        (-1, &[2, 1, 0xff]),
        (-128, &[2, 1, 0x80]),
        (-129, &[2, 2, 0xff, 0x7f]),
        (i64::MAX, &[2, 8, 0x7f, 255, 255, 255, 255, 255, 255, 255]),
        (i64::MIN, &[2, 8, 0x80, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        assert_eq!(written(|w| w.integer(number)), bytes, "{number}");
    }
    assert_eq!(
        written(|w| w.unsigned(0x46, u64::MAX)),
        [0x46, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255]
    );
}

#[test]
fn an_unsigned_number_without_its_leading_zero_is_read_as_unsigned() {
    assert_eq!(unsigned(&[0xff, 0xff, 0xff, 0xfe]), Ok(0xffff_fffe));
    assert_eq!(
        ValueRef::read(0x41, &[0xff, 0xff, 0xff, 0xfe]),
        ValueRef::Counter32(0xffff_fffe)
    );
}

#[test]
fn what_does_not_fit_is_not_written() {
    let mut writer = Writer::new(4);
    writer.bytes(&[1, 2, 3]);
    assert_eq!(writer.finish(), Some(&[1, 2, 3][..]));
    writer.bytes(&[4, 5]);
    assert_eq!(writer.finish(), None);
    writer.clear();
    writer.bytes(&[6]);
    assert_eq!(writer.finish(), Some(&[6][..]));
}

#[test]
fn octets_of_every_form_of_length_come_back() {
    for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff] {
        let octets = vec![7; length];
        let mut writer = Writer::new(0x1_0010);
        writer.octets(&octets);
        let bytes = writer.finish().expect("it fits");
        assert_eq!(Cursor::new(bytes).octets(), Ok(&octets[..]), "{length}");
    }
    let mut writer = Writer::new(0x1_0010);
    writer.octets(&[7; 0x1_0000]);
    assert_eq!(writer.finish(), None, "longer than any datagram");
}

#[test]
fn forbidden_lengths_and_leftovers_are_errors() {
    for (bytes, error) in [
        (&[0x30][..], BerError::Truncated),
        (&[0x30, 1], BerError::Truncated),
        (&[0x30, 0x80, 0, 0], BerError::Length),
        (&[0x30, 0x85, 0, 0, 0, 0, 0], BerError::Length),
        (&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], BerError::Truncated),
        (&[0x30, 0x82, 0], BerError::Truncated),
        (
            &[0x31, 0],
            BerError::Tag {
                expected: 0x30,
                found: 0x31,
            },
        ),
    ] {
        assert_eq!(
            Cursor::new(bytes).sub(TAG_SEQUENCE).err(),
            Some(error),
            "{bytes:02x?}"
        );
    }
    let mut cursor = Cursor::new(&[5, 0, 7]);
    assert_eq!(cursor.element(), Ok((5, &[][..])));
    assert_eq!(cursor.end(), Err(BerError::Trailing));
    assert_eq!(cursor.rest(), [7]);
}

proptest! {
    #[test]
    fn any_number_comes_back(number: i64, natural: u64) {
        let bytes = written(|w| w.integer(number));
        prop_assert_eq!(Cursor::new(&bytes).integer(), Ok(number));
        let bytes = written(|w| w.unsigned(0x46, natural));
        let (_, content) = Cursor::new(&bytes).element().expect("an element");
        prop_assert_eq!(unsigned(content), Ok(natural));
    }

    #[test]
    fn any_oid_comes_back(
        first in 0..3_u32,
        second in 0..40_u32,
        rest in prop::collection::vec(any::<u32>(), 0..ARCS_MAX - 2),
    ) {
        let oid = Oid::new(&[&[first, second], &rest[..]].concat());
        let bytes = written(|w| oid.write(w));
        let content = Cursor::new(&bytes).content(TAG_OBJECT_ID).expect("an OID");
        prop_assert_eq!(content.len(), oid.ber_len());
        prop_assert_eq!(Oid::from_ber(content), Some(oid.clone()));
        prop_assert!(oid.is_ber(content));
        let mut other = Oid::new(&[1, 3]);
        prop_assert!(other.assign_ber(content));
        prop_assert_eq!(&other, &oid);
        prop_assert!(!oid.is_ber(content.split_last().expect("not empty").1));
    }

    #[test]
    fn an_oid_is_its_bytes_exactly_when_they_read_as_it(
        arcs in prop::collection::vec(0..300_u32, 2..6),
        content in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let oid = Oid::new(&arcs);
        if oid.is_ber(&content) {
            prop_assert_eq!(Oid::from_ber(&content), Some(oid));
        }
    }

    #[test]
    fn no_bytes_make_a_cursor_panic_or_read_beyond_its_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut open = vec![Cursor::new(&bytes)];
        let mut elements = 0;
        while let Some(mut cursor) = open.pop() {
            while let Ok((tag, content)) = cursor.element() {
                elements += 1;
                let _ = ValueRef::read(tag, content).to_value();
                open.push(Cursor::new(content));
            }
        }
        // Every element takes two bytes of its parent.
        prop_assert!(elements <= bytes.len() * bytes.len());
    }
}
