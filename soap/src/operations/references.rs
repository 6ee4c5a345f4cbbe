//! `SetDeviceReferences`: the ERP writes its numbers at a device, and finds them at every reading of it.

use codec::id::DeviceId;
use registry::{Entry, References};

use super::Call;
use crate::fault::{Code, Fault};
use crate::out::{Out, Plain};
use crate::schema::{Kind, Operation, column};

pub(super) const OPERATION: Operation = Operation {
    name: "SetDeviceReferences",
    doc: "Writes the ERP's numbers at a device. What is left out stays; an empty element takes away. The same call again changes nothing.",
    parameters: &[
        column!("deviceId", Kind::Text, Always, "The device."),
        column!(
            "contractNo",
            Kind::Text,
            Optional,
            "The contract it runs under."
        ),
        column!(
            "customerNo",
            Kind::Text,
            Optional,
            "Whom it is billed to, where that is not its site's customer."
        ),
        column!(
            "inventoryNo",
            Kind::Text,
            Optional,
            "The provider's number for it."
        ),
        column!(
            "costCentre",
            Kind::Text,
            Optional,
            "The customer's cost centre."
        ),
        column!("reference1", Kind::Text, Optional, "Free for the ERP."),
        column!("reference2", Kind::Text, Optional, "Free for the ERP."),
        column!("reference3", Kind::Text, Optional, "Free for the ERP."),
    ],
    response: &[
        column!("deviceId", Kind::Text, Always, "The device."),
        column!("contractNo", Kind::Text, Optional, "As it is now."),
        column!("customerNo", Kind::Text, Optional, "As it is now."),
        column!("inventoryNo", Kind::Text, Optional, "As it is now."),
        column!("costCentre", Kind::Text, Optional, "As it is now."),
        column!("reference1", Kind::Text, Optional, "As it is now."),
        column!("reference2", Kind::Text, Optional, "As it is now."),
        column!("reference3", Kind::Text, Optional, "As it is now."),
    ],
    answer,
};

/// The references and their elements.
fn fields(references: &mut References) -> [(&'static str, &mut Option<String>); 7] {
    [
        ("contractNo", &mut references.contract_no),
        ("customerNo", &mut references.customer_no),
        ("inventoryNo", &mut references.inventory_no),
        ("costCentre", &mut references.cost_centre),
        ("reference1", &mut references.reference1),
        ("reference2", &mut references.reference2),
        ("reference3", &mut references.reference3),
    ]
}

fn answer(call: &Call<'_>, out: &mut Out) -> Result<(), Fault> {
    if !call.account.role.writes_references() {
        return Err(Fault::new(
            Code::NotAllowed,
            format!(
                "{} may look at devices but not change them",
                call.account.login
            ),
        ));
    }
    let parameters = &call.parameters;
    let device: DeviceId = parameters
        .parsed("deviceId", "the deviceId of a device", |text| {
            text.parse().ok()
        })?
        .ok_or_else(|| parameters.invalid("deviceId is missing"))?;
    let registry = call.registry();
    let failed = |error: registry::Error| Fault::of_registry(&error);
    let mut references = registry
        .device(&call.scope, device)
        .map_err(failed)?
        .note
        .references;
    let mut said = Vec::new();
    for (name, field) in fields(&mut references) {
        match parameters.text(name) {
            Some(text) => *field = Some(text.to_owned()),
            None if parameters.is_emptied(name) => *field = None,
            None => continue,
        }
        said.push(format!("{name}={}", field.as_deref().unwrap_or_default()));
    }
    registry
        .set_device_references(&call.scope, device, &references, call.now)
        .map_err(failed)?;
    let entry = Entry {
        who: &call.account.login,
        action: "device.references",
        subject: &device.to_string(),
        detail: &said.join(" "),
    };
    registry.note(&entry, call.now).map_err(failed)?;
    out.field("deviceId", Plain(device));
    for (name, field) in fields(&mut references) {
        out.field(name, field.as_deref());
    }
    Ok(())
}
