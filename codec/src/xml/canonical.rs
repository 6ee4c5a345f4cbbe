//! The values of a start tag as our own writer writes them: each attribute is expected where the writer would put it, and each value is read by what it is,
//! eight bytes at a time. What is written otherwise, or is wrong, stops the reading and nothing more: what to say of it is known to `general.rs`.

use std::slice::IterMut;

use super::attributes::{Attribute, Attributes};
use super::error::Reason;
use super::escape::unescape_into;
use super::number::{decimal, level, short_decimal, signed};
use super::words::Word;
use crate::limits::ATTRIBUTE_BYTES_MAX;
use crate::model::Level;
use crate::time::Timestamp;

const ONES: u64 = u64::from_le_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);

/// Not written as the writer writes, or wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop;

/// A place in the document, and what is remembered of what was read.
pub(super) struct Cursor<'a> {
    /// What is still to be read.
    rest: &'a str,
    day: Day,
}

/// The day of the last timestamp, since most are of one: its text up to the `T`, and when it began.
struct Day {
    text: [u8; 11],
    unix_ms: i64,
}

/// The attributes of one start tag.
pub(super) struct Canonical<'c, 's, 'a> {
    pub(super) cursor: &'c mut Cursor<'a>,
    /// Whether an element without content is one that is allowed.
    pub(super) may_close: bool,
    /// Whether the tag that was read has no content.
    pub(super) closed: bool,
    /// Where texts go whose escapes had to be resolved.
    pub(super) resolved: IterMut<'s, String>,
}

/// The high bit of each byte of `word` that is a quotation mark. Above the lowest that is set there may be wrong ones.
#[inline(always)]
const fn quotes(word: u64) -> u64 {
    let quote = word ^ (ONES * 0x22);
    // A byte that is zero borrows into its high bit, unless it had one.
    quote.wrapping_sub(ONES) & !quote & HIGHS
}

/// The same of each byte that ends a plain text: below 0x20, `"`, `&` or `<`.
#[inline(always)]
const fn ends(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    // `"` and `&` differ in one bit.
    let quote_or_and = (word & !(ONES * 0x04)) ^ (ONES * 0x22);
    let less = word ^ (ONES * 0x3c);
    let quote_or_and = quote_or_and.wrapping_sub(ONES) & !quote_or_and;
    let less = less.wrapping_sub(ONES) & !less;
    (control | quote_or_and | less) & HIGHS
}

/// How many bytes are below the lowest high bit that is set.
#[inline(always)]
const fn below(highs: u64) -> usize {
    (highs.trailing_zeros() / 8) as usize
}

/// The bytes of `word` up to the lowest high bit that is set in `highs`, with the one that has it.
#[inline(always)]
const fn up_to(word: u64, highs: u64) -> u64 {
    word & (highs ^ highs.wrapping_sub(1))
}

impl<'a> Cursor<'a> {
    pub(super) fn new(rest: &'a str) -> Self {
        Self {
            rest,
            day: Day {
                text: *b"1970-01-01T",
                unix_ms: 0,
            },
        }
    }

    /// What is still to be read.
    #[inline(always)]
    pub(super) const fn rest(&self) -> &'a str {
        self.rest
    }

    /// Goes back to where `rest` was still to be read.
    #[inline(always)]
    pub(super) const fn back_to(&mut self, rest: &'a str) {
        self.rest = rest;
    }

    /// Steps over `literal` if it is next. It is a constant, so that a few whole words are compared.
    #[inline(always)]
    pub(super) fn eat(&mut self, literal: &str) -> bool {
        match self.rest.strip_prefix(literal) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The next eight bytes and the eight after them: a document that goes on as it should has more than that behind every value.
    #[inline(always)]
    fn words(&self) -> Result<(u64, u64), Stop> {
        let sixteen = self.rest.as_bytes().first_chunk::<16>().ok_or(Stop)?;
        let (low, high) = sixteen.split_at(8);
        let word = |bytes: &[u8]| u64::from_le_bytes(*bytes.first_chunk().expect("eight bytes"));
        Ok((word(low), word(high)))
    }

    /// Takes a value of `length` bytes and steps over its closing quotation mark.
    #[inline(always)]
    fn take(&mut self, length: usize) -> Result<&'a str, Stop> {
        let (value, rest) = self.rest.split_at_checked(length).ok_or(Stop)?;
        self.rest = rest.strip_prefix('"').ok_or(Stop)?;
        Ok(value)
    }

    /// How long the text is that is next, if it has no escapes; `None` if it has some.
    #[inline(always)]
    fn plain_length(&self) -> Result<Option<usize>, Stop> {
        let mut length = 0;
        for word in self.rest.as_bytes().chunks_exact(8) {
            let word = u64::from_le_bytes(*word.first_chunk().expect("eight bytes"));
            let ends = ends(word);
            if ends == 0 {
                length += 8;
                continue;
            }
            return match (word >> (ends.trailing_zeros() - 7)) as u8 {
                b'"' => Ok(Some(length + below(ends))),
                b'&' => Ok(None),
                _ => Err(Stop),
            };
        }
        Err(Stop)
    }

    /// Reads a value that is seldom there, or seldom so long; it has no escapes.
    #[inline(always)]
    fn other(&mut self) -> Result<&'a str, Stop> {
        let length = other_length(self.rest.as_bytes()).ok_or(Stop)?;
        self.take(length)
    }
}

