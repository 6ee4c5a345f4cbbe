//! The table of the module's head, line by line, and what must hold for any order of reports.

use codec::id::{AgentId, DeviceId, Scope};
use codec::time::Timestamp;

use super::*;
use crate::tenant::{Level, NewTenant};

/// A registry with agents `a` and `b` of one customer and `c` of another.
struct House {
    registry: Registry,
    a: AgentId,
    b: AgentId,
    c: AgentId,
}

impl House {
    fn new() -> Self {
        let registry = Registry::in_memory().unwrap();
        let now = Timestamp::from_unix_ms(0);
        let site = registry.default_site().unwrap();
        let dealer = registry.site_path(site).unwrap().dealer.id;
        let tenant = |level, parent, name, time_zone| {
            let new = NewTenant {
                level,
                parent: Some(parent),
                name,
                number: None,
                time_zone,
            };
            registry.create_tenant(&new, now).unwrap().id
        };
        let other = tenant(Level::Customer, dealer, "Other", None);
        let other_site = tenant(Level::Site, other, "Werk 1", Some("Europe/Berlin"));
        let agent = |name, site| registry.add_agent(name, site, now).unwrap().agent.id;
        let (a, b, c) = (agent("a", site), agent("b", site), agent("c", other_site));
        Self { registry, a, b, c }
    }

    fn sees(&self, report: Report<'_>) -> Resolution {
        let agent = match report.agent {
            "b" => &self.b,
            "c" => &self.c,
            _ => &self.a,
        };
        self.registry.resolve(&report.evidence(agent)).unwrap()
    }
}

/// One report, as short as a test wants it.
#[derive(Clone, Copy, Default)]
struct Report<'a> {
    agent: &'a str,
    maker: Option<&'a str>,
    model: Option<&'a str>,
    serial: Option<&'a str>,
    mac: Option<&'a str>,
    address: Option<&'a str>,
    handle: &'a str,
}

impl<'a> Report<'a> {
    fn evidence(&self, agent: &'a AgentId) -> Evidence<'a> {
        Evidence {
            agent,
            observed_at: Timestamp::from_unix_ms(1),
            manufacturer: self.maker,
            model: self.model,
            serial: self.serial,
            mac: self.mac,
            address: self.address,
            handle: self.handle,
        }
    }
}

const MAC_1: Option<&str> = Some("00:17:c8:00:00:01");
const MAC_2: Option<&str> = Some("00:17:c8:00:00:02");

/// A report with everything.
const FULL: Report<'static> = Report {
    agent: "a",
    maker: Some("Kyocera"),
    model: Some("ECOSYS M3540dn"),
    serial: Some("VXF0417732"),
    mac: MAC_1,
    address: Some("192.0.2.10"),
    handle: "h1",
};

#[test]
fn a_device_keeps_its_id_when_its_address_changes() {
    let house = House::new();
    let first = house.sees(FULL);
    assert_eq!(first.findings, [Finding::New]);
    assert_eq!(first.certainty, Certainty::Serial);
    let moved = house.sees(Report {
        address: Some("192.0.2.99"),
        ..FULL
    });
    assert_eq!(moved.device, first.device);
    assert_eq!(moved.findings, [Finding::PlaceMoved { from: None }]);
    assert_eq!(
        house
            .sees(Report {
                address: Some("192.0.2.99"),
                ..FULL
            })
            .findings,
        []
    );
}

#[test]
fn two_agents_of_a_customer_see_one_device_and_an_agent_of_another_customer_sees_another() {
    let house = House::new();
    let by_a = house.sees(FULL);
    let by_b = house.sees(Report { agent: "b", ..FULL });
    let by_c = house.sees(Report { agent: "c", ..FULL });
    assert_eq!(by_a.device, by_b.device);
    assert_ne!(by_a.device, by_c.device);
    assert_eq!(house.sees(FULL).findings, []);
}

#[test]
fn the_same_serial_of_two_makers_is_two_devices() {
    let house = House::new();
    let kyocera = house.sees(FULL);
    let ricoh = house.sees(Report {
        maker: Some("Ricoh"),
        mac: None,
        address: None,
        handle: "h2",
        ..FULL
    });
    assert_ne!(kyocera.device, ricoh.device);
}

