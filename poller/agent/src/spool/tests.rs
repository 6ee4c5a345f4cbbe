//! The spool against its promises: order, marks, what goes first when it is full, and a model that crashes it.

use std::collections::BTreeMap;
use std::time::Duration;

use codec::envelope::Encoding;
use codec::key::ContentHash;
use journal::sim::SimDisk;

use super::*;

const AGENT: &str = "tester";
const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
const EVERYTHING: usize = usize::MAX;

fn config(directory: &Path) -> SpoolConfig {
    SpoolConfig {
        directory: directory.to_owned(),
        bytes_max: 1_000_000,
        age_max: Duration::from_secs(86_400),
        keep_acknowledged: Duration::ZERO,
        dead_letters_max: 2,
    }
}

fn agent() -> AgentId {
    AgentId::new(AGENT).unwrap()
}

fn meta<D: Disk>(spool: &Spool<D>, sealed: &[u8], sealed_at: Timestamp) -> Meta {
    Meta {
        encoding: Encoding::Gzip,
        epoch: spool.epoch(),
        hash: ContentHash::of(sealed),
        sealed_at,
        devices: 1,
    }
}

fn put<D: Disk>(spool: &mut Spool<D>, stream: Stream, sealed: &[u8], now: Timestamp) -> u64 {
    let sequence = spool.sequence_next(stream);
    let meta = meta(spool, sealed, now);
    spool.append(stream, &meta, sequence, sealed, now).unwrap();
    sequence
}

fn sequences<D: Disk>(spool: &mut Spool<D>, stream: Stream) -> Vec<u64> {
    spool
        .waiting(stream, 0, EVERYTHING, EVERYTHING)
        .unwrap()
        .iter()
        .map(|report| report.key.sequence)
        .collect()
}

#[test]
fn what_was_appended_waits_in_order_over_restarts_until_it_is_done_with() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut spool = Spool::open(&config, &agent(), NOW).unwrap();
    let epoch = spool.epoch();
    for body in [&b"one"[..], b"two", b"three"] {
        put(&mut spool, Stream::Meters, body, NOW);
    }
    put(&mut spool, Stream::State, b"other", NOW);
    let reports = spool.waiting(Stream::Meters, 0, 2, EVERYTHING).unwrap();
    assert_eq!(reports.len(), 2);
    assert_eq!(reports[1].sealed, b"two");
    assert_eq!(
        reports[1].key,
        ReportKey {
            agent: agent(),
            epoch,
            stream: Stream::Meters,
            sequence: 2,
            hash: ContentHash::of(b"two"),
        }
    );
    // The second is acknowledged before the first: the first still waits.
    spool.acknowledge(&reports[1].key, NOW).unwrap();
    assert_eq!(sequences(&mut spool, Stream::Meters), [1, 3]);
    spool.acknowledge(&reports[0].key, NOW).unwrap();
    assert_eq!(sequences(&mut spool, Stream::Meters), [3]);
    spool.settle().unwrap();
    drop(spool);

    let mut spool = Spool::open(&config, &agent(), NOW).unwrap();
    assert_eq!(spool.epoch(), epoch);
    assert_eq!(sequences(&mut spool, Stream::Meters), [3]);
    assert_eq!(sequences(&mut spool, Stream::State), [1]);
    assert_eq!(put(&mut spool, Stream::Meters, b"four", NOW), 4);
    assert_eq!(spool.depth(Stream::Meters), (2, 9));
}

#[test]
fn a_look_ahead_stops_at_its_bytes_but_always_gives_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(&config(folder.path()), &agent(), NOW).unwrap();
    for _ in 0..4 {
        put(&mut spool, Stream::Meters, &[7; 100], NOW);
    }
    let count = |spool: &mut Spool<_>, bytes| {
        let reports = spool.waiting(Stream::Meters, 0, 10, bytes).unwrap();
        reports.len()
    };
    assert_eq!(count(&mut spool, 10), 1);
    assert_eq!(count(&mut spool, 250), 2);
    assert_eq!(count(&mut spool, 1000), 4);
    let behind = spool.waiting(Stream::Meters, 3, 10, 1000).unwrap();
    assert_eq!(behind[0].key.sequence, 4);
}

