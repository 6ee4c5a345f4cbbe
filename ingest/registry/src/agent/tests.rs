//! Agents and their tokens.

use codec::id::Scope;

use super::*;
use crate::tenant::{Branch, NewTenant};

const NOW: Timestamp = Timestamp::from_unix_ms(7);

#[test]
fn an_agents_id_is_made_of_its_name_and_unique() {
    let registry = Registry::in_memory().unwrap();
    let site = registry.default_site().unwrap();
    let id = |name: &str| {
        registry
            .add_agent(name, site, NOW)
            .unwrap()
            .agent
            .id
            .to_string()
    };
    assert_eq!(id("Meyer & Söhne, Werk 2"), "meyer-soehne-werk-2");
    assert_eq!(id("meyer-soehne werk 2"), "meyer-soehne-werk-2-2");
    assert_eq!(id("日本"), "agent");
    assert_eq!(id("!!!"), "agent-2");
    assert_eq!(id(&"x".repeat(200)).len(), 52);
    assert!(registry.add_agent("  ", site, NOW).is_err());
    assert!(
        registry.add_agent("x", TenantId(1), NOW).is_err(),
        "a dealer is no site"
    );
}

#[test]
fn a_token_lets_its_agent_in_until_it_is_rotated_revoked_or_the_agent_barred() {
    let registry = Registry::in_memory().unwrap();
    let new = registry
        .add_agent("werk", registry.default_site().unwrap(), NOW)
        .unwrap();
    let (id, all) = (new.agent.id.clone(), Scope::Everything);
    assert!(
        new.token.starts_with("plt_agent_") && new.token.len() == 53,
        "{}",
        new.token
    );
    let lets_in = |token: &str| registry.agent_by_token(token).map(|agent| agent.id.clone());
    assert_eq!(lets_in(&new.token), Ok(id.clone()));
    assert_eq!(lets_in("plt_agent_x"), Err(AgentRefused::Unknown));
    assert_eq!(lets_in(&"x".repeat(100_000)), Err(AgentRefused::Unknown));

    registry.set_agent_disabled(&all, &id, true).unwrap();
    assert_eq!(lets_in(&new.token), Err(AgentRefused::Disabled));
    registry.set_agent_disabled(&all, &id, false).unwrap();
    let second = registry.rotate_agent_token(&all, &id, NOW).unwrap();
    assert_eq!(lets_in(&new.token), Err(AgentRefused::Unknown));
    assert_eq!(lets_in(&second), Ok(id.clone()));
    registry.revoke_agent_token(&all, &id).unwrap();
    assert_eq!(lets_in(&second), Err(AgentRefused::Unknown));
    assert!(!registry.agent(&all, &id).unwrap().has_token);
}

#[test]
fn an_agent_moves_within_its_customer_and_is_seen_only_in_scope() {
    let registry = Registry::in_memory().unwrap();
    let first = registry.default_site().unwrap();
    let path = registry.site_path(first).unwrap();
    let site = |customer, name| {
        let new = NewTenant {
            level: Level::Site,
            parent: Some(customer),
            name,
            number: None,
            time_zone: Some("Etc/UTC"),
        };
        registry.create_tenant(&new, NOW).unwrap().id
    };
    let second = site(path.customer.id, "Second");
    let new = NewTenant {
        level: Level::Customer,
        parent: Some(path.dealer.id),
        name: "Other",
        number: None,
        time_zone: None,
    };
    let foreign = site(registry.create_tenant(&new, NOW).unwrap().id, "Foreign");
    let agent = registry.add_agent("werk", first, NOW).unwrap().agent.id;
    registry
        .move_agent(&Scope::Everything, &agent, second)
        .unwrap();
    assert!(matches!(
        registry.move_agent(&Scope::Everything, &agent, foreign),
        Err(Error::Invalid(_))
    ));

    let seen = |branch| registry.agents(&registry.scope_of(branch)).unwrap().len();
    assert_eq!(
        (
            seen(Branch::Tenant(second)),
            seen(Branch::Tenant(first)),
            seen(Branch::House)
        ),
        (1, 0, 1)
    );
    let foreign_scope = registry.scope_of(Branch::Tenant(foreign));
    assert!(matches!(
        registry.rotate_agent_token(&foreign_scope, &agent, NOW),
        Err(Error::NotFound { .. })
    ));
}

#[test]
fn a_registered_key_that_was_revoked_a_moment_ago_lets_nobody_in() {
    let registry = Registry::in_memory().unwrap();
    let site = registry.default_site().unwrap();
    let id = registry.add_agent("werk", site, NOW).unwrap().agent.id;
    let next = token::draw(token::AGENT_PREFIX).unwrap();
    let hash = token::hash(&next).unwrap();
    registry.register_agent_key(&id, hash, NOW).unwrap();
    // Revoked in the file, and not yet noticed here.
    let revoke = "UPDATE agent SET token_hash = NULL, next_hash = NULL, next_since = NULL";
    registry
        .inner
        .database
        .change(|transaction| transaction.execute(revoke, []).during("revoke"))
        .unwrap();
    assert!(
        registry.agent_of_key(&hash).is_some(),
        "it is not noticed yet"
    );
    assert_eq!(
        registry.agent_by_token(&next).map(|agent| agent.id.clone()),
        Err(AgentRefused::Unknown)
    );
}
