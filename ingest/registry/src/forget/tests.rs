//! A forgotten customer is in no table and no byte of the file; the others are as they were.

use codec::id::{AgentId, DeviceId, Scope, TenantId};
use codec::time::Timestamp;

use crate::identity::Evidence;
use crate::tenant::NewTenant;
use crate::{
    AgentRefused, Branch, Decision, DecisionOp, Entry, Error, Language, Level, NewAccount,
    References, Registry, Role, Tombstone,
};

const NOW: Timestamp = Timestamp::from_unix_ms(1_793_707_200_000);
const EVERYTHING: Scope = Scope::Everything;

struct House {
    registry: Registry,
    customer: TenantId,
    site: TenantId,
    agent: AgentId,
    token: String,
    device: DeviceId,
    other_agent: AgentId,
    other_device: DeviceId,
    stamp: u64,
}

fn sees(registry: &Registry, agent: &AgentId, serial: &str, stamp: u64) -> DeviceId {
    let mut resolver = registry.resolver_at(stamp);
    let evidence = Evidence {
        agent,
        observed_at: NOW,
        manufacturer: Some("Kyocera"),
        model: Some("ECOSYS P3145dn"),
        serial: Some(serial),
        mac: None,
        address: Some("10.0.0.1"),
        handle: "",
    };
    let device = resolver.resolve(&evidence).unwrap().device;
    resolver.commit().unwrap();
    device
}

/// A customer with everything that can name him, beside another.
fn house(registry: Registry) -> House {
    let tenant = |level, parent, name, time_zone| {
        let new = NewTenant {
            level,
            parent: Some(parent),
            name,
            number: Some("K-4711"),
            time_zone,
        };
        registry.create_tenant(&new, NOW).unwrap().id
    };
    let customer = tenant(Level::Customer, TenantId(1), "Kanzlei Verschwiegen", None);
    let site = tenant(Level::Site, customer, "Hinterhaus", Some("Europe/Berlin"));
    let new = registry.add_agent("Aktenkeller", site, NOW).unwrap();
    let (agent, token) = (new.agent.id, new.token);
    registry
        .invite_agent("Dachboden", site, 3_600_000, NOW)
        .unwrap();
    let account = NewAccount {
        login: "notar",
        name: "Dr. Verschwiegen",
        password: "correct horse battery",
        role: Role::Operator,
        branch: Branch::Tenant(customer),
        language: Language::De,
    };
    let account = registry.create_account(&account, NOW).unwrap();
    registry
        .create_api_token(account.id, "his ERP", NOW)
        .unwrap();
    let other_agent = registry
        .add_agent("werk", TenantId(3), NOW)
        .unwrap()
        .agent
        .id;
    let device = sees(&registry, &agent, "GEHEIM-0815", 1);
    let twin = sees(&registry, &agent, "GEHEIM-0816", 2);
    let other_device = sees(&registry, &other_agent, "GEHEIM-0815", 3);
    registry.write_identities(3).unwrap();
    let mut resolver = registry.resolver_at(4);
    let merge = Decision {
        op: DecisionOp::Merge {
            device: twin,
            into: device,
        },
        who: "notar".to_owned(),
        at: NOW,
    };
    resolver.decide(&merge).unwrap().unwrap();
    resolver.commit().unwrap();
    let references = References {
        contract_no: Some("V-GEHEIM".to_owned()),
        ..References::default()
    };
    for device in [device, other_device] {
        registry
            .set_device_references(&EVERYTHING, device, &references, NOW)
            .unwrap();
    }
    let (device_text, other_text) = (device.to_string(), other_device.to_string());
    for (who, action, subject, detail) in [
        (
            "admin",
            "tenant.create",
            customer.to_string().as_str(),
            "customer Kanzlei Verschwiegen",
        ),
        ("admin", "account.create", "notar", "operator"),
        ("notar", "device.merge", &device_text, ""),
        ("admin", "agent.add", agent.as_str(), ""),
        ("admin", "device.split", &device_text, ""),
        ("admin", "device.split", &other_text, ""),
        ("admin", "agent.add", other_agent.as_str(), ""),
        ("admin", "account.create", "somebody", "viewer"),
    ] {
        let entry = Entry {
            who,
            action,
            subject,
            detail,
        };
        registry.note(&entry, NOW).unwrap();
    }
    House {
        registry,
        customer,
        site,
        agent,
        token,
        device,
        other_agent,
        other_device,
        stamp: 4,
    }
}

