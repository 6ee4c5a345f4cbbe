//! The wiring: everything is made here, in start order; stopping is the reverse.

use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use codec::model::DeviceReport;
use poller::profile::{ProfileError, ProfileSet};

use crate::clock::Clock;
use crate::collect::{Collector, Event, Setup};
use crate::config::AgentConfig;
use crate::deltas::Wanted;
use crate::names::Names;
use crate::snmp::SnmpSource;
use crate::snmp::profiles::Reload;
use crate::source::{Sink, Source};
use crate::spool::{Spool, SpoolError};
use crate::status::{StatusHandle, Teller};
use crate::stop::StopHandle;
use crate::upload::http::{HttpError, HttpTransport};
use crate::upload::{Chain, NeedFull, UploadOptions, Uploader};

/// Device reports between the sources and the collector: a full queue makes the sources wait.
const REPORTS_QUEUED_MAX: usize = 64;

/// Why an agent could not run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The spool.
    #[error("the spool cannot be opened")]
    Spool(#[from] SpoolError),
    /// The way to the manager.
    #[error("the way to the manager cannot be set up")]
    Transport(#[from] HttpError),
    /// The device profiles.
    #[error("the device profiles cannot be used")]
    Profiles(#[from] ProfileError),
    /// Sockets or threads.
    #[error("{what} cannot be started")]
    Start {
        /// What.
        what: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It ran, and something that it cannot do without ended.
    #[error("{0}; the agent ended itself, to be started again")]
    Failed(String),
}

/// Runs an agent until it is stopped.
///
/// # Errors
/// [`RunError`] when it cannot start: the spool cannot be opened, a certificate cannot be read, no socket can be had. What
/// happens afterwards (a manager away, a full disk) is logged, counted and survived, but for [`RunError::Failed`]: a thread that polls is
/// gone, so whoever started the agent has to start it anew. What was collected is in the spool.
pub fn run(config: AgentConfig, stop: StopHandle) -> Result<(), RunError> {
    run_observed(config, stop, StatusHandle::new())
}

/// Like [`run`], with counters that the caller can read.
///
/// # Errors
/// As [`run`].
pub fn run_observed(
    config: AgentConfig,
    stop: StopHandle,
    status: StatusHandle,
) -> Result<(), RunError> {
    run_controlled(
        config,
        Control {
            stop,
            status,
            reload: Reload::default(),
        },
    )
}

/// The handles on a running agent.
#[derive(Clone, Debug, Default)]
pub struct Control {
    /// Ends it.
    pub stop: StopHandle,
    /// Says what it does.
    pub status: StatusHandle,
    /// Has it read its device profiles anew.
    pub reload: Reload,
}

/// Like [`run`], with all handles on the agent.
///
/// # Errors
/// As [`run`].
#[allow(
    clippy::needless_pass_by_value,
    reason = "an agent owns its configuration; callers hand it over"
)]
pub fn run_controlled(config: AgentConfig, control: Control) -> Result<(), RunError> {
    let Control { stop, status, .. } = control.clone();
    if let Some(why) = config.nothing_to_find() {
        tracing::warn!("{why}");
        status.counters().ranges(why);
    }
    let clock = Clock::new();
    let profiles = Arc::new(ProfileSet::load(
        config.polling.profiles_directory.as_deref(),
    )?);
    let agent = config.manager.agent_id.clone();
    let spool = Arc::new(Mutex::new(Spool::open(&config.spool, &agent, clock.now())?));
    let transport = Arc::new(HttpTransport::new(&config.manager, clock)?);
    let (names, names_thread) = Names::start(&config.names).map_err(started("reverse DNS"))?;
    let (events, reports) = sync_channel(REPORTS_QUEUED_MAX);

    let snmp =
        SnmpSource::start(&config, profiles, clock, control).map_err(started("the SNMP source"))?;
    let sources = vec![SourceThread::start(Box::new(snmp), &events, &stop)?];
    let wanted: Vec<_> = sources
        .iter()
        .map(|source| Arc::clone(&source.need_full))
        .collect();

    let wanted_full = Wanted::default();
    // Without deltas nobody takes them out again.
    let noted_full = config.report.deltas.then(|| wanted_full.clone());
    let need_full: Arc<NeedFull> = Arc::new(move |handles| {
        if let Some(noted_full) = &noted_full {
            noted_full.note(&handles);
        }
        for source in &wanted {
            let mut wanted = source.lock().unwrap_or_else(PoisonError::into_inner);
            wanted.extend(handles.iter().cloned());
        }
    });
    let uploader = Uploader::start(
        &spool,
        transport,
        UploadOptions {
            in_flight: config.manager.in_flight,
            rate_bytes_max: config.manager.rate_bytes_max,
        },
        &need_full,
        &status,
        &stop,
    )
    .map_err(started("the uploader"))?;
    let uploader = Arc::new(uploader);

    tracing::info!(
        agent = agent.as_str(),
        manager = config.manager.url,
        spool = %config.spool.directory.display(),
        ranges = config.ranges.len(),
        "the agent runs"
    );
    let teller = Teller::start(
        agent.as_str(),
        config.spool.directory.clone(),
        &status,
        &stop,
    )
    .map_err(started("the status thread"))?;
    let waking = Arc::clone(&uploader);
    let mut collector = Collector::new(Setup {
        agent,
        config: config.report.clone(),
        clock,
        names,
        spool: Arc::clone(&spool),
        status,
        wanted: wanted_full,
        wake: Box::new(move |stream| waking.wake(stream)),
    });
    let stopping = events.clone();
    stop.on_stop(move || {
        // A full queue is emptied by the collector; the sources see the stop themselves and end, which ends it too.
        let _ = stopping.try_send(Event::Stop);
    });
    drop(events);
    collector.run(&reports);

    // Reached when the end was asked for, by whoever runs the agent or by what failed in it.
    stop.stop();
    drop(reports);
    for source in sources {
        source.join();
    }
    drop(collector);
    teller.join();
    match Arc::try_unwrap(uploader) {
        Ok(uploader) => uploader.join(),
        Err(_) => tracing::error!("the uploader is still in use; it ends by itself"),
    }
    if let Some(thread) = names_thread {
        thread.stop();
    }
    let settled = spool
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .settle();
    if let Err(error) = settled {
        tracing::error!(error = %Chain(&error), "the spool could not note what was delivered; some of it will be sent again");
    }
    tracing::info!("the agent has ended");
    stop.failure()
        .map_or(Ok(()), |what| Err(RunError::Failed(what)))
}

fn started(what: &'static str) -> impl FnOnce(io::Error) -> RunError {
    move |source| RunError::Start { what, source }
}

/// A source on a thread of its own.
struct SourceThread {
    name: &'static str,
    thread: JoinHandle<()>,
    need_full: Arc<Mutex<Vec<String>>>,
}

impl SourceThread {
    fn start(
        mut source: Box<dyn Source>,
        events: &SyncSender<Event>,
        stop: &StopHandle,
    ) -> Result<Self, RunError> {
        let name = source.name();
        let need_full = Arc::<Mutex<Vec<String>>>::default();
        let wanted = Arc::clone(&need_full);
        let stop = stop.clone();
        let mut sink = EventSink {
            events: events.clone(),
            stopped: OnceLock::new(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("source-{name}"))
            .spawn(move || {
                let _guard = Alive {
                    name,
                    stop: stop.clone(),
                };
                while !stop.is_stopped() && sink.stopped.get().is_none() {
                    let handles =
                        std::mem::take(&mut *wanted.lock().unwrap_or_else(PoisonError::into_inner));
                    if !handles.is_empty() {
                        source.need_full(&handles);
                    }
                    let next = source.work(Instant::now(), &mut sink);
                    stop.wait_until(next);
                }
                source.end();
            })
            .map_err(started("a source's thread"))?;
        Ok(Self {
            name,
            thread,
            need_full,
        })
    }

    fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!(source = self.name, "the source's thread panicked");
        }
    }
}

/// Ends the agent when the thread that holds it panics: without its source an agent would run and say nothing.
struct Alive {
    name: &'static str,
    stop: StopHandle,
}

impl Drop for Alive {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let name = self.name;
            tracing::error!(
                source = name,
                "the source's thread panicked (its message stands above): the agent ends with an error, so that the service manager \
                 starts it again; if this repeats, report it with that message"
            );
            self.stop.fail(&format!("the {name} source panicked"));
        }
    }
}

/// Hands reports to the collector.
struct EventSink {
    events: SyncSender<Event>,
    stopped: OnceLock<()>,
}

impl Sink for EventSink {
    fn report(&mut self, report: DeviceReport) -> bool {
        let taken = self.events.send(Event::Report(Box::new(report))).is_ok();
        if !taken {
            let _ = self.stopped.set(());
        }
        taken
    }
}

#[cfg(test)]
mod tests;
