//! Columns on their way through GETNEXT and GETBULK.

use crate::conversation::{Conversation, Failure};
use crate::oid::Oid;
use crate::pdu::Bindings;

/// The most variables one walk takes, whatever its columns and rows: the largest table a printer has had is far below.
pub const WALK_VARIABLES_MAX: u32 = 20_000;

/// The most repetitions asked for in one GETBULK: an answer has to fit a datagram.
const REPETITIONS_MAX: usize = 64;

/// Repetitions where the number of rows is not known.
const REPETITIONS_UNKNOWN: usize = 8;

/// What a binding of a table is taken to need beside its column's name until it was seen: an index, two heads, a short text.
const BINDING_BYTES_BESIDE_COLUMN: usize = 14;

/// An `Ask::Walk` under way.
#[derive(Debug)]
pub struct WalkProgress {
    columns: Vec<Column>,
    /// The columns of the PDU under way, in its order.
    group: Vec<usize>,
    rows_expected: u32,
    rows_max: u32,
    variables: u32,
    /// What a binding needs, as far as seen.
    binding_bytes: usize,
    /// At most so many columns in a PDU (halved when it was too much).
    pub columns_max: usize,
    /// At most so many repetitions (halved when it was too much).
    pub repetitions_max: usize,
    /// Whether GETBULK may be used.
    pub bulk: bool,
    failure: Option<Failure>,
    scratch: Oid,
}

#[derive(Debug)]
struct Column {
    root: Oid,
    last: Oid,
    rows: u32,
    done: bool,
}

/// What an answer brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Instances delivered.
    pub variables: u32,
    /// Columns that came to their end.
    pub columns_done: u32,
    /// Columns that were cut because the device does not count upwards.
    pub loops_cut: u32,
}

impl WalkProgress {
    /// Starts. `binding_bytes`: what was seen of this device before, or 0.
    pub fn start(
        columns: Vec<Oid>,
        rows_expected: u32,
        rows_max: u32,
        bulk: bool,
        binding_bytes: u32,
    ) -> Self {
        let columns: Vec<Column> = columns
            .into_iter()
            .map(|root| Column {
                last: root.clone(),
                root,
                rows: 0,
                done: rows_max == 0,
            })
            .collect();
        let name_bytes = columns.iter().map(|column| column.root.ber_len()).max();
        Self {
            group: Vec::with_capacity(columns.len()),
            columns_max: columns.len().max(1),
            columns,
            rows_expected,
            rows_max,
            variables: 0,
            binding_bytes: match binding_bytes {
                0 => name_bytes.unwrap_or(0) + BINDING_BYTES_BESIDE_COLUMN,
                seen => seen as usize,
            },
            repetitions_max: REPETITIONS_MAX,
            bulk,
            failure: None,
            scratch: Oid::new(&[0, 0]),
        }
    }

    /// How the ask went, once nothing is pending.
    pub const fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// Whether a column has not come to its end.
    pub fn is_pending(&self) -> bool {
        self.variables < WALK_VARIABLES_MAX && self.columns.iter().any(|column| !column.done)
    }

    /// Chooses the columns of the next PDU and returns how many they are, with the repetitions when it is a GETBULK (`bulk`).
    pub fn plan(&mut self, bulk: bool, bytes_max: usize) -> (usize, Option<u32>) {
        let bindings_max = (bytes_max / self.binding_bytes.max(1)).max(1);
        self.group.clear();
        self.group.extend(
            (0..self.columns.len())
                .filter(|&at| !self.columns[at].done)
                .take(bindings_max.min(self.columns_max)),
        );
        let count = self.group.len().max(1);
        if !bulk {
            return (self.group.len(), None);
        }
        let wanted = self
            .group
            .iter()
            .map(|&at| self.columns[at].wanted(self.rows_expected, self.rows_max))
            .max()
            .unwrap_or(1);
        let repetitions = wanted
            .min(bindings_max / count)
            .min(self.repetitions_max)
            .max(1);
        (self.group.len(), Some(repetitions as u32))
    }

    /// The names behind which the first `count` columns of the PDU go on.
    pub fn names(&self, count: usize) -> impl DoubleEndedIterator<Item = &Oid> {
        let group = self.group.get(..count).unwrap_or(&self.group);
        group.iter().map(|&at| &self.columns[at].last)
    }

    /// Takes the answer to a PDU of `count` columns.
    pub fn take(
        &mut self,
        count: usize,
        bindings: Bindings<'_>,
        conversation: &mut impl Conversation,
    ) -> Taken {
        let mut taken = Taken::default();
        let bytes = bindings.bytes_left();
        let mut seen = 0;
        let group = self.group.get(..count).unwrap_or(&self.group);
        if group.is_empty() {
            return taken;
        }
        for binding in bindings.map_while(Result::ok) {
            let at = group[seen % group.len()];
            seen += 1;
            let column = &mut self.columns[at];
            if column.done {
                continue;
            }
            let ended = binding.value.is_exception()
                || !self.scratch.assign_ber(binding.name)
                || self
                    .scratch
                    .suffix_of(&column.root)
                    .is_none_or(<[u32]>::is_empty);
            if ended {
                column.done = true;
                taken.columns_done += 1;
                continue;
            }
            if self.scratch <= column.last {
                column.done = true;
                taken.loops_cut += 1;
                self.failure = Some(Failure::Malformed);
                continue;
            }
            conversation.variable(at, &self.scratch, binding.value);
            std::mem::swap(&mut self.scratch, &mut column.last);
            column.rows += 1;
            taken.variables += 1;
            self.variables += 1;
            if column.rows >= self.rows_max {
                column.done = true;
                taken.columns_done += 1;
            }
            if self.variables >= WALK_VARIABLES_MAX {
                break;
            }
        }
        if seen > 0 {
            self.binding_bytes = bytes.div_ceil(seen);
        }
        taken
    }

    /// What a binding of this device needs, as far as seen.
    pub const fn binding_bytes(&self) -> u32 {
        self.binding_bytes as u32
    }

    /// Gives up the `nth` (from 0) column of the PDU under way: at its end (`None`), or failed.
    pub fn drop_nth(&mut self, nth: usize, failure: Option<Failure>) {
        if let Some(column) = self.group.get(nth).and_then(|&at| self.columns.get_mut(at)) {
            column.done = true;
        }
        self.failure = failure.or(self.failure);
    }

    /// Gives up every column of the PDU under way.
    pub fn drop_group(&mut self, failure: Failure) {
        for at in &self.group {
            self.columns[*at].done = true;
        }
        self.failure = Some(failure);
    }
}

impl Column {
    /// How many more rows should be asked for: those expected and one more, which shows that there are no others. Where more came than were
    /// expected, nobody knows how many there are.
    fn wanted(&self, rows_expected: u32, rows_max: u32) -> usize {
        let left = rows_max.saturating_sub(self.rows) as usize;
        let wanted = match rows_expected.checked_sub(self.rows) {
            Some(rest) if rows_expected > 0 => rest as usize + 1,
            _ => REPETITIONS_UNKNOWN.max(self.rows as usize),
        };
        wanted.min(left)
    }
}
