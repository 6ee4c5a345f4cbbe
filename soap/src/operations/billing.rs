//! `GetBillingReadings`: one reading per device and meter, the nearest to and not after a cutoff.

use codec::model::Basis;
use codec::time::Timestamp;
use olap::ask::{BillingQuery, BillingReading};

use super::readings::{CUSTOMER_NO, Context, DEVICE_ID, METER_CODE, Row, Selection, name_of};
use super::{Call, list};
use crate::fault::Fault;
use crate::out::{Out, Plain};
use crate::schema::{Kind, Operation, column, record};

/// The age at which a value is stale when nobody said: a device that answers daily is never stale.
const AGE_HOURS_DEFAULT: i64 = 72;
/// The longest age that can be asked for: ten years.
const AGE_HOURS_MAX: i64 = 87_600;

pub(super) const OPERATION: Operation = Operation {
    name: "GetBillingReadings",
    doc: "One reading per device and meter: the nearest to and not after the cutoff. A value that was not read within maxAgeHours before the \
          cutoff is given with the quality stale: never bill it unseen.",
    parameters: &[
        column!(
            "cutoff",
            Kind::Time,
            Always,
            "The end of the period, such as the first moment of the next month at the site. Not in the future."
        ),
        column!(
            "maxAgeHours",
            Kind::Int,
            Optional,
            "How old a value may be at the cutoff before it is stale; 72 unless said otherwise."
        ),
        DEVICE_ID,
        CUSTOMER_NO,
        METER_CODE,
        column!(
            "basis",
            Kind::Text,
            Optional,
            "billing, as when nothing is said: only the vendor's page counters; engine: only cycles of the print engine; all: both."
        ),
        column!(
            "cursor",
            Kind::Text,
            Optional,
            "Continue after this: nextCursor of the answer before. Use it with the same cutoff and filters."
        ),
        column!(
            "max",
            Kind::Int,
            Optional,
            "How many to give at most; 500 unless said otherwise."
        ),
    ],
    response: &[
        column!(
            "cutoff",
            Kind::Time,
            Always,
            "The cutoff that was asked for."
        ),
        column!(
            "total",
            Kind::Long,
            Always,
            "How many readings the question has in all pages together."
        ),
        column!("more", Kind::Flag, Always, "Whether there is another page."),
        column!(
            "nextCursor",
            Kind::Text,
            Optional,
            "Where the next page begins."
        ),
        column!(
            "billingReadings",
            Kind::List(&BILLING_READING),
            Always,
            "The readings of this page."
        ),
    ],
    answer,
};

/// What a row is written from.
struct BillingRow<'a> {
    row: Row<'a>,
    billing: &'a BillingReading,
    cutoff: Timestamp,
}

record! {
    BILLING_READING, write(it: &BillingRow<'_>), "billingReading", "The value of a meter at the cutoff.";
    "readingId" Text Always "Names the reading for ever." = Plain(&it.billing.reading.id);
    "deviceId" Text Always "The device." = Plain(it.billing.reading.device);
    "serialNo" Text Optional "The device's serial number." = it.row.brief.serial.as_deref();
    "manufacturer" Text Optional "Its maker." = it.row.brief.manufacturer.as_deref();
    "model" Text Optional "Its model." = it.row.brief.model.as_deref();
    "macAddress" Text Optional "Its hardware address." = it.row.brief.mac.as_deref();
    "customerNo" Text Optional "The ERP's number of whom it is billed to." = it.row.customer_no;
    "contractNo" Text Optional "The contract the device runs under." = it.row.note.references.contract_no.as_deref();
    "inventoryNo" Text Optional "The provider's number for the device." = it.row.note.references.inventory_no.as_deref();
    "costCentre" Text Optional "The customer's cost centre." = it.row.note.references.cost_centre.as_deref();
    "location" Text Optional "The device's location, as it has it." = it.row.brief.location.as_deref();
    "siteId" Long Always "The number of the site where it was read." = it.billing.reading.site.0;
    "meterCode" Text Always "The meter; see ListMeterTypes." = it.billing.reading.code.as_str();
    "meterName" Text Always "The meter's name for people." = it.row.meter_name;
    "unit" Text Always "What is counted." = it.billing.reading.unit.word();
    "value" Long Always "The value as the device said it." = it.billing.reading.value;
    "continuousValue" Long Always "The value with resets and offsets applied: subtract the period before's from it." = it.billing.reading.continuous;
    "meterPeriod" Int Always "Which period of the meter, from 0; another than in the period before: look before you bill." = i64::from(it.billing.reading.meter_epoch);
    "observedAt" Time Always "When the device was first seen to say so." = it.billing.reading.observed_at;
    "readAt" Time Always "When it was last read, not after the cutoff." = it.billing.read_at;
    "ageHours" Long Always "How long before the cutoff that was, in whole hours." = it.cutoff.ms_since(it.billing.read_at) / 3_600_000;
    "receivedAt" Time Always "When the manager received it." = it.billing.reading.received_at;
    "quality" Text Always "How far it can be trusted: ok, stale, interpolated, manual, resetSuspected or conflict." = it.billing.billing_quality.word();
    "sourceKind" Text Always "What it was read by: snmp, usb, cloud, mail or manual." = it.billing.reading.source.word();
    "basis" Text Always "What it may be used for: billing or engine." = it.billing.reading.basis.word();
    "profileVersion" Text Optional "The profile that read it, with its version." = it.billing.reading.profile.as_deref();
}

fn answer(call: &Call<'_>, out: &mut Out) -> Result<(), Fault> {
    let cutoff = call
        .parameters
        .time("cutoff")?
        .ok_or_else(|| call.parameters.invalid("cutoff is missing"))?;
    if cutoff > call.now {
        return Err(call
            .parameters
            .invalid("cutoff is in the future: its readings are not known yet"));
    }
    let age_hours =
        call.parameters
            .parsed("maxAgeHours", "a whole number of hours from 1", |text| {
                text.parse::<i64>()
                    .ok()
                    .filter(|hours| (1..=AGE_HOURS_MAX).contains(hours))
            })?;
    let select = Selection::of(call, Some(Basis::Billing))?;
    let query = BillingQuery {
        cutoff,
        age_ms_max: age_hours.unwrap_or(AGE_HOURS_DEFAULT) * 3_600_000,
        device: select.device,
        sites: select.sites,
        apart: select.apart,
        codes: select.codes,
        basis: select.basis,
        cursor: call.parameters.cursor()?,
        limit: call.parameters.page_items()?,
    };
    let page = call
        .store()
        .billing(&call.scope, &query)
        .map_err(|error| Fault::of_store(&error))?;
    out.field("cutoff", cutoff);
    out.field("total", page.total);
    out.field("more", page.next.is_some());
    out.field("nextCursor", page.next.map(Plain));
    let context = Context::of(
        call,
        &page.devices,
        page.items.iter().map(|billing| &billing.reading),
    )?;
    list(out, "billingReadings", &page.items, |billing, out| {
        let meter_name = name_of(&billing.reading);
        let row = context.row(&billing.reading, None, &meter_name);
        write(
            &BillingRow {
                row,
                billing,
                cutoff,
            },
            out,
        );
    });
    Ok(())
}
