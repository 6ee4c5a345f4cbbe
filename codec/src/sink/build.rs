//! The sink that builds the owned [`Report`], for tools, tests and whatever is not hot.

use super::{
    AlertRow, DeviceRow, HeaderRow, IdentityRow, MeterRow, PartRow, RowSink, SectionKind,
    SectionState, StatusRow, SupplyRow, TrayRow,
};
use crate::id::AgentId;
use crate::model::{
    Alert, DeviceReport, Header, Meter, MeterPart, Report, Section, Status, Supply, Tray,
};

/// Builds a [`Report`] from rows.
#[derive(Debug, Default)]
pub struct ReportBuilder {
    header: Option<Header>,
    devices: Vec<DeviceReport>,
}

impl ReportBuilder {
    /// A builder without rows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The report, if a header came.
    #[must_use]
    pub fn finish(self) -> Option<Report> {
        Some(Report {
            header: self.header?,
            devices: self.devices,
        })
    }

    fn device_mut(&mut self) -> &mut DeviceReport {
        self.devices
            .last_mut()
            .expect("rows come after their device")
    }
}

impl<T> Section<Vec<T>> {
    /// Adds a row to a section that takes rows.
    fn push(&mut self, row: T) {
        match self {
            Self::Read(rows) | Self::Changed(rows) => rows.push(row),
            Self::NotRead | Self::Unchanged => unreachable!("rows come after their section"),
        }
    }
}

fn begun<T: Default>(state: SectionState) -> Section<T> {
    match state {
        SectionState::Unchanged => Section::Unchanged,
        SectionState::Changed => Section::Changed(T::default()),
        SectionState::Read => Section::Read(T::default()),
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

impl RowSink for ReportBuilder {
    fn header(&mut self, header: &HeaderRow<'_>) {
        self.devices.clear();
        self.header = Some(Header {
            agent: AgentId::new(header.agent).expect("the reader checked the agent's id"),
            epoch: header.epoch,
            stream: header.stream,
            sequence: header.sequence,
            sealed_at: header.sealed_at,
            sealed_uptime_ms: header.sealed_uptime_ms,
            program: header.program.to_owned(),
        });
    }

    fn device(&mut self, device: &DeviceRow<'_>) {
        self.devices.push(DeviceReport {
            observed_at: device.observed_at,
            observed_uptime_ms: device.observed_uptime_ms,
            source: device.source,
            handle: device.handle.to_owned(),
            base: device.base,
            meter_set: device.meter_set,
            ..DeviceReport::default()
        });
    }

    fn identity(&mut self, identity: &IdentityRow<'_>) {
        self.device_mut().identity = identity.into();
    }

    fn section(&mut self, kind: SectionKind, state: SectionState) {
        let device = self.device_mut();
        match kind {
            SectionKind::Status => device.status = begun(state),
            SectionKind::Meters => device.meters = begun(state),
            SectionKind::Supplies => device.supplies = begun(state),
            SectionKind::Trays => device.trays = begun(state),
            SectionKind::Alerts => device.alerts = begun(state),
        }
    }

    fn status(&mut self, status: &StatusRow<'_>) {
        self.device_mut().status = Section::Read(Status {
            device: status.device,
            printer: status.printer,
            errors: status.errors.iter().collect(),
            uptime_ticks: status.uptime_ticks,
            display: owned(status.display),
        });
    }

    fn meter(&mut self, meter: &MeterRow<'_>) {
        self.device_mut().meters.push(Meter {
            work: meter.work,
            colour: meter.colour,
            unit: meter.unit,
            size: owned(meter.size),
            sides: meter.sides,
            value: meter.value,
            basis: meter.basis,
            oid: meter.oid.to_owned(),
            parts: Vec::new(),
        });
    }

    fn part(&mut self, part: &PartRow<'_>) {
        if let Section::Read(meters) | Section::Changed(meters) = &mut self.device_mut().meters {
            let meter = meters.last_mut().expect("parts come after their meter");
            meter.parts.push(MeterPart {
                oid: part.oid.to_owned(),
                value: part.value,
            });
        }
    }

    fn supply(&mut self, supply: &SupplyRow<'_>) {
        self.device_mut().supplies.push(Supply {
            index: supply.index,
            class: supply.class,
            kind: supply.kind,
            colorant: supply.colorant,
            description: supply.description.to_owned(),
            part: owned(supply.part),
            serial: owned(supply.serial),
            unit: supply.unit,
            capacity: supply.capacity,
            level: supply.level,
            resolution: supply.resolution,
        });
    }

    fn tray(&mut self, tray: &TrayRow<'_>) {
        self.device_mut().trays.push(Tray {
            index: tray.index,
            name: tray.name.to_owned(),
            kind: tray.kind,
            media: owned(tray.media),
            unit: tray.unit,
            capacity: tray.capacity,
            level: tray.level,
            status: tray.status,
        });
    }

    fn alert(&mut self, alert: &AlertRow<'_>) {
        self.device_mut().alerts.push(Alert {
            index: alert.index,
            severity: alert.severity,
            group: alert.group.to_owned(),
            group_index: alert.group_index,
            code: alert.code.to_owned(),
            description: alert.description.to_owned(),
            since: alert.since,
        });
    }
}
