//! `ListDevices`: the fleet with what the ERP and the registry call each device.

use codec::id::DeviceId;
use olap::ask::{DevicesQuery, FleetItem, FleetRules};
use registry::{DeviceNote, SitePath};

use super::{Call, list};
use crate::fault::Fault;
use crate::out::{Out, Plain};
use crate::schema::{Kind, Operation, column, record};

pub(super) const OPERATION: Operation = Operation {
    name: "ListDevices",
    doc: "Devices in the order in which they became known.",
    parameters: &[
        column!(
            "changedSince",
            Kind::Time,
            Optional,
            "Only devices whose identity, site or agent changed at or after this moment. What a person wrote at a device (contractNo and the like) does not count."
        ),
        column!(
            "cursor",
            Kind::Text,
            Optional,
            "Continue after this: nextCursor of the answer before."
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
            "total",
            Kind::Long,
            Always,
            "How many devices there are in all pages together."
        ),
        column!("more", Kind::Flag, Always, "Whether there is another page."),
        column!(
            "nextCursor",
            Kind::Text,
            Optional,
            "Where the next page begins."
        ),
        column!(
            "devices",
            Kind::List(&DEVICE),
            Always,
            "The devices of this page."
        ),
    ],
    answer,
};

/// What a row is written from.
struct Row<'a> {
    item: &'a FleetItem,
    path: Option<SitePath>,
    note: &'a DeviceNote,
    customer_no: Option<&'a str>,
}

record! {
    DEVICE, write(row: &Row<'_>), "device", "A device and where it stands.";
    "deviceId" Text Always "Names the device for ever." = Plain(row.item.device);
    "serialNo" Text Optional "Serial number." = row.item.identity.serial.as_deref();
    "manufacturer" Text Optional "Maker." = row.item.identity.manufacturer.as_deref();
    "model" Text Optional "Model." = row.item.identity.model.as_deref();
    "macAddress" Text Optional "Hardware address, as 00:11:22:33:44:55." = row.item.identity.mac.as_deref();
    "ipAddress" Text Optional "The address it answered from last." = row.item.identity.address.as_deref();
    "hostName" Text Optional "What it calls itself, or what reverse DNS calls it." =
        row.item.identity.hostname.as_deref().or(row.item.identity.dns_name.as_deref());
    "location" Text Optional "Its location, as the device has it." = row.item.identity.location.as_deref();
    "assetNo" Text Optional "Its asset number, as the device has it." = row.item.identity.asset.as_deref();
    "firmware" Text Optional "Version of its firmware." = row.item.identity.firmware.as_deref();
    "customerNo" Text Optional "The ERP's number of whom it is billed to: the device's own, or else its site's customer's." = row.customer_no;
    "contractNo" Text Optional "The contract it runs under." = row.note.references.contract_no.as_deref();
    "inventoryNo" Text Optional "The provider's number for it." = row.note.references.inventory_no.as_deref();
    "costCentre" Text Optional "The customer's cost centre." = row.note.references.cost_centre.as_deref();
    "reference1" Text Optional "Free for the ERP." = row.note.references.reference1.as_deref();
    "reference2" Text Optional "Free for the ERP." = row.note.references.reference2.as_deref();
    "reference3" Text Optional "Free for the ERP." = row.note.references.reference3.as_deref();
    "dealerName" Text Optional "The dealer." = row.path.as_ref().map(|path| path.dealer.name.as_str());
    "customerName" Text Optional "The customer." = row.path.as_ref().map(|path| path.customer.name.as_str());
    "siteId" Long Always "The number of the site where it stands." = row.item.site.0;
    "siteName" Text Optional "The site where it stands." = row.path.as_ref().map(|path| path.site.name.as_str());
    "siteTimeZone" Text Optional "The site's time zone, by its IANA name: its month ends there." =
        row.path.as_ref().and_then(|path| path.site.time_zone.as_deref());
    "agentId" Text Always "The agent that reads it." = row.item.agent.as_str();
    "silent" Flag Always "Whether nothing was heard of it for more than a day." = row.item.silent;
    "lastSeenAt" Time Optional "When it answered last." = row.item.observed_at;
    "firstSeenAt" Time Always "When it was first heard of." = row.item.first_seen_at;
    "changedAt" Time Always "When its identity, site or agent changed last." = row.item.changed_at;
}

fn answer(call: &Call<'_>, out: &mut Out) -> Result<(), Fault> {
    let query = DevicesQuery {
        changed_since: call.parameters.time("changedSince")?,
        sites: None,
        cursor: call.parameters.cursor()?,
        limit: call.parameters.page_items()?,
        rules: FleetRules::at(call.now),
    };
    let page = call
        .store()
        .devices(&call.scope, &query)
        .map_err(|error| Fault::of_store(&error))?;
    let ids: Vec<DeviceId> = page.items.iter().map(|item| item.device).collect();
    let notes = call
        .registry()
        .device_notes(&ids)
        .map_err(|error| Fault::of_registry(&error))?;
    out.field("total", page.total);
    out.field("more", page.next.is_some());
    out.field("nextCursor", page.next.map(Plain));
    let rows: Vec<(&FleetItem, &DeviceNote)> = page.items.iter().zip(&notes).collect();
    list(out, "devices", &rows, |(item, note), out| {
        // A site that the registry no longer has is no reason to withhold the device.
        let path = call.registry().site_path(item.site).ok();
        let by_site = path.as_ref().and_then(|path| path.customer.number.clone());
        let customer_no = note
            .references
            .customer_no
            .as_deref()
            .or(by_site.as_deref());
        write(
            &Row {
                item,
                path: path.clone(),
                note,
                customer_no,
            },
            out,
        );
    });
    Ok(())
}
