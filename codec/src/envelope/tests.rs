//! Bodies good and hostile.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const CAP: usize = 1 << 20;

fn inflated(encoding: Encoding, body: &[u8], cap: usize) -> Result<Vec<u8>, EnvelopeError> {
    let mut inflater = Inflater::new();
    let result = inflater.inflate(encoding, body, cap).map(<[u8]>::to_vec);
    assert!(
        inflater.buffer_bytes() <= cap,
        "the buffer stays in the cap"
    );
    result
}

fn text() -> Vec<u8> {
    (0..400_u32)
        .flat_map(|number| format!("<meter value=\"{}\"/>", number * 7919).into_bytes())
        .collect()
}

proptest! {
    #[test]
    fn two_inflaters_agree_on_any_change(
        plain in vec(0_u8..4, 0..2000),
        changes in vec((any::<Index>(), any::<u8>(), 0_usize..3), 0..4),
        gzip in any::<bool>(),
    ) {
        let encoding = if gzip { Encoding::Gzip } else { Encoding::Zstd };
        let mut body = compress(encoding, &plain);
        for (at, byte, kind) in changes {
            let at = at.index(body.len() + 1);
            match kind {
                0 if at < body.len() => body[at] = byte,
                1 => body.truncate(at),
                _ => body.insert(at, byte),
            }
        }
        differential(&body);
    }
}

#[test]
fn what_is_deflated_inflates_to_the_same_bytes() {
    for encoding in Encoding::ALL {
        for plain in [Vec::new(), b"x".to_vec(), text()] {
            let body = compress(encoding, &plain);
            assert_eq!(inflated(encoding, &body, CAP).unwrap(), plain);
            assert_eq!(body, compress(encoding, &plain), "deterministic");
            if !plain.is_empty() {
                assert_eq!(Encoding::detect(&body), encoding);
            }
        }
    }
}

#[test]
fn one_inflater_takes_bodies_of_all_sizes_one_after_the_other() {
    let mut inflater = Inflater::new();
    let long = text();
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        for plain in [&long[..], b"short", &long[..], b""] {
            let body = compress(encoding, plain);
            assert_eq!(inflater.inflate(encoding, &body, CAP).unwrap(), plain);
        }
    }
}

#[test]
fn a_large_buffer_is_let_go_when_small_bodies_follow() {
    let mut inflater = Inflater::new();
    let large = compress(Encoding::Zstd, &vec![0; 40 << 20]);
    inflater.inflate(Encoding::Zstd, &large, 64 << 20).unwrap();
    assert!(inflater.buffer_bytes() >= 40 << 20);
    let small = compress(Encoding::Gzip, b"small");
    inflater.inflate(Encoding::Gzip, &small, 64 << 20).unwrap();
    assert!(inflater.buffer_bytes() <= crate::limits::INFLATER_RETAINED_BYTES_MAX);
}

#[test]
fn every_truncation_is_refused() {
    let plain = text();
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let body = compress(encoding, &plain);
        for length in (0..body.len()).filter(|length| length % 7 == 0 || body.len() - length < 20) {
            let error = inflated(encoding, &body[..length], CAP).unwrap_err();
            let expected = EnvelopeError::Truncated { encoding };
            assert_eq!(error, expected, "{encoding} cut to {length}");
        }
    }
}

#[test]
fn every_flipped_byte_is_refused_or_harmless() {
    let plain = text();
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let body = compress(encoding, &plain);
        for at in (0..body.len())
            .step_by(37)
            .chain(body.len() - 12..body.len())
        {
            let mut bad = body.clone();
            bad[at] ^= 0x55;
            if let Ok(got) = inflated(encoding, &bad, CAP) {
                // Bytes that carry nothing, such as gzip's time stamp.
                assert_eq!(got, plain, "{encoding} at {at}");
            }
        }
    }
}

