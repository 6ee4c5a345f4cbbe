//! What is remembered of a device from one poll to the next.
//!
//! A plan holds packed bytes and small numbers, a kilobyte or two: ten thousand of them are cheap to keep and load at once.
//! It proves nothing by itself: each poll by plan reads the serial number (else the MAC) again and compares.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

use codec::time::Timestamp;

use super::facts::{self, Facts};
use super::learn::Part;
use super::view::View;
use super::{alerts, identity, learn, meters, mib, supplies};
use crate::conversation::Ask;
use crate::oid::Oid;
use crate::profile::{Profile, ProfileSet, Source};
use crate::value::Value;

/// The format of [`Plan`]: raised when its fields or what is packed in them change.
const FORMAT: u32 = 5;

/// How long a plan is used before everything is learned anew.
const AGE_MS_MAX: i64 = 24 * 3_600_000;

/// How long a plan is used that leaves out a table which meters are read from: what bills is asked for again on the same day.
const SILENT_METERS_AGE_MS_MAX: i64 = 4 * 3_600_000;

/// A table that was silent once may have been unlucky. In so many learning polls in a row, while the rest was answered, it is not there.
const SILENT_LEARNS_MIN: u8 = 2;

/// How long the alerts of a device without a trusted change counter stay unread while nothing else points to them.
const ALERTS_AGE_MS_MAX: i64 = 10 * 60_000;

/// A level that rises by this share of the whole (in per cent) means another cartridge, whose part and serial are read then (quirk S27).
const REPLACED_PERCENT: i64 = 20;

/// What was learned about a device: exact instances for the steady poll and the facts that do not change. Made to be kept
/// (it serialises with `rkyv`) and handed to the next [`super::DevicePoll`] of the device. A plan that does not fit is learned anew.
/// Clones share what was learned, so a poll that changes nothing costs no memory.
#[derive(Clone, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct Plan {
    learned: Arc<Learned>,
    /// What a steady poll asks for, and what it said the last time.
    last: Arc<[u8]>,
    alerts_read_at_unix_ms: i64,
    /// Rows of prtAlertTable.
    alert_rows: u32,
    /// When the device started, as far as it said.
    started_at_unix_ms: Option<i64>,
    /// The alert counter was seen to move: it may be trusted (quirk T13).
    events_moved: bool,
    /// An alert stands that will end.
    alerts_stand: bool,
}

/// The part of a plan that stays until everything is learned anew.
#[derive(Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Learned {
    format: u32,
    /// The profile it was learned with, with its version: `kyocera/1`.
    profile: Box<str>,
    /// The maker that the rule named which found the profile.
    rule_maker: Option<Box<str>>,
    learned_at_unix_ms: i64,
    device: u32,
    rows: Rows,
    /// The instance whose value proves the device.
    proof: Box<[u8]>,
    /// What does not change.
    facts: Box<[u8]>,
    /// See [`Silent`].
    silent_places: Box<[u8]>,
    /// A bit for each of [`Part::ALL`].
    silent_parts: u8,
    silent_learns: u8,
}

/// What a device never answers, though it answers the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Silent {
    /// The tables, by their entries, and the instances.
    pub places: BTreeSet<Oid>,
    /// The parts of the report that cannot be told without them.
    pub parts: BTreeSet<Part>,
    /// In how many learning polls in a row that was so.
    pub learns: u8,
}

impl Silent {
    /// Whether an ask is for nothing but tables that are not answered.
    pub fn covers(&self, ask: &Ask) -> bool {
        match ask {
            Ask::Get(_) => false,
            Ask::Walk { columns, .. } => columns
                .iter()
                .all(|column| self.places.contains(&entry_of(column))),
        }
    }

    /// Whether this may have been chance.
    fn is_tentative(&self) -> bool {
        !self.places.is_empty() && self.learns < SILENT_LEARNS_MIN
    }
}

/// The entry (the conceptual row) that a column is of.
pub(super) fn entry_of(column: &Oid) -> Oid {
    let arcs = column.arcs();
    Oid::new(&arcs[..arcs.len().saturating_sub(1)])
}

