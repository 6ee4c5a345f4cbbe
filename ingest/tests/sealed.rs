//! Archives that are sealed, each customer's reports under his own key: they read as before; what a forgotten customer sent is nowhere; a key that
//! is missing or damaged is an alarm and loses nothing.

mod common;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use codec::envelope::Encoding;
use codec::id::{AgentId, Scope, TenantId};
use codec::key::Stream;
use common::{Door, NOON, all_readings, delivery, metered, report, wait_until};
use ingest::evidence::EvidenceError;
use ingest::keys::{CustomerKeys, NOBODY, Seals};
use ingest::{Delivery, IngestConfig, StartError};
use journal::archive::{self, Why};
use journal::{ArchiveDisk, StdDisk, inspect};
use olap::{DuckOptions, DuckStore, Reading, Store};
use registry::{Level, NewTenant, Registry};

const REPORTS: u64 = 10;

fn small(config: &mut IngestConfig) {
    config.segment_bytes = 4_000;
    config.shards = 1;
    config.archive_after_ms = 0;
}

/// A house with three customers, each with an agent, and what they sent.
struct House {
    folder: tempfile::TempDir,
    customers: Vec<TenantId>,
    agents: Vec<AgentId>,
}

impl House {
    async fn build(door: impl FnOnce(&Door)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let opened = Door::open_with(folder.path(), small);
        let dealer = opened.registry.tenants(&Scope::Everything).unwrap();
        let dealer = dealer.iter().find(|tenant| tenant.level == Level::Dealer);
        let dealer = dealer.unwrap().id;
        let (mut customers, mut agents) = (Vec::new(), Vec::new());
        for name in ["Albers", "Brandt", "Conrad"] {
            let tenant = |parent, level, name| NewTenant {
                parent: Some(parent),
                level,
                name,
                number: None,
                time_zone: (level == Level::Site).then_some("Europe/Berlin"),
            };
            let customer = tenant(dealer, Level::Customer, name);
            let customer = opened.registry.create_tenant(&customer, NOON).unwrap().id;
            let site = tenant(customer, Level::Site, "house");
            let site = opened.registry.create_tenant(&site, NOON).unwrap().id;
            let agent = opened
                .registry
                .add_agent(&format!("agent of {name}"), site, NOON);
            customers.push(customer);
            agents.push(agent.unwrap().agent.id);
        }
        let house = Self {
            folder,
            customers,
            agents,
        };
        for sequence in 1..=REPORTS {
            for number in 0..3 {
                let delivery = house.sealed(number, sequence);
                opened.ingest.accept(delivery).await.unwrap();
            }
        }
        opened.settle();
        door(&opened);
        house
    }

    /// A report of a customer's agent, of a device whose serial begins with his number.
    fn sealed(&self, number: usize, sequence: u64) -> Delivery {
        let at = NOON.plus_ms(i64::try_from(sequence).unwrap() * 60_000);
        let mut report = report(&self.agents[number], Stream::Meters, sequence, at);
        let mut device = metered(1, at, 1_000 + sequence);
        device.identity.serial = Some(serial(number));
        device.identity.mac = None;
        report.devices.push(device);
        let mut xml = Vec::new();
        codec::xml::write_report(&report, &mut xml);
        Delivery {
            encoding: Encoding::Identity,
            body: xml.into(),
            ..delivery(&report)
        }
    }

    fn shard(&self) -> PathBuf {
        self.folder.path().join("ingest/journal/shard-00")
    }

    fn archive(&self) -> PathBuf {
        self.shard().join("archive")
    }

    fn key(&self, number: usize) -> PathBuf {
        let name = format!("customer-{}.key", self.customers[number]);
        self.folder.path().join("ingest/keys").join(name)
    }

    fn open(&self) -> Door {
        Door::open_with(self.folder.path(), small)
    }

    fn registry(&self) -> Registry {
        Registry::open(&self.folder.path().join("registry.sqlite")).unwrap()
    }

    fn rebuild(&self, all: bool) -> Result<Arc<dyn Store>, StartError> {
        let store = DuckStore::in_memory(&DuckOptions::default()).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let config = IngestConfig::new(self.folder.path().join("ingest"));
        let rebuild = if all {
            ingest::rebuild
        } else {
            ingest::rebuild_from_what_is_left
        };
        rebuild(config, self.registry(), Arc::clone(&store))?;
        Ok(store)
    }

    /// Forgets a customer as far as the registry and the archives go.
    fn forget(&self, door: &Door, number: usize) {
        let concerned = door
            .registry
            .concerned(self.customers[number], "anna", NOON);
        door.registry
            .forget_customer(&concerned.unwrap().tombstone)
            .unwrap();
        assert!(
            door.ingest
                .seals()
                .keys()
                .destroy(self.customers[number])
                .unwrap()
        );
        door.ingest.archive_now();
        wait_until("everything live is archived", || door.ingest.is_sealed());
    }

