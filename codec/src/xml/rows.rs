//! From the attributes of a start tag to the row of the sink: what each must be. Both tokenisers are asked the same, so they cannot mean different things.

use super::attributes::{Attribute, Attributes};
use super::element::{alert, device, identity, meter, part, report, status, supply, tray};
use super::error::Reason;
use crate::id::AgentId;
use crate::key::{SpoolEpoch, Stream};
use crate::limits::{
    HANDLE_BYTES_MAX, OID_BYTES_MAX, PROGRAM_BYTES_MAX, SCHEMA_VERSION, TEXT_BYTES_MAX,
};
use crate::model::ErrorState;
use crate::sink::{
    AlertRow, DeviceRow, ErrorSet, HeaderRow, IdentityRow, MeterRow, PartRow, SectionKind,
    SectionState, StatusRow, SupplyRow, TrayRow,
};

#[inline(always)]
pub(super) fn header<'a, A: Attributes<'a>>(values: &mut A) -> Result<HeaderRow<'a>, A::Fault> {
    let version = values.u32(report::VERSION)?;
    if version > SCHEMA_VERSION {
        let known = SCHEMA_VERSION;
        let found = version;
        return Err(values.fault(report::VERSION, Reason::Newer { found, known }));
    }
    if version == 0 {
        return Err(values.not(report::VERSION, "a schema version, from 1"));
    }
    let agent = values.text(report::AGENT, TEXT_BYTES_MAX)?;
    if AgentId::new(agent).is_err() {
        let expected = "an agent id (1 to 64 characters of a-z, 0-9, -, _ and .)";
        return Err(values.not(report::AGENT, expected));
    }
    let epoch: SpoolEpoch = values
        .text(report::EPOCH, TEXT_BYTES_MAX)?
        .parse()
        .map_err(|_| values.not(report::EPOCH, "a spool epoch (16 lower-case hex digits)"))?;
    let stream = Stream::from_name(values.text(report::STREAM, TEXT_BYTES_MAX)?)
        .ok_or_else(|| values.not(report::STREAM, "a stream (meters or state)"))?;
    Ok(HeaderRow {
        agent,
        epoch,
        stream,
        sequence: values
            .optional_sequence(report::SEQUENCE)?
            .ok_or_else(|| values.missing(report::SEQUENCE))?,
        sealed_at: values.timestamp(report::SEALED_AT)?,
        sealed_uptime_ms: values.u64(report::SEALED_UPTIME_MS)?,
        program: values.text(report::PROGRAM, PROGRAM_BYTES_MAX)?,
    })
}

/// The row, and a bit for each section that is unchanged.
#[inline(always)]
pub(super) fn device<'a, A: Attributes<'a>>(
    values: &mut A,
    sealed_uptime_ms: u64,
) -> Result<(DeviceRow<'a>, u8), A::Fault> {
    let handle = values.text(device::HANDLE, HANDLE_BYTES_MAX)?;
    let base = values.optional_sequence(device::BASE)?;
    let observed_at = values.timestamp(device::OBSERVED_AT)?;
    values.required(device::AGE_MS)?;
    let age_ms = values.signed_of(device::AGE_MS)?;
    let row = DeviceRow {
        handle,
        base,
        observed_at,
        observed_uptime_ms: sealed_uptime_ms.wrapping_sub(age_ms.cast_unsigned()),
        source: values.optional_word(device::SOURCE, "a source (snmp or usb)")?,
        meter_set: values.optional_word(
            device::METER_SET,
            "a verdict on the meters (unverified, verified or conflicting)",
        )?,
    };
    let mut unchanged = 0;
    if let Some(words) = values.optional_text(device::UNCHANGED)? {
        for word in words.split_ascii_whitespace() {
            let kind = SectionKind::from_word(word)
                .ok_or_else(|| values.not(device::UNCHANGED, "a list of sections"))?;
            unchanged |= 1 << kind as u8;
        }
    }
    if unchanged != 0 && base.is_none() {
        return Err(values.fault(
            device::UNCHANGED,
            Reason::NotAllowed("an unchanged section without a base"),
        ));
    }
    Ok((row, unchanged))
}

#[inline(always)]
pub(super) fn identity<'a, A: Attributes<'a>>(values: &mut A) -> Result<IdentityRow<'a>, A::Fault> {
    let mut row = IdentityRow::default();
    macro_rules! texts {
        ($($field:ident $attribute:ident,)*) => { 'texts: {
            $(if values.has(identity::$attribute) {
                row.$field = Some(values.text_of(identity::$attribute, TEXT_BYTES_MAX)?);
                if values.is_last() {
                    break 'texts;
                }
            })*
        } };
    }
    texts! {
        serial SERIAL, manufacturer MANUFACTURER, model MODEL, hostname HOSTNAME, dns_name DNS_NAME, address ADDRESS, mac MAC, location LOCATION,
        contact CONTACT, firmware FIRMWARE, description DESCRIPTION, object_id OBJECT_ID, asset ASSET, profile PROFILE,
    }
    Ok(row)
}

