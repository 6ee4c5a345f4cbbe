//! `platen journal check|dump|repair` on journals that were damaged, and a disk that is full: the start never needs a hand.

mod common;

use std::path::PathBuf;
use std::process::Command;

use codec::key::SpoolEpoch;

use common::{ManagerUnderTest, SOON, platen, sealed_report, wait_for};

const REPORTS: u64 = 30;
const EPOCH: SpoolEpoch = SpoolEpoch(9);
/// So many reports fill what is left of a page of memory, and more.
const FILLED_REPORTS_MAX: u32 = 200;

/// Delivers reports until each has its receipt.
fn deliver(manager: &ManagerUnderTest, from: u64, to: u64) {
    for sequence in from..=to {
        let sealed = sealed_report(&manager.agent_id, EPOCH, sequence, 1);
        wait_for("a receipt", SOON, || {
            let answer = manager.asker.deliver(&manager.agent_token, &sealed);
            answer.filter(|(status, _)| *status == 200)
        });
    }
}

fn run(manager: &ManagerUnderTest, arguments: &[&str]) -> (bool, String) {
    let output = platen()
        .args(arguments)
        .arg("--config")
        .arg(&manager.config)
        .output()
        .expect("the command runs");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.success(), text)
}

/// The journal's files with records in them, by size.
fn segments(manager: &ManagerUnderTest) -> Vec<PathBuf> {
    let journal = manager.folder.path().join("data/journal");
    let mut found = Vec::new();
    for shard in std::fs::read_dir(journal).expect("a journal") {
        let shard = shard.expect("an entry").path();
        if shard.is_dir() && shard.file_name().is_some_and(|name| name != "decisions") {
            let files = std::fs::read_dir(shard).expect("a shard");
            found.extend(files.map(|file| file.expect("a file").path()));
        }
    }
    found.retain(|file| file.extension().is_some_and(|found| found == "plj"));
    found.sort_by_key(|file| std::fs::metadata(file).map_or(0, |file| file.len()));
    found
}

fn values(manager: &ManagerUnderTest) -> Vec<u64> {
    let devices = manager.asker.items("/api/v1/devices");
    let Some(device) = devices.first() else {
        return Vec::new();
    };
    let id = device["id"].as_str().expect("an id").to_owned();
    let readings = manager
        .asker
        .items(&format!("/api/v1/devices/{id}/readings"));
    let values = readings
        .iter()
        .filter_map(|reading| reading["value"].as_u64());
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values
}

#[test]
fn the_journals_commands_tell_what_is_damaged_and_a_start_goes_on_without_them() {
    let manager = ManagerUnderTest::prepare();
    let running = manager.start();
    deliver(&manager, 1, REPORTS);
    assert_eq!(running.interrupt(), Some(0));
    let (sound, told) = run(&manager, &["journal", "check"]);
    assert!(sound, "{told}");
    let (_, dumped) = run(&manager, &["journal", "dump"]);
    let reports = |text: &str| {
        text.lines()
            .filter(|line| line.contains(" report "))
            .count()
    };
    assert_eq!(reports(&dumped) as u64, REPORTS, "{dumped}");

    // One record in the middle, and the tail torn off.
    let file = segments(&manager).pop().expect("a segment");
    let mut bytes = std::fs::read(&file).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    bytes.truncate(bytes.len() - 7);
    std::fs::write(&file, &bytes).expect("writable");
    let (sound, told) = run(&manager, &["journal", "check"]);
    assert!(!sound && told.contains("DAMAGED"), "{told}");
    assert!(told.contains("records follow") && told.contains("to the segment's end"));
    let (ran, dumped) = run(&manager, &["journal", "dump"]);
    assert!(ran && dumped.contains("damaged up to"), "{dumped}");
    assert_eq!(reports(&dumped) as u64, REPORTS - 2);
    let (ran, told) = run(&manager, &["journal", "repair"]);
    assert!(ran && told.contains("1 damaged tails cut off"), "{told}");
    let (_, told) = run(&manager, &["journal", "check"]);
    assert!(told.contains("records follow") && !told.contains("to the segment's end"));
    let left = std::fs::metadata(&file).expect("there").len();
    assert!(left < bytes.len() as u64 && left > 0);

    // What was in the store is there, what comes is taken, what was lost with the disk is asked for by nobody's hand.
    let running = manager.start();
    deliver(&manager, REPORTS + 1, REPORTS + 5);
    wait_for("all to be applied", SOON, || {
        let expected: Vec<u64> = (1..=REPORTS + 5).collect();
        (values(&manager) == expected).then_some(())
    });
    assert_eq!(running.interrupt(), Some(0));
    // A rebuild has what the journal still has, and says where the rest was.
    let (built, told) = run(&manager, &["rebuild"]);
    assert!(built, "{told}");
    let running = manager.start();
    assert_eq!(values(&manager).len() as u64, REPORTS + 3);
    assert_eq!(running.interrupt(), Some(0));

    // When the oldest segment is kept no longer, only who says so gets a store without what it held.
    let mut left = segments(&manager);
    left.sort();
    let before = left.len();
    std::fs::remove_file(left.remove(0)).expect("removed");
    assert!(before > 1, "each start begins another segment");
    let (built, told) = run(&manager, &["rebuild"]);
    assert!(!built && told.contains("kept no longer"), "{told}");
    assert!(told.contains("begins with segment 2, of 20"), "{told}");
    let running = manager.start();
    assert_eq!(
        values(&manager).len() as u64,
        REPORTS + 3,
        "nothing changed"
    );
    assert_eq!(running.interrupt(), Some(0));
    let (built, told) = run(&manager, &["rebuild", "--from-what-is-left"]);
    assert!(built && told.contains("is without what"), "{told}");
    let running = manager.start();
    assert!((values(&manager).len() as u64) < REPORTS);
    assert_eq!(running.interrupt(), Some(0));
}

