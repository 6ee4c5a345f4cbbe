//! The journal on a simulated disk: against a model that crashes, fills up, loses syncs and flips bits, and single stories.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::frame::FRAME_HEADER_BYTES;
use crate::sim::{Faults, SimDisk};

const SMALL: Config = Config {
    segment_bytes: 4_000,
    segment_min: 1,
};

fn open(disk: &SimDisk) -> (Journal<SimDisk>, Recovery) {
    Journal::open(disk.clone(), SMALL).unwrap()
}

fn record(sequence: u64, body: &[u8]) -> Record<'_> {
    Record {
        kind: 1,
        sequence,
        meta: b"m",
        body,
    }
}

/// Every record that can be read, by position, and the number of damaged places.
fn read_all(journal: &mut Journal<SimDisk>) -> (BTreeMap<Position, (u64, Vec<u8>)>, usize) {
    let mut reader = journal.read_from(Position::START).unwrap();
    let mut records = BTreeMap::new();
    let mut damaged = 0;
    while let Some(item) = reader.next().unwrap() {
        match item {
            Item::Record(entry) => {
                assert_eq!((entry.kind, entry.meta), (1, &b"m"[..]));
                let before = records.insert(entry.position, (entry.sequence, entry.body.to_vec()));
                assert_eq!(before, None, "no place is read twice");
            }
            Item::Damage(_) => damaged += 1,
            Item::Withheld(_) => panic!("nothing is sealed here"),
        }
    }
    (records, damaged)
}

fn bodies(journal: &mut Journal<SimDisk>) -> Vec<u64> {
    read_all(journal)
        .0
        .values()
        .map(|(sequence, _)| *sequence)
        .collect()
}

#[derive(Clone, Debug)]
enum Operation {
    Append {
        sizes: Vec<usize>,
    },
    Sync,
    Seal,
    /// The process dies; what it wrote stays with the system.
    Kill,
    PowerCut,
    FlipBit {
        which: usize,
        byte: usize,
        bit: u8,
    },
    RemoveUntil {
        which: usize,
    },
    FailWrites(u32),
    FailSyncs(u32),
    FillDisk {
        room: u64,
    },
    LieAboutSyncs,
    Heal,
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        8 => prop::collection::vec(0_usize..1_500, 1..5).prop_map(|sizes| Operation::Append { sizes }),
        8 => Just(Operation::Sync),
        1 => Just(Operation::Seal),
        2 => Just(Operation::Kill),
        3 => Just(Operation::PowerCut),
        1 => (any::<usize>(), any::<usize>(), 0_u8..8).prop_map(|(which, byte, bit)| Operation::FlipBit { which, byte, bit }),
        1 => any::<usize>().prop_map(|which| Operation::RemoveUntil { which }),
        1 => (1_u32..3).prop_map(Operation::FailWrites),
        1 => (1_u32..3).prop_map(Operation::FailSyncs),
        1 => (0_u64..3_000).prop_map(|room| Operation::FillDisk { room }),
        1 => Just(Operation::LieAboutSyncs),
        3 => Just(Operation::Heal),
    ]
}

/// What must hold of the journal.
#[derive(Default)]
struct Model {
    /// Every record that an append said is there, ever: nothing else may be read.
    written: BTreeMap<Position, (u64, Vec<u8>)>,
    /// Appended since the last sync.
    unsynced: Vec<Position>,
    /// Must be readable until removed or damaged.
    durable: BTreeSet<Position>,
    is_lying: bool,
    sequence: u64,
}

