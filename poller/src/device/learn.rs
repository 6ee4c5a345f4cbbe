//! The asks of each kind of poll.

use std::collections::BTreeSet;

use super::facts::Facts;
use super::mib;
use super::plan::Plan;
use crate::conversation::Ask;
use crate::oid::Oid;
use crate::profile::{Details, Profile, ProfileSet, Source, Table};

/// The most rows of a table of the standard MIBs: the largest seen have 24 supplies, 16 trays and 40 alerts.
const ROWS_MAX: u32 = 128;

/// What a table is expected to have that has one row in nearly every printer, or none: asked for as if nothing were known, it would be
/// read far beyond its end. Where there are more rows, another request brings them.
const FEW_ROWS: u32 = 1;

/// The part of a report that an ask is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Identity,
    Status,
    Meters,
    Supplies,
    Trays,
    Alerts,
}

impl Part {
    /// All, in the order of the report.
    pub const ALL: [Self; 6] = [
        Self::Identity,
        Self::Status,
        Self::Meters,
        Self::Supplies,
        Self::Trays,
        Self::Alerts,
    ];

    /// The name of the report's section.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Status => "status",
            Self::Meters => "meters",
            Self::Supplies => "supplies",
            Self::Trays => "trays",
            Self::Alerts => "alerts",
        }
    }
}

/// An ask and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub part: Part,
    pub ask: Ask,
    /// It asks for the vendor's own: a device that does not answer it may answer the rest.
    pub own: bool,
}

/// The first question to a device of which nothing is known.
pub fn identify(collect_contact: bool) -> Ask {
    let mut oids = system(collect_contact);
    oids.extend(
        [mib::hr_device(3), mib::general(16), mib::general(17)].map(|column| column.child(&[1])),
    );
    Ask::Get(oids)
}

fn system(collect_contact: bool) -> Vec<Oid> {
    let objects = [1, 2, 3, 4, 5, 6]
        .into_iter()
        .filter(|object| *object != 4 || collect_contact);
    objects.map(mib::system).collect()
}

/// Everything that the standard MIBs and the profile have, by walking: nothing is known of the rows yet.
pub fn tables(profile: &Profile, profiles: &ProfileSet, address: &str) -> Vec<Step> {
    let columns = |column: fn(u32) -> Oid, numbers: &[u32]| {
        numbers
            .iter()
            .map(|number| column(*number))
            .collect::<Vec<_>>()
    };
    let mut steps = vec![
        walk(
            Part::Status,
            columns(mib::hr_device, &[2, 3, 5]),
            0,
            ROWS_MAX,
        ),
        walk(
            Part::Status,
            columns(mib::hr_printer, &[1, 2]),
            FEW_ROWS,
            ROWS_MAX,
        ),
        walk(
            Part::Identity,
            columns(mib::general, &[1, 2, 16, 17, 19]),
            FEW_ROWS,
            ROWS_MAX,
        ),
        walk(Part::Identity, vec![mib::charset()], 0, ROWS_MAX),
        walk(Part::Identity, vec![mib::if_phys_address()], 0, ROWS_MAX),
        walk(
            Part::Meters,
            columns(mib::marker, &[2, 3, 4]),
            FEW_ROWS,
            ROWS_MAX,
        ),
        walk(
            Part::Supplies,
            columns(mib::supplies, &[3, 4, 5, 6, 7, 8, 9]),
            0,
            ROWS_MAX,
        ),
        walk(Part::Supplies, vec![mib::colorant_value()], 0, ROWS_MAX),
        walk(
            Part::Trays,
            columns(mib::input, &[2, 8, 9, 10, 11, 12, 13, 18]),
            0,
            ROWS_MAX,
        ),
        walk(Part::Alerts, alert_columns(), FEW_ROWS, ROWS_MAX),
    ];
    if profile.status.display.is_empty() {
        steps.push(walk(Part::Status, vec![mib::console_text()], 0, ROWS_MAX));
    }
    for table in profile.table.values() {
        let columns = table.columns().cloned().collect::<Vec<_>>();
        if !columns.is_empty() {
            steps.push(own(walk(Part::Meters, columns, 0, table.rows_max)));
        }
    }
    let further = walked_columns(profile);
    if !further.is_empty() {
        steps.push(own(walk(Part::Meters, further, 0, ROWS_MAX)));
    }
    let private = private_columns(profile);
    if !private.is_empty() {
        steps.push(own(walk(Part::Supplies, private, 0, ROWS_MAX)));
    }
    let mut scalars = scalars(profile);
    scalars.extend(
        profiles
            .standard()
            .identity
            .device_id
            .iter()
            .filter_map(scalar),
    );
    scalars.extend(interface_of(address));
    steps.push(own(get(Part::Identity, scalars.into_iter().collect())));
    steps
}