/// A plan, unpacked for one poll.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// What a steady poll asks for, sorted.
    pub steady: Vec<Oid>,
    /// What it said the last time.
    pub last: Facts,
    /// The instance whose value proves the device.
    pub proof: Vec<Oid>,
    /// What of `steady` this poll leaves out.
    pub left_out: BTreeSet<Oid>,
    /// What is not asked because it is never answered.
    pub silent: Silent,
}

/// How many rows the tables had.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize,
)]
pub struct Rows {
    /// prtMarkerSuppliesTable.
    pub supplies: u32,
    /// prtMarkerColorantTable.
    pub colorants: u32,
    /// prtInputTable.
    pub trays: u32,
    /// prtAlertTable.
    pub alerts: u32,
}

impl Plan {
    /// The profile it was learned with, with its version: `kyocera/1`.
    #[must_use]
    pub fn profile(&self) -> &str {
        &self.learned.profile
    }

    /// When everything was learned.
    #[must_use]
    pub fn learned_at(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.learned.learned_at_unix_ms)
    }

    /// When the device started, as far as its polls said.
    pub(super) fn started_at(&self) -> Option<Timestamp> {
        self.started_at_unix_ms.map(Timestamp::from_unix_ms)
    }

    /// The plan, with what is known now of when the device started.
    pub(super) fn of_start(mut self, started_at: Option<Timestamp>) -> Self {
        self.started_at_unix_ms = started_at.map(|at| at.unix_ms);
        self
    }

    /// How many rows the tables had.
    #[must_use]
    pub fn rows(&self) -> Rows {
        Rows {
            alerts: self.alert_rows,
            ..self.learned.rows
        }
    }

    pub(super) fn device(&self) -> u32 {
        self.learned.device
    }

    pub(super) fn rule_maker(&self) -> Option<&str> {
        self.learned.rule_maker.as_deref()
    }

    /// Whether it can be used at all: format, age, and a profile of the same version.
    pub(super) fn fits(&self, profiles: &ProfileSet, now: Timestamp) -> bool {
        let silent = self.silent();
        let age_ms_max = match silent.parts.contains(&Part::Meters) {
            true => SILENT_METERS_AGE_MS_MAX,
            false => AGE_MS_MAX,
        };
        // A clock that was set back makes ages negative: such a plan is learned anew too.
        let age = now.ms_since(self.learned_at());
        self.learned.format == FORMAT
            && (0..age_ms_max).contains(&age)
            && !silent.is_tentative()
            && self.profile_of(profiles).is_some()
    }

    pub(super) fn profile_of(&self, profiles: &ProfileSet) -> Option<Arc<Profile>> {
        let (name, _) = self.profile().split_once('/')?;
        profiles
            .named(name)
            .filter(|profile| profile.label() == self.profile())
            .cloned()
    }

    /// What the device never answers, as far as that is known.
    pub(super) fn silent(&self) -> Silent {
        let places = facts::unpack_oids(&self.learned.silent_places).unwrap_or_default();
        let has = |at: usize| self.learned.silent_parts >> at & 1 == 1;
        let parts = Part::ALL.iter().enumerate();
        Silent {
            places: places.into_iter().collect(),
            parts: parts
                .filter(|(at, _)| has(*at))
                .map(|(_, part)| *part)
                .collect(),
            learns: self.learned.silent_learns,
        }
    }

    /// The facts that do not change, and the rest unpacked; `None` when the bytes are no such thing.
    pub(super) fn unpack(&self) -> Option<(Facts, Known)> {
        let last = Facts::unpack(&self.last)?;
        let known = Known {
            steady: last.oids().cloned().collect(),
            last,
            proof: facts::unpack_oids(&self.learned.proof)?,
            left_out: BTreeSet::new(),
            silent: self.silent(),
        };
        Some((Facts::unpack(&self.learned.facts)?, known))
    }

    /// What a steady poll asks for.
    #[must_use]
    pub fn steady_oids(&self) -> Vec<Oid> {
        let last = Facts::unpack(&self.last).unwrap_or_default();
        last.oids().cloned().collect()
    }

    /// After a steady Get: the same device, every instance still there, no reboot, no new configuration, no new cartridge.
    pub(super) fn still_fits(&self, known: &Known, facts: &Facts) -> bool {
        let config = mib::general(1).child(&[self.device()]);
        known.proven_by(facts)
            && known.asked().all(|oid| facts.is_heard(oid))
            && known.last.get(&config) == facts.get(&config)
            && !restarted(&known.last, facts)
            && !replaced(&known.last, facts)
    }

    /// Whether the alerts should be read now.
    pub(super) fn wants_alerts(&self, known: &Known, facts: &Facts, now: Timestamp) -> bool {
        let index = [self.device()];
        let signs = [mib::hr_device(5), mib::hr_printer(2), mib::general(19)]
            .map(|column| column.child(&index));
        let changed = signs
            .iter()
            .any(|oid| known.last.get(oid) != facts.get(oid));
        let old =
            now.ms_since(Timestamp::from_unix_ms(self.alerts_read_at_unix_ms)) >= ALERTS_AGE_MS_MAX;
        changed || self.alerts_stand || (!self.events_moved && old)
    }

    /// Whether the alert counter was ever seen to move, the poll that made these facts included.
    pub(super) fn events_moved_by(&self, known: &Known, facts: &Facts) -> bool {
        let events = mib::general(19).child(&[self.device()]);
        self.events_moved
            || matches!((known.last.get(&events), facts.get(&events)), (Some(old), Some(new)) if old != new)
    }

    /// The plan after a steady poll: the values that the next one is compared with.
    pub(super) fn after(
        &self,
        known: &Known,
        view: &View<'_>,
        now: Timestamp,
        alerts_read: bool,
    ) -> Self {
        let mut plan = self.clone();
        plan.events_moved = self.events_moved_by(known, view.facts);
        let last = if known.left_out.is_empty() {
            view.facts.pack_only(&known.steady)
        } else {
            // That the engine moved on is seen again by the next heartbeat: what it points to was not all read.
            let mut facts = view.facts.clone();
            let engine = known.signs().into_iter();
            for oid in engine.filter(|oid| oid.suffix_of(&mib::marker(4)).is_some()) {
                if let Some(value) = known.last.get(&oid) {
                    facts.insert(&oid, value.clone());
                }
            }
            facts.pack_only(&known.steady)
        };
        plan.last = last.into();
        if alerts_read {
            plan.alerts_read_at_unix_ms = now.unix_ms;
            plan.alerts_stand = alerts::stands(view);
            plan.alert_rows = count(view.facts, &mib::alert(2));
        }
        plan
    }

    /// A plan from everything that was heard, but for what is never answered.
    pub(super) fn learned(
        view: &View<'_>,
        rule_maker: Option<&str>,
        address: &str,
        (learned_at, now): (Timestamp, Timestamp),
        events_moved: bool,
        silent: &Silent,
    ) -> Self {
        let proof = proof(view, address);
        let steady = steady(view, proof.as_ref());
        let fixed = fixed(view);
        // Facts are packed in order: what stands behind one prefix stands behind all before.
        let behind = Cell::new(0);
        let keep = |oid: &Oid| {
            while fixed.get(behind.get()).is_some_and(|prefix| prefix <= oid) {
                behind.set(behind.get() + 1);
            }
            let last = behind.get().checked_sub(1).and_then(|at| fixed.get(at));
            last.is_some_and(|prefix| oid.suffix_of(prefix).is_some())
        };
        let device_rows = [mib::hr_device(2), mib::hr_device(3)];
        let foreign = |oid: &Oid| {
            device_rows.iter().any(|column| {
                oid.suffix_of(column)
                    .is_some_and(|index| index != [view.device])
            })
        };
        let facts = view
            .facts
            .pack(|oid| keep(oid) && !foreign(oid) && steady.binary_search(oid).is_err());
        let last = view.facts.pack_only(&steady);
        let learned = Learned {
            format: FORMAT,
            profile: view.profile.label().into(),
            rule_maker: rule_maker.map(Into::into),
            learned_at_unix_ms: learned_at.unix_ms,
            device: view.device,
            rows: Rows {
                supplies: count(view.facts, &mib::supplies(9)),
                colorants: count(view.facts, &mib::colorant_value()),
                trays: count(view.facts, &mib::input(10)),
                alerts: 0,
            },
            proof: facts::pack_oids(proof.as_ref()).into(),
            facts: facts.into(),
            silent_places: facts::pack_oids(&silent.places).into(),
            silent_parts: (Part::ALL.iter().enumerate())
                .filter(|(_, part)| silent.parts.contains(part))
                .fold(0, |bits, (at, _)| bits | 1 << at),
            silent_learns: silent.learns,
        };
        Self {
            learned: Arc::new(learned),
            last: last.into(),
            alerts_read_at_unix_ms: now.unix_ms,
            alert_rows: count(view.facts, &mib::alert(2)),
            started_at_unix_ms: None,
            events_moved,
            alerts_stand: alerts::stands(view),
        }
    }
}