#[test]
fn a_full_spool_gives_up_acknowledged_then_state_then_meters() {
    let folder = tempfile::tempdir().unwrap();
    let config = SpoolConfig {
        keep_acknowledged: Duration::from_secs(86_400),
        ..config(folder.path())
    };
    let mut spool = Spool::open(&config, &agent(), NOW).unwrap();
    let body = [1_u8; 10_000];
    // Fill half with meters that are delivered but kept, the rest with both streams.
    for _ in 0..40 {
        put(&mut spool, Stream::Meters, &body, NOW);
    }
    for report in spool.waiting(Stream::Meters, 0, 40, EVERYTHING).unwrap() {
        spool.acknowledge(&report.key, NOW).unwrap();
    }
    for _ in 0..50 {
        put(&mut spool, Stream::State, &body, NOW);
    }
    assert!(spool.bytes() > 900_000);
    for _ in 0..30 {
        put(&mut spool, Stream::Meters, &body, NOW);
    }
    assert_eq!(
        spool.dropped(Stream::State).full,
        0,
        "acknowledged ones made room"
    );
    assert_eq!(spool.dropped(Stream::Meters).full, 0);

    for _ in 0..60 {
        put(&mut spool, Stream::Meters, &body, NOW);
    }
    let state_dropped = spool.dropped(Stream::State).full;
    assert!(state_dropped >= 40, "{state_dropped} state reports dropped");
    assert_eq!(spool.dropped(Stream::Meters).full, 0, "meters go last");
    let state = sequences(&mut spool, Stream::State);
    assert_eq!(
        state.first(),
        Some(&(state_dropped + 1)),
        "the oldest went first"
    );
    assert!(spool.bytes() <= config.bytes_max);

    for _ in 0..60 {
        put(&mut spool, Stream::Meters, &body, NOW);
    }
    let meters_dropped = spool.dropped(Stream::Meters).full;
    assert!(meters_dropped > 0, "only meters are left to go");
    let meters = sequences(&mut spool, Stream::Meters);
    assert_eq!(meters.last(), Some(&190), "the newest are kept");
    assert_eq!(meters.len() as u64, 150 - meters_dropped);
    assert!(spool.bytes() <= config.bytes_max);
}

#[test]
fn what_is_too_old_is_dropped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(&config(folder.path()), &agent(), NOW).unwrap();
    for _ in 0..4 {
        put(&mut spool, Stream::Meters, &[1; 10_000], NOW);
    }
    let later = NOW.plus_ms(2 * 86_400_000);
    put(&mut spool, Stream::Meters, b"new", later);
    let dropped = spool.dropped(Stream::Meters);
    assert!(dropped.aged >= 2, "{dropped:?}");
    assert_eq!(sequences(&mut spool, Stream::Meters).last(), Some(&5));
}

#[test]
fn a_refused_report_becomes_a_dead_letter_and_the_oldest_letters_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(&config(folder.path()), &agent(), NOW).unwrap();
    for body in [&b"one"[..], b"two", b"three"] {
        put(&mut spool, Stream::Meters, body, NOW);
        let report = spool
            .waiting(Stream::Meters, 0, 1, EVERYTHING)
            .unwrap()
            .remove(0);
        spool.refuse(&report, "malformed: at byte 7", NOW).unwrap();
    }
    assert_eq!(spool.depth(Stream::Meters), (0, 0));
    let letters = folder.path().join(DEAD_LETTERS_FOLDER);
    let mut names: Vec<String> = std::fs::read_dir(&letters)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 4, "{names:?}");
    let newest = names
        .iter()
        .find(|name| name.ends_with("000000000003.json"))
        .unwrap();
    let text = std::fs::read_to_string(letters.join(newest)).unwrap();
    assert!(text.contains("malformed: at byte 7"), "{text}");
    let sealed = newest.replace(".json", ".xml.gz");
    assert_eq!(std::fs::read(letters.join(sealed)).unwrap(), b"three");
}