impl Model {
    fn append(&mut self, journal: &mut Journal<SimDisk>, sizes: &[usize]) {
        let first = self.sequence;
        self.sequence += sizes.len() as u64;
        let bodies: Vec<Vec<u8>> = sizes.iter().map(|size| vec![*size as u8; *size]).collect();
        let records: Vec<Record<'_>> = (first..)
            .zip(&bodies)
            .map(|(number, body)| record(number, body))
            .collect();
        let positions = match journal.append(&records) {
            Ok(positions) => positions,
            Err(error) => {
                if matches!(error, Error::Sync { .. }) {
                    self.unsynced.clear();
                }
                return;
            }
        };
        for ((position, number), body) in positions.into_iter().zip(first..).zip(bodies) {
            let before = self.written.insert(position, (number, body));
            assert_eq!(before, None, "no position is given out twice");
            self.unsynced.push(position);
        }
    }

    fn synced(&mut self, succeeded: bool) {
        let unsynced = std::mem::take(&mut self.unsynced);
        if succeeded && !self.is_lying {
            self.durable.extend(unsynced);
        }
    }

    fn check(&self, journal: &mut Journal<SimDisk>) {
        let (read, _) = read_all(journal);
        for (position, record) in &read {
            assert_eq!(self.written.get(position), Some(record), "at {position}");
        }
        let lost: Vec<_> = self
            .durable
            .iter()
            .filter(|position| !read.contains_key(position))
            .collect();
        assert!(lost.is_empty(), "durable and not there: {lost:?}");
    }
}

fn run(seed: u64, operations: Vec<Operation>) {
    let disk = SimDisk::new(seed);
    let mut journal = open(&disk).0;
    let mut model = Model::default();
    for operation in operations {
        match operation {
            Operation::Append { sizes } => {
                // An append that rolls the segment syncs the one before.
                let rolls = journal.starts_segment();
                let synced_before = journal.synced();
                model.append(&mut journal, &sizes);
                if rolls && journal.synced() > synced_before {
                    let synced = journal.synced();
                    let (done, open) = std::mem::take(&mut model.unsynced)
                        .into_iter()
                        .partition(|position| *position < synced);
                    model.unsynced = done;
                    model.synced(true);
                    model.unsynced = open;
                }
            }
            Operation::Sync => {
                let result = journal.sync();
                model.synced(result.is_ok());
            }
            Operation::Seal => {
                let result = journal.seal();
                model.synced(result.is_ok());
            }
            Operation::Kill => {
                drop(journal);
                disk.set_faults(Faults::default());
                journal = open(&disk).0;
                // What was written and is valid was made durable by the open.
                model.is_lying = false;
                model.unsynced.clear();
            }
            Operation::PowerCut => {
                drop(journal);
                disk.power_cut();
                journal = open(&disk).0;
                model.is_lying = false;
                model.unsynced.clear();
                model.check(&mut journal);
            }
            Operation::FlipBit { which, byte, bit } => {
                let candidates: Vec<_> = model.written.keys().copied().collect();
                if let Some(at) = candidates.get(which % candidates.len().max(1)) {
                    let bytes = FRAME_HEADER_BYTES + 1 + model.written[at].1.len();
                    let offset = usize::try_from(at.offset).unwrap() + byte % bytes;
                    disk.flip_bit(at.segment, offset, bit);
                    model.durable.remove(at);
                    model.unsynced.retain(|position| position != at);
                }
            }
            Operation::RemoveUntil { which } => {
                let candidates: Vec<_> = model.durable.iter().copied().collect();
                if let Some(position) = candidates.get(which % candidates.len().max(1)) {
                    for removed in journal.remove_until(*position).unwrap() {
                        model
                            .durable
                            .retain(|position| position.segment != removed.segment);
                    }
                }
            }
            Operation::FailWrites(count) => set(&disk, &model, |faults| {
                faults.writes_failing = count;
            }),
            Operation::FailSyncs(count) => set(&disk, &model, |faults| {
                faults.syncs_failing = count;
            }),
            Operation::FillDisk { room } => {
                let used = journal.bytes();
                set(&disk, &model, |faults| {
                    faults.capacity_bytes = Some(used + room);
                });
            }
            Operation::LieAboutSyncs => {
                model.is_lying = true;
                set(&disk, &model, |_| {});
            }
            Operation::Heal => set(&disk, &model, |_| {}),
        }
    }
    disk.set_faults(Faults::default());
    model.check(&mut journal);
    drop(journal);
    disk.power_cut();
    model.check(&mut open(&disk).0);
}

