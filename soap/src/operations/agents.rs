//! `ListAgents`: the agents and when each was heard of, so that an ERP can tell a silent site from an idle one.

use std::collections::BTreeMap;

use codec::id::AgentId;
use olap::ask::AgentHeard;
use registry::Agent;

use super::{Call, list};
use crate::fault::Fault;
use crate::out::Out;
use crate::schema::{Kind, Operation, column, record};

pub(super) const OPERATION: Operation = Operation {
    name: "ListAgents",
    doc: "All agents and when each was last heard of.",
    parameters: &[],
    response: &[column!(
        "agents",
        Kind::List(&AGENT),
        Always,
        "The agents, by name."
    )],
    answer,
};

/// What a row is written from.
struct Row<'a> {
    agent: Agent,
    heard: Option<&'a AgentHeard>,
}

record! {
    AGENT, write(row: &Row<'_>), "agent", "An agent: the program that reads a site's devices.";
    "agentId" Text Always "Names the agent for ever." = row.agent.id.as_str();
    "agentName" Text Always "What people call it." = row.agent.name.as_str();
    "siteId" Long Always "The number of the site where it stands." = row.agent.site.0;
    "disabled" Flag Always "Whether it is barred." = row.agent.disabled;
    "lastHeardAt" Time Optional "When the manager last received something of it." = row.heard.map(|heard| heard.heard_at);
    "programVersion" Text Optional "The version of its program." = row.heard.map(|heard| heard.program.as_str());
    "deviceCount" Long Always "How many devices it reads." = row.heard.map_or(0, |heard| heard.devices);
}

fn answer(call: &Call<'_>, out: &mut Out) -> Result<(), Fault> {
    let agents = call
        .registry()
        .agents(&call.scope)
        .map_err(|error| Fault::internal(&error))?;
    let heard = call
        .store()
        .agents_heard(&call.scope)
        .map_err(|error| Fault::of_store(&error))?;
    let heard: BTreeMap<&AgentId, &AgentHeard> =
        heard.iter().map(|heard| (&heard.agent, heard)).collect();
    let rows: Vec<Row<'_>> = agents
        .into_iter()
        .map(|agent| Row {
            heard: heard.get(&agent.id).copied(),
            agent,
        })
        .collect();
    list(out, "agents", &rows, write);
    Ok(())
}
