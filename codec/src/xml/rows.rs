//! From the values of a tag to the row of the sink: what each attribute must be.

use super::element::{alert, device, identity, meter, part, report, status, supply, tray};
use super::error::Reason;
use super::tag::{Fault, Values};
use crate::id::AgentId;
use crate::key::{SpoolEpoch, Stream};
use crate::limits::{
    HANDLE_BYTES_MAX, OID_BYTES_MAX, PROGRAM_BYTES_MAX, SCHEMA_VERSION, TEXT_BYTES_MAX,
};
use crate::model::{
    AlertSeverity, Basis, CapacityUnit, Colorant, Colour, DeviceStatus, ErrorState, Level,
    MeterSet, MeterUnit, PrinterStatus, Sides, SourceKind, SupplyClass, SupplyType, TrayType, Work,
};
use crate::sink::{
    AlertRow, DeviceRow, ErrorSet, HeaderRow, IdentityRow, MeterRow, PartRow, SectionKind,
    StatusRow, SupplyRow, TrayRow,
};
use crate::time::Timestamp;

type Parsed<T> = Result<T, Fault>;

pub(super) fn header<'a>(values: Values<'a>) -> Parsed<HeaderRow<'a>> {
    let version = values.u32(report::VERSION)?.unwrap_or_default();
    if version > SCHEMA_VERSION {
        let known = SCHEMA_VERSION;
        let found = version;
        return Err(values.fault(report::VERSION, Reason::Newer { found, known }));
    }
    if version == 0 {
        values.required(report::VERSION)?;
        return Err(values.not(report::VERSION, "a schema version, from 1"));
    }
    let agent = values.required(report::AGENT)?;
    if AgentId::new(agent).is_err() {
        let expected = "an agent id (1 to 64 characters of a-z, 0-9, -, _ and .)";
        return Err(values.not(report::AGENT, expected));
    }
    let epoch: SpoolEpoch = values
        .required(report::EPOCH)?
        .parse()
        .map_err(|_| values.not(report::EPOCH, "a spool epoch (16 lower-case hex digits)"))?;
    Ok(HeaderRow {
        agent,
        epoch,
        stream: values.word(
            report::STREAM,
            Stream::from_name,
            "a stream (meters or state)",
        )?,
        sequence: values
            .sequence(report::SEQUENCE)?
            .ok_or_else(|| values.missing(report::SEQUENCE))?,
        sealed_at: values.timestamp(report::SEALED_AT)?,
        sealed_uptime_ms: values
            .u64(report::SEALED_UPTIME_MS)?
            .ok_or_else(|| values.missing(report::SEALED_UPTIME_MS))?,
        program: values.text(report::PROGRAM, PROGRAM_BYTES_MAX)?,
    })
}

/// The row, and a bit for each section that is unchanged.
pub(super) fn device<'a>(values: Values<'a>, sealed_uptime_ms: u64) -> Parsed<(DeviceRow<'a>, u8)> {
    let handle = values.text(device::HANDLE, HANDLE_BYTES_MAX)?;
    let age_ms = values.age_ms(device::AGE_MS)?;
    let base = values.sequence(device::BASE)?;
    let row = DeviceRow {
        handle,
        base,
        observed_at: values.timestamp(device::OBSERVED_AT)?,
        observed_uptime_ms: sealed_uptime_ms.wrapping_sub(age_ms.cast_unsigned()),
        source: values.optional_word(
            device::SOURCE,
            SourceKind::from_word,
            "a source (snmp or usb)",
        )?,
        meter_set: values.optional_word(
            device::METER_SET,
            MeterSet::from_word,
            "a verdict on the meters (unverified, verified or conflicting)",
        )?,
    };
    let mut unchanged = 0;
    for word in values
        .raw(device::UNCHANGED)
        .unwrap_or_default()
        .split_ascii_whitespace()
    {
        let kind = SectionKind::from_word(word)
            .ok_or_else(|| values.not(device::UNCHANGED, "a list of sections"))?;
        unchanged |= 1 << kind as u8;
    }
    if unchanged != 0 && base.is_none() {
        return Err(values.fault(
            device::UNCHANGED,
            Reason::NotAllowed("an unchanged section without a base"),
        ));
    }
    Ok((row, unchanged))
}

pub(super) fn identity<'a>(values: Values<'a>) -> Parsed<IdentityRow<'a>> {
    let text = |slot| values.optional_text(slot);
    Ok(IdentityRow {
        serial: text(identity::SERIAL)?,
        manufacturer: text(identity::MANUFACTURER)?,
        model: text(identity::MODEL)?,
        hostname: text(identity::HOSTNAME)?,
        dns_name: text(identity::DNS_NAME)?,
        address: text(identity::ADDRESS)?,
        mac: text(identity::MAC)?,
        location: text(identity::LOCATION)?,
        contact: text(identity::CONTACT)?,
        firmware: text(identity::FIRMWARE)?,
        description: text(identity::DESCRIPTION)?,
        object_id: text(identity::OBJECT_ID)?,
        asset: text(identity::ASSET)?,
        profile: text(identity::PROFILE)?,
    })
}

