//! Facts to reports: learning a device, a steady poll by plan, and loading the profiles. No network: the device is a fixture.

use std::path::Path;
use std::sync::Arc;

use codec::time::Timestamp;
use criterion::{Criterion, criterion_group, criterion_main};
use poller::device::{Depth, DevicePoll, PollContext};
use poller::profile::ProfileSet;
use poller::recording::{Recording, replay};

const NOW: Timestamp = Timestamp::from_unix_ms(1_780_000_000_000);

fn interpret(criterion: &mut Criterion) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kyocera_colour_mfp.snmprec");
    let text = std::fs::read(path).expect("the fixture is part of the crate");
    let recording = Recording::parse(&text).expect("the fixture is a recording");
    let profiles = Arc::new(ProfileSet::embedded());
    let plan = replay(&recording, Arc::clone(&profiles), NOW)
        .plan
        .expect("the fixture answers everything");

    criterion.bench_function("learn a colour MFP", |bencher| {
        bencher.iter(|| replay(&recording, Arc::clone(&profiles), NOW));
    });
    let mut context = PollContext::new("192.0.2.1", NOW.plus_ms(60_000), 60_000);
    for (name, depth) in [
        ("steady poll", Depth::Steady),
        ("heartbeat", Depth::Heartbeat),
    ] {
        context.depth = depth;
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut poll =
                    DevicePoll::new(Arc::clone(&profiles), Some(plan.clone()), context.clone());
                recording.answer(&mut poll);
                poll.into_outcome()
            });
        });
    }
    criterion.bench_function("read a recording", |bencher| {
        bencher.iter(|| Recording::parse(&text));
    });
    criterion.bench_function("parse the embedded profiles", |bencher| {
        bencher.iter(ProfileSet::embedded);
    });
}

criterion_group!(benches, interpret);
criterion_main!(benches);
