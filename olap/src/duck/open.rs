//! Which runs are open, without asking the tables: what a batch ends must be among them.

use std::collections::HashMap;

/// Bits of a place that say where in a block it is: the places of a report's devices lie side by side, and end together.
const BLOCK_BITS: u32 = 6;

/// The places of the open runs, and how many ends wait to be moved with their runs.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// By block of 64 places, one bit each; no block is empty.
    blocks: HashMap<u64, u64>,
    /// Ends of which the runs have not been moved.
    pub ends_waiting: usize,
}

impl Open {
    /// Notes runs that are open from now on.
    pub fn opened(&mut self, places: impl Iterator<Item = u64>) {
        for place in places {
            let (block, bit) = split(place);
            *self.blocks.entry(block).or_default() |= bit;
        }
    }

    /// Notes the end of a run; `false` when it was not open.
    pub fn ended(&mut self, place: u64) -> bool {
        let (block, bit) = split(place);
        let Some(bits) = self.blocks.get_mut(&block) else {
            return false;
        };
        let was_open = *bits & bit != 0;
        *bits &= !bit;
        if *bits == 0 {
            self.blocks.remove(&block);
        }
        self.ends_waiting += usize::from(was_open);
        was_open
    }

    /// Whether a run is open.
    pub fn has(&self, place: u64) -> bool {
        let (block, bit) = split(place);
        self.blocks.get(&block).is_some_and(|bits| bits & bit != 0)
    }
}

const fn split(place: u64) -> (u64, u64) {
    (place >> BLOCK_BITS, 1 << (place & ((1 << BLOCK_BITS) - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_open_from_its_beginning_to_its_end() {
        let mut open = Open::default();
        open.opened([0, 63, 64, u64::MAX].into_iter());
        for place in [0, 63, 64, u64::MAX] {
            assert!(open.has(place));
            assert!(open.ended(place));
            assert!(!open.has(place) && !open.ended(place));
        }
        assert!(!open.ended(1));
        assert_eq!((open.ends_waiting, open.blocks.len()), (4, 0));
    }
}
