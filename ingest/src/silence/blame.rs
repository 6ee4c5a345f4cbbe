//! The likely cause of a silence, told from the neighbours and from the return.

use std::collections::{BTreeMap, HashMap};

use codec::id::{AgentId, TenantId};
use codec::time::Timestamp;
use olap::ask::DeviceFresh;

use super::{AgentSeen, Cause, Silence, Subject};

/// "Since about then": beginnings so far apart are of one cause.
const TOGETHER_MS: i64 = 30 * 60_000;
/// So many devices of an agent at least fall silent together when its network is the cause.
const TOGETHER_MIN: usize = 3;

/// Agents that fell silent together have one cause.
pub(super) fn blame_line(silent: &mut BTreeMap<Subject, Silence>, agents: &[AgentSeen]) {
    let heard = agents.iter().filter(|seen| seen.heard_at.is_some()).count();
    let since: HashMap<&AgentId, (TenantId, Timestamp)> = agents
        .iter()
        .filter(|seen| silent.contains_key(&Subject::Agent(seen.agent.clone())))
        .filter_map(|seen| Some((&seen.agent, (seen.customer, seen.heard_at?))))
        .collect();
    // One of ten may be down for reasons of its own.
    let is_nobody_heard = heard >= 2 && since.len() * 10 >= heard * 9;
    for (agent, (customer, at)) in &since {
        let together = |other: &&(TenantId, Timestamp)| other.1.ms_since(*at).abs() <= TOGETHER_MS;
        let neighbours = since.values().filter(together);
        let cause = if is_nobody_heard && neighbours.clone().count() * 2 > since.len() {
            Cause::Manager
        } else if neighbours.filter(|other| other.0 == *customer).count() > 1 {
            Cause::Line
        } else {
            Cause::Agent
        };
        if let Some(silence) = silent.get_mut(&Subject::Agent((*agent).clone())) {
            silence.cause = cause;
        }
    }
}

/// Devices that fell silent together with half of their agent's have one cause.
pub(super) fn blame_network(
    silent: &mut [(&DeviceFresh, Silence)],
    of_agent: &HashMap<&AgentId, usize>,
) {
    let mut since: HashMap<&AgentId, Vec<Timestamp>> = HashMap::new();
    for (seen, silence) in silent.iter() {
        if silence.cause == Cause::NoAnswer {
            since.entry(&seen.agent).or_default().push(silence.since);
        }
    }
    for times in since.values_mut() {
        times.sort_unstable();
    }
    for (seen, silence) in silent.iter_mut() {
        let Some(times) = since
            .get(&seen.agent)
            .filter(|_| silence.cause == Cause::NoAnswer)
        else {
            continue;
        };
        let from = times.partition_point(|at| *at < silence.since.plus_ms(-TOGETHER_MS));
        let to = times.partition_point(|at| *at <= silence.since.plus_ms(TOGETHER_MS));
        let all = of_agent.get(&seen.agent).copied().unwrap_or(0);
        if to - from >= TOGETHER_MIN && (to - from) * 2 >= all {
            silence.cause = Cause::Network;
        }
    }
}

/// What it was, as far as the agent's return tells: an agent that sealed reports meanwhile was running all the time.
pub(super) fn hindsight(silence: &Silence, seen: &AgentSeen) -> Cause {
    let Some(heard_at) = seen.heard_at else {
        return silence.cause;
    };
    let sealed_meanwhile =
        seen.sealed_at > silence.since && heard_at.ms_since(seen.sealed_at) > TOGETHER_MS / 2;
    match silence.cause {
        Cause::Manager => Cause::Manager,
        _ if sealed_meanwhile => Cause::Line,
        cause => cause,
    }
}