#[inline(always)]
pub(super) fn status<'a, A: Attributes<'a>>(values: &mut A) -> Result<StatusRow<'a>, A::Fault> {
    let device = values.optional_word(status::DEVICE, "a device status")?;
    let printer = values.optional_word(status::PRINTER, "a printer status")?;
    let mut errors = ErrorSet::default();
    if let Some(words) = values.optional_text(status::ERRORS)? {
        for word in words.split_ascii_whitespace() {
            let state = ErrorState::from_word(word)
                .ok_or_else(|| values.not(status::ERRORS, "a list of error states"))?;
            errors.insert(state);
        }
    }
    Ok(StatusRow {
        device,
        printer,
        errors,
        uptime_ticks: values.optional_u32(status::UPTIME_TICKS)?,
        display: values.optional_text(status::DISPLAY)?,
    })
}

/// Whether a section of lists says all or what changed.
#[inline(always)]
pub(super) fn section<'a, A: Attributes<'a>>(
    values: &mut A,
    only: Attribute,
    is_delta: bool,
) -> Result<SectionState, A::Fault> {
    match values.optional_text(only)? {
        None => Ok(SectionState::Read),
        Some("changed") if is_delta => Ok(SectionState::Changed),
        Some("changed") => {
            let reason = Reason::NotAllowed("a section of changes without a base");
            Err(values.fault(only, reason))
        }
        Some(_) => Err(values.not(only, "the word changed")),
    }
}

#[inline(always)]
pub(super) fn meter<'a, A: Attributes<'a>>(values: &mut A) -> Result<MeterRow<'a>, A::Fault> {
    Ok(MeterRow {
        work: values.word(meter::WORK, "a kind of work")?,
        colour: values.word(meter::COLOUR, "a colour")?,
        unit: values.word(meter::UNIT, "a unit of meters")?,
        size: values.optional_text(meter::SIZE)?,
        sides: values.optional_word(meter::SIDES, "simplex or duplex")?,
        basis: values.word(meter::BASIS, "a basis (billing or engine)")?,
        oid: values.text(meter::OID, OID_BYTES_MAX)?,
        value: values.u64(meter::VALUE)?,
    })
}

#[inline(always)]
pub(super) fn part<'a, A: Attributes<'a>>(values: &mut A) -> Result<PartRow<'a>, A::Fault> {
    Ok(PartRow {
        oid: values.text(part::OID, OID_BYTES_MAX)?,
        value: values.u64(part::VALUE)?,
    })
}

#[inline(always)]
pub(super) fn supply<'a, A: Attributes<'a>>(values: &mut A) -> Result<SupplyRow<'a>, A::Fault> {
    Ok(SupplyRow {
        index: values.u32(supply::INDEX)?,
        class: values.word(supply::CLASS, "a class of supplies")?,
        kind: values.word(supply::TYPE, "a type of supplies")?,
        colorant: values.optional_word(supply::COLORANT, "a colorant")?,
        description: values.text(supply::DESCRIPTION, TEXT_BYTES_MAX)?,
        part: values.optional_text(supply::PART)?,
        serial: values.optional_text(supply::SERIAL)?,
        unit: values.word(supply::UNIT, "a unit of capacity")?,
        capacity: values.optional_u32(supply::CAPACITY)?,
        resolution: values.optional_u32(supply::RESOLUTION)?,
        level: values.level(supply::LEVEL)?,
    })
}

#[inline(always)]
pub(super) fn tray<'a, A: Attributes<'a>>(values: &mut A) -> Result<TrayRow<'a>, A::Fault> {
    Ok(TrayRow {
        index: values.u32(tray::INDEX)?,
        name: values.text(tray::NAME, TEXT_BYTES_MAX)?,
        kind: values.word(tray::TYPE, "a type of trays")?,
        media: values.optional_text(tray::MEDIA)?,
        unit: values.word(tray::UNIT, "a unit of capacity")?,
        capacity: values.optional_u32(tray::CAPACITY)?,
        status: values.optional_u32(tray::STATUS)?,
        level: values.level(tray::LEVEL)?,
    })
}

#[inline(always)]
pub(super) fn alert<'a, A: Attributes<'a>>(values: &mut A) -> Result<AlertRow<'a>, A::Fault> {
    Ok(AlertRow {
        index: values.u32(alert::INDEX)?,
        severity: values.word(alert::SEVERITY, "a severity")?,
        group: values.text(alert::GROUP, TEXT_BYTES_MAX)?,
        group_index: values.optional_u32(alert::GROUP_INDEX)?,
        code: values.text(alert::CODE, TEXT_BYTES_MAX)?,
        description: values.text(alert::DESCRIPTION, TEXT_BYTES_MAX)?,
        since: values.optional_timestamp(alert::SINCE)?,
    })
}
