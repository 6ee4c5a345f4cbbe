//! Rows come in: each is put at the end of its list, and its text at the end of the buffer.

use codec::sink::{
    AlertRow, DeviceRow, HeaderRow, IdentityRow, MeterRow, PartRow, RowSink, SectionKind,
    SectionState, StatusRow, SupplyRow, TrayRow,
};

use super::{Alert, Columns, Device, Header, IDENTITY_TEXTS, Meter, Status, Supply, Text, Tray};

impl RowSink for Columns {
    fn header(&mut self, header: &HeaderRow<'_>) {
        self.clear();
        self.header = Some(Header {
            agent: self.put(header.agent),
            epoch: header.epoch,
            stream: header.stream,
            sequence: header.sequence,
            sealed_at: header.sealed_at,
            sealed_uptime_ms: header.sealed_uptime_ms,
            program: self.put(header.program),
        });
    }

    fn device(&mut self, device: &DeviceRow<'_>) {
        let handle = self.put(device.handle);
        self.devices.push(Device {
            handle,
            base: device.base,
            observed_at: device.observed_at,
            observed_uptime_ms: device.observed_uptime_ms,
            source: device.source,
            meter_set: device.meter_set,
            identity: [Text(None); IDENTITY_TEXTS],
            sections: [None; SectionKind::ALL.len()],
            status: None,
            meters_end: self.meters.len(),
            supplies_end: self.supplies.len(),
            trays_end: self.trays.len(),
            alerts_end: self.alerts.len(),
        });
    }

    fn identity(&mut self, identity: &IdentityRow<'_>) {
        let words = identity.texts().map(|word| self.put_opt(word));
        self.device_mut().identity = words;
    }

    fn section(&mut self, kind: SectionKind, state: SectionState) {
        self.device_mut().sections[kind as usize] = Some(state);
    }

    fn status(&mut self, status: &StatusRow<'_>) {
        let display = self.put_opt(status.display);
        self.device_mut().status = Some(Status {
            device: status.device,
            printer: status.printer,
            errors: status.errors,
            uptime_ticks: status.uptime_ticks,
            display,
        });
    }

    fn meter(&mut self, meter: &MeterRow<'_>) {
        let size = self.put_opt(meter.size);
        let oid = self.put(meter.oid);
        self.meters.push(Meter {
            work: meter.work,
            colour: meter.colour,
            unit: meter.unit,
            size,
            sides: meter.sides,
            basis: meter.basis,
            oid,
            value: meter.value,
            parts_end: self.parts.len(),
        });
        self.device_mut().meters_end += 1;
    }

    fn part(&mut self, part: &PartRow<'_>) {
        let oid = self.put(part.oid);
        self.parts.push((oid, part.value));
        let meter = self.meters.last_mut();
        meter.expect("parts come after their meter").parts_end += 1;
    }

    fn supply(&mut self, supply: &SupplyRow<'_>) {
        let description = self.put(supply.description);
        let part = self.put_opt(supply.part);
        let serial = self.put_opt(supply.serial);
        self.supplies.push(Supply {
            index: supply.index,
            class: supply.class,
            kind: supply.kind,
            colorant: supply.colorant,
            description,
            part,
            serial,
            unit: supply.unit,
            capacity: supply.capacity,
            resolution: supply.resolution,
            level: supply.level,
        });
        self.device_mut().supplies_end += 1;
    }

    fn tray(&mut self, tray: &TrayRow<'_>) {
        let name = self.put(tray.name);
        let media = self.put_opt(tray.media);
        self.trays.push(Tray {
            index: tray.index,
            name,
            kind: tray.kind,
            media,
            unit: tray.unit,
            capacity: tray.capacity,
            status: tray.status,
            level: tray.level,
        });
        self.device_mut().trays_end += 1;
    }

    fn alert(&mut self, alert: &AlertRow<'_>) {
        let group = self.put(alert.group);
        let code = self.put(alert.code);
        let description = self.put(alert.description);
        self.alerts.push(Alert {
            index: alert.index,
            severity: alert.severity,
            group,
            group_index: alert.group_index,
            code,
            description,
            since: alert.since,
        });
        self.device_mut().alerts_end += 1;
    }
}
