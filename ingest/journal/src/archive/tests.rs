//! Archives: the same bytes at the same positions, and nothing lost whenever the program dies.

use super::*;
use crate::{Config, Item, Journal, Position, Reader, Record, StdDisk, inspect};

/// The head of an archive in which nothing is anybody's.
const HEAD_BYTES: usize = 96;

/// A journal of three sealed segments, and what is in it.
fn journal(folder: &Path) -> Vec<(Position, Vec<u8>)> {
    let config = Config {
        segment_bytes: 1_400 << 10,
        ..Config::default()
    };
    let (mut journal, _) = Journal::open(StdDisk::open(folder).unwrap(), config).unwrap();
    let mut written = Vec::new();
    let mut random = 7_u64;
    for sequence in 0..36_u64 {
        let body: Vec<u8> = (0..120_000 + sequence * 100)
            .map(|index| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(index);
                // Half of it can be compressed.
                if index % 2 == 0 {
                    b'x'
                } else {
                    (random >> 56) as u8
                }
            })
            .collect();
        let record = Record {
            kind: 1,
            sequence,
            meta: b"meta",
            body: &body,
        };
        let at = journal.append(&[record]).unwrap()[0];
        written.push((at, body));
    }
    journal.seal().unwrap();
    written
}

fn clear() -> Arc<dyn Opener> {
    Arc::new(InTheClear)
}

fn write(folder: &Path, live: &mut dyn Disk, due: &Due) -> io::Result<Archived> {
    super::write(folder, live, due, &mut InTheClear, &clear())
}

fn mend(folder: &Path, live: &mut dyn Disk) -> io::Result<Mended> {
    super::mend(folder, live, &clear())
}

fn due(segment: u64, bytes: u64) -> Due {
    Due {
        segment,
        bytes,
        begun_ms: 1_000,
        ended_ms: 2_000,
    }
}

fn read(folder: &Path) -> Vec<(Position, Vec<u8>)> {
    let disk = ArchiveDisk::new(
        StdDisk::open(folder).unwrap(),
        &folder.join("archive"),
        clear(),
    );
    let mut reader = Reader::new(disk, Position::START, Position::END).unwrap();
    let mut read = Vec::new();
    while let Some(item) = reader.next().unwrap() {
        if let Item::Record(entry) = item {
            read.push((entry.position, entry.body.to_vec()));
        }
    }
    read
}

#[test]
fn every_record_stands_where_it_stood_and_any_is_read_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let written = journal(folder.path());
    let archive = folder.path().join("archive");
    let mut live = StdDisk::open(folder.path()).unwrap();
    let mut segments = live.list().unwrap();
    segments.sort_unstable();
    assert!(segments.len() >= 3);
    for (segment, bytes) in &segments[..2] {
        let made = write(&archive, &mut live, &due(*segment, *bytes)).unwrap();
        assert_eq!((made.raw_bytes, made.ended_ms), (*bytes, 2_000));
        assert!(made.file_bytes * 4 < made.raw_bytes * 3, "{made:?}");
        live.remove(*segment).unwrap();
    }
    assert_eq!(list(&archive).unwrap().len(), 2);
    assert_eq!(read(folder.path()), written);
    for (at, body) in &written {
        let disk = ArchiveDisk::new(StdDisk::open(folder.path()).unwrap(), &archive, clear());
        let mut reader = Reader::new(disk, *at, Position::END).unwrap();
        let Some(Item::Record(entry)) = reader.next().unwrap() else {
            panic!("a record at {at}")
        };
        assert_eq!((entry.position, entry.body), (*at, &body[..]));
    }
    remove(&archive, segments[0].0).unwrap();
    assert!(read(folder.path())[0].0.segment == segments[1].0);
}

#[test]
fn a_crash_at_any_point_of_archiving_loses_nothing_and_needs_no_hand() {
    let folder = tempfile::tempdir().unwrap();
    let written = journal(folder.path());
    let archive = folder.path().join("archive");
    let mut live = StdDisk::open(folder.path()).unwrap();
    let mut segments = live.list().unwrap();
    segments.sort_unstable();
    let (segment, bytes) = segments[0];
    write(&archive, &mut live, &due(segment, bytes)).unwrap();
    let whole = std::fs::read(path_of(&archive, segment, EXTENSION)).unwrap();

    // Died while the archive was written: some of it, under its first name.
    for cut in [
        0,
        10,
        HEAD_BYTES,
        HEAD_BYTES + 5,
        whole.len() / 2,
        whole.len(),
    ] {
        remove(&archive, segment).unwrap();
        std::fs::write(path_of(&archive, segment, MAKING), &whole[..cut]).unwrap();
        assert_eq!(read(folder.path()), written, "cut at {cut}");
        let mended = mend(&archive, &mut live).unwrap();
        assert_eq!((mended.swept, mended.doubled.len()), (1, 0));
        assert_eq!(read(folder.path()), written);
    }
    // Died between the rename and the removal: both are there.
    std::fs::write(path_of(&archive, segment, EXTENSION), &whole).unwrap();
    assert_eq!(read(folder.path()), written);
    assert_eq!(mend(&archive, &mut live).unwrap().doubled, [segment]);
    // A file system that forgot the data behind the name.
    for damaged in [&whole[..0], &whole[..whole.len() - 3]] {
        std::fs::write(path_of(&archive, segment, EXTENSION), damaged).unwrap();
        assert_eq!(read(folder.path()), written);
        assert_eq!(mend(&archive, &mut live).unwrap().removed, [segment]);
    }
    // And when the live one is gone, an archive is never removed, whatever it looks like.
    std::fs::write(
        path_of(&archive, segment, EXTENSION),
        &whole[..whole.len() - 3],
    )
    .unwrap();
    live.remove(segment).unwrap();
    assert_eq!(mend(&archive, &mut live).unwrap(), Mended::default());
    assert!(path_of(&archive, segment, EXTENSION).exists());
}

