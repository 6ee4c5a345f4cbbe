//! The canonical writer. The fast tokeniser (`fast.rs`) knows what it writes: attributes in the order of `element.rs`, double quotes, one
//! line feed before each device and before the end. It makes no allocation once `out` is large enough.

use super::escape::escape_into;
use crate::limits::{
    HANDLE_BYTES_MAX, OID_BYTES_MAX, PROGRAM_BYTES_MAX, SCHEMA_VERSION, TEXT_BYTES_MAX,
};
use crate::model::{
    Alert, Colorant, DeviceReport, DeviceStatus, ErrorState, Header, Identity, Level, Meter,
    MeterSet, PrinterStatus, Report, Section, Sides, SourceKind, Status, Supply, Tray,
};
use crate::sink::{ErrorSet, SectionKind};
use crate::time::Timestamp;

/// What every report begins with.
pub(super) const PROLOG: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Appends `report` to `out`. Text longer than [`crate::limits`] allows is cut at a character.
pub fn write_report(report: &Report, out: &mut Vec<u8>) {
    write_begin(&report.header, out);
    for device in &report.devices {
        write_device(&report.header, device, out);
    }
    write_end(out);
}

/// Appends the beginning of a report; [`write_device`] and [`write_end`] follow. Together they are [`write_report`] for whoever does not hold
/// all devices at once.
pub fn write_begin(header: &Header, out: &mut Vec<u8>) {
    out.extend_from_slice(PROLOG.as_bytes());
    out.extend_from_slice(b"<report");
    number(out, b" version=\"", u64::from(SCHEMA_VERSION));
    text(out, b" agent=\"", header.agent.as_str(), PROGRAM_BYTES_MAX);
    out.extend_from_slice(b" epoch=\"");
    for shift in (0..16).rev() {
        let digit = (header.epoch.0 >> (shift * 4)) & 0xf;
        out.push(b"0123456789abcdef"[usize::try_from(digit).expect("four bits")]);
    }
    out.push(b'"');
    word(out, b" stream=\"", header.stream.name());
    number(out, b" sequence=\"", header.sequence);
    timestamp(out, b" sealed_at=\"", header.sealed_at);
    number(out, b" sealed_uptime_ms=\"", header.sealed_uptime_ms);
    text(out, b" program=\"", &header.program, PROGRAM_BYTES_MAX);
    out.push(b'>');
}

/// Appends one device of a report with this header.
pub fn write_device(header: &Header, device: &DeviceReport, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\n<device");
    text(out, b" handle=\"", &device.handle, HANDLE_BYTES_MAX);
    optional(out, b" base=\"", device.base);
    timestamp(out, b" observed_at=\"", device.observed_at);
    // Wrapping, so that every pair of times comes back as it was; `cast_signed` of a small difference is that difference.
    let age_ms = header
        .sealed_uptime_ms
        .wrapping_sub(device.observed_uptime_ms)
        .cast_signed();
    out.extend_from_slice(b" age_ms=\"");
    out.extend_from_slice(itoa::Buffer::new().format(age_ms).as_bytes());
    out.push(b'"');
    optional_word(out, b" source=\"", device.source.map(SourceKind::word));
    optional_word(out, b" meter_set=\"", device.meter_set.map(MeterSet::word));
    unchanged(out, device);
    out.push(b'>');
    identity(out, &device.identity);
    if let Section::Read(state) | Section::Changed(state) = &device.status {
        status(out, state);
    }
    section(out, "meters", &device.meters, meter);
    section(out, "supplies", &device.supplies, supply);
    section(out, "trays", &device.trays, tray);
    section(out, "alerts", &device.alerts, alert);
    out.extend_from_slice(b"</device>");
}

/// Appends the end of a report.
pub fn write_end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\n</report>\n");
}

