//! `GetMeterReadings`: raw readings, pulled with a cursor.
//!
//! A reading is a value that stood for a time (Rule 4): first observed at `observedAt`, last at `confirmedUntil`. Its id, value
//! and `observedAt` never change; `confirmedUntil` grows while the value stands. A page's batch id is made of who asks and of
//! the first and last place in the total order, so that the same page asked for again has the same one.

use std::collections::BTreeMap;

use codec::id::{DeviceId, TenantId};
use codec::model::Basis;
use olap::Reading;
use olap::ask::{Apart, DeviceBrief, ReadingsQuery};
use registry::DeviceNote;

use super::meter_types::meter_name;
use super::{Call, list};
use crate::fault::Fault;
use crate::out::{Out, Plain};
use crate::parameters::Parameters;
use crate::schema::{Column, Kind, Operation, column, record};

/// What selects readings, here and in [`super::billing`].
pub(super) const DEVICE_ID: Column =
    column!("deviceId", Kind::Text, Optional, "Only of this device.");
pub(super) const CUSTOMER_NO: Column = column!(
    "customerNo",
    Kind::Text,
    Optional,
    "Only what is billed to the customers with this number: of devices with this number of their own, and of those without one that stood, when it was read, at a site of theirs."
);
pub(super) const METER_CODE: Column = column!(
    "meterCode",
    Kind::Text,
    Optional,
    "Only of these meters: codes, with commas between them."
);
const BASIS: Column = column!(
    "basis",
    Kind::Text,
    Optional,
    "billing: only the vendor's page counters; engine: only cycles of the print engine; all: both, as when nothing is said."
);

pub(super) const OPERATION: Operation = Operation {
    name: "GetMeterReadings",
    doc: "Raw readings in the order in which the manager came to know them: what arrives late comes late, but comes. \
          Keep nextCursor and continue from it next time: every reading comes once.",
    parameters: &[
        column!(
            "cursor",
            Kind::Text,
            Optional,
            "Continue after this: nextCursor of the answer before. Use it with the same filters."
        ),
        column!(
            "from",
            Kind::Time,
            Optional,
            "Only values that still stood at or after this moment."
        ),
        column!(
            "to",
            Kind::Time,
            Optional,
            "Only values first observed before this moment."
        ),
        DEVICE_ID,
        CUSTOMER_NO,
        METER_CODE,
        BASIS,
        column!(
            "max",
            Kind::Int,
            Optional,
            "How many to give at most; 500 unless said otherwise."
        ),
    ],
    response: &[
        column!(
            "total",
            Kind::Long,
            Always,
            "How many readings the question has in all pages together."
        ),
        column!(
            "more",
            Kind::Flag,
            Always,
            "Whether there is another page now."
        ),
        column!(
            "nextCursor",
            Kind::Text,
            Optional,
            "Where to go on, now or later when there may be new readings."
        ),
        column!(
            "batchId",
            Kind::Text,
            Optional,
            "Names this page; the same page has the same name."
        ),
        column!(
            "readings",
            Kind::List(&READING),
            Always,
            "The readings of this page."
        ),
    ],
    answer,
};

/// What a row is written from.
pub(super) struct Row<'a> {
    reading: &'a Reading,
    batch_id: Option<&'a str>,
    pub brief: &'a DeviceBrief,
    pub note: &'a DeviceNote,
    pub customer_no: Option<&'a str>,
    pub meter_name: &'a str,
}

