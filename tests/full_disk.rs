//! A disk without room: nothing is acknowledged that has none, everybody is told why, and everything goes on by itself when there is room,
//! whether the manager ran meanwhile, was started on the full disk, or cannot even open its files there.

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use codec::key::SpoolEpoch;

use common::{ManagerUnderTest, READY_MAX, SOON, platen, sealed_report, wait_for};

const REPORTS: u64 = 30;
const EPOCH: SpoolEpoch = SpoolEpoch(9);
/// So many reports fill what is left of a page of memory, and more.
const FILLED_REPORTS_MAX: u32 = 200;
const DISK_MB: u32 = 64;

/// A small file system of its own.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where mounting is not allowed.
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={DISK_MB}m"), "tmpfs"])
            .arg(&at)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self(at))
    }

    /// Somebody else fills it to the last byte.
    fn fill(&self) -> Filler {
        let path = self.0.join("somebody-elses.file");
        let mut file = std::fs::File::create(&path).expect("made");
        let chunk = [0; 4096];
        while file.write_all(&chunk).is_ok() {}
        Filler(path)
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

/// What fills a disk.
struct Filler(PathBuf);

impl Filler {
    fn remove(self) {
        std::fs::remove_file(self.0).expect("removed");
    }
}

/// A manager that is not started yet, with its data on a small disk. With `journal_elsewhere` only registry and store are there.
fn on_a_small_disk(journal_elsewhere: bool) -> Option<(ManagerUnderTest, SmallDisk)> {
    let manager = ManagerUnderTest::prepare();
    let data = manager.folder.path().join("data");
    let before = manager.folder.path().join("before");
    std::fs::rename(&data, &before).expect("moved");
    let Some(disk) = SmallDisk::mount(data.clone()) else {
        eprintln!("skipped: a small file system cannot be mounted here (it takes root)");
        return None;
    };
    for entry in std::fs::read_dir(&before).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            std::fs::copy(&path, data.join(path.file_name().expect("a name"))).expect("copied");
        }
    }
    if journal_elsewhere {
        link(&before.join("journal"), &data.join("journal"));
    }
    Some((manager, disk))
}

#[cfg(unix)]
fn link(folder: &Path, name: &Path) {
    std::fs::create_dir_all(folder).expect("a folder");
    std::os::unix::fs::symlink(folder, name).expect("linked");
}

#[cfg(not(unix))]
fn link(_folder: &Path, _name: &Path) {
    unreachable!("a small disk is mounted on Unix alone");
}

/// Delivers until a report is refused for want of room; the number of the last that was acknowledged comes out.
fn deliver_until_refused(manager: &ManagerUnderTest, mut last: u64) -> u64 {
    // The page that the journal stands in may have room for a few more.
    let refused = (0..FILLED_REPORTS_MAX).any(|_| {
        let sealed = sealed_report(&manager.agent_id, EPOCH, last + 1, 1);
        let answer = manager.asker.deliver(&manager.agent_token, &sealed);
        let (status, body) = answer.expect("it answers");
        assert!(status == 503 || status == 200, "{status}: {body}");
        last += u64::from(status == 200);
        status == 503
    });
    assert!(refused, "nothing is acknowledged that has no room");
    last
}

/// As after a restore: the registry must make this file before it opens.
fn lose_shared_memory(manager: &ManagerUnderTest) {
    let data = manager.folder.path().join("data");
    // A clean end may have removed it already.
    let _ = std::fs::remove_file(data.join("registry.sqlite-shm"));
}

/// Waits until `/healthz` says that the disk is full.
fn wait_until_it_says_full(manager: &ManagerUnderTest) {
    wait_for("the health to tell of the full disk", READY_MAX, || {
        let (status, body) = manager.asker.get("/healthz")?;
        (status == 503 && body.contains("disk-full")).then_some(())
    });
}

fn wait_for_values(manager: &ManagerUnderTest, last: u64) {
    wait_for("all to be applied once", SOON, || {
        let expected: Vec<u64> = (1..=last).collect();
        (manager.values() == expected).then_some(())
    });
}

