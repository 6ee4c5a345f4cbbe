//! How long it takes to seal a report of 100 devices: encode, compress, hash.
//!
//! `cargo bench -p platen-agent --bench seal`

use std::hint::black_box;

use codec::envelope::{Deflater, Encoding};
use codec::id::AgentId;
use codec::key::{ContentHash, SpoolEpoch, Stream};
use codec::model::{
    Basis, CapacityUnit, Colorant, Colour, DeviceReport, Header, Identity, Level, Meter, MeterUnit,
    Report, Section, Status, Supply, SupplyClass, SupplyType, Work,
};
use codec::time::Timestamp;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const DEVICES: u32 = 100;

fn device(number: u32) -> DeviceReport {
    let works = [Work::Total, Work::Print, Work::Copy, Work::Fax];
    let colours = [Colour::Total, Colour::Mono, Colour::Colour];
    let meters = works.iter().flat_map(|work| {
        colours.iter().zip(1..).map(move |(colour, at)| Meter {
            work: *work,
            colour: *colour,
            unit: MeterUnit::Impressions,
            size: None,
            sides: None,
            value: u64::from(number * 7919 % 100_000) * at,
            basis: Basis::Billing,
            oid: format!("1.3.6.1.4.1.1347.42.3.1.2.1.1.1.{at}"),
            parts: Vec::new(),
        })
    });
    let colorants = [
        Colorant::Black,
        Colorant::Cyan,
        Colorant::Magenta,
        Colorant::Yellow,
    ];
    let supplies = colorants.iter().zip(1..).map(|(colorant, index)| Supply {
        index,
        class: SupplyClass::Consumed,
        kind: SupplyType::Toner,
        colorant: Some(*colorant),
        description: format!("TK-8{index}7 {colorant}"),
        part: None,
        serial: None,
        unit: CapacityUnit::Percent,
        capacity: Some(100),
        level: Level::Percent((number * 31 + index * 17) % 101),
        resolution: None,
    });
    DeviceReport {
        observed_at: Timestamp::from_unix_ms(1_800_000_000_000 + i64::from(number) * 731),
        observed_uptime_ms: u64::from(number) * 731,
        handle: format!("handle{number:010}"),
        identity: Identity {
            serial: Some(format!("RH28Y{number:05}")),
            manufacturer: Some("Kyocera".to_owned()),
            model: Some("CS 4053ci".to_owned()),
            hostname: Some(format!("KM{number:06X}")),
            address: Some(format!("10.1.{}.{}", number / 256, number % 256)),
            ..Identity::default()
        },
        status: Section::Read(Status::default()),
        meters: Section::Read(meters.collect()),
        supplies: Section::Read(supplies.collect()),
        ..DeviceReport::default()
    }
}

fn seal(c: &mut Criterion) {
    let report = Report {
        header: Header {
            agent: AgentId::new("bench").expect("a valid id"),
            epoch: SpoolEpoch(1),
            stream: Stream::Meters,
            sequence: 1,
            sealed_at: Timestamp::from_unix_ms(1_800_000_000_000),
            sealed_uptime_ms: 100_000,
            program: "bench".to_owned(),
        },
        devices: (0..DEVICES).map(device).collect(),
    };
    let mut deflater = Deflater::new();
    let (mut xml, mut sealed) = (Vec::new(), Vec::new());
    let mut group = c.benchmark_group("seal 100 device reports");
    group.throughput(Throughput::Elements(u64::from(DEVICES)));
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        group.bench_function(encoding.name(), |b| {
            b.iter(|| {
                xml.clear();
                sealed.clear();
                codec::xml::write_report(black_box(&report), &mut xml);
                deflater.deflate(encoding, &xml, &mut sealed);
                ContentHash::of(&sealed)
            });
        });
        println!(
            "{encoding}: {} bytes of XML, {} sealed",
            xml.len(),
            sealed.len()
        );
    }
    group.finish();
}

criterion_group!(benches, seal);
criterion_main!(benches);
