//! The operations: one file each, and the list of all that the WSDL shows and a request is dispatched by.

mod agents;
mod billing;
mod customers;
mod devices;
mod info;
mod meter_types;
mod readings;
mod references;

use olap::Store;
use registry::{Account, Registry};

use crate::fault::{Code, Fault};
use crate::out::Out;
use crate::parameters::Parameters;
use crate::schema::{NAMESPACE, Operation};
use crate::xml::Element;
use crate::{Service, SoapRequest};

/// Every operation, in the order of the WSDL.
pub(crate) const OPERATIONS: &[Operation] = &[
    info::OPERATION,
    customers::OPERATION,
    agents::OPERATION,
    devices::OPERATION,
    meter_types::OPERATION,
    readings::OPERATION,
    billing::OPERATION,
    references::OPERATION,
];

/// What an operation works with.
pub(crate) struct Call<'a> {
    pub service: &'a Service,
    pub account: &'a Account,
    /// What the account may see.
    pub scope: codec::id::Scope,
    pub parameters: Parameters,
    pub now: codec::time::Timestamp,
}

/// The operation that an element asks for.
pub(crate) fn find(element: &Element) -> Result<&'static Operation, Fault> {
    let operation = OPERATIONS
        .iter()
        .find(|operation| operation.name == element.name);
    let is_ours = element.namespace == NAMESPACE || element.namespace.is_empty();
    match operation {
        Some(operation) if is_ours => Ok(operation),
        Some(_) => Err(Fault::new(
            Code::UnknownOperation,
            format!(
                "{} must be of the namespace {NAMESPACE:?}, not {:?}",
                element.name, element.namespace
            ),
        )),
        None => {
            let known: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
            Err(Fault::new(
                Code::UnknownOperation,
                format!(
                    "there is no operation {:?}; known are: {}",
                    element.name,
                    known.join(", ")
                ),
            ))
        }
    }
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        service: &'a Service,
        request: &SoapRequest<'_>,
        account: &'a Account,
        operation: &'static Operation,
        element: Element,
    ) -> Result<Self, Fault> {
        Ok(Self {
            service,
            account,
            scope: service.inner.registry.scope_of(account.branch),
            parameters: Parameters::of(operation, element)?,
            now: request.now,
        })
    }

    pub(crate) fn registry(&self) -> &'a Registry {
        &self.service.inner.registry
    }

    pub(crate) fn store(&self) -> &'a dyn Store {
        self.service.inner.store.as_ref()
    }
}

/// Writes the response's element.
pub(crate) fn answer(call: &Call<'_>, operation: &Operation, out: &mut Out) -> Result<(), Fault> {
    let name = operation.name;
    out.raw(&format!("<{name}Response xmlns=\"{NAMESPACE}\">"));
    (operation.answer)(call, out)?;
    out.raw(&format!("</{name}Response>"));
    Ok(())
}

/// Writes a list with its count.
fn list<T>(out: &mut Out, name: &str, rows: &[T], mut write: impl FnMut(&T, &mut Out)) {
    out.element(name, |out| {
        out.field("count", rows.len());
        for row in rows {
            write(row, out);
        }
    });
}
