//! Addresses as numbers, and sets of them.
//!
//! What always holds: the spans of a set are in order, have a gap between each other, and none is empty.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// An address as a number in which both families have their place: IPv4 lies in `::ffff:0:0/96`.
pub fn key(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The address of that number.
pub fn address(key: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(key)).to_canonical()
}

/// From the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub first: u128,
    pub last: u128,
}

/// A set of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spans(Vec<Span>);

impl FromIterator<Span> for Spans {
    fn from_iter<T: IntoIterator<Item = Span>>(spans: T) -> Self {
        let mut spans: Vec<Span> = spans.into_iter().collect();
        spans.sort_unstable_by_key(|span| span.first);
        let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
        for span in spans {
            match merged.last_mut() {
                Some(before) if span.first <= before.last.saturating_add(1) => {
                    before.last = before.last.max(span.last);
                }
                _ => merged.push(span),
            }
        }
        Self(merged)
    }
}

impl Spans {
    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        self.0.iter().copied()
    }

    /// What is in this set and not in the other.
    pub fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut others = other.0.iter().peekable();
        for span in &self.0 {
            let mut first = Some(span.first);
            while let Some(start) = first
                && let Some(hole) = others.peek()
            {
                if hole.last < start {
                    others.next();
                    continue;
                }
                if hole.first > span.last {
                    break;
                }
                if hole.first > start {
                    left.push(Span {
                        first: start,
                        last: hole.first - 1,
                    });
                }
                first = hole.last.checked_add(1).filter(|next| *next <= span.last);
            }
            if let Some(first) = first {
                left.push(Span {
                    first,
                    last: span.last,
                });
            }
        }
        Self(left)
    }
}

/// Numbers that were marked, kept by blocks: where none is marked, nothing is kept.
#[derive(Clone, Debug, Default)]
pub struct Marks(HashMap<u64, [u64; 4]>);

impl Marks {
    /// Marks a number; says whether it was not marked before.
    pub fn set(&mut self, number: u64) -> bool {
        let word = &mut self.0.entry(number >> 8).or_default()[word_of(number)];
        let before = *word;
        *word |= 1 << (number & 63);
        *word != before
    }

    /// Whether it is marked.
    pub fn has(&self, number: u64) -> bool {
        let block = self.0.get(&(number >> 8));
        block.is_some_and(|block| block[word_of(number)] >> (number & 63) & 1 == 1)
    }
}

const fn word_of(number: u64) -> usize {
    (number >> 6 & 3) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spans(list: &[(u128, u128)]) -> Spans {
        let spans = list.iter().map(|&(first, last)| Span { first, last });
        spans.collect()
    }

    #[test]
    fn both_families_come_back() {
        for text in ["10.0.0.1", "255.255.255.255", "::", "fd00::7"] {
            let parsed: IpAddr = text.parse().unwrap();
            assert_eq!(address(key(parsed)), parsed);
        }
    }

    #[test]
    fn the_ends_of_the_space_are_no_trap() {
        let all = spans(&[(0, u128::MAX)]);
        assert_eq!(all.without(&all), Spans::default());
        let inner = all.without(&spans(&[(0, 0), (u128::MAX, u128::MAX)]));
        assert_eq!(inner, spans(&[(1, u128::MAX - 1)]));
    }

    proptest! {
        #[test]
        fn a_set_without_another_has_what_is_in_the_one_alone(
            one in prop::collection::vec((0_u128..60, 0_u128..9), 0..12),
            other in prop::collection::vec((0_u128..60, 0_u128..9), 0..12),
        ) {
            let set = |list: &[(u128, u128)]| {
                spans(&list.iter().map(|(at, more)| (*at, at + more)).collect::<Vec<_>>())
            };
            let has = |set: &Spans, n| set.iter().any(|span| span.first <= n && n <= span.last);
            let (one, other) = (set(&one), set(&other));
            let left = one.without(&other);
            for n in 0..80 {
                prop_assert_eq!(has(&left, n), has(&one, n) && !has(&other, n), "{}", n);
            }
            prop_assert_eq!(&left, &left.iter().collect::<Spans>(), "in order, with gaps");
        }

        #[test]
        fn marks_are_what_was_marked(numbers in prop::collection::vec(0_u64..3000, 0..60)) {
            let mut marks = Marks::default();
            for (at, number) in numbers.iter().enumerate() {
                prop_assert_eq!(marks.set(*number), !numbers[..at].contains(number));
            }
            for number in 0..3000 {
                prop_assert_eq!(marks.has(number), numbers.contains(&number));
            }
        }
    }
}