#[test]
fn what_follows_the_body_is_refused_even_if_it_looks_like_its_end() {
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let body = compress(encoding, &text());
        let footer = &body[body.len() - 8..];
        for tail in [b"\0".as_slice(), b"garbage that is longer", footer, &body] {
            let doubled = [&body, tail].concat();
            let expected = EnvelopeError::Trailing {
                encoding,
                count: tail.len(),
            };
            assert_eq!(inflated(encoding, &doubled, CAP), Err(expected));
        }
    }
}

#[test]
fn a_footer_that_stands_in_the_middle_by_chance_is_no_reason_to_refuse() {
    // Stored blocks, so that the text holds the very bytes of its own footer.
    let mut plain = text();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(&plain).unwrap();
    let body = encoder.finish().unwrap();
    assert_eq!(inflated(Encoding::Gzip, &body, CAP).unwrap(), plain);
    // The file name field may hold anything but zero.
    plain = b"named".to_vec();
    let plainly = compress(Encoding::Gzip, &plain);
    let footer = plainly[plainly.len() - 8..].to_vec();
    let name: Vec<u8> = footer.iter().copied().filter(|byte| *byte != 0).collect();
    let mut encoder = flate2::GzBuilder::new()
        .filename(name)
        .write(Vec::new(), Compression::best());
    encoder.write_all(&plain).unwrap();
    let body = encoder.finish().unwrap();
    assert_eq!(inflated(Encoding::Gzip, &body, CAP).unwrap(), plain);
}

#[test]
fn a_bomb_is_refused_without_memory() {
    let zeros = vec![0; 64 << 20];
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let bomb = compress(encoding, &zeros);
        let cap_bytes = CAP;
        assert_eq!(
            inflated(encoding, &bomb, cap_bytes),
            Err(EnvelopeError::TooLarge {
                encoding,
                cap_bytes
            })
        );
    }
}

#[test]
fn a_bomb_that_lies_about_its_size_is_refused_without_memory() {
    let encoding = Encoding::Gzip;
    let bomb = compress(encoding, &vec![0; 64 << 20]);
    for said in [0_u32, 1, 1000, 0xffff_ffff] {
        let mut liar = bomb.clone();
        let at = liar.len() - 4;
        liar[at..].copy_from_slice(&said.to_le_bytes());
        let error = inflated(encoding, &liar, CAP).unwrap_err();
        assert!(matches!(error, EnvelopeError::TooLarge { .. }), "{error:?}");
    }
}

#[test]
fn a_small_body_that_says_one_gigabyte_gets_no_memory() {
    let mut body = compress(Encoding::Gzip, b"hello");
    let at = body.len() - 4;
    body[at..].copy_from_slice(&(1_u32 << 30).to_le_bytes());
    let mut inflater = Inflater::new();
    assert!(inflater.inflate(Encoding::Gzip, &body, usize::MAX).is_err());
    assert_eq!(inflater.buffer_bytes(), 0);
    // A zstd frame: magic, a descriptor for one segment and a size of four bytes, the size, one empty last block.
    let frame = [
        &[0x28, 0xb5, 0x2f, 0xfd, 0xa0][..],
        &(1_u32 << 30).to_le_bytes(),
        &[1, 0, 0],
    ]
    .concat();
    let error = inflater.inflate(Encoding::Zstd, &frame, CAP).unwrap_err();
    assert!(matches!(error, EnvelopeError::TooLarge { .. }), "{error:?}");
    assert_eq!(inflater.buffer_bytes(), 0);
}

#[test]
fn names_are_those_of_http() {
    for encoding in Encoding::ALL {
        assert_eq!(Encoding::from_name(encoding.name()), Some(encoding));
    }
    assert_eq!(Encoding::from_name("GZIP"), Some(Encoding::Gzip));
    assert_eq!(Encoding::from_name("x-gzip"), Some(Encoding::Gzip));
    assert_eq!(Encoding::from_name("br"), None);
}