fn unchanged(out: &mut Vec<u8>, device: &DeviceReport) {
    let states = [
        (SectionKind::Status, device.status.is_unchanged()),
        (SectionKind::Meters, device.meters.is_unchanged()),
        (SectionKind::Supplies, device.supplies.is_unchanged()),
        (SectionKind::Trays, device.trays.is_unchanged()),
        (SectionKind::Alerts, device.alerts.is_unchanged()),
    ];
    let words = states
        .into_iter()
        .filter_map(|(kind, unchanged)| unchanged.then_some(kind.word()));
    list(out, b" unchanged=\"", words);
}

fn section<T>(out: &mut Vec<u8>, name: &str, section: &Section<Vec<T>>, row: fn(&mut Vec<u8>, &T)) {
    let (rows, only) = match section {
        Section::NotRead | Section::Unchanged => return,
        Section::Changed(rows) => (rows, " only=\"changed\""),
        Section::Read(rows) => (rows, ""),
    };
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(only.as_bytes());
    if rows.is_empty() {
        out.extend_from_slice(b"/>");
        return;
    }
    out.push(b'>');
    for each in rows {
        row(out, each);
    }
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

fn identity(out: &mut Vec<u8>, identity: &Identity) {
    out.extend_from_slice(b"<identity");
    optional_text(out, b" serial=\"", identity.serial.as_deref());
    optional_text(out, b" manufacturer=\"", identity.manufacturer.as_deref());
    optional_text(out, b" model=\"", identity.model.as_deref());
    optional_text(out, b" hostname=\"", identity.hostname.as_deref());
    optional_text(out, b" dns_name=\"", identity.dns_name.as_deref());
    optional_text(out, b" address=\"", identity.address.as_deref());
    optional_text(out, b" mac=\"", identity.mac.as_deref());
    optional_text(out, b" location=\"", identity.location.as_deref());
    optional_text(out, b" contact=\"", identity.contact.as_deref());
    optional_text(out, b" firmware=\"", identity.firmware.as_deref());
    optional_text(out, b" description=\"", identity.description.as_deref());
    optional_text(out, b" object_id=\"", identity.object_id.as_deref());
    optional_text(out, b" asset=\"", identity.asset.as_deref());
    optional_text(out, b" profile=\"", identity.profile.as_deref());
    out.extend_from_slice(b"/>");
}

fn status(out: &mut Vec<u8>, status: &Status) {
    out.extend_from_slice(b"<status");
    optional_word(out, b" device=\"", status.device.map(DeviceStatus::word));
    optional_word(out, b" printer=\"", status.printer.map(PrinterStatus::word));
    let errors: ErrorSet = status.errors.iter().copied().collect();
    list(out, b" errors=\"", errors.iter().map(ErrorState::word));
    optional(out, b" uptime_ticks=\"", status.uptime_ticks);
    optional_text(out, b" display=\"", status.display.as_deref());
    out.extend_from_slice(b"/>");
}

fn meter(out: &mut Vec<u8>, meter: &Meter) {
    out.extend_from_slice(b"<meter");
    word(out, b" work=\"", meter.work.word());
    word(out, b" colour=\"", meter.colour.word());
    word(out, b" unit=\"", meter.unit.word());
    optional_text(out, b" size=\"", meter.size.as_deref());
    optional_word(out, b" sides=\"", meter.sides.map(Sides::word));
    word(out, b" basis=\"", meter.basis.word());
    text(out, b" oid=\"", &meter.oid, OID_BYTES_MAX);
    number(out, b" value=\"", meter.value);
    if meter.parts.is_empty() {
        out.extend_from_slice(b"/>");
        return;
    }
    out.push(b'>');
    for part in &meter.parts {
        out.extend_from_slice(b"<part");
        text(out, b" oid=\"", &part.oid, OID_BYTES_MAX);
        number(out, b" value=\"", part.value);
        out.extend_from_slice(b"/>");
    }
    out.extend_from_slice(b"</meter>");
}

fn supply(out: &mut Vec<u8>, supply: &Supply) {
    out.extend_from_slice(b"<supply");
    number(out, b" index=\"", u64::from(supply.index));
    word(out, b" class=\"", supply.class.word());
    word(out, b" type=\"", supply.kind.word());
    optional_word(out, b" colorant=\"", supply.colorant.map(Colorant::word));
    text(out, b" description=\"", &supply.description, TEXT_BYTES_MAX);
    optional_text(out, b" part=\"", supply.part.as_deref());
    optional_text(out, b" serial=\"", supply.serial.as_deref());
    word(out, b" unit=\"", supply.unit.word());
    optional(out, b" capacity=\"", supply.capacity);
    optional(out, b" resolution=\"", supply.resolution);
    level(out, supply.level);
    out.extend_from_slice(b"/>");
}

fn tray(out: &mut Vec<u8>, tray: &Tray) {
    out.extend_from_slice(b"<tray");
    number(out, b" index=\"", u64::from(tray.index));
    text(out, b" name=\"", &tray.name, TEXT_BYTES_MAX);
    word(out, b" type=\"", tray.kind.word());
    optional_text(out, b" media=\"", tray.media.as_deref());
    word(out, b" unit=\"", tray.unit.word());
    optional(out, b" capacity=\"", tray.capacity);
    optional(out, b" status=\"", tray.status);
    level(out, tray.level);
    out.extend_from_slice(b"/>");
}

fn alert(out: &mut Vec<u8>, alert: &Alert) {
    out.extend_from_slice(b"<alert");
    number(out, b" index=\"", u64::from(alert.index));
    word(out, b" severity=\"", alert.severity.word());
    text(out, b" group=\"", &alert.group, TEXT_BYTES_MAX);
    optional(out, b" group_index=\"", alert.group_index);
    text(out, b" code=\"", &alert.code, TEXT_BYTES_MAX);
    text(out, b" description=\"", &alert.description, TEXT_BYTES_MAX);
    if let Some(since) = alert.since {
        timestamp(out, b" since=\"", since);
    }
    out.extend_from_slice(b"/>");
}

fn level(out: &mut Vec<u8>, level: Level) {
    match level {
        Level::Amount(amount) => number(out, b" level=\"", u64::from(amount)),
        Level::Percent(percent) => {
            out.extend_from_slice(b" level=\"");
            out.extend_from_slice(itoa::Buffer::new().format(percent).as_bytes());
            out.extend_from_slice(b"%\"");
        }
        Level::Some => word(out, b" level=\"", "some"),
        Level::Unknown => word(out, b" level=\"", "unknown"),
        Level::Unlimited => word(out, b" level=\"", "unlimited"),
    }
}

// The pieces. `name` is the attribute's name with what is around it: ` name="`.

fn word(out: &mut Vec<u8>, name: &[u8], word: &str) {
    out.extend_from_slice(name);
    out.extend_from_slice(word.as_bytes());
    out.push(b'"');
}

fn optional_word(out: &mut Vec<u8>, name: &[u8], value: Option<&str>) {
    if let Some(value) = value {
        word(out, name, value);
    }
}

fn list<'a>(out: &mut Vec<u8>, name: &[u8], words: impl Iterator<Item = &'a str>) {
    let mut before: &[u8] = name;
    for word in words {
        out.extend_from_slice(before);
        out.extend_from_slice(word.as_bytes());
        before = b" ";
    }
    if before != name {
        out.push(b'"');
    }
}

fn text(out: &mut Vec<u8>, name: &[u8], value: &str, bytes_max: usize) {
    out.extend_from_slice(name);
    escape_into(&value[..value.floor_char_boundary(bytes_max)], out);
    out.push(b'"');
}

fn optional_text(out: &mut Vec<u8>, name: &[u8], value: Option<&str>) {
    if let Some(value) = value {
        text(out, name, value, TEXT_BYTES_MAX);
    }
}

fn number(out: &mut Vec<u8>, name: &[u8], value: u64) {
    out.extend_from_slice(name);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    out.push(b'"');
}

fn optional(out: &mut Vec<u8>, name: &[u8], value: Option<impl Into<u64>>) {
    if let Some(value) = value {
        number(out, name, value.into());
    }
}

fn timestamp(out: &mut Vec<u8>, name: &[u8], value: Timestamp) {
    out.extend_from_slice(name);
    out.extend_from_slice(&value.to_bytes());
    out.push(b'"');
}