#[test]
fn what_was_refused_is_not_sent_again_however_often_it_is_asked_for_nor_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = SpoolConfig {
        keep_acknowledged: Duration::from_secs(3_600),
        ..config(folder.path())
    };
    let mut spool = Spool::open(&config, &agent(), NOW).unwrap();
    let epoch = spool.epoch();
    for body in [&b"one"[..], b"two", b"three"] {
        put(&mut spool, Stream::Meters, body, NOW);
    }
    let reports = spool
        .waiting(Stream::Meters, 0, EVERYTHING, EVERYTHING)
        .unwrap();
    spool.acknowledge(&reports[0].key, NOW).unwrap();
    spool.refuse(&reports[1], "malformed", NOW).unwrap();
    spool.acknowledge(&reports[2].key, NOW).unwrap();
    let gap = [Missing { from: 2, to: 2 }];
    let all = [Missing { from: 1, to: 3 }];
    assert_eq!(spool.again(Stream::Meters, epoch, &gap).unwrap(), None);
    // Its neighbours are, when the manager lacks them.
    let again = spool.again(Stream::Meters, epoch, &all).unwrap();
    assert_eq!(again, Some((1, 2)));
    assert_eq!(sequences(&mut spool, Stream::Meters), [1, 3]);
    for report in [&reports[0], &reports[2]] {
        spool.acknowledge(&report.key, NOW).unwrap();
    }
    spool.settle().unwrap();
    drop(spool);
    let mut spool = Spool::open(&config, &agent(), NOW).unwrap();
    assert_eq!(spool.again(Stream::Meters, epoch, &gap).unwrap(), None);
    assert_eq!(
        spool.again(Stream::Meters, epoch, &all).unwrap(),
        Some((1, 2))
    );
}

#[test]
fn a_spool_is_one_agents_and_opened_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let spool = Spool::open(&config, &agent(), NOW).unwrap();
    assert!(matches!(
        Spool::open(&config, &agent(), NOW),
        Err(SpoolError::InUse { .. })
    ));
    drop(spool);
    let other = AgentId::new("somebody-else").unwrap();
    let error = Spool::open(&config, &other, NOW).err().unwrap();
    assert!(
        error.to_string().contains("belongs to the agent tester"),
        "{error}"
    );
}

#[test]
fn a_spool_emptied_by_hand_starts_a_new_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut spool = Spool::open(&config, &agent(), NOW).unwrap();
    let epoch = spool.epoch();
    put(&mut spool, Stream::Meters, b"one", NOW);
    put(&mut spool, Stream::State, b"one", NOW);
    drop(spool);
    std::fs::remove_dir_all(folder.path().join("meters")).unwrap();
    let mut spool = Spool::open(&config, &agent(), NOW).unwrap();
    assert_ne!(spool.epoch(), epoch);
    // What waits still bears the epoch it was sealed with.
    let state = spool.waiting(Stream::State, 0, 1, EVERYTHING).unwrap();
    assert_eq!(state[0].key.epoch, epoch);
}

#[test]
fn reports_that_can_no_longer_be_read_are_stepped_over_and_do_not_stall_the_stream() {
    let config = config(Path::new("unused"));
    let disks = [SimDisk::new(1), SimDisk::new(2)];
    let mut spool = Spool::assemble(
        &config,
        Identity::new(agent()),
        disks[0].clone(),
        disks[1].clone(),
        NOW,
    )
    .unwrap();
    for n in 1..=5 {
        put(&mut spool, Stream::Meters, &[n; 1000], NOW);
    }
    // The disk spoils the first, the second and the fourth while the agent runs.
    let bytes = disks[0].contents(1).unwrap();
    for n in [1, 2, 4] {
        let at = bytes.windows(1000).position(|body| body == [n; 1000]);
        assert!(disks[0].flip_bit(1, at.unwrap() + 500, 3));
    }
    // One at a time, as a narrow window asks: none found would mean that none is left.
    let mut seen = Vec::new();
    while let Some(report) = spool
        .waiting(Stream::Meters, seen.last().copied().unwrap_or(0), 1, 10)
        .unwrap()
        .pop()
    {
        seen.push(report.key.sequence);
        spool.acknowledge(&report.key, NOW).unwrap();
    }
    assert_eq!(seen, [3, 5]);
    assert_eq!(spool.depth(Stream::Meters), (0, 0));
    assert_eq!(spool.dropped(Stream::Meters).damaged, 3);

    // Nothing but damage is left: that is no report, and no stall.
    put(&mut spool, Stream::Meters, &[6; 1000], NOW);
    let bytes = disks[0].contents(1).unwrap();
    let at = bytes.windows(1000).position(|body| body == [6; 1000]);
    assert!(disks[0].flip_bit(1, at.unwrap(), 0));
    assert!(sequences(&mut spool, Stream::Meters).is_empty());
    put(&mut spool, Stream::Meters, &[7; 1000], NOW);
    assert_eq!(sequences(&mut spool, Stream::Meters), [7]);
}