record! {
    READING, write(row: &Row<'_>), "reading", "The value of a meter.";
    "readingId" Text Always "Names the reading for ever." = Plain(&row.reading.id);
    "batchId" Text Optional "The page it came with." = row.batch_id;
    "deviceId" Text Always "The device." = Plain(row.reading.device);
    "serialNo" Text Optional "The device's serial number." = row.brief.serial.as_deref();
    "manufacturer" Text Optional "Its maker." = row.brief.manufacturer.as_deref();
    "model" Text Optional "Its model." = row.brief.model.as_deref();
    "macAddress" Text Optional "Its hardware address." = row.brief.mac.as_deref();
    "customerNo" Text Optional "The ERP's number of whom it is billed to: the device's own, or else of the customer of the site where it was read." = row.customer_no;
    "contractNo" Text Optional "The contract the device runs under." = row.note.references.contract_no.as_deref();
    "inventoryNo" Text Optional "The provider's number for the device." = row.note.references.inventory_no.as_deref();
    "costCentre" Text Optional "The customer's cost centre." = row.note.references.cost_centre.as_deref();
    "location" Text Optional "The device's location, as it has it." = row.brief.location.as_deref();
    "siteId" Long Always "The number of the site where it was read." = row.reading.site.0;
    "meterCode" Text Always "The meter; see ListMeterTypes." = row.reading.code.as_str();
    "meterName" Text Always "The meter's name for people." = row.meter_name;
    "unit" Text Always "What is counted." = row.reading.unit.word();
    "value" Long Always "The value as the device said it." = row.reading.value;
    "continuousValue" Long Always "The value with resets and offsets applied: it never goes back." = row.reading.continuous;
    "meterPeriod" Int Always "Which period of the meter, from 0: a reset or another board ends one and begins the next." = i64::from(row.reading.meter_epoch);
    "observedAt" Time Always "When the device was first seen to say so." = row.reading.observed_at;
    "confirmedUntil" Time Always "When it was last seen to say so." = row.reading.confirmed_until;
    "agentAt" Time Always "When the agent sent it." = row.reading.agent_at;
    "receivedAt" Time Always "When the manager received it." = row.reading.received_at;
    "readReason" Text Always "Why it was read: scheduled, triggered, requested or entered." = row.reading.reason.word();
    "quality" Text Always "How far it can be trusted: ok, manual, resetSuspected or conflict; of billing readings also stale and interpolated." = row.reading.quality.word();
    "sourceKind" Text Always "What it was read by: snmp, usb, cloud, mail or manual." = row.reading.source.word();
    "basis" Text Always "What it may be used for: billing or engine." = row.reading.basis.word();
    "clockCorrected" Flag Always "Whether observedAt was corrected for the agent's clock." = row.reading.clock_corrected;
    "oid" Text Always "Where in the device it was read; of a computed meter, its first part." = row.reading.oid.as_str();
    "profileVersion" Text Optional "The profile that read it, with its version." = row.reading.profile.as_deref();
}

fn answer(call: &Call<'_>, out: &mut Out) -> Result<(), Fault> {
    let select = Selection::of(call, None)?;
    let query = ReadingsQuery {
        device: select.device,
        sites: select.sites,
        apart: select.apart,
        from: call.parameters.time("from")?,
        to: call.parameters.time("to")?,
        codes: select.codes,
        basis: select.basis,
        cursor: call.parameters.cursor()?,
        limit: call.parameters.page_items()?,
    };
    let page = call
        .store()
        .readings(&call.scope, &query)
        .map_err(|error| Fault::of_store(&error))?;
    let batch_id = match (page.items.first(), page.items.last()) {
        (Some(first), Some(last)) => Some(format!(
            "b{}-{:x}-{:x}",
            call.account.id.0, first.place, last.place
        )),
        _ => None,
    };
    out.field("total", page.total);
    out.field("more", page.next.is_some());
    out.field("nextCursor", page.next.or(page.resume).map(Plain));
    out.field("batchId", batch_id.as_deref());
    let context = Context::of(call, &page.devices, page.items.iter())?;
    list(out, "readings", &page.items, |reading, out| {
        let meter_name = name_of(reading);
        write(&context.row(reading, batch_id.as_deref(), &meter_name), out);
    });
    Ok(())
}

/// Which readings were asked for.
pub(super) struct Selection {
    pub device: Option<DeviceId>,
    pub sites: Option<std::collections::BTreeSet<TenantId>>,
    /// Devices that are billed to somebody else than their site's customer.
    pub apart: Apart,
    pub codes: Vec<String>,
    pub basis: Option<Basis>,
}

impl Selection {
    /// The selection; `basis` is what nothing said means.
    pub(super) fn of(call: &Call<'_>, basis: Option<Basis>) -> Result<Self, Fault> {
        let parameters: &Parameters = &call.parameters;
        let device = parameters.parsed("deviceId", "the deviceId of a device", |text| {
            text.parse().ok()
        })?;
        let codes = parameters
            .text("meterCode")
            .unwrap_or_default()
            .split(',')
            .map(str::trim)
            .filter(|code| !code.is_empty())
            .map(str::to_owned)
            .collect();
        let said = parameters.parsed("basis", "billing, engine or all", |text| match text {
            "all" => Some(None),
            word => Basis::from_word(word).map(Some),
        })?;
        // A device's own number goes before its site's customer's, as in the rows.
        let (sites, apart) = match parameters.text("customerNo") {
            Some(number) => {
                let registry = call.registry();
                let failed = |error| Fault::internal(&error);
                let sites = registry.sites_of_customer_no(&call.scope, number);
                let (also, except) = registry.devices_of_customer_no(number).map_err(failed)?;
                (Some(sites.map_err(failed)?), Apart { also, except })
            }
            None => (None, Apart::default()),
        };
        Ok(Self {
            device,
            sites,
            apart,
            codes,
            basis: said.unwrap_or(basis),
        })
    }
}

/// What the rows of a page need besides the readings, looked up once for each device and site.
pub(super) struct Context<'a> {
    briefs: &'a BTreeMap<DeviceId, DeviceBrief>,
    unknown: DeviceBrief,
    notes: BTreeMap<DeviceId, DeviceNote>,
    customer_numbers: BTreeMap<TenantId, Option<String>>,
}

impl<'a> Context<'a> {
    pub(super) fn of<'r>(
        call: &Call<'_>,
        briefs: &'a BTreeMap<DeviceId, DeviceBrief>,
        readings: impl Iterator<Item = &'r Reading>,
    ) -> Result<Self, Fault> {
        let mut customer_numbers = BTreeMap::new();
        let mut devices = std::collections::BTreeSet::new();
        for reading in readings {
            devices.insert(reading.device);
            // A site that the registry no longer has is no reason to withhold the reading.
            customer_numbers.entry(reading.site).or_insert_with(|| {
                call.registry()
                    .site_path(reading.site)
                    .ok()?
                    .customer
                    .number
            });
        }
        let devices: Vec<DeviceId> = devices.into_iter().collect();
        let notes = call
            .registry()
            .device_notes(&devices)
            .map_err(|error| Fault::of_registry(&error))?;
        Ok(Self {
            briefs,
            unknown: DeviceBrief::default(),
            notes: devices.into_iter().zip(notes).collect(),
            customer_numbers,
        })
    }

    pub(super) fn row<'r>(
        &'r self,
        reading: &'r Reading,
        batch_id: Option<&'r str>,
        meter_name: &'r str,
    ) -> Row<'r> {
        let note = &self.notes[&reading.device];
        let by_site = self.customer_numbers[&reading.site].as_deref();
        Row {
            reading,
            batch_id,
            brief: self.briefs.get(&reading.device).unwrap_or(&self.unknown),
            note,
            customer_no: note.references.customer_no.as_deref().or(by_site),
            meter_name,
        }
    }
}

/// What a reading's meter is called.
pub(super) fn name_of(reading: &Reading) -> String {
    meter_name(
        reading.work,
        reading.colour,
        reading.unit,
        reading.size.as_deref(),
        reading.sides,
        reading.basis,
    )
}
