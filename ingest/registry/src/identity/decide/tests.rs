//! Decisions about who is who: what each does, that each can be taken back, and that a replay gives the same.

use codec::id::{AgentId, DeviceId, Scope};
use codec::time::Timestamp;

use crate::identity::{Change, Decision, DecisionOp, Evidence, Finding, Resolution, Void};
use crate::{Error, Registry};

/// A registry with one agent, and the next place in the order.
struct House {
    registry: Registry,
    agent: AgentId,
    stamp: u64,
}

/// Serial, MAC, address.
type Said<'a> = (Option<&'a str>, Option<&'a str>, &'a str);

const MAC_1: Option<&str> = Some("00:17:c8:00:00:01");
const MAC_2: Option<&str> = Some("00:17:c8:00:00:02");

impl House {
    fn new() -> Self {
        let registry = Registry::in_memory().unwrap();
        let site = registry.default_site().unwrap();
        let now = Timestamp::from_unix_ms(0);
        let agent = registry.add_agent("a", site, now).unwrap().agent.id;
        Self {
            registry,
            agent,
            stamp: 0,
        }
    }

    fn sees(&mut self, (serial, mac, address): Said<'_>) -> Resolution {
        self.stamp += 1;
        let mut resolver = self.registry.resolver_at(self.stamp);
        let evidence = Evidence {
            agent: &self.agent,
            observed_at: Timestamp::from_unix_ms(1),
            manufacturer: Some("Kyocera"),
            model: Some("ECOSYS P3145dn"),
            serial,
            mac,
            address: Some(address),
            handle: "",
        };
        let resolution = resolver.resolve(&evidence).unwrap();
        resolver.commit().unwrap();
        resolution
    }

    /// Decides; returns the decision's id and what came of it.
    fn decides(&mut self, op: DecisionOp) -> (u64, Result<Vec<Change>, Void>) {
        self.stamp += 1;
        // Who decides sees what the store has.
        self.registry.write_identities(self.stamp).unwrap();
        let checked = self
            .registry
            .check_decision(&Scope::Everything, op)
            .unwrap();
        let mut resolver = self.registry.resolver_at(self.stamp);
        let decision = Decision {
            op,
            who: "anna".to_owned(),
            at: Timestamp::from_unix_ms(2),
        };
        let outcome = resolver.decide(&decision).unwrap();
        resolver.commit().unwrap();
        assert_eq!(checked, outcome.clone().err(), "checked before as after");
        (self.stamp, outcome)
    }

    fn merges(&mut self, device: DeviceId, into: DeviceId) -> u64 {
        let (id, outcome) = self.decides(DecisionOp::Merge { device, into });
        let changes = vec![Change::Superseded {
            old: device,
            now: into,
        }];
        assert_eq!(outcome, Ok(changes));
        id
    }

    fn superseded_by(&self, device: DeviceId) -> Option<DeviceId> {
        let record = self.registry.device(&Scope::Everything, device).unwrap();
        record.superseded_by
    }
}

#[test]
fn merged_devices_are_one_until_the_decision_is_taken_back() {
    let mut house = House::new();
    let old_board = (Some("OLD0001"), MAC_1, "10.0.0.1");
    let new_board = (Some("NEW0001"), MAC_2, "10.0.0.1");
    let old = house.sees(old_board).device;
    let new = house.sees(new_board).device;
    assert_ne!(old, new);
    let merged = house.merges(new, old);
    assert_eq!(house.sees(new_board).device, old, "the new board's serial");
    assert_eq!(house.superseded_by(new), Some(old));
    assert_eq!(
        house.registry.kin(old).unwrap(),
        (vec![new], None),
        "its history is reachable"
    );
    assert_eq!(house.registry.kin(new).unwrap(), (vec![], Some(old)));

    let (undo, outcome) = house.decides(DecisionOp::Undo { decision: merged });
    let restored = Change::Restored {
        device: new,
        from: old,
    };
    assert_eq!(outcome, Ok(vec![restored]));
    assert_eq!(house.sees(new_board).device, new);
    assert_eq!(house.sees(old_board).device, old);
    assert_eq!(house.superseded_by(new), None);
    let record = house.registry.decision(merged).unwrap().unwrap();
    assert_eq!(
        (record.who.as_str(), record.undone_by),
        ("anna", Some(undo))
    );

    let (_, again) = house.decides(DecisionOp::Undo { decision: merged });
    assert_eq!(again, Err(Void::Undone));
    let (_, of_undo) = house.decides(DecisionOp::Undo { decision: undo });
    assert_eq!(of_undo, Err(Void::UnknownDecision));
    house.merges(old, new);
    assert_eq!(house.sees(old_board).device, new);
}