fn set(disk: &SimDisk, model: &Model, change: impl FnOnce(&mut Faults)) {
    let mut faults = Faults {
        // A disk that lies goes on lying: what was not written then cannot be made durable by a later truth.
        syncs_lying: model.is_lying,
        ..Faults::default()
    };
    change(&mut faults);
    disk.set_faults(faults);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_was_synced_is_read_and_nothing_else(seed in any::<u64>(), operations in prop::collection::vec(operation(), 1..60)) {
        run(seed, operations);
    }
}

#[test]
fn what_was_appended_is_read_in_its_order_over_many_segments() {
    let disk = SimDisk::new(1);
    let mut journal = open(&disk).0;
    let body = vec![7; 900];
    for sequence in 0..40 {
        journal.append(&[record(sequence, &body)]).unwrap();
    }
    journal.sync().unwrap();
    assert!(journal.sealed().len() > 5);
    assert_eq!(bodies(&mut journal), (0..40).collect::<Vec<_>>());
}

#[test]
fn reading_begins_where_it_is_told_to() {
    let disk = SimDisk::new(1);
    let mut journal = open(&disk).0;
    let body = vec![7; 900];
    let positions: Vec<_> = (0..10)
        .map(|sequence| journal.append(&[record(sequence, &body)]).unwrap()[0])
        .collect();
    let mut reader = journal.read_from(positions[6]).unwrap();
    let Some(Item::Record(entry)) = reader.next().unwrap() else {
        panic!("a record");
    };
    assert_eq!((entry.position, entry.sequence), (positions[6], 6));
    assert_eq!(entry.next.segment, positions[7].segment);
}

#[test]
fn a_torn_tail_is_cut_and_counted() {
    let disk = SimDisk::new(1);
    let mut journal = open(&disk).0;
    journal.append(&[record(1, b"kept")]).unwrap();
    journal.sync().unwrap();
    journal.append(&[record(2, &[9; 2_000])]).unwrap();
    let end = journal.end();
    drop(journal);
    let mut torn = disk.clone();
    torn.truncate(end.segment, end.offset - 1_500).unwrap();
    let (mut journal, recovery) = open(&disk);
    assert_eq!(recovery.tail_records, 1);
    assert_eq!(
        recovery.truncated_bytes,
        (FRAME_HEADER_BYTES + 1 + 500) as u64
    );
    assert_eq!(bodies(&mut journal), [1]);
    drop(journal);
    assert_eq!(open(&disk).1.truncated_bytes, 0);
}

#[test]
fn damage_in_the_middle_costs_only_what_it_hit() {
    for byte in [0, 9, 17, 30, 40] {
        let disk = SimDisk::new(1);
        let mut journal = open(&disk).0;
        let positions = journal
            .append(&[
                record(1, b"one body"),
                record(2, b"two body"),
                record(3, b"three body"),
            ])
            .unwrap();
        journal.sync().unwrap();
        drop(journal);
        disk.flip_bit(1, usize::try_from(positions[1].offset).unwrap() + byte, 3);
        let (mut journal, recovery) = open(&disk);
        assert_eq!(recovery.truncated_bytes, 0);
        assert_eq!(
            (recovery.damage.len(), recovery.damage[0].from),
            (1, positions[1])
        );
        assert_eq!(recovery.damage[0].to, positions[2].offset);
        assert_eq!(bodies(&mut journal), [1, 3], "byte {byte}");
    }
}

