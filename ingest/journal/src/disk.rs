//! The seam between the log and the disk.
//!
//! A [`Disk`] is one folder of segments. Its calls block; buffers are handed over and come back, so that an implementation
//! may give them to the kernel.

use std::io;
use std::path::{Path, PathBuf};

use crate::archive::{Owner, Why};

mod std_disk;
#[cfg(target_os = "linux")]
mod uring;

pub use std_disk::StdDisk;
#[cfg(target_os = "linux")]
pub use uring::UringDisk;

/// What the log needs of a disk. Segments are numbered; what they are called is the disk's.
///
/// A caller may rely on: what was written is seen by later reads through any handle on the same folder; what was written before a
/// successful `sync` of the segment survives the loss of power; a segment that `create` made is in the folder after it; `remove`
/// of a segment that is not there succeeds. A failed write may have written any part of its bytes.
pub trait Disk {
    /// Which implementation this is, for the log line.
    fn name(&self) -> &'static str;

    /// The segments in the folder with their sizes in bytes, in any order. Other files are left alone.
    ///
    /// # Errors
    /// Of the file system.
    fn list(&mut self) -> io::Result<Vec<(u64, u64)>>;

    /// Makes an empty segment that was not there, and makes that durable.
    ///
    /// # Errors
    /// Of the file system; `AlreadyExists` when it was there.
    fn create(&mut self, segment: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset` (the segment's end) and gives the buffer back.
    fn append(&mut self, segment: u64, offset: u64, bytes: Vec<u8>) -> (io::Result<()>, Vec<u8>);

    /// Makes everything written to the segment durable (fdatasync).
    ///
    /// # Errors
    /// Of the file system. After an error nothing is known about what was written since the last good sync.
    fn sync(&mut self, segment: u64) -> io::Result<()>;

    /// Fills `buffer` (its whole length) from `offset` on, and says how many bytes there were: fewer only at the segment's end.
    fn read(&mut self, segment: u64, offset: u64, buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>);

    /// Cuts the segment to `bytes` and makes that durable.
    ///
    /// # Errors
    /// Of the file system.
    fn truncate(&mut self, segment: u64, bytes: u64) -> io::Result<()>;

    /// Removes the segment; well if it was not there.
    ///
    /// # Errors
    /// Of the file system.
    fn remove(&mut self, segment: u64) -> io::Result<()>;

    /// Of bytes that were read just now: whether any of them are zeros since their owner's key is not there, whose, and why.
    ///
    /// # Errors
    /// Of the file system.
    fn withheld(
        &mut self,
        _segment: u64,
        _from: u64,
        _to: u64,
    ) -> io::Result<Option<(Owner, Why)>> {
        Ok(None)
    }
}

macro_rules! forward_disk {
    ($($kind:ty => [$($generics:tt)*]),+) => {$(
        impl<$($generics)*> Disk for $kind {
            fn name(&self) -> &'static str {
                (**self).name()
            }
            fn list(&mut self) -> io::Result<Vec<(u64, u64)>> {
                (**self).list()
            }
            fn create(&mut self, segment: u64) -> io::Result<()> {
                (**self).create(segment)
            }
            fn append(&mut self, segment: u64, offset: u64, bytes: Vec<u8>) -> (io::Result<()>, Vec<u8>) {
                (**self).append(segment, offset, bytes)
            }
            fn sync(&mut self, segment: u64) -> io::Result<()> {
                (**self).sync(segment)
            }
            fn read(&mut self, segment: u64, offset: u64, buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
                (**self).read(segment, offset, buffer)
            }
            fn truncate(&mut self, segment: u64, bytes: u64) -> io::Result<()> {
                (**self).truncate(segment, bytes)
            }
            fn remove(&mut self, segment: u64) -> io::Result<()> {
                (**self).remove(segment)
            }
            fn withheld(&mut self, segment: u64, from: u64, to: u64) -> io::Result<Option<(Owner, Why)>> {
                (**self).withheld(segment, from, to)
            }
        }
    )+};
}

forward_disk!(&mut D => [D: Disk + ?Sized], Box<D> => [D: Disk + ?Sized]);

/// Which disk driver to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskChoice {
    /// io_uring where it works, else the portable one.
    #[default]
    Auto,
    /// io_uring, or an error.
    Uring,
    /// The portable one.
    Std,
}

/// Opens the folder `path` (made if missing) with the driver of choice, says in one log line which one won, and returns it.
///
/// The result may belong to the calling thread (io_uring does): open it where it is used.
///
/// # Errors
/// When the folder cannot be made or opened, or when io_uring was demanded and does not work here.
pub fn open(path: &Path, choice: DiskChoice) -> io::Result<Box<dyn Disk>> {
    let portable = || StdDisk::open(path).map(|disk| Box::new(disk) as Box<dyn Disk>);
    let disk = match choice {
        DiskChoice::Std => portable()?,
        DiskChoice::Uring => open_uring(path)?,
        DiskChoice::Auto => match open_uring(path) {
            Ok(disk) => disk,
            Err(error) => {
                tracing::info!(%error, "io_uring does not work here, the journal takes the portable disk driver");
                portable()?
            }
        },
    };
    tracing::info!(driver = disk.name(), path = %path.display(), "journal disk driver");
    Ok(disk)
}

#[cfg(target_os = "linux")]
fn open_uring(path: &Path) -> io::Result<Box<dyn Disk>> {
    UringDisk::open(path).map(|disk| Box::new(disk) as Box<dyn Disk>)
}

#[cfg(not(target_os = "linux"))]
fn open_uring(_path: &Path) -> io::Result<Box<dyn Disk>> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "io_uring is Linux's",
    ))
}

const EXTENSION: &str = "plj";

/// The file of a segment.
fn segment_path(folder: &Path, segment: u64) -> PathBuf {
    folder.join(format!("{segment:016}.{EXTENSION}"))
}

/// The segments in a folder and their sizes.
fn list_folder(folder: &Path) -> io::Result<Vec<(u64, u64)>> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if path
            .extension()
            .is_none_or(|extension| extension != EXTENSION)
        {
            continue;
        }
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        // `7.plj` is somebody else's: it would be opened under another name.
        let Some(segment) = number.filter(|segment| segment_path(folder, *segment) == path) else {
            continue;
        };
        match entry.metadata() {
            Ok(metadata) if metadata.is_file() => segments.push((segment, metadata.len())),
            Ok(_) => {}
            // Removed since the folder was read: by the writer, who may while others read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(segments)
}

/// Makes a change of the folder (a file made or removed) durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // A folder cannot be opened as a file on Windows; NTFS journals its changes itself.
    if cfg!(unix) {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn remove_file(folder: &Path, segment: u64) -> io::Result<()> {
    match std::fs::remove_file(segment_path(folder, segment)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests;
