//! Looks at everybody now and then, keeps what is silent to be asked, and says it to log and metrics.

use std::collections::HashMap;
use std::error::Error;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use codec::id::{AgentId, Scope};
use codec::time::Timestamp;
use olap::Store;
use registry::Registry;
use serde::Serialize;

use super::{AgentSeen, Cause, Silence, SilenceRules, Silences, Subject, Turn, kept};
use crate::ingest::Ingest;
use crate::metrics::{IngestMetrics, SilentLabel};
use crate::shard::ShardShared;

/// How often everybody is looked at: a question of some milliseconds, and the shortest floor is many times this.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Who is silent, and who was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SilenceReport {
    /// Silences that last: agents first, the longest first.
    pub open: Vec<Silence>,
    /// Silences that are over, the latest first.
    pub over: Vec<Silence>,
}

/// The watch's thread, and what others ask of it.
pub struct Watch {
    pub(crate) silences: Mutex<Silences>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) registry: Registry,
    pub(crate) shards: Vec<Arc<ShardShared>>,
    pub(crate) metrics: IngestMetrics,
    /// Where what was learned is kept; nowhere in a program that only looks.
    pub(crate) file: Option<PathBuf>,
}

impl Watch {
    pub(crate) fn new(
        rules: SilenceRules,
        store: Arc<dyn Store>,
        registry: Registry,
        shards: Vec<Arc<ShardShared>>,
        metrics: IngestMetrics,
        file: Option<PathBuf>,
    ) -> Self {
        let mut silences = Silences::new(rules);
        if let Some(file) = &file {
            kept::load(&mut silences, file);
        }
        Self {
            silences: Mutex::new(silences),
            file,
            store,
            registry,
            shards,
            metrics,
        }
    }

    /// Looks until the other end of `stop` is gone.
    pub(crate) fn run(&self, stop: &Receiver<()>) {
        let mut saved_at = Instant::now();
        loop {
            match self.look(Timestamp::now()) {
                Ok(()) if saved_at.elapsed() >= kept::SAVE_EVERY => {
                    saved_at = Instant::now();
                    self.save();
                }
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(error = &*error, "who is silent cannot be told now");
                }
            }
            match stop.recv_timeout(LOOK_EVERY) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                    self.save();
                    return;
                }
            }
        }
    }

    /// Keeps what was learned, if anybody was looked at.
    fn save(&self) {
        let Some(path) = &self.file else { return };
        let file = {
            let silences = self.lock();
            if silences.looked_at.is_none() {
                return;
            }
            kept::to_bytes(&silences)
        };
        if let Err(error) = kept::save(&file, path) {
            tracing::warn!(path = %path.display(), %error, "what was learned of rhythms could not be kept; a restart would learn it anew");
        }
    }

    /// Looks once, as if it were `now`.
    pub(crate) fn look(&self, now: Timestamp) -> Result<(), Box<dyn Error>> {
        let is_taking = self.shards.iter().all(|shard| shard.is_writable());
        let agents = self.agents()?;
        let heard_at = agents.iter().filter_map(|seen| seen.heard_at).max();
        self.metrics
            .last_heard_timestamp_seconds
            .set(heard_at.map_or(0, |at| at.unix_ms / 1000));
        let devices = self.store.freshness(&Scope::Everything)?;
        let turns = {
            let mut silences = self.lock();
            let turns = silences.look(now, is_taking, &agents, &devices);
            self.count(&silences);
            turns
        };
        for turn in turns {
            say(&turn);
        }
        Ok(())
    }

    fn agents(&self) -> Result<Vec<AgentSeen>, Box<dyn Error>> {
        let heard: HashMap<AgentId, _> = self
            .store
            .agents_heard(&Scope::Everything)?
            .into_iter()
            .map(|heard| (heard.agent.clone(), heard))
            .collect();
        let agents = self.registry.agents(&Scope::Everything)?;
        let used = agents
            .into_iter()
            .filter(|agent| !agent.disabled && agent.has_token);
        Ok(used
            .map(|agent| {
                let heard = heard.get(&agent.id);
                AgentSeen {
                    site: agent.site,
                    key_since: agent.key_since.unwrap_or(agent.created_at),
                    customer: agent.customer,
                    heard_at: heard.map(|heard| heard.heard_at),
                    sealed_at: heard.map_or(Timestamp::default(), |heard| {
                        let ahead_ms = heard.clock_ahead_ms.unwrap_or(0);
                        heard.sealed_at.plus_ms(ahead_ms.saturating_neg())
                    }),
                    devices: heard.map_or(0, |heard| heard.devices),
                    agent: agent.id,
                }
            })
            .collect())
    }

    fn count(&self, silences: &Silences) {
        let mut counts: HashMap<SilentLabel, i64> = HashMap::new();
        for cause in Cause::ALL {
            for kind in ["agent", "device"] {
                counts.insert(label(kind, cause), 0);
            }
        }
        let (open, _) = silences.all();
        for silence in open {
            let kind = match silence.subject {
                Subject::Agent(_) => "agent",
                Subject::Device(_) => "device",
                Subject::Manager => continue,
            };
            *counts.entry(label(kind, silence.cause)).or_default() += 1;
        }
        for (label, count) in counts {
            self.metrics.silent.get_or_create(&label).set(count);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Silences> {
        self.silences.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn label(kind: &'static str, cause: Cause) -> SilentLabel {
    SilentLabel {
        kind,
        cause: cause.word(),
    }
}

fn say(turn: &Turn) {
    let (silence, word) = match turn {
        Turn::Raised(silence) => (silence, "silent"),
        Turn::Over(silence) => (silence, "heard of again"),
    };
    let who = match &silence.subject {
        Subject::Manager => {
            tracing::warn!(since = %silence.since, "this manager was not there to hear anybody");
            return;
        }
        Subject::Agent(agent) => format!("agent {agent}"),
        // A fleet switches off at night: what is usual is no warning.
        Subject::Device(device) => {
            tracing::info!(%device, cause = silence.cause.word(), since = %silence.since, "a device is {word}");
            return;
        }
    };
    tracing::warn!(who, cause = silence.cause.word(), since = %silence.since, devices = silence.devices, "{word}");
}

impl Ingest {
    /// Who is silent at the sites in `scope`, and who was. The manager's own absences are everybody's.
    #[must_use]
    pub fn silences(&self, scope: &Scope) -> SilenceReport {
        let silences = self.watch.lock();
        let (open, over) = silences.all();
        let seen = |silence: &&Silence| silence.site.is_none_or(|site| scope.sees(site));
        let mut report = SilenceReport {
            open: open.filter(seen).cloned().collect(),
            over: over.filter(seen).cloned().collect(),
        };
        report.open.sort_by_key(|silence| {
            let is_device = matches!(silence.subject, Subject::Device(_));
            (is_device, silence.since)
        });
        report
    }

    /// When silence is worth an alert here.
    #[must_use]
    pub const fn silence_rules(&self) -> SilenceRules {
        self.config.silence
    }

    /// Looks at once who is silent, as if it were `now`. Blocks.
    ///
    /// # Errors
    /// When store or registry fail.
    pub fn look_for_silence(&self, now: Timestamp) -> Result<(), Box<dyn Error>> {
        self.watch.look(now)
    }
}