impl Known {
    /// What of `steady` this poll asks for.
    pub fn asked(&self) -> impl Iterator<Item = &Oid> {
        self.steady
            .iter()
            .filter(|oid| !self.left_out.contains(*oid))
    }

    /// What a heartbeat asks for: uptime, engine counter, alert counter, error state, as far as the device has them.
    pub fn signs(&self) -> Vec<Oid> {
        let wanted = [
            mib::system(3),
            mib::marker(4),
            mib::general(19),
            mib::hr_printer(2),
        ];
        let first = |wanted: &Oid| {
            self.steady
                .iter()
                .find(|oid| oid.suffix_of(wanted).is_some())
                .cloned()
        };
        wanted.iter().filter_map(first).collect()
    }

    /// Of a heartbeat: whether something moved, or something is missing.
    pub fn moved(&self, facts: &Facts) -> bool {
        let uptime = mib::system(3);
        let changed = |oid: &Oid| {
            if *oid == uptime {
                restarted(&self.last, facts)
            } else {
                self.last.get(oid) != facts.get(oid)
            }
        };
        self.signs()
            .iter()
            .any(|oid| !facts.is_heard(oid) || changed(oid))
    }

    /// Whether the values come from the device that the plan was learned from.
    pub fn proven_by(&self, facts: &Facts) -> bool {
        self.proof
            .iter()
            .all(|oid| facts.is_heard(oid) && self.last.get(oid) == facts.get(oid))
    }
}