#[test]
fn a_forgotten_customer_is_in_no_table_and_the_others_stay() {
    let house = house(Registry::in_memory().unwrap());
    let registry = &house.registry;
    let concerned = registry.concerned(house.customer, "admin", NOW).unwrap();
    assert_eq!(concerned.name, "Kanzlei Verschwiegen");
    assert_eq!((concerned.devices, concerned.devices_elsewhere), (2, 0));
    assert_eq!(concerned.accounts, 1);
    let tombstone = concerned.tombstone;
    assert_eq!(tombstone.sites, [house.site]);
    assert_eq!(tombstone.agents.len(), 2);
    assert!(matches!(
        registry.concerned(house.site, "admin", NOW),
        Err(Error::NotFound { .. })
    ));
    let other = |registry: &Registry| {
        (
            registry.device(&EVERYTHING, house.other_device).unwrap(),
            registry.agent(&EVERYTHING, &house.other_agent).unwrap(),
        )
    };
    let before = other(registry);

    // Once, and again: a backup may bring him back.
    for is_first in [true, false] {
        assert_eq!(registry.forget_customer(&tombstone).unwrap(), is_first);
        assert_eq!(other(registry), before);
        assert!(registry.device(&EVERYTHING, house.device).is_err());
        assert!(registry.tenant(&EVERYTHING, house.customer).is_err());
        assert!(registry.tenant(&EVERYTHING, house.site).is_err());
        assert_eq!(registry.agents(&EVERYTHING).unwrap().len(), 1);
        assert_eq!(registry.accounts(Branch::House).unwrap().len(), 0);
        let refused = registry
            .agent_by_token(&house.token)
            .map(|agent| agent.id.clone());
        assert_eq!(refused, Err(AgentRefused::Forgotten));
        assert!(registry.is_forgotten_agent(&house.agent));
        let audit = registry.audit_log(None, 100).unwrap();
        let noted: Vec<_> = audit
            .iter()
            .map(|entry| (entry.action.as_str(), entry.subject.clone()))
            .collect();
        assert_eq!(
            noted,
            [
                ("customer.forget", house.customer.to_string()),
                ("account.create", "somebody".to_owned()),
                ("agent.add", house.other_agent.to_string()),
                ("device.split", house.other_device.to_string()),
            ]
        );
        assert!(registry.check().unwrap().is_empty());
    }
    // The same serial, at the other customer, is still the device that it was.
    let again = sees(registry, &house.other_agent, "GEHEIM-0815", house.stamp + 1);
    assert_eq!(again, house.other_device);
    let forgotten = registry.forgotten().unwrap();
    assert_eq!((forgotten.len(), forgotten[0].erased_at), (1, None));
    registry.note_erased(house.customer, Some(NOW)).unwrap();
    assert_eq!(registry.forgotten().unwrap()[0].erased_at, Some(NOW));
}

#[test]
fn neither_an_agents_id_nor_a_customers_number_is_given_again() {
    let house = house(Registry::in_memory().unwrap());
    let concerned = house.registry.concerned(house.customer, "admin", NOW);
    house
        .registry
        .forget_customer(&concerned.unwrap().tombstone)
        .unwrap();
    let new = house
        .registry
        .add_agent("Aktenkeller", TenantId(3), NOW)
        .unwrap();
    assert_ne!(new.agent.id, house.agent);
    let customer = NewTenant {
        level: Level::Customer,
        parent: Some(TenantId(1)),
        name: "Kanzlei Verschwiegen",
        number: None,
        time_zone: None,
    };
    let made = house.registry.create_tenant(&customer, NOW).unwrap();
    assert!(made.id > house.site);
}

#[test]
fn a_number_that_a_backup_does_not_know_is_given_to_nobody() {
    let registry = Registry::in_memory().unwrap();
    let tombstone = Tombstone {
        customer: TenantId(40),
        sites: vec![TenantId(41), TenantId(43)],
        agents: Vec::new(),
        who: "admin".to_owned(),
        at: NOW,
    };
    registry.forget_customer(&tombstone).unwrap();
    let new = NewTenant {
        level: Level::Customer,
        parent: Some(TenantId(1)),
        name: "Neu & Söhne",
        number: None,
        time_zone: None,
    };
    let made = registry.create_tenant(&new, NOW).unwrap().id;
    assert_eq!(made, TenantId(44));
    // As each start does.
    assert!(!registry.forget_customer(&tombstone).unwrap());
    assert_eq!(registry.tenant(&EVERYTHING, made).unwrap().name, new.name);
}

#[test]
fn a_device_that_people_put_elsewhere_stays_there() {
    let house = house(Registry::in_memory().unwrap());
    let registry = &house.registry;
    let elsewhere = TenantId(3);
    registry
        .assign_device_site(&EVERYTHING, house.device, Some(elsewhere), NOW)
        .unwrap();
    registry
        .assign_device_site(&EVERYTHING, house.other_device, Some(house.site), NOW)
        .unwrap();
    let concerned = registry.concerned(house.customer, "admin", NOW).unwrap();
    assert_eq!(concerned.devices_elsewhere, 1);
    registry.forget_customer(&concerned.tombstone).unwrap();
    let stays = registry.device(&EVERYTHING, house.device).unwrap();
    assert_eq!(stays.site, elsewhere);
    let back = registry.device(&EVERYTHING, house.other_device).unwrap();
    assert_eq!((back.site, back.note.site), (elsewhere, None));
}

#[test]
fn no_byte_of_the_file_names_him() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registry.sqlite");
    let house = house(Registry::open(&path).unwrap());
    let names = [
        "Verschwiegen",
        "Hinterhaus",
        "GEHEIM-0816",
        "geheim-0816",
        "notar",
        "his ERP",
    ];
    let found = |name: &str| {
        std::fs::read_dir(folder.path()).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            bytes
                .windows(name.len())
                .any(|window| window == name.as_bytes())
        })
    };
    assert!(found("Verschwiegen") && found("GEHEIM-0816"));
    let concerned = house.registry.concerned(house.customer, "admin", NOW);
    house
        .registry
        .forget_customer(&concerned.unwrap().tombstone)
        .unwrap();
    house.registry.erase_deleted().unwrap();
    for name in names {
        assert!(!found(name), "{name} is found");
    }
    assert!(house.registry.check().unwrap().is_empty());
}
