//! The tree and its rules.

use codec::id::{Scope, TenantId};
use codec::time::Timestamp;

use super::*;

const NOW: Timestamp = Timestamp::from_unix_ms(7);

fn make(
    registry: &Registry,
    level: Level,
    parent: Option<TenantId>,
    name: &str,
) -> Result<TenantId, Error> {
    let time_zone = (level == Level::Site).then_some("Europe/Berlin");
    let new = NewTenant {
        level,
        parent,
        name,
        number: Some("K-1"),
        time_zone,
    };
    registry.create_tenant(&new, NOW).map(|tenant| tenant.id)
}

#[test]
fn a_fresh_registry_has_a_dealer_a_customer_and_a_site() {
    let registry = Registry::in_memory().unwrap();
    let path = registry
        .site_path(registry.default_site().unwrap())
        .unwrap();
    assert_eq!(path.site.parent, Some(path.customer.id));
    assert_eq!(path.customer.parent, Some(path.dealer.id));
    assert_eq!(path.site.time_zone.as_deref(), Some("Etc/UTC"));
    assert_eq!(registry.tenants(&Scope::Everything).unwrap().len(), 3);
}

#[test]
fn every_tenant_needs_a_parent_of_the_level_above_it() {
    let registry = Registry::in_memory().unwrap();
    let dealer = make(&registry, Level::Dealer, None, "North").unwrap();
    let customer = make(&registry, Level::Customer, Some(dealer), "Meyer").unwrap();
    let site = make(&registry, Level::Site, Some(customer), "Werk 2").unwrap();
    for (level, parent) in [
        (Level::Dealer, Some(dealer)),
        (Level::Customer, None),
        (Level::Customer, Some(customer)),
        (Level::Site, Some(dealer)),
        (Level::Site, Some(site)),
    ] {
        let refused = make(&registry, level, parent, "x").unwrap_err();
        assert!(matches!(refused, Error::Invalid(_)), "{refused}");
    }
    assert!(matches!(
        make(&registry, Level::Site, Some(TenantId(99)), "x"),
        Err(Error::NotFound { .. })
    ));
}

#[test]
fn siblings_have_different_names_and_cousins_may_share_one() {
    let registry = Registry::in_memory().unwrap();
    let north = make(&registry, Level::Dealer, None, "North").unwrap();
    let south = make(&registry, Level::Dealer, None, "South").unwrap();
    make(&registry, Level::Customer, Some(north), "Meyer").unwrap();
    let other = make(&registry, Level::Customer, Some(south), "Meyer").unwrap();
    assert!(matches!(
        make(&registry, Level::Customer, Some(north), " Meyer "),
        Err(Error::Taken { .. })
    ));
    make(&registry, Level::Customer, Some(south), "Schulze").unwrap();
    assert!(matches!(
        registry.rename_tenant(&Scope::Everything, other, "Schulze"),
        Err(Error::Taken { .. })
    ));
    registry
        .rename_tenant(&Scope::Everything, other, "Meyer")
        .unwrap();
    registry
        .rename_tenant(&Scope::Everything, other, "Meyer & Söhne")
        .unwrap();
    assert_eq!(
        registry.tenant(&Scope::Everything, other).unwrap().name,
        "Meyer & Söhne"
    );
}

#[test]
fn a_site_has_a_real_time_zone_and_nothing_else_has_one() {
    let registry = Registry::in_memory().unwrap();
    let path = registry
        .site_path(registry.default_site().unwrap())
        .unwrap();
    let create = |level, parent, time_zone| {
        let new = NewTenant {
            level,
            parent: Some(parent),
            name: "x",
            number: None,
            time_zone,
        };
        registry.create_tenant(&new, NOW)
    };
    assert!(create(Level::Site, path.customer.id, None).is_err());
    let refused = create(Level::Site, path.customer.id, Some("Mars/Olympus")).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "\"Mars/Olympus\" is no IANA time zone; one is Europe/Berlin"
    );
    assert!(create(Level::Customer, path.dealer.id, Some("Europe/Berlin")).is_err());
    registry
        .set_time_zone(&Scope::Everything, path.site.id, "America/New_York")
        .unwrap();
    assert!(
        registry
            .set_time_zone(&Scope::Everything, path.customer.id, "Europe/Berlin")
            .is_err()
    );
}

#[test]
fn a_branch_sees_its_own_sites_and_what_is_above_them() {
    let registry = Registry::in_memory().unwrap();
    let dealer = make(&registry, Level::Dealer, None, "North").unwrap();
    let customer = make(&registry, Level::Customer, Some(dealer), "Meyer").unwrap();
    let one = make(&registry, Level::Site, Some(customer), "Werk 1").unwrap();
    let two = make(&registry, Level::Site, Some(customer), "Werk 2").unwrap();
    let sites = |branch| match registry.scope_of(branch) {
        Scope::Everything => None,
        Scope::Sites(sites) => Some(sites.into_iter().collect::<Vec<_>>()),
    };
    assert_eq!(sites(Branch::House), None);
    assert_eq!(sites(Branch::Tenant(dealer)), Some(vec![one, two]));
    assert_eq!(sites(Branch::Tenant(customer)), Some(vec![one, two]));
    assert_eq!(sites(Branch::Tenant(two)), Some(vec![two]));
    assert_eq!(sites(Branch::Tenant(TenantId(99))), Some(vec![]));

    let scope = registry.scope_of(Branch::Tenant(two));
    let seen: Vec<TenantId> = registry
        .tenants(&scope)
        .unwrap()
        .iter()
        .map(|tenant| tenant.id)
        .collect();
    assert_eq!(seen, [dealer, customer, two]);
    assert!(matches!(
        registry.rename_tenant(&scope, one, "mine"),
        Err(Error::NotFound { .. })
    ));
    assert_eq!(
        registry.sites_of_customer_no(&scope, "K-1").unwrap(),
        [two].into()
    );
    assert!(
        registry
            .sites_of_customer_no(&scope, "K-2")
            .unwrap()
            .is_empty()
    );
}
