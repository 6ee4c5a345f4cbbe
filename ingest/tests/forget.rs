//! A customer is forgotten (Rule 8): nothing of him is found anywhere, the others are as they were, and nothing brings him back.

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use bytes::Bytes;
use codec::envelope::Encoding;
use codec::id::{AgentId, Scope, TenantId};
use codec::key::Stream;
use codec::model::DeviceReport;
use codec::time::Timestamp;
use common::faulty::Faulty;
use common::{Door, NOON, SITE, all_readings, delivery, metered, report, stateful, wait_until};
use ingest::{Delivery, Ingest, IngestConfig, Rejection};
use olap::ask::{DevicesQuery, FleetRules, ReadingsQuery};
use olap::{DuckOptions, DuckStore, Store};
use registry::{Level, NewTenant, Registry};

const NAME: &str = "Kanzlei Verschwiegen";
const SITE_NAME: &str = "Hinterhaus";
/// A device of his alone.
const HIS: u32 = 700_001;
/// One that both customers' agents read, one after the other: it was sold on.
const SOLD_ON: u32 = 5;

fn at(minute: i64) -> Timestamp {
    NOON.plus_ms(minute * 60_000)
}

/// A customer with a site and an agent, beside the one that is there.
struct Two {
    customer: TenantId,
    his: AgentId,
    other: AgentId,
}

fn settle_in(door: &Door) -> Two {
    let tenant = |level, parent, name, time_zone| {
        let new = NewTenant {
            level,
            parent: Some(parent),
            name,
            number: None,
            time_zone,
        };
        door.registry.create_tenant(&new, NOON).unwrap().id
    };
    let customer = tenant(Level::Customer, TenantId(1), NAME, None);
    let site = tenant(Level::Site, customer, SITE_NAME, Some("Europe/Berlin"));
    let his = door.registry.add_agent("keller", site, NOON).unwrap();
    let other = door.registry.add_agent("werk", SITE, NOON).unwrap();
    Two {
        customer,
        his: his.agent.id,
        other: other.agent.id,
    }
}

/// A report in plain text, so that what it says can be found in a file.
fn plain(agent: &AgentId, stream: Stream, sequence: u64, devices: Vec<DeviceReport>) -> Delivery {
    let mut sealed = report(
        agent,
        stream,
        sequence,
        at(i64::try_from(sequence).unwrap()),
    );
    sealed.devices = devices;
    let mut xml = Vec::new();
    codec::xml::write_report(&sealed, &mut xml);
    Delivery {
        body: Bytes::from(xml),
        encoding: Encoding::Identity,
        ..delivery(&sealed)
    }
}

/// Both agents deliver three reports a stream, his in the middle of the other's.
async fn deliver(ingest: &Ingest, two: &Two) {
    for sequence in 1..=3 {
        let minute = i64::try_from(sequence).unwrap();
        let value = 1_000 + sequence * 10;
        for (agent, number) in [
            (&two.other, 1),
            (&two.his, HIS),
            (&two.his, SOLD_ON),
            (&two.other, SOLD_ON),
        ] {
            // One report a device: the numbers go on within the agent's stream.
            let first = if number == HIS || number == 1 { 1 } else { 2 };
            let number_in_stream = (sequence - 1) * 2 + first;
            let metered = metered(number, at(minute), value);
            let stateful = stateful(
                number,
                at(minute),
                90 - u32::try_from(sequence).unwrap(),
                &["tonerLow"],
            );
            for (stream, device) in [(Stream::Meters, metered), (Stream::State, stateful)] {
                let delivery = plain(agent, stream, number_in_stream, vec![device]);
                ingest.accept(delivery).await.unwrap();
            }
        }
    }
    // And one that is no report, with his name in it.
    let broken = Delivery {
        body: Bytes::from(format!("<report>{NAME} SN{HIS}")),
        ..plain(&two.his, Stream::State, 99, Vec::new())
    };
    let refused = ingest.accept(broken).await;
    assert!(matches!(refused, Err(Rejection::Malformed(_))));
}

