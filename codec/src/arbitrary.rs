//! Reports for property tests: every value that the model can hold and XML can say.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::id::AgentId;
use crate::key::{SpoolEpoch, Stream};
use crate::model::*;
use crate::time::Timestamp;

/// Text with everything that has to be escaped, and characters of one to four bytes.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        6 => prop::char::range('a', 'z'),
        2 => select(vec!['&', '<', '>', '"', '\'', ' ', '\t', '\n', '\r', ';', '#', '%', '=', '/']),
        1 => select(vec!['ä', 'ß', '\u{7f}', '\u{85}', '\u{feff}', '\u{fffd}', '語', 'ﾄ', '😀']),
    ];
    vec(character, 0..14).prop_map(|characters| characters.into_iter().collect())
}

fn maybe_text() -> impl Strategy<Value = Option<String>> {
    option::of(text())
}

fn oid() -> impl Strategy<Value = String> {
    vec(0_u32..70_000, 1..12).prop_map(|arcs| {
        arcs.iter()
            .map(u32::to_string)
            .collect::<Vec<_>>()
            .join(".")
    })
}

fn word<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    select(all)
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    (-62_167_219_200_000..=253_402_300_799_999_i64).prop_map(Timestamp::from_unix_ms)
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..1_000_000_u64, any::<u64>(), Just(u64::MAX)]
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![
        any::<u32>().prop_map(Level::Amount),
        (0_u32..120).prop_map(Level::Percent),
        Just(Level::Some),
        Just(Level::Unknown),
        Just(Level::Unlimited),
    ]
}

pub(crate) fn identity() -> impl Strategy<Value = Identity> {
    vec(maybe_text(), 14).prop_map(|texts| {
        let mut texts = texts.into_iter();
        let mut next = || texts.next().flatten();
        Identity {
            serial: next(),
            manufacturer: next(),
            model: next(),
            hostname: next(),
            dns_name: next(),
            address: next(),
            mac: next(),
            location: next(),
            contact: next(),
            firmware: next(),
            description: next(),
            object_id: next(),
            asset: next(),
            profile: next(),
        }
    })
}

pub(crate) fn status() -> impl Strategy<Value = Status> {
    (
        option::of(word(DeviceStatus::ALL)),
        option::of(word(PrinterStatus::ALL)),
        subsequence(ErrorState::ALL, 0..=ErrorState::ALL.len()),
        option::of(any::<u32>()),
        maybe_text(),
    )
        .prop_map(|(device, printer, errors, uptime_ticks, display)| Status {
            device,
            printer,
            errors,
            uptime_ticks,
            display,
        })
}

pub(crate) fn meter() -> impl Strategy<Value = Meter> {
    let part = (oid(), number()).prop_map(|(oid, value)| MeterPart { oid, value });
    (
        (word(Work::ALL), word(Colour::ALL), word(MeterUnit::ALL)),
        (maybe_text(), option::of(word(Sides::ALL)), word(Basis::ALL)),
        (number(), oid(), vec(part, 0..4)),
    )
        .prop_map(
            |((work, colour, unit), (size, sides, basis), (value, oid, parts))| Meter {
                work,
                colour,
                unit,
                size,
                sides,
                value,
                basis,
                oid,
                parts,
            },
        )
}

pub(crate) fn supply() -> impl Strategy<Value = Supply> {
    (
        (0_u32..9, word(SupplyClass::ALL), word(SupplyType::ALL)),
        (
            option::of(word(Colorant::ALL)),
            text(),
            maybe_text(),
            maybe_text(),
        ),
        (
            word(CapacityUnit::ALL),
            option::of(any::<u32>()),
            level(),
            option::of(0_u32..100),
        ),
    )
        .prop_map(
            |(
                (index, class, kind),
                (colorant, description, part, serial),
                (unit, capacity, level, resolution),
            )| Supply {
                index,
                class,
                kind,
                colorant,
                description,
                part,
                serial,
                unit,
                capacity,
                level,
                resolution,
            },
        )
}

