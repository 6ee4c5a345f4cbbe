//! Devices that move, swap, and have two addresses: each is one device, at the place where it answers.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const RANGE: usize = 0;

fn report(serial: &str) -> DeviceReport {
    DeviceReport {
        identity: Identity {
            serial: Some(serial.to_owned()),
            ..Identity::default()
        },
        ..DeviceReport::default()
    }
}

fn target(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 161))
}

/// Who answers at which address, and what the agent believes.
struct Site {
    network: BTreeMap<u8, String>,
    devices: Devices,
    now: Instant,
    polls: usize,
}

impl Site {
    fn new(places: &[(u8, &str)]) -> Self {
        let network = places
            .iter()
            .map(|(at, serial)| (*at, (*serial).to_owned()));
        let mut site = Self {
            network: network.collect(),
            devices: Devices::default(),
            now: Instant::now(),
            polls: 0,
        };
        site.sweep();
        site
    }

    /// As the source does it: asks every address at which no device is known to answer.
    fn sweep(&mut self) {
        for (at, serial) in self.network.clone() {
            if self.devices.is_answering(target(at)) {
                continue;
            }
            let found = self
                .devices
                .found(RANGE, target(at), &report(&serial), false, self.now);
            if let Some(id) = found.id() {
                self.devices.answered(id, self.now);
                self.devices.end(id, self.later(), self.now);
            }
        }
        self.poll_due();
    }

    /// As the source does it: polls a device.
    fn poll(&mut self, id: Id) {
        self.polls += 1;
        assert!(self.polls < 10_000, "polls without end");
        self.now += Duration::from_millis(20);
        let SocketAddr::V4(place) = self.devices.get(id).target else {
            panic!("no such address here");
        };
        self.devices
            .begin(id, Reading::all(Depth::Steady), self.now);
        let answer = self.network.get(&place.ip().octets()[3]).cloned();
        match answer {
            Some(serial) => {
                let heard = self.devices.heard(id, &report(&serial), true, self.now);
                if let Some(id) = heard.device {
                    self.devices.answered(id, self.now);
                    self.devices.end(id, self.later(), self.now);
                }
            }
            None => {
                self.devices.failed(id);
                let next = match self.devices.follow(id, self.now) {
                    Some(_) => self.now,
                    None => self.later(),
                };
                self.devices.end(id, next, self.now);
            }
        }
    }

    fn poll_due(&mut self) {
        while let Some((due, id)) = self.devices.next_due()
            && due <= self.now
        {
            self.poll(id);
        }
    }

    /// An interval goes by in which every device has its turn.
    fn pass_interval(&mut self) {
        self.now += Duration::from_secs(300);
        self.poll_due();
    }

    fn later(&self) -> Instant {
        self.now + Duration::from_secs(300)
    }

    /// Where each device that answers is believed to be.
    fn believed(&self) -> BTreeMap<String, u8> {
        let serials: BTreeSet<&String> = self.network.values().collect();
        let mut believed = BTreeMap::new();
        for (_, device) in self
            .devices
            .iter()
            .filter(|(_, device)| device.failures() == 0)
        {
            let SocketAddr::V4(place) = device.target else {
                panic!("no such address here");
            };
            let serial = serials
                .iter()
                .find(|serial| handle_of(&report(serial).identity, device.target) == device.handle);
            let serial = serial.map_or_else(|| "gone".to_owned(), |serial| (**serial).clone());
            let before = believed.insert(serial, place.ip().octets()[3]);
            assert_eq!(before, None, "one device is one device");
        }
        believed
    }

    fn is_at(&self, expected: &[(&str, u8)]) {
        let expected = expected
            .iter()
            .map(|(serial, at)| ((*serial).to_owned(), *at));
        assert_eq!(self.believed(), expected.collect());
    }
}

#[test]
fn a_device_that_was_polled_a_moment_ago_is_followed_at_once_when_a_sweep_meets_it_elsewhere() {
    let mut site = Site::new(&[(1, "A")]);
    let handle = site.devices.iter().next().unwrap().1.handle.clone();
    site.network = BTreeMap::from([(2, "A".to_owned())]);
    // Its last poll was answered: so it may have two addresses.
    site.sweep();
    site.is_at(&[("A", 2)]);
    assert_eq!(site.devices.iter().next().unwrap().1.handle, handle);
    assert_eq!(site.polls, 2, "one at the old address, one at the new");
    assert!(
        !site.devices.is_answering(target(1)),
        "the old address is forgotten"
    );
}

#[test]
fn two_devices_that_swapped_their_addresses_are_settled_by_two_polls() {
    let mut site = Site::new(&[(1, "A"), (2, "B")]);
    site.network = BTreeMap::from([(1, "B".to_owned()), (2, "A".to_owned())]);
    site.pass_interval();
    site.is_at(&[("A", 2), ("B", 1)]);
    assert_eq!(site.polls, 2);
}

