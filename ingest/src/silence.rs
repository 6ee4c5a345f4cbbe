//! Who was last heard when, and whose silence is worth an alert: a state machine that is told the time.
//!
//! Agents and devices each have a rhythm of their own: the longest of the gaps between what was heard of them lately. Silent is who was not
//! heard for [`SilenceRules::factor`] such gaps, and never before a floor; as long as the rhythm is not known, a longer time holds. Long
//! gaps that come again, of nights and of weekends, are habits and allowed ([`rhythm`]). The likely cause is told from the neighbours:
//!
//! | who is silent | and | cause |
//! |---|---|---|
//! | an agent | nearly all agents are | [`Cause::Manager`]: nobody gets through to this manager |
//! | an agent | the other agents of its customer are, since about then | [`Cause::Line`] |
//! | an agent | | [`Cause::Agent`]: it does not run, or its line is down |
//! | a device | its agent is | no alert of its own: the agent's says how many devices it is about |
//! | a device | another device answers at its address | [`Cause::Moved`] |
//! | a device | half of its agent's devices are, since about then | [`Cause::Network`] |
//! | a device | | [`Cause::NoAnswer`]: off, unplugged, or closed to SNMP; its agent is fine |
//! | a device is heard | and never told a meter | [`Cause::NoMeters`] |
//!
//! What always holds: the time in which this manager was not there to hear him is nobody's silence, and the time in which its agent was not
//! no device's; who was silent too long before it stays silent over a restart, and what was learned of rhythms is known after it ([`kept`]);
//! what opens closes by itself; nothing here asks a clock.

use std::collections::{BTreeMap, HashMap, VecDeque};

use codec::id::{AgentId, DeviceId, TenantId};
use codec::time::Timestamp;
use olap::ask::DeviceFresh;
use serde::Serialize;

mod absence;
mod blame;
mod kept;
pub mod rhythm;
#[cfg(test)]
mod tests;
pub mod watch;

use absence::Absences;
use blame::{blame_line, blame_network, hindsight};
use rhythm::Rhythm;

/// Silences that are over, kept to be shown.
const OVER_MAX: usize = 200;
/// Before everything that was ever heard.
const NEVER: Timestamp = Timestamp::from_unix_ms(0);

/// When silence is worth an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SilenceRules {
    /// How many of its own gaps one may miss.
    pub factor: u32,
    /// An agent is not silent before this.
    pub agent_floor_ms: i64,
    /// An agent whose rhythm is not known yet.
    pub agent_unknown_ms: i64,
    /// A device is not silent before this: devices sleep.
    pub device_floor_ms: i64,
    /// A device whose rhythm is not known yet; and an agent that has its key and never delivered.
    pub device_unknown_ms: i64,
    /// A device that is heard and never told a meter.
    pub meters_ms: i64,
}

impl Default for SilenceRules {
    /// Three gaps; agents 15 minutes at least and an hour at first; devices two hours at least and a day at first; meters after two days.
    fn default() -> Self {
        Self {
            factor: 3,
            agent_floor_ms: 15 * 60_000,
            agent_unknown_ms: 3_600_000,
            device_floor_ms: 2 * 3_600_000,
            device_unknown_ms: 24 * 3_600_000,
            meters_ms: 48 * 3_600_000,
        }
    }
}

/// Who is silent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// This manager, while it was not there.
    Manager,
    /// An agent.
    Agent(AgentId),
    /// A device.
    Device(DeviceId),
}

/// What is likely to be the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// This manager was down, or nobody gets through to it.
    Manager,
    /// The agent does not run.
    Agent,
    /// The agent's line is down.
    Line,
    /// The network of the agent's devices.
    Network,
    /// Another device answers at the device's address.
    Moved,
    /// The device is off, unplugged, or closed to SNMP; its agent is fine.
    NoAnswer,
    /// The device answers, and never told a meter.
    NoMeters,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 7] = [
        Self::Manager,
        Self::Agent,
        Self::Line,
        Self::Network,
        Self::Moved,
        Self::NoAnswer,
        Self::NoMeters,
    ];

    /// A stable word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Agent => "agent",
            Self::Line => "line",
            Self::Network => "network",
            Self::Moved => "moved",
            Self::NoAnswer => "no-answer",
            Self::NoMeters => "no-meters",
        }
    }
}

/// A silence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// Whose.
    pub subject: Subject,
    /// The site where agent or device stand; nobody's for the manager's own.
    pub site: Option<TenantId>,
    /// Since when nothing was heard.
    pub since: Timestamp,
    /// Heard of again; `None` while it lasts.
    pub until: Option<Timestamp>,
    /// Since when it is worth an alert.
    pub raised_at: Timestamp,
    /// What is likely to be the matter.
    pub cause: Cause,
    /// How many devices are not heard for an agent's silence; 0 for the manager's own, which everybody sees.
    pub devices: u64,
}

/// What became of a silence at a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is worth an alert now.
    Raised(Silence),
    /// It is over.
    Over(Silence),
}