/// How many rows a column has.
pub(super) fn count(facts: &Facts, column: &Oid) -> u32 {
    u32::try_from(facts.rows(column).count()).unwrap_or(u32::MAX)
}

/// Whether the device started anew: its uptime fell.
pub(super) fn restarted(last: &Facts, now: &Facts) -> bool {
    let uptime = mib::system(3);
    matches!((last.get(&uptime), now.get(&uptime)), (Some(Value::TimeTicks(old)), Some(Value::TimeTicks(new))) if new < old)
}

/// Whether the level of a supply rose so far that its cartridge is another one.
fn replaced(last: &Facts, now: &Facts) -> bool {
    let levels = mib::supplies(9);
    let wholes = mib::supplies(8);
    now.rows(&levels).any(|(index, new)| {
        let old = last.integer(&levels.child(index)).unwrap_or(-1);
        let new = facts::integer(new).unwrap_or(-1);
        let whole = now
            .integer(&wholes.child(index))
            .filter(|whole| *whole > 0)
            .unwrap_or(100);
        old >= 0
            && new.saturating_sub(old).saturating_mul(100) >= whole.saturating_mul(REPLACED_PERCENT)
    })
}

/// The instance whose value proves the device: where the serial stands, else the MAC, else the model.
fn proof(view: &View<'_>, address: &str) -> Option<Oid> {
    let of_serial = || {
        let sources = view
            .profile
            .identity
            .serial_first
            .iter()
            .chain(&view.profile.identity.serial);
        let serial = identity::serial(view)?.0;
        let mut places = sources.filter_map(learn::scalar);
        places.find(|oid| view.text_at(oid).as_deref() == Some(serial.as_str()))
    };
    let general = identity::serial(view).and_then(|(_, oid)| oid);
    let of_mac = || identity::mac(view, address).map(|(_, oid)| oid);
    let of_model = || {
        Some(mib::hr_device(3).child(&[view.device])).filter(|oid| view.facts.get(oid).is_some())
    };
    let of_description = || Some(mib::system(1)).filter(|oid| view.facts.get(oid).is_some());
    general
        .or_else(of_serial)
        .or_else(of_mac)
        .or_else(of_model)
        .or_else(of_description)
}

