//! What reverse DNS says about addresses: asked in the background, cached, bounded. Whoever wants a name gets what is known now
//! and never waits.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use tokio::sync::{Semaphore, mpsc};

use crate::config::{NamesConfig, ReverseDns};

/// The most names that are kept: four /16 networks of printers.
const NAMES_MAX: usize = 262_144;
/// The most questions that wait; what is beyond is asked at the device's next report.
const QUESTIONS_MAX: usize = 4096;
/// The most questions under way at once: a resolver at a branch is a small box.
const QUESTIONS_AT_ONCE: usize = 16;
/// A name is kept at least for so long, whatever its TTL says.
const KEEP_MIN: Duration = Duration::from_secs(60);

/// What is known, and the way to ask for more. Clones share both.
#[derive(Clone)]
pub struct Names {
    known: Arc<Mutex<Known>>,
    questions: Option<mpsc::Sender<IpAddr>>,
    resolver: ReverseDns,
}

#[derive(Default)]
struct Known {
    names: HashMap<IpAddr, Entry>,
    asked: HashSet<IpAddr>,
}

struct Entry {
    name: Option<String>,
    until: Instant,
}

/// The thread that asks. It ends when the last [`Names`] is gone or [`NamesThread::stop`] is called.
pub struct NamesThread {
    thread: Option<JoinHandle<()>>,
    stop: Arc<tokio::sync::Notify>,
}

impl Names {
    /// No names at all.
    #[must_use]
    pub fn off() -> Self {
        Self {
            known: Arc::default(),
            questions: None,
            resolver: ReverseDns::Off,
        }
    }

    /// Starts asking as configured.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(config: &NamesConfig) -> io::Result<(Self, Option<NamesThread>)> {
        if config.reverse_dns == ReverseDns::Off {
            return Ok((Self::off(), None));
        }
        let resolver = match resolver(config) {
            Ok(resolver) => resolver,
            Err(error) => {
                tracing::warn!(%error, "this machine's resolver cannot be used: no names by reverse DNS");
                return Ok((Self::off(), None));
            }
        };
        let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
        let known = Arc::<Mutex<Known>>::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let stop = Arc::new(tokio::sync::Notify::new());
        let answers = Arc::clone(&known);
        let (keep, stopped) = (config.keep, Arc::clone(&stop));
        let timeout = config.timeout;
        let thread = std::thread::Builder::new()
            .name("names".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = ask(resolver, asked, answers, keep, timeout) => {}
                        () = stopped.notified() => {}
                    }
                });
                runtime.shutdown_background();
            })?;
        let names = Self {
            known,
            questions: Some(questions),
            resolver: config.reverse_dns,
        };
        let thread = NamesThread {
            thread: Some(thread),
            stop,
        };
        Ok((names, Some(thread)))
    }

    /// Sees to it that the name of the address will be known, if it can be. Never waits.
    pub fn request(&self, address: IpAddr) {
        let Some(questions) = &self.questions else {
            return;
        };
        if !may_name(self.resolver, address) {
            return;
        }
        let mut known = self.lock();
        let is_fresh = known
            .names
            .get(&address)
            .is_some_and(|entry| entry.until > Instant::now());
        if is_fresh || known.asked.contains(&address) {
            return;
        }
        if questions.try_send(address).is_ok() {
            known.asked.insert(address);
        }
    }

    /// The name, if it is known now. One that is being refreshed is still known.
    #[must_use]
    pub fn known(&self, address: IpAddr) -> Option<String> {
        self.lock().names.get(&address)?.name.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NamesThread {
    /// Ends the thread, whatever is under way.
    pub fn stop(mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the names thread panicked");
        }
    }
}

/// One question about one address, under way: for a program that wants a single name.
pub struct PendingName {
    answer: std::sync::mpsc::Receiver<Option<String>>,
    until: Instant,
}