/// How long the value is that `rest` begins with, if it has no escapes. What is cold gets no cursor, so that the cursor can stay in registers.
#[cold]
#[inline(never)]
fn other_length(rest: &[u8]) -> Option<usize> {
    let length = memchr::memchr(b'"', rest)?;
    let plain = |byte: &u8| *byte >= 0x20 && *byte != b'&' && *byte != b'<';
    rest[..length].iter().all(plain).then_some(length)
}

/// Puts what the value at the beginning of `text` means into `resolved`; says how long the value is.
#[cold]
#[inline(never)]
fn resolve(text: &str, resolved: &mut String) -> Option<usize> {
    let length = memchr::memchr(b'"', text.as_bytes())?;
    let raw = &text[..length];
    if length > ATTRIBUTE_BYTES_MAX || raw.bytes().any(|byte| byte < 0x20) {
        return None;
    }
    resolved.clear();
    unescape_into(raw, resolved).ok()?;
    Some(length)
}

impl<'s, 'a: 's> Attributes<'s> for Canonical<'_, 's, 'a> {
    type Fault = Stop;

    #[inline(always)]
    fn has(&mut self, attribute: Attribute) -> bool {
        self.cursor.eat(attribute.before)
    }

    #[inline(always)]
    fn is_last(&self) -> bool {
        self.cursor.rest.as_bytes().first() != Some(&b' ')
    }

    #[inline(always)]
    fn text_of(&mut self, _: Attribute, bytes_max: usize) -> Result<&'s str, Stop> {
        let text = match self.cursor.plain_length()? {
            Some(length) => self.cursor.take(length)?,
            None => {
                let resolved = self.resolved.next().ok_or(Stop)?;
                let length = resolve(self.cursor.rest, resolved).ok_or(Stop)?;
                self.cursor.take(length)?;
                resolved
            }
        };
        if text.len() > bytes_max {
            return Err(Stop);
        }
        Ok(text)
    }

    #[inline(always)]
    fn number_of(&mut self, _: Attribute, _: &'static str) -> Result<u64, Stop> {
        let (low, high) = self.cursor.words()?;
        let end = quotes(low);
        if end != 0 {
            let digits = below(end);
            self.cursor.take(digits)?;
            return short_decimal(low, digits as u32).ok_or(Stop);
        }
        let end = quotes(high);
        if end == 0 {
            return decimal(self.cursor.other()?.as_bytes()).ok_or(Stop);
        }
        let digits = below(end);
        self.cursor.take(8 + digits)?;
        let upper = short_decimal(low, 8).ok_or(Stop)?;
        if digits == 0 {
            return Ok(upper);
        }
        let lower = short_decimal(high, digits as u32).ok_or(Stop)?;
        Ok(upper * 10_u64.pow(digits as u32) + lower)
    }

    #[inline(always)]
    fn signed_of(&mut self, attribute: Attribute) -> Result<i64, Stop> {
        if self.cursor.rest.as_bytes().first() == Some(&b'-') {
            return signed(self.cursor.other()?.as_bytes()).ok_or(Stop);
        }
        let number = self.number_of(attribute, "")?;
        i64::try_from(number).map_err(|_| Stop)
    }

    #[inline(always)]
    fn word_of<T: Word>(&mut self, _: Attribute, _: &'static str) -> Result<T, Stop> {
        let (low, high) = self.cursor.words()?;
        let end = quotes(low);
        if end != 0 {
            self.cursor.take(below(end))?;
            return T::from_key([up_to(low, end), 0]).ok_or(Stop);
        }
        let end = quotes(high);
        if end == 0 {
            return T::from_word(self.cursor.other()?).ok_or(Stop);
        }
        self.cursor.take(8 + below(end))?;
        T::from_key([low, up_to(high, end)]).ok_or(Stop)
    }

    #[inline(always)]
    fn level_of(&mut self, _: Attribute) -> Result<Level, Stop> {
        let (low, _) = self.cursor.words()?;
        let end = quotes(low);
        let length = below(end);
        if end != 0 && length > 0 {
            let amount = |digits: usize| {
                let number = short_decimal(low, digits as u32)?;
                Some(number as u32)
            };
            let said = if (low >> (8 * (length - 1))) as u8 == b'%' {
                amount(length - 1).map(Level::Percent)
            } else {
                amount(length).map(Level::Amount)
            };
            if let Some(said) = said {
                self.cursor.take(length)?;
                return Ok(said);
            }
        }
        level(self.cursor.other()?.as_bytes()).ok_or(Stop)
    }

    #[inline(always)]
    fn timestamp_of(&mut self, _: Attribute) -> Result<Timestamp, Stop> {
        let day = &self.cursor.day;
        if let Some((date, time)) = self.cursor.rest.as_bytes().split_first_chunk()
            && *date == day.text
            && let Some(in_day) = in_day_ms(time)
        {
            let unix_ms = day.unix_ms + in_day;
            self.cursor.take(24)?;
            return Ok(Timestamp { unix_ms });
        }
        let text = self.cursor.other()?;
        let (timestamp, day) = other_day(text.as_bytes()).ok_or(Stop)?;
        self.cursor.day = day;
        Ok(timestamp)
    }

    #[inline(always)]
    fn end(&mut self) -> Result<(), Stop> {
        self.closed = self.may_close && self.cursor.eat("/>");
        if self.closed || self.cursor.eat(">") {
            Ok(())
        } else {
            Err(Stop)
        }
    }

    #[inline(always)]
    fn missing(&self, _: Attribute) -> Stop {
        Stop
    }

    #[inline(always)]
    fn not(&self, _: Attribute, _: &'static str) -> Stop {
        Stop
    }

    #[inline(always)]
    fn fault(&self, _: Attribute, _: Reason) -> Stop {
        Stop
    }

    #[inline(always)]
    fn refused(&self, _: Reason) -> Stop {
        Stop
    }
}

