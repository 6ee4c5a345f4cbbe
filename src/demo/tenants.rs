//! The demo's invented dealer with its customers and their sites.

use codec::id::{Scope, TenantId};
use codec::time::Timestamp;
use registry::{Level, NewTenant, Registry};

use crate::failure::Failure;

/// Customers, their numbers, and their sites; an agent stands at each.
const SITES: [(&str, &str, &str); 5] = [
    ("Hofer & Söhne Logistik", "K-1001", "Werk 1"),
    ("Hofer & Söhne Logistik", "K-1001", "Verwaltung"),
    ("Stadtwerke Musterstadt", "K-1002", "Kundenzentrum"),
    ("Praxisgemeinschaft am Markt", "K-1003", "Praxis"),
    ("Nordlicht Maschinenbau", "K-1004", "Konstruktion"),
];
const DEALER: &str = "Demo Bürotechnik";
/// Makes dealer, customers and sites, where they are not there yet; the sites' numbers.
pub fn plant(registry: &Registry) -> Result<Vec<TenantId>, Failure> {
    let dealer = find_or_create(registry, Level::Dealer, None, DEALER, None)?;
    SITES
        .iter()
        .map(|(customer, number, site)| {
            let customer = find_or_create(
                registry,
                Level::Customer,
                Some(dealer),
                customer,
                Some(number),
            )?;
            find_or_create(registry, Level::Site, Some(customer), site, None)
        })
        .collect()
}

fn find_or_create(
    registry: &Registry,
    level: Level,
    parent: Option<TenantId>,
    name: &str,
    number: Option<&str>,
) -> Result<TenantId, Failure> {
    let known = registry
        .tenants(&Scope::Everything)?
        .into_iter()
        .find(|tenant| tenant.level == level && tenant.parent == parent && tenant.name == name);
    if let Some(tenant) = known {
        return Ok(tenant.id);
    }
    let tenant = registry.create_tenant(
        &NewTenant {
            level,
            parent,
            name,
            number,
            time_zone: (level == Level::Site).then_some("Europe/Berlin"),
        },
        Timestamp::now(),
    )?;
    Ok(tenant.id)
}