    fn check(&self) -> inspect::CheckReport {
        let keys = CustomerKeys::at(&self.folder.path().join("ingest/keys"));
        let seals = Seals::new(Arc::new(keys), Arc::new(self.registry()));
        let live = StdDisk::open(&self.shard()).unwrap();
        inspect::check(ArchiveDisk::new(live, &self.archive(), seals.opener())).unwrap()
    }
}

fn serial(number: usize) -> String {
    format!("K{number}ZX77Q{number}")
}

fn by_agent<'a>(readings: &'a [Reading], agent: &'a AgentId) -> impl Iterator<Item = &'a Reading> {
    readings
        .iter()
        .filter(move |reading| reading.id.agent == *agent)
}

/// Whether a text is in bytes, or in what zstd inflates from any place in them.
fn says(bytes: &[u8], text: &str) -> bool {
    let has = |bytes: &[u8]| memmem(bytes, text.as_bytes()).next().is_some();
    has(bytes)
        || memmem(bytes, &[0x28, 0xB5, 0x2F, 0xFD]).any(|at| {
            let mut inflated = Vec::new();
            let mut decoder = zstd::stream::read::Decoder::new(&bytes[at..]).unwrap();
            // What follows the frame is none.
            let _ = decoder.read_to_end(&mut inflated);
            has(&inflated)
        })
}

fn memmem<'a>(bytes: &'a [u8], text: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let first = text[0];
    let begins = bytes
        .iter()
        .enumerate()
        .filter(move |(_, byte)| **byte == first);
    begins
        .map(|(at, _)| at)
        .filter(move |at| bytes[*at..].starts_with(text))
}

