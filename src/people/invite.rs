//! Which agent `platen agent enrol` means. Names are not unique, and ids are made of names: one customer's agent may have the id that
//! another customer's agent is called by. Who says a site never gets a token for an agent that stands elsewhere.

use codec::id::TenantId;
use registry::{Agent, Registry};

use crate::failure::Failure;

/// The agent that is there and meant by its id or its name; `None` when there is none, so that a new one is meant.
///
/// # Errors
/// All whom that may mean, when it is not clear, or when none of them stands at the site that was said.
pub(super) fn meant<'a>(
    known: &'a [Agent],
    name: &str,
    site: Option<TenantId>,
) -> Result<Option<&'a Agent>, Vec<&'a Agent>> {
    let is_called = |agent: &&Agent| agent.name == name || agent.id.as_str() == name;
    let candidates: Vec<&Agent> = known.iter().filter(is_called).collect();
    let here: Vec<&Agent> = candidates
        .iter()
        .filter(|agent| site.is_none_or(|site| agent.site == site))
        .copied()
        .collect();
    let by_id = here.iter().find(|agent| agent.id.as_str() == name);
    match (&candidates[..], &here[..], by_id) {
        ([], _, _) => Ok(None),
        (_, [only], _) => Ok(Some(only)),
        // Of several at one site the id tells.
        (_, [_, _, ..], Some(agent)) if site.is_some() => Ok(Some(agent)),
        _ => Err(candidates),
    }
}

/// Says whom `name` may mean.
pub(super) fn refusal(registry: &Registry, name: &str, candidates: &[&Agent]) -> Failure {
    let listed: Vec<String> = candidates
        .iter()
        .map(|agent| {
            let place = registry.site_path(agent.site).map_or_else(
                |_| String::new(),
                |path| format!(", {} / {}", path.customer.name, path.site.name),
            );
            format!(
                "{} \"{}\" (--site {}{place})",
                agent.id, agent.name, agent.site
            )
        })
        .collect();
    Failure::new(format!(
        "{name} may mean {}; give that agent's id and site, or choose another name for a new one. No token was made",
        listed.join(", or ")
    ))
}

#[cfg(test)]
mod tests {
    use codec::id::{AgentId, Scope};
    use codec::time::Timestamp;
    use registry::{Level, NewTenant, Registry};

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

    /// A registry with two sites of two customers.
    fn two_customers() -> (Registry, [TenantId; 2]) {
        let registry = Registry::in_memory().expect("a registry");
        let first = registry.default_site().expect("a first site");
        let dealer = registry.site_path(first).expect("a path").dealer.id;
        let add = |level, parent, name| {
            let new = NewTenant {
                level,
                parent: Some(parent),
                name,
                number: None,
                time_zone: (level == Level::Site).then_some("Etc/UTC"),
            };
            registry.create_tenant(&new, NOW).expect("a tenant").id
        };
        let customer = add(Level::Customer, dealer, "Moser");
        let second = add(Level::Site, customer, "Linz");
        (registry, [first, second])
    }

    #[test]
    fn a_name_never_leads_to_another_customers_agent() {
        let (registry, [first, second]) = two_customers();
        let add = |name, site| -> AgentId {
            let added = registry.add_agent(name, site, NOW).expect("an agent");
            added.agent.id
        };
        let drucker = add("drucker", first);
        let all = || registry.agents(&Scope::Everything).expect("agents");
        let id_of = |name: &str, site| match meant(&all(), name, site) {
            Ok(agent) => Ok(agent.map(|agent| agent.id.clone())),
            Err(candidates) => Err(candidates.len()),
        };
        assert_eq!(id_of("drucker", None), Ok(Some(drucker.clone())));
        assert_eq!(id_of("drucker", Some(first)), Ok(Some(drucker.clone())));
        assert_eq!(
            id_of("drucker", Some(second)),
            Err(1),
            "it stands elsewhere"
        );
        assert_eq!(id_of("lager", Some(second)), Ok(None), "a new one");

        // Of that name at the other customer: its id got a number.
        let other = add("drucker", second);
        assert_ne!(other, drucker);
        assert_eq!(id_of("drucker", None), Err(2));
        assert_eq!(id_of("drucker", Some(first)), Ok(Some(drucker.clone())));
        assert_eq!(id_of("drucker", Some(second)), Ok(Some(other.clone())));
        assert_eq!(id_of(other.as_str(), None), Ok(Some(other.clone())));
        assert_eq!(id_of(other.as_str(), Some(first)), Err(1));

        // Two of one name at one site: the ids tell.
        let third = add("drucker", second);
        assert_eq!(id_of("drucker", Some(second)), Err(3));
        assert_eq!(id_of(third.as_str(), Some(second)), Ok(Some(third)));
        let fourth = add("drucker", first);
        assert_eq!(id_of("drucker", Some(first)), Ok(Some(drucker)));
        assert_eq!(id_of(fourth.as_str(), None), Ok(Some(fourth)));

        let known = all();
        let candidates = meant(&known, "drucker", None).expect_err("it is not clear");
        let sentence = refusal(&registry, "drucker", &candidates).to_string();
        let place = format!("{other} \"drucker\" (--site {second}, Moser / Linz)");
        assert!(sentence.contains(&place), "{sentence}");
    }
}