#[test]
fn a_record_inside_a_record_is_not_found_when_the_outer_one_is_damaged() {
    let disk = SimDisk::new(1);
    let mut journal = open(&disk).0;
    let mut inner = Vec::new();
    // As if the attacker had guessed where his bytes would lie.
    record(66, b"forged").write(Position::new(1, 32 + 32 + 1), &mut inner);
    journal
        .append(&[record(1, &inner), record(2, b"behind")])
        .unwrap();
    journal.sync().unwrap();
    drop(journal);
    disk.flip_bit(1, 32 + FRAME_HEADER_BYTES + 1 + inner.len() - 1, 0);
    assert_eq!(bodies(&mut open(&disk).0), [2]);
}

#[test]
fn a_full_disk_takes_nothing_and_takes_again_when_there_is_room() {
    let disk = SimDisk::new(1);
    let mut journal = open(&disk).0;
    journal.append(&[record(1, b"fits")]).unwrap();
    journal.sync().unwrap();
    disk.set_faults(Faults {
        capacity_bytes: Some(journal.bytes() + 100),
        ..Faults::default()
    });
    let error = journal.append(&[record(2, &[0; 500])]).unwrap_err();
    assert!(error.is_disk_full());
    disk.set_faults(Faults::default());
    journal.append(&[record(3, b"fits again")]).unwrap();
    journal.sync().unwrap();
    assert_eq!(bodies(&mut journal), [1, 3]);
    drop(journal);
    let (mut journal, recovery) = open(&disk);
    assert_eq!(recovery.truncated_bytes, 0);
    assert_eq!(bodies(&mut journal), [1, 3]);
}

#[test]
fn after_a_failed_sync_the_unsynced_is_gone_and_its_segment_left() {
    let disk = SimDisk::new(1);
    let mut journal = open(&disk).0;
    journal.append(&[record(1, b"synced")]).unwrap();
    journal.sync().unwrap();
    let lost = journal.append(&[record(2, b"not synced")]).unwrap()[0];
    disk.set_faults(Faults {
        syncs_failing: 1,
        ..Faults::default()
    });
    assert!(journal.sync().is_err());
    let again = journal.append(&[record(2, b"not synced")]).unwrap()[0];
    assert!(again.segment > lost.segment);
    journal.sync().unwrap();
    drop(journal);
    disk.power_cut();
    assert_eq!(bodies(&mut open(&disk).0), [1, 2]);
}

#[test]
fn positions_go_on_in_a_folder_that_was_emptied() {
    let config = Config {
        segment_min: 8,
        ..SMALL
    };
    let (mut journal, _) = Journal::open(SimDisk::new(1), config).unwrap();
    let position = journal.append(&[record(1, b"x")]).unwrap()[0];
    assert_eq!(position.segment, 8);
    assert_eq!(Position::unpacked(position.packed()), position);
}

#[test]
fn the_newest_segment_is_never_removed() {
    let disk = SimDisk::new(1);
    let mut journal = open(&disk).0;
    journal.append(&[record(1, &[1; 5_000])]).unwrap();
    journal.append(&[record(2, b"x")]).unwrap();
    journal.seal().unwrap();
    let removed = journal.remove_until(Position::END).unwrap();
    assert_eq!(removed.len(), 1);
    assert_eq!(bodies(&mut journal), [2]);
    assert!(!journal.remove_segment(2).unwrap());
    drop(journal);
    let mut journal = open(&disk).0;
    assert_eq!(journal.append(&[record(3, b"y")]).unwrap()[0].segment, 3);
}

#[test]
fn what_does_not_fit_the_format_is_refused_before_anything_is_written() {
    let disk = SimDisk::new(1);
    let mut journal = open(&disk).0;
    let meta = vec![0; 70_000];
    let large = Record {
        meta: &meta,
        ..record(1, b"")
    };
    assert!(matches!(
        journal.append(&[record(0, b"ok"), large]),
        Err(Error::TooLarge { .. })
    ));
    assert_eq!(bodies(&mut journal), Vec::<u64>::new());
}
