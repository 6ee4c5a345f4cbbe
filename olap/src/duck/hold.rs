//! The store's file is this store's alone.
//!
//! DuckDB keeps other processes out by a POSIX record lock, and such locks have two gaps: they do not keep out a second
//! store of the same process, and a process loses them when it closes any handle of the file. So open files are listed
//! here, and the one handle that backups read through is closed after DuckDB has closed its own.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

static OPEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The right of one store to its file. It must be dropped after the store's connections.
#[derive(Debug)]
pub(super) struct Hold {
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl Hold {
    /// Takes the file at `path`, which need not exist; `None` when a store of this process has it.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let path = real(path)?;
        let is_new = open().insert(path.clone());
        Ok(is_new.then_some(Self {
            path,
            file: Mutex::default(),
        }))
    }

    /// The file itself, where its path is one of several.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the handle for backups, once DuckDB has opened the file.
    pub fn open_file(&self) -> io::Result<()> {
        *self.file() = Some(File::open(&self.path)?);
        Ok(())
    }

    /// Closes the handle for backups, once DuckDB has closed the file.
    pub fn close_file(&self) {
        *self.file() = None;
    }

    fn file(&self) -> MutexGuard<'_, Option<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies the file as it is now, and its write-ahead log if there is one, to `target`; an existing one is never written over.
    pub fn copy_to(&self, target: &Path) -> io::Result<()> {
        let mut file = self.file();
        let source = (file.as_mut()).ok_or_else(|| io::Error::other("the store is not open"))?;
        let mut copy = File::create_new(target)?;
        source.seek(SeekFrom::Start(0))?;
        io::copy(source, &mut copy)?;
        copy.sync_all()?;
        match File::open(beside(&self.path)) {
            Ok(mut log) => {
                let mut copy = File::create_new(beside(target))?;
                io::copy(&mut log, &mut copy)?;
                copy.sync_all()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        open().remove(&self.path);
    }
}

fn open() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The one path of a file that may be known by several.
fn real(path: &Path) -> io::Result<PathBuf> {
    if let Ok(path) = path.canonicalize() {
        return Ok(path);
    }
    let name = path.file_name().unwrap_or_default();
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    Ok(folder.canonicalize()?.join(name))
}

/// The write-ahead log of a file.
fn beside(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push(".wal");
    PathBuf::from(log)
}