/// Reads a timestamp of another day than the last, or of another form; gives its day, too.
#[cold]
#[inline(never)]
fn other_day(text: &[u8]) -> Option<(Timestamp, Day)> {
    const DAY_MS: i64 = 86_400_000;
    let timestamp = Timestamp::parse_bytes(text).ok()?;
    let day = Day {
        text: *text.first_chunk()?,
        unix_ms: timestamp.unix_ms - timestamp.unix_ms.rem_euclid(DAY_MS),
    };
    Some((timestamp, day))
}

/// The milliseconds that the time `10:41:00.000Z"` at the beginning of `text` is behind its day's beginning.
#[inline(always)]
fn in_day_ms(text: &[u8]) -> Option<i64> {
    /// What the text has for zeros and between them; and for each byte what makes sixteen with one above the highest that may be there.
    const TIME: u64 = u64::from_le_bytes(*b"00:00:00");
    const TIME_TOO_HIGH: u64 = u64::from_le_bytes([13, 6, 15, 10, 6, 15, 10, 6]);
    const FRACTION: u64 = u64::from_le_bytes(*b"\0\0.000Z\"");
    const FRACTION_TOO_HIGH: u64 = u64::from_le_bytes([0, 0, 15, 6, 6, 6, 15, 15]);
    const HIGH_HALVES: u64 = u64::from_le_bytes([0xf0; 8]);
    let bytes = text.first_chunk::<14>()?;
    let time = u64::from_le_bytes(*bytes.first_chunk()?) ^ TIME;
    let fraction = (u64::from_le_bytes(*bytes.last_chunk()?) & !0xffff) ^ FRACTION;
    // A byte that is carried into follows one that has a high half itself.
    let wrong = time
        | time.wrapping_add(TIME_TOO_HIGH)
        | fraction
        | fraction.wrapping_add(FRACTION_TOO_HIGH);
    if wrong & HIGH_HALVES != 0 {
        return None;
    }
    let digit = |word: u64, at: u32| ((word >> (8 * at)) & 0xf) as i64;
    let two = |at: u32| 10 * digit(time, at) + digit(time, at + 1);
    let (hour, minute, second) = (two(0), two(3), two(6));
    let ms = 100 * digit(fraction, 3) + 10 * digit(fraction, 4) + digit(fraction, 5);
    (hour < 24).then_some(((hour * 60 + minute) * 60 + second) * 1000 + ms)
}