#[test]
fn a_damaged_archive_costs_the_records_of_the_damaged_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let written = journal(folder.path());
    let archive = folder.path().join("archive");
    let mut live = StdDisk::open(folder.path()).unwrap();
    let mut segments = live.list().unwrap();
    segments.sort_unstable();
    let (segment, bytes) = segments[0];
    write(&archive, &mut live, &due(segment, bytes)).unwrap();
    live.remove(segment).unwrap();
    let path = path_of(&archive, segment, EXTENSION);
    let whole = std::fs::read(&path).unwrap();
    // The head stands at the other end as well.
    let mut damaged = whole.clone();
    damaged[20] ^= 0x40;
    std::fs::write(&path, &damaged).unwrap();
    assert_eq!(read(folder.path()), written);
    // The middle of the second chunk, and a length.
    let length = whole[HEAD_BYTES..].first_chunk().unwrap();
    let second = HEAD_BYTES + 8 + u32::from_le_bytes(*length) as usize;
    for (at, left) in [(second + 5_000, 7), (second, 0)] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        std::fs::write(&path, &damaged).unwrap();
        let disk = || ArchiveDisk::new(StdDisk::open(folder.path()).unwrap(), &archive, clear());
        let report = inspect::check(disk()).unwrap();
        assert!(!report.is_sound(), "byte {at}");
        let read = read(folder.path());
        let of_segment = read.iter().filter(|(at, _)| at.segment == segment).count();
        assert!(of_segment > left, "byte {at}: {of_segment}");
        assert!(read.iter().all(|record| written.contains(record)));
        let others = written.iter().filter(|(at, _)| at.segment != segment);
        assert_eq!(read.len() - of_segment, others.count());
    }
}

#[test]
fn a_sound_archive_is_never_given_up_for_a_live_segment_that_rotted() {
    let folder = tempfile::tempdir().unwrap();
    let written = journal(folder.path());
    let archive = folder.path().join("archive");
    let mut live = StdDisk::open(folder.path()).unwrap();
    let mut segments = live.list().unwrap();
    segments.sort_unstable();
    let (segment, bytes) = segments[0];
    let file = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == "plj"))
        .min()
        .unwrap();
    write(&archive, &mut live, &due(segment, bytes)).unwrap();
    let made = std::fs::read(path_of(&archive, segment, EXTENSION)).unwrap();
    let good = std::fs::read(&file).unwrap();
    let unlike = Mended {
        unlike: vec![segment],
        ..Mended::default()
    };

    let mut rotted = good.clone();
    rotted[good.len() / 2] ^= 1;
    for live_bytes in [&rotted[..], &good[..good.len() - 100]] {
        std::fs::write(&file, live_bytes).unwrap();
        assert_eq!(mend(&archive, &mut live).unwrap(), unlike);
        // Nor is it made again from what rotted.
        let now = due(segment, live_bytes.len() as u64);
        let error = write(&archive, &mut live, &now).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
    let kept = std::fs::read(path_of(&archive, segment, EXTENSION)).unwrap();
    assert_eq!(kept, made);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(read(folder.path()), written, "the archive has it all");

    // One that is damaged itself goes, in its header or in a chunk, when the live one can be read.
    std::fs::write(&file, &good).unwrap();
    let mut live = StdDisk::open(folder.path()).unwrap();
    for at in [20, made.len() / 2] {
        let mut damaged = made.clone();
        damaged[at] ^= 1;
        std::fs::write(path_of(&archive, segment, EXTENSION), &damaged).unwrap();
        std::fs::write(&file, &rotted).unwrap();
        assert_eq!(mend(&archive, &mut live).unwrap(), unlike, "two damaged");
        std::fs::write(&file, &good[..good.len() - 100]).unwrap();
        assert_eq!(mend(&archive, &mut live).unwrap(), unlike, "and a shorter");
        std::fs::write(&file, &good).unwrap();
        assert_eq!(mend(&archive, &mut live).unwrap().removed, [segment]);
    }
}

#[test]
fn an_archive_whose_heads_were_damaged_ended_when_the_next_began() {
    let folder = tempfile::tempdir().unwrap();
    journal(folder.path());
    let archive = folder.path().join("archive");
    let mut live = StdDisk::open(folder.path()).unwrap();
    let mut segments = live.list().unwrap();
    segments.sort_unstable();
    for (number, (segment, bytes)) in (1..).zip(&segments[..3]) {
        let due = Due {
            begun_ms: number * 1_000,
            ended_ms: number * 1_000 + 999,
            ..due(*segment, *bytes)
        };
        write(&archive, &mut live, &due).unwrap();
    }
    let ends = || -> Vec<i64> {
        let listed = list(&archive).unwrap();
        listed.iter().map(|info| info.ended_ms).collect()
    };
    assert_eq!(ends(), [1_999, 2_999, 3_999]);
    let damage = |index: usize| {
        let path = path_of(&archive, segments[index].0, EXTENSION);
        let mut bytes = std::fs::read(&path).unwrap();
        let second = bytes.len() - HEAD_BYTES - 4;
        bytes[33] ^= 1;
        bytes[second + 33] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    };
    damage(1);
    assert_eq!(ends(), [1_999, 3_000, 3_999]);
    damage(0);
    assert_eq!(ends(), [3_000, 3_000, 3_999]);
    damage(2);
    assert_eq!(ends(), [i64::MAX; 3]);
}