/// What is known of an agent at a look.
#[derive(Clone, Debug)]
pub struct AgentSeen {
    /// The agent.
    pub agent: AgentId,
    /// Where it stands.
    pub site: TenantId,
    /// Whose it is.
    pub customer: TenantId,
    /// Since when it has the key that it uses.
    pub key_since: Timestamp,
    /// When something of it was last received; `None` when it never was.
    pub heard_at: Option<Timestamp>,
    /// When that was sealed, by the agent's clock less how far that is ahead.
    pub sealed_at: Timestamp,
    /// How many devices it reads.
    pub devices: u64,
}

#[derive(Debug)]
struct AgentTrack {
    rhythm: Rhythm,
    heard_at: Timestamp,
    /// Since when it can be relied on: nothing is held against its devices before.
    fine_since: Timestamp,
}

impl AgentTrack {
    /// Of an agent that is looked at for the first time. What it delivers may be a backlog of more than `floor_ms`, as after a time without
    /// line: then its devices are not judged by what they said so far.
    fn new(seen: &AgentSeen, heard_at: Timestamp, now: Timestamp, floor_ms: i64) -> Self {
        let is_behind = heard_at.ms_since(seen.sealed_at) > floor_ms;
        Self {
            rhythm: Rhythm::new(heard_at),
            heard_at,
            fine_since: if is_behind { now } else { NEVER },
        }
    }
}

/// The state machine.
#[derive(Debug)]
pub struct Silences {
    rules: SilenceRules,
    /// When everybody was last looked at.
    looked_at: Option<Timestamp>,
    /// When the manager before this one looked last, as far as is known.
    there_until: Option<Timestamp>,
    absences: Absences,
    agents: HashMap<AgentId, AgentTrack>,
    devices: HashMap<DeviceId, Rhythm>,
    open: BTreeMap<Subject, Silence>,
    over: VecDeque<Silence>,
}

impl Silences {
    /// Nobody is known, nobody is silent.
    #[must_use]
    pub fn new(rules: SilenceRules) -> Self {
        Self {
            rules,
            looked_at: None,
            there_until: None,
            absences: Absences::default(),
            agents: HashMap::new(),
            devices: HashMap::new(),
            open: BTreeMap::new(),
            over: VecDeque::new(),
        }
    }

    /// Silences that last, and those that are over, the latest first.
    pub fn all(
        &self,
    ) -> (
        impl Iterator<Item = &Silence>,
        impl Iterator<Item = &Silence>,
    ) {
        (self.open.values(), self.over.iter().rev())
    }

    /// Looks at everybody. `is_taking` says whether this manager takes reports now: if not, nobody else is to blame.
    pub fn look(
        &mut self,
        now: Timestamp,
        is_taking: bool,
        agents: &[AgentSeen],
        devices: &[DeviceFresh],
    ) -> Vec<Turn> {
        let mut turns = Vec::new();
        match self.looked_at {
            Some(before) if !is_taking => self.absences.note(before, now),
            Some(_) => {}
            None => {
                // In which it was not there, told by the last that it did: it looked, or heard of anybody.
                let heard_at = agents.iter().filter_map(|seen| seen.heard_at).max();
                if let Some(since) = heard_at.max(self.there_until) {
                    self.absences.note(since, now);
                    turns.extend(own_absence(&self.rules, since, now));
                }
            }
        }
        self.looked_at = self.looked_at.max(Some(now));
        let mut silent = self.silent_agents(now, agents);
        blame_line(&mut silent, agents);
        let silent_devices = self.silent_devices(now, &silent, devices);
        silent.extend(silent_devices);
        turns.extend(self.turn(now, silent, agents));
        for turn in &turns {
            if let Turn::Over(silence) = turn {
                self.over.push_back(silence.clone());
            }
        }
        while self.over.len() > OVER_MAX {
            self.over.pop_front();
        }
        turns
    }

    fn silent_agents(
        &mut self,
        now: Timestamp,
        agents: &[AgentSeen],
    ) -> BTreeMap<Subject, Silence> {
        let rules = self.rules;
        let limits = (rules.agent_floor_ms, rules.agent_unknown_ms);
        self.agents
            .retain(|known, _| agents.iter().any(|seen| seen.agent == *known));
        let mut silent = BTreeMap::new();
        for seen in agents {
            let allowed_ms = match seen.heard_at {
                Some(heard_at) => {
                    let track = self
                        .agents
                        .entry(seen.agent.clone())
                        .or_insert_with(|| AgentTrack::new(seen, heard_at, now, limits.0));
                    let before = track.rhythm.heard_at();
                    let gap_ms = self.absences.there_ms(before, heard_at);
                    if track.rhythm.heard(heard_at, gap_ms, rules.factor, limits) {
                        track.fine_since = now;
                    }
                    track.heard_at = heard_at;
                    track.rhythm.allowed_ms(rules.factor, limits)
                }
                // Between its key and its first report somebody may have to travel.
                None => rules.device_unknown_ms,
            };
            let since = seen.heard_at.unwrap_or(seen.key_since);
            if self.absences.there_ms(since, now) <= allowed_ms {
                continue;
            }
            let subject = Subject::Agent(seen.agent.clone());
            silent.insert(
                subject.clone(),
                Silence {
                    subject,
                    site: Some(seen.site),
                    since,
                    until: None,
                    raised_at: now,
                    cause: Cause::Agent,
                    devices: seen.devices,
                },
            );
        }
        silent
    }