/// A small file system of its own, where that is allowed.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf, megabytes: u32) -> Option<Self> {
        std::fs::create_dir_all(&at).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(&at)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(
            unmounted.is_ok_and(|status| status.success()),
            "{} stays mounted",
            self.0.display()
        );
    }
}

#[test]
fn a_full_disk_is_answered_with_503_and_everything_goes_on_when_there_is_room_again() {
    let manager = ManagerUnderTest::prepare();
    let data = manager.folder.path().join("data");
    let before = manager.folder.path().join("before");
    std::fs::rename(&data, &before).expect("moved");
    let Some(_disk) = SmallDisk::mount(data.clone(), 64) else {
        eprintln!("skipped: a small file system cannot be mounted here (it takes root)");
        return;
    };
    for entry in std::fs::read_dir(&before).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            std::fs::copy(&path, data.join(path.file_name().expect("a name"))).expect("copied");
        }
    }
    let running = manager.start();
    deliver(&manager, 1, REPORTS);
    wait_for("the store to have them", SOON, || {
        (values(&manager).len() as u64 == REPORTS).then_some(())
    });
    // Somebody else fills the disk to the last byte.
    let filler = data.join("somebody-elses.file");
    let mut file = std::fs::File::create(&filler).expect("made");
    let chunk = [0; 4096];
    while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
    drop(file);
    // The page that the journal stands in may have room for a few more.
    let mut last = REPORTS;
    let refused = (0..FILLED_REPORTS_MAX).any(|_| {
        let sealed = sealed_report(&manager.agent_id, EPOCH, last + 1, 1);
        let answer = manager.asker.deliver(&manager.agent_token, &sealed);
        let (status, body) = answer.expect("it answers");
        assert!(status == 503 || status == 200, "{status}: {body}");
        last += u64::from(status == 200);
        status == 503
    });
    assert!(refused, "nothing is acknowledged that has no room");
    // Killed while it is full, and started while it is full or not: no hand is needed but to make room.
    running.kill();
    std::fs::remove_file(&filler).expect("removed");
    let running = manager.start();
    deliver(&manager, last + 1, last + 10);
    wait_for("all to be applied once", SOON, || {
        let expected: Vec<u64> = (1..=last + 10).collect();
        (values(&manager) == expected).then_some(())
    });
    let (sound, told) = run_stopped(&manager, running);
    assert!(sound, "{told}");
}

fn run_stopped(manager: &ManagerUnderTest, running: common::Running) -> (bool, String) {
    assert_eq!(running.interrupt(), Some(0));
    run(manager, &["store", "check"])
}
