//! A few connections that read: a question takes one, asks within one snapshot, and gives it back.

use std::error::Error;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use duckdb::Connection;

use crate::cursor::CursorError;
use crate::error::StoreError;

/// How long a question waits for a reader, in milliseconds: longer than any question takes, shorter than a browser waits.
const READER_WAIT_MS_MAX: u64 = 20_000;

/// Why a question failed, before it is known which.
#[derive(Debug)]
pub(super) enum AskError {
    /// DuckDB refused.
    Engine(duckdb::Error),
    /// It is ours already.
    Ours(StoreError),
}

impl From<duckdb::Error> for AskError {
    fn from(error: duckdb::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<StoreError> for AskError {
    fn from(error: StoreError) -> Self {
        Self::Ours(error)
    }
}

impl From<CursorError> for AskError {
    fn from(error: CursorError) -> Self {
        Self::Ours(error.into())
    }
}

pub(super) type Answer<T> = Result<T, AskError>;

/// The readers that are free.
#[derive(Debug)]
pub(super) struct Readers {
    free: Mutex<Vec<Connection>>,
    came_free: Condvar,
    count: u32,
}

impl Readers {
    pub fn new(connection: &Connection, count: u32) -> duckdb::Result<Self> {
        let free = (0..count)
            .map(|_| super::another(connection))
            .collect::<duckdb::Result<Vec<_>>>()?;
        Ok(Self {
            free: Mutex::new(free),
            came_free: Condvar::new(),
            count,
        })
    }

    /// Asks `question` of one snapshot of the store.
    pub fn ask<T>(
        &self,
        question: &'static str,
        ask: impl FnOnce(&Connection) -> Answer<T>,
    ) -> Result<T, StoreError> {
        self.take()?.ask(question, ask)
    }

    /// As [`ask`](Self::ask); `None` when every reader is busy.
    pub fn ask_if_free<T>(
        &self,
        question: &'static str,
        ask: impl FnOnce(&Connection) -> Answer<T>,
    ) -> Result<Option<T>, StoreError> {
        let free = self.lock().pop();
        free.map(|connection| self.lend(connection).ask(question, ask))
            .transpose()
    }

    /// Takes every reader out, as they come free: questions wait until others are put in.
    pub fn take_all(&self) -> Result<Vec<Connection>, StoreError> {
        let mut all = Vec::new();
        for _ in 0..self.count {
            match self.take() {
                Ok(mut taken) => all.extend(taken.connection.take()),
                Err(error) => {
                    self.put_all(all);
                    return Err(error);
                }
            }
        }
        Ok(all)
    }

    /// Puts readers in that were taken out, or others in their place.
    pub fn put_all(&self, readers: Vec<Connection>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.extend(readers);
        self.came_free.notify_all();
    }

    fn take(&self) -> Result<Taken<'_>, StoreError> {
        let deadline = Instant::now() + Duration::from_millis(READER_WAIT_MS_MAX);
        let mut free = self.lock();
        loop {
            if let Some(connection) = free.pop() {
                return Ok(self.lend(connection));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StoreError::Busy {
                    waited_ms: READER_WAIT_MS_MAX,
                });
            }
            free = self
                .came_free
                .wait_timeout(free, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    const fn lend(&self, connection: Connection) -> Taken<'_> {
        Taken {
            readers: self,
            connection: Some(connection),
            in_snapshot: false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader that is given back when it is dropped, also by a panic.
struct Taken<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
    in_snapshot: bool,
}

impl Taken<'_> {
    /// Asks `question` of one snapshot, and gives the reader back.
    fn ask<T>(
        mut self,
        question: &'static str,
        ask: impl FnOnce(&Connection) -> Answer<T>,
    ) -> Result<T, StoreError> {
        let failed = |source: duckdb::Error| StoreError::Ask {
            question,
            source: Box::<dyn Error + Send + Sync>::from(source),
        };
        self.connection().execute_batch("BEGIN").map_err(failed)?;
        self.in_snapshot = true;
        let answer = ask(self.connection()).map_err(|error| match error {
            AskError::Engine(source) => failed(source),
            AskError::Ours(error) => error,
        });
        let answer = answer?;
        self.connection().execute_batch("COMMIT").map_err(failed)?;
        self.in_snapshot = false;
        Ok(answer)
    }

    fn connection(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("it is there until it is dropped")
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            if self.in_snapshot {
                // A failed question left its transaction open; it only read, so nothing can be lost with it.
                let _ = connection.execute_batch("ROLLBACK");
            }
            self.readers.lock().push(connection);
            self.readers.came_free.notify_one();
        }
    }
}
