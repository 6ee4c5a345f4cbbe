//! Reports as agents send them, delivered to a manager over HTTP or HTTPS, each until its receipt.
//!
//! | module | what it holds |
//! |---|---|
//! | [`make`] | an invented fleet per agent, sealed report by report before anything is sent |
//! | [`http`] | one connection: TLS or plain, POST and GET over HTTP/1.1 |
//! | [`deliver`] | agents that connect, deliver in order and honour what the manager answers |
//! | [`tally`] | what came of it: counts, latencies, as a table and as JSON |
//! | [`verify`] | asking the manager until everything is applied, and whether it is there once |
//!
//! What always holds: a report counts as delivered only by a receipt that echoes its whole key; everything is sealed before the first
//! connection is made, so that what is measured is the manager's work and the wire's.

pub mod deliver;
pub mod http;
pub mod make;
pub mod tally;
pub mod verify;

use std::fmt;
use std::path::Path;

use codec::id::AgentId;

/// An agent that the manager knows.
#[derive(Clone)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// Its bearer token.
    pub token: String,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is a secret.
        f.debug_struct("Agent")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line of the agents' file is none.
    #[error("{}, line {line}: expected an agent's id and its token, as `platen agent add` prints them", path.display())]
    Agents {
        /// The file.
        path: std::path::PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// Fewer agents than asked for.
    #[error("{known} agents are known, {asked} are asked for: `platen agent add-many` makes them")]
    TooFewAgents {
        /// In the file.
        known: usize,
        /// On the command line.
        asked: usize,
    },
    /// The manager's URL is none.
    #[error(
        "{0:?} is no URL of a manager on this machine, such as http://127.0.0.1:8000 or https://localhost:8443"
    )]
    Url(String),
    /// The certificates cannot be used.
    #[error("the certificates of {} cannot be used: {problem}", path.display())]
    Certificates {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The manager could not be asked.
    #[error("cannot ask the manager for {what}")]
    Ask {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: http::HttpError,
    },
    /// The manager answered something else.
    #[error("the manager answers {status} to {path}{hint}")]
    Status {
        /// The address.
        path: String,
        /// The status.
        status: u16,
        /// What may help.
        hint: &'static str,
    },
    /// The verification did not come out as it should.
    #[error("{0}")]
    Verification(String),
}

/// Reads agents, one a line: id, blank or tab, token. Lines that are empty or begin with `#` are left out.
///
/// # Errors
/// [`ReportsError`] names file and line.
pub fn read_agents(path: &Path) -> Result<Vec<Agent>, ReportsError> {
    let text = std::fs::read_to_string(path).map_err(|source| ReportsError::Read {
        path: path.to_owned(),
        source,
    })?;
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|(at, line)| {
            let mut words = line.split_whitespace();
            let id = words.next().and_then(|id| id.parse().ok());
            match (id, words.next()) {
                (Some(id), Some(token)) => Ok(Agent {
                    id,
                    token: token.to_owned(),
                }),
                _ => Err(ReportsError::Agents {
                    path: path.to_owned(),
                    line: at + 1,
                }),
            }
        })
        .collect()
}

/// A run from sealing to the summary.
#[derive(Clone, Debug)]
pub struct Run {
    /// What each agent delivers.
    pub plan: make::Plan,
    /// How the agents go about it.
    pub pace: deliver::Pace,
    /// Wait at most so long until the manager has applied everything; `None` does not ask it.
    pub verify: Option<std::time::Duration>,
    /// Who asks the API how many devices there are: the value of an `Authorization` header.
    pub authorization: Option<String>,
    /// The manager's process, whose memory and processor time are then told.
    pub pid: Option<u32>,
}

/// Seals everything, delivers it, and verifies it if that is asked for.
///
/// # Errors
/// [`ReportsError`] when the manager cannot be asked, or when what it says does not come out even. Reports that were refused or given up
/// are no error: the summary counts them.
pub async fn run(
    target: &http::Target,
    agents: Vec<Agent>,
    run: &Run,
) -> Result<tally::Summary, ReportsError> {
    let ids: Vec<AgentId> = agents.iter().map(|agent| agent.id.clone()).collect();
    let sealed = make::seal_all(&ids, &run.plan);
    let planned: u64 = sealed.iter().map(|reports| reports.len() as u64).sum();
    let before = match run.verify {
        Some(_) => Some(verify::counters(target).await?),
        None => None,
    };
    let cpu_before = run.pid.map(verify::cpu_seconds);
    let began = std::time::Instant::now();
    let work = agents.into_iter().zip(sealed).collect();
    let tally = deliver::deliver(target, work, run.pace).await;
    let mut summary = tally.summary(planned);
    if let (Some(longest), Some(before)) = (run.verify, before) {
        let delivered = (tally.reports, tally.devices);
        let mut applied =
            verify::wait_until_applied(target, before, delivered, began, longest).await?;
        if let Some(authorization) = &run.authorization {
            let expected = ids.len() as u64 * run.plan.devices as u64;
            let known = verify::wait_until_known(target, authorization, expected).await?;
            applied.devices_known = Some(known);
            // The counters move before the store has committed; what the API shows is there.
            applied.took(began.elapsed());
        }
        summary.applied = Some(applied);
    }
    summary.manager = run
        .pid
        .zip(cpu_before)
        .map(|(pid, before)| verify::Process {
            peak_bytes: verify::peak_bytes(pid),
            cpu_seconds: verify::cpu_seconds(pid) - before,
        });
    Ok(summary)
}
