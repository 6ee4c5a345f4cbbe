//! Journal segments: whatever stands in one, a check reads it to its end and a start gets over it.
#![no_main]

use journal::Disk;
use journal::sim::SimDisk;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut disk = SimDisk::new(1);
    disk.create(1).expect("an empty disk");
    let (written, _) = disk.append(1, 0, bytes.to_vec());
    written.expect("a disk without faults");
    journal::inspect::check(&mut disk).expect("damage is reported, not an error");
    journal::Journal::open(Box::new(disk), journal::Config::default())
        .expect("damage never stops a start");
});
