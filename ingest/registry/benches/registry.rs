//! What ingest pays the registry for each report: a token looked up, a device resolved when nothing about it is new.

use std::hint::black_box;

use codec::time::Timestamp;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use registry::{Evidence, Registry};

/// Devices in one batch: what an applier resolves between two commits.
const DEVICES: u32 = 10_000;

struct Printer {
    serial: String,
    mac: String,
    address: String,
}

fn printers() -> Vec<Printer> {
    (0..DEVICES)
        .map(|number| Printer {
            serial: format!("VXF{number:07}"),
            mac: format!(
                "00:17:c8:{:02x}:{:02x}:{:02x}",
                number >> 16,
                number >> 8 & 0xff,
                number & 0xff
            ),
            address: format!("10.1.{}.{}", number >> 8, number & 0xff),
        })
        .collect()
}

fn resolve_all(registry: &Registry, agent: &codec::id::AgentId, printers: &[Printer]) {
    let mut resolver = registry.resolver();
    for printer in printers {
        let evidence = Evidence {
            agent,
            observed_at: Timestamp::from_unix_ms(1),
            manufacturer: Some("Kyocera"),
            model: Some("ECOSYS M3540dn"),
            serial: Some(&printer.serial),
            mac: Some(&printer.mac),
            address: Some(&printer.address),
            handle: "",
        };
        black_box(resolver.resolve(&evidence).expect("the evidence is good"));
    }
    resolver.commit().expect("SQLite commits");
}

fn benches(criterion: &mut Criterion) {
    let registry = Registry::in_memory().expect("SQLite opens");
    let site = registry.default_site().expect("a fresh registry has one");
    let now = Timestamp::from_unix_ms(0);
    let agents: Vec<_> = (0..1_000)
        .map(|number| {
            registry
                .add_agent(&format!("agent {number}"), site, now)
                .expect("it is added")
        })
        .collect();
    criterion.bench_function("token lookup among 1,000 agents", |bencher| {
        bencher.iter(|| black_box(registry.agent_by_token(&agents[500].token)));
    });

    let printers = printers();
    let agent = &agents[0].agent.id;
    resolve_all(&registry, agent, &printers);
    let mut group = criterion.benchmark_group("resolve 10,000 devices");
    group.throughput(Throughput::Elements(u64::from(DEVICES)));
    group.bench_function("steady state", |bencher| {
        bencher.iter(|| resolve_all(&registry, agent, &printers));
    });
    group.sample_size(10);
    group.bench_function("all new", |bencher| {
        bencher.iter(|| {
            registry.forget_identities().expect("SQLite empties");
            resolve_all(&registry, agent, &printers);
        });
    });
    group.finish();
}

criterion_group!(registry_benches, benches);
criterion_main!(registry_benches);