pub(super) fn status<'a>(values: Values<'a>) -> Parsed<StatusRow<'a>> {
    let mut errors = ErrorSet::default();
    for word in values
        .raw(status::ERRORS)
        .unwrap_or_default()
        .split_ascii_whitespace()
    {
        let state = ErrorState::from_word(word)
            .ok_or_else(|| values.not(status::ERRORS, "a list of error states"))?;
        errors.insert(state);
    }
    Ok(StatusRow {
        device: values.optional_word(status::DEVICE, DeviceStatus::from_word, "a device status")?,
        printer: values.optional_word(
            status::PRINTER,
            PrinterStatus::from_word,
            "a printer status",
        )?,
        errors,
        uptime_ticks: values.u32(status::UPTIME_TICKS)?,
        display: values.optional_text(status::DISPLAY)?,
    })
}

pub(super) fn meter<'a>(values: Values<'a>) -> Parsed<MeterRow<'a>> {
    Ok(MeterRow {
        work: values.word(meter::WORK, Work::from_word, "a kind of work")?,
        colour: values.word(meter::COLOUR, Colour::from_word, "a colour")?,
        unit: values.word(meter::UNIT, MeterUnit::from_word, "a unit of meters")?,
        size: values.optional_text(meter::SIZE)?,
        sides: values.optional_word(meter::SIDES, Sides::from_word, "simplex or duplex")?,
        basis: values.word(
            meter::BASIS,
            Basis::from_word,
            "a basis (billing or engine)",
        )?,
        oid: values.text(meter::OID, OID_BYTES_MAX)?,
        value: values
            .u64(meter::VALUE)?
            .ok_or_else(|| values.missing(meter::VALUE))?,
    })
}

pub(super) fn part<'a>(values: Values<'a>) -> Parsed<PartRow<'a>> {
    Ok(PartRow {
        oid: values.text(part::OID, OID_BYTES_MAX)?,
        value: values
            .u64(part::VALUE)?
            .ok_or_else(|| values.missing(part::VALUE))?,
    })
}

pub(super) fn supply<'a>(values: Values<'a>) -> Parsed<SupplyRow<'a>> {
    Ok(SupplyRow {
        index: values.index(supply::INDEX)?,
        class: values.word(supply::CLASS, SupplyClass::from_word, "a class of supplies")?,
        kind: values.word(supply::TYPE, SupplyType::from_word, "a type of supplies")?,
        colorant: values.optional_word(supply::COLORANT, Colorant::from_word, "a colorant")?,
        description: values.text(supply::DESCRIPTION, TEXT_BYTES_MAX)?,
        part: values.optional_text(supply::PART)?,
        serial: values.optional_text(supply::SERIAL)?,
        unit: values.word(supply::UNIT, CapacityUnit::from_word, "a unit of capacity")?,
        capacity: values.u32(supply::CAPACITY)?,
        resolution: values.u32(supply::RESOLUTION)?,
        level: values.level(supply::LEVEL)?,
    })
}

pub(super) fn tray<'a>(values: Values<'a>) -> Parsed<TrayRow<'a>> {
    Ok(TrayRow {
        index: values.index(tray::INDEX)?,
        name: values.text(tray::NAME, TEXT_BYTES_MAX)?,
        kind: values.word(tray::TYPE, TrayType::from_word, "a type of trays")?,
        media: values.optional_text(tray::MEDIA)?,
        unit: values.word(tray::UNIT, CapacityUnit::from_word, "a unit of capacity")?,
        capacity: values.u32(tray::CAPACITY)?,
        status: values.u32(tray::STATUS)?,
        level: values.level(tray::LEVEL)?,
    })
}

pub(super) fn alert<'a>(values: Values<'a>) -> Parsed<AlertRow<'a>> {
    let since = if values.tag.has(alert::SINCE) {
        Some(values.timestamp(alert::SINCE)?)
    } else {
        None
    };
    Ok(AlertRow {
        index: values.index(alert::INDEX)?,
        severity: values.word(alert::SEVERITY, AlertSeverity::from_word, "a severity")?,
        group: values.text(alert::GROUP, TEXT_BYTES_MAX)?,
        group_index: values.u32(alert::GROUP_INDEX)?,
        code: values.text(alert::CODE, TEXT_BYTES_MAX)?,
        description: values.text(alert::DESCRIPTION, TEXT_BYTES_MAX)?,
        since,
    })
}