/// A small generator of the test's own: the same seed makes the same run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

#[test]
fn no_crash_loses_what_was_appended_or_gives_a_number_twice() {
    for seed in 0..20 {
        crash_for_a_while(seed);
    }
}

/// Appends, acknowledges out of order, restarts and cuts the power, and compares with a model of what must be waiting.
fn crash_for_a_while(seed: u64) {
    let mut random = Random(seed);
    let config = config(Path::new("unused"));
    let disks = [SimDisk::new(seed), SimDisk::new(seed + 1000)];
    let mut identity = Identity::new(agent());
    for stream in Stream::ALL {
        identity.begin(stream);
    }
    let open = |now| {
        Spool::assemble(
            &config,
            identity.clone(),
            disks[0].clone(),
            disks[1].clone(),
            now,
        )
        .unwrap()
    };
    let mut now = NOW;
    let mut spool = open(now);
    // By number: what was appended, and whether a receipt came.
    let mut model: [BTreeMap<u64, (Vec<u8>, bool)>; 2] = Default::default();
    for _ in 0..150 {
        now = now.plus_ms(1000);
        let which = usize::try_from(random.below(2)).unwrap();
        let stream = Stream::ALL[which];
        match random.below(10) {
            0..5 => {
                let body = random
                    .below(u64::MAX)
                    .to_le_bytes()
                    .repeat(1 + usize::try_from(random.below(300)).unwrap());
                let sequence = put(&mut spool, stream, &body, now);
                let earlier = model[which].insert(sequence, (body, false));
                assert!(
                    earlier.is_none(),
                    "seed {seed}: number {sequence} was given twice"
                );
            }
            5..8 => {
                let ahead = usize::try_from(random.below(4)).unwrap() + 1;
                let reports = spool.waiting(stream, 0, ahead, EVERYTHING).unwrap();
                if let Some(report) = reports.last() {
                    spool.acknowledge(&report.key, now).unwrap();
                    model[which].get_mut(&report.key.sequence).unwrap().1 = true;
                }
            }
            8 => {
                spool.settle().unwrap();
                drop(spool);
                spool = open(now);
            }
            _ => {
                drop(spool);
                disks.iter().for_each(SimDisk::power_cut);
                spool = open(now);
            }
        }
        for (which, stream) in Stream::ALL.into_iter().enumerate() {
            let waiting = spool.waiting(stream, 0, EVERYTHING, EVERYTHING).unwrap();
            let mut last = 0;
            for report in &waiting {
                assert!(report.key.sequence > last, "seed {seed}: in order");
                last = report.key.sequence;
                // An acknowledged one may come again after a crash: as it was.
                assert_eq!(report.sealed, model[which][&last].0, "seed {seed}");
                assert_eq!(report.key.hash, ContentHash::of(&report.sealed));
            }
            for (sequence, (_, acknowledged)) in &model[which] {
                let waits = waiting
                    .iter()
                    .any(|report| report.key.sequence == *sequence);
                assert!(
                    waits || *acknowledged,
                    "seed {seed}: {} {sequence} was lost",
                    stream.name()
                );
            }
        }
    }
}