#[test]
fn a_serial_that_appears_later_is_linked_to_the_mac_and_to_the_place() {
    let house = House::new();
    let by_mac = house.sees(Report {
        serial: None,
        ..FULL
    });
    assert_eq!(by_mac.certainty, Certainty::Mac);
    let with_serial = house.sees(FULL);
    assert_eq!(
        (with_serial.device, with_serial.findings),
        (by_mac.device, vec![Finding::SerialLearned])
    );

    let by_place = house.sees(Report {
        serial: None,
        mac: None,
        address: Some("192.0.2.20"),
        ..FULL
    });
    assert_eq!(by_place.certainty, Certainty::Place);
    let with_serial = house.sees(Report {
        serial: Some("VXF0000002"),
        mac: MAC_2,
        address: Some("192.0.2.20"),
        ..FULL
    });
    assert_eq!(with_serial.device, by_place.device);
    assert_eq!(
        with_serial.findings,
        [Finding::SerialLearned, Finding::MacLearned]
    );
}

#[test]
fn a_placeholder_serial_leaves_the_device_to_its_mac() {
    let house = House::new();
    let first = house.sees(FULL);
    let wiped = house.sees(Report {
        serial: Some("XXXXXXXX"),
        address: Some("192.0.2.11"),
        ..FULL
    });
    assert_eq!(
        (wiped.device, wiped.certainty),
        (first.device, Certainty::Mac)
    );
}

#[test]
fn another_serial_behind_a_known_mac_is_another_device_and_both_stay_what_they_are() {
    let house = House::new();
    let first = house.sees(FULL);
    let swapped = house.sees(Report {
        serial: Some("VXF9999999"),
        ..FULL
    });
    assert_ne!(swapped.device, first.device);
    assert_eq!(
        swapped.findings,
        [
            Finding::SerialChanged {
                previous: first.device
            },
            Finding::New
        ]
    );
    // Without a serial, the MAC now speaks for whom it was seen with last.
    assert_eq!(
        house
            .sees(Report {
                serial: None,
                ..FULL
            })
            .device,
        swapped.device
    );
    let back = house.sees(FULL);
    assert_eq!(back.device, first.device);
    assert_eq!(
        back.findings,
        [
            Finding::MacMoved {
                from: swapped.device
            },
            Finding::PlaceMoved {
                from: Some(swapped.device)
            }
        ]
    );
}

#[test]
fn a_serial_without_its_maker_is_the_devices_own_where_the_mac_says_so() {
    let house = House::new();
    let first = house.sees(FULL);
    assert_eq!(
        house
            .sees(Report {
                maker: None,
                ..FULL
            })
            .device,
        first.device
    );
    assert_eq!(house.sees(FULL).device, first.device);
}

#[test]
fn a_device_known_by_its_mac_alone_becomes_one_with_the_serials_device() {
    let house = House::new();
    let by_serial = house.sees(Report { mac: None, ..FULL });
    let by_mac = house.sees(Report {
        serial: None,
        address: Some("192.0.2.11"),
        ..FULL
    });
    assert_ne!(by_serial.device, by_mac.device);
    let both = house.sees(Report {
        address: Some("192.0.2.11"),
        ..FULL
    });
    assert_eq!(both.device, by_serial.device);
    assert_eq!(both.findings, [Finding::Superseded { old: by_mac.device }]);
    assert_eq!(
        house
            .sees(Report {
                serial: None,
                address: Some("192.0.2.11"),
                ..FULL
            })
            .device,
        by_serial.device
    );
    let old = house
        .registry
        .device(&Scope::Everything, by_mac.device)
        .unwrap();
    assert_eq!(old.superseded_by, Some(by_serial.device));
}

