//! The file: how it is opened, who writes, who reads, and how an older one becomes a newer one.
//!
//! One connection writes, behind a mutex; a few read. The journal mode is WAL, so that readers never wait for the writer, and
//! `synchronous` is FULL: what was committed is on disk. An in-memory database has one connection for both.

use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};

use crate::error::{During, Error};
use crate::locked;

/// What the writer keeps of the file in memory, in KiB: the rows of a batch of new devices go to pages all over the tables, and a page that
/// was dropped is read and written again.
const WRITER_CACHE_KIB: i64 = 24 << 10;
/// The write-ahead log is worked into the file when it has so many pages (32 MB): each time writes every page that changed, and waits for
/// the disk.
const WAL_PAGES_MAX: i64 = 8_192;
/// Connections kept for readers: pages and checks are short, and few run at once.
const READERS_KEPT_MAX: usize = 4;
/// How long one connection waits for another program's lock (a backup, the CLI beside a running manager).
const BUSY_TIMEOUT_MS: u64 = 5_000;
/// Marks a SQLite file as a registry of ours ("Pltn").
const APPLICATION_ID: i64 = 0x506c_746e;
/// The setting that counts changes of what is kept in memory.
const GENERATION_KEY: &str = "registry.generation";
/// Every schema step, in order. A step is never changed once it was released; the next is added.
const MIGRATIONS: [&str; 6] = [
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
];

/// The connections to one registry file.
pub struct Database {
    readers: Option<Readers>,
    /// Closed last, behind those that only read: it works the write-ahead log into the file then and removes it.
    writer: Mutex<Connection>,
}

struct Readers {
    path: std::path::PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Database {
    /// Opens or makes the file and brings its schema up to date.
    ///
    /// # Errors
    /// When it cannot be opened, is something else, or has a newer schema.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let opened = |source| Error::Open {
            path: path.to_owned(),
            source,
        };
        make_private(path);
        let mut writer = Connection::open(path).map_err(opened)?;
        prepare(&writer).map_err(opened)?;
        writer
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(opened)?;
        for (pragma, value) in [
            ("cache_size", -WRITER_CACHE_KIB),
            ("wal_autocheckpoint", WAL_PAGES_MAX),
        ] {
            writer.pragma_update(None, pragma, value).map_err(opened)?;
        }
        migrate(&mut writer)?;
        Ok(Self {
            writer: Mutex::new(writer),
            readers: Some(Readers {
                path: path.to_owned(),
                idle: Mutex::new(Vec::new()),
            }),
        })
    }

    /// A database without a file.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn in_memory() -> Result<Self, Error> {
        let mut writer = Connection::open_in_memory().during("open a database in memory")?;
        prepare(&writer).during("prepare a database in memory")?;
        migrate(&mut writer)?;
        Ok(Self {
            writer: Mutex::new(writer),
            readers: None,
        })
    }

    /// Runs `work` in a transaction that is committed when it returns `Ok`, and rolled back when not.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut writer = self.writer();
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .during("begin a transaction")?;
        let value = work(&transaction)?;
        transaction.commit().during("commit")?;
        Ok(value)
    }

    /// As [`Database::write`], for what other handles keep in memory: they notice, in other processes too.
    pub(crate) fn change<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.write(|transaction| {
            let value = work(transaction)?;
            transaction
                .execute(
                    "INSERT INTO setting (key, value) VALUES (?1, '1')
                     ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)",
                    [GENERATION_KEY],
                )
                .during("note a change")?;
            Ok(value)
        })
    }

    /// A number that grows with every [`Database::change`], whoever makes it.
    pub(crate) fn generation(&self) -> Result<i64, Error> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT CAST(value AS INTEGER) FROM setting WHERE key = ?1")
                .and_then(|mut statement| {
                    statement
                        .query_row([GENERATION_KEY], |row| row.get(0))
                        .optional()
                })
                .map(Option::unwrap_or_default)
                .during("look for changes")
        })
    }

    /// Whether another process can change it.
    pub(crate) const fn is_shared(&self) -> bool {
        self.readers.is_some()
    }

    /// Runs `work` on a connection that must only read.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Some(readers) = &self.readers else {
            return work(&self.writer());
        };
        let idle = locked(&readers.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => readers.connect()?,
        };
        let value = work(&connection);
        let mut idle = locked(&readers.idle);
        if idle.len() < READERS_KEPT_MAX {
            idle.push(connection);
        }
        value
    }

    /// The writing connection, for as long as the guard lives.
    pub(crate) fn writer(&self) -> MutexGuard<'_, Connection> {
        locked(&self.writer)
    }

    /// What SQLite finds wrong in the file: pages, indexes, and rows that point at nothing. Empty when all is well.
    pub(crate) fn check(&self) -> Result<Vec<String>, Error> {
        self.read(|connection| {
            let mut faults = Vec::new();
            let mut statement = connection
                .prepare("PRAGMA integrity_check")
                .during("check the file")?;
            let found = statement
                .query_map([], |row| row.get::<_, String>(0))
                .during("check the file")?;
            for fault in found {
                let fault = fault.during("check the file")?;
                if fault != "ok" {
                    faults.push(fault);
                }
            }
            let mut statement = connection
                .prepare("PRAGMA foreign_key_check")
                .during("check what rows point at")?;
            let found = statement
                .query_map([], |row| {
                    let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
                    Ok(format!("a row of {table} points at no row of {parent}"))
                })
                .during("check what rows point at")?;
            for fault in found {
                faults.push(fault.during("check what rows point at")?);
            }
            Ok(faults)
        })
    }

    /// Writes a consistent copy to `path`.
    pub(crate) fn backup(&self, path: &Path) -> Result<(), Error> {
        let target = path
            .to_str()
            .ok_or_else(|| Error::Invalid("the path of a backup must be valid UTF-8".to_owned()))?;
        self.read(|connection| {
            connection
                .execute("VACUUM INTO ?1", [target])
                .during("write a backup")
        })?;
        Ok(())
    }
}

