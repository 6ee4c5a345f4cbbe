//! A start that cannot be yet waits, and goes on by itself.
//!
//! | in the way | then |
//! |---|---|
//! | the disk has no room for what registry or store must write to open | the listener answers 503 and says why; tried again until there is room |
//! | another program has the store open (`platen store check`, the manager before this one) | the same |
//! | all else: a file of a newer program, rights that are missing | the program ends with a sentence: it takes a hand |

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use olap::StoreError;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};
use web::waiting::Waiting;
use web::{Connections, Tls, TlsFiles};

use crate::failure::{Doing, Failure};
use crate::stop::Stop;

/// The wait after the first attempt, growing to [`AGAIN_MAX`].
const AGAIN_MIN: Duration = Duration::from_millis(500);
/// The longest wait: who made room wants to see it noticed.
const AGAIN_MAX: Duration = Duration::from_secs(5);

/// How often the log repeats the same reason: it may be on the disk that is full.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What a waiting manager is reached by.
pub struct Door<'a> {
    /// Where it will listen.
    pub listener: &'a TcpListener,
    /// Certificate and key; plain HTTP without.
    pub tls: Option<&'a TlsFiles>,
    /// What the pages and the metrics need to know.
    pub web: &'a web::Config,
}

/// Makes sure that there is a data folder that can be written.
///
/// # Errors
/// When this program may not write there: that takes a hand. A full disk is none.
pub fn check_data(data: &Path) -> Result<(), Failure> {
    let made = std::fs::create_dir_all(data).and_then(|()| ingest::room::probe(data));
    match made {
        Err(error) if ingest::room::is_full(&error) => Ok(()),
        made => made.doing(|| {
            format!(
                "write in the data folder {}: the account that runs this program must be allowed to, on a file system that is not read-only",
                data.display()
            )
        }),
    }
}

/// Tries `start` until it succeeds; `None` when the end is asked for before. While what is in the way may pass by itself, `door` answers.
///
/// # Errors
/// Of `start`, where only a hand helps; of the door.
pub async fn start_when_possible<T>(
    data: &Path,
    door: Door<'_>,
    stop: &Stop,
    mut start: impl FnMut() -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let mut waiting: Option<Serving> = None;
    let mut again = AGAIN_MIN;
    let mut told = Told::default();
    loop {
        let failure = match start() {
            Ok(started) => {
                if let Some(serving) = waiting {
                    serving.end().await;
                    info!("what was in the way is gone");
                }
                return Ok(Some(started));
            }
            Err(failure) => failure,
        };
        let Some(reason) = in_the_way(&failure, data) else {
            return Err(failure);
        };
        match &waiting {
            Some(serving) => serving.waiting.set_reason(reason),
            None => waiting = Some(Serving::begin(&door, reason)?),
        }
        if told.is_due(reason, Instant::now()) {
            warn!(reason, error = %failure, "the manager cannot begin yet; it tries again every few seconds, and answers 503 meanwhile");
        }
        tokio::select! {
            () = stop.clone().wait() => {
                if let Some(serving) = waiting {
                    serving.end().await;
                }
                return Ok(None);
            }
            () = tokio::time::sleep(again) => {}
        }
        again = (again * 2).min(AGAIN_MAX);
    }
}

/// What the log was told last, and when.
#[derive(Default)]
struct Told(Option<(&'static str, Instant)>);

impl Told {
    /// Whether the log is to be told of `reason` at `now`: it is another, or was told long ago. Notes that it is.
    fn is_due(&mut self, reason: &'static str, now: Instant) -> bool {
        let is_due = self.0.is_none_or(|(before, at)| {
            before != reason || now.saturating_duration_since(at) >= TELL_EVERY
        });
        if is_due {
            self.0 = Some((reason, now));
        }
        is_due
    }
}

/// What is in the way that may pass by itself, as a stable word.
fn in_the_way(failure: &Failure, data: &Path) -> Option<&'static str> {
    let mut next = Some(failure.cause());
    while let Some(error) = next {
        if let Some(StoreError::Locked { .. }) = error.downcast_ref() {
            return Some("store-locked");
        }
        next = error.source();
    }
    ingest::room::is_wanting(failure.cause(), data).then_some(ingest::room::DISK_FULL)
}

/// The door, while it answers that the manager cannot begin.
struct Serving {
    waiting: Waiting,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Serving {
    fn begin(door: &Door<'_>, reason: &'static str) -> Result<Self, Failure> {
        let listener = door
            .listener
            .try_clone()
            .doing(|| "listen while the manager cannot begin".to_owned())?;
        let tls = door
            .tls
            .map(|files| {
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                Tls::load(files.clone(), provider).doing(|| "set up HTTPS".to_owned())
            })
            .transpose()?;
        let waiting = Waiting::new(door.web.clone(), reason);
        let router = web::waiting::router(waiting.clone());
        let (stop, stopped) = oneshot::channel();
        let serving = web::serve(listener, tls, router, Connections::default(), async {
            // Dropped or sent: both are the end.
            let _ = stopped.await;
        });
        let task = tokio::spawn(async move {
            if let Err(error) = serving.await {
                error!(%error, "nobody can be told that the manager cannot begin");
            }
        });
        Ok(Self {
            waiting,
            stop,
            task,
        })
    }

    async fn end(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            error!(%error, "what answered meanwhile failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn failure(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
        Err::<(), _>(error)
            .doing(|| "open the store".to_owned())
            .unwrap_err()
    }

    #[test]
    fn what_may_pass_is_waited_for_and_what_takes_a_hand_is_not() {
        let data = tempfile::tempdir().unwrap();
        let told = |failure: Failure| in_the_way(&failure, data.path());
        let locked = StoreError::Locked {
            path: "store.duckdb".into(),
            source: "it is open".into(),
        };
        assert_eq!(told(failure(locked)), Some("store-locked"));
        let full = StoreError::Open {
            path: "store.duckdb".into(),
            source: io::Error::from(io::ErrorKind::StorageFull).into(),
        };
        assert_eq!(told(failure(full)), Some("disk-full"));
        let newer = StoreError::SchemaTooNew { found: 9, known: 4 };
        assert_eq!(told(failure(newer)), None);
        assert_eq!(told(Failure::new("a key is missing")), None);
    }

    #[test]
    fn the_log_is_told_at_once_of_another_reason_and_seldom_of_the_same() {
        let (mut told, begun) = (Told::default(), Instant::now());
        let mut at = |reason, s| told.is_due(reason, begun + Duration::from_secs(s));
        assert!(at("disk-full", 0) && !at("disk-full", 5) && !at("disk-full", 59));
        assert!(at("disk-full", 60) && !at("disk-full", 65));
        assert!(at("store-locked", 66) && at("disk-full", 67));
    }

    #[test]
    fn a_data_folder_that_cannot_be_written_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data");
        std::fs::write(&file, b"a file in the way").unwrap();
        let told = check_data(&file).unwrap_err().to_string();
        assert!(told.contains(&file.display().to_string()), "{told}");
        assert!(told.contains("must be allowed to"), "{told}");
        check_data(&folder.path().join("new/folder")).unwrap();
    }
}