#[test]
fn what_evidence_joined_can_be_told_apart_for_good() {
    let mut house = House::new();
    let by_mac = (None, MAC_1, "10.0.0.1");
    let by_serial = (Some("SER0001"), None, "10.0.0.2");
    let shy = house.sees(by_mac).device;
    let named = house.sees(by_serial).device;
    let both = (Some("SER0001"), MAC_1, "10.0.0.2");
    assert!(
        house
            .sees(both)
            .findings
            .contains(&Finding::Superseded { old: shy })
    );
    let (split, outcome) = house.decides(DecisionOp::Split { device: shy });
    let restored = Change::Restored {
        device: shy,
        from: named,
    };
    assert_eq!(outcome, Ok(vec![restored]));
    assert_eq!(house.sees(by_mac).device, shy);
    assert_eq!(house.sees(both).device, named);
    assert_eq!(house.superseded_by(shy), None, "the same evidence again");
    // Taken back, they are one again.
    let (_, outcome) = house.decides(DecisionOp::Undo { decision: split });
    assert_eq!(
        outcome,
        Ok(vec![Change::Superseded {
            old: shy,
            now: named
        }])
    );
    assert_eq!(house.sees(both).device, named);
}

#[test]
fn two_printers_that_say_one_serial_are_told_apart_by_their_macs() {
    let mut house = House::new();
    let first = (Some("TWIN0001"), MAC_1, "10.0.0.1");
    let second = (Some("TWIN0001"), MAC_2, "10.0.0.2");
    let device = house.sees(first).device;
    assert_eq!(house.sees(second).device, device, "one serial, one device");
    let (split, outcome) = house.decides(DecisionOp::Split { device });
    assert_eq!(outcome, Ok(vec![Change::Parted { device }]));
    assert_eq!(house.sees(first).device, device);
    let other = house.sees(second).device;
    assert_ne!(other, device);
    assert_eq!(house.sees(second).device, other);
    assert_eq!(house.sees(first).device, device);

    house
        .decides(DecisionOp::Undo { decision: split })
        .1
        .unwrap();
    let joined = house.sees(second);
    assert_eq!(joined.device, device);
    assert!(
        joined
            .findings
            .contains(&Finding::Superseded { old: other })
    );
}

#[test]
fn a_place_with_another_printer_begins_anew() {
    let mut house = House::new();
    let place = (None, None, "10.0.0.1");
    let device = house.sees(place).device;
    assert_eq!(house.sees(place).device, device);
    house.decides(DecisionOp::Split { device }).1.unwrap();
    let other = house.sees(place).device;
    assert_ne!(other, device);
    assert_eq!(house.sees(place).device, other);
    let (_, outcome) = house.decides(DecisionOp::Split { device });
    assert_eq!(outcome, Err(Void::NothingToSplit));
}

#[test]
fn what_cannot_be_changes_nothing_and_says_why() {
    let mut house = House::new();
    let one = house.sees((Some("ONE0001"), MAC_1, "10.0.0.1")).device;
    let two = house.sees((Some("TWO0001"), MAC_2, "10.0.0.2")).device;
    let nobody = DeviceId::from_bytes([1; 10]);
    let merge = |device, into| DecisionOp::Merge { device, into };
    let cases = [
        (merge(one, nobody), Void::UnknownDevice),
        (merge(one, one), Void::SameDevice),
        (DecisionOp::Split { device: nobody }, Void::UnknownDevice),
        (DecisionOp::Undo { decision: 99 }, Void::UnknownDecision),
    ];
    for (op, void) in cases {
        assert_eq!(house.decides(op).1, Err(void), "{op:?}");
    }
    house.merges(one, two);
    assert_eq!(house.decides(merge(two, one)).1, Err(Void::Superseded));
    // Who sees neither is told nothing.
    let nowhere = Scope::Sites(std::collections::BTreeSet::new());
    let checked = house.registry.check_decision(&nowhere, merge(one, two));
    assert_eq!(checked.unwrap(), Some(Void::UnknownDevice));
    let mut resolver = house.registry.resolver();
    let decision = Decision {
        op: merge(two, one),
        who: String::new(),
        at: Timestamp::default(),
    };
    assert!(matches!(resolver.decide(&decision), Err(Error::Invalid(_))));
}

/// All tables that a replay must give again.
fn dump(registry: &Registry) -> Vec<String> {
    registry.write_identities(u64::MAX).unwrap();
    let writer = registry.inner.database.writer();
    let mut rows = Vec::new();
    for table in [
        "domain, kind, value, device FROM evidence ORDER BY domain, kind, value",
        "id, domain, agent, serial, mac, manufacturer, model, first_seen_at, superseded_by FROM device ORDER BY id",
        "* FROM decision ORDER BY id",
        "decision, domain, kind, value, was, now FROM decided_evidence ORDER BY id",
        "decision, device, was, now FROM decided_device ORDER BY id",
        "* FROM apart ORDER BY decision, one, other",
        "* FROM barred ORDER BY decision, value",
        "stamp, old, domain, kind, value FROM handed_over ORDER BY id",
    ] {
        let mut statement = writer.prepare(&format!("SELECT {table}")).unwrap();
        let columns = statement.column_count();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let cells: Vec<rusqlite::types::Value> =
                (0..columns).map(|at| row.get(at).unwrap()).collect();
            rows.push(format!("{table} {cells:?}"));
        }
    }
    rows
}