impl Readers {
    fn connect(&self) -> Result<Connection, Error> {
        let opened = |source| Error::Open {
            path: self.path.clone(),
            source,
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(opened)?;
        prepare(&connection).map_err(opened)?;
        Ok(connection)
    }
}

/// Makes a new file that nobody but its owner may read: it holds the hashes of passwords. SQLite gives its WAL the same rights.
#[cfg(unix)]
fn make_private(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt;
    // Whatever hinders it (most often that the file is there) is SQLite's to say.
    let _ = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
}

#[cfg(not(unix))]
fn make_private(_path: &Path) {}

fn prepare(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Takes the schema from where the file stands to the newest, all in one transaction.
fn migrate(connection: &mut Connection) -> Result<(), Error> {
    let known = i64::try_from(MIGRATIONS.len()).expect("a handful of steps");
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .during("begin the migration")?;
    let pragma = |name: &str| -> Result<i64, Error> {
        transaction
            .pragma_query_value(None, name, |row| row.get(0))
            .during("read the schema's version")
    };
    let (found, application) = (pragma("user_version")?, pragma("application_id")?);
    let tables: i64 = transaction
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .during("read the schema")?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(Error::Invalid(
            "this SQLite file is not a registry of Platen".to_owned(),
        ));
    }
    if found > known {
        return Err(Error::SchemaTooNew { found, known });
    }
    let done = usize::try_from(found).unwrap_or(0);
    for step in &MIGRATIONS[done..] {
        transaction
            .execute_batch(step)
            .during("bring the schema up to date")?;
    }
    if found < known {
        transaction
            .pragma_update(None, "user_version", known)
            .during("note the schema's version")?;
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .during("mark the file")?;
    }
    transaction.commit().during("commit the migration")
}
