//! A sink that fills plain columns with all that a report says, as a columnar store's builders would: what reading costs together with keeping.

use codec::sink::{
    AlertRow, DeviceRow, HeaderRow, IdentityRow, MeterRow, PartRow, RowSink, SectionKind,
    SectionState, StatusRow, SupplyRow, TrayRow,
};

/// A column of text: the bytes, and where each value ends. An absent value ends where it begins.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Text {
    fn push(&mut self, value: Option<&str>) {
        if let Some(value) = value {
            self.bytes.extend_from_slice(value.as_bytes());
        }
        self.ends
            .push(u32::try_from(self.bytes.len()).expect("a report is shorter than 4 GiB"));
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// Columns of numbers and words, and of text, by table.
#[derive(Default)]
pub struct Columns {
    numbers: [Vec<u64>; 18],
    words: [Vec<u8>; 17],
    texts: [Text; 27],
    rows: usize,
}

impl Columns {
    /// Forgets the rows and keeps the memory.
    pub fn clear(&mut self) {
        self.numbers.iter_mut().for_each(Vec::clear);
        self.words.iter_mut().for_each(Vec::clear);
        self.texts.iter_mut().for_each(Text::clear);
        self.rows = 0;
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Rows, the sums of numbers and of words, and the bytes of text: equal where another reader extracted the same.
    #[allow(
        dead_code,
        reason = "of those who include this file, one compares readers"
    )]
    pub fn sums(&self) -> [u64; 4] {
        let numbers = self.numbers.iter().flatten();
        let words = self.words.iter().flatten();
        let texts = self.texts.iter().map(|text| text.bytes.len() as u64);
        [
            self.rows as u64,
            numbers.fold(0, |sum, number| sum.wrapping_add(*number)),
            words.map(|word| u64::from(*word)).sum(),
            texts.sum(),
        ]
    }

    #[inline(always)]
    fn put(
        &mut self,
        numbers: &[(usize, u64)],
        words: &[(usize, u8)],
        texts: &[(usize, Option<&str>)],
    ) {
        for (column, number) in numbers {
            self.numbers[*column].push(*number);
        }
        for (column, word) in words {
            self.words[*column].push(*word);
        }
        for (column, text) in texts {
            self.texts[*column].push(*text);
        }
        self.rows += 1;
    }
}

fn optional(number: Option<u32>) -> u64 {
    number.map_or(u64::MAX, u64::from)
}

impl RowSink for Columns {
    fn header(&mut self, _: &HeaderRow<'_>) {}

    fn device(&mut self, row: &DeviceRow<'_>) {
        let numbers = [
            (0, row.observed_at.unix_ms.cast_unsigned()),
            (1, row.observed_uptime_ms),
            (2, row.base.unwrap_or_default()),
        ];
        let words = [
            (15, row.source.map_or(255, |word| word as u8)),
            (16, row.meter_set.map_or(255, |word| word as u8)),
        ];
        self.put(&numbers, &words, &[(0, Some(row.handle))]);
    }

    fn identity(&mut self, row: &IdentityRow<'_>) {
        for (column, text) in self.texts[1..].iter_mut().zip(row.texts()) {
            column.push(text);
        }
        self.rows += 1;
    }

    fn section(&mut self, kind: SectionKind, state: SectionState) {
        self.words[0].push(kind as u8 * 4 + state as u8);
    }

    fn status(&mut self, row: &StatusRow<'_>) {
        let numbers = [
            (3, u64::from(row.errors.bits())),
            (4, optional(row.uptime_ticks)),
        ];
        let words = [
            (1, row.device.map_or(255, |word| word as u8)),
            (2, row.printer.map_or(255, |word| word as u8)),
        ];
        self.put(&numbers, &words, &[(15, row.display)]);
    }

    fn meter(&mut self, row: &MeterRow<'_>) {
        let words = [
            (3, row.work as u8),
            (4, row.colour as u8),
            (5, row.unit as u8),
            (6, row.sides.map_or(255, |word| word as u8)),
            (7, row.basis as u8),
        ];
        self.put(
            &[(5, row.value)],
            &words,
            &[(16, Some(row.oid)), (17, row.size)],
        );
    }

    fn part(&mut self, row: &PartRow<'_>) {
        self.put(&[(6, row.value)], &[], &[(18, Some(row.oid))]);
    }

    fn supply(&mut self, row: &SupplyRow<'_>) {
        let numbers = [
            (7, u64::from(row.index)),
            (8, optional(row.capacity)),
            (9, level(row.level)),
            (16, optional(row.resolution)),
        ];
        let words = [
            (8, row.class as u8),
            (9, row.kind as u8),
            (10, row.colorant.map_or(255, |word| word as u8)),
            (11, row.unit as u8),
        ];
        let texts = [
            (19, Some(row.description)),
            (20, row.part),
            (21, row.serial),
        ];
        self.put(&numbers, &words, &texts);
    }

    fn tray(&mut self, row: &TrayRow<'_>) {
        let numbers = [
            (10, u64::from(row.index)),
            (11, optional(row.capacity)),
            (12, level(row.level)),
            (13, optional(row.status)),
        ];
        let words = [(12, row.kind as u8), (13, row.unit as u8)];
        self.put(&numbers, &words, &[(22, Some(row.name)), (23, row.media)]);
    }

    fn alert(&mut self, row: &AlertRow<'_>) {
        let since = row
            .since
            .map_or(u64::MAX, |since| since.unix_ms.cast_unsigned());
        let numbers = [
            (14, u64::from(row.index)),
            (15, optional(row.group_index)),
            (17, since),
        ];
        let texts = [
            (24, Some(row.group)),
            (25, Some(row.code)),
            (26, Some(row.description)),
        ];
        self.put(&numbers, &[(14, row.severity as u8)], &texts);
    }
}

fn level(level: codec::model::Level) -> u64 {
    use codec::model::Level;
    match level {
        Level::Amount(amount) => u64::from(amount),
        Level::Percent(percent) => 1 << 32 | u64::from(percent),
        Level::Some => 2 << 32,
        Level::Unknown => 3 << 32,
        Level::Unlimited => 4 << 32,
    }
}