/// What happens at one place of the order, drawn from a seed: mostly reports, now and then a decision about what was seen so far.
fn step(house: &mut House, random: &mut u64, seen: &mut Vec<DeviceId>) {
    let mut roll = |sides: u64| {
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*random >> 33) % sides
    };
    if seen.is_empty() || roll(4) > 0 {
        let serial = format!("SER{:04}", roll(4));
        let mac = format!("00:17:c8:00:00:{:02x}", roll(4));
        let address = format!("10.0.0.{}", roll(4));
        let said = (
            (roll(2) > 0).then_some(serial.as_str()),
            (roll(3) > 0).then_some(mac.as_str()),
            address.as_str(),
        );
        let device = house.sees(said).device;
        if !seen.contains(&device) {
            seen.push(device);
        }
        return;
    }
    let mut pick = || seen[usize::try_from(roll(seen.len() as u64)).unwrap()];
    let (device, into) = (pick(), pick());
    let op = match roll(3) {
        0 => DecisionOp::Merge { device, into },
        1 => DecisionOp::Split { device },
        _ => DecisionOp::Undo {
            decision: roll(house.stamp) + 1,
        },
    };
    // Whether it can be is not the question here.
    let _ = house.decides(op);
}

#[test]
fn a_replay_with_decisions_gives_the_same_rows_and_a_rewind_goes_back_to_any_of_them() {
    const STEPS: usize = 150;
    for seed in 1..=6_u64 {
        let mut house = House::new();
        let (mut random, mut seen) = (seed, Vec::new());
        let mut states = vec![(dump(&house.registry), random, seen.clone())];
        for _ in 0..STEPS {
            step(&mut house, &mut random, &mut seen);
            states.push((dump(&house.registry), random, seen.clone()));
        }
        // Back to somewhere, and on again.
        let at = usize::try_from(seed * 17).unwrap();
        house.registry.rewind_identities(Some(at as u64)).unwrap();
        house.stamp = at as u64;
        let (rows, random_then, seen_then) = states[at].clone();
        assert_eq!(dump(&house.registry), rows, "seed {seed}");
        (random, seen) = (random_then, seen_then);
        for state in &states[at + 1..] {
            step(&mut house, &mut random, &mut seen);
            assert_eq!(dump(&house.registry), state.0, "seed {seed}");
        }
        // Everything anew.
        house.registry.forget_identities().unwrap();
        assert!(dump(&house.registry).is_empty());
        house.stamp = 0;
        (random, seen) = (seed, Vec::new());
        for state in &states[1..] {
            step(&mut house, &mut random, &mut seen);
            assert_eq!(dump(&house.registry), state.0, "seed {seed}");
        }
    }
}

#[test]
fn many_reports_written_at_once_leave_the_same_rows_and_are_undone_at_once() {
    const GROUPS: usize = 30;
    for seed in 1..=12_u64 {
        let mut alone = House::new();
        let mut grouped = House::new();
        let ((mut random, mut seen), (mut random_2, mut seen_2)) =
            ((seed, Vec::new()), (seed, Vec::new()));
        let mut length = seed;
        for group in 0..GROUPS {
            let before = (dump(&grouped.registry), grouped.stamp);
            let (random_before, seen_before) = (random_2, seen_2.clone());
            length = length
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let steps = (length >> 40) % 9 + 1;
            for _ in 0..steps {
                step(&mut alone, &mut random, &mut seen);
                dump(&alone.registry);
                step(&mut grouped, &mut random_2, &mut seen_2);
            }
            if group % 3 == 0 {
                // The registry wrote and the store did not commit: all of it comes again.
                if group % 2 == 0 {
                    grouped.registry.write_identities(grouped.stamp).unwrap();
                }
                grouped.registry.rewind_identities(Some(before.1)).unwrap();
                assert_eq!(dump(&grouped.registry), before.0, "seed {seed}");
                grouped.stamp = before.1;
                (random_2, seen_2) = (random_before, seen_before);
                for _ in 0..steps {
                    step(&mut grouped, &mut random_2, &mut seen_2);
                }
            }
            assert_eq!(
                dump(&grouped.registry),
                dump(&alone.registry),
                "seed {seed}, group {group}"
            );
            grouped.registry.settle_identities(grouped.stamp);
        }
    }
}
