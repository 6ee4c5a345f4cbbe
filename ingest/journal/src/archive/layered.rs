//! A folder of live segments with its archive behind it, as one disk: who reads does not know which is which.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{CHUNK_BYTES, EXTENSION, Open, list, path_of};
use crate::disk::Disk;

/// Live segments, and behind them archived ones. What is written goes to the live ones; archives never change.
#[derive(Debug)]
pub struct ArchiveDisk<D> {
    live: D,
    folder: PathBuf,
    open: Option<Open>,
}

impl<D: Disk> ArchiveDisk<D> {
    /// The segments of `live`, and those archived in `folder`, which need not be there.
    #[must_use]
    pub fn new(live: D, folder: &Path) -> Self {
        Self {
            live,
            folder: folder.to_owned(),
            open: None,
        }
    }

    fn read_archived(&mut self, segment: u64, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if self
            .open
            .as_ref()
            .is_none_or(|open| open.segment != segment)
        {
            self.open = Some(Open::read(
                &path_of(&self.folder, segment, EXTENSION),
                segment,
            )?);
        }
        let Some(open) = self.open.as_mut() else {
            return Ok(0);
        };
        let mut filled = 0;
        while filled < buffer.len() {
            let at = offset + filled as u64;
            if at >= open.raw_bytes {
                break;
            }
            let index = usize::try_from(at / CHUNK_BYTES as u64).map_err(io::Error::other)?;
            let begin = usize::try_from(at % CHUNK_BYTES as u64).map_err(io::Error::other)?;
            let chunk = open.chunk(index)?;
            let bytes = chunk.get(begin..).unwrap_or_default();
            let count = bytes.len().min(buffer.len() - filled);
            if count == 0 {
                break;
            }
            buffer[filled..filled + count].copy_from_slice(&bytes[..count]);
            filled += count;
        }
        Ok(filled)
    }
}

impl<D: Disk> Disk for ArchiveDisk<D> {
    fn name(&self) -> &'static str {
        self.live.name()
    }

    /// The live ones first: a segment that is archived meanwhile is seen in one of the two.
    fn list(&mut self) -> io::Result<Vec<(u64, u64)>> {
        let live = self.live.list()?;
        let archived = list(&self.folder)?;
        let mut all: BTreeMap<u64, u64> = archived
            .into_iter()
            .map(|info| (info.segment, info.raw_bytes))
            .collect();
        all.extend(live);
        Ok(all.into_iter().collect())
    }

    fn create(&mut self, segment: u64) -> io::Result<()> {
        self.live.create(segment)
    }

    fn append(&mut self, segment: u64, offset: u64, bytes: Vec<u8>) -> (io::Result<()>, Vec<u8>) {
        self.live.append(segment, offset, bytes)
    }

    fn sync(&mut self, segment: u64) -> io::Result<()> {
        self.live.sync(segment)
    }

    fn read(&mut self, segment: u64, offset: u64, buffer: Vec<u8>) -> (io::Result<usize>, Vec<u8>) {
        let (result, mut buffer) = self.live.read(segment, offset, buffer);
        match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let result = self.read_archived(segment, offset, &mut buffer);
                (result, buffer)
            }
            result => (result, buffer),
        }
    }

    fn truncate(&mut self, segment: u64, bytes: u64) -> io::Result<()> {
        self.live.truncate(segment, bytes)
    }

    fn remove(&mut self, segment: u64) -> io::Result<()> {
        self.live.remove(segment)
    }
}
