//! The demo's invented dealer with its customer, and which printer stands at which site.

use codec::id::{Scope, TenantId};
use codec::time::Timestamp;
use olap::Store;
use olap::ask::DevicesQuery;
use olap::cursor::Cursor;
use registry::{Level, NewTenant, Registry};
use tracing::warn;

use crate::failure::Failure;

const CUSTOMER: (&str, &str) = ("Hofer & Söhne Logistik", "K-1001");
/// The customer's sites; the agent stands at the first and reaches the printers of all.
const SITES: [&str; 4] = ["Werk 1", "Verwaltung", "Lager Nord", "Filiale Süd"];
const DEALER: &str = "Demo Bürotechnik";
/// Devices that get a site in one round: each is a write that is synced.
const ROUND_DEVICES: u32 = 50;

/// Makes dealer, customer and sites, where they are not there yet; the sites' numbers.
pub fn plant(registry: &Registry) -> Result<Vec<TenantId>, Failure> {
    let dealer = find_or_create(registry, Level::Dealer, None, DEALER, None)?;
    let (name, number) = CUSTOMER;
    let customer = find_or_create(registry, Level::Customer, Some(dealer), name, Some(number))?;
    SITES
        .iter()
        .map(|site| find_or_create(registry, Level::Site, Some(customer), site, None))
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

/// Gives each device a site once, as it becomes known.
#[derive(Default)]
pub struct Settling {
    seen: Option<Cursor>,
}

impl Settling {
    /// Settles some of the devices that are new since the last call.
    pub fn settle(&mut self, registry: &Registry, store: &dyn Store, sites: &[TenantId]) {
        let query = DevicesQuery {
            cursor: self.seen,
            limit: ROUND_DEVICES,
            ..DevicesQuery::at(Timestamp::now())
        };
        let page = match store.devices(&Scope::Everything, &query) {
            Ok(page) => page,
            Err(error) => return warn!(%error, "cannot list the demo's devices"),
        };
        for item in &page.items {
            let place = usize::from(item.device.as_bytes()[0]) % sites.len();
            let settled = registry.assign_device_site(
                &Scope::Everything,
                item.device,
                Some(sites[place]),
                Timestamp::now(),
            );
            if let Err(error) = settled {
                warn!(%error, device = %item.device, "cannot settle a device");
            }
        }
        if page.next.is_some() {
            self.seen = page.next;
        }
    }
}
