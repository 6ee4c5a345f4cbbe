//! Memory, counted: a warm decode and a warm encode allocate nothing per device, and hostile input gets no memory.
//!
//! One test, since the counts are those of the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use codec::envelope::{Deflater, Encoding, Inflater};
use codec::key::Stream;
use codec::limits::INFLATED_BYTES_MAX;
use codec::sample::Fleet;
use codec::sink::{MeterRow, RowSink, SupplyRow};
use codec::xml;

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);
static PEAK_BYTES: AtomicUsize = AtomicUsize::new(0);

fn count(layout: Layout) {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    let live = LIVE_BYTES.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
    PEAK_BYTES.fetch_max(live, Ordering::Relaxed);
}

// SAFETY: every call goes on to the system's allocator as it came; the counters are atomic and allocate nothing.
#[expect(unsafe_code, reason = "an allocator that counts cannot be had without")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` allocates: how often, and how many bytes above what was live before.
fn measured(work: impl FnOnce()) -> (usize, usize) {
    let before = (
        ALLOCATIONS.load(Ordering::Relaxed),
        LIVE_BYTES.load(Ordering::Relaxed),
    );
    PEAK_BYTES.store(before.1, Ordering::Relaxed);
    work();
    (
        ALLOCATIONS.load(Ordering::Relaxed) - before.0,
        PEAK_BYTES.load(Ordering::Relaxed) - before.1,
    )
}

/// A sink that keeps sums only.
#[derive(Default)]
struct Sums {
    value: u64,
    text_bytes: usize,
}

impl RowSink for Sums {
    fn meter(&mut self, meter: &MeterRow<'_>) {
        self.value += meter.value;
        self.text_bytes += meter.oid.len();
    }

    fn supply(&mut self, supply: &SupplyRow<'_>) {
        self.text_bytes += supply.description.len();
    }
}

/// What one warm round (write, deflate, inflate, read both ways) of a report of so many devices allocates in each step.
fn warm_round(devices: usize, stream: Stream) -> [usize; 5] {
    let mut report = Fleet::new(devices, 5).report(stream, 1);
    for device in &mut report.devices {
        // Something to escape and to resolve in every device.
        device.identity.contact = Some("Müller & Söhne <\"EDV\">".to_owned());
    }
    let (mut xml_bytes, mut body) = (Vec::new(), Vec::new());
    let (mut deflater, mut inflater) = (Deflater::new(), Inflater::new());
    let mut counts = [0; 5];
    for _ in 0..2 {
        xml_bytes.clear();
        body.clear();
        let mut sums = Sums::default();
        counts[0] = measured(|| xml::write_report(&report, &mut xml_bytes)).0;
        counts[1] = measured(|| deflater.deflate(Encoding::Gzip, &xml_bytes, &mut body)).0;
        counts[2] = measured(|| {
            let plain = inflater.inflate(Encoding::Gzip, &body, INFLATED_BYTES_MAX);
            assert_eq!(plain.unwrap(), xml_bytes);
        })
        .0;
        counts[3] = measured(|| xml::push_rows(&xml_bytes, &mut sums).unwrap()).0;
        counts[4] = measured(|| xml::push_rows_general(&xml_bytes, &mut sums).unwrap()).0;
        assert!(sums.text_bytes > devices, "rows came");
    }
    counts
}

fn nothing_per_device() {
    for stream in Stream::ALL {
        let (few, many) = (warm_round(10, stream), warm_round(1000, stream));
        println!("allocations of write, deflate, inflate, read, read generally: {few:?} {many:?}");
        assert_eq!(
            few,
            many,
            "{}: none depends on the number of devices",
            stream.name()
        );
        assert_eq!(
            many[..3],
            [0, 0, 0],
            "{}: write, deflate, inflate",
            stream.name()
        );
        // The machine's scratch, the checked agent id, the reader: of a report, not of a device.
        assert!(many[3] <= 8 && many[4] <= 16, "{many:?}");
    }
}

fn hostile_documents_get_no_memory() {
    const BYTES_MAX: usize = 64 << 10;
    let head = "<report version=\"1\" agent=\"a\" epoch=\"0123456789abcdef\" stream=\"meters\" sequence=\"1\" \
         sealed_at=\"2026-11-21T10:41:00.000Z\" sealed_uptime_ms=\"10\" program=\"\">";
    let device = "<device handle=\"h\" observed_at=\"2026-11-21T10:41:00.000Z\" age_ms=\"0\">";
    let entities = "<!ENTITY a \"&b;&b;&b;&b;&b;&b;&b;&b;\">".repeat(10_000);
    let attributes: String = (0..100_000)
        .map(|number| format!(" a{number}=\"x\""))
        .collect();
    let documents = [
        format!("<!DOCTYPE report [{entities}]>{head}</report>"),
        format!("{head}{}", "<device>".repeat(10_000)),
        "<report>".repeat(1_000_000),
        format!("{head}<device{attributes}>"),
        format!(
            "{head}{device}<identity serial=\"{}\"/>",
            "&amp;".repeat(1_000_000)
        ),
        format!(
            "{head}{device}<identity serial=\"{}\"/>",
            "x".repeat(10_000_000)
        ),
        format!("{head}{device}<identity/><{}/>", "n".repeat(10_000_000)),
        format!("{head}<!--{}-->", "- ".repeat(1_000_000)),
        format!("{head}{}", "\0".repeat(1_000_000)),
        format!(
            "{head}{device}<identity serial=\"{}",
            "&#65;".repeat(1_000_000)
        ),
    ];
    for document in &documents {
        let mut sums = Sums::default();
        let mut result = Ok(());
        let (_, bytes) = measured(|| result = xml::push_rows(document.as_bytes(), &mut sums));
        let error = result.expect_err("hostile");
        assert!(bytes <= BYTES_MAX, "{bytes} bytes for: {error}");
    }
}

fn bombs_get_no_memory_beyond_the_cap() {
    const CAP_BYTES: usize = 1 << 20;
    /// The second reading's window and scratch.
    const OVERHEAD_BYTES: usize = 256 << 10;
    let zeros = vec![0; 100 << 20];
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let mut bomb = Vec::new();
        Deflater::new().deflate(encoding, &zeros, &mut bomb);
        for said in [None, Some(1_u32 << 30), Some(1000)] {
            let mut body = bomb.clone();
            if let Some(said) = said {
                let at = body.len() - 4;
                body[at..].copy_from_slice(&said.to_le_bytes());
            }
            let mut inflater = Inflater::new();
            let (_, bytes) = measured(|| {
                inflater
                    .inflate(encoding, &body, CAP_BYTES)
                    .expect_err("a bomb");
            });
            assert!(
                bytes <= CAP_BYTES + OVERHEAD_BYTES,
                "{encoding}: {bytes} bytes"
            );
        }
    }
}

#[test]
fn memory_is_bounded_and_a_warm_round_needs_none_per_device() {
    nothing_per_device();
    hostile_documents_get_no_memory();
    bombs_get_no_memory_beyond_the_cap();
}