pub(crate) fn tray() -> impl Strategy<Value = Tray> {
    (
        (0_u32..9, text(), word(TrayType::ALL), maybe_text()),
        (
            word(CapacityUnit::ALL),
            option::of(any::<u32>()),
            level(),
            option::of(any::<u32>()),
        ),
    )
        .prop_map(
            |((index, name, kind, media), (unit, capacity, level, status))| Tray {
                index,
                name,
                kind,
                media,
                unit,
                capacity,
                level,
                status,
            },
        )
}

pub(crate) fn alert() -> impl Strategy<Value = Alert> {
    (
        (any::<u32>(), word(AlertSeverity::ALL), text()),
        (
            option::of(any::<u32>()),
            text(),
            text(),
            option::of(timestamp()),
        ),
    )
        .prop_map(
            |((index, severity, group), (group_index, code, description, since))| Alert {
                index,
                severity,
                group,
                group_index,
                code,
                description,
                since,
            },
        )
}

/// A section of a full report.
pub(crate) fn full<T: std::fmt::Debug + Clone + 'static>(
    read: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Section<T>> {
    prop_oneof![
        1 => Just(Section::NotRead),
        3 => read.prop_map(Section::Read),
    ]
}

fn any_section<T: std::fmt::Debug + Clone + 'static>(
    row: impl Strategy<Value = T> + Clone + 'static,
) -> impl Strategy<Value = Section<Vec<T>>> {
    prop_oneof![
        1 => Just(Section::NotRead),
        1 => Just(Section::Unchanged),
        1 => vec(row.clone(), 0..3).prop_map(Section::Changed),
        3 => vec(row, 0..4).prop_map(Section::Read),
    ]
}

/// A device report without base, its sections read or not.
pub(crate) fn full_device() -> impl Strategy<Value = DeviceReport> {
    (
        (timestamp(), any::<u64>(), option::of(word(SourceKind::ALL))),
        (text(), identity(), option::of(word(MeterSet::ALL))),
        full(status()),
        full(vec(meter(), 0..5)),
        full(vec(supply(), 0..5)),
        full(vec(tray(), 0..5)),
        full(vec(alert(), 0..5)),
    )
        .prop_map(
            |(
                (observed_at, observed_uptime_ms, source),
                (handle, identity, meter_set),
                status,
                meters,
                supplies,
                trays,
                alerts,
            )| DeviceReport {
                observed_at,
                observed_uptime_ms,
                source,
                handle,
                base: None,
                identity,
                status,
                meter_set,
                meters,
                supplies,
                trays,
                alerts,
            },
        )
}

fn delta_device() -> impl Strategy<Value = DeviceReport> {
    (
        full_device(),
        1..u64::MAX,
        prop_oneof![
            Just(Section::Unchanged),
            Just(Section::NotRead),
            status().prop_map(Section::Read),
        ],
        any_section(meter().boxed()),
        any_section(supply().boxed()),
        any_section(tray().boxed()),
        any_section(alert().boxed()),
    )
        .prop_map(
            |(device, base, status, meters, supplies, trays, alerts)| DeviceReport {
                base: Some(base),
                status,
                meters,
                supplies,
                trays,
                alerts,
                ..device
            },
        )
}

/// Any report that XML can say.
pub(crate) fn report() -> impl Strategy<Value = Report> {
    (
        (
            select(vec!["a", "meyer-werk2", "x_1.y"]),
            any::<u64>(),
            select(&Stream::ALL[..]),
        ),
        (1..u64::MAX, timestamp(), any::<u64>(), text()),
        vec(prop_oneof![full_device(), delta_device()], 0..4),
    )
        .prop_map(
            |(
                (agent, epoch, stream),
                (sequence, sealed_at, sealed_uptime_ms, program),
                devices,
            )| {
                Report {
                    header: Header {
                        agent: AgentId::new(agent).unwrap(),
                        epoch: SpoolEpoch(epoch),
                        stream,
                        sequence,
                        sealed_at,
                        sealed_uptime_ms,
                        program,
                    },
                    devices,
                }
            },
        )
}