/// The steps of a full poll by plan, and the prefixes whose rows it reads anew.
pub fn refresh(
    plan: &Plan,
    steady: &[Oid],
    facts: &Facts,
    profile: &Profile,
    collect_contact: bool,
) -> (Vec<Step>, Vec<Oid>) {
    let columns = |column: fn(u32) -> Oid, numbers: &[u32]| {
        numbers
            .iter()
            .map(|number| column(*number))
            .collect::<Vec<_>>()
    };
    let mut oids = system(collect_contact);
    let index = [plan.device()];
    oids.extend(
        [
            mib::hr_device(3),
            mib::hr_device(5),
            mib::hr_printer(1),
            mib::hr_printer(2),
        ]
        .map(|column| column.child(&index)),
    );
    oids.extend([1, 16, 17, 19].map(|number| mib::general(number).child(&index)));
    let known = |oid: &Oid| {
        oid.arcs().starts_with(&[1, 3, 6, 1, 2, 1])
            && facts.get(oid).is_none()
            && !oids_volatile(oid)
    };
    oids.retain(|oid| !known(oid));
    let (supplies, trays): (Vec<u32>, Vec<u32>) =
        ([3, 5, 6, 7, 8, 9].into(), [8, 9, 10, 11, 12].into());
    // Trays are named in one of two columns.
    let trays_named = [13, 18]
        .into_iter()
        .filter(|number| facts.any_below(&mib::input(*number)))
        .take(1);
    let trays = trays.into_iter().chain(trays_named).collect::<Vec<_>>();
    let rows = plan.rows();
    let alerts = alerts(rows.alerts);
    let mut steps = vec![get(Part::Identity, oids)];
    steps.push(walk(
        Part::Supplies,
        columns(mib::supplies, &supplies),
        rows.supplies,
        ROWS_MAX,
    ));
    if rows.colorants > 0 {
        steps.push(walk(
            Part::Supplies,
            vec![mib::colorant_value()],
            rows.colorants,
            ROWS_MAX,
        ));
    }
    steps.push(walk(
        Part::Trays,
        columns(mib::input, &trays),
        rows.trays,
        ROWS_MAX,
    ));
    steps.push(alerts);
    let seen = |oid: &Oid| steps.iter().any(|step| covers(&step.ask, oid));
    let others = steady
        .iter()
        .cloned()
        .chain(profile.status.display.iter().filter_map(scalar))
        .filter(|oid| !seen(oid))
        .collect::<Vec<_>>();
    steps.push(get(Part::Meters, others));
    if profile.status.display.is_empty() {
        steps.push(walk(Part::Status, vec![mib::console_text()], 0, ROWS_MAX));
    }
    // These have no walk of their own: the Get reads them.
    steps.push(get(Part::Status, Vec::new()));
    let renewed = columns(mib::supplies, &supplies)
        .into_iter()
        .chain(columns(mib::input, &trays))
        .chain(alert_columns());
    (steps, renewed.chain([mib::colorant_value()]).collect())
}

/// The alerts and the panel, once something points to them; and the prefixes read anew.
pub fn signs(plan: &Plan, profile: &Profile) -> (Vec<Step>, Vec<Oid>) {
    let mut steps = Vec::new();
    let display = profile
        .status
        .display
        .iter()
        .filter_map(scalar)
        .collect::<Vec<_>>();
    if display.is_empty() {
        steps.push(walk(Part::Alerts, vec![mib::console_text()], 0, ROWS_MAX));
    } else {
        steps.push(get(Part::Alerts, display));
    }
    steps.push(alerts(plan.rows().alerts));
    (steps, alert_columns())
}

