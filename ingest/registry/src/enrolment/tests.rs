//! Tokens, keys, and what must not work.

use super::*;
use crate::AgentRefused;

const NOW: Timestamp = Timestamp::from_unix_ms(1_700_000_000_000);
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
const KEY: &str = "plt_agent_first-key-of-the-agent";

fn hash(key: &str) -> [u8; 32] {
    token::hash(key).unwrap()
}

fn house() -> (Registry, NewEnrolment) {
    let registry = Registry::in_memory().unwrap();
    let site = registry.default_site().unwrap();
    let new = registry
        .invite_agent("Werk 2", site, VALID_MS_DEFAULT, NOW)
        .unwrap();
    (registry, new)
}

fn lets_in(registry: &Registry, key: &str) -> Result<String, AgentRefused> {
    registry
        .agent_by_token(key)
        .map(|agent| agent.id.to_string())
}

fn actions(registry: &Registry) -> Vec<String> {
    let entries = registry.audit_log(None, 100).unwrap();
    entries
        .into_iter()
        .rev()
        .map(|entry| format!("{} {}: {}", entry.action, entry.subject, entry.detail))
        .collect()
}

#[test]
fn a_token_is_exchanged_once_and_the_same_exchange_may_be_repeated() {
    let (registry, new) = house();
    assert!(new.token.starts_with("plt_enrol_") && new.token.len() == 53);
    assert_eq!(new.agent.enrols_until, Some(NOW.plus_ms(VALID_MS_DEFAULT)));
    assert!(!new.agent.has_token);
    assert_eq!(lets_in(&registry, &new.token), Err(AgentRefused::Unknown));

    let agent = registry.enrol(&new.token, hash(KEY), HERE, NOW).unwrap();
    assert_eq!(agent.id.as_str(), "werk-2");
    assert_eq!((agent.has_token, agent.enrols_until), (true, None));
    assert_eq!(agent.key_since, Some(NOW));
    assert_eq!(lets_in(&registry, KEY).as_deref(), Ok("werk-2"));
    // The answer was lost on the way: also after the token's end, the same is answered again.
    let late = NOW.plus_ms(2 * VALID_MS_DEFAULT);
    assert!(registry.enrol(&new.token, hash(KEY), HERE, late).is_ok());
    // Somebody else found the token.
    let other = registry.enrol(&new.token, hash("other"), HERE, NOW);
    assert!(matches!(other, Err(EnrolError::Used { at }) if at == NOW));
    assert_eq!(lets_in(&registry, "other"), Err(AgentRefused::Unknown));
    assert_eq!(lets_in(&registry, KEY).as_deref(), Ok("werk-2"));
    assert_eq!(
        actions(&registry),
        [
            "agent.enrol werk-2: from 192.0.2.7",
            "agent.enrol-refused werk-2: from 192.0.2.7: used",
        ]
    );
}

#[test]
fn a_token_ends_with_its_time_a_newer_one_a_revocation_or_the_agent_barred() {
    let (registry, first) = house();
    let (all, id) = (Scope::Everything, first.agent.id.clone());
    let enrol = |token: &str, now| registry.enrol(token, hash(KEY), HERE, now).map(drop);
    let late = NOW.plus_ms(VALID_MS_DEFAULT + 1);
    assert!(matches!(
        enrol(&first.token, late),
        Err(EnrolError::Expired { .. })
    ));
    let again = |now| {
        registry
            .invite_agent_again(&all, &id, VALID_MS_MIN, now)
            .unwrap()
            .token
    };
    let second = again(NOW);
    assert!(matches!(enrol(&first.token, NOW), Err(EnrolError::Unknown)));
    registry.set_agent_disabled(&all, &id, true).unwrap();
    assert!(matches!(enrol(&second, NOW), Err(EnrolError::Disabled)));
    registry.set_agent_disabled(&all, &id, false).unwrap();
    registry.revoke_agent_token(&all, &id).unwrap();
    assert!(matches!(enrol(&second, NOW), Err(EnrolError::Unknown)));
    let third = again(NOW);
    enrol(&third, NOW).unwrap();
    // Revoked afterwards: repeating the exchange does not bring the key back.
    registry.revoke_agent_token(&all, &id).unwrap();
    assert!(matches!(enrol(&third, NOW), Err(EnrolError::Used { .. })));
    assert_eq!(lets_in(&registry, KEY), Err(AgentRefused::Unknown));
    for valid_ms in [0, VALID_MS_MIN - 1, VALID_MS_MAX + 1, i64::MAX] {
        let made = registry.invite_agent_again(&all, &id, valid_ms, NOW);
        assert!(matches!(made, Err(Error::Invalid(_))), "{valid_ms}");
    }
}

#[test]
fn guessing_tokens_is_throttled_by_address() {
    let (registry, new) = house();
    let guess =
        |n: u32, address| registry.enrol(&format!("plt_enrol_{n}"), hash(KEY), address, NOW);
    let refused = (0..100).find(|n| matches!(guess(*n, HERE), Err(EnrolError::Throttled { .. })));
    assert!(refused.is_some_and(|n| n > 5), "{refused:?}");
    let real = |address| registry.enrol(&new.token, hash(KEY), address, NOW);
    assert!(matches!(real(HERE), Err(EnrolError::Throttled { .. })));
    let elsewhere = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 8));
    assert!(real(elsewhere).is_ok());
    assert_eq!(
        actions(&registry).len(),
        1,
        "guesses do not fill the audit log"
    );
}

#[test]
fn a_next_key_takes_over_when_it_is_first_used_and_not_before() {
    let (registry, new) = house();
    let id = registry
        .enrol(&new.token, hash(KEY), HERE, NOW)
        .unwrap()
        .id
        .clone();
    let later = NOW.plus_ms(1000);
    let register = |key: &str| registry.register_agent_key(&id, hash(key), later);
    assert!(register("second").unwrap());
    assert!(!register("second").unwrap(), "nothing changed");
    assert_eq!(
        lets_in(&registry, KEY).as_deref(),
        Ok("werk-2"),
        "not used yet"
    );
    register("another second").unwrap();
    assert_eq!(lets_in(&registry, "second"), Err(AgentRefused::Unknown));
    let agent = registry.agent_by_token("another second").unwrap();
    assert_eq!(agent.key_since, Some(later));
    assert_eq!(lets_in(&registry, KEY), Err(AgentRefused::Unknown));
    register("another second").unwrap();
    assert_eq!(
        lets_in(&registry, "another second").as_deref(),
        Ok("werk-2")
    );
    // Nobody takes another agent's key, and a revocation ends the registered one too.
    let site = registry.default_site().unwrap();
    let other = registry.add_agent("other", site, NOW).unwrap();
    let taken = registry.register_agent_key(&other.agent.id, hash("another second"), NOW);
    assert!(matches!(taken, Err(Error::Taken { .. })), "{taken:?}");
    register("third").unwrap();
    registry
        .revoke_agent_token(&Scope::Everything, &id)
        .unwrap();
    assert_eq!(lets_in(&registry, "third"), Err(AgentRefused::Unknown));
    assert_eq!(
        lets_in(&registry, "another second"),
        Err(AgentRefused::Unknown)
    );
}