/// The files below a folder that hold a text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if fs::read(&path)
            .unwrap()
            .windows(text.len())
            .any(|window| window == text.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

/// All that a store says of a customer's agent's devices.
fn told_of(store: &dyn Store, agent: &AgentId) -> Vec<String> {
    let (all, rules) = (Scope::Everything, FleetRules::at(at(1_000)));
    let readings = all_readings(store).into_iter();
    let readings = readings.filter(|reading| reading.id.agent == *agent);
    let mut told: Vec<String> = readings.map(|reading| format!("{reading:?}")).collect();
    let devices = store
        .devices(&all, &DevicesQuery::at(at(1_000)))
        .unwrap()
        .items;
    for device in devices.iter().filter(|item| item.agent == *agent) {
        told.push(format!(
            "{:?}",
            store.device(&all, device.device, &rules).unwrap()
        ));
    }
    assert!(told.len() > 4 || told.is_empty());
    told
}

fn is_erased(ingest: &Ingest) -> bool {
    let forgotten = ingest.forgotten().unwrap();
    forgotten.len() == 1 && forgotten[0].remains.is_none()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

fn rebuilt(folder: &Path) -> Arc<dyn Store> {
    let registry = Registry::open(&folder.join("registry.sqlite")).unwrap();
    let store: Arc<dyn Store> = Arc::new(DuckStore::in_memory(&DuckOptions::default()).unwrap());
    let config = IngestConfig::new(folder.join("ingest"));
    ingest::rebuild(config, registry, Arc::clone(&store)).unwrap();
    store
}

#[tokio::test]
async fn nothing_of_a_forgotten_customer_is_found_and_the_others_are_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::open(folder.path());
    let two = settle_in(&door);
    deliver(&door.ingest, &two).await;
    door.settle();
    let before = told_of(door.store.as_ref(), &two.other);
    assert!(!told_of(door.store.as_ref(), &two.his).is_empty());
    for text in [NAME, SITE_NAME, &format!("SN{HIS}")] {
        assert!(
            !holding(folder.path(), text).is_empty(),
            "{text} can be found"
        );
    }
    // An ERP that has read half of the list.
    let query = ReadingsQuery {
        limit: 3,
        ..ReadingsQuery::default()
    };
    let page = door.store.readings(&Scope::Everything, &query).unwrap();
    let toll = door.ingest.toll(two.customer, "admin").unwrap();
    assert_eq!(
        (toll.concerned.name.as_str(), toll.concerned.devices),
        (NAME, 2)
    );
    assert_eq!(toll.reports, 12);

    door.ingest.forget(two.customer, "admin").await.unwrap();
    assert_eq!(told_of(door.store.as_ref(), &two.his), [""; 0]);
    assert_eq!(told_of(door.store.as_ref(), &two.other), before);
    let rest = ReadingsQuery {
        cursor: page.next,
        ..query
    };
    let rest = door.store.readings(&Scope::Everything, &rest).unwrap();
    assert!(
        rest.items
            .iter()
            .all(|reading| reading.id.agent == two.other)
    );
    assert!(!rest.items.is_empty(), "the list goes on");
    let refused = door
        .ingest
        .accept(plain(
            &two.his,
            Stream::Meters,
            50,
            vec![metered(HIS, at(50), 9)],
        ))
        .await;
    assert!(
        matches!(refused, Err(Rejection::Forgotten { .. })),
        "{refused:?}"
    );
    // Nobody else notices.
    let goes_on = plain(
        &two.other,
        Stream::Meters,
        7,
        vec![metered(1, at(8), 2_000)],
    );
    door.ingest.accept(goes_on).await.unwrap();
    door.settle();
    wait_until("he is erased", || is_erased(&door.ingest));
    let after = told_of(door.store.as_ref(), &two.other);
    drop(door);

    for text in [NAME, SITE_NAME, &format!("SN{HIS}")] {
        assert_eq!(holding(folder.path(), text), [""; 0], "{text}");
    }
    assert_eq!(
        fs::read_dir(folder.path().join("ingest/quarantine"))
            .unwrap()
            .count(),
        0
    );
    let again = Door::open(folder.path());
    again.settle();
    assert_eq!(told_of(again.store.as_ref(), &two.other), after);
    let readings = again.readings();
    assert!(is_erased(&again.ingest));
    drop(again);
    let store = rebuilt(folder.path());
    assert_eq!(
        told_of(store.as_ref(), &two.other),
        after,
        "and so after a rebuild"
    );
    assert_eq!(all_readings(store.as_ref()), readings);
}

#[tokio::test]
async fn whatever_is_restored_from_a_backup_or_was_not_done_before_a_crash_he_stays_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (live, kept) = (folder.path().join("live"), folder.path().join("kept"));
    fs::create_dir_all(&live).unwrap();
    let door = Door::open(&live);
    let two = settle_in(&door);
    deliver(&door.ingest, &two).await;
    door.settle();
    drop(door);
    copy(&live, &kept);
    let door = Door::open(&live);
    door.settle();
    door.ingest.forget(two.customer, "admin").await.unwrap();
    let expected = told_of(door.store.as_ref(), &two.other);
    wait_until("he is erased", || is_erased(&door.ingest));
    drop(door);

    // Each of these is written by a step of its own: a crash leaves those behind it as they were.
    let key = format!("ingest/keys/customer-{}.key", two.customer);
    for mask in [1, 2, 4, 7] {
        for (bit, file) in ["registry.sqlite", "store.duckdb", &key]
            .into_iter()
            .enumerate()
        {
            let is_there = kept.join(file).exists();
            if mask & 1 << bit != 0 && is_there {
                fs::copy(kept.join(file), live.join(file)).unwrap();
            }
        }
        if mask & 4 != 0 && !live.join(&key).exists() {
            fs::write(live.join(&key), b"as good as a key").unwrap();
        }
        if mask == 7 {
            // What a rebuild reads is the same, too.
            let store = rebuilt(&live);
            assert_eq!(told_of(store.as_ref(), &two.his), [""; 0]);
            assert_eq!(told_of(store.as_ref(), &two.other), expected);
        }
        let door = Door::open(&live);
        door.settle();
        wait_until("he is erased", || is_erased(&door.ingest));
        assert_eq!(told_of(door.store.as_ref(), &two.his), [""; 0], "{mask}");
        assert_eq!(told_of(door.store.as_ref(), &two.other), expected, "{mask}");
        assert!(
            door.registry
                .tenant(&Scope::Everything, two.customer)
                .is_err()
        );
        assert!(door.registry.is_forgotten_agent(&two.his));
        wait_until("his key is gone", || !live.join(&key).exists());
        drop(door);
        for text in [NAME, SITE_NAME, &format!("SN{HIS}")] {
            assert_eq!(holding(&live, text), [""; 0], "{text} {mask}");
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_meanwhile_is_tried_again_until_he_is_erased() {
    let folder = tempfile::tempdir().unwrap();
    let open = |fails: u32| {
        let registry = Registry::open(&folder.path().join("registry.sqlite")).unwrap();
        let path = folder.path().join("store.duckdb");
        let store = Faulty::around(Arc::new(
            DuckStore::open(&path, &DuckOptions::default()).unwrap(),
        ));
        store.fails_to_erase.store(fails, SeqCst);
        let config = IngestConfig::new(folder.path().join("ingest"));
        let shared: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
        let ingest = Ingest::start(config, registry.clone(), Arc::clone(&shared)).unwrap();
        let door = Door {
            ingest,
            store: shared,
            registry,
        };
        (door, store)
    };
    let (door, store) = open(u32::MAX);
    let two = settle_in(&door);
    deliver(&door.ingest, &two).await;
    door.settle();
    let expected = told_of(door.store.as_ref(), &two.other);
    // The first two attempts at the decision itself fail, too.
    store.refuses.store(2, SeqCst);
    door.ingest.forget(two.customer, "admin").await.unwrap();
    wait_until("it is said what failed", || {
        let forgotten = door.ingest.forgotten().unwrap();
        let remains = forgotten[0].remains.as_ref().unwrap();
        remains.trouble.contains("store") && remains.store_file && !remains.key
    });
    assert_eq!(told_of(door.store.as_ref(), &two.other), expected);
    drop(door);
    drop(store);
    assert!(!holding(folder.path(), &format!("SN{HIS}")).is_empty());

    let (door, store) = open(0);
    wait_until("he is erased", || is_erased(&door.ingest));
    assert_eq!(told_of(door.store.as_ref(), &two.other), expected);
    drop(door);
    drop(store);
    assert_eq!(holding(folder.path(), &format!("SN{HIS}")), [""; 0]);
}
