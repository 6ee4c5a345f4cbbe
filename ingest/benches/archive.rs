//! Archiving: how fast a segment becomes an archive, and how large that is, in the clear (one zstd frame for each chunk, as before there were keys)
//! and sealed for one, for fifty and for five hundred customers.
//!
//! `cargo bench -p platen-ingest --bench archive`. Each reads the same segment from the page cache, compresses, seals, writes, syncs and reads
//! back, three times in turn; the best counts. Files are under the system's temporary folder or `PLATEN_BENCH_DIR`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use codec::id::{AgentId, TenantId};
use codec::key::{ContentHash, ReportKey, SpoolEpoch, Stream};
use codec::model::DeviceReport;
use codec::time::Timestamp;
use common::{NOON, delivery, metered, report};
use ingest::keys::{CustomerKeys, Owners, Seals};
use ingest::record::{KIND_REPORT, ReportMeta};
use journal::archive::{self, Due};
use journal::{Config, Disk, Journal, Record, StdDisk};

const REPORTS: u64 = 8_000;
const DEVICES: u32 = 100;
const AGENTS: u64 = 500;
const TURNS: usize = 3;
/// As archives are compressed.
const CHUNK_BYTES: usize = 1 << 20;
const LEVEL: i32 = 6;

/// Agents spread over so many customers.
struct Spread(i64);

impl Owners for Spread {
    fn owner_of(&self, agent: &AgentId) -> Option<TenantId> {
        let number: i64 = agent.as_str().strip_prefix("agent-")?.parse().ok()?;
        Some(TenantId(number % self.0 + 1))
    }

    fn is_forgotten(&self, _customer: TenantId) -> bool {
        false
    }

    fn forgotten(&self) -> Vec<TenantId> {
        Vec::new()
    }
}