#[test]
fn a_report_without_serial_and_mac_is_the_last_devices_only_if_the_model_is_the_same() {
    let house = House::new();
    let first = house.sees(FULL);
    let bare = Report {
        serial: None,
        mac: None,
        ..FULL
    };
    let same = house.sees(bare);
    assert_eq!(
        (same.device, same.certainty),
        (first.device, Certainty::Place)
    );
    let other = house.sees(Report {
        model: Some("TASKalfa 2553ci"),
        ..bare
    });
    assert_ne!(other.device, first.device);
    let unnamed = house.sees(Report {
        model: None,
        maker: None,
        ..bare
    });
    assert_eq!(
        unnamed.device, other.device,
        "the one seen there last, of which nothing better is known"
    );
}

#[test]
fn a_place_that_led_to_others_before_gives_each_new_device_an_id_of_its_own() {
    let house = House::new();
    let bare = Report {
        agent: "a",
        maker: Some("HP"),
        address: Some("192.0.2.30"),
        ..Report::default()
    };
    let models = ["M402", "M404", "M406"];
    let devices = models.map(|model| {
        house
            .sees(Report {
                model: Some(model),
                ..bare
            })
            .device
    });
    let different: std::collections::BTreeSet<DeviceId> = devices.into_iter().collect();
    assert_eq!(different.len(), 3);
}

#[test]
fn a_device_without_an_address_is_known_by_its_agents_handle_and_one_without_anything_is_refused() {
    let house = House::new();
    let usb = Report {
        agent: "a",
        handle: "usb:1",
        ..Report::default()
    };
    assert_eq!(house.sees(usb).device, house.sees(usb).device);
    let nothing = Report::default().evidence(&house.a);
    assert!(matches!(
        house.registry.resolve(&nothing),
        Err(Error::Invalid(_))
    ));
    let stranger = AgentId::new("stranger").unwrap();
    assert!(matches!(
        house.registry.resolve(&FULL.evidence(&stranger)),
        Err(Error::NotFound { .. })
    ));
}

#[test]
fn a_batch_that_is_dropped_did_not_happen() {
    let house = House::new();
    let first = {
        let mut resolver = house.registry.resolver();
        resolver.resolve(&FULL.evidence(&house.a)).unwrap()
    };
    assert!(
        house
            .registry
            .device(&Scope::Everything, first.device)
            .is_err()
    );
    let again = house.sees(FULL);
    assert_eq!(again, first);
    assert!(
        house
            .registry
            .device(&Scope::Everything, first.device)
            .is_ok()
    );
}

#[test]
fn a_site_that_people_gave_a_device_counts_and_stays_over_a_rebuild() {
    let house = House::new();
    let first = house.sees(FULL);
    let default = house.registry.default_site().unwrap();
    assert_eq!(first.site, default);
    let elsewhere = house
        .registry
        .agent(&Scope::Everything, &house.c)
        .unwrap()
        .site;
    let everything = Scope::Everything;
    let now = Timestamp::from_unix_ms(9);
    let site = house
        .registry
        .assign_device_site(&everything, first.device, Some(elsewhere), now)
        .unwrap();
    assert_eq!((site, house.sees(FULL).site), (elsewhere, elsewhere));
    house.registry.forget_identities().unwrap();
    let again = house.sees(FULL);
    assert_eq!((again.device, again.site), (first.device, elsewhere));
    let site = house
        .registry
        .assign_device_site(&everything, first.device, None, now)
        .unwrap();
    assert_eq!((site, house.sees(FULL).site), (default, default));
}

/// A small generator, so that a failure can be repeated by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<'a>(&mut self, from: &[Option<&'a str>]) -> Option<&'a str> {
        let at = self.roll(from.len() as u64);
        from[usize::try_from(at).unwrap()]
    }
}

/// The next report of a sequence: few makers, serials, MACs and addresses in every combination.
fn diced(dice: &mut Dice) -> Report<'static> {
    Report {
        agent: ["a", "b", "c"][usize::try_from(dice.roll(3)).unwrap()],
        maker: dice.pick(&[Some("HP"), Some("Ricoh"), None]),
        model: dice.pick(&[Some("M402"), Some("M404"), None]),
        serial: dice.pick(&[
            None,
            Some("S-0001"),
            Some("S-0002"),
            Some("S-0003"),
            Some("0000"),
        ]),
        mac: dice.pick(&[None, MAC_1, MAC_2]),
        address: dice.pick(&[Some("192.0.2.1"), Some("192.0.2.2"), Some("192.0.2.3")]),
        handle: "",
    }
}