impl PendingName {
    /// Asks as configured; the answer is waited for no longer than `config.timeout` from now. `None` when there is nothing to ask:
    /// names are off, or the address is a loopback address and this machine's resolver would be asked.
    #[must_use]
    pub fn ask(config: NamesConfig, address: IpAddr) -> Option<Self> {
        if !may_name(config.reverse_dns, address) {
            return None;
        }
        let until = Instant::now() + config.timeout;
        let (sender, answer) = std::sync::mpsc::sync_channel(1);
        let asking = std::thread::Builder::new().name("name".to_owned());
        let asking = asking.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let (Ok(resolver), Ok(runtime)) = (resolver(&config), runtime) else {
                return;
            };
            let (keep, timeout) = (config.keep, config.timeout);
            let (name, _) = runtime.block_on(look_up(&resolver, address, keep, timeout));
            // Nobody waits any more: then nobody needs it.
            let _ = sender.send(name);
            runtime.shutdown_background();
        });
        asking.ok().map(|_| Self { answer, until })
    }

    /// The name, if it comes in time.
    #[must_use]
    pub fn take(self) -> Option<String> {
        let left = self.until.saturating_duration_since(Instant::now());
        self.answer.recv_timeout(left).ok().flatten()
    }
}

/// Whether this resolver may have a name for this address. This machine's own has none for loopback addresses that would name a
/// printer, so it is not asked.
const fn may_name(resolver: ReverseDns, address: IpAddr) -> bool {
    match resolver {
        ReverseDns::Off => false,
        ReverseDns::System => !address.to_canonical().is_loopback(),
        ReverseDns::Server(_) => true,
    }
}

fn resolver(config: &NamesConfig) -> Result<TokioResolver, hickory_resolver::net::NetError> {
    let mut builder = match config.reverse_dns {
        ReverseDns::Server(address) => {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
                .map(|mut connection| {
                    connection.port = address.port();
                    connection
                })
                .to_vec();
            let server = NameServerConfig::new(address.ip(), true, connections);
            TokioResolver::builder_with_config(
                ResolverConfig::from_parts(None, Vec::new(), vec![server]),
                TokioRuntimeProvider::default(),
            )
        }
        ReverseDns::System | ReverseDns::Off => TokioResolver::builder_tokio()?,
    };
    let options = builder.options_mut();
    options.timeout = config.timeout;
    options.attempts = 1;
    builder.build()
}

async fn ask(
    resolver: TokioResolver,
    mut asked: mpsc::Receiver<IpAddr>,
    answers: Arc<Mutex<Known>>,
    keep: Duration,
    timeout: Duration,
) {
    let permits = Arc::new(Semaphore::new(QUESTIONS_AT_ONCE));
    while let Some(address) = asked.recv().await {
        let permit = Arc::clone(&permits)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let (resolver, answers) = (resolver.clone(), Arc::clone(&answers));
        tokio::spawn(async move {
            let (name, until) = look_up(&resolver, address, keep, timeout).await;
            let mut known = answers.lock().unwrap_or_else(PoisonError::into_inner);
            known.asked.remove(&address);
            known.insert(address, Entry { name, until });
            drop(permit);
        });
    }
}

async fn look_up(
    resolver: &TokioResolver,
    address: IpAddr,
    keep: Duration,
    timeout: Duration,
) -> (Option<String>, Instant) {
    let now = Instant::now();
    match tokio::time::timeout(timeout, resolver.reverse_lookup(address)).await {
        Ok(Ok(lookup)) => {
            let name = lookup
                .answers()
                .iter()
                .find_map(|record| match &record.data {
                    RData::PTR(name) => Some(name.0.to_utf8().trim_end_matches('.').to_lowercase()),
                    _ => None,
                });
            let until = lookup
                .valid_until()
                .clamp(now + KEEP_MIN.min(keep), now + keep);
            // The resolver says "localhost" of all loopback addresses without asking anybody: that names no printer.
            (
                name.filter(|name| !name.is_empty() && name != "localhost"),
                until,
            )
        }
        // No name, or no answer: not asked again before the time is over.
        Ok(Err(_)) | Err(_) => (None, now + keep),
    }
}

impl Known {
    fn insert(&mut self, address: IpAddr, entry: Entry) {
        if self.names.len() >= NAMES_MAX {
            let now = Instant::now();
            self.names.retain(|_, entry| entry.until > now);
        }
        if self.names.len() < NAMES_MAX {
            self.names.insert(address, entry);
        }
    }
}

#[cfg(test)]
mod tests;