fn main() {
    let parent =
        std::env::var_os("PLATEN_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(parent).expect("the folder can be written");
    let due = segment(folder.path());
    println!(
        "{} bytes of {REPORTS} reports of {DEVICES} devices",
        due.bytes
    );
    let mut best: Vec<(String, f64, u64)> = Vec::new();
    for turn in 0..TURNS {
        let mut runs = vec![("in the clear".to_owned(), in_the_clear(folder.path(), &due))];
        for customers in [1, 50, 500] {
            let run = sealed(folder.path(), &due, customers);
            runs.push((format!("{customers} customers"), run));
        }
        for (at, (name, (seconds, bytes))) in runs.into_iter().enumerate() {
            if turn == 0 {
                best.push((name, seconds, bytes));
            } else if seconds < best[at].1 {
                best[at].1 = seconds;
            }
        }
    }
    let (clear_seconds, clear_bytes) = (best[0].1, best[0].2);
    for (name, seconds, bytes) in best {
        println!(
            "{name:<16} {:>6.1} MB/s ({:.2} of the time in the clear), {bytes} bytes ({:+.2} %)",
            due.bytes as f64 / seconds / 1e6,
            seconds / clear_seconds,
            (bytes as f64 / clear_bytes as f64 - 1.0) * 100.0
        );
    }
}

/// A device that has little in common with others but its model: gzip leaves nothing alike in two reports then.
fn invented(number: u32, at: Timestamp, sequence: u64) -> DeviceReport {
    let mixed = |salt: u64| {
        let mut hash = (u64::from(number) << 32 | salt).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash ^= hash >> 29;
        hash = hash.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash ^ hash >> 32
    };
    let at = at.plus_ms((mixed(20 + sequence) % 60_000).cast_signed());
    let printed = sequence / AGENTS * (mixed(1) % 200);
    let mut device = metered(number, at, mixed(3) % 900_000 + printed);
    let byte = |salt| mixed(salt) % 256;
    let identity = &mut device.identity;
    identity.serial = Some(format!("{:010X}", mixed(4) >> 24));
    identity.hostname = Some(format!("KM{:06X}", mixed(5) >> 40));
    identity.address = Some(format!("10.{}.{}.{}", byte(6), byte(7), byte(8)));
    let mac = format!("00:c0:ee:{:02x}:{:02x}:{:02x}", byte(9), byte(10), byte(11));
    identity.mac = Some(mac);
    device
}

/// Writes the segment.
fn segment(folder: &Path) -> Due {
    let disk = StdDisk::open(folder).expect("the folder is there");
    let config = Config {
        segment_bytes: u64::MAX,
        ..Config::default()
    };
    let (mut journal, _) = Journal::open(disk, config).expect("a new journal opens");
    for sequence in 1..=REPORTS {
        let agent = AgentId::new(&format!("agent-{}", sequence % AGENTS)).expect("an id");
        let at = NOON.plus_ms(i64::try_from(sequence).expect("few") * 1_000);
        let mut report = report(&agent, Stream::Meters, sequence, at);
        let first = (sequence % AGENTS) as u32 * DEVICES;
        report.devices = (first..first + DEVICES)
            .map(|number| invented(number, at, sequence))
            .collect();
        let body = delivery(&report).body;
        let mut meta = Vec::new();
        ReportMeta {
            key: ReportKey {
                agent,
                epoch: SpoolEpoch(7),
                stream: Stream::Meters,
                sequence,
                hash: ContentHash::of(&body),
            },
            encoding: codec::envelope::Encoding::Gzip,
            received_at: at,
            sent_at: Some(at),
            uptime_ms: Some(sequence),
            is_deltas_only: false,
        }
        .write(&mut meta);
        let record = Record {
            kind: KIND_REPORT,
            sequence,
            meta: &meta,
            body: &body,
        };
        journal.append(&[record]).expect("the disk takes it");
    }
    journal.seal().expect("the disk syncs");
    let sealed = journal.sealed()[0];
    Due {
        segment: sealed.segment,
        bytes: sealed.bytes,
        begun_ms: 0,
        ended_ms: 0,
    }
}

/// What version 1 did: seconds, and the bytes of the file.
fn in_the_clear(folder: &Path, due: &Due) -> (f64, u64) {
    let started = Instant::now();
    let mut live = StdDisk::open(folder).expect("the folder is there");
    let path = folder.join("clear");
    let mut file = File::create(&path).expect("the folder can be written");
    let (mut offset, mut frames, mut raw_crc) = (0, Vec::new(), 0);
    let mut buffer = Vec::new();
    while offset < due.bytes {
        let wanted = (due.bytes - offset).min(CHUNK_BYTES as u64);
        buffer.resize(wanted as usize, 0);
        let (read, back) = live.read(due.segment, offset, buffer);
        buffer = back;
        assert_eq!(read.expect("the disk reads"), buffer.len());
        raw_crc = crc32c::crc32c_append(raw_crc, &buffer);
        let frame = zstd::bulk::compress(&buffer, LEVEL).expect("zstd compresses");
        file.write_all(&crc32c::crc32c(&frame).to_le_bytes())
            .expect("the disk takes it");
        file.write_all(&frame).expect("the disk takes it");
        frames.push(frame.len());
        offset += wanted;
    }
    file.sync_all().expect("the disk syncs");
    let bytes = std::fs::read(&path).expect("the disk reads");
    let (mut rest, mut read_crc) = (&bytes[..], 0);
    for length in frames {
        let (frame, behind) = rest[4..].split_at(length);
        assert_eq!(crc32c::crc32c(frame).to_le_bytes(), rest[..4]);
        let chunk = zstd::bulk::decompress(frame, CHUNK_BYTES).expect("zstd inflates");
        read_crc = crc32c::crc32c_append(read_crc, &chunk);
        rest = behind;
    }
    assert_eq!(read_crc, raw_crc);
    (started.elapsed().as_secs_f64(), bytes.len() as u64)
}

/// The same as it is done now.
fn sealed(folder: &Path, due: &Due, customers: i64) -> (f64, u64) {
    let keys = CustomerKeys::open(&folder.join(format!("keys-{customers}")));
    let keys = Arc::new(keys.expect("the folder can be written"));
    for customer in 1..=customers {
        keys.get_or_make(TenantId(customer)).expect("keys are made");
    }
    let seals = Seals::new(keys, Arc::new(Spread(customers)));
    let archives = folder.join("archive");
    let started = Instant::now();
    let mut live = StdDisk::open(folder).expect("the folder is there");
    let made = archive::write(
        &archives,
        &mut live,
        due,
        &mut seals.sealer(),
        &seals.opener(),
    );
    let made = made.expect("it is archived");
    let seconds = started.elapsed().as_secs_f64();
    archive::remove(&archives, due.segment).expect("it can be removed");
    (seconds, made.file_bytes)
}