#[test]
fn any_order_of_reports_replayed_into_an_empty_registry_gives_the_same_devices() {
    const REPORTS: u64 = 600;
    for seed in 1..=8 {
        let house = House::new();
        let run = |emptied_sometimes: bool| -> Vec<Resolution> {
            let mut dice = Dice(seed);
            let mut resolutions = Vec::new();
            for number in 0..REPORTS {
                let report = diced(&mut dice);
                resolutions.push(house.sees(report));
                if emptied_sometimes && number % 7 == 0 {
                    house.registry.forget_device_sites();
                }
            }
            resolutions
        };
        let first = run(false);
        house.registry.forget_identities().unwrap();
        assert_eq!(run(true), first, "seed {seed}");
    }
}

/// Everything that a replay must give again.
fn dump(registry: &Registry) -> Vec<String> {
    let row = |row: &rusqlite::Row<'_>| {
        let cells: Result<Vec<_>, _> = (0..row.as_ref().column_count())
            .map(|at| row.get::<_, rusqlite::types::Value>(at))
            .collect();
        Ok(format!("{:?}", cells?))
    };
    registry.write_identities(u64::MAX).unwrap();
    let writer = registry.inner.database.writer();
    let mut rows = Vec::new();
    for rows_of in [
        "domain, kind, value, device FROM evidence ORDER BY domain, kind, value",
        "id, domain, agent, serial, mac, manufacturer, model, first_seen_at, superseded_by FROM device ORDER BY id",
    ] {
        let mut statement = writer.prepare(&format!("SELECT {rows_of}")).unwrap();
        let found: Result<Vec<String>, _> = statement.query_map([], row).unwrap().collect();
        rows.extend(found.unwrap());
    }
    rows
}

#[test]
fn a_registry_that_was_ahead_of_the_store_resolves_the_same_again() {
    const REPORTS: usize = 120;
    for seed in 1..=8 {
        let mut dice = Dice(seed);
        let reports: Vec<Report<'_>> = (0..REPORTS).map(|_| diced(&mut dice)).collect();
        let house = House::new();
        let see = |stamp: usize| {
            let report = &reports[stamp];
            let agent = match report.agent {
                "b" => &house.b,
                "c" => &house.c,
                _ => &house.a,
            };
            let mut resolver = house.registry.resolver_at(stamp as u64);
            let resolution = resolver.resolve(&report.evidence(agent)).unwrap();
            resolver.commit().unwrap();
            resolution
        };
        let (mut first, mut dumps) = (Vec::new(), Vec::new());
        for stamp in 0..REPORTS {
            first.push(see(stamp));
            dumps.push(dump(&house.registry));
        }
        // The store had settled some, then the program died; the store stands between that and the end, or at the end.
        let settled = usize::try_from(dice.roll(60)).unwrap();
        let stands = settled + usize::try_from(dice.roll(60)).unwrap();
        house.registry.settle_identities(settled as u64);
        house
            .registry
            .rewind_identities(Some(stands as u64))
            .unwrap();
        assert_eq!(dump(&house.registry), dumps[stands], "seed {seed}");
        let again: Vec<Resolution> = (stands + 1..REPORTS).map(see).collect();
        assert_eq!(again, first[stands + 1..], "seed {seed}");
        assert_eq!(dump(&house.registry), dumps[REPORTS - 1], "seed {seed}");
    }
}

#[test]
fn an_empty_store_sends_the_registry_back_to_the_beginning() {
    let house = House::new();
    let mut resolver = house.registry.resolver_at(0);
    let first = resolver.resolve(&FULL.evidence(&house.a)).unwrap();
    resolver.commit().unwrap();
    assert!(house.registry.rewind_identities(None).unwrap() > 0);
    assert!(dump(&house.registry).is_empty());
    assert_eq!(house.sees(FULL), first);
    assert_eq!(
        house.registry.rewind_identities(None).unwrap(),
        0,
        "nobody asked to keep how things were"
    );
}