    fn silent_devices(
        &mut self,
        now: Timestamp,
        silent_agents: &BTreeMap<Subject, Silence>,
        devices: &[DeviceFresh],
    ) -> BTreeMap<Subject, Silence> {
        let rules = self.rules;
        let known: std::collections::HashSet<DeviceId> =
            devices.iter().map(|seen| seen.device).collect();
        self.devices.retain(|device, _| known.contains(device));
        let mut places: HashMap<(&AgentId, &str), Timestamp> = HashMap::new();
        let mut of_agent: HashMap<&AgentId, usize> = HashMap::new();
        for seen in devices {
            *of_agent.entry(&seen.agent).or_default() += 1;
            if let (Some(address), Some(at)) = (&seen.address, seen.observed_at) {
                let latest = places.entry((&seen.agent, address)).or_insert(at);
                *latest = (*latest).max(at);
            }
        }
        let mut silent: Vec<(&DeviceFresh, Silence)> = Vec::new();
        for seen in devices {
            let observed_at = seen.observed_at.unwrap_or(seen.first_seen_at);
            let rhythm = self
                .devices
                .entry(seen.device)
                .or_insert_with(|| Rhythm::new(observed_at));
            let limits = (rules.device_floor_ms, rules.device_unknown_ms);
            let agent = self.agents.get(&seen.agent);
            let fine_since = agent.map_or(NEVER, |agent| agent.fine_since);
            let before = rhythm.heard_at().max(fine_since);
            let gap_ms = self.absences.there_ms(before, observed_at);
            rhythm.heard(observed_at, gap_ms, rules.factor, limits);
            let is_agent_silent = silent_agents.contains_key(&Subject::Agent(seen.agent.clone()));
            let (false, Some(agent)) = (is_agent_silent, agent) else {
                continue;
            };
            // What came of it since the agent was last heard, nobody can tell.
            let (from, to) = (observed_at.max(fine_since), agent.heard_at.min(now));
            let allowed_ms = rhythm.allowed_ms(rules.factor, limits);
            let cause = if self.absences.there_ms(from, to) > allowed_ms {
                let place = seen
                    .address
                    .as_deref()
                    .and_then(|address| places.get(&(&seen.agent, address)));
                if place.is_some_and(|at| *at > observed_at) {
                    Cause::Moved
                } else {
                    Cause::NoAnswer
                }
            } else if !seen.has_meters
                && self.absences.there_ms(seen.first_seen_at, now) > rules.meters_ms
            {
                Cause::NoMeters
            } else {
                continue;
            };
            silent.push((
                seen,
                Silence {
                    subject: Subject::Device(seen.device),
                    site: Some(seen.site),
                    since: if cause == Cause::NoMeters {
                        seen.first_seen_at
                    } else {
                        observed_at
                    },
                    until: None,
                    raised_at: now,
                    cause,
                    devices: 1,
                },
            ));
        }
        blame_network(&mut silent, &of_agent);
        silent
            .into_iter()
            .map(|(_, silence)| (silence.subject.clone(), silence))
            .collect()
    }

    /// What opens and what closes.
    fn turn(
        &mut self,
        now: Timestamp,
        silent: BTreeMap<Subject, Silence>,
        agents: &[AgentSeen],
    ) -> Vec<Turn> {
        let mut turns = Vec::new();
        let over: Vec<Subject> = self
            .open
            .keys()
            .filter(|subject| !silent.contains_key(subject))
            .cloned()
            .collect();
        for subject in over {
            if let Some(mut silence) = self.open.remove(&subject) {
                silence.until = Some(now);
                if let Subject::Agent(id) = &subject
                    && let Some(seen) = agents.iter().find(|seen| seen.agent == *id)
                {
                    silence.cause = hindsight(&silence, seen);
                }
                turns.push(Turn::Over(silence));
            }
        }
        for (subject, silence) in silent {
            match self.open.get_mut(&subject) {
                Some(open) => {
                    // What more is known may tell another cause.
                    (open.cause, open.devices, open.site) =
                        (silence.cause, silence.devices, silence.site);
                }
                None => {
                    self.open.insert(subject, silence.clone());
                    turns.push(Turn::Raised(silence));
                }
            }
        }
        turns
    }
}

/// The time in which this manager was not there, when it is worth telling. How many devices were not heard for it is not told: everybody
/// sees it, and nobody else's fleet is his business.
fn own_absence(rules: &SilenceRules, since: Timestamp, now: Timestamp) -> Option<Turn> {
    (now.ms_since(since) > rules.agent_floor_ms).then_some(Turn::Over(Silence {
        subject: Subject::Manager,
        site: None,
        since,
        until: Some(now),
        raised_at: now,
        cause: Cause::Manager,
        devices: 0,
    }))
}
