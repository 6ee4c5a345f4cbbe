//! The file written anew, without what was deleted from it.
//!
//! DuckDB marks deleted rows and keeps their bytes: in row groups that others share, in blocks that wait to be used again, in earlier versions
//! of rows that were replaced. So what is left is copied into a file of its own, which then takes the old one's place.
//!
//! What always holds: the old file is in its place, whole, until the new one is, by one renaming; batches wait meanwhile, questions only for
//! the renaming; when the file cannot be opened again behind it, the store refuses everything and the next call tries again.

use std::path::{Path, PathBuf};

use duckdb::Connection;

use super::hold::Hold;
use super::write::Writer;
use super::{DuckStore, another, config, schema};
use crate::error::StoreError;

/// What the new file is called until it takes the old one's place.
const FRESH: &str = "fresh";
/// What a store's write-ahead log is called: `NAME.wal`.
const LOG: &str = "wal";
/// What stores are called that a rebuild put aside: `NAME.before-TIME`.
const ASIDE: &str = "before-";

/// Why a step failed: DuckDB's errors and the system's.
type Cause = Box<dyn std::error::Error + Send + Sync>;

impl DuckStore {
    /// See [`crate::Store::erase_deleted`]. A store in memory has no file.
    pub(super) fn write_file_anew(&self) -> Result<(), StoreError> {
        let Some(hold) = &self.hold else {
            return Ok(());
        };
        // Where the path is a link, what it leads to is the file.
        let path = hold.path();
        let failed = |source: Cause| StoreError::Upkeep {
            operation: "write anew, without what was deleted from it,",
            source,
        };
        let mut writer = self.writer();
        if writer.is_detached() {
            // The last call could not open what it had put into place.
            return self.attach(&mut writer, path).map_err(failed);
        }
        let fresh = sibling(path, FRESH);
        let put = self.put_anew(&mut writer, (path, &fresh), hold);
        if put.is_err() {
            // Half a store takes the room that others need: on a full disk, all there is.
            let removed = remove(&fresh).and_then(|()| remove(&sibling(&fresh, LOG)));
            if let Err(error) = removed {
                tracing::warn!(%error, "what is left of a store that was written anew could not be removed");
            }
        }
        put.map_err(failed)?;
        remove_put_aside(path).map_err(|error| failed(error.into()))
    }

    /// Copies everything into the new file and puts it into the old one's place.
    fn put_anew(
        &self,
        writer: &mut Writer,
        (path, fresh): (&Path, &Path),
        hold: &Hold,
    ) -> Result<(), Cause> {
        self.copy(writer, fresh)?;
        let readers = self.readers.take_all()?;
        let memory = Connection::open_in_memory();
        if memory.is_err() {
            self.readers.put_all(readers);
            return Ok(memory.map(drop)?);
        }
        drop(readers);
        // The last connection that leaves closes the old file.
        drop(writer.detach(memory?));
        hold.close_file();
        let renamed = swap(path, fresh);
        self.attach(writer, path)?;
        Ok(renamed?)
    }

    /// Copies every table into a new file.
    fn copy(&self, writer: &Writer, fresh: &Path) -> Result<(), Cause> {
        for stale in [fresh.to_owned(), sibling(fresh, LOG)] {
            remove(&stale)?;
        }
        let old = writer.connection();
        old.execute_batch("CHECKPOINT; SET preserve_insertion_order = true")?;
        let new = Connection::open_with_flags(fresh, config(&self.options)?)?;
        new.execute_batch("SET preserve_insertion_order = true")?;
        schema::migrate(&new, 0)?;
        let mut statement = old.prepare(
            "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary ORDER BY 1",
        )?;
        let tables = statement
            .query_map([], |row| row.get(0))?
            .collect::<duckdb::Result<Vec<String>>>()?;
        for table in &tables {
            new.execute_batch(&format!("DELETE FROM {table}"))?;
            let mut rows = old.prepare(&format!("FROM {table}"))?;
            let mut appender = new.appender(table)?;
            for batch in rows.stream_arrow([])? {
                appender.append_record_batch(batch)?;
            }
            appender.flush()?;
            drop(appender);
            let count = |of: &Connection| {
                of.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                    row.get::<_, u64>(0)
                })
            };
            let (was, is) = (count(old)?, count(&new)?);
            if was != is {
                return Err(format!("{is} of {was} rows of {table} were copied").into());
            }
        }
        new.execute_batch("CHECKPOINT")?;
        drop(new);
        old.execute_batch("SET preserve_insertion_order = false")?;
        std::fs::File::open(fresh)?.sync_all()?;
        Ok(())
    }

    /// Opens the file that is in its place.
    fn attach(&self, writer: &mut Writer, path: &Path) -> Result<(), Cause> {
        let connection = Connection::open_with_flags(path, config(&self.options)?)?;
        if let Some(hold) = &self.hold {
            hold.open_file()?;
        }
        let readers = (0..self.options.readers.max(1))
            .map(|_| another(&connection))
            .collect::<duckdb::Result<Vec<_>>>()?;
        *writer = Writer::new(connection, self.options.gather_runs_min)?;
        self.readers.put_all(readers);
        Ok(())
    }
}

/// Puts the new file into the old one's place, both closed. Not where either has a log yet, which the next to open would take for the log of
/// what is there then: the old one stays, and the next opening works its log into it.
fn swap(path: &Path, fresh: &Path) -> std::io::Result<()> {
    for of in [path, fresh] {
        if sibling(of, LOG).try_exists()? {
            return Err(std::io::Error::other(
                "its write-ahead log was not worked into it when it was closed",
            ));
        }
    }
    std::fs::rename(fresh, path)?;
    sync_folder(path)
}

/// Stores that a rebuild put aside hold what is to be gone.
fn remove_put_aside(path: &Path) -> std::io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(());
    };
    let mut begin = name.to_owned();
    begin.push(".");
    begin.push(ASIDE);
    let begin = begin.into_encoded_bytes();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(&begin) {
            tracing::info!(path = %entry.path().display(), "a store that a rebuild had put aside was removed");
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn sibling(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(what);
    path.with_file_name(name)
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a renaming in the file's folder last.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => std::fs::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_takes_a_place_beside_which_another_ones_log_lies() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.duckdb");
        let fresh = sibling(&path, FRESH);
        let write = |path: &Path, text: &str| std::fs::write(path, text).unwrap();
        write(&path, "old");
        write(&fresh, "new");
        for of in [&path, &fresh] {
            write(&sibling(of, LOG), "log");
            swap(&path, &fresh).unwrap_err();
            assert_eq!(std::fs::read(&path).unwrap(), b"old");
            remove(&sibling(of, LOG)).unwrap();
        }
        swap(&path, &fresh).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert!(!fresh.exists());
    }
}