/// What changes: in one Get, so that its values belong together.
fn steady(view: &View<'_>, proof: Option<&Oid>) -> Vec<Oid> {
    let index = [view.device];
    let mut oids = vec![mib::system(3)];
    oids.extend(
        [
            mib::hr_device(5),
            mib::hr_printer(1),
            mib::hr_printer(2),
            mib::general(1),
            mib::general(19),
        ]
        .map(|column| column.child(&index)),
    );
    oids.extend(proof.cloned());
    let first_life = view.rows(&[mib::marker(4)]).into_iter().next();
    oids.extend(first_life.map(|(_, index)| mib::marker(4).child(&index)));
    for column in [mib::supplies(9), mib::input(10), mib::input(11)] {
        oids.extend(
            view.rows(std::slice::from_ref(&column))
                .into_iter()
                .map(|(_, index)| column.child(&index)),
        );
    }
    if let Some(column) = &view.profile.supplies.private_level {
        // Only where the standard level says nothing, or has no such row.
        let levels = view.rows(&[mib::supplies(9)]);
        let said = |row: u32| {
            let index = levels
                .iter()
                .find(|(number, _)| *number == row)
                .map(|(_, index)| index);
            index
                .and_then(|index| view.integer_in(&mib::supplies(9), index))
                .is_some_and(|level| level >= 0)
        };
        let rows = view
            .facts
            .rows(column)
            .filter_map(|(index, _)| index.first().copied());
        oids.extend(
            rows.filter(|row| !said(*row))
                .map(|row| column.child(&[row])),
        );
    }
    oids.extend(supplies::known_parts(view));
    oids.extend(meters::steady_parts(view));
    oids.retain(|oid: &Oid| view.facts.get(oid).is_some());
    oids.sort();
    oids.dedup();
    oids
}

/// The subtrees whose values are remembered.
fn fixed(view: &View<'_>) -> Vec<Oid> {
    let mut prefixes = vec![
        mib::if_phys_address(),
        mib::ip_if_index(),
        mib::charset(),
        mib::colorant_value(),
        Facts::unread_subtree(),
    ];
    prefixes.extend([1, 2, 4, 5, 6].map(mib::system));
    prefixes.extend([mib::hr_device(2), mib::hr_device(3)]);
    prefixes.extend([2, 16, 17].map(mib::general));
    prefixes.extend([2, 8, 9, 12, 13, 18].map(mib::input));
    prefixes.extend([2, 3].map(mib::marker));
    prefixes.extend((3..=8).map(mib::supplies));
    let profile = view.profile;
    prefixes.extend(
        profile
            .table
            .values()
            .flat_map(|table| [table.code.clone(), table.name.clone(), table.unit.clone()])
            .flatten(),
    );
    prefixes.extend(profile.supplies.private_name.clone());
    let details = profile.supplies.details.iter();
    prefixes.extend(details.flat_map(crate::profile::Details::columns).cloned());
    let identity = &profile.identity;
    let lists = [
        &identity.serial,
        &identity.serial_first,
        &identity.model,
        &identity.firmware,
        &identity.hostname,
        &identity.device_id,
        &identity.asset,
        &view.profiles.standard().identity.device_id,
    ];
    for source in lists.into_iter().flatten() {
        source.each(&mut |source| match source {
            Source::Scalar { oid, .. } => prefixes.push(oid.clone()),
            Source::Row { table, column, .. } => {
                let value = profile
                    .table
                    .get(table)
                    .and_then(|table| table.value.clone());
                prefixes.extend(column.clone().or(value));
            }
            _ => {}
        });
    }
    profile.each_source(&mut |source| {
        if let Source::Scalar {
            guard: Some((oid, _)),
            ..
        } = source
        {
            prefixes.push(oid.clone());
        }
    });
    prefixes.sort();
    // None lies inside another: the one that holds an OID is the last that does not stand behind it.
    prefixes.dedup_by(|inner, outer| inner.suffix_of(outer).is_some());
    prefixes
}
