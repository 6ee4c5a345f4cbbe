//! `ListCustomers`: sites with their customers and dealers, for mapping them to the ERP's.

use registry::{Level, SitePath};

use super::{Call, list};
use crate::fault::Fault;
use crate::out::Out;
use crate::schema::{Kind, Operation, column, record};

pub(super) const OPERATION: Operation = Operation {
    name: "ListCustomers",
    doc: "All sites with their customers and dealers.",
    parameters: &[],
    response: &[column!(
        "sites",
        Kind::List(&SITE),
        Always,
        "The sites, by their customers' names."
    )],
    answer,
};

record! {
    SITE, write(path: &SitePath), "site", "A site, its customer and its dealer.";
    "dealerId" Long Always "The dealer's number." = path.dealer.id.0;
    "dealerName" Text Always "The dealer." = path.dealer.name.as_str();
    "customerId" Long Always "The customer's number in Platen." = path.customer.id.0;
    "customerNo" Text Optional "The ERP's number of the customer." = path.customer.number.as_deref();
    "customerName" Text Always "The customer." = path.customer.name.as_str();
    "siteId" Long Always "The site's number in Platen." = path.site.id.0;
    "siteNo" Text Optional "The ERP's number of the site." = path.site.number.as_deref();
    "siteName" Text Always "The site." = path.site.name.as_str();
    "siteTimeZone" Text Optional "The site's time zone, by its IANA name: its month ends there." = path.site.time_zone.as_deref();
}

fn answer(call: &Call<'_>, out: &mut Out) -> Result<(), Fault> {
    let internal = |error: registry::Error| Fault::internal(&error);
    let tenants = call.registry().tenants(&call.scope).map_err(internal)?;
    let mut sites = Vec::new();
    for tenant in tenants.iter().filter(|tenant| tenant.level == Level::Site) {
        sites.push(call.registry().site_path(tenant.id).map_err(internal)?);
    }
    sites.sort_by(|a, b| {
        let key = |path: &SitePath| {
            (
                path.customer.name.clone(),
                path.customer.id,
                path.site.name.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    list(out, "sites", &sites, write);
    Ok(())
}