/// What attribute values can be.
impl<'a> Values<'a> {
    #[inline]
    fn required(self, slot: usize) -> Parsed<&'a str> {
        self.raw(slot).ok_or_else(|| self.missing(slot))
    }

    #[inline]
    fn text(self, slot: usize, limit: usize) -> Parsed<&'a str> {
        let text = self.required(slot)?;
        if text.len() > limit {
            let what = "bytes of text";
            return Err(self.fault(slot, Reason::Limit { what, limit }));
        }
        Ok(text)
    }

    #[inline]
    fn optional_text(self, slot: usize) -> Parsed<Option<&'a str>> {
        if self.tag.has(slot) {
            self.text(slot, TEXT_BYTES_MAX).map(Some)
        } else {
            Ok(None)
        }
    }

    #[inline]
    fn word<T>(
        self,
        slot: usize,
        from_word: impl Fn(&str) -> Option<T>,
        expected: &'static str,
    ) -> Parsed<T> {
        from_word(self.required(slot)?).ok_or_else(|| self.not(slot, expected))
    }

    #[inline]
    fn optional_word<T>(
        self,
        slot: usize,
        from_word: impl Fn(&str) -> Option<T>,
        expected: &'static str,
    ) -> Parsed<Option<T>> {
        if self.tag.has(slot) {
            self.word(slot, from_word, expected).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The number in `slot`.
    #[inline]
    fn decimal(self, slot: usize) -> Option<u64> {
        // Most numbers are short, and there is always something behind them that can be read along.
        if let Some((bytes, length)) = self.chunk(slot) {
            return short_decimal(bytes, length);
        }
        decimal(self.raw(slot)?.as_bytes())
    }

    #[inline]
    fn u64(self, slot: usize) -> Parsed<Option<u64>> {
        if !self.tag.has(slot) {
            return Ok(None);
        }
        self.decimal(slot)
            .map(Some)
            .ok_or_else(|| self.not(slot, "a whole number from 0 to 18446744073709551615"))
    }

    #[inline]
    fn u32(self, slot: usize) -> Parsed<Option<u32>> {
        if !self.tag.has(slot) {
            return Ok(None);
        }
        self.decimal(slot)
            .and_then(|number| u32::try_from(number).ok())
            .map(Some)
            .ok_or_else(|| self.not(slot, "a whole number from 0 to 4294967295"))
    }

    #[inline]
    fn index(self, slot: usize) -> Parsed<u32> {
        self.u32(slot)?.ok_or_else(|| self.missing(slot))
    }

    /// A sequence number: from 1.
    #[inline]
    fn sequence(self, slot: usize) -> Parsed<Option<u64>> {
        match self.u64(slot)? {
            Some(0) => Err(self.not(slot, "a sequence number, from 1")),
            number => Ok(number),
        }
    }

    fn age_ms(self, slot: usize) -> Parsed<i64> {
        let text = self.required(slot)?;
        let number = match text.as_bytes() {
            [b'-', digits @ ..] => {
                decimal(digits).and_then(|number| 0_i64.checked_sub_unsigned(number))
            }
            digits => decimal(digits).and_then(|number| i64::try_from(number).ok()),
        };
        number.ok_or_else(|| self.not(slot, "a whole number of 64 bits with sign"))
    }

    fn timestamp(self, slot: usize) -> Parsed<Timestamp> {
        Timestamp::parse_bytes(self.required(slot)?.as_bytes())
            .map_err(|_| self.not(slot, "a UTC timestamp of the form 2026-11-21T10:41:00.000Z"))
    }

    #[inline]
    fn level(self, slot: usize) -> Parsed<Level> {
        let amount = |digits: &[u8]| decimal(digits).and_then(|number| u32::try_from(number).ok());
        let level = match self.required(slot)?.as_bytes() {
            b"some" => Some(Level::Some),
            b"unknown" => Some(Level::Unknown),
            b"unlimited" => Some(Level::Unlimited),
            [digits @ .., b'%'] => amount(digits).map(Level::Percent),
            digits => amount(digits).map(Level::Amount),
        };
        level.ok_or_else(|| {
            self.not(
                slot,
                "a level (an amount, per cent as 12%, some, unknown or unlimited)",
            )
        })
    }
}

/// The number that 1 to 20 decimal digits say, if 64 bits hold it.
#[inline]
fn decimal(digits: &[u8]) -> Option<u64> {
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

/// The number that the first `length` (1 to 8) of these bytes say in decimal, all at once: the digits are moved to the end of the word and zeros put before
/// them; then neighbours are added up, by ones, twos and fours.
#[inline]
fn short_decimal(bytes: [u8; 8], length: usize) -> Option<u64> {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let missing_bits = 8 * (8 - u32::try_from(length).ok()?);
    let digits = u64::from_le_bytes(bytes).checked_shl(missing_bits)?;
    let zeros = ZEROS.checked_shr(64 - missing_bits).unwrap_or(0);
    let word = digits | zeros;
    // A byte above `9` reaches the high bit by the sum, one below `0` by the difference, and one above 0x7f has it.
    let too_high = word.wrapping_add(0x4646_4646_4646_4646);
    let too_low = word.wrapping_sub(ZEROS);
    if (word | too_high | too_low) & HIGHS != 0 {
        return None;
    }
    let ones = word & 0x0f0f_0f0f_0f0f_0f0f;
    let twos = (ones.wrapping_mul(1 + (10 << 8)) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (twos.wrapping_mul(1 + (100 << 16)) >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul(1 + (10_000 << 32)) >> 32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn short(text: &str) -> Option<u64> {
        let mut bytes = *b"\"/><meter";
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        short_decimal(*bytes.first_chunk().unwrap(), text.len())
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
                assert_eq!(short_decimal(bytes, 3).is_some(), there, "{byte} at {at}");
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
    }
}