#[test]
fn three_devices_that_took_each_other_s_place_are_settled_without_a_sweep() {
    let mut site = Site::new(&[(1, "A"), (2, "B"), (3, "C")]);
    site.network = [(1, "C"), (2, "A"), (3, "B")]
        .map(|(at, s)| (at, s.to_owned()))
        .into();
    site.pass_interval();
    site.is_at(&[("A", 2), ("B", 3), ("C", 1)]);
}

#[test]
fn a_device_with_two_addresses_is_polled_at_one() {
    let mut site = Site::new(&[(1, "A"), (2, "A"), (3, "B")]);
    assert_eq!(site.devices.len(), 2);
    for _ in 0..5 {
        site.pass_interval();
        site.sweep();
    }
    site.is_at(&[("A", 1), ("B", 3)]);
    // The address it is polled at goes away: the other one is taken.
    site.network.remove(&1);
    site.pass_interval();
    site.sweep();
    site.is_at(&[("A", 2), ("B", 3)]);
}

#[test]
fn a_device_with_two_addresses_that_takes_another_s_does_not_chase_it() {
    let mut site = Site::new(&[(1, "A"), (2, "B")]);
    site.network = [(1, "B"), (2, "B"), (7, "A")]
        .map(|(at, s)| (at, s.to_owned()))
        .into();
    site.pass_interval();
    assert!(site.polls <= 4, "{}", site.polls);
    site.sweep();
    let believed = site.believed();
    assert_eq!(believed.len(), 2);
    assert_eq!(believed["A"], 7);
}

#[test]
fn an_address_that_changed_hands_is_another_device_and_the_first_is_searched_for() {
    let mut site = Site::new(&[(1, "A")]);
    site.network.insert(1, "B".to_owned());
    let (id, _) = site.devices.iter().next().unwrap();
    site.devices
        .begin(id, Reading::all(Depth::Steady), site.now);
    let heard = site.devices.heard(id, &report("B"), true, site.now);
    assert_eq!(heard.device, Some(id));
    assert_eq!(heard.lost, Some((RANGE, target(1))));
    site.devices.end(id, site.later(), site.now);
    site.is_at(&[("B", 1)]);
    // It is found again elsewhere, under its old name.
    site.network.insert(4, "A".to_owned());
    site.sweep();
    site.is_at(&[("A", 4), ("B", 1)]);
}

#[test]
fn a_device_that_tells_its_serial_only_now_is_known_by_its_mac_wherever_it_is() {
    let now = Instant::now();
    let mut devices = Devices::default();
    let told = |serial: Option<&str>, mac: &str| DeviceReport {
        identity: Identity {
            serial: serial.map(str::to_owned),
            mac: Some(mac.to_owned()),
            ..Identity::default()
        },
        ..DeviceReport::default()
    };
    let id = devices
        .found(RANGE, target(1), &told(None, "m1"), false, now)
        .id()
        .unwrap();
    devices.end(id, now, now);
    let handle = devices.get(id).handle.clone();
    devices.failed(id);
    let found = devices.found(RANGE, target(2), &told(Some("S"), "m1"), false, now);
    assert_eq!(found, Found::Moved(id, target(1)));
    assert_eq!(devices.get(id).handle, handle, "its name stays");
    // The same MAC with another serial number (a board that was put into another device) is another device.
    devices.failed(id);
    let other = devices.found(RANGE, target(3), &told(Some("T"), "m1"), false, now);
    assert!(matches!(other, Found::New(_)), "{other:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever goes where: when it has come to rest, some intervals and a sweep later each device is one device, at an address where
    /// it answers.
    #[test]
    fn after_any_moves_each_device_is_where_it_answers(
        before in prop::collection::btree_map(1_u8..12, 0_u8..6, 0..8),
        changes in prop::collection::vec(
            (prop::collection::btree_map(1_u8..12, 0_u8..6, 0..8), any::<bool>(), any::<bool>()),
            1..6,
        ),
    ) {
        let named = |places: &BTreeMap<u8, u8>| -> BTreeMap<u8, String> {
            places.iter().map(|(at, n)| (*at, format!("serial {n}"))).collect()
        };
        let mut site = Site::new(&[]);
        site.network = named(&before);
        site.sweep();
        for (places, passes, sweeps) in &changes {
            site.network = named(places);
            if *passes {
                site.pass_interval();
            }
            if *sweeps {
                site.sweep();
            }
        }
        site.polls = 0;
        for _ in 0..3 {
            site.pass_interval();
            site.sweep();
        }
        prop_assert!(site.polls < 100, "{} polls", site.polls);
        let believed = site.believed();
        let there: BTreeSet<&String> = site.network.values().collect();
        let known: BTreeSet<&String> = believed.keys().collect();
        prop_assert_eq!(known, there);
        for (serial, at) in &believed {
            prop_assert_eq!(site.network.get(at), Some(serial));
        }
    }
}
