//! `GetServiceInfo`: what this service is, and who asks. The first call of a new connector.

use registry::Branch;

use super::Call;
use crate::fault::Fault;
use crate::out::Out;
use crate::parameters::PAGE_ITEMS_MAX;
use crate::schema::{API_VERSION, Kind, Operation, column};

pub(super) const OPERATION: Operation = Operation {
    name: "GetServiceInfo",
    doc: "What this service is and who asks: a first call to try address and login with.",
    parameters: &[],
    response: &[
        column!("serviceName", Kind::Text, Always, "Platen"),
        column!(
            "apiVersion",
            Kind::Text,
            Always,
            "The version of this interface, as in its path."
        ),
        column!(
            "productVersion",
            Kind::Text,
            Always,
            "The version of the program."
        ),
        column!("serverTime", Kind::Time, Always, "The manager's time."),
        column!("login", Kind::Text, Always, "Who asks."),
        column!(
            "branchName",
            Kind::Text,
            Optional,
            "The dealer, customer or site that the login may see; without it, everything."
        ),
        column!(
            "pageItemsMax",
            Kind::Int,
            Always,
            "The most items that one answer holds, whatever max says."
        ),
    ],
    answer,
};

fn answer(call: &Call<'_>, out: &mut Out) -> Result<(), Fault> {
    let branch = match call.account.branch {
        Branch::House => None,
        Branch::Tenant(id) => {
            let tenant = call.registry().tenant(&codec::id::Scope::Everything, id);
            Some(tenant.map_err(|error| Fault::internal(&error))?.name)
        }
    };
    out.field("serviceName", "Platen");
    out.field("apiVersion", API_VERSION);
    out.field("productVersion", env!("CARGO_PKG_VERSION"));
    out.field("serverTime", call.now);
    out.field("login", call.account.login.as_str());
    out.field("branchName", branch.as_deref());
    out.field("pageItemsMax", i64::from(PAGE_ITEMS_MAX));
    Ok(())
}