/// The files below a folder in which a text can be found.
fn files_that_say(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_that_say(&path, text));
        } else if says(&std::fs::read(&path).unwrap(), text) {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn archives_read_as_before_and_a_forgotten_customers_serial_is_in_no_file_of_the_journal() {
    let house = House::build(|door| {
        wait_until("some is archived", || {
            door.ingest.metrics().archived_segments.get() > 3
        });
    })
    .await;
    let before = {
        let door = house.open();
        let before = door.readings();
        assert!(before.len() as u64 >= 3 * REPORTS);
        for reading in &before {
            let evidence = door.ingest.evidence(&Scope::Everything, &reading.id);
            let evidence = evidence.unwrap().expect("it is kept");
            assert_eq!(evidence.meta.key.agent, reading.id.agent);
        }
        before
    };
    assert!(all_readings(house.rebuild(true).unwrap().as_ref()) == before);
    let journal = house.folder.path().join("ingest/journal");
    for number in 0..3 {
        let found = files_that_say(&journal, &serial(number));
        let is_live = |path: &PathBuf| path.extension().is_some_and(|found| found == "plj");
        assert!(found.iter().all(is_live), "{found:?}");
    }

    let door = house.open();
    house.forget(&door, 1);
    assert_eq!(files_that_say(&journal, &serial(1)), Vec::<PathBuf>::new());
    let name = house.agents[1].as_str();
    let in_archives = files_that_say(&house.archive(), name);
    assert_eq!(
        in_archives,
        Vec::<PathBuf>::new(),
        "nor what his agent is called"
    );
    // His rows are another's business: here they are there still, and say why they lead nowhere.
    let mut forgotten = 0;
    for reading in by_agent(&before, &house.agents[1]) {
        let evidence = door.ingest.evidence(&Scope::Everything, &reading.id);
        assert!(
            matches!(evidence, Err(EvidenceError::Forgotten { customer, .. }) if customer == house.customers[1])
        );
        forgotten += 1;
    }
    assert!(forgotten > 3);
    for number in [0, 2] {
        for reading in by_agent(&before, &house.agents[number]) {
            let evidence = door.ingest.evidence(&Scope::Everything, &reading.id);
            assert!(evidence.unwrap().is_some());
        }
    }
    // Who comes later is archived as ever.
    door.ingest
        .accept(house.sealed(0, REPORTS + 1))
        .await
        .unwrap();
    door.settle();
    drop(door);
    let report = house.check();
    let owner = archive::Owner(house.customers[1].0);
    assert!(report.is_sound(), "{report}");
    assert_eq!(report.withheld(Why::Forgotten)[&owner], REPORTS);
    assert!(report.withheld(Why::NoKey).is_empty());
}

#[tokio::test]
async fn a_rebuild_steps_over_the_forgotten_and_a_key_from_a_backup_brings_nothing_back() {
    let house = House::build(|_| {}).await;
    let door = house.open();
    // All is archived under keys, and the keys are copied, before anybody is forgotten.
    door.ingest.archive_now();
    wait_until("everything live is archived", || door.ingest.is_sealed());
    let copy = std::fs::read(house.key(1)).unwrap();
    let before = door.readings();
    house.forget(&door, 1);
    drop(door);
    assert!(!house.key(1).exists());

    std::fs::write(house.key(1), &copy).unwrap();
    let report = house.check();
    let owner = archive::Owner(house.customers[1].0);
    assert_eq!(report.withheld(Why::Forgotten)[&owner], REPORTS);
    let made = all_readings(house.rebuild(true).unwrap().as_ref());
    assert_eq!(by_agent(&made, &house.agents[1]).count(), 0);
    for number in [0, 2] {
        let count = |readings| by_agent(readings, &house.agents[number]).count();
        assert_eq!(count(&made), count(&before));
    }
    let door = house.open();
    wait_until("his key is destroyed again", || !house.key(1).exists());
    drop(door);
}

#[tokio::test]
async fn a_missing_or_damaged_key_is_told_at_the_start_and_refuses_a_rebuild_until_it_is_back() {
    let house = House::build(|door| {
        door.ingest.archive_now();
        wait_until("everything live is archived", || door.ingest.is_sealed());
    })
    .await;
    let before = house.open().readings();
    let good = std::fs::read(house.key(1)).unwrap();
    let mut bad = good.clone();
    bad[30] ^= 1;
    for damaged in [None, Some(bad)] {
        match &damaged {
            None => std::fs::remove_file(house.key(1)).unwrap(),
            Some(damaged) => std::fs::write(house.key(1), damaged).unwrap(),
        }
        let door = house.open();
        wait_until("it is told", || {
            door.ingest.metrics().archive_errors.get() > 0
        });
        let mut unreadable = 0;
        for reading in &before {
            match door.ingest.evidence(&Scope::Everything, &reading.id) {
                Ok(evidence) => assert!(evidence.is_some()),
                Err(EvidenceError::NoKey { customer, .. }) => {
                    assert_eq!(customer, house.customers[1]);
                    unreadable += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(unreadable, by_agent(&before, &house.agents[1]).count());
        drop(door);
        let Err(StartError::Unreadable(told)) = house.rebuild(true) else {
            panic!("a rebuild without a key");
        };
        assert_eq!((told.len(), told[0].customer), (1, house.customers[1]));
        assert!(house.check().is_sound());
        assert_eq!(
            house.key(1).exists(),
            damaged.is_some(),
            "nothing is made or replaced"
        );
        if let Some(damaged) = &damaged {
            assert_eq!(&std::fs::read(house.key(1)).unwrap(), damaged);
        }
    }
    let left = all_readings(house.rebuild(false).unwrap().as_ref());
    assert_eq!(by_agent(&left, &house.agents[1]).count(), 0);
    assert!(by_agent(&left, &house.agents[0]).count() > 0);
    std::fs::write(house.key(1), &good).unwrap();
    assert!(all_readings(house.rebuild(true).unwrap().as_ref()) == before);
}

#[tokio::test]
async fn what_is_nobodys_goes_with_every_key_that_is_destroyed() {
    let house = House::build(|door| {
        door.ingest.archive_now();
        wait_until("everything live is archived", || door.ingest.is_sealed());
    })
    .await;
    assert!(house.check().withheld(Why::Forgotten).is_empty());
    let keys = CustomerKeys::at(&house.folder.path().join("ingest/keys"));
    assert!(keys.get(NOBODY).unwrap().is_some());
    keys.destroy(house.customers[2]).unwrap();
    assert!(keys.get(NOBODY).unwrap().is_none());
    let report = house.check();
    let nobody = archive::Owner(NOBODY.0);
    assert!(
        report.withheld(Why::Forgotten)[&nobody] > 3,
        "the checkpoints' ledgers"
    );
    assert_eq!(report.withheld(Why::NoKey).len(), 1, "he is not forgotten");
}

#[tokio::test]
async fn a_damaged_key_is_told_while_segments_wait_for_it_and_an_earlier_one_is_read_beside_a_new_one()
 {
    let house = House::build(|door| {
        door.ingest.archive_now();
        wait_until("everything live is archived", || door.ingest.is_sealed());
    })
    .await;
    let good = std::fs::read(house.key(1)).unwrap();
    std::fs::write(house.key(1), b"damaged").unwrap();
    let door = house.open();
    wait_until("it is counted", || door.ingest.unreadable_customers() == 1);
    door.ingest
        .accept(house.sealed(1, REPORTS + 1))
        .await
        .unwrap();
    door.settle();
    door.ingest.archive_now();
    wait_until("it is told", || {
        door.ingest.archive_trouble().contains("is damaged")
    });
    let status = door.ingest.status();
    assert!(status.is_taking && status.is_applying);
    // There is no copy of it, and whoever runs the house gives up.
    std::fs::remove_file(house.key(1)).unwrap();
    wait_until("archiving goes on", || {
        door.ingest.is_sealed() && door.ingest.archive_trouble().is_empty()
    });
    let all = door.readings();
    drop(door);
    assert!(house.rebuild(true).is_err());
    // Then one is found.
    let beside = house.key(1).with_extension("");
    let beside = format!("{}-earlier.key", beside.display());
    std::fs::write(beside, &good).unwrap();
    assert!(house.check().withheld(Why::NoKey).is_empty());
    assert!(all_readings(house.rebuild(true).unwrap().as_ref()) == all);
}
