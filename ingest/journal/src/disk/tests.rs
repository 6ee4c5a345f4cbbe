//! Both real disks do the same; the probe falls back.

use super::*;
use crate::{Config, Item, Journal, Position, Record};

fn disks(folder: &Path) -> Vec<Box<dyn Disk>> {
    let mut disks: Vec<Box<dyn Disk>> = vec![Box::new(StdDisk::open(&folder.join("std")).unwrap())];
    match open_uring(&folder.join("uring")) {
        Ok(disk) => disks.push(disk),
        Err(error) => eprintln!("io_uring is not tested, it does not work here: {error}"),
    }
    disks
}

#[test]
fn a_disk_reads_what_it_wrote_and_knows_its_segments() {
    let folder = tempfile::tempdir().unwrap();
    for mut disk in disks(folder.path()) {
        let name = disk.name();
        disk.create(3).unwrap();
        let again = disk.create(3).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists, "{name}");
        let large = vec![7; 3_000_000];
        let (result, buffer) = disk.append(3, 0, large.clone());
        result.unwrap();
        assert_eq!(buffer, large, "{name}");
        disk.append(3, 3_000_000, b"end".to_vec()).0.unwrap();
        disk.sync(3).unwrap();
        disk.create(4).unwrap();
        let (result, buffer) = disk.read(3, 2_999_999, vec![0; 10]);
        assert_eq!(
            (result.unwrap(), &buffer[..4]),
            (4, &b"\x07end"[..]),
            "{name}"
        );
        disk.truncate(3, 10).unwrap();
        let mut listed = disk.list().unwrap();
        listed.sort_unstable();
        assert_eq!(listed, [(3, 10), (4, 0)], "{name}");
        disk.remove(4).unwrap();
        disk.remove(4).unwrap();
        assert_eq!(disk.list().unwrap(), [(3, 10)], "{name}");
        assert!(disk.read(4, 0, vec![0; 1]).0.is_err(), "{name}");
    }
}

#[test]
fn a_journal_on_a_real_disk_survives_being_dropped() {
    let folder = tempfile::tempdir().unwrap();
    for disk in disks(folder.path()) {
        let name = disk.name();
        let config = Config {
            segment_bytes: 10_000,
            segment_min: 1,
        };
        let path = folder
            .path()
            .join(if name == "std" { "std" } else { "uring" });
        let (mut journal, _) = Journal::open(disk, config).unwrap();
        let body = [5; 1_000];
        for sequence in 0..30 {
            let record = Record {
                kind: 1,
                sequence,
                meta: b"",
                body: &body,
            };
            journal.append(&[record]).unwrap();
            journal.sync().unwrap();
        }
        drop(journal);
        let (mut journal, recovery) = Journal::open(StdDisk::open(&path).unwrap(), config).unwrap();
        assert_eq!(recovery.truncated_bytes, 0, "{name}");
        let mut reader = journal.read_from(Position::START).unwrap();
        let mut read = 0;
        while let Some(Item::Record(entry)) = reader.next().unwrap() {
            assert_eq!((entry.sequence, entry.body), (read, &body[..]), "{name}");
            read += 1;
        }
        assert_eq!(read, 30, "{name}");
    }
}

#[test]
fn other_files_in_the_folder_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    std::fs::write(folder.path().join("seven.plj"), "no number").unwrap();
    std::fs::write(folder.path().join("7.plj"), "no name of ours").unwrap();
    std::fs::create_dir(folder.path().join("0000000000000009.plj")).unwrap();
    let mut disk = StdDisk::open(folder.path()).unwrap();
    assert_eq!(disk.list().unwrap(), []);
    let (journal, recovery) = Journal::open(disk, Config::default()).unwrap();
    assert_eq!((recovery.segments, journal.bytes()), (0, 0));
}

#[test]
fn the_portable_disk_is_taken_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(open(folder.path(), DiskChoice::Std).unwrap().name(), "std");
    let auto = open(folder.path(), DiskChoice::Auto).unwrap();
    assert!(["std", "io_uring"].contains(&auto.name()));
}