/// The alerts, where the last time there were so many. Where there were none, their severities show whether there are any now.
fn alerts(rows: u32) -> Step {
    let mut columns = alert_columns();
    if rows == 0 {
        columns.truncate(1);
    }
    walk(Part::Alerts, columns, rows.max(FEW_ROWS), ROWS_MAX)
}

/// What else there is to know of alerts where there were none, once their severities were read: so many.
pub fn alerts_found(rows: u32) -> Step {
    let columns = alert_columns().split_off(1);
    walk(Part::Alerts, columns, rows, ROWS_MAX)
}

/// What is read of an alert; its severity first.
fn alert_columns() -> Vec<Oid> {
    [2, 4, 5, 7, 8, 9].map(mib::alert).to_vec()
}

/// Values that are read though nothing is remembered of them.
fn oids_volatile(oid: &Oid) -> bool {
    [
        mib::hr_device(5),
        mib::hr_printer(1),
        mib::hr_printer(2),
        mib::general(1),
        mib::general(17),
        mib::general(19),
    ]
    .iter()
    .any(|column| oid.suffix_of(column).is_some())
        || *oid == mib::system(3)
}

fn covers(ask: &Ask, oid: &Oid) -> bool {
    match ask {
        Ask::Get(oids) => oids.contains(oid),
        Ask::Walk { columns, .. } => columns.iter().any(|column| oid.suffix_of(column).is_some()),
    }
}

fn walk(part: Part, columns: Vec<Oid>, rows_expected: u32, rows_max: u32) -> Step {
    let ask = Ask::Walk {
        columns,
        rows_expected,
        rows_max,
    };
    Step {
        part,
        ask,
        own: false,
    }
}

fn get(part: Part, oids: Vec<Oid>) -> Step {
    Step {
        part,
        ask: Ask::Get(oids),
        own: false,
    }
}

fn own(step: Step) -> Step {
    Step { own: true, ..step }
}

/// Where the interface with this address is told.
fn interface_of(address: &str) -> Option<Oid> {
    let octets = address
        .parse::<std::net::Ipv4Addr>()
        .ok()?
        .octets()
        .map(u32::from);
    Some(mib::ip_if_index().child(&octets))
}

/// The instance that a source reads, if it is one.
pub fn scalar(source: &Source) -> Option<Oid> {
    match source {
        Source::Scalar { oid, .. } => Some(oid.clone()),
        _ => None,
    }
}

/// Every single instance that the profile may read.
pub fn scalars(profile: &Profile) -> BTreeSet<Oid> {
    let mut oids = BTreeSet::new();
    profile.each_source(&mut |source| {
        if let Source::Scalar { oid, guard, .. } = source {
            oids.insert(oid.clone());
            oids.extend(guard.as_ref().map(|(oid, _)| oid.clone()));
        }
    });
    oids
}

/// The columns that the profile sums up, and those that it names apart from a table's own.
pub fn walked_columns(profile: &Profile) -> Vec<Oid> {
    let mut columns = BTreeSet::new();
    profile.each_source(&mut |source| match source {
        Source::Column(column)
        | Source::Row {
            column: Some(column),
            ..
        } => {
            columns.insert(column.clone());
        }
        _ => {}
    });
    let tables = profile
        .table
        .values()
        .flat_map(Table::columns)
        .collect::<Vec<_>>();
    columns
        .into_iter()
        .filter(|column| !tables.contains(&column))
        .collect()
}

/// The vendor's own columns about supplies.
pub fn private_columns(profile: &Profile) -> Vec<Oid> {
    [
        &profile.supplies.private_level,
        &profile.supplies.private_name,
    ]
    .into_iter()
    .flatten()
    .chain(profile.supplies.details.iter().flat_map(Details::columns))
    .cloned()
    .collect()
}
