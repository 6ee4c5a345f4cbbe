//! `platen journal check|dump|repair` on journals that were damaged: the start never needs a hand.

mod common;

use std::path::PathBuf;

use codec::key::SpoolEpoch;

use common::{ManagerUnderTest, SOON, platen, wait_for};

const REPORTS: u64 = 30;
const EPOCH: SpoolEpoch = SpoolEpoch(9);

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

#[test]
fn the_journals_commands_tell_what_is_damaged_and_a_start_goes_on_without_them() {
    let manager = ManagerUnderTest::prepare();
    let running = manager.start();
    manager.deliver(EPOCH, 1, REPORTS);
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
    manager.deliver(EPOCH, REPORTS + 1, REPORTS + 5);
    wait_for("all to be applied", SOON, || {
        let expected: Vec<u64> = (1..=REPORTS + 5).collect();
        (manager.values() == expected).then_some(())
    });
    assert_eq!(running.interrupt(), Some(0));
    // A rebuild has what the journal still has, and says where the rest was.
    let (built, told) = run(&manager, &["rebuild"]);
    assert!(built, "{told}");
    let running = manager.start();
    assert_eq!(manager.values().len() as u64, REPORTS + 3);
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
        manager.values().len() as u64,
        REPORTS + 3,
        "nothing changed"
    );
    assert_eq!(running.interrupt(), Some(0));
    let (built, told) = run(&manager, &["rebuild", "--from-what-is-left"]);
    assert!(built && told.contains("is without what"), "{told}");
    let running = manager.start();
    assert!((manager.values().len() as u64) < REPORTS);
    assert_eq!(running.interrupt(), Some(0));
}