fn check_store(manager: &ManagerUnderTest) {
    let output = platen()
        .args(["store", "check", "--config"])
        .arg(&manager.config)
        .output()
        .expect("the command runs");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn on_a_full_disk_a_manager_starts_answers_questions_refuses_reports_and_goes_on_when_there_is_room()
 {
    let Some((manager, disk)) = on_a_small_disk(false) else {
        return;
    };
    let running = manager.start();
    manager.deliver(EPOCH, 1, REPORTS);
    wait_for_values(&manager, REPORTS);
    let filler = disk.fill();
    let last = deliver_until_refused(&manager, REPORTS);
    wait_until_it_says_full(&manager);
    running.kill();

    // Started while it is still full: it serves what it has, and says what is the matter.
    let running = manager.spawn();
    wait_for("the manager to answer", READY_MAX, || {
        manager.asker.get("/healthz")
    });
    wait_for("a question to be answered", SOON, || {
        let (status, _) = manager.asker.get("/api/v1/devices")?;
        (status == 200).then_some(())
    });
    let values = manager.values();
    assert!(values.len() as u64 >= REPORTS, "{values:?}");
    let (status, _) = manager.asker.get("/login").expect("a page");
    assert_eq!(status, 200);
    let last = deliver_until_refused(&manager, last);
    wait_until_it_says_full(&manager);
    let (_, metrics) = manager.asker.get("/metrics").expect("metrics");
    assert!(
        metrics.contains("platen_ingest_hindered{part=\"journal-")
            && metrics.contains("reason=\"disk-full\"} 1"),
        "{metrics}"
    );

    // No hand is needed but to make room.
    filler.remove();
    manager.deliver(EPOCH, last + 1, last + 10);
    wait_for_values(&manager, last + 10);
    manager.wait_until_healthy();
    assert_eq!(running.interrupt(), Some(0));
    check_store(&manager);
}

#[test]
fn a_manager_that_cannot_even_open_its_files_on_a_full_disk_says_so_and_begins_when_there_is_room()
{
    let Some((manager, disk)) = on_a_small_disk(false) else {
        return;
    };
    let running = manager.start();
    manager.deliver(EPOCH, 1, REPORTS);
    assert_eq!(running.interrupt(), Some(0));
    lose_shared_memory(&manager);
    let filler = disk.fill();
    let mut running = manager.spawn();
    wait_until_it_says_full(&manager);
    let sealed = sealed_report(&manager.agent_id, EPOCH, REPORTS + 1, 1);
    let answer = manager.asker.deliver(&manager.agent_token, &sealed);
    assert_eq!(answer.expect("an answer").0, 503);
    let (status, page) = manager.asker.get("/devices").expect("a page");
    assert!(
        status == 503 && page.contains("no room"),
        "{status}: {page}"
    );
    let (_, metrics) = manager.asker.get("/metrics").expect("metrics");
    assert!(metrics.contains("platen_start_waiting{reason=\"disk-full\"} 1"));
    assert!(running.0.try_wait().expect("a process").is_none());
    filler.remove();
    manager.wait_until_healthy();
    manager.deliver(EPOCH, REPORTS + 1, REPORTS + 10);
    wait_for_values(&manager, REPORTS + 10);
    assert_eq!(running.interrupt(), Some(0));

    // And who loses patience can end it.
    lose_shared_memory(&manager);
    let filler = disk.fill();
    let running = manager.spawn();
    wait_until_it_says_full(&manager);
    assert_eq!(running.interrupt(), Some(0));
    filler.remove();
    check_store(&manager);
}

#[test]
fn a_store_whose_disk_is_full_catches_up_by_itself_with_what_the_journal_took_meanwhile() {
    let Some((manager, disk)) = on_a_small_disk(true) else {
        return;
    };
    let running = manager.start();
    manager.deliver(EPOCH, 1, REPORTS);
    wait_for_values(&manager, REPORTS);
    let filler = disk.fill();
    // The journal has room on its own disk: it takes them, and the store must wait.
    manager.deliver(EPOCH, REPORTS + 1, REPORTS + 200);
    wait_until_it_says_full(&manager);
    let values = manager.values();
    assert!(values.len() as u64 >= REPORTS, "{values:?}");
    filler.remove();
    wait_for_values(&manager, REPORTS + 200);
    manager.wait_until_healthy();
    assert_eq!(running.interrupt(), Some(0));
    check_store(&manager);
}
